"""What the tests of matching share: made-up ID numbers, and the level of one pair of records in words."""

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

from kcb_pipeline.matching.comparisons import MISSING, Pairs

# A slow machine is no fault of the code: what these laws hold is values, not times.
settings.register_profile("any machine", deadline=None, max_examples=40)
settings.load_profile("any machine")


def made_up_number(first17):
    """17 digits with the check character of ISO 7064 MOD 11-2, computed as the standard's pure system does."""
    product = 0
    for digit in first17:
        product = (product + int(digit)) * 2 % 11
    return first17 + "0123456789X"[(1 - product) % 11]


@pytest.fixture(scope="session")
def citizen_number():
    """Makes a valid ID number of nobody: `citizen_number("53312320150312001")`."""
    return made_up_number


def levels_of_pairs(comparison, pairs):
    """The level of each pair of records (dicts; a column a record lacks is missing), as numbers."""
    columns = dict.fromkeys(name for pair in pairs for record in pair for name in record)
    schema = dict.fromkeys([*comparison.reads, *columns], pl.String)
    sides = [
        pl.DataFrame([{name: record.get(name) for name in schema} for record in side], schema=schema)
        for side in zip(*pairs, strict=True)
    ]
    prepared = [pl.DataFrame(comparison.prepare(side)) for side in sides]
    return comparison.levels(Pairs.aligned(*prepared))


@pytest.fixture(scope="session")
def levels_of():
    """Levels of many pairs, as numbers: `levels_of(comparison, [(left, right), …])`."""
    return levels_of_pairs


@pytest.fixture(scope="session")
def level_of():
    """The level of one pair in words, or `missing`; both ways round, for no comparison knows which side is which."""

    def find(comparison, left, right):
        found, turned = (int(levels_of_pairs(comparison, [pair])[0]) for pair in ((left, right), (right, left)))
        assert found == turned, (left, right, found, turned)
        return "missing" if found == MISSING else comparison.labels[found]

    return find


@pytest.fixture(scope="session")
def random():
    """The same numbers at random in every run."""
    return np.random.default_rng
