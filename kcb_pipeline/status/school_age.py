"""Who is of compulsory-education age on a day.

义务教育法 art. 11: a child who has turned six enters school; where conditions lack, seven. Art. 2: nine years. The cut-off
is 31 August at the start of the school year (usual practice; domain.md §3.2); the school year begins on 1 September.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from kcb_pipeline.config import SchoolAge

FIRST_MONTH: Final = 9


def school_year_start(on: dt.date) -> dt.date:
    """The last 1 September up to the day.

    >>> school_year_start(dt.date(2026, 8, 31)), school_year_start(dt.date(2026, 9, 1))
    (datetime.date(2025, 9, 1), datetime.date(2026, 9, 1))
    """
    year = on.year if on.month >= FIRST_MONTH else on.year - 1
    return dt.date(year, FIRST_MONTH, 1)


def school_year_end(on: dt.date) -> dt.date:
    """The last 31 August of the school year a day lies in."""
    return school_year_start(on).replace(year=school_year_start(on).year + 1) - dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The birth dates of compulsory-education age.

    cutoff: 31 August at the start of the school year, on which ages are counted.
    born_from, born_to: the first and the last birth date that counts, both included.
    """

    cutoff: dt.date
    born_from: dt.date
    born_to: dt.date
    entry_age: int


def window(on: dt.date, rule: SchoolAge) -> Window:
    """Turned `entry_age` by the cutoff, and not over `leaving_age` on that day.

    >>> w = window(dt.date(2026, 11, 20), SchoolAge())
    >>> w.born_from, w.born_to
    (datetime.date(2010, 9, 1), datetime.date(2020, 8, 31))
    """
    cutoff = school_year_start(on) - dt.timedelta(days=1)
    born_to = cutoff.replace(year=cutoff.year - rule.entry_age)
    born_from = cutoff.replace(year=cutoff.year - rule.leaving_age - 1) + dt.timedelta(days=1)
    return Window(cutoff, born_from, born_to, rule.entry_age)
