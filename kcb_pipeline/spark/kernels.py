"""The library's functions on the cluster: Polars tables in and out of Arrow batches, on the workers, quoting nothing when they fail."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from kcb_pipeline.faults import where

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

Kernel = Callable[[pl.DataFrame], pl.DataFrame]
"""A pure function of a batch: a row's result depends on that row alone."""

_UNSIGNED: Final = (pl.UInt64, pl.UInt32)
_FLIP: Final = np.uint64(1) << np.uint64(63)


class KernelError(Exception):
    """A kernel failed on a worker. Says what kind of error it was and where, and no value."""


def apply(frame: DataFrame, kernel: Kernel, reads: pl.Schema, gives: pl.Schema) -> DataFrame:
    """The kernel on every batch of the frame (`mapInArrow`).

    reads, gives: the kernel's columns and their types. Spark has no unsigned integers: they travel as signed ones of the same bits.
    """
    # Spark would take the dot in `name.code` for a field of a struct, so columns travel under numbers.
    numbered = frame.selectExpr(*(f"`{name}` AS c{place}" for place, name in enumerate(reads)))
    return numbered.mapInArrow(_Batches(kernel, reads), spark_schema(gives))


class _Batches:
    """What a worker calls: pickled with the kernel and the types it reads."""

    def __init__(self, kernel: Kernel, reads: pl.Schema) -> None:
        self._kernel, self._reads = kernel, reads

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        _say_nothing()
        for batch in batches:
            failed: str | None = None
            try:
                named = pa.RecordBatch.from_arrays(batch.columns, names=list(self._reads))
                made = to_signed(self._kernel(from_arrow(named, self._reads)))
                table = made.to_arrow(compat_level=pl.CompatLevel.oldest())
            except BaseException as error:  # Rust's panics are no Exception
                failed = f"{type(error).__name__} at {where(error)}"
            if failed is not None:  # outside the handler: what is raised there would carry the other as its context
                raise KernelError(failed)
            yield from table.to_batches()


def _say_nothing() -> None:
    """Send this worker's error stream nowhere: what a panic writes there holds values, and Spark keeps it in files others read."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def from_arrow(batch: pa.RecordBatch | pa.Table, schema: pl.Schema) -> pl.DataFrame:
    """A batch with the columns and types of the schema."""
    table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    return restored(pl.DataFrame(table), schema)


def restored(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """A frame with the schema's columns, those that are unsigned made so again by their bits."""
    return frame.select(
        pl.col(name).reinterpret(signed=False) if kind in _UNSIGNED else pl.col(name).cast(kind)
        for name, kind in schema.items()
    )


def to_signed(frame: pl.DataFrame) -> pl.DataFrame:
    """Unsigned columns as signed ones of the same bits."""
    unsigned = [name for name, kind in frame.schema.items() if kind in _UNSIGNED]
    return frame.with_columns(pl.col(unsigned).reinterpret(signed=True)) if unsigned else frame


def spark_schema(schema: pl.Schema) -> StructType:
    """The schema as Spark's; every column may be missing."""
    from pyspark.sql import types

    kinds: dict[type[pl.DataType], types.DataType] = {
        pl.Boolean: types.BooleanType(), pl.Int8: types.ByteType(), pl.Int16: types.ShortType(), pl.Int32: types.IntegerType(),
        pl.Int64: types.LongType(), pl.UInt64: types.LongType(), pl.UInt32: types.IntegerType(), pl.Float64: types.DoubleType(), pl.String: types.StringType(),
        pl.Date: types.DateType(), pl.Datetime: types.TimestampNTZType(),
    }  # fmt: skip
    return types.StructType([types.StructField(name, kinds[kind.base_type()]) for name, kind in schema.items()])


def polars_schema(schema: StructType) -> pl.Schema:
    """Spark's schema as Polars'."""
    from pyspark.sql import types

    kinds: dict[type[types.DataType], pl.DataType] = {
        types.BooleanType: pl.Boolean(), types.ByteType: pl.Int8(), types.ShortType: pl.Int16(), types.IntegerType: pl.Int32(),
        types.LongType: pl.Int64(), types.DoubleType: pl.Float64(), types.StringType: pl.String(), types.DateType: pl.Date(),
        types.TimestampNTZType: pl.Datetime("us"),
    }  # fmt: skip
    return pl.Schema({field.name: kinds[type(field.dataType)] for field in schema.fields})


def in_order(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Signed numbers in the order of the unsigned ones: what Spark compares and sorts."""
    return (hashes ^ _FLIP).view(np.int64)
