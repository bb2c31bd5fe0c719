"""The Fellegi–Sunter model: m and u probabilities of every level, the prior, and the weight of a pair.

Fellegi & Sunter (1969), A theory for record linkage; EM after Winkler (1988). u is taken from pairs that are known not to be
matches and then held fixed: freeing it on blocked pairs, most of which match, is unstable (linkage.md §2b). m is estimated
by EM over *distinct* level vectors, so that a million pairs cost what a few hundred vectors cost.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from kcb_pipeline.matching.comparisons import MISSING, Comparison, distinct_codes
from kcb_pipeline.matching.settings import Implied, Settings

FORMAT: Final = 3
"""Version of the JSON a model is kept as. 1 knew nothing of `near`, 2 nothing of `lookalikes`."""

_MOST_NEAR: Final = 3.0
_SMOOTHING: Final = 1.0
"""Pairs' worth of belief in `_believed_m`: keeps a level that no pair reached from a weight of minus infinity."""
_TOLERANCE: Final = 1e-7
_MOST_ITERATIONS: Final = 1000


@dataclass(frozen=True)
class Lookalikes:
    """How often two records *within* a table, which are two people, show each level vector, as far as blocking brings them together.

    Comparisons do not agree independently of each other: neighbours share postcode and suburb, twins sex and birth date. So how
    often people who are not one look like it is not a product of u; but a table in which everybody stands once shows it.

    comparisons: their order. vectors: level vectors, `MISSING` for no evidence. counts: pairs that show each. pairs: all pairs of two
    records. known: of each comparison, the share of all pairs in which neither value is missing.
    """

    comparisons: tuple[str, ...]
    vectors: tuple[tuple[int, ...], ...]
    counts: tuple[float, ...]
    pairs: float
    known: tuple[float, ...]

    def excess(
        self, vectors: NDArray[np.int8], expected: NDArray[np.float64], *, counted: bool = False
    ) -> NDArray[np.float64]:
        """How much more often (ln) than expected people who are not one show each level vector.

        expected: ln of the probability of each of the `vectors` by a model. A missing level stands for any. Where few pairs
        were to be expected and few were seen the model is believed: `_BELIEF` pairs are added to both. counted: whether the vectors
        are of pairs that were counted here; what a pair itself has added is no evidence of others like it.
        """
        ours, counts = np.array(self.vectors, dtype=np.int8).reshape(-1, len(self.comparisons)), np.array(self.counts)
        seen, pairs = np.zeros(len(vectors)), np.zeros(len(vectors))
        masks, of_mask = distinct_vectors((vectors != MISSING).astype(np.int8))
        for number, mask in enumerate(masks.astype(bool)):
            those = np.flatnonzero(of_mask == number)
            told = np.flatnonzero((ours[:, mask] != MISSING).all(axis=1))
            _, same = distinct_vectors(np.concatenate([ours[told][:, mask], vectors[those][:, mask]]))
            seen[those] = np.bincount(same[: len(told)], counts[told], minlength=len(same))[same[len(told) :]]
            pairs[those] = self.pairs * np.prod(np.array(self.known)[mask])
        seen = np.maximum(seen - 1, 0.0) if counted else seen
        return np.log(seen + _BELIEF) - np.log(pairs * np.exp(expected) + _BELIEF)


_BELIEF: Final = 1.0
"""Pairs."""


@dataclass(frozen=True)
class Model:
    """m and u of each comparison's levels, and the share of all pairs that match.

    m, u: comparison → probabilities by level, adding up to 1; among matches, and among pairs of strangers.
    prior: probability that a pair picked from all (left × right) is one person.
    relatives, relative_rate: the probabilities by level among pairs of one family who are two people, and how often a pair
        picked from all is such a pair; empty and 0 where nothing is known of families.
    lookalikes: how often two people in truth show each level vector, where that was counted.
    near: comparison → level → how rare (log2 of the mean of 1/frequency) is the rarer of two values that chance alone brings to that
        level; see `near_adjustment`.
    iterations, converged: how EM ended.
    """

    m: dict[str, tuple[float, ...]]
    u: dict[str, tuple[float, ...]]
    prior: float
    relatives: dict[str, tuple[float, ...]] = field(default_factory=dict)
    relative_rate: float = 0.0
    iterations: int = 0
    converged: bool = True
    near: dict[str, dict[int, float]] = field(default_factory=dict)
    lookalikes: Lookalikes | None = None

    @property
    def prior_weight(self) -> float:
        """log2 of the prior odds."""
        return float(np.log2(self.prior) - np.log2(1 - self.prior))

    def weights(self, comparison: str) -> NDArray[np.float64]:
        """log2(m/u) of each level, and 0 for a missing value, which is no evidence: index with the level itself (-1 is last)."""
        m, u = np.array(self.m[comparison]), np.array(self.u[comparison])
        return np.append(np.log2(m) - np.log2(u), 0.0)

    def near_adjustment(self, comparison: str, level: int, rarer: NDArray[np.float64]) -> NDArray[np.float64]:
        """What near agreement on *these* values adds to near agreement on average ones (log2), never more than three bits either way.

        rarer: how rare (log2 frequency) the rarer of each two values is. Where f and g bear two values that a slip turns into each
        other, people are e·(f + g) of whom both stand in the tables, and strangers f·g: the evidence goes with 1/f + 1/g, which the rarer
        decides. Its mean over strangers makes the average pair's weight what it was.
        """
        typical = self.near.get(comparison, {}).get(level)
        return np.zeros(len(rarer)) if typical is None else np.clip(-rarer - typical, -_MOST_NEAR, _MOST_NEAR)

    def likeness(self, comparison: str, *, silent: bool = False) -> NDArray[np.float64]:
        """How much each level looks like kinship rather than chance: log2(relatives/u), 0 for a missing value.

        Where the level is `silent` (contained in other evidence, `Implied`) it is that for strangers only: one number on two
        strangers brings one birth date with it, a number borrowed from a brother does not. There it is log2(relatives/m).
        """
        if not self.relatives:
            return np.zeros(len(self.u[comparison]) + 1)
        against = self.m[comparison] if silent else self.u[comparison]
        return np.append(np.log2(np.array(self.relatives[comparison])) - np.log2(np.array(against)), 0.0)

    def relatives_weight(self, likeness: NDArray[np.float64], *, orphaned: float = 1.0) -> NDArray[np.float64]:
        """What kinship takes away from the weight of pairs whose likeness (log2, summed) is given; never positive.

        Against strangers alone a pair has m/u. Non-matches are strangers and relatives, so it has m / (u + rate·relatives):
        the difference is this one term, and the other weights keep their meaning. `orphaned`: the share of relatives' pairs
        that nothing else would give away. Where every record has one partner, a brother's record is claimed by the brother, and
        only one whose brother is not in the other table can be mistaken.
        """
        if not self.relative_rate:
            return np.zeros(len(likeness))
        odds = np.log2(self.relative_rate * orphaned) - np.log2(1 - self.prior - self.relative_rate)
        return -np.logaddexp2(0.0, odds + likeness)

    def lookalikes_weight(
        self, said: NDArray[np.int8], heard: NDArray[np.int8], *, counted: bool = False
    ) -> NDArray[np.float64]:
        """What it takes away from the weight of level vectors (log2), or gives, that two people look so oftener, or less often, than u and
        kinship say. said, heard: the levels, and those of them that are evidence (`silence`).
        counted: see `Lookalikes.excess`.
        """
        if self.lookalikes is None:
            return np.zeros(len(said))
        names = self.lookalikes.comparisons
        strangers = np.log1p(-self.relative_rate) + _log_probability(heard, [np.array(self.u[name]) for name in names])
        if self.relative_rate:
            alike = _log_probability(said, [np.array(self.relatives[name]) for name in names])
            strangers = np.logaddexp(strangers, np.log(self.relative_rate) + alike)
        taken: NDArray[np.float64] = -self.lookalikes.excess(said, strangers, counted=counted) / np.log(2)
        return taken

    def to_json(self) -> str:
        """The model as text that `from_json` reads back to the bit."""
        return json.dumps(
            {
                "format": FORMAT, "prior": self.prior, "m": self.m, "u": self.u,
                "relatives": self.relatives, "relative_rate": self.relative_rate, "near": self.near,
                "lookalikes": None if self.lookalikes is None else asdict(self.lookalikes), "iterations": self.iterations, "converged": self.converged,
            },
            ensure_ascii=False, sort_keys=True, indent=1,
        )  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Model:
        """The model of a text by `to_json`; ValueError where it is none, or of another format."""
        said: Any = json.loads(text)
        found = said.get("format") if isinstance(said, dict) else None
        if found not in range(1, FORMAT + 1):
            message = f"a model of format {found}; this program reads formats 1 to {FORMAT}"
            raise ValueError(message)
        if missing := {"m", "u", "relatives", "prior", "relative_rate", "iterations", "converged"} - said.keys():
            message = f"a model without {', '.join(sorted(missing))}"
            raise ValueError(message)
        tables = {
            side: {name: tuple(map(float, values)) for name, values in said[side].items()}
            for side in ("m", "u", "relatives")
        }
        return cls(
            tables["m"],
            tables["u"],
            float(said["prior"]),
            tables["relatives"],
            float(said["relative_rate"]),
            int(said["iterations"]),
            bool(said["converged"]),
            {
                name: {int(level): float(typical) for level, typical in levels.items()}
                for name, levels in said.get("near", {}).items()
            },
            _lookalikes(said.get("lookalikes")),
        )


def _lookalikes(said: Any) -> Lookalikes | None:
    if said is None:
        return None
    return Lookalikes(
        tuple(said["comparisons"]),
        tuple(tuple(map(int, vector)) for vector in said["vectors"]),
        tuple(map(float, said["counts"])),
        float(said["pairs"]),
        tuple(map(float, said["known"])),
    )


@dataclass(frozen=True, slots=True)
class Patterns:
    """Distinct level vectors with how many pairs have each.

    vectors: (patterns, comparisons), `MISSING` for no evidence; sorted, so that sums over them do not depend on row order.
    counts: pairs of each pattern. of_pair: the pattern of each pair.
    """

    vectors: NDArray[np.int8]
    counts: NDArray[np.int64] | NDArray[np.float64]
    of_pair: NDArray[np.int64]

    @classmethod
    def of(cls, levels: list[NDArray[np.int8]], labels: list[int]) -> Patterns:
        """The patterns of pairs given as one array of levels a comparison; `labels` is how many levels each has."""
        below = int(np.prod([count + 1 for count in labels], dtype=object))
        if below > _NUMBERED:
            vectors, of_pair = distinct_vectors(np.column_stack(levels))
            return cls(vectors, np.bincount(of_pair, minlength=len(vectors)), of_pair)
        code = np.zeros(len(levels[0]), dtype=np.int64)
        for values, count in zip(levels, labels, strict=True):
            code = code * (count + 1) + (values + 1)
        distinct, of_pair, counts = distinct_codes(code, below)
        vectors = np.empty((len(distinct), len(levels)), dtype=np.int8)
        rest = distinct.copy()
        for place in range(len(levels) - 1, -1, -1):
            vectors[:, place] = rest % (labels[place] + 1) - 1
            rest //= labels[place] + 1
        return cls(vectors, counts, of_pair)

    def joined(self, others: Patterns, *, each: float) -> Patterns:
        """These patterns and the others, each pair of which counts for `each`."""
        codes = np.concatenate([self.vectors, others.vectors])
        counts = np.concatenate([self.counts, others.counts * each])
        vectors, place = distinct_vectors(codes)
        return Patterns.counted(vectors, np.bincount(place, weights=counts, minlength=len(vectors)))

    @classmethod
    def counted(cls, vectors: NDArray[np.int8], counts: NDArray[np.int64] | NDArray[np.float64]) -> Patterns:
        """The same from distinct vectors in any order that have been counted elsewhere; each stands for itself in `of_pair`."""
        order = np.lexsort(vectors.T[::-1])
        return cls(vectors[order], counts[order], np.arange(len(order)))


_NUMBERED: Final = 1 << 62
"""Level vectors beyond that have no number of their own in 64 bits (from some 24 comparisons on)."""


def distinct_vectors(vectors: NDArray[np.int8]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The distinct level vectors, sorted, and the place of each among them."""
    if not vectors.size:
        return vectors[:1], np.zeros(len(vectors), dtype=np.int64)
    # As texts of bytes, none of them 0, in which order NumPy sorts several times faster than rows of a table.
    written = np.ascontiguousarray((vectors + 2).astype(np.uint8)).view(f"S{vectors.shape[1]}").reshape(-1)
    _, first, place = np.unique(written, return_index=True, return_inverse=True)
    return vectors[first], place


def silence(levels: dict[str, NDArray[np.int8]], implied: tuple[Implied, ...]) -> dict[str, NDArray[np.int8]]:
    """The levels as evidence: agreement that another agreement contains becomes missing (`Implied`)."""
    heard = dict(levels)
    for rule in implied:
        given = np.isin(levels[rule.given], rule.levels)
        for name in rule.silent:
            heard[name] = np.where(given & (heard[name] == 0), np.int8(MISSING), heard[name])
    return heard


def contradicted(settings: Settings, vectors: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which level vectors, columns in the order of the settings' comparisons, no weight may link (`Contradiction`)."""
    place = {comparison.name: at for at, comparison in enumerate(settings.comparisons)}
    found = np.zeros(len(vectors), dtype=bool)
    for rule in settings.contradictions:
        found |= np.logical_and.reduce([np.isin(vectors[:, place[name]], levels) for name, levels in rule.levels])
    return found


def estimate_u(
    settings: Settings, random_levels: dict[str, NDArray[np.int8]], collisions: dict[str, float]
) -> dict[str, tuple[float, ...]]:
    """u by level: from pairs picked at random, but for full agreement, whose chance is counted over all pairs (`collisions`), and what is as rare."""
    u: dict[str, tuple[float, ...]] = {}
    for comparison in settings.comparisons:
        levels = random_levels[comparison.name]
        counts = np.bincount(levels[levels >= 0], minlength=len(comparison.labels)).astype(np.float64)
        # Half a pair of belief, less for each level further up: a level nobody reached by chance is rare, not impossible.
        shares = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
        if comparison.name in collisions:
            equal, rare = collisions[comparison.name], list(comparison.coincidences)
            shares[1:] *= (1 - equal) / shares[1:].sum()
            shares[0], shares[rare] = equal, np.minimum(shares[rare], equal)
            others = np.delete(np.arange(len(shares)), [0, *rare])
            shares[others] *= (1 - shares[[0, *rare]].sum()) / shares[others].sum()
        u[comparison.name] = tuple(float(share) for share in shares)
    return u


@dataclass(frozen=True, slots=True)
class Kin:
    """What pairs of one family who are two people look like: probabilities by level, and how often two records picked from all are such a pair."""

    levels: dict[str, tuple[float, ...]]
    rate: float


_STRANGE_KIN: Final = 0.01
"""Share of relatives' pairs that may show any level whatever was observed: one's number written into the other's record, say."""


_MOST_KIN: Final = 0.1


def estimate_kin(settings: Settings, levels: dict[str, NDArray[np.int8]], *, pairs: float) -> Kin:
    """From the levels of the pairs of one family inside tables; `pairs`: all pairs of two records inside them.

    Two records of different tables are relatives as often as two of one: brothers stand in either table by themselves.
    """
    shares: dict[str, tuple[float, ...]] = {}
    for comparison in settings.comparisons:
        found = levels[comparison.name]
        counts = np.bincount(found[found >= 0], minlength=len(comparison.labels)).astype(np.float64)
        observed = (counts + 1 / len(counts)) / (counts.sum() + 1)
        mixed = (1 - _STRANGE_KIN) * observed + _STRANGE_KIN / len(counts)
        shares[comparison.name] = tuple(float(share) for share in mixed)
    rate = len(next(iter(levels.values()))) / max(pairs, 1.0)
    return Kin(shares, min(rate, _MOST_KIN))


def estimate_household(
    settings: Settings,
    tables: list[Patterns],
    u: dict[str, tuple[float, ...]],
    *,
    pairs: list[float],
    expected_repeats: float = 0.0,
) -> Kin | None:
    """What people who belong together look like, where nothing says who does: a class of its own among the pairs inside tables, by EM.

    Households share surname, address and telephone, neighbours postcode and suburb. They are found as what strangers (u, fixed) do not
    explain: where pairs show what they share much oftener than by chance, those pairs begin the class.
    expected_repeats: how many of the pairs are one person twice; these are a class too, then, and begin as those that agree nearly
    throughout, households as those that differ wholly in what is for life, and in something else. A class that is not told from one person
    by two comparisons, one of them for life, is none: people who have moved differ in much, but not in when they were born. Where nothing is
    for life, one comparison has to tell it, and it has to be the larger class: one person mostly agrees in everything.
    """
    if not any(len(found.vectors) for found in tables):
        return None
    vectors, place = distinct_vectors(np.concatenate([found.vectors for found in tables]))
    counted = np.concatenate([found.counts for found in tables]).astype(np.float64)
    counts = np.bincount(place, counted, minlength=len(vectors)).astype(np.float64)
    whole = max(sum(pairs), 1.0)
    names = [comparison.name for comparison in settings.comparisons]
    strangers = _log_probability(vectors, [np.array(u[name]) for name in names])
    belonging = np.maximum(counts - whole * np.exp(strangers), 0.0)
    believed = [_believed_m(len(comparison.labels)) for comparison in settings.comparisons]
    m = [values.copy() for values in believed]
    repeats = min(max(expected_repeats / whole, 1e-12), 0.5)
    if expected_repeats:
        last = np.array([len(comparison.labels) - 1 for comparison in settings.comparisons])
        for_life = np.array([comparison.for_life for comparison in settings.comparisons])
        begins = (vectors == last)[:, for_life].any(axis=1) & ((vectors > 0).sum(axis=1) > 1)
        belonging[~(begins if for_life.any() else (vectors == last).any(axis=1))] = 0.0
    shares: list[NDArray[np.float64]] = []
    rate = 0.0
    for _ in range(_MOST_HOUSEHOLD_ITERATIONS):
        if belonging.sum() < 1:
            return None
        before, rate = rate, min(float(belonging.sum()) / whole, _MOST_KIN)
        shares = [_shares(vectors[:, at], belonging, len(u[name])) for at, name in enumerate(names)]
        if expected_repeats and not for_life.any():
            # In what two people differ most they agree by chance: one person twice would else be two who happen to agree in it.
            most = int(np.argmax([share[-1] for share in shares]))
            shares[most] = np.array(u[names[most]])
        alike = np.log(rate) + _log_probability(vectors, shares)
        others = np.log1p(-rate) + strangers
        if expected_repeats:
            same = np.log(repeats) + _log_probability(vectors, m)
            one = counts * np.exp(same - np.logaddexp(np.logaddexp(others, alike), same))
            repeats = min(max(float(one.sum()), 0.5) / whole, 0.5)
            for at, begin in enumerate(believed):
                m[at] = _half_believed(vectors[:, at], one, begin)
            others = np.logaddexp(others, same)
        belonging = counts * np.exp(alike - np.logaddexp(others, alike))
        if abs(rate - before) <= _TOLERANCE * rate:
            break
    if expected_repeats:
        known = vectors >= 0
        # Where nobody stands twice there is no pair of one person to ask: what is believed of one, that all is known, stands in.
        of_one = (one @ known + _SMOOTHING) / (one.sum() + _SMOOTHING)
        often = np.minimum(belonging @ known / belonging.sum(), of_one) > _OFTEN
        # What two or three pairs happen to show is not how one person looks: where so few stand twice, belief is heard beside them.
        seen = float(one.sum())
        agree = [(seen * ours[0] + _FEW * begin[0]) / (seen + _FEW) for ours, begin in zip(m, believed, strict=True)]
        tells = [share[0] < _TELLS * ours and ours > 0.5 for share, ours in zip(shares, agree, strict=True)]
        tells = often & np.array(tells)
        if for_life.any():
            is_told = tells.sum() > 1 and tells[for_life].any()
        else:
            is_told = tells.any() and float(belonging.sum()) > seen
        if not is_told:
            return None
    return Kin({name: tuple(map(float, share)) for name, share in zip(names, shares, strict=True)}, rate)


def _half_believed(
    levels: NDArray[np.int8], one: NDArray[np.float64], begin: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How one person twice looks in a comparison, of so many (`one`) of the pairs at each of the levels. begin: as is believed of it."""
    known = levels >= 0
    found = np.bincount(levels[known], one[known], minlength=len(begin))
    # As much believed as learned: what one person learns from households (a sex that differs) makes it one of them.
    mixed: NDArray[np.float64] = ((found + _SMOOTHING * begin) / (found.sum() + _SMOOTHING) + begin) / 2
    return mixed


def probably_twice(
    settings: Settings, found: Patterns, u: dict[str, tuple[float, ...]], *, pairs: float, expected_repeats: float
) -> NDArray[np.float64]:
    """The probability of each level vector of pairs inside a table being of one person twice, where people were seen to stand twice there.

    By EM, beside strangers and beside households, which are found first. pairs: all of the table, of which `expected_repeats` are one person twice.
    """
    names = [comparison.name for comparison in settings.comparisons]
    others = _log_probability(found.vectors, [np.array(u[name]) for name in names])
    if kin := estimate_household(settings, [found], u, pairs=[pairs], expected_repeats=expected_repeats):
        alike = _log_probability(found.vectors, [np.array(kin.levels[name]) for name in names])
        others = np.logaddexp(np.log1p(-kin.rate) + others, np.log(kin.rate) + alike)
    believed = [_believed_m(len(comparison.labels)) for comparison in settings.comparisons]
    m, repeats = believed, max(expected_repeats, 0.5)
    probability = np.zeros(len(found.vectors))
    for _ in range(_MOST_HOUSEHOLD_ITERATIONS):
        same = np.log(min(repeats / pairs, 0.5)) + _log_probability(found.vectors, m)
        probability = np.exp(same - np.logaddexp(others, same))
        one = found.counts * probability
        before, repeats = repeats, max(float(one.sum()), 0.5)
        m = [_half_believed(found.vectors[:, at], one, begin) for at, begin in enumerate(believed)]
        if abs(repeats - before) <= _TOLERANCE * repeats:
            break
    return probability


_MOST_HOUSEHOLD_ITERATIONS: Final = 500
_OFTEN: Final = 0.25
"""A comparison is asked whether it tells where both its values are known of so many pairs of either class."""
_FEW: Final = 10.0
"""Pairs of one person that what is believed of them is worth, where it is asked what tells them from a household."""
_TELLS: Final = 0.25
"""A comparison in which one person mostly agrees tells households from it if they agree less than this share as often."""


def _shares(levels: NDArray[np.int8], weights: NDArray[np.float64], labels: int) -> NDArray[np.float64]:
    """The levels' shares among pairs of two people who belong together; the rarest is never impossible."""
    known = levels >= 0
    counts = np.bincount(levels[known], weights[known], minlength=labels)
    mixed: NDArray[np.float64] = (1 - _STRANGE_KIN) * (counts + 1 / labels) / (counts.sum() + 1) + _STRANGE_KIN / labels
    return mixed


def estimate_lookalikes(
    settings: Settings,
    tables: list[Patterns],
    u: dict[str, tuple[float, ...]],
    kin: Kin | None,
    *,
    pairs: list[float],
    known: tuple[float, ...],
    prior: float,
) -> Lookalikes:
    """From the level vectors of pairs inside tables, of which each has so many `pairs` in all. prior: of two records being one person.

    A vector that looks like one person is counted as often as the table says that has it less often: where persons stand twice in one of
    the tables by mistake, that is no lookalike.
    """
    names = tuple(c.name for c in settings.comparisons)
    vectors, place = distinct_vectors(np.concatenate([found.vectors for found in tables]))
    of_table = np.split(place, np.cumsum([len(found.vectors) for found in tables])[:-1])
    counts = np.array(
        [
            np.bincount(places, found.counts, minlength=len(vectors))
            for places, found in zip(of_table, tables, strict=True)
        ]
    )
    whole = float(sum(pairs))
    lower = (counts / np.maximum(np.array(pairs), 1.0)[:, None]).min(axis=0) * whole
    strangers = _log_probability(vectors, [np.array(u[name]) for name in names])
    if kin is not None and kin.rate:
        strangers = np.logaddexp(
            strangers, np.log(kin.rate) + _log_probability(vectors, [np.array(kin.levels[name]) for name in names])
        )
    counted = np.where(_as_one(settings, vectors, prior) > strangers, lower, counts.sum(axis=0))
    return Lookalikes(names, tuple(map(tuple, vectors.tolist())), tuple(counted.tolist()), whole, known)


def likeness_to_one(
    settings: Settings, vectors: NDArray[np.int8], u: dict[str, tuple[float, ...]], *, prior: float
) -> NDArray[np.float64]:
    """ln odds of each level vector being of one person and not of two strangers, by what is believed of one. prior: of a pair being one."""
    return _as_one(settings, vectors, prior) - _log_probability(
        vectors, [np.array(u[c.name]) for c in settings.comparisons]
    )


def _as_one(settings: Settings, vectors: NDArray[np.int8], prior: float) -> NDArray[np.float64]:
    """ln of the probability that a pair is one person and shows each level vector, by what is believed of one."""
    believed = [_believed_m(len(c.labels)) for c in settings.comparisons]
    return np.log(max(prior, 1e-12)) + _log_probability(vectors, believed)


def estimate_m(
    settings: Settings,
    patterns: Patterns,
    u: dict[str, tuple[float, ...]],
    *,
    pairs: float,
    expected_matches: float,
    kin: Kin | None = None,
    lookalikes: Lookalikes | None = None,
) -> Model:
    """m and the prior by EM with u fixed, and with what relatives and others who look alike look like fixed too.

    `pairs` is the number of all pairs (left × right): the pairs that blocking left out are non-matches, so the prior and
    the posterior of a pair are those among all pairs, whatever blocking did.
    """
    names = [comparison.name for comparison in settings.comparisons]
    believed = [_believed_m(len(comparison.labels)) for comparison in settings.comparisons]
    rate = kin.rate if kin else 0.0
    relatives = kin.levels if kin else {}
    said = dict(zip(names, patterns.vectors.T, strict=True))
    heard = np.column_stack(list(silence(said, settings.implied).values()))
    silent = np.where(heard == MISSING, patterns.vectors, np.int8(MISSING))
    strangers = np.log1p(-rate) + _log_probability(heard, [np.array(u[name]) for name in names])
    alike = _log_probability(patterns.vectors, [np.array(relatives[name]) for name in names]) if rate else None
    excess = np.zeros(len(heard))
    if lookalikes is not None:
        expected_of_all = strangers if alike is None else np.logaddexp(strangers, np.log(rate) + alike)
        excess = lookalikes.excess(patterns.vectors, expected_of_all)
    m = [_starting_m(comparison) for comparison in settings.comparisons]
    counts = np.where(contradicted(settings, patterns.vectors), 0.0, patterns.counts)
    prior = min(max(expected_matches / pairs, 1e-12), 0.5)
    iterations, converged, is_learned = 0, False, True
    while iterations < _MOST_ITERATIONS and not converged:
        iterations += 1
        others = strangers
        if alike is not None:
            others = np.logaddexp(strangers, np.log(rate) + alike - _log_probability(silent, m))
        log_odds = np.log(prior) - np.log1p(-prior) + _log_probability(heard, m) - others - excess
        expected = counts / (1 + np.exp(-np.clip(log_odds, -700, 700)))
        updated = []
        for place, begin in enumerate(believed):
            level = heard[:, place]
            known = level >= 0
            share = np.bincount(level[known], weights=expected[known], minlength=len(begin))
            learned = (share + _SMOOTHING * begin) / (share.sum() + _SMOOTHING)
            updated.append(learned if is_learned else begin)
        matches = min(max(float(expected.sum()), 0.5), pairs / 2)
        moved = max(float(np.abs(new - old).max()) for new, old in zip(updated, m, strict=True))
        converged = moved < _TOLERANCE and abs(matches / pairs - prior) < _TOLERANCE * prior
        m, prior = updated, matches / pairs
        if converged and is_learned and _differ_for_life(settings, m):
            # Where nobody is twice there, the likest pairs are neighbours: how one person looks is then believed, and only counted.
            converged, is_learned, m = False, False, believed
    found = {name: tuple(map(float, values)) for name, values in zip(names, m, strict=True)}
    return Model(found, u, prior, relatives, rate, iterations, converged, lookalikes=lookalikes)


def _differ_for_life(settings: Settings, m: list[NDArray[np.float64]]) -> bool:
    """Whether pairs so alike mostly differ wholly in all that a person keeps for life: they are people of one household or street."""
    wholly = [
        float(share[-1]) for comparison, share in zip(settings.comparisons, m, strict=True) if comparison.for_life
    ]
    return bool(wholly) and min(wholly) > _MOSTLY


_MOSTLY: Final = 0.5


def _log_probability(vectors: NDArray[np.int8], tables: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """log of the probability of each level vector under independent comparisons; a missing value says nothing."""
    total = np.zeros(len(vectors))
    for place, values in enumerate(tables):
        total += np.append(np.log(values), 0.0)[vectors[:, place]]
    return total


def _believed_m(levels: int) -> NDArray[np.float64]:
    """Nine in ten matches agree fully; of the rest, each level has half of the one above."""
    tail = 0.5 ** np.arange(levels - 1)
    return np.concatenate([[0.9], 0.1 * tail / tail.sum()]) if levels > 1 else np.array([1.0])


def _starting_m(comparison: Comparison) -> NDArray[np.float64]:
    """Where EM begins: as is believed, but that what is not for life is wholly another in one of twenty (who has moved, or has another
    telephone), however many levels there are between. Begun with less, people whose whole address is another never come in.
    """
    begin = _believed_m(len(comparison.labels))
    if not comparison.for_life:
        begin[-1] = max(begin[-1], _CHANGED)
    return begin / begin.sum()


_CHANGED: Final = 0.05


def drift(model: Model, before: Model) -> float:
    """How far a model has moved: the population stability index of m, of the comparison that moved most.

    Σ (m − m₀)·ln(m/m₀) over the levels; 0.1 is a small shift and 0.25 a large one by the usual reading. Comparisons that either
    model lacks, or whose levels are others, are left out: they were changed on purpose.
    """
    moved = [0.0]
    for name, values in model.m.items():
        earlier = before.m.get(name, ())
        if len(earlier) == len(values):
            new, old = np.array(values), np.array(earlier)
            moved.append(float(((new - old) * (np.log(new) - np.log(old))).sum()))
    return max(moved)
