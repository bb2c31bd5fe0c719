"""What hangs together, how a tangle is solved and what never falls: held to SciPy, which is slower to import than they are to run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import isotonic_regression, linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kcb_pipeline.matching.assignment import assign
from kcb_pipeline.matching.calibration import rising
from kcb_pipeline.matching.components import components


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_components_are_those_of_the_graph_and_named_by_their_lowest(graph):
    size, edges = graph
    left, right = (np.array([edge[side] for edge in edges], dtype=np.int64) for side in (0, 1))

    found = components(left, right, size)

    _, label = connected_components(coo_array((np.ones(len(edges)), (left, right)), shape=(size, size)), directed=False)
    lowest = {number: min(np.flatnonzero(label == number)) for number in label}
    assert found.tolist() == [lowest[number] for number in label]


def test_a_long_chain_is_one_component():
    steps = np.random.default_rng(1).permutation(20_000)

    assert not components(steps[:-1], steps[1:], 20_000).any()


@given(
    st.tuples(st.integers(2, 7), st.integers(2, 7)).flatmap(
        lambda shape: arrays.arrays(np.float64, shape, elements=st.integers(1, 60).map(float))
    )
)
def test_a_tangle_is_solved_as_well_as_it_can_be(table):
    left, right = np.indices(table.shape).reshape(2, -1)
    # A little more for each place, so that no two solutions weigh the same and none is left to a person.
    weights = table.ravel() + 2.0 ** -np.arange(1, table.size + 1)

    outcome = assign(left, right, weights)

    best = linear_sum_assignment(weights.reshape(table.shape), maximize=True)
    assert set(np.flatnonzero(outcome.chosen & (outcome.gap > 1e-9))) <= set(np.ravel_multi_index(best, table.shape))
    settled = weights[outcome.chosen].sum()
    tied = [place for place in np.ravel_multi_index(best, table.shape) if not outcome.chosen[place]]
    assert settled + weights[tied].sum() == pytest.approx(weights.reshape(table.shape)[best].sum())


@given(arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5, width=32)))
def test_the_nearest_sequence_that_never_falls(values):
    np.testing.assert_allclose(rising(values), isotonic_regression(values).x, atol=1e-9)
