"""Working tables change hands: what one engine left gives way to what another makes of it, whatever kind of thing it was."""

import datetime as dt

import polars as pl
import pytest

from kcb_pipeline.engines.embedded import Limits, create, rows
from kcb_pipeline.engines.sql import query, steps_on
from kcb_pipeline.engines.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, dt.date(2026, 11, 18), Limits(memory="500MB", threads=1))


def _part(workspace, token, values):
    folder = workspace.parquet("matched", "links", token)
    folder.mkdir(parents=True)
    for number, value in enumerate(values):
        pl.DataFrame({"person": [value]}).write_parquet(folder / f"part-{number}.parquet")


def test_a_folder_of_parquet_replaces_a_table_and_a_table_the_folder(workspace):
    with workspace.connect() as connection:
        create(connection, "matched.links", pl.DataFrame({"person": [1]}))
        _part(workspace, "spark", [2, 3])
        workspace.show(connection, "matched", "links", "spark")
        shown = rows(connection, "SELECT person FROM matched.links ORDER BY person")
        create(connection, "matched.links", pl.DataFrame({"person": [4]}))
        made = rows(connection, "SELECT person FROM matched.links")

    assert shown == [(2,), (3,)]
    assert made == [(4,)]


def test_an_earlier_generation_goes_be_it_a_file_or_a_folder(workspace):
    with workspace.connect() as connection:
        _part(workspace, "spark", [2, 3])
        file = workspace.parquet("matched", "links", "current")
        pl.DataFrame({"person": [5]}).write_parquet(file)
        workspace.show(connection, "matched", "links", "current")

        assert rows(connection, "SELECT person FROM matched.links") == [(5,)]
        assert list(file.parent.iterdir()) == [file]


def test_statements_go_to_the_engine_that_was_named_and_to_no_other_afterwards(workspace):
    class Elsewhere:
        def rows(self, connection, sql, parameters, beside):
            return pl.DataFrame({"said": [f"{sql} {dict(parameters)} {list(beside)}"]})

    asked = ("SELECT count(*) AS n FROM wanted", None)
    wanted = {"wanted": pl.DataFrame({"ref": [1, 2]})}
    with workspace.connect() as connection:
        with steps_on(Elsewhere()):
            there = query(connection, *asked, beside=wanted)
        here = query(connection, *asked, beside=wanted)

    assert there["said"].to_list() == ["SELECT count(*) AS n FROM wanted {} ['wanted']"]
    assert here["n"].to_list() == [2]
