"""The working tables of a date as Spark sees them, and statements over them run on the cluster.

A statement is the one that DuckDB runs (`kcb_pipeline.engines.sql`): the text is the same but for how parameters and tables are called.
Tables that are Parquet already are read where they lie; one that stands in the working database is written out first.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
from pyspark.sql import DataFrame

from kcb_pipeline.engines.embedded import rows
from kcb_pipeline.engines.workspace import SCHEMAS, Workspace
from kcb_pipeline.spark.kernels import from_arrow, polars_schema, spark_schema
from kcb_pipeline.spark.scratch import Scratch, located

GENERATION: Final = "spark"
"""The token of tables that the cluster wrote."""

_TABLE = re.compile(rf"\b((?:FROM|JOIN)\s+)((?:{'|'.join(SCHEMAS)})\.\w+|previous_\w+)\b")
_FILE = re.compile(r"read_parquet\('((?:[^']|'')*)'\)")


@dataclass(frozen=True)
class Tables:
    """Runs statements on the cluster (`kcb_pipeline.engines.sql.Engine`)."""

    scratch: Scratch
    workspace: Workspace
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def fill(
        self, connection: duckdb.DuckDBPyConnection, into: str, sql: str, parameters: Mapping[str, object]
    ) -> None:
        """Make the working table `into` the result of a statement: Parquet by the cluster, a view of it in the database."""
        self.write(connection, into, self.over(connection, sql, parameters))

    def write(self, connection: duckdb.DuckDBPyConnection, into: str, frame: DataFrame) -> None:
        """Make the working table `into` a Parquet table of these rows."""
        stage, table = into.split(".")
        path = self.workspace.parquet(stage, table, GENERATION)
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write.mode("overwrite").parquet(located(path))
        self.workspace.show(connection, stage, table, GENERATION)

    def rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        sql: str,
        parameters: Mapping[str, object],
        beside: Mapping[str, pl.DataFrame],
    ) -> pl.DataFrame:
        """The result of a statement, on the driver."""
        for name, frame in beside.items():
            self.scratch.give(f"beside-{next(self._numbers)}-{name}", frame).createOrReplaceTempView(name)
        found = self.over(connection, sql, parameters)
        return from_arrow(found.toArrow(), polars_schema(found.schema))

    def over(
        self, connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None
    ) -> DataFrame:
        """The result of a statement as a table of the cluster."""
        for table in sorted({match.group(2) for match in _TABLE.finditer(sql)}):
            self.table(connection, table).createOrReplaceTempView(table.replace(".", "_"))
        named = _TABLE.sub(lambda match: match.group(1) + match.group(2).replace(".", "_"), sql)
        translated = re.sub(r"\$(\w+)", r":\1", named)
        return self.scratch.spark.sql(translated, args=dict(parameters or {}))

    def table(self, connection: duckdb.DuckDBPyConnection, table: str) -> DataFrame:
        """A working table, or what the version before said (`previous_` tables)."""
        view = rows(
            connection,
            "SELECT sql FROM duckdb_views() WHERE schema_name || '.' || view_name = ? AND database_name = current_database()",
            [table],
        )
        found = _FILE.search(view[0][0]) if view else None
        if found is None:
            path = self.scratch.folder / f"{table}-{next(self._numbers)}.parquet"
            quoted = str(path).replace("'", "''")
            connection.execute(f"COPY (FROM {table}) TO '{quoted}' (FORMAT parquet)")
            return self._read(path)
        frame = self._read(Path(found.group(1).replace("''", "'")))
        if "landed.duplicate_rows" in view[0][0]:
            source = table.removeprefix("landed.")
            dropped = self.table(connection, "landed.duplicate_rows").where(f"source = '{source}'").select("row")
            frame = frame.join(dropped, "row", "left_anti")
        return frame

    def _read(self, path: Path) -> DataFrame:
        """A Parquet file, or the files of a folder (`FOLDER/*.parquet`), by the types of the first."""
        folder = path.parent if path.name == "*.parquet" else path
        first = min(folder.glob("*.parquet")) if folder.is_dir() else folder
        schema = pl.Schema(
            {name: pl.Int64() if kind == pl.UInt32 else kind for name, kind in pl.read_parquet_schema(first).items()}
        )
        return self.scratch.spark.read.schema(spark_schema(schema)).parquet(located(folder))
