"""Newcomers are shown together, and no later version says otherwise of who came before."""

import polars as pl

from kcb_pipeline.analytics.arrivals import shown_from

SCHEMA = {"child_id": pl.String, "nth": pl.Int64, "from_version": pl.Int32, "to_version": pl.Int32}


def stays(*rows):
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def shown(frame, versions, smallest=3):
    found = shown_from(frame, versions, smallest)
    return {child: (version, late) for child, version, late in found.iter_rows()}


FIRST = [(f"a{n}", 1, 1, None) for n in range(4)]


def test_the_first_version_shows_everybody_and_few_newcomers_wait():
    frame = stays(*FIRST, ("b", 1, 2, None), ("c", 1, 3, None))

    assert shown(frame, [1, 2, 3]) == {f"a{n}": (1, False) for n in range(4)}


def test_newcomers_are_shown_as_soon_as_they_are_enough():
    frame = stays(*FIRST, ("b", 1, 2, None), ("c", 1, 3, None), ("d", 1, 3, None), ("e", 1, 4, None))

    found = shown(frame, [1, 2, 3, 4])

    assert {child: found[child] for child in "bcd"} == {"b": (3, True), "c": (3, False), "d": (3, False)}
    assert "e" not in found


def test_who_leaves_before_the_others_came_counts_for_nobody_and_waits_anew():
    frame = stays(*FIRST, ("b", 1, 2, 3), ("b", 2, 4, None), ("c", 1, 3, None), ("d", 1, 3, None))

    found = shown(frame, [1, 2, 3, 4])

    assert {found[child] for child in "bcd"} == {(4, True), (4, False)}


def test_who_comes_back_stays_as_it_was_shown():
    frame = stays(*FIRST[:3], ("x", 1, 1, 2), ("x", 2, 3, None))

    assert shown(frame, [1, 2, 3])["x"] == (1, False)


def test_who_comes_back_is_shown_once_and_no_company_for_newcomers():
    frame = stays(*FIRST[:3], ("x", 1, 1, 2), ("x", 2, 3, None), ("b", 1, 3, None), ("c", 1, 3, None))

    found = shown_from(frame, [1, 2, 3], 3)

    assert sorted(found["child_id"]) == ["a0", "a1", "a2", "x"]


def test_later_versions_change_nothing_that_was_shown():
    frame = stays(*FIRST, *((f"n{v}", 1, v, None) for v in range(2, 12)))

    before = shown(frame.filter(pl.col("from_version") <= 7), list(range(1, 8)))
    after = shown(frame, list(range(1, 12)))

    assert before.items() <= after.items()
    assert len(after) == 4 + 9
