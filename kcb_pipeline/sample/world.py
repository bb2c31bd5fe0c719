"""The whole made-up world on one day: who lives here, what every office holds about them, and how to add to it.

What belongs here: the state, and the few operations by which stories and days change it. Nothing here goes wrong by
itself.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from kcb_pipeline.sample.chance import Chance, day_between, stream
from kcb_pipeline.sample.households import Settler, settle
from kcb_pipeline.sample.people import (
    Approval,
    Child,
    Crossing,
    Deregistration,
    Disability,
    Elsewhere,
    Enrolment,
    Household,
    Permit,
    Person,
    Programme,
    Registration,
    ShortAbsence,
)
from kcb_pipeline.sample.places import OUTSIDE, Region, School, Village, build_region
from kcb_pipeline.sample.school_days import age, cutoff, is_eligible, is_school_day, last_school_day, school_days
from kcb_pipeline.sample.schooling import Registrar

STALE_DAYS: Final = 45
"""How old the last headcount of the stale school is."""
WINDOW: Final = 20
"""How many school days back the absences reach."""


@dataclass(eq=False)
class World:
    """Everybody and everything known about them on `day`."""

    seed: int
    day: dt.date
    region: Region
    settler: Settler
    registrar: Registrar
    chance: Chance
    households: list[Household] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    child_of: dict[int, Child] = field(default_factory=dict)
    """The child of the ledger behind a person's key."""
    registrations: list[Registration] = field(default_factory=list)
    permits: list[Permit] = field(default_factory=list)
    other_enrolments: list[Enrolment] = field(default_factory=list)
    """Registry rows of people who are no children of the ledger."""
    deregistrations: dict[int, list[Deregistration]] = field(default_factory=lambda: defaultdict(list))
    crossings: dict[int, list[Crossing]] = field(default_factory=lambda: defaultdict(list))
    approvals: dict[int, list[Approval]] = field(default_factory=lambda: defaultdict(list))
    elsewhere: dict[int, list[Elsewhere]] = field(default_factory=lambda: defaultdict(list))
    programmes: dict[int, list[Programme]] = field(default_factory=lambda: defaultdict(list))
    disabilities: dict[int, Disability] = field(default_factory=dict)
    short_absences: list[ShortAbsence] = field(default_factory=list)
    known: set[int] = field(default_factory=set)
    """Keys of the children of earlier nights."""
    _serials: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def serial(self, what: str) -> int:
        """The next number of a kind of document, from 1."""
        self._serials[what] += 1
        return self._serials[what]

    def enrolments(self) -> Iterator[Enrolment]:
        """All rows of the student registry."""
        for child in self.children:
            yield from child.enrolments
        yield from self.other_enrolments

    # ---- adding rows to registers

    def register(self, person: Person, *, village: Village | None = None) -> Registration:
        """A row in the population register."""
        row = Registration(
            person=person,
            seen=person.identity,
            village=village or person.household.village,
            updated_on=day_between(self.chance, max(person.birth, dt.date(2014, 1, 1)), self.day),
        )
        if person.died_on is not None:
            row.person_state, row.updated_on = "1", person.died_on
        self.registrations.append(row)
        return row

    def permit(self, person: Person, *, village: Village | None = None) -> Permit:
        """A row in the residents' register."""
        first = max(person.birth, self.day - dt.timedelta(days=1800))
        row = Permit(
            person=person,
            seen=person.identity,
            village=village or person.household.village,
            home=person.household.home,
            number="",
            arrived_on=day_between(self.chance, first, self.day - dt.timedelta(days=1)),
        )
        row.number = f"{row.village.township.county.code}000000{row.arrived_on.year}{self.serial('permit'):06d}"
        self.permits.append(row)
        return row

    def add(self, household: Household) -> list[Child]:
        """Enter a household in the registers; gives the children who count."""
        self.households.append(household)
        added: list[Child] = []
        for person in household.members:
            added += self.add_person(person)
        return added

    def add_person(self, person: Person) -> list[Child]:
        """Enter one person in the registers."""
        kind = person.household.kind
        registration = permit = None
        if kind in ("registered", "moved_out"):
            registration = self.register(person)
            if kind == "moved_out" and person.died_on is None:
                registration.person_state = "2"
                registration.moved_out_on = registration.updated_on = person.household.moved_out_on or self.day
        elif kind == "resident" and (person.role != "grandparent" or self.chance.random() < 0.5):
            permit = self.permit(person)
        rows = self.registrar.default_rows(person) if person.role == "child" else []
        counted = person.role == "child" and kind in ("registered", "resident") and is_eligible(person.birth, self.day)
        if not counted:
            if kind == "moved_out" and self.chance.random() < 0.5:
                rows = []
            self.other_enrolments += rows
            return []
        child = Child(person, registration, permit, rows)
        self.children.append(child)
        self.child_of[person.key] = child
        return [child]

    def siblings(self, child: Child) -> list[Child]:
        """The other children of the ledger in the household."""
        found = (self.child_of.get(member.key) for member in child.person.household.members)
        return [sibling for sibling in found if sibling is not None and sibling is not child]

    # ---- documents

    def approve(self, child: Child, kind: str, first: dt.date, last: dt.date) -> None:
        """An approval of late entry (延缓入学), suspension (休学) or exemption (免学)."""
        enrolment = child.enrolment
        word = {"延缓入学": "缓", "休学": "休", "免学": "免"}[kind]
        number = f"教{word}〔{first.year}〕{self.serial('approval')}号"
        student_number = enrolment.number if enrolment is not None and self.chance.random() < 0.6 else ""
        self.approvals[child.person.key].append(Approval(child.person, kind, first, last, number, student_number))

    def cross(self, person: Person, *, outward: bool, days_ago: int) -> None:
        """A border crossing."""
        destination = self.chance.choice(("泰国", "越南", "老挝", "缅甸", "马来西亚", "新加坡"))
        document = f"E{90000000 + self.serial('passport'):08d}"
        on = self.day - dt.timedelta(days=days_ago)
        self.crossings[person.key].append(
            Crossing(person, outward, on, document, destination, with_id=self.chance.random() < 0.4)
        )

    def strike_off(
        self, person: Person, kind: str, on: dt.date, *, reversal: str = "0", number: str = "", kept: str = ""
    ) -> None:
        """A striking-off from the population register, under the person's number unless another is named."""
        row = Deregistration(person, number or person.identity.id_number, kind, on, reversal, kept)
        self.deregistrations[person.key].append(row)

    def study_elsewhere(self, child: Child, confirmed_on: dt.date, student_number: str = "") -> None:
        """Evidence that a child studies outside the area."""
        code, name = self.chance.choice(OUTSIDE)
        evidence = self.chance.choice(("就读证明", "学籍截图", "电话核实", "函调回复"))
        with_id = self.chance.random() < 0.85
        self.elsewhere[child.person.key].append(
            Elsewhere(child.person, f"{name}第{1 + self.chance.randrange(9)}小学", code, confirmed_on, evidence,
                      student_number, with_id)
        )  # fmt: skip

    # ---- attendance

    def last_school_day(self) -> dt.date:
        """The last day on which schools could report."""
        return last_school_day(self.day)

    def count_heads(self) -> None:
        """Each reporting school counts once a week, on its own weekday (or the last school day before it)."""
        year_began = dt.date(self.registrar.year, 9, 1)
        counted_anew: set[str] = set()
        for school in self.region.schools:
            if not school.reports:
                continue
            back = (self.day.weekday() - school.style % 5) % 7
            wanted = self.day - dt.timedelta(days=STALE_DAYS if school.stale else back)
            counted = last_school_day(wanted)
            if counted >= year_began and (school.counted_on is None or counted > school.counted_on):
                school.counted_on = counted
                counted_anew.add(school.code)
        for row in self.enrolments():
            since, school = row.absent_since, row.school
            if (
                since is not None
                and school.code in counted_anew
                and school.counted_on is not None
                and since <= school.counted_on
            ):
                row.counted = "not_present"

    def recount(self, school: School) -> None:
        """A headcount taken today because somebody came or came back."""
        if school.reports and not school.stale and is_school_day(self.day):
            school.counted_on = self.day

    def headcount_is_fresh(self, school: School, *, nights: int = 0) -> bool:
        """Whether the last headcount of a school still says something, `nights` from now too."""
        return school.counted_on is not None and (self.day - school.counted_on).days + nights <= 30

    def miss_days(self, days: tuple[dt.date, ...]) -> None:
        """Short absences on these days, so that every reporting school is seen to have reported on each of them.

        Unexcused ones fall on every other day only: three in a row would mean something. Pupils with a story are left
        alone, unless a small school has no others.
        """
        chance = stream(self.seed, "short absences", days[0])
        ordinary: dict[str, list[Enrolment]] = defaultdict(list)
        others: dict[str, list[Enrolment]] = defaultdict(list)
        for row in self.enrolments():
            if row.is_live and reports_absences(row.school):
                child = self.child_of.get(row.person.key)
                pupils = others if child is not None and child.stories else ordinary
                pupils[row.school.code].append(row)
        for school in self.region.schools:
            if ordinary[school.code]:
                for day in days:
                    self._miss(chance, ordinary[school.code], day)
                continue
            for row in [row for row in others[school.code] if row.absent_since is None and row.leave is None][:1]:
                self.short_absences += [
                    ShortAbsence(row, day, "病假")
                    for day in days
                    if row.was_absent is None or not row.was_absent[0] <= day <= row.was_absent[1]
                ]

    def _miss(self, chance: Chance, pupils: list[Enrolment], day: dt.date) -> None:
        missing = 1 + int(len(pupils) * 0.006 + chance.random())
        for place in {int(chance.random() * len(pupils)): None for _ in range(missing)}:
            draw = chance.random()
            unexcused = draw > 0.85 and day.toordinal() % 2 == 0
            kind = "病假" if draw < 0.5 else "事假" if draw < 0.8 else "无故" if unexcused else "其他"
            self.short_absences.append(ShortAbsence(pupils[place], day, kind))


def reports_absences(school: School) -> bool:
    """Whether a school sends absences."""
    return school.reports and not school.stale


def build(*, children: int, seed: int, day: dt.date) -> World:
    """A world in which all is well: everybody registered, every child in school."""
    region = build_region()
    settler = Settler(stream(seed, "households"), region, day)
    registrar = Registrar(stream(seed, "schooling"), region, day)
    world = World(seed, day, region, settler, registrar, stream(seed, "registers"))
    households = settle(settler, stream(seed, "settlement"), day, children)
    _homonyms(settler, stream(seed, "homonyms"), households, day, max(2, children // 2500))
    for household in households:
        world.add(household)
    world.count_heads()
    _old_papers(world, stream(seed, "old papers"))
    return world


def start_attendance(world: World) -> None:
    """The absences of the last weeks, once it is settled who goes where."""
    world.miss_days(school_days(world.last_school_day(), WINDOW))


def _homonyms(settler: Settler, chance: Chance, households: list[Household], day: dt.date, pairs: int) -> None:
    """Children of different counties with the same name, sex and birth date, and nothing else in common."""
    only: dict[str, Person] = {}
    shuffled = [h for h in households if h.kind == "registered"]
    chance.shuffle(shuffled)
    for household in shuffled:
        children = [member for member in household.members if member.role == "child"]
        if len(children) != 1 or not is_eligible(children[0].birth, day) or not children[0].family:
            continue
        child = children[0]
        other = only.get(child.family)
        if other is None:
            only[child.family] = child
        elif other.household.village.township.county is not household.village.township.county:
            parents = [parent for parent in (child.father, child.mother) if parent is not None]
            if any(age(parent.birth, other.birth) < 18 for parent in parents):
                continue
            settler.same_name(child, other)
            child.notes, other.notes = ("homonym",), ("homonym",)
            del only[child.family]
            pairs -= 1
            if not pairs:
                return


def _old_papers(world: World, chance: Chance) -> None:
    """Documents about people of any age that change nothing for the children of the ledger."""
    for person in (member for household in world.households for member in household.members):
        if person.died_on is not None and person.household.kind == "registered":
            world.strike_off(person, "死亡", person.died_on)
        elif person.household.moved_out_on is not None and chance.random() < 0.8:
            world.strike_off(person, "迁出", person.household.moved_out_on)
        draw = chance.random()
        if person.role in ("father", "mother") and draw < 0.01:
            world.cross(person, outward=True, days_ago=200 + int(draw * 10000))
            if draw < 0.007:
                world.cross(person, outward=False, days_ago=100 + int(draw * 10000))
        elif person.role == "grandparent" and draw < 0.03:
            kind = chance.choice(("视力", "听力", "言语", "肢体", "智力", "精神", "多重"))
            world.disabilities[person.key] = Disability(person, kind, 1 + chance.randrange(4))


def years_of(child: Child, day: dt.date) -> int:
    """The age of a child that counts this school year."""
    return age(child.person.birth, cutoff(day))
