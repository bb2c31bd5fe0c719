"""How good the linkage of a night was, measured from labels: precision and recall with intervals, and how far reviewers agree.

Labels are of a stratified sample, so each counts for the pairs it was drawn from: in stratum h with N pairs, of which n are labelled and
x are one person, N·x/n pairs are estimated to be (the stratified, inverse-probability-weighted estimator; Cochran 1977, ch. 5).

The intervals are melded (Fay, Proschan & Brittain 2015, Combining one-sample confidence procedures): each stratum's share has a lower
and an upper confidence distribution, beta(x, n − x + 1) and beta(x + 1, n − x), those of Clopper and Pearson (1934); its pairs without
a label follow it; and an end of the interval takes from each stratum the one that moves the figure that way. 20,000 draws with a fixed
seed give the 2.5 % and 97.5 % points. A stratum labelled whole adds no width. They are wide rather than narrow: with Jeffreys' prior in
their place only 75 of 100 intervals held the truth where most bands are nearly perfect (tests/unit/review/test_quality.py).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.review.answers import Verdict
from kcb_pipeline.review.sampling import REVIEWED

_DRAWS: Final = 20_000
_SEED: Final = 20_260_901
_LINKED: Final = ("linked", REVIEWED)


@dataclass(frozen=True, slots=True)
class Stratum:
    """One stratum of a round: its pairs, how many were drawn, labelled, and found to be one person."""

    decision: str
    band: int
    size: int
    drawn: int
    labelled: int
    same: int

    @property
    def is_linked(self) -> bool:
        """Whether its pairs were linked."""
        return self.decision in _LINKED


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What the labels of a round say of the night it was drawn from.

    precision: of the linked pairs, the share that are one person. recall: of the pairs that are one person, the share that were linked,
        among the pairs the night kept (linked, in doubt, near misses): what no blocking rule brought together is not in it.
    strata: what they rest on. unlabelled: pairs of strata in which nobody has labelled any; they are in neither figure.
    """

    precision: Estimate | None
    recall: Estimate | None
    strata: tuple[Stratum, ...]
    unlabelled: int


def measure(pairs: pl.DataFrame, verdicts: dict[str, Verdict]) -> Measured:
    """Precision and recall from a round's pairs and what reviewers decided of them; None where nothing has been labelled."""
    strata = tuple(_strata(pairs, verdicts))
    counted = [stratum for stratum in strata if stratum.labelled]
    unlabelled = sum(stratum.size for stratum in strata if not stratum.labelled)
    if not any(stratum.labelled and stratum.decision != REVIEWED for stratum in strata):
        return Measured(None, None, strata, unlabelled)
    linked = [stratum for stratum in counted if stratum.is_linked]
    others = [stratum for stratum in counted if not stratum.is_linked]
    right, size = _weighted(linked), sum(stratum.size for stratum in linked)
    least, most = _true_pairs(linked, "low"), _true_pairs(linked, "high")
    precision = _estimate(right / size, least / size, most / size) if size else None
    every = right + _weighted(others)
    recall = (
        _estimate(right / every, _share(least, _true_pairs(others, "high")), _share(most, _true_pairs(others, "low")))
        if every
        else None
    )
    return Measured(precision, recall, strata, unlabelled)


def _strata(pairs: pl.DataFrame, verdicts: dict[str, Verdict]) -> list[Stratum]:
    state = {number: verdict.state for number, verdict in verdicts.items()}
    labels = [state.get(number, "open") for number in pairs["pair"]]
    labelled = pairs.with_columns(pl.Series("label", labels, dtype=pl.String))
    found = []
    for (decision, band), of_it in labelled.group_by("stratum", "band", maintain_order=True):
        size, counts = int(of_it["stratum_size"][0]), Counter(of_it["label"])
        if decision == REVIEWED:  # a person has said that each of them is one child
            found.append(Stratum(REVIEWED, -1, size, size, size, size))
            continue
        same, different = counts["same"], counts["different"]
        found.append(Stratum(str(decision), int(str(band)), size, of_it.height, same + different, same))
    return found


def _weighted(strata: Sequence[Stratum]) -> float:
    return sum(stratum.size * stratum.same / stratum.labelled for stratum in strata)


def _true_pairs(strata: Sequence[Stratum], end: Literal["low", "high"]) -> NDArray[np.float64]:
    """Draws of how many pairs of the strata are one person, from the confidence distributions of one end."""
    total = np.zeros(_DRAWS)
    for stratum in strata:
        chance = np.random.default_rng([_SEED, stratum.band + 1, len(stratum.decision)])
        same, different = stratum.same + (end == "high"), stratum.labelled - stratum.same + (end == "low")
        share = chance.beta(same, different, size=_DRAWS) if same and different else np.full(_DRAWS, float(same > 0))
        total += stratum.same + chance.binomial(stratum.size - stratum.labelled, share)
    return total


def _share(linked: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    return linked / np.maximum(linked + others, 1.0)


def _estimate(value: float, low: NDArray[np.float64], high: NDArray[np.float64]) -> Estimate:
    return Estimate(value, min(float(np.quantile(low, 0.025)), value), max(float(np.quantile(high, 0.975)), value))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two reviewers agree beyond chance: Cohen's kappa (1960) over the pairs both answered, with its standard error."""

    reviewers: tuple[str, str]
    pairs: int
    agreed: int
    kappa: float | None
    error: float | None


def agreements(verdicts: dict[str, Verdict]) -> list[Agreement]:
    """Every two reviewers who answered the same pairs, by the last answer of each."""
    both: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for verdict in verdicts.values():
        for first, second in itertools.combinations(verdict.answers, 2):
            both.setdefault((first.reviewer, second.reviewer), []).append((first.answer, second.answer))
    return [_agreement(names, answers) for names, answers in sorted(both.items())]


def _agreement(names: tuple[str, str], answers: list[tuple[str, str]]) -> Agreement:
    count = len(answers)
    agreed = sum(first == second for first, second in answers)
    observed = agreed / count
    of_first, of_second = Counter(a for a, _ in answers), Counter(b for _, b in answers)
    expected = sum(of_first[answer] * of_second[answer] for answer in of_first) / count**2
    if expected == 1:  # both always said the same one thing: nothing is left to agree on beyond chance
        return Agreement(names, count, agreed, None, None)
    kappa = (observed - expected) / (1 - expected)
    error = (observed * (1 - observed) / count) ** 0.5 / (1 - expected)
    return Agreement(names, count, agreed, kappa, error)
