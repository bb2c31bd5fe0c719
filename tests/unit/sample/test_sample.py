"""The synthetic county: same bytes for the same arguments, files as the contract wants them, a truth that fits the files."""

import csv
import datetime as dt
import gzip
import hashlib
import io
import itertools
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import chinese_calendar
import polars as pl
import pytest
import python_calamine

from kcb_pipeline.identity import id_number
from kcb_pipeline.sample import write_sample
from kcb_pipeline.sample.columns import SOURCES
from kcb_pipeline.sample.expected import CONTRACT_REASONS, STATUSES, expected_status
from kcb_pipeline.sample.files import _TWO_BYTE_FORMS
from kcb_pipeline.sample.outcomes import never_enrolled
from kcb_pipeline.sample.school_days import is_eligible
from kcb_pipeline.sample.story import STORIES, Story, anybody, happened
from kcb_pipeline.sample.world import build

DATE = dt.date(2026, 10, 22)
CHILDREN = 2000
NAMES_IN_CHINESE = {
    "学籍": "student_registry",
    "出入境": "exit_entry",
    "脱贫户": "poverty_register",
    "五项行动": "support_programmes",
}
OPTIONAL_ON_SECOND_NIGHT = "poverty_register"


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    write_sample(out, children=CHILDREN, seed=7, date=DATE)
    return out


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    write_sample(out, children=700, seed=3, date=DATE, nights=5)
    return out


# ---- reading back, without the project's readers


def truth(out: Path, table: str, date: dt.date = DATE) -> pl.DataFrame:
    return pl.read_parquet(out / "truth" / date.isoformat() / f"{table}.parquet")


def files_of(out: Path, date: dt.date = DATE) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted((out / "extracts" / date.isoformat()).iterdir()):
        if path.suffix == ".sha256":
            continue
        name = path.name.split(".")[0]
        members = sorted(path.iterdir(), key=lambda member: member.name.encode()) if path.is_dir() else [path]
        found[NAMES_IN_CHINESE.get(name, name)] = [member for member in members if member.suffix != ".sha256"]
    return found


def table_of(path: Path) -> tuple[list[str], list[list[object]]]:
    """Header as sent, and data rows."""
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path)
        return frame.columns, [list(row) for row in frame.iter_rows()]
    if path.suffix == ".xlsx":
        sheet = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        rows = [row for row in sheet.to_python() if sum(cell != "" for cell in row) > 1]
        return [str(cell) for cell in rows[0]], rows[1:]
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if content.startswith(b"\xef\xbb\xbf"):
        text = content.decode("utf-8-sig", errors="surrogateescape")
    else:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("gb18030")
    first_line = text.split("\n", 1)[0]
    separator = max(",\t|", key=first_line.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    return rows[0], rows[1:]


def records(out: Path, source: str, date: dt.date = DATE) -> list[dict[str, object]]:
    """Data rows of a source in the contract's numbering (the first stands at 0), by canonical name."""
    names = {
        header.lower(): column.name
        for column in SOURCES[source]
        for header in (column.name, column.chinese, column.pinyin)
        if header
    }
    found = []
    for path in files_of(out, date)[source]:
        header, rows = table_of(path)
        canonical = [names.get(text.strip("*★").lower()) for text in header]
        found += [{name: cell for name, cell in zip(canonical, row, strict=False) if name} for row in rows]
    return found


def plain(name: object) -> str:
    """A name with the private-use forms that Python's codec gives for GB18030's two bytes undone."""
    text = str(name)
    for character, form in _TWO_BYTE_FORMS.items():
        text = text.replace(form, character)
    return text


def day_of(text: object) -> dt.date:
    """A date written as 20150312, 2015-03-12 or 2015/3/12."""
    digits = str(text)
    if digits.isdigit():
        digits = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    year, month, day = (int(part) for part in digits.replace("/", "-").split("-"))
    return dt.date(year, month, day)


# ---- determinism


def digests(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_same_arguments_same_bytes_in_another_process(tmp_path: Path) -> None:
    write_sample(tmp_path / "here", children=400, seed=5, date=DATE, nights=2)
    call = (
        "import datetime as dt, pathlib; from kcb_pipeline.sample import write_sample; "
        f"write_sample(pathlib.Path({str(tmp_path / 'there')!r}), children=400, seed=5, date=dt.date(2026, 10, 22), nights=2)"
    )
    subprocess.run([sys.executable, "-c", call], check=True, env={**os.environ, "PYTHONHASHSEED": "4711"})
    here = digests(tmp_path / "here")
    assert here == digests(tmp_path / "there")
    assert len(here) > 50


def test_another_seed_is_another_county(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_sample(tmp_path / str(seed), children=50, seed=seed, date=DATE)
    first, second = (truth(tmp_path / str(seed), "children") for seed in (1, 2))
    assert set(first["id_number"]).isdisjoint(second["id_number"])


# ---- conformity


def test_every_source_arrives_on_the_first_night_under_known_headers(night: Path) -> None:
    files = files_of(night)
    assert set(files) == set(SOURCES)
    assert len(SOURCES) == 13
    own_columns = Counter()
    for source, paths in files.items():
        known = {
            header.lower(): column
            for column in SOURCES[source]
            for header in (column.name, column.chinese, column.pinyin)
            if header
        }
        for path in paths:
            header = [text.strip("*★").lower() for text in table_of(path)[0]]
            columns = [known[text] for text in header if text in known]
            assert len(columns) == len({column.name for column in columns}), f"{path}: ambiguous"
            assert {column.name for column in SOURCES[source] if column.needed} <= {column.name for column in columns}
            own_columns[source] += len(header) - len(columns)
    assert +own_columns == {"population": 3}  # the column the police add, in each of three files


def test_digests_beside_files_are_right(night: Path) -> None:
    beside = sorted((night / "extracts").rglob("*.sha256"))
    assert len(beside) == 2
    for path in beside:
        digest, name = path.read_text().split()
        assert path.name == f"{name}.sha256"
        assert hashlib.sha256(path.with_name(name).read_bytes()).hexdigest() == digest


def test_rare_characters_arrive_as_two_bytes(night: Path) -> None:
    names = "".join(str(row.get("name", "")) for row in records(night, "population"))
    assert any(form in names for form in _TWO_BYTE_FORMS.values())


def test_headcounts_and_absences_fall_on_school_days(night: Path) -> None:
    counted = {str(row["counted_on"]) for row in records(night, "in_school") if "counted_on" in row}
    missed = {row["absent_on"] for row in records(night, "absences")}
    days = missed | {day_of(day) for day in counted}
    assert all(isinstance(day, dt.date) and chinese_calendar.is_workday(day) and day <= DATE for day in days)
    assert dt.date(2026, 10, 10) in missed  # a Saturday on which work was made up


def test_id_numbers_are_valid_and_nobodys(night: Path) -> None:
    numbers = truth(night, "children")["id_number"]
    assert id_number.valid(numbers, on=DATE).all()
    assert numbers.n_unique() == CHILDREN


# ---- truth


def test_there_are_as_many_children_as_asked_for(night: Path) -> None:
    children = truth(night, "children")
    assert children.height == CHILDREN
    assert children["person_key"].n_unique() == CHILDREN
    refused = set(truth(night, "quarantine").select("source", "row").iter_rows())
    live = 0
    for row, record in enumerate(records(night, "population"), 1):
        if ("population", row) in refused or record["record_flag"] != "1" or record["reversal_flag"] != "0":
            continue
        live += record["person_state"] in ("0", "3") and is_eligible(day_of(record["birth_date"]), DATE)
    for row, record in enumerate(records(night, "residents"), 1):
        if ("residents", row) in refused or record["permit_state"] != "有效" or record["cancelled_on"] != "-":
            continue
        live += is_eligible(day_of(record["birth_date"]), DATE)
    persons_twice = truth(night, "duplicates").filter(pl.col("kind") == "person").height
    assert live - persons_twice == CHILDREN


def test_every_status_and_every_reason_occurs(night: Path) -> None:
    children = truth(night, "children")
    statuses = Counter(children["status"])
    assert set(statuses) == set(STATUSES) - {"dropout"}
    assert sum(statuses.values()) == CHILDREN
    assert min(statuses.values()) >= 3
    reasons = Counter(reason for reason in children["status_reason"] if reason)
    assert set(reasons) >= CONTRACT_REASONS
    assert min(reasons.values()) >= 3
    assert 0.9 < statuses["enrolled"] / CHILDREN < 0.96


def test_every_story_is_told(night: Path) -> None:
    told = Counter(story for stories in truth(night, "children")["stories"] for story in stories)
    assert set(told) == set(STORIES)


def test_rows_of_the_truth_are_the_rows_of_the_files(night: Path) -> None:
    tables = {source: records(night, source) for source in ("population", "residents", "student_registry")}
    whole = 0
    for child in truth(night, "children").iter_rows(named=True):
        source = "population" if child["population_type"] == "registered" else "residents"
        sides = [(source, child["population_row"], child["population_damage"])]
        if child["registry_row"] is not None:
            assert child["registry_row"] in child["registry_rows"]
            sides.append(("student_registry", child["registry_row"], child["registry_damage"]))
        for table, row, damage in sides:
            record = tables[table][row - 1]
            if not damage:
                whole += 1
                assert plain(record["name"]) == child["name"]
                assert record["id_number"] == child["id_number"]
    assert whole > 3000
    landed = truth(night, "registry")
    refused = truth(night, "quarantine").filter(
        (pl.col("source") == "student_registry") & (pl.col("rule") != "duplicate_row")
    )
    assert sorted([*landed["registry_row"], *refused["row"]]) == list(range(1, len(tables["student_registry"]) + 1))


def test_quarantined_and_repeated_rows_are_where_the_truth_says(night: Path) -> None:
    noted = truth(night, "quarantine")
    assert set(noted["rule"]) == {"malformed_row", "name_missing", "unidentifiable", "too_long", "duplicate_row"}
    for source in ("population", "student_registry", "residents", "in_school"):
        broken, repeated, row = [], [], 0
        seen: set[tuple[object, ...]] = set()
        for path in files_of(night)[source]:
            header, rows = table_of(path)
            for cells in rows:
                row += 1
                if len(cells) != len(header) or any("\x00" in str(c) or "\udcff" in str(c) for c in cells):
                    broken.append(row)
                elif tuple(cells) in seen:
                    repeated.append(row)
                seen.add(tuple(cells))
        here = noted.filter(pl.col("source") == source)
        assert broken == here.filter(pl.col("rule") == "malformed_row")["row"].to_list()
        assert repeated == here.filter(pl.col("rule") == "duplicate_row")["row"].to_list()


def test_the_absent_are_absent_in_the_files(night: Path) -> None:
    registry, away = records(night, "student_registry"), defaultdict(set)
    for row in records(night, "absences"):
        if row["kind"] == "无故":
            away[row["student_number"]].add(row["absent_on"])
    school_days = [DATE - dt.timedelta(days=back) for back in range(3)]  # Tuesday to Thursday
    children = truth(night, "children")
    long_away = {number for number, days in away.items() if days.issuperset(school_days)}
    absent = children.filter(pl.col("status_reason") == "absent")["registry_row"]
    assert long_away == {registry[row - 1]["student_number"] for row in absent}


def test_what_is_left_out_of_the_headcount_is_suspected_or_explained(night: Path) -> None:
    registry = records(night, "student_registry")
    last: dict[str, str] = {}
    present = set()
    headcount = [row for row in records(night, "in_school") if "present" in row]
    for row in headcount:
        last[str(row["school_code"])] = max(last.get(str(row["school_code"]), ""), str(row["counted_on"]))
    for row in headcount:
        if row["counted_on"] == last[str(row["school_code"])] and row["present"] in ("1", "是"):
            present.add((row["student_number"], row["school_code"]))
    oldest = f"{DATE - dt.timedelta(days=30):%Y%m%d}"
    for child in truth(night, "children").filter(pl.col("status") == "enrolled").iter_rows(named=True):
        row = registry[child["registry_row"] - 1]
        fresh = last.get(str(row["school_code"]), "") >= oldest
        assert (row["student_number"], row["school_code"]) in present or not fresh
    for child in truth(night, "children").filter(pl.col("status_reason") == "not_in_headcount").iter_rows(named=True):
        row = registry[child["registry_row"] - 1]
        assert (row["student_number"], row["school_code"]) not in present
        assert last[str(row["school_code"])] >= oldest


def test_damage_is_as_frequent_as_it_should_be(night: Path) -> None:
    children = truth(night, "children").filter(pl.col("registry_row").is_not_null())
    kinds = Counter(kind for damage in children["registry_damage"] for kind in damage)
    names = sum(count for kind, count in kinds.items() if kind.startswith("name_") and kind != "name_former")
    births = sum(count for kind, count in kinds.items() if kind.startswith("birth_"))
    assert 0.02 < names / children.height < 0.06
    assert 0.004 < births / children.height < 0.02
    assert {"id_missing", "id_digit", "id_transposed", "id_guardian", "id_sibling", "id_former"} <= set(kinds)
    assert children.filter(pl.col("population_damage").list.len() > 0).height < 0.02 * CHILDREN
    assert 0 < truth(night, "children")["undecidable"].sum() < 0.005 * CHILDREN


def test_without_damage_all_rows_are_sound(tmp_path: Path) -> None:
    write_sample(tmp_path, children=300, seed=2, date=DATE, damage=False)
    assert truth(tmp_path, "quarantine").is_empty()
    assert truth(tmp_path, "cells").is_empty()
    kinds = {kind for damage in truth(tmp_path, "children")["registry_damage"] for kind in damage}
    assert kinds <= {
        "id_missing",
        "id_document",
        "id_guardian",
        "id_sibling",
        "id_borrowed",
        "id_invented",
        "id_former",
    } | {
        "name_former",
        "number_former",
    }


# ---- nights


def test_the_world_goes_on(nights: Path) -> None:
    dates = [DATE + dt.timedelta(days=step) for step in range(5)]
    assert sorted(path.name for path in (nights / "extracts").iterdir()) == [date.isoformat() for date in dates]
    tables = [truth(nights, "children", date) for date in dates]
    assert tables[0].height == 700
    for before, after in itertools.pairwise(tables):
        assert set(before["person_key"]) <= set(after["person_key"])  # nobody leaves the ledger unaccounted for
    last = dict(tables[-1].select("person_key", "status").iter_rows())
    changed = [key for key, status in tables[0].select("person_key", "status").iter_rows() if last[key] != status]
    assert len(changed) > 5
    reasons = set(tables[-1]["status_reason"])
    assert {"no_longer_live", "leave_expired", "deferral_expired"} <= reasons
    told = {story for stories in tables[-1]["stories"] for story in stories}
    assert {"moved_in", "arrived", "stops_attending", "comes_back", "dies", "is_corrected_in_registry"} <= told


def test_an_optional_source_does_not_arrive_on_the_second_night(nights: Path) -> None:
    assert set(SOURCES) - set(files_of(nights, DATE + dt.timedelta(days=1))) == {OPTIONAL_ON_SECOND_NIGHT}
    assert set(files_of(nights, DATE + dt.timedelta(days=2))) == set(SOURCES)


def test_rows_stand_elsewhere_on_another_night(nights: Path) -> None:
    first, second = (
        dict(truth(nights, "children", DATE + dt.timedelta(days=step)).select("person_key", "registry_row").iter_rows())
        for step in (0, 1)
    )
    assert sum(first[key] != second[key] for key in first) > len(first) // 2


# ---- stories and arguments


def test_a_story_that_does_not_lead_where_it_says_is_refused() -> None:
    world = build(children=30, seed=1, day=DATE)
    child = next(child for child in world.children if expected_status(world, child) == ("enrolled", ""))
    wrong = Story("never_enrolled", 0.1, ("deferred", "deferral_approved"), never_enrolled, anybody)
    wrong.act(world, child)
    with pytest.raises(AssertionError, match="never_enrolled states"):
        happened(world, child, wrong)


def test_on_the_first_of_september_the_eldest_leave_the_youngest_enter_and_the_others_move_up(tmp_path: Path) -> None:
    before, after = dt.date(2026, 8, 31), dt.date(2026, 9, 1)
    write_sample(tmp_path, children=700, seed=1, date=before, nights=2)
    old, new = truth(tmp_path, "children", before), truth(tmp_path, "children", after)

    assert old["birth_date"].min() < dt.date(2010, 9, 1) <= new["birth_date"].min()  # type: ignore[operator]
    assert old["birth_date"].max() <= dt.date(2019, 8, 31) < new["birth_date"].max()  # type: ignore[operator]
    assert new["birth_date"].max() <= dt.date(2020, 8, 31)  # type: ignore[operator]
    assert 0.8 < new.height / old.height < 1.2
    assert new["person_key"].is_unique().all()
    stayed = new.join(old, on="person_key", how="inner")
    assert stayed.height > 0.8 * new.height
    # Who was in school and has no story is in school, or has finished it.
    ordinary = stayed.filter((pl.col("status_right") == "enrolled") & (pl.col("stories").list.len() == 0))
    assert set(ordinary["status"]) <= {"enrolled", "completed"}
    assert "lost_after_primary" in set(new["stories"].explode())


def test_nights_may_lie_apart_and_life_goes_on_between_them(tmp_path: Path) -> None:
    later = DATE + dt.timedelta(days=90)
    write_sample(tmp_path, children=500, seed=9, date=DATE, nights=2, every=90)

    assert sorted(path.name for path in (tmp_path / "truth").iterdir()) == [str(DATE), str(later)]
    before, after = truth(tmp_path, "children", DATE), truth(tmp_path, "children", later)
    happened = set(after["stories"].explode()) - set(before["stories"].explode())
    assert {"stops_attending", "transfers_out", "moved_in"} <= happened
    assert 0.95 < after.height / before.height < 1.15
    assert (after.join(before, on="person_key")["stories"].list.len() <= 4).all()


@pytest.mark.parametrize(("children", "count"), [(0, 1), (10, 0)])
def test_empty_worlds_are_refused(tmp_path: Path, children: int, count: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        write_sample(tmp_path, children=children, seed=1, date=DATE, nights=count)


@pytest.mark.parametrize("date", [dt.date(2026, 9, 1), dt.date(2026, 2, 17), dt.date(2026, 7, 30), dt.date(2027, 4, 1)])
def test_any_day_of_the_year_will_do(tmp_path: Path, date: dt.date) -> None:
    write_sample(tmp_path, children=120, seed=9, date=date)
    assert truth(tmp_path, "children", date).height == 120
