"""Replay: the events of a case, and nothing else, give back the case as it stands.

The events may come in any order and any number of times: they are numbered within their case. Two events of one number that say
different things, a gap in the numbers, or a step that is no arrow of the machine are faults, never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import duckdb
import polars as pl

from kcb_pipeline.engines.embedded import frame
from kcb_pipeline.ledgers.cases import Case, Event, follow

_SAID: Final = tuple(field.name for field in fields(Event))
_KEPT: Final = (*(field.name for field in fields(Case)), "opened_version", "closed_version")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A case as its events give it back, with the versions in which it was opened and closed."""

    case: Case
    opened_version: int | None
    closed_version: int | None

    def says(self) -> dict[str, object]:
        """Its columns as `cases` has them."""
        said: dict[str, object] = {field.name: getattr(self.case, field.name) for field in fields(Case)}
        return said | {"opened_version": self.opened_version, "closed_version": self.closed_version}


@dataclass(frozen=True, slots=True)
class ReplayFault:
    """A case that its events do not give back, and what is wrong. It names no child."""

    case_id: str
    what: str


def replay(events: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Replayed], list[ReplayFault]]:
    """Cases by number from rows of `case_events`, and the cases whose events cannot be followed."""
    told: dict[str, dict[int, Mapping[str, Any]]] = {}
    faults: dict[str, ReplayFault] = {}
    for row in events:
        steps = told.setdefault(row["case_id"], {})
        if steps.setdefault(row["sequence"], row) != row:
            faults[row["case_id"]] = ReplayFault(row["case_id"], f"event {row['sequence']} says two things")
    replayed: dict[str, Replayed] = {}
    for case_id in sorted(told):
        if case_id not in faults:
            try:
                replayed[case_id] = _follow_all(case_id, told[case_id])
            except (ValueError, KeyError) as error:
                faults[case_id] = ReplayFault(case_id, str(error.args[0]))
    return replayed, [faults[case_id] for case_id in sorted(faults)]


def _follow_all(case_id: str, steps: Mapping[int, Mapping[str, Any]]) -> Replayed:
    case: Case | None = None
    opened_version = closed_version = None
    for place, number in enumerate(sorted(steps), start=1):
        if number != place:
            message = f"event {place} is missing"
            raise ValueError(message)
        row = steps[number]
        event = Event(**{name: row[name] for name in _SAID})
        if case is None:
            opened_version = row["version"]
        case = follow(case, case_id, event)
        if event.closes:
            closed_version = row["version"]
        elif case.is_open:
            closed_version = None
    assert case is not None
    return Replayed(case, opened_version, closed_version)


def differences(events: pl.DataFrame, cases: pl.DataFrame) -> list[ReplayFault]:
    """Where replaying `case_events` does not give exactly `cases`: the case and the columns, never a value."""
    replayed, faults = replay(events.iter_rows(named=True))
    broken = {fault.case_id for fault in faults}
    published: dict[str, dict[str, Any]] = {}
    for row in cases.iter_rows(named=True):
        if row["case_id"] in published:
            faults.append(ReplayFault(row["case_id"], "it stands twice"))
        published[row["case_id"]] = row
    for case_id in sorted((set(replayed) | set(published)) - broken):
        if case_id not in published:
            faults.append(ReplayFault(case_id, "it has events and does not stand"))
        elif case_id not in replayed:
            faults.append(ReplayFault(case_id, "it stands and has no events"))
        else:
            says = replayed[case_id].says()
            wrong = [name for name in _KEPT if says[name] != published[case_id][name]]
            if wrong:
                faults.append(ReplayFault(case_id, f"its events say otherwise of {', '.join(wrong)}"))
    return sorted(faults, key=lambda fault: (fault.case_id, fault.what))


def verify_replay(connection: duckdb.DuckDBPyConnection) -> tuple[int, list[ReplayFault]]:
    """Replay the current version of a published file: how many cases stand, and which their events do not give back."""
    cases = frame(connection, "SELECT * FROM cases")
    return cases.height, differences(frame(connection, "SELECT * FROM case_events"), cases)
