"""Comparisons of Chinese identities: ID numbers that know their check digit, names by character and by sound, guardians, places.

Each level says how two spellings of one person come to differ (domain.md §4, linkage.md §2b); each has a test with an example
in `tests/unit/matching/test_chinese.py`.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from kcb_pipeline.identity import id_number
from kcb_pipeline.identity.characters import RENDERINGS, tables
from kcb_pipeline.identity.codes import citizen_numbers_of
from kcb_pipeline.identity.names import USUAL_LENGTH, WILDCARD, NameTable, plain_key
from kcb_pipeline.matching.comparisons import (
    MISSING,
    Comparison,
    Levels,
    Pairs,
    TextPairs,
    codes_of,
    equal_or_missing,
    on_distinct,
    texts_of,
)

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

    column, former: the columns with the name, `name` by default, and, where a table has one, the former name (曾用名): `former_` and the
        column's name by default, none for None.
    """

    column: str = ""
    former: str | None = ""
    term_frequency: bool = True
    is_coded: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = (
        "equal",  # but for dots, blanks and width
        "variant form",  # 刘/劉, 甯/宁, 昇/升
        "former name",  # 曾用名 on one side
        "homophone",  # 张伟/张玮, with surname readings 单/山
        "placeholder",  # 张□, 张jie for 张䶮
        "reordered",  # 吉克阿牛/阿牛吉克
        "look-alike",  # 王晴/王睛
        "near homophone",  # 多吉/多杰, 买买提/麦麦提, 四郎泽仁/索朗次仁, zh/z, n/l, ang/an
        "lost or added",  # 王小明/王明, 买买提·艾力/买买提, cut at the field's width
        "surname differs",  # the mother's surname, or a wrong one
        "one character differs",  # 王小明/王小红: a typing error, or a brother
        "surname only",
        "different",
    )
    near: ClassVar[tuple[int, ...]] = (
        VARIANT, HOMOPHONE, PLACEHOLDER, REORDERED, LOOK_ALIKE, NEAR_HOMOPHONE, LOST_OR_ADDED, SURNAME_DIFFERS, ONE_CHARACTER_DIFFERS,
    )  # fmt: skip

    @property
    def reads(self) -> tuple[str, ...]:
        """The name and the former name."""
        column = self.column or self.name
        former = f"former_{column}" if self.former == "" else self.former
        return (column, former) if former else (column,)

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The plain keys of the name and of the former name, and a code of each."""
        column, *formers = self.reads
        former = next((records[name] for name in formers if name in records.columns), None)
        before = plain_key(former) if former is not None and former.dtype != pl.Null else _nothing(records.height)
        return [
            *self._coded(plain_key(texts_of(records, column))),
            self._column("former", before),
            self._column("has_former", before.is_not_null()),
        ]

    def keys(self, prepared: pl.DataFrame) -> list[pl.Series]:
        """Blocking keys: `folded`, `pinyin`, `sorted` and `given`, integers equal where the names share that much."""
        # Once a distinct name: a province has millions of children and far fewer names.
        codes = prepared[self.code].to_frame("code")
        distinct = codes.with_columns(prepared[self.text].alias("name")).unique("code", keep="any").drop_nulls("name")
        table = NameTable.of(distinct["name"])
        numbered = distinct.select("code").with_row_index("place")
        places = codes.join(numbered, on="code", how="left", maintain_order="left")["place"]
        return [
            self._column(part, pl.Series(keys).gather(places))
            for part, keys in (
                ("folded", table.folded_keys()),
                ("pinyin", table.pinyin_keys()),
                ("sorted", table.sorted_keys()),
                ("given", table.given_keys()),
            )
        ]

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 12, as `labels`."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        if not others.size:
            return levels
        differing = pairs.at(others)
        names, a, b = differing.vocabulary(self.text)
        found = _levels_among(NameTable.of(names), a, b)
        has_former = differing.codes(f"{self.name}.has_former")
        former = f"{self.name}.former"
        for table, rows, has, others_name in (
            (pairs.left, differing.rows_l, has_former[0], b),
            (pairs.right, differing.rows_r, has_former[1], a),
        ):
            places = np.flatnonzero(has & (found > FORMER_NAME))
            if places.size:
                before = name_levels(table[former].gather(rows[places]), names.gather(others_name[places]))
                found[places[before <= VARIANT]] = FORMER_NAME
        levels[others] = found
        return levels


def _nothing(rows: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, rows)


def _is_missing(records: pl.DataFrame, column: str) -> bool:
    return column not in records.columns or records[column].dtype == pl.Null


_MOST_LISTED: Final = 8


def _one_by_one(records: pl.DataFrame, columns: tuple[str, ...]) -> list[pl.Series]:
    """Columns of texts, one for each of the columns, and for one of lists as many as a list may hold; what a table lacks is missing.

    ValueError where a list holds more.
    """
    found = []
    for column in columns:
        if _is_missing(records, column):
            found.append(_nothing(records.height))
        elif isinstance(records[column].dtype, pl.List | pl.Array):
            lists = records[column].cast(pl.List(pl.String))
            longest = int(lists.list.len().fill_null(0).to_numpy().max(initial=0))
            if longest > _MOST_LISTED:
                message = f"column {column} holds lists of {longest} values; {_MOST_LISTED} are looked at"
                raise ValueError(message)
            found += [lists.list.get(place, null_on_oob=True) for place in range(_MOST_LISTED)]
        else:
            found.append(texts_of(records, column))
    return found


def _slots(prepared: pl.DataFrame, stem: str, rows: NDArray[np.int64]) -> list[NDArray[np.uint64]]:
    """The codes of these rows in the columns `<stem>0`, `<stem>1`, …, of which two tables may have different numbers."""
    columns = [f"{stem}{place}" for place in range(len(prepared.columns))]
    there = itertools.takewhile(prepared.columns.__contains__, columns)
    return [prepared[column].to_numpy()[rows] for column in there]


def name_levels(left: pl.Series, right: pl.Series) -> Levels:
    """The level of each pair of plain names (none missing); equal names give `EQUAL`."""
    distinct = pl.concat([left, right]).unique().sort()
    table = NameTable.of(distinct)
    code = pl.DataFrame({"name": distinct, "code": np.arange(len(distinct), dtype=np.int64)})
    a, b = (
        names.to_frame("name").join(code, on="name", how="left", maintain_order="left")["code"].to_numpy()
        for names in (left, right)
    )
    return _levels_among(table, a, b)


def _levels_among(table: NameTable, a: NDArray[np.int64], b: NDArray[np.int64]) -> Levels:
    """The level of each pair of names, given as places in a table."""
    levels = np.empty(len(a), dtype=np.int8)
    near = _NearAtAll(table)
    for start in range(0, len(a), _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        levels[block] = near.levels(a[block], b[block])
    return levels


_PAIRS_AT_ONCE: Final = 1 << 16


class _NearAtAll:
    """Sorts out the pairs of names that share nothing a level asks for, from their first two characters and the last one.

    Nineteen in twenty pairs of strangers end here: every level above `SURNAME_ONLY` wants the last characters equal, or the
    first two to sound alike, look alike or be one word, or the same characters in another order, or something that is no character.
    """

    def __init__(self, table: NameTable) -> None:
        self._table = table
        self._last = table.tokens[np.arange(len(table.lengths)), np.maximum(table.lengths - 1, 0)]
        self._odd: NDArray[np.bool_] = np.asarray(np.any(table.tokens >= WILDCARD, axis=1), dtype=bool)
        self._sorted = table.sorted_keys()
        self._word = _words_at(table.tokens, 0)
        self._classes: dict[tuple[str, int], NDArray[np.int16]] = {}

    def levels(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> Levels:
        tokens, lengths = self._table.tokens, self._table.lengths
        surname_equal = tokens[a, 0] == tokens[b, 0]
        possible = np.array(self._odd[a] | self._odd[b])
        possible |= self._last[a] == self._last[b]
        possible |= self._sorted[a] == self._sorted[b]
        possible |= (self._word[a] == self._word[b]) & (self._word[a] > 0)
        single = np.flatnonzero((lengths[a] == 1) & (lengths[b] == 1))
        possible[single] |= self._share("look-alike", a[single], b[single], 0)
        alike = surname_equal | self._sounds_near(a, b, 0)
        alike &= ~possible
        places = np.flatnonzero(alike)
        if places.size:
            x, y = a[places], b[places]
            if tokens.shape[1] > 1:
                short = (lengths[x] < 2) | (lengths[y] < 2)
                second = (tokens[x, 1] == tokens[y, 1]) | self._sounds_near(x, y, 1) | self._begins_alike(x, y, 1)
                second |= self._share("look-alike", x, y, 1)
                places = places[short | second]
            possible[places] = True
        levels = np.where(surname_equal, SURNAME_ONLY, DIFFERENT).astype(np.int8)
        closer = np.flatnonzero(possible)
        longest = np.maximum(lengths[a[closer]], lengths[b[closer]])
        # A block is as wide as its longest name, so long names are compared by themselves.
        for some in (closer[longest <= USUAL_LENGTH], closer[longest > USUAL_LENGTH]):
            if some.size:
                levels[some] = _Names(self._table, a[some], b[some]).levels()
        return levels

    def _sounds_near(self, a: NDArray[np.int64], b: NDArray[np.int64], place: int) -> NDArray[np.bool_]:
        return self._share("near", a, b, place)

    def _begins_alike(self, a: NDArray[np.int64], b: NDArray[np.int64], place: int) -> NDArray[np.bool_]:
        readings = self._table.readings
        close = tables().close[readings[a, place, 0], readings[b, place, 0]]
        return close | self._share("initial", a, b, place)

    def _share(self, kind: str, a: NDArray[np.int64], b: NDArray[np.int64], place: int) -> NDArray[np.bool_]:
        """Whether any two readings at a place are of one class (`near` or `initial`), or the characters are (`look-alike`)."""
        if (kind, place) not in self._classes:
            if kind == "look-alike":
                tokens = self._table.tokens[:, place]
                glyphs = tables().look_alike[np.where(tokens < WILDCARD, tokens, 0)]
                self._classes[kind, place] = np.where(glyphs > 0, glyphs, np.int16(-1))
            else:
                readings = self._table.readings[:, place]
                classes = tables().near if kind == "near" else tables().initial
                self._classes[kind, place] = np.where(readings > 0, classes[readings], np.int16(-1))
        of_name = self._classes[kind, place]
        shared = np.zeros(len(a), dtype=bool)
        for i in range(of_name.shape[1]):
            left = of_name[:, i][a]
            for j in range(of_name.shape[1]):
                shared |= (left == of_name[:, j][b]) & (left >= 0)
        return shared


@functools.cache
def _renderings() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The two characters, as one number, of every word of `RENDERINGS` in order, and the number of the word that each is a rendering of."""
    words = {
        _two(*tables().folded[[ord(character) for character in rendering]].astype(np.int64)): number
        for number, renderings in enumerate(RENDERINGS.split("|"), start=1)
        for rendering in renderings.split()
    }
    return np.array(sorted(words)), np.array([words[of] for of in sorted(words)])


def _two(first: Any, second: Any) -> Any:
    return first << 32 | second


def _words_at(tokens: NDArray[np.uint32], place: int) -> NDArray[np.int64]:
    """Which word of `RENDERINGS` begins at a place of each name; 0 where none does."""
    found = np.zeros(len(tokens), dtype=np.int64)
    if tokens.shape[1] < place + 2:
        return found
    known, numbers = _renderings()
    written = _two(tokens[:, place].astype(np.int64), tokens[:, place + 1].astype(np.int64))
    at = np.minimum(np.searchsorted(known, written), len(known) - 1)
    is_one = known[at] == written
    found[is_one] = numbers[at[is_one]]
    return found


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
        said = (self.equal & inside & ~wild).any(axis=1)
        by_placeholder &= said | ~wild.any(axis=1)
        homophone = same & (self.equal | sound).all(axis=1)
        near_homophone = same & (self.equal | sound | near).all(axis=1)
        # In transliterations one sound is written with many characters: the initials agree and most syllables do; or whole words are known.
        heard = self.equal | sound | near
        close = tables_.close[self.readings_a[:, :, 0], self.readings_b[:, :, 0]]
        transliteration = (
            same
            & (self.length_a >= 2)
            & (heard | close | (initial & (self.length_a >= 3)[:, None])).all(axis=1)
            & ((heard & inside).sum(axis=1) >= np.maximum(1, self.length_a - 2))
            & self.equal[:, 0]
        )
        rendered = same & (self.length_a % 2 == 0) & (heard | self._renders_one_word()).all(axis=1)
        look_alike = same & (differing == 1) & (self.equal | self._look_alike()).all(axis=1)
        reordered = same & (self.length_a >= 2) & (np.sort(self.a, axis=1) == np.sort(self.b, axis=1)).all(axis=1)
        surname_equal = self.equal[:, 0]
        surname_differs = same & (differing == 1) & ~surname_equal & (self.length_a >= 2) & said
        one_differs = same & (differing == 1) & surname_equal & (self.length_a >= 3)
        return np.select(
            [
                same & self.written_equal,
                same & (differing == 0),
                homophone & ~latin.any(axis=1),
                by_placeholder,
                reordered,
                look_alike,
                near_homophone | transliteration | rendered,
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

    def _renders_one_word(self) -> NDArray[np.bool_]:
        """Whether at a place stands half of a word that the other name has there in another rendering; words are of two characters."""
        shared = np.zeros(self.a.shape, dtype=bool)
        for place in range(0, self.a.shape[1] - 1, 2):
            word = _words_at(self.a, place)
            places = np.flatnonzero(word)
            places = places[word[places] == _words_at(self.b[places], place)]
            shared[places, place : place + 2] = True
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

    column: the number, `name` by default. student_number: the column whose G numbers carry a second, often former, ID number.
    family: columns with numbers of the family; such a number in the child's own column says whose child it is, and no more
        (a pupil without a number is registered with a parent's; domain.md §1.1). Where only the child's own record shows that
        the number is a parent's, the child has none to compare.
    on: the day numbers must have been issued by.
    """

    column: str = ""
    student_number: str | None = None
    family: tuple[str, ...] = ()
    on: dt.date = dt.date(2100, 1, 1)
    is_coded: ClassVar[bool] = True
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
    coincidences: ClassVar[tuple[int, ...]] = (ID_BY_G_NUMBER, ID_EQUAL_INVALID, ID_OF_FAMILY)

    @property
    def reads(self) -> tuple[str, ...]:
        """The number, the student number and the family's numbers."""
        return (self.column or self.name, *([self.student_number] if self.student_number else []), *self.family)

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The cleaned number, whether it is valid, and codes of it, of the number after a G and of the family's numbers.

        `key` and `second_key` are for key rules and blocking: the first 17 digits where the number is valid, else missing.
        """
        numbers, valid = id_number.clean_and_valid(texts_of(records, self.reads[0]), on=self.on)
        columns = [
            *self._coded(numbers),
            self._column("valid", valid),
            self._column("key", id_number.key_of_valid(numbers, valid)),
        ]
        if self.student_number is None or _is_missing(records, self.student_number):
            second = _nothing(records.height)
            second_key = second.cast(pl.Int64)
        else:
            second = _second_numbers(texts_of(records, self.student_number), numbers)
            second_key = id_number.key(second, on=self.on)
        columns += [self._column("second_key", second_key), self._column("second", codes_of(second))]
        family = _one_by_one(records, self.family)
        columns += [self._column(f"family{place}", codes_of(values)) for place, values in enumerate(family)]
        return columns

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 7, as `labels`."""
        left, right = pairs.codes(self.code)
        levels, others = equal_or_missing(left, right)
        levels[(levels == 0) & ~pairs.left[f"{self.name}.valid"].to_numpy()[pairs.rows_l]] = ID_EQUAL_INVALID
        if others.size:
            levels[others] = self._differing(pairs.at(others), left[others], right[others])
        missing = levels == MISSING
        second_l, second_r = pairs.codes(f"{self.name}.second")
        second = ((left == second_r) & (left != 0)) | ((right == second_l) & (right != 0))
        levels[second & (missing | (levels > ID_BY_G_NUMBER))] = ID_BY_G_NUMBER
        return levels

    def keys(self, prepared: pl.DataFrame) -> list[pl.Series]:
        """Blocking keys of numbers of 17 or 18 places: `head`, the first fourteen, and `tail`, the last eight.

        One slip leaves one of the two whole, but for one in month or day, which both hold: those pairs have their names.
        """
        number = pl.col(self.text)
        long = number.str.len_bytes().is_between(17, 18)
        cut = prepared.select(
            pl.when(long).then(number.str.slice(0, 14)).alias(f"{self.name}.head"),
            pl.when(long).then(number.str.slice(-8)).alias(f"{self.name}.tail"),
        )
        return cut.get_columns()

    def _differing(self, pairs: Pairs, left: NDArray[np.uint64], right: NDArray[np.uint64]) -> Levels:
        valid_l, valid_r = pairs.codes(f"{self.name}.valid")
        both_valid = valid_l & valid_r
        levels = np.where(both_valid, ID_BOTH_VALID_DIFFERENT, ID_DIFFERENT).astype(np.int8)
        family, borrowed = np.zeros(len(levels), dtype=bool), np.zeros(len(levels), dtype=bool)
        for kin_l in _slots(pairs.left, f"{self.name}.family", pairs.rows_l):
            family |= right == kin_l
            borrowed |= left == kin_l
        for kin_r in _slots(pairs.right, f"{self.name}.family", pairs.rows_r):
            family |= left == kin_r
            borrowed |= right == kin_r
        levels[borrowed] = MISSING
        levels[family] = ID_OF_FAMILY
        doubtful = np.flatnonzero(~both_valid & ~family & ~borrowed)
        if doubtful.size:
            levels[doubtful] = on_distinct(pairs.at(doubtful), self.coded, self.coded, _slips)
        return levels


def _second_numbers(student_numbers: pl.Series, numbers: pl.Series) -> pl.Series:
    """The ID number after each G where it is another than the record's own: the same number again says nothing more."""
    both = pl.DataFrame({"student": student_numbers, "own": numbers})
    others = both.select(pl.when(pl.col("student").str.slice(1).ne_missing(pl.col("own"))).then("student"))
    return citizen_numbers_of(others.to_series())


def _slips(numbers: TextPairs) -> Levels:
    """Slips between numbers of which one at least cannot be right: 15 digits count as the 18 they came from."""
    left, right = numbers.texts()
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


NONE_SHARED: Final = 3


@dataclass(frozen=True)
class Guardians(Comparison):
    """The people responsible for a child, as sets: who comes first, or which of them is written down, says nothing.

    ids, phones, names: the columns with their numbers, telephones and names, in any order; one that holds lists holds several.
    Brothers and sisters agree on all of it: the engine knows that (see `kcb_pipeline.matching.model`, relatives).
    """

    ids: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    labels: ClassVar[tuple[str, ...]] = ("number or phone shared", "two names shared", "one name shared", "none shared")

    @property
    def reads(self) -> tuple[str, ...]:
        """All the columns of guardians."""
        return (*self.ids, *self.phones, *self.names)

    @property
    def families(self) -> tuple[str, ...]:
        """A guardian's number and telephone."""
        return tuple(f"{self.name}.first_{kind}" for kind, names in self._kinds() if names and kind != "name")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """A code of each number, phone and name: sets of three are compared fastest place by place."""
        return [
            self._column(f"{kind}{place}", codes_of(plain_key(text) if kind == "name" else text))
            for kind, names in self._kinds()
            for place, text in enumerate(_one_by_one(records, names))
        ]

    def keys(self, prepared: pl.DataFrame) -> list[pl.Series]:
        """Blocking keys `first_id`, `first_phone` and `first_name`: the least of each, so that the order written does not matter."""
        keys = []
        for kind, names in self._kinds():
            if not names:
                continue
            slots = [c for c in prepared.columns if re.fullmatch(rf"{re.escape(self.name)}\.{kind}[0-9]+", c)]
            given = [pl.when(pl.col(slot) != 0).then(slot) for slot in slots]
            keys.append(prepared.select(pl.min_horizontal(given).alias(f"{self.name}.first_{kind}")).to_series())
        return keys

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 3, as `labels`."""
        level = np.full(len(pairs), 3, dtype=np.int8)
        comparable = np.zeros(len(pairs), dtype=bool)
        shared = {}
        for kind, names in self._kinds():
            lefts, rights = (
                _slots(table, f"{self.name}.{kind}", rows) if names else []
                for table, rows in ((pairs.left, pairs.rows_l), (pairs.right, pairs.rows_r))
            )
            comparable |= _any_given(lefts, len(pairs)) & _any_given(rights, len(pairs))
            shared[kind] = _in_common(lefts, rights, len(pairs))
        level[shared["name"] == 1] = 2
        level[shared["name"] >= 2] = 1
        level[(shared["id"] > 0) | (shared["phone"] > 0)] = 0
        level[~comparable] = MISSING
        return level

    def __post_init__(self) -> None:
        """A column that stands alone is taken for one, not for the letters of its name; ValueError where there is none."""
        for kind in ("ids", "phones", "names"):
            if isinstance(columns := getattr(self, kind), str):
                object.__setattr__(self, kind, (columns,))
        if not self.reads:
            message = f"comparison {self.name}: columns of guardians' ids, phones or names are wanted"
            raise ValueError(message)

    def _kinds(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return (("id", self.ids), ("phone", self.phones), ("name", self.names))


def _any_given(slots: list[NDArray[np.uint64]], size: int) -> NDArray[np.bool_]:
    there = np.zeros(size, dtype=bool)
    for slot in slots:
        there |= slot != 0
    return there


def _in_common(lefts: list[NDArray[np.uint64]], rights: list[NDArray[np.uint64]], size: int) -> NDArray[np.int8]:
    """How many distinct values of the right are on the left."""
    shared = np.zeros(size, dtype=np.int8)
    for place, slot in enumerate(rights):
        found = np.zeros(size, dtype=bool)
        for other in lefts:
            found |= slot == other
        found &= slot != 0
        for earlier in rights[:place]:  # father and guardian are often one person: he counts once
            found &= slot != earlier
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

    @property
    def reads(self) -> tuple[str, ...]:
        """The two counties."""
        return (self.home, *([self.here] if self.here else []))

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """Each code as a number of six digits, 0 where missing."""
        return [
            self._column(
                part, records[column].cast(pl.String).str.slice(0, 6).cast(pl.Int32, strict=False).fill_null(0)
            )
            if column in records.columns
            else self._column(part, pl.zeros(records.height, dtype=pl.Int32, eager=True))
            for part, column in (("home", self.home), ("here", self.here))
        ]

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 4, as `labels`."""
        home_l, home_r = pairs.codes(f"{self.name}.home")
        here_l, here_r = pairs.codes(f"{self.name}.here")
        level = np.full(len(pairs), 4, dtype=np.int8)
        known = (home_l != 0) & (home_r != 0)
        meets = np.zeros(len(pairs), dtype=bool)
        for left in (home_l, here_l):
            for right in (home_r, here_r):
                meets |= (left == right) & (left != 0)
        level[meets] = np.where(known[meets], 3, 1)
        level[known & (home_l // 100 == home_r // 100)] = 2
        level[known & (home_l == home_r)] = 0
        level[((home_l == 0) & (here_l == 0)) | ((home_r == 0) & (here_r == 0))] = MISSING
        return level
