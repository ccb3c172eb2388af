"""What the harness itself takes for known: only what a status that was written can tell of."""

from __future__ import annotations

import asyncio

from tests.crash.faults import Faults, Trouble, Weather

CALL = "POST node/api/v0/ops/tables/compact"
STATUS = "PATCH /apis/control.k8ssandra.io/v1alpha1/namespaces/x/cassandratasks/y/status"


async def test_a_call_that_is_answered_while_a_status_is_on_its_way_is_not_part_of_it() -> None:
    faults, sent, answered = Faults(), asyncio.Event(), asyncio.Event()

    async def write() -> None:
        sent.set()
        await answered.wait()

    async def tell() -> None:
        return None

    def never(_: object) -> None:
        raise AssertionError

    on_its_way = asyncio.create_task(faults.pass_on("write", STATUS, write, never))
    await sent.wait()
    await faults.pass_on("tell", CALL, tell, never)
    answered.set()
    await on_its_way
    assert faults.unrecorded == {CALL}
    await faults.pass_on("write", STATUS, tell, never)
    assert faults.unrecorded == set()


async def test_no_weather_makes_a_node_refuse_a_job_twice() -> None:
    """A task gives a job up that was refused twice: that would be another story."""

    for seed in range(20):
        weather = Weather(seed, server=0.0, node=1.0, watch_seconds=None)
        met = [await weather.pass_on("tell", CALL, _answered, lambda trouble: trouble) for _ in range(20)]
        assert sum(trouble.status == 500 for trouble in met) <= 1


async def _answered() -> Trouble:
    return Trouble("")
