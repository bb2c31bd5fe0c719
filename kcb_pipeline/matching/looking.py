"""Which records are looked at whole: those that no key settled, and a sample of the others.

A key settles most people by a few columns. The others are compared in every respect, and so is a sample of the settled ones: from it the
model learns what chance, relatives and matches look like, and the calibration what false links would.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.blocking import key_hashes
from kcb_pipeline.matching.comparisons import Comparison
from kcb_pipeline.matching.settings import Settings
from kcb_pipeline.matching.settling import Settled, looked_at
from kcb_pipeline.matching.weighing import Rarities, Records, content_hashes, prepare, prepared_pieces, with_keys
from kcb_pipeline.threads import pipelined, side_by_side

_LEAST_SAMPLE: Final = 100_000


def sample_size(records: int) -> int:
    """How many of so many records are sampled: pairs of relatives in a sample rise with its square, so its root keeps them as many."""
    return min(records, max(_LEAST_SAMPLE, int(100 * records**0.5)))


def sample_limit(hashes: NDArray[np.uint64]) -> np.uint64:
    """The greatest content hash of a sampled record: records are picked by what they hold, never by where they stand."""
    size = sample_size(len(hashes))
    return np.uint64(2**64 - 1) if size == len(hashes) else np.uint64(np.partition(hashes, size)[size])


@dataclass(frozen=True, slots=True)
class Side:
    """The records of one table that are looked at whole.

    records: prepared for every comparison. rows: their rows in the whole table, rising; None where that is all of them.
    is_settled, is_sampled: of each, whether something settled it, and whether it is of the sample.
    height: records of the whole table. sampled: how many of them are sampled.
    """

    records: pl.DataFrame
    rows: NDArray[np.int64] | None
    is_settled: NDArray[np.bool_]
    is_sampled: NDArray[np.bool_]
    height: int

    @property
    def sample(self) -> pl.DataFrame:
        """The records of the sample."""
        return self.records if self.is_sampled.all() else self.records.filter(pl.Series(self.is_sampled))

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where rows of the whole table are among these records."""
        return rows if self.rows is None else np.searchsorted(self.rows, rows)

    def whole_rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows in the whole table of these records."""
        return places if self.rows is None else self.rows[places]


@dataclass(frozen=True, slots=True)
class Looked:
    """Both tables as far as they are looked at whole.

    witnesses: the settled pairs (their places) whose every comparison can be told, from which the model learns for all of them.
    """

    left: Side
    right: Side
    witnesses: NDArray[np.int64]


def in_two_looks(settings: Settings) -> bool:
    """Whether what a key settles is looked at no further; many-to-one, the person of a settled pair may have more records."""
    return bool(settings.keys) and settings.policy == "one-to-one" and not settings.weigh_settled


def first_compared(settings: Settings) -> tuple[Comparison, ...]:
    """The comparisons of the first look, by which settled pairs are weighed."""
    return looked_at(settings) if in_two_looks(settings) else settings.comparisons


def first_look(tables: tuple[Records, Records], settings: Settings) -> list[pl.DataFrame]:
    """All records of both tables, prepared for what keys look at (not `in_two_looks`: for everything)."""
    of, columns = first_compared(settings), settings.key_columns if in_two_looks(settings) else settings.columns
    return side_by_side(partial(prepare, records, settings, of=of, columns=columns) for records in tables)


def look_whole(
    tables: tuple[Records, Records], seen: list[pl.DataFrame], settings: Settings, settled: Settled
) -> Looked:
    """What is looked at whole of the tables, after a first look (`seen`) and what keys and people have settled.

    seen: is emptied. What is not looked at further is a large part of memory, and let go of before more is read.
    """
    is_settled, is_sampled = [], []
    for records, rows in zip(seen, (settled.left, settled.right), strict=True):
        is_settled.append(np.zeros(records.height, dtype=bool))
        is_settled[-1][rows] = True
        hashes = content_hashes(records, first_compared(settings))
        is_sampled.append(hashes <= sample_limit(hashes))
    if not in_two_looks(settings):
        whole = [
            Side(records, None, of_settled, of_sample, records.height)
            for records, of_settled, of_sample in zip(seen, is_settled, is_sampled, strict=True)
        ]
        seen.clear()
        return Looked(whole[0], whole[1], np.arange(len(settled)))
    # What people have decided is few, and a person looks at the whole of it again.
    witnesses = np.flatnonzero(is_sampled[0][settled.left] | settled.by_people)
    chosen = [~of_settled | of_sample for of_settled, of_sample in zip(is_settled, is_sampled, strict=True)]
    chosen[0][settled.left[witnesses]] = True
    chosen[1][settled.right[witnesses]] = True
    chosen_rows = [np.flatnonzero(wanted) for wanted in chosen]
    firsts = [first[some] for first, some in zip(seen, chosen_rows, strict=True)]
    seen.clear()
    looked = side_by_side(
        partial(_second_look, *side, settings) for side in zip(tables, firsts, chosen_rows, strict=True)
    )
    sides = [
        Side(both, some, of_settled[some], of_sample[some], len(of_settled))
        for both, some, of_settled, of_sample in zip(looked, chosen_rows, is_settled, is_sampled, strict=True)
    ]
    return Looked(sides[0], sides[1], witnesses)


def _second_look(records: Records, first: pl.DataFrame, rows: NDArray[np.int64], settings: Settings) -> pl.DataFrame:
    """Some of the records, which a first look has seen, prepared for the comparisons too that it left out."""
    known = looked_at(settings)
    rest = prepare(records, settings, of=tuple(c for c in settings.comparisons if c not in known), rows=rows)
    return pl.DataFrame([*first.get_columns(), *(c for c in rest.get_columns() if c.name not in first.columns)])


def within_reach(
    records: Records, few: Records, settings: Settings, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Rarities]:
    """Which of the left records at `rows` (rising; places among them) share a blocking key with one of a few right ones, and how rare the values
    of all of them are.

    With no other would the few be compared: where a table meets a small one, hardly any of it need be looked at whole. It is read piece by
    piece, and nothing is held but what values are counted by.
    """
    right = prepare(few, settings)
    keys = with_keys(settings, right, settings.rules)

    def look(piece: pl.DataFrame) -> tuple[NDArray[np.bool_], pl.DataFrame]:
        return _reaching(settings, keys, piece), Rarities.counted(settings, piece)

    reaching, counted = zip(
        *pipelined(partial(look, piece) for piece in prepared_pieces(records, settings, rows=rows)), strict=True
    )
    rare = Rarities.of(settings, pl.concat(counted), Rarities.counted(settings, right))
    return np.flatnonzero(np.concatenate(reaching)), rare


def _reaching(settings: Settings, few: pl.DataFrame, piece: pl.DataFrame) -> NDArray[np.bool_]:
    """Whether each record of a piece shares a key with one of the few, of which `few` holds what the rules look at."""
    reaching = np.zeros(piece.height, dtype=bool)
    keys = with_keys(settings, piece, settings.rules)
    for rule in settings.rules:
        _, wanted = key_hashes(few, rule.right, other=(keys, rule.left))
        rows, hashes = key_hashes(keys, rule.left, other=(few, rule.right))
        # Most records meet nobody in a bucket, let alone under a key.
        is_wanted = np.zeros(_BUCKETS, dtype=bool)
        is_wanted[wanted & np.uint64(_BUCKETS - 1)] = True
        near = np.flatnonzero(is_wanted[hashes & np.uint64(_BUCKETS - 1)])
        reaching[rows[near[np.isin(hashes[near], wanted)]]] = True
    return reaching


_BUCKETS: Final = 1 << 22
