"""A file is written whole or not at all: aside first, flushed to the disk, and then under its name.

Whoever reads it sees the file of before or the new one, whenever the power fails or the process is killed. One process at a time writes a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, for its owner only, that takes the name `path` at the end of the block.

    Where the block raises, what stood there stands and nothing is left beside it. What a killed process left beside it is written over; its
    name begins with a dot, so that nothing takes it for a file of the home.
    """
    aside = path.with_name(f".{path.name}.next")
    aside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
