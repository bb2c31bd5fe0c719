"""更正建议: which findings about the population register are told to public security, and which are a school's own mistakes."""

import datetime as dt

import polars as pl
import pytest

from kcb_pipeline.engines.embedded import Limits, connect, create, rows
from kcb_pipeline.engines.sql import run_step
from kcb_pipeline.identity.id_number import check_digit


def number(born="20160312", nth="001"):
    """A valid made-up number; an odd `nth` is a boy's."""
    first17 = f"532901{born}{nth}"
    return first17 + check_digit(first17)


BORN = dt.date(2016, 3, 12)
SIDE = {
    "row": pl.Int64, "id_number": pl.String, "id_valid": pl.Boolean, "name": pl.String, "sex": pl.String, "birth_date": pl.Date,
    "division_code": pl.String,
}  # fmt: skip
DECISION = {
    "child_id": pl.String, "decision": pl.Int32, "result": pl.String, "verified_on": pl.Date, "verified_by": pl.String, "evidence": pl.String,
}  # fmt: skip
PAIR = {
    "child_id": pl.String, "population_type": pl.String, "population_row": pl.Int64, "duplicate_population_type": pl.String,
    "duplicate_population_row": pl.Int64, "reason": pl.String,
}  # fmt: skip


@pytest.fixture
def told():
    """The corrections of one child: `told(own, pupil, ...)` gives (kind, recorded, other, evidence) in the order of their kind and number."""
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        connection.execute("CREATE SCHEMA landed; CREATE SCHEMA draft")

        def find(
            own=None,
            pupil=None,
            *,
            method="id_number",
            status="enrolled",
            decisions=(),
            others=(),
            residents=(),
            pairs=(),
        ):
            me = {
                "row": 1,
                "id_number": number(),
                "id_valid": True,
                "name": "王小明",
                "sex": "1",
                "birth_date": BORN,
            } | (own or {})
            create(connection, "landed.population", pl.DataFrame([me, *others], schema=SIDE))
            create(connection, "landed.residents", pl.DataFrame(list(residents), schema=SIDE))
            record = {
                "row": 5,
                "id_number": number(),
                "id_valid": True,
                "id_type": "1",
                "sex": "1",
                "birth_date": BORN,
            } | (pupil or {})
            create(connection, "landed.student_registry", pl.DataFrame([record], schema=SIDE | {"id_type": pl.String}))
            child = {
                "child_id": ["C1"],
                "status": [status],
                "population_type": ["registered"],
                "population_row": [1],
                "registry_row": [5],
            }
            create(connection, "draft.children", pl.DataFrame(child | {"match_method": [method]}))
            create(connection, "draft.decisions", pl.DataFrame(list(decisions), schema=DECISION))
            create(connection, "draft.duplicate_persons", pl.DataFrame(list(pairs), schema=PAIR))
            create(connection, "draft.corrected_results", pl.DataFrame({"result": ["空挂户"]}))
            run_step(connection, "kcb_pipeline.ledgers", "population_corrections", "draft.population_corrections")
            return rows(
                connection,
                "SELECT kind, recorded, other, evidence FROM draft.population_corrections ORDER BY kind, nth",
            )

        yield find


@pytest.fixture
def findings(told):
    """The same as {kind: (recorded, other)}."""
    return lambda *given, **named: {kind: (recorded, other) for kind, recorded, other, _ in told(*given, **named)}


def test_what_agrees_is_no_finding(findings):
    assert findings() == {}


@pytest.mark.parametrize(
    ("own", "pupil", "method", "found"),
    [
        ({}, {"id_number": number(nth="003")}, "probabilistic", {"id_number_differs": (number(), number(nth="003"))}),
        ({"id_number": None, "id_valid": False}, {}, "probabilistic", {"id_number_missing": (None, number())}),
        ({"id_number": "53290120160312", "id_valid": False}, {}, "probabilistic", {"id_number_invalid": ("53290120160312", number())}),
        ({"id_number": "1", "id_valid": False}, {"id_valid": False}, "probabilistic", {"id_number_invalid": ("1", None)}),
        ({"birth_date": dt.date(2016, 3, 21)}, {"birth_date": dt.date(2016, 3, 21)}, "id_number", {"number_birth_mismatch": ("2016-03-21", "2016-03-12")}),
        ({"sex": "2"}, {"sex": "2"}, "id_number", {"number_sex_mismatch": ("2", "1")}),
        ({}, {"birth_date": dt.date(2016, 3, 21)}, "probabilistic", {"birth_date_differs": ("2016-03-12", "2016-03-21")}),
        ({}, {"sex": "2"}, "reviewed", {"sex_differs": ("1", "2")}),
        # the school has the number of another of its pupils' birth date and the register's own, or its own
        ({}, {"id_number": number(nth="003"), "birth_date": dt.date(2016, 3, 21)}, "id_number", {"id_number_differs": (number(), number(nth="003"))}),
        ({}, {"id_number": number("20160321"), "birth_date": dt.date(2016, 3, 21)}, "id_number", {"id_number_differs": (number(), number("20160321"))}),
        ({}, {"id_number": number(nth="003"), "id_type": None}, "probabilistic", {"id_number_differs": (number(), number(nth="003"))}),
    ],
)  # fmt: skip
def test_each_finding(findings, own, pupil, method, found):
    assert findings(own, pupil, method=method) == found


@pytest.mark.parametrize(
    ("pupil", "method"),
    [
        ({"id_number": number("19860622"), "id_valid": True}, "probabilistic"),
        ({"id_number": number(nth="003"), "id_type": "6"}, "probabilistic"),
        ({"id_number": number(nth="003"), "id_valid": False}, "probabilistic"),
        ({"birth_date": dt.date(2016, 3, 21)}, "id_number"),
        ({"sex": "2"}, "id_number"),
        ({"sex": "9"}, "reviewed"),
    ],
    ids=[
        "a guardian's number",
        "no citizen's card",
        "a number that is none",
        "the number says who is right",
        "so for sex",
        "no sex",
    ],
)
def test_a_schools_own_mistake_is_none_of_the_police(findings, pupil, method):
    assert findings({}, pupil, method=method) == {}


def test_a_child_without_number_or_birth_date_is_not_held_to_them(findings):
    assert findings({"id_number": None, "id_valid": False, "birth_date": None}, {"id_valid": False}) == {}
    assert findings({"birth_date": None}) == {}
    assert findings({"sex": None}) == {}


def test_a_child_that_is_gone_is_corrected_no_more(findings):
    assert findings({"sex": "2"}, status="departed") == {}


def test_what_a_verification_found_is_told_with_its_evidence(findings):
    decision = {"child_id": "C1", "verified_on": dt.date(2026, 11, 1), "verified_by": "张三", "evidence": "走访记录"}

    assert findings(decisions=[decision | {"decision": 1, "result": "空挂户"}]) == {"verified": (number(), None)}
    assert findings(decisions=[decision | {"decision": 1, "result": "失联"}]) == {}


@pytest.mark.parametrize("in_turn", [1, -1])
def test_of_several_the_last_is_told_in_words(told, in_turn):
    said = {"child_id": "C1", "result": "空挂户", "verified_on": dt.date(2026, 11, 1)}
    decisions = [
        said | {"decision": 2, "verified_by": "张三"},
        said | {"decision": 1, "evidence": "走访记录"},
        said | {"decision": 3, "verified_on": dt.date(2026, 10, 1)},
    ][::in_turn]

    [(_, _, _, words)] = told(decisions=decisions)
    assert words == "核查结果：空挂户（核查日期 2026-11-01，核查人 张三）"

    [(_, _, _, words)] = told(decisions=[said | {"decision": 1, "evidence": "走访记录"}])
    assert words == "核查结果：空挂户（核查日期 2026-11-01）；佐证：走访记录"


RESIDENT = {"row": 2, "name": "王小明", "sex": "1", "birth_date": BORN}
BESIDE = {"child_id": "C1", "population_type": "registered", "population_row": 1, "duplicate_population_type": "resident",
          "duplicate_population_row": 2, "reason": "same_name_birth_and_guardian"}  # fmt: skip


@pytest.mark.parametrize(
    ("own", "theirs", "is_told"),
    [
        (number(), number(), False),  # a 居住证 beside a 户籍 elsewhere is how people live
        (number(), number(nth="005"), True),
        (number(), None, True),
        (None, number(), True),
    ],
)
def test_a_resident_of_the_same_number_is_no_second_registration(findings, own, theirs, is_told):
    me = {"id_number": own, "id_valid": own is not None}
    resident = RESIDENT | {"id_number": theirs, "id_valid": theirs is not None}
    stranger = RESIDENT | {"id_number": number(nth="007"), "name": "李小红"}

    found = findings(me, {"id_valid": False}, others=[stranger], residents=[resident], pairs=[BESIDE])

    assert found.get("duplicate_person") == ((own, theirs) if is_told else None)


def test_a_second_registration_is_described_by_register_and_place(told):
    [(*_, words)] = told(residents=[RESIDENT | {"id_number": number(nth="005")}], pairs=[BESIDE])
    assert words == "另有一条有效的流动人口记录：王小明，2016-03-12，行政区划 不详；姓名、出生日期和监护人相同"


def test_a_second_registration_is_told_with_its_number(findings):
    second = {
        "row": 2,
        "id_number": number(nth="005"),
        "id_valid": True,
        "name": "王小明",
        "sex": "1",
        "birth_date": BORN,
        "division_code": "532902",
    }
    pair = {"child_id": "C1", "population_type": "registered", "population_row": 1, "duplicate_population_type": "registered",
            "duplicate_population_row": 2, "reason": "same_name_birth_and_guardian"}  # fmt: skip

    assert findings(others=[second], pairs=[pair]) == {"duplicate_person": (number(), number(nth="005"))}


def test_second_registrations_under_one_number_are_told_in_the_order_of_what_they_say(told):
    """Not in that of their rows, which says nothing: a night of the same rows in another order published other numbers."""
    born = [dt.date(2016, 3, 21), dt.date(2012, 3, 12), None]
    second = {"id_number": number(), "id_valid": True, "name": "王小明", "sex": "1", "division_code": "532901"}
    pair = {"child_id": "C1", "population_type": "registered", "population_row": 1, "duplicate_population_type": "registered",
            "reason": "same_id_number"}  # fmt: skip

    def registrations(births):
        others = [second | {"row": row, "birth_date": birth} for row, birth in enumerate(births, start=2)]
        return told(others=others, pairs=[pair | {"duplicate_population_row": other["row"]} for other in others])

    assert len(registrations(born)) == 3
    assert registrations(born) == registrations(born[::-1])
