"""What is measured of a file for analysts, at the very limits: over a file that is written down row by row."""

import pytest

from kcb_pipeline.analytics.risk import measure
from kcb_pipeline.config import Config
from kcb_pipeline.engines.embedded import Limits, connect

SMALLEST = 5
"""What a county sets that sets nothing."""


class File:
    """A file of children, beside the ledgers it speaks of; nobody in the ledgers has a name."""

    def __init__(self, connection):
        self.connection = connection
        connection.execute(
            """
            ATTACH ':memory:' AS ledgers;
            CREATE TABLE children (child_key VARCHAR, township_code VARCHAR, sex VARCHAR);
            CREATE TABLE child_statuses (child_key VARCHAR, status VARCHAR);
            CREATE TABLE about (version INTEGER);
            INSERT INTO about VALUES (1);
            CREATE TABLE ledgers.child_facts_history (
                child_id VARCHAR, id_number VARCHAR, name VARCHAR, household_id VARCHAR, guardian_name VARCHAR, guardian_phone VARCHAR,
                student_number VARCHAR, village_code VARCHAR, township_code VARCHAR, birth_date DATE, sex VARCHAR, status VARCHAR,
                valid_from_version INTEGER, valid_to_version INTEGER)
            """
        )
        self._children = 0

    def add(self, children, township="1", *, sex="1", out=0, in_file=True, status="enrolled"):
        """So many children of one description, some of them out of school; in the ledgers, and in the file unless told otherwise."""
        for nth in range(children):
            self._children += 1
            standing = "dropout" if nth < out else status
            key = f"K{self._children}"
            self.connection.execute(
                "INSERT INTO ledgers.child_facts_history (child_id, township_code, sex, status, valid_from_version) VALUES (?, ?, ?, ?, 1)",
                [f"C{self._children}", township, sex, standing],
            )
            if in_file:
                self.connection.execute("INSERT INTO children VALUES (?, ?, ?)", [key, township, sex])
                self.connection.execute("INSERT INTO child_statuses VALUES (?, ?)", [key, standing])

    def measured(self):
        return measure(self.connection, Config()).row(0, named=True)


@pytest.fixture
def file():
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield File(connection)


def test_a_group_is_small_below_the_smallest_cell_and_a_child_unique_alone(file):
    for size, township in ((1, "1"), (2, "2"), (SMALLEST - 1, "3"), (SMALLEST, "4")):
        file.add(size, township)

    found = file.measured()

    assert (found["children"], found["groups"], found["smallest_group"]) == (12, 4, 1)
    assert found["children_in_small_groups"] == 1 + 2 + SMALLEST - 1
    assert found["unique_children"] == 1
    assert found["average_risk"] == pytest.approx(4 / 12)


@pytest.mark.parametrize(("out", "given_away"), [(4, 0), (5, 8)])
def test_a_group_gives_its_children_away_where_more_than_the_share_are_out_of_school(file, out, given_away):
    file.add(8, out=out)
    file.add(8, "2")

    assert file.measured()["children_given_away"] == given_away


@pytest.mark.parametrize(("newcomers", "in_small_groups"), [(SMALLEST - 1, SMALLEST - 1), (SMALLEST, 0)])
def test_newcomers_are_few_below_the_smallest_cell(file, newcomers, in_small_groups):
    file.add(9)
    file.connection.execute("ATTACH ':memory:' AS placed; CREATE TABLE placed.children AS FROM children")
    file.add(newcomers)

    found = file.measured()

    assert (found["newcomers_in_small_groups"], found["redescribed"]) == (in_small_groups, 0)


def test_a_child_that_is_described_otherwise_than_before_is_counted(file):
    file.add(9)
    file.connection.execute("ATTACH ':memory:' AS placed; CREATE TABLE placed.children AS FROM children")
    file.connection.execute("UPDATE placed.children SET sex = NULL WHERE child_key IN ('K1', 'K2')")

    assert file.measured()["redescribed"] == 2


@pytest.mark.parametrize(
    ("left_over", "lines"), [(0, 0), (1, 2), (SMALLEST - 1, 2), (SMALLEST, 0)], ids=["none", "one", "a few", "many"]
)
def test_a_line_of_the_bulletin_leaves_a_few_children_of_a_township_and_of_the_whole(file, left_over, lines):
    file.add(20)
    file.add(left_over, in_file=False)
    file.add(2, "2", in_file=False, status="departed")  # no line counts them

    assert file.measured()["lines_by_subtraction"] == lines


def test_a_line_of_the_file_that_the_ledgers_have_fewer_of_is_one_too(file):
    file.add(20)
    file.connection.execute("DELETE FROM ledgers.child_facts_history WHERE child_id = 'C1'")

    assert file.measured()["lines_by_subtraction"] == 2


def test_a_child_is_unique_in_the_ledgers_as_they_stand(file):
    file.add(2)
    file.add(1, sex="2")
    file.connection.execute(
        "INSERT INTO ledgers.child_facts_history SELECT * REPLACE (2 AS valid_to_version) FROM ledgers.child_facts_history"
    )

    assert file.measured()["unique_in_ledgers"] == pytest.approx(1 / 3)


def test_a_value_of_the_file_that_identifies_somebody_is_counted_once_and_no_word_of_a_code_list(file):
    file.add(9)
    file.connection.execute("CREATE TABLE cases_history (case_key VARCHAR, reason VARCHAR)")
    file.connection.execute("INSERT INTO cases_history VALUES ('K1', '鄢龘靐'), ('C3', '鄢龘靐')")
    file.connection.execute(
        "UPDATE ledgers.child_facts_history SET name = '鄢龘靐', guardian_name = '1'"
    )  # as a sex is written

    assert file.measured()["identities"] == 2  # the name, and a case called by the number of a child
    assert (
        file.measured()["columns_not_listed"] == 2
    )  # those of child_statuses, which is a view where it is no made-up file
