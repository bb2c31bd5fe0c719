"""Sampling by band and what is measured from it: the estimates against populations whose truth is known."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from kcb_pipeline.review.answers import Answer, Verdict
from kcb_pipeline.review.quality import agreements, measure
from kcb_pipeline.review.sampling import EDGES, band_words, draw

D = dt.date(2026, 11, 18)


def population(chance, linked=3000, rejected=600, in_doubt=12):
    """Pairs of a made-up night: linked ones are the likelier right the more they weigh, few of the rejected are one person."""
    weight = np.concatenate(
        [chance.normal(15, 8, linked), chance.normal(-8, 6, rejected), chance.normal(3, 2, in_doubt)]
    )
    decision = ["linked"] * linked + ["rejected"] * rejected + ["review"] * in_doubt
    is_one = chance.random(len(weight)) < 1 / (1 + np.exp2(-(weight / 2 + 1)))
    numbers = [f"{n:012X}" for n in chance.choice(1 << 40, len(weight), replace=False)]
    return pl.DataFrame(
        {"pair": numbers, "decision": decision, "method": "probabilistic", "match_weight": weight, "is_one": is_one}
    )


def labels(drawn):
    return {
        pair: Verdict(pair, "same" if is_one else "different", D, ())
        for pair, is_one in drawn.select("pair", "is_one").rows()
    }


def true_shares(pairs):
    linked = pairs["decision"] == "linked"
    right = (linked & pairs["is_one"]).sum()
    return right / linked.sum(), right / pairs["is_one"].sum()


def test_every_pair_in_doubt_and_of_each_band_as_many_as_asked():
    pairs = population(np.random.default_rng(1))
    drawn = draw(pairs, 20)

    assert drawn.filter(pl.col("stratum") == "review").height == 12
    for row in drawn.filter(pl.col("stratum") != "review").group_by("stratum", "band").agg(pl.len(), pl.first("stratum_size"), pl.first("inclusion")).iter_rows(named=True):  # fmt: skip
        assert row["len"] == min(20, row["stratum_size"])
        assert row["inclusion"] == pytest.approx(row["len"] / row["stratum_size"])
    of_bands = drawn.unique(["stratum", "band"])["stratum_size"].sum()
    assert of_bands == pairs.height
    low, high = EDGES[3], EDGES[4]
    assert drawn.filter(pl.col("band") == 4)["match_weight"].is_between(low, high).all()


def test_the_sample_does_not_depend_on_the_order_of_pairs_and_grows_by_keeping():
    pairs = population(np.random.default_rng(2))
    drawn = draw(pairs, 20)

    assert draw(pairs.reverse(), 20).equals(drawn)
    assert set(drawn["pair"]) <= set(draw(pairs, 30)["pair"])


def test_what_people_decided_stands_for_itself_only():
    pairs = population(np.random.default_rng(3))
    drawn = draw(pairs, 20)
    known = drawn.filter((pl.col("decision") == "linked") & pl.col("is_one"))["pair"]
    later = pairs.with_columns(
        pl.when(pl.col("pair").is_in(known.implode())).then(pl.lit("reviewed")).otherwise("method").alias("method")
    )
    again = draw(later, 5)

    reviewed = again.filter(pl.col("stratum") == "reviewed")
    assert set(reviewed["pair"]) == set(known)
    assert not set(again.filter(pl.col("stratum") == "linked")["pair"]) & set(known)


def test_bands_in_words():
    assert [band_words(band) for band in (-1, 0, 3, len(EDGES))] == ["all", "below -10", "0 to 5", "from 25"]


def test_the_estimate_is_right_on_average_and_the_interval_holds_the_truth():
    """Against 300 made-up nights: no bias to speak of, and the 95 % intervals hold the truth at least 95 times in a hundred, without being useless."""
    errors, held, widths = [], [], []
    for seed in range(300):
        pairs = population(np.random.default_rng(seed))
        drawn = draw(pairs, 25)
        found = measure(drawn, labels(drawn))
        for estimate, true in zip((found.precision, found.recall), true_shares(pairs), strict=True):
            errors.append(estimate.value - true)
            widths.append(estimate.high - estimate.low)
            held.append(estimate.low <= true <= estimate.high)

    assert abs(np.mean(errors[::2])) < 0.003
    assert abs(np.mean(errors[1::2])) < 0.003
    assert np.mean(held[::2]) >= 0.95
    assert np.mean(held[1::2]) >= 0.95
    assert np.mean(widths[::2]) < 0.12
    assert np.mean(widths[1::2]) < 0.12


def test_labels_of_every_pair_leave_no_doubt():
    pairs = population(np.random.default_rng(4), linked=200, rejected=40)
    drawn = draw(pairs, 1000)
    found = measure(drawn, labels(drawn))
    precision, recall = true_shares(pairs)

    assert (found.precision.low, found.precision.value, found.precision.high) == pytest.approx((precision,) * 3)
    assert (found.recall.low, found.recall.value, found.recall.high) == pytest.approx((recall,) * 3)


def test_a_rare_band_counts_for_what_it_stands_for():
    """Ten wrong of twenty in a band of twenty, none wrong of twenty in a band of 980: 99 % are right, not 75 %."""
    pairs = pl.DataFrame(
        {
            "pair": [f"{n:04d}" for n in range(1000)],
            "decision": "linked",
            "method": "probabilistic",
            "match_weight": [2.0] * 20 + [30.0] * 980,
            "is_one": [n % 2 == 0 for n in range(20)] + [True] * 980,
        }
    )
    drawn = draw(pairs, 20)

    assert measure(drawn, labels(drawn)).precision.value == pytest.approx(0.99)


def test_without_labels_there_are_no_figures():
    drawn = draw(population(np.random.default_rng(5)), 20)
    found = measure(drawn, {})

    assert found.precision is found.recall is None
    assert found.unlabelled == 3612


def test_a_band_nobody_labelled_is_named():
    drawn = draw(population(np.random.default_rng(6)), 20)
    some = drawn.filter(pl.col("stratum") == "linked")

    assert measure(drawn, labels(some)).unlabelled == 612


def answers_of(*said):
    """Verdicts of pairs from what 甲 and 乙 said."""
    return {
        str(n): Verdict(str(n), "open", D, tuple(Answer(str(n), "C", "G", None, None, who, one, D, "") for who, one in zip("甲乙", both, strict=True)))
        for n, both in enumerate(said)
    }  # fmt: skip


def test_kappa_is_cohens():
    """Cohen's own kind of table: 20 both same, 5 and 10 apart, 15 both different: kappa 0.4."""
    said = (
        [("same", "same")] * 20
        + [("same", "different")] * 5
        + [("different", "same")] * 10
        + [("different", "different")] * 15
    )
    [found] = agreements(answers_of(*said))

    assert (found.reviewers, found.pairs, found.agreed) == (("甲", "乙"), 50, 35)
    assert found.kappa == pytest.approx(0.4)
    assert found.error == pytest.approx((0.7 * 0.3 / 50) ** 0.5 / 0.5)


def test_two_who_always_say_one_thing_have_no_kappa():
    [found] = agreements(answers_of(*[("same", "same")] * 5))

    assert (found.agreed, found.kappa) == (5, None)
