"""劝返主体: who is responsible for a case, by the county's rule (`[responsible]`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kcb_pipeline.config import Responsible, Who

_FALLBACK: Final[tuple[Who, ...]] = ("township_of_hukou", "township_of_residence")


@dataclass(frozen=True, slots=True)
class Places:
    """The school and the townships of a child, each where it is known."""

    school: str | None
    township_of_hukou: str | None
    township_of_residence: str | None


def responsible_for(status: str, places: Places, rule: Responsible) -> str | None:
    """Who is responsible for a child of that status; None where no place of it is known.

    >>> responsible_for("suspected", Places("某校", "甲镇", None), Responsible())
    '某校'
    >>> responsible_for("unenrolled", Places(None, "甲镇", "乙镇"), Responsible())
    '乙镇'
    """
    chosen: Who = getattr(rule, status, "township_of_hukou")
    return next((found for who in (chosen, *_FALLBACK) if (found := getattr(places, who)) is not None), None)
