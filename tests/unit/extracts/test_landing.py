"""Landing: row numbers, the account of every row, which rows leave and which cells are noted, and what a failed landing leaves."""

import datetime as dt
import os

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts import text_file
from kcb_pipeline.extracts.catalogue import sources
from kcb_pipeline.extracts.delivery import find_delivery
from kcb_pipeline.extracts.landing import land
from kcb_pipeline.extracts.rows import fingerprints

POPULATION = "id_number,name,sex,birth_date,household_id,division_code"
REGISTRY = "student_number,name,sex,birth_date,id_type,id_number,school_code,school_name,grade,registry_status"
ABSENCES = "student_number,absent_on,kind"


def person(number="", name="王小明", sex="1", birth="20150312", household="H1", division="533123"):
    return f"{number},{name},{sex},{birth},{household},{division}"


# -- row numbers ---------------------------------------------------------------------------------------------------


def test_rows_are_numbered_from_one(desk):
    desk.put("absences.csv", [ABSENCES, "G1,20261118,无故", "G2,20261118,无故", "G3,20261118,无故"])

    desk.land("absences")

    assert desk.landed("absences", "student_number") == {1: "G1", 2: "G2", 3: "G3"}


def test_rows_are_numbered_through_all_files_in_byte_order_of_their_paths(desk):
    order = ["10.csv", "2.csv", "B.csv", "a.csv", "a/1.csv", "一中.csv"]
    for name in reversed(order):
        desk.put(f"absences/{name}", [ABSENCES, f"G{name},20261118,无故", f"G{name}-,20261119,病假"])

    desk.land("absences")

    files = desk.query("SELECT file, first_row, read FROM landed.files WHERE source = 'absences' ORDER BY first_row")
    assert files == [(f"absences/{name}", 2 * place + 1, 2) for place, name in enumerate(order)]
    first_rows = {row: number for row, number in desk.landed("absences", "student_number").items() if row % 2}
    assert list(first_rows.values()) == [f"G{name}".upper() for name in order]


def test_every_row_of_a_file_has_a_number_whether_it_lands_or_not(desk):
    desk.put(
        "absences/1.csv",
        [ABSENCES, "G1,20261118,无故", "broken", "G1,20261118,无故", "", "G2,,无故", "G3,20261118,无故", "broken"],
    )
    desk.put("absences/2.csv", [ABSENCES, "broken", "G4,20261118,无故"])

    desk.land("absences")

    assert desk.landed("absences", "student_number") == {1: "G1", 5: "G3", 8: "G4"}
    assert desk.quarantined("absences").keys() == {2, 4, 6, 7}
    assert desk.query("SELECT row FROM landed.duplicate_rows") == [(3,)]


def test_population_and_residents_are_numbered_separately(desk):
    desk.put("population.csv", [POPULATION, person(name="甲"), person(name="乙")])
    desk.put(
        "residents.csv",
        ["id_number,name,sex,birth_date,household_division_code,division_code", ",丙,1,20150312,510104,533123"],
    )

    desk.land("population")
    desk.land("residents")

    assert desk.landed("population", "name") == {1: "甲", 2: "乙"}
    assert desk.landed("residents", "name") == {1: "丙"}


# -- the account ---------------------------------------------------------------------------------------------------


def test_what_is_wrong_is_noted_with_its_file_also_beside_files_without_rows(desk):
    for name, rows in {
        "0": [],
        "1": ["G1,昨天,无故"],
        "2": [],
        "3": ["broken", "G2,20261118,想不起来"],
        "4": [],
    }.items():
        desk.put(f"absences/{name}.csv", [ABSENCES, *rows])

    desk.land("absences")

    assert desk.query("SELECT file, row FROM landed.cell_issues ORDER BY row") == [
        ("absences/1.csv", 1), ("absences/3.csv", 3),
    ]  # fmt: skip
    assert desk.query("SELECT DISTINCT file, row FROM landed.quarantined_rows ORDER BY row") == [
        ("absences/1.csv", 1), ("absences/3.csv", 2), ("absences/3.csv", 3),
    ]  # fmt: skip


def test_read_rows_are_landed_or_quarantined_or_duplicate_in_every_file(desk):
    good = [f"G{n},20261118,无故" for n in range(5)]
    desk.put("absences/1.csv", [ABSENCES, *good, "broken", "G9,,无故", good[0]])
    desk.put("absences/2.csv", [ABSENCES, good[1], good[1], "G7,20261118,事假"])
    desk.put("absences/3.csv", [ABSENCES])

    account = desk.land("absences")

    assert (account.read, account.landed, account.quarantined, account.duplicate_rows) == (11, 6, 2, 3)
    assert desk.query(
        "SELECT file, read, landed, quarantined, duplicate_rows FROM landed.files WHERE source = 'absences' ORDER BY file"
    ) == [("absences/1.csv", 8, 5, 2, 1), ("absences/2.csv", 3, 1, 0, 2), ("absences/3.csv", 0, 0, 0, 0)]
    assert len(desk.landed("absences", "kind")) == 6


KINDS_OF_ROW = {
    "good": "G{n},20261118,无故",
    "duplicate": "G0,20261118,无故",
    "empty bold cell": "G{n},,无故",
    "too few": "G{n}",
    "too many": "G{n},20261118,无故,1",
    "unknown code": "G{n},20261118,想不起来",
    "blank line": "",
}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.lists(st.sampled_from(sorted(KINDS_OF_ROW)), max_size=12), min_size=1, max_size=3))
def test_no_row_is_ever_lost_or_counted_twice(desk, files):
    for place in range(3):
        (desk.extracts / f"absences/{place}.csv").unlink(missing_ok=True)
    sent = 0
    for place, kinds in enumerate(files):
        desk.put(
            f"absences/{place}.csv",
            [ABSENCES, *(KINDS_OF_ROW[kind].format(n=100 * place + n + 1) for n, kind in enumerate(kinds))],
        )
        sent += sum(kind != "blank line" for kind in kinds)

    account = desk.land("absences")

    assert account.read == sent
    assert account.read == account.landed + account.quarantined + account.duplicate_rows
    numbers = sorted([
        *desk.landed("absences", "kind"),
        *desk.quarantined("absences"),
        *(row for (row,) in desk.query("SELECT row FROM landed.duplicate_rows")),
    ])  # fmt: skip
    assert numbers == list(range(1, sent + 1))


def test_the_account_names_how_each_file_was_read_and_the_columns_it_kept_out(desk):
    desk.put("absences/1.csv", [ABSENCES.replace(",", "\t") + "\t备注", "G1\t20261118\t无故\t甲"], encoding="gb18030")
    desk.put("absences/2.csv.gz", [f"序号,{ABSENCES}", "1,G2,20261118,无故"])

    account = desk.land("absences")

    assert account.sent
    assert account.unknown_columns == ("备注", "序号")
    assert len(account.forms) == 2
    assert any("gb18030" in form for form in account.forms)
    assert "备注" not in desk.frame("absences").columns


# -- rows that leave -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("G2,20261118", "malformed_row"),
        ("G2,20261118,无故,1", "malformed_row"),
        ("G2,2026\x001118,无故", "malformed_row"),
        ('G2,"20261118,无故', "malformed_row"),
        (b"G2,20261118,\xff\xfe\xfa", "malformed_row"),
        ("G2" + "9" * 4095 + ",20261118,无故", "too_long"),
    ],
    ids=[
        "too few fields",
        "too many fields",
        "NUL",
        "open quotation mark",
        "undecodable bytes",
        "a cell above 4,096 characters",
    ],
)
def test_a_row_that_is_none_is_quarantined_alone(desk, line, rule):
    data = line if isinstance(line, bytes) else line.encode()
    header = "全国学籍号,缺勤日期,缺勤类型\nG1,20261118,无故\n".encode()
    desk.put("absences.csv", header + data + "\nG3,20261119,事假\n".encode())

    desk.land("absences")

    assert desk.landed("absences", "student_number") == {1: "G1", 3: "G3"}
    assert desk.quarantined("absences") == {2: rule}


def test_a_cell_of_4096_characters_and_a_name_of_100_are_not_too_long(desk):
    header = f"{POPULATION},former_name,address"
    rows = [
        person(name="名" * 100) + ",,",
        person(name="名" * 101) + ",,",
        person(name="甲") + "," + "名" * 100 + ",",
        person(name="乙") + "," + "名" * 101 + ",",
        person(name="丙") + ",," + "址" * 4096,
        person(name="丁") + ",," + "址" * 4097,
        person(name="戊", birth="2" * 4097) + ",,",
        person(name="己", household="3" * 4097) + ",,",
    ]
    desk.put("population.csv", [header, *rows])

    desk.land("population")

    assert desk.quarantined("population") == dict.fromkeys([2, 4, 6, 7, 8], "too_long")
    assert desk.landed("population", "name").keys() == {1, 3, 5}


PERSON_SOURCES = [name for name, source in sources().items() if name not in ("in_school", "absences", "verifications")]
FILLED = {
    "name": "王小明", "sex": "1", "birth_date": "20150312", "kind": None, "direction": "1", "crossed_on": "20261001", "occurred_on": "20261001",
    "household_id": "H1", "household_kind": "一般", "level": None, "from_date": "20260901", "to_date": "20270831", "school_name": "某校",
    "confirmed_on": "20261001", "programme": "控辍保学", "entered_on": "20261001", "division_code": "533123", "household_division_code": "510104",
    "student_number": "G1", "id_type": "1", "id_number": "", "school_code": "33", "grade": "5", "registry_status": "01",
}  # fmt: skip
KINDS = {"deregistrations": "其他", "disability_register": "视力", "approvals": "休学"}
LEVELS = {"disability_register": "1", "support_programmes": "较轻"}


def full_row(source, **cells):
    """A header and one row with every required cell, `cells` put over them, as two lines."""
    names = [
        c.name
        for c in sources()[source].columns
        if c.required or c.name in ("id_number", "birth_date", "student_number")
    ]
    values = FILLED | {"kind": KINDS.get(source), "level": LEVELS.get(source)} | cells
    return ",".join(names), ",".join(str(values[name]) for name in names)


@pytest.mark.parametrize("source", PERSON_SOURCES)
def test_a_row_about_nobody_leaves_and_any_sign_of_somebody_keeps_it(desk, citizen_number, source):
    number = citizen_number("20150312", "001")
    nobody = {"id_number": "", "birth_date": "", "student_number": ""}
    cases = {
        "nameless": ({"name": "", "id_number": number}, "name_missing"),
        "nobody": (nobody, "unidentifiable"),
        "a wrong number": (nobody | {"id_number": number[:-1] + "?"}, "unidentifiable"),
        "a ruined number": (nobody | {"id_number": "5.33123E+17"}, "unidentifiable"),
        "an impossible birth date": (nobody | {"birth_date": "20150230"}, "unidentifiable"),
        "a number": (nobody | {"id_number": number}, None),
        "a birth date": (nobody | {"birth_date": "20150312"}, None),
        "a student number": (nobody | {"student_number": "L1"}, None),
        "a header": (nobody | {"name": "姓名", "student_number": "全国学籍号★"}, "unidentifiable"),
        "a header in other words": (nobody | {"name": "XM", "student_number": "grbsm"}, "unidentifiable"),
    }
    has = {column.name for column in sources()[source].columns}
    cases = {
        name: case
        for name, case in cases.items()
        if not (name == "a birth date" and "birth_date" not in has)
        and not (name in ("a student number", "a header", "a header in other words") and "student_number" not in has)
    }
    lines = [full_row(source, **cells) for cells, _ in cases.values()]
    desk.put(f"{source}.csv", [lines[0][0], *(line for _, line in lines)])

    desk.land(source)

    assert desk.quarantined(source) == {
        row: rule for row, (_, rule) in enumerate(cases.values(), start=1) if rule is not None
    }


@pytest.mark.parametrize("source", PERSON_SOURCES)
def test_a_bold_cell_may_be_empty_where_the_row_says_who_it_is(desk, citizen_number, source):
    number = citizen_number("20150312", "001")
    bold = [c.name for c in sources()[source].columns if c.required and c.name not in ("name", "id_number")]
    lines = [full_row(source, id_number=number, name=f"王{name}", **{name: ""}) for name in bold]
    desk.put(f"{source}.csv", [full_row(source)[0], *(line for _, line in lines)])

    account = desk.land(source)

    assert desk.quarantined(source) == {}
    assert account.landed == len(bold)


@pytest.mark.parametrize(
    ("source", "header", "good"),
    [
        ("in_school", "student_number,counted_on,present", ["G1", "20261118", "1"]),
        ("absences", "student_number,absent_on,kind", ["G1", "20261118", "无故"]),
        ("verifications", "case_id,result,verified_on", ["A1", "失联", "20261118"]),
    ],
)
def test_a_bold_cell_missing_quarantines_the_row_in_sources_that_are_not_about_identity(desk, source, header, good):
    bad = {"": "not there", "不详": "a word for missing"}
    lines = [good, *([*good[:place], cell, *good[place + 1 :]] for place in range(3) for cell in bad)]
    wrong = {
        "in_school": ["G1", "20261118", "也许"],
        "absences": ["G1", "20261318", "无故"],
        "verifications": ["A1", "？", "20261118"],
    }
    lines.append(wrong[source])
    desk.put(f"{source}.csv", [header, *(",".join(line) for line in lines)])

    account = desk.land(source)

    found = desk.query(f"SELECT row, \"column\" FROM landed.quarantined_rows WHERE source = '{source}' ORDER BY row")
    names = [name for name in header.split(",") for _ in bad]
    assert found[:-1] == list(enumerate(names, start=2))
    assert account.landed == 1


def test_a_row_has_one_reason_to_leave(desk):
    desk.put("population.csv", [POPULATION, person(name="", birth=""), person(name="名" * 101, birth=""), person()])

    desk.land("population")

    assert desk.query("SELECT row, count(*) FROM landed.quarantined_rows GROUP BY row ORDER BY row") == [(1, 1), (2, 1)]


# -- cells that are noted ------------------------------------------------------------------------------------------


def test_a_cell_that_cannot_be_understood_is_missing_and_noted_and_the_row_stays(desk, citizen_number):
    number = citizen_number("20150312", "001")
    desk.put(
        "population.csv",
        [
            f"{POPULATION},ethnicity,updated_at",
            person(number, "甲") + ",01,20261101",
            person(number, "乙", sex="公") + ",01,20261101",
            person(number, "丙", birth="20150230") + ",01,20261101",
            person(number, "丁", birth="20270101") + ",天狼星,20270101",
            person(number, "王\u200b戊", division="德昂乡") + ",01,",
        ],
    )

    account = desk.land("population")

    updated = dt.datetime.fromisoformat("2026-11-01")
    assert desk.landed("population", "name", "sex", "birth_date", "ethnicity", "updated_at") == {
        1: ("甲", "1", dt.date(2015, 3, 12), "01", updated),
        2: ("乙", None, dt.date(2015, 3, 12), "01", updated),
        3: ("丙", "1", None, "01", updated),
        4: ("丁", "1", None, None, None),
        5: ("王戊", "1", dt.date(2015, 3, 12), "01", None),
    }
    assert desk.issues("population") == {
        (2, "sex", "unknown_code"),
        (3, "birth_date", "impossible_date"),
        (4, "birth_date", "impossible_date"),
        (4, "ethnicity", "unknown_code"),
        (4, "updated_at", "impossible_date"),
        (5, "name", "control_characters"),
        (5, "division_code", "unknown_code"),
    }
    assert account.cell_issues == 7
    assert account.landed == 5


@pytest.mark.parametrize(
    "source",
    ["population", "residents", "deregistrations", "disability_register", "poverty_register", "approvals", "elsewhere"],
)
def test_a_wrong_check_digit_is_kept_as_written_and_noted(desk, citizen_number, source):
    good = citizen_number("20150312", "001")
    wrong = good[:-1] + ("1" if good[-1] != "1" else "2")
    extra = {"birth_date": "20150312", "student_number": "G1"}
    usable = "birth_date" in {c.name for c in sources()[source].columns}
    lines = [full_row(source, id_number=good, **extra), full_row(source, id_number=wrong, **extra)]
    desk.put(f"{source}.csv", [lines[0][0], *(line for _, line in lines)])

    desk.land(source)

    assert (2, "id_number", "bad_check_digit") in desk.issues(source)
    assert {rule for row, _, rule in desk.issues(source) if row == 1} == set()
    if usable:  # where nothing else says who it is the row leaves (unidentifiable)
        assert desk.landed(source, "id_number", "id_valid") == {1: (good, True), 2: (wrong, False)}


def test_a_number_that_is_none_is_kept_as_written_and_noted(desk, citizen_number):
    number = citizen_number("20151230", "001")
    wrong = {
        "a wrong digit": number[:16] + str((int(number[16]) + 1) % 10) + number[17],
        "two digits swapped": number[:12] + number[13] + number[12] + number[14:],
        "a place short": number[:17],
        "a place long": number + "1",
        "the fifteen places of before 1999": number[:6] + number[8:17],
        "letters": "ABCDEFGHIJKLMNOPQR",
        "Chinese": "身份证号码不",
    }
    desk.put("population.csv", [POPULATION, *(person(text, f"王{n}") for n, text in enumerate(wrong.values()))])

    desk.land("population")

    assert desk.landed("population", "id_number", "id_valid") == {
        row: (text, False) for row, text in enumerate(wrong.values(), start=1)
    }
    assert desk.issues("population") == {(row, "id_number", "bad_check_digit") for row in range(1, len(wrong) + 1)}


def test_a_number_born_on_no_day_or_after_the_comparison_date_is_no_number(desk, citizen_number):
    numbers = [
        citizen_number("20150230", "001"),
        citizen_number("20261121", "001"),
        citizen_number("20150312", "001", "993123"),
    ]
    desk.put(
        "population.csv",
        [
            POPULATION,
            *(person(number, f"王{n}", birth="") for n, number in enumerate(numbers)),
            person(numbers[0], "李"),
        ],
    )

    desk.land("population")

    assert desk.landed("population", "id_valid") == {4: False}
    assert desk.quarantined("population") == dict.fromkeys([1, 2, 3], "unidentifiable")


def test_only_a_citizens_number_has_a_check_digit_to_be_wrong(desk):
    types = ["1", "居民身份证", "", "6", "7", "8", "9", "A", "Z", "护照"]
    rows = [f"J{n},王小明,1,20150312,{code},X12345678,33,学校,5,01" for n, code in enumerate(types)]
    desk.put("student_registry.csv", [REGISTRY, *rows])

    desk.land("student_registry")

    assert desk.issues("student_registry") == {(row, "id_number", "bad_check_digit") for row in (1, 2, 3)}
    assert set(desk.landed("student_registry", "id_number", "id_valid").values()) == {("X12345678", False)}


def test_numbers_of_parents_have_check_digits_too(desk, citizen_number):
    good = citizen_number("19850312", "001")
    desk.put(
        "population.csv",
        [
            f"{POPULATION},father_id_number,mother_id_number,guardian_id_number",
            f"{person()},{good},{good[:-1]}?,5.33123E+17",
        ],
    )

    desk.land("population")

    assert desk.issues("population") == {
        (1, "mother_id_number", "bad_check_digit"),
        (1, "guardian_id_number", "numeric_id_number"),
    }
    assert desk.landed("population", "father_id_number", "guardian_id_number") == {1: (good, "5.33123E+17")}


def test_a_ruined_number_is_kept_as_written_said_so_and_is_no_key(desk):
    desk.put("population.csv", [POPULATION, person("5.33123E+17"), person("5.33e+17", "李小红")])

    desk.land("population")

    assert desk.landed("population", "id_number", "id_valid") == {1: ("5.33123E+17", False), 2: ("5.33e+17", False)}
    assert desk.issues("population") == {(row, "id_number", "numeric_id_number") for row in (1, 2)}


@pytest.mark.parametrize("source", ["population", "residents", "student_registry", "exit_entry"])
def test_a_number_that_contradicts_its_birth_date_or_sex_is_kept_and_flagged_like_what_it_contradicts(
    desk, citizen_number, source
):
    boy = citizen_number("20150312", "001")
    cells = [
        {"name": "甲", "sex": "1", "birth_date": "20150312"},
        {"name": "乙", "sex": "1", "birth_date": "20150321"},
        {"name": "丙", "sex": "2", "birth_date": "20150312"},
        {"name": "丁", "sex": "女", "birth_date": "2016年1月1日"},
        {"name": "戊", "sex": "", "birth_date": ""},
    ]
    names = [c.name for c in sources()[source].columns if c.required or c.name in ("sex", "id_number")]
    rows = [",".join(str((FILLED | {"id_number": boy} | cell)[name]) for name in names) for cell in cells]
    desk.put(f"{source}.csv", [",".join(names), *rows])

    desk.land(source)

    assert {(row, rule) for row, _, rule in desk.issues(source)} == {
        (2, "id_birth_mismatch"), (3, "id_sex_mismatch"), (4, "id_birth_mismatch"), (4, "id_sex_mismatch"),
    }  # fmt: skip
    assert desk.landed(source, "id_number", "sex", "birth_date") == {
        1: (boy, "1", dt.date(2015, 3, 12)),
        2: (boy, "1", dt.date(2015, 3, 21)),
        3: (boy, "2", dt.date(2015, 3, 12)),
        4: (boy, "2", dt.date(2016, 1, 1)),
        5: (boy, None, None),
    }


def test_a_number_that_is_not_valid_contradicts_nothing(desk, citizen_number):
    wrong = citizen_number("20150312", "001")[:-1] + "?"
    desk.put("population.csv", [POPULATION, person(wrong, sex="2", birth="20160101")])

    desk.land("population")

    assert {rule for _, _, rule in desk.issues("population")} == {"bad_check_digit"}


def test_notes_say_file_row_column_and_rule_and_never_a_value(desk, citizen_number):
    secret = ["柳青青", "7号某街", citizen_number("20150312", "002")[:-1] + "?"]
    desk.put("population/1.csv", [POPULATION, person(secret[2], secret[0], sex="公", birth="20159999")])
    desk.put(
        "population/2.csv", [POPULATION, person(secret[2], secret[0], sex="公", birth="20150312", division=secret[1])]
    )

    desk.land("population")

    notes = desk.query("SELECT * FROM landed.cell_issues UNION ALL SELECT * FROM landed.quarantined_rows ORDER BY ALL")
    assert {(source, file, row) for source, file, row, *_ in notes} == {
        ("population", "population/1.csv", 1),
        ("population", "population/2.csv", 2),
    }
    assert not any(value in str(notes) for value in [*secret, "公", "20159999"])


# -- duplicates ----------------------------------------------------------------------------------------------------


def test_exact_duplicates_count_once_across_files(desk):
    line = person("", "甲")
    desk.put("population/1.csv", [POPULATION, line, person("", "乙"), line])
    desk.put("population/2.csv", [POPULATION, line, person("", "丙")])

    account = desk.land("population")

    assert desk.landed("population", "name") == {1: "甲", 2: "乙", 5: "丙"}
    assert (account.read, account.landed, account.duplicate_rows) == (5, 3, 2)


@pytest.mark.parametrize("column", [c.name for c in sources()["absences"].columns])
def test_rows_that_differ_in_any_cell_are_no_duplicates(desk, column):
    names = [c.name for c in sources()["absences"].columns]
    cells = dict(zip(names, ["G1", "33", "20261118", "病假", "20261117", "20261119"], strict=True))
    other = {
        "student_number": "G2", "school_code": "", "absent_on": "20261119", "kind": "事假", "leave_from": "", "leave_to": "20261120",
    }  # fmt: skip
    desk.put(
        "absences.csv",
        [",".join(names), ",".join(cells.values()), ",".join((cells | {column: other[column]}).values())],
    )

    assert desk.land("absences").duplicate_rows == 0


def test_rows_with_the_same_cells_missing_are_duplicates(desk):
    desk.put(
        "absences.csv",
        [f"{ABSENCES},leave_from", "G1,20261118,病假,", "G1,20261118,病假,", "G1,20261118,病假,20261118"],
    )

    assert desk.land("absences").duplicate_rows == 1


def test_rows_that_left_are_no_duplicates(desk):
    desk.put("population.csv", [POPULATION, person(name=""), person(name=""), person()])

    account = desk.land("population")

    assert (account.landed, account.quarantined, account.duplicate_rows) == (1, 2, 0)


# -- sources that came, did not come, or came in pieces ------------------------------------------------------------


def test_an_optional_source_that_did_not_come_lands_empty_and_says_so(desk):
    optional = [name for name, source in sources().items() if not source.required]

    accounts = {source: desk.land(source) for source in optional}

    assert len(accounts) == 11
    assert {account.sent for account in accounts.values()} == {False}
    assert {account.read for account in accounts.values()} == {0}
    for source in optional:
        frame = desk.frame(source)
        assert frame.height == 0
        assert {column.name for column in sources()[source].columns} <= set(frame.columns)


@pytest.mark.parametrize("name", ["population.csv", "population/1.csv"])
def test_a_required_source_with_a_header_only_stops_the_night(desk, name):
    desk.put(name, [POPULATION])

    with pytest.raises(ContractError) as error:
        desk.land("population")

    assert error.value.file == name


def test_an_optional_source_with_a_header_only_came_with_no_rows(desk):
    desk.put("absences.csv", [ABSENCES])

    account = desk.land("absences")

    assert account.sent
    assert (account.read, account.landed) == (0, 0)


def test_one_file_of_a_folder_without_a_bold_column_stops_the_night(desk):
    desk.put("absences/1.csv", [ABSENCES, "G1,20261118,无故"])
    desk.put("absences/2.csv", ["student_number,absent_on", "G1,20261118"])

    with pytest.raises(ContractError) as error:
        desk.land("absences")

    assert (error.value.file, error.value.column) == ("absences/2.csv", "kind")


def test_a_source_under_the_name_of_another_lands_nothing(desk):
    desk.put("absences.csv", ["student_number,counted_on,present", "G1,20261118,1"])

    with pytest.raises(ContractError, match=r"absences\.csv"):
        desk.land("absences")


def test_what_was_landed_before_stands_where_a_landing_fails(desk):
    desk.put("absences.csv", [ABSENCES, "G1,20261118,无故", "broken"])
    desk.land("absences")
    desk.put("absences.csv", ["student_number,absent_on", "G2,20261118"])

    with pytest.raises(ContractError):
        desk.land("absences")

    assert desk.landed("absences", "student_number") == {1: "G1"}
    assert desk.quarantined("absences") == {2: "malformed_row"}
    assert desk.query("SELECT read, landed FROM landed.files WHERE source = 'absences'") == [(2, 1)]


def test_landing_again_replaces_what_was_landed(desk):
    desk.put("absences.csv", [ABSENCES, "G1,20261118,无故", "G1,20261118,无故", "broken", "G2,20261118,不知道"])
    desk.land("absences")
    desk.put("absences.csv", [ABSENCES, "G2,20261118,无故"])

    account = desk.land("absences")

    assert desk.landed("absences", "student_number") == {1: "G2"}
    assert (account.read, account.landed, account.quarantined, account.duplicate_rows) == (1, 1, 0, 0)
    assert (desk.quarantined("absences"), desk.issues("absences")) == ({}, set())


def test_landing_the_same_twice_is_the_same(desk):
    desk.put("absences.csv", [ABSENCES, "G1,20261118,无故", "G1,20261118,无故", "broken", "G2,20261118,不知道"])

    first, frame = desk.land("absences"), desk.frame("absences")
    second = desk.land("absences")

    assert second == first
    assert desk.frame("absences").equals(frame)
    assert desk.query("SELECT count(*) FROM landed.files") == [(1,)]


def test_what_is_landed_and_left_out_of_one_source_is_no_matter_of_another(desk):
    desk.put("absences.csv", [ABSENCES, "G1,20261118,无故", "G1,20261118,无故", "broken", "G2,20261118,不知道"])
    desk.put("in_school.csv", ["student_number,counted_on,present", "G1,20261118,1", "G2,20261118,1", "G2,20261118,1"])

    first, second = desk.land("absences"), desk.land("in_school")

    assert (first.read, first.landed, first.quarantined, first.duplicate_rows, first.cell_issues) == (4, 1, 2, 1, 1)
    assert (second.read, second.landed, second.quarantined, second.duplicate_rows) == (3, 2, 0, 1)
    assert second.cell_issues == 0
    assert desk.landed("in_school", "student_number") == {1: "G1", 2: "G2"}
    assert desk.query("SELECT source, read, landed, quarantined, duplicate_rows FROM landed.files ORDER BY source") == [
        ("absences", 4, 1, 2, 1), ("in_school", 3, 2, 0, 1),
    ]  # fmt: skip
    assert desk.quarantined("absences").keys() == {3, 4}
    assert desk.query("SELECT source, row FROM landed.duplicate_rows ORDER BY source") == [
        ("absences", 2),
        ("in_school", 3),
    ]


def test_a_file_that_changes_while_it_is_landed_stops_the_night(desk, on):
    path = desk.put("absences.csv", [ABSENCES, "G1,20261118,无故"])
    desk.find()
    delivery = find_delivery(desk.extracts, on)
    with path.open("a", encoding="utf-8") as file:
        file.write("G2,20261118,无故\n")

    with pytest.raises(ContractError, match=r"absences\.csv"):
        land(desk.workspace, delivery, sources()["absences"])


def test_a_file_that_is_filled_in_while_it_is_landed_stops_the_night(desk, on):
    """There are copies that give a file its size and time first, and its bytes one after the other."""
    path = desk.put("absences.csv", [ABSENCES, "G1,20261118,无故"])
    desk.find()
    delivery = find_delivery(desk.extracts, on)
    looked = path.stat()
    path.write_bytes(path.read_bytes().replace(b"G1", b"G2"))
    os.utime(path, ns=(looked.st_atime_ns, looked.st_mtime_ns))

    with pytest.raises(ContractError, match=r"absences\.csv: expected a file that is complete"):
        land(desk.workspace, delivery, sources()["absences"])


WHOLE = f"{ABSENCES}\nG1,20261118,无故\nG2,20261118,无故\n"


@pytest.mark.parametrize(
    ("text", "ends_open", "breaks_off"),
    [
        (WHOLE, False, False),
        (WHOLE[:-1], True, False),  # the contract asks for no line end: nobody can say whether this is whole
        (WHOLE[:-4], True, True),
        (WHOLE[: WHOLE.rindex("20261118") + 3], True, True),
        (WHOLE + 'G3,20261118,"无', True, True),
        (WHOLE + "\0" * 5000, True, True),  # the copy has its size before its bytes
        (WHOLE + "\0" * (2 << 20), True, True),
        (WHOLE + "\x1a", False, False),  # as DOS ends a file
        (WHOLE + "  ", False, False),
        (WHOLE + "broken\n", False, False),
        (ABSENCES, True, False),
    ],
)
@pytest.mark.parametrize("name", ["absences.csv", "absences.csv.gz", "absences/1.csv"])
def test_a_file_that_ends_in_the_middle_of_a_row_is_seen(desk, text, ends_open, breaks_off, name):
    desk.put(name, text)

    desk.land("absences")

    assert desk.query("SELECT ends_open, breaks_off FROM landed.files") == [(ends_open, breaks_off)]


@pytest.mark.parametrize("name", ["absences.csv.gz", "absences.xlsx", "absences.parquet"])
def test_a_torn_file_of_a_kind_that_says_where_it_ends_is_refused_wherever_it_is_torn(desk, name):
    frame = pl.DataFrame({"student_number": ["G1", "G2"], "absent_on": ["20261118"] * 2, "kind": ["无故"] * 2})
    if name.endswith(".xlsx"):
        frame.write_excel(desk.extracts / name)
    elif name.endswith(".parquet"):
        frame.write_parquet(desk.extracts / name)
    else:
        desk.put(name, WHOLE)
    path = desk.extracts / name
    whole = path.read_bytes()
    for size in range(1, len(whole), max(len(whole) // 50, 1)):
        for torn in {whole[:size], whole[:size] + bytes(len(whole) - size)} - {whole}:
            path.write_bytes(torn)
            with pytest.raises(ContractError, match=r"absences\."):
                desk.land("absences")


def test_what_lands_is_closed_to_others(desk):
    desk.put("population.csv", [POPULATION, person()])

    desk.land("population")

    files = [path for path in desk.workspace.folder.rglob("*") if path.is_file()]
    assert files
    assert {oct(path.stat().st_mode & 0o077) for path in files} == {"0o0"}


def test_columns_land_under_their_canonical_names_and_types(desk):
    desk.put(
        "student_registry.csv",
        [f"{REGISTRY},enrolled_month,migrant", "G1,王小明,男,2015-03-12,居民身份证,,33,学校,五年级,在读,2021年9月,否"],
    )

    desk.land("student_registry")

    frame = desk.frame("student_registry")
    assert frame.schema["birth_date"] == pl.Date
    assert frame.select("student_number", "sex", "birth_date", "id_type", "grade", "registry_status", "enrolled_month", "migrant").row(0) == (
        "G1", "1", dt.date(2015, 3, 12), "1", 5, "01", dt.date(2021, 9, 1), False,
    )  # fmt: skip


# -- characters that cells do not keep ---------------------------------------------------------------------------------


def test_a_separator_inside_quotation_marks_that_is_a_control_character_is_removed_and_noted(desk):
    many = [f"G{n}\t20261118\t无故\tS1" for n in range(50)]
    desk.put("absences.csv", ["student_number\tabsent_on\tkind\tschool_code", *many, 'G9\t20261118\t无故\t"S\t2"'])

    desk.land("absences")

    assert desk.landed("absences", "school_code")[51] == "S2"
    assert desk.issues("absences") == {(51, "school_code", "control_characters")}


# -- fingerprints --------------------------------------------------------------------------------------------------

TABLE = {
    "row": [1, 2],
    "name": ["王", "王"],
    "address": [None, None],
    "sex": pa.array(["1", "1"]).dictionary_encode(),
    "flag": pa.array(["2", "2"]).dictionary_encode(),
    "birth_date": pa.array([dt.date(2015, 3, 12)] * 2),
    "id_valid": [True, True],
}
OTHERWISE = {
    "name": [["王", "李"], [None, "王"]],
    "address": [[None, "王"]],
    "sex": [["1", "2"], ["1", None]],
    "flag": [["2", "1"], [None, "2"]],
    "birth_date": [[dt.date(2015, 3, 12), dt.date(2015, 3, 13)], [dt.date(2015, 3, 12), None]],
    "id_valid": [[True, False]],
}


def prints(**cells):
    columns = TABLE | cells
    table = pa.table({name: pa.array(v) if isinstance(v, list) else v for name, v in columns.items()})
    return fingerprints(table.set_column(2, "address", table["address"].cast(pa.string()))).select("a", "b").rows()


def test_rows_that_are_the_same_have_one_fingerprint_however_their_codes_are_kept():
    one, same = prints()
    # the same values, kept in another order and beside others
    codes = pa.DictionaryArray.from_arrays(pa.array([2, 2], type=pa.int32()), pa.array(["9", "2", "1"]))

    assert one == same
    assert prints(sex=codes) == [one, one]


@pytest.mark.parametrize(("column", "cells"), [(name, cells) for name, many in OTHERWISE.items() for cells in many])
def test_rows_that_differ_in_one_cell_have_two_fingerprints(column, cells):
    coded = column in ("sex", "flag")
    (a1, b1), (a2, b2) = prints(**{column: pa.array(cells).dictionary_encode() if coded else cells})

    assert a1 != a2
    assert b1 != b2


def test_a_text_that_changes_its_column_changes_the_fingerprint():
    [(one, _), (other, _)] = prints(name=["王", None], address=[None, "王"])

    assert one != other


def test_many_equal_rows_far_apart_count_once(desk, monkeypatch):
    monkeypatch.setattr(text_file, "BLOCK_BYTES", 200)
    rows = [f"G{n % 100},20261118,{'无故' if n < 250 else ' 无故'}" for n in range(500)]
    desk.put("absences.csv", [ABSENCES, *rows])

    account = desk.land("absences")

    assert (account.read, account.landed, account.duplicate_rows) == (500, 100, 400)
    assert list(desk.landed("absences", "kind")) == list(range(1, 101))
