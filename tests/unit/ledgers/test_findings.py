"""What a night finds beside statuses: 重复学籍, 有学籍无户籍, 双重户籍, and whose numbers became one or came apart."""

import datetime as dt

import pytest

from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.ledgers.draft import PACKAGE

ON = dt.date(2026, 11, 20)


@pytest.fixture
def step(working):
    """`step(name)`: the rows of one step over what a test has put."""
    working.schemas |= {
        "status.child_statuses": working.schema("child_id reason is_live:b duplicate_of"),
        "status.enrolments": working.schema("person:i registry_row:i is_live:b"),
        "standard.student_groups": working.schema("student:i row:i"),
        "standard.duplicate_persons": working.schema(
            "person:i population_type population_row:i duplicate_population_type duplicate_population_row:i reason"
        ),
    }
    for table in (
        "status.child_statuses",
        "status.enrolments",
        "standard.student_groups",
        "standard.duplicate_persons",
    ):
        working.put(table)

    def run(name):
        run_step(working.connection, PACKAGE, name, f"draft.{name}")
        return working.all(f"SELECT * FROM draft.{name}")

    return run


def records(working, *rows):
    """Registry rows from 1 on, each live and its own pupil unless it says otherwise."""
    whole = [
        {"row": n, "student_number": f"G{n}", "id_number": f"N{n}", "school_code": "S", "is_live": True, **row}
        for n, row in enumerate(rows, start=1)
    ]
    named = working.schemas["landed.student_registry"]
    working.put("landed.student_registry", *({name: row[name] for name in named if name in row} for row in whole))
    working.put("standard.registry_keys", *({"row": row["row"], "is_live": row["is_live"]} for row in whole))
    working.put(
        "standard.students",
        *({"student": row["row"], "row": row["row"], "is_live": row["is_live"]} for row in whole if "of" not in row),
    )
    working.put(
        "standard.student_groups",
        *({"student": row.get("of", row["row"]), "row": row["row"]} for row in whole if "of" in row or "group" in row),
    )


# -- 重复学籍 ------------------------------------------------------------------------------------------------------------


def enrolled(working, *rows, shown=1, shown_is_live=True):
    working.put("standard.children", {"person": 1, "child_id": "C1"})
    working.put(
        "status.pupil_rows",
        *({"person": 1, "registry_row": n, "is_live": row.get("is_live", True)} for n, row in enumerate(rows, start=1)),
    )
    working.put("status.enrolments", {"person": 1, "registry_row": shown, "is_live": shown_is_live})
    records(working, *rows)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"student_number": "G1", "id_number": "N1"}, "same_student_number"),
        ({"id_number": "N1"}, "same_id_number"),
        ({}, "same_identity"),
        ({"student_number": None, "id_number": None}, "same_identity"),
    ],
)
def test_each_other_live_record_of_a_child_is_a_second_enrolment(step, working, second, reason):
    enrolled(working, {}, second)

    [found] = step("duplicate_enrolments")

    assert (found["child_id"], found["registry_row"], found["duplicate_registry_row"], found["reason"]) == (
        "C1",
        1,
        2,
        reason,
    )


def test_one_that_is_not_live_is_none_nor_any_beside_a_shown_one_that_is_not(step, working):
    enrolled(working, {}, {"is_live": False})
    assert step("duplicate_enrolments") == []

    enrolled(working, {"is_live": False}, {}, shown_is_live=False)
    assert step("duplicate_enrolments") == []


def test_a_pupil_who_is_nobodys_child_here_may_be_enrolled_twice(step, working):
    records(working, {"group": True}, {"of": 1}, {"of": 1, "is_live": False})

    [found] = step("duplicate_enrolments")

    assert (found["child_id"], found["registry_row"], found["duplicate_registry_row"]) == (None, 1, 2)


@pytest.mark.parametrize(
    ("table", "cells"), [("matched.links", {"decision": "linked"}), ("matched.further_records", {})]
)
def test_one_who_is_somebodys_is_told_with_that_child_alone(step, working, table, cells):
    records(working, {"group": True}, {"of": 1})
    working.put("matched.links", {"person": 1, "student": 1, "decision": "rejected"})
    assert len(step("duplicate_enrolments")) == 1

    working.put("matched.links")
    working.put(table, {"person": 1, "student": 1, **cells})

    assert step("duplicate_enrolments") == []


# -- 有学籍无户籍 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "links", "reason"),
    [
        ({}, [], "not_found_in_population"),
        ({"household_division_code": "533123"}, [], "not_found_in_population"),
        ({"household_division_code": "533999"}, [], "hukou_elsewhere"),
        ({"is_live": False}, [], "left_school"),
        ({"is_live": False, "household_division_code": "533999"}, [], "hukou_elsewhere"),
        ({"household_division_code": "533999"}, ["review"], "in_review"),
        ({}, ["rejected"], "not_found_in_population"),
        ({}, ["review", "linked"], None),
    ],
)
def test_a_pupil_of_no_person_here_stands_with_the_reason(step, working, record, links, reason):
    records(working, record)
    working.put("landed.population", {"row": 1, "division_code": "533123"})
    working.put(
        "matched.links", *({"person": n, "student": 1, "decision": decision} for n, decision in enumerate(links))
    )

    assert [row["reason"] for row in step("registry_only")] == ([reason] if reason else [])


def test_a_further_record_of_a_child_is_not_without_one(step, working):
    records(working, {})
    working.put("matched.further_records", {"person": 1, "student": 1})

    assert step("registry_only") == []


# -- 双重户籍 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kept", "row", "is_told"), [(1, 5, True), (1, -1, False), (-1, 5, False)])
def test_two_rows_of_a_child_of_school_age_are_told_where_both_came_tonight(step, working, kept, row, is_told):
    working.put("standard.children", {"person": 1, "child_id": "C1"}, {"person": 2, "child_id": "C2"})
    working.put("status.child_statuses", {"child_id": "C1"})
    pair = {
        "population_type": "registered",
        "population_row": kept,
        "duplicate_population_type": "resident",
        "reason": "same_id_number",
    }
    working.put(
        "standard.duplicate_persons",
        *({"person": person, "duplicate_population_row": row, **pair} for person in (1, 2)),
    )
    working.put("landed.population", {"row": 5, "id_number": "N of another register"})
    working.put("landed.residents", {"row": 5, "id_number": "N5"})

    assert [(r["child_id"], r["duplicate_id_number"]) for r in step("duplicate_persons")] == (
        [("C1", "N5")] if is_told else []
    )


# -- lineage ---------------------------------------------------------------------------------------------------------------


def lineage(rows):
    return {(row["child_id"], row["former_child_id"], row["reason"], row["version"]) for row in rows}


def test_a_child_counted_as_another_is_merged_into_it(step, working):
    working.put(
        "status.child_statuses",
        {"child_id": "C2", "reason": "duplicate_registration", "duplicate_of": "C1"},
        {"child_id": "C1", "is_live": True},
    )

    assert lineage(step("child_lineage")) == {("C1", "C2", "merged", None)}


def test_it_is_said_once(step, working):
    working.put("status.child_statuses", {"child_id": "C2", "reason": "duplicate_registration", "duplicate_of": "C1"})
    working.put("previous_child_lineage", {"child_id": "C1", "former_child_id": "C2", "reason": "merged", "version": 3})

    assert lineage(step("child_lineage")) == {("C1", "C2", "merged", 3)}


def test_one_that_is_live_again_was_split_off(step, working):
    working.put("status.child_statuses", {"child_id": "C2", "reason": "live_enrolment", "is_live": True})
    working.put("previous_child_lineage", {"child_id": "C1", "former_child_id": "C2", "reason": "merged", "version": 3})

    assert lineage(step("child_lineage")) == {("C1", "C2", "merged", 3), ("C2", "C1", "split", None)}


def test_who_came_apart_once_does_not_come_apart_again(step, working):
    working.put("status.child_statuses", {"child_id": "C1", "is_live": True})
    working.put("previous_child_lineage", {"child_id": "C2", "former_child_id": "C1", "reason": "split", "version": 3})

    assert lineage(step("child_lineage")) == {("C2", "C1", "split", 3)}


@pytest.mark.parametrize(("how", "is_split"), [("new", True), ("number", False)])
@pytest.mark.parametrize("side", ["population", "residents"])
def test_a_new_child_under_the_number_of_anothers_second_row_was_split_off_from_it(step, working, how, is_split, side):
    working.put("standard.children", {"person": 10, "child_id": "C5", "how": how})
    working.put("standard.persons", {"person": 10, "ref": 10 if side == "population" else 11})
    working.put(f"landed.{side}", {"row": 5, "id_number": "N5"})
    working.put("landed.residents" if side == "population" else "landed.population", {"row": 5, "id_number": "N6"})
    working.put(
        "previous_duplicate_persons",
        {"child_id": "C1", "duplicate_id_number": "N5"},
        {"child_id": "C5", "duplicate_id_number": "N5"},
    )

    assert lineage(step("child_lineage")) == ({("C5", "C1", "split", None)} if is_split else set())


# -- 待补正 ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def to_mend(step, working):
    """`to_mend(refused, issues, quarantined)`: the cells to mend of form a.xlsx, whose data row n stands in line n + 6."""
    cell = "source file row:i column rule"
    for table, columns in (
        ("landed.form_rows", "source row:i line:i"), ("landed.form_columns", "source file column letter"), ("landed.cell_issues", cell),
        ("landed.quarantined_rows", cell), ("draft.refused_verifications", "file source_row:i column rule"),
    ):  # fmt: skip
        working.schemas[table] = working.schema(columns)

    def find(*, refused=(), issues=(), quarantined=()):
        said = {"source": "verifications", "file": "a.xlsx", "row": 1, "column": "until", "rule": "unknown_code"}
        lines = [("verifications", row, row + 6) for row in (1, 2)] + [("absences", 1, 99)]
        working.put("landed.form_rows", *({"source": source, "row": row, "line": line} for source, row, line in lines))
        letters = [("verifications", "a.xlsx", "until", "H"), ("verifications", "a.xlsx", "result", "C"), ("verifications", "b.xlsx", "until", "X"),
                   ("absences", "a.xlsx", "until", "Y")]  # fmt: skip
        named = ("source", "file", "column", "letter")
        working.put("landed.form_columns", *(dict(zip(named, letter, strict=True)) for letter in letters))
        working.put("landed.verifications", {"row": 1, "case_id": "A1"})
        working.put("landed.cell_issues", *(said | issue for issue in issues))
        working.put("landed.quarantined_rows", *(said | row for row in quarantined))
        no_source = {"file": "a.xlsx", "source_row": 1, "column": "until", "rule": "until_not_after"}
        working.put("draft.refused_verifications", *(no_source | answer for answer in refused))
        found = [(row["cell"], row["rule"], row["case_id"]) for row in step("answers_to_mend")]
        assert len(found) == len(set(found))
        return set(found)

    return find


def test_a_cell_to_mend_is_named_as_the_office_sees_it_with_its_case(to_mend):
    assert to_mend(refused=[{}]) == {("a.xlsx!H7", "until_not_after", "A1")}
    assert to_mend(issues=[{}]) == {("a.xlsx!H7", "unknown_code", "A1")}
    assert to_mend(quarantined=[{"row": 2, "column": "result", "rule": "cell_missing"}]) == {
        ("a.xlsx!C8", "cell_missing", None)
    }


def test_of_a_column_that_a_form_has_not_the_line_is_named(to_mend):
    assert to_mend(refused=[{"column": "evidence"}]) == {("a.xlsx!7", "until_not_after", "A1")}


@pytest.mark.parametrize("other", [{"source": "absences"}, {"rule": "control_characters"}])
def test_what_is_no_answer_and_what_was_only_cleaned_need_no_mending(to_mend, other):
    assert to_mend(issues=[other]) == set()


@pytest.mark.parametrize(
    ("issue", "is_named_again"),
    [({}, False), ({"rule": "control_characters"}, True), ({"row": 2}, True), ({"column": "result"}, True), ({"source": "absences"}, True)],
)  # fmt: skip
def test_a_cell_that_could_not_be_understood_is_not_named_again_as_missing(to_mend, issue, is_named_again):
    found = to_mend(issues=[issue], quarantined=[{"rule": "cell_missing"}])

    assert (("a.xlsx!H7", "cell_missing", "A1") in found) is is_named_again


def test_a_row_of_another_source_that_left_is_none_of_theirs_and_what_is_said_twice_is_said_once(to_mend):
    assert to_mend(quarantined=[{"source": "absences"}]) == set()
    assert to_mend(refused=[{}, {}], issues=[{"rule": "until_not_after"}, {}, {}]) == {
        ("a.xlsx!H7", "until_not_after", "A1"),
        ("a.xlsx!H7", "unknown_code", "A1"),
    }
