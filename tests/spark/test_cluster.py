"""A night on a real Spark cluster, one of whose machines dies in the middle, against the same night on the embedded engine."""

import datetime as dt
import os
import re
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest

from kcb_pipeline.sample import write_sample
from tests.pipeline.conftest import Home
from tests.pipeline.nights import run_night
from tests.spark.cluster import Cluster, cluster, programs, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

ROOT = Path(__file__).resolve().parents[2]
DATE = dt.date(2026, 11, 18)
WORKING = (
    "standard.population_keys", "standard.registry_keys", "standard.persons", "standard.students", "standard.person_groups",
    "standard.duplicate_persons", "matched.links", "matched.further_records", "matched.blocking", "matched.quality", "matched.model",
    "status.attributed", "status.attendance", "status.evidence", "status.child_statuses",
)  # fmt: skip


@dataclass
class Nights:
    """The same extracts after a night on either engine, and the cluster, which has lost a worker."""

    embedded: Home
    spark: Home
    machines: Cluster
    said: bytes

    def working(self, home: Home, table: str) -> pl.DataFrame:
        with duckdb.connect(str(home.folder / "work" / f"{DATE}.duckdb"), read_only=True) as connection:
            rows = pl.DataFrame(connection.sql(f"FROM {table}").to_arrow_table())
        whole = [name for name, kind in rows.schema.items() if kind.is_integer() or kind.is_decimal()]
        return rows.cast(dict.fromkeys(whole, pl.Int64)).sort(rows.columns, nulls_last=True)


def submit(home: Home) -> dict[str, object]:
    """The worked example of docs/spark.md, run as it stands there; what Dagster then knows of the asset."""
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "spark.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(example, "docs/spark.md", "exec"), names)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dagster's Pipes uses what Dagster deprecates, and what it previews
        patch.setenv("PATH", f"{programs()}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("KCB_HOME", str(home.folder))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        done = dg.materialize(
            [names["standard_keys"]], partition_key=str(DATE), resources={"pipes": dg.PipesSubprocessClient()}
        )
    [event] = done.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.fixture(scope="module")
def nights(tmp_path_factory) -> Nights:
    folder = tmp_path_factory.mktemp("spark")
    embedded = Home(folder / "embedded")
    write_sample(embedded.folder, children=300, seed=7, date=DATE, nights=1)
    spark = embedded.copy(folder / "某县 county's")
    with cluster(folder) as machines:
        (spark.folder / "kcb.toml").write_text(machines.rules(), encoding="utf-8")
        with (folder / "night.out").open("wb") as out:
            night = subprocess.Popen(
                [str(Path(sys.executable).with_name("kcb")), "run", "--date", str(DATE)],
                stdout=out, stderr=out, env={**os.environ, "KCB_HOME": str(spark.folder), "SPARK_LOCAL_IP": "127.0.0.1"},
            )  # fmt: skip
        run_night(embedded.folder, DATE)
        levelled = spark.folder / "work" / str(DATE) / "spark" / "links-candidates.parquet" / "_SUCCESS"
        while night.poll() is None and not levelled.exists():
            time.sleep(0.05)
        machines.kill("second")
        code = night.wait(300)
        said = (folder / "night.out").read_bytes()
        assert code == 0, said.decode(errors="replace")[-3000:]
        yield Nights(embedded, spark, machines, said)


def test_a_worker_died_at_work_and_the_night_went_on(nights):
    events = nights.machines.events()
    lost = next(place for place, event in enumerate(events) if event["Event"] == "SparkListenerExecutorRemoved")
    executor = events[lost]["Executor ID"]
    done = [
        (place, event["Task Info"]["Executor ID"])
        for place, event in enumerate(events)
        if event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "Success"
    ]

    assert any(by == executor for place, by in done if place < lost)
    assert len([by for place, by in done if place > lost]) > 20
    assert executor not in {by for place, by in done if place > lost}


@pytest.mark.parametrize("table", WORKING)
def test_every_row_is_that_of_the_embedded_engine(nights, table):
    want = nights.working(nights.embedded, table)

    assert want.height or table == "matched.further_records"
    assert nights.working(nights.spark, table).equals(want)


def test_links_come_in_the_same_order(nights):
    sql = "SELECT person, student FROM matched.links"
    orders = []
    for home in (nights.embedded, nights.spark):
        with duckdb.connect(str(home.folder / "work" / f"{DATE}.duckdb"), read_only=True) as connection:
            orders.append(connection.execute(sql).fetchall())

    assert orders[0] == orders[1]


def test_the_published_ledgers_are_the_same(nights):
    """Row for row, but for what says when and where a version was made."""
    tables = [name for (name,) in nights.embedded.query("SELECT table_name FROM duckdb_tables() ORDER BY table_name")]
    made = "EXCLUDE (published_at, run_id, content_digest, seal, engine)"
    rows = 0
    for table in tables:
        sql = f"SELECT * {made if table == 'ledger_versions' else ''} FROM {table} ORDER BY ALL"
        want = nights.embedded.query(sql)
        assert nights.spark.query(sql) == want, table
        rows += len(want)

    assert len(tables) > 20
    assert rows > 1000
    assert nights.spark.query("SELECT engine FROM ledger_versions") == [("spark",)]


def test_nothing_that_spark_writes_for_people_names_a_child(nights):
    """Names, numbers, phones and guardians of the county, in event logs, in the logs of every process and on the terminal."""
    people = nights.working(nights.embedded, "landed.population")
    columns = ("id_number", "name", "guardian_name", "guardian_phone", "father_id_number", "address")
    known = {value for column in columns for value in people[column].drop_nulls().to_list() if len(value) > 2}
    told = (nights.machines.told() + nights.said).decode(errors="replace")
    written = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match.group(1), 16)), told)

    assert len(known) > 1000
    assert "SparkListenerSQLExecutionStart" in written
    found = pl.Series([written, f"…{min(known)}…"]).str.extract_many(sorted(known)).to_list()
    assert found == [[], [min(known)]]


@pytest.fixture(scope="module")
def crashed(nights) -> subprocess.CompletedProcess[str]:
    """A kernel that fails on the same cluster."""
    return subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crash.py")), str(nights.spark.folder)],
        capture_output=True, text=True, check=False, env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
    )  # fmt: skip


def test_a_kernel_that_fails_quotes_nothing_anywhere(nights, crashed):
    """Neither its message, nor what a panic writes past Python, is in what the driver, the executors or the event log say."""
    told = nights.machines.told().decode(errors="replace") + crashed.stdout + crashed.stderr

    assert crashed.returncode == 1
    assert "KernelError: ValueError at" in crashed.stderr
    assert "KernelError: ValueError at" in told.replace(crashed.stderr, "")
    assert "鄢龘靐" not in told
    assert "\\u9f98" not in told


def test_a_stage_submitted_through_pipes_tells_dagster_its_numbers(nights):
    submitted = submit(nights.spark)
    rows = nights.working(nights.embedded, "standard.population_keys").height

    assert submitted["population_rows"] == rows
    assert submitted["registry_rows"] == nights.working(nights.embedded, "standard.registry_keys").height


def test_working_tables_of_the_cluster_are_gone_after_their_stage(nights):
    files = nights.spark.folder / "work" / str(DATE)

    open_to_others = [path for path in files.rglob("*") if path.stat().st_mode & 0o077]

    assert not (files / "spark").exists()
    assert open_to_others == []
    assert list((files / "matched").glob("links-spark.parquet/*.parquet"))
