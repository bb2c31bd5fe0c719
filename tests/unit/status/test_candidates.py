"""Enrolments that nobody could decide on: live records in doubt that are nobody else's."""

import pytest

from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.status.evidence import PACKAGE


@pytest.fixture
def candidates(working):
    """`candidates(pairs, live, further)`: {person: how many}."""

    def find(*pairs, live=(1, 2, 3), further=()):
        working.put(
            "matched.links",
            *({"person": p, "student": s, "registry_row": s, "decision": d, "match_weight": 1.0} for p, s, d in pairs),
        )
        working.put("standard.students", *({"student": s, "row": s, "is_live": s in live} for s in (1, 2, 3)))
        working.put("matched.further_records", *({"person": 9, "student": s} for s in further))
        run_step(working.connection, PACKAGE, "candidates", "status.candidates")
        return {c["person"]: c["candidates"] for c in working.all("SELECT * FROM status.candidates")}

    return find


def test_pairs_in_doubt_are_candidates_and_no_others(candidates):
    assert candidates((7, 2, "review"), (7, 1, "review"), (8, 3, "review"), (8, 2, "linked"), (9, 1, "rejected")) == {
        7: 2,
        8: 1,
    }


def test_a_record_that_is_not_live_or_is_anothers_further_one_is_none(candidates):
    two = [(7, 1, "review"), (7, 2, "review")]

    assert candidates(*two) == {7: 2}
    assert candidates(*two, live=(1,)) == {7: 1}
    assert candidates(*two, further=(1,)) == {7: 1}
