"""公民身份号码 by GB 11643 and ISO 7064 MOD 11-2: what makes a number valid, what it says, and how it is cleaned."""

import calendar
import datetime as dt

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.id_number import is_valid

PROVINCES = [
    *range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 83,
]  # fmt: skip
STANDARD_EXAMPLES = ["11010519491231002X", "440524188001010014"]  # the examples printed in GB 11643-1999


def series(*numbers):
    return pl.Series(numbers, dtype=pl.String)


births = st.dates(dt.date(1900, 1, 1), dt.date(2026, 11, 20)).map(lambda day: day.strftime("%Y%m%d"))
sequences = st.integers(0, 999).map(lambda n: f"{n:03}")
divisions = st.tuples(st.sampled_from(PROVINCES), st.integers(0, 9999)).map(lambda parts: f"{parts[0]}{parts[1]:04}")


def test_the_check_character_of_the_standards_own_examples():
    assert [id_number.check_digit(number[:17]) for number in STANDARD_EXAMPLES] == ["X", "4"]


def test_the_standards_own_example_is_valid(on):
    assert is_valid("11010519491231002X", on=on)


@given(births, sequences, divisions)
def test_the_check_character_is_that_of_iso_7064(citizen_number, birth, sequence, division):
    number = citizen_number(birth, sequence, division)

    assert id_number.check_digit(number[:17]) == number[17]


@given(births, sequences, divisions)
def test_every_number_made_by_the_rules_is_valid(citizen_number, on, birth, sequence, division):
    assert is_valid(citizen_number(birth, sequence, division), on=on)


@given(births, sequences, divisions, st.data())
def test_one_changed_character_makes_a_valid_number_invalid(citizen_number, on, birth, sequence, division, data):
    number = citizen_number(birth, sequence, division)
    place = data.draw(st.integers(0, 17))
    other = data.draw(st.sampled_from("0123456789" + ("X" if place == 17 else "")))
    assume(other != number[place])

    assert not is_valid(number[:place] + other + number[place + 1 :], on=on)


@given(births, sequences, divisions, st.integers(0, 16))
def test_two_neighbours_swapped_make_a_valid_number_invalid(citizen_number, on, birth, sequence, division, place):
    number = citizen_number(birth, sequence, division)
    assume(number[place] != number[place + 1])

    assert not is_valid(number[:place] + number[place + 1] + number[place] + number[place + 2 :], on=on)


@settings(max_examples=40)
@given(births, sequences, divisions)
def test_exactly_one_check_character_belongs_to_seventeen_digits(citizen_number, on, birth, sequence, division):
    first17 = citizen_number(birth, sequence, division)[:17]

    assert sum(is_valid(first17 + check, on=on) for check in "0123456789X") == 1


@pytest.mark.parametrize("province", range(10, 100))
def test_a_number_begins_with_a_possible_province(citizen_number, on, province):
    assert is_valid(citizen_number("20150312", "001", f"{province}3123"), on=on) == (province in PROVINCES)


@pytest.mark.parametrize("division", ["513321", "500227", "350404", "330113", "810000", "820000", "830000"])
def test_abolished_and_unlisted_divisions_stay_valid_for_life(citizen_number, on, division):
    assert is_valid(citizen_number("20150312", "001", division), on=on)


@pytest.mark.parametrize(
    ("birth", "is_day"),
    [
        ("20150230", False),
        ("20150229", False),
        ("20160229", True),
        ("19000229", False),
        ("20000229", True),
        ("20151301", False),
        ("20150001", False),
        ("20150100", False),
        ("20150431", False),
        ("18991231", False),
        ("19000101", True),
        ("20261120", True),
        ("20261121", False),
        ("99991231", False),
    ],
)
def test_the_birth_date_is_a_day_from_1900_up_to_the_comparison_date(citizen_number, on, birth, is_day):
    assert is_valid(citizen_number(birth), on=on) == is_day


@given(st.integers(1900, 2025), st.integers(1, 12), st.integers(1, 31))
def test_the_calendar_inside_numbers_is_the_calendar(citizen_number, on, year, month, day):
    is_day = day <= calendar.monthrange(year, month)[1]

    assert is_valid(citizen_number(f"{year}{month:02}{day:02}"), on=on) == is_day


@pytest.mark.parametrize(
    "text",
    ["", "1", "53312320150312001", "5331232015031200100", "533123150312001", "ABCDEFGHIJKLMNOPQR", "533123X0150312001X", "身份证号码不", "5.33123E+17", "53312320150312001x", "５３３１２３２０１５０３１２００１０"],
    ids=["empty", "one", "17 places", "19 places", "15 places", "letters", "X inside", "18 bytes of Chinese", "ruined", "not cleaned", "full width"],
)  # fmt: skip
def test_what_is_not_eighteen_places_of_digits_is_not_valid(on, text):
    assert not is_valid(text, on=on)


@given(st.text(max_size=20))
def test_no_text_whatever_makes_the_rules_fail(on, text):
    assert id_number.valid(series(text, None), on=on).to_list()[1] is False
    assert id_number.birth_date(series(text)).dtype == pl.Date
    assert id_number.sex(series(text)).to_list()[0] in (None, "1", "2")


def test_missing_numbers_are_not_valid_and_say_nothing(citizen_number, on):
    numbers = series(citizen_number(), None, "", citizen_number(sequence="002"))

    assert id_number.valid(numbers, on=on).to_list() == [True, False, False, True]
    assert id_number.key(numbers, on=on).null_count() == 2
    assert id_number.birth_date(numbers).null_count() == 2
    assert id_number.sex(numbers).to_list() == ["1", None, None, "2"]


def test_columns_of_no_rows_and_of_many_are_judged_alike(citizen_number, on):
    one = citizen_number()
    many = series(*[one] * 70_000, one[:17] + "?")

    assert id_number.valid(series(), on=on).to_list() == []
    assert id_number.valid(many, on=on).sum() == 70_000
    assert id_number.birth_date(many).n_unique() == 1


@given(births, sequences, divisions)
def test_a_number_says_birth_date_and_sex(citizen_number, birth, sequence, division):
    number = citizen_number(birth, sequence, division)

    assert id_number.birth_date(series(number)).to_list() == [dt.date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))]
    assert id_number.sex(series(number)).to_list() == ["1" if int(sequence[2]) % 2 else "2"]


@given(st.lists(st.tuples(births, sequences, divisions), min_size=1, max_size=20))
def test_keys_tell_apart_exactly_the_numbers_that_differ(citizen_number, on, parts):
    numbers = [citizen_number(*part) for part in parts]

    keys = id_number.key(series(*numbers), on=on)

    assert keys.dtype == pl.Int64
    assert keys.n_unique() == len(set(numbers))


def test_a_number_that_is_not_valid_has_no_key(citizen_number, on):
    number = citizen_number()

    assert id_number.key(series(number[:-1] + "?", "5.33123E+17", number[:17], None), on=on).to_list() == [None] * 4


# -- cleaning ------------------------------------------------------------------------------------------------------

CLEAN = "11010519491231002X"


@pytest.mark.parametrize(
    "written",
    [
        CLEAN,
        "11010519491231002x",
        "11010519491231002Ｘ",
        "11010519491231002ｘ",
        "１１０１０５１９４９１２３１００２Ｘ",
        "'11010519491231002X",
        "‘11010519491231002X",
        "’11010519491231002X",
        "`11010519491231002X",
        " 11010519491231002X\t",
        "110105 19491231 002X",
        "110105\u300019491231\u3000002X",
        "110105-19491231-002X",
        "11010519491231002 x ",
    ],
)  # fmt: skip
def test_a_number_has_one_form_however_it_was_typed(written):
    assert id_number.clean(series(written)).to_list() == [CLEAN]


@settings(max_examples=30)
@given(births, sequences, divisions, st.data())
def test_blanks_and_width_anywhere_do_not_count(citizen_number, birth, sequence, division, data):
    number = citizen_number(birth, sequence, division)
    written = "".join(
        data.draw(st.sampled_from(["", " ", "\u3000"]))
        + data.draw(st.sampled_from([character, chr(ord(character) + 0xFEE0), character.lower()]))
        for character in number
    )

    assert id_number.clean(series(written)).to_list() == [number]


@given(st.lists(st.one_of(st.none(), st.text(alphabet="0123456789xXＸ１ '-", max_size=20)), max_size=8))
def test_cleaning_is_done_once_and_each_cell_on_its_own(cells):
    cleaned = id_number.clean(series(*cells))

    assert id_number.clean(cleaned).to_list() == cleaned.to_list()
    assert cleaned.to_list() == [id_number.clean(series(cell)).to_list()[0] for cell in cells]


def test_nothing_left_is_missing():
    assert id_number.clean(series("'", " ", "-", None, CLEAN)).to_list() == [None, None, None, None, CLEAN]


@pytest.mark.parametrize(
    "ruined", ["5.33123E+17", "5.33123e+17", "5E+17", "5.3312320150312E+17", "5.33E17", "533123201503120000.0"]
)
def test_what_a_spreadsheet_leaves_is_known_as_such(ruined):
    assert id_number.is_numeric_ruin(series(ruined)).to_list() == [True]


@pytest.mark.parametrize("written", [CLEAN, "533123201503120010", "E12345678", "1E5", "", "5.33123", "无"])
def test_what_a_person_typed_is_no_ruin(written):
    assert id_number.is_numeric_ruin(series(written)).to_list() == [False]
    assert id_number.is_numeric_ruin(series(None)).to_list() == [False]


# -- what a column of numbers says ------------------------------------------------------------------------------------

WHAT_CAN_STAND_THERE = st.one_of(
    st.none(),
    st.tuples(births, sequences, divisions),
    st.text("0123456789X", min_size=16, max_size=19),
    st.sampled_from(["", "五三二九", "11010519491231002x", "1101051949123100２X", "110105194902310021"]),
)


@given(st.lists(WHAT_CAN_STAND_THERE, max_size=12), st.integers(0, 3))
def test_a_column_says_what_each_of_its_numbers_says(citizen_number, on, drawn, start):
    numbers = [citizen_number(*parts) if isinstance(parts, tuple) else parts for parts in drawn]
    column = pa.array([None, "x", *numbers], type=pa.string()).slice(start)

    said = id_number.told(column, on=on)

    for place, number in enumerate(column.to_pylist()):
        alone = series(number)
        [born], [sex] = id_number.birth_date(alone), id_number.sex(alone)
        assert said.valid[place] == (number is not None and is_valid(number, on=on))
        assert said.birth_days[place] == (id_number.NO_DAY if born is None else (born - dt.date(1970, 1, 1)).days)
        assert str(said.sex[place]) == (sex or "0")


def test_a_missing_number_is_none_whatever_its_place_in_memory_holds(on):
    buffers = pa.array([STANDARD_EXAMPLES[0]] * 2).buffers()[1:]
    first_is_missing = pa.py_buffer(b"\x02")

    said = id_number.told(pa.Array.from_buffers(pa.string(), 2, [first_is_missing, *buffers]), on=on)

    assert said.valid.tolist() == [False, True]
    assert said.birth_days[0] == id_number.NO_DAY
