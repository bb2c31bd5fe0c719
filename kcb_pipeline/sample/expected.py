"""What the contract's rules make of the truth: the one right status of a child.

What belongs here: a second, independent reading of "Which status" in the contract, applied to true identities and to all
evidence in its right place. It shares no code with `kcb_pipeline.status`, which it is there to check.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from kcb_pipeline.sample.people import Approval, Child, Enrolment
from kcb_pipeline.sample.school_days import school_days_from, school_year
from kcb_pipeline.sample.world import World, reports_absences

STATUSES: Final = (
    "enrolled", "enrolled_elsewhere", "special_provision", "deferred", "on_leave", "completed", "departed",
    "needs_review", "unenrolled", "suspected", "dropout",
)  # fmt: skip
"""All statuses. `dropout` needs verifications of cases, which only the pipeline can open: the sample has none."""
CONTRACT_REASONS: Final = frozenset(
    {
        "exempted", "absent", "long_leave", "not_in_headcount", "leave_not_approved", "leave_expired",
        "primary_graduate_not_in_junior", "transferred_out_not_arrived", "registry_says_left", "no_record",
        "deferral_expired",
    }
)  # fmt: skip
"""Reasons the contract names; the others below are this sample's own words for cases it describes without a name."""

_SPECIAL_PLACEMENTS: Final = {
    "送教上门": "home_teaching",
    "特教学校就读": "special_school",
    "特教学校": "special_school",
    "普通学校特教班就读": "special_class",
    "特教班": "special_class",
}


def expected_status(world: World, child: Child) -> tuple[str, str]:
    """Status and reason of a child on the world's day; an empty reason for the merely enrolled."""
    live = [row for row in child.enrolments if row.is_live]
    reason = (
        _departed(world, child, live)
        or _special(world, child)
        or _completed(child)
        or (_enrolled(world, child, live) if live else None)
        or _without_enrolment(world, child)
    )
    assert reason is not None
    return reason


def _departed(world: World, child: Child, live: list[Enrolment]) -> tuple[str, str] | None:
    key = child.person.key
    # A merged double (重户) is struck off under the number that goes; the person stays under the one that is kept.
    if any(row.reversal_flag == "0" and row.kind != "重户" for row in world.deregistrations.get(key, [])):
        return "departed", "struck_off"
    if not child.kept.is_live and key in world.known:
        return "departed", "no_longer_live"
    if any(row.status in ("13", "出国") for row in child.enrolments):
        return "departed", "registry_abroad"
    crossings = sorted(world.crossings.get(key, []), key=lambda crossing: crossing.on)
    if not live and crossings and crossings[-1].outward and (world.day - crossings[-1].on).days >= 30:
        return "departed", "abroad"
    return None


def _special(world: World, child: Child) -> tuple[str, str] | None:
    for row in child.enrolments:
        if row.is_live and row.mode == "送教上门":
            return "special_provision", "home_teaching"
        if row.is_live and row.placement in _SPECIAL_PLACEMENTS:
            return "special_provision", _SPECIAL_PLACEMENTS[row.placement]
    disability = world.disabilities.get(child.person.key)
    if disability is not None and disability.placement in _SPECIAL_PLACEMENTS:
        return "special_provision", _SPECIAL_PLACEMENTS[disability.placement]
    if _approved(world, child, "免学") is not None:
        return "special_provision", "exempted"
    for programme in world.programmes.get(child.person.key, []):
        over = programme.left_on is not None and programme.left_on <= world.day
        if programme.programme == "专门教育" and programme.entered_on <= world.day and not over:
            return "special_provision", "specialised_education"
    return None


def _completed(child: Child) -> tuple[str, str] | None:
    if any(row.status in ("07", "08") and row.grade >= 9 for row in child.enrolments):
        return "completed", "graduated"
    if any(row.is_live and row.grade >= 10 for row in child.enrolments):
        return "completed", "senior_grade"
    return None


def _enrolled(world: World, child: Child, live: list[Enrolment]) -> tuple[str, str]:
    if _approved(world, child, "休学") is not None:
        return "on_leave", "leave_approved"
    found = [not_attending(world, child, row) for row in live]
    if all(found):
        return "suspected", str(found[0])
    return "enrolled", ""


def not_attending(world: World, child: Child, row: Enrolment) -> str | None:
    """Why one live enrolment is doubted; nothing where it is not."""
    seen_daily = reports_absences(row.school)
    away = row.absent_since if seen_daily else None
    if away is not None and len(school_days_from(away, world.last_school_day())) >= 3:
        return "absent"
    if row.leave is not None and seen_daily:
        long = (row.leave.last - row.leave.first).days + 1 >= 30
        if long and row.leave.first <= world.day <= row.leave.last:
            return "long_leave"
    if row.counted != "present" and world.headcount_is_fresh(row.school):
        return "not_in_headcount"
    if row.status == "02":
        given = any(approval.kind == "休学" for approval in world.approvals.get(child.person.key, []))
        return "leave_expired" if given else "leave_not_approved"
    return None


def _without_enrolment(world: World, child: Child) -> tuple[str, str]:
    dead = max(child.enrolments, key=lambda row: row.status_on or dt.date.min, default=None)
    if dead is not None and dead.status == "11":
        return "needs_review", "registry_says_dead"
    if _approved(world, child, "延缓入学") is not None:
        return "deferred", "deferral_approved"
    year = school_year(world.day)
    if any(school_year(row.confirmed_on) == year for row in world.elsewhere.get(child.person.key, [])):
        return "enrolled_elsewhere", "elsewhere_evidence"
    if dead is not None and dead.status == "07" and dead.grade == 6:
        return "suspected", "primary_graduate_not_in_junior"
    if dead is not None and dead.status == "10":
        return "suspected", "transferred_out_not_arrived"
    if dead is not None:
        return "suspected", "registry_says_left"
    if any(approval.kind == "延缓入学" for approval in world.approvals.get(child.person.key, [])):
        return "unenrolled", "deferral_expired"
    return "unenrolled", "no_record"


def _approved(world: World, child: Child, kind: str) -> Approval | None:
    return next(
        (
            approval
            for approval in world.approvals.get(child.person.key, [])
            if approval.kind == kind and approval.first <= world.day <= approval.last
        ),
        None,
    )
