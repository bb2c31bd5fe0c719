"""Small counts, hidden in the one way in which nobody can compute them back.

A table of counts with its row and column totals. Counts from 1 up to the threshold are hidden (primary suppression); a hidden count that
the shown ones and the totals still determine is protected by hiding others, of the least people possible (complementary suppression).
A zero says that there is nobody and is shown: it is nobody's secret, and everybody knows that what is hidden is at least 1.

Whether a hidden count is determined is decided exactly. The table with its totals is a grid whose every line adds up to zero once a
total counts negative; two tables that agree in everything shown differ by cycles through hidden cells, each raising and lowering in turn;
so a hidden count can be another one where a cycle goes through it that lowers nothing below 1 (the totals are cells like any other).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST: Final = 1
"""Who reads a hidden cell knows that it holds at least this."""

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Which counts of a table are hidden: its cells, the total of each row, of each column, and of all."""

    cells: Mask
    rows: Mask
    columns: Mask
    whole: bool

    @property
    def grid(self) -> Mask:
        """The same as one mask, over the table with its totals."""
        return np.block([[self.cells, self.rows[:, None]], [self.columns[None, :], np.array([[self.whole]])]])


def suppress(
    counts: Counts,
    smallest: int,
    *,
    hidden: Mask | None = None,
    columns: Mask | None = None,
    unshown: Mask | None = None,
    row_totals: bool = True,
    known: Mask | None = None,
) -> Suppressed:
    """What of a table of counts has to be hidden, so that no count from 1 to below `smallest` can be known or computed.

    hidden: cells that have to be hidden whatever they hold, because another table hides what they would give away.
    columns: totals of columns that have to be hidden for the same reason, where tables share their totals.
    unshown: cells that nobody is shown anyway, whatever they hold: nobody minds if they can be computed.
    row_totals: False where the rows have no total that is shown.
    known: cells and totals (a row and a column more than `counts`) that a reader has from elsewhere: hiding them protects nothing. What would be
    hidden without them is hidden all the same, and more where they give it away; where nothing else is left, a count can still be computed with them.
    """
    grid = with_totals(counts)
    signs = _signs(grid)
    is_hidden = (grid >= LEAST) & (grid < smallest)
    if hidden is not None:
        is_hidden[:-1, :-1] |= hidden & (counts >= LEAST)
    if columns is not None:
        is_hidden[-1, :-1] |= columns & (grid[-1, :-1] >= LEAST)
    to_protect = np.argwhere(is_hidden)
    if unshown is not None:
        is_hidden[:-1, :-1] |= unshown & (counts >= LEAST)
    if not row_totals:
        is_hidden[:, -1] |= grid[:, -1] >= LEAST
    cost = grid.astype(np.float64)
    cost[-1, :] += grid[-1, -1]  # a total is worth more than any cell: hide it last
    cost[:, -1] += grid[-1, -1]
    for row, column in to_protect:
        if not _can_be_another(grid, signs, is_hidden, int(row), int(column)):
            _protect(grid, signs, is_hidden, cost, int(row), int(column))
    if known is not None:
        cost += known * (cost.sum() + 1)  # dearer than all others together
        for row, column in to_protect:
            if not _can_be_another(grid, signs, is_hidden & ~known, int(row), int(column)):
                _protect(grid, signs, is_hidden, cost, int(row), int(column), known=known)
    return Suppressed(is_hidden[:-1, :-1], is_hidden[:-1, -1], is_hidden[-1, :-1], bool(is_hidden[-1, -1]))


def with_totals(counts: Counts) -> Counts:
    """A table with the totals of its rows in a last column, and those of its columns in a last row."""
    with_column = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    return np.concatenate([with_column, with_column.sum(axis=0, keepdims=True)], axis=0)


def _signs(grid: Counts) -> Counts:
    """+1 for a cell and for the total of all, -1 for the total of a line: so every line adds up to zero."""
    signs = np.ones(grid.shape, dtype=np.int64)
    signs[-1, :-1] = signs[:-1, -1] = -1
    return signs


def _can_rise(grid: Counts, signs: Counts, is_hidden: Mask) -> tuple[Mask, Mask]:
    """Which hidden cells can be 1 more, and which 1 less, in the sense of their sign."""
    lowered = is_hidden & (grid > LEAST)
    return np.where(signs > 0, is_hidden, lowered), np.where(signs > 0, lowered, is_hidden)


def _can_be_another(grid: Counts, signs: Counts, is_hidden: Mask, row: int, column: int) -> bool:
    """Whether a table that agrees in everything shown holds another count there."""
    rise, fall = _can_rise(grid, signs, is_hidden)
    ways_back = fall.copy(), rise.copy()
    for back in ways_back:
        back[row, column] = False
    up = rise[row, column] and _reaches(ways_back[0].T, ways_back[1], column, row)
    down = fall[row, column] and _reaches(ways_back[1].T, ways_back[0], column, row)
    return bool(up or down)


def _reaches(from_columns: Mask, from_rows: Mask, start: int, goal: int) -> bool:
    """Whether a path leads from a column to a row, through cells that fall (column to row) and rise (row to column) in turn.

    Both masks leave out the cell in question; a cycle that only goes forth and back through one cell changes nothing.
    """
    seen_columns, seen_rows = {start}, set[int]()
    waiting = deque([start])
    while waiting:
        column = waiting.popleft()
        for row in np.flatnonzero(from_columns[column]).tolist():
            if row == goal:
                return True
            if row not in seen_rows:
                seen_rows.add(row)
                new = set(np.flatnonzero(from_rows[row]).tolist()) - seen_columns
                seen_columns |= new
                waiting.extend(sorted(new))
    return False


def _protect(
    grid: Counts,
    signs: Counts,
    is_hidden: Mask,
    cost: NDArray[np.float64],
    row: int,
    column: int,
    *,
    known: Mask | None = None,
) -> None:
    """Hide the three cells of least cost that make a cycle with this one; through the three totals there always is one."""
    height, width = grid.shape
    price = np.where(is_hidden if known is None else is_hidden & ~known, 0.0, cost)
    others = price[row, :][None, :] + price[:, column][:, None] + price
    possible = (grid[row, :] >= LEAST)[None, :] & (grid[:, column] >= LEAST)[:, None] & (grid >= LEAST)
    possible[row, :] = possible[:, column] = False
    more = np.where(signs > 0, grid >= LEAST, grid > LEAST)  # what may rise in the sense of its sign, were it hidden
    less = np.where(signs > 0, grid > LEAST, grid >= LEAST)
    up = more[row, column] & less[row, :][None, :] & less[:, column][:, None] & more
    down = less[row, column] & more[row, :][None, :] & more[:, column][:, None] & less
    others = np.where(possible & (up | down), others, np.inf)
    best = int(np.argmin(others))
    other_row, other_column = divmod(best, width)
    assert np.isfinite(others[other_row, other_column]), "a count with its three totals can always be another one"
    assert other_row < height
    is_hidden[row, other_column] = is_hidden[other_row, column] = is_hidden[other_row, other_column] = True
