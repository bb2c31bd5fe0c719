"""Whose case a night may open or move, and with which facts: since when the child was doubted, and what shows it there."""

import datetime as dt

import pytest

from kcb_pipeline.engines.embedded import frame
from kcb_pipeline.engines.sql import statement
from kcb_pipeline.ledgers.draft import PACKAGE

ON = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)
STATUS = (
    "child_id status reason verdict verdict_on:d verdict_row:i registry_row:i live_rows:i suspended_rows:i present_on:d present_row:i "
    "latest_live_change:d struck_off_on:d struck_off_kind struck_off_row:i abroad_since:d abroad_row:i leave_until:d leave_row:i leave_ended_on:d "
    "deferred_until:d deferral_row:i deferral_ended_on:d deferral_ended_row:i exemption_row:i elsewhere_on:d elsewhere_row:i specialised_row:i "
    "disability_row:i absent_from:d absent_to:d absent_row:i long_leave_from:d long_leave_to:d long_leave_row:i missed_headcount_on:d dead_row:i "
    "dead_on:d graduated_row:i verdict_until:d duplicate_of home_teaching_row:i special_row:i special_placement_code disability_placement person:i"
)
CHILD = "child_id population_type population_row:i school_name township_name grade:i match_method student_number school_code"


@pytest.fixture
def facts(working):
    """`facts(status, ...)`: {child: facts} of a night; the tables of the version before by their names."""
    working.schemas |= {
        "status.child_statuses": working.schema(STATUS),
        "draft.children": working.schema(CHILD),
        "status.school_reports": working.schema("school_code reported_on:d"),
        "status.enrolments": working.schema("person:i registry_status"),
        "status.evidence": working.schema("child_id kind code"),
    }
    for table in ("draft.children", "status.school_reports", "status.enrolments", "status.evidence"):
        working.put(table)

    def make(*statuses, children=(), cases=(), **before):
        working.put("status.child_statuses", *statuses)
        working.put("draft.children", *children)
        working.put("previous_cases", *({"case_id": "A" + child[1:], "child_id": child} for child in cases))
        for table, rows in before.items():
            working.put(f"previous_{table}", *rows)
        found = frame(working.connection, statement(PACKAGE, "cases_to_advance")).to_dicts()
        assert [one["child_id"] for one in found] == sorted({one["child_id"] for one in found})
        return {one["child_id"]: one for one in found}

    return make


@pytest.mark.parametrize(
    ("status", "moves"),
    [("unenrolled", True), ("suspected", True), ("dropout", True), ("enrolled", False), ("needs_review", False)],
)
def test_who_is_out_of_school_or_has_a_case_may_move(facts, status, moves):
    said = {"child_id": "C1", "status": status}

    assert set(facts(said)) == ({"C1"} if moves else set())
    assert set(facts(said, cases=["C1"])) == {"C1"}
    assert set(facts({"child_id": "C3", "status": "suspected"}, said, cases=["C2", "C1"])) == {"C1", "C2", "C3"}


def test_a_case_whose_child_is_counted_no_more_is_told_with_its_birth_date(facts, working):
    born, corrected = dt.date(2010, 3, 12), dt.date(2010, 4, 12)
    found = facts(cases=["C1"], child_facts=[{"child_id": "C1", "birth_date": born}])["C1"]
    assert (found["status"], found["birth_date"], found["present_population_row"]) == (None, born, None)

    working.put("standard.children", {"child_id": "C1", "person": 10})
    working.put("standard.persons", {"person": 10, "row": 5, "population_type": "registered", "birth_date": corrected})
    found = facts(cases=["C1"], child_facts=[{"child_id": "C1", "birth_date": born}])["C1"]
    assert (found["birth_date"], found["present_population_row"]) == (corrected, 5)


@pytest.mark.parametrize("row", [{"row": 5, "population_type": "resident"}, {"row": -1}])
def test_of_a_resident_and_of_who_stands_in_for_itself_no_row_of_the_population_register_is_told(facts, working, row):
    working.put("standard.children", {"child_id": "C1", "person": 10})
    working.put("standard.persons", {"person": 10, "population_type": "registered", **row})

    assert facts(cases=["C1"])["C1"]["present_population_row"] is None


SUSPECTED = {"child_id": "C1", "status": "suspected"}


@pytest.mark.parametrize(
    ("evidence", "events", "doubted"),
    [
        (
            [("absent", ON - 9 * DAY, ON - 5 * DAY)],
            [("opened", ON - 8 * DAY)],
            ON - 5 * DAY,
        ),  # the last day of an absence
        ([("long_leave", ON - 9 * DAY, ON)], [("opened", ON)], ON - 9 * DAY),  # the first of a leave
        ([("not_in_headcount", ON - 7 * DAY, None)], [], ON - 7 * DAY),
        ([("not_in_headcount", ON - 7 * DAY, None), ("absent", ON - 9 * DAY, ON - 8 * DAY)], [], ON - 7 * DAY),
        (
            [("present", ON, None), ("approval", ON, ON)],
            [("opened", ON - 8 * DAY)],
            ON - 8 * DAY,
        ),  # says nothing against it
        ([], [("opened", ON - 8 * DAY), ("relapsed", ON - 3 * DAY), ("handed_over", ON)], ON - 3 * DAY),
        ([], [("opened", ON - 8 * DAY), ("reason_changed", ON - 4 * DAY)], ON - 4 * DAY),
        ([], [("opened", ON - 8 * DAY), ("reopened", ON - 2 * DAY)], ON - 2 * DAY),
        ([], [("confirmed", ON)], None),
    ],
)
def test_since_when_a_child_is_doubted(facts, evidence, events, doubted):
    found = facts(
        SUSPECTED,
        cases=["C1"],
        evidence=[
            {"child_id": "C1", "kind": kind, "nth": n, "from_date": first, "to_date": last}
            for n, (kind, first, last) in enumerate(evidence)
        ],
        case_events=[
            {"case_id": "A1", "sequence": n, "event": event, "occurred_on": on} for n, (event, on) in enumerate(events)
        ],
    )

    assert found["C1"]["doubted_on"] == doubted


@pytest.mark.parametrize(
    ("live_rows", "school", "known", "is_new"),
    [
        (2, "S2", [], True),
        (1, "S2", [], False),  # a record whose school has another code is one record
        (2, "S1", [], False),
        (2, "S2", [("S1", "S2")], False),
        (2, "S2", [("S2", "S1")], False),
        (2, "S2", [("S2", "S2")], False),
        (2, "S2", [("S1", "S3")], True),
        (2, None, [], False),
    ],
)
def test_a_record_at_a_school_where_nobody_knew_of_one_is_new(facts, live_rows, school, known, is_new):
    found = facts(
        SUSPECTED | {"live_rows": live_rows},
        children=[{"child_id": "C1", "school_code": school}],
        cases=["C1"],
        child_facts=[{"child_id": "C1", "school_code": "S1"}],
        duplicate_enrolments=[
            {"child_id": child, "school_code": kept, "duplicate_school_code": other}
            for child, kept, other in [("C2", "S1", "S2"), *(("C1", *schools) for schools in known)]
        ],
    )

    assert found["C1"]["is_newly_elsewhere"] is is_new


def test_what_its_school_reported_last_is_told_with_the_first_row_of_that_day(facts, working):
    working.put("status.school_reports", {"school_code": "S1", "reported_on": ON})
    working.put(
        "landed.absences",
        {"row": 1, "school_code": "S1", "student_number": "G1", "absent_on": ON - DAY},
        {"row": 2, "school_code": "S2", "student_number": "G2", "absent_on": ON},
        {"row": 4, "school_code": "S1", "student_number": "G3", "absent_on": ON},
        {"row": 3, "school_code": "S1", "student_number": "G2", "absent_on": ON},
    )

    missed = [{"registry_row": row, "absent_on": ON - back * DAY} for row, back in ((5, 2), (5, 1), (6, 0))]
    working.put("status.missed_days", *missed)

    found = facts(SUSPECTED | {"registry_row": 5}, children=[{"child_id": "C1", "school_code": "S1"}])["C1"]

    assert (found["missed_on"], found["reported_on"], found["reported_row"]) == (ON - DAY, ON, 3)


def test_where_a_child_lives_is_what_residents_say_of_it(facts, working):
    said = [("C1", "residence", "甲镇"), ("C1", "disability", "特教班"), ("C2", "residence", "乙镇")]
    working.put("status.evidence", *({"child_id": child, "kind": kind, "code": code} for child, kind, code in said))

    assert facts(SUSPECTED)["C1"]["residence"] == "甲镇"


def test_the_status_of_the_record_that_is_shown_is_told(facts, working):
    working.put("status.enrolments", {"person": 2, "registry_status": "02"}, {"person": 4, "registry_status": "01"})

    assert facts(SUSPECTED | {"person": 2})["C1"]["registry_status"] == "02"


def test_a_child_that_is_anothers_double_is_told_with_the_row_that_is_kept(facts):
    found = facts(
        {"child_id": "C1", "status": "departed", "duplicate_of": "C2"},
        children=[{"child_id": "C2", "population_type": "resident", "population_row": 8}],
        cases=["C1"],
    )

    assert (found["C1"]["kept_type"], found["C1"]["kept_row"]) == ("resident", 8)
