"""The one status of every child of school age, with its reason (published.md, status)."""

from __future__ import annotations

import datetime as dt

import duckdb

from kcb_pipeline.config import Config
from kcb_pipeline.engines.embedded import create, rows
from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.identity.codes import PRIMARY_YEARS
from kcb_pipeline.status.evidence import PACKAGE
from kcb_pipeline.status.reasons import reasons_frame
from kcb_pipeline.status.school_age import window


def classify(
    connection: duckdb.DuckDBPyConnection, on: dt.date, config: Config, *, approvals_ever_sent: bool
) -> dict[str, int]:
    """Fill `status.child_statuses`: the facts of each, with reason, status, severity; the counts by status.

    Wants `status.evidence` and its like, `status.verdicts`, and the `previous_` views.
    """
    age = window(on, config.school_age)
    born = {"born_from": age.born_from, "born_to": age.born_to}
    run_step(connection, PACKAGE, "school_age_persons", "status.school_age_persons", born)
    run_step(connection, PACKAGE, "enrolments", "status.enrolments")
    run_step(connection, PACKAGE, "candidates", "status.candidates")
    create(connection, "status.reasons", reasons_frame())
    limits = {
        "today": on,
        "abroad_days": config.attendance.abroad_days,
        "approvals_never_sent": not approvals_ever_sent,
        "primary_years": PRIMARY_YEARS,
    }
    run_step(connection, PACKAGE, "child_statuses", "status.child_statuses", limits)
    counted = rows(connection, "SELECT status, count(*) FROM status.child_statuses GROUP BY status ORDER BY status")
    return {status: int(count) for status, count in counted}
