"""Seeded chance: named streams of random numbers and weighted picks.

What belongs here: how randomness is drawn, never what it is used for. Every purpose has its own stream, so that a new
oddity changes the world where it acts and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import random
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")

Chance = random.Random
"""A stream of random numbers; always made by `stream`, never the module's global one."""


def stream(seed: int, *purpose: object) -> Chance:
    """The stream of one purpose. Seeding by text is the same on every machine and for every `PYTHONHASHSEED`."""
    return random.Random("/".join(str(part) for part in (seed, *purpose)))  # noqa: S311 - made-up people, no secret


class Weighted(Generic[T]):
    """Items drawn with given weights."""

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        self._items = list(items)
        self._heights = list(accumulate(weights))
        if len(self._items) != len(self._heights):
            raise ValueError(f"{len(self._items)} items and {len(self._heights)} weights")

    def pick(self, chance: Chance) -> T:
        """One item."""
        return self._items[bisect(self._heights, chance.random() * self._heights[-1], 0, len(self._items) - 1)]


def zipf(items: Sequence[T], exponent: float = 1.0) -> Weighted[T]:
    """Items whose frequency falls with their rank, as surnames' does."""
    return Weighted(items, [1 / (rank + 3) ** exponent for rank in range(len(items))])


def day_between(chance: Chance, first: dt.date, last: dt.date) -> dt.date:
    """Some day from `first` to `last`, both possible."""
    start = first.toordinal()
    return dt.date.fromordinal(start + int(chance.random() * (last.toordinal() - start + 1)))


def whole(chance: Chance, expected: float) -> int:
    """A whole number whose mean is `expected`."""
    floor = int(expected)
    return floor + (chance.random() < expected - floor)
