"""Publication: what the rows of a draft become, from version to version, and what is refused or put right before the published file is touched."""

import dataclasses
import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from kcb_pipeline import __version__
from kcb_pipeline.engines.embedded import Limits, connect
from kcb_pipeline.errors import GateError, KcbError, StaleDraftError, UsageError
from kcb_pipeline.gates import DISCLOSURE, SUITES, record
from kcb_pipeline.ledgers import publication
from kcb_pipeline.ledgers.digest import verify
from kcb_pipeline.ledgers.manifest import verify_folders
from kcb_pipeline.ledgers.previous import versions
from kcb_pipeline.ledgers.publication import Draft, Published, draft_token, is_published, refuse_unless_passed
from kcb_pipeline.ledgers.schema import table
from kcb_pipeline.signatures import FILE_VARIABLE
from tests.unit.ledgers.conftest import DAYS, office_in


def children(**statuses):
    """Children of those statuses, each with its facts and its row numbers."""
    return {
        "child_facts": [{"child_id": child, "status": status} for child, status in statuses.items()],
        "child_rows": [{"child_id": child, "population_row": nth} for nth, child in enumerate(statuses, start=1)],
    }


CASE = {"case_id": "A1", "child_id": "C1", "state": "suspected", "opened_on": DAYS[0]}
CLOSED = CASE | {"state": "closed", "closed_on": DAYS[1]}
OPENED = {"case_id": "A1", "sequence": 1, "event": "opened"}
ENDED = {"case_id": "A1", "sequence": 2, "event": "closed"}
FIRST = children(C1="suspected", C2="enrolled", C3="dropout", C4="unenrolled", C5="needs_review", C6="enrolled") | {
    "cases": [CASE],
    "case_events": [OPENED],
    "suspected_dropouts": [{"child_id": "C1", "case_id": "A1"}],
    "dropouts": [{"child_id": "C3", "case_id": "A3"}],
    "child_lineage": [{"child_id": "C2", "former_child_id": "C9", "reason": "merged"}],
    "duplicate_enrolments": [{"child_id": None, "registry_row": 1, "duplicate_registry_row": 2, "reason": "same_number"}],
    "statistics": [{"indicator": name, "numerator": 1} for name in ("c", "a", "b")],
    "links": [{"population_row": row, "reason": "r"} for row in (3, 1, 2)],
}  # fmt: skip
SECOND = FIRST | children(C8="enrolled", C7="enrolled", C1="enrolled", C2="enrolled", C3="dropout", C4="unenrolled", C5=None) | {
    "cases": [CLOSED | {"opened_version": 1}],
    "case_events": [OPENED | {"version": 1}, ENDED],
    "suspected_dropouts": [],
    "dropouts": [{"child_id": "C3", "case_id": "A3", "opened_version": 1}],
    "child_lineage": [{"child_id": "C2", "former_child_id": "C9", "reason": "merged", "version": 1}],
}  # fmt: skip
THIRD = SECOND | {
    "cases": [CLOSED | {"opened_version": 1, "closed_version": 2, "visits": 1}],
    "case_events": [OPENED | {"version": 1}, ENDED | {"version": 2}],
}


def write_note(connection, number, folder):
    """Stands for the papers of offices: says how many children the version has."""
    [(count,)] = connection.execute("SELECT count(*) FROM school_age_children").fetchall()
    (folder / "papers").mkdir()
    (folder / "papers" / "note.txt").write_text(f"version {number}: {count}", encoding="utf-8")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """An office that has published three nights, whose drafts had their rows backwards; and what publishing said of each."""
    office = office_in(tmp_path_factory.mktemp("published") / "home")
    said = []
    for day, draft in zip(DAYS, (FIRST, SECOND, THIRD), strict=False):
        office.draft(day, {name: rows[::-1] for name, rows in draft.items()})
        said.append(office.publish(day, engine="spark", accompany=write_note))
    return office, said


def verified(office):
    with connect(office.home.ledgers, office.home.limits(), read_only=True) as connection:
        return verify(connection)[1] + verify_folders(connection, office.home)


# -- what the rows of a draft become --------------------------------------------------------------------------------


def test_what_entered_left_and_changed_is_counted(published):
    _, [first, second, third] = published

    assert first == Published(1, is_new=True, content_digest=first.content_digest, entered=6)
    assert second == Published(2, is_new=True, content_digest=second.content_digest, entered=2, left=1, changed=2)
    assert third == Published(3, is_new=True, content_digest=third.content_digest)


def test_a_history_keeps_what_stood_and_only_what_changed_is_written(published):
    office, _ = published

    assert office.ask(
        "SELECT child_id, status, valid_from_version, valid_to_version FROM child_facts_history ORDER BY ALL"
    ) == [
        ("C1", "enrolled", 2, None), ("C1", "suspected", 1, 2), ("C2", "enrolled", 1, None), ("C3", "dropout", 1, None),
        ("C4", "unenrolled", 1, None), ("C5", "needs_review", 1, 2), ("C5", None, 2, None), ("C6", "enrolled", 1, 2),
        ("C7", "enrolled", 2, None), ("C8", "enrolled", 2, None),
    ]  # fmt: skip


def test_a_row_whose_key_is_missing_in_part_is_the_row_it_was(published):
    office, _ = published

    assert office.ask("SELECT registry_row, valid_from_version, valid_to_version FROM duplicate_enrolments_history") == [
        (1, 1, None)
    ]  # fmt: skip


def test_a_log_holds_the_rows_of_every_version_and_links_are_those_of_the_last(published):
    office, _ = published

    assert office.ask("SELECT version, indicator FROM statistics ORDER BY ALL") == [
        (version, indicator) for version in (1, 2, 3) for indicator in "abc"
    ]
    assert office.ask("SELECT version, population_row FROM links ORDER BY ALL") == [(3, 1), (3, 2), (3, 3)]


def test_rows_lie_in_the_order_of_their_keys_whatever_order_the_draft_had(published):
    """A file of the same rows is the same file."""
    office, _ = published
    lying = "SELECT {} FROM {} WHERE {} ORDER BY rowid"

    assert office.ask(lying.format("child_id", "child_facts_history", "valid_from_version = 1")) == [(f"C{n}",) for n in range(1, 7)]  # fmt: skip
    assert office.ask(lying.format("child_id", "child_facts_history", "valid_from_version = 2")) == [("C1",), ("C5",), ("C7",), ("C8",)]  # fmt: skip
    assert office.ask(lying.format("indicator", "statistics", "version = 1")) == [("a",), ("b",), ("c",)]
    assert office.ask(lying.format("population_row", "links", "true")) == [(1,), (2,), (3,)]


def test_what_began_or_ended_tonight_is_stamped_with_the_version_it_became(published):
    office, _ = published

    assert office.ask("SELECT opened_version, closed_version, visits FROM cases_history ORDER BY valid_from_version") == [
        (1, None, None), (1, 2, None), (1, 2, 1),
    ]  # fmt: skip
    assert office.ask("SELECT event, version, valid_from_version FROM case_events_history ORDER BY sequence") == [
        ("opened", 1, 1), ("closed", 2, 2),
    ]  # fmt: skip
    assert office.ask("SELECT version, valid_to_version FROM child_lineage_history") == [(1, None)]
    assert office.ask("SELECT opened_version, valid_to_version FROM suspected_dropouts_stored") == [(1, 2)]
    assert office.ask("SELECT opened_version, valid_to_version FROM dropouts_stored") == [(1, None)]


def test_a_version_says_what_it_was_made_from_and_how_many_stand_where(published):
    office, said = published
    [one, two, _] = office.frame("SELECT * FROM ledger_versions ORDER BY version").to_dicts()

    assert one | {"content_digest": "", "seal": ""} == {
        "version": 1, "comparison_date": DAYS[0], "published_at": dt.datetime.fromisoformat("2026-11-18T18:30:15"), "run_id": "run-2026-11-18",
        "code_version": __version__, "rules_digest": "r", "inputs_digest": "i", "content_digest": "", "previous_digest": None, "eligible": 6,
        "enrolled": 2, "suspected": 2, "dropouts": 1, "review": 1, "engine": "spark", "base_version": None, "seal": "",
    }  # fmt: skip
    assert (two["previous_digest"], two["content_digest"]) == (said[0].content_digest, said[1].content_digest)
    assert (two["version"], two["comparison_date"], two["base_version"]) == (2, DAYS[1], 1)


def test_what_is_published_verifies_and_nothing_is_left_beside_it(published):
    office, _ = published
    published_folder = office.home.published

    assert verified(office) == []
    assert sorted(path.name for path in published_folder.iterdir()) == [".publishing.lock", "ledgers.duckdb", "versions"]  # fmt: skip
    assert sorted(path.name for path in (published_folder / "versions").iterdir()) == ["000001", "000002", "000003"]


# -- again, and on what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, 2),
        ({"comparison_date": DAYS[3]}, None),
        ({"inputs_digest": "other"}, None),
        ({"rules_digest": "other"}, None),
        ({"base_version": 3}, None),
    ],
    ids=["the same", "date", "extracts", "rules", "base"],
)
def test_a_draft_is_published_already_where_it_was_made_from_the_same(published, change, found):
    office, _ = published
    draft = {"comparison_date": DAYS[1], "inputs_digest": "i", "rules_digest": "r", "base_version": 1, "base_digest": "b"}  # fmt: skip

    already = is_published(Draft(**draft | change), versions(office.home.ledgers, office.home.limits()))

    assert (already and already.version) == found


@pytest.mark.parametrize(
    "other", [{"version": 9}, {"content_digest": "0" * 64}], ids=["another", "another of its number"]
)
def test_a_draft_on_another_version_than_the_one_before_is_refused(published, tmp_path, other):
    """A file that was restored from a backup may hold another version of that number."""
    office = published[0].copy(tmp_path / "home")
    before = office.home.ledgers.read_bytes()
    base = dataclasses.replace(versions(office.home.ledgers, office.home.limits())[-1], **other)
    office.draft(DAYS[3], THIRD, base=base)

    with pytest.raises(StaleDraftError, match="version 3 has to come before it now"):
        office.publish(DAYS[3])
    assert office.home.ledgers.read_bytes() == before


# -- no gate is gone round ---------------------------------------------------------------------------------------------


DRAFT = Draft(DAYS[0], "i", "r", 1, "b")


@pytest.fixture
def gates():
    """A working database in which every gate has passed the draft."""
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        connection.execute("CREATE SCHEMA gates")
        for suite in SUITES:
            record(connection, suite, [], draft_token(DRAFT))
        yield connection


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM gates.verdicts WHERE suite = ?", "have not looked at this draft"),
        ("UPDATE gates.verdicts SET draft = 'another' WHERE suite = ?", "have not looked at this draft"),
        ("UPDATE gates.verdicts SET passed = false WHERE suite = ?", "have failed"),
    ],
)
def test_each_gate_has_to_have_passed_this_draft(gates, suite, change, said):
    refuse_unless_passed(gates, SUITES, DRAFT)
    gates.execute(change, [suite])

    with pytest.raises(GateError, match=f"the gates {suite} {said}"):
        refuse_unless_passed(gates, SUITES, DRAFT)


def test_the_gate_of_analysts_stops_nothing_here(gates):
    record(gates, DISCLOSURE, [], draft_token(DRAFT))
    gates.execute("UPDATE gates.verdicts SET passed = false WHERE suite = 'disclosure'")

    refuse_unless_passed(gates, SUITES, DRAFT)


@pytest.mark.parametrize(
    "change",
    [{"comparison_date": DAYS[1]}, {"inputs_digest": "j"}, {"rules_digest": "s"}, {"base_version": 2}],
    ids=["date", "extracts", "rules", "base"],
)
def test_a_verdict_is_of_one_draft_alone(change):
    assert draft_token(dataclasses.replace(DRAFT, **change)) != draft_token(DRAFT)


# -- whole or not at all -----------------------------------------------------------------------------------------------


def test_another_publication_is_waited_for_and_not_for_ever(office, monkeypatch):
    monkeypatch.setattr(publication, "LOCK_WAIT_SECONDS", 0)
    office.draft(DAYS[0], FIRST)
    office.home.published.mkdir()

    with FileLock(office.home.published / publication.LOCK_NAME), pytest.raises(KcbError, match="another publication"):
        office.publish(DAYS[0])


def test_a_key_that_is_none_is_said_before_anything_is_made(office, tmp_path, monkeypatch):
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "none.sign"))
    office.draft(DAYS[0], FIRST)

    with pytest.raises(UsageError, match=r"none\.sign"):
        office.publish(DAYS[0])
    assert not office.home.published.exists()


def test_what_a_killed_run_left_is_not_gone_on_with(office):
    folder = office.home.version_folder(1)  # and an older file was restored since: there is no version 1
    aside = folder.with_name(".000001.next")
    for place in (folder, aside):
        place.mkdir(parents=True)
        (place / "left").touch()
    for name in (".ledgers.next.duckdb", ".ledgers.next.duckdb.wal"):
        (office.home.published / name).write_bytes(b"half of it")
    office.draft(DAYS[0], FIRST)

    office.publish(DAYS[0])

    assert verified(office) == []
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert not aside.exists()


DIES_BEFORE_ITS_CHECKPOINT = """
import os, sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("DELETE FROM child_rows_history")
os._exit(0)
"""


def test_nor_is_a_log_of_what_it_had_begun_to_change(published, tmp_path):
    office = published[0].copy(tmp_path / "home")
    aside = office.home.published / ".ledgers.next.duckdb"
    shutil.copy(office.home.ledgers, aside)
    subprocess.run([sys.executable, "-c", DIES_BEFORE_ITS_CHECKPOINT, str(aside)], check=True)
    assert aside.with_name(aside.name + ".wal").stat().st_size
    before = office.ask("FROM child_rows_history")
    office.draft(DAYS[3], THIRD)

    office.publish(DAYS[3])

    assert office.ask("FROM child_rows_history") == before


def test_a_folder_that_a_killed_run_owed_is_made_by_the_next_to_the_same_bytes(published, tmp_path):
    office = published[0].copy(tmp_path / "home")
    folder = office.home.version_folder(3)
    made = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    folder.rename(folder.with_name(".000003.next"))  # as far as it had come

    again = office.publish(DAYS[1], accompany=write_note)  # of any date

    assert again == Published(2, is_new=False, content_digest=published[1][1].content_digest)
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == made
    assert made.keys() == {"manifest.json", "note.txt"}
    assert verified(office) == []


def test_nothing_takes_its_name_before_it_is_on_the_disk(office, monkeypatch):
    """What a loss of power leaves is what was flushed: the file before its rename, and the folder that says its name after it."""
    happened = []
    fsync, replace = os.fsync, os.replace

    def flush(descriptor):
        happened.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def rename(source, target):
        happened.append(("rename", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    office.draft(DAYS[0], FIRST)
    office.publish(DAYS[0], accompany=write_note)

    assert happened == [
        ("flush", ".ledgers.next.duckdb"), ("flush", "manifest.json"), ("flush", ".000001.next"), ("flush", "papers"),
        ("rename", "ledgers.duckdb"), ("flush", "published"), ("rename", "000001"), ("flush", "versions"),
    ]  # fmt: skip


def test_a_version_that_does_not_hold_the_children_that_were_counted_is_not_published(published, tmp_path):
    office = published[0].copy(tmp_path / "home")
    before = office.home.ledgers.read_bytes()
    office.draft(DAYS[3], THIRD | {"child_rows": THIRD["child_rows"][1:]})

    with pytest.raises(KcbError, match="version 4 holds 6 children where 7 were counted: nothing was published"):
        office.publish(DAYS[3])
    assert office.home.ledgers.read_bytes() == before


def test_two_copies_of_a_table_are_told_apart_by_a_cell_and_by_a_row():
    found = table("sources")
    with connect(None, Limits(memory="500MB", threads=1)) as connection:
        connection.execute("CREATE TABLE kept (source VARCHAR, last_sent_on DATE)")
        gists = []
        for sql in (
            "INSERT INTO kept VALUES ('population', DATE '2026-11-20'), ('residents', NULL)",
            "UPDATE kept SET last_sent_on = DATE '2026-11-19' WHERE source = 'residents'",
            "INSERT INTO kept VALUES ('absences', NULL), ('absences', NULL)",  # two that are the same undo each other in the second number
        ):
            connection.execute(sql)
            gists.append(publication._gist(connection, found, "kept"))

    assert len(set(gists)) == 3
