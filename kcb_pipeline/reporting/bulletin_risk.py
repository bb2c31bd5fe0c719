"""How many small counts a reader of the bulletin can read or compute, measured on what it shows: the gate over `kcb_pipeline.reporting.suppression`.

This shares nothing with what hides the counts. It does what a patient reader does with a pencil: in every line of the table one hidden count is the total
less all others, and lies between what the others leave at the least and at the most; from line to line, until nothing more follows.
"""

from __future__ import annotations

from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from kcb_pipeline.config import Disclosure
from kcb_pipeline.errors import GateError
from kcb_pipeline.reporting.bulletin import known_from_month_before, read_bulletin
from kcb_pipeline.reporting.suppression import Counts, Mask, with_totals

_MANY: Final = np.iinfo(np.int64).max >> 20
_PATIENCE: Final = 1000
"""Times through all lines after which a reader gives up; two or three are what a table takes."""


def measure_bulletin(connection: duckdb.DuckDBPyConnection, version: int, smallest: int) -> dict[str, int]:
    """Counts from 1 to below `smallest` that a reader comes to know: `counts_computed` from the bulletin of a version alone, and
    `counts_computed_beside` with that of the month before, taking for unchanged what has not changed."""
    found = read_bulletin(connection, version, smallest)
    standings, is_hidden = with_totals(found.standings), found.hidden_standings.grid
    alone = computed(standings, is_hidden, smallest)
    for place in range(found.cases.shape[1]):
        column = np.append(found.cases[:, place], found.cases[:, place].sum())[:, None]
        mask = np.append(found.hidden_cases.cells[:, place], found.hidden_cases.columns[place])[:, None]
        alone += computed(column, mask, smallest)
    known = known_from_month_before(connection, version, smallest)
    beside = 0 if known is None else computed(standings, is_hidden & ~known, smallest)
    return {"counts_computed": alone, "counts_computed_beside": beside}


def refuse_to_give_away(connection: duckdb.DuckDBPyConnection, version: int, limits: Disclosure) -> None:
    """GateError where the bulletin of a version lets its reader compute more small counts than `[disclosure]` allows: for what leaves the office."""
    found = measure_bulletin(connection, version, limits.smallest_cell)
    if found["counts_computed"] or found["counts_computed_beside"] > limits.counts_computed_beside:
        raise GateError(
            f"the bulletin of version {version} is not given out: {found['counts_computed']} small counts can be computed from it, and "
            f"{found['counts_computed_beside']} with that of the month before (disclosure.counts_computed_beside allows {limits.counts_computed_beside})"
        )


def computed(grid: Counts, is_hidden: Mask, smallest: int) -> int:
    """Of the counts from 1 to below `smallest` in a table with its totals, how many are shown or follow from what is.

    A table of one column has totals of that column alone.
    """
    least, most = np.where(is_hidden, 1, grid), np.where(is_hidden, _MANY, grid)
    for _ in range(_PATIENCE):
        before = least.copy(), most.copy()
        _narrow(least, most)
        if grid.shape[1] > 1:
            _narrow(least.T, most.T)
        if (least == before[0]).all() and (most == before[1]).all():
            break
    return int(((least == most) & (grid >= 1) & (grid < smallest)).sum())


def _narrow(least: NDArray[np.int64], most: NDArray[np.int64]) -> None:
    """Take from every column, whose last cell is the total of the others, what its bounds say of each other; in place."""
    parts_least, parts_most = least[:-1], most[:-1]
    low, high = parts_least.sum(axis=0), np.minimum(parts_most.sum(axis=0), _MANY)
    np.maximum(least[-1], low, out=least[-1])
    np.minimum(most[-1], high, out=most[-1])
    others_least = low - parts_least
    unbounded = (parts_most >= _MANY).sum(axis=0)
    others_most = np.where(unbounded - (parts_most >= _MANY) > 0, _MANY, parts_most.sum(axis=0) - parts_most)
    np.minimum(parts_most, np.where(most[-1] >= _MANY, _MANY, most[-1] - others_least), out=parts_most)
    np.maximum(parts_least, np.where(others_most >= _MANY, 0, least[-1] - others_most), out=parts_least)
