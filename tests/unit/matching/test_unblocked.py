"""True pairs that no rule brought together, held against simulations in which they are known."""

import numpy as np
import polars as pl
import pytest

from kcb_pipeline.matching.settings import block_on
from kcb_pipeline.matching.unblocked import unblocked_pairs

BLOCKING = (
    block_on("surname", "given"),
    block_on("surname", "postcode"),
    block_on("given", "postcode"),
    block_on("surname", "born"),
    block_on("phone"),
)


def caught_by(agrees, blocking):
    """The rules (a bit each) that give pairs whose keys agree: key → whether, for each pair."""
    bits = [np.logical_and.reduce([agrees[str(key)] for key in rule.left]) for rule in blocking]
    return sum(bit.astype(np.int64) << at for at, bit in enumerate(bits))


def estimated_and_true(rules, blocking):
    caught = rules[rules > 0]
    return unblocked_pairs(caught, np.ones(len(caught)), blocking), int((rules == 0).sum())


def test_keys_that_rules_share_fail_in_all_of_them_together(random):
    rng = random(10)
    chances = {"surname": 0.8, "given": 0.85, "postcode": 0.7, "born": 0.9, "phone": 0.3}
    rules = caught_by({key: rng.random(20_000) < chance for key, chance in chances.items()}, BLOCKING)

    estimated, true = estimated_and_true(rules, BLOCKING)

    assert true > 1000
    assert estimated == pytest.approx(true, rel=0.15)


def test_a_careless_record_fails_in_several_keys(random):
    rng = random(11)
    is_careful = rng.random(20_000) < 0.8
    chances = {"surname": 0.5, "given": 0.4, "postcode": 0.5, "born": 0.6, "phone": 0.2}
    agrees = {key: rng.random(20_000) < np.where(is_careful, 0.97, chance) for key, chance in chances.items()}

    estimated, true = estimated_and_true(caught_by(agrees, BLOCKING), BLOCKING)

    assert true > 1000
    assert estimated == pytest.approx(true, rel=0.25)


def test_a_year_agrees_wherever_the_date_does(random):
    rng = random(12)
    year = pl.col("born").dt.year()
    blocking = (block_on("born"), block_on("given", "surname"), block_on("surname", year), block_on("given", year))
    agrees = {key: rng.random(20_000) < chance for key, chance in {"born": 0.8, "given": 0.8, "surname": 0.8}.items()}
    agrees[str(year)] = agrees["born"] | (rng.random(20_000) < 0.5)

    estimated, true = estimated_and_true(caught_by(agrees, blocking), blocking)

    assert true > 500
    assert estimated == pytest.approx(true, rel=0.15)


def test_of_rules_with_more_keys_than_can_be_looked_at_some_are_asked_and_all_are_counted(random):
    rng = random(13)
    blocking = tuple(block_on(f"k{at}", f"k{at + 1}", f"other{at}") for at in range(24))
    names = sorted({key for rule in blocking for key in rule.left})

    rules = caught_by({name: rng.random(20_000) < 0.5 for name in names}, blocking)
    estimated, true = estimated_and_true(rules, blocking)

    assert true > 1000
    assert estimated == pytest.approx(true, rel=0.25)


def test_one_rule_says_little_and_not_much_is_made_of_it():
    assert 0 < unblocked_pairs(np.ones(5000, dtype=np.int64), np.ones(5000), (block_on("born"),)) < 1000


def test_pairs_caught_by_every_rule_leave_hardly_any_and_none_leave_none():
    every = np.full(1000, 31)

    assert unblocked_pairs(every, np.ones(1000), BLOCKING) < 0.01
    assert unblocked_pairs(np.empty(0, dtype=np.int64), np.empty(0), BLOCKING) == 0.0
    assert unblocked_pairs(every, np.zeros(1000), BLOCKING) == 0.0


def test_a_pair_counts_for_its_probability_and_the_order_for_nothing(random):
    rng = random(14)
    rules, weights = rng.integers(1, 32, 3000), rng.random(3000)
    turned = rng.permutation(3000)

    whole = unblocked_pairs(rules, weights, BLOCKING)

    assert unblocked_pairs(rules[turned], weights[turned], BLOCKING) == whole
    assert unblocked_pairs(np.tile(rules, 10), np.tile(weights, 10) / 10, BLOCKING) == pytest.approx(whole, rel=1e-6)
