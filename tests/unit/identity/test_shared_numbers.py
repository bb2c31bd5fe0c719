"""Rows of one number: one person, or people who share it; by name, and by whether the number may be the child's own."""

import datetime as dt

import polars as pl
import pytest

from kcb_pipeline.identity.names import NameTable, plain_key
from kcb_pipeline.identity.shared_numbers import same_number

BORN = dt.date(2016, 3, 12)
ADULTS = dt.date(2001, 1, 1)
ROW = {
    "group": 1,
    "name": "王小明",
    "former": None,
    "number_born": BORN,
    "birth_date": BORN,
    "sex": "1",
    "is_live": True,
}
SCHEMA = {
    "group": pl.Int64, "name": pl.String, "former": pl.String, "number_born": pl.Date, "birth_date": pl.Date, "sex": pl.String, "is_live": pl.Boolean,
}  # fmt: skip


def folded(names):
    keys = plain_key(names)
    found = pl.Series(NameTable.of(keys.fill_null("")).folded_keys().view("int64"))
    return pl.DataFrame({"key": keys, "folded": found}).select(pl.when(pl.col("key").is_not_null()).then("folded"))[
        "folded"
    ]


def verdict(*rows, side_by_side=False):
    """The pairs of rows that are one person, and the rows whose number is shared; rows are numbered from 1."""
    frame = pl.DataFrame([ROW | row for row in rows], schema=SCHEMA).with_row_index("ref", offset=1)
    frame = frame.with_columns(
        pl.col("ref").cast(pl.Int64),
        name_key=plain_key(frame["name"]),
        folded=folded(frame["name"]),
        former_folded=folded(frame["former"]),
    )
    found = same_number(
        frame, adults_before=ADULTS, side_by_side=lambda pairs: pl.Series([side_by_side] * pairs.height)
    )
    return sorted(map(tuple, found.edges.tolist())), found.shared.tolist()


ONE, TWO = ([(1, 2)], []), ([], [1, 2])
ANOTHER = {"name": "欧阳春花"}
DAMAGED = {"name": "王晓明"}


@pytest.mark.parametrize(
    "second",
    [
        {},
        {"name": "王 小明"},
        {"name": "王小眀"},
        ANOTHER | {"former": "王小明"},
        {"birth_date": dt.date(2015, 1, 1), "sex": "2", "number_born": dt.date(1985, 1, 1)},  # the name alone says it
    ],
)
def test_one_name_in_any_of_its_forms_is_one_person(second):
    assert verdict({}, second) == ONE


def test_so_is_the_name_that_the_first_row_has_as_a_former_one():
    assert verdict({"former": "欧阳春花"}, ANOTHER) == ONE


def test_a_wholly_other_name_is_another_person():
    assert verdict({}, ANOTHER) == TWO


def test_but_for_a_row_that_is_not_live_and_may_bear_an_earlier_one():
    assert verdict({}, ANOTHER | {"is_live": False}) == ONE


def test_a_name_that_resembles_is_the_same_persons_where_the_number_may_be_its_own():
    assert verdict({}, DAMAGED) == ONE


@pytest.mark.parametrize("name", [DAMAGED, ANOTHER | {"is_live": False}])
@pytest.mark.parametrize(
    "cells",
    [
        {"number_born": dt.date(2015, 1, 1)},  # of another birth date than the row's
        {"number_born": dt.date(2015, 1, 1), "birth_date": dt.date(2015, 1, 1)},  # than that of the first
        {"sex": "2"},
    ],
)
def test_it_is_not_where_birth_date_or_sex_speak_against_it(name, cells):
    assert verdict({}, name | cells) == TWO


@pytest.mark.parametrize(
    "cells", [{"number_born": ADULTS, "birth_date": None}, {"number_born": None}, {"sex": None}, {"birth_date": None}]
)
def test_what_is_missing_speaks_against_nothing(cells):
    assert verdict({}, DAMAGED | cells) == ONE


@pytest.mark.parametrize(("born", "is_one"), [(ADULTS, True), (ADULTS - dt.timedelta(days=1), False)])
def test_an_adults_number_is_no_childs_own(born, is_one):
    theirs = {"number_born": born, "birth_date": born}

    assert verdict(theirs, theirs | DAMAGED) == (ONE if is_one else TWO)
    assert verdict(theirs, theirs) == ONE


def test_nor_is_it_where_both_names_are_known_side_by_side():
    assert verdict({}, DAMAGED, side_by_side=True) == TWO
    assert verdict({}, {}, side_by_side=True) == ONE


def test_of_three_rows_the_two_of_one_name_are_one_person_and_the_number_is_shared():
    edges, shared = verdict({}, ANOTHER, ANOTHER, {})

    assert edges == [(1, 4), (2, 3)]
    assert shared == [1, 2, 3, 4]


def test_groups_are_told_apart():
    assert verdict({}, {"group": 2}, {"group": 2} | ANOTHER) == ([], [2, 3])
    assert verdict() == ([], [])
