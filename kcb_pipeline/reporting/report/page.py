"""`report.html`: one page a version, for leaders and auditors. It loads nothing, runs nothing, and names nobody."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import Any, Final

import duckdb
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kcb_pipeline.config import Matching
from kcb_pipeline.engines.embedded import named_rows, rows
from kcb_pipeline.gates import SUITES
from kcb_pipeline.matching.model import Model
from kcb_pipeline.matching.registers import register_settings
from kcb_pipeline.reporting.bulletin import DROPOUT, NO_TOWNSHIP, STANDINGS, SUSPECTED, Bulletin
from kcb_pipeline.reporting.linkage_charts import model_levels
from kcb_pipeline.reporting.paper import Paper
from kcb_pipeline.reporting.report import charts, words
from kcb_pipeline.reporting.report.charts import Interval
from kcb_pipeline.reporting.report.counts import MOST_DATES, SOON_DAYS, Count, Findings, count
from kcb_pipeline.reporting.report.words import Words
from kcb_pipeline.reporting.suppression import suppress

NAME: Final = "report.html"
HEAT_STEPS: Final = 6
MOST_GROUPS: Final = 12
LEAST_LINKS: Final = 500
"""Groups of one kind whose match quality is drawn: the largest, if they have links enough for an estimate to say anything."""
_AMBER, _RED, _BLUE, _SLATE = "#c77d0a", "#b3382c", "#2b6c99", "#7d8a97"
_DIGITS: Final = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_OBSERVED: Final = re.compile(rf"(?P<name>\w+) (?P<low>{_DIGITS})(?: to (?P<high>{_DIGITS}))?")
_RATIOS: Final = ("share", "limit", "loss", "gain", "rate", "least", "drift", "before")
"""Last words of the names of facts that are no counts, or were the count of a version that said so itself."""


@dataclass(frozen=True, slots=True)
class Township:
    """One township's row: its name, counts, and how dark its cell is (None where that is hidden)."""

    name: str
    children: Count
    standings: list[Count]
    cases: list[Count]
    share: float | None
    heat: int | None


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's result as the page shows it."""

    words: Words
    severity: str
    passed: bool
    observed: str


def report(connection: duckdb.DuckDBPyConnection, version: int, smallest: int) -> Paper:
    """The report of a version of the published file behind `connection`; counts from 1 to below `smallest` are hidden."""
    [header] = named_rows(connection, "SELECT * FROM ledger_versions WHERE version = ?", [version])
    bases = named_rows(connection, _BASE, [header["base_version"]])
    found = count(connection, version, header["base_version"], smallest)
    townships = _townships(found.bulletin)
    checks = _gates(connection, version, found, smallest)
    page = _environment().get_template("page.html.j2")
    base = bases[0] if bases else None
    text = page.render(
        t=words.PAGE, words=words, header=header, base=base, found=found, before=_before(found, base),
        totals=[found.standing(place) for place in range(len(STANDINGS))], standings=list(STANDINGS),
        suspected=SUSPECTED, dropout=DROPOUT, soon_days=SOON_DAYS, most_dates=MOST_DATES, least_links=LEAST_LINKS, smallest=smallest,
        townships=townships, whole_cases=_whole_cases(found.bulletin), heat_steps=HEAT_STEPS, no_township=NO_TOWNSHIP,
        shares=[one.share for one in townships if one.share is not None],
        gates=checks, gates_passed=sum(one.passed for some in checks.values() for one in some),
        gates_all=sum(map(len, checks.values())), trend=_trend(found), grades=_grades(found),
        quality=_quality(connection, version, smallest), model=_model(connection, version, header["comparison_date"]),
    )  # fmt: skip
    return Paper(NAME, text.encode())


_BASE: Final = "SELECT version, comparison_date FROM ledger_versions WHERE version = ?"


# -- the template's words and numbers ----------------------------------------------------------------------------------


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("kcb_pipeline.reporting", "report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {
        "say": say,
        "n": number,
        "percent": percent,
        "estimated": estimated,
        "mille": mille,
        "svg": Markup,
    }
    return environment


def say(one: Words, **values: object) -> Markup:
    """Words in both languages, of which the page shows one. Values may be markup; anything else is escaped."""
    zh, en = (Markup(text).format(**values) if values else escape(text) for text in one)  # noqa: S704 (our own words)
    return Markup('<span lang="zh-CN">{}</span><span lang="en">{}</span>').format(zh, en)


def number(value: Count) -> str | Markup:
    """A count with its thousands apart, or the sign of a hidden one."""
    return Markup('<span class="hid">*</span>') if value is None else f"{value:,}"


def percent(value: float | None, places: int = 2) -> str | Markup:
    """A share in percent. One that is not whole never reads as 100 %."""
    if value is None:
        return number(None)
    written = f"{value * 100:.{places}f}"
    if value < 1 and float(written) == 100:
        return f"> {100 - 10**-places:.{places}f} %"
    return f"{written} %"


def estimated(value: float) -> str | Markup:
    """An estimated share in percent: nothing estimated is certain, so it never reads as 100 %."""
    return percent(min(value, 1 - 1e-12), 3)


def mille(part: Count, whole: Count) -> str | Markup:
    """A part in a thousand of the whole."""
    return number(None) if part is None or whole is None or not whole else f"{part / whole * 1000:.1f} ‰"


# -- parts of the page -------------------------------------------------------------------------------------------------


def _before(found: Findings, base: dict[str, Any] | None) -> tuple[Count, Count]:
    """Suspected and dropped-out children of the base version."""
    for date in found.trend:
        if base is not None and date.day == base["comparison_date"]:
            return date.suspected, date.dropouts
    return None, None


def _townships(found: Bulletin) -> list[Township]:
    hidden, hidden_cases = found.hidden_standings, found.hidden_cases
    entries = []
    for place, (_, _, name) in enumerate(found.townships):
        counts = found.standings[place]
        standings = _shown(counts, hidden.cells[place])
        total = None if hidden.rows[place] else int(counts.sum())
        flagged = (
            None if None in (standings[SUSPECTED], standings[DROPOUT]) else int(counts[[SUSPECTED, DROPOUT]].sum())
        )
        share = None if flagged is None or not total else flagged / total
        cases = _shown(found.cases[place], hidden_cases.cells[place])
        entries.append(Township(name, total, standings, cases, share, None))
    highest = max((one.share for one in entries if one.share is not None), default=0) or 1
    return [one if one.share is None else replace(one, heat=_heat(one.share / highest)) for one in entries]


def _heat(part: float) -> int:
    """How dark a cell is whose share is a part of the highest; only nobody at all is 0."""
    return min(int(part * HEAT_STEPS) + 1, HEAT_STEPS) if part else 0


def _whole_cases(found: Bulletin) -> list[Count]:
    return _shown(found.cases.sum(axis=0), found.hidden_cases.columns)


def _shown(counts: Any, hidden: Any) -> list[Count]:
    return [None if mask else int(one) for one, mask in zip(counts, hidden, strict=True)]


def _trend(found: Findings) -> list[tuple[Words, str, str]]:
    """Two charts with their words and colours; none where there is one date only."""
    if len(found.trend) < 2:
        return []
    spans_years = found.trend[0].day.year != found.trend[-1].day.year
    days = [f"{date.day:%Y-%m-%d}" if spans_years else f"{date.day:%m-%d}" for date in found.trend]
    suspected = charts.line_over_dates("trend-suspected", days, [one.suspected for one in found.trend], _AMBER)
    dropouts = charts.line_over_dates("trend-dropouts", days, [one.dropouts for one in found.trend], _RED)
    return [
        (words.PAGE["suspected_number"], suspected, "suspected"),
        (words.PAGE["dropout_number"], dropouts, "dropout"),
    ]


def _grades(found: Findings) -> str | None:
    if found.grades is None:
        return None
    rates = [
        None if one.flagged is None or not one.children else one.flagged / one.children * 1000 for one in found.grades
    ]
    return charts.bars("grades", [str(one.grade) for one in found.grades], rates, _AMBER, "‰")


def _gates(
    connection: duckdb.DuckDBPyConnection, version: int, found: Findings, smallest: int
) -> dict[str, list[Gate]]:
    """The gates by suite. What they observed is counts of the whole, hidden as everywhere: small ones, and all that could tell others."""
    suites: dict[str, list[Gate]] = {suite: [] for suite in SUITES}
    for name, severity, passed, observed, expected in rows(connection, _CHECKS, [version]):
        suite = name.split(".")[0]
        about_children = suite in ("matching", "status", "ledgers")
        hides_all = about_children and found.hides_any
        told = _OBSERVED.sub(functools.partial(_told, smallest=smallest, hides_all=hides_all), observed)
        suites[suite].append(Gate(Words(words.GATE.get(name, expected), expected), severity, passed, told))
    return {suite: some for suite, some in suites.items() if some}


_CHECKS: Final = "SELECT name, severity, passed, observed, expected FROM check_results WHERE version = ? ORDER BY name"


def _told(match: re.Match[str], *, smallest: int, hides_all: bool) -> str:
    """What a gate observed of one fact, with numbers hidden that have to be."""

    def shown(written: str) -> str:
        is_small = not match["name"].endswith(_RATIOS) and 0 < float(written) < smallest
        return "*" if float(written) and (hides_all or is_small) else written

    return f"{match['name']} " + " to ".join(shown(written) for written in match.group("low", "high") if written)


# -- match quality -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quality:
    """One group's estimates, with precision and recall as intervals."""

    name: Words
    links: int
    wrong: tuple[float, float, float]
    missed: tuple[float, float, float]
    precision: tuple[float, float, float]
    recall: tuple[float, float, float]


def _quality(connection: duckdb.DuckDBPyConnection, version: int, smallest: int) -> dict[str, Any] | None:
    """The estimates of the whole and of groups that are large enough, and their charts in each language."""
    kept = [_measured(row) for row in _large_enough(named_rows(connection, _QUALITY, [version]), smallest)]
    if not kept:
        return None
    drawn = {
        kind: {
            language: charts.intervals(
                f"{kind}-{language}",
                [
                    Interval(getattr(one.name, language), *(10_000 * value / one.links for value in getattr(one, kind)))
                    for one in kept
                    if one.links
                ],
                colour,
            )
            for language in Words._fields
        }
        for kind, colour in (("wrong", _BLUE), ("missed", _SLATE))
    }
    return {"all": kept[0], "charts": drawn}


_QUALITY: Final = """
SELECT * FROM linkage_quality WHERE version = ? ORDER BY grouping <> 'all', grouping <> 'sex', grouping, links DESC, code NULLS LAST
"""


def _large_enough(groups: list[dict[str, Any]], smallest: int) -> list[dict[str, Any]]:
    """Groups whose number of links can be shown beside the sum of all: the largest of each grouping, none without a code."""
    import numpy as np

    kept = []
    for grouping in dict.fromkeys(row["grouping"] for row in groups):
        some = [row for row in groups if row["grouping"] == grouping]
        hidden = suppress(np.array([[row["links"] for row in some]], dtype=np.int64), smallest).cells[0]
        shown = [row for row, mask in zip(some, hidden, strict=True) if not mask]
        kept += [row for row in shown if grouping == "all" or (row["code"] and row["links"] >= LEAST_LINKS)][
            :MOST_GROUPS
        ]
    return kept


def _measured(row: dict[str, Any]) -> Quality:
    links, unblocked = row["links"], row["unblocked"] or 0.0
    right = links - row["false_links"]

    def precise(wrong: float) -> float:
        return 1 - wrong / links if links else 1.0

    def found(lost: float) -> float:
        return right / (right + lost + unblocked) if right + lost + unblocked else 1.0

    # Where hardly anything is expected the interval of a count is nought alone; shown beside an estimate it holds the estimate.
    wrong, missed = (
        (row[name], min(row[f"{name}_low"], row[name]), max(row[f"{name}_high"], row[name]))
        for name in ("false_links", "missed")
    )
    precision = (precise(wrong[0]), precise(wrong[2]), precise(wrong[1]))
    recall = (found(missed[0]), found(missed[2]), found(missed[1]))
    return Quality(_group(row["grouping"], row["code"]), links, wrong, missed, precision, recall)


def _group(grouping: str, code: str | None) -> Words:
    if grouping == "sex" and code in words.SEX:
        return words.SEX[code]
    if grouping == "ethnicity" and code in words.ETHNICITY:
        return words.ETHNICITY[code]
    return words.PAGE.get(f"group_{grouping}", Words(f"{grouping} {code}", f"{grouping} {code}")).with_values(code=code)


def _model(connection: duckdb.DuckDBPyConnection, version: int, day: Any) -> str | None:
    """m and u of the version's model, where this program knows the comparisons it was made with."""
    settings = register_settings(day, Matching())
    found = rows(
        connection, "SELECT comparisons, model FROM linkage_models WHERE version = ? ORDER BY settings", [version]
    )
    for comparisons, model in found:
        if comparisons == settings.shape:
            return model_levels(settings, Model.from_json(model))
    return None
