"""The first of September: everybody moves up a grade, who is six enters school, who is too old is no child of the ledger any more.

What belongs here: the turn of the school year, and the two ways in which children are lost at it: after primary school, and
before the first grade.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from kcb_pipeline.sample.chance import Chance
from kcb_pipeline.sample.people import Child, Enrolment, Permit, Person, Registration
from kcb_pipeline.sample.places import school_for
from kcb_pipeline.sample.school_days import is_eligible
from kcb_pipeline.sample.world import World

_LOST_AFTER_PRIMARY: Final = 0.02
_NOT_SENT: Final = 0.02
_STILL_ELSEWHERE: Final = 0.8


def is_new_year(day: dt.date) -> bool:
    """Whether a school year begins."""
    return (day.month, day.day) == (9, 1)


def turn_of_year(world: World, chance: Chance) -> None:
    """Let the school year of the world's day begin."""
    world.registrar.begin_year(world.day)
    world.short_absences.clear()
    for row in world.enrolments():
        _rested(row, world.day)
    leaving = [child for child in world.children if not is_eligible(child.person.birth, world.day)]
    for child in world.children:
        for row in child.enrolments:
            _moved_up(world, row, chance)
        _confirmed_elsewhere(world, child, chance)
    for row in world.other_enrolments:
        _moved_up(world, row, chance)
    for child in leaving:
        world.children.remove(child)
        del world.child_of[child.person.key]
        world.other_enrolments += child.enrolments
    _enter(world, chance)


def _rested(row: Enrolment, day: dt.date) -> None:
    """What a school reported of the year before is not said again; who stayed away stays away."""
    row.was_absent = None
    if row.leave is not None and row.leave.last < day:
        row.leave = None
    if row.absent_since is not None:
        row.absent_since = day
    if row.status == "02":
        row.counted = "left_out"


def _moved_up(world: World, row: Enrolment, chance: Chance) -> None:
    if not row.is_live:
        return
    summer = dt.date(world.day.year, 7, 5 + int(chance.random() * 20))
    child = world.child_of.get(row.person.key)
    if row.grade in (9, 12):
        row.status, row.status_on = "07", summer
    elif row.grade == 6 and child is not None and not child.stories and chance.random() < _LOST_AFTER_PRIMARY:
        row.status, row.status_on = "07", summer
        child.stories.append("lost_after_primary")
    else:
        row.grade += 1
        if row.grade == 7:
            row.school, row.began = school_for(row.person.household.village, 7, 0), world.day


def _confirmed_elsewhere(world: World, child: Child, chance: Chance) -> None:
    """Most of those who study outside are found to do so this year too."""
    if world.elsewhere.get(child.person.key) and chance.random() < _STILL_ELSEWHERE:
        world.study_elsewhere(child, world.day)


def _enter(world: World, chance: Chance) -> None:
    """Children who are six now: registered here, or here with a permit, and not in the ledger yet."""
    early: dict[int, list[Enrolment]] = {}
    for row in world.other_enrolments:
        early.setdefault(row.person.key, []).append(row)
    papers: list[Registration | Permit] = [*world.registrations, *world.permits]
    for paper in papers:
        person = paper.person
        is_new = person.role == "child" and person.key not in world.child_of and person.died_on is None
        if is_new and paper.is_live and is_eligible(person.birth, world.day) and _is_six(person, world.day):
            child = Child(
                person,
                paper if isinstance(paper, Registration) else None,
                paper if isinstance(paper, Permit) else None,
                early.get(person.key, []),
            )
            if not child.enrolments and chance.random() >= _NOT_SENT:
                child.enrolments.append(world.registrar.enrol(person, 1))
            world.children.append(child)
            world.child_of[person.key] = child
    ours = {id(row) for child in world.children for row in child.enrolments}
    world.other_enrolments = [row for row in world.other_enrolments if id(row) not in ours]


def _is_six(person: Person, day: dt.date) -> bool:
    """Whether the child was too young a year ago."""
    return not is_eligible(person.birth, day - dt.timedelta(days=1))
