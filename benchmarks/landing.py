"""What landing costs, beside what DuckDB needs to read the same files: `python -m benchmarks.landing HOME...` prints a table.

HOME is a home of `benchmarks.province`. Measured are the population, the student registry and the standard keys of both, as a night does
them, each in a process of its own (imports included); and DuckDB reading the same files, all cells as text and with every setting of the
dialect given, into one Parquet file. It knows no GB18030, so it is given those files in UTF-8. Both may use all cores and 2 GB.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import click
import duckdb

from benchmarks.measure import Cost, run
from kcb_pipeline.engines.embedded import Limits, connect, rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.extracts.arrival import dates_in
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.delivery import Delivery, find_delivery
from kcb_pipeline.extracts.encodings import utf8
from kcb_pipeline.extracts.landing import land
from kcb_pipeline.identity.standardise import standardise_population, standardise_registry

LIMITS: Final = Limits(memory="2GB", threads=len(os.sched_getaffinity(0)))
SOURCES: Final = ("population", "student_registry")
_COLUMNS: Final = (
    "extracts", "what", "rows", "GB", "wall s", "cpu s", "peak GiB", "DuckDB: wall s, cpu s", "ratio wall", "ratio cpu", "load before",
)  # fmt: skip


def _delivery(home: Path) -> Delivery:
    date = dates_in(home / "extracts")[-1]
    return find_delivery(
        home / "extracts" / str(date), date, digest=lambda _: "0" * 64
    )  # a night has read them once before


def _workspace(home: Path, work: Path) -> Workspace:
    return Workspace(work, dates_in(home / "extracts")[-1], LIMITS)


def measure_stage(stage: str, home: Path, work: Path) -> None:
    """One stage, in this process."""
    workspace = _workspace(home, work)
    if stage == "keys":
        standardise_population(workspace)
        standardise_registry(workspace)
    elif stage in sources():
        land(workspace, _delivery(home), sources()[stage])
    else:
        _read_raw(_delivery(home), stage.removeprefix("raw "), work)


def _read_raw(delivery: Delivery, source: str, work: Path) -> None:
    """DuckDB's own reading of a source into a Parquet file."""
    paths = [
        path if (path := work / "utf-8" / file.path.name).exists() else file.path for file in delivery.files[source]
    ]
    listed = ", ".join(f"'{path}'" for path in paths)
    read = f"read_parquet([{listed}])"
    if paths[0].suffix == ".csv":
        with paths[0].open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
        line_end = "\\r\\n" if header.endswith("\r\n") else "\\n"
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in header.rstrip("\r\n").split(","))
        read = (
            f"read_csv([{listed}], delim=',', quote='\"', escape='\"', header=true, new_line='{line_end}', auto_detect=false, "
            f"columns={{{columns}}}, ignore_errors=true)"
        )
    with connect(None, LIMITS) as connection:
        connection.execute(
            f"COPY (SELECT * FROM {read}) TO '{work / 'raw.parquet'}' (FORMAT parquet, COMPRESSION snappy)"
        )


def _measured(stage: str, home: Path, work: Path) -> tuple[Cost, float]:
    load = os.getloadavg()[0]
    return run([sys.executable, "-m", "benchmarks.landing", "--stage", stage, str(home), "--work", str(work)]), load


def _bring_to_utf8(delivery: Delivery, work: Path) -> None:
    (work / "utf-8").mkdir()
    for file in (file for source in SOURCES for file in delivery.files[source]):
        if "gb18030" in file.open().form:
            (work / "utf-8" / file.path.name).write_bytes(utf8(file.path.read_bytes(), "gb18030"))


@click.command()
@click.argument("homes", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--stage", hidden=True)
@click.option("--work", type=click.Path(path_type=Path), hidden=True)
def main(homes: tuple[Path, ...], stage: str | None, work: Path | None) -> None:
    """Measure landing and standard keys of every home, beside DuckDB's raw reading, and print a table."""
    if stage is not None and work is not None:
        measure_stage(stage, homes[0], work)
        return
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {LIMITS.threads} cores, DuckDB {duckdb.__version__}.\n")
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for home in homes:
        with tempfile.TemporaryDirectory(prefix="kcb-landing-", dir=home) as folder:
            _measure_home(home, Path(folder))


def _measure_home(home: Path, work: Path) -> None:
    delivery = _delivery(home)
    _bring_to_utf8(delivery, work)
    kind = delivery.files[SOURCES[0]][0].path.suffix.removeprefix(".")
    ours, raw, loads, total, size = [], [], [], 0, 0
    land(_workspace(home, work), delivery, sources()["residents"])  # whose keys stand beside those of the population
    for source in SOURCES:
        cost, load = _measured(source, home, work)
        rival, _ = _measured(f"raw {source}", home, work)
        with _workspace(home, work).connect(read_only=True) as connection:
            [(read,)] = rows(connection, f"SELECT sum(read) FROM landed.files WHERE source = '{source}'")
        bytes_read = sum(file.size for file in delivery.files[source])
        _print(kind, source, read, bytes_read, cost, rival, load)
        ours.append(cost)
        raw.append(rival)
        loads.append(load)
        total, size = total + read, size + bytes_read
    keys, load = _measured("keys", home, work)
    _print(kind, "standard keys", total, 0, keys, None, load)
    _print(kind, "together", total, size, _sum([*ours, keys]), _sum(raw), max(*loads, load))


def _sum(costs: list[Cost]) -> Cost:
    return Cost(sum(c.wall for c in costs), sum(c.cpu for c in costs), max(c.peak_bytes for c in costs))


def _print(kind: str, what: str, read: int, size: int, cost: Cost, raw: Cost | None, load: float) -> None:
    beside = (
        (f"{raw.wall:.1f}, {raw.cpu:.1f}", f"{cost.wall / raw.wall:.2f}", f"{cost.cpu / raw.cpu:.2f}")
        if raw
        else ("", "", "")
    )
    cells = (
        kind, what, f"{read:,}", f"{size / 1e9:.2f}" if size else "", f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak_gib:.2f}",
        *beside, f"{load:.1f}",
    )  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
