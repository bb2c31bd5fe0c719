"""Which pairs are looked at: every pair in doubt, and of the others so many of each band of match weight, drawn with known chances.

Pairs are drawn by permanent random numbers (Ohlsson 1995, Coordination of samples using permanent random numbers): a pair's number
is a digest, and the lowest of each stratum are taken. That is a simple random sample of the stratum, and a pair half answered is drawn
again the next night. What people have decided is a stratum of its own, so that pairs they mended do not stand for those nobody looked at.
"""

from __future__ import annotations

import math
from typing import Final

import polars as pl

EDGES: Final = (-10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
"""Where one band of match weight ends and the next begins (log2)."""

REVIEW, REVIEWED = "review", "reviewed"


def draw(pairs: pl.DataFrame, per_band: int) -> pl.DataFrame:
    """The pairs to look at, with `stratum`, `band`, `stratum_size` and `inclusion` (the chance each pair had of being drawn).

    pairs: pair, decision, method, match_weight. Strata are decision × band; all of `review`, and all a person has decided, are taken.
    """
    decision = pl.when(pl.col("method") == REVIEWED).then(pl.lit(REVIEWED)).otherwise(pl.col("decision"))
    whole = decision.is_in([REVIEW, REVIEWED])
    band = pl.lit(0, dtype=pl.Int64)
    for edge in EDGES:
        band = band + (pl.col("match_weight") >= edge).cast(pl.Int64)
    stratum = pl.struct("stratum", "band")
    return (
        pairs.with_columns(decision.alias("stratum"), pl.when(whole).then(pl.lit(-1)).otherwise(band).alias("band"))
        .with_columns(pl.len().over(stratum).alias("stratum_size"))
        .filter((pl.col("pair").rank("ordinal").over(stratum) <= per_band) | (pl.col("band") == -1))
        .with_columns((pl.len().over(stratum) / pl.col("stratum_size")).alias("inclusion"))
        .sort("stratum", "band", "pair")
    )


def band_words(band: int) -> str:
    """The weights of a band, as an interval.

    >>> band_words(4)
    '5 to 10'
    """
    if band < 0:
        return "all"
    low = EDGES[band - 1] if band else -math.inf
    high = EDGES[band] if band < len(EDGES) else math.inf
    if math.isinf(low):
        return f"below {high:g}"
    return f"from {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
