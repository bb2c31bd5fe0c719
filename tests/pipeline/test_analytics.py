"""`analytics.duckdb`: the ledgers for analysts. Nobody can be found in it, it is measured, and its readers never notice a night."""

import stat
import subprocess
import sys
import warnings

import duckdb
import polars as pl
import pytest

from checks.suites import gates_of, run_suite
from kcb_pipeline import cli
from kcb_pipeline.analytics import pseudonyms, release
from kcb_pipeline.analytics.risk import measure
from kcb_pipeline.config import Disclosure
from kcb_pipeline.errors import GateError
from kcb_pipeline.gates import DISCLOSURE
from kcb_pipeline.home import Home as KcbHome
from kcb_pipeline.night import Night
from kcb_pipeline.reporting.bulletin_risk import measure_bulletin
from kcb_pipeline.reporting.suppression import suppress
from kcb_pipeline.terminal import show_failed_gates
from tests.pipeline.conftest import DATES

IDENTIFYING = ("child_id", "id_number", "name", "household_id", "guardian_name", "guardian_phone", "student_number")


def ask(path, sql):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def home(three_nights, tmp_path):
    """The county after three nights, to be broken: what publication left, without the extracts."""
    folder = tmp_path / "home"
    (folder / "published").mkdir(parents=True)
    for name in ("ledgers.duckdb", "analytics.duckdb"):
        (folder / "published" / name).write_bytes((three_nights.folder / "published" / name).read_bytes())
    key = pseudonyms.key_file(folder)
    key.write_bytes(pseudonyms.key_file(three_nights.folder).read_bytes())
    key.chmod(0o600)
    return KcbHome(folder)


def rebuilt(home, name="built.duckdb"):
    path = home.folder / name
    release.build(home, home.config(), path)
    return path


def gates(home, path):
    with release.opened(home, path) as connection:
        facts = measure(connection, home.config()).select(pl.lit("analytics").alias("subject"), pl.all())
    with duckdb.connect(str(home.ledgers), read_only=True) as connection:
        of_bulletin = measure_bulletin(
            connection, release.version_of(home, path), home.config().disclosure.smallest_cell
        )
    facts = facts.with_columns(pl.lit(count).alias(name) for name, count in of_bulletin.items())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {result.name: result for result in run_suite(DISCLOSURE, facts, home.config())}


# -- what a night leaves -------------------------------------------------------------------------------------------


def test_every_night_leaves_the_file_of_its_version(three_nights):
    path = KcbHome(three_nights.folder).analytics

    assert ask(path, "SELECT version, comparison_date FROM about") == [(3, DATES[2])]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # The storage version stands in the header: DuckDB 1.x opens it, as it does the ledgers.
    assert path.read_bytes()[12:20] == three_nights.ledgers.read_bytes()[12:20]
    [(smallest, unique, before)] = ask(
        path, "SELECT smallest_group, unique_children, unique_in_ledgers FROM disclosure_risk"
    )
    assert smallest >= 5
    assert unique == 0
    assert before > 0.9  # nearly every child of the ledgers is alone with its birth date, sex and township


def test_it_says_what_the_ledgers_say_of_every_version(three_nights):
    path = KcbHome(three_nights.folder).analytics
    for version in (1, 2, 3):
        told = dict(
            three_nights.query(f"SELECT status, count(*) FROM school_age_children_as_of({version}) GROUP BY ALL")
        )
        shown = dict(ask(path, f"SELECT status, count(*) FROM school_age_children_as_of({version}) GROUP BY ALL"))
        waiting = {status: count - shown.get(status, 0) for status, count in told.items()}
        assert all(count >= 0 for count in waiting.values())
        assert sum(waiting.values()) < 5  # newcomers who wait for company
    [(cases,)] = three_nights.query("SELECT count(*) FROM suspected_dropouts")
    assert cases - 5 < ask(path, "SELECT count(*) FROM suspected_dropouts")[0][0] <= cases


def test_counts_of_places_are_rounded(three_nights):
    path = KcbHome(three_nights.folder).analytics

    assert ask(path, "SELECT count(*) FROM statistics WHERE numerator % 5 <> 0 OR denominator % 5 <> 0") == [(0,)]
    assert ask(path, "SELECT count(*) FROM ledger_versions WHERE eligible % 5 <> 0 OR suspected % 5 <> 0") == [(0,)]
    assert three_nights.query("SELECT count(*) FROM statistics WHERE numerator % 5 <> 0") != [(0,)]


def test_everything_in_it_is_said_in_chinese(three_nights):
    missing = ask(
        KcbHome(three_nights.folder).analytics,
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database() AND comment IS NULL",
    )

    assert not missing


# -- nobody is in it -----------------------------------------------------------------------------------------------


def needles(three_nights):
    """Every word of the county that identifies somebody: from the ledgers, all versions, and from the extracts as sent."""
    words = set()
    for table in ("child_facts_history", "registry_only_history"):
        columns = [
            c for (c,) in three_nights.query(f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}'")
        ]
        for column in {*IDENTIFYING, "village_code"} & set(columns):
            words |= {
                word
                for (word,) in three_nights.query(f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")
            }
    words |= {word for (word,) in three_nights.query("SELECT case_id FROM cases_history")}
    words |= {word for (word,) in three_nights.query("SELECT record_key FROM review_answers_history UNION SELECT verified_by FROM decisions_history WHERE verified_by IS NOT NULL")}  # fmt: skip
    return words


def found_in(path, words):
    """Which words stand in a file as bytes, in any of the encodings."""
    haystack = path.read_bytes().decode("latin-1")
    patterns = {}
    for word in words:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
            encoded = word.encode(encoding)
            if len(encoded) >= 6:  # fewer bytes stand somewhere in any file
                patterns[encoded.decode("latin-1")] = word
    hits = pl.Series([haystack]).str.extract_many(list(patterns), overlapping=True)[0]
    return {patterns[hit] for hit in hits}


def test_no_byte_of_the_file_names_anybody(three_nights):
    words = needles(three_nights)
    assert len(words) > 2000

    assert not found_in(KcbHome(three_nights.folder).analytics, words)
    assert len(found_in(three_nights.ledgers, words)) > 500  # the search finds what is there


def test_no_value_of_the_file_is_anybodys(three_nights):
    """Bytes may be compressed; values are not."""
    words = needles(three_nights)
    path = KcbHome(three_nights.folder).analytics
    with duckdb.connect(str(path), read_only=True) as connection:
        columns = connection.execute(
            "SELECT c.table_name, c.column_name FROM duckdb_columns() c JOIN duckdb_tables() t ON t.table_name = c.table_name AND t.database_name = "
            "c.database_name WHERE c.database_name = current_database() AND c.data_type = 'VARCHAR'"
        ).fetchall()
        for table, column in columns:
            values = {
                value
                for (value,) in connection.execute(
                    f'SELECT DISTINCT "{column}" FROM {table} WHERE "{column}" IS NOT NULL'
                ).fetchall()
            }
            assert not values & words, (table, column)


def test_without_the_key_a_pseudonym_is_nobodys(three_nights):
    path = KcbHome(three_nights.folder).analytics
    keys = {key for (key,) in ask(path, "SELECT child_key FROM children")}
    children = [child for (child,) in three_nights.query("SELECT DISTINCT child_id FROM child_facts_history")]

    def made_with(key):
        return {pseudonyms.pseudonym(key, "child", child) for child in children}

    assert keys <= made_with(pseudonyms.read_key(three_nights.folder))
    guesses = [b"", bytes(32), b"kcb", *(child.encode() for child in children[:3])]
    assert not any(keys & made_with(guess) for guess in guesses)
    unkeyed = duckdb.connect().execute(
        "SELECT substr(h, 1, 24) FROM (SELECT unnest([md5(c), sha1(c), sha256(c), sha256('child:' || c)]) AS h FROM (SELECT unnest($1) AS c))", [children]
    ).fetchall()  # fmt: skip
    assert not keys & {word for (word,) in unkeyed}


def test_the_order_of_the_rows_says_nothing(three_nights):
    keys = [key for (key,) in ask(KcbHome(three_nights.folder).analytics, "SELECT child_key FROM children")]

    assert keys == sorted(keys)


def test_a_column_that_nobody_has_allowed_is_left_out(home):
    with duckdb.connect(str(home.ledgers)) as connection:
        connection.execute("ALTER TABLE child_facts_history ADD COLUMN blood_group VARCHAR DEFAULT 'AB-canary'")
        connection.execute("ALTER TABLE cases_history ADD COLUMN note VARCHAR DEFAULT 'AB-canary'")

    path = rebuilt(home)

    assert b"AB-canary" not in path.read_bytes()
    assert b"blood_group" not in path.read_bytes()
    assert ask(path, "SELECT count(*) FROM children")[0][0] > 500


# -- the same children tomorrow, other children under another key ------------------------------------------------------


def test_the_same_ledgers_and_key_give_the_same_file(home):
    built = rebuilt(home)

    for table in ("children", "child_statuses_history", "cases_history", "case_events_history", "statistics", "about"):
        assert ask(built, f"FROM {table}") == ask(home.analytics, f"FROM {table}"), table


def test_a_child_keeps_its_pseudonym_and_description_from_version_to_version(first_night, three_nights):
    first, third = (set(ask(KcbHome(h.folder).analytics, "FROM children")) for h in (first_night, three_nights))

    assert len(first) > 500
    assert first <= third


def test_a_new_key_is_other_pseudonyms_and_passes(home):
    before = ask(home.analytics, "SELECT child_key FROM children")
    pseudonyms.key_file(home.folder).unlink()

    path = rebuilt(home)

    assert not {*before} & {*ask(path, "SELECT child_key FROM children")}
    assert ask(path, "SELECT key_id FROM about") != ask(home.analytics, "SELECT key_id FROM about")
    assert all(result.passed for result in gates(home, path).values() if result.severity == "error")


# -- the gate ------------------------------------------------------------------------------------------------------

LONELY = "(SELECT min(child_key) FROM children)"
SABOTAGE = {
    "groups_are_large": f"UPDATE children SET born_from = 1999 WHERE child_key = {LONELY}",
    "newcomers_are_many": f"INSERT INTO children SELECT * REPLACE ('newcomer' AS child_key) FROM children WHERE child_key = {LONELY}",
    "descriptions_stand": "UPDATE children SET sex = NULL",
    "columns_are_listed": "ALTER TABLE evidence_history ADD COLUMN note VARCHAR",
    "nobody_is_named": "UPDATE children SET township_name = '{name}'",
    "groups_keep_their_secret": "UPDATE child_statuses_history SET status = 'dropout'",
    "bulletin_tells_no_more": f"DELETE FROM children WHERE child_key = {LONELY}",
}


OF_THE_BULLETIN = {"bulletin_hides_small_counts", "bulletins_do_not_add_up"}
"""Made to fail by what hides too little: here, and in tests/unit/reporting/test_papers.py with the bulletin of the month before."""


def test_every_gate_is_made_to_fail(home):
    assert set(SABOTAGE) | OF_THE_BULLETIN == {gate.name for gate in gates_of(DISCLOSURE, home.config())}


def test_a_bulletin_that_shows_small_counts_fails_its_gate_and_is_not_exported(sound, monkeypatch, tmp_path):
    home, results = sound
    assert all(results[gate].passed for gate in OF_THE_BULLETIN)
    monkeypatch.setattr("kcb_pipeline.reporting.bulletin.suppress", lambda counts, *_, **__: suppress(counts, 1))

    result = gates(home, home.analytics)["bulletin_hides_small_counts"]
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", "bulletin", "--home", str(home.folder), "--out", str(tmp_path / "out")])

    assert result.blocks
    assert ended.value.code == 4
    assert not (tmp_path / "out").exists()


def test_a_county_sets_how_far_the_bulletin_may_tell_more_than_the_file(sound, tmp_path):
    home, _ = sound
    path = tmp_path / "broken.duckdb"
    path.write_bytes(home.analytics.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute(SABOTAGE["bulletin_tells_no_more"])
    judged = {}
    for limit in (None, 0, 1000):
        config = home.config().model_copy(update={"disclosure": Disclosure(lines_by_subtraction=limit)})
        with release.opened(home, path) as connection:
            facts = measure(connection, config).select(pl.lit("analytics").alias("subject"), pl.all())
        facts = facts.with_columns(counts_computed=0, counts_computed_beside=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            [result] = [r for r in run_suite(DISCLOSURE, facts, config) if r.name == "bulletin_tells_no_more"]
        judged[limit] = (result.passed, result.blocks)

    assert judged == {None: (False, False), 0: (False, True), 1000: (True, False)}


@pytest.fixture(scope="module")
def sound(first_night):
    """The first night, when nobody waits: every gate passes."""
    home = KcbHome(first_night.folder)
    return home, gates(home, home.analytics)


@pytest.mark.parametrize("gate", sorted(SABOTAGE))
def test_a_gate_fails_when_what_it_guards_is_broken(sound, tmp_path, gate):
    home, results = sound
    assert results[gate].passed
    [(name,)] = ask(home.ledgers, "SELECT min(name) FROM child_facts_history")
    path = tmp_path / "broken.duckdb"
    path.write_bytes(home.analytics.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute(SABOTAGE[gate].format(name=name))

    result = gates(home, path)[gate]

    assert not result.passed
    assert result.observed
    assert result.advice
    assert name not in f"{result}"


def test_where_the_gate_fails_analysts_keep_the_file_they_had(three_nights, tmp_path, capfd):
    home = three_nights.copy(tmp_path / "home")
    before, ledgers = KcbHome(home.folder).analytics.read_bytes(), home.ledgers.read_bytes()
    (home.folder / "kcb.toml").write_text("[disclosure]\nsmallest_cell = 8\n", encoding="utf-8")
    night = Night(KcbHome(home.folder), DATES[2])
    night.draft_analytics()  # other groups under the same key: together with the file before they would say more than either
    with pytest.raises(GateError, match="have not looked"):
        night.publish_analytics()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        night.record(DISCLOSURE, run_suite(DISCLOSURE, night.facts(DISCLOSURE), night.config))

    with pytest.raises(GateError, match="disclosure"):
        night.publish_analytics()

    show_failed_gates(night)
    told = capfd.readouterr().err
    assert "descriptions_stand" in told
    assert "ledgers are out" in told
    assert KcbHome(home.folder).analytics.read_bytes() == before
    assert home.ledgers.read_bytes() == ledgers

    pseudonyms.key_file(home.folder).unlink()  # what the gate advises
    night.draft_analytics()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        night.record(DISCLOSURE, run_suite(DISCLOSURE, night.facts(DISCLOSURE), night.config))
    assert night.publish_analytics() == {"version": 3, "is_this_one": 1}
    assert ask(KcbHome(home.folder).analytics, "SELECT smallest_group >= 8 FROM disclosure_risk") == [(True,)]


# -- readers -------------------------------------------------------------------------------------------------------

READER = """
import sys, time, duckdb
path, stop = sys.argv[1:]
held = duckdb.connect(path, read_only=True)
first = held.execute("SELECT version FROM about").fetchall()
seen, count = set(), 0
print("ready", flush=True)
import os
while not os.path.exists(stop):
    assert held.execute("SELECT version FROM about").fetchall() == first
    assert held.execute("SELECT count(*), min(status) FROM school_age_children").fetchall()[0][0] > 500
    with duckdb.connect(path, read_only=True) as fresh:
        [(version, shown)] = fresh.execute("SELECT a.version, (SELECT count(*) FROM cases) FROM about a").fetchall()
        seen.add(version)
    count += 1
print(sorted(seen), count)
"""


def test_readers_never_notice_a_night(first_night, three_nights, tmp_path):
    home = KcbHome(tmp_path / "home")
    home.published.mkdir(parents=True)
    home.ledgers.write_bytes(first_night.ledgers.read_bytes())
    key = pseudonyms.key_file(home.folder)
    key.write_bytes(pseudonyms.key_file(first_night.folder).read_bytes())
    key.chmod(0o600)
    release.place(home, rebuilt(home))
    stop = tmp_path / "stop"
    reader = subprocess.Popen([sys.executable, "-W", "error", "-c", READER, str(home.analytics), str(stop)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert reader.stdout.readline() == "ready\n"

    aside = home.ledgers.with_suffix(".next")
    aside.write_bytes(three_nights.ledgers.read_bytes())
    aside.replace(home.ledgers)
    for nth in range(2):
        assert release.place(home, rebuilt(home, f"{nth}.duckdb")) == (3, True)
    with duckdb.connect(str(home.analytics), read_only=True) as connection:
        assert connection.execute("SELECT version FROM about").fetchall() == [(3,)]
    stop.touch()
    out, err = reader.communicate(timeout=60)

    assert reader.returncode == 0, err
    versions, count = out.rsplit(" ", 1)
    assert versions in ("[1, 3]", "[1]", "[3]")
    assert int(count) > 0
    assert not (home.published / ".analytics.duckdb.next").exists()


def test_a_damaged_file_is_replaced_like_none(home):
    home.analytics.write_bytes(home.analytics.read_bytes()[:100_000])

    assert release.place(home, rebuilt(home)) == (3, True)

    assert ask(home.analytics, "SELECT version FROM about") == [(3,)]


def test_a_file_that_says_the_same_stays_with_its_bytes(home):
    assert release.place(home, rebuilt(home)) == (3, True)
    before, placed = home.analytics.read_bytes(), home.analytics.stat()

    assert release.place(home, rebuilt(home, "again.duckdb")) == (3, True)

    assert home.analytics.read_bytes() == before
    assert (home.analytics.stat().st_ino, home.analytics.stat().st_mtime_ns) == (placed.st_ino, placed.st_mtime_ns)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE statistics SET value = 0.5",
        "CREATE OR REPLACE VIEW dropouts AS SELECT 1 AS nobody",
        "UPDATE seal SET digest = 'another'",
        "UPDATE seal SET signed_by = 'somebody'",
        "DROP TABLE seal",
    ],
)
def test_a_file_that_says_something_else_is_replaced_whatever_its_seal_says(home, change):
    with duckdb.connect(str(home.analytics)) as connection:
        connection.execute(change)
    built = rebuilt(home)

    assert release.place(home, built) == (3, True)

    assert home.analytics.read_bytes() == built.read_bytes()


def test_a_file_of_a_later_version_is_not_replaced_by_an_earlier_one(first_night, home, tmp_path):
    earlier = KcbHome(tmp_path / "earlier")
    earlier.published.mkdir(parents=True)
    earlier.ledgers.write_bytes(first_night.ledgers.read_bytes())
    before = home.analytics.read_bytes()

    assert release.place(home, rebuilt(earlier)) == (3, False)

    assert home.analytics.read_bytes() == before
