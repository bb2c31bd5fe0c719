"""The columns of the thirteen sources under their three headers: canonical, Chinese, pinyin initials.

What belongs here: a copy of the contract's headers, made by hand, so that the sample checks the readers' catalogue instead
of sharing its mistakes. A `-` stands where the contract gives no pinyin; `*` marks columns a file must have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Style = Literal["canonical", "chinese", "pinyin"]


@dataclass(frozen=True)
class Column:
    """One column and its headers."""

    name: str
    chinese: str
    pinyin: str
    needed: bool

    def header(self, style: Style) -> str:
        """The header in a style; the Chinese one where there is no pinyin."""
        if style == "canonical":
            return self.name
        return self.pinyin if style == "pinyin" and self.pinyin else self.chinese


def _columns(text: str) -> tuple[Column, ...]:
    columns = []
    for line in text.strip().splitlines():
        name, chinese, pinyin = line.split()
        columns.append(Column(name.strip("*"), chinese, pinyin.replace("-", ""), name.endswith("*")))
    return tuple(columns)


SOURCES: Final[dict[str, tuple[Column, ...]]] = {
    "population": _columns("""
        id_number* 公民身份号码 GMSFHM
        name* 姓名 XM
        former_name 曾用名 CYM
        sex* 性别 XB
        birth_date* 出生日期 CSRQ
        ethnicity 民族 MZ
        household_id* 户号 HH
        relation_to_head 与户主关系 YHZGX
        head_name 户主姓名 HZXM
        division_code* 户籍地行政区划代码 SSXQ
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
        updated_at 更新时间 GXSJ"""),
    "student_registry": _columns("""
        student_number* 全国学籍号 GRBSM
        name* 姓名 XM
        former_name 曾用名 CYM
        sex* 性别 XBM
        birth_date* 出生日期 CSRQ
        ethnicity 民族 MZM
        id_type* 身份证件类型 SFZJLXM
        id_number* 身份证件号 SFZJH
        school_code* 学校标识码 XXBSM
        school_name* 学校名称 XXMC
        school_division_code 学校所在地行政区划码 XXSZDM
        grade* 年级 NJ
        class_name 班号 BH
        enrolled_month 入学年月 RXNY
        attendance_mode 就读方式 JDFSM
        registry_status* 学籍状态 XSDQZTM
        status_date 异动日期 YDRQ
        household_division_code 户口所在地行政区划码 HKSZDXZQHM
        address 现住址 XZZ
        left_behind 是否留守儿童 -
        migrant 是否进城务工人员随迁子女 -
        disability_type 残疾类型 -
        inclusive_education 随班就读 -
        special_placement 特教就读类型 -
        guardian1_name 成员1姓名 -
        guardian1_relation 成员1关系 -
        guardian1_id_number 成员1身份证件号 -
        guardian1_phone 成员1联系电话 -
        guardian2_name 成员2姓名 -
        guardian2_relation 成员2关系 -
        guardian2_id_number 成员2身份证件号 -
        guardian2_phone 成员2联系电话 -"""),
    "residents": _columns("""
        id_number* 证件号码 ZJHM
        name* 姓名 XM
        sex* 性别 XBDM
        birth_date* 出生日期 CSRQ
        ethnicity 民族 MZDM
        household_division_code* 户籍地区划 HJD_XZQHDM
        division_code* 居住地区划 JZD_XZQHDM
        township_code 居住地乡镇街道代码 -
        township_name 居住地乡镇街道 -
        address 居住地址 JZD_DZXZ
        permit_number 居住证编号 JZZ_BH
        arrived_on 来本市日期 -
        cancelled_on 注销日期 ZXRQ
        permit_state 登记状态 -
        guardian_name 监护人姓名 -
        guardian_phone 联系电话 LXDH"""),
    "exit_entry": _columns("""
        name* 姓名 -
        sex 性别 -
        birth_date* 出生日期 -
        id_number 公民身份号码 -
        document_number 证件号码 -
        direction* 出入境状态 -
        crossed_on* 出入境日期 -
        destination 前往地 -"""),
    "deregistrations": _columns("""
        id_number* 公民身份号码 -
        name* 姓名 -
        birth_date 出生日期 -
        kind* 注销类型 -
        occurred_on* 发生日期 -
        reversal_flag 冲销标志 -
        kept_id_number 保留的公民身份号码 -"""),
    "in_school": _columns("""
        student_number* 全国学籍号 -
        name 姓名 -
        school_code 学校标识码 -
        counted_on* 清点日期 -
        present* 是否在校 -"""),
    "absences": _columns("""
        student_number* 全国学籍号 -
        school_code 学校标识码 -
        absent_on* 缺勤日期 -
        kind* 缺勤类型 -
        leave_from 请假开始 -
        leave_to 请假结束 -"""),
    "poverty_register": _columns("""
        id_number* 证件号码 -
        name* 姓名 -
        household_id* 户编号 -
        household_kind* 户类型 -
        in_school_state 在校生状况 -
        out_of_school_reason 失学或辍学原因 -"""),
    "disability_register": _columns("""
        id_number* 公民身份号码 -
        name* 姓名 -
        certificate_number 残疾证号 -
        kind* 残疾类别 -
        level* 残疾等级 -
        placement 教育安置 -"""),
    "approvals": _columns("""
        id_number 身份证件号 -
        student_number 全国学籍号 -
        name* 姓名 -
        birth_date 出生日期 -
        kind* 审批类型 -
        from_date* 起始日期 -
        to_date* 截止日期 -
        approval_number 批准文号 -"""),
    "elsewhere": _columns("""
        id_number 身份证件号 -
        student_number 全国学籍号 -
        name* 姓名 -
        birth_date* 出生日期 -
        school_name* 就读学校 -
        division_code 就读地行政区划码 -
        confirmed_on* 核实日期 -
        evidence 佐证材料 -"""),
    "support_programmes": _columns("""
        id_number 身份证件号 -
        name* 姓名 -
        birth_date 出生日期 -
        programme* 行动类别 -
        level* 程度 -
        entered_on* 入库日期 -
        assessed_on 评估日期 -
        assessment 评估结果 -
        left_on 出库日期 -"""),
    "verifications": _columns("""
        case_id* 案件编号 -
        name 姓名 -
        result* 核查结果 -
        reason 失辍学原因 -
        measure 劝返措施 -
        visits 劝返次数 -
        visited_on 劝返时间 -
        placement 安置方式 -
        verified_on* 核查日期 -
        verified_by 核查人 -
        evidence 佐证材料 -
        school_code 就读学校标识码 -
        until 期限 -
        student_number 全国学籍号 -"""),
}
"""Every source, with its columns in the contract's order."""


def places(source: str) -> dict[str, int]:
    """Where each column of a source stands in a row."""
    return {column.name: place for place, column in enumerate(SOURCES[source])}
