"""`deduplicate`: one table of persons in, which of its records are one person out.

The same comparisons, model and weights as `link`; what differs is that nobody is in one pair only. Pairs are therefore not assigned
but clustered: clusters are merged while the weights of all pairs between them add up to more than nothing (greedy correlation
clustering; Bansal, Blum & Chawla 2004), so that one resembling record does not chain two people together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.blocking import candidates
from kcb_pipeline.matching.calibration import odds
from kcb_pipeline.matching.comparisons import Levels, Pairs
from kcb_pipeline.matching.components import components
from kcb_pipeline.matching.deciding import LINKED, REJECTED, REVIEW
from kcb_pipeline.matching.linkage import PROBABILISTIC
from kcb_pipeline.matching.model import Model, estimate_household, estimate_m, estimate_u
from kcb_pipeline.matching.settings import Settings
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


@dataclass(frozen=True)
class Deduplication:
    """What `deduplicate` found.

    links: one row a pair that was decided on, `left_row` < `right_row`, otherwise as `LinkResult.links`.
    clusters: `row`, `cluster` for every record; a cluster is named by its lowest row.
    model, settings: what weighed them. blocking: pairs by rule.
    """

    links: pl.DataFrame
    clusters: pl.DataFrame
    model: Model
    settings: Settings
    blocking: pl.DataFrame

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
    check(settings, records)
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
    cluster = _clusters(pairs, weights.total - shift, table.height, content_hashes(table, settings.comparisons))
    links = _decided(settings, pairs, weights, cluster)
    clusters = pl.DataFrame({"row": np.arange(table.height), "cluster": cluster})
    progress.update("decide", 3, 3, rows=links.height)
    return Deduplication(links, clusters, model, settings, found.report)


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


def _decided(settings: Settings, pairs: Pairs, weights: Weights, cluster: NDArray[np.int64]) -> pl.DataFrame:
    total = weights.total
    probability = odds(total)
    linked = cluster[pairs.rows_l] == cluster[pairs.rows_r]
    contested = ~linked & (probability >= settings.link_probability)
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
