"""What linking two tables and deduplicating one have in common: records prepared, pairs levelled, chance and kinship learned, and weighed.

What belongs here: everything between the records and the weight of a pair that does not know which pairs are decided on, or how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.blocking import candidates, key_hashes
from kcb_pipeline.matching.comparisons import MISSING, Comparison, Levels, Pairs
from kcb_pipeline.matching.model import Kin, Model, Patterns, estimate_kin, silence
from kcb_pipeline.matching.settings import BlockingRule, Settings, columns_named
from kcb_pipeline.threads import side_by_side

Records = pl.DataFrame | pl.LazyFrame
"""A table of persons. One that is not read yet (`pl.scan_parquet`) is read piece by piece, and never held whole."""


_ROWS_AT_ONCE: Final = 1 << 18


def prepare(records: Records, settings: Settings) -> pl.DataFrame:
    """What the comparisons need of each record, and the columns that blocking, keys and frequencies name; nothing else is kept."""
    there = records.collect_schema().names()
    named = [name for name in settings.columns if name in there]
    wanted = records.select(columns_wanted(settings, there))
    batches: Iterator[pl.DataFrame]
    if isinstance(wanted, pl.LazyFrame):
        batches = iter(wanted.collect_batches(chunk_size=_ROWS_AT_ONCE, maintain_order=True))
    else:
        batches = wanted.iter_slices(_ROWS_AT_ONCE)
    prepared = []
    for batch in batches:
        columns = [column for comparison in settings.comparisons for column in comparison.prepare(batch)]
        prepared.append(pl.DataFrame([*batch.select(named).get_columns(), *columns]))
    if not prepared:
        empty = wanted.lazy().collect().clear()
        columns = [column for comparison in settings.comparisons for column in comparison.prepare(empty)]
        prepared.append(pl.DataFrame([*empty.select(named).get_columns(), *columns]))
    return _in_one_piece(prepared)


def _in_one_piece(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """The tables one below the other, each column in one piece; no more than one column is held twice at any time."""
    columns = [table.get_columns()[::-1] for table in tables]
    tables.clear()
    whole = []
    while columns[0]:
        whole.append(pl.concat([rest.pop() for rest in columns], rechunk=True))
    return pl.DataFrame(whole)


def columns_wanted(settings: Settings, there: list[str]) -> list[str]:
    """Those of a table's columns that `prepare` looks at."""
    read = {name for comparison in settings.comparisons for name in comparison.reads}
    return sorted({*settings.columns, *read} & set(there))


def blocking_keys(settings: Settings, records: pl.DataFrame, of: tuple[BlockingRule, ...]) -> list[pl.Series]:
    """The blocking keys of the comparisons that the rules name."""
    named = columns_named(of)
    wanted = [
        c for c in settings.comparisons if any(n.startswith(f"{c.name}.") and n not in records.columns for n in named)
    ]
    return [key for comparison in wanted for key in comparison.keys(records)]


_SAMPLE: Final = 800
"""Records of each side whose pairs estimate u: 640,000 pairs show a level of one in a million about as often as not."""


_PAIRS_AT_ONCE: Final = 1 << 18
"""What is gathered for a quarter of a million pairs stays small beside the tables themselves."""


def levels_of(settings: Settings, pairs: Pairs) -> dict[str, Levels]:
    """The level of every comparison for every pair."""
    levels = {c.name: np.empty(len(pairs), dtype=np.int8) for c in settings.comparisons}

    def fill(start: int) -> None:
        end = min(start + _PAIRS_AT_ONCE, len(pairs))
        block = Pairs(pairs.left, pairs.right, pairs.rows_l[start:end], pairs.rows_r[start:end])
        for comparison in settings.comparisons:
            levels[comparison.name][start:end] = comparison.levels(block)

    side_by_side(partial(fill, start) for start in range(0, len(pairs), _PAIRS_AT_ONCE))
    return levels


def sample(records: pl.DataFrame, size: int) -> NDArray[np.int64]:
    """Rows picked by what they hold, never by where they stand: those whose content has the lowest hash."""
    cheap = content_hashes(records)
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


def content_hashes(records: pl.DataFrame) -> NDArray[np.uint64]:
    """A number for each record from the codes of what it holds."""
    mixed = np.zeros(records.height, dtype=np.uint64)
    for name in records.columns:
        if name.endswith(".code"):
            mixed = (mixed ^ records[name].to_numpy().astype(np.uint64)) * _MIXER
            mixed ^= mixed >> np.uint64(31)
    return mixed


_MIXER: Final = np.uint64(0x9E3779B97F4A7C15)
CHANCE_SAMPLE: Final = 100_000
"""Rows whose pairs show how often two people agree fully: 5·10⁹ pairs."""


def u_evidence(
    settings: Settings, left: pl.DataFrame, right: pl.DataFrame
) -> tuple[dict[str, Levels], dict[str, float]]:
    """Levels of pairs picked at random, and for each comparison the chance that two different records agree fully.

    Full agreement is counted over pairs *within* a table, where two rows are two people; the lower count of the two tables is
    taken, so that one table's duplicates do not pass for chance.
    """
    picked = side_by_side(partial(sample, records, CHANCE_SAMPLE) for records in (left, right))
    few = [rows[:_SAMPLE] for rows in picked]
    rows_l, rows_r = np.repeat(few[0], len(few[1])), np.tile(few[1], len(few[0]))
    collisions: dict[str, float] = {}
    for comparison in settings.comparisons:
        if comparison.code in left.columns:
            collisions[comparison.name] = min(
                _collision_rate(records[comparison.code].gather(rows))
                for records, rows in zip((left, right), picked, strict=True)
            )
    return levels_of(settings, Pairs(left, right, rows_l, rows_r)), collisions


def _collision_rate(codes: pl.Series) -> float:
    """The chance that two different rows, neither missing, have the same code; half a pair of belief where none has."""
    same, pairs = equal_pairs(codes)
    return (same + 0.5) / (pairs + 1) if pairs else 0.5


def equal_pairs(codes: pl.Series) -> tuple[float, float]:
    """Pairs of different rows with the same code, and pairs of rows that have a code at all."""
    _, counts = np.unique(codes.to_numpy()[codes.to_numpy() != 0], return_counts=True)
    rows = float(counts.sum())
    return float((counts.astype(np.float64) * (counts - 1)).sum()) / 2, rows * (rows - 1) / 2


_KIN_SAMPLE: Final = 50_000
"""Records whose families are looked at: as many pairs of brothers and sisters, more or less."""


def kin_of(settings: Settings, left: pl.DataFrame, expected: float) -> Kin:
    """What relatives look like, from pairs of one family inside the left table, where two rows are two people."""
    keyed = left.with_columns(blocking_keys(settings, left, of=settings.relatives))
    limit = families_to_look_at(left.height)
    chosen = np.zeros(left.height, dtype=bool)
    pairs = 0.0
    for rule in settings.relatives:
        rows, hashes = key_hashes(keyed, rule.left)
        looked_at = hashes <= limit
        _, members = np.unique(hashes[looked_at], return_counts=True)
        pairs += float((members * (members - 1) // 2).sum())
        chosen[rows[looked_at]] = True
    few = keyed.filter(pl.Series(chosen))
    return kin_in(settings, few, pairs=pairs / share_looked_at(left.height), share_met=expected / max(left.height, 1))


def share_looked_at(records: int) -> float:
    """The share of the families of a table of so many records that is looked at."""
    return min(1.0, _KIN_SAMPLE / max(records, 1))


def families_to_look_at(records: int) -> np.uint64:
    """The greatest hash of a family that is looked at, in a table of so many records.

    Families are picked by the hash of what their members share, so that the sample does not depend on the order of rows.
    """
    return np.uint64(min(share_looked_at(records) * 2.0**64, 2.0**64 - 2**12))


def kin_in(settings: Settings, keyed: pl.DataFrame, *, pairs: float, share_met: float) -> Kin:
    """What relatives look like in these families (records prepared, with the keys that the rules of `relatives` name).

    pairs: of all families, by any rule. share_met: how many of the left records are expected to have a record on the right.
    """
    found = candidates(keyed, keyed, settings.relatives, largest_block=10_000, within=True)
    levels = levels_of(settings, Pairs(keyed, keyed, found.left, found.right))
    by_rule = float(found.report["pairs"].sum())  # a family found by two rules is one family
    met = 2 * pairs * (len(found.left) / max(by_rule, 1.0)) * share_met
    return estimate_kin(settings, levels, pairs=met)


Rarity = Callable[[Comparison, NDArray[np.int64]], NDArray[np.float64]]
"""How rare (log2) is the value of a comparison that the pairs at these places agree on."""


def rarity_in(settings: Settings, pairs: Pairs) -> Rarity:
    """How rare the values of pairs are in the two tables that they are of."""
    own: dict[str, NDArray[np.float64]] = {}
    for comparison in settings.comparisons:
        if comparison.term_frequency:
            bearers, of = _bearers(comparison, pairs)
            own[comparison.name] = rarity(bearers, of)
    return lambda comparison, places: own[comparison.name][pairs.rows_l[places]]


def _bearers(comparison: Comparison, pairs: Pairs) -> tuple[NDArray[Any], NDArray[Any] | int]:
    """For each left record how many records of both tables bear its value, and of how many."""
    within = list(comparison.frequency_within)
    both = pl.concat([records.select(comparison.code, *within) for records in (pairs.left, pairs.right)])
    value = pl.col(comparison.code)
    if not within:
        of = both[comparison.code].to_numpy()
        bearers = both.select(pl.len().over(value)).head(pairs.left.height).to_series()
        return bearers.to_numpy(), int((of != 0).sum())
    # One number for value and group: to count by two columns costs twice as much.
    counted = both.with_columns(group=pl.struct(within).hash(seed=2)).select(
        bearers=pl.len().over(value.cast(pl.UInt64) ^ pl.col("group")), of=(value != 0).sum().over("group")
    )
    few = counted.head(pairs.left.height)
    return few["bearers"].to_numpy(), few["of"].to_numpy()


def rarity(bearers: NDArray[Any], of: NDArray[Any] | int) -> NDArray[np.float64]:
    """log2 of the chance to meet a value that so many of so many bear, in both tables together."""
    # One bearer more: the value's own two rows are no evidence of how many strangers bear it.
    return np.log2((bearers.astype(np.float64) + 1) / (np.asarray(of, dtype=np.float64) + 1))


def patterns_of(settings: Settings, levels: dict[str, Levels]) -> Patterns:
    """The distinct level vectors of pairs, in the order of the settings' comparisons."""
    return Patterns.of([levels[c.name] for c in settings.comparisons], [len(c.labels) for c in settings.comparisons])


def weigh(
    settings: Settings, model: Model, pairs: Pairs, patterns: Patterns, *, orphaned: float = 1.0
) -> dict[str, NDArray[np.float64]]:
    """The weight that each comparison, and kinship (`relatives`), adds to the prior for each pair; log2."""
    return weights_of(settings, model, patterns, rarity_in(settings, pairs), orphaned=orphaned)


def weights_of(
    settings: Settings, model: Model, patterns: Patterns, own: Rarity, *, orphaned: float = 1.0
) -> dict[str, NDArray[np.float64]]:
    """As `weigh`, from the levels alone and how rare are the values that pairs agree on."""
    said = dict(zip((c.name for c in settings.comparisons), patterns.vectors.T, strict=True))
    heard = silence(said, settings.implied)
    weights: dict[str, NDArray[np.float64]] = {}
    # How much each pair looks like relatives rather than strangers (log2).
    likeness: NDArray[np.float64] = likeness_of(settings, model, said, heard)[patterns.of_pair]
    for comparison in settings.comparisons:
        name = comparison.name
        weights[name] = model.weights(name)[heard[name]][patterns.of_pair]
        if comparison.term_frequency:
            # What agreement on *this* value adds to agreement on an average one: the average chance over the value's own. A name
            # that is rare is as rare among cousins' neighbours.
            equal = np.flatnonzero((said[name] == 0)[patterns.of_pair])
            adjustment = np.log2(model.u[name][0]) - own(comparison, equal)
            weights[name][equal] += adjustment
            likeness[equal] += adjustment
    weights["relatives"] = model.relatives_weight(likeness, orphaned=orphaned)
    return weights


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


def total_of(model: Model, weights: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The whole weight of each pair: the prior, and what everything adds to it, in one order."""
    total: NDArray[np.float64] = np.full(len(next(iter(weights.values()))), model.prior_weight)
    for weight in weights.values():
        total += weight
    return total
