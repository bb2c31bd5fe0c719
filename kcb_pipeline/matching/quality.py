"""How good a linkage is, estimated without labels: links that are wrong, pairs that were missed, overall and by group, with intervals.

The numbers are sums of the calibrated probabilities of `kcb_pipeline.matching.calibration`. Their uncertainty has two parts: which
pairs happen to be wrong (Poisson-binomial), and how well the calibration knows the rate, which is as well as it has witnesses for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

NORMAL_QUANTILE: Final = 1.96
"""95 % intervals."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is estimated of a result, without labels.

    false_links: of the links, how many are wrong. missed: true pairs that were compared and not linked. unblocked: true pairs
    that no blocking rule brought together (see `kcb_pipeline.matching.unblocked`). witnesses: pairs known to be of two people
    that weigh as much as a link does, from which the rate of false links is known.
    """

    links: int
    false_links: float
    missed: float
    unblocked: float
    witnesses: float = 0.0

    @property
    def precision(self) -> float:
        """Estimated share of the links that are right."""
        return 1 - self.false_links / self.links if self.links else 1.0

    @property
    def recall(self) -> float:
        """Estimated share of all true pairs that are linked."""
        right = self.links - self.false_links
        whole = right + self.missed + self.unblocked
        return right / whole if whole else 1.0

    @property
    def blocking_recall(self) -> float:
        """Estimated share of all true pairs that were compared at all."""
        compared = self.links - self.false_links + self.missed
        return compared / (compared + self.unblocked) if compared + self.unblocked else 1.0


def interval(mean: float, variance: float) -> tuple[float, float]:
    """95 % interval of a count that cannot be negative: the gamma distribution of that mean and variance (Wilson & Hilferty 1931)."""
    if mean <= 0 or variance <= 0:
        return max(mean, 0.0), max(mean, 0.0)
    shape = mean * mean / variance
    ends = [
        mean * max(1 - 1 / (9 * shape) + z / (3 * np.sqrt(shape)), 0.0) ** 3
        for z in (-NORMAL_QUANTILE, NORMAL_QUANTILE)
    ]
    return float(ends[0]), float(ends[1])


def quality_by(links: pl.DataFrame, groups: dict[str, pl.Series], quality: Quality) -> pl.DataFrame:
    """The estimates for the whole (`all`) and for each value of each grouping, to be compared with each other: bias shows here.

    links: as `LinkResult.links`. groups: grouping → its value for each row of `links`. Columns: grouping, code, links,
    false_links, missed (with _low and _high), unblocked (of the whole only), precision, recall.
    """
    said = links.select("decision", "probability")
    no_code = pl.Series([None], dtype=pl.String).new_from_index(0, links.height)
    # One grouping after the other: there are as many links as children.
    parts = [_counted(said, name, values) for name, values in {"all": no_code, **groups}.items()]
    counted = pl.concat(parts).sort("grouping", "code", nulls_last=False)
    entries = []
    for row in counted.iter_rows(named=True):
        unknown_rate = 1 / (quality.witnesses + 1)
        wrong, missed = row["false_links"], row["missed"]
        low, high = interval(wrong, row["false_variance"] + unknown_rate * wrong**2)
        missed_low, missed_high = interval(missed, row["missed_variance"] + unknown_rate * missed**2)
        is_whole = row["grouping"] == "all"
        found = Quality(row["links"], wrong, missed, quality.unblocked if is_whole else 0.0)
        entries.append(
            {
                "grouping": row["grouping"], "code": row["code"], "links": row["links"],
                "false_links": wrong, "false_links_low": low, "false_links_high": high,
                "missed": missed, "missed_low": missed_low, "missed_high": missed_high,
                "unblocked": quality.unblocked if is_whole else None,
                "precision": found.precision, "recall": found.recall,
            }
        )  # fmt: skip
    schema = {"grouping": pl.String, "code": pl.String, "links": pl.Int64} | dict.fromkeys(_NUMBERS, pl.Float64)
    return pl.DataFrame(entries, schema=schema).with_columns(pl.col(_NUMBERS).round(6))


def _counted(links: pl.DataFrame, grouping: str, values: pl.Series) -> pl.DataFrame:
    """What is linked and what may be missed, by the values of one grouping."""
    probability, is_link = pl.col("probability"), pl.col("decision") == "linked"
    by_value = links.with_columns(values.cast(pl.String).alias("code")).group_by("code")
    return by_value.agg(
        pl.lit(grouping).alias("grouping"),
        is_link.sum().cast(pl.Int64).alias("links"),
        # Sorted first: the last bit of a sum depends on the order of what is summed, and that on the order of the rows.
        (1 - probability).filter(is_link).sort().sum().alias("false_links"),
        (probability * (1 - probability)).filter(is_link).sort().sum().alias("false_variance"),
        probability.filter(~is_link).sort().sum().alias("missed"),
        (probability * (1 - probability)).filter(~is_link).sort().sum().alias("missed_variance"),
    )


_NUMBERS: Final = (
    "false_links", "false_links_low", "false_links_high", "missed", "missed_low", "missed_high", "unblocked", "precision", "recall",
)  # fmt: skip
