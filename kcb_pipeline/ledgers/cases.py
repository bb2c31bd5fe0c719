"""一人一案: the life of a case, as a state machine, in one place.

A case opens when a child enters 疑似辍学 or 辍学, is followed, and leaves only by evidence (对账销号). `TRANSITIONS` is all there is:
the drawing in docs/cases.md is made from it. `advance` decides what happens to one case in one night, as events; `follow` is the only
thing that changes a case, and it looks at nothing but the event. So the events of a case alone give back exactly its state
(`kcb_pipeline.ledgers.replay`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from kcb_pipeline.ledgers.verifications import MEASURES, RESULTS, SAID, Answer, skipped_steps
from kcb_pipeline.status.reasons import BY_CODE, OUT_OF_SCHOOL

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
CLOSED_STATES: Final = (CLOSED_UNTIL, CLOSED)

OUTSIDE: Final = "outside_school_age"
"""The standing of a child that is not of school age (any more, or yet): it has no status in the ledgers."""


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
        Transition("reason_changed", "原因变化", (SUSPECTED, VERIFYING), None),
        Transition("handed_over", "移交责任单位", OPEN_STATES, None),
        Transition("verified_open", "核查未果", (SUSPECTED, VERIFYING), VERIFYING),
        Transition("verified_again", "再次核查", tuple(STATES), None),
        Transition("confirmed", "确认失学或辍学", (SUSPECTED, VERIFYING, RETURNED_UNCONFIRMED, *CLOSED_STATES), CONFIRMED),
        Transition("confirmed_again", "再次确认", (CONFIRMED, PERSUADING), None),
        Transition("measure_taken", "采取劝返措施", (CONFIRMED, PERSUADING), PERSUADING),
        Transition("measure_noted", "记录劝返措施", (SUSPECTED, VERIFYING, RETURNED_UNCONFIRMED, *CLOSED_STATES), None),
        Transition("returned_reported", "报告已复学", OPEN_STATES, RETURNED_UNCONFIRMED),
        Transition("closed_by_verification", "核查销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED),
        Transition("closed_until_by_verification", "核查限期销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED_UNTIL),
        Transition("closed_by_evidence", "数据销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED),
        Transition("closed_until_by_evidence", "数据限期销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED_UNTIL),
        Transition("closed_over_age", "不在学龄销号", (*OPEN_STATES, CLOSED_UNTIL), CLOSED),
        Transition("reopened", "期满重新立案", (CLOSED_UNTIL,), SUSPECTED),
        Transition("relapsed", "反弹重新立案", (CLOSED,), SUSPECTED),
    )
}  # fmt: skip
"""Every way a case can move; `to_state` None leaves it where it is. There is no arrow to `closed` without evidence."""


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a case: what happened, on which evidence (source and row), on which day, and what the case says after it."""

    event: str
    from_state: str | None
    to_state: str
    reason: str
    evidence: str
    source: str
    occurred_on: dt.date
    severity: int
    responsible: str | None
    due_on: dt.date
    measure: str | None
    visits: int
    placement: str | None
    closing_reason: str | None = None
    closed_until: dt.date | None = None

    @property
    def closes(self) -> bool:
        """Whether the case is closed by it, or closed anew."""
        return TRANSITIONS[self.event].to_state in CLOSED_STATES


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
    verified_on: dt.date | None = None
    closed_on: dt.date | None = None
    closed_until: dt.date | None = None
    closing_reason: str | None = None
    closing_evidence: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the child is still to be brought back."""
        return self.state in OPEN_STATES


def case_id_of(child_id: str) -> str:
    """One child, one case: the case bears the child's number."""
    return "A" + child_id.removeprefix("C")


def child_id_of(case_id: str) -> str:
    """The child a case is about."""
    return "C" + case_id.removeprefix("A")


VERIFICATIONS: Final = "verifications"

_EVIDENCE, _WHY = "；佐证：", "，理由："
"""Behind these an office's own words stand in the evidence of an event."""


def without_words_of_offices(evidence: str) -> str:
    """What the evidence of an event says but for what an office wrote, which may be anybody's name or number.

    >>> without_words_of_offices("核查结果：在校已有学籍；佐证：张三，学籍号G532901201603120011"), without_words_of_offices("学籍异动：2026-11-01")
    ('核查结果：在校已有学籍；佐证：…', '学籍异动：2026-11-01')
    """
    marks = [(evidence.find(mark), mark) for mark in (_EVIDENCE, _WHY) if mark in evidence]
    if not marks:
        return evidence
    place, mark = min(marks)
    return f"{evidence[:place]}{mark}…"


def follow(case: Case | None, case_id: str, event: Event) -> Case:
    """The case after an event. Nothing else changes a case.

    ValueError where there is no such arrow from where the case stands, or where the event names no evidence or no source.
    """
    arrow = TRANSITIONS[event.event]
    state = case.state if case is not None else None
    if event.from_state != state or (state not in arrow.from_states if state else arrow.from_states):
        message = f"no arrow {event.event} from {state}"
        raise ValueError(message)
    if event.to_state != (arrow.to_state or state):
        message = f"{event.event} does not lead to {event.to_state}"
        raise ValueError(message)
    if not event.evidence or not event.source:
        message = f"{event.event} without evidence"
        raise ValueError(message)
    said = {
        "state": event.to_state, "reason": event.reason, "severity": event.severity, "responsible": event.responsible,
        "due_on": event.due_on, "measure": event.measure, "visits": event.visits, "placement": event.placement,
    }  # fmt: skip
    if case is None:
        return Case(case_id=case_id, child_id=child_id_of(case_id), opened_on=event.occurred_on, **said)  # type: ignore[arg-type]
    if event.closes:
        said |= {
            "closed_on": event.occurred_on, "closed_until": event.closed_until, "closing_reason": event.closing_reason,
            "closing_evidence": event.evidence,
        }  # fmt: skip
    elif event.to_state in OPEN_STATES and not case.is_open:
        said |= {"closed_on": None, "closed_until": None, "closing_reason": None, "closing_evidence": None}
        said |= {"reopened": case.reopened + 1}
    if event.source.startswith(f"{VERIFICATIONS}:"):
        said |= {"verified_on": max(case.verified_on or event.occurred_on, event.occurred_on)}
    return replace(case, **said)  # type: ignore[arg-type]


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

    @property
    def is_out(self) -> bool:
        """Whether the child is in 疑似辍学 or 辍学."""
        return self.status in OUT_OF_SCHOOL


@dataclass(frozen=True, slots=True)
class Terms:
    """What follows by when (configuration)."""

    verify_within_days: int
    persuade_within_days: int


@dataclass(slots=True)
class _Story:
    """A case being moved, and the events so far."""

    case_id: str
    case: Case | None
    events: list[Event] = field(default_factory=list)

    @property
    def known(self) -> Case:
        assert self.case is not None
        return self.case

    def move(
        self, event: str, evidence: str, source: str, on: dt.date, changes: dict[str, object] | None = None
    ) -> None:
        """Follow an arrow; `changes` are what the case says differently after it."""
        case = self.known
        said: dict[str, object] = {
            "reason": case.reason, "severity": case.severity, "responsible": case.responsible, "due_on": case.due_on,
            "measure": case.measure, "visits": case.visits, "placement": case.placement,
        }  # fmt: skip
        said |= changes or {}
        after = TRANSITIONS[event].to_state or case.state
        self._happened(Event(event, case.state, after, evidence=evidence, source=source, occurred_on=on, **said))  # type: ignore[arg-type]

    def open(self, standing: Standing, on: dt.date, due_on: dt.date) -> None:
        """The first event of a case."""
        self._happened(
            Event(
                "opened", None, SUSPECTED, standing.reason, standing.evidence, standing.source, on,
                severity=BY_CODE[standing.reason].severity, responsible=standing.responsible, due_on=due_on, measure=None, visits=0,
                placement=None,
            )
        )  # fmt: skip

    def _happened(self, event: Event) -> None:
        self.case = follow(self.case, self.case_id, event)
        self.events.append(event)


def advance(
    case: Case | None, child_id: str, answers: Iterable[Answer], standing: Standing, on: dt.date, terms: Terms
) -> tuple[Case | None, list[Event]]:
    """One night in the life of a child's case: the case after it, and what happened.

    `answers` are tonight's new ones; their order does not matter, and one said twice is one. A child without a case gets one when
    it is suspected, unenrolled or a dropout.
    """
    story = _Story(case_id_of(child_id), case)
    for answer in _in_order(answers):
        if story.case is not None:
            _answered(story, answer, terms)
    if story.case is None:
        if standing.is_out:
            story.open(standing, on, on + dt.timedelta(days=terms.verify_within_days))
    elif standing.status == OUTSIDE:
        _grew_out(story, standing, on)
    elif standing.is_out:
        _is_out(story, standing, on, terms)
    else:
        _is_in(story, standing, on, terms)
    return story.case, story.events


def _in_order(answers: Iterable[Answer]) -> list[Answer]:
    """By day; within a day by what they say, so that the order of the rows says nothing; each thing said once."""
    said = {replace(answer, source_row=0): answer for answer in sorted(answers, key=lambda answer: -answer.source_row)}
    return sorted(said.values(), key=_answer_order)


def _answer_order(answer: Answer) -> tuple[object, ...]:
    said = (getattr(answer, name) for name in SAID)
    return (
        answer.verified_on, list(RESULTS).index(answer.result), MEASURES.index(answer.measure) if answer.measure else -1,
        *((cell is not None, cell) for cell in said),
    )  # fmt: skip


def _answered(story: _Story, answer: Answer, terms: Terms) -> None:
    """What an answer does: the step of the four that brought the child back comes before the return, any other after the result."""
    source = f"{VERIFICATIONS}:{answer.source_row}"
    is_late = story.known.verified_on is not None and answer.verified_on < story.known.verified_on
    leads_out = RESULTS[answer.result].effect in ("returned", "closes", "closes_until")
    if leads_out or is_late:
        _persuaded(story, answer, source)
    if is_late:
        _move(story, "verified_again", answer, source, {}, note="（迟报，此后已有核查）")
    else:
        _resulted(story, answer, source, terms)
    if not (leads_out or is_late):
        _persuaded(story, answer, source)


def _resulted(story: _Story, answer: Answer, source: str, terms: Terms) -> None:
    case, on = story.known, answer.verified_on
    match RESULTS[answer.result].effect:
        case "stays_open" if case.state in (SUSPECTED, VERIFYING):
            _move(story, "verified_open", answer, source, {})
        case "confirms":
            confirmed: dict[str, object] = {
                "reason": answer.reason or case.reason,
                "severity": 3,
                "due_on": on + dt.timedelta(days=terms.persuade_within_days),
            }
            event = "confirmed_again" if case.state in (CONFIRMED, PERSUADING) else "confirmed"
            _move(story, event, answer, source, confirmed)
        case "returned" if case.is_open:
            _move(story, "returned_reported", answer, source, {})
        case "closes" if case.state != CLOSED:
            _move(story, "closed_by_verification", answer, source, {"closing_reason": answer.result})
        case "closes_until" if case.state != CLOSED:
            closing: dict[str, object] = {"closing_reason": answer.result, "closed_until": answer.until}
            _move(story, "closed_until_by_verification", answer, source, closing)
        case _:
            _move(story, "verified_again", answer, source, {})


def _move(
    story: _Story, event: str, answer: Answer, source: str, changes: dict[str, object], *, note: str = ""
) -> None:
    said = f"核查结果：{answer.result}" + (f"{_EVIDENCE}{answer.evidence}" if answer.evidence else "") + note
    kept: dict[str, object] = {
        "visits": max(story.known.visits, answer.visits or 0),
        "placement": story.known.placement if note else answer.placement or story.known.placement,
    }
    story.move(event, said, source, answer.verified_on, kept | changes)


def _persuaded(story: _Story, answer: Answer, source: str) -> None:
    """Note the step of the four that an answer says was taken. A step is never taken back, and none is skipped without a reason."""
    case = story.known
    if answer.measure is None:
        return
    reached = MEASURES.index(case.measure) if case.measure else -1
    if MEASURES.index(answer.measure) <= reached:
        return
    skipped = skipped_steps(case.measure, answer.measure)
    if skipped and not answer.evidence:
        return
    why = f"；未经{'、'.join(skipped)}{_WHY}{answer.evidence}" if skipped else ""
    event = "measure_taken" if case.state in (CONFIRMED, PERSUADING) else "measure_noted"
    story.move(event, f"劝返措施：{answer.measure}{why}", source, answer.verified_on, {"measure": answer.measure})


def _grew_out(story: _Story, standing: Standing, on: dt.date) -> None:
    """A child that is not of school age has no place in the ledgers: its case closes on its birth date, whatever was found of it."""
    if story.known.state != CLOSED:
        story.move("closed_over_age", standing.evidence, standing.source, on, {"closing_reason": standing.reason})


def _is_out(story: _Story, standing: Standing, on: dt.date, terms: Terms) -> None:
    """Suspected, not enrolled, or dropped out tonight."""
    case = story.known
    why: dict[str, object] = {"responsible": standing.responsible}
    if standing.status != "dropout":  # a dropout keeps the reason that the verification gave
        why |= {"reason": standing.reason, "severity": BY_CODE[standing.reason].severity}
    if not case.is_open:
        if _holds(case, on):
            return
        why |= {"due_on": on + dt.timedelta(days=terms.verify_within_days)}
        event = "relapsed" if case.state == CLOSED else "reopened"
        story.move(event, standing.evidence, standing.source, on, why)
    elif standing.status != "dropout" and standing.reason != case.reason and case.state in (SUSPECTED, VERIFYING):
        story.move("reason_changed", standing.evidence, standing.source, on, why)
    elif standing.responsible is not None and standing.responsible != case.responsible:
        words = f"责任单位由{case.responsible or '（空）'}变为{standing.responsible}：{standing.evidence}"
        story.move("handed_over", words, standing.source, on, {"responsible": standing.responsible})


def _holds(case: Case, on: dt.date) -> bool:
    """Whether a person has said 延缓入学 or 休学 until a day that has not passed. A term that only the data said ends when they take it back."""
    said_by_a_person = case.closing_reason in RESULTS
    return case.state == CLOSED_UNTIL and said_by_a_person and case.closed_until is not None and on <= case.closed_until


def _is_in(story: _Story, standing: Standing, on: dt.date, terms: Terms) -> None:
    """In neither ledger tonight: the case closes if there is evidence of that; a term that is over re-opens it if there is none."""
    case = story.known
    if case.state == CLOSED:
        return
    has_term = standing.status in ("deferred", "on_leave")
    if standing.proof is not None and standing.status != "needs_review":
        words, source = standing.proof
        closing: dict[str, object] = {"closing_reason": standing.reason}
        if not has_term:
            story.move("closed_by_evidence", words, source, on, closing)
        elif case.is_open or (standing.until is not None and standing.until > (case.closed_until or dt.date.min)):
            story.move("closed_until_by_evidence", words, source, on, closing | {"closed_until": standing.until})
    elif case.state == CLOSED_UNTIL and not has_term and case.closed_until is not None and on > case.closed_until:
        due_on = on + dt.timedelta(days=terms.verify_within_days)
        words = f"限期{case.closed_until}已满，尚无复学或其他销号证据"
        story.move("reopened", words, "calendar", on, {"due_on": due_on})
