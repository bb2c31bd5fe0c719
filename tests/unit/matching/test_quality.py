"""Estimates of errors without labels: what they add up to, and how far they may be off."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.matching.model import Model, drift
from kcb_pipeline.matching.quality import Quality, interval, quality_by


@given(st.floats(0.01, 1e6), st.floats(0.01, 1e9))
def test_an_interval_holds_its_mean_and_nothing_negative(mean, variance):
    low, high = interval(mean, variance)

    assert low >= 0
    assert low <= high
    if variance < mean**2:
        assert low <= mean <= high


def test_an_interval_of_many_is_that_of_the_normal_distribution():
    low, high = interval(10_000.0, 10_000.0)

    assert low == pytest.approx(10_000 - 1.96 * 100, rel=1e-3)
    assert high == pytest.approx(10_000 + 1.96 * 100, rel=1e-3)


def links():
    return pl.DataFrame(
        {
            "decision": ["linked", "linked", "linked", "review", "rejected"],
            "probability": [0.99, 0.9, 1.0, 0.4, 0.1],
        }
    )


def test_errors_are_counted_for_the_whole_and_for_each_group():
    county = pl.Series(["533123", "533123", "533102", "533102", None])

    found = quality_by(links(), {"county": county}, Quality(3, 0.11, 0.5, 2.0, witnesses=50))

    assert found.select("grouping", "code", "links", "false_links", "missed", "unblocked").rows() == [
        ("all", None, 3, 0.11, 0.5, 2.0),
        ("county", None, 0, 0.0, 0.1, None),
        ("county", "533102", 1, 0.0, 0.4, None),
        ("county", "533123", 2, 0.11, 0.0, None),
    ]
    [whole] = found.filter(pl.col("grouping") == "all").iter_rows(named=True)
    assert whole["precision"] == pytest.approx(1 - 0.11 / 3, abs=1e-6)
    assert whole["recall"] == pytest.approx(2.89 / (2.89 + 0.5 + 2), abs=1e-6)
    assert whole["false_links_low"] < 0.11 < whole["false_links_high"]


def test_fewer_witnesses_mean_a_wider_interval():
    widths = []
    for witnesses in (0, 10, 1000):
        found = quality_by(links(), {}, Quality(3, 0.11, 0.5, 0.0, witnesses=witnesses))
        [(low, high)] = found.select("missed_low", "missed_high").rows()
        widths.append(high - low)

    assert widths[0] > widths[1] > widths[2]


def test_the_order_of_the_pairs_says_nothing():
    county = pl.Series(["1", "1", "2", "2", None])
    places = [4, 2, 0, 3, 1]
    quality = Quality(3, 0.11, 0.5, 2.0)

    assert quality_by(links(), {"county": county}, quality).equals(
        quality_by(links()[places], {"county": county.gather(places)}, quality)
    )


def model(m):
    return Model({"sex": m, "name": (0.9, 0.1)}, {"sex": (0.5, 0.5), "name": (0.01, 0.99)}, 1e-6)


def test_drift_is_the_population_stability_index_of_the_comparison_that_moved_most():
    assert drift(model((0.9, 0.1)), model((0.9, 0.1))) == 0
    assert drift(model((0.8, 0.2)), model((0.9, 0.1))) == pytest.approx(
        (0.8 - 0.9) * math.log(0.8 / 0.9) + (0.2 - 0.1) * math.log(0.2 / 0.1)
    )


def test_a_comparison_whose_levels_are_others_has_not_drifted():
    assert drift(model((0.5, 0.3, 0.2)), model((0.9, 0.1))) == 0
