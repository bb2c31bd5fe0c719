"""The counts of 通报, the county's month by township, and which of them are hidden so that they give nobody away (`suppression`)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import polars as pl

from kcb_pipeline.engines.embedded import frame, rows, scalar
from kcb_pipeline.ledgers.cases import OPEN_STATES
from kcb_pipeline.reporting.suppression import Counts, Mask, Suppressed, suppress, with_totals
from kcb_pipeline.status.reasons import SUSPECTED_STATUSES

NO_TOWNSHIP: Final = "未分乡镇街道"

STANDINGS: Final = {
    "在学": ("enrolled",),
    "其他去向": ("enrolled_elsewhere", "special_provision", "completed", "deferred", "on_leave", "needs_review"),
    "未入学及疑似辍学": SUSPECTED_STATUSES,
    "辍学": ("dropout",),
}
"""Every status but departed, once: so the columns add up to the children of a township. Statuses of few children stand together, or
they would be hidden nearly everywhere, and other counts with them."""
SUSPECTED: Final = 2
DROPOUT: Final = 3

CASES: Final = ("逾期未核查", "本月立案", "本月销号", "累计销号")
"""Counts of cases. They add up to nothing, and are hidden wherever a standing of the township is."""

_CHILDREN = """
SELECT coalesce(division_code, '') AS division_code, coalesce(township_code, '') AS township_code, min(township_name) AS township_name, {counts}
FROM school_age_children_as_of({version})
GROUP BY coalesce(division_code, ''), coalesce(township_code, '')
HAVING count(*) FILTER (WHERE status <> 'departed') > 0
ORDER BY 1, 2
"""
_CASES = """
WITH moved AS (
    SELECT e.case_id, bool_or((e.from_state IS NULL OR e.from_state NOT IN ({open_states})) AND e.to_state IN ({open_states})) AS opened,
           bool_or(e.from_state IN ({open_states}) AND e.to_state NOT IN ({open_states})) AS closed
    FROM case_events_as_of({version}) e JOIN ledger_versions v ON v.version = e.version
    WHERE v.comparison_date BETWEEN $first AND $day GROUP BY e.case_id
)
SELECT coalesce(c.division_code, '') AS division_code, coalesce(c.township_code, '') AS township_code,
       count(*) FILTER (WHERE k.state IN ({open_states}) AND k.due_on < $day) AS late, count(*) FILTER (WHERE m.opened) AS opened,
       count(*) FILTER (WHERE m.closed) AS closed, count(*) FILTER (WHERE k.state NOT IN ({open_states})) AS ever_closed
FROM cases_as_of({version}) k
JOIN school_age_children_as_of({version}) c ON c.child_id = k.child_id
LEFT JOIN moved m ON m.case_id = k.case_id
WHERE c.status <> 'departed'
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Bulletin:
    """The counts of a month, and what of them is hidden: townships in rows; standings, then cases."""

    day: dt.date
    townships: list[tuple[str, str, str]]
    standings: Counts
    cases: Counts
    hidden_standings: Suppressed
    hidden_cases: Suppressed


def read_bulletin(connection: duckdb.DuckDBPyConnection, version: int, smallest: int) -> Bulletin:
    """Count a version for publication; counts from 1 to below `smallest` are hidden, with what would give them away: in the bulletin, and beside
    that of the month before for a reader who takes for unchanged what has not changed."""
    day: dt.date = scalar(connection, "SELECT comparison_date FROM ledger_versions WHERE version = ?", [version])
    children, standings = _standings(connection, version)
    open_states = ", ".join(repr(state) for state in OPEN_STATES)
    moved = pl.DataFrame(
        connection.sql(
            _CASES.format(version=version, open_states=open_states), params={"first": day.replace(day=1), "day": day}
        ).to_arrow_table()
    )
    keys = ["division_code", "township_code"]
    joined = children.join(moved, on=keys, how="left", maintain_order="left")
    cases = joined.select(pl.col("late", "opened", "closed", "ever_closed").fill_null(0)).to_numpy().astype(np.int64)
    hidden = suppress(standings, smallest, known=known_from_month_before(connection, version, smallest))
    touched = np.repeat((hidden.cells.any(axis=1) | hidden.rows)[:, None], len(CASES), axis=1)
    parts = [
        suppress(cases[:, [place]], smallest, hidden=touched[:, [place]], row_totals=False)
        for place in range(len(CASES))
    ]
    hidden_cases = Suppressed(
        np.concatenate([part.cells for part in parts], axis=1),
        hidden.rows,
        np.concatenate([part.columns for part in parts]),
        whole=True,
    )
    townships = [(d, t, n or NO_TOWNSHIP) for d, t, n in children.select(*keys, "township_name").iter_rows()]
    return Bulletin(day, townships, standings, cases, hidden, hidden_cases)


def known_from_month_before(connection: duckdb.DuckDBPyConnection, version: int, smallest: int) -> Mask | None:
    """Which standings of a version, with their totals, the last bulletin of an earlier month showed as they still are; None where there is none.

    That one hid more where the one before it gave something away: its reader knows no more than is said here.
    """
    earlier = rows(
        connection,
        "SELECT e.version FROM ledger_versions e JOIN ledger_versions v ON v.version = $version AND e.version < v.version "
        "AND e.comparison_date < date_trunc('month', v.comparison_date) ORDER BY e.comparison_date DESC, e.version DESC LIMIT 1",
        {"version": version},
    )
    if not earlier:
        return None
    children, standings = _standings(connection, earlier[0][0])
    is_hidden = suppress(standings, smallest).grid
    shown = dict(zip(_lines(children), zip(with_totals(standings), is_hidden, strict=True), strict=True))
    children, standings = _standings(connection, version)
    nothing = np.zeros(len(STANDINGS) + 1, dtype=np.int64), np.ones(len(STANDINGS) + 1, dtype=np.bool_)
    known = []
    for line, counts in zip(_lines(children), with_totals(standings), strict=True):
        before, was_hidden = shown.get(line, nothing)
        known.append((counts == before) & ~was_hidden)
    return np.array(known)


def _standings(connection: duckdb.DuckDBPyConnection, version: int) -> tuple[pl.DataFrame, Counts]:
    """The townships of a version, and how many of their children stand where."""
    counts = ", ".join(
        f"count(*) FILTER (WHERE status IN ({', '.join(repr(status) for status in statuses)})) AS s{place}"
        for place, statuses in enumerate(STANDINGS.values())
    )
    children = frame(connection, _CHILDREN.format(version=version, counts=counts))
    return children, children.select(f"s{place}" for place in range(len(STANDINGS))).to_numpy().astype(np.int64)


def _lines(children: pl.DataFrame) -> list[tuple[str, str] | None]:
    """What the lines of the bulletin are called: by division and township, and None for the whole."""
    return [*children.select("division_code", "township_code").iter_rows(), None]
