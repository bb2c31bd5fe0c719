"""The school calendar of the sample: on which days there is school, and how old somebody is on a day.

What belongs here: days. The terms are narrower than any real county's, so that every school day here is one there too.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Final

import chinese_calendar

ENTRY_AGE: Final = 6
LEAVING_AGE: Final = 15
TERMS: Final = (((9, 1), (12, 31)), ((1, 1), (1, 10)), ((3, 1), (6, 30)))
"""First and last (month, day) of the stretches of the year with school."""


def school_year(day: dt.date) -> int:
    """The year in which the school year of `day` began, on 1 September."""
    return day.year if day.month >= 9 else day.year - 1


def cutoff(day: dt.date) -> dt.date:
    """The day on which ages count for the school year of `day`: the 31 August before it."""
    return dt.date(school_year(day), 8, 31)


def age(birth: dt.date, on: dt.date) -> int:
    """Completed years of life."""
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def is_eligible(birth: dt.date, day: dt.date) -> bool:
    """Whether a child is of compulsory school age in the school year of `day`."""
    return ENTRY_AGE <= age(birth, cutoff(day)) <= LEAVING_AGE


@cache
def is_school_day(day: dt.date) -> bool:
    """Monday to Friday and make-up working days in term, less public holidays."""
    if not any(start <= (day.month, day.day) <= end for start, end in TERMS):
        return False
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:  # the package knows holidays only once they are announced
        return day.weekday() < 5


@cache
def school_days(until: dt.date, count: int) -> tuple[dt.date, ...]:
    """The last `count` school days up to and including `until`, oldest first."""
    days: list[dt.date] = []
    while len(days) < count:
        if is_school_day(until):
            days.append(until)
        until -= dt.timedelta(days=1)
    return tuple(reversed(days))


def last_school_day(until: dt.date) -> dt.date:
    """The last school day up to and including `until`."""
    return school_days(until, 1)[0]


def school_days_from(first: dt.date, until: dt.date) -> list[dt.date]:
    """The school days from `first` to `until`."""
    span = range((until - first).days + 1)
    return [day for day in (first + dt.timedelta(days=step) for step in span) if is_school_day(day)]
