"""What `kcb` shows in a terminal: progress while a night runs, and what came of it. Counts and reasons; identities only when asked."""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any

import duckdb
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kcb_pipeline.engines.embedded import connect, rows, scalar
from kcb_pipeline.gates import DISCLOSURE, GateResult, recorded
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.cases import OPEN_STATES
from kcb_pipeline.log import is_json
from kcb_pipeline.night import Night
from kcb_pipeline.progress import TERMINAL, Forecast, told_time
from kcb_pipeline.status.reasons import STATUSES

UNSEEN_WIDTH = 200
"""Columns where nobody's window says how wide a line may be (a pipe, a log)."""


def _console(*, stderr: bool = False, file: IO[str] | None = None) -> Console:
    # Without markup: "[storage]" is a word of ours, and a header or a name of a file is whatever its sender called it.
    found = Console(stderr=stderr, file=file, markup=False, highlight=False, soft_wrap=True)
    if found.is_terminal:
        return found
    return Console(stderr=stderr, file=file, markup=False, highlight=False, soft_wrap=True, width=UNSEEN_WIDTH)


console, errors = _console(stderr=False), _console(stderr=True)


def visible(text: str) -> str:
    """A text that came from elsewhere as it may stand on a terminal: what would move or colour it, or break the line, is written out.

    >>> visible("幸福\\x1b[2J\\n学校")
    '幸福\\\\x1b[2J\\\\n学校'
    """
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in _UNSEEN else c for c in text)


_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


SECONDS_BETWEEN_LINES = 30.0
"""How often a long stage says how far it is where there is no terminal to draw on."""


class _Display:
    """A bar of stages, and beside it how far the present one is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._whole = progress.add_task("starting", total=None, detail="", left="")
        self._forecast = Forecast({})
        self._stage, self._began = "", time.monotonic()

    def expect(self, steps: int, seconds: Mapping[str, float]) -> None:
        self._forecast = Forecast(seconds)
        self._progress.update(self._whole, total=steps)

    def note(self, text: str) -> None:
        self._progress.console.print(f"  {text}")

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        if total == 0:
            if self._stage:
                self._forecast.finish()
                self._progress.advance(self._whole)
            self._stage, self._began = stage, time.monotonic()
            self._forecast.start(stage)
            self._progress.update(self._whole, description=stage.replace("_", " "), detail="", left=self._left())
        elif done:
            detail = _how_far(done, total, rows, time.monotonic() - self._began)
            self._progress.update(self._whole, detail=detail, left=self._left())

    def _left(self) -> str:
        left = self._forecast.left()
        return "" if left is None else f"about {told_time(left)} left"


def _how_far(done: int, total: int, rows: int, seconds: float) -> str:
    said = [f"{rows:,} rows, {rows / max(seconds, 0.001):,.0f} rows/s"] if rows else []
    if done < total:
        said.append(f"{100 * done / total:.0f} %, {told_time(seconds * (total - done) / done)} left of it")
    return ", ".join(said)


class _Lines:
    """Where there is no terminal to draw on: a line a stage, and one now and then within a long one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage, self._began, self._said = "", 0.0, 0.0
        self._forecast = Forecast({})

    def expect(self, steps: int, seconds: Mapping[str, float]) -> None:
        self._forecast = Forecast(seconds)

    def note(self, text: str) -> None:
        self._console.print(f"  {text}")

    def update(self, stage: str, done: int, total: int, *, rows: int = 0) -> None:
        now = time.monotonic()
        if total == 0:
            self.finish()
            self._stage, self._began, self._said = stage, now, now
            self._forecast.start(stage)
        elif done and now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self._console.print(
                f"  {self._stage.replace('_', ' '):32s} {_how_far(done, total, rows, now - self._began)}"
            )

    def finish(self) -> None:
        if self._stage:
            seconds, left = self._forecast.finish(), self._forecast.left()
            # A short night is over before anybody reads how long it takes.
            more = f"   about {told_time(left)} left" if left is not None and left >= SECONDS_BETWEEN_LINES else ""
            self._console.print(f"  {self._stage.replace('_', ' '):32s} {seconds:6.1f} s{more}")
        self._stage = ""


@contextmanager
def shown_progress() -> Iterator[None]:
    """Show the stages of a night that runs in this process; nothing where its log goes to the terminal as JSON lines."""
    if is_json():
        yield
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"), TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    with _beside_dagster() as seen, ExitStack() as shown:
        watcher: _Lines | _Display
        if seen.is_terminal:
            bar = Progress(*columns, console=seen, transient=True, redirect_stdout=False, redirect_stderr=False)
            watcher = _Display(shown.enter_context(bar))
        else:
            watcher = _Lines(seen)
            shown.callback(watcher.finish)
        TERMINAL.append(watcher)
        shown.callback(TERMINAL.remove, watcher)
        yield


@contextmanager
def _beside_dagster() -> Iterator[Console]:
    """A console on a copy of standard output. While a run goes on Dagster sends the stream itself to a file, and a program copies that to the
    terminal: no bar is drawn on a file, and what was written last can be lost."""
    try:
        descriptor = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # no stream of the system: nobody redirects it
        yield console
        return
    with os.fdopen(descriptor, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors) as stream:
        yield _console(file=stream)


def show_night(home: Home, night: Night, *, seconds: float) -> None:
    """What came of a night: who is where, the version, the gates, the files."""
    with connect(home.ledgers, home.limits(), read_only=True) as connection:
        [(number, base, content, inputs, eligible)] = rows(
            connection,
            "SELECT version, base_version, content_digest, inputs_digest, eligible FROM ledger_versions "
            "WHERE comparison_date = ? ORDER BY version DESC LIMIT 1",
            [night.comparison_date],
        )
        counts = _statuses(connection, number)
        before = {} if base is None else _statuses(connection, base)
        open_cases = scalar(
            connection,
            "SELECT count(*) FROM cases_as_of(?) WHERE list_contains(?, state)",
            [number, list(OPEN_STATES)],
        )
        [(passed, asked)] = rows(
            connection, "SELECT count(*) FILTER (WHERE passed), count(*) FROM check_results WHERE version = ?", [number]
        )
        [(sources, read, landed, quarantined, duplicate)] = rows(
            connection,
            "SELECT count(DISTINCT source), sum(read), sum(landed), sum(quarantined), sum(duplicate_rows) FROM row_accounts WHERE version = ?",
            [number],
        )
        quality = rows(
            connection,
            "SELECT links, false_links, false_links_low, false_links_high, missed, missed_low, missed_high, unblocked FROM linkage_quality "
            "WHERE version = ? AND grouping = 'all'",
            [number],
        )
    heading = (f"\nNight of {night.comparison_date}", "bold")
    console.print(Text.assemble(heading, f"  version {number}  ({seconds:.1f} s)"))
    console.print(
        f"  {sources} sources, {read:,} rows read = {landed:,} landed + {quarantined:,} quarantined + {duplicate:,} duplicate"
    )
    console.print(_status_table(counts, before, int(eligible)))
    for links, wrong, wrong_low, wrong_high, missed, missed_low, missed_high, unblocked in quality:
        console.print(
            f"  links    {links:,}; estimated wrong {wrong:.1f} ({wrong_low:.1f} to {wrong_high:.1f}), missed {missed:.1f}"
            f" ({missed_low:.1f} to {missed_high:.1f}), never compared {unblocked:.1f}"
        )
    console.print(
        f"  gates    {passed} of {asked} passed"
        + (f", {asked - passed} with a warning (kcb gates --date {night.comparison_date})" if passed < asked else "")
    )
    console.print(f"  cases    {open_cases:,} open")
    console.print(f"  version  {number}, content {content[:12]}…, extracts {inputs[:12]}…")
    console.print(f"  ledgers  {home.ledgers}")
    console.print(f"  analysts {home.analytics}")
    console.print(f"  folder   {home.version_folder(number)}")
    shown = home.shown(number)
    if "report" in shown:
        console.print(f"  report   {home.folder / shown['report']}")
    else:
        console.print(
            f"  report   could not be made ({night.workspace.files.name}/faults.txt says why): kcb report --version {number}"
        )
    console.print(f"  work     {night.workspace.database}")


def _statuses(connection: duckdb.DuckDBPyConnection, version: int) -> dict[str, int]:
    return dict(
        rows(connection, "SELECT status, count(*) FROM school_age_children_as_of(?) GROUP BY status", [version])
    )


def _status_table(counts: dict[str, int], before: dict[str, int], eligible: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("  status")
    table.add_column("状态")
    table.add_column("children", justify="right")
    table.add_column("share", justify="right")
    if before:
        table.add_column("since the version before", justify="right")
    for status, label in STATUSES.items():
        count = counts.get(status, 0)
        cells = [f"  {status}", label, f"{count:,}", f"{100 * count / max(eligible, 1):.2f} %"]
        if before:
            moved = count - before.get(status, 0)
            cells.append(f"{moved:+,}" if moved else "")
        table.add_row(*cells)
    total = sum(counts.values())
    table.add_row(
        Text("  of school age", "bold"),
        Text("适龄儿童", "bold"),
        Text(f"{total:,}", "bold"),
        "" if total == eligible else Text(f"expected {eligible:,}", "red"),
    )
    return table


def show_failed_gates(night: Night) -> bool:
    """Which gates stopped the night, what was observed, what was expected, and what to do; whether there was any."""
    with night.workspace.connect() as connection:
        results = recorded(connection)
    blocking = [(suite, result) for suite, result in results if result.blocks]
    if not blocking:
        return False
    if all(suite == DISCLOSURE for suite, _ in blocking):
        stopped, stays = "analytics.duckdb was not replaced", "The ledgers are out; analysts keep the file they had."
    else:
        stopped, stays = f"Nothing was published for {night.comparison_date}", "The published files are untouched."
    errors.print(Text.assemble((f"\n{stopped}:", "bold red"), f" {len(blocking)} gate(s) did not pass. {stays}\n"))
    for suite, result in blocking:
        errors.print(Text(f"  {suite}.{result.name}", "bold"))
        errors.print(f"    observed  {result.observed}")
        errors.print(f"    expected  {result.expected}")
        errors.print(f"    to do     {result.advice}\n")
    return True


def gates_table(results: Sequence[tuple[str, GateResult]]) -> Table:
    """All gates of a date with what they observed."""
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in ("gate", "", "observed", "expected"):
        table.add_column(heading)
    for suite, result in results:
        failed = Text("failed", "red") if result.severity == "error" else Text("warning", "yellow")
        mark = "passed" if result.passed else failed
        table.add_row(f"{suite}.{result.name}", mark, result.observed, result.expected)
    return table


def rows_table(headings: Sequence[str], entries: Sequence[Sequence[Any]]) -> Table:
    """A plain table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in headings:
        table.add_column(heading)
    for entry in entries:
        table.add_row(*("" if cell is None else visible(str(cell)) for cell in entry))
    return table
