"""Stories that leave a child enrolled and make the rows about it hard to read.

What belongs here: oddities of papers, not mistakes of clerks (those are `damage`): other numbers, other names, several
rows for one child, evidence that is over. See `story` for how to add one.
"""

from __future__ import annotations

import datetime as dt

from kcb_pipeline.sample.chance import Chance, day_between
from kcb_pipeline.sample.names import make_name
from kcb_pipeline.sample.outcomes import (
    days_ago,
    in_junior,
    is_disabled,
    is_registered,
    missed_three_days,
    only,
    reports,
    row_of,
    was_counted,
    year_began,
)
from kcb_pipeline.sample.people import Child, Identity, Leave, Permit, Programme, Registration
from kcb_pipeline.sample.school_days import school_days
from kcb_pipeline.sample.schooling import another_school, next_county
from kcb_pipeline.sample.story import ENROLLED, story
from kcb_pipeline.sample.world import World

# ---- what stories are made of


def registration_of(child: Child) -> Registration:
    """The population row of a registered child."""
    assert child.registration is not None
    return child.registration


def history_row(world: World, child: Child, seen: Identity, *, state: str = "0", flag: str = "0") -> Registration:
    """An older row of the child in the population register, no longer the latest."""
    row = world.register(child.person)
    current = registration_of(child)
    row.seen, row.record_flag, row.person_state = seen, flag, state
    row.updated_on = day_between(world.chance, child.person.birth, current.updated_on - dt.timedelta(days=1))
    return row


def former_id(world: World, child: Child) -> str:
    """A number the child had before, valid and given up."""
    person = child.person
    return world.settler.ids.issue(world.chance, person.identity.id_number[:6], person.birth, person.identity.sex)


def wrong_number(child: Child, tag: str, number: str, student_number: str) -> None:
    """The child's ID column holds something that is not the child's."""
    row = row_of(child)
    row.seen, row.number = row.seen.but(tag, id_number=number), student_number


def substitute(world: World, child: Child, letter: str) -> str:
    """A J or L number for the child's school."""
    return world.registrar.substitute_number(letter, row_of(child).school, child.person.birth)


# ---- whom stories suit


def is_settled(world: World, child: Child) -> bool:
    """Registered, by a row that is some weeks old."""
    row = child.registration
    return (
        row is not None and row.updated_on < world.day - dt.timedelta(days=40) and row.updated_on > child.person.birth
    )


def is_resident(_world: World, child: Child) -> bool:
    """Counted by a permit that is a year old or more."""
    return child.permit is not None and (_world.day - child.permit.arrived_on).days > 365


def has_guardian(_world: World, child: Child) -> bool:
    """With a parent or grandparent whose number could be taken."""
    return child.person.guardian is not None


def has_sibling(world: World, child: Child) -> bool:
    """With a brother or sister of school age."""
    return bool(world.siblings(child))


def in_primary(_world: World, child: Child) -> bool:
    """In grades 1 to 6."""
    return row_of(child).grade <= 6


# ---- numbers and names


@story(share=0.006, expects=ENROLLED, fits=is_settled)
def name_changed(world: World, child: Child) -> None:
    """Has a new name and a former one (曾用名); the school may know only the old."""
    person = child.person
    old = make_name(world.chance, person.ethnicity, person.identity.sex, person.birth.year, person.as_named).full
    if old == person.identity.name:
        old += "儿"
    person.identity.former_name = old
    history_row(world, child, person.identity.but("name_former", name=old, former_name=""))
    if world.chance.random() < 0.6:
        row = row_of(child)
        row.seen = row.seen.but("name_former", name=old, former_name="")


@story(share=0.005, expects=ENROLLED, fits=is_settled)
def number_corrected(world: World, child: Child) -> None:
    """Got another ID number; the student number keeps the former one, and perhaps the ID column does too."""
    old, row = former_id(world, child), row_of(child)
    if world.chance.random() < 0.7:
        history_row(world, child, child.person.identity.but("id_former", id_number=old))
    number_known = world.chance.random() < 0.6
    wrong_number(child, "number_former" if number_known else "id_former", row.seen.id_number, f"G{old}")
    if not number_known:
        row.seen.id_number = old


@story(share=0.008, expects=ENROLLED)
def no_usable_number(world: World, child: Child) -> None:
    """Registered without an ID number: type Z, a blank, a J number that imitates one."""
    wrong_number(child, "id_missing", "", substitute(world, child, "J"))
    row_of(child).id_type = "Z"


@story(share=0.012, expects=ENROLLED)
def temporary_number(world: World, child: Child) -> None:
    """Newly registered: an L number beside the right ID number."""
    row_of(child).number = substitute(world, child, "L")


@story(share=0.003, expects=ENROLLED, fits=has_guardian)
def guardians_number(world: World, child: Child) -> None:
    """A guardian's ID number in the child's column, since the form wanted one."""
    guardian = child.person.guardian
    assert guardian is not None
    taken = guardian.identity.id_number
    formal = world.chance.random() < 0.4
    wrong_number(child, "id_guardian", taken, f"G{taken}" if formal else substitute(world, child, "L"))


@story(share=0.002, expects=ENROLLED, fits=has_sibling)
def siblings_number(world: World, child: Child) -> None:
    """A brother's or sister's number."""
    sibling = world.siblings(child)[0]
    wrong_number(child, "id_sibling", sibling.person.identity.id_number, substitute(world, child, "L"))


@story(share=0.001, expects=ENROLLED)
def borrowed_number(world: World, child: Child) -> None:
    """The number of an unrelated child who is enrolled too."""
    other = world.children[world.chance.randrange(len(world.children))]
    if other is child:
        other = world.children[(world.children.index(child) + 1) % len(world.children)]
    wrong_number(child, "id_borrowed", other.person.identity.id_number, substitute(world, child, "L"))


@story(share=0.0008, expects=ENROLLED)
def invented_number(world: World, child: Child) -> None:
    """A number with a right check digit that belongs to nobody: another day of birth than the child's."""
    person = child.person
    birth = person.birth - dt.timedelta(days=world.chance.randint(1, 300))
    invented = world.settler.ids.issue(world.chance, person.identity.id_number[:6], birth, person.identity.sex)
    wrong_number(child, "id_invented", invented, f"G{invented}")


@story(share=0.0008, expects=ENROLLED)
def passport(world: World, child: Child) -> None:
    """Enrolled with a passport."""
    wrong_number(
        child, "id_document", f"E{80000000 + world.serial('pupil passport'):08d}", substitute(world, child, "J")
    )
    row_of(child).id_type = "A"


@story(share=0.0007, expects=ENROLLED, fits=is_registered)
def shared_number(world: World, child: Child) -> None:
    """An adult of another household carries the child's number in the population register."""
    rows = world.registrations
    start = world.chance.randrange(len(rows))
    adult = next(
        row
        for row in rows[start:] + rows[:start]
        if row.is_live
        and row.person.role in ("father", "mother")
        and row.person.household is not child.person.household
    )
    number = child.person.identity.id_number
    adult.seen = adult.seen.but("id_shared", id_number=number)
    row = registration_of(child)
    row.seen = row.seen.but("id_shared")


# ---- several rows in the registry


@story(share=0.02, expects=ENROLLED)
def transferred(world: World, child: Child) -> None:
    """A dead row (10 转出) in the former school, a live one in the new."""
    row = only(child)
    moved = min(days_ago(world, 30, 500), year_began(world))
    old = world.registrar.enrol(
        child.person, row.grade, another_school(world.region, row), number=row.number, status="10", status_on=moved
    )
    old.seen, old.grade = row.seen, max(1, row.grade - 1)
    row.status_on = moved + dt.timedelta(days=world.chance.randint(0, 20))
    child.enrolments.append(old)


@story(share=0.001, expects=ENROLLED)
def lost_and_found(world: World, child: Child) -> None:
    """15 下落不明 in one school, 05 复学 in another."""
    row = only(child)
    lost = days_ago(world, 100, 500)
    old = world.registrar.enrol(
        child.person, row.grade, another_school(world.region, row), number=row.number, status="15", status_on=lost
    )
    row.status, row.status_on = "05", lost + dt.timedelta(days=world.chance.randint(20, 90))
    child.enrolments.append(old)


def _second_live_row(world: World, child: Child, number: str) -> None:
    row = only(child)
    other = world.registrar.enrol(child.person, row.grade, another_school(world.region, row), number=number)
    other.seen, other.counted = row.seen, world.chance.choice(("not_present", "left_out"))
    other.status_on = row.began
    child.enrolments.append(other)


@story(share=0.003, expects=ENROLLED, fits=was_counted)
def enrolled_twice(world: World, child: Child) -> None:
    """Two live rows under two student numbers; only one school has the child on its benches."""
    _second_live_row(world, child, substitute(world, child, "L"))


@story(share=0.0015, expects=ENROLLED, fits=was_counted)
def enrolled_twice_under_one_number(world: World, child: Child) -> None:
    """Two live rows with the same student number."""
    _second_live_row(world, child, row_of(child).number)


# ---- several rows in the population


@story(share=0.002, expects=ENROLLED, fits=is_settled)
def registered_twice(world: World, child: Child) -> None:
    """双重户籍: two live rows, in two counties, under two valid numbers. The row updated last is kept."""
    first = registration_of(child)
    second = world.register(child.person, village=next_county(world.region, first.village))
    second.seen = child.person.identity.but("id_second", id_number=former_id(world, child))
    if world.chance.random() < 0.5:
        second.updated_on = day_between(world.chance, first.updated_on + dt.timedelta(days=1), world.day)
        child.registration = second
    else:
        second.updated_on = first.updated_on - dt.timedelta(days=world.chance.randint(1, 30))


@story(share=0.004, expects=ENROLLED, fits=is_registered)
def registered_and_resident(world: World, child: Child) -> None:
    """Registered in one county of the region, with a permit in another: `registered` wins."""
    permit = world.permit(child.person, village=next_county(world.region, registration_of(child).village))
    permit.home = child.person.household.home


@story(share=0.003, expects=ENROLLED, fits=is_settled)
def moved_within_region(world: World, child: Child) -> None:
    """The former county's row says moved out, the new county's row is live."""
    old = history_row(world, child, child.person.identity, state="2", flag="1")
    old.village = next_county(world.region, registration_of(child).village)
    old.moved_out_on = old.updated_on


@story(share=0.0008, expects=ENROLLED, fits=is_settled)
def reversed_row(world: World, child: Child) -> None:
    """A row that was entered and undone (冲销)."""
    history_row(world, child, child.person.identity, flag="1").reversal_flag = "1"


@story(share=0.0005, expects=ENROLLED, fits=is_registered)
def striking_off_undone(world: World, child: Child) -> None:
    """Struck off by mistake, and the striking-off was undone."""
    world.strike_off(child.person, world.chance.choice(("死亡", "删除")), days_ago(world, 5, 300), reversal="1")


@story(share=0.0006, expects=ENROLLED, fits=is_settled)
def double_merged(world: World, child: Child) -> None:
    """A former double registration: one number was struck off (重户), the other kept."""
    gone = former_id(world, child)
    row = history_row(world, child, child.person.identity.but("id_second", id_number=gone), state="7", flag="1")
    world.strike_off(child.person, "重户", row.updated_on, number=gone, kept=child.person.identity.id_number)


@story(share=0.015, expects=ENROLLED, fits=is_resident)
def old_permits(world: World, child: Child) -> None:
    """One to three expired permits before the live one."""
    live = child.permit
    assert live is not None
    span = (world.day - live.arrived_on).days
    for _ in range(world.chance.randint(1, 3)):
        old: Permit = world.permit(child.person)
        old.arrived_on = live.arrived_on - dt.timedelta(days=world.chance.randint(30, max(31, min(span, 900))))
        old.arrived_on = max(old.arrived_on, child.person.birth)
        old.is_live = False
        if world.chance.random() < 0.8:
            old.cancelled_on = live.arrived_on


# ---- evidence that is over, or says nothing


@story(share=0.003, expects=ENROLLED)
def learns_with_the_others(world: World, child: Child) -> None:
    """Disabled, and in an ordinary class (随班就读)."""
    row = row_of(child)
    row.disability = is_disabled(world, child, "随班就读")
    row.inclusive = "随班就读"


@story(share=0.003, expects=ENROLLED)
def in_a_programme(world: World, child: Child) -> None:
    """In one of the programmes that are no schooling."""
    programme = world.chance.choice(("控辍保学", "涉案帮教", "失管关爱", "心理健康关爱"))
    level = world.chance.choice(("较轻", "较重", "严重"))
    world.programmes[child.person.key].append(Programme(child.person, programme, level, days_ago(world, 10, 400)))


@story(share=0.0004, expects=ENROLLED, fits=in_junior)
def back_from_specialised_education(world: World, child: Child) -> None:
    """Was in 专门教育, and is back."""
    left = days_ago(world, 30, 100)
    row = Programme(child.person, "专门教育", "严重", left - dt.timedelta(days=200), left)
    world.programmes[child.person.key].append(row)


@story(share=0.003, expects=ENROLLED, fits=reports)
def stayed_away_and_came_back(world: World, child: Child) -> None:
    """Absent without excuse for five days, and in school since."""
    days = school_days(world.last_school_day(), 12)
    row_of(child).was_absent = (days[2], days[6])


@story(share=0.003, expects=ENROLLED, fits=missed_three_days)
def on_short_leave(world: World, child: Child) -> None:
    """Ill for two weeks."""
    first = max(year_began(world), world.last_school_day() - dt.timedelta(days=world.chance.randint(1, 4)))
    row_of(child).leave = Leave("病假", first, first + dt.timedelta(days=13))


@story(share=0.0004, expects=ENROLLED, fits=in_primary)
def not_there_long_ago(world: World, child: Child) -> None:
    """Not present at the last headcount of a school that has not counted for more than 30 days."""
    row = only(child)
    row.school = next(school for school in world.region.schools if school.stale)
    row.counted = "not_present"


@story(share=0.002, expects=ENROLLED)
def travelled(world: World, child: Child) -> None:
    """Abroad on holiday, and back."""
    gone = world.chance.randint(60, 300)
    world.cross(child.person, outward=True, days_ago=gone)
    world.cross(child.person, outward=False, days_ago=gone - world.chance.randint(3, 40))


@story(share=0.0004, expects=ENROLLED)
def abroad_but_in_school(world: World, child: Child) -> None:
    """The last crossing was outward, but the school has the child present."""
    world.cross(child.person, outward=True, days_ago=world.chance.randint(40, 100))


@story(share=0.002, expects=ENROLLED, fits=is_registered)
def studies_outside_with_a_row(world: World, child: Child) -> None:
    """At a school outside the region whose row is in the extract nevertheless."""
    only(child).school = world.chance.choice(world.region.outside)


# ---- pupils who are nobody's children here


def foreign_papers(world: World, chance: Chance) -> None:
    """Give a few pupils without hukou or permit the documents of Hong Kong, Macao, Taiwan and abroad."""
    forms = (("6", "H", 10), ("7", "M", 10), ("8", "", 8), ("9", "F", 9), ("A", "P", 8))
    pupils = [
        row
        for row in world.other_enrolments
        if row.is_live and row.grade <= 9 and row.person.household.kind == "unregistered" and row.id_type == "1"
    ]
    for (id_type, letter, digits), row in zip(forms, pupils, strict=False):
        number = f"{letter}{chance.randrange(10**digits):0{digits}d}"
        row.id_type, row.seen = id_type, row.seen.but("id_document", id_number=number)
        row.number = world.registrar.substitute_number("J", row.school, row.person.birth)
