"""The draft of tonight's version: every published table as it would stand, in the working database, before any gate has spoken.

Nothing here touches the published file. Version numbers are not known yet: what is new tonight carries none until publication.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import duckdb
import polars as pl

from kcb_pipeline.config import Config, Responsible
from kcb_pipeline.engines.embedded import create, frame, insert, rows
from kcb_pipeline.engines.sql import run_step, statement
from kcb_pipeline.identity.codes import COMPULSORY_YEARS
from kcb_pipeline.ledgers.cases import OPEN_STATES, OUTSIDE, Case, Event, Standing, Terms, advance
from kcb_pipeline.ledgers.programmes import draft_programmes
from kcb_pipeline.ledgers.responsibility import Places, responsible_for
from kcb_pipeline.ledgers.schema import CASE_FIELDS, CHILD_FIELDS, polars_schema, table
from kcb_pipeline.ledgers.verifications import RESULTS, Answer
from kcb_pipeline.matching.chinese import (
    DIFFERENT,
    ID_BOTH_VALID_DIFFERENT,
    NONE_SHARED,
    ONE_CHARACTER_DIFFERS,
    SURNAME_DIFFERS,
    SURNAME_ONLY,
)
from kcb_pipeline.matching.comparisons import Comparison, Date, Exact
from kcb_pipeline.matching.deciding import REASON_TAKEN
from kcb_pipeline.status.reasons import LEDGERS
from kcb_pipeline.status.school_age import Window, school_year_end, window
from kcb_pipeline.status.school_days import harvest_season
from kcb_pipeline.status.wording import evidence_of, proof_of, term_of

PACKAGE = "kcb_pipeline.ledgers"

_CASE_COLUMNS = tuple(field.name for field in fields(Case))


@dataclass(frozen=True, slots=True)
class Moved:
    """What happened to cases tonight: events by name, and the cases open before and after."""

    events: dict[str, int]
    open_before: int
    open_after: int


def draft_children(connection: duckdb.DuckDBPyConnection, on: dt.date, config: Config) -> int:
    """Fill `draft.children` (all columns of 适龄儿童台账); how many. Wants the `previous_` views."""
    age = window(on, config.school_age)
    parameters = {
        "today": on,
        "cutoff": age.cutoff,
        "entry_age": age.entry_age,
        "compulsory_years": COMPULSORY_YEARS,
    }
    run_step(connection, PACKAGE, "child_facts", "draft.children", parameters)
    [(count,)] = rows(connection, "SELECT count(*) FROM draft.children")
    return int(count)


def advance_cases(connection: duckdb.DuckDBPyConnection, on: dt.date, config: Config, sent: frozenset[str]) -> Moved:
    """Fill `draft.cases`, `draft.case_events` and `draft.case_evidence`. Wants the `previous_` views and `draft.children`."""
    terms = Terms(config.cases.verify_within_days, config.cases.persuade_within_days)
    age = window(on, config.school_age)
    previous = {known.case.child_id: known for known in _previous_cases(connection)}
    answers = _new_answers(connection, on)
    near = _near(connection)
    nearest = near.filter(pl.col("nth") == 1).select(
        "child_id",
        pl.col("school_name").alias("near_school"),
        pl.col("grade").alias("near_grade"),
        pl.col("why").alias("near_why"),
    )
    facts = frame(connection, statement(PACKAGE, "cases_to_advance")).join(
        nearest, on="child_id", how="left", maintain_order="left"
    )
    cases: list[dict[str, Any]] = []
    events: list[tuple[str, Event]] = []
    evidence: list[tuple[str, str]] = []
    for fact in facts.iter_rows(named=True):
        child_id = fact["child_id"]
        known = previous.get(child_id)
        before = known.case if known else None
        standing = _outside(fact, age) if fact["status"] is None else _standing(fact, before, sent, config.responsible)
        after, happened = advance(before, child_id, answers.get(child_id, []), standing, on, terms)
        if after is None:
            continue
        closes_tonight = not after.closed_on or any(event.closes for event in happened)
        versions = {
            "opened_version": known.opened_version if known else None,
            "closed_version": known.closed_version if known and not closes_tonight else None,
        }
        cases.append({name: getattr(after, name) for name in _CASE_COLUMNS} | versions)
        events += [(after.case_id, event) for event in happened]
        if standing.status != OUTSIDE:
            evidence.append((child_id, standing.evidence))
    _create_cases(connection, cases)
    _create_events(connection, events)
    with_case = pl.DataFrame({"child_id": [case["child_id"] for case in cases]}, schema={"child_id": pl.String})
    create(connection, "draft.near_enrolments", near.join(with_case, on="child_id", how="semi", maintain_order="left"))
    create(
        connection,
        "draft.case_evidence",
        pl.DataFrame(evidence, schema={"child_id": pl.String, "evidence": pl.String}, orient="row"),
    )
    open_before = sum(known.case.is_open for known in previous.values())
    open_after = sum(case["state"] in OPEN_STATES for case in cases)
    return Moved(dict(Counter(event.event for _, event in events)), open_before, open_after)


def draft_ledgers(connection: duckdb.DuckDBPyConnection, on: dt.date, config: Config, sent: tuple[str, ...]) -> None:
    """Fill the draft of every other versioned table. Wants the `previous_` views."""
    facts = ", ".join(f'"{name}"' for name in table("child_facts").columns)
    connection.execute(f"CREATE OR REPLACE VIEW draft.child_facts AS SELECT {facts} FROM draft.children")
    connection.execute(
        "CREATE OR REPLACE VIEW draft.child_rows AS SELECT child_id, population_row, registry_row FROM draft.children"
    )
    child = ", ".join(f'c."{field.name}"' for field in CHILD_FIELDS)
    case = ", ".join("e.evidence" if field.name == "evidence" else f'k."{field.name}"' for field in CASE_FIELDS)
    for ledger, held in LEDGERS.items():
        statuses = ", ".join(f"'{status}'" for status in held)
        connection.execute(
            f"""
            CREATE OR REPLACE TABLE draft.{ledger} AS
            SELECT {child}, {case}
            FROM draft.children c
            JOIN draft.cases k ON k.child_id = c.child_id
            LEFT JOIN draft.case_evidence e ON e.child_id = c.child_id
            WHERE c.status IN ({statuses})
            """
        )
    corrected = [name for name, result in RESULTS.items() if result.corrects_population]
    create(connection, "draft.corrected_results", pl.DataFrame({"result": corrected}))
    steps = (
        "duplicate_enrolments", "duplicate_persons", "registry_only", "population_corrections", "answers_to_mend", "disabilities", "child_lineage", "evidence",
    )  # fmt: skip
    for step in steps:
        run_step(connection, PACKAGE, step, f"draft.{step}")
    draft_programmes(connection, on, offices=config.offices, follow_up_days=config.cases.follow_up_days)
    season = harvest_season(on, config.calendar)
    watched = {"today": on, "season_from": season or dt.date.max, "harvest_days": config.calendar.harvest_days}
    run_step(connection, PACKAGE, "seasonal_watch", "draft.seasonal_watch", watched)
    age = window(on, config.school_age)
    ages = {"today": on, "born_from": age.born_from, "born_to": age.born_to}
    run_step(connection, PACKAGE, "waiting_evidence", "draft.waiting_evidence", ages)
    next_age = window(school_year_end(on) + dt.timedelta(days=1), config.school_age)
    cohort = {"born_to": age.born_to, "next_born_to": next_age.born_to}
    run_step(connection, PACKAGE, "waiting_residents", "draft.waiting_residents", cohort)
    last_sent = pl.DataFrame(
        {"source": list(sent), "last_sent_on": [on] * len(sent)}, schema={"source": pl.String, "last_sent_on": pl.Date}
    )
    earlier = frame(connection, "SELECT source, last_sent_on FROM previous_sources").filter(
        ~pl.col("source").is_in(list(sent))
    )
    create(connection, "draft.sources", pl.concat([last_sent, earlier]).sort("source"))
    connection.execute(
        """
        CREATE OR REPLACE VIEW draft.row_accounts AS SELECT source, file, read, landed, quarantined, duplicate_rows, unanswered FROM landed.files;
        CREATE OR REPLACE VIEW draft.quarantined_rows AS SELECT source, file, row, "column", rule FROM landed.quarantined_rows;
        CREATE OR REPLACE VIEW draft.cell_issues AS SELECT source, file, row, "column", rule FROM landed.cell_issues;
        CREATE OR REPLACE VIEW draft.linkage_models AS SELECT settings, comparisons, model FROM matched.model;
        CREATE OR REPLACE VIEW draft.linkage_quality AS SELECT * FROM matched.quality;
        CREATE OR REPLACE VIEW draft.links AS
            SELECT population_type, CASE WHEN population_row > 0 THEN population_row END AS population_row, registry_row, decision,
                   CASE WHEN method LIKE 'id_number%' THEN 'id_number' ELSE method END AS method, reason, match_weight, probability,
                   runner_up_gap, COLUMNS('^w_')
            FROM matched.links;
        """
    )


# -- cases ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """A case of the version before, and the versions it was opened and closed in."""

    case: Case
    opened_version: int | None
    closed_version: int | None


def _previous_cases(connection: duckdb.DuckDBPyConnection) -> Iterator[_Known]:
    for entry in frame(connection, "SELECT * FROM previous_cases").iter_rows(named=True):
        case = Case(**{name: entry[name] for name in _CASE_COLUMNS})
        yield _Known(case, entry["opened_version"], entry["closed_version"])


def _new_answers(connection: duckdb.DuckDBPyConnection, on: dt.date) -> dict[str, list[Answer]]:
    answers: dict[str, list[Answer]] = {}
    names = [field.name for field in fields(Answer)]
    new = (
        frame(connection, "SELECT * FROM draft.decisions").filter(pl.col("landed_on") == on).sort("case_id", "decision")
    )
    for entry in new.iter_rows(named=True):
        answers.setdefault(entry["child_id"], []).append(Answer(**{name: entry[name] for name in names}))
    return answers


_NEAREST = """
SELECT c.child_id, l.registry_row, r.school_code, r.school_name, r.grade, l.reason,
       l.match_weight, l.level_id_number, l.level_name, l.level_birth_date, l.level_sex, l.level_guardians
FROM matched.links l
JOIN standard.children c ON c.person = l.person
JOIN landed.student_registry r ON r.row = l.registry_row
WHERE l.decision = 'rejected'
"""


def _levels(comparison: type[Comparison], *labels: str) -> tuple[int, ...]:
    return tuple(comparison.labels.index(label) for label in labels)


_WHY_NOT = (
    ("level_id_number", (ID_BOTH_VALID_DIFFERENT,), "证件号码均有效但不同"),
    ("level_name", (SURNAME_ONLY, DIFFERENT), "姓名不同"),
    ("level_birth_date", _levels(Date, "same month", "same year", "different"), "出生日期不同"),
    ("level_name", (SURNAME_DIFFERS, ONE_CHARACTER_DIFFERS), "姓名有一字不同"),
    ("level_sex", _levels(Exact, "different"), "性别不同"),
    ("level_guardians", (NONE_SHARED,), "监护人不同"),
)
"""What speaks against a candidate, the strongest first, in a caseworker's words."""


MOST_NEAR: Final = 3
"""So many of a child's candidates are shown: whoever verifies looks at the likeliest schools first."""


def _near(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The best candidates of each child that found nobody, the best first, and what spoke against each."""
    near = frame(connection, _NEAREST).sort("child_id", "match_weight", "registry_row", descending=[False, True, False])
    near = near.with_columns(pl.int_range(1, pl.len() + 1).over("child_id").cast(pl.Int32).alias("nth"))
    near = near.filter(pl.col("nth") <= MOST_NEAR)
    why = pl.lit("相符之处过少")
    for column, levels, words in reversed(_WHY_NOT):
        why = pl.when(pl.col(column).is_in(levels)).then(pl.lit(words)).otherwise(why)
    why = pl.when(pl.col("reason") == REASON_TAKEN).then(pl.lit("已认定为他人学籍")).otherwise(why)
    return near.select(
        "child_id", "nth", "school_code", "school_name", pl.col("grade").cast(pl.Int32), why.alias("why")
    )


def _standing(fact: dict[str, Any], before: Case | None, sent: frozenset[str], rule: Responsible) -> Standing:
    words, source = evidence_of(fact)
    is_registered = fact["population_type"] == "registered"
    places = Places(
        school=fact["school_name"] if fact["live_rows"] else None,
        township_of_hukou=fact["township_name"] if is_registered else None,
        township_of_residence=fact["residence"] or fact["township_name"],
    )
    return Standing(
        status=fact["status"],
        reason=fact["reason"],
        evidence=words,
        source=source,
        responsible=responsible_for(fact["status"], places, rule),
        proof=None if before is None else proof_of(fact, case_reason=before.reason, sent=sent),
        until=term_of(fact),
    )


def _outside(fact: dict[str, Any], age: Window) -> Standing:
    """A child whose case is known and who is not of school age tonight."""
    born, too_young = fact["birth_date"], fact["birth_date"] is not None and fact["birth_date"] > age.born_to
    reason, words = ("under_age", "未到义务教育年龄") if too_young else ("over_age", "已超过义务教育年龄")
    row = fact["present_population_row"]
    return Standing(
        status=OUTSIDE,
        reason=reason,
        evidence=f"{words}：出生日期{born or '不详'}，学龄为{age.born_from}至{age.born_to}出生",
        source=f"population:{row}" if row is not None else "school_age",
        responsible=None,
    )


def _create_cases(connection: duckdb.DuckDBPyConnection, cases: list[dict[str, Any]]) -> None:
    """`draft.cases`: a case opened or closed tonight has no version yet."""
    create(connection, "draft.cases", pl.DataFrame(cases, schema=polars_schema("cases")))


def _create_events(connection: duckdb.DuckDBPyConnection, events: list[tuple[str, Event]]) -> None:
    """`draft.case_events`: the events so far and tonight's, numbered within their case."""
    columns = ", ".join(f'"{name}"' for name in table("case_events").columns)
    connection.execute(f"CREATE OR REPLACE TABLE draft.case_events AS SELECT {columns} FROM previous_case_events")
    so_far = dict(rows(connection, "SELECT case_id, max(sequence) FROM draft.case_events GROUP BY case_id"))
    entries: list[dict[str, Any]] = []
    for case_id, event in events:
        so_far[case_id] = so_far.get(case_id, 0) + 1
        entries.append({"case_id": case_id, "sequence": so_far[case_id], "version": None, **asdict(event)})
    insert(connection, "draft.case_events", pl.DataFrame(entries, schema=polars_schema("case_events")))
