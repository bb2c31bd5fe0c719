"""One small county, its nights, and a way to run `kcb` as its users do."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from kcb_pipeline.sample import write_sample

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
        done = subprocess.run(
            [str(Path(sys.executable).with_name("kcb")), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KCB_HOME": str(self.folder), **(env or {})},
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
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


@pytest.fixture(scope="session")
def county(tmp_path_factory) -> Home:
    """Three nights of extracts of a small made-up county; nothing has been run."""
    folder = tmp_path_factory.mktemp("county")
    write_sample(folder, children=CHILDREN, seed=7, date=DATES[0], nights=len(DATES))
    return Home(folder)


@pytest.fixture(scope="session")
def first_night(county, tmp_path_factory) -> Home:
    """The county after its first night. Look, but copy before you touch."""
    home = county.copy(tmp_path_factory.mktemp("first") / "home")
    home.night(DATES[0])
    return home


@pytest.fixture(scope="session")
def three_nights(first_night, tmp_path_factory) -> Home:
    """The county after all three nights. Look, but copy before you touch."""
    home = first_night.copy(tmp_path_factory.mktemp("three") / "home")
    for date in DATES[1:]:
        home.night(date)
    return home
