"""What is linked and how, as typed data: comparisons, blocking rules, keys that settle, the prior, the policy.

Everything a run of `link` depends on besides the records is here, so that settings can be printed, hashed and kept.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

import polars as pl

from kcb_pipeline.matching.comparisons import Comparison

Key = str | pl.Expr
"""A column of the records or of what comparisons prepared (`name.pinyin`), or an expression over them."""


@dataclass(frozen=True)
class BlockingRule:
    """Pairs that agree on every key are compared. `left` and `right` differ where two tables name one thing differently.

    A column that a comparison compares agrees where the comparison says so, in whatever type or spelling it is written (`Settings.rules`).
    """

    name: str
    left: tuple[Key, ...]
    right: tuple[Key, ...]

    def __post_init__(self) -> None:
        """TypeError where a key is neither a column's name nor an expression; ValueError where there is none, or a side has more than the other."""
        for key in (*self.left, *self.right):
            if not isinstance(key, str | pl.Expr):
                message = f"blocking rule {self.name}: a key is a column's name or an expression of Polars, not a {type(key).__name__}"
                raise TypeError(message)
        if not self.left or len(self.left) != len(self.right):
            message = f"blocking rule {self.name}: {len(self.left)} keys on the left and {len(self.right)} on the right; as many are wanted, one at least"
            raise ValueError(message)


def block_on(*keys: Key, right: tuple[Key, ...] | None = None, name: str | None = None) -> BlockingRule:
    """A blocking rule on the same keys of both sides, or on `keys` of the left and `right` of the right.

    >>> block_on("surname", pl.col("born").dt.year()).name
    'surname + born'
    """
    words = ["+".join(dict.fromkeys(key.meta.root_names())) if isinstance(key, pl.Expr) else str(key) for key in keys]
    return BlockingRule(name or " + ".join(words), keys, right or keys)


@dataclass(frozen=True)
class KeyRule:
    """A key that settles: where both sides have it once and nothing speaks against, the pair is linked without being weighed.

    left, right: columns with the key, missing where a record's key is not to be trusted.
    plausible: comparison → the last level that does not speak against the pair; missing never does.
    """

    name: str
    left: str
    right: str
    plausible: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Implied:
    """Evidence that says nothing new: where comparison `given` is at one of `levels`, agreement of `silent` is contained in it.

    An ID number contains birth date, sex and division: once it agrees their agreement is no second witness. Their
    *disagreement* still counts: it is what a brother's number looks like.
    """

    given: str
    levels: tuple[int, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True)
class Contradiction:
    """Levels that together say two people so plainly that no weight links the pair by itself: a person may.

    levels: comparison → its levels; a pair is contradicted that is at one of them in each. Matches do not teach such levels either.
    """

    levels: tuple[tuple[str, tuple[int, ...]], ...]


_MOST_VECTORS: Final = 1 << 63
_POLICY = Literal["one-to-one", "many-to-one"]
_PARTS: Final = {
    "comparisons": Comparison, "blocking": BlockingRule, "keys": KeyRule, "implied": Implied, "contradictions": Contradiction,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How two tables of persons are linked.

    expected_matches: how many pairs are expected to be one person; estimated where it is not given.
    false_link_cost: what a false link costs, in missed links. A pair is linked from the probability at which linking it costs
        less than leaving it: 1/2 for a cost of 1 (the greatest F1), 0.98 for 50 (a false link hides a child who is out of school).
    review_probability: a pair that is not linked is put before a person from this probability on.
    largest_block: a value of a blocking key that would make more pairs than this is left to the other rules, and reported.
    weigh_settled: whether a pair that a key settles is yet compared in every respect, for whoever reads its weights; it is linked either way.
    near_misses: how many candidates are kept for each record that found nobody.
    relatives: rules by which two *different* records of one table are of one family; by default what the comparisons know of families
        (`Comparison.families`), or where they know of none what is seen to belong together (`model.estimate_household`); none for `()`. What such pairs agree on says how much brothers and sisters look alike; a pair
        that looks like them is weighed against that, not against strangers.
    policy: `one-to-one`, or `many-to-one` where several right records may be one left person (second enrolments).
    repeats: whether, one-to-one, a person may yet have several right records: then a second good one is no rival of the first.
    """

    comparisons: tuple[Comparison, ...]
    blocking: tuple[BlockingRule, ...]
    keys: tuple[KeyRule, ...] = ()
    implied: tuple[Implied, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    expected_matches: float | None = None
    policy: _POLICY = "one-to-one"
    repeats: bool = False
    relatives: tuple[BlockingRule, ...] | None = None
    false_link_cost: float = 1.0
    review_probability: float = 0.05
    largest_block: int = 1_000_000
    weigh_settled: bool = False
    near_misses: int = 3

    def __post_init__(self) -> None:
        """TypeError where a part is of another kind; ValueError where there is nothing to compare by, two comparisons have one name, or a number
        or the policy is none that there could be.
        """
        for part, kind in _PARTS.items():
            given = getattr(self, part)
            if isinstance(given, kind):
                given = (given,)
            if not isinstance(given, tuple | list) or not all(isinstance(one, kind) for one in given):
                message = f"{part}: {kind.__name__} objects are wanted, in a tuple"
                raise TypeError(message)
            object.__setattr__(self, part, tuple(given))
        names = [comparison.name for comparison in self.comparisons]
        if not names or len(set(names)) < len(names):
            message = f"comparisons {', '.join(names) or '(none)'}: at least one is wanted, each with a name of its own"
            raise ValueError(message)
        if math.prod(len(comparison.labels) + 1 for comparison in self.comparisons) >= _MOST_VECTORS:
            message = f"{len(names)} comparisons: together they have more level vectors than 63 bits can number; leave some out"
            raise ValueError(message)
        if self.policy not in get_args(_POLICY):
            message = f"policy {self.policy!r}: {' or '.join(get_args(_POLICY))}"
            raise ValueError(message)
        self._check_named()
        wrong = [name for name, is_right in self._numbers() if not is_right]
        if wrong:
            message = f"{wrong[0]} {getattr(self, wrong[0])!r}: a false link costs more than nothing, matches are expected or not (None), a probability is of 0 to 1, and counts are whole"
            raise ValueError(message)

    def _check_named(self) -> None:
        """ValueError where a rule names a comparison, or a level of one, that is not there."""
        levels = {comparison.name: len(comparison.labels) for comparison in self.comparisons}
        named = [
            *(("implied", name, ()) for rule in self.implied for name in rule.silent),
            *(("implied", rule.given, rule.levels) for rule in self.implied),
            *(("contradictions", name, at) for rule in self.contradictions for name, at in rule.levels),
            *(("keys", name, (last,)) for rule in self.keys for name, last in rule.plausible),
        ]
        for part, name, at in named:
            if name not in levels:
                message = f"{part}: no comparison is called {name}; there are {', '.join(levels)}"
                raise ValueError(message)
            if not all(0 <= level < levels[name] for level in at):
                message = f"{part}: comparison {name} has levels 0 to {levels[name] - 1}, not {', '.join(map(str, at))}"
                raise ValueError(message)

    def _numbers(self) -> tuple[tuple[str, bool], ...]:
        """The numbers of these settings and whether each could be."""
        return (
            ("false_link_cost", _is_number(self.false_link_cost) and self.false_link_cost > 0),
            (
                "expected_matches",
                self.expected_matches is None or (_is_number(self.expected_matches) and self.expected_matches >= 0),
            ),
            ("review_probability", _is_number(self.review_probability) and 0 <= self.review_probability <= 1),
            ("largest_block", isinstance(self.largest_block, int) and self.largest_block > 0),
            ("near_misses", isinstance(self.near_misses, int) and self.near_misses >= 0),
        )

    @property
    def link_probability(self) -> float:
        """The probability from which a pair is linked."""
        return self.false_link_cost / (1 + self.false_link_cost)

    @property
    def rules(self) -> tuple[BlockingRule, ...]:
        """The blocking rules as they are looked up: on what a column is compared as, where one comparison compares it on both sides."""
        return tuple(self._as_compared(rule) for rule in self.blocking)

    @property
    def families(self) -> tuple[BlockingRule, ...]:
        """The rules of `relatives`, as they are looked up, or those that the comparisons bring."""
        if self.relatives is not None:
            return tuple(self._as_compared(rule) for rule in self.relatives)
        return tuple(block_on(key) for comparison in self.comparisons for key in comparison.families)

    def _as_compared(self, rule: BlockingRule) -> BlockingRule:
        """The rule on the codes of the columns that are compared alike on both sides."""
        coded = {comparison.coded_column: comparison for comparison in reversed(self.comparisons)}
        sides: tuple[list[Key], list[Key]] = [], []
        for keys in zip(rule.left, rule.right, strict=True):
            found = [coded.get(key) if isinstance(key, str) else None for key in keys]
            for side, key, comparison in zip(sides, keys, found, strict=True):
                if comparison is None or type(found[0]) is not type(found[1]):
                    side.append(key)
                else:  # a code of 0 is a missing value
                    side.append(pl.when(pl.col(comparison.code) != 0).then(pl.col(comparison.code)))
        left = tuple(sides[0])
        return BlockingRule(rule.name, left, left if rule.left is rule.right else tuple(sides[1]))

    @property
    def has_one_record_each(self) -> tuple[bool, bool]:
        """Whether a person has one record in the left table at most, and in the right one."""
        return True, self.policy == "one-to-one" and not self.repeats

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the records that keys, blocking rules and frequencies name, without those that comparisons prepare."""
        return tuple(sorted(columns_named((*self.rules, *self.families)) | set(self.key_columns)))

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Those of them that keys and frequencies name."""
        named = {column for rule in self.keys for column in (rule.left, rule.right)}
        return tuple(sorted(named | {column for c in self.comparisons for column in c.frequency_within}))

    def comparison(self, name: str) -> Comparison:
        """The comparison of that name; KeyError where there is none."""
        for comparison in self.comparisons:
            if comparison.name == name:
                return comparison
        raise KeyError(name)

    @property
    def shape(self) -> str:
        """sha-256 of the comparisons and their levels: models of one shape can stand for each other."""
        return hashlib.sha256(repr([(c.name, c.labels) for c in self.comparisons]).encode()).hexdigest()

    @property
    def digest(self) -> str:
        """sha-256 of everything these settings say, for the record of a run."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def columns_named(rules: tuple[BlockingRule, ...]) -> set[str]:
    """The columns that the keys of blocking rules are made of."""
    keys = [key for rule in rules for key in (*rule.left, *rule.right)]
    return {name for key in keys for name in ([key] if isinstance(key, str) else key.meta.root_names())}
