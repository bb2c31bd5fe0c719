"""What a file is by how it begins, whatever its name says: so that a sender is told what to do with it."""

from __future__ import annotations

from typing import Final

ZIP: Final = b"PK\x03\x04"
OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0"

_KINDS: Final = {
    ZIP: "a workbook, or another packed file: one of Excel is to be called .xlsx",
    OLD_OFFICE: "a file of old Office (.xls): it is to be saved as .xlsx",
    b"\x1f\x8b": "a file packed with gzip: it is to be called .csv.gz",
    b"PAR1\x15": "a Parquet file: it is to be called .parquet",
}


def kind_of(start: bytes) -> str | None:
    """What a file is that begins so; None where it may be text.

    >>> kind_of(b"PAR1\\x15\\x04")
    'a Parquet file: it is to be called .parquet'
    """
    return next((kind for begins, kind in _KINDS.items() if start.startswith(begins)), None)
