"""Reasons and their words: each means a status of the contract, and is said in Chinese, with the evidence of it."""

import datetime as dt
import re

import pytest

from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.status.reasons import BY_CODE, REASONS, STATUSES, SUSPECTED_STATUSES, reasons_frame
from kcb_pipeline.status.wording import evidence_of, proof_of, term_of

# published.md, status
CONTRACT_STATUSES = {
    "enrolled", "enrolled_elsewhere", "special_provision", "deferred", "on_leave", "completed", "departed", "needs_review",
    "unenrolled", "suspected", "dropout",
}  # fmt: skip
# extracts.md, Which status: the reasons that it names
NAMED = {
    "exempted": "special_provision",
    "absent": "suspected",
    "long_leave": "suspected",
    "not_in_headcount": "suspected",
    "leave_not_approved": "suspected",
    "leave_expired": "suspected",
    "primary_graduate_not_in_junior": "suspected",
    "transferred_out_not_arrived": "suspected",
    "registry_says_left": "suspected",
    "no_record": "unenrolled",
    "deferral_expired": "unenrolled",
}
OUT = [reason.code for reason in REASONS if reason.status in ("unenrolled", "suspected", "dropout")]
IN = [reason.code for reason in REASONS if reason.code not in OUT]
CHINESE = re.compile("[\u4e00-\u9fff]")


def test_the_statuses_are_those_of_the_contract_each_with_a_label():
    assert set(STATUSES) == CONTRACT_STATUSES
    assert all(CHINESE.search(label) for label in STATUSES.values())
    assert len(set(STATUSES.values())) == len(STATUSES)


def test_the_suspected_ledger_holds_unenrolled_and_suspected():
    assert set(SUSPECTED_STATUSES) == {"unenrolled", "suspected"}


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.code)
def test_a_reason_means_one_status_of_the_contract_and_is_said_in_chinese(reason):
    assert reason.status in CONTRACT_STATUSES
    assert CHINESE.search(reason.words)
    assert reason.severity in (1, 2, 3)


def test_every_status_has_a_reason_and_no_reason_stands_twice():
    assert {reason.status for reason in REASONS} == CONTRACT_STATUSES
    assert len(BY_CODE) == len(REASONS) == len({reason.words for reason in REASONS})


@pytest.mark.parametrize("code", NAMED)
def test_a_reason_that_the_contract_names_has_the_status_it_names(code):
    assert BY_CODE[code].status == NAMED[code]


def test_the_reasons_as_a_table_are_the_reasons():
    table = reasons_frame()

    assert table.columns == ["reason", "status", "words", "severity"]
    assert table.rows() == [(reason.code, reason.status, reason.words, reason.severity) for reason in REASONS]


DOUBTED = dt.date(2026, 11, 10)

# -- words and proof -----------------------------------------------------------------------------------------------

DAYS = (
    "verdict_on verdict_until present_on latest_live_change struck_off_on abroad_since leave_until leave_ended_on deferred_until"
    " deferral_ended_on elsewhere_on absent_from absent_to long_leave_from long_leave_to missed_headcount_on dead_on reported_on"
)
ROWS = (
    "verdict_row registry_row present_row struck_off_row abroad_row leave_row deferral_row exemption_row elsewhere_row specialised_row"
    " disability_row absent_row long_leave_row dead_row graduated_row population_row near_row kept_row reported_row"
    " deferral_ended_row home_teaching_row special_row"
)


@pytest.fixture
def facts():
    """What is known of a child tonight, as `cases_to_advance` gives it; every date and row is there unless the test takes it away."""

    def make(reason, **known):
        return {
            **{name: dt.date(2026, 11, 1) for name in DAYS.split()},
            **{name: 100 + place for place, name in enumerate(ROWS.split())},
            "reason": reason,
            "status": BY_CODE[reason].status,
            "verdict": None,
            "doubted_on": dt.date(2026, 10, 20),
            "missed_on": None,
            "population_type": "registered",
            "duplicate_of": "C0000000000000002",
            "kept_type": "resident",
            "struck_off_kind": "死亡",
            "special_placement_code": "普通学校特教班就读",
            "disability_placement": None,
            "live_rows": 1,
            "suspended_rows": 0,
            "registry_status": "01",
            "candidates": 0,
            "is_newly_elsewhere": False,
            "match_method": "id_number",
            "near_why": "姓名不同",
            "grade": 5,
            "school_name": "某校",
            "township_name": "某乡",
        } | known

    return make


@pytest.mark.parametrize("code", OUT)
def test_a_flagged_child_has_evidence_that_a_caseworker_can_read_and_the_extract_it_is_from(facts, code):
    words, source = evidence_of(facts(code))

    assert CHINESE.search(words)
    assert BY_CODE[code].words in words
    assert "None" not in words
    assert source.split(":")[0] in sources()


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("no_record", "near_row"),
        ("registry_says_left", "dead_on"),
        ("transferred_out_not_arrived", "dead_on"),
        ("deferral_expired", "deferral_ended_on"),
    ],
)
def test_evidence_without_a_detail_says_nothing_of_it(facts, code, missing):
    words, _ = evidence_of(facts(code, **{missing: None}))

    assert CHINESE.search(words)
    assert "None" not in words


@pytest.mark.parametrize("code", REASONS, ids=lambda reason: reason.code)
def test_words_name_no_value_of_another_child(facts, code):
    words, _ = evidence_of(facts(code.code))

    assert not re.search(r"\d{15,}", words)


def proof(facts, *, case_reason="absent", sent=("in_school", "absences")):
    return proof_of(facts, case_reason=case_reason, sent=frozenset(sent))


@pytest.mark.parametrize("code", OUT)
def test_nothing_that_flags_a_child_closes_its_case(facts, code):
    assert proof(facts(code)) is None


@pytest.mark.parametrize("code", ["candidates", "registry_says_dead", "registry_status_unknown"])
def test_what_a_person_has_to_decide_closes_nothing(facts, code):
    assert proof(facts(code)) is None


CLOSING = [code for code in IN if BY_CODE[code].status != "needs_review" and code != "leave_in_registry"]


@pytest.mark.parametrize("code", CLOSING)
def test_what_closes_a_case_says_why_and_by_which_row_of_which_extract(facts, code):
    found = proof(facts(code))

    assert found is not None
    words, source = found
    assert CHINESE.search(words)
    assert "None" not in words
    extract, _, row = source.partition(":")
    assert extract in sources()
    assert row.isdigit(), f"{source} names no row"


@pytest.mark.parametrize(
    ("code", "known", "source"),
    [
        ("home_teaching", {}, "student_registry:120"),
        ("home_teaching", {"home_teaching_row": None, "disability_placement": "送教上门"}, "disability_register:110"),
        ("home_teaching", {"home_teaching_row": None, "disability_placement": "特教班"}, "verifications:100"),
        ("home_teaching", {"home_teaching_row": None}, "verifications:100"),
        ("special_class", {}, "student_registry:121"),
        (
            "special_class",
            {"special_placement_code": "特教学校就读", "disability_placement": "特教班"},
            "disability_register:110",
        ),
        ("special_school", {}, "student_registry:121"),
        ("special_school", {"special_row": None, "disability_placement": "特教学校"}, "disability_register:110"),
        ("special_school", {"special_row": None}, "verifications:100"),
    ],
)
def test_a_placement_is_said_by_the_row_that_it_rests_on(facts, code, known, source):
    words, said_by = proof(facts(code, **known))

    assert said_by == source
    assert ("2026-11-01" in words) == source.startswith("verifications")


@pytest.mark.parametrize(
    ("code", "term"),
    [
        ("leave_approved", "leave_until"),
        ("leave_verified", "verdict_until"),
        ("deferral_approved", "deferred_until"),
        ("deferral_verified", "verdict_until"),
    ],
)
def test_a_term_is_that_of_what_decided_whatever_else_was_approved(facts, code, term):
    assert term_of(facts(code, **{term: DOUBTED})) == DOUBTED


@pytest.mark.parametrize("code", ["leave_in_registry", "live_enrolment", "absent", "over_age"])
def test_and_no_other_status_has_one(facts, code):
    assert term_of(facts(code)) is None


@pytest.mark.parametrize("case_reason", ["absent", "long_leave", "not_in_headcount"])
def test_an_absence_is_never_over_because_a_source_did_not_come(facts, case_reason):
    quiet = facts("live_enrolment", present_on=None, latest_live_change=None, reported_on=None)

    assert proof(quiet, case_reason=case_reason, sent=()) is None
    assert proof(quiet, case_reason=case_reason, sent=("exit_entry", "elsewhere")) is None


@pytest.mark.parametrize("case_reason", ["absent", "long_leave", "not_in_headcount"])
def test_a_headcount_that_shows_the_child_closes(facts, case_reason):
    seen = facts("live_enrolment", present_on=dt.date(2026, 11, 18), present_row=7, latest_live_change=None)

    found = proof(seen, case_reason=case_reason, sent=("in_school",))

    assert found is not None
    assert found[1] == "in_school:7"
    assert "2026-11-18" in found[0]


@pytest.mark.parametrize("case_reason", ["absent", "long_leave", "not_in_headcount"])
@pytest.mark.parametrize("days", [-7, 0])
def test_a_headcount_or_a_record_of_before_says_nothing_of_what_came_after(facts, case_reason, days):
    day = DOUBTED + dt.timedelta(days=days)
    stale = facts("live_enrolment", present_on=day, latest_live_change=day, doubted_on=DOUBTED, reported_on=None)

    assert proof(stale, case_reason=case_reason) is None


@pytest.mark.parametrize("case_reason", ["absent", "long_leave"])
def test_a_later_report_of_the_school_without_the_child_closes_and_names_its_row(facts, case_reason):
    later = DOUBTED + dt.timedelta(days=1)
    known = {"present_on": None, "latest_live_change": None, "doubted_on": DOUBTED, "missed_on": DOUBTED}

    words, source = proof(facts("live_enrolment", **known, reported_on=later, reported_row=4), case_reason=case_reason)

    assert source == "absences:4"
    assert str(later) in words


@pytest.mark.parametrize(
    "known",
    [
        {"reported_on": None, "missed_on": DOUBTED},
        {"reported_on": DOUBTED, "missed_on": DOUBTED},
        {"reported_on": DOUBTED + dt.timedelta(days=3), "missed_on": DOUBTED + dt.timedelta(days=3)},
        {"reported_on": DOUBTED - dt.timedelta(days=30), "missed_on": DOUBTED - dt.timedelta(days=60)},
    ],
    ids=["its school did not report", "nothing newer", "it is missing in the last report too", "older than the doubt"],
)
@pytest.mark.parametrize("case_reason", ["absent", "long_leave"])
def test_an_absence_is_not_over_because_others_have_reported(facts, case_reason, known):
    known = {"present_on": None, "latest_live_change": None, "doubted_on": DOUBTED} | known

    assert proof(facts("live_enrolment", **known), case_reason=case_reason) is None


def test_a_report_of_absences_does_not_answer_a_headcount(facts):
    known = {"present_on": None, "latest_live_change": None, "doubted_on": DOUBTED}

    assert (
        proof(
            facts("live_enrolment", **known, reported_on=DOUBTED + dt.timedelta(days=9)), case_reason="not_in_headcount"
        )
        is None
    )


@pytest.mark.parametrize("case_reason", ["leave_not_approved", "leave_expired"])
@pytest.mark.parametrize(
    ("known", "words", "source"),
    [
        ({}, "学籍登记已复学", "student_registry:101"),
        ({"suspended_rows": 1}, "另有在读学籍", "student_registry:101"),
        ({"registry_status": "02"}, "清点在校：2026-11-01", "in_school:102"),
    ],
    ids=["taken back by the registry", "a record beside the suspended one", "suspended yet, and counted present"],
)
def test_a_leave_without_approval_is_over_by_what_says_so(facts, case_reason, known, words, source):
    assert proof(facts("live_enrolment", **known), case_reason=case_reason) == (words, source)


@pytest.mark.parametrize("reason", ["no_longer_live", "moved_out", "registered_dead", "registered_emigrated"])
def test_a_child_that_is_merely_gone_from_the_register_closes_nothing(facts, reason):
    assert proof(facts(reason, population_row=None)) is None
    assert proof(facts(reason, population_row=8, population_type="resident"))[1] == "residents:8"


def test_a_merged_child_closes_on_the_row_that_was_kept(facts):
    words, source = proof(facts("duplicate_registration", population_row=None, kept_type="registered", kept_row=12))

    assert source == "population:12"
    assert "C0000000000000002" in words


@pytest.mark.parametrize("case_reason", ["confirmed_dropped_out", "confirmed_never_enrolled", "厌学", "absent"])
def test_a_confirmed_dropout_returns_by_the_registry_or_the_headcount_and_nothing_else(facts, case_reason):
    def known(**days):
        days = {"present_on": None, "latest_live_change": None} | days
        return facts("live_enrolment", verdict="确认辍学", verdict_on=DOUBTED, doubted_on=dt.date(2026, 9, 1), **days)

    later = DOUBTED + dt.timedelta(days=1)
    assert proof(known(), case_reason=case_reason) is None
    assert proof(known(present_on=DOUBTED, latest_live_change=DOUBTED), case_reason=case_reason) is None
    assert proof(known(present_on=later, present_row=7), case_reason=case_reason)[1] == "in_school:7"
    assert proof(known(latest_live_change=later, registry_row=9), case_reason=case_reason)[1] == "student_registry:9"
    assert proof(known(present_on=DOUBTED, latest_live_change=later, registry_row=9), case_reason=case_reason)[1] == (
        "student_registry:9"
    )
