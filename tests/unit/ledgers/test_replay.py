"""The history of every case replays from its events alone to exactly where the case stands."""

import dataclasses
import datetime as dt
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.engines.embedded import create
from kcb_pipeline.ledgers.cases import (
    OPEN_STATES,
    OUTSIDE,
    STATES,
    TRANSITIONS,
    Standing,
    Terms,
    advance,
)
from kcb_pipeline.ledgers.replay import differences, replay, verify_replay
from kcb_pipeline.ledgers.schema import polars_schema
from kcb_pipeline.ledgers.verifications import MEASURES, RESULTS, Answer
from kcb_pipeline.status.reasons import REASONS

FIRST = dt.date(2026, 1, 5)
DAY = dt.timedelta(days=1)
OUT = [reason for reason in REASONS if reason.status in ("unenrolled", "suspected", "dropout")]
IN = [reason for reason in REASONS if reason not in OUT]
HISTORIES = 10_000


def lived(chance, child_id, nights):
    """A made-up life of a case: rows of `case_events` with the versions of its nights, and its row of `cases`."""
    case, opened_version, closed_version, rows = None, None, None, []
    for version in range(1, nights + 1):
        on = FIRST + version * 9 * DAY
        answers = [_answer(chance, on, row) for row in range(1, chance.choice((1, 1, 1, 2, 3)))]
        case, events = advance(case, child_id, answers, _standing(chance, on), on, Terms(30, 30))
        for event in events:
            rows.append(
                {"case_id": case.case_id, "sequence": len(rows) + 1, "version": version, **dataclasses.asdict(event)}
            )
            if event.event == "opened":
                opened_version = version
            if event.closes:
                closed_version = version
            elif event.to_state in OPEN_STATES:
                closed_version = None
    if case is None:
        return rows, None
    return rows, dataclasses.asdict(case) | {"opened_version": opened_version, "closed_version": closed_version}


def _answer(chance, on, row):
    result = chance.choice(list(RESULTS))
    return Answer(
        result, on - chance.randrange(15) * DAY, row,
        reason=chance.choice((None, "厌学", "外出务工")), measure=chance.choice((None, None, *MEASURES)), visits=chance.choice((None, 1, 4)),
        placement=chance.choice((None, "普职融合")), evidence=chance.choice((None, "证明", "证明二")),
        until=on + 30 * DAY if RESULTS[result].needs == "until" else None,
    )  # fmt: skip


def _standing(chance, on):
    if chance.random() < 0.02:
        return Standing(OUTSIDE, "over_age", "已超过义务教育年龄", "population:4", None)
    reason = chance.choice(OUT if chance.random() < 0.6 else IN)
    proof = ("证据", f"in_school:{chance.randrange(9)}") if chance.random() < 0.6 else None
    return Standing(
        reason.status, reason.code, reason.words, "student_registry:3", chance.choice(("甲乡", "乙乡", "某校")), proof,
        on + chance.choice((-9, 9, 40)) * DAY,
    )  # fmt: skip


def frames(histories):
    events = [row for rows, _ in histories for row in rows]
    cases = [case for _, case in histories if case is not None]
    return pl.DataFrame(events, schema=polars_schema("case_events")), pl.DataFrame(cases, schema=polars_schema("cases"))


@pytest.fixture(scope="module")
def ten_thousand():
    chance = random.Random(20261120)
    return [lived(chance, f"C{n:015X}", nights=chance.randrange(2, 14)) for n in range(HISTORIES)]


def test_ten_thousand_histories_replay_to_exactly_where_their_cases_stand(ten_thousand):
    events, cases = frames(ten_thousand)

    assert differences(events, cases) == []
    assert cases.height > 0.9 * HISTORIES
    # The histories say something: every arrow is followed, every state is reached, cases come back more than once.
    assert set(events["event"]) == set(TRANSITIONS)
    assert set(cases["state"]) == set(STATES)
    assert cases["reopened"].max() >= 3


def test_the_order_in_which_events_arrive_and_how_often_do_not_matter(ten_thousand):
    events, cases = frames(ten_thousand)
    mixed = pl.concat([events, events.sample(fraction=0.3, seed=3)]).sample(fraction=1, shuffle=True, seed=5)

    assert differences(mixed, cases) == []


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_any_history_replays_in_any_order_with_any_event_twice(chance, nights):
    rows, case = lived(chance, "C0123456789ABCDE", nights)
    again = rows + [chance.choice(rows) for _ in range(5)] if rows else []
    chance.shuffle(again)

    replayed, faults = replay(again)

    assert faults == []
    assert [found.says() for found in replayed.values()] == ([case] if case else [])


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 10))
def test_the_answers_of_a_night_in_another_order_or_twice_make_the_same_history(chance, nights):
    case = other = None
    for version in range(1, nights):
        on = FIRST + version * 9 * DAY
        answers = [_answer(chance, on, row) for row in range(1, 5)]
        mixed = [*answers, *chance.sample(answers, 2)]
        chance.shuffle(mixed)
        standing = _standing(chance, on)

        case, events = advance(case, "C1", answers, standing, on, Terms(30, 30))
        other, again = advance(other, "C1", mixed, standing, on, Terms(30, 30))

        assert (other, again) == (case, events)


# -- what does not replay is found ---------------------------------------------------------------------------------


def sabotaged(rows, case, what):
    rows, case = [dict(row) for row in rows], dict(case)
    match what:
        case "a lost event":
            del rows[len(rows) // 2]
        case "an event that was never there":
            rows.append({**rows[-1], "sequence": len(rows) + 1, "event": "opened", "from_state": None})
        case "an event that says two things":
            rows.append({**rows[0], "evidence": "别的"})
        case "an event without evidence":
            rows[-1]["evidence"] = ""
        case "an event without a source":
            rows[-1]["source"] = ""
        case "a state nobody moved it to":
            case["state"] = "closed" if case["state"] != "closed" else "suspected"
        case "another closing version":
            case["closed_version"] = 99
        case "a reopening not counted":
            case["reopened"] += 1
        case "a case without events":
            rows = []
        case "events without a case":
            case = None
    return rows, case


@pytest.mark.parametrize(
    "what",
    ["a lost event", "an event that was never there", "an event that says two things", "an event without evidence", "an event without a source",
     "a state nobody moved it to", "another closing version", "a reopening not counted", "a case without events", "events without a case"],
)  # fmt: skip
def test_a_history_that_does_not_lead_to_its_case_is_found(ten_thousand, what):
    known = [(rows, case) for rows, case in ten_thousand if case is not None and len(rows) >= 4][:3]
    bad = sabotaged(*known[1], what)

    faults = differences(*frames([known[0], bad, known[2]]))

    assert {fault.case_id for fault in faults} == {known[1][1]["case_id"]}
    assert all("证" not in fault.what for fault in faults)


def test_the_published_tables_are_replayed_as_they_stand(ledgers, ten_thousand):
    events, cases = frames(ten_thousand[:50])
    create(ledgers, "cases", cases)
    create(ledgers, "case_events", events)
    assert verify_replay(ledgers) == (cases.height, [])

    ledgers.execute("UPDATE cases SET visits = visits + 1 WHERE case_id = (SELECT min(case_id) FROM cases)")
    count, [fault] = verify_replay(ledgers)

    assert (count, fault.case_id) == (cases.height, min(cases["case_id"]))
    assert "visits" in fault.what
