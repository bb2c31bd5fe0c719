"""The digest chain: a version's digest depends on what it says and on nothing else, and one changed cell is found."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcb_pipeline.engines.embedded import Limits, connect, create, insert, rows, scalar
from kcb_pipeline.ledgers.digest import UNSEALED, _table_digest, content_digest, rows_digest, seal, verify
from kcb_pipeline.ledgers.schema import TABLES, VERSION_FIELDS, create_table_sql, table

HEADER = {"version": 1, "comparison_date": dt.date(2026, 11, 20), "previous_digest": None, "eligible": 2}

VALUES = {
    "VARCHAR": ("甲", "乙"),
    "INTEGER": (1, 2),
    "BIGINT": (1, 2),
    "DOUBLE": (0.25, 0.5),
    "BOOLEAN": (True, False),
    "DATE": (dt.date(2026, 11, 20), dt.date(2026, 11, 21)),
}


def row_of(found, nth=0, *, first=1, last=None, **changes):
    """A made-up row of a published table; rows of different numbers have different keys."""
    cells = {field.name: VALUES[field.type][0] for field in found.fields}
    for name in found.key:
        if isinstance(cells[name], str):
            cells[name] = f"K{nth}"
        elif isinstance(cells[name], int):
            cells[name] = nth + 1
    keeping = (
        {"valid_from_version": first, "valid_to_version": last} if found.keeping == "history" else {"version": first}
    )
    return cells | changes | keeping


def fill(connection, name, *records):
    """Put rows into a published table, in that order."""
    names = list(records[0])
    columns = ", ".join(f'"{column}"' for column in names)
    connection.executemany(
        f"INSERT INTO {table(name).stored_as} ({columns}) VALUES ({', '.join('?' for _ in names)})",
        [[record[column] for column in names] for record in records],
    )


def digest(connection, version=1, header=HEADER):
    return content_digest(connection, version, header)


def test_a_digest_is_sha_256_in_hexadecimal(ledgers):
    assert len(digest(ledgers)) == 64
    assert set(digest(ledgers)) <= set("0123456789abcdef")


@pytest.mark.parametrize("name", [found.name for found in TABLES])
def test_the_digest_does_not_depend_on_the_order_of_the_rows(ledgers, name):
    found = table(name)
    records = [row_of(found, nth) for nth in range(4)]
    fill(ledgers, name, *records)
    first = _table_digest(ledgers, found, 1)

    ledgers.execute(f"DELETE FROM {found.stored_as}")
    fill(ledgers, name, *records[::-1])

    assert _table_digest(ledgers, found, 1) == first


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(40)))
def test_no_order_of_many_rows_matters(ledgers, order):
    found = table("cases")
    names = [*found.columns, "valid_from_version", "valid_to_version"]
    schema = {
        name: {"VARCHAR": pl.String, "INTEGER": pl.Int32, "DATE": pl.Date}[kind]
        for name, kind in [
            *((f.name, f.type) for f in found.fields),
            ("valid_from_version", "INTEGER"),
            ("valid_to_version", "INTEGER"),
        ]
    }
    records = [row_of(found, nth) for nth in range(40)]
    digests = set()
    for places in (range(40), order):
        ledgers.execute("DELETE FROM cases_history")
        insert(
            ledgers, "cases_history", pl.DataFrame([{n: records[p][n] for n in names} for p in places], schema=schema)
        )
        digests.add(_table_digest(ledgers, found, 1))

    assert len(digests) == 1


def test_nor_does_it_among_rows_of_one_bucket(ledgers):
    """There are 4,096 buckets of row digests: of twenty thousand rows some share one."""
    digests = set()
    for order in ("ASC", "DESC"):
        ledgers.execute(
            f"CREATE OR REPLACE TABLE many AS SELECT n::VARCHAR AS n FROM range(20000) r(n) ORDER BY n {order}"
        )
        digests.add(rows_digest(ledgers, "many", ["n"], "true"))

    assert len(digests) == 1


@pytest.mark.parametrize("name", [found.name for found in TABLES])
def test_one_changed_cell_changes_the_digest_of_its_table(ledgers, name):
    found = table(name)
    record = row_of(found, 0)
    fill(ledgers, name, record)
    before = _table_digest(ledgers, found, 1)
    unseen = []
    for column, kind in ((field.name, field.type) for field in found.fields):
        first, other = VALUES[kind]
        change = f'UPDATE {found.stored_as} SET "{column}" = ?'
        ledgers.execute(change, [other if record[column] == first else first])
        if _table_digest(ledgers, found, 1) == before:
            unseen.append(column)
        ledgers.execute(change, [record[column]])

    assert unseen == []
    assert _table_digest(ledgers, found, 1) == before


def test_the_digest_of_a_version_covers_every_table(ledgers):
    seen = [digest(ledgers)]
    for found in TABLES:
        fill(ledgers, found.name, row_of(found))
        seen.append(digest(ledgers))

    assert len(set(seen)) == 1 + len(TABLES)


def test_a_missing_cell_an_empty_text_and_a_blank_are_three_things(ledgers):
    found = table("child_facts")
    digests = set()
    for value in (None, "", " ", "None", "NULL", "\x1e", "\x1e\x1e"):
        ledgers.execute("DELETE FROM child_facts_history")
        fill(ledgers, "child_facts", row_of(found, name=value))
        digests.add(_table_digest(ledgers, found, 1))

    assert len(digests) == 7


def test_text_cannot_move_from_a_cell_to_its_neighbour(ledgers):
    found = table("child_facts")
    digests = set()
    for number, name in (("甲乙", "丙"), ("甲", "乙丙"), ("甲乙丙", ""), ("", "甲乙丙")):
        ledgers.execute("DELETE FROM child_facts_history")
        fill(ledgers, "child_facts", row_of(found, id_number=number, name=name))
        digests.add(_table_digest(ledgers, found, 1))

    assert len(digests) == 4


@pytest.mark.parametrize("name", [found.name for found in TABLES])
def test_a_row_more_or_twice_changes_the_digest(ledgers, name):
    found = table(name)
    seen = [_table_digest(ledgers, found, 1)]
    for record in (row_of(found, 0), row_of(found, 0), row_of(found, 1)):
        fill(ledgers, name, record)
        seen.append(_table_digest(ledgers, found, 1))

    assert len(set(seen)) == 4


def test_the_same_row_in_another_table_is_another_content(ledgers):
    record = row_of(table("suspected_dropouts"))
    fill(ledgers, "suspected_dropouts", record)
    first = digest(ledgers)
    ledgers.execute("DELETE FROM suspected_dropouts_stored")
    fill(ledgers, "dropouts", record)

    assert digest(ledgers) != first


def test_a_version_says_only_the_rows_that_stand_in_it(ledgers):
    facts, results = table("child_facts"), table("check_results")
    fill(ledgers, "child_facts", row_of(facts, 0))
    fill(ledgers, "check_results", row_of(results, 0))
    before = digest(ledgers, version=1)

    fill(ledgers, "child_facts", row_of(facts, 1, first=2), row_of(facts, 2, first=2, last=3))
    fill(ledgers, "check_results", row_of(results, 0, first=2))

    assert digest(ledgers, version=1) == before
    assert len({digest(ledgers, version=version) for version in (1, 2, 3)}) == 3


def test_a_row_that_ends_with_a_version_no_longer_stands_in_it(ledgers):
    facts = table("child_facts")
    fill(ledgers, "child_facts", row_of(facts, 0), row_of(facts, 1, last=2))
    first = digest(ledgers, version=1)
    second = digest(ledgers, version=2)
    ledgers.execute("DELETE FROM child_facts_history WHERE valid_to_version = 2")

    assert digest(ledgers, version=1) != first
    assert digest(ledgers, version=2) == second


@pytest.mark.parametrize(
    "change",
    [{"eligible": 3}, {"previous_digest": "0" * 64}, {"comparison_date": dt.date(2026, 11, 21)}, {"version": 2}],
)
def test_the_digest_covers_the_header_and_through_it_the_version_before(ledgers, change):
    assert digest(ledgers, header=HEADER | change) != digest(ledgers)


def test_the_order_of_the_header_does_not_matter(ledgers):
    assert digest(ledgers, header=dict(reversed(HEADER.items()))) == digest(ledgers)


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), max_size=6)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=st.tuples(st.one_of(st.none(), TEXT), TEXT), b=st.tuples(st.one_of(st.none(), TEXT), TEXT))
def test_different_texts_have_different_digests(ledgers, a, b):
    digests = []
    for number, name in (a, b):
        ledgers.execute("DELETE FROM registry_only_history")
        fill(ledgers, "registry_only", row_of(table("registry_only"), student_number=number, school_code=name))
        digests.append(_table_digest(ledgers, table("registry_only"), 1))

    assert (digests[0] == digests[1]) == (a == b)


# -- the chain -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published():
    """Three published versions, sealed as publication seals them: each carries the digest of the one before."""
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        for found in TABLES:
            connection.execute(create_table_sql(found))
        publish_three(connection)
        yield connection


@pytest.fixture
def chain(published):
    """The published versions, for a test to change: it is undone after it."""
    published.execute("BEGIN")
    yield published
    published.execute("ROLLBACK")


def publish_three(ledgers):
    facts = table("child_facts")
    fill(
        ledgers,
        "child_facts",
        row_of(facts, 0, last=2),
        row_of(facts, 0, first=2, name="乙"),
        row_of(facts, 1, last=3),
        row_of(facts, 2),
    )
    before = None
    versions = []
    for number in (1, 2, 3):
        row = {
            "version": number, "comparison_date": dt.date(2026, 11, 17 + number), "published_at": dt.datetime.fromisoformat(f"2026-11-{18 + number}T18:30:00"),
            "run_id": f"run-{number}", "code_version": "0.1.0", "rules_digest": "r", "inputs_digest": f"i{number}", "previous_digest": before,
            "eligible": 2, "enrolled": 1, "suspected": 1, "dropouts": 0, "review": 0, "engine": "duckdb",
            "base_version": number - 1 or None,
        }  # fmt: skip
        header = {field.name: row[field.name] for field in VERSION_FIELDS if field.name not in UNSEALED}
        before = row["content_digest"] = content_digest(ledgers, number, header)
        row["seal"] = seal({field.name: row[field.name] for field in VERSION_FIELDS if field.name != "seal"})
        versions.append(row)
    create(
        ledgers,
        "main.ledger_versions",
        pl.DataFrame(versions).with_columns(pl.col("version", "base_version").cast(pl.Int32)),
    )


def test_a_chain_that_nobody_touched_is_whole(chain):
    assert verify(chain) == (3, [])


@pytest.mark.parametrize(
    ("change", "version"),
    [
        ("UPDATE child_facts_history SET name = '丙' WHERE valid_from_version = 2", 2),
        ("DELETE FROM child_facts_history WHERE child_id = 'K2'", 1),
        ("INSERT INTO check_results SELECT 3, 'x', 'error', true, '1', '1', ''", 3),
        ("UPDATE ledger_versions SET eligible = 3 WHERE version = 2", 2),
        ("UPDATE ledger_versions SET run_id = 'another' WHERE version = 2", 2),
        ("UPDATE ledger_versions SET published_at = published_at + INTERVAL 1 DAY WHERE version = 3", 3),
        ("UPDATE ledger_versions SET content_digest = repeat('0', 64) WHERE version = 1", 1),
        ("UPDATE ledger_versions SET previous_digest = repeat('0', 64) WHERE version = 3", 3),
        ("UPDATE ledger_versions SET inputs_digest = 'i9' WHERE version = 1", 1),
    ],
    ids=[
        "a cell",
        "a row gone",
        "a row more",
        "a count",
        "the run",
        "the time",
        "a digest",
        "the chain",
        "what it was made from",
    ],
)
def test_whatever_was_changed_is_found_and_the_version_is_named(chain, change, version):
    chain.execute(change)

    _, faults = verify(chain)

    assert version in {fault.version for fault in faults}


def test_a_missing_version_is_found(chain):
    chain.execute("DELETE FROM ledger_versions WHERE version = 2")

    count, faults = verify(chain)

    assert count == 2
    assert faults


def test_a_history_rewritten_with_its_own_digest_is_found_by_the_version_after(chain):
    """A row that stood in the first version alone: nothing but the chain can tell."""
    chain.execute("UPDATE child_facts_history SET name = '丙' WHERE valid_to_version = 2")
    names = [field.name for field in VERSION_FIELDS]
    [values] = rows(chain, f"SELECT {', '.join(names)} FROM ledger_versions WHERE version = 1")
    row = dict(zip(names, values, strict=True))
    row["content_digest"] = content_digest(
        chain, 1, {name: value for name, value in row.items() if name not in UNSEALED}
    )
    row["seal"] = seal({name: value for name, value in row.items() if name != "seal"})
    chain.execute(
        "UPDATE ledger_versions SET content_digest = ?, seal = ? WHERE version = 1",
        [row["content_digest"], row["seal"]],
    )

    _, faults = verify(chain)

    assert [fault.version for fault in faults] == [2]


@pytest.mark.parametrize(
    ("first", "last"), [("2", "2"), ("3", "2"), ("0", "1"), ("4", "NULL"), ("1", "9"), ("NULL", "NULL")]
)
def test_a_row_that_stands_in_no_version_there_is_is_found(chain, first, last):
    chain.execute(
        f"INSERT INTO child_facts_history (child_id, valid_from_version, valid_to_version) VALUES ('K9', {first}, {last})"
    )

    _, faults = verify(chain)

    assert [fault.what for fault in faults if fault.version is None] == [
        "1 row(s) of child_facts_history stand in no version that there is"
    ]


@pytest.mark.parametrize("version", ["0", "4", "NULL"])
def test_so_is_a_row_of_a_version_there_is_not(chain, version):
    chain.execute(f"INSERT INTO check_results (version, name) VALUES ({version}, 'x')")

    _, faults = verify(chain)

    assert [fault.version for fault in faults] == [None]


def test_faults_name_no_value(chain):
    chain.execute("UPDATE child_facts_history SET name = '某某某'")

    _, faults = verify(chain)

    assert faults
    assert not any("某某某" in fault.what for fault in faults)
    assert scalar(chain, "SELECT count(*) FROM ledger_versions") == 3
