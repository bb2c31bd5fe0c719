"""What is decided on weighed pairs: how many true ones are lost among those that were compared."""

import numpy as np
import pytest

from kcb_pipeline.matching.deciding import missed_pairs


def lost(*pairs):
    """Of pairs (left, right, probability, linked)."""
    left, right, probability, linked = (np.array(values) for values in zip(*pairs, strict=True))
    return missed_pairs(left, right, probability, linked)


def test_a_tie_is_one_lost_pair_whoever_it_is():
    assert lost((0, 0, 0.5, False), (0, 1, 0.5, False)) == pytest.approx(1.0)


def test_of_many_alike_no_record_is_lost_more_than_once():
    alike = [(left, right, 0.5, False) for left in range(4) for right in range(3)]

    assert lost(*alike) == pytest.approx(3.0)


def test_what_a_link_leaves_over_is_lost_where_another_could_have_been_meant():
    assert lost((0, 0, 0.8, True), (0, 1, 0.3, False)) == pytest.approx(0.2)
    assert lost((0, 0, 0.99, True), (0, 1, 0.001, False)) == pytest.approx(0.001)
    assert lost((0, 0, 1.0, True), (0, 1, 0.4, False)) == 0.0


def test_nothing_compared_is_nothing_lost():
    nothing = np.empty(0, dtype=np.int64)

    assert missed_pairs(nothing, nothing, np.empty(0), np.empty(0, dtype=bool)) == 0.0
