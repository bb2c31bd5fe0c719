"""Standard keys: which rows are live, what a person's keys are taken from, and that landed rows stay as they were sent."""

import datetime as dt

import pytest

from kcb_pipeline.identity.persons import resolve_population
from kcb_pipeline.identity.standardise import DEAD_REGISTRY_STATUSES, standardise_population, standardise_registry

BIRTH = "20150312"


def person(name, **cells):
    return {"name": name, "birth_date": BIRTH, "sex": "1", "household_id": "H1", "division_code": "533123"} | cells


def test_the_dead_registry_statuses_are_those_of_the_contract():
    assert set(DEAD_REGISTRY_STATUSES) == {
        "03", "06", "07", "08", "09", "10", "11", "13", "14", "15", "99", "辍学", "出国", "其他离校",
    }  # fmt: skip


def test_live_population_rows_are_the_latest_unreversed_and_normal_ones_each_where_given(landed):
    cases = {
        "nothing given": ({}, True),
        "all given": ({"record_flag": "1", "reversal_flag": "0", "person_state": "0"}, True),
        "in the army": ({"person_state": "3"}, True),
        "an earlier record": ({"record_flag": "0", "reversal_flag": "0", "person_state": "0"}, False),
        "reversed": ({"record_flag": "1", "reversal_flag": "1", "person_state": "0"}, False),
        **{state: ({"person_state": state}, False) for state in ("1", "2", "4", "7", "8", "9")},
        "dead, as a label": ({"person_state": "死亡"}, False),
        "only the record flag": ({"record_flag": "1"}, True),
        "only the reversal flag": ({"reversal_flag": "0"}, True),
    }
    workspace, query = landed(population=[person(f"甲{n}", **cells) for n, (cells, _) in enumerate(cases.values())])

    standardise_population(workspace)

    found = dict(query("SELECT row, is_live FROM standard.population_keys"))
    assert {name: found[row] for row, name in enumerate(cases, start=1)} == {
        name: live for name, (_, live) in cases.items()
    }


def test_live_resident_rows_are_valid_and_not_cancelled(landed):
    cases = {
        "nothing given": ({}, True),
        "valid": ({"permit_state": "有效"}, True),
        "lapsed": ({"permit_state": "失效"}, False),
        "cancelled": ({"permit_state": "有效", "cancelled_on": "20261001"}, False),
        "cancelled and nothing else": ({"cancelled_on": "20261001"}, False),
    }
    rows = [person(f"甲{n}", household_division_code="510104", **cells) for n, (cells, _) in enumerate(cases.values())]
    workspace, query = landed(residents=rows)

    standardise_population(workspace)

    found = dict(query("SELECT row, is_live FROM standard.population_keys WHERE population_type = 'resident'"))
    assert {name: found[row] for row, name in enumerate(cases, start=1)} == {
        name: live for name, (_, live) in cases.items()
    }


@pytest.mark.parametrize("written", ["code", "label"])
def test_live_student_records_are_those_whose_status_is_not_dead(landed, written):
    labels = (
        "在读 休学 退学 停学 复学 流失 毕业 结业 肄业 转出 死亡 保留入学资格 公派出国 开除 下落不明".split()  # noqa: SIM905 (a line of the contract)
    )
    codes = {f"{n:02}": label for n, label in enumerate(labels, start=1)} | {"99": "其他"}
    both = codes if written == "label" else {code: code for code in codes}
    both |= {label: label for label in ("辍学", "出国", "其他离校")}
    rows = [person(f"甲{n}", student_number=f"J{n}", registry_status=text) for n, text in enumerate(both.values())]
    workspace, query = landed(student_registry=rows)

    standardise_registry(workspace)

    found = dict(query("SELECT registry_status, is_live FROM standard.registry_keys"))
    assert {status for status, is_live in found.items() if is_live} == {"01", "02", "04", "05", "12"}
    assert found.keys() == both.keys()


def test_population_and_resident_rows_with_one_row_number_are_told_apart(landed):
    workspace, query = landed(population=[person("甲")], residents=[person("乙", household_division_code="510104")])

    assert standardise_population(workspace) == 2

    found = query("SELECT population_type, row, name_key FROM standard.population_keys ORDER BY population_type")
    assert found == [("registered", 1, "甲"), ("resident", 1, "乙")]
    assert query("SELECT count(DISTINCT ref) FROM standard.population_keys") == [(2,)]


def test_only_a_valid_number_is_a_key(landed, citizen_number):
    good = citizen_number()
    numbers = [good, good[:-1] + "?", "5.33123E+17", "", good[:17]]
    workspace, query = landed(population=[person(f"甲{n}", id_number=number) for n, number in enumerate(numbers)])

    standardise_population(workspace)

    keys = [key for (key,) in query("SELECT id_key FROM standard.population_keys ORDER BY row")]
    assert keys == [int(good[:17]), None, None, None, None]


def test_a_missing_birth_date_or_sex_is_taken_from_a_valid_number_and_a_written_one_is_kept(landed, citizen_number):
    girl = citizen_number("20120229", "002")
    workspace, query = landed(
        population=[
            person("甲", id_number=girl, birth_date="", sex=""),
            person("乙", id_number=girl, birth_date="20150312", sex="1"),
            person("丙", id_number=girl[:-1] + "?", sex=""),
        ]
    )

    standardise_population(workspace)

    assert query("SELECT birth_date, sex FROM standard.population_keys ORDER BY row") == [
        (dt.date(2012, 2, 29), "2"),
        (dt.date(2015, 3, 12), "1"),
        (dt.date(2015, 3, 12), None),
    ]
    assert query("SELECT birth_date, sex FROM landed.population ORDER BY row")[0] == (None, None)


def test_the_number_after_a_g_is_a_second_key_and_what_follows_j_or_l_is_none(landed, citizen_number):
    former = citizen_number("20150312", "003")
    numbers = [f"G{former}", f"J{former}", f"L{former}", f"G{former[:-1]}?", "G1", "", former]
    rows = [person(f"甲{n}", student_number=number, registry_status="01") for n, number in enumerate(numbers)]
    workspace, query = landed(student_registry=rows)

    standardise_registry(workspace)

    keys = [key for (key,) in query("SELECT second_key FROM standard.registry_keys ORDER BY row")]
    assert keys == [int(former[:17]), *[None] * 6]


def test_spellings_of_one_name_have_equal_keys_and_stay_as_they_were_sent(landed):
    written = ["劉甯", "刘宁", " 刘 宁 ", "刘\u200b寧"]
    workspace, query = landed(population=[person(name, household_id=f"H{n}") for n, name in enumerate(written)])

    standardise_population(workspace)

    assert query("SELECT count(DISTINCT folded), count(DISTINCT pinyin) FROM standard.population_keys") == [(1, 1)]
    assert [name for (name,) in query("SELECT name FROM landed.population ORDER BY row")] == [
        "劉甯",
        "刘宁",
        "刘 宁",
        "刘寧",
    ]


def test_a_former_name_has_a_key_of_its_own(landed):
    workspace, query = landed(population=[person("刘宁", former_name="劉小宁"), person("刘小寧"), person("王明")])

    standardise_population(workspace)

    [(folded, former), (other, none), _] = query(
        "SELECT folded, former_folded FROM standard.population_keys ORDER BY row"
    )
    assert former == other
    assert folded != other
    assert none is None


def test_one_number_on_different_people_is_kept_noted_and_no_key(landed, citizen_number):
    shared, own = citizen_number("20150312", "001"), citizen_number("20140505", "001")
    workspace, query = landed(
        population=[
            person("王小明", id_number=shared, household_id="H1"),
            person("李国强", id_number=shared, birth_date="20140505", household_id="H2"),
            person("赵大山", id_number=own, birth_date="20140505", household_id="H3"),
        ]
    )
    standardise_population(workspace)

    resolve_population(workspace)

    notes = query("SELECT source, row, \"column\" FROM landed.cell_issues WHERE rule = 'shared_id_number' ORDER BY row")
    assert notes == [("population", 1, "id_number"), ("population", 2, "id_number")]
    assert [number for (number,) in query("SELECT id_number FROM landed.population ORDER BY row")] == [
        shared,
        shared,
        own,
    ]
    assert query("SELECT row, id_key IS NULL FROM standard.persons ORDER BY row") == [
        (1, True),
        (2, True),
        (3, False),
    ]


def test_two_spellings_of_one_person_on_one_number_are_no_shared_number(landed, citizen_number):
    number = citizen_number("20150312", "001")
    workspace, query = landed(
        population=[
            person("劉小明", id_number=number, household_id="H1", updated_at="20250101"),
            person("刘小明", id_number=number, household_id="H2", updated_at="20260101"),
        ]
    )
    standardise_population(workspace)

    resolve_population(workspace)

    assert query("SELECT count(*) FROM landed.cell_issues WHERE rule = 'shared_id_number'") == [(0,)]
    assert query("SELECT count(*) FROM standard.persons WHERE id_key IS NOT NULL") == [(1,)]
