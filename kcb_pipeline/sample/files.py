"""Writing files of every kind an agency sends, the same bytes for the same rows.

What belongs here: delimited text in any encoding, gzip, workbooks, Parquet, and digests beside them. No knowledge of
sources: which one comes how is `layout`.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import polars as pl
import xlsxwriter

Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]

_TWO_BYTE_FORMS: Final = {
    "\u9fb4": "\ue81e", "\u9fb5": "\ue826", "\u9fb6": "\ue82b", "\u9fb7": "\ue82c", "\u9fb8": "\ue832",
    "\u9fb9": "\ue843", "\u9fba": "\ue854", "\u9fbb": "\ue864", "\U00020087": "\ue816", "\u1e3f": "\ue7c7",
}  # fmt: skip
"""Characters that agencies' GB18030 holds in two bytes, where Python's codec reads and writes private use for them."""
_A_DAY_LONG_AGO: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""When every workbook says it was made."""


def delimited(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    separator: str,
    encoding: Encoding,
    newline: str,
    quote_all: bool = False,
) -> bytes:
    """A delimited text file."""
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=separator,
        lineterminator=newline,
        quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL,
    )
    writer.writerow(header)
    writer.writerows(rows)
    whole = text.getvalue()
    if encoding == "gb18030":
        for character, form in _TWO_BYTE_FORMS.items():
            whole = whole.replace(character, form)
        return whole.encode("gb18030")
    return whole.encode(encoding, errors="surrogateescape")


def gzipped(content: bytes) -> bytes:
    """Compressed, without a time or a name inside."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def write_with_digest(path: Path, content: bytes) -> None:
    """A file and its sha-256 beside it, as `sha256sum` writes it."""
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    path.with_name(path.name + ".sha256").write_bytes(f"{digest}  {path.name}\n".encode())


def workbook(
    path: Path,
    header: Sequence[str],
    rows: Iterable[Sequence[str | float | dt.date]],
    *,
    title: str = "",
) -> None:
    """A workbook of one sheet; with a title, the header stands two rows below it. Dates become true date cells."""
    book = xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False})
    book.set_properties({"created": _A_DAY_LONG_AGO, "author": "", "company": ""})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("Sheet1")
    start = 0
    if title:
        sheet.write_string(0, 0, title)
        start = 2
    for column, text in enumerate(header):
        sheet.write_string(start, column, text)
    for line, row in enumerate(rows, start + 1):
        for column, cell in enumerate(row):
            if isinstance(cell, dt.date):
                sheet.write_datetime(line, column, dt.datetime(cell.year, cell.month, cell.day), day)  # noqa: DTZ001
            elif isinstance(cell, str):
                if cell:
                    sheet.write_string(line, column, cell)
            else:
                sheet.write_number(line, column, cell)
    book.close()


def parquet(path: Path, frame: pl.DataFrame) -> None:
    """A Parquet file."""
    frame.write_parquet(path, compression="zstd", statistics=True)
