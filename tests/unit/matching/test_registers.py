"""Comparison ①: who stands for whom, what settles a pair of the two registers, and which damage leaves one to be compared."""

import contextlib
import datetime as dt
import itertools
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from kcb_pipeline.config import Matching
from kcb_pipeline.matching.blocking import candidates
from kcb_pipeline.matching.model import contradicted, silence
from kcb_pipeline.matching.registers import (
    _GROUPS,
    _decided,
    _note_doubtful,
    _pieces,
    further_settings,
    register_files,
    register_frames,
    register_settings,
    register_sizes,
)
from kcb_pipeline.matching.settling import looked_at, settle
from kcb_pipeline.matching.weighing import prepare, with_keys

ON = dt.date(2026, 11, 20)
SETTINGS = register_settings(ON, Matching())
BORN, LATER = dt.date(2015, 3, 12), dt.date(2015, 4, 30)

TEXTS = (
    "id_number", "student_number", "name", "former_name", "sex", "hukou_division", "other_division", "township_code", "ethnicity",
    "guardian_id_a", "guardian_id_b", "guardian_id_c", "guardian_phone_a", "guardian_phone_b", "guardian_name_a", "guardian_name_b",
    "guardian_name_c",
)  # fmt: skip
SCHEMA = {
    **dict.fromkeys(TEXTS, pl.String),
    **dict.fromkeys(("id_key", "other_key", "number_before"), pl.Int64),
    "birth_date": pl.Date,
    "birth_year": pl.Int64,
}


def record(**cells):
    """One record of either register; what it does not say is missing."""
    assert cells.keys() <= SCHEMA.keys(), cells.keys() - SCHEMA.keys()
    if "birth_date" in cells:
        cells.setdefault("birth_year", cells["birth_date"].year)
    return pl.DataFrame([{name: cells.get(name) for name in SCHEMA}], schema=SCHEMA)


# -- which damage leaves a pair to be compared -------------------------------------------------------------------------

NAMESAKE = {"name": "王小明"}
NUMBER = "533123201503120012"
ALIKE = {
    "same valid number": ({"id_key": 7}, {}),
    "number after G": ({"id_key": 7}, {"id_key": None, "other_key": 7}),
    "former number": ({"other_key": 7}, {"other_key": None, "id_key": 7}),
    "name, birth date": (NAMESAKE | {"birth_date": BORN}, {"name": "王 小明"}),
    "sound of name, birth date": (NAMESAKE | {"birth_date": BORN}, {"name": "王晓明"}),
    "characters of name, birth date": (NAMESAKE | {"birth_date": BORN}, {"name": "小明王"}),
    "birth date, sex, county of 户籍": ({"birth_date": BORN, "sex": "1", "hukou_division": "533123"}, {}),
    "name, year, county of 户籍": (NAMESAKE | {"birth_date": BORN, "hukou_division": "533123"}, {"birth_date": LATER}),
    "sound of name, year, county": (NAMESAKE | {"birth_date": BORN, "hukou_division": "533123"}, {"birth_date": LATER, "name": "王晓明"}),
    "given name, birth date": (NAMESAKE | {"birth_date": BORN}, {"name": "李小明"}),
    "last eight places of the number": ({"id_number": NUMBER}, {"id_number": "510104" + "19991231"[:4] + NUMBER[10:]}),
    "first fourteen places of the number": ({"id_number": NUMBER}, {"id_number": NUMBER[:14] + "9999"}),
    "guardian's number, year": ({"guardian_id_a": "G9", "birth_date": BORN}, {"birth_date": LATER, "guardian_id_a": None, "guardian_id_b": "G9"}),
    "guardian's number, sex": ({"guardian_id_a": "G9", "sex": "1"}, {}),
    "guardian's phone, sex": ({"guardian_phone_a": "139", "sex": "1"}, {"guardian_phone_a": None, "guardian_phone_b": "139"}),
    "guardian's and child's name": ({"guardian_name_a": "王大", "name": "王小明"}, {"guardian_name_a": None, "guardian_name_c": "王大"}),
    "guardian's name, birth date": ({"guardian_name_a": "王大", "birth_date": BORN}, {"guardian_name_a": None, "guardian_name_b": "王大"}),
    "name, sex, county of 户籍": (NAMESAKE | {"sex": "1", "hukou_division": "533123"}, {}),
}  # fmt: skip
"""What a pair agrees on that is found by one rule alone, and what the student registry says otherwise of it."""

FOUND_TOO = {
    "name, birth date": {"sound of name, birth date", "characters of name, birth date", "given name, birth date"},
    "sound of name, birth date": set(),
    "characters of name, birth date": set(),
    "name, year, county of 户籍": {"sound of name, year, county"},
}
"""Rules that find a pair too that a closer one finds."""


def rules_for(left, right):
    """The rules that give the pair of those two records."""
    sides = [with_keys(SETTINGS, prepare(side, SETTINGS), SETTINGS.rules) for side in (left, right)]
    blocked = candidates(*sides, SETTINGS.rules, largest_block=SETTINGS.largest_block)
    return set(blocked.report.filter(pl.col("pairs") > 0)["rule"])


def test_every_rule_has_its_case():
    assert ALIKE.keys() == {rule.name for rule in SETTINGS.rules}


@pytest.mark.parametrize("rule", ALIKE)
def test_a_pair_is_compared_that_agrees_in_what_one_rule_looks_at(rule):
    cells, otherwise = ALIKE[rule]

    assert rules_for(record(**cells), record(**{k: v for k, v in (cells | otherwise).items() if v is not None})) == {
        rule,
        *FOUND_TOO.get(rule, ()),
    }


# -- what is compared with what ----------------------------------------------------------------------------------------


def test_the_number_after_a_g_is_the_childs_and_a_guardians_is_the_familys(level_of, citizen_number):
    comparison = SETTINGS.comparison("id_number")
    own, fathers = citizen_number("53312320150312001"), citizen_number("53312319880312001")

    assert level_of(comparison, {"id_number": own}, {"student_number": f"G{own}"}) == "by G number"
    for guardian in ("guardian_id_a", "guardian_id_b", "guardian_id_c"):
        assert level_of(comparison, {"id_number": fathers}, {"id_number": own, guardian: fathers}) == "of the family"


def test_no_number_is_one_that_was_issued_after_the_day(level_of, citizen_number):
    tomorrow = citizen_number("53312320261121001")

    assert level_of(SETTINGS.comparison("id_number"), *[{"id_number": tomorrow}] * 2) == "equal, check digit wrong"


def test_a_household_is_at_home_in_its_hukou_and_here_where_it_lives_or_goes_to_school(level_of):
    place = SETTINGS.comparison("division")

    assert level_of(place, {"hukou_division": "533123"}, {"hukou_division": "533123"}) == "same county of 户籍"
    assert (
        level_of(place, {"hukou_division": "533123"}, {"other_division": "533123"}) == "one 户籍 unknown, same county"
    )


WORDS = {comparison.name: comparison.labels for comparison in SETTINGS.comparisons}


@pytest.mark.parametrize("number", WORDS["id_number"])
def test_a_number_that_agrees_contains_birth_date_sex_and_division(number):
    """Their agreement is no second witness then; their disagreement is what a sibling's number looks like."""
    at = {name: np.array([0, 1], dtype=np.int8) for name in WORDS} | {
        "id_number": np.array([WORDS["id_number"].index(number)] * 2, dtype=np.int8)
    }
    heard = silence(at, SETTINGS.implied)

    silent = {name for name in WORDS if heard[name][0] != at[name][0]}
    assert silent == ({"birth_date", "sex", "division"} if number in ("equal", "by G number") else set())
    assert all(heard[name][1] == at[name][1] for name in WORDS)


def test_two_valid_numbers_and_no_guardian_in_common_link_nobody():
    pairs = list(itertools.product(WORDS["id_number"], WORDS["guardians"]))
    vectors = np.zeros((len(pairs), len(WORDS)), dtype=np.int8)
    for name, words in (("id_number", [n for n, _ in pairs]), ("guardians", [g for _, g in pairs])):
        vectors[:, list(WORDS).index(name)] = [WORDS[name].index(word) for word in words]

    refused = [pair for pair, is_refused in zip(pairs, contradicted(SETTINGS, vectors), strict=True) if is_refused]

    assert refused == [("both valid, different", "none shared")]


# -- what a key settles ------------------------------------------------------------------------------------------------


def settled(left, right):
    """How the pair of those two records is settled; None where it is to be weighed."""
    of = looked_at(SETTINGS)
    sides = [prepare(side, SETTINGS, of=of, columns=SETTINGS.key_columns) for side in (left, right)]
    found = settle(*sides, SETTINGS, of, None)
    return found.methods[found.method[0]] if len(found) else None


KEYS = {"id_key": ("id_key", "id_key"), "after G": ("id_key", "other_key"), "former": ("other_key", "id_key"), "before": ("number_before", "id_key")}  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("name", "settles"), [("王小明", True), ("小明王", True), (None, True), ("王小蓉", False), ("李大勇", False)]
)
def test_a_key_settles_where_the_name_is_the_childs(key, name, settles):
    left, right = KEYS[key]

    found = settled(record(**{left: 7}, name="王小明", birth_date=BORN), record(**{right: 7}, name=name, birth_date=BORN))  # fmt: skip

    assert found == ("id_number" if settles else None)


@pytest.mark.parametrize(
    ("key", "settles"), [("id_key", True), ("after G", False), ("former", False), ("before", True)]
)
def test_a_second_key_wants_the_birth_date_too(key, settles):
    """A G number is often made from a sibling's number; a number that the child bore before was its own."""
    left, right = KEYS[key]

    found = settled(
        record(**{left: 7}, name="王小明", birth_date=BORN), record(**{right: 7}, name="王小明", birth_date=dt.date(2011, 8, 27))
    )  # fmt: skip

    assert found == ("id_number" if settles else None)


def test_the_countys_rules_are_those_of_the_settings():
    rule = Matching(weigh_settled=True, false_link_cost=3.0, review_probability=0.2)
    made = register_settings(ON, rule)

    assert (made.weigh_settled, made.false_link_cost, made.review_probability) == (True, 3.0, 0.2)
    assert (made.policy, made.repeats) == ("one-to-one", True)
    further = further_settings(made)
    assert (further.policy, further.repeats, further.keys, further.near_misses) == ("many-to-one", False, (), 0)
    assert further.comparisons == made.comparisons


# -- who stands for whom -----------------------------------------------------------------------------------------------

FATHER = {"father_id_number": "D1", "mother_id_number": "D2", "guardian_id_number": "D3"}
NAMES = {"father_name": "父", "mother_name": "母", "guardian_name": "监"}


@pytest.fixture
def registers(working):
    """Three persons, of whom the second is a resident, and three pupils; the first two pupils and the first person share their numbers."""
    working.schemas |= {
        "standard.persons": working.schemas["standard.persons"] | {"number_is_shared": pl.Boolean},
        "standard.students": working.schemas["standard.students"]
        | working.schema("id_key:i second_key:i sex birth_date:d")
        | {"number_is_shared": pl.Boolean},
    }
    born = {"sex": "1", "birth_date": BORN}
    working.put(
        "landed.population",
        {
            "row": 5,
            "id_number": "I5",
            "name": "甲",
            "former_name": "旧",
            "division_code": "533123",
            "township_code": "T",
            "ethnicity": "01",
            "guardian_phone": "P",
            **FATHER,
            **NAMES,
        },
        {"row": 6, "name": "丙"},
    )
    working.put(
        "landed.residents",
        {
            "row": 5,
            "id_number": "I6",
            "name": "乙",
            "household_division_code": "510104",
            "division_code": "533123",
            "guardian_name": "监",
            "guardian_phone": "Q",
        },
    )
    working.put(
        "standard.persons",
        {"person": 3, "ref": 12, "row": 6, "population_type": "registered", "number_is_shared": False},
        {
            "person": 2,
            "ref": 11,
            "row": 5,
            "population_type": "resident",
            "id_key": 6,
            "other_key": 66,
            "number_is_shared": False,
            **born,
        },
        {
            "person": 1,
            "ref": 10,
            "row": 5,
            "population_type": "registered",
            "id_key": None,
            "number_is_shared": True,
            **born,
        },
    )
    working.put("standard.numbers_before", {"person": 1, "former_key": 55}, {"person": 2, "former_key": 65})
    working.put(
        "standard.names_before",
        {"person": 1, "name": "甲甲", "is_last": True},
        {"person": 2, "name": "乙一", "is_last": True},
        {"person": 2, "name": "乙二", "is_last": False},
    )
    working.put(
        "landed.student_registry",
        *(
            {
                "row": row,
                "id_number": f"I{row}",
                "student_number": f"G{row}",
                "name": f"生{row}",
                "former_name": "旧",
                "household_division_code": "510104",
                "school_division_code": "533123",
                "guardian1_id_number": "D1",
                "guardian2_id_number": "D2",
                "guardian1_phone": "P",
                "guardian2_phone": "Q",
                "guardian1_name": "父",
                "guardian2_name": "母",
            }
            for row in (3, 1, 2)
        ),
    )
    working.put(
        "standard.students",
        {"student": 9, "row": 3, "id_key": 3, "number_is_shared": False, **born},
        {"student": 8, "row": 2, "second_key": 22, "number_is_shared": True, **born},
        {"student": 7, "row": 1, "number_is_shared": True, **born},
    )
    return working


def test_persons_are_stood_for_by_the_row_of_their_register_and_a_shared_number_is_not_shown(registers):
    persons, _ = register_frames(registers.connection)

    one, two, three = persons.to_dicts()
    assert one == {
        "person": 1, "population_type": "registered", "population_row": 5, "id_key": None, "other_key": 55, "number_before": 55, "id_number": None,
        "student_number": None, "name": "甲", "former_name": "旧", "sex": "1", "birth_date": BORN, "birth_year": 2015, "hukou_division": "533123",
        "other_division": None, "township_code": "T", "ethnicity": "01", "guardian_id_a": "D1", "guardian_id_b": "D2", "guardian_id_c": "D3",
        "guardian_phone_a": "P", "guardian_phone_b": None, "guardian_name_a": "父", "guardian_name_b": "母", "guardian_name_c": "监",
    }  # fmt: skip
    assert two == dict.fromkeys(one) | {
        "person": 2, "population_type": "resident", "population_row": 5, "id_key": 6, "other_key": 66, "number_before": 65, "id_number": "I6",
        "name": "乙", "former_name": "乙一", "sex": "1", "birth_date": BORN, "birth_year": 2015, "hukou_division": "510104", "other_division": "533123",
        "guardian_phone_a": "Q", "guardian_name_c": "监",
    }  # fmt: skip
    assert {name: value for name, value in three.items() if value is not None} == {
        "person": 3, "population_type": "registered", "population_row": 6, "name": "丙",
    }  # fmt: skip


def test_of_a_large_register_every_so_many_are_looked_at(registers):
    persons, students = register_frames(registers.connection, every=(2, 3))

    assert register_sizes(registers.connection) == (3, 3)
    assert (persons["person"].to_list(), students["student"].to_list()) == ([1, 3], [7])


def test_links_are_counted_by_the_county_of_the_hukou_and_by_that_of_residence_where_none_is_known(registers):
    registers.connection.execute("UPDATE landed.residents SET household_division_code = NULL WHERE row = 5")
    persons, _ = register_frames(registers.connection)
    assert persons.select(*_GROUPS)["county"].to_list() == ["533123", "533123", None]

    registers.connection.execute("UPDATE landed.residents SET household_division_code = '510104'")
    persons, _ = register_frames(registers.connection)
    assert persons.select(*_GROUPS)["county"].to_list() == ["533123", "510104", None]


def test_as_files_they_are_the_same_and_are_gone_when_they_have_been_linked(registers, tmp_path):
    """They hold names and numbers: nothing of them stays, whatever becomes of the linking."""
    workspace = SimpleNamespace(files=tmp_path, connect=lambda: contextlib.nullcontext(registers.connection))

    with contextlib.suppress(RuntimeError), register_files(workspace) as sides:
        for lazy, whole in zip(sides, register_frames(registers.connection), strict=True):
            assert lazy.collect().equals(whole)
        raise RuntimeError
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_of_a_shared_number_the_student_number_is_shown_only_where_it_is_the_pupils_own(registers):
    """The number after a G is made from the ID number, and as shared as that, unless a second key was found in it."""
    _, students = register_frames(registers.connection)

    assert students.select("student", "registry_row", "id_number", "student_number", "other_key").rows() == [
        (7, 1, None, None, None), (8, 2, None, "G2", 22), (9, 3, "I3", "G3", None),
    ]  # fmt: skip
    assert students.row(0, named=True) == dict.fromkeys(students.columns) | {
        "student": 7, "registry_row": 1, "name": "生1", "former_name": "旧", "sex": "1", "birth_date": BORN, "birth_year": 2015,
        "hukou_division": "510104", "other_division": "533123", "guardian_id_a": "D1", "guardian_id_b": "D2", "guardian_phone_a": "P",
        "guardian_phone_b": "Q", "guardian_name_a": "父", "guardian_name_b": "母",
    }  # fmt: skip


def test_both_sides_read_alike(registers):
    persons, students = register_frames(registers.connection)

    shared = set(SETTINGS.columns) | {name for c in SETTINGS.comparisons for name in c.reads}
    assert {
        name: kind for name, kind in persons.schema.items() if name in shared - {"number_before", "former_name"}
    } == {name: kind for name, kind in students.schema.items() if name in shared - {"former_name"}}


# -- what is kept of it ------------------------------------------------------------------------------------------------


def sides(people, pupils):
    """The columns of persons and pupils that links lead to, in the order of the registers."""
    persons = pl.DataFrame(
        {"person": people, "population_type": "registered", "population_row": [10 * p for p in people]}
    )
    return persons, pl.DataFrame({"student": pupils, "registry_row": [100 * p for p in pupils]})


LINKS = pl.DataFrame({"left_row": [0, 1, 1], "right_row": [2, 0, 1], "decision": ["linked", "rejected", "linked"]})


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_links_lead_to_the_rows_of_both_registers_in_pieces_of_any_size(monkeypatch, at_once):
    monkeypatch.setattr("kcb_pipeline.matching.registers._LINKS_AT_ONCE", at_once)

    pieces = list(_pieces(LINKS, *sides([1, 2], [7, 8, 9])))

    assert pl.concat(pieces).rows() == [
        (1, 9, "registered", 10, 900, "linked"), (2, 7, "registered", 20, 700, "rejected"), (2, 8, "registered", 20, 800, "linked"),
    ]  # fmt: skip
    assert len(pieces) == -(-3 // at_once)
    assert [piece.columns for piece in _pieces(LINKS.clear(), *sides([1], [7]))] == [pieces[0].columns]


@pytest.mark.parametrize(
    ("further", "pairs"), [(False, [(0, 2, True), (1, 0, False)]), (True, [(0, 2, True), (1, 0, False), (1, 1, True)])]
)
def test_what_people_decided_is_told_by_places_and_second_records_only_where_they_are_asked_for(
    working, further, pairs
):
    working.connection.execute(
        "CREATE TABLE status.decided_pairs AS SELECT * FROM (VALUES (2, 8, true, true), (2, 7, false, false), (1, 9, true, false), (3, 9, true, false)) "
        "t(person, student, is_match, is_further)"
    )

    assert _decided(working.connection, *sides([1, 2], [7, 8, 9]), further=further).rows() == pairs


def test_a_record_in_doubt_takes_the_place_of_what_was_said_of_its_pair_and_of_no_other(working):
    working.put(
        "matched.links",
        {"person": 1, "student": 7, "decision": "linked"},
        {"person": 1, "student": 8, "decision": "rejected", "registry_row": 80},
        {"person": 2, "student": 8, "decision": "rejected"},
    )
    doubtful = pl.DataFrame({"student": [7, 8], "decision": "review", "person": [2, 1]})
    _note_doubtful(working.connection, doubtful)
    _note_doubtful(working.connection, doubtful.clear())

    assert working.all("SELECT person, student, decision, registry_row FROM matched.links ORDER BY rowid") == [
        {"person": person, "student": student, "decision": decision, "registry_row": None}
        for person, student, decision in ((1, 7, "linked"), (2, 8, "rejected"), (1, 8, "review"), (2, 7, "review"))
    ]
