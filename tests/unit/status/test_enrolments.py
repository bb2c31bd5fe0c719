"""Of the records of one person the one that is shown, and what all of them say together."""

import datetime as dt

import pytest

from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.status.evidence import PACKAGE

ON = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)


@pytest.fixture
def enrolment(working):
    """`enrolment(records, attendance by row)`: what is said of the person of some records, given from row 1 on."""

    def make(*records, attended=()):
        live = {"person": 1, "is_live": True, "is_primary": False, "registry_status": "01"}
        rows = [{"registry_row": row, **live, **record} for row, record in enumerate(records, start=1)]
        working.put("status.pupil_rows", *rows)
        here = {"is_absent": False, "is_on_long_leave": False, "is_not_in_headcount": False}
        said = dict(attended)
        working.put(
            "status.attendance",
            *(
                {"person": 1, "registry_row": row["registry_row"], **here, **said.get(row["registry_row"], {})}
                for row in rows
                if row["is_live"]
            ),
        )
        run_step(working.connection, PACKAGE, "enrolments", "status.enrolments")
        [found] = working.all("SELECT * FROM status.enrolments")
        return found

    return make


DEAD = {"is_live": False, "registry_status": "03"}


@pytest.mark.parametrize(
    ("first", "second", "attended", "shown"),
    [
        (DEAD | {"is_primary": True, "status_date": ON}, {}, {}, 2),  # a live one
        ({"is_primary": True}, {}, {1: {"is_absent": True}}, 2),  # one that is attended
        ({"is_primary": True}, {}, {1: {"is_on_long_leave": True}}, 2),
        ({"is_primary": True}, {}, {1: {"is_not_in_headcount": True}}, 2),
        ({"is_primary": True, "registry_status": "02"}, {}, {}, 2),
        ({"status_date": ON}, {"is_primary": True}, {}, 2),  # the one that was linked
        ({"status_date": ON - DAY}, {"status_date": ON}, {}, 2),  # the latest
        ({}, {"status_date": ON}, {}, 2),
        ({"student_number": "G2"}, {"student_number": "G1"}, {}, 2),  # then by what stands in it
        ({"school_code": "S2"}, {"school_code": "S1"}, {}, 2),
        ({"grade": 5}, {"grade": 4}, {}, 2),
        ({}, {}, {}, 1),
    ],
)
def test_the_record_that_is_shown(enrolment, first, second, attended, shown):
    assert enrolment(first, second, attended=attended)["registry_row"] == shown


def test_live_records_are_counted_by_what_is_said_of_them(enrolment):
    found = enrolment(
        {}, {"registry_status": "02"}, {"registry_status": None}, {"grade": 10}, {"grade": 9}, DEAD | {"grade": 11},
        attended={1: {"is_absent": True}, 3: {"is_on_long_leave": True}, 5: {"is_not_in_headcount": True}},
    )  # fmt: skip

    counted = {
        name: found[name] for name in ("live_rows", "senior_rows", "unattended_rows", "suspended_rows", "unknown_rows")
    }
    assert counted == {"live_rows": 5, "senior_rows": 1, "unattended_rows": 3, "suspended_rows": 1, "unknown_rows": 1}


@pytest.mark.parametrize(
    ("present", "changed", "suspended"),
    [(None, None, 1), (ON, ON - DAY, 0), (ON, ON, 1), (ON - DAY, ON, 1), (ON, None, 1)],
)
def test_who_is_seen_at_school_after_it_was_suspended_is_not(enrolment, present, changed, suspended):
    found = enrolment({"registry_status": "02", "status_date": changed}, attended={1: {"present_on": present}})

    assert found["suspended_rows"] == suspended


@pytest.mark.parametrize("days", [(1, 9), (9, 1)])
def test_the_last_day_at_school_is_told_with_its_own_row(enrolment, days):
    seen = {row: {"present_on": ON - day * DAY, "present_row": 10 * row} for row, day in enumerate(days, start=1)}
    found = enrolment({"is_primary": True}, {}, attended=seen)

    assert (found["present_on"], found["present_row"]) == (ON - DAY, 10 * (days.index(1) + 1))


@pytest.mark.parametrize("rows", [(10, 20), (20, 10)])
def test_and_with_the_first_of_that_day(enrolment, rows):
    seen = {nth: {"present_on": ON, "present_row": row} for nth, row in enumerate(rows, start=1)}

    assert enrolment({}, {}, attended=seen)["present_row"] == 10


def test_since_when_it_is_suspended_is_told_by_its_live_records(enrolment):
    suspended = {"registry_status": "02"}
    found = enrolment(
        suspended | {"status_date": ON - 2 * DAY},
        suspended | {"status_date": ON - DAY},
        suspended,
        {"status_date": ON},
        suspended | {"is_live": False, "status_date": ON},
    )

    assert found["suspended_on"] == ON - DAY


@pytest.mark.parametrize(
    ("status", "grade", "has_graduated"), [("07", 9, True), ("08", 9, True), ("07", 12, True), ("07", 8, False), ("07", None, False), ("06", 9, False)]
)  # fmt: skip
def test_who_has_finished_the_ninth_grade_has_graduated(enrolment, status, grade, has_graduated):
    assert enrolment({"is_live": False, "registry_status": status, "grade": grade})["graduated_row"] == (
        1 if has_graduated else None
    )


def test_when_the_registry_took_a_pupil_back_is_told_by_any_of_its_records(enrolment):
    found = enrolment(
        {"registry_status": "05", "status_date": ON - 2 * DAY}, {"registry_status": "05", "status_date": ON - DAY},
        {"status_date": ON}, DEAD | {"registry_status": "05"},
    )  # fmt: skip

    assert (found["resumed_rows"], found["resumed_on"]) == (3, ON - DAY)


@pytest.mark.parametrize(
    ("cells", "home", "special"),
    [
        ({"attendance_mode": "送教上门"}, 1, None),
        ({"special_placement": "送教上门"}, 1, None),
        ({"special_placement": "特教学校就读"}, None, 1),
        ({"special_placement": "普通学校特教班就读"}, None, 1),
        ({"special_placement": "普通学校随班就读"}, None, None),
        ({}, None, None),
        ({"attendance_mode": "送教上门", "special_placement": "特教学校就读"} | DEAD, None, None),
    ],
)
def test_a_special_place_is_that_of_a_live_record(enrolment, cells, home, special):
    found = enrolment(cells)

    assert (found["home_teaching_row"], found["special_row"]) == (home, special)
    assert found["special_placement_code"] == (cells["special_placement"] if special else None)


def test_the_day_of_a_stop_is_none_on_which_a_pupil_came(enrolment):
    assert (
        enrolment({"registry_status": "04", "status_date": ON, "enrolled_month": ON - DAY})["latest_live_change"]
        == ON - DAY
    )


@pytest.mark.parametrize(
    ("changed", "enrolled", "latest"), [(ON, ON - DAY, ON), (ON - DAY, ON, ON), (None, ON, ON), (ON, None, ON), (None, None, None)]
)  # fmt: skip
def test_a_live_record_changed_when_its_status_did_or_its_pupil_came(enrolment, changed, enrolled, latest):
    found = enrolment({"status_date": changed, "enrolled_month": enrolled}, DEAD | {"status_date": ON + 9 * DAY})

    assert found["latest_live_change"] == latest


@pytest.mark.parametrize(
    ("first", "second", "latest"),
    [
        ({"status_date": ON - DAY}, {"status_date": ON}, 2),
        ({}, {"status_date": ON}, 2),
        ({"registry_status": "11"}, {"registry_status": "13"}, 2),  # then by the order of the contract's rules
        ({"registry_status": "11"}, {"registry_status": "出国"}, 2),
        ({"registry_status": "07"}, {"registry_status": "11"}, 2),
        ({"registry_status": "10"}, {"registry_status": "07"}, 2),
        ({"registry_status": "03"}, {"registry_status": "10"}, 2),
        ({"registry_status": "06"}, {"registry_status": "03"}, 2),  # then by what stands in it
        ({"grade": 6}, {"grade": 5}, 2),
        ({"student_number": "G2"}, {"student_number": "G1"}, 2),
        ({"school_code": "S2"}, {"school_code": "S1"}, 2),
        ({}, {}, 1),
    ],
)
def test_of_dead_records_the_latest_speaks(enrolment, first, second, latest):
    found = enrolment(DEAD | first, DEAD | second)

    assert found["dead_row"] == latest
    assert (found["dead_status"], found["dead_on"]) == ((DEAD | second)["registry_status"], second.get("status_date"))


def test_a_live_record_is_no_dead_one(enrolment):
    assert enrolment({"status_date": ON})["dead_row"] is None
