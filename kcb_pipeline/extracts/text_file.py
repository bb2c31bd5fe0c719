"""CSV as agencies send it: three encodings, three separators, quoted or not, and rows that are broken.

What belongs here: finding out how a file is written, and giving it in blocks of whole lines, so that memory is bounded by the block,
whatever the file. What a line is worth is `records`.
"""

from __future__ import annotations

import csv
import functools
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts import records
from kcb_pipeline.extracts.batches import RawBatch, Stretch
from kcb_pipeline.extracts.catalogue import Source, header_key
from kcb_pipeline.extracts.encodings import Text
from kcb_pipeline.extracts.file_kinds import kind_of
from kcb_pipeline.extracts.records import (
    LONGEST_LINE,
    STEPPED_OVER,
    Cutter,
    Dialect,
    Parser,
    Piece,
    TooManyRefusedError,
)

BLOCK_BYTES: Final = 1 << 24
MOST_EXPANSION: Final = 200
EXPANSION_COUNTS_FROM: Final = 1 << 30
"""A packed file of rows is a tenth of them, at most a fiftieth; one that unpacks to more than `MOST_EXPANSION` times its size is a bomb."""
SEPARATORS: Final = (",", "\t", "|")
COMMON_SHARE: Final = 0.9
"""Share of Chinese characters that must be common ones before a file with ASCII headers is believed to be GB18030 (extracts.md, Encoding)."""

_BLANK_END: Final = b" \t\r\x1a"
"""What may stand behind the last line end and is no line: blanks, and the mark by which DOS ends a file."""

_SEPARATOR_NAMES = {",": "comma", "\t": "tab", "|": "bar"}


class TextFile:
    """One CSV file of a source. Raises ContractError where its encoding or its header line cannot be read."""

    def __init__(self, path: Path, source: Source, *, shown: str, is_packed: bool) -> None:
        self._path = path
        self._shown = shown
        self._is_packed = is_packed
        self.ends_open = False
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

    def stretches(self, positions: dict[str, int]) -> Iterator[Stretch]:
        """The records in file order."""
        parser = Parser(self._dialect, positions)
        with self._told():
            for piece in self._pieces():
                yield functools.partial(self._read, parser, piece)

    def _read(self, parser: Parser, piece: Piece) -> RawBatch:
        with self._told():
            return parser.read(piece)

    def _pieces(self) -> Iterator[Piece]:
        cutter = Cutter(self._dialect)
        header, position = True, 0
        for block, position in self._blocks(BLOCK_BYTES):
            if header:
                del block[: block.index(b"\n") + 1]
                header = False
            if block:
                yield from cutter.cut(block, position)
        yield from cutter.finish(position)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError:
            raise self._error("UTF-8 or GB18030 throughout", "rows in neither") from None
        except TooManyRefusedError:
            raise self._error("rows of cells", f"over {records.MOST_REFUSED:,} lines that are none") from None

    def _blocks(self, size: int) -> Iterator[tuple[bytearray, int]]:
        """The file in blocks of whole lines, each with the bytes of the file read so far."""
        with self._path.open("rb") as file, self._unpacked(file) as stream:
            blocks = _whole_lines(stream, size)
            while True:
                try:
                    block = next(blocks, None)
                except (OSError, EOFError, zlib.error) as error:
                    raise self._error("a whole file", f"a damaged one ({type(error).__name__})") from None
                if block is None:
                    return
                if not block.endswith(b"\n"):
                    self.ends_open = bool(block.strip(_BLANK_END))
                    block += b"\n"
                yield block, file.tell()

    def _refuse_bomb(self, unpacked: int, packed: int) -> None:
        if unpacked > EXPANSION_COUNTS_FROM and unpacked > MOST_EXPANSION * packed:
            raise self._error(f"a packed file of at most {MOST_EXPANSION} times its size", "more")

    def _unpacked(self, file: BinaryIO) -> BinaryIO:
        return cast("BinaryIO", _Unpacking(file, self._refuse_bomb)) if self._is_packed else file

    def _error(self, expected: str, found: str) -> ContractError:
        return ContractError(file=self._shown, expected=expected, found=found)

    # -- encoding and separator ------------------------------------------------------------------------------------

    def _find_dialect(self, source: Source) -> Dialect:
        try:
            with self._path.open("rb") as file, self._unpacked(file) as stream:
                start = stream.read(LONGEST_LINE)
        except (OSError, EOFError, zlib.error) as error:
            raise self._error("a readable file", f"a damaged one ({type(error).__name__})") from None
        if not start.strip():
            raise self._error("a header line and data rows", "an empty file")
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise self._error("UTF-8 or GB18030", "UTF-16")
        other = kind_of(start)
        if other is not None or b"\x00" in start.split(b"\n", 1)[0]:
            raise self._error("UTF-8 or GB18030", other or _what_has_nul(start, source))
        mark = b"\xef\xbb\xbf" if start.startswith(b"\xef\xbb\xbf") else b""
        line, newline, _ = start[len(mark) :].partition(b"\n")
        if not newline and b"\r" in line.rstrip(b"\r"):
            raise self._error("lines that end in CRLF or LF", "lines that end in CR alone")
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
                candidates.append((known, len(headers), Dialect(encoding, separator, mark, headers)))
        if not candidates:
            raise self._error("UTF-8 or GB18030", "a header line that is neither")
        # Most known headers wins, then most columns, then UTF-8 before GB18030 and the comma first: a total order.
        best = max(candidates, key=lambda candidate: candidate[:2])[2]
        if mark or not line.isascii():
            return best
        return Dialect(self._encoding_behind_ascii_header(), best.separator, mark, best.headers, holds_throughout=True)

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
        telling: list[Text] = []
        enough = 0
        for block, _ in self._blocks(_TOLD_AT_ONCE):
            if not block.isascii():
                telling.append(block)
                enough += len(block) - len(block.translate(None, _BEYOND_ASCII))
                if enough >= _ENOUGH_TO_TELL:
                    break
        return b"".join(telling)


def _what_has_nul(start: bytes, source: Source) -> str:
    """UTF-16 without a mark where a header is found by reading it as such; else no text at all."""
    for encoding in ("utf-16-le", "utf-16-be"):
        line = re.split("[\r\n]", start.decode(encoding, errors="replace"), maxsplit=1)[0]
        if any(header_key(cell.strip('"')) in source.headers for cell in re.split(f"[{''.join(SEPARATORS)}]", line)):
            return "UTF-16"
    return "a file that is no text"


_BEYOND_ASCII: Final = bytes(range(128, 256))
_ENOUGH_TO_TELL: Final = 10_000
_TOLD_AT_ONCE: Final = 1 << 18


@functools.cache
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


def _whole_lines(stream: BinaryIO, size: int) -> Iterator[bytearray]:
    """Blocks that end with a line end, but for the last of a stream that does not; a line too long to keep is stepped over and stands there
    as `STEPPED_OVER`."""
    rest = b""
    skipping = False
    while True:
        block = bytearray(len(rest) + size)
        block[: len(rest)] = rest
        with memoryview(block)[len(rest) :] as room:
            read = stream.readinto(room)  # type: ignore[attr-defined]
        if not read:
            break
        del block[len(rest) + read :]
        if skipping:
            end = block.find(b"\n")
            if end < 0:
                rest = b""
                continue
            block[:end], skipping = STEPPED_OVER, False
        cut = block.rfind(b"\n") + 1
        rest = bytes(block[cut:])
        del block[cut:]
        if len(rest) > LONGEST_LINE:
            rest, skipping = b"", True
        if block:
            yield block
    if skipping:
        yield bytearray(STEPPED_OVER)
    elif rest:
        yield bytearray(rest)
