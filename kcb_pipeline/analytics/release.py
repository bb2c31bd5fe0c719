"""Builds `analytics.duckdb` from the ledgers, and puts it in place.

The file is made anew every night, from the published ledgers, the key and the rules alone. Nothing that identifies is ever written
into it, not even for a moment: what is in between stands in temporary tables of another database, so that no free page of the file
has held it. Readers keep the file they opened: a new one takes its name when it is whole, and only where it says something else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import duckdb
from filelock import FileLock, Timeout

from kcb_pipeline.analytics import pseudonyms
from kcb_pipeline.analytics.arrivals import shown_from
from kcb_pipeline.analytics.descriptions import CELL, DESCRIPTION, describe
from kcb_pipeline.analytics.risk import measure
from kcb_pipeline.analytics.seal import says_the_same, seal
from kcb_pipeline.analytics.tables import ABOUT, CHILDREN, INTERVAL, RISK, SEAL, TABLES, AnalyticTable, Column
from kcb_pipeline.analytics.views import comment, create_views
from kcb_pipeline.config import Config
from kcb_pipeline.engines.embedded import attach, connect, frame, rows
from kcb_pipeline.errors import KcbError
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.previous import damage_told
from kcb_pipeline.ledgers.publication import LOCK_NAME, LOCK_WAIT_SECONDS
from kcb_pipeline.ledgers.schema import table
from kcb_pipeline.status.reasons import OUT_OF_SCHOOL
from kcb_pipeline.whole import written_whole

PRECISE_FROM: Final = 20
"""A rate of rounded counts is given from a denominator of so many times the smallest cell: below, it says little but how it was rounded."""

_MACROS: Final = (
    "CREATE TEMP MACRO rounded(n) AS CAST(round(coalesce(n, 0) / {smallest}) * {smallest} AS BIGINT)",
    "CREATE TEMP MACRO rate(n, d) AS CASE WHEN rounded(d) >= {least} THEN rounded(n) / rounded(d) END",
)


def build(home: Home, config: Config, path: Path) -> int:
    """Write the file at `path` for the latest published version, which is returned. VerificationError where the ledgers are damaged."""
    key = pseudonyms.read_key(home.folder)
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with connect(None, replace(home.limits(), temporary=path.parent)) as connection:
        with damage_told():
            attach(connection, home.ledgers, "ledgers", read_only=True)
            [(version, day, digest)] = rows(
                connection,
                "SELECT version, comparison_date, content_digest FROM ledgers.ledger_versions ORDER BY version DESC LIMIT 1",
            )
        attach(connection, path, "analytics", read_only=False)
        smallest = config.disclosure.smallest_cell
        for macro in _MACROS:
            connection.execute(macro.format(smallest=smallest, least=PRECISE_FROM * smallest))
        connection.execute("BEGIN")
        _show_children(connection, config, key)
        _create(connection, "children", CHILDREN, f"SELECT {_listed(CHILDREN)} FROM temp.shown s ORDER BY s.child_key")
        for found in TABLES:
            stored = f"{found.name}_history" if found.kind == "history" else found.name
            columns = found.columns + (INTERVAL if found.kind == "history" else ())
            _create(connection, stored, columns, _select(found))
        about = {
            "version": version, "comparison_date": day, "content_digest": digest, "key_id": pseudonyms.key_id(key),
            "smallest": smallest, "entry_age": config.school_age.entry_age,
        }  # fmt: skip
        _create(connection, "about", ABOUT, f"SELECT {_listed(ABOUT)}", about)
        connection.execute("USE analytics")
        create_views(connection, smallest)
        connection.execute("COMMIT")
        _attach_placed(connection, home)
        connection.register("risk", measure(connection, config).to_arrow())
        connection.execute("BEGIN")
        _create(connection, "disclosure_risk", RISK, f"SELECT {_listed(RISK)} FROM risk r")
        _create(connection, "seal", SEAL)
        comment(connection)
        connection.execute("COMMIT")
        connection.unregister("risk")
        connection.execute("CHECKPOINT analytics")
    seal(path, home.limits())
    return int(version)


@contextmanager
def opened(home: Home, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A built file, read-only, beside the ledgers it was made from and the file that it is to replace, where there is one."""
    with connect(path, replace(home.limits(), temporary=path.parent), read_only=True) as connection:
        attach(connection, home.ledgers, "ledgers", read_only=True)
        _attach_placed(connection, home)
        yield connection


def _attach_placed(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """Show the file that analysts have as `placed`, if there is one that can be read: one that cannot be is replaced like none."""
    if placed_version(home) is not None:
        attach(connection, home.analytics, "placed", read_only=True)


def place(home: Home, path: Path) -> tuple[int, bool]:
    """Put a built file where analysts read it: the version that stands there then, and whether it is this one.

    A file of a later version, which another night has put there meanwhile, stays; so does one that says the same, with its bytes. KcbError
    where a publication holds its lock for an hour.
    """
    try:
        with FileLock(home.published / LOCK_NAME, timeout=LOCK_WAIT_SECONDS):
            return _place(home, path)
    except Timeout:
        raise KcbError("a publication has held its lock for an hour: look for a run that hangs") from None


def _place(home: Home, path: Path) -> tuple[int, bool]:
    built = version_of(home, path)
    standing = placed_version(home)
    if standing is not None and standing > built and standing <= _latest(home):
        return standing, False
    if standing == built and says_the_same(path, home.analytics, home.limits()):
        return built, True
    with path.open("rb") as source, written_whole(home.analytics) as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
    descriptor = os.open(home.published, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return built, True


def version_of(home: Home, path: Path) -> int:
    """The version that a file of this kind was made from."""
    with connect(path, home.limits(), read_only=True) as connection:
        return int(rows(connection, "SELECT version FROM about")[0][0])


def placed_version(home: Home) -> int | None:
    """The version that analysts have; None where there is no file, or none that can be read."""
    try:
        return version_of(home, home.analytics) if home.analytics.exists() else None
    except duckdb.Error:
        return None


def _latest(home: Home) -> int:
    with connect(home.ledgers, home.limits(), read_only=True) as connection:
        return int(rows(connection, "SELECT max(version) FROM ledger_versions")[0][0])


_STAYS: Final = """
SELECT child_id, row_number() OVER (PARTITION BY child_id ORDER BY from_version) AS nth, from_version, to_version
FROM (
    SELECT child_id, min(valid_from_version) AS from_version,
           CASE WHEN count(*) = count(valid_to_version) THEN max(valid_to_version) END AS to_version
    FROM (
        SELECT *, sum(starts) OVER (PARTITION BY child_id ORDER BY valid_from_version) AS stay
        FROM (
            SELECT child_id, valid_from_version, valid_to_version,
                   (lag(valid_to_version) OVER (PARTITION BY child_id ORDER BY valid_from_version) IS DISTINCT FROM valid_from_version)::INTEGER AS starts
            FROM ledgers.child_facts_history
        )
    )
    GROUP BY child_id, stay
)
ORDER BY child_id, nth
"""
"""From when to when each child stood in the ledger, however often its row changed meanwhile."""

_KNOWN: Final = f"""
CREATE TEMP TABLE known AS
SELECT t.child_id, t.shown_from_version, CASE WHEN t.is_late THEN v.comparison_date END AS shown_on,
       coalesce(f.division_code, 'unknown') AS division_code, coalesce(f.township_code, 'unknown') AS township_code, f.township_name,
       year(f.birth_date)::INTEGER + (month(f.birth_date) >= 9)::INTEGER AS born, coalesce(f.sex, 'unknown') AS sex,
       coalesce(f.ethnicity, 'unknown') AS ethnicity, f.population_type, coalesce(f.left_behind, false) AS left_behind,
       coalesce(f.migrant, false) AS migrant, coalesce(f.disabled, false) AS disabled, coalesce(f.poverty_household, false) AS poverty_household,
       f.status IN {OUT_OF_SCHOOL} AS is_out
FROM shown_from t
JOIN ledgers.ledger_versions v ON v.version = t.shown_from_version
JOIN ledgers.child_facts_history f ON f.child_id = t.child_id AND f.valid_from_version <= t.shown_from_version
 AND (f.valid_to_version IS NULL OR f.valid_to_version > t.shown_from_version)
"""
"""What could be known of each child in the version that first shows it."""


def _show_children(connection: duckdb.DuckDBPyConnection, config: Config, key: bytes) -> None:
    """Fill `temp.shown`: every child that is shown, with its pseudonym and its description; and `temp.case_keys`."""
    limits = config.disclosure
    versions = [v for (v,) in rows(connection, "SELECT version FROM ledgers.ledger_versions ORDER BY version")]
    connection.register("shown_from", shown_from(frame(connection, _STAYS), versions, limits.smallest_cell).to_arrow())
    connection.execute(_KNOWN)
    connection.unregister("shown_from")
    listed = ", ".join(CELL)
    cells = frame(
        connection,
        f"SELECT {listed}, count(*) AS children, count(*) FILTER (WHERE is_out) AS out_of_school FROM known GROUP BY ALL ORDER BY ALL",
    )
    described = describe(cells, smallest=limits.smallest_cell, most_certain=limits.most_certain)
    connection.register("described", described.to_arrow())
    on = " AND ".join(f"d.{name} IS NOT DISTINCT FROM n.{name}" for name in CELL)
    said = ", ".join(f"d.{name}_said AS {name}" for name in DESCRIPTION)
    connection.execute(
        f"""
        CREATE TEMP TABLE shown AS
        SELECT n.child_id, {pseudonyms.pseudonym_sql("child", "n.child_id")} AS child_key, n.shown_from_version, n.shown_on, {said},
               CASE WHEN d.township_code_said <> 'unknown' THEN w.township_name END AS township_name
        FROM known n JOIN described d ON {on}
        LEFT JOIN (SELECT division_code, township_code, max(township_name) AS township_name FROM known GROUP BY ALL) w
          ON w.division_code = n.division_code AND w.township_code = n.township_code
        """,
        pseudonyms.pads(key),
    )
    connection.unregister("described")
    connection.execute("DROP TABLE known")
    connection.execute(
        f"CREATE TEMP TABLE case_keys AS SELECT case_id, child_id, {pseudonyms.pseudonym_sql('case', 'case_id')} AS case_key "
        "FROM (SELECT DISTINCT case_id, child_id FROM ledgers.cases_history)",
        pseudonyms.pads(key),
    )


def _create(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: tuple[Column, ...],
    select: str | None = None,
    parameters: object = None,
) -> None:
    """Create one table of the file with exactly the listed columns, and the rows that were selected."""
    listed = ", ".join(f'"{column.name}" {column.type}' for column in columns)
    connection.execute(f"CREATE TABLE analytics.{name} ({listed})")
    if select is not None:
        connection.execute(f"INSERT INTO analytics.{name} {select}", parameters)


def _listed(columns: tuple[Column, ...]) -> str:
    return ", ".join(f'{column.expression} AS "{column.name}"' for column in columns)


_JOINS: Final = {
    "child": "JOIN temp.shown s ON s.child_id = r.child_id",
    "case": "JOIN temp.case_keys k ON k.case_id = r.case_id JOIN temp.shown s ON s.child_id = k.child_id",
    "none": "",
}


def _select(found: AnalyticTable) -> str:
    """The rows of one table, in an order that says nothing of the order they came in."""
    if found.kind == "log":
        source = "ledger_versions" if found.source == "ledger_versions" else table(found.source).stored_as
        grouping = (
            f"GROUP BY {', '.join(c.expression for c in found.columns if '(' not in c.expression)}"
            if found.grouped
            else ""
        )
        return (
            f"SELECT {_listed(found.columns)} FROM ledgers.{source} r WHERE {found.condition} {grouping} ORDER BY ALL"
        )
    first = "r.valid_from_version" if found.of == "none" else "greatest(r.valid_from_version, s.shown_from_version)"
    names = ", ".join(f'"{column.name}"' for column in found.columns)
    return f"""
        SELECT {names}, min(valid_from_version) AS valid_from_version,
               CASE WHEN count(*) = count(valid_to_version) THEN max(valid_to_version) END AS valid_to_version
        FROM (
            SELECT *, sum(starts) OVER (PARTITION BY {names} ORDER BY valid_from_version ROWS UNBOUNDED PRECEDING) AS stay
            FROM (
                SELECT *, (valid_from_version > coalesce(max(coalesce(valid_to_version, 2147483647)) OVER (PARTITION BY {names}
                    ORDER BY valid_from_version ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), -1))::INTEGER AS starts
                FROM (
                    SELECT {_listed(found.columns)}, {first} AS valid_from_version, r.valid_to_version
                    FROM ledgers.{table(found.source).stored_as} r {_JOINS[found.of]}
                    WHERE {found.condition} AND {first} < coalesce(r.valid_to_version, 2147483647)
                )
            )
        )
        GROUP BY {names}, stay ORDER BY ALL
    """
