"""What the tests of the ledgers share: a database in memory, with the published tables where they are wanted, and a home that publishes
drafts which are written down row by row."""

import dataclasses
import datetime as dt
import shutil

import duckdb
import polars as pl
import pytest
from hypothesis import settings

from kcb_pipeline.engines.embedded import Limits, connect, create, frame
from kcb_pipeline.gates import SUITES, record
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.previous import base_of, versions
from kcb_pipeline.ledgers.publication import Draft, draft_token, publish
from kcb_pipeline.ledgers.schema import TABLES, create_table_sql, polars_schema

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


DAYS = [dt.date(2026, 11, 18) + dt.timedelta(days=n) for n in range(4)]
"""The nights of an office."""


@dataclasses.dataclass(frozen=True)
class Office:
    """A home whose nights leave drafts of a few rows, each passed by its gates, and publish them."""

    home: Home

    def draft(self, day, tables, *, inputs="i", rules="r", base=None, passed=SUITES):
        """Leave the draft of a date: rows by table, those of the children's facts also as `children`; what a row does not say is missing."""
        found = base or base_of(day, versions(self.home.ledgers, self.home.limits()))
        origin = Draft(day, inputs, rules, found and found.version, found and found.content_digest)
        with self.home.workspace(day).connect() as connection:
            for table in TABLES:
                schema = polars_schema(table.name)
                rows = tables.get(table.name, [])
                assert all(row.keys() <= schema.keys() for row in rows), table.name
                data = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
                create(connection, f"draft.{table.name}", data)
            connection.execute("CREATE OR REPLACE TABLE draft.children AS SELECT * FROM draft.child_facts")
            links = pl.DataFrame(tables.get("links", []), schema={"population_row": pl.Int64, "reason": pl.String})
            create(connection, "draft.links", links)
            kept = pl.DataFrame(
                [dataclasses.asdict(origin)], schema_overrides={"base_version": pl.Int32, "base_digest": pl.String}
            )
            create(connection, "draft.origin", kept)
            for suite in passed:
                record(connection, suite, [], draft_token(origin))
        return origin

    def publish(self, day, **more):
        """Publish the draft of a date, at half past six in the evening and a little."""
        now = dt.datetime.combine(day, dt.time(18, 30, 15, 123456), tzinfo=dt.UTC)
        return publish(self.home, self.home.workspace(day), run_id=f"run-{day}", now=now, **more)

    def ask(self, sql):
        """Rows of the published file, as an outsider with plain DuckDB sees them."""
        with duckdb.connect(str(self.home.ledgers), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def frame(self, sql):
        """The same by column."""
        with connect(self.home.ledgers, self.home.limits(), read_only=True) as connection:
            return frame(connection, sql)

    def copy(self, folder):
        """The same home elsewhere, to break without breaking it for others."""
        shutil.copytree(self.home.folder, folder)
        return Office(Home(folder))


def office_in(folder):
    """An office in a new home, with limits as small as what it publishes."""
    folder.mkdir()
    (folder / "kcb.toml").write_text('[storage]\nmemory_limit = "500MB"\nthreads = 1\n', encoding="utf-8")
    return Office(Home(folder))


@pytest.fixture
def office(tmp_path):
    """An office that has published nothing."""
    return office_in(tmp_path / "home")
