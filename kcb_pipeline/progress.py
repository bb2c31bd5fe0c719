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
