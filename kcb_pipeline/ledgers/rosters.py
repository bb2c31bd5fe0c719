"""花名册与台账: the rosters of the source documents, as views over the published tables.

One entry a roster: its name, what it is called, the document that asks for it, and what it selects. Rosters of children have the columns
of 适龄儿童台账; what a roster adds stands after them. `{today}` is the comparison date of the current version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kcb_pipeline.ledgers.schema import CASE_FIELDS, CHILD_FIELDS, SHOWN_FIELDS, Field, table
from kcb_pipeline.status.reasons import OUT_OF_SCHOOL


@dataclass(frozen=True, slots=True)
class Roster:
    """One view. `fields` are all its columns, in order, with their labels."""

    name: str
    label: str
    source: str
    sql: str
    fields: tuple[Field, ...]


TODAY: Final = "(SELECT comparison_date FROM ledger_versions ORDER BY version DESC LIMIT 1)"
_AGE: Final = f"date_sub('year', c.birth_date, {TODAY})"


def _fields(text: str) -> tuple[Field, ...]:
    return tuple(
        Field(name, "", label) for name, label in (line.split(maxsplit=1) for line in text.strip().splitlines())
    )


def _children(name: str, label: str, source: str, condition: str) -> Roster:
    return Roster(name, label, source, f"SELECT * FROM school_age_children WHERE {condition}", CHILD_FIELDS)


ROSTERS: Final = (
    _children(
        "enrolment_roster", "入学花名册：在学及其他已落实就学的适龄儿童", "晋政罗〔2023〕175号 三 各社区居委会（一）",
        "status IN ('enrolled', 'enrolled_elsewhere', 'special_provision', 'on_leave')",
    ),
    _children(
        "unenrolled_roster", "未入学花名册：未入学、疑似辍学、辍学及延缓入学的适龄儿童", "晋政罗〔2023〕175号 三 各社区居委会（一）",
        f"status IN {(*OUT_OF_SCHOOL, 'deferred')}",
    ),
    _children("review_roster", "待核对名册：就学状况须人工核对的适龄儿童", "两本花名册均未列入者", "status = 'needs_review'"),
    Roster(
        "disabled_children", "残疾儿童花名册：含残疾类别、等级与教育安置", "晋政罗〔2023〕175号 三 各社区居委会（三）",
        "SELECT c.*, d.certificate_number, d.kind AS disability_kind, d.level AS disability_level, d.placement AS disability_placement, "
        "d.child_id IS NOT NULL AS in_register FROM school_age_children c LEFT JOIN disabilities d ON d.child_id = c.child_id WHERE c.disabled",
        (*CHILD_FIELDS, *_fields("""
            certificate_number 残疾证号
            disability_kind 残疾类别
            disability_level 残疾等级
            disability_placement 教育安置
            in_register 残联有无登记（无者依学籍登记）
        """)),
    ),
    _children("left_behind_children", "留守儿童台账", "晋政罗〔2023〕175号 三 各社区居委会（六）", "left_behind"),
    _children(
        "migrant_children", "随迁子女名册：流动人口中的适龄儿童及学籍登记的随迁子女", "南政办发〔2024〕6号 五(四)",
        "migrant OR population_type = 'resident'",
    ),
    _children(
        "poverty_dropouts", "脱贫户辍学学生：第三比对，疑似辍学及辍学学生与脱贫户数据比对", "教基厅函〔2024〕15号（三比对）",
        f"poverty_household AND status IN {OUT_OF_SCHOOL}",
    ),
    Roster(
        "migrant_households", "举家外出台账：户籍在本地而适龄儿童均不在本地就学的家庭", "晋政罗〔2023〕175号 三 各社区居委会（六）",
        f"""
        SELECT c.household_id, c.division_code, c.township_code, c.township_name, count(*) AS children,
               count(*) FILTER (WHERE c.status = 'enrolled_elsewhere' OR c.status = 'enrolled') AS elsewhere,
               count(*) FILTER (WHERE c.status IN {OUT_OF_SCHOOL}) AS not_found,
               min(c.guardian_name) AS guardian_name, min(c.guardian_phone) AS guardian_phone,
               string_agg(DISTINCT coalesce(e.code, CASE WHEN c.status = 'enrolled' THEN c.school_division_code END), '、'
                          ORDER BY coalesce(e.code, CASE WHEN c.status = 'enrolled' THEN c.school_division_code END)) AS went_to
        FROM school_age_children c
        LEFT JOIN (SELECT child_id, max(code) AS code FROM evidence WHERE kind = 'elsewhere' GROUP BY child_id) e ON e.child_id = c.child_id
        WHERE c.population_type = 'registered' AND c.household_id IS NOT NULL AND c.status <> 'departed'
        GROUP BY c.household_id, c.division_code, c.township_code, c.township_name
        HAVING bool_and(coalesce(c.status IN ('enrolled_elsewhere', 'unenrolled')
                                 OR c.status_reason IN ('transferred_out_not_arrived', 'registry_says_left')
                                 OR (c.status = 'enrolled' AND c.school_division_code <> c.division_code), false))
        """,
        _fields("""
            household_id 户号
            division_code 户籍地行政区划代码
            township_code 乡镇街道代码
            township_name 乡镇街道
            children 适龄儿童数
            elsewhere 外地就读人数
            not_found 未找到就学记录人数
            guardian_name 监护人姓名
            guardian_phone 监护人联系电话
            went_to 就读地行政区划代码
        """),
    ),
    Roster(
        "without_hukou", "无户口名册：有学籍而人口数据中查无此人且无有效身份证件号的学生，及无有效身份证件号的流动儿童", "甘孜州2019-12-18提案答复（依法上户）",
        """
        SELECT 'student_registry' AS found_in, NULL AS child_id, r.name, r.sex, r.birth_date, r.student_number, r.school_name, r.grade,
               NULL AS township_name, r.guardian_name, r.guardian_phone, r.registry_row
        FROM registry_only r
        WHERE r.reason = 'not_found_in_population' AND r.is_live AND r.grade <= 9 AND NOT coalesce(r.id_valid, false)
        UNION ALL
        SELECT 'residents', c.child_id, c.name, c.sex, c.birth_date, c.student_number, c.school_name, c.grade, c.township_name, c.guardian_name,
               c.guardian_phone, c.registry_row
        FROM school_age_children c
        WHERE c.population_type = 'resident' AND c.id_number IS NULL AND c.status <> 'departed'
        """,
        _fields("""
            found_in 发现于：student_registry 学籍，residents 流动人口
            child_id 儿童编号（学籍中发现者为空）
            name 姓名
            sex 性别
            birth_date 出生日期
            student_number 全国学籍号
            school_name 学校名称
            grade 年级
            township_name 乡镇街道
            guardian_name 监护人姓名
            guardian_phone 监护人联系电话
            registry_row 学籍行号
        """),
    ),
    Roster(
        "confirmation_due", "待确认名单：疑似辍学已逾一个月（应核查日期已过）而未经确认", "疑似辍学超过一个月未返校即为辍学（domain.md §3.3）",
        f"SELECT d.*, date_diff('day', d.due_on, {TODAY}) AS days_overdue FROM suspected_dropouts d WHERE d.due_on < {TODAY}",
        (*CHILD_FIELDS, *CASE_FIELDS, *SHOWN_FIELDS, Field("days_overdue", "", "逾期天数")),
    ),
    Roster(
        "programme_stock", "五项行动在库名册", "璧山区“五项行动” 第三、第五",
        "SELECT p.*, c.name, c.sex, c.birth_date, c.township_name, c.school_name, c.guardian_name, c.guardian_phone "
        "FROM support_programmes p JOIN school_age_children c ON c.child_id = p.child_id WHERE p.state = 'in'",
        (*table("support_programmes").fields, *_fields("""
            name 姓名
            sex 性别
            birth_date 出生日期
            township_name 乡镇街道
            school_name 学校名称
            guardian_name 监护人姓名
            guardian_phone 监护人联系电话
        """)),
    ),
    Roster(
        "programme_follow_up", "五项行动出库跟踪名册：出库后跟踪期内的儿童及其现在的就学状态", "璧山区“五项行动” 第五（对出库人员跟踪评估）",
        f"SELECT p.*, c.name, c.status, c.status_reason, c.township_name, c.school_name, c.guardian_name, c.guardian_phone "
        f"FROM support_programmes p JOIN school_age_children c ON c.child_id = p.child_id WHERE p.state = 'left' AND p.follow_up_until >= {TODAY}",
        (*table("support_programmes").fields, *_fields("""
            name 姓名
            status 就学状态
            status_reason 状态原因代码
            township_name 乡镇街道
            school_name 学校名称
            guardian_name 监护人姓名
            guardian_phone 监护人联系电话
        """)),
    ),
    Roster(
        "seasonal_watch_roster", "季节性流失关注名册：虫草、松茸季节缺勤较多的在校学生", "甘教体函〔2019〕155号（甘孜州2019-12-18提案答复）",
        "SELECT w.*, c.name, c.status, c.township_name, c.school_name, c.grade, c.guardian_name, c.guardian_phone "
        "FROM seasonal_watch w JOIN school_age_children c ON c.child_id = w.child_id",
        (*table("seasonal_watch").fields, *_fields("""
            name 姓名
            status 就学状态
            township_name 乡镇街道
            school_name 学校名称
            grade 年级
            guardian_name 监护人姓名
            guardian_phone 监护人联系电话
        """)),
    ),
    Roster(
        "compensatory_education", "补偿教育名单：13至16周岁，失学辍学未返或劝返复学的少年", "甘孜州2019-12-18提案答复 三（补偿教育行动）",
        f"""
        SELECT c.*, k.case_id, k.state, k.closing_reason, {_AGE} AS age_today
        FROM school_age_children c JOIN cases k ON k.child_id = c.child_id
        WHERE {_AGE} BETWEEN 13 AND 15 AND c.status <> 'departed'
          AND (c.status IN ('unenrolled', 'dropout') OR k.case_id IN (SELECT case_id FROM case_events WHERE event = 'confirmed'))
        """,
        (*CHILD_FIELDS, *_fields("""
            case_id 案件编号
            state 案件状态
            closing_reason 销号原因
            age_today 比对日期的周岁
        """)),
    ),
    Roster(
        "skills_training", "技能培训名单：16至18周岁，超过学龄时仍未复学、或曾经确认失学辍学的少年", "甘孜州2019-12-18提案答复 三（技能培训、司法援助就业行动）",
        f"""
        SELECT k.case_id, c.child_id, c.name, c.sex, c.birth_date, {_AGE} AS age_today, c.township_code, c.township_name, c.guardian_name,
               c.guardian_phone, c.status AS last_status, k.closing_reason, k.closed_on
        FROM cases k
        JOIN (SELECT *, row_number() OVER (PARTITION BY child_id ORDER BY valid_from_version DESC) AS nth FROM child_facts_history) c
          ON c.child_id = k.child_id AND c.nth = 1
        WHERE {_AGE} BETWEEN 16 AND 17 AND c.status <> 'departed'
          AND (k.closing_reason = 'over_age' OR k.case_id IN (SELECT case_id FROM case_events WHERE event = 'confirmed'))
        """,
        _fields("""
            case_id 案件编号
            child_id 儿童编号
            name 姓名
            sex 性别
            birth_date 出生日期
            age_today 比对日期的周岁
            township_code 乡镇街道代码
            township_name 乡镇街道
            guardian_name 监护人姓名
            guardian_phone 监护人联系电话
            last_status 学龄期内最后的就学状态
            closing_reason 销号原因
            closed_on 销号日期
        """),
    ),
)  # fmt: skip
"""Every roster. 重复学籍, 有学籍无户籍 and 双重户籍 are tables of their own (`kcb_pipeline.ledgers.schema`)."""
