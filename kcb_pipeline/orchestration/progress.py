"""A long stage's progress in Dagster's log: a line every few seconds, with rows, rate and time left; and in the terminal, if one watches."""

import time

import dagster as dg

from kcb_pipeline.progress import TERMINAL, Fan, Progress

SECONDS_BETWEEN_LINES = 10.0


class LogProgress:
    """Writes progress lines to a run's log."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context
        self._started = self._last = time.monotonic()

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        """Say how far the stage is, if it has been silent long enough."""
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES or not done:
            return
        self._last = now
        elapsed = now - self._started
        self._context.log.info(
            "%s: %d rows, %.0f rows/s, %.0f %% done, %.0f s left",
            stage, rows, rows / elapsed, 100 * done / total, elapsed * (total - done) / done,
        )  # fmt: skip


def progress_of(context: dg.AssetExecutionContext) -> Progress:
    """The progress of an asset: to the run's log and to the terminal that watches this process."""
    return Fan(LogProgress(context), *TERMINAL)


def starting(stage: str) -> None:
    """Tell the terminal that watches this process that a stage begins."""
    for watcher in TERMINAL:
        watcher.update(stage, 0, 0)
