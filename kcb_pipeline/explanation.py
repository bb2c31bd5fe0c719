"""`kcb explain`: everything the published version knows of why one child stands where it does, in a readable order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import duckdb
from rich.table import Table
from rich.text import Text

from kcb_pipeline.engines.embedded import connect, named_rows
from kcb_pipeline.errors import UsageError
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.cases import STATES, TRANSITIONS, without_words_of_offices
from kcb_pipeline.matching.deciding import (
    REASON_BEST,
    REASON_BETTER,
    REASON_DOUBT,
    REASON_KEY,
    REASON_REVIEWED,
    REASON_TAKEN,
    REASON_TIE,
    REASON_WEAK,
)
from kcb_pipeline.status.reasons import BY_CODE, STATUSES

_IDENTITY = ("id_number", "name", "guardian_name", "guardian_phone", "household_id", "student_number")
WHY: Final = {
    REASON_KEY: "a valid number and the name agree",
    REASON_REVIEWED: "people decided: a verification, or reviewers",
    REASON_BEST: "the best pair of both",
    REASON_TIE: "two pairs are equally good",
    REASON_DOUBT: "the evidence leaves doubt",
    REASON_TAKEN: "the record is another child's",
    REASON_BETTER: "the child has a better record",
    REASON_WEAK: "the evidence is too weak",
}
"""Why a pair was decided as it was. A reason of another version of this program is shown as it is."""


def explain_child(home: Home, child_id: str, *, identity: bool) -> Iterator[str | Text | Table]:
    """The parts of an explanation, in order. UsageError where no such child stands in the current version."""
    with connect(home.ledgers, home.limits(), read_only=True) as connection:
        found = named_rows(connection, "SELECT * FROM school_age_children WHERE child_id = ?", [child_id])
        if not found:
            raise UsageError(
                f"no child {child_id} in the current version: who has left stands in `kcb diff --children`, whose number became another's in child_lineage"
            )
        child = found[0]
        yield Text.assemble(
            (child_id, "bold"), f"  {STATUSES[child['status']]} ({child['status']}) since {child['status_since']}"
        )
        yield f"  because: {BY_CODE[child['status_reason']].words} ({child['status_reason']})"
        if identity:
            yield "  " + ", ".join(f"{name} {child[name]}" for name in _IDENTITY if child[name] is not None)
        yield f"  population row {child['population_row']} ({child['population_type']}), registry row {child['registry_row'] or '–'}"
        for said in named_rows(connection, "SELECT * FROM evidence WHERE child_id = ? ORDER BY kind, nth", [child_id]):
            dates = " to ".join(str(said[name]) for name in ("from_date", "to_date") if said[name] is not None)
            yield f"  evidence: {said['kind']} {said['code'] or ''} {dates}  [{said['source']} row {said['source_row'] or '–'}, extract of {said['said_on']}]"
        yield from _links(connection, child)
        yield from _reviews(connection, child_id)
        yield from _case(connection, child_id, identity=identity)


def _links(connection: duckdb.DuckDBPyConnection, child: dict[str, Any]) -> Iterator[str | Table]:
    pairs = named_rows(
        connection,
        "SELECT * FROM links WHERE population_type = ? AND population_row = ? ORDER BY decision = 'linked' DESC, match_weight DESC, registry_row",
        [child["population_type"], child["population_row"]],
    )
    if not pairs:
        yield "  no candidate in the registry shares enough with this child to be compared"
        return
    weights = [name for name in pairs[0] if name.startswith("w_")]
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in (
        "  registry row",
        "decision",
        "why",
        "weight",
        *(name.removeprefix("w_") for name in weights),
        "probability",
    ):
        table.add_column(heading, justify="left" if heading in ("  registry row", "decision", "why") else "right")
    for pair in pairs:
        table.add_row(
            f"  {pair['registry_row']}", pair["decision"], WHY.get(pair["reason"], pair["reason"]), f"{pair['match_weight']:.1f}",
            *(f"{pair[name]:+.1f}" for name in weights), f"{pair['probability']:.4f}",
        )  # fmt: skip
    yield "  candidates (weights are log2 of how much likelier one person is than two; they add up with the prior):"
    yield table


def _reviews(connection: duckdb.DuckDBPyConnection, child_id: str) -> Iterator[str]:
    for row in named_rows(connection, "SELECT * FROM review_decisions WHERE child_id = ? ORDER BY pair", [child_id]):
        found = "the same person as" if row["decision"] == "same" else "not the person of"
        effect = "" if row["effect"] == "binds" else f"  (without effect tonight: {row['effect']})"
        yield f"  reviewed: {row['reviewers']} reviewers, {row['decided_on']}: {found} the record of pair {row['pair']}{effect}"


def _case(connection: duckdb.DuckDBPyConnection, child_id: str, *, identity: bool) -> Iterator[str]:
    for case in named_rows(connection, "SELECT * FROM cases WHERE child_id = ?", [child_id]):
        yield f"  case {case['case_id']}: {STATES[case['state']]} ({case['state']}), opened {case['opened_on']}, due {case['due_on']}, {case['responsible'] or '–'}"
        for event in named_rows(
            connection, "SELECT * FROM case_events WHERE case_id = ? ORDER BY sequence", [case["case_id"]]
        ):
            label = TRANSITIONS[event["event"]].label
            evidence = event["evidence"] if identity else without_words_of_offices(event["evidence"])
            yield f"    {event['occurred_on']}  {label}  {evidence}  [{event['source'] or '–'}]"
