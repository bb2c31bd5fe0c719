"""Raw cells into values: codes and labels, dates and months, what is missing, and the rule that each unreadable cell breaks."""

import datetime as dt
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcb_pipeline.extracts.catalogue import sources

MISSING = ["", r"\N", "NULL", "无", "-", "—", "暂无", "不详", " ", "\u3000", " 无 ", "\t不详"]

# -- codes ---------------------------------------------------------------------------------------------------------

ETHNICITIES = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗"
    " 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺"
)

# the code lists of extracts.md: code → labels
CODES = {
    ("population", "sex"): {"1": ["男"], "2": ["女"]},
    ("population", "ethnicity"): {
        f"{n:02}": [label, f"{label}族"] for n, label in enumerate(ETHNICITIES.split(), start=1)
    },
    ("population", "person_state"): {
        "0": ["正常"],
        "1": ["死亡"],
        "2": ["迁出"],
        "3": ["服兵役"],
        "4": ["出国境定居"],
        "7": ["删除"],
        "8": ["注销(冲销)", "注销（冲销）"],
        "9": ["其它"],
    },
    ("student_registry", "id_type"): {
        "1": ["居民身份证"],
        "6": ["香港特区护照/身份证明"],
        "7": ["澳门特区护照/身份证明"],
        "8": ["台湾居民来往大陆通行证"],
        "9": ["境外永久居住证"],
        "A": ["护照", "Ａ", "a"],
        "Z": ["其他"],
    },
    ("student_registry", "attendance_mode"): {"1": ["走读"], "2": ["住校"]},
    ("student_registry", "registry_status"): {
        "01": ["在读", "1"],
        "02": ["休学", "2"],
        "03": ["退学", "3"],
        "04": ["停学"],
        "05": ["复学"],
        "06": ["流失"],
        "07": ["毕业", "7"],
        "08": ["结业"],
        "09": ["肄业", "9"],
        "10": ["转出"],
        "11": ["死亡"],
        "12": ["保留入学资格"],
        "13": ["公派出国"],
        "14": ["开除"],
        "15": ["下落不明"],
        "99": ["其他"],
    },
    ("student_registry", "left_behind"): {"0": ["非留守"], "1": ["单亲留守"], "2": ["双亲留守"]},
    ("exit_entry", "direction"): {"1": ["出"], "2": ["入"]},
    ("disability_register", "level"): {"1": ["一级"], "2": ["二级"], "3": ["三级"], "4": ["四级"]},
}
# lists without codes: the label is what lands
LABELS = {
    ("student_registry", "attendance_mode"): "送教上门",
    ("student_registry", "registry_status"): "辍学 出国 其他离校",
    ("residents", "permit_state"): "有效 失效",
    ("deregistrations", "kind"): "死亡 迁出 删除 重户 出国定居 其他",
    ("absences", "kind"): "无故 病假 事假 其他",
    ("poverty_register", "household_kind"): "脱贫户 监测户 低保 特困 一般",
    ("disability_register", "kind"): "视力 听力 言语 肢体 智力 精神 多重",
    ("disability_register", "placement"): "随班就读 特教学校 特教班 送教上门",
    ("approvals", "kind"): "延缓入学 休学 免学",
    ("support_programmes", "programme"): "控辍保学 专门教育 涉案帮教 失管关爱 心理健康关爱",
    ("support_programmes", "level"): "较轻 较重 严重",
    ("support_programmes", "assessment"): "合格 不合格",
    (
        "verifications",
        "result",
    ): "在校已有学籍 省内就读无学籍 省外就读无学籍 户籍死亡 空挂户 双重户籍 出国(境) 姓名或证号错误 查无此人 失联 超龄离校"
    " 延缓入学 休学 送教上门 随班就读 特教学校就读 确认失学 确认辍学 已复学",
    ("verifications", "reason"): "厌学 外出务工 早婚早育 入寺入教 家庭困难 涉案羁押 因病 因残 其他",
    ("verifications", "measure"): "宣传教育 责令改正 行政处罚 申请强制执行或提起诉讼",
}
FLAGS = {("in_school", "present"): True, ("student_registry", "migrant"): True}
CODED = sorted({*CODES, *LABELS, *FLAGS})


def names(columns):
    return [".".join(column) for column in columns]


@pytest.mark.parametrize("column", CODES, ids=names(CODES))
def test_a_code_and_every_label_of_it_are_one_value(read_cells, column):
    for code, labels in CODES[column].items():
        values, issues = read_cells(*column, code, *labels)

        assert values == [code] * (1 + len(labels))
        assert issues == {}


@pytest.mark.parametrize("column", LABELS, ids=names(LABELS))
def test_every_label_of_a_list_without_codes_is_understood(read_cells, column):
    labels = LABELS[column].split()

    values, issues = read_cells(*column, *labels)

    assert values == labels
    assert issues == {}


def test_a_label_in_full_width_brackets_is_the_same_label(read_cells):
    assert read_cells("verifications", "result", "出国（境）") == (["出国(境)"], {})


@pytest.mark.parametrize("source", ["population", "residents", "student_registry", "exit_entry"])
def test_sex_is_one_list_in_every_source(read_cells, source):
    assert read_cells(source, "sex", "1", "男", "2", "女") == (["1", "1", "2", "2"], {})


@pytest.mark.parametrize("source", ["population", "residents", "student_registry", "exit_entry"])
def test_a_sex_that_is_not_known_is_missing_and_no_fault(read_cells, source):
    assert read_cells(source, "sex", "0", "9", "未知", "未说明", "") == ([None] * 5, {})


@pytest.mark.parametrize("source", ["population", "residents", "student_registry"])
def test_unpadded_ethnicity_codes_are_understood(read_cells, source):
    values, issues = read_cells(source, "ethnicity", *(str(n) for n in range(1, 57)))

    assert values == [f"{n:02}" for n in range(1, 57)]
    assert issues == {}


@pytest.mark.parametrize("column", FLAGS, ids=names(FLAGS))
def test_a_flag_is_one_or_nought_or_yes_or_no(read_cells, column):
    assert read_cells(*column, "1", "0", "是", "否", "１", "０") == ([True, False, True, False, True, False], {})


def test_any_record_flag_but_one_says_that_the_row_is_not_the_latest(read_cells):
    values, _ = read_cells("population", "record_flag", *"0123456789")

    assert values[1] == "1"
    assert [
        flag for flag, value in zip("0123456789", values, strict=True) if flag != "1" and value in (None, "1")
    ] == []


@pytest.mark.parametrize("source", ["population", "deregistrations"])
def test_any_reversal_flag_but_nought_says_that_the_entry_was_undone(read_cells, source):
    values, _ = read_cells(source, "reversal_flag", *"0123456789")

    assert values[0] == "0"
    assert [flag for flag, value in zip("123456789", values[1:], strict=True) if value in (None, "0")] == []


@pytest.mark.parametrize("column", CODED, ids=names(CODED))
@pytest.mark.parametrize("written", ["77", "甲乙丙", "?", "1,2", "男女", "0x1"])
def test_anything_else_is_an_unknown_code_and_missing(read_cells, column, written):
    assert read_cells(*column, written) == ([None], {"unknown_code": [0]})


@pytest.mark.parametrize("column", CODED, ids=names(CODED))
def test_an_unknown_code_costs_its_own_cell_only(read_cells, column):
    good = next(iter(CODES.get(column, {}))) if column in CODES else (LABELS.get(column, "1").split()[0])

    values, issues = read_cells(*column, good, "甲乙丙", good, "", "甲乙丙")

    assert [value is None for value in values] == [False, True, False, True, True]
    assert issues == {"unknown_code": [1, 4]}


@pytest.mark.parametrize("column", CODED, ids=names(CODED))
@pytest.mark.parametrize("missing", MISSING)
def test_a_coded_cell_that_says_nothing_is_missing_and_no_fault(read_cells, column, missing):
    values, issues = read_cells(*column, missing, None)

    assert values == [None, None]
    assert "unknown_code" not in issues


@pytest.mark.parametrize("source", ["population", "residents", "student_registry"])
@pytest.mark.parametrize("written", ["0", "57", "97", "98", "其他", "外国血统", "穿青人"])
def test_ethnicities_are_those_of_the_contract_and_no_others(read_cells, source, written):
    assert read_cells(source, "ethnicity", written) == ([None], {"unknown_code": [0]})


@pytest.mark.parametrize("source", ["population", "residents", "student_registry", "exit_entry"])
@pytest.mark.parametrize("written", ["男性", "女性", "3", "M"])
def test_sexes_are_those_of_the_contract_and_no_others(read_cells, source, written):
    assert read_cells(source, "sex", written) == ([None], {"unknown_code": [0]})


def test_blanks_around_a_code_do_not_count(read_cells):
    assert read_cells("population", "sex", " 男 ", "\u30002", "女 ") == (["1", "2", "2"], {})


# -- grades, divisions, counts -------------------------------------------------------------------------------------


def test_grades_one_to_twelve_in_every_form(read_cells):
    written = [
        "1",
        "12",
        "一年级",
        "小学一年级",
        "六年级",
        "七年级",
        "初一",
        "初中一年级",
        "初三",
        "九年级",
        "高一",
        "高中三年级",
        "０７",
        "7.0",
    ]

    assert read_cells("student_registry", "grade", *written) == ([1, 12, 1, 1, 6, 7, 7, 7, 9, 9, 10, 12, 7, 7], {})


@pytest.mark.parametrize("written", ["0", "13", "大班", "初四", "小学七年级", "高四", "-1", "1.5"])
def test_what_is_no_grade_is_an_unknown_code(read_cells, written):
    assert read_cells("student_registry", "grade", written) == ([None], {"unknown_code": [0]})


@pytest.mark.parametrize(
    ("column", "code"),
    [("division_code", "533123"), ("township_code", "533123101"), ("village_code", "533123101203")],
)
def test_a_division_code_has_the_places_of_its_level(read_cells, column, code):
    assert read_cells("population", column, code, f" {code} ") == ([code, code], {})
    assert read_cells("population", column, code[:-1], "德昂乡", "0" + code[1:]) == (
        [None] * 3,
        {"unknown_code": [0, 1, 2]},
    )


def test_visits_are_a_whole_number(read_cells):
    assert read_cells("verifications", "visits", "3", "0", "12") == ([3, 0, 12], {})
    assert read_cells("verifications", "visits", "几次", "1.5") == ([None, None], {"unknown_code": [0, 1]})


# -- dates ---------------------------------------------------------------------------------------------------------

DATE_COLUMNS = sorted(
    (source.name, column.name) for source in sources().values() for column in source.columns if column.type == "date"
)
TWELFTH_OF_MARCH = dt.date(2015, 3, 12)
DATE_FORMS = [
    "20150312",
    "2015-03-12",
    "2015-3-12",
    "2015/3/12",
    "2015/03/12",
    "2015.3.12",
    "2015.03.12",
    "2015年3月12日",
    "2015年03月12日",
    "42075",
    "1426089600000",
    "２０１５０３１２",
    " 20150312 ",
    "２０１５年３月１２日",
]


@pytest.mark.parametrize("written", DATE_FORMS)
def test_every_date_form_is_understood(read_cells, written):
    assert read_cells("population", "birth_date", written) == ([TWELFTH_OF_MARCH], {})


@pytest.mark.parametrize("mark", ["'", "’", "＇", "`", "' ", "''"])
def test_the_apostrophe_by_which_a_spreadsheet_keeps_a_text_is_no_part_of_a_date_or_a_code(read_cells, mark):
    written = [f"{mark}{form.strip()}" for form in DATE_FORMS]

    assert read_cells("population", "birth_date", *written) == ([TWELFTH_OF_MARCH] * len(written), {})
    assert read_cells("student_registry", "enrolled_month", f"{mark}201509", f"{mark}2015年9月") == (
        [dt.date(2015, 9, 1)] * 2,
        {},
    )
    assert read_cells("population", "division_code", f"{mark}533123") == (["533123"], {})
    assert read_cells("population", "ethnicity", f"{mark}06") == (["06"], {})


@pytest.mark.parametrize("missing", MISSING)
def test_an_apostrophe_before_nothing_is_nothing(read_cells, missing):
    for column in (("population", "birth_date"), ("student_registry", "school_code")):
        values, issues = read_cells(*column, f"'{missing}")

        assert values == [None]
        assert set(issues) <= {"control_characters"}


def test_an_apostrophe_inside_a_date_is_no_date(read_cells):
    assert read_cells("population", "birth_date", "2015'03'12", "20150312'") == (
        [None] * 2,
        {"impossible_date": [0, 1]},
    )


def test_every_column_that_is_a_date_in_the_contract_is_one():
    ends = ("_date", "_on", "_at", "leave_from", "leave_to", "until")

    assert {name for name in DATE_COLUMNS if not name[1].endswith(ends)} == set()
    assert {
        (s.name, c.name, c.type)
        for s in sources().values()
        for c in s.columns
        if c.name.endswith(ends) and c.type != "date"
    } == {("population", "updated_at", "moment")}


@pytest.mark.parametrize("column", DATE_COLUMNS, ids=names(DATE_COLUMNS))
def test_every_date_column_reads_every_form(read_cells, column):
    values, issues = read_cells(*column, *DATE_FORMS)

    assert values == [TWELFTH_OF_MARCH] * len(DATE_FORMS)
    assert issues == {}


def test_a_column_of_moments_reads_every_form_of_a_date(read_cells):
    values, issues = read_cells("population", "updated_at", *DATE_FORMS, "2015-03-12 09:30", "20991231")

    midnight = dt.datetime.combine(TWELFTH_OF_MARCH, dt.time())
    assert values == [midnight] * len(DATE_FORMS) + [midnight.replace(hour=9, minute=30), None]
    assert issues == {"impossible_date": [len(DATE_FORMS) + 1]}


@pytest.mark.parametrize("year", ["1900", "1987", "2015", "2100"])
def test_a_year_alone_is_no_day(read_cells, year):
    assert read_cells("population", "birth_date", year) == ([None], {"impossible_date": [0]})


@given(st.dates(dt.date(1900, 3, 1), dt.date(2026, 11, 20)))
def test_any_day_is_the_same_day_in_every_form(read_cells, day):
    serial = (day - dt.date(1899, 12, 30)).days
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    forms = [
        day.strftime("%Y%m%d"),
        day.isoformat(),
        f"{day.year}/{day.month}/{day.day}",
        f"{day.year}.{day.month}.{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
    ]
    if serial not in range(1900, 2101):  # which are years, not days of 1905
        forms.append(str(serial))
    if day >= dt.date(2001, 9, 10):  # the contract's milliseconds: thirteen places
        forms.append(str(int(midnight.timestamp()) * 1000))

    values, issues = read_cells("population", "birth_date", *forms)

    assert values == [day] * len(forms)
    assert issues == {}


@pytest.mark.parametrize(
    ("milliseconds", "day"),
    [
        ("1426089599999", dt.date(2015, 3, 11)),
        ("1426089600000", dt.date(2015, 3, 12)),
        ("1426175999999", dt.date(2015, 3, 12)),
    ],
    ids=["a millisecond before midnight", "midnight", "a millisecond before the next"],
)
def test_epoch_milliseconds_are_read_in_shanghai(read_cells, milliseconds, day):
    assert read_cells("population", "birth_date", milliseconds) == ([day], {})


@pytest.mark.parametrize(
    "written",
    [
        "20150230",
        "2015-02-29",
        "2015-13-01",
        "2015/0/12",
        "20151301",
        "20150000",
        "不是日期",
        "15-03-12",
        "2015-03",
        "男",
        "0",
    ],
)
@pytest.mark.parametrize("column", [("population", "birth_date"), ("approvals", "to_date")], ids=names)
def test_what_is_no_day_is_an_impossible_date_and_missing(read_cells, column, written):
    assert read_cells(*column, written) == ([None], {"impossible_date": [0]})


@pytest.mark.parametrize("column", DATE_COLUMNS, ids=names(DATE_COLUMNS))
def test_a_day_before_1900_is_impossible(read_cells, column):
    values, issues = read_cells(*column, "18991231", "1899年12月31日", "19000101", "0001-01-01")

    assert values == [None, None, dt.date(1900, 1, 1), None]
    assert issues == {"impossible_date": [0, 1, 3]}


PAST = [c for c in DATE_COLUMNS if not sources()[c[0]].column(c[1]).future]
FUTURE = [c for c in DATE_COLUMNS if sources()[c[0]].column(c[1]).future]
TERMS = [  # what the contract speaks of as an end that is still to come
    ("absences", "leave_from"),
    ("absences", "leave_to"),
    ("approvals", "from_date"),
    ("approvals", "to_date"),
    ("verifications", "until"),
]


@pytest.mark.parametrize("column", PAST, ids=names(PAST))
def test_a_day_after_the_comparison_date_is_impossible(read_cells, column):
    values, issues = read_cells(*column, "20261120", "20261121", "2027-01-01", "99991231")

    assert values == [dt.date(2026, 11, 20), None, None, None]
    assert issues == {"impossible_date": [1, 2, 3]}


@pytest.mark.parametrize("column", TERMS, ids=names(TERMS))
def test_the_term_of_an_approval_a_leave_or_an_answer_may_lie_ahead(read_cells, column):
    assert read_cells(*column, "20270831") == ([dt.date(2027, 8, 31)], {})


def test_no_day_of_a_birth_a_death_or_a_count_may_lie_ahead():
    assert {column for source, column in FUTURE} <= {
        "leave_from",
        "leave_to",
        "from_date",
        "to_date",
        "until",
        "verified_on",
    }


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("column", [("population", "birth_date"), ("student_registry", "enrolled_month")], ids=names)
def test_a_date_that_says_nothing_is_missing_and_no_fault(read_cells, column, missing):
    values, issues = read_cells(*column, missing, None)

    assert values == [None, None]
    assert "impossible_date" not in issues


@pytest.mark.parametrize(
    "written",
    [
        "201509",
        "2015-09",
        "2015-9",
        "2015/09",
        "2015.9",
        "2015年9月",
        "2015年09月",
        "20150901",
        "2015-09-30",
        "２０１５０９",
    ],
)
def test_every_month_form_is_understood(read_cells, written):
    assert read_cells("student_registry", "enrolled_month", written) == ([dt.date(2015, 9, 1)], {})


@pytest.mark.parametrize("written", ["201513", "2015-00", "九月", "2015年13月", "189912", "202612", "203001"])
def test_what_is_no_month_is_an_impossible_date(read_cells, written):
    assert read_cells("student_registry", "enrolled_month", written) == ([None], {"impossible_date": [0]})


# -- texts ---------------------------------------------------------------------------------------------------------

TEXT_COLUMNS = [
    ("population", "name"),
    ("population", "address"),
    ("population", "guardian_phone"),
    ("population", "household_id"),
]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize(
    "column", [*TEXT_COLUMNS, ("population", "id_number"), ("absences", "student_number")], ids=names
)
def test_a_text_that_says_nothing_is_missing_and_no_fault(read_cells, column, missing):
    values, issues = read_cells(*column, missing, None)

    assert values == [None, None]
    assert set(issues) <= {"control_characters"}


@pytest.mark.parametrize("column", TEXT_COLUMNS, ids=names(TEXT_COLUMNS))
def test_a_text_that_only_contains_such_a_word_is_kept(read_cells, column):
    kept = ["无名路", "不详细", "NULLA", "暂无名", "1-2", "—号"]

    assert read_cells(*column, *kept) == (kept, {})


def test_what_was_written_is_kept_but_for_blanks_at_the_ends(read_cells):
    written = ["  劉 甯 ", "\u3000买买提•艾力\u3000", "ＷＡＮＧ　xiao", "王\ue863", "张□"]

    assert read_cells("population", "name", *written) == (
        ["劉 甯", "买买提•艾力", "ＷＡＮＧ　xiao", "王\ue863", "张□"],
        {},
    )


CONTROLS = {
    "start of heading": "\x01",
    "escape": "\x1b",
    "tab": "\t",
    "newline": "\n",
    "delete": "\x7f",
    "C1": "\x85",
    "zero-width space": "\u200b",
    "byte-order mark": "\ufeff",
    "right-to-left mark": "\u200f",
    "right-to-left override": "\u202e",
}


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
@pytest.mark.parametrize("column", TEXT_COLUMNS, ids=names(TEXT_COLUMNS))
def test_control_characters_are_removed_and_noted(read_cells, column, control):
    values, issues = read_cells(*column, "王明", f"王{control}明", "李四")

    assert values == ["王明", "王明", "李四"]
    assert issues == {"control_characters": [1]}


@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        (("population", "birth_date"), "2015\u200b0312", TWELFTH_OF_MARCH),
        (("population", "sex"), "男\x01", "1"),
        (("student_registry", "grade"), "\ufeff七年级", 7),
        (("in_school", "present"), "是\x7f", True),
        (("population", "division_code"), "533123\x00", "533123"),
    ],
)
def test_control_characters_in_coded_cells_are_removed_and_noted(read_cells, column, written, value):
    assert read_cells(*column, written) == ([value], {"control_characters": [0]})


# -- numbers -------------------------------------------------------------------------------------------------------

NUMBER_COLUMNS = sorted(
    (source.name, column.name)
    for source in sources().values()
    for column in source.columns
    if column.type == "id_number"
)


@pytest.mark.parametrize("column", NUMBER_COLUMNS, ids=names(NUMBER_COLUMNS))
def test_an_id_number_comes_out_in_one_form(read_cells, column):
    clean = "11010519491231002X"
    written = [
        clean,
        "11010519491231002x",
        "11010519491231002Ｘ",
        "11010519491231002ｘ",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105 19491231 002X",
        " 11010519491231002X ",
        "110105\u300019491231002X",
        "'11010519491231002X",
        "’11010519491231002x",
        "' 110105 19491231 002ｘ ",
    ]

    assert read_cells(*column, *written) == ([clean] * len(written), {})


@pytest.mark.parametrize("column", NUMBER_COLUMNS, ids=names(NUMBER_COLUMNS))
def test_a_number_that_a_spreadsheet_ruined_is_kept_as_written_and_named(read_cells, column):
    ruined = ["5.33123E+17", "5.33123e+17", "5.33123201503E+17", "5E+17", "5.33E17"]

    assert read_cells(*column, *ruined) == (ruined, {"numeric_id_number": [0, 1, 2, 3, 4]})


NUMBERED = sorted(
    (source.name, column.name)
    for source in sources().values()
    for column in source.columns
    if column.name in ("case_id", "household_id", "school_code", "student_number")
    or column.name.endswith(("_number", "_phone"))
)
AS_WRITTEN = {("approvals", "approval_number")}  # 丹教〔2026〕1号: nothing is looked up by it


@pytest.mark.parametrize("column", [c for c in NUMBERED if c not in AS_WRITTEN], ids=".".join)
def test_full_width_letters_and_digits_of_a_number_are_the_ascii_ones(read_cells, column):
    written = [
        "Ｇ533123201503120010",
        "Ｇ５３３１２３２０１５０３１２００１０",
        "'Ｇ５３３１２３２０１５０３１２００１0",
        " Ｇ533123201503120010　",
    ]

    assert read_cells(*column, *written, None) == (["G533123201503120010"] * 4 + [None], {})


@pytest.mark.parametrize("column", [c for c in NUMBERED if c not in AS_WRITTEN and not c[1].endswith("id_number")], ids=".".join)  # fmt: skip
def test_any_other_number_that_a_spreadsheet_ruined_is_missing_and_named(read_cells, column):
    """Kept as written, the households of half a county would be one."""
    assert read_cells(*column, "5.33123E+15", "5.33123201503E+17", "G1", "533123000000000123.0") == (
        [None, None, "G1", None],
        {"numeric_id_number": [0, 1, 3]},
    )


@pytest.mark.parametrize(
    "column",
    [c for c in NUMBERED if c not in AS_WRITTEN and not c[1].endswith(("id_number", "student_number"))],
    ids=".".join,
)
def test_a_whole_number_written_with_a_point_is_that_number(read_cells, column):
    written = ["3133000001.0", "3133000001.00", "3133000001", "E12345678", "G1.0"]

    assert read_cells(*column, *written) == (["3133000001"] * 3 + ["E12345678", "G1.0"], {})


@pytest.mark.parametrize("written", ["13800000001", "138 0000 0001", "138-0000-0001", "+8613800000001", "+86 138-0000-0001", "１３８ ００００ ０００１", "13800000001.0"])  # fmt: skip
def test_a_mobile_telephone_comes_out_in_one_form(read_cells, written):
    assert read_cells("population", "guardian_phone", written) == (["13800000001"], {})


def test_other_telephones_are_kept_as_written(read_cells):
    written = ["0872-2123456", "0872 2123456", "138-0000-000", "1380000000122"]

    assert read_cells("residents", "guardian_phone", *written) == (written, {})


@pytest.mark.parametrize(
    ("column", "meant", "value"),
    [
        (("population", "id_number"), "53312320150312001X", "53312320150312001X"),
        (("population", "name"), "王小明", "王小明"),
        (("population", "guardian_phone"), "13800000001", "13800000001"),
        (("population", "birth_date"), "20150312", dt.date(2015, 3, 12)),
        (("population", "ethnicity"), "01", "01"),
        (("in_school", "student_number"), "g533123201503120010", "G533123201503120010"),
        (("in_school", "school_code"), "3133000001", "3133000001"),
        (("population", "address"), "", None),
    ],
    ids=str,
)
def test_a_formula_that_only_keeps_a_text_is_the_text(read_cells, column, meant, value):
    assert read_cells(*column, f'="{meant}"', f' ="{meant}" ', meant or None) == ([value] * 3, {})


def test_any_other_formula_is_kept_as_written(read_cells):
    written = ['="王', "=A1", '"王"', "a=b"]

    assert read_cells("population", "address", *written) == (written, {})


@pytest.mark.parametrize("first", ["Ｇ", "ｇ", "g", "Ｊ", "Ｌ", "ｌ"])
def test_the_letter_of_a_student_number_may_be_of_any_width_and_case(read_cells, first):
    plain = unicodedata.normalize("NFKC", first).upper()

    assert read_cells("in_school", "student_number", f"{first}53312320150312002Ｘ", f"{first}53312320150312002x") == (
        [f"{plain}53312320150312002X"] * 2,
        {},
    )


def test_every_id_number_of_the_contract_is_read_as_one():
    said = {(s.name, c.name) for s in sources().values() for c in s.columns if c.name.endswith("id_number")}

    assert set(NUMBER_COLUMNS) == said


def test_student_numbers_come_out_in_one_form_and_are_never_ruined_id_numbers(read_cells):
    written = [
        "G11010519491231002x",
        " g11010519491231002X ",
        "G１１０１０５ １９４９１２３１００２Ｘ",
        "L53312320150312000X",
    ]

    values, issues = read_cells("student_registry", "student_number", *written)

    assert values == ["G11010519491231002X"] * 3 + ["L53312320150312000X"]
    assert issues == {}


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(["11010519491231002x", "5.33123E+17", "无", "", "'1", "53312320150312001X"]), max_size=8),
)
def test_each_cell_of_a_column_is_read_as_if_it_stood_alone(read_cells, cells):
    together, _ = read_cells("population", "id_number", *cells)

    assert together == [read_cells("population", "id_number", cell)[0][0] for cell in cells]
