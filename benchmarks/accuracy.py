"""How right a set of links is, given who is who: precision, recall and F1 of pairs, the best threshold there was, clusters.

What belongs here: counting. Links are two arrays of rows, the truth is one entity a row; nothing here knows who linked them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Rows = NDArray[np.int64]
Entities = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Counts of pairs, and the three figures they give."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """Of the links, those that are right."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        """Of the true pairs, those that were found."""
        return self.right / max(self.right + self.missed, 1)

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        return 2 * self.right / max(2 * self.right + self.wrong + self.missed, 1)


def true_pairs(left: Entities, right: Entities) -> int:
    """How many pairs of a left and a right row are one entity."""
    counts = [pl.DataFrame({"e": side}).group_by("e").len("n") for side in (left, right)]
    both = counts[0].join(counts[1], on="e")
    return int((both["n"].cast(pl.Int64) * both["n_right"].cast(pl.Int64)).sum())


def true_pairs_within(entities: Entities) -> int:
    """How many pairs of two rows of one table are one entity."""
    counts = pl.DataFrame({"e": entities}).group_by("e").len("n")["n"].cast(pl.Int64)
    return int((counts * (counts - 1)).sum()) // 2


def of_links(rows_l: Rows, rows_r: Rows, left: Entities, right: Entities) -> Accuracy:
    """The accuracy of links between two tables; for one table give it twice and each pair once."""
    pairs = pl.DataFrame({"l": rows_l, "r": rows_r}).unique()
    hits = int((left[pairs["l"].to_numpy()] == right[pairs["r"].to_numpy()]).sum())
    total = true_pairs_within(left) if left is right else true_pairs(left, right)
    return Accuracy(hits, pairs.height - hits, total - hits)


def best_possible(
    rows_l: Rows, rows_r: Rows, scores: NDArray[np.floating[Any]], left: Entities, right: Entities, *, one_to_one: bool
) -> tuple[Accuracy, float]:
    """The accuracy at the threshold that gives the highest F1, which only someone who knows the truth could have chosen, and it.

    With `one_to_one` the pairs are first made so, taking the best scored first.
    """
    order = np.lexsort((rows_r, rows_l, -scores))
    if one_to_one:
        order = order[_greedy(rows_l[order], rows_r[order])]
    hits = np.cumsum(left[rows_l[order]] == right[rows_r[order]])
    total = true_pairs_within(left) if left is right else true_pairs(left, right)
    if not len(order):
        return Accuracy(0, 0, total), float("inf")
    taken = np.arange(1, len(order) + 1)
    f1 = 2 * hits / (taken + total)
    # Pairs of one score are taken together or not at all.
    f1[:-1][np.diff(scores[order]) == 0] = -1
    best = int(np.argmax(f1))
    return Accuracy(int(hits[best]), int(taken[best] - hits[best]), int(total - hits[best])), float(scores[order[best]])


def _greedy(rows_l: Rows, rows_r: Rows) -> NDArray[np.int64]:
    """The places of a greedy one-to-one choice among pairs given best first."""
    chosen: list[NDArray[np.int64]] = []
    left = np.arange(len(rows_l))
    while len(left):
        # The first pair of both its records is taken; then those records are gone. This equals taking one pair at a time.
        first = np.zeros(len(left), dtype=np.int8)
        for rows in (rows_l[left], rows_r[left]):
            _, firsts = np.unique(rows, return_index=True)
            first[firsts] += 1
        taken = left[first == 2]
        chosen.append(taken)
        gone = np.isin(rows_l[left], rows_l[taken]) | np.isin(rows_r[left], rows_r[taken])
        left = left[~gone]
    return np.sort(np.concatenate(chosen)) if chosen else left


def clusters(rows_a: Rows, rows_b: Rows, count: int) -> Entities:
    """The number of the cluster of each of `count` rows, linked rows being in one."""
    graph = coo_array((np.ones(len(rows_a), dtype=np.int8), (rows_a, rows_b)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def of_clusters(found: Entities, truth: Entities) -> Accuracy:
    """The accuracy of a clustering of one table: of all pairs of rows that it puts into one cluster."""
    both = pl.DataFrame({"f": found, "t": truth}).group_by("f", "t").len("n")["n"].cast(pl.Int64)
    hits = int((both * (both - 1)).sum()) // 2
    return Accuracy(hits, true_pairs_within(found) - hits, true_pairs_within(truth) - hits)


def clusters_f1(found: Entities, truth: Entities) -> float:
    """F1 of whole clusters: those of two rows or more that are exactly right, among those found and those that are true."""

    def groups(numbers: Entities) -> set[tuple[int, ...]]:
        frame = pl.DataFrame({"g": numbers, "row": np.arange(len(numbers))})
        lists = frame.group_by("g").agg(pl.col("row").sort()).filter(pl.col("row").list.len() > 1)["row"]
        return {tuple(rows) for rows in lists.to_list()}

    ours, theirs = groups(found), groups(truth)
    return 2 * len(ours & theirs) / max(len(ours) + len(theirs), 1)
