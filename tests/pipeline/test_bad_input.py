"""Extracts that break the contract stop the night before anything is published, with one line that says what to mend."""

import gzip
import shutil

import duckdb
import pytest

from tests.pipeline.conftest import DATES


def rewrite(path, change, *, encoding):
    text = path.read_bytes().decode(encoding, errors="surrogateescape")  # the sample has rows of bad bytes
    path.write_bytes(change(text).encode(encoding, errors="surrogateescape"))
    path.with_name(path.name + ".sha256").unlink(missing_ok=True)


def no_population(folder):
    shutil.rmtree(folder / "population")


def no_registry_column(folder):
    rewrite(folder / "学籍.csv", lambda text: text.replace("全国学籍号", "不是学籍号", 1), encoding="utf-8-sig")


def wrong_digest(folder):
    with (folder / "学籍.csv").open("ab") as file:
        file.write(b"\n")


def unreadable_encoding(folder):
    (folder / "verifications.csv").write_bytes("case_id,result,verified_on\nA1,确认失学,20261101\n".encode("utf-16"))


def empty_file(folder):
    (folder / "verifications.csv").write_bytes(b"")


def under_another_name(folder):
    (folder / "学籍.csv").rename(folder / "verifications2.csv")
    (folder / "学籍.csv.sha256").unlink()
    shutil.copy(next((folder / "in_school").iterdir()), folder / "学籍.csv")


def sent_twice(folder):
    shutil.copy(folder / "学籍.csv", folder / "student_registry.csv")


def a_link_out(folder):
    (folder / "学籍.csv").rename(folder.parent / "elsewhere.csv")
    (folder / "学籍.csv.sha256").unlink()
    (folder / "学籍.csv").symlink_to(folder.parent / "elsewhere.csv")


def header_only(folder):
    lines = (folder / "学籍.csv").read_bytes().split(b"\n")
    (folder / "学籍.csv").write_bytes(lines[0] + b"\n")
    (folder / "学籍.csv.sha256").unlink()


def torn_archive(folder):
    path = folder / "residents.csv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()))[:-30])


def two_columns_of_one_meaning(folder):
    rewrite(folder / "学籍.csv", lambda text: text.replace("曾用名", "XM", 1), encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (no_population, ["population.*", "expected the required source population", "found no such file"]),
        (
            no_registry_column,
            ["学籍.csv", "column student_number", "expected student_number or 全国学籍号", "unknown, at place "],
        ),
        (wrong_digest, ["学籍.csv", "expected sha-256", "found"]),
        (unreadable_encoding, ["verifications.csv", "expected UTF-8 or GB18030", "found UTF-16"]),
        (empty_file, ["verifications.csv", "found an empty file"]),
        (under_another_name, ["学籍.csv", "the headers of in_school"]),
        (
            sent_twice,
            ["student_registry.csv", "学籍.csv", "expected the source student_registry once", "found 2 times"],
        ),
        (a_link_out, ["学籍.csv", "found a link out of it"]),
        (header_only, ["学籍.csv", "expected data rows", "found none"]),
        (torn_archive, ["residents.csv.gz", "found a damaged one"]),
        (two_columns_of_one_meaning, ["学籍.csv", "column name", "expected one column of that meaning"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_broken_delivery_stops_the_night(first_night, tmp_path, break_it, says):
    home = first_night.copy(tmp_path / "home")
    break_it(home.extracts(DATES[1]))
    before = home.ledgers.read_bytes()

    done = home.night(DATES[1], code=3)

    [message] = [line for line in done.stderr.splitlines() if line.startswith("kcb: ")]
    for words in says:
        assert words in message
    assert home.ledgers.read_bytes() == before


def test_what_cannot_land_is_said_before_any_night(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    empty_file(home.extracts(DATES[1]))

    assert "an empty file" in home.kcb("check", str(home.extracts(DATES[1])), code=3).stderr


def test_half_of_yesterdays_rows_gone_stops_the_night(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    path = home.extracts(DATES[1]) / "学籍.csv"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(lines[: len(lines) // 2]))
    path.with_name("学籍.csv.sha256").unlink()
    before = home.ledgers.read_bytes()

    done = home.night(DATES[1], code=4)

    assert "volumes.no_source_shrank" in done.stderr
    assert "student_registry" in done.stderr
    assert "to do" in done.stderr
    assert home.ledgers.read_bytes() == before


def test_a_copy_that_was_cut_short_in_a_row_stops_the_night_without_any_digest(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    path = home.extracts(DATES[1]) / "学籍.csv"
    path.write_bytes(path.read_bytes().rstrip(b"\n")[:-60])
    path.with_name("学籍.csv.sha256").unlink()
    before = home.ledgers.read_bytes()

    done = home.night(DATES[1], code=4)

    assert "contract.no_file_breaks_off" in done.stderr
    assert "student_registry" in done.stderr
    assert home.ledgers.read_bytes() == before


def test_too_many_bad_rows_stop_the_night_and_the_limit_can_be_raised(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    rewrite(home.extracts(DATES[1]) / "学籍.csv", lambda text: text + "坏,行\n" * 200, encoding="utf-8-sig")

    assert "contract.few_rows_quarantined" in home.night(DATES[1], code=4).stderr

    (home.folder / "kcb.toml").write_text(
        "[gates.quarantined_share_by_source]\nstudent_registry = 0.5\n", encoding="utf-8"
    )
    home.night(DATES[1])
    assert (
        home.query(
            "SELECT count(*) FROM quarantined_rows WHERE version = 2 AND rule = 'malformed_row' AND source = 'student_registry'"
        )[0][0]
        >= 200
    )


def test_a_setting_that_cannot_be_is_named(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    (home.folder / "kcb.toml").write_text("[school_age]\nentry_age = 70\n", encoding="utf-8")

    assert "school_age.entry_age" in home.night(DATES[1], code=2).stderr


def test_a_source_that_stays_away_closes_nothing(first_night, tmp_path):
    """Suspected of not attending yesterday; tonight neither headcount nor absences come: the child stays suspected."""
    home = first_night.copy(tmp_path / "home")
    folder = home.extracts(DATES[1])
    shutil.rmtree(folder / "in_school", ignore_errors=True)
    for path in (*folder.glob("in_school*"), *folder.glob("absences*"), *folder.glob("缺勤*"), *folder.glob("在校*")):
        path.unlink()
    suspected = {
        child
        for (child,) in home.query(
            "SELECT child_id FROM school_age_children WHERE status_reason IN ('absent', 'not_in_headcount')"
        )
    }
    assert suspected

    home.night(DATES[1])

    after = dict(home.query("SELECT child_id, status FROM school_age_children"))
    assert {after[child] for child in suspected} == {"suspected"}
    assert home.query("SELECT count(*) FROM cases WHERE state = 'closed'") == [(0,)]


def test_residents_that_stay_away_stay_counted(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    for path in (*home.extracts(DATES[1]).glob("residents*"), *home.extracts(DATES[1]).glob("流动*")):
        path.unlink()
    before = dict(home.query("SELECT child_id, status FROM school_age_children WHERE population_type = 'resident'"))

    home.night(DATES[1])

    after = home.query(
        "SELECT child_id, population_row, status FROM school_age_children WHERE population_type = 'resident'"
    )
    assert set(before) <= {child for child, *_ in after}
    assert {row for child, row, _ in after if child in before} == {None}
    assert sum(status == before.get(child) for child, _, status in after) >= 0.95 * len(before)


def test_queries_run_while_a_night_publishes(first_night, tmp_path):
    home = first_night.copy(tmp_path / "home")
    with duckdb.connect(str(home.ledgers), read_only=True) as reader:
        home.night(DATES[1])
        [(versions,)] = reader.execute("SELECT count(*) FROM ledger_versions").fetchall()

    assert versions == 1
    assert home.query("SELECT count(*) FROM ledger_versions") == [(2,)]
