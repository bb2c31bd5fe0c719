"""Which rows of one side are one person: 双重户籍 on the population side, 重复学籍 and earlier records in the registry.

Rows that share a valid number are one person, or people with a shared number (kept, no key), by the rule of `shared_numbers`. Rows under a
number that was struck off for another that is kept are the other's, by that of `former_numbers`. Rows with the same name, birth date and sex are one
person if their guardians agree too, or on the population side if one of them is an earlier row of the household. Everything else is left to the
matching of the two sides.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.engines.embedded import create, scalar
from kcb_pipeline.engines.sql import query, run_step, statement, step_rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.codes import citizen_numbers_of
from kcb_pipeline.identity.former_numbers import StruckOff
from kcb_pipeline.identity.shared_numbers import FIRST, Verdict, same_number
from kcb_pipeline.matching.chinese import Guardians
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


_POPULATION_ROWS: Final = {
    "SELECT * FROM landed.population WHERE 2 * row IN (SELECT ref FROM wanted)": 2 * pl.col("row"),
    "SELECT * FROM landed.residents WHERE 2 * row + 1 IN (SELECT ref FROM wanted)": 2 * pl.col("row") + 1,
}
_REGISTRY_ROWS: Final = {"SELECT * FROM landed.student_registry WHERE row IN (SELECT ref FROM wanted)": pl.col("row")}


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
    """Fill `standard.persons`, `standard.person_groups`, `standard.shared_numbers`, `standard.former_numbers`, `standard.numbers_struck_off`,
    `standard.duplicate_persons`.
    """
    limit = {"born_from": born_from(workspace.comparison_date)}
    with workspace.connect() as connection:
        by_number = step_rows(connection, _PACKAGE, "population_number_groups").rename({"id_key": "group"})
        by_number = by_number.with_columns(number_born=id_number.birth_date(_complete(by_number["group"])))
        namesakes = step_rows(connection, _PACKAGE, "population_namesakes", limit).sort("ref_a", "ref_b")
        struck_off = StruckOff.read(connection, workspace.comparison_date)
        several = [by_number["ref"], namesakes["ref_a"], namesakes["ref_b"], struck_off.bearers["ref"]]
        order = _by_content(connection, _POPULATION_ROWS, several)
        create(connection, "standard.group_order", order)
        by_number = by_number.join(order, on="ref").sort(
            "group", "is_live", "population_type", "updated_at", "place",
            descending=[False, True, False, True, False], nulls_last=True,
        )  # fmt: skip
        verdict = same_number(by_number, adults_before=limit["born_from"], side_by_side=_in_one_household)
        of_one_family = namesakes.filter(
            namesakes["is_of_household"] | _have_one_family(connection, namesakes, _POPULATION_GUARDIANS)
        )
        former = struck_off.former_numbers(verdict.shared)
        edges = np.concatenate([verdict.edges, _as_edges(of_one_family), former.edges])
        create(connection, "standard.shared_numbers", _as_column("ref", verdict.shared))
        create(connection, "standard.former_numbers", former.keys)
        create(connection, "standard.numbers_struck_off", struck_off.rows)
        create(connection, "standard.person_groups", _groups(edges, "ref", "person"))
        run_step(connection, _PACKAGE, "kept_rows", "standard.kept_rows", limit)
        run_step(connection, _PACKAGE, "persons", "standard.persons")
        run_step(connection, _PACKAGE, "duplicate_persons", "standard.duplicate_persons")
        _note_shared(connection, "population", "(ref // 2)", "ref % 2 = 0", "shared_numbers")
        _note_shared(connection, "residents", "(ref // 2)", "ref % 2 = 1", "shared_numbers")
        return _counted(connection, "population_keys", "persons", "person_groups", len(verdict.shared))


def resolve_registry(workspace: Workspace) -> Resolved:
    """Fill `standard.students`, `standard.student_groups` and `standard.shared_student_numbers`. Wants the persons of the population side."""
    with workspace.connect() as connection:
        by_key = step_rows(connection, _PACKAGE, "registry_number_groups").rename({"row": "ref"})
        namesakes = step_rows(connection, _PACKAGE, "registry_namesakes").sort("ref_a", "ref_b")
        order = _by_content(connection, _REGISTRY_ROWS, [by_key["ref"], namesakes["ref_a"], namesakes["ref_b"]])
        by_key = (
            by_key.join(order, on="ref")
            .with_columns(group=pl.struct("key_kind", "key_text").rank("dense"))
            .sort("group", "is_live", "status_date", "place", descending=[False, True, True, False], nulls_last=True)
        )

        def same(kind: str, numbers: Callable[[pl.Series], pl.Series]) -> Verdict:
            rows = by_key.filter(pl.col("key_kind") == kind)
            return same_number(
                rows.with_columns(number_born=id_number.birth_date(numbers(rows["key_text"]))),
                adults_before=born_from(workspace.comparison_date),
                side_by_side=partial(_are_two_children, connection),
            )

        by_student_number = same("student_number", citizen_numbers_of)
        by_id_number = same("id_number", _complete)
        of_one_family = namesakes.filter(_have_one_family(connection, namesakes, _REGISTRY_GUARDIANS))
        edges = np.concatenate([by_student_number.edges, by_id_number.edges, _as_edges(of_one_family)])
        create(connection, "standard.shared_student_numbers", _as_column("row", by_id_number.shared))
        create(connection, "standard.student_groups", _groups(edges, "row", "student"))
        create(connection, "standard.student_group_order", order.rename({"ref": "row"}))
        run_step(connection, _PACKAGE, "students", "standard.students")
        _note_shared(connection, "student_registry", "row", "true", "shared_student_numbers")
        return _counted(connection, "registry_keys", "students", "student_groups", len(by_id_number.shared))


def _complete(keys: pl.Series) -> pl.Series:
    """Keys of ID numbers with a place for the check digit, which a key lacks and nobody here looks at."""
    return keys.cast(pl.String) + "0"


def _in_one_household(pairs: pl.DataFrame) -> pl.Series:
    """Whether both rows of a pair are live in one household: a person stands twice in two households, two people in one."""
    same = (pl.col("household_id") == pl.col(f"household_id{FIRST}")).fill_null(value=False)
    return pairs.select(same & pl.col("is_live") & pl.col(f"is_live{FIRST}")).to_series()


def _are_two_children(connection: duckdb.DuckDBPyConnection, pairs: pl.DataFrame) -> pl.Series:
    """Whether the two names of a pair of student records are those of two children of one family in the population, born on that day."""
    wanted = pairs.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("pair"),
        pl.col("pinyin").alias("pinyin_a"),
        pl.col(f"pinyin{FIRST}").alias("pinyin_b"),
        "birth_date",
    )
    found = query(connection, statement(_PACKAGE, "side_by_side"), beside={"wanted": wanted})
    found = found.sort("pair", "ref_a", "ref_b")
    of_one_family = found["same_household"] | _have_one_family(connection, found, _POPULATION_GUARDIANS)
    return wanted["pair"].is_in(found.filter(of_one_family)["pair"].implode())


def _have_one_family(connection: duckdb.DuckDBPyConnection, pairs: pl.DataFrame, guardians_sql: str) -> pl.Series:
    """Whether the guardians of the two rows of each pair (ref_a, ref_b) are the same people."""
    if pairs.is_empty():
        return pl.Series(dtype=pl.Boolean)
    wanted = pl.concat([pairs["ref_a"], pairs["ref_b"]]).unique().sort().alias("ref").to_frame()
    guardians = query(connection, guardians_sql, beside={"wanted": wanted})
    prepared = guardians.select("ref").hstack(GUARDIANS.prepare(guardians))
    sides = [
        pairs.select(pl.col(side).alias("ref"))
        .join(prepared, on="ref", how="left", maintain_order="left")
        .with_columns(pl.exclude("ref").fill_null(0))
        for side in ("ref_a", "ref_b")
    ]
    level = GUARDIANS.levels(Pairs.aligned(*sides))
    return pl.Series((level == 0) | (level == 1))


def _as_edges(pairs: pl.DataFrame) -> NDArray[np.int64]:
    return pairs.select("ref_a", "ref_b").to_numpy().astype(np.int64).reshape(-1, 2)


def _by_content(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, pl.Expr], several: Sequence[pl.Series]
) -> pl.DataFrame:
    """`ref` and `place` of rows among which one is to be chosen: by their cells, column by column, in whatever order they were sent.

    sources: the statement that gives the rows `wanted` whole, and how `ref` is made of their row.
    """
    wanted = pl.concat(several).unique().sort().alias("ref").to_frame()
    ordered = []
    for sql, ref in sources.items():
        rows = query(connection, sql, beside={"wanted": wanted})
        cells = [name for name in rows.columns if name != "row"]
        ordered.append(rows.sort(*cells, "row", nulls_last=True).select(ref.alias("ref")))
    return pl.concat(ordered).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("place"))


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
