"""核查结果: which answers are believed, which go back to the office and why, and which verdict stands for each child."""

import datetime as dt
import itertools

import polars as pl
import pytest

from kcb_pipeline.engines.embedded import Limits, connect, create, rows
from kcb_pipeline.ledgers.schema import table
from kcb_pipeline.ledgers.verifications import REFUSALS, RESULTS, VERDICTS, believe_verifications
from kcb_pipeline.status.reasons import REASONS

ON = dt.date(2026, 11, 20)
OPENED = dt.date(2026, 10, 1)
DAY = dt.timedelta(days=1)
NUMBER = "G533123201503120010"

ANSWER = {
    "case_id": pl.String, "name": pl.String, "result": pl.String, "reason": pl.String, "measure": pl.String, "visits": pl.Int32, "visited_on": pl.Date,
    "placement": pl.String, "verified_on": pl.Date, "verified_by": pl.String, "evidence": pl.String, "school_code": pl.String,
    "student_number": pl.String, "until": pl.Date,
}  # fmt: skip

# extracts.md, verifications: what each result closes with
NEEDS = {
    "在校已有学籍": "student_number",
    "省内就读无学籍": "evidence",
    "省外就读无学籍": "evidence",
    "户籍死亡": "evidence",
    "空挂户": "evidence",
    "双重户籍": "evidence",
    "出国(境)": "evidence",
    "延缓入学": "until",
    "休学": "until",
    "送教上门": "placement",
    "随班就读": "placement",
    "特教学校就读": "placement",
}
NEEDS_NOTHING = [result for result in RESULTS if result not in NEEDS]
FILLED = {"student_number": NUMBER, "evidence": "证明一份", "placement": "送教", "until": dt.date(2027, 8, 31)}


def answer(result="失联", case_id="A1", verified_on=ON - DAY, **cells):
    """An answer with what the contract says its result needs, `cells` put over it."""
    needed = NEEDS.get(result)
    return (
        {"case_id": case_id, "result": result, "verified_on": verified_on}
        | ({needed: FILLED[needed]} if needed else {})
        | cells
    )


class Office:
    """A database as believing wants it: some cases, their children, and the answers that landed."""

    def __init__(self, connection):
        self.connection = connection
        for schema in ("landed", "standard", "status", "draft"):
            connection.execute(f"CREATE SCHEMA {schema}")
        for name in ("cases", "child_facts", "decisions", "case_events"):
            columns = ", ".join(f'"{field.name}" {field.type}' for field in table(name).fields)
            connection.execute(f"CREATE TEMP TABLE previous_{name} ({columns})")
        create(connection, "landed.student_registry", pl.DataFrame({"student_number": [NUMBER, None, "L1"]}))
        self.record("王大明", id_key=1)
        for child, name, state in (
            ("1", "王小明", "suspected"),
            ("2", "买买提·艾力", "confirmed"),
            ("3", "李小红", "closed"),
            ("4", "赵山", "closed_until"),
        ):
            connection.execute(
                "INSERT INTO previous_cases (case_id, child_id, state, opened_on) VALUES (?, ?, ?, ?)",
                [f"A{child}", f"C{child}", state, OPENED],
            )
            connection.execute("INSERT INTO previous_child_facts (child_id, name) VALUES (?, ?)", [f"C{child}", name])

    def record(self, *names, id_key, called=None, is_live=True):
        """The names and ID number of the record that NUMBER names, and who bears that ID number on the population side."""
        keys = [
            {"student_number": NUMBER, "name_key": name, "folded": sum(map(ord, name)), "id_key": id_key}
            for name in names
        ]
        create(self.connection, "standard.registry_keys", pl.DataFrame(keys))
        bearer = {"ref": 2, "id_key": 1, "folded": sum(map(ord, called or "谁")), "is_live": is_live}
        create(self.connection, "standard.population_keys", pl.DataFrame([bearer]))

    def believe(self, *answers, on=ON):
        """A night with those answers, one row each."""
        schema = {"row": pl.Int64, **ANSWER}
        landed = pl.DataFrame([{"row": n, **a} for n, a in enumerate(answers, start=1)], schema=schema)
        create(self.connection, "landed.verifications", landed)
        files = pl.DataFrame(
            {"source": ["verifications"], "file": ["verifications.csv"], "first_row": [1], "read": [len(answers)]}
        )
        create(self.connection, "landed.files", files)
        return believe_verifications(self.connection, on)

    def next_night(self):
        """What was believed is what the next night builds on."""
        self.connection.execute(
            "DELETE FROM previous_decisions; INSERT INTO previous_decisions SELECT * FROM draft.decisions"
        )

    def decisions(self, *columns):
        return rows(self.connection, f"SELECT {', '.join(columns)} FROM draft.decisions ORDER BY case_id, decision")

    def refused(self):
        """{row: (column to mend, rule)}"""
        found = rows(
            self.connection, 'SELECT source_row, "column", rule FROM draft.refused_verifications ORDER BY source_row'
        )
        return {row: (column, rule) for row, column, rule in found}

    def verdicts(self):
        return dict(rows(self.connection, "SELECT child_id, result FROM status.verdicts"))


@pytest.fixture
def office():
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield Office(connection)


# -- what is believed ----------------------------------------------------------------------------------------------


def test_every_result_with_what_it_needs_is_believed(office):
    answers = [answer(result, verified_on=OPENED + n * DAY) for n, result in enumerate(RESULTS)]

    account = office.believe(*answers)

    assert office.refused() == {}
    assert (account.answers, account.believed, account.known, account.refused) == (len(RESULTS), len(RESULTS), 0, 0)
    assert [result for (result,) in office.decisions("result")] == list(RESULTS)


def test_a_believed_answer_is_kept_with_everything_it_said_and_where_it_stood(office):
    said = answer(
        "确认辍学",
        reason="外出务工",
        measure="责令改正",
        visits=3,
        visited_on=ON - 2 * DAY,
        verified_by="某某",
        evidence="走访记录",
        school_code="33",
    )

    office.believe(answer(case_id="A2"), said)

    names = ["case_id", "child_id", "decision", *said.keys() - {"case_id", "result"}, "landed_on", "source_row"]
    [*_, row] = rows(office.connection, f"SELECT {', '.join(names)} FROM draft.decisions ORDER BY source_row")
    assert dict(zip(names, row, strict=True)) == {
        "case_id": "A1", "child_id": "C1", "decision": 1, "landed_on": ON, "source_row": 2,
        **{name: value for name, value in said.items() if name not in ("case_id", "result")},
    }  # fmt: skip


def test_a_night_without_answers_keeps_what_was_believed(office):
    office.believe(answer("确认辍学"))
    office.next_night()

    account = office.believe(on=ON + DAY)

    assert (account.answers, account.believed, account.known, account.refused) == (0, 0, 0, 0)
    assert office.decisions("case_id", "decision", "result") == [("A1", 1, "确认辍学")]
    assert office.verdicts() == {"C1": "确认辍学"}


def test_the_same_answer_sent_again_changes_nothing(office):
    office.believe(answer("确认辍学", evidence="走访记录"))
    before = office.decisions("*")
    office.next_night()

    account = office.believe(answer("确认辍学", evidence="走访记录"), on=ON + DAY)

    assert (account.believed, account.known, account.refused) == (0, 1, 0)
    assert office.decisions("*") == before


def test_the_same_answer_twice_in_one_night_is_believed_once(office):
    account = office.believe(answer("确认辍学"), answer("确认辍学"))

    assert (account.answers, account.believed, account.refused) == (2, 1, 0)
    assert office.decisions("case_id", "source_row") == [("A1", 1)]


@pytest.mark.parametrize("state", ["closed"])
def test_an_answer_that_closed_its_case_and_is_sent_again_is_known_not_refused(office, state):
    office.believe(answer("出国(境)"))
    office.next_night()
    office.connection.execute("UPDATE previous_cases SET state = ? WHERE case_id = 'A1'", [state])

    account = office.believe(answer("出国(境)"), on=ON + DAY)

    assert (account.known, account.refused) == (1, 0)


def test_answers_are_numbered_within_their_case_in_the_order_of_their_days(office):
    office.believe(answer("失联", verified_on=ON - 3 * DAY))
    office.next_night()

    office.believe(
        answer("确认辍学", verified_on=ON),
        answer("失联", case_id="A2"),
        answer("查无此人", verified_on=ON - DAY),
        on=ON + DAY,
    )

    assert office.decisions("case_id", "decision", "result") == [
        ("A1", 1, "失联"),
        ("A1", 2, "查无此人"),
        ("A1", 3, "确认辍学"),
        ("A2", 1, "失联"),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_rows_does_not_change_what_is_believed(office, order):
    answers = [
        answer("失联", verified_on=ON - 2 * DAY),
        answer("已复学", verified_on=ON - DAY),
        answer("确认辍学", case_id="A2", verified_on=ON),
    ]

    office.believe(*[answers[place] for place in order])

    assert office.decisions("case_id", "decision", "result") == [
        ("A1", 1, "失联"),
        ("A1", 2, "已复学"),
        ("A2", 1, "确认辍学"),
    ]
    assert office.verdicts() == {"C2": "确认辍学"}


# -- what is not, and why ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", NEEDS)
def test_a_result_without_what_it_closes_with_goes_back_naming_the_cell(office, result):
    account = office.believe(answer(result, **{NEEDS[result]: None}))

    assert office.refused() == {1: (NEEDS[result], "evidence_missing")}
    assert (account.believed, account.refused) == (0, 1)
    assert office.decisions("result") == []


@pytest.mark.parametrize("result", [result for result, needed in NEEDS.items() if needed == "placement"])
def test_special_provision_closes_with_a_placement_and_nothing_instead_of_it(office, result):
    office.believe(answer(result, placement=None, evidence="证明一份"))

    assert office.refused() == {1: ("placement", "evidence_missing")}


@pytest.mark.parametrize("result", NEEDS_NOTHING)
def test_the_other_results_need_no_evidence(office, result):
    office.believe(answer(result))

    assert office.refused() == {}


@pytest.mark.parametrize("evidence", [NUMBER, f"学籍号{NUMBER}，班主任证明"])
def test_the_student_number_of_an_enrolment_may_stand_in_the_evidence(office, evidence):
    office.believe(answer("在校已有学籍", student_number=None, evidence=evidence))

    assert office.refused() == {}
    assert office.decisions("student_number") == [(NUMBER,)]


def test_evidence_without_a_student_number_names_no_enrolment(office):
    office.believe(answer("在校已有学籍", student_number=None, evidence="班主任证明"))

    assert office.refused() == {1: ("student_number", "evidence_missing")}


@pytest.mark.parametrize("number", ["G533123201503120029", "G000000000000000000", "L99", "见附件"])
def test_a_student_number_that_is_not_in_the_registry_goes_back(office, number):
    """Also where the registry has rows without a number, which are like no number that is asked for."""
    office.believe(answer("在校已有学籍", student_number=number), answer("失联", case_id="A2", student_number="G9"))

    assert office.refused() == {1: ("student_number", "unknown_student_number")}
    assert office.decisions("case_id") == [("A2",)]


@pytest.mark.parametrize(
    ("names", "bearer", "goes_back"),
    [
        (["赵小刚"], {"called": "赵小刚"}, True),
        (["赵小刚"], {"called": "赵小刚", "is_live": False}, False),
        (["赵小刚"], {"called": "钱二"}, False),  # under another's number: the child's own, it may be
        (["王晓明"], {"called": "王晓明"}, False),  # the child under its other 户籍
        (["赵小刚", "王小明"], {"called": "赵小刚"}, False),  # a number that was borrowed: the names tell them apart
    ],
)
def test_the_number_of_another_childs_own_record_goes_back(office, names, bearer, goes_back):
    office.record(*names, id_key=1, **bearer)

    office.believe(answer("在校已有学籍"))

    assert office.refused() == ({1: ("student_number", "number_of_another")} if goes_back else {})


def test_an_answer_to_no_case_goes_back(office):
    office.believe(answer(case_id="A99"), answer(case_id="a1"), answer(case_id="A2"))

    assert office.refused() == {1: ("case_id", "unknown_case"), 2: ("case_id", "unknown_case")}
    assert office.decisions("case_id") == [("A2",)]


@pytest.mark.parametrize(
    ("case_id", "name", "is_refused"),
    [
        ("A1", "王小明", False),
        ("A1", " 王 小明", False),
        ("A1", "王小眀", False),
        ("A1", None, False),
        ("A1", "李国强", True),
        ("A1", "王大明", True),
        ("A2", "买买提•艾力", False),
        ("A2", "麦麦提艾力", False),
        ("A2", "艾力·买买提", False),
        ("A2", "阿依古丽", True),
    ],
)
def test_the_name_of_another_child_sends_an_answer_back_and_a_spelling_does_not(office, case_id, name, is_refused):
    office.believe(answer(case_id=case_id, name=name))

    assert office.refused() == ({1: ("name", "other_child")} if is_refused else {})


@pytest.mark.parametrize(
    ("verified_on", "rule"),
    [
        (ON, None),
        (ON + DAY, "in_the_future"),
        (OPENED, None),
        (OPENED - DAY, "before_case"),
    ],
    ids=["today", "tomorrow", "the day the case opened", "the day before it opened"],
)
def test_an_answer_is_of_a_day_of_its_case(office, verified_on, rule):
    office.believe(answer(verified_on=verified_on))

    assert office.refused() == ({1: ("verified_on", rule)} if rule else {})


@pytest.mark.parametrize("result", ["延缓入学", "休学"])
@pytest.mark.parametrize(("until", "is_refused"), [(ON - 2 * DAY, True), (ON - DAY, True), (ON, False)])
def test_a_term_ends_after_the_day_it_was_verified_on(office, result, until, is_refused):
    office.believe(answer(result, verified_on=ON - DAY, until=until))

    assert office.refused() == ({1: ("until", "until_not_after")} if is_refused else {})


def test_different_results_of_one_case_and_day_go_back_together(office):
    account = office.believe(
        answer("失联"), answer("确认辍学"), answer("失联", verified_on=ON - 2 * DAY), answer("出国(境)", case_id="A2")
    )

    assert office.refused() == {1: ("result", "contradictory"), 2: ("result", "contradictory")}
    assert (account.believed, account.refused) == (2, 2)


@pytest.mark.parametrize(("result", "is_refused"), [("确认辍学", True), ("失联", False)])
def test_an_answer_that_contradicts_one_believed_before_of_the_same_day_goes_back(office, result, is_refused):
    office.believe(answer("失联"))
    office.next_night()

    account = office.believe(answer(result, visits=3), on=ON + DAY)

    assert (account.refused, account.believed) == (int(is_refused), int(not is_refused))
    assert office.refused() == ({1: ("result", "contradictory")} if is_refused else {})


# -- the four steps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evidence", [None, "家长外出，送达不了"])
@pytest.mark.parametrize(
    ("reached", "taken", "skips"),
    [
        (None, "宣传教育", False),
        (None, "责令改正", True),
        ("宣传教育", "责令改正", False),
        ("宣传教育", "行政处罚", True),
        ("行政处罚", "宣传教育", False),
        ("行政处罚", "申请强制执行或提起诉讼", False),
    ],
)
def test_a_step_before_its_turn_goes_back_for_the_reason(office, reached, taken, skips, evidence):
    office.connection.execute("UPDATE previous_cases SET measure = ? WHERE case_id = 'A2'", [reached])

    office.believe(answer("失联", "A2", measure=taken, evidence=evidence))

    assert office.refused() == ({1: ("evidence", "step_skipped")} if skips and not evidence else {})


def test_the_steps_of_one_night_count_by_their_days_whatever_their_rows(office):
    office.believe(
        answer("失联", "A2", verified_on=ON - DAY, measure="行政处罚"),
        answer("失联", "A2", verified_on=ON - 9 * DAY, measure="宣传教育"),
        answer("失联", "A2", verified_on=ON - 5 * DAY, measure="责令改正"),
    )

    assert office.refused() == {}


def test_those_of_one_day_count_in_the_order_of_the_four_whatever_their_rows(office):
    office.believe(answer("失联", "A2", measure="责令改正"), answer("失联", "A2", measure="宣传教育"))

    assert office.refused() == {}


def test_a_step_of_a_later_day_does_not_make_good_for_the_one_that_skipped_it(office):
    office.connection.execute("UPDATE previous_cases SET measure = '宣传教育' WHERE case_id = 'A2'")

    office.believe(
        answer("失联", "A2", verified_on=ON - 9 * DAY, measure="行政处罚"),
        answer("失联", "A2", verified_on=ON - DAY, measure="责令改正"),
    )

    assert office.refused() == {1: ("evidence", "step_skipped")}


def test_a_step_that_is_taken_once_more_takes_none_back(office):
    office.connection.execute("UPDATE previous_cases SET measure = '责令改正' WHERE case_id = 'A2'")

    office.believe(
        answer("失联", "A2", verified_on=ON - 2 * DAY, measure="宣传教育"),
        answer("失联", "A2", verified_on=ON - DAY, measure="行政处罚"),
    )

    assert office.refused() == {}


# -- contradictions ------------------------------------------------------------------------------------------------


def test_the_same_result_twice_on_one_day_is_no_contradiction(office):
    office.believe(answer("失联", visits=1), answer("失联", visits=2))

    assert office.refused() == {}
    assert office.decisions("decision", "visits") == [(1, 1), (2, 2)]


@pytest.mark.parametrize("result", sorted(set(RESULTS) - {"确认失学", "确认辍学"}))
def test_a_closed_case_takes_no_answer(office, result):
    office.believe(answer(result, case_id="A3"))

    assert office.refused() == {1: ("case_id", "case_closed")}


@pytest.mark.parametrize("result", ["确认失学", "确认辍学"])
@pytest.mark.parametrize("case_id", ["A3", "A4"])
def test_a_closed_case_takes_a_confirmed_dropout(office, case_id, result):
    office.believe(answer(result, case_id=case_id))

    assert office.refused() == {}


def test_a_case_closed_until_a_day_takes_answers(office):
    office.believe(answer("休学", case_id="A4"))

    assert office.refused() == {}


def test_an_answer_goes_back_for_one_reason_and_can_be_mended(office):
    wrong = answer("户籍死亡", name="李国强", verified_on=ON + DAY, evidence=None)
    office.believe(wrong)
    assert len(office.refused()) == 1
    office.next_night()

    account = office.believe(answer("户籍死亡", name="王小明"), on=ON + DAY)

    assert (account.believed, account.refused) == (1, 0)


def test_every_reason_to_send_an_answer_back_is_said_in_chinese():
    assert all(any("\u4e00" <= character <= "\u9fff" for character in words) for words in REFUSALS.values())


def test_what_goes_back_names_the_file_and_its_row_and_no_value(office):
    office.believe(answer(case_id="A2"), answer("户籍死亡", name="李国强", evidence=None))

    [found] = rows(office.connection, "SELECT * FROM draft.refused_verifications")
    assert found[:3] == (2, "verifications.csv", "A1")
    assert "李国强" not in str(found)


# -- the verdict that stands ---------------------------------------------------------------------------------------


def test_a_verdict_says_where_a_child_stands():
    assert set(VERDICTS) == set(RESULTS) - {"姓名或证号错误", "查无此人", "失联", "已复学"}


@pytest.mark.parametrize("later", ["失联", "查无此人", "姓名或证号错误", "已复学"])
def test_an_answer_that_says_nothing_of_where_a_child_is_leaves_the_verdict(office, later):
    office.believe(answer("确认辍学", verified_on=ON - 2 * DAY), answer(later, verified_on=ON))

    assert office.verdicts() == {"C1": "确认辍学"}


def test_the_latest_verdict_stands_whenever_it_was_sent(office):
    office.believe(answer("确认辍学", verified_on=ON - DAY))
    office.next_night()

    office.believe(answer("出国(境)", verified_on=ON - 5 * DAY), on=ON + DAY)
    assert office.verdicts() == {"C1": "确认辍学"}
    office.next_night()
    office.believe(answer("送教上门", verified_on=ON + DAY), on=ON + 2 * DAY)

    assert office.verdicts() == {"C1": "送教上门"}


def test_a_refused_answer_is_no_verdict(office):
    office.believe(answer("户籍死亡", evidence=None), answer("确认辍学", case_id="A99"))

    assert office.verdicts() == {}


def test_a_verdict_carries_its_term_and_its_row(office):
    office.believe(answer(case_id="A2"), answer("休学", until=dt.date(2027, 8, 31)))

    assert rows(
        office.connection, "SELECT child_id, result, verified_on, until, landed_on, source_row FROM status.verdicts"
    ) == [("C1", "休学", ON - DAY, dt.date(2027, 8, 31), ON, 2)]


@pytest.mark.parametrize(
    ("returned_on", "stands"),
    [(ON - 2 * DAY, True), (ON - DAY, True), (ON, False), (ON + DAY, False)],
    ids=["before it was seen", "before it was sent", "the same night", "after"],
)
def test_a_confirmed_dropout_that_was_shown_to_be_back_is_one_no_longer(office, returned_on, stands):
    """The source that showed the return may not say it again: what was confirmed before speaks of the time before."""
    office.believe(answer("确认辍学", "A2", verified_on=ON - DAY))
    office.next_night()
    office.connection.execute(
        "INSERT INTO previous_case_events (case_id, sequence, event, occurred_on, closing_reason) VALUES ('A2', 3, 'closed_by_evidence', ?, 'live_enrolment')",
        [returned_on],
    )

    office.believe(on=ON + 9 * DAY)

    assert office.verdicts() == ({"C2": "确认辍学"} if stands else {})


@pytest.mark.parametrize("gone", [reason.code for reason in REASONS if reason.status == "departed"])
def test_who_was_confirmed_and_departed_since_was_not_shown_to_be_back(office, gone):
    """Who comes back from abroad, or into the register, has still been confirmed, until something shows it at school."""
    office.believe(answer("确认辍学", "A2", verified_on=ON - DAY))
    office.next_night()
    office.connection.execute(
        "INSERT INTO previous_case_events (case_id, sequence, event, occurred_on, closing_reason) VALUES ('A2', 3, 'closed_by_evidence', ?, ?)",
        [ON + DAY, gone],
    )

    office.believe(on=ON + 9 * DAY)

    assert office.verdicts() == {"C2": "确认辍学"}


def test_another_verdict_stands_though_its_case_was_closed_on_evidence_since(office):
    """That a child was seen says nothing against a term that was granted."""
    office.believe(answer("休学", "A2", verified_on=ON - DAY))
    office.next_night()
    office.connection.execute(
        "INSERT INTO previous_case_events (case_id, sequence, event, occurred_on, closing_reason) VALUES ('A2', 3, 'closed_by_evidence', ?, 'live_enrolment')",
        [ON + DAY],
    )

    office.believe(on=ON + 9 * DAY)

    assert office.verdicts() == {"C2": "休学"}
