"""What a province's first night costs, beside DuckDB reading the same files: `python -m benchmarks.province_night 100k 1m`.

What belongs here: making a province of each size and format (`benchmarks.province`), running its night as an operator does (`kcb run`),
and what DuckDB alone needs for the same files, each in a process of its own. DuckDB reads every file of the delivery, all cells as text
and with every setting of the dialect given, into a Parquet file a source, and joins the two registers by their ID numbers. It knows no
GB18030, so it is given those files in UTF-8. Both may use all cores and as much memory.

Results stand in docs/province.json, a row a size, format and memory limit; measuring one again replaces it. From all of them the table
and the chart of docs/benchmarks.md are written anew.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import platform
import re
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import duckdb
import pygal
from pygal.style import CleanStyle

import kcb_pipeline.reporting.report.charts  # noqa: F401 -- takes away the importer of plugins that pygal leaves behind
from benchmarks.measure import CommandFailedError, Cost, run
from benchmarks.province import LAYOUTS, Province, write
from kcb_pipeline.engines.embedded import Limits, connect, rows
from kcb_pipeline.extracts.arrival import dates_in
from kcb_pipeline.extracts.delivery import Delivery, find_delivery
from kcb_pipeline.extracts.encodings import utf8
from kcb_pipeline.reporting import svg

_DOCS: Final = Path(__file__).parent.parent / "docs"
_RESULTS, _CHART, _DOCUMENT = _DOCS / "province.json", _DOCS / "province.svg", _DOCS / "benchmarks.md"
_BEGIN, _END = "<!-- province: begin -->", "<!-- province: end -->"
_SIZES: Final = {"100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
_DATE: Final = dt.date(2026, 11, 18)
_RULES: Final = "[matching]\nweigh_settled = false\n"
"""What docs/configuration.md tells a province to save."""
_GOAL: Final = {"csv": 360.0, "parquet": 180.0}
_GOAL_GIB, _GOAL_RATIO, _GOAL_EXPONENT = 8.0, 3.0, 1.05


@dataclass(frozen=True, slots=True)
class Night:
    """One measured night: of how many children, in which format, under which memory limit; its cost and that of DuckDB alone."""

    children: int
    kind: str
    memory: str
    on: str
    rows: int
    megabytes: float
    load: float
    cost: Cost
    raw: Cost
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Night:
        """As it was kept."""
        return cls(**{**kept, "cost": Cost(**kept["cost"]), "raw": Cost(**kept["raw"])})

    @property
    def which(self) -> tuple[int, str, str]:
        """What tells it from others."""
        return self.children, self.kind, self.memory


def _limits(memory: str, temporary: Path) -> Limits:
    return Limits(memory=memory, threads=len(os.sched_getaffinity(0)), temporary=temporary)


def delivery_of(home: Path) -> Delivery:
    [date] = dates_in(home / "extracts")
    return find_delivery(home / "extracts" / str(date), date, digest=lambda _: "0" * 64)


def read_raw(home: Path, work: Path, memory: str) -> None:
    """What DuckDB does alone, in this process: every file read, the two registers joined."""
    with connect(None, _limits(memory, work)) as connection:
        for source, files in delivery_of(home).files.items():
            paths = [work / source / file.path.name for file in files]
            paths = [there if there.exists() else file.path for there, file in zip(paths, files, strict=True)]
            connection.execute(
                f"COPY (SELECT * FROM {_reading(source, paths)}) TO '{work / source}.parquet' (FORMAT parquet, COMPRESSION snappy)"
            )
        numbers = (
            _column(connection, work / f"{source}.parquet", ("id_number", "GMSFHM", "身份证件号"))
            for source in ("population", "student_registry")
        )
        left, right = (f"(SELECT {name} AS number FROM '{path}')" for name, path in numbers)
        rows(connection, f"SELECT count(*) FROM {left} p JOIN {right} s ON s.number = p.number")


def _column(connection: duckdb.DuckDBPyConnection, path: Path, names: tuple[str, ...]) -> tuple[str, Path]:
    there = [name for name, *_ in rows(connection, f"DESCRIBE SELECT * FROM '{path}'")]
    found = next(name for name in there if name.strip("★") in names)
    return f'"{found}"', path


def _reading(source: str, paths: list[Path]) -> str:
    listed = ", ".join(f"'{path}'" for path in paths)
    if paths[0].suffix == ".parquet":
        return f"read_parquet([{listed}])"
    layout = LAYOUTS[source]
    with paths[0].open(encoding="utf-8-sig", newline="") as file:
        names = file.readline().rstrip("\r\n").split(layout.separator)
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    delimiter, line_end = (mark.encode("unicode_escape").decode() for mark in (layout.separator, layout.newline))
    return (
        f"read_csv([{listed}], delim=E'{delimiter}', quote='\"', escape='\"', header=true, new_line='{line_end}', auto_detect=false, "
        f"columns={{{columns}}}, ignore_errors=true)"
    )


def bring_to_utf8(delivery: Delivery, work: Path) -> None:
    for source, files in delivery.files.items():
        for file in files:
            if file.path.suffix == ".csv" and "gb18030" in file.open().form:
                (work / source).mkdir(exist_ok=True)
                with file.path.open("rb") as coming, (work / source / file.path.name).open("wb") as going:
                    while lines_ := coming.readlines(1 << 24):
                        going.write(utf8(b"".join(lines_), "gb18030"))


def measured(children: int, kind: str, memory: str, folder: Path, ready: Path | None) -> Night:
    """Run one night in a folder, and DuckDB on the same files. ready: a home whose extracts are those of such a province already."""
    home = folder / "home"
    home.mkdir()
    if ready is None:
        write(Province(home, children, _DATE, kind))
    else:
        (home / "extracts").symlink_to((ready / "extracts").resolve())
    (home / "kcb.toml").write_text(f'{_RULES}\n[storage]\nmemory_limit = "{memory}"\n', encoding="utf-8")
    delivery, load = delivery_of(home), os.getloadavg()[0]
    size = sum(file.size for files in delivery.files.values() for file in files)
    cost = run([sys.executable, "-m", "kcb_pipeline.cli", "run", "--home", str(home), "--date", str(_DATE)])
    seconds = json.loads((home / "work" / "step_seconds.json").read_text(encoding="utf-8"))
    with connect(home / "published" / "ledgers.duckdb", _limits(memory, folder), read_only=True) as connection:
        [(read,)] = rows(connection, "SELECT sum(read) FROM row_accounts")
    with tempfile.TemporaryDirectory(dir=folder) as raw:
        bring_to_utf8(delivery, Path(raw))
        command = [
            sys.executable,
            "-m",
            "benchmarks.province_night",
            "--raw",
            str(home),
            "--work",
            raw,
            "--memory",
            memory,
        ]
        run(command)
        alone = Cost(**json.loads((Path(raw) / "cost.json").read_text(encoding="utf-8")))
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    return Night(children, kind, memory, today, int(read), size / 1e6, load, cost, alone, seconds)


# -- what is written -----------------------------------------------------------------------------------------------


_COLUMNS: Final = (
    "children", "format", "memory_limit", "rows read", "GB", "wall s", "cpu s", "peak GiB", "DuckDB: wall s, cpu s", "ratio wall", "ratio cpu",
    "load before", "on",
)  # fmt: skip

_GROUPS: Final = {
    "delivery looked at": ("delivery",),
    "landing": ("landed_",),
    "standard keys": ("standard_keys",),
    "persons": ("persons",),
    "children recognised": ("children",),
    "links": ("links",),
    "evidence, attendance": ("attributed_evidence", "attendance"),
    "statuses": ("child_statuses", "poverty_dropouts"),
    "cases": ("cases", "decisions"),
    "draft": ("draft_version",),
    "publication, papers": ("published_version",),
    "analytics": ("analytics_draft", "published_analytics"),
    "gates": ("gate_",),
}


def _group(step: str) -> str:
    name = "gate_" if step.startswith("gate") or "gates" in step else step
    return next((group for group, begins in _GROUPS.items() if name.startswith(begins)), "other")


def _section(nights: list[Night]) -> str:
    machine = f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    lines_ = [
        f"{machine}. `[matching] weigh_settled = false`. The first night of a province: every child and every case is new.",
        "",
        _table(_COLUMNS, [_cells(night) for night in nights]),
        "",
        "Seconds of the clock by stage:",
        "",
        _stages(nights),
        "",
        *(f"- {line}" for line in against_goals(nights)),
        "",
        f"![Seconds for each million children, by size of the province]({_CHART.name})",
    ]
    return "\n".join(lines_)


def _table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *body))


def _cells(night: Night) -> tuple[str, ...]:
    cost, raw = night.cost, night.raw
    return (
        f"{night.children:,}", night.kind, night.memory, f"{night.rows:,}", f"{night.megabytes / 1000:.2f}", f"{cost.wall:.0f}", f"{cost.cpu:.0f}",
        f"{cost.peak_gib:.1f}", f"{raw.wall:.1f}, {raw.cpu:.1f}", f"{cost.wall / raw.wall:.1f}", f"{cost.cpu / raw.cpu:.1f}", f"{night.load:.1f}",
        night.on,
    )  # fmt: skip


def _stages(nights: list[Night]) -> str:
    head = ("stage", *(f"{night.children:,} {night.kind} {night.memory}" for night in nights))
    body = []
    for group in (*_GROUPS, "other"):
        spent = [sum(s for step, s in night.seconds.items() if _group(step) == group) for night in nights]
        if any(spent):
            body.append((group, *(f"{seconds:.1f}" for seconds in spent)))
    started = [night.cost.wall - sum(night.seconds.values()) for night in nights]
    body.append(("start and end", *(f"{seconds:.1f}" for seconds in started)))
    return _table(head, body)


def against_goals(nights: list[Night]) -> list[str]:
    """What is short of its goal and by how much, in words, from the figures."""
    said = []
    for night in nights:
        what = f"{night.children:,} children, {night.kind}, {night.memory}"
        goal = _GOAL[night.kind] * night.children / max(_SIZES.values())
        ratio, gib = night.cost.wall / night.raw.wall, night.cost.peak_gib
        if night.children == max(_SIZES.values()):
            said.append(f"{what}: {night.cost.wall:.0f} s, goal {goal:.0f} s: {_held(night.cost.wall / goal)}.")
        said.append(f"{what}: {ratio:.1f} times DuckDB alone, goal {_GOAL_RATIO:g}: {_held(ratio / _GOAL_RATIO)}.")
        said.append(f"{what}: peak memory {gib:.1f} GiB, goal {_GOAL_GIB:g}: {_held(gib / _GOAL_GIB)}.")
    for kind in _GOAL:
        by_size = sorted(
            (night for night in nights if night.kind == kind and night.memory == nights[0].memory),
            key=lambda n: n.children,
        )
        if len(by_size) > 1:
            first, last = by_size[0], by_size[-1]
            grown = math.log(last.children / first.children)
            wall, cpu = (
                math.log(getattr(last.cost, clock) / getattr(first.cost, clock)) / grown for clock in ("wall", "cpu")
            )
            said.append(
                f"{kind}, from {first.children:,} to {last.children:,} children: time grows as n^{wall:.2f} (processor n^{cpu:.2f}), "
                f"goal n^{_GOAL_EXPONENT}: {_held(1 + wall - _GOAL_EXPONENT if wall > _GOAL_EXPONENT else 1)}."
            )
    return said


def _held(times: float) -> str:
    return "held" if times <= 1 else f"short of it by a factor of {times:.1f}"


def _write(nights: list[Night]) -> None:
    text = _DOCUMENT.read_text(encoding="utf-8")
    before, found, rest = text.partition(_BEGIN)
    _, closed, after = rest.partition(_END)
    if not found or not closed:
        raise click.ClickException(f"{_DOCUMENT.name} has lost the marks {_BEGIN} and {_END}")
    _RESULTS.write_text(json.dumps([asdict(night) for night in nights], indent=1) + "\n", encoding="utf-8")
    sizes = sorted({night.children for night in nights})
    series = {
        f"{kind}, {memory}": [
            next((n.cost.wall / n.children * 1e6 for n in nights if n.which == (size, kind, memory)), None)
            for size in sizes
        ]
        for kind, memory in sorted({(night.kind, night.memory) for night in nights})
    }
    _CHART.write_text(lines([f"{size:,}" for size in sizes], series), encoding="utf-8")
    _DOCUMENT.write_text(f"{before}{_BEGIN}\n{_section(nights)}\n{_END}{after}", encoding="utf-8")


def lines(labels: list[str], series: dict[str, list[float | None]]) -> str:
    """Lines over the sizes: level ones are what grows with the children and no faster."""
    highest = max(value for values in series.values() for value in values if value is not None)
    chart = pygal.Line(
        style=CleanStyle(font_family=svg.FONT.replace("'", '"'), background="#ffffff", plot_background="#ffffff"),
        width=720, height=360, range=(0, highest * 1.1), x_labels=labels, js=(), dots_size=4, legend_at_bottom=True, allow_interruptions=True,
        x_title="children", y_title="seconds for each million children", disable_xml_declaration=True, pretty_print=True,
    )  # fmt: skip
    for name, values in series.items():
        chart.add(name, values)
    chart.uuid = "province"
    return re.sub(r"<!--.*?-->|/\*.*?\*/", "", str(chart.render(is_unicode=True)), flags=re.DOTALL) + "\n"


def _known() -> list[Night]:
    return [Night.of(kept) for kept in json.loads(_RESULTS.read_text(encoding="utf-8"))] if _RESULTS.exists() else []


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.argument("sizes", nargs=-1, type=click.Choice(list(_SIZES)))
@click.option(
    "--format", "kinds", multiple=True, type=click.Choice(list(_GOAL)), default=list(_GOAL), show_default=True
)
@click.option("--memory", default="6GB", show_default=True, help="memory_limit of the night and of DuckDB alone.")
@click.option("--ready", type=click.Path(exists=True, path_type=Path), help="A home with such extracts already, of one size and format.")  # fmt: skip
@click.option("--folder", type=click.Path(exists=True, path_type=Path), help="Where homes are made meanwhile; the largest needs 40 GB.")  # fmt: skip
@click.option("--document/--no-document", default=True, help="Whether docs/benchmarks.md is rewritten.")
@click.option("--raw", type=click.Path(path_type=Path), hidden=True)
@click.option("--work", type=click.Path(path_type=Path), hidden=True)
def main(
    *,
    sizes: tuple[str, ...],
    kinds: tuple[str, ...],
    memory: str,
    ready: Path | None,
    folder: Path | None,
    document: bool,
    raw: Path | None,
    work: Path | None,
) -> None:
    """Measure nights of these sizes, one after the other."""
    if raw is not None and work is not None:
        wall, cpu = time.perf_counter(), time.process_time()
        read_raw(raw, work, memory)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu  # of the statements: its imports are ours
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        (work / "cost.json").write_text(json.dumps(asdict(Cost(wall, cpu, peak))), encoding="utf-8")
        return
    nights = {night.which: night for night in _known()}
    click.echo(_table(_COLUMNS, []))
    for size in sizes:
        for kind in kinds:
            with tempfile.TemporaryDirectory(prefix="kcb-province-", dir=folder) as made:
                try:
                    night = measured(_SIZES[size], kind, memory, Path(made), ready)
                except CommandFailedError as error:
                    raise click.ClickException(f"{size} {kind}: {error}") from None
            nights[night.which] = night
            click.echo(f"| {' | '.join(_cells(night))} |")
    found = [nights[which] for which in sorted(nights)]
    click.echo("\n" + _section(found))
    if document:
        _write(found)


if __name__ == "__main__":
    main()
