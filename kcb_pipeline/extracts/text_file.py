"""CSV as agencies send it: three encodings, three separators, quoted or not, and rows that are broken.

A block of the file is decoded, cut into lines with array operations, and only lines that are whole go to the fast parser
(`pyarrow.csv`). So a broken row is always named by its own number, an unclosed quotation mark costs one row and not the rest
of the file, and memory is bounded by the block, whatever the file.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.batches import MALFORMED_ROW, RawBatch
from kcb_pipeline.extracts.catalogue import MISSING, Source, header_key
from kcb_pipeline.extracts.cells import is_tidy

BLOCK_BYTES: Final = 1 << 24
LONGEST_LINE: Final = 1 << 20
"""A line above this holds a cell above the 4,096 characters a cell may have; it is stepped over without being kept."""
LONGEST_RECORD_LINES: Final = 64
"""How many lines a quoted cell may run over. Beyond that its opening mark is taken for a broken row, not for the rest of the file."""
MOST_UNENDED: Final = 10_000
"""How many records of a file may open a quotation mark that never closes, before no record of it may run over lines any more."""
MOST_REFUSED: Final = 1_000_000
"""How many lines of a file may be no records, before it is taken for something else than an extract."""
MOST_EXPANSION: Final = 200
EXPANSION_COUNTS_FROM: Final = 1 << 30
"""A packed file of rows is a tenth of them, at most a fiftieth; one that unpacks to more than `MOST_EXPANSION` times its size is a bomb."""
SEPARATORS: Final = (",", "\t", "|")
COMMON_SHARE: Final = 0.9
"""Share of Chinese characters that must be common ones before a file with ASCII headers is believed to be GB18030 (extracts.md, Encoding)."""

_NEWLINE, _RETURN, _QUOTE = 10, 13, 34
_SEPARATOR_NAMES = {",": "comma", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class _Dialect:
    encoding: str
    separator: str
    mark: bytes
    headers: tuple[str, ...]
    holds_throughout: bool = False
    """whether a row that is in another encoding refuses the file: nothing in its header line said which it is"""


class TextFile:
    """One CSV file of a source. Raises ContractError where its encoding or its header line cannot be read."""

    def __init__(self, path: Path, source: Source, *, shown: str) -> None:
        self._path = path
        self._shown = shown
        self._is_packed = shown.lower().endswith(".gz")  # a link's own name says what it is
        self.position = 0
        self._dialect = self._find_dialect(source)

    @property
    def headers(self) -> tuple[str, ...]:
        """The header cells as written."""
        return self._dialect.headers

    @property
    def form(self) -> str:
        """Encoding and separator found."""
        packed = ", gz" if self._is_packed else ""
        mark = " with mark" if self._dialect.mark else ""
        return f"csv{packed}, {self._dialect.encoding}{mark}, {_SEPARATOR_NAMES[self._dialect.separator]}"

    def line(self, row: int) -> int:
        """The header stands on the first line; a spreadsheet shows a record of several lines as one."""
        return row + 1

    def batches(self, positions: dict[str, int]) -> Iterator[RawBatch]:
        """The records in file order."""
        splitter = _Splitter(self._dialect, positions)
        header = True
        for block in self._blocks():
            if header:
                block, header = block[block.index(b"\n") + 1 :], False
            try:
                yield from splitter.split(block)
            except UnicodeDecodeError:
                raise self._error("UTF-8 or GB18030 throughout", "rows in neither") from None
            except _TooManyRefusedError:
                raise self._error("rows of cells", f"over {MOST_REFUSED:,} lines that are none") from None
        try:
            yield from splitter.finish()
        except _TooManyRefusedError:
            raise self._error("rows of cells", f"over {MOST_REFUSED:,} lines that are none") from None

    def _blocks(self) -> Iterator[bytes]:
        """The file in blocks of whole lines."""
        with self._path.open("rb") as file, self._unpacked(file) as stream:
            blocks = _whole_lines(stream)
            while True:
                try:
                    block = next(blocks, None)
                except (OSError, EOFError, zlib.error) as error:
                    raise self._error("a whole file", f"a damaged one ({type(error).__name__})") from None
                if block is None:
                    return
                self.position = file.tell()
                yield block

    def _refuse_bomb(self, unpacked: int, packed: int) -> None:
        if unpacked > EXPANSION_COUNTS_FROM and unpacked > MOST_EXPANSION * packed:
            raise self._error(f"a packed file of at most {MOST_EXPANSION} times its size", "more")

    def _unpacked(self, file: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", _Unpacking(file, self._refuse_bomb)) if self._is_packed else file

    def _error(self, expected: str, found: str) -> ContractError:
        return ContractError(file=self._shown, expected=expected, found=found)

    # -- encoding and separator ------------------------------------------------------------------------------------

    def _find_dialect(self, source: Source) -> _Dialect:
        try:
            with self._path.open("rb") as file, self._unpacked(file) as stream:
                start = stream.read(LONGEST_LINE)
        except (OSError, EOFError, zlib.error) as error:
            raise self._error("a readable file", f"a damaged one ({type(error).__name__})") from None
        if not start.strip():
            raise self._error("a header line and data rows", "an empty file")
        if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in start.split(b"\n", 1)[0]:
            raise self._error("UTF-8 or GB18030", "UTF-16")
        mark = b"\xef\xbb\xbf" if start.startswith(b"\xef\xbb\xbf") else b""
        line, newline, _ = start[len(mark) :].partition(b"\n")
        if not newline and len(start) == LONGEST_LINE:
            raise self._error("a header line", f"no line end in the first {LONGEST_LINE} bytes")
        line = line.rstrip(b"\r")
        candidates = []
        for encoding in ("utf-8",) if mark else ("utf-8", "gb18030"):
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError:
                continue
            for separator in SEPARATORS:
                try:
                    headers = tuple(next(csv.reader([text], delimiter=separator), []))
                except csv.Error:  # a cell beyond 128 KiB: not this separator
                    continue
                known = sum(header_key(header) in source.headers for header in headers)
                candidates.append((known, len(headers), _Dialect(encoding, separator, mark, headers)))
        if not candidates:
            raise self._error("UTF-8 or GB18030", "a header line that is neither")
        # Most known headers wins, then most columns, then UTF-8 before GB18030 and the comma first: a total order.
        best = max(candidates, key=lambda candidate: candidate[:2])[2]
        if mark or not line.isascii():
            return best
        return _Dialect(self._encoding_behind_ascii_header(), best.separator, mark, best.headers, holds_throughout=True)

    def _encoding_behind_ascii_header(self) -> str:
        """UTF-8 if the first rows with other than ASCII are; else GB18030 if they are and read as Chinese; else the file is refused.

        That all other rows are in the same encoding is seen when they are read (`holds_throughout`).
        """
        data = self._telling()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise self._error("UTF-8 or GB18030 throughout", "rows in neither") from None
        common = _common_characters()
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        ideographs = (points >= 0x3400) & (points <= 0x9FFF)
        chinese = points[ideographs | (points >= 0xE000) & (points <= 0xF8FF) | (points > 0xFFFF)]
        frequent = int(common[np.minimum(chinese, len(common) - 1)].sum())
        if len(chinese) and frequent < COMMON_SHARE * len(chinese):
            share = round(100 * frequent / len(chinese))
            raise self._error(
                "UTF-8 or GB18030",
                f"bytes that read as GB18030 give {share} % common characters, under {COMMON_SHARE:.0%}",
            )
        return "gb18030"

    def _telling(self) -> bytes:
        """The first blocks that between them hold enough bytes beyond ASCII to tell encodings apart, or all that do."""
        telling: list[bytes] = []
        enough = 0
        for block in self._blocks():
            if not block.isascii():
                telling.append(block)
                enough += len(block) - len(block.translate(None, _BEYOND_ASCII))
                if enough >= _ENOUGH_TO_TELL:
                    break
        return b"".join(telling)


_BEYOND_ASCII: Final = bytes(range(128, 256))
_ENOUGH_TO_TELL: Final = 10_000


def _common_characters() -> NDArray[np.bool_]:
    """The 3,755 characters of GB 2312 level 1, ordered there because they are the frequent ones, by code point."""
    table = np.zeros(0x10000, dtype=bool)
    for lead in range(0xB0, 0xD8):
        for trail in range(0xA1, 0xFF):
            try:
                table[ord(bytes([lead, trail]).decode("gb2312"))] = True
            except UnicodeDecodeError:  # the last row of level 1 is not full
                continue
    return table


class _Unpacking(gzip.GzipFile):
    """A gzip stream that tells how much it has given for how much it has taken."""

    def __init__(self, file: BinaryIO, tell: Callable[[int, int], None]) -> None:
        super().__init__(fileobj=file)
        self._source, self._tell_sizes, self._given = file, tell, 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._given += len(data)
        self._tell_sizes(self._given, self._source.tell())
        return data


class _TooManyRefusedError(Exception):
    """Too many lines of a file are no records."""


_UNDECODABLE = b"\x00"
_TOO_LONG = b"\x00\x00"
"""What stands in a block for a line that cannot be decoded, and for one too long to keep."""


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Blocks that end with a line end; a line too long to keep is stepped over and stands there as `_TOO_LONG`."""
    rest = b""
    skipping = False
    while block := stream.read(BLOCK_BYTES):
        if skipping:
            end = block.find(b"\n")
            if end < 0:
                continue
            block, skipping = _TOO_LONG + block[end:], False
        block = rest + block
        cut = block.rfind(b"\n") + 1
        block, rest = block[:cut], block[cut:]
        if len(rest) > LONGEST_LINE:
            rest, skipping = b"", True
        if block:
            yield block
    if skipping:
        yield _TOO_LONG + b"\n"
    elif rest:
        yield rest + b"\n"


# -- lines into records --------------------------------------------------------------------------------------------


class _Splitter:
    """Cuts blocks into records and numbers the data rows. One a file: it carries what a block leaves open."""

    def __init__(self, dialect: _Dialect, positions: dict[str, int]) -> None:
        self._dialect = dialect
        self._separator = ord(dialect.separator)
        self._names = [f"f{place}" for place in range(len(dialect.headers))]
        self._wanted = {name: f"f{place}" for name, place in positions.items()}
        self._rows = 0
        self._open = b""
        self._unended = self._refused = 0

    def split(self, raw: bytes) -> Iterator[RawBatch]:
        """The records of one block."""
        data, self._open = self._open + self._decoded(raw), b""
        yield from self._split(data, last=False)

    def finish(self) -> Iterator[RawBatch]:
        """The records of what the last block left open."""
        data, self._open = self._open, b""
        yield from self._split(data, last=True)

    def _decoded(self, raw: bytes) -> bytes:
        """The block in UTF-8. Raises UnicodeDecodeError where a row in another encoding refuses the file."""
        try:
            return _utf8(raw, self._dialect.encoding)
        except UnicodeDecodeError:
            if self._dialect.holds_throughout:
                raise
            lines = raw.split(b"\n")
            for number, line in enumerate(lines):
                try:
                    lines[number] = _utf8(line, self._dialect.encoding)
                except UnicodeDecodeError:
                    lines[number] = _UNDECODABLE
            return b"\n".join(lines)

    def _split(self, data: bytes, *, last: bool) -> Iterator[RawBatch]:
        if not data:
            return
        lines = _Lines(data, self._separator)
        records: list[_Record] = []
        if lines.quotes.size:
            records, unfinished = self._awkward(lines, last=last)
            if unfinished is not None:
                self._open = data[lines.starts[unfinished] :]
                data = data[: lines.starts[unfinished]]
                yield from self._split(data, last=True)
                return
        rule = lines.rules(len(self._names) - 1)
        for record in records:
            rule[record.first : record.after] = _PART_OF_RECORD
        # A data row a line; but a blank line is none, and an awkward record of several lines is one.
        counts = (rule != _BLANK).astype(np.int64)
        for record in records:
            counts[record.first + 1 : record.after] = 0
        row_of = self._rows + np.cumsum(counts)
        self._rows = int(row_of[-1])
        self._refuse_more(int(np.count_nonzero(rule >= _MALFORMED)))
        refused = [(int(row_of[line]), _RULES[int(rule[line])]) for line in np.flatnonzero(rule >= _MALFORMED)]
        pieces, firsts = lines.pieces(rule == _GOOD, records)
        text = data if (rule == _GOOD).all() else b"".join(pieces)
        yield self._parse(text, row_of[firsts], refused, newlines=any(b"\n" in record.text for record in records))

    def _awkward(self, lines: _Lines, *, last: bool) -> tuple[list[_Record], int | None]:
        """Records whose quotation marks need reading one by one, and the line of one that the next block must finish."""
        records: list[_Record] = []
        next_line = 0
        for suspect in np.flatnonzero(lines.awkward_quotes()):
            first = int(suspect)
            if first < next_line:
                continue
            after, fields = self._record_from(lines, first)
            if fields is not None and len(fields) == len(self._names):
                records.append(_Record(first, after, _written(fields, self._dialect.separator)))
                next_line = after
            elif after is _NEEDS_MORE and not last:
                return records, first
            else:
                lines.break_line(first)  # it costs this row; the next line starts afresh
                self._unended += 1
                if self._unended > MOST_REFUSED:
                    raise _TooManyRefusedError
                next_line = first + 1
        return records, None

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

    def _refuse_more(self, count: int) -> None:
        self._refused += count
        if self._refused > MOST_REFUSED:
            raise _TooManyRefusedError

    def _parse(
        self, text: bytes, rows: NDArray[np.int64], refused: list[tuple[int, str]], *, newlines: bool
    ) -> RawBatch:
        columns = {name: pa.array([], type=pa.string()) for name in self._wanted}
        if len(rows):
            table = pa_csv.read_csv(
                pa.BufferReader(text),
                read_options=pa_csv.ReadOptions(column_names=self._names, block_size=1 << 22),
                parse_options=pa_csv.ParseOptions(
                    delimiter=self._dialect.separator,
                    double_quote=True,
                    newlines_in_values=newlines,
                    ignore_empty_lines=True,
                ),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=list(self._wanted.values()),
                    column_types={name: pa.string() for name in self._wanted.values()},
                    null_values=list(MISSING),
                    strings_can_be_null=True,
                    check_utf8=False,
                ),
            )
            assert table.num_rows == len(rows), "the parser and the line count must agree"
            columns = {name: table.column(place).combine_chunks() for name, place in self._wanted.items()}
        return RawBatch(
            rows,
            columns,
            refused,
            tidy=not newlines and is_tidy(text, but_for=b"\n\r" + self._dialect.separator.encode()),
        )


_NEEDS_MORE = -1
_GOOD, _PART_OF_RECORD, _BLANK, _MALFORMED, _OVERLONG = range(5)
_RULES = {_MALFORMED: MALFORMED_ROW, _OVERLONG: "too_long"}


@dataclass(frozen=True, slots=True)
class _Record:
    """A record read by hand: lines `first` up to `after`, and its cells written again with every mark in its place."""

    first: int
    after: int
    text: bytes


class _Lines:
    """Where the lines of a block begin and end, and where its separators and quotation marks are."""

    def __init__(self, data: bytes, separator: int) -> None:
        self._data = data
        self._bytes = np.frombuffer(data, dtype=np.uint8)
        newlines = np.flatnonzero(self._bytes == _NEWLINE)
        self.starts = np.concatenate([[0], newlines[:-1] + 1]).astype(np.int64)
        self.ends = newlines.copy()
        has_return = (newlines > self.starts) & (self._bytes[newlines - 1] == _RETURN)
        self.ends[has_return] -= 1
        self._newlines = newlines
        self._separators = np.flatnonzero(self._bytes == separator)
        self.quotes = np.flatnonzero(self._bytes == _QUOTE) if b'"' in data else np.empty(0, dtype=np.int64)
        self._separator = separator
        self._broken: list[int] = []

    def __len__(self) -> int:
        return len(self.starts)

    def text(self, first: int, after: int) -> bytes:
        """The lines from `first` up to `after`, without the last line end."""
        return self._data[self.starts[first] : self.ends[after - 1]]

    def break_line(self, line: int) -> None:
        """Mark a line as no record whatever its separators."""
        self._broken.append(line)

    def rules(self, separators: int) -> NDArray[np.int8]:
        """What each line is: good where it has that many separators outside quotation marks."""
        rule = np.where(self._separators_outside_quotes() == separators, _GOOD, _MALFORMED).astype(np.int8)
        rule[self._broken] = _MALFORMED
        rule[self.starts == self.ends] = _BLANK
        if b"\x00" in self._data:
            places = np.flatnonzero(self._bytes == 0)
            for line in np.unique(np.searchsorted(self._newlines, places)):
                rule[line] = _OVERLONG if self.text(line, line + 1) == _TOO_LONG else _MALFORMED
        rule[self.ends - self.starts > LONGEST_LINE] = _OVERLONG
        return rule

    def _count(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        before = np.searchsorted(places, self._newlines)
        return np.diff(before, prepend=0)

    def _separators_outside_quotes(self) -> NDArray[np.int64]:
        places = self._separators
        if self.quotes.size:
            line_of_quote = np.searchsorted(self._newlines, self.quotes)
            odd_lines = np.flatnonzero(self._count(self.quotes) % 2)
            # Lines with an odd number of marks are dealt with one by one; leaving their marks out keeps the parity of the rest.
            quotes = self.quotes[~np.isin(line_of_quote, odd_lines)]
            places = places[np.searchsorted(quotes, places) % 2 == 0]
        return self._count(places)

    def awkward_quotes(self) -> NDArray[np.bool_]:
        """Lines with an odd number of quotation marks, or with one that neither opens, closes nor doubles."""
        counts = self._count(self.quotes)
        awkward = counts % 2 == 1
        line_of = np.searchsorted(self._newlines, self.quotes)
        first_of_line = np.concatenate([[0], np.cumsum(counts)[:-1]])
        opens = (np.arange(len(self.quotes)) - first_of_line[line_of]) % 2 == 0
        padded = np.concatenate([[_NEWLINE], self._bytes, [_NEWLINE]]).astype(np.uint8)
        before, after = padded[self.quotes], padded[self.quotes + 2]
        edges = np.array([self._separator, _NEWLINE, _RETURN, _QUOTE], dtype=np.uint8)
        misplaced = np.where(opens, ~np.isin(before, edges), ~np.isin(after, edges))
        awkward[line_of[misplaced]] = True
        return awkward

    def pieces(self, good: NDArray[np.bool_], records: list[_Record]) -> tuple[list[bytes], NDArray[np.int64]]:
        """The bytes of all records in order, and the line each begins on."""
        places: list[bytes] = []
        lines: list[NDArray[np.int64]] = []
        position = 0
        for record in [*records, _Record(len(self), len(self), b"")]:
            if position < record.first:
                places.append(self._bytes_of(position, record.first, good))
                lines.append(np.arange(position, record.first)[good[position : record.first]])
            if record.text:
                places.append(record.text + b"\n")
                lines.append(np.array([record.first], dtype=np.int64))
            position = record.after
        return places, np.concatenate(lines).astype(np.int64) if lines else np.empty(0, dtype=np.int64)

    def _bytes_of(self, first: int, after: int, good: NDArray[np.bool_]) -> bytes:
        start, end = self.starts[first], self._newlines[after - 1] + 1
        kept = good[first:after]
        if kept.all():
            return self._data[start:end]
        lengths = self._newlines[first:after] + 1 - self.starts[first:after]
        return self._bytes[start:end][np.repeat(kept, lengths)].tobytes()


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


# -- characters ----------------------------------------------------------------------------------------------------

_REPAIRS: Final = {
    0xE78D: 0xFE10, 0xE78E: 0xFE12, 0xE78F: 0xFE11, 0xE790: 0xFE13, 0xE791: 0xFE14, 0xE792: 0xFE15, 0xE793: 0xFE16,
    0xE794: 0xFE17, 0xE795: 0xFE18, 0xE796: 0xFE19, 0xE7C7: 0x1E3F, 0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC,
    0xE81E: 0x9FB4, 0xE826: 0x9FB5, 0xE82B: 0x9FB6, 0xE82C: 0x9FB7, 0xE831: 0x215D7, 0xE832: 0x9FB8, 0xE83B: 0x2298F,
    0xE843: 0x9FB9, 0xE854: 0x9FBA, 0xE855: 0x241FE, 0xE864: 0x9FBB,
}  # fmt: skip
PRIVATE_USE_REPAIRS: Final = {chr(private): chr(assigned) for private, assigned in _REPAIRS.items()}
"""Private-use characters that Python's GB18030 table (of 2000) gives for characters assigned since (stack.md §5.1)."""


def _utf8(data: bytes, encoding: str) -> bytes:
    """The bytes in UTF-8; raises UnicodeDecodeError where they are not in `encoding`."""
    text = data.decode(encoding)
    return data if encoding == "utf-8" else _repaired(text.encode())


_REPAIRS_UTF8: Final = {private.encode(): assigned.encode() for private, assigned in PRIVATE_USE_REPAIRS.items()}
_REPAIRABLE: Final = re.compile(b"|".join(_REPAIRS_UTF8))


def _repaired(data: bytes) -> bytes:
    """UTF-8 text with those private-use characters made the characters they stand for."""
    # A plain search for the lead byte of U+E000 to U+EFFF, and of nothing else, is a hundred times faster than the pattern.
    pieces, done, lead = [], 0, data.find(b"\xee")
    while lead >= 0:
        found = _REPAIRABLE.match(data, lead)
        if found:
            pieces += [data[done:lead], _REPAIRS_UTF8[found[0]]]
            done = found.end()
        lead = data.find(b"\xee", lead + 1)
    return b"".join([*pieces, data[done:]]) if pieces else data
