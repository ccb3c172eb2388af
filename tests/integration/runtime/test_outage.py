"""The home cluster's API server dies and comes back: the operator stays, stops leading in time, and goes on
by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controllers.runtime import Done, Key, Manager, Outcome
from missioncontrol.api.resources import CONFIG_MAPS
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import from_kubeconfig
from missioncontrol.kube.views import ConfigMap
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.waiting import until

SERVER = "kube-apiserver"


@pytest.fixture
async def plane(binaries: Programs, tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """A control plane of this test's own, to be broken."""
    plane = ControlPlane(tmp_path, programs=binaries, controllers=False, name="frail", die_with_parent=True)
    plane.start()
    try:
        yield plane
    finally:
        plane.stop(kill=True)


async def test_an_operator_outlives_its_api_server(plane: ControlPlane) -> None:
    config = from_kubeconfig(plane.admin_kubeconfig)
    manager = Manager(
        "frail", Client(config, user_agent="test"), system_namespace="default",
        lease_duration=3, renew_deadline=2, lease_retry=0.3,
    )  # fmt: skip
    maps = manager.home.informer(CONFIG_MAPS, ConfigMap, namespace="default")
    seen: list[str] = []

    async def reconcile(key: Key) -> Outcome:
        seen.append(key.name)
        return Done()

    manager.controller("maps", reconcile).watch(maps)
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    async with Client(config, user_agent="test") as client:
        await until(lambda: manager.leading)
        plane.stop_component(SERVER, kill=True)
        await until(lambda: not manager.leading, timeout=5)
        plane.start_component(SERVER)
        plane.wait_component(SERVER)
        await client.create(CONFIG_MAPS, {"metadata": {"name": "after", "namespace": "default"}})
        await until(lambda: "after" in seen, timeout=12)
        assert manager.leading
        assert not task.done()
    stop.set()
    await asyncio.wait_for(task, 10)
