"""The operator ends at every write and every call in turn, and starts again: nothing happens twice, nothing
is lost, and what is left is what would have been left.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.crash.conftest import ALL, SEED, WHOLE, Live, Sample
from tests.crash.faults import Cut
from tests.crash.life import FaultsFor, Life, all_at_once, report
from tests.crash.stories import Story

CHANGES = frozenset({"write", "tell"})
AFTER, BEFORE = 8, 20
"""Every so many places an instance ends, so that each gets further than the one before it, which had to get
to know the world. What was only asked leaves the world as it was, so there are more places before than after.
"""
AT_ONCE = 4

Place = tuple[int, bool]
PLACES: tuple[Place, ...] = (
    *((number, True) for number in range(1, AFTER + 1)),
    *((number, False) for number in range(1, BEFORE + 1)),
)
GROUPS = [PLACES[start : start + AT_ONCE] for start in range(0, len(PLACES), AT_ONCE)]


def _label(place: Place) -> str:
    return f"{'after' if place[1] else 'before'} {place[0]}"


def _ending_at(place: Place) -> FaultsFor:
    """The first instance of a story ends at this place, each later one some places further."""
    number, after = place
    if after:
        return lambda _, instance: Cut(AFTER if instance else number, after=True, kinds=CHANGES)
    return lambda _, instance: Cut(BEFORE if instance else number, after=False)


def _soon(_: Story, instance: int) -> Cut:
    """After a few writes each. Not always after as many: whoever is ended each time between the mark on a
    node and the call to it gets nowhere.
    """
    return Cut(3 + instance % 4, after=True, kinds=frozenset({"write"}))


def _judge(model: Life, ended: list[Life]) -> None:
    """Say how it went, and fail if anything is other than in the life of the model."""
    for chapter in model.chapters:
        counts = ", ".join(f"{kind} {count}" for kind, count in sorted(chapter.counts.items()))
        print(f"{chapter.story.name}: {chapter.seconds:.1f} s, {chapter.points} places to end at; {counts}")
    assert not model.stuck, model.stuck
    print(f"{sum(len(each.deaths) for life in ended for each in life.chapters)} ends in {len(ended)} lives")
    found = report(ended, model)
    if found:
        pytest.fail(f"CRASH_SEED={SEED}\n" + "\n".join(found), pytrace=False)


async def test_ended_here_and_there_the_operator_goes_on_as_if_nothing_had_been(sample: Sample) -> None:
    places = sample.dice.sample(PLACES, 2)
    lives = [partial(sample.live, _ending_at(place), _label(place)) for place in places]
    model, *ended = await all_at_once([sample.model, *lives], at_once=AT_ONCE)
    _judge(model, ended)


@pytest.mark.skipif(not ALL, reason="make crash")
@pytest.mark.parametrize("places", GROUPS, ids=lambda places: f"{_label(places[0])} to {_label(places[-1])}")
async def test_ended_anywhere_the_operator_goes_on_as_if_nothing_had_been(
    lives: Live, places: tuple[Place, ...]
) -> None:
    work = [partial(lives, _ending_at(place), _label(place), WHOLE) for place in places]
    model = partial(lives.model, WHOLE)
    found, *ended = await all_at_once([model, *work], at_once=AT_ONCE)
    _judge(found, ended)


@pytest.mark.skipif(not ALL, reason="make crash")
async def test_ended_after_a_few_writes_each_time_the_operator_gets_to_the_end(lives: Live) -> None:
    model = partial(lives.model, WHOLE)
    found, *ended = await all_at_once([model, partial(lives, _soon, "soon", WHOLE)], at_once=AT_ONCE)
    _judge(found, ended)
