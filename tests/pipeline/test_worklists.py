"""核查表 go out, come back as an office returns them, and are believed cell by cell: night 1, the office, night 2."""

import datetime as dt
import re
import zipfile

import openpyxl
import pytest

from kcb_pipeline.encryption import Key, Password
from tests.pipeline.conftest import Home
from tests.pipeline.micro import County

FIRST = dt.date(2026, 11, 18)
SECOND = dt.date(2026, 11, 19)
FORMULA = '=HYPERLINK("http://x","y")'
GUARDIAN = "@SUM(1+1)*cmd|' /C calc'!A0"
CHILDREN = [
    "省外就读生",
    "确认辍学生",
    "失去联系生",
    "休学缺期限",
    "没有核查甲",
    "没有核查乙",
    "只填日期生",
    "送教上门生",
    "日期不对生",
    "换了名字生",
]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Ten children of one township without any record, and one pupil."""
    home = Home(tmp_path_factory.mktemp("offices"))
    county = County(FIRST)
    county.pupil(county.person("在校学生"))
    for name in CHILDREN:
        county.person(name, guardian_name=GUARDIAN if name == "省外就读生" else None)
    county.write(home.folder)
    home.night(FIRST)
    return home, county


def worklist(home, version=1, kind="乡镇"):
    [path] = (home.folder / f"published/versions/{version:06d}/worklists").glob(f"{kind}-*.xlsx")
    return path


def fill(path, out):
    """As an office would: a title above the header, another sheet in front, columns moved, dates typed in several ways."""
    book = openpyxl.load_workbook(path)
    sheet = book["核查表"]
    header = [cell.value for cell in sheet[1]]
    rows = {
        row[1].value: dict(zip(header, [cell.value for cell in row], strict=True)) for row in sheet.iter_rows(min_row=2)
    }
    assert set(rows) == set(CHILDREN)
    rows["省外就读生"] |= {"核查结果": "省外就读无学籍", "核查日期": "2026年11月18日", "佐证材料": FORMULA}
    rows["确认辍学生"] |= {
        "核查结果": "确认辍学",
        "核查日期": dt.date(2026, 11, 19),
        "失辍学原因": "外出务工",
        "劝返措施": "宣传教育",
        "劝返次数": 2,
    }
    rows["失去联系生"] |= {"核查结果": "失联", "核查日期": 20261118, "核查人": "张三"}
    rows["休学缺期限"] |= {"核查结果": "休学", "核查日期": "2026/11/18"}
    rows["只填日期生"] |= {"核查日期": "2026.11.18"}
    rows["送教上门生"] |= {"核查结果": "送教上门", "核查日期": "20261118", "安置方式": "送教上门"}
    rows["日期不对生"] |= {"核查结果": "失联", "核查日期": "昨天"}
    rows["换了名字生"] |= {"核查结果": "失联", "核查日期": "2026-11-18", "姓名": "完全不同"}
    book.create_sheet("汇总", 0).append(["本镇汇总，与核查无关"])
    moved = [*header[5:], *header[:5]]
    sheet.delete_rows(1, sheet.max_row)
    sheet.append(["幸福镇十一月核查表"])
    sheet.append([])
    sheet.append(moved)
    for row in rows.values():
        sheet.append([row[name] for name in moved])
    for cell in sheet[4 + list(rows).index("省外就读生")]:
        if cell.value in (FORMULA, GUARDIAN):
            cell.data_type = "s"
    out.parent.mkdir(parents=True)
    book.save(out)
    letters = {name: openpyxl.utils.get_column_letter(place) for place, name in enumerate(moved, start=1)}
    return {
        child: {name: f"verifications/{out.name}!{letter}{row}" for name, letter in letters.items()}
        for row, child in enumerate(rows, start=4)
    }


@pytest.fixture(scope="module")
def second(first, tmp_path_factory):
    """The night after, with the worklist filled in and dropped back."""
    before, county = first
    home = before.copy(tmp_path_factory.mktemp("returned") / "home")
    County(SECOND, rows={source: list(rows) for source, rows in county.rows.items()}).write(home.folder)
    cells = fill(worklist(home), home.extracts(SECOND) / "verifications" / "幸福镇.xlsx")
    home.night(SECOND)
    return home, cells


def by_name(home, columns, table="cases"):
    names = home.query(f"SELECT c.name, {columns} FROM {table} k JOIN school_age_children c USING (child_id)")
    return {name: values[0] if len(values) == 1 else tuple(values) for name, *values in names}


def test_cases_moved_exactly_as_answered(second):
    home, _ = second

    assert by_name(home, "k.state") == {
        "省外就读生": "closed", "确认辍学生": "persuading", "失去联系生": "verifying", "送教上门生": "closed",
        **dict.fromkeys(["休学缺期限", "没有核查甲", "没有核查乙", "只填日期生", "日期不对生", "换了名字生"], "suspected"),
    }  # fmt: skip
    assert by_name(home, "k.measure, k.visits")["确认辍学生"] == ("宣传教育", 2)
    assert home.query("SELECT DISTINCT verified_on FROM decisions ORDER BY 1") == [(FIRST,), (SECOND,)]


def test_every_row_of_the_form_is_accounted_for(second):
    home, _ = second

    counted = home.query(
        "SELECT read, landed, quarantined, duplicate_rows, unanswered FROM row_accounts WHERE version = 2 AND source = 'verifications'"
    )

    assert counted == [(10, 8, 2, 0, 2)]
    assert home.query("SELECT rule, count(*) FROM quarantined_rows WHERE source = 'verifications' GROUP BY 1") == [
        ("required_cell_missing", 2)
    ]


def test_what_has_to_be_mended_is_listed_by_cell(second):
    home, cells = second
    wanted = {
        (cells["休学缺期限"]["期限"], "evidence_missing"),
        (cells["只填日期生"]["核查结果"], "required_cell_missing"),
        (cells["日期不对生"]["核查日期"], "impossible_date"),
        (cells["换了名字生"]["姓名"], "other_child"),
    }

    assert set(home.query("SELECT cell, rule FROM answers_to_mend WHERE version = 2")) == wanted
    sheet = openpyxl.load_workbook(home.folder / "published/versions/000002/待补正.xlsx")["待补正"]
    listed = {row[6]: row for row in sheet.iter_rows(min_row=2, values_only=True)}
    assert set(listed) == {cell for cell, _ in wanted}
    mend = listed[cells["休学缺期限"]["期限"]]
    assert mend[1:4] == ("verifications/幸福镇.xlsx", cells["休学缺期限"]["期限"].split("!")[1], "期限")
    assert "需要填写" in mend[5]


def test_a_text_that_looks_like_a_formula_lands_as_it_is_and_is_never_one(second):
    home, _ = second

    assert home.query("SELECT evidence FROM decisions WHERE result = '省外就读无学籍'") == [(FORMULA,)]
    for path in (home.folder / "published").rglob("*.xlsx"):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                if name.startswith("xl/worksheets/"):
                    assert not re.search(rb"<f[ >]", packed.read(name)), (path.name, name)


def test_what_an_office_wrote_is_explained_only_on_a_screen_nobody_else_sees(second):
    home, _ = second
    [(child,)] = home.query("SELECT child_id FROM school_age_children WHERE name = '省外就读生'")

    explained = home.kcb("explain", child).stdout

    assert "核查结果：省外就读无学籍；佐证：…" in explained
    assert FORMULA not in explained
    assert FORMULA in home.kcb("explain", child, "--identity").stdout


def test_closed_cases_leave_the_worklist_and_progress_is_on_it(second):
    home, _ = second
    sheet = openpyxl.load_workbook(worklist(home, 2))["核查表"]
    header = [cell.value for cell in sheet[1]]
    rows = {row[1]: dict(zip(header, row, strict=True)) for row in sheet.iter_rows(min_row=2, values_only=True)}

    assert set(rows) == set(CHILDREN) - {"省外就读生", "送教上门生"}
    assert "已劝返2次" in rows["确认辍学生"]["目前进展"]
    assert "宣传教育" in rows["确认辍学生"]["目前进展"]


def test_returned_untouched_it_changes_nothing_and_trips_no_gate(first, tmp_path):
    before, county = first
    home = before.copy(tmp_path / "home")
    County(SECOND, rows={source: list(rows) for source, rows in county.rows.items()}).write(home.folder)
    out = home.extracts(SECOND) / "verifications" / "原样.xlsx"
    out.parent.mkdir(parents=True)
    out.write_bytes(worklist(home).read_bytes())
    out.with_name("石桥镇 张三.et").write_bytes(b"of another program")
    (home.extracts(SECOND) / "absences.xls").write_bytes(b"of an old one")

    said = home.night(SECOND)

    [warning] = [line for line in (said.stdout + said.stderr).splitlines() if "left alone" in line]
    assert "absences.xls, 1 in verifications/" in warning
    assert "张三" not in said.stdout + said.stderr
    assert "absences" in next(line for line in (said.stdout + said.stderr).splitlines() if "not sent" in line)
    assert home.query(
        "SELECT read, landed, quarantined, unanswered FROM row_accounts WHERE version = 2 AND source = 'verifications'"
    ) == [(10, 10, 0, 10)]
    assert home.query("SELECT count(*) FROM answers_to_mend") == [(0,)]
    assert set(by_name(home, "k.state").values()) == {"suspected"}


def test_papers_are_for_their_owner_only_and_the_same_when_made_again(second, tmp_path):
    home, _ = second
    folder = home.folder / "published/versions/000001"

    for kind in ("worklists", "corrections", "bulletin", "mending"):
        home.kcb("export", kind, "--version", "1", "--out", str(tmp_path / "out"))

    made = {path.relative_to(tmp_path / "out"): path for path in (tmp_path / "out").rglob("*.xlsx")}
    assert {path: made[path].read_bytes() for path in made} == {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.xlsx")
    }
    for path in [*folder.rglob("*"), *made.values()]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path.name


def test_a_folder_lost_between_renames_comes_back_with_the_next_run(second, tmp_path):
    import shutil

    home = second[0].copy(tmp_path / "home")
    folder = home.folder / "published/versions/000002"
    was = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder)

    home.night(SECOND)

    assert home.query("SELECT max(version) FROM ledger_versions") == [(2,)]
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == was


def test_a_version_that_is_not_there_is_said_so(second):
    done = second[0].kcb("export", "bulletin", "--version", "9", code=2)

    assert "no version 9; there are 1 to 2" in done.stderr


def test_worklists_leave_encrypted_for_their_office(first, tmp_path):
    home, *_ = first
    (tmp_path / "password.txt").write_text("correct horse 正确\n", encoding="utf-8")
    (tmp_path / "password.txt").chmod(0o600)
    (tmp_path / "recipients.txt").write_text(Key.make(tmp_path / "k") + "\n", encoding="utf-8")
    home.kcb("export", "worklists", "--out", str(tmp_path / "plain"))
    home.kcb("export", "worklists", "--out", str(tmp_path / "age"), "--encrypt-for", str(tmp_path / "recipients.txt"))
    home.kcb("export", "worklists", "--out", str(tmp_path / "excel"), "--password-file", str(tmp_path / "password.txt"))
    plain = sorted((tmp_path / "plain" / "worklists").iterdir())

    assert [f.name for f in sorted((tmp_path / "age" / "worklists").iterdir())] == [f"{f.name}.age" for f in plain]
    Key.read(tmp_path / "k").decrypt_file(tmp_path / "age" / "worklists" / f"{plain[0].name}.age", tmp_path / "opened")
    assert (tmp_path / "opened").read_bytes() == plain[0].read_bytes()
    for file in plain:
        encrypted = (tmp_path / "excel" / "worklists" / file.name).read_bytes()
        assert Password.read(tmp_path / "password.txt").decrypt(encrypted) == file.read_bytes()
