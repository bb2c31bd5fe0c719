"""The file for analysts, cell by cell: what of the ledgers of a few children is shown, from when, and how a file comes to stand where it is read."""

import datetime as dt
import os
import shutil
import stat
from fractions import Fraction
from pathlib import Path

import duckdb
import polars as pl
import pytest
from filelock import FileLock

from kcb_pipeline.analytics import pseudonyms, release
from kcb_pipeline.analytics.risk import measure
from kcb_pipeline.engines.embedded import attach, connect, rows
from kcb_pipeline.errors import KcbError
from kcb_pipeline.home import Home
from kcb_pipeline.ledgers.publication import LOCK_NAME
from kcb_pipeline.ledgers.schema import table
from tests.unit.reporting.conftest import Ledgers

DAYS = [dt.date(2026, 11, day) for day in (17, 18, 19, 20)]
FOUNDERS, GIRLS, FAR = [f"F{n:02d}" for n in range(11)], [f"G{n}" for n in range(5)], [f"U{n}" for n in range(10)]
NEWCOMERS, LATE = [f"N{n}" for n in range(5)], ["L0", "L1", "L2", "L3"]
PLACE = {"division_code": "532901", "township_code": "532901101", "township_name": "幸福镇"}
BORN = {"birth_date": dt.date(2016, 8, 31), "sex": "1", "ethnicity": "01", "population_type": "registered"}
OF_LINKS = (
    "false_links",
    "false_links_low",
    "false_links_high",
    "missed",
    "missed_low",
    "missed_high",
    "precision",
    "recall",
)


class Written(Ledgers):
    """Ledgers of four versions, whose rows say from when to when they stand."""

    def __init__(self, connection):
        super().__init__(connection)
        connection.execute("DELETE FROM ledger_versions")
        for number, day in enumerate(DAYS, start=1):
            connection.execute(
                "INSERT INTO ledger_versions (version, comparison_date, content_digest, eligible, enrolled, suspected, dropouts, review) "
                "VALUES (?, ?, ?, 17, 13, 8, 2, 7)",
                [number, day, f"digest {number}"],
            )

    def stand(self, name, first, last=None, **cells):
        """A row of a history, from one version to another."""
        cells |= {"valid_from_version": first, "valid_to_version": last}
        marks = ", ".join("?" for _ in cells)
        self.connection.execute(
            f"INSERT INTO {table(name).stored_as} ({', '.join(cells)}) VALUES ({marks})", list(cells.values())
        )

    def fill(self):
        """Founders, girls and far ones are there in the first version. Newcomers are enough for each other in the third, where the first of them
        has waited; the late ones, of whom one has been there before, are too few in the fourth.
        """
        founder = {**PLACE, **BORN, "status_since": DAYS[0] - dt.timedelta(days=30)}
        for child in FOUNDERS:
            if child == "F00":  # suspected, then enrolled; its guardian's phone moved in between
                self.stand("child_facts", 1, 2, child_id=child, **founder, status="suspected", guardian_phone="1")
                self.stand("child_facts", 2, 3, child_id=child, **founder, status="suspected", guardian_phone="2")
                self.stand(
                    "child_facts", 3, None, child_id=child, **founder, status="enrolled", match_probability=0.98765
                )
            elif child == "F01":  # left, and came back
                self.stand("child_facts", 1, 3, child_id=child, **founder, status="enrolled")
                self.stand("child_facts", 4, None, child_id=child, **founder, status="enrolled")
            else:
                self.stand("child_facts", 1, 2, child_id=child, **founder, status="enrolled", guardian_phone="1")
                self.stand("child_facts", 2, None, child_id=child, **founder, status="enrolled", guardian_phone="2")
        for child in GIRLS:
            self.stand("child_facts", 1, None, child_id=child, **(founder | {"sex": "2"}), status="enrolled")
        other = {"township_code": "532901102", "township_name": "平安镇"}
        self.stand("child_facts", 1, None, child_id="T0", **(founder | other), status="enrolled")
        for nth, child in enumerate(FAR):
            far = {
                "division_code": "532902" if nth < 5 else "532903",
                "township_code": None,
                "township_name": "某处",
                "sex": None,
            }
            self.stand("child_facts", 1, None, child_id=child, **(founder | far), status="enrolled")
        came = {**PLACE, **BORN, "birth_date": dt.date(2016, 9, 1), "sex": "2", "status_since": DAYS[0]}
        self.stand("child_facts", 2, 3, child_id="N0", **came, status="suspected")
        for child in NEWCOMERS:
            self.stand(
                "child_facts", 3, None, child_id=child, **came, status="dropout" if child == "N0" else "enrolled"
            )
        self.stand("child_facts", 2, 3, child_id="L0", **PLACE, **BORN, status="unenrolled")
        for child in LATE:
            self.stand("child_facts", 4, None, child_id=child, **PLACE, **BORN, status="unenrolled")
        self.stand(
            "cases",
            1,
            3,
            case_id="A1",
            child_id="F00",
            state="suspected",
            opened_version=1,
            opened_on=DAYS[0],
            due_on=DAYS[3],
        )
        self.stand("cases", 3, None, case_id="A1", child_id="F00", state="closed", opened_version=1, opened_on=DAYS[0], due_on=DAYS[3],
                   closed_version=3, closed_on=DAYS[2])  # fmt: skip
        self.stand("cases", 2, None, case_id="A2", child_id="N0", state="closed", opened_version=2, opened_on=DAYS[1], due_on=DAYS[3],
                   verified_on=DAYS[1], closed_version=2, closed_on=DAYS[1])  # fmt: skip
        self.stand("cases", 4, None, case_id="A3", child_id="L0", state="suspected", opened_version=4)
        self.stand(
            "cases",
            3,
            None,
            case_id="A4",
            child_id="N0",
            state="suspected",
            opened_version=3,
            opened_on=DAYS[2],
            due_on=DAYS[3],
        )
        for case, first in (("A1", 1), ("A2", 2), ("A3", 4)):
            self.stand(
                "case_events",
                first,
                None,
                case_id=case,
                sequence=1,
                event="opened",
                source="absences:17",
                version=first,
                occurred_on=DAYS[first - 1],
            )
            self.stand(
                "decisions",
                first,
                None,
                case_id=case,
                decision=1,
                verified_on=DAYS[first - 1],
                landed_on=DAYS[first - 1],
            )
        for kind in (
            "absent",
            "long_leave",
            "not_in_headcount",
            "elsewhere",
            "struck_off",
            "abroad",
            "disability",
            "poverty",
            "programme",
            "approval",
        ):
            self.stand("evidence", 1, None, child_id="F00", kind=kind, source="a source")
            self.stand("evidence", 2, 3, child_id="F00", kind=kind, source="a source", code="another of its kind")
        for child, day in (("F00", DAYS[0]), ("N0", DAYS[1])):
            self.stand(
                "review_decisions", 2, None, pair=child, child_id=child, decision="same", decided_on=day, reviewers=2
            )
        self.stand("sources", 1, 2, source="absences", last_sent_on=DAYS[0])
        self.stand("sources", 2, None, source="absences", last_sent_on=DAYS[1])
        for grouping in ("all", "county", "sex", "ethnicity"):
            counts = dict.fromkeys(OF_LINKS[:6], 1.26) | dict.fromkeys(OF_LINKS[6:], 0.98765)
            self.log("linkage_quality", grouping=grouping, links=17, **counts)
        self.log("statistics", indicator="j", numerator=52, denominator=97, value=0.5)
        self.log("statistics", indicator="i", numerator=52, denominator=98, value=0.5)
        for file in ("甲.csv", "乙.csv"):
            self.log("row_accounts", source="absences", file=file, read=7, landed=2, quarantined=4, duplicate_rows=1)
        for row in range(8):
            self.log("cell_issues", source="absences", file="甲.csv", row=row, column="kind", rule="unknown_code")
            self.log(
                "quarantined_rows",
                source="absences",
                file="甲.csv",
                row=row,
                column="kind" if row < 3 else None,
                rule="malformed_row",
            )

    def log(self, name, **cells):
        """A row of the third version."""
        columns = ", ".join(f'"{column}"' for column in cells)
        marks = ", ".join("?" for _ in cells)
        self.connection.execute(f"INSERT INTO {name} (version, {columns}) VALUES (3, {marks})", list(cells.values()))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose ledgers are those, and for whose analysts a file was built beside what a killed run had left."""
    folder = tmp_path_factory.mktemp("release") / "home"
    folder.mkdir()
    (folder / "kcb.toml").write_text('[storage]\nmemory_limit = "500MB"\nthreads = 1\n', encoding="utf-8")
    home = Home(folder)
    home.published.mkdir()
    with connect(home.ledgers, home.limits()) as connection:
        Written(connection).fill()
    for name in ("built.duckdb", "built.duckdb.wal"):
        (folder / name).write_bytes(b"half of it")
    assert release.build(home, home.config(), folder / "built.duckdb") == 4
    return home


@pytest.fixture
def shown(home):
    """Asks the built file; `key` in a query is a pseudonym's child or case, told by the key."""
    key = pseudonyms.read_key(home.folder)
    known = {
        pseudonyms.pseudonym(key, "child", child): child for child in (*FOUNDERS, *GIRLS, "T0", *FAR, *NEWCOMERS, *LATE)
    }
    known |= {pseudonyms.pseudonym(key, "case", case): case for case in ("A1", "A2", "A3", "A4")}

    def ask(sql):
        with duckdb.connect(str(home.folder / "built.duckdb"), read_only=True) as connection:
            return sorted((tuple(known.get(v, v) for v in row) for row in connection.execute(sql).fetchall()), key=repr)

    return ask


# -- who is shown, and as what -----------------------------------------------------------------------------------------


def test_newcomers_are_shown_together_and_who_are_too_few_are_not(shown):
    assert shown("SELECT child_key, shown_from_version FROM children") == [
        *((child, 1) for child in (*FOUNDERS, *GIRLS)),
        *((child, 3) for child in NEWCOMERS),
        ("T0", 1),
        *((child, 1) for child in FAR),
    ]


DESCRIBED = """
SELECT DISTINCT division_code, township_code, township_name, born_from, born_to, sex, ethnicity, population_type, left_behind, migrant,
       disabled, poverty_household FROM children WHERE {}
"""
PLAIN = ("01", "registered", False, False, False, False)


def test_a_description_says_what_was_known_in_the_version_that_first_shows_the_child(shown):
    """Who was born on 31 August is of the cohort of that year, who was born a day later of the next."""
    assert shown(DESCRIBED.format("shown_from_version = 1 AND sex = '1' AND township_code IS NOT NULL")) == [
        ("532901", "532901101", "幸福镇", 2016, 2016, "1", *PLAIN)
    ]
    assert shown(DESCRIBED.format("shown_from_version = 3")) == [
        ("532901", "532901101", "幸福镇", 2017, 2017, "2", *PLAIN)
    ]


def test_a_township_that_is_withheld_or_unknown_is_not_named_either(shown):
    """The child of the small township goes on with the girls of the larger one."""
    assert shown("SELECT child_key, division_code, township_name FROM children WHERE township_code IS NULL") == [
        (child, None, None) for child in (*GIRLS, "T0")
    ]
    assert shown(DESCRIBED.format("township_code = 'unknown'")) == [
        (division, "unknown", None, 2016, 2016, "unknown", *PLAIN) for division in ("532902", "532903")
    ]


def test_a_child_has_a_stay_for_each_time_it_came_however_often_its_row_changed(home):
    with connect(None, home.limits()) as connection:
        attach(connection, home.ledgers, "ledgers", read_only=True)

        assert [row for row in rows(connection, release._STAYS) if row[0] in ("F00", "F01", "L0", "N0")] == [
            ("F00", 1, 1, None), ("F01", 1, 1, 3), ("F01", 2, 4, None), ("L0", 1, 2, 3), ("L0", 2, 4, None), ("N0", 1, 2, None),
        ]  # fmt: skip


def test_what_is_known_of_a_child_is_what_stood_in_the_version_that_first_shows_it(home):
    with connect(None, home.limits()) as connection:
        attach(connection, home.ledgers, "ledgers", read_only=True)
        shown_from = [("F00", 1, False), ("F00", 2, False), ("F00", 3, True), ("N0", 3, True), ("L0", 4, False)]
        schema = {"child_id": pl.String, "shown_from_version": pl.Int32, "is_late": pl.Boolean}
        connection.register("shown_from", pl.DataFrame(shown_from, schema=schema, orient="row").to_arrow())
        connection.execute(release._KNOWN)

        assert rows(connection, "SELECT child_id, shown_from_version, shown_on, is_out FROM known ORDER BY ALL") == [
            ("F00", 1, None, True),
            ("F00", 2, None, True),
            ("F00", 3, DAYS[2], False),
            ("L0", 4, None, True),
            ("N0", 3, DAYS[2], True),
        ]


def test_what_changed_of_a_child_is_shown_where_analysts_see_the_change(shown):
    told = shown(
        "SELECT child_key, status, match_probability, valid_from_version, valid_to_version FROM child_statuses_history"
    )

    assert [row for row in told if row[0] in ("F00", "F01", "F02", "N0")] == [
        ("F00", "enrolled", 0.99, 3, None),
        ("F00", "suspected", None, 1, 3),
        ("F01", "enrolled", None, 1, 3),
        ("F01", "enrolled", None, 4, None),
        ("F02", "enrolled", None, 1, None),
        ("N0", "dropout", None, 3, None),
    ]
    assert len(told) == 1 + len(FOUNDERS) + len(GIRLS) + 1 + 1 + len(FAR) + len(NEWCOMERS)


def test_the_order_of_the_rows_says_nothing(home):
    with duckdb.connect(str(home.folder / "built.duckdb"), read_only=True) as connection:
        for found in ("children", "child_statuses_history", "statistics"):
            lying = connection.execute(f"FROM {found} ORDER BY rowid").fetchall()
            assert lying == connection.execute(f"FROM {found} ORDER BY ALL").fetchall(), found


def test_nothing_is_said_to_be_earlier_than_the_child_is_shown(shown):
    """By that a child who was alone could be told from those it waited for."""
    assert shown(
        "SELECT child_key, status_since FROM child_statuses WHERE child_key IN (SELECT child_key FROM cases)"
    ) == [
        ("F00", DAYS[0] - dt.timedelta(days=30)),
        ("N0", DAYS[2]),
    ]
    assert shown("SELECT case_key, opened_version, opened_on, due_on, verified_on, closed_version, closed_on, valid_from_version FROM cases_history WHERE valid_to_version IS NULL") == [
        ("A1", 1, DAYS[0], DAYS[3], None, 3, DAYS[2], 3),
        ("A2", 3, DAYS[2], None, DAYS[2], 3, DAYS[2], 3),
        ("A4", 3, DAYS[2], DAYS[3], None, None, None, 3),
    ]  # fmt: skip
    assert shown("SELECT case_key, opened_version, closed_version, closed_on, valid_to_version FROM cases_history WHERE valid_to_version IS NOT NULL") == [
        ("A1", 1, None, None, 3)
    ]  # fmt: skip
    assert shown("SELECT case_key, version, occurred_on, source FROM case_events") == [
        ("A1", 1, DAYS[0], "absences"),
        ("A2", 3, DAYS[2], "absences"),
    ]
    assert shown("SELECT case_key, verified_on, landed_on FROM decisions") == [
        ("A1", DAYS[0], DAYS[0]),
        ("A2", DAYS[2], DAYS[2]),
    ]
    assert shown("SELECT child_key, decided_on, valid_from_version FROM review_decisions_history") == [
        ("F00", DAYS[0], 2),
        ("N0", DAYS[2], 3),
    ]


def test_of_evidence_only_what_says_that_a_child_is_not_there_is_shown(shown):
    """The rest could say what the description withholds."""
    assert shown("SELECT kind, valid_from_version, valid_to_version FROM evidence_history") == [
        ("abroad", 1, None), ("absent", 1, None), ("elsewhere", 1, None), ("long_leave", 1, None), ("not_in_headcount", 1, None), ("struck_off", 1, None),
    ]  # fmt: skip


# -- counts of the whole -----------------------------------------------------------------------------------------------


def test_counts_are_rounded_and_a_rate_wants_a_denominator_of_twenty_times_the_smallest_cell(shown):
    assert shown("SELECT eligible, enrolled, suspected, dropouts, review FROM ledger_versions WHERE version = 1") == [
        (15, 15, 10, 0, 5)
    ]
    assert shown("SELECT indicator, numerator, denominator, value FROM statistics") == [
        ("i", 50, 100, 0.5), ("j", 50, 95, None),
    ]  # fmt: skip
    assert shown(f"SELECT grouping, links, {', '.join(OF_LINKS)} FROM linkage_quality") == [
        (grouping, 15, *[1.3] * 6, *[0.9877] * 2) for grouping in ("all", "county", "sex")
    ]


def test_a_share_of_all_children_of_the_ledgers_does_not_say_how_many_they_are(home, shown):
    with release.opened(home, home.folder / "built.duckdb") as connection:
        [(children, unshown)] = connection.execute(
            "SELECT count(*), count(*) - (SELECT count(*) FROM child_statuses) FROM ledgers.child_facts_history WHERE valid_to_version IS NULL"
        ).fetchall()
        exact = measure(connection, home.config())["unique_in_ledgers"][0]
    assert unshown > 0
    assert Fraction(exact).limit_denominator(1000).denominator == children

    [(told,)] = shown("SELECT unique_in_ledgers FROM disclosure_risk")

    assert told == round(exact, 2)
    assert Fraction(told).limit_denominator(1000).denominator != children


def test_rows_and_files_are_counted_before_they_are_rounded(shown):
    assert shown("SELECT version, source, read, landed, quarantined, duplicate_rows FROM row_accounts") == [
        (3, "absences", 15, 5, 10, 0)
    ]
    assert shown('SELECT source, "column", rule, rows FROM cell_issues') == [("absences", "kind", "unknown_code", 10)]
    assert shown('SELECT "column", rows FROM quarantined_rows') == [("kind", 5), (None, 5)]


def test_a_history_of_nobody_stands_as_it_does_in_the_ledgers(shown):
    assert shown("SELECT last_sent_on, valid_from_version, valid_to_version FROM sources_history") == [
        (DAYS[0], 1, 2), (DAYS[1], 2, None),
    ]  # fmt: skip


# -- how it comes to stand where it is read ----------------------------------------------------------------------------


def test_what_a_file_was_made_from_is_said_in_it(home, shown):
    assert shown("SELECT version, comparison_date, content_digest, key_id, smallest_cell, entry_age FROM about") == [
        (4, DAYS[3], "digest 4", pseudonyms.key_id(pseudonyms.read_key(home.folder)), 5, 6)
    ]
    assert shown("SELECT publishable(4), publishable(5), publishable(0)") == [(None, 5, 0)]
    path = home.folder / "built.duckdb"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.with_name("built.duckdb.wal").exists()


@pytest.fixture
def standing(home, tmp_path):
    """The same home where a file of a version stands for analysts: `standing(2)`; and the built one."""

    def stand(version):
        place = Home(shutil.copytree(home.folder, tmp_path / "home"))
        shutil.copy(place.folder / "built.duckdb", place.analytics)
        with duckdb.connect(str(place.analytics)) as connection:
            connection.execute("UPDATE about SET version = ?", [version])
        return place, place.folder / "built.duckdb"

    return stand


@pytest.mark.parametrize(("version", "stays"), [(3, False), (4, False), (5, True), (6, True), (7, False)])
def test_a_later_file_stays_unless_it_is_of_a_version_that_is_there_no_more(standing, version, stays):
    """Ledgers that were restored from a backup go on without the versions after it."""
    home, built = standing(version)
    with duckdb.connect(str(home.ledgers)) as connection:
        connection.execute("INSERT INTO ledger_versions (version) VALUES (5), (6)")

    assert release.place(home, built) == ((version, False) if stays else (4, True))
    assert release.placed_version(home) == (version if stays else 4)


def test_a_file_is_on_the_disk_before_it_takes_its_name(standing, monkeypatch):
    home, built = standing(3)
    (home.published / ".analytics.duckdb.next").write_bytes(b"of a run that was killed")
    happened = []
    fsync, replace = os.fsync, os.replace

    def flush(descriptor):
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        happened.append(("flush", place.name))
        assert place.is_dir() or place.read_bytes() == built.read_bytes()
        fsync(descriptor)

    def rename(source, target):
        happened.append(("rename", Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    release.place(home, built)

    assert happened == [
        ("flush", ".analytics.duckdb.next"), ("rename", "analytics.duckdb"), ("flush", "published"),
    ]  # fmt: skip
    assert stat.S_IMODE(home.analytics.stat().st_mode) == 0o600


def test_no_file_is_placed_while_a_version_is_published(standing, monkeypatch):
    home, built = standing(3)
    monkeypatch.setattr(release, "LOCK_WAIT_SECONDS", 0)

    with FileLock(home.published / LOCK_NAME), pytest.raises(KcbError, match="held its lock"):
        release.place(home, built)
    assert release.placed_version(home) == 3


def test_what_is_measured_is_held_against_the_file_that_stands(standing):
    home, built = standing(4)
    with duckdb.connect(str(home.analytics)) as connection:
        connection.execute("UPDATE children SET sex = NULL WHERE shown_from_version = 3")
    release.build(home, home.config(), built)

    with duckdb.connect(str(built), read_only=True) as connection:
        assert connection.execute("SELECT children, redescribed FROM disclosure_risk").fetchall() == [(32, 5)]
