"""The synthetic county: made-up people, the extracts agencies would send about them, and the truth behind every row.

`write_sample` is the one thing to call. The modules, from the ground up: `chance`, `school_days`, `places`, `names`,
`people` (records), `households`, `schooling`, `world` (the state), `expected` (the rules), `story`, `outcomes` and
`oddities` (what happens to children), `spellings` and `damage` (identities), `evolution` (days), `new_year` (the first of September), `forms`, `columns`,
`sources`, `dirt`, `files` and `layout` (what is sent), `truth`.
"""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcb_pipeline.sample import oddities, outcomes  # noqa: F401 - imported for the stories they enter in the register
from kcb_pipeline.sample.chance import stream
from kcb_pipeline.sample.damage import spoil_population, spoil_registry
from kcb_pipeline.sample.evolution import missing_on, next_day
from kcb_pipeline.sample.layout import write_night
from kcb_pipeline.sample.story import cast
from kcb_pipeline.sample.truth import write_truth
from kcb_pipeline.sample.world import build, start_attendance

__all__ = ["write_sample"]


def write_sample(
    out: Path, *, children: int, seed: int, date: dt.date, nights: int = 1, every: int = 1, damage: bool = True
) -> None:
    """Write `out/extracts/DATE/` and `out/truth/DATE/` for `nights` nights from `date` on, one every so many days.

    Life goes on between them, day by day, over terms, holidays and the turn of the school year. Where nights follow each other, each day
    shows everything that can happen at least once, however small the county.

    `children` is how many children of compulsory school age count on the first night (registered here or holding a
    permit). The same arguments give the same bytes. Without `damage` every identity is right and every row sound;
    the oddities of papers (other numbers, double registrations, …) stay, for they are part of the world.
    """
    if min(children, nights, every) < 1:
        raise ValueError(f"children, nights and every must be at least 1, not {children}, {nights} and {every}")
    with _no_collections():
        _write(out, children=children, seed=seed, date=date, nights=nights, every=every, damage=damage)


def _write(out: Path, *, children: int, seed: int, date: dt.date, nights: int, every: int, damage: bool) -> None:
    world = build(children=children, seed=seed, day=date)
    cast(world)
    oddities.foreign_papers(world, stream(seed, "foreign papers"))
    start_attendance(world)
    if damage:
        spoiling = stream(seed, "damage")
        spoil_population(spoiling, world.registrations, date)
        spoil_population(spoiling, world.permits, date)
        spoil_registry(spoiling, world.enrolments(), world.registrar)
    for night in range(nights):
        for _ in range(every if night else 0):
            next_day(world, damage=damage, at_least=1 if every == 1 else 0)
        name = world.day.isoformat()
        ledger = write_night(world, out / "extracts" / name, dirty=damage, missing=missing_on(night))
        write_truth(world, out / "truth" / name, ledger)


@contextmanager
def _no_collections() -> Iterator[None]:
    """No search for cycles meanwhile: all of the world stays alive, and looking through it again takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
