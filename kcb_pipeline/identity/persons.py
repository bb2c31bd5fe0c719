"""Which rows of one side are one person: 双重户籍 on the population side, 重复学籍 and earlier records in the registry.

Rows that share a valid number are one person if their names agree, and two people with a shared number (kept, no key) if they do
not. Rows with the same name, birth date and sex are one person if their guardians agree too. Everything else is left to the
matching of the two sides.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.engines.embedded import create, scalar
from kcb_pipeline.engines.sql import query, run_step, step_rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.matching.chinese import FORMER_NAME, LOST_OR_ADDED, Guardians, name_levels
from kcb_pipeline.matching.comparisons import Pairs
from kcb_pipeline.matching.components import components

OLDEST_PUPIL_YEARS = 25
"""Population rows born longer ago than this are nobody's pupil: they stay out of the comparison."""

SHARED_ID_NUMBER = "shared_id_number"

_PACKAGE = "kcb_pipeline.identity"

GUARDIANS = Guardians(
    "guardians",
    ids=("guardian_id_a", "guardian_id_b", "guardian_id_c"),
    phones=("guardian_phone_a", "guardian_phone_b"),
    names=("guardian_name_a", "guardian_name_b", "guardian_name_c"),
)

_POPULATION_GUARDIANS = """
SELECT 2 * row AS ref, father_id_number AS guardian_id_a, mother_id_number AS guardian_id_b, guardian_id_number AS guardian_id_c,
       guardian_phone AS guardian_phone_a, cast(NULL AS STRING) AS guardian_phone_b,
       father_name AS guardian_name_a, mother_name AS guardian_name_b, guardian_name AS guardian_name_c
FROM landed.population WHERE 2 * row IN (SELECT ref FROM wanted)
UNION ALL
SELECT 2 * row + 1, NULL, NULL, NULL, guardian_phone, NULL, guardian_name, NULL, NULL
FROM landed.residents WHERE 2 * row + 1 IN (SELECT ref FROM wanted)
"""
_REGISTRY_GUARDIANS = """
SELECT row AS ref, guardian1_id_number AS guardian_id_a, guardian2_id_number AS guardian_id_b, cast(NULL AS STRING) AS guardian_id_c,
       guardian1_phone AS guardian_phone_a, guardian2_phone AS guardian_phone_b,
       guardian1_name AS guardian_name_a, guardian2_name AS guardian_name_b, cast(NULL AS STRING) AS guardian_name_c
FROM landed.student_registry WHERE row IN (SELECT ref FROM wanted)
"""


@dataclass(frozen=True, slots=True)
class Resolved:
    """How many persons a side has, and what was found on the way."""

    rows: int
    persons: int
    grouped_rows: int
    shared_numbers: int


def born_from(on: dt.date) -> dt.date:
    """The earliest birth date of anybody who can be a pupil on that day."""
    return dt.date(on.year - OLDEST_PUPIL_YEARS, 1, 1)


def resolve_population(workspace: Workspace) -> Resolved:
    """Fill `standard.persons`, `standard.person_groups`, `standard.shared_numbers`, `standard.duplicate_persons`."""
    limit = {"born_from": born_from(workspace.comparison_date)}
    with workspace.connect() as connection:
        by_number = step_rows(connection, _PACKAGE, "population_number_groups").sort("id_key", "nth")
        verdict = _same_number(by_number.rename({"id_key": "group"}))
        namesakes = step_rows(connection, _PACKAGE, "population_namesakes", limit)
        edges = np.concatenate([verdict.edges, _namesakes_of_one_family(connection, namesakes, _POPULATION_GUARDIANS)])
        create(connection, "standard.shared_numbers", _as_column("ref", verdict.shared))
        create(connection, "standard.person_groups", _groups(edges, "ref", "person"))
        run_step(connection, _PACKAGE, "kept_rows", "standard.kept_rows", limit)
        run_step(connection, _PACKAGE, "persons", "standard.persons")
        run_step(connection, _PACKAGE, "duplicate_persons", "standard.duplicate_persons")
        _note_shared(connection, "population", "(ref // 2)", "ref % 2 = 0", "shared_numbers")
        _note_shared(connection, "residents", "(ref // 2)", "ref % 2 = 1", "shared_numbers")
        return _counted(connection, "population_keys", "persons", "person_groups", len(verdict.shared))


def resolve_registry(workspace: Workspace) -> Resolved:
    """Fill `standard.students`, `standard.student_groups` and `standard.shared_student_numbers`."""
    with workspace.connect() as connection:
        by_key = step_rows(connection, _PACKAGE, "registry_number_groups").sort("key_kind", "key_text", "nth")
        groups = by_key.with_columns(
            pl.struct("key_kind", "key_text").rank("dense").alias("group"), pl.col("row").alias("ref")
        )
        by_student_number = _same_number(groups.filter(pl.col("key_kind") == "student_number"))
        by_id_number = _same_number(groups.filter(pl.col("key_kind") == "id_number"))
        namesakes = step_rows(connection, _PACKAGE, "registry_namesakes")
        edges = np.concatenate(
            [
                by_student_number.edges,
                by_id_number.edges,
                _namesakes_of_one_family(connection, namesakes, _REGISTRY_GUARDIANS),
            ]
        )
        create(connection, "standard.shared_student_numbers", _as_column("row", by_id_number.shared))
        create(connection, "standard.student_groups", _groups(edges, "row", "student"))
        run_step(connection, _PACKAGE, "students", "standard.students")
        _note_shared(connection, "student_registry", "row", "true", "shared_student_numbers")
        return _counted(connection, "registry_keys", "students", "student_groups", len(by_id_number.shared))


@dataclass(frozen=True, slots=True)
class _Verdict:
    edges: NDArray[np.int64]
    shared: NDArray[np.int64]


def _same_number(rows: pl.DataFrame) -> _Verdict:
    """Rows of one number held against the first of their group: one person, or a number that two people share.

    rows: group, ref, nth, name_key, folded, former_folded, birth_date, sex, is_live; sorted by group and nth. A row that is not
    live needs only its birth date to agree: it is the same person under an earlier name.
    """
    if rows.is_empty():
        return _Verdict(np.empty((0, 2), dtype=np.int64), np.empty(0, dtype=np.int64))
    first = rows.filter(pl.col("nth") == 1).select(
        "group",
        pl.col("ref").alias("first_ref"),
        pl.col("name_key").alias("first_name"),
        pl.col("folded").alias("first_folded"),
        pl.col("former_folded").alias("first_former"),
        pl.col("birth_date").alias("first_birth"),
        pl.col("sex").alias("first_sex"),
    )
    pairs = rows.filter(pl.col("nth") > 1).join(first, on="group", how="left", maintain_order="left")
    level = name_levels(pairs["name_key"].fill_null(""), pairs["first_name"].fill_null(""))
    judged = pairs.with_columns(
        pl.Series("level", level),
        (
            (pl.col("birth_date") == pl.col("first_birth")).fill_null(value=True)
            & (pl.col("sex") == pl.col("first_sex")).fill_null(value=True)
        ).alias("same_birth"),
        ((pl.col("folded") == pl.col("first_former")) | (pl.col("former_folded") == pl.col("first_folded")))
        .fill_null(value=False)
        .alias("renamed"),
    )
    # One name is one person whatever became of the birth date. A name that only resembles needs birth date and sex beside it: so do
    # brothers on a shared number.
    agree = (
        (pl.col("level") <= FORMER_NAME)
        | pl.col("renamed")
        | ((pl.col("level") <= LOST_OR_ADDED) & pl.col("same_birth"))
    )
    agree |= ~pl.col("is_live") & pl.col("same_birth")
    judged = judged.with_columns(agree.alias("agree"))
    edges = judged.filter("agree").select("first_ref", "ref").to_numpy().astype(np.int64)
    two = judged.filter(~pl.col("agree"))["group"].unique()
    shared = rows.filter(pl.col("group").is_in(two.implode()))["ref"].unique().sort()
    return _Verdict(edges.reshape(-1, 2), shared.to_numpy().astype(np.int64))


def _namesakes_of_one_family(
    connection: duckdb.DuckDBPyConnection, namesakes: pl.DataFrame, guardians_sql: str
) -> NDArray[np.int64]:
    """Pairs of rows with one name, birth date and sex whose guardians are the same people."""
    if namesakes.is_empty():
        return np.empty((0, 2), dtype=np.int64)
    namesakes = namesakes.sort("ref_a", "ref_b")
    wanted = pl.concat([namesakes["ref_a"], namesakes["ref_b"]]).unique().sort().to_frame("ref")
    guardians = query(connection, guardians_sql, beside={"wanted": wanted})
    prepared = guardians.select("ref").hstack(GUARDIANS.prepare(guardians))
    sides = [
        namesakes.select(pl.col(side).alias("ref"))
        .join(prepared, on="ref", how="left", maintain_order="left")
        .with_columns(pl.exclude("ref").fill_null(0))
        for side in ("ref_a", "ref_b")
    ]
    level = GUARDIANS.levels(Pairs.aligned(*sides))
    same = (level == 0) | (level == 1)
    return namesakes.filter(pl.Series(same)).to_numpy().astype(np.int64).reshape(-1, 2)


def _groups(edges: NDArray[np.int64], row: str, group: str) -> pl.DataFrame:
    """Connected rows and the group of each, named by its lowest row; rows on their own are left out."""
    if not len(edges):
        return pl.DataFrame(schema={row: pl.Int64, group: pl.Int64})
    members, places = np.unique(edges, return_inverse=True)
    ends = places.reshape(edges.shape)
    lowest = components(ends[:, 0], ends[:, 1], len(members))
    return pl.DataFrame({row: members, group: members[lowest]}).sort(row)


def _as_column(name: str, values: NDArray[np.int64]) -> pl.DataFrame:
    return pl.DataFrame({name: values}, schema={name: pl.Int64})


def _note_shared(connection: duckdb.DuckDBPyConnection, source: str, row: str, which: str, table: str) -> None:
    """Record `shared_id_number` on the rows of a source (extracts.md, cell rules)."""
    connection.execute("DELETE FROM landed.cell_issues WHERE source = ? AND rule = ?", [source, SHARED_ID_NUMBER])
    connection.execute(
        f"""
        INSERT INTO landed.cell_issues
        SELECT f.source, f.file, {row} AS shared_row, 'id_number', '{SHARED_ID_NUMBER}'
        FROM standard.{table} s
        JOIN landed.files f ON f.source = ? AND {row} BETWEEN f.first_row AND f.first_row + f.read - 1
        WHERE {which} ORDER BY shared_row
        """,
        [source],
    )


def _counted(connection: duckdb.DuckDBPyConnection, rows: str, persons: str, groups: str, shared: int) -> Resolved:
    counts = [int(scalar(connection, f"SELECT count(*) FROM standard.{table}")) for table in (rows, persons, groups)]
    return Resolved(rows=counts[0], persons=counts[1], grouped_rows=counts[2], shared_numbers=shared)
