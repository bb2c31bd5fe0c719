"""Connections: each sees its own file only, leaves nothing behind, and lets go of the file at its end."""

import contextlib
import os
import re
import subprocess
import sys
import weakref

import duckdb
import polars as pl
import pytest

from kcb_pipeline import faults
from kcb_pipeline.engines import embedded
from kcb_pipeline.engines.embedded import Limits, built_on_the_right, connect, create_in_pieces, rows

LIMITS = Limits(memory="200MB", threads=1)


def test_one_connection_leaves_nothing_to_the_next(tmp_path):
    with connect(tmp_path / "one.duckdb", LIMITS) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        connection.execute("CREATE TEMP TABLE gone AS SELECT 2 AS number")
        connection.execute("SET VARIABLE said = 'something'")

    with connect(tmp_path / "two.duckdb", LIMITS) as connection:
        with pytest.raises(duckdb.CatalogException):
            connection.execute("FROM kept")
        with pytest.raises(duckdb.CatalogException):
            connection.execute("FROM gone")
        assert connection.execute("SELECT getvariable('said')").fetchall() == [(None,)]
    with connect(tmp_path / "one.duckdb", LIMITS) as connection:
        assert connection.execute("FROM kept").fetchall() == [(1,)]


def test_two_connections_at_a_time_each_have_their_own(tmp_path):
    with connect(tmp_path / "one.duckdb", LIMITS) as one, connect(tmp_path / "two.duckdb", LIMITS) as two:
        one.execute("CREATE TABLE here AS SELECT 1 AS number")
        with pytest.raises(duckdb.CatalogException):
            two.execute("FROM here")


@pytest.mark.parametrize("fails", [False, True])
def test_another_process_may_write_as_soon_as_a_connection_has_ended(tmp_path, fails):
    path = tmp_path / "shared.duckdb"
    with connect(path, LIMITS) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS number")
    try:
        with connect(path, LIMITS) as connection:
            connection.execute("BEGIN")
            connection.execute("INSERT INTO numbers VALUES (2)")  # never committed
            if fails:
                connection.execute("FROM nowhere")
    except duckdb.CatalogException:
        pass

    program = f"import duckdb; duckdb.connect({str(path)!r}).execute('INSERT INTO numbers VALUES (3)')"
    subprocess.run([sys.executable, "-c", program], check=True)

    assert not path.with_name(path.name + ".wal").exists()
    with connect(path, LIMITS, read_only=True) as connection:
        assert connection.execute("SELECT * FROM numbers ORDER BY number").fetchall() == [(1,), (3,)]


def test_what_spilled_is_gone_with_its_connection(tmp_path):
    limits = Limits(memory="40MB", threads=1, temporary=tmp_path / "spill")
    limits.temporary.mkdir()
    with connect(tmp_path / "large.duckdb", limits) as connection:
        connection.execute("CREATE TEMP TABLE large AS SELECT random() AS number FROM range(10_000_000)")
        assert any(limits.temporary.rglob("*"))

    assert not list(limits.temporary.rglob("*"))


def test_few_instances_wait_to_be_used_again(tmp_path):
    for memory in range(200, 220):
        with connect(tmp_path / "one.duckdb", Limits(memory=f"{memory}MB", threads=1)):
            pass

    assert len(embedded._idle) <= 4


def test_a_forked_process_makes_its_own(tmp_path):
    with connect(tmp_path / "one.duckdb", LIMITS) as connection:
        connection.execute("CREATE TABLE numbers AS SELECT 1 AS number")

    child = os.fork()
    if not child:
        with connect(tmp_path / "one.duckdb", LIMITS, read_only=True) as connection:
            found = connection.execute("FROM numbers").fetchall()
        os._exit(0 if found == [(1,)] else 1)

    assert os.waitpid(child, 0)[1] == 0


def test_a_table_is_made_of_pieces_in_their_order_with_no_two_of_them_held(tmp_path):
    alive = []

    def pieces():
        for start in range(0, 50_000, 1000):
            alive.append(sum(piece() is not None for piece in made))
            piece = pl.DataFrame({"number": range(start, start + 1000), "text": ["甲"] * 1000})
            made.append(weakref.ref(piece))
            yield piece

    made: list[weakref.ref] = []
    with connect(tmp_path / "a.duckdb", LIMITS) as connection:
        create_in_pieces(connection, "numbered", pieces())
        found = [number for (number,) in rows(connection, "SELECT number FROM numbered")]

    assert found == list(range(50_000))
    assert max(alive) <= 2


def test_a_table_is_made_of_one_piece_without_rows(tmp_path):
    with connect(tmp_path / "a.duckdb", LIMITS) as connection:
        create_in_pieces(connection, "numbered", iter([pl.DataFrame(schema={"number": pl.Int64})]))

        assert rows(connection, "SELECT * FROM numbered") == []


def test_it_is_known_whether_something_went_by_the_disk(tmp_path):
    """Once for each folder, and of connections that have ended."""
    spills, fits = (Limits(memory="30MB", threads=1, temporary=tmp_path / name) for name in ("spills", "fits"))
    sizes = {spills: 3_000_000, fits: 1_000}
    for limits in sizes:
        limits.temporary.mkdir()
    for limits, size in sizes.items():
        with connect(tmp_path / "data.duckdb", limits) as connection:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE t AS SELECT md5(range::VARCHAR) AS h FROM range({size})")
            connection.execute("SELECT max(h) FROM t")

    assert not embedded.take_spilled(fits.temporary)
    assert embedded.take_spilled(spills.temporary, fits.temporary)
    assert not embedded.take_spilled(spills.temporary)


def test_a_limit_of_our_own_is_told_from_a_machine_without_memory(tmp_path):
    with pytest.raises(duckdb.OutOfMemoryException) as limited, connect(None, Limits(memory="20MB")) as connection:
        connection.execute("CREATE TABLE t AS SELECT md5(range::VARCHAR) AS h FROM range(3000000)")

    assert faults.machine_condition(limited.value) == faults.TOO_LITTLE
    bad = duckdb.OutOfMemoryException("Out of Memory Error: Failed to allocate block of 262144 bytes (bad allocation)")
    assert faults.machine_condition(bad) == faults.NO_MEMORY


def test_what_idle_instances_hold_of_memory_is_given_back(tmp_path):
    program = f"""
from pathlib import Path
from kcb_pipeline.engines.embedded import Limits, close_idle, connect

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

with connect(Path({str(tmp_path / "data.duckdb")!r}), Limits(memory="2GB", threads=1)) as connection:
    connection.execute("CREATE TEMP TABLE t AS SELECT md5(range::VARCHAR) AS h FROM range(4000000)")
held = resident()
close_idle()
print(held - resident())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert int(done.stdout) > 100


def test_a_table_beside_an_empty_one_is_not_taken_for_empty():
    """That DuckDB does so is why `built_on_the_right` is there: when it no longer does, it may go."""
    sql = (
        "EXPLAIN SELECT l.a, n.b, m.b, s.b FROM large l LEFT JOIN nothing n ON n.a = l.a "
        "LEFT JOIN nothing m ON m.a = l.a AND coalesce(n.b <= m.b, true) LEFT JOIN small s ON s.a = l.b WHERE l.is_live"
    )
    with connect(None, LIMITS) as connection:
        connection.execute(
            "CREATE TABLE large AS SELECT range AS a, range // 7 AS b, true AS is_live FROM range(200_000)"
        )
        connection.execute("CREATE TABLE small AS SELECT range AS a, range AS b FROM range(1_000)")
        connection.execute("CREATE TABLE nothing AS SELECT 1::BIGINT AS a, 1 AS b WHERE false")

        def joins():
            return set(re.findall("Join Type: (LEFT|RIGHT)", str(connection.execute(sql).fetchall())))

        assert "RIGHT" in joins()
        with built_on_the_right(connection):
            assert joins() == {"LEFT"}
        with contextlib.suppress(ZeroDivisionError), built_on_the_right(connection):
            raise ZeroDivisionError
        assert "RIGHT" in joins()
