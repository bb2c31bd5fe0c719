"""The published tables, as data: columns, types, Chinese labels, and how each keeps its past.

`history`: rows that stand from one version to another (slowly changing rows), with a view of the current version and an `_as_of`
macro; a quiet night writes only what changed. `log`: rows of every version, appended.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

Keeping = Literal["history", "log"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name, SQL type and what it says, in Chinese."""

    name: str
    type: str
    label: str


@dataclass(frozen=True, slots=True)
class Table:
    """One published table. `key` identifies a row among those that stand. `computes`: whether its history shows more than is stored, and so
    is a view itself."""

    name: str
    label: str
    keeping: Keeping
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    computes: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, without those of the keeping."""
        return tuple(field.name for field in self.fields)

    @property
    def stored_as(self) -> str:
        """The name of the table that holds the rows (a history's view has the plain name)."""
        if self.computes:
            return f"{self.name}_stored"
        return f"{self.name}_history" if self.keeping == "history" else self.name


def _fields(text: str) -> tuple[Field, ...]:
    """Fields written `name TYPE label`, one a line."""
    parts = (line.split(maxsplit=2) for line in text.strip().splitlines())
    return tuple(Field(name, kind, label) for name, kind, label in parts)


_CHILD = """
child_id VARCHAR 儿童编号：跨版本不变，与证件号码更正无关
id_number VARCHAR 公民身份号码
name VARCHAR 姓名
sex VARCHAR 性别（GB/T 2261.1：1 男，2 女）
birth_date DATE 出生日期
ethnicity VARCHAR 民族（GB/T 3304 两位代码）
age INTEGER 年龄：学年起始年8月31日的周岁
division_code VARCHAR 行政区划代码（6位，GB/T 2260）：户籍人口为户籍地，流动人口为居住地
township_code VARCHAR 乡镇街道代码（9位）
village_code VARCHAR 居村委会代码（12位）
township_name VARCHAR 乡镇街道
household_id VARCHAR 户号
population_type VARCHAR 人口类型：registered 户籍，resident 流动
guardian_name VARCHAR 监护人姓名
guardian_phone VARCHAR 监护人联系电话
expected_grade INTEGER 应在年级（1至9）
status VARCHAR 就学状态
status_reason VARCHAR 状态原因代码
status_since DATE 状态起始日期：最早得出该状态的比对日期
student_number VARCHAR 全国学籍号
school_code VARCHAR 学校标识码
school_name VARCHAR 学校名称
school_division_code VARCHAR 学校所在地行政区划代码
grade INTEGER 年级
match_method VARCHAR 匹配方式：id_number 证件号码，probabilistic 概率，reviewed 人工核定
match_probability DOUBLE 匹配概率
left_behind BOOLEAN 是否留守儿童
migrant BOOLEAN 是否进城务工人员随迁子女
disabled BOOLEAN 是否残疾
poverty_household BOOLEAN 是否脱贫户、监测户、低保或特困家庭
"""
_ROWS = """
population_row BIGINT 当日人口数据中的行号（自1起；population_type 说明所属来源）
registry_row BIGINT 当日学籍数据中的行号（自1起）
"""
_CASE = """
case_id VARCHAR 案件编号
reason VARCHAR 原因代码
evidence VARCHAR 证据说明
opened_version INTEGER 立案版本
opened_on DATE 立案日期
due_on DATE 应核查日期
severity INTEGER 程度：1 较轻，2 较重，3 严重
responsible VARCHAR 责任单位
measure VARCHAR 劝返措施（已到步骤）
"""

TABLES: Final = (
    Table("child_facts", "适龄儿童台账（内容）", "history", ("child_id",), _fields(_CHILD)),
    Table(
        "child_rows", "适龄儿童台账（当日数据行号）", "history", ("child_id",),
        _fields("child_id VARCHAR 儿童编号\n" + _ROWS.strip()),
    ),
    Table("suspected_dropouts", "疑似辍学学生台账", "history", ("child_id",), _fields(_CHILD.rstrip() + _ROWS.rstrip() + _CASE), computes=True),
    Table("dropouts", "辍学学生台账", "history", ("child_id",), _fields(_CHILD.rstrip() + _ROWS.rstrip() + _CASE), computes=True),
    Table(
        "cases", "一人一案", "history", ("case_id",),
        _fields("""
            case_id VARCHAR 案件编号
            child_id VARCHAR 儿童编号
            state VARCHAR 案件状态：suspected 疑似，verifying 核查中，confirmed 已确认，persuading 劝返中，returned_unconfirmed 返校待确认，closed_until 限期销号，closed 已销号
            reason VARCHAR 原因代码
            severity INTEGER 程度：1 较轻，2 较重，3 严重
            responsible VARCHAR 责任单位
            opened_version INTEGER 立案版本
            opened_on DATE 立案日期
            due_on DATE 应核查日期
            measure VARCHAR 劝返措施（已到步骤）
            visits INTEGER 劝返次数
            placement VARCHAR 安置方式
            reopened INTEGER 重新立案次数
            verified_on DATE 最近核查日期
            closed_version INTEGER 销号版本
            closed_on DATE 销号日期
            closed_until DATE 限期
            closing_reason VARCHAR 销号原因
            closing_evidence VARCHAR 销号证据
        """),
    ),
    Table(
        "case_events", "案件经过", "history", ("case_id", "sequence"),
        _fields("""
            case_id VARCHAR 案件编号
            sequence INTEGER 序号
            event VARCHAR 事件
            from_state VARCHAR 原状态
            to_state VARCHAR 新状态
            reason VARCHAR 原因代码
            evidence VARCHAR 证据说明
            source VARCHAR 证据来源（数据名称与行号）
            version INTEGER 版本
            occurred_on DATE 发生日期
            severity INTEGER 此后的程度
            responsible VARCHAR 此后的责任单位
            due_on DATE 此后的应核查日期
            measure VARCHAR 此后已到的劝返步骤
            visits INTEGER 此后的劝返次数
            placement VARCHAR 此后的安置方式
            closing_reason VARCHAR 销号原因（销号事件）
            closed_until DATE 限期（限期销号事件）
        """),
    ),
    Table(
        "decisions", "已采信的核查结果", "history", ("case_id", "decision"),
        _fields("""
            case_id VARCHAR 案件编号
            decision INTEGER 该案第几条核查结果
            child_id VARCHAR 儿童编号
            result VARCHAR 核查结果
            reason VARCHAR 失辍学原因
            measure VARCHAR 劝返措施
            visits INTEGER 劝返次数
            visited_on DATE 劝返时间
            placement VARCHAR 安置方式
            verified_on DATE 核查日期
            verified_by VARCHAR 核查人
            evidence VARCHAR 佐证材料
            school_code VARCHAR 就读学校标识码
            student_number VARCHAR 全国学籍号
            until DATE 期限
            landed_on DATE 采信的比对日期
            source_row BIGINT 当日核查结果数据中的行号
        """),
    ),
    Table(
        "review_answers", "人工核对答案（对本版本有效的）", "history", ("answer",),
        _fields("""
            answer BIGINT 第几条答案
            pair VARCHAR 核对编号
            child_id VARCHAR 儿童编号
            record_key VARCHAR 学籍记录标识：全国学籍号；无学籍号或一号多人时另附身份摘要
            record_name VARCHAR 核对时学籍记录的姓名
            record_birth_date DATE 核对时学籍记录的出生日期
            reviewer VARCHAR 核对人
            said VARCHAR 答案：same 是同一人，different 不是同一人，unsure 无法判断
            answered_on DATE 答案日期：自次日的比对起生效
            sheet VARCHAR 所在核对表的摘要
        """),
    ),
    Table(
        "review_decisions", "人工核对结论", "history", ("pair",),
        _fields("""
            pair VARCHAR 核对编号
            child_id VARCHAR 儿童编号
            record_key VARCHAR 学籍记录标识
            decision VARCHAR 结论：same 是同一人，different 不是同一人
            decided_on DATE 得出结论的日期
            reviewers BIGINT 核对人数
            effect VARCHAR 本次比对中的效力：binds 生效，child_gone 儿童已不在台账，record_gone 学籍记录已不存在，record_changed 学籍记录已是他人，contradicted 与另一结论矛盾，verified_otherwise 核查结果不同
        """),
    ),
    Table(
        "evidence", "现行证据", "history", ("child_id", "kind", "nth"),
        _fields("""
            child_id VARCHAR 儿童编号
            kind VARCHAR 证据类别
            nth INTEGER 同类证据序号
            source VARCHAR 来源
            code VARCHAR 内容代码
            from_date DATE 起始日期
            to_date DATE 截止日期
            said_on DATE 首次这样说的比对日期
            source_row BIGINT 该日数据中的行号
        """),
    ),
    Table(
        "waiting_evidence", "未到学龄儿童的现行证据", "history", ("waiting",),
        _fields("""
            waiting VARCHAR 证据标识：内容和身份的摘要
            id_number VARCHAR 公民身份号码
            name VARCHAR 姓名
            sex VARCHAR 性别
            birth_date DATE 出生日期
            kind VARCHAR 证据类别
            source VARCHAR 来源
            code VARCHAR 内容代码
            from_date DATE 起始日期
            to_date DATE 截止日期
            said_on DATE 首次这样说的比对日期
            source_row BIGINT 该日数据中的行号
        """),
    ),
    Table(
        "waiting_residents", "下一学年到龄的流动儿童", "history", ("waiting",),
        _fields("""
            waiting VARCHAR 标识：下列各项的摘要
            id_number VARCHAR 证件号码
            name VARCHAR 姓名
            sex VARCHAR 性别
            birth_date DATE 出生日期
            ethnicity VARCHAR 民族
            household_division_code VARCHAR 户籍地区划
            division_code VARCHAR 居住地区划
            township_code VARCHAR 居住地乡镇街道代码
            township_name VARCHAR 居住地乡镇街道
            guardian_name VARCHAR 监护人姓名
            guardian_phone VARCHAR 联系电话
        """),
    ),
    Table(
        "sources", "各来源最近到达日期", "history", ("source",),
        _fields("""
            source VARCHAR 来源
            last_sent_on DATE 最近到达的比对日期
        """),
    ),
    Table(
        "duplicate_enrolments", "重复学籍", "history", ("child_id", "registry_row", "duplicate_registry_row"),
        _fields("""
            child_id VARCHAR 儿童编号（无对应人口记录时为空）
            registry_row BIGINT 学籍行号
            student_number VARCHAR 全国学籍号
            school_code VARCHAR 学校标识码
            duplicate_registry_row BIGINT 重复的学籍行号
            duplicate_student_number VARCHAR 重复的全国学籍号
            duplicate_school_code VARCHAR 重复的学校标识码
            reason VARCHAR 原因代码
        """),
    ),
    Table(
        "duplicate_persons", "双重户籍", "history", ("child_id", "duplicate_population_type", "duplicate_population_row"),
        _fields("""
            child_id VARCHAR 儿童编号
            population_type VARCHAR 保留记录的人口类型
            population_row BIGINT 保留记录的行号
            duplicate_population_type VARCHAR 重复记录的人口类型
            duplicate_population_row BIGINT 重复记录的行号
            reason VARCHAR 原因代码
            duplicate_id_number VARCHAR 重复记录的公民身份号码
        """),
    ),
    Table(
        "child_lineage", "儿童编号的合并与拆分", "history", ("child_id", "former_child_id", "reason"),
        _fields("""
            child_id VARCHAR 儿童编号：合并后保留的，或拆分出来的
            former_child_id VARCHAR 原儿童编号：并入的，或从中拆分的
            reason VARCHAR 原因：merged 合并（双重户籍），split 拆分
            version INTEGER 发生的版本
        """),
    ),
    Table(
        "support_programmes", "五项行动出入库", "history", ("child_id", "programme", "entered_on"),
        _fields("""
            child_id VARCHAR 儿童编号
            programme VARCHAR 行动类别
            entered_on DATE 入库日期
            level VARCHAR 程度：较轻，较重，严重
            responsible_office VARCHAR 责任单位：较轻为片区，较重为牵头部门，严重为专班
            assessed_on DATE 评估日期
            assessment VARCHAR 评估结果
            left_on DATE 出库日期
            state VARCHAR 状态：in 在库，left 已出库
            finding VARCHAR 问题：left_unassessed 未经评估合格出库，no_longer_listed 来源不再列出而未出库
            follow_up_until DATE 出库后跟踪至
        """),
    ),
    Table(
        "disabilities", "残疾儿童登记", "history", ("child_id",),
        _fields("""
            child_id VARCHAR 儿童编号
            certificate_number VARCHAR 残疾证号
            kind VARCHAR 残疾类别
            level VARCHAR 残疾等级
            placement VARCHAR 教育安置
        """),
    ),
    Table(
        "seasonal_watch", "季节性流失关注名单", "history", ("child_id", "school_code"),
        _fields("""
            child_id VARCHAR 儿童编号
            school_code VARCHAR 学校标识码
            missed_days BIGINT 本季缺勤学日数（病假不计）
            first_missed_on DATE 本季首次缺勤
            last_missed_on DATE 本季最近缺勤
            leave_to DATE 请假至
        """),
    ),
    Table(
        "registry_only", "有学籍无户籍", "history", ("registry_row",),
        _fields("""
            registry_row BIGINT 学籍行号
            student_number VARCHAR 全国学籍号
            school_code VARCHAR 学校标识码
            grade INTEGER 年级
            name VARCHAR 姓名
            sex VARCHAR 性别
            birth_date DATE 出生日期
            id_number VARCHAR 身份证件号
            id_valid BOOLEAN 身份证件号是否有效
            school_name VARCHAR 学校名称
            guardian_name VARCHAR 监护人姓名
            guardian_phone VARCHAR 监护人联系电话
            is_live BOOLEAN 学籍是否有效
            reason VARCHAR 原因代码
        """),
    ),
    Table(
        "statistics", "统计指标", "log", ("division_code", "township_code", "indicator"),
        _fields("""
            division_code VARCHAR 行政区划代码（全域为空）
            township_code VARCHAR 乡镇街道代码（全县为空）
            indicator VARCHAR 指标
            numerator BIGINT 分子
            denominator BIGINT 分母
            value DOUBLE 值
            target DOUBLE 目标值
        """),
    ),
    Table(
        "check_results", "质量闸门结果", "log", ("name",),
        _fields("""
            name VARCHAR 检查名称
            severity VARCHAR 严重程度：error 拦截，warning 提示
            passed BOOLEAN 是否通过
            observed VARCHAR 实际值
            expected VARCHAR 期望值
            validation VARCHAR Great Expectations 的校验结果（JSON：type、kwargs、result）
        """),
    ),
    Table(
        "linkage_models", "比对模型", "log", ("settings",),
        _fields("""
            settings VARCHAR 比对设置摘要（SHA-256）
            comparisons VARCHAR 比较项与等级摘要（SHA-256）
            model VARCHAR 模型（JSON）：各等级的 m、u 概率与先验
        """),
    ),
    Table(
        "linkage_quality", "比对质量估计", "log", ("grouping", "code"),
        _fields("""
            grouping VARCHAR 分组：all 总体，county 县，sex 性别，ethnicity 民族
            code VARCHAR 组代码（总体及未知为空）
            links BIGINT 认定为同一人的对数
            false_links DOUBLE 估计误认数
            false_links_low DOUBLE 误认数下限（95%）
            false_links_high DOUBLE 误认数上限（95%）
            missed DOUBLE 估计漏认数
            missed_low DOUBLE 漏认数下限（95%）
            missed_high DOUBLE 漏认数上限（95%）
            unblocked DOUBLE 估计未进入比较的真实对数（仅总体）
            precision DOUBLE 估计查准率
            recall DOUBLE 估计查全率
        """),
    ),
    Table(
        "row_accounts", "行数对账", "log", ("source", "file"),
        _fields("""
            source VARCHAR 来源
            file VARCHAR 文件
            read BIGINT 读入行数
            landed BIGINT 入库行数
            quarantined BIGINT 隔离行数
            duplicate_rows BIGINT 完全重复行数
            unanswered BIGINT 入库行中尚未填答的工作表行数
        """),
    ),
    Table(
        "quarantined_rows", "隔离的行", "log", ("source", "row"),
        _fields("""
            source VARCHAR 来源
            file VARCHAR 文件
            row BIGINT 行号
            column VARCHAR 列
            rule VARCHAR 违反的规则
        """),
    ),
    Table(
        "cell_issues", "单元格问题", "log", ("source", "row", "column", "rule"),
        _fields("""
            source VARCHAR 来源
            file VARCHAR 文件
            row BIGINT 行号
            column VARCHAR 列
            rule VARCHAR 违反的规则
        """),
    ),
    Table(
        "refused_verifications", "未采信的核查结果", "log", ("source_row", "rule"),
        _fields("""
            source_row BIGINT 当日核查结果数据中的行号
            file VARCHAR 文件
            case_id VARCHAR 案件编号（不存在时为空）
            column VARCHAR 需更正的列
            rule VARCHAR 不采信的原因代码
        """),
    ),
    Table(
        "answers_to_mend", "待补正的核查结果", "log", ("file", "row", "column", "rule"),
        _fields("""
            file VARCHAR 文件
            row BIGINT 当日核查结果数据中的行号
            cell VARCHAR 文件中的单元格
            case_id VARCHAR 案件编号（未能读出时为空）
            column VARCHAR 需更正的列
            rule VARCHAR 原因代码
        """),
    ),
    Table(
        "near_enrolments", "未采用的相近学籍", "history", ("child_id", "nth"),
        _fields("""
            child_id VARCHAR 儿童编号
            nth INTEGER 第几相近
            school_code VARCHAR 学校标识码
            school_name VARCHAR 学校名称
            grade INTEGER 年级
            why VARCHAR 未采用的原因
        """),
    ),
    Table(
        "population_corrections", "更正建议", "history", ("child_id", "kind", "nth"),
        _fields("""
            child_id VARCHAR 儿童编号
            kind VARCHAR 类别代码
            nth INTEGER 同类序号
            item VARCHAR 项目
            recorded VARCHAR 登记值
            other VARCHAR 供核对的值
            evidence VARCHAR 依据
        """),
    ),
)  # fmt: skip

VERSION_FIELDS: Final = _fields("""
version INTEGER 版本号（自1起，不间断）
comparison_date DATE 比对日期
published_at TIMESTAMP 发布时间（UTC）
run_id VARCHAR 运行编号
code_version VARCHAR 程序版本
rules_digest VARCHAR 规则摘要（SHA-256）
inputs_digest VARCHAR 数据摘要（SHA-256）
content_digest VARCHAR 内容摘要（SHA-256）
previous_digest VARCHAR 上一版本的内容摘要
eligible BIGINT 适龄儿童数
enrolled BIGINT 在学人数
suspected BIGINT 疑似辍学（含未入学）人数
dropouts BIGINT 辍学人数
review BIGINT 待人工核对人数
engine VARCHAR 计算引擎
base_version INTEGER 所依据的前一日版本（首个比对日为空）
seal VARCHAR 本行摘要（SHA-256）
""")
"""The columns of `ledger_versions`; `base_version` and `seal` are ours beyond the contract."""

CHILD_FIELDS: Final = _fields(_CHILD.rstrip() + _ROWS)
"""The columns of `school_age_children`."""

CASE_FIELDS: Final = _fields(_CASE)
"""What the two case ledgers add to a child."""

SHOWN_FIELDS: Final = _fields("""
    days_open BIGINT 立案天数（至该版本比对日期）
    category VARCHAR 类别：失学，长期请假，疑似辍学，辍学
""")
"""What the two case ledgers show and do not store: computed where they are looked at (`kcb_pipeline.ledgers.views`)."""


@functools.cache
def table(name: str) -> Table:
    """The published table of that name; KeyError where there is none."""
    for found in TABLES:
        if found.name == name:
            return found
    raise KeyError(name)


def polars_schema(name: str) -> dict[str, pl.DataType | type[pl.DataType]]:
    """The columns of a published table as Polars has them, without those of the keeping."""
    types: dict[str, type[pl.DataType]] = {
        "VARCHAR": pl.String, "INTEGER": pl.Int32, "BIGINT": pl.Int64, "DATE": pl.Date, "DOUBLE": pl.Float64, "BOOLEAN": pl.Boolean,
    }  # fmt: skip
    return {field.name: types[field.type] for field in table(name).fields}


def create_table_sql(found: Table) -> str:
    """The statement that creates the stored table."""
    columns = [f'"{field.name}" {field.type}' for field in found.fields]
    if found.keeping == "history":
        columns += ["valid_from_version INTEGER", "valid_to_version INTEGER"]
    else:
        columns.insert(0, "version INTEGER")
    return f"CREATE TABLE {found.stored_as} ({', '.join(columns)})"
