"""One real night end to end, and the nights after it, seen from outside: plain DuckDB on the published file, `kcb` in its own process."""

import json
import os
import pty
import re
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.pipeline.conftest import CHILDREN, DATES

STATUSES = {
    "enrolled", "enrolled_elsewhere", "special_provision", "deferred", "on_leave", "completed", "departed", "needs_review", "unenrolled",
    "suspected", "dropout",
}  # fmt: skip


def truth(home, date, name):
    return pl.read_parquet(home.folder / "truth" / str(date) / f"{name}.parquet")


def test_every_child_of_school_age_stands_once(first_night):
    [(rows, children)] = first_night.query("SELECT count(*), count(DISTINCT child_id) FROM school_age_children")

    assert rows == children == CHILDREN


def test_statuses_add_up_and_carry_reasons(first_night):
    counts = dict(first_night.query("SELECT status, count(*) FROM school_age_children GROUP BY status"))
    [(without_reason,)] = first_night.query("SELECT count(*) FROM school_age_children WHERE status_reason IS NULL")
    [(eligible,)] = first_night.query("SELECT eligible FROM ledger_versions")

    assert set(counts) <= STATUSES
    assert sum(counts.values()) == eligible
    assert without_reason == 0


@pytest.mark.parametrize("night", range(len(DATES)))
def test_the_truth_is_found(three_nights, night):
    """Nearly every child has the status that perfect linkage would give it, and nobody decidable who is out of school is hidden."""
    date = DATES[night]
    rows = three_nights.query(
        f"SELECT population_type, population_row, status FROM school_age_children_as_of({night + 1})"
    )
    ours = pl.DataFrame(rows, schema=["population_type", "population_row", "found"], orient="row")
    known = truth(three_nights, date, "children").filter(~pl.col("undecidable"))

    both = known.join(ours, on=["population_type", "population_row"], how="inner")
    wrong = both.filter(pl.col("status") != pl.col("found"))
    out = pl.col("status").is_in(["unenrolled", "suspected", "dropout"])
    hidden = both.filter(out & ~pl.col("found").is_in(["unenrolled", "suspected", "dropout", "needs_review"]))

    assert both.height >= known.height - known.filter(pl.col("status") == "departed").height
    assert wrong.height <= 0.01 * known.height
    assert hidden.height == 0


def test_links_are_one_to_one_with_reasons_that_add_up(first_night):
    linked = first_night.query(
        "SELECT population_type, population_row, registry_row FROM links WHERE decision = 'linked'"
    )
    weights = [
        name
        for (name,) in first_night.query(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'links' AND column_name LIKE 'w\\_%' ESCAPE '\\'"
        )
    ]
    [(worst,)] = first_night.query(f"SELECT max(abs(match_weight - ({' + '.join(weights)}))) FROM links")

    assert len({(kind, row) for kind, row, _ in linked}) == len({row for _, _, row in linked}) == len(linked)
    assert worst < 1e-6
    assert first_night.query("SELECT count(*) FROM links WHERE reason IS NULL") == [(0,)]


def test_row_accounts_match_the_truth(first_night):
    quarantined = set(first_night.query("SELECT source, row, rule FROM quarantined_rows"))
    expected = truth(first_night, DATES[0], "quarantine").filter(pl.col("rule") != "duplicate_row")
    [(read, landed, out, duplicates)] = first_night.query(
        "SELECT sum(read), sum(landed), sum(quarantined), sum(duplicate_rows) FROM row_accounts"
    )

    assert quarantined == set(expected.rows())
    assert read == landed + out + duplicates


def test_every_flagged_child_has_a_case_with_words(first_night):
    rows = first_night.query("SELECT case_id, reason, evidence, due_on, days_open FROM suspected_dropouts")
    cases = dict(first_night.query("SELECT case_id, state FROM cases"))

    assert rows
    for case_id, reason, evidence, due_on, days_open in rows:
        assert cases[case_id] == "suspected"
        assert reason
        assert any("\u4e00" <= character <= "\u9fff" for character in evidence)
        assert due_on > DATES[0]
        assert days_open == 0


@pytest.mark.parametrize("ledger", ["suspected_dropouts", "dropouts"])
def test_the_history_of_a_ledger_is_its_view_and_the_two_columns_of_keeping(three_nights, ledger):
    """published.md: a ledger is a view of the current version over its history, which adds valid_from_version and valid_to_version."""
    shown, kept = (
        [name for name, *_ in three_nights.query(f"DESCRIBE {name}")] for name in (ledger, f"{ledger}_history")
    )
    assert kept == [*shown, "valid_from_version", "valid_to_version"]
    standing = f"SELECT {', '.join(shown)} FROM {ledger}_history WHERE valid_to_version IS NULL ORDER BY case_id"
    assert three_nights.query(standing) == three_nights.query(f"FROM {ledger} ORDER BY case_id")
    for version in (1, 2, 3):
        stood = f"valid_from_version <= {version} AND (valid_to_version IS NULL OR valid_to_version > {version})"
        last_of_it = f"coalesce(valid_to_version - 1, 3) = {version}"
        assert three_nights.query(
            f"SELECT case_id, days_open FROM {ledger}_history WHERE {stood} AND {last_of_it} ORDER BY case_id"
        ) == three_nights.query(
            f"SELECT case_id, days_open FROM {ledger}_as_of({version}) WHERE case_id IN "
            f"(SELECT case_id FROM {ledger}_history WHERE {stood} AND {last_of_it}) ORDER BY case_id"
        )


def test_every_table_and_column_is_commented_in_chinese(first_night):
    tables = first_night.query(
        "SELECT table_name, comment FROM duckdb_tables() UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
    )
    columns = first_night.query("SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")

    assert [name for name, comment in tables if not comment] == []
    assert [(name, column) for name, column, comment in columns if not comment] == []


def test_the_published_file_is_for_nobody_else(first_night):
    assert stat.S_IMODE(first_night.ledgers.stat().st_mode) == 0o600


def test_a_rerun_publishes_nothing_and_says_so(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    before = home.ledgers.read_bytes()

    done = home.program("run", "--date", str(DATES[0]))

    assert "Nothing has changed" in done.stdout
    assert home.ledgers.read_bytes() == before


def test_children_keep_their_numbers(three_nights):
    first = {child for (child,) in three_nights.query("SELECT child_id FROM school_age_children_as_of(1)")}
    last = {child for (child,) in three_nights.query("SELECT child_id FROM school_age_children")}

    assert len(first - last) == 0
    assert len(last - first) <= 5


def test_any_version_can_be_asked_for(three_nights):
    for version, date in enumerate(DATES, start=1):
        [(children,)] = three_nights.query(f"SELECT count(*) FROM school_age_children_as_of({version})")
        [(eligible, comparison_date)] = three_nights.query(
            f"SELECT eligible, comparison_date FROM ledger_versions WHERE version = {version}"
        )
        assert (children, comparison_date) == (eligible, date)


def test_changes_between_versions_are_exactly_the_differences(three_nights):
    for ledger in ("school_age_children", "suspected_dropouts", "dropouts"):
        before = dict(three_nights.query(f"SELECT child_id, status FROM {ledger}_as_of(1)"))
        after = dict(three_nights.query(f"SELECT child_id, status FROM {ledger}_as_of(3)"))
        changes = three_nights.query(
            f"SELECT child_id, change, status_before, status_after FROM ledger_changes(1, 3) WHERE ledger = '{ledger}'"
        )

        assert {child for child, change, *_ in changes if change == "entered"} == set(after) - set(before)
        assert {child for child, change, *_ in changes if change == "left"} == set(before) - set(after)
        moved = {child for child in set(before) & set(after) if before[child] != after[child]}
        assert {child for child, change, was, now in changes if change == "changed" and was != now} == moved


def test_a_quiet_night_writes_few_rows(three_nights):
    [(whole,)] = three_nights.query("SELECT count(*) FROM child_facts_history")

    assert whole < CHILDREN * 1.1


def test_cases_close_only_with_evidence(three_nights):
    assert three_nights.query(
        "SELECT count(*) FROM cases WHERE state IN ('closed', 'closed_until') AND closing_evidence IS NULL"
    ) == [(0,)]
    assert three_nights.query("SELECT count(*) FROM case_events WHERE evidence IS NULL OR evidence = ''") == [(0,)]


def test_the_chain_verifies_and_one_changed_cell_is_found(three_nights, tmp_path):
    assert "3 version(s) verified" in three_nights.kcb("verify").stdout
    home = three_nights.copy(tmp_path / "home")
    with duckdb.connect(str(home.ledgers)) as connection:
        connection.execute(
            "UPDATE child_facts_history SET school_name = school_name || '二' WHERE child_id = (SELECT min(child_id) FROM child_facts_history WHERE school_name IS NOT NULL)"
        )

    done = home.kcb("verify", code=6)

    assert "its rows are not those that were published" in done.stderr


def test_a_removed_version_is_found(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    with duckdb.connect(str(home.ledgers)) as connection:
        connection.execute("DELETE FROM ledger_versions WHERE version = 2")

    assert "version 2 is missing" in home.kcb("verify", code=6).stderr


def test_the_manifest_says_what_the_version_says(three_nights):
    manifest = json.loads((three_nights.folder / "published/versions/000003/manifest.json").read_text(encoding="utf-8"))

    assert manifest["version"] == 3
    assert [(manifest["content_digest"],)] == three_nights.query(
        "SELECT content_digest FROM ledger_versions WHERE version = 3"
    )


def test_people_can_ask(three_nights):
    [(child,)] = three_nights.query("SELECT child_id FROM suspected_dropouts ORDER BY child_id LIMIT 1")
    [(name,)] = three_nights.query(f"SELECT name FROM school_age_children WHERE child_id = '{child}'")

    explained = three_nights.kcb("explain", child).stdout

    assert "because" in explained
    assert "case" in explained
    assert name not in explained
    assert name in three_nights.kcb("explain", child, "--identity").stdout
    assert "2026-11-19" in three_nights.kcb("ledgers").stdout
    assert "school_age_children" in three_nights.kcb("diff", "1", "3").stdout
    assert "contract.rows_add_up" in three_nights.kcb("gates", "--date", str(DATES[0])).stdout
    assert "population" in three_nights.kcb("check", str(three_nights.extracts(DATES[0]))).stdout
    assert "no version 9" in three_nights.kcb("diff", "1", "9", code=2).stderr


def test_an_earlier_date_run_again_restates_it_and_marks_the_later_stale(three_nights, tmp_path):
    home = three_nights.copy(tmp_path / "home")
    rules = home.folder / "kcb.toml"
    rules.write_text("[attendance]\nheadcount_days = 29\n", encoding="utf-8")

    home.night(DATES[1])

    [(version, date, base)] = home.query(
        "SELECT version, comparison_date, base_version FROM ledger_versions ORDER BY version DESC LIMIT 1"
    )
    assert (version, date, base) == (4, DATES[1], 1)
    assert f"stale: {DATES[2]}" in home.kcb("ledgers").stdout
    home.night(DATES[2])
    assert "stale" not in home.kcb("ledgers").stdout
    assert "5 version(s) verified" in home.kcb("verify").stdout


def test_a_terminal_shows_each_stage_as_it_comes(first_night, tmp_path):
    """In a terminal of its own, which Dagster's copying of the output does not get in the way of."""
    home = first_night.copy(tmp_path / "home")
    ours, its = pty.openpty()
    command = [str(Path(sys.executable).with_name("kcb")), "run", "--date", str(DATES[0]), "--from", "cases"]
    environment = {**os.environ, "KCB_HOME": str(home.folder), "TERM": "xterm", "COLUMNS": "120"}
    seen: dict[str, float] = {}
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment) as night:
        os.close(its)
        began, said = time.monotonic(), b""
        with suppress(OSError):  # the terminal of a program that has ended
            while part := os.read(ours, 1 << 16):
                said += part
                for stage in STAGES_FROM_CASES:
                    if stage.encode() in said:
                        seen.setdefault(stage, time.monotonic() - began)
    os.close(ours)

    assert night.returncode == 0, said.decode(errors="replace")
    assert list(seen) == STAGES_FROM_CASES
    assert seen["published analytics"] - seen["draft version"] > 0.1
    assert re.search(r"3/\d+", said.decode())
    assert "Nothing has changed" in said.decode()
    captured = b"".join(path.read_bytes() for path in home.folder.glob("dagster/*/compute_logs/*.out"))
    assert "━".encode() not in captured


STAGES_FROM_CASES = [
    "cases", "draft version", "gate ledgers", "published version", "analytics draft", "gate disclosure", "published analytics",
]  # fmt: skip
