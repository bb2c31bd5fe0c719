"""Dates as agencies write them.

The forms are those of the extracts contract: `20150312`, `2015-03-12`, `2015/3/12`, `2015.3.12`, `2015年3月12日`, an Excel
serial, epoch milliseconds; months `201509`, `2015-09`, `2015年9月`. A text that is none of these is no date: nothing is guessed.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Final
from zoneinfo import ZoneInfo

EARLIEST: Final = dt.date(1900, 1, 1)
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
"""Epoch milliseconds are read on the clock of the agencies that wrote them (extracts.md, Codes)."""

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\d{6})?")  # the police write CHAR(14) times the same way
_COMPACT_TIME = re.compile(r"\d{8}(\d{2})(\d{2})(\d{2})")
_PARTED = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_TIME = re.compile(r"[T\s]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?$")
_SERIAL = re.compile(r"(\d{1,5})(\.\d+)?")
_MILLISECONDS = re.compile(r"(-?\d{11,13})(\.0+)?")
_EXCEL_EPOCH = dt.date(1899, 12, 30)
_DAY_SECONDS = 24 * 60 * 60
_FIRST_SERIAL = 61  # 1 March 1900: before it Excel counts a 29 February 1900 that never was
_YEARS = range(1900, 2101)
"""Read as serial numbers these are days of 1905; whoever writes one means a year, and a year is no day."""
_MONTH = re.compile(r"(\d{4})\s*[-/.年]?\s*(\d{1,2})\s*月?")


def parse_date(text: str) -> dt.date | None:
    """The day a cell means, or None where it is none of the known forms or no day of the calendar.

    >>> parse_date("2015年3月12日"), parse_date("42075"), parse_date("1426089600000"), parse_date("20150230")
    (datetime.date(2015, 3, 12), datetime.date(2015, 3, 12), datetime.date(2015, 3, 12), None)
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    match = _COMPACT.fullmatch(plain) or _PARTED.fullmatch(_TIME.sub("", plain) if len(plain) > 8 else plain)
    if match:
        return _day(*(int(part) for part in match.groups()))
    match = _MILLISECONDS.fullmatch(plain)
    if match:
        return dt.datetime.fromtimestamp(int(match[1]) / 1000, tz=SHANGHAI).date()
    match = _SERIAL.fullmatch(plain)
    if match and int(match[1]) >= _FIRST_SERIAL and int(match[1]) not in _YEARS:
        return _EXCEL_EPOCH + dt.timedelta(days=int(match[1]))
    return None


def parse_moment(text: str) -> dt.datetime | None:
    """The second a cell means, on the clock it was written by; a day alone, or with a time of day that no clock shows, is its first second.

    >>> parse_moment("2026-11-01 09:30"), parse_moment("20261101093005"), parse_moment("46327.5")
    (datetime.datetime(2026, 11, 1, 9, 30), datetime.datetime(2026, 11, 1, 9, 30, 5), datetime.datetime(2026, 11, 1, 12, 0))
    """
    day = parse_date(text)
    return None if day is None else dt.datetime.combine(day, _time_of_day(unicodedata.normalize("NFKC", text).strip()))


def _time_of_day(plain: str) -> dt.time:
    """The time of day of a text that is a date."""
    if match := _MILLISECONDS.fullmatch(plain):
        return dt.datetime.fromtimestamp(int(match[1]) // 1000, tz=SHANGHAI).time()
    if (match := _SERIAL.fullmatch(plain)) and match[2]:
        seconds = min(round(float(match[2]) * _DAY_SECONDS), _DAY_SECONDS - 1)
        return (dt.datetime.combine(EARLIEST, dt.time()) + dt.timedelta(seconds=seconds)).time()
    match = _COMPACT_TIME.fullmatch(plain) or _TIME.search(plain)
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    shows = hours < 24 and minutes < 60 and seconds < 60
    return dt.time(hours, minutes, seconds) if shows else dt.time()


def parse_month(text: str) -> dt.date | None:
    """The first day of the month a cell means; a whole date stands for its month.

    >>> parse_month("201509"), parse_month("2015年9月"), parse_month("2015-13")
    (datetime.date(2015, 9, 1), datetime.date(2015, 9, 1), None)
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    match = _MONTH.fullmatch(plain)
    if match and len(plain) != 5:
        return _day(int(match[1]), int(match[2]), 1)
    day = parse_date(plain)
    return day.replace(day=1) if day else None


def _day(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
