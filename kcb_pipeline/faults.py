"""Errors that quote nothing: DuckDB, Polars and Arrow put cell values into their messages, and those must not leave the house.

What is ours (`KcbError`) was written for its reader and passes. Of anything else only its kind and where it happened pass; the full
text goes to a file beside the working database, where identities may be, for an engineer on the machine.
"""

from __future__ import annotations

import datetime as dt
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcb_pipeline.errors import KcbError


class InternalError(KcbError):
    """The program failed where it should not have."""

    exit_code = 70


@contextmanager
def nothing_quoted(stage: str, private: Path) -> Iterator[None]:
    """Let only errors out that quote no value; the whole of any other goes to `private`/faults.txt, mode 0600."""
    try:
        yield
    except KcbError as error:
        raise type_preserving(error) from None
    except Exception as error:
        _keep(error, stage, private)
        raise InternalError(
            f"{stage}: {type(error).__name__} at {where(error)}; the whole text is in {private.name}/faults.txt"
        ) from None


def type_preserving(error: KcbError) -> KcbError:
    """The error without the frames and causes it came through."""
    error.__traceback__ = None
    error.__cause__ = None
    error.__context__ = None
    return error


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


def _keep(error: Exception, stage: str, private: Path) -> None:
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = f"{dt.datetime.now(tz=dt.UTC).isoformat(timespec='seconds')} {stage}\n{''.join(traceback.format_exception(error))}\n"
    descriptor = os.open(private / "faults.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(text)
