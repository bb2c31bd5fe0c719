"""What readers see over the stored tables: current views, as-of macros, what changed, rosters, and a Chinese comment on everything."""

from __future__ import annotations

from typing import Final

import duckdb

from kcb_pipeline.ledgers.rosters import ROSTERS
from kcb_pipeline.ledgers.schema import CASE_FIELDS, CHILD_FIELDS, SHOWN_FIELDS, TABLES, VERSION_FIELDS, Field, table
from kcb_pipeline.reporting.statistics import STATISTICS_TREND, definitions_sql
from kcb_pipeline.status.reasons import CATEGORIES

_HISTORY_FIELDS: Final = (
    Field("valid_from_version", "INTEGER", "自此版本起有效"),
    Field("valid_to_version", "INTEGER", "自此版本起失效（现行为空）"),
)
_VERSION_FIELD: Final = Field("version", "INTEGER", "版本号")

_CASE_LEDGERS: Final = (table("suspected_dropouts"), table("dropouts"))
_LABELLED_WITH_VERSION: Final = ("duplicate_enrolments", "duplicate_persons", "registry_only")
"""Tables of the contract that carry a `version` column though they are kept as histories."""


def create_views(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Create or replace every view and macro, and comment on every table, view and column. `version` is the current one."""
    for found in TABLES:
        if found.keeping == "history" and not found.computes:
            names = ", ".join(f'"{name}"' for name in found.columns)
            versioned = f"{version} AS version, " if found.name in _LABELLED_WITH_VERSION else ""
            as_of = "v AS version, " if versioned else ""
            connection.execute(
                f"CREATE OR REPLACE VIEW {found.name} AS SELECT {versioned}{names} FROM {found.stored_as} WHERE valid_to_version IS NULL"
            )
            connection.execute(
                f"CREATE OR REPLACE MACRO {found.name}_as_of(v) AS TABLE SELECT {as_of}{names} FROM {found.stored_as} "
                f"WHERE valid_from_version <= v AND (valid_to_version IS NULL OR valid_to_version > v)"
            )
    _create_children(connection)
    _create_case_ledgers(connection)
    _create_changes(connection)
    for roster in ROSTERS:
        connection.execute(f"CREATE OR REPLACE VIEW {roster.name} AS {roster.sql}")
    connection.execute(STATISTICS_TREND)
    connection.execute(definitions_sql())
    connection.execute(_VERSION_ON)
    _comment(connection)


_VERSION_ON = """
CREATE OR REPLACE MACRO version_on(day) AS (
    SELECT version FROM ledger_versions WHERE comparison_date <= day ORDER BY comparison_date DESC, version DESC LIMIT 1
)
"""
"""The version that stood for a day, to be given to the `_as_of` macros."""


def _create_children(connection: duckdb.DuckDBPyConnection) -> None:
    """适龄儿童台账: what is said of a child and the day's row numbers are kept apart, because the latter move when nothing changes."""
    facts = table("child_facts").columns
    columns = ", ".join(f'f."{name}"' for name in facts) + ", r.population_row, r.registry_row"
    connection.execute(
        f"CREATE OR REPLACE VIEW school_age_children AS SELECT {columns} FROM child_facts_history f "
        f"JOIN child_rows_history r ON r.child_id = f.child_id AND r.valid_to_version IS NULL WHERE f.valid_to_version IS NULL"
    )
    connection.execute(
        f"""
        CREATE OR REPLACE MACRO school_age_children_as_of(v) AS TABLE
        SELECT {columns} FROM child_facts_history f JOIN child_rows_history r ON r.child_id = f.child_id
        WHERE f.valid_from_version <= v AND (f.valid_to_version IS NULL OR f.valid_to_version > v)
          AND r.valid_from_version <= v AND (r.valid_to_version IS NULL OR r.valid_to_version > v)
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE VIEW school_age_children_history AS
        SELECT {columns}, greatest(f.valid_from_version, r.valid_from_version) AS valid_from_version,
               least(f.valid_to_version, r.valid_to_version) AS valid_to_version
        FROM child_facts_history f JOIN child_rows_history r ON r.child_id = f.child_id
         AND f.valid_from_version < coalesce(r.valid_to_version, 2147483647)
         AND r.valid_from_version < coalesce(f.valid_to_version, 2147483647)
        """
    )


def _create_case_ledgers(connection: duckdb.DuckDBPyConnection) -> None:
    """疑似辍学 and 辍学. Days open move every night and are not stored: they count to the comparison date of the version that is asked for,
    and in the history to that of the last version in which the row stood."""
    columns = ", ".join(f'l."{field.name}"' for field in (*CHILD_FIELDS, *CASE_FIELDS))
    listed = {label: ", ".join(f"'{code}'" for code in codes) for label, codes in CATEGORIES.items()}
    category = " ".join(f"WHEN l.status_reason IN ({codes}) THEN '{label}'" for label, codes in listed.items())
    shown = f"{columns}, date_diff('day', l.opened_on, v.comparison_date) AS days_open, CASE {category} END AS category"
    for ledger in _CASE_LEDGERS:
        name, stored = ledger.name, ledger.stored_as
        connection.execute(
            f"CREATE OR REPLACE VIEW {name}_history AS SELECT {shown}, l.valid_from_version, l.valid_to_version FROM {stored} l "
            "JOIN ledger_versions v ON v.version = coalesce(l.valid_to_version - 1, (SELECT max(version) FROM ledger_versions))"
        )
        connection.execute(
            f"CREATE OR REPLACE VIEW {name} AS SELECT {columns}, l.days_open, l.category FROM {name}_history l WHERE l.valid_to_version IS NULL"
        )
        connection.execute(
            f"CREATE OR REPLACE MACRO {name}_as_of(v) AS TABLE "
            f"SELECT {shown.replace('v.comparison_date', 'w.comparison_date')} FROM {stored} l JOIN ledger_versions w ON w.version = v "
            f"WHERE l.valid_from_version <= v AND (l.valid_to_version IS NULL OR l.valid_to_version > v)"
        )


def _create_changes(connection: duckdb.DuckDBPyConnection) -> None:
    """`ledger_changes(from_version, to_version)`: what entered, left and changed in each ledger between two versions, and which columns."""
    parts = []
    for ledger, stored in (
        ("school_age_children", "child_facts"),
        ("suspected_dropouts", "suspected_dropouts"),
        ("dropouts", "dropouts"),
    ):
        found = table(stored)
        moving = [name for name in found.columns if name not in ("child_id", "population_row", "registry_row")]
        changed = ", ".join(f'CASE WHEN o."{name}" IS DISTINCT FROM n."{name}" THEN \'{name}\' END' for name in moving)
        differs = " OR ".join(f'o."{name}" IS DISTINCT FROM n."{name}"' for name in moving)
        parts.append(
            f"""
            SELECT '{ledger}' AS ledger, coalesce(n.child_id, o.child_id) AS child_id,
                   CASE WHEN o.child_id IS NULL THEN 'entered' WHEN n.child_id IS NULL THEN 'left' ELSE 'changed' END AS change,
                   o.status AS status_before, n.status AS status_after, o.status_reason AS reason_before, n.status_reason AS reason_after,
                   CASE WHEN o.child_id IS NOT NULL AND n.child_id IS NOT NULL THEN list_filter([{changed}], lambda c: c IS NOT NULL) END AS changed_columns
            FROM (SELECT * FROM {found.stored_as} WHERE valid_from_version <= from_version
                    AND (valid_to_version IS NULL OR valid_to_version > from_version)) o
            FULL JOIN (SELECT * FROM {found.stored_as} WHERE valid_from_version <= to_version
                    AND (valid_to_version IS NULL OR valid_to_version > to_version)) n ON n.child_id = o.child_id
            WHERE o.child_id IS NULL OR n.child_id IS NULL OR ({differs})
            """
        )
    connection.execute(
        f"CREATE OR REPLACE MACRO ledger_changes(from_version, to_version) AS TABLE {' UNION ALL '.join(parts)}"
    )


_TREND_FIELDS: Final = (
    Field("comparison_date", "DATE", "比对日期"), _VERSION_FIELD, *table("statistics").fields, Field("change", "DOUBLE", "较前一比对日期的变化"),
    Field("reaches_target", "BOOLEAN", "是否达到目标值"),
)  # fmt: skip
_DEFINITION_FIELDS: Final = (
    Field("indicator", "VARCHAR", "指标"), Field("label", "VARCHAR", "指标名称"), Field("numerator", "VARCHAR", "分子的含义"),
    Field("denominator", "VARCHAR", "分母的含义"), Field("source", "VARCHAR", "定义与依据"),
)  # fmt: skip
_LINK_LABELS: Final = {
    "version": "版本号",
    "population_type": "人口类型：registered 户籍，resident 流动",
    "population_row": "人口数据行号",
    "registry_row": "学籍数据行号",
    "decision": "判定：linked 认定，review 待核，rejected 未采用",
    "method": "匹配方式：id_number 证件号码，probabilistic 概率，reviewed 人工核定",
    "reason": "判定原因代码",
    "match_weight": "匹配权重（后验比对数，以2为底；等于先验与各项权重之和）",
    "probability": "匹配概率（计入竞争候选）",
    "runner_up_gap": "与次优方案的差距（以2为底）",
    "w_prior": "先验权重",
}


def _comment(connection: duckdb.DuckDBPyConnection) -> None:
    for found in TABLES:
        fields = found.fields + (_HISTORY_FIELDS if found.keeping == "history" else (_VERSION_FIELD,))
        label = found.label + ("（全部版本）" if found.keeping == "history" else "")
        _comment_on(connection, "TABLE", found.stored_as, label, fields)
        if found.keeping == "history":
            fields = (_VERSION_FIELD, *found.fields) if found.name in _LABELLED_WITH_VERSION else found.fields
            fields = (*fields, *SHOWN_FIELDS) if found.computes else fields
            _comment_on(connection, "VIEW", found.name, f"{found.label}（现行版本）", fields)
            if found.computes:
                _comment_on(connection, "VIEW", f"{found.name}_history", label, (*fields, *_HISTORY_FIELDS))
    _comment_on(connection, "TABLE", "ledger_versions", "台账版本", VERSION_FIELDS)
    _comment_on(connection, "VIEW", "school_age_children", "适龄儿童台账（现行版本）", CHILD_FIELDS)
    _comment_on(
        connection, "VIEW", "school_age_children_history", "适龄儿童台账（全部版本）", (*CHILD_FIELDS, *_HISTORY_FIELDS)
    )
    for roster in ROSTERS:
        _comment_on(connection, "VIEW", roster.name, f"{roster.label}（依据：{roster.source}）", roster.fields)
    _comment_on(connection, "VIEW", "statistics_trend", "统计指标走势（每个比对日期取现行版本）", _TREND_FIELDS)
    _comment_on(connection, "VIEW", "statistic_definitions", "统计指标的定义", _DEFINITION_FIELDS)
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'links' AND database_name = current_database()"
        ).fetchall()
    ]
    _comment_on(
        connection, "TABLE", "links", "户籍与学籍的匹配结果（现行版本）",
        tuple(Field(name, "", link_label(name)) for name in columns),
    )  # fmt: skip


def link_label(column: str) -> str:
    """What a column of `links` is called in Chinese; empty for one that is not published."""
    return _LINK_LABELS.get(column, f"{column.removeprefix('w_')} 一项的权重" if column.startswith("w_") else "")


def _comment_on(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, label: str, fields: tuple[Field, ...]
) -> None:
    connection.execute(f"COMMENT ON {kind} {name} IS '{_quoted(label)}'")
    for field in fields:
        connection.execute(f"COMMENT ON COLUMN {name}.\"{field.name}\" IS '{_quoted(field.label)}'")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
