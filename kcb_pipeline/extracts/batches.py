"""What every reader gives: batches of raw cells with their row numbers, whatever the file was.

A reader knows nothing of types; `kcb_pipeline.extracts.cells` turns raw cells into values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MALFORMED_ROW: Final = "malformed_row"
"""The rule a record breaks that cannot be read as cells at all (extracts.md, Cells and rows)."""
TOO_LONG: Final = "too_long"
"""The rule that a cell breaks which is longer than cells may be, and a line that is too long to keep."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """The records of one stretch of a file.

    count: data rows of the stretch, records or not.
    rows: the data row of each record, 1-based within the stretch, rising.
    columns: canonical name → cells as text; of a coded column, a reader may give each distinct text once and where it stands.
    refused: data rows of the stretch that are no records, with the rule each broke, rising.
    position: bytes of the file up to the end of the stretch, for the progress display.
    suspects: places of the records in which a cell may have blanks at its ends, or control or invisible characters, all other cells
        being missing where they say nothing; None where nobody has looked.
    """

    count: int
    rows: NDArray[np.int64]
    columns: dict[str, pa.Array]
    refused: list[tuple[int, str]] = field(default_factory=list)
    position: int = 0
    suspects: NDArray[np.int64] | None = None


Stretch = Callable[[], RawBatch]
"""Some records of a file, to be read whatever comes before and after them: in any order, in any thread."""


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
    def ends_open(self) -> bool:
        """Whether the last line has no line end, once all stretches have been found: such a file may be the beginning of another."""
        ...

    def line(self, row: int) -> int:
        """The line that a data row stands on, as a spreadsheet counts them: what an office is told to look at."""
        ...

    def stretches(self, positions: dict[str, int]) -> Iterator[Stretch]:
        """The file in order, with the columns at `positions` (canonical name → header position).

        What depends on the stretch before is done in going from one to the next, all else when a stretch is called.
        """
        ...
