"""The things the made-up world consists of: people, households, rows about them in registers, and evidence.

What belongs here: plain records without behaviour. A row in a register shows an `Identity`: the person's own object where
the register has it right, another one where it has not, so correcting a row is putting the person's own back.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from kcb_pipeline.identity.id_number import check_digit
from kcb_pipeline.sample.chance import Chance
from kcb_pipeline.sample.names import Name
from kcb_pipeline.sample.places import School, Village

HouseholdKind = Literal["registered", "resident", "unregistered", "moved_out"]
Counted = Literal["present", "not_present", "left_out"]

LIVE: Final = frozenset({"01", "02", "04", "05", "12"})
"""Registry statuses of a live enrolment; every other is a dead row."""


@dataclass(slots=True, eq=False)
class Identity:
    """Who somebody is, or who a register believes them to be."""

    id_number: str
    name: str
    sex: str
    birth: dt.date
    former_name: str = ""
    birth_text: str = ""
    """What stands in the register where it holds no date."""
    damage: tuple[str, ...] = ()
    """In which ways it differs from the truth, by name."""

    def but(self, tag: str, **changes: object) -> Identity:
        """A copy with something changed and the kind of change noted."""
        return replace(self, damage=(*self.damage, tag), **changes)  # type: ignore[arg-type]


@dataclass(slots=True, eq=False)
class Household:
    """People under one roof."""

    number: str
    kind: HouseholdKind
    village: Village
    address: str
    home: str
    """The division (6 digits) where the household is registered."""
    phone: str
    members: list[Person] = field(default_factory=list)
    parents_away: int = 0
    """How many parents have gone away to work."""
    poverty: str = ""
    moved_out_on: dt.date | None = None

    @property
    def head(self) -> Person:
        """The head of the household: the first of the living."""
        first = self.members[0]
        return first if first.died_on is None else next((m for m in self.members if m.died_on is None), first)


@dataclass(slots=True, eq=False)
class Person:
    """Somebody, as they truly are."""

    key: int
    identity: Identity
    family: str
    ethnicity: str
    household: Household
    role: str
    father: Person | None = None
    mother: Person | None = None
    died_on: dt.date | None = None
    notes: tuple[str, ...] = ()
    """What makes them hard to tell apart: twin, homonym."""

    @property
    def birth(self) -> dt.date:
        """The true birth date."""
        return self.identity.birth

    @property
    def as_named(self) -> Name:
        """The name as their children take it."""
        return Name(self.family, self.identity.name)

    @property
    def guardian(self) -> Person | None:
        """Who answers for a child: a grandparent where both parents are away."""
        if self.household.parents_away == 2:
            for member in self.household.members:
                if member.role == "grandparent" and member.died_on is None:
                    return member
        return self.father or self.mother


@dataclass(slots=True, eq=False)
class Registration:
    """A row of the population register (常住人口)."""

    person: Person
    seen: Identity
    village: Village
    updated_on: dt.date
    person_state: str = "0"
    record_flag: str = "1"
    reversal_flag: str = "0"
    moved_out_on: dt.date | None = None
    row: int = 0

    @property
    def is_live(self) -> bool:
        """Live by the contract: latest, not reversed, of a person still here."""
        return self.record_flag == "1" and self.reversal_flag == "0" and self.person_state in "03"


@dataclass(slots=True, eq=False)
class Permit:
    """A row of the residents' register (流动人口)."""

    person: Person
    seen: Identity
    village: Village
    home: str
    number: str
    arrived_on: dt.date
    is_live: bool = True
    cancelled_on: dt.date | None = None
    row: int = 0


@dataclass(slots=True)
class Leave:
    """A leave of absence, as the absences' rows carry it."""

    kind: str
    first: dt.date
    last: dt.date


@dataclass(slots=True, eq=False)
class Enrolment:
    """A row of the student registry (学籍), with what its school reports about attendance."""

    person: Person
    seen: Identity
    number: str
    school: School
    grade: int
    class_number: int
    began: dt.date
    """The first day in this school stage."""
    status: str = "01"
    status_on: dt.date | None = None
    id_type: str = "1"
    mode: str = "1"
    home: str = ""
    disability: str = ""
    inclusive: str = ""
    placement: str = ""
    guardians_known: bool = True
    counted: Counted = "present"
    absent_since: dt.date | None = None
    was_absent: tuple[dt.date, dt.date] | None = None
    """First and last day of an unexcused absence that is over."""
    leave: Leave | None = None
    row: int = 0

    @property
    def is_live(self) -> bool:
        """Whether the row says the child studies here."""
        return self.status in LIVE


@dataclass(slots=True)
class Crossing:
    """A border crossing (出入境)."""

    person: Person
    outward: bool
    on: dt.date
    document: str
    destination: str
    with_id: bool = False


@dataclass(slots=True)
class Deregistration:
    """A striking-off (户口注销)."""

    person: Person
    id_number: str
    kind: str
    on: dt.date
    reversal_flag: str = "0"
    kept: str = ""


@dataclass(slots=True)
class Approval:
    """An approval of late entry, suspension or exemption (缓学休学审批)."""

    person: Person
    kind: str
    first: dt.date
    last: dt.date
    number: str
    student_number: str = ""


@dataclass(slots=True)
class Elsewhere:
    """Evidence of studying outside the area (外地就读)."""

    person: Person
    school_name: str
    division: str
    confirmed_on: dt.date
    evidence: str
    student_number: str = ""
    with_id: bool = True


@dataclass(slots=True)
class Programme:
    """A child in one of the five programmes (五项行动)."""

    person: Person
    programme: str
    level: str
    entered_on: dt.date
    left_on: dt.date | None = None


@dataclass(slots=True)
class Disability:
    """A certificate of disability (残疾人)."""

    person: Person
    kind: str
    level: int
    placement: str = ""


@dataclass(slots=True)
class ShortAbsence:
    """A school day missed, of no consequence."""

    enrolment: Enrolment
    on: dt.date
    kind: str


@dataclass(slots=True, eq=False)
class Child:
    """A child of the ledger: of compulsory school age, and counted."""

    person: Person
    registration: Registration | None
    """The population row that is kept (registered children)."""
    permit: Permit | None = None
    """The residents' row that is kept (resident children)."""
    enrolments: list[Enrolment] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)
    stated: tuple[str, str] | None = None
    """Status and reason on the first night, as the child's story states them."""
    undecidable: bool = False

    @property
    def enrolment(self) -> Enrolment | None:
        """The true enrolment: a live one that is attended before others, else the latest dead one."""
        return max(
            self.enrolments,
            key=lambda e: (e.is_live, e.counted == "present", e.status_on or dt.date.min, e.number),
            default=None,
        )

    @property
    def kept(self) -> Registration | Permit:
        """The row by which the child is counted."""
        row = self.registration or self.permit
        assert row is not None
        return row


class IdNumbers:
    """Issues ID numbers, each once."""

    def __init__(self) -> None:
        self._issued: set[str] = set()

    def issue(self, chance: Chance, division: str, birth: dt.date, sex: str) -> str:
        """A new number for somebody of this division, birth date and sex."""
        start = f"{division}{birth.year}{birth.month:02d}{birth.day:02d}"
        odd = sex == "1"
        while True:
            first17 = f"{start}{int(chance.random() * 500) * 2 + odd:03d}"
            if first17 not in self._issued:
                self._issued.add(first17)
                return first17 + check_digit(first17)
