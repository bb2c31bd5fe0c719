"""Parquet files: typed columns brought back to text, so that one set of cell rules serves every kind of file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.batches import MALFORMED_ROW, RawBatch
from kcb_pipeline.extracts.catalogue import MISSING
from kcb_pipeline.extracts.packed import MOST_UNPACKED_BYTES

BATCH_ROWS: Final = 1 << 17
MOST_ROWS: Final = 200_000_000
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
"""What Arrow raises over a file that is none, or not whole."""


class ParquetFile:
    """One Parquet file of a source. Raises ContractError where it cannot be read."""

    form = "parquet"

    def __init__(self, path: Path, *, shown: str) -> None:
        self._shown = shown
        self.position = 0
        self._size = path.stat().st_size
        try:
            self._file = pq.ParquetFile(path)
        except _UNREADABLE as error:
            raise self._damaged(error) from None
        self._refuse_bomb()
        self.headers = tuple(self._file.schema_arrow.names)

    def line(self, row: int) -> int:
        """A Parquet file has no lines: the data row itself."""
        return row

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
                rows = np.arange(row + 1, row + batch.num_rows + 1, dtype=np.int64)
                torn = _torn(columns.values(), batch.num_rows)
            except _UNREADABLE as error:
                raise self._damaged(error) from None
            if torn.any():
                kept = pa.array(~torn)
                columns = {name: cells.filter(kept) for name, cells in columns.items()}
            yield RawBatch(rows[~torn], columns, [(int(place), MALFORMED_ROW) for place in rows[torn]])
            row += batch.num_rows
            self.position = self._size * row // max(self._file.metadata.num_rows, 1)

    def _refuse_bomb(self) -> None:
        """A row group is unpacked whole: refuse one that is larger than can be, and rows beyond any county's."""
        known = self._file.metadata
        largest = max((known.row_group(n).total_byte_size for n in range(known.num_row_groups)), default=0)
        if largest > MOST_UNPACKED_BYTES or not 0 <= known.num_rows <= MOST_ROWS:
            raise ContractError(
                file=self._shown,
                expected=f"row groups of at most {MOST_UNPACKED_BYTES >> 20} MiB and {MOST_ROWS:,} rows",
                found=f"{largest >> 20} MiB and {known.num_rows:,} rows",
            )

    def _damaged(self, error: Exception) -> ContractError:
        return ContractError(
            file=self._shown, expected="a readable Parquet file", found=f"a damaged one ({type(error).__name__})"
        )


def _torn(columns: Iterable[pa.Array], size: int) -> NDArray[np.bool_]:
    """Which rows have a cell that is no text: bytes that are not UTF-8, or a NUL."""
    torn = np.zeros(size, dtype=bool)
    for cells in columns:
        try:
            cells.validate(full=True)
            suspects = pc.indices_nonzero(pc.fill_null(pc.match_substring(cells, "\0"), fill_value=False)).to_numpy()
        except pa.ArrowInvalid:
            suspects = [place for place, cell in enumerate(cells.cast(pa.binary())) if not _is_text(cell.as_py())]
        torn[suspects] = True
    return torn


def _is_text(cell: bytes | None) -> bool:
    try:
        return cell is None or "\0" not in cell.decode()
    except UnicodeDecodeError:
        return False


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
        cells = pc.if_else(pc.is_finite(cells), cells, None)
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
