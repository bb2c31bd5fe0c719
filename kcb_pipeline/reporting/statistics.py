"""统计指标: the indicators a county reports, for the whole, each county and each township, with what was counted over what.

Definitions and sources: `INDICATORS`. A child that has departed is nobody's; 休学 does not count as enrolled and early leavers upward do
(适龄人口入学率, domain.md §3.3).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import duckdb


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator: its code, label, target, what is counted over what, and where the definition comes from."""

    code: str
    label: str
    numerator: str
    denominator: str
    target: float | None
    source: str


_LIVE = "status <> 'departed'"
_AT_SCHOOL = "status IN ('enrolled', 'enrolled_elsewhere', 'special_provision', 'completed')"
_NOT_LOST = "status NOT IN ('departed', 'unenrolled', 'suspected', 'dropout')"

INDICATORS: Final = (
    Indicator(
        "primary_enrolment_rate", "小学入学率", f"expected_grade <= 6 AND {_AT_SCHOOL}", f"expected_grade <= 6 AND {_LIVE}", 0.995,
        "已入学小学学龄儿童 ÷ 校内外小学学龄儿童总数；目标 99.5%（南政办发〔2024〕6号 二）",
    ),
    Indicator(
        "retention_rate", "九年义务教育巩固率", f"expected_grade = 9 AND {_NOT_LOST}", f"expected_grade = 9 AND {_LIVE}", 0.985,
        "九年级学龄儿童中在学或已完成的比例；目标 98.5%（南政办发〔2024〕6号 二）",
    ),
    Indicator(
        "junior_retention_rate", "初中三年巩固率", f"expected_grade BETWEEN 7 AND 9 AND {_NOT_LOST}", f"expected_grade BETWEEN 7 AND 9 AND {_LIVE}", None,
        "初中学龄儿童中在学或已完成的比例（晋政罗〔2023〕175号）",
    ),
    Indicator("dropout_rate", "辍学率", "status = 'dropout'", _LIVE, None, "经核查确认失学辍学人数 ÷ 适龄儿童数"),
)  # fmt: skip
"""Indicators over children; those over cases are `CASE_INDICATORS`."""

CASE_INDICATORS: Final = (
    Indicator("closing_rate", "销号率", "state = 'closed'", "true", None, "已销号案件 ÷ 全部案件（对账销号）"),
    Indicator(
        "reenrolment_rate", "复学率", "state = 'closed' AND closing_reason = 'live_enrolment'", "is_confirmed", None,
        "经确认失学辍学后复学销号的案件 ÷ 经确认失学辍学的案件",
    ),
    Indicator("overdue_cases", "逾期未核查案件", "is_open AND due_on < $today", "is_open", None, "超过应核查日期的在办案件 ÷ 在办案件"),
)  # fmt: skip

_AREAS = "GROUPING SETS ((), (division_code), (division_code, township_code))"


def compute_statistics(connection: duckdb.DuckDBPyConnection, on: dt.date) -> int:
    """Fill `draft.statistics` from the drafted ledgers; how many rows. `value` is missing where there is nobody to count."""
    parts = [_select(indicator, "draft.children") for indicator in INDICATORS]
    parts += [_select(indicator, "cases_with_place") for indicator in CASE_INDICATORS]
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE draft.statistics AS
        WITH confirmed AS (SELECT DISTINCT case_id FROM draft.case_events WHERE event = 'confirmed'),
        cases_with_place AS (
            SELECT k.*, k.state NOT IN ('closed', 'closed_until') AS is_open, f.case_id IS NOT NULL AS is_confirmed,
                   c.division_code, c.township_code
            FROM draft.cases k JOIN draft.children c ON c.child_id = k.child_id LEFT JOIN confirmed f ON f.case_id = k.case_id
        )
        {" UNION ALL ".join(parts)}
        """,
        {"today": on},
    )
    return int(connection.execute("SELECT count(*) FROM draft.statistics").fetchall()[0][0])


def _select(indicator: Indicator, source: str) -> str:
    target = "NULL::DOUBLE" if indicator.target is None else f"{indicator.target}::DOUBLE"
    return f"""
        SELECT division_code, township_code, '{indicator.code}' AS indicator, numerator, denominator,
               CASE WHEN denominator > 0 THEN numerator / denominator END AS value, {target} AS target
        FROM (
            SELECT division_code, township_code, count(*) FILTER (WHERE ({indicator.numerator}) AND ({indicator.denominator})) AS numerator,
                   count(*) FILTER (WHERE {indicator.denominator}) AS denominator
            FROM {source} GROUP BY {_AREAS}
        )
        WHERE division_code IS NOT NULL OR township_code IS NULL
    """
