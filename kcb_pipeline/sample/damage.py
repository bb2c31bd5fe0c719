"""What clerks, keyboards and spreadsheets do to the identity in a row, on both sides and independently.

What belongs here: the kinds of damage to a number, a name, a birth date, a sex, a division, and how often each happens.
Every kind leaves its name in `Identity.damage`, so that accuracy can be looked at by kind. Damage to whole rows is `dirt`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kcb_pipeline.sample import spellings
from kcb_pipeline.sample.chance import Chance, Weighted
from kcb_pipeline.sample.names import RARE, make_name
from kcb_pipeline.sample.people import Enrolment, Identity, Permit, Person, Registration
from kcb_pipeline.sample.places import OUTSIDE
from kcb_pipeline.sample.school_days import age, is_eligible
from kcb_pipeline.sample.schooling import Registrar


@dataclass(frozen=True)
class Rates:
    """How often each part of an identity suffers on one side."""

    id_missing: float
    id_wrong: float
    id_form: float
    name: float
    birth: float
    sex: float
    division: float


REGISTRY: Final = Rates(0.02, 0.03, 0.012, 0.03, 0.01, 0.003, 0.03)
POPULATION: Final = Rates(0.0004, 0.0016, 0.0004, 0.003, 0.001, 0.0003, 0.0)

# ---- ID numbers


def one_digit(chance: Chance, number: str) -> str:
    """One digit mistyped: the check digit no longer fits."""
    place = chance.randrange(17)
    return number[:place] + str((int(number[place]) + chance.randint(1, 9)) % 10) + number[place + 1 :]


def transposed(chance: Chance, number: str) -> str:
    """Two neighbouring digits swapped."""
    places = [place for place in range(16) if number[place] != number[place + 1]]
    place = chance.choice(places)
    return number[:place] + number[place + 1] + number[place] + number[place + 2 :]


def too_short(chance: Chance, number: str) -> str:
    """One character lost."""
    place = chance.randrange(18)
    return number[:place] + number[place + 1 :]


def fifteen(_chance: Chance, number: str) -> str:
    """The old form of 15 digits: no century, no check digit."""
    return number[:6] + number[8:17]


def spreadsheet(_chance: Chance, number: str) -> str:
    """What a spreadsheet makes of it: 5.33123E+17."""
    return f"{number[0]}.{number[1:6].rstrip('0') or '0'}E+17"


_ID_KINDS: Final = Weighted(
    [
        ("id_digit", one_digit),
        ("id_transposed", transposed),
        ("id_dropped", too_short),
        ("id_15_digits", fifteen),
        ("id_numeric", spreadsheet),
    ],
    [40, 22, 13, 8, 17],
)
_FULL_WIDTH: Final = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


def other_form(chance: Chance, number: str) -> str:
    """The right number in a form that needs cleaning."""
    draw = chance.random()
    if number.endswith("X") and draw < 0.7:
        return number[:-1] + ("x" if draw < 0.5 else "ｘ")
    if draw < 0.35:
        return number.translate(_FULL_WIDTH)
    if draw < 0.65:
        return f"'{number}"
    return f"{number[:6]} {number[6:14]} {number[14:]}"


# ---- birth dates


def wrong_birth(chance: Chance, birth: dt.date) -> tuple[str, dt.date] | None:
    """Another date, and the kind of mistake."""
    kind = _BIRTH_KINDS.pick(chance)
    try:
        if kind == "birth_swapped":
            other = birth.replace(month=birth.day, day=birth.month)
        elif kind == "birth_digit":
            other = birth.replace(day=birth.day // 10 * 10 + (birth.day + chance.randint(1, 9)) % 10)
        elif kind == "birth_year":
            other = birth.replace(year=birth.year + chance.choice((-1, 1)))
        elif kind == "birth_first_of_january":
            other = birth.replace(month=1, day=1)
        else:
            other = birth - dt.timedelta(days=chance.randint(20, 50))
    except ValueError:  # no such day
        return None
    return (kind, other) if other != birth else None


_BIRTH_KINDS: Final = Weighted(
    ["birth_swapped", "birth_digit", "birth_year", "birth_first_of_january", "birth_lunar"], [25, 30, 20, 10, 15]
)

# ---- names

_NAME_KINDS: Final[Weighted[tuple[str, spellings.Misspelling]]] = Weighted(
    [
        ("name_homophone", spellings.homophone),
        ("name_look_alike", spellings.look_alike),
        ("name_old_form", spellings.old_form),
        ("name_dropped", spellings.dropped),
        ("name_added", spellings.added),
        ("name_order", spellings.other_order),
        ("name_syllables", spellings.other_syllables),
        ("name_dot", spellings.other_dot),
        ("name_blanks", spellings.blanks),
        ("name_cut", spellings.cut),
    ],
    [26, 10, 9, 8, 4, 12, 12, 8, 8, 3],
)


def wrong_name(chance: Chance, seen: Identity, person: Person) -> Identity:
    """The identity under another spelling, or under a new name with the right one in 曾用名."""
    if chance.random() < 0.07 and not seen.former_name:
        new = make_name(chance, person.ethnicity, seen.sex, person.birth.year, person.as_named).full
        return seen.but("name_new", name=new, former_name=seen.name)
    for _ in range(8):
        tag, misspell = _NAME_KINDS.pick(chance)
        other = misspell(chance, seen.name, person.family)
        if other and other != seen.name:
            return seen.but(tag, name=other)
    return seen


# ---- whole identities


def _spoil(chance: Chance, seen: Identity, person: Person, rates: Rates, day: dt.date | None) -> Identity:
    """What one side makes of an identity; a `day` keeps its birth date on the same side of school age."""
    if not any(tag.startswith("id_") for tag in seen.damage):
        draw = chance.random()
        if draw < rates.id_missing:
            seen = seen.but("id_missing", id_number="")
        elif draw < rates.id_missing + rates.id_wrong:
            tag, ruin = _ID_KINDS.pick(chance)
            seen = seen.but(tag, id_number=ruin(chance, seen.id_number))
        elif draw < rates.id_missing + rates.id_wrong + rates.id_form:
            seen = seen.but("id_form", id_number=other_form(chance, seen.id_number))
    if chance.random() < rates.name:
        seen = wrong_name(chance, seen, person)
    elif rates is REGISTRY and ("·" in seen.name or seen.name[-1] in RARE) and chance.random() < 0.3:
        tag, misspell = (
            ("name_dot", spellings.other_dot) if "·" in seen.name else ("name_rare", spellings.no_such_character)
        )
        seen = seen.but(tag, name=misspell(chance, seen.name, person.family) or seen.name)
    if chance.random() < rates.birth:
        seen = _wrong_birth(chance, seen, day)
    draw = chance.random()
    if draw < rates.sex:
        seen = seen.but("sex_wrong", sex="2" if seen.sex == "1" else "1")
    elif draw < rates.sex * 1.3:
        seen = seen.but("sex_missing", sex="0")
    return seen


def _wrong_birth(chance: Chance, seen: Identity, day: dt.date | None) -> Identity:
    if day is None and chance.random() < 0.08:
        if chance.random() < 0.5:
            return seen.but("birth_missing", birth_text="无")
        return seen.but("birth_impossible", birth_text=f"{seen.birth.year}0230")
    found = wrong_birth(chance, seen.birth)
    if found is None:
        return seen
    tag, other = found
    if day is not None and is_eligible(other, day) != is_eligible(seen.birth, day):
        return seen
    return seen.but(tag, birth=other)


def spoil_population(chance: Chance, rows: Iterable[Registration] | Iterable[Permit], day: dt.date) -> None:
    """Damage rows of the population register or of the residents' register."""
    for row in rows:
        row.seen = _spoil(chance, row.seen, row.person, POPULATION, day)


def spoil_registry(chance: Chance, rows: Iterable[Enrolment], registrar: Registrar) -> None:
    """Damage rows of the student registry.

    A number that was wrong when the pupil was registered is in the student number as well, or kept it from being formal.
    """
    for row in rows:
        before = row.seen
        row.seen = _spoil(chance, before, row.person, REGISTRY, None)
        if row.seen.id_number != before.id_number and row.number == registrar.formal_number(row.person):
            _renumber(chance, row, registrar)
        if chance.random() < REGISTRY.division:
            row.home = chance.choice(OUTSIDE)[0]
            row.seen = row.seen.but("division_moved")


def _renumber(chance: Chance, row: Enrolment, registrar: Registrar) -> None:
    kind = next(tag for tag in row.seen.damage if tag.startswith("id_"))
    draw = chance.random()
    if kind == "id_missing" and draw < 0.75:
        row.number = registrar.substitute_number("J" if draw < 0.4 else "L", row.school, row.person.birth)
        row.id_type = "Z" if draw < 0.4 else row.id_type
    elif kind in ("id_digit", "id_transposed") and draw < 0.6:
        row.number = f"G{row.seen.id_number}"
    elif kind != "id_form" and draw < 0.8:
        row.number = registrar.substitute_number("L", row.school, row.person.birth)


# ---- how much is left

_LOST_BIRTH: Final = frozenset({"birth_missing", "birth_impossible"})


def is_undecidable(known: Identity, row: Enrolment, person: Person) -> bool:
    """Whether so little is left that a careful human, with both rows before them, could not tell.

    Counted in points: an equal number 4 or one nearly equal 3, name and birth date 2 each or 1 where they nearly agree,
    a guardian's number 2. Three points are enough: a name misspelt on the right birth date, say.
    """
    if not known.damage and not row.seen.damage:
        return False
    tags = (*known.damage, *row.seen.damage)
    wrong_person = {"id_shared", "id_sibling", "id_borrowed", "id_guardian"} & set(tags)
    points = 0
    own = known.id_number
    if own and not wrong_person and own in (row.seen.id_number, row.number[1:]):
        points += 4
    elif not wrong_person and _only_typing(tags):
        points += 3
    points += _points([tag for tag in tags if tag.startswith("name_")])
    points += _points([tag for tag in tags if tag.startswith("birth_")])
    guardians = (person.father, person.mother, person.guardian)
    if (
        row.guardians_known
        and age(person.birth, row.began) < 18
        and any(guardian is not None for guardian in guardians)
    ):
        points += 2
    return points < 3


def _only_typing(tags: tuple[str, ...]) -> bool:
    """Whether all that is wrong with the numbers is a slip of typing on one side."""
    ids = [tag for tag in tags if tag.startswith("id_")]
    return len(ids) == 1 and ids[0] in ("id_digit", "id_transposed", "id_dropped", "id_15_digits", "id_form")


def _points(tags: list[str]) -> int:
    if any(tag in _LOST_BIRTH for tag in tags):
        return 0
    return 2 if not tags else 1 if len(tags) == 1 else 0
