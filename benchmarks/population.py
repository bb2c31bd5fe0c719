"""Two made-up registers of N children each, and which rows of them are one child.

What belongs here: what is in the registers and what goes wrong in them (`Rates`). No real person's data is used, and the same
arguments give the same rows. Judge with a seed nobody has tuned with.

`left` is a population register: children born 2008 to 2019 in 120 counties, brothers and sisters with the same parents.

    entity            who it is (Int64). Keep it away from the linker: `LEFT_COLUMNS` and `RIGHT_COLUMNS` are what it may see
    id_number         18 places with the right check digit, 0.2 % damaged
    name, former_name
    sex               1 male, 2 female
    birth_date        Date
    division_code     county of the 户籍, six digits
    household         number of the household, the same for brothers and sisters
    father_name, father_id_number, mother_name, mother_id_number
    guardian_phone    of one of them

`right` is a student registry: 95 % of those children and 5 % strangers, many of whom are brothers and sisters of children on the left.

    entity
    id_number         missing, damaged, a brother's or sister's, a parent's, or a former one, as `Rates` says
    student_number    G and an ID number, at times a former one; J or L and a number of its own where no ID number is usable
    name, former_name, sex, birth_date, division_code
    guardian1_name, guardian1_id_number, guardian1_phone, guardian2_name, guardian2_id_number, guardian2_phone

`damage` says what was done to each row of the right, for finding out what a linker fails at.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.name_stock import CHILDREN, FEMALE, HAN, MALE, PARENTS, TIBETAN, UYGHUR, YI, NameStock, stock

LEFT_COLUMNS: Final = (
    "id_number", "name", "former_name", "sex", "birth_date", "division_code", "household",
    "father_name", "father_id_number", "mother_name", "mother_id_number", "guardian_phone",
)  # fmt: skip
RIGHT_COLUMNS: Final = (
    "id_number", "student_number", "name", "former_name", "sex", "birth_date", "division_code",
    "guardian1_name", "guardian1_id_number", "guardian1_phone", "guardian2_name", "guardian2_id_number", "guardian2_phone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """How often what happens, as shares of all rows unless another base is named."""

    in_both: float = 0.95
    twins: float = 0.015
    same_sex_twins: float = 0.65  # of twins
    mothers_surname: float = 0.04
    shared_character: float = 0.35  # families whose children of one sex share a character of the given name
    elsewhere: float = 0.07  # families whose 户籍 is not in the county that is in the children's numbers
    parent_unknown: float = 0.03  # of fathers, of mothers
    by_grandparents: float = 0.04  # families whose children a grandparent answers for at school
    left_damaged: float = 0.002
    id_missing: float = 0.02
    id_damaged: float = 0.03
    id_of_sibling: float = 0.003
    id_of_parent: float = 0.002
    id_former: float = 0.003
    g_number_former: float = 0.008  # rows whose own number is right and whose G number carries a former one
    name_damaged: float = 0.03
    former_name_known: float = 0.6  # of new names, those whose old one the left still has
    former_name_other: float = 0.003
    dot_changed: float = 0.4  # of names with a dot
    order_changed: float = 0.15  # of Yi names
    spelled_otherwise: float = 0.06  # of names of other languages
    birth_date_damaged: float = 0.01
    sex_wrong: float = 0.003
    moved: float = 0.1
    guardians_missing: float = 0.1
    one_guardian: float = 0.25
    second_first: float = 0.4  # the mother before the father
    phone_changed: float = 0.05  # of guardians
    guardian_number_missing: float = 0.15  # of guardians
    guardian_name_damaged: float = 0.01  # of guardians


RATES: Final = Rates()

ID_DAMAGE: Final = ("none", "missing", "digit", "swap", "dropped", "15 digits", "sibling's", "parent's", "former")
NONE, MISSING, DIGIT, SWAP, DROPPED, FIFTEEN, SIBLINGS, PARENTS_, FORMER = range(9)
NAME_DAMAGE: Final = ("none", "homophone", "random", "dropped", "swapped", "new", "dot", "order", "spelling")
_HOMOPHONE, _RANDOM, _LOST, _SWAPPED, _NEW, _DOT, _ORDER, _SPELLING = range(1, 9)
DATE_DAMAGE: Final = ("none", "day and month", "digit", "year", "placeholder", "lunar")
GUARDIAN_STATE: Final = ("both", "one", "missing")


@dataclass(frozen=True, slots=True)
class Population:
    """The two registers and what was done to each row of the right one (its rows in the order of `right`)."""

    left: pl.DataFrame
    right: pl.DataFrame
    damage: pl.DataFrame


def generate(persons: int, seed: int, rates: Rates = RATES) -> Population:
    """Two registers of `persons` rows each."""
    chance = np.random.Generator(np.random.PCG64(seed))
    world = _World.make(persons, rates, chance)
    pupils = _Pupils.make(world, rates, chance)
    left = _left(world, pupils, rates, chance)
    right = _right(world, pupils, rates, chance)
    return Population(left, right, _damage(world, pupils))


def write(persons: int, seed: int, folder: Path, rates: Rates = RATES) -> None:
    """`left.parquet`, `right.parquet` and `damage.parquet` in `folder`, one table in memory at a time; rows as `generate` gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.Generator(np.random.PCG64(seed))
    world = _World.make(persons, rates, chance)
    pupils = _Pupils.make(world, rates, chance)
    _left(world, pupils, rates, chance).write_parquet(folder / "left.parquet")
    _right(world, pupils, rates, chance).write_parquet(folder / "right.parquet")
    _damage(world, pupils).write_parquet(folder / "damage.parquet")


# -- places, days and numbers --------------------------------------------------------------------------------------

_PREFECTURES: Final = (5301, 5303, 5325, 5134, 5101, 5201, 5223, 4301, 4103, 3701, 6531, 5401)
_COUNTIES_OF_A_PREFECTURE: Final = 10
_COUNTIES: Final = np.array(
    [prefecture * 100 + 21 + place for prefecture in _PREFECTURES for place in range(_COUNTIES_OF_A_PREFECTURE)]
)
_MINORITIES: Final = {6531: (UYGHUR, 0.5), 5401: (TIBETAN, 0.4), 5134: (YI, 0.3)}
"""Share of the families of a prefecture that are not Han; one in ten of all."""
_STATIONS: Final = 10
"""Police stations of a county: each gives out its own range of sequence numbers, so neighbours get neighbouring ones."""
_SLOTS: Final = 1000 // 2 // _STATIONS
"""Sequence numbers of one station, day and sex."""

_FIRST_DAY, _LAST_DAY = (
    int(np.datetime64(day).astype("datetime64[D]").astype(int)) for day in ("2008-01-01", "2019-12-31")
)
_ORIGIN: Final = int(np.datetime64("1930-01-01").astype("datetime64[D]").astype(int))
_DAYS: Final = np.arange(np.datetime64("1930-01-01"), np.datetime64("2031-01-01"))
_WRITTEN: Final = np.array([int(str(day).replace("-", "")) for day in _DAYS])
"""YYYYMMDD of each day since 1930."""
_CHECK_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = np.frombuffer(b"10X98765432", dtype=np.uint8)
_BLOCK: Final = 1 << 17


def _county_shares() -> NDArray[np.float64]:
    ranks = np.random.Generator(np.random.PCG64(120)).permutation(len(_COUNTIES))
    weights = (ranks + 6.0) ** -0.6
    return np.cumsum(weights / weights.sum())


def _draw_counties(count: int, chance: np.random.Generator) -> NDArray[np.int16]:
    places = np.searchsorted(_county_shares(), chance.random(count, dtype=np.float32), side="right")
    return np.minimum(places, len(_COUNTIES) - 1).astype(np.int16)


def _moved(counties: NDArray[np.int16], chance: np.random.Generator) -> NDArray[np.int16]:
    """Another county for each: six in ten stay in the prefecture."""
    near = chance.random(len(counties)) < 0.6
    step = chance.integers(1, _COUNTIES_OF_A_PREFECTURE, len(counties))
    prefecture = counties - counties % _COUNTIES_OF_A_PREFECTURE
    neighbour = prefecture + (counties - prefecture + step) % _COUNTIES_OF_A_PREFECTURE
    far = _draw_counties(len(counties), chance)
    far = np.where(far == counties, neighbour, far)
    return np.where(near, neighbour, far).astype(np.int16)


def give_numbers(
    counties: NDArray[np.int16],
    stations: NDArray[np.int8],
    days: NDArray[np.int32],
    sex: NDArray[np.int8],
    codes: NDArray[np.int64] = _COUNTIES,
) -> NDArray[np.int64]:
    """The first 17 digits of an ID number for each person, no two the same; neighbours in the order given get neighbouring ones.

    codes: the six digits of each county.
    """
    cell = ((counties.astype(np.int64) * _STATIONS + stations) * len(_DAYS) + (days - _ORIGIN)) * 2 + sex
    order = np.argsort(cell, kind="stable")
    ordered = cell[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    rank = np.arange(len(cell)) - np.repeat(first, np.diff(np.append(first, len(cell))))
    start = (ordered * 2_654_435_761 >> 9) % (_SLOTS * 2 // 5)
    slot = start + rank
    if (slot >= _SLOTS).any():
        message = "too many persons for the numbers of one police station and day"
        raise ValueError(message)
    sequence = np.empty(len(cell), dtype=np.int64)
    sequence[order] = slot
    sequence = (stations.astype(np.int64) * _SLOTS + sequence) * 2 + (sex == MALE)
    return codes[counties] * 10**11 + _WRITTEN[days - _ORIGIN] * 1000 + sequence


def id_places(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The 18 characters of each number, its check digit last: shape (numbers, 18)."""
    places = np.empty((len(numbers), 18), dtype=np.uint8)
    for start in range(0, len(numbers), _BLOCK):
        rest = numbers[start : start + _BLOCK].copy()
        total = np.zeros(len(rest), dtype=np.int64)
        block = places[start : start + _BLOCK]
        for place in range(16, -1, -1):
            rest, digit = np.divmod(rest, 10)
            total += digit * _CHECK_WEIGHTS[place]
            block[:, place] = digit + 48
        block[:, 17] = _CHECKS[total % 11]
    return places


def texts(places: NDArray[np.uint8], lengths: NDArray[np.int64] | None = None) -> pl.Series:
    """One ASCII text a row, of the first `lengths` characters of each; a length of 0 is a missing text."""
    rows, width = places.shape
    if lengths is None:
        offsets, data = np.arange(rows + 1, dtype=np.int64) * width, np.ascontiguousarray(places).reshape(-1)
        missing = None
    else:
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        data = places[np.arange(width) < lengths[:, None]]
        missing = pa.array(lengths > 0).buffers()[1]
    array = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data), missing)
    return pl.Series(array)


def damage_ids(
    places: NDArray[np.uint8], lengths: NDArray[np.int64], kinds: NDArray[np.int8], chance: np.random.Generator
) -> None:
    """Damage rows of ID numbers in place: one digit, two neighbours swapped, one character dropped, or the 15-digit form."""
    rows = np.flatnonzero(kinds == DIGIT)
    at = chance.integers(0, 18, len(rows))
    old = places[rows, at]
    digit = np.where(old == ord("X"), 10, old.astype(np.int64) - 48)
    places[rows, at] = (digit + chance.integers(1, 10, len(rows))) % 10 + 48
    rows = np.flatnonzero(kinds == SWAP)
    differ = places[rows, :-1] != places[rows, 1:]
    at = np.argmax(np.where(differ, chance.random(differ.shape), -1), axis=1)
    places[rows, at], places[rows, at + 1] = places[rows, at + 1], places[rows, at]
    rows = np.flatnonzero(kinds == DROPPED)
    at = chance.integers(0, 18, len(rows))
    source = np.minimum(np.arange(18) + (np.arange(18) >= at[:, None]), 17)
    places[rows] = np.take_along_axis(places[rows], source, axis=1)
    lengths[rows] = 17
    rows = np.flatnonzero(kinds == FIFTEEN)
    places[rows, :15] = places[rows][:, [*range(6), *range(8, 17)]]
    lengths[rows] = 15


def _kinds(count: int, share: float, kinds: int, chance: np.random.Generator) -> NDArray[np.int8]:
    """0 for most rows, and one of 1 to `kinds`, each equally often, for `share` of them."""
    drawn = chance.random(count, dtype=np.float32)
    return np.where(drawn < share, 1 + (drawn / max(share, 1e-9) * kinds).astype(np.int8), 0).astype(np.int8)


# -- the children and their families -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adults:
    """One adult a family: father, mother or grandparent."""

    name: NDArray[np.uint16]
    number: NDArray[np.int64]
    phone: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _World:
    """All children of whom either register tells, family by family, and their parents. Rows are persons or families."""

    persons: int
    stock: NameStock
    family: NDArray[np.int32]
    first: NDArray[np.int64]  # of each family, and one past the last
    people: NDArray[np.int8]  # of families
    county: NDArray[np.int16]  # of families: that of their 户籍
    father: Adults
    mother: Adults
    grandparent: Adults  # in the order of those families of which `raised_by` is not -1
    raised_by: NDArray[np.int32]
    day: NDArray[np.int32]
    sex: NDArray[np.int8]
    twin: NDArray[np.bool_]
    name: NDArray[np.uint16]
    number: NDArray[np.int64]
    former: NDArray[np.int64]  # a number given before, 0 for none
    left: NDArray[np.int64]  # the persons of the left register, in its order

    @classmethod
    def make(cls, persons: int, rates: Rates, chance: np.random.Generator) -> _World:
        """Enough families for `persons` rows on both sides."""
        names = stock()
        everybody = 2 * persons - round(persons * rates.in_both)
        first = family_sizes(everybody, chance)
        sizes = np.diff(first)
        families = len(sizes)
        family = np.repeat(np.arange(families, dtype=np.int32), sizes)
        order = (np.arange(everybody) - first[:-1][family]).astype(np.int8)
        sex = (chance.random(everybody, dtype=np.float32) < 0.47).astype(np.int8)
        second = np.flatnonzero(order == 1)
        born_together = second[
            chance.random(len(second), dtype=np.float32) < rates.twins / 2 * everybody / max(len(second), 1)
        ]
        same = chance.random(len(born_together)) < rates.same_sex_twins
        sex[born_together] = np.where(same, sex[born_together - 1], 1 - sex[born_together - 1])
        twin = np.zeros(everybody, dtype=bool)
        twin[born_together] = twin[born_together - 1] = True
        day = birth_days(family, first, order, born_together, chance)
        birth_county = _draw_counties(families, chance)
        people = np.zeros(families, dtype=np.int8)
        prefecture = np.repeat(np.array(_PREFECTURES), _COUNTIES_OF_A_PREFECTURE)[birth_county]
        lot = chance.random(families, dtype=np.float32)
        for where, (kind, share) in _MINORITIES.items():
            people[(prefecture == where) & (lot < share)] = kind
        station = chance.integers(0, _STATIONS, families, dtype=np.int8)
        oldest = day[first[:-1]]
        father = _adults(names, people, birth_county, oldest, MALE, (8000, 13500), chance)
        mother = _adults(names, people, birth_county, oldest, FEMALE, (7400, 12500), chance)
        raised_by = np.full(families, -1, dtype=np.int32)
        raised = np.flatnonzero(chance.random(families, dtype=np.float32) < rates.by_grandparents)
        raised_by[raised] = np.arange(len(raised))
        grandparent = _adults(
            names,
            people[raised],
            birth_county[raised],
            np.minimum(oldest[raised], 15_000),
            MALE,
            (18_500, 25_500),
            chance,
        )
        name = children_names(names, people, family, first, order, sex, born_together, father, mother, rates, chance)
        # Every former number that is needed is given out together with the present ones, so that no two persons share any.
        once_other = np.flatnonzero(
            chance.random(everybody, dtype=np.float32) < (rates.id_former + rates.g_number_former) * 1.25
        )
        numbers = give_numbers(
            np.concatenate([birth_county[family], _moved(birth_county[family[once_other]], chance)]),
            np.concatenate([station[family], station[family[once_other]]]),
            np.concatenate([day, day[once_other]]),
            np.concatenate([sex, sex[once_other]]),
        )
        former = np.zeros(everybody, dtype=np.int64)
        former[once_other] = numbers[everybody:]
        away = chance.random(families, dtype=np.float32) < rates.elsewhere
        county = birth_county.copy()
        county[away] = _moved(birth_county[away], chance)
        shuffled = chance.permutation(everybody)
        return cls(
            persons, names, family, first, people, county, father, mother, grandparent, raised_by,
            day, sex, twin, name, numbers[:everybody], former, shuffled[:persons],
        )  # fmt: skip


def family_sizes(everybody: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Where each family begins, and one past the last; one to four children."""
    sizes = 1 + np.searchsorted([0.45, 0.87, 0.98], chance.random(everybody, dtype=np.float32), side="right")
    ends = np.cumsum(sizes)
    families = int(np.searchsorted(ends, everybody, side="left")) + 1
    return np.concatenate([[0], ends[: families - 1], [everybody]]).astype(np.int64)


def birth_days(
    family: NDArray[np.int32],
    first: NDArray[np.int64],
    order: NDArray[np.int8],
    born_together: NDArray[np.int64],
    chance: np.random.Generator,
    first_day: int = _FIRST_DAY,
    last_day: int = _LAST_DAY,
) -> NDArray[np.int32]:
    """Days since 1970; brothers and sisters are 300 days apart at least, twins none."""
    gap = chance.integers(300, 1300, len(family), dtype=np.int32)
    gap[order == 0] = 0
    gap[born_together] = 0
    run = np.cumsum(gap, dtype=np.int64)
    offset = (run - run[first[:-1]][family]).astype(np.int32)
    span = offset[first[1:] - 1]
    base = (chance.random(len(span)) * (last_day - first_day + 1 - span)).astype(np.int32)
    return first_day + base[family] + offset


_PREFIXES: Final = np.array([130, 131, 132, 133, 135, 136, 137, 138, 139, 150, 151, 152, 153, 157, 158, 159, 173, 177, 180, 181, 182, 183, 185, 186, 187, 188, 189, 199])  # fmt: skip


def draw_phones(count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    return _PREFIXES[chance.integers(0, len(_PREFIXES), count)] * 10**8 + chance.integers(0, 10**8, count)


def _adults(
    names: NameStock,
    people: NDArray[np.int8],
    counties: NDArray[np.int16],
    oldest: NDArray[np.int32],
    sex: int,
    days_older: tuple[int, int],
    chance: np.random.Generator,
) -> Adults:
    count = len(people)
    gender = np.full(count, sex, dtype=np.int8)
    none = np.zeros(count, dtype=np.uint16)
    name = names.names(people, gender, PARENTS, none, none, chance)
    county = np.where(chance.random(count, dtype=np.float32) < 0.8, counties, _draw_counties(count, chance))
    day = oldest - chance.integers(*days_older, count, dtype=np.int32)
    number = give_numbers(county, chance.integers(0, _STATIONS, count, dtype=np.int8), day, gender)
    return Adults(name, number, draw_phones(count, chance))


def children_names(
    names: NameStock,
    people: NDArray[np.int8],
    family: NDArray[np.int32],
    first: NDArray[np.int64],
    order: NDArray[np.int8],
    sex: NDArray[np.int8],
    born_together: NDArray[np.int64],
    father: Adults,
    mother: Adults,
    rates: Rates,
    chance: np.random.Generator,
) -> NDArray[np.uint16]:
    """Names with the father's surname (or the mother's); some share a character with the firstborn, same-sex twins always do."""
    surname = father.name[:, 0].copy()
    surname[people == TIBETAN] = 0
    own = people[family]
    inherited = surname[family]
    hers = chance.random(len(family), dtype=np.float32) < rates.mothers_surname
    inherited = np.where(hers & (own == HAN), mother.name[:, 0][family], inherited)
    name = names.names(own, sex, CHILDREN, inherited, inherited, chance)
    eldest = first[:-1][family]
    sharing = chance.random(len(first) - 1, dtype=np.float32) < rates.shared_character
    alike = sharing[family]
    alike[born_together] = True
    later = np.flatnonzero((order > 0) & alike & (own == HAN) & (sex == sex[eldest]))
    name[later, 1] = name[eldest[later], 1]
    for gender in (MALE, FEMALE):  # nobody gives two children one name
        same = np.flatnonzero((order > 0) & (sex == gender))
        for _ in range(4):
            equal = (name[same] == name[eldest[same]]).all(axis=1) | (name[same] == name[same - 1]).all(axis=1)
            short = (own[same] == HAN) & alike[same] & (name[same, 2] == 0)
            again = same[equal | short]
            han = own[again] == HAN
            name[again[han], 2] = names.given[CHILDREN, gender].draw(int(han.sum()), chance)
            rest = again[~han]
            name[rest] = names.names(own[rest], sex[rest], CHILDREN, inherited[rest], inherited[rest], chance)
    return name


# -- what the schools have written down ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pupils:
    """The rows of the right register before they are texts: who they are, and what was done to them."""

    person: NDArray[np.int64]
    id_kind: NDArray[np.int8]
    number: NDArray[np.int64]
    name: NDArray[np.uint16]
    name_kind: NDArray[np.int8]
    date_kind: NDArray[np.int8]
    day: NDArray[np.int32]
    sex_wrong: NDArray[np.bool_]
    county: NDArray[np.int16]
    moved: NDArray[np.bool_]
    guardian_state: NDArray[np.int8]

    @classmethod
    def make(cls, world: _World, rates: Rates, chance: np.random.Generator) -> _Pupils:
        """The rows, in the order of the right register."""
        both = round(world.persons * rates.in_both)
        is_left = np.zeros(len(world.family), dtype=bool)
        is_left[world.left] = True
        person = chance.permutation(np.concatenate([world.left[:both], np.flatnonzero(~is_left)]))
        rows = len(person)
        id_kind, number = _id_kinds(world, person, rates, chance)
        name, name_kind = _written_names(world, person, rates, chance)
        date_kind = _kinds(rows, rates.birth_date_damaged, 5, chance)
        day = damaged_days(world.day[person], date_kind, chance)
        moved = chance.random(rows, dtype=np.float32) < rates.moved
        county = world.county[world.family[person]]
        county[moved] = _moved(county[moved], chance)
        state = np.searchsorted(
            [1 - rates.guardians_missing - rates.one_guardian, 1 - rates.guardians_missing],
            chance.random(rows, dtype=np.float32),
            side="right",
        ).astype(np.int8)
        return cls(
            person=person, id_kind=id_kind, number=number, name=name, name_kind=name_kind, date_kind=date_kind, day=day,
            sex_wrong=chance.random(rows, dtype=np.float32) < rates.sex_wrong,
            county=county, moved=moved, guardian_state=state,
        )  # fmt: skip


def _id_kinds(
    world: _World, person: NDArray[np.int64], rates: Rates, chance: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """What is wrong with each row's ID number, and the first 17 digits of the number that is written (before its damage)."""
    family = world.family[person]
    sizes = np.diff(world.first)[family]
    has_sibling, has_former = sizes > 1, world.former[person] > 0
    kind = np.zeros(len(person), dtype=np.int8)
    lot = chance.random(len(person), dtype=np.float32)
    kind[lot < rates.id_missing + rates.id_damaged] = DIGIT
    damaged = np.flatnonzero(kind == DIGIT)
    kind[damaged] = DIGIT + chance.integers(0, 4, len(damaged))
    kind[lot < rates.id_missing] = MISSING
    # The rest of the lot decides among those who have a sibling, or a former number, so that the shares are those of all rows.
    for what, share, able in (
        (SIBLINGS, rates.id_of_sibling, has_sibling),
        (PARENTS_, rates.id_of_parent, np.ones(len(person), dtype=bool)),
        (FORMER, rates.id_former, has_former),
    ):
        free = np.flatnonzero((kind == NONE) & able)
        chosen = chance.random(len(free)) < share * len(person) / max(len(free), 1)
        kind[free[chosen]] = what
    number = world.number[person]
    rows = np.flatnonzero(kind == SIBLINGS)
    first, size = world.first[family[rows]], sizes[rows]
    step = 1 + (chance.random(len(rows)) * (size - 1)).astype(np.int64)
    number[rows] = world.number[first + (person[rows] - first + step) % size]
    rows = np.flatnonzero(kind == PARENTS_)
    fathers = chance.random(len(rows)) < 0.5
    number[rows] = np.where(fathers, world.father.number[family[rows]], world.mother.number[family[rows]])
    rows = np.flatnonzero(kind == FORMER)
    number[rows] = world.former[person[rows]]
    return kind, number


def _written_names(
    world: _World, person: NDArray[np.int64], rates: Rates, chance: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.int8]]:
    """The name of each row as the school writes it, and what is wrong with it."""
    names = world.stock
    name = world.name[person]
    people = world.people[world.family[person]]
    kind = _kinds(len(person), rates.name_damaged, 5, chance)
    misspell(names, name, kind, people, chance)
    rows = np.flatnonzero(kind == _NEW)
    none = np.zeros(len(rows), dtype=np.uint16)
    surname = np.where(chance.random(len(rows)) < 0.8, name[rows, 0], none)
    surname[people[rows] == UYGHUR] = 0
    name[rows] = names.names(people[rows], world.sex[person[rows]], CHILDREN, surname, name[rows, 2], chance)
    # Names of other languages are written in more than one way without anybody being wrong.
    lot = chance.random((3, len(person)), dtype=np.float32)
    foreign = people != HAN
    rows = np.flatnonzero(foreign & (kind == NONE) & (lot[0] < rates.spelled_otherwise))
    for place in (0, 2):
        other = names.other_spelling[name[rows, place]]
        changed = other > 0
        name[rows[changed], place] = other[changed]
        kind[rows[changed]] = _SPELLING
    rows = np.flatnonzero((people == YI) & (kind == NONE) & (lot[1] < rates.order_changed))
    name[rows[:, None], [0, 1]] = name[rows[:, None], [1, 0]]
    kind[rows] = _ORDER
    rows = np.flatnonzero((people == UYGHUR) & (name[:, 1] == names.dots[0]) & (lot[2] < rates.dot_changed))
    name[rows, 1] = names.dots[chance.integers(1, len(names.dots), len(rows))]
    kind[rows[kind[rows] == NONE]] = _DOT
    return name, kind


def misspell(
    names: NameStock,
    name: NDArray[np.uint16],
    kind: NDArray[np.int8],
    people: NDArray[np.int8],
    chance: np.random.Generator,
) -> None:
    """Misspell names in place: a homophone, a random character, a character dropped, two swapped. What cannot be done becomes a random one."""
    for what in (_HOMOPHONE, _LOST, _SWAPPED):
        rows = np.flatnonzero(kind == what)
        parts = _parts(name[rows], people[rows])
        if what == _HOMOPHONE:
            at = _place(parts, people[rows], chance)
            other = names.homophones(name[rows, at], chance)
            able = other > 0
            name[rows[able], at[able]] = other[able]
        elif what == _LOST:
            able = (name[rows, 2] > 0) & (parts >= 2)
            gone = np.where(people[rows] == UYGHUR, 2, chance.integers(1, 3, len(rows)))
            cut = rows[able & (gone == 1)]
            name[cut, 1] = name[cut, 2]
            name[rows[able], 2] = 0
            name[rows[able & (people[rows] == UYGHUR)], 1] = 0
        else:
            end = np.where(name[rows, 2] > 0, 2, 1)
            begin = np.where((people[rows] == HAN) & (end == 2), 1, 0)
            able = name[rows, begin] != name[rows, end]
            a, b = name[rows, begin], name[rows, end]
            name[rows[able], begin[able]], name[rows[able], end[able]] = b[able], a[able]
        kind[rows[~able]] = _RANDOM
    rows = np.flatnonzero(kind == _RANDOM)
    at = _place(_parts(name[rows], people[rows]), people[rows], chance)
    while len(rows):
        drawn = names.common.draw(len(rows), chance)
        for kin, urns in ((UYGHUR, names.uyghur), (TIBETAN, names.tibetan), (YI, names.yi)):
            of_these = people[rows] == kin
            drawn[of_these] = urns[MALE].draw(int(of_these.sum()), chance)
        same = drawn == name[rows, at]
        name[rows, at] = drawn
        rows, at = rows[same], at[same]


def _parts(name: NDArray[np.uint16], people: NDArray[np.int8]) -> NDArray[np.int64]:
    """How many parts each name has; the dot is none."""
    return (name > 0).sum(axis=1) - ((people == UYGHUR) & (name[:, 1] > 0))


def _place(parts: NDArray[np.int64], people: NDArray[np.int8], chance: np.random.Generator) -> NDArray[np.int64]:
    """The part of each name that goes wrong: one in ten times the first, else another."""
    later = 1 + (chance.random(len(parts)) * np.maximum(parts - 1, 1)).astype(np.int64)
    later = np.where(people == UYGHUR, 2, later)
    return np.where((parts < 2) | (chance.random(len(parts)) < 0.1), 0, later)


def damaged_days(days: NDArray[np.int32], kind: NDArray[np.int8], chance: np.random.Generator) -> NDArray[np.int32]:
    """The birth dates as written; what a kind of damage would leave as it is gets its year wrong instead."""
    result = days.copy()
    rows = np.flatnonzero(kind)
    day, what = days[rows], kind[rows]
    written = _WRITTEN[day - _ORIGIN]
    year, month, date = written // 10_000, written // 100 % 100, written % 100
    can_swap = (date <= 12) & (date != month)
    swapped = what == 1
    digit = date // 10 * 10 + (date + chance.integers(1, 10, len(rows))) % 10
    digit = np.where((digit < 1) | (digit > 28), np.maximum(1, date - 1), digit)
    new_date = np.where(swapped & can_swap, month, np.where(what == 2, digit, date))
    new_month = np.where(swapped & can_swap, date, month)
    new_month, new_date = (np.where(what == 4, 1, values) for values in (new_month, new_date))
    new = _day_number(year, new_month, np.where((what == 3) | ~np.isin(what, (1, 2, 4)), date, new_date))
    new = np.where(what == 5, day - chance.integers(18, 52, len(rows)), new)
    off = np.where(chance.random(len(rows)) < 0.5, 1, -1)
    year_off = _day_number(year + off, month, np.where((month == 2) & (date == 29), 28, date))
    result[rows] = np.where((what == 3) | (new == day), year_off, new)
    return result


def _day_number(year: NDArray[np.int64], month: NDArray[np.int64], date: NDArray[np.int64]) -> NDArray[np.int64]:
    months = (year - 1970) * 12 + month - 1
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + date - 1


# -- the registers as tables ---------------------------------------------------------------------------------------


def name_texts(names: NameStock, tokens: NDArray[np.uint16]) -> pl.Series:
    """Names as texts; one of no tokens is missing."""
    words = pl.Series(names.tokens)
    parts = pl.DataFrame({f"t{place}": words.gather(tokens[:, place].astype(np.uint32)) for place in range(3)})
    joined = parts.select(pl.concat_str("t0", "t1", "t2").alias("name"))
    return joined.select(pl.when(pl.col("name") != "").then("name").alias("name"))["name"]


def id_texts(numbers: NDArray[np.int64]) -> pl.Series:
    """Whole ID numbers; 0 is a missing one."""
    return texts(id_places(numbers), np.where(numbers > 0, 18, 0))


def phone_texts(phones: NDArray[np.int64]) -> pl.Series:
    return pl.DataFrame({"p": phones}).select(pl.when(pl.col("p") > 0).then(pl.col("p").cast(pl.String)))["p"]


def _common_columns(
    world: _World,
    person: NDArray[np.int64],
    sex: NDArray[np.int8],
    days: NDArray[np.int32],
    counties: NDArray[np.int16],
) -> dict[str, pl.Series]:
    codes = pl.Series([str(code) for code in _COUNTIES])
    return {
        "entity": pl.Series(person),
        "sex": pl.Series(["1", "2"]).gather(sex.astype(np.uint32)),
        "birth_date": pl.Series(days).cast(pl.Date),
        "division_code": codes.gather(counties.astype(np.uint32)),
    }


def _other_given_names(
    world: _World, person: NDArray[np.int64], tokens: NDArray[np.uint16], share: float, chance: np.random.Generator
) -> None:
    """Former names that nobody else knows, for `share` of the rows that have none yet; in place."""
    rows = np.flatnonzero((chance.random(len(person), dtype=np.float32) < share) & (tokens[:, 0] == 0))
    own = world.name[person[rows]]
    people = world.people[world.family[person[rows]]]
    tokens[rows] = world.stock.names(people, world.sex[person[rows]], CHILDREN, own[:, 0], own[:, 2], chance)


def _left(world: _World, pupils: _Pupils, rates: Rates, chance: np.random.Generator) -> pl.DataFrame:
    person = world.left
    family = world.family[person]
    rows = len(person)
    places = id_places(world.number[person])
    lengths = np.full(rows, 18, dtype=np.int64)
    kind = _kinds(rows, rates.left_damaged, 4, chance)
    damage_ids(places, lengths, np.where(kind > 0, kind + 1, 0).astype(np.int8), chance)
    former = np.zeros((rows, 3), dtype=np.uint16)
    renamed = np.flatnonzero(
        (pupils.name_kind == _NEW) & (chance.random(rows, dtype=np.float32) < rates.former_name_known)
    )
    row_of = np.full(len(world.family), -1, dtype=np.int64)
    row_of[person] = np.arange(rows)
    known = row_of[pupils.person[renamed]]
    former[known[known >= 0]] = pupils.name[renamed[known >= 0]]
    _other_given_names(world, person, former, rates.former_name_other, chance)
    columns = _common_columns(world, person, world.sex[person], world.day[person], world.county[family])
    columns["id_number"] = texts(places, lengths)
    del places
    columns["name"] = name_texts(world.stock, world.name[person])
    columns["former_name"] = name_texts(world.stock, former)
    columns["household"] = pl.Series(family.astype(np.int64) + 10**8).cast(pl.String)
    for adult, parent in (("father", world.father), ("mother", world.mother)):
        unknown = (chance.random(len(world.county), dtype=np.float32) < rates.parent_unknown)[family]
        names, numbers = parent.name[family], parent.number[family]
        names[unknown], numbers[unknown] = 0, 0
        columns[f"{adult}_name"] = name_texts(world.stock, names)
        columns[f"{adult}_id_number"] = id_texts(numbers)
    hers = (chance.random(len(world.county), dtype=np.float32) < 0.5)[family]
    columns["guardian_phone"] = phone_texts(np.where(hers, world.mother.phone[family], world.father.phone[family]))
    return pl.DataFrame(columns).select("entity", *LEFT_COLUMNS)


def _right(world: _World, pupils: _Pupils, rates: Rates, chance: np.random.Generator) -> pl.DataFrame:
    person = pupils.person
    rows = len(person)
    sex = np.where(pupils.sex_wrong, 1 - world.sex[person], world.sex[person]).astype(np.int8)
    columns = _common_columns(world, person, sex, pupils.day, pupils.county)
    places = id_places(pupils.number)
    lengths = np.where(pupils.id_kind == MISSING, 0, 18).astype(np.int64)
    damage_ids(places, lengths, pupils.id_kind, chance)
    columns["id_number"] = texts(places, lengths)
    columns["student_number"] = _student_numbers(world, pupils, rates, chance)
    del places
    columns["name"] = name_texts(world.stock, pupils.name)
    former = np.zeros((rows, 3), dtype=np.uint16)
    _other_given_names(world, person, former, rates.former_name_other, chance)
    columns["former_name"] = name_texts(world.stock, former)
    columns.update(_guardians(world, pupils, rates, chance))
    return pl.DataFrame(columns).select("entity", *RIGHT_COLUMNS)


def _student_numbers(world: _World, pupils: _Pupils, rates: Rates, chance: np.random.Generator) -> pl.Series:
    """G and the number written, or a former or the present one; J or L and division, birth date and chance where none is usable."""
    rows = len(pupils.person)
    former = world.former[pupils.person]
    number = pupils.number.copy()
    lot = chance.random(rows, dtype=np.float32)
    own = (pupils.id_kind == NONE) & (former > 0)
    # Of those who have a former number and whose row has the present one: as many G numbers with the former as `Rates` says.
    older = own & (lot < rates.g_number_former * rows / max(int(own.sum()), 1))
    number[older] = former[older]
    newer = (pupils.id_kind == FORMER) & (lot < 0.4)
    number[newer] = world.number[pupils.person[newer]]
    unusable = np.isin(pupils.id_kind, (MISSING, DIGIT, SWAP, DROPPED, FIFTEEN))
    day = _WRITTEN[pupils.day[unusable] - _ORIGIN]
    number[unusable] = _COUNTIES[pupils.county[unusable]] * 10**11 + day * 1000 + chance.integers(0, 1000, len(day))
    places = np.empty((rows, 19), dtype=np.uint8)
    places[:, 1:] = id_places(number)
    places[:, 0] = np.where(unusable, np.where(lot < 0.5, ord("L"), ord("J")), ord("G"))
    temporary = np.flatnonzero(places[:, 0] == ord("L"))  # four digits of chance instead of three and a check
    places[temporary, 18] = chance.integers(48, 58, len(temporary))
    return texts(places)


def _guardians(world: _World, pupils: _Pupils, rates: Rates, chance: np.random.Generator) -> dict[str, pl.Series]:
    family = world.family[pupils.person]
    rows = len(family)
    hers_first = chance.random(rows, dtype=np.float32) < rates.second_first
    raised = world.raised_by[family]
    columns: dict[str, pl.Series] = {}
    for slot in (1, 2):
        hers = hers_first == (slot == 1)
        name = np.where(hers[:, None], world.mother.name[family], world.father.name[family])
        number = np.where(hers, world.mother.number[family], world.father.number[family])
        phone = np.where(hers, world.mother.phone[family], world.father.phone[family])
        if slot == 1 and len(world.grandparent.number):
            old = raised >= 0
            name[old] = world.grandparent.name[raised[old]]
            number[old] = world.grandparent.number[raised[old]]
            phone[old] = world.grandparent.phone[raised[old]]
        wrong = np.where(chance.random(rows, dtype=np.float32) < rates.guardian_name_damaged, _HOMOPHONE, 0)
        misspell(world.stock, name, wrong.astype(np.int8), world.people[family], chance)
        changed = np.flatnonzero(chance.random(rows, dtype=np.float32) < rates.phone_changed)
        phone[changed] = draw_phones(len(changed), chance)
        number[chance.random(rows, dtype=np.float32) < rates.guardian_number_missing] = 0
        none = (pupils.guardian_state == 2) | ((pupils.guardian_state == 1) & (slot == 2))
        name[none], number[none], phone[none] = 0, 0, 0
        columns[f"guardian{slot}_name"] = name_texts(world.stock, name)
        columns[f"guardian{slot}_id_number"] = id_texts(number)
        columns[f"guardian{slot}_phone"] = phone_texts(phone)
    return columns


def _damage(world: _World, pupils: _Pupils) -> pl.DataFrame:
    def words(kinds: NDArray[np.int8], of: tuple[str, ...]) -> pl.Series:
        return pl.Series(of, dtype=pl.Enum(of)).gather(kinds.astype(np.uint32))

    family = world.family[pupils.person]
    return pl.DataFrame(
        {
            "entity": pupils.person,
            "id_number": words(pupils.id_kind, ID_DAMAGE),
            "name": words(pupils.name_kind, NAME_DAMAGE),
            "birth_date": words(pupils.date_kind, DATE_DAMAGE),
            "sex": pupils.sex_wrong,
            "moved": pupils.moved,
            "guardians": words(pupils.guardian_state, GUARDIAN_STATE),
            "twin": world.twin[pupils.person],
            "siblings": (np.diff(world.first)[family] - 1).astype(np.int8),
            "minority": world.people[family] != HAN,
        }
    )


if (
    __name__ == "__main__"
):  # persons, seed, folder: in a process of its own, so that its memory is gone before anything is measured
    write(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
