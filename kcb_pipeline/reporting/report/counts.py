"""What the report of a version says, in counts of which none from 1 up to the threshold is shown or follows from what is shown.

The tables of the report share their totals, so they are hidden together: the townships come first (`kcb_pipeline.reporting.bulletin`),
and whatever splits one of their totals further is shown only as far as that total is. Where two tables would have to be weighed against each
other, the lesser one is left out (`None`) and the page says so. A hidden count is `None`; a zero is nobody's secret and is shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl

from kcb_pipeline.engines.embedded import frame, rows
from kcb_pipeline.ledgers.cases import CLOSED_STATES, OPEN_STATES
from kcb_pipeline.reporting.bulletin import DROPOUT, STANDINGS, SUSPECTED, Bulletin, read_bulletin
from kcb_pipeline.reporting.statistics import INDICATORS
from kcb_pipeline.reporting.suppression import suppress
from kcb_pipeline.status.reasons import OUT_OF_SCHOOL, REASONS, STATUSES

Count = int | None
"""A count, or None where it is hidden."""

EXCUSED: Final = ("deferred", "on_leave", "needs_review")
"""Who is neither at school nor out of it."""
STAGES: Final = {"primary": range(1, 7), "junior_7_8": range(7, 9), "junior_9": range(9, 10)}
"""Grades by stage; the last one apart, because an indicator counts it alone."""
SOON_DAYS: Final = 7
MOST_DATES: Final = 60
"""Comparison dates of the trend."""
_BLOCK_OF: Final = {"primary_enrolment_rate": (0,), "retention_rate": (2,), "junior_retention_rate": (1, 2)}
"""Which stages an indicator is counted over."""


@dataclass(frozen=True, slots=True)
class Grade:
    """Children of one grade they should be in: how many, and how many of them are flagged."""

    grade: int
    ages: str
    stage: str
    children: Count
    flagged: Count


@dataclass(frozen=True, slots=True)
class Flow:
    """Children who moved from one standing to another since the base version."""

    before: str
    after: str
    children: Count


@dataclass(frozen=True, slots=True)
class Date:
    """One comparison date of the trend."""

    day: dt.date
    suspected: Count
    dropouts: Count


@dataclass(frozen=True, slots=True)
class Cases:
    """Cases by state and by when they are due."""

    open: Count
    overdue: Count
    soon: Count
    later: Count
    states: dict[str, Count]
    opened: Count
    closed: Count


@dataclass(frozen=True, slots=True)
class Figure:
    """An indicator of the whole."""

    code: str
    numerator: Count
    denominator: Count
    value: float | None
    target: float | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything the report counts. `children` are those of school age who have not departed."""

    bulletin: Bulletin
    eligible: Count
    departed: Count
    children: Count
    register_rows: int
    with_record: Count
    statuses: dict[str, Count]
    reasons: dict[str, Count]
    grades: list[Grade] | None
    flows: list[Flow] | None
    trend: list[Date]
    cases: Cases
    figures: list[Figure]
    hides_any: bool

    def standing(self, place: int) -> Count:
        """The total of one standing of the bulletin."""
        hidden = self.bulletin.hidden_standings
        return None if hidden.whole or hidden.columns[place] else int(self.bulletin.standings[:, place].sum())


def count(connection: duckdb.DuckDBPyConnection, version: int, base: int | None, smallest: int) -> Findings:
    """Count a version of the published file for its report."""
    found = read_bulletin(connection, version, smallest)
    children = frame(connection, _CHILDREN.format(version=version))
    live = _live(children)
    hidden = found.hidden_standings
    whole = int(found.standings.sum())
    departed = int(children["children"].sum()) - whole
    is_departed_small = 0 < departed < smallest
    statuses, excused = _statuses(_by(live, "status"), found, smallest)
    reasons = _reasons(live, statuses, smallest)
    stages, grades = _grades(live, found, smallest)
    cases, cases_hidden = _cases(connection, version, found, smallest)
    with_record = int(live["with_record"].sum())
    return Findings(
        bulletin=found,
        eligible=None if is_departed_small or hidden.whole else whole + departed,
        departed=None if is_departed_small or hidden.whole else departed,
        children=None if hidden.whole else whole,
        register_rows=int(rows(connection, _REGISTER_ROWS, [version])[0][0]),
        with_record=None if hidden.whole or _is_small(smallest, with_record, whole - with_record) else with_record,
        statuses=statuses,
        reasons=reasons,
        grades=grades,
        flows=_flows(connection, version, base, found, smallest) if base is not None else [],
        trend=_trend(connection, version, found.day, smallest),
        cases=cases,
        figures=_figures(connection, version, found, stages, excused, cases, smallest),
        hides_any=bool(hidden.columns.any() or hidden.whole or is_departed_small or cases_hidden)
        or None in statuses.values()
        or None in cases.states.values(),
    )


def figures(connection: duckdb.DuckDBPyConnection, version: int, found: Bulletin, smallest: int) -> list[Figure]:
    """The indicators of a version, as far as its report shows them."""
    live = _live(frame(connection, _CHILDREN.format(version=version)))
    _, excused = _statuses(_by(live, "status"), found, smallest)
    stages, _ = _grades(live, found, smallest)
    cases, _ = _cases(connection, version, found, smallest)
    return _figures(connection, version, found, stages, excused, cases, smallest)


def _live(children: pl.DataFrame) -> pl.DataFrame:
    return children.filter(pl.col("status") != "departed")


_CHILDREN: Final = """
SELECT status, status_reason, expected_grade, min(age) AS youngest, max(age) AS oldest, count(*) AS children, count(match_method) AS with_record
FROM child_facts_as_of({version}) GROUP BY ALL ORDER BY ALL
"""
_REGISTER_ROWS: Final = (
    "SELECT coalesce(sum(landed), 0) FROM row_accounts WHERE version = ? AND source IN ('population', 'residents')"
)


def _by(children: pl.DataFrame, column: str) -> dict[Any, int]:
    return dict(children.group_by(column).agg(pl.col("children").sum()).iter_rows())


def _is_small(smallest: int, *counts: int) -> bool:
    return any(0 < count < smallest for count in counts)


def _split(counts: Sequence[int], smallest: int, *, is_hidden: bool = False) -> list[Count]:
    """A total in parts: which parts can be shown beside the total, none of them where the total is hidden."""
    if is_hidden or not any(counts):
        return [None if count else 0 for count in counts]
    found = suppress(np.array([counts], dtype=np.int64), smallest)
    if found.rows[0]:
        return [None if count else 0 for count in counts]
    return [None if mask else count for count, mask in zip(counts, found.cells[0], strict=True)]


def _statuses(counted: dict[str, int], found: Bulletin, smallest: int) -> tuple[dict[str, Count], Count]:
    """Children by status, and the excused together: a part of its own, because indicators say how many they are by stage."""
    hidden = found.hidden_standings
    shown: dict[str, Count] = {}
    excused_together: Count = None
    for place, statuses in enumerate(STANDINGS.values()):
        excused = [status for status in EXCUSED if status in statuses]
        others = [status for status in statuses if status not in EXCUSED]
        counts = [counted.get(status, 0) for status in others]
        within = [counted.get(status, 0) for status in excused]
        is_hidden = bool(hidden.whole or hidden.columns[place])
        *parts, of_excused = _split([*counts, sum(within)], smallest, is_hidden=is_hidden)
        shown |= zip(others, parts, strict=True)
        shown |= zip(excused, _split(within, smallest, is_hidden=of_excused is None), strict=True)
        if excused:
            excused_together = of_excused
    return {status: shown[status] for status in STATUSES if status in shown}, excused_together


def _reasons(live: pl.DataFrame, statuses: dict[str, Count], smallest: int) -> dict[str, Count]:
    counted = _by(live.filter(pl.col("status").is_in(OUT_OF_SCHOOL)), "status_reason")
    shown: dict[str, Count] = {}
    for status in OUT_OF_SCHOOL:
        codes = [reason.code for reason in REASONS if reason.status == status and reason.code in counted]
        parts = _split([counted[code] for code in codes], smallest, is_hidden=statuses[status] is None)
        shown |= dict(zip(codes, parts, strict=True))
    return dict(sorted(shown.items(), key=lambda item: (item[1] is None, -(item[1] or 0), item[0])))


# -- grades and indicators ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stage:
    """Children of a stage: flagged or not, and whether that is hidden."""

    flagged: int
    children: int
    is_hidden: bool


def _grades(live: pl.DataFrame, found: Bulletin, smallest: int) -> tuple[list[_Stage], list[Grade] | None]:
    """Flagged children by the grade they should be in, hidden so that neither the stages nor the townships give any away."""
    by_grade = {
        grade: (flagged, children - flagged, ages)
        for grade, flagged, children, ages in live.group_by("expected_grade")
        .agg(
            pl.col("children").filter(pl.col("status").is_in(OUT_OF_SCHOOL)).sum(),
            pl.col("children").sum().alias("all"),
            pl.format("{}–{}", pl.col("youngest").min(), pl.col("oldest").max()).first().alias("ages"),
        )
        .iter_rows()
    }
    blocks = [np.array([by_grade.get(g, (0, 0, ""))[:2] for g in grades], dtype=np.int64) for grades in STAGES.values()]
    totals = np.array([block.sum(axis=0) for block in blocks])
    hidden = np.zeros(totals.shape, dtype=np.bool_)
    while True:
        upper = suppress(totals, smallest, hidden=hidden)
        lower = [suppress(block, smallest, columns=cells) for block, cells in zip(blocks, upper.cells, strict=True)]
        needed = np.array([one.columns for one in lower]) | upper.cells
        if (needed == upper.cells).all():
            break
        hidden = needed
    stages = [_Stage(int(f), int(f + n), bool(mask.any())) for (f, n), mask in zip(totals, upper.cells, strict=True)]
    is_safe = _flagged_follows(found) and totals[:, 0].sum() >= smallest and totals[:, 1].sum() >= smallest
    lowest = sum(int((block[mask.cells[:, 0], 0]).size) for block, mask in zip(blocks, lower, strict=True))
    hidden_flagged = sum(int(block[mask.cells[:, 0], 0].sum()) for block, mask in zip(blocks, lower, strict=True))
    is_safe &= hidden_flagged > lowest or not lowest  # or each hidden one is 1
    if not is_safe or upper.columns.any() or upper.rows.any() or upper.whole or set(by_grade) - set(range(1, 10)):
        return stages, None
    entries = []
    for (stage, grades), block, one in zip(STAGES.items(), blocks, lower, strict=True):
        for place, grade in enumerate(grades):
            if not block[place].sum():
                continue
            first, last = by_grade[grade][2].split("–")
            entries.append(
                Grade(
                    grade,
                    first if first == last else f"{first}–{last}",
                    stage,
                    None if one.rows[place] else int(block[place].sum()),
                    None if one.cells[place, 0] else int(block[place, 0]),
                )
            )
    return stages, entries


def _flagged_follows(found: Bulletin) -> bool:
    """Whether the number of flagged children follows from what the townships show, so that saying it gives nothing away."""
    enrolled, other, suspected, dropouts = (bool(mask) for mask in found.hidden_standings.columns)
    return (
        suspected == dropouts
        and enrolled == other
        and not (suspected and enrolled)
        and not found.hidden_standings.whole
    )


def _figures(
    connection: duckdb.DuckDBPyConnection,
    version: int,
    found: Bulletin,
    stages: list[_Stage],
    excused: Count,
    cases: Cases,
    smallest: int,
) -> list[Figure]:
    """The indicators of the whole, hidden where what is left of one is small, or differs from what another table shows by little."""
    counted = {
        code: (numerator, denominator, value, target)
        for code, numerator, denominator, value, target in rows(connection, _STATISTICS, [version])
    }
    hidden_columns = found.hidden_standings.columns
    told = _told_of_cases(cases)
    entries = []
    for indicator in INDICATORS:
        numerator, denominator, value, target = counted.get(indicator.code, (0, 0, None, None))
        rest = denominator - numerator
        is_hidden = bool(found.hidden_standings.whole) or _is_small(smallest, numerator, denominator, rest)
        if indicator.code in _BLOCK_OF:
            blocks = [stages[place] for place in _BLOCK_OF[indicator.code]]
            others = rest - sum(block.flagged for block in blocks)
            is_hidden |= any(block.is_hidden for block in blocks) or excused is None or _is_small(smallest, others)
        elif indicator.code == "dropout_rate":
            is_hidden |= bool(hidden_columns[DROPOUT])
        elif indicator.code == "overdue_cases":
            is_hidden |= cases.open is None or cases.overdue is None
            # Indicators count the cases of children who have departed too, the tables do not: what lies between may be few.
            between = (numerator - (cases.overdue or 0), denominator - (cases.open or 0))
            is_hidden |= _is_small(smallest, *map(abs, between))
        elif indicator.of == "cases":
            is_hidden |= None in (cases.open, *(cases.states[state] for state in CLOSED_STATES))
            is_hidden |= _is_small(
                smallest, *(abs(number - other) for number in (numerator, denominator) for other in told)
            )
            told += [] if is_hidden else [numerator, denominator]
        if is_hidden:
            entries.append(Figure(indicator.code, None, None, None, target))
        else:
            entries.append(Figure(indicator.code, int(numerator), int(denominator), value, target))
    return _less(entries, stages, excused, smallest)


def _told_of_cases(cases: Cases) -> list[int]:
    """What the tables say of the cases that are closed, in each way and in all, and of all cases."""
    closed = [cases.states[state] or 0 for state in CLOSED_STATES]
    return [*closed, sum(closed), sum(closed) + (cases.open or 0)]


def _less(entries: list[Figure], stages: list[_Stage], excused: Count, smallest: int) -> list[Figure]:
    """The indicators without those that less each other are about a few children, the ones of secondary school first."""
    rest = {
        one.code: one.denominator - one.numerator
        for one in entries
        if one.numerator is not None and one.denominator is not None
    }
    junior, nine = rest.get("junior_retention_rate"), rest.get("retention_rate")
    excused_above = None  # the excused who are not in primary school
    if "primary_enrolment_rate" in rest and excused is not None:
        excused_above = excused - (rest["primary_enrolment_rate"] - stages[0].flagged)
    hidden = set()
    if nine is None or (excused_above is not None and _is_small(smallest, excused_above - (nine - stages[2].flagged))):
        hidden = {"retention_rate", "junior_retention_rate"}
    elif junior is not None:
        differences = [junior - nine, junior - nine - stages[1].flagged]  # grades 7 and 8
        if excused_above is not None:  # on leave
            differences.append(excused_above - (junior - stages[1].flagged - stages[2].flagged))
        if _is_small(smallest, *differences):
            hidden = {"junior_retention_rate"}
    return [Figure(one.code, None, None, None, one.target) if one.code in hidden else one for one in entries]


_STATISTICS: Final = "SELECT indicator, numerator, denominator, value, target FROM statistics WHERE version = ? AND division_code IS NULL"


# -- movement ----------------------------------------------------------------------------------------------------------


def _flows(
    connection: duckdb.DuckDBPyConnection, version: int, base: int, found: Bulletin, smallest: int
) -> list[Flow] | None:
    """Moves between standings since the base version. Their sums are what either version shows, so they are hidden as a table with totals.

    Whoever stayed is not shown. None where a total of either version is hidden: the moves would give it away.
    """
    moved = {(a, b): n for a, b, n in rows(connection, _MOVED.format(version=version, base=base))}
    names = ["absent", *STANDINGS, "departed"]
    of = {status: name for name, statuses in STANDINGS.items() for status in statuses} | {"departed": "departed"}
    table = np.zeros((len(names), len(names)), dtype=np.int64)
    for (before, after), children in moved.items():
        table[names.index(of.get(before, "absent")), names.index(of.get(after, "absent"))] += children
    totals = (*table[1:].sum(axis=1), *table[:, 1:].sum(axis=0))
    if found.hidden_standings.columns.any() or found.hidden_standings.whole or _is_small(smallest, *map(int, totals)):
        return None
    hidden = suppress(table, smallest, unshown=np.eye(len(names), dtype=np.bool_))
    flows = [
        Flow(names[a], names[b], None if hidden.cells[a, b] else int(table[a, b]))
        for a, b in np.argwhere(table).tolist()
        if a != b
    ]
    return sorted(flows, key=lambda flow: (flow.children is None, -(flow.children or 0), flow.before, flow.after))


_MOVED: Final = """
SELECT o.status AS before, n.status AS after, count(*)
FROM (SELECT child_id, status FROM child_facts_as_of({base})) o
FULL JOIN (SELECT child_id, status FROM child_facts_as_of({version})) n ON n.child_id = o.child_id
GROUP BY ALL ORDER BY ALL
"""


def _trend(connection: duckdb.DuckDBPyConnection, version: int, day: dt.date, smallest: int) -> list[Date]:
    """The latest dates up to this one, each by the version of it that stood then. A date any of whose totals is small shows none."""
    entries = []
    for on, enrolled, suspected, dropouts, live in rows(connection, _TREND, [version, day, MOST_DATES]):
        others = None if live is None else live - enrolled - suspected - dropouts
        is_hidden = others is None or _is_small(smallest, enrolled, suspected, dropouts, others)
        entries.append(Date(on, None if is_hidden else suspected, None if is_hidden else dropouts))
    return entries[::-1]


_TREND: Final = """
SELECT v.comparison_date, v.enrolled, v.suspected, v.dropouts, s.denominator
FROM ledger_versions v
JOIN (SELECT max(version) AS version FROM ledger_versions WHERE version <= ? AND comparison_date <= ? GROUP BY comparison_date) d
  ON d.version = v.version
LEFT JOIN statistics s ON s.version = v.version AND s.division_code IS NULL AND s.indicator = 'dropout_rate'
ORDER BY v.comparison_date DESC LIMIT ?
"""


# -- cases -------------------------------------------------------------------------------------------------------------


def _cases(connection: duckdb.DuckDBPyConnection, version: int, found: Bulletin, smallest: int) -> tuple[Cases, bool]:
    """Cases of the children who are counted, and whether their numbers have to be hidden.

    Open cases are those of flagged children and a few more; so they are hidden where the flagged are, and where the few are too few.
    """
    counted = frame(
        connection, _CASES.format(version=version, day=found.day, soon=SOON_DAYS, out_of_school=OUT_OF_SCHOOL)
    )
    open_cases = counted.filter(pl.col("state").is_in(OPEN_STATES))
    by_state = _by(counted, "state")
    total = int(open_cases["children"].sum())
    others = int(open_cases.filter(~pl.col("is_flagged"))["children"].sum())
    flagged_without = int(found.standings[:, [SUSPECTED, DROPOUT]].sum()) - (total - others)
    late, opened, closed, _ = (
        None if mask else int(number)
        for number, mask in zip(found.cases.sum(axis=0), found.hidden_cases.columns, strict=True)
    )
    is_hidden = (
        not _flagged_follows(found)
        or bool(found.hidden_standings.columns[[SUSPECTED, DROPOUT]].any())
        or _is_small(smallest, total, others, flagged_without)
    )
    due = _by(open_cases, "due")
    soon, later = _split([due.get("soon", 0), due.get("later", 0)], smallest, is_hidden=is_hidden or late is None)
    states = dict(
        zip(
            OPEN_STATES,
            _split([by_state.get(state, 0) for state in OPEN_STATES], smallest, is_hidden=is_hidden),
            strict=True,
        )
    )
    ever_closed = bool(found.hidden_cases.columns[3]) or is_hidden
    states |= zip(
        CLOSED_STATES,
        _split([by_state.get(state, 0) for state in CLOSED_STATES], smallest, is_hidden=ever_closed),
        strict=True,
    )
    late = None if is_hidden and late else late
    return Cases(None if is_hidden and total else total, late, soon, later, states, opened, closed), is_hidden


_CASES: Final = """
SELECT k.state, c.status IN {out_of_school} AS is_flagged,
       CASE WHEN k.due_on < DATE '{day}' THEN 'overdue' WHEN k.due_on <= DATE '{day}' + {soon} THEN 'soon' ELSE 'later' END AS due,
       count(*) AS children
FROM cases_as_of({version}) k JOIN school_age_children_as_of({version}) c ON c.child_id = k.child_id
WHERE c.status <> 'departed' GROUP BY ALL ORDER BY ALL
"""
