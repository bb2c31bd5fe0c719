"""Comparison ①, 户籍 × 学籍: the settings with which the population side and the student registry are linked.

The three waves of the design: a valid ID number whose name agrees; the second keys (the number after a G); and weighing the rest.
What is linked are persons with pupils (`standard.persons`, `standard.students`), each stood for by one row.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import polars as pl

from kcb_pipeline.config import Matching
from kcb_pipeline.engines.embedded import close_idle, create, create_in_pieces, frame, rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.matching.chinese import (
    ID_BOTH_VALID_DIFFERENT,
    ID_BY_G_NUMBER,
    ID_EQUAL,
    NONE_SHARED,
    REORDERED,
    ChineseIdNumber,
    ChineseName,
    Guardians,
    Place,
)
from kcb_pipeline.matching.comparisons import Date, Exact
from kcb_pipeline.matching.deciding import LINKED, REJECTED, REVIEW
from kcb_pipeline.matching.linkage import LinkResult, link
from kcb_pipeline.matching.looking import within_reach
from kcb_pipeline.matching.model import Model
from kcb_pipeline.matching.quality import quality_by
from kcb_pipeline.matching.settings import Contradiction, Implied, KeyRule, Settings, block_on
from kcb_pipeline.matching.weighing import Records, at_rows
from kcb_pipeline.progress import SILENT, Progress

PERSONS = """
SELECT p.person, p.population_type, p.row AS population_row, p.id_key, coalesce(p.other_key, b.former_key) AS other_key, b.former_key AS number_before,
       CASE WHEN NOT p.number_is_shared THEN l.id_number END AS id_number, cast(NULL AS STRING) AS student_number, l.name, coalesce(l.former_name, w.name) AS former_name,
       p.sex, p.birth_date, year(p.birth_date) AS birth_year,
       l.hukou_division, l.other_division, l.township_code, l.ethnicity,
       l.father_id_number AS guardian_id_a, l.mother_id_number AS guardian_id_b, l.guardian_id_number AS guardian_id_c,
       l.guardian_phone AS guardian_phone_a, cast(NULL AS STRING) AS guardian_phone_b,
       l.father_name AS guardian_name_a, l.mother_name AS guardian_name_b, l.guardian_name AS guardian_name_c
FROM standard.persons p
JOIN (
    SELECT 2 * row AS ref, id_number, name, former_name, division_code AS hukou_division, cast(NULL AS STRING) AS other_division, township_code, ethnicity,
           father_id_number, mother_id_number, guardian_id_number, guardian_phone, father_name, mother_name, guardian_name
    FROM landed.population
    UNION ALL
    SELECT 2 * row + 1, id_number, name, NULL, household_division_code, division_code, township_code, ethnicity,
           NULL, NULL, NULL, guardian_phone, NULL, NULL, guardian_name
    FROM landed.residents
) l ON l.ref = p.ref
LEFT JOIN standard.numbers_before b ON b.person = p.person
LEFT JOIN standard.names_before w ON w.person = p.person AND w.is_last
"""
"""The name of before is that which stands in the register, and where none does, the one that a version before knew the child by."""
STUDENTS = """
SELECT s.student, s.row AS registry_row, s.id_key, s.second_key AS other_key,
       CASE WHEN NOT s.number_is_shared THEN l.id_number END AS id_number,
       CASE WHEN NOT s.number_is_shared OR s.second_key IS NOT NULL THEN l.student_number END AS student_number, l.name, l.former_name, s.sex, s.birth_date, year(s.birth_date) AS birth_year,
       l.household_division_code AS hukou_division, l.school_division_code AS other_division, cast(NULL AS STRING) AS township_code,
       l.guardian1_id_number AS guardian_id_a, l.guardian2_id_number AS guardian_id_b, cast(NULL AS STRING) AS guardian_id_c,
       l.guardian1_phone AS guardian_phone_a, l.guardian2_phone AS guardian_phone_b,
       l.guardian1_name AS guardian_name_a, l.guardian2_name AS guardian_name_b, cast(NULL AS STRING) AS guardian_name_c
FROM standard.students s
JOIN landed.student_registry l ON l.row = s.row
"""


def register_settings(on: dt.date, rule: Matching) -> Settings:
    """How a child of the population register is recognised in the student registry, on the day `on`."""
    return Settings(
        comparisons=(
            ChineseIdNumber(
                "id_number",
                student_number="student_number",
                family=("guardian_id_a", "guardian_id_b", "guardian_id_c"),
                on=on,
            ),
            ChineseName("name", frequency_within=("sex",)),
            Date("birth_date"),
            Exact("sex"),
            Guardians(
                "guardians",
                ids=("guardian_id_a", "guardian_id_b", "guardian_id_c"),
                phones=("guardian_phone_a", "guardian_phone_b"),
                names=("guardian_name_a", "guardian_name_b", "guardian_name_c"),
            ),
            Place("division", home="hukou_division", here="other_division"),
        ),
        keys=(
            KeyRule("id_number", "id_key", "id_key", plausible=(("name", REORDERED),)),
            KeyRule("id_number", "id_key", "other_key", plausible=(("name", REORDERED), ("birth_date", 3))),
            KeyRule("id_number", "other_key", "id_key", plausible=(("name", REORDERED), ("birth_date", 3))),
            # The child itself bore it in a version before; that its birth date was corrected too speaks against nothing.
            KeyRule("id_number", "number_before", "id_key", plausible=(("name", REORDERED),)),
        ),
        implied=(Implied("id_number", (ID_EQUAL, ID_BY_G_NUMBER), ("birth_date", "sex", "division")),),
        # A number is corrected and a guardian changes, but hardly ever both: namesakes born on one day are like that.
        contradictions=(Contradiction((("id_number", (ID_BOTH_VALID_DIFFERENT,)), ("guardians", (NONE_SHARED,)))),),
        blocking=(
            block_on("id_key", name="same valid number"),
            block_on("id_key", right=("other_key",), name="number after G"),
            block_on("other_key", right=("id_key",), name="former number"),
            block_on("name.folded", "birth_date", name="name, birth date"),
            block_on("name.pinyin", "birth_date", name="sound of name, birth date"),
            block_on("name.sorted", "birth_date", name="characters of name, birth date"),
            block_on("birth_date", "sex", "hukou_division", name="birth date, sex, county of 户籍"),
            block_on("name.folded", "birth_year", "hukou_division", name="name, year, county of 户籍"),
            block_on("name.pinyin", "birth_year", "hukou_division", name="sound of name, year, county"),
            block_on("name.given", "birth_date", name="given name, birth date"),
            block_on("id_number.tail", name="last eight places of the number"),
            block_on("id_number.head", name="first fourteen places of the number"),
            block_on("guardians.first_id", "birth_year", name="guardian's number, year"),
            block_on("guardians.first_id", "sex", name="guardian's number, sex"),
            block_on("guardians.first_phone", "sex", name="guardian's phone, sex"),
            block_on("guardians.first_name", "name.folded", name="guardian's and child's name"),
            block_on("guardians.first_name", "birth_date", name="guardian's name, birth date"),
            block_on("name.folded", "sex", "hukou_division", name="name, sex, county of 户籍"),
        ),
        largest_block=200_000,
        repeats=True,
        weigh_settled=rule.weigh_settled,
        false_link_cost=rule.false_link_cost,
        review_probability=rule.review_probability,
    )


def register_sizes(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """How many persons and how many pupils are linked."""
    [(persons, students)] = rows(
        connection, "SELECT (SELECT count(*) FROM standard.persons), (SELECT count(*) FROM standard.students)"
    )
    return persons, students


def register_frames(
    connection: duckdb.DuckDBPyConnection, *, every: tuple[int, int] = (1, 1)
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The persons and the pupils that are linked, in their order; of either every so many."""
    persons, students = (
        frame(connection, f"{sql} WHERE {key} IN ({_EVERY.format(key=key, table=table, every=nth)}) ORDER BY {key}")
        for (sql, key, table), nth in zip(_REGISTERS, every, strict=True)
    )
    return persons, students


_REGISTERS: Final = ((PERSONS, "p.person", "standard.persons p"), (STUDENTS, "s.student", "standard.students s"))
_EVERY: Final = "SELECT {key} FROM {table} QUALIFY (row_number() OVER (ORDER BY {key}) - 1) % {every} = 0"


@contextmanager
def register_files(workspace: Workspace) -> Iterator[tuple[pl.LazyFrame, pl.LazyFrame]]:
    """The same as Parquet files, for as long as they are linked: `link` reads of them what it looks at, and a province is never held whole."""
    folder = workspace.files / "matched"
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "persons.parquet", folder / "students.parquet"
    try:
        with workspace.connect() as connection:
            for file, (sql, key, _) in zip(files, _REGISTERS, strict=True):
                quoted = str(file).replace("'", "''")
                # Of two candidates that weigh the same the first comes first, so the order is a part of the result.
                connection.execute(f"COPY ({sql} ORDER BY {key}) TO '{quoted}' (FORMAT parquet, COMPRESSION snappy)")
        yield pl.scan_parquet(files[0]), pl.scan_parquet(files[1])
    finally:
        for file in files:
            file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Matched:
    """Counts of what was matched."""

    persons: int
    students: int
    linked: int
    review: int


def match_registers(
    workspace: Workspace, rule: Matching, *, frozen: Model | None = None, progress: Progress = SILENT
) -> Matched:
    """Fill `matched.links`, `matched.blocking` and `matched.quality`, and keep the model in `matched.model`.

    frozen: the model to weigh with, instead of one estimated tonight.

    `matched.links`: person, student, population_type, population_row, registry_row, decision, method, reason, match_weight,
    probability, runner_up_gap, w_<comparison> and level_<comparison>.
    """
    settings = register_settings(workspace.comparison_date, rule)
    with register_files(workspace) as (persons, students):
        numbers = persons.select("person").collect(), students.select("student").collect()
        sizes = numbers[0].height, numbers[1].height
        with workspace.connect() as connection:
            reviewed = _decided(connection, *numbers, further=False)
        close_idle()  # DuckDB would hold on to what it has just read, as much as `memory_limit`, while records are linked
        result = link(persons, students, settings, reviewed=reviewed, model=frozen, progress=progress)
        known = persons.select(*_OF_A_PERSON, *_GROUPS).collect(), students.select(_OF_A_PUPIL).collect()
        with workspace.connect() as connection:
            create_in_pieces(connection, "matched.links", _pieces(result.links, *known))
            create(connection, "matched.blocking", result.blocking)
            create(connection, "matched.quality", _quality(result, known[0]))
            keep_model(connection, result.model, settings)
        counts = dict(result.links["decision"].value_counts().iter_rows())
        linked, model = _linked(result), result.model
        del result, known  # as large as the registers
        further = _further_records(workspace, linked, settings, model, persons, students)
        found = further.filter(pl.col("decision") == LINKED).select("person", "student", "match_weight", "probability")
        with workspace.connect() as connection:
            create(connection, "matched.further_records", found)
            _note_doubtful(connection, further.filter(pl.col("decision") == REVIEW))
    return Matched(*sizes, counts.get("linked", 0), counts.get("review", 0))


_OF_A_PERSON: Final = ("person", "population_type", "population_row")
_OF_A_PUPIL: Final = ("student", "registry_row")
_GROUPS: Final = ("sex", "ethnicity", pl.coalesce("hukou_division", "other_division").alias("county"))
"""What is said of the two sides of a link, and by what the quality of links is counted."""


def keep_model(connection: duckdb.DuckDBPyConnection, model: Model, settings: Settings) -> None:
    """Fill `matched.model`."""
    said = {"model": [model.to_json()], "settings": [settings.digest], "comparisons": [settings.shape]}
    create(connection, "matched.model", pl.DataFrame(said))


def _quality(result: LinkResult, persons: pl.DataFrame) -> pl.DataFrame:
    rows = result.links["left_row"]
    groups = {name: persons[name].gather(rows) for name in ("county", "sex", "ethnicity")}
    return quality_by(result.links.select("decision", "probability"), groups, result.quality)


def _decided(
    connection: duckdb.DuckDBPyConnection, persons: pl.DataFrame, students: pl.DataFrame, *, further: bool
) -> pl.DataFrame:
    """What people have decided of these persons and pupils, by their places; `further`: with the second records of a child."""
    rows_l = persons.select("person").with_row_index("left_row")
    rows_r = students.select("student").with_row_index("right_row")
    pairs = frame(connection, "SELECT * FROM status.decided_pairs").filter(pl.lit(further) | ~pl.col("is_further"))
    rows = pairs.join(rows_l, on="person").join(rows_r, on="student")
    return rows.select(pl.col("left_row", "right_row").cast(pl.Int64), "is_match").sort("left_row", "right_row")


def further_settings(settings: Settings) -> Settings:
    """How one more record of a linked child is recognised, by the same model."""
    return dataclasses.replace(settings, keys=(), policy="many-to-one", repeats=False, near_misses=0)


def _linked(result: LinkResult) -> pl.DataFrame:
    """The rows of the two sides that were linked."""
    return result.links.lazy().filter(pl.col("decision") == LINKED).select("left_row", "right_row").collect()


def _further_records(
    workspace: Workspace,
    linked: pl.DataFrame,
    settings: Settings,
    model: Model,
    persons: Records,
    students: Records,
) -> pl.DataFrame:
    """Records that are nobody's in the one-to-one result and are, or may be, one more of a linked child; columns as `matched.links`.

    A second enrolment under a damaged number, or the new school's record of a child whose old one was linked.
    linked: `left_row`, `right_row` of the one-to-one result.
    """
    settings = further_settings(settings)
    holders = linked["left_row"].unique().sort().to_numpy()
    is_nobodys = np.ones(students.lazy().select(pl.len()).collect().item(), dtype=bool)
    is_nobodys[linked["right_row"].to_numpy()] = False
    nobodys = at_rows(students, np.flatnonzero(is_nobodys))
    known = at_rows(persons.lazy().select(_OF_A_PERSON), holders), nobodys.select(_OF_A_PUPIL)
    with workspace.connect() as connection:
        reviewed = _decided(connection, *known, further=True)
    close_idle()
    # Records that are nobody's are few, and so are the children who could have them: of all others nothing more is read.
    reach, rare = within_reach(persons, nobodys, settings, holders)
    near = np.union1d(reach, reviewed["left_row"].to_numpy())
    reviewed = reviewed.with_columns(
        pl.Series(near).search_sorted(reviewed["left_row"]).cast(pl.Int64).alias("left_row")
    )
    found = link(
        at_rows(persons, holders[near]), nobodys, settings, reviewed=reviewed, model=model,
        frequencies=rare.of_rows(near, np.arange(nobodys.height)),
    )  # fmt: skip
    return _with_rows(found.links.filter(pl.col("decision") != REJECTED), known[0][near], known[1])


def _note_doubtful(connection: duckdb.DuckDBPyConnection, doubtful: pl.DataFrame) -> None:
    """Put the pairs that may be one more record of a linked child into `matched.links`, each instead of what was said of it before.

    Such a child may be in school under the record in doubt though the one it is linked to has ended: a person decides.
    """
    connection.register("doubtful", doubtful.to_arrow())
    try:
        # A few pairs of a table that is as long as the registers: it is changed where it stands.
        connection.execute(
            "DELETE FROM matched.links WHERE (person, student) IN (SELECT (person, student) FROM doubtful)"
        )
        connection.execute("INSERT INTO matched.links BY NAME SELECT * FROM doubtful ORDER BY person, student")
    finally:
        connection.unregister("doubtful")


_LINKS_AT_ONCE: Final = 1 << 18


def _pieces(links: pl.DataFrame, persons: pl.DataFrame, students: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The links with what they lead to, piece by piece: there are as many as children."""
    for start in range(0, max(links.height, 1), _LINKS_AT_ONCE):
        yield _with_rows(links.slice(start, _LINKS_AT_ONCE), persons, students)


def _with_rows(links: pl.DataFrame, persons: pl.DataFrame, students: pl.DataFrame) -> pl.DataFrame:
    return links.select(
        persons["person"].gather(links["left_row"]),
        students["student"].gather(links["right_row"]),
        persons["population_type"].gather(links["left_row"]),
        persons["population_row"].gather(links["left_row"]),
        students["registry_row"].gather(links["right_row"]),
        pl.exclude("left_row", "right_row"),
    )
