"""What analysts query over the stored tables: the ledgers by their names, current and as of any version, and a comment on everything."""

from __future__ import annotations

from typing import Final

import duckdb

from kcb_pipeline.analytics.tables import ABOUT, CHILDREN, INTERVAL, RISK, SEAL, TABLES, Column
from kcb_pipeline.reporting.statistics import STATISTICS_TREND, definitions_sql
from kcb_pipeline.status.reasons import CATEGORIES, LEDGERS

_GRADE: Final = "CASE WHEN c.born_from = c.born_to THEN least(greatest(year(v.comparison_date - INTERVAL 8 MONTH) - c.born_to - a.entry_age + 1, 1), 9)::INTEGER END"
"""The school year starts on 1 September; a cohort enters in the September after it has reached the entry age."""

_CASE: Final = "case_key, state, reason, severity, opened_version, opened_on, due_on, measure, visits"


def current_and_as_of() -> dict[str, tuple[str, str, str]]:
    """Views by name: what they are called, their query and that of the same as of a version `v`."""
    found: dict[str, tuple[str, str, str]] = {}
    for each in TABLES:
        if each.kind == "history":
            names = ", ".join(f'"{column.name}"' for column in each.columns)
            found[each.name] = (
                each.label,
                f"SELECT {names} FROM {each.name}_history WHERE valid_to_version IS NULL",
                f"SELECT {names} FROM {each.name}_history WHERE valid_from_version <= v AND (valid_to_version IS NULL OR valid_to_version > v)",
            )
    described = ", ".join(f"c.{column.name}" for column in CHILDREN)
    stated = "s.status, s.status_reason, s.status_since, s.match_method, s.match_probability"
    children = (
        f"SELECT {described}, {_GRADE} AS expected_grade, {stated} FROM children c JOIN child_statuses{{as_of}} s ON s.child_key = c.child_key "
        "CROSS JOIN about a JOIN ledger_versions v ON v.version = {version}"
    )
    found["school_age_children"] = (
        "适龄儿童台账",
        children.format(as_of="", version="a.version"),
        children.format(as_of="_as_of(v)", version="v"),
    )
    category = " ".join(
        f"WHEN c.status_reason IN ({', '.join(repr(code) for code in codes)}) THEN '{label}'"
        for label, codes in CATEGORIES.items()
    )
    for name, held in LEDGERS.items():
        statuses = ", ".join(repr(status) for status in held)
        ledger = (
            f"SELECT c.*, k.{_CASE.replace(', ', ', k.').replace('k.reason', 'k.reason AS case_reason')}, "
            f"date_diff('day', k.opened_on, v.comparison_date) AS days_open, CASE {category} END AS category "
            "FROM school_age_children{as_of} c JOIN cases{as_of} k ON k.child_key = c.child_key CROSS JOIN about a "
            f"JOIN ledger_versions v ON v.version = {{version}} WHERE c.status IN ({statuses})"
        )
        label = "疑似辍学学生台账" if name == "suspected_dropouts" else "辍学学生台账"
        found[name] = (
            label,
            ledger.format(as_of="", version="a.version"),
            ledger.format(as_of="_as_of(v)", version="v"),
        )
    return found


_CHANGES: Final = """
CREATE MACRO status_changes(from_version, to_version) AS TABLE
SELECT coalesce(n.child_key, o.child_key) AS child_key,
       CASE WHEN o.child_key IS NULL THEN 'entered' WHEN n.child_key IS NULL THEN 'left' ELSE 'changed' END AS change,
       o.status AS status_before, n.status AS status_after, o.status_reason AS reason_before, n.status_reason AS reason_after
FROM child_statuses_as_of(from_version) o FULL JOIN child_statuses_as_of(to_version) n ON n.child_key = o.child_key
WHERE o.child_key IS NULL OR n.child_key IS NULL OR o.status <> n.status OR o.status_reason <> n.status_reason
"""
_PUBLISHABLE: Final = """
CREATE MACRO publishable(n) AS CASE WHEN n = 0 OR n >= {smallest} THEN n END
"""
"""A count as it may be printed: missing where it is small."""
_VERSION_ON: Final = """
CREATE MACRO version_on(day) AS (
    SELECT version FROM ledger_versions WHERE comparison_date <= day ORDER BY comparison_date DESC, version DESC LIMIT 1
)
"""

MACROS: Final = {
    "version_on(day)": "某日有效的版本号",
    "status_changes(from_version, to_version)": "两个版本之间列入、移出与变化的儿童",
    "publishable(n)": "可以对外的计数：小于最小单元数的为空",
}
"""Macros beside the `_as_of(v)` ones, for the documentation."""


def create_views(connection: duckdb.DuckDBPyConnection, smallest: int) -> None:
    """Create every view and macro in the file in use; counts below `smallest` are not for print."""
    for name, (_, current, as_of) in current_and_as_of().items():
        connection.execute(f"CREATE VIEW {name} AS {current}")
        connection.execute(f"CREATE MACRO {name}_as_of(v) AS TABLE {as_of}")
    connection.execute(STATISTICS_TREND)
    connection.execute(definitions_sql())
    for macro in (_CHANGES, _PUBLISHABLE.format(smallest=smallest), _VERSION_ON):
        connection.execute(macro)


def documented() -> dict[str, tuple[str, tuple[Column, ...]]]:
    """Every stored table with its label and columns, in order."""
    found = {
        "about": ("文件说明", ABOUT),
        "disclosure_risk": ("重识别风险", RISK),
        "seal": ("封印", SEAL),
        "children": ("儿童的描述", CHILDREN),
    }
    for each in TABLES:
        is_history = each.kind == "history"
        name = f"{each.name}_history" if is_history else each.name
        found[name] = (
            each.label + ("（全部版本）" if is_history else ""),
            each.columns + (INTERVAL if is_history else ()),
        )
    return found


def view_labels() -> dict[str, str]:
    """Every view with what it is called."""
    return {
        **{name: f"{label}（现行版本）" for name, (label, _, _) in current_and_as_of().items()},
        "statistics_trend": "统计指标走势（每个比对日期取现行版本）",
        "statistic_definitions": "统计指标的定义",
    }


_VIEW_COLUMNS: Final = {
    "expected_grade": "应在年级（1至9；出生年度隐去时为空）", "case_reason": "立案原因代码", "days_open": "立案天数（至该版本比对日期）",
    "category": "类别：失学，长期请假，疑似辍学，辍学", "change": "较前一比对日期的变化", "reaches_target": "是否达到目标值",
    "label": "指标名称", "numerator": "分子", "denominator": "分母", "source": "定义与依据", "indicator": "指标",
}  # fmt: skip


def comment(connection: duckdb.DuckDBPyConnection) -> None:
    """Say of every table, view and column what it is, in Chinese."""
    labels = dict(_VIEW_COLUMNS)
    for name, (label, columns) in documented().items():
        connection.execute(f"COMMENT ON TABLE {name} IS '{label}'")
        for column in columns:
            connection.execute(f"COMMENT ON COLUMN {name}.\"{column.name}\" IS '{column.label}'")
            labels.setdefault(column.name, column.label)
    for name, label in view_labels().items():
        connection.execute(f"COMMENT ON VIEW {name} IS '{label}'")
        for (column,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND database_name = current_database() ORDER BY column_index",
            [name],
        ).fetchall():
            connection.execute(f"COMMENT ON COLUMN {name}.\"{column}\" IS '{labels[column]}'")
