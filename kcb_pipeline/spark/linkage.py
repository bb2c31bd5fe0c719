"""`link` on the cluster: the same settings, comparisons, model and decisions as `kcb_pipeline.matching.linkage`.

What is here is only how records reach their kernels and pairs their records: joins and groupings on integers, by Spark. On the driver are
EM (over distinct level vectors), what strangers and relatives look like (from samples), and the assignment of the pairs that no key settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from kcb_pipeline.matching.blocking import REPORT, key_hashes
from kcb_pipeline.matching.calibration import odds
from kcb_pipeline.matching.comparisons import MISSING, Comparison, Pairs
from kcb_pipeline.matching.deciding import (
    DECISIONS,
    LINKED,
    REASON_KEY,
    REASON_REVIEWED,
    REASONS,
    Decisions,
    ToDecide,
    decide,
    estimated_quality,
)
from kcb_pipeline.matching.linkage import PROBABILISTIC, expected_matches, orphaned_share, second_selves
from kcb_pipeline.matching.looking import first_compared, in_two_looks, sample_size
from kcb_pipeline.matching.model import Model, Patterns, contradicted, estimate_m, estimate_u
from kcb_pipeline.matching.quality import Quality
from kcb_pipeline.matching.repeated import Persons
from kcb_pipeline.matching.settings import KeyRule, Settings
from kcb_pipeline.matching.settling import REVIEWED, decided_by_people, settling_methods
from kcb_pipeline.matching.weighing import (
    Inside,
    Rarity,
    Weights,
    blocking_keys,
    columns_wanted,
    content_hashes,
    learn_inside,
    levels_of,
    look_inside,
    near_by_chance,
    patterns_of,
    prepare,
    rarity,
    u_evidence,
    weights_of,
    with_near,
    without_repeats,
)
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.spark.kernels import apply, in_order, polars_schema
from kcb_pipeline.spark.scratch import Scratch, fetched

ROW: Final = "__row"
"""The column that names a record: any integer, rising in the order that `link` would have the records in."""
_HASH: Final = "__hash"
"""The column with the hash of what a record holds, by which samples are drawn."""


@dataclass(frozen=True, slots=True)
class Table:
    """A prepared table: its rows on the cluster, the types of what was prepared, how many there are."""

    frame: DataFrame
    schema: pl.Schema
    height: int

    def only(self, rows: DataFrame, how: Literal["semi", "anti"], name: str, scratch: Scratch) -> Table:
        """The records whose rows are (`semi`), or are not (`anti`), in the column `ROW` of `rows`."""
        frame = scratch.keep(name, self.frame.join(rows, ROW, f"left_{how}"))
        return Table(frame, self.schema, scratch.rows(name))


@dataclass(frozen=True, slots=True)
class Linked:
    """What `link` found: `links` as `LinkResult.links`, but `left_row` and `right_row` are the records' `ROW`, and in no order.

    settled, compared: how many pairs keys settled, and how many were weighed on the driver.
    """

    links: DataFrame
    model: Model
    blocking: pl.DataFrame
    quality: Quality
    settled: int
    compared: int


# -- kernels -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Prepare:
    """Records → what the comparisons need, and the hash that samples are drawn by."""

    settings: Settings

    def __call__(self, records: pl.DataFrame) -> pl.DataFrame:
        table = prepare(records.drop(ROW), self.settings)
        hashes = content_hashes(table, first_compared(self.settings))
        return table.with_columns(records[ROW], pl.Series(_HASH, in_order(hashes)))


@dataclass(frozen=True)
class _Plausible:
    """Pairs that a key brings together → those that nothing of the rule's comparisons speaks against."""

    settings: Settings
    rule: KeyRule

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
        both = Pairs.aligned(_side(pairs, "l"), _side(pairs, "r"))
        plausible = np.ones(pairs.height, dtype=bool)
        for name, last in self.rule.plausible:
            plausible &= self.settings.comparison(name).levels(both) <= last
        return pairs.select("left_row", "right_row").filter(pl.Series(plausible))


@dataclass(frozen=True)
class _BlockingKeys:
    """Prepared records → one row a record and blocking rule whose keys it has all of: `ROW`, `rule`, `key`."""

    settings: Settings
    is_left: bool
    other: pl.DataFrame

    def __call__(self, table: pl.DataFrame) -> pl.DataFrame:
        keyed, other = (
            records.with_columns(blocking_keys(self.settings, records, of=self.settings.rules))
            for records in (table, self.other)
        )
        found = []
        for number, rule in enumerate(self.settings.rules):
            mine, theirs = (rule.left, rule.right) if self.is_left else (rule.right, rule.left)
            rows, hashes = key_hashes(keyed, mine, other=(other, theirs))
            found.append(
                pl.DataFrame({ROW: table[ROW].gather(rows), "rule": number, "key": in_order(hashes)}, schema=_KEYS)
            )
        return pl.concat(found)


_KEYS: Final = pl.Schema({ROW: pl.Int64, "rule": pl.Int32, "key": pl.Int64})


@dataclass(frozen=True)
class _Levels:
    """Pairs with their records → the level of every comparison; those not among `comparisons` are missing."""

    settings: Settings
    comparisons: tuple[Comparison, ...]

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
        levels = levels_of(self.comparisons, Pairs.aligned(_side(pairs, "l"), _side(pairs, "r")))
        kept = pairs.select(name for name in pairs.columns if ":" not in name)
        return kept.with_columns(
            pl.Series(f"level_{c.name}", levels[c.name])
            if c.name in levels
            else pl.lit(MISSING, dtype=pl.Int8).alias(f"level_{c.name}")
            for c in self.settings.comparisons
        )


def _patterns_in(settings: Settings, pairs: pl.DataFrame) -> Patterns:
    levels = {c.name: pairs[f"level_{c.name}"].to_numpy() for c in settings.comparisons}
    return patterns_of(settings, levels, pairs.height)


def _rarity_in(pairs: pl.DataFrame) -> Rarity:
    """How rare the values are of pairs that carry how many bear them."""

    def rare(name: str, places: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        of_l, of_r = (
            rarity(*(pairs[f"{part}_{side}_{name}"].to_numpy()[places] for part in ("bearers", "of")))
            for side in ("l", "r")
        )
        return of_l, of_r

    return rare


@dataclass(frozen=True)
class _NearByChance:
    """Levels → the pairs of strangers whose values are near each other, with how rare the rarer of the two is (`near_by_chance`)."""

    settings: Settings
    model: Model

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
        found = near_by_chance(self.settings, self.model, _patterns_in(self.settings, pairs), _rarity_in(pairs))
        return pl.concat(
            pl.DataFrame({"comparison": name, "level": level, "rarer": rarer}, schema=_NEAR)
            for name, level, rarer in [("", 0, np.empty(0)), *found]
        )


_NEAR: Final = pl.Schema({"comparison": pl.String, "level": pl.Int32, "rarer": pl.Float64})


@dataclass(frozen=True)
class _Weigh:
    """Levels → the whole weight, and what makes it up."""

    settings: Settings
    model: Model
    orphaned: float

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
        weights = self.weights(pairs)
        against = contradicted(self.settings, weights.patterns.vectors)[weights.patterns.of_pair]
        return pairs.with_columns(pl.Series("total", weights.total), pl.Series("contradicted", against))

    def weights(self, pairs: pl.DataFrame) -> Weights:
        return weights_of(
            self.settings, self.model, _patterns_in(self.settings, pairs), _rarity_in(pairs), orphaned=self.orphaned
        )


@dataclass(frozen=True)
class _Links:
    """Levels and decisions → rows of `LinkResult.links`; a pair without a decision is one that was settled."""

    weigh: _Weigh
    methods: tuple[str, ...]

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
        weights = self.weigh.weights(pairs)
        total = weights.total
        method = pl.Series("method", self.methods, dtype=pl.String).gather(pairs["method"])
        settled = pl.DataFrame(
            {"reason": [REASON_REVIEWED if name == REVIEWED else REASON_KEY for name in self.methods]}
        )["reason"].gather(pairs["method"])
        return pairs.select(
            "left_row",
            "right_row",
            pl.col("decision").fill_null(LINKED),
            method,
            pl.col("reason").fill_null(settled),
            pl.Series("match_weight", total),
            pl.col("probability").fill_null(pl.Series(odds(total))),
            pl.col("gap").fill_null(pl.Series(total)).alias("runner_up_gap"),
            *(pl.Series(f"w_{name}", weight) for name, weight in weights.columns().items()),
            *(f"level_{name}" for name in (c.name for c in self.weigh.settings.comparisons)),
        )


def _side(pairs: pl.DataFrame, side: str) -> pl.DataFrame:
    return pl.DataFrame({name[2:]: pairs[name] for name in pairs.columns if name.startswith(f"{side}:")})


def _columns(schema: pl.Schema, of: tuple[Comparison, ...]) -> list[str]:
    """What was prepared for these comparisons."""
    return [name for name in schema if any(name.startswith(f"{comparison.name}.") for comparison in of)]


def _called(side: str, names: list[str]) -> list[str]:
    """Columns of one side, under names that a pair can have of both."""
    return [f"`{name}` AS `{side}:{name}`" for name in names]


def _schema_of(*parts: tuple[str, pl.Schema, list[str]], extra: dict[str, pl.DataType]) -> pl.Schema:
    named = {f"{side}:{name}": schema[name] for side, schema, names in parts for name in names}
    return pl.Schema({**extra, **named})


# -- the steps -----------------------------------------------------------------------------------------------------


def prepared(scratch: Scratch, name: str, records: DataFrame, settings: Settings) -> Table:
    """Every record prepared once. records: `ROW` and the columns that `link` wants."""
    wanted = columns_wanted(settings, records.columns)
    reads = pl.Schema({n: t for n, t in polars_schema(records.schema).items() if n == ROW or n in wanted})
    kernel = _Prepare(settings)
    schema = kernel(pl.DataFrame(schema=reads)).schema
    frame = scratch.keep(name, apply(records, kernel, reads, schema))
    return Table(frame, schema, scratch.rows(name))


def link(
    scratch: Scratch,
    left: Table,
    right: Table,
    settings: Settings,
    *,
    name: str,
    reviewed: pl.DataFrame | None = None,
    model: Model | None = None,
    progress: Progress = SILENT,
) -> Linked:
    """Find the pairs of a left and a right record that are one person; the result is that of `matching.linkage.link`, but that nobody is looked for
    who stands twice in a table in which everybody is said to stand once (`matching.repeated`): registers are linked with `repeats`.

    reviewed: `left_row`, `right_row` (the records' `ROW`), `is_match`. name: what its working tables begin with.
    """
    return _Linkage(scratch, left, right, settings, name, reviewed, progress).run(model)


@dataclass(frozen=True, slots=True)
class _Linkage:
    scratch: Scratch
    left: Table
    right: Table
    settings: Settings
    name: str
    reviewed: pl.DataFrame | None
    progress: Progress

    def run(self, model: Model | None) -> Linked:
        settings = self.settings
        settled = self._settled()
        count = self.scratch.rows(f"{self.name}-settled")
        self.progress.update("settle by key", 1, 5, rows=count)
        raw, report = self._candidates(settled, count)
        self.progress.update("block", 2, 5, rows=int(report["new_pairs"].sum()))
        compared = self._compared(settled, raw)
        self.progress.update("compare", 3, 5, rows=self.scratch.rows(f"{self.name}-compared"))
        if model is None:
            expected = expected_matches(settings, count, self.left.height, self.right.height)
            model = self._learned(compared, settled, count, expected)
        self.progress.update("estimate", 4, 5)
        weigh = _Weigh(settings, model, orphaned_share(settings, model, self.left.height, self.right.height))
        strangers = self._second_selves(weigh)
        kept, quality, weighed = self._decided(compared, weigh, self._with_their_own(settled), count, strangers)
        links = self._links(compared, weigh, kept)
        self.progress.update("decide", 5, 5, rows=kept.height)
        return Linked(links, model, report, quality, count, weighed)

    # Keys. A record settled once is out of the reach of the next rule (many-to-one, a right one).

    def _settled(self) -> DataFrame:
        """`left_row`, `right_row`, `method` (place in `settling_methods`) of the pairs that a person or a key settles."""
        methods = settling_methods(self.settings)
        one_to_one = self.settings.policy == "one-to-one"
        given = pl.DataFrame(schema=_SETTLED)
        if self.reviewed is not None:
            by_people = decided_by_people(self.reviewed, one_to_one=one_to_one)
            given = by_people.select("left_row", "right_row", method=pl.lit(methods.index(REVIEWED), dtype=pl.Int32))
        settled = self.scratch.give(f"{self.name}-reviewed", given)
        for number, rule in enumerate(self.settings.keys):
            found = self._by_key(rule)
            if one_to_one:
                found = found.join(settled, "left_row", "left_anti")
            found = found.join(settled, "right_row", "left_anti")
            parts = tuple(self.settings.comparison(name) for name, _ in rule.plausible)
            names = [_columns(table.schema, parts) for table in (self.left, self.right)]
            reads = _schema_of(("l", self.left.schema, names[0]), ("r", self.right.schema, names[1]), extra=_PAIR)
            plausible = self._without_refused(apply(found, _Plausible(self.settings, rule), reads, pl.Schema(_PAIR)))
            kept = self.scratch.keep(
                f"{self.name}-key{number}",
                plausible.select("left_row", "right_row", sf.lit(methods.index(rule.name)).alias("method")),
            )
            settled = settled.unionByName(kept)
        return self.scratch.keep(f"{self.name}-settled", settled)

    def _by_key(self, rule: KeyRule) -> DataFrame:
        """The pairs of a key that both tables have once, with what the rule's comparisons look at."""
        parts = tuple(self.settings.comparison(name) for name, _ in rule.plausible)
        sides = []
        for side, table, key in (("l", self.left, rule.left), ("r", self.right, rule.right)):
            columns = _called(side, _columns(table.schema, parts))
            row = f"`{ROW}` AS {'left_row' if side == 'l' else 'right_row'}"
            sides.append(table.frame.where(f"`{key}` IS NOT NULL").selectExpr(f"`{key}` AS key", row, *columns))
        joined = sides[0].join(sides[1], "key")
        values = [f"first(`{name}`) AS `{name}`" for name in joined.columns if name != "key"]  # of one row
        return joined.groupBy("key").agg(sf.count("*").alias("members"), *map(sf.expr, values)).where("members = 1")

    def _without_refused(self, pairs: DataFrame) -> DataFrame:
        """The pairs without those that a person has said are two people."""
        refused = None if self.reviewed is None else self.reviewed.filter(~pl.col("is_match"))
        if refused is None or refused.is_empty():
            return pairs
        others = self.scratch.give(f"{self.name}-refused", refused.select("left_row", "right_row"))
        return pairs.join(sf.broadcast(others), ["left_row", "right_row"], "left_anti")

    # The sample, picked by what records hold.

    def _sampled(self, table: Table) -> DataFrame:
        """The rows of the sample of a table (`looking.sample_limit`)."""
        size = sample_size(table.height)
        rows = table.frame.select(ROW, _HASH)
        if size == table.height:
            return rows
        [(limit,)] = rows.orderBy(_HASH).limit(size + 1).agg(sf.max(_HASH)).collect()
        return rows.where(f"{_HASH} <= {limit}")

    def _sample(self, table: Table) -> pl.DataFrame:
        """The records of the sample, here."""
        few = table.frame.join(self._sampled(table).select(ROW), ROW, "left_semi")
        return fetched(few, table.schema).sort(ROW).select(_content(table.schema))

    def _with_their_own(self, settled: DataFrame) -> NDArray[np.int64]:
        """The left rows among those compared that have found theirs by a key or a person (`ToDecide.settled_left`)."""
        rows = settled.selectExpr(f"left_row AS {ROW}")
        if self.settings.policy == "one-to-one":
            rows = rows.join(self._sampled(self.left), ROW, "left_semi")
        return np.sort(fetched(rows, pl.Schema({ROW: pl.Int64}))[ROW].to_numpy())

    def _second_selves(self, weigh: _Weigh) -> tuple[NDArray[np.float64], float]:
        """The best pairs that sampled records make inside their own table (`linkage.second_selves`), on the driver."""
        if self.settings.policy != "one-to-one":
            return np.empty(0), 0.0
        tables = self.left, self.right
        samples = self._sample(self.left), self._sample(self.right)
        inside, _ = without_repeats(self.settings, look_inside(self.settings, samples), weigh.model.u)
        rarities = [self._rarity_inside(tables[found.side], found) for found in inside]
        return second_selves(self.settings, weigh.model, inside, rarities, orphaned=weigh.orphaned)

    def _rarity_inside(self, table: Table, found: Inside) -> Rarity:
        """How rare the values are of pairs of two records of the sample of a table."""
        counted = self._sampled(table).selectExpr(f"`{ROW}` AS left_row")
        schema: dict[str, pl.DataType] = {"left_row": pl.Int64()}
        for comparison in self.settings.comparisons:
            if comparison.term_frequency:
                bearers = self._bearers(comparison, table, "l")
                counted = counted.join(bearers, "left_row", "left")
                schema |= {f"{part}_l_{comparison.name}": pl.Int64() for part in ("bearers", "of")}
        of_record = fetched(counted, pl.Schema(schema)).sort("left_row").fill_null(0)

        def rare(name: str, places: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            bearers, of = (of_record[f"{part}_l_{name}"].to_numpy() for part in ("bearers", "of"))
            first, second = (rarity(bearers[rows[places]], of[rows[places]]) for rows in (found.rows_l, found.rows_r))
            return first, second

        return rare

    # Blocking.

    def _candidates(self, settled: DataFrame, count: int) -> tuple[DataFrame, pl.DataFrame]:
        """`left_row`, `right_row`, `rules` of the pairs that blocking gives, and its report."""
        lefts, rights = self.left.frame, self.right.frame
        if self.settings.policy == "one-to-one" and count:
            gone = settled.selectExpr(f"left_row AS {ROW}").join(self._sampled(self.left), ROW, "left_anti")
            lefts = lefts.join(gone, ROW, "left_anti")
        if count:
            rights = rights.join(settled.selectExpr(f"right_row AS {ROW}"), ROW, "left_anti")
        keys = []
        for side, table, rest, other in (
            ("left", self.left, lefts, self.right),
            ("right", self.right, rights, self.left),
        ):
            kernel = _BlockingKeys(self.settings, side == "left", pl.DataFrame(schema=other.schema))
            keys.append(self.scratch.keep(f"{self.name}-keys-{side}", apply(rest, kernel, table.schema, _KEYS)))
        members = [
            frame.groupBy("rule", "key").agg(sf.count("*").alias(side))
            for frame, side in zip(keys, ("lefts", "rights"), strict=True)
        ]
        blocks = self.scratch.keep(
            f"{self.name}-blocks",
            members[0].join(members[1], ["rule", "key"]).selectExpr("rule", "key", "lefts * rights AS pairs"),
        )
        largest = self.settings.largest_block
        capped = blocks.where(f"pairs > {largest}").select("rule", "key")
        joined = (
            keys[0]
            .withColumnRenamed(ROW, "left_row")
            .join(keys[1].withColumnRenamed(ROW, "right_row"), ["rule", "key"])
            .join(sf.broadcast(capped), ["rule", "key"], "left_anti")
        )
        raw = self.scratch.keep(
            f"{self.name}-candidates",
            joined.groupBy("left_row", "right_row").agg(
                sf.expr("bit_or(shiftleft(1L, rule)) AS rules"), sf.min("rule").alias("first_rule")
            ),
        )
        by_rule = blocks.groupBy("rule").agg(
            sf.expr(f"sum(if(pairs > {largest}, 0, pairs)) AS pairs"),
            sf.expr("max(pairs) AS largest_block"),
            sf.expr(f"count_if(pairs > {largest}) AS capped_blocks"),
            sf.expr(f"sum(if(pairs > {largest}, pairs, 0)) AS capped_pairs"),
        )
        new = raw.groupBy("first_rule").agg(sf.count("*").alias("new_pairs"))
        counted = fetched(
            by_rule.join(new.withColumnRenamed("first_rule", "rule"), "rule", "left"),
            pl.Schema({"rule": pl.Int32, **{name: kind for name, kind in REPORT.items() if name != "rule"}}),
        )
        rules = pl.DataFrame({"name": [rule.name for rule in self.settings.blocking]}).with_row_index("rule")
        report = (
            rules.with_columns(pl.col("rule").cast(pl.Int32))
            .join(counted, on="rule", how="left", maintain_order="left")
            .drop("rule")
            .rename({"name": "rule"})
            .with_columns(pl.exclude("rule").fill_null(0))
            .select(list(REPORT))
        )
        return raw, report

    # Comparing.

    def _compared(self, settled: DataFrame, raw: DataFrame) -> DataFrame:
        """The levels of all pairs that are weighed: `left_row`, `right_row`, `method` (0, or 1 and more for settled ones), `rules`."""
        settled_pairs = settled.selectExpr("left_row", "right_row", "method + 1 AS method", "0L AS rules")
        found = self._without_refused(raw).selectExpr("left_row", "right_row", "0 AS method", "rules")
        by_key = self._levelled(settled_pairs, first_compared(self.settings))
        return self.scratch.keep(
            f"{self.name}-compared", self._levelled(found, self.settings.comparisons).unionByName(by_key)
        )

    def _levelled(self, pairs: DataFrame, comparisons: tuple[Comparison, ...]) -> DataFrame:
        """Pairs with their levels in the comparisons, and how many bear the values that they may agree on."""
        names = [_columns(table.schema, comparisons) for table in (self.left, self.right)]
        lefts = self.left.frame.selectExpr(f"`{ROW}` AS left_row", *_called("l", names[0]))
        rights = self.right.frame.selectExpr(f"`{ROW}` AS right_row", *_called("r", names[1]))
        extra: dict[str, pl.DataType] = {**_PAIR, "method": pl.Int32(), "rules": pl.Int64()}
        for comparison in self.settings.comparisons:
            if comparison.term_frequency:
                lefts = lefts.join(self._bearers(comparison, self.left, "l"), "left_row", "left")
                rights = rights.join(self._bearers(comparison, self.right, "r"), "right_row", "left")
                extra |= {f"{p}_{s}_{comparison.name}": pl.Int64() for s in ("l", "r") for p in ("bearers", "of")}
        joined = pairs.join(lefts, "left_row").join(rights, "right_row")
        reads = _schema_of(("l", self.left.schema, names[0]), ("r", self.right.schema, names[1]), extra=extra)
        gives = pl.Schema({**extra, **{f"level_{c.name}": pl.Int8() for c in self.settings.comparisons}})
        return apply(joined, _Levels(self.settings, comparisons), reads, gives)

    def _bearers(self, comparison: Comparison, table: Table, side: str) -> DataFrame:
        """For each record of a table with a value how many records of both tables bear it, and of how many (`rarity`)."""
        within, row = list(comparison.frequency_within), "left_row" if side == "l" else "right_row"
        named = [f"`{comparison.code}` AS code", *(f"`{column}` AS w{place}" for place, column in enumerate(within))]
        groups = [f"w{place}" for place in range(len(within))]
        given = [
            of.frame.where(f"`{comparison.code}` <> 0").selectExpr(f"`{ROW}` AS {row}", *named)
            for of in (self.left, self.right)
        ]
        both = given[0].drop(row).unionByName(given[1].drop(row))
        bearers = both.groupBy("code", *groups).agg(sf.count("*").alias("bearers")).alias("b")
        of = bearers.groupBy(*groups).agg(sf.sum("bearers").alias("of")).alias("o")
        same = [f"t.{group} <=> {{}}.{group}" for group in groups]  # a missing sex is a sex of its own here
        return (
            given[0 if table is self.left else 1]
            .alias("t")
            .join(bearers, sf.expr(" AND ".join(["t.code = b.code", *(s.format("b") for s in same)])))
            .join(sf.broadcast(of), sf.expr(" AND ".join(["true", *(s.format("o") for s in same)])))
            .selectExpr(
                f"t.{row}", f"b.bearers AS bearers_{side}_{comparison.name}", f"o.of AS of_{side}_{comparison.name}"
            )
        )

    # Learning.

    def _learned(self, compared: DataFrame, settled: DataFrame, count: int, expected: float) -> Model:
        settings = self.settings
        if in_two_looks(settings):
            is_witness = settled.join(
                self._sampled(self.left).selectExpr(f"{ROW} AS left_row"), "left_row", "left_semi"
            ).unionByName(settled.where(f"method = {settling_methods(settings).index(REVIEWED)}"))
            pairs = is_witness.distinct().selectExpr("left_row", "right_row", "method + 1 AS method", "0L AS rules")
            witnesses = self.scratch.keep(f"{self.name}-witnesses", self._levelled(pairs, settings.comparisons))
        else:
            witnesses = compared.where("method > 0")
        known = self._patterns(witnesses)
        each = count / max(float(known.counts.sum()), 1.0)
        patterns = self._patterns(compared.where("method = 0")).joined(known, each=each)
        samples = self._sample(self.left), self._sample(self.right)
        u = estimate_u(settings, *u_evidence(settings, *samples))
        whole = float(max(self.left.height * self.right.height, 1))
        inside, _ = without_repeats(settings, look_inside(settings, samples), u)
        kin, alike = learn_inside(settings, samples, inside, u, prior=expected / whole)
        model = estimate_m(settings, patterns, u, pairs=whole, expected_matches=expected, kin=kin, lookalikes=alike)
        return self._with_near(model, compared.where("method = 0"))

    def _with_near(self, model: Model, candidates: DataFrame) -> Model:
        kernel = _NearByChance(self.settings, model)
        found = fetched(apply(candidates, kernel, polars_schema(candidates.schema), _NEAR), _NEAR)
        return with_near(
            self.settings,
            model,
            (
                (comparison, level, part["rarer"].to_numpy())
                for (comparison, level), part in found.partition_by("comparison", "level", as_dict=True).items()
            ),
        )

    def _patterns(self, levelled: DataFrame) -> Patterns:
        """The distinct level vectors of pairs, counted on the cluster."""
        names = [f"level_{c.name}" for c in self.settings.comparisons]
        counted = fetched(
            levelled.groupBy(*names).agg(sf.count("*").alias("pairs")),
            pl.Schema({**dict.fromkeys(names, pl.Int8()), "pairs": pl.Int64()}),
        )
        return Patterns.counted(counted.select(names).to_numpy(), counted["pairs"].to_numpy())

    # Deciding.

    def _decided(
        self,
        compared: DataFrame,
        weigh: _Weigh,
        with_their_own: NDArray[np.int64],
        count: int,
        strangers: tuple[NDArray[np.float64], float],
    ) -> tuple[pl.DataFrame, Quality, int]:
        """On the driver: the decisions on the pairs that no key settled, and what the settled ones add to the estimates."""
        reads = polars_schema(compared.schema)
        gives = pl.Schema({**reads, "total": pl.Float64(), "contradicted": pl.Boolean()})
        self.scratch.keep(
            f"{self.name}-weighed",
            apply(compared, weigh, reads, gives).select(
                "left_row", "right_row", "method", "rules", "total", "contradicted"
            ),
        )
        every = self.scratch.read(f"{self.name}-weighed")
        pairs = every.filter(pl.col("method") == 0).sort("left_row", "right_row")
        # Numbered in their order: what is decided does not depend on what a record is called, but arrays are as long as the numbers.
        _, left = np.unique(np.concatenate([pairs["left_row"].to_numpy(), with_their_own]), return_inverse=True)
        _, right = np.unique(pairs["right_row"].to_numpy(), return_inverse=True)
        sizes = self.left.height, self.right.height
        own, rules = left[pairs.height :], pairs["rules"].to_numpy()
        against = pairs["contradicted"].to_numpy()
        persons = Persons.once(left[: pairs.height], right)
        to_decide = ToDecide(persons, rules, own, count, against, sizes, *strangers)
        decisions = decide(self.settings, to_decide, pairs["total"].to_numpy())
        certain = odds(every.filter(pl.col("method") > 0)["total"].to_numpy())
        return _kept(pairs, decisions), estimated_quality(certain, decisions), pairs.height

    def _links(self, compared: DataFrame, weigh: _Weigh, kept: pl.DataFrame) -> DataFrame:
        decided = compared.where("method = 0").join(
            self.scratch.give(f"{self.name}-kept", kept), ["left_row", "right_row"]
        )
        decided = decided.unionByName(compared.where("method > 0"), allowMissingColumns=True)
        kernel = _Links(weigh, (PROBABILISTIC, *settling_methods(self.settings)))
        reads = polars_schema(decided.schema)
        return apply(decided, kernel, reads, kernel(pl.DataFrame(schema=reads)).schema)


_PAIR: Final[dict[str, pl.DataType]] = {"left_row": pl.Int64(), "right_row": pl.Int64()}
_SETTLED: Final = {"left_row": pl.Int64, "right_row": pl.Int64, "method": pl.Int32}


def _content(schema: pl.Schema) -> list[str]:
    return [name for name in schema if not name.startswith("__")]


def _kept(pairs: pl.DataFrame, decisions: Decisions) -> pl.DataFrame:
    """The pairs worth keeping with what was decided: `left_row`, `right_row`, `decision`, `reason`, `probability`, `gap`."""
    words = {"decision": (DECISIONS, decisions.decision), "reason": (REASONS, decisions.reason)}
    return (
        pairs.select("left_row", "right_row")
        .with_columns(
            *(pl.Series(texts, dtype=pl.String).gather(places).alias(name) for name, (texts, places) in words.items()),
            pl.Series("probability", decisions.probability),
            pl.Series("gap", decisions.gap),
        )
        .filter(pl.Series(decisions.keep))
    )
