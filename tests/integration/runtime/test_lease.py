"""Two processes and one lease: whoever was stopped for too long never writes again, whatever it was doing."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from missioncontrol.api.resources import CONFIG_MAPS, LEASES
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import LeaseLost
from missioncontrol.kube.lease import Lease
from missioncontrol.local.control_plane import ControlPlane

Start = Callable[[str], Awaitable[Process]]


@pytest.fixture
async def start(control_plane: ControlPlane, namespace: str, client: Client) -> AsyncIterator[Start]:
    """Starts a candidate, killed after the test."""
    await client.create(CONFIG_MAPS, {"metadata": {"namespace": namespace, "name": "count"}})
    script = Path(__file__).with_name("lease_candidate.py")
    async with AsyncExitStack() as stack:

        async def begin(identity: str) -> Process:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(script),
                str(control_plane.admin_kubeconfig),
                namespace,
                identity,
                stdout=PIPE,
            )
            stack.push_async_callback(_kill, process)
            return process

        yield begin


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def says(process: Process, timeout: float = 10) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(timeout):
        return (await process.stdout.readline()).decode().strip()


async def counted(client: Client, namespace: str) -> dict[str, str]:
    data: dict[str, str] = (await client.get(CONFIG_MAPS, "count", namespace=namespace)).get("data") or {}
    return data


@pytest.mark.parametrize("attempt", range(3))
async def test_a_leader_stopped_past_expiry_does_not_write_after_it_goes_on(
    start: Start, client: Client, namespace: str, attempt: int
) -> None:
    first = await start("first")
    assert await says(first) == "leading"
    second = await start("second")
    await asyncio.sleep(1 + attempt * 0.07)
    assert (await counted(client, namespace))["by"] == "first"
    first.send_signal(signal.SIGSTOP)
    assert await says(second) == "leading"
    before = await counted(client, namespace)
    first.send_signal(signal.SIGCONT)
    assert await says(first) == "lost"
    await asyncio.sleep(0.5)
    after = await counted(client, namespace)
    assert after["first"] == before["first"]
    assert int(after["second"]) > 0


async def test_a_short_stop_costs_nothing(start: Start, client: Client, namespace: str) -> None:
    first = await start("first")
    assert await says(first) == "leading"
    await asyncio.sleep(0.5)
    first.send_signal(signal.SIGSTOP)
    await asyncio.sleep(0.5)
    first.send_signal(signal.SIGCONT)
    before = await counted(client, namespace)
    await asyncio.sleep(3)
    assert int((await counted(client, namespace))["first"]) > int(before["first"])


def candidate(client: Client, namespace: str, identity: str, *, duration: int = 3) -> Lease:
    return Lease(client, "here", namespace, identity, duration=duration, renew_deadline=2, retry=0.2)


async def test_a_released_lease_is_taken_at_once(client: Client, namespace: str) -> None:
    turns: list[str] = []

    async def work(name: str) -> None:
        turns.append(name)
        await asyncio.sleep(0.1)

    one, two = (candidate(client, namespace, name, duration=60) for name in ("one", "two"))
    async with asyncio.timeout(20):
        await asyncio.gather(one.run(lambda: work("one")), two.run(lambda: work("two")))
    assert sorted(turns) == ["one", "two"]
    spec = (await client.get(LEASES, "here", namespace=namespace))["spec"]
    assert spec["holderIdentity"] == ""
    assert spec["leaseTransitions"] == 1


async def test_when_the_work_fails_the_lease_is_released(client: Client, namespace: str) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await candidate(client, namespace, "one").run(fail)
    assert (await client.get(LEASES, "here", namespace=namespace))["spec"]["holderIdentity"] == ""


async def test_cancelling_ends_the_work_before_the_lease_is_released(client: Client, namespace: str) -> None:
    lease = candidate(client, namespace, "one")
    held_at_end: list[bool] = []
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.3)  # tidying up takes its time
            held_at_end.append(lease.held())

    running = asyncio.create_task(lease.run(work))
    await began.wait()
    running.cancel()
    await asyncio.wait((running,))
    assert running.cancelled()
    assert held_at_end == [True]
    assert (await client.get(LEASES, "here", namespace=namespace))["spec"]["holderIdentity"] == ""


async def test_a_deleted_lease_ends_the_work(client: Client, namespace: str) -> None:
    lease = candidate(client, namespace, "one")
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.sleep(60)

    running = asyncio.create_task(lease.run(work))
    await began.wait()
    await client.delete(LEASES, "here", namespace=namespace)
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(running, 5)
