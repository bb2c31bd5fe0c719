"""A night's progress in Dagster's log: a line as each step ends, with rows, rate and time left, and a line every few seconds of a long one.

What watches this process's terminal is told the same.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from kcb_pipeline.errors import KcbError
from kcb_pipeline.home import Home
from kcb_pipeline.log import Level, log
from kcb_pipeline.progress import TERMINAL, Fan, Forecast, Progress, keep_seconds, last_seconds, told_time

SECONDS_BETWEEN_LINES = 10.0
LAST_STEP = "published_analytics"
FIRST_STEP = "delivery"

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


class LogProgress:
    """Writes progress lines to a run's log."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._started = self._last = time.monotonic()

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        """Say how far the stage is, if it has been silent long enough."""
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES or not done:
            return
        self._last = now
        elapsed = now - self._started
        log("info", "under way", **_whose(self._context), step=stage, rows=rows or None, share=round(done / total, 3))
        said = [stage]
        if rows:
            said.append(f"{rows:,} rows, {rows / elapsed:,.0f} rows/s")
        if done < total:
            said.append(f"{100 * done / total:.0f} % done, {told_time(elapsed * (total - done) / done)} left of it")
        self._context.log.info("; ".join(said))


def progress_of(context: Context) -> Progress:
    """The progress of an asset: to the run's log and to the terminal that watches this process."""
    return Fan(LogProgress(context), *TERMINAL)


def _whose(context: Context) -> dict[str, str | None]:
    return {"run": context.run.run_id, "date": context.run.tags.get("dagster/partition")}


def note(text: str) -> None:
    """Tell whoever watches this process's terminal."""
    for watcher in TERMINAL:
        watcher.note(text)


def note_of(context: Context, level: Level = "info") -> Callable[[str], None]:
    """Tell a run's log, and whoever watches this process's terminal."""

    def say(text: str) -> None:
        getattr(context.log, level)(text)
        log(level, text, **_whose(context))
        note(text)

    return say


def seconds_kept(home: Home) -> Path:
    """Where it is kept how long each step of the last whole night took."""
    return home.work / "step_seconds.json"


def steps_of(job: dg.JobDefinition, seconds: Mapping[str, float]) -> dict[str, float]:
    """Of what each step took, that of the steps of a job: a run from a stage on has fewer than a night."""
    nodes = {node.name for node in job.graph.nodes}
    return {step: took for step, took in seconds.items() if step in nodes}


@dataclass
class StepClock:
    """How long a step has been running, and the rows it has left."""

    rows: int | None = None
    _began: float = field(default_factory=time.monotonic)

    def so_far(self) -> float:
        """Seconds since the step began."""
        return round(time.monotonic() - self._began, 3)


_FORECASTS: dict[str, Forecast] = {}


@contextmanager
def told_in_log(context: Context, home: Home, step: str) -> Iterator[StepClock]:
    """Tell the terminal that a step begins, and the run's log how it ended and how long the night still takes."""
    kept = seconds_kept(home)
    if context.run.run_id not in _FORECASTS:
        _FORECASTS[context.run.run_id] = Forecast(steps_of(context.job_def, last_seconds(kept)))
    forecast = _FORECASTS[context.run.run_id]
    for watcher in TERMINAL:
        watcher.update(step, 0, 0)
    forecast.start(step)
    clock = StepClock()
    log("info", "begins", **_whose(context), step=step)
    try:
        yield clock
    except KcbError as error:  # written for its reader: it quotes no value
        log("error", str(error), **_whose(context), step=step, seconds=clock.so_far(), exit_code=error.exit_code)
        raise
    seconds = forecast.finish()
    said = [f"{step} done in {told_time(seconds) if seconds >= 1 else f'{seconds:.1f} s'}"]
    if clock.rows is not None:
        said.append(f"{clock.rows:,} rows" + (f", {clock.rows / seconds:,.0f} rows/s" if seconds >= 1 else ""))
    left = forecast.left()
    if left is not None and step != LAST_STEP:
        said.append(f"about {told_time(left)} left of the night")
    context.log.info("; ".join(said))
    log(
        "info",
        "done",
        **_whose(context),
        step=step,
        seconds=round(seconds, 3),
        rows=clock.rows,
        left=left and round(left, 1),
    )
    if step == LAST_STEP:
        if FIRST_STEP in forecast.took:
            keep_seconds(kept, forecast.took)
        _FORECASTS.pop(context.run.run_id, None)
