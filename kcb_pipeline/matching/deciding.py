"""What becomes of weighed pairs: linked, shown to a person, or turned down, each with its reason and its probability.

The pairs that a key settled are not among them; what matters of those is whose record they took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.assignment import TIE, assign, assign_each, second_best
from kcb_pipeline.matching.calibration import FURTHER_RECORD, calibrate, compete, odds
from kcb_pipeline.matching.quality import Quality
from kcb_pipeline.matching.repeated import Persons
from kcb_pipeline.matching.settings import Settings
from kcb_pipeline.matching.unblocked import unblocked_pairs

LINKED, REVIEW, REJECTED = "linked", "review", "rejected"

REASON_REVIEWED = "a_person_decided"
REASON_KEY = "key_and_identity_agree"
REASON_BEST = "best_pair_of_both"
REASON_TIE = "tie"
REASON_DOUBT = "evidence_leaves_doubt"
REASON_TAKEN = "record_is_another_persons"
REASON_BETTER = "person_has_a_better_record"
REASON_WEAK = "evidence_too_weak"

DECISIONS: Final = (LINKED, REVIEW, REJECTED)
REASONS: Final = (
    REASON_REVIEWED, REASON_KEY, REASON_BEST, REASON_TIE, REASON_DOUBT, REASON_TAKEN, REASON_BETTER, REASON_WEAK,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToDecide:
    """The weighed pairs of two tables.

    persons: whose records they are of. rules: the blocking rules (a bit each) that gave each pair.
    settled_left: left records (as `persons` numbers them) that have found theirs by a key or a person and whose other candidates are among
        the pairs. One-to-one those are looked at for the calibration only, and nothing of them is decided or kept; many-to-one they may be further records.
    settled: how many left records found theirs that way, whether their other candidates are here or not.
    contradicted: which pairs no weight links (`Contradiction`): they compete for nobody, and a person may see them.
    sizes: records of the two tables.
    inside: the weight of the best pair that records make with another one of their own table, who is somebody else. inside_pairs: all the
        pairs, of either order, of which these are the best. inside_again: as `again`, of each of these.
    again: by how much (log2) a pair weighs more, or less, as one of a further record of a person of the left or right table than as one of his
        only record there; minus infinity where nobody is seen to stand twice. people: how many persons there are of each record of either.
    """

    persons: Persons
    rules: NDArray[np.int64]
    settled_left: NDArray[np.int64]
    settled: int
    contradicted: NDArray[np.bool_]
    sizes: tuple[int, int]
    inside: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    inside_pairs: float = 0.0
    inside_again: NDArray[np.float64] | None = None
    again: tuple[float, float] = (-np.inf, -np.inf)
    people: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Decisions:
    """What became of pairs, each array as long as they are.

    keep: whether the pair is worth keeping: linked, in doubt, or among the nearest candidates of a record that found nobody.
    decision, reason: places in `DECISIONS` and `REASONS`.
    unblocked: true pairs that no blocking rule brought together, estimated. witnesses: pairs known to be of two people that weigh as
    much as a link does. matches: true pairs among all that were compared, estimated.
    """

    keep: NDArray[np.bool_]
    decision: NDArray[np.int64]
    reason: NDArray[np.int64]
    probability: NDArray[np.float64]
    gap: NDArray[np.float64]
    missed: float
    unblocked: float
    witnesses: float


_HOPELESS: Final = -20.0
"""Weight (log2 odds) up to which nothing is asked of a pair: one in a million, whatever else its records could be."""


def decide(settings: Settings, pairs: ToDecide, total: NDArray[np.float64]) -> Decisions:
    """Which pairs are one person, by their whole weights (log2)."""
    one_to_one = settings.policy == "one-to-one"
    persons = pairs.persons
    has_own = np.zeros(int(max(persons.left.max(initial=-1), pairs.settled_left.max(initial=-1))) + 1, dtype=bool)
    has_own[pairs.settled_left] = True
    is_studied = has_own[persons.left] if one_to_one else np.zeros(len(total), dtype=bool)
    is_further = np.zeros(len(total), dtype=bool)
    is_further[persons.further] = True
    undecided = np.flatnonzero(~is_studied & ~is_further & ~pairs.contradicted & (total > _HOPELESS))
    left, right, w = persons.left[undecided], persons.right[undecided], total[undecided]
    own = FURTHER_RECORD if settings.repeats else np.inf
    outcome = assign(left, right, w, own=own) if one_to_one else assign_each(right, w)
    # One-to-one either side may be said to choose: those who stand twice do, so that whoever else they could have chosen is somebody else.
    # Of many records of one person it is the records that choose.
    rights_choose = pairs.again[1] > pairs.again[0] or not one_to_one
    choosing, others = (right, left) if rights_choose else (left, right)
    chooser, other = (1, 0) if rights_choose else (0, 1)
    records = [size * share - pairs.settled for size, share in zip(pairs.sizes, pairs.people, strict=True)]
    holding = np.full(int(others.max(initial=-1)) + 1, -np.inf)
    if one_to_one:
        holding[others[outcome.chosen]] = w[outcome.chosen]
    is_taken = w <= holding[others]
    studied = pairs.settled_left[:0] if rights_choose else pairs.settled_left
    calibration = calibrate(
        w[outcome.chosen],
        second_best(choosing, w, outcome.chosen | is_taken)[outcome.chosen],
        choosers=records[chooser],
        studied=_best_others(pairs, total, np.flatnonzero(is_studied & ~pairs.contradicted), holding, len(has_own))[
            studied
        ],
        studied_for=pairs.settled / max(len(studied), 1),
        inside=pairs.inside if one_to_one else pairs.inside[:0],
        inside_pairs=pairs.inside_pairs,
        others=records[other],
        again=pairs.again[other],
        inside_again=pairs.inside_again if one_to_one else None,
    )
    chosen, gap = np.zeros(len(total), dtype=bool), total.copy()
    chosen[undecided], gap[undecided] = outcome.chosen, outcome.gap
    probability = np.where(is_studied, 0.0, odds(total))
    probability[undecided] = np.where(
        outcome.chosen, compete(calibration.probability(w), outcome.rivalry), odds(outcome.gap)
    )
    # What speaks against the best pair of two persons speaks against a further one too, and so do its own faults.
    probability[persons.further] = np.minimum(
        probability[persons.best], calibration.probability(total[persons.further])
    )
    chosen[persons.further] = chosen[persons.best] & persons.apart
    linked = chosen & (probability >= settings.link_probability)
    taken_l, taken_r = has_own, np.zeros(int(persons.right.max(initial=-1)) + 1, dtype=bool)
    taken_l[persons.left[linked]] = True
    taken_r[persons.right[linked]] = True
    left_free, right_free = ~taken_l[persons.left], ~taken_r[persons.right]
    free = ((left_free & right_free) if one_to_one else right_free) & ~is_studied
    tie = ~linked & free & (total > 0) & (np.abs(gap) < TIE)
    review = ~linked & free & (probability >= settings.review_probability)
    # Whose best pair is linked is in no doubt; what other records that person has is told.
    again = is_further & ~linked & (probability >= settings.review_probability)
    again[persons.further] &= linked[persons.best]
    reason = np.select(
        [linked, tie, review, again, ~right_free & ~linked, ~left_free & ~linked],
        [REASONS.index(r) for r in (REASON_BEST, REASON_TIE, REASON_DOUBT, REASON_BETTER, REASON_TAKEN, REASON_BETTER)],
        default=REASONS.index(REASON_WEAK),
    )
    keep = linked | review | tie | again
    keep[_near_misses(persons.left, persons.right, total, ~keep & left_free, settings.near_misses)] = True
    return Decisions(
        keep,
        np.where(linked, 0, np.where(review | tie, 1, 2)),
        reason,
        probability,
        gap,
        missed=missed_pairs(left, right, probability[undecided], linked[undecided])
        + float(pl.Series(probability[persons.further[~linked[persons.further]]]).sort().sum()),
        unblocked=unblocked_pairs(
            pairs.rules[undecided][outcome.chosen], probability[undecided][outcome.chosen], settings.blocking
        ),
        witnesses=float(calibration.reaching[_last(calibration.probabilities >= settings.link_probability)].sum()),
    )


def estimated_quality(settled: NDArray[np.float64], decisions: Decisions) -> Quality:
    """The estimates for the whole. settled: the probability of each pair that a key or a person settled."""
    linked = decisions.probability[decisions.decision == DECISIONS.index(LINKED)]
    wrong = np.concatenate([1 - settled, 1 - linked])
    return Quality(
        links=len(wrong),
        # Sorted first: the last bit of a sum depends on the order of what is summed, and that on the order of the rows.
        false_links=float(pl.Series(wrong).sort().sum()),
        missed=decisions.missed,
        unblocked=decisions.unblocked,
        witnesses=decisions.witnesses,
    )


def missed_pairs(
    left: NDArray[np.int64], right: NDArray[np.int64], probability: NDArray[np.float64], linked: NDArray[np.bool_]
) -> float:
    """True pairs among those that were compared and not linked: the probabilities of the pairs that are not, of no record more than its
    link leaves over. A link to the wrong person is mostly the loss of the right one, and so is a tie.
    """
    # As whole numbers of billionths, whose sums are the same in any order: the last bit of another sum depends on that of the rows.
    billionths = np.round(probability * _BILLION)
    totals = []
    for records in (left, right):
        size = int(records.max(initial=-1)) + 1
        open_, held = (np.bincount(records[some], billionths[some], minlength=size) for some in (~linked, linked))
        totals.append(float(np.minimum(open_, np.clip(_BILLION - held, 0.0, _BILLION)).sum()) / _BILLION)
    return min(totals)


_BILLION: Final = 1e9


def _best_others(
    pairs: ToDecide, total: NDArray[np.float64], places: NDArray[np.int64], holding: NDArray[np.float64], lefts: int
) -> NDArray[np.float64]:
    """For each left record the greatest weight of its pairs at these places whose right record nobody holds with a greater one."""
    best = np.full(lefts, -np.inf)
    left, right = pairs.persons.left, pairs.persons.right
    places = places[right[places] < len(holding)]
    places = places[total[places] > holding[right[places]]]
    np.maximum.at(best, left[places], total[places])
    return best


def _last(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The last place where something holds, or none."""
    return np.flatnonzero(holds)[-1:]


def _near_misses(
    rows_l: NDArray[np.int64],
    rows_r: NDArray[np.int64],
    total: NDArray[np.float64],
    open_: NDArray[np.bool_],
    most: int,
) -> NDArray[np.int64]:
    """The places of the best few candidates of each left record that is not linked."""
    places = np.flatnonzero(open_)
    order = places[np.lexsort((rows_r[places], -total[places], rows_l[places]))]
    if not order.size:
        return order
    first = np.flatnonzero(np.diff(rows_l[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff([*first, len(order)]))
    return order[rank < most]
