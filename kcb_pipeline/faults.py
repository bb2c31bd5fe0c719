"""Errors that quote nothing: DuckDB, Polars and Arrow put cell values into their messages, and those must not leave the house.

What is ours (`KcbError`) was written for its reader and passes. Of anything else only its kind and where it happened pass; the full
text goes to a file beside the working database, where identities may be, for an engineer on the machine. So does what libraries
write past Python straight to the error stream: a panic in Rust prints its message before anybody can catch it.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from kcb_pipeline.errors import KcbError


class InternalError(KcbError):
    """The program failed where it should not have."""

    exit_code = 70


T = TypeVar("T")

INTENDED: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""Ends that somebody asked for. Any other exception is a fault, Rust's panics too, which are no `Exception`."""


def quoting_nothing(stage: str, private: Path, work: Callable[[], T]) -> T:
    """What `work` gives. Only errors that quote no value leave it; the whole of any other goes to `private`/faults.txt, mode 0600.

    What leaves has neither cause nor context nor frames below this one: their local variables are rows of children, and there are
    loggers that show them. So it is raised after the handler has been left.
    """
    told: KcbError
    try:
        with _error_stream_kept(private):
            return work()
    except KcbError as error:
        told = error
    except INTENDED:
        raise
    except BaseException as error:
        keep(error, stage, private)
        told = InternalError(
            f"{stage}: {type(error).__name__} at {where(error)}; the whole text is in {private.name}/faults.txt"
        )
    told.__traceback__ = told.__cause__ = told.__context__ = None
    raise told


@contextmanager
def _error_stream_kept(private: Path) -> Iterator[None]:
    """Send what is written to the process's error stream to `private`/stderr.txt meanwhile."""
    try:
        before = os.dup(2)
    except OSError:  # there is none: nothing can be said on it
        yield
        return
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    descriptor = _append(private / "stderr.txt")
    os.dup2(descriptor, 2)
    os.close(descriptor)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)
        if not (private / "stderr.txt").stat().st_size:
            (private / "stderr.txt").unlink()


def where(error: BaseException) -> str:
    """The last place in our own code that an error passed: file and line, no values."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(frame.filename)]
    if not frames:
        return "an unknown place"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} ({frames[-1].name})"


_OURS = tuple(
    str(Path(__file__).resolve().parents[1] / package) + os.sep for package in ("kcb_pipeline", "assets", "checks")
)


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS)


def trace(error: BaseException) -> str:
    """The frames an error passed through, without its message and without any variable."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"  {Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return "\n".join([*lines, type(error).__name__])


def keep(error: BaseException, stage: str, private: Path) -> None:
    """Write the whole text of an error to `private`/faults.txt, for an engineer on the machine."""
    text = f"{dt.datetime.now(tz=dt.UTC).isoformat(timespec='seconds')} {stage}\n{''.join(traceback.format_exception(error))}\n"
    with os.fdopen(_append(private / "faults.txt"), "a", encoding="utf-8") as file:
        file.write(text)


def _append(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
