"""One plane for all lives, with a fast simulator, and a namespace for each."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from missioncontrol.api.names import SYSTEM_NAMESPACE, Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig, from_kubeconfig
from missioncontrol.local.control_plane import ControlPlane
from tests.crash.faults import Counted
from tests.crash.life import FaultsFor, Life, live
from tests.crash.stage import Stage
from tests.crash.stories import Story, some, whole
from tests.installing import install_operator
from tests.processes import Simulator

SEED = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)
ALL = os.environ.get("CRASH") == "all"
WHOLE = whole(os.environ.get("CRASH_STORIES", ""))
"""All stories, or those that are asked for."""
FAST = {"start_seconds": 0.1, "job_seconds": 0.2, "decommission_seconds": 0.2, "stop_seconds": 0.05}
_numbers = itertools.count(1)

Staged = Callable[[], AbstractAsyncContextManager[Stage]]


@pytest.fixture(scope="session")
def data_plane(control_plane_with_controllers: ControlPlane) -> ControlPlane:
    install_operator(control_plane_with_controllers, Component.CASS_OPERATOR)
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


class Live:
    """`lives(faults_for, label, stories)` lives one life."""

    def __init__(self, staged: Staged, config: ClusterConfig, models: dict[tuple[str, ...], Life]) -> None:
        self._staged, self._config, self._models = staged, config, models

    async def __call__(self, faults_for: FaultsFor, label: str, stories: tuple[Story, ...]) -> Life:
        async with self._staged() as stage:
            return await live(stage, self._config, stories, faults_for, label)

    async def model(self, stories: tuple[Story, ...]) -> Life:
        """The life in which nothing goes wrong, lived once."""
        key = tuple(story.name for story in stories)
        if key not in self._models:
            self._models[key] = await self(lambda *_: Counted(after=False), "undisturbed", stories)
        return self._models[key]


@pytest.fixture(scope="session")
def models() -> dict[tuple[str, ...], Life]:
    """Lives in which nothing went wrong, by the names of their stories."""
    return {}


@pytest.fixture
def lives(staged: Staged, operator_config: ClusterConfig, models: dict[tuple[str, ...], Life]) -> Live:
    return Live(staged, operator_config, models)


@dataclass(frozen=True)
class Sample:
    """A few stories that the seed chooses, the same for all tests of a run."""

    lives: Live
    dice: random.Random
    stories: tuple[Story, ...]

    async def live(self, faults_for: FaultsFor, label: str) -> Life:
        return await self.lives(faults_for, label, self.stories)

    async def model(self) -> Life:
        return await self.lives.model(self.stories)


@pytest.fixture
def sample(lives: Live) -> Sample:
    stories = some(random.Random(SEED), 2)
    print(f"CRASH_SEED={SEED}: {', '.join(story.name for story in stories)}")
    return Sample(lives, random.Random(SEED), stories)
