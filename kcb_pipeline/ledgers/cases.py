"""一人一案: the life of a case, as a state machine, in one place.

A case opens when a child enters 疑似辍学 or 辍学, is followed, and leaves only by evidence (对账销号). `TRANSITIONS` is all there is:
the drawing in docs/cases.md is made from it. `advance` moves one case through one night; it reads nothing and knows no table, so the
history of a case replays from its inputs to exactly its state.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from kcb_pipeline.ledgers.verifications import RESULTS
from kcb_pipeline.status.reasons import BY_CODE, SUSPECTED_STATUSES

SUSPECTED, VERIFYING, CONFIRMED, PERSUADING, RETURNED_UNCONFIRMED, CLOSED_UNTIL, CLOSED = (
    "suspected", "verifying", "confirmed", "persuading", "returned_unconfirmed", "closed_until", "closed",
)  # fmt: skip
STATES: Final = {
    SUSPECTED: "疑似",
    VERIFYING: "核查中",
    CONFIRMED: "已确认",
    PERSUADING: "劝返中",
    RETURNED_UNCONFIRMED: "返校待确认",
    CLOSED_UNTIL: "限期销号",
    CLOSED: "已销号",
}
OPEN_STATES: Final = (SUSPECTED, VERIFYING, CONFIRMED, PERSUADING, RETURNED_UNCONFIRMED)

MEASURES: Final = ("宣传教育", "责令改正", "行政处罚", "申请强制执行或提起诉讼")
"""四步法, in order (南政办发〔2024〕6号 五(三))."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow: which event takes a case from which states to which."""

    event: str
    label: str
    from_states: tuple[str, ...]
    to_state: str | None


TRANSITIONS: Final = {
    transition.event: transition
    for transition in (
        Transition("opened", "立案", (), SUSPECTED),
        Transition("reason_changed", "原因变化", OPEN_STATES, None),
        Transition("verified_open", "核查未果", (SUSPECTED, VERIFYING), VERIFYING),
        Transition("verified_again", "再次核查", (CONFIRMED, PERSUADING, RETURNED_UNCONFIRMED), None),
        Transition("confirmed", "确认失学或辍学", (*OPEN_STATES, CLOSED_UNTIL, CLOSED), CONFIRMED),
        Transition("measure_taken", "采取劝返措施", (CONFIRMED, PERSUADING), PERSUADING),
        Transition("returned_reported", "报告已复学", OPEN_STATES, RETURNED_UNCONFIRMED),
        Transition("closed_by_verification", "核查销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED),
        Transition("closed_until_by_verification", "核查限期销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED_UNTIL),
        Transition("closed_by_evidence", "数据销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED),
        Transition("closed_until_by_evidence", "数据限期销号", OPEN_STATES, CLOSED_UNTIL),
        Transition("closed_over_age", "超过适龄销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED),
        Transition("reopened", "重新立案", (CLOSED_UNTIL, CLOSED), SUSPECTED),
    )
}
"""Every way a case can move; `to_state` None leaves it where it is. There is no arrow to `closed` without evidence."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a case: what happened, on which evidence (source and row), on which day."""

    event: str
    from_state: str | None
    to_state: str
    reason: str | None
    evidence: str
    source: str
    occurred_on: dt.date


@dataclass(frozen=True, slots=True)
class Case:
    """One child's case as it stands."""

    case_id: str
    child_id: str
    state: str
    reason: str
    severity: int
    responsible: str | None
    opened_on: dt.date
    due_on: dt.date
    measure: str | None = None
    visits: int = 0
    placement: str | None = None
    reopened: int = 0
    closed_on: dt.date | None = None
    closed_until: dt.date | None = None
    closing_reason: str | None = None
    closing_evidence: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the child is still to be brought back."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class Answer:
    """One believed 核查结果 (`kcb_pipeline.ledgers.verifications`)."""

    result: str
    verified_on: dt.date
    source_row: int
    reason: str | None = None
    measure: str | None = None
    visits: int | None = None
    placement: str | None = None
    evidence: str | None = None
    until: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a child stands tonight.

    proof: the evidence that a case may close on (words, source and row), None where tonight brought none: a status that
        changed only because old evidence lapsed closes nothing.
    until: to when a leave or deferral holds.
    """

    status: str
    reason: str
    evidence: str
    source: str
    responsible: str | None
    proof: tuple[str, str] | None = None
    until: dt.date | None = None


@dataclass(slots=True)
class Terms:
    """What follows by when (configuration)."""

    verify_within_days: int = 30
    persuade_within_days: int = 30


@dataclass(slots=True)
class _Story:
    """A case being moved, and the events so far."""

    case: Case | None
    events: list[Event] = field(default_factory=list)

    def move(
        self, event: str, evidence: str, source: str, on: dt.date, changes: dict[str, object] | None = None
    ) -> None:
        """Follow an arrow; ValueError where there is none from here, or no evidence for it."""
        assert self.case is not None
        arrow = TRANSITIONS[event]
        if self.case.state not in arrow.from_states:
            message = f"no arrow {event} from {self.case.state}"
            raise ValueError(message)
        if not evidence:
            message = f"{event} without evidence"
            raise ValueError(message)
        before, after = self.case.state, arrow.to_state or self.case.state
        self.case = replace(self.case, state=after, **(changes or {}))  # type: ignore[arg-type]
        self.events.append(Event(event, before, after, self.case.reason, evidence, source, on))


def advance(
    case: Case | None,
    child_id: str,
    answers: Iterable[Answer],
    standing: Standing | None,
    on: dt.date,
    terms: Terms,
) -> tuple[Case | None, list[Event]]:
    """One night in the life of a child's case: the case after it, and what happened.

    `answers` are tonight's new ones; their order does not matter. `standing` is None for a child who is past school age. A
    child without a case gets one when it is suspected, unenrolled or a dropout.
    """
    story = _Story(case)
    for answer in sorted(answers, key=_answer_order):
        if story.case is not None:
            _answered(story, answer, terms)
    if standing is None:
        if story.case is not None and story.case.state != CLOSED:
            story.move("closed_over_age", _OVER_AGE, "school_age", on, _closing("over_age", _OVER_AGE, on))
    elif story.case is None:
        if standing.status in (*SUSPECTED_STATUSES, "dropout"):
            _open(story, child_id, standing, on, terms)
    else:
        _stood(story, standing, on, terms)
    return story.case, story.events


def case_id_of(child_id: str) -> str:
    """One child, one case: the case bears the child's number."""
    return "A" + child_id.removeprefix("C")


def _answer_order(answer: Answer) -> tuple[object, ...]:
    """By day; within a day by result, a measure after the result it followed, so that the order of the rows says nothing."""
    measure = MEASURES.index(answer.measure) if answer.measure else -1
    return (answer.verified_on, list(RESULTS).index(answer.result), measure, answer.source_row)


def _closing(reason: str, evidence: str, on: dt.date, until: dt.date | None = None) -> dict[str, object]:
    return {"closed_on": on, "closing_reason": reason, "closing_evidence": evidence, "closed_until": until}


_OVER_AGE: Final = "已超过义务教育年龄"
_NOT_CLOSED: Final[dict[str, object]] = {
    "closed_on": None,
    "closing_reason": None,
    "closing_evidence": None,
    "closed_until": None,
}


def _open(story: _Story, child_id: str, standing: Standing, on: dt.date, terms: Terms) -> None:
    story.case = Case(
        case_id=case_id_of(child_id),
        child_id=child_id,
        state=SUSPECTED,
        reason=standing.reason,
        severity=BY_CODE[standing.reason].severity,
        responsible=standing.responsible,
        opened_on=on,
        due_on=on + dt.timedelta(days=terms.verify_within_days),
    )
    story.events.append(Event("opened", None, SUSPECTED, standing.reason, standing.evidence, standing.source, on))


def _answered(story: _Story, answer: Answer, terms: Terms) -> None:
    case = story.case
    assert case is not None
    result = RESULTS[answer.result]
    source = f"verifications:{answer.source_row}"
    said = f"核查结果：{answer.result}" + (f"；佐证：{answer.evidence}" if answer.evidence else "")
    on = answer.verified_on
    kept: dict[str, object] = {
        "visits": max(case.visits, answer.visits or 0),
        "placement": answer.placement or case.placement,
    }
    match result.effect:
        case "stays_open" if case.is_open:
            story.move(
                "verified_open" if case.state in (SUSPECTED, VERIFYING) else "verified_again", said, source, on, kept
            )
        case "confirms":
            confirmed: dict[str, object] = {
                "reason": answer.reason or case.reason,
                "severity": 3,
                "reopened": case.reopened + (not case.is_open),
                "due_on": on + dt.timedelta(days=terms.persuade_within_days),
            }
            story.move("confirmed", said, source, on, kept | confirmed | _NOT_CLOSED)
        case "returned" if case.is_open:
            story.move("returned_reported", said, source, on, kept)
        case "closes" if case.state != CLOSED:
            story.move("closed_by_verification", said, source, on, kept | _closing(answer.result, said, on))
        case "closes_until" if case.state != CLOSED:
            closing = _closing(answer.result, said, on, answer.until)
            story.move("closed_until_by_verification", said, source, on, kept | closing)
        case _:
            return
    _persuade(story, answer, source)


def _persuade(story: _Story, answer: Answer, source: str) -> None:
    """Note the step of the four that an answer says was taken; a step is never taken back."""
    case = story.case
    assert case is not None
    if answer.measure is None or case.state not in (CONFIRMED, PERSUADING):
        return
    reached = MEASURES.index(case.measure) if case.measure else -1
    if MEASURES.index(answer.measure) > reached:
        story.move(
            "measure_taken", f"劝返措施：{answer.measure}", source, answer.verified_on, {"measure": answer.measure}
        )


def _stood(story: _Story, standing: Standing, on: dt.date, terms: Terms) -> None:
    case = story.case
    assert case is not None
    is_out = standing.status in SUSPECTED_STATUSES or standing.status == "dropout"
    why: dict[str, object] = {"responsible": standing.responsible}
    if standing.status != "dropout":  # a dropout keeps the reason that the verification gave
        why |= {"reason": standing.reason, "severity": BY_CODE[standing.reason].severity}
    if is_out and not case.is_open:
        if case.state == CLOSED_UNTIL and case.closed_until is not None and on <= case.closed_until:
            return
        again: dict[str, object] = {
            "reopened": case.reopened + 1,
            "due_on": on + dt.timedelta(days=terms.verify_within_days),
        }
        story.move("reopened", standing.evidence, standing.source, on, why | again | _NOT_CLOSED)
    elif is_out:
        is_new_reason = standing.status != "dropout" and standing.reason != case.reason
        if is_new_reason and case.state in (SUSPECTED, VERIFYING):
            story.move("reason_changed", standing.evidence, standing.source, on, why)
    elif case.state != CLOSED and standing.proof is not None:
        words, source = standing.proof
        if standing.status in ("deferred", "on_leave"):
            if case.is_open:
                closing = _closing(standing.reason, words, on, standing.until)
                story.move("closed_until_by_evidence", words, source, on, closing)
        elif standing.status != "needs_review":
            story.move("closed_by_evidence", words, source, on, _closing(standing.reason, words, on))
