"""`link`: two tables of persons in, who is who out.

The order of work: prepare every record once; let unique keys settle what they can; compare the candidates that blocking gives for
the rest; estimate the model; weigh; assign one to one; decide. Each decision keeps its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.assignment import TIE, assign, assign_each, second_best
from kcb_pipeline.matching.blocking import candidates
from kcb_pipeline.matching.calibration import Quality, calibrate, compete, unblocked_pairs
from kcb_pipeline.matching.comparisons import MISSING, Levels
from kcb_pipeline.matching.model import Kin, Model, Patterns, estimate_kin, estimate_m, estimate_u, silence
from kcb_pipeline.matching.settings import (
    KeyRule,
    Settings,
)
from kcb_pipeline.progress import SILENT, Progress

LINKED, REVIEW, REJECTED = "linked", "review", "rejected"
PROBABILISTIC, REVIEWED = "probabilistic", "reviewed"

REASON_REVIEWED = "a_person_decided"
REASON_KEY = "key_and_identity_agree"
REASON_BEST = "best_pair_of_both"
REASON_TIE = "tie"
REASON_DOUBT = "evidence_leaves_doubt"
REASON_TAKEN = "record_is_another_persons"
REASON_BETTER = "person_has_a_better_record"
REASON_WEAK = "evidence_too_weak"

_SAMPLE: Final = 800
"""Records of each side whose pairs estimate u: 640,000 pairs show a level of one in a million about as often as not."""


@dataclass(frozen=True)
class LinkResult:
    """What `link` found.

    links: one row a pair that was decided on: `left_row`, `right_row` (0-based positions), `decision`, `method`, `reason`,
        `match_weight` (log2 posterior odds: `w_prior` and all `w_<comparison>` add up to it), `probability` (after the
        competition of other pairs), `runner_up_gap` (log2), and `level_<comparison>`. Sorted by left_row, right_row.
    model, settings: what weighed them. blocking: pairs by rule. quality: estimated errors. left, right: the records as prepared.
    """

    links: pl.DataFrame
    model: Model
    settings: Settings
    blocking: pl.DataFrame
    quality: Quality
    left: pl.DataFrame
    right: pl.DataFrame

    @property
    def linked(self) -> pl.DataFrame:
        """The pairs that are one person."""
        return self.links.filter(pl.col("decision") == LINKED)

    def explain(self, left_row: int, right_row: int) -> pl.DataFrame:
        """Why a pair weighs what it does: a row a comparison with its level in words, m, u and weight, the prior first."""
        left, right = self.left[[left_row]], self.right[[right_row]]
        levels = {c.name: c.levels_of(left, right) for c in self.settings.comparisons}
        heard = silence(levels, self.settings.implied)
        adjustments = _term_frequencies(self.settings, self.left, self.right, left, right, levels, self.model)
        entries: list[dict[str, object]] = [
            {"comparison": "prior", "level": None, "m": None, "u": None, "weight": self.model.prior_weight}
        ]
        for comparison in self.settings.comparisons:
            level = int(heard[comparison.name][0])
            said = int(levels[comparison.name][0])
            words = "missing" if said == MISSING else comparison.labels[said]
            weight = float(self.model.weights(comparison.name)[level] + adjustments[comparison.name][0])
            entries.append(
                {
                    "comparison": comparison.name,
                    "level": words if level == said else f"{words} (implied by other evidence)",
                    "m": None if level == MISSING else self.model.m[comparison.name][level],
                    "u": None if level == MISSING else self.model.u[comparison.name][level],
                    "weight": weight,
                }
            )
        kin = float(self.model.relatives_weight(_likeness(self.settings, self.model, levels, heard, adjustments))[0])
        entries.append({"comparison": "relatives", "level": None, "m": None, "u": None, "weight": kin})
        schema = {"comparison": pl.String, "level": pl.String, "m": pl.Float64, "u": pl.Float64, "weight": pl.Float64}
        return pl.DataFrame(entries, schema=schema)

    def explain_unlinked(self, left_row: int) -> pl.DataFrame:
        """The nearest candidates of a record that found nobody, best first, and why each was turned down."""
        return self.links.filter((pl.col("left_row") == left_row) & (pl.col("decision") != LINKED)).sort(
            "match_weight", "right_row", descending=[True, False]
        )


def link(
    left: pl.DataFrame,
    right: pl.DataFrame,
    settings: Settings,
    *,
    reviewed: pl.DataFrame | None = None,
    model: Model | None = None,
    progress: Progress = SILENT,
) -> LinkResult:
    """Find the pairs of a left and a right record that are one person.

    left, right: one row a record, with the columns that the settings' comparisons and blocking rules name. `reviewed`: what
    people have decided, `left_row`, `right_row`, `is_match`; it binds. `model`: weigh with this one instead of estimating. The result does not depend on the order of the rows nor on the number of threads.
    """
    lefts, rights = _prepare(left, settings), _prepare(right, settings)
    progress.update("prepare", 1, 5)
    settled = _settle(lefts, rights, settings, reviewed)
    progress.update("settle by key", 2, 5, rows=len(settled.left))
    rest_l, rest_r = _residual(lefts, settled.left, settings), _residual(rights, settled.right, settings)
    found = candidates(rest_l, rest_r, settings.blocking, largest_block=settings.largest_block)
    pairs_l, pairs_r, rules = _without_refused(
        rest_l["__row"].to_numpy()[found.left], rest_r["__row"].to_numpy()[found.right], reviewed, found.rules
    )
    rows_l, rows_r = np.concatenate([settled.left, pairs_l]), np.concatenate([settled.right, pairs_r])
    progress.update("block", 3, 5, rows=len(rows_l))
    levels = _levels(settings, lefts, rights, rows_l, rows_r)
    heard = silence(levels, settings.implied)
    patterns = Patterns.of(
        [levels[c.name] for c in settings.comparisons], [len(c.labels) for c in settings.comparisons]
    )
    if model is None:
        u = estimate_u(settings, *_u_evidence(settings, lefts, rights))
        expected = settings.expected_matches or max(len(settled.left), 0.5 * min(left.height, right.height))
        kin = _kin(settings, lefts, right.height, expected) if settings.relatives else None
        whole = float(max(left.height * right.height, 1))
        model = estimate_m(settings, patterns, u, pairs=whole, expected_matches=expected, kin=kin)
    progress.update("estimate", 4, 5, rows=len(rows_l))
    weights = {c.name: model.weights(c.name)[heard[c.name]] for c in settings.comparisons}
    adjustments = _term_frequencies(settings, lefts, rights, lefts[rows_l], rights[rows_r], levels, model)
    for name, adjustment in adjustments.items():
        weights[name] = weights[name] + adjustment
    weights["relatives"] = model.relatives_weight(_likeness(settings, model, levels, heard, adjustments))
    pairs = _Pairs(
        rows_l,
        rows_r,
        len(settled.left),
        settled.method,
        np.concatenate([np.zeros(len(settled.left), dtype=np.int64), rules]),
    )
    links, quality = _decide(settings, model, pairs, weights, levels, sizes=(left.height, right.height))
    progress.update("decide", 5, 5, rows=links.height)
    return LinkResult(links, model, settings, found.report, quality, lefts, rights)


# -- the steps -----------------------------------------------------------------------------------------------------


def _prepare(records: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    columns = [column for comparison in settings.comparisons for column in comparison.prepare(records)]
    return records.with_columns(columns)


@dataclass(frozen=True, slots=True)
class _Settled:
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    method: list[str]


def _settle(left: pl.DataFrame, right: pl.DataFrame, settings: Settings, reviewed: pl.DataFrame | None) -> _Settled:
    """Pairs that a person or a key settles; a record settled once is out of the reach of the next rule."""
    lefts, rights, methods = [], [], []
    taken_l, taken_r = np.zeros(left.height, dtype=bool), np.zeros(right.height, dtype=bool)
    if reviewed is not None:
        decided = reviewed.filter("is_match").sort("left_row", "right_row")
        decided = decided.unique("left_row", keep="first", maintain_order=True).unique(
            "right_row", keep="first", maintain_order=True
        )
        lefts.append(decided["left_row"].to_numpy().astype(np.int64))
        rights.append(decided["right_row"].to_numpy().astype(np.int64))
        methods += [REVIEWED] * decided.height
        taken_l[lefts[0]] = taken_r[rights[0]] = True
    for rule in settings.keys:
        a, b = _unique_key_pairs(left, right, rule, taken_l, taken_r)
        plausible = np.ones(len(a), dtype=bool)
        for name, last in rule.plausible:
            levels = settings.comparison(name).levels_of(left[a], right[b])
            plausible &= levels <= last
        a, b = a[plausible], b[plausible]
        a, b, _ = _without_refused(a, b, reviewed, np.zeros(len(a), dtype=np.int64))
        taken_l[a] = taken_r[b] = True
        lefts.append(a)
        rights.append(b)
        methods += [rule.name] * len(a)
    if not lefts:
        empty = np.empty(0, dtype=np.int64)
        return _Settled(empty, empty, [])
    return _Settled(np.concatenate(lefts), np.concatenate(rights), methods)


def _without_refused(
    rows_l: NDArray[np.int64], rows_r: NDArray[np.int64], reviewed: pl.DataFrame | None, rules: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The pairs (with what gave them) without those that a person has said are two people."""
    refused = None if reviewed is None else reviewed.filter(~pl.col("is_match"))
    if refused is None or refused.is_empty():
        return rows_l, rows_r, rules
    pairs = pl.DataFrame({"left_row": rows_l, "right_row": rows_r, "rules": rules})
    kept = pairs.join(
        refused.select("left_row", "right_row"), on=["left_row", "right_row"], how="anti", maintain_order="left"
    )
    return kept["left_row"].to_numpy(), kept["right_row"].to_numpy(), kept["rules"].to_numpy()


def _unique_key_pairs(
    left: pl.DataFrame, right: pl.DataFrame, rule: KeyRule, taken_l: NDArray[np.bool_], taken_r: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    sides = []
    for records, column, taken in ((left, rule.left, taken_l), (right, rule.right, taken_r)):
        keyed = pl.DataFrame({"key": records[column], "row": np.arange(records.height), "taken": taken}).drop_nulls(
            "key"
        )
        once = keyed.group_by("key").agg(pl.len().alias("bearers"), pl.col("row").first(), pl.col("taken").any())
        sides.append(once.filter((pl.col("bearers") == 1) & ~pl.col("taken")).select("key", "row"))
    pairs = sides[0].join(sides[1], on="key", how="inner").sort("row")
    return pairs["row"].to_numpy(), pairs["row_right"].to_numpy()


def _residual(records: pl.DataFrame, settled: NDArray[np.int64], settings: Settings) -> pl.DataFrame:
    """The records no key settled, with the blocking keys of every comparison and their row in the whole table."""
    left_over = np.ones(records.height, dtype=bool)
    left_over[settled] = False
    rest = records.with_columns(pl.Series("__row", np.arange(records.height))).filter(pl.Series(left_over))
    keys = [key for comparison in settings.comparisons for key in comparison.keys(rest)]
    return rest.with_columns(keys)


_PAIRS_AT_ONCE: Final = 1 << 20


def _levels(
    settings: Settings, left: pl.DataFrame, right: pl.DataFrame, rows_l: NDArray[np.int64], rows_r: NDArray[np.int64]
) -> dict[str, Levels]:
    """The level of every comparison for every pair, a million pairs at a time."""
    levels = {c.name: np.empty(len(rows_l), dtype=np.int8) for c in settings.comparisons}
    for comparison in settings.comparisons:
        needed = [name for name in left.columns if name.startswith(f"{comparison.name}.")]
        lefts, rights = left.select(needed), right.select(needed)
        for start in range(0, len(rows_l), _PAIRS_AT_ONCE):
            block = slice(start, start + _PAIRS_AT_ONCE)
            levels[comparison.name][block] = comparison.levels_of(lefts[rows_l[block]], rights[rows_r[block]])
    return levels


def _u_evidence(
    settings: Settings, left: pl.DataFrame, right: pl.DataFrame
) -> tuple[dict[str, Levels], dict[str, float]]:
    """Levels of pairs picked at random, and for each comparison the chance that two different records agree fully.

    The sample is the records whose content hashes lowest, so it does not depend on their order. Full agreement is counted
    over all pairs *within* a table, where two rows are two people; the lower count of the two tables is taken, so that one
    table's duplicates do not pass for chance.
    """
    samples = []
    for records in (left, right):
        content = [name for name in records.columns if "." in name and records[name].dtype != pl.List]
        hashed = records.select(pl.struct(content).hash(seed=1).alias("hash"))["hash"]
        samples.append(records[hashed.arg_sort().head(_SAMPLE).to_numpy()])
    rows_l = np.repeat(np.arange(samples[0].height), samples[1].height)
    rows_r = np.tile(np.arange(samples[1].height), samples[0].height)
    collisions: dict[str, float] = {}
    for comparison in settings.comparisons:
        if comparison.value in left.columns:
            collisions[comparison.name] = min(_collision_rate(records[comparison.value]) for records in (left, right))
    return _levels(settings, samples[0], samples[1], rows_l, rows_r), collisions


_KIN_SAMPLE: Final = 200_000


def _kin(settings: Settings, left: pl.DataFrame, right_rows: int, expected: float) -> Kin:
    """What relatives look like, from pairs of one family inside the left table, where two rows are two people."""
    keyed = left.with_columns([key for comparison in settings.comparisons for key in comparison.keys(left)])
    found = candidates(keyed, keyed, settings.relatives, largest_block=10_000, within=True)
    places = np.arange(len(found.left))
    if len(places) > _KIN_SAMPLE:  # every k-th pair in the order of a hash of the pair's content, not of its rows
        content = [name for name in left.columns if "." in name and left[name].dtype != pl.List]
        hashed = left.select(pl.struct(content).hash(seed=2).alias("hash"))["hash"].to_numpy()
        places = np.argsort(hashed[found.left] ^ hashed[found.right], kind="stable")[:_KIN_SAMPLE]
    levels = _levels(settings, left, left, found.left[places], found.right[places])
    met = 2 * len(found.left) * (expected / max(left.height, 1))
    return estimate_kin(settings, levels, pairs=met)


def _collision_rate(values: pl.Series) -> float:
    """The chance that two different rows, neither missing, have the same value; half a pair of belief where none has."""
    counts = values.drop_nulls().value_counts(sort=False)["count"].cast(pl.Float64)
    rows = float(counts.sum() or 0.0)
    same = float((counts * (counts - 1)).sum() or 0.0) / 2
    return (same + 0.5) / (rows * (rows - 1) / 2 + 1) if rows > 1 else 0.5


def _term_frequencies(
    settings: Settings,
    left: pl.DataFrame,
    right: pl.DataFrame,
    left_pairs: pl.DataFrame,
    right_pairs: pl.DataFrame,
    levels: dict[str, Levels],
    model: Model,
) -> dict[str, NDArray[np.float64]]:
    """What agreement on *this* value adds to agreement on an average one: log2 of the average chance over the value's own."""
    adjustments: dict[str, NDArray[np.float64]] = {}
    for comparison in settings.comparisons:
        adjustment = np.zeros(left_pairs.height)
        if comparison.term_frequency:
            within = list(comparison.frequency_within)
            both = pl.concat([records.select(comparison.value, *within) for records in (left, right)])
            counts = both.drop_nulls(comparison.value).group_by(comparison.value, *within).len("bearers")
            counts = counts.with_columns(pl.col("bearers").sum().over(within or pl.lit(1)).alias("of"))
            equal = np.flatnonzero(levels[comparison.name] == 0)
            values = left_pairs.select(comparison.value, *within)[equal]
            share = values.join(
                counts, on=[comparison.value, *within], how="left", maintain_order="left", nulls_equal=True
            )
            # One bearer more: the value's own two rows are no evidence of how many strangers bear it.
            frequency = ((share["bearers"] + 1) / (share["of"] + 1)).to_numpy()
            adjustment[equal] = np.log2(model.u[comparison.name][0]) - np.log2(frequency)
        adjustments[comparison.name] = adjustment
    return adjustments


def _likeness(
    settings: Settings,
    model: Model,
    levels: dict[str, Levels],
    heard: dict[str, Levels],
    adjustments: dict[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """How much each pair looks like relatives rather than strangers (log2); a name that is rare is as rare among cousins' neighbours."""
    total: NDArray[np.float64] = np.zeros(len(next(iter(levels.values()))))
    for comparison in settings.comparisons:
        name = comparison.name
        silent = (heard[name] == MISSING) & (levels[name] != MISSING)
        total += model.likeness(name)[heard[name]] + adjustments[name]
        total[silent] += model.likeness(name, silent=True)[levels[name][silent]]
    return total


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The pairs to decide on: first those that a person or a key settled, with how, then the candidates, with the rules that gave them."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    settled: int
    methods: list[str]
    rules: NDArray[np.int64]


def _decide(
    settings: Settings,
    model: Model,
    pairs: _Pairs,
    weights: dict[str, NDArray[np.float64]],
    levels: dict[str, Levels],
    *,
    sizes: tuple[int, int],
) -> tuple[pl.DataFrame, Quality]:
    total = np.full(len(pairs.left), model.prior_weight)
    for weight in weights.values():
        total += weight
    is_settled = np.arange(len(total)) < pairs.settled
    one_to_one = settings.policy == "one-to-one"
    undecided = slice(pairs.settled, None)
    left, right, w = pairs.left[undecided], pairs.right[undecided], total[undecided]
    outcome = assign(left, right, w) if one_to_one else assign_each(right, w)
    # One-to-one either side may be said to choose; of many records of one person it is the records that choose.
    choosing, others = (left, right) if one_to_one else (right, left)
    holding = np.full(int(others.max(initial=-1)) + 1, -np.inf)
    if one_to_one:
        holding[others[outcome.chosen]] = w[outcome.chosen]
    is_taken = w <= holding[others]
    calibration = calibrate(
        w[outcome.chosen],
        second_best(choosing, w, outcome.chosen | is_taken)[outcome.chosen],
        choosers=sizes[0 if one_to_one else 1] - pairs.settled,
    )
    chosen, gap = np.ones(len(total), dtype=bool), total.copy()
    chosen[undecided], gap[undecided] = outcome.chosen, outcome.gap
    probability = 1 / (1 + np.exp2(-np.clip(total, -300, 300)))
    probability[undecided] = np.where(
        outcome.chosen,
        compete(calibration.probability(w), outcome.rivalry),
        1 / (1 + np.exp2(-np.clip(outcome.gap, -300, 300))),
    )
    linked = is_settled | (chosen & (probability >= settings.link_probability))
    taken_l, taken_r = (np.zeros(int(rows.max(initial=-1)) + 1, dtype=bool) for rows in (pairs.left, pairs.right))
    taken_l[pairs.left[linked]] = True
    taken_r[pairs.right[linked]] = True
    left_free, right_free = ~taken_l[pairs.left], ~taken_r[pairs.right]
    free = (left_free & right_free) if one_to_one else right_free
    tie = ~linked & free & (total > 0) & (np.abs(gap) < TIE)
    review = ~linked & free & (probability >= settings.review_probability)
    decision = np.where(linked, LINKED, np.where(review | tie, REVIEW, REJECTED))
    reason = np.select(
        [is_settled, linked, tie, review, ~right_free & ~linked, ~left_free & ~linked],
        [REASON_KEY, REASON_BEST, REASON_TIE, REASON_DOUBT, REASON_TAKEN, REASON_BETTER],
        default=REASON_WEAK,
    )
    method = np.array([*pairs.methods, *([PROBABILISTIC] * (len(total) - pairs.settled))], dtype=object)
    reason = np.where(method == REVIEWED, REASON_REVIEWED, reason)
    quality = Quality(
        links=int(linked.sum()),
        false_links=float((1 - probability[linked]).sum()),
        missed=float(probability[chosen & ~linked].sum()),
        unblocked=unblocked_pairs(pairs.rules[undecided][outcome.chosen], probability[undecided][outcome.chosen]),
    )
    keep = linked | review | tie
    keep[_near_misses(pairs.left, pairs.right, total, ~keep & left_free, settings.near_misses)] = True
    columns: dict[str, NDArray[np.generic]] = {
        "left_row": pairs.left, "right_row": pairs.right, "decision": decision, "method": method, "reason": reason,
        "match_weight": total, "probability": probability, "runner_up_gap": gap,
        "w_prior": np.full(len(total), model.prior_weight),
        **{f"w_{name}": weight for name, weight in weights.items()},
        **{f"level_{name}": level for name, level in levels.items()},
    }  # fmt: skip
    frame = pl.DataFrame({name: values[keep] for name, values in columns.items()})
    return frame.with_columns(pl.col("decision", "method", "reason").cast(pl.String)).sort(
        "left_row", "right_row"
    ), quality


def _near_misses(
    rows_l: NDArray[np.int64],
    rows_r: NDArray[np.int64],
    total: NDArray[np.float64],
    open_: NDArray[np.bool_],
    most: int,
) -> NDArray[np.int64]:
    """The places of the best few candidates of each left record that is not linked."""
    places = np.flatnonzero(open_)
    order = places[np.lexsort((rows_r[places], -total[places], rows_l[places]))]
    if not order.size:
        return order
    first = np.flatnonzero(np.diff(rows_l[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(first, np.diff([*first, len(order)]))
    return order[rank < most]
