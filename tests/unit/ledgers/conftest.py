"""What the tests of the ledgers share: a database in memory, with the published tables where they are wanted."""

import pytest
from hypothesis import settings

from kcb_pipeline.engines.embedded import Limits, connect
from kcb_pipeline.ledgers.schema import TABLES, create_table_sql

# A slow machine is no fault of the code: what these laws hold is values, not times.
settings.register_profile("any machine", deadline=None, max_examples=40)
settings.load_profile("any machine")


@pytest.fixture(scope="package")
def memory():
    """A database in memory with the published tables, which no test leaves anything in."""
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        for table in TABLES:
            connection.execute(create_table_sql(table))
        yield connection


@pytest.fixture
def ledgers(memory):
    """The published tables, empty: what a test writes is undone after it."""
    memory.execute("BEGIN")
    yield memory
    memory.execute("ROLLBACK")
