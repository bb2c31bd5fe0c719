"""Who is of compulsory-education age: turned the entry age by 31 August, not over the leaving age on that day."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.config import SchoolAge, load_config
from kcb_pipeline.errors import UsageError
from kcb_pipeline.status.school_age import school_year_end, school_year_start, window

DEFAULT = SchoolAge()
GANZI = SchoolAge(entry_age=7, leaving_age=16)
ON = dt.date(2026, 11, 20)


def is_of_age(birth, on=ON, rule=DEFAULT):
    age = window(on, rule)
    return age.born_from <= birth <= age.born_to


def test_the_ages_are_six_and_fifteen_where_a_county_says_nothing():
    assert (DEFAULT.entry_age, DEFAULT.leaving_age) == (6, 15)


@pytest.mark.parametrize(
    ("on", "start", "end"),
    [
        (dt.date(2026, 9, 1), dt.date(2026, 9, 1), dt.date(2027, 8, 31)),
        (dt.date(2026, 8, 31), dt.date(2025, 9, 1), dt.date(2026, 8, 31)),
        (dt.date(2026, 12, 31), dt.date(2026, 9, 1), dt.date(2027, 8, 31)),
        (dt.date(2027, 1, 1), dt.date(2026, 9, 1), dt.date(2027, 8, 31)),
        (dt.date(2028, 2, 29), dt.date(2027, 9, 1), dt.date(2028, 8, 31)),
    ],
)
def test_the_school_year_is_the_one_that_began_on_the_last_first_of_september(on, start, end):
    assert school_year_start(on) == start
    assert school_year_end(on) == end


@pytest.mark.parametrize(
    ("birth", "rule", "expected"),
    [
        (dt.date(2020, 8, 31), DEFAULT, True),
        (dt.date(2020, 9, 1), DEFAULT, False),
        (dt.date(2010, 8, 31), DEFAULT, False),
        (dt.date(2010, 9, 1), DEFAULT, True),
        (dt.date(2019, 8, 31), GANZI, True),
        (dt.date(2019, 9, 1), GANZI, False),
        (dt.date(2009, 8, 31), GANZI, False),
        (dt.date(2009, 9, 1), GANZI, True),
    ],
    ids=[
        "six on 31 August",
        "six on 1 September",
        "sixteen on 31 August",
        "sixteen on 1 September",
        "seven on 31 August",
        "seven on 1 September",
        "seventeen on 31 August",
        "seventeen on 1 September",
    ],
)
def test_the_day_that_decides_is_31_august(birth, rule, expected):
    assert is_of_age(birth, rule=rule) is expected


@pytest.mark.parametrize(("on", "expected"), [(dt.date(2026, 8, 31), False), (dt.date(2026, 9, 1), True)])
def test_a_child_comes_of_age_with_the_new_school_year_not_with_its_birthday(on, expected):
    assert is_of_age(dt.date(2020, 5, 1), on=on) is expected


@pytest.mark.parametrize(("on", "expected"), [(dt.date(2026, 8, 31), True), (dt.date(2026, 9, 1), False)])
def test_a_child_leaves_school_age_with_the_new_school_year(on, expected):
    assert is_of_age(dt.date(2010, 5, 1), on=on) is expected


@pytest.mark.parametrize("birth", [dt.date(2012, 2, 29), dt.date(2016, 2, 29), dt.date(2020, 2, 29)])
def test_a_child_born_on_29_february_is_of_age(birth):
    assert is_of_age(birth)


@pytest.mark.parametrize("on", [dt.date(2028, 2, 29), dt.date(2024, 2, 29), dt.date(2024, 8, 31)])
def test_a_leap_day_is_a_comparison_date_like_any_other(on):
    age = window(on, DEFAULT)

    assert age.cutoff == dt.date(on.year - 1, 8, 31)
    assert (age.born_from, age.born_to) == (dt.date(on.year - 17, 9, 1), dt.date(on.year - 7, 8, 31))


RULES = st.tuples(st.integers(5, 8), st.integers(14, 18)).map(
    lambda ages: SchoolAge(entry_age=ages[0], leaving_age=ages[1])
)
DAYS = st.dates(dt.date(2004, 1, 1), dt.date(2060, 12, 31))


@given(DAYS, RULES, st.integers(4 * 365, 20 * 366))
def test_of_age_is_who_has_an_age_between_the_two_on_the_cutoff(on, rule, days_old):
    birth, cutoff = on - dt.timedelta(days=days_old), window(on, rule).cutoff
    age = cutoff.year - birth.year - ((cutoff.month, cutoff.day) < (birth.month, birth.day))

    assert is_of_age(birth, on, rule) == (rule.entry_age <= age <= rule.leaving_age)


@given(DAYS, RULES)
def test_the_window_holds_whole_years_from_september_to_august(on, rule):
    age = window(on, rule)

    assert (age.born_from.month, age.born_from.day, age.born_to.month, age.born_to.day) == (9, 1, 8, 31)
    assert age.born_to.year - age.born_from.year == rule.leaving_age - rule.entry_age + 1
    assert age.cutoff < on
    assert age.entry_age == rule.entry_age


# -- the rule as a county writes it --------------------------------------------------------------------------------


def test_a_county_sets_its_own_ages(tmp_path):
    (tmp_path / "kcb.toml").write_text("[school_age]\nentry_age = 7\nleaving_age = 16\n", encoding="utf-8")

    assert load_config(tmp_path).school_age == GANZI


def test_a_county_that_writes_nothing_gets_the_national_rule(tmp_path):
    assert load_config(tmp_path).school_age == DEFAULT


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[school_age]\nentry_age = 3\n", "school_age.entry_age"),
        ("[school_age]\nentry_age = 'six'\n", "school_age.entry_age"),
        ("[school_age]\nleaving_age = 30\n", "school_age.leaving_age"),
        ("[school_age]\nage = 6\n", "school_age.age"),
        ("[calendar]\nterms = [{first = 2026-09-01, last = 2026-08-01}]\n", "calendar.terms"),
        ("not toml", "kcb.toml"),
    ],
)
def test_a_rule_that_cannot_be_names_its_setting(tmp_path, text, named):
    (tmp_path / "kcb.toml").write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match=named):
        load_config(tmp_path)


def test_other_ages_are_other_rules(tmp_path):
    before = load_config(tmp_path).digest()
    (tmp_path / "kcb.toml").write_text("[school_age]\nentry_age = 7\n", encoding="utf-8")

    assert load_config(tmp_path).digest() != before
