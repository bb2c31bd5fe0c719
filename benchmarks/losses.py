"""What a linker fails at: its missed and its wrong pairs of `benchmarks.population`, by what was done to the row of the right register.

python -m benchmarks.losses FOLDER OUT     FOLDER of the registers, OUT of the pairs (`benchmarks.ours … --whole` for why)
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table


def kinds(damage: pl.DataFrame) -> pl.DataFrame:
    """One text a row: everything that was done to it, `none` where nothing was."""
    words = [
        pl.when(pl.col(column) != "none").then(pl.concat_str(pl.lit(f"{what} "), pl.col(column).cast(pl.String)))
        for column, what in (("id_number", "ID"), ("name", "name"), ("birth_date", "date"))
    ]
    words += [
        pl.when("sex").then(pl.lit("sex")),
        pl.when("moved").then(pl.lit("moved")),
        pl.when(pl.col("guardians") == "missing").then(pl.lit("no guardians")),
        pl.when("twin").then(pl.lit("twin")),
    ]
    return damage.select("entity", pl.concat_str(words, separator=", ", ignore_nulls=True).alias("done")).with_columns(
        pl.when(pl.col("done") == "").then(pl.lit("none")).otherwise("done").alias("done")
    )


def losses(folder: Path, out: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Missed true pairs (with the score and reason they were turned down for, missing where never compared) and wrong links.

    Columns: entity (of the right row), done, score, and whatever else `pairs.parquet` has.
    """
    sides = [
        pl.read_parquet(folder / f"{side}.parquet", columns=["entity"]).with_row_index(f"{side}_row").cast(pl.Int64)
        for side in ("left", "right")
    ]
    pairs = pl.read_parquet(out / "pairs.parquet").with_columns(pl.col("left_row", "right_row").cast(pl.Int64))
    done = kinds(pl.read_parquet(folder / "damage.parquet"))
    truth = sides[0].join(sides[1], on="entity")
    missed = truth.join(pairs.filter("linked"), on=["left_row", "right_row"], how="anti")
    missed = missed.join(pairs, on=["left_row", "right_row"], how="left").join(done, on="entity", how="left")
    wrong = (
        pairs.filter("linked")
        .join(sides[0].rename({"entity": "left_entity"}), on="left_row")
        .join(sides[1], on="right_row")
        .filter(pl.col("left_entity") != pl.col("entity"))
        .join(done, on="entity", how="left")
    )
    return missed, wrong


def _table(title: str, rows: pl.DataFrame) -> Table:
    counts = (
        rows.group_by("done")
        .agg(pl.len().alias("pairs"), pl.col("score").is_null().sum().alias("never compared"), pl.col("score").median())
        .sort("pairs", "done", descending=[True, False])
    )
    table = Table(
        "what was done", "pairs", "not kept", "median score", title=f"{title}: {rows.height}", title_justify="left"
    )
    for done, pairs, never, score in counts.head(40).iter_rows():
        table.add_row(done, str(pairs), str(never), "" if score is None else f"{score:.1f}")
    return table


if __name__ == "__main__":
    console = Console(width=140)
    for title, rows in zip(("missed", "wrong"), losses(Path(sys.argv[1]), Path(sys.argv[2])), strict=True):
        console.print(_table(title, rows))
