"""The model: EM finds the m that levels were drawn from; a missing value weighs nothing; what is kept is read back to the bit."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.matching.comparisons import MISSING, Date, Exact, Identifier, Text
from kcb_pipeline.matching.model import (
    FORMAT,
    Lookalikes,
    Model,
    Patterns,
    estimate_household,
    estimate_kin,
    estimate_lookalikes,
    estimate_m,
    estimate_u,
    silence,
)
from kcb_pipeline.matching.settings import Implied, Settings, block_on

SETTINGS = Settings(comparisons=(Text("name"), Text("town"), Exact("sex"), Date("born")), blocking=())
M = {
    "name": (0.88, 0.07, 0.03, 0.01, 0.01),
    "town": (0.6, 0.1, 0.1, 0.1, 0.1),
    "sex": (0.99, 0.01),
    "born": (0.9, 0.02, 0.03, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005),
}
U = {
    "name": (0.001, 0.002, 0.01, 0.05, 0.937),
    "town": (0.05, 0.05, 0.1, 0.1, 0.7),
    "sex": (0.5, 0.5),
    "born": (0.0003, 0.0003, 0.005, 0.0005, 0.003, 0.01, 0.02, 0.08, 0.8809),
}


def drawn(rng, probabilities, pairs, *, missing=0.05):
    """Level vectors of independent comparisons, some values missing."""
    return {
        name: np.where(
            rng.random(pairs) < missing, MISSING, rng.choice(len(values), size=pairs, p=np.array(values) / sum(values))
        ).astype(np.int8)
        for name, values in probabilities.items()
    }


def patterns_of(levels, chosen=SETTINGS):
    return Patterns.of([levels[c.name] for c in chosen.comparisons], [len(c.labels) for c in chosen.comparisons])


def mixed(rng, matches, strangers):
    true, false = drawn(rng, M, matches), drawn(rng, U, strangers)
    return {name: np.concatenate([true[name], false[name]]) for name in M}


# -- EM ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [8_000, 15_000, 25_000])
def test_em_finds_the_m_and_the_number_of_matches_that_levels_were_drawn_from(random, expected):
    matches, pairs = 15_000, 75_000
    levels = mixed(random(1), matches, 60_000)

    model = estimate_m(SETTINGS, patterns_of(levels), U, pairs=pairs, expected_matches=expected)

    assert model.converged
    # Each share of 15,000 pairs has a standard error of 0.4 % or less; what is unsure among the strangers adds as much.
    for name, values in M.items():
        assert model.m[name] == pytest.approx(values, abs=0.012), name
    assert model.prior * pairs == pytest.approx(matches, rel=0.02)
    assert model.u == U


def test_em_does_not_depend_on_the_order_of_the_pairs(random):
    levels = mixed(random(2), 300, 700)
    order = random(3).permutation(1000)
    model, other = (
        estimate_m(SETTINGS, patterns_of(each), U, pairs=1e6, expected_matches=200)
        for each in (levels, {name: values[order] for name, values in levels.items()})
    )

    assert other.to_json() == model.to_json()


def test_em_of_no_pairs_keeps_to_what_it_began_with():
    nothing = {name: np.empty(0, dtype=np.int8) for name in M}
    model = estimate_m(SETTINGS, patterns_of(nothing), U, pairs=1.0, expected_matches=0.5)

    assert model.converged
    assert model.m["sex"] == pytest.approx((0.9, 0.1))
    assert all(np.isfinite(model.weights(name)).all() for name in M)


def test_a_level_that_no_pair_reached_has_a_finite_weight(random):
    levels = {name: np.zeros(50, dtype=np.int8) for name in M}
    model = estimate_m(SETTINGS, patterns_of(levels), U, pairs=2500, expected_matches=50)

    for name in M:
        weights = model.weights(name)
        assert np.isfinite(weights).all()
        assert weights[0] > 0 > weights[len(M[name]) - 1]


def test_kin_are_not_taken_for_matches(random):
    rng = random(4)
    kin_levels = {"name": (0.01, 0.2, 0.3, 0.2, 0.29), "town": (0.95, 0.02, 0.01, 0.01, 0.01), "sex": (0.5, 0.5), "born": (0.05, 0.01, 0.01, 0.03, 0.05, 0.05, 0.1, 0.2, 0.5)}  # fmt: skip
    true, kin, false = drawn(rng, M, 2000), drawn(rng, kin_levels, 1500), drawn(rng, U, 16_500)
    levels = {name: np.concatenate([true[name], kin[name], false[name]]) for name in M}
    family = drawn(rng, kin_levels, 5000)
    found = estimate_kin(SETTINGS, family, pairs=5000 * 20_000 / 1500)

    with_kin = estimate_m(SETTINGS, patterns_of(levels), U, pairs=20_000, expected_matches=1000, kin=found)
    without = estimate_m(SETTINGS, patterns_of(levels), U, pairs=20_000, expected_matches=1000)

    assert with_kin.prior * 20_000 == pytest.approx(2000, rel=0.05)
    assert abs(with_kin.prior - 2000 / 20_000) < abs(without.prior - 2000 / 20_000)
    for name in M:
        assert with_kin.m[name][0] == pytest.approx(M[name][0], abs=0.03)


def test_what_kin_look_like_is_what_was_seen_with_room_for_what_was_not():
    levels = {name: np.array([0, 0, 0, 1, MISSING], dtype=np.int8) for name in M}
    kin = estimate_kin(SETTINGS, levels, pairs=500.0)

    assert kin.rate == 0.01
    for shares in kin.levels.values():
        assert sum(shares) == pytest.approx(1)
        assert min(shares) > 0
        assert shares[0] > shares[1] > (shares[2] if len(shares) > 2 else 0)
    assert kin.levels["sex"][0] == pytest.approx(0.99 * 3.5 / 5 + 0.005)


def test_what_comparisons_have_in_common_among_strangers_is_seen_inside_a_table(random):
    """Neighbours: towns agree with names oftener than by chance, which u knows nothing of."""
    rng = random(6)
    near = {**U, "name": (0.9, 0.025, 0.025, 0.025, 0.025), "town": (0.97, 0.01, 0.01, 0.005, 0.005)}

    def strangers(count):
        kinds = [drawn(rng, U, count - count // 50), drawn(rng, near, count // 50)]
        return {name: np.concatenate([kind[name] for kind in kinds]) for name in M}

    false, inside, true = strangers(18_000), strangers(300_000), drawn(rng, M, 400)
    levels = {name: np.concatenate([true[name], false[name]]) for name in M}
    counted = patterns_of(levels)
    told = {"pairs": [300_000.0], "known": (1.0,) * len(M), "prior": 400 / 18_400}
    alike = estimate_lookalikes(SETTINGS, [patterns_of(inside)], U, None, **told)

    knowing = estimate_m(SETTINGS, counted, U, pairs=18_400, expected_matches=400, lookalikes=alike)
    not_knowing = estimate_m(SETTINGS, counted, U, pairs=18_400, expected_matches=400)

    assert knowing.prior * 18_400 == pytest.approx(400, abs=120)
    assert not_knowing.prior * 18_400 > 700
    both_agree = np.array([[0, 0, 0, len(M["born"]) - 1]], dtype=np.int8)
    assert knowing.lookalikes_weight(both_agree, both_agree)[0] < -3
    assert not_knowing.lookalikes_weight(both_agree, both_agree).tolist() == [0.0]


def test_records_that_stand_twice_in_one_table_are_no_lookalikes():
    alike, apart = [0] * len(M), [len(values) - 1 for values in M.values()]
    twice = Patterns.counted(np.array([alike, apart], dtype=np.int8), np.array([300, 700]))
    once = Patterns.counted(np.array([alike, apart], dtype=np.int8), np.array([1, 999]))
    told = {"known": (1.0,) * len(M), "prior": 0.01}

    both = estimate_lookalikes(SETTINGS, [twice, once], U, None, pairs=[1000.0, 1000.0], **told)
    alone = estimate_lookalikes(SETTINGS, [twice], U, None, pairs=[1000.0], **told)

    assert dict(zip(both.vectors, both.counts, strict=True)) == {tuple(alike): 2.0, tuple(apart): 1699.0}
    assert dict(zip(alone.vectors, alone.counts, strict=True)) == {tuple(alike): 300.0, tuple(apart): 700.0}


def test_lookalikes_are_counted_at_what_is_known_of_a_pair_and_believed_where_there_are_many():
    alike = Lookalikes(
        tuple(M), ((0, 0, 0, 8), (0, 1, 0, 8), (0, 1, 1, MISSING)), (90.0, 9.0, 5.0), 1e6, (1.0, 0.5, 1.0, 1.0)
    )
    vectors = np.array([[0, 0, 0, 8], [0, MISSING, 0, 8], [0, 1, MISSING, MISSING], [3, 3, 1, 0]], dtype=np.int8)
    expected = np.log(np.array([20e-6, 10e-6, 1e-6, 1e-12]))

    excess = np.exp(alike.excess(vectors, expected))

    # (seen + 1) / (expected + 1); the second comparison is known in half of the pairs.
    assert excess == pytest.approx([91 / 11, 100 / 11, 15 / 1.5, 1.0])


AT_HOME = Settings(
    (Text("given"), Text("surname"), Date("born"), Text("street"), Identifier("phone")), (block_on("born"),)
)
CHANCE = {
    "given": (0.005, 0.003, 0.001, 0.02, 0.971), "surname": (0.005, 0.003, 0.001, 0.02, 0.971),
    "born": (5e-5, 1e-5, 1e-3, 1e-5, 3e-4, 2e-3, 6e-4, 0.012, 0.98403), "street": (0.002, 5e-4, 1e-4, 0.01, 0.9874),
    "phone": (1e-4, 4e-6, 4e-6, 0.999892),
}  # fmt: skip


def at_home(**vectors):
    """Eight million pairs of which some thousands are of one household, or share a telephone; `vectors` counts others."""
    seen = {
        (4, 0, 8, 0, 0): 900, (4, 0, 8, 0, 3): 600, (4, 0, 7, 0, 0): 100, (4, 0, 8, 1, 0): 60, (4, 4, 8, 0, 0): 80,
        (4, 4, 8, 4, 3): 5000, **{tuple(map(int, vector[1:])): count for vector, count in vectors.items()},
    }  # fmt: skip
    return Patterns.counted(np.array(list(seen), dtype=np.int8), np.array(list(seen.values()), dtype=np.float64))


def test_two_or_three_pairs_that_differ_in_a_birth_date_do_not_hide_households():
    kin = estimate_household(AT_HOME, [at_home(_00700=3)], CHANCE, pairs=[8e6], expected_repeats=1000)

    assert kin is not None
    assert kin.levels["given"][4] > 0.9
    assert kin.rate * 8e6 == pytest.approx(1650, rel=0.05)


def test_one_person_learns_no_more_from_a_household_than_is_believed_of_one():
    """Brothers and sisters, whom blocking brings together where one is of one year, are many more than persons who stand twice."""
    settings = replace(AT_HOME, comparisons=(*AT_HOME.comparisons, Exact("sex")))
    seen = {
        (4, 0, 8, 0, 0, 0): 2000, (4, 0, 8, 0, 3, 0): 300, (4, 0, 7, 0, 0, 0): 80, (4, 4, 8, 4, 3, 0): 4000, (4, 4, 8, 4, 3, 1): 4000,
        (4, 0, 7, 0, 0, 1): 280, (4, 0, 7, 0, 3, 1): 120, (4, 0, 5, 0, 0, 1): 40, (4, 0, 0, 0, 0, 0): 40, (4, 0, 0, 0, 0, 1): 120,
        (0, 0, 0, 0, 0, 0): 50, (0, 0, 0, 0, 3, 0): 20, (1, 0, 0, 0, 0, 0): 5, (0, 0, 2, 0, 0, 0): 5, (0, 1, 0, 0, 0, 0): 5,
        (0, 0, 0, 1, 0, 0): 5, (0, 0, 0, 4, 0, 0): 5,
    }  # fmt: skip
    patterns = Patterns.counted(np.array(list(seen), dtype=np.int8), np.array(list(seen.values()), dtype=np.float64))

    kin = estimate_household(settings, [patterns], CHANCE | {"sex": (0.5, 0.5)}, pairs=[8e6], expected_repeats=1000)

    assert kin is not None
    assert kin.rate * 8e6 == pytest.approx(2932, rel=0.02)
    assert kin.levels["sex"][1] == pytest.approx(0.19, abs=0.02)


def test_neighbours_are_not_one_person_where_nobody_is_twice_there():
    model = estimate_m(AT_HOME, at_home(_00000=2), CHANCE, pairs=8e6, expected_matches=1000)

    assert model.m["born"][0] > 0.8
    assert model.prior * 8e6 < 150
    assert model.converged


def test_u_is_the_share_among_random_pairs_and_full_agreement_is_counted_apart():
    levels = {name: np.array([0] * 2 + [1] * 6 + [MISSING] * 5, dtype=np.int8) for name in M}
    u = estimate_u(SETTINGS, levels, {"name": 1e-6})

    assert u["sex"] == pytest.approx((2.5 / 9, 6.5 / 9))
    assert u["name"][0] == 1e-6
    assert u["name"][1] == pytest.approx((1 - 1e-6) * 6.5 / 8)
    for shares in u.values():
        assert sum(shares) == pytest.approx(1)
        assert min(shares) > 0


# -- patterns and silence ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4), st.integers(-1, 1), st.integers(-1, 8)), max_size=40))
def test_patterns_are_the_distinct_vectors_and_know_whose_they_are(rows):
    columns = np.array(rows, dtype=np.int8).reshape(-1, 4)
    found = Patterns.of(list(columns.T), [len(c.labels) for c in SETTINGS.comparisons])

    assert [tuple(vector) for vector in found.vectors[found.of_pair].tolist()] == rows
    assert [tuple(vector) for vector in found.vectors.tolist()] == sorted(set(rows))
    assert found.counts.tolist() == [rows.count(row) for row in sorted(set(rows))]


@given(st.lists(st.lists(st.integers(-1, 8), min_size=30, max_size=30), min_size=1, max_size=40))
def test_so_many_comparisons_that_no_number_holds_their_levels_have_patterns_too(rows):
    columns = np.array(rows + rows[:1], dtype=np.int8)
    found = Patterns.of(list(columns.T), [9] * 30)

    assert (found.vectors[found.of_pair] == columns).all()
    assert [tuple(vector) for vector in found.vectors.tolist()] == sorted(set(map(tuple, rows)))
    assert found.counts.sum() == len(columns)


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4), st.integers(-1, 1), st.integers(-1, 8)), min_size=1))
def test_patterns_counted_elsewhere_in_any_order_are_the_same_patterns(rows):
    found = Patterns.of(list(np.array(rows, dtype=np.int8).T), [len(c.labels) for c in SETTINGS.comparisons])
    shuffled = np.argsort([hash(tuple(vector)) for vector in found.vectors.tolist()])
    counted = Patterns.counted(found.vectors[shuffled], found.counts[shuffled])

    assert (counted.vectors == found.vectors).all()
    assert (counted.counts == found.counts).all()


def test_agreement_that_another_agreement_contains_is_silent_and_disagreement_is_not():
    levels = {
        "number": np.array([0, 0, 1, 2, -1], dtype=np.int8),
        "born": np.array([0, 2, 0, 0, 0], dtype=np.int8),
        "sex": np.array([0, 1, 0, 0, -1], dtype=np.int8),
        "name": np.array([0, 0, 0, 0, 0], dtype=np.int8),
    }
    before = {name: values.copy() for name, values in levels.items()}
    heard = silence(levels, (Implied("number", (0, 1), ("born", "sex")),))

    assert heard["born"].tolist() == [-1, 2, -1, 0, 0]
    assert heard["sex"].tolist() == [-1, 1, -1, 0, -1]
    assert heard["name"].tolist() == heard["name"].tolist() == [0] * 5
    assert all((levels[name] == before[name]).all() for name in levels)


def test_em_does_not_count_a_witness_who_repeats_another_twice(random):
    # sex is known from born here (an ID number's parity, say): with Implied the prior is that of one witness.
    rng = random(5)
    levels = mixed(rng, 3000, 9000)
    levels["sex"] = np.where(levels["born"] == 0, 0, levels["sex"]).astype(np.int8)
    said = replace(SETTINGS, implied=(Implied("born", (0,), ("sex",)),))

    model = estimate_m(said, patterns_of(levels), U, pairs=12_000, expected_matches=3000)

    # m of sex is that of pairs whose births differ, the only ones where it says something.
    assert model.m["sex"][0] == pytest.approx(M["sex"][0], abs=0.03)


# -- weights -------------------------------------------------------------------------------------------------------

MODEL = Model(M, U, 1e-6, {name: tuple(1 / len(values) for _ in values) for name, values in M.items()}, 2e-6, 17, True)


@pytest.mark.parametrize("name", M)
def test_a_missing_value_weighs_nothing_and_every_other_log2_of_m_over_u(name):
    weights = MODEL.weights(name)

    assert weights[MISSING] == 0.0
    assert weights[:-1] == pytest.approx([np.log2(m / u) for m, u in zip(M[name], U[name], strict=True)])
    assert MODEL.likeness(name)[MISSING] == MODEL.likeness(name, silent=True)[MISSING] == 0.0


def test_the_prior_is_log2_of_its_odds():
    assert Model({}, {}, 0.5).prior_weight == 0.0
    assert Model({}, {}, 1 / 1025).prior_weight == pytest.approx(-10)


@given(
    st.lists(st.floats(-200, 200), min_size=1, max_size=9),
    st.floats(0.001, 1),
    st.floats(1e-9, 0.1),
    st.floats(1e-9, 0.5),
)
def test_looking_like_kin_never_speaks_for_a_pair_and_the_more_alike_the_more_against(likeness, orphaned, rate, prior):
    model = replace(MODEL, relative_rate=rate, prior=prior)
    weights = model.relatives_weight(np.sort(np.array(likeness)), orphaned=orphaned)

    assert (weights <= 0).all()
    assert (np.diff(weights) <= 0).all()


def test_against_strangers_and_kin_together_a_pair_weighs_m_over_their_sum():
    prior, rate = MODEL.prior, MODEL.relative_rate
    born, kin = 0, 1 / 9
    strangers = MODEL.prior_weight + MODEL.weights("born")[born]
    taken = float(MODEL.relatives_weight(MODEL.likeness("born")[[born]])[0])

    others = (1 - prior - rate) * U["born"][born] + rate * kin
    correction = np.log2(1 - prior) - np.log2(1 - prior - rate)  # the prior odds are against all others
    assert strangers + taken + correction == pytest.approx(np.log2(prior * M["born"][born] / others))


def test_without_relatives_kinship_takes_nothing_away():
    model = replace(MODEL, relatives={}, relative_rate=0.0)

    assert model.relatives_weight(np.array([50.0, -50.0])).tolist() == [0.0, 0.0]
    assert model.likeness("name").tolist() == [0.0] * 6


# -- keeping -------------------------------------------------------------------------------------------------------

SHARES = st.lists(st.floats(1e-300, 1), min_size=1, max_size=5).map(tuple)


@given(
    st.dictionaries(st.text(max_size=4), SHARES, max_size=3),
    st.floats(1e-300, 0.5), st.floats(0, 0.1), st.integers(0, 1000), st.booleans(),
)  # fmt: skip
def test_a_model_is_read_back_to_the_bit(shares, prior, rate, iterations, converged):
    alike = Lookalikes(("a", "b"), ((0, MISSING), (3, 1)), (0.1, prior), 1e12, (rate, 1.0))
    model = Model(shares, shares, prior, shares, rate, iterations, converged, lookalikes=alike if converged else None)

    assert Model.from_json(model.to_json()) == model
    assert Model.from_json(model.to_json()).to_json() == model.to_json()


@pytest.mark.parametrize("format_", [FORMAT + 1, 0, None, "1"])
def test_a_model_of_another_format_is_refused(format_):
    said = json.loads(MODEL.to_json()) | {"format": format_}

    with pytest.raises(ValueError, match="format"):
        Model.from_json(json.dumps(said))


@pytest.mark.parametrize("text", ["{}", "no model", '{"format": 1}', "[]"])
def test_what_is_no_model_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        Model.from_json(text)
