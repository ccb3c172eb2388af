"""One cluster as controllers see it: a client, informers, health; started and stopped as a whole.

A member cluster shares nothing with the others, so that one that is dark delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

from controllers.runtime.health import Health, HealthProbe
from missioncontrol.kube.informer import HasMeta, Informer
from missioncontrol.serving.run import TaskEnded

if TYPE_CHECKING:
    from missioncontrol.api.resources import Resource
    from missioncontrol.kube.client import Client

log = logging.getLogger(__name__)

T = TypeVar("T", bound=HasMeta)
InformerKey = tuple["Resource", str, str, str]


class Cluster:
    """A connection with its caches. `client` reads its own writes: what it writes is in the informers at
    once.
    """

    def __init__(
        self,
        name: str,
        client: Client,
        *,
        on_health: Callable[[Cluster], None],
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self.name = name
        self.client = client
        self._informers: dict[InformerKey, Informer[Any]] = {}
        self._on_health = on_health
        self._on_fault = on_fault
        self._probe = HealthProbe(client, self._health_changed)
        self._tasks: list[asyncio.Task[None]] = []
        self._running = False
        client.on_written = self._written

    @property
    def health(self) -> Health:
        """What the last probes found."""
        return self._probe.health

    @property
    def synced(self) -> bool:
        """Whether all informers know the truth; before, absence means nothing."""
        return self._running and all(informer.synced for informer in self._informers.values())

    def unsynced(self) -> list[str]:
        """What is still missing, with the reason, for people."""
        return [
            f"{informer.resource.group_resource}{f' ({informer.last_error})' if informer.last_error else ''}"
            for informer in self._informers.values()
            if not informer.synced
        ]

    async def wait_synced(self) -> None:
        """Wait until all informers have their first list, however long, saying what is missing twice a
        minute.
        """
        while not self.synced:
            waiting = [informer for informer in self._informers.values() if not informer.synced]
            try:
                async with asyncio.timeout(30):
                    for informer in waiting:
                        await informer.wait_synced()
            except TimeoutError:
                log.warning("waiting for the first list of %s", ", ".join(self.unsynced()))

    def informer(
        self,
        resource: Resource,
        view: type[T],
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Informer[T]:
        """The informer with these selectors, made when it is asked for the first time, shared afterwards."""
        key = (resource, namespace or "", label_selector or "", field_selector or "")
        known = self._informers.get(key)
        if known is not None:
            if known.view is not view:
                raise TypeError(f"{resource.group_resource} is already watched as {known.view.__name__}")
            return cast("Informer[T]", known)
        informer = Informer(
            self.client,
            resource,
            view,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        self._informers[key] = informer
        if self._running:
            self._watch(informer)
        return informer

    def start(self) -> None:
        """Begin to probe, list and watch."""
        self._running = True
        self._spawn(f"health {self.name}", self._probe.run())
        for informer in self._informers.values():
            self._watch(informer)

    async def stop(self, *, close: bool) -> None:
        """End everything; with `close` also the client."""
        self._running = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if close:
            await self.client.close()

    def _watch(self, informer: Informer[Any]) -> None:
        self._spawn(f"informer {self.name} {informer.resource.group_resource}", informer.run())

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception() or RuntimeError("it just ended")
            fault = TaskEnded(f"the task {task.get_name()!r} ended unexpectedly: {error}")
            fault.__cause__ = error
            self._on_fault(fault)

    def _written(self, resource: Resource, written: dict[str, Any]) -> None:
        for (watched, *_), informer in self._informers.items():
            if watched == resource:
                informer.observe(written)

    def _health_changed(self, health: Health) -> None:
        if health.available:
            log.info("the cluster %s answers (%s)", self.name or "home", health.version)
            for informer in self._informers.values():
                informer.hurry()
        else:
            log.warning("the cluster %s does not answer: %s", self.name or "home", health.message)
        self._on_health(self)
