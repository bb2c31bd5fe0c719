"""What belongs to a version beside its rows: what its manifest says, and which changes of a folder, of `links` and of the views are found."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from kcb_pipeline.engines.embedded import connect, frame
from kcb_pipeline.errors import KeyRefusedError, UsageError, VerificationError
from kcb_pipeline.ledgers.digest import Fault
from kcb_pipeline.ledgers.manifest import (
    _folder_faults,
    sign_manifests,
    signing_key,
    verify_folders,
    verify_signatures,
    write_manifest,
)
from kcb_pipeline.signatures import FILE_VARIABLE, KEY_VARIABLE, Signers, SigningKey
from tests.unit.ledgers.conftest import DAYS, office_in

NIGHT = {
    "child_facts": [{"child_id": "C1", "status": "enrolled"}],
    "child_rows": [{"child_id": "C1"}],
    "check_results": [{"name": f"identity.{nth}", "passed": True} for nth in range(3)],
    "links": [{"population_row": 1, "reason": "r"}],
}


def write_papers(connection, number, folder):
    """Stands for what offices receive, and for what shows a version."""
    for name in (
        "report.html",
        "data_docs/index.html",
        "data_docs/a/index.html",
        "worklists/甲.xlsx",
        "更正建议.xlsx",
        "待补正.xlsx",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} of version {number}", encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An office that has published two versions without a key, the first without a paper."""
    office = office_in(tmp_path_factory.mktemp("manifest") / "home")
    for day, more in zip(DAYS[:2], ({}, {"accompany": write_papers}), strict=True):
        office.draft(day, NIGHT)
        office.publish(day, **more)
    return office


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    """Whoever runs the tests may sign what they publish."""
    for name in (KEY_VARIABLE, FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def ledgers(published):
    """The published file, to be read."""
    with connect(published.home.ledgers, published.home.limits(), read_only=True) as connection:
        yield connection


@pytest.fixture
def folder(published, tmp_path):
    """The folder of the second version, to be changed."""
    return shutil.copytree(published.home.version_folder(2), tmp_path / "000002")


@pytest.fixture
def home(published, tmp_path):
    """The whole home, to be changed."""
    return published.copy(tmp_path / "home").home


def said_in(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def say(folder, said):
    """Write a manifest as somebody may who does not ask this program."""
    text = said if isinstance(said, str) else json.dumps(said)
    (folder / "manifest.json").write_text(text, encoding="utf-8")


def found_in(folder, connection):
    """What is found in one version's folder."""
    [row] = frame(connection, "SELECT * FROM ledger_versions WHERE version = 2").to_dicts()
    return list(_folder_faults(connection, folder, row))


# -- what a manifest says ----------------------------------------------------------------------------------------------


def test_a_manifest_says_what_the_version_says_and_lists_what_lies_beside_it(published):
    [first, second] = published.frame("SELECT * FROM ledger_versions ORDER BY version").to_dicts()
    papers = [
        "data_docs/a/index.html",
        "data_docs/index.html",
        "report.html",
        "worklists/甲.xlsx",
        "待补正.xlsx",
        "更正建议.xlsx",
    ]

    for row, files, shown in ((first, [], (None, None)), (second, papers, ("report.html", "data_docs/index.html"))):
        said = said_in(published.home.version_folder(row["version"]))
        own = {name: said.pop(name) for name in ("checks", "report", "data_docs", "files", "links_digest")}
        assert said == json.loads(json.dumps(row, default=str))
        assert (own["checks"], list(own["files"])) == (3, files)
        assert (own["report"], own["data_docs"]) == shown
        assert {len(digest) for digest in [*own["files"].values(), own["links_digest"]]} == {64}


def test_a_manifest_that_is_made_again_has_the_same_bytes(folder, ledgers):
    before = (folder / "manifest.json").read_bytes()
    write_manifest(ledgers, 2, folder, None)

    assert (folder / "manifest.json").read_bytes() == before
    assert list(json.loads(before)) == sorted(json.loads(before))


def test_of_links_only_the_standing_version_says_the_digest(folder, ledgers):
    write_manifest(ledgers, 1, folder, None)

    assert said_in(folder)["links_digest"] is None


# -- what is found -----------------------------------------------------------------------------------------------------


def test_nothing_is_found_where_nothing_was_changed(published, ledgers):
    assert verify_folders(ledgers, published.home) == []


UNSURE = "versions/000002/manifest.json says otherwise than manifest.json.sig whether it is signed"
OF_FOLDERS = {
    "a file changed": (lambda f: (f / "report.html").write_text("x"), "1 file(s) in versions/000002 are not as they were made"),
    "a file deeper changed": (lambda f: (f / "data_docs" / "a" / "index.html").write_text("x"), "1 file(s) in versions/000002 are not as they were made"),
    "a file gone": (lambda f: (f / "report.html").unlink(), "1 file(s) in versions/000002 are gone"),
    "a folder in a file's place": (lambda f: ((f / "report.html").unlink(), (f / "report.html").mkdir()), "1 file(s) in versions/000002 are gone"),
    "a file more": (lambda f: (f / "x.xlsx").touch(), "1 file(s) in versions/000002 were put there"),
    "a file more, deeper": (lambda f: (f / "data_docs" / "x.html").touch(), "1 file(s) in versions/000002 were put there"),
    "a link to nothing more": (lambda f: (f / "x").symlink_to("nowhere"), "1 file(s) in versions/000002 were put there"),
    "a link to nothing in a file's place": (
        lambda f: ((f / "report.html").unlink(), (f / "report.html").symlink_to("nowhere")),
        "1 file(s) in versions/000002 are not as they were made",
    ),
    "the folder gone": (shutil.rmtree, "its folder versions/000002 is gone"),
    "the manifest gone": (lambda f: (f / "manifest.json").unlink(), "versions/000002/manifest.json is gone, or lists no files (kcb report --version 2 makes it again)"),
    "a signature put there": (lambda f: (f / "manifest.json.sig").touch(), UNSURE),
}  # fmt: skip


@pytest.mark.parametrize(("change", "what"), OF_FOLDERS.values(), ids=OF_FOLDERS)
def test_a_change_of_a_folder_is_found(folder, ledgers, change, what):
    change(folder)

    assert found_in(folder, ledgers) == [what]


@pytest.mark.parametrize("paper", ["worklists", "更正建议.xlsx", "待补正.xlsx"])
def test_papers_that_retention_erases_may_be_gone(folder, ledgers, paper):
    shutil.rmtree(folder / paper) if (folder / paper).is_dir() else (folder / paper).unlink()

    assert found_in(folder, ledgers) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 3}', '{"files": ["x"]}', "null"])
def test_a_manifest_that_is_none_is_a_fault_and_stops_nothing(folder, ledgers, text):
    say(folder, text)

    assert ["is gone, or lists no files" in what for what in found_in(folder, ledgers)] == [True]


def test_a_manifest_that_says_another_version_or_less_of_it_is_found(folder, ledgers):
    said = said_in(folder)
    for other, differing in (
        (said | {"dropouts": 7, "comparison_date": "2026-11-20"}, "comparison_date, dropouts"),
        ({name: value for name, value in said.items() if name != "previous_digest"}, "previous_digest"),
        ({name: value for name, value in said.items() if name != "engine"}, "engine"),
    ):
        say(folder, other)
        assert found_in(folder, ledgers) == [
            f"versions/000002/manifest.json says another {differing} than ledgers.duckdb"
        ]

    say(folder, said | {"signed_by": "somebody"})
    assert found_in(folder, ledgers) == [UNSURE]


def test_a_folder_of_a_version_that_is_not_there_is_found_and_so_is_every_other_folder(home):
    for name in ("000003", "000003-kept", ".000004.next", "notes"):
        (home.version_folder(3).parent / name).mkdir()
    (home.version_folder(1) / "x").touch()
    (home.version_folder(2) / "x").touch()

    with connect(home.ledgers, home.limits(), read_only=True) as connection:
        assert verify_folders(connection, home) == [
            Fault(1, "1 file(s) in versions/000001 were put there"),
            Fault(2, "1 file(s) in versions/000002 were put there"),
            Fault(3, "its folder is there, but ledgers.duckdb does not hold it: an older file was put in its place"),
        ]


OF_LEDGERS = {
    "a link changed": ("UPDATE links SET reason = 'x'", "the rows of links are not those that were published"),
    "a link more": ("INSERT INTO links SELECT * FROM links", "the rows of links are not those that were published"),
    "a view gone": ("DROP VIEW dropouts", "the view dropouts is gone"),
    "a view changed": ("CREATE OR REPLACE VIEW dropouts AS SELECT * FROM dropouts_history WHERE false", "the view dropouts says something else than was published"),
    "a macro changed": ("CREATE OR REPLACE MACRO version_on(day) AS (1)", "the macro version_on says something else than was published"),
    "a table more": ("CREATE TABLE notes (text VARCHAR)", "1 table(s), view(s) or macro(s) in ledgers.duckdb are not ours"),
}  # fmt: skip


def faults(home, change):
    """What is found in a home after a change of its published file, which is taken back."""
    with connect(home.ledgers, home.limits()) as connection:
        connection.execute("BEGIN")
        try:
            connection.execute(change)
            return verify_folders(connection, home)
        finally:
            connection.execute("ROLLBACK")


@pytest.mark.parametrize(("change", "what"), OF_LEDGERS.values(), ids=OF_LEDGERS)
def test_a_change_of_what_no_digest_of_a_version_covers_is_found(home, change, what):
    assert faults(home, change) == [Fault(2, what)]


def test_views_of_another_program_are_not_judged_by_this_one(home):
    """The row says by whom it was published: its seal vouches for that."""
    change = "UPDATE ledger_versions SET code_version = '0.0.1'; DROP VIEW dropouts"

    assert [fault.what for fault in faults(home, change)] == [
        f"versions/00000{n}/manifest.json says another code_version than ledgers.duckdb" for n in (1, 2)
    ]


# -- signatures --------------------------------------------------------------------------------------------------------


@pytest.fixture
def key(tmp_path, monkeypatch):
    """A key to sign with, which the environment names, and those who believe it."""
    (tmp_path / "office.pub").write_text(SigningKey.make(tmp_path / "office.sign"), encoding="ascii")
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "office.sign"))
    return SigningKey.of_environment(), Signers.read([tmp_path / "office.pub"])


@pytest.fixture
def opened(home):
    """The published file of the home that may be changed, and the folders of its two versions."""
    with connect(home.ledgers, home.limits()) as connection:
        yield connection, home, home.version_folder(1), home.version_folder(2)


def test_manifests_are_signed_once_and_say_by_which_key(opened, key):
    connection, home, first, second = opened
    signing, signers = key
    assert sign_manifests(connection, home, signing) == 2
    (first / "manifest.json.sig").unlink()
    say(first, {name: value for name, value in said_in(first).items() if name != "signed_by"})
    kept = (second / "manifest.json").stat().st_mtime_ns
    assert sign_manifests(connection, home, signing) == 1

    assert verify_signatures(connection, home, signers) == []
    assert verify_folders(connection, home) == []
    assert [said_in(folder)["signed_by"] for folder in (first, second)] == [signing.name] * 2
    assert (second / "manifest.json").stat().st_mtime_ns == kept


def test_what_was_changed_is_not_signed(opened, key):
    connection, home, first, _ = opened
    (first / "x").touch()
    with pytest.raises(VerificationError, match=re.escape("1 fault(s), see kcb verify: nothing was signed")):
        sign_manifests(connection, home, key[0])

    (first / "x").unlink()
    connection.execute("UPDATE child_facts_history SET status = 'dropout'")
    with pytest.raises(VerificationError, match=re.escape("2 fault(s), see kcb verify: nothing was signed")):
        sign_manifests(connection, home, key[0])


@pytest.mark.parametrize("text", [None, "{", "[]"], ids=["gone", "no JSON", "a list"])
def test_each_manifest_is_held_to_its_signature_and_one_that_is_none_is_left_to_its_folder(opened, key, text):
    connection, home, first, second = opened
    for number, folder in ((1, first), (2, second)):
        write_manifest(connection, number, folder, key[0])
    (first / "manifest.json").unlink() if text is None else say(first, text)
    say(second, said_in(second) | {"dropouts": 7})

    assert verify_signatures(connection, home, key[1]) == [
        Fault(2, "versions/000002/manifest.json was changed after it was signed")
    ]


def test_another_key_is_refused_where_it_signed_nothing_and_a_fault_where_it_signed_something(opened, key, tmp_path):
    connection, home, *folders = opened
    (tmp_path / "other.pub").write_text(SigningKey.make(tmp_path / "other.sign"), encoding="ascii")
    others = Signers.read([tmp_path / "other.pub"])
    assert verify_signatures(connection, home, others) == [
        Fault(number, f"versions/00000{number}/manifest.json is not signed") for number in (1, 2)
    ]
    for number, folder in enumerate(folders, start=1):
        write_manifest(connection, number, folder, key[0])
    with pytest.raises(KeyRefusedError, match="none of the versions is signed by the key that was given"):
        verify_signatures(connection, home, others)

    other = SigningKey._parsed((tmp_path / "other.sign").read_text(encoding="ascii"), "")
    write_manifest(connection, 1, folders[0], other)
    assert verify_signatures(connection, home, others) == [
        Fault(2, "versions/000002/manifest.json is signed by another key")
    ]


def test_what_was_signed_is_made_again_only_with_a_key(folder, ledgers, key, tmp_path, monkeypatch):
    write_manifest(ledgers, 2, folder, key[0])
    assert signing_key(folder).name == key[0].name
    monkeypatch.delenv(FILE_VARIABLE)

    with pytest.raises(UsageError, match="versions/000002 is signed: KCB_SIGNING_KEY_FILE has to name a key"):
        signing_key(folder)
    assert signing_key(tmp_path / "000009") is None


def test_a_manifest_and_its_signature_are_on_the_disk_when_they_have_been_written(folder, ledgers, key, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append(Path(f"/proc/self/fd/{number}").readlink().name))
    write_manifest(ledgers, 2, folder, key[0])

    assert flushed == ["manifest.json", "manifest.json.sig"]
