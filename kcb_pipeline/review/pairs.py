"""Pairs by what stays the same: a child's number and a registry record's key, wherever their rows stand tonight.

Rows are numbered anew every night, so an answer names the child by `child_id` and the record by its student number; where a record has
none, or shares it with another pupil, by a digest of its identity beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import frame

_DIGEST: Final = (
    "substr(sha256(concat_ws(chr(31), coalesce(r.id_number, ''), coalesce(r.name, ''), "
    "coalesce(cast(r.birth_date AS VARCHAR), ''), coalesce(r.school_code, ''))), 1, 16)"
)
_KEYED: Final = f"""
SELECT k.row AS registry_row, coalesce(g.student, k.row) AS student, r.name AS record_name, r.birth_date AS record_birth_date,
       CASE WHEN k.student_number IS NOT NULL AND s.student_number IS NULL THEN k.student_number
            ELSE coalesce(k.student_number, '') || '#' || {_DIGEST} END AS record_key
FROM (SELECT row, student_number FROM standard.registry_keys WHERE WANTED) k
JOIN landed.student_registry r ON r.row = k.row
LEFT JOIN standard.student_groups g ON g.row = k.row
LEFT JOIN (
    SELECT k.student_number FROM standard.registry_keys k LEFT JOIN standard.student_groups g ON g.row = k.row
    WHERE k.student_number IS NOT NULL GROUP BY k.student_number HAVING count(DISTINCT coalesce(g.student, k.row)) > 1
) s ON s.student_number = k.student_number
"""
_LINKS: Final = f"""
SELECT c.child_id, k.record_key, k.record_name, k.record_birth_date, m.person, m.student, m.population_type, m.population_row,
       m.registry_row, m.decision, m.method, m.match_weight, m.probability
FROM matched.links m
JOIN standard.children c ON c.person = m.person
JOIN ({_KEYED.replace("WANTED", "row IN (SELECT registry_row FROM matched.links)")}) k ON k.registry_row = m.registry_row
"""


def pair_numbers(child_ids: pl.Series, record_keys: pl.Series) -> pl.Series:
    """The number of each pair: says nothing of either, and is the same every night."""
    digests = (
        hashlib.sha256(f"{child}\x1f{key}".encode()).hexdigest()[:12].upper()
        for child, key in zip(child_ids, record_keys, strict=True)
    )
    return pl.Series("pair", [f"{d[:4]}-{d[4:8]}-{d[8:]}" for d in digests], dtype=pl.String)


def weighed_pairs(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The pairs of children that the night kept (linked, in doubt, and near misses), with their numbers; sorted by them."""
    found = frame(connection, _LINKS)
    numbered = found.with_columns(pair_numbers(found["child_id"], found["record_key"]))
    return numbered.sort("pair", "registry_row").unique("pair", keep="first", maintain_order=True)


def locate(connection: duckdb.DuckDBPyConnection, pairs: pl.DataFrame) -> pl.DataFrame:
    """Where pairs stand tonight. pairs: pair, child_id, record_key, record_name, record_birth_date.

    Adds person, student, registry_row and `effect`: `binds`, or why it cannot: `child_gone`, `record_gone`, or `record_changed`
    where neither the name nor the birth date under the record's key is what the reviewer saw.
    """
    keys = pairs["record_key"].unique()
    numbers = [key.split("#")[0] for key in keys]
    wanted = pl.DataFrame({"number": sorted(set(filter(None, numbers)))}, schema={"number": pl.String})
    connection.register("wanted_numbers", wanted.to_arrow())
    nameless = "OR student_number IS NULL" if "" in numbers else ""
    condition = f"student_number IN (SELECT number FROM wanted_numbers) {nameless}"
    try:
        records = frame(connection, _KEYED.replace("WANTED", condition))
    finally:
        connection.unregister("wanted_numbers")
    persons = frame(connection, "SELECT child_id, person FROM standard.children").unique("child_id")
    agrees = (
        pl.col("tonight_name").eq_missing(pl.col("record_name"))
        | (pl.col("tonight_birth_date") == pl.col("record_birth_date"))
    ).fill_null(value=False)
    records = records.rename({"record_name": "tonight_name", "record_birth_date": "tonight_birth_date"})
    found = (
        pairs.join(persons, on="child_id", how="left", maintain_order="left")
        .join(records, on="record_key", how="left", maintain_order="left")
        .with_columns(agrees.alias("agrees"))
        .sort("pair", pl.col("agrees"), "registry_row", descending=[False, True, False])
        .unique("pair", keep="first", maintain_order=True)
    )
    effect = (
        pl.when(pl.col("person").is_null()).then(pl.lit("child_gone"))
        .when(pl.col("student").is_null()).then(pl.lit("record_gone"))
        .when(~pl.col("agrees")).then(pl.lit("record_changed"))
        .otherwise(pl.lit("binds"))
    )  # fmt: skip
    return found.with_columns(effect.alias("effect")).drop("agrees", "tonight_name", "tonight_birth_date")


_PEOPLE: Final = """
SELECT p.person, l.*
FROM standard.persons p
JOIN (
    SELECT 2 * row AS ref, name, former_name, sex, birth_date, ethnicity, id_number,
           list_filter([father_name, mother_name, guardian_name], lambda x: x IS NOT NULL) AS guardians,
           list_filter([father_id_number, mother_id_number, guardian_id_number], lambda x: x IS NOT NULL) AS guardian_numbers,
           list_filter([guardian_phone], lambda x: x IS NOT NULL) AS phones,
           division_code, coalesce(address, township_name) AS address
    FROM landed.population
    UNION ALL
    SELECT 2 * row + 1, name, NULL, sex, birth_date, ethnicity, id_number,
           list_filter([guardian_name], lambda x: x IS NOT NULL), []::VARCHAR[], list_filter([guardian_phone], lambda x: x IS NOT NULL),
           coalesce(household_division_code, division_code), coalesce(address, township_name)
    FROM landed.residents
) l ON l.ref = p.ref
WHERE p.person IN (SELECT person FROM wanted_pairs)
"""
_RECORDS: Final = """
SELECT row AS registry_row, name, former_name, sex, birth_date, ethnicity, id_number,
       list_filter([guardian1_name, guardian2_name], lambda x: x IS NOT NULL) AS guardians,
       list_filter([guardian1_id_number, guardian2_id_number], lambda x: x IS NOT NULL) AS guardian_numbers,
       list_filter([guardian1_phone, guardian2_phone], lambda x: x IS NOT NULL) AS phones,
       household_division_code AS division_code, address, student_number, school_name, grade, registry_status
FROM landed.student_registry
WHERE row IN (SELECT registry_row FROM wanted_pairs)
"""


def identities(connection: duckdb.DuckDBPyConnection, pairs: pl.DataFrame) -> tuple[Sequence[dict], Sequence[dict]]:  # type: ignore[type-arg]
    """Both sides of each pair (person, registry_row), as they were sent, in the order of the pairs."""
    connection.register("wanted_pairs", pairs.select("person", "registry_row").to_arrow())
    try:
        people, records = frame(connection, _PEOPLE), frame(connection, _RECORDS)
    finally:
        connection.unregister("wanted_pairs")
    left = pairs.select("person").join(people, on="person", how="left", maintain_order="left")
    right = pairs.select("registry_row").join(records, on="registry_row", how="left", maintain_order="left")
    return left.to_dicts(), right.to_dicts()
