"""The truth about a night, for tests and benchmarks: who is behind each row, and what every child's status must be.

What belongs here: the four tables, five with the dirtied cells, of `truth/DATE/`. The pipeline never reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from kcb_pipeline.sample import files
from kcb_pipeline.sample.damage import is_undecidable
from kcb_pipeline.sample.expected import expected_status
from kcb_pipeline.sample.layout import Ledger
from kcb_pipeline.sample.people import Child
from kcb_pipeline.sample.world import World

Schema = dict[str, pl.DataType | type[pl.DataType]]

CHILDREN: Final[Schema] = {
    "person_key": pl.Int64,
    "population_type": pl.String,
    "population_row": pl.Int64,
    "name": pl.String,
    "sex": pl.String,
    "birth_date": pl.Date,
    "id_number": pl.String,
    "ethnicity": pl.String,
    "division_code": pl.String,
    "status": pl.String,
    "status_reason": pl.String,
    "registry_row": pl.Int64,
    "registry_rows": pl.List(pl.Int64),
    "stories": pl.List(pl.String),
    "notes": pl.List(pl.String),
    "population_damage": pl.List(pl.String),
    "registry_damage": pl.List(pl.String),
    "undecidable": pl.Boolean,
    "student_number": pl.String,
}
"""`children.parquet`: one row a child of the ledger, in the order of the population's rows."""
REGISTRY: Final[Schema] = {
    "registry_row": pl.Int64,
    "person_key": pl.Int64,
    "is_live": pl.Boolean,
    "damage": pl.List(pl.String),
    "duplicate_of": pl.Int64,
}
"""`registry.parquet`: every row of the student registry that says who it is about; `duplicate_of` on exact repeats."""
DUPLICATES: Final[Schema] = {
    "kind": pl.String,
    "person_key": pl.Int64,
    "kept_type": pl.String,
    "kept_row": pl.Int64,
    "duplicate_type": pl.String,
    "duplicate_row": pl.Int64,
}
"""`duplicates.parquet`: persons (双重户籍) and enrolments (重复学籍) of children that stand twice, by the row kept."""
QUARANTINE: Final[Schema] = {"source": pl.String, "row": pl.Int64, "rule": pl.String}
"""`quarantine.parquet`: rows that do not land; exact repeats under `duplicate_row`."""
CELLS: Final[Schema] = {"source": pl.String, "row": pl.Int64, "column": pl.String, "rule": pl.String}
"""`cells.parquet`: cells dirtied on purpose. Not all cell issues: those of identities are named in `damage`."""


def write_truth(world: World, folder: Path, ledger: Ledger) -> None:
    """Write the truth of the world's day; the rows must have been numbered by `layout`."""
    folder.mkdir(parents=True)
    files.parquet(folder / "children.parquet", _children(world))
    files.parquet(folder / "registry.parquet", _registry(world, ledger))
    files.parquet(folder / "duplicates.parquet", _duplicates(world))
    files.parquet(folder / "quarantine.parquet", _frame(sorted(ledger.quarantined), QUARANTINE))
    files.parquet(folder / "cells.parquet", _frame(sorted(ledger.cells), CELLS))


def _children(world: World) -> pl.DataFrame:
    order = sorted(world.children, key=lambda child: (child.registration is None, child.kept.row, child.person.key))
    return _frame([_child(world, child) for child in order], CHILDREN)


def _child(world: World, child: Child) -> tuple[object, ...]:
    person, seen, row = child.person, child.kept.seen, child.enrolment
    status, reason = expected_status(world, child)
    return (
        person.key,
        "registered" if child.registration is not None else "resident",
        child.kept.row,
        person.identity.name,
        person.identity.sex,
        person.birth,
        person.identity.id_number,
        person.ethnicity,
        child.kept.village.township.county.code,
        status,
        reason or None,
        row.row if row is not None else None,
        sorted(enrolment.row for enrolment in child.enrolments),
        child.stories,
        list(person.notes),
        list(seen.damage),
        list(row.seen.damage) if row is not None else [],
        child.undecidable or (row is not None and is_undecidable(seen, row, person)),
        row.number if row is not None else None,
    )


def _registry(world: World, ledger: Ledger) -> pl.DataFrame:
    repeats = dict(ledger.copies)
    about = {row.row: (row.person.key, row.is_live, list(row.seen.damage)) for row in world.enrolments()}
    rows: list[tuple[object, ...]] = [(row, *facts, None) for row, facts in about.items()]
    rows += [(row, *about[first], first) for row, first in repeats.items()]
    return _frame(rows, REGISTRY).sort("registry_row")


def _duplicates(world: World) -> pl.DataFrame:
    """Persons and enrolments that stand twice, each with the row that is kept."""
    found: list[tuple[str, int, str, int, str, int]] = []
    live: dict[int, list[tuple[str, int]]] = {}
    for row in world.registrations:
        if row.is_live and row.person.key in world.child_of:
            live.setdefault(row.person.key, []).append(("registered", row.row))
    for permit in world.permits:
        if permit.is_live and permit.person.key in world.child_of:
            live.setdefault(permit.person.key, []).append(("resident", permit.row))
    for key, rows in live.items():
        child = world.child_of[key]
        kept = ("registered" if child.registration is not None else "resident", child.kept.row)
        found += [("person", key, *kept, *other) for other in rows if other != kept]
    for child in world.children:
        main = child.enrolment
        if main is not None and main.is_live:
            found += [
                ("enrolment", child.person.key, "registry", main.row, "registry", other.row)
                for other in child.enrolments
                if other.is_live and other is not main
            ]
    return _frame(sorted(found), DUPLICATES)


def _frame(rows: Sequence[tuple[object, ...]], schema: Schema) -> pl.DataFrame:
    columns: Iterable[Sequence[object]] = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pl.DataFrame([_series(name, cells, schema[name]) for name, cells in zip(schema, columns, strict=True)])


def _series(name: str, cells: Sequence[object], dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    if not isinstance(dtype, pl.List):
        return pl.Series(name, cells, dtype=dtype)
    # Polars takes ten times as long for a list of lists as for their words in one text; no word here has a blank in it.
    texts = [" ".join(str(word) for word in cell) for cell in cells if isinstance(cell, list)]
    return pl.Series(name, texts, dtype=pl.String).str.extract_all(r"[^ ]+").cast(dtype)
