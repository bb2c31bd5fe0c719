"""One-to-one: which of the pairs that could be one person are, when each record can be in one pair only.

The assignment of greatest total weight inside each connected component (Jaro 1989), exactly. How sure it is of a pair is how
much worse the best assignment *without* that pair would be: 0 is a tie, and a tie is not decided here but shown to a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kcb_pipeline.matching.components import components

TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Assignment:
    """For each pair whether it is chosen, and by how much (log2).

    gap: how much the best assignment with the pair beats the best without it; for a pair that is not chosen, minus what
        choosing it would cost. A pair on its own has its weight as gap.
    rivalry: the same against other pairs only: a pair on its own has no rival and infinite rivalry.
    """

    chosen: NDArray[np.bool_]
    gap: NDArray[np.float64]
    rivalry: NDArray[np.float64]


def assign(
    left: NDArray[np.int64], right: NDArray[np.int64], weights: NDArray[np.float64], *, own: float = np.inf
) -> Assignment:
    """Choose among pairs by weight (posterior log2 odds), each record in one pair at most.

    own: a left record's further candidate of this weight is one more record of the same person, and casts no doubt on the first.

    First the pairs of positive weight, together; then, among records still free, those below: a pair below 0 never
    improves a sum, but the best of two that are left may yet be one person, and its probability says how likely.
    """
    weights = np.asarray(weights, dtype=np.float64)
    chosen = np.zeros(len(left), dtype=bool)
    gap = weights.copy()
    above = np.flatnonzero(weights > 0)
    _assign_positive(left[above], right[above], weights[above], chosen, gap, above)
    free = ~np.isin(left, left[chosen]) & ~np.isin(right, right[chosen]) & (weights <= 0)
    for place in _mutual_best(left, right, weights, np.flatnonzero(free)):
        chosen[place] = True
    rivalry = _against_rivals(left, right, weights, chosen, gap, own)
    return Assignment(chosen, gap, rivalry)


def _assign_positive(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    w: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    gap: NDArray[np.float64],
    places: NDArray[np.int64],
) -> None:
    """Fill `chosen` and `gap` at `places` for the pairs given, by exact assignment inside connected components."""
    if not len(left):
        return
    lefts, a = np.unique(left, return_inverse=True)
    rights, b = np.unique(right, return_inverse=True)
    alone = (np.bincount(a)[a] == 1) & (np.bincount(b)[b] == 1)
    chosen[places[alone]] = True
    crowded = np.flatnonzero(~alone)
    if not crowded.size:
        return
    of_pair = components(a[crowded], len(lefts) + b[crowded], len(lefts) + len(rights))[a[crowded]]
    order = np.lexsort((b[crowded], a[crowded], of_pair))
    bounds = np.flatnonzero(np.diff(of_pair[order], prepend=-1))
    sizes = np.diff(bounds, append=len(order))
    in_order = crowded[order]
    is_star = np.zeros(len(bounds), dtype=bool)  # one record and its suitors, as most are
    for side in (a[in_order], b[in_order]):
        is_star |= np.minimum.reduceat(side, bounds) == np.maximum.reduceat(side, bounds)
    members = in_order[np.repeat(is_star, sizes)]
    if members.size:
        picked, by = _assign_stars(np.repeat(np.arange(is_star.sum()), sizes[is_star]), w[members])
        chosen[places[members]], gap[places[members]] = picked, by
    for start, size in zip(bounds[~is_star].tolist(), sizes[~is_star].tolist(), strict=True):
        members = in_order[start : start + size]
        picked, by = _assign_component(a[members], b[members], w[members])
        chosen[places[members]], gap[places[members]] = picked, by


def _assign_stars(star: NDArray[np.int64], w: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Components in which one record has several candidates, one below the other: the best against the second best."""
    order = np.lexsort((-w, star))
    first = np.flatnonzero(np.diff(star, prepend=-1))
    best = order[first]
    gap = w - w[best][star]
    gap[best] = w[best] - np.maximum(w[order[first + 1]], 0.0)
    picked = np.zeros(len(w), dtype=bool)
    picked[best] = gap[best] > TIE
    return picked, gap


def _mutual_best(
    left: NDArray[np.int64], right: NDArray[np.int64], weights: NDArray[np.float64], places: NDArray[np.int64]
) -> list[int]:
    """Among pairs of free records, those that are the best of both, round by round until none is left; a tie chooses neither."""
    found: list[int] = []
    while places.size:
        best_l, best_r = _best_of(left[places], weights[places]), _best_of(right[places], weights[places])
        mutual = places[best_l & best_r]
        if not mutual.size:
            break
        found += mutual.tolist()
        places = places[~np.isin(left[places], left[mutual]) & ~np.isin(right[places], right[mutual])]
    return found


def _best_of(records: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each pair is the one best of its record; where two are equally good neither is."""
    order = np.lexsort((-weights, records))
    first = np.flatnonzero(np.diff(records[order], prepend=records[order[0]] - 1))
    second = np.minimum(first + 1, len(order) - 1)
    has_second = np.diff([*first, len(order)]) > 1
    tied = has_second & (weights[order[first]] - weights[order[second]] <= TIE)
    best = np.zeros(len(records), dtype=bool)
    best[order[first[~tied]]] = True
    return best


_SECOND_RECORD: Final = 7.0
"""log2 odds against a person who has a record having a second one, where that can be."""


def _against_rivals(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    weights: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    gap: NDArray[np.float64],
    own: float,
) -> NDArray[np.float64]:
    """By how much each chosen pair beats the pairs that share a record with it; -gap's loss for the others.

    A rival whose other record is held by another pair would have to take it from there: that much less it weighs. But where
    people may have several records, one who holds another may yet own this one.
    """
    held_l, held_r = _held(left, weights, chosen), _held(right, weights, chosen)
    if np.isfinite(own):
        held_l = np.minimum(held_l, _SECOND_RECORD)
    alone, together = np.full(len(weights), np.inf), np.full(len(weights), np.inf)
    for records, held, left_out in ((left, held_r, chosen | (weights >= own)), (right, held_l, chosen)):
        alone = np.minimum(alone, weights - second_best(records, weights, left_out))
        together = np.minimum(together, weights - second_best(records, weights - held, left_out))
    # Where others would be better off too without the pair (twins), the gap says by how much all of them together; but a further
    # record of the same person, which is no rival, is an alternative to the gap.
    together = np.where(gap < weights - TIE, np.minimum(together, gap), together)
    has_further = second_best(left, weights, chosen) >= own
    return np.where(chosen, np.where(has_further, alone, together), gap)


def _held(records: NDArray[np.int64], weights: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each pair with what weight another pair holds its record: 0 where none does, or one that speaks against itself."""
    held = np.zeros(int(records.max(initial=-1)) + 1)
    held[records[chosen]] = np.maximum(weights[chosen], 0.0)
    return held[records]


def second_best(
    records: NDArray[np.int64], weights: NDArray[np.float64], left_out: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """For each pair the greatest weight among those pairs of its record that are not left out; -inf where there is none."""
    others = np.full(int(records.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(others, records[~left_out], weights[~left_out])
    return others[records]


def assign_each(right: NDArray[np.int64], weights: NDArray[np.float64]) -> Assignment:
    """Choose for each right record its best pair, whoever else that person has."""
    weights = np.asarray(weights, dtype=np.float64)
    chosen = np.zeros(len(right), dtype=bool)
    if len(right):
        chosen = _best_of(right, weights)
    others = second_best(right, weights, chosen)
    best = np.full(int(right.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(best, right, weights)
    gap = np.where(chosen, weights - np.maximum(others, 0.0), weights - best[right])
    return Assignment(chosen, gap, np.where(chosen, weights - others, gap))


def _assign_component(
    a: NDArray[np.int64], b: NDArray[np.int64], w: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    lefts, i = np.unique(a, return_inverse=True)
    rights, j = np.unique(b, return_inverse=True)
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


_FEW: Final = 12


def _best(table: NDArray[np.float64]) -> tuple[float, set[tuple[int, int]]]:
    """The greatest total of entries no two of which share a row or a column, and the positive entries that make it."""
    if min(table.shape) > _FEW:
        from scipy.optimize import linear_sum_assignment  # most of a second to import: only for what is truly tangled

        rows, columns = linear_sum_assignment(table, maximize=True)
        places = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True)]
    elif table.shape[0] <= table.shape[1]:
        places = _cheapest((-table).tolist())
    else:
        places = [(row, column) for column, row in _cheapest((-table.T).tolist())]
    return float(sum(table[place] for place in places)), {place for place in places if table[place] > 0}


def _cheapest(cost: list[list[float]]) -> list[tuple[int, int]]:
    """A column for each row, all different, at the least total cost: shortest augmenting paths (Jonker and Volgenant 1987).

    cost: as many columns as rows, or more.
    """
    rows, columns = len(cost), len(cost[0])
    row_price, price = [0.0] * rows, [0.0] * columns
    row_of = [-1] * columns
    for start in range(rows):
        nearest, before = [float("inf")] * columns, [-1] * columns
        seen: list[int] = []
        unseen = list(range(columns))
        row, column, reached = start, -1, 0.0
        while True:
            for other in unseen:
                distance = reached + cost[row][other] - row_price[row] - price[other]
                if distance < nearest[other]:
                    nearest[other], before[other] = distance, column
            column = min(unseen, key=nearest.__getitem__)
            reached = nearest[column]
            unseen.remove(column)
            if row_of[column] < 0:
                break
            seen.append(column)
            row = row_of[column]
        row_price[start] += reached
        for passed in seen:
            row_price[row_of[passed]] += reached - nearest[passed]
            price[passed] -= reached - nearest[passed]
        while column >= 0:
            row_of[column] = start if before[column] < 0 else row_of[before[column]]
            column = before[column]
    return sorted((row, column) for column, row in enumerate(row_of) if row >= 0)
