"""Writes and removals of the objects of a datacenter, never of somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

from controllers.cassandra.actions import ApplyObject, Event
from controllers.cassandra.adoption import adopt
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.decide.objects import NameTaken
from controllers.cassandra.whole import write
from missioncontrol.api.names import EventReason
from missioncontrol.api.resources import SERVICES, STATEFUL_SETS, Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound

T = TypeVar("T")

AT_ONCE: Final = 2
"""Requests of one datacenter that are under way at the same time: many of them may begin together, and then
more would only let the first ones be done with everything before the last ones begin."""


class ObjectWriter:
    """Makes, changes and deletes the objects of one datacenter."""

    def __init__(self, client: Client, datacenter: Datacenter, tell: Callable[[Event], None]) -> None:
        self._client = client
        self._dc = datacenter
        self._tell = tell

    async def make(self, wanted: Sequence[ApplyObject]) -> None:
        """Make objects that are missing; NameTaken, and none of them, if a name is somebody else's.

        The StatefulSets come first: what takes longest, pods that are made and find their machines, begins.
        """
        foreign = await _at_once(self._is_foreign(each) for each in wanted)
        # the seed service belongs to the whole cluster: whichever datacenter came first made it
        missing = [each for each, taken in zip(wanted, foreign, strict=True) if not taken]
        await _at_once(self._make(each) for each in missing if each.resource == STATEFUL_SETS)
        await _at_once(self._make(each) for each in missing if each.resource != STATEFUL_SETS)

    async def _make(self, action: ApplyObject) -> None:
        await write(self._client, action.resource, dict(action.body))
        kind = action.resource.kind
        word = kind if kind == "PodDisruptionBudget" else kind.lower()
        self._tell(Event(EventReason.CREATED_RESOURCE, f"Created {word} {action.name}"))

    async def change(self, action: ApplyObject) -> None:
        """Make an object of ours what it should be."""
        body = dict(action.body)
        live = await self._get(action.resource, action.name)
        if live is None or not await adopt(self._client, action.resource, body, live):
            await write(self._client, action.resource, body)

    async def delete(self, resource: Resource, name: str) -> None:
        """Remove an object of ours."""
        found = await self._get(resource, name)
        if found is not None and self._ours(found):
            uid = found["metadata"]["uid"]
            await self._client.delete(resource, name, namespace=self._dc.namespace, uid=uid)

    async def _is_foreign(self, action: ApplyObject) -> bool:
        # the caches hold only what carries our labels: ask the server who has the name
        found = await self._get(action.resource, action.name)
        if found is None or self._ours(found):
            return False
        if action.resource == SERVICES and action.name == self._dc.seed_service:
            return any(owner.get("controller") for owner in found["metadata"].get("ownerReferences") or ())
        raise NameTaken(
            f"{action.resource.kind} {action.name} exists and does not belong to this datacenter; "
            "rename the cluster, or remove that object"
        )

    async def _get(self, resource: Resource, name: str) -> dict[str, Any] | None:
        try:
            return await self._client.get(resource, name, namespace=self._dc.namespace)
        except NotFound:
            return None

    def _ours(self, found: dict[str, Any]) -> bool:
        owners = found["metadata"].get("ownerReferences") or ()
        return any(owner.get("uid") == self._dc.uid for owner in owners)


async def _at_once(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of some requests, a few of which are under way at a time. The first failure is raised when
    all have ended: none goes on beside what is done about it.
    """
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(request: Coroutine[Any, Any, T]) -> T:
        async with turns:
            return await request

    results = await asyncio.gather(*(one(request) for request in work), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
