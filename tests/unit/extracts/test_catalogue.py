"""The catalogue against the contract: the thirteen sources, and every header of extracts.md, copied from there by hand."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcb_pipeline.errors import ContractError
from kcb_pipeline.extracts.catalogue import header_key, sources
from kcb_pipeline.extracts.delivery import find_columns

# source: Chinese name, from, needed
SOURCES = {
    "population": ("常住人口", "public security", True),
    "student_registry": ("学籍", "education", True),
    "residents": ("流动人口", "public security", False),
    "exit_entry": ("出入境", "public security", False),
    "deregistrations": ("户口注销", "public security", False),
    "in_school": ("在校学生", "schools", False),
    "absences": ("缺勤", "schools", False),
    "poverty_register": ("脱贫户", "agriculture and rural affairs", False),
    "disability_register": ("残疾人", "disabled persons' federation", False),
    "approvals": ("缓学休学审批", "township, education", False),
    "elsewhere": ("外地就读", "other counties and provinces", False),
    "support_programmes": ("五项行动", "lead departments", False),
    "verifications": ("核查结果", "townships, schools: our worklists, filled in", False),
}

# "name header header ..." one a line; a trailing ! stands for the contract's bold
COLUMNS = {
    "population": """
        id_number! 公民身份号码 GMSFHM
        name! 姓名 XM
        former_name 曾用名 CYM
        sex! 性别 XB
        birth_date! 出生日期 CSRQ
        ethnicity 民族 MZ
        household_id! 户号 HH
        relation_to_head 与户主关系 YHZGX
        head_name 户主姓名 HZXM
        division_code! 户籍地行政区划代码 SSXQ
        township_code 乡镇街道代码 XZJD
        township_name 乡镇街道 XZJDMC
        village_code 居村委会代码 JCWH
        address 住址 MLXZ
        father_name 父亲姓名 FQXM
        father_id_number 父亲公民身份号码 FQGMSFHM
        mother_name 母亲姓名 MQXM
        mother_id_number 母亲公民身份号码 MQGMSFHM
        guardian_name 监护人姓名 JHRYXM
        guardian_id_number 监护人公民身份号码 JHRYGMSFHM
        guardian_phone 监护人联系电话 JHRYLXDH
        person_state 人员状态 RYZT
        record_flag 记录标志 JLBZ
        reversal_flag 冲销标志 CXBZ
        moved_out_on 迁出日期 QCRQ
        died_on 死亡日期 SWRQ
        updated_at 更新时间 GXSJ
    """,
    "student_registry": """
        student_number! 全国学籍号 学籍号 个人标识码 GRBSM
        name! 姓名 XM
        former_name 曾用名 CYM
        sex! 性别 XBM
        birth_date! 出生日期 CSRQ
        ethnicity 民族 MZM
        id_type! 身份证件类型 SFZJLXM
        id_number! 身份证件号 SFZJH
        school_code! 学校标识码 XXBSM
        school_name! 学校名称 XXMC
        school_division_code 学校所在地行政区划码 XXSZDM
        grade! 年级 NJ
        class_name 班号 BH
        enrolled_month 入学年月 RXNY
        attendance_mode 就读方式 JDFSM
        registry_status! 学籍状态 学生当前状态 XSDQZTM
        status_date 异动日期 YDRQ
        household_division_code 户口所在地行政区划码 HKSZDXZQHM
        address 现住址 XZZ
        left_behind 是否留守儿童
        migrant 是否进城务工人员随迁子女
        disability_type 残疾类型
        inclusive_education 随班就读
        special_placement 特教就读类型
        guardian1_name 成员1姓名
        guardian1_relation 成员1关系
        guardian1_id_number 成员1身份证件号
        guardian1_phone 成员1联系电话
        guardian2_name 成员2姓名
        guardian2_relation 成员2关系
        guardian2_id_number 成员2身份证件号
        guardian2_phone 成员2联系电话
    """,
    "residents": """
        id_number! 证件号码 ZJHM
        name! 姓名 XM
        sex! 性别 XBDM
        birth_date! 出生日期 CSRQ
        ethnicity 民族 MZDM
        household_division_code! 户籍地区划 HJD_XZQHDM
        division_code! 居住地区划 JZD_XZQHDM
        township_code 居住地乡镇街道代码
        township_name 居住地乡镇街道
        address 居住地址 JZD_DZXZ
        permit_number 居住证编号 JZZ_BH
        arrived_on 来本市日期
        cancelled_on 注销日期 ZXRQ
        permit_state 登记状态
        guardian_name 监护人姓名
        guardian_phone 联系电话 LXDH
    """,
    "exit_entry": """
        name! 姓名
        sex 性别
        birth_date! 出生日期
        id_number 公民身份号码
        document_number 证件号码
        direction! 出入境状态
        crossed_on! 出入境日期
        destination 前往地
    """,
    "deregistrations": """
        id_number! 公民身份号码
        name! 姓名
        birth_date 出生日期
        kind! 注销类型
        occurred_on! 发生日期
        reversal_flag 冲销标志
        kept_id_number 保留的公民身份号码
    """,
    "in_school": """
        student_number! 全国学籍号
        name 姓名
        school_code 学校标识码
        counted_on! 清点日期
        present! 是否在校
    """,
    "absences": """
        student_number! 全国学籍号
        school_code 学校标识码
        absent_on! 缺勤日期
        kind! 缺勤类型
        leave_from 请假开始
        leave_to 请假结束
    """,
    "poverty_register": """
        id_number! 证件号码
        name! 姓名
        household_id! 户编号
        household_kind! 户类型
        in_school_state 在校生状况
        out_of_school_reason 失学或辍学原因
    """,
    "disability_register": """
        id_number! 公民身份号码
        name! 姓名
        certificate_number 残疾证号
        kind! 残疾类别
        level! 残疾等级
        placement 教育安置
    """,
    "approvals": """
        id_number 身份证件号
        student_number 全国学籍号
        name! 姓名
        birth_date 出生日期
        kind! 审批类型
        from_date! 起始日期
        to_date! 截止日期
        approval_number 批准文号
    """,
    "elsewhere": """
        id_number 身份证件号
        student_number 全国学籍号
        name! 姓名
        birth_date! 出生日期
        school_name! 就读学校
        division_code 就读地行政区划码
        confirmed_on! 核实日期
        evidence 佐证材料
    """,
    "support_programmes": """
        id_number 身份证件号
        name! 姓名
        birth_date 出生日期
        programme! 行动类别
        level! 程度
        entered_on! 入库日期
        assessed_on 评估日期
        assessment 评估结果
        left_on 出库日期
    """,
    "verifications": """
        case_id! 案件编号
        name 姓名
        result! 核查结果
        reason 失辍学原因
        measure 劝返措施
        visits 劝返次数
        visited_on 劝返时间
        placement 安置方式
        verified_on! 核查日期
        verified_by 核查人
        evidence 佐证材料
        school_code 就读学校标识码
        until 期限
        student_number 全国学籍号
    """,
}


def columns_of(source):
    """(canonical name, bold, every header) of each column of the contract."""
    for line in COLUMNS[source].split("\n"):
        if line.strip():
            name, *headers = line.split()
            yield name.removesuffix("!"), name.endswith("!"), [name.removesuffix("!"), *headers]


HEADERS = [
    (source, name, header) for source in COLUMNS for name, _, headers in columns_of(source) for header in headers
]
BOLD = [(source, name) for source in COLUMNS for name, is_bold, _ in columns_of(source) if is_bold]
ALL_HEADERS = sorted({header for _, _, header in HEADERS})


def full_width(text):
    """The text with full-width forms of its ASCII characters."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def test_the_thirteen_sources_are_those_of_the_contract():
    assert {name: (s.chinese, s.sent_by, s.required) for name, s in sources().items()} == SOURCES


@pytest.mark.parametrize("source", COLUMNS)
def test_a_source_has_the_columns_of_the_contract(source):
    assert {column.name: column.required for column in sources()[source].columns} == {
        name: is_bold for name, is_bold, _ in columns_of(source)
    }


@pytest.mark.parametrize(("source", "name", "header"), HEADERS, ids=[f"{s}.{n}-{h}" for s, n, h in HEADERS])
def test_a_column_is_found_by_any_of_its_headers(source, name, header):
    others = [n for n, is_bold, _ in columns_of(source) if is_bold and n != name]

    positions, unknown = find_columns([*others, header], sources()[source], shown="file.csv")

    assert positions[name] == len(others)
    assert unknown == ()


@pytest.mark.parametrize("source", COLUMNS)
@pytest.mark.parametrize("vocabulary", [0, 1, -1], ids=["canonical", "Chinese", "pinyin initials"])
def test_a_whole_header_line_of_one_vocabulary_is_found_in_any_order(source, vocabulary):
    columns = list(columns_of(source))[::-1]

    positions, unknown = find_columns(
        [headers[vocabulary] for _, _, headers in columns], sources()[source], shown="file.csv"
    )

    assert positions == {name: place for place, (name, _, _) in enumerate(columns)}
    assert unknown == ()


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        str.upper,
        str.title,
        full_width,
        lambda h: f"  {h}\t",
        lambda h: f"\u3000{h}\u3000",
        lambda h: h + "*",
        lambda h: h + "★",
        lambda h: h + " ★ ",
        lambda h: h + "＊",
        lambda h: full_width(h.lower()) + "*",
    ],
    ids=[
        "lower",
        "upper",
        "title",
        "full width",
        "blanks",
        "full-width blanks",
        "*",
        "★",
        "blank ★",
        "full-width *",
        "all",
    ],
)
def test_what_does_not_count_in_a_header_is_ignored(change):
    assert [header for header in ALL_HEADERS if header_key(change(header)) != header_key(header)] == []


@given(
    st.sampled_from(HEADERS),
    st.text(alphabet=" \t\u3000", max_size=3),
    st.sampled_from(["", "*", "★", " *", "★ ", "＊"]),
    st.lists(st.booleans(), min_size=40, max_size=40),
)
def test_any_mixture_of_case_and_width_finds_the_same_column(found, blanks, mark, flips):
    source, name, header = found
    written = "".join(full_width(c) if flip else c.swapcase() for c, flip in zip(header, flips, strict=False))

    assert sources()[source].headers[header_key(f"{blanks}{written}{mark}{blanks}")].name == name


def test_the_key_of_a_header_is_its_own_key():
    assert all(header_key(header_key(header)) == header_key(header) for header in ALL_HEADERS)
    assert all(unicodedata.is_normalized("NFKC", header_key(header)) for header in ALL_HEADERS)


def test_a_mark_in_front_of_a_header_is_part_of_it():
    assert header_key("*姓名") != header_key("姓名")


# -- files whose columns break the contract ------------------------------------------------------------------------


def bold_headers(source):
    return [name for name, is_bold, _ in columns_of(source) if is_bold]


@pytest.mark.parametrize(("source", "column"), BOLD, ids=[f"{s}.{c}" for s, c in BOLD])
def test_a_missing_bold_column_names_file_column_expected_and_found(source, column):
    headers = [header for header in bold_headers(source) if header != column]

    with pytest.raises(ContractError) as error:
        find_columns(headers, sources()[source], shown=f"{source}/a.csv")

    assert error.value.file == f"{source}/a.csv"
    assert error.value.column == column
    assert all(
        header in error.value.expected for header in next(h for name, _, h in columns_of(source) if name == column)
    )
    assert all(header in error.value.found for header in headers)
    assert all(
        part in str(error.value) for part in (f"{source}/a.csv", column, error.value.expected, error.value.found)
    )


@pytest.mark.parametrize("source", COLUMNS)
def test_columns_that_are_not_bold_may_be_missing(source):
    positions, _ = find_columns(bold_headers(source), sources()[source], shown="file.csv")

    assert list(positions) == bold_headers(source)


def test_unknown_columns_are_kept_out_and_named():
    headers = ["备注", *bold_headers("in_school"), "", "X_1"]

    positions, unknown = find_columns(headers, sources()["in_school"], shown="file.csv")

    assert positions == {"student_number": 1, "counted_on": 2, "present": 3}
    assert unknown == ("备注", "", "X_1")


@pytest.mark.parametrize(
    "twice",
    [
        ("姓名", "XM"),
        ("姓名", "name"),
        ("姓名", "姓名"),
        ("姓名", "姓名★"),
        ("全国学籍号", "GRBSM"),
        ("学籍号", "个人标识码"),
    ],
)
def test_two_columns_for_one_are_an_error(twice):
    headers = [h for h in bold_headers("student_registry") if h not in ("name", "student_number")]
    rest = "student_number" if twice[0] == "姓名" else "name"

    with pytest.raises(ContractError) as error:
        find_columns([*headers, rest, *twice], sources()["student_registry"], shown="学籍.csv")

    assert error.value.file == "学籍.csv"
    assert error.value.column == ("name" if rest == "student_number" else "student_number")
    assert all(header in error.value.found for header in twice)


@pytest.mark.parametrize("source", COLUMNS)
def test_a_file_without_a_header_line_is_refused_without_repeating_its_first_child(source, citizen_number):
    number = citizen_number("20150312", "017")
    first_child = [
        number,
        "柳青青",
        "2",
        "20150312",
        "G" + number,
        "13800000001",
        "某某村七组三号",
        "01",
        "H9",
        "33",
        "5",
    ]

    with pytest.raises(ContractError) as error:
        find_columns(first_child, sources()[source], shown="file.csv")

    assert not any(cell in str(error.value) for cell in first_child if len(cell) > 2)
    assert "header" in str(error.value)


PAIRS = [(sent, named) for sent in COLUMNS for named in COLUMNS if sent != named]


@pytest.mark.parametrize("vocabulary", [0, 1, -1], ids=["canonical", "Chinese", "pinyin initials"])
def test_a_source_under_the_name_of_another_is_refused(vocabulary):
    taken = []
    for sent, named in PAIRS:
        headers = [headers[vocabulary] for _, _, headers in columns_of(sent)]
        try:
            find_columns(headers, sources()[named], shown=f"{named}.csv")
        except ContractError:
            continue
        taken.append((sent, named))

    assert taken == []


def test_a_source_under_the_name_of_another_says_what_was_found():
    headers = [headers[1] for _, _, headers in columns_of("absences")]

    with pytest.raises(ContractError) as error:
        find_columns(headers, sources()["population"], shown="population.csv")

    assert "absences" in error.value.found
