"""Every reason a child can have, the status it means, and how it is said to a caseworker. One place for the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

STATUSES: Final = {
    "enrolled": "在学",
    "enrolled_elsewhere": "外地就读",
    "special_provision": "特殊教育安置",
    "deferred": "延缓入学",
    "on_leave": "休学",
    "completed": "已完成义务教育",
    "departed": "死亡、出国(境)或注销",
    "needs_review": "待人工核对",
    "unenrolled": "未入学",
    "suspected": "疑似辍学",
    "dropout": "辍学",
}
"""The statuses of the contract (published.md), in its order, with the label that is shown."""

SUSPECTED_STATUSES: Final = ("unenrolled", "suspected")
LEDGERS: Final = {"suspected_dropouts": SUSPECTED_STATUSES, "dropouts": ("dropout",)}
"""Which statuses each of the two ledgers of children who are out of school holds: 疑似辍学 and 辍学."""
OUT_OF_SCHOOL: Final = tuple(status for held in LEDGERS.values() for status in held)
"""Whom somebody has to look for: the statuses of both. A tuple is written as SQL writes a list of texts, so statements take it as it is."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a child has its status: the code, the status, the words, and how pressing a case of it is (1 to 3)."""

    code: str
    status: str
    words: str
    severity: int = 1


REASONS: Final = (
    Reason("duplicate_registration", "departed", "与另一人口记录为同一人，已并入"),
    Reason("registered_dead", "departed", "人口数据登记为死亡"),
    Reason("registered_emigrated", "departed", "人口数据登记为出国境定居"),
    Reason("moved_out", "departed", "人口数据登记为迁出"),
    Reason("struck_off", "departed", "户口已注销"),
    Reason("registry_abroad", "departed", "学籍登记为出国"),
    Reason("abroad", "departed", "最近一次出境后未入境"),
    Reason("verified_departed", "departed", "核查结果为户籍死亡、空挂户、双重户籍或出国(境)"),
    Reason("no_longer_live", "departed", "人口数据中已无有效记录"),
    Reason("confirmed_never_enrolled", "dropout", "经核查确认失学", 3),
    Reason("confirmed_dropped_out", "dropout", "经核查确认辍学", 3),
    Reason("home_teaching", "special_provision", "送教上门"),
    Reason("special_class", "special_provision", "普通学校特教班就读"),
    Reason("special_school", "special_provision", "特殊教育学校就读"),
    Reason("inclusive_education", "special_provision", "经核查随班就读"),
    Reason("exempted", "special_provision", "经批准免学"),
    Reason("specialised_education", "special_provision", "正在接受专门教育"),
    Reason("graduated", "completed", "初中毕业或结业"),
    Reason("senior_grade", "completed", "已在高中阶段就读"),
    Reason("over_age", "completed", "经核查超龄离校"),
    Reason("leave_approved", "on_leave", "休学已经批准，在期限内"),
    Reason("leave_verified", "on_leave", "经核查休学，在期限内"),
    Reason("registry_status_unknown", "needs_review", "有学籍记录但学籍状态不明"),
    Reason("live_enrolment", "enrolled", "有有效学籍，无未到校证据"),
    Reason("leave_in_registry", "on_leave", "学籍登记为休学（从未收到审批数据）"),
    Reason("absent", "suspected", "连续无故缺勤", 2),
    Reason("long_leave", "suspected", "长期请假", 1),
    Reason("not_in_headcount", "suspected", "最近一次清点不在校（名在人不在）", 2),
    Reason("leave_expired", "suspected", "休学期满未复学", 2),
    Reason("leave_not_approved", "suspected", "学籍登记为休学而无审批", 1),
    Reason("candidates", "needs_review", "有相近的学籍记录，证据不足以认定为同一人"),
    Reason("registry_says_dead", "needs_review", "学籍登记为死亡而人口数据为正常"),
    Reason("deferral_approved", "deferred", "延缓入学已经批准，在期限内"),
    Reason("deferral_verified", "deferred", "经核查延缓入学，在期限内"),
    Reason("elsewhere_evidence", "enrolled_elsewhere", "外地就读证明"),
    Reason("verified_elsewhere", "enrolled_elsewhere", "经核查在外地或无学籍就读"),
    Reason("primary_graduate_not_in_junior", "suspected", "小学毕业未升初中", 3),
    Reason("transferred_out_not_arrived", "suspected", "已转出而无转入记录", 2),
    Reason("registry_says_left", "suspected", "学籍登记为离校", 3),
    Reason("deferral_expired", "unenrolled", "延缓入学期满未入学", 2),
    Reason("no_record", "unenrolled", "未找到任何学籍记录", 2),
)
"""In the order of the rules (extracts.md, Which status), each where it is first asked for."""

CATEGORIES: Final = {
    "失学": ("no_record", "deferral_expired", "confirmed_never_enrolled"),
    "长期请假": ("long_leave", "leave_expired", "leave_not_approved"),
    "疑似辍学": (
        "absent", "not_in_headcount", "primary_graduate_not_in_junior", "transferred_out_not_arrived", "registry_says_left",
    ),
    "辍学": ("confirmed_dropped_out",),
}  # fmt: skip
"""疑似辍学学生台账（含失学、长期请假学生）: 安教函〔2025〕78号 一. Of age and in no school is 失学; a leave too long or without
approval is 长期请假; whoever was in a school and is not there is 疑似辍学, and 辍学 once a person has confirmed it."""

BY_CODE: Final = {reason.code: reason for reason in REASONS}


def reasons_frame() -> pl.DataFrame:
    """The reasons as a table: reason, status, words, severity."""
    return pl.DataFrame(
        [(reason.code, reason.status, reason.words, reason.severity) for reason in REASONS],
        schema={"reason": pl.String, "status": pl.String, "words": pl.String, "severity": pl.Int32},
        orient="row",
    )
