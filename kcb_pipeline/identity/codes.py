"""Codes that are numbers with a meaning: grades, divisions, student numbers.

Code *lists* are data (`kcb_pipeline/extracts/codes.toml`); what is here has a rule instead of a list, and the one spelling of whatever
is a number or a code.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import polars as pl

PRIMARY_YEARS: Final = 6
COMPULSORY_YEARS: Final = 9
"""小学 6 + 初中 3 (义务教育法 art. 2; domain.md §3.2)."""
LAST_GRADE: Final = 12

_NUMERALS = {
    "一": 1,
    "二": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
    "十": 10,
    "十一": 11,
    "十二": 12,
}
_GRADE = re.compile(
    r"(?P<stage>小学|小|初中|初|普通高中|高中|高)?(?P<number>十[一二]|[一二三四五六七八九十]|\d{1,2})(?P<year>年级|年)?(?:学生)?"
)
_STAGE_START = {"小": 0, "小学": 0, "初": 6, "初中": 6, "高": 9, "高中": 9, "普通高中": 9}
_STAGE_YEARS = {0: 6, 6: 3, 9: 3}  # 初四 is grade 9 or 10 by the place: nobody can tell, so it is no grade


def parse_grade(text: str) -> int | None:
    """The grade 1 to 12 of `7`, `07`, `七年级`, `初一`, `初中一年级`, `小学一年级`, `高一`; None for anything else.

    >>> parse_grade("初一"), parse_grade("小学一年级"), parse_grade("九年级"), parse_grade("高中三年级"), parse_grade("大班")
    (7, 1, 9, 12, None)
    """
    plain = re.sub(r"[\s()]|\.0+$", "", unicodedata.normalize("NFKC", text))
    match = _GRADE.fullmatch(plain)
    if not match:
        return None
    number = _NUMERALS.get(match["number"]) or (int(match["number"]) if match["number"].isdigit() else 0)
    stage = match["stage"]
    if stage is None:
        grade = number
    else:
        start = _STAGE_START[stage]
        # 初中七年级 names the grade twice; 初中一年级 counts from the start of the stage.
        grade = number if start and number > start else start + number
        if not start < grade <= start + _STAGE_YEARS[start]:
            return None
    return grade if 1 <= grade <= LAST_GRADE else None


def parse_division(text: str, places: int) -> str | None:
    """A division code of `places` digits (6 county, 9 township, 12 village; GB/T 2260, GB/T 10114).

    A longer code is cut to its higher levels; a shorter one, or a text, is no code of that level.
    """
    plain = re.sub(r"\s|\.0+$", "", unicodedata.normalize("NFKC", text))
    return plain[:places] if re.fullmatch(r"[1-9]\d{5,14}", plain) and len(plain) >= places else None


_FULL_WIDTH: Final = {chr(point + 0xFEE0): chr(point) for point in range(0x21, 0x7F)}
"""Each letter, digit and sign as a Chinese keyboard writes it in full width (U+FF01 to U+FF5E), and the one that is meant."""
TEXT_MARK: Final = re.compile(r"^['’‘`＇]+")
"""An apostrophe before everything else is how a spreadsheet is told to keep a number as text: no part of what is written."""

FORMULA_OF_TEXT: Final = re.compile(r'(?s)^="(.*)"$')
"""`="0139"`: how programs that write CSV tell a spreadsheet the same. What is meant stands between the marks."""


def half_width(texts: pl.Series) -> pl.Series:
    """Full-width letters, digits and signs made the ASCII ones they stand for; nothing else is touched.

    >>> half_width(pl.Series(["Ｇ５３", "３１５－２", "幸福小学"])).to_list()
    ['G53', '315-2', '幸福小学']
    """
    return texts.str.replace_many(list(_FULL_WIDTH), list(_FULL_WIDTH.values()))


def plain_number(numbers: pl.Series) -> pl.Series:
    """Numbers of schools, households, cases, certificates and telephones in one spelling, so that one file's are another's.

    A number that a spreadsheet or a data frame wrote with a point is the whole one, as long as such a number holds all its digits.

    >>> plain_number(pl.Series(["'2152010001", "２１５２０１０００１", "Ａ1-2", "2152010001.0"])).to_list()
    ['2152010001', '2152010001', 'A1-2', '2152010001']
    """
    texts = half_width(numbers.str.replace(TEXT_MARK.pattern, "")).str.strip_chars()
    return texts.str.replace(r"^([0-9]{1,15})\.0+$", "$1")


def plain_phone(numbers: pl.Series) -> pl.Series:
    """Telephone numbers likewise; a mobile's, which has 11 digits, without blanks, hyphens and the country's 86 (工信部 电信网编号计划).

    >>> plain_phone(pl.Series(["139 1234 5678", "+86-139-1234-5678", "0872-2123456", "13912345678.0"])).to_list()
    ['13912345678', '13912345678', '0872-2123456', '13912345678']
    """
    return plain_number(numbers).str.replace(r"^(?:\+86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})$", "$1$2$3")


def is_ruined(numbers: pl.Series) -> pl.Series:
    """Whether a spreadsheet kept 15 digits or fewer of a number: `5.32936E+15`, or 16 digits and more with a decimal part.

    >>> is_ruined(pl.Series(["5.32936E+15", "1.39123E10", "E12345678", "5E3", "1234567890123456.0"])).to_list()
    [True, True, False, False, True]
    """
    ruin = r"^[0-9]\.[0-9]+[eE]\+?[0-9]{2}$|^[0-9][eE]\+[0-9]{2}$|^[0-9]{16,}\.0+$"
    return numbers.str.contains(ruin).fill_null(value=False)


def citizen_numbers_of(student_numbers: pl.Series) -> pl.Series:
    """The ID number after each G, often a former one: a second key. What follows J or L is never an ID number.

    >>> citizen_numbers_of(pl.Series(["G11010519491231002X", "L11010520150312000X"])).to_list()
    ['11010519491231002X', None]
    """
    return pl.DataFrame({"number": student_numbers}).select(
        pl.when(pl.col("number").str.contains(r"^G\d{17}[0-9X]$")).then(pl.col("number").str.slice(1))
    )["number"]
