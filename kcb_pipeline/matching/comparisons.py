"""Comparisons of one attribute: ordered levels from full agreement to contradiction, evaluated on whole batches of pairs.

A comparison prepares each record once (`prepare`) and then gives a level for each pair of a batch (`levels`). Most pairs are
settled by comparing integers: texts are prepared as codes too, and only pairs whose codes differ are looked at by character.
Missing on either side is `MISSING`: no evidence, never a disagreement. What is particular to Chinese identities is in
`kcb_pipeline.matching.chinese`; nothing here knows a weight.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

MISSING: Final = -1

Levels = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of records of two prepared tables: a row of each for every pair. Nothing is gathered before it is asked for."""

    left: pl.DataFrame
    right: pl.DataFrame
    rows_l: NDArray[np.int64]
    rows_r: NDArray[np.int64]

    @classmethod
    def aligned(cls, left: pl.DataFrame, right: pl.DataFrame) -> Pairs:
        """Each row of the left table with the same row of the right one."""
        rows = np.arange(left.height, dtype=np.int64)
        return cls(left, right, rows, rows)

    def __len__(self) -> int:
        return len(self.rows_l)

    def at(self, places: NDArray[np.int64]) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.left, self.right, self.rows_l[places], self.rows_r[places])

    def codes(self, column: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """A column of numbers or flags without missing values, on both sides."""
        return self.left[column].to_numpy()[self.rows_l], self.right[column].to_numpy()[self.rows_r]

    def vocabulary(self, column: str) -> tuple[pl.Series, NDArray[np.int64], NDArray[np.int64]]:
        """The texts of a column that the pairs are of, once a record, and for each pair the places of its two among them."""
        rows_l, places_l = _numbered(self.rows_l, self.left.height)
        rows_r, places_r = _numbered(self.rows_r, self.right.height)
        texts = pl.concat([self.left[column].gather(rows_l), self.right[column].gather(rows_r)])
        return texts, places_l, places_r + len(rows_l)


def _numbered(rows: NDArray[np.int64], height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct rows of a table of that height, rising, and the place of each row among them."""
    if len(rows) < height // 16:  # few of many: sorting them costs less than a look at every row
        return np.unique(rows, return_inverse=True)
    present = np.zeros(height, dtype=bool)
    present[rows] = True
    distinct = np.flatnonzero(present)
    place = np.empty(height, dtype=np.int64)
    place[distinct] = np.arange(len(distinct))
    return distinct, place[rows]


@dataclass(frozen=True)
class Comparison(ABC):
    """One attribute of a person, compared. `name` names its columns (`<name>.…`), its weights (`w_<name>`) and its levels.

    labels: its levels in order, agreement first.
    coincidences: levels at which something unique is the same, though not the value itself: by chance as rare as full agreement.
    near: levels at which one value may have become the other by a slip; with `term_frequency` they too weigh more where one of the two is rare.
    for_life: whether everybody keeps it for life and two people of one household differ in it but by chance (a birth date, not an address).
    is_exception: whether agreement in it is the exception with one person too (names that stand in each other's place): without it nothing is said.
    is_coded: whether it is of one column, for whose value `code` stands: who blocks on that column blocks on what is compared.
    term_frequency: whether agreement on a rare value weighs more than on a common one; `frequency_within` are columns
        within which frequencies are counted (names by sex and decade of birth).
    """

    name: str
    labels: ClassVar[tuple[str, ...]] = ()
    coincidences: ClassVar[tuple[int, ...]] = ()
    near: ClassVar[tuple[int, ...]] = ()
    for_life: ClassVar[bool] = False
    is_exception: ClassVar[bool] = False
    is_coded: ClassVar[bool] = False
    term_frequency: bool = False
    frequency_within: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the records that it looks at. One that stands alone has to be there; of several, those that a table lacks are missing."""
        column = getattr(self, "column", "")
        return (column or self.name,)

    @property
    def coded_column(self) -> str | None:
        """The column for whose value `code` stands."""
        return self.reads[0] if self.is_coded else None

    @property
    def needs(self) -> tuple[str, ...]:
        """Those columns of `reads` without which there is nothing to compare."""
        return self.reads[:1] if self.is_coded else ()

    @abstractmethod
    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The columns, named `<name>.<part>`, that `levels` needs of each record.

        Where equality is the first level, `<name>.code` is a number that is equal where the values are, and 0 where missing.
        """

    @abstractmethod
    def levels(self, pairs: Pairs) -> Levels:
        """The level of each pair."""

    def keys(self, prepared: pl.DataFrame) -> list[pl.Series]:
        """Further columns for blocking, computed only for records that no key settled."""
        return []

    @property
    def families(self) -> tuple[str, ...]:
        """Columns, prepared or of `keys`, in which two different people of one family agree and strangers do not."""
        return ()

    @property
    def explains(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """At which of its levels it says all there is to say about which other columns: their own comparisons are not heard there."""
        return (), ()

    @property
    def code(self) -> str:
        """The prepared column whose equality is the first level."""
        return f"{self.name}.code"

    @property
    def text(self) -> str:
        """The prepared column with the text as it is compared."""
        return f"{self.name}.text"

    @property
    def coded(self) -> tuple[str, str]:
        """The prepared columns with the text and with its code."""
        return self.text, self.code

    def _column(self, part: str, values: pl.Series) -> pl.Series:
        return values.alias(f"{self.name}.{part}")

    def _coded(self, texts: pl.Series) -> list[pl.Series]:
        """The text and its code; an empty text is missing."""
        given = pl.DataFrame({"t": texts}).select(pl.when(pl.col("t") != "").then("t"))["t"]
        return [self._column("code", codes_of(given)), self._column("text", given)]


def texts_of(records: pl.DataFrame, column: str) -> pl.Series:
    """A column as texts; TypeError where it holds several values a record, or no values but bytes."""
    values = records[column]
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object, pl.Duration):
        message = f"column {column} holds {values.dtype}: a comparison looks at one value a record, as text, number, date or category"
        raise TypeError(message)
    return values.cast(pl.String)


def codes_of(values: pl.Series) -> pl.Series:
    """A number for each value, equal where values are, 0 where missing: 64 bits of hash, one chance in 10^13 of a clash in a million."""
    if not values.null_count():
        return values.hash(seed=0)
    return pl.DataFrame({"v": values}).select(
        pl.when(pl.col("v").is_null()).then(pl.lit(0, dtype=pl.UInt64)).otherwise(pl.col("v").hash(seed=0)).alias("c")
    )["c"]


def equal_or_missing(left: NDArray[Any], right: NDArray[Any]) -> tuple[Levels, NDArray[np.int64]]:
    """Level 0 where two codes are equal, `MISSING` where either is 0, and the places of all other pairs."""
    equal = left == right
    missing = (left == 0) | (right == 0)
    levels = np.where(missing, np.int8(MISSING), np.int8(0))
    return levels, np.flatnonzero(~equal & ~missing)


@dataclass(frozen=True, slots=True)
class TextPairs:
    """Pairs of texts, each of which stands once: people share names, birth dates and villages, so there are far fewer than pairs of records.

    lefts, rights: the distinct texts of either side. at_l, at_r: of each pair, the places of its two among them.
    """

    lefts: pl.Series
    rights: pl.Series
    at_l: NDArray[np.int64]
    at_r: NDArray[np.int64]

    @classmethod
    def of(cls, pairs: Pairs, left: tuple[str, str], right: tuple[str, str]) -> tuple[TextPairs, NDArray[np.int64]]:
        """The distinct pairs of texts, and the place of each pair of records among them.

        left, right: of either table, the column of texts and that of their codes, which are equal where they are.
        """
        lefts, at_l = _distinct_texts(pairs.left, left, pairs.rows_l)
        rights, at_r = _distinct_texts(pairs.right, right, pairs.rows_r)
        distinct, place, _ = distinct_codes(at_l * len(rights) + at_r, len(lefts) * len(rights))
        return cls(lefts, rights, *np.divmod(distinct, max(len(rights), 1))), place

    def texts(self) -> tuple[pl.Series, pl.Series]:
        """The two texts of each pair."""
        return self.lefts.gather(self.at_l), self.rights.gather(self.at_r)

    def both(self, of_text: Callable[[pl.Series], pl.Series]) -> tuple[NDArray[Any], NDArray[Any]]:
        """What is worked out once a text, of the two of each pair."""
        return of_text(self.lefts).to_numpy()[self.at_l], of_text(self.rights).to_numpy()[self.at_r]

    def slips(self, most: int) -> NDArray[np.uint8]:
        """Slips of the finger (a character wrong, lost, added, or swapped with its neighbour); more than `most` are not counted."""
        return self._scored(OSA.distance, np.uint8, score_cutoff=most)

    def similarity(self) -> NDArray[np.float32]:
        """Jaro–Winkler similarity (Winkler 1990)."""
        return self._scored(JaroWinkler.similarity, np.float32)

    def _scored(self, scorer: Any, dtype: type[np.generic], score_cutoff: int | None = None) -> NDArray[Any]:
        lefts, rights = self.lefts.to_list(), self.rights.to_list()
        if len(self.at_l) * _DENSE > len(lefts) * len(rights):
            every = process.cdist(lefts, rights, scorer=scorer, dtype=dtype, score_cutoff=score_cutoff)
            return np.asarray(every[self.at_l, self.at_r])
        aligned = [lefts[at] for at in self.at_l.tolist()], [rights[at] for at in self.at_r.tolist()]
        return np.asarray(process.cpdist(*aligned, scorer=scorer, dtype=dtype, score_cutoff=score_cutoff))


_DENSE: Final = 8
"""One text against all others costs, a text, about an eighth of what it costs against one: SIMD compares several at a time."""


def _distinct_texts(
    records: pl.DataFrame, columns: tuple[str, str], rows: NDArray[np.int64]
) -> tuple[pl.Series, NDArray[np.int64]]:
    """The distinct texts of some rows, in the order of their codes, and the place of each row's among them."""
    text, code = columns
    some, place = _numbered(rows, records.height)
    _, first, of_row = np.unique(records[code].to_numpy()[some], return_index=True, return_inverse=True)
    return records[text].gather(some[first]), of_row[place]


def distinct_codes(
    codes: NDArray[np.int64], below: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct codes, rising, the place of each code among them, and how often each occurs; counted where there are few codes to count.

    below: what all codes are less than; none is negative.
    """
    if below > _COUNTABLE * (len(codes) + _FEW):
        distinct, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
        return distinct, places, counts
    counted = np.bincount(codes, minlength=1)
    distinct = np.flatnonzero(counted)
    place = np.zeros(len(counted), dtype=np.int64)
    place[distinct] = np.arange(len(distinct))
    return distinct, place[codes], counted[distinct]


_COUNTABLE: Final = 8
"""Possible codes for each one given up to which counting them all costs less than sorting."""
_FEW: Final = 1 << 13


def on_distinct(
    pairs: Pairs, left: tuple[str, str], right: tuple[str, str], rule: Callable[[TextPairs], NDArray[Any]]
) -> NDArray[Any]:
    """`rule` evaluated once for each distinct pair of texts (`TextPairs.of`), and spread over all pairs."""
    distinct, place = TextPairs.of(pairs, left, right)
    return rule(distinct)[place]


@dataclass(frozen=True)
class Exact(Comparison):
    """Equal or not: sex, codes, anything without spelling."""

    column: str = ""
    is_coded: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = ("equal", "different")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """A number for each value, the same whether a table keeps it as a text, a number or a category; an empty text is missing."""
        return self._coded(texts_of(records, self.reads[0]).str.strip_chars())[:1]

    def levels(self, pairs: Pairs) -> Levels:
        """0 equal, 1 different."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        levels[others] = 1
        return levels


@dataclass(frozen=True)
class Text(Comparison):
    """A text people type: equal, one slip of the finger, close, somewhat close, different. Characters are compared, not bytes.

    close, somewhat: least Jaro–Winkler similarity (Winkler 1990) of those levels.
    column: the column compared, `name` by default.
    """

    column: str = ""
    close: float = 0.9
    somewhat: float = 0.75
    is_coded: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = ("equal", "one slip", "close", "somewhat close", "different")
    near: ClassVar[tuple[int, ...]] = (1, 2)

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The text without case, accents (García, GARCIA) and surplus blanks; an empty one is missing."""
        text = texts_of(records, self.reads[0]).str.normalize("NFKD").str.replace_all("[\u0300-\u036f]", "")
        return self._coded(text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars())

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 4, as `labels`."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        if others.size:
            levels[others] = on_distinct(pairs.at(others), self.coded, self.coded, self.level)
        return levels

    def level(self, texts: TextPairs) -> Levels:
        """The level of each two different texts."""
        similarity = texts.similarity()
        shortest = np.minimum(*texts.both(lambda texts: texts.str.len_chars()))
        return np.select(
            [(texts.slips(1) <= 1) & (shortest >= 3), similarity >= self.close, similarity >= self.somewhat],
            [1, 2, 3],
            default=4,
        ).astype(np.int8)


@dataclass(frozen=True)
class Identifier(Comparison):
    """A number or code that is meant to be unique (a social security number, a phone): equal, one slip, two slips, different."""

    column: str = ""
    is_coded: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = ("equal", "one slip", "two slips", "different")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The letters and digits of the number; an empty one is missing."""
        text = texts_of(records, self.reads[0])
        return self._coded(text.str.normalize("NFKC").str.to_uppercase().str.replace_all(r"[^0-9\p{L}]", ""))

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 3, as `labels`."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        if others.size:
            slips = on_distinct(pairs.at(others), self.coded, self.coded, lambda texts: texts.slips(2))
            levels[others] = np.minimum(slips, 3)
        return levels


@dataclass(frozen=True)
class Number(Comparison):
    """A whole number: equal, a little more or less (ages and years of birth are), one slip of a digit, different (house numbers, postcodes).

    What has letters too (SW1A 1AA, 12b) is equal, or one slip away, or different.
    """

    column: str = ""
    is_coded: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = ("equal", "one away", "two away", "one slip", "up to five away", "different")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The digits as text, with letters that stand at a digit but without words (No. 42) and leading zeros."""
        text = texts_of(records, self.reads[0]).str.replace(r"\.0+$", "").str.to_uppercase()
        return self._coded(text.str.replace_all(r"\b\p{L}+\b|[^0-9\p{L}]", "").str.strip_chars_start("0"))

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 5, as `labels`; a slip is one digit wrong, lost, added or swapped with its neighbour."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        if others.size:
            levels[others] = on_distinct(pairs.at(others), self.coded, self.coded, _number_levels)
        return levels


def _number_levels(texts: TextPairs) -> Levels:
    left, right = texts.both(lambda texts: texts.cast(pl.Int64, strict=False).fill_null(-1))
    away = np.where((left < 0) | (right < 0), _FAR, np.abs(left - right))
    levels = [away == 1, away == 2, texts.slips(1) <= 1, away <= _NEAR]
    return np.select(levels, [1, 2, 3, 4], default=5).astype(np.int8)


_NEAR: Final = 5
_FAR: Final = 1 << 32


_TWO: Final = 2


@dataclass(frozen=True)
class Crossed(Comparison):
    """Two columns that clerks fill the wrong way round (given name and surname): whether one's value stands in the other's place.

    It stands beside the comparisons of the two columns themselves, which say different where the names are crossed: that it explains, and
    they are not heard there.
    columns: the two.
    """

    columns: tuple[str, str] = ("given_name", "surname")
    is_exception: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = ("crossed", "crossed but for spelling", "one of them crossed", "not crossed")

    def __post_init__(self) -> None:
        """ValueError where these are not two columns."""
        if isinstance(self.columns, str) or len(set(self.columns)) != _TWO:
            message = f"comparison {self.name}: columns {self.columns!r}; two columns that may be crossed are wanted"
            raise ValueError(message)

    @property
    def reads(self) -> tuple[str, ...]:
        """The two columns."""
        return self.columns

    @property
    def needs(self) -> tuple[str, ...]:
        """Both."""
        return self.columns

    @property
    def explains(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """The columns' own comparisons, where both names stand in each other's place."""
        return (0, 1), self.columns

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """A code and the text of each."""
        return [
            self._column(f"{part}{kind}", column)
            for part, name in zip(("first", "second"), self.columns, strict=True)
            for kind, column in zip(("", "_text"), Text(part, column=name).prepare(records), strict=True)
        ]

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 3, as `labels`; `MISSING` where neither place can be compared with the other."""
        first_l, first_r = pairs.codes(f"{self.name}.first")
        second_l, second_r = pairs.codes(f"{self.name}.second")
        there = ((first_l != 0) & (second_r != 0)).astype(np.int8) + ((second_l != 0) & (first_r != 0))
        alike = (first_l == second_l) | (first_r == second_r)  # crossing such a name changes nothing
        over = (first_l == second_r) & (first_l != 0), (second_l == first_r) & (second_l != 0)
        levels = np.where((there == 0) | alike, MISSING, 3 - over[0].astype(np.int8) - over[1]).astype(np.int8)
        levels[levels == 1] = 0
        for crossed, left, right in ((over[0], "second", "first"), (over[1], "first", "second")):
            places = np.flatnonzero((levels == 2) & crossed & (there == 2))
            if places.size:
                of_left, of_right = ((f"{self.name}.{which}_text", f"{self.name}.{which}") for which in (left, right))
                spelling = on_distinct(pairs.at(places), of_left, of_right, Text(self.name).level) <= max(Text.near)
                levels[places[spelling]] = 1
        return levels


@dataclass(frozen=True)
class Date(Comparison):
    """A date of birth: equal, then the ways a date is written wrong, then how near it is.

    Accepts a column of dates or of times, or text or numbers: YYYYMMDD, YYYY-MM-DD, 2015/3/12, 2015年3月12日, with or without a time of day,
    12.3.2015 (a text that is no date still has digits to compare).

    month_first: whether 3/12/2015 is of March, as Americans write; where only one of the two can be a month it is that.

    The levels, and where they come from (domain.md §4): day and month swapped; one digit wrong or two neighbours swapped; the
    year one off; a placeholder (first of January of the same year); a lunar date written as a solar one (the traditional
    calendar runs 18 to 51 days behind within the same year); the same year and month; the same year; different.
    """

    column: str = ""
    month_first: bool = False
    for_life: ClassVar[bool] = True
    is_coded: ClassVar[bool] = True
    labels: ClassVar[tuple[str, ...]] = (
        "equal", "day and month swapped", "one slip", "year off by one", "placeholder", "lunar", "same month", "same year", "different",
    )  # fmt: skip

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The eight digits of the date as those of a hexadecimal number (0x20150312), 0 where missing: four bits a digit."""
        if records[self.reads[0]].dtype in (pl.Date, pl.Datetime):
            return [self._column("code", _digits_of(records[self.reads[0]].dt.date()))]
        digits = _eight_digits(texts_of(records, self.reads[0]), month_first=self.month_first)
        written = pl.DataFrame({"d": digits}).select(
            pl.when(pl.col("d").str.len_bytes() == 8)
            .then("d")
            .str.to_integer(base=16, dtype=pl.UInt32, strict=False)
            .fill_null(0)
        )
        return [self._column("code", written.to_series())]

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 8, as `labels`."""
        left, right = pairs.codes(self.code)
        levels, others = equal_or_missing(left, right)
        if others.size:
            levels[others] = _date_levels(left[others], right[others])
        return levels


def _eight_digits(texts: pl.Series, *, month_first: bool) -> pl.Series:
    """The digits of dates, year first; those of a text that is no date as they stand."""
    texts = texts.str.replace(r"\.0+$", "")
    digits = texts.str.replace_all(r"[^0-9]", "")
    otherwise = texts.is_not_null() & ~texts.str.contains(r"^\s*\d{4}[^0-9]?\d{2}[^0-9]?\d{2}\s*$").fill_null(
        value=True
    )
    if not otherwise.any():
        return digits
    part = [
        pl.col("text").str.extract(r"^\s*(\d{1,4})[^0-9]+(\d{1,2})[^0-9]+(\d{1,4})(?:[^0-9].*)?$", at)
        for at in (1, 2, 3)
    ]
    is_year = [of.str.len_bytes() == 4 for of in (part[0], part[2])]
    first, second = (part[0], part[1]) if month_first else (part[1], part[0])
    is_turned = (first.cast(pl.Int32) > _MONTHS) & (second.cast(pl.Int32) <= _MONTHS)
    month, day = pl.when(is_turned).then(second).otherwise(first), pl.when(is_turned).then(first).otherwise(second)
    return pl.DataFrame({"text": texts, "digits": digits, "otherwise": otherwise}).select(
        pl.when(~pl.col("otherwise") | (is_year[0] == is_year[1]).fill_null(value=True))
        .then("digits")
        .when(is_year[0])
        .then(part[0] + part[1].str.zfill(2) + part[2].str.zfill(2))
        .otherwise(part[2] + month.str.zfill(2) + day.str.zfill(2))
    )["digits"]


_MONTHS: Final = 12
_FIRST_DAY, _LAST_DAY = np.datetime64("1850-01-01"), np.datetime64("2150-01-01")


@functools.cache
def _digits_by_day() -> NDArray[np.uint32]:
    """The digits of every day on which somebody in a register may have been born, as `Date.prepare` writes them."""
    days = np.arange(_FIRST_DAY, _LAST_DAY)
    months, years = days.astype("datetime64[M]"), days.astype("datetime64[Y]")
    parts = years.astype(int) + 1970, months.astype(int) % 12 + 1, (days - months).astype(int) + 1
    year, month, day = (sum((part // 10**place % 10) << 4 * place for place in range(4)) for part in parts)
    return np.asarray(year << 16 | month << 8 | day, dtype=np.uint32)


def _digits_of(dates: pl.Series) -> pl.Series:
    """The digits of days; 0 where missing."""
    day = dates.to_physical().fill_null(-(2**31)).to_numpy().astype(np.int64) - _FIRST_DAY.astype(int)
    table = _digits_by_day()
    there = (day >= 0) & (day < len(table))
    digits = np.where(there, table[np.where(there, day, 0)], np.uint32(0))
    odd = np.flatnonzero(~there & dates.is_not_null().to_numpy())
    if odd.size:
        written = dates.gather(odd).dt.strftime("%Y%m%d").str.to_integer(base=16, dtype=pl.UInt32, strict=False)
        digits[odd] = written.fill_null(0).to_numpy()
    return pl.Series(digits)


def _date_levels(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> Levels:
    """The levels of different dates; each rule looks only at the pairs that it may be about."""
    levels = np.full(len(left), 8, dtype=np.int8)
    differing = left ^ right
    same_year = np.flatnonzero(differing < 0x1_0000)
    if same_year.size:
        levels[same_year] = _levels_in_one_year(left[same_year], right[same_year])
    same_day = np.flatnonzero(differing & np.uint32(0xFFFF) == 0)
    year_off = same_day[np.abs(_number(left[same_day] >> 16) - _number(right[same_day] >> 16)) == 1]
    levels[year_off] = 3
    slips = _one_slip(left, right, differing)
    levels[slips[levels[slips] > 2]] = 2
    return levels


def _levels_in_one_year(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> Levels:
    month_day_l, month_day_r = left & np.uint32(0xFFFF), right & np.uint32(0xFFFF)
    swapped = (month_day_l >> 8 == month_day_r & 0xFF) & (month_day_l & 0xFF == month_day_r >> 8)
    placeholder = (month_day_l == 0x0101) | (month_day_r == 0x0101)
    months = _number(month_day_l >> 8) - _number(month_day_r >> 8)
    behind = np.abs(months * 30.4 + _number(month_day_l & 0xFF) - _number(month_day_r & 0xFF))
    lunar = (behind >= 18) & (behind <= 51)
    return np.select([swapped, placeholder, lunar, months == 0], [1, 4, 5, 6], default=7).astype(np.int8)


def _number(digits: NDArray[Any]) -> NDArray[np.int64]:
    """The number that up to four digits, four bits each, are."""
    wide = digits.astype(np.int64)
    return (wide >> 12) * 1000 + (wide >> 8 & 15) * 100 + (wide >> 4 & 15) * 10 + (wide & 15)


def _one_slip(left: NDArray[np.uint32], right: NDArray[np.uint32], differing: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The places of pairs that differ by one digit, or by two neighbours swapped; `differing` is left ^ right."""
    # One bit for each digit that differs.
    bits = (differing | differing >> 1 | differing >> 2 | differing >> 3) & np.uint32(0x1111_1111)
    count = np.bitwise_count(bits)
    two = np.flatnonzero(count == 2)
    low = bits[two] & (~bits[two] + np.uint32(1))
    swap = (differing[two] // low & 15) == (differing[two] // (low << 4) & 15)
    neighbours = bits[two] == low * np.uint32(17)
    crossed = (left[two] // low & 15) == (right[two] // (low << 4) & 15)
    return np.sort(np.concatenate([np.flatnonzero(count == 1), two[neighbours & swap & crossed]]))
