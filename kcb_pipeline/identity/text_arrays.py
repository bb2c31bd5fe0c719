"""Text columns as NumPy arrays, so that rules on characters run at memory speed.

What belongs here: the two conversions (bytes of equal length, code points of any length) and nothing that knows a rule.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

PAD = 0
"""The code point that fills a code-point row to the right; U+0000 is refused at landing, so it is never a character."""


def bounds_and_bytes(texts: pa.Array) -> tuple[NDArray[np.integer], memoryview]:
    """Where each text begins in the bytes of all of them, and where the last ends; and these bytes (of missing texts, mostly none)."""
    offsets, data = texts.buffers()[1:]
    if offsets is None or not len(texts):
        return np.zeros(1, dtype=np.int64), memoryview(b"")
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    bounds = np.frombuffer(offsets, dtype=kind)[texts.offset : texts.offset + len(texts) + 1]
    whole = memoryview(data) if data is not None else memoryview(b"")
    return bounds - bounds[0], whole[int(bounds[0]) : int(bounds[-1])]


def byte_rows(texts: pa.Array, width: int) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Which texts are exactly `width` bytes long, and the bytes of these as an array of shape (texts, width)."""
    bounds, data = bounds_and_bytes(texts)
    lengths = np.diff(bounds)
    right = lengths == width
    # Nothing of PyArrow's own: it imports what it may compute with, and pandas where that is installed, for as long as all this takes.
    if texts.null_count:
        bits = np.frombuffer(texts.buffers()[0], dtype=np.uint8)
        right &= np.unpackbits(bits, bitorder="little")[texts.offset : texts.offset + len(texts)].view(bool)
    whole = np.frombuffer(data, dtype=np.uint8)
    if (right | (lengths == 0)).all() or len(whole) < width:
        return right, whole[: width * int(right.sum())].reshape(-1, width)
    return right, np.lib.stride_tricks.sliding_window_view(whole, width)[bounds[:-1][right]]


def code_points(texts: pl.Series, width: int | None = None) -> NDArray[np.uint32]:
    """The code points of `texts`, shape (rows, longest), padded with `PAD`; missing texts are empty rows.

    With `width`, longer texts are cut there.
    """
    filled = texts.fill_null("")
    lengths = filled.str.len_chars().to_numpy().astype(np.int64)
    flat = np.frombuffer(str(filled.str.join("").item()).encode("utf-32-le"), dtype=np.uint32)
    longest = int(lengths.max()) if len(lengths) else 0
    shape = longest if width is None else width
    rows = np.full((len(filled), shape), PAD, dtype=np.uint32)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if len(lengths) else np.empty(0, dtype=np.int64)
    for column in range(min(shape, longest)):
        has = lengths > column
        rows[has, column] = flat[starts[has] + column]
    return rows
