"""Rows that bear one number: one person, or people who share it.

A number says who its bearer is only where it may be the bearer's own. In the child's column of a register there often stands a parent's
(domain.md §1.1), on two sisters even; such a number tells a family and no more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.matching.chinese import FORMER_NAME, LOST_OR_ADDED, name_levels

SideBySide = Callable[[pl.DataFrame], pl.Series]
"""Of pairs of rows (the columns of the second end in `FIRST`) that would be one person under two names: whether two people are known who bear them."""

FIRST: Final = "_first"
"""The suffix of the columns of the row that the others of its group are held against."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """edges: pairs of rows of one person. shared: the rows of a number that two people share, rising."""

    edges: NDArray[np.int64]
    shared: NDArray[np.int64]


def same_number(rows: pl.DataFrame, *, adults_before: dt.date, side_by_side: SideBySide) -> Verdict:
    """Rows of one number held against the first of their group.

    One name, in any of its forms or a former one, is one person. Another name is the same person's where the number may be the child's own and
    birth date and sex agree: a name that resembles, or any name on a row that is not live and so may bear an earlier one. It is not where the number's
    birth date is another or an adult's (`adults_before`), nor where both names are known side by side: so do brothers share a number.

    rows: group, ref, name_key, folded, former_folded, number_born (the birth date in the number, missing where it holds none), birth_date, sex,
    is_live, and what `side_by_side` looks at; sorted by group, those that best speak for their person first.
    """
    if rows.is_empty():
        return Verdict(_no_edges(), np.empty(0, dtype=np.int64))
    heads = rows.filter(pl.struct("group", "folded").is_first_distinct() | pl.col("folded").is_null())
    first = heads.filter(pl.col("group").is_first_distinct())
    pairs = heads.join(first.select("group", pl.exclude("group").name.suffix(FIRST)), on="group", maintain_order="left")
    pairs = pairs.filter(pl.col("ref") != pl.col(f"ref{FIRST}"))
    level = pl.Series("level", name_levels(pairs["name_key"].fill_null(""), pairs[f"name_key{FIRST}"].fill_null("")))
    judged = pairs.with_columns(level).with_columns(
        one_name=(pl.col("level") <= FORMER_NAME)
        | _equal("folded", f"former_folded{FIRST}", missing=False)
        | _equal("former_folded", f"folded{FIRST}", missing=False),
        may_be_own=(pl.col("number_born") == pl.col("birth_date")).fill_null(value=True)
        & (pl.col("number_born") >= adults_before).fill_null(value=True)
        & _equal("birth_date", f"birth_date{FIRST}", missing=True)
        & _equal("sex", f"sex{FIRST}", missing=True),
    )
    other_name = (pl.col("level") <= LOST_OR_ADDED) | ~pl.col("is_live")
    judged = judged.with_columns(other_name=~pl.col("one_name") & pl.col("may_be_own") & other_name)
    doubtful = judged.filter("other_name")
    if doubtful.height:
        two = doubtful.filter(side_by_side(doubtful)).select("ref")
        judged = judged.with_columns(other_name=pl.col("other_name") & ~pl.col("ref").is_in(two["ref"].implode()))
    agree = pl.col("one_name") | pl.col("other_name")
    shared = rows.filter(pl.col("group").is_in(judged.filter(~agree)["group"].unique().implode()))
    return Verdict(
        np.concatenate([_edges(judged.filter(agree), f"ref{FIRST}"), _of_one_name(rows, heads)]),
        shared["ref"].unique().sort().to_numpy().astype(np.int64),
    )


def _of_one_name(rows: pl.DataFrame, heads: pl.DataFrame) -> NDArray[np.int64]:
    """Rows of a number and of one name with the first of them, whoever else bears the number."""
    of_name = heads.drop_nulls("folded").select("group", "folded", pl.col("ref").alias("head"))
    others = rows.join(of_name, on=["group", "folded"], maintain_order="left").filter(pl.col("ref") != pl.col("head"))
    return _edges(others, "head")


def _equal(a: str, b: str, *, missing: bool) -> pl.Expr:
    return (pl.col(a) == pl.col(b)).fill_null(value=missing)


def _edges(pairs: pl.DataFrame, first: str) -> NDArray[np.int64]:
    return pairs.select(first, "ref").to_numpy().astype(np.int64).reshape(-1, 2)


def _no_edges() -> NDArray[np.int64]:
    return np.empty((0, 2), dtype=np.int64)
