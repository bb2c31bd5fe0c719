"""Numbers that public security struck off because their bearer stands under another (重户, or 删除 with 保留的公民身份号码), with the one that is kept.

Schools go on under the old number for years: where name and birth date do not speak against it, it is a second key of who bears the kept one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.engines.sql import query, step_rows
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.standardise import person_keys
from kcb_pipeline.matching.chinese import LOST_OR_ADDED, name_levels

_BEARERS = """
SELECT ref, id_key, name_key, folded, former_folded, birth_date
FROM standard.population_keys WHERE id_key IN (SELECT id_key FROM wanted)
"""


@dataclass(frozen=True, slots=True)
class FormerNumbers:
    """edges: rows under a kept number with those under the former one. keys: `ref` of a row under a kept number, `former_key`."""

    edges: NDArray[np.int64]
    keys: pl.DataFrame


@dataclass(frozen=True, slots=True)
class StruckOff:
    """What public security said of numbers struck off for others, and the population-side rows that bear either.

    rows: `row` of what strikes off a number and not who bears it, valid or not.
    """

    rows: pl.DataFrame
    said: pl.DataFrame
    bearers: pl.DataFrame

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, on: dt.date) -> StruckOff:
        """As it stands on the day."""
        rows = step_rows(connection, "kcb_pipeline.identity", "merged_doubles")
        keys = pl.DataFrame([*person_keys(rows), id_number.key(rows["kept_id_number"], on=on).alias("kept_key")])
        said = (
            keys.drop_nulls(["id_key", "kept_key"])
            .filter(pl.col("id_key") != pl.col("kept_key"))
            .select(pl.col("id_key").alias("former_key"), "kept_key", "name_key", "folded", "birth_date")
            .unique(maintain_order=True)
        )
        wanted = pl.concat([said["former_key"], said["kept_key"]]).unique().sort().alias("id_key").to_frame()
        return cls(
            rows.select("row").sort("row"), said, query(connection, _BEARERS, beside={"wanted": wanted}).sort("ref")
        )

    def former_numbers(self, shared: NDArray[np.int64]) -> FormerNumbers:
        """Who bore which number before. shared: rows whose number is that of different people, which tells nothing.

        A number that leads to two people, or that somebody else bears too, is nobody's former one.
        """
        trusted = self.bearers.filter(~pl.col("ref").is_in(pl.Series(shared).implode()))
        merged = _agreeing(self.said, trusted, "former_key").select("former_key", "kept_key", former_ref="ref")
        others = self.bearers.filter(~pl.col("ref").is_in(merged["former_ref"].implode()))["id_key"]
        kept = _agreeing(self.said, trusted, "kept_key").filter(
            pl.col("kept_key").n_unique().over("former_key") == 1, ~pl.col("former_key").is_in(others.implode())
        )
        edges = kept.join(merged, on=["former_key", "kept_key"]).select("ref", "former_ref").unique().sort(pl.all())
        keys = kept.select("ref", "former_key").unique().sort("ref", "former_key")
        return FormerNumbers(edges.to_numpy().astype(np.int64).reshape(-1, 2), keys)


def _agreeing(said: pl.DataFrame, bearers: pl.DataFrame, key: str) -> pl.DataFrame:
    """What was said with each bearer of a number in it whose name and birth date do not speak against it."""
    pairs = said.join(bearers, left_on=key, right_on="id_key", suffix="_borne", maintain_order="left_right")
    level = name_levels(pairs["name_key"].fill_null(""), pairs["name_key_borne"].fill_null(""))
    like = (pl.Series("level", level) <= LOST_OR_ADDED) | (pairs["former_folded"] == pairs["folded"]).fill_null(
        value=False
    )
    same_birth = (pairs["birth_date"] == pairs["birth_date_borne"]).fill_null(value=True)
    return pairs.filter(like & same_birth)
