"""The digest chain: what a version says, as one number that its successor carries, so that a changed cell is found.

Every row of every history table that stands in a version is hashed; row hashes are gathered in buckets, bucket hashes in one digest,
each in order, so that the result depends on content alone and costs one pass. The version's own row of `ledger_versions` is one of its
rows: through it `content_digest` covers the digests of the version before and of the extracts, and one digest that somebody has
kept vouches for all of them. So extracts saved again with the same cells are another version with another digest.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from kcb_pipeline.engines.embedded import frame, rows
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS, Table

UNSEALED = ("published_at", "run_id", "content_digest", "seal")
"""Columns of `ledger_versions` that the content digest does not cover: they say when and how, not what."""


def content_digest(connection: duckdb.DuckDBPyConnection, version: int, header: Mapping[str, object]) -> str:
    """sha-256 over the header and over every row that stands in the version, in a fixed order."""
    digest = hashlib.sha256(_written(header).encode())
    for table in TABLES:
        digest.update(f"{table.name}\0{_table_digest(connection, table, version)}\n".encode())
    return digest.hexdigest()


def _table_digest(connection: duckdb.DuckDBPyConnection, table: Table, version: int) -> str:
    return rows_digest(connection, table.stored_as, table.columns, standing_in(table, version))


def standing_in(table: Table, version: int) -> str:
    """The condition that a stored row of a table stands in a version."""
    if table.keeping == "history":
        return f"valid_from_version <= {version} AND (valid_to_version IS NULL OR valid_to_version > {version})"
    return f"version = {version}"


def rows_digest(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], where: str) -> str:
    """sha-256 over the rows of a table that a condition holds for, whatever their order."""
    # No cell is what chr(30) is, and a cell that holds it has it twice: so no two rows are written alike.
    written = [
        f'coalesce(replace(cast("{name}" AS VARCHAR), chr(30), chr(30) || chr(30)), chr(30))' for name in columns
    ]
    # concat_ws takes at most as many arguments as the table has columns; chr(31) never occurs in a landed cell.
    row_digest = f"sha256(concat_ws(chr(31), {', '.join(written)}))"
    # DuckDB sorts them, and spills what memory cannot hold; gathered there too, by an aggregate, it would have to hold those of a province.
    found = connection.sql(f"SELECT {row_digest} AS row_digest FROM {table} WHERE {where} ORDER BY row_digest")
    whole, bucket, of_bucket = hashlib.sha256(), b"", hashlib.sha256()
    for batch in found.to_arrow_reader(_ROWS_AT_ONCE):
        [digests] = batch.cast(_HEXADECIMAL).columns
        bytes_of_all = memoryview(digests.buffers()[1])
        buckets = np.frombuffer(
            bytes_of_all, dtype=np.dtype([("bucket", f"S{_BUCKET}"), ("rest", f"S{_DIGEST - _BUCKET}")])
        )["bucket"]
        begins = np.flatnonzero(buckets[1:] != buckets[:-1]) + 1
        for begin, end in itertools.pairwise([0, *begins.tolist(), len(digests)]):
            if buckets[begin] != bucket:
                whole.update(_gathered(bucket, of_bucket))
                bucket, of_bucket = bytes(buckets[begin]), hashlib.sha256()
            of_bucket.update(bytes_of_all[begin * _DIGEST : end * _DIGEST])
    whole.update(_gathered(bucket, of_bucket))
    return whole.hexdigest()


def _gathered(bucket: bytes, of_bucket: Any) -> bytes:
    return bucket + of_bucket.hexdigest().encode() if bucket else b""


_DIGEST: Final = 64
_HEXADECIMAL: Final = pa.schema({"row_digest": pa.binary(_DIGEST)})
_BUCKET: Final = 3
"""Digits of a row's digest that say in which bucket it is."""
_ROWS_AT_ONCE: Final = 1 << 17


OBJECTS: Final = """
SELECT 'view ' || view_name AS name, sql FROM duckdb_views() WHERE NOT internal AND database_name = current_database()
UNION ALL
SELECT 'macro ' || function_name, parameters::VARCHAR || macro_definition FROM duckdb_functions()
WHERE NOT internal AND database_name = current_database()
UNION ALL
SELECT 'table ' || table_name, NULL FROM duckdb_tables() WHERE NOT internal AND database_name = current_database()
"""
"""What the database in use shows, and how a view or a macro comes to it."""


def database_digest(connection: duckdb.DuckDBPyConnection, *, without: str) -> str:
    """sha-256 over all that a database shows, but the rows of one table: its views and macros, its tables with their columns, every row.

    Wants it opened read-only: DuckDB writes a view out otherwise once it has been stored.
    """
    digest = hashlib.sha256(repr(sorted(rows(connection, OBJECTS), key=str)).encode())
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, name, kind in rows(
        connection,
        "SELECT c.table_name, c.column_name, c.data_type FROM duckdb_columns() c JOIN duckdb_tables() t ON t.table_oid = c.table_oid "
        "AND t.database_name = c.database_name WHERE c.database_name = current_database() ORDER BY c.table_name, c.column_index",
    ):
        columns.setdefault(table, []).append((name, kind))
    for table, found in columns.items():
        held = "" if table == without else rows_digest(connection, f'"{table}"', [name for name, _ in found], "true")
        digest.update(f"{table}\0{found}\0{held}\n".encode())
    return digest.hexdigest()


def seal(row: Mapping[str, object]) -> str:
    """sha-256 over one row of `ledger_versions`, so that when and by which run is protected too."""
    return hashlib.sha256(_written({name: value for name, value in row.items() if name != "seal"}).encode()).hexdigest()


def _written(row: Mapping[str, object]) -> str:
    return "".join(f"{name}={row[name]}\n" for name in sorted(row))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that `verify` found wrong."""

    version: int | None
    what: str


def verify(connection: duckdb.DuckDBPyConnection) -> tuple[int, list[Fault]]:
    """Recompute the chain of a published file: how many versions were checked, and what is wrong."""
    faults: list[Fault] = []
    table = frame(connection, "SELECT * FROM ledger_versions ORDER BY version")
    before: str | None = None
    for place, row in enumerate(table.iter_rows(named=True), start=1):
        number = row["version"]
        if number != place:
            faults.append(Fault(number, f"version {place} is missing"))
        if row["previous_digest"] != before:
            faults.append(Fault(number, "it does not carry the digest of the version before it"))
        if seal({field.name: row[field.name] for field in VERSION_FIELDS}) != row["seal"]:
            faults.append(Fault(number, "its row in ledger_versions was changed"))
        header = {field.name: row[field.name] for field in VERSION_FIELDS if field.name not in UNSEALED}
        if content_digest(connection, number, header) != row["content_digest"]:
            faults.append(Fault(number, "its rows are not those that were published"))
        before = row["content_digest"]
    faults += (Fault(None, what) for what in _impossible_rows(connection, table.height))
    return table.height, faults


def _impossible_rows(connection: duckdb.DuckDBPyConnection, last: int) -> Iterator[str]:
    """Rows that stand from, to or in a version that there is not: no version's digest covers how far beyond it they reach."""
    for found in TABLES:
        if found.keeping == "history":
            possible = f"valid_from_version BETWEEN 1 AND {last} AND (valid_to_version IS NULL OR valid_to_version BETWEEN valid_from_version + 1 AND {last})"
        else:
            possible = f"version BETWEEN 1 AND {last}"
        [(count,)] = rows(connection, f"SELECT count(*) FROM {found.stored_as} WHERE ({possible}) IS NOT TRUE")
        if count:
            yield f"{count} row(s) of {found.stored_as} stand in no version that there is"
