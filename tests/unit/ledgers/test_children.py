"""适龄儿童台账: from where each column of a child comes, its age, the grade that age expects, and since when it stands where it stands."""

import datetime as dt

import pytest

from kcb_pipeline.config import Config, SchoolAge
from kcb_pipeline.ledgers.draft import draft_children
from kcb_pipeline.ledgers.schema import table

ON = dt.date(2026, 11, 20)
BORN = dt.date(2016, 3, 12)
STATUS = "child_id population_type population_row:i is_live:b birth_date:d sex status reason method probability:f registry_row:i is_disabled:i is_poor:i"
ROW = {
    "row": 5, "id_number": "N1", "name": "王小明", "ethnicity": "01", "division_code": "533123", "township_code": "533123101", "township_name": "甲镇",
    "village_code": "533123101201", "household_id": "H1", "guardian_phone": "138",
}  # fmt: skip


@pytest.fixture
def child(working):
    """`child(status, population, registry, ...)`: the columns of the one child of a night."""
    working.schemas["status.child_statuses"] = working.schema(STATUS)

    def make(status=None, *, population=None, resident=None, registry=None, before=None, config=None):
        said = {
            "child_id": "C1", "population_type": "registered", "population_row": 5, "is_live": True, "birth_date": BORN, "sex": "1",
            "status": "enrolled", "reason": "live_enrolment", "method": "id_number", "probability": 0.98765,
        }  # fmt: skip
        working.put("status.child_statuses", said | ({"registry_row": 3} if registry else {}) | (status or {}))
        working.put("landed.population", *([ROW | (population or {})] if population != {} else []))
        working.put("landed.residents", *([resident] if resident else []))
        working.put("landed.student_registry", *([{"row": 3, **registry}] if registry else []))
        working.put("previous_child_facts", *([{"child_id": "C1", **before}] if before else []))
        assert draft_children(working.connection, ON, config or Config()) == 1
        return working.all("SELECT * FROM draft.children")[0]

    return make


@pytest.mark.parametrize(
    ("born", "age", "grade"),
    [
        ("2020-08-31", 6, 1), ("2019-09-01", 6, 1), ("2019-08-31", 7, 2), ("2016-03-12", 10, 5), ("2012-02-29", 14, 9), ("2011-09-01", 14, 9),
        ("2011-08-31", 15, 9), ("2020-09-01", 5, 1),
    ],
)  # fmt: skip
def test_age_is_that_of_the_31st_of_august_and_expects_a_grade_of_the_nine(child, born, age, grade):
    found = child({"birth_date": dt.date.fromisoformat(born)})

    assert (found["age"], found["expected_grade"]) == (age, grade)


def test_where_school_begins_at_seven_a_grade_is_expected_a_year_later(child):
    assert child(config=Config(school_age=SchoolAge(entry_age=7, leaving_age=16)))["expected_grade"] == 4


def test_who_a_child_is_stands_in_its_row(child):
    found = child()

    assert {name: found[name] for name in ROW if name != "row"} == {
        name: value for name, value in ROW.items() if name != "row"
    }
    assert found["population_row"] == 5


@pytest.mark.parametrize(
    ("population", "registry", "guardian"),
    [
        ({"guardian_name": "奶奶", "mother_name": "母", "father_name": "父"}, {"guardian1_name": "叔"}, "奶奶"),
        ({"mother_name": "母", "father_name": "父"}, {"guardian1_name": "叔"}, "母"),
        ({"father_name": "父"}, {"guardian1_name": "叔"}, "父"),
        ({"row": 5}, {"guardian1_name": "叔"}, "叔"),
        ({"row": 5}, None, None),
    ],
)
def test_a_guardian_is_whom_the_population_side_names_and_else_the_registry(child, population, registry, guardian):
    assert child(population=population, registry=registry)["guardian_name"] == guardian


def test_a_telephone_that_the_population_side_lacks_is_the_registrys(child):
    assert child(population={"guardian_phone": None}, registry={"guardian1_phone": "139"})["guardian_phone"] == "139"
    assert child(registry={"guardian1_phone": "139"})["guardian_phone"] == "138"


def test_a_resident_is_told_by_its_own_row(child):
    found = child(
        {"population_type": "resident", "population_row": 5},
        resident={"row": 5, "name": "外来娃", "guardian_name": "父外"},
    )

    assert (found["name"], found["guardian_name"], found["household_id"]) == ("外来娃", "父外", None)


BEFORE = {
    "name": "原名", "id_number": "N0", "guardian_name": "原监护人", "township_name": "原镇", "guardian_phone": "137", "status": "enrolled",
    "status_reason": "live_enrolment", "status_since": ON - dt.timedelta(days=9), "ethnicity": "05", "division_code": "533124",
    "township_code": "533124101", "village_code": "533124101201", "household_id": "H0",
}  # fmt: skip


def test_a_child_whose_row_is_gone_keeps_what_was_said_of_it(child):
    found = child(
        {"is_live": False, "population_row": None},
        registry={"guardian1_name": "叔", "guardian1_phone": "139"},
        before=BEFORE,
    )

    kept = {name: value for name, value in BEFORE.items() if not name.startswith("status")}
    assert {name: found[name] for name in kept} == kept


def test_one_that_is_no_longer_live_is_told_by_the_row_that_says_so(child):
    assert child({"is_live": False}, before=BEFORE)["name"] == "王小明"


def test_a_row_of_residents_who_stand_in_for_themselves_is_no_row_of_tonight(child):
    resident = {"row": -1, "name": "外来娃"}

    found = child({"population_type": "resident", "population_row": -1}, resident=resident)

    assert (found["name"], found["population_row"]) == ("外来娃", None)


@pytest.mark.parametrize(
    ("status", "reason", "stays"),
    [
        ("enrolled", "live_enrolment", True),
        ("suspected", "absent", False),
        ("enrolled", "another", True),
        ("suspected", "live_enrolment", False),
    ],
)
def test_a_status_stands_since_the_first_night_of_it_whatever_its_reason(child, status, reason, stays):
    found = child({"status": status, "reason": reason}, before=BEFORE)

    assert found["status_since"] == (BEFORE["status_since"] if stays else ON)


def test_a_new_childs_stands_since_tonight(child):
    assert child()["status_since"] == ON


def test_a_link_is_told_where_there_is_a_record(child):
    found = child(registry={"student_number": "G1", "school_name": "甲校", "grade": 5})
    assert (found["match_method"], found["match_probability"], found["student_number"], found["grade"]) == (
        "id_number",
        0.9877,
        "G1",
        5,
    )

    assert (child()["match_method"], child()["match_probability"]) == (None, None)


@pytest.mark.parametrize(
    ("registry", "status", "left_behind", "migrant", "disabled", "poor"),
    [
        ({"left_behind": "1"}, {}, True, False, False, False),
        ({"left_behind": "2"}, {}, True, False, False, False),
        ({"left_behind": "0"}, {}, False, False, False, False),
        ({"migrant": True}, {}, False, True, False, False),
        ({"disability_type": "1"}, {}, False, False, True, False),
        ({"disability_type": "肢体残疾"}, {}, False, False, True, False),
        ({"disability_type": "无残疾"}, {}, False, False, False, False),
        ({"disability_type": "非残疾"}, {}, False, False, False, False),
        ({"disability_type": "否"}, {}, False, False, False, False),
        ({"disability_type": "无残疾"}, {"is_disabled": 1}, False, False, True, False),
        ({"grade": 5}, {"is_disabled": 1}, False, False, True, False),
        ({"grade": 5}, {"is_disabled": 0, "is_poor": 0}, False, False, False, False),
        ({"grade": 5}, {"is_poor": 1}, False, False, False, True),
        (None, {}, False, False, False, False),
    ],
)
def test_the_circumstances_of_a_child_are_always_said(child, registry, status, left_behind, migrant, disabled, poor):
    found = child(status, registry=registry)

    assert tuple(found[name] for name in ("left_behind", "migrant", "disabled", "poverty_household")) == (
        left_behind,
        migrant,
        disabled,
        poor,
    )


def test_every_column_of_the_ledger_is_there(child):
    assert set(child()) == {*table("child_facts").columns, "population_row", "registry_row"}
