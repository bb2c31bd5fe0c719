"""What a caseworker reads: why a child is flagged, and on which evidence a case may close. Chinese, with the source and row.

Nothing here names another child: a candidate is a school and a grade, and what spoke against it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from kcb_pipeline.status.reasons import BY_CODE

Facts = Mapping[str, Any]
"""One row of `cases_to_advance.sql`."""


def evidence_of(facts: Facts) -> tuple[str, str]:
    """Why the child has its status, in words a caseworker can act on, and the source with its row."""
    reason = facts["reason"]
    words = BY_CODE[reason].words
    match reason:
        case "absent":
            detail = f"{_days(facts['absent_from'], facts['absent_to'])}，截至学校最近一次上报仍未到校"
            return f"{words}：{detail}", _source("absences", facts["absent_row"])
        case "long_leave":
            return f"{words}：{_days(facts['long_leave_from'], facts['long_leave_to'])}", _source(
                "absences", facts["long_leave_row"]
            )
        case "not_in_headcount":
            return f"{words}：清点日期 {facts['missed_headcount_on']}", "in_school"
        case "leave_expired":
            return f"{words}：批准的休学已于 {facts['leave_ended_on']} 到期", _source(
                "student_registry", facts["registry_row"]
            )
        case "leave_not_approved":
            return words, _source("student_registry", facts["registry_row"])
        case "primary_graduate_not_in_junior" | "transferred_out_not_arrived" | "registry_says_left":
            changed = f"（{facts['dead_on']}）" if facts["dead_on"] else ""
            return f"{words}{changed}，此后未见新的学籍", _source("student_registry", facts["dead_row"])
        case "deferral_expired":
            if facts["deferral_ended_on"] is None:
                return f"{words}：延缓入学至 {facts['verdict_until']}", _source("verifications", facts["verdict_row"])
            return f"{words}：延缓入学至 {facts['deferral_ended_on']}", _source(
                "approvals", facts["deferral_ended_row"]
            )
        case "no_record":
            return f"{words}；{_nearest(facts)}", "student_registry"
        case "confirmed_never_enrolled" | "confirmed_dropped_out":
            return f"{words}（核查日期 {facts['verdict_on']}）", _source("verifications", facts["verdict_row"])
        case _:
            return words, ""


def _nearest(facts: Facts) -> str:
    school, grade, why = facts.get("near_school"), facts.get("near_grade"), facts.get("near_why")
    if why is None:
        return "没有相近的候选记录"
    where = f"{school or '学校不详'}{f'{grade}年级' if grade else ''}"
    return f"最接近的候选在{where}，因{why}未采用"


_SUSPENDED: Final = "02"
_CONFIRMED: Final = ("确认失学", "确认辍学")
_ATTENDANCE_REASONS: Final = ("absent", "long_leave", "not_in_headcount")


def proof_of(facts: Facts, *, case_reason: str, sent: frozenset[str]) -> tuple[str, str] | None:
    """The evidence tonight's status rests on, if it is such that a case may close on it: words, and source with row.

    A child who was suspected of not attending is shown to attend by a headcount, by its school's report of absences, or by a
    change in the registry, each of a later day than what was said against it, or by a new live record at another school; never by a
    source or a school that did not report (extracts.md, Evidence lasts). A child that is merely no longer in the population register proves nothing.
    """
    reason = facts["reason"]
    words = BY_CODE[reason].words if reason else ""
    match reason:
        case "live_enrolment":
            return _attendance_proof(facts, case_reason=case_reason, sent=sent)
        case "struck_off":
            said = f"{words}：{facts['struck_off_kind']}，{facts['struck_off_on'] or '日期不详'}"
            return said, _source("deregistrations", facts["struck_off_row"])
        case "registered_dead" | "registered_emigrated" | "moved_out" | "no_longer_live":
            row = facts["population_row"]
            return None if row is None else (words, _source(_register(facts["population_type"]), row))
        case "duplicate_registration":
            return f"{words}（{facts['duplicate_of']}）", _source(_register(facts["kept_type"]), facts["kept_row"])
        case "registry_abroad":
            return words, _source("student_registry", facts["dead_row"])
        case "abroad":
            return f"{words}：{facts['abroad_since']}", _source("exit_entry", facts["abroad_row"])
        case "home_teaching" | "special_school" | "special_class":
            return _placement_proof(facts)
        case "exempted":
            return words, _source("approvals", facts["exemption_row"])
        case "specialised_education":
            return words, _source("support_programmes", facts["specialised_row"])
        case "graduated":
            return words, _source("student_registry", facts["graduated_row"])
        case "senior_grade":
            return words, _source("student_registry", facts["registry_row"])
        case "leave_approved":
            return f"{words}：至 {facts['leave_until']}", _source("approvals", facts["leave_row"])
        case "deferral_approved":
            return f"{words}：至 {facts['deferred_until']}", _source("approvals", facts["deferral_row"])
        case "elsewhere_evidence":
            return f"{words}：核实日期 {facts['elsewhere_on']}", _source("elsewhere", facts["elsewhere_row"])
        case (
            "verified_departed"
            | "over_age"
            | "verified_elsewhere"
            | "inclusive_education"
            | "leave_verified"
            | "deferral_verified"
        ):
            return f"{words}（核查日期 {facts['verdict_on']}）", _source("verifications", facts["verdict_row"])
        case _:
            return None


_PLACEMENTS: Final = {"home_teaching": "送教上门", "special_class": "特教班", "special_school": "特教学校"}
"""How the disability register says what a reason says."""
_SPECIAL_CLASS: Final = "普通学校特教班就读"


def _placement_proof(facts: Facts) -> tuple[str, str]:
    """The row that says the placement: the registry's before the disability register's before an answer's, as the status is decided."""
    reason = facts["reason"]
    words = BY_CODE[reason].words
    row = facts["home_teaching_row"] if reason == "home_teaching" else facts["special_row"]
    if reason == "special_class" and facts["special_placement_code"] != _SPECIAL_CLASS:
        row = None
    if row is not None:
        return words, _source("student_registry", row)
    if facts["disability_placement"] == _PLACEMENTS[reason]:
        return words, _source("disability_register", facts["disability_row"])
    return f"{words}（核查日期 {facts['verdict_on']}）", _source("verifications", facts["verdict_row"])


_TERMS: Final = {
    "leave_approved": "leave_until",
    "leave_verified": "verdict_until",
    "deferral_approved": "deferred_until",
    "deferral_verified": "verdict_until",
}


def term_of(facts: Facts) -> dt.date | None:
    """To when the leave or deferral holds that tonight's status rests on; another approval that the child has decides nothing."""
    term = _TERMS.get(facts["reason"])
    return facts[term] if term else None


def _attendance_proof(facts: Facts, *, case_reason: str, sent: frozenset[str]) -> tuple[str, str] | None:
    registry = _source("student_registry", facts["registry_row"])
    present_on, changed_on, doubted_on = facts["present_on"], facts["latest_live_change"], facts["doubted_on"]
    if facts["verdict"] in _CONFIRMED:
        if _is_later(present_on, facts["verdict_on"]):
            return f"复学：清点在校 {present_on}", _source("in_school", facts["present_row"])
        return (f"复学：学籍登记 {changed_on}", registry) if _is_later(changed_on, facts["verdict_on"]) else None
    if case_reason in _ATTENDANCE_REASONS:
        if _is_later(present_on, doubted_on) and "in_school" in sent:
            return f"清点在校：{present_on}", _source("in_school", facts["present_row"])
        if _is_later(changed_on, doubted_on):
            return f"学籍异动：{changed_on}", registry
        if facts["is_newly_elsewhere"]:
            return "另有在读学籍", registry
        reported_on, missed_on = facts["reported_on"], facts["missed_on"]
        is_reported_back = _is_later(reported_on, missed_on or doubted_on) and _is_later(reported_on, doubted_on)
        if case_reason != "not_in_headcount" and is_reported_back:
            return f"学校缺勤上报中已无该生：{reported_on}", _source("absences", facts["reported_row"])
        return None
    if case_reason in ("leave_not_approved", "leave_expired"):
        if facts["suspended_rows"]:
            return "另有在读学籍", registry
        if facts["registry_status"] == _SUSPENDED:  # the registry has not taken the pupil back: a headcount shows it
            return f"清点在校：{present_on}", _source("in_school", facts["present_row"])
        return "学籍登记已复学", registry
    how = {"id_number": "证件号码与姓名一致", "probabilistic": "身份信息综合比对一致", "reviewed": "人工核定"}.get(
        facts["match_method"], ""
    )
    return f"找到有效学籍（{how}）", registry


def _is_later(day: dt.date | None, than: dt.date | None) -> bool:
    return day is not None and than is not None and day > than


def _register(population_type: str | None) -> str:
    return "residents" if population_type == "resident" else "population"


def _days(first: dt.date | None, last: dt.date | None) -> str:
    return f"{first} 至 {last}"


def _source(name: str, row: int | None) -> str:
    return f"{name}:{row}" if row is not None else name
