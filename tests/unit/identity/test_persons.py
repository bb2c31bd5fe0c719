"""Who is one person on each side: numbers that people share, numbers that were struck off for others, and which row stands for a person."""

import pytest

from kcb_pipeline.identity.persons import resolve_population, resolve_registry
from kcb_pipeline.identity.standardise import standardise_population, standardise_registry
from tests.unit.identity.conftest import made_up_number

BORN = "20150312"
OWN = made_up_number(BORN, "002")
MOTHERS = made_up_number("19880506", "002")
ELDER_SISTERS = made_up_number("20121201", "004")


def child(name, **cells):
    return {
        "name": name, "birth_date": BORN, "sex": "2", "household_id": "H1", "division_code": "533123", "person_state": "0",
        "father_name": "金大山", "father_id_number": made_up_number("19860101", "001"),
    } | cells  # fmt: skip


def record(name, number, place=0, **cells):
    return {
        "name": name, "birth_date": BORN, "sex": "2", "id_type": "1", "id_number": number, "registry_status": "01",
        "student_number": f"L533123{BORN}{place:04d}", "school_code": "3153290101", "grade": "5",
    } | cells  # fmt: skip


@pytest.fixture
def resolved(landed):
    """Lands these rows and says who is who; gives a query on the working tables."""

    def make(**rows):
        workspace, query = landed(**rows)
        standardise_population(workspace)
        standardise_registry(workspace)
        resolve_population(workspace)
        resolve_registry(workspace)
        return query

    return make


def pupils(query):
    return query(
        "SELECT count(*) FROM standard.students s JOIN landed.student_registry r USING (row) WHERE r.name <> '余人'"
    )[0][0]


def noted(query):
    return [row for (row,) in query("SELECT row FROM landed.cell_issues WHERE rule = 'shared_id_number' ORDER BY row")]


TWINS = [
    ("金雨", "金悦"),
    ("莫春兰", "莫春莲"),
    ("韦丽", "韦莉"),
    ("石佳佳", "石佳"),
    ("何静", "何婧"),
    ("吴雨桐", "吴欣妍"),
]
"""By sound, by look, a character more, and nothing but the surname in common."""


@pytest.mark.parametrize("other_status", ["01", "10"])
@pytest.mark.parametrize("number", [MOTHERS, ELDER_SISTERS], ids=["mother's", "elder sister's"])
@pytest.mark.parametrize("names", TWINS)
@pytest.mark.parametrize("turned", [False, True])
def test_twins_under_the_number_of_another_are_two_pupils_with_a_shared_number(
    resolved, names, number, other_status, turned
):
    statuses = ("01", other_status)
    rows = [
        record(name, number, n, registry_status=status)
        for n, (name, status) in enumerate(zip(names, statuses, strict=True))
    ]

    query = resolved(student_registry=rows[::-1] if turned else rows)

    assert pupils(query) == 2
    assert noted(query) == [1, 2]
    assert query("SELECT DISTINCT id_key, number_is_shared FROM standard.students") == [(None, True)]


def test_the_birth_date_that_is_missing_and_taken_from_a_mothers_number_does_not_make_it_the_childs(resolved):
    query = resolved(
        student_registry=[record(name, MOTHERS, n, birth_date="") for n, name in enumerate(("韦丽", "韦莉"))]
    )

    assert pupils(query) == 2


@pytest.mark.parametrize("other_status", ["01", "10"])
def test_one_child_with_two_records_under_its_mothers_number_is_one_pupil_whoever_else_bears_it(resolved, other_status):
    rows = [
        record("金悦", MOTHERS, 1),
        record("金雨", MOTHERS, 2),
        record("金雨", MOTHERS, 3, registry_status=other_status),
    ]

    query = resolved(student_registry=rows)

    assert pupils(query) == 2
    assert noted(query) == [1, 2, 3]


@pytest.mark.parametrize("names", [("刘小明", "劉小明"), ("李晓丽", "李小丽"), ("李晓丽", "李晓")])
def test_a_second_record_under_the_childs_own_number_with_a_damaged_name_is_the_childs(resolved, names):
    query = resolved(
        population=[child(names[0], id_number=OWN)],
        student_registry=[record(name, OWN, n) for n, name in enumerate(names)],
    )

    assert pupils(query) == 1
    assert noted(query) == []


def test_an_ended_record_under_the_childs_own_number_may_bear_an_earlier_name(resolved):
    query = resolved(student_registry=[record("韦丽", OWN, 1), record("莫春兰", OWN, 2, registry_status="10")])

    assert pupils(query) == 1


@pytest.mark.parametrize("other_status", ["01", "10"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"father_name": "", "father_id_number": ""}, {}),
        ({}, {"household_id": "H2", "father_name": "金大山子"}),
        ({"guardian_phone": "13800000001"}, {"household_id": "H2", "father_id_number": "", "guardian_phone": "13800000001"}),
    ],
    ids=["one household", "one father's number", "one phone"],
)  # fmt: skip
@pytest.mark.parametrize("names", TWINS[:5])
def test_twins_who_stand_side_by_side_in_the_population_are_two_pupils_though_both_bear_ones_number(
    resolved, names, first, second, other_status
):
    population = [
        child(names[0], id_number=OWN, **first),
        child(names[1], id_number=made_up_number(BORN, "004"), **second),
    ]
    rows = [record(names[0], OWN, 1), record(names[1], OWN, 2, registry_status=other_status)]

    query = resolved(population=population, student_registry=rows)

    assert pupils(query) == 2
    assert noted(query) == [1, 2]


@pytest.mark.parametrize(
    "stranger",
    [
        {"household_id": "H2", "father_name": "石大川", "father_id_number": made_up_number("19850101", "003")},
        {"birth_date": "20150313", "id_number": made_up_number("20150313", "004")},
        {"person_state": "1"},
    ],
    ids=["another family's", "born on another day", "no longer live"],
)
def test_a_child_of_the_damaged_name_who_is_no_twin_does_not_keep_two_records_apart(resolved, stranger):
    population = [child("韦丽", id_number=OWN), child("韦莉", id_number=made_up_number(BORN, "004")) | stranger]

    query = resolved(population=population, student_registry=[record("韦丽", OWN, 1), record("韦莉", OWN, 2)])

    assert pupils(query) == 1


def test_a_child_registered_twice_is_no_twin_of_itself(resolved):
    population = [child("韦丽", id_number=OWN), child("韦莉", id_number=OWN, household_id="H2")]

    query = resolved(population=population, student_registry=[record("韦丽", OWN, 1), record("韦莉", OWN, 2)])

    assert query("SELECT count(*) FROM standard.persons WHERE name_key <> '余人'") == [(1,)]
    assert pupils(query) == 1


def test_a_row_of_the_population_that_is_no_longer_live_may_bear_an_earlier_name(resolved):
    rows = [child("莫春兰", id_number=OWN, person_state="7", updated_at="20260901"), child("韦丽", id_number=OWN)]

    query = resolved(population=rows)

    assert query("SELECT row FROM standard.persons WHERE name_key <> '余人'") == [(2,)]
    assert noted(query) == []


def test_two_live_rows_of_one_household_and_number_with_two_names_are_two_people(resolved):
    query = resolved(population=[child("韦丽", id_number=OWN), child("韦莉", id_number=OWN)])

    assert query("SELECT count(*) FROM standard.persons WHERE id_key IS NULL") == [(2,)]
    assert noted(query) == [1, 2]


def test_two_children_under_one_g_number_of_their_mothers_are_two_pupils(resolved):
    rows = [record(name, "", student_number=f"G{MOTHERS}", id_type="Z") for name in ("韦丽", "韦莉")]

    assert pupils(resolved(student_registry=rows)) == 2


def test_a_transfer_under_one_student_number_is_one_pupil(resolved):
    rows = [
        record("韦丽", "", student_number=f"L533123{BORN}0001", registry_status="10"),
        record("韦莉", "", student_number=f"L533123{BORN}0001", school_code="3153290102"),
    ]

    assert pupils(resolved(student_registry=rows)) == 1


# -- 重户 ------------------------------------------------------------------------------------------------------------

OLD = made_up_number(BORN, "006", division="522635")


def struck_off(**cells):
    return {
        "id_number": OLD, "name": "韦丽", "birth_date": BORN, "kind": "重户", "occurred_on": "20260801", "reversal_flag": "0",
        "kept_id_number": OWN,
    } | cells  # fmt: skip


def second_keys(query):
    return [key for (key,) in query("SELECT other_key FROM standard.persons WHERE name_key <> '余人' ORDER BY row")]


@pytest.mark.parametrize(
    "said",
    [{}, {"name": "韦莉"}, {"birth_date": ""}, {"kind": "删除"}, {"occurred_on": "2026年13月"}],
    ids=["the same", "another spelling", "no birth date", "of another kind", "a day that cannot be read"],
)
def test_a_number_struck_off_for_another_is_a_second_key_of_who_bears_that(resolved, said):
    query = resolved(population=[child("韦丽", id_number=OWN)], deregistrations=[struck_off(**said)])

    assert second_keys(query) == [int(OLD[:17])]


@pytest.mark.parametrize(
    "said",
    [{"name": "吴欣妍"}, {"birth_date": "20140101"}, {"kind": "迁出"}, {"reversal_flag": "1"}, {"reversal_flag": "1", "occurred_on": ""},
     {"id_number": OLD[:-1] + "?"}, {"kept_id_number": ""}],
    ids=lambda said: next(iter(said)),
)  # fmt: skip
def test_it_is_none_where_name_or_birth_date_speak_against_it_or_it_does_not_hold(resolved, said):
    query = resolved(population=[child("韦丽", id_number=OWN)], deregistrations=[struck_off(**said)])

    assert second_keys(query) == [None]


def test_a_striking_off_that_was_undone_since_gives_no_key(resolved):
    undone = struck_off(reversal_flag="1", occurred_on="20260901")

    query = resolved(population=[child("韦丽", id_number=OWN)], deregistrations=[struck_off(), undone])

    assert second_keys(query) == [None]


@pytest.mark.parametrize(
    ("other", "undoes"),
    [
        ({"occurred_on": "20260801"}, True),
        ({"occurred_on": "20260731"}, False),  # an earlier one: it was struck off again since
        ({"occurred_on": "2026年13月"}, True),  # which came last nobody can say
        ({"kind": "迁出"}, False),
    ],
    ids=["on that day", "before", "of no known day", "of another kind"],
)
def test_it_is_undone_by_what_says_so_of_that_kind_and_not_before(resolved, other, undoes):
    undone = struck_off(reversal_flag="1", occurred_on="20260901") | other

    query = resolved(population=[child("韦丽", id_number=OWN)], deregistrations=[struck_off(reversal_flag=""), undone])

    assert second_keys(query) == [None if undoes else int(OLD[:17])]


def test_a_number_that_leads_to_two_people_is_nobodys_former_one(resolved):
    other = made_up_number(BORN, "008")
    two = resolved(
        population=[child("韦丽", id_number=OWN), child("韦丽", id_number=other, household_id="H2", father_id_number="", father_name="")],
        deregistrations=[struck_off(), struck_off(kept_id_number=other)],
    )  # fmt: skip

    assert second_keys(two) == [None, None]


def test_a_number_that_another_bears_is_nobodys_former_one(resolved):
    query = resolved(
        population=[child("韦丽", id_number=OWN), child("吴欣妍", id_number=OLD, household_id="H2")],
        deregistrations=[struck_off()],
    )

    assert second_keys(query) == [None, None]


def test_a_kept_number_that_two_people_share_has_no_former_one(resolved):
    population = [child("韦丽", id_number=OWN), child("吴欣妍", id_number=OWN, household_id="H2")]

    query = resolved(population=population, deregistrations=[struck_off()])

    assert second_keys(query) == [None, None]


@pytest.mark.parametrize("state", ["0", "7"])
def test_a_row_that_is_still_there_under_the_number_struck_off_is_the_same_persons(resolved, state):
    stranger = {"household_id": "H2", "father_name": "", "father_id_number": "", "person_state": state}
    query = resolved(
        population=[child("韦丽", id_number=OWN, updated_at="20260901"), child("韦丽", id_number=OLD, updated_at="20250101", **stranger)],
        deregistrations=[struck_off()],
    )  # fmt: skip

    assert query("SELECT row, other_key FROM standard.persons WHERE name_key <> '余人'") == [(1, int(OLD[:17]))]
    twice = query("SELECT population_row, duplicate_population_row, reason FROM standard.duplicate_persons")
    assert twice == ([(1, 2, "struck_off_as_duplicate")] if state == "0" else [])


# -- the rows of one name in one family -------------------------------------------------------------------------------

GONE = {"person_state": "7"}
YEAR_LATER = {"birth_date": "20160312", "id_number": made_up_number("20160312", "004")}


@pytest.mark.parametrize(
    ("first", "second", "people"),
    [
        ({}, YEAR_LATER | GONE, 1),
        ({}, YEAR_LATER, 2),
        ({}, {"birth_date": "20160312"}, 2),
        ({}, YEAR_LATER | GONE | {"sex": "1"}, 2),
        (GONE, YEAR_LATER | GONE, 2),
        (GONE, {"id_number": made_up_number(BORN, "004")} | GONE, 2),
        ({}, {"id_number": made_up_number(BORN, "004")} | GONE, 1),
        ({"household_id": "H2"} | GONE, {"id_number": made_up_number(BORN, "004")}, 1),
        ({}, {"id_number": made_up_number(BORN, "004"), "household_id": "H2"}, 1),
        ({}, {"id_number": made_up_number(BORN, "004"), "household_id": "H2", "sex": "1"}, 2),
    ],
    ids=[
        "what was corrected", "two live children", "two of whom one has no number", "of another sex", "neither is live", "nor are these of one day", "its earlier number", "in another household",
        "registered twice", "twins of one name",
    ],
)  # fmt: skip
def test_rows_of_one_name_in_one_family_are_one_person_where_one_is_live_and_nothing_speaks_against_it(
    resolved, first, second, people
):
    query = resolved(population=[child("韦丽", id_number=OWN) | first, child("韦丽") | second])

    assert query("SELECT count(*) FROM standard.persons WHERE name_key <> '余人'") == [(people,)]


@pytest.mark.parametrize(
    ("earlier", "people"),
    [
        ({"record_flag": "0"}, 1),
        ({"record_flag": "0", "id_number": ""}, 1),
        ({"record_flag": "0", "birth_date": "20160312"}, 2),
        ({"record_flag": "0", "sex": "1"}, 2),
        ({"record_flag": "0", "name": "韦莉莉"}, 2),
        ({"record_flag": "0", "household_id": "H2"}, 2),
        ({"record_flag": "0", "household_id": ""}, 2),
        ({"record_flag": "1"}, 2),
    ],
)
def test_an_earlier_row_of_the_household_is_the_childs_though_nobody_sent_guardians(resolved, earlier, people):
    nobody = {"father_name": "", "father_id_number": ""}
    rows = [
        child("韦丽", id_number=OWN, record_flag="1") | nobody,
        child("韦丽", id_number=OLD) | nobody | earlier,
    ]

    query = resolved(population=rows)

    assert query("SELECT count(*) FROM standard.persons WHERE name_key <> '余人'") == [(people,)]
    assert query("SELECT row, is_live FROM standard.persons WHERE id_key = " + OWN[:17]) == [(1, True)]


def test_an_earlier_row_whose_number_another_bears_is_that_ones(resolved):
    nobody = {"father_name": "", "father_id_number": "", "record_flag": "1"}
    rows = [
        child("韦丽", id_number=OWN) | nobody,
        child("韦丽", id_number=OLD) | nobody | {"record_flag": "0"},
        child("韦丽", id_number=OLD, household_id="H2") | nobody,
    ]

    query = resolved(population=rows)

    assert query("SELECT id_key, other_key FROM standard.persons WHERE name_key <> '余人' ORDER BY row") == [
        (int(OWN[:17]), None),
        (int(OLD[:17]), None),
    ]


@pytest.mark.parametrize(
    ("first", "second", "pupils_"),
    [
        ({}, {}, 1),
        ({}, {"student_number": ""}, 1),
        ({"student_number": ""}, {}, 1),
        ({}, {"id_type": "1", "id_number": made_up_number(BORN, "004")}, 1),
        ({}, {"birth_date": "20150313"}, 2),
        ({}, {"sex": "1"}, 2),
        ({}, {"name": "韦莉"}, 2),
        ({}, {"guardian1_name": "韦二山", "guardian1_id_number": made_up_number("19860102", "001")}, 2),
    ],
    ids=["the same", "without a number", "the other without one", "under another number", "of another day", "of another sex", "of another name", "of another family"],
)  # fmt: skip
def test_records_of_one_name_in_one_family_are_one_pupil_where_nothing_speaks_against_it(
    resolved, first, second, pupils_
):
    father = {"guardian1_name": "韦大山", "guardian1_id_number": made_up_number("19860101", "001")}
    rows = [record("韦丽", OWN, 1, **father) | first, record("韦丽", "", 2, **father, id_type="Z") | second]

    assert pupils(resolved(student_registry=rows)) == pupils_


# -- 双重户籍 ----------------------------------------------------------------------------------------------------------

TWICE = "SELECT population_row, duplicate_population_row, reason FROM standard.duplicate_persons"


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({}, [(1, 2, "same_id_number")]),
        ({"id_number": ""}, [(1, 2, "same_name_birth_and_guardian")]),
        ({"person_state": "7"}, []),
    ],
    ids=["one number", "one family", "no longer live"],
)
def test_a_person_with_two_live_rows_is_found_with_the_reason(resolved, other, found):
    rows = [
        child("韦丽", id_number=OWN, updated_at="20260901"),
        child("韦丽", id_number=OWN, household_id="H2") | other,
    ]

    assert resolved(population=rows)(TWICE) == found


def test_the_reason_is_the_same_where_the_row_under_the_number_struck_off_is_kept(resolved):
    rows = [child("韦丽", id_number=OWN), child("韦丽", id_number=OLD, household_id="H2", updated_at="20260901")]

    query = resolved(population=rows, deregistrations=[struck_off()])

    assert query(TWICE) == [(2, 1, "struck_off_as_duplicate")]


# -- which row stands for a person ------------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_of_records_that_are_otherwise_equal_the_one_that_stands_for_the_pupil_is_chosen_by_what_is_in_it(
    resolved, turned
):
    rows = [
        record("韦丽", OWN, 7, class_name="02"),
        record("韦丽", OWN, 7, class_name="01"),
        record("韦丽", OWN, 7, class_name=""),
    ]

    query = resolved(student_registry=rows[::-1] if turned else rows)

    assert query("SELECT class_name FROM standard.students JOIN landed.student_registry USING (row)") == [("01",)]


@pytest.mark.parametrize("turned", [False, True])
def test_a_record_with_a_number_stands_for_the_pupil_before_one_without(resolved, turned):
    father = {"guardian1_name": "韦大山", "guardian1_id_number": made_up_number("19860101", "001")}
    rows = [record("韦丽", OWN, 9, **father), record("韦丽", "", 1, id_type="Z", **father)]

    query = resolved(student_registry=rows[::-1] if turned else rows)

    assert query("SELECT id_key FROM standard.students") == [(int(OWN[:17]),)]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("source", ["population", "residents"])
def test_of_rows_of_one_person_that_are_otherwise_equal_the_one_kept_is_chosen_by_what_is_in_it(
    resolved, source, turned
):
    rows = [
        child("韦丽", id_number=OWN, township_name=name, household_id=f"H{name}") for name in ("乙镇", "丙镇", "甲镇")
    ]

    query = resolved(**{source: rows[::-1] if turned else rows})

    kept = query(
        f"SELECT township_name FROM standard.persons p JOIN landed.{source} USING (row) WHERE p.id_key IS NOT NULL"
    )
    assert kept == [("丙镇",)]


def test_a_row_of_the_registered_population_stands_for_the_person_before_one_of_residents(resolved):
    family = {"guardian_name": "韦大山", "guardian_phone": "13800000001"}
    query = resolved(
        population=[child("韦丽", id_number="", father_name="", father_id_number="", **family)],
        residents=[
            {"name": "韦丽", "birth_date": BORN, "sex": "2", "id_number": OWN, "permit_state": "有效", **family}
        ],
    )

    kept = query("SELECT population_type, other_key FROM standard.persons WHERE name_key <> '余人'")
    assert kept == [("registered", int(OWN[:17]))]


@pytest.mark.parametrize("towns", [("甲镇", "乙镇"), ("乙镇", "甲镇")])
@pytest.mark.parametrize(
    ("kept", "other"),
    [
        ({}, {"person_state": "7", "updated_at": "20261001"}),
        ({"updated_at": "20260901"}, {"updated_at": "20250101"}),
        ({"updated_at": "20250101"}, {}),
        ({"updated_at": "2026-09-01 16:30"}, {"updated_at": "20260901093000"}),
        ({}, {"id_number": f"1{OWN[1:]}"}),
    ],
    ids=["live", "later", "of a known day", "later in the day", "with a valid number"],
)
def test_of_a_persons_rows_in_the_population_the_one_that_says_most_and_latest_is_kept(resolved, kept, other, towns):
    rows = [
        child("韦丽", id_number=OWN, township_name=town) | cells
        for town, cells in zip(towns, (kept, other), strict=True)
    ]

    query = resolved(population=rows)

    found = query("SELECT township_name FROM standard.persons JOIN landed.population USING (row) WHERE name <> '余人'")
    assert found == [(towns[0],)]


@pytest.mark.parametrize("classes", [("01", "02"), ("02", "01")])
@pytest.mark.parametrize(
    ("kept", "other"),
    [
        ({"status_date": "20250101"}, {"registry_status": "10", "status_date": "20261001"}),
        ({"status_date": "20260901"}, {"status_date": "20250101"}),
        ({"status_date": "20250101"}, {}),
        ({"enrolled_month": "202409"}, {"enrolled_month": "202309"}),
        ({"enrolled_month": "202309"}, {}),
    ],
    ids=["live", "later", "of a known day", "enrolled later", "of a known month"],
)
def test_of_a_pupils_records_the_live_and_latest_one_stands_for_it(resolved, kept, other, classes):
    rows = [record("韦丽", OWN, 7, class_name=name) | cells for name, cells in zip(classes, (kept, other), strict=True)]

    query = resolved(student_registry=rows)

    assert query("SELECT class_name FROM standard.students JOIN landed.student_registry USING (row)") == [(classes[0],)]


@pytest.mark.parametrize(
    ("born", "people"), [("20001231", 0), ("20010101", 1)], ids=["too old to be a pupil", "just young enough"]
)
@pytest.mark.parametrize("rows", [1, 2])
def test_who_is_too_old_to_be_a_pupil_is_no_person_however_many_rows_there_are(resolved, born, people, rows):
    number = made_up_number(born, "002")

    query = resolved(
        population=[child("韦丽", id_number=number, birth_date=born, household_id=f"H{n}") for n in range(rows)]
    )

    assert query("SELECT count(*) FROM standard.persons") == [(people,)]


def test_under_a_shared_number_the_one_after_a_g_is_a_key_where_it_is_another(resolved):
    rows = [record("韦丽", MOTHERS, student_number=f"G{OWN}"), record("吴欣妍", MOTHERS, student_number=f"G{MOTHERS}")]

    query = resolved(student_registry=rows)

    assert query("SELECT id_key, second_key FROM standard.students ORDER BY row") == [
        (None, int(OWN[:17])),
        (None, None),
    ]


# -- which row the others of its number are held against --------------------------------------------------------------

THREE = ("韦丽", "韦莉", "石佳佳")
"""The second resembles the first only: they are one person where the first speaks for the number, and two where the third does."""


@pytest.mark.parametrize("days", [("20260901", "20260101", "20250101"), ("20260901", "20250101", "")])
def test_in_the_registry_it_is_the_latest(resolved, days):
    query = resolved(
        student_registry=[
            record(name, OWN, n, status_date=day) for n, (name, day) in enumerate(zip(THREE, days, strict=True))
        ]
    )

    assert pupils(query) == 2


@pytest.mark.parametrize("days", [("20260901", "20260101", "20250101"), ("20260901", "20250101", "")])
def test_in_the_population_it_is_the_latest(resolved, days):
    rows = [
        child(name, id_number=OWN, household_id=f"H{day}", updated_at=day)
        for name, day in zip(THREE, days, strict=True)
    ]

    assert resolved(population=rows)("SELECT count(*) FROM standard.persons") == [(2,)]


def test_in_the_population_it_is_a_registered_row_before_one_of_residents(resolved):
    rows = [child(name, id_number=OWN, household_id=f"H{name}") for name in THREE[:2]]
    resident = {"name": THREE[2], "birth_date": BORN, "sex": "2", "id_number": OWN, "permit_state": "有效"}

    assert resolved(population=rows, residents=[resident])("SELECT count(*) FROM standard.persons") == [(2,)]
