"""One table of persons: who is in it twice."""

import numpy as np
import polars as pl
import pytest

from kcb_pipeline.matching import Settings, block_on, deduplicate, link
from kcb_pipeline.matching.comparisons import Crossed, Date, Identifier, Pairs, Text
from kcb_pipeline.matching.deduplication import _calibrated, _merged, _probability

SETTINGS = Settings(
    (
        Text("given"),
        Text("surname"),
        Crossed("names", columns=("given", "surname")),
        Date("born"),
        Identifier("number"),
    ),
    (block_on("born"), block_on("number"), block_on("surname", "given"), block_on("given")),
)
PEOPLE = 400


@pytest.fixture(scope="module")
def table():
    """Four hundred people, eighty of them twice or three times with a slip in one of the copies; `entity` says who is who."""
    rng = np.random.default_rng(5)
    given = np.array([f"given{n}" for n in rng.integers(0, 60, PEOPLE)])
    surname = np.array([f"sur{n}name" for n in rng.integers(0, 80, PEOPLE)])
    born = [
        f"{y}{m:02}{d:02}"
        for y, m, d in zip(
            rng.integers(1950, 2000, PEOPLE), rng.integers(1, 13, PEOPLE), rng.integers(1, 29, PEOPLE), strict=True
        )
    ]
    number = rng.permutation(9_000_000)[:PEOPLE] + 1_000_000
    rows = [(n, given[n], surname[n], born[n], str(number[n])) for n in range(PEOPLE)]
    for n in range(80):
        match n % 4:
            case 0:
                rows.append((n, surname[n], given[n], born[n], str(number[n])))
            case 1:
                rows.append((n, given[n], surname[n][:-1] + "x", born[n], None))
            case 2:
                rows.append((n, given[n], surname[n], "19000101", str(number[n])))
            case _:
                rows += [(n, given[n], surname[n], born[n], str(number[n] + 1))] * 2
    frame = pl.DataFrame(rows, schema=["entity", "given", "surname", "born", "number"], orient="row")
    return frame.sample(fraction=1.0, shuffle=True, seed=3)


def entities_of(table, found):
    entity = table["entity"].to_numpy()
    return {
        tuple(sorted(entity[found["row"].filter(found["cluster"] == c).to_numpy()])) for c in found["cluster"].unique()
    }


def test_the_records_of_one_person_are_one_cluster_and_nobody_elses(table):
    found = deduplicate(table.drop("entity"), SETTINGS)

    entity = table["entity"].to_numpy()
    a, b = found.linked["left_row"].to_numpy(), found.linked["right_row"].to_numpy()
    assert (entity[a] == entity[b]).all()
    assert len(a) == 20 + 20 + 20 + 20 * 3
    assert found.clusters["cluster"].n_unique() == PEOPLE


def test_the_order_of_the_records_says_nothing(table):
    order = np.random.default_rng(1).permutation(table.height)
    shuffled = table[order]

    first = deduplicate(table.drop("entity"), SETTINGS)
    second = deduplicate(shuffled.drop("entity"), SETTINGS)

    assert entities_of(table, first.clusters) == entities_of(shuffled, second.clusters)
    assert first.model == second.model
    assert first.quality == second.quality


def test_weights_of_every_pair_add_up(table):
    links = deduplicate(table.drop("entity"), SETTINGS).links

    parts = links.select(pl.sum_horizontal(pl.col("^w_.*$")))["w_prior"].to_numpy()
    np.testing.assert_allclose(parts, links["match_weight"].to_numpy(), atol=1e-9)


def test_one_resembling_record_does_not_chain_two_people():
    between = np.array([[0.0, 5.0, -30.0], [5.0, 0.0, 4.0], [-30.0, 4.0, 0.0]])

    assert sorted(group.tolist() for group in _merged(between)) == [[0, 1], [2]]


def test_a_weak_pair_is_carried_by_the_others_of_its_cluster():
    between = np.array([[0.0, 9.0, -2.0], [9.0, 0.0, 6.0], [-2.0, 6.0, 0.0]])

    assert [group.tolist() for group in _merged(between)] == [[0, 1, 2]]


def pairs_of(*edges):
    """Pairs of records with weights, as arrays: (a, b, weight)."""
    a, b, weights = zip(*edges, strict=True)
    return Pairs(pl.DataFrame(), pl.DataFrame(), np.array(a), np.array(b)), np.array(weights, dtype=float)


def test_errors_are_estimated_without_labels(table):
    found = deduplicate(table.drop("entity"), SETTINGS)
    nobody = deduplicate(table.unique("entity", keep="first", maintain_order=True).drop("entity"), SETTINGS).quality

    assert found.quality.links == found.linked.height
    assert found.quality.false_links == pytest.approx((1 - found.linked["probability"]).sum())
    assert 0 < found.quality.false_links < 2
    assert found.quality.recall > 0.97
    assert (nobody.links, nobody.false_links) == (0, 0.0)


def twice_and_once(strangers):
    """Three hundred people twice, a thousand once; so many of those who stand twice resemble one of the thousand by three bits, and half as
    many of the thousand one of themselves."""
    twice = [(2 * n, 2 * n + 1, 12.0) for n in range(300)]
    seen = [(2 * n, 600 + n, 3.0) for n in range(strangers)]
    alone = [(1000 + n, 1300 + n, 3.0) for n in range(strangers // 2)]
    return [*twice, *seen, *alone]


def test_who_resembles_one_of_a_sure_pair_says_how_much_a_weight_is_worth():
    pairs, weights = pairs_of(*twice_and_once(40))

    believed, witnesses = _calibrated(pairs, weights, 1600, 0.5)

    assert (believed[weights == 12] == 12).all()
    assert (believed[weights == 3] < 0).all()
    pairs, weights = pairs_of(*twice_and_once(1), *[(700 + n, 900 + n, 3.0) for n in range(60)])
    assert (_calibrated(pairs, weights, 1600, 0.5)[0][weights == 3] > 1).all()
    assert witnesses == 0  # none weighs as much as a link


def test_where_many_stand_three_times_a_resembling_record_may_be_one_more():
    thrice = [(2 * n, 1500 + n, 12.0) for n in range(20)]
    pairs, weights = pairs_of(*twice_and_once(40), *thrice)

    believed, _ = _calibrated(pairs, weights, 1600, 0.5)

    assert (believed == weights).all()


def test_a_pair_is_as_sure_as_what_connects_it_and_one_of_two_clusters_as_all_between_them():
    pairs, weights = pairs_of(
        (0, 1, 9.0), (1, 2, 6.0), (0, 2, -2.0), (3, 4, 8.0), (0, 3, 2.0), (1, 3, -5.0), (5, 6, -1.0)
    )
    cluster = np.array([0, 0, 0, 3, 3, 5, 6])
    linked = np.array([True, True, True, True, False, False, False])

    probability = _probability(pairs, weights, cluster, linked)

    np.testing.assert_allclose(np.log2(probability) - np.log2(1 - probability), [9, 6, 6, 8, -3, -5, -1], atol=1e-9)


def test_a_table_without_duplicates_stays_as_it_is(table):
    once = table.unique("entity", keep="first", maintain_order=True).drop("entity")

    found = deduplicate(once, SETTINGS)

    assert found.linked.is_empty()
    assert found.clusters["cluster"].to_list() == list(range(once.height))


@pytest.mark.parametrize("rows", [0, 1])
def test_tables_of_nobody_and_of_one(table, rows):
    found = deduplicate(table.drop("entity").head(rows), SETTINGS)

    assert found.links.is_empty()
    assert found.clusters.height == rows


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        (("kyra", "wilde"), ("wilde", "kyra"), 0),
        (("kyra", "wilde"), ("wilde", "kira"), 1),
        (("kyra", "wilde"), ("wylde", "kyra"), 1),
        (("kyra", "wilde"), ("wilde", "anne"), 2),
        (("kyra", "wilde"), ("kyra", "jones"), 3),
        (("kyra", "wilde"), ("anne", "jones"), 3),
        (("kyra", None), ("wilde", "kyra"), 2),
        (("james", "james"), ("james", "james"), -1),
        ((None, None), ("wilde", "kyra"), -1),
    ],
)
def test_names_in_each_others_place(left, right, level):
    crossed = Crossed("names", columns=("given", "surname"))
    sides = [
        pl.DataFrame(
            crossed.prepare(pl.DataFrame([side], schema={"given": pl.String, "surname": pl.String}, orient="row"))
        )
        for side in (left, right)
    ]

    assert crossed.levels(Pairs.aligned(*sides)).tolist() == [level]


def households(*, twice):
    """Three hundred families of three at one address with one telephone; `twice` of the people stand in the table again, some of them moved."""
    rng = np.random.default_rng(8)
    rows = []
    for family in range(300):
        home = (
            f"sur{rng.integers(90)}name",
            f"{rng.integers(2000)} street{rng.integers(200)}",
            str(rng.integers(10**8)),
        )
        for name in rng.permutation(60)[:3]:
            born = f"{rng.integers(1950, 2000)}{rng.integers(1, 13):02}{rng.integers(1, 29):02}"
            rows.append((len(rows), f"given{name}x", home[0], born, home[1], home[2], family))
    for entity, given, surname, born, street, phone, family in rows[: 3 * twice : 3]:
        moved = entity % 2 == 0
        where = (f"{rng.integers(2000)} street{rng.integers(200)}", None) if moved else (street, phone)
        rows.append((entity, given, surname, born, *where, family))
    schema = ["entity", "given", "surname", "born", "street", "phone", "family"]
    return pl.DataFrame(rows, schema=schema, orient="row").sample(fraction=1.0, shuffle=True, seed=3)


AT_HOME = Settings(
    (Text("given"), Text("surname"), Date("born"), Text("street"), Identifier("phone")),
    (block_on("born"), block_on("phone"), block_on("surname", "given"), block_on("street")),
)


@pytest.mark.parametrize("twice", [0, 100])
def test_people_of_one_household_are_not_one_person(twice):
    table = households(twice=twice)

    found = deduplicate(table.drop("entity", "family"), AT_HOME)

    entity = table["entity"].to_numpy()
    linked = entity[found.linked["left_row"].to_numpy()], entity[found.linked["right_row"].to_numpy()]
    assert (linked[0] == linked[1]).all()
    assert len(linked[0]) >= 0.97 * twice


def test_households_with_gaps_of_whom_nobody_stands_twice_stay_apart():
    place = pl.int_range(pl.len())
    gaps = [pl.when(place % every > 0).then(name).alias(name) for name, every in (("born", 3), ("phone", 2))]
    table = households(twice=0).with_columns(gaps)

    assert deduplicate(table.drop("entity", "family"), AT_HOME).linked.is_empty()


@pytest.mark.parametrize("twice", [0, 100, 250])
def test_households_of_which_no_birth_date_is_known_are_told_by_the_name_in_which_they_differ(twice):
    beginnings, endings = (
        ("bela", "dori", "fenu", "giso", "hako", "lumi", "nare", "pito"),
        ("chai", "gron", "kwes", "mbo", "sza", "rith", "dell"),
    )
    given = [beginning + ending for beginning in beginnings for ending in endings]
    number = pl.col("given").str.extract(r"(\d+)").cast(pl.Int64)
    table = households(twice=twice).with_columns(given=pl.lit(pl.Series(given)).gather(number % len(given)))
    settings = Settings(
        (Text("given"), Text("surname"), Text("street"), Identifier("phone")),
        (block_on("phone"), block_on("surname", "given"), block_on("street")),
    )

    linked = deduplicate(table.drop("entity", "family", "born"), settings).linked

    same = table["entity"].gather(linked["left_row"]) == table["entity"].gather(linked["right_row"])
    assert (~same).sum() <= 3
    assert same.sum() == twice // 2  # who has moved and is under no telephone has but a name


def test_people_of_one_household_are_not_linked_with_each_other():
    table = households(twice=0)
    left, right = table.filter(pl.col("entity") % 3 < 2), table.filter(pl.col("entity") % 3 > 0)

    linked = link(left.drop("entity", "family"), right.drop("entity", "family"), AT_HOME).linked

    same = left["entity"].gather(linked["left_row"]) == right["entity"].gather(linked["right_row"])
    assert same.all()
    assert linked.height == 300


def test_an_empty_text_is_no_blocking_key():
    table = pl.DataFrame({"given": ["ann", "bea", "cas"], "phone": ["", "", None]})

    found = deduplicate(table, Settings((Text("given"),), (block_on("phone"),)))

    assert found.blocking["pairs"].to_list() == [0]
