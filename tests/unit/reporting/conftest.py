"""A published file small enough to be written down: what the papers are made from."""

import datetime as dt
import io

import openpyxl
import pytest

from kcb_pipeline.engines.embedded import Limits, connect
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS, create_table_sql, table
from kcb_pipeline.ledgers.views import create_views

DAY = dt.date(2026, 11, 20)


class Ledgers:
    """Version 1, filled row by row."""

    def __init__(self, connection):
        self.connection = connection
        fields = ", ".join(f'"{field.name}" {field.type}' for field in VERSION_FIELDS)
        connection.execute(f"CREATE TABLE ledger_versions ({fields})")
        for found in TABLES:
            connection.execute(create_table_sql(found))
        connection.execute("CREATE TABLE links (version INTEGER)")
        create_views(connection, 1)
        connection.execute("INSERT INTO ledger_versions (version, comparison_date) VALUES (1, ?)", [DAY])
        self._children = 0

    def add(self, name, /, **cells):
        """One row of a table, standing in version 1."""
        found = table(name)
        cells |= {"valid_from_version": 1} if found.keeping == "history" else {"version": 1}
        names = ", ".join(f'"{column}"' for column in cells)
        marks = ", ".join("?" for _ in cells)
        self.connection.execute(f"INSERT INTO {found.stored_as} ({names}) VALUES ({marks})", list(cells.values()))

    def child(self, status="enrolled", *, township="532901101", town="幸福镇", **cells):
        """A child; its number."""
        self._children += 1
        child_id = f"C{self._children:04d}"
        facts = {
            "name": f"孩{self._children}",
            "sex": "1",
            "birth_date": dt.date(2016, 3, 12),
            "population_type": "registered",
        }
        place = {"division_code": township[:6], "township_code": township, "township_name": town}
        self.add("child_facts", child_id=child_id, status=status, **(facts | place | cells))
        self.add("child_rows", child_id=child_id)
        return child_id

    def case(
        self, child_id, *, state="suspected", due=DAY + dt.timedelta(days=9), evidence="未找到任何学籍记录", **cells
    ):
        """The case of a child, with the event that opened it."""
        case_id = "A" + child_id[1:]
        self.add(
            "cases", case_id=case_id, child_id=child_id, state=state, reason="no_record", severity=2, opened_on=DAY, due_on=due,
            visits=0, reopened=0, **cells,
        )  # fmt: skip
        self.add(
            "case_events", case_id=case_id, sequence=1, event="opened", to_state="suspected", evidence=evidence, source="s",
            version=1, occurred_on=DAY,
        )  # fmt: skip
        return case_id


@pytest.fixture
def ledgers():
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        yield Ledgers(connection)


@pytest.fixture
def opened():
    """Opens a paper's workbook as another program does."""
    return lambda paper: openpyxl.load_workbook(io.BytesIO(paper.content))
