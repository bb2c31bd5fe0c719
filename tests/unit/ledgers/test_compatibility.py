"""A file of another schema is refused with what differs, who wrote it and what to do."""

import pytest

from kcb_pipeline.engines.embedded import Limits, connect
from kcb_pipeline.errors import SchemaError
from kcb_pipeline.ledgers.previous import versions
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS, create_table_sql

LIMITS = Limits(threads=1)


@pytest.fixture
def published(tmp_path):
    """Make a published file of this schema, changed by a statement."""

    def make(change=""):
        path = tmp_path / "ledgers.duckdb"
        with connect(path, LIMITS) as connection:
            for table in TABLES:
                connection.execute(create_table_sql(table))
            columns = ", ".join(f"{field.name} {field.type}" for field in VERSION_FIELDS)
            connection.execute(f"CREATE TABLE ledger_versions ({columns})")
            connection.execute("INSERT INTO ledger_versions (version, code_version) VALUES (1, '0.0.8'), (2, '0.0.9')")
            connection.execute(change)
        return path

    return make


def test_our_own_schema_is_read(published):
    assert [found.version for found in versions(published(), LIMITS)] == [1, 2]


def test_tables_of_others_and_of_a_day_do_not_matter(published):
    assert versions(published("CREATE TABLE links (version INTEGER, w_new DOUBLE); CREATE TABLE theirs (a INTEGER)"), LIMITS)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE cases_history DROP reopened", "it has no cases_history.reopened"),
        ("ALTER TABLE cases_history ADD older VARCHAR", "it has cases_history.older"),
        ("ALTER TABLE cases_history ALTER visits TYPE VARCHAR", "its cases_history.visits is VARCHAR"),
        ("ALTER TABLE ledger_versions DROP seal", "it has no ledger_versions.seal"),
        ("DROP TABLE linkage_quality", r"it has no linkage_quality\.\w+.* and \d+ more"),
    ],
)
def test_another_schema_is_refused_with_what_differs_and_what_to_do(published, change, told):
    with pytest.raises(SchemaError, match=rf"published by kcb 0\.0\.9 .*{told}.*docs/operations/upgrade\.md"):
        versions(published(change), LIMITS)


def test_a_file_of_nobody_knows_when_is_refused_too(published):
    with pytest.raises(SchemaError, match="published by kcb of unknown version"):
        versions(published("ALTER TABLE ledger_versions DROP code_version"), LIMITS)
