"""Comparisons of Chinese identities: ID numbers that know their check digit, names by character and by sound, guardians, places.

Each level says how two spellings of one person come to differ (domain.md §4, linkage.md §2b); each has a test with an example
in `tests/unit/matching/test_chinese.py`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.characters import tables
from kcb_pipeline.identity.codes import citizen_numbers_of
from kcb_pipeline.identity.names import WILDCARD, NameTable, plain_key
from kcb_pipeline.matching.comparisons import MISSING, Comparison, Levels, equal_or_missing, on_distinct

# -- names ---------------------------------------------------------------------------------------------------------

(
    EQUAL,
    VARIANT,
    FORMER_NAME,
    HOMOPHONE,
    PLACEHOLDER,
    REORDERED,
    LOOK_ALIKE,
    NEAR_HOMOPHONE,
    LOST_OR_ADDED,
    SURNAME_DIFFERS,
    ONE_CHARACTER_DIFFERS,
    SURNAME_ONLY,
    DIFFERENT,
) = range(13)


@dataclass(frozen=True)
class ChineseName(Comparison):
    """A Chinese name, of any of the peoples of China, by character and by sound; never by byte.

    column, former: the columns with the name and, where a table has one, the former name (曾用名).
    """

    column: str = "name"
    former: str | None = "former_name"
    term_frequency: bool = True
    labels: ClassVar[tuple[str, ...]] = (
        "equal",  # but for dots, blanks and width
        "variant form",  # 刘/劉, 甯/宁, 昇/升
        "former name",  # 曾用名 on one side
        "homophone",  # 张伟/张玮, with surname readings 单/山
        "placeholder",  # 张□, 张jie for 张䶮
        "reordered",  # 吉克阿牛/阿牛吉克
        "look-alike",  # 王晴/王睛
        "near homophone",  # 多吉/多杰, 买买提/麦麦提, zh/z, n/l, ang/an
        "lost or added",  # 王小明/王明, 买买提·艾力/买买提, cut at the field's width
        "surname differs",  # the mother's surname, or a wrong one
        "one character differs",  # 王小明/王小红: a typing error, or a brother
        "surname only",
        "different",
    )

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The plain keys of the name and of the former name."""
        columns = [self._column("value", plain_key(records[self.column]))]
        former = records[self.former] if self.former and self.former in records.columns else None
        if former is None or former.dtype == pl.Null:
            former = pl.Series([None], dtype=pl.String).new_from_index(0, records.height)
        return [*columns, self._column("former", plain_key(former))]

    def keys(self, prepared: pl.DataFrame) -> list[pl.Series]:
        """Blocking keys: `folded`, `pinyin`, `sorted` and `given`, integers equal where the names share that much."""
        distinct = prepared[self.value].drop_nulls().unique().sort()
        table = NameTable.of(distinct)
        keyed = pl.DataFrame(
            {
                self.value: distinct,
                f"{self.name}.folded": table.folded_keys(),
                f"{self.name}.pinyin": table.pinyin_keys(),
                f"{self.name}.sorted": table.sorted_keys(),
                f"{self.name}.given": table.given_keys(),
            }
        )
        joined = prepared.select(self.value).join(keyed, on=self.value, how="left", maintain_order="left")
        return [joined[f"{self.name}.{key}"] for key in ("folded", "pinyin", "sorted", "given")]

    def levels_of(self, left: pl.DataFrame, right: pl.DataFrame) -> Levels:
        """0 to 12, as `labels`."""
        levels, others = equal_or_missing(left[self.value], right[self.value])
        if not others.size:
            return levels
        lefts, rights = left[self.value].gather(others), right[self.value].gather(others)
        found = on_distinct(lefts, rights, name_levels)
        former = f"{self.name}.former"
        for formers, names in ((left[former], rights), (right[former], lefts)):
            known = formers.gather(others)
            has = known.is_not_null().to_numpy() & (found > FORMER_NAME)
            places = np.flatnonzero(has)
            if places.size:
                as_before = on_distinct(known.gather(places), names.gather(places), name_levels)
                found[places[as_before <= VARIANT]] = FORMER_NAME
        levels[others] = found
        return levels


def name_levels(left: pl.Series, right: pl.Series) -> Levels:
    """The level of each pair of plain names (none missing); equal names give `EQUAL`."""
    distinct = pl.concat([left, right]).unique().sort()
    table = NameTable.of(distinct)
    code = pl.DataFrame({"name": distinct, "code": np.arange(len(distinct), dtype=np.int64)})
    a, b = (
        names.to_frame("name").join(code, on="name", how="left", maintain_order="left")["code"].to_numpy()
        for names in (left, right)
    )
    levels = np.empty(len(left), dtype=np.int8)
    for start in range(0, len(left), _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        levels[block] = _Names(table, a[block], b[block]).levels()
    return levels


_PAIRS_AT_ONCE: Final = 1 << 16


class _Names:
    """A block of pairs of names, as arrays aligned place by place."""

    def __init__(self, table: NameTable, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
        self.length_a, self.length_b = table.lengths[a], table.lengths[b]
        width = max(int(self.length_a.max(initial=1)), int(self.length_b.max(initial=1)))
        self.a, self.b = table.tokens[a, :width], table.tokens[b, :width]
        self.written_equal = (table.written[a, :width] == table.written[b, :width]).all(axis=1)
        self.readings_a, self.readings_b = table.readings[a, :width], table.readings[b, :width]
        self.same_length = self.length_a == self.length_b
        self.equal = self.a == self.b

    def levels(self) -> Levels:
        tables_ = tables()
        inside = self.a > 0
        wild = ((self.a == WILDCARD) | (self.b == WILDCARD)) & inside & (self.b > 0)
        latin = ((self.a > WILDCARD) ^ (self.b > WILDCARD)) & inside & (self.b > 0)
        sound = self._shares(self.readings_a, self.readings_b)
        near = self._shares(
            tables_.near[self.readings_a], tables_.near[self.readings_b], of=(self.readings_a, self.readings_b)
        )
        initial = self._shares(
            tables_.initial[self.readings_a], tables_.initial[self.readings_b], of=(self.readings_a, self.readings_b)
        )
        same = self.same_length
        differing = (~self.equal).sum(axis=1)
        by_placeholder = same & (self.equal | wild | (latin & sound)).all(axis=1) & (wild | (latin & sound)).any(axis=1)
        # A name that is all placeholders says nothing of whose it is.
        by_placeholder &= (self.equal & inside).any(axis=1) | ~wild.any(axis=1)
        homophone = same & (self.equal | sound).all(axis=1)
        near_homophone = same & (self.equal | sound | near).all(axis=1)
        # In transliterations one sound is written with many characters: the initials agree and most syllables do.
        heard = self.equal | sound | near
        close = tables_.close[self.readings_a[:, :, 0], self.readings_b[:, :, 0]]
        transliteration = (
            same
            & (self.length_a >= 2)
            & (heard | close | (initial & (self.length_a >= 3)[:, None])).all(axis=1)
            & ((heard & inside).sum(axis=1) >= np.maximum(1, self.length_a - 2))
            & self.equal[:, 0]
        )
        look_alike = same & (differing == 1) & (self.equal | self._look_alike()).all(axis=1)
        reordered = same & (self.length_a >= 2) & (np.sort(self.a, axis=1) == np.sort(self.b, axis=1)).all(axis=1)
        surname_equal = self.equal[:, 0]
        surname_differs = same & (differing == 1) & ~surname_equal & (self.length_a >= 2)
        one_differs = same & (differing == 1) & surname_equal & (self.length_a >= 3)
        return np.select(
            [
                same & self.written_equal,
                same & (differing == 0),
                homophone & ~latin.any(axis=1),
                by_placeholder,
                reordered,
                look_alike,
                near_homophone | transliteration,
                self._lost_or_added(),
                surname_differs,
                one_differs,
                surname_equal,
            ],
            [
                EQUAL, VARIANT, HOMOPHONE, PLACEHOLDER, REORDERED, LOOK_ALIKE, NEAR_HOMOPHONE,
                LOST_OR_ADDED, SURNAME_DIFFERS, ONE_CHARACTER_DIFFERS, SURNAME_ONLY,
            ],
            default=DIFFERENT,
        ).astype(np.int8)  # fmt: skip

    @staticmethod
    def _shares(
        a: NDArray[np.int16], b: NDArray[np.int16], of: tuple[NDArray[np.int16], NDArray[np.int16]] | None = None
    ) -> NDArray[np.bool_]:
        """Whether any of the readings at a place is common to both; `of` says which readings there are."""
        there_a, there_b = of or (a, b)
        shared = np.zeros(a.shape[:2], dtype=bool)
        for i in range(a.shape[2]):
            for j in range(b.shape[2]):
                shared |= (a[:, :, i] == b[:, :, j]) & (there_a[:, :, i] > 0) & (there_b[:, :, j] > 0)
        return shared

    def _look_alike(self) -> NDArray[np.bool_]:
        classes = tables().look_alike
        a = classes[np.where(self.a < WILDCARD, self.a, 0)]
        b = classes[np.where(self.b < WILDCARD, self.b, 0)]
        shared = np.zeros(self.a.shape, dtype=bool)
        for i in range(2):
            for j in range(2):
                shared |= (a[:, :, i] == b[:, :, j]) & (a[:, :, i] > 0)
        return shared

    def _lost_or_added(self) -> NDArray[np.bool_]:
        """One token more on one side; or one side is the beginning of the other, three tokens or more."""
        shorter = np.minimum(self.length_a, self.length_b).astype(np.int64)
        gap = np.abs(self.length_a - self.length_b)
        prefix = np.cumprod(self.equal & (self.a > 0), axis=1).sum(axis=1)
        suffix = self._common_suffix()
        return ((gap == 1) & (shorter >= 2) & (prefix + suffix >= shorter)) | (
            (gap >= 2) & (shorter >= 3) & (prefix >= shorter)
        )

    def _common_suffix(self) -> NDArray[np.int64]:
        width = self.a.shape[1]
        steps = np.arange(width)
        aligned = []
        for tokens, lengths in ((self.a, self.length_a), (self.b, self.length_b)):
            place = lengths[:, None].astype(np.int64) - 1 - steps
            aligned.append(np.where(place >= 0, np.take_along_axis(tokens, np.maximum(place, 0), axis=1), 0))
        return np.cumprod((aligned[0] == aligned[1]) & (aligned[0] > 0), axis=1).sum(axis=1)


# -- ID numbers ----------------------------------------------------------------------------------------------------

(
    ID_EQUAL,
    ID_BY_G_NUMBER,
    ID_EQUAL_INVALID,
    ID_ONE_SLIP,
    ID_TWO_SLIPS,
    ID_OF_FAMILY,
    ID_BOTH_VALID_DIFFERENT,
    ID_DIFFERENT,
) = range(8)


@dataclass(frozen=True)
class ChineseIdNumber(Comparison):
    """公民身份号码, compared by someone who knows its check digit.

    MOD 11-2 catches every single wrong digit and every swap of neighbours, so two *valid* numbers never differ by a slip:
    valid and different is strong evidence of two people. It is never a veto: a brother's number or a corrected one is valid too.

    column: the number. student_number: the column whose G numbers carry a second, often former, ID number.
    family: columns with numbers of the family; such a number in the child's own column says whose child it is, and no more
        (a pupil without a number is registered with a parent's; domain.md §1.1).
    on: the day numbers must have been issued by.
    """

    column: str = "id_number"
    student_number: str | None = None
    family: tuple[str, ...] = ()
    on: dt.date = dt.date(2100, 1, 1)
    labels: ClassVar[tuple[str, ...]] = (
        "equal",
        "by G number",
        "equal, check digit wrong",
        "one slip",
        "two slips",
        "of the family",
        "both valid, different",
        "different",
    )

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The cleaned number, whether it is valid, the number after a G, and the family's numbers as a list."""
        numbers = id_number.clean(records[self.column].cast(pl.String))
        valid = id_number.valid(numbers, on=self.on)
        none = pl.Series([None], dtype=pl.String).new_from_index(0, records.height)
        second = none
        if self.student_number and self.student_number in records.columns:
            second = citizen_numbers_of(records[self.student_number])
        family = [column for column in self.family if column in records.columns]
        columns = [self._column("value", numbers), self._column("valid", valid), self._column("second", second)]
        for place in range(len(self.family)):
            given = records[family[place]].cast(pl.String) if place < len(family) else none
            columns.append(self._column(f"family{place}", given))
        return columns

    def levels_of(self, left: pl.DataFrame, right: pl.DataFrame) -> Levels:
        """0 to 7, as `labels`."""
        levels, others = equal_or_missing(left[self.value], right[self.value])
        levels[(levels == 0) & ~left[f"{self.name}.valid"].to_numpy()] = ID_EQUAL_INVALID
        missing = levels == MISSING
        if others.size:
            levels[others] = self._differing(left[others], right[others])
        second = self._by_second(left, right)
        levels[second & (missing | (levels > ID_BY_G_NUMBER))] = ID_BY_G_NUMBER
        return levels

    def keys(self, prepared: pl.DataFrame) -> list[pl.Series]:
        """Blocking keys of numbers of 17 or 18 places: `head`, the first fourteen, and `tail`, the last eight.

        One slip anywhere leaves one of the two whole.
        """
        number = pl.col(self.value)
        long = number.str.len_bytes().is_between(17, 18)
        cut = prepared.select(
            pl.when(long).then(number.str.slice(0, 14)).alias(f"{self.name}.head"),
            pl.when(long).then(number.str.slice(-8)).alias(f"{self.name}.tail"),
        )
        return cut.get_columns()

    def _by_second(self, left: pl.DataFrame, right: pl.DataFrame) -> NDArray[np.bool_]:
        l_value, l_second, r_value, r_second = (
            frame[f"{self.name}.{part}"] for frame in (left, right) for part in ("value", "second")
        )
        pairs = pl.DataFrame({"lv": l_value, "ls": l_second, "rv": r_value, "rs": r_second})
        same = (pl.col("lv") == pl.col("rs")) | (pl.col("ls") == pl.col("rv"))
        return pairs.select(same.fill_null(value=False).alias("same"))["same"].to_numpy()

    def _differing(self, left: pl.DataFrame, right: pl.DataFrame) -> Levels:
        lefts, rights = left[self.value], right[self.value]
        valid_l, valid_r = left[f"{self.name}.valid"].to_numpy(), right[f"{self.name}.valid"].to_numpy()
        both_valid = valid_l & valid_r
        levels = np.where(both_valid, ID_BOTH_VALID_DIFFERENT, ID_DIFFERENT).astype(np.int8)
        family = np.zeros(len(levels), dtype=bool)
        for place in range(len(self.family)):
            for numbers, kin in (
                (lefts, right[f"{self.name}.family{place}"]),
                (rights, left[f"{self.name}.family{place}"]),
            ):
                family |= (numbers == kin).fill_null(value=False).to_numpy()
        levels[family] = ID_OF_FAMILY
        doubtful = np.flatnonzero(~both_valid & ~family)
        if doubtful.size:
            levels[doubtful] = on_distinct(lefts.gather(doubtful), rights.gather(doubtful), _slips)
        return levels


def _slips(left: pl.Series, right: pl.Series) -> Levels:
    """Slips between numbers of which one at least cannot be right: 15 digits count as the 18 they came from."""
    lefts, rights = _lengthened(left, right), _lengthened(right, left)
    slips = process.cpdist(lefts.to_list(), rights.to_list(), scorer=OSA.distance, score_cutoff=2, dtype=np.uint8)
    return np.select([slips <= 1, slips == 2], [ID_ONE_SLIP, ID_TWO_SLIPS], default=ID_DIFFERENT).astype(np.int8)


def _lengthened(numbers: pl.Series, others: pl.Series) -> pl.Series:
    """15-digit numbers (GB 11643-1989) with the century and the check digit of the number they are compared with."""
    frame = pl.DataFrame({"n": numbers, "o": others})
    full = (
        pl.col("n").str.slice(0, 6)
        + pl.col("o").str.slice(6, 2)
        + pl.col("n").str.slice(6)
        + pl.col("o").str.slice(17, 1)
    )
    is_short = pl.col("n").str.contains(r"^\d{15}$") & (pl.col("o").str.len_bytes() == 18)
    return frame.select(pl.when(is_short).then(full).otherwise("n").alias("n"))["n"]


# -- family and place ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Guardians(Comparison):
    """The people responsible for a child, as sets: who comes first, or which of them is written down, says nothing.

    ids, phones, names: the columns with their numbers, telephones and names, in any order.
    Brothers and sisters agree on all of it: the engine knows that (see `kcb_pipeline.matching.model`, relatives).
    """

    ids: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    labels: ClassVar[tuple[str, ...]] = ("number or phone shared", "two names shared", "one name shared", "none shared")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """One column a number, phone or name, as hashes: sets of three are compared fastest place by place."""
        columns = []
        for kind, names in (("id", self.ids), ("phone", self.phones), ("name", self.names)):
            for place, column in enumerate(names):
                there = column in records.columns
                text = (
                    records[column].cast(pl.String)
                    if there
                    else pl.Series([None], dtype=pl.String).new_from_index(0, records.height)
                )
                text = plain_key(text) if kind == "name" else text
                hashed = pl.DataFrame({"t": text}).select(
                    pl.when(pl.col("t").is_not_null()).then(pl.col("t").hash(seed=0))
                )["t"]
                columns.append(self._column(f"{kind}{place}", hashed))
        return columns

    def keys(self, prepared: pl.DataFrame) -> list[pl.Series]:
        """Blocking keys `first_id`, `first_phone` and `first_name`: the least of each, so that the order written does not matter."""
        keys = []
        for kind, names in self._kinds():
            slots = [pl.col(f"{self.name}.{kind}{place}") for place in range(len(names))]
            least = prepared.select(pl.min_horizontal(slots).alias(f"{self.name}.first_{kind}"))
            keys.append(least.to_series())
        return keys

    def levels_of(self, left: pl.DataFrame, right: pl.DataFrame) -> Levels:
        """0 to 3, as `labels`."""
        shared = {kind: self._shared(left, right, kind, len(names)) for kind, names in self._kinds()}
        comparable = np.zeros(left.height, dtype=bool)
        for kind, names in self._kinds():
            comparable |= self._any(left, kind, len(names)) & self._any(right, kind, len(names))
        level = np.select(
            [(shared["id"] > 0) | (shared["phone"] > 0), shared["name"] >= 2, shared["name"] == 1], [0, 1, 2], default=3
        )
        return np.where(comparable, level, MISSING).astype(np.int8)

    def _kinds(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (("id", self.ids), ("phone", self.phones), ("name", self.names))

    def _slots(self, frame: pl.DataFrame, kind: str, count: int) -> list[pl.Series]:
        return [frame[f"{self.name}.{kind}{place}"] for place in range(count)]

    def _any(self, frame: pl.DataFrame, kind: str, count: int) -> NDArray[np.bool_]:
        there = np.zeros(frame.height, dtype=bool)
        for slot in self._slots(frame, kind, count):
            there |= slot.is_not_null().to_numpy()
        return there

    def _shared(self, left: pl.DataFrame, right: pl.DataFrame, kind: str, count: int) -> NDArray[np.int8]:
        """How many distinct values of the right are on the left."""
        shared = np.zeros(left.height, dtype=np.int8)
        for place, slot in enumerate(rights := self._slots(right, kind, count)):
            found = np.zeros(left.height, dtype=bool)
            for other in self._slots(left, kind, count):
                found |= (slot == other).fill_null(value=False).to_numpy()
            for earlier in rights[:place]:  # father and guardian are often one person: he counts once
                found &= ~(slot == earlier).fill_null(value=False).to_numpy()
            shared += found
        return shared


@dataclass(frozen=True)
class Place(Comparison):
    """Where a child belongs (GB/T 2260): the county of the 户籍 first, and where it lives or goes to school second.

    home: the column with the county of the 户籍. here: the column with the county of residence or of the school. A child
    whose 户籍 is known to be elsewhere is hardly the one of that name registered here, though its school stands in the county.
    """

    home: str = "division_code"
    here: str = ""
    labels: ClassVar[tuple[str, ...]] = (
        "same county of 户籍",
        "one 户籍 unknown, same county",
        "户籍 in the same prefecture",
        "户籍 differs, same county",
        "different",
    )

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """Each code as a number of six digits."""
        return [
            self._column(part, records[column].cast(pl.String).str.slice(0, 6).cast(pl.Int32, strict=False))
            if column in records.columns
            else self._column(part, pl.Series([None], dtype=pl.Int32).new_from_index(0, records.height))
            for part, column in (("home", self.home), ("here", self.here))
        ]

    def levels_of(self, left: pl.DataFrame, right: pl.DataFrame) -> Levels:
        """0 to 4, as `labels`."""
        pairs = pl.DataFrame(
            {
                f"{side}_{part}": frame[f"{self.name}.{part}"]
                for side, frame in (("l", left), ("r", right))
                for part in ("home", "here")
            }
        )
        home_l, home_r = pl.col("l_home"), pl.col("r_home")
        meets = pl.any_horizontal(
            (pl.col(a) == pl.col(b)).fill_null(value=False) for a in ("l_home", "l_here") for b in ("r_home", "r_here")
        )
        either_unknown = home_l.is_null() | home_r.is_null()
        unknown_l = home_l.is_null() & pl.col("l_here").is_null()
        unknown_r = home_r.is_null() & pl.col("r_here").is_null()
        level = (
            pl.when(unknown_l | unknown_r)
            .then(MISSING)
            .when(home_l == home_r)
            .then(0)
            .when(either_unknown & meets)
            .then(1)
            .when(~either_unknown & (home_l // 100 == home_r // 100))
            .then(2)
            .when(~either_unknown & meets)
            .then(3)
            .otherwise(4)
        )
        return pairs.select(level.cast(pl.Int8).alias("level"))["level"].to_numpy()
