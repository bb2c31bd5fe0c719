"""A filled workbook read back: which answers are believed, and which cell has to be mended and why."""

import datetime as dt

import openpyxl
import polars as pl
import pytest

from kcb_pipeline.errors import ContractError
from kcb_pipeline.review.filled import NO_REVIEWER, TWICE, UNKNOWN_ANSWER, UNKNOWN_PAIR, UNKNOWN_ROUND, read_filled
from kcb_pipeline.review.rounds import Round
from kcb_pipeline.review.workbook import ANSWER, INSTRUCTIONS, NUMBER, PAIRS, REVIEWER, ROUND

ON, BORN = dt.date(2026, 11, 20), dt.date(2016, 3, 12)


def drawn(on, **named):
    """A round of a date, with what stood under the keys of its pairs."""
    return Round(
        f"{on}-0",
        on,
        pl.DataFrame(
            [(pair, f"C{pair[1:]}", f"G{pair[1:]}", name, BORN if name else None) for pair, name in named.items()],
            schema={"pair": pl.String, "child_id": pl.String, "record_key": pl.String, "record_name": pl.String, "record_birth_date": pl.Date},
            orient="row",
        ),
    )  # fmt: skip


ROUNDS = [
    drawn(ON - dt.timedelta(days=2), P3="李四"),
    drawn(ON - dt.timedelta(days=1), P1="王小明", P2=None),
    drawn(ON, P1="赵六", P3="钱七", P4="孙八"),
]
"""The second is that of the workbook. By the third, other pupils' records stand under the keys of P1 and P3."""


@pytest.fixture
def read(tmp_path):
    """`read(rows, reviewer)`: what a workbook with those numbers and answers says."""

    def make(*rows, reviewer="甲", of=ROUNDS[1].name, headings=(NUMBER, "来源", ANSWER)):
        book = openpyxl.Workbook()
        book.active.title = INSTRUCTIONS
        book.active.append(["人工核对表"])
        book.active.append([REVIEWER, reviewer])
        book.active.append([ROUND, of])
        sheet = book.create_sheet(PAIRS)
        sheet.append(headings)
        for number, answer in rows:
            sheet.append([number, "人口", answer])
        path = tmp_path / "filled.xlsx"
        book.save(path)
        return read_filled(path, ROUNDS, ON)

    return make


def told(filled):
    return {(fault.cell, fault.why) for fault in filled.faults}


def test_an_answer_is_kept_with_what_the_reviewer_saw(read):
    [answer] = read(("P1", " 是同一人 ")).answers

    assert (answer.pair, answer.child_id, answer.record_key) == ("P1", "C1", "G1")
    assert (answer.record_name, answer.record_birth_date) == ("王小明", BORN)
    assert (answer.reviewer, answer.answer, answer.answered_on) == ("甲", "same", ON)
    assert len(answer.sheet) == 64


def test_the_second_row_of_a_pair_is_nothing_and_a_pair_without_an_answer_is_empty(read):
    found = read(("P1", "不是同一人"), (None, None), ("P2", None), (None, None))

    assert ([answer.answer for answer in found.answers], found.empty, told(found)) == (["different"], 1, set())


def test_a_number_that_nobody_was_asked_about_is_named_by_its_cell(read):
    found = read(("P9", "是同一人"), ("P1", "无法判断"))

    assert told(found) == {(f"{PAIRS}!A2", UNKNOWN_PAIR)}
    assert [answer.pair for answer in found.answers] == ["P1"]


def test_so_is_an_answer_that_is_none(read):
    found = read(("P1", "也许"), ("P2", "是同一人"))

    assert told(found) == {(f"{PAIRS}!C2", UNKNOWN_ANSWER)}
    assert [answer.pair for answer in found.answers] == ["P2"]


def test_two_answers_to_one_pair_are_believed_where_they_are_one(read):
    alike = read(("P1", "是同一人"), ("P1", "是同一人"))
    assert ([answer.answer for answer in alike.answers], told(alike)) == (["same"], set())

    differing = read(("P1", "是同一人"), ("P1", "不是同一人"))
    assert (differing.answers, told(differing)) == ((), {(f"{PAIRS}!C3", TWICE)})


@pytest.mark.parametrize("written", ["张三", "张 三", " 张　三 ", "张三\u200b"])
def test_a_reviewer_is_one_however_the_name_is_typed(read, written):
    found = read(("P1", "是同一人"), reviewer=written)

    assert (found.reviewer, [answer.reviewer for answer in found.answers]) == ("张三", ["张三"])


def test_without_a_reviewer_nothing_is_believed(read):
    found = read(("P1", "是同一人"), reviewer=None)

    assert (found.answers, told(found)) == ((), {(f"{INSTRUCTIONS}!B2", NO_REVIEWER)})


def test_a_pair_is_kept_as_its_own_round_saw_it_and_one_of_an_earlier_round_as_that_did(read):
    found = read(("P1", "是同一人"), ("P3", "不是同一人"), ("P4", "是同一人"))

    assert {answer.pair: answer.record_name for answer in found.answers} == {"P1": "王小明", "P3": "李四"}
    assert told(found) == {(f"{PAIRS}!A4", UNKNOWN_PAIR)}  # nobody had been asked of it


def test_of_a_round_that_was_never_drawn_nothing_is_believed(read):
    found = read(("P1", "是同一人"), of="2026-11-19-9")

    assert (found.answers, told(found)) == ((), {(f"{INSTRUCTIONS}!B3", UNKNOWN_ROUND)})


def test_a_workbook_without_our_headings_is_none_of_ours(read):
    with pytest.raises(ContractError, match=ANSWER):
        read(("P1", "是同一人"), headings=(NUMBER, "来源", "别的"))
