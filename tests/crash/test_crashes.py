"""The operator ends at every write and every call in turn, and starts again: nothing happens twice, nothing
is lost, and what is left is what would have been left.
"""

from __future__ import annotations

import os
import random
from functools import partial

import pytest

from tests.crash.conftest import Live
from tests.crash.faults import Counted, Cut
from tests.crash.life import FaultsFor, Life, all_at_once, report
from tests.crash.stories import STORIES, WHOLE, Story

SEED = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
CRASH = os.environ.get("CRASH", "")
"""`all`, or how many lives with all stories; empty: a few lives with some."""
SAMPLE = int(CRASH) if CRASH.isdecimal() else 2
AT_ONCE = 4
STRIDE = 40
"""More than an operator needs to know the world again, so that each gets further."""


def _tell(life: Life) -> None:
    for chapter in life.chapters:
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(chapter.counts.items()))
        print(f"{chapter.story.name}: {chapter.seconds:.1f} s, {chapter.points} places to end at; {counts}")


def _ending_at(number: int, *, after: bool) -> FaultsFor:
    """The first instance of a story ends at this place, each later one STRIDE places further."""
    return lambda _, instance: Cut(STRIDE if instance else number, after=after)


def _soon(_: Story, instance: int) -> Cut:
    """After a few writes each. Not always after as many: whoever is ended each time between the mark on a
    node and the call to it gets nowhere.
    """
    return Cut(3 + instance % 4, after=True, kinds=frozenset({"write"}))


async def test_ended_anywhere_the_operator_goes_on_as_if_nothing_had_been(lives: Live) -> None:
    stories = WHOLE if CRASH else STORIES
    chosen = [(number, after) for number in range(1, STRIDE + 1) for after in (False, True)]
    if CRASH != "all":
        chosen = random.Random(SEED).sample(chosen, SAMPLE)
    work = [
        partial(lives, _ending_at(number, after=after), f"{'after' if after else 'before'} {number}", stories)
        for number, after in chosen
    ]
    work.insert(0, partial(lives, lambda *_: Counted(after=False), "undisturbed", stories))
    work.insert(1, partial(lives, _soon, "after a few writes each", stories))
    model, *ended = await all_at_once(work, at_once=AT_ONCE)
    _tell(model)
    assert not model.stuck
    print(f"{sum(len(each.deaths) for life in ended for each in life.chapters)} ends in {len(ended)} lives")
    found = report(ended, model)
    if found:
        pytest.fail(f"CRASH_SEED={SEED}\n" + "\n".join(found), pytrace=False)
