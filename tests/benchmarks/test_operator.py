"""How fast cass-operator is, and what it takes, beside what was measured of upstream's in the same shape.

Nodes are ready one second after their start call. The control plane and the simulator share the processors
with the operator: what counts as the operator's is its own processor time and memory.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from missioncontrol.api.names import Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import from_kubeconfig
from missioncontrol.local.control_plane import ControlPlane
from tests.benchmarks.least import Pattern, Starter
from tests.benchmarks.operator_run import Run, Use, datacenter, share
from tests.benchmarks.plane_use import plane_use
from tests.installing import install_operator
from tests.processes import Operator, Simulator

MANY = int(os.environ.get("BENCHMARK_DATACENTERS", "100"))
PATIENCE = 120 + 20 * MANY
"""Seconds. It bounds nothing that is measured: a slow machine is to come to the end as well."""


@pytest.fixture(scope="module")
def plane(control_plane_with_controllers: ControlPlane) -> ControlPlane:
    install_operator(control_plane_with_controllers, Component.CASS_OPERATOR)
    return control_plane_with_controllers


@pytest.fixture(scope="module")
def simulator(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("benchmark-simulator")
    process = Simulator(plane, folder, plane="plane-1", pod_cidr="10.21.0.0/16")
    process.start()
    yield process
    process.stop()


@pytest.fixture
async def run(
    plane: ControlPlane, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Run]:
    """A freshly started operator."""
    folder = tmp_path_factory.mktemp("benchmark-operator")
    operator = Operator(
        plane, folder, component=Component.CASS_OPERATOR, package="cassandra", flags=("--no-leader-elect",)
    )
    operator.start()
    config = from_kubeconfig(plane.admin_kubeconfig)
    async with Client(config, user_agent="benchmark", timeout=60) as client:
        found = Run(client, operator)
        watching = asyncio.create_task(found.watch())
        try:
            yield found
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            operator.stop()


def _tell(what: str, use: Use, datacenters: int = 1) -> None:
    print(
        f"{what}: {use.cpu:.2f} s CPU; for each datacenter {(use.requests - use.events) / datacenters:.0f} "
        f"API requests, {use.events / datacenters:.0f} events, {use.calls / datacenters:.0f} calls to nodes, "
        f"{use.passes / datacenters:.0f} looks"
    )


async def test_one_datacenter(run: Run) -> None:
    await run.prepare("one")
    before = await run.use()
    await run.create("one", datacenter("one", size=9))
    await run.until(lambda: "one@1" in run.ready, "nine nodes are ready", timeout=120)
    await run.until(lambda: run.operator.idle, "it rests", timeout=30)
    print(f"\nnine nodes Ready: {run.ready['one@1'] - run.created['one']:.1f} s")
    _tell("nine nodes", (await run.use()).since(before))

    await run.prepare("grows")
    await run.create("grows", datacenter("grows", size=3))
    await run.until(lambda: "grows@1" in run.ready, "three nodes are ready", timeout=120)
    for what, spec in (
        ("scale 3 to 6", {"size": 6}),
        ("stop of 3 racks", {"stopped": True}),
        ("resume of 6 nodes", {"stopped": False}),
    ):
        before = await run.use()
        began, key = await run.patch("grows", "grows", spec)
        await run.until(lambda key=key: key in run.ready, what, timeout=120)
        print(f"{what}: {run.ready[key] - began:.1f} s")
        _tell(what, (await run.use()).since(before))


def _pids(plane: ControlPlane, simulator: Simulator) -> dict[str, int]:
    pids = {name: process.pid for name, process in plane.processes.items()}
    return pids | {"simulator": simulator.pid, "this test": os.getpid()}


@pytest.mark.timeout(2 * PATIENCE)
async def test_many_datacenters_at_once(run: Run, simulator: Simulator, plane: ControlPlane) -> None:
    pids = _pids(plane, simulator) | {"cass-operator": run.pid}
    small = run.largest
    names = [f"many-{number}" for number in range(MANY)]
    await asyncio.gather(*(run.prepare(name) for name in names))
    before, whole, asked = await run.use(), await plane_use(run.client, pids), run.calls_by_route()
    began = time.monotonic()
    await asyncio.gather(*(run.create(name, datacenter(name, size=9)) for name in names))
    created = time.monotonic() - began
    await run.until(
        lambda: all(f"{name}@1" in run.ready for name in names), "all are ready", timeout=PATIENCE
    )
    exist, pods = list((await run.exist()).values()), await run.run()
    ready = [run.ready[f"{name}@1"] - run.created[name] for name in names]
    after = [late - pods[name] for name, late in zip(names, ready, strict=True)]
    print(f"\n{MANY} datacenters created within {created:.1f} s")
    print(f"three StatefulSets each: p50 {share(exist, 0.5):.1f} s, p95 {share(exist, 0.95):.1f} s")
    print(f"Ready: p50 {share(ready, 0.5):.1f} s, p95 {share(ready, 0.95):.1f} s, all {max(ready):.1f} s")
    ran = list(pods.values())
    print(f"all nine pods run (Kubernetes): p50 {share(ran, 0.5):.1f} s, all {max(ran):.1f} s")
    print(f"Ready after that: p50 {share(after, 0.5):.1f} s, p95 {share(after, 0.95):.1f} s")
    print(f"memory: {small >> 20} MiB at first, {run.largest >> 20} MiB at most")
    _tell(f"{MANY} datacenters", (await run.use()).since(before), MANY)
    calls = {route: count - asked.get(route, 0.0) for route, count in run.calls_by_route().items()}
    told = ", ".join(f"{route} {count / MANY:.1f}" for route, count in sorted(calls.items()) if count)
    print(f"calls for each datacenter: {told}")
    (await plane_use(run.client, pids)).since(whole).tell(9 * MANY, "node")


@pytest.mark.timeout(2 * PATIENCE)
async def test_the_least_that_any_operator_asks_for(
    run: Run, simulator: Simulator, plane: ControlPlane
) -> None:
    """The same objects, and two labels and a start for each node, by a script that decides nothing."""
    await run.prepare("pattern")
    await run.create("pattern", datacenter("pattern", size=9))
    await run.until(lambda: "pattern@1" in run.ready, "the pattern is ready", timeout=120)
    pattern = await Pattern.of(run.client, "pattern")
    run.operator.stop()
    names = [f"least-{number}" for number in range(MANY)]
    await asyncio.gather(*(run.prepare(name) for name in names))
    starter = Starter(run.client)
    following = asyncio.create_task(starter.pods.run())
    assert await starter.pods.wait_synced(timeout=60)
    before, began = await plane_use(run.client, _pids(plane, simulator)), time.monotonic()

    async def live(name: str) -> float:
        await pattern.make(run.client, name)
        await starter.start(name, racks=3, nodes=9)
        return time.monotonic() - began

    try:
        async with asyncio.timeout(PATIENCE):
            ready = await asyncio.gather(*(live(name) for name in names))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    print(f"\n{MANY} datacenters without a thought: p50 {share(ready, 0.5):.1f} s, all {max(ready):.1f} s")
    (await plane_use(run.client, _pids(plane, simulator))).since(before).tell(9 * MANY, "node")
