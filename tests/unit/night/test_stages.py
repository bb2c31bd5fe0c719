"""A night can be taken up from any stage, and never mixes what two runs have computed."""

import duckdb
import pytest

from kcb_pipeline.errors import UsageError
from kcb_pipeline.gates import GateResult, passed_by, record
from kcb_pipeline.stages import begin, done, finish, require

ORDER = {
    "delivery": frozenset(),
    "row_accounts": frozenset({"delivery"}),
    "persons": frozenset({"delivery", "row_accounts"}),
    "children": frozenset({"delivery", "row_accounts", "persons"}),
    "links": frozenset({"delivery", "row_accounts", "persons"}),
}


@pytest.fixture
def night():
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA gates")
        for stage in ORDER:
            begin(connection, stage, ORDER)
            finish(connection, stage)
        for suite in ("contract", "identity", "matching"):
            record(connection, suite, [GateResult("any", "error", True, "", "")], "draft")
        yield connection


def test_what_comes_after_a_stage_is_undone_as_it_begins_and_what_does_not_stands(night):
    begin(night, "children", ORDER)
    assert done(night) == {"delivery", "row_accounts", "persons", "links"}
    assert passed_by(night, "draft") == {"contract", "identity", "matching"}

    begin(night, "persons", ORDER)
    assert done(night) == {"delivery", "row_accounts"}
    assert passed_by(night, "draft") == {"contract"}


def test_a_stage_that_was_killed_is_not_done_and_nothing_goes_on_from_it(night):
    begin(night, "persons", ORDER)  # and no finish

    with pytest.raises(UsageError, match="children comes after persons, which is not done: run the date from there"):
        begin(night, "children", ORDER)
    with pytest.raises(UsageError, match="gate_identity comes after persons"):
        require(night, "gate_identity", {"persons"}, ORDER)


def test_a_verdict_of_another_draft_is_none(night):
    assert passed_by(night, "another") == set()


def test_a_verdict_that_refuses_is_not_passed(night):
    record(night, "identity", [GateResult("any", "error", False, "", "")], "draft")

    assert passed_by(night, "draft") == {"contract", "matching"}
