"""通报: the county's month by township, in counts that give nobody away (`kcb_pipeline.reporting.suppression`)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl

from kcb_pipeline.engines.embedded import frame, rows, scalar
from kcb_pipeline.ledgers.cases import OPEN_STATES
from kcb_pipeline.reporting.paper import Paper
from kcb_pipeline.reporting.statistics import INDICATORS, Indicator
from kcb_pipeline.reporting.suppression import Counts, Mask, Suppressed, suppress, with_totals
from kcb_pipeline.reporting.workbook import Column, OfficeWorkbook, Value

HIDDEN: Final = "*"
NO_TOWNSHIP: Final = "未分乡镇街道"

STANDINGS: Final = {
    "在学": ("enrolled",),
    "其他去向": ("enrolled_elsewhere", "special_provision", "completed", "deferred", "on_leave", "needs_review"),
    "未入学及疑似辍学": ("unenrolled", "suspected"),
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
    SELECT e.case_id, bool_or(coalesce(e.from_state, 'closed') IN ('closed', 'closed_until') AND e.to_state IN ({open_states})) AS opened,
           bool_or(e.from_state IN ({open_states}) AND e.to_state IN ('closed', 'closed_until')) AS closed
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


def bulletin(connection: duckdb.DuckDBPyConnection, version: int, smallest: int) -> Paper:
    """The bulletin of the month of a version, without anybody's identity."""
    found = read_bulletin(connection, version, smallest)
    month = f"{found.day.year}年{found.day.month}月"
    book = OfficeWorkbook(f"控辍保学工作通报（{month}）", found.day, subject=f"台账第{version}版")
    shares = ("未入学及疑似辍学率", "辍学率")
    columns = [
        Column("行政区划代码", 12, centred=True),
        Column("乡镇街道", 16),
        Column("适龄儿童", 10, "whole"),
        *(Column(name, 12, "whole") for name in STANDINGS),
        *(Column(name, 9, "share") for name in shares),
        *(Column(name, 10, "whole") for name in CASES),
    ]
    note = f"截至 {found.day}　台账第 {version} 版　“{HIDDEN}”为小于 {smallest} 或可据以推算的数，不予公布"
    book.table("通报", columns, _table(found), note=note, frozen_columns=2)
    book.table("全域指标", _INDICATOR_COLUMNS, _indicators(connection, version, smallest, found), note=note)
    book.text("说明", _notes(found.day, smallest), widths=(22, 76))
    return Paper(f"通报-{found.day:%Y-%m}.xlsx", book.content())


def _table(found: Bulletin) -> list[list[Value]]:
    hidden, cases = found.hidden_standings, found.hidden_cases
    table: list[list[Value]] = [
        [
            township or division,
            name,
            *_counts(
                _shown(found.standings[place], hidden.cells[place]),
                int(found.standings[place].sum()),
                is_hidden=bool(hidden.rows[place]),
            ),
            *_shown(found.cases[place], cases.cells[place]),
        ]
        for place, (division, township, name) in enumerate(found.townships)
    ]
    shown = _shown(found.standings.sum(axis=0), hidden.columns)
    whole = _counts(shown, int(found.standings.sum()), is_hidden=hidden.whole)
    table.append(["", "全域合计", *whole, *_shown(found.cases.sum(axis=0), cases.columns)])
    return table


def _counts(shown: list[Value], total: int, *, is_hidden: bool) -> list[Value]:
    """The total, the standings and the shares of a line; a share is shown where everything in it is."""
    shares: list[Value] = [
        count / total if isinstance(count, int) and total and not is_hidden else HIDDEN
        for count in (shown[SUSPECTED], shown[DROPOUT])
    ]
    return [HIDDEN if is_hidden else total, *shown, *shares]


def _shown(counts: Any, hidden: Any) -> list[Value]:
    return [HIDDEN if mask else int(count) for count, mask in zip(counts, hidden, strict=True)]


_INDICATOR_COLUMNS: Final = (
    Column("指标", 20),
    Column("分子", 10, "whole"),
    Column("分母", 10, "whole"),
    Column("值", 10, "share"),
    Column("目标值", 10, "share"),
    Column("是否达标", 10, centred=True),
    Column("口径", 60),
)


def _indicators(
    connection: duckdb.DuckDBPyConnection, version: int, smallest: int, found: Bulletin
) -> list[list[Value]]:
    """The indicators of the whole; hidden where their count, or what is left of it, is small, or where the table hides it."""
    columns, cases = found.hidden_standings.columns, found.hidden_cases.columns
    of_cases = bool(columns[SUSPECTED] or columns[DROPOUT])  # open cases are nearly the children of these two
    hidden = {
        "dropout_rate": columns[DROPOUT],
        "overdue_cases": of_cases or cases[0],
        "closing_rate": of_cases or cases[3],
        "reenrolment_rate": of_cases or cases[3],
        "relapse_rate": of_cases or cases[3],
    }
    counted = {
        code: (numerator, denominator, value, target)
        for code, numerator, denominator, value, target in rows(
            connection,
            "SELECT indicator, numerator, denominator, value, target FROM statistics WHERE version = ? AND division_code IS NULL",
            [version],
        )
    }

    def line(indicator: Indicator) -> list[Value]:
        numerator, denominator, value, target = counted.get(indicator.code, (0, 0, None, None))
        small = any(0 < count < smallest for count in (numerator, denominator, denominator - numerator))
        if small or bool(hidden.get(indicator.code, False)) or found.hidden_standings.whole:
            return [indicator.label, HIDDEN, HIDDEN, HIDDEN, target, "", indicator.source]
        met = "" if target is None or value is None else "是" if value >= target else "否"
        return [indicator.label, numerator, denominator, value, target, met, indicator.source]

    return [line(indicator) for indicator in INDICATORS]


def _notes(day: dt.date, smallest: int) -> list[tuple[str, list[tuple[str, ...]]]]:
    return [
        ("口径", [
            ("适龄儿童", "义务教育适龄、户籍在本地或居住在本地的儿童；不含已死亡、出国（境）定居或注销户口的"),
            ("在学", "在本地区有有效学籍，且没有未到校的证据"),
            ("其他去向", "外地就读、特殊教育安置、已完成义务教育、缓学、休学，以及待人工核对的"),
            ("未入学及疑似辍学", "未找到学籍的，以及有学籍而证据表明未到校的，尚待核查"),
            ("辍学", "经核查确认失学或辍学，尚未复学的"),
            ("未入学及疑似辍学率、辍学率", "各自人数 ÷ 适龄儿童"),
            ("逾期未核查", f"截至 {day} 超过应核查日期的在办案件"),
            ("本月立案、本月销号", f"{day:%Y-%m} 内立案（含重新立案）、销号（含限期销号）的案件"),
            ("累计销号", "目前已销号（含限期销号）的案件"),
        ]),
        ("保密处理", [
            (f"1 至 {smallest - 1} 的数以“{HIDDEN}”代替；凡能由合计或上月通报推算出被代替之数的其他数，同样代替。零如实列出。",),
            ("本通报不含个人信息。按月公布一次；逐日的版本相减可能显出个别变动，仅供内部使用。",),
        ]),
    ]  # fmt: skip
