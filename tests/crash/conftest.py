"""One plane for all lives, with a fast simulator, and a namespace for each."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from missioncontrol.api.names import SYSTEM_NAMESPACE, Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig, from_kubeconfig
from missioncontrol.local.control_plane import ControlPlane
from tests.crash.faults import Faults
from tests.crash.life import FaultsFor, Life, live
from tests.crash.stage import Stage
from tests.crash.stories import STORIES, Story
from tests.processes import Simulator, install

FAST = {"start_seconds": 0.1, "job_seconds": 0.2, "decommission_seconds": 0.2, "stop_seconds": 0.05}
_numbers = itertools.count(1)

Staged = Callable[[], AbstractAsyncContextManager[Stage]]
Live = Callable[..., Awaitable[Life]]


@pytest.fixture(scope="session")
def data_plane(control_plane_with_controllers: ControlPlane) -> ControlPlane:
    install(control_plane_with_controllers, Component.CASS_OPERATOR)
    return control_plane_with_controllers


@pytest.fixture(scope="session")
def simulator(data_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("crash-simulator")
    process = Simulator(data_plane, folder, plane="plane-1", pod_cidr="10.21.0.0/16", **FAST)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def operator_config(data_plane: ControlPlane) -> ClusterConfig:
    """The credential of the operator, with the rights of its generated role."""
    with data_plane.admin_client() as admin:
        token = admin.issue_token(SYSTEM_NAMESPACE, Component.CASS_OPERATOR, lifetime=7200)
    return from_kubeconfig(data_plane.kubeconfig(token=token))


@pytest.fixture
async def staged(data_plane: ControlPlane, simulator: Simulator) -> AsyncIterator[Staged]:
    """`async with staged() as stage`: a namespace of its own."""
    config = from_kubeconfig(data_plane.admin_kubeconfig)
    async with Client(config, user_agent="test") as client, aiohttp.ClientSession() as session:

        @asynccontextmanager
        async def make() -> AsyncIterator[Stage]:
            name = f"life-{next(_numbers)}"
            await client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
            yield Stage(client, session, simulator.url, name)
            await client.request("DELETE", f"/api/v1/namespaces/{name}")

        yield make


@pytest.fixture
def lives(staged: Staged, operator_config: ClusterConfig) -> Live:
    """`lives(faults_for, label)` lives one life."""

    async def one(
        faults_for: FaultsFor | None = None, label: str = "", stories: tuple[Story, ...] = STORIES
    ) -> Life:
        async with staged() as stage:
            return await live(stage, operator_config, stories, faults_for or (lambda *_: Faults()), label)

    return one
