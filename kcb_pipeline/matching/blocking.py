"""Blocking: which pairs are compared at all. A union of rules, each an equality of integer keys, so that a pair survives any one
damaged field; what each rule gave is reported, and a block too large to compare is named, never dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from kcb_pipeline.matching.settings import BlockingRule, Key
from kcb_pipeline.threads import side_by_side

_MOST_RULES: Final = 64
"""A bit each."""


REPORT: Final = {
    "rule": pl.String, "pairs": pl.Int64, "new_pairs": pl.Int64, "largest_block": pl.Int64, "capped_blocks": pl.Int64, "capped_pairs": pl.Int64,
}  # fmt: skip
"""The columns of blocking's report."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs to compare: row positions on both sides, rising by (left, right), and the rules (a bit each) that gave each.

    report: one row a rule: `rule`, `pairs`, `new_pairs` (that no earlier rule gave), `largest_block` (pairs of its
        largest value), `capped_blocks`, `capped_pairs` (left to the other rules).
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    rules: NDArray[np.int64]
    report: pl.DataFrame


def candidates(
    left: pl.DataFrame,
    right: pl.DataFrame,
    rules: tuple[BlockingRule, ...],
    *,
    largest_block: int,
    within: bool = False,
) -> Candidates:
    """The union of the pairs of all rules. Keys missing on either side give no pair.

    `within`: both frames are one table and each pair of different records is given once, the earlier record left.
    """
    if len(rules) > _MOST_RULES:
        message = f"{len(rules)} blocking rules; a pair remembers {_MOST_RULES} at most"
        raise ValueError(message)
    width = max(right.height, 1)

    def of_rule(number: int, rule: BlockingRule) -> tuple[NDArray[np.int64], dict[str, int | str]]:
        given_l, given_r = _alike(_given(left, rule.left), _given(right, rule.right))
        with_itself = within and rule.left is rule.right
        a, b, largest, capped_blocks, capped_pairs = _join(
            _hashed(given_l), _hashed(given_r), largest_block, with_itself=with_itself
        )
        pair = a * width + b
        if within and not with_itself:  # two columns crossed: the earlier record may have either
            pair = np.unique((np.minimum(a, b) * width + np.maximum(a, b))[a != b])
        return (pair << 6) | number, {
            "rule": rule.name,
            "pairs": len(pair),
            "largest_block": largest,
            "capped_blocks": capped_blocks,
            "capped_pairs": capped_pairs,
        }

    of_rules = side_by_side(partial(of_rule, number, rule) for number, rule in enumerate(rules))
    found, entries = [pairs for pairs, _ in of_rules], [entry for _, entry in of_rules]
    del of_rules
    # Polars sorts on every core, and integers by their digits.
    coded = pl.Series(np.concatenate(found)).sort().to_numpy() if found else np.empty(0, dtype=np.int64)
    pair = coded >> 6
    first = np.flatnonzero(np.diff(pair, prepend=-1)) if len(pair) else np.empty(0, dtype=np.int64)
    new = np.bincount(coded[first] & 63, minlength=len(rules)) if len(first) else np.zeros(len(rules), dtype=np.int64)
    masks = np.bitwise_or.reduceat(np.int64(1) << (coded & 63), first) if len(first) else np.empty(0, dtype=np.int64)
    report = pl.DataFrame(
        [{**entry, "new_pairs": int(count)} for entry, count in zip(entries, new, strict=True)], schema=REPORT
    )
    return Candidates(pair[first] // width, pair[first] % width, masks, report)


def key_hashes(
    records: pl.DataFrame, keys: tuple[Key, ...], *, other: tuple[pl.DataFrame, tuple[Key, ...]] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Rows that have all the keys, and one integer for the values of each.

    other: a table (its rows do not matter) and the keys in it that these are to be equal to, for tables that keep one thing in two types.
    """
    given = _given(records, keys)
    if other is not None:
        given, _ = _alike(given, _given(other[0].clear(), other[1]))
    return _hashed(given)


def _given(records: pl.DataFrame, keys: tuple[Key, ...]) -> pl.DataFrame:
    """The keys of the records; numbers of any width in one, categories as their texts. An empty text is none."""
    columns = [(pl.col(key) if isinstance(key, str) else key).alias(f"k{place}") for place, key in enumerate(keys)]
    return records.select(*columns).with_columns(
        cs.integer().cast(pl.Int64, wrap_numerical=True), (cs.categorical() | cs.enum()).cast(pl.String)
    )


def _alike(left: pl.DataFrame, right: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two tables' keys in the same types, so that equal values have equal hashes: what one keeps as a text is a text in both."""
    types = [
        pl.col(name).cast(pl.Float64 if kind.is_numeric() and right.schema[name].is_numeric() else pl.String)
        for name, kind in left.schema.items()
        if kind != right.schema[name]
    ]
    return (left.with_columns(types), right.with_columns(types)) if types else (left, right)


def _hashed(given: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The rows that have all the keys, and one integer for the values of each."""
    there, mixed = np.ones(given.height, dtype=bool), np.zeros(given.height, dtype=np.uint64)
    for key in given.get_columns():
        mixed = (mixed ^ key.hash(seed=0).to_numpy()) * MIXER
        mixed ^= mixed >> np.uint64(31)
        if key.null_count():
            there &= key.is_not_null().to_numpy()
        if key.dtype == pl.String:
            there &= (key.str.len_bytes().fill_null(0) > 0).to_numpy()
    rows = np.flatnonzero(there)
    return rows, mixed if len(rows) == len(mixed) else mixed[rows]


MIXER: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 by the golden ratio, which spreads what is multiplied by it (Knuth, The Art of Computer Programming 3, 6.4)."""


def _join(
    left: tuple[NDArray[np.int64], NDArray[np.uint64]],
    right: tuple[NDArray[np.int64], NDArray[np.uint64]],
    largest_block: int,
    *,
    with_itself: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64], int, int, int]:
    """Equal keys joined: left rows, right rows, pairs of the largest block, blocks and pairs above the limit.

    with_itself: both sides are one; of two records with a key the earlier is left, and none is joined with itself.
    """
    buckets = 1 << min(max(max(len(left[1]), len(right[1])).bit_length() + 1, 16), 22)
    places = [(keys & np.uint64(buckets - 1)).astype(np.int64) for _, keys in (left, right)]
    members = [np.bincount(of_side, minlength=buckets) for of_side in places]
    pairs_of = members[0] * (members[0] - 1) // 2 if with_itself else members[0] * members[1]
    # Most records meet nobody in a bucket, let alone under a key: what is left to join is a fraction.
    met = pairs_of > 0
    sides = [
        pl.DataFrame({"key": keys[kept], "row": rows[kept]}, schema={"key": pl.UInt64, "row": pl.Int64})
        for (rows, keys), kept in zip((left, right), (met[of_side] for of_side in places), strict=True)
    ]

    def blocks(more_than: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The keys in buckets of more pairs than that, and the pairs of each: no other block has more."""
        full = pairs_of > more_than
        mine, of_mine = np.unique(left[1][full[places[0]]], return_counts=True)
        if with_itself:
            return mine, of_mine * (of_mine - 1) // 2
        theirs, of_theirs = np.unique(right[1][full[places[1]]], return_counts=True)
        shared, at_mine, at_theirs = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
        return shared, of_mine[at_mine] * of_theirs[at_theirs]

    # A bucket may hold several keys: the largest block of the fullest ones says below which no other need be looked into.
    fullest = int(pairs_of.max())
    largest = int(blocks(fullest - 1)[1].max(initial=0)) if fullest else 0
    if largest < fullest:
        largest = max(largest, int(blocks(largest)[1].max(initial=0)))
    too_large: list[int] = []
    if largest > largest_block:
        keys, pairs_there = blocks(largest_block)
        too_large = pairs_there[pairs_there > largest_block].tolist()
        capped = pl.Series(keys[pairs_there > largest_block])
        sides[0] = sides[0].filter(~pl.col("key").is_in(capped.implode()))
    pairs = sides[0].join(sides[1], on="key")
    if with_itself:
        pairs = pairs.filter(pl.col("row") < pl.col("row_right"))
    return pairs["row"].to_numpy(), pairs["row_right"].to_numpy(), largest, len(too_large), sum(too_large)
