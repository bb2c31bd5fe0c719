"""A table in which everybody was said to stand once, and somebody stands twice: linked all the same, and twins are not."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from kcb_pipeline.matching import Settings, block_on, link
from kcb_pipeline.matching.chinese import Guardians
from kcb_pipeline.matching.comparisons import Crossed, Date, Exact, Identifier, Text

SETTINGS = Settings(
    (Text("given"), Text("surname"), Date("born"), Text("street"), Exact("sex"), Identifier("phone")),
    (block_on("born"), block_on("phone"), block_on("surname", "given"), block_on("street")),
)
PEOPLE = 900
GIVEN = [
    a + b
    for a in ("bela", "dori", "fenu", "giso", "hako", "lumi", "nare", "pito")
    for b in ("chai", "dell", "gron", "kwes", "mbo", "rith", "sza")
]


def population():
    """Nine hundred people, three of a family at one address; in every fifth family two are twins of one sex."""
    rng = np.random.default_rng(11)
    rows = []
    for family in range(PEOPLE // 3):
        surname, street = f"sur{rng.integers(90)}name", f"{rng.integers(2000)} street{rng.integers(200)}"
        born = [f"{rng.integers(1950, 2000)}{rng.integers(1, 13):02}{rng.integers(1, 29):02}" for _ in range(3)]
        sex = [str(rng.integers(1, 3)) for _ in range(3)]
        if family % 5 == 0:
            born[1], sex[1] = born[0], sex[0]
        for given, day, one in zip(rng.permutation(len(GIVEN))[:3], born, sex, strict=True):
            rows.append((len(rows), GIVEN[given], surname, day, street, one, str(rng.integers(10**9))))
    schema = ["entity", "given", "surname", "born", "street", "sex", "phone"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def again(table, share, seed, *, slips=True):
    """The table with a share of its rows in it once more, half of them with another street and no telephone."""
    rng = np.random.default_rng(seed)
    copies = table.sample(fraction=share, seed=seed)
    moved = pl.Series(rng.random(copies.height) < 0.5) if slips else pl.lit(False)
    street = pl.when(moved).then(pl.lit("1 otherstreet")).otherwise("street").alias("street")
    copies = copies.with_columns(street, pl.when(~moved).then("phone").alias("phone"))
    return pl.concat([table, copies]).sample(fraction=1.0, shuffle=True, seed=seed)


def sides():
    """Two tables of which each has four fifths of the people."""
    people = population()
    lot = pl.Series(np.random.default_rng(2).integers(0, 5, PEOPLE))
    return people.filter(lot > 0), people.filter(lot < 4)


def linked(left, right, settings=SETTINGS):
    """What is found, and whether each link is right."""
    found = link(left.drop("entity"), right.drop("entity"), settings)
    links = found.linked
    return found, left["entity"].gather(links["left_row"]) == right["entity"].gather(links["right_row"])


@pytest.mark.parametrize("doubled", ["left", "right"])
@pytest.mark.parametrize("slips", [True, False])
def test_of_several_records_of_one_person_the_best_is_linked_and_the_others_are_told(doubled, slips):
    left, right = sides()
    both = left["entity"].is_in(right["entity"].implode()).sum()
    if doubled == "left":
        left = again(left, 0.2, 3, slips=slips)
    else:
        right = again(right, 0.2, 3, slips=slips)

    found, is_right = linked(left, right)

    assert (~is_right).sum() <= 0.005 * both
    assert is_right.sum() >= 0.99 * both
    assert found.quality.false_links < 3
    others = found.links.filter(pl.col("reason") == "person_has_a_better_record")
    assert others.height >= 0.15 * both
    assert set(others["decision"]) == {"rejected"}
    same = left["entity"].gather(others["left_row"]) == right["entity"].gather(others["right_row"])
    assert same.all()
    assert abs(found.quality.missed - others.height) < 0.1 * others.height + 3


def test_a_few_records_do_not_say_what_households_look_like_for_a_large_table_with_people_twice():
    left, right = sides()
    left = left.sample(fraction=0.06, seed=12)
    right = again(right, 0.2, 3, slips=False)
    both = left["entity"].is_in(right["entity"].implode()).sum()

    found, is_right = linked(left, right)

    assert (
        found.model.relative_rate * left.height * right.height > 40
    )  # of each family in the one table, two in the other
    assert is_right.all()
    assert is_right.len() >= 0.95 * both


def test_two_records_of_a_person_in_either_table_make_two_links():
    left, right = sides()
    both = left["entity"].is_in(right["entity"].implode())
    twice = left.filter(both).sample(fraction=0.2, seed=4)
    left, right = pl.concat([left, twice]), pl.concat([right, twice])

    found, is_right = linked(left, right)

    assert is_right.all()
    assert is_right.len() >= 0.99 * (both.sum() + twice.height)
    assert found.linked["left_row"].is_unique().all()
    assert found.linked["right_row"].is_unique().all()


def test_a_model_that_is_known_links_them_too():
    left, right = sides()
    right = again(right, 0.2, 3)
    learned, _ = linked(left, right)

    found = link(left.drop("entity"), right.drop("entity"), SETTINGS, model=learned.model)

    assert found.links.equals(learned.links)
    assert found.quality == learned.quality


def test_twins_whose_names_nobody_wrote_down_are_not_one_person():
    left, right = sides()
    twins = right.filter(pl.len().over("street", "born", "sex") == 2)["entity"]
    nameless = pl.when(~pl.col("entity").is_in(twins.implode())).then("given").alias("given")
    phoneless = pl.when(~pl.col("entity").is_in(twins.implode())).then("phone").alias("phone")
    left, right = left.with_columns(phoneless), again(right, 0.2, 5, slips=False).with_columns(nameless, phoneless)

    found, _ = linked(left, right)

    pairs = found.links.with_columns(
        entity=left["entity"].gather(found.links["left_row"]), other=right["entity"].gather(found.links["right_row"])
    )
    further = pairs.filter(pl.col("reason") == "person_has_a_better_record")
    assert (further["entity"] == further["other"]).all()
    either = pairs.filter(
        pl.all_horizontal(pl.col("entity", "other").is_in(twins.implode())), pl.col("entity") != pl.col("other")
    )
    assert either.height > 20
    assert not (either["decision"] == "linked").any()


def test_everybody_who_stands_once_is_weighed_as_if_nobody_had_been_looked_for_twice():
    left, right = sides()

    found, is_right = linked(left, right)

    assert is_right.all()
    assert not (found.links["reason"] == "person_has_a_better_record").any()


def test_what_stands_twice_in_a_table_is_nobody_who_looks_alike():
    """A tenth of each table twice: counted as people who look alike, no pair would weigh more than a few bits."""
    left, right = sides()
    once, _ = linked(left, right)
    twice, _ = linked(again(left, 0.1, 6, slips=False), again(right, 0.1, 7, slips=False))

    weights = [found.linked["match_weight"].median() for found in (once, twice)]
    assert abs(weights[0] - weights[1]) < 2


def test_the_order_of_rows_is_not_seen_where_people_stand_twice():
    left, right = sides()
    left, right = again(left, 0.2, 8), again(right, 0.2, 9)
    distinct = [table.unique(table.columns[1:], keep="first", maintain_order=True) for table in (left, right)]
    rng = np.random.default_rng(1)
    orders = [rng.permutation(table.height) for table in distinct]

    one = link(*(table.drop("entity") for table in distinct), SETTINGS)
    other = link(*(table.drop("entity")[order] for table, order in zip(distinct, orders, strict=True)), SETTINGS)

    kept = pl.col("decision") == "linked"
    rows = [
        pl.Series(order[other.links.filter(kept)[column].to_numpy()])
        for order, column in zip(orders, ("left_row", "right_row"), strict=True)
    ]
    renamed = other.links.filter(kept).with_columns(left_row=rows[0], right_row=rows[1]).sort("left_row", "right_row")
    assert renamed.equals(one.links.filter(kept))
    assert other.quality == one.quality


def slipped(table, seed):
    """The table with a slip in the name or the date of a third of its records, and no telephone in another third."""
    rng = np.random.default_rng(seed)
    lot = pl.Series(rng.integers(0, 6, table.height))
    swapped = pl.col("given").str.slice(1, 1) + pl.col("given").str.slice(0, 1) + pl.col("given").str.slice(2)
    day = pl.col("born").str.slice(0, 7) + pl.Series([str(d) for d in rng.integers(0, 10, table.height)])
    return table.with_columns(
        given=pl.when(lot == 0).then(swapped).otherwise("given"),
        born=pl.when(lot == 1).then(day).otherwise("born"),
        phone=pl.when(lot > 3).then(None).otherwise("phone"),
    )


def test_where_everybody_stands_twice_in_both_tables_two_links_a_person_are_made_and_few_are_missed():
    left, right = (slipped(pl.concat([table, table]), seed) for table, seed in zip(sides(), (21, 22), strict=True))
    both = left["entity"].is_in(right["entity"].implode()).sum()

    found, is_right = linked(left, right)

    assert is_right.sum() >= 0.97 * both
    assert (~is_right).sum() <= 0.01 * both
    assert found.quality.false_links < 0.02 * both


def test_where_everybody_stands_twice_relatives_are_not_learned_from_one_person_twice():
    settings = Settings(
        (*SETTINGS.comparisons[:3], Exact("sex"), Guardians("guardians", phones=("phone",))),
        (*SETTINGS.blocking[:1], block_on("surname", "given"), block_on("guardians.first_phone")),
    )
    of_family = pl.col("phone").first().over(pl.col("entity") // 3)
    once = [table.with_columns(of_family) for table in sides()]
    both = once[0]["entity"].is_in(once[1]["entity"].implode()).sum()
    twice = [slipped(pl.concat([table, table]), seed) for table, seed in zip(once, (23, 24), strict=True)]

    found, is_right = linked(*twice, settings)

    assert found.model.relatives["given"][0] < 0.1
    assert is_right.sum() >= 0.95 * 2 * both


def test_people_of_whom_only_name_and_birth_date_are_known_are_seen_to_stand_twice():
    settings = Settings(
        (Text("given"), Text("surname"), Crossed("names", columns=("given", "surname")), Date("born"), Exact("sex")),
        (block_on("born"), block_on("surname", "given")),
    )
    left, right = sides()
    both = left["entity"].is_in(right["entity"].implode()).sum()

    once, _ = linked(left, right, settings)
    _, is_right = linked(left, pl.concat([right] * 3), settings)

    assert once.linked.height >= 0.99 * both
    assert (~is_right).sum() <= 0.01 * both
    assert is_right.sum() >= 0.95 * both


def test_many_to_one_a_person_who_stands_twice_on_the_left_leaves_no_doubt_whose_a_record_is():
    left, right = sides()
    visits = pl.concat([right, slipped(right, 25)])
    twice = again(left, 0.3, 26)
    here = visits["entity"].is_in(left["entity"].implode()).sum()

    found, is_right = linked(twice, visits, replace(SETTINGS, policy="many-to-one"))

    assert found.linked["right_row"].is_unique().all()
    assert is_right.sum() >= 0.99 * here
    assert (~is_right).sum() <= 0.01 * here
    assert found.quality.false_links < 0.02 * here
