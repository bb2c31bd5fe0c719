"""Evidence: which child each row of the other sources speaks of, and what stands today.

A row of evidence names a child by number, by student number or by name and birth date, with the same damage as every register.
A loose match here hides a child as surely as a loose link: a number under a wholly other name is believed only where the birth date that
stands beside it agrees, or it is a former name or the registry's; a name and birth date that agree are believed beside no valid number of a stranger; and a row that two children could be meant by (one twin's number under
the other's name) speaks of nobody, and is counted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

import duckdb
import polars as pl

from kcb_pipeline.config import Config
from kcb_pipeline.engines.embedded import built_on_the_right, create, frame, rows
from kcb_pipeline.engines.sql import run_step, step_rows
from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.codes import citizen_numbers_of
from kcb_pipeline.identity.standardise import person_keys
from kcb_pipeline.matching.chinese import LOST_OR_ADDED, name_levels
from kcb_pipeline.status.school_age import school_year_end, school_year_start
from kcb_pipeline.status.school_days import school_days

PACKAGE: Final = "kcb_pipeline.status"

_EVIDENCE_COLUMNS = {
    "exit_entry": "NULL::VARCHAR AS student_number, sex, birth_date",
    "deregistrations": "NULL::VARCHAR AS student_number, NULL::VARCHAR AS sex, birth_date",
    "approvals": "student_number, NULL::VARCHAR AS sex, birth_date",
    "elsewhere": "student_number, NULL::VARCHAR AS sex, birth_date",
    "support_programmes": "NULL::VARCHAR AS student_number, NULL::VARCHAR AS sex, birth_date",
    "disability_register": "NULL::VARCHAR AS student_number, NULL::VARCHAR AS sex, NULL::DATE AS birth_date",
    "poverty_register": "NULL::VARCHAR AS student_number, NULL::VARCHAR AS sex, NULL::DATE AS birth_date",
}
"""The optional sources whose rows name a person, with what each says of one beside number and name."""

_BELOW_ALL_PERSONS: Final = -(1 << 40)
"""The numbers of persons are those of their rows, twice; carried residents have them below zero."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """For one source: rows landed, rows that speak of one person, and rows that could mean two."""

    source: str
    rows: int
    attributed: int
    ambiguous: int


def attribute_evidence(connection: duckdb.DuckDBPyConnection, on: dt.date) -> list[Attributed]:
    """Fill `standard.evidence_keys` and `status.attributed` (source, row, person, rank). Wants the `previous_` views.

    And `standard.gone_children`: those of the version before whom no row of the population side is any more, each with a number that stands
    for its person; and `standard.waiting_before`: what was said of children who were not of school age then, in rows below zero, to be
    attributed as the rows of tonight are.
    """
    selects = [
        f"SELECT '{source}' AS source, row, id_number, id_valid, name, NULL::VARCHAR AS former_name, {columns} FROM landed.{source}"
        for source, columns in _EVIDENCE_COLUMNS.items()
    ]
    waiting = frame(connection, _WAITING)
    create(connection, "standard.waiting_before", waiting)
    waiting = waiting.with_columns(
        id_number.valid(waiting["id_number"], on=on).alias("id_valid"),
        pl.lit(None, pl.String).alias("former_name"),
        pl.lit(None, pl.String).alias("student_number"),
    )
    landed = frame(connection, " UNION ALL ".join(selects))
    landed = pl.concat([landed, waiting.select(landed.columns).cast(dict(landed.schema))]).sort("source", "row")  # type: ignore[arg-type]
    second = id_number.key(citizen_numbers_of(landed["student_number"]), on=on).alias("second_key")
    create(
        connection,
        "standard.evidence_keys",
        landed.select(
            "source",
            "row",
            "student_number",
            second,
            pl.col("birth_date").alias("written_birth"),
            *person_keys(landed),
        ),
    )
    gone = frame(connection, _GONE)
    gone = gone.with_columns(id_number.valid(gone["id_number"], on=on).alias("id_valid"))
    create(connection, "standard.gone_children", gone.select("person", "child_id", *person_keys(gone)))
    found = step_rows(connection, PACKAGE, "attribution_candidates")
    level = name_levels(found["name_key"].fill_null(""), found["their_name"].fill_null(""))
    nameless = pl.col("name_key").is_null() | pl.col("their_name").is_null()
    is_named = nameless | (pl.Series("level", level) <= LOST_OR_ADDED) | pl.col("is_known_name").fill_null(value=False)
    create(connection, "status.attribution_accepted", _accepted(found.with_columns(is_named.alias("is_named"))))
    run_step(connection, PACKAGE, "attributed", "status.attributed")
    counted = rows(
        connection,
        """
        SELECT k.source, count(*), count(a.row), count(*) FILTER (WHERE b.persons > 1)
        FROM standard.evidence_keys k
        LEFT JOIN status.attributed a ON a.source = k.source AND a.row = k.row
        LEFT JOIN (
            SELECT source, row, count(*) FILTER (WHERE rank = best) AS persons
            FROM (SELECT source, row, rank, min(rank) OVER (PARTITION BY source, row) AS best FROM status.attribution_accepted)
            GROUP BY source, row
        ) b ON b.source = k.source AND b.row = k.row
        WHERE k.row > 0
        GROUP BY k.source ORDER BY k.source
        """,
    )
    return [Attributed(*row) for row in counted]


def _accepted(found: pl.DataFrame) -> pl.DataFrame:
    """Whom each row may speak of: source, row, person, rank. One whom the row does not name is meant no more surely than anybody it names."""
    accepted = (
        found.filter(pl.col("is_named") | pl.col("same_birth").fill_null(value=False))
        .group_by("source", "row", "person")
        .agg(pl.col("rank").min(), pl.col("is_named").any())
    )
    best_named = pl.col("rank").filter("is_named").min().over("source", "row")
    rank = pl.when("is_named").then("rank").otherwise(pl.max_horizontal("rank", best_named))
    return accepted.select("source", "row", "person", rank.alias("rank")).sort("source", "row", "rank", "person")


_GONE = f"""
SELECT {_BELOW_ALL_PERSONS} - row_number() OVER (ORDER BY f.child_id) AS person, f.child_id, f.id_number, f.name,
       NULL::VARCHAR AS former_name, f.sex, f.birth_date
FROM previous_child_facts f
WHERE f.child_id NOT IN (SELECT child_id FROM standard.children)
ORDER BY f.child_id
"""


_WAITING = """
SELECT -row_number() OVER (PARTITION BY source ORDER BY waiting) AS row, *
FROM previous_waiting_evidence
ORDER BY source, waiting
"""


def build_calendar(connection: duckdb.DuckDBPyConnection, on: dt.date, config: Config) -> None:
    """Fill `status.school_days` of the current school year up to the day, and `status.school_years` around it."""
    create(connection, "status.school_days", school_days(school_year_start(on), on, config.calendar))
    years = [school_year_start(on.replace(year=on.year - back, day=1)) for back in range(-1, 12)]
    create(
        connection,
        "status.school_years",
        pl.DataFrame({"school_year_start": years, "school_year_end": [school_year_end(start) for start in years]})
        .unique()
        .sort("school_year_start"),
    )


def compare_registry_with_attendance(
    connection: duckdb.DuckDBPyConnection, on: dt.date, config: Config, sent: tuple[str, ...]
) -> None:
    """Comparison ②, 学籍 × 在校: fill `status.attendance`, one row a live record of a linked person, and `status.sources_tonight`.

    What a source that did not come said last stands. Wants the `previous_` views.
    """
    rule = config.attendance
    create(connection, "status.sources_tonight", pl.DataFrame({"source": list(sent)}, schema={"source": pl.String}))
    for step in (
        "shared_numbers",
        "renumbered",
        "known_schools",
        "presences",
        "stray_presences",
        "headcounts",
        "missed_days",
        "school_reports",
        "earlier_absences",
        "absence_streaks",
    ):
        run_step(connection, PACKAGE, step, f"status.{step}")
    run_step(connection, PACKAGE, "standing_attendance", "status.standing_attendance", {"today": on})
    run_step(
        connection, PACKAGE, "long_leaves", "status.long_leaves", {"today": on, "long_leave_days": rule.long_leave_days}
    )
    limits = {"today": on, "absent_days": rule.absent_days, "headcount_days": rule.headcount_days}
    with built_on_the_right(connection):  # what stood before, leaves and strays are often none, and records are many
        run_step(connection, PACKAGE, "attendance", "status.attendance", limits)


def gather_evidence(connection: duckdb.DuckDBPyConnection, on: dt.date, config: Config) -> None:
    """Fill `status.evidence`: tonight's, and the standing evidence of the sources that did not come. Wants the `previous_` views.

    And `status.standing_strikings_off`: the rows of 户口注销 that nothing has undone.
    """
    run_step(connection, PACKAGE, "standing_strikings_off", "status.standing_strikings_off")
    run_step(connection, PACKAGE, "evidence_tonight", "status.evidence_tonight")
    run_step(connection, PACKAGE, "evidence", "status.evidence", {"today": on})
    limits = {"today": on, "headcount_days": config.attendance.headcount_days}
    run_step(connection, PACKAGE, "child_evidence", "status.child_evidence", limits)
