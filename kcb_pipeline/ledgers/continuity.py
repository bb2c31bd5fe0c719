"""Identity over time: which child of the previous version each person of tonight is.

`child_id` is given once and never depends on the ID number's value being corrected (published.md). A child is recognised by its number with
name or birth date, unless name and birth date are another child's; else by a number on another row of the same person; else by what `_STEPS`
lists, the surest first, from name and birth date with whatever stands in the number's column down to name, sex and household, the name of before
(曾用名) among them; each step only between those that the earlier steps left over and that are unmistakable. What number and what names a child bore
before tonight are kept beside it: the student registry and other offices go on under those for years.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import create, frame, rows
from kcb_pipeline.engines.sql import query
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.names import NameTable, plain_key
from kcb_pipeline.identity.standardise import name_keys
from kcb_pipeline.matching.chinese import LOST_OR_ADDED, name_levels
from kcb_pipeline.status.school_age import Window

_PERSONS = """
SELECT p.person, l.id_number, p.id_key IS NOT NULL AS has_key, l.name, l.former_name, p.birth_date, p.sex, l.household_id, l.guardian_name,
       l.guardian_phone, l.division_code, coalesce(l.township_code, l.township_name) AS township
FROM standard.persons p
JOIN (
    SELECT 2 * row AS ref, id_number, name, former_name, household_id, coalesce(guardian_name, mother_name, father_name) AS guardian_name,
           guardian_phone, division_code, township_code, township_name
    FROM landed.population
    UNION ALL
    SELECT 2 * row + 1, id_number, name, NULL, NULL, guardian_name, guardian_phone, division_code, township_code, township_name FROM landed.residents
) l ON l.ref = p.ref
"""

_SAME_NUMBER = f"""
SELECT p.person, c.child_id, coalesce(c.name = p.name, false) AS is_named
FROM ({_PERSONS}) p
JOIN previous_child_facts c ON c.id_number = p.id_number
WHERE p.has_key AND (c.name = p.name OR c.birth_date = p.birth_date)
"""

_KNOWN_AS_ANOTHER = f"""
SELECT DISTINCT p.person
FROM ({_PERSONS}) p
JOIN unnamed u ON u.person = p.person
JOIN previous_child_facts c ON c.name = p.name AND c.birth_date = p.birth_date AND c.sex = p.sex AND c.child_id <> u.child_id
"""
"""Of those whose number is that of a child of another name, who has the name, birth date and sex of a third: twins whose numbers were exchanged."""

_EARLIER_NUMBER = """
SELECT DISTINCT g.person, c.child_id
FROM standard.person_groups g
JOIN (
    SELECT 2 * row AS ref, id_number FROM landed.population WHERE id_valid
    UNION ALL
    SELECT 2 * row + 1, id_number FROM landed.residents WHERE id_valid
) l ON l.ref = g.ref
JOIN previous_child_facts c ON c.id_number = l.id_number
WHERE g.ref NOT IN (SELECT ref FROM standard.shared_numbers)
"""
"""A number that the person bears on another of its rows, and nobody else does: the one before a correction, or that of a second registration."""

_NEW_PERSONS = f"SELECT * FROM ({_PERSONS}) p WHERE p.person NOT IN (SELECT person FROM standard.recognised)"
_MISSED = """
SELECT child_id, id_number, name, name AS former_name, birth_date, sex, household_id, guardian_name, guardian_phone, division_code,
       coalesce(township_code, township_name) AS township
FROM previous_child_facts WHERE child_id NOT IN (SELECT child_id FROM standard.recognised)
"""
"""Whom the numbers have left over, on both sides."""

_STEPS = (
    ("name, birth date, number", ("folded", "birth_date", "id_number")),
    ("name, birth date, sex, household", ("folded", "birth_date", "sex", "household_id")),
    ("name, birth date, sex, guardian's phone", ("folded", "birth_date", "sex", "guardian_phone")),
    ("name, birth date, sex, guardian's name", ("folded", "birth_date", "sex", "guardian_name")),
    ("name, birth date, sex, township", ("folded", "birth_date", "sex", "township")),
    ("name, birth date, sex, county", ("folded", "birth_date", "sex", "division_code")),
    ("name, birth date, sex", ("folded", "birth_date", "sex")),
    ("name, birth date, household", ("folded", "birth_date", "household_id")),
    ("former name, birth date, sex", ("former_folded", "birth_date", "sex")),
    ("birth date, sex, household", ("birth_date", "sex", "household_id")),
    ("own number, with a like name or birth date", ("own_number",)),
    ("name, sex, household", ("folded", "sex", "household_id")),
)
"""What has to agree, from the surest; every step wants one bearer on each side. The former name is that of before: what the child is called
in the previous version. Where the sex was wrong (更正性别) so was the number, which says it. What stands in the number's column and is no key,
a mother's number or what a spreadsheet left, only tells namesakes of one day apart. A number is the bearer's own where it is a key and says the bearer's
birth date; it may have stood in another's row before, so name or birth date must be like the child's too."""


_BY_NUMBER = "number, with name or birth date"


@dataclass(frozen=True, slots=True)
class Continuity:
    """How many children of the previous version were recognised, how, and how many persons are new."""

    recognised: dict[str, int]
    new: int
    gone: int


def recognise_children(connection: duckdb.DuckDBPyConnection, on: dt.date, school_age: Window) -> Continuity:
    """Fill `standard.children`: person, child_id, how; `standard.numbers_before`: person, former_key; and `standard.names_before`: person, name, is_last and
    the keys of the name. Wants the `previous_` views (`show_previous`).

    Every child of the previous version that is still on the population side, and every live person of school age.

    A new child's id is a digest of the identity it came in with, so the same night gives the same id whenever it is run.
    """
    by_number = frame(connection, _SAME_NUMBER).unique().sort("person", "child_id")
    unnamed = by_number.filter(~pl.col("is_named"))
    others = query(connection, _KNOWN_AS_ANOTHER, beside={"unnamed": unnamed})
    by_number = _without(by_number.select("person", "child_id"), "person", [others])
    found = [_unmistakable(by_number).with_columns(pl.lit(_BY_NUMBER).alias("how"))]
    earlier = frame(connection, _EARLIER_NUMBER).sort("person", "child_id")
    for key in ("person", "child_id"):
        earlier = _without(earlier, key, found)
    found.append(_unmistakable(earlier).with_columns(pl.lit("number of another row").alias("how")))
    create(connection, "standard.recognised", pl.concat(found).sort("person"))
    missed = frame(connection, _MISSED).sort("child_id")
    # New persons are many the first night, and are looked at only for children who are missed.
    if missed.height and (persons := frame(connection, _NEW_PERSONS).sort("person")).height:
        says_birth = id_number.birth_date(persons["id_number"]) == persons["birth_date"]
        left = _with_folded(persons).with_columns(
            pl.when(pl.col("has_key") & says_birth).then("id_number").alias("own_number")
        )
        right = _with_folded(missed).select(
            pl.all(),
            pl.col("id_number").alias("own_number"),
            pl.col("name_key").alias("called_before"),
            pl.col("birth_date").alias("born_before"),
        )
        for how, keys in _STEPS:
            pairs = left.drop_nulls(keys).join(right.drop_nulls(keys), on=list(keys), how="inner", suffix="_before")
            pairs = pairs.filter(_are_alike(pairs)).select("person", "child_id")
            step = _unmistakable(pairs.unique().sort("person", "child_id")).with_columns(pl.lit(how).alias("how"))
            found.append(step)
            left, right = _without(left, "person", [step]), _without(right, "child_id", [step])
        missed = _without(missed, "child_id", found)
    create(connection, "standard.recognised", pl.concat(found).sort("person"))
    connection.execute(_CHILDREN, {"born_from": school_age.born_from, "born_to": school_age.born_to})
    create(connection, "standard.numbers_before", _numbers_before(connection, on))
    create(connection, "standard.names_before", _names_before(connection, unnamed))
    counts = {
        how: int(count) for how, count in rows(connection, "SELECT how, count(*) FROM standard.children GROUP BY how")
    }
    new = counts.pop("new", 0)
    return Continuity(counts, new, missed.height)


_CHILDREN = """
CREATE OR REPLACE TABLE standard.children AS
WITH entering AS (
    SELECT p.person, sha256(concat_ws(chr(31), p.population_type, coalesce(l.id_number, ''), coalesce(l.name, ''),
               coalesce(cast(p.birth_date AS VARCHAR), ''), coalesce(p.sex, ''), coalesce(l.household_id, ''),
               coalesce(l.division_code, ''), coalesce(l.guardian_name, ''))) AS digest,
           coalesce(l.guardian_phone, '') AS phone,
           concat_ws(chr(31), l.township_code, l.township_name, l.village_code, l.address, l.former_name, l.updated_at) AS place
    FROM standard.persons p
    JOIN (
        SELECT 2 * row AS ref, id_number, name, household_id, division_code, guardian_name, guardian_phone, township_code, township_name,
               village_code, address, former_name, updated_at
        FROM landed.population
        UNION ALL
        SELECT 2 * row + 1, id_number, name, NULL, division_code, guardian_name, guardian_phone, township_code, township_name, NULL, address, NULL, NULL
        FROM landed.residents
    ) l ON l.ref = p.ref
    LEFT JOIN standard.recognised r ON r.person = p.person
    WHERE r.person IS NULL AND p.is_live AND p.birth_date BETWEEN $born_from AND $born_to
), numbered AS (
    SELECT person, 'C' || upper(substr(digest, 1, 15)) AS stem, row_number() OVER (PARTITION BY digest ORDER BY phone, place, person) AS nth
    FROM entering
), held AS (
    SELECT split_part(child_id, '-', 1) AS stem, max(coalesce(try_cast(split_part(child_id, '-', 2) AS INTEGER), 1)) AS last
    FROM standard.recognised GROUP BY 1
)
SELECT person, child_id, how FROM standard.recognised
UNION ALL
SELECT n.person, n.stem || CASE WHEN n.nth + coalesce(h.last, 0) > 1 THEN '-' || cast(n.nth + coalesce(h.last, 0) AS VARCHAR) ELSE '' END, 'new'
FROM numbered n
LEFT JOIN held h ON h.stem = n.stem
"""
"""A person who comes with exactly what another child once came with, and that child is known by something else now, is numbered after it."""


_NUMBERS_BEFORE = f"""
SELECT c.person, n.id_number, n.until_version
FROM standard.children c
JOIN (
    SELECT child_id, id_number, until_version FROM previous_identities
    UNION ALL
    SELECT f.child_id, f.id_number, NULL
    FROM previous_child_facts f JOIN standard.children k ON k.child_id = f.child_id AND k.how <> '{_BY_NUMBER}'
) n ON n.child_id = c.child_id
"""


def _numbers_before(connection: duckdb.DuckDBPyConnection, on: dt.date) -> pl.DataFrame:
    """The key of the number that each child bore last before the one it has now, where it is valid and nobody's tonight."""
    borne = frame(connection, _NUMBERS_BEFORE)
    borne = borne.with_columns(id_number.key(borne["id_number"], on=on).alias("former_key")).drop_nulls("former_key")
    taken = query(
        connection,
        "SELECT DISTINCT id_key FROM standard.population_keys WHERE id_key IN (SELECT former_key FROM wanted)",
        beside={"wanted": borne.select("former_key").unique().sort("former_key")},
    )
    return (
        borne.filter(~pl.col("former_key").is_in(taken["id_key"].implode()))
        .sort("person", "until_version", "former_key", descending=[False, True, False], nulls_last=[True, False, True])
        .unique("person", keep="first", maintain_order=True)
        .filter(pl.len().over("former_key") == 1)
        .select("person", "former_key")
    )


_NAMES_BEFORE = f"""
SELECT b.person, p.name_key AS called, b.name, bool_or(b.in_last_version) AS in_last_version, max(b.until_version) AS until_version,
       max(b.updated_at) AS updated_at
FROM (
    SELECT c.person, n.name, n.until_version, n.until_version IS NULL AS in_last_version, NULL::TIMESTAMP AS updated_at
    FROM standard.children c
    JOIN (
        SELECT child_id, name, until_version FROM previous_identities
        UNION ALL
        SELECT f.child_id, f.name, NULL FROM previous_child_facts f JOIN unnamed u ON u.child_id = f.child_id
        UNION ALL
        SELECT f.child_id, f.name, NULL
        FROM previous_child_facts f JOIN standard.children k ON k.child_id = f.child_id AND k.how <> '{_BY_NUMBER}'
    ) n ON n.child_id = c.child_id
    UNION ALL
    SELECT c.person, e.name, NULL, false, e.updated_at
    FROM standard.person_groups g
    JOIN standard.children c ON c.person = g.person
    JOIN standard.population_keys k ON k.ref = g.ref AND NOT k.is_live
    JOIN landed.population e ON 2 * e.row = g.ref
) b
JOIN standard.persons p ON p.person = b.person
WHERE b.name IS NOT NULL
GROUP BY b.person, p.name_key, b.name
"""
"""Those of the versions before, and of the register's own earlier rows of the child. `unnamed`: those told by the number alone, whose name is
another one tonight."""


def _names_before(connection: duckdb.DuckDBPyConnection, unnamed: pl.DataFrame) -> pl.DataFrame:
    """The names that a child whose name or number has changed was known by, with their keys, and which is the last before tonight's."""
    borne = query(connection, _NAMES_BEFORE, beside={"unnamed": unnamed.select("child_id")})
    borne = borne.with_columns(name_keys(borne["name"])).with_columns(
        (pl.col("name_key") == pl.col("called")).fill_null(value=False).alias("is_borne_now")
    )
    falling = {"is_borne_now": False, "in_last_version": True, "until_version": True, "updated_at": True, "name": False}
    borne = borne.sort("person", *falling, descending=[False, *falling.values()], nulls_last=True)
    is_last = (pl.int_range(pl.len()).over("person") == 0) & ~pl.col("is_borne_now")
    return borne.select("person", "name", is_last.alias("is_last"), "name_key", "folded", "pinyin").sort(
        "person", "name"
    )


def _unmistakable(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs in which neither side has another partner."""
    return pairs.filter((pl.len().over("person") == 1) & (pl.len().over("child_id") == 1))


def _are_alike(pairs: pl.DataFrame) -> pl.Series:
    """Whether birth date or name of each pair speak for it; most steps ask for one of them anyway."""
    level = pl.Series("level", name_levels(pairs["name_key"], pairs["called_before"]))
    same_birth = (pairs["birth_date"] == pairs["born_before"]).fill_null(value=False)
    return same_birth | (level <= LOST_OR_ADDED)


def _without(rows_: pl.DataFrame, key: str, found: list[pl.DataFrame]) -> pl.DataFrame:
    return rows_.join(pl.concat(found).select(key), on=key, how="anti", maintain_order="left")


def _with_folded(people: pl.DataFrame) -> pl.DataFrame:
    def folded(names: pl.Series) -> pl.Series:
        return pl.Series(NameTable.of(names).folded_keys())

    name, former = (plain_key(people[column]).fill_null("") for column in ("name", "former_name"))
    return people.with_columns(
        name.alias("name_key"),
        folded(name).alias("folded"),
        pl.when(pl.col("former_name").is_not_null()).then(folded(former)).alias("former_folded"),
    )
