"""One small county, its nights, and a way to run `kcb` as its users do."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from kcb_pipeline.sample import write_sample
from tests.pipeline import warm

DATES = [dt.date(2026, 11, 18) + dt.timedelta(days=n) for n in range(3)]
CHILDREN = 600


@dataclass(frozen=True)
class Home:
    """A home folder and what a user does with it."""

    folder: Path

    def kcb(
        self, *arguments: str, code: int = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `kcb` in a process of its own and hold it to an exit code."""
        return self._held(warm.kcb(arguments, self._environment(env)), code)

    def program(
        self, *arguments: str, code: int = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The same as a person starts it: the console script, which imports what it needs, with a hash seed of its own."""
        command = [str(Path(sys.executable).with_name("kcb")), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment(env))
        return self._held(done, code)

    def _environment(self, env: dict[str, str] | None) -> dict[str, str]:
        return {**os.environ, "KCB_HOME": str(self.folder), **(env or {})}

    @staticmethod
    def _held(done: subprocess.CompletedProcess[str], code: int) -> subprocess.CompletedProcess[str]:
        assert done.returncode == code, f"{done.args}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def night(self, date: dt.date, *, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run one night."""
        return self.kcb("run", "--date", str(date), code=code)

    def query(self, sql: str) -> list[tuple]:
        """Ask the published file, as an outsider with plain DuckDB would."""
        with duckdb.connect(str(self.ledgers), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    @property
    def ledgers(self) -> Path:
        return self.folder / "published" / "ledgers.duckdb"

    def extracts(self, date: dt.date) -> Path:
        return self.folder / "extracts" / str(date)

    def copy(self, folder: Path) -> "Home":
        """The same home elsewhere, to break without breaking it for others."""
        shutil.copytree(self.folder, folder)
        return Home(folder)


def once(tmp_path_factory, name: str, make: Callable[[Path], object]) -> Home:
    """The home of that name: made by the worker that wants it first, looked at by all workers of this run."""
    of_run = (
        tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else tmp_path_factory.getbasetemp()
    )
    home, made = of_run / name / "home", of_run / name / "made"
    made.parent.mkdir(exist_ok=True)
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            shutil.rmtree(home, ignore_errors=True)  # of a worker that failed at it
            make(home)
            made.touch()
    return Home(home)


@pytest.fixture(scope="session")
def county(tmp_path_factory) -> Home:
    """Three nights of extracts of a small made-up county; nothing has been run."""
    return once(
        tmp_path_factory,
        "county",
        lambda folder: write_sample(folder, children=CHILDREN, seed=7, date=DATES[0], nights=len(DATES)),
    )


@pytest.fixture(scope="session")
def first_night(county, tmp_path_factory) -> Home:
    """The county after its first night. Look, but copy before you touch."""

    def make(folder: Path) -> None:
        county.copy(folder).program("run", "--date", str(DATES[0]))

    return once(tmp_path_factory, "first", make)


@pytest.fixture(scope="session")
def three_nights(first_night, tmp_path_factory) -> Home:
    """The county after all three nights. Look, but copy before you touch."""

    def make(folder: Path) -> None:
        home = first_night.copy(folder)
        for date in DATES[1:]:
            home.night(date)

    return once(tmp_path_factory, "three", make)
