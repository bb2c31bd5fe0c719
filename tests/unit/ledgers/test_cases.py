"""The life of a case, night by night: a case opens when a child enters either ledger, and leaves only by evidence (对账销号)."""

import dataclasses
import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.ledgers.cases import (
    OPEN_STATES,
    OUTSIDE,
    STATES,
    TRANSITIONS,
    Case,
    Standing,
    Terms,
    advance,
    case_id_of,
)
from kcb_pipeline.ledgers.verifications import MEASURES, RESULTS, Answer
from kcb_pipeline.status.reasons import BY_CODE, REASONS

CHILD = "C0123456789ABCDE"
ON = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)
TERMS = Terms(verify_within_days=30, persuade_within_days=20)

# published.md, cases
CONTRACT_STATES = {
    "suspected",
    "verifying",
    "confirmed",
    "persuading",
    "returned_unconfirmed",
    "closed_until",
    "closed",
}
CLOSED_STATES = {"closed_until", "closed"}

# extracts.md, verifications: what follows from each result
STAYS_OPEN = ["姓名或证号错误", "查无此人", "失联"]
CLOSES = [
    "在校已有学籍", "省内就读无学籍", "省外就读无学籍", "户籍死亡", "空挂户", "双重户籍", "出国(境)", "超龄离校", "送教上门", "随班就读", "特教学校就读",
]  # fmt: skip
CLOSES_UNTIL = ["延缓入学", "休学"]
CONFIRMS = ["确认失学", "确认辍学"]


def standing(reason="no_record", *, proof=None, **changes):
    """Where a child stands for that reason: with evidence, and with proof where the test gives it."""
    return Standing(
        status=BY_CODE[reason].status,
        reason=reason,
        evidence=f"{BY_CODE[reason].words}，第3行",
        source="student_registry:3",
        responsible="某乡",
        proof=proof,
        **changes,
    )


PROOF = ("找到有效学籍", "student_registry:9")


GROWN = Standing(OUTSIDE, "over_age", "已超过义务教育年龄：出生日期2010-08-31", "population:5", None)


def answer(result, on=ON, row=1, **cells):
    """An answer with what its result needs."""
    filled = {"evidence": "证明一份", "placement": "送教" if RESULTS[result].needs == "placement" else None}
    if RESULTS[result].needs == "until":
        filled["until"] = on + 100 * DAY
    return Answer(result, on, row, **(filled | cells))


def case_in(state, **changes):
    """A case in that state, as a night would have left it."""
    closed = {}
    if state in CLOSED_STATES:
        closed = {"closed_on": ON - 10 * DAY, "closing_reason": "延缓入学", "closing_evidence": "证明"}
    if state == "closed_until":
        closed["closed_until"] = ON + 50 * DAY
    case = Case(
        case_id=case_id_of(CHILD),
        child_id=CHILD,
        state=state,
        reason="no_record",
        severity=2,
        responsible="某乡",
        opened_on=ON - 40 * DAY,
        due_on=ON - 10 * DAY,
        **closed,
    )
    return dataclasses.replace(case, **changes)


def night(case, *answers, at=GROWN, on=ON):
    """One night: the case after it, and the names of the events."""
    after, events = advance(case, CHILD, answers, at, on, TERMS)
    return after, [event.event for event in events]


def test_the_states_are_those_of_the_contract():
    assert set(STATES) == CONTRACT_STATES
    assert set(OPEN_STATES) == CONTRACT_STATES - CLOSED_STATES


def test_the_results_follow_the_table_of_the_contract():
    effects = {name: result.effect for name, result in RESULTS.items()}

    assert {name for name, effect in effects.items() if effect == "stays_open"} == set(STAYS_OPEN)
    assert {name for name, effect in effects.items() if effect == "closes"} == set(CLOSES)
    assert {name for name, effect in effects.items() if effect == "closes_until"} == set(CLOSES_UNTIL)
    assert {name for name, effect in effects.items() if effect == "confirms"} == set(CONFIRMS)
    assert {name for name, effect in effects.items() if effect == "returned"} == {"已复学"}


def test_what_goes_to_the_correction_list_is_what_the_contract_sends_there():
    assert {name for name, result in RESULTS.items() if result.corrects_population} == {
        "户籍死亡", "空挂户", "双重户籍", "姓名或证号错误",
    }  # fmt: skip


# -- opening -------------------------------------------------------------------------------------------------------

OUT = [reason.code for reason in REASONS if reason.status in ("unenrolled", "suspected", "dropout")]
IN = [reason.code for reason in REASONS if reason.code not in OUT]


@pytest.mark.parametrize("reason", OUT)
def test_a_case_opens_when_a_child_enters_either_ledger(reason):
    case, events = night(None, at=standing(reason))

    assert events == ["opened"]
    assert case.is_open
    assert case.child_id == CHILD
    assert case.reason == reason
    assert case.severity == BY_CODE[reason].severity
    assert case.responsible == "某乡"
    assert (case.opened_on, case.due_on, case.reopened) == (ON, ON + 30 * DAY, 0)


@pytest.mark.parametrize("reason", IN)
def test_no_case_opens_for_a_child_in_neither_ledger(reason):
    assert night(None, at=standing(reason, proof=PROOF)) == (None, [])


def test_no_case_opens_for_a_child_past_school_age():
    assert night(None, at=GROWN) == (None, [])


def test_an_answer_without_a_case_opens_none():
    assert night(None, answer("确认辍学"), at=standing("live_enrolment")) == (None, [])


def test_a_child_has_one_case_whose_number_is_its_own():
    first, _ = night(None, at=standing("no_record"))
    other, _ = advance(None, "C0000000000000001", [], standing("absent"), ON, TERMS)

    assert first.case_id == case_id_of(CHILD)
    assert other.case_id != first.case_id


def test_the_opening_says_on_which_evidence_of_which_row_on_which_day():
    _, [event] = advance(None, CHILD, [], standing("absent"), ON, TERMS)

    assert (event.from_state, event.to_state) == (None, "suspected")
    assert event.evidence == standing("absent").evidence
    assert event.source == "student_registry:3"
    assert event.occurred_on == ON


# -- nights without news -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(set(OPEN_STATES)))
def test_an_open_case_stays_where_it_is_while_nothing_changes(state):
    case = case_in(state)

    assert night(case, at=standing("no_record")) == (case, [])


@pytest.mark.parametrize("state", sorted(CLOSED_STATES))
@pytest.mark.parametrize("reason", [r for r in IN if BY_CODE[r].status not in ("deferred", "on_leave", "needs_review")])
def test_a_closed_case_stays_closed_while_the_child_is_in_neither_ledger(state, reason):
    case, _ = night(case_in(state), at=standing(reason))

    assert case.state in CLOSED_STATES


def test_a_new_reason_of_an_unverified_case_is_noted():
    case, events = night(case_in("suspected", reason="absent"), at=standing("registry_says_left"))

    assert events == ["reason_changed"]
    assert (case.state, case.reason, case.severity) == ("suspected", "registry_says_left", 3)


def test_so_is_one_of_a_case_that_was_verified_without_finding_the_child():
    case, events = night(case_in("verifying", reason="absent"), at=standing("registry_says_left"))

    assert events == ["reason_changed"]
    assert (case.state, case.reason) == ("verifying", "registry_says_left")


@pytest.mark.parametrize("state", ["confirmed", "persuading", "returned_unconfirmed"])
def test_a_confirmed_dropout_keeps_the_reason_that_the_verification_gave(state):
    case, _ = night(case_in(state, reason="厌学"), at=standing("confirmed_dropped_out"))

    assert case.reason == "厌学"


# -- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", STAYS_OPEN)
@pytest.mark.parametrize("state", sorted(set(OPEN_STATES)))
def test_a_child_that_was_not_found_never_closes_its_case(state, result):
    case, events = night(case_in(state), answer(result), at=standing("no_record"))

    assert case.state in OPEN_STATES
    assert case.state == ("verifying" if state in ("suspected", "verifying") else state)
    assert len(events) == 1


@given(st.lists(st.sampled_from(STAYS_OPEN), min_size=1, max_size=10), st.sampled_from(OUT))
def test_however_often_a_child_is_not_found_its_case_stays_open(results, reason):
    case, _ = night(None, at=standing(reason if BY_CODE[reason].status != "dropout" else "no_record"))
    for n, result in enumerate(results):
        case, _ = night(case, answer(result, on=ON + n * DAY, row=n), at=standing("no_record"), on=ON + n * DAY)

    assert case.state == "verifying"


@pytest.mark.parametrize("result", CLOSES)
@pytest.mark.parametrize("state", [*OPEN_STATES, "closed_until"])
def test_an_answer_with_evidence_closes(state, result):
    before = case_in(state)

    after, events = advance(
        before, CHILD, [answer(result, on=ON - DAY, row=7)], standing("verified_departed"), ON, TERMS
    )

    assert after.state == "closed"
    assert after.closed_on == ON - DAY
    assert after.closing_reason == result
    assert "证明一份" in after.closing_evidence
    assert [(event.event, event.source, event.occurred_on) for event in events] == [
        ("closed_by_verification", "verifications:7", ON - DAY)
    ]


@pytest.mark.parametrize("result", CLOSES_UNTIL)
@pytest.mark.parametrize("state", [*OPEN_STATES, "closed_until"])
def test_a_deferral_or_leave_closes_until_its_day(state, result):
    case, events = night(case_in(state), answer(result, until=dt.date(2027, 8, 31)), at=standing("deferral_verified"))

    assert case.state == "closed_until"
    assert case.closed_until == dt.date(2027, 8, 31)
    assert case.closing_evidence
    assert events == ["closed_until_by_verification"]


@pytest.mark.parametrize("result", CONFIRMS)
@pytest.mark.parametrize("state", ["suspected", "verifying", "returned_unconfirmed"])
def test_a_confirmed_dropout_moves_with_its_reason_and_is_most_pressing(state, result):
    case, events = night(case_in(state), answer(result, reason="外出务工"), at=standing("confirmed_dropped_out"))

    assert events == ["confirmed"]
    assert (case.state, case.reason, case.severity) == ("confirmed", "外出务工", 3)
    assert case.due_on == ON + 20 * DAY


@pytest.mark.parametrize("result", CONFIRMS)
@pytest.mark.parametrize("state", ["confirmed", "persuading"])
def test_a_dropout_confirmed_once_more_keeps_what_persuasion_has_reached(state, result):
    before = case_in(state, reason="厌学", measure="责令改正" if state == "persuading" else None)

    case, events = night(before, answer(result, reason="外出务工"), at=standing("confirmed_dropped_out"))

    assert events == ["confirmed_again"]
    assert (case.state, case.measure, case.reopened) == (state, before.measure, 0)
    assert (case.reason, case.severity, case.due_on) == ("外出务工", 3, ON + 20 * DAY)


@pytest.mark.parametrize("result", CONFIRMS)
@pytest.mark.parametrize("state", sorted(CLOSED_STATES))
def test_a_confirmed_dropout_opens_its_closed_case_again(state, result):
    case, _ = night(case_in(state, reopened=1), answer(result), at=standing("confirmed_dropped_out"))

    assert case.state == "confirmed"
    assert case.reopened == 2
    assert (case.closed_on, case.closed_until, case.closing_reason, case.closing_evidence) == (None,) * 4


def test_a_confirmation_without_a_reason_keeps_the_one_there_is():
    case, _ = night(case_in("suspected", reason="absent"), answer("确认辍学"), at=standing("confirmed_dropped_out"))

    assert case.reason == "absent"


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_return_is_unconfirmed_until_it_is_shown(state):
    case, events = night(case_in(state), answer("已复学"), at=standing("confirmed_dropped_out"))

    assert events == ["returned_reported"]
    assert case.state == "returned_unconfirmed"
    assert case.is_open

    case, events = night(case, at=standing("confirmed_dropped_out"), on=ON + 30 * DAY)

    assert (case.state, events) == ("returned_unconfirmed", [])


@pytest.mark.parametrize(
    "proof", [("清点在校：2026-11-18", "in_school:7"), ("复学：学籍登记 2026-11-18", "student_registry:4")]
)
def test_a_return_closes_once_the_registry_or_the_headcount_shows_it(proof):
    case, _ = night(case_in("confirmed"), answer("已复学"), at=standing("confirmed_dropped_out"))

    after, events = advance(case, CHILD, [], standing("live_enrolment", proof=proof), ON + DAY, TERMS)

    assert after.state == "closed"
    assert (after.closing_evidence, after.closed_on) == (proof[0], ON + DAY)
    assert [(event.event, event.source) for event in events] == [("closed_by_evidence", proof[1])]


def test_a_return_that_is_shown_the_same_night_is_reported_and_closed():
    case, events = night(case_in("confirmed"), answer("已复学"), at=standing("live_enrolment", proof=PROOF))

    assert case.state == "closed"
    assert events == ["returned_reported", "closed_by_evidence"]


def test_a_return_that_was_none_is_confirmed_again():
    case, _ = night(case_in("returned_unconfirmed"), answer("确认辍学"), at=standing("confirmed_dropped_out"))

    assert case.state == "confirmed"


# -- the four measures ---------------------------------------------------------------------------------------------


def test_the_measures_are_the_four_of_the_contract_in_order():
    assert MEASURES == ("宣传教育", "责令改正", "行政处罚", "申请强制执行或提起诉讼")


@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_on_a_confirmed_case_is_persuasion(measure):
    case, events = night(case_in("confirmed"), answer("失联", measure=measure), at=standing("confirmed_dropped_out"))

    assert (case.state, case.measure) == ("persuading", measure)
    assert events[-1] == "measure_taken"


@pytest.mark.parametrize(("reached", "said"), list(itertools.product(MEASURES, MEASURES)))
def test_the_measure_is_the_furthest_step_reached(reached, said):
    case, _ = night(
        case_in("persuading", measure=reached), answer("失联", measure=said), at=standing("confirmed_dropped_out")
    )

    assert MEASURES.index(case.measure) == max(MEASURES.index(reached), MEASURES.index(said))
    assert case.state == "persuading"


@pytest.mark.parametrize("reached", MEASURES)
def test_a_step_that_was_reached_is_not_taken_again(reached):
    _, events = night(
        case_in("persuading", measure=reached), answer("失联", measure=reached), at=standing("confirmed_dropped_out")
    )

    assert events == ["verified_again"]


@pytest.mark.parametrize(("reached", "said"), [(a, b) for a, b in itertools.product((None, *MEASURES), MEASURES)])
def test_a_step_is_skipped_with_a_reason_or_not_at_all(reached, said):
    before = case_in("persuading" if reached else "confirmed", measure=reached)
    steps = [None, *MEASURES]
    skipped = MEASURES[steps.index(reached) : MEASURES.index(said)]

    bare, _ = advance(
        before, CHILD, [answer("失联", measure=said, evidence=None)], standing("confirmed_dropped_out"), ON, TERMS
    )
    reasoned, events = advance(
        before,
        CHILD,
        [answer("失联", measure=said, evidence="家长拒不配合")],
        standing("confirmed_dropped_out"),
        ON,
        TERMS,
    )

    further = said if steps.index(said) > steps.index(reached) else reached
    assert bare.measure == (reached if skipped else further)
    assert reasoned.measure == further
    if skipped:
        assert all(step in events[-1].evidence for step in skipped)
        assert "家长拒不配合" in events[-1].evidence


@pytest.mark.parametrize("state", ["suspected", "verifying", "returned_unconfirmed", "closed_until"])
def test_a_step_taken_outside_persuasion_is_noted_and_moves_nothing(state):
    case, events = night(case_in(state), answer("失联", measure="宣传教育"), at=standing("no_record"))

    assert "measure_noted" in events
    assert case.measure == "宣传教育"
    assert case.state not in ("confirmed", "persuading")


def test_the_step_that_brought_a_child_back_comes_before_the_return():
    case, events = night(
        case_in("confirmed"), answer("已复学", measure="宣传教育"), at=standing("confirmed_dropped_out")
    )

    assert events == ["measure_taken", "returned_reported"]
    assert (case.state, case.measure) == ("returned_unconfirmed", "宣传教育")


def test_visits_are_the_most_that_was_reported_and_the_placement_the_latest():
    case = case_in("confirmed", visits=3, placement="集中教育")

    after, _ = night(case, answer("失联", visits=2), at=standing("confirmed_dropped_out"))
    assert (after.visits, after.placement) == (3, "集中教育")
    after, _ = night(after, answer("失联", visits=5, placement="普职融合"), at=standing("confirmed_dropped_out"))
    assert (after.visits, after.placement) == (5, "普职融合")


# -- closing by evidence -------------------------------------------------------------------------------------------

CLOSING = [
    r
    for r in IN
    if BY_CODE[r].status in ("enrolled", "enrolled_elsewhere", "special_provision", "completed", "departed")
]


@pytest.mark.parametrize("reason", CLOSING)
@pytest.mark.parametrize("state", [*OPEN_STATES, "closed_until"])
def test_evidence_closes_a_case(state, reason):
    after, events = advance(case_in(state), CHILD, [], standing(reason, proof=PROOF), ON, TERMS)

    assert after.state == "closed"
    assert (after.closing_reason, after.closing_evidence, after.closed_on) == (reason, PROOF[0], ON)
    assert [(event.event, event.evidence, event.source) for event in events] == [("closed_by_evidence", *PROOF)]


@pytest.mark.parametrize("reason", IN)
@pytest.mark.parametrize("state", OPEN_STATES)
def test_without_evidence_nothing_closes_whatever_the_status(state, reason):
    case = case_in(state)

    assert night(case, at=standing(reason)) == (case, [])


@pytest.mark.parametrize("reason", [r for r in IN if BY_CODE[r].status == "needs_review"])
@pytest.mark.parametrize("state", OPEN_STATES)
def test_what_a_person_has_to_decide_closes_nothing(state, reason):
    case, _ = night(case_in(state), at=standing(reason, proof=PROOF))

    assert case.state == state


@pytest.mark.parametrize("reason", [r for r in IN if BY_CODE[r].status in ("deferred", "on_leave")])
@pytest.mark.parametrize("state", OPEN_STATES)
def test_an_approved_deferral_or_leave_closes_until_its_end(state, reason):
    case, events = night(case_in(state), at=standing(reason, proof=PROOF, until=dt.date(2027, 1, 31)))

    assert events == ["closed_until_by_evidence"]
    assert (case.state, case.closed_until, case.closing_evidence) == ("closed_until", dt.date(2027, 1, 31), PROOF[0])


@pytest.mark.parametrize("state", [*OPEN_STATES, "closed_until"])
def test_a_child_past_school_age_closes_as_over_age(state):
    after, events = advance(case_in(state), CHILD, [], GROWN, ON, TERMS)

    assert after.state == "closed"
    assert (after.closing_reason, after.closing_evidence) == ("over_age", GROWN.evidence)
    assert [(event.event, event.source) for event in events] == [("closed_over_age", "population:5")]


def test_a_closed_case_of_a_child_past_school_age_stays_as_it_is():
    case = case_in("closed")

    assert night(case, at=GROWN) == (case, [])


@pytest.mark.parametrize("empty", [("", "student_registry:9")])
@pytest.mark.parametrize("reason", ["live_enrolment", "deferral_approved"])
def test_a_proof_that_says_nothing_is_no_evidence_to_close_on(reason, empty):
    with pytest.raises(ValueError, match="evidence"):
        night(case_in("suspected"), at=standing(reason, proof=empty))


# -- opening again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [r for r in OUT if BY_CODE[r].status != "dropout"])
def test_a_relapse_opens_the_same_case_again(reason):
    before = case_in("closed", reopened=1, visits=4, measure="责令改正")

    after, events = advance(before, CHILD, [], standing(reason), ON, TERMS)

    assert [event.event for event in events] == ["relapsed"]
    assert (after.case_id, after.opened_on) == (before.case_id, before.opened_on)
    assert after.is_open
    assert (after.reason, after.severity, after.reopened) == (reason, BY_CODE[reason].severity, 2)
    assert after.due_on == ON + 30 * DAY
    assert (after.closed_on, after.closed_until, after.closing_reason, after.closing_evidence) == (None,) * 4
    assert (after.visits, after.measure) == (4, "责令改正")


def test_a_dropout_that_relapses_keeps_the_reason_and_the_severity_it_was_confirmed_with():
    after, events = night(case_in("closed", reason="厌学", severity=3), at=standing("confirmed_dropped_out"))

    assert events == ["relapsed"]
    assert (after.reason, after.severity) == ("厌学", 3)


@pytest.mark.parametrize(
    ("days", "is_open"),
    [(-1, False), (0, False), (1, True), (30, True)],
    ids=["the day before", "the day itself", "the day after", "a month later"],
)
@pytest.mark.parametrize("reason", ["deferral_expired", "leave_expired"])
def test_a_case_closed_until_a_day_opens_again_by_itself_after_it(reason, days, is_open):
    until = dt.date(2027, 1, 31)
    case, events = night(case_in("closed_until", closed_until=until), at=standing(reason), on=until + days * DAY)

    assert case.is_open is is_open
    assert events == (["reopened"] if is_open else [])
    assert case.reopened == int(is_open)


def test_a_term_that_a_person_gave_holds_and_one_that_only_the_data_gave_ends_when_they_take_it_back():
    given = case_in("closed_until", closing_reason="休学", closed_until=ON + 50 * DAY)
    found = case_in("closed_until", closing_reason="leave_approved", closed_until=ON + 50 * DAY)

    assert night(given, at=standing("leave_not_approved")) == (given, [])
    assert night(found, at=standing("leave_not_approved"))[1] == ["reopened"]


def test_a_deferral_that_is_prolonged_does_not_open_the_case_and_holds_to_its_new_day():
    case = case_in("closed_until", closed_until=ON - DAY)

    after, events = night(case, at=standing("deferral_approved", proof=PROOF, until=ON + 100 * DAY))

    assert (after.state, after.closed_until, after.closed_on) == ("closed_until", ON + 100 * DAY, ON)
    assert events == ["closed_until_by_evidence"]
    assert night(after, at=standing("deferral_approved", proof=PROOF, until=ON + 100 * DAY)) == (after, [])


@pytest.mark.parametrize(
    ("days", "events"), [(0, []), (1, ["reopened"])], ids=["the last day of the term", "the day after"]
)
@pytest.mark.parametrize("reason", ["live_enrolment", "candidates"])
def test_a_term_that_ends_without_evidence_of_school_opens_the_case(reason, days, events):
    case = case_in("closed_until", closed_until=ON)

    after, happened = night(case, at=standing(reason), on=ON + days * DAY)

    assert happened == events
    assert after.is_open is bool(events)
    assert after.reason == case.reason


def test_a_term_that_ends_with_evidence_of_school_closes_the_case():
    after, events = night(case_in("closed_until", closed_until=ON - DAY), at=standing("live_enrolment", proof=PROOF))

    assert (after.state, events) == ("closed", ["closed_by_evidence"])


# -- who is responsible --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OPEN_STATES)
def test_a_case_is_handed_over_when_somebody_else_is_responsible(state):
    moved = dataclasses.replace(standing("confirmed_dropped_out"), responsible="他乡")

    case, events = night(case_in(state), at=moved)

    assert events == ["handed_over"]
    assert (case.state, case.responsible) == (state, "他乡")
    assert night(case, at=dataclasses.replace(moved, responsible=None)) == (case, [])


# -- answers that come late, or to a closed case -------------------------------------------------------------------


@pytest.mark.parametrize("result", sorted(RESULTS))
def test_an_answer_older_than_the_last_one_is_kept_and_moves_nothing(result):
    case, _ = night(case_in("suspected"), answer("确认辍学", reason="厌学"), at=standing("confirmed_dropped_out"))

    after, events = night(
        case, answer(result, on=ON - 5 * DAY, row=9, visits=3), at=standing("confirmed_dropped_out"), on=ON + DAY
    )

    assert events == ["verified_again"]
    assert after == dataclasses.replace(case, visits=3)


@pytest.mark.parametrize("result", [*STAYS_OPEN, "已复学"])
@pytest.mark.parametrize("state", sorted(CLOSED_STATES))
def test_an_answer_that_closes_nothing_leaves_a_closed_case_closed_and_stands_in_its_history(state, result):
    case, events = night(case_in(state), answer(result, row=8), at=standing("leave_verified"))

    assert events == ["verified_again"]
    assert case.state == state


# -- the machine as a whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", TRANSITIONS)
def test_every_arrow_leads_from_states_to_a_state(event):
    arrow = TRANSITIONS[event]

    assert arrow.event == event
    assert set(arrow.from_states) <= CONTRACT_STATES
    assert arrow.to_state is None or arrow.to_state in CONTRACT_STATES
    assert arrow.label


def test_only_verification_evidence_and_age_lead_out_of_the_ledgers():
    leaving = {name for name, arrow in TRANSITIONS.items() if arrow.to_state in CLOSED_STATES}

    assert leaving == {
        "closed_by_verification", "closed_until_by_verification", "closed_by_evidence", "closed_until_by_evidence", "closed_over_age",
    }  # fmt: skip
    assert all("closed" not in TRANSITIONS[name].from_states for name in leaving)


# (result, days ago, row, measure, visits, reason, placement)
ANSWERS = st.tuples(
    st.sampled_from(sorted(RESULTS)),
    st.integers(0, 3),
    st.integers(1, 1000),
    st.sampled_from([None, *MEASURES]),
    st.sampled_from([None, 0, 1, 2, 5]),
    st.sampled_from([None, "厌学", "外出务工"]),
    st.sampled_from([None, "普职融合"]),
)
# (reason, whether there is proof, days until which it holds), or past school age
STANDINGS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from([r.code for r in REASONS]), st.booleans(), st.sampled_from([None, -5, 0, 5, 40])),
)
NIGHTS = st.lists(
    st.tuples(st.lists(ANSWERS, max_size=3, unique_by=lambda one: one[2]), STANDINGS, st.integers(1, 40)),
    min_size=1,
    max_size=6,
)


def told(nights):
    """The drawn nights as (answers, standing, date)."""
    on = ON
    for answers, where, gap in nights:
        on += gap * DAY
        said = []
        for result, days, row, measure, visits, reason, placement in answers:
            cells = {"measure": measure, "visits": visits, "reason": reason}
            if placement:
                cells["placement"] = placement
            said.append(answer(result, on=on - days * DAY, row=row, **cells))
        if where is None:
            yield said, GROWN, on
        else:
            reason, has_proof, days = where
            yield (
                said,
                standing(reason, proof=PROOF if has_proof else None, until=None if days is None else on + days * DAY),
                on,
            )


def is_open(case):
    return case is not None and case.state in OPEN_STATES


@given(NIGHTS)
def test_whatever_the_nights_bring_the_account_of_the_case_adds_up(nights):
    case, reopened, seen = None, 0, []
    for said, where, on in told(nights):
        before = case
        case, events = advance(before, CHILD, said, where, on, TERMS)

        # the account: open before + opened + reopened - closed = open after
        opened = sum(event.event == "opened" for event in events)
        again = sum(event.from_state in CLOSED_STATES and event.to_state in OPEN_STATES for event in events)
        closed = sum(event.from_state in OPEN_STATES and event.to_state in CLOSED_STATES for event in events)
        assert is_open(before) + opened + again - closed == is_open(case)

        # every step is an arrow, begins where the last one ended, and names its evidence
        state = before.state if before else None
        for event in events:
            arrow = TRANSITIONS[event.event]
            assert event.from_state == state
            assert state is None or state in arrow.from_states
            assert event.to_state == (arrow.to_state or state)
            assert event.evidence
            assert event.source
            assert event.occurred_on <= on
            state = event.to_state
        assert (case.state if case else None) == state

        reopened += again
        seen += events
        if case is None:
            assert before is None
            continue
        # closed cases have evidence, open ones none; what was reached is never taken back
        closing = (case.closed_on, case.closing_reason, case.closing_evidence)
        assert all(closing) if case.state in CLOSED_STATES else closing == (None,) * 3
        assert case.closed_until is None or case.state == "closed_until"
        assert case.reopened == reopened
        assert case.child_id == CHILD
        if before is not None:
            assert (case.case_id, case.opened_on) == (before.case_id, before.opened_on)
            assert case.visits >= before.visits
            assert before.measure is None or MEASURES.index(case.measure) >= MEASURES.index(before.measure)

    assert sum(event.event == "opened" for event in seen) <= 1


@settings(max_examples=50)
@given(NIGHTS)
def test_a_child_in_a_ledger_has_an_open_case_after_every_night(nights):
    """Both ledgers show the case beside the child: without an open one the row would be missing. A closing by verification the same
    night stands until the status follows it, and a term that has not ended keeps its case closed. (That a dropout opens one is held above.)"""
    case = None
    for said, where, on in told(nights):
        case, events = advance(case, CHILD, said, where, on, TERMS)
        if where is GROWN or where.reason not in OUT or (case is None and where.status == "dropout"):
            continue
        if (
            case is not None
            and case.state == "closed_until"
            and case.closed_until is not None
            and on <= case.closed_until
        ):
            continue
        assert is_open(case), [event.event for event in events]


@settings(max_examples=40)
@given(NIGHTS)
def test_a_case_is_a_function_of_its_nights(nights):
    first = second = None
    for said, where, on in told(nights):
        first, events = advance(first, CHILD, said, where, on, TERMS)
        second, again = advance(second, CHILD, list(reversed(said)), where, on, TERMS)

        assert second == first
        assert again == events


@settings(max_examples=50)
@given(NIGHTS)
def test_the_same_answers_said_twice_in_a_night_leave_the_same_case(nights):
    case = None
    for said, where, on in told(nights):
        once, _ = advance(case, CHILD, said, where, on, TERMS)
        twice, _ = advance(case, CHILD, [*said, *said], where, on, TERMS)

        assert twice == once
        case = once


@pytest.mark.parametrize("rows", [(5, 6), (6, 5)])
def test_an_answer_said_twice_is_told_by_the_first_of_its_rows(rows):
    _, [event] = advance(
        case_in("suspected"), CHILD, [answer("失联", row=row) for row in rows], standing("no_record"), ON, TERMS
    )

    assert event.source == "verifications:5"


@pytest.mark.parametrize(
    "cell",
    [
        {"reason": "厌学"}, {"visits": 2}, {"visited_on": ON - DAY}, {"placement": "普职融合"}, {"evidence": "走访记录"},
        {"school_code": "3153290101"}, {"student_number": "G532901201603120015"}, {"until": ON + DAY},
    ],
    ids=lambda cell: next(iter(cell)),
)  # fmt: skip
def test_two_answers_that_differ_in_one_cell_are_two_events(cell):
    """The gate answers_are_events counts an event for each decision, and what was believed is told by the same cells."""
    said = [answer("失联", row=5), answer("失联", row=6, **cell)]

    _, forwards = advance(case_in("suspected"), CHILD, said, standing("no_record"), ON, TERMS)
    _, backwards = advance(case_in("suspected"), CHILD, said[::-1], standing("no_record"), ON, TERMS)

    assert {event.source for event in forwards} == {"verifications:5", "verifications:6"}
    assert forwards == backwards


@pytest.mark.parametrize("result", [*CONFIRMS, *STAYS_OPEN])
@pytest.mark.parametrize("rows", [(1, 2), (2, 1)])
def test_the_rows_in_which_two_answers_of_one_day_stand_do_not_matter(result, rows):
    said = [answer(result, row=rows[0], measure="责令改正", visits=1), answer(result, row=rows[1], visits=2)]

    case, _ = night(case_in("confirmed"), *said, at=standing("confirmed_dropped_out"))

    assert (case.state, case.measure, case.visits) == ("persuading", "责令改正", 2)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_answers_of_one_day_does_not_matter(order):
    said = [answer("失联", row=5), answer("确认辍学", row=6, measure="责令改正", visits=2), answer("已复学", row=7)]

    case, events = night(case_in("suspected"), *[said[place] for place in order], at=standing("confirmed_dropped_out"))

    assert (case.state, case.measure, case.visits) == ("returned_unconfirmed", "责令改正", 2)
    assert events == ["verified_open", "confirmed", "measure_taken", "returned_reported"]


def test_answers_of_different_days_are_taken_in_the_order_of_their_days():
    said = [answer("已复学", on=ON - DAY, row=1), answer("确认辍学", on=ON, row=2)]

    for answers in (said, said[::-1]):
        case, events = night(case_in("suspected"), *answers, at=standing("confirmed_dropped_out"))

        assert case.state == "confirmed"
        assert events == ["returned_reported", "confirmed"]
