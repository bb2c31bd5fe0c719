"""The charts of one night's linkage, from the working file and the model it keeps."""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import frame, has_table, rows, scalar
from kcb_pipeline.errors import UsageError
from kcb_pipeline.home import Home
from kcb_pipeline.matching.linkage import orphaned_share
from kcb_pipeline.matching.model import Model
from kcb_pipeline.matching.potential import best_weights
from kcb_pipeline.matching.registers import register_frames, register_settings, register_sizes
from kcb_pipeline.matching.settings import Settings
from kcb_pipeline.reporting import charts
from kcb_pipeline.reporting.charts import Level, Mark, Panel, Rule, Step
from kcb_pipeline.reporting.linkage_words import DECISIONS, comparison_words, level_words, rule_words
from kcb_pipeline.reporting.svg import AMBER, BLUE, DEEP, GREY, RED, TEAL, picture

CHARTS: Final = ("match-weights", "m-and-u", "blocking", "unlinkables", "waterfall")

_MOST_RECORDS: Final = 100_000
"""Records of each side whose potential is drawn: every k-th of a larger register."""


def linkage_charts(
    home: Home, on: dt.date, *, child_id: str | None = None, only: Collection[str] = CHARTS
) -> dict[str, str]:
    """The charts of a date's linkage as SVG, by name. The waterfall is of the child's best pair, else of the last pair linked by weight.

    Raises UsageError where the date has no working file, or the child no pair.
    """
    workspace = home.workspace(on)
    if not workspace.database.exists():
        raise UsageError(f"{on} has not been run, or its working files have been erased")
    settings = register_settings(on, home.config().matching)
    with workspace.connect(read_only=True) as connection:
        if not has_table(connection, "matched", "model"):
            raise UsageError(f"{on} has not been linked yet")
        model = Model.from_json(str(scalar(connection, "SELECT model FROM matched.model")))
        draw: dict[str, Callable[[], str | None]] = {
            "match-weights": lambda: _weights(connection),
            "m-and-u": lambda: model_levels(settings, model),
            "blocking": lambda: _blocking(frame(connection, "SELECT * FROM matched.blocking")),
            "unlinkables": lambda: _unlinkables(connection, settings, model),
            "waterfall": lambda: _waterfall(_pair(connection, child_id), settings, _lowest(connection, "linked")),
        }
        drawn = {name: draw[name]() for name in CHARTS if name in only}
    return {name: chart for name, chart in drawn.items() if chart is not None}


def _weights(connection: duckdb.DuckDBPyConnection) -> str:
    # There are as many pairs as children: they are counted where they are.
    counted = rows(
        connection,
        "SELECT decision, method = 'probabilistic', floor(match_weight)::INTEGER, count(*) FROM matched.links GROUP BY ALL ORDER BY ALL",
    )

    def of(decision: str, *, by_weight: bool | None = None) -> dict[int, int]:
        counts: dict[int, int] = {}
        for decided, weighed, weight, count in counted:
            if decided == decision and by_weight in (None, weighed):
                counts[weight] = counts.get(weight, 0) + count
        return counts

    linked, review, rejected = DECISIONS.values()
    panels = (
        Panel(linked, "linked", (("键定或人工核定 by key or a person", DEEP, of("linked", by_weight=False)), ("按权重 by weight", BLUE, of("linked", by_weight=True)))),
        Panel(review, "in doubt", (("待核 in doubt", AMBER, of("review")),)),
        Panel(rejected, "near misses", (("未采用的近似候选 near misses", GREY, of("rejected")),)),
    )  # fmt: skip
    marks = []
    for decision, words, colour in (
        ("linked", "最低认定 lowest linked", TEAL),
        ("review", "最低待核 lowest in doubt", RED),
    ):
        lowest = _lowest(connection, decision)
        if lowest is not None:
            marks.append(Mark(lowest, f"{words} {lowest:.1f}", colour))
    return charts.weight_distribution(panels, marks)


def _lowest(connection: duckdb.DuckDBPyConnection, decision: str) -> float | None:
    """The lowest weight at which a weighed pair got this decision: where the threshold came to lie that night."""
    least = "SELECT min(match_weight) FROM matched.links WHERE decision = ? AND method = 'probabilistic'"
    found: float | None = scalar(connection, least, [decision])
    return found


def model_levels(settings: Settings, model: Model) -> str:
    """m, u and weight of every level of a model."""
    levels = [
        Level(comparison_words(c.name), level_words(c.name, place, label), label, model.m[c.name][place], model.u[c.name][place])
        for c in settings.comparisons
        for place, label in enumerate(c.labels)
    ]  # fmt: skip
    return charts.levels_chart(levels)


def _blocking(report: pl.DataFrame) -> str:
    return charts.blocking_gains(
        [
            Rule(rule_words(row["rule"]), row["pairs"], row["new_pairs"], row["capped_pairs"])
            for row in report.iter_rows(named=True)
        ]
    )


def _unlinkables(connection: duckdb.DuckDBPyConnection, settings: Settings, model: Model) -> str:
    sides: dict[str, list[float]] = {}
    sizes = register_sizes(connection)
    orphaned = orphaned_share(settings, model, *sizes)
    persons, students = (max(math.ceil(size / _MOST_RECORDS), 1) for size in sizes)
    for words, some in zip(
        ("人口（户籍、流动）", "学籍"), register_frames(connection, every=(persons, students)), strict=True
    ):
        sides[words] = best_weights(some, settings, model, orphaned=orphaned).tolist()
    probability = settings.link_probability
    return charts.unlinkables(sides, math.log2(probability) - math.log2(1 - probability))


def _pair(connection: duckdb.DuckDBPyConnection, child_id: str | None) -> dict[str, Any] | None:
    """The pair whose weights are shown: a child's best, or the linked one of least weight."""
    if child_id is not None:
        mine = connection.sql(
            "SELECT * FROM matched.links WHERE person IN (SELECT person FROM standard.children WHERE child_id = ?) "
            "ORDER BY match_weight DESC, student LIMIT 1",
            params=[child_id],
        ).pl()
        if mine.is_empty():
            raise UsageError(f"no candidate was kept for the child {child_id} on that date")
        return mine.row(0, named=True)
    weighed = frame(
        connection,
        "SELECT * FROM matched.links WHERE method = 'probabilistic' AND decision = 'linked' ORDER BY match_weight, person, student LIMIT 1",
    )
    return weighed.row(0, named=True) if weighed.height else None


def _waterfall(pair: dict[str, Any] | None, settings: Settings, threshold: float | None) -> str | None:
    if pair is None:
        return None
    steps = [Step(comparison_words("prior"), "", pair["w_prior"])]
    for comparison in settings.comparisons:
        level = int(pair[f"level_{comparison.name}"])
        weight = float(pair[f"w_{comparison.name}"])
        words = "缺项" if level < 0 else level_words(comparison.name, level, comparison.labels[level])
        if level >= 0 and weight == 0:
            words += "（已包含在其他证据中）"
        steps.append(Step(comparison_words(comparison.name), words, weight))
    known = {"w_prior", *(f"w_{comparison.name}" for comparison in settings.comparisons)}
    steps += [
        Step(comparison_words(name.removeprefix("w_")), "", float(weight))
        for name, weight in pair.items()
        if name.startswith("w_") and name not in known
    ]
    return charts.waterfall(
        steps, decision=DECISIONS[pair["decision"]], probability=pair["probability"], threshold=threshold
    )


# -- files -------------------------------------------------------------------------------------------------------------


def write_charts(found: dict[str, str], out: Path) -> tuple[list[Path], bool]:
    """Write the charts into a folder as SVG, and as PNG where this machine can draw Chinese; the files, and whether it could."""
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    png = _can_draw_chinese()
    written = []
    for name, drawing in found.items():
        written.append(_write(out / f"{name}.svg", drawing.encode()))
        if png:
            written.append(_write(out / f"{name}.png", render(drawing)))
    return written, png


def render(drawing: str) -> bytes:
    """A chart as PNG, twice its size, with the fonts of this machine."""
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=drawing, zoom=2))


def _can_draw_chinese() -> bool:
    """Whether the renderer is installed and the machine has a Chinese font: without one every character is the same blank."""
    try:
        shown = [render(picture(60, 80, character, "", ())) for character in ("比", "对")]
    except ImportError:
        return False
    return shown[0] != shown[1]


def _write(path: Path, content: bytes) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    path.chmod(0o600)
    return path
