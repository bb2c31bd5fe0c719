"""Which child of the version before a person is: each way of telling alone, and never where two could be meant (published.md, `child_id`)."""

import datetime as dt
import re

import pytest

from kcb_pipeline.identity.id_number import check_digit
from kcb_pipeline.ledgers.continuity import recognise_children
from kcb_pipeline.status.school_age import Window

ON, BORN = dt.date(2026, 11, 20), dt.date(2016, 3, 12)
AGE = Window(cutoff=dt.date(2026, 8, 31), born_from=dt.date(2010, 9, 1), born_to=dt.date(2020, 8, 31), entry_age=6)
CHILD = {
    "id_number": "N1", "name": "王小明", "birth_date": BORN, "sex": "1", "household_id": "H1", "guardian_name": "王父", "guardian_phone": "138",
    "division_code": "533123",
}  # fmt: skip
STRANGER = {
    "id_number": "N9", "name": "李小红", "birth_date": dt.date(2015, 1, 1), "sex": "2", "household_id": "H9", "guardian_name": "李母",
    "guardian_phone": "139", "division_code": "533124",
}  # fmt: skip


@pytest.fixture
def recognised(working):
    """`recognised(persons, before)`: {row of a person: (child, how)}; a new child's number is told by `new`."""

    def tell(persons, before=(), groups=(), residents=(), identities=(), shared=()):
        rows = [{"row": n, "id_valid": True, **person} for n, person in enumerate(persons, start=1)]
        cells = ("row", "id_valid", "former_name", "updated_at", "township_code", "township_name", "address", *CHILD)
        working.put("landed.population", *({name: row[name] for name in cells if name in row} for row in rows))
        working.put("landed.residents", *residents)
        working.put(
            "standard.persons",
            *(
                {
                    "person": 2 * row["row"], "ref": 2 * row["row"], "population_type": "registered", "is_live": row.get("is_live", True),
                    "id_key": 1 if row.get("has_key", True) and row["id_number"] else None, "birth_date": row["birth_date"], "sex": row["sex"], "name_key": row["name"],
                }
                for row in rows if row.get("is_a_person", True)
            ),
        )  # fmt: skip
        working.put(
            "standard.population_keys",
            *(
                {"ref": 2 * row["row"], "id_key": row["key"], "is_live": row.get("is_live", True)}
                for row in rows
                if "key" in row
            ),
        )
        working.put("previous_identities", *identities)
        working.put("standard.shared_numbers", *({"ref": ref} for ref in shared))
        working.put("standard.person_groups", *({"person": person, "ref": ref} for person, ref in groups))
        working.put(
            "previous_child_facts", *({"child_id": f"C{n}", **child} for n, child in enumerate(before, start=1))
        )
        tell.continuity = recognise_children(working.connection, ON, AGE)
        tell.before = {
            row["person"] // 2: row["former_key"] for row in working.all("SELECT * FROM standard.numbers_before")
        }
        tell.names = {
            (row["person"] // 2, row["name_key"]) for row in working.all("SELECT * FROM standard.names_before")
        }
        tell.numbers = {
            row["person"] // 2: row["child_id"] for row in working.all("SELECT person, child_id FROM standard.children")
        }
        found = working.all("SELECT person, child_id, how FROM standard.children")
        return {row["person"] // 2: ("new" if row["how"] == "new" else row["child_id"], row["how"]) for row in found}

    return tell


def changed(*columns):
    """The child with everything of a stranger but those columns; `has_no_key`: with its number, which is no key."""
    now = STRANGER | {name: CHILD[name] for name in columns if name != "has_no_key"}
    return now | {"id_number": CHILD["id_number"], "has_key": False} if "has_no_key" in columns else now


WAYS = [
    ("number, with name or birth date", ("id_number", "name")),
    ("number, with name or birth date", ("id_number", "birth_date")),
    ("name, birth date, number", ("name", "birth_date", "has_no_key")),
    ("name, birth date, sex, household", ("name", "birth_date", "sex", "household_id")),
    ("name, birth date, sex, guardian's phone", ("name", "birth_date", "sex", "guardian_phone")),
    ("name, birth date, sex, guardian's name", ("name", "birth_date", "sex", "guardian_name")),
    ("name, birth date, sex, county", ("name", "birth_date", "sex", "division_code")),
    ("name, birth date, sex", ("name", "birth_date", "sex")),
    ("name, birth date, household", ("name", "birth_date", "household_id")),
    ("birth date, sex, household", ("birth_date", "sex", "household_id")),
    ("name, sex, household", ("name", "sex", "household_id")),
]


@pytest.mark.parametrize(("how", "columns"), WAYS)
def test_each_way_of_telling_alone(recognised, how, columns):
    assert recognised([changed(*columns)], [CHILD]) == {1: ("C1", how)}


def test_the_name_of_before_tells_a_child_that_has_another_now(recognised):
    found = recognised([changed("birth_date", "sex") | {"former_name": CHILD["name"]}], [CHILD])

    assert found == {1: ("C1", "former name, birth date, sex")}


@pytest.mark.parametrize(
    "columns",
    [
        ("name", "birth_date"),
        ("name", "sex"),
        ("birth_date", "sex"),
        ("household_id", "sex", "guardian_name"),
        ("id_number",),
    ],
)
def test_less_than_that_is_another_child(recognised, columns):
    assert recognised([changed(*columns)], [CHILD]) == {1: ("new", "new")}
    assert (recognised.continuity.new, recognised.continuity.gone) == (1, 1)


@pytest.mark.parametrize(("how", "columns"), [way for way in WAYS if way[0] != "number, with name or birth date"])
def test_two_who_could_be_meant_are_not_guessed_at(recognised, how, columns):
    now, another = changed(*columns), {"id_number": "N1" if {"id_number", "has_no_key"} & set(columns) else "N8"}

    assert {who for who, _ in recognised([now, now | another], [CHILD]).values()} == {"new"}
    assert recognised([now], [CHILD, CHILD | another])[1][0] == "new"


def test_a_household_of_nobody_knows_which_tells_nothing(recognised):
    unknown = {"household_id": None}

    assert recognised([changed("birth_date", "sex") | unknown], [CHILD | unknown]) == {1: ("new", "new")}


def test_the_surer_way_goes_first(recognised):
    """The number's bearer is the child, though another now has its name, birth date and household."""
    found = recognised(
        [changed("id_number", "birth_date"), changed("name", "birth_date", "sex", "household_id")], [CHILD]
    )

    assert found[1] == ("C1", "number, with name or birth date")
    assert found[2] == ("new", "new")


@pytest.mark.parametrize("corrected", [("N2", "N1"), ("N3", "N1"), ("N2", "N4")])
def test_twins_whose_numbers_are_exchanged_stay_who_they_are(recognised, corrected):
    twin = CHILD | {"id_number": "N2", "name": "王小亮"}

    found = recognised([now | {"id_number": n} for now, n in zip((CHILD, twin), corrected, strict=True)], [CHILD, twin])

    assert {person: child for person, (child, _) in found.items()} == {1: "C1", 2: "C2"}


@pytest.mark.parametrize(
    ("cells", "is_the_child"),
    [
        ({}, True),
        ({"has_key": False}, False),  # shared with somebody, or with a bad check digit
        ({"birth_date": dt.date(2015, 1, 1)}, False),  # a mother's, or a sister's
        ({"name": "李小红"}, False),
    ],
    ids=["a like name", "no key", "of another birth date", "another name"],
)
def test_a_child_whose_name_and_birth_date_are_put_right_is_told_by_a_number_of_its_own(
    recognised, cells, is_the_child
):
    before = CHILD | {"id_number": number(1), "name": "王晓明", "birth_date": dt.date(2016, 3, 21)}
    now = STRANGER | {"id_number": number(1), "name": "王小明", "birth_date": BORN} | cells

    assert recognised([now], [before])[1][0] == ("C1" if is_the_child else "new")


def test_a_number_that_is_no_key_is_no_sure_way(recognised):
    """What a spreadsheet made of a number, or a mother's, stands in the rows of many."""
    found = recognised([changed("id_number", "name") | {"has_key": False}], [CHILD])

    assert found == {1: ("new", "new")}


def test_but_tells_namesakes_of_one_day_apart(recognised):
    namesake = CHILD | {"id_number": "N2"}
    now = [child | {"has_key": False} for child in (namesake, CHILD)]

    assert {person: child for person, (child, _) in recognised(now, [CHILD, namesake]).items()} == {1: "C2", 2: "C1"}


def test_a_number_on_another_row_of_the_same_person_tells_it(recognised):
    persons = [STRANGER, STRANGER | {"id_number": "N1", "is_a_person": False}]

    assert recognised(persons, [CHILD], groups=[(2, 2), (2, 4)]) == {1: ("C1", "number of another row")}


def test_so_does_one_on_a_resident_row_but_none_that_is_not_valid(recognised):
    resident = {"row": 3, "id_number": "N1", "id_valid": True, "name": "王小明"}

    assert recognised([STRANGER], [CHILD], groups=[(2, 2), (2, 7)], residents=[resident])[1][0] == "C1"
    assert (
        recognised([STRANGER], [CHILD], groups=[(2, 2), (2, 7)], residents=[resident | {"id_valid": False}])[1][0]
        == "new"
    )


def test_nor_does_one_on_another_row_that_is_not_valid(recognised):
    other = STRANGER | {"id_number": "N1", "id_valid": False, "is_a_person": False}

    assert recognised([STRANGER, other], [CHILD], groups=[(2, 2), (2, 4)])[1][0] == "new"


def test_nor_does_one_that_somebody_else_bears_too(recognised):
    """A sister's second row stands under the number of her brother, who bears it too."""
    persons = [STRANGER, STRANGER | {"id_number": "N1", "is_a_person": False}]

    assert recognised(persons, [CHILD], groups=[(2, 2), (2, 4)], shared=[4])[1][0] == "new"


def test_the_other_form_of_a_name_is_the_name(recognised):
    assert recognised([changed("birth_date", "sex") | {"name": "張偉"}], [CHILD | {"name": "张伟"}])[1][0] == "C1"


@pytest.mark.parametrize(
    ("cells", "enters"),
    [
        ({}, True),
        ({"is_live": False}, False),
        ({"birth_date": AGE.born_from}, True),
        ({"birth_date": AGE.born_to}, True),
        ({"birth_date": AGE.born_from - dt.timedelta(days=1)}, False),
        ({"birth_date": AGE.born_to + dt.timedelta(days=1)}, False),
    ],
)
def test_a_live_person_of_school_age_enters(recognised, cells, enters):
    assert recognised([CHILD | cells]) == ({1: ("new", "new")} if enters else {})


@pytest.mark.parametrize("cells", [{"is_live": False}, {"birth_date": dt.date(2009, 1, 1)}])
def test_a_child_that_is_known_is_recognised_whatever_has_become_of_it(recognised, cells):
    assert recognised([CHILD | cells], [CHILD])[1][0] == "C1"


def test_a_new_childs_number_follows_from_what_it_came_with_and_not_from_its_row_or_the_others(recognised):
    recognised([CHILD])
    alone = recognised.numbers[1]
    recognised([STRANGER, CHILD])

    assert recognised.numbers[2] == alone
    assert recognised.numbers[1] != alone
    assert re.fullmatch(r"C[0-9A-F]{15}", alone)


@pytest.mark.parametrize(
    "column", ["id_number", "name", "birth_date", "sex", "household_id", "division_code", "guardian_name"]
)
def test_and_is_another_where_any_of_that_is(recognised, column):
    recognised([CHILD])
    before = recognised.numbers[1]
    recognised([CHILD | {column: STRANGER[column]}])

    assert recognised.numbers[1] != before


def test_two_who_came_with_exactly_the_same_have_two_numbers(recognised):
    recognised([CHILD, CHILD])

    assert recognised.numbers[2] == f"{recognised.numbers[1]}-2"


def test_who_comes_with_exactly_what_a_child_came_with_that_has_been_corrected_since_is_another(recognised):
    recognised([CHILD])
    [first] = recognised.numbers.values()
    corrected = CHILD | {"id_number": "N2", "name": "王大明", "household_id": "H5", "child_id": first}

    found = recognised([{name: corrected[name] for name in CHILD}, CHILD, CHILD], [corrected])

    assert found[1] == (first, "number, with name or birth date")
    assert recognised.numbers == {1: first, 2: f"{first}-2", 3: f"{first}-3"}


@pytest.mark.parametrize("column", ["guardian_phone", "township_name", "township_code", "address"])
def test_nor_do_their_numbers_follow_from_the_order_of_their_rows(recognised, column):
    two = [CHILD | {column: "甲"}, CHILD | {column: "乙"}]
    recognised(two)
    first = recognised.numbers
    recognised(two[::-1])

    assert recognised.numbers == {1: first[2], 2: first[1]}


def test_two_who_are_told_apart_by_their_township_alone_stay_who_they_are(recognised):
    nobody = CHILD | dict.fromkeys(("id_number", "household_id", "guardian_name", "guardian_phone"))
    before = [nobody | {"township_name": "甲镇"}, nobody | {"township_name": "乙镇"}]

    assert {person: child for person, (child, _) in recognised(before[::-1], before).items()} == {1: "C2", 2: "C1"}


# -- the number of before ------------------------------------------------------------------------------------------------


def number(nth):
    """A valid made-up number."""
    first17 = f"53312320160312{nth:03d}"
    return first17 + check_digit(first17)


def key(nth):
    return int(number(nth)[:17])


FORMERLY = CHILD | {"id_number": number(1)}
CORRECTED = CHILD | {"id_number": number(2)}


def test_the_number_that_a_corrected_child_bore_is_kept_beside_it(recognised):
    recognised([CORRECTED], [FORMERLY])

    assert recognised.before == {1: key(1)}


def test_a_child_that_has_its_number_bore_none_unless_an_earlier_version_says_so(recognised):
    recognised([FORMERLY], [FORMERLY])
    assert recognised.before == {}

    earlier = [{"child_id": "C1", "id_number": number(nth), "until_version": nth} for nth in (3, 5, 4)]
    recognised([FORMERLY], [FORMERLY], identities=earlier)
    assert recognised.before == {1: key(5)}


def test_the_names_that_a_child_bore_are_kept_beside_it(recognised):
    renamed = CHILD | {"name": "王大亮"}

    recognised([CHILD], [CHILD])
    assert recognised.names == set()
    recognised([renamed], [CHILD])
    assert recognised.names == {(1, "王小明")}
    recognised([renamed | {"id_number": "N2"}], [CHILD])
    assert recognised.names == {(1, "王小明")}
    recognised([renamed], [renamed], identities=[{"child_id": "C1", "name": name} for name in ("王小明", "王二")])
    assert recognised.names == {(1, "王小明"), (1, "王二")}


def test_of_the_names_of_before_the_last_that_is_not_tonights_is_told(recognised, working):
    def last():
        return [row["name"] for row in working.all("SELECT name FROM standard.names_before WHERE is_last")]

    was = [
        {"child_id": "C1", "name": name, "until_version": n} for n, name in ((4, "王二"), (6, "王大亮"), (5, "王三"))
    ]
    renamed = CHILD | {"name": "王大亮"}

    recognised([renamed], [renamed], identities=was)
    assert last() == ["王三"]
    recognised([renamed], [CHILD], identities=was)
    assert last() == ["王小明"]
    recognised([CHILD | {"id_number": "N2"}], [CHILD])
    assert last() == []


def test_an_earlier_row_of_the_register_tells_a_name_of_before_where_no_version_does(recognised, working):
    named = (("王二", "2024"), ("王三", "2025"))
    earlier = [
        CHILD | {"name": name, "updated_at": on, "key": 1, "is_live": False, "is_a_person": False} for name, on in named
    ]
    renamed = CHILD | {"name": "王大亮"}
    groups = [(2, ref) for ref in (2, 4, 6)]

    recognised([renamed, *earlier], [renamed], groups=groups)
    assert recognised.names == {(1, "王二"), (1, "王三")}
    assert [row["name"] for row in working.all("SELECT name FROM standard.names_before WHERE is_last")] == ["王三"]


def test_that_of_the_night_before_is_later_than_any_version_says(recognised):
    recognised([CORRECTED], [FORMERLY], identities=[{"child_id": "C1", "id_number": number(3), "until_version": 9}])

    assert recognised.before == {1: key(1)}


def test_a_number_that_somebody_bears_tonight_is_nobodys_of_before(recognised):
    recognised([CORRECTED, STRANGER | {"key": key(1)}], [FORMERLY])

    assert recognised.before == {}


def test_nor_is_one_that_two_bore_or_that_is_not_valid(recognised):
    brother = {"household_id": "H2", "name": "王大亮"}
    recognised([CORRECTED, CORRECTED | brother | {"id_number": number(4)}], [FORMERLY, FORMERLY | brother])
    assert recognised.before == {}

    recognised([CORRECTED], [FORMERLY | {"id_number": "N1"}])
    assert recognised.before == {}
