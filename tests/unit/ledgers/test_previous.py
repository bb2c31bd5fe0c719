"""Which version a comparison date builds on, which one stands for it, and which dates have to be made again."""

import datetime as dt

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.engines.embedded import Limits, connect, rows
from kcb_pipeline.ledgers.previous import Version, base_of, show_previous, stale_dates, standing, versions
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS, create_table_sql

LIMITS = Limits(memory="500MB", threads=1)


def day(n):
    return dt.date(2026, 11, n)


def published(*made):
    """Versions in the order in which they were published: (day, the version it was based on)."""
    return [Version(n, day(on), f"c{n}", f"i{n}", "r", base) for n, (on, base) in enumerate(made, start=1)]


def numbers(found):
    return None if found is None else found.version


def test_the_first_date_builds_on_nothing():
    assert base_of(day(20), []) is None
    assert base_of(day(20), published((20, None), (21, 1))) is None


def test_a_date_builds_on_the_latest_earlier_date_however_long_ago():
    made = published((10, None), (12, 1))

    assert numbers(base_of(day(20), made)) == 2
    assert numbers(base_of(day(11), made)) == 1


def test_of_a_date_that_was_restated_the_last_version_counts():
    made = published((10, None), (11, 1), (10, None))

    assert numbers(base_of(day(11), made)) == 3
    assert numbers(standing(day(10), made)) == 3


def test_a_late_restatement_of_an_early_date_is_not_the_base_of_a_later_one():
    made = published((10, None), (11, 1), (12, 2), (10, None))

    assert numbers(base_of(day(13), made)) == 3


def test_running_a_date_again_builds_on_the_same_version():
    made = published((10, None), (11, 1), (12, 2))

    assert numbers(base_of(day(11), made)) == 1


def test_no_version_stands_for_a_date_that_was_not_published():
    assert standing(day(20), published((10, None))) is None


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 10))
def test_the_base_is_the_last_version_of_the_latest_earlier_date(days, on):
    made = published(*[(n, None) for n in days])

    base = base_of(day(on), made)

    earlier = [n for n in days if n < on]
    if not earlier:
        assert base is None
    else:
        assert base.comparison_date == day(max(earlier))
        assert base.version == max(v.version for v in made if v.comparison_date == base.comparison_date)
        assert base == standing(base.comparison_date, made)


@pytest.mark.parametrize(
    ("made", "stale"),
    [
        ([], []),
        ([(10, None)], []),
        ([(10, None), (11, 1), (12, 2)], []),
        ([(10, None), (11, 1), (10, None)], [11]),
        ([(10, None), (11, 1), (12, 2), (10, None)], [11, 12]),
        ([(10, None), (11, 1), (12, 2), (10, None), (11, 4)], [12]),
        ([(10, None), (11, 1), (12, 2), (10, None), (11, 4), (12, 5)], []),
        ([(10, None), (12, 1), (11, 1)], [12]),
        ([(11, None), (10, None)], [11]),
        ([(10, None), (11, 1), (11, 1)], []),
    ],
    ids=[
        "nothing",
        "one",
        "in order",
        "the first restated",
        "all after it",
        "one made again",
        "all made again",
        "one put between",
        "one put before",
        "the last restated",
    ],
)
def test_a_date_is_stale_where_what_it_was_built_on_has_been_restated(made, stale):
    assert stale_dates(published(*made)) == [day(n) for n in stale]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_making_the_stale_dates_again_in_order_leaves_none(days):
    made = []

    def publish(on):
        base = base_of(day(on), made)
        made.append(Version(len(made) + 1, day(on), "c", "i", "r", numbers(base)))

    for on in days:
        publish(on)
    for stale in stale_dates(made):
        publish(stale.day)

    assert stale_dates(made) == []


# -- the views of the version before -------------------------------------------------------------------------------


def test_without_a_published_file_there_are_no_versions(tmp_path):
    assert versions(tmp_path / "ledgers.duckdb", LIMITS) == []


def test_without_a_base_every_table_is_there_and_empty(tmp_path):
    with connect(None, LIMITS) as connection:
        show_previous(connection, tmp_path / "ledgers.duckdb", None)

        for table in TABLES:
            shown = connection.sql(f"SELECT * FROM previous_{table.name}")
            assert shown.fetchall() == []
            assert tuple(shown.columns) == table.columns


@pytest.fixture
def ledgers(tmp_path):
    """A published file with two versions of one case, and what each says of the rows it read."""
    path = tmp_path / "ledgers.duckdb"
    with connect(path, LIMITS) as connection:
        for table in TABLES:
            connection.execute(create_table_sql(table))
        columns = ", ".join(f"{field.name} {field.type}" for field in VERSION_FIELDS)
        connection.execute(f"CREATE TABLE ledger_versions ({columns})")
        connection.execute(
            """
            INSERT INTO ledger_versions (version, comparison_date, content_digest, inputs_digest, rules_digest, base_version, run_id) VALUES (2, '2026-11-11', 'c2', 'i2', 'r', 1, 'two'), (1, '2026-11-10', 'c1', 'i1', 'r', NULL, 'one');
            INSERT INTO cases_history (case_id, state, valid_from_version, valid_to_version)
                VALUES ('A1', 'suspected', 1, 2), ('A1', 'closed', 2, NULL), ('A2', 'suspected', 2, NULL);
            INSERT INTO row_accounts (version, source, read) VALUES (1, 'population', 10), (2, 'population', 12);
            """
        )
    return path


def test_the_versions_come_in_order(ledgers):
    assert versions(ledgers, LIMITS) == [
        Version(1, dt.date(2026, 11, 10), "c1", "i1", "r", None, "one"),
        Version(2, dt.date(2026, 11, 11), "c2", "i2", "r", 1, "two"),
    ]


@pytest.mark.parametrize(
    ("version", "cases", "read"),
    [(1, [("A1", "suspected")], 10), (2, [("A1", "closed"), ("A2", "suspected")], 12)],
)
def test_the_tables_are_shown_as_they_stood_in_the_base(ledgers, version, cases, read):
    base = versions(ledgers, LIMITS)[version - 1]
    with connect(None, LIMITS) as connection:
        show_previous(connection, ledgers, base)

        assert rows(connection, "SELECT case_id, state FROM previous_cases ORDER BY case_id") == cases
        assert rows(connection, "SELECT read FROM previous_row_accounts") == [(read,)]


def test_how_a_child_was_known_before_is_what_the_versions_it_builds_on_say(ledgers):
    with connect(ledgers, LIMITS) as connection:
        connection.execute(
            """
            INSERT INTO ledger_versions (version, comparison_date, content_digest, inputs_digest, rules_digest, base_version, run_id) VALUES (3, '2026-11-11', 'c3', 'i3', 'r', 1, 'three'), (4, '2026-11-12', 'c4', 'i4', 'r', 3, 'four');
            INSERT INTO child_facts_history (child_id, id_number, name, student_number, grade, valid_from_version, valid_to_version)
                VALUES ('C1', 'first', 'n', 's', 1, 1, 2), ('C1', 'superseded', 'n', 's', 1, 2, 3), ('C1', 'third', 'n', 's', 1, 3, 4),
                       ('C1', 'now', 'n', 's', 1, 4, NULL), ('C2', 'same', 'n', 's', 1, 1, 3), ('C2', 'same', 'n', 's', 2, 3, NULL),
                       ('C3', 'i', 'formerly', 's', 1, 1, 4), ('C3', 'i', 'n', 's', 1, 4, NULL),
                       ('C4', 'i', 'n', 'L1', 1, 1, 4), ('C4', 'i', 'n', 'G1', 1, 4, NULL);
            """
        )
    with connect(None, LIMITS) as connection:
        show_previous(connection, ledgers, versions(ledgers, LIMITS)[3])

        assert rows(connection, "SELECT * FROM previous_identities ORDER BY child_id, until_version") == [
            ("C1", "first", "n", "s", 2),
            ("C1", "third", "n", "s", 4),
            ("C3", "i", "formerly", "s", 4),
            ("C4", "i", "n", "L1", 4),
        ]


def test_the_published_file_is_only_read(ledgers):
    with connect(None, LIMITS) as connection:
        show_previous(connection, ledgers, versions(ledgers, LIMITS)[0])

        with pytest.raises(duckdb.Error):
            connection.execute("DELETE FROM published.main.cases_history")
