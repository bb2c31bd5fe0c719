"""UTF-8 from what agencies write: strict, with the private-use characters of GB18030 repaired."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from kcb_pipeline.identity.characters import PRIVATE_USE_REPAIRS

Text = bytes | bytearray
"""Bytes of a file, or some made from them, that nobody changes any more."""


def utf8(data: Text, encoding: str) -> Text:
    """Whole lines in UTF-8. Raises UnicodeDecodeError where they are not in `encoding` (`utf-8` or `gb18030`)."""
    if encoding != "utf-8":
        return repaired(b"".join(lines.decode(encoding).encode() for lines in _lines_at_a_time(data)))
    if not is_utf8(data):
        data.decode()
    return data


def is_utf8(data: Text) -> bool:
    """What `decode` would say, without making the text, and without keeping other threads from the interpreter."""
    bounds = np.array([0, len(data)], dtype=np.int64)
    text = pa.LargeStringArray.from_buffers(1, pa.py_buffer(bounds), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


_DECODED_AT_ONCE: Final = 1 << 20
"""Bytes: Python's decoders hold the interpreter, and other threads wait for it no longer than these take."""


def _lines_at_a_time(data: Text) -> Iterator[Text]:
    start = 0
    while len(data) - start > _DECODED_AT_ONCE:
        end = data.rfind(b"\n", start, start + _DECODED_AT_ONCE) + 1
        if not end:
            break
        yield data[start:end]
        start = end
    yield data[start:] if start else data


_REPAIRS_UTF8: Final = {private.encode(): assigned.encode() for private, assigned in PRIVATE_USE_REPAIRS.items()}
_REPAIRABLE: Final = re.compile(b"|".join(_REPAIRS_UTF8))


def repaired(data: bytes) -> bytes:
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
