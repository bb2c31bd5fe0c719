"""`link`: two tables of persons in, who is who out.

The order of work: look at what keys look at and let unique keys settle what they can; look at the rest whole; compare the candidates that
blocking gives; estimate the model; weigh; assign one to one; decide. Each decision keeps its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from operator import index
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.blocking import candidates
from kcb_pipeline.matching.calibration import odds
from kcb_pipeline.matching.comparisons import MISSING, Pairs
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
from kcb_pipeline.matching.looking import Looked, Side, first_compared, first_look, in_two_looks, look_whole
from kcb_pipeline.matching.model import (
    Kin,
    Lookalikes,
    Model,
    Patterns,
    contradicted,
    estimate_m,
    estimate_u,
    silence,
)
from kcb_pipeline.matching.quality import Quality
from kcb_pipeline.matching.repeated import Persons, persons_of
from kcb_pipeline.matching.settings import Settings
from kcb_pipeline.matching.settling import Settled, not_refused, settle
from kcb_pipeline.matching.weighing import (
    Inside,
    Rarities,
    Rarity,
    Records,
    Repeated,
    Weights,
    check,
    learn_inside,
    levels_of,
    look_inside,
    near_by_chance,
    patterns_of,
    prepare,
    u_evidence,
    weights_of,
    with_keys,
    with_near,
    without_repeats,
)
from kcb_pipeline.progress import SILENT, Progress
from kcb_pipeline.threads import side_by_side

PROBABILISTIC: Final = "probabilistic"


@dataclass(frozen=True)
class LinkResult:
    """What `link` found.

    links: one row a pair that was decided on: `left_row`, `right_row` (0-based positions), `decision`, `method`, `reason`,
        `match_weight` (log2 posterior odds: `w_prior` and all `w_<comparison>` add up to it), `probability` (after the
        competition of other pairs), `runner_up_gap` (log2), and `level_<comparison>`. Sorted by left_row, right_row. Of a pair that a key
        settled only what the key looks at is weighed, the other comparisons are missing (but with `Settings.weigh_settled`).
    model, settings: what weighed them. blocking: pairs by rule. quality: estimated errors. left, right: the records as they were given.
    rarities: how rare the values of the records are.
    """

    links: pl.DataFrame
    model: Model
    settings: Settings
    blocking: pl.DataFrame
    quality: Quality
    left: Records
    right: Records
    rarities: Rarities

    @property
    def linked(self) -> pl.DataFrame:
        """The pairs that are one person."""
        return self.links.filter(pl.col("decision") == LINKED)

    def explain(self, left_row: int, right_row: int) -> pl.DataFrame:
        """Why a pair weighs what it does: a row a comparison with its level in words, m, u and weight, the prior first.

        In every respect, of a pair too that a key settled by a few. IndexError where a table has no such row.
        """
        _check_row("left", left_row, self.left)
        _check_row("right", right_row, self.right)
        one = [
            prepare(records.slice(row, 1), self.settings)
            for records, row in ((self.left, left_row), (self.right, right_row))
        ]
        said = levels_of(self.settings.comparisons, Pairs.aligned(*one))
        heard = silence(said, self.settings.implied)
        weights = weights_of(
            self.settings,
            self.model,
            patterns_of(self.settings, said, 1),
            self.rarities.among(np.array([left_row]), np.array([right_row])),
            orphaned=orphaned_share(self.settings, self.model, *map(_height, (self.left, self.right))),
        ).columns()
        entries: list[dict[str, object]] = [
            {"comparison": "prior", "level": None, "m": None, "u": None, "weight": self.model.prior_weight}
        ]
        for comparison in self.settings.comparisons:
            level = int(heard[comparison.name][0])
            as_said = int(said[comparison.name][0])
            words = "missing" if as_said == MISSING else comparison.labels[as_said]
            entries.append(
                {
                    "comparison": comparison.name,
                    "level": words if level == as_said else f"{words} (implied by other evidence)",
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


def _check_row(side: str, row: int, records: Records) -> None:
    height = _height(records)
    if not 0 <= index(row) < height:
        message = f"no row {row} in the {side} table, which has {height}"
        raise IndexError(message)


def _height(records: Records) -> int:
    return records.height if isinstance(records, pl.DataFrame) else int(records.select(pl.len()).collect().item())


def link(
    left: Records,
    right: Records,
    settings: Settings,
    *,
    reviewed: pl.DataFrame | None = None,
    model: Model | None = None,
    frequencies: Rarities | None = None,
    progress: Progress = SILENT,
) -> LinkResult:
    """Find the pairs of a left and a right record that are one person.

    left, right: one row a record, with the columns that the settings' comparisons and blocking rules name. `reviewed`: what
    people have decided, `left_row`, `right_row`, `is_match`; it binds. `model`: weigh with this one instead of estimating. `frequencies`: how
    rare the values of the records are, where that was counted in larger tables of which these are a part (`Rarities.of_rows`). The
    result does not depend on the order of the rows nor on the number of threads, but that of equally near candidates of a record that found
    nobody (`Settings.near_misses`) the first are kept, and of equal records of one person (`repeated`) the first is linked.
    TypeError, ValueError: see `weighing.check` and `settling.settle`.
    """
    tables = (left, right)
    check(settings, *tables, model=model)
    seen = first_look(tables, settings)
    progress.update("prepare", 1, 5)
    settled = settle(seen[0], seen[1], settings, first_compared(settings), reviewed)
    progress.update("settle by key", 2, 5, rows=len(settled))
    with ThreadPoolExecutor(1) as aside:
        columns = (Rarities.counted(settings, records) for records in seen)
        counting = aside.submit(_rarities, frequencies, settings, *columns)
        looked = look_whole(tables, seen, settings, settled)
        rare = counting.result()
    sizes = looked.left.height, looked.right.height
    expected = expected_matches(settings, len(settled), *sizes)
    keyed = side_by_side(partial(_keyed, side, settings) for side in (looked.left, looked.right))
    with ThreadPoolExecutor(1) as aside:
        every = float(max(sizes[0] * sizes[1], 1))
        samples = _samples(looked, keyed)
        learning = aside.submit(_different_people, settings, samples, expected / every, known=model)
        pairs, rules, report = _candidates(looked, keyed, settings, reviewed)
        progress.update("block", 3, 5, rows=len(pairs))
        rows_l, rows_r = looked.left.whole_rows(pairs.rows_l), looked.right.whole_rows(pairs.rows_r)
        patterns = patterns_of(settings, levels_of(settings.comparisons, pairs), len(pairs))
        inside, repeated, u, kin, alike = learning.result()
        if model is None:
            known = _and_settled(settings, patterns, looked, settled)
            model = estimate_m(settings, known, u, pairs=every, expected_matches=expected, kin=kin, lookalikes=alike)
            model = with_near(settings, model, near_by_chance(settings, model, patterns, rare.among(rows_l, rows_r)))
    progress.update("estimate", 4, 5, rows=len(pairs))
    orphaned = orphaned_share(settings, model, *sizes)
    weights = weights_of(settings, model, patterns, rare.among(rows_l, rows_r), orphaned=orphaned)
    rarities = [_rarity_inside(looked, rare, found) for found in inside]
    strangers = second_selves(settings, model, inside, rarities, orphaned=orphaned)
    own = _with_their_own(settings, looked)
    against = contradicted(settings, patterns.vectors)[patterns.of_pair]
    persons = Persons.once(pairs.rows_l, pairs.rows_r)
    again, people = [-np.inf, -np.inf], [1.0, 1.0]
    if repeated and not settings.repeats:
        # Nothing is decided of what is settled, and of what is contradicted by a person only.
        may_link = np.where(against | looked.left.is_settled[pairs.rows_l], -np.inf, weights.total)
        persons = persons_of(settings, model, looked, rare, pairs, may_link, repeated=repeated)
        for side, found in repeated.items():
            if found.is_seen:
                again[side], people[side] = found.more(model, sizes[side]), found.persons
    inside_again = np.concatenate([*(np.full(found.records, again[found.side]) for found in inside), np.empty(0)])
    to_decide = ToDecide(
        persons,
        rules,
        own,
        len(settled),
        against,
        sizes,
        *strangers,
        inside_again,
        (again[0], again[1]),
        (people[0], people[1]),
    )
    # As large as the links that are put together now, and not needed for them.
    del looked, keyed, samples, pairs, persons, inside, rarities, learning, counting
    with ThreadPoolExecutor(1) as aside:
        weighing = aside.submit(_settled_weights, settings, model, settled, rare, orphaned=orphaned)
        decisions = decide(settings, to_decide, weights.total)
        settled_weights = weighing.result()
    links = _links(settings, (settled, settled_weights), (rows_l, rows_r, weights, decisions))
    progress.update("decide", 5, 5, rows=links.height)
    return LinkResult(
        links, model, settings, report, estimated_quality(odds(settled_weights.total), decisions), left, right, rare
    )


def _rarities(given: Rarities | None, settings: Settings, left: pl.DataFrame, right: pl.DataFrame) -> Rarities:
    return Rarities.of(settings, left, right) if given is None else given


def _settled_weights(settings: Settings, model: Model, settled: Settled, rare: Rarities, *, orphaned: float) -> Weights:
    patterns = patterns_of(settings, settled.levels, len(settled))
    return weights_of(settings, model, patterns, rare.among(settled.left, settled.right), orphaned=orphaned)


def expected_matches(settings: Settings, settled: int, left: int, right: int) -> float:
    """How many pairs are expected to be one person, before the model has learned it."""
    return settings.expected_matches or max(settled, 0.5 * min(left, right))


def orphaned_share(settings: Settings, model: Model, left: int, right: int) -> float:
    """The share of records, in the table that is better covered by the other, whose person has no record there."""
    if settings.policy != "one-to-one":
        return 1.0
    matches = model.prior * float(left) * float(right)
    return min(1.0, max(_FEWEST_ORPHANS, 1 - matches / max(min(left, right), 1)))


_FEWEST_ORPHANS: Final = 0.02


# -- the steps -----------------------------------------------------------------------------------------------------


_ROW: Final = "__row"


def _keyed(side: Side, settings: Settings) -> pl.DataFrame:
    """What blocking looks at of the records that may be linked or are sampled, and their row among all that are looked at."""
    wanted = ~side.is_settled | side.is_sampled
    if settings.policy != "one-to-one":
        wanted[:] = True
    records = side.records if wanted.all() else side.records.filter(pl.Series(wanted))
    keys = with_keys(settings, records, (*settings.rules, *settings.families))
    return keys.with_columns(pl.Series(_ROW, np.flatnonzero(wanted)))


def _some(keyed: pl.DataFrame, chosen: NDArray[np.bool_]) -> pl.DataFrame:
    """Those of the keyed records that are chosen among all."""
    kept = chosen[keyed[_ROW].to_numpy()]
    return keyed if kept.all() else keyed.filter(pl.Series(kept))


def _samples(looked: Looked, keyed: list[pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sampled records of either table, with what blocking looks at."""
    left, right = (
        side.sample.with_columns(
            key for key in _some(keys, side.is_sampled).drop(_ROW).get_columns() if key.name not in side.records.columns
        )
        for side, keys in zip((looked.left, looked.right), keyed, strict=True)
    )
    return left, right


def _different_people(
    settings: Settings, samples: tuple[pl.DataFrame, pl.DataFrame], prior: float, *, known: Model | None
) -> tuple[list[Inside], dict[int, Repeated], dict[str, tuple[float, ...]], Kin | None, Lookalikes | None]:
    """Pairs of two people inside the tables, how often people stand twice there, and, where no model is known, what strangers have in common,
    relatives, and others who look alike: none depends on which pairs are compared."""
    inside = look_inside(settings, samples) if settings.policy == "one-to-one" or known is None else []
    if known is not None:
        return *without_repeats(settings, inside, known.u), {}, None, None
    u = estimate_u(settings, *u_evidence(settings, *samples))
    inside, repeated = without_repeats(settings, inside, u)
    return inside, repeated, u, *learn_inside(settings, samples, inside, u, prior=prior)


def second_selves(
    settings: Settings, model: Model, inside: list[Inside], rarities: list[Rarity], *, orphaned: float
) -> tuple[NDArray[np.float64], float]:
    """The weight of the best pair that each record makes with another one of its own table, and how many pairs were looked at for that.

    rarities: of the pairs of each of `inside`.
    """
    best, pairs = [], 0.0
    for found, rare in zip(inside, rarities, strict=True):
        patterns = patterns_of(settings, found.levels, len(found.rows_l))
        total = weights_of(settings, model, patterns, rare, orphaned=orphaned, counted=True).total
        total[contradicted(settings, patterns.vectors)[patterns.of_pair]] = -np.inf
        best.append(np.full(found.records, -np.inf))
        np.maximum.at(best[-1], found.rows_l, total)
        np.maximum.at(best[-1], found.rows_r, total)
        pairs += 2 * found.pairs
    return np.concatenate([*best, np.empty(0)]), pairs


def _rarity_inside(looked: Looked, rare: Rarities, found: Inside) -> Rarity:
    side = (looked.left, looked.right)[found.side]
    rows = side.whole_rows(np.flatnonzero(side.is_sampled))
    return rare.inside(found.side, rows[found.rows_l], rows[found.rows_r])


def _candidates(
    looked: Looked, keyed: list[pl.DataFrame], settings: Settings, reviewed: pl.DataFrame | None
) -> tuple[Pairs, NDArray[np.int64], pl.DataFrame]:
    """The pairs that blocking gives of what nothing settled, the rules (a bit each) that gave them, and blocking's report.

    On the left the sample of the settled records is with them: what it could have been linked to says what a false link looks like.
    """
    left, right = looked.left, looked.right
    open_l = ~left.is_settled | (left.is_sampled if settings.policy == "one-to-one" else left.is_settled)
    rests = [_some(keys, is_open) for keys, is_open in zip(keyed, (open_l, ~right.is_settled), strict=True)]
    found = candidates(rests[0], rests[1], settings.rules, largest_block=settings.largest_block)
    rows_l, rows_r = (rest[_ROW].to_numpy()[rows] for rest, rows in zip(rests, (found.left, found.right), strict=True))
    kept = not_refused(left.whole_rows(rows_l), right.whole_rows(rows_r), reviewed)
    return Pairs(left.records, right.records, rows_l[kept], rows_r[kept]), found.rules[kept], found.report


def _and_settled(settings: Settings, patterns: Patterns, looked: Looked, settled: Settled) -> Patterns:
    """The level vectors of the candidates with those of the settled pairs, each witness counted for all that it stands for."""
    if in_two_looks(settings):
        rows_l, rows_r = settled.left[looked.witnesses], settled.right[looked.witnesses]
        places = looked.left.places(rows_l), looked.right.places(rows_r)
        levels = levels_of(settings.comparisons, Pairs(looked.left.records, looked.right.records, *places))
    else:
        levels = settled.levels
    each = len(settled) / max(len(looked.witnesses), 1)
    return patterns.joined(patterns_of(settings, levels, len(looked.witnesses)), each=each)


def _with_their_own(settings: Settings, looked: Looked) -> NDArray[np.int64]:
    """The left records among those compared that have found theirs by a key or a person (`ToDecide.settled_left`)."""
    is_settled = looked.left.is_settled
    return np.flatnonzero(is_settled & looked.left.is_sampled if settings.policy == "one-to-one" else is_settled)


def _links(
    settings: Settings,
    by_key: tuple[Settled, Weights],
    weighed: tuple[NDArray[np.int64], NDArray[np.int64], Weights, Decisions],
) -> pl.DataFrame:
    """The pairs that are settled and those that are worth keeping, as `LinkResult.links`."""
    settled, certain = by_key
    rows_l, rows_r, weights, decisions = weighed
    kept = np.flatnonzero(decisions.keep)
    left = np.concatenate([settled.left, rows_l[kept]])
    right = np.concatenate([settled.right, rows_r[kept]])
    # What a key settled comes in order already: a sort that sees so takes hardly any time.
    order = np.argsort(left * (int(right.max(initial=0)) + 1) + right, kind="stable")

    def ordered(of_settled: NDArray[Any], of_weighed: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([of_settled, of_weighed[kept]])[order]

    reason = np.where(settled.by_people, REASONS.index(REASON_REVIEWED), REASONS.index(REASON_KEY))
    words = {
        "decision": (DECISIONS, np.zeros(len(settled), dtype=np.int64), decisions.decision),
        "method": ((PROBABILISTIC, *settled.methods), settled.method + 1, np.zeros(len(rows_l), dtype=np.int64)),
        "reason": (REASONS, reason, decisions.reason),
    }
    numbers = {
        "match_weight": (certain.total, weights.total),
        "probability": (odds(certain.total), decisions.probability),
        "runner_up_gap": (certain.total, decisions.gap),
        "w_relatives": (certain.relatives, weights.relatives),
    }
    # What a level vector says is looked up by its number, so that each column is written once.
    pattern = ordered(certain.patterns.of_pair, weights.patterns.of_pair + len(certain.patterns.vectors))
    vectors = np.concatenate([certain.patterns.vectors, weights.patterns.vectors])

    def weight(name: str) -> NDArray[np.float64]:
        column = np.concatenate([certain.by_pattern[name], weights.by_pattern[name]])[pattern]
        if name in certain.own:
            column += ordered(certain.own[name], weights.own[name])
        return column

    names = [c.name for c in settings.comparisons]
    columns: dict[str, Callable[[], Any]] = {
        "left_row": lambda: left[order],
        "right_row": lambda: right[order],
        **{
            name: partial(lambda texts, *parts: pl.Series(texts, dtype=pl.String).gather(ordered(*parts)), *said)
            for name, said in words.items()
        },
        **{name: partial(ordered, *parts) for name, parts in numbers.items() if name != "w_relatives"},
        "w_prior": lambda: np.full(len(order), certain.prior),
        **{f"w_{name}": partial(weight, name) for name in names},
        "w_relatives": partial(ordered, *numbers["w_relatives"]),
        **{f"level_{name}": partial(lambda at: vectors[:, at][pattern], at) for at, name in enumerate(names)},
    }
    return pl.DataFrame(dict(zip(columns, side_by_side(columns.values()), strict=True)))
