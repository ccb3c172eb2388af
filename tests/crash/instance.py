"""cass-operator inside the test: one instance for one namespace, which can be made to end at any request."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp

from controllers.cassandra.__main__ import IMAGE_CONFIG, wire
from controllers.cassandra.memory import Memories
from controllers.runtime import Key, Manager
from missioncontrol.api.names import SYSTEM_NAMESPACE
from missioncontrol.api.resources import CONFIG_MAPS
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.kube.connector import Connector
from missioncontrol.kube.views import ConfigMap
from missioncontrol.kube.workqueue import QueueState
from tests.crash.faults import Faults, FaultyApi, FaultyClient

NAME = "cass-operator"


class Instance:
    """One run of the operator, from its start to its end."""

    def __init__(self, config: ClusterConfig, namespace: str, faults: Faults) -> None:
        self.faults = faults
        self._config, self._namespace = config, namespace
        self._task: asyncio.Task[None] | None = None
        self.manager: Manager | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"operator of {self._namespace}")

    async def _run(self) -> None:
        client = FaultyClient(
            self._config, user_agent=NAME, timeout=5.0, namespace=self._namespace, faults=self.faults
        )
        manager = Manager(NAME, client, leader_elect=False)
        memories = Memories()
        async with aiohttp.ClientSession(connector=Connector(), trust_env=False) as session:
            api = FaultyApi(session, from_annotation=True, registry=manager.metrics.registry)
            api.faults = self.faults
            images = manager.home.informer(
                CONFIG_MAPS, ConfigMap, namespace=SYSTEM_NAMESPACE, label_selector=IMAGE_CONFIG
            )
            wire(manager, client, api, memories, images, None)
            self.manager = manager
            try:
                await manager.run(asyncio.Event())
            finally:
                await memories.close()

    @property
    def dead(self) -> bool:
        if self._task is not None and self._task.done() and not self.faults.dead.is_set():
            self._task.result()
            raise AssertionError("the operator ended by itself")
        return self.faults.dead.is_set()

    def _queues(self) -> list[QueueState[Key]] | None:
        """The queues of all controllers; None while it does not work yet."""
        if self._task is not None and self._task.done() and not self.faults.dead.is_set():
            self._task.result()
        if self.manager is None or not self.manager.leading:
            return None
        return [queue._state for each in self.manager._controllers for queue in each._queues.values()]

    @property
    def idle(self) -> bool:
        """Whether it has nothing in hand, and nothing that waits."""
        queues = self._queues()
        return queues is not None and not any(each.working or each.waiting for each in queues)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is to be looked at again without an event."""
        return not any(each.later for each in self._queues() or ())

    @property
    def passes(self) -> float:
        """How often it has reconciled something."""
        assert self.manager is not None
        registry = self.manager.metrics.registry
        found = (each for each in registry.collect() if each.name == "controller_runtime_reconcile")
        return sum(
            sample.value for each in found for sample in each.samples if sample.name[-8:] != "_created"
        )

    async def end(self) -> None:
        """Cut off: nothing more is sent, nothing is finished."""
        self.faults.dead.set()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
