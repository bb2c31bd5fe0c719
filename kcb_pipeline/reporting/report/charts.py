"""The report's charts, drawn by pygal: the same numbers give the same bytes, and none loads or runs anything.

Words stand beside a chart, in the page, wherever a chart needs none inside: so one drawing serves both languages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pygal
from pygal.style import Style

from kcb_pipeline.reporting import svg

# pygal leaves an importer for plugins behind that Python 3.12 would not ask any more and 3.11 warns of at every import after it.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "pygal"]

_INK, _QUIET, _GRID = svg.INK, svg.QUIET, svg.GRID
_COMMENTS: Final = re.compile(r"<!--.*?-->|<script.*?</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval."""

    label: str
    value: float
    low: float
    high: float


def line_over_dates(name: str, days: Sequence[str], counts: Sequence[int | None], colour: str) -> str:
    """One count over comparison dates; a hidden one leaves a gap."""
    shown = [count for count in counts if count is not None]
    chart = pygal.Line(
        **_settings(colour, height=240),
        range=(0, max([*shown, 4]) * 1.1),
        x_labels=list(days),
        x_labels_major_count=6,
        show_minor_x_labels=len(days) <= 8,
        show_dots=len(days) <= 31,
        dots_size=3.5,
        allow_interruptions=True,
        value_formatter=lambda value: f"{value:,.0f}",
        y_labels=[round(tick) for tick in svg.ticks(0, max([*shown, 4]) * 1.1, 5)],
    )
    chart.add("", list(counts))
    return _drawn(chart, name)


def bars(name: str, labels: Sequence[str], values: Sequence[float | None], colour: str, unit: str) -> str:
    """One bar a label; a hidden value has none."""
    shown = [value for value in values if value is not None]
    chart = pygal.Bar(
        **_settings(colour, height=340),
        x_labels=list(labels),
        range=(0, max([*shown, 1]) * 1.15),
        spacing=18,
        print_values=True,
        print_values_position="top",
        value_formatter=lambda value: f"{value:g} {unit}",
        formatter=lambda value: "*" if value is None else f"{value:.1f}",
        y_labels=[round(tick, 2) for tick in svg.ticks(0, max([*shown, 1]) * 1.15, 5)],
    )
    chart.add("", [None if value is None else round(value, 1) for value in values])
    return _drawn(chart, name)


def intervals(name: str, found: Sequence[Interval], colour: str) -> str:
    """Estimates by group as bars with their intervals."""
    widest = max([0.5, *(one.high for one in found)])
    chart = pygal.HorizontalBar(
        **_settings(colour, height=60 + 30 * len(found), width=460),
        x_labels=[one.label for one in reversed(found)],
        range=(0, widest * 1.05),
        spacing=8,
        value_formatter=lambda value: f"{value:,.1f}",
        y_labels=[round(tick, 2) for tick in svg.ticks(0, widest * 1.05, 5)],
    )
    chart.add("", [{"value": one.value, "ci": {"low": one.low, "high": one.high}} for one in reversed(found)])
    return _drawn(chart, name)


def _settings(colour: str, *, height: int, width: int = 560) -> dict[str, Any]:
    style = Style(
        background="transparent", plot_background="transparent", foreground=_QUIET, foreground_strong=_INK, foreground_subtle=_GRID,
        colors=(colour,), font_family=svg.FONT.replace("'", '"'), label_font_size=12, major_label_font_size=12, value_font_size=12,
        guide_stroke_color=_GRID, major_guide_stroke_color=_GRID, guide_stroke_dasharray="none", major_guide_stroke_dasharray="none",
        opacity=".9", opacity_hover="1", stroke_opacity="1", stroke_width="2.2", stroke_width_hover="2.2", stroke_opacity_hover="1", transition="0s", value_colors=(_INK,),
    )  # fmt: skip
    return {
        "style": style,
        "width": width,
        "height": height,
        "margin": 8,
        "js": (),
        "show_legend": False,
        "pretty_print": False,
        "disable_xml_declaration": True,
        "no_data_text": "",
    }


def _drawn(chart: Any, name: str) -> str:
    """The drawing without pygal's comments and its script. Its style is kept to itself by an id, which pygal would draw at random."""
    chart.uuid = name
    return _COMMENTS.sub("", chart.render(is_unicode=True)).strip()
