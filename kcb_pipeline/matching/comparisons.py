"""Comparisons of one attribute: ordered levels from full agreement to contradiction, evaluated on whole batches of pairs.

A comparison prepares each record once (`prepare`) and then gives a level for each pair of a batch (`levels`). Most pairs are
settled by comparing integers: texts are prepared as codes too, and only pairs whose codes differ are looked at by character.
Missing on either side is `MISSING`: no evidence, never a disagreement. What is particular to Chinese identities is in
`kcb_pipeline.matching.chinese`; nothing here knows a weight.
"""

from __future__ import annotations

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

    def texts(self, column: str) -> tuple[pl.Series, pl.Series]:
        """A column of texts, on both sides."""
        return self.left[column].gather(self.rows_l), self.right[column].gather(self.rows_r)


@dataclass(frozen=True)
class Comparison(ABC):
    """One attribute of a person, compared. `name` names its columns (`<name>.…`), its weights (`w_<name>`) and its levels.

    labels: its levels in order, agreement first.
    term_frequency: whether agreement on a rare value weighs more than on a common one; `frequency_within` are columns
        within which frequencies are counted (names by sex and decade of birth).
    """

    name: str
    labels: ClassVar[tuple[str, ...]] = ()
    term_frequency: bool = False
    frequency_within: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the records that it looks at; those that a table lacks are missing throughout."""
        column = getattr(self, "column", "")
        return (column or self.name,)

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
    def code(self) -> str:
        """The prepared column whose equality is the first level."""
        return f"{self.name}.code"

    @property
    def text(self) -> str:
        """The prepared column with the text as it is compared."""
        return f"{self.name}.text"

    def _column(self, part: str, values: pl.Series) -> pl.Series:
        return values.alias(f"{self.name}.{part}")

    def _coded(self, texts: pl.Series) -> list[pl.Series]:
        """The text and its code; an empty text is missing."""
        given = pl.DataFrame({"t": texts}).select(pl.when(pl.col("t") != "").then("t"))["t"]
        return [self._column("code", codes_of(given)), self._column("text", given)]


def codes_of(values: pl.Series) -> pl.Series:
    """A number for each value, equal where values are, 0 where missing: 64 bits of hash, one chance in 10^13 of a clash in a million."""
    return pl.DataFrame({"v": values}).select(
        pl.when(pl.col("v").is_null()).then(pl.lit(0, dtype=pl.UInt64)).otherwise(pl.col("v").hash(seed=0)).alias("c")
    )["c"]


def equal_or_missing(left: NDArray[Any], right: NDArray[Any]) -> tuple[Levels, NDArray[np.int64]]:
    """Level 0 where two codes are equal, `MISSING` where either is 0, and the places of all other pairs."""
    equal = left == right
    missing = (left == 0) | (right == 0)
    levels = np.where(missing, np.int8(MISSING), np.int8(0))
    return levels, np.flatnonzero(~equal & ~missing)


def on_distinct(
    left: pl.Series, right: pl.Series, rule: Callable[[pl.Series, pl.Series], NDArray[Any]]
) -> NDArray[Any]:
    """`rule` evaluated once for each distinct pair of values, and spread over all pairs.

    People share names, birth dates and villages, so there are far fewer pairs of values than pairs of records.
    """
    pairs = pl.DataFrame({"l": left, "r": right})
    distinct = pairs.unique()
    if distinct.height > 0.7 * pairs.height:  # hardly anything repeats: looking it up would cost more than it saves
        return rule(left, right)
    distinct = distinct.sort("l", "r")
    answers = pl.Series("answer", rule(distinct["l"], distinct["r"]))
    joined = pairs.join(distinct.with_columns(answers), on=["l", "r"], how="left", maintain_order="left")
    return joined["answer"].to_numpy(writable=True)


@dataclass(frozen=True)
class Exact(Comparison):
    """Equal or not: sex, codes, anything without spelling."""

    column: str = ""
    labels: ClassVar[tuple[str, ...]] = ("equal", "different")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """A number for each value, the same whether a table keeps it as a text, a number or a category."""
        return [self._column("code", codes_of(records[self.column or self.name].cast(pl.String)))]

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
    labels: ClassVar[tuple[str, ...]] = ("equal", "one slip", "close", "somewhat close", "different")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The text without case and surplus blanks; an empty one is missing."""
        text = records[self.column or self.name].cast(pl.String)
        return self._coded(text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars())

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 4, as `labels`."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        if others.size:
            levels[others] = on_distinct(*pairs.at(others).texts(self.text), self._level)
        return levels

    def _level(self, left: pl.Series, right: pl.Series) -> Levels:
        lefts, rights = left.to_list(), right.to_list()
        slips = process.cpdist(lefts, rights, scorer=OSA.distance, score_cutoff=1, dtype=np.uint8)
        similarity = process.cpdist(lefts, rights, scorer=JaroWinkler.similarity, dtype=np.float32)
        shortest = np.minimum(left.str.len_chars().to_numpy(), right.str.len_chars().to_numpy())
        return np.select(
            [(slips <= 1) & (shortest >= 3), similarity >= self.close, similarity >= self.somewhat],
            [1, 2, 3],
            default=4,
        ).astype(np.int8)


@dataclass(frozen=True)
class Identifier(Comparison):
    """A number or code that is meant to be unique (a social security number, a phone): equal, one slip, two slips, different."""

    column: str = ""
    labels: ClassVar[tuple[str, ...]] = ("equal", "one slip", "two slips", "different")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The letters and digits of the number; an empty one is missing."""
        text = records[self.column or self.name].cast(pl.String)
        return self._coded(text.str.normalize("NFKC").str.to_uppercase().str.replace_all(r"[^0-9\p{L}]", ""))

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 3, as `labels`."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        if others.size:
            levels[others] = np.minimum(_slips(pairs.at(others), self.text, most=2), 3)
        return levels


@dataclass(frozen=True)
class Number(Comparison):
    """A whole number: equal, one slip of a digit, different (house numbers, postcodes)."""

    column: str = ""
    labels: ClassVar[tuple[str, ...]] = ("equal", "one slip", "different")

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The digits as text, without leading zeros."""
        text = (
            records[self.column or self.name].cast(pl.String).str.replace(r"\.0+$", "").str.replace_all(r"[^0-9]", "")
        )
        return self._coded(text.str.strip_chars_start("0"))

    def levels(self, pairs: Pairs) -> Levels:
        """0 equal, 1 one digit wrong, lost, added or swapped with its neighbour, 2 different."""
        levels, others = equal_or_missing(*pairs.codes(self.code))
        if others.size:
            levels[others] = np.where(_slips(pairs.at(others), self.text, most=1) <= 1, 1, 2)
        return levels


@dataclass(frozen=True)
class Crossed(Comparison):
    """Two columns that clerks fill the wrong way round (given name and surname): whether one's value stands in the other's place.

    It stands beside the comparisons of the two columns themselves, which then both say different, and says why.
    columns: the two.
    """

    columns: tuple[str, str] = ("given_name", "surname")
    labels: ClassVar[tuple[str, ...]] = ("crossed", "one of them crossed", "not crossed")

    @property
    def reads(self) -> tuple[str, ...]:
        """The two columns."""
        return self.columns

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """A code of each."""
        return [
            self._column(part, Text(part, column=column).prepare(records)[0])
            for part, column in zip(("first", "second"), self.columns, strict=True)
        ]

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 2, as `labels`; `MISSING` where neither place can be compared with the other."""
        first_l, first_r = pairs.codes(f"{self.name}.first")
        second_l, second_r = pairs.codes(f"{self.name}.second")
        there = ((first_l != 0) & (second_r != 0)).astype(np.int8) + ((second_l != 0) & (first_r != 0))
        alike = (first_l == second_l) | (first_r == second_r)  # crossing such a name changes nothing
        over = ((first_l == second_r) & (first_l != 0)).astype(np.int8) + ((second_l == first_r) & (second_l != 0))
        return np.where((there == 0) | alike, MISSING, 2 - over).astype(np.int8)


def _slips(pairs: Pairs, column: str, *, most: int) -> NDArray[np.uint8]:
    """Slips of the finger (a character wrong, lost, added, or swapped with its neighbour) between texts; more than `most` are not counted."""
    left, right = pairs.texts(column)
    return process.cpdist(left.to_list(), right.to_list(), scorer=OSA.distance, score_cutoff=most, dtype=np.uint8)


_DIGIT_PLACES = (10_000_000, 1_000_000, 100_000, 10_000, 1000, 100, 10, 1)


@dataclass(frozen=True)
class Date(Comparison):
    """A date of birth: equal, then the ways a date is written wrong, then how near it is.

    Accepts a Date column, or text or numbers as YYYYMMDD or YYYY-MM-DD (a text that is no date still has digits to compare).

    The levels, and where they come from (domain.md §4): day and month swapped; one digit wrong or two neighbours swapped; the
    year one off; a placeholder (first of January of the same year); a lunar date written as a solar one (the traditional
    calendar runs 18 to 51 days behind within the same year); the same year and month; the same year; different.
    """

    column: str = ""
    labels: ClassVar[tuple[str, ...]] = (
        "equal", "day and month swapped", "one slip", "year off by one", "placeholder", "lunar", "same month", "same year", "different",
    )  # fmt: skip

    def prepare(self, records: pl.DataFrame) -> list[pl.Series]:
        """The date as a number YYYYMMDD, 0 where missing."""
        dates = records[self.column or self.name]
        if dates.dtype in (pl.Date, pl.Datetime):
            number = (
                dates.dt.year().cast(pl.Int32) * 10_000
                + dates.dt.month().cast(pl.Int32) * 100
                + dates.dt.day().cast(pl.Int32)
            )
        else:
            digits = dates.cast(pl.String).str.replace(r"\.0+$", "").str.replace_all(r"[^0-9]", "")
            number = digits.cast(pl.Int32, strict=False)
            number = pl.DataFrame({"n": number, "d": digits}).select(
                pl.when(pl.col("d").str.len_bytes() == 8).then("n")
            )["n"]
        return [self._column("code", number.fill_null(0))]

    def levels(self, pairs: Pairs) -> Levels:
        """0 to 8, as `labels`."""
        left, right = pairs.codes(self.code)
        levels, others = equal_or_missing(left, right)
        if others.size:
            levels[others] = _date_levels(left[others], right[others])
        return levels


def _date_levels(left: NDArray[np.int32], right: NDArray[np.int32]) -> Levels:
    year_l, month_l, day_l = left // 10_000, left // 100 % 100, left % 100
    year_r, month_r, day_r = right // 10_000, right // 100 % 100, right % 100
    same_year = year_l == year_r
    swapped = same_year & (month_l == day_r) & (day_l == month_r)
    placeholder = same_year & (((month_l == 1) & (day_l == 1)) | ((month_r == 1) & (day_r == 1)))
    year_off = (np.abs(year_l - year_r) == 1) & (month_l == month_r) & (day_l == day_r)
    behind = np.abs((month_l - month_r) * 30.4 + day_l - day_r)
    lunar = same_year & (behind >= 18) & (behind <= 51)
    return np.select(
        [swapped, _one_slip(left, right), year_off, placeholder, lunar, same_year & (month_l == month_r), same_year],
        [1, 2, 3, 4, 5, 6, 7],
        default=8,
    ).astype(np.int8)


def _one_slip(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether two eight-digit numbers differ by one digit, or by two neighbours swapped."""
    differing = np.zeros(len(left), dtype=np.int8)
    swaps = np.zeros(len(left), dtype=bool)
    digits = [(left // place % 10, right // place % 10) for place in _DIGIT_PLACES]
    for place, (a, b) in enumerate(digits):
        differing += a != b
        if place:
            before_a, before_b = digits[place - 1]
            swaps |= (a == before_b) & (b == before_a) & (a != b)
    return (differing == 1) | ((differing == 2) & swaps)
