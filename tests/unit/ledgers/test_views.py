"""What readers see over the stored tables, at the versions where a row begins and ends to stand."""

import datetime as dt

import pytest

from kcb_pipeline.engines.embedded import Limits, connect, rows
from kcb_pipeline.ledgers.schema import table
from kcb_pipeline.ledgers.views import create_views
from tests.unit.reporting.conftest import Ledgers

DAYS = {1: dt.date(2026, 11, 18), 2: dt.date(2026, 11, 20), 3: dt.date(2026, 11, 18), 4: dt.date(2026, 11, 20)}
"""The comparison dates of the versions: the first date was run again, and the second after it."""


class Published(Ledgers):
    """A published file of four versions, filled row by row."""

    def __init__(self, connection):
        super().__init__(connection)
        connection.execute("DELETE FROM ledger_versions")
        connection.executemany(
            "INSERT INTO ledger_versions (version, comparison_date) VALUES (?, ?)", list(DAYS.items())
        )
        create_views(connection, max(DAYS))

    def add(self, name, first, last=None, **cells):
        """A row of a history that stands from one version to another."""
        cells |= {"valid_from_version": first, "valid_to_version": last}
        self.connection.execute(
            f"INSERT INTO {table(name).stored_as} ({', '.join(cells)}) VALUES ({', '.join('?' for _ in cells)})",
            list(cells.values()),
        )

    def all(self, sql):
        return rows(self.connection, sql)


@pytest.fixture
def published():
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield Published(connection)


@pytest.mark.parametrize(
    ("day", "version"),
    [(dt.date(2026, 11, 17), None), (DAYS[1], 3), (dt.date(2026, 11, 19), 3), (DAYS[2], 4), (dt.date(2027, 1, 1), 4)],
    ids=str,
)
def test_the_version_of_a_day_is_the_last_of_the_latest_date_until_then(published, day, version):
    assert published.all(f"SELECT version_on(DATE '{day}')") == [(version,)]


def test_nor_is_it_that_of_an_earlier_date_that_was_run_again_since(published):
    published.connection.execute("DELETE FROM ledger_versions WHERE version = 4")

    assert published.all("SELECT version_on(DATE '2026-12-31')") == [(2,)]


def test_a_child_stands_from_its_first_version_up_to_the_one_that_it_has_left_by(published):
    published.add("child_facts", 1, 3, child_id="C1", status="enrolled")
    published.add("child_rows", 1, 2, child_id="C1", population_row=7)
    published.add("child_rows", 2, 3, child_id="C1", population_row=8)
    published.add("child_facts", 3, child_id="C2", status="enrolled")
    published.add("child_rows", 3, child_id="C2", population_row=9)

    seen = {v: published.all(f"SELECT child_id, population_row FROM school_age_children_as_of({v})") for v in DAYS}

    assert seen == {1: [("C1", 7)], 2: [("C1", 8)], 3: [("C2", 9)], 4: [("C2", 9)]}
    assert published.all("SELECT child_id FROM school_age_children") == [("C2",)]
    published.add("child_facts", 1, 2, child_id="C3")
    published.add("child_rows", 1, 2, child_id="C3", population_row=5)
    published.add("child_facts", 2, 3, child_id="C3")
    published.add("child_rows", 2, 3, child_id="C3", population_row=6)
    shown = "SELECT child_id, population_row, valid_from_version, valid_to_version FROM school_age_children_history ORDER BY 1, 2"
    assert published.all(shown) == [
        ("C1", 7, 1, 2),
        ("C1", 8, 2, 3),
        ("C2", 9, 3, None),
        ("C3", 5, 1, 2),
        ("C3", 6, 2, 3),
    ]


def test_an_other_table_is_read_as_of_a_version_likewise(published):
    published.add("cases", 1, 2, case_id="A1", state="suspected")
    published.add("cases", 2, case_id="A1", state="closed")

    seen = {v: published.all(f"SELECT state FROM cases_as_of({v})") for v in (1, 2, 3)}

    assert seen == {1: [("suspected",)], 2: [("closed",)], 3: [("closed",)]}
    assert published.all("SELECT state FROM cases") == [("closed",)]


def test_days_open_count_to_the_version_that_is_asked_for_and_in_the_history_to_the_last_the_row_stood_in(published):
    case = {
        "case_id": "A1",
        "child_id": "C1",
        "opened_on": DAYS[1] - dt.timedelta(days=1),
        "status_reason": "long_leave",
    }
    published.add("suspected_dropouts", 1, 2, **case, severity=1)
    published.add("suspected_dropouts", 2, **case, severity=2)

    seen = {v: published.all(f"SELECT days_open FROM suspected_dropouts_as_of({v})") for v in DAYS}

    assert seen == {1: [(1,)], 2: [(3,)], 3: [(1,)], 4: [(3,)]}
    assert published.all("SELECT days_open, category FROM suspected_dropouts") == [(3, "长期请假")]
    kept = "SELECT severity, days_open FROM suspected_dropouts_history ORDER BY severity"
    assert published.all(kept) == [(1, 1), (2, 3)]


def test_what_has_changed_is_told_with_the_columns_in_which(published):
    published.add("child_facts", 1, 2, child_id="C1", status="enrolled", status_reason="live_enrolment", grade=5)
    published.add("child_facts", 2, child_id="C1", status="suspected", status_reason="absent", grade=5)
    published.add("child_facts", 1, 2, child_id="C2", status="enrolled")
    published.add("child_facts", 2, child_id="C3", status="enrolled")
    published.add("child_facts", 1, child_id="C4", status="enrolled")

    changes = (
        "SELECT child_id, change, status_before, status_after, changed_columns FROM ledger_changes({}, {}) ORDER BY 1"
    )

    assert published.all(changes.format(1, 2)) == [
        ("C1", "changed", "enrolled", "suspected", ["status", "status_reason"]),
        ("C2", "left", "enrolled", None, None),
        ("C3", "entered", None, "enrolled", None),
    ]
    assert published.all(changes.format(2, 3)) == []
