"""Blocking: the union of the rules is what comparing every pair would give, and the report accounts for each pair."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.matching.blocking import candidates, key_hashes
from kcb_pipeline.matching.settings import block_on

RULES = (block_on("name"), block_on("born", "sex"), block_on("sex", right=("other",), name="turned"))
SCHEMA = {"name": pl.String, "born": pl.Int32, "sex": pl.String, "other": pl.String}

RECORD = st.fixed_dictionaries(
    {
        "name": st.sampled_from([None, "王", "李", "张"]),
        "born": st.sampled_from([None, 2014, 2015]),
        "sex": st.sampled_from([None, "1", "2"]),
        "other": st.sampled_from([None, "1", "2"]),
    }
)
TABLE = st.lists(RECORD, max_size=9).map(lambda records: pl.DataFrame(records, schema=SCHEMA))


def brute_force(left, right, rules):
    """For each pair the bits of the rules that give it, and for each rule its blocks by value: pairs of rows compared one by one."""
    given_by, blocks = {}, [{} for _ in rules]
    for number, rule in enumerate(rules):
        for i, a in enumerate(left.select(rule.left).iter_rows()):
            for j, b in enumerate(right.select(rule.right).iter_rows()):
                if a == b and None not in a:
                    given_by[i, j] = given_by.get((i, j), 0) | 1 << number
                    blocks[number].setdefault(a, set()).add((i, j))
    return given_by, blocks


def found(blocked):
    return {(a, b): rules for a, b, rules in zip(*(c.tolist() for c in (blocked.left, blocked.right, blocked.rules)), strict=True)}  # fmt: skip


@settings(max_examples=60)
@given(TABLE, TABLE)
def test_the_candidates_are_the_pairs_that_any_rule_gives_each_once_with_its_rules(left, right):
    blocked = candidates(left, right, RULES, largest_block=1000)

    assert found(blocked) == brute_force(left, right, RULES)[0]
    pairs = list(zip(blocked.left.tolist(), blocked.right.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


@settings(max_examples=60)
@given(TABLE, TABLE, st.integers(1, 6))
def test_the_report_accounts_for_every_pair(left, right, limit):
    blocked = candidates(left, right, RULES, largest_block=limit)
    _, blocks = brute_force(left, right, RULES)
    kept = [[pairs for pairs in of_rule.values() if len(pairs) <= limit] for of_rule in blocks]
    capped = [[pairs for pairs in of_rule.values() if len(pairs) > limit] for of_rule in blocks]
    expected, seen = {}, []
    for number, of_rule in enumerate(kept):
        new = 0
        for pair in sorted(set().union(*of_rule)):
            new += pair not in expected
            expected[pair] = expected.get(pair, 0) | 1 << number
        seen.append(new)

    report = blocked.report
    assert found(blocked) == expected  # a block too large is left to the other rules, and only that
    assert report["rule"].to_list() == ["name", "born + sex", "turned"]
    assert report["pairs"].to_list() == [sum(map(len, of_rule)) for of_rule in kept]
    assert report["new_pairs"].to_list() == seen
    assert report["new_pairs"].sum() == len(blocked.left)
    assert report["largest_block"].to_list() == [max(map(len, of_rule.values()), default=0) for of_rule in blocks]
    assert report["capped_blocks"].to_list() == [len(of_rule) for of_rule in capped]
    assert report["capped_pairs"].to_list() == [sum(map(len, of_rule)) for of_rule in capped]


@settings(max_examples=40)
@given(TABLE)
def test_within_one_table_each_pair_of_different_records_is_given_once(table):
    rules = RULES[:2]
    blocked = candidates(table, table, rules, largest_block=1000, within=True)

    assert found(blocked) == {(a, b): rules for (a, b), rules in brute_force(table, table, rules)[0].items() if a < b}
    assert blocked.report["new_pairs"].sum() == len(blocked.left)


@settings(max_examples=40)
@given(TABLE, st.integers(1, 4))
def test_within_one_table_the_report_counts_pairs_of_different_records(table, limit):
    blocked = candidates(table, table, RULES[:1], largest_block=limit, within=True)
    sizes = [
        len(rows) * (len(rows) - 1) // 2
        for rows in table["name"].drop_nulls().to_frame().with_row_index().group_by("name").agg("index")["index"]
    ]
    kept = [size for size in sizes if size <= limit]

    assert blocked.report.row(0)[1:] == (
        sum(kept),
        sum(kept),
        max(sizes, default=0),
        len(sizes) - len(kept),
        sum(sizes) - sum(kept),
    )


@settings(max_examples=40)
@given(TABLE)
def test_within_one_table_a_crossed_rule_brings_together_whichever_of_the_two_comes_first(table):
    blocked = candidates(table, table, RULES[2:], largest_block=1000, within=True)
    crossed = brute_force(table, table, RULES[2:])[0]

    assert found(blocked) == {(min(pair), max(pair)): 1 for pair in crossed if pair[0] != pair[1]}


def test_a_key_that_is_missing_on_either_side_gives_no_pair():
    left = pl.DataFrame({"name": [None, "王", None], "born": [2015, None, 2015]})
    right = pl.DataFrame({"name": [None, "王"], "born": [2015, None]})

    assert found(candidates(left, right, (block_on("name", "born"),), largest_block=10)) == {}


def test_a_capped_block_is_reported_and_its_pairs_come_by_other_rules_all_the_same():
    left = pl.DataFrame({"sex": ["1"] * 4, "name": ["王", "李", "张", "刘"]})
    blocked = candidates(left, left, (block_on("sex"), block_on("name")), largest_block=15)

    assert found(blocked) == {(row, row): 2 for row in range(4)}
    assert blocked.report.row(0) == ("sex", 0, 0, 16, 1, 16)
    assert blocked.report.row(1) == ("name", 4, 4, 1, 0, 0)


def test_a_key_may_be_an_expression():
    left = pl.DataFrame({"name": ["王明", "李红"]})
    rule = block_on(pl.col("name").str.slice(0, 1))

    assert rule.name == "name"
    assert found(candidates(left, pl.DataFrame({"name": ["王红", "张明"]}), (rule,), largest_block=9)) == {(0, 0): 1}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pl.Series([2015], dtype=pl.Int16), pl.Series([2015], dtype=pl.Int64)),
        (pl.Series([2015], dtype=pl.UInt32), pl.Series([2015], dtype=pl.Int32)),
        (pl.Series(["b"], dtype=pl.Enum(["a", "b"])), pl.Series(["b"], dtype=pl.Enum(["b", "c"]))),
        (pl.Series(["b"], dtype=pl.Categorical), pl.Series(["b"])),
        (pl.Series(["2015"]), pl.Series([2015])),
        (pl.Series([2015.0]), pl.Series([2015])),
        (pl.Series([2**63 + 7], dtype=pl.UInt64), pl.Series([2**63 + 7], dtype=pl.UInt64)),
    ],
    ids=lambda values: str(values.dtype),
)
def test_keys_are_equal_however_two_tables_keep_them(left, right):
    sides = [pl.DataFrame({"key": values}) for values in (left, right)]

    assert found(candidates(*sides, (block_on("key"),), largest_block=9)) == {(0, 0): 1}
    assert found(candidates(*sides[::-1], (block_on("key"),), largest_block=9)) == {(0, 0): 1}


def test_more_rules_than_there_are_bits_are_refused():
    table = pl.DataFrame({"key": [1]})

    with pytest.raises(ValueError, match="64"):
        candidates(table, table, tuple(block_on("key", name=str(n)) for n in range(65)), largest_block=9)
    assert found(candidates(table, table, tuple(block_on("key", name=str(n)) for n in range(64)), largest_block=9)) == {
        (0, 0): -1
    }  # all 64 bits


def test_no_rules_and_no_records_give_no_pairs():
    empty = pl.DataFrame(schema=SCHEMA)
    full = pl.DataFrame({"name": ["王"], "born": [2015], "sex": ["1"], "other": ["1"]}, schema=SCHEMA)

    assert found(candidates(full, full, (), largest_block=9)) == {}
    for left, right in ((empty, full), (full, empty), (empty, empty)):
        blocked = candidates(left, right, RULES, largest_block=9)
        assert found(blocked) == {}
        assert blocked.report["pairs"].to_list() == [0, 0, 0]


def test_keys_are_hashed_by_what_they_hold_and_not_by_where_they_stand():
    one = pl.DataFrame({"name": ["王", None, "李"]})
    rows, hashes = key_hashes(one, ("name",))
    _, turned = key_hashes(one.reverse(), ("name",))

    assert rows.tolist() == [0, 2]
    assert hashes.tolist() == turned.tolist()[::-1]
