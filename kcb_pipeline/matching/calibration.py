"""How likely a chosen pair is one person, and how many links are wrong or missing, without labels.

A Fellegi–Sunter weight assumes that comparisons err independently. They do not: a careless clerk errs in several, so true pairs with
several errors weigh too little, and no fixed cut of the weight is right everywhere. But linking shows what false pairs look like:
for a record that has surely found its own, the best *other* candidate that it could have had is somebody else. How often such a
second best reaches a weight is how often a record without a partner would be given a false one. (Records that a key settled are studied
too, a sample of them: those that no key settled are the troubled ones, whose brothers' numbers are in their records.) From it follow the number of false links
above any weight, and from the pairs really found there the probability at each weight (a local false discovery rate; Efron 2004),
with no label and whatever the dependence.

Where few records find their own, few witness what the many others meet. But those stand in a table of their own, in which everybody
else is somebody else: the best pair that a record makes with another one of its table is a witness too, of a record as lonely as any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SURE: Final = 7.0
"""Weight (log2 odds) from which a chosen pair is taken for true when false ones are being studied: 1 in 129 is not."""
FURTHER_RECORD: Final = 10.0
"""A second best above this is more likely a second record of the person than somebody else; it is no witness."""
_BELIEF: Final = 2.0
"""How many false links' worth of belief the model's own count of them gets: the shape of a gamma prior on their rate."""
_TELLING: Final = 0.75
"""Share of witnesses that may reach a weight at which matches are counted; a weight that all reach tells nobody from anybody."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Probabilities of chosen pairs by weight, and the counts behind them.

    weights, probabilities: falling; a pair's probability is read at its weight. reaching: witnesses that weigh as much.
    matches: estimated true pairs among those that were compared (settled pairs not counted).
    witnesses: second bests that were studied.
    """

    weights: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    reaching: NDArray[np.float64]
    matches: float
    witnesses: int

    def probability(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability of chosen pairs of these weights, before the competition of other pairs."""
        if not len(self.weights):
            return odds(weights)
        rising = self.weights[::-1]
        found: NDArray[np.float64] = np.interp(weights, rising, self.probabilities[::-1])
        return found


def calibrate(
    chosen: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    choosers: float,
    studied: NDArray[np.float64],
    studied_for: float = 1.0,
    inside: NDArray[np.float64] | None = None,
    inside_pairs: float = 0.0,
    others: float = 0.0,
    again: float = -np.inf,
    inside_again: NDArray[np.float64] | None = None,
) -> Calibration:
    """Learn from the weights of chosen pairs and, for each, of its choosing record's best other candidate that
    nobody holds with a greater weight (-inf where none).

    choosers: records that choose a partner and that no key settled. studied: the same best other candidate for a sample of the
    records that a key did settle, each of which stands for `studied_for` of them. inside: the weight of the best pair that records make
    with others of their own table, out of `inside_pairs`. others: records that may be chosen and that no key settled. A record
    without a partner meets those of them that are nobody's; inside it meets all, so that each pair there counts for less than one here,
    and all of them together for no more records than are without a partner.
    again: by how much (log2) another candidate weighs more, or less, as one more record of the person chosen than as another person's, where
    those who are chosen stand twice: it is a witness as far as it is not. inside_again: the same for each of `inside`.
    """
    if not len(chosen):
        return Calibration(np.empty(0), np.empty(0), np.empty(0), 0.0, 0)
    sure = second[(chosen >= SURE) & (second < FURTHER_RECORD)]
    studied = studied[studied < FURTHER_RECORD]
    witnesses = len(sure) + studied_for * len(studied)
    order = np.argsort(-chosen, kind="stable")
    falling = chosen[order]
    seen = _reaching(sure, falling, 1 - odds(sure + again))
    seen_studied = _reaching(studied, falling)
    above = seen + studied_for * seen_studied
    inside = np.empty(0) if inside is None else inside
    inside_again = np.full(len(inside), -np.inf) if inside_again is None else inside_again
    inside, inside_again = inside[inside < FURTHER_RECORD], inside_again[inside < FURTHER_RECORD]
    seen_inside = _reaching(inside, falling, 1 - odds(inside + inside_again))
    by_model = np.cumsum(1 - odds(falling)) + 1e-12
    count = np.arange(1, len(falling) + 1)
    # How many have no partner follows from how many match, counted from none upwards and at weights that tell the two apart: where
    # every record meets somebody, "all of them match" explains the chosen pairs at the lowest weights as well as the truth does.
    telling = above <= _TELLING * max(witnesses, 1.0)
    telling[0] = True
    matches = 0.0
    for _ in range(100):
        alone = max(choosers - matches, 0.5)
        # The chance that a record without a partner is given a false one above each weight: as often as witnesses met one,
        # shrunk to what the model says where they are few (the mean of a gamma posterior).
        each, lonely = 0.0, 0.0
        if len(inside) and inside_pairs:
            exposed = inside_pairs / max(others - matches, 1.0)
            each = min(1.0, alone / exposed)
            lonely = each * exposed
        met = above + each * seen_inside + _BELIEF
        false = alone * met / (witnesses + lonely + _BELIEF * alone / by_model)
        updated = float(np.maximum(count - false, 0)[telling].max())
        if abs(updated - matches) < 1e-6 * max(matches, 1):
            break
        matches = updated
    # Many pairs share a weight, so the count of false ones rises in leaps: they are spread before anything is cut to [0, 1].
    # What is pooled until it rises and then cut at 1 loses more than it gains by chance: counted by few witnesses, strangers look like partners.
    by_each = alone / (witnesses + lonely + _BELIEF)
    rate = _between(rising(np.diff(false, prepend=0.0)), 1 - odds(falling), by_each=by_each)
    probability = np.clip(1 - rate, 0.0, 1 - 1e-9)
    # That few strangers are met at all is no witness for a pair that everything speaks against: errors that come together may make a
    # true pair weigh too little, but not by more than what makes a pair sure.
    probability = np.where(falling < 0, np.minimum(probability, odds(falling + SURE)), probability)
    return Calibration(falling, probability, seen + seen_studied, matches, len(sure) + len(studied))


def _between(counted: NDArray[np.float64], by_model: NDArray[np.float64], *, by_each: float) -> NDArray[np.float64]:
    """The share of false pairs at each place as counted or, where the model says more, between the two, by how sure either is.

    counted: the same wherever it was pooled. by_each: false pairs that one witness stands for. Where a few witnesses stand for many
    records without a partner, the count is off by what chance makes of them; the model is believed as much as `_BELIEF` pairs that
    were looked at. Both never fall, nor does what is returned.
    """
    shares, place, pooled = np.unique(counted, return_inverse=True, return_counts=True)
    said = np.bincount(place, by_model) / pooled
    # Of a Poisson count times what each stands for; one witness more: that none was met is no certainty.
    of_count = (pooled * np.maximum(shares, 0.0) + by_each) * by_each / pooled.astype(np.float64) ** 2
    # A share that is nearly none, or nearly all, is not for that surer of itself than the other: what lies between them says how far
    # so few pairs may be off.
    middle = np.clip((shares + said) / 2, 0.0, 1.0)
    of_model = middle * (1 - middle) / _BELIEF
    sure = (of_model / (of_model + of_count))[place]
    return np.maximum(counted, rising(sure * counted + (1 - sure) * by_model))


def rising(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The never falling sequence nearest to the values (isotonic regression, least squares).

    Neighbouring blocks that fall are pooled until none does (Ayer et al. 1955): whole runs at once while that leaves far fewer, then from the
    first block to the last.
    """
    first, blocks = np.arange(len(values)), 2 * len(values) + 1
    while len(first) < _FAR_FEWER * blocks:
        blocks = len(first)
        means = np.add.reduceat(values, first) / np.diff(first, append=len(values)) if blocks else values
        first = first[np.diff(means, prepend=-np.inf) >= 0]
    totals: list[float] = []
    sizes: list[int] = []
    pooled = np.add.reduceat(values, first).tolist() if blocks else []
    for total, size in zip(pooled, np.diff(first, append=len(values)).tolist(), strict=True):
        while totals and totals[-1] / sizes[-1] > total / size:
            total, size = total + totals.pop(), size + sizes.pop()
        totals.append(total)
        sizes.append(size)
    return np.repeat(np.array(totals) / np.array(sizes), sizes) if totals else values


_FAR_FEWER: Final = 0.9


def _reaching(
    weights: NDArray[np.float64], thresholds: NDArray[np.float64], each: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """How many of the weights reach each threshold, each of which counts for one, or for so much."""
    if each is None or (each == 1).all():
        return (len(weights) - np.searchsorted(np.sort(weights), thresholds, side="left")).astype(np.float64)
    # In the order of both: the last bit of a sum depends on that of what is summed, and that on the order of the rows.
    order = np.lexsort((each, weights))
    reaching = np.append(np.cumsum(each[order][::-1])[::-1], 0.0)
    return reaching[np.searchsorted(weights[order], thresholds, side="left")]


def odds(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a weight (log2 odds) means."""
    return 1 / (1 + np.exp2(-np.clip(weights, -300, 300)))


def compete(probability: NDArray[np.float64], rivalry: NDArray[np.float64]) -> NDArray[np.float64]:
    """A chosen pair's probability when others could have been chosen instead: `rivalry` is by how much (log2) it beat them."""
    return probability * odds(rivalry)
