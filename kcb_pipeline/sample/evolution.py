"""What happens from one night to the next.

What belongs here: the events of a day, each a small function that changes the world a little, and the order of a day. The
statuses that follow are worked out by `expected`, not stated here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kcb_pipeline.sample.chance import Chance, stream, whole
from kcb_pipeline.sample.damage import spoil_population, spoil_registry
from kcb_pipeline.sample.expected import expected_status
from kcb_pipeline.sample.new_year import is_new_year, turn_of_year
from kcb_pipeline.sample.people import Child
from kcb_pipeline.sample.school_days import is_eligible, is_school_day
from kcb_pipeline.sample.schooling import another_school
from kcb_pipeline.sample.story import ENROLLED
from kcb_pipeline.sample.world import World, reports_absences

NOT_ARRIVING: Final = ("poverty_register", "disability_register", "support_programmes")
"""Optional sources that now and then do not come: ones in which nothing happens from day to day."""


def missing_on(night: int) -> frozenset[str]:
    """The sources that do not arrive: none on the first night, one on every second night after it."""
    return frozenset({NOT_ARRIVING[night // 2 % len(NOT_ARRIVING)]}) if night % 2 else frozenset()


@dataclass(frozen=True)
class Event:
    """Something that happens to a few children a day."""

    name: str
    share: float
    fits: Callable[[World, Child], bool]
    act: Callable[[World, Child, Chance], None]
    school_days_only: bool = False


EVENTS: Final[list[Event]] = []


def event(
    *, share: float, fits: Callable[[World, Child], bool], school_days_only: bool = False
) -> Callable[[Callable[[World, Child, Chance], None]], Callable[[World, Child, Chance], None]]:
    """Enter a function among the events of a day."""

    def enter(act: Callable[[World, Child, Chance], None]) -> Callable[[World, Child, Chance], None]:
        EVENTS.append(Event(act.__name__, share, fits, act, school_days_only))
        return act

    return enter


def next_day(world: World, *, damage: bool, at_least: int = 1) -> None:
    """Let a day pass, on which everything happens to so many at least: to one, so that every pair of nights shows it."""
    world.known |= set(world.child_of)
    world.day += dt.timedelta(days=1)
    chance = stream(world.seed, "day", world.day)
    world.chance = stream(world.seed, "registers", world.day)
    before = len(world.registrations), len(world.permits), {id(row) for row in world.enrolments()}
    if is_new_year(world.day):
        turn_of_year(world, stream(world.seed, "new year", world.day))
    world.count_heads()
    _arrivals(world)
    _newcomers(world, chance, at_least)
    order = list(world.children)
    chance.shuffle(order)
    for what in EVENTS:
        if what.school_days_only and not is_school_day(world.day):
            continue
        wanted = max(at_least, whole(chance, what.share * len(world.children)))
        passed: list[Child] = []
        while wanted and order:
            child = order.pop()
            if not what.fits(world, child):
                passed.append(child)
                continue
            what.act(world, child, chance)
            child.stories.append(what.name)
            wanted -= 1
        order += reversed(passed)
    if is_school_day(world.day):
        world.miss_days((world.day,))
    if damage:
        spoiling = stream(world.seed, "damage", world.day)
        spoil_population(spoiling, world.registrations[before[0] :], world.day)
        spoil_population(spoiling, world.permits[before[1] :], world.day)
        spoil_registry(spoiling, [row for row in world.enrolments() if id(row) not in before[2]], world.registrar)


# ---- who comes


def _newcomers(world: World, chance: Chance, at_least: int) -> None:
    """Families move in, registered or with permits; their children have no registry row yet. Babies are born."""
    for _ in range(max(at_least, whole(chance, len(world.children) * 0.0003))):
        household = world.settler.household("resident" if chance.random() < 0.6 else "registered")
        for child in world.add(household):
            child.enrolments.clear()
            child.stories.append("moved_in")
            if child.registration is not None:
                child.registration.updated_on = world.day
            elif child.permit is not None:
                child.permit.arrived_on = world.day
    families = [household for household in world.households if household.kind == "registered"]
    for _ in range(max(at_least, whole(chance, len(world.children) * 0.0002))):
        household = chance.choice(families)
        if any(member.role == "child" for member in household.members) and household.head.role != "child":
            baby = world.settler.child(household, world.day, "1" if chance.random() < 0.52 else "2")
            household.members.append(baby)
            world.add_person(baby)
            world.registrations[-1].updated_on = world.day


def _arrivals(world: World) -> None:
    """Children who moved in the day before, or transferred some days ago, appear in the registry of their new school."""
    if not is_school_day(world.day):
        return
    for child in world.children:
        if not child.stories or expected_status(world, child)[0] not in ("unenrolled", "suspected"):
            continue
        came = child.stories[-1]
        if came in ("moved_in", "transfers_out") and child.person.key in world.known:
            row = child.enrolment
            grade = row.grade if row is not None else min(9, max(1, world.registrar.grade_of(child.person)))
            number = row.number if row is not None else ""
            school = another_school(world.region, row) if row is not None else None
            new = world.registrar.enrol(child.person, grade, school, number=number, status_on=world.day)
            child.enrolments.append(new)
            world.recount(new.school)
            child.stories.append("arrived")


# ---- whom events suit


def _ordinary(world: World, child: Child) -> bool:
    return not child.stories and not child.person.notes and expected_status(world, child) == ENROLLED


def _ordinary_and_reported(world: World, child: Child) -> bool:
    return _ordinary(world, child) and child.enrolment is not None and reports_absences(child.enrolment.school)


def _absent(world: World, child: Child) -> bool:
    return expected_status(world, child) == ("suspected", "absent")


def _not_counted(world: World, child: Child) -> bool:
    return expected_status(world, child) == ("suspected", "not_in_headcount") and len(child.enrolments) == 1


def _ordinary_and_registered(world: World, child: Child) -> bool:
    return child.registration is not None and _ordinary(world, child)


def _ordinary_resident(world: World, child: Child) -> bool:
    return child.registration is None and child.permit is not None and _ordinary(world, child)


def _misspelt_in_registry(_world: World, child: Child) -> bool:
    row = child.enrolment
    return row is not None and not child.stories and any(t.startswith(("id_", "name_")) for t in row.seen.damage)


def _misspelt_in_population(world: World, child: Child) -> bool:
    birth_holds = is_eligible(child.person.birth, world.day)
    return birth_holds and not child.stories and bool(child.kept.seen.damage)


# ---- what happens


@event(share=0.0006, fits=_ordinary_and_reported, school_days_only=True)
def stops_attending(world: World, child: Child, _chance: Chance) -> None:
    """Does not come to school from today; suspected on the third school day."""
    assert child.enrolment is not None
    child.enrolment.absent_since = world.day
    if child.enrolment.school.counted_on == world.day:
        child.enrolment.counted = "not_present"


@event(share=0.0003, fits=_absent, school_days_only=True)
def comes_back(world: World, child: Child, _chance: Chance) -> None:
    """Comes back to school today, and is counted."""
    row = child.enrolment
    assert row is not None
    assert row.absent_since is not None
    yesterday = world.day - dt.timedelta(days=1)
    row.was_absent, row.absent_since, row.counted = (row.absent_since, yesterday), None, "present"
    world.recount(row.school)


@event(share=0.0001, fits=_not_counted, school_days_only=True)
def is_counted_again(world: World, child: Child, _chance: Chance) -> None:
    """Was not in the last headcount, and is in today's; a suspended pupil takes up school again."""
    row = child.enrolment
    assert row is not None
    if row.status == "02":
        row.status, row.status_on = "05", world.day
    row.counted = "present"
    world.recount(row.school)


@event(share=0.0002, fits=_ordinary)
def transfers_out(world: World, child: Child, _chance: Chance) -> None:
    """Leaves its school for another; the new one enters it on a later day."""
    row = child.enrolment
    assert row is not None
    row.status, row.status_on = "10", world.day


@event(share=0.0001, fits=_ordinary_and_registered)
def dies(world: World, child: Child, _chance: Chance) -> None:
    """Dies; the register knows at once, the school does not yet."""
    assert child.registration is not None
    child.person.died_on = world.day
    child.registration.person_state, child.registration.updated_on = "1", world.day
    world.strike_off(child.person, "死亡", world.day)


@event(share=0.0002, fits=_ordinary_resident)
def leaves_the_region(world: World, child: Child, _chance: Chance) -> None:
    """A resident child's permit is cancelled, and the school lets it go."""
    assert child.permit is not None
    assert child.enrolment is not None
    child.permit.is_live, child.permit.cancelled_on = False, world.day
    child.enrolment.status, child.enrolment.status_on = "10", world.day


@event(share=0.0008, fits=_misspelt_in_registry)
def is_corrected_in_registry(_world: World, child: Child, _chance: Chance) -> None:
    """The school corrects number, name and date; the student number stays for life."""
    row = child.enrolment
    assert row is not None
    row.seen = child.person.identity
    row.id_type = "1"


@event(share=0.0002, fits=_misspelt_in_population)
def is_corrected_in_population(world: World, child: Child, _chance: Chance) -> None:
    """The police correct number, name and date."""
    row = child.kept
    row.seen = child.person.identity
    if child.registration is not None:
        child.registration.updated_on = world.day
