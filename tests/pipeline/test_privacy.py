"""Personal data stays home: a county of canaries, a whole night, nights that fail and crash, and a search through all they left."""

import base64
import datetime as dt
import gzip
import io
import itertools
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import traceback
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from checks.suites import run_suite
from kcb_pipeline import cli, explanation
from kcb_pipeline.config import Config
from kcb_pipeline.errors import InternalError
from kcb_pipeline.faults import quoting_nothing
from kcb_pipeline.gates import ALL_SUITES
from kcb_pipeline.home import Home
from kcb_pipeline.night import Night
from kcb_pipeline.orchestration.definitions import NIGHT, build_definitions
from kcb_pipeline.orchestration.run import instance_of
from tests.pipeline import canaries

DATE = dt.date(2026, 11, 19)
WHO = canaries.canary(0)


@dataclass
class Place:
    """A home, and everything else a process can write to, each a folder of its own: whatever is left there is seen."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def private(self) -> tuple[Path, ...]:
        """Where identities may be."""
        versions = sorted((self.home / "published" / "versions").glob("*"))
        return (
            self.home / "extracts", self.home / "work", self.home / "reviews", self.home / "published" / "ledgers.duckdb",
            *(folder / name for folder in versions for name in ("worklists", "更正建议.xlsx", "待补正.xlsx")),
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        folders = {"TMPDIR": "tmp", "HOME": "user", "XDG_CACHE_HOME": "user/cache", "XDG_CONFIG_HOME": "user/config"}
        for folder in {"cwd", *folders.values()}:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("DAGSTER")},
            **{name: str(self.root / folder) for name, folder in folders.items()},
            "KCB_HOME": str(self.home),
            "KCB_DAGSTER_STATE": str(self.home / "dagster"),
        }

    def run(self, *command: str, code: int) -> None:
        """Run a program of the environment with umask 000; what it says is kept beside what it leaves."""
        said = len(list(self.root.glob("*.stdout")))
        with (self.root / f"{said}.stdout").open("wb") as out, (self.root / f"{said}.stderr").open("wb") as err:
            done = subprocess.run(
                [str(Path(sys.executable).with_name(command[0])), *command[1:]],
                stdout=out, stderr=err, cwd=self.root / "cwd", env=self.environment(), umask=0, check=False,
            )  # fmt: skip
        assert done.returncode == code, (self.root / f"{said}.stderr").read_text(encoding="utf-8")[-3000:]

    def leaks(self) -> dict[str, list[str]]:
        return canaries.found(self.root, except_for=self.private)


@pytest.fixture(scope="module")
def whole_night(tmp_path_factory):
    """A night of the canary county as `kcb run` leaves it."""
    place = Place(tmp_path_factory.mktemp("whole"))
    place.environment()
    canaries.canary_county(DATE).write(place.home)
    canaries.spoil(place.home / "extracts" / str(DATE))
    place.run("kcb", "--debug", "run", "--date", str(DATE), code=0)
    return place


def test_a_whole_night_leaves_no_identity_outside_its_own_places(whole_night):
    assert whole_night.leaks() == {}


def test_everything_a_night_leaves_is_for_its_owner_only_whatever_the_umask(whole_night):
    """The extracts are the agencies': here they came with their own modes."""
    delivered = whole_night.home / "extracts"
    left = [path for path in whole_night.home.rglob("*") if not path.is_relative_to(delivered)]
    open_to_others = [
        str(path) for path in left if stat.S_IMODE(path.stat().st_mode) != (0o700 if path.is_dir() else 0o600)
    ]

    assert len(left) > 40
    assert open_to_others == []


# -- nights that fail --------------------------------------------------------------------------------------------------


def test_a_night_that_a_gate_stops_leaves_none_either(tmp_path):
    """Through Dagster's own command line: its logs go to the terminal, its instance to the home."""
    place = Place(tmp_path)
    place.environment()
    canaries.canary_county(DATE).write(place.home)
    canaries.spoil(place.home / "extracts" / str(DATE))
    (place.home / "kcb.toml").write_text("[gates]\nquarantined_rows = 0\nquarantined_share = 0.0\n", encoding="utf-8")
    shutil.copy(Path(__file__).resolve().parents[2] / "dagster.yaml", place.root / "cwd")

    place.run(
        "dagster", "job", "execute", "-m", "kcb_pipeline.orchestration.definitions", "-j", NIGHT,
        "--tags", json.dumps({"dagster/partition": str(DATE)}), code=1,
    )  # fmt: skip

    said = (place.root / "0.stderr").read_text(encoding="utf-8")
    assert "contract__few_rows_quarantined" in said
    assert "STEP_FAILURE" in said
    assert place.leaks() == {}


BROKEN_EXTRACTS = {
    "no header line": ("population.csv", lambda text: text.partition("\n")[2]),
    "an unknown header": ("student_registry.csv", lambda text: text.replace("registry_status", WHO["name"], 1)),
    "two headers of one meaning": ("population.csv", lambda text: text.replace("former_name", "姓名", 1)),
    "no text": ("in_school.csv", lambda text: text.encode("utf-16").decode("latin-1")),
    "a file named after a child": (f"verifications/{canaries.canary(1)['name']}.csv", lambda text: WHO["name"]),
}


@pytest.mark.parametrize("how", BROKEN_EXTRACTS)
def test_an_extract_that_breaks_the_contract_is_refused_without_repeating_it(tmp_path, how):
    folder = tmp_path / str(DATE)
    canaries.canary_county(DATE).write(tmp_path / "home")
    shutil.move(tmp_path / "home" / "extracts" / str(DATE), folder)
    canaries.spoil(folder)
    for stray in folder.glob("*.pdf"):  # `check` names them to whoever asks
        stray.unlink()
    name, broken = BROKEN_EXTRACTS[how]
    (folder / name).write_text(broken((folder / name).read_text(encoding="utf-8")), encoding="utf-8")

    done = CliRunner().invoke(cli.main, ["--debug", "check", str(folder)])

    assert done.exit_code == 3
    assert "expected" in done.stderr
    assert canaries.found_in(done.output.encode()) == []


# -- crashes -----------------------------------------------------------------------------------------------------------


def _duckdb(who):
    duckdb.sql("SELECT CAST(unnest($rows) AS INTEGER)", params={"rows": list(who.values())}).fetchall()


def _duckdb_key(who):
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (name VARCHAR PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES ($name), ($name)", {"name": who["name"]})


def _polars(who):
    pl.DataFrame({"name": list(who.values())}).select(pl.col("name").str.to_integer())


def _arrow(who):
    pc.cast(pa.array([who["address"], who["guardian"]]), pa.int64())


def _panic(who):
    os.write(2, f"thread '<unnamed>' panicked at src/lib.rs:1: {who['name']}\n".encode())  # before anybody can catch it
    raise pl.exceptions.PanicException(f"called `Option::unwrap()` on {who['id_number']}")


def _with_notes(who):
    local = {who["name"]: who["phone"]}
    try:
        local[who["address"]]
    except KeyError as cause:
        error = ValueError(f"{local!r}")
        error.add_note(who["guardian"])
        raise ExceptionGroup(who["name"], [error]) from cause


CRASHES = (_duckdb, _duckdb_key, _polars, _arrow, _panic, _with_notes)


def _crashing(how):
    def stage(*_, **__):
        how(dict(WHO))

    return stage


def test_the_errors_that_are_tried_do_quote_values():
    for how in CRASHES:
        with pytest.raises(BaseException) as error:  # noqa: PT011 (a panic is no Exception)
            how(dict(WHO))
        assert canaries.found_in(f"{error.value}{error.getrepr()}".encode()), how


STAGES = [name for name, value in vars(Night).items() if callable(value) and not name.startswith("_")]
LANDED = "landed_population"
"""Stands for all thirteen sources: they are one function."""


def test_stages_and_gates_that_crash_in_dagster_leave_none(whole_night, tmp_path, monkeypatch, capfd):
    """Every asset and every gate crashes once, each with the next kind of error, with Dagster logging all it can."""
    place = Place(tmp_path)
    shutil.copytree(whole_night.home, place.home)
    definitions = build_definitions(str(place.home))
    job, graph = definitions.resolve_job_def(NIGHT), definitions.resolve_asset_graph()
    assets = [key for key in graph.get_all_asset_keys() if not key.to_user_string().startswith("landed_")]
    kinds, failures = itertools.cycle(CRASHES), {}

    def run(key):
        # What a stage or a gate comes after is done: it fails of what is tried here and of nothing else.
        shutil.copytree(whole_night.home / "work", place.home / "work", dirs_exist_ok=True)
        result = job.execute_in_process(
            partition_key=str(DATE), instance=instance, asset_selection=[key], raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "DEBUG"}}}},
        )  # fmt: skip
        failures.update({event.step_key: event for event in result.all_events if event.is_step_failure})

    with instance_of(Home(place.home)) as instance:
        for key in [*assets, dg.AssetKey(LANDED)]:
            with monkeypatch.context() as patch:
                crash = _crashing(next(kinds))
                for stage in STAGES:
                    patch.setattr(Night, stage, crash)
                run(key)
        for key in sorted({check.asset_key for check in graph.asset_check_keys}):
            with monkeypatch.context() as patch:
                patch.setattr("checks.gates.run_suite", _crashing(next(kinds)))
                run(key)
    for stream, text in zip(("stdout", "stderr"), capfd.readouterr(), strict=True):
        (place.root / stream).write_text(text, encoding="utf-8")

    assert set(failures) == {key.to_user_string() for key in assets} | {LANDED} | {
        f"gate_{suite}" for suite in ALL_SUITES
    }
    assert all("faults.txt" in str(event.step_failure_data.error) for event in failures.values())
    assert "STEP_FAILURE" in (place.root / "stderr").read_text(encoding="utf-8")
    assert place.leaks() == {}
    assert canaries.found(place.home / "work" / str(DATE) / "faults.txt")  # where an engineer finds the whole of it
    assert canaries.found(place.home / "work" / str(DATE) / "stderr.txt")


@pytest.mark.parametrize("how", CRASHES)
def test_a_command_that_crashes_says_where_and_no_value_with_debug_too(whole_night, monkeypatch, capfd, how):
    monkeypatch.setattr(explanation, "explain_child", _crashing(how))

    with pytest.raises(SystemExit) as ended:
        cli.main(["--debug", "explain", "C0123456789ABCDE", "--home", str(whole_night.home)])

    said = "".join(capfd.readouterr())
    assert ended.value.code == 70
    assert f"test_privacy.py:{how.__code__.co_firstlineno + 1}" in said or how.__name__ in said
    assert canaries.found_in(said.encode()) == []


NATIVE = """
import os, sys
import click
from kcb_pipeline import cli

@cli.main.command()
def explode():
    os.write(2, WHO.encode())  # as a panic in Rust does, before anybody can catch it
    click.echo("to the output")
    click.echo("to the errors", err=True)
    raise ValueError(WHO)

sys.argv = ["kcb", "--debug", "explode"]
cli.program()
"""


def test_what_a_library_writes_past_python_is_not_heard_and_what_python_says_is():
    done = subprocess.run(
        [sys.executable, "-c", f"WHO = {WHO['name']!r}\n{NATIVE}"], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip

    assert done.returncode == 70
    assert done.stdout == "to the output\n"
    assert done.stderr.startswith("to the errors\nkcb: ValueError at")
    assert canaries.found_in((done.stdout + done.stderr).encode()) == []


NIGHT_OF_ITS_OWN = """
import os, sys
from kcb_pipeline import cli
from kcb_pipeline.ledgers import previous
from kcb_pipeline.night import Night
from kcb_pipeline.errors import UsageError

told = previous.versions

def versions(*given):
    os.write(2, WHO.encode())  # outside the stages
    return told(*given)

def find_delivery(self):
    os.write(2, WHO.encode())
    print(WHO, "said by Python in a stage", file=sys.stderr)
    raise UsageError("nothing came")

previous.versions = versions
Night.find_delivery = find_delivery
sys.argv = ["kcb", "--debug", "run", "--date", DATE, "--home", HOME]
cli.program()
"""


def test_what_a_library_writes_past_python_is_not_heard_outside_the_stages_of_a_night_either(tmp_path):
    place = Place(tmp_path)
    canaries.canary_county(DATE).write(place.home)
    given = f"WHO, DATE, HOME = {WHO['name']!r}, {str(DATE)!r}, {str(place.home)!r}\n"

    done = subprocess.run(
        [sys.executable, "-c", given + NIGHT_OF_ITS_OWN], capture_output=True, text=True, check=False, env={**place.environment(), "PYTHONUTF8": "1"},
    )  # fmt: skip
    (place.root / "said").write_text(done.stdout + done.stderr, encoding="utf-8")

    assert done.returncode == 2
    assert "kcb: nothing came" in done.stderr
    assert place.leaks() == {}
    kept = (place.home / "work" / str(DATE) / "stderr.txt").read_text(encoding="utf-8")
    assert kept.count(WHO["name"]) == 2  # what a stage says stays at home, by whichever way it was said


def test_a_night_that_crashes_with_debug_leaves_none(whole_night, tmp_path, monkeypatch, capfd):
    place = Place(tmp_path)
    shutil.copytree(whole_night.home / "extracts", place.home / "extracts")

    for how in CRASHES:
        monkeypatch.setattr(Night, "find_delivery", _crashing(how))
        with pytest.raises(SystemExit) as ended:
            cli.main(["--debug", "run", "--date", str(DATE), "--home", str(place.home)])
        assert ended.value.code == 70

    for stream, text in zip(("stdout", "stderr"), capfd.readouterr(), strict=True):
        (place.root / stream).write_text(text, encoding="utf-8")
    assert (place.root / "stderr").read_text(encoding="utf-8").count("faults.txt") == len(CRASHES)
    assert place.leaks() == {}


@pytest.mark.parametrize("how", CRASHES)
def test_what_leaves_a_stage_quotes_nothing_and_keeps_everything_at_home(tmp_path, how, capfd):
    with pytest.raises(InternalError) as error:
        quoting_nothing("stage", tmp_path / "work", _crashing(how))

    # As whoever logs an exception would: with its causes, its contexts and its local variables.
    whole = traceback.TracebackException.from_exception(error.value, capture_locals=True)
    assert canaries.found_in("".join([*whole.format(), *capfd.readouterr()]).encode()) == []
    assert (error.value.__context__, error.value.__cause__) == (None, None)
    assert canaries.found(tmp_path / "work" / "faults.txt")


def test_an_expectation_that_great_expectations_cannot_evaluate_repeats_nothing(capfd):
    """It puts the exception, with its values, into the result and the log."""
    facts = pl.DataFrame({"subject": ["population"], "read": [WHO["id_number"]], "accounted": [WHO["phone"]]})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = run_suite("contract", facts, Config())

    assert {result.observed for result in results if not result.passed} >= {"the expectation could not be evaluated"}
    assert canaries.found_in("".join([repr(results), *capfd.readouterr()]).encode()) == []


# -- the search itself -------------------------------------------------------------------------------------------------


def _gzipped(text):
    return gzip.compress(text.encode("gb18030"))


def _zipped(text):
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", text)
    return packed.getvalue()


@pytest.mark.parametrize("mark", canaries.MARKS)
@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.encode(), lambda text: text.encode("utf-16"), lambda text: text.encode("utf-16-be"),
        lambda text: text.encode("gb18030"), lambda text: json.dumps(text).encode(), lambda text: json.dumps(json.dumps(text)).encode(),
        lambda text: repr(text.encode()).encode(), lambda text: text.encode("ascii", "xmlcharrefreplace"), _gzipped, _zipped,
        lambda text: b"<img src='data:application/gzip;base64," + base64.b64encode(_gzipped(text)) + b"'>",
        lambda text: b"junk" + zlib.compress(text.encode() * 20) + b"junk",
    ],
)  # fmt: skip
def test_the_search_finds_a_mark_however_it_is_written(tmp_path, mark, written):
    (tmp_path / "left").write_bytes(written(f"x {mark} y"))

    assert canaries.found(tmp_path)


def test_the_search_finds_a_mark_in_a_name_and_in_databases(tmp_path):
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / f"{WHO['name']}.txt").touch()
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT $name AS name FROM range(5000)", {"name": WHO["name"]})
    with sqlite3.connect(tmp_path / "s.db") as connection:
        connection.execute("CREATE TABLE t (blob)")
        connection.execute("INSERT INTO t VALUES (?)", [zlib.compress(WHO["name"].encode() * 9)])
    connection.close()
    pl.DataFrame({"a": [WHO["name"]] * 9}).write_parquet(tmp_path / "p.parquet")

    assert len(canaries.found(tmp_path)) == 4


def test_the_marks_are_where_identities_may_be(whole_night):
    """Or else a search that finds none elsewhere would prove nothing."""
    for place in whole_night.private:
        if place.name not in ("reviews", "更正建议.xlsx"):
            assert canaries.found(place), place
