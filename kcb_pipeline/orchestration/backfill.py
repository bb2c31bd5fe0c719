"""Many dates: each night in a process of its own, the earliest first, some side by side.

A night waits, before it fixes what it builds on, for earlier dates that are being run (`kcb_pipeline.claim`). So that it sees them, a date is begun
only when the one before it holds its lock or is over.
"""

import datetime as dt
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kcb_pipeline.claim import is_running
from kcb_pipeline.errors import StaleDraftError
from kcb_pipeline.home import Home

SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, slots=True)
class Ran:
    """How the night of a date ended: its exit code, and what it said."""

    date: dt.date
    code: int
    said: str
    seconds: float


class _Running:
    """A night in a process of its own."""

    def __init__(self, home: Path, date: dt.date, start: str | None) -> None:
        self.date, self._home, self._began = date, home, time.monotonic()
        command = [sys.executable, "-m", "kcb_pipeline.cli", "run", "--home", str(home), "--date", str(date)]
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed when its outcome is read)
        self.process = subprocess.Popen(  # noqa: S603
            [*command, *(["--from", start] if start else [])], stdout=self._said, stderr=subprocess.STDOUT
        )

    def is_under_way(self) -> bool:
        """Whether later dates see it: it holds its date, or is over."""
        return self.process.poll() is not None or is_running(Home(self._home).work, self.date)

    def outcome(self) -> Ran:
        """How it ended; waits for that."""
        code = self.process.wait()
        with self._said as said:
            said.seek(0)
            text = said.read().decode("utf-8", errors="replace").strip()
        return Ran(self.date, code, text, time.monotonic() - self._began)


def run_dates(
    home: Path, dates: Sequence[dt.date], *, jobs: int, start: str | None = None, say: Callable[[str], object]
) -> list[Ran]:
    """Run the nights of `dates` in their order, at most `jobs` side by side; after one that failed, begin no further one.

    A date that an earlier one superseded while it ran is run again from its base. Told to `say` is how each ended.
    """
    waiting, running, ran = list(dates), list[_Running](), list[Ran]()
    try:
        while waiting or running:
            failed = any(one.code for one in ran)
            if waiting and not failed and len(running) < jobs and (not running or running[-1].is_under_way()):
                running.append(_Running(home, waiting.pop(0), start))
            for one in [one for one in running if one.process.poll() is not None]:
                running.remove(one)
                ended = one.outcome()
                if ended.code == StaleDraftError.exit_code:
                    ended = _Running(home, one.date, "base_version").outcome()
                say(f"{ended.date}  {'done' if ended.code == 0 else 'failed'} in {ended.seconds:.0f} s")
                ran.append(ended)
            if failed and not running:
                break
            time.sleep(SECONDS_BETWEEN_LOOKS)
    finally:
        for one in running:  # where this process was interrupted
            one.process.terminate()
    return sorted(ran, key=lambda one: one.date)
