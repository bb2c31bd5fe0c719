"""What the gates look at: how much a number may move, where small ones get more room, and what is counted (docs/gates.md)."""

import datetime as dt

import pytest

from kcb_pipeline.config import Config, Gates
from kcb_pipeline.gates import facts

ON = dt.date(2026, 11, 20)
BORN = dt.date(2016, 3, 12)
AGE = {"today": ON, "born_from": dt.date(2010, 9, 1), "born_to": dt.date(2020, 8, 31)}
LIMITS = Gates(
    quarantined_share=0.05, quarantined_rows=20, quarantined_share_by_source={"residents": 0.4}, volume_loss=0.2, volume_loss_optional=0.9,
    small_number_rows=5, match_rate_loss=0.05, least_match_rate=0.5, least_match_rate_from=100, small_number=20, eligible_loss=0.1, suspected_gain=0.05,
)  # fmt: skip


@pytest.fixture
def asked(working):
    """`asked(suite)`: {subject: facts} over what a test has put."""
    working.connection.execute("CREATE SCHEMA gates")
    working.schemas |= {
        "landed.files": working.schema(
            "source read:i landed:i quarantined:i duplicate_rows:i ends_open:b breaks_off:b"
        ),
        "landed.cell_issues": working.schema("source row:i"),
        "matched.links": working.schema("person:i student:i registry_row:i decision reason match_weight:f"),
        "matched.model": working.schema("model"),
        "standard.student_groups": working.schema("student:i row:i"),
        "status.school_age_persons": working.schema("child_id"),
        "status.child_statuses": working.schema("child_id status reason"),
    }
    for table in ("landed.files", "landed.cell_issues", "matched.links", "matched.model", "standard.student_groups"):
        working.put(table)

    def ask(suite):
        found = facts(working.connection, suite, Config(gates=LIMITS), AGE)
        return {row["subject"]: row for row in found.to_dicts()}

    return ask


def file(source, read, *, quarantined=0, duplicate_rows=0, **cells):
    return {
        "source": source, "read": read, "landed": read - quarantined - duplicate_rows, "quarantined": quarantined, "duplicate_rows": duplicate_rows,
        "ends_open": False, "breaks_off": False, **cells,
    }  # fmt: skip


# -- contract ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "read", "limit"),
    [
        ("population", 10_000, 0.05),  # the share
        ("population", 100, 0.2),  # twenty rows of a hundred
        ("population", 30, 0.5),  # and never more than half
        ("residents", 10_000, 0.4),  # the share of that source
        ("verifications", 10_000, 1.0),  # forms come back as offices fill them in
    ],
)
def test_so_many_rows_may_be_quarantined(asked, working, source, read, limit):
    working.put("landed.files", file(source, read, quarantined=3))

    found = asked("contract")[source]

    assert found["quarantined_limit"] == pytest.approx(limit)
    assert found["quarantined_share"] == pytest.approx(3 / read)


def test_the_files_of_a_source_are_counted_together(asked, working):
    working.put(
        "landed.files",
        file("population", 100, quarantined=1, ends_open=True, breaks_off=True),
        file("population", 50, duplicate_rows=2, ends_open=True),
    )
    working.put("landed.cell_issues", *({"source": "population", "row": row} for row in (1, 1, 2)))

    found = asked("contract")["population"]

    assert (found["read"], found["landed"], found["accounted"]) == (150, 147, 150)
    assert (found["ends_open"], found["breaks_off"]) == (2, 1)
    assert found["issue_share"] == pytest.approx(2 / 147)


def test_a_form_may_break_off_and_a_source_that_did_not_come_has_nothing(asked, working):
    working.put("landed.files", file("verifications", 5, breaks_off=True))

    found = asked("contract")

    assert found["verifications"]["breaks_off"] == 0
    assert (found["population"]["sent"], found["population"]["required"], found["population"]["landed"]) == (
        False,
        True,
        0,
    )
    assert (found["verifications"]["sent"], found["verifications"]["required"]) == (True, False)
    assert len(found) == 13


# -- volumes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "before", "limit"),
    [("population", 1000, 0.2), ("residents", 1000, 0.9), ("population", 10, 0.5), ("residents", 5, 1.0)],
)
def test_so_much_of_a_source_may_go(asked, working, source, before, limit):
    working.put("landed.files", file(source, before - 1))
    working.put(
        "previous_row_accounts",
        {"source": source, "file": "a", "landed": before - 3},
        {"source": source, "file": "b", "landed": 3},
    )

    found = asked("volumes")[source]

    assert (found["landed_before"], found["landed"]) == (before, before - 1)
    assert found["loss"] == pytest.approx(1 / before)
    assert found["loss_limit"] == pytest.approx(limit)


def test_a_source_that_grew_lost_nothing_nor_did_one_that_is_new_or_was_empty(asked, working):
    working.put("landed.files", file("population", 20), file("residents", 5), file("approvals", 5))
    working.put("previous_row_accounts", {"source": "population", "landed": 10}, {"source": "approvals", "landed": 0})

    found = asked("volumes")

    assert {source: (row["landed_before"], row["loss"]) for source, row in found.items()} == {
        "population": (10, 0), "residents": (None, 0), "approvals": (None, 0),
    }  # fmt: skip


def test_forms_come_back_as_many_as_they_are(asked, working):
    working.put("landed.files", file("verifications", 1))
    working.put("previous_row_accounts", {"source": "verifications", "landed": 900})

    assert asked("volumes") == {}


# -- matching ------------------------------------------------------------------------------------------------------------


def eligible(working, many, linked):
    working.put("standard.persons", *({"person": n, "is_live": True, "birth_date": BORN} for n in range(many)))
    working.put(
        "matched.links",
        *({"person": n, "student": n, "decision": "linked", "reason": "id_number"} for n in range(linked)),
    )


def before(working, many, linked, departed=0, suspected=0):
    """Children of the version before: so many linked, departed and suspected among them."""
    working.put(
        "previous_child_facts",
        *(
            {"child_id": f"C{n}", "match_method": "id_number" if n < linked else None, "status": "departed" if n >= many - departed else "suspected" if n < suspected else "enrolled"}
            for n in range(many)
        ),
    )  # fmt: skip


@pytest.mark.parametrize(("many", "limit"), [(100, 0.2), (400, 0.05), (1000, 0.05), (10, 2.0)])
def test_so_far_may_the_match_rate_fall(asked, working, many, limit):
    eligible(working, many, many // 2)
    before(working, 12, 10, departed=2)

    found = asked("matching")["links"]

    assert (found["match_rate"], found["match_rate_before"]) == (0.5, 1.0)
    assert found["match_rate_loss"] == 0.5
    assert found["match_rate_loss_limit"] == pytest.approx(limit)


@pytest.mark.parametrize(("many", "least"), [(99, 0.0), (100, 0.5)])
def test_half_of_the_children_have_a_record_where_there_are_a_hundred(asked, working, many, least):
    eligible(working, many, 0)

    assert asked("matching")["links"]["match_rate_least"] == least


def test_only_live_persons_of_school_age_are_asked_after(asked, working):
    working.put(
        "standard.persons",
        {"person": 1, "is_live": True, "birth_date": BORN},
        {"person": 2, "is_live": False, "birth_date": BORN},
        {"person": 3, "is_live": True, "birth_date": AGE["born_from"] - dt.timedelta(days=1)},
        {"person": 4, "is_live": True, "birth_date": AGE["born_to"] + dt.timedelta(days=1)},
    )
    working.put("matched.links", *({"person": n, "student": n, "decision": "linked", "reason": "x"} for n in (2, 3, 4)))

    found = asked("matching")["links"]

    assert (found["eligible"], found["match_rate"]) == (1, 0.0)


def test_who_has_departed_with_a_record_is_none_of_the_children_who_had_one(asked, working):
    """They add up from night to night, and are not asked after tonight: counted, the rate of before went above one, and every night fell short of it."""
    eligible(working, 400, 390)
    before(working, 400, 400, departed=40)
    assert asked("matching")["links"]["match_rate_before"] == 1.0

    before(working, 400, 180, departed=40)
    assert asked("matching")["links"]["match_rate_before"] == 0.5


def test_a_rate_that_rose_has_not_fallen_and_a_first_night_compares_with_nothing(asked, working):
    eligible(working, 10, 10)
    found = asked("matching")["links"]
    assert (found["match_rate_before"], found["match_rate_loss"], found["model_drift"]) == (None, 0, None)

    before(working, 10, 5)
    found = asked("matching")["links"]
    assert (found["match_rate_before"], found["match_rate_loss"]) == (0.5, 0)


# -- status --------------------------------------------------------------------------------------------------------------


def children(working, many, suspected):
    working.put("status.school_age_persons", *({"child_id": f"C{n}"} for n in range(many)))
    working.put(
        "status.child_statuses",
        *(
            {
                "child_id": f"C{n}",
                "status": ("suspected", "unenrolled")[n % 2] if n < suspected else "dropout",
                "reason": "x",
            }
            for n in range(many)
        ),
    )


@pytest.mark.parametrize(
    ("many", "eligible_limit", "gain_limit"), [(1000, 0.1, 0.05), (100, 0.2, 0.2), (400, 0.1, 0.05)]
)
def test_so_many_children_may_go_and_be_suspected(asked, working, many, eligible_limit, gain_limit):
    children(working, many, many // 2)
    before(working, many, 0, suspected=many // 10)

    found = asked("status")["children"]

    assert found["eligible_loss"] == 0
    assert found["eligible_loss_limit"] == pytest.approx(eligible_limit)
    assert (found["suspected_share"], found["suspected_share_before"]) == (0.5, 0.1)
    assert found["suspected_gain"] == pytest.approx(0.4)
    assert found["suspected_gain_limit"] == pytest.approx(gain_limit)


def test_of_a_hundred_children_ten_that_went_are_a_tenth(asked, working):
    children(working, 90, 0)
    before(working, 100, 0)

    assert asked("status")["children"]["eligible_loss"] == pytest.approx(0.1)


def test_on_the_first_night_there_is_nothing_to_have_lost(asked, working):
    children(working, 5, 5)

    found = asked("status")["children"]

    assert (found["eligible_before"], found["eligible_loss"]) == (None, 0)
    assert (found["suspected_share_before"], found["suspected_gain"]) == (None, 0)


def test_a_suite_that_there_is_not_is_no_suite(asked):
    with pytest.raises(KeyError):
        asked("another")
