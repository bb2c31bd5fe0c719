"""How far a built file lets its reader find a child, measured as the reader would: from the file, and from what else is known.

This shares nothing with what made the file: every column of `children` but the pseudonym counts as known to an intruder, whoever added
it, and groups are counted by plain grouping. An intruder may know of a child what its neighbours do, when it came included, may keep
the file of the version before, and has the bulletin. It does not know what the registry or the case says of the child: that is what it is after
(docs/adr/0008).
"""

from __future__ import annotations

from typing import Final

import duckdb
import polars as pl

from kcb_pipeline.analytics.views import documented
from kcb_pipeline.config import Config
from kcb_pipeline.engines.embedded import rows, scalar
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.status.reasons import OUT_OF_SCHOOL

_PSEUDONYMS: Final = ("child_key", "case_key")


def measure(connection: duckdb.DuckDBPyConnection, config: Config) -> pl.DataFrame:
    """One row of numbers. Wants the file in use, `ledgers`, and `placed` where there is a file to be replaced.

    groups, children: how many. smallest_group, children_in_small_groups: of all descriptions; unique_children: alone in theirs;
    average_risk: the mean chance that a reader who knows a child picks its row. unique_in_ledgers: the share of children who are alone in
    the ledgers by birth date, sex and township, for comparison. newcomers_in_small_groups: of those the file before does not
    have. redescribed: of those it has, by another description. children_given_away: in groups too many of whom are out of
    school. lines_by_subtraction: townships, or the whole, whose children less those of the file are a few. columns_not_listed;
    identities: values of the ledgers' identifying columns in any column of words.
    """
    smallest, certain = config.disclosure.smallest_cell, config.disclosure.most_certain
    known = _known(connection)
    groups = f"SELECT {known}, count(*) AS n FROM children GROUP BY ALL"
    [(count, children, least, small, unique)] = rows(
        connection,
        f"SELECT count(*), coalesce(sum(n), 0), min(n), coalesce(sum(n) FILTER (WHERE n < {smallest}), 0), count(*) FILTER (WHERE n = 1) FROM ({groups})",
    )
    given_away = scalar(
        connection,
        f"""
        SELECT coalesce(sum(n), 0) FROM (
            SELECT count(*) AS n, count(*) FILTER (WHERE s.status IN {OUT_OF_SCHOOL}) AS out_of_school
            FROM children c JOIN child_statuses s ON s.child_key = c.child_key GROUP BY {", ".join(f"c.{name}" for name in known.split(", "))}
        ) WHERE out_of_school > {certain} * n
        """,
    )
    newcomers, redescribed = _against_the_file_before(connection, known, smallest)
    found = {
        "children": children, "groups": count, "smallest_group": least, "children_in_small_groups": small, "unique_children": unique,
        "average_risk": count / children if children else None, "unique_in_ledgers": _unique_in_ledgers(connection),
        "newcomers_in_small_groups": newcomers, "redescribed": redescribed, "children_given_away": given_away,
        "lines_by_subtraction": _lines_by_subtraction(connection, smallest),
        "columns_not_listed": _columns_not_listed(connection), "identities": _identities(connection),
    }  # fmt: skip
    schema = {name: pl.Float64 if name in ("average_risk", "unique_in_ledgers") else pl.Int64 for name in found}
    return pl.DataFrame([{name: None if v is None else float(v) if schema[name] == pl.Float64 else int(v) for name, v in found.items()}], schema=schema)  # fmt: skip


def _columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    return [
        (table, column, kind)
        for table, column, kind in rows(
            connection,
            "SELECT c.table_name, c.column_name, c.data_type FROM duckdb_columns() c JOIN duckdb_tables() t "
            "ON t.database_name = c.database_name AND t.table_name = c.table_name "
            "WHERE c.database_name = current_database() ORDER BY c.table_name, c.column_index",
        )
    ]


def _known(connection: duckdb.DuckDBPyConnection) -> str:
    return ", ".join(
        f'"{column}"' for table, column, _ in _columns(connection) if table == "children" and column != "child_key"
    )


def _columns_not_listed(connection: duckdb.DuckDBPyConnection) -> int:
    listed = {(table, column.name) for table, (_, columns) in documented().items() for column in columns}
    return sum((table, column) not in listed for table, column, _ in _columns(connection))


def _against_the_file_before(connection: duckdb.DuckDBPyConnection, known: str, smallest: int) -> tuple[int, int]:
    """Newcomers whose group among the newcomers is small, and children who are described otherwise than before."""
    if not scalar(connection, "SELECT count(*) FROM duckdb_databases() WHERE database_name = 'placed'"):
        return 0, 0
    before = {
        name for (name,) in rows(connection, "SELECT column_name FROM duckdb_columns() WHERE database_name = 'placed' AND table_name = 'children'")
    }  # fmt: skip
    both = [name for name in known.split(", ") if name.strip('"') in before]
    differs = " OR ".join(f"o.{name} IS DISTINCT FROM n.{name}" for name in both) or "false"
    newcomers = scalar(
        connection,
        f"SELECT coalesce(sum(n), 0) FROM (SELECT {known}, count(*) AS n FROM children c "
        f"WHERE NOT EXISTS (SELECT 1 FROM placed.children o WHERE o.child_key = c.child_key) GROUP BY ALL) WHERE n < {smallest}",
    )
    redescribed = scalar(
        connection,
        f"SELECT count(*) FROM children n JOIN placed.children o ON o.child_key = n.child_key WHERE {differs}",
    )
    return int(newcomers), int(redescribed)


def _unique_in_ledgers(connection: duckdb.DuckDBPyConnection) -> float | None:
    share = scalar(
        connection,
        "SELECT count(*) FILTER (WHERE n = 1) / nullif(sum(n), 0) FROM (SELECT count(*) AS n FROM ledgers.child_facts_history "
        "WHERE valid_to_version IS NULL GROUP BY birth_date, sex, township_code)",
    )
    return None if share is None else float(share)


def _lines_by_subtraction(connection: duckdb.DuckDBPyConnection, smallest: int) -> int:
    """Lines of the bulletin (townships, and the whole) from which the file leaves a few children."""
    return int(
        scalar(
            connection,
            f"""
            WITH told AS (
                SELECT coalesce(f.township_code, 'unknown') AS township_code, count(*) AS n
                FROM ledgers.child_facts_history f, about a
                WHERE f.valid_from_version <= a.version AND (f.valid_to_version IS NULL OR f.valid_to_version > a.version) AND f.status <> 'departed'
                GROUP BY ALL
            ), shown AS (
                SELECT c.township_code, count(*) AS n FROM children c JOIN child_statuses s ON s.child_key = c.child_key
                WHERE s.status <> 'departed' GROUP BY ALL
            ), lines AS (
                SELECT t.n - coalesce(s.n, 0) AS left_over FROM told t LEFT JOIN shown s ON s.township_code = t.township_code
                UNION ALL SELECT (SELECT sum(n) FROM told) - (SELECT sum(n) FROM shown)
            )
            SELECT count(*) FROM lines WHERE abs(left_over) BETWEEN 1 AND {smallest - 1}
            """,
        )
    )


_IDENTIFYING: Final = (
    "child_id",
    "id_number",
    "name",
    "household_id",
    "guardian_name",
    "guardian_phone",
    "student_number",
    "village_code",
)


def _identities(connection: duckdb.DuckDBPyConnection) -> int:
    """Different values in columns of words that identify somebody in the ledgers; pseudonyms against the numbers they stand for.

    A word of a code list names nobody, though somebody may be called so.
    """
    codes = sorted(
        {
            value
            for source in sources().values()
            for column in source.columns
            if column.code_list
            for value in column.code_list.spellings.values()
        }
    )
    words = " UNION ".join(
        f'SELECT "{column}" AS word FROM {table} WHERE "{column}" IS NOT NULL'
        for table, column, kind in _columns(connection)
        if kind == "VARCHAR" and (column not in _PSEUDONYMS or table in ("children", "cases_history"))
    )
    identifying = " UNION ALL ".join(
        f"SELECT {column} AS word FROM ledgers.child_facts_history WHERE valid_to_version IS NULL"
        for column in _IDENTIFYING
    )
    return int(
        scalar(
            connection,
            f"SELECT count(*) FROM ({words}) w WHERE w.word IN (SELECT word FROM ({identifying}) WHERE word IS NOT NULL) "
            "AND NOT list_contains($codes::VARCHAR[], w.word)",
            {"codes": codes},
        )
    )
