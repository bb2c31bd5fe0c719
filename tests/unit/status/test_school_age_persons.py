"""Who is counted as a child of school age, and as which other child where it is one person under two numbers."""

import datetime as dt

import pytest

from kcb_pipeline.engines.embedded import create
from kcb_pipeline.engines.sql import run_step, step_rows
from kcb_pipeline.status.evidence import PACKAGE

BORN = dt.date(2016, 3, 12)
FROM, TO = dt.date(2010, 9, 1), dt.date(2020, 8, 31)
DAY = dt.timedelta(days=1)


@pytest.fixture
def counted(working):
    """`counted(...)`: {child: (is live, state, counted as)} from rows by table, with persons of school age where nothing else is said."""

    def make(*, persons=(), before=(), **rows):
        whole = [
            {"ref": p["person"], "row": p["person"] // 2, "is_live": True, "state": "live", "birth_date": BORN, **p}
            for p in persons
        ]
        working.put("standard.persons", *whole)
        working.put("standard.children", *({"person": p["person"], "child_id": f"C{p['person']}"} for p in persons))
        working.put(
            "previous_child_facts",
            *({"birth_date": BORN, "population_type": "registered", **child} for child in before),
        )
        for table in (
            "landed.population", "landed.deregistrations", "standard.person_groups", "standard.population_keys", "standard.gone_children",
            "standard.shared_numbers",
        ):  # fmt: skip
            working.put(table, *rows.get(table.partition(".")[2], ()))
        named = rows.get("deregistrations", ())
        working.put(
            "status.attributed",
            *({"source": "deregistrations", "row": d["row"], "person": d["row"], "rank": 1} for d in named),
        )
        doubles = step_rows(working.connection, "kcb_pipeline.identity", "merged_doubles")
        create(working.connection, "standard.numbers_struck_off", doubles.select("row"))
        run_step(working.connection, PACKAGE, "standing_strikings_off", "status.standing_strikings_off")
        run_step(
            working.connection,
            PACKAGE,
            "school_age_persons",
            "status.school_age_persons",
            {"born_from": FROM, "born_to": TO},
        )
        found = working.all("SELECT child_id, is_live, state, duplicate_of FROM status.school_age_persons")
        assert len(found) == len({one["child_id"] for one in found})
        return {one["child_id"]: (one["is_live"], one["state"], one["duplicate_of"]) for one in found}

    return make


@pytest.mark.parametrize(("born", "counts"), [(FROM - DAY, False), (FROM, True), (TO, True), (TO + DAY, False)])
def test_a_live_person_is_counted_by_its_birth_date(counted, born, counts):
    assert counted(persons=[{"person": 2, "birth_date": born}]) == ({"C2": (True, "live", None)} if counts else {})


@pytest.mark.parametrize(("born", "counts"), [(FROM - DAY, False), (FROM, True), (TO, True), (TO + DAY, False)])
def test_a_child_that_is_gone_is_counted_until_it_is_past_school_age(counted, born, counts):
    assert counted(before=[{"child_id": "C9", "birth_date": born}]) == ({"C9": (False, "gone", None)} if counts else {})


def test_a_child_that_is_live_no_more_is_counted_once_with_its_state_and_a_stranger_who_never_was_is_not(counted):
    dead = {"is_live": False, "state": "dead"}

    assert counted(persons=[{"person": 2, **dead}, {"person": 4, **dead}], before=[{"child_id": "C2"}]) == {
        "C2": (False, "dead", None)
    }


def test_its_row_is_told_where_it_came_tonight_and_of_which_register_it_is(counted, working):
    before = [{"child_id": child} for child in ("C2", "C3", "C9")]
    expired = {"is_live": False, "population_type": "resident"}
    counted(persons=[{"person": 2, "row": 7, **expired}, {"person": 3, "row": -1, **expired}], before=before)

    told = working.all("SELECT child_id, population_type, population_row FROM status.school_age_persons ORDER BY 1")
    assert [tuple(one.values()) for one in told] == [
        ("C2", "resident", 7), ("C3", "resident", None), ("C9", "registered", None),
    ]  # fmt: skip


def test_a_child_of_the_version_before_that_is_live_is_counted_once(counted):
    assert counted(persons=[{"person": 2}], before=[{"child_id": "C2"}]) == {"C2": (True, "live", None)}


# -- one person under two numbers --------------------------------------------------------------------------------------


ONE_OF_TWO_ROWS = {"ref": 6, "id_key": 9, "birth_date": BORN, "folded": 7, "pinyin": 77}


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ({}, "C2"),
        ({"folded": 8}, "C2"),  # it sounds the same
        ({"pinyin": 88}, "C2"),
        ({"folded": 8, "pinyin": 88, "former_folded": 7}, "C2"),
        ({"folded": 8, "pinyin": 88}, None),
        ({"birth_date": BORN + DAY}, None),
        ({"id_key": None}, None),
        ({"id_key": 8}, None),
    ],
)
def test_a_child_whose_row_is_gone_and_who_stands_in_a_row_of_another_is_that_one(counted, row, other):
    found = counted(
        persons=[{"person": 2}],
        before=[{"child_id": "C9"}],
        gone_children=[{"child_id": "C9", "id_key": 9, "birth_date": BORN, "folded": 7, "pinyin": 77}],
        population_keys=[ONE_OF_TWO_ROWS | row],
        person_groups=[{"person": 2, "ref": 6}],
    )

    assert found["C9"] == (False, "gone", other)


def test_but_not_by_a_number_that_two_people_share(counted):
    found = counted(
        persons=[{"person": 2}],
        before=[{"child_id": "C9"}],
        gone_children=[{"child_id": "C9", "id_key": 9, "birth_date": BORN, "folded": 7, "pinyin": 77}],
        population_keys=[ONE_OF_TWO_ROWS],
        person_groups=[{"person": 2, "ref": 6}],
        shared_numbers=[{"ref": 6}],
    )

    assert found["C9"] == (False, "gone", None)


def double(row=4, **cells):
    return {"row": row, "kind": "重户", "id_number": "N9", "kept_id_number": "N2", "reversal_flag": "0", **cells}


KEPT = {"row": 1, "id_number": "N2", "id_valid": True}


@pytest.mark.parametrize(
    ("said", "kept", "other"),
    [
        ({}, {}, "C2"),
        ({"reversal_flag": None}, {}, "C2"),
        ({"kind": "删除"}, {}, "C2"),
        ({"reversal_flag": "1"}, {}, None),
        ({"kind": "死亡"}, {}, None),
        ({}, {"id_valid": False}, None),
        ({}, {"id_number": "N3"}, None),
    ],
)
def test_a_number_struck_off_for_one_that_is_kept_makes_a_child_that_is_gone_the_other(counted, said, kept, other):
    found = counted(
        persons=[{"person": 2}],
        before=[{"child_id": "C9", "id_number": "N9"}],
        population=[KEPT | kept],
        deregistrations=[double(**said)],
    )

    assert found["C9"] == (False, "gone", other)


def test_whoever_the_kept_number_stands_for_is_the_other(counted):
    """The number stands on one of the rows of that person, and not on the one that its number is after."""
    found = counted(
        persons=[{"person": 6}],
        before=[{"child_id": "C9", "id_number": "N9"}],
        population=[KEPT],
        deregistrations=[double()],
        person_groups=[{"person": 6, "ref": 6}, {"person": 6, "ref": 2}],
    )

    assert found["C9"] == (False, "gone", "C6")


@pytest.mark.parametrize(("person", "other"), [(6, "C6"), (4, None)], ids=["another", "itself"])
def test_so_it_is_where_the_row_under_the_number_struck_off_is_still_there_and_nobody_is_the_other_of_itself(
    counted, person, other
):
    found = counted(
        persons=[{"person": 4}, {"person": 6}],
        population=[KEPT, {"row": 2, "id_number": "N9", "id_valid": True}],
        deregistrations=[double()],
        person_groups=[{"person": person, "ref": 2}],
    )

    assert found["C4"] == (True, "live", other)


UNDONE = dt.date(2026, 5, 1)


@pytest.mark.parametrize(
    ("cells", "is_undone"),
    [
        ({}, True),
        ({"occurred_on": UNDONE - 2 * DAY}, False),
        ({"kind": "迁出"}, False),
        ({"id_number": "N8"}, False),
        ({"reversal_flag": "0"}, False),
        ({"occurred_on": UNDONE - DAY}, True),
        ({"id_valid": False}, False),
    ],
)
@pytest.mark.parametrize("is_there", [True, False], ids=["its row is there", "its row is gone"])
def test_a_striking_off_that_a_later_row_undid_makes_no_child_the_other(counted, cells, is_undone, is_there):
    undone = {
        "row": 9,
        "kind": "重户",
        "id_number": "N9",
        "id_valid": True,
        "occurred_on": UNDONE,
        "reversal_flag": "1",
    }
    found = counted(
        persons=[{"person": 2}, *([{"person": 4}] if is_there else [])],
        before=[] if is_there else [{"child_id": "C9", "id_number": "N9"}],
        population=[KEPT, *([{"row": 2, "id_number": "N9", "id_valid": True}] if is_there else [])],
        deregistrations=[double(occurred_on=UNDONE - DAY), undone | cells],
    )

    assert found["C4" if is_there else "C9"][2] == (None if is_undone else "C2")


def test_a_child_is_never_counted_as_itself(counted):
    found = counted(
        persons=[{"person": 2, "is_live": False, "state": "deleted"}],
        before=[{"child_id": "C2", "id_number": "N9"}],
        population=[KEPT],
        deregistrations=[double()],
    )

    assert found == {"C2": (False, "deleted", None)}


@pytest.mark.parametrize(
    ("said", "kept_person", "other"),
    [
        ({}, {}, "C2"),
        ({"reversal_flag": "1"}, {}, None),
        ({"kind": "死亡"}, {}, None),
        ({"id_number": "N2"}, {}, None),
        ({}, {"birth_date": BORN + DAY}, None),
        ({}, {"is_live": False}, None),
    ],
)
def test_so_does_it_where_the_row_under_the_number_struck_off_is_still_there(counted, said, kept_person, other):
    found = counted(
        persons=[{"person": 2, **kept_person}, {"person": 4}],
        population=[KEPT, {"row": 2, "id_number": "N9", "id_valid": True}],
        deregistrations=[double(**said)],
    )

    assert found["C4"] == (True, "live", other)
