"""通报: the county's month by township and its indicators, as the workbook that is published.

Its indicators are those that the report of the version shows (`kcb_pipeline.reporting.report.counts`): whoever has both papers, or this one alone, works no
small count out of two of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import duckdb

from kcb_pipeline.reporting.bulletin import CASES, DROPOUT, STANDINGS, SUSPECTED, Bulletin, read_bulletin
from kcb_pipeline.reporting.paper import Paper
from kcb_pipeline.reporting.report.counts import Figure, figures
from kcb_pipeline.reporting.statistics import INDICATORS, Indicator
from kcb_pipeline.reporting.workbook import Column, OfficeWorkbook, Value

HIDDEN: Final = "*"


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
    book.table("全域指标", _INDICATOR_COLUMNS, _indicators(figures(connection, version, found, smallest)), note=note)
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
        number / total if isinstance(number, int) and total and not is_hidden else HIDDEN
        for number in (shown[SUSPECTED], shown[DROPOUT])
    ]
    return [HIDDEN if is_hidden else total, *shown, *shares]


def _shown(counts: Any, hidden: Any) -> list[Value]:
    return [HIDDEN if mask else int(number) for number, mask in zip(counts, hidden, strict=True)]


_INDICATOR_COLUMNS: Final = (
    Column("指标", 20),
    Column("分子", 10, "whole"),
    Column("分母", 10, "whole"),
    Column("值", 10, "share"),
    Column("目标值", 10, "share"),
    Column("是否达标", 10, centred=True),
    Column("口径", 60),
)


def _indicators(found: Sequence[Figure]) -> list[list[Value]]:
    """A line for each indicator of the whole."""
    of = {figure.code: figure for figure in found}
    return [_indicator(indicator, of[indicator.code]) for indicator in INDICATORS]


def _indicator(indicator: Indicator, figure: Figure) -> list[Value]:
    if figure.numerator is None:
        return [indicator.label, HIDDEN, HIDDEN, HIDDEN, figure.target, "", indicator.source]
    met = "" if figure.target is None or figure.value is None else "是" if figure.value >= figure.target else "否"
    return [indicator.label, figure.numerator, figure.denominator, figure.value, figure.target, met, indicator.source]


def _notes(day: dt.date, smallest: int) -> list[tuple[str, list[tuple[str, ...]]]]:
    return [
        ("口径", [
            ("适龄儿童", "义务教育适龄、户籍在本地或居住在本地的儿童；不含已死亡、出国（境）定居或注销户口的"),
            ("在学", "在本地区有有效学籍，且没有未到校的证据"),
            ("其他去向", "外地就读、特殊教育安置、已完成义务教育、延缓入学、休学，以及待人工核对的"),
            ("未入学及疑似辍学", "未找到学籍的，以及有学籍而证据表明未到校的，尚待核查"),
            ("辍学", "经核查确认失学或辍学，尚未复学的"),
            ("未入学及疑似辍学率、辍学率", "各自人数 ÷ 适龄儿童"),
            ("逾期未核查", f"截至 {day} 超过应核查日期的在办案件"),
            ("本月立案、本月销号", f"{day:%Y-%m} 内立案（含重新立案）、销号（含限期销号）的案件"),
            ("累计销号", "目前已销号（含限期销号）的案件"),
        ]),
        ("保密处理", [
            (f"1 至 {smallest - 1} 的数以“{HIDDEN}”代替；凡能由合计、其他指标或上月通报推算出这样的数的其他数，同样代替。零如实列出。",),
            ("本通报不含个人信息。按月公布一次；逐日的版本相减可能显出个别变动，仅供内部使用。",),
        ]),
    ]  # fmt: skip
