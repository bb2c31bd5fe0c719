"""What the optional sources say of children: tonight's word, what was said before, and what of it stands on the day (extracts.md, Evidence lasts)."""

import datetime as dt

import pytest

from kcb_pipeline.config import Attendance, Config
from kcb_pipeline.status.evidence import gather_evidence

ON = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)
YEAR_START, YEAR_END = dt.date(2026, 9, 1), dt.date(2027, 8, 31)


class Desk:
    """What the sources say of child C1 tonight, who is person 2 (row 1 of the register), and what they said before."""

    def __init__(self, working):
        self.working = working
        self.rows, self.before, self.attendance = {}, [], {}
        self.strangers = set()
        self.sent = set()
        working.put("standard.children", {"person": 2, "child_id": "C1"})
        working.put("standard.persons", {"person": 2, "id_key": 11})
        working.put("status.school_years", {"school_year_start": YEAR_START, "school_year_end": YEAR_END})

    def say(self, source, **cells):
        """A row of a source about the child."""
        self.sent.add(source)
        rows = self.rows.setdefault(source, [])
        rows.append({"row": len(rows) + 1, **cells})

    def say_of_a_stranger(self, source, **cells):
        """A row of a source about nobody here."""
        self.say(source, **cells)
        self.strangers.add((source, len(self.rows[source])))

    def said(self, kind, source, *, code=None, first=None, last=None):
        """What a source said of the child before."""
        self.before.append(
            {
                "child_id": "C1",
                "kind": kind,
                "nth": 1,
                "source": source,
                "code": code,
                "from_date": first,
                "to_date": last,
                "source_row": 7,
            }
        )

    def night(self):
        """What stands of the child, as columns; nothing where there is no evidence."""
        put = self.working.put
        for source, rows in self.rows.items():
            put(f"landed.{source}", *rows)
        put(
            "status.attributed",
            *(
                {"source": source, "row": row["row"], "person": 2, "rank": 1}
                for source, rows in self.rows.items()
                for row in rows
                if (source, row["row"]) not in self.strangers
            ),
        )
        put("status.sources_tonight", *({"source": source} for source in sorted(self.sent)))
        put(
            "status.attendance",
            *([{"person": 2, "registry_row": 1, "student_number": "G1", **self.attendance}] if self.attendance else []),
        )
        put("previous_evidence", *self.before)
        gather_evidence(self.working.connection, ON, Config(attendance=Attendance(headcount_days=30)))
        return next(iter(self.working.all("SELECT * FROM status.child_evidence WHERE child_id = 'C1'")), {})


@pytest.fixture
def desk(working):
    return Desk(working)


def struck_off(desk, kind="死亡", on=ON - 10 * DAY, reversal="0", **cells):
    desk.say("deregistrations", kind=kind, occurred_on=on, reversal_flag=reversal, **cells)


# -- struck off --------------------------------------------------------------------------------------------------------


def test_who_is_struck_off_is_so_from_that_day(desk):
    struck_off(desk)

    found = desk.night()

    assert (found["struck_off_on"], found["struck_off_kind"], found["struck_off_row"]) == (ON - 10 * DAY, "死亡", 1)


@pytest.mark.parametrize(("undone", "stands"), [(ON - 10 * DAY, False), (ON, False), (ON - 11 * DAY, True)])
def test_a_reversal_of_that_day_or_later_undoes_it(desk, undone, stands):
    struck_off(desk)
    struck_off(desk, on=undone, reversal="1")
    struck_off(desk, on=ON - 30 * DAY, reversal="1")

    assert (desk.night().get("struck_off_on") is not None) is stands


def test_a_reversal_of_another_kind_does_not(desk):
    struck_off(desk)
    struck_off(desk, kind="出国定居", on=ON, reversal="1")

    assert desk.night()["struck_off_kind"] == "死亡"


def test_one_without_kind_says_nothing(desk):
    struck_off(desk, kind=None)
    desk.working.put("standard.evidence_keys", {"source": "deregistrations", "row": 1, "id_key": 11})

    assert desk.night() == {}


def test_one_whose_day_cannot_be_read_strikes_off_all_the_same(desk):
    struck_off(desk, on=None)

    found = desk.night()

    assert (found["struck_off_on"], found["struck_off_kind"], found["struck_off_row"]) == (None, "死亡", 1)


def test_and_is_undone_by_any_reversal(desk):
    struck_off(desk, on=None)
    struck_off(desk, on=ON - 900 * DAY, reversal="1")

    assert desk.night() == {}


def double(desk, *, bearer=11, kind="重户"):
    struck_off(desk, kind=kind, kept_id_number="K")
    desk.working.put("standard.numbers_struck_off", {"row": 1})
    desk.working.put("standard.evidence_keys", {"source": "deregistrations", "row": 1, "id_key": bearer})


def test_a_double_strikes_off_who_bears_that_number_and_no_other(desk):
    double(desk)

    assert desk.night()["struck_off_kind"] == "重户"


@pytest.mark.parametrize("kind", ["重户", "删除"])
def test_but_not_where_the_kept_number_is_somebodys_here(desk, kind):
    double(desk, kind=kind)
    desk.working.put("landed.population", {"row": 5, "id_number": "K"})

    assert desk.night() == {}


def test_nor_where_the_number_is_another_than_the_childs(desk):
    """Whose name and birth date the row tells, and who is the other's double under that number."""
    double(desk, bearer=12)
    own = [{"source": source, "row": row, "id_key": 11} for source, row in (("approvals", 1), ("deregistrations", 2))]
    desk.working.put("standard.evidence_keys", {"source": "deregistrations", "row": 1, "id_key": 12}, *own)
    desk.working.put("standard.persons", {"person": 2, "id_key": 11}, {"person": 4, "id_key": 12})
    assert desk.night() == {}

    struck_off(desk, kind="重户", kept_id_number="K", on=ON - 20 * DAY)
    assert desk.night()["struck_off_row"] == 2


@pytest.mark.parametrize(("is_live", "stands"), [(True, False), (False, True)])
def test_nor_where_the_child_has_a_live_row_under_another_number(desk, is_live, stands):
    double(desk)
    desk.working.put("standard.person_groups", {"person": 2, "ref": 2}, {"person": 2, "ref": 8})
    desk.working.put(
        "standard.population_keys",
        {"ref": 2, "id_key": 11, "is_live": True},
        {"ref": 8, "id_key": 13, "is_live": is_live},
    )

    assert bool(desk.night()) is stands


def test_what_struck_off_a_child_that_has_left_the_register_is_its_evidence(desk):
    desk.working.put("standard.children")
    desk.working.put("standard.persons")
    desk.working.put("standard.gone_children", {"person": 2, "child_id": "C1", "id_key": 11})
    double(desk)

    assert desk.night()["struck_off_row"] == 1


# -- abroad ------------------------------------------------------------------------------------------------------------


def crossing(desk, direction, on, **cells):
    desk.say("exit_entry", direction=direction, crossed_on=on, **cells)


def test_the_last_crossing_tells_who_is_abroad(desk):
    crossing(desk, "2", ON - 20 * DAY)
    crossing(desk, "1", ON - 10 * DAY)
    crossing(desk, "1", ON - 40 * DAY)

    found = desk.night()

    assert (found["abroad_since"], found["abroad_row"]) == (ON - 10 * DAY, 2)


@pytest.mark.parametrize("back", [ON - 9 * DAY, ON - 10 * DAY])
def test_who_came_back_on_that_day_or_later_is_here(desk, back):
    crossing(desk, "1", ON - 10 * DAY)
    crossing(desk, "2", back)

    found = desk.night()

    assert (found["abroad_since"], found["came_back_on"]) == (None, back)


@pytest.mark.parametrize(("kind", "column"), [("abroad", "abroad_since"), ("come_back", "came_back_on")])
@pytest.mark.parametrize(("crossed", "stands"), [(None, True), (ON - 21 * DAY, True), (ON - 20 * DAY, False)])
def test_a_crossing_lasts_until_a_later_one_also_where_only_the_new_ones_come(desk, kind, column, crossed, stands):
    desk.said(kind, "exit_entry", first=ON - 20 * DAY)
    desk.sent = {"exit_entry"}
    if crossed:
        crossing(desk, "2" if kind == "abroad" else "1", crossed)

    assert (desk.night()[column] == ON - 20 * DAY) is stands


def test_what_only_crosses_without_a_direction_ends_nothing_and_of_several_the_last_does(desk):
    desk.said("abroad", "exit_entry", first=ON - 20 * DAY)
    desk.sent = {"exit_entry"}
    crossing(desk, None, ON)
    assert desk.night()["abroad_since"] == ON - 20 * DAY

    crossing(desk, "2", ON - 30 * DAY)
    crossing(desk, "2", ON - 10 * DAY)
    assert desk.night()["abroad_since"] is None


@pytest.mark.parametrize("in_turn", [1, -1])
def test_of_crossings_of_one_day_one_is_told_in_whatever_order_they_came(desk, in_turn):
    places = ["乙地", "丙地", "丙地"][::in_turn]
    for place in places:
        crossing(desk, "1", ON - 10 * DAY, destination=place)

    desk.night()

    assert desk.working.all("SELECT code, source_row FROM status.evidence") == [
        {"code": "丙地", "source_row": places.index("丙地") + 1}
    ]


def test_what_strikes_off_for_good_is_quoted_before_a_later_removal(desk):
    struck_off(desk, kind="迁出")
    assert desk.night()["struck_off_kind"] == "迁出"

    struck_off(desk, on=None)
    assert desk.night()["struck_off_kind"] == "死亡"


def test_a_crossing_without_day_or_direction_says_nothing(desk):
    crossing(desk, "1", ON - 10 * DAY)
    crossing(desk, None, ON)
    crossing(desk, "2", None)

    assert desk.night()["abroad_row"] == 1


# -- approvals, schools elsewhere, programmes ----------------------------------------------------------------------------


APPROVED = {"休学": "leave_until", "延缓入学": "deferred_until"}
ROWS = {"休学": "leave_row", "延缓入学": "deferral_row", "免学": "exemption_row"}
ENDED = {"休学": "leave_ended_on", "延缓入学": "deferral_ended_on"}


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize(
    ("first", "last", "covers"),
    [(ON, ON, True), (None, ON, True), (ON - 9 * DAY, ON + 9 * DAY, True), (ON + DAY, ON + 9 * DAY, False), (ON - 9 * DAY, ON - DAY, False)],
)  # fmt: skip
def test_an_approval_covers_its_days_the_first_and_the_last_among_them(desk, kind, first, last, covers):
    desk.say("approvals", kind=kind, from_date=first, to_date=last)

    found = desk.night()

    assert found[ROWS[kind]] == (1 if covers else None)
    assert {column: found[column] for column in APPROVED.values()} == {
        column: last if covers and of == kind else None for of, column in APPROVED.items()
    }
    assert found["leave_from"] == (first if covers and kind == "休学" else None)
    if kind in ENDED:
        assert found[ENDED[kind]] == (last if last < ON else None)
    assert found["deferral_ended_row"] == (1 if last < ON and kind == "延缓入学" else None)


def test_what_says_neither_what_nor_when_is_no_evidence(desk):
    desk.say("approvals", kind=None, to_date=ON)
    desk.say("support_programmes", programme=None, entered_on=ON)
    desk.say("elsewhere", confirmed_on=None)

    desk.night()

    assert desk.working.all("SELECT * FROM status.evidence") == []


def test_what_a_source_says_of_a_stranger_is_not_said_of_the_child_whom_another_names_in_that_row(desk):
    desk.said("abroad", "exit_entry", first=ON - 20 * DAY)
    desk.say("approvals", kind="免学", to_date=ON)
    struck_off(desk, on=ON - DAY)
    desk.say_of_a_stranger("deregistrations", kind="死亡", occurred_on=ON, reversal_flag="1")
    desk.say("approvals", kind="免学", to_date=ON)
    for source, cells in (
        ("exit_entry", {"direction": "2", "crossed_on": ON}), ("poverty_register", {"household_kind": "低保"}),
        ("support_programmes", {"programme": "专门教育"}), ("elsewhere", {"confirmed_on": ON}), ("disability_register", {"placement": "特教班"}),
    ):  # fmt: skip
        desk.say_of_a_stranger(source, **cells)

    desk.night()

    assert {row["kind"] for row in desk.working.all("SELECT kind FROM status.evidence")} == {
        "approval", "abroad", "struck_off",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_only_an_exemption_needs_no_end(desk, kind):
    desk.say("approvals", kind=kind, from_date=ON - 9 * DAY, to_date=None)

    assert desk.night()[ROWS[kind]] == (1 if kind == "免学" else None)


def test_the_approval_that_runs_longest_is_told(desk):
    for last in (ON + DAY, ON + 9 * DAY, ON - DAY):
        desk.say("approvals", kind="休学", from_date=ON - 30 * DAY, to_date=last)

    found = desk.night()

    assert (found["leave_until"], found["leave_ended_on"]) == (ON + 9 * DAY, ON - DAY)


def test_a_school_elsewhere_is_believed_to_the_end_of_its_school_year(desk):
    desk.say("elsewhere", confirmed_on=YEAR_START)
    assert desk.night()["elsewhere_on"] == YEAR_START
    assert desk.working.all("SELECT to_date FROM status.evidence") == [{"to_date": YEAR_END}]

    desk.working.put("status.school_years", {"school_year_start": YEAR_START, "school_year_end": ON - DAY})
    found = desk.night()
    assert (found["elsewhere_on"], found["elsewhere_row"]) == (None, None)


@pytest.mark.parametrize(
    ("programme", "first", "last", "is_in"),
    [
        ("专门教育", ON, None, True), ("专门教育", None, ON + DAY, True), ("专门教育", ON - DAY, ON, False), ("专门教育", ON + DAY, None, False),
        ("失管关爱", ON, None, False),
    ],
)  # fmt: skip
def test_specialised_education_lasts_until_the_day_it_is_left(desk, programme, first, last, is_in):
    desk.say("support_programmes", programme=programme, entered_on=first, left_on=last)

    found = desk.night()

    assert found["specialised_row"] == (1 if is_in else None)


@pytest.mark.parametrize(
    ("placement", "said"),
    [("特教学校", "特教学校"), ("特教班", "特教班"), ("送教上门", "送教上门"), ("普通学校", None), (None, None)],
)
def test_a_disabled_child_is_one_wherever_it_learns_and_a_special_place_is_a_placement(desk, placement, said):
    desk.say("disability_register", placement=placement)

    found = desk.night()

    assert found["is_disabled"] == 1
    assert (found["disability_placement"], found["disability_row"]) == (said, 1 if said else None)


@pytest.mark.parametrize(
    ("kind", "is_poor"), [("脱贫户", 1), ("监测户", 1), ("低保", 1), ("特困", 1), ("一般户", 0), (None, 0)]
)
def test_a_household_is_poor_by_its_kind(desk, kind, is_poor):
    desk.say("poverty_register", household_kind=kind)

    assert desk.night()["is_poor"] == is_poor


# -- of several rows of a kind one is quoted -------------------------------------------------------------------------------


@pytest.mark.parametrize("in_turn", [1, -1])
def test_day_kind_and_row_are_of_one_row_in_whatever_order_they_came(desk, in_turn):
    spoken = [("删除", ON - 2 * DAY), ("死亡", ON - 900 * DAY), ("迁出", ON - DAY)][::in_turn]
    for kind, day in spoken:
        struck_off(desk, kind, day)
    approved = [(ON - 30 * DAY, ON + 9 * DAY), (ON - DAY, ON + DAY)][::in_turn]
    for first, last in approved:
        desk.say("approvals", kind="休学", from_date=first, to_date=last)
    confirmed = [ON - DAY, ON - 60 * DAY][::in_turn]
    for day in confirmed:
        desk.say("elsewhere", confirmed_on=day)
    places = ["送教上门", "特教学校"][::in_turn]
    for place in places:
        desk.say("disability_register", placement=place)

    found = desk.night()

    row = [name for name, _ in spoken].index("删除") + 1
    told = (found["struck_off_on"], found["struck_off_kind"], found["struck_off_row"])
    assert told == (ON - 2 * DAY, "删除", row)
    row = approved.index((ON - 30 * DAY, ON + 9 * DAY)) + 1
    assert (found["leave_from"], found["leave_until"], found["leave_row"]) == (ON - 30 * DAY, ON + 9 * DAY, row)
    assert (found["elsewhere_on"], found["elsewhere_row"]) == (ON - DAY, confirmed.index(ON - DAY) + 1)
    assert (found["disability_placement"], found["disability_row"]) == ("送教上门", places.index("送教上门") + 1)


@pytest.mark.parametrize("in_turn", [1, -1])
def test_of_approvals_to_one_day_the_later_one_is_told_and_of_equal_ones_the_first(desk, in_turn):
    begun = [ON - 30 * DAY, ON - DAY, ON - DAY][::in_turn]
    for day in begun:
        desk.say("approvals", kind="休学", from_date=day, to_date=ON + DAY)
    for kind in ("死亡", "删除")[::in_turn]:
        struck_off(desk, kind)

    found = desk.night()

    assert (found["leave_from"], found["leave_row"]) == (ON - DAY, begun.index(ON - DAY) + 1)
    assert (found["struck_off_kind"], found["struck_off_row"]) == ("删除", 2 if in_turn == 1 else 1)


def test_of_two_records_absences_the_one_that_lasted_longer_is_told(desk):
    desk.said("absent", "absences", first=ON - 9 * DAY, last=ON - DAY)
    desk.said("absent", "absences", first=ON - 5 * DAY, last=ON - 3 * DAY)
    found = desk.night()

    assert (found["absent_from"], found["absent_to"]) == (ON - 9 * DAY, ON - DAY)


def test_what_is_said_of_a_child_says_nothing_of_another(desk):
    desk.said("struck_off", "deregistrations", code="死亡", first=ON - 10 * DAY)
    desk.before.append(desk.before[0] | {"child_id": "C2", "from_date": ON})

    assert desk.night()["struck_off_on"] == ON - 10 * DAY


# -- attendance, and what lasts --------------------------------------------------------------------------------------------


def test_what_attendance_found_is_evidence_where_its_source_came(desk):
    desk.sent = {"in_school", "absences"}
    desk.attendance = {
        "is_absent": True, "absent_from": ON - 3 * DAY, "absent_to": ON - DAY, "absent_row": 4, "is_on_long_leave": True, "leave_from": ON - 9 * DAY,
        "leave_to": ON, "leave_row": 5, "is_not_in_headcount": True, "counted_on": ON - 30 * DAY, "student_number": "G1", "record_code": "S1",
    }  # fmt: skip

    found = desk.night()

    assert (found["absent_from"], found["absent_to"], found["absent_row"]) == (ON - 3 * DAY, ON - DAY, 4)
    assert (found["long_leave_from"], found["long_leave_to"], found["long_leave_row"]) == (ON - 9 * DAY, ON, 5)
    assert found["missed_headcount_on"] == ON - 30 * DAY
    # By what tells the record from the pupil's others it is known in the nights to come.
    assert desk.working.all("SELECT kind, code FROM status.evidence ORDER BY kind") == [
        {"kind": kind, "code": "S1"} for kind in ("absent", "leave_reported", "long_leave", "not_in_headcount")
    ]


@pytest.mark.parametrize(
    ("sent", "kinds"),
    [(set(), set()), ({"in_school"}, {"present", "not_in_headcount"}), ({"absences"}, {"absent", "long_leave", "leave_reported", "reported_by"})],
)  # fmt: skip
def test_it_is_not_said_anew_where_its_source_did_not_come(desk, sent, kinds):
    desk.sent = sent
    desk.attendance = {
        "is_absent": True, "absent_to": ON, "is_on_long_leave": True, "leave_to": ON, "is_not_in_headcount": True, "counted_on": ON, "present_on": ON,
        "missed_to": ON, "reported_by": "S9",
    }  # fmt: skip

    desk.night()

    assert {row["kind"] for row in desk.working.all("SELECT kind FROM status.evidence")} == kinds


@pytest.mark.parametrize(
    ("attendance", "said"),
    [
        ({"is_absent": True, "missed_to": ON - DAY, "absent_to": ON - DAY, "leave_said_on": ON}, ON - DAY),
        ({"missed_to": ON - DAY, "absent_to": ON - DAY}, ON - DAY),
        ({"is_on_long_leave": True, "leave_to": ON, "leave_said_on": ON - 3 * DAY}, ON - 3 * DAY),
        ({"missed_to": ON, "absent_to": ON, "school_code": None}, ON),
        ({"missed_to": ON, "absent_to": ON, "school_code": "S9"}, None),
        ({"absent_to": ON}, None),
    ],
    ids=["absent", "some days missed", "on leave", "at a school of no code", "by the registry's own", "neither"],
)
def test_by_which_school_it_was_said_is_kept_where_that_is_not_the_registrys(desk, attendance, said):
    desk.sent = {"absences"}
    desk.attendance = {
        "school_code": "S1",
        "reported_by": "S9",
        "is_absent": False,
        "is_on_long_leave": False,
    } | attendance

    desk.night()

    assert desk.working.all("SELECT code, from_date FROM status.evidence WHERE kind = 'reported_by'") == (
        [{"code": "S9", "from_date": said}] if said else []
    )


@pytest.mark.parametrize(("is_absent", "kind"), [(True, "absent"), (False, "days_missed")])
def test_days_missed_that_are_no_absence_yet_are_kept_for_the_nights_to_come(desk, is_absent, kind):
    desk.sent = {"absences"}
    desk.attendance = {
        "is_absent": is_absent, "absent_from": ON - DAY, "absent_to": ON, "missed_to": ON, "record_code": "S1", "school_code": "S1", "reported_by": "S9",
    }  # fmt: skip

    found = desk.night()

    assert found.get("absent_from") == (ON - DAY if is_absent else None)
    assert desk.working.all("SELECT kind, code, from_date, to_date FROM status.evidence ORDER BY kind") == [
        {"kind": kind, "code": "S1", "from_date": ON - DAY, "to_date": ON},
        {"kind": "reported_by", "code": "S9", "from_date": ON, "to_date": None},
    ]


def test_days_missed_that_are_no_absence_yet_say_nothing_of_their_own(desk):
    desk.sent = {"absences"}
    desk.attendance = {"is_absent": False, "absent_from": ON, "absent_to": ON, "missed_to": ON, "record_code": "S1"}

    assert desk.night() == {}
    assert desk.working.all("SELECT kind FROM status.evidence") == [{"kind": "days_missed"}]


def test_a_presence_is_kept_for_the_nights_to_come_and_says_nothing_of_its_own(desk):
    desk.sent = {"in_school", "absences"}
    desk.attendance = {
        "present_on": ON, "present_row": 3, "record_code": "S1", "is_absent": False, "is_on_long_leave": False, "is_not_in_headcount": False,
    }  # fmt: skip

    assert desk.night() == {}
    assert desk.working.all("SELECT kind, code FROM status.evidence") == [{"kind": "present", "code": "S1"}]


def test_where_a_child_lives_by_its_live_row_is_kept_for_the_nights_to_come_and_says_nothing_of_its_own(desk):
    put = desk.working.put
    put("standard.person_groups", {"person": 2, "ref": 2}, {"person": 2, "ref": 7}, {"person": 2, "ref": 9})
    put(
        "standard.population_keys",
        {"ref": 7, "is_live": True},
        {"ref": 9, "is_live": False},
        {"ref": 11, "is_live": True},
    )
    put(
        "landed.residents",
        *({"row": row, "township_name": place} for row, place in ((3, "甲镇"), (4, "乙镇"), (5, "别家"))),
    )
    desk.sent = {"residents"}

    assert desk.night() == {}
    assert desk.working.all("SELECT child_id, kind, code, source_row FROM status.evidence") == [
        {"child_id": "C1", "kind": "residence", "code": "甲镇", "source_row": 3}
    ]


def test_a_resident_who_stands_in_for_itself_says_nothing_anew(desk):
    desk.working.put("standard.population_keys", {"ref": 2, "is_live": True}, {"ref": -1, "is_live": True})
    desk.working.put("standard.person_groups", {"person": 2, "ref": 2}, {"person": 2, "ref": -1})
    desk.working.put("landed.residents", {"row": -1, "township_name": "甲镇"})
    desk.said("residence", "residents", code="甲镇")
    desk.night()

    assert desk.working.all("SELECT kind, code, source_row FROM status.evidence") == [
        {"kind": "residence", "code": "甲镇", "source_row": 7}
    ]


@pytest.mark.parametrize(("came", "stands"), [(False, True), (True, False)])
def test_what_a_source_said_last_holds_until_it_comes_again(desk, came, stands):
    desk.said("struck_off", "deregistrations", code="死亡", first=ON - 10 * DAY)
    if came:
        desk.sent = {"deregistrations"}

    assert (desk.night().get("struck_off_on") == ON - 10 * DAY) is stands


@pytest.mark.parametrize(
    ("kind", "source", "code", "first", "last", "column"),
    [
        ("approval", "approvals", "休学", None, ON - DAY, "leave_until"),
        ("elsewhere", "elsewhere", None, ON - 90 * DAY, ON - DAY, "elsewhere_on"),
        ("long_leave", "absences", "G1", ON - 90 * DAY, ON - DAY, "long_leave_from"),
        ("not_in_headcount", "in_school", "G1", ON - 31 * DAY, None, "missed_headcount_on"),
    ],
)
def test_and_no_longer_than_its_own_term(desk, kind, source, code, first, last, column):
    desk.said(kind, source, code=code, first=first, last=last)
    assert desk.night()[column] is None

    desk.before[0] |= {"to_date": last + DAY} if last else {"from_date": first + DAY}
    assert desk.night()[column] is not None


def test_what_was_said_of_a_child_before_it_was_of_school_age_stands(desk):
    waiting = {
        "source": "approvals",
        "row": -1,
        "kind": "approval",
        "code": "休学",
        "to_date": ON,
        "said_on": ON - 90 * DAY,
    }
    others = [
        waiting | {"row": -2, "to_date": ON + DAY},
        waiting | {"source": "elsewhere", "kind": "elsewhere", "from_date": ON},
    ]
    desk.working.put("standard.waiting_before", waiting, *others)
    desk.rows["approvals"] = [{"row": -1, "kind": None}]

    assert desk.night()["leave_until"] == ON
    assert desk.working.all("SELECT kind, said_on FROM status.evidence") == [
        {"kind": "approval", "said_on": ON - 90 * DAY}
    ]


def test_evidence_is_numbered_by_what_it_says(desk):
    for last in (ON + 9 * DAY, ON, ON + DAY):
        desk.say("approvals", kind="休学", from_date=ON, to_date=last)
    desk.say("approvals", kind="免学", from_date=ON - DAY, to_date=ON)

    desk.night()

    assert desk.working.all("SELECT nth, source_row FROM status.evidence ORDER BY nth") == [
        {"nth": 1, "source_row": 4}, {"nth": 2, "source_row": 2}, {"nth": 3, "source_row": 3}, {"nth": 4, "source_row": 1},
    ]  # fmt: skip
