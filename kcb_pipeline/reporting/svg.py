"""Pictures as SVG text, drawn by hand: the same numbers give the same bytes, and a browser, a page and a printer read them alike.

Marks are plain functions that return one element each; `picture` puts them on a white sheet under a Chinese title and an English one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal
from xml.sax.saxutils import escape, quoteattr

INK, QUIET, GRID, PAPER = "#1f2933", "#66727f", "#e3e8ed", "#ffffff"
BLUE, DEEP, AMBER, GREY, RED, TEAL = "#3a86c8", "#1d4e7a", "#e0a106", "#b3bcc6", "#c8553d", "#2a9d8f"
FONT: Final = (
    "'Noto Sans CJK SC','Noto Sans SC','Source Han Sans SC','Source Han Sans CN','Microsoft YaHei','PingFang SC',"
    "'WenQuanYi Micro Hei','WenQuanYi Zen Hei',SimHei,SimSun,sans-serif"
)

Anchor = Literal["start", "middle", "end"]


def text(
    x: float, y: float, words: str, *, size: float = 12, fill: str = INK, anchor: Anchor = "start", bold: bool = False
) -> str:
    """Words with their baseline at (x, y)."""
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{fill}" text-anchor="{anchor}"{weight}>'
        f"{escape(words)}</text>"
    )


def rect(
    x: float, y: float, width: float, height: float, fill: str, *, tip: str | None = None, corner: float = 0
) -> str:
    """A filled rectangle; `tip` is shown when the pointer rests on it."""
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    rounded = f' rx="{number(corner)}"' if corner else ""
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(max(width, 0))}" height="{number(max(height, 0))}" fill="{fill}"{rounded}>'
        f"{inside}</rect>"
    )


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = GRID, *, width: float = 1, dashes: str = "") -> str:
    """A straight line."""
    dashed = f" stroke-dasharray={quoteattr(dashes)}" if dashes else ""
    return (
        f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" stroke="{stroke}" '
        f'stroke-width="{number(width)}"{dashed}/>'
    )


def dot(x: float, y: float, radius: float, fill: str, *, tip: str | None = None) -> str:
    """A filled circle."""
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" fill="{fill}">{inside}</circle>'


def path(points: Sequence[tuple[float, float]], stroke: str, *, width: float = 2) -> str:
    """A line through points."""
    walked = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f'<polyline points="{walked}" fill="none" stroke="{stroke}" stroke-width="{number(width)}" stroke-linejoin="round"/>'


def key(x: float, y: float, entries: Iterable[tuple[str, str]]) -> str:
    """A legend in one row: colour and words of each entry."""
    marks = []
    for colour, words in entries:
        marks += [rect(x, y - 9, 11, 11, colour, corner=2), text(x + 16, y, words, size=11.5, fill=QUIET)]
        x += 34 + width_of(words, 11.5)
    return "".join(marks)


def picture(width: float, height: float, title: str, english: str, marks: Iterable[str]) -> str:
    """A whole SVG document. The title is what a reader who cannot see it is told."""
    whole = f"{escape(title)} · {escape(english)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(width)}" height="{number(height)}" '
        f'viewBox="0 0 {number(width)} {number(height)}" font-family={quoteattr(FONT)} role="img" aria-label={quoteattr(whole)}>\n'
        + rect(0, 0, width, height, PAPER)
        + text(32, 40, title, size=20, bold=True)
        + text(32, 60, english, size=12.5, fill=QUIET)
        + "\n"
        + "\n".join(marks)
        + "\n</svg>\n"
    )


def number(value: float) -> str:
    """A coordinate with at most two decimals, written one way only."""
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def width_of(words: str, size: float) -> float:
    """About how wide words are: a Chinese character is as wide as it is high, a Latin one a little over half."""
    return sum(size if ord(character) > 0x2E7F else size * 0.56 for character in words)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from low to high, about so many.

    >>> ticks(0, 47, 5)
    [0.0, 10.0, 20.0, 30.0, 40.0]
    """
    span = max(high - low, 1e-9)
    step = 10.0 ** len(str(int(span)))
    for candidate in (step / 100, step / 50, step / 20, step / 10, step / 5, step / 2, step):
        if span / candidate <= about:
            step = candidate
            break
    first = -(-low // step)
    return [place * step for place in range(int(first), int(high // step) + 1)]
