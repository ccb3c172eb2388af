"""The API server and the nodes answer badly, late, or not at all: the result is the same, and nobody is asked
without end.
"""

from __future__ import annotations

import copy
import os
import random
import time
from functools import partial

import pytest

from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from missioncontrol.kube.config import ClusterConfig
from tests.crash.conftest import Live, Staged
from tests.crash.faults import Faults, Weather
from tests.crash.instance import Instance
from tests.crash.life import Life, all_at_once, report
from tests.crash.stage import Stage, until
from tests.crash.stories import DATACENTER, STORIES, WHOLE, Story
from tests.processes import Simulator

SEED = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
ALL = os.environ.get("CRASH") == "all"
LIVES = 16 if ALL else 1
AT_ONCE = 4
MORE, SOME = 6, 150
"""How much more than in fair weather may be asked of the world: so many times as much, and some."""


async def test_in_bad_weather_the_result_is_the_same(lives: Live) -> None:
    # a restart waits for long, and has been ended often enough by the other tests
    stories = WHOLE if ALL else tuple(story for story in STORIES if story.name != "restart")
    dice = random.Random(SEED)
    work = [partial(lives, None, "fair weather", stories)]
    for number in range(LIVES):
        seeds = random.Random(dice.randrange(1 << 30))
        work.append(partial(lives, partial(_sky, seeds), f"weather {number}", stories))
    model, *lived = await all_at_once(work, at_once=AT_ONCE)
    assert not model.stuck, model.stuck
    found = [*report(lived, model), *_too_much(lived, model)]
    if found:
        pytest.fail(f"CRASH_SEED={SEED}\n" + "\n".join(found), pytrace=False)


def _sky(seeds: random.Random, _: Story, __: int) -> Weather:
    return Weather(seeds.randrange(1 << 30), server=0.1, node=0.1, watch_seconds=1.0)


def _too_much(lived: list[Life], model: Life) -> list[str]:
    return [
        f"{life.label}, {chapter.story.name}: {kind} {count} times, and {right.counts[kind]} in fair weather"
        for life in lived
        for chapter, right in zip(life.chapters, model.chapters, strict=False)
        for kind, count in chapter.counts.items()
        if count > MORE * right.counts[kind] + SOME
    ]


async def test_hanging_nodes_delay_no_other_datacenter(
    staged: Staged, simulator: Simulator, operator_config: ClusterConfig
) -> None:
    async with staged() as stage:
        instance = Instance(operator_config, stage.namespace, Faults())
        instance.start()
        try:
            alone = await _bootstrap(stage, "alone")
            for rack in ("r1", "r2", "r3"):
                simulator.fault(stage.namespace, f"slow-slow-{rack}-sts-0", "hang")
            await _create(stage, "slow")
            beside = await _bootstrap(stage, "beside")
        finally:
            await instance.end()
    print(f"a datacenter is up after {alone:.1f} s, and after {beside:.1f} s beside one that hangs")
    # a single call that is waited for would take longer
    assert beside < 2 * alone + 3


async def _bootstrap(stage: Stage, name: str) -> float:
    began = time.monotonic()
    await _create(stage, name)

    async def ready() -> bool:
        found = await stage.find(CASSANDRA_DATACENTERS, name)
        return (found or {}).get("status", {}).get("cassandraOperatorProgress") == "Ready"

    await until(ready, f"{name} is ready", timeout=60)
    return time.monotonic() - began


async def _create(stage: Stage, name: str) -> None:
    body = copy.deepcopy(DATACENTER)
    body["metadata"]["name"] = body["spec"]["clusterName"] = name
    await stage.create(CASSANDRA_DATACENTERS, body)
