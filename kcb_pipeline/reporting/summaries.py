"""What a stage of a night came to, as Markdown with charts inside: for whoever looks at the stage in Dagster instead of asking a database.

Counts and estimates only, from the working database or the published one; a chart is an image within the text, so that the page that shows it
loads nothing from anywhere.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Iterable, Sequence

import duckdb

from kcb_pipeline.engines.embedded import rows
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.cases import STATES, TRANSITIONS
from kcb_pipeline.reporting.linkage_charts import linkage_charts
from kcb_pipeline.reporting.svg import AMBER, BLUE, DEEP, GREY, QUIET, RED, TEAL, picture, rect, text, width_of
from kcb_pipeline.status.reasons import STATUSES

_COLOURS = {
    "enrolled": DEEP, "enrolled_elsewhere": BLUE, "special_provision": BLUE, "needs_review": AMBER, "unenrolled": RED, "suspected": RED,
    "dropout": RED,
}  # fmt: skip
_SHOWN_VERSIONS = 10


def linkage_summary(home: Home, on: dt.date, connection: duckdb.DuckDBPyConnection) -> str:
    """Comparison ① of a date: pairs by decision and method, estimated quality, and the charts of weights, of m and u and of blocking."""
    decided = rows(
        connection,
        "SELECT decision, method, count(*), min(match_weight) FROM matched.links GROUP BY ALL ORDER BY decision, method",
    )
    [(links, wrong, wrong_low, wrong_high, missed, missed_low, missed_high, unblocked, precision, recall)] = rows(
        connection,
        "SELECT links, false_links, false_links_low, false_links_high, missed, missed_low, missed_high, unblocked, precision, recall "
        "FROM matched.quality WHERE grouping = 'all'",
    )
    first = "match-weights"
    charts = linkage_charts(home, on, only=(first, "blocking", "m-and-u"))
    return "\n\n".join(
        [
            f"### ① 户籍 × 学籍 · {on}",
            _image(first, charts[first]),
            _table(
                ("estimated without labels", "", "95 %"),
                [
                    ("links 认定", f"{links:,}", ""),
                    ("of them wrong 误认", f"{wrong:,.1f}", f"{wrong_low:,.1f} to {wrong_high:,.1f}"),
                    ("missed 漏认", f"{missed:,.1f}", f"{missed_low:,.1f} to {missed_high:,.1f}"),
                    ("never compared 未比", f"{unblocked:,.1f}", ""),
                    ("precision 查准率", f"{precision:.3%}", ""),
                    ("recall 查全率", f"{recall:.3%}", ""),
                ],
            ),
            _table(
                ("decision", "method", "pairs", "lowest weight"),
                [
                    (decision, method or "", f"{count:,}", "" if least is None else f"{least:.1f}")
                    for decision, method, count, least in decided
                ],
            ),
            *(_image(name, drawing) for name, drawing in charts.items() if name != first),
        ]
    )


def statuses_summary(connection: duckdb.DuckDBPyConnection) -> str:
    """Where every child stands, from `status.child_statuses`."""
    counts = dict(rows(connection, "SELECT status, count(*) FROM status.child_statuses GROUP BY status"))
    return "\n\n".join(["### 适龄儿童 where every child stands", _standing(counts)])


def cases_summary(connection: duckdb.DuckDBPyConnection) -> str:
    """What happened to cases tonight, from `draft.case_events`, and how they stand, from `draft.cases`."""
    events = rows(
        connection,
        "SELECT event, count(*) FROM draft.case_events WHERE version IS NULL GROUP BY event ORDER BY count(*) DESC, event",
    )
    states = dict(rows(connection, "SELECT state, count(*) FROM draft.cases GROUP BY state"))
    late = rows(
        connection,
        "SELECT count(*) FILTER (WHERE due_on < comparison_date) FROM draft.cases CROSS JOIN draft.origin WHERE closed_on IS NULL",
    )[0][0]
    bars = [
        (label, states.get(state, 0), TEAL if state.startswith("closed") else AMBER) for state, label in STATES.items()
    ]
    return "\n\n".join(
        [
            "### 一人一案 cases after the night",
            f"{late:,} open cases are past their day 逾期",
            _image("cases by state", _bars("案件状态", "Cases by state after the night", bars)),
            _table(("event", "事件", "tonight"), [(event, TRANSITIONS[event].label, f"{count:,}") for event, count in events])
            if events
            else "No case has moved.",
        ]
    )  # fmt: skip


def version_summary(connection: duckdb.DuckDBPyConnection, version: int) -> str:
    """A version: where every child stands, what entered, left and changed against the version it builds on, and the versions before."""
    listed = rows(
        connection,
        "SELECT version, comparison_date, eligible, enrolled, suspected, dropouts, review, base_version, run_id "
        "FROM ledger_versions WHERE version <= ? ORDER BY version DESC LIMIT ?",
        [version, _SHOWN_VERSIONS],
    )
    base = listed[0][7]
    counts = dict(
        rows(connection, "SELECT status, count(*) FROM school_age_children_as_of(?) GROUP BY status", [version])
    )
    parts = [f"### Version {version} · {listed[0][1]}", _standing(counts)]
    if base is not None:
        moved = rows(
            connection,
            "SELECT ledger, change, count(*) FROM ledger_changes(?, ?) GROUP BY ALL ORDER BY ledger, change",
            [base, version],
        )
        told = [(ledger, change, f"{count:,}") for ledger, change, count in moved]
        parts += [f"#### Since version {base}", _table(("ledger", "change", "children"), told) if told else "Nothing."]
    parts += [
        "#### Versions 各版本",
        _table(
            ("version", "date", "适龄 children", "在学 enrolled", "疑似 suspected", "辍学 dropouts", "待核 review", "builds on", "run"),
            [
                (number, date, *(f"{count:,}" for count in counted), on if on is not None else "–", f"[{run[:8]}](/runs/{run})")
                for number, date, *counted, on, run in listed
            ],
        ),
    ]  # fmt: skip
    return "\n\n".join(parts)


def _standing(counts: dict[str, int]) -> str:
    whole = sum(counts.values())
    shown = [
        (status, label, f"{counts.get(status, 0):,}", f"{counts.get(status, 0) / max(whole, 1):.2%}")
        for status, label in STATUSES.items()
    ]
    bars = [(label, counts.get(status, 0), _COLOURS.get(status, GREY)) for status, label in STATUSES.items()]
    drawing = _bars("适龄儿童状态", f"Statuses of {whole:,} children of school age, on a scale of roots", bars)
    return _image("statuses", drawing) + "\n\n" + _table(("status", "状态", "children", "share"), shown)


def _bars(title: str, english: str, entries: Sequence[tuple[str, int, str]]) -> str:
    """One bar an entry, as long as the root of its count, so that few are seen beside many."""
    width, row, top = 720.0, 24.0, 84.0
    left = 44 + max([width_of(label, 12.5) for label, _, _ in entries] or [0.0])
    room = width - left - 100
    most = max([count for _, count, _ in entries] or [0]) or 1
    marks = []
    for place, (label, count, colour) in enumerate(entries):
        y = top + place * row
        long = room * (count / most) ** 0.5
        marks += [
            text(left - 10, y + 13, label, size=12.5, anchor="end"),
            rect(left, y + 1, long, row - 8, colour, corner=2, tip=f"{label} {count:,}"),
            text(left + long + 8, y + 13, f"{count:,}", size=12, fill=QUIET),
        ]
    return picture(width, top + len(entries) * row + 16, title, english, marks)


def _image(name: str, drawing: str) -> str:
    return f"![{name}](data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()})"


def _table(headings: Sequence[str], entries: Iterable[Sequence[object]]) -> str:
    told = [[str(cell) for cell in entry] for entry in entries]
    are_numbers = [all(line[place][:1] in "-–0123456789" for line in told) for place in range(len(headings))]
    rule = ["---:" if right else "---" for right in are_numbers]
    return "\n".join("| " + " | ".join(line) + " |" for line in (headings, rule, *told))
