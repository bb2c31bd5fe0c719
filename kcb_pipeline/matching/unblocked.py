"""How many true pairs no blocking rule brought together, from which rules brought the others, without labels.

A rule gives a pair where all its keys agree, and rules share keys: "surname, postcode" and "surname, birth date" fail together when the
surname is misspelt. So what is estimated is how often each *key* agrees among true pairs, and from that how often no rule has all of its
own. It is capture and recapture with a latent class (Agresti 1994; Stanghellini & van der Heijden 2004): true pairs are of two kinds, those
written with care and those without, and inside each kind keys agree independently. The estimates are of greatest likelihood given that a
pair was caught at all, by EM over all ways in which the keys can agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kcb_pipeline.matching.settings import BlockingRule

_MOST_KEYS: Final = 16
"""Keys of which all ways to agree are looked at (65,536); rules that need more than those are asked only which pairs they gave."""
_MOST_ITERATIONS: Final = 2000
_TOLERANCE: Final = 1e-8
_START: Final = (0.95, 0.6)
"""How often a key agrees in pairs written with care, and without, before anything is known."""
_CAREFUL: Final = 0.8
"""Share of pairs written with care, before anything is known."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of some rules.

    needs: of each rule, its keys, a bit each. inside: key → the key that it is a part of, and agrees with (birth date → its year).
    count: of keys; those that the same rules have are one.
    """

    needs: tuple[int, ...]
    inside: dict[int, int]
    count: int

    @classmethod
    def of(cls, rules: list[BlockingRule]) -> _Keys:
        """Keys are told apart by what they say on either side."""
        of_rules = [
            dict.fromkeys((str(left), str(right)) for left, right in zip(rule.left, rule.right, strict=True))
            for rule in rules
        ]
        roots = {
            (str(left), str(right)): left.meta.root_names()
            for rule in rules
            for left, right in zip(rule.left, rule.right, strict=True)
            if not isinstance(left, str) and str(left) == str(right)
        }
        every = list(dict.fromkeys(key for keys in of_rules for key in keys))
        whole = {key: (of[0], of[0]) for key, of in roots.items() if len(of) == 1 and (of[0], of[0]) in every}
        groups: dict[object, int] = {}
        place = {}
        for key in every:
            members = tuple(number for number, keys in enumerate(of_rules) if key in keys)
            is_alone = key in whole or key in whole.values()
            place[key] = groups.setdefault((members, key) if is_alone else members, len(groups))
        needs = tuple(sum(1 << at for at in {place[key] for key in keys}) for keys in of_rules)
        return cls(needs, {place[part]: place[key] for part, key in whole.items()}, len(groups))


def unblocked_pairs(
    rules: NDArray[np.int64], weights: NDArray[np.float64], blocking: tuple[BlockingRule, ...]
) -> float:
    """True pairs that no rule brought together.

    rules: of pairs that were, which of the `blocking` rules did (a bit each). weights: probability of each pair being true.
    Where all rules have a key in common nothing tells how often that one fails; it is then said to as often as `_START` has it.
    """
    if not len(rules) or not weights.sum():
        return 0.0
    # Sorted first: the last bit of a sum depends on the order of what is summed, and that on the order of the rows.
    order = np.lexsort((weights, rules))
    masks, place = np.unique(rules[order], return_inverse=True)
    counts = np.bincount(place.reshape(-1), weights[order]).astype(np.float64)
    chosen, keys = _asked(masks, counts, blocking)
    known = np.zeros(len(masks), dtype=np.int64)
    for bit, rule in enumerate(chosen):
        known |= (masks >> rule & 1) << bit
    of_chosen, place = np.unique(known, return_inverse=True)
    seen = np.bincount(place.reshape(-1), counts)
    others = float(seen[of_chosen == 0].sum())  # given by a rule that is not asked
    caught = seen[of_chosen != 0]
    return max(_missed_by_all(keys, of_chosen[of_chosen != 0], caught) - others, 0.0) if caught.sum() else 0.0


def _asked(
    masks: NDArray[np.int64], counts: NDArray[np.float64], blocking: tuple[BlockingRule, ...]
) -> tuple[list[int], _Keys]:
    """Those rules, by what they gave, whose keys can all be looked at."""
    gave = [float(counts[masks >> rule & 1 == 1].sum()) for rule in range(len(blocking))]
    chosen: list[int] = []
    for rule in sorted(range(len(blocking)), key=lambda rule: (-gave[rule], rule)):
        if _Keys.of([blocking[at] for at in sorted([*chosen, rule])]).count <= _MOST_KEYS:
            chosen = sorted([*chosen, rule])
    return chosen, _Keys.of([blocking[at] for at in chosen])


def _missed_by_all(keys: _Keys, masks: NDArray[np.int64], counts: NDArray[np.float64]) -> float:
    """Pairs for which no rule has all its keys, given how many showed each (not empty) mask of rules."""
    ways = np.arange(1 << keys.count)
    for part, whole in keys.inside.items():
        ways = ways[(ways >> whole & 1 == 0) | (ways >> part & 1 == 1)]
    given = np.zeros(len(ways), dtype=np.int64)
    for rule, needs in enumerate(keys.needs):
        given |= (ways & needs == needs).astype(np.int64) << rule
    is_shown = np.isin(given, masks) | (given == 0)
    ways, given = ways[is_shown], given[is_shown]
    agrees = (ways[:, None] >> np.arange(keys.count) & 1).astype(np.float64)
    asked = np.ones_like(agrees)
    for part, whole in keys.inside.items():
        asked[:, part] = 1 - agrees[:, whole]  # where the whole agrees the part is not asked
    agrees *= asked
    differs = asked - agrees
    shown, place = np.unique(given, return_inverse=True)
    seen = np.zeros(len(shown))
    seen[np.searchsorted(shown, masks)] = counts
    whole_count = float(counts.sum())
    rates = np.repeat(np.array(_START)[:, None], keys.count, axis=1)
    shares = np.array([_CAREFUL, 1 - _CAREFUL])
    missed = 0.0
    for _ in range(_MOST_ITERATIONS):
        # einsum adds in one order; a matrix product does so by how many threads there are.
        chance = shares * np.exp(
            np.einsum("wk,ck->wc", agrees, np.log(rates)) + np.einsum("wk,ck->wc", differs, np.log1p(-rates))
        )
        of_mask = np.bincount(place, chance.sum(axis=1), minlength=len(shown))
        before, missed = missed, whole_count * of_mask[0] / max(1 - of_mask[0], 1e-9)
        seen[0] = missed
        expected = chance * (seen / of_mask)[place][:, None]
        asked_of = np.einsum("wc,wk->ck", expected, asked)
        rates = (np.einsum("wc,wk->ck", expected, agrees) + _START[0]) / (asked_of + 1)
        rates = np.clip(rates, 1e-9, 1 - 1e-9)
        shares = (expected.sum(axis=0) + 0.5) / (whole_count + missed + 1)
        if abs(missed - before) <= _TOLERANCE * whole_count:
            break
    return float(missed)
