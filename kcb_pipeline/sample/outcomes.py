"""Stories that decide a child's status: one function a situation.

What belongs here: situations after which a child is something else than enrolled. See `story` for how to add one.
"""

from __future__ import annotations

import datetime as dt

from kcb_pipeline.sample.chance import day_between
from kcb_pipeline.sample.people import Child, Disability, Enrolment, Leave, Programme
from kcb_pipeline.sample.school_days import school_days, school_days_from
from kcb_pipeline.sample.story import story
from kcb_pipeline.sample.world import World, reports_absences, years_of

# ---- what stories are made of


def row_of(child: Child) -> Enrolment:
    """The one row of an enrolled child that stands for its schooling."""
    row = child.enrolment
    assert row is not None
    return row


def only(child: Child) -> Enrolment:
    """The same, with every older row gone, so that what happens to it decides."""
    row = row_of(child)
    child.enrolments[:] = [row]
    return row


def days_ago(world: World, least: int, most: int) -> dt.date:
    """Some day between `most` and `least` days before the world's."""
    return world.day - dt.timedelta(days=world.chance.randint(least, most))


def year_began(world: World) -> dt.date:
    """The first day of the school year."""
    return dt.date(world.registrar.year, 9, 1)


def leaves_registry(child: Child, status: str, on: dt.date) -> None:
    """The enrolment becomes a dead row."""
    row = only(child)
    row.status, row.status_on = status, on


def suspends(world: World, child: Child, *, reporting: bool) -> Enrolment:
    """The registry says 02 休学.

    Where `reporting` is false the child belongs to a school without an attendance platform: otherwise the headcount,
    which rightly leaves the child out, would be evidence as well.
    """
    row = only(child)
    row.status, row.status_on = "02", days_ago(world, 10, 80)
    if reporting:
        row.counted = "left_out"
    else:
        row.school = child.person.household.village.township.county.silent_school(row.grade)
    return row


def is_disabled(world: World, child: Child, placement: str = "", level: int | None = None) -> str:
    """The child holds a certificate of disability; gives its kind."""
    kind = world.chance.choice(("视力", "听力", "言语", "肢体", "智力", "精神", "多重"))
    world.disabilities[child.person.key] = Disability(
        child.person, kind, level or world.chance.randint(1, 4), placement
    )
    return kind


# ---- whom stories suit


def reports(_world: World, child: Child) -> bool:
    """At a school that reports absences."""
    return reports_absences(row_of(child).school)


def missed_three_days(world: World, child: Child) -> bool:
    """At a reporting school, in a school year that is three school days old."""
    return reports(world, child) and school_days(world.last_school_day(), 3)[0] >= year_began(world)


def was_counted(world: World, child: Child) -> bool:
    """At a school whose last headcount will be fresh for some nights."""
    return reports(world, child) and world.headcount_is_fresh(row_of(child).school, nights=5)


def is_beginner(world: World, child: Child) -> bool:
    """Of the age at which late entry is approved."""
    return years_of(child, world.day) <= 7


def could_have_been_deferred(world: World, child: Child) -> bool:
    """A year older than beginners."""
    return years_of(child, world.day) in (7, 8)


def in_junior(_world: World, child: Child) -> bool:
    """In grades 7 to 9."""
    return row_of(child).grade >= 7


def in_grade_nine(world: World, child: Child) -> bool:
    """Due to have left grade 9 last summer or this."""
    return row_of(child).grade == 9 and years_of(child, world.day) == 15


def is_registered(_world: World, child: Child) -> bool:
    """With a row in the population register."""
    return child.registration is not None


# ---- departed


@story(share=0.0004, expects=("departed", "struck_off"), fits=is_registered)
def died(world: World, child: Child) -> None:
    """Struck off as dead; the population extract still shows a live row, the registry may not know either."""
    on = days_ago(world, 5, 200)
    world.strike_off(child.person, "死亡", on)
    if world.chance.random() < 0.5:
        leaves_registry(child, "11", on)


@story(share=0.0004, expects=("departed", "struck_off"), fits=is_registered)
def moved_away(world: World, child: Child) -> None:
    """Struck off as moved out of the region."""
    on = days_ago(world, 5, 200)
    world.strike_off(child.person, "迁出", on)
    leaves_registry(child, "10", on)


@story(share=0.0003, expects=("departed", "struck_off"), fits=is_registered)
def emigrated(world: World, child: Child) -> None:
    """Struck off as settled abroad."""
    world.strike_off(child.person, "出国定居", days_ago(world, 40, 300))
    world.cross(child.person, outward=True, days_ago=world.chance.randint(310, 400))
    child.enrolments.clear()


@story(share=0.0006, expects=("departed", "abroad"))
def went_abroad(world: World, child: Child) -> None:
    """The last crossing, more than 30 days ago, was outward, and no school has the child."""
    world.cross(child.person, outward=True, days_ago=world.chance.randint(400, 500))
    world.cross(child.person, outward=False, days_ago=world.chance.randint(300, 390))
    world.cross(child.person, outward=True, days_ago=world.chance.randint(32, 200))
    if world.chance.random() < 0.5:
        child.enrolments.clear()
    else:
        leaves_registry(child, "10", days_ago(world, 30, 200))


@story(share=0.0005, expects=("departed", "registry_abroad"))
def abroad_says_registry(world: World, child: Child) -> None:
    """The registry says 出国 or 13."""
    leaves_registry(child, world.chance.choice(("出国", "13")), days_ago(world, 30, 300))


# ---- special provision


@story(share=0.0015, expects=("special_provision", "home_teaching"))
def taught_at_home(world: World, child: Child) -> None:
    """送教上门, by the mode of attendance or the placement."""
    row = only(child)
    if world.chance.random() < 0.5:
        row.mode = "送教上门"
    else:
        row.placement = "送教上门"
    row.disability = is_disabled(world, child, "送教上门", 1)
    row.counted = "left_out"


@story(share=0.0025, expects=("special_provision", "special_school"))
def in_special_school(world: World, child: Child) -> None:
    """At the special school."""
    row = only(child)
    row.school, row.placement = world.region.special, "特教学校就读"
    row.disability = is_disabled(world, child, "特教学校")


@story(share=0.0005, expects=("special_provision", "special_class"))
def in_special_class(world: World, child: Child) -> None:
    """In a special class of an ordinary school, known from the registry alone."""
    row = only(child)
    row.placement, row.disability = "普通学校特教班就读", "智力"


@story(share=0.0003, expects=("special_provision", "special_school"))
def placed_by_federation(world: World, child: Child) -> None:
    """The disabled persons' federation knows a special school; the registry has no row."""
    child.enrolments.clear()
    is_disabled(world, child, "特教学校", 1)


@story(share=0.0005, expects=("special_provision", "exempted"))
def exempted(world: World, child: Child) -> None:
    """免学 approved."""
    child.enrolments.clear()
    is_disabled(world, child, level=1)
    world.approve(child, "免学", year_began(world), year_began(world) + dt.timedelta(days=1090))


@story(share=0.0003, expects=("special_provision", "specialised_education"), fits=in_junior)
def in_specialised_education(world: World, child: Child) -> None:
    """In 专门教育 now; the school the child came from leaves it out of the headcount."""
    only(child).counted = "left_out"
    entered = days_ago(world, 20, 200)
    world.programmes[child.person.key].append(Programme(child.person, "专门教育", "严重", entered))


# ---- completed


@story(share=0.0005, expects=("completed", "graduated"), fits=in_grade_nine)
def finished_without_diploma(world: World, child: Child) -> None:
    """08 结业 from grade 9."""
    row = world.registrar.graduation(child.person, 9, status="08")
    row.number = only(child).number
    child.enrolments[:] = [row]


# ---- on leave


@story(share=0.0012, expects=("on_leave", "leave_approved"))
def on_approved_leave(world: World, child: Child) -> None:
    """02 with an approval that covers the day; the headcount leaves the child out and it does not matter."""
    row = suspends(world, child, reporting=True)
    assert row.status_on is not None
    world.approve(child, "休学", row.status_on, row.status_on + dt.timedelta(days=360))


@story(share=0.0005, expects=("on_leave", "leave_approved"))
def on_leave_by_approval_alone(world: World, child: Child) -> None:
    """The approval is there, the registry still says 01."""
    only(child).counted = "left_out"
    world.approve(child, "休学", days_ago(world, 5, 60), world.day + dt.timedelta(days=200))


@story(share=0.0002, expects=("on_leave", "leave_approved"))
def leave_about_to_end(world: World, child: Child) -> None:
    """An approval that ends tomorrow: `leave_expired` from the night after."""
    suspends(world, child, reporting=False)
    world.approve(child, "休学", days_ago(world, 100, 150), world.day + dt.timedelta(days=1))


# ---- suspected, with a live enrolment


@story(share=0.002, expects=("suspected", "absent"), fits=missed_three_days)
def stays_away(world: World, child: Child) -> None:
    """Absent without excuse for at least three school days up to the last one."""
    row = only(child)
    last = world.last_school_day()
    away = min(world.chance.randint(3, 12), len(school_days_from(year_began(world), last)))
    row.absent_since = school_days(last, away)[0]
    counted = row.school.counted_on
    if counted is not None and counted >= row.absent_since:
        row.counted = "not_present"


@story(share=0.001, expects=("suspected", "long_leave"), fits=missed_three_days)
def on_long_leave(world: World, child: Child) -> None:
    """On sick or other leave of 30 days or more."""
    row = only(child)
    last = world.last_school_day()
    first = max(year_began(world), last - dt.timedelta(days=world.chance.randint(2, 15)))
    until = max(first + dt.timedelta(days=45), world.day + dt.timedelta(days=20))
    row.leave = Leave(world.chance.choice(("病假", "事假")), first, until)


@story(share=0.001, expects=("suspected", "not_in_headcount"), fits=was_counted)
def not_there_when_counted(_world: World, child: Child) -> None:
    """The headcount lists the child as not present."""
    only(child).counted = "not_present"


@story(share=0.0006, expects=("suspected", "not_in_headcount"), fits=was_counted)
def left_out_when_counted(_world: World, child: Child) -> None:
    """The headcount does not list the child."""
    only(child).counted = "left_out"


@story(share=0.0003, expects=("suspected", "not_in_headcount"), fits=was_counted)
def abroad_with_a_seat_at_school(world: World, child: Child) -> None:
    """Abroad for long, but enrolled and not present: no departure as long as a school claims the child."""
    only(child).counted = "not_present"
    world.cross(child.person, outward=True, days_ago=world.chance.randint(40, 100))


@story(share=0.0004, expects=("suspected", "leave_not_approved"))
def on_leave_without_approval(world: World, child: Child) -> None:
    """02 and nobody approved it."""
    suspends(world, child, reporting=False)


@story(share=0.0004, expects=("suspected", "leave_expired"))
def on_leave_past_its_end(world: World, child: Child) -> None:
    """02 and the approval is over."""
    suspends(world, child, reporting=False)
    last = days_ago(world, 3, 60)
    world.approve(child, "休学", last - dt.timedelta(days=180), last)


# ---- suspected, with dead rows only


@story(share=0.0008, expects=("suspected", "primary_graduate_not_in_junior"), fits=in_junior)
def did_not_go_on(world: World, child: Child) -> None:
    """Graduated from grade 6, and no junior middle school has the child."""
    row = only(child)
    graduation = world.registrar.graduation(child.person, 6, years_ago=row.grade - 7)
    graduation.number = row.number
    child.enrolments[:] = [graduation]


@story(share=0.0012, expects=("suspected", "transferred_out_not_arrived"))
def never_arrived(world: World, child: Child) -> None:
    """Transferred out, arrived nowhere."""
    leaves_registry(child, "10", days_ago(world, 10, 300))


@story(share=0.0003, expects=("suspected", "transferred_out_not_arrived"))
def abroad_since_last_week(world: World, child: Child) -> None:
    """Transferred out and across the border, but not for 30 days yet."""
    leaves_registry(child, "10", days_ago(world, 13, 40))
    world.cross(child.person, outward=True, days_ago=world.chance.randint(5, 12))


@story(share=0.0014, expects=("suspected", "registry_says_left"))
def left_school(world: World, child: Child) -> None:
    """Any other dead status."""
    status = world.chance.choice(("03", "06", "09", "14", "15", "99", "辍学", "其他离校"))
    leaves_registry(child, status, days_ago(world, 10, 300))


# ---- needs review


@story(share=0.0003, expects=("needs_review", "registry_says_dead"))
def dead_says_registry(world: World, child: Child) -> None:
    """The registry says 11 dead, the population register says alive."""
    leaves_registry(child, "11", days_ago(world, 10, 300))


# ---- deferred


@story(share=0.0012, expects=("deferred", "deferral_approved"), fits=is_beginner)
def starts_later(world: World, child: Child) -> None:
    """延缓入学 approved and in term."""
    child.enrolments.clear()
    world.approve(child, "延缓入学", year_began(world), dt.date(world.registrar.year + 1, 8, 31))


@story(share=0.0002, expects=("deferred", "deferral_approved"), fits=is_beginner)
def deferral_about_to_end(world: World, child: Child) -> None:
    """A deferral that ends tomorrow: `deferral_expired` from the night after."""
    child.enrolments.clear()
    world.approve(child, "延缓入学", days_ago(world, 200, 300), world.day + dt.timedelta(days=1))


@story(share=0.0005, expects=("unenrolled", "deferral_expired"), fits=could_have_been_deferred)
def deferral_ended(world: World, child: Child) -> None:
    """The deferral ended with last school year, and nobody enrolled the child."""
    child.enrolments.clear()
    world.approve(child, "延缓入学", dt.date(world.registrar.year - 1, 9, 1), dt.date(world.registrar.year, 8, 31))


# ---- enrolled elsewhere


@story(share=0.006, expects=("enrolled_elsewhere", "elsewhere_evidence"))
def studies_elsewhere(world: World, child: Child) -> None:
    """Shown to study outside the area, without a row here."""
    child.enrolments.clear()
    world.study_elsewhere(child, day_between(world.chance, year_began(world), world.day))


@story(share=0.002, expects=("enrolled_elsewhere", "elsewhere_evidence"))
def transferred_and_found(world: World, child: Child) -> None:
    """Transferred out, and found where it went."""
    leaves_registry(child, "10", days_ago(world, 10, 300))
    world.study_elsewhere(child, day_between(world.chance, year_began(world), world.day), row_of(child).number)


@story(share=0.002, expects=("enrolled_elsewhere", "elsewhere_evidence"), fits=is_registered)
def household_gone_and_found(world: World, child: Child) -> None:
    """The whole household has moved away (举家外出), hukou left behind; the schools there have confirmed all children."""
    for member in (child, *_untold_siblings(world, child)):
        member.enrolments.clear()
        world.study_elsewhere(member, day_between(world.chance, year_began(world), world.day))
        _tell(child, member, "household_gone_and_found", ("enrolled_elsewhere", "elsewhere_evidence"))


# ---- unenrolled


@story(share=0.002, expects=("unenrolled", "no_record"))
def never_enrolled(_world: World, child: Child) -> None:
    """No school anywhere has the child."""
    child.enrolments.clear()


@story(share=0.001, expects=("unenrolled", "no_record"), fits=is_registered)
def household_gone(world: World, child: Child) -> None:
    """The whole household has moved away (举家外出), and nobody has asked where."""
    for member in (child, *_untold_siblings(world, child)):
        member.enrolments.clear()
        _tell(child, member, "household_gone", ("unenrolled", "no_record"))


@story(share=0.0005, expects=("unenrolled", "no_record"))
def confirmed_last_year(world: World, child: Child) -> None:
    """The evidence of a school elsewhere ended with last school year."""
    child.enrolments.clear()
    world.study_elsewhere(child, dt.date(world.registrar.year, 3, 1 + world.chance.randrange(28)))


@story(share=0.0002, expects=("unenrolled", "no_record"))
def back_from_abroad(world: World, child: Child) -> None:
    """Was abroad, came back, is in no school."""
    child.enrolments.clear()
    world.cross(child.person, outward=True, days_ago=400)
    world.cross(child.person, outward=False, days_ago=world.chance.randint(20, 60))


@story(share=0.0003, expects=("unenrolled", "no_record"))
def stranger_of_the_same_name(world: World, child: Child) -> None:
    """In no school, and a pupil without an ID number bears the same name and birth date.

    Nobody could tell from the extracts that they are two, so the right answer is a person's to give.
    """
    child.enrolments.clear()
    child.undecidable = True
    household = world.settler.household("unregistered")
    world.add(household)
    other = world.settler.child(household, child.person.birth, child.person.identity.sex)
    other.identity.name = child.person.identity.name
    other.notes = ("homonym",)
    household.members.append(other)
    row = world.registrar.enrol(other, min(9, years_of(child, world.day) - 5))
    row.number = world.registrar.substitute_number("J", row.school, other.birth)
    row.seen = other.identity.but("id_missing", id_number="")
    row.id_type, row.guardians_known = "Z", False
    world.other_enrolments.append(row)


def _untold_siblings(world: World, child: Child) -> list[Child]:
    siblings = (sibling for sibling in world.siblings(child) if not sibling.stories)
    return [s for s in siblings if s.enrolment is not None and s.enrolment.is_live and s.enrolment.grade <= 9]


def _tell(child: Child, member: Child, name: str, expects: tuple[str, str]) -> None:
    """Note the story for brothers and sisters; the one it was cast for is noted by `story.cast`."""
    if member is not child:
        member.stories.append(name)
        member.stated = expects
