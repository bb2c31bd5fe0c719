"""What a province's night is held against: DuckDB reads every row of the same files, and goals are told in words."""

import datetime as dt

import duckdb
import pytest

from benchmarks.measure import Cost
from benchmarks.province import Province, write
from benchmarks.province_night import Night, against_goals, bring_to_utf8, delivery_of, read_raw

DATE = dt.date(2026, 11, 18)
CHILDREN = 600


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_duckdb_alone_reads_every_source_whole(tmp_path, kind):
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    write(Province(home, CHILDREN, DATE, kind))
    bring_to_utf8(delivery_of(home), work)

    read_raw(home, work, "500MB")

    rows = {path.stem: duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall()[0][0] for path in work.glob("*.parquet")}
    assert set(rows) == set(delivery_of(home).files)
    assert rows["population"] == pytest.approx(1.2 * CHILDREN, rel=0.1)
    assert rows["student_registry"] > 0.6 * CHILDREN
    names = duckdb.sql(f"SELECT * FROM '{work}/population.parquet' LIMIT 50").fetchall()
    assert any("\u4e00" <= str(cell)[:1] <= "\u9fff" for row in names for cell in row)


def night(children, wall, *, gib=1.0, raw=10.0):
    return Night(
        children, "csv", "6GB", "2026-11-18", 1, 1.0, 0.0, Cost(wall, wall, int(gib * 2**30)), Cost(raw, raw, 1)
    )


def test_what_is_short_of_its_goal_says_by_how_much():
    said = against_goals([night(100_000, 30.0), night(10_000_000, 720.0, gib=9.0, raw=60.0)])

    assert "10,000,000 children, csv, 6GB: 720 s, goal 360 s: short of it by a factor of 2.0." in said
    assert "10,000,000 children, csv, 6GB: 12.0 times DuckDB alone, goal 3: short of it by a factor of 4.0." in said
    assert "10,000,000 children, csv, 6GB: peak memory 9.0 GiB, goal 8: short of it by a factor of 1.1." in said
    assert "100,000 children, csv, 6GB: 3.0 times DuckDB alone, goal 3: held." in said
    assert any("time grows as n^0.69" in line and line.endswith("held.") for line in said)
