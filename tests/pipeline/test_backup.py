"""Backup and the way back: what is in it, when it is made, and what is refused."""

import datetime as dt
import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
import threading
from contextlib import closing

import pytest

from kcb_pipeline import backup as backups
from kcb_pipeline.backup import back_up, check, restore
from kcb_pipeline.errors import SchemaError, UsageError, VerificationError
from kcb_pipeline.home import Home as Place
from kcb_pipeline.ledgers.publication import LOCK_NAME
from tests.pipeline.conftest import DATES, Home
from tests.pipeline.nights import run_night

NOW = dt.datetime(2026, 11, 20, 22, 30, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def home(first_night, tmp_path_factory):
    """The county after its first night, with what an office adds to it."""
    found = first_night.copy(tmp_path_factory.mktemp("backup") / "home")
    (found.folder / "kcb.toml").write_text("[school_age]\nentry_age = 7\n")
    (found.folder / "reviews").mkdir(exist_ok=True)
    (found.folder / "reviews" / "answers.jsonl").write_text("")
    return found


@pytest.fixture(scope="module")
def archive(home, tmp_path_factory):
    return back_up(Place(home.folder), tmp_path_factory.mktemp("archive"), now=NOW).path


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rewritten(archive, path, change):
    """The archive again, with its members changed."""
    with tarfile.open(archive) as old, tarfile.open(path, "w") as new:
        for member in old:
            content = old.extractfile(member).read()
            for name, data in change(member.name, content):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                new.addfile(info, io.BytesIO(data))
    return path


def test_by_kcb_from_one_home_to_another(home, tmp_path):
    (tmp_path / "backups").mkdir()
    told = home.kcb("backup", str(tmp_path / "backups")).stdout
    [file] = (tmp_path / "backups").iterdir()
    another = Home(tmp_path / "another")

    assert f"{file}" in told
    assert "up to version 1" in told
    assert file.stat().st_mode & 0o777 == 0o600
    assert "up to version 1" in home.kcb("restore", "--check", str(file)).stdout
    another.kcb("restore", str(file))
    assert contents(another.folder) == {
        name: data
        for name, data in contents(home.folder).items()
        if name.split("/")[0] not in ("work", "extracts", "dagster") and "/." not in name
    }
    assert {"kcb.toml", "reviews/answers.jsonl", "published/ledgers.duckdb"} <= contents(another.folder).keys()
    assert another.kcb("verify").stdout == home.kcb("verify").stdout
    assert another.folder.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in another.folder.rglob("*")} == {0}
    assert not list(home.folder.glob(".backup-*"))


def test_all_is_taken_but_what_is_made_anew_what_is_hidden_and_what_is_a_link(tmp_path):
    home = tmp_path / "home"
    for name in (
        "kcb.toml",
        "reviews/work/answers.jsonl",
        "reviews/.draft",
        "reviews/runs.db-wal",
        "work/a.duckdb",
        ".lock",
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    (home / "reviews" / "link").symlink_to(home / "kcb.toml")

    with tarfile.open(back_up(Place(home), tmp_path / "one.tar", now=NOW).path) as archive:
        assert archive.getnames() == ["kcb.toml", "reviews/work/answers.jsonl", "manifest.json"]


def test_what_an_operator_keeps_elsewhere_and_links_into_the_home_is_taken(tmp_path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (elsewhere / "disk" / "versions").mkdir(parents=True)
    (elsewhere / "kcb.toml").write_text("[school_age]\nentry_age = 7\n")
    (elsewhere / "disk" / "versions" / "one").write_text("1")
    (elsewhere / "disk" / "other").symlink_to(elsewhere / "kcb.toml")
    home.mkdir()
    (home / "kcb.toml").symlink_to(elsewhere / "kcb.toml")
    (home / "published").symlink_to(elsewhere / "disk")
    (home / "work").symlink_to(elsewhere / "disk")

    restore(back_up(Place(home), tmp_path / "one.tar", now=NOW).path, Place(tmp_path / "again"))

    assert set(contents(tmp_path / "again")) == {"kcb.toml", "published/versions/one"}
    assert not (tmp_path / "again" / "kcb.toml").is_symlink()
    assert Place(tmp_path / "again").config().school_age.entry_age == 7


def test_a_volume_that_is_mounted_where_the_home_is_to_be_stays_and_is_filled(small, tmp_path):
    """What is mounted can neither be renamed nor removed, and its parent may be nobody's to write in."""
    volume = tmp_path / "home"
    (volume / "lost+found").mkdir(parents=True)  # of ext4, which nobody but root may look into
    before = volume.stat().st_ino

    restore(small, Place(volume))

    assert volume.stat().st_ino == before
    assert sorted(path.name for path in volume.iterdir()) == ["kcb.toml", "lost+found"]
    assert stat.S_IMODE(volume.stat().st_mode) == 0o700
    (volume / "lost+found" / "a").touch()
    (volume / "published" / "lost+found").mkdir(parents=True)
    (volume / "published" / "lost+found" / "a").touch()
    assert back_up(Place(volume), tmp_path / "again.tar", now=NOW).files == 1


def test_a_torn_backup_leaves_nothing_in_an_empty_home_either(small, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "torn.tar").write_bytes(small.read_bytes()[:600])

    with pytest.raises(VerificationError):
        restore(tmp_path / "torn.tar", Place(tmp_path / "home"))

    assert list((tmp_path / "home").iterdir()) == []


def test_a_restored_home_goes_on_where_the_other_was(first_night, tmp_path):
    archive = back_up(Place(first_night.folder), tmp_path / "one.tar", now=NOW, extracts=True, dagster=True).path
    restored = Home(tmp_path / "home")
    restore(archive, Place(restored.folder))

    assert any(name.startswith(f"extracts/{DATES[1]}/") for name in contents(restored.folder))
    assert not run_night(restored.folder, DATES[0], gates=()).is_new
    with closing(sqlite3.connect(restored.folder / "dagster" / "history" / "runs.db")) as runs:
        assert runs.execute("SELECT status FROM runs").fetchall() == [("SUCCESS",)]


def test_while_a_night_publishes_it_is_a_version_whole(home, tmp_path, monkeypatch):
    """A publication replaces the file and places a folder, under its lock: a backup sees all of it or nothing."""
    place = Place(home.copy(tmp_path / "home").folder)
    linked, publishing = threading.Event(), backups.FileLock(place.published / LOCK_NAME)
    real = backups._link_aside

    def slowly(*arguments):
        real(*arguments)
        linked.set()

    monkeypatch.setattr(backups, "_link_aside", slowly)
    before = place.ledgers.read_bytes()
    with publishing:
        worker = threading.Thread(target=back_up, args=(place, tmp_path / "backup.tar"), kwargs={"now": NOW})
        worker.start()
        place.ledgers.with_name("next").write_bytes(b"the next version")
        place.ledgers.with_name("next").replace(place.ledgers)
        assert not linked.wait(0.5), "it did not wait for the publication"
        place.ledgers.with_name("next").write_bytes(before)
        place.ledgers.with_name("next").replace(place.ledgers)
    assert linked.wait(30)
    # From now on the night may go on: what was linked stays what it was.
    place.ledgers.with_name("next").write_bytes(b"the version after")
    place.ledgers.with_name("next").replace(place.ledgers)
    worker.join(60)

    assert check(tmp_path / "backup.tar", empty(tmp_path)).version == 1


def empty(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def test_without_links_it_is_a_copy(home, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no links on this file system")

    monkeypatch.setattr(os, "link", refuse)
    archive = back_up(Place(home.folder), tmp_path / "copy.tar", now=NOW).path

    assert check(archive, empty(tmp_path)).version == 1


@pytest.mark.parametrize(("member", "further"), [("published/ledgers.duckdb", 100_000), ("manifest.json", 0), ("manifest.json", 600)])  # fmt: skip
def test_a_torn_backup_is_refused_and_leaves_nothing(archive, tmp_path, member, further):
    with tarfile.open(archive) as whole:
        end = whole.getmember(member).offset + further
    torn = tmp_path / "torn.tar"
    torn.write_bytes(archive.read_bytes()[:end])

    with pytest.raises(VerificationError, match="torn"):
        restore(torn, Place(tmp_path / "home"))

    assert [path.name for path in tmp_path.iterdir()] == ["torn.tar"]


def test_a_changed_file_is_named(archive, tmp_path):
    def change(name, content):
        yield name, b"[school_age]\nentry_age = 6\n" if name == "kcb.toml" else content

    with pytest.raises(VerificationError, match=r"not what was backed up.*kcb\.toml"):
        restore(rewritten(archive, tmp_path / "changed.tar", change), Place(tmp_path / "home"))


@pytest.fixture
def small(tmp_path):
    """A home of one file, and the archive of it."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "kcb.toml").write_text("[school_age]\nentry_age = 7\n")
    os.utime(tmp_path / "small" / "kcb.toml", (1_700_000_000, 1_700_000_000))
    return back_up(Place(tmp_path / "small"), tmp_path / "small.tar", now=NOW).path


def test_a_file_comes_back_with_its_time(small, tmp_path):
    restore(small, Place(tmp_path / "home"))

    assert (tmp_path / "home" / "kcb.toml").stat().st_mtime == 1_700_000_000


@pytest.mark.parametrize("change", [lambda name, content: [(name, content)] * (name == "manifest.json"),
                                    lambda name, content: [("added", b""), (name, content)] if name == "kcb.toml" else [(name, content)]],
                         ids=["too few", "too many"])  # fmt: skip
def test_a_file_too_few_or_too_many_is_named(small, tmp_path, change):
    with pytest.raises(VerificationError, match=r"1 file\(s\) differ, the first is (kcb\.toml|added)"):
        restore(rewritten(small, tmp_path / "changed.tar", change), Place(tmp_path / "home"))


def test_ledgers_that_were_changed_before_the_backup_are_refused_by_their_chain(home, tmp_path):
    import duckdb

    changed = home.copy(tmp_path / "changed")
    with duckdb.connect(str(changed.ledgers)) as connection:
        connection.execute("UPDATE child_facts_history SET sex = '2' WHERE sex = '1'")
    archive = back_up(Place(changed.folder), tmp_path / "changed.tar", now=NOW).path

    with pytest.raises(VerificationError, match="not what was published"):
        restore(archive, Place(tmp_path / "home"))


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "published/../../outside"])
def test_nothing_is_written_outside(archive, tmp_path, name):
    def change(member, content):
        yield (name if member == "kcb.toml" else member), content

    with pytest.raises(VerificationError, match="no place in a backup"):
        restore(rewritten(archive, tmp_path / "changed.tar", change), Place(tmp_path / "a" / "b"))

    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_nothing_but_a_file_has_a_place_in_it(tmp_path, kind):
    with tarfile.open(tmp_path / "one.tar", "w") as archive:
        strange = tarfile.TarInfo("reviews")
        strange.type, strange.linkname = kind, "/etc/passwd"
        archive.addfile(strange)

    with pytest.raises(VerificationError, match="'reviews' has no place in a backup"):
        restore(tmp_path / "one.tar", Place(tmp_path / "home"))


def test_nor_has_a_second_file_of_the_same_name(tmp_path):
    with tarfile.open(tmp_path / "one.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("kcb.toml"))

    with pytest.raises(VerificationError, match="no place in a backup"):
        restore(tmp_path / "one.tar", Place(tmp_path / "home"))


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"{", b"[]", b"{}", b'{"format": 1, "code_version": "1", "files": 7}',
                b'{"format": 1, "code_version": "1", "files": {"kcb.toml": {"sha25": ""}}}'],
)  # fmt: skip
def test_a_manifest_that_was_changed_is_said(small, tmp_path, content):
    def change(name, whole):
        yield name, content if name == "manifest.json" else whole

    with pytest.raises(VerificationError, match="its manifest was changed"):
        restore(rewritten(small, tmp_path / "changed.tar", change), Place(tmp_path / "home"))


def test_a_form_of_later_is_said(archive, tmp_path):
    def change(name, content):
        yield name, json.dumps(json.loads(content) | {"format": 99}).encode() if name == "manifest.json" else content

    with pytest.raises(UsageError, match="in a form"):
        restore(rewritten(archive, tmp_path / "later.tar", change), Place(tmp_path / "home"))


def test_nothing_is_written_over(home, archive, tmp_path):
    before = contents(home.folder)

    home.kcb("restore", str(archive), code=2)
    with pytest.raises(UsageError, match="never overwritten"):
        back_up(Place(home.folder), archive, now=NOW)
    with pytest.raises(UsageError, match="inside the home"):
        back_up(Place(home.folder), home.folder / "published", now=NOW)

    assert contents(home.folder) == before


def test_settings_that_cannot_be_read_are_backed_up_and_restored_as_they_are(home, tmp_path):
    """A slip of tonight, or a setting of another version of this program: to mend it there have to be a home and a backup."""
    broken = home.copy(tmp_path / "broken")
    (broken.folder / "kcb.toml").write_text("[school_age]\nof_another_version = 1\n")

    restore(back_up(Place(broken.folder), tmp_path / "one.tar", now=NOW).path, Place(tmp_path / "again"))

    assert (tmp_path / "again" / "kcb.toml").read_text() == "[school_age]\nof_another_version = 1\n"
    assert (tmp_path / "again" / "published" / "ledgers.duckdb").read_bytes() == home.ledgers.read_bytes()


def test_another_schema_is_refused_by_name(home, tmp_path):
    import duckdb

    older = home.copy(tmp_path / "older")
    shutil.rmtree(older.folder / "work")
    with duckdb.connect(str(older.ledgers)) as connection:
        connection.execute("ALTER TABLE row_accounts DROP unanswered")

    for command in (("ledgers",), ("run", "--date", str(DATES[2]))):
        told = older.kcb(*command, code=8).stderr
        assert "it has no row_accounts.unanswered" in told
        assert "docs/operations/upgrade.md" in told
    assert not list((older.folder / "work").glob("*.duckdb"))
    # What cannot be gone on with can still be saved, and be restored by the program that published it.
    archive = back_up(Place(older.folder), tmp_path / "older.tar", now=NOW)
    assert archive.version == 1
    with pytest.raises(SchemaError, match=r"it has no row_accounts\.unanswered"):
        restore(archive.path, Place(tmp_path / "home"))
