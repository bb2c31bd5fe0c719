"""Comparisons of one attribute: each level by pairs of values and by those that just miss it; missing is never a disagreement."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.matching.comparisons import (
    MISSING,
    Date,
    Exact,
    Identifier,
    Number,
    Pairs,
    Text,
    codes_of,
    on_distinct,
)


def levels(comparison, left, right):
    sides = [values if isinstance(values, pl.Series) else pl.Series(values) for values in (left, right)]
    prepared = [pl.DataFrame(comparison.prepare(pl.DataFrame({comparison.name: values}))) for values in sides]
    return comparison.levels(Pairs.aligned(*prepared)).tolist()


def level(comparison, left, right, dtype=pl.String):
    found = levels(comparison, pl.Series([left], dtype=dtype), pl.Series([right], dtype=dtype))[0]
    turned = levels(comparison, pl.Series([right], dtype=dtype), pl.Series([left], dtype=dtype))[0]
    assert found == turned
    return "missing" if found == MISSING else comparison.labels[found]


CASES = [
    (Exact("sex"), "1", "1", "equal"),
    (Exact("sex"), "1", "2", "different"),
    (Exact("sex"), None, "2", "missing"),
    (Exact("sex"), None, None, "missing"),
    (Text("town"), "Upper  Hutt", "upper hutt ", "equal"),
    (Text("town"), "勐海镇", "勐海镇", "equal"),
    (Text("town"), "Ｂaoshan", "baoshan", "equal"),
    (Text("town"), "baoshan", "baosham", "one slip"),
    (Text("town"), "baoshan", "boashan", "one slip"),
    (Text("town"), "baoshan", "baosan", "one slip"),
    (Text("town"), "勐海镇", "勐腊镇", "one slip"),  # one character, whatever its bytes
    (Text("town"), "ab", "ac", "different"),  # of two characters one is half
    (Text("town"), "martha", "marhtaa", "close"),
    (Text("town"), "stephenson", "stevenson", "close"),
    (Text("town"), "dixon", "dicksonx", "somewhat close"),
    (Text("town"), "catherine", "kathryn", "somewhat close"),
    (Text("town"), "baoshan", "kunming", "different"),
    (Text("town"), "勐海镇", "瑞丽市", "different"),
    (Text("town"), "", "baoshan", "missing"),
    (Text("town"), "  ", "baoshan", "missing"),
    (Text("town"), None, None, "missing"),
    (Identifier("phone"), "138-0000 1234", "13800001234", "equal"),
    (Identifier("phone"), "ab12", "AB12", "equal"),
    (Identifier("phone"), "13800001234", "13800001235", "one slip"),
    (Identifier("phone"), "13800001234", "13800001243", "one slip"),
    (Identifier("phone"), "13800001234", "1380000134", "one slip"),
    (Identifier("phone"), "13800001234", "13800009934", "two slips"),
    (Identifier("phone"), "13800001234", "1380000143", "two slips"),
    (Identifier("phone"), "13800001234", "13900009934", "different"),
    (Identifier("phone"), "-", "13800001234", "missing"),
    (Identifier("phone"), None, "13800001234", "missing"),
    (Number("house"), "0042", "42", "equal"),
    (Number("house"), "42.0", "42", "equal"),
    (Number("house"), "No. 42", "42", "equal"),
    (Number("house"), "12b", "12 b", "one slip"),
    (Number("house"), "12b", "12B", "equal"),
    (Number("postcode"), "SW1A 1AA", "sw1a1aa", "equal"),
    (Number("postcode"), "SW1A 1AA", "SW1A 1AB", "one slip"),
    (Number("postcode"), "SW1A 1AA", "SE1 9GF", "different"),
    (Number("age"), "42", "43", "one away"),
    (Number("age"), "1900", "1899", "one away"),
    (Number("age"), "39", "41", "two away"),
    (Number("age"), "38", "42", "up to five away"),
    (Number("age"), "37", "42", "up to five away"),
    (Number("age"), "36", "42", "different"),
    (Number("house"), "42", "72", "one slip"),
    (Number("house"), "42", "24", "one slip"),
    (Number("house"), "42", "421", "one slip"),
    (Number("house"), "42", "4", "one slip"),
    (Number("house"), "42", "35", "different"),
    (Number("house"), "420", "24", "different"),
    (Number("house"), "none", "42", "missing"),
    (Date("born"), "20150312", "2015-03-12", "equal"),
    (Date("born"), "2015-03-12", "2015-12-03", "day and month swapped"),
    (Date("born"), "20150304", "20150403", "day and month swapped"),
    (Date("born"), "2015-03-12", "2015-03-13", "one slip"),
    (Date("born"), "2015-03-12", "2015-03-21", "one slip"),
    (Date("born"), "2015-03-12", "2051-03-12", "one slip"),
    (Date("born"), "2015-03-12", "2018-03-12", "one slip"),
    (Date("born"), "2009-03-12", "2010-03-12", "year off by one"),
    (Date("born"), "2019-03-12", "2020-03-12", "year off by one"),
    (Date("born"), "2009-03-12", "2011-03-12", "different"),
    (Date("born"), "2015-01-01", "2015-06-24", "placeholder"),
    (Date("born"), "2015-11-28", "2015-01-01", "placeholder"),
    (Date("born"), "2014-01-01", "2015-06-24", "different"),
    (Date("born"), "2015-04-25", "2015-03-07", "lunar"),  # 49 days behind
    (Date("born"), "2015-05-27", "2015-04-10", "lunar"),
    (Date("born"), "2015-03-25", "2015-03-06", "lunar"),
    (Date("born"), "2015-05-27", "2015-04-02", "same year"),  # 55 days
    (Date("born"), "2015-03-29", "2015-03-15", "same month"),
    (Date("born"), "2015-11-28", "2015-11-14", "same month"),
    (Date("born"), "2015-11-28", "2015-03-14", "same year"),
    (Date("born"), "2015-11-28", "2013-03-14", "different"),
    (Date("born"), "2015-3-12", "2015-03-12", "equal"),
    (Date("born"), "2015年3月12日", "2015-03-12", "equal"),
    (Date("born"), "12/3/2015", "2015-03-12", "equal"),
    (Date("born"), "12.03.2015", "2015-03-12", "equal"),
    (Date("born"), "2015-03-12 00:00:00", "2015-03-12T08:30:00Z", "equal"),
    (Date("born"), "03/12/2015", "2015-12-03", "equal"),
    (Date("born", month_first=True), "03/12/2015", "2015-03-12", "equal"),
    (Date("born"), "03/25/2015", "2015-03-25", "equal"),
    (Date("born", month_first=True), "25/03/2015", "2015-03-25", "equal"),
    (Date("born"), "25/31/2015", "2015-03-25", "same year"),
    (Date("born"), "12/3/15", "2015-03-12", "missing"),  # of which century?
    (Date("born"), "March 2015", "2015-03-12", "missing"),
    (Text("surname"), "García", "GARCIA", "equal"),
    (Text("surname"), "Müller", "Muller", "equal"),
    (Text("surname"), "박지민", "박지민", "equal"),
    (Exact("sex"), "", "M", "missing"),
    (Exact("sex"), "M ", "M", "equal"),
    (Date("born"), "", "2015-03-12", "missing"),
    (Date("born"), None, None, "missing"),
]  # fmt: skip


@pytest.mark.parametrize(("comparison", "left", "right", "expected"), CASES, ids=lambda value: str(value)[:24])
def test_two_values_are_at_the_level_that_says_how_they_differ(comparison, left, right, expected):
    assert level(comparison, left, right) == expected


def test_every_level_has_an_example():
    shown = {(type(comparison), expected) for comparison, _, _, expected in CASES}

    assert {(kind, label) for kind in (Exact, Text, Identifier, Number, Date) for label in kind.labels} <= shown


@pytest.mark.parametrize("make", [Exact, Text, Identifier, Number, Date])
def test_a_column_of_nothing_but_missing_values_is_no_evidence(make):
    comparison = make("value")

    for dtype in (pl.String, pl.Int64):
        assert levels(comparison, pl.Series([None, None], dtype=dtype), pl.Series([None, "20150312"])) == [MISSING] * 2


@pytest.mark.parametrize("make", [Text, Identifier, Number, Date])
def test_the_column_compared_may_have_another_name(make):
    comparison = make("value", column="written")
    left, right = (pl.DataFrame({"written": [text]}) for text in ("20150312", "20150313"))
    prepared = [pl.DataFrame(comparison.prepare(side)) for side in (left, right)]

    assert comparison.reads == ("written",)
    assert comparison.levels(Pairs.aligned(*prepared)).tolist() == levels(make("value"), ["20150312"], ["20150313"])


def test_dates_are_read_from_dates_texts_and_numbers_alike():
    day = dt.date(2015, 3, 12)
    forms = [
        pl.Series([day]), pl.Series([dt.datetime(2015, 3, 12, 8)]), pl.Series(["2015-03-12"]), pl.Series(["20150312"]),  # noqa: DTZ001
        pl.Series([20150312]), pl.Series([20150312.0]), pl.Series([20150312], dtype=pl.Int32),
    ]  # fmt: skip

    assert [levels(Date("born"), a, b) for a in forms for b in forms] == [[0]] * len(forms) ** 2


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pl.Series([3], dtype=pl.Int8), pl.Series([3], dtype=pl.Int64)),
        (pl.Series([3], dtype=pl.UInt32), pl.Series([3], dtype=pl.Int64)),
        (pl.Series([3], dtype=pl.Int64), pl.Series(["3"])),
        (pl.Series(["b"], dtype=pl.Enum(["a", "b"])), pl.Series(["b"], dtype=pl.Enum(["b", "c"]))),
        (pl.Series(["b"], dtype=pl.Categorical), pl.Series(["b"])),
    ],
    ids=lambda values: str(values.dtype),
)
def test_equal_values_are_equal_however_two_tables_keep_them(left, right):
    assert levels(Exact("code"), left, right) == [0]
    assert levels(Exact("code"), right, left) == [0]


DAYS = st.dates(dt.date(2008, 1, 1), dt.date(2012, 12, 31))


@given(st.lists(st.tuples(DAYS, DAYS), min_size=1, max_size=30))
def test_the_level_of_two_dates_is_the_same_both_ways_round(pairs):
    lefts, rights = zip(*pairs, strict=True)

    assert levels(Date("born"), list(lefts), list(rights)) == levels(Date("born"), list(rights), list(lefts))


TYPED = st.one_of(st.none(), st.text(alphabet="ab1 县Ｂ", max_size=6))


@settings(max_examples=30)
@given(
    st.lists(st.tuples(TYPED, TYPED), min_size=1, max_size=12),
    st.sampled_from([Text("v"), Identifier("v"), Number("v")]),
)
def test_the_level_of_two_texts_is_the_same_both_ways_round_and_alone(pairs, comparison):
    lefts, rights = (pl.Series(values, dtype=pl.String) for values in zip(*pairs, strict=True))
    found = levels(comparison, lefts, rights)

    assert levels(comparison, rights, lefts) == found
    assert [levels(comparison, lefts[p : p + 1], rights[p : p + 1])[0] for p in range(len(pairs))] == found


@settings(max_examples=30)
@given(st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=20))
def test_codes_are_equal_where_values_are_and_nought_where_they_are_missing(values):
    codes = codes_of(pl.Series(values, dtype=pl.String)).to_list()

    assert [code == 0 for code in codes] == [value is None for value in values]
    assert [[a == b for b in codes] for a in codes] == [[a == b for b in values] for a in values]


def test_the_code_of_a_value_does_not_depend_on_the_values_beside_it():
    assert codes_of(pl.Series(["a", None, "b"])).to_list()[2] == codes_of(pl.Series(["b"])).to_list()[0]


@pytest.mark.parametrize("repeats", [1, 50])
def test_a_rule_on_distinct_pairs_gives_each_pair_its_own_answer(repeats):
    lefts, rights = (
        pl.DataFrame(Text("v").prepare(pl.DataFrame({"v": values * repeats})))
        for values in (["ab", "b", "ab", "c"], ["b", "ab", "b", "d"])
    )
    asked = []

    def rule(texts):
        asked.append(list(zip(*(side.to_list() for side in texts.texts()), strict=True)))
        return texts.both(lambda of_side: of_side.str.len_chars())[0]

    answers = on_distinct(Pairs.aligned(lefts, rights), ("v.text", "v.code"), ("v.text", "v.code"), rule)

    assert answers.tolist() == [2, 1, 2, 1] * repeats
    assert sorted(*asked) == [("ab", "b"), ("b", "ab"), ("c", "d")]
    answers[0] = 0  # whoever asked may go on with the answers


@given(st.lists(st.text("abcé", max_size=5), min_size=1, max_size=12), st.data())
def test_texts_score_alike_whether_each_meets_all_or_a_few(values, data):
    table = pl.DataFrame(Text("v").prepare(pl.DataFrame({"v": [f"x{value}" for value in values]})))
    rows = st.integers(0, len(values) - 1)
    some = np.array(data.draw(st.lists(st.tuples(rows, rows), min_size=1, max_size=3)))
    grid = np.array([(a, b) for a in range(len(values)) for b in range(len(values))])

    def scores(pairs):
        both = Pairs(table, table, pairs[:, 0], pairs[:, 1])
        texts = on_distinct(both, ("v.text", "v.code"), ("v.text", "v.code"), lambda texts: texts.similarity())
        slips = on_distinct(both, ("v.text", "v.code"), ("v.text", "v.code"), lambda texts: texts.slips(2))
        return np.stack([texts, slips], axis=1)

    assert (scores(grid)[some[:, 0] * len(values) + some[:, 1]] == scores(some)).all()


@pytest.mark.parametrize("comparison", [Exact("v"), Text("v"), Identifier("v"), Number("v"), Date("v")])
@pytest.mark.parametrize("values", [[["a"]], [{"a": "b"}], [b"a"], [object()], [dt.timedelta(1)]])
def test_several_values_a_record_or_bytes_are_refused_by_the_name_of_their_column(comparison, values):
    with pytest.raises(TypeError, match="column v holds"):
        comparison.prepare(pl.DataFrame({"v": values}))


@pytest.mark.parametrize(
    "born",
    [
        pl.Series([dt.date(2015, 3, 12)]),
        pl.Series(["2015-03-12 23:30"]).str.to_datetime(),
        pl.Series(["2015-03-12 00:30"]).str.to_datetime().dt.replace_time_zone("Asia/Shanghai"),
        pl.Series([20150312]),
        pl.Series([20150312.0]),
        pl.Series(["20150312"], dtype=pl.Categorical),
    ],
    ids=lambda born: str(born.dtype),
)
def test_a_date_is_one_date_in_whatever_type_it_is_kept(born):
    [code] = Date("born").prepare(pl.DataFrame({"born": born}))

    assert code.to_list() == [0x20150312]
