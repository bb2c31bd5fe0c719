"""How long work says how far it is: a stage, how much of it is done, in what unit. Who shows it is somebody else's matter."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kcb_pipeline.whole import written_whole


class Progress(Protocol):
    """Receives how far a stage is."""

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        """`done` of `total` (any unit) of `stage`; `rows` handled so far. A stage that begins says 0 of 0."""
        ...


class Silent:
    """Shows nothing."""

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        """Nothing to see."""


SILENT = Silent()


class Fan:
    """Passes on to whoever watches: a stage is told one progress, and a terminal and a log both show it."""

    def __init__(self, *watchers: Progress) -> None:
        self._watchers = watchers

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        """Tell every watcher."""
        for watcher in self._watchers:
            watcher.update(stage, done, total, rows=rows)


class Watcher(Progress, Protocol):
    """Shows a whole night as it goes."""

    def expect(self, steps: int, seconds: Mapping[str, float]) -> None:
        """A night of so many steps begins; `seconds` each took the last time."""
        ...

    def note(self, text: str) -> None:
        """Something worth saying once."""
        ...


TERMINAL: list[Watcher] = []
"""Who draws progress in this process's terminal; `kcb run` puts its display here while a night runs in the same process."""


class Forecast:
    """How long a night still takes, by how long each of its steps took the last time and how fast tonight is beside that.

    expected: step → seconds of the last whole night.
    """

    def __init__(self, expected: Mapping[str, float]) -> None:
        self._expected = expected
        self._took: dict[str, float] = {}
        self._began = time.monotonic()
        self._step = ""

    @property
    def took(self) -> dict[str, float]:
        """Step → seconds, of the steps that are over."""
        return dict(self._took)

    def start(self, step: str) -> None:
        """A step begins."""
        self._step, self._began = step, time.monotonic()

    def finish(self) -> float:
        """The present step is over; how long it took."""
        seconds = time.monotonic() - self._began
        if self._step:
            self._took[self._step] = seconds
        self._step = ""
        return seconds

    def left(self) -> float | None:
        """Seconds until the night is over; None where no earlier night says."""
        known = [step for step in self._took if step in self._expected]
        if not self._expected:
            return None
        before = sum(self._expected[step] for step in known)
        pace = sum(self._took[step] for step in known) / before if before > 1 else 1.0
        to_come = sum(seconds for step, seconds in self._expected.items() if step not in self._took)
        running = min(time.monotonic() - self._began, pace * self._expected.get(self._step, 0.0)) if self._step else 0.0
        return max(pace * to_come - running, 0.0)


def last_seconds(kept: Path) -> dict[str, float]:
    """Step → seconds of the last whole night; empty where none was kept."""
    try:
        return {str(step): float(seconds) for step, seconds in json.loads(kept.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def keep_seconds(kept: Path, took: Mapping[str, float]) -> None:
    """Keep how long the steps of a whole night took, for the next to go by; of nights that end at one moment, those of one."""
    with suppress(FileExistsError, FileNotFoundError), written_whole(kept) as file:
        file.write(json.dumps({step: round(seconds, 2) for step, seconds in took.items()}).encode())


def told_time(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
