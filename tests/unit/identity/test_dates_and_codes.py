"""Dates, grades, divisions and student numbers: each rule on its own."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.identity.codes import citizen_numbers_of, parse_division, parse_grade
from kcb_pipeline.identity.dates import parse_date, parse_moment, parse_month

DAY = dt.date(2015, 3, 12)


# -- dates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "20150312",
        "2015-03-12",
        "2015-3-12",
        "2015/3/12",
        "2015.3.12",
        "2015年3月12日",
        "2015年03月12日",
        "42075",
        "1426089600000",
    ],
)
def test_every_form_of_a_date(written):
    assert parse_date(written) == DAY


@pytest.mark.parametrize(
    "written",
    [
        "",
        "20150230",
        "2015-2-30",
        "2015年2月30日",
        "20151332",
        "2015-03",
        "12-03-2015",
        "3/12/2015",
        "三月十二",
        "男",
        "x20150312",
        "-42075",
        "60",  # before March of 1900 a serial number is none: Excel counts a day that never was
    ],
)
def test_what_is_no_day_is_none(written):
    assert parse_date(written) is None


@given(st.dates(dt.date(1900, 3, 1), dt.date(9999, 12, 31)))
def test_a_written_day_reads_back(day):
    assert parse_date(f"{day.year}{day.month:02}{day.day:02}") == day
    assert parse_date(f"{day.year}/{day.month}/{day.day}") == day


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2015-03-12", "00:00:00"),
        ("20150312093005", "09:30:05"),
        ("2015年3月12日 9:30", "09:30:00"),
        ("2015-03-12T09:30:05.250Z", "09:30:05"),
        ("42075.5", "12:00:00"),
        ("1426120205000", "08:30:05"),  # on the clock of Shanghai
        ("20150312256070", "00:00:00"),  # no clock shows that: the day is said all the same
    ],
)
def test_a_moment_is_a_day_and_what_the_clock_showed(written, time):
    assert parse_moment(written) == dt.datetime.combine(DAY, dt.time.fromisoformat(time))


@given(st.text(max_size=16))
def test_no_text_whatever_is_more_than_a_day_or_none(text):
    for parse in (parse_date, parse_moment, parse_month):
        try:
            found = parse(text)
        except (
            OverflowError,
            OSError,
            ValueError,
        ):  # milliseconds beyond the calendar; the cell rule makes them impossible
            continue
        assert found is None or isinstance(found, dt.date)


@pytest.mark.parametrize(
    "written", ["201509", "2015-09", "2015-9", "2015/9", "2015.09", "2015年9月", "20150901", "2015-09-17"]
)
def test_every_form_of_a_month(written):
    assert parse_month(written) == dt.date(2015, 9, 1)


@pytest.mark.parametrize("written", ["", "201500", "201513", "2015年13月", "九月", "2015"])
def test_what_is_no_month_is_none(written):
    assert parse_month(written) is None


@given(st.integers(1900, 2100), st.integers(1, 12))
def test_a_written_month_reads_back(year, month):
    first = dt.date(year, month, 1)

    assert parse_month(f"{year}{month:02}") == first
    assert parse_month(f"{year}-{month:02}") == first
    assert parse_month(f"{year}年{month}月") == first


# -- grades --------------------------------------------------------------------------------------------------------

NUMERALS = "一 二 三 四 五 六 七 八 九".split()  # noqa: SIM905 (read as a line)


@pytest.mark.parametrize("grade", range(1, 13))
def test_a_grade_by_number(grade):
    assert parse_grade(str(grade)) == grade
    assert parse_grade(f" {grade:02} ") == grade


@pytest.mark.parametrize("grade", range(1, 10))
def test_a_grade_of_the_nine_years_by_name(grade):
    assert parse_grade(f"{NUMERALS[grade - 1]}年级") == grade


@pytest.mark.parametrize("grade", range(1, 7))
def test_a_primary_grade_by_its_stage(grade):
    assert parse_grade(f"小学{NUMERALS[grade - 1]}年级") == grade


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_grade_of_junior_and_senior_school_counts_from_the_start_of_the_stage(nth):
    numeral = NUMERALS[nth - 1]

    assert [parse_grade(f"初{numeral}"), parse_grade(f"初中{numeral}年级")] == [6 + nth] * 2
    assert [parse_grade(f"高{numeral}"), parse_grade(f"高中{numeral}年级")] == [9 + nth] * 2


@pytest.mark.parametrize("written", ["０７", "七年级 ", "初 一", "七年级\u3000"])
def test_width_and_blanks_do_not_count_in_a_grade(written):
    assert parse_grade(written) == 7


@pytest.mark.parametrize(
    "written",
    [
        "",
        "0",
        "13",
        "00",
        "-1",
        "小学0年级",
        "初0",
        "高中0年级",
        "小学七年级",
        "小学九年级",
        "初四",
        "高四",
        "大班",
        "学前班",
        "大一",
        "7班",
        "7.5",
        "一二年级",
    ],
)
def test_what_is_no_grade_is_none(written):
    assert parse_grade(written) is None


# -- divisions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("places", "code"), [(6, "533123"), (9, "533123101"), (12, "533123101203")])
def test_a_division_of_its_own_level(places, code):
    assert parse_division(code, places) == code


def test_a_longer_code_is_cut_to_the_level_that_was_asked_for():
    assert parse_division("533123101203", 6) == "533123"
    assert parse_division("533123101203", 9) == "533123101"
    assert parse_division("533123101203001", 12) == "533123101203"


@pytest.mark.parametrize(
    ("places", "written"),
    [
        (6, "53312"),
        (9, "533123"),
        (12, "533123101"),
        (6, "053312"),
        (6, "康定市"),
        (6, ""),
        (6, "5331x3"),
        (6, "-533123"),
    ],
)
def test_a_shorter_code_or_a_text_is_no_division(places, written):
    assert parse_division(written, places) is None


def test_width_blanks_and_a_spreadsheets_point_do_not_count_in_a_division():
    assert [parse_division(text, 6) for text in ("５３３１２３", " 533123 ", "533 123", "533123.0")] == ["533123"] * 4


# -- student numbers -----------------------------------------------------------------------------------------------


def test_a_g_number_carries_an_id_number(citizen_number):
    number = citizen_number()

    assert citizen_numbers_of(pl.Series([f"G{number}"])).to_list() == [number]


@pytest.mark.parametrize("letter", ["J", "L"])
def test_what_follows_j_or_l_is_never_an_id_number_however_right_it_looks(citizen_number, letter):
    numbers = [letter + citizen_number("20150312", f"{n:03}") for n in range(200)]

    assert citizen_numbers_of(pl.Series(numbers)).null_count() == 200


@pytest.mark.parametrize(
    "written",
    [
        "",
        "G",
        "G5331232015031200",
        "G5331232015031200101",
        "533123201503120010",
        "X533123201503120010",
        "G53312320150312001?",
        "GL33123201503120010",
    ],
)
def test_what_is_not_g_and_eighteen_places_carries_none(written):
    assert citizen_numbers_of(pl.Series([written, None])).to_list() == [None, None]
