"""What a person sees of a night in the interface."""

import datetime as dt

import pytest

from kcb_pipeline.engines.embedded import Limits, connect
from kcb_pipeline.reporting.summaries import cases_summary


@pytest.fixture
def drafted(tmp_path):
    with connect(tmp_path / "night.duckdb", Limits(threads=1)) as connection:
        connection.execute("""
            CREATE SCHEMA draft;
            CREATE TABLE draft.origin AS SELECT DATE '2026-11-20' AS comparison_date;
            CREATE TABLE draft.cases (state VARCHAR, due_on DATE, closed_on DATE);
            CREATE TABLE draft.case_events (event VARCHAR, version INTEGER);
        """)
        yield connection


def test_the_events_of_the_night_are_tonights(drafted):
    """An event gets its version when it is published: those of the nights before have one."""
    drafted.execute("INSERT INTO draft.cases VALUES ('suspected', ?, NULL)", [dt.date(2026, 11, 19)])
    drafted.execute("INSERT INTO draft.case_events VALUES ('opened', 1), ('opened', 1), ('verified_open', NULL)")

    said = cases_summary(drafted)

    assert "| verified_open | 核查未果 | 1 |" in said
    assert "| opened |" not in said
    assert "1 open cases are past their day" in said
