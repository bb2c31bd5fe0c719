"""Which characters of two spellings differ, for a reviewer's eye: by character, so that one wrong digit of eighteen stands out."""

from __future__ import annotations

from rapidfuzz.distance import OSA, Levenshtein

Run = tuple[str, bool]
"""A stretch of text, and whether it differs from the other spelling."""


def marked(left: str, right: str) -> tuple[list[Run], list[Run]]:
    """Both texts in stretches that agree or differ; the fewest characters that an edit would touch are marked.

    >>> marked("王小明", "王晓明")
    ([('王', False), ('小', True), ('明', False)], [('王', False), ('晓', True), ('明', False)])
    """
    touched_l, touched_r = [False] * len(left), [False] * len(right)
    for step in Levenshtein.opcodes(left, right):
        if step.tag != "equal":
            touched_l[step.src_start : step.src_end] = [True] * (step.src_end - step.src_start)
            touched_r[step.dest_start : step.dest_end] = [True] * (step.dest_end - step.dest_start)
    if OSA.distance(left, right) == 1 and len(left) == len(
        right
    ):  # two neighbours swapped: both stand out on both sides
        differ = [a != b for a, b in zip(left, right, strict=True)]
        touched_l, touched_r = differ, differ
    return _runs(left, touched_l), _runs(right, touched_r)


def marked_items(left: list[str], right: list[str], separator: str = "、") -> tuple[list[Run], list[Run]]:
    """Two lists whose order says nothing (guardians): an item that the other side lacks is marked whole."""
    return _item_runs(left, set(right), separator), _item_runs(right, set(left), separator)


def _item_runs(items: list[str], others: set[str], separator: str) -> list[Run]:
    runs: list[Run] = []
    for place, item in enumerate(items):
        if place:
            runs.append((separator, False))
        runs.append((item, item not in others))
    return runs


def _runs(text: str, touched: list[bool]) -> list[Run]:
    runs: list[Run] = []
    for character, differs in zip(text, touched, strict=True):
        if runs and runs[-1][1] == differs:
            runs[-1] = (runs[-1][0] + character, differs)
        else:
            runs.append((character, differs))
    return runs
