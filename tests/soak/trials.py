"""One fault in one stage of a night: what stood afterwards, what was said, and whether the next run just works.

The second night of a tiny county is run once as it should be, and its home kept as it was before each stage. A trial begins from one of these
copies, in a process of its own (forked from a server that has loaded everything and run nothing), while a reader holds the published file.
"""

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import time
import traceback
from pathlib import Path

import duckdb

from kcb_pipeline.analytics.seal import verify_analytics
from kcb_pipeline.claim import claimed
from kcb_pipeline.errors import KcbError, UsageError
from kcb_pipeline.extracts.delivery import MANIFEST, sha256_of
from kcb_pipeline.faults import machine_condition, quoting_nothing
from kcb_pipeline.gates import DISCLOSURE, SUITES
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.digest import verify
from kcb_pipeline.ledgers.manifest import verify_folders
from kcb_pipeline.night import Night
from tests.pipeline.micro import County
from tests.pipeline.nights import STAGES as BEFORE_PUBLICATION
from tests.pipeline.nights import asking
from tests.soak.faults import FAULTS, Disk, inject, prepare

FIRST, SECOND = dt.date(2026, 11, 20), dt.date(2026, 11, 21)
LONGEST_SECONDS = 300
PROCESSES = multiprocessing.get_context("forkserver")
LOADED = ["tests.soak.trials", "pandas", "chinese_calendar", "numpy.random", "dateutil.parser", "tarfile"]
PROCESSES.set_forkserver_preload(LOADED)


def _publish(night: Night, _: object) -> None:
    night.publish(run_id="soak", now=dt.datetime.fromtimestamp(time.time(), tz=dt.UTC))


def _analytics(night: Night, _: object) -> None:
    night.draft_analytics()
    night.record(DISCLOSURE, [])
    night.publish_analytics()


STAGES = {**BEFORE_PUBLICATION, "publication": _publish, "analytics": _analytics}


@dataclasses.dataclass(frozen=True)
class Trial:
    """What came of one: `stood` is old or new; `said` the kind and words of the error that ended it, empty where there was none."""

    stage: str
    fault: str
    stood: str
    said: str
    message: str


def write_county(folder: Path) -> None:
    """Two nights of forty children."""
    for date in (FIRST, SECOND):
        county = County(date)
        for n in range(40):
            who = county.person("王" + chr(0x4E00 + 7 * n))
            if n % 4 or date == SECOND:
                county.pupil(who)
        county.write(folder)
        extracts = folder / "extracts" / str(date)
        listed = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(extracts.iterdir())]
        (extracts / MANIFEST).write_text("".join(listed), encoding="utf-8")
    (folder / "kcb.toml").write_text('[storage]\nmemory_limit = "300MB"\nthreads = 1\n', encoding="utf-8")


def run(folder: Path, date: dt.date, *, start: str, fault: str, said: Path) -> None:
    """In a process of its own: the night of a date from a stage on; how it ended is written down."""
    os.umask(0o077)
    outcome = {"kind": "", "message": ""}
    try:
        night = Night(Home(folder), date)
        stages = list(STAGES)
        with claimed(night.workspace, lambda _: None):
            _refuse_without_files(night, start)
            inject(fault)
            said.with_suffix(".begun").touch()
            for stage in stages[stages.index(start) :]:
                quoting_nothing(stage, night.workspace.files, lambda stage=stage: STAGES[stage](night, asking(())))
    except KcbError as error:
        outcome = {"kind": type(error).__name__, "message": str(error)}
    except BaseException as error:
        condition = machine_condition(error)  # as `kcb` says it
        outcome = (
            {"kind": "MachineError", "message": condition}
            if condition
            else {"kind": f"LEAKED {type(error).__name__}", "message": traceback.format_exc()[-2000:]}
        )
    said.write_text(json.dumps(outcome), encoding="utf-8")


def _refuse_without_files(night: Night, start: str) -> None:
    """As `kcb run --from` does, where what was damaged has been erased."""
    if start != "delivery" and not night.workspace.database.exists():
        raise UsageError("its working files have been erased: run it from the beginning")


def inspect(folder: Path, said: Path) -> None:
    """In a process of its own: the digests of the versions that stand, what verification finds, and which leftovers there are."""
    home = Home(folder)
    with duckdb.connect(str(home.ledgers), read_only=True) as connection:
        digests = [
            digest
            for (digest,) in connection.execute(
                "SELECT content_digest FROM ledger_versions ORDER BY version"
            ).fetchall()
        ]
        faults = [
            fault.what
            for fault in [
                *verify(connection)[1],
                *verify_folders(connection, home),
                *verify_analytics(connection, home),
            ]
        ]
    with duckdb.connect(str(home.analytics), read_only=True) as connection:
        analytics = connection.execute("SELECT version FROM about").fetchall()[0][0]
    leftovers = [path.name for place in (home.published, home.work) for path in place.rglob("*") if path.name.startswith((".ledgers.next", ".analytics.duckdb.next", "spill-")) or path.suffix == ".unfinished"]  # fmt: skip
    said.write_text(
        json.dumps({"digests": digests, "faults": faults, "analytics": analytics, "leftovers": leftovers}),
        encoding="utf-8",
    )


def _run_and_inspect(folder: Path, said: Path) -> None:
    """In a process of its own: the whole night once more, and what stands then. An error ends in other facts than are expected."""
    run(folder, SECOND, start="delivery", fault="", said=said)
    ended = json.loads(said.read_text(encoding="utf-8"))
    if not ended["kind"]:
        inspect(folder, said)


def stages_copied(folder: Path) -> Path:
    """Run the county's two nights, keeping the home as it was before each stage of the second: where the copies are."""
    home = folder / "home"
    write_county(home)
    copies = folder / "copies"
    copies.mkdir()
    process = PROCESSES.Process(target=_copy_stages, args=(home, copies))
    process.start()
    process.join(LONGEST_SECONDS)
    assert process.exitcode == 0
    return copies


def _copy_stages(home: Path, copies: Path) -> None:
    os.umask(0o077)
    for date in (FIRST, SECOND):
        night = Night(Home(home), date)
        for stage, work in STAGES.items():
            if date == SECOND:
                shutil.copytree(home, copies / stage)
            began = time.perf_counter()
            work(night, asking(SUITES if date == FIRST else ()))
            if date == SECOND:
                (copies / f"{stage}.seconds").write_text(str(time.perf_counter() - began), encoding="ascii")
    inspect(home, copies / "expected.json")


def trial(copies: Path, folder: Path, stage: str, fault: str, *, seed: int) -> Trial:
    """Do one fault to one stage, see what stands, and run the date again. AssertionError says what should never be."""
    chance = random.Random(f"{stage} {fault} {seed}")
    expected = json.loads((copies / "expected.json").read_text(encoding="utf-8"))
    disk = Disk(folder)
    try:
        home = folder / "home"
        shutil.copytree(copies / stage, home)
        return _trial(disk, home, expected, stage, fault, chance, float((copies / f"{stage}.seconds").read_text()))
    finally:
        with contextlib.suppress(OSError):
            disk.mend()
        disk.remove()


def _trial(
    disk: Disk, home: Path, expected: dict, stage: str, fault: str, chance: random.Random, seconds: float
) -> Trial:
    what = f"{fault} in {stage}"
    ledgers = home / "published" / "ledgers.duckdb"
    with duckdb.connect(str(ledgers), read_only=True) as reader:
        versions = reader.execute("SELECT count(*), sum(eligible) FROM ledger_versions").fetchall()
        mend = prepare(fault, home, str(SECOND), chance)
        before = _digest(ledgers)
        disk.spoil(fault)
        said = disk.folder.with_name(disk.folder.name + ".said")
        process = _begin(home, stage, fault, said)
        others = []
        if fault == "killed":
            time.sleep(chance.uniform(0, seconds * 1.2))
            process.kill()
        if fault == "twice_at_once":
            others.append(_begin(home, "delivery", "", said.with_suffix(".second")))
        for one in (process, *others):
            one.join(LONGEST_SECONDS)
            assert one.exitcode is not None, f"{what}: it hangs"
        assert reader.execute("SELECT count(*), sum(eligible) FROM ledger_versions").fetchall() == versions, what
    outcome = json.loads(said.read_text(encoding="utf-8")) if said.exists() else {"kind": "killed" if fault == "killed" else "ended by the system", "message": ""}  # fmt: skip
    assert not outcome["kind"].startswith("LEAKED"), f"{what}: {outcome}"
    if fault != "damaged_ledgers" and process.exitcode == 0:
        assert outcome["kind"] != "InternalError", f"{what}: {outcome}"
    is_old = _digest(ledgers) == before
    disk.mend()
    mend()
    now = {"digests": expected["digests"][:-1] if stage != "analytics" else expected["digests"]}
    if not is_old:
        now = _inspected(home, said, again=False)
        assert now["digests"] == expected["digests"], f"{what}: {now}"
    assert _inspected(home, said, again=True) == expected, f"after {what}"
    for path in disk.folder.parent.glob(f"{disk.folder.name}.*"):
        path.unlink()
    stood = "new" if len(now["digests"]) == 2 else "old"
    return Trial(stage, fault, stood, outcome["kind"], outcome["message"])


def _begin(home: Path, stage: str, fault: str, said: Path) -> multiprocessing.process.BaseProcess:
    for path in (said, said.with_suffix(".begun")):
        path.unlink(missing_ok=True)
    process = PROCESSES.Process(target=run, args=(home, SECOND), kwargs={"start": stage, "fault": fault, "said": said})
    process.start()
    until = time.monotonic() + LONGEST_SECONDS
    while process.is_alive() and not said.with_suffix(".begun").exists() and fault and time.monotonic() < until:
        time.sleep(0.002)
    return process


def _inspected(home: Path, said: Path, *, again: bool) -> dict:
    path = said.with_suffix(".seen")
    path.unlink(missing_ok=True)
    process = PROCESSES.Process(target=_run_and_inspect if again else inspect, args=(home, path))
    process.start()
    process.join(LONGEST_SECONDS)
    assert process.exitcode == 0, "what stands cannot be read"
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


__all__ = ["FAULTS", "STAGES", "Trial", "stages_copied", "trial"]
