"""What the tests of the extracts share: made-up ID numbers, one column read on its own, and a folder of extracts to land."""

import contextlib
import datetime as dt
import gzip
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import settings

from kcb_pipeline.engines.embedded import Limits, rows
from kcb_pipeline.engines.workspace import Workspace
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.cells import ColumnReader
from kcb_pipeline.extracts.delivery import find_delivery
from kcb_pipeline.extracts.landing import land

# A slow machine is no fault of the code: what these laws hold is values, not times.
settings.register_profile("any machine", deadline=None, max_examples=40)
settings.load_profile("any machine")

COMPARISON_DATE = dt.date(2026, 11, 20)


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
    return COMPARISON_DATE


@pytest.fixture(scope="session")
def read_cells():
    """Reads some cells of one column: their values, and the rules they broke as {rule: positions}."""

    def read(source, column, *cells, date=COMPARISON_DATE):
        reader = ColumnReader(sources()[source].column(column), date)
        found = reader.read(pa.array(cells, type=pa.string()), None)
        return found.values.to_pylist(), {rule: places.tolist() for rule, places in found.issues}

    return read


@dataclass
class Desk:
    """One date's extracts folder, and where it is landed."""

    extracts: Path
    workspace: Workspace
    reading: contextlib.ExitStack | None = None
    stand_ins: dict = field(
        repr=False,
        default_factory=lambda: {
            "population": "id_number,name,sex,birth_date,household_id,division_code\n,王小明,1,20150312,H1,533123\n",
            "student_registry": "student_number,name,sex,birth_date,id_type,id_number,school_code,school_name,grade,registry_status\n"
            "G1,王小明,1,20150312,1,,33,学校,5,01\n",
        },
    )

    def put(self, name, content, *, encoding="utf-8"):
        """Write a file of the delivery: text, bytes, or lines to be joined; packed where the name says so."""
        path = self.extracts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(content) + "\n" if isinstance(content, list | tuple) else content
        data = text.encode(encoding) if isinstance(text, str) else text
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    def find(self, *, strict=False):
        """The delivery, with a stand-in for each required source that the test did not write."""
        for name, content in self.stand_ins.items():
            if not any(
                entry.name.split(".")[0] in (name, sources()[name].chinese) for entry in self.extracts.iterdir()
            ):
                self.put(f"{name}.csv", content)
        return find_delivery(self.extracts, self.workspace.comparison_date, strict=strict)

    def land(self, source):
        """Land one source of what is there."""
        self.close()
        return land(self.workspace, self.find(), sources()[source])

    @property
    def connection(self):
        """A connection to what was landed, kept open until the next landing."""
        if self.reading is None:
            self.reading = contextlib.ExitStack()
            self.reader = self.reading.enter_context(self.workspace.connect(read_only=True))
        return self.reader

    def close(self):
        """Let go of the working database."""
        if self.reading is not None:
            self.reading.close()
            self.reading = None

    def query(self, sql):
        """Rows from the working database."""
        return rows(self.connection, sql)

    def landed(self, source, *columns):
        """The landed rows as {row: value}, or {row: tuple of values}."""
        names = ", ".join(f'"{column}"' for column in columns)
        found = self.query(f"SELECT row, {names} FROM landed.{source} ORDER BY row")
        return {row: values[0] if len(columns) == 1 else tuple(values) for row, *values in found}

    def quarantined(self, source):
        """{row: rule} of the rows that left."""
        return dict(self.query(f"SELECT row, rule FROM landed.quarantined_rows WHERE source = '{source}' ORDER BY row"))

    def issues(self, source):
        """{(row, column, rule)} of the cells that broke a rule."""
        return set(self.query(f"SELECT row, \"column\", rule FROM landed.cell_issues WHERE source = '{source}'"))

    def frame(self, source):
        """All landed rows as a frame."""
        return pl.DataFrame(self.connection.sql(f"SELECT * FROM landed.{source} ORDER BY row").to_arrow_table())


@pytest.fixture
def desk(tmp_path):
    """An empty extracts folder and an empty working database."""
    extracts = tmp_path / "extracts" / f"{COMPARISON_DATE}"
    extracts.mkdir(parents=True)
    work = tmp_path / "work"
    work.mkdir()
    desk = Desk(extracts, Workspace(work, COMPARISON_DATE, Limits(memory="500MB", threads=1)))
    yield desk
    desk.close()
