"""`link` as a whole, on two small registers of made-up children with families, twins and damages: what binds, what is left to a
person, what adds up, and that neither the order of rows nor the number of threads is seen in the result."""

import datetime as dt
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.identity.id_number import check_digit
from kcb_pipeline.matching import Contradiction, Implied, KeyRule, Model, Settings, block_on, deduplicate, link
from kcb_pipeline.matching.chinese import (
    ID_BOTH_VALID_DIFFERENT,
    ID_BY_G_NUMBER,
    ID_EQUAL,
    NONE_SHARED,
    REORDERED,
    ChineseIdNumber,
    ChineseName,
    Guardians,
)
from kcb_pipeline.matching.comparisons import MISSING, Crossed, Date, Exact, Identifier, Number, Text
from kcb_pipeline.matching.looking import within_reach
from kcb_pipeline.matching.model import Patterns, estimate_m

LINKED, REVIEW, REJECTED = "linked", "review", "rejected"
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文慧建国红玉兰"
SCHEMA = {
    "entity": pl.Int64, "id_number": pl.String, "key": pl.Int64, "name": pl.String, "born": pl.Date, "sex": pl.String,
    "father": pl.String, "father_name": pl.String, "county": pl.String,
}  # fmt: skip

WITH = Settings(
    comparisons=(
        ChineseIdNumber("id_number", family=("father",), on=dt.date(2026, 11, 20)),
        ChineseName("name", former=None),
        Date("born"),
        Exact("sex"),
        Guardians("guardians", ids=("father",), names=("father_name",)),
        Exact("county"),
    ),
    keys=(KeyRule("id_number", "key", "key", plausible=(("name", REORDERED),)),),
    implied=(Implied("id_number", (ID_EQUAL, ID_BY_G_NUMBER), ("born", "sex")),),
    blocking=(
        block_on("key"), block_on("name.folded", "born"), block_on("born", "sex"), block_on("father", "sex"),
        block_on("name.folded", "county"), block_on("id_number.head"),
    ),
    relatives=(block_on("father"),),
    false_link_cost=50.0,  # a child out of school who is hidden by a false link costs most
)  # fmt: skip


def number_of(county, born, sequence):
    first17 = f"{county}{born:%Y%m%d}{sequence:03}"
    return first17 + check_digit(first17)


def person(rng, entity, family, born, surname, sex, *, sequence=None):
    county, father = family
    name = surname + "".join(rng.choice(list(GIVEN), size=rng.integers(1, 3)))
    number = number_of(county, born, entity * 2 % 900 + (1 if sex == "1" else 2) if sequence is None else sequence)
    return {
        "entity": entity, "id_number": number, "key": int(number[:17]), "name": name, "born": born, "sex": sex,
        "father": father, "father_name": surname + "大" + GIVEN[entity % 30], "county": county,
    }  # fmt: skip


def children(rng, families=150):
    """About 300 children: one to three a family, one family in ten with twins of one sex."""
    records = []
    for number in range(families):
        county = str(rng.choice(["533123", "533103", "530102"]))
        father_born = dt.date(1980, 1, 1) + dt.timedelta(days=int(rng.integers(0, 3000)))
        father = number_of(county, father_born, number * 2 + 1)
        surname, size = str(rng.choice(list(SURNAMES))), int(rng.integers(1, 4))
        born = dt.date(2008, 9, 1) + dt.timedelta(days=int(rng.integers(0, 4000)))
        for place in range(size):
            is_twin = place == 1 and number % 10 == 0
            if place and not is_twin:
                born += dt.timedelta(days=int(rng.integers(320, 900)))
            sex = records[-1]["sex"] if is_twin else str(rng.choice(["1", "2"]))
            records.append(person(rng, len(records), (county, father), born, surname, sex))
    return records


def damaged(rng, record):
    """The record as another register has it: now and then without its number, with a digit wrong, or another character."""
    copy = dict(record)
    fate = rng.random(4)
    if fate[0] < 0.1:
        copy["id_number"] = copy["key"] = None
    elif fate[0] < 0.2:
        place = int(rng.integers(6, 17))
        number = copy["id_number"]
        copy["id_number"] = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        copy["key"] = None
    if fate[1] < 0.1:
        copy["name"] = copy["name"][:-1] + str(rng.choice(list(GIVEN)))
    if fate[2] < 0.05:
        copy["born"] += dt.timedelta(days=1)
    if fate[3] < 0.2:
        copy["father"] = None
    return copy


def table(records):
    return pl.DataFrame(records, schema=SCHEMA)


def registers(seed=0, families=130):
    rng = np.random.default_rng(seed)
    people = children(rng, families)
    left = [p for p in people if rng.random() < 0.95]
    right = [damaged(rng, p) for p in people if rng.random() < 0.9]
    rng.shuffle(right)
    return table(left), table(right)


@pytest.fixture(scope="module")
def two_registers():
    return registers()


@pytest.fixture(scope="module")
def result(two_registers):
    return link(*two_registers, WITH)


def decision_of(result, left_row, right_row):
    rows = result.links.filter((pl.col("left_row") == left_row) & (pl.col("right_row") == right_row))
    return rows["decision"].item() if rows.height else None


# -- what is found -------------------------------------------------------------------------------------------------


def test_families_are_known_by_their_guardians_where_settings_name_no_rule(two_registers):
    unsaid, none, said = (
        link(*two_registers, replace(WITH, relatives=rules)) for rules in (None, (), (block_on("guardians.first_id"),))
    )

    assert unsaid.links.equals(said.links)
    assert none.model.relatives == {}
    assert unsaid.model.relatives["guardians"][0] > 0.9
    assert unsaid.model.relative_rate > 1e-3


@pytest.mark.parametrize(
    ("changes", "tables"), [({}, (0, 1)), ({"repeats": True}, (0,)), ({"policy": "many-to-one"}, (0,))]
)
def test_who_looks_alike_is_read_from_the_tables_that_have_everybody_once(two_registers, changes, tables):
    alike = link(*two_registers, replace(WITH, **changes)).model.lookalikes
    heights = [two_registers[number].height for number in tables]

    assert alike.pairs == sum(height * (height - 1) / 2 for height in heights)
    assert 0 < sum(alike.counts) < alike.pairs


def test_the_children_are_found_and_no_other_is_taken_for_them(two_registers, result):
    left, right = two_registers
    links = result.linked
    right_one = left["entity"].gather(links["left_row"]) == right["entity"].gather(links["right_row"])
    both = set(left["entity"]) & set(right["entity"])

    assert right_one.all()
    assert right_one.sum() >= 0.98 * len(both)
    assert result.quality.links == links.height
    assert result.quality.precision > 0.98
    assert set(links["method"]) == {"id_number", "probabilistic"}


def test_twins_stay_apart(two_registers, result):
    left, right = two_registers
    twins = left.filter(pl.struct("father", "born").is_duplicated())["entity"].to_list()
    linked = dict(
        zip(left["entity"].gather(result.linked["left_row"]), right["entity"].gather(result.linked["right_row"]), strict=True)
    )  # fmt: skip

    assert len(twins) >= 10
    assert all(linked.get(twin, twin) == twin for twin in twins)
    assert sum(twin in linked for twin in twins) >= 0.75 * len(twins)


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_one_to_one_holds_always(seed):
    left, right = registers(seed, families=25)
    found = link(left, pl.concat([right, right[:8]]), WITH)

    assert found.linked["left_row"].is_unique().all()
    assert found.linked["right_row"].is_unique().all()
    assert found.links.select("left_row", "right_row").is_unique().all()
    # Nobody who is linked is in review as well.
    review = found.links.filter(pl.col("decision") == REVIEW)
    assert not review["left_row"].is_in(found.linked["left_row"].implode()).any()
    assert not review["right_row"].is_in(found.linked["right_row"].implode()).any()


def test_many_to_one_each_right_record_has_one_person_and_a_person_may_have_several(two_registers):
    left, right = two_registers
    again = right[:40].with_columns(key=None, id_number=None)  # a second enrolment without a number
    found = link(left, pl.concat([right, again]), Settings(**{**WITH.__dict__, "policy": "many-to-one"}))
    links = found.linked
    entities = pl.concat([right, again])["entity"]

    assert links["right_row"].is_unique().all()
    assert (left["entity"].gather(links["left_row"]) == entities.gather(links["right_row"])).mean() > 0.98
    second = links.filter(pl.col("right_row") >= right.height)
    has_both = again["entity"].is_in(left["entity"].implode()).sum()
    assert second.height >= 0.8 * has_both  # though a key settled the first record of most of them


# -- neither the order of rows nor threads nor how tables are read ------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True])
def test_of_a_table_that_meets_a_small_one_only_who_is_within_reach_need_be_looked_at(two_registers, result, lazy):
    left, right = two_registers
    settings = replace(WITH, keys=(), policy="many-to-one")
    few = right.head(25)
    whole = link(left, few, settings, model=result.model)

    # The others of the table, whom nobody asks for, are neither told nor counted.
    table = pl.concat([few, left, right])
    places = np.arange(few.height, few.height + left.height)
    rows, rare = within_reach(table.lazy() if lazy else table, few, settings, places)
    assert 25 <= len(rows) < left.height
    frequencies = rare.of_rows(rows, np.arange(few.height))
    found = link(left[rows], few, settings, model=result.model, frequencies=frequencies)

    found_rows = pl.Series(rows).gather(found.links["left_row"]).cast(found.links["left_row"].dtype)
    assert found.links.with_columns(found_rows.alias("left_row")).equals(whole.links)
    assert found.blocking.equals(whole.blocking)


def canonical(links, order_l, order_r):
    """The links of permuted tables in the rows of the tables as they were."""
    return links.with_columns(
        left_row=pl.Series(order_l[links["left_row"].to_numpy()]), right_row=pl.Series(order_r[links["right_row"].to_numpy()])
    ).sort("left_row", "right_row")  # fmt: skip


def by_content(links, left, right):
    """The links in the first rows of those that hold the same."""
    first = [
        table.with_row_index("row").select(pl.col("row").cast(pl.Int64).min().over(table.columns)).to_series()
        for table in (left, right)
    ]
    return links.with_columns(
        left_row=first[0].gather(links["left_row"]), right_row=first[1].gather(links["right_row"])
    ).sort("left_row", "right_row", "match_weight", "decision")


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_is_not_seen_in_the_result_to_the_last_bit(two_registers, result, seed):
    left, right = two_registers
    rng = np.random.default_rng(seed)
    order_l, order_r = rng.permutation(left.height), rng.permutation(right.height)
    other = link(left[order_l], right[order_r], WITH)

    assert canonical(other.links, order_l, order_r).equals(result.links)
    assert other.model.to_json() == result.model.to_json()
    assert other.quality == result.quality
    assert other.blocking.equals(result.blocking)


def test_the_order_of_rows_is_not_seen_where_records_are_repeated_and_tied(two_registers):
    left, right = two_registers
    left, right = pl.concat([left, left[:20]]), pl.concat([right, right[:60], right[:10]])
    rng = np.random.default_rng(5)
    order_l, order_r = rng.permutation(left.height), rng.permutation(right.height)
    one, other = link(left, right, WITH), link(left[order_l], right[order_r], WITH)

    # Which of equal near misses are kept, and which of records that are equal throughout, is told by their row; all else by what records hold.
    kept = pl.col("decision") != REJECTED
    again = canonical(other.links, order_l, order_r).filter(kept)
    assert by_content(again, left, right).equals(by_content(one.links.filter(kept), left, right))
    assert other.quality == one.quality
    assert other.model.to_json() == one.model.to_json()


_PRINT = """
import sys
sys.path[:0] = [{folder!r}]
import test_linkage as t
found = t.link(*t.registers(), t.WITH)
print(found.links.hash_rows().to_numpy().tobytes().hex()[:4000], found.model.to_json(), found.quality)
"""


def test_the_number_of_threads_is_not_seen_in_the_result():
    said = [
        subprocess.run(
            [sys.executable, "-c", _PRINT.format(folder=os.path.dirname(__file__))],  # noqa: PTH120
            env={**os.environ, "POLARS_MAX_THREADS": threads}, capture_output=True, text=True, check=True,
        ).stdout
        for threads in ("1", "3")
    ]  # fmt: skip

    assert said[0]
    assert said[0] == said[1]


def test_tables_that_are_not_read_yet_give_the_same(two_registers, result, tmp_path):
    left, right = two_registers
    left.write_parquet(tmp_path / "left.parquet", row_group_size=50)
    for lazy_left, lazy_right in (
        (left.lazy(), right.lazy()),
        (pl.scan_parquet(tmp_path / "left.parquet"), right),
        (left, right.lazy()),
    ):
        other = link(lazy_left, lazy_right, WITH)
        assert other.links.equals(result.links)
        assert other.model == result.model


def test_a_model_kept_and_read_again_weighs_the_same(two_registers, result):
    other = link(*two_registers, WITH, model=Model.from_json(result.model.to_json()))

    assert other.links.equals(result.links)


# -- what adds up --------------------------------------------------------------------------------------------------


def test_the_prior_and_the_weights_add_up_to_the_match_weight(result):
    weights = result.links.select(pl.sum_horizontal("^w_.*$").alias("sum"), "match_weight")

    assert {f"w_{c.name}" for c in WITH.comparisons} < set(result.links.columns)
    assert weights["sum"].to_numpy() == pytest.approx(weights["match_weight"].to_numpy(), abs=1e-9)


def test_the_explanation_of_a_pair_adds_up_to_its_weight_and_names_its_levels(two_registers):
    result = link(*two_registers, replace(WITH, weigh_settled=True))
    for row in result.links.gather_every(37).iter_rows(named=True):
        told = result.explain(row["left_row"], row["right_row"])

        assert told["weight"].sum() == pytest.approx(row["match_weight"], abs=1e-9)
        assert told["comparison"].to_list() == ["prior", *(c.name for c in WITH.comparisons), "relatives"]
        for comparison in WITH.comparisons:
            entry = told.row(by_predicate=pl.col("comparison") == comparison.name, named=True)
            level = row[f"level_{comparison.name}"]
            assert entry["weight"] == pytest.approx(row[f"w_{comparison.name}"], abs=1e-9)
            assert entry["level"].removesuffix(" (implied by other evidence)") == (
                "missing" if level < 0 else comparison.labels[level]
            )


def test_what_a_key_settles_is_linked_alike_whether_all_of_it_is_weighed_or_only_what_the_key_looks_at(
    two_registers, result
):
    whole = link(*two_registers, replace(WITH, weigh_settled=True))
    decided = ["left_row", "right_row", "decision", "method", "reason"]
    weighed = pl.col("method") == "probabilistic"
    by_key = result.links.filter(~weighed)

    assert whole.links.select(decided).equals(result.links.select(decided))
    assert whole.links.filter(weighed).equals(result.links.filter(weighed))
    assert whole.model.to_json() == result.model.to_json()
    assert by_key.height > 100
    for comparison in WITH.comparisons:
        level = f"level_{comparison.name}"
        if comparison.name in ("id_number", "name"):
            assert by_key[level].equals(whole.links.filter(~weighed)[level])
        else:
            assert set(by_key[level]) == {MISSING}
            assert set(by_key[f"w_{comparison.name}"]) == {0.0}
    assert whole.links.filter(~weighed)["level_sex"].max() >= 0


def test_agreement_that_the_number_contains_is_told_as_such(result):
    settled = result.linked.filter(pl.col("level_id_number") == ID_EQUAL).row(0, named=True)
    told = result.explain(settled["left_row"], settled["right_row"])

    assert told.filter(comparison="born").row(0) == ("born", "equal (implied by other evidence)", None, None, 0.0)


def test_a_record_that_found_nobody_is_told_why(two_registers, result):
    left, right = two_registers
    without = set(range(left.height)) - set(result.linked["left_row"])
    told = [result.explain_unlinked(row) for row in sorted(without)]

    assert any(each.height for each in told)
    for each in told:
        assert each.height <= WITH.near_misses + each.filter(decision=REVIEW).height
        assert each["match_weight"].is_sorted(descending=True)
        assert set(each["decision"]) <= {REVIEW, REJECTED}
        assert set(each["reason"]) <= {"tie", "evidence_leaves_doubt", "record_is_another_persons", "evidence_too_weak"}
    reasons = {reason for each in told for reason in each["reason"]}
    assert "record_is_another_persons" in reasons  # a brother or sister whose record is theirs
    assert set(right["entity"].gather(result.linked["right_row"])).isdisjoint(
        set(left["entity"].gather(sorted(without)))
    )


# -- what people have decided --------------------------------------------------------------------------------------


def decided(*rows):
    return pl.DataFrame(
        rows, schema={"left_row": pl.Int64, "right_row": pl.Int64, "is_match": pl.Boolean}, orient="row"
    )


def test_what_a_person_has_linked_stays_linked_whatever_the_evidence(two_registers, result):
    left, right = two_registers
    a, b = result.linked.row(0)[:2]
    stranger = next(r for r in range(right.height) if right["father"][r] != left["father"][a] and right["born"][r] != left["born"][a])  # fmt: skip
    found = link(left, right, WITH, reviewed=decided((a, stranger, True)))
    row = found.linked.filter(pl.col("left_row") == a)

    assert row.select("right_row", "decision", "method", "reason").row(0) == (
        stranger,
        LINKED,
        "reviewed",
        "a_person_decided",
    )
    assert row["match_weight"].item() < 0
    assert stranger not in found.linked.filter(pl.col("left_row") != a)["right_row"]
    assert decision_of(found, a, b) != LINKED


def test_what_a_person_has_refused_is_never_linked_nor_asked_again(two_registers, result):
    left, right = two_registers
    by_key = result.linked.filter(method="id_number").row(0)[:2]
    by_weight = result.linked.filter(method="probabilistic").row(3)[:2]
    found = link(left, right, WITH, reviewed=decided((*by_key, False), (*by_weight, False)))

    assert decision_of(found, *by_key) is None
    assert decision_of(found, *by_weight) is None
    assert found.linked.height >= result.linked.height - 4


def test_every_record_that_a_person_gave_to_one_child_stays_with_it_many_to_one(two_registers):
    left, right = two_registers
    many = Settings(**{**WITH.__dict__, "policy": "many-to-one"})
    found = link(left, right, many, reviewed=decided((0, 3, True), (0, 5, True)))

    assert found.linked.filter(pl.col("left_row") == 0)["right_row"].to_list()[:2] == [3, 5]
    assert found.linked["right_row"].is_unique().all()


def test_no_decisions_are_as_none(two_registers, result):
    assert link(*two_registers, WITH, reviewed=decided()).links.equals(result.links)


# -- what is left to a person --------------------------------------------------------------------------------------


def test_a_true_tie_is_shown_to_a_person_and_not_decided(two_registers):
    left, right = two_registers
    a, b = (row for row in link(left, right, WITH).linked.filter(method="probabilistic").row(0)[:2])
    found = link(left, pl.concat([right, right[b : b + 1]]), WITH)
    rows = found.links.filter((pl.col("left_row") == a) & pl.col("right_row").is_in([b, right.height]))

    assert rows.select("right_row", "decision", "reason").rows() == [(b, REVIEW, "tie"), (right.height, REVIEW, "tie")]
    assert rows["runner_up_gap"].abs().max() < 1e-9
    assert a not in found.linked["left_row"]


def with_one_more(two_registers, left_record, right_record):
    left, right = two_registers
    both = pl.concat([left, table([left_record])]), pl.concat([right, table([right_record])])
    return link(*both, WITH), left.height, right.height


def test_a_brothers_valid_number_does_not_link_him(two_registers):
    rng = np.random.default_rng(11)
    father = number_of("533123", dt.date(1984, 2, 3), 777)
    elder = person(rng, 5000, ("533123", father), dt.date(2012, 4, 5), "郭", "1") | {"name": "郭建军"}
    younger = person(rng, 5001, ("533123", father), dt.date(2014, 8, 9), "郭", "1") | {"name": "郭小林"}
    # The younger is registered at school with the elder's number; the elder himself is not in the register.
    at_school = younger | {"id_number": elder["id_number"], "key": elder["key"]}
    found, a, b = with_one_more(two_registers, elder, at_school)

    assert decision_of(found, a, b) != LINKED


def test_the_child_itself_is_found_though_it_is_registered_with_a_brothers_number(two_registers):
    rng = np.random.default_rng(12)
    left, right = two_registers
    father = number_of("533123", dt.date(1984, 2, 3), 777)
    elder = person(rng, 5000, ("533123", father), dt.date(2012, 4, 5), "郭", "1") | {"name": "郭建军"}
    younger = person(rng, 5001, ("533123", father), dt.date(2014, 8, 9), "郭", "1") | {"name": "郭小林"}
    at_school = younger | {"id_number": elder["id_number"], "key": elder["key"]}
    found = link(pl.concat([left, table([elder, younger])]), pl.concat([right, table([at_school])]), WITH)

    assert decision_of(found, left.height, right.height) != LINKED
    assert decision_of(found, left.height + 1, right.height) in {LINKED, REVIEW}


@pytest.mark.parametrize(
    ("name", "method"), [("郭建军", "id_number"), ("郭健军", "id_number"), ("军建郭", "id_number"), ("赵小红", None)]
)
def test_a_key_settles_only_where_the_name_is_plausible(two_registers, name, method):
    rng = np.random.default_rng(13)
    child = person(rng, 5000, ("533123", None), dt.date(2012, 4, 5), "郭", "1") | {"name": "郭建军"}
    found, a, b = with_one_more(two_registers, child, child | {"name": name})
    row = found.links.filter((pl.col("left_row") == a) & (pl.col("right_row") == b))

    assert (row["method"].item() == "id_number") == (method is not None)
    if method:
        assert row.select("decision", "reason").row(0) == (LINKED, "key_and_identity_agree")


def test_a_key_that_two_records_share_settles_neither(two_registers):
    rng = np.random.default_rng(14)
    left, right = two_registers
    child = person(rng, 5000, ("533123", None), dt.date(2012, 4, 5), "郭", "1")
    found = link(pl.concat([left, table([child])]), pl.concat([right, table([child, child])]), WITH)

    assert found.links.filter((pl.col("left_row") == left.height) & (pl.col("method") == "id_number")).is_empty()


# -- nothing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True], ids=["frames", "lazy frames"])
@pytest.mark.parametrize("empty", [("left",), ("right",), ("left", "right")], ids="+".join)
def test_an_empty_table_links_nobody_and_is_no_error(two_registers, result, empty, lazy):
    left, right = two_registers
    left, right = (left[:0] if "left" in empty else left), (right[:0] if "right" in empty else right)
    found = link(left.lazy() if lazy else left, right.lazy() if lazy else right, WITH)

    assert found.links.height == 0
    assert found.links.schema == result.links.schema
    assert found.quality.links == 0
    assert found.explain_unlinked(0).is_empty()
    assert Model.from_json(found.model.to_json()) == found.model


def test_tables_of_one_record_are_linked_or_not_and_no_error(two_registers):
    left, right = two_registers

    assert link(left[:1], left[:1], WITH).linked.height == 1
    assert link(left[:1], right.filter(pl.col("county") != left["county"][0])[:1], WITH).linked.height == 0


def test_linking_brings_in_no_library_that_it_does_not_use():
    """PyArrow imports pandas, where it is installed, by the way: half a second and fifty megabytes of a program that links a million."""
    program = """
import datetime as dt, sys
import polars as pl
from kcb_pipeline.matching import KeyRule, Settings, block_on, link
from kcb_pipeline.matching.chinese import ChineseIdNumber, ChineseName

table = pl.DataFrame({"id_number": ["11010519491231002X", "1101051949123100", None, ""], "name": ["王明", "李红", "张jie", None]})
settings = Settings(
    (ChineseIdNumber("id_number", on=dt.date(2026, 9, 1)), ChineseName("name", former=None)),
    (block_on("name.pinyin"),),
    (KeyRule("id_number", "id_number.key", "id_number.key"),),
)
print(link(table, table, settings).links.height > 0, sorted({"pandas", "pyarrow.compute"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "True []\n"


@pytest.mark.parametrize("lazy", [False, True])
def test_where_the_first_look_sees_everything_the_second_adds_nothing(lazy):
    table = pl.DataFrame(
        {"id_number": ["11010519491231002X", "1101051949123100", None], "name": ["王明", "李红", "张杰"]}
    )
    settings = Settings(
        (ChineseIdNumber("id_number", on=dt.date(2026, 9, 1)), ChineseName("name", former=None)),
        (block_on("name.folded"),),
        (KeyRule("id_number", "id_number.key", "id_number.key"),),
    )

    found = link(*[table.lazy() if lazy else table] * 2, settings).links

    assert found.select("left_row", "right_row").rows() == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("lazy", [False, True])
def test_columns_that_a_table_lacks_are_missing_throughout(lazy):
    left = pl.DataFrame(
        {"id_number": ["11010519491231002X", None], "name": ["王明", "李红"], "father": ["王刚", "李强"]}
    )
    settings = Settings(
        (
            ChineseIdNumber("id_number", on=dt.date(2026, 9, 1)),
            ChineseName("name", former=None),
            Guardians("guardians", names=("father",)),
        ),
        (block_on("name.folded"),),
        (KeyRule("id_number", "id_number.key", "id_number.key"),),
    )
    tables = [left, left.drop("father")]

    found = link(*[table.lazy() if lazy else table for table in tables], settings).links

    assert found["level_guardians"].to_list() == [MISSING, MISSING]


def test_settings_want_comparisons_with_names_of_their_own():
    with pytest.raises(ValueError, match=r"\(none\)"):
        Settings((), (block_on("name"),))
    with pytest.raises(ValueError, match="sex, sex"):
        Settings((Exact("sex"), Exact("sex")), (block_on("name"),))


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"policy": "one-to-many"}, ValueError, "policy 'one-to-many': one-to-one or many-to-one"),
        ({"false_link_cost": 0}, ValueError, "false_link_cost 0"),
        ({"expected_matches": -1}, ValueError, "expected_matches -1"),
        ({"review_probability": 5}, ValueError, "review_probability 5"),
        ({"blocking": ("born", "sex")}, TypeError, "blocking: BlockingRule objects are wanted"),
        (
            {"comparisons": tuple(Text(str(at)) for at in range(25))},
            ValueError,
            "25 comparisons: together they have more level vectors",
        ),
        ({"comparisons": ("born",)}, TypeError, "comparisons: Comparison objects are wanted"),
        ({"false_link_cost": "1"}, ValueError, "false_link_cost '1'"),
        ({"near_misses": 1.5}, ValueError, "near_misses 1.5"),
        (
            {"implied": (Implied("nick", (0,), ("sex",)),)},
            ValueError,
            "implied: no comparison is called nick; there are",
        ),
        ({"implied": (Implied("sex", (0,), ("nick",)),)}, ValueError, "implied: no comparison is called nick"),
        (
            {"contradictions": (Contradiction((("sex", (2,)),)),)},
            ValueError,
            "contradictions: comparison sex has levels 0 to 1, not 2",
        ),
        ({"keys": (KeyRule("id", "id", "id", (("nick", 1),)),)}, ValueError, "keys: no comparison is called nick"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changed, error, said):
    with pytest.raises(error, match=said):
        Settings(**{**WITH.__dict__, **changed})


def test_a_list_of_rules_or_one_alone_is_taken_for_what_it_is():
    assert Settings([Exact("sex")], block_on("sex")) == Settings((Exact("sex"),), (block_on("sex"),))


PLAIN = Settings((Text("name"), Exact("sex")), (block_on("name"),))


@pytest.mark.parametrize(
    ("tables", "settings", "error", "said"),
    [
        (({"name": "a"}, {"name": "a", "sex": "f"}), PLAIN, ValueError, "left table has no column sex, which comparison sex looks at; it has name"),
        (({"name": "a", "sex": "f"}, {"sex": "f"}), PLAIN, ValueError, "right table has no column name, which comparison name"),
        (({"name": "a", "sex": "f"},) * 2, replace(PLAIN, blocking=(block_on("given"),)), ValueError, "no column given, which blocking rule given"),
        (({"name": "a", "sex": "f"},) * 2, replace(PLAIN, keys=(KeyRule("sex", "id", "id"),)), ValueError, "no column id, which key sex"),
        (({"name": "a", "sex": "f"},) * 2, replace(PLAIN, blocking=()), ValueError, "no blocking rule"),
        (({"name": "a", "sex": "f"},) * 2, replace(PLAIN, relatives=(block_on("home"),)), ValueError, "no column home, which blocking rule home"),
        (
            ({"name": "a", "sex": "f"},) * 2, replace(PLAIN, comparisons=(Text("name", term_frequency=True, frequency_within=("year",)),)),
            ValueError, "no column year, which comparison name",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lazy", [False, True])
def test_what_a_table_lacks_is_said_before_anything_is_done(tables, settings, error, said, lazy):
    frames = [pl.DataFrame([row]).lazy() if lazy else pl.DataFrame([row]) for row in tables]

    with pytest.raises(error, match=said):
        link(*frames, settings)


@pytest.mark.parametrize(
    ("made", "error", "said"),
    [
        (block_on, ValueError, "0 keys on the left and 0 on the right"),
        (lambda: block_on("name", right=("name", "sex")), ValueError, "blocking rule name: 1 keys on the left and 2 on the right"),
        (lambda: block_on(["name", "sex"]), TypeError, "a key is a column's name or an expression of Polars, not a list"),
        (lambda: Crossed("names", columns="name"), ValueError, "comparison names: columns 'name'; two columns"),
        (lambda: Crossed("names", columns=("a", "b", "c")), ValueError, "two columns that may be crossed"),
        (lambda: Guardians("guardians"), ValueError, "comparison guardians: columns of guardians' ids, phones or names"),
    ],
)  # fmt: skip
def test_a_rule_or_comparison_of_nothing_is_refused_where_it_is_made(made, error, said):
    with pytest.raises(error, match=said):
        made()


@pytest.mark.parametrize(
    ("reviewed", "error", "said"),
    [
        ([(0, 0, True)], TypeError, "reviewed: a list"),
        (pl.DataFrame({"left_row": [0], "is_match": [True]}), ValueError, "reviewed: no column right_row"),
        (pl.DataFrame({"left_row": [0], "right_row": [3], "is_match": [False]}), ValueError, "reviewed: right_row 3, where the table has 3"),
        (pl.DataFrame({"left_row": [-1], "right_row": [0], "is_match": [True]}), ValueError, "reviewed: left_row -1"),
    ],
)  # fmt: skip
def test_what_people_decided_is_of_rows_that_there_are(reviewed, error, said):
    table = pl.DataFrame({"name": ["ann", "bob", "cid"], "sex": ["f", "m", "m"]})
    with pytest.raises(error, match=said):
        link(table, table, PLAIN, reviewed=reviewed)


def test_a_model_of_other_comparisons_is_refused_and_what_is_no_model():
    table = pl.DataFrame({"name": ["ann", "bob", "cid"], "sex": ["f", "m", "m"]})
    model = link(table, table, PLAIN).model
    other = replace(PLAIN, comparisons=PLAIN.comparisons[:1])
    turned = replace(PLAIN, comparisons=PLAIN.comparisons[::-1])

    for others in (other, turned):
        with pytest.raises(ValueError, match="the model is of the comparisons name, sex"):
            link(table, table, others, model=model)
        with pytest.raises(ValueError, match="the model is of the comparisons name, sex"):
            deduplicate(table, others, model=model)
    with pytest.raises(TypeError, match="model: a str; a Model is wanted"):
        link(table, table, PLAIN, model=model.to_json())


@pytest.mark.parametrize(("rows", "said"), [((3, 0), "no row 3 in the left"), ((0, -1), "no row -1 in the right")])
def test_only_rows_that_there_are_are_explained(rows, said):
    table = pl.DataFrame({"name": ["ann", "bob", "cid"], "sex": ["f", "m", "m"]})
    with pytest.raises(IndexError, match=said):
        link(table, table, PLAIN).explain(*rows)


def test_what_is_no_frame_of_polars_is_refused_by_name():
    with pytest.raises(TypeError, match=r"left table: a builtins\.dict; a frame of Polars is wanted"):
        link({"name": ["a"]}, pl.DataFrame({"name": ["a"]}), PLAIN)


def test_blocking_finds_what_is_compared_as_equal_however_it_is_written():
    left = pl.DataFrame(
        {"surname": ["García", "O'Neill ", "Smith"], "born": ["1980-03-12", "19790401", "7/8/1990"], "phone": ["(02) 99", None, "1"]}
    )  # fmt: skip
    right = pl.DataFrame(
        {"surname": ["GARCIA", "o'neill", "SMITH"], "born": [dt.date(1980, 3, 12), dt.date(1979, 4, 1), dt.date(1990, 8, 7)], "phone": [299, None, 1]}
    )  # fmt: skip
    compared = (Text("surname"), Date("born"), Identifier("phone"))
    settings = Settings(compared, (block_on("surname"), block_on("born"), block_on("surname", "born")))

    found = link(left, right, settings)

    assert found.linked.select("left_row", "right_row").rows() == [(0, 0), (1, 1), (2, 2)]
    assert found.blocking["pairs"].to_list() == [3, 3, 3]


def test_a_column_blocks_as_it_is_written_where_the_two_sides_compare_it_differently():
    table = pl.DataFrame({"given": ["Ann", "Bob"], "surname": ["Bob", "Ann"], "code": ["Ann", "BOB"]})
    settings = Settings(
        (Text("given"), Text("surname"), Exact("code")),
        (block_on("given", right=("surname",)), block_on("given", right=("code",)), block_on(pl.col("code"))),
    )

    pairs = link(table, table, settings).blocking["pairs"].to_list()

    assert pairs == [2, 1, 2]


def test_guardians_in_lists_are_as_good_as_guardians_in_columns(two_registers):
    left, right = two_registers
    listed = [
        table.with_columns(
            fathers=pl.concat_list(pl.lit(None, dtype=pl.String), "father"), names=pl.concat_list("father_name")
        ).drop("father_name")
        for table in two_registers
    ]
    family = Guardians("guardians", ids="fathers", names="names")
    of_lists = replace(
        WITH,
        comparisons=tuple(family if c.name == "guardians" else ChineseIdNumber("id_number", family=("fathers",), on=dt.date(2026, 11, 20)) if c.name == "id_number" else c for c in WITH.comparisons),
    )  # fmt: skip

    assert link(*listed, of_lists).links.equals(link(left, right, WITH).links)


def test_a_list_longer_than_is_looked_at_is_refused():
    table = pl.DataFrame({"name": ["a"], "fathers": [list("abcdefghi")]})

    with pytest.raises(ValueError, match="column fathers holds lists of 9 values; 8 are looked at"):
        link(table, table, Settings((Text("name"), Guardians("guardians", ids=("fathers",))), (block_on("name"),)))


def namesakes(size):
    """Two registers of the same children, and strangers in the right one who have the name, sex and birth date of children who are not."""
    rng = np.random.default_rng(9)
    surnames, given, counties = list(SURNAMES), list(GIVEN), ["532901", "532922"]

    def number(county, day, order):
        first17 = f"{county}{day:%Y%m%d}{order % 1000:03d}"
        return first17 + check_digit(first17)

    rows = []
    for entity in range(size):
        day = dt.date(2014, 1, 1) + dt.timedelta(days=int(rng.integers(2000)))
        name = surnames[rng.integers(12)] + given[rng.integers(30)] + given[rng.integers(30)]
        rows.append((entity, number(counties[0], day, 2 * entity + 1), name, day, "1", number("532901", dt.date(1985, 1, 1) + dt.timedelta(days=entity), 1), f"父{entity}", counties[0]))  # fmt: skip
    left = pl.DataFrame(rows, schema={name: kind for name, kind in SCHEMA.items() if name != "key"}, orient="row")
    strangers = left.head(size // 60).with_columns(
        (pl.col("entity") + 10_000).alias("entity"),
        pl.Series(
            "id_number", [number(counties[1], day, 7 * n + 1) for n, day in enumerate(left["born"].head(size // 60))]
        ),
        pl.Series(
            "father", [number("532922", dt.date(1979, 1, 1) + dt.timedelta(days=n), 3) for n in range(size // 60)]
        ),
        ("不" + pl.col("father_name")).alias("father_name"),
        pl.lit(counties[1]).alias("county"),
    )
    return left, pl.concat([left.tail(-(size // 60)), strangers])


def test_two_valid_numbers_and_nobody_of_the_family_in_common_link_nobody():
    """Whatever a model says of them, which may have been taught by such namesakes themselves: the most that becomes of them is a question."""
    left, right = (
        side.with_columns(pl.col("id_number").str.slice(0, 17).cast(pl.Int64).alias("key")) for side in namesakes(1200)
    )
    learned = link(left, right, WITH).model
    misled = replace(
        learned,
        m=learned.m
        | {
            name: tuple(1 / len(m) for _ in m)
            for name, m in learned.m.items()
            if name in ("id_number", "guardians", "county")
        },
        lookalikes=None,
    )
    against = Contradiction((("id_number", (ID_BOTH_VALID_DIFFERENT,)), ("guardians", (NONE_SHARED,))))

    free, held = (link(left, right, replace(WITH, contradictions=rules), model=misled) for rules in ((), (against,)))

    wrong = [
        sum(
            left["entity"][a] != right["entity"][b] for a, b in found.linked.select("left_row", "right_row").iter_rows()
        )
        for found in (free, held)
    ]
    assert wrong[0] > 10
    assert wrong[1] == 0
    assert held.links.filter(pl.col("decision") == REVIEW).height == wrong[0]


def test_what_contradicts_teaches_no_match():
    rule = Contradiction((("number", (1,)), ("family", (1,))))
    settings = Settings((Exact("number"), Exact("family"), Exact("name")), (block_on("name"),), contradictions=(rule,))
    patterns = Patterns.counted(np.array([[0, 0, 0], [1, 1, 0], [1, 1, 1]], dtype=np.int8), np.array([50, 40, 100]))
    u = {"number": (0.001, 0.999), "family": (0.01, 0.99), "name": (0.0001, 0.9999)}

    held, free = (
        estimate_m(rules, patterns, u, pairs=200, expected_matches=50)
        for rules in (settings, replace(settings, contradictions=()))
    )

    assert held.m["number"][1] < 0.1 < free.m["number"][1]
    assert held.prior < free.prior


def test_people_who_have_moved_are_not_left_out_because_few_have_and_a_comparison_has_many_levels():
    rng = np.random.default_rng(3)
    people = pl.DataFrame(
        {
            "name": ["".join(rng.choice(list("abcdefghij"), 8)) for _ in range(30)],
            "born": [dt.date(1950, 1, 1) + dt.timedelta(int(days)) for days in rng.integers(0, 20_000, 30)],
            **{f"line{at}": rng.integers(10_000, 99_999, 30) for at in range(3)},
        }
    )
    moved = people.with_columns(
        pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.Series(rng.integers(10_000, 99_999, 30))).otherwise(f"line{at}").alias(f"line{at}")
        for at in range(3)
    )  # fmt: skip
    settings = Settings(
        (Text("name"), Date("born"), *(Number(f"line{at}") for at in range(3))), (block_on("name"), block_on("born"))
    )

    found = link(people, moved, settings)

    assert found.linked.select("left_row", "right_row").rows() == [(row, row) for row in range(30)]
