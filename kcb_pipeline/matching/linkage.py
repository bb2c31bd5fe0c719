"""`link`: two tables of persons in, who is who out.

The order of work: prepare every record once; let unique keys settle what they can; compare the candidates that blocking gives for
the rest; estimate the model; weigh; assign one to one; decide. Each decision keeps its reason.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.assignment import TIE, assign, assign_each, second_best
from kcb_pipeline.matching.blocking import candidates
from kcb_pipeline.matching.calibration import FURTHER_RECORD, calibrate, compete, odds
from kcb_pipeline.matching.comparisons import MISSING, Levels, Pairs
from kcb_pipeline.matching.model import Kin, Model, estimate_m, estimate_u, silence
from kcb_pipeline.matching.quality import Quality, unblocked_pairs
from kcb_pipeline.matching.settings import KeyRule, Settings
from kcb_pipeline.matching.weighing import (
    Records,
    blocking_keys,
    content_hashes,
    kin_of,
    levels_of,
    patterns_of,
    prepare,
    total_of,
    u_evidence,
    weigh,
)
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.threads import side_by_side

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

DECISIONS: Final = (LINKED, REVIEW, REJECTED)
REASONS: Final = (
    REASON_REVIEWED, REASON_KEY, REASON_BEST, REASON_TIE, REASON_DOUBT, REASON_TAKEN, REASON_BETTER, REASON_WEAK,
)  # fmt: skip


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
        pairs = Pairs(self.left, self.right, np.array([left_row]), np.array([right_row]))
        levels = levels_of(self.settings, pairs)
        heard = silence(levels, self.settings.implied)
        orphaned = orphaned_share(self.settings, self.model, self.left.height, self.right.height)
        weights = weigh(self.settings, self.model, pairs, patterns_of(self.settings, levels), orphaned=orphaned)
        entries: list[dict[str, object]] = [
            {"comparison": "prior", "level": None, "m": None, "u": None, "weight": self.model.prior_weight}
        ]
        for comparison in self.settings.comparisons:
            level = int(heard[comparison.name][0])
            said = int(levels[comparison.name][0])
            words = "missing" if said == MISSING else comparison.labels[said]
            entries.append(
                {
                    "comparison": comparison.name,
                    "level": words if level == said else f"{words} (implied by other evidence)",
                    "m": None if level == MISSING else self.model.m[comparison.name][level],
                    "u": None if level == MISSING else self.model.u[comparison.name][level],
                    "weight": float(weights[comparison.name][0]),
                }
            )
        kin = float(weights["relatives"][0])
        entries.append({"comparison": "relatives", "level": None, "m": None, "u": None, "weight": kin})
        schema = {"comparison": pl.String, "level": pl.String, "m": pl.Float64, "u": pl.Float64, "weight": pl.Float64}
        return pl.DataFrame(entries, schema=schema)

    def explain_unlinked(self, left_row: int) -> pl.DataFrame:
        """The nearest candidates of a record that found nobody, best first, and why each was turned down."""
        return self.links.filter((pl.col("left_row") == left_row) & (pl.col("decision") != LINKED)).sort(
            "match_weight", "right_row", descending=[True, False]
        )


def link(
    left: Records,
    right: Records,
    settings: Settings,
    *,
    reviewed: pl.DataFrame | None = None,
    model: Model | None = None,
    progress: Progress = SILENT,
) -> LinkResult:
    """Find the pairs of a left and a right record that are one person.

    left, right: one row a record, with the columns that the settings' comparisons and blocking rules name. `reviewed`: what
    people have decided, `left_row`, `right_row`, `is_match`; it binds. `model`: weigh with this one instead of estimating. The
    result does not depend on the order of the rows nor on the number of threads.
    """
    lefts, rights = side_by_side(partial(prepare, records, settings) for records in (left, right))
    progress.update("prepare", 1, 5)
    settled = _settle(lefts, rights, settings, reviewed)
    progress.update("settle by key", 2, 5, rows=len(settled.left))
    studied = _to_study(lefts, settled.left) if settings.policy == "one-to-one" else settled.left[:0]
    expected = expected_matches(settings, len(settled.left), lefts.height, rights.height)
    with ThreadPoolExecutor(1) as aside:
        if model is None:
            learning = aside.submit(_chance_and_kin, settings, lefts, rights, expected)
        pairs, rules, report = _compared(lefts, rights, settings, settled, studied, reviewed)
        progress.update("block", 3, 5, rows=len(pairs))
        levels = levels_of(settings, pairs)
        patterns = patterns_of(settings, levels)
        if model is None:
            u, kin = learning.result()
            whole = float(max(lefts.height * rights.height, 1))
            model = estimate_m(settings, patterns, u, pairs=whole, expected_matches=expected, kin=kin)
    progress.update("estimate", 4, 5, rows=len(pairs))
    orphaned = orphaned_share(settings, model, lefts.height, rights.height)
    weights = weigh(settings, model, pairs, patterns, orphaned=orphaned)
    to_decide = ToDecide(
        pairs.rows_l,
        pairs.rows_r,
        settled,
        rules,
        studied,
    )
    total = total_of(model, weights)
    decisions = decide(settings, to_decide, total, sizes=(lefts.height, rights.height))
    links = _links(model, to_decide, decisions, total, weights, levels)
    progress.update("decide", 5, 5, rows=links.height)
    return LinkResult(links, model, settings, report, decisions.quality, lefts, rights)


def expected_matches(settings: Settings, settled: int, left: int, right: int) -> float:
    """How many pairs are expected to be one person, before the model has learned it."""
    return settings.expected_matches or max(settled, 0.5 * min(left, right))


def _chance_and_kin(
    settings: Settings, left: pl.DataFrame, right: pl.DataFrame, expected: float
) -> tuple[dict[str, tuple[float, ...]], Kin | None]:
    """What strangers have in common, and what relatives have: neither depends on which pairs are compared."""
    u = estimate_u(settings, *u_evidence(settings, left, right))
    return u, kin_of(settings, left, expected) if settings.relatives else None


# -- the steps -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settled:
    """Pairs of rows, and which of `methods` settled each."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    methods: list[str]
    method: NDArray[np.int64]


def _settle(left: pl.DataFrame, right: pl.DataFrame, settings: Settings, reviewed: pl.DataFrame | None) -> Settled:
    """Pairs that a person or a key settles; a record settled once is out of the reach of the next rule (many-to-one, a right one)."""
    one_to_one = settings.policy == "one-to-one"
    methods = settling_methods(settings)
    lefts, rights, method = [], [], []
    taken_l, taken_r = np.zeros(left.height, dtype=bool), np.zeros(right.height, dtype=bool)
    if reviewed is not None:
        decided = decided_by_people(reviewed, one_to_one=one_to_one)
        lefts.append(decided["left_row"].to_numpy().astype(np.int64))
        rights.append(decided["right_row"].to_numpy().astype(np.int64))
        method.append(np.full(decided.height, methods.index(REVIEWED)))
        taken_l[lefts[0]] = one_to_one
        taken_r[rights[0]] = True
    for rule in settings.keys:
        a, b = _unique_key_pairs(left, right, rule, taken_l, taken_r)
        plausible = np.ones(len(a), dtype=bool)
        for name, last in rule.plausible:
            plausible &= settings.comparison(name).levels(Pairs(left, right, a, b)) <= last
        a, b = a[plausible], b[plausible]
        a, b, _ = _without_refused(a, b, reviewed, np.zeros(len(a), dtype=np.int64))
        taken_l[a] = one_to_one
        taken_r[b] = True
        lefts.append(a)
        rights.append(b)
        method.append(np.full(len(a), methods.index(rule.name)))
    if not lefts:
        empty = np.empty(0, dtype=np.int64)
        return Settled(empty, empty, methods, empty)
    return Settled(np.concatenate(lefts), np.concatenate(rights), methods, np.concatenate(method))


def decided_by_people(reviewed: pl.DataFrame, *, one_to_one: bool) -> pl.DataFrame:
    """The pairs that people have said are one person: of several for one record the first."""
    decided = reviewed.filter("is_match").sort("left_row", "right_row")
    if one_to_one:
        decided = decided.unique("left_row", keep="first", maintain_order=True)
    return decided.unique("right_row", keep="first", maintain_order=True)


def settling_methods(settings: Settings) -> list[str]:
    """How a pair may be settled: by a person, and by each key."""
    return list(dict.fromkeys([REVIEWED, *(rule.name for rule in settings.keys)]))


def _compared(
    left: pl.DataFrame,
    right: pl.DataFrame,
    settings: Settings,
    settled: Settled,
    studied: NDArray[np.int64],
    reviewed: pl.DataFrame | None,
) -> tuple[Pairs, NDArray[np.int64], pl.DataFrame]:
    """All pairs that are weighed, those settled first, the blocking rules that gave the others (a bit each), and blocking's report."""
    # Many-to-one, a person whose first record is settled may have further ones.
    gone = settled.left[~np.isin(settled.left, studied)] if settings.policy == "one-to-one" else settled.left[:0]
    rest_l, rest_r = side_by_side(
        partial(_residual, records, rows, settings) for records, rows in ((left, gone), (right, settled.right))
    )
    found = candidates(rest_l, rest_r, settings.blocking, largest_block=settings.largest_block)
    rows_l, rows_r, rules = _without_refused(
        rest_l["__row"].to_numpy()[found.left], rest_r["__row"].to_numpy()[found.right], reviewed, found.rules
    )
    pairs = Pairs(left, right, np.concatenate([settled.left, rows_l]), np.concatenate([settled.right, rows_r]))
    return pairs, np.concatenate([np.zeros(len(settled.left), dtype=np.int64), rules]), found.report


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
    """The rows, on both sides, of records that nothing has settled and that have a key which either whole table has once."""
    keys = left[rule.left], right[rule.right]
    sides = [
        pl.DataFrame({"key": values, "row": np.arange(len(values))}).filter(pl.Series(~taken)).drop_nulls("key")
        for values, taken in zip(keys, (taken_l, taken_r), strict=True)
    ]
    pairs = sides[0].join(sides[1], on="key", how="inner", maintain_order="left")
    found, a, b = pairs["key"], pairs["row"].to_numpy(), pairs["row_right"].to_numpy()
    # A key that one side has twice brings each record of the other in twice.
    once = (np.bincount(a, minlength=left.height)[a] == 1) & (np.bincount(b, minlength=right.height)[b] == 1)
    for values, taken in zip(keys, (taken_l, taken_r), strict=True):
        if taken.any():
            elsewhere = values.filter(pl.Series(taken)).is_in(found.implode())
            again = values.filter(pl.Series(taken)).filter(elsewhere)
            once &= ~found.is_in(again.implode()).to_numpy()
    return a[once], b[once]


def _residual(records: pl.DataFrame, settled: NDArray[np.int64], settings: Settings) -> pl.DataFrame:
    """The records no key settled, with the blocking keys of every comparison and their row in the whole table."""
    left_over = np.ones(records.height, dtype=bool)
    left_over[settled] = False
    rest = records.with_columns(pl.Series("__row", np.arange(records.height))).filter(pl.Series(left_over))
    return rest.with_columns(blocking_keys(settings, rest, of=settings.blocking))


TO_STUDY: Final = 60_000
"""Settled records whose other candidates are looked at, so that the rate of false links is known to one in fifty thousand."""


def _to_study(left: pl.DataFrame, settled: NDArray[np.int64]) -> NDArray[np.int64]:
    """Settled rows to study, picked by what they hold."""
    if len(settled) <= TO_STUDY:
        return np.sort(settled)
    hashes = content_hashes(left)[settled]
    rows: NDArray[np.int64] = np.sort(settled[hashes <= np.partition(hashes, TO_STUDY)[TO_STUDY]])
    return rows


_FEWEST_ORPHANS: Final = 0.02


def orphaned_share(settings: Settings, model: Model, left: int, right: int) -> float:
    """The share of records, in the table that is better covered by the other, whose person has no record there."""
    if settings.policy != "one-to-one":
        return 1.0
    matches = model.prior * float(left) * float(right)
    return min(1.0, max(_FEWEST_ORPHANS, 1 - matches / max(min(left, right), 1)))


@dataclass(frozen=True, slots=True)
class ToDecide:
    """The pairs to decide on: first those that a person or a key settled, with how, then the candidates, with the rules that gave them.

    studied: settled left records whose candidates are there for the calibration only; nothing of them is decided or kept.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    settled: Settled
    rules: NDArray[np.int64]
    studied: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Decisions:
    """What became of pairs, each array as long as they are.

    keep: whether the pair is worth keeping: linked, in doubt, or among the nearest candidates of a record that found nobody.
    decision, reason: places in `DECISIONS` and `REASONS`. quality: of these pairs.
    """

    keep: NDArray[np.bool_]
    decision: NDArray[np.int64]
    reason: NDArray[np.int64]
    probability: NDArray[np.float64]
    gap: NDArray[np.float64]
    quality: Quality


def decide(
    settings: Settings,
    pairs: ToDecide,
    total: NDArray[np.float64],
    *,
    sizes: tuple[int, int],
    settled_elsewhere: int = 0,
) -> Decisions:
    """Which pairs are one person, by their whole weights.

    sizes: records of the two tables. settled_elsewhere: settled pairs that are not among these; one-to-one, none of their records
    is in a pair that is decided here, so that nothing but their number matters.
    """
    settled = len(pairs.settled.left)
    all_settled = settled + settled_elsewhere
    is_settled = np.arange(len(total)) < settled
    one_to_one = settings.policy == "one-to-one"
    for_study = np.zeros(int(max(pairs.left.max(initial=-1), pairs.studied.max(initial=-1))) + 1, dtype=bool)
    for_study[pairs.studied] = True
    is_studied = for_study[pairs.left] & ~is_settled
    undecided = np.flatnonzero(~is_settled & ~is_studied)
    left, right, w = pairs.left[undecided], pairs.right[undecided], total[undecided]
    own = FURTHER_RECORD if settings.repeats else np.inf
    outcome = assign(left, right, w, own=own) if one_to_one else assign_each(right, w)
    # One-to-one either side may be said to choose; of many records of one person it is the records that choose.
    choosing, others = (left, right) if one_to_one else (right, left)
    holding = np.full(int(others.max(initial=-1)) + 1, -np.inf)
    if one_to_one:
        holding[others[outcome.chosen]] = w[outcome.chosen]
    is_taken = w <= holding[others]
    studied = np.full(len(for_study), -np.inf)
    if len(pairs.studied):
        places = np.flatnonzero(is_studied)
        places = places[pairs.right[places] < len(holding)]
        places = places[total[places] > holding[pairs.right[places]]]
        np.maximum.at(studied, pairs.left[places], total[places])
    calibration = calibrate(
        w[outcome.chosen],
        second_best(choosing, w, outcome.chosen | is_taken)[outcome.chosen],
        choosers=sizes[0 if one_to_one else 1] - all_settled,
        studied=studied[pairs.studied],
        studied_for=all_settled / max(len(pairs.studied), 1),
    )
    chosen, gap = np.ones(len(total), dtype=bool), total.copy()
    chosen[undecided], gap[undecided] = outcome.chosen, outcome.gap
    probability = odds(total)
    probability[undecided] = np.where(
        outcome.chosen, compete(calibration.probability(w), outcome.rivalry), odds(outcome.gap)
    )
    chosen[is_studied], probability[is_studied] = False, 0.0
    linked = is_settled | (chosen & (probability >= settings.link_probability))
    taken_l = np.zeros(len(for_study), dtype=bool)
    taken_r = np.zeros(int(pairs.right.max(initial=-1)) + 1, dtype=bool)
    taken_l[pairs.left[linked]] = True
    if one_to_one:
        taken_l[pairs.studied] = True
    taken_r[pairs.right[linked]] = True
    left_free, right_free = ~taken_l[pairs.left], ~taken_r[pairs.right]
    free = (left_free & right_free) if one_to_one else right_free
    free &= ~is_studied
    tie = ~linked & free & (total > 0) & (np.abs(gap) < TIE)
    review = ~linked & free & (probability >= settings.review_probability)
    decision = np.where(linked, 0, np.where(review | tie, 1, 2))
    reason = np.select(
        [is_settled, linked, tie, review, ~right_free & ~linked, ~left_free & ~linked],
        [REASONS.index(r) for r in (REASON_KEY, REASON_BEST, REASON_TIE, REASON_DOUBT, REASON_TAKEN, REASON_BETTER)],
        default=REASONS.index(REASON_WEAK),
    )
    if REVIEWED in pairs.settled.methods:
        by_person = pairs.settled.method == pairs.settled.methods.index(REVIEWED)
        reason[:settled][by_person] = REASONS.index(REASON_REVIEWED)
    quality = Quality(
        links=int(linked.sum()),
        # Sorted first: the last bit of a sum depends on the order of what is summed, and that on the order of the rows.
        false_links=float(np.sort(1 - probability[linked]).sum()),
        missed=float(np.sort(probability[chosen & ~linked]).sum()),
        unblocked=unblocked_pairs(pairs.rules[undecided][outcome.chosen], probability[undecided][outcome.chosen]),
        witnesses=float(calibration.reaching[_last(calibration.probabilities >= settings.link_probability)].sum()),
    )
    keep = linked | review | tie
    keep[_near_misses(pairs.left, pairs.right, total, ~keep & left_free, settings.near_misses)] = True
    return Decisions(keep, decision, reason, probability, gap, quality)


def _links(
    model: Model,
    pairs: ToDecide,
    decisions: Decisions,
    total: NDArray[np.float64],
    weights: dict[str, NDArray[np.float64]],
    levels: dict[str, Levels],
) -> pl.DataFrame:
    """The pairs that are kept, as `LinkResult.links`."""
    numbers: dict[str, NDArray[np.generic]] = {
        "match_weight": total, "probability": decisions.probability, "runner_up_gap": decisions.gap,
        "w_prior": np.full(len(total), model.prior_weight),
        **{f"w_{name}": weight for name, weight in weights.items()},
        **{f"level_{name}": level for name, level in levels.items()},
    }  # fmt: skip
    places = np.flatnonzero(decisions.keep)
    # Those that a key settled come in order already: a sort that sees so takes hardly any time.
    in_order = pairs.left[places] * (int(pairs.right.max(initial=0)) + 1) + pairs.right[places]
    places = places[np.argsort(in_order, kind="stable")]
    method = np.zeros(len(total), dtype=np.int64)
    method[: len(pairs.settled.left)] = pairs.settled.method + 1
    words = {
        "decision": (DECISIONS, decisions.decision),
        "method": ((PROBABILISTIC, *pairs.settled.methods), method),
        "reason": (REASONS, decisions.reason),
    }
    return pl.DataFrame(
        {
            "left_row": pairs.left[places],
            "right_row": pairs.right[places],
            **{
                name: pl.Series(texts, dtype=pl.String).gather(number[places])
                for name, (texts, number) in words.items()
            },
            **{name: np.take(values, places) for name, values in numbers.items()},
        }
    )


def _last(holds: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The last place where something holds, or none."""
    return np.flatnonzero(holds)[-1:]


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
