"""One content, every kind of file: CSV in its dialects, workbooks and Parquet land the same rows under the same numbers."""

import datetime as dt
import decimal
import io
import zipfile
import zoneinfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcb_pipeline.errors import ContractError

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")
CANONICAL = (
    "id_number",
    "name",
    "former_name",
    "sex",
    "birth_date",
    "ethnicity",
    "household_id",
    "division_code",
    "address",
    "updated_at",
)
VOCABULARIES = {
    "canonical": CANONICAL,
    "Chinese": ("公民身份号码", "姓名", "曾用名", "性别", "出生日期", "民族", "户号", "户籍地行政区划代码", "住址", "更新时间"),
    "pinyin": ("gmsfhm", "XM★", "CYM", "XB*", "ＣＳＲＱ", " MZ ", "HH", "SSXQ", "MLXZ", "GXSJ"),
}  # fmt: skip

CONTENT = (
    ("{boy}", "王小明", "", "男", "20150312", "01", "H1", "533123", "中心村七组三号", "20261101"),
    ("{girl}", "李小红", "李红", "2", "2012-02-29", "彝族", "H2", "533123101", "大村", "20261102"),
    ("", "", "", "1", "20150312", "", "H3", "533123", "", ""),
    ("5.33123E+17", "买买提·艾力", "无", "1", "2016年1月1日", "5", "H4", "533123", "—", "20261103"),
    ("{boy}", "王小明", "", "男", "20150312", "01", "H1", "533123", "中心村七组三号", "20261101"),
    ("{wrong}", "张国强", "", "公", "20269999", "天狼星", "H5", "德昂乡", "上村", "20271101"),
)


@pytest.fixture(scope="session")
def numbers(citizen_number):
    """The ID numbers of the content."""
    boy, girl = citizen_number("20150312", "001"), citizen_number("20120229", "002")
    return {"boy": boy, "girl": girl, "wrong": boy[:-1] + "?"}


@pytest.fixture(scope="session")
def content(numbers):
    """Six rows of the population as an agency writes them: one leaves, one stands twice, one is full of faults."""
    return [[cell.format(**numbers) for cell in row] for row in CONTENT]


@pytest.fixture
def assert_landed(desk, numbers):
    """That exactly the content landed, whatever kind of file it came in."""

    def check():
        day, midnight = dt.date, dt.datetime.fromisoformat
        account = desk.land("population")
        assert desk.landed("population", *CANONICAL, "id_valid") == {
            1: (numbers["boy"], "王小明", None, "1", day(2015, 3, 12), "01", "H1", "533123", "中心村七组三号", midnight("2026-11-01"), True),
            2: (numbers["girl"], "李小红", "李红", "2", day(2012, 2, 29), "07", "H2", "533123", "大村", midnight("2026-11-02"), True),
            4: ("5.33123E+17", "买买提·艾力", None, "1", day(2016, 1, 1), "05", "H4", "533123", None, midnight("2026-11-03"), False),
        }  # fmt: skip
        assert desk.quarantined("population") == {3: "name_missing", 6: "unidentifiable"}
        assert desk.issues("population") == {
            (4, "id_number", "numeric_id_number"),
            (6, "id_number", "bad_check_digit"),
            (6, "sex", "unknown_code"),
            (6, "birth_date", "impossible_date"),
            (6, "ethnicity", "unknown_code"),
            (6, "division_code", "unknown_code"),
            (6, "updated_at", "impossible_date"),
        }
        assert (account.read, account.landed, account.quarantined, account.duplicate_rows) == (6, 3, 2, 1)

    return check


def workbook(sheets, typed=None):
    """The bytes of a workbook: sheet after sheet of rows, each cell written with the type it has."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        for rows in sheets:
            sheet = book.add_worksheet()
            for place, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(place, column, cell)
                    elif isinstance(cell, dt.date):
                        sheet.write_datetime(place, column, cell)
                    elif cell is not None:
                        sheet.write(place, column, cell)
    return out.getvalue()


def parquet(header, columns):
    """The bytes of a Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table(dict(zip(header, columns, strict=True))), out)
    return out.getvalue()


def separated(rows, separator=",", *, quoted=False, line_end="\n"):
    mark = '"' if quoted else ""
    return line_end.join(separator.join(f"{mark}{cell}{mark}" for cell in row) for row in rows) + line_end


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_every_dialect_of_csv_lands_the_same(desk, content, assert_landed, encoding, vocabulary):
    separator = ",\t|"[
        (list(VOCABULARIES).index(vocabulary) + len(encoding)) % 3
    ]  # each with each encoding and each vocabulary
    desk.put("population.csv", separated([VOCABULARIES[vocabulary], *content], separator), encoding=encoding)

    assert_landed()


@pytest.mark.parametrize("name", ["population.csv", "常住人口.csv.gz"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_quoted_and_packed_csv_land_the_same(desk, content, assert_landed, name, line_end):
    text = separated([VOCABULARIES["Chinese"], *content], quoted=True, line_end=line_end)
    desk.put(name, text, encoding="gb18030")

    assert_landed()


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize("name", ["population.xlsx", "常住人口.xlsx"])
def test_a_workbook_of_texts_lands_the_same(desk, content, assert_landed, name, vocabulary):
    desk.put(name, workbook([[VOCABULARIES[vocabulary], *content]]))

    assert_landed()


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_a_parquet_file_of_texts_lands_the_same(desk, content, assert_landed, vocabulary):
    desk.put(
        "population.parquet", parquet(VOCABULARIES[vocabulary], [list(cells) for cells in zip(*content, strict=True)])
    )

    assert_landed()


def test_a_folder_of_different_kinds_lands_the_same_rows_as_one_file(desk, content, assert_landed):
    desk.put("常住人口/1.csv", separated([VOCABULARIES["pinyin"], *content[:2]], "|"), encoding="utf-8-sig")
    desk.put("常住人口/2.xlsx", workbook([[VOCABULARIES["Chinese"], content[2]]]))
    desk.put("常住人口/3.parquet", parquet(CANONICAL, [[cell] for cell in content[3]]))
    desk.put("常住人口/4.csv.gz", separated([VOCABULARIES["Chinese"], *content[4:]], "\t"), encoding="gb18030")

    assert_landed_from_folder(desk, assert_landed)


def test_a_file_whose_name_messages_hide_is_read_by_its_kind_all_the_same(desk, content, assert_landed):
    """A township's code is as long as a telephone number, and a place may be called like a child."""
    desk.put("常住人口/1 王小明.csv", separated([VOCABULARIES["pinyin"], *content[:2]], "|"), encoding="utf-8-sig")
    desk.put("常住人口/2 龙泉镇.xlsx", workbook([[VOCABULARIES["Chinese"], content[2]]]))
    desk.put("常住人口/3 龙泉镇.PARQUET", parquet(CANONICAL, [[cell] for cell in content[3]]))
    desk.put("常住人口/522636100.CSV.gz", separated([VOCABULARIES["Chinese"], *content[4:]]), encoding="gb18030")

    assert_landed_from_folder(desk, assert_landed)


def assert_landed_from_folder(desk, assert_landed):
    assert_landed()
    files = desk.query("SELECT file, first_row, read FROM landed.files ORDER BY first_row")
    assert [entry[1:] for entry in files] == [(1, 2), (3, 1), (4, 1), (5, 2)]


NAME = st.text(alphabet=st.sampled_from("王李小明红甯䶮𠂇·Ａabc12 -/'\"，,|	"), max_size=8)
ROW = st.tuples(NAME, st.dates(dt.date(2001, 1, 1), dt.date(2026, 11, 20)))


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_any_rows_land_the_same_from_csv_workbook_and_parquet(desk, rows):
    header = ("全国学籍号", "姓名", "清点日期", "是否在校")
    lines = [(f"G{n}", name, day, "1") for n, (name, day) in enumerate(rows)]
    quoted = [[f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in line] for line in lines]
    written = {
        "in_school.csv": separated([header, *quoted]),
        "in_school.xlsx": workbook([[header, *lines]]),
        "in_school.parquet": parquet(header, [list(cells) for cells in zip(*lines, strict=True)]),
    }
    landed = {}
    for name, data in written.items():
        path = desk.put(name, data)
        account = desk.land("in_school")
        landed[name] = (account.landed, account.duplicate_rows, desk.landed("in_school", "student_number", "name", "counted_on"), desk.issues("in_school"))  # fmt: skip
        path.unlink()

    assert landed["in_school.xlsx"] == landed["in_school.csv"]
    assert landed["in_school.parquet"] == landed["in_school.csv"]


# -- numbers: what a spreadsheet or a clerk makes of them, whatever the file ----------------------------------------

WRITTEN_NUMBERS = {
    "as it is": ("{number}", False),
    "an apostrophe": ("'{number}", False),
    "inner blanks": ("{number:.6} {rest}", False),
    "full width": ("{wide}", False),
    "5.33123E+17": ("5.33123E+17", True),
    "5.33123201503E+17": ("5.33123201503E+17", True),
    "5.331232015031E+17": ("5.331232015031E+17", True),
    "5.3312320150312e+17": ("5.3312320150312e+17", True),
    "a trailing .0": ("533123201503120010.0", True),
}


@pytest.mark.parametrize("kind", ["csv", "quoted csv", "xlsx", "parquet"])
@pytest.mark.parametrize("others", [0, 2], ids=["alone", "among clean ones"])
def test_a_number_is_read_the_same_whatever_the_file_and_its_neighbours(desk, citizen_number, kind, others):
    number = citizen_number("20150312", "001")
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in number)
    header = ["id_number", "name", "sex", "birth_date", "household_id", "division_code"]
    rows_of_file, expected, ruined = 1 + others, {}, set()
    for place, (form, is_ruined) in enumerate(WRITTEN_NUMBERS.values()):
        cell = form.format(number=number, rest=number[6:], wide=wide)
        rows = [
            [n, f"王{place}{nth}", "1", "20150312", "H1", "533123"] for nth, n in enumerate([cell, *[number] * others])
        ]
        match kind:
            case "xlsx":
                desk.put(f"population/{place}.xlsx", workbook([[header, *rows]]))
            case "parquet":
                desk.put(
                    f"population/{place}.parquet", parquet(header, [list(cells) for cells in zip(*rows, strict=True)])
                )
            case _:
                desk.put(f"population/{place}.csv", separated([header, *rows], quoted=kind != "csv"))
        first = 1 + place * rows_of_file
        expected |= {first + nth: (number, True) for nth in range(rows_of_file)}
        if is_ruined:
            expected[first] = (cell, False)
            ruined.add((first, "id_number", "numeric_id_number"))

    desk.land("population")

    assert desk.landed("population", "id_number", "id_valid") == expected
    assert desk.issues("population") == ruined


# -- workbooks -----------------------------------------------------------------------------------------------------

HEADER = VOCABULARIES["Chinese"]


@pytest.mark.parametrize("above", [0, 1, 2, 5, 9])
def test_the_header_of_a_workbook_may_stand_below_title_and_blank_rows(desk, content, assert_landed, above):
    titles = [
        ("某县常住人口信息表",),
        (),
        ("导出时间", dt.date(2026, 11, 19)),
        (),
        ("单位：人", 2026),
        (),
        (),
        ("共", 6, "行"),
        (" ",),
    ]
    desk.put("population.xlsx", workbook([[*titles[:above], HEADER, *content]]))

    assert_landed()


def test_a_header_below_the_tenth_row_is_none(desk, content):
    desk.put("population.xlsx", workbook([[*[("某县",)] * 10, HEADER, *content]]))

    with pytest.raises(ContractError, match=r"population\.xlsx.*header"):
        desk.land("population")


def test_blank_rows_of_a_workbook_are_no_rows(desk, content, assert_landed):
    desk.put("population.xlsx", workbook([[HEADER, (), *content[:2], (), (), *content[2:], ()]]))

    assert_landed()


def test_the_first_sheet_counts(desk, content, assert_landed):
    desk.put("population.xlsx", workbook([[HEADER, *content], [HEADER, content[0]], [("说明",)]]))

    assert_landed()


def test_typed_cells_of_a_workbook_are_read_as_what_they_say(desk, numbers):
    header = [*CANONICAL, "person_state", "guardian_phone"]
    rows = [
        [numbers["boy"], "王小明", None, 1, dt.date(2015, 3, 12), 1, 17, 533123, None, dt.datetime.fromisoformat("2026-11-01T23:59"), 0, 13800000001],
        [numbers["girl"], "李小红", None, "女", 40968, 7.0, "H2", 533123101, "大村", 20261102, "正常", "13800000002"],
        [533123201503120014, "赵大山", None, 2.0, 20150312, "藏", 3.5, "533123", "上村", 1793548800000, 3, None],
    ]  # fmt: skip
    desk.put("population.xlsx", workbook([[header, *rows]]))

    desk.land("population")

    moment = dt.datetime.fromisoformat
    assert desk.landed("population", *header) == {
        1: (numbers["boy"], "王小明", None, "1", dt.date(2015, 3, 12), "01", "17", "533123", None, moment("2026-11-01T23:59"), "0", "13800000001"),
        2: (numbers["girl"], "李小红", None, "2", dt.date(2012, 2, 29), "07", "H2", "533123", "大村", moment("2026-11-02"), "0", "13800000002"),
        3: ("5.33123E+17", "赵大山", None, "2", dt.date(2015, 3, 12), "04", "3.5", "533123", "上村", moment("2026-11-02"), "3", None),
    }  # fmt: skip
    assert desk.issues("population") == {(3, "id_number", "numeric_id_number")}


def test_true_and_false_cells_are_a_flag(desk):
    desk.put(
        "in_school.xlsx",
        workbook([[("全国学籍号", "清点日期", "是否在校"), ("G1", "20261118", True), ("G2", "20261118", False)]]),
    )

    desk.land("in_school")

    assert desk.landed("in_school", "present") == {1: True, 2: False}


ERRORS = ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"]


@pytest.mark.parametrize("kind", ["csv", "quoted csv", "xlsx", "parquet"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_a_spreadsheet_is_missing_and_noted_whatever_the_file(desk, kind, error):
    """A workbook's error cells are made of formulas, as a lookup that failed leaves them."""
    header = ["id_number", "name", "sex", "birth_date", "household_id", "division_code", "address", "guardian_phone"]
    row = ["", "王小明", "1", "20150312", "H1", "533123", "上村三组3#楼", "13800000001"]
    spoilt = [[error if place == at else cell for place, cell in enumerate(row)] for at in range(len(row))]
    match kind:
        case "xlsx":
            out = io.BytesIO()
            with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
                sheet = book.add_worksheet()
                for place, cells in enumerate([header, *spoilt]):
                    for column, cell in enumerate(cells):
                        if cell == error:
                            sheet.write_formula(place, column, "=VLOOKUP(1,A1:B2,2)", None, error)
                        else:
                            sheet.write_string(place, column, cell)
            desk.put("population.xlsx", out.getvalue())
        case "parquet":
            desk.put("population.parquet", parquet(header, [list(cells) for cells in zip(*spoilt, strict=True)]))
        case _:
            desk.put("population.csv", separated([header, *spoilt], quoted=kind != "csv"))

    account = desk.land("population")

    assert (account.read, account.landed, account.quarantined) == (8, 6, 2)
    assert desk.quarantined("population") == {2: "name_missing", 4: "unidentifiable"}
    assert desk.issues("population") == {
        (1, "id_number", "spreadsheet_error"),
        (2, "name", "spreadsheet_error"),
        (3, "sex", "unknown_code"),
        (4, "birth_date", "impossible_date"),
        (5, "household_id", "spreadsheet_error"),
        (6, "division_code", "unknown_code"),
        (7, "address", "spreadsheet_error"),
        (8, "guardian_phone", "spreadsheet_error"),
    }
    assert desk.landed("population", "address")[1] == "上村三组3#楼"


def test_a_row_of_errors_alone_is_a_row(desk):
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("全国学籍号", "缺勤日期", "缺勤类型"))
        sheet.write_row(1, 0, ("G1", "20261118", "无故"))
        for column in range(3):
            sheet.write_formula(2, column, "=1/0", None, "#DIV/0!")
    desk.put("absences.xlsx", out.getvalue())

    account = desk.land("absences")

    assert (account.read, account.landed, account.quarantined) == (2, 1, 1)


def test_a_formula_that_nobody_has_worked_out_is_noted(desk):
    """What a program writes that leaves the reckoning to Excel."""
    out = io.BytesIO()
    header = ("全国学籍号", "缺勤日期", "缺勤类型", "学校标识码")
    made = workbook([[header, ("G1", "20261118", "无故", 3133000001)]])
    with zipfile.ZipFile(io.BytesIO(made)) as whole, zipfile.ZipFile(out, "w") as book:
        for part in whole.namelist():
            data = whole.read(part)
            if part == "xl/worksheets/sheet1.xml":
                data = data.replace(b"<v>3133000001</v>", b"<f>3133000000+1</f><v></v>")
                assert b"<f>" in data
            book.writestr(part, data)
    desk.put("absences.xlsx", out.getvalue())

    desk.land("absences")

    assert desk.landed("absences", "school_code") == {1: None}
    assert desk.issues("absences") == {(1, "school_code", "spreadsheet_error")}


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml"])
def test_a_workbook_with_a_document_type_is_refused(desk, part):
    """Where entities would be declared that unfold without end."""
    out = io.BytesIO()
    made = workbook([[("全国学籍号", "缺勤日期", "缺勤类型"), ("G1", "20261118", "无故")]])
    with zipfile.ZipFile(io.BytesIO(made)) as whole, zipfile.ZipFile(out, "w") as book:
        for name in whole.namelist():
            data = whole.read(name)
            book.writestr(name, data.replace(b"?>", b"?><!DOCTYPE x [<!ENTITY a 'b'>]>", 1) if name == part else data)
    desk.put("absences.xlsx", out.getvalue())

    with pytest.raises(ContractError, match="a readable workbook"):
        desk.land("absences")


@pytest.mark.parametrize("sheets", [1, 3])
def test_a_workbook_says_how_many_sheets_it_has_of_which_the_first_counts(desk, content, sheets):
    desk.put("population.xlsx", workbook([[HEADER, *content]] * sheets))

    assert desk.land("population").forms == (("xlsx",) if sheets == 1 else ("xlsx, the first of 3 sheets",))


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
NO_WORKBOOKS = {
    "a workbook with a password": OLE + "EncryptedPackage".encode("utf-16-le") + bytes(100),
    "old Office": OLE + "Workbook".encode("utf-16-le"),
    "a file of text": "全国学籍号,缺勤日期\nG1,20261118\n".encode(),
    "whatever its name says": bytes(300),
    "packed with gzip": b"\x1f\x8b\x08" + bytes(20),
    "a Parquet file": b"PAR1\x15" + bytes(20),
    "a damaged one": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("what", NO_WORKBOOKS)
def test_what_is_no_workbook_is_called_what_it_is(desk, what):
    desk.put("absences.xlsx", NO_WORKBOOKS[what])

    with pytest.raises(ContractError) as error:
        desk.land("absences")

    assert error.value.file == "absences.xlsx"
    assert what in error.value.found


def test_a_workbook_without_a_known_header_is_told_what_was_looked_for(desk):
    desk.put("absences.xlsx", workbook([[("填表说明",), ("王小明", "20261118")]]))

    with pytest.raises(ContractError) as error:
        desk.land("absences")

    assert (error.value.file, error.value.column) == ("absences.xlsx", "student_number")
    assert "全国学籍号" in error.value.expected
    assert "王小明" not in str(error.value)


def test_rows_that_end_early_are_missing_the_rest(desk):
    desk.put(
        "absences.xlsx",
        workbook(
            [
                [
                    ("学校标识码", "全国学籍号", "缺勤日期", "缺勤类型", "请假开始"),
                    ("33", "G1", "20261118", "无故"),
                    ("33", "G2"),
                ]
            ]
        ),
    )

    account = desk.land("absences")

    assert desk.landed("absences", "student_number", "leave_from") == {1: ("G1", None)}
    assert account.quarantined == 1


@pytest.mark.parametrize(
    "data", [b"no workbook", b"PK\x03\x04 torn", workbook([[]])], ids=["text", "torn", "an empty sheet"]
)
def test_a_workbook_that_cannot_be_read_is_refused_by_name(desk, data):
    desk.put("absences.xlsx", data)

    with pytest.raises(ContractError) as error:
        desk.land("absences")

    assert error.value.file == "absences.xlsx"


def test_a_workbook_without_a_header_line_is_refused_without_repeating_its_first_child(desk, content):
    desk.put("population.xlsx", workbook([content]))

    with pytest.raises(ContractError) as error:
        desk.land("population")

    assert not any(cell in str(error.value) for cell in content[0] if len(cell) > 2)


# -- Parquet -------------------------------------------------------------------------------------------------------

DAY = dt.date(2015, 3, 12)
LATE = dt.datetime(2015, 3, 11, 16, 30, tzinfo=dt.UTC)  # half past midnight of the 12th in Shanghai
TYPED_DATES = {
    "date32": pa.array([DAY], pa.date32()),
    "date64": pa.array([DAY], pa.date64()),
    "timestamp": pa.array([dt.datetime.fromisoformat("2015-03-12T23:59")], pa.timestamp("us")),
    "timestamp in ns": pa.array([dt.datetime.fromisoformat("2015-03-12T00:00:01")], pa.timestamp("ns")),
    "timestamp in UTC": pa.array([LATE], pa.timestamp("us", "UTC")),
    "timestamp in Shanghai": pa.array([LATE], pa.timestamp("ms", "Asia/Shanghai")),
    "timestamp in New York": pa.array([LATE], pa.timestamp("s", "America/New_York")),
    "epoch milliseconds": pa.array([1426089600000], pa.int64()),
    "epoch milliseconds as floats": pa.array([1426089600000.0], pa.float64()),
    "digits": pa.array([20150312], pa.int32()),
    "digits as floats": pa.array([20150312.0], pa.float64()),
    "serial": pa.array([42075], pa.int64()),
    "text": pa.array(["2015年3月12日"], pa.string()),
    "large text": pa.array(["2015-03-12"], pa.large_string()),
    "dictionary": pa.array(["2015/3/12"]).dictionary_encode(),
    "dictionary of dates": pa.array([DAY], pa.date32()).dictionary_encode(),
}


def test_a_date_of_any_parquet_type_is_the_same_day(desk):
    for place, days in enumerate(TYPED_DATES.values()):
        columns = {
            "id_number": pa.array([None], pa.string()), "name": [f"王{place}"], "sex": ["1"], "birth_date": days, "household_id": ["1"],
            "division_code": ["533123"],
        }  # fmt: skip
        desk.put(f"population/{place:02}.parquet", parquet(columns, columns.values()))

    desk.land("population")

    found = desk.landed("population", "birth_date")
    assert {kind: found.get(row) for row, kind in enumerate(TYPED_DATES, start=1)} == dict.fromkeys(TYPED_DATES, DAY)
    assert desk.issues("population") == set()


def test_when_a_row_was_updated_is_read_to_the_second_in_every_format(desk):
    moment = dt.datetime.fromisoformat("2026-09-01T09:30:05")
    header = ("id_number", "name", "sex", "birth_date", "household_id", "division_code", "updated_at")
    row = ("", "王一", "1", DAY, "1", "533123")
    columns = {name: [cell] for name, cell in zip(header, (*row, moment), strict=True)}
    desk.put("population/1.csv", ",".join(header) + "\n,王一,1,2015-03-12,1,533123,2026-09-01 09:30:05\n")
    desk.put("population/2.xlsx", workbook([[header, (*row, moment)]]))
    desk.put("population/3.parquet", parquet(columns, columns.values()))

    desk.land("population")

    assert set(desk.landed("population", "updated_at").values()) == {moment}


def test_typed_columns_of_parquet_are_read_as_what_they_say(desk, numbers):
    boy = int(numbers["boy"])
    columns = {
        "学籍号": pa.array(["G1", "G2"]).dictionary_encode(),
        "姓名": pa.array(["王小明", "李小红"], pa.large_string()),
        "性别": pa.array([1, 2], pa.int8()),
        "出生日期": pa.array([DAY, None], pa.date32()),
        "身份证件类型": pa.array(["1", "1"]),
        "身份证件号": pa.array([boy, None], pa.int64()),
        "学校标识码": pa.array([3133000001.0, None], pa.float64()),
        "学校名称": pa.array([None, None], pa.null()),
        "年级": pa.array([5.0, 7.0], pa.float32()),
        "学籍状态": pa.array([1, 10], pa.uint16()),
        "是否进城务工人员随迁子女": pa.array([True, False]),
        "入学年月": pa.array([202109, 202409], pa.int64()),
        "成员1身份证件号": pa.array([5.33123198503120e17, None], pa.float64()),
        "民族": pa.array([7, 54], pa.int64()).dictionary_encode(),
    }
    desk.put("学籍.parquet", parquet(columns, columns.values()))

    desk.land("student_registry")

    names = ("student_number", "name", "sex", "birth_date", "school_code", "school_name", "grade", "registry_status", "migrant", "enrolled_month", "ethnicity")  # fmt: skip
    assert desk.landed("student_registry", *names) == {
        1: ("G1", "王小明", "1", DAY, "3133000001", None, 5, "01", True, dt.date(2021, 9, 1), "07"),
        2: ("G2", "李小红", "2", None, None, None, 7, "10", False, dt.date(2024, 9, 1), "54"),
    }
    assert desk.landed("student_registry", "guardian1_id_number")[1] == "5.33123E+17"
    assert (1, "guardian1_id_number", "numeric_id_number") in desk.issues("student_registry")


def test_a_number_that_a_parquet_file_holds_whole_is_whole(desk, numbers):
    table = {"id_number": pa.array([int(numbers["girl"])], pa.int64()), "name": ["李"], "sex": ["2"], "birth_date": ["20120229"], "household_id": ["1"], "division_code": ["533123"]}  # fmt: skip
    desk.put("population.parquet", parquet(table, table.values()))

    desk.land("population")

    assert desk.landed("population", "id_number", "id_valid") == {1: (numbers["girl"], True)}


def test_a_decimal_that_is_whole_is_written_whole_whatever_its_type_says(desk, numbers):
    """What a database gives whose numbers have places behind the point whether they are used or not."""
    exact = pa.decimal128(38, 10)
    table = {"id_number": pa.array([decimal.Decimal(numbers["girl"])] * 2, exact), "name": ["李", "李"], "sex": pa.array([decimal.Decimal(2)] * 2, exact), "birth_date": ["20120229"] * 2,
             "household_id": pa.array([decimal.Decimal(5331230000000001), decimal.Decimal("1.5")], exact), "division_code": pa.array([decimal.Decimal(533123)] * 2, exact)}  # fmt: skip
    desk.put("population.parquet", parquet(table, table.values()))

    desk.land("population")

    household = desk.landed("population", "id_number", "id_valid", "sex", "household_id", "division_code")
    assert household[1] == (numbers["girl"], True, "2", "5331230000000001", "533123")
    assert household[2][3] == "1.5000000000"
    assert desk.issues("population") == set()


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())], ids=str)  # fmt: skip
def test_texts_that_a_parquet_file_holds_as_bytes_are_texts(desk, kind):
    names = pa.array(["王小明".encode(), b"\xff\xfe", None], pa.binary())
    cells = names.dictionary_encode() if pa.types.is_dictionary(kind) else names.cast(kind)
    table = {"student_number": ["G1", "G2", "G3"], "counted_on": ["20261118"] * 3, "present": [b"1"] * 3, "name": cells}
    desk.put("in_school.parquet", parquet(table, table.values()))

    desk.land("in_school")

    assert desk.landed("in_school", "name", "present") == {1: ("王小明", True), 3: (None, True)}
    assert desk.quarantined("in_school") == {2: "malformed_row"}


@pytest.mark.parametrize("cells", [pa.array([["王小明"]]), pa.array([{"王小明": 1}]), pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8()))], ids=["list", "struct", "map"])  # fmt: skip
def test_a_column_of_lists_or_structures_is_named_with_what_it_is(desk, cells):
    desk.put("absences.parquet", parquet(["student_number", "absent_on", "kind"], [cells, ["20261118"], ["无故"]]))

    with pytest.raises(ContractError) as error:
        desk.land("absences")

    assert (error.value.column, error.value.expected) == ("student_number", "texts, numbers or dates")
    assert "王小明" not in str(error.value)


def test_a_column_of_lists_that_nobody_knows_does_no_harm(desk):
    names = ["student_number", "absent_on", "kind", "备注"]
    desk.put("absences.parquet", parquet(names, [["G1"], ["20261118"], ["无故"], pa.array([["x"]])]))

    assert desk.land("absences").landed == 1


def test_the_words_for_missing_are_missing_in_parquet_and_workbooks(desk):
    header = ("全国学籍号", "缺勤日期", "缺勤类型", "学校标识码")
    words = [None, "", r"\N", "NULL", "无", "-", "—", "暂无", "不详"]
    rows = [(f"G{n}", "20261118", "无故", word) for n, word in enumerate(words)]
    desk.put("absences/1.parquet", parquet(header, [list(cells) for cells in zip(*rows, strict=True)]))
    desk.put("absences/2.xlsx", workbook([[header, *[(f"{number}2", *rest) for number, *rest in rows]]]))

    desk.land("absences")

    assert desk.landed("absences", "school_code") == dict.fromkeys(range(1, 2 * len(words) + 1))


def test_a_nul_makes_a_malformed_row_in_every_kind_of_file(desk):
    header = ("全国学籍号", "缺勤日期", "缺勤类型", "学校标识码")
    rows = [("G1", "20261118", "无故", "33"), ("G2", "20261118", "无故", "3\x003"), ("G3", "20261118", "无故", "33")]
    desk.put("absences/1.csv", separated([header, *rows]))
    desk.put("absences/2.parquet", parquet(header, [list(cells) for cells in zip(*rows, strict=True)]))

    desk.land("absences")

    assert desk.quarantined("absences") == {2: "malformed_row", 5: "malformed_row"}


@pytest.mark.parametrize("cut", [0.5, 0.01], ids=["torn", "hardly begun"])
def test_a_torn_parquet_file_is_refused_by_name(desk, cut):
    data = parquet(["全国学籍号", "缺勤日期", "缺勤类型"], [["G1"], ["20261118"], ["无故"]])
    desk.put("absences.parquet", data[: int(len(data) * cut) + 1])

    with pytest.raises(ContractError) as error:
        desk.land("absences")

    assert error.value.file == "absences.parquet"


def test_two_columns_of_one_name_in_a_parquet_file_are_an_error(desk):
    out = io.BytesIO()
    pq.write_table(
        pa.table([["G1"], ["20261118"], ["无故"], ["病假"]], names=["全国学籍号", "缺勤日期", "缺勤类型", "缺勤类型"]),
        out,
    )
    desk.put("absences.parquet", out.getvalue())

    with pytest.raises(ContractError, match=r"absences\.parquet"):
        desk.land("absences")


# -- characters ----------------------------------------------------------------------------------------------------


def test_a_character_that_gb18030_keeps_in_private_use_lands_as_from_utf8(desk):
    header = "全国学籍号,姓名,清点日期,是否在校\n"
    private = b"\xa8\xbc \xfe\x59 \xfe\x61 \xfe\x66 \xfe\x67 \xfe\x6d \xfe\x7e \xfe\x90 \xfe\xa0 \xfe\x51".split()
    assigned = "\u1e3f\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb\U00020087"
    row = "G{n},王{c},20261118,1\n"
    desk.put(
        "in_school/1.csv",
        header.encode("gb18030")
        + b"".join(
            row.encode("gb18030").replace(b"{n}", str(n).encode()).replace(b"{c}", c) for n, c in enumerate(private)
        ),
    )
    desk.put("in_school/2.csv", header + "".join(row.format(n=n, c=c) for n, c in enumerate(assigned)))

    desk.land("in_school")

    names = list(desk.landed("in_school", "name").values())
    assert names[:10] == [f"王{character}" for character in assigned]
    assert desk.query("SELECT duplicate_rows FROM landed.files ORDER BY file") == [(0,), (10,)]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_what_was_written_lands_as_written(desk, encoding):
    written = ["劉甯", "龔龍昇", "买买提•艾力", "阿依古丽・买买提", "张□", "㛃䶮", "𬱟𠂇", "ＷＡＮＧ", "鐘鍾", "乾祐"]
    lines = [f"G{n},{name},20261118,是" for n, name in enumerate(written)]
    desk.put("in_school.csv", ["全国学籍号,姓名,清点日期,是否在校", *lines], encoding=encoding)

    desk.land("in_school")

    assert list(desk.landed("in_school", "name").values()) == written


def test_a_character_whose_bytes_hold_a_separator_is_one_character(desk):
    names = ["王" + bytes([lead, 0x7C]).decode("gb18030") for lead in range(0xB0, 0xF8)]
    lines = [f"G{n}|{name}|20261118|是" for n, name in enumerate(names)]
    desk.put("in_school.csv", ["全国学籍号|姓名|清点日期|是否在校", *lines], encoding="gb18030")

    desk.land("in_school")

    assert list(desk.landed("in_school", "name").values()) == names


def test_bad_bytes_under_a_gb18030_header_cost_their_row_only(desk):
    header, good = "全国学籍号,缺勤日期,缺勤类型\n", "G{n},20261118,无故\n"
    data = (
        header.encode("gb18030")
        + good.format(n=1).encode("gb18030")
        + b"G2,20261118,\xff\xfe\n"
        + good.format(n=3).encode("gb18030")
    )
    desk.put("absences.csv", data)

    desk.land("absences")

    assert desk.landed("absences", "student_number") == {1: "G1", 3: "G3"}
    assert desk.quarantined("absences") == {2: "malformed_row"}


def test_bad_bytes_in_a_parquet_file_cost_their_row_only(desk):
    torn = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 3, 5], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe\xfa33")]
    )
    desk.put(
        "absences.parquet",
        parquet(
            ["全国学籍号", "缺勤日期", "缺勤类型", "学校标识码"], [["G1", "G2"], ["20261118"] * 2, ["无故"] * 2, torn]
        ),
    )

    desk.land("absences")

    assert desk.landed("absences", "student_number") == {2: "G2"}
    assert desk.quarantined("absences") == {1: "malformed_row"}


def test_a_float_that_is_no_number_is_missing(desk):
    columns = {
        "id_number": pa.array([None, None], pa.string()), "name": ["王", "李"], "sex": pa.array([1.0, float("nan")]), "birth_date": ["20150312"] * 2,
        "household_id": ["1", "2"], "division_code": ["533123"] * 2, "guardian_phone": pa.array([13800000001.0, float("nan")]),
    }  # fmt: skip
    desk.put("population.parquet", parquet(columns, columns.values()))

    desk.land("population")

    assert desk.landed("population", "sex", "guardian_phone") == {1: ("1", "13800000001"), 2: (None, None)}


def test_a_linked_file_is_read_as_what_it_was_sent_as(desk):
    desk.put(".store/0a1b.gz", separated([("全国学籍号", "缺勤日期", "缺勤类型"), ("G1", "20261118", "无故")]))
    (desk.extracts / ".store/0a1b.gz").rename(desk.extracts / ".store/0a1b")
    (desk.extracts / "absences.csv.gz").symlink_to(".store/0a1b")

    desk.land("absences")

    assert desk.landed("absences", "student_number") == {1: "G1"}
