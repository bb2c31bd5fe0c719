"""`kcb verify` finds whatever was changed after publication: any cell, row, view, version or file."""

import json
import shutil

import duckdb
import pytest

from kcb_pipeline.analytics.seal import faults_of as seal_faults
from kcb_pipeline.analytics.views import documented
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import verify
from kcb_pipeline.ledgers.manifest import verify_folders
from kcb_pipeline.ledgers.schema import TABLES

ANOTHER = {"INTEGER": "7654321", "BIGINT": "7654321", "DOUBLE": "0.123", "BOOLEAN": "NOT coalesce({0}, false)", "DATE": "DATE '1999-01-02'"}  # fmt: skip


@pytest.fixture(scope="module")
def opened(three_nights, tmp_path_factory):
    """The published file of three nights, open for changes that are taken back, with its home."""
    home = three_nights.copy(tmp_path_factory.mktemp("tampered") / "home")
    with duckdb.connect(str(home.ledgers)) as connection:
        yield connection, Home(home.folder)


def found(connection, home, change):
    """What verification finds after one change, which is taken back; with a home, also what it finds in its folders."""
    connection.execute("BEGIN")
    try:
        connection.execute(change).fetchall()
        return verify(connection)[1] or (verify_folders(connection, home) if home else [])
    finally:
        connection.execute("ROLLBACK")


def test_nothing_is_found_where_nothing_was_changed(opened):
    assert found(*opened, "SELECT 1") == []


@pytest.mark.parametrize("table", [*(t.stored_as for t in TABLES), "links", "ledger_versions"])
def test_one_changed_cell_of_any_table_is_found(opened, table):
    connection, home = opened
    columns = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [table]
    ).fetchall()
    [(row,)] = connection.execute(f"SELECT min(rowid) FROM {table}").fetchall()
    if row is None:
        values = ", ".join("1" if name in ("version", "valid_from_version") else "NULL" for name, _ in columns)
        change = f"INSERT INTO {table} VALUES ({values})"
    else:
        name, kind = columns[len(columns) // 2]
        another = ANOTHER.get(kind, "coalesce({0}::VARCHAR, '') || chr(30)" if kind == "VARCHAR" else "NULL")
        change = f'UPDATE {table} SET "{name}" = {another.format(chr(34) + name + chr(34))} WHERE rowid = {row}'

    assert found(connection, home if table == "links" else None, change), change


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE child_facts_history SET valid_to_version = 99 WHERE rowid = (SELECT min(rowid) FROM child_facts_history WHERE valid_to_version IS NULL)",
        "UPDATE child_facts_history SET valid_from_version = 0 WHERE rowid = (SELECT min(rowid) FROM child_facts_history WHERE valid_from_version = 1)",
        "INSERT INTO statistics BY NAME (SELECT * REPLACE (99 AS version) FROM statistics LIMIT 1)",
        "CREATE OR REPLACE VIEW dropouts AS SELECT * FROM dropouts_history WHERE false",
        "DROP VIEW dropouts",
        "CREATE OR REPLACE MACRO version_on(day) AS (1)",
        "CREATE TABLE notes (text VARCHAR)",
        "DELETE FROM ledger_versions WHERE version = 3",
        "DELETE FROM ledger_versions WHERE version = 1",
    ],
)
def test_what_no_digest_of_a_version_covers_is_found(opened, change):
    assert found(*opened, change)


def test_a_last_version_taken_away_whole_is_found_by_its_folder(three_nights, first_night, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    shutil.copy(first_night.ledgers, home.ledgers)

    said = home.kcb("verify", code=6).stderr

    assert "version 3: its folder is there, but ledgers.duckdb does not hold it" in said


def test_a_swapped_file_of_a_version_is_found(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    folder = home.folder / "published" / "versions"
    (folder / "000001" / "report.html").write_text("nothing to see", encoding="utf-8")
    (folder / "000002" / "data_docs" / "index.html").unlink()
    shutil.rmtree(folder / "000002" / "worklists")  # as retention does: no fault
    (folder / "000003" / "another.xlsx").write_bytes(b"x")
    manifest = folder / "000003" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text(encoding="utf-8")) | {"dropouts": 12345}), encoding="utf-8")  # fmt: skip

    said = home.kcb("verify", code=6).stderr

    assert "version 1: 1 file(s) in versions/000001 are not as they were made" in said
    assert "version 2: 1 file(s) in versions/000002 are gone" in said
    assert "version 3: 1 file(s) in versions/000003 were put there" in said
    assert "manifest.json says another dropouts than ledgers.duckdb" in said
    assert "5 fault(s)" not in said
    assert "4 fault(s)" in said


def test_what_is_made_again_is_listed_again(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    home.kcb("export", "worklists", "--version", "2")
    home.kcb("report", "--version", "1")

    home.kcb("verify")


@pytest.fixture(scope="module")
def analysts(three_nights, tmp_path_factory):
    """The analysts' file of three nights, open for changes that are taken back, with what verification finds in it."""
    path = tmp_path_factory.mktemp("analysts") / "a copy.duckdb"  # whoever was given it calls it what they like
    shutil.copy(three_nights.folder / "published" / "analytics.duckdb", path)

    def found(change):
        saved = path.read_bytes()
        with duckdb.connect(str(path)) as connection:
            connection.execute(change)
        try:
            with (
                duckdb.connect(str(three_nights.ledgers), read_only=True) as ledgers,
                duckdb.connect(str(path), read_only=True) as connection,
            ):
                return list(seal_faults(connection, ledgers))
        finally:
            path.write_bytes(saved)

    return found


def test_nothing_is_found_in_an_analysts_file_that_was_not_changed(analysts):
    assert analysts("SELECT 1") == []


@pytest.mark.parametrize("table", [name for name in documented() if name != "seal"])
def test_one_changed_cell_of_any_table_of_analysts_is_found(analysts, three_nights, table):
    columns = documented()[table][1]
    column = columns[len(columns) // 2]
    another = ANOTHER.get(column.type, f"coalesce(\"{column.name}\", '') || '?'").format(f'"{column.name}"')
    with duckdb.connect(str(three_nights.folder / "published" / "analytics.duckdb"), read_only=True) as connection:
        [(row,)] = connection.execute(f"SELECT min(rowid) FROM {table}").fetchall()
    change = (
        f'INSERT INTO {table} ("{column.name}") VALUES (NULL)' if row is None
        else f'UPDATE {table} SET "{column.name}" = {another} WHERE rowid = {row}'
    )  # fmt: skip

    assert [what for what in analysts(change) if "was changed" in what], change


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM child_statuses_history WHERE rowid = (SELECT min(rowid) FROM child_statuses_history)",
        "INSERT INTO children SELECT * FROM children LIMIT 1",
        "CREATE OR REPLACE VIEW dropouts AS SELECT * FROM school_age_children WHERE false",
        "CREATE OR REPLACE MACRO publishable(n) AS n",
        "CREATE TABLE notes (text VARCHAR)",
        "ALTER TABLE children DROP COLUMN sex",
        "DELETE FROM seal",
        "UPDATE seal SET digest = repeat('0', 64)",
        "INSERT INTO seal SELECT * FROM seal",
    ],
)
def test_what_else_is_changed_of_an_analysts_file_is_found(analysts, change):
    assert [what for what in analysts(change) if "was changed" in what]


def test_a_changed_cell_of_analysts_is_said_by_verify(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    path = home.folder / "published" / "analytics.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "UPDATE child_statuses_history SET status = 'enrolled' WHERE rowid = (SELECT min(rowid) FROM child_statuses_history WHERE status <> 'enrolled')"
        )

    assert "analytics.duckdb is not what was published" in home.kcb("verify", code=6).stderr

    path.write_bytes(b"noise" * 1000)
    assert "analytics.duckdb is damaged, or none of ours" in home.kcb("verify", code=6).stderr


def test_a_removed_folder_is_found_and_a_file_of_analysts_from_elsewhere(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    shutil.rmtree(home.folder / "published" / "versions" / "000002")
    with duckdb.connect(str(home.folder / "published" / "analytics.duckdb")) as connection:
        connection.execute("UPDATE about SET content_digest = repeat('0', 64)")

    said = home.kcb("verify", code=6).stderr

    assert "version 2: its folder versions/000002 is gone" in said
    assert "analytics.duckdb was made from no version that there is" in said
