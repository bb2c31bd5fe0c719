"""How a story comes to happen to a child.

What belongs here: the register of stories and the casting. A story is a small function that makes one situation happen
to one child, with a name, a share of all children, and the status it must lead to on the first night. To add one, write
the function in `outcomes` (it changes the status) or `oddities` (it must not), and decorate it. When the rules and the
statement disagree, `cast` raises, so a story cannot quietly mean something else than it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kcb_pipeline.sample.chance import stream, whole
from kcb_pipeline.sample.expected import expected_status
from kcb_pipeline.sample.people import Child
from kcb_pipeline.sample.world import World

Act = Callable[[World, Child], None]
Fits = Callable[[World, Child], bool]

ENROLLED: Final = ("enrolled", "")


@dataclass(frozen=True)
class Story:
    """One situation in a child's life."""

    name: str
    share: float
    """Of all children of the ledger."""
    expects: tuple[str, str]
    act: Act
    fits: Fits


STORIES: Final[dict[str, Story]] = {}
"""All stories by name, in the order in which they choose their children."""


def anybody(_world: World, _child: Child) -> bool:
    """Fits every enrolled child."""
    return True


def story(*, share: float, expects: tuple[str, str], fits: Fits = anybody) -> Callable[[Act], Act]:
    """Enter a function in the register under its own name."""

    def enter(act: Act) -> Act:
        name = act.__name__
        if name in STORIES:
            raise ValueError(f"two stories are called {name}")
        STORIES[name] = Story(name, share, expects, act, fits)
        return act

    return enter


def cast(world: World) -> None:
    """Choose a child for every story, each child for one at most, and let it happen.

    However small the share, each story happens a few times, unless the world is too small for all of them.
    """
    chance = stream(world.seed, "casting")
    # Homonyms stay out of stories: evidence by name and birth date would speak of both.
    enrolled = (child for child in world.children if expected_status(world, child) == ENROLLED)
    free = [child for child in enrolled if "homonym" not in child.person.notes]
    chance.shuffle(free)
    at_least = next((count for size, count in ((1500, 3), (500, 2), (200, 1)) if len(world.children) >= size), 0)
    for tale in STORIES.values():
        wanted = max(at_least, whole(chance, tale.share * len(world.children)))
        passed: list[Child] = []
        while wanted and free:
            child = free.pop()
            if child.stories:
                continue
            if not tale.fits(world, child):
                passed.append(child)
                continue
            tale.act(world, child)
            happened(world, child, tale)
            wanted -= 1
        free += reversed(passed)
    for child in world.children:
        if child.stated is not None and child.stated != expected_status(world, child):
            raise AssertionError(
                f"{child.stories} stated {child.stated}, the rules say {expected_status(world, child)}"
            )


def happened(world: World, child: Child, tale: Story) -> None:
    """Note that a story happened to a child, and check that it says what it does."""
    child.stories.append(tale.name)
    child.stated = tale.expects
    found = expected_status(world, child)
    if found != tale.expects:
        raise AssertionError(f"{tale.name} states {tale.expects}, the rules say {found}")
