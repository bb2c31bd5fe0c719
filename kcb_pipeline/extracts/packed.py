"""Is a workbook what it seems? A ZIP of a few kilobytes can say that it holds little, and unpack to more than any machine has.

Nothing that a file says of itself is believed: every part is unpacked once, chunk by chunk and kept nowhere, and counted: its bytes, how far
its cells reach (a sheet is laid out as a rectangle up to the last of them), and how long its texts become where cells share them.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from kcb_pipeline.errors import ContractError

MOST_UNPACKED_BYTES: Final = 2 << 30
MOST_PARTS: Final = 10_000
MOST_CELLS: Final = 30_000_000
LONGEST_TEXT_BYTES: Final = 256 << 10
"""Excel's longest text is 32,767 characters; with what formats its runs it stays below."""

_CHUNK: Final = 1 << 20
_OVERLAP: Final = 512
_REFERENCE: Final = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]{1,4})(\d{1,8})["']""")
_ROW: Final = re.compile(rb"""<(?:\w+:)?row\b[^>]*?\br\s*=\s*["']\s*(\d{1,8})""")
_CELL: Final = re.compile(rb"<(?:\w+:)?c[\s/>]")
_CELL_OR_ROW: Final = re.compile(rb"<(?:\w+:)?(c|row)[\s/>]")
_ESCAPED: Final = re.compile(rb"""\br\s*=\s*["'][^"'<>]{0,64}&""")
_ITEM: Final = re.compile(rb"<(?:\w+:)?si[\s/>]")
_VALUE: Final = re.compile(rb"<(?:\w+:)?v>(\d{1,9})<")


def refuse_packed_bomb(path: Path, *, shown: str) -> None:
    """Raise ContractError where a workbook would unpack to more than MOST_UNPACKED_BYTES, or to more cells or longer texts than one can hold.

    Raises zipfile.BadZipFile or OSError where it is no whole archive.
    """
    with zipfile.ZipFile(path) as packed, path.open("rb") as file:
        parts = packed.infolist()
        if len(parts) > MOST_PARTS:
            raise _refused(shown, f"a workbook of at most {MOST_PARTS} parts", f"{len(parts)}")
        total = cells = 0
        longest = 0
        for part in parts:
            found = _Part()
            for chunk in _unpacked(file, part):
                total += len(chunk)
                if total > MOST_UNPACKED_BYTES:
                    raise _refused(shown, f"a workbook of at most {MOST_UNPACKED_BYTES >> 20} MiB unpacked", "more")
                found.look(chunk)
            found.end()
            if found.is_hidden:
                raise _refused(shown, "cells that say plainly where they stand", "references written as entities")
            if found.area > MOST_CELLS:
                raise _refused(shown, f"a sheet of at most {MOST_CELLS:,} cells up to its last one", f"{found.area:,}")
            if found.longest > LONGEST_TEXT_BYTES:
                raise _refused(shown, "texts of at most 32,767 characters", "a longer one")
            cells += found.cells
            longest = max(longest, found.longest)
        if cells * longest > MOST_UNPACKED_BYTES and _shared_bytes(file, parts) > MOST_UNPACKED_BYTES:
            raise _refused(shown, f"cells of at most {MOST_UNPACKED_BYTES >> 20} MiB of text", "more")


def _refused(shown: str, expected: str, found: str) -> ContractError:
    return ContractError(file=shown, expected=expected, found=found)


def _unpacked(file: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a part holds, whatever the archive says of its size."""
    file.seek(part.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile
    file.seek(sum(struct.unpack("<HH", header[26:30])), 1)
    left = part.compress_size
    if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile
    inflate = zlib.decompressobj(-15) if part.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0:
        data = file.read(min(_CHUNK, left))
        if not data:
            raise zipfile.BadZipFile
        left -= len(data)
        if inflate is None:
            yield data
            continue
        while data and not inflate.eof:
            try:
                yield inflate.decompress(data, _CHUNK)
            except zlib.error:
                raise zipfile.BadZipFile from None
            data = inflate.unconsumed_tail
        if inflate.eof:
            return


class _Part:
    """What has been seen of one part."""

    def __init__(self) -> None:
        self.cells = 0
        self.longest = 0
        self.is_hidden = False
        self._rest = b""
        self._columns = self._rows = 0
        self._references = 0
        self._row_marks = 0
        self._in_row = self._most_in_row = 0
        self._item_bytes = 0
        self._has_items = False

    @property
    def area(self) -> int:
        """Cells of the rectangle up to the last one."""
        rows = max(self._rows, self._row_marks)
        columns = self._columns if self._references >= self.cells else max(self._columns, self._most_in_row)
        return rows * columns

    def look(self, chunk: bytes) -> None:
        """Look at a chunk, but for its end, which may be cut within a mark."""
        data = self._rest + chunk
        cut = max(data.rfind(b"<"), len(data) - _OVERLAP, 0) if len(data) > _OVERLAP else 0
        self._look(data[:cut])
        self._rest = data[cut:]

    def end(self) -> None:
        """Look at what is left."""
        self._look(self._rest)
        self._rest = b""
        self._item()

    def _look(self, data: bytes) -> None:
        if b"<" not in data:
            self._item_bytes += len(data)
            return
        marks = [mark[1] for mark in _CELL_OR_ROW.finditer(data)] if _CELL.search(data) or b"row" in data else []
        for mark in marks:
            if mark == b"row":
                self._row_marks += 1
                self._in_row = 0
            else:
                self.cells += 1
                self._in_row += 1
                self._most_in_row = max(self._most_in_row, self._in_row)
        if marks:
            references = _REFERENCE.findall(data)
            self._references += len(references)
            self._columns = max([self._columns, *map(column_number, {letters for letters, _ in references})])
            self._rows = max([self._rows, *(int(row) for _, row in references), *map(int, _ROW.findall(data))])
            self.is_hidden |= _ESCAPED.search(data) is not None
        place = 0
        for item in _ITEM.finditer(data):
            self._item_bytes += item.start() - place
            self._item()
            self._has_items, place = True, item.start()
        self._item_bytes += len(data) - place

    def _item(self) -> None:
        if self._has_items:
            self.longest = max(self.longest, self._item_bytes)
        self._item_bytes = 0


def column_number(letters: bytes) -> int:
    """The place from 1 of a column that a workbook calls so, however many letters it writes."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _shared_bytes(file: BinaryIO, parts: list[zipfile.ZipInfo]) -> int:
    """Bytes of text when every cell has its own copy of the text it shares, counted generously: whatever could be a reference is one."""
    lengths: list[int] = []
    counts = np.zeros(0, dtype=np.int64)
    for part in parts:
        data = b"".join(_unpacked(file, part))  # below the limit: it has been counted
        starts = [item.start() for item in _ITEM.finditer(data)]
        lengths += [after - start for start, after in zip(starts, [*starts[1:], len(data)], strict=True)]
        if _CELL.search(data):
            values = np.array(_VALUE.findall(data), dtype="S9").astype(np.int64)
            values = values[values < MOST_CELLS]
            found = np.bincount(values, minlength=len(counts))
            found[: len(counts)] += counts
            counts = found
    size = min(len(lengths), len(counts))
    return int((np.array(lengths[:size], dtype=np.int64) * counts[:size]).sum())
