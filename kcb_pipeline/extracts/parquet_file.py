"""Parquet files: typed columns brought back to text, so that one set of cell rules serves every kind of file."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.batches import MALFORMED_ROW, RawBatch, Stretch
from kcb_pipeline.extracts.catalogue import Source
from kcb_pipeline.extracts.cells import TEXT_TYPES
from kcb_pipeline.extracts.encodings import is_utf8
from kcb_pipeline.extracts.packed import MOST_UNPACKED_BYTES
from kcb_pipeline.identity.text_arrays import bounds_and_bytes

BATCH_ROWS: Final = 1 << 17
MOST_ROWS: Final = 200_000_000
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
"""What Arrow raises over a file that is none, or not whole."""


class ParquetFile:
    """One Parquet file of a source. Raises ContractError where it cannot be read."""

    form = "parquet"
    ends_open = False
    """its end is where its columns are listed: without it the file cannot be read"""

    def __init__(self, path: Path, source: Source, *, shown: str) -> None:
        self._path = path
        self._source = source
        self._shown = shown
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

    def stretches(self, positions: dict[str, int]) -> Iterator[Stretch]:
        """The records in file order."""
        if len(set(self.headers)) != len(self.headers):
            raise ContractError(file=self._shown, expected="distinct column names", found="two columns of one name")
        names = {name: self.headers[place] for name, place in positions.items()}
        for name, header in names.items():
            self._refuse_unless_plain(name, self._file.schema_arrow.field(header).type)
        coded = {name for name in names if self._source.column(name).type not in TEXT_TYPES}
        batches = self._batches(names, coded)
        read = 0
        while True:
            try:
                batch = next(batches, None)
            except _UNREADABLE as error:
                raise self._damaged(error) from None
            if batch is None:
                return
            read += batch.num_rows
            position = self._size * read // max(self._file.metadata.num_rows, 1)
            yield functools.partial(self._read, batch, names, coded, position)

    def _batches(self, names: dict[str, str], coded: set[str]) -> Iterator[pa.RecordBatch]:
        """The rows as they are, but for texts of coded columns: each distinct one once, and where it stands."""
        kinds = {name: self._file.schema_arrow.field(header).type for name, header in names.items()}
        file = pq.ParquetFile(
            self._path,
            metadata=self._file.metadata,
            read_dictionary=[names[name] for name in coded if _is_text(kinds[name])],
        )
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(names.values()))

    def _read(self, batch: pa.RecordBatch, names: dict[str, str], coded: set[str], position: int) -> RawBatch:
        moments = {name for name in coded if self._source.column(name).type == "moment"}
        try:
            columns = {
                name: _as_rows(_texts(batch.column(header), is_coded=name in coded, is_moment=name in moments))
                for name, header in names.items()
            }
            torn = _torn(columns.values(), batch.num_rows)
        except _UNREADABLE as error:
            raise self._damaged(error) from None
        rows = np.arange(1, batch.num_rows + 1, dtype=np.int64)
        if torn.any():
            kept = pa.array(~torn)
            columns = {name: cells.filter(kept) for name, cells in columns.items()}
        refused = [(int(row), MALFORMED_ROW) for row in rows[torn]]
        return RawBatch(batch.num_rows, rows[~torn], columns, refused, position)

    def _refuse_unless_plain(self, name: str, kind: pa.DataType) -> None:
        held = kind.value_type if pa.types.is_dictionary(kind) else kind
        if pa.types.is_nested(held) or pa.types.is_interval(held):
            raise ContractError(
                file=self._shown,
                source=self._source.name,
                column=name,
                expected="texts, numbers or dates",
                found=f"a column of {str(held).partition('<')[0]}",
            )

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


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _torn(columns: Iterable[pa.Array], size: int) -> NDArray[np.bool_]:
    """Which rows have a cell that is no text: bytes that are not UTF-8, or a NUL."""
    torn = np.zeros(size, dtype=bool)
    for cells in columns:
        if not pa.types.is_dictionary(cells.type) and not _are_texts(cells):
            torn[[place for place, cell in enumerate(cells.cast(pa.binary())) if not _is_sound(cell.as_py())]] = True
    return torn


def _as_rows(cells: pa.Array) -> pa.Array:
    """The same, but a cell a row where any of the distinct ones is no text: the rows that have it leave, and it with them."""
    cells.validate()
    if pa.types.is_dictionary(cells.type) and not _are_texts(cells.dictionary):
        return cells.dictionary_decode()
    return cells


def _are_texts(cells: pa.Array) -> bool:
    """Whether all cells are texts, looked at as one: UTF-8 that no cell begins in the middle of a character, without a NUL."""
    bounds, data = bounds_and_bytes(cells)
    text = bytes(data)
    points = np.frombuffer(text, dtype=np.uint8)
    starts = points[bounds[bounds < len(points)]]
    return b"\0" not in text and is_utf8(text) and not ((starts & 0xC0) == 0x80).any()


def _is_sound(cell: bytes | None) -> bool:
    try:
        return cell is None or "\0" not in cell.decode()
    except UnicodeDecodeError:
        return False


def _texts(cells: pa.Array, *, is_coded: bool, is_moment: bool) -> pa.Array:
    """A typed column as the text an agency would have written; of a coded column, where it can be, each distinct text once. Time of day is
    written where the column is one of moments."""
    kind = cells.type
    if is_coded and pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        return pa.DictionaryArray.from_arrays(cells.indices.cast(pa.int32()), cells.dictionary.cast(pa.string()))
    if pa.types.is_dictionary(kind):
        cells = cells.cast(kind.value_type)
        kind = cells.type
    if pa.types.is_timestamp(kind):
        if kind.tz is not None:
            cells = pc.local_timestamp(cells.cast(pa.timestamp(kind.unit, "Asia/Shanghai")))
        cells = cells.cast(pa.timestamp("s") if is_moment else pa.date32(), safe=False)
    elif pa.types.is_boolean(kind):
        cells = cells.cast(pa.int8())
    elif pa.types.is_floating(kind):
        cells = pc.if_else(pc.is_finite(cells), cells, None)
        whole = pc.and_(pc.equal(cells, pc.floor(cells)), pc.less(pc.abs(cells), 1e15))
        as_whole = pc.if_else(whole, cells, None).cast(pa.int64()).cast(pa.string())
        cells = pc.coalesce(as_whole, _scientific(pc.if_else(whole, None, cells)))
    elif pa.types.is_decimal(kind):  # exact, however many places its type has: what is whole is written whole
        cells = pc.replace_substring_regex(cells.cast(pa.string()), r"\.0+$", "")
    elif _is_bytes(kind):  # texts of a writer that did not say so; bytes that are none cost their row
        cells = cells.cast(pa.binary()).view(pa.string())
    return cells.cast(pa.string())


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _scientific(numbers: pa.Array) -> pa.Array:
    """Numbers that are not exact as whole ones, written so that the rules for ID numbers see what happened to them."""
    return pa.array(
        [None if n is None else (f"{n:.5E}" if abs(n) >= 1e15 else repr(n)) for n in numbers.to_pylist()],
        type=pa.string(),
    )
