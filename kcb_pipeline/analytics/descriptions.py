"""How closely each child may be described, so that every description fits a crowd (k-anonymity by local recoding).

A child is described by what somebody who knows it could know: when it was first shown, where it lives, when and as what it was born,
its sex and four circumstances. Children who agree in everything are a cell. A ladder of descriptions, each coarser than the one
before it, is climbed down: whoever shares a description with enough children, not too many of whom are out of school, keeps it; the
others go on to the next. Nobody is left out, because the last rung says nothing.

A place must not be told by subtraction either: who is described without a township, of a township whose total is known elsewhere,
are none or enough as well, and go on together with the smallest group of the township where they are too few.

This works on counts of cells, so that its cost is that of the cells and not of the children.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

CELL: Final = (
    "shown_from_version", "division_code", "township_code", "born", "sex", "ethnicity", "population_type",
    "left_behind", "migrant", "disabled", "poverty_household",
)  # fmt: skip
"""What is known of a child at the finest; `born` is the year to whose 31 August its cohort counts."""

DESCRIPTION: Final = (
    "division_code", "township_code", "born_from", "born_to", "sex", "ethnicity", "population_type",
    "left_behind", "migrant", "disabled", "poverty_household",
)  # fmt: skip
"""What is said of a child. Missing is withheld; what a source did not know is `unknown`."""

_FLAGS: Final = ("left_behind", "migrant", "disabled", "poverty_household")
_HAN: Final = "01"


@dataclass(frozen=True, slots=True)
class Rung:
    """One description. place: how much of it. years: of birth in one band, 0 for none. ethnicity: the `code`, or `han` or not."""

    place: str
    years: int
    ethnicity: str = ""
    sex: bool = True
    residence: bool = True
    flags: bool = True


LADDER: Final = (
    Rung("township", 1, "code"),
    Rung("township", 1, "han"),
    Rung("township", 1),
    Rung("township", 3),
    Rung("township", 0),
    Rung("division", 1, "code"),
    Rung("division", 3, "han"),
    Rung("division", 3),
    Rung("division", 0),
    Rung("division", 3, residence=False, flags=False),
    Rung("division", 0, sex=False, residence=False, flags=False),
    Rung("whole", 1),
    Rung("whole", 3),
    Rung("whole", 0, sex=False),
    Rung("whole", 0, sex=False, residence=False, flags=False),
)
"""Ethnicity first, then the year of birth, then the township, and only then the circumstances: what becomes of disabled or left-behind
children is what analysts are asked, and counts by township stand in `statistics`."""

_PLACES: Final = {"township": ("division_code", "township_code"), "division": ("division_code",), "whole": ()}


def describe(cells: pl.DataFrame, *, smallest: int, most_certain: float) -> pl.DataFrame:
    """Say of each cell how it is described.

    cells: the columns of `CELL`, with `children` and `out_of_school`, their numbers. Gives them with the columns of `DESCRIPTION`
    (suffixed `_said`) and `rung`, the place in `LADDER`. Children first shown together with fewer than `smallest` stay on the last rung.
    """
    cells = cells.with_row_index("cell").with_columns(pl.lit(None, dtype=pl.Int32).alias("rung"))
    for place in _PLACES:
        for number, rung in enumerate(LADDER):
            if rung.place == place:
                cells = _settle(cells, number, smallest, most_certain)
        cells = _keep_company(cells, place, smallest, most_certain)
    return _worded(cells.with_columns(pl.col("rung").fill_null(len(LADDER) - 1))).drop("cell")


def _worded(cells: pl.DataFrame) -> pl.DataFrame:
    """Cells that have a rung, with what is said of them on it."""
    parts = [
        cells.filter(pl.col("rung") == number).with_columns(
            expression.alias(f"{name}_said") for name, expression in _said(rung).items()
        )
        for number, rung in enumerate(LADDER)
    ]
    return pl.concat(parts).sort("cell")


def _said(rung: Rung) -> dict[str, pl.Expr]:
    """The columns of a description on one rung."""
    place = _PLACES[rung.place]
    born = pl.col("born")
    band = (born // rung.years) * rung.years if rung.years else pl.lit(None, dtype=pl.Int32)
    ethnicity = {
        "code": pl.col("ethnicity"),
        "han": pl.when(pl.col("ethnicity") == _HAN).then(pl.lit(_HAN)).otherwise(pl.lit("other")),
        "": _withheld(pl.String),
    }[rung.ethnicity]
    flags = {name: pl.col(name) if rung.flags else _withheld(pl.Boolean) for name in _FLAGS}
    return {
        **{
            name: pl.col(name) if name in place else _withheld(pl.String) for name in ("division_code", "township_code")
        },
        "born_from": band.cast(pl.Int32),
        "born_to": (band + max(rung.years - 1, 0)).cast(pl.Int32),
        "sex": pl.col("sex") if rung.sex else _withheld(pl.String),
        "ethnicity": ethnicity,
        "population_type": pl.col("population_type") if rung.residence else _withheld(pl.String),
        **flags,
    }


def _withheld(kind: type[pl.DataType]) -> pl.Expr:
    return pl.lit(None, dtype=kind)


def _is_safe(smallest: int, most_certain: float) -> pl.Expr:
    """Whether a group is a crowd: enough children, and not so many of them out of school that belonging to it says it."""
    return (pl.col("children").sum() >= smallest) & (
        pl.col("out_of_school").sum() <= most_certain * pl.col("children").sum()
    )


def _settle(cells: pl.DataFrame, number: int, smallest: int, most_certain: float) -> pl.DataFrame:
    """Cells that have no rung yet, and whose group on this one is safe, stay on it."""
    said = _said(LADDER[number])
    waiting = cells.filter(pl.col("rung").is_null()).select(
        "cell", "children", "out_of_school", pl.col("shown_from_version").alias("shown"), *(e.alias(f"_{n}") for n, e in said.items())
    )  # fmt: skip
    settled = waiting.filter(_is_safe(smallest, most_certain).over("shown", *(f"_{name}" for name in said)))
    return cells.with_columns(
        pl.when(pl.col("cell").is_in(settled["cell"].implode())).then(number).otherwise(pl.col("rung")).cast(pl.Int32).alias("rung")
    )  # fmt: skip


def _keep_company(cells: pl.DataFrame, place: str, smallest: int, most_certain: float) -> pl.DataFrame:
    """Let groups go on with those of their place who have to, until these are none or a crowd themselves.

    The groups of the coarsest place go first, and of these the smallest.
    """
    keys = ("shown_from_version", *_PLACES[place])
    waiting = cells.filter(pl.col("rung").is_null()).group_by(keys).agg(pl.col("children", "out_of_school").sum())
    lonely = waiting.filter(
        (pl.col("children") < smallest) | (pl.col("out_of_school") > most_certain * pl.col("children"))
    )
    if lonely.is_empty():
        return cells
    settled = cells.filter(pl.col("rung").is_not_null()).join(lonely.select(keys), on=list(keys), how="semi")
    places = [list(_PLACES).index(rung.place) for rung in LADDER]
    said = [f"{name}_said" for name in DESCRIPTION]
    groups = (
        _worded(settled)
        .group_by("shown_from_version", "rung", *said)
        .agg(
            pl.col("children", "out_of_school").sum(),
            pl.col("cell"),
            *(pl.col(name).first() for name in _PLACES[place]),
        )
        .with_columns(pl.col("rung").replace_strict(list(range(len(LADDER))), places).alias("place"))
        .sort("place", "children", "rung", *said, descending=[True, *[False] * (len(said) + 2)])
    )
    by_place = groups.partition_by(keys, as_dict=True, maintain_order=True)
    freed: list[int] = []
    for row in lonely.iter_rows(named=True):
        children, out = row["children"], row["out_of_school"]
        for group in by_place.get(tuple(row[key] for key in keys), groups.clear()).iter_rows(named=True):
            if children >= smallest and out <= most_certain * children:
                break
            children, out = children + group["children"], out + group["out_of_school"]
            freed += group["cell"]
    return cells.with_columns(pl.when(pl.col("cell").is_in(freed)).then(None).otherwise(pl.col("rung")).alias("rung"))
