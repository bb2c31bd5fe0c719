"""Errors that quote nothing: DuckDB, Polars and Arrow put cell values into their messages, and those must not leave the house.

What is ours (`KcbError`) was written for its reader and passes. Of anything else only its kind and where it happened pass; the full
text goes to a file beside the working database, where identities may be, for an engineer on the machine. So does what libraries
write past Python straight to the error stream: a panic in Rust prints its message before anybody can catch it.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from kcb_pipeline.errors import InternalError, KcbError, MachineError

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
        with suppress(OSError):  # where nothing can be written, its text goes nowhere
            keep(error, stage, private)
        condition = machine_condition(error)
        told = (
            MachineError(f"{stage}: {condition}")
            if condition
            else InternalError(
                f"{stage}: {type(error).__name__} at {where(error)}; the whole text is in {private.name}/faults.txt"
            )
        )
    told.__traceback__ = told.__cause__ = told.__context__ = None
    raise told


@contextmanager
def _error_stream_kept(private: Path) -> Iterator[None]:
    """Send what is written to the process's error stream, and to Python's own where that is another, to `private`/stderr.txt meanwhile."""
    try:
        kept = _append(private / "stderr.txt")
    except OSError:  # nothing can be written there: better lost than said aloud
        kept = os.open(os.devnull, os.O_WRONLY)
    try:
        with _sent_to(kept, {_SYSTEMS, _pythons() or _SYSTEMS}):
            yield
    finally:
        with suppress(OSError):
            if not (private / "stderr.txt").stat().st_size:
                (private / "stderr.txt").unlink()


@contextmanager
def only_python_is_heard() -> Iterator[None]:
    """Send what libraries write straight to the process's error stream nowhere meanwhile; what Python writes to its own goes where it went.

    For whole commands: a panic in Rust quotes what it stumbled over. Inside it a stage of a night keeps both streams in its private folder,
    and Dagster, which reads Python's, reads what it read.
    """
    before = sys.stderr
    if _pythons() == _SYSTEMS:
        sys.stderr = os.fdopen(os.dup(2), "w", encoding=before.encoding, errors=before.errors, buffering=1)
    try:
        with _sent_to(os.open(os.devnull, os.O_WRONLY), {_SYSTEMS}):
            yield
    finally:
        sys.stderr = before


_SYSTEMS: Final = 2
"""The error stream of the process, which libraries know."""


def _pythons() -> int | None:
    """The stream behind Python's own; None where that is none of the system's."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return None


@contextmanager
def _sent_to(descriptor: int, streams: AbstractSet[int]) -> Iterator[None]:
    """Send what is written to some streams to an open file, which is closed at the end."""
    with ExitStack() as again:
        for stream in streams:
            try:
                before = os.dup(stream)
            except OSError:  # there is none: nothing can be said on it
                continue
            again.callback(os.close, before)
            again.callback(os.dup2, before, stream)
            with suppress(OSError, ValueError, AttributeError):
                sys.stderr.flush()
            os.dup2(descriptor, stream)
        os.close(descriptor)
        try:
            yield
        finally:
            with suppress(OSError, ValueError, AttributeError):
                sys.stderr.flush()


FULL: Final = "the disk is full: make room and run the date again; what is published stands"
UNWRITABLE: Final = (
    "a file or folder of the home cannot be read or written: see to its owner and mode, and run the date again"
)
MISPLACED: Final = "a path leads through a file, or to one where a folder is expected, or its name is too long: see to the paths that were given"
NO_MEMORY: Final = (
    "there is not enough memory: lower [storage] memory_limit or threads, or free some, and run the date again"
)
TOO_LITTLE: Final = "a query needs more memory than [storage] memory_limit allows, and spill_limit on the disk: raise it, and run the date again"
DAMAGED: Final = "a database is damaged: kcb verify says whether it is a published one; if not, run the date from the beginning, which makes the working one anew"
TOO_MANY: Final = "too many open files or processes: raise the limit (ulimit) and run the date again"
NO_THREADS: Final = "no further thread can be started: there is not enough memory, or too many processes run (ulimit -u); free some and run the date again"
BROKEN: Final = "the disk cannot be read or written (input/output error): see the machine's log"

_BY_NUMBER: Final = {
    errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EFBIG: FULL, errno.EROFS: UNWRITABLE, errno.EACCES: UNWRITABLE, errno.EPERM: UNWRITABLE,
    errno.ENOTDIR: MISPLACED, errno.EISDIR: MISPLACED, errno.ENAMETOOLONG: MISPLACED,
    errno.ENOMEM: NO_MEMORY, errno.EMFILE: TOO_MANY, errno.ENFILE: TOO_MANY, errno.EIO: BROKEN,
}  # fmt: skip
_BY_WORDS: Final = {
    "No space left on device": FULL, "Disk quota exceeded": FULL, "File too large": FULL, "Read-only file system": UNWRITABLE,
    "Permission denied": UNWRITABLE, "Cannot allocate memory": NO_MEMORY, "bad allocation": NO_MEMORY, "std::bad_alloc": NO_MEMORY,
    "Too many open files": TOO_MANY, "can't start new thread": NO_THREADS, "could not spawn threads": NO_THREADS,
    "Resource temporarily unavailable": NO_THREADS, "memory allocation of": NO_MEMORY, "Input/output error": BROKEN,
    "Parquet magic bytes not found": DAMAGED,
}  # fmt: skip
"""How DuckDB, Arrow and Polars, which keep no error numbers, repeat what the system said."""


_AT_THE_LIMIT: Final = re.compile(r"/[0-9.]+ [KMGT]?i?B used\)")


def machine_condition(error: BaseException) -> str | None:
    """What of the machine an error says, in words that quote nothing; None where it says nothing of it."""
    import duckdb
    from polars.exceptions import PanicException, PolarsError

    from kcb_pipeline.engines.embedded import is_damaged

    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, MemoryError | duckdb.OutOfMemoryException):
            # DuckDB says how much of its own limit is used where that ended it, and not the machine.
            return TOO_LITTLE if _AT_THE_LIMIT.search(str(found)) else NO_MEMORY
        if isinstance(found, OSError) and found.errno in _BY_NUMBER:
            return _BY_NUMBER[found.errno]
        if isinstance(found, OSError | RuntimeError | duckdb.Error | PolarsError | PanicException):
            text = str(found)
            if isinstance(found, duckdb.Error) and is_damaged(found):
                return DAMAGED
            for words, condition in _BY_WORDS.items():
                if words in text:
                    return condition
        found = found.__cause__ or found.__context__
    return None


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
