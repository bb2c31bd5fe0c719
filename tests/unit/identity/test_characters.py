"""The character tables kept beside the module are those that would be built today, and hold together."""

import dataclasses

import numpy as np
import pytest

from kcb_pipeline.identity.characters import COMPOUND_SURNAMES, POINTS, READINGS, VARIANTS, build, keep, tables

FIELDS = [field.name for field in dataclasses.fields(tables())]


@pytest.fixture(scope="module")
def built():
    return build()


@pytest.mark.parametrize("field", FIELDS)
def test_the_tables_that_are_kept_are_those_that_would_be_built(built, field):
    # After a change of the lists or of a source: python -m kcb_pipeline.identity.characters
    kept, made = getattr(tables(), field), getattr(built, field)

    if isinstance(made, np.ndarray):
        assert kept.dtype == made.dtype
        assert kept.shape == made.shape
        differing = np.flatnonzero((kept != made).reshape(len(made), -1).any(axis=1))
        assert [chr(point) for point in differing[:10]] == []
    else:
        assert kept == made


def test_what_is_kept_is_read_back(built, tmp_path, monkeypatch):
    from kcb_pipeline.identity import characters

    keep(built, tmp_path / "characters.npz")
    monkeypatch.setattr(characters, "_FILE", tmp_path / "characters.npz")
    tables.cache_clear()
    try:
        read = tables()
        assert read.syllables == built.syllables
        assert np.array_equal(read.readings, built.readings)
    finally:
        tables.cache_clear()


def test_every_table_has_a_place_for_every_code_point_and_numbers_fit():
    found = tables()

    assert found.folded.shape == found.surname_reading.shape == (POINTS,)
    assert found.readings.shape == (POINTS, READINGS)
    assert found.readings.max() < len(found.syllables) == len(found.initial) == len(found.near) == len(found.close)
    assert [found.numbers[syllable] for syllable in found.syllables] == list(range(len(found.syllables)))


def test_a_folded_character_folds_no_further():
    folded = tables().folded

    assert np.array_equal(folded[folded], folded)


@pytest.mark.parametrize("group", ["宁甯寧", "刘劉", "杰傑", "国國囯囶", "于於", "升昇陞", "吴吳呉"])
def test_forms_of_one_character_have_one_key(group):
    assert {int(tables().folded[ord(character)]) for character in group} == {ord(group[0])}


@pytest.mark.parametrize(("one", "other"), [("升", "生"), ("己", "已"), ("李", "季"), ("王", "玉")])
def test_two_characters_have_two_keys(one, other):
    assert tables().folded[ord(one)] != tables().folded[ord(other)]


def test_nearness_of_syllables_is_the_same_both_ways_round():
    found = tables()

    assert np.array_equal(found.close, found.close.T)
    assert not found.close[0].any()  # no reading is close to none
    number = found.numbers
    assert found.close[number["du"], number["duo"]]
    assert not found.close[number["du"], number["tu"]]
    near = found.near
    for a, b in (("zhang", "zan"), ("ning", "lin"), ("shan", "san"), ("rong", "long")):
        assert near[number[a]] == near[number[b]]
    assert near[number["wang"]] != near[number["huang"]]


def test_every_compound_surname_can_be_cut_into_its_two_syllables():
    number = tables().numbers

    for surname, reading in COMPOUND_SURNAMES.items():
        assert len(surname) == 2
        assert any(reading[:at] in number and reading[at:] in number for at in range(1, len(reading)))


def test_a_variant_stands_in_one_group_and_once():
    listed = VARIANTS.replace(" ", "")

    assert [variant for variant in listed if listed.count(variant) > 1] == []


@pytest.mark.parametrize("pair", ["碧璧", "菊鞠", "裕袷"])
def test_characters_that_sound_or_look_alike_are_no_variants_of_each_other(pair):
    """鞠 is a surname, 璧 another character than 碧: taken for forms of one, two people would have one name."""
    first, second = (tables().folded[ord(character)] for character in pair)

    assert first != second
