"""What decisions do tonight: which bind, which cannot and why, and what verifications overrule."""

import dataclasses
import datetime as dt

import pytest

from kcb_pipeline.engines.embedded import Limits, connect
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.errors import KcbError
from kcb_pipeline.ledgers.previous import show_previous
from kcb_pipeline.review.answers import Answer
from kcb_pipeline.review.binding import bind_reviews, keep_answers
from kcb_pipeline.review.pairs import locate, pair_numbers

D = dt.date(2026, 11, 18)
BORN = dt.date(2016, 3, 12)


@pytest.fixture
def night(tmp_path):
    """A night of three children and five records: rows 4 and 5 share a number, row 3 has none, rows 1 and 6 are one pupil."""
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        for schema in ("landed", "standard", "status", "draft"):
            connection.execute(f"CREATE SCHEMA {schema}")
        show_previous(connection, tmp_path / "none", None)
        connection.execute(
            """
            CREATE TABLE standard.children AS SELECT * FROM (VALUES (10::BIGINT, 'A'), (20, 'B'), (30, 'C')) t(person, child_id);
            CREATE TABLE landed.student_registry AS SELECT row, 'S' || row AS name, DATE '2016-03-12' AS birth_date,
                   NULL::VARCHAR AS id_number, 'X' AS school_code FROM range(1, 7) t(row);
            CREATE TABLE standard.registry_keys AS SELECT * FROM
                (VALUES (1::BIGINT, 'G1'), (2, 'G2'), (3, NULL), (4, 'G4'), (5, 'G4'), (6, 'G6')) t(row, student_number);
            CREATE TABLE standard.student_groups AS SELECT * FROM (VALUES (1::BIGINT, 1::BIGINT), (6, 1)) t(row, student);
            CREATE TABLE standard.students AS SELECT row AS student, row <> 1 AS is_live, 'S' || row AS name_key, DATE '2016-03-12' AS birth_date
                FROM range(1, 6) t(row);
            CREATE TABLE standard.persons AS SELECT * FROM (VALUES (10::BIGINT, '王小明', DATE '2016-03-12', true), (20, '李四', DATE '2015-01-01', true),
                   (30, '张三', DATE '2014-01-01', true)) t(person, name_key, birth_date, is_live);
            CREATE TABLE status.verdicts (child_id VARCHAR, result VARCHAR, student_number VARCHAR)
            """
        )
        yield connection


def answers(child, key, said, *, name=None, born=BORN):
    """What two reviewers said alike of a pair."""
    name = name or f"S{key[-1]}"
    return [Answer(f"{child}-{key}", child, key, name, born, who, said, D, "") for who in ("甲", "乙")]


def bound(night, *given):
    keep_answers(night, [one for pair in given for one in pair])
    bind_reviews(night, 2)
    effects = dict(night.execute("SELECT pair, effect FROM draft.review_decisions").fetchall())
    return effects, night.execute("SELECT * FROM status.decided_pairs ORDER BY ALL").fetchall()


def verify(night, child, number):
    night.execute("INSERT INTO status.verdicts VALUES (?, '在校已有学籍', ?)", [child, number])


def test_same_and_different_become_pairs_of_tonight(night):
    effects, pairs = bound(night, answers("A", "G1", "same"), answers("A", "G2", "different"))

    assert effects == {"A-G1": "binds", "A-G2": "binds"}
    assert pairs == [(10, 1, True, False), (10, 2, False, False)]


def test_a_decision_on_one_record_of_a_pupil_is_of_the_pupil(night):
    assert bound(night, answers("B", "G6", "same"))[1] == [(20, 1, True, False)]


@pytest.mark.parametrize(
    ("child", "key", "name", "born", "effect"),
    [
        ("gone", "G1", "S1", BORN, "child_gone"),
        ("A", "G9", "S1", BORN, "record_gone"),
        ("A", "G1", "别人", dt.date(2014, 1, 1), "record_changed"),
        ("A", "G1", "S1", dt.date(2014, 1, 1), "binds"),  # its birth date was corrected
        ("A", "G1", "改名", BORN, "binds"),
    ],
)
@pytest.mark.parametrize("said", ["same", "different"])
def test_a_decision_holds_for_what_the_reviewer_saw(night, child, key, name, born, effect, said):
    effects, pairs = bound(night, answers(child, key, said, name=name, born=born))

    assert list(effects.values()) == [effect]
    assert bool(pairs) == (effect == "binds")


def test_a_record_given_to_two_children_is_nobodys(night):
    effects, pairs = bound(night, answers("A", "G1", "same"), answers("B", "G1", "same"))

    assert set(effects.values()) == {"contradicted"}
    assert pairs == []


def test_two_records_of_one_child_are_its_enrolment_and_a_further_one(night):
    _, pairs = bound(night, answers("A", "G2", "same"), answers("A", "G1", "same"))

    assert pairs == [(10, 1, True, True), (10, 2, True, False)], "the live record is the enrolment"


def test_who_saw_the_child_overrules_who_saw_the_records(night):
    verify(night, "A", "G1")
    effects, pairs = bound(night, answers("A", "G1", "different"), answers("B", "G1", "same"))

    assert set(effects.values()) == {"verified_otherwise"}
    assert pairs == [(10, 1, True, False)]


@pytest.mark.parametrize(
    ("four", "five", "meant"),
    [
        (("王晓明", "2016-03-12"), ("赵六", "2016-03-12"), [4]),  # by the name, though both were born on that day
        (("赵六", "2016-03-12"), ("钱七", "2014-01-01"), [4]),
        (("王小明", "2014-01-01"), ("王小明", "2014-01-01"), [4, 5]),
        (("赵六", "2014-01-01"), ("钱七", "2014-01-01"), []),
    ],
)
def test_of_several_pupils_under_the_number_that_was_verified_the_child_is_the_one_like_it(night, four, five, meant):
    """Another's number was borrowed: the answer names it, and must not take the enrolment of the child whose own it is."""
    for student, (name, born) in ((4, four), (5, five)):
        night.execute(
            "UPDATE standard.students SET name_key = ?, birth_date = ? WHERE student = ?", [name, born, student]
        )
    verify(night, "A", "G4")

    assert [student for _, student, *_ in bound(night)[1]] == meant


def test_a_child_that_has_left_the_register_keeps_no_record_by_a_verification(night):
    verify(night, "A", "G2")
    night.execute("UPDATE standard.persons SET is_live = false WHERE person = 10")

    assert bound(night)[1] == []


def test_a_verification_alone_binds_as_before(night):
    verify(night, "A", "G2")

    assert bound(night)[1] == [(10, 2, True, False)]


def test_one_reviewer_decides_nothing(night):
    assert bound(night, answers("A", "G1", "same")[:1]) == ({}, [])


def test_records_without_a_number_of_their_own_are_told_apart_by_what_they_say(night):
    import polars as pl

    pairs = pl.DataFrame(
        {"pair": ["?"], "child_id": ["A"], "record_key": ["#"], "record_name": ["S3"], "record_birth_date": [BORN]}
    )
    keys = dict(
        night.execute(
            "SELECT k.row, coalesce(k.student_number, '') || '#' || substr(sha256(concat_ws(chr(31), '', r.name, "
            "cast(r.birth_date AS VARCHAR), r.school_code)), 1, 16) FROM standard.registry_keys k "
            "JOIN landed.student_registry r ON r.row = k.row"
        ).fetchall()
    )
    wanted = pl.concat([pairs.with_columns(pl.lit(str(row)).alias("pair"), pl.lit(keys[row]).alias("record_key"), pl.lit(f"S{row}").alias("record_name")) for row in (3, 4, 5)])  # fmt: skip

    assert dict(locate(night, wanted).select("pair", "registry_row").rows()) == {"3": 3, "4": 4, "5": 5}


def test_a_night_refuses_to_forget_answers(night):
    keep_answers(night, answers("A", "G1", "same"))
    night.execute("CREATE OR REPLACE TEMP VIEW previous_review_answers AS SELECT * FROM draft.review_answers")
    bind_reviews(night, 2)
    night.execute("CREATE TEMP TABLE kept AS SELECT * FROM draft.review_answers")
    night.execute("CREATE OR REPLACE TEMP VIEW previous_review_answers AS SELECT * FROM kept")
    keep_answers(night, [dataclasses.replace(one, answer="different") for one in answers("A", "G1", "same")])

    with pytest.raises(KcbError, match=r"2 review answer"):
        bind_reviews(night, 2)


def test_the_number_of_a_pair_says_nothing_and_stays():
    import polars as pl

    first = pair_numbers(pl.Series(["A", "B"]), pl.Series(["G1", "G1"]))

    assert first.n_unique() == 2
    assert first[:1].equals(pair_numbers(pl.Series(["A"]), pl.Series(["G1"])))
    assert first.str.contains(r"^[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}$").all()


# -- what `link` makes of decisions ------------------------------------------------------------------------------------


def people(*names):
    """Strangers, and those asked for: enough of a table for a model."""
    import polars as pl

    others = [(f"人{n}", dt.date(2015, 1, 1) + dt.timedelta(days=n), f"{n:06d}") for n in range(60)]
    rows = [*names, *others]
    return pl.DataFrame(rows, schema=["name", "birth_date", "number"], orient="row")


def linked(reviewed, **changes):
    import polars as pl

    from kcb_pipeline.matching import KeyRule, Settings, block_on, link
    from kcb_pipeline.matching.comparisons import Date, Exact

    settings = Settings(
        (Exact("name"), Date("birth_date")),
        (block_on("name"), block_on("birth_date")),
        keys=(KeyRule("number", "number", "number"),),
    )
    left = people(("王小明", BORN, "A"))
    right = people(("王小明", BORN, "A"), ("王小明", BORN, "B"), ("李四", dt.date(2011, 7, 8), "C"))
    decided = pl.DataFrame(
        reviewed, schema={"left_row": pl.Int64, "right_row": pl.Int64, "is_match": pl.Boolean}, orient="row"
    )
    result = link(left, right, dataclasses.replace(settings, **changes), reviewed=decided)
    return sorted(result.linked.filter(pl.col("left_row") == 0).select("right_row", "method").rows())


def test_a_refused_pair_is_not_linked_by_its_key_and_the_next_candidate_is():
    assert linked([]) == [(0, "number")]
    assert linked([(0, 0, False)]) == [(1, "probabilistic")]
    assert linked([(0, 0, False), (0, 1, False)]) == []


def test_what_people_decided_is_linked_whatever_it_weighs():
    assert linked([(0, 2, True)]) == [(2, "reviewed")]


def test_of_many_records_of_one_person_each_can_be_decided():
    found = linked([(0, 0, True), (0, 2, True), (0, 1, False)], keys=(), policy="many-to-one")

    assert found == [(0, "reviewed"), (2, "reviewed")]


@pytest.mark.parametrize(
    ("decided", "found"),
    [("(7, 11, false, false)", []), ("(7, 12, true, true)", [11, 12]), ("(8, 11, false, false)", [11])],
)
def test_second_records_are_refused_and_given_by_people_too(decided, found, tmp_path):
    """Person 7 holds record 10 by its key; record 11 looks like it, record 12 does not."""
    import polars as pl

    from kcb_pipeline.matching import KeyRule, Settings, block_on, link
    from kcb_pipeline.matching.comparisons import Date, Exact
    from kcb_pipeline.matching.registers import _further_records, _linked

    settings = Settings(
        (Exact("name"), Date("birth_date")),
        (block_on("name"), block_on("birth_date")),
        keys=(KeyRule("number", "number", "number"),),
    )
    rows = {"population_type": "registered", "population_row": 1}
    persons = (
        people(("王小明", BORN, "A"))
        .with_row_index("person", 7)
        .with_columns(**{k: pl.lit(v) for k, v in rows.items()})
    )
    students = people(("王小明", BORN, "A"), ("王小明", BORN, "B"), ("李四", dt.date(2011, 7, 8), "C")).with_row_index(
        "student", 10
    )
    students = students.with_columns(pl.lit(1).alias("registry_row"))
    persons, students = (side.with_columns(pl.nth(0).cast(pl.Int64)) for side in (persons, students))
    workspace = Workspace(tmp_path, dt.date(2026, 11, 20), Limits(memory="500MB", threads=1))
    with workspace.connect() as connection:
        connection.execute(
            f"CREATE TABLE status.decided_pairs AS SELECT * FROM (VALUES {decided}) t(person, student, is_match, is_further)"
        )
    result = link(persons, students, settings)
    further = _further_records(workspace, _linked(result), settings, result.model, persons, students)

    further = further.filter((pl.col("person") == 7) & (pl.col("decision") == "linked"))
    assert further["student"].sort().to_list() == found
