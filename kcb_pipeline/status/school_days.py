"""Which days are school days: the public-holiday calendar of the State Council, terms, and local breaks.

Monday to Friday and make-up working days (调休), less public holidays and days outside the configured terms or inside local
breaks (extracts.md, School days). The holiday calendar covers 2004 to 2026; a day it does not know counts by its weekday alone.
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from kcb_pipeline.config import Calendar

SATURDAY = 5


def is_school_day(day: dt.date, calendar: Calendar) -> bool:
    """Whether schools teach on that day.

    >>> is_school_day(dt.date(2026, 10, 10), Calendar()), is_school_day(dt.date(2026, 10, 1), Calendar())
    (True, False)
    """
    if not is_working_day(day):
        return False
    if any(pause.first <= day <= pause.last for pause in calendar.breaks):
        return False
    return not calendar.terms or any(term.first <= day <= term.last for term in calendar.terms)


def harvest_season(day: dt.date, calendar: Calendar) -> dt.date | None:
    """The first day of the harvest months that the day lies in; None outside them.

    >>> harvest_season(dt.date(2026, 5, 20), Calendar()), harvest_season(dt.date(2026, 11, 20), Calendar())
    (datetime.date(2026, 4, 1), None)
    """
    if day.month not in calendar.harvest_months:
        return None
    first = day.replace(day=1)
    for _ in range(11):
        before = (first - dt.timedelta(days=1)).replace(day=1)
        if before.month not in calendar.harvest_months:
            break
        first = before
    return first


def is_working_day(day: dt.date) -> bool:
    """Whether offices work on that day, by the State Council's calendar where it is known."""
    import chinese_calendar

    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < SATURDAY


def school_days(first: dt.date, last: dt.date, calendar: Calendar) -> pl.DataFrame:
    """The school days from `first` to `last`: `day`, and `ordinal`, so that consecutive school days have consecutive numbers."""
    days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    taught = [day for day in days if is_school_day(day, calendar)]
    return pl.DataFrame(
        {"day": taught, "ordinal": range(1, len(taught) + 1)}, schema={"day": pl.Date, "ordinal": pl.Int32}
    )
