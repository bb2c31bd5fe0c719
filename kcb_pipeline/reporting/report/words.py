"""Every word of the report in Chinese and in English, side by side, so that neither lacks what the other says.

Codes of statuses, reasons and states have their Chinese where the ledgers have it; here is only their English.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kcb_pipeline.ledgers.cases import STATES
from kcb_pipeline.reporting.statistics import INDICATORS
from kcb_pipeline.status.reasons import OUT_OF_SCHOOL, REASONS, STATUSES


class Words(NamedTuple):
    """One thing to say, in both languages. `{name}` is filled in by the page."""

    zh: str
    en: str

    def with_values(self, **values: object) -> Words:
        """The words with their values filled in."""
        return Words(self.zh.format(**values), self.en.format(**values))


PAGE: Final = {name: Words(zh, en) for name, (zh, en) in {
    "title": ("控辍保学比对报告", "School attendance comparison"),
    "version": ("台账第 {number} 版", "Ledger version {number}"),
    "language": ("语言", "Language"),
    "lead": (
        "应当上学的 {children} 名儿童中，{flagged} 名需要核查或劝返；其余 {accounted} 名在学、另有安置，或身份尚待人工核对。",
        "Of {children} children who should be in school, {flagged} have to be looked for; the other {accounted} are in school, provided for otherwise, or await a person's check of who they are.",
    ),
    "lead_hidden": (
        "应当上学的 {children} 名儿童中，需要核查或劝返的人数太少，不在此列出。",
        "Of {children} children who should be in school, those to be looked for are too few to be stated here.",
    ),
    "too_few": ("儿童太少，本报告不列人数。", "There are too few children here for any count to be shown."),
    "since_base": ("与 {day}（第 {number} 版）相比", "compared with {day} (version {number})"),
    "first_version": ("首个版本，尚无可比", "the first version: nothing to compare with yet"),
    "of_school_age": ("适龄儿童", "of school age"),
    "of_school_age_note": ("不含死亡、出国（境）或注销户口的", "without those who died, emigrated or were struck off"),
    "suspected_number": ("未入学及疑似辍学", "unenrolled or suspected"),
    "suspected_note": ("尚待核查，不等于辍学", "not yet verified: a suspicion, not a finding"),
    "dropout_number": ("辍学", "dropped out"),
    "dropout_note": ("经人核查确认，尚未复学", "verified by a person, not yet back"),
    "open_number": ("在办案件", "open cases"),
    "open_note": ("其中 {overdue} 件逾期未核查", "{overdue} of them overdue"),
    "gates_number": ("质量闸门", "gates passed"),
    "gates_note": ("拦截项必须全部通过才会发布", "every blocking one has to pass before anything is published"),
    "unchanged": ("不变", "unchanged"),
    "population": ("从人口到去向", "From the population to where each child stands"),
    "population_lead": (
        "先从人口数据中找出适龄儿童，再为每人找学籍，最后依证据给出唯一的就学状态。",
        "Children of school age are found in the population registers, a student record is looked for, and evidence gives each exactly one status.",
    ),
    "register_rows": ("人口数据（户籍与流动）行数", "rows of the population registers"),
    "eligible": ("其中适龄儿童", "of school age among them"),
    "departed": ("死亡、出国（境）、迁出或注销", "died, emigrated, moved out or struck off"),
    "live": ("应当上学的儿童", "children who should be in school"),
    "with_record": ("其中找到学籍的", "with a student record here"),
    "statuses_head": ("应当上学的儿童都在哪里", "Where the children who should be in school are"),
    "status": ("就学状态", "status"),
    "children": ("人数", "children"),
    "share": ("占比", "share"),
    "scale_note": (
        "“在学”远多于其他，条形图只比较其余各项。",
        "Enrolled outnumbers all others by far; the bars compare the rest among themselves.",
    ),
    "changes": ("与上一版本相比", "What changed"),
    "changes_lead": (
        "谁从一种去向变为另一种。少于 {smallest} 人的不列。",
        "Who moved from one standing to another. Fewer than {smallest} are not shown.",
    ),
    "changes_first": ("这是首个版本。", "This is the first version."),
    "changes_none": ("没有儿童改变去向。", "No child changed its standing."),
    "changes_hidden": (
        "有合计数太小：列出变动会使其可以推算，因此不列。",
        "A total is small: listing the moves would give it away, so they are left out.",
    ),
    "from": ("原来", "from"),
    "to": ("现在", "to"),
    "absent": ("不在台账中", "not in the ledger"),
    "trend": ("历次比对", "Over the versions"),
    "trend_lead": (
        "每个比对日期取当时现行的版本，最多 {dates} 个日期。线断之处人数过小，不予列出。",
        "For each comparison date the version that stood, {dates} dates at most. A gap in a line is a count too small to show.",
    ),
    "trend_one": ("只有一个比对日期，还没有走势。", "There is one comparison date so far, and no trend yet."),
    "townships": ("各乡镇街道", "Townships"),
    "townships_lead": (
        "颜色表示未入学、疑似辍学与辍学合计占适龄儿童的比例：越深越高。斜线表示人数过小，不予列出。",
        "Colour is the share of unenrolled, suspected and dropped-out children: the darker, the higher. Hatched: too few to show.",
    ),
    "township": ("乡镇街道", "township"),
    "no_township": ("未分乡镇街道", "no township"),
    "whole": ("全域合计", "whole area"),
    "flagged_share": ("需核查劝返比例", "to look for"),
    "overdue_cases": ("逾期未核查", "overdue"),
    "opened_cases": ("本月立案", "opened this month"),
    "closed_cases": ("本月销号", "closed this month"),
    "ever_closed": ("累计销号", "closed so far"),
    "why": ("列入原因", "Why children are flagged"),
    "why_lead": (
        "每名儿童只有一个原因：证据最强的一项。",
        "Each child has one reason: the strongest the evidence gives.",
    ),
    "why_none": ("没有需要核查或劝返的儿童。", "There is no child to look for."),
    "reason": ("原因", "reason"),
    "ages": ("年级与学段", "Grades and stages"),
    "ages_lead": (
        "按应在年级，未入学、疑似辍学与辍学合计占该年级儿童的比例（‰）。",
        "By the grade a child should be in: unenrolled, suspected and dropped out, per thousand children of the grade.",
    ),
    "ages_hidden": (
        "需核查劝返的儿童太少，不分年级列出。",
        "Too few children are flagged to split them by grade.",
    ),
    "grade": ("应在年级", "grade"),
    "age": ("周岁", "age"),
    "stage": ("学段", "stage"),
    "primary": ("小学", "primary"),
    "junior_7_8": ("初中", "junior secondary"),
    "junior_9": ("初中", "junior secondary"),
    "flagged": ("需核查劝返人数", "to look for"),
    "indicators": ("指标", "Indicators"),
    "indicators_lead": (
        "按比对当日的台账计算；定义与依据见 docs/statistics.md。",
        "Counted from the ledgers on the comparison date; definitions and sources: docs/statistics.md.",
    ),
    "indicator": ("指标", "indicator"),
    "value": ("值", "value"),
    "target": ("目标", "target"),
    "met": ("达标", "met"),
    "not_met": ("未达标", "not met"),
    "of_so_many": ("{numerator} / {denominator}", "{numerator} of {denominator}"),
    "cases": ("案件", "Cases"),
    "cases_lead": (
        "一人一案，凭证据销号。",
        "One case a child; evidence alone closes it.",
    ),
    "cases_column": ("案件", "cases"),
    "due": ("应核查日期", "due"),
    "overdue": ("已逾期", "overdue"),
    "soon": ("{days} 日内到期", "within {days} days"),
    "later": ("此后到期", "later"),
    "state": ("状态", "state"),
    "opened_this_month": ("本月立案（含重新立案）", "opened this month (re-opened too)"),
    "closed_this_month": ("本月销号（含限期销号）", "closed this month (until a date too)"),
    "quality": ("比对质量", "How good the matching is"),
    "quality_lead": (
        "没有人工答案时由模型估计：{links} 对认定中，约 {wrong} 对认错（95% 区间 {wrong_low} 至 {wrong_high}）；漏认约 {missed} 对（{missed_low} 至 {missed_high}）。",
        "Estimated by the model, without labels: of {links} links about {wrong} are wrong (95 % interval {wrong_low} to {wrong_high}); about {missed} true pairs were missed ({missed_low} to {missed_high}).",
    ),
    "quality_none": ("本版本没有质量估计。", "This version has no estimate."),
    "precision": ("查准率", "precision"),
    "recall": ("查全率", "recall"),
    "interval": ("95% 区间", "95 % interval"),
    "wrong_by_group": ("每万对认定中估计认错的", "Estimated wrong links per 10,000"),
    "missed_by_group": ("每万对真实记录中估计漏认的", "Estimated missed pairs per 10,000"),
    "group_note": (
        "横线为 95% 区间；只列认定 {least} 对以上的组。区间互不重叠，才说明对某一群体的比对较差。",
        "Lines are 95 % intervals; groups of at least {least} links. A group is matched worse only where intervals lie apart.",
    ),
    "group_all": ("总体", "all"),
    "group_county": ("县 {code}", "county {code}"),
    "group_sex": ("性别 {code}", "sex {code}"),
    "model": ("模型：各比较级别的 m、u 与权重", "The model: m, u and weight of each level"),
    "gates": ("质量闸门", "Gates"),
    "gates_lead": (
        "发布之前，每一项都要与期望相符。“拦截”未通过则什么也不发布，“提示”只作提醒。",
        "Each has to be as expected before anything is published. A blocking one that fails stops publication; a warning does not.",
    ),
    "data_docs": ("Great Expectations 校验明细", "Great Expectations data docs"),
    "observed": ("实际", "observed"),
    "expected": ("期望", "expected"),
    "passed": ("通过", "passed"),
    "failed": ("未通过", "failed"),
    "warning": ("提示", "warning"),
    "reading": ("怎样读这份报告", "How to read this"),
    "read_suspicion": (
        "“未入学”和“疑似辍学”是比对得出的线索，须有人上门或到校核查，不能直接作为考核依据。",
        "Unenrolled and suspected are leads from comparing registers. Somebody has to visit; they are no measure of anybody's work.",
    ),
    "read_registers": (
        "报告只知道各部门送来的数据。人户分离、迟报或未送的数据，会使在外就读的儿童看似没有学籍。",
        "The report knows what agencies sent. Children living elsewhere, and extracts late or missing, make pupils look unenrolled.",
    ),
    "read_matching": (
        "匹配是统计推断。证据不足的列为“待人工核对”，绝不当作在学。",
        "Matching is inference. Where evidence falls short a child needs review, and is never taken for enrolled.",
    ),
    "read_small": (
        "“*”为 1 至 {largest} 的数，以及可据以推算出它的数。零如实列出。",
        "* stands for a count from 1 to {largest}, or one from which such a count could be computed. Zeros are shown.",
    ),
    "read_difference": (
        "相邻两日的报告相减，可能看出个别变动：仅供内部使用，对外每月只公布通报。",
        "Two reports a day apart differ by what happened in between: for use inside the office. The monthly bulletin is what is made public.",
    ),
    "made_from": ("本报告由以下版本得出", "This report was made from"),
    "date": ("比对日期", "comparison date"),
    "content": ("内容摘要", "content digest"),
    "rules": ("规则摘要", "rules digest"),
    "inputs": ("数据摘要", "inputs digest"),
    "program": ("程序", "program"),
    "base": ("所依据的版本", "built on version"),
    "none": ("无", "none"),
}.items()}  # fmt: skip

STANDINGS: Final = {
    "在学": Words("在学", "enrolled"),
    "其他去向": Words("其他去向", "elsewhere or excused"),
    "未入学及疑似辍学": Words("未入学及疑似辍学", "unenrolled or suspected"),
    "辍学": Words("辍学", "dropped out"),
    "absent": PAGE["absent"],
    "departed": PAGE["departed"],
}

_STATUSES: Final = {
    "enrolled": "enrolled",
    "enrolled_elsewhere": "enrolled elsewhere",
    "special_provision": "special provision",
    "deferred": "entry deferred",
    "on_leave": "on leave",
    "completed": "completed compulsory education",
    "departed": "departed",
    "needs_review": "needs review",
    "unenrolled": "unenrolled",
    "suspected": "suspected",
    "dropout": "dropped out",
}
STATUS: Final = {code: Words(words, _STATUSES[code]) for code, words in STATUSES.items()}

_REASONS: Final = {
    "confirmed_never_enrolled": "verified: never enrolled",
    "confirmed_dropped_out": "verified: dropped out",
    "absent": "absent without leave for days on end",
    "long_leave": "on leave for long",
    "not_in_headcount": "not there at the latest headcount",
    "leave_expired": "leave ran out, not back",
    "leave_not_approved": "on leave in the registry, never approved",
    "primary_graduate_not_in_junior": "finished primary, not in junior secondary",
    "transferred_out_not_arrived": "transferred out, arrived nowhere",
    "registry_says_left": "left, by the registry",
    "deferral_expired": "deferral ran out, not enrolled",
    "no_record": "no student record found",
}
REASON: Final = {
    reason.code: Words(reason.words, _REASONS[reason.code]) for reason in REASONS if reason.status in OUT_OF_SCHOOL
}

_STATES: Final = {
    "suspected": "to be verified",
    "verifying": "being verified",
    "confirmed": "confirmed",
    "persuading": "being persuaded",
    "returned_unconfirmed": "back, to be confirmed",
    "closed_until": "closed until a date",
    "closed": "closed",
}
STATE: Final = {code: Words(words, _STATES[code]) for code, words in STATES.items()}

_INDICATORS: Final = {
    "primary_enrolment_rate": "primary enrolment",
    "retention_rate": "nine-year retention",
    "junior_retention_rate": "junior secondary three-year retention",
    "dropout_rate": "dropout rate",
    "closing_rate": "cases closed",
    "reenrolment_rate": "back in school, of the verified",
    "relapse_rate": "relapsed, of the closed",
    "overdue_cases": "overdue, of the open",
}
INDICATOR: Final = {one.code: Words(one.label, _INDICATORS[one.code]) for one in INDICATORS}

SUITE: Final = {
    "contract": Words("数据约定", "Contract"),
    "volumes": Words("数据量", "Volumes"),
    "identity": Words("身份", "Identity"),
    "matching": Words("匹配", "Matching"),
    "status": Words("就学状态", "Status"),
    "ledgers": Words("台账与案件", "Ledgers and cases"),
}

GATE: Final = {
    "contract.rows_add_up": "各来源读入行数 = 入库 + 隔离 + 完全重复",
    "contract.few_rows_quarantined": "各来源隔离行数所占比例不超过限值",
    "contract.few_cells_in_doubt": "各来源有单元格问题的行所占比例不超过限值",
    "contract.no_file_breaks_off": "各文件都没有在一行中间断开",
    "contract.last_lines_end": "各 CSV 文件最后一行有行尾",
    "contract.required_sources_came": "户籍与学籍数据有行",
    "volumes.no_source_shrank": "各来源行数与上一版本相比没有大幅减少",
    "identity.persons_are_unique": "每名儿童、每名学生只出现一次",
    "identity.sexes_are_known_codes": "性别为 1、2 或缺",
    "identity.births_are_possible": "出生日期不晚于比对日期，不早于 1900 年",
    "identity.keys_name_one_person": "用作键的证件号码不属于两名现行人员",
    "matching.persons_linked_once": "一名儿童至多认定一名学生",
    "matching.students_linked_once": "一名学生至多认定一名儿童",
    "matching.pairs_have_reasons": "每对判定都有原因",
    "matching.decisions_are_known": "每对只有认定、待核、未采用三种判定",
    "matching.registry_rows_add_up": "学籍每一行都属于某名学生，或为其列明的另一条记录",
    "matching.match_rate_is_possible": "找到学籍的儿童所占比例不低于限值",
    "matching.match_rate_did_not_fall": "找到学籍的比例与上一版本相比没有大幅下降",
    "matching.model_did_not_drift": "比对模型与上一版本相比没有明显漂移",
    "matching.review_is_bearable": "需要人工核对的儿童所占比例不超过限值",
    "status.one_status_each": "每名适龄儿童都有就学状态",
    "status.children_are_unique": "没有儿童有两个状态",
    "status.statuses_are_known": "状态均为约定的十一种之一",
    "status.reasons_are_given": "每个状态都有原因",
    "status.children_did_not_vanish": "适龄儿童人数没有大幅减少",
    "status.suspicion_did_not_leap": "未入学及疑似辍学所占比例没有大幅上升",
    "ledgers.cases_add_up": "期初在办 + 立案 + 重新立案 − 销号 = 期末在办",
    "ledgers.cases_are_unique": "没有案件出现两次",
    "ledgers.nothing_closed_without_evidence": "每件销号案件都有证据",
    "ledgers.closings_are_events": "每件销号案件都有销号事件，证据、来源、日期一致",
    "ledgers.events_have_evidence": "每个事件都有证据、来源和日期",
    "ledgers.answers_are_events": "每条采信的核查结果都记入案件经过",
    "ledgers.cases_replay": "由案件经过可逐一重演出每个案件",
    "ledgers.programmes_add_up": "五项行动：原有 + 入库 − 出库 = 现有",
    "ledgers.programmes_end_assessed": "没有儿童未经评估合格而出库",
    "ledgers.suspected_are_in_the_ledger": "疑似辍学台账恰为未入学与疑似辍学的儿童",
    "ledgers.dropouts_are_in_the_ledger": "辍学台账恰为辍学的儿童",
    "ledgers.children_stand_once": "没有儿童在适龄儿童台账中出现两次",
    "ledgers.population_rows_are_one_childs": "没有一条人口记录被列为两名儿童",
    "ledgers.flags_have_reasons": "每名需核查劝返的儿童都有原因和证据说明",
}
"""What each gate expects, in Chinese; its English is published with its result (`check_results.expected`)."""

SEX: Final = {"1": Words("男", "boys"), "2": Words("女", "girls")}

_ETHNICITIES: Final = (
    "汉 Han,蒙古 Mongol,回 Hui,藏 Tibetan,维吾尔 Uyghur,苗 Miao,彝 Yi,壮 Zhuang,布依 Bouyei,朝鲜 Korean,满 Manchu,侗 Dong,瑶 Yao,白 Bai,"
    "土家 Tujia,哈尼 Hani,哈萨克 Kazakh,傣 Dai,黎 Li,傈僳 Lisu,佤 Wa,畲 She,高山 Gaoshan,拉祜 Lahu,水 Sui,东乡 Dongxiang,纳西 Naxi,"
    "景颇 Jingpo,柯尔克孜 Kirgiz,土 Tu,达斡尔 Daur,仫佬 Mulao,羌 Qiang,布朗 Blang,撒拉 Salar,毛南 Maonan,仡佬 Gelao,锡伯 Xibe,"
    "阿昌 Achang,普米 Pumi,塔吉克 Tajik,怒 Nu,乌孜别克 Uzbek,俄罗斯 Russian,鄂温克 Ewenki,德昂 De'ang,保安 Bonan,裕固 Yugur,京 Gin,"
    "塔塔尔 Tatar,独龙 Derung,鄂伦春 Oroqen,赫哲 Hezhen,门巴 Monba,珞巴 Lhoba,基诺 Jino"
)
ETHNICITY: Final = {
    f"{code:02d}": Words(f"{zh}族", en)
    for code, (zh, en) in enumerate((one.split(" ", 1) for one in _ETHNICITIES.split(",")), start=1)
}
"""GB/T 3304."""
