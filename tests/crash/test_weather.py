"""The API server and the nodes answer badly, late, or not at all: the result is the same, and nobody is asked
without end.
"""

from __future__ import annotations

import copy
import random
import time
from functools import partial

import pytest

from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from missioncontrol.kube.config import ClusterConfig
from tests.crash.conftest import ALL, SEED, WHOLE, Live, Sample, Staged
from tests.crash.faults import Faults, Weather
from tests.crash.instance import Instance
from tests.crash.life import Life, all_at_once, report
from tests.crash.stage import Stage, until
from tests.crash.stories import DATACENTER, Story
from tests.processes import Simulator

LIVES, AT_ONCE = 16, 4
MORE, SOME = 6, 150
"""How much more than in fair weather may be asked of the world: so many times as much, and some."""


async def test_in_bad_weather_the_result_is_the_same(sample: Sample) -> None:
    weather = partial(sample.live, partial(_sky, sample.dice), "weather")
    model, *lived = await all_at_once([sample.model, weather], at_once=AT_ONCE)
    _judge(model, lived)


@pytest.mark.skipif(not ALL, reason="make crash")
@pytest.mark.parametrize("first", range(0, LIVES, AT_ONCE))
async def test_in_weather_of_all_kinds_the_result_is_the_same(lives: Live, first: int) -> None:
    work = []
    for number in range(first, first + AT_ONCE):
        sky = partial(_sky, random.Random(SEED + number))
        work.append(partial(lives, sky, f"weather {number}", WHOLE))
    model, *lived = await all_at_once([partial(lives.model, WHOLE), *work], at_once=AT_ONCE)
    _judge(model, lived)


def _judge(model: Life, lived: list[Life]) -> None:
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
