"""Raw cells into values: one parser a type, and the rule a cell broke where it could not be understood.

Coded cells (codes, dates, grades, divisions) are parsed once for each distinct text. Texts (names, addresses) are taken as written but
for blanks at the ends and characters nobody can see; numbers of every kind, which are compared, come in one spelling. Nothing here
knows a row or a file.
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
from numpy.typing import NDArray

from kcb_pipeline.extracts.catalogue import MISSING, CodeList, Column
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.codes import (
    FORMULA_OF_TEXT,
    TEXT_MARK,
    is_ruined,
    parse_division,
    parse_grade,
    plain_number,
    plain_phone,
)
from kcb_pipeline.identity.dates import EARLIEST, parse_date, parse_moment, parse_month
from kcb_pipeline.identity.text_arrays import bounds_and_bytes

LONGEST_CELL: Final = 4096
LONGEST_NAME: Final = 100
"""Characters (extracts.md, Cells and rows)."""

UNKNOWN_CODE = "unknown_code"
IMPOSSIBLE_DATE = "impossible_date"
CONTROL_CHARACTERS = "control_characters"
BAD_CHECK_DIGIT = "bad_check_digit"
NUMERIC_ID_NUMBER = "numeric_id_number"
"""A spreadsheet made a number of what is none and kept 15 of its digits. An ID number stays as written and is no key; of all other numbers
(households, schools, students, certificates, telephones) nothing stays: as written many would be one."""
SPREADSHEET_ERROR = "spreadsheet_error"
"""A text cell holds an error of a spreadsheet: nobody wrote that. A coded cell that does is `unknown_code` or `impossible_date`."""

SPREADSHEET_ERRORS: Final = ("#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#BUSY!", "#UNKNOWN!", "#GETTING_DATA")  # fmt: skip
"""What Excel shows in a cell whose formula fails, and writes into a CSV (Microsoft 365, ERROR.TYPE)."""

INVISIBLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufffe\uffff]")
"""Control characters and those that take no room: removed, and the cell recorded."""

_BLANK_OR_INVISIBLE: Final = {
    b"\xc2": [*range(0x80, 0xA1), 0xAD],
    b"\xe1": [0x9A],
    b"\xe2": [0x80, 0x81],
    b"\xe3": [0x80],
    b"\xef": [0xBB, 0xBF],
}
"""Blanks and characters nobody sees beyond U+007F, in UTF-8: the first byte of each and what may follow it.

Looking for one byte that Chinese text hardly has costs next to nothing; some that follow are also followed by characters that are seen.
"""
_FOLLOWS: Final = np.zeros((256, 256), dtype=bool)
for _lead, _seconds in _BLANK_OR_INVISIBLE.items():
    _FOLLOWS[_lead[0], _seconds] = True


def suspicious(text: bytes | bytearray, points: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where the text (and `points`, the same as an array) may hold a blank or an invisible character above U+0020, an error of a spreadsheet or a
    formula of a text; each is found."""
    leads = [lead[0] for lead in _BLANK_OR_INVISIBLE if lead in text]
    places = [np.flatnonzero(points == lead) for lead in leads]
    found = np.concatenate([np.empty(0, dtype=np.int64), *places])
    found = found[_FOLLOWS[points[found], points[np.minimum(found + 1, len(points) - 1)]]]
    others = [np.flatnonzero(points == mark) for mark in (_DELETE, *_BEGIN_SPREADSHEETS) if bytes([mark]) in text]
    return np.concatenate([found, *others]) if others else found


_BLANK, _DELETE = 32, 127
_BEGIN_SPREADSHEETS: Final = b"#="
"""How an error of a spreadsheet begins, and a formula of a text."""


ARROW_TYPES: Final = {
    "date": pa.date32(),
    "moment": pa.timestamp("s"),
    "month": pa.date32(),
    "grade": pa.int8(),
    "integer": pa.int32(),
    "flag": pa.bool_(),
}
TEXT_TYPES: Final = frozenset(["text", "name", "number", "phone", "student_number", "id_number"])

_MOST_REMEMBERED = 200_000


_CODE: Final = pa.dictionary(pa.int32(), pa.string())


def arrow_type(column: Column) -> pa.DataType:
    """The type a column lands in; texts are strings, and so are codes and divisions, each kept once and pointed at."""
    return ARROW_TYPES.get(column.type, pa.string() if column.type in TEXT_TYPES else _CODE)


Places = NDArray[np.int64]
"""Positions in a batch, rising."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The values of one column of a batch, and which of its cells broke which rule."""

    values: pa.Array
    issues: list[tuple[str, Places]]
    too_long: Places


class ColumnReader:
    """Turns the cells of one column into values. It remembers what it has parsed, so keep one a column and landing."""

    def __init__(self, column: Column, comparison_date: dt.date) -> None:
        self._column = column
        self._date = comparison_date
        self._type = arrow_type(column)
        self._memory: dict[str, tuple[Any, str | None]] = {}
        self._parse = None if column.type in TEXT_TYPES else _parser(column, comparison_date)

    def read(self, cells: pa.Array, suspects: Places | None) -> Cells:
        """The values of a batch. `suspects`: the cells that may need tidying, all others being missing where they say nothing; None where
        nobody has looked."""
        if self._parse is None:
            return self._read_text(cells, suspects)
        return self._read_coded(cells, self._parse)

    def _read_coded(self, cells: pa.Array, parse: _Parser) -> Cells:
        coded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
        distinct = coded.dictionary.to_pylist()
        parsed = [self._remembered(text, parse) for text in distinct]
        rules = sorted({rule for _, rule in parsed if rule})
        issues = [(rule, _places_of(coded, [broke == rule for _, broke in parsed])) for rule in rules]
        too_long = _places_of(coded, [text is not None and len(text) > LONGEST_CELL for text in distinct])
        return Cells(_values_of(coded, [value for value, _ in parsed], self._type), issues, too_long)

    def _remembered(self, text: str | None, parse: _Parser) -> tuple[Any, str | None]:
        if text is None:
            return None, None
        known = self._memory.get(text)
        if known is None:
            if len(self._memory) >= _MOST_REMEMBERED:
                self._memory.clear()
            visible = INVISIBLE.sub("", text)
            plain = TEXT_MARK.sub("", FORMULA_OF_TEXT.sub(r"\1", visible.strip())).strip()
            known = (None, None) if plain in MISSING else parse(plain)
            if visible != text and known[1] is None:
                known = (known[0], CONTROL_CHARACTERS)
            self._memory[text] = known
        return known

    def _read_text(self, cells: pa.Array, suspects: Places | None) -> Cells:
        issues: list[tuple[str, Places]] = []
        if suspects is None:
            cells = _without_missing(cells)
        untidy = _untidy(cells) if suspects is None else suspects[_untidy(cells.take(pa.array(suspects)))]
        if len(untidy):
            cells, broken = _tidied(cells, untidy)
            issues += [(rule, places) for rule, places in broken.items() if len(places)]
        too_long = _longer_than(cells, LONGEST_NAME if self._column.type == "name" else LONGEST_CELL)
        if self._column.type in ("id_number", "student_number"):
            cells, ruined = _read_numbers(cells)
        elif self._column.type in ("number", "phone"):
            cells, ruined = _read_plain_numbers(cells, plain_phone if self._column.type == "phone" else plain_number)
        else:
            ruined = _NOWHERE
        if len(ruined):
            issues.append((NUMERIC_ID_NUMBER, ruined))
            if self._column.type != "id_number":
                cells = _without(cells, ruined)
        return Cells(cells, issues, too_long)


_NOWHERE: Final = np.empty(0, dtype=np.int64)


def _places_of(coded: pa.DictionaryArray, wanted: list[bool]) -> Places:
    """Where the cells stand whose distinct text is wanted."""
    if not any(wanted):
        return _NOWHERE
    codes = pa.array(np.flatnonzero(wanted).astype(np.int32))
    return pc.indices_nonzero(pc.is_in(coded.indices, value_set=codes)).to_numpy().astype(np.int64)


def _values_of(coded: pa.DictionaryArray, values: list[Any], kind: pa.DataType) -> pa.Array:
    """The value of each cell by that of its distinct text. Codes stay distinct texts and their places: they are written as such."""
    if not pa.types.is_dictionary(kind):
        return pa.array(values, type=kind).take(coded.indices)
    distinct = list(dict.fromkeys(value for value in values if value is not None))
    place = {value: nth for nth, value in enumerate(distinct)}
    places = pa.array([place.get(value) for value in values], type=pa.int32())
    return pa.DictionaryArray.from_arrays(places.take(coded.indices), pa.array(distinct, type=pa.string()))


def _without_missing(cells: pa.Array) -> pa.Array:
    """The cells, missing where they are written in one of the ways that say nothing."""
    bounds, data = bounds_and_bytes(cells)
    lengths = np.diff(bounds)
    short = np.flatnonzero((lengths <= _LONGEST_MISSING) & cells.is_valid().to_numpy(zero_copy_only=False))
    points = np.frombuffer(data, np.uint8)
    if len(points):
        begins = points[np.minimum(bounds[short], len(points) - 1)]
        short = short[_BEGINS_MISSING[begins] | (lengths[short] == 0)]
    says_nothing = pc.is_in(cells.take(pa.array(short)), value_set=pa.array(MISSING)).to_numpy(zero_copy_only=False)
    if not says_nothing.any():
        return cells
    return _without(cells, short[says_nothing])


def _without(cells: pa.Array, places: Places) -> pa.Array:
    missing = np.zeros(len(cells), dtype=bool)
    missing[places] = True
    return pc.if_else(pa.array(missing), None, cells)


_LONGEST_MISSING: Final = max(len(text.encode()) for text in MISSING)
_BEGINS_MISSING: Final = np.zeros(256, dtype=bool)
_BEGINS_MISSING[[text.encode()[0] for text in MISSING if text]] = True


def _untidy(cells: pa.Array) -> Places:
    """The cells that may have blanks at their ends, or control or invisible characters, or be an error of a spreadsheet or a formula of a text."""
    bounds, data = bounds_and_bytes(cells)
    text, points = bytes(data), np.frombuffer(data, np.uint8)
    return _cells_at(bounds, np.concatenate([np.flatnonzero(points <= _BLANK), suspicious(text, points)]))


def _tidied(cells: pa.Array, untidy: Places) -> tuple[pa.Array, dict[str, Places]]:
    """The texts without blanks at the ends, invisible characters and what a spreadsheet makes of them, and the places of those that broke a rule."""
    some = cells.take(pa.array(untidy))
    texts = pl.Series(some, dtype=pl.String)
    has_invisible = texts.str.contains(INVISIBLE.pattern).fill_null(value=False)
    if has_invisible.any():
        texts = texts.str.replace_all(INVISIBLE.pattern, "")
    plain = texts.str.strip_chars().str.replace(FORMULA_OF_TEXT.pattern, "$1").str.strip_chars()
    tidy = _without_missing(_arrow(plain))
    is_error = pc.is_in(tidy, value_set=pa.array(SPREADSHEET_ERRORS)).to_numpy(zero_copy_only=False)
    if is_error.any():
        tidy = _without(tidy, np.flatnonzero(is_error))
    broken = {CONTROL_CHARACTERS: untidy[has_invisible.to_numpy()], SPREADSHEET_ERROR: untidy[is_error]}
    return _replaced(cells, untidy, some, tidy), broken


def _replaced(cells: pa.Array, places: Places, before: pa.Array, after: pa.Array) -> pa.Array:
    """The cells with those at some places as they are `after`."""
    if after.equals(before):
        return cells
    mask = np.zeros(len(cells), dtype=bool)
    mask[places] = True
    return pc.replace_with_mask(cells, pa.array(mask), after)


def _arrow(texts: pl.Series) -> pa.Array:
    array = texts.to_arrow()
    return array.cast(pa.string())


def _longer_than(cells: pa.Array, limit: int) -> Places:
    lengths = pc.binary_length(cells)
    longest = pc.max(lengths).as_py()
    if longest is None or longest <= limit:  # characters are at most as many as bytes
        return _NOWHERE
    over = pc.fill_null(pc.greater(pc.utf8_length(cells), limit), fill_value=False)
    return pc.indices_nonzero(over).to_numpy().astype(np.int64)


_PLAIN_NUMBER_LENGTHS = (18, 19)


def _read_numbers(cells: pa.Array) -> tuple[pa.Array, Places]:
    """ID and student numbers in one spelling (ASCII, capital X, no blanks), and the places of those a spreadsheet ruined."""
    unusual = _unusual_numbers(cells)
    if not len(unusual):
        return cells, _NOWHERE
    some = cells.take(pa.array(unusual))
    texts = pl.Series(some, dtype=pl.String)
    ruined = id_number.is_numeric_ruin(texts)
    cleaned = id_number.clean(texts)
    if ruined.any():  # kept as written: there is nothing to clean
        cleaned = pl.DataFrame({"c": cleaned, "t": texts, "r": ruined}).select(pl.when("r").then("t").otherwise("c"))[
            "t"
        ]
    return _replaced(cells, unusual, some, _arrow(cleaned)), unusual[ruined.to_numpy()]


_FOLDED_MARKS: Final = tuple(sorted({mark.encode()[0] for mark in "'`’！ -+.Ee"}))
"""A byte, in UTF-8, that every number has which is not in its one spelling: of an apostrophe, of a full-width character, between the parts of a
telephone number, and of what a spreadsheet made a number of."""


def _read_plain_numbers(cells: pa.Array, plain: Callable[[pl.Series], pl.Series]) -> tuple[pa.Array, Places]:
    """Other numbers in one spelling, and the places of those a spreadsheet ruined; the few cells that may need it are found by bytes they must
    have."""
    bounds, data = bounds_and_bytes(cells)
    text, points = bytes(data), np.frombuffer(data, np.uint8)
    places = [np.flatnonzero(points == mark) for mark in _FOLDED_MARKS if mark in text]
    if not places:
        return cells, _NOWHERE
    unusual = _cells_at(bounds, np.concatenate(places))
    some = cells.take(pa.array(unusual))
    texts = plain(pl.Series(some, dtype=pl.String))
    return _replaced(cells, unusual, some, _without_missing(_arrow(texts))), unusual[is_ruined(texts).to_numpy()]


def _unusual_numbers(cells: pa.Array) -> Places:
    """The cells that are not 18 or 19 of `0-9A-Z`, looked at as one run of bytes."""
    bounds, data = bounds_and_bytes(cells)
    points = np.frombuffer(data, np.uint8)
    digits = (points - np.uint8(ord("0"))) <= 9
    plain = digits | ((points - np.uint8(ord("A"))) <= 25)
    lengths = np.diff(bounds)
    other = ~np.isin(lengths, _PLAIN_NUMBER_LENGTHS)
    if not plain.all():
        other[_cells_at(bounds, np.flatnonzero(~plain))] = True
    if cells.null_count:
        other &= cells.is_valid().to_numpy(zero_copy_only=False)
    return np.flatnonzero(other)


def _cells_at(bounds: NDArray[np.integer], places: NDArray[np.int64]) -> Places:
    """The cells that hold the bytes at some places of all of them; `bounds`: where the bytes of each begin."""
    return np.unique(np.searchsorted(bounds, places, side="right") - 1)


# -- parsers of coded cells ----------------------------------------------------------------------------------------

_Parser = Callable[[str], tuple[Any, str | None]]


def _parser(column: Column, comparison_date: dt.date) -> _Parser:
    codes = column.code_list
    if codes is not None:
        return _code_parser(codes)
    match column.type:
        case "date":
            return _date_parser(parse_date, None if column.future else comparison_date)
        case "moment":
            return _date_parser(parse_moment, comparison_date)
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
    """Of days, and of moments, which are in range where their day is."""

    def parse_in_range(text: str) -> tuple[dt.date | None, str | None]:
        try:
            found = parse(text)
        except (OverflowError, OSError, ValueError):  # epoch milliseconds beyond the calendar
            found = None
        day = found.date() if isinstance(found, dt.datetime) else found
        if day is None or day < EARLIEST or (latest is not None and day > latest):
            return None, IMPOSSIBLE_DATE
        return found, None

    return parse_in_range
