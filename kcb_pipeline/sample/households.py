"""Who lives together: parents, grandparents and children, their names, ages and addresses.

What belongs here: people as they are before anything happens to them. Schooling, migration's paperwork and mistakes come
later, in `schooling`, `world` and the stories.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from kcb_pipeline.sample.chance import Chance, Weighted, day_between
from kcb_pipeline.sample.names import HAN, LISU, TIBETAN, UYGHUR, Name, make_name, pick_ethnicity, pick_generation
from kcb_pipeline.sample.people import Household, HouseholdKind, Identity, IdNumbers, Person
from kcb_pipeline.sample.places import OUTSIDE, Region
from kcb_pipeline.sample.school_days import is_eligible
from kcb_pipeline.sample.spellings import sound_alike

_YEAR: Final = 365.2425
_CHILDREN: Final = Weighted([1, 2, 3, 4], [34, 48, 15, 3])
_POVERTY: Final = Weighted(["", "脱贫户", "监测户", "低保", "特困", "一般"], [84, 7, 2, 3, 0.5, 3.5])
_AWAY: Final = Weighted([0, 1, 2], [74, 14, 12])
_OUTSIDE: Final = Weighted([code for code, _ in OUTSIDE], [4, 4, 3, 2, 3, 2, 1, 1])
_TWIN_BIRTHS: Final = 0.0075
"""1.5 % of children are twins."""


class Settler:
    """Makes households, one after another."""

    def __init__(self, chance: Chance, region: Region, day: dt.date) -> None:
        self.ids = IdNumbers()
        self._chance = chance
        self._region = region
        self._day = day
        self._people = 0
        self._households = 0
        self._villages = [village for township in region.townships for village in township.villages]

    def household(self, kind: HouseholdKind) -> Household:
        """A new household with everybody in it."""
        chance = self._chance
        village = self._villages[int(chance.random() * len(self._villages))]
        county = village.township.county
        self._households += 1
        household = Household(
            number=f"{county.code}{self._households:08d}",
            kind=kind,
            village=village,
            address=f"{village.township.name}{village.name}{1 + int(chance.random() * 12)}组"
            f"{1 + int(chance.random() * 180)}号",
            home=county.code if kind in ("registered", "moved_out") else _OUTSIDE.pick(chance),
            # 101 is no operator's prefix: nobody answers these numbers.
            phone=f"101{int(chance.random() * 10**8):08d}",
            parents_away=_AWAY.pick(chance) if kind == "registered" else 0,
            poverty=_POVERTY.pick(chance) if kind == "registered" else "",
        )
        births = self._births()
        ethnicity = pick_ethnicity(chance)
        father, mother = self._parents(household, births[0], ethnicity)
        for person in (*self._grandparents(household, father), father, mother):
            if person is not None:
                household.members.append(person)
        self._children(household, births, father, mother)
        return household

    def child(self, household: Household, birth: dt.date, sex: str) -> Person:
        """One more child of an existing household."""
        siblings = [member for member in household.members if member.role == "child"]
        father, mother = siblings[0].father, siblings[0].mother
        parent = father or mother
        assert parent is not None
        name = make_name(self._chance, parent.ethnicity, sex, birth.year, parent.as_named)
        return self._person(household, "child", name, sex, birth, parent.ethnicity, father, mother)

    def same_name(self, child: Person, other: Person) -> None:
        """Give `child` the name, sex and birth date of `other`, and an ID number of its own to fit."""
        seen = other.identity
        number = self.ids.issue(self._chance, child.identity.id_number[:6], seen.birth, seen.sex)
        identity = child.identity
        identity.name, identity.sex, identity.birth, identity.id_number = seen.name, seen.sex, seen.birth, number
        child.family = other.family

    def _person(
        self,
        household: Household,
        role: str,
        name: Name,
        sex: str,
        birth: dt.date,
        ethnicity: str,
        father: Person | None = None,
        mother: Person | None = None,
    ) -> Person:
        self._people += 1
        chance = self._chance
        # A number keeps the division of first registration: some people came from elsewhere.
        division = household.home if chance.random() < 0.97 else _OUTSIDE.pick(chance)
        number = self.ids.issue(chance, division, birth, sex)
        return Person(
            self._people,
            Identity(number, name.full, sex, birth),
            name.family,
            ethnicity,
            household,
            role,
            father,
            mother,
        )

    def _births(self) -> list[dt.date]:
        """Birth dates of the household's children, eldest first; at least one."""
        chance = self._chance
        number = _CHILDREN.pick(chance)
        place = int(chance.random() * number)
        ordinal = self._day.toordinal() - int((3.5 + chance.random() * 14) * _YEAR)
        before, after = ordinal, ordinal
        births = [ordinal]
        for _ in range(place):
            before -= int((1.2 + chance.random() * 4) * _YEAR)
            births.insert(0, before)
        for _ in range(number - place - 1):
            after += int((1.2 + chance.random() * 4) * _YEAR)
            births.append(after)
        today = self._day.toordinal()
        return [dt.date.fromordinal(birth) for birth in births if birth < today - 20]

    def _parents(
        self, household: Household, first_birth: dt.date, ethnicity: str
    ) -> tuple[Person | None, Person | None]:
        chance = self._chance
        draw = chance.random()
        father = mother = None
        mother_birth = first_birth.toordinal() - int((20 + chance.random() * 12) * _YEAR)
        if draw > 0.02:
            birth = dt.date.fromordinal(mother_birth - int((chance.random() * 8 - 1.5) * _YEAR))
            name = make_name(chance, ethnicity, "1", birth.year)
            father = self._person(household, "father", name, "1", birth, ethnicity)
        if father is None or draw < 0.95:
            birth = dt.date.fromordinal(mother_birth)
            own = ethnicity if father is None or chance.random() < 0.85 else HAN
            name = make_name(chance, own, "2", birth.year)
            mother = self._person(household, "mother", name, "2", birth, own)
        return father, mother

    def _grandparents(self, household: Household, father: Person | None) -> list[Person]:
        """The father's parents, where they live with the family."""
        chance = self._chance
        grandparents: list[Person] = []
        if father is None or chance.random() > 0.5:
            return grandparents
        birth = father.birth.toordinal() - int((22 + chance.random() * 9) * _YEAR)
        draw = chance.random()
        if draw < 0.75:
            born = dt.date.fromordinal(birth)
            own = Name(father.family, "") if father.ethnicity not in (UYGHUR, TIBETAN, LISU) else None
            name = make_name(chance, father.ethnicity, "1", born.year, own)
            grandparents.append(self._person(household, "grandparent", name, "1", born, father.ethnicity))
        if draw > 0.25:
            born = dt.date.fromordinal(birth + int(chance.random() * 4 * _YEAR))
            name = make_name(chance, father.ethnicity, "2", born.year)
            grandparents.append(self._person(household, "grandparent", name, "2", born, father.ethnicity))
        for person in grandparents:
            if chance.random() < 0.03:
                person.died_on = day_between(chance, self._day - dt.timedelta(days=1500), self._day)
        return grandparents

    def _children(
        self, household: Household, births: list[dt.date], father: Person | None, mother: Person | None
    ) -> None:
        chance = self._chance
        parent = father or mother
        assert parent is not None
        generation: dict[str, str] = {}
        taken: set[str] = set()
        for birth in births:
            sex = "1" if chance.random() < 0.52 else "2"
            if sex not in generation:
                shares = chance.random() < 0.3
                generation[sex] = pick_generation(chance, sex, birth.year) if shares else ""
            name = self._new_name(parent, sex, birth, generation[sex], taken)
            child = self._person(household, "child", name, sex, birth, parent.ethnicity, father, mother)
            household.members.append(child)
            if chance.random() < _TWIN_BIRTHS:
                twin = self._twin(household, child, taken)
                household.members.append(twin)
                child.notes, twin.notes = ("twin",), ("twin",)

    def _new_name(self, parent: Person, sex: str, birth: dt.date, generation: str, taken: set[str]) -> Name:
        """A name no brother or sister has."""
        while True:
            name = make_name(self._chance, parent.ethnicity, sex, birth.year, parent.as_named, generation)
            if name.full not in taken:
                taken.add(name.full)
                return name
            generation = ""

    def _twin(self, household: Household, child: Person, taken: set[str]) -> Person:
        """Born the same day, more often than not of the same sex, and named alike."""
        chance = self._chance
        seen = child.identity
        sex = seen.sex if chance.random() < 0.65 else str(3 - int(seen.sex))
        own = seen.name[len(child.family) :]
        alike = sound_alike(chance, own) if sex == seen.sex and child.family and chance.random() < 0.5 else None
        parent = child.father or child.mother
        assert parent is not None
        if alike and child.family + alike not in taken:
            name = Name(child.family, child.family + alike)
            taken.add(name.full)
        else:
            name = self._new_name(parent, sex, seen.birth, own[0] if child.family and len(own) == 2 else "", taken)
        return self._person(household, "child", name, sex, seen.birth, child.ethnicity, child.father, child.mother)


def settle(settler: Settler, chance: Chance, day: dt.date, children: int) -> list[Household]:
    """Households with exactly `children` children of school age who count: registered here or holding a permit."""
    households: list[Household] = []
    missing = children
    while missing:
        household = settler.household("registered" if chance.random() < 0.93 else "resident")
        of_age = [p for p in household.members if p.role == "child" and is_eligible(p.birth, day)]
        for surplus in of_age[missing:]:
            household.members.remove(surplus)
        missing -= min(missing, len(of_age))
        households.append(household)
    households += [settler.household("unregistered") for _ in range(round(children * 0.012))]
    for _ in range(round(children * 0.005)):
        household = settler.household("moved_out")
        household.moved_out_on = day_between(chance, day - dt.timedelta(days=900), day - dt.timedelta(days=30))
        households.append(household)
    return households
