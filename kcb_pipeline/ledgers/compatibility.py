"""Is a published file one that this program can read and go on with? Its tables say so themselves: no number has to be kept in step.

A version's digest covers columns by name, so a file of another schema can neither be verified nor continued; it is refused before
anything is asked of it, with the program that wrote it and what to do (docs/operations/upgrade.md).
"""

from __future__ import annotations

from typing import Final

import duckdb

from kcb_pipeline import __version__
from kcb_pipeline.engines.embedded import rows, scalar
from kcb_pipeline.errors import SchemaError
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS

_MOST_DIFFERENCES = 3

GUIDE: Final = "docs/operations/upgrade.md"


def refuse_other_schema(connection: duckdb.DuckDBPyConnection) -> None:
    """Raises SchemaError where the published file in use has other tables or columns than this program publishes."""
    expected = {(found.stored_as, field.name): field.type for found in TABLES for field in found.fields}
    expected |= {("ledger_versions", field.name): field.type for field in VERSION_FIELDS}
    names = {table for table, _ in expected}
    kept = ("valid_from_version", "valid_to_version", "version")
    there = {
        (table, column): kind
        for table, column, kind in rows(
            connection,
            "SELECT table_name, column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = 'main'",
        )
        if table in names and ((table, column) in expected or column not in kept)
    }
    if there == expected:
        return
    differences = [
        *(f"it has no {table}.{column}" for table, column in sorted(expected.keys() - there.keys())),
        *(f"it has {table}.{column}" for table, column in sorted(there.keys() - expected.keys())),
        *(
            f"its {table}.{column} is {there[table, column]}"
            for table, column in sorted(there.keys() & expected.keys())
            if there[table, column] != expected[table, column]
        ),
    ]
    shown = ", ".join(differences[:_MOST_DIFFERENCES])
    more = f" and {len(differences) - _MOST_DIFFERENCES} more" if len(differences) > _MOST_DIFFERENCES else ""
    raise SchemaError(
        f"ledgers.duckdb was published by kcb {_written_by(connection, there)} with another schema than that of this kcb {__version__} "
        f"({shown}{more}): go on with the program that published it, or publish its dates anew, as {GUIDE} says"
    )


def _written_by(connection: duckdb.DuckDBPyConnection, there: dict[tuple[str, str], str]) -> str:
    if ("ledger_versions", "code_version") not in there:
        return "of unknown version"
    written = scalar(connection, "SELECT max_by(code_version, version) FROM ledger_versions")
    return str(written or "of unknown version")
