"""`python -m benchmarks.capacity 2000 20000 200000`: what a night of so many children costs here, as the table of docs/operations/capacity.md.

What belongs here: making a county of each size, running its nights as an operator does (`kcb run`), and looking at the clock, the
kernel's account and the folders afterwards. The load of the machine stands beside each row: a figure from a busy machine says so.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import sys
import tempfile
from pathlib import Path

import click
import duckdb

from benchmarks.measure import run

_FIRST = dt.date(2026, 11, 18)
_COLUMNS = (
    "children", "night", "rows read", "extracts MB", "wall s", "cpu s", "peak GiB", "work/ MB a date", "ledgers.duckdb MB",
    "version folder MB", "load before",
)  # fmt: skip


def _megabytes(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def _night(home: Path, children: int, number: int, date: dt.date) -> tuple[str, ...]:
    load = os.getloadavg()[0]
    cost = run([sys.executable, "-m", "kcb_pipeline.cli", "run", "--home", str(home), "--date", str(date)])
    ledgers = home / "published" / "ledgers.duckdb"
    with duckdb.connect(str(ledgers), read_only=True) as connection:
        found = connection.execute("SELECT sum(read) FROM row_accounts WHERE version = ?", [number]).fetchone()
    work = sum(_megabytes(path) for path in (home / "work").glob(f"{date}*"))
    return (
        f"{children:,}", str(number), f"{found[0] if found else 0:,}", f"{_megabytes(home / 'extracts' / str(date)):.1f}", f"{cost.wall:.0f}",
        f"{cost.cpu:.0f}", f"{cost.peak_gib:.2f}", f"{work:.0f}", f"{_megabytes(ledgers):.1f}",
        f"{_megabytes(home / 'published' / 'versions' / f'{number:06d}'):.1f}", f"{load:.1f}",
    )  # fmt: skip


@click.command()
@click.argument("sizes", nargs=-1, required=True, type=int)
@click.option("--nights", type=click.IntRange(1, 10), default=2, show_default=True, help="Nights of each county.")
def main(sizes: tuple[int, ...], nights: int) -> None:
    """Measure nights of counties of these many children, one after the other."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    for children in sizes:
        with tempfile.TemporaryDirectory(prefix="kcb-capacity-") as folder:
            home = Path(folder)
            arguments = ["--children", str(children), "--date", str(_FIRST), "--nights", str(nights)]
            run([sys.executable, "-m", "kcb_pipeline.cli", "sample", str(home), *arguments])
            for night in range(nights):
                cells = _night(home, children, night + 1, _FIRST + dt.timedelta(days=night))
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
