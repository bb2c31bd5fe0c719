"""Blocking: which pairs are compared at all. A union of rules, each an equality of integer keys, so that a pair survives any one
damaged field; what each rule gave is reported, and a block too large to compare is named, never dropped in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from kcb_pipeline.matching.settings import BlockingRule, Key

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
    found: list[NDArray[np.int64]] = []
    entries: list[dict[str, int | str]] = []
    width = max(right.height, 1)
    for number, rule in enumerate(rules):
        given_l, given_r = _alike(_given(left, rule.left), _given(right, rule.right))
        a, b, largest, capped_blocks, capped_pairs = _join(_hashed(given_l), _hashed(given_r), largest_block)
        if within:
            earlier = a < b
            a, b = a[earlier], b[earlier]
        found.append(((a * width + b) << 6) | number)
        entries.append(
            {
                "rule": rule.name,
                "pairs": len(a),
                "largest_block": largest,
                "capped_blocks": capped_blocks,
                "capped_pairs": capped_pairs,
            }
        )
    coded = np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)
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
    """The rows that have all the keys, with them; numbers of any width in one, categories as their texts."""
    columns = [(pl.col(key) if isinstance(key, str) else key).alias(f"k{place}") for place, key in enumerate(keys)]
    there = records.select(*columns).with_row_index("row").drop_nulls()
    return there.with_columns(
        (cs.integer() - cs.by_name("row")).cast(pl.Int64, wrap_numerical=True),
        (cs.categorical() | cs.enum()).cast(pl.String),
    )


def _alike(left: pl.DataFrame, right: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two tables' keys in the same types, so that equal values have equal hashes: what one keeps as a text is a text in both."""
    types = [
        pl.col(name).cast(pl.Float64 if kind.is_numeric() and right.schema[name].is_numeric() else pl.String)
        for name, kind in left.schema.items()
        if kind != right.schema[name]
    ]
    return (left.with_columns(types), right.with_columns(types)) if types else (left, right)


def _hashed(there: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    hashed = there.select(pl.struct(pl.exclude("row")).hash(seed=0).alias("hash"))["hash"]
    return there["row"].to_numpy().astype(np.int64), hashed.to_numpy()


def _join(
    left: tuple[NDArray[np.int64], NDArray[np.uint64]],
    right: tuple[NDArray[np.int64], NDArray[np.uint64]],
    largest_block: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], int, int, int]:
    """Equal keys joined: left rows, right rows, pairs of the largest block, blocks and pairs above the limit."""
    sides = [
        pl.DataFrame({"key": keys, "row": rows}, schema={"key": pl.UInt64, "row": pl.Int64})
        for rows, keys in (left, right)
    ]
    capped = pl.DataFrame(schema={"key": pl.UInt64, "pairs": pl.Int64})
    if _may_exceed(left[1], right[1], largest_block):
        members = [side.group_by("key").len("members") for side in sides]
        capped = (
            members[0]
            .join(members[1], on="key")
            .select("key", pairs=pl.col("members").cast(pl.Int64) * pl.col("members_right").cast(pl.Int64))
            .filter(pl.col("pairs") > largest_block)
        )
        sides[0] = sides[0].join(capped, on="key", how="anti")
    pairs = sides[0].join(sides[1], on="key")
    largest, capped_pairs = int(capped["pairs"].max() or 0), int(capped["pairs"].sum())  # type: ignore[arg-type]
    return (
        pairs["row"].to_numpy(),
        pairs["row_right"].to_numpy(),
        max(largest, _longest_run(np.sort(pairs["key"].to_numpy()))),
        capped.height,
        capped_pairs,
    )


_BUCKETS: Final = 1 << 16


def _may_exceed(left: NDArray[np.uint64], right: NDArray[np.uint64], largest_block: int) -> bool:
    """Whether a block may be larger: no block is larger than all that share sixteen bits of its key."""
    members = [
        np.bincount((keys & np.uint64(_BUCKETS - 1)).astype(np.int64), minlength=_BUCKETS) for keys in (left, right)
    ]
    return bool((members[0] * members[1]).max() > largest_block)


def _longest_run(values: NDArray[np.uint64]) -> int:
    """How often the most frequent of sorted values occurs."""
    if not len(values):
        return 0
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return int(np.diff(first, append=len(values)).max())
