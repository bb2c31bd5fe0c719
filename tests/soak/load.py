"""A week of nights one after the other, and ten dates side by side, with readers asking throughout: what it cost, and that nothing leaked."""

import ctypes
import datetime as dt
import itertools
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import duckdb

from tests.pipeline.micro import County
from tests.soak.trials import PROCESSES, STAGES, asking

FIRST = dt.date(2026, 11, 2)
MOST_KEPT_MIB = 1.0
"""What a night may leave behind in its process once everything is warm."""


def write_dates(folder: Path, dates: list[dt.date], *, children: int = 40) -> None:
    """The extracts of some dates; each has one pupil more."""
    for nth, date in enumerate(dates):
        county = County(date)
        for n in range(children):
            who = county.person("王" + chr(0x4E00 + 7 * n))
            if n > children // 4 - nth:
                county.pupil(who)
        county.write(folder)
    (folder / "kcb.toml").write_text('[storage]\nmemory_limit = "300MB"\nthreads = 1\n', encoding="utf-8")


def read_on(ledgers: Path, until: Path, said: Path) -> None:
    """In a process of its own: open the published file, ask, close, again and again; how often, and what failed."""
    asked = 0
    failed: list[str] = []
    last = 0
    while not until.exists():
        if not ledgers.exists():
            time.sleep(0.05)
            continue
        try:
            with duckdb.connect(str(ledgers), read_only=True) as connection:
                [(version, eligible)] = connection.execute(
                    "SELECT max(version), max_by(eligible, version) FROM ledger_versions"
                ).fetchall()
                [(children,)] = connection.execute("SELECT count(*) FROM school_age_children").fetchall()
            if version < last or children != eligible:
                failed.append(f"version {version} after {last}, {children} of {eligible} children")
            last = version
        except duckdb.Error as error:
            failed.append(type(error).__name__ + str(error)[:200])
        asked += 1
        time.sleep(0.02)
    said.write_text(f"{asked}\n" + "\n".join(failed), encoding="utf-8")


class Readers:
    """Some of them, as long as the block runs; `asked` and `failed` afterwards."""

    def __init__(self, ledgers: Path, count: int = 3) -> None:
        self._until = ledgers.parent.parent / "readers.stop"
        self._said = [self._until.with_suffix(f".{n}") for n in range(count)]
        self._processes = [PROCESSES.Process(target=read_on, args=(ledgers, self._until, said)) for said in self._said]
        self.asked = 0
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._until.touch()
        for process, said in zip(self._processes, self._said, strict=True):
            process.join(60)
            asked, *failed = said.read_text(encoding="utf-8").splitlines()
            self.asked += int(asked)
            self.failed += failed


def nights_in_one_process(
    home: Path, dates: list[dt.date], said: "multiprocessing.connection.Connection", *, one_heap: bool = False
) -> None:
    """Night after night in one process, as a daemon would: open files, resident memory and the size of the home after each."""
    from kcb_pipeline.home import Home
    from kcb_pipeline.night import Night

    if one_heap:
        assert ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1) == 1
    for date in dates:
        night = Night(Home(home), date)
        for work in STAGES.values():
            work(night, asking(()))
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        said.send((len(os.listdir("/proc/self/fd")), resident, disk_used(home)))  # noqa: PTH208
    said.close()


_M_ARENA_MAX = -8
"""glibc's `mallopt`: over how many heaps it spreads what threads ask for."""


def week(folder: Path, nights: int = 7, *, one_heap: bool = False) -> dict[str, object]:
    """So many nights in one process with readers: their figures.

    one_heap: what nights leave behind in memory can be seen. By default glibc gives threads heaps of their own, up to eight a core, and each
    keeps what was once freed in it: resident memory rises until each has seen the largest stage, and a leak would hide in that.
    """
    dates = [FIRST + dt.timedelta(days=n) for n in range(nights)]
    write_dates(folder, dates)
    ours, theirs = PROCESSES.Pipe(duplex=False)
    began = time.perf_counter()
    measured = []
    with Readers(folder / "published" / "ledgers.duckdb") as readers:
        process = PROCESSES.Process(
            target=nights_in_one_process, args=(folder, dates, theirs), kwargs={"one_heap": one_heap}
        )
        process.start()
        theirs.close()
        while len(measured) < nights:
            measured.append(ours.recv())
        process.join(60)
    files, memory, disk = zip(*measured, strict=True)
    resident = [round(size / 2**20, 1) for size in memory]
    return {
        "nights": nights, "seconds": round(time.perf_counter() - began, 1), "queries": readers.asked, "failed": readers.failed,
        "open_files": list(files), "resident_mib": resident, "mib_a_night": mib_a_night(resident), "most_mib": MOST_KEPT_MIB,
        "disk_kib": [size >> 10 for size in disk],
    }  # fmt: skip


def mib_a_night(resident: Sequence[float]) -> float:
    """By how much a night raises resident memory once everything is warm: the median over the later half, for a peak that two stages make together once
    moves the heap once, and a leak every night."""
    later = resident[(len(resident) - 1) // 2 :]
    return round(statistics.median(after - before for before, after in itertools.pairwise(later)), 2)


def backfill(folder: Path, dates_count: int = 10, jobs: int = 4) -> dict[str, object]:
    """`kcb backfill` of so many dates side by side with readers: its exit code, versions in order, and figures."""
    dates = [FIRST + dt.timedelta(days=n) for n in range(dates_count)]
    write_dates(folder, dates)
    kcb = Path(sys.executable).with_name("kcb")
    began = time.perf_counter()
    with Readers(folder / "published" / "ledgers.duckdb") as readers:
        done = subprocess.run(
            [str(kcb), "backfill", "--home", str(folder), f"{dates[0]}..{dates[-1]}", "--jobs", str(jobs)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    with duckdb.connect(str(folder / "published" / "ledgers.duckdb"), read_only=True) as connection:
        stands = connection.execute(
            "SELECT comparison_date, base_version FROM ledger_versions QUALIFY row_number() OVER (PARTITION BY comparison_date ORDER BY version DESC) = 1 ORDER BY 1"
        ).fetchall()
    verified = subprocess.run([str(kcb), "verify", "--home", str(folder)], capture_output=True, text=True, check=False)
    due = subprocess.run([str(kcb), "ledgers", "--home", str(folder)], capture_output=True, text=True, check=False)
    return {
        "dates": dates_count, "jobs": jobs, "seconds": round(time.perf_counter() - began, 1), "exit_code": done.returncode,
        "said": (done.stdout + done.stderr)[-500:] if done.returncode else "", "stand": len(stands), "verified": verified.returncode == 0,
        "stale": "stale:" in due.stdout, "queries": readers.asked, "failed": readers.failed,
    }  # fmt: skip


def disk_used(folder: Path) -> int:
    """Bytes of everything in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def free_of(folder: Path) -> None:
    """Erase a folder of a soak."""
    shutil.rmtree(folder, ignore_errors=True)
