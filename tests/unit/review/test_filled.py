"""A filled workbook read back: which answers are believed, and which cell has to be mended and why."""

import datetime as dt

import openpyxl
import polars as pl
import pytest

from kcb_pipeline.errors import ContractError
from kcb_pipeline.review.filled import NO_REVIEWER, TWICE, UNKNOWN_ANSWER, UNKNOWN_PAIR, read_filled
from kcb_pipeline.review.workbook import ANSWER, INSTRUCTIONS, NUMBER, PAIRS, REVIEWER

ON, BORN = dt.date(2026, 11, 20), dt.date(2016, 3, 12)
KNOWN = pl.DataFrame({
    "pair": ["P1", "P2"], "child_id": ["C1", "C2"], "record_key": ["G1", "G2"], "record_name": ["王小明", None],
    "record_birth_date": [BORN, None],
})  # fmt: skip


@pytest.fixture
def read(tmp_path):
    """`read(rows, reviewer)`: what a workbook with those numbers and answers says."""

    def make(*rows, reviewer="甲", headings=(NUMBER, "来源", ANSWER)):
        book = openpyxl.Workbook()
        book.active.title = INSTRUCTIONS
        book.active.append(["人工核对表"])
        book.active.append([REVIEWER, reviewer])
        sheet = book.create_sheet(PAIRS)
        sheet.append(headings)
        for number, answer in rows:
            sheet.append([number, "户籍", answer])
        path = tmp_path / "filled.xlsx"
        book.save(path)
        return read_filled(path, KNOWN, ON)

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


def test_without_a_reviewer_nothing_is_believed(read):
    found = read(("P1", "是同一人"), reviewer=None)

    assert (found.answers, told(found)) == ((), {(f"{INSTRUCTIONS}!B2", NO_REVIEWER)})


def test_a_workbook_without_our_headings_is_none_of_ours(read):
    with pytest.raises(ContractError, match=ANSWER):
        read(("P1", "是同一人"), headings=(NUMBER, "来源", "别的"))
