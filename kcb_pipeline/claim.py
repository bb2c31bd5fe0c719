"""Who runs a date: a lock beside its working files, held by a process as long as it runs the night.

The kernel lets go of it when the process ends, however it ends, so a night that was killed leaves nothing to clean. Nights of different dates
hold different locks and run side by side.
"""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.errors import KcbError

WAIT_SECONDS = 6 * 3600.0
"""How long a night waits for another before it gives up: longer than any night takes."""
SECONDS_BETWEEN_LOOKS = 0.5

_HELD: dict[Path, FileLock] = {}

Say = Callable[[str], object]


def _lock(folder: Path, date: dt.date) -> FileLock:
    return FileLock(folder.resolve() / f"{date}.lock", timeout=0)


def claim(workspace: Workspace, say: Say, *, wait: float = WAIT_SECONDS) -> None:
    """Make this process the one that runs the date, once nobody else does; what a killed run left half written is erased, and a
    working database that is damaged.

    Raises KcbError where another process runs it for longer than `wait` seconds. Told to `say` is what is waited for.
    """
    lock = _lock(workspace.folder, workspace.comparison_date)
    path = Path(lock.lock_file)
    if path in _HELD:
        return
    _patiently(lambda: _take(lock), f"{workspace.comparison_date} is being run by another process", say, wait)
    _HELD[path] = lock
    workspace.erase_if_damaged()
    for leftover in workspace.files.rglob("*.unfinished"):
        leftover.unlink(missing_ok=True)
    for spilled in workspace.files.glob("spill-*"):
        shutil.rmtree(spilled, ignore_errors=True)


def release(workspace: Workspace) -> None:
    """Let the date go, where this process holds it. A process that ends need not."""
    held = _HELD.pop(Path(_lock(workspace.folder, workspace.comparison_date).lock_file), None)
    if held is not None:
        held.release()


@contextmanager
def claimed(workspace: Workspace, say: Say) -> Iterator[None]:
    """Hold the date for as long as the block runs."""
    claim(workspace, say)
    try:
        yield
    finally:
        release(workspace)


def is_running(folder: Path, date: dt.date) -> bool:
    """Whether a process runs the date, this one included."""
    lock = _lock(folder, date)
    path = Path(lock.lock_file)
    if path in _HELD:
        return True
    if not path.exists() or _take(lock):
        lock.release()
        return False
    return True


def running(folder: Path) -> list[dt.date]:
    """The dates that are being run, in order."""
    dates = sorted(dt.date.fromisoformat(path.stem) for path in folder.glob("????-??-??.lock"))
    return [date for date in dates if is_running(folder, date)]


def wait_for_earlier(workspace: Workspace, say: Say, *, wait: float = WAIT_SECONDS) -> None:
    """Wait until no earlier date is being run: what they publish is what this date builds on.

    A date waits for earlier ones only, so dates that run side by side never wait for each other. Raises KcbError after `wait` seconds.
    """

    def is_first() -> bool:
        return not [date for date in running(workspace.folder) if date < workspace.comparison_date]

    _patiently(is_first, f"an earlier date is being run, on which {workspace.comparison_date} will build", say, wait)


def _take(lock: FileLock) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    return True


def _patiently(is_so: Callable[[], bool], why: str, say: Say, wait: float) -> None:
    began, said = time.monotonic(), False
    while not is_so():
        if time.monotonic() - began > wait:
            raise KcbError(f"{why}, and has been for {wait / 3600:.0f} h: look for a run that hangs")
        if not said:
            say(f"waiting: {why}")
            said = True
        time.sleep(SECONDS_BETWEEN_LOOKS)
