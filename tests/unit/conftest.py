"""What the tests of relational steps share: a working database in memory to put rows into."""

from dataclasses import dataclass

import duckdb
import polars as pl
import pytest

from kcb_pipeline.engines.embedded import Limits, connect, create, frame
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.ledgers.schema import TABLES, polars_schema

_TYPES = {"date": pl.Date, "month": pl.Date, "grade": pl.Int8, "integer": pl.Int32, "flag": pl.Boolean}

DERIVED = {
    "standard.persons": "person:i ref:i population_type row:i is_live:b state folded:i pinyin:i name_key sex birth_date:d id_key:i other_key:i",
    "standard.population_keys": "ref:i row:i is_live:b id_key:i name_key folded:i pinyin:i former_folded:i sex birth_date:d",
    "standard.person_groups": "person:i ref:i",
    "standard.shared_numbers": "ref:i",
    "standard.numbers_before": "person:i former_key:i",
    "standard.numbers_struck_off": "row:i",
    "standard.names_before": "person:i name is_last:b name_key folded:i pinyin:i",
    "previous_identities": "child_id id_number name student_number until_version:i",
    "standard.registry_keys": "row:i is_live:b student_number id_key:i name_key folded:i former_folded:i",
    "standard.children": "person:i child_id how",
    "standard.gone_children": "person:i child_id id_key:i name_key folded:i pinyin:i former_folded:i sex birth_date:d",
    "standard.waiting_before": "source row:i kind code from_date:d to_date:d said_on:d source_row:i",
    "standard.evidence_keys": "source row:i id_key:i second_key:i student_number name_key folded:i pinyin:i sex birth_date:d written_birth:d",
    "standard.students": "student:i row:i is_live:b",
    "matched.links": "person:i student:i decision registry_row:i match_weight:f",
    "matched.further_records": "person:i student:i",
    "status.pupil_rows": "person:i method probability:f registry_row:i is_live:b is_primary:b registry_status grade:i status_date:d enrolled_month:d "
    "student_number school_code school_name school_division_code attendance_mode special_placement left_behind migrant:b disability_type",
    "status.missed_days": "registry_row:i row:i absent_on:d kind leave_from:d leave_to:d",
    "status.attributed": "source row:i person:i rank:i",
    "status.attendance": "person:i registry_row:i student_number school_code record_code present_on:d present_row:i counted_on:d is_absent:b absent_from:d "
    "absent_to:d absent_row:i missed_to:d is_on_long_leave:b leave_from:d leave_to:d leave_said_on:d leave_row:i reported_by is_not_in_headcount:b",
    "status.school_years": "school_year_start:d school_year_end:d",
    "status.sources_tonight": "source",
}
"""Tables that earlier steps leave, with the columns that the steps of the status look at; `:` and a letter where they are no texts."""

_LETTERS = {"": pl.String, "i": pl.Int64, "b": pl.Boolean, "d": pl.Date, "f": pl.Float64}


@dataclass
class Working:
    """A working database: every landed source and every table of an earlier step is there, and empty until it is put."""

    connection: duckdb.DuckDBPyConnection

    def __post_init__(self) -> None:
        for schema in ("landed", "standard", "matched", "status", "draft"):
            self.connection.execute(f"CREATE SCHEMA {schema}")
        self.schemas = {
            f"landed.{source.name}": {"row": pl.Int64, "id_valid": pl.Boolean}
            | {column.name: _TYPES.get(column.type, pl.String) for column in source.columns}
            for source in sources().values()
        }
        self.schemas |= {name: self.schema(columns) for name, columns in DERIVED.items()}
        self.schemas |= {f"previous_{table.name}": polars_schema(table.name) for table in TABLES}
        for name in self.schemas:
            self.put(name)

    @staticmethod
    def schema(columns: str) -> dict[str, type[pl.DataType]]:
        """Columns as `DERIVED` has them, for a table of one test alone."""
        return {name: _LETTERS[kind] for name, _, kind in (column.partition(":") for column in columns.split())}

    def frame(self, rows: list[dict[str, object]], columns: str) -> pl.DataFrame:
        """Rows as a frame of those columns; what a row does not say is missing."""
        schema = self.schema(columns)
        return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)

    def put(self, table: str, *rows: dict[str, object]) -> None:
        """Those rows, and no others; what a row does not say is missing."""
        schema = self.schemas[table]
        assert all(row.keys() <= schema.keys() for row in rows), [row.keys() - schema.keys() for row in rows]
        create(
            self.connection,
            table,
            pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema),
        )

    def all(self, sql: str) -> list[dict[str, object]]:
        """Rows of a query, by column."""
        return frame(self.connection, sql).to_dicts()


@pytest.fixture(scope="session")
def working_database():
    """A working database in memory, which no test leaves anything in."""
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield Working(connection)


@pytest.fixture
def working(working_database):
    """A working database of a night: what a test puts is undone after it."""
    working_database.connection.execute("BEGIN")
    yield working_database
    working_database.connection.execute("ROLLBACK")
