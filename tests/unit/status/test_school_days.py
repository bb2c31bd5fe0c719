"""School days: Monday to Friday and make-up working days, less public holidays and the configured terms and local breaks."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.config import Calendar, Period
from kcb_pipeline.status.school_days import harvest_season, is_school_day, school_days

PLAIN = Calendar()


def day(text):
    return dt.date.fromisoformat(text)


HOLIDAYS = {
    "New Year 2026": "2026-01-01",
    "Spring Festival 2026": "2026-02-17",
    "Qingming 2026": "2026-04-06",
    "Labour Day 2026": "2026-05-01",
    "Dragon Boat 2026": "2026-06-19",
    "Mid-Autumn 2026": "2026-09-25",
    "National Day 2026": "2026-10-01",
    "the week after": "2026-10-07",
    "National Day 2025": "2025-10-08",
}
MAKE_UP_DAYS = [
    "2025-10-11",
    "2025-09-28",
    "2026-01-04",
    "2026-02-14",
    "2026-02-28",
    "2026-05-09",
    "2026-09-20",
    "2026-10-10",
]


@pytest.mark.parametrize("holiday", HOLIDAYS.values(), ids=HOLIDAYS)
def test_a_public_holiday_on_a_weekday_is_no_school_day(holiday):
    assert day(holiday).weekday() < 5
    assert not is_school_day(day(holiday), PLAIN)


@pytest.mark.parametrize("made_up", MAKE_UP_DAYS)
def test_a_make_up_working_day_on_a_weekend_is_a_school_day(made_up):
    assert day(made_up).weekday() >= 5
    assert is_school_day(day(made_up), PLAIN)


@pytest.mark.parametrize("text", ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"])
def test_monday_to_friday_are_school_days(text):
    assert is_school_day(day(text), PLAIN)


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-22", "2026-10-03"])
def test_an_ordinary_weekend_is_none(text):
    assert not is_school_day(day(text), PLAIN)


TERM = Period(first=day("2026-09-01"), last=day("2027-01-15"))
SPRING = Period(first=day("2027-03-01"), last=day("2027-07-09"))
HARVEST = Period(first=day("2026-11-16"), last=day("2026-11-18"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-31", False),
        ("2026-09-01", True),
        ("2027-01-15", True),
        ("2027-01-18", False),
        ("2027-03-01", True),
        ("2027-07-12", False),
    ],
)
def test_a_day_outside_every_term_is_no_school_day(text, expected):
    assert is_school_day(day(text), Calendar(terms=(TERM, SPRING))) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-11-13", True), ("2026-11-16", False), ("2026-11-17", False), ("2026-11-18", False), ("2026-11-19", True)],
)
def test_a_local_break_has_no_school_days_first_and_last_included(text, expected):
    assert is_school_day(day(text), Calendar(breaks=(HARVEST,))) is expected
    assert is_school_day(day(text), Calendar(terms=(TERM,), breaks=(HARVEST,))) is expected


def test_a_make_up_day_in_a_break_is_none():
    assert not is_school_day(
        day("2026-10-10"), Calendar(breaks=(Period(first=day("2026-10-08"), last=day("2026-10-11")),))
    )


@pytest.mark.parametrize("text", ["1990-01-01", "2003-12-22", "2027-10-04", "2031-05-05"])
def test_a_day_beyond_the_holiday_calendar_counts_by_its_weekday(text):
    monday = day(text)

    assert monday.weekday() == 0
    assert [is_school_day(monday + dt.timedelta(days=n), PLAIN) for n in range(7)] == [True] * 5 + [False] * 2


@pytest.mark.parametrize("text", ["2004-01-01", "2026-12-31", "2027-01-01", "2100-01-01", "1990-01-01"])
def test_no_day_whatever_makes_the_calendar_fail(text):
    assert is_school_day(day(text), PLAIN) in (True, False)


def test_the_school_days_of_a_stretch_are_numbered_without_gaps():
    table = school_days(day("2026-09-28"), day("2026-10-12"), PLAIN)

    assert table["day"].to_list() == [
        day(f"2026-{text}") for text in ("09-28", "09-29", "09-30", "10-08", "10-09", "10-10", "10-12")
    ]
    assert table["ordinal"].to_list() == [1, 2, 3, 4, 5, 6, 7]


def test_a_stretch_without_school_days_is_empty():
    assert school_days(day("2026-10-01"), day("2026-10-07"), PLAIN).height == 0
    assert school_days(day("2026-10-07"), day("2026-10-01"), PLAIN).height == 0


@given(st.dates(day("2024-01-01"), day("2028-12-31")), st.integers(0, 40))
def test_the_school_days_of_a_stretch_are_exactly_the_days_that_are_one(first, length):
    calendar = Calendar(terms=(TERM, SPRING), breaks=(HARVEST,))
    last = first + dt.timedelta(days=length)

    table = school_days(first, last, calendar)

    every = [first + dt.timedelta(days=n) for n in range(length + 1)]
    assert table["day"].to_list() == [one for one in every if is_school_day(one, calendar)]
    assert table["ordinal"].to_list() == list(range(1, table.height + 1))


@pytest.mark.parametrize(
    ("text", "months", "first"),
    [
        ("2026-04-01", (4, 5, 6, 7), "2026-04-01"),
        ("2026-07-31", (4, 5, 6, 7), "2026-04-01"),
        ("2026-08-01", (4, 5, 6, 7), None),
        ("2026-05-20", (), None),
        ("2027-01-10", (11, 12, 1), "2026-11-01"),
        ("2026-05-20", tuple(range(1, 13)), "2025-06-01"),
    ],
)
def test_the_harvest_season_began_with_the_first_of_its_months(text, months, first):
    assert harvest_season(day(text), Calendar(harvest_months=months)) == (day(first) if first else None)
