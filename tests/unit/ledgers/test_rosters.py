"""花名册与台账: who stands in which roster, and who only nearly does, over a published file that is written down row by row."""

import datetime as dt

import pytest

from kcb_pipeline.engines.embedded import Limits, connect, rows
from tests.unit.reporting.conftest import DAY, Ledgers

ONE_DAY = dt.timedelta(days=1)


@pytest.fixture
def ledgers():
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield Ledgers(connection)


def listed(ledgers, roster, column="name"):
    return {value for (value,) in rows(ledgers.connection, f"SELECT {column} FROM {roster}")}


def aged(years, *, days=0):
    """Born so many years before the comparison date, and `days` later."""
    return DAY.replace(year=DAY.year - years) + days * ONE_DAY


ABROAD = {"status": "enrolled", "division_code": "532901", "school_division_code": "530102"}


@pytest.mark.parametrize(
    ("sibling", "is_gone"),
    [
        ({"status": "enrolled_elsewhere"}, True),
        ({"status": "unenrolled"}, True),
        (ABROAD, True),
        (ABROAD | {"school_division_code": "532901"}, False),
        (ABROAD | {"school_division_code": None}, False),  # nobody says that it is elsewhere
        ({"status": "suspected", "status_reason": "transferred_out_not_arrived"}, True),
        ({"status": "suspected", "status_reason": "registry_says_left"}, True),
        ({"status": "suspected", "status_reason": "absent"}, False),
        ({"status": "dropout"}, False),
        ({"status": "departed"}, True),
    ],
    ids=str,
)
def test_a_household_is_gone_when_every_child_that_is_left_of_it_is(ledgers, sibling, is_gone):
    ledgers.child("unenrolled", household_id="H1")
    ledgers.child(household_id="H1", **sibling)

    found = rows(ledgers.connection, "SELECT household_id, children, elsewhere, not_found FROM migrant_households")

    counted = sibling["status"] != "departed"
    elsewhere = sibling["status"] in ("enrolled", "enrolled_elsewhere")
    assert found == ([("H1", 1 + counted, int(elsewhere), 1 + (counted and not elsewhere))] if is_gone else [])


@pytest.mark.parametrize("cells", [{"population_type": "resident", "household_id": "H1"}, {"household_id": None}])
def test_who_is_registered_elsewhere_or_in_no_household_is_of_none_that_is_gone(ledgers, cells):
    ledgers.child("unenrolled", **cells)

    assert listed(ledgers, "migrant_households", "household_id") == set()


PUPIL = {"reason": "not_found_in_population", "is_live": True, "grade": 9, "id_valid": None}


@pytest.mark.parametrize(
    ("cells", "is_listed"),
    [
        ({}, True),
        ({"id_valid": False}, True),
        ({"id_valid": True}, False),
        ({"is_live": False}, False),
        ({"grade": 10}, False),
        ({"reason": "possible_match"}, False),
    ],
    ids=str,
)
def test_a_pupil_without_hukou_is_live_of_school_age_and_has_no_valid_number(ledgers, cells, is_listed):
    ledgers.add("registry_only", registry_row=7, name="无户学生", **(PUPIL | cells))

    assert listed(ledgers, "without_hukou", "registry_row") == ({7} if is_listed else set())


@pytest.mark.parametrize(
    ("cells", "is_listed"),
    [
        ({}, True),
        ({"population_type": "registered"}, False),
        ({"id_number": "1"}, False),
        ({"status": "departed"}, False),
    ],
    ids=str,
)
def test_a_resident_without_hukou_is_one_without_a_number_who_is_still_here(ledgers, cells, is_listed):
    child = ledgers.child(**({"status": "unenrolled", "population_type": "resident", "id_number": None} | cells))

    assert listed(ledgers, "without_hukou", "child_id") == ({child} if is_listed else set())


@pytest.mark.parametrize(("overdue", "is_due"), [(0, False), (1, True)])
def test_a_suspicion_is_due_for_confirmation_from_the_day_after_its_term(ledgers, overdue, is_due):
    ledgers.add(
        "suspected_dropouts",
        child_id="C1",
        case_id="A1",
        status="suspected",
        opened_on=DAY,
        due_on=DAY - overdue * ONE_DAY,
    )

    assert listed(ledgers, "confirmation_due", "days_overdue") == ({overdue} if is_due else set())


@pytest.mark.parametrize(
    ("state", "until", "is_followed"), [("left", DAY, True), ("left", DAY - ONE_DAY, False), ("in", DAY, False)]
)
def test_who_left_a_programme_is_followed_to_the_last_day(ledgers, state, until, is_followed):
    child = ledgers.child()
    ledgers.add("support_programmes", child_id=child, state=state, follow_up_until=until)

    assert listed(ledgers, "programme_follow_up", "child_id") == ({child} if is_followed else set())
    assert listed(ledgers, "programme_stock", "child_id") == ({child} if state == "in" else set())


@pytest.mark.parametrize(
    ("born", "is_listed"),
    [(aged(13, days=1), False), (aged(13), True), (aged(16, days=1), True), (aged(16), False)],
)
def test_compensatory_education_is_for_those_from_thirteen_to_sixteen(ledgers, born, is_listed):
    child = ledgers.child("dropout", birth_date=born)
    ledgers.case(child)

    assert listed(ledgers, "compensatory_education", "child_id") == ({child} if is_listed else set())


def confirmed(ledgers, case_id):
    ledgers.add("case_events", case_id=case_id, sequence=2, event="confirmed", occurred_on=DAY)


@pytest.mark.parametrize(
    ("status", "was_confirmed", "is_listed"),
    [
        ("unenrolled", False, True),
        ("suspected", False, False),
        ("enrolled", False, False),
        ("enrolled", True, True),
        ("departed", True, False),
    ],
)
def test_it_is_for_who_is_out_of_school_and_who_was_brought_back(ledgers, status, was_confirmed, is_listed):
    child = ledgers.child(status, birth_date=aged(14))
    case = ledgers.case(child)
    if was_confirmed:
        confirmed(ledgers, case)

    assert listed(ledgers, "compensatory_education", "child_id") == ({child} if is_listed else set())


@pytest.mark.parametrize(
    ("born", "is_listed"),
    [(aged(16, days=1), False), (aged(16), True), (aged(18, days=1), True), (aged(18), False)],
)
def test_skills_training_is_for_those_from_sixteen_to_eighteen(ledgers, born, is_listed):
    child = ledgers.child("unenrolled", birth_date=born)
    ledgers.case(child, state="closed", closing_reason="over_age")

    assert listed(ledgers, "skills_training", "child_id") == ({child} if is_listed else set())


@pytest.mark.parametrize(
    ("reason", "was_confirmed", "is_listed"),
    [("over_age", False, True), ("returned", True, True), ("returned", False, False)],
)
def test_it_is_for_who_grew_out_of_school_age_or_was_confirmed_a_dropout(ledgers, reason, was_confirmed, is_listed):
    child = ledgers.child("enrolled", birth_date=aged(16))
    case = ledgers.case(child, state="closed", closing_reason=reason)
    if was_confirmed:
        confirmed(ledgers, case)

    assert listed(ledgers, "skills_training", "child_id") == ({child} if is_listed else set())


def test_it_says_the_status_that_the_child_had_last(ledgers):
    child = ledgers.child("unenrolled", birth_date=aged(16))
    ledgers.case(child, state="closed", closing_reason="over_age")
    ledgers.connection.execute("UPDATE child_facts_history SET valid_to_version = 2")
    ledgers.connection.execute(
        "INSERT INTO child_facts_history SELECT * REPLACE (2 AS valid_from_version, 'dropout' AS status) FROM child_facts_history"
    )

    assert listed(ledgers, "skills_training", "last_status") == {"dropout"}
