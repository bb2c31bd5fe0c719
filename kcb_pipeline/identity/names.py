"""Personal names: the one key two spellings share, and names as arrays of characters and readings.

A name is never changed, only keyed. `plain_key` leaves out what never tells people apart (blanks, dots, width, private-use code
points); `NameTable` holds distinct plain keys as arrays, so that comparing a million pairs is array arithmetic
(`kcb_pipeline.matching.chinese`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kcb_pipeline.identity.characters import (
    COMPOUND_SURNAMES,
    DOTS,
    PLACEHOLDERS,
    POINTS,
    PRIVATE_USE_REPAIRS,
    READINGS,
    tables,
)
from kcb_pipeline.identity.text_arrays import code_points

LONGEST: Final = 24
"""Tokens of a name that are compared; the name field holds 25 Hanzi (民委发〔2016〕33号)."""

WILDCARD: Final = POINTS
"""The token of a placeholder: it may stand for any character."""
_LATIN = POINTS + 1
"""Tokens from here on are Latin syllables: pinyin written for a character that could not be."""

_PLAIN = r"^[\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}]+$"
_DOTS_AND_BLANKS = "[" + re.escape(DOTS) + r"\s　\x{200b}-\x{200f}\x{2060}\x{feff}]"
_DOT_LIKE_BULLET = re.compile(r"(?<=[\u3400-\u9fff]{2})\s*[●○]\s*(?=[\u3400-\u9fff]{2})")


def plain_key(names: pl.Series) -> pl.Series:
    """Names without what does not tell people apart: width, blanks, dots, case, private-use code points. Missing stays missing.

    >>> plain_key(pl.Series(["买买提•艾力", " 王 小明", "ＷＡＮＧ xiao"])).to_list()
    ['买买提艾力', '王小明', 'WANGXIAO']
    """
    odd = (~names.str.contains(_PLAIN)).fill_null(value=False).arg_true()
    if not len(odd):
        return names
    distinct = names.gather(odd).unique().sort()
    keys = (
        _bullets_as_dots(distinct)
        .str.replace_all("\u02d9", "")  # NFKC would make a blank and a combining dot of it
        .str.normalize("NFKC")
        .str.replace_many(list(PRIVATE_USE_REPAIRS), list(PRIVATE_USE_REPAIRS.values()))
        .str.replace_all(_DOTS_AND_BLANKS, "")
        .str.to_uppercase()
    )
    keys = keys.set(keys == "", None)
    return names.clone().scatter(odd, names.gather(odd).replace(distinct, keys))


def _bullets_as_dots(names: pl.Series) -> pl.Series:
    """Names in which a bullet between two parts is a dot; elsewhere it stands for a character that could not be shown."""
    places = names.str.contains("[●○]").arg_true()
    if not len(places):
        return names
    dotted = [_DOT_LIKE_BULLET.sub("·", name) for name in names.gather(places)]
    return names.clone().scatter(places, pl.Series(dotted, dtype=pl.String))


@dataclass(frozen=True, slots=True)
class NameTable:
    """Distinct plain names as arrays; a name's code is its row here.

    tokens: (names, longest) folded code points, `WILDCARD` for a placeholder, 0 to the right of the name.
    written: the same without folding: equal where two names are the same characters.
    readings: (names, longest, READINGS) toneless syllables, 0 for none; the surname has its surname reading.
    lengths: tokens in each name.
    """

    tokens: NDArray[np.uint32]
    written: NDArray[np.uint32]
    readings: NDArray[np.int16]
    lengths: NDArray[np.int16]

    @classmethod
    def of(cls, names: pl.Series) -> NameTable:
        """The table of distinct plain names (no missing ones), in their order."""
        character = tables()
        written = code_points(names.str.slice(0, LONGEST))
        if written.shape[1] == 0:
            written = np.zeros((len(names), 1), dtype=np.uint32)
        lengths = (written > 0).sum(axis=1).astype(np.int16)
        tokens = np.zeros(written.shape, dtype=np.uint32)
        readings = np.zeros((*written.shape, READINGS), dtype=np.int16)
        # Place by place: most names end after three characters, and the longest says how wide the table is.
        for place in range(written.shape[1]):
            rows = np.flatnonzero((written[:, place] > 0) & (written[:, place] < POINTS))
            points = written[rows, place]
            tokens[rows, place] = character.folded[points]
            readings[rows, place] = character.readings[points]
        first = character.surname_reading[tokens[:, 0]]
        has_surname_reading = first > 0
        readings[has_surname_reading, 0, 0] = first[has_surname_reading]
        readings[has_surname_reading, 0, 1:] = 0
        table = cls(tokens, written, readings, lengths)
        table._read_compound_surnames()
        odd = names.str.contains("[A-Z" + re.escape(PLACEHOLDERS) + "]").arg_true()
        for place, name in zip(odd.to_list(), names.gather(odd).to_list(), strict=True):
            table._read_by_hand(place, name)
        return table

    def _read_compound_surnames(self) -> None:
        numbers = tables().numbers
        if self.tokens.shape[1] < 2:
            return
        pairs = self.tokens[:, 0].astype(np.uint64) << np.uint64(32) | self.tokens[:, 1].astype(np.uint64)
        for surname, reading in COMPOUND_SURNAMES.items():
            pair = np.uint64(ord(surname[0])) << np.uint64(32) | np.uint64(ord(surname[1]))
            bearers = np.flatnonzero(pairs == pair)
            if bearers.size:
                split = next(at for at in range(1, len(reading)) if reading[:at] in numbers and reading[at:] in numbers)
                for place, syllable in enumerate((reading[:split], reading[split:])):
                    self.readings[bearers, place] = 0
                    self.readings[bearers, place, 0] = numbers[syllable]

    def _read_by_hand(self, place: int, name: str) -> None:
        """A name with Latin letters or placeholders: pinyin syllables become tokens of their own, placeholders wildcards."""
        character = tables()
        tokens: list[tuple[int, int, tuple[int, ...]]] = []  # (folded, written, readings)
        for part in re.findall(r"[A-Z]+|.", name):
            if part.isascii() and part.isalpha():
                for syllable in pinyin_syllables(part) or [part]:
                    number = character.numbers.get(syllable.lower(), 0)
                    code = _LATIN + (
                        number or 1000 + sum(ord(letter) * 31**i for i, letter in enumerate(part)) % 100_000
                    )
                    tokens.append((code, code, (number,) if number else ()))
            elif part in PLACEHOLDERS:
                tokens.append((WILDCARD, WILDCARD, ()))
            else:
                point = ord(part) if ord(part) < POINTS else 0
                tokens.append((int(character.folded[point]), point, tuple(character.readings[point].tolist())))
        width = self.tokens.shape[1]
        self.tokens[place] = self.written[place] = 0
        self.readings[place] = 0
        for at, (folded, written, readings) in enumerate(tokens[:width]):
            self.tokens[place, at] = folded
            self.written[place, at] = written
            self.readings[place, at, : len(readings)] = readings[:READINGS]
        if tokens and tokens[0][0] < POINTS and (surname := character.surname_reading[tokens[0][0]]):
            self.readings[place, 0] = (surname, 0, 0)
        self.lengths[place] = min(len(tokens), width)

    def folded_keys(self) -> NDArray[np.uint64]:
        """One integer a name, equal for variant and traditional forms."""
        return _hashed(self.tokens)

    def pinyin_keys(self) -> NDArray[np.uint64]:
        """One integer a name, equal for names that sound the same by their first readings."""
        return _hashed(self.readings[:, :, 0])

    def sorted_keys(self) -> NDArray[np.uint64]:
        """One integer a name, equal for the same characters in any order (Yi names, surname last)."""
        keys = np.empty(len(self.tokens), dtype=np.uint64)
        long = self.lengths > USUAL_LENGTH
        for rows, tokens in (
            (np.flatnonzero(~long), self.tokens[~long, :USUAL_LENGTH]),
            (np.flatnonzero(long), self.tokens[long]),
        ):
            keys[rows] = _hashed(np.sort(tokens, axis=1)[:, ::-1])
        return keys

    def given_keys(self) -> NDArray[np.uint64]:
        """One integer for what follows the first character: the given name of most Han names; 0 for one-character names."""
        return np.where(self.lengths > 1, _hashed(self.tokens[:, 1:]), np.uint64(0))


_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
USUAL_LENGTH: Final = 4
"""Characters of all but the transliterated names."""


def _hashed(tokens: NDArray[Any]) -> NDArray[np.uint64]:
    """A 64-bit mixture of each row; the padding adds nothing, so the width of the table does not matter."""
    key = np.zeros(len(tokens), dtype=np.uint64)
    for column in range(tokens.shape[1]):
        rows = np.flatnonzero(tokens[:, column] > 0)
        mixed = (key[rows] ^ tokens[rows, column].astype(np.uint64)) * _MULTIPLIER
        key[rows] = mixed ^ (mixed >> np.uint64(29))
    return key


def pinyin_syllables(letters: str) -> list[str]:
    """Latin letters cut into pinyin syllables, the longest first; empty where they are no pinyin.

    >>> pinyin_syllables("ZHANGJIE"), pinyin_syllables("SMITH")
    (['ZHANG', 'JIE'], [])
    """
    numbers = tables().numbers
    lower = letters.lower().replace("ü", "v")
    reach: dict[int, list[str]] = {0: []}
    for end in range(1, len(lower) + 1):
        for start in range(max(0, end - 6), end):
            if start in reach and lower[start:end] in numbers:
                reach[end] = [*reach[start], letters[start:end]]
                break
    return reach.get(len(lower), [])
