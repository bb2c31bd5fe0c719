"""What each source says on the world's day, row by row, with the person or row behind every line.

What belongs here: one function a source, from the world's records to cells in the contract's column order. Which file a
line goes to, and in what encoding, is `layout`; damage is done before (`damage`) and after (`dirt`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from kcb_pipeline.sample.forms import (
    DATE_FORMS,
    DISABILITY_LEVEL,
    GRADE_FORMS,
    ID_TYPE,
    LEFT_BEHIND,
    MODE,
    REGISTRY_STATUS,
    SEX,
    DateForm,
    chinese,
    compact,
    dashed,
    dotted,
    milliseconds,
    month,
    slashed,
)
from kcb_pipeline.sample.names import ETHNICITIES
from kcb_pipeline.sample.people import Enrolment, Identity, Permit, Person, Registration
from kcb_pipeline.sample.places import COUNTIES, School
from kcb_pipeline.sample.school_days import age, last_school_day, school_days, school_days_from
from kcb_pipeline.sample.world import WINDOW, World, reports_absences

About = Registration | Permit | Enrolment | None


class Line(NamedTuple):
    """A data row before it is written."""

    cells: list[str]
    about: About = None
    """The record the row shows, where the truth needs to find it again."""
    file: str = ""
    """Which file of the source it belongs to."""
    rule: str = ""
    """Why it will not land: a rule of quarantine, or `copy` for each of several equal rows."""


_COUNTY_PLACE: Final = {code: place for place, (code, _) in enumerate(COUNTIES)}


def _birth(seen: Identity, form: DateForm) -> str:
    return seen.birth_text or form(seen.birth)


def _optional(day: dt.date | None, form: DateForm) -> str:
    return form(day) if day is not None else ""


def _id_of(person: Person | None) -> str:
    return person.identity.id_number if person is not None else ""


def _name_of(person: Person | None) -> str:
    return person.identity.name if person is not None else ""


# ---- population and residents


def _relation(person: Person, head: Person) -> str:
    """GB/T 4761: 02 head, 10 spouse, 20 son, 30 daughter, 40 grandchild, 50 parent."""
    if person is head:
        return "02"
    if head.role == "grandparent":
        if person.role == "child":
            return "40"
        return {"grandparent": "10", "father": "20", "mother": "28"}[person.role]
    if person.role == "child":
        return "20" if person.identity.sex == "1" else "30"
    return "50" if person.role == "grandparent" else "10"


def population(world: World) -> Iterator[Line]:
    """常住人口: everybody registered here, of all ages, with old rows."""
    today = world.day
    for row in world.registrations:
        person, seen, village = row.person, row.seen, row.village
        household, township = person.household, village.township
        county = township.county
        form = dashed if county.code == COUNTIES[2][0] else compact
        minor = age(person.birth, today) < 18
        father, mother = (person.father, person.mother) if minor else (None, None)
        guardian = person.guardian if minor else None
        head = household.head
        cells = [
            seen.id_number,
            seen.name,
            seen.former_name,
            seen.sex,
            _birth(seen, form),
            person.ethnicity,
            household.number,
            _relation(person, head),
            head.identity.name,
            county.code,
            township.code,
            township.name,
            village.code,
            household.address,
            _name_of(father),
            _id_of(father),
            _name_of(mother),
            _id_of(mother),
            _name_of(guardian),
            _id_of(guardian),
            household.phone if guardian is not None else "",
            row.person_state,
            row.record_flag,
            row.reversal_flag,
            _optional(row.moved_out_on, form),
            _optional(person.died_on if row.person_state == "1" else None, form),
            form(row.updated_on),
        ]
        yield Line(cells, row, county.code)


def residents(world: World) -> Iterator[Line]:
    """流动人口: holders of residence permits, with expired permits."""
    for row in world.permits:
        person, seen, village = row.person, row.seen, row.village
        guardian = person.guardian if age(person.birth, world.day) < 18 else None
        cells = [
            seen.id_number,
            seen.name,
            SEX[seen.sex],
            _birth(seen, slashed),
            ETHNICITIES[person.ethnicity].removesuffix("族"),
            row.home,
            village.township.county.code,
            village.township.code,
            village.township.name,
            person.household.address,
            row.number,
            slashed(row.arrived_on),
            _optional(row.cancelled_on, slashed),
            "有效" if row.is_live else "失效",
            _name_of(guardian),
            person.household.phone if guardian is not None else "",
        ]
        yield Line(cells, row)


# ---- the student registry


def _kin(child: Person, guardian: Person) -> str:
    if guardian is child.father:
        return "父亲"
    if guardian is child.mother:
        return "母亲"
    return "祖父" if guardian.identity.sex == "1" else "祖母"


def _guardians(row: Enrolment) -> list[str]:
    person = row.person
    if not row.guardians_known:
        return [""] * 8
    first = person.guardian
    second = next((p for p in (person.father, person.mother) if p is not None and p is not first), None)
    cells: list[str] = []
    for guardian in (first, second):
        if guardian is None:
            cells += ["", "", "", ""]
        else:
            seen = guardian.identity
            phone = person.household.phone if guardian is first else ""
            cells += [seen.name, _kin(person, guardian), seen.id_number, phone]
    return cells


def student_registry(world: World) -> Iterator[Line]:
    """学籍: live and dead rows, written as each school's office does."""
    for row in world.enrolments():
        person, seen, school = row.person, row.seen, row.school
        household = person.household
        place = _COUNTY_PLACE.get(school.division, 0)
        labels = place != 1
        form = DATE_FORMS[school.style % 5]
        away = household.parents_away
        migrant = household.kind != "registered"
        cells = [
            row.number,
            seen.name,
            seen.former_name,
            SEX[seen.sex] if labels else seen.sex,
            _birth(seen, form),
            ETHNICITIES[person.ethnicity] if labels else person.ethnicity,
            ID_TYPE[row.id_type] if labels else row.id_type,
            seen.id_number,
            school.code,
            school.name,
            school.division,
            GRADE_FORMS[school.style % 4][row.grade - 1],
            f"{row.class_number:02d}",
            month(row.began, school.style % 3),
            MODE.get(row.mode, row.mode) if labels else row.mode,
            REGISTRY_STATUS.get(row.status, row.status) if labels else row.status,
            _optional(row.status_on, form),
            row.home,
            f"{household.village.township.county.name}{household.address}",
            LEFT_BEHIND[away] if labels else str(away),
            ("是" if migrant else "否") if labels else str(int(migrant)),
            row.disability,
            row.inclusive,
            row.placement,
            *_guardians(row),
        ]
        yield Line(cells, row)


# ---- attendance


def _present(school: School, counted: str) -> str:
    if school.style % 2:
        return "是" if counted == "present" else "否"
    return "1" if counted == "present" else "0"


def in_school(world: World) -> Iterator[Line]:
    """在校学生: the last headcount of every reporting school, of some the one before as well."""
    year_began = dt.date(world.registrar.year, 9, 1)
    for row in world.enrolments():
        school = row.school
        if not row.is_live or school.counted_on is None:
            continue
        file = school.division
        name = row.person.identity.name
        if row.counted != "left_out":
            present = _present(school, row.counted)
            yield Line([row.number, name, school.code, compact(school.counted_on), present], None, file)
        if school.style % 3 == 0:
            before = last_school_day(school.counted_on - dt.timedelta(days=7))
            was_suspended = row.status == "02" and row.status_on is not None and row.status_on <= before
            if before >= year_began and row.began <= before and not was_suspended:
                yield Line([row.number, name, school.code, compact(before), _present(school, "present")], None, file)


def absences(world: World) -> Iterator[Line]:
    """缺勤: a row a school day missed, of the last weeks."""
    last = world.last_school_day()
    first = school_days(last, WINDOW)[0]
    for short in world.short_absences:
        if short.on >= first:
            yield _absence(short.enrolment, short.on, short.kind)
    for row in world.enrolments():
        if not row.is_live or not reports_absences(row.school):
            continue
        if row.absent_since is not None:
            for day in school_days_from(max(row.absent_since, first), last):
                yield _absence(row, day, "无故")
        if row.was_absent is not None:
            for day in school_days_from(max(row.was_absent[0], first), min(row.was_absent[1], last)):
                yield _absence(row, day, "无故")
        if row.leave is not None:
            leave = row.leave
            for day in school_days_from(max(leave.first, first), min(leave.last, last)):
                yield _absence(row, day, leave.kind, leave.first, leave.last)


def _absence(
    row: Enrolment, day: dt.date, kind: str, first: dt.date | None = None, last: dt.date | None = None
) -> Line:
    cells = [row.number, row.school.code, dashed(day), kind, _optional(first, dashed), _optional(last, dashed)]
    return Line(cells)


# ---- other evidence


def exit_entry(world: World) -> Iterator[Line]:
    """出入境: crossings, most without an ID number."""
    for crossings in world.crossings.values():
        for crossing in crossings:
            seen = crossing.person.identity
            number = seen.id_number if crossing.with_id else ""
            direction = "出" if crossing.outward else "入"
            on = milliseconds(crossing.on)
            document, there = crossing.document, crossing.destination
            yield Line([seen.name, SEX[seen.sex], compact(seen.birth), number, document, direction, on, there])


def deregistrations(world: World) -> Iterator[Line]:
    """户口注销: strikings-off, some undone."""
    for rows in world.deregistrations.values():
        for row in rows:
            seen = row.person.identity
            county = row.person.household.village.township.county.code
            birth, on = chinese(seen.birth), chinese(row.on)
            yield Line([row.id_number, seen.name, birth, row.kind, on, row.reversal_flag, row.kept], None, county)


def poverty_register(world: World) -> Iterator[Line]:
    """脱贫户: the children and the head of poor households."""
    for household in world.households:
        if not household.poverty:
            continue
        for person in household.members:
            if person.died_on is not None or (person.role != "child" and person is not household.head):
                continue
            seen = person.identity
            state, reason = _schooling_of(world, person)
            yield Line([seen.id_number, seen.name, f"P{household.number}", household.poverty, state, reason])


def _schooling_of(world: World, person: Person) -> tuple[str, str]:
    if person.role != "child":
        return "", ""
    child = world.child_of.get(person.key)
    row = child.enrolment if child is not None else None
    if row is not None and row.is_live:
        return ("小学" if row.grade <= 6 else "初中" if row.grade <= 9 else "高中"), ""
    if child is not None:
        return "非在校生", ("因病", "因残", "厌学", "")[person.key % 4]
    return "学龄前儿童" if age(person.birth, world.day) < 6 else "", ""


def disability_register(world: World) -> Iterator[Line]:
    """残疾人: certificates."""
    for key, row in world.disabilities.items():
        seen = row.person.identity
        certificate = f"{seen.id_number}{_DISABILITIES.index(row.kind) + 1}{row.level}"
        level = DISABILITY_LEVEL[row.level - 1] if key % 2 else str(row.level)
        yield Line([seen.id_number, seen.name, certificate, row.kind, level, row.placement])


_DISABILITIES: Final = ("视力", "听力", "言语", "肢体", "智力", "精神", "多重")


def approvals(world: World) -> Iterator[Line]:
    """缓学休学审批: approvals of late entry, suspension and exemption."""
    for rows in world.approvals.values():
        for row in rows:
            seen = row.person.identity
            first, last = dashed(row.first), dashed(row.last)
            yield Line(
                [seen.id_number, row.student_number, seen.name, dashed(seen.birth), row.kind, first, last, row.number]
            )


def elsewhere(world: World) -> Iterator[Line]:
    """外地就读: evidence of schools outside the area."""
    for rows in world.elsewhere.values():
        for row in rows:
            seen = row.person.identity
            number = seen.id_number if row.with_id else ""
            birth, on = dotted(seen.birth), dotted(row.confirmed_on)
            yield Line([number, row.student_number, seen.name, birth, row.school_name, row.division, on, row.evidence])


def support_programmes(world: World) -> Iterator[Line]:
    """五项行动: who is in which programme."""
    for rows in world.programmes.values():
        for row in rows:
            seen = row.person.identity
            left = _optional(row.left_on, dashed)
            passed = "合格" if row.left_on is not None else ""
            yield Line(
                [seen.id_number, seen.name, dashed(seen.birth), row.programme, row.level, dashed(row.entered_on), left,
                 passed, left]
            )  # fmt: skip


def verifications(_world: World) -> Iterator[Line]:
    """核查结果: nothing, for cases have numbers only once the pipeline has opened them."""
    return iter(())


LINES: Final[dict[str, Callable[[World], Iterator[Line]]]] = {
    "population": population,
    "student_registry": student_registry,
    "residents": residents,
    "exit_entry": exit_entry,
    "deregistrations": deregistrations,
    "in_school": in_school,
    "absences": absences,
    "poverty_register": poverty_register,
    "disability_register": disability_register,
    "approvals": approvals,
    "elsewhere": elsewhere,
    "support_programmes": support_programmes,
    "verifications": verifications,
}
"""The thirteen sources."""
