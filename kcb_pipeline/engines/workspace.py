"""The working files of one comparison date: `work/DATE.duckdb`, and the wide tables beside it as Parquet.

A run touches only its own date's files, so nights of different dates run side by side, a damaged file costs one day, and
retention is deleting files. Wide tables (landed rows, standardised persons) are Parquet because both engines read it, and
because writing them into DuckDB costs three times as much as reading the extract (docs/benchmarks.md); the database holds
views over them, so that an engineer who opens it finds every table by its name.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kcb_pipeline.engines import embedded
from kcb_pipeline.engines.embedded import Limits
from kcb_pipeline.permissions import owner_only

SCHEMAS: Final = ("landed", "standard", "matched", "status", "draft", "gates")
"""The stages, in order: every working table is `stage.name`."""

_ROW_GROUP_ROWS = 1 << 17
_LEAST_ROW_GROUP_ROWS = 1 << 16
_MOST_PENDING = 2
_LOOKED_AT = 1 << 14
_LEAST_REPEATS = 4


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where one comparison date is worked on. Whoever has one writes for its owner only."""

    folder: Path
    comparison_date: dt.date
    limits: Limits

    def __post_init__(self) -> None:
        owner_only()

    @property
    def database(self) -> Path:
        """The working database."""
        return self.folder / f"{self.comparison_date}.duckdb"

    @property
    def files(self) -> Path:
        """The folder of the date's Parquet files."""
        return self.folder / f"{self.comparison_date}"

    @contextmanager
    def connect(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the working database, with the stages as schemas. Spills into the date's own folder."""
        self.files.mkdir(parents=True, exist_ok=True)
        limits = replace(self.limits, temporary=self.files)
        with embedded.connect(self.database, limits, read_only=read_only) as connection:
            if not read_only:
                for schema in SCHEMAS:
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            yield connection

    def erase_database(self) -> None:
        """Erase the working database: a whole run makes everything in it anew, and so begins with none."""
        for path in (self.database, self.database.with_name(self.database.name + ".wal")):
            path.unlink(missing_ok=True)

    def erase_if_damaged(self) -> None:
        """Erase the working database where DuckDB cannot open it for what stands in it."""
        if not self.database.exists():
            return
        try:
            with self.connect(read_only=True):
                pass
        except duckdb.Error as error:
            if not embedded.is_damaged(error):
                raise
            self.erase_database()

    def parquet(self, stage: str, table: str, token: str) -> Path:
        """The file of one generation of a Parquet table; `token` tells generations apart."""
        return self.files / stage / f"{table}-{token}.parquet"

    def show(
        self, connection: duckdb.DuckDBPyConnection, stage: str, table: str, token: str, *, where: str = "true"
    ) -> None:
        """Make `stage.table` a view of one generation of a Parquet table (a file, or a folder of them), and forget the earlier ones."""
        file = self.parquet(stage, table, token)
        quoted = str(file.resolve() / "*.parquet" if file.is_dir() else file.resolve()).replace("'", "''")
        if embedded.has_table(connection, stage, table):
            connection.execute(f"DROP TABLE {stage}.{table}")
        connection.execute(
            f"CREATE OR REPLACE VIEW {stage}.{table} AS SELECT * FROM read_parquet('{quoted}') WHERE {where}"
        )
        for other in file.parent.glob(f"{table}-*.parquet"):
            if other != file and other.name.removeprefix(f"{table}-").count("-") == 0:
                shutil.rmtree(other) if other.is_dir() else other.unlink(missing_ok=True)


class ParquetTable:
    """Writes one Parquet table in a thread of its own, and puts it in place when it is whole.

    Used as a context manager: leaving it in good order renames the file into place; an exception leaves nothing. The bytes depend on the
    rows and on how they were handed over, never on how fast.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished = path.with_suffix(".unfinished")
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: list[Future[None]] = []
        self._writer: pq.ParquetWriter | None = None
        self._gathered: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        """Append rows; waits where the disk is behind, so that memory stays bounded."""
        while len(self._pending) >= _MOST_PENDING:
            self._pending.pop(0).result()
        self._pending.append(self._pool.submit(self._write, table))

    def _write(self, table: pa.Table) -> None:
        self._gathered.append(table)
        if sum(gathered.num_rows for gathered in self._gathered) >= _LEAST_ROW_GROUP_ROWS:
            self._write_gathered()

    def _write_gathered(self) -> None:
        """A row group, or some, of what came since the last: many small ones would make every reader slow."""
        rows = pa.concat_tables(self._gathered).unify_dictionaries()
        self._gathered = []
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Texts are looked for by hash joins, never by their least and greatest, which take as long to find as to write them.
            self._writer = pq.ParquetWriter(
                self._unfinished,
                rows.schema,
                compression="snappy",
                use_dictionary=_repeating(rows),
                write_statistics=[field.name for field in rows.schema if not _is_text(field.type)],
                store_schema=False,
            )
        self._writer.write_table(rows, row_group_size=_ROW_GROUP_ROWS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            while self._pending:
                self._pending.pop(0).result()
            if kind is None and self._gathered:
                self._write_gathered()
        finally:
            self._pool.shutdown()
            if self._writer is not None:
                self._writer.close()
        if kind is None and self._writer is not None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink(missing_ok=True)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


def _repeating(rows: pa.Table) -> list[str]:
    """The columns of which the first rows say that most values come again: only those are worth a dictionary."""
    first = rows.slice(0, _LOOKED_AT)
    return [
        field.name
        for field in rows.schema
        if pa.types.is_dictionary(field.type)
        or pc.count_distinct(first[field.name], mode="all").as_py() * _LEAST_REPEATS < first.num_rows
    ]
