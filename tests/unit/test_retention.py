"""What is erased and when, and above all what never is."""

import datetime as dt
import json
import os
import time

import pytest

from kcb_pipeline.claim import claimed
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.previous import Version
from kcb_pipeline.retention import erase, expired

TODAY = dt.date(2026, 11, 20)
NOW = dt.datetime.now(tz=dt.UTC)
NAME = "鄢龘靐"
OLD, MIDDLE, LATEST = dt.date(2024, 11, 1), dt.date(2024, 11, 2), dt.date(2024, 12, 1)

PUBLISHED: list[Version] = []


@pytest.fixture
def home(tmp_path, published):
    """Three published dates, all old, with everything they left; nobody has worked on any of it for forty days."""
    home = Home(tmp_path / "home")
    for number, date in enumerate((OLD, MIDDLE, LATEST), start=1):
        (home.extracts / str(date)).mkdir(parents=True)
        (home.extracts / str(date) / f"{NAME}.csv").write_text(NAME, encoding="utf-8")
        (home.work / str(date)).mkdir(parents=True)
        (home.work / str(date) / "faults.txt").write_text(NAME, encoding="utf-8")
        (home.work / f"{date}.duckdb").write_text(NAME, encoding="utf-8")
        (home.version_folder(number) / "worklists").mkdir(parents=True)
        (home.version_folder(number) / "worklists" / "a.xlsx").write_text(NAME, encoding="utf-8")
        (home.version_folder(number) / "manifest.json").write_text("{}", encoding="utf-8")
    (home.reviews).mkdir()
    (home.reviews / "answers.jsonl").write_text(NAME, encoding="utf-8")
    home.ledgers.touch()
    publish(home, (1, OLD, None), (2, MIDDLE, 1), (3, LATEST, 2))
    let_rest(home)
    return home


def publish(home, *entries):
    """What `ledger_versions` says: number, date and the version it builds on."""
    PUBLISHED[:] = [Version(number, date, "", "", "", base) for number, date, base in entries]


@pytest.fixture(autouse=True)
def published(monkeypatch):
    PUBLISHED.clear()
    monkeypatch.setattr("kcb_pipeline.retention.versions", lambda *_: list(PUBLISHED))


def let_rest(home):
    rested = time.time() - 40 * 24 * 3600
    for path in home.folder.rglob("*"):
        os.utime(path, (rested, rested), follow_symlinks=False)


def going(home, today=TODAY):
    return {(one.kind, one.date) for one in expired(home, today, now=NOW)}


def left(home):
    return {str(path.relative_to(home.folder)) for path in home.folder.rglob("*") if path.is_file()}


def test_everything_of_compared_dates_goes_but_of_the_latest(home):
    assert going(home) == {(kind, date) for kind in ("working_files", "extracts", "papers") for date in (OLD, MIDDLE)}


def test_showing_erases_nothing(home):
    before = left(home)

    expired(home, TODAY, now=NOW)

    assert left(home) == before


def test_what_is_erased_is_gone_and_the_rest_stands(home):
    erase(home, TODAY, now=NOW)

    assert left(home) == {
        "erasures.jsonl", "reviews/answers.jsonl", "published/ledgers.duckdb", f"extracts/{LATEST}/{NAME}.csv", f"work/{LATEST}.duckdb",
        f"work/{LATEST}/faults.txt", "published/versions/000003/worklists/a.xlsx",
        *(f"published/versions/00000{n}/manifest.json" for n in (1, 2, 3)),
    }  # fmt: skip
    assert erase(home, TODAY, now=NOW) == []


def test_the_record_says_what_went_and_names_nobody(home):
    erase(home, TODAY, now=NOW)
    text = home.erasures.read_text(encoding="utf-8")

    assert NAME not in text
    assert [(line["kind"], line["date"], line["files"], line["bytes"], line["rule"]) for line in map(json.loads, text.splitlines())] == [
        (kind, str(date), files, 9 * files, f"{kind}_days = {days}")
        for date in (OLD, MIDDLE)
        for kind, files, days in (("extracts", 1, 400), ("papers", 1, 400), ("working_files", 2, 30))
    ]  # fmt: skip
    assert home.erasures.stat().st_mode & 0o777 == 0o600


def test_a_later_erasure_is_appended(home):
    home.erasures.write_text("before\n", encoding="utf-8")

    erase(home, TODAY, now=NOW)

    assert home.erasures.read_text(encoding="utf-8").startswith("before\n{")


def test_the_record_is_written_before_anything_goes(home, monkeypatch):
    monkeypatch.setattr("kcb_pipeline.retention._remove", lambda path: (_ for _ in ()).throw(OSError("killed")))

    with pytest.raises(OSError, match="killed"):
        erase(home, TODAY, now=NOW)

    assert home.erasures.read_text(encoding="utf-8").count("\n") == 1


@pytest.mark.parametrize(("days", "gone"), [(29, False), (30, False), (31, True)])
def test_working_files_go_after_their_days(home, days, gone):
    assert (("working_files", MIDDLE) in going(home, MIDDLE + dt.timedelta(days=days))) == gone


def test_what_belongs_to_a_date_in_the_working_folder_goes_and_what_only_begins_like_it_stays(home):
    for name in (f"{OLD}.duckdb.wal", f"{OLD}-notes.txt", f"{OLD}.duckdb.copy"):
        (home.work / name).touch()
    let_rest(home)

    erase(home, TODAY, now=NOW)

    assert {name for name in left(home) if name.startswith(f"work/{OLD}")} == {
        f"work/{OLD}-notes.txt",
        f"work/{OLD}.duckdb.copy",
    }


@pytest.mark.parametrize("name", ["20241101", "2024-W44-5"])
def test_a_folder_that_is_no_comparison_date_stays(home, name):
    """Both are the day of OLD to a calendar, and the folder of nobody's night to the pipeline."""
    for folder in (home.extracts, home.work):
        (folder / name).mkdir()
        (folder / name / "a.txt").touch()
    let_rest(home)

    erase(home, TODAY, now=NOW)

    assert {f"extracts/{name}/a.txt", f"work/{name}/a.txt"} <= left(home)


def test_extracts_of_a_date_that_was_never_compared_stay(home):
    publish(home, (2, MIDDLE, None), (3, LATEST, 2))

    assert ("extracts", OLD) not in going(home)
    assert ("working_files", OLD) in going(home)


def test_extracts_of_a_date_that_has_to_be_run_again_stay(home):
    publish(home, (1, OLD, None), (2, MIDDLE, 1), (3, LATEST, 2), (4, OLD, None))

    assert ("extracts", MIDDLE) not in going(home)
    assert ("extracts", OLD) in going(home)


def test_a_date_that_is_being_worked_on_stays(home):
    with claimed(home.workspace(OLD), print):
        assert {date for _, date in going(home)} == {MIDDLE}


def test_working_files_of_an_old_date_that_was_run_again_stay(home):
    (home.work / str(OLD) / "faults.txt").touch()

    assert ("working_files", OLD) not in going(home)
    assert ("extracts", OLD) in going(home)


def test_the_rules_are_the_countys(home):
    (home.folder / "kcb.toml").write_text("[retention]\npapers_days = 3660\nextracts_days = 3660\n", encoding="utf-8")

    assert {kind for kind, _ in going(home)} == {"working_files"}


def test_a_link_goes_and_what_it_leads_to_stays(home, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").touch()
    (home.extracts / "2024-10-01").symlink_to(tmp_path / "elsewhere")
    publish(home, (1, dt.date(2024, 10, 1), None), (3, LATEST, 1))
    let_rest(home)

    erase(home, TODAY, now=NOW)

    assert not (home.extracts / "2024-10-01").is_symlink()
    assert (tmp_path / "elsewhere" / "a.csv").exists()


def test_what_a_killed_process_spilled_goes(home):
    (home.work / str(LATEST) / "spill-1-0").mkdir()
    (home.work / "spill-2-0").mkdir()
    let_rest(home)
    (home.work / "spill-3-0").mkdir()

    assert sorted(
        path.name for one in expired(home, TODAY, now=NOW) if one.kind == "spilled" for path in one.paths
    ) == [
        "spill-1-0",
        "spill-2-0",
    ]


def test_a_home_where_nothing_has_run_has_nothing_to_erase(tmp_path):
    assert expired(Home(tmp_path), TODAY, now=NOW) == []
