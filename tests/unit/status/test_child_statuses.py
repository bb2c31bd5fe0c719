"""The one status of a child: each rule of the contract alone, and of two that hold the earlier (extracts.md, Which status)."""

import datetime as dt

import pytest

from kcb_pipeline.engines.embedded import create
from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.status.evidence import PACKAGE
from kcb_pipeline.status.reasons import REASONS, reasons_frame

ON = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)
YEAR_START, YEAR_END = dt.date(2026, 9, 1), dt.date(2027, 8, 31)

PERSON = "child_id person:i population_type population_row:i is_live:b state birth_date:d sex duplicate_of"
ENROLMENT = (
    "person:i registry_row:i method probability:f live_rows:i senior_rows:i unattended_rows:i suspended_rows:i suspended_on:d unknown_rows:i graduated_row:i "
    "home_teaching_row:i special_row:i special_placement_code present_on:d present_row:i latest_live_change:d resumed_rows:i resumed_on:d dead_row:i dead_status dead_grade:i dead_on:d"
)
EVIDENCE = (
    "came_back_on:d leave_from:d "
    "child_id struck_off_on:d struck_off_kind struck_off_row:i abroad_since:d abroad_row:i leave_until:d leave_row:i leave_ended_on:d deferred_until:d "
    "deferral_row:i deferral_ended_on:d deferral_ended_row:i exemption_row:i elsewhere_on:d elsewhere_row:i "
    "specialised_row:i is_disabled:i disability_placement disability_row:i is_poor:i absent_from:d absent_to:d absent_row:i long_leave_from:d "
    "long_leave_to:d long_leave_row:i missed_headcount_on:d"
)
VERDICT = "child_id result reason verified_on:d until:d student_number landed_on:d source_row:i"
CANDIDATE = "person:i candidates:i"


def verdict(result, on=ON - 10 * DAY, until=None):
    return {"verdict": {"result": result, "verified_on": on, "until": until}}


def record(live=1, **cells):
    """The enrolments of a child: so many live records, attended, in a known state."""
    nothing = dict.fromkeys(("senior_rows", "unattended_rows", "suspended_rows", "unknown_rows"), 0)
    return {"enrolment": {"live_rows": live, **nothing, **cells}}


def dead(status, grade=5):
    return record(0, dead_row=9, dead_status=status, dead_grade=grade)


def person(**cells):
    return {"person": cells}


def evidence(**cells):
    return {"evidence": cells}


CANDIDATES = {"candidate": {"candidates": 2}}
UNATTENDED = {"unattended_rows": 1}


@pytest.fixture
def said(working):
    """`said(facts, ...)`: the status and the reason of a child of which all of that is known."""
    for table, columns in (
        ("status.school_age_persons", PERSON), ("status.enrolments", ENROLMENT), ("status.child_evidence", EVIDENCE),
        ("status.verdicts", VERDICT), ("status.candidates", CANDIDATE),
    ):  # fmt: skip
        working.schemas[table] = working.schema(columns)
    create(working.connection, "status.reasons", reasons_frame())
    working.put("status.school_years", {"school_year_start": YEAR_START, "school_year_end": YEAR_END})

    def say(*facts, approvals_never_sent=False):
        known = {}
        for fact in facts:
            for kind, cells in fact.items():
                known[kind] = known.get(kind, {}) | cells

        def put(table, kind, key):
            working.put(table, *([known[kind] | key] if kind in known else []))

        child, who = {"child_id": "C1"}, {"person": 1}
        working.put(
            "status.school_age_persons",
            {
                "is_live": True,
                "state": "live",
                "population_type": "registered",
                **known.get("person", {}),
                **child,
                **who,
            },
        )
        put("status.enrolments", "enrolment", who)
        put("status.child_evidence", "evidence", child)
        put("status.verdicts", "verdict", child)
        put("status.candidates", "candidate", who)
        limits = {"today": ON, "abroad_days": 30, "approvals_never_sent": approvals_never_sent, "primary_years": 6}
        run_step(working.connection, PACKAGE, "child_statuses", "status.child_statuses", limits)
        [found] = working.all("SELECT status, reason FROM status.child_statuses")
        return found["status"], found["reason"]

    return say


GONE = {"is_live": False}

RULES = [
    # reason, and facts of which it is the only rule that holds
    ("duplicate_registration", [person(duplicate_of="C2")]),
    ("registered_dead", [person(state="dead", **GONE)]),
    ("registered_emigrated", [person(state="emigrated", **GONE)]),
    ("moved_out", [person(state="moved_out", **GONE)]),
    ("struck_off", [evidence(struck_off_kind="死亡")]),
    ("registry_abroad", [dead("13")]),
    ("abroad", [evidence(abroad_since=ON - 30 * DAY, came_back_on=ON - 31 * DAY)]),
    ("verified_departed", [verdict("空挂户")]),
    ("no_longer_live", [person(state="gone", **GONE)]),
    ("confirmed_never_enrolled", [verdict("确认失学")]),
    ("confirmed_dropped_out", [verdict("确认辍学")]),
    ("home_teaching", [record(home_teaching_row=1)]),
    ("special_class", [record(special_row=1, special_placement_code="普通学校特教班就读")]),
    ("special_school", [record(special_row=1)]),
    ("inclusive_education", [verdict("随班就读")]),
    ("exempted", [evidence(exemption_row=1)]),
    ("specialised_education", [evidence(specialised_row=1)]),
    ("graduated", [record(0, graduated_row=1, dead_row=1, dead_status="07", dead_grade=9)]),
    ("senior_grade", [record(senior_rows=1)]),
    ("over_age", [verdict("超龄离校")]),
    ("leave_approved", [record(suspended_rows=1), evidence(leave_until=ON)]),
    ("leave_verified", [record(suspended_rows=1), verdict("休学", until=ON)]),
    ("registry_status_unknown", [record(unknown_rows=1)]),
    ("live_enrolment", [record()]),
    ("absent", [record(**UNATTENDED), evidence(absent_to=ON)]),
    ("long_leave", [record(**UNATTENDED), evidence(long_leave_from=ON)]),
    ("not_in_headcount", [record(**UNATTENDED), evidence(missed_headcount_on=ON)]),
    ("leave_expired", [record(suspended_rows=1), evidence(leave_ended_on=ON - DAY)]),
    ("leave_not_approved", [record(suspended_rows=1)]),
    ("candidates", [CANDIDATES]),
    ("registry_says_dead", [dead("11")]),
    ("deferral_approved", [evidence(deferred_until=ON)]),
    ("deferral_verified", [verdict("延缓入学", until=ON)]),
    ("elsewhere_evidence", [evidence(elsewhere_on=ON)]),
    ("verified_elsewhere", [verdict("省外就读无学籍")]),
    ("primary_graduate_not_in_junior", [dead("07", 6)]),
    ("transferred_out_not_arrived", [dead("10")]),
    ("registry_says_left", [dead("03")]),
    ("deferral_expired", [evidence(deferral_ended_on=ON - DAY)]),
    ("no_record", []),
]


@pytest.mark.parametrize(("reason", "facts"), RULES)
def test_each_rule_alone(said, reason, facts):
    status = {one.code: one.status for one in REASONS}[reason]

    assert said(*facts) == (status, reason)


def test_every_reason_has_its_rule_and_they_are_listed_in_its_order():
    rules = [reason for reason, _ in RULES]
    rules.insert(rules.index("absent"), "leave_in_registry")  # of approvals that were never sent: below

    assert [one.code for one in REASONS] == rules


@pytest.mark.parametrize(
    ("earlier", "facts"),
    [
        ("duplicate_registration", [person(duplicate_of="C2", state="dead", **GONE)]),
        ("registered_dead", [person(state="dead", **GONE), evidence(struck_off_kind="死亡")]),
        ("moved_out", [person(state="moved_out", **GONE), verdict("户籍死亡")]),
        ("struck_off", [person(state="gone", **GONE), evidence(struck_off_kind="死亡")]),
        ("struck_off", [evidence(struck_off_kind="迁出"), record()]),
        ("registry_abroad", [dead("出国"), evidence(abroad_since=ON - 60 * DAY)]),
        ("abroad", [evidence(abroad_since=ON - 30 * DAY), verdict("出国(境)")]),
        ("verified_departed", [person(state="gone", **GONE), verdict("户籍死亡")]),
        ("no_longer_live", [person(state="gone", **GONE), verdict("确认辍学")]),
        ("confirmed_dropped_out", [verdict("确认辍学"), evidence(exemption_row=1)]),
        ("confirmed_never_enrolled", [verdict("确认失学"), record(latest_live_change=ON - 10 * DAY)]),
        ("home_teaching", [record(home_teaching_row=1), evidence(disability_placement="特教班")]),
        ("special_class", [record(special_row=1, special_placement_code="普通学校特教班就读"), evidence(disability_placement="特教学校")]),
        ("special_school", [evidence(disability_placement="特教学校", exemption_row=1)]),
        ("inclusive_education", [verdict("随班就读"), evidence(exemption_row=1)]),
        ("exempted", [evidence(exemption_row=1, specialised_row=1)]),
        ("specialised_education", [evidence(specialised_row=1), record(0, graduated_row=1)]),
        ("graduated", [record(graduated_row=1, senior_rows=1)]),
        ("senior_grade", [record(senior_rows=1), evidence(leave_until=ON)]),
        ("over_age", [verdict("超龄离校"), record()]),
        ("leave_approved", [record(), evidence(leave_until=ON)]),
        ("leave_approved", [record(suspended_rows=1), evidence(leave_until=ON), verdict("休学", until=ON)]),
        ("leave_verified", [record(unknown_rows=1), verdict("休学", until=ON)]),
        ("absent", [record(**UNATTENDED), evidence(absent_to=ON, long_leave_from=ON, missed_headcount_on=ON)]),
        ("long_leave", [record(**UNATTENDED), evidence(long_leave_from=ON, missed_headcount_on=ON)]),
        ("not_in_headcount", [record(2, **UNATTENDED, suspended_rows=1), evidence(missed_headcount_on=ON, leave_ended_on=ON - DAY)]),
        ("live_enrolment", [record(), CANDIDATES]),
        ("leave_not_approved", [record(suspended_rows=1), CANDIDATES]),
        ("candidates", [dead("11"), CANDIDATES]),
        ("registry_says_dead", [dead("11"), evidence(deferred_until=ON)]),
        ("candidates", [CANDIDATES, evidence(deferred_until=ON)]),
        ("candidates", [CANDIDATES, verdict("休学", until=ON)]),
        ("candidates", [CANDIDATES, verdict("省内就读无学籍")]),
        ("deferral_approved", [evidence(deferred_until=ON, elsewhere_on=ON)]),
        ("deferral_verified", [verdict("延缓入学", until=ON), evidence(elsewhere_on=ON)]),
        ("elsewhere_evidence", [evidence(elsewhere_on=ON), dead("10")]),
        ("verified_elsewhere", [verdict("省内就读无学籍"), dead("10")]),
        ("transferred_out_not_arrived", [dead("10"), evidence(deferral_ended_on=ON - DAY)]),
    ],
)  # fmt: skip
def test_of_two_rules_that_hold_the_earlier_is_the_status(said, earlier, facts):
    assert said(*facts)[1] == earlier


@pytest.mark.parametrize(
    ("reason", "facts"),
    [
        # abroad: thirty days after the last crossing, and only without an enrolment
        ("no_record", [evidence(abroad_since=ON - 29 * DAY)]),
        ("live_enrolment", [evidence(abroad_since=ON - 60 * DAY), record()]),
        ("live_enrolment", [record(dead_status="13", dead_row=9)]),
        ("no_record", [evidence(abroad_since=ON - 30 * DAY, came_back_on=ON - 30 * DAY)]),
        # whose 户籍 moved away and who lives here is a resident, unless struck off for good
        ("no_record", [evidence(struck_off_kind="迁出"), person(population_type="resident")]),
        ("struck_off", [evidence(struck_off_kind="删除"), person(population_type="resident")]),
        ("struck_off", [evidence(struck_off_kind="迁出"), person(population_type="resident", state="gone", is_live=False)]),
        ("verified_departed", [verdict("户籍死亡")]),
        ("verified_departed", [verdict("双重户籍")]),
        # who was verified to be abroad is until it is seen to come back
        ("verified_departed", [verdict("出国(境)")]),
        ("verified_departed", [verdict("出国(境)"), evidence(came_back_on=ON - 10 * DAY)]),
        ("no_record", [verdict("出国(境)"), evidence(came_back_on=ON - 9 * DAY)]),
        ("verified_departed", [verdict("空挂户"), evidence(came_back_on=ON - 9 * DAY)]),
        ("live_enrolment", [verdict("出国(境)"), record(latest_live_change=ON - 9 * DAY)]),
        # what was verified is over with an enrolment since; a return also with a headcount since
        ("verified_departed", [verdict("户籍死亡"), record(latest_live_change=ON - 10 * DAY)]),
        ("live_enrolment", [verdict("户籍死亡"), record(latest_live_change=ON - 9 * DAY)]),
        ("verified_departed", [verdict("户籍死亡"), record(present_on=ON)]),
        ("confirmed_dropped_out", [verdict("确认辍学"), record(present_on=ON - 10 * DAY)]),
        ("live_enrolment", [verdict("确认辍学"), record(present_on=ON - 9 * DAY)]),
        ("live_enrolment", [verdict("确认辍学"), record(latest_live_change=ON - 9 * DAY)]),
        ("live_enrolment", [verdict("确认失学"), record(present_on=ON - 9 * DAY)]),
        ("live_enrolment", [verdict("确认失学"), record(latest_live_change=ON - 9 * DAY)]),
        # placements, by whoever says them
        ("home_teaching", [evidence(disability_placement="送教上门")]),
        ("home_teaching", [verdict("送教上门")]),
        ("special_class", [evidence(disability_placement="特教班")]),
        ("special_school", [evidence(disability_placement="特教学校")]),
        ("special_school", [verdict("特教学校就读")]),
        ("live_enrolment", [verdict("随班就读"), record()]),
        # a leave that was approved ends when the registry takes the pupil back, an earlier return says nothing of it
        ("live_enrolment", [record(resumed_rows=1, resumed_on=ON - 5 * DAY), evidence(leave_until=ON, leave_from=ON - 5 * DAY)]),
        ("leave_approved", [record(resumed_rows=1, resumed_on=ON - 6 * DAY), evidence(leave_until=ON, leave_from=ON - 5 * DAY)]),
        ("live_enrolment", [record(resumed_rows=1), evidence(leave_until=ON)]),
        ("leave_verified", [record(resumed_rows=1, resumed_on=ON - 10 * DAY), verdict("休学", until=ON)]),
        ("live_enrolment", [record(resumed_rows=1, resumed_on=ON - 9 * DAY), verdict("休学", until=ON)]),
        # who has no live record is on no leave, and is missed by no school: what was said before its record ended is over with it
        ("no_record", [evidence(leave_until=ON)]),
        ("registry_says_left", [dead("03"), evidence(absent_to=ON, long_leave_from=ON, missed_headcount_on=ON, leave_ended_on=ON - DAY)]),
        # a term of something else is no leave
        ("live_enrolment", [record(), verdict("延缓入学", until=ON)]),
        # a term that a person gave holds up to its day
        ("leave_not_approved", [record(suspended_rows=1), verdict("休学", until=ON - DAY)]),
        ("leave_verified", [verdict("休学", until=ON)]),
        ("no_record", [verdict("休学", until=ON - DAY)]),
        ("deferral_expired", [verdict("延缓入学", until=ON - DAY)]),
        # a record of nobody knows which state, unless the headcount shows the pupil
        ("live_enrolment", [record(unknown_rows=1, present_on=ON)]),
        ("live_enrolment", [record(2, unknown_rows=1)]),
        # one of two live enrolments that is attended is enough
        ("live_enrolment", [record(2, **UNATTENDED), evidence(absent_to=ON)]),
        ("absent", [record(2, **UNATTENDED, suspended_rows=1), evidence(absent_to=ON)]),
        # 02 without an approval
        ("leave_expired", [record(suspended_rows=1), evidence(leave_ended_on=ON - DAY)]),
        # what was seen is believed until something later says otherwise
        ("live_enrolment", [record(**UNATTENDED), verdict("在校已有学籍", ON), evidence(absent_to=ON)]),
        ("absent", [record(**UNATTENDED), verdict("在校已有学籍", ON - DAY), evidence(absent_to=ON)]),
        ("live_enrolment", [record(**UNATTENDED), verdict("在校已有学籍", ON), evidence(long_leave_from=ON)]),
        ("long_leave", [record(**UNATTENDED), verdict("在校已有学籍", ON - DAY), evidence(long_leave_from=ON)]),
        ("live_enrolment", [record(**UNATTENDED), verdict("随班就读", ON), evidence(missed_headcount_on=ON)]),
        ("not_in_headcount", [record(**UNATTENDED), verdict("随班就读", ON - DAY), evidence(missed_headcount_on=ON)]),
        ("leave_not_approved", [record(suspended_rows=1), verdict("在校已有学籍", ON)]),
        ("live_enrolment", [record(suspended_rows=1), verdict("随班就读", ON)]),
        ("live_enrolment", [record(suspended_rows=1, suspended_on=ON - DAY), verdict("随班就读", ON - DAY)]),
        ("leave_not_approved", [record(suspended_rows=1, suspended_on=ON), verdict("随班就读", ON - DAY)]),
        ("live_enrolment", [record(suspended_rows=1), verdict("随班就读", ON - DAY), evidence(leave_ended_on=ON - DAY)]),
        ("leave_expired", [record(suspended_rows=1), verdict("随班就读", ON - 2 * DAY), evidence(leave_ended_on=ON - DAY)]),
        ("verified_elsewhere", [record(**UNATTENDED), verdict("省外就读无学籍", ON), evidence(absent_to=ON)]),
        ("absent", [record(**UNATTENDED), verdict("省外就读无学籍", ON - DAY), evidence(absent_to=ON)]),
        ("verified_elsewhere", [record(**UNATTENDED), verdict("省内就读无学籍", ON), evidence(missed_headcount_on=ON)]),
        ("not_in_headcount", [record(**UNATTENDED), verdict("省内就读无学籍", ON, until=ON - DAY), evidence(missed_headcount_on=ON)]),
        ("verified_elsewhere", [record(suspended_rows=1, suspended_on=ON - DAY), verdict("省内就读无学籍", ON)]),
        ("verified_elsewhere", [record(**UNATTENDED), verdict("省内就读无学籍", ON, until=ON), evidence(missed_headcount_on=ON)]),
        # a leave that has ended speaks against nobody whom the registry has not suspended
        ("live_enrolment", [record(**UNATTENDED), verdict("随班就读", ON - 2 * DAY), evidence(absent_to=ON - 2 * DAY, leave_ended_on=ON - DAY)]),
        ("live_enrolment", [record(), verdict("省外就读无学籍", ON)]),
        # elsewhere: to the end of that school year, or of the term that was given
        ("verified_elsewhere", [verdict("在校已有学籍")]),
        ("verified_elsewhere", [verdict("省内就读无学籍", YEAR_START)]),
        ("no_record", [verdict("省内就读无学籍", YEAR_START - DAY)]),
        ("no_record", [verdict("省内就读无学籍", until=ON - DAY)]),
        ("verified_elsewhere", [verdict("省内就读无学籍", ON - 365 * DAY, until=ON)]),
        # dead records
        ("registry_says_left", [dead("07", 5)]),
        ("registry_says_left", [dead("03", 6)]),
        ("registry_abroad", [dead("出国")]),
    ],
)  # fmt: skip
def test_where_a_rule_ends(said, reason, facts):
    assert said(*facts)[1] == reason


def test_where_no_approvals_were_ever_sent_the_registry_is_believed_of_a_leave(said):
    suspended = record(suspended_rows=1)

    assert said(suspended, approvals_never_sent=True) == ("on_leave", "leave_in_registry")
    assert said(record(2, suspended_rows=1), approvals_never_sent=True)[1] == "live_enrolment"
    assert (
        said(record(2, **UNATTENDED, suspended_rows=1), evidence(absent_to=ON), approvals_never_sent=True)[1]
        == "leave_in_registry"
    )
    assert said(suspended, CANDIDATES, approvals_never_sent=True)[1] == "leave_in_registry"


@pytest.mark.parametrize(
    ("reason", "facts"), [("absent", [record(**UNATTENDED), evidence(absent_to=ON)]), ("no_record", [])]
)
def test_and_of_nothing_else(said, reason, facts):
    assert said(*facts, approvals_never_sent=True)[1] == reason
