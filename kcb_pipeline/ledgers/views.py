"""What readers see over the stored tables: current views, as-of macros, what changed, rosters, and a Chinese comment on everything."""

from __future__ import annotations

from typing import Final

import duckdb

from kcb_pipeline.ledgers.schema import CASE_FIELDS, CHILD_FIELDS, TABLES, VERSION_FIELDS, Field, table

_HISTORY_FIELDS: Final = (
    Field("valid_from_version", "INTEGER", "自此版本起有效"),
    Field("valid_to_version", "INTEGER", "自此版本起失效（现行为空）"),
)
_VERSION_FIELD: Final = Field("version", "INTEGER", "版本号")

_LABELLED_WITH_VERSION: Final = ("duplicate_enrolments", "duplicate_persons", "registry_only")
"""Tables of the contract that carry a `version` column though they are kept as histories."""

_ROSTERS: Final = {
    "enrolment_roster": ("入学花名册：在学及其他已落实就学的适龄儿童", "status IN ('enrolled', 'enrolled_elsewhere', 'special_provision', 'on_leave')"),
    "unenrolled_roster": ("未入学花名册：未入学、疑似辍学、辍学及延缓入学的适龄儿童", "status IN ('unenrolled', 'suspected', 'dropout', 'deferred')"),
    "disabled_children": ("残疾儿童花名册", "disabled"),
    "left_behind_children": ("留守儿童台账", "left_behind"),
    "migrant_children": ("随迁子女名册", "migrant OR population_type = 'resident'"),
    "poverty_dropouts": ("脱贫户辍学学生：第三比对，疑似辍学及辍学学生与脱贫户数据比对", "poverty_household AND status IN ('unenrolled', 'suspected', 'dropout')"),
}  # fmt: skip


def create_views(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Create or replace every view and macro, and comment on every table, view and column. `version` is the current one."""
    for found in TABLES:
        if found.keeping == "history":
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
    for name, (_, condition) in _ROSTERS.items():
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM school_age_children WHERE {condition}")
    connection.execute(_MIGRANT_HOUSEHOLDS)
    _comment(connection)


_MIGRANT_HOUSEHOLDS = """
CREATE OR REPLACE VIEW migrant_households AS
SELECT household_id, division_code, township_code, township_name, count(*) AS children,
       count(*) FILTER (WHERE status = 'enrolled_elsewhere') AS elsewhere,
       count(*) FILTER (WHERE status IN ('unenrolled', 'suspected', 'dropout')) AS not_found,
       min(guardian_name) AS guardian_name, min(guardian_phone) AS guardian_phone
FROM school_age_children
WHERE population_type = 'registered' AND household_id IS NOT NULL
GROUP BY household_id, division_code, township_code, township_name
HAVING bool_and(status IN ('enrolled_elsewhere', 'unenrolled') OR (status = 'enrolled' AND school_division_code <> division_code))
"""
"""举家外出台账: every child of the household is studying elsewhere or is found nowhere."""


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
    """疑似辍学 and 辍学: days open count to the comparison date of the version that is asked for."""
    columns = ", ".join(f'l."{field.name}"' for field in (*CHILD_FIELDS, *CASE_FIELDS))
    for name in ("suspected_dropouts", "dropouts"):
        connection.execute(
            f"CREATE OR REPLACE VIEW {name} AS SELECT {columns}, date_diff('day', l.opened_on, v.comparison_date) AS days_open "
            f"FROM {name}_history l CROSS JOIN (SELECT comparison_date FROM ledger_versions ORDER BY version DESC LIMIT 1) v "
            f"WHERE l.valid_to_version IS NULL"
        )
        connection.execute(
            f"CREATE OR REPLACE MACRO {name}_as_of(v) AS TABLE SELECT {columns}, date_diff('day', l.opened_on, w.comparison_date) AS days_open "
            f"FROM {name}_history l JOIN ledger_versions w ON w.version = v "
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


_DAYS_OPEN: Final = Field("days_open", "BIGINT", "立案天数（至该版本比对日期）")
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
            extra = (_DAYS_OPEN,) if found.name in ("suspected_dropouts", "dropouts") else ()
            _comment_on(connection, "VIEW", found.name, f"{found.label}（现行版本）", (*fields, *extra))
    _comment_on(connection, "TABLE", "ledger_versions", "台账版本", VERSION_FIELDS)
    _comment_on(connection, "VIEW", "school_age_children", "适龄儿童台账（现行版本）", CHILD_FIELDS)
    _comment_on(
        connection, "VIEW", "school_age_children_history", "适龄儿童台账（全部版本）", (*CHILD_FIELDS, *_HISTORY_FIELDS)
    )
    for name, (label, _) in _ROSTERS.items():
        _comment_on(connection, "VIEW", name, label, CHILD_FIELDS)
    households = (
        Field("household_id", "", "户号"), Field("division_code", "", "户籍地行政区划代码"), Field("township_code", "", "乡镇街道代码"),
        Field("township_name", "", "乡镇街道"), Field("children", "", "适龄儿童数"), Field("elsewhere", "", "外地就读人数"),
        Field("not_found", "", "未找到就学记录人数"), Field("guardian_name", "", "监护人姓名"), Field("guardian_phone", "", "监护人联系电话"),
    )  # fmt: skip
    _comment_on(
        connection,
        "VIEW",
        "migrant_households",
        "举家外出台账：户籍在本地而适龄儿童均在外地就读或未找到就学记录的家庭",
        households,
    )
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'links' AND database_name = current_database()"
        ).fetchall()
    ]
    _comment_on(
        connection, "TABLE", "links", "户籍与学籍的匹配结果（现行版本）",
        tuple(Field(name, "", _LINK_LABELS.get(name, f"{name.removeprefix('w_')} 一项的权重")) for name in columns),
    )  # fmt: skip


def _comment_on(
    connection: duckdb.DuckDBPyConnection, kind: str, name: str, label: str, fields: tuple[Field, ...]
) -> None:
    connection.execute(f"COMMENT ON {kind} {name} IS '{_quoted(label)}'")
    for field in fields:
        connection.execute(f"COMMENT ON COLUMN {name}.\"{field.name}\" IS '{_quoted(field.label)}'")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
