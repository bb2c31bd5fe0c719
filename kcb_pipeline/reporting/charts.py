"""Charts of a linkage, each a pure function from numbers to SVG text. None shows a person: they hold counts, weights and shares.

Weight distribution, m and u by level, the waterfall of one pair, what blocking gains, and the records that no evidence could link.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kcb_pipeline.reporting import svg
from kcb_pipeline.reporting.svg import AMBER, BLUE, DEEP, GREY, GRID, INK, QUIET, RED, TEAL, line, picture, rect, text

Scale = Callable[[float], float]
"""From a value to its place on the sheet."""

_WIDTH: Final = 980.0
_LEFT, _RIGHT, _TOP = 32.0, 32.0, 84.0
_LEAST_SHOWN: Final = -40
"""Weights further down are counted in the first column: nothing is decided there."""


# -- match weights -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Panel:
    """One row of the distribution: its words, and by part (words, colour) how many pairs have a weight from each whole number up to the next."""

    words: str
    english: str
    parts: tuple[tuple[str, str, Mapping[int, int]], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A weight worth pointing at, with what it is."""

    weight: float
    words: str
    colour: str


def weight_distribution(panels: Sequence[Panel], marks: Sequence[Mark]) -> str:
    """Match weights of pairs, a panel a decision on one axis, so that few pairs are seen beside many."""
    every = [weight for panel in panels for _, _, counts in panel.parts for weight in counts] or [0]
    low = max(math.floor(min(every) / 5) * 5 - 5, _LEAST_SHOWN)
    high = max(math.ceil((max(every) + 1) / 5) * 5 + 5, low + 10)
    left, right = _LEFT + 132, _WIDTH - _RIGHT

    def x(weight: float) -> float:
        return left + (weight - low) / (high - low) * (right - left)

    out: list[str] = []
    entries = [(colour, words) for panel in panels for words, colour, _ in panel.parts]
    out.append(svg.key(_LEFT, _TOP + 8, entries))
    height, gap, top = 118.0, 30.0, _TOP + 58
    bottom = top + len(panels) * (height + gap) - gap
    for tick in svg.ticks(low, high, 14):
        out.append(line(x(tick), top, x(tick), bottom, GRID))
        words = f"≤ {tick:g}" if tick == low and min(every) < low else f"{tick:g}"
        out.append(text(x(tick), bottom + 18, words, size=11, fill=QUIET, anchor="middle"))
    for number, panel in enumerate(panels):
        out += _histogram(panel, top + number * (height + gap), height, x, (low, high), left, right)
    for place, mark in enumerate(sorted(marks, key=lambda one: one.weight)):
        at, above = x(mark.weight), 13 * (place % 2)
        is_crowded = place + 1 < len(marks) or at > right - 160
        side: svg.Anchor = "end" if is_crowded else "start"
        beside = at - 4 if is_crowded else at + 4
        out.append(line(at, top - 14 - above, at, bottom, mark.colour, width=1.5, dashes="5 3"))
        out.append(text(beside, top - 8 - above, mark.words, size=11.5, fill=mark.colour, anchor=side, bold=True))
    out.append(_below((left + right) / 2, bottom, _MATCH_WEIGHT))
    english = "Match weights of the pairs that were decided on; heights on a scale of powers of ten"
    return picture(_WIDTH, bottom + 56, "匹配权重分布", english, out)


_MATCH_WEIGHT: Final = "匹配权重（log₂） match weight"


def _below(middle: float, bottom: float, words: str) -> str:
    """What an axis measures, below its numbers."""
    return text(middle, bottom + 38, words, size=12, fill=QUIET, anchor="middle")


def _histogram(
    panel: Panel, top: float, height: float, x: Scale, span: tuple[int, int], left: float, right: float
) -> list[str]:
    low, high = span
    bins = high - low
    counted = [[0] * bins for _ in panel.parts]
    for columns, (_, _, counts) in zip(counted, panel.parts, strict=True):
        for weight, count in counts.items():
            columns[max(weight - low, 0)] += count
    most = max((sum(column) for column in zip(*counted, strict=True)), default=0)
    total = sum(map(sum, counted))
    bottom = top + height
    out = [
        text(_LEFT, top + 16, panel.words, size=14, bold=True),
        text(_LEFT, top + 33, panel.english, size=11.5, fill=QUIET),
        text(_LEFT, top + 56, f"{total:,}", size=17, bold=True),
        text(_LEFT, top + 71, "对 pairs", size=11, fill=QUIET),
    ]
    scale = height / math.log10(max(most, 9) + 1)
    for power in range(int(math.log10(max(most, 1))) + 1):
        y = bottom - math.log10(10**power + 1) * scale
        out.append(line(left, y, right, y, GRID))
        out.append(text(left - 6, y + 4, f"{10**power:,}", size=10.5, fill=QUIET, anchor="end"))
    for place in range(bins):
        here = [counts[place] for counts in counted]
        whole, base = sum(here), bottom
        for count, (words, colour, _) in zip(here, panel.parts, strict=True):
            if not count:
                continue
            tall = math.log10(whole + 1) * scale * count / whole
            start = low + place
            tip = f"{words} {start}…{start + 1}: {count:,}"
            out.append(rect(x(start) + 0.5, base - tall, x(start + 1) - x(start) - 1, tall, colour, tip=tip))
            base -= tall
    out.append(line(left, bottom, right, bottom, QUIET))
    return out


# -- m and u -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Level:
    """One level of one comparison: its words, m and u."""

    comparison: str
    words: str
    english: str
    m: float
    u: float

    @property
    def weight(self) -> float:
        """log2(m/u)."""
        return math.log2(self.m) - math.log2(self.u)


def levels_chart(levels: Sequence[Level]) -> str:
    """m and u of every level on a scale of powers of ten, and the weight they make."""
    row, group_gap = 19.0, 14.0
    left, middle, right = _LEFT + 300, _LEFT + 600, _WIDTH - _RIGHT
    lowest = min([math.floor(math.log10(min(level.m, level.u))) for level in levels] or [-1])
    widest = max([abs(level.weight) for level in levels] or [1.0])

    def at(probability: float) -> float:
        return left + (math.log10(probability) - lowest) / -lowest * (middle - 30 - left)

    centre = (middle + right) / 2 + 6
    scale = (right - centre - 34) / max(widest, 1.0)
    meanings = [
        (DEEP, "m：同一人中的比例"),
        (AMBER, "u：不同人中的比例"),
        (BLUE, "权重：支持同一人"),
        (RED, "权重：反对"),
    ]
    out = [svg.key(_LEFT, _TOP + 8, meanings)]
    y = _TOP + 54
    out.append(text(left, y - 16, "概率（对数刻度） probability", size=11.5, fill=QUIET))
    out.append(text(centre, y - 16, "权重 log₂(m/u)", size=11.5, fill=QUIET, anchor="middle"))
    body: list[str] = []
    last = None
    start = y
    for level in levels:
        if level.comparison != last:
            y += group_gap if last is not None else 4
            body.append(line(_LEFT, y - 5, right, y - 5, GRID))
            body.append(text(_LEFT, y + 14, level.comparison, size=13, bold=True))
            last = level.comparison
        body += _level_row(level, y + row / 2, at, centre, scale)
        y += row
    for power in range(lowest, 1):
        out.append(line(at(10.0**power), start, at(10.0**power), y, GRID))
        if power == 0:
            out.append(text(at(1.0), y + 16, "1", size=10.5, fill=QUIET, anchor="middle"))
        else:
            out.append(text(at(10.0**power), y + 16, "10", size=10.5, fill=QUIET, anchor="end"))
            out.append(text(at(10.0**power) + 1, y + 12, f"{power}", size=8, fill=QUIET))
    out.append(line(centre, start, centre, y, QUIET))
    english = "m: how often a level occurs among records of one person; u: among strangers"
    return picture(_WIDTH, y + 34, "各级别的 m、u 与权重", english, [*out, *body])


def _level_row(level: Level, y: float, at: Scale, centre: float, scale: float) -> list[str]:
    tip = f"{level.english}: m {level.m:.3g}, u {level.u:.3g}, {level.weight:+.1f}"
    bar = level.weight * scale
    colour = BLUE if bar >= 0 else RED
    at_end = centre + bar
    return [
        text(_LEFT + 92, y + 4, level.words, size=11.5),
        line(at(level.m), y, at(level.u), y, GREY, width=2),
        svg.dot(at(level.u), y, 4, AMBER, tip=tip),
        svg.dot(at(level.m), y, 4, DEEP, tip=tip),
        rect(min(centre, at_end), y - 5.5, abs(bar), 11, colour, tip=tip, corner=1.5),
        text(at_end + (4 if bar >= 0 else -4), y + 4, f"{level.weight:+.1f}", size=10.5, fill=QUIET, anchor="start" if bar >= 0 else "end"),
    ]  # fmt: skip


# -- one pair ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What one comparison adds to a pair's weight, and at which level."""

    words: str
    level: str
    weight: float


def waterfall(steps: Sequence[Step], *, decision: str, probability: float, threshold: float | None) -> str:
    """How a pair comes to its weight: the prior, then what each comparison adds or takes, and the sum."""
    total = sum(step.weight for step in steps)
    reached = [0.0]
    for step in steps:
        reached.append(reached[-1] + step.weight)
    low = math.floor(min([*reached, threshold or 0.0]) / 5) * 5 - 2
    high = math.ceil(max([*reached, threshold or 0.0]) / 5) * 5 + 4
    left, right, row, top = _LEFT + 270, _WIDTH - _RIGHT - 12, 34.0, _TOP + 22

    def x(weight: float) -> float:
        return left + (weight - low) / (high - low) * (right - left)

    bottom = top + (len(steps) + 1) * row
    out = []
    for tick in svg.ticks(low, high, 12):
        out.append(line(x(tick), top, x(tick), bottom, QUIET if tick == 0 else GRID))
        out.append(text(x(tick), bottom + 18, f"{tick:g}", size=11, fill=QUIET, anchor="middle"))
    if threshold is not None:
        out.append(line(x(threshold), top - 12, x(threshold), bottom, TEAL, width=1.5, dashes="5 3"))
        out.append(text(x(threshold) + 4, top - 4, f"认定线 {threshold:.1f}", size=11.5, fill=TEAL, bold=True))
    for number, step in enumerate(steps):
        y, begin, end = top + number * row, reached[number], reached[number + 1]
        colour = GREY if number == 0 else BLUE if step.weight >= 0 else RED
        value = f"{step.weight:+.1f}" if abs(step.weight) >= 0.05 else "0"
        out += _fall(step.words, step.level, y, row, x(begin), x(end), colour, value)
        out.append(line(x(end), y + row - 7, x(end), y + row + 7, QUIET))
    y = top + len(steps) * row
    decided = f"{decision}，概率 {_probability(probability)}"
    out += _fall("合计", decided, y, row, x(0.0), x(total), DEEP, f"{total:.1f}")
    out.append(_below((left + right) / 2, bottom, _MATCH_WEIGHT))
    english = "Waterfall of one pair: the prior, what each comparison adds or takes away, and the sum"
    return picture(_WIDTH, bottom + 56, "一对记录的权重构成", english, out)


def _fall(words: str, level: str, y: float, row: float, begin: float, end: float, colour: str, value: str) -> list[str]:
    rightwards = end >= begin
    return [
        text(_LEFT, y + row / 2 + 5, words, size=13, bold=True),
        text(_LEFT + 92, y + row / 2 + 5, level, size=11.5, fill=QUIET),
        rect(min(begin, end), y + 7, max(abs(end - begin), 1), row - 14, colour, corner=2),
        text(end + (6 if rightwards else -6), y + row / 2 + 4, value, size=11.5, fill=INK, anchor="start" if rightwards else "end"),
    ]  # fmt: skip


def _probability(value: float) -> str:
    """A probability that never reads as certain.

    >>> _probability(0.99999), _probability(0.42)
    ('>0.9999', '0.4200')
    """
    if value > 0.9999:
        return ">0.9999"
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


# -- blocking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """What one blocking rule gave: pairs, pairs no earlier rule gave, and pairs of blocks too large to compare."""

    words: str
    pairs: int
    new_pairs: int
    capped: int = 0


def blocking_gains(rules: Sequence[Rule]) -> str:
    """Pairs of each rule, and how many of them no rule above it gave."""
    row, left, right, top = 25.0, _LEFT + 200, _WIDTH - _RIGHT - 150, _TOP + 44
    most = max([rule.pairs for rule in rules] or [1]) or 1
    out = [svg.key(_LEFT, _TOP + 8, [(GREY, "该规则给出的记录对 pairs"), (DEEP, "其中此前规则未给出的 new pairs")])]
    bottom = top + len(rules) * row
    for tick in svg.ticks(0, most, 8):
        at = left + tick / most * (right - left)
        out.append(line(at, top, at, bottom, GRID))
        out.append(text(at, bottom + 16, f"{tick:,.0f}", size=10.5, fill=QUIET, anchor="middle"))
    for number, rule in enumerate(rules):
        y = top + number * row
        baseline = y + row / 2 + 4
        out.append(text(left - 10, baseline, rule.words, size=12, anchor="end"))
        for count, colour in ((rule.pairs, GREY), (rule.new_pairs, DEEP)):
            out.append(rect(left, y + 4, count / most * (right - left), row - 8, colour, tip=f"{count:,}", corner=2))
        words = f"{rule.pairs:,} · +{rule.new_pairs:,}"
        out.append(text(left + rule.pairs / most * (right - left) + 8, baseline, words, size=11, fill=QUIET))
        if rule.capped:
            words = f"分块过大未比 {rule.capped:,} 对"
            out.append(text(_WIDTH - _RIGHT, baseline, words, size=11, fill=RED, anchor="end"))
    total = sum(rule.new_pairs for rule in rules)
    words = f"合计比较 {total:,} 对 pairs compared in all (what keys settled is not among them)"
    out.append(text(_LEFT, bottom + 42, words, size=12, fill=QUIET))
    english = "Blocking: pairs of each rule, and what it adds to the rules above it"
    return picture(_WIDTH, bottom + 62, "分块规则的收益", english, out)


# -- unlinkables -------------------------------------------------------------------------------------------------------


def unlinkables(sides: Mapping[str, Sequence[float]], threshold: float) -> str:
    """The share of records whose weight against themselves stays below each weight: what they hold could never link them.

    sides: words → the best weight of each record.
    """
    every = sorted(weight for weights in sides.values() for weight in weights) or [0.0]
    low = min(math.floor(every[0] / 5) * 5, math.floor(threshold / 5) * 5)
    high = max(math.ceil(every[-1] / 5) * 5, low + 10)
    left, right, top, bottom = _LEFT + 46, _WIDTH - _RIGHT - 20, _TOP + 52, _TOP + 380

    def x(weight: float) -> float:
        return left + (weight - low) / (high - low) * (right - left)

    far = threshold + 0.8 * (high - threshold)
    below_far = max([_share_below(weights, far) for weights in sides.values()] or [0.0])
    most = next((one for one in (0.02, 0.05, 0.1, 0.25, 0.5) if one >= 1.15 * below_far), 1.0)

    def y(share: float) -> float:
        return bottom - min(share / most, 1.0) * (bottom - top)

    out = []
    for tick in svg.ticks(low, high, 12):
        out.append(line(x(tick), top, x(tick), bottom, GRID))
        out.append(text(x(tick), bottom + 18, f"{tick:g}", size=11, fill=QUIET, anchor="middle"))
    for share in (most * part / 5 for part in range(6)):
        out.append(line(left, y(share), right, y(share), QUIET if share == 0 else GRID))
        words = f"{share:.1%}" if most < 0.5 else f"{share:.0%}"
        out.append(text(left - 8, y(share) + 4, words, size=11, fill=QUIET, anchor="end"))
    out.append(line(x(threshold), top - 12, x(threshold), bottom, RED, width=1.5, dashes="5 3"))
    out.append(text(x(threshold) + 5, top - 3, f"认定线 {threshold:.1f}", size=11.5, fill=RED, bold=True))
    entries = []
    for (words, weights), colour in zip(sides.items(), (DEEP, AMBER), strict=False):
        share = _share_below(weights, threshold)
        below = f"{round(share * len(weights)):,} / {len(weights):,}（{share:.2%}）无法达到认定线"
        entries.append((colour, f"{words}：{below}"))
        points, seen = [(x(low), y(0.0))], 0
        for weight, bearers in sorted(Counter(weights).items()):
            points += [(x(weight), y(seen / len(weights))), (x(weight), y((seen + bearers) / len(weights)))]
            seen += bearers
        points.append((x(high), y(1.0)))
        out.append(svg.path(_thinned(points), colour))
    out.insert(0, svg.key(_LEFT, _TOP + 8, entries))
    out.append(_below((left + right) / 2, bottom, "记录自身所能达到的最高权重 best possible weight"))
    english = "Unlinkables: share of records whose own evidence could never reach the threshold"
    return picture(_WIDTH, bottom + 56, "无法匹配的记录", english, out)


def _share_below(weights: Sequence[float], limit: float) -> float:
    return sum(weight < limit for weight in weights) / max(len(weights), 1)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points without those nobody could tell from the one before."""
    kept: list[tuple[float, float]] = []
    for place, point in enumerate(points):
        near = kept and abs(point[0] - kept[-1][0]) < 0.4 and abs(point[1] - kept[-1][1]) < 0.4
        if not near or place == len(points) - 1:
            kept.append(point)
    return kept
