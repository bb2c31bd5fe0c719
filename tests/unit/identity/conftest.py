"""What the tests of identity share: made-up ID numbers, name tables, and rows landed and standardised on one date."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import settings

from kcb_pipeline.engines.embedded import Limits, rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.delivery import find_delivery
from kcb_pipeline.extracts.landing import land
from kcb_pipeline.identity.names import NameTable, plain_key

# A slow machine is no fault of the code: what these laws hold is values, not times.
settings.register_profile("any machine", deadline=None, max_examples=40)
settings.load_profile("any machine")


def made_up_number(birth="20150312", sequence="001", division="533123"):
    """A made-up ID number with the check character of ISO 7064 MOD 11-2, computed as the standard's pure system does."""
    product = 0
    first17 = f"{division}{birth}{sequence}"
    for digit in first17:
        product = (product + int(digit)) * 2 % 11
    return first17 + "0123456789X"[(1 - product) % 11]


@pytest.fixture(scope="session")
def citizen_number():
    """Makes an ID number of nobody: `citizen_number("20150312", "001")`."""
    return made_up_number


@pytest.fixture(scope="session")
def on():
    """The comparison date of all these tests."""
    return dt.date(2026, 11, 20)


@pytest.fixture(scope="session")
def table_of():
    """The name table of some names, keyed as every register keys them."""

    def make(*names):
        return NameTable.of(plain_key(pl.Series(names, dtype=pl.String)))

    return make


@pytest.fixture
def landed(tmp_path, on):
    """Lands extracts given as lists of rows (dicts) for some sources, the others absent; gives the workspace and a query on it."""
    extracts, work = tmp_path / "extracts", tmp_path / "work"
    extracts.mkdir()
    work.mkdir()
    workspace = Workspace(work, on, Limits(memory="500MB", threads=1))

    def query(sql):
        with workspace.connect(read_only=True) as connection:
            return rows(connection, sql)

    def make(**extracts_of):
        for source in ("population", "student_registry"):
            extracts_of.setdefault(source, [{"name": "余人", "birth_date": "19500101"}])
        for source, records in extracts_of.items():
            names = [column.name for column in sources()[source].columns]
            lines = [",".join(str(record.get(name, "")) for name in names) for record in records]
            (extracts / f"{source}.csv").write_text("\n".join([",".join(names), *lines]) + "\n", encoding="utf-8")
        delivery = find_delivery(extracts, on)
        for source in ("population", "residents", "student_registry", "deregistrations"):
            land(workspace, delivery, sources()[source])
        return workspace, query

    return make
