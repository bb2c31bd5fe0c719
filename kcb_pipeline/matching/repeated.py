"""Who stands twice in a table in which everybody was said to stand once, among the candidates that the other table gives.

One to one, two equally good records of one person would make each other doubtful, and neither be linked. But whether two records are one
person is what the model is for: such rivals are weighed against each other as any pair is, and where that leaves no doubt they are one
person, of whom the best record is linked. Brothers, twins and namesakes stay rivals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.calibration import SURE
from kcb_pipeline.matching.comparisons import Pairs
from kcb_pipeline.matching.components import components
from kcb_pipeline.matching.looking import Looked
from kcb_pipeline.matching.model import Model, contradicted
from kcb_pipeline.matching.settings import Settings
from kcb_pipeline.matching.weighing import Rarities, Repeated, levels_of, patterns_of, weights_of, whole_hashes


@dataclass(frozen=True, slots=True)
class Persons:
    """Whose records pairs are of.

    left, right: a number for the person of either record of each pair: its row, where the person stands there once.
    further: the pairs than which there is a better one of the same two persons. best: that one, for each of them.
    apart: whether neither record of a further pair is in a better pair of the two, so that it may be linked beside it.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    further: NDArray[np.int64]
    best: NDArray[np.int64]
    apart: NDArray[np.bool_]

    @classmethod
    def once(cls, left: NDArray[np.int64], right: NDArray[np.int64]) -> Persons:
        """Everybody's, who stands once in either table."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(left, right, nothing, nothing, np.empty(0, dtype=bool))


def persons_of(
    settings: Settings,
    model: Model,
    looked: Looked,
    rare: Rarities,
    pairs: Pairs,
    total: NDArray[np.float64],
    *,
    repeated: dict[int, Repeated],
) -> Persons:
    """The persons of weighed pairs (log2; minus infinity where a pair may not be linked).

    repeated: how often people stand twice in either table (0 the left one) in which everybody was said to stand once; in another nobody is looked for.

    Of equally heavy pairs the best is that whose records have the lowest content hash, and of records that are equal throughout the first.
    """
    rivals = np.flatnonzero(total > 0)
    met = [np.bincount(rows[rivals], minlength=1)[rows[rivals]] > 1 for rows in (pairs.rows_l, pairs.rows_r)]
    rivals = _best_first(pairs, total, rivals[met[0] | met[1]])
    rows, weights = (pairs.rows_l[rivals], pairs.rows_r[rivals]), total[rivals]
    persons = [np.arange(side.records.height) for side in (looked.left, looked.right)]
    # Two whose nearest records are two of one person are rivals for it, and so again when that is known.
    is_known = False
    while not is_known:
        is_known = True
        for side, other in ((0, 1), (1, 0)):
            if side in repeated:
                asked = _Asked(side, rows[side], persons[other][rows[other]], weights)
                found = _persons(settings, model, looked, rare, repeated[side], asked, persons[side])
                is_known &= bool((found == persons[side]).all())
                persons[side] = found
    lefts, rights = persons
    person_l, person_r = lefts[pairs.rows_l], rights[pairs.rows_r]
    twice = (np.bincount(lefts)[person_l] > 1) | (np.bincount(rights)[person_r] > 1)
    order = _best_first(pairs, total, np.flatnonzero(twice & np.isfinite(total)))
    if not order.size:
        return Persons.once(person_l, person_r)
    _, first, of_two = np.unique(
        person_l[order] * len(rights) + person_r[order], return_index=True, return_inverse=True
    )
    best = order[first][of_two]
    further = np.flatnonzero(best != order)
    apart = _apart(
        pairs.rows_l[order] * len(rights) + person_r[order], pairs.rows_r[order] * len(lefts) + person_l[order]
    )
    return Persons(person_l, person_r, order[further], best[further], apart[further])


@dataclass(frozen=True, slots=True)
class _Asked:
    """Rivals of one table (0 the left one), best first: its record, the person of the other table whom it may be, and the weight of that pair."""

    side: int
    records: NDArray[np.int64]
    partners: NDArray[np.int64]
    weights: NDArray[np.float64]

    def only(self, which: NDArray[np.bool_]) -> _Asked:
        return _Asked(self.side, self.records[which], self.partners[which], self.weights[which])


def _persons(
    settings: Settings,
    model: Model,
    looked: Looked,
    rare: Rarities,
    repeated: Repeated,
    asked: _Asked,
    known: NDArray[np.int64],
) -> NDArray[np.int64]:
    """For each record of one table the first record of its person. known: the same, as far as it is known.

    One to one, a record that is nearer to another person of the other table than to that for which it is asked is that one's. Two rivals for one
    person are one as surely as the two say when they are weighed against each other, or as the other one's pair does: whether it is
    the rival itself who looks like the person, or a record that was found to be his.
    """
    table = (looked.left, looked.right)[asked.side]
    height = table.records.height
    if settings.policy == "one-to-one":
        _, first, of_record = np.unique(asked.records, return_index=True, return_inverse=True)
        asked = asked.only(asked.partners[first][of_record] == asked.partners)
    _, first, of_partner = np.unique(asked.partners, return_index=True, return_inverse=True)
    best = asked.records[first][of_partner]
    others = best != asked.records
    asked, best = asked.only(others), best[others]
    together, heaviest = np.unique(
        np.minimum(best, asked.records) * height + np.maximum(best, asked.records), return_index=True
    )
    a, b = together // max(height, 1), together % max(height, 1)
    patterns = patterns_of(settings, levels_of(settings.comparisons, Pairs(table.records, table.records, a, b)), len(a))
    among = rare.inside(asked.side, table.whole_rows(a), table.whole_rows(b))
    weight = weights_of(settings, model, patterns, among, counted=True).total
    if repeated.is_seen:
        weight = np.maximum(weight, asked.weights[heaviest])
    weight += repeated.more(model, height)
    is_one = (weight >= SURE) & ~contradicted(settings, patterns.vectors)[patterns.of_pair]
    return components(np.append(a[is_one], np.arange(height)), np.append(b[is_one], known), height)


def _best_first(pairs: Pairs, total: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places by falling weight, then by what the records hold, then by row."""
    rows_l, rows_r = pairs.rows_l[places], pairs.rows_r[places]
    content = [_content(records, rows) for records, rows in ((pairs.left, rows_l), (pairs.right, rows_r))]
    return places[np.lexsort((rows_r, rows_l, content[1], content[0], -total[places]))]


def _content(records: pl.DataFrame, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A number for what each of these records holds."""
    distinct, place = np.unique(rows, return_inverse=True)
    return whole_hashes(records[distinct])[place]


def _apart(keys_l: NDArray[np.int64], keys_r: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs, given best first, a choice takes that takes either key once: the best, then the best of those that are left."""
    taken = np.zeros(len(keys_l), dtype=bool)
    left = np.arange(len(keys_l))
    while left.size:
        chosen = np.ones(len(left), dtype=bool)
        for keys in (keys_l[left], keys_r[left]):
            is_first = np.zeros(len(left), dtype=bool)
            is_first[np.unique(keys, return_index=True)[1]] = True
            chosen &= is_first
        taken[left[chosen]] = True
        open_ = ~np.isin(keys_l[left], keys_l[left[chosen]]) & ~np.isin(keys_r[left], keys_r[left[chosen]])
        left = left[open_]
    return taken
