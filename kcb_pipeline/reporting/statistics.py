"""统计指标: the indicators a county reports, for the whole, each county and each township, with what was counted over what.

Definitions, in words and as conditions, with their sources: `INDICATORS`, and nowhere else; docs/statistics.md and the view
`statistic_definitions` are made from them. They are counted on one day, from the ledgers: a cohort's rate is read off the children who
are of its age today. A child that has departed is nobody's; 休学 does not count as enrolled and early leavers upward do
(适龄人口入学率, domain.md §3.3).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal

import duckdb

from kcb_pipeline.config import Targets
from kcb_pipeline.ledgers.cases import OPEN_STATES


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator: what is counted over what, in Chinese and as a condition on a row, and where the definition comes from.

    of: rows are children of 适龄儿童台账, or cases of such children.
    """

    code: str
    label: str
    of: Literal["children", "cases"]
    numerator: str
    numerator_words: str
    denominator: str
    denominator_words: str
    source: str


_LIVE = "status <> 'departed'"
_AT_SCHOOL = "status IN ('enrolled', 'enrolled_elsewhere', 'special_provision', 'completed')"
_RETAINED = "status IN ('enrolled', 'enrolled_elsewhere', 'special_provision', 'completed', 'on_leave')"
_AT_SCHOOL_WORDS = "在学、外地就读、特殊教育安置或已完成义务教育"
_BACK_AT_SCHOOL = "closing_reason IN ('live_enrolment', 'special_school', 'special_class', 'home_teaching', '在校已有学籍', '随班就读', '特教学校就读', '送教上门')"

INDICATORS: Final = (
    Indicator(
        "primary_enrolment_rate", "小学入学率", "children",
        f"expected_grade <= 6 AND {_AT_SCHOOL}", f"小学学龄儿童中{_AT_SCHOOL_WORDS}的人数（休学、延缓入学、待核对不计）",
        f"expected_grade <= 6 AND {_LIVE}", "小学学龄儿童（应在一至六年级）总数，不含死亡、出国(境)、注销",
        "已入学小学学龄儿童 ÷ 校内外小学学龄儿童总数；目标 99.5%：南政办发〔2024〕6号 二",
    ),
    Indicator(
        "retention_rate", "九年义务教育巩固率", "children",
        f"expected_grade = 9 AND {_RETAINED}", f"应在九年级的适龄儿童中{_AT_SCHOOL_WORDS}以及休学的人数",
        f"expected_grade = 9 AND {_LIVE}", "应在九年级的适龄儿童总数（含正常流动），不含死亡、出国(境)、注销",
        "毕业班学生数 ÷ 该年级入小学一年级时学生数，按同龄人口时点计算；目标 98.5%：南政办发〔2024〕6号 二",
    ),
    Indicator(
        "junior_retention_rate", "初中三年巩固率", "children",
        f"expected_grade BETWEEN 7 AND 9 AND {_RETAINED}", f"应在七至九年级的适龄儿童中{_AT_SCHOOL_WORDS}以及休学的人数",
        f"expected_grade BETWEEN 7 AND 9 AND {_LIVE}", "应在七至九年级的适龄儿童总数，不含死亡、出国(境)、注销",
        "初中三年巩固率：晋政罗〔2023〕175号（义务教育学校五），按同龄人口时点计算",
    ),
    Indicator(
        "dropout_rate", "辍学率", "children", "status = 'dropout'", "经核查确认失学、辍学且尚未复学的人数", _LIVE, "适龄儿童总数，不含死亡、出国(境)、注销",
        "辍学学生台账人数 ÷ 适龄儿童台账人数：教基厅函〔2024〕15号（三本台账）",
    ),
    Indicator(
        "closing_rate", "销号率", "cases", "state = 'closed'", "已销号案件数（限期销号不计）", "true", "适龄儿童的全部案件数",
        "对账销号：安教函〔2025〕78号 一、二；劝返一个、销号一个",
    ),
    Indicator(
        "reenrolment_rate", "复学率", "cases", f"state = 'closed' AND {_BACK_AT_SCHOOL}", "其中已销号且销号原因为复学或教育安置的案件数",
        "is_confirmed", "曾经核查确认失学、辍学的案件数", "劝返复学：南政办发〔2024〕6号 五(十)、五(十一)",
    ),
    Indicator(
        "relapse_rate", "反弹率", "cases", "has_relapsed", "其中销号后又重新立案（反弹）的案件数", "was_closed", "曾经销号的案件数",
        "确保失学辍学现象不发生反弹：安教函〔2025〕78号 二",
    ),
    Indicator(
        "overdue_cases", "逾期案件", "cases", "is_open AND due_on < $today", "其中超过应核查日期的案件数", "is_open", "在办案件数",
        "疑似辍学超过一个月应予确认（domain.md §3.3）；一县一季度一复核：教基厅函〔2024〕15号",
    ),
)  # fmt: skip
"""All indicators, in the order in which they are reported."""

_AREAS = "GROUPING SETS ((), (division_code), (division_code, township_code))"


def compute_statistics(connection: duckdb.DuckDBPyConnection, on: dt.date, targets: Targets) -> None:
    """Fill `draft.statistics` from the drafted ledgers. `value` is missing where there is nobody to count."""
    parts = [_select(indicator, targets) for indicator in INDICATORS]
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE draft.statistics AS
        WITH histories AS (
            SELECT case_id, max(event = 'confirmed') AS is_confirmed, max(event = 'relapsed') AS has_relapsed,
                   max(to_state = 'closed') AS was_closed
            FROM draft.case_events GROUP BY case_id
        ), cases AS (
            SELECT k.*, list_contains($open_states, k.state) AS is_open, h.is_confirmed, h.has_relapsed, h.was_closed,
                   c.division_code, c.township_code
            FROM draft.cases k JOIN draft.children c ON c.child_id = k.child_id JOIN histories h ON h.case_id = k.case_id
        ), children AS (SELECT * FROM draft.children)
        {" UNION ALL ".join(parts)}
        """,
        {"today": on, "open_states": list(OPEN_STATES)},
    )


def _select(indicator: Indicator, targets: Targets) -> str:
    """One indicator for every area. Whoever has no township counts in the county, and whoever has no county in the whole."""
    target = getattr(targets, indicator.code, None)
    target_sql = "NULL::DOUBLE" if target is None else f"{target}::DOUBLE"
    return f"""
        SELECT division_code, township_code, '{indicator.code}' AS indicator, numerator, denominator,
               CASE WHEN denominator > 0 THEN numerator / denominator END AS value, {target_sql} AS target
        FROM (
            SELECT division_code, township_code, GROUPING(division_code) AS is_whole, GROUPING(township_code) AS is_county,
                   count(*) FILTER (WHERE ({indicator.numerator}) AND ({indicator.denominator})) AS numerator,
                   count(*) FILTER (WHERE {indicator.denominator}) AS denominator
            FROM {indicator.of} GROUP BY {_AREAS}
        )
        WHERE (is_whole = 1 OR division_code IS NOT NULL) AND (is_county = 1 OR township_code IS NOT NULL)
    """


STATISTICS_TREND: Final = """
CREATE OR REPLACE VIEW statistics_trend AS
SELECT d.comparison_date, s.version, s.division_code, s.township_code, s.indicator, s.numerator, s.denominator, s.value, s.target,
       s.value - lag(s.value) OVER (PARTITION BY s.division_code, s.township_code, s.indicator ORDER BY d.comparison_date) AS change,
       s.value >= s.target AS reaches_target
FROM statistics s
JOIN (SELECT comparison_date, max(version) AS version FROM ledger_versions GROUP BY comparison_date) d ON d.version = s.version
"""
"""How each indicator moved from one comparison date to the next: of a date that was restated, the version that stands."""


def definitions_sql() -> str:
    """The statement that creates `statistic_definitions`."""
    entries = (
        f"('{i.code}', '{i.label}', '{i.numerator_words}', '{i.denominator_words}', '{i.source}')" for i in INDICATORS
    )
    return (
        "CREATE OR REPLACE VIEW statistic_definitions AS SELECT * FROM (VALUES "
        f"{', '.join(entries)}) AS v(indicator, label, numerator, denominator, source)"
    )
