"""Comparison ②, 学籍 × 在校: what headcounts and reports of absences say of a live record, and what undoes it (extracts.md, Which status 5)."""

import datetime as dt
import itertools

import pytest

from kcb_pipeline.config import Attendance, Calendar, Config
from kcb_pipeline.engines.embedded import create
from kcb_pipeline.status.evidence import compare_registry_with_attendance
from kcb_pipeline.status.school_days import school_days

ON = dt.date(2026, 11, 20)  # a Friday
DAY = dt.timedelta(days=1)
NUMBER, SCHOOL = "G1", "S1"
RULE = Attendance(absent_days=3, long_leave_days=30, headcount_days=30)


def day(text):
    return dt.date(2026, int(text[:2]), int(text[2:]))


class School:
    """One night of a county with one pupil in question: number G1, school S1, person 1, registry row 1."""

    def __init__(self, working):
        self.working = working
        self.counted, self.missed, self.records, self.before = [], [], [], []
        self.names = {row: f"儿童{row}" for row in range(1, 5)}
        create(working.connection, "status.school_days", school_days(dt.date(2026, 9, 1), ON, Calendar()))
        working.put("standard.children", {"person": 1, "child_id": "C1"})

    def record(self, row=1, *, person=1, **cells):
        """A live record, of that person."""
        record = {
            "registry_row": row, "person": person, "student_number": NUMBER, "school_code": SCHOOL, "registry_status": "01",
            "is_live": True, "is_primary": True,
        }  # fmt: skip
        self.records.append(record | cells)

    def count(self, on, *, present=True, number=NUMBER, school=SCHOOL, name=None):
        """A row of a headcount."""
        self.counted.append(
            {"row": len(self.counted) + 1, "student_number": number, "school_code": school, "name": name, "counted_on": on, "present": present}
        )  # fmt: skip

    def miss(self, *days, kind="无故", number=NUMBER, school=SCHOOL, leave=(None, None)):
        """Rows of a school's report of absences."""
        for missed in days:
            self.missed.append({
                "row": len(self.missed) + 1, "student_number": number, "school_code": school, "absent_on": missed, "kind": kind,
                "leave_from": leave[0], "leave_to": leave[1],
            })  # fmt: skip

    def said(self, kind, first, last=None, *, code=NUMBER):
        """What a source said of the child before."""
        source = "in_school" if kind in ("present", "not_in_headcount") else "absences"
        self.before.append(
            {
                "child_id": "C1",
                "kind": kind,
                "nth": 1,
                "source": source,
                "code": code,
                "from_date": first,
                "to_date": last,
            }
        )

    def night(self, *, sent=("in_school", "absences")):
        """What is said of the record in row 1; None where nothing is."""
        if not self.records:
            self.record()
        put = self.working.put
        put("status.pupil_rows", *self.records)
        put(
            "landed.student_registry",
            *(
                {"row": r["registry_row"], "student_number": r["student_number"], "school_code": r["school_code"], "name": self.names[r["registry_row"]]}
                for r in self.records
            ),
        )  # fmt: skip
        put("standard.registry_keys", *({"row": r["registry_row"], "is_live": r["is_live"]} for r in self.records))
        put("landed.in_school", *reversed(self.counted))
        put("landed.absences", *reversed(self.missed))
        put("previous_evidence", *self.before)
        compare_registry_with_attendance(self.working.connection, ON, Config(attendance=RULE), sent)
        found = self.working.all("SELECT * FROM status.attendance WHERE registry_row = 1")
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture
def school(working):
    return School(working)


THREE = (day("1118"), day("1119"), day("1120"))
OVER_A_WEEKEND = (day("1113"), day("1116"), day("1117"))


# -- absent without reason -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [THREE, (day("1117"), *THREE), OVER_A_WEEKEND])
def test_three_school_days_in_a_row_up_to_the_last_report_are_absent(school, days):
    school.miss(*days)

    found = school.night()

    assert found["is_absent"]
    assert (found["absent_from"], found["absent_to"], found["absent_days"]) == (days[0], days[-1], len(days))


@pytest.mark.parametrize("days", [THREE[1:], (day("1117"), *THREE[1:]), (day("1114"), *THREE[1:])])
def test_two_in_a_row_are_not_whatever_was_missed_before_or_on_a_day_without_school(school, days):
    school.miss(*days)

    assert not school.night()["is_absent"]


def test_illness_is_a_reason(school):
    school.miss(*THREE, kind="病假")

    assert not school.night()["is_absent"]


def test_a_run_of_illness_and_of_none_counts_the_days_without_reason_alone(school):
    school.miss(day("1118"), kind="病假")
    school.miss(*THREE[1:])

    assert not school.night()["is_absent"]


def test_who_is_not_in_the_schools_later_report_was_there(school):
    school.miss(day("1117"), day("1118"), day("1119"))
    school.miss(ON, number="G2")

    assert not school.night()["is_absent"]


def test_the_last_run_counts_and_not_the_longest(school):
    longer = [day(text) for text in ("1102", "1103", "1104", "1105")]
    school.miss(*longer, *THREE)
    assert (school.night()["is_absent"], school.night()["absent_from"]) == (True, THREE[0])

    school.missed.clear()
    school.miss(*longer, *THREE[1:])
    assert not school.night()["is_absent"]


def test_a_day_that_is_reported_twice_is_one_day_and_the_first_row_that_says_without_reason_is_quoted(school):
    school.miss(*THREE, kind="病假")
    school.miss(*reversed(THREE))
    school.miss(*THREE)

    found = school.night()

    assert (found["is_absent"], found["absent_days"], found["absent_row"]) == (True, 3, 4)


def test_a_report_that_names_no_school_is_of_the_school_where_the_registry_has_the_pupil(school):
    school.miss(*THREE, school=None)

    assert school.night()["is_absent"]


def test_but_not_of_one_that_another_pupil_has_left(school):
    """What a school did not say is not its last word: whoever it does not name tonight was there."""
    school.record()
    school.record(2, person=2, student_number="G2", school_code="S2")
    school.record(3, person=2, student_number="G2", is_live=False)
    school.miss(*(missed - DAY for missed in THREE))
    school.miss(ON, number="G2", school=None)

    assert school.night()["is_absent"]


@pytest.mark.parametrize(
    ("reported_by", "is_absent"),
    [(SCHOOL, True), ("S2", False), ("S3", True), ("S4", True), ("S5", True), (None, True)],
    ids=["its school", "the other's", "another pupil's", "a former one", "none that is known", "not said"],
)
def test_of_two_records_under_one_number_a_school_speaks_of_its_own(school, reported_by, is_absent):
    school.record()
    school.record(2, school_code="S2", is_primary=False)
    school.record(3, school_code="S3", person=2, student_number="G2")
    school.record(4, school_code="S4", is_primary=False, is_live=False)
    school.miss(*THREE, school=reported_by, leave=(day("1101"), day("1130")))
    school.miss(ON, number="G2")

    found = school.night()

    assert (found["is_absent"], found["is_on_long_leave"]) == (is_absent, is_absent)


def test_what_another_pupil_missed_says_nothing_of_this_one(school):
    own = (day("1117"), day("1118"), day("1119"))
    school.record()
    school.record(2, person=2, student_number="G2", school_code="S2")
    school.miss(*own, leave=(day("1101"), day("1130")))
    school.miss(ON, number="G2", school="S2", leave=(day("1020"), day("1231")))
    school.count(ON)

    found = school.night()

    assert (found["absent_from"], found["absent_to"]) == (own[0], own[-1])
    assert (found["leave_from"], found["is_on_long_leave"]) == (None, False)  # the headcount of today undid its own


@pytest.mark.parametrize(("reports", "is_absent"), [(None, True), ("S9", False), (SCHOOL, False), ("S2", True)])
def test_a_school_that_reports_under_another_code_than_the_registrys_is_heard_by_both(school, reports, is_absent):
    school.miss(*(missed - DAY for missed in THREE), school="S9")
    if reports:
        school.miss(ON, number="G2", school=reports)

    found = school.night()

    assert (found["is_absent"], found["reported_by"]) == (is_absent, "S9")


@pytest.mark.parametrize(("counted", "is_absent"), [("1119", True), ("1120", True), ("1121", False)])
def test_a_headcount_that_shows_the_pupil_later_undoes_it(school, counted, is_absent):
    school.miss(*THREE)
    school.count(day(counted))

    assert school.night()["is_absent"] is is_absent


@pytest.mark.parametrize(("changed", "is_absent"), [("1120", True), ("1121", False)])
def test_so_does_a_record_dated_later(school, changed, is_absent):
    school.record(status_date=day(changed))
    school.miss(*THREE)

    assert school.night()["is_absent"] is is_absent


def test_a_record_that_says_the_pupil_has_stopped_undoes_nothing(school):
    """停学 (04) is a live status, and on its day nobody was seen at school."""
    school.record(registry_status="04", status_date=day("1121"))
    school.miss(*THREE)
    school.miss(day("1119"), kind="事假", leave=(day("1101"), day("1130")))
    school.count(day("1120"), number="G2")

    found = school.night()

    assert (found["is_absent"], found["is_on_long_leave"], found["is_not_in_headcount"]) == (True, True, True)


# -- on leave too long -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "is_long"),
    [
        ("1101", "1130", True),  # thirty days, the first and the last among them
        ("1102", "1130", False),
        ("1020", "1119", False),  # over the day before
        ("1020", "1120", True),
        ("1120", "1219", True),  # begins tonight
        ("1121", "1225", False),
    ],
)
def test_a_leave_of_thirty_days_that_covers_the_day_is_long(school, first, last, is_long):
    school.miss(ON, kind="事假", leave=(day(first), day(last)))

    found = school.night()

    assert found["is_on_long_leave"] is is_long
    assert (found["leave_from"], found["leave_to"]) == ((day(first), day(last)) if is_long else (None, None))


def test_of_leaves_that_cover_the_day_the_longest_is_told(school):
    school.miss(ON, kind="事假", leave=(day("1101"), day("1130")))
    school.miss(ON, kind="事假", leave=(day("1015"), day("1215")))

    assert school.night()["leave_from"] == day("1015")


@pytest.mark.parametrize(
    ("leaves", "told"),
    [
        ([("1101", "1110"), ("1111", "1130")], ("1101", "1130")),
        ([("1111", "1130"), ("1101", "1110")], ("1101", "1130")),  # whatever the order of the rows
        ([("1101", "1115"), ("1110", "1130")], ("1101", "1130")),
        ([("1101", "1130"), ("1105", "1110"), ("1130", "1205")], ("1101", "1205")),
        ([("1101", "1109"), ("1111", "1130")], None),  # a day between: back, and away again
        ([("1101", "1110"), ("1111", "1119")], None),  # over the day before
        ([("1001", "1031"), ("1115", "1125")], None),  # the long one is over
        ([("1101", "1110"), ("1130", "1111"), ("1116", "1130")], None),  # the middle one ends before it begins
    ],
)
def test_a_leave_renewed_without_a_day_between_is_one(school, leaves, told):
    for first, last in leaves:
        school.miss(ON, kind="事假", leave=(day(first), day(last)))

    found = school.night()

    assert found["is_on_long_leave"] is (told is not None)
    assert (found["leave_from"], found["leave_to"]) == (tuple(map(day, told)) if told else (None, None))


@pytest.mark.parametrize(("counted", "is_long"), [("1105", True), ("1108", False)])
def test_a_leave_from_which_the_pupil_came_back_is_not_renewed_by_the_next(school, counted, is_long):
    school.miss(day("1105"), kind="事假", leave=(day("1101"), day("1112")))
    school.miss(day("1113"), kind="事假", leave=(day("1113"), day("1205")))
    school.count(day(counted))

    assert school.night()["is_on_long_leave"] is is_long


def test_a_renewed_leave_cites_the_row_that_covers_the_day(school):
    school.miss(day("1102"), kind="事假", leave=(day("1101"), day("1118")))
    school.miss(day("1119"), kind="事假", leave=(day("1119"), day("1201")))

    found = school.night()

    assert (found["leave_from"], found["leave_to"], found["leave_row"]) == (day("1101"), day("1201"), 2)

    school.miss(ON, kind="事假", leave=(day("1201"), day("1231")))  # longer, and begins then
    assert school.night()["leave_row"] == 2


def test_of_rows_that_cover_the_day_the_longest_is_cited_and_of_equal_ones_the_first(school):
    for first, last in (("1115", "1130"), ("1001", "1121"), ("1001", "1121")):
        school.miss(ON, kind="事假", leave=(day(first), day(last)))

    assert school.night()["leave_row"] == 2


@pytest.mark.parametrize(("counted", "is_long"), [("1119", True), ("1120", False)])
def test_a_headcount_after_the_day_it_was_said_undoes_it(school, counted, is_long):
    school.miss(day("1119"), kind="事假", leave=(day("1101"), day("1130")))
    school.count(day(counted))

    assert school.night()["is_on_long_leave"] is is_long


@pytest.mark.parametrize(("changed", "is_long"), [("1119", True), ("1120", False)])
def test_so_does_a_record_dated_after_it(school, changed, is_long):
    """The day the leave began has no part in it: a pupil who changed school during the leave has not come back from it by that."""
    school.record(status_date=day(changed))
    school.miss(day("1119"), kind="事假", leave=(day("1101"), day("1130")))

    assert school.night()["is_on_long_leave"] is is_long


# -- not in the headcount --------------------------------------------------------------------------------------------


def test_whom_the_last_headcount_of_its_school_leaves_out_is_missing(school):
    school.count(ON - DAY, number="G2")

    assert school.night()["is_not_in_headcount"]


def test_whom_it_says_not_to_be_present_is_missing(school):
    school.count(ON - DAY, present=False)

    assert school.night()["is_not_in_headcount"]


def test_whom_it_shows_is_not_and_an_earlier_one_that_did_does_not_count(school):
    school.count(ON - 2 * DAY)
    assert not school.night()["is_not_in_headcount"]

    school.count(ON - DAY, number="G2")
    assert school.night()["is_not_in_headcount"]


def test_a_headcount_of_another_school_says_nothing_but_shows_whom_it_shows(school):
    school.count(ON - DAY, number="G2", school="S2")
    assert not school.night()["is_not_in_headcount"]

    school.count(ON - DAY, number="G3")
    school.count(ON - DAY, school="S2")
    assert not school.night()["is_not_in_headcount"]


def test_a_headcount_that_names_no_school_is_of_the_school_where_the_registry_has_the_pupil(school):
    school.record()
    school.record(2, person=2, student_number="G2")
    school.count(ON - DAY, number="G2", school=None)

    assert school.night()["is_not_in_headcount"]


@pytest.mark.parametrize("is_other_live", [False, True])
def test_not_of_one_that_the_pupil_has_left_and_of_no_school_where_two_have_it(school, is_other_live):
    """A school that sent nothing would be one whose pupils are all missing."""
    school.record()
    school.record(2, person=2, student_number="G2", school_code="S2")
    school.record(3, person=2, student_number="G2", is_live=is_other_live)
    school.count(ON - DAY, number="G2", school=None)

    assert not school.night()["is_not_in_headcount"]


@pytest.mark.parametrize(("old", "is_missing"), [(30, True), (31, False)])
def test_a_headcount_says_it_for_thirty_days(school, old, is_missing):
    school.count(ON - old * DAY, number="G2")

    assert school.night()["is_not_in_headcount"] is is_missing


@pytest.mark.parametrize("column", ["status_date", "enrolled_month"])
@pytest.mark.parametrize(("later", "is_missing"), [(0, True), (1, False)])
def test_a_record_dated_after_the_headcount_undoes_it(school, column, later, is_missing):
    school.record(**{column: ON - 2 * DAY + later * DAY})
    school.count(ON - 2 * DAY, number="G2")

    assert school.night()["is_not_in_headcount"] is is_missing


def test_a_pupil_without_a_number_cannot_be_left_out(school):
    school.record(student_number=None)
    school.count(ON - DAY, number="G2")

    assert not school.night()["is_not_in_headcount"]


# -- who is not expected ---------------------------------------------------------------------------------------------


def test_a_suspended_pupil_is_not_expected(school):
    school.record(registry_status="02")
    school.miss(*THREE, leave=(day("1020"), day("1220")))
    school.count(ON - DAY, present=False)

    found = school.night()

    assert not any(found[name] for name in ("is_absent", "is_on_long_leave", "is_not_in_headcount"))


def test_one_whose_status_nobody_knows_is(school):
    school.record(registry_status=None)
    school.count(ON - DAY, present=False)

    assert school.night()["is_not_in_headcount"]


def test_of_a_record_that_is_not_live_nothing_is_said(school):
    school.record(is_live=False)
    school.record(2)
    school.count(ON - DAY, present=False)

    assert school.night() is None


# -- counted under another number ------------------------------------------------------------------------------------


def test_a_pupil_counted_under_a_number_that_is_nobodys_is_told_by_school_and_name(school):
    school.count(ON - DAY, number="L9", name="儿童1")

    found = school.night()

    assert found["present_on"] == ON - DAY
    assert not found["is_not_in_headcount"]


@pytest.mark.parametrize("number", [NUMBER, "L9"])
@pytest.mark.parametrize("days", [(1, 9), (9, 1)])
def test_the_row_that_is_quoted_is_that_of_the_last_day(school, number, days):
    for day_before in days:
        school.count(ON - day_before * DAY, number=number, name="儿童1")
    school.count(ON, number=number, name="儿童1", present=False)

    found = school.night()

    assert (found["present_on"], found["present_row"]) == (ON - DAY, days.index(1) + 1)


@pytest.mark.parametrize("cells", [{"school": "S2"}, {"name": "儿童甲"}, {"present": False}])
def test_but_not_in_another_school_nor_under_another_name_nor_where_it_was_not_there(school, cells):
    school.count(ON - DAY, **{"number": "L9", "name": "儿童1"} | cells)

    assert school.night()["present_on"] is None


def test_nor_where_two_were_counted_under_that_name(school):
    school.count(ON - DAY, number="L9", name="儿童1")
    school.count(ON - DAY, number="L8", name="儿童1")

    assert school.night()["present_on"] is None


def test_nor_where_two_pupils_of_the_school_bear_it(school):
    school.record()
    school.record(2, person=2, student_number="G2")
    school.names[2] = "儿童1"
    school.count(ON - DAY, number="L9", name="儿童1")

    assert school.night()["present_on"] is None


def test_nor_where_the_pupil_was_counted_under_its_own(school):
    school.count(ON - DAY, present=False)
    school.count(ON - DAY, number="L9", name="儿童1")

    assert school.night()["is_not_in_headcount"]


def renumbered(school, *numbers, child="C1"):
    """What the versions before had the child under, the latest first."""
    school.working.put("previous_child_facts", {"child_id": child, "student_number": numbers[0]})
    school.working.put(
        "previous_identities", *({"child_id": child, "student_number": number} for number in numbers[1:])
    )


@pytest.mark.parametrize("before", [("L9",), (NUMBER, "L9"), ("L9", "L9")])
def test_the_number_that_a_pupil_bore_before_counts_it_where_no_record_bears_it(school, before):
    renumbered(school, *before)
    school.count(ON - DAY, number="L9")

    found = school.night()

    assert (found["present_on"], found["present_row"]) == (ON - DAY, 1)
    assert not found["is_not_in_headcount"]


@pytest.mark.parametrize("school_said", [SCHOOL, None])
def test_and_says_whom_else_that_school_counted(school, school_said):
    school.record()
    school.record(2, person=2, student_number="G2")
    school.working.put("standard.children", {"person": 1, "child_id": "C1"}, {"person": 2, "child_id": "C2"})
    renumbered(school, "L9", child="C2")
    school.count(ON - DAY, number="L9", school=school_said)

    found = school.night()

    assert (found["is_not_in_headcount"], found["counted_on"]) == (True, ON - DAY)


@pytest.mark.parametrize(("reports", "told"), [(SCHOOL, SCHOOL), ("S9", "S9"), (None, SCHOOL)])
def test_and_under_it_a_school_reports_it_absent(school, reports, told):
    renumbered(school, "L9")
    school.miss(*THREE, number="L9", school=reports)

    found = school.night()

    assert (found["is_absent"], found["reported_by"]) == (True, told)


@pytest.mark.parametrize(("is_live", "present_on"), [(True, None), (False, ON - DAY)])
def test_but_not_where_the_pupil_has_two_live_records(school, is_live, present_on):
    school.record()
    school.record(2, student_number="G2", school_code="S2", is_primary=False, is_live=is_live)
    renumbered(school, "L9")
    school.count(ON - DAY, number="L9")

    assert school.night()["present_on"] == present_on


def test_nor_where_two_children_bore_it(school):
    school.record()
    school.record(2, person=2, student_number="G2")
    school.working.put("standard.children", {"person": 1, "child_id": "C1"}, {"person": 2, "child_id": "C2"})
    school.working.put("previous_child_facts", *({"child_id": child, "student_number": "L9"} for child in ("C1", "C2")))
    school.count(ON - DAY, number="L9")

    assert school.night()["present_on"] is None


def test_nor_where_the_number_is_anothers(school):
    school.record()
    school.record(2, person=2, student_number="L9", school_code="S2")
    renumbered(school, "L9")
    school.count(ON - DAY, number="L9", name="儿童1")

    assert school.night()["present_on"] is None


# -- two children under one number -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "is_present", "is_missing"),
    [
        ({"name": "儿童1"}, True, False),
        ({"name": "儿童2"}, False, True),
        ({"name": "儿童3"}, False, False),  # a name that neither bears
        ({}, False, False),
        ({"name": "儿童1", "school": "S2"}, True, False),
        ({"present": False, "name": "儿童1"}, False, True),
    ],
)
def test_a_headcount_speaks_of_the_one_it_names_and_of_nobody_where_it_names_neither(
    school, said, is_present, is_missing
):
    school.record()
    school.record(2, person=2)
    school.count(ON - DAY, number="G3")
    school.count(ON - DAY, **said)

    found = school.night()

    assert (found["present_on"], found["is_not_in_headcount"]) == (ON - DAY if is_present else None, is_missing)


@pytest.mark.parametrize(("reports", "is_meant"), [(SCHOOL, True), ("S2", False), ("S9", False), (None, False)])
@pytest.mark.parametrize("second", ["儿童1", "儿童2"])
def test_without_a_name_or_where_both_bear_it_a_school_speaks_of_its_own(school, reports, is_meant, second):
    school.record()
    school.record(2, person=2, school_code="S2")
    school.names[2] = second
    school.count(ON - 5 * DAY, school=reports, name=None if second == "儿童2" else second)
    school.miss(*THREE, school=reports)

    found = school.night()

    assert (found["present_on"], found["is_absent"]) == ((ON - 5 * DAY, True) if is_meant else (None, False))


def test_the_name_of_a_third_is_nobodys_whosever_school_it_is(school):
    school.record()
    school.record(2, person=2, school_code="S2")
    school.names[2] = "儿童1"
    school.count(ON - DAY, name="儿童3")

    assert school.night()["present_on"] is None


def test_what_is_said_of_the_other_later_takes_nothing_from_what_is_said_of_the_one(school):
    school.record()
    school.record(2, person=2)
    school.count(ON - 2 * DAY, name="儿童1")
    school.count(ON - 2 * DAY, name="儿童1")
    school.count(ON - DAY, name="儿童2")

    found = school.night()

    assert (found["present_on"], found["present_row"]) == (ON - 2 * DAY, 1)


@pytest.mark.parametrize("name", ["儿童1", None])
def test_two_records_of_the_one_are_not_two_who_could_be_meant(school, name):
    school.record()
    school.record(2, person=2, school_code="S2")
    school.record(3, is_primary=False)
    school.names[3] = "儿童1"
    school.count(ON - DAY, name=name)

    assert school.night()["present_on"] == ON - DAY


def test_nor_is_one_who_has_left(school):
    school.record()
    school.record(2, person=2, is_live=False)
    school.count(ON - DAY)

    assert school.night()["present_on"] == ON - DAY


def test_a_report_of_absences_of_the_school_of_both_speaks_of_neither(school):
    school.record()
    school.record(2, person=2)
    school.miss(*THREE, leave=(day("1101"), day("1130")))

    found = school.night()

    assert (found["is_absent"], found["is_on_long_leave"]) == (False, False)


# -- what sources said that did not come -------------------------------------------------------------------------------


def test_what_the_headcount_said_last_holds_while_none_comes(school):
    school.said("not_in_headcount", ON - 10 * DAY)

    assert school.night(sent=("absences",))["is_not_in_headcount"]


def test_it_is_forgotten_the_night_one_of_its_school_comes(school):
    school.said("not_in_headcount", ON - 10 * DAY)
    school.count(ON - DAY)

    assert not school.night(sent=("in_school", "absences"))["is_not_in_headcount"]


@pytest.mark.parametrize(("counted", "is_missing"), [(None, True), (ON - 11 * DAY, True), (ON - 10 * DAY, False)])
def test_nor_where_other_schools_sent_one_or_its_own_an_older_one(school, counted, is_missing):
    school.said("not_in_headcount", ON - 10 * DAY)
    school.count(ON - DAY, number="G2", school="S2")
    if counted:
        school.count(counted)

    found = school.night()

    assert (found["is_not_in_headcount"], found["counted_on"]) == (is_missing, ON - 10 * DAY)


@pytest.mark.parametrize("number", [NUMBER, "L9"])
def test_the_latest_presence_is_the_one_that_was_said_before_where_tonights_is_older(school, number):
    school.said("present", ON - 10 * DAY)
    school.count(ON - 20 * DAY, number=number, name="儿童1")
    found = school.night()
    assert (found["present_on"], found["present_row"]) == (ON - 10 * DAY, None)

    school.count(ON - 9 * DAY, number=number, name="儿童1")
    found = school.night()
    assert (found["present_on"], found["present_row"]) == (ON - 9 * DAY, 2)


def test_who_was_present_stays_present_and_undoes_what_was_said_before(school):
    school.said("present", ON - DAY)
    school.said("absent", ON - 10 * DAY, ON - 3 * DAY)

    found = school.night(sent=())

    assert found["present_on"] == ON - DAY
    assert not found["is_absent"]


@pytest.mark.parametrize("last", [ON - 3 * DAY, ON])
def test_who_was_absent_stays_absent_and_is_on_no_leave(school, last):
    school.said("absent", ON - 10 * DAY, last)

    found = school.night(sent=("in_school",))

    assert (found["is_absent"], found["is_on_long_leave"]) == (True, False)
    assert (found["absent_from"], found["absent_to"]) == (ON - 10 * DAY, last)


REPORTS = pytest.mark.parametrize(
    ("reported", "stands"), [(None, True), (ON - 4 * DAY, True), (ON - 3 * DAY, False), (ON, False)]
)


@REPORTS
@pytest.mark.parametrize("by", [SCHOOL, "S9"])
def test_what_a_school_said_of_absences_stands_until_it_reports_of_that_day_or_a_later_one(
    school, reported, stands, by
):
    """By its own code, or by the one of its last report. What other schools send says nothing."""
    school.said("absent", ON - 10 * DAY, ON - 3 * DAY)
    school.said("reported_by", ON - 3 * DAY, code="S9")
    school.miss(ON, number="G2", school="S2")
    if reported:
        school.miss(reported, number="G3", school=by)

    found = school.night()

    assert (found["is_absent"], found["reported_by"]) == (stands, "S9" if stands else None)


@REPORTS
def test_so_does_a_long_leave(school, reported, stands):
    school.said("long_leave", ON - 30 * DAY, ON + 10 * DAY)
    school.said("leave_reported", ON - 3 * DAY)
    school.miss(ON, number="G2", school="S2")
    if reported:
        school.miss(reported, number="G3")

    assert school.night()["is_on_long_leave"] is stands


def test_an_older_report_that_comes_again_does_not_take_the_place_of_what_was_said_last(school):
    school.said("absent", ON - 9 * DAY, ON - DAY)
    school.miss(day("1109"), day("1110"), day("1111"))
    found = school.night()

    assert found["is_absent"]
    assert (found["absent_from"], found["absent_to"], found["absent_row"]) == (ON - 9 * DAY, ON - DAY, None)


WEEK = tuple(day(text) for text in ("1113", "1116", "1117", "1118", "1119", "1120"))
EVERY_WAY = [
    [missed for missed, is_missed in zip(WEEK, ways, strict=True) if is_missed]
    for ways in itertools.product((False, True), repeat=len(WEEK))
]
"""The school days missed of one pupil each: every choice of the last six."""


@pytest.mark.parametrize("cut", range(1, len(WEEK)))
@pytest.mark.parametrize("again", [0, 2], ids=["new days alone", "two days again"])
def test_a_school_that_sends_only_its_new_days_says_what_one_that_sends_all_of_them_does(school, cut, again):
    """Pupil n of the school has missed the days of way n; another one was ill on each of them, so that each is reported."""
    others = range(1, len(EVERY_WAY) + 1)
    school.working.put("standard.children", *({"person": n, "child_id": f"C{n}"} for n in others))
    for n in others:
        school.record(n, person=n, student_number=f"G{n}")
        school.names[n] = f"儿童{n}"

    def night(days):
        school.missed.clear()
        school.miss(*days, kind="病假", number="G0")
        for n, ways in zip(others, EVERY_WAY, strict=True):
            school.miss(*(missed for missed in ways if missed in days), number=f"G{n}")
        school.night()
        said = "registry_row, is_absent, absent_from, absent_to, absent_days"
        return school.working.all(
            f"SELECT {said}, missed_to FROM status.attendance WHERE missed_to IS NOT NULL ORDER BY registry_row"
        )

    at_once = night(WEEK)
    assert sum(pupil["is_absent"] for pupil in at_once) == len(EVERY_WAY) / 2**3
    for pupil in night(WEEK[:cut]):
        school.said("absent" if pupil["is_absent"] else "days_missed", pupil["absent_from"], pupil["absent_to"])
        n = pupil["registry_row"]
        school.before[-1] |= {"child_id": f"C{n}", "code": f"G{n}"}

    assert night(WEEK[max(cut - again, 0) :]) == at_once


def test_a_day_that_is_reported_anew_without_the_pupil_was_not_missed(school):
    school.said("days_missed", THREE[0], THREE[1])
    school.miss(THREE[2])
    assert school.night()["is_absent"]

    school.miss(THREE[1], number="G2")
    assert not school.night()["is_absent"]


def test_days_missed_wait_while_the_pupils_school_reports_nothing(school):
    school.said("days_missed", THREE[0], THREE[1])
    school.miss(ON, number="G2", school="S2")

    found = school.night()

    assert not found["is_absent"]
    assert (found["absent_from"], found["missed_to"]) == THREE[:2]


def test_nor_an_older_one_of_a_leave(school):
    school.said("long_leave", ON - 20 * DAY, ON + 20 * DAY)
    school.said("leave_reported", ON - 3 * DAY)
    school.miss(ON - 4 * DAY, kind="事假", leave=(ON - 40 * DAY, ON + 2 * DAY))
    found = school.night()

    assert found["is_on_long_leave"]
    assert (found["leave_from"], found["leave_said_on"], found["leave_row"]) == (ON - 20 * DAY, ON - 3 * DAY, None)


@pytest.mark.parametrize(("last", "is_long"), [(ON, True), (ON - DAY, False)])
def test_a_long_leave_holds_until_it_ends(school, last, is_long):
    school.said("long_leave", ON - 40 * DAY, last)
    school.said("leave_reported", ON - 10 * DAY)

    assert school.night(sent=("in_school",))["is_on_long_leave"] is is_long


@pytest.mark.parametrize(("counted", "is_long"), [(9, False), (10, True)])
def test_what_shows_the_pupil_has_to_be_later_than_the_last_report_of_it_then_too(school, counted, is_long):
    """And not than the first day of the leave: a headcount that undid nothing on its night undid it on the next one without absences."""
    school.said("long_leave", ON - 20 * DAY, ON + 20 * DAY)
    school.said("leave_reported", ON - 10 * DAY)
    school.said("present", ON - counted * DAY)

    assert school.night(sent=())["is_on_long_leave"] is is_long


@pytest.mark.parametrize(("code", "is_missing"), [(NUMBER, True), (SCHOOL, True), ("G2", False)])
def test_of_two_records_it_is_said_of_the_one_whose_number_or_school_was_named(school, code, is_missing):
    school.record()
    school.record(2, student_number="G2", school_code="S2", is_primary=False)
    school.said("not_in_headcount", ON - DAY, code=code)

    assert school.night(sent=())["is_not_in_headcount"] is is_missing


@pytest.mark.parametrize("others", [0, 1], ids=["its only one", "its only live one"])
def test_of_one_record_alone_it_is_said_whatever_its_number_is_now(school, others):
    school.record()
    for row in range(2, 2 + others):
        school.record(row, student_number="G2", is_primary=False, is_live=False)
    school.said("not_in_headcount", ON - DAY, code="G9")

    assert school.night(sent=())["is_not_in_headcount"]


OTHER_RECORDS = {
    "another number": ([{"student_number": "G2", "school_code": "S2"}], NUMBER),
    "another number there": ([{"student_number": "G2"}], NUMBER),
    "its number": ([{"school_code": "S2"}], SCHOOL),
    "its number, no school": ([{"school_code": None}], SCHOOL),
    "its number, dead": ([{"school_code": "S2", "is_live": False}], NUMBER),
    "two of another number": ([{"student_number": "G2", "school_code": school} for school in ("S2", "S3")], NUMBER),
    "two of another pupil": ([{"person": 2, "school_code": school} for school in ("S2", "S3")], NUMBER),
}


@pytest.mark.parametrize(("others", "code"), OTHER_RECORDS.values(), ids=OTHER_RECORDS)
def test_what_names_a_record_tells_it_from_the_pupils_other_ones(school, others, code):
    school.record()
    for row, cells in enumerate(others, start=2):
        school.record(row, is_primary=False, **cells)

    assert school.night()["record_code"] == code


@pytest.mark.parametrize(("own", "code"), [({"student_number": None}, SCHOOL), ({"school_code": None}, NUMBER)])
@pytest.mark.parametrize("others", [0, 1])
def test_a_record_that_lacks_its_number_or_school_is_named_by_the_other(school, own, code, others):
    school.record(**own)
    for row in range(2, 2 + others):
        school.record(row, is_primary=False, school_code="S2")

    assert school.night()["record_code"] == code
