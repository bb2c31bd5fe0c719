"""What linking two tables and deduplicating one have in common: records prepared, pairs levelled, chance and kinship learned, and weighed.

What belongs here: everything between the records and the weight of a pair that does not know which pairs are decided on, or how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.blocking import MIXER, candidates
from kcb_pipeline.matching.calibration import FURTHER_RECORD
from kcb_pipeline.matching.comparisons import MISSING, Comparison, Levels, Pairs
from kcb_pipeline.matching.components import components
from kcb_pipeline.matching.model import (
    Kin,
    Lookalikes,
    Model,
    Patterns,
    estimate_household,
    estimate_kin,
    estimate_lookalikes,
    likeness_to_one,
    probably_twice,
    silence,
)
from kcb_pipeline.matching.settings import BlockingRule, Settings, columns_named
from kcb_pipeline.threads import side_by_side

Records = pl.DataFrame | pl.LazyFrame
"""A table of persons. One that is not read yet (`pl.scan_parquet`) is read piece by piece, and never held whole."""


_ROWS_AT_ONCE: Final = 1 << 18


def check(settings: Settings, *tables: Records, model: Model | None = None) -> None:
    """TypeError where these are no settings, no tables or no model; ValueError where no rule says what is compared, a table lacks a column, or the
    model is one of other comparisons.
    """
    if not isinstance(settings, Settings):
        message = f"settings: a {type(settings).__name__}; Settings are wanted"
        raise TypeError(message)
    if model is not None:
        _check_model(settings, model)
    if not settings.blocking:
        message = (
            "no blocking rule: every pair of records would be compared with every other; name what true pairs agree on"
        )
        raise ValueError(message)
    prepared = tuple(f"{comparison.name}." for comparison in settings.comparisons)
    for table, side in zip(tables, ("left", "right") if len(tables) > 1 else ("",), strict=True):
        if not isinstance(table, pl.DataFrame | pl.LazyFrame):
            message = f"{side} table: a {type(table).__module__}.{type(table).__name__}; a frame of Polars is wanted (polars.from_pandas, polars.from_arrow)"
            raise TypeError(message.strip())
        there = table.collect_schema().names()
        wanted = [(f"comparison {c.name}", name) for c in settings.comparisons for name in c.needs]
        wanted += [(f"comparison {c.name}", name) for c in settings.comparisons for name in c.frequency_within]
        for rule in (*settings.rules, *(settings.relatives or ())):
            keys = rule.right if side == "right" else rule.left
            wanted += [
                (f"blocking rule {rule.name}", name) for name in columns_named((replace(rule, left=keys, right=keys),))
            ]
        wanted += [(f"key {rule.name}", rule.right if side == "right" else rule.left) for rule in settings.keys]
        for what, name in wanted:
            if name not in there and not name.startswith(prepared):
                message = (
                    f"{side} table has no column {name}, which {what} looks at; it has {', '.join(there) or 'none'}"
                )
                raise ValueError(message.strip())


def _check_model(settings: Settings, model: Model) -> None:
    if not isinstance(model, Model):
        message = f"model: a {type(model).__name__}; a Model is wanted (`Model.from_json` reads one that was kept)"
        raise TypeError(message)
    ours = {comparison.name: len(comparison.labels) for comparison in settings.comparisons}
    alike = ours if model.lookalikes is None else dict.fromkeys(model.lookalikes.comparisons)
    if {name: len(share) for name, share in model.m.items()} != ours or list(alike) != list(ours):
        message = f"the model is of the comparisons {', '.join(model.m)}, the settings' are {', '.join(ours)}, or one of them has other levels"
        raise ValueError(message)


def prepare(
    records: Records,
    settings: Settings,
    *,
    of: tuple[Comparison, ...] | None = None,
    columns: tuple[str, ...] | None = None,
    rows: NDArray[np.int64] | None = None,
) -> pl.DataFrame:
    """What the comparisons need of each record, and the columns that blocking, keys and frequencies name; nothing else is kept.

    of: those comparisons, by default all. columns: those that are named, by default all of `settings.columns`.
    rows: of these records only, rising.
    """
    return _in_one_piece(list(prepared_pieces(records, settings, of=of, columns=columns, rows=rows)))


def prepared_pieces(
    records: Records,
    settings: Settings,
    *,
    of: tuple[Comparison, ...] | None = None,
    columns: tuple[str, ...] | None = None,
    rows: NDArray[np.int64] | None = None,
) -> Iterator[pl.DataFrame]:
    """The same piece by piece, at least one, which may be empty."""
    comparisons = settings.comparisons if of is None else of
    there = records.collect_schema().names()
    named = [name for name in (settings.columns if columns is None else columns) if name in there]
    read = {name for comparison in comparisons for name in comparison.reads}
    # Without any column a table has no rows either.
    wanted = records.select(sorted({*named, *read} & set(there)) or there[:1])
    for batch in _batches(wanted, rows):
        made = [column for comparison in comparisons for column in comparison.prepare(batch)]
        kept = batch.select(named).drop([column.name for column in made], strict=False)
        yield pl.DataFrame([*kept.get_columns(), *made])


def _in_one_piece(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """The tables one below the other, each column in one piece; no more than one column is held twice at any time."""
    columns = [table.get_columns()[::-1] for table in tables]
    tables.clear()
    whole = []
    while columns[0]:
        whole.append(pl.concat([rest.pop() for rest in columns], rechunk=True))
    return pl.DataFrame(whole)


def at_rows(records: Records, rows: NDArray[np.int64]) -> pl.DataFrame:
    """The records at these rows, rising, with every column; of a table that is read, nothing else is held but a piece of it."""
    return pl.concat(_batches(records, rows))


def _batches(records: Records, rows: NDArray[np.int64] | None) -> Iterator[pl.DataFrame]:
    """The records in pieces, at least one, which may be empty."""
    if isinstance(records, pl.DataFrame):
        some = records if rows is None else records[rows]
        yield from some.iter_slices(_ROWS_AT_ONCE) if some.height else [some]
        return
    begin, first, any_ = 0, 0, False
    for batch in records.collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True):
        if rows is None:
            yield batch
        else:
            last = int(np.searchsorted(rows, begin + batch.height))
            yield batch[rows[first:last] - begin]
            begin, first = begin + batch.height, last
        any_ = True
    if not any_:
        yield records.collect().clear()


def columns_wanted(settings: Settings, there: list[str]) -> list[str]:
    """Those of a table's columns that `prepare` looks at."""
    read = {name for comparison in settings.comparisons for name in comparison.reads}
    return sorted({*settings.columns, *read} & set(there))


def blocking_keys(settings: Settings, records: pl.DataFrame, of: tuple[BlockingRule, ...]) -> list[pl.Series]:
    """The blocking keys of the comparisons that the rules name, but for those that the records have already."""
    named = columns_named(of)
    wanted = [
        c for c in settings.comparisons if any(n.startswith(f"{c.name}.") and n not in records.columns for n in named)
    ]
    return [key for comparison in wanted for key in comparison.keys(records)]


def with_keys(settings: Settings, records: pl.DataFrame, of: tuple[BlockingRule, ...]) -> pl.DataFrame:
    """Nothing of the records but what the rules look at."""
    keyed = records.with_columns(blocking_keys(settings, records, of=of))
    return keyed.select(name for name in keyed.columns if name in columns_named(of))


_SAMPLE: Final = 800
"""Records of each side whose pairs estimate u: 640,000 pairs show a level of one in a million about as often as not."""


_PAIRS_AT_ONCE: Final = 1 << 18
"""What is gathered for a quarter of a million pairs stays small beside the tables themselves."""


def levels_of(comparisons: tuple[Comparison, ...], pairs: Pairs) -> dict[str, Levels]:
    """The level of every pair in each of the comparisons."""
    levels = {c.name: np.empty(len(pairs), dtype=np.int8) for c in comparisons}

    def fill(start: int) -> None:
        end = min(start + _PAIRS_AT_ONCE, len(pairs))
        block = Pairs(pairs.left, pairs.right, pairs.rows_l[start:end], pairs.rows_r[start:end])
        for comparison in comparisons:
            levels[comparison.name][start:end] = comparison.levels(block)
        for comparison in comparisons:
            at, columns = comparison.explains
            explained = np.isin(levels[comparison.name][start:end], at) if at else None
            for other in comparisons:
                if explained is not None and other is not comparison and set(other.reads) <= set(columns):
                    levels[other.name][start:end][explained] = MISSING

    side_by_side(partial(fill, start) for start in range(0, len(pairs), _PAIRS_AT_ONCE))
    return levels


def sample(settings: Settings, records: pl.DataFrame, size: int) -> NDArray[np.int64]:
    """Rows picked by what they hold, never by where they stand: those whose content has the lowest hash."""
    cheap = content_hashes(records, settings.comparisons)
    few = np.arange(len(cheap))
    if len(cheap) > size:
        few = np.flatnonzero(cheap <= np.partition(cheap, size)[size])
    few = few[np.argsort(cheap[few], kind="stable")]
    # Only records that the codes do not tell apart are told apart by all the rest of what they hold.
    again = np.diff(cheap[few], prepend=cheap[few][:1] - np.uint64(1)) == 0
    tied = np.flatnonzero(again | np.append(again[1:], False)) if len(few) else few
    if tied.size:
        few[tied] = few[tied][np.lexsort((whole_hashes(records[few[tied]]), cheap[few[tied]]))]
    return few[:size]


def whole_hashes(records: pl.DataFrame) -> NDArray[np.uint64]:
    """A number for each record from everything that was prepared of it."""
    content = [name for name in records.columns if "." in name]
    return records.select(pl.struct(content).hash(seed=1).alias("hash"))["hash"].to_numpy()


def content_hashes(records: pl.DataFrame, comparisons: tuple[Comparison, ...]) -> NDArray[np.uint64]:
    """A number for each record from the codes of what it holds for these comparisons."""
    mixed = np.zeros(records.height, dtype=np.uint64)
    for comparison in comparisons:
        if comparison.code in records.columns:
            mixed = (mixed ^ records[comparison.code].to_numpy().astype(np.uint64)) * MIXER
            mixed ^= mixed >> np.uint64(31)
    return mixed


def u_evidence(
    settings: Settings, left: pl.DataFrame, right: pl.DataFrame
) -> tuple[dict[str, Levels], dict[str, float]]:
    """Levels of pairs picked at random, and for each comparison the chance that two different records agree fully.

    left, right: a sample of either table. Full agreement is counted over pairs *within* a table, where two rows are two people; the lower count of the two tables is
    taken, so that one table's duplicates do not pass for chance.
    """
    few = [sample(settings, records, _SAMPLE) for records in (left, right)]
    rows_l, rows_r = np.repeat(few[0], len(few[1])), np.tile(few[1], len(few[0]))
    collisions = {
        comparison.name: min(_collision_rate(records[comparison.code]) for records in (left, right))
        for comparison in settings.comparisons
        if comparison.code in left.columns
    }
    return levels_of(settings.comparisons, Pairs(left, right, rows_l, rows_r)), collisions


def _collision_rate(codes: pl.Series) -> float:
    """The chance that two different rows, neither missing, have the same code; half a pair of belief where none has."""
    same, pairs = equal_pairs(codes)
    return (same + 0.5) / (pairs + 1) if pairs else 0.5


def equal_pairs(codes: pl.Series) -> tuple[float, float]:
    """Pairs of different rows with the same code, and pairs of rows that have a code at all."""
    _, counts = np.unique(codes.to_numpy()[codes.to_numpy() != 0], return_counts=True)
    rows = float(counts.sum())
    return float((counts.astype(np.float64) * (counts - 1)).sum()) / 2, rows * (rows - 1) / 2


@dataclass(frozen=True, slots=True)
class Inside:
    """The pairs of two records of one table, or of a sample of it, that rules bring together.

    side: 0 of the left table, 1 of the right one. records: how many there are of the sample. rows_l, rows_r: of each pair, among them.
    twice: the pairs (`numbers`) that were found to be one person, and are not among these.
    """

    side: int
    records: int
    rows_l: NDArray[np.int64]
    rows_r: NDArray[np.int64]
    levels: dict[str, Levels]
    twice: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def numbers(self) -> NDArray[np.int64]:
        """A number for each pair."""
        return self.rows_l * self.records + self.rows_r

    @property
    def pairs(self) -> float:
        """All pairs of two records of the sample, brought together or not."""
        return self.records * (self.records - 1) / 2

    def without(self, twice: NDArray[np.int64]) -> Inside:
        """The other pairs; these, which are one person, are as if no rule had brought them together."""
        kept = ~np.isin(self.numbers, twice)
        levels = {name: values[kept] for name, values in self.levels.items()}
        return replace(self, rows_l=self.rows_l[kept], rows_r=self.rows_r[kept], levels=levels, twice=twice)


def look_inside(settings: Settings, samples: tuple[pl.DataFrame, pl.DataFrame]) -> list[Inside]:
    """The pairs that blocking brings together inside the tables in which everybody stands once, where two records are two people.

    samples: records of either table, picked by their content.
    """
    sides = [side for side, once in enumerate(settings.has_one_record_each) if once]
    return side_by_side(
        partial(_inside, settings, side, samples[side], settings.rules, settings.largest_block) for side in sides
    )


@dataclass(frozen=True, slots=True)
class Repeated:
    """How often people stand twice in a table in which everybody was said to stand once.

    pairs: how many pairs of its records are one person, of each record. persons: how many there are, of each record; 1 where that nobody stands
    there twice explains what is seen.
    """

    pairs: float
    persons: float = 1.0

    @property
    def is_seen(self) -> bool:
        """Whether anybody is seen to stand twice."""
        return self.persons < 1

    def more(self, model: Model, records: int) -> float:
        """By how much (log2) a pair of two of the table's so many records weighs more or less than the model gives two tables' records."""
        return float(np.log2(2 * self.pairs / max(records, 1)) - model.prior_weight)


def without_repeats(
    settings: Settings, inside: list[Inside], u: dict[str, tuple[float, ...]]
) -> tuple[list[Inside], dict[int, Repeated]]:
    """The tables in which everybody stands once as was said; where there is none, or a much smaller one than the other, both without the pairs
    that are one person twice. And how often people stand twice in either table.

    One person twice agrees in all that is known, and more than chance could make them. Two people do so too (namesakes, twins whose names are
    missing), but not two of every hundred. Where more do, pairs that agree in less than all are asked too whether they are one person
    (`model.probably_twice`): taken for two people, they would say that two people look like one.
    """
    once, tables, repeated = [], [], {}
    for table in inside:
        patterns = patterns_of(settings, table.levels, len(table.rows_l))
        are = _are_repeats(settings, table, patterns, u)
        found = Repeated((are.sum() + 0.5) / (table.records + 1))
        if found.pairs <= _FEW_REPEATS:
            once.append(table)
        elif are.any():
            likely = probably_twice(settings, patterns, u, pairs=table.pairs, expected_repeats=float(are.sum()))
            are = (likely > _EVEN)[patterns.of_pair]
            persons = len(np.unique(components(table.rows_l[are], table.rows_r[are], table.records)))
            twice = float((likely * patterns.counts).sum()) / table.records
            table, found = table.without(table.numbers[are]), Repeated(max(twice, found.pairs), persons / table.records)
        tables.append(table)
        repeated[table.side] = found
    largest = max((table.records for table in inside), default=0)
    speaks = any(_AS_LARGE * table.records >= largest for table in once)
    return once if speaks else tables, repeated


_EVEN: Final = 0.5
_FEW_REPEATS: Final = 0.02
"""Pairs that look like one person twice, of all records of a table, up to which they are two people as far as anybody knows."""
_AS_LARGE: Final = 4
"""How many times as many records the other table may have where one in which everybody stands once speaks for both."""
_MOSTLY_KNOWN: Final = 0.75
"""Share of the comparisons that say something of one person twice; where little is known, two people may agree in all of it."""
_NEVER_OTHERWISE: Final = 0.999
"""A comparison that strangers show at its last level so often says nothing there (names that are not in each other's place)."""


def _are_repeats(
    settings: Settings, inside: Inside, patterns: Patterns, u: dict[str, tuple[float, ...]]
) -> NDArray[np.bool_]:
    """Which pairs look like one person twice. Before anything is known, each record has one more of its person in the mean."""
    prior = 1 / max(inside.records, 1)
    asked = patterns.vectors.copy()
    for at, comparison in enumerate(settings.comparisons):
        if comparison.is_exception:
            asked[asked[:, at] == len(comparison.labels) - 1, at] = MISSING
    alike = likeness_to_one(settings, asked, u, prior=prior) > FURTHER_RECORD * np.log(2)
    alike &= (patterns.vectors != MISSING).mean(axis=1) >= _MOSTLY_KNOWN
    for at, comparison in enumerate(settings.comparisons):
        last = len(comparison.labels) - 1
        if u[comparison.name][last] < _NEVER_OTHERWISE:
            alike &= patterns.vectors[:, at] != last
    return alike[patterns.of_pair]


def learn_inside(
    settings: Settings,
    samples: tuple[pl.DataFrame, pl.DataFrame],
    inside: list[Inside],
    u: dict[str, tuple[float, ...]],
    *,
    prior: float,
) -> tuple[Kin | None, Lookalikes]:
    """What relatives, and others who look alike, look like: from pairs inside the tables in which everybody stands once.

    inside: `look_inside` of the samples. prior: of two records of different tables being one person.
    """
    pairs = [found.pairs for found in inside]
    patterns = [patterns_of(settings, found.levels, len(found.rows_l)) for found in inside]
    if families := settings.families:
        of_tables = side_by_side(
            partial(_inside, settings, found.side, samples[found.side], families, _LARGEST_FAMILY) for found in inside
        )
        of_tables = [found.without(table.twice) for found, table in zip(of_tables, inside, strict=True)]
        levels = {c.name: np.concatenate([found.levels[c.name] for found in of_tables]) for c in settings.comparisons}
        kin: Kin | None = estimate_kin(settings, levels, pairs=sum(pairs))
    else:
        kin = estimate_household(settings, patterns, u, pairs=pairs) if settings.relatives is None else None
    weights = np.maximum(pairs, 1.0)
    known = np.average([_known(settings, samples[found.side]) ** 2 for found in inside], axis=0, weights=weights)
    return kin, estimate_lookalikes(settings, patterns, u, kin, pairs=pairs, known=tuple(known.tolist()), prior=prior)


_LARGEST_FAMILY: Final = 10_000
"""Pairs of a family's key beyond which it is no family's."""


def _inside(
    settings: Settings, side: int, records: pl.DataFrame, rules: tuple[BlockingRule, ...], largest_block: int
) -> Inside:
    """The pairs of two records of one table that the rules bring together."""
    keys = with_keys(settings, records, rules)
    found = candidates(keys, keys, rules, largest_block=largest_block, within=True)
    levels = levels_of(settings.comparisons, Pairs(records, records, found.left, found.right))
    return Inside(side, records.height, found.left, found.right, levels)


def _known(settings: Settings, records: pl.DataFrame) -> NDArray[np.float64]:
    """The share of records that have a value, by comparison."""
    with_itself = levels_of(settings.comparisons, Pairs.aligned(records, records))
    return np.array([(with_itself[c.name] != MISSING).mean() if records.height else 0.0 for c in settings.comparisons])


Rarity = Callable[[str, NDArray[np.int64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""How rare (log2) are the two values, left and right, of a comparison, by its name, of the pairs at these places."""


@dataclass(frozen=True, slots=True)
class Rarities:
    """Comparison → how rare (log2) the value of each record of either table is in both tables together; of those whose frequencies count."""

    left: dict[str, NDArray[np.float64]]
    right: dict[str, NDArray[np.float64]]

    @staticmethod
    def counted(settings: Settings, records: pl.DataFrame) -> pl.DataFrame:
        """What they are counted by of a prepared table."""
        named = [name for c in settings.comparisons if c.term_frequency for name in (c.code, *c.frequency_within)]
        return records.select(sorted(set(named)))

    @classmethod
    def of(cls, settings: Settings, left: pl.DataFrame, right: pl.DataFrame) -> Rarities:
        """Counted in two prepared tables, of which it looks at no more than `counted`."""
        counted = {c.name: rarity(*_bearers(c, left, right)) for c in settings.comparisons if c.term_frequency}
        lefts = left.height
        return cls({n: r[:lefts] for n, r in counted.items()}, {n: r[lefts:] for n, r in counted.items()})

    def of_rows(self, rows_l: NDArray[np.int64], rows_r: NDArray[np.int64]) -> Rarities:
        """Those of some of the records of either table, as they were counted in all of them."""
        return Rarities({n: r[rows_l] for n, r in self.left.items()}, {n: r[rows_r] for n, r in self.right.items()})

    def among(self, rows_l: NDArray[np.int64], rows_r: NDArray[np.int64]) -> Rarity:
        """Of pairs of these rows."""
        return lambda name, places: (self.left[name][rows_l[places]], self.right[name][rows_r[places]])

    def inside(self, side: int, rows_l: NDArray[np.int64], rows_r: NDArray[np.int64]) -> Rarity:
        """Of pairs of these rows of one table."""
        of = (self.left, self.right)[side]
        return lambda name, places: (of[name][rows_l[places]], of[name][rows_r[places]])


def _bearers(
    comparison: Comparison, left: pl.DataFrame, right: pl.DataFrame
) -> tuple[NDArray[Any], NDArray[Any] | int]:
    """For each record of both tables, one below the other, how many bear its value, and of how many."""
    within = list(comparison.frequency_within)
    both = pl.concat([records.select(comparison.code, *within) for records in (left, right)])
    value = pl.col(comparison.code)
    if not within:
        of = both[comparison.code].to_numpy()
        return both.select(pl.len().over(value)).to_series().to_numpy(), int((of != 0).sum())
    # One number for value and group: to count by two columns costs twice as much.
    counted = both.with_columns(group=pl.struct(within).hash(seed=2)).select(
        bearers=pl.len().over(value.cast(pl.UInt64) ^ pl.col("group")), of=(value != 0).sum().over("group")
    )
    return counted["bearers"].to_numpy(), counted["of"].to_numpy()


def rarity(bearers: NDArray[Any], of: NDArray[Any] | int) -> NDArray[np.float64]:
    """log2 of the chance to meet a value that so many of so many bear, in both tables together."""
    # One bearer more: the value's own two rows are no evidence of how many strangers bear it.
    return np.log2((bearers.astype(np.float64) + 1) / (np.asarray(of, dtype=np.float64) + 1))


def patterns_of(settings: Settings, levels: dict[str, Levels], pairs: int) -> Patterns:
    """The distinct level vectors of so many pairs, in the order of the settings' comparisons; one without levels is missing throughout."""
    nothing = np.full(pairs, MISSING, dtype=np.int8)
    labels = [len(c.labels) for c in settings.comparisons]
    return Patterns.of([levels.get(c.name, nothing) for c in settings.comparisons], labels)


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of pairs (log2): those that their level vectors have, and what a pair has of its own.

    prior: of every pair. by_pattern: comparison → weight of each of the patterns. own: comparison → what the rarity of its value adds to
    each pair. relatives: what kinship and other likeness of different people take away from each pair, or give back. total: the sum of it all.
    """

    patterns: Patterns
    prior: float
    by_pattern: dict[str, NDArray[np.float64]]
    own: dict[str, NDArray[np.float64]]
    relatives: NDArray[np.float64]
    total: NDArray[np.float64]

    def columns(self, places: NDArray[np.int64] | None = None) -> dict[str, NDArray[np.float64]]:
        """The parts of the weight of the pairs at these places, all by default: `prior`, every comparison, `relatives`."""
        some = slice(None) if places is None else places
        of_pair = self.patterns.of_pair[some]
        parts = {"prior": np.full(len(of_pair), self.prior)}
        for name, weights in self.by_pattern.items():
            parts[name] = weights[of_pair]
            if name in self.own:
                parts[name] += self.own[name][some]
        parts["relatives"] = self.relatives[some]
        return parts

    def levels(self, settings: Settings, places: NDArray[np.int64] | None = None) -> dict[str, Levels]:
        """The levels of the pairs at these places, all by default."""
        of_pair = self.patterns.of_pair if places is None else self.patterns.of_pair[places]
        return {c.name: self.patterns.vectors[:, at][of_pair] for at, c in enumerate(settings.comparisons)}


def weights_of(
    settings: Settings, model: Model, patterns: Patterns, rare: Rarity, *, orphaned: float = 1.0, counted: bool = False
) -> Weights:
    """The weight that each comparison, and the likeness of people who are not one (`relatives`), adds to the prior for each pair.

    patterns: of the pairs. orphaned: see `Model.relatives_weight`. counted: see `Lookalikes.excess`.
    """
    said = dict(zip((c.name for c in settings.comparisons), patterns.vectors.T, strict=True))
    heard = silence(said, settings.implied)
    by_pattern = {name: model.weights(name)[levels] for name, levels in heard.items()}
    # How much each pair looks like relatives rather than strangers.
    likeness = likeness_of(settings, model, said, heard)[patterns.of_pair]
    own: dict[str, NDArray[np.float64]] = {}
    for comparison in settings.comparisons:
        if comparison.term_frequency:
            # What agreement on *this* value adds to agreement on an average one: the average chance over the value's own. A name
            # that is rare is as rare among cousins' neighbours.
            name = comparison.name
            own[name] = np.zeros(len(patterns.of_pair))
            equal = np.flatnonzero((said[name] == 0)[patterns.of_pair])
            own[name][equal] = np.log2(model.u[name][0]) - rare(name, equal)[0]
            for level in comparison.near:
                near = np.flatnonzero((said[name] == level)[patterns.of_pair])
                own[name][near] = model.near_adjustment(name, level, np.minimum(*rare(name, near)))
            likeness += own[name]
    relatives = model.relatives_weight(likeness, orphaned=orphaned)
    heard_vectors = np.column_stack(list(heard.values()))
    relatives += model.lookalikes_weight(patterns.vectors, heard_vectors, counted=counted)[patterns.of_pair]
    shared = np.full(len(patterns.vectors), model.prior_weight)
    for weights in by_pattern.values():
        shared += weights
    total = shared[patterns.of_pair]
    for adjustment in (*own.values(), relatives):
        total += adjustment
    return Weights(patterns, model.prior_weight, by_pattern, own, relatives, total)


_STRANGE: Final = -5.0
"""Weight without a comparison below which a pair is taken for strangers, where it is asked what brings strangers near in it."""
_FEWEST_NEAR: Final = 20


Near = tuple[str, int, NDArray[np.float64]]
"""A comparison, a level, and how rare the rarer of the two values of each pair of strangers is that chance brings to it."""


def with_near(settings: Settings, model: Model, by_chance: Iterable[Near]) -> Model:
    """The model with what near agreement by chance looks like (`Model.near`)."""
    typical: dict[str, dict[int, float]] = {c.name: {} for c in settings.comparisons if c.term_frequency}
    for comparison, level, rarer in by_chance:
        if len(rarer) >= _FEWEST_NEAR:
            # Sorted first: the last bit of a sum depends on the order of what is summed, and that on the order of the rows.
            typical[comparison][level] = float(np.log2(np.sort(np.exp2(-rarer)).mean()))
    return replace(model, near=typical)


def near_by_chance(settings: Settings, model: Model, patterns: Patterns, rare: Rarity) -> Iterator[Near]:
    """What strangers show at near levels: those compared pairs that all the rest speaks against."""
    said = dict(zip((c.name for c in settings.comparisons), patterns.vectors.T, strict=True))
    heard = silence(said, settings.implied)
    for comparison in settings.comparisons:
        if not comparison.term_frequency:
            continue
        rest = np.full(len(patterns.vectors), model.prior_weight)
        for name, levels in heard.items():
            if name != comparison.name:
                rest += model.weights(name)[levels]
        for level in comparison.near:
            chosen = (said[comparison.name] == level) & (rest < _STRANGE)
            places = np.flatnonzero(chosen[patterns.of_pair])
            yield comparison.name, level, np.minimum(*rare(comparison.name, places))


def likeness_of(
    settings: Settings, model: Model, said: dict[str, Levels], heard: dict[str, Levels]
) -> NDArray[np.float64]:
    """How much level vectors look like relatives rather than strangers (log2), whatever the values."""
    total: NDArray[np.float64] = np.zeros(len(next(iter(said.values()))))
    for comparison in settings.comparisons:
        name = comparison.name
        silent = (heard[name] == MISSING) & (said[name] != MISSING)
        total += model.likeness(name)[heard[name]]
        total[silent] += model.likeness(name, silent=True)[said[name][silent]]
    return total
