"""XLSX workbooks: the first sheet (of a form of ours, the sheet of its name), its header within the first ten rows, cells with the types Excel gave them.

Formulas, macros and links are never evaluated: calamine reads the stored values only, and a cell that holds an error or a formula without a
stored value is read as that error (error_cells.py). A workbook is at most 1,048,576 rows,
and one that would unpack to more than a machine can hold is refused before it is opened (packed.py).
"""

from __future__ import annotations

import datetime as dt
import functools
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.batches import MALFORMED_ROW, RawBatch, Stretch
from kcb_pipeline.extracts.catalogue import Source, header_key
from kcb_pipeline.extracts.error_cells import error_cells
from kcb_pipeline.extracts.file_kinds import OLD_OFFICE, ZIP, kind_of
from kcb_pipeline.extracts.packed import refuse_packed_bomb

HEADER_WITHIN: Final = 10
BATCH_ROWS: Final = 50_000
EXACT_DIGITS: Final = 10**15
"""Excel keeps 15 digits: a longer number is already another number, and is written so that it is seen to be ruined."""


class Workbook:
    """One XLSX file of a source. Raises ContractError where it cannot be read or has no header."""

    ends_open = False
    """its end is where its parts are listed: without it the file cannot be read"""

    def __init__(self, path: Path, source: Source, *, shown: str) -> None:
        self._shown = shown
        self._size = path.stat().st_size
        self.form = "xlsx"
        self._rows = self._sheet(path, source.form.sheet if source.form else None)
        self._header_at = self._find_header(source)
        self.headers = tuple(_text(cell) or "" for cell in self._rows[self._header_at])
        self._lines = [
            line
            for line, cells in enumerate(self._rows, start=1)
            if line > self._header_at + 1 and not _is_blank(cells)
        ]

    def line(self, row: int) -> int:
        """The sheet's row of a data row."""
        return self._lines[row - 1]

    def stretches(self, positions: dict[str, int]) -> Iterator[Stretch]:
        """The data rows below the header; rows with nothing in them are no data rows."""
        for start in range(0, max(len(self._lines), 1), BATCH_ROWS):
            yield functools.partial(self._batch, self._lines[start : start + BATCH_ROWS], positions)

    def _batch(self, lines: list[int], positions: dict[str, int]) -> RawBatch:
        width = max(positions.values(), default=-1) + 1
        records = [self._rows[line - 1] for line in lines]
        records = [cells + [""] * (width - len(cells)) for cells in records]
        columns = {
            name: pa.array([_text(record[place]) for record in records], type=pa.string())
            for name, place in positions.items()
        }
        rows = np.arange(1, len(records) + 1, dtype=np.int64)
        refused = [
            (int(row), MALFORMED_ROW)
            for row, record in zip(rows, records, strict=True)
            if any(isinstance(cell, str) and "\x00" in cell for cell in record)
        ]
        if refused:
            kept = ~np.isin(rows, [row for row, _ in refused])
            columns = {name: cells.filter(pa.array(kept)) for name, cells in columns.items()}
            rows = rows[kept]
        position = self._size * lines[-1] // len(self._rows) if lines else self._size
        return RawBatch(len(records), rows, columns, refused, position)

    def _sheet(self, path: Path, wanted: str | None) -> list[list[Any]]:
        try:
            refuse_packed_bomb(path, shown=self._shown)
            workbook = CalamineWorkbook.from_path(str(path))
            at = workbook.sheet_names.index(wanted) if wanted in workbook.sheet_names else 0
            rows: list[list[Any]] = workbook.get_sheet_by_index(at).to_python(skip_empty_area=False)
            for cell in error_cells(path, at):
                _put(rows, cell.row, cell.column, cell.text)
        except (CalamineError, zipfile.BadZipFile, zlib.error, *_UNREADABLE) as error:
            found = _what_it_is(path) or f"a damaged one ({type(error).__name__})"
            raise ContractError(file=self._shown, expected="a readable workbook", found=found) from None
        if wanted is None and len(workbook.sheet_names) > 1:
            self.form = f"xlsx, the first of {len(workbook.sheet_names)} sheets"
        return rows

    def _find_header(self, source: Source) -> int:
        known = [
            sum(header_key(_text(cell) or "") in source.headers for cell in row) for row in self._rows[:HEADER_WITHIN]
        ]
        if not any(known):
            wanted = next(column for column in source.columns if column.required)
            sheet = f"the sheet {source.form.sheet}, else the first one" if source.form else "the first sheet"
            raise ContractError(
                file=self._shown,
                source=source.name,
                column=wanted.name,
                expected=f"{' or '.join((wanted.name, *wanted.headers))} in a header within the first {HEADER_WITHIN} rows of {sheet}",
                found="an empty sheet" if not self._rows else "no known header",
            )
        return known.index(max(known))


_UNREADABLE: Final = (OSError, ValueError, IndexError, KeyError, OverflowError, NotImplementedError)
"""What reading a file that is no workbook raises, beside what its readers call damaged."""

_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
"""The stream in which Office keeps a workbook that has a password (MS-OFFCRYPTO 2.3.4.4)."""


def _what_it_is(path: Path) -> str | None:
    """What a file that is no ZIP is instead, where it can be told; None where it may be a workbook that was damaged."""
    data = path.read_bytes()
    if data.startswith(OLD_OFFICE) and _ENCRYPTED in data:
        return "a workbook with a password: kcb decrypt --password-file opens it, or it is to be saved without one"
    if data.startswith(ZIP):
        return None
    if b"\x00" in data:
        return kind_of(data) or "a file that is no workbook, whatever its name says"
    return kind_of(data) or "a file of text: it is to be called .csv"


def _put(rows: list[list[Any]], row: int, column: int, text: str) -> None:
    """Put a text into the sheet; the sheet grows where what calamine gave ends before it."""
    rows.extend([] for _ in range(row + 1 - len(rows)))
    rows[row].extend([""] * (column + 1 - len(rows[row])))
    rows[row][column] = text


def _is_blank(cells: list[Any]) -> bool:
    return all(cell in ("", None) for cell in cells)


def _text(cell: Any) -> str | None:
    """A cell as text: whole numbers without a point, dates as ISO, numbers beyond 15 digits as Excel shows them."""
    match cell:
        case None | "":
            return None
        case str():
            return cell
        case bool():
            return "1" if cell else "0"
        case int() | float():
            if abs(cell) >= EXACT_DIGITS:
                return f"{cell:.5E}"
            return str(int(cell)) if cell == int(cell) else repr(float(cell))
        case dt.datetime():
            return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ", timespec="seconds")
        case dt.date():
            return cell.isoformat()
        case _:
            return str(cell)
