"""Raw cells into values: one parser a type, and the rule a cell broke where it could not be understood.

Coded cells (codes, dates, grades, divisions) are parsed once for each distinct text. Texts (names, numbers, addresses) are
taken as written but for blanks at the ends and characters nobody can see. Nothing here knows a row or a file.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from kcb_pipeline.extracts.catalogue import MISSING, CodeList, Column
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.codes import parse_division, parse_grade
from kcb_pipeline.identity.dates import EARLIEST, parse_date, parse_month

LONGEST_CELL: Final = 4096
LONGEST_NAME: Final = 100
"""Characters (extracts.md, Cells and rows)."""

UNKNOWN_CODE = "unknown_code"
IMPOSSIBLE_DATE = "impossible_date"
CONTROL_CHARACTERS = "control_characters"
BAD_CHECK_DIGIT = "bad_check_digit"
NUMERIC_ID_NUMBER = "numeric_id_number"

INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\uffff]")
"""Control characters and those that take no room: removed, and the cell recorded."""

_CONTROLS: Final = bytes([*range(32), 127])
_BLANK_OR_INVISIBLE: Final = {
    b"\xe3": re.compile(rb"\xe3\x80\x80"),
    b"\xe2": re.compile(rb"\xe2(\x80[\x80-\x8f\xa8-\xaf]|\x81[\x9f-\xa4])"),
    b"\xef": re.compile(rb"\xef(\xbb\xbf|\xbf[\xbe\xbf])"),
    b"\xc2": re.compile(rb"\xc2[\x80-\xa0\xad]"),
    b"\xe1": re.compile(rb"\xe1\x9a\x80"),
}
"""Blanks and characters nobody sees, by their first byte: looking for one byte that Chinese text hardly has costs next to nothing."""


def is_tidy(text: bytes, *, but_for: bytes = b"") -> bool:
    """Whether the text holds no blank, no control (other than those of `but_for`) and no invisible character, so that no cell can need tidying."""
    if b" " in text or any(lead in text and seen.search(text) for lead, seen in _BLANK_OR_INVISIBLE.items()):
        return False
    return len(text.translate(None, _CONTROLS.translate(None, but_for))) == len(text)


ARROW_TYPES: Final = {
    "date": pa.date32(),
    "month": pa.date32(),
    "grade": pa.int8(),
    "integer": pa.int32(),
    "flag": pa.bool_(),
}
TEXT_TYPES: Final = frozenset(["text", "name", "phone", "student_number", "id_number"])

_MOST_REMEMBERED = 200_000


def arrow_type(column: Column) -> pa.DataType:
    """The type a column lands in; codes, divisions and texts are strings."""
    return ARROW_TYPES.get(column.type, pa.string())


@dataclass(frozen=True, slots=True)
class Cells:
    """The values of one column of a batch, and which of its cells broke which rule (positions in the batch)."""

    values: pa.Array
    issues: list[tuple[str, list[int]]]
    too_long: list[int]


class ColumnReader:
    """Turns the cells of one column into values. It remembers what it has parsed, so keep one a column and landing."""

    def __init__(self, column: Column, comparison_date: dt.date) -> None:
        self._column = column
        self._date = comparison_date
        self._type = arrow_type(column)
        self._memory: dict[str, tuple[Any, str | None]] = {}
        self._parse = None if column.type in TEXT_TYPES else _parser(column, comparison_date)

    def read(self, cells: pa.Array, *, tidy: bool) -> Cells:
        """The values of a batch. `tidy`: no cell needs its ends or its invisible characters looked at."""
        if self._parse is None:
            return self._read_text(cells, tidy=tidy)
        return self._read_coded(cells, self._parse)

    def _read_coded(self, cells: pa.Array, parse: _Parser) -> Cells:
        coded = cells.dictionary_encode()
        distinct = coded.dictionary.to_pylist()
        parsed = [self._remembered(text, parse) for text in distinct]
        distinct_values = pa.array([value for value, _ in parsed], type=self._type)
        values = distinct_values.take(coded.indices)
        broken = {rule for _, rule in parsed if rule}
        issues = []
        for rule in sorted(broken):
            codes = pa.array([code for code, (_, broke) in enumerate(parsed) if broke == rule], type=pa.int32())
            found = pc.is_in(coded.indices, value_set=codes)
            issues.append((rule, pc.indices_nonzero(found).to_pylist()))
        long = [code for code, text in enumerate(distinct) if text is not None and len(text) > LONGEST_CELL]
        too_long = (
            pc.indices_nonzero(pc.is_in(coded.indices, value_set=pa.array(long, type=pa.int32()))) if long else None
        )
        return Cells(values, issues, too_long.to_pylist() if too_long is not None else [])

    def _remembered(self, text: str | None, parse: _Parser) -> tuple[Any, str | None]:
        if text is None:
            return None, None
        known = self._memory.get(text)
        if known is None:
            if len(self._memory) >= _MOST_REMEMBERED:
                self._memory.clear()
            visible = INVISIBLE.sub("", text)
            plain = visible.strip()
            known = (None, None) if plain in MISSING else parse(plain)
            if visible != text and known[1] is None:
                known = (known[0], CONTROL_CHARACTERS)
            self._memory[text] = known
        return known

    def _read_text(self, cells: pa.Array, *, tidy: bool) -> Cells:
        issues: list[tuple[str, list[int]]] = []
        if not tidy:
            cells, controls = _tidied(cells)
            if controls:
                issues.append((CONTROL_CHARACTERS, controls))
        too_long = _longer_than(cells, LONGEST_NAME if self._column.type == "name" else LONGEST_CELL)
        if self._column.type in ("id_number", "student_number"):
            cells, ruined = _read_numbers(cells, tidy=tidy)
            if ruined and self._column.type == "id_number":
                issues.append((NUMERIC_ID_NUMBER, ruined))
        return Cells(cells, issues, too_long)


def _tidied(cells: pa.Array) -> tuple[pa.Array, list[int]]:
    """Texts without blanks at the ends and without invisible characters, and the positions of those that had any."""
    if is_tidy(_written(cells)):
        return pc.if_else(pc.is_in(cells, value_set=pa.array(MISSING)), None, cells), []
    texts = pl.Series(cells, dtype=pl.String)
    has_invisible = texts.str.contains(INVISIBLE.pattern).fill_null(value=False)
    if has_invisible.any():
        texts = texts.str.replace_all(INVISIBLE.pattern, "")
    texts = texts.str.strip_chars()
    frame = pl.DataFrame({"text": texts}).select(pl.when(~pl.col("text").is_in(MISSING)).then("text"))
    return _arrow(frame["text"]), has_invisible.arg_true().to_list()


def _arrow(texts: pl.Series) -> pa.Array:
    array = texts.to_arrow()
    return array.cast(pa.string())


def _longer_than(cells: pa.Array, limit: int) -> list[int]:
    lengths = pc.binary_length(cells)
    longest = pc.max(lengths).as_py()
    if longest is None or longest <= limit:  # characters are at most as many as bytes
        return []
    return pc.indices_nonzero(pc.fill_null(pc.greater(pc.utf8_length(cells), limit), fill_value=False)).to_pylist()


_PLAIN_NUMBER_LENGTHS = (18, 19)


def _read_numbers(cells: pa.Array, *, tidy: bool) -> tuple[pa.Array, list[int]]:
    """ID and student numbers in one spelling (ASCII, capital X, no blanks), and the positions of those a spreadsheet ruined."""
    lengths = pc.value_counts(pc.binary_length(cells)).to_pylist()
    usual = all(entry["values"] is None or entry["values"] in _PLAIN_NUMBER_LENGTHS for entry in lengths)
    if tidy and usual and _only_digits_and_capitals(cells):
        return cells, []
    texts = pl.Series(cells, dtype=pl.String)
    ruined = id_number.is_numeric_ruin(texts)
    cleaned = id_number.clean(texts)
    if ruined.any():  # kept as written: there is nothing to clean
        cleaned = pl.DataFrame({"c": cleaned, "t": texts, "r": ruined}).select(pl.when("r").then("t").otherwise("c"))[
            "t"
        ]
    return _arrow(cleaned), ruined.arg_true().to_list()


def _only_digits_and_capitals(cells: pa.Array) -> bool:
    """Whether the texts hold nothing but `0-9A-Z`, looked at as one run of bytes."""
    points = np.frombuffer(_written(cells), np.uint8)
    digits = (points - np.uint8(ord("0"))) <= 9
    return bool((digits | ((points - np.uint8(ord("A"))) <= 25)).all())


def _written(cells: pa.Array) -> bytes:
    """All the cells as one run of bytes."""
    offsets, data = cells.buffers()[1:]
    if data is None or not len(cells):
        return b""
    bounds = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    return memoryview(data)[bounds[0] : bounds[-1]].tobytes()


# -- parsers of coded cells ----------------------------------------------------------------------------------------

_Parser = Callable[[str], tuple[Any, str | None]]


def _parser(column: Column, comparison_date: dt.date) -> _Parser:
    codes = column.code_list
    if codes is not None:
        return _code_parser(codes)
    match column.type:
        case "date":
            return _date_parser(parse_date, None if column.future else comparison_date)
        case "month":
            return _date_parser(parse_month, comparison_date)
        case "grade":
            return lambda text: _or_unknown(parse_grade(text))
        case "integer":
            return lambda text: _or_unknown(int(float(text)) if re.fullmatch(r"\d{1,6}(\.0+)?", text) else None)
        case "flag":
            return lambda text: _or_unknown(_FLAGS.get(unicodedata.normalize("NFKC", text).upper()))
        case "division" | "township" | "village":
            places = {"division": 6, "township": 9, "village": 12}[column.type]
            return lambda text: _or_unknown(parse_division(text, places))
    message = f"no parser for columns of type {column.type}"
    raise AssertionError(message)


_FLAGS = {"1": True, "0": False, "是": True, "否": False, "TRUE": True, "FALSE": False, "1.0": True, "0.0": False}


def _or_unknown(value: Any) -> tuple[Any, str | None]:
    return value, None if value is not None else UNKNOWN_CODE


def _code_parser(codes: CodeList) -> _Parser:
    def parse(text: str) -> tuple[str | None, str | None]:
        plain = unicodedata.normalize("NFKC", text)
        for way in (plain, re.sub(r"\s|\.0+$", "", plain), plain.upper()):
            if way in codes.unknown:
                return None, None
            if way in codes.spellings:
                return codes.spellings[way], None
        return None, UNKNOWN_CODE

    return parse


def _date_parser(parse: Callable[[str], dt.date | None], latest: dt.date | None) -> _Parser:
    def parse_in_range(text: str) -> tuple[dt.date | None, str | None]:
        try:
            day = parse(text)
        except (OverflowError, OSError, ValueError):  # epoch milliseconds beyond the calendar
            day = None
        if day is None or day < EARLIEST or (latest is not None and day > latest):
            return None, IMPOSSIBLE_DATE
        return day, None

    return parse_in_range
