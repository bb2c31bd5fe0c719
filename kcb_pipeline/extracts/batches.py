"""What every reader gives: batches of raw cells with their row numbers, whatever the file was.

A reader knows nothing of types; `kcb_pipeline.extracts.cells` turns raw cells into values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MALFORMED_ROW: Final = "malformed_row"
"""The rule a record breaks that cannot be read as cells at all (extracts.md, Cells and rows)."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Some records of one file.

    rows: the data row of each record, 1-based within the file, rising.
    columns: canonical name → cells as text, missing where the cell says nothing.
    refused: data rows of this stretch that are no records, with the rule each broke, rising.
    tidy: whether no cell has blanks at its ends or control characters, so that text can be taken as it is.
    """

    rows: NDArray[np.int64]
    columns: dict[str, pa.Array]
    refused: list[tuple[int, str]] = field(default_factory=list)
    tidy: bool = False


class Reader(Protocol):
    """One file of an extract, opened: its headers first, then its records in order."""

    @property
    def headers(self) -> Sequence[str]:
        """The header cells as written, in file order."""
        ...

    @property
    def form(self) -> str:
        """How the file was read, for the run's metadata: `csv, gb18030, tab`."""
        ...

    @property
    def position(self) -> int:
        """Bytes of the file that the batches given so far have used, for the progress display."""
        ...

    def line(self, row: int) -> int:
        """The line that a data row stands on, as a spreadsheet counts them: what an office is told to look at."""
        ...

    def batches(self, positions: dict[str, int]) -> Iterator[RawBatch]:
        """The records, as batches with the columns at `positions` (canonical name → header position)."""
        ...
