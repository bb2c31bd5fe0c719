"""What is settled without weighing: pairs that people have decided, then keys that both tables have once and that nothing speaks against.

Most people are told by a key, so it is tried first, on the few columns that it looks at (`looked_at`); only what it leaves is looked at whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.comparisons import Comparison, Levels, Pairs
from kcb_pipeline.matching.settings import KeyRule, Settings
from kcb_pipeline.matching.weighing import levels_of

REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class Settled:
    """Pairs of rows, which of `methods` settled each, and their levels in the comparisons that were looked at."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    methods: list[str]
    method: NDArray[np.int64]
    levels: dict[str, Levels] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.left)

    @property
    def by_people(self) -> NDArray[np.bool_]:
        """Whether a person settled each pair, and no key."""
        return self.method == self.methods.index(REVIEWED)


def looked_at(settings: Settings) -> tuple[Comparison, ...]:
    """The comparisons that speak of a pair that a key settles: that of the key's name, those that may speak against it, and those
    whose values are counted.
    """
    named = {rule.name for rule in settings.keys} | {name for rule in settings.keys for name, _ in rule.plausible}
    return tuple(c for c in settings.comparisons if c.name in named or c.term_frequency)


def settle(
    left: pl.DataFrame,
    right: pl.DataFrame,
    settings: Settings,
    comparisons: tuple[Comparison, ...],
    reviewed: pl.DataFrame | None,
) -> Settled:
    """Pairs that a person or a key settles; a record settled once is out of the reach of the next rule (many-to-one, a right one).

    left, right: all records, prepared for `comparisons` (those that are `looked_at`, or more), with the columns of the keys.
    TypeError, ValueError where `reviewed` is no table of `left_row`, `right_row`, `is_match`, or of rows that there are not.
    """
    one_to_one = settings.policy == "one-to-one"
    methods = settling_methods(settings)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], int, dict[str, Levels]]] = []
    taken_l, taken_r = np.zeros(left.height, dtype=bool), np.zeros(right.height, dtype=bool)
    if reviewed is not None:
        _check_reviewed(reviewed, left.height, right.height)
        decided = decided_by_people(reviewed, one_to_one=one_to_one)
        a, b = (decided[side].to_numpy().astype(np.int64) for side in ("left_row", "right_row"))
        taken_l[a], taken_r[b] = one_to_one, True
        found.append((a, b, methods.index(REVIEWED), levels_of(comparisons, Pairs(left, right, a, b))))
    for rule in settings.keys:
        a, b = _unique_key_pairs(left, right, rule, taken_l, taken_r)
        levels = levels_of(comparisons, Pairs(left, right, a, b))
        plausible = np.ones(len(a), dtype=bool)
        for name, last in rule.plausible:
            plausible &= levels[name] <= last
        kept = np.flatnonzero(plausible)
        kept = kept[not_refused(a[kept], b[kept], reviewed)]
        a, b = a[kept], b[kept]
        taken_l[a], taken_r[b] = one_to_one, True
        found.append((a, b, methods.index(rule.name), {name: values[kept] for name, values in levels.items()}))
    return Settled(
        np.concatenate([a for a, *_ in found] or [_NOTHING]),
        np.concatenate([b for _, b, *_ in found] or [_NOTHING]),
        methods,
        np.concatenate([np.full(len(a), method) for a, _, method, _ in found] or [_NOTHING]),
        {
            c.name: np.concatenate([levels[c.name] for *_, levels in found] or [_NOTHING.astype(np.int8)])
            for c in comparisons
        },
    )


_NOTHING = np.empty(0, dtype=np.int64)


def settling_methods(settings: Settings) -> list[str]:
    """How a pair may be settled: by a person, and by each key."""
    return list(dict.fromkeys([REVIEWED, *(rule.name for rule in settings.keys)]))


def _check_reviewed(reviewed: pl.DataFrame, lefts: int, rights: int) -> None:
    """TypeError where this is no table; ValueError where it lacks a column, or names a row that the tables, of so many records, have not."""
    if not isinstance(reviewed, pl.DataFrame):
        message = f"reviewed: a {type(reviewed).__name__}; a frame of Polars is wanted"
        raise TypeError(message)
    if lacking := [name for name in ("left_row", "right_row", "is_match") if name not in reviewed.columns]:
        message = f"reviewed: no column {', '.join(lacking)}; left_row, right_row and is_match are wanted"
        raise ValueError(message)
    for name, height in (("left_row", lefts), ("right_row", rights)):
        outside = reviewed.filter(~pl.col(name).is_between(0, height - 1).fill_null(value=False))
        if outside.height:
            message = f"reviewed: {name} {outside[name][0]}, where the table has {height} records"
            raise ValueError(message)


def decided_by_people(reviewed: pl.DataFrame, *, one_to_one: bool) -> pl.DataFrame:
    """The pairs that people have said are one person: of several for one record the first."""
    decided = reviewed.filter("is_match").sort("left_row", "right_row")
    if one_to_one:
        decided = decided.unique("left_row", keep="first", maintain_order=True)
    return decided.unique("right_row", keep="first", maintain_order=True)


def not_refused(
    rows_l: NDArray[np.int64], rows_r: NDArray[np.int64], reviewed: pl.DataFrame | None
) -> NDArray[np.int64]:
    """The places of the pairs that no person has said are two people."""
    refused = None if reviewed is None else reviewed.filter(~pl.col("is_match"))
    if refused is None or refused.is_empty():
        return np.arange(len(rows_l))
    pairs = pl.DataFrame({"left_row": rows_l, "right_row": rows_r}).with_row_index("place")
    others = refused.select(pl.col("left_row", "right_row").cast(pl.Int64))
    kept = pairs.join(others, on=["left_row", "right_row"], how="anti", maintain_order="left")
    return kept["place"].to_numpy().astype(np.int64)


def _unique_key_pairs(
    left: pl.DataFrame, right: pl.DataFrame, rule: KeyRule, taken_l: NDArray[np.bool_], taken_r: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows, on both sides, of records that nothing has settled and that have a key which either whole table has once."""
    keys = left[rule.left], right[rule.right]
    sides = [
        pl.DataFrame({"key": values, "row": np.arange(len(values))}).filter(pl.Series(~taken)).drop_nulls("key")
        for values, taken in zip(keys, (taken_l, taken_r), strict=True)
    ]
    pairs = sides[0].join(sides[1], on="key", how="inner", maintain_order="left")
    found, a, b = pairs["key"], pairs["row"].to_numpy(), pairs["row_right"].to_numpy()
    # A key that one side has twice brings each record of the other in twice.
    once = (np.bincount(a, minlength=left.height)[a] == 1) & (np.bincount(b, minlength=right.height)[b] == 1)
    for values, taken in zip(keys, (taken_l, taken_r), strict=True):
        if taken.any():
            settled = values.filter(pl.Series(taken))
            again = settled.filter(settled.is_in(found.implode()))
            once &= ~found.is_in(again.implode()).to_numpy()
    return a[once], b[once]
