"""Lines of CSV into records: each whole line a data row, broken ones named by their number, cells that run over lines put together.

A file is cut into pieces of whole records, one after the other (`Cutter`), and the pieces are decoded and read side by side (`Parser`):
lines are found with array operations, and only those that are whole go to the fast parser (`pyarrow.csv`). So a broken row is always
named by its own number, and an unclosed quotation mark costs one row and not the rest of the file.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from kcb_pipeline.extracts.batches import MALFORMED_ROW, TOO_LONG, RawBatch
from kcb_pipeline.extracts.catalogue import MISSING
from kcb_pipeline.extracts.cells import suspicious
from kcb_pipeline.extracts.encodings import Text, utf8

LONGEST_LINE: Final = 1 << 20
"""A line above this holds a cell above the 4,096 characters a cell may have; it is stepped over without being kept."""
LONGEST_RECORD_LINES: Final = 64
"""How many lines a quoted cell may run over. Beyond that its opening mark is taken for a broken row, not for the rest of the file."""
MOST_UNENDED: Final = 10_000
"""How many records of a file may open a quotation mark that never closes, before no record of it may run over lines any more."""
MOST_REFUSED: Final = 1_000_000
"""How many lines of a file may be no records, before it is taken for something else than an extract."""

_NEWLINE, _RETURN, _QUOTE = 10, 13, 34


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written. mark: the byte-order mark that it begins with, if any."""

    encoding: str
    separator: str
    mark: bytes
    headers: tuple[str, ...]
    holds_throughout: bool = False
    """whether a row that is in another encoding refuses the file: nothing in its header line said which it is"""

    def decoded(self, raw: Text) -> Text:
        """Whole lines in UTF-8. Raises UnicodeDecodeError where a row in another encoding refuses the file."""
        try:
            return utf8(raw, self.encoding)
        except UnicodeDecodeError:
            if self.holds_throughout:
                raise
            return b"\n".join(map(self._decoded_line, raw.split(b"\n")))

    def _decoded_line(self, line: Text) -> Text:
        try:
            return utf8(line, self.encoding)
        except UnicodeDecodeError:
            return _UNDECODABLE


class TooManyRefusedError(Exception):
    """Too many lines of a file are no records."""


_UNDECODABLE = b"\x00"
STEPPED_OVER = b"\x00\x00"
"""What stands in a block for a line that cannot be decoded, and for one too long to keep."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole records of a file: what one thread reads while another reads the next.

    text: as it stands in the file, or its lines in UTF-8 where somebody had to look at them already. records: those that had to be read
    by hand, rising. broken: lines with quotation marks that make no record.
    """

    text: Text | _Lines
    position: int
    records: tuple[_Record, ...] = ()
    broken: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Record:
    """A record read by hand: lines `first` up to `after`, and its cells written again with every mark in its place."""

    first: int
    after: int
    text: bytes


class Cutter:
    """Cuts the blocks of a file into pieces that hold whole records. One a file: it carries what a block leaves open.

    Only a quotation mark can make a record reach into the next block, and only a quotation mark or a line end without a line need a
    line read by hand: a block without either is not even decoded here.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._open: Text = b""
        self._unended = 0

    def cut(self, raw: Text, position: int) -> Iterator[Piece]:
        """The whole records of one block, with those that it finishes."""
        if not self._open and b'"' not in raw and not _has_bare_returns(raw):
            yield Piece(raw, position)
            return
        decoded = self._dialect.decoded(raw)
        data, self._open = self._open + decoded if self._open else decoded, b""
        yield from self._cut(data, position, last=False)

    def finish(self, position: int) -> Iterator[Piece]:
        """What the last block left open."""
        data, self._open = self._open, b""
        yield from self._cut(data, position, last=True)

    def _cut(self, data: Text, position: int, *, last: bool) -> Iterator[Piece]:
        if not data:
            return
        lines = _Lines(data)
        records, broken, unfinished = self._read_by_hand(lines, last=last)
        if unfinished is not None:
            self._open, lines = data[unfinished:], _Lines(data[:unfinished])
        if unfinished != 0:
            yield Piece(lines, position, tuple(records), tuple(broken))

    def _read_by_hand(self, lines: _Lines, *, last: bool) -> tuple[list[_Record], list[int], int | None]:
        """Records that need reading one by one, lines that are none, and where one begins that the next block must finish."""
        records: list[_Record] = []
        broken: list[int] = []
        separator, columns = self._dialect.separator, len(self._dialect.headers)
        next_line = 0
        for suspect in lines.awkward(ord(separator)):
            first = int(suspect)
            if first < next_line:
                continue
            after, fields = self._record_from(lines, first)
            if fields is not None and len(fields) == columns:
                records.append(_Record(first, after, _written(fields, separator)))
                next_line = after
            elif after is _NEEDS_MORE and not last:
                return records, broken, int(lines.starts[first])
            else:
                broken.append(first)  # it costs this row; the next line starts afresh
                self._unended += 1
                if self._unended > MOST_REFUSED:
                    raise TooManyRefusedError
                next_line = first + 1
        return records, broken, None

    def _record_from(self, lines: _Lines, first: int) -> tuple[int, list[str] | None]:
        """The record that begins on a line, and the line after it; no fields where it never ends properly."""
        longest = LONGEST_RECORD_LINES if self._unended < MOST_UNENDED else 1
        reach = min(first + longest, len(lines))
        for after in range(first + 1, reach + 1):
            joined = lines.text(first, after)
            if len(joined) > LONGEST_LINE or _UNDECODABLE in joined:
                return after, None
            fields = _fields(joined.decode(), self._dialect.separator, strict=after > first + 1)
            if fields is not None:
                return after, fields
        return (_NEEDS_MORE if reach == len(lines) and longest > 1 else reach), None


_NEEDS_MORE = -1


def _has_bare_returns(data: Text) -> bool:
    """Whether a return stands anywhere but before a line end: the parser would end the row there, and no spreadsheet does."""
    if b"\r" not in data:
        return False
    text = np.frombuffer(data, dtype=np.uint8)
    return len(_bare(np.flatnonzero(text == _RETURN), text)) > 0


def _bare(returns: NDArray[np.int64], text: NDArray[np.uint8]) -> NDArray[np.int64]:
    after = text[np.minimum(returns + 1, len(text) - 1)]
    return returns[(after != _NEWLINE) & (after != _RETURN)]


class Parser:
    """Reads pieces of a file into cells. It keeps nothing of a piece but how many lines were no records."""

    def __init__(self, dialect: Dialect, positions: dict[str, int]) -> None:
        self._dialect = dialect
        self._names = [f"f{place}" for place in range(len(dialect.headers))]
        self._wanted = {name: f"f{place}" for name, place in positions.items()}
        self._nothing = {name: pa.array([], type=pa.string()) for name in positions}
        self._refused = 0
        self._counting = threading.Lock()

    def read(self, piece: Piece) -> RawBatch:
        """The records of a piece. Raises UnicodeDecodeError where a row in another encoding refuses the file."""
        lines = piece.text if isinstance(piece.text, _Lines) else _Lines(self._dialect.decoded(piece.text))
        rule = lines.rules()
        rule[list(piece.broken)] = _MALFORMED
        # A data row a line; but a blank line is none, and a record of several lines is one.
        is_row = rule != _BLANK
        for record in piece.records:
            is_row[record.first : record.after] = False
            is_row[record.first] = True
            rule[record.first : record.after] = _PART_OF_RECORD
            rule[record.first] = _GOOD
        row_of = np.cumsum(is_row, dtype=np.int64)
        firsts = np.flatnonzero(rule == _GOOD)
        text = lines.without(np.flatnonzero((rule >= _MALFORMED) & is_row), piece.records)
        columns, ragged = self._parse(text, lines.longest, piece.records) if len(firsts) else (self._nothing, [])
        rule[firsts[ragged]] = _MALFORMED
        firsts = np.delete(firsts, ragged)
        assert all(len(cells) == len(firsts) for cells in columns.values()), "the parser and the line count must agree"
        bad = np.flatnonzero((rule >= _MALFORMED) & is_row)
        self._refuse_more(len(bad))
        return RawBatch(
            count=int(row_of[-1]),
            rows=row_of[firsts],
            columns=columns,
            refused=[(int(row_of[line]), _RULES[int(rule[line])]) for line in bad],
            position=piece.position,
            suspects=None if piece.records else lines.suspects(firsts, ord(self._dialect.separator)),
        )

    def _refuse_more(self, count: int) -> None:
        with self._counting:
            self._refused += count
            if self._refused > MOST_REFUSED:
                raise TooManyRefusedError

    def _parse(
        self, text: Text | NDArray[np.uint8], longest: int, records: tuple[_Record, ...]
    ) -> tuple[dict[str, pa.Array], list[int]]:
        """The cells of all records with as many as the header, and the places of the records with more or fewer."""
        ragged: list[int] = []
        longest = max([longest, *(len(record.text) for record in records)])

        def skip(row: pa_csv.InvalidRow) -> str:
            ragged.append(row.number - 1)
            return "skip"

        # The parser would leave out, of any piece, what it takes for the mark of a file.
        if bytes(text[:3]) == codecs.BOM_UTF8:
            text = b"\n" + bytes(text)
        table = pa_csv.read_csv(
            pa.BufferReader(pa.py_buffer(text)),
            read_options=pa_csv.ReadOptions(
                column_names=self._names,
                use_threads=False,  # every core has a piece of its own; and rows are numbered only so
                block_size=_PARSED_AT_ONCE if longest < _PARSED_AT_ONCE // 2 else 4 * LONGEST_LINE,
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._dialect.separator,
                double_quote=True,
                newlines_in_values=any(b"\n" in record.text or b"\r" in record.text for record in records),
                ignore_empty_lines=True,
                invalid_row_handler=skip,
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(self._wanted.values()),
                column_types={name: pa.string() for name in self._wanted.values()},
                null_values=list(MISSING),
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        return {name: table.column(place).combine_chunks() for name, place in self._wanted.items()}, ragged


_PARSED_AT_ONCE: Final = 1 << 20
"""Bytes that the parser cuts at a time: what stays in a core's own cache is read half as fast again."""
_GOOD, _PART_OF_RECORD, _BLANK, _MALFORMED, _OVERLONG = range(5)
_RULES = {_MALFORMED: MALFORMED_ROW, _OVERLONG: TOO_LONG}


class _Lines:
    """The lines of some UTF-8 text that ends with a line end, as arrays of positions."""

    def __init__(self, data: Text) -> None:
        self._data = data
        self._bytes = np.frombuffer(data, dtype=np.uint8)
        low = np.flatnonzero(self._bytes <= _BLANK_CHARACTER)
        character = self._bytes[low]
        self._newlines = low[character == _NEWLINE]
        self._returns = low[character == _RETURN]
        self._others = low[(character != _NEWLINE) & (character != _RETURN)]
        self.starts = np.concatenate([[0], self._newlines[:-1] + 1])
        self.ends = self._newlines.copy()
        if len(self._returns):
            self._leave_out_returns()

    def _leave_out_returns(self) -> None:
        ends = np.arange(len(self.ends))
        while len(ends := ends[(self.ends > self.starts)[ends] & (self._bytes[self.ends[ends] - 1] == _RETURN)]):
            self.ends[ends] -= 1

    def __len__(self) -> int:
        return len(self.starts)

    @functools.cached_property
    def longest(self) -> int:
        """Bytes of the longest line."""
        return int((self.ends - self.starts).max())

    @functools.cached_property
    def _quotes(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._bytes == _QUOTE) if b'"' in self._data else np.empty(0, dtype=np.int64)

    def text(self, first: int, after: int) -> Text:
        """The lines from `first` up to `after`, without the last line end."""
        return self._data[self.starts[first] : self.ends[after - 1]]

    def rules(self) -> NDArray[np.int8]:
        """What each line is, for all that is seen without taking it apart."""
        rule = np.full(len(self), _GOOD, dtype=np.int8)
        rule[self.starts == self.ends] = _BLANK
        if b"\x00" in self._data:
            for line in np.unique(self._line_of(np.flatnonzero(self._bytes == 0))):
                rule[line] = _OVERLONG if self.text(line, line + 1) == STEPPED_OVER else _MALFORMED
        if self.longest > LONGEST_LINE:
            rule[self.ends - self.starts > LONGEST_LINE] = _OVERLONG
        return rule

    def _line_of(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self._newlines, places)

    def awkward(self, separator: int) -> NDArray[np.int64]:
        """Lines with an odd number of quotation marks, with one that neither opens, closes nor doubles, or with a return inside."""
        awkward = np.unique(self._line_of(_bare(self._returns, self._bytes)))
        quotes = self._quotes
        if not len(quotes):
            return awkward
        line_of = self._line_of(quotes)
        firsts = np.flatnonzero(np.diff(line_of, prepend=-1))
        counts = np.diff(firsts, append=len(quotes))
        nth = np.arange(len(quotes)) - np.repeat(firsts, counts)
        edges = np.zeros(256, dtype=bool)
        edges[[separator, _NEWLINE, _RETURN, _QUOTE]] = True
        before = np.where(quotes > 0, self._bytes[quotes - 1], _NEWLINE)  # the first mark of all may open the text
        misplaced = ~edges[np.where(nth % 2 == 0, before, self._bytes[quotes + 1])]
        return np.unique(np.concatenate([awkward, line_of[firsts[counts % 2 == 1]], line_of[misplaced]]))

    def without(self, lines: NDArray[np.int64], records: tuple[_Record, ...]) -> Text | NDArray[np.uint8]:
        """The text with those lines blank, and with records as they were written again."""
        if not len(lines) and not records:
            return self._data
        text = self._bytes.copy()
        for line in lines:
            text[self.starts[line] : self.ends[line]] = _NEWLINE
        if not records:
            return text
        pieces: list[bytes | memoryview] = []
        position = 0
        for record in records:
            pieces += [text[position : self.starts[record.first]].data, record.text]
            position = self.ends[record.after - 1]
        return b"".join([*pieces, text[position:].data])

    def suspects(self, firsts: NDArray[np.int64], separator: int) -> NDArray[np.int64] | None:
        """Places, among the records that begin on the lines `firsts`, of those a cell of which may need tidying; None where most may."""
        low = self._others[self._bytes[self._others] != separator]
        # Inside quotation marks even a separator may be a control character of a cell.
        lines = np.unique(self._line_of(np.concatenate([low, suspicious(self._data, self._bytes), self._quotes])))
        if len(lines) * FEW > len(self):
            return None
        places = np.searchsorted(firsts, lines)
        inside_text = places < len(firsts)
        return places[inside_text][firsts[places[inside_text]] == lines[inside_text]]


_BLANK_CHARACTER: Final = 32
FEW: Final = 8
"""Where more than one line in so many may need tidying, it is cheaper to look at whole columns."""


def _fields(record: str, separator: str, *, strict: bool) -> list[str] | None:
    """The cells of one record, or None where a quotation mark is still open at its end.

    A mark inside an unquoted cell is a character like any other, as every spreadsheet reads it. `strict` also wants a
    separator or the end behind a closing mark.
    """
    fields: list[str] = []
    place = 0
    while True:
        if record.startswith('"', place):
            cell, place = "", place + 1
            while True:
                end = record.find('"', place)
                if end < 0:
                    return None
                cell += record[place:end]
                if record.startswith('""', end):
                    cell, place = cell + '"', end + 2
                    continue
                break
            stop = record.find(separator, end + 1)
            stop = len(record) if stop < 0 else stop
            if strict and stop != end + 1:
                return None
            cell += record[end + 1 : stop]  # what stands between the closing mark and the separator belongs to the cell
        else:
            stop = record.find(separator, place)
            stop = len(record) if stop < 0 else stop
            cell = record[place:stop]
        fields.append(cell)
        if stop == len(record):
            return fields
        place = stop + 1


def _written(fields: list[str], separator: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="").writerow(fields)
    return out.getvalue().encode()
