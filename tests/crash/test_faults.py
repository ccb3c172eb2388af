"""What the harness itself takes for known: only what a status that was written can tell of."""

from __future__ import annotations

import asyncio

from tests.crash.faults import Faults

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
