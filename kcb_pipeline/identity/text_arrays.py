"""Text columns as NumPy arrays, so that rules on characters run at memory speed.

What belongs here: the two conversions (bytes of equal length, code points of any length) and nothing that knows a rule.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

PAD = 0
"""The code point that fills a code-point row to the right; U+0000 is refused at landing, so it is never a character."""


def byte_rows(texts: pl.Series, width: int) -> NDArray[np.uint8]:
    """The bytes of texts that are all exactly `width` bytes long, as an array of shape (rows, width).

    Raises ValueError where a text has another length or is missing: the caller filters first.
    """
    lengths = texts.str.len_bytes()
    if texts.null_count() or (lengths != width).any():
        message = f"every text must be {width} bytes long"
        raise ValueError(message)
    return texts.cast(pl.Binary).bin.reinterpret(dtype=pl.Array(pl.UInt8, width), endianness="little").to_numpy()


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
