"""Which dates are expected to stand, on the clock of the agencies."""

import datetime as dt

import duckdb
import pytest

from kcb_pipeline.config import Orchestration
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.due import due, expected_dates
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS, create_table_sql

WEDNESDAY = dt.date(2026, 11, 18)


def at(day, hour, minute=0):
    """A time of day in Shanghai, told in UTC."""
    return dt.datetime(2026, 11, day, hour, minute, tzinfo=dt.timezone(dt.timedelta(hours=8))).astimezone(dt.UTC)


@pytest.mark.parametrize(
    ("now", "last"), [(at(20, 7, 59), 19), (at(20, 8, 0), 20), (at(20, 23, 0), 20), (at(21, 0, 30), 20)]
)
def test_a_day_is_expected_from_its_deadline_on(now, last):
    days = expected_dates(Orchestration(), now, since=WEDNESDAY)

    assert days == [dt.date(2026, 11, day) for day in range(18, last + 1)]


def test_only_on_the_days_of_the_week_that_are_named():
    workdays = Orchestration(expected_on=(1, 2, 3, 4, 5))

    days = expected_dates(workdays, at(23, 9), since=WEDNESDAY)

    assert [day.day for day in days] == [18, 19, 20, 23]
    assert expected_dates(Orchestration(expected_on=()), at(23, 9), since=WEDNESDAY) == []


def test_a_date_is_late_with_the_reason_why(tmp_path):
    home = Home(tmp_path)
    (tmp_path / "kcb.toml").write_text("[orchestration]\nlook_back_days = 3\n", encoding="utf-8")
    home.published.mkdir(mode=0o700)
    columns = ", ".join(f"{field.name} {field.type}" for field in VERSION_FIELDS)
    with duckdb.connect(str(home.ledgers)) as ledgers:
        for table in TABLES:
            ledgers.execute(create_table_sql(table))
        ledgers.execute(f"CREATE TABLE ledger_versions ({columns})")
        ledgers.execute(
            "INSERT INTO ledger_versions (version, comparison_date, content_digest, inputs_digest, rules_digest) "
            "VALUES (1, DATE '2026-11-10', 'c', 'i', 'r')"
        )
    for day in (18, 19, 20):
        (home.extracts / f"2026-11-{day}").mkdir(parents=True)
    with home.workspace(dt.date(2026, 11, 19)).connect() as connection:
        connection.execute("CREATE TABLE gates.verdicts AS SELECT 'identity' AS suite, false AS passed, 'd' AS draft")
    with home.workspace(dt.date(2026, 11, 20)).connect():
        pass

    found = due(home, at(20, 9))

    assert found.late == {
        dt.date(2026, 11, 17): "no extracts have come",
        dt.date(2026, 11, 18): "extracts have come, it has not been run",
        dt.date(2026, 11, 19): "stopped by the gates identity",
        dt.date(2026, 11, 20): "a run has not come to its end",
    }
    assert found.is_late
    assert not due(home, at(10, 9)).is_late
