"""What analysts receive, column by column: an allow-list. What is not named here is not in the file, however it is called.

Each column says what it is computed from: `r` is the row of the published table, `s` the child as it is shown (`child_key`, `shown_on`,
`shown_from_version`), `k` its case. docs/analytics.md is made from this, with what is left out.

Counts of the whole and of places are rounded to a multiple of `disclosure.smallest_cell` (`rounded`), because the rows of the file and an
exact total would tell by subtraction of the few children who are not shown yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["history", "log"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column that analysts receive: its name, type, what it is computed from, and what it says, in Chinese."""

    name: str
    type: str
    expression: str
    label: str


@dataclass(frozen=True, slots=True)
class AnalyticTable:
    """One table of the file.

    source: the published table it is made from. of: whose rows they are, and so how pseudonyms come to them; `none` speaks of nobody.
    grouped: rows that have become the same are counted (the last column is their number). condition: which rows.
    """

    name: str
    label: str
    source: str
    kind: Kind
    of: Literal["child", "case", "none"]
    columns: tuple[Column, ...]
    condition: str = "true"
    grouped: bool = False


def _columns(text: str) -> tuple[Column, ...]:
    """Columns written `name TYPE [= expression :=] label`, one a line; without an expression the column as it is."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        name, kind, rest = line.split(maxsplit=2)
        if rest.startswith("= "):
            expression, label = rest[2:].split(" := ")
        else:
            expression, label = f"r.{name}", rest
        found.append(Column(name, kind, expression, label))
    return tuple(found)


_CHILD_KEY = "child_key VARCHAR = s.child_key := 儿童假名：同一密钥下跨版本不变，无密钥不能还原\n"
_CASE_KEY = "case_key VARCHAR = k.case_key := 案件假名\n"

CHILDREN: Final = _columns(_CHILD_KEY + """
    shown_from_version INTEGER = s.shown_from_version := 自此版本起列入：新增儿童不足最小单元数时，候至足数一并列入
    division_code VARCHAR = s.division_code := 行政区划代码（列入时；空为隐去，unknown 为不详）
    township_code VARCHAR = s.township_code := 乡镇街道代码（列入时；空为隐去，unknown 为不详）
    township_name VARCHAR = s.township_name := 乡镇街道
    born_from INTEGER = s.born_from := 出生年度起（上年9月1日至该年8月31日为一年度；空为隐去）
    born_to INTEGER = s.born_to := 出生年度止（与起相同则为单一年度）
    sex VARCHAR = s.sex := 性别（1 男，2 女；空为隐去）
    ethnicity VARCHAR = s.ethnicity := 民族（GB/T 3304；other 为汉族以外；空为隐去）
    population_type VARCHAR = s.population_type := 人口类型（列入时）：registered 户籍，resident 流动；空为隐去
    left_behind BOOLEAN = s.left_behind := 是否留守儿童（列入时；空为隐去）
    migrant BOOLEAN = s.migrant := 是否进城务工人员随迁子女（列入时；空为隐去）
    disabled BOOLEAN = s.disabled := 是否残疾（列入时；空为隐去）
    poverty_household BOOLEAN = s.poverty_household := 是否脱贫户、监测户、低保或特困家庭（列入时；空为隐去）
""")  # fmt: skip
"""The description of a child: given once, when it is first shown, and never again (docs/adr/0008)."""

TABLES: Final = (
    AnalyticTable(
        "child_statuses", "儿童就学状态", "child_facts", "history", "child",
        _columns(_CHILD_KEY + """
            status VARCHAR 就学状态
            status_reason VARCHAR 状态原因代码
            status_since DATE = greatest(r.status_since, s.shown_on) := 状态起始日期（不早于列入日）
            match_method VARCHAR 匹配方式：id_number 证件号码，probabilistic 概率，reviewed 人工核定
            match_probability DOUBLE = round(r.match_probability, 2) := 匹配概率（两位小数）
        """),
    ),
    AnalyticTable(
        "cases", "一人一案", "cases", "history", "case",
        _columns(_CASE_KEY + _CHILD_KEY + """
            state VARCHAR 案件状态：suspected 疑似，verifying 核查中，confirmed 已确认，persuading 劝返中，returned_unconfirmed 返校待确认，closed_until 限期销号，closed 已销号
            reason VARCHAR 原因代码
            severity INTEGER 程度：1 较轻，2 较重，3 严重
            opened_version INTEGER = greatest(r.opened_version, s.shown_from_version) := 立案版本（不早于列入）
            opened_on DATE = greatest(r.opened_on, s.shown_on) := 立案日期（不早于列入日）
            due_on DATE = CASE WHEN s.shown_on IS NULL OR r.opened_on >= s.shown_on THEN r.due_on END := 应核查日期（列入前立案的为空）
            measure VARCHAR 劝返措施（已到步骤）
            visits INTEGER 劝返次数
            reopened INTEGER 重新立案次数
            verified_on DATE = CASE WHEN r.verified_on IS NOT NULL THEN greatest(r.verified_on, s.shown_on) END := 最近核查日期（不早于列入日；未核查的为空）
            closed_version INTEGER = CASE WHEN r.closed_version IS NOT NULL THEN greatest(r.closed_version, s.shown_from_version) END := 销号版本（不早于列入）
            closed_on DATE = CASE WHEN r.closed_on IS NOT NULL THEN greatest(r.closed_on, s.shown_on) END := 销号日期（不早于列入日）
            closed_until DATE 限期
            closing_reason VARCHAR 销号原因
        """),
    ),
    AnalyticTable(
        "case_events", "案件经过", "case_events", "history", "case",
        _columns(_CASE_KEY + """
            sequence INTEGER 序号
            event VARCHAR 事件
            from_state VARCHAR 原状态
            to_state VARCHAR 新状态
            reason VARCHAR 原因代码
            source VARCHAR = split_part(r.source, ':', 1) := 证据来源（数据名称，无行号）
            version INTEGER = greatest(r.version, s.shown_from_version) := 版本（不早于列入）
            occurred_on DATE = greatest(r.occurred_on, s.shown_on) := 发生日期（不早于列入日）
            severity INTEGER 此后的程度
            measure VARCHAR 此后已到的劝返步骤
            visits INTEGER 此后的劝返次数
            closing_reason VARCHAR 销号原因（销号事件）
        """),
    ),
    AnalyticTable(
        "decisions", "已采信的核查结果", "decisions", "history", "case",
        _columns(_CASE_KEY + """
            decision INTEGER 该案第几条核查结果
            result VARCHAR 核查结果
            reason VARCHAR 失辍学原因
            measure VARCHAR 劝返措施
            visits INTEGER 劝返次数
            verified_on DATE = greatest(r.verified_on, s.shown_on) := 核查日期（不早于列入日）
            landed_on DATE = greatest(r.landed_on, s.shown_on) := 采信的比对日期（不早于列入日）
        """),
    ),
    AnalyticTable(
        "evidence", "现行证据", "evidence", "history", "child",
        _columns(_CHILD_KEY + """
            kind VARCHAR 证据类别（仅未到校与去向的证据）
            source VARCHAR 来源
        """),
        # Others say of a child what its description may have withheld: disabled, poor, in a programme.
        condition="r.kind IN ('absent', 'long_leave', 'not_in_headcount', 'elsewhere', 'struck_off', 'abroad')",
    ),
    AnalyticTable(
        "duplicate_enrolments", "重复学籍", "duplicate_enrolments", "history", "child",
        _columns(_CHILD_KEY + "reason VARCHAR 原因代码"),
    ),
    AnalyticTable(
        "duplicate_persons", "双重户籍", "duplicate_persons", "history", "child",
        _columns(_CHILD_KEY + "reason VARCHAR 原因代码"),
    ),
    AnalyticTable(
        "review_decisions", "人工核对结论", "review_decisions", "history", "child",
        _columns(_CHILD_KEY + """
            decision VARCHAR 结论：same 是同一人，different 不是同一人
            decided_on DATE = greatest(r.decided_on, s.shown_on) := 得出结论的日期（不早于列入日）
            reviewers BIGINT 核对人数
            effect VARCHAR 本次比对中的效力：binds 生效，其余为不生效的原因
        """),
    ),
    AnalyticTable(
        "sources", "各来源最近到达日期", "sources", "history", "none",
        _columns("""
            source VARCHAR 来源
            last_sent_on DATE 最近到达的比对日期
        """),
    ),
    AnalyticTable(
        "ledger_versions", "台账版本", "ledger_versions", "log", "none",
        _columns("""
            version INTEGER 版本号（自1起，不间断）
            comparison_date DATE 比对日期
            published_at TIMESTAMP 发布时间（UTC）
            code_version VARCHAR 程序版本
            content_digest VARCHAR 台账的内容摘要（SHA-256）
            base_version INTEGER 所依据的前一日版本
            engine VARCHAR 计算引擎
            eligible BIGINT = rounded(r.eligible) := 适龄儿童数（取整）
            enrolled BIGINT = rounded(r.enrolled) := 在学人数（取整）
            suspected BIGINT = rounded(r.suspected) := 疑似辍学（含未入学）人数（取整）
            dropouts BIGINT = rounded(r.dropouts) := 辍学人数（取整）
            review BIGINT = rounded(r.review) := 待人工核对人数（取整）
        """),
    ),
    AnalyticTable(
        "statistics", "统计指标", "statistics", "log", "none",
        _columns("""
            version INTEGER 版本号
            division_code VARCHAR 行政区划代码（全域为空）
            township_code VARCHAR 乡镇街道代码（全县为空）
            indicator VARCHAR 指标
            numerator BIGINT = rounded(r.numerator) := 分子（取整）
            denominator BIGINT = rounded(r.denominator) := 分母（取整）
            value DOUBLE = rate(r.numerator, r.denominator) := 值（取整后的分子 ÷ 取整后的分母；误差不超过最小单元数 ÷ 分母，分母过小的为空）
            target DOUBLE 目标值
        """),
    ),
    AnalyticTable(
        "check_results", "质量闸门结果", "check_results", "log", "none",
        _columns("""
            version INTEGER 版本号
            name VARCHAR 检查名称
            severity VARCHAR 严重程度：error 拦截，warning 提示
            passed BOOLEAN 是否通过
            expected VARCHAR 期望值
        """),
    ),
    AnalyticTable(
        "linkage_quality", "比对质量估计", "linkage_quality", "log", "none",
        _columns("""
            version INTEGER 版本号
            grouping VARCHAR 分组：all 总体，county 县，sex 性别
            code VARCHAR 组代码（总体及未知为空）
            links BIGINT = rounded(r.links) := 认定为同一人的对数（取整）
            false_links DOUBLE = round(r.false_links, 1) := 估计误认数
            false_links_low DOUBLE = round(r.false_links_low, 1) := 误认数下限（95%）
            false_links_high DOUBLE = round(r.false_links_high, 1) := 误认数上限（95%）
            missed DOUBLE = round(r.missed, 1) := 估计漏认数
            missed_low DOUBLE = round(r.missed_low, 1) := 漏认数下限（95%）
            missed_high DOUBLE = round(r.missed_high, 1) := 漏认数上限（95%）
            precision DOUBLE = round(r.precision, 4) := 估计查准率
            recall DOUBLE = round(r.recall, 4) := 估计查全率
        """),
        condition="r.grouping IN ('all', 'county', 'sex')",
    ),
    AnalyticTable(
        "row_accounts", "行数对账", "row_accounts", "log", "none",
        _columns("""
            version INTEGER 版本号
            source VARCHAR 来源
            read BIGINT = rounded(sum(r.read)) := 读入行数（取整）
            landed BIGINT = rounded(sum(r.landed)) := 入库行数（取整）
            quarantined BIGINT = rounded(sum(r.quarantined)) := 隔离行数（取整）
            duplicate_rows BIGINT = rounded(sum(r.duplicate_rows)) := 完全重复行数（取整）
        """),
        grouped=True,
    ),
    AnalyticTable(
        "cell_issues", "单元格问题", "cell_issues", "log", "none",
        _columns("""
            version INTEGER 版本号
            source VARCHAR 来源
            column VARCHAR = r."column" := 列
            rule VARCHAR 违反的规则
            rows BIGINT = rounded(count(*)) := 行数（取整）
        """),
        grouped=True,
    ),
    AnalyticTable(
        "quarantined_rows", "隔离的行", "quarantined_rows", "log", "none",
        _columns("""
            version INTEGER 版本号
            source VARCHAR 来源
            column VARCHAR = r."column" := 列
            rule VARCHAR 违反的规则
            rows BIGINT = rounded(count(*)) := 行数（取整）
        """),
        grouped=True,
    ),
)  # fmt: skip

ABOUT: Final = _columns("""
    version INTEGER = $version := 台账版本
    comparison_date DATE = $comparison_date := 比对日期
    content_digest VARCHAR = $content_digest := 所依据台账的内容摘要（SHA-256）
    key_id VARCHAR = $key_id := 假名密钥的名称（不含密钥）
    smallest_cell INTEGER = $smallest := 最小单元数：描述相同的儿童至少这么多；合计数取整到它的倍数
    entry_age INTEGER = $entry_age := 入学年龄，应在年级由此推算
""")
"""What the file was made from."""

SEAL: Final = _columns("""
    digest VARCHAR = - := 除本表外全部内容（各表、视图与宏）的摘要（SHA-256）
    signed_by VARCHAR = - := 签名公钥的名称（未签名的为空）
    signature VARCHAR = - := 对摘要的签名（Ed25519，十六进制；未签名的为空）
""")
"""By what a changed cell of the file is found (`kcb_pipeline.analytics.seal`)."""

_EXPRESSION_OF_RISK: Final = {"unique_in_ledgers": "round(r.unique_in_ledgers, 2)"}
"""A share to its last place says which whole numbers it is of: how many children the ledgers hold, those that are not shown yet among them."""

RISK: Final = tuple(
    Column(
        name,
        "DOUBLE" if name in ("average_risk", "unique_in_ledgers") else "BIGINT",
        _EXPRESSION_OF_RISK.get(name, f"r.{name}"),
        label,
    )
    for name, label in {
        "children": "列入的儿童数",
        "groups": "描述相同的组数",
        "smallest_group": "最小的组",
        "children_in_small_groups": "小于最小单元数的组中的儿童数",
        "unique_children": "描述唯一的儿童数",
        "average_risk": "平均重识别风险：组数 ÷ 儿童数",
        "unique_in_ledgers": "对照：台账中按出生日期、性别、乡镇唯一的儿童比例（两位小数）",
        "newcomers_in_small_groups": "较前一文件新增而同组新增者过少的儿童数",
        "redescribed": "较前一文件描述有变的儿童数",
        "children_given_away": "所在组失学辍学比例过高的儿童数",
        "lines_by_subtraction": "通报各行减去本文件所余过少的行数",
        "columns_not_listed": "未经准许的列数",
        "identities": "与台账身份信息相同的值的个数",
    }.items()
)
"""What was measured of the file when it was made (`kcb_pipeline.analytics.risk`)."""

INTERVAL: Final = _columns("""
    valid_from_version INTEGER = - := 自此版本起有效
    valid_to_version INTEGER = - := 自此版本起失效（现行为空）
""")

_DESCRIBED: Final = (
    "child_id", "division_code", "township_code", "township_name", "birth_date", "sex", "ethnicity", "population_type",
    "left_behind", "migrant", "disabled", "poverty_household",
)  # fmt: skip
"""Columns of `child_facts` that descriptions are made from (`kcb_pipeline.analytics.release`)."""


def used_columns(source: str) -> set[str]:
    """The columns of a published table that anything in the file is made from; for a pseudonym, the number it stands for."""
    used = set(_DESCRIBED) if source == "child_facts" else set()
    for found in TABLES:
        if found.source == source:
            used |= {name for column in found.columns for name in re.findall(r'\br\."?(\w+)', column.expression)}
            used |= {f"{key}_id" for key in ("child", "case") if any(c.name == f"{key}_key" for c in found.columns)}
    return used
