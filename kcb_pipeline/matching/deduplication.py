"""`deduplicate`: one table of persons in, which of its records are one person out.

The same comparisons, model and weights as `link`; what differs is that nobody is in one pair only. Pairs are therefore not assigned
but clustered: clusters are merged while the weights of all pairs between them add up to more than nothing (greedy correlation
clustering; Bansal, Blum & Chawla 2004), so that one resembling record does not chain two people together.

Nobody knows of a record of one table that it is somebody else. But where people stand twice and hardly anybody three times, whoever else resembles
one of a sure pair is, and says how often strangers reach a weight (`calibration`). Where many stand three times the model's odds count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.blocking import candidates
from kcb_pipeline.matching.calibration import SURE, calibrate, odds
from kcb_pipeline.matching.comparisons import Levels, Pairs
from kcb_pipeline.matching.components import components
from kcb_pipeline.matching.deciding import LINKED, REJECTED, REVIEW
from kcb_pipeline.matching.linkage import PROBABILISTIC
from kcb_pipeline.matching.model import Model, estimate_household, estimate_m, estimate_u
from kcb_pipeline.matching.quality import Quality
from kcb_pipeline.matching.settings import Settings
from kcb_pipeline.matching.unblocked import unblocked_pairs
from kcb_pipeline.matching.weighing import (
    Rarities,
    Records,
    Weights,
    check,
    content_hashes,
    equal_pairs,
    levels_of,
    near_by_chance,
    patterns_of,
    prepare,
    sample,
    weights_of,
    with_keys,
    with_near,
)
from kcb_pipeline.progress import SILENT, Progress

REASON_ONE_CLUSTER: Final = "one_cluster"
REASON_DOUBT: Final = "evidence_leaves_doubt"
REASON_OTHERS_DISAGREE: Final = "others_of_the_cluster_disagree"
REASON_WEAK: Final = "evidence_too_weak"

_SAMPLE: Final = 700
"""Records whose pairs estimate u: 245,000 pairs."""
_ROUNDS: Final = 3
"""Chance is learned from a table that holds the duplicates themselves; each round leaves out what the last one found to be one person."""
_LARGEST_COMPONENT: Final = 300
"""Records connected to each other beyond which only the pairs that blocking gave are weighed."""
_NEVER_COMPARED: Final = -4.0
"""Weight (log2) of a pair inside a larger component that no blocking rule brought together."""
_FEW_THREE_TIMES: Final = 0.02
"""Share of those who surely stand twice that may stand three times where whoever else resembles them is somebody else."""
_SURELY: Final = 30.0
"""Weight (log2) beyond which no calibration goes."""


@dataclass(frozen=True)
class Deduplication:
    """What `deduplicate` found.

    links: one row a pair that was decided on, `left_row` < `right_row`, otherwise as `LinkResult.links`; a linked pair is as probable as the weakest
        of the pairs that hold it together by their strongest ones.
    clusters: `row`, `cluster` for every record; a cluster is named by its lowest row.
    model, settings: what weighed them. blocking: pairs by rule. quality: estimated errors, of pairs.
    """

    links: pl.DataFrame
    clusters: pl.DataFrame
    model: Model
    settings: Settings
    blocking: pl.DataFrame
    quality: Quality

    @property
    def linked(self) -> pl.DataFrame:
        """The pairs that are one person."""
        return self.links.filter(pl.col("decision") == LINKED)


def deduplicate(
    records: Records, settings: Settings, *, model: Model | None = None, progress: Progress = SILENT
) -> Deduplication:
    """Find which records of one table are one person.

    `settings.keys`, `policy` and `relatives` are for two tables and say nothing here. TypeError, ValueError: see `weighing.check`.
    """
    check(settings, records, model=model)
    table = prepare(records, settings)
    keyed = with_keys(settings, table, settings.rules)
    found = candidates(keyed, keyed, settings.rules, largest_block=settings.largest_block, within=True)
    pairs = Pairs(table, table, found.left, found.right)
    progress.update("block", 1, 3, rows=len(pairs))
    levels = levels_of(settings.comparisons, pairs)
    rare = Rarities.of(settings, table, table)
    if model is None:
        model = _learn(settings, table, rare, pairs, levels)
    progress.update("estimate", 2, 3, rows=len(pairs))
    total = _weights(settings, model, rare, pairs, levels).total
    shift = float(np.log2(settings.false_link_cost))
    further = _uncompared(pairs, total > shift, table.height)
    if len(further):
        more = levels_of(settings.comparisons, further)
        rows_l = np.concatenate([pairs.rows_l, further.rows_l])
        pairs = Pairs(table, table, rows_l, np.concatenate([pairs.rows_r, further.rows_r]))
        levels = {name: np.concatenate([levels[name], more[name]]) for name in levels}
    weights = _weights(settings, model, rare, pairs, levels)
    believed, witnesses = _calibrated(pairs, weights.total, table.height, settings.link_probability)
    cluster = _clusters(pairs, believed - shift, table.height, content_hashes(table, settings.comparisons))
    linked = cluster[pairs.rows_l] == cluster[pairs.rows_r]
    probability = _probability(pairs, believed, cluster, linked)
    rules = np.concatenate([found.rules, np.zeros(len(further), dtype=np.int64)])
    quality = Quality(
        links=int(linked.sum()),
        # Sorted first: the last bit of a sum depends on the order of what is summed, and that on the order of the rows.
        false_links=float(pl.Series(1 - probability[linked]).sort().sum()),
        missed=float(pl.Series(probability[~linked]).sort().sum()),
        unblocked=unblocked_pairs(rules[linked], probability[linked], settings.blocking),
        witnesses=witnesses,
    )
    contested = ~linked & (odds(believed) >= settings.link_probability)
    links = _decided(settings, pairs, weights, probability, linked, contested)
    clusters = pl.DataFrame({"row": np.arange(table.height), "cluster": cluster})
    progress.update("decide", 3, 3, rows=links.height)
    return Deduplication(links, clusters, model, settings, found.report, quality)


def _weights(settings: Settings, model: Model, rare: Rarities, pairs: Pairs, levels: dict[str, Levels]) -> Weights:
    patterns = patterns_of(settings, levels, len(pairs))
    return weights_of(settings, model, patterns, rare.among(pairs.rows_l, pairs.rows_r))


def _learn(settings: Settings, table: pl.DataFrame, rare: Rarities, pairs: Pairs, levels: dict[str, Levels]) -> Model:
    """u, m and the prior, leaving out of chance what the model itself takes for one person."""
    few = sample(settings, table, _SAMPLE)
    first, second = np.triu_indices(len(few), k=1)
    random = Pairs(table, table, few[first], few[second])
    random_levels = levels_of(settings.comparisons, random)
    equal = {c.name: equal_pairs(table[c.code]) for c in settings.comparisons if c.code in table.columns}
    patterns = patterns_of(settings, levels, len(pairs))
    whole = max(table.height * (table.height - 1) / 2, 1.0)
    expected = settings.expected_matches or 0.25 * table.height
    is_one, is_one_at_random = np.zeros(len(pairs), dtype=bool), np.zeros(len(random), dtype=bool)
    for _ in range(_ROUNDS):
        collisions = {
            name: (max(same - float((levels[name][is_one] == 0).sum()), 0.0) + 0.5) / (pairs_there + 1)
            for name, (same, pairs_there) in equal.items()
        }
        chance = {name: values[~is_one_at_random] for name, values in random_levels.items()}
        u = estimate_u(settings, chance, collisions)
        kin = estimate_household(settings, [patterns], u, pairs=[whole], expected_repeats=expected)
        model = estimate_m(settings, patterns, u, pairs=whole, expected_matches=expected, kin=kin)
        model = with_near(
            settings, model, near_by_chance(settings, model, patterns, rare.among(pairs.rows_l, pairs.rows_r))
        )
        is_one = _weights(settings, model, rare, pairs, levels).total > 0
        is_one_at_random = _weights(settings, model, rare, random, random_levels).total > 0
    return model


def _components(pairs: Pairs, joined: NDArray[np.bool_], rows: int) -> NDArray[np.int64]:
    """For each record the lowest record it is connected to."""
    return components(pairs.rows_l[joined], pairs.rows_r[joined], rows)


def _uncompared(pairs: Pairs, joined: NDArray[np.bool_], rows: int) -> Pairs:
    """The pairs inside components that no blocking rule gave."""
    component = _components(pairs, joined, rows)
    members = pl.DataFrame({"component": component, "row": np.arange(rows)})
    tangled = members.filter(pl.len().over("component").is_between(3, _LARGEST_COMPONENT))
    every = tangled.join(tangled, on="component").filter(pl.col("row") < pl.col("row_right"))
    compared = pl.DataFrame({"row": pairs.rows_l, "row_right": pairs.rows_r})
    missing = every.join(compared, on=["row", "row_right"], how="anti").sort("row", "row_right")
    return Pairs(pairs.left, pairs.right, missing["row"].to_numpy(), missing["row_right"].to_numpy())


def _clusters(pairs: Pairs, weights: NDArray[np.float64], rows: int, hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Merge, in each component, the two clusters whose pairs weigh most together, while that is more than nothing.

    Equal weights are taken in the order of the records' content, not of their rows.
    """
    joined = weights > 0
    component = _components(pairs, joined, rows)
    cluster = component.copy()
    inside = component[pairs.rows_l] == component[pairs.rows_r]
    sizes = np.bincount(component, minlength=rows)
    tangled = np.flatnonzero(inside & (sizes[component[pairs.rows_l]] > 2))
    if not tangled.size:
        return cluster
    order = tangled[np.argsort(component[pairs.rows_l[tangled]], kind="stable")]
    bounds = np.flatnonzero(np.diff(component[pairs.rows_l[order]], prepend=-1))
    for start, end in zip(bounds, [*bounds[1:], len(order)], strict=True):
        places = order[start:end]
        members = np.unique(np.concatenate([pairs.rows_l[places], pairs.rows_r[places]]))
        members = members[np.argsort(hashes[members], kind="stable")]
        size = len(members)
        at = {int(row): place for place, row in enumerate(members)}
        between = np.full((size, size), _NEVER_COMPARED)
        i = np.array([at[int(row)] for row in pairs.rows_l[places]])
        j = np.array([at[int(row)] for row in pairs.rows_r[places]])
        between[i, j] = between[j, i] = weights[places]
        for group in _merged(between):
            cluster[members[group]] = members[group].min()
    return cluster


def _merged(between: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """The clusters of one component, from the weights of all its pairs."""
    size = len(between)
    np.fill_diagonal(between, -np.inf)
    groups = {place: [place] for place in range(size)}
    while len(groups) > 1:
        best = int(np.argmax(between))
        a, b = divmod(best, size)
        if between[a, b] <= 0:
            break
        a, b = min(a, b), max(a, b)
        between[a] += between[b]
        between[:, a] += between[:, b]
        between[a, a] = between[b] = between[:, b] = -np.inf
        groups[a] += groups.pop(b)
    return [np.array(sorted(places)) for places in groups.values()]


def _calibrated(
    pairs: Pairs, total: NDArray[np.float64], rows: int, link_probability: float
) -> tuple[NDArray[np.float64], float]:
    """The weights, less where witnesses say so, and how many witnesses weigh as much as a link.

    Who surely stands twice is one of a pair from `SURE` on. For each of its records the best pair with anybody else is a witness.
    """
    sure = total >= SURE
    core = _components(pairs, sure, rows)
    sizes = np.bincount(core, minlength=rows)
    if (sizes > 2).sum() > _FEW_THREE_TIMES * (sizes > 1).sum():
        return total, 0.0
    best, other = np.full(rows, -np.inf), np.full(rows, -np.inf)
    outside = core[pairs.rows_l] != core[pairs.rows_r]
    for of_pair in (pairs.rows_l, pairs.rows_r):
        np.maximum.at(best, of_pair, total)
        np.maximum.at(other, of_pair[outside], total[outside])
    other[sizes[core] < 2] = -np.inf
    choosing = best > -_SURELY
    found = calibrate(best[choosing], other[choosing], choosers=rows, studied=np.empty(0))
    probability = np.clip(found.probability(total), 2.0**-_SURELY, 1 - 2.0**-_SURELY)
    believed = np.where(total > -_SURELY, np.minimum(total, np.log2(probability) - np.log2(1 - probability)), total)
    reaching = found.reaching[np.flatnonzero(found.probabilities >= link_probability)[-1:]]
    return believed, float(reaching.sum())


def _probability(
    pairs: Pairs, weights: NDArray[np.float64], cluster: NDArray[np.int64], linked: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Of each pair. Records of one cluster are one person as surely as the pairs are that connect them; those of two no more surely than
    all the pairs between the two together say.
    """
    carried = weights.copy()
    sizes = np.bincount(cluster, minlength=len(cluster))[cluster[pairs.rows_l]]
    inside = np.flatnonzero(linked & (sizes > 2) & (sizes <= _LARGEST_COMPONENT))
    for places in _grouped(inside, cluster[pairs.rows_l[inside]]):
        members, at = np.unique([pairs.rows_l[places], pairs.rows_r[places]], return_inverse=True)
        i, j = at.reshape(2, -1)
        between = np.full((len(members), len(members)), -np.inf)
        between[i, j] = between[j, i] = weights[places]
        for by in range(len(members)):
            between = np.maximum(between, np.minimum(between[:, [by]], between[[by], :]))
        carried[places] = between[i, j]
    apart = np.flatnonzero(~linked)
    a, b = cluster[pairs.rows_l[apart]], cluster[pairs.rows_r[apart]]
    # Summed in the order of what is summed: the last bit depends on it.
    order = np.lexsort((weights[apart], np.maximum(a, b), np.minimum(a, b)))
    apart, a, b = apart[order], np.minimum(a, b)[order], np.maximum(a, b)[order]
    if apart.size:
        of_two = np.cumsum((np.diff(a, prepend=-1) != 0) | (np.diff(b, prepend=-1) != 0)) - 1
        carried[apart] = np.minimum(weights[apart], np.bincount(of_two, weights[apart])[of_two])
    return odds(carried)


def _grouped(places: NDArray[np.int64], groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The places by their groups."""
    order = np.argsort(groups, kind="stable")
    return np.split(places[order], np.flatnonzero(np.diff(groups[order])) + 1) if len(places) else []


def _decided(
    settings: Settings,
    pairs: Pairs,
    weights: Weights,
    probability: NDArray[np.float64],
    linked: NDArray[np.bool_],
    contested: NDArray[np.bool_],
) -> pl.DataFrame:
    """The pairs worth keeping. contested: those that would be linked, did not others of their clusters disagree."""
    total = weights.total
    review = ~linked & ~contested & (probability >= settings.review_probability)
    words = {
        "decision": np.select([linked, review | contested], [LINKED, REVIEW], default=REJECTED),
        "reason": np.select(
            [linked, contested, review],
            [REASON_ONE_CLUSTER, REASON_OTHERS_DISAGREE, REASON_DOUBT],
            default=REASON_WEAK,
        ),
    }
    keep = np.flatnonzero(linked | review | contested)
    return pl.DataFrame(
        {
            "left_row": pairs.rows_l[keep],
            "right_row": pairs.rows_r[keep],
            "decision": words["decision"][keep].tolist(),
            "method": [PROBABILISTIC] * len(keep),
            "reason": words["reason"][keep].tolist(),
            "match_weight": total[keep],
            "probability": probability[keep],
            "runner_up_gap": total[keep],
            **{f"w_{name}": weight for name, weight in weights.columns(keep).items()},
            **{f"level_{name}": level for name, level in weights.levels(settings, keep).items()},
        },
        schema_overrides={"decision": pl.String, "method": pl.String, "reason": pl.String},
    ).sort("left_row", "right_row")
