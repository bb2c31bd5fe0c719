"""Who goes to which school in which grade, and the student numbers.

What belongs here: schooling as it should be. What goes wrong with it is told by the stories.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

from kcb_pipeline.identity.id_number import check_digit
from kcb_pipeline.sample.chance import Chance, Weighted
from kcb_pipeline.sample.people import Enrolment, Person
from kcb_pipeline.sample.places import Region, School, Village, school_for
from kcb_pipeline.sample.school_days import age, cutoff, school_year

_BEGAN_AT_SEVEN: Final = {
    6: 0.0, 7: 0.02, 8: 0.03, 9: 0.03, 10: 0.04, 11: 0.05, 12: 0.08, 13: 0.2, 14: 0.45, 15: 0.75, 16: 0.8, 17: 0.8, 18: 0.8
}  # fmt: skip
"""How many of an age are a grade behind it: older cohorts still began school at seven."""
_STAGES: Final = ((10, 12), (7, 9), (1, 6))
_BOARDERS: Final = {10: 0.85, 7: 0.45, 1: 0.06}
"""Shares of boarders, by the first grade of the stage."""


def stage_of(grade: int) -> int:
    """The first grade of the school stage a grade belongs to."""
    return next(first for first, last in _STAGES if first <= grade <= last)


class Registrar:
    """Keeps the student registry as it should be."""

    def __init__(self, chance: Chance, region: Region, day: dt.date) -> None:
        self._chance = chance
        self._region = region
        self._numbers: set[str] = set()
        self.year = school_year(day)
        self._cutoff = cutoff(day)

    def begin_year(self, day: dt.date) -> None:
        """From this day on it is another school year."""
        self.year, self._cutoff = school_year(day), cutoff(day)

    def grade_of(self, person: Person) -> int:
        """The grade somebody is in, or would be, this school year; below 1 before school."""
        years = age(person.birth, self._cutoff)
        behind = self._chance.random() < _BEGAN_AT_SEVEN.get(years, 0.0)
        return years - 5 - behind

    def enrol(
        self,
        person: Person,
        grade: int,
        school: School | None = None,
        *,
        number: str = "",
        status: str = "01",
        status_on: dt.date | None = None,
    ) -> Enrolment:
        """A registry row for a grade, at the school of the village unless another is named."""
        chance = self._chance
        if school is None:
            school = school_for(self._home_village(person), grade, int(person.household.number[-2:]))
        first = stage_of(grade)
        return Enrolment(
            person=person,
            seen=person.identity,
            number=number or self.formal_number(person),
            school=school,
            grade=grade,
            class_number=1 + int(chance.random() * 4),
            began=dt.date(self.year - (grade - first), 9, 1),
            status=status,
            status_on=status_on,
            mode="2" if chance.random() < _BOARDERS[first] else "1",
            home=person.household.home,
            guardians_known=chance.random() < 0.92,
        )

    def graduation(self, person: Person, grade: int, years_ago: int = 0, status: str = "07") -> Enrolment:
        """The dead row of somebody who left grade 6 or 9 at its end."""
        day = dt.date(self.year - years_ago, 7, 5 + int(self._chance.random() * 20))
        row = self.enrol(person, grade, status=status, status_on=day)
        row.began = dt.date(self.year - years_ago - (grade - stage_of(grade)) - 1, 9, 1)
        return row

    def formal_number(self, person: Person) -> str:
        """The number for life: G and the ID number."""
        return f"G{person.identity.id_number}"

    def substitute_number(self, letter: str, school: School, birth: dt.date) -> str:
        """A J or L number: it imitates an ID number, and is none."""
        while True:
            first17 = f"{school.division}{birth.year}{birth.month:02d}{birth.day:02d}{self._chance.randrange(1000):03d}"
            last = check_digit(first17) if letter == "J" else str(self._chance.randrange(10))
            number = f"{letter}{first17}{last}"
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def _home_village(self, person: Person) -> Village:
        """Where the child lives: one in forty registered children with relatives in the next county."""
        village = person.household.village
        if person.household.kind == "registered" and self._chance.random() < 0.025:
            return next_county(self._region, village)
        return village

    def default_rows(self, person: Person) -> list[Enrolment]:
        """The registry rows of somebody with an ordinary life: usually one, none before school age."""
        chance = self._chance
        grade = self.grade_of(person)
        if grade < 1:
            early = grade == 0 and chance.random() < 0.005
            return [self.enrol(person, 1)] if early else []
        if grade <= 9:
            rows = [self.enrol(person, grade)]
            if grade >= 7 and chance.random() < 0.1:  # some primary schools keep the row of their graduates
                rows.append(self.graduation(person, 6, years_ago=grade - 7))
            return rows
        goes_on = _GOES_ON.pick(chance) if grade <= 12 else False
        if goes_on:
            return [self.enrol(person, grade)]
        return [self.graduation(person, 9, years_ago=grade - 10)] if grade <= 12 else []


_GOES_ON: Final = Weighted([True, False], [70, 30])


def next_county(region: Region, village: Village) -> Village:
    """A village of the next county, always the same for one village."""
    county = village.township.county
    other = region.counties[(region.counties.index(county) + 1) % len(region.counties)]
    return other.townships[int(village.code[-1]) % len(other.townships)].villages[-1]


def another_school(region: Region, row: Enrolment) -> School:
    """A school in the next county that takes the same grade; one outside the region for who is there already."""
    school = school_for(next_county(region, row.person.household.village), row.grade, 0)
    return school if school is not row.school else region.outside[0]
