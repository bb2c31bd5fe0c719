"""DuckDB, the default engine: one connection with every setting pinned, closed whatever happens."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow as pa

STORAGE_VERSION: Final = "v1.0.0"
"""Files are written so that DuckDB 1.x clients open them: analysts' tools lag (contract, published.md)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may use. Without them DuckDB takes 80 % of the memory for each process.

    temporary: an existing folder for what does not fit into memory; without one a query that needs more is refused. (DuckDB by itself would
    spill rows of children into `.tmp` of whatever folder somebody stands in.)
    """

    memory: str = "6GB"
    spill: str = "100GB"
    threads: int = max(os.cpu_count() or 1, 1)
    temporary: Path | None = None


_INSTANCES = itertools.count()


@dataclass(frozen=True, slots=True)
class _Instance:
    """DuckDB itself, without a file, the limits it was made with, and the folder it would spill into."""

    limits: Limits
    itself: duckdb.DuckDBPyConnection
    spill: Path | None


_idle: list[_Instance] = []
"""Instances that nobody uses, the latest last. To make one takes DuckDB twenty milliseconds, and a night asks for three hundred connections."""
_MOST_IDLE: Final = 4
_lending = threading.Lock()

_spilled: set[Path] = set()
"""Folders for what does not fit into memory into which something was written."""


def take_spilled(*folders: Path) -> bool:
    """Whether a connection, closed since this was last asked, wrote into one of these folders what did not fit into memory."""
    with _lending:
        found = bool(_spilled.intersection(folders))
        _spilled.difference_update(folders)
    return found


def close_idle() -> None:
    """Close the instances that nobody uses. Each holds on to memory that it has used, as much as its limit: for what is large beside DuckDB."""
    with _lending:
        unused = list(_idle)
        _idle.clear()
    for instance in unused:
        instance.itself.close()


# An instance's threads do not come along when a process forks: none is taken along.
os.register_at_fork(before=close_idle)


@contextmanager
def connect(path: Path | None, limits: Limits, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the database file `path`, or to none; created in the storage version readers can open.

    No extension is loaded or looked for (DuckDB would try the network), and dates are understood in UTC. The file is let go of
    at the end, whatever happened.
    """
    instance = _idle_one(limits) if path is not None else None
    instance = instance or _made(limits)
    connection = instance.itself.cursor()
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = true")
        if path is not None:
            attach(connection, path, "db", read_only=read_only)
            connection.execute("USE db")
        yield connection
    finally:
        connection.close()
        # One without a file may hold tables of its own, and one that has spilled keeps its folder: neither is used again.
        has_spilled = instance.spill is not None and instance.spill.exists()
        if has_spilled and limits.temporary:
            with _lending:
                _spilled.add(limits.temporary)
        if path is not None and not has_spilled and _let_go(instance.itself):
            with _lending:
                _idle.append(instance)
                while len(_idle) > _MOST_IDLE:
                    _idle.pop(0).itself.close()
        else:
            instance.itself.close()


def _idle_one(limits: Limits) -> _Instance | None:
    with _lending:
        for place in reversed(range(len(_idle))):
            if _idle[place].limits == limits:
                return _idle.pop(place)
    return None


def _made(limits: Limits) -> _Instance:
    # A folder for each instance: DuckDB names the files in it by numbers that every instance counts from 0.
    spill = limits.temporary / f"spill-{os.getpid()}-{next(_INSTANCES)}" if limits.temporary else None
    config: dict[str, Any] = {
        "memory_limit": limits.memory,
        "max_temp_directory_size": limits.spill,
        "threads": limits.threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(spill) if spill else "",
    }
    return _Instance(limits, duckdb.connect(":memory:", config=config), spill)


def _let_go(instance: duckdb.DuckDBPyConnection) -> bool:
    """Detach every file; whether that could be done (a connection that somebody keeps would hold one)."""
    try:
        attached = "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
        for (name,) in instance.execute(attached).fetchall():
            instance.execute(f'DETACH "{name}"')
    except duckdb.Error:
        return False
    return True


_DAMAGE: Final = (
    "Corrupt database file", "not a valid DuckDB database", "Failure while replaying WAL", "Failed to load metadata pointer",
    "SerializationException", "Serialization Error",
)  # fmt: skip
"""How DuckDB begins to say that a file is not as it wrote it."""


def is_damaged(error: duckdb.Error) -> bool:
    """Whether an error says that a database file is not as DuckDB wrote it."""
    return isinstance(error, duckdb.SerializationException | duckdb.InternalException) or any(
        words in str(error) for words in _DAMAGE
    )


def attach(connection: duckdb.DuckDBPyConnection, path: Path, alias: str, *, read_only: bool) -> None:
    """Attach the database file `path` under `alias` (one of our own names)."""
    quoted = str(path).replace("'", "''")
    options = "READ_ONLY" if read_only else f"STORAGE_VERSION '{STORAGE_VERSION}'"
    connection.execute(f"ATTACH '{quoted}' AS {alias} ({options})")


def rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(sql, parameters).fetchall()


def scalar(connection: duckdb.DuckDBPyConnection, sql: str, parameters: object = None) -> Any:
    """The one value of a query of one row and column."""
    [(value,)] = rows(connection, sql, parameters)
    return value


def named_rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: object = None) -> list[dict[str, Any]]:
    """All rows of a query, each as column → value."""
    result = connection.execute(sql, parameters)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def frame(connection: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    """A query's result as a Polars frame."""
    return pl.DataFrame(connection.sql(sql).to_arrow_table())


def insert(connection: duckdb.DuckDBPyConnection, table: str, data: pl.DataFrame) -> None:
    """Append a frame to a table, column by name."""
    connection.register("appended", data.to_arrow())
    try:
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM appended")
    finally:
        connection.unregister("appended")


def create(connection: duckdb.DuckDBPyConnection, table: str, data: pl.DataFrame) -> None:
    """Create or replace a table from a frame."""
    connection.register("created", data.to_arrow())
    try:
        replace(connection, table, "SELECT * FROM created")
    finally:
        connection.unregister("created")


def create_in_pieces(connection: duckdb.DuckDBPyConnection, table: str, pieces: Iterator[pl.DataFrame]) -> None:
    """Create or replace a table from frames of the same columns, at least one, that are made one after the other and never held together."""
    first = next(pieces).to_arrow()
    batches = (batch for piece in pieces for batch in piece.to_arrow().to_batches())
    reader = pa.RecordBatchReader.from_batches(first.schema, itertools.chain(first.to_batches(), batches))
    connection.register("created", reader)
    try:
        replace(connection, table, "SELECT * FROM created")
    finally:
        connection.unregister("created")


def replace(connection: duckdb.DuckDBPyConnection, table: str, sql: str, parameters: object = None) -> None:
    """Create or replace a table from a query; a view of that name, which another engine left, gives way to it."""
    schema, _, name = table.rpartition(".")
    view = "SELECT 1 FROM duckdb_views() WHERE database_name = current_database() AND schema_name = ? AND view_name = ?"
    if rows(connection, view, [schema or "main", name]):
        connection.execute(f"DROP VIEW {table}")
    connection.execute(f"CREATE OR REPLACE TABLE {table} AS {sql}", parameters)


@contextmanager
def built_on_the_right(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Have every join of the statements inside keep in memory the table it names second, not the one that DuckDB expects to be smaller.

    It expects one row of a large table that was joined (LEFT) to empty ones by a condition between these, and so kept all its rows for every join
    that followed: 6 GB did not suffice for 9.4 million records beside what schools report.
    """
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    try:
        yield
    finally:
        connection.execute("RESET disabled_optimizers")


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether the attached working database has that table."""
    found = scalar(
        connection,
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
        [schema, table],
    )
    return bool(found)
