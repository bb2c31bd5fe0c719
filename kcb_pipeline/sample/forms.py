"""How offices write values down: forms of dates and months, codes and labels.

What belongs here: one value in, one text out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from typing import Final

DateForm = Callable[[dt.date], str]

_EPOCH: Final = dt.date(1970, 1, 1)
_KEPT: Final = 40_000
"""Distinct dates remembered: more than a century of days."""


@lru_cache(_KEPT)
def compact(day: dt.date) -> str:
    """20150312."""
    return f"{day.year}{day.month:02d}{day.day:02d}"


@lru_cache(_KEPT)
def dashed(day: dt.date) -> str:
    """2015-03-12."""
    return f"{day.year}-{day.month:02d}-{day.day:02d}"


@lru_cache(_KEPT)
def slashed(day: dt.date) -> str:
    """2015/3/12."""
    return f"{day.year}/{day.month}/{day.day}"


@lru_cache(_KEPT)
def dotted(day: dt.date) -> str:
    """2015.3.12."""
    return f"{day.year}.{day.month}.{day.day}"


@lru_cache(_KEPT)
def chinese(day: dt.date) -> str:
    """2015年3月12日."""
    return f"{day.year}年{day.month}月{day.day}日"


@lru_cache(_KEPT)
def milliseconds(day: dt.date) -> str:
    """Milliseconds since 1970 of midnight in Shanghai (UTC+8)."""
    return str(((day - _EPOCH).days * 24 - 8) * 3_600_000)


@lru_cache(_KEPT)
def serial(day: dt.date) -> str:
    """The serial number of a day in a workbook."""
    return str((day - dt.date(1899, 12, 30)).days)


DATE_FORMS: Final[tuple[DateForm, ...]] = (compact, dashed, slashed, chinese, dotted)


def month(day: dt.date, form: int) -> str:
    """201509, 2015-09 or 2015年9月."""
    if form == 0:
        return f"{day.year}{day.month:02d}"
    return f"{day.year}-{day.month:02d}" if form == 1 else f"{day.year}年{day.month}月"


_NUMERALS: Final = "一二三四五六七八九"
_SENIOR: Final = ["高一", "高二", "高三"]
GRADE_FORMS: Final = (
    [*(f"{numeral}年级" for numeral in _NUMERALS), *_SENIOR],
    [str(grade) for grade in range(1, 13)],
    [*(f"小学{n}年级" for n in _NUMERALS[:6]), *(f"初中{n}年级" for n in _NUMERALS[:3]), *_SENIOR],
    [*(f"{n}年级" for n in _NUMERALS[:6]), *(f"初{n}" for n in _NUMERALS[:3]), *_SENIOR],
)
"""Names of the twelve grades, by habit of the school."""
SEX: Final = {"1": "男", "2": "女", "0": "未知"}
ID_TYPE: Final = {
    "1": "居民身份证",
    "6": "香港特区护照/身份证明",
    "7": "澳门特区护照/身份证明",
    "8": "台湾居民来往大陆通行证",
    "9": "境外永久居住证",
    "A": "护照",
    "Z": "其他",
}
REGISTRY_STATUS: Final = {
    "01": "在读", "02": "休学", "03": "退学", "04": "停学", "05": "复学", "06": "流失", "07": "毕业", "08": "结业",
    "09": "肄业", "10": "转出", "11": "死亡", "12": "保留入学资格", "13": "公派出国", "14": "开除", "15": "下落不明",
    "99": "其他",
}  # fmt: skip
MODE: Final = {"1": "走读", "2": "住校"}
LEFT_BEHIND: Final = ("非留守", "单亲留守", "双亲留守")
DISABILITY_LEVEL: Final = ("一级", "二级", "三级", "四级")
