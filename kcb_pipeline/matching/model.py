"""The Fellegi–Sunter model: m and u probabilities of every level, the prior, and the weight of a pair.

Fellegi & Sunter (1969), A theory for record linkage; EM after Winkler (1988). u is taken from pairs that are known not to be
matches and then held fixed: freeing it on blocked pairs, most of which match, is unstable (linkage.md §2b). m is estimated
by EM over *distinct* level vectors, so that a million pairs cost what a few hundred vectors cost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kcb_pipeline.matching.comparisons import MISSING
from kcb_pipeline.matching.settings import Implied, Settings

FORMAT: Final = 1
"""Version of the JSON a model is kept as."""

_SMOOTHING: Final = 1.0
"""Pairs' worth of belief in the starting m: keeps a level that no pair reached from a weight of minus infinity."""
_TOLERANCE: Final = 1e-7
_MOST_ITERATIONS: Final = 1000


@dataclass(frozen=True)
class Model:
    """m and u of each comparison's levels, and the share of all pairs that match.

    m, u: comparison → probabilities by level, adding up to 1.
    prior: probability that a pair picked from all (left × right) is one person.
    iterations, converged: how EM ended.
    """

    m: dict[str, tuple[float, ...]]
    u: dict[str, tuple[float, ...]]
    prior: float
    iterations: int = 0
    converged: bool = True

    @property
    def prior_weight(self) -> float:
        """log2 of the prior odds."""
        return float(np.log2(self.prior) - np.log2(1 - self.prior))

    def weights(self, comparison: str) -> NDArray[np.float64]:
        """log2(m/u) of each level, and 0 for a missing value, which is no evidence: index with the level itself (-1 is last)."""
        m, u = np.array(self.m[comparison]), np.array(self.u[comparison])
        return np.append(np.log2(m) - np.log2(u), 0.0)

    def to_json(self) -> str:
        """The model as text that `from_json` reads back to the bit."""
        return json.dumps(
            {
                "format": FORMAT, "prior": self.prior, "m": self.m, "u": self.u,
                "iterations": self.iterations, "converged": self.converged,
            },
            ensure_ascii=False, sort_keys=True, indent=1,
        )  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Model:
        """The model of a text by `to_json`; ValueError where it is none, or of another format."""
        said: dict[str, Any] = json.loads(text)
        if said.get("format") != FORMAT:
            message = f"a model of format {said.get('format')}; this program reads format {FORMAT}"
            raise ValueError(message)
        tables = {side: {name: tuple(map(float, values)) for name, values in said[side].items()} for side in ("m", "u")}
        return cls(tables["m"], tables["u"], float(said["prior"]), int(said["iterations"]), bool(said["converged"]))


@dataclass(frozen=True, slots=True)
class Patterns:
    """Distinct level vectors with how many pairs have each.

    vectors: (patterns, comparisons), `MISSING` for no evidence; sorted, so that sums over them do not depend on row order.
    counts: pairs of each pattern. of_pair: the pattern of each pair.
    """

    vectors: NDArray[np.int8]
    counts: NDArray[np.int64]
    of_pair: NDArray[np.int64]

    @classmethod
    def of(cls, levels: list[NDArray[np.int8]], labels: list[int]) -> Patterns:
        """The patterns of pairs given as one array of levels a comparison; `labels` is how many levels each has."""
        code = np.zeros(len(levels[0]), dtype=np.int64)
        for values, count in zip(levels, labels, strict=True):
            code = code * (count + 1) + (values + 1)
        distinct, of_pair, counts = np.unique(code, return_inverse=True, return_counts=True)
        vectors = np.empty((len(distinct), len(levels)), dtype=np.int8)
        rest = distinct.copy()
        for place in range(len(levels) - 1, -1, -1):
            vectors[:, place] = rest % (labels[place] + 1) - 1
            rest //= labels[place] + 1
        return cls(vectors, counts, of_pair)


def silence(levels: dict[str, NDArray[np.int8]], implied: tuple[Implied, ...]) -> dict[str, NDArray[np.int8]]:
    """The levels as evidence: agreement that another agreement contains becomes missing (`Implied`)."""
    heard = dict(levels)
    for rule in implied:
        given = np.isin(levels[rule.given], rule.levels)
        for name in rule.silent:
            heard[name] = np.where(given & (heard[name] == 0), np.int8(MISSING), heard[name])
    return heard


def estimate_u(
    settings: Settings, random_levels: dict[str, NDArray[np.int8]], collisions: dict[str, float]
) -> dict[str, tuple[float, ...]]:
    """u by level: from pairs picked at random, but for full agreement, whose chance is counted over all pairs (`collisions`)."""
    u: dict[str, tuple[float, ...]] = {}
    for comparison in settings.comparisons:
        levels = random_levels[comparison.name]
        counts = np.bincount(levels[levels >= 0], minlength=len(comparison.labels)).astype(np.float64)
        # Half a pair of belief, less for each level further up: a level nobody reached by chance is rare, not impossible.
        shares = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
        if comparison.name in collisions:
            equal = collisions[comparison.name]
            others = shares[1:] / shares[1:].sum() * (1 - equal)
            shares = np.concatenate([[equal], others])
        u[comparison.name] = tuple(float(share) for share in shares)
    return u


def estimate_m(
    settings: Settings, patterns: Patterns, u: dict[str, tuple[float, ...]], *, pairs: float, expected_matches: float
) -> Model:
    """m and the prior by EM with u fixed.

    `pairs` is the number of all pairs (left × right): the pairs that blocking left out are non-matches, so the prior and
    the posterior of a pair are those among all pairs, whatever blocking did.
    """
    names = [comparison.name for comparison in settings.comparisons]
    log_u = [np.append(np.log(u[name]), 0.0) for name in names]
    start = [_starting_m(len(comparison.labels)) for comparison in settings.comparisons]
    m = [values.copy() for values in start]
    prior = min(max(expected_matches / pairs, 1e-12), 0.5)
    iterations, converged = 0, False
    while iterations < _MOST_ITERATIONS and not converged:
        iterations += 1
        posterior = _posterior(patterns.vectors, m, log_u, prior)
        expected = posterior * patterns.counts
        updated = []
        for place, begin in enumerate(start):
            level = patterns.vectors[:, place]
            known = level >= 0
            share = np.bincount(level[known], weights=expected[known], minlength=len(begin))
            updated.append((share + _SMOOTHING * begin) / (share.sum() + _SMOOTHING))
        matches = min(max(float(expected.sum()), 0.5), pairs / 2)
        moved = max(float(np.abs(new - old).max()) for new, old in zip(updated, m, strict=True))
        converged = moved < _TOLERANCE and abs(matches / pairs - prior) < _TOLERANCE * prior
        m, prior = updated, matches / pairs
    return Model(
        {name: tuple(map(float, values)) for name, values in zip(names, m, strict=True)},
        u,
        prior,
        iterations,
        converged,
    )


def _starting_m(levels: int) -> NDArray[np.float64]:
    """Nine in ten matches agree fully; of the rest, each level has half of the one above."""
    tail = 0.5 ** np.arange(levels - 1)
    return np.concatenate([[0.9], 0.1 * tail / tail.sum()]) if levels > 1 else np.array([1.0])


def _posterior(
    vectors: NDArray[np.int8], m: list[NDArray[np.float64]], log_u: list[NDArray[np.float64]], prior: float
) -> NDArray[np.float64]:
    log_odds = np.full(len(vectors), np.log(prior) - np.log1p(-prior))
    for place, values in enumerate(m):
        log_odds += (np.append(np.log(values), 0.0) - log_u[place])[vectors[:, place]]
    return 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))
