"""One to one: what is chosen is the best there is, held against every assignment there could be; and a tie is chosen by nobody."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.matching.assignment import assign, assign_each, second_best


def arrays(pairs):
    left, right, weights = zip(*pairs, strict=True) if pairs else ((), (), ())
    return np.array(left, dtype=np.int64), np.array(right, dtype=np.int64), np.array(weights, dtype=np.float64)


def every_assignment(pairs):
    """All one-to-one choices of pairs, as sets of places with their weight."""
    for size in range(len(pairs) + 1):
        for picked in itertools.combinations(range(len(pairs)), size):
            lefts, rights = {pairs[p][0] for p in picked}, {pairs[p][1] for p in picked}
            if len(lefts) == len(rights) == size:
                yield set(picked), sum(pairs[p][2] for p in picked)


WEIGHTS = st.one_of(st.integers(1, 4).map(float), st.floats(0.01, 30, allow_subnormal=False))
GRAPHS = st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 3)), WEIGHTS, max_size=8).map(
    lambda graph: [(a, b, weight) for (a, b), weight in graph.items()]
)


def reference_gap(pairs, place):
    choices = list(every_assignment(pairs))
    with_it = max(total for picked, total in choices if place in picked)
    return with_it - max(total for picked, total in choices if place not in picked)


@settings(max_examples=80)
@given(GRAPHS)
def test_the_assignment_is_the_best_of_all_and_each_gap_is_the_best_with_less_the_best_without(pairs):
    outcome = assign(*arrays(pairs))
    gaps = [reference_gap(pairs, place) for place in range(len(pairs))]

    assert outcome.gap == pytest.approx(gaps, abs=1e-8)
    # Chosen is what every best assignment has: what only some of them have is a tie.
    assert outcome.chosen.tolist() == [gap > 1e-9 for gap in gaps]


@settings(max_examples=60)
@given(GRAPHS)
def test_where_no_two_assignments_are_equally_good_the_chosen_pairs_have_the_greatest_total_weight(pairs):
    outcome = assign(*arrays(pairs))
    best = max(total for _, total in every_assignment(pairs))

    total = sum(weight for (_, _, weight), chosen in zip(pairs, outcome.chosen, strict=True) if chosen)
    is_tied = bool(np.any(np.abs(outcome.gap) <= 1e-9))
    assert total == pytest.approx(best) or (is_tied and total < best)


SIGNED = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.integers(-6, 6).map(float), max_size=12
).map(lambda graph: [(a, b, weight) for (a, b), weight in graph.items()])


@settings(max_examples=60)
@given(SIGNED, st.data(), st.sampled_from([np.inf, 3.0]))
def test_the_order_of_the_pairs_does_not_matter(pairs, data, own):
    order = data.draw(st.permutations(range(len(pairs))))
    outcome, other = assign(*arrays(pairs), own=own), assign(*arrays([pairs[p] for p in order]), own=own)

    for part in ("chosen", "gap", "rivalry"):
        assert getattr(other, part).tolist() == getattr(outcome, part)[np.array(order, dtype=int)].tolist()


@settings(max_examples=60)
@given(GRAPHS, st.data())
def test_the_order_of_the_pairs_does_not_matter_to_the_last_bit(pairs, data):
    order = data.draw(st.permutations(range(len(pairs))))
    outcome, other = assign(*arrays(pairs)), assign(*arrays([pairs[p] for p in order]))

    assert other.gap.tobytes() == outcome.gap[np.array(order, dtype=int)].tobytes()
    assert other.rivalry.tobytes() == outcome.rivalry[np.array(order, dtype=int)].tobytes()


@settings(max_examples=60)
@given(SIGNED)
def test_no_record_is_in_two_chosen_pairs_whatever_the_weights(pairs):
    left, right, weights = arrays(pairs)
    outcome = assign(left, right, weights)

    assert len(set(left[outcome.chosen].tolist())) == len(set(right[outcome.chosen].tolist())) == outcome.chosen.sum()


def test_greed_is_not_enough():
    # The greatest weight first would give 10 + 1; reclin2 did so until its version 0.5.0 (linkage.md §1).
    outcome = assign(*arrays([(0, 0, 10.0), (0, 1, 9.0), (1, 0, 9.0), (1, 1, 1.0)]))

    assert outcome.chosen.tolist() == [False, True, True, False]
    assert outcome.gap.tolist() == [-7.0, 7.0, 7.0, -7.0]


def test_two_equal_records_are_chosen_by_nobody():
    outcome = assign(*arrays([(0, 0, 9.0), (0, 1, 9.0), (1, 2, 4.0)]))

    assert outcome.chosen.tolist() == [False, False, True]
    assert outcome.gap.tolist() == [0.0, 0.0, 4.0]


def test_twins_who_fit_each_others_records_equally_well_are_chosen_by_nobody():
    outcome = assign(*arrays([(0, 0, 9.0), (0, 1, 9.0), (1, 0, 9.0), (1, 1, 9.0)]))

    assert not outcome.chosen.any()
    assert outcome.gap.tolist() == [0.0] * 4


def test_a_pair_on_its_own_has_no_rival():
    outcome = assign(*arrays([(3, 7, 2.5)]))

    assert (outcome.chosen.tolist(), outcome.gap.tolist(), outcome.rivalry.tolist()) == ([True], [2.5], [np.inf])


def test_below_nought_the_best_of_both_is_chosen_among_records_that_are_left():
    pairs = [(0, 0, 5.0), (0, 1, -1.0), (1, 1, -2.0), (1, 2, -3.0), (2, 2, -4.0), (3, 3, -1.0), (3, 4, -1.0)]
    outcome = assign(*arrays(pairs))

    assert outcome.chosen.tolist() == [True, False, True, False, True, False, False]
    # What would have to be taken from another pair is that much less of a rival.
    assert outcome.rivalry.tolist()[:3] == [6.0, -1.0, 1.0]


def test_a_further_record_of_the_same_person_is_no_rival():
    pairs = [(0, 0, 20.0), (0, 1, 15.0), (0, 2, 4.0)]

    assert assign(*arrays(pairs)).rivalry[0] == 5.0
    assert assign(*arrays(pairs), own=10.0).rivalry[0] == 16.0
    assert assign(*arrays(pairs), own=10.0).chosen.tolist() == [True, False, False]
    # Of two persons for one record each stays the other's rival, however much they weigh.
    assert assign(*arrays([(0, 0, 20.0), (1, 0, 15.0)]), own=10.0).rivalry[0] == 5.0


def test_a_rival_that_has_its_own_by_far_is_hardly_one():
    # A brother's number stands in record 1; the brother (0) has his own record (0).
    pairs = [(0, 0, 40.0), (0, 1, 6.0), (1, 1, 4.0)]
    outcome = assign(*arrays(pairs))

    assert outcome.chosen.tolist() == [True, False, True]
    assert outcome.rivalry[2] == 4.0 - (6.0 - 40.0)
    # Where a person may have several records it may yet be his second one: one in a hundred and more.
    assert assign(*arrays(pairs), own=10.0).rivalry[2] == 4.0 - (6.0 - 7.0)
    # Nobody's rival is a rival whole.
    assert assign(*arrays([(0, 1, 2.0), (1, 1, 4.0)])).rivalry[1] == 2.0


def test_rivals_that_are_better_off_elsewhere_leave_a_pair_sure():
    outcome = assign(*arrays([(0, 0, 20.0), (0, 1, 18.0), (1, 0, 18.0), (1, 1, 20.0)]))

    assert outcome.chosen.tolist() == [True, False, False, True]
    assert outcome.rivalry[[0, 3]].tolist() == [4.0, 4.0]  # as a whole, twice the 2 of each alone


def test_nothing_to_choose_from_is_no_error():
    for outcome in (assign(*arrays([])), assign_each(np.empty(0, dtype=np.int64), np.empty(0))):
        assert [len(outcome.chosen), len(outcome.gap), len(outcome.rivalry)] == [0, 0, 0]


@settings(max_examples=60)
@given(SIGNED)
def test_many_to_one_each_right_record_has_the_one_best_of_its_own(pairs):
    _, right, weights = arrays(pairs)
    outcome = assign_each(right, weights)

    for record in set(right.tolist()):
        of_record = np.flatnonzero(right == record)
        best = weights[of_record].max()
        is_best = weights[of_record] == best
        expected = is_best & (is_best.sum() == 1)
        assert outcome.chosen[of_record].tolist() == expected.tolist()
        assert (outcome.gap[of_record][~is_best] < 0).all()


def test_the_second_best_is_the_best_that_is_not_left_out():
    records, weights = np.array([0, 0, 0, 2]), np.array([3.0, 1.0, 2.0, 5.0])
    left_out = np.array([True, False, False, True])

    assert second_best(records, weights, left_out).tolist() == [2.0, 2.0, 2.0, -np.inf]
