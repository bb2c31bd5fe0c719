"""Parquet files: typed columns brought back to text, so that one set of cell rules serves every kind of file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.batches import RawBatch
from kcb_pipeline.extracts.catalogue import MISSING

BATCH_ROWS: Final = 1 << 17


class ParquetFile:
    """One Parquet file of a source. Raises ContractError where it cannot be read."""

    form = "parquet"

    def __init__(self, path: Path, *, shown: str) -> None:
        self._shown = shown
        self.position = 0
        self._size = path.stat().st_size
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None
        self.headers = tuple(self._file.schema_arrow.names)

    def batches(self, positions: dict[str, int]) -> Iterator[RawBatch]:
        """The records in file order."""
        if len(set(self.headers)) != len(self.headers):
            raise ContractError(file=self._shown, expected="distinct column names", found="two columns of one name")
        names = {name: self.headers[place] for name, place in positions.items()}
        row = 0
        batches = self._file.iter_batches(batch_size=BATCH_ROWS, columns=list(names.values()))
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                columns = {name: _texts(batch.column(header)) for name, header in names.items()}
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(error) from None
            yield RawBatch(np.arange(row + 1, row + batch.num_rows + 1, dtype=np.int64), columns)
            row += batch.num_rows
            self.position = self._size * row // max(self._file.metadata.num_rows, 1)

    def _damaged(self, error: Exception) -> ContractError:
        return ContractError(
            file=self._shown, expected="a readable Parquet file", found=f"a damaged one ({type(error).__name__})"
        )


def _texts(cells: pa.Array) -> pa.Array:
    """A typed column as the text an agency would have written."""
    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells = cells.cast(kind.value_type)
        kind = cells.type
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            cells = pc.local_timestamp(cells.cast(pa.timestamp(kind.unit, "Asia/Shanghai")))
        cells = cells.cast(pa.date32(), safe=False)
    elif pa.types.is_boolean(kind):
        cells = cells.cast(pa.int8())
    elif pa.types.is_floating(kind):
        whole = pc.and_(pc.equal(cells, pc.floor(cells)), pc.less(pc.abs(cells), 1e15))
        as_whole = pc.if_else(whole, cells, None).cast(pa.int64()).cast(pa.string())
        cells = pc.coalesce(as_whole, _scientific(pc.if_else(whole, None, cells)))
    texts = cells.cast(pa.string())
    return pc.if_else(pc.is_in(texts, value_set=pa.array(MISSING)), None, texts)


def _scientific(numbers: pa.Array) -> pa.Array:
    """Numbers that are not exact as whole ones, written so that the rules for ID numbers see what happened to them."""
    return pa.array(
        [None if n is None else (f"{n:.5E}" if abs(n) >= 1e15 else repr(n)) for n in numbers.to_pylist()],
        type=pa.string(),
    )
