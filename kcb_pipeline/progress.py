"""How long work says how far it is: a stage, how much of it is done, in what unit. Who shows it is somebody else's matter."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives how far a stage is."""

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        """`done` of `total` (any unit) of `stage`; `rows` handled so far."""
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


TERMINAL: list[Progress] = []
"""Who draws progress in this process's terminal; `kcb run` puts its display here while a night runs in the same process."""
