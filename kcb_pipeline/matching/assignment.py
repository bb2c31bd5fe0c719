"""One-to-one: which of the pairs that could be one person are, when each record can be in one pair only.

The assignment of greatest total weight inside each connected component (Jaro 1989), exactly. How sure it is of a pair is how
much worse the best assignment *without* that pair would be: 0 is a tie, and a tie is not decided here but shown to a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Assignment:
    """For each pair: whether it is chosen, and by how much (log2) the best assignment with it beats the best without it.

    A pair that is not chosen has a gap of minus what choosing it would cost.
    """

    chosen: NDArray[np.bool_]
    gap: NDArray[np.float64]


def assign(left: NDArray[np.int64], right: NDArray[np.int64], weights: NDArray[np.float64]) -> Assignment:
    """Choose among pairs of positive weight (posterior log2 odds; a pair below 0 never improves a sum)."""
    chosen = np.zeros(len(left), dtype=bool)
    gap = np.asarray(weights, dtype=np.float64).copy()
    places = np.flatnonzero(weights > 0)
    if not places.size:
        return Assignment(chosen, gap)
    lefts, a = np.unique(left[places], return_inverse=True)
    rights, b = np.unique(right[places], return_inverse=True)
    w = gap[places]
    alone = (np.bincount(a)[a] == 1) & (np.bincount(b)[b] == 1)
    chosen[places[alone]] = True
    crowded = np.flatnonzero(~alone)
    if crowded.size:
        size = len(lefts) + len(rights)
        graph = coo_array((np.ones(len(crowded)), (a[crowded], len(lefts) + b[crowded])), shape=(size, size))
        _, component = connected_components(graph, directed=False)
        of_pair = component[a[crowded]]
        order = np.lexsort((b[crowded], a[crowded], of_pair))
        bounds = np.flatnonzero(np.diff(of_pair[order], prepend=-1))
        for start, end in zip(bounds, [*bounds[1:], len(order)], strict=True):
            members = crowded[order[start:end]]
            picked, by = _assign_component(a[members], b[members], w[members])
            chosen[places[members]] = picked
            gap[places[members]] = by
    return Assignment(chosen, gap)


def assign_each(right: NDArray[np.int64], weights: NDArray[np.float64]) -> Assignment:
    """Choose for each right record its best pair, whoever else that person has; by how much it beats the second best."""
    chosen = np.zeros(len(right), dtype=bool)
    gap = np.asarray(weights, dtype=np.float64).copy()
    if not len(right):
        return Assignment(chosen, gap)
    order = np.lexsort((-gap, right))
    first = np.flatnonzero(np.diff(right[order], prepend=right[order[0]] - 1))
    sizes = np.diff([*first, len(order)])
    best = order[first]
    second = np.where(sizes > 1, weights[order[np.minimum(first + 1, len(order) - 1)]], 0.0)
    gap -= np.repeat(weights[best], sizes)[np.argsort(order)]
    gap[best] = weights[best] - np.maximum(second, 0.0)
    chosen[best] = (weights[best] > 0) & (gap[best] > TIE)
    return Assignment(chosen, gap)


def _assign_component(
    a: NDArray[np.int64], b: NDArray[np.int64], w: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    lefts, i = np.unique(a, return_inverse=True)
    rights, j = np.unique(b, return_inverse=True)
    if len(lefts) == 1 or len(rights) == 1:  # one record and its suitors: the best against the second best
        order = np.argsort(-w, kind="stable")
        second = w[order[1]] if len(w) > 1 else 0.0
        gap = w - w[order[0]]
        gap[order[0]] = w[order[0]] - max(second, 0.0)
        picked = np.zeros(len(w), dtype=bool)
        picked[order[0]] = gap[order[0]] > TIE
        return picked, gap
    table = np.zeros((len(lefts), len(rights)))
    table[i, j] = w
    best, pairs = _best(table)
    picked = np.array([(x, y) in pairs for x, y in zip(i.tolist(), j.tolist(), strict=True)])
    gap = np.empty(len(w))
    for place, (x, y) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
        if picked[place]:
            without = table.copy()
            without[x, y] = 0.0
            gap[place] = best - _best(without)[0]
        else:
            rest = np.delete(np.delete(table, x, axis=0), y, axis=1)
            gap[place] = w[place] + (_best(rest)[0] if rest.size else 0.0) - best
    return picked & (gap > TIE), gap


def _best(table: NDArray[np.float64]) -> tuple[float, set[tuple[int, int]]]:
    rows, columns = linear_sum_assignment(table, maximize=True)
    pairs = {(int(x), int(y)) for x, y in zip(rows, columns, strict=True) if table[x, y] > 0}
    return float(table[rows, columns].sum()), pairs
