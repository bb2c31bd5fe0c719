"""统计指标: what is counted over what, for the whole, each county and each township, and how it moves."""

import datetime as dt

import polars as pl
import pytest

from kcb_pipeline.config import Targets
from kcb_pipeline.engines.embedded import Limits, connect, create, rows
from kcb_pipeline.ledgers.schema import VERSION_FIELDS, create_table_sql, polars_schema, table
from kcb_pipeline.reporting.statistics import INDICATORS, STATISTICS_TREND, compute_statistics, definitions_sql

ON = dt.date(2026, 11, 20)
DAY = dt.timedelta(days=1)
HERE = {"division_code": "532901", "township_code": "532901101"}
THERE = {"division_code": "532901", "township_code": "532901102"}
CONTRACT = {
    "primary_enrolment_rate",
    "retention_rate",
    "dropout_rate",
    "closing_rate",
    "reenrolment_rate",
    "overdue_cases",
}


class Draft:
    """A draft of the ledgers, as statistics want it."""

    def __init__(self, connection):
        self.connection = connection
        connection.execute("CREATE SCHEMA draft")
        self.children, self.cases, self.events = [], [], []

    def child(self, status, grade=3, place=HERE):
        self.children.append({"child_id": f"C{len(self.children)}", "status": status, "expected_grade": grade, **place})
        return f"C{len(self.children) - 1}"

    def case(self, state, *events, place=HERE, due_on=ON, closing_reason=None):
        number = f"A{len(self.cases)}"
        child = self.child("suspected", place=place)
        self.cases.append(
            {"case_id": number, "child_id": child, "state": state, "due_on": due_on, "closing_reason": closing_reason}
        )
        for sequence, (event, to_state) in enumerate([("opened", "suspected"), *events], start=1):
            self.events.append({"case_id": number, "sequence": sequence, "event": event, "to_state": to_state})

    def computed(self, targets=None):
        """{(division, township, indicator): (numerator, denominator, value, target)}"""
        create(self.connection, "draft.children", pl.DataFrame(self.children, schema=polars_schema("child_facts")))
        create(self.connection, "draft.cases", pl.DataFrame(self.cases, schema=polars_schema("cases")))
        create(self.connection, "draft.case_events", pl.DataFrame(self.events, schema=polars_schema("case_events")))
        compute_statistics(self.connection, ON, targets or Targets())
        found = rows(self.connection, "SELECT * FROM draft.statistics")
        keyed = {tuple(row[:3]): tuple(row[3:]) for row in found}
        assert len(keyed) == len(found), "an area stands twice"
        return keyed


@pytest.fixture
def draft():
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield Draft(connection)


def whole(found, indicator):
    return found[None, None, indicator][:2]


def test_the_indicators_of_the_contract_are_there_with_their_targets(draft):
    draft.child("enrolled")
    found = draft.computed()

    assert {indicator for _, _, indicator in found} >= CONTRACT
    targets = {indicator: target for (division, _, indicator), (*_, target) in found.items() if division is None}
    assert {name: target for name, target in targets.items() if target is not None} == {
        "primary_enrolment_rate": 0.995, "retention_rate": 0.985,
    }  # fmt: skip


def test_a_county_sets_its_own_targets(draft):
    draft.child("enrolled", grade=8)

    assert draft.computed(Targets(junior_retention_rate=0.97))[None, None, "junior_retention_rate"] == (1, 1, 1.0, 0.97)


# status → whether it counts as enrolled in primary school, as retained, and whether it is counted at all
COUNTS = {
    "enrolled": (1, 1, 1),
    "enrolled_elsewhere": (1, 1, 1),
    "special_provision": (1, 1, 1),
    "completed": (1, 1, 1),
    "on_leave": (0, 1, 1),
    "deferred": (0, 0, 1),
    "needs_review": (0, 0, 1),
    "unenrolled": (0, 0, 1),
    "suspected": (0, 0, 1),
    "dropout": (0, 0, 1),
    "departed": (0, 0, 0),
}


@pytest.mark.parametrize("status", COUNTS)
def test_who_counts_as_enrolled_and_as_retained(draft, status):
    enrolled, retained, counted = COUNTS[status]
    for grade in (6, 9):
        draft.child(status, grade=grade)
    found = draft.computed()

    assert whole(found, "primary_enrolment_rate") == (enrolled, counted)
    assert whole(found, "retention_rate") == (retained, counted)
    assert whole(found, "junior_retention_rate") == (retained, counted)
    assert whole(found, "dropout_rate") == (2 if status == "dropout" else 0, 2 * counted)


def test_primary_is_grades_one_to_six_and_retention_the_ninth(draft):
    for grade in range(1, 10):
        draft.child("enrolled", grade=grade)
    found = draft.computed()

    assert [whole(found, i)[1] for i in ("primary_enrolment_rate", "retention_rate", "junior_retention_rate")] == [
        6,
        1,
        3,
    ]


def test_cases_closed_back_at_school_overdue_and_relapsed(draft):
    confirmed = ("confirmed", "confirmed")
    closed = ("closed_by_evidence", "closed")
    draft.case("suspected", due_on=ON - DAY)  # overdue
    draft.case("suspected", due_on=ON)
    draft.case("confirmed", confirmed)
    draft.case("closed", closed, closing_reason="live_enrolment")
    draft.case("closed", confirmed, closed, closing_reason="live_enrolment")  # back at school
    draft.case("closed", confirmed, closed, closing_reason="户籍死亡")  # closed, and not back at school
    draft.case("closed_until", ("closed_until_by_verification", "closed_until"), due_on=ON - DAY)
    draft.case("suspected", closed, ("relapsed", "suspected"))
    found = draft.computed()

    assert whole(found, "closing_rate") == (3, 8)
    assert whole(found, "reenrolment_rate") == (1, 3)
    assert whole(found, "overdue_cases") == (1, 4)
    assert whole(found, "relapse_rate") == (1, 4)


def test_townships_add_up_to_their_county_and_counties_to_the_whole(draft):
    for place in (HERE, THERE, {"division_code": "532902", "township_code": "532902101"}):
        draft.child("enrolled", place=place)
        draft.child("dropout", place=place)
        draft.case("suspected", place=place)
    found = draft.computed()

    for indicator in (i.code for i in INDICATORS):
        areas = {key[:2]: counted[:2] for key, counted in found.items() if key[2] == indicator}
        assert set(areas) == {
            (None, None), ("532901", None), ("532902", None), ("532901", "532901101"), ("532901", "532901102"), ("532902", "532902101"),
        }  # fmt: skip
        for place in range(2):
            towns = sum(counted[place] for (_, township), counted in areas.items() if township)
            counties = sum(
                counted[place] for (division, township), counted in areas.items() if division and not township
            )
            assert towns == counties == areas[None, None][place]


def test_a_child_without_a_township_counts_in_its_county_and_makes_no_second_row_of_it(draft):
    draft.child("enrolled")
    draft.child("enrolled", place={"division_code": "532901", "township_code": None})
    draft.child("enrolled", place={"division_code": None, "township_code": None})
    found = draft.computed()

    counted = {key[:2]: row[1] for key, row in found.items() if key[2] == "dropout_rate"}
    assert counted == {(None, None): 3, ("532901", None): 2, ("532901", "532901101"): 1}


def test_a_share_of_nobody_is_no_number(draft):
    draft.child("departed")

    assert draft.computed()[None, None, "dropout_rate"][:3] == (0, 0, None)


def test_every_indicator_is_defined_in_chinese_with_its_source(draft):
    draft.connection.execute(definitions_sql())

    defined = rows(draft.connection, "SELECT * FROM statistic_definitions")

    assert [row[0] for row in defined] == [indicator.code for indicator in INDICATORS]
    for cells in defined:
        assert all(any("\u4e00" <= letter <= "\u9fff" for letter in cell) for cell in cells[1:])


def test_the_trend_goes_from_date_to_date_by_the_version_that_stands_for_each(draft):
    columns = ", ".join(f'"{field.name}" {field.type}' for field in VERSION_FIELDS)
    draft.connection.execute(f"CREATE TABLE ledger_versions ({columns})")
    draft.connection.execute(create_table_sql(table("statistics")))
    # Version 3 restates the date of version 1; version 4 is the date of version 2 made again.
    for version, days, value in ((1, 0, 0.5), (2, 1, 0.6), (3, 0, 0.7), (4, 1, 0.9)):
        draft.connection.execute(
            "INSERT INTO ledger_versions (version, comparison_date) VALUES (?, ?)", [version, ON + days * DAY]
        )
        draft.connection.execute(
            "INSERT INTO statistics VALUES (?, NULL, NULL, 'closing_rate', 1, 2, ?, 0.8)", [version, value]
        )
    draft.connection.execute(STATISTICS_TREND)

    trend = rows(
        draft.connection,
        "SELECT comparison_date, version, round(change, 6), reaches_target FROM statistics_trend ORDER BY comparison_date",
    )

    assert trend == [(ON, 3, None, False), (ON + DAY, 4, 0.2, True)]
