"""What is hidden cannot be computed back: held against linear programming over every table that shows the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from kcb_pipeline.reporting.bulletin_risk import computed
from kcb_pipeline.reporting.suppression import suppress, with_totals

settings.register_profile("any machine", deadline=None, max_examples=40)
settings.load_profile("any machine")

SMALLEST = 5


@st.composite
def tables(draw, most_rows=6, most_columns=5):
    """Tables of counts as townships have them: many zeros and small ones."""
    height, width = draw(st.integers(1, most_rows)), draw(st.integers(1, most_columns))
    count = st.one_of(st.just(0), st.integers(0, 6), st.integers(0, 400))
    return np.array(draw(st.lists(count, min_size=height * width, max_size=height * width))).reshape(height, width)


def what_can_be(counts, hidden, *, row_totals=True):
    """For every hidden count: the least and the most it can be, for a reader who knows all that is shown and that hidden is not zero.

    Solved without the suppression's own reasoning: the hidden cells are unknowns, each shown total is an equation; such systems (flows)
    have whole-number corners, so the bounds are those of whole tables.
    """
    height, width = counts.shape
    unknown = {tuple(place): n for n, place in enumerate(np.argwhere(hidden.cells))}
    if not unknown:
        return {}
    equations, sums = [], []

    def known_total(places, total):
        line = np.zeros(len(unknown))
        shown = 0
        for place in places:
            if place in unknown:
                line[unknown[place]] = 1
            else:
                shown += counts[place]
        equations.append(line)
        sums.append(total - shown)

    for row in range(height):
        if row_totals and not hidden.rows[row]:
            known_total([(row, column) for column in range(width)], counts[row].sum())
    for column in range(width):
        if not hidden.columns[column]:
            known_total([(row, column) for row in range(height)], counts[:, column].sum())
    if not hidden.whole:
        known_total([(row, column) for row in range(height) for column in range(width)], counts.sum())
    goals = {place: [place] for place in unknown}
    goals |= {
        ("row", row): [(row, column) for column in range(width)]
        for row in range(height)
        if hidden.rows[row] and row_totals
    }
    goals |= {
        ("column", column): [(row, column) for row in range(height)]
        for column in range(width)
        if hidden.columns[column]
    }
    if hidden.whole and row_totals:
        goals["whole"] = [(row, column) for row in range(height) for column in range(width)]
    bounds = {}
    for place, places in goals.items():
        goal = np.zeros(len(unknown))
        goal[[unknown[part] for part in places if part in unknown]] = 1
        ends = []
        for sign in (1, -1):
            found = linprog(
                sign * goal,
                A_eq=np.array(equations) if equations else None,
                b_eq=sums if equations else None,
                bounds=(1, None),
            )
            ends.append(np.inf if found.status == 3 else round(found.fun * sign, 6))
        bounds[place] = (ends[0], ends[1])
    return bounds


@given(tables())
def test_no_hidden_count_can_be_computed_from_what_is_shown(counts):
    hidden = suppress(counts, SMALLEST)

    for place, (least, most) in what_can_be(counts, hidden).items():
        assert most - least >= 1, (place, least, most)


@given(tables(most_columns=3))
def test_nor_where_only_columns_have_totals(counts):
    hidden = suppress(counts, SMALLEST, row_totals=False)

    for least, most in what_can_be(counts, hidden, row_totals=False).values():
        assert most - least >= 1


@given(tables())
def test_every_small_count_is_hidden_and_no_zero(counts):
    hidden = suppress(counts, SMALLEST)

    for values, mask in (
        (counts, hidden.cells),
        (counts.sum(axis=1), hidden.rows),
        (counts.sum(axis=0), hidden.columns),
        (np.array([counts.sum()]), np.array([hidden.whole])),
    ):
        assert mask[(values > 0) & (values < SMALLEST)].all()
        assert not mask[values == 0].any()


@given(tables(), st.data())
def test_what_another_table_hides_is_hidden_here_and_protected(counts, data):
    also = np.array(data.draw(st.lists(st.booleans(), min_size=counts.size, max_size=counts.size))).reshape(
        counts.shape
    )

    hidden = suppress(counts, SMALLEST, hidden=also)

    assert hidden.cells[also & (counts > 0)].all()
    assert all(most - least >= 1 for least, most in what_can_be(counts, hidden).values())


def test_a_table_without_small_counts_is_shown_whole():
    hidden = suppress(np.array([[10, 20], [0, 40]]), SMALLEST)

    hidden_anywhere = [hidden.cells.any(), hidden.rows.any(), hidden.columns.any(), hidden.whole]
    assert not any(hidden_anywhere)


def test_one_small_count_takes_the_three_of_least_people_with_it():
    counts = np.array([[500, 3, 10], [600, 20, 12], [700, 30, 90]])

    hidden = suppress(counts, SMALLEST)

    assert hidden.cells.tolist() == [[False, True, True], [False, True, True], [False, False, False]]
    assert not [*hidden.rows.nonzero()[0], *hidden.columns.nonzero()[0]]


@pytest.mark.parametrize("smallest", [1, 5, 10])
def test_the_threshold_is_what_it_is_set_to(smallest):
    counts = np.array([[100, 4], [100, 100], [100, 9]])

    hidden = suppress(counts, smallest).cells

    assert hidden[0, 1] == (smallest > 4)
    assert hidden[2, 1] == (smallest > 9) or smallest == 5


def test_two_ones_that_make_a_total_of_two_are_not_left_alone():
    counts = np.array([[1, 1, 50], [30, 40, 50], [20, 60, 70]])

    assert what_can_be(counts, suppress(counts, SMALLEST)).keys() >= {(0, 0), (0, 1), (0, 2)}


@given(tables(), st.data())
def test_a_column_total_that_another_table_hides_is_hidden_here_and_protected(counts, data):
    width = counts.shape[1]
    also = np.array(data.draw(st.lists(st.booleans(), min_size=width, max_size=width)))

    hidden = suppress(counts, SMALLEST, columns=also)

    assert hidden.columns[also & (counts.sum(axis=0) > 0)].all()
    assert all(most - least >= 1 for least, most in what_can_be(counts, hidden).values())


@given(tables(), st.data())
def test_what_nobody_is_shown_protects_others_and_needs_no_protection(counts, data):
    unshown = np.array(data.draw(st.lists(st.booleans(), min_size=counts.size, max_size=counts.size))).reshape(
        counts.shape
    )

    hidden = suppress(counts, SMALLEST, unshown=unshown)

    for place, (least, most) in what_can_be(counts, hidden).items():
        is_large_and_unshown = isinstance(place[0], int | np.integer) and unshown[place] and counts[place] >= SMALLEST
        assert most - least >= 1 or is_large_and_unshown


def test_large_counts_stay_shown_where_rows_have_no_totals():
    hidden = suppress(np.array([[13], [11], [0], [9]]), SMALLEST, row_totals=False)

    assert not hidden.cells.any()
    assert not hidden.columns.any()


@given(tables(), st.integers(0, 2**32 - 1))
def test_what_is_known_from_elsewhere_hides_more_and_never_less(counts, seed):
    alone = suppress(counts, SMALLEST)
    known = (np.random.default_rng(seed).random(alone.grid.shape) < 0.5) & ~alone.grid

    hidden = suppress(counts, SMALLEST, known=known)

    assert (hidden.grid >= alone.grid).all()
    assert (hidden.grid <= (with_totals(counts) > 0)).all()


@given(tables())
def test_nothing_that_is_hidden_follows_line_by_line_either(counts):
    """By the reader with a pencil, whose reckoning is its own (`kcb_pipeline.reporting.bulletin_risk`)."""
    hidden = suppress(counts, SMALLEST)

    assert computed(with_totals(counts), hidden.grid, SMALLEST) == 0
    assert (
        computed(with_totals(counts), hidden.grid & False, SMALLEST)
        == ((with_totals(counts) > 0) & (with_totals(counts) < SMALLEST)).sum()
    )


def test_a_count_of_the_smallest_size_is_shown():
    hidden = suppress(np.array([[SMALLEST, 50], [50, 50]]), SMALLEST)

    assert not hidden.grid.any()


def test_no_more_is_hidden_than_it_takes():
    """One small count: with every total shown three more hide it, without the totals of rows the one beside it in its column."""
    counts = np.array([[2, 10], [10, 10]])

    assert suppress(counts, SMALLEST).grid.tolist() == [[True, True, False], [True, True, False], [False, False, False]]
    assert suppress(counts, SMALLEST, row_totals=False).cells.tolist() == [[True, False], [True, False]]
