"""What answers add up to, and the file they are kept in."""

import datetime as dt
import stat

import pytest

from kcb_pipeline.errors import KcbError, UsageError
from kcb_pipeline.review.answers import Answer, add_answers, binding, digest, read_answers, weigh

D = dt.date(2026, 11, 18)


def answer(reviewer, said, *, pair="P", on=D, name="王\u2028小明", sheet="0"):
    return Answer(pair, "C1", "G1", name, dt.date(2016, 3, 12), reviewer, said, on, sheet * 64)


@pytest.mark.parametrize(
    ("said", "needed", "state"),
    [
        ([("甲", "same")], 2, "open"),
        ([("甲", "same"), ("甲", "same")], 2, "open"),  # one person twice is one opinion
        ([("甲", "same"), ("乙", "same")], 2, "same"),
        ([("甲", "different"), ("乙", "different")], 2, "different"),
        ([("甲", "same"), ("乙", "different")], 2, "disputed"),
        ([("甲", "same"), ("乙", "unsure")], 2, "disputed"),
        ([("甲", "unsure"), ("乙", "unsure")], 2, "unsure"),
        ([("甲", "same"), ("乙", "different"), ("丙", "same")], 2, "same"),
        ([("甲", "same"), ("乙", "different"), ("丙", "different")], 2, "different"),
        ([("甲", "same"), ("乙", "different"), ("丙", "unsure")], 2, "disputed"),
        ([("甲", "same"), ("乙", "different"), ("丙", "same"), ("丁", "different")], 2, "disputed"),
        ([("甲", "unsure"), ("乙", "unsure"), ("丙", "same")], 2, "unsure"),
        ([("甲", "unsure"), ("乙", "unsure"), ("丙", "same"), ("丁", "different")], 2, "disputed"),
        ([("甲", "same"), ("乙", "different"), ("乙", "same")], 2, "same"),  # the last of each counts
        ([("甲", "same")], 1, "same"),
        ([("甲", "same"), ("乙", "different")], 1, "disputed"),
    ],
)
def test_what_answers_add_up_to(said, needed, state):
    assert weigh([answer(*one) for one in said], needed)["P"].state == state


def test_a_verdict_is_dated_by_the_answer_that_brought_it():
    later = D + dt.timedelta(days=3)
    given = [
        answer("甲", "same"),
        answer("乙", "same", on=later),
        answer("丙", "same", on=later + dt.timedelta(days=1)),
    ]

    assert weigh(given, 2)["P"].settled_on == later


def test_answers_bind_only_nights_of_later_dates():
    given = [answer("甲", "same")]

    assert binding(given, D) == []
    assert binding(given, D + dt.timedelta(days=1)) == given


def test_the_file_gives_back_what_was_put_in_and_only_grows(tmp_path):
    folder = tmp_path / "reviews"
    first, second = answer("甲", "same"), answer("乙", "different", on=D + dt.timedelta(days=1))

    assert add_answers(folder, [first]) == [first]
    before = (folder / "answers.jsonl").read_bytes()
    assert add_answers(folder, [first, second]) == [second]

    assert read_answers(folder) == [first, second]
    assert (folder / "answers.jsonl").read_bytes().startswith(before)
    assert stat.S_IMODE((folder / "answers.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_changed_mind_is_a_further_answer(tmp_path):
    add_answers(tmp_path, [answer("甲", "same")])
    add_answers(tmp_path, [answer("甲", "different", sheet="1")])
    add_answers(tmp_path, [answer("甲", "same", sheet="2")])

    assert [one.answer for one in read_answers(tmp_path)] == ["same", "different", "same"]


def test_a_workbook_that_is_brought_in_again_changes_no_mind_back(tmp_path):
    first, mended = answer("甲", "same"), answer("甲", "different", sheet="1")
    add_answers(tmp_path, [first])
    add_answers(tmp_path, [mended])

    assert add_answers(tmp_path, [mended, first]) == []  # the whole folder, in the order of its names
    assert read_answers(tmp_path) == [first, mended]


def test_dates_never_go_back(tmp_path):
    add_answers(tmp_path, [answer("甲", "same")])

    with pytest.raises(UsageError, match=str(D)):
        add_answers(tmp_path, [answer("乙", "same", on=D - dt.timedelta(days=1))])


def test_a_torn_file_is_refused_and_quotes_nothing(tmp_path):
    add_answers(tmp_path, [answer("甲", "same"), answer("乙", "same")])
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-30])

    with pytest.raises(KcbError, match="line 2") as caught:
        read_answers(tmp_path)
    assert "小明" not in str(caught.value)


def test_the_digest_tells_answers_apart():
    assert digest([]) is None
    assert digest([answer("甲", "same")]) == digest([answer("甲", "same")])
    assert len({digest([answer("甲", said)]) for said in ("same", "different", "unsure")}) == 3
