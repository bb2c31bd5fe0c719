"""Working tables of the cluster: Parquet in one folder that the driver and every worker see by one path.

Every step that more than one later step reads is written here rather than cached: a worker that dies takes no table with it, memory is
bounded, and any engine that reads Parquet can go on from it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from kcb_pipeline.spark.kernels import from_arrow, spark_schema, to_signed


def located(path: Path) -> str:
    """A file or folder as the cluster is told of it. Hadoop takes a path as it is written: of a blank or a Chinese character in it nothing is decoded."""
    return f"file://{path.resolve()}"


@dataclass(frozen=True, slots=True)
class Scratch:
    """The folder of one stage, and the session that works in it."""

    spark: SparkSession
    folder: Path

    @classmethod
    @contextmanager
    def of(cls, spark: SparkSession, folder: Path) -> Iterator[Scratch]:
        """An empty folder, which is gone afterwards however the stage ends: what lies in it are rows of children."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        try:
            yield cls(spark, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, name: str, frame: DataFrame) -> DataFrame:
        """Write a table, and what reads it."""
        frame.write.mode("overwrite").parquet(self._address(name))
        return self.spark.read.schema(frame.schema).parquet(self._address(name))

    def give(self, name: str, frame: pl.DataFrame) -> DataFrame:
        """A table of the driver as one that the workers read; its values are in no plan."""
        path = self.folder / f"{name}.parquet"
        to_signed(frame).write_parquet(path, compression="zstd", row_group_size=1 << 17)
        return self.spark.read.schema(spark_schema(frame.schema)).parquet(located(path))

    def rows(self, name: str) -> int:
        """How many rows a table has, from the footers of its files."""
        return int(self._scan(name).select(pl.len()).collect().item())

    def read(self, name: str) -> pl.DataFrame:
        """A small table, on the driver."""
        return self._scan(name).collect()

    def _scan(self, name: str) -> pl.LazyFrame:
        return pl.scan_parquet(self.folder / f"{name}.parquet" / "*.parquet")

    def _address(self, name: str) -> str:
        return located(self.folder / f"{name}.parquet")


def fetched(frame: DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A small result on the driver, with the schema's columns and types."""
    return from_arrow(frame.toArrow(), schema)
