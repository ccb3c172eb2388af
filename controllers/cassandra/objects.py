"""Writes and removals of the objects of a datacenter, never of somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controllers.cassandra.actions import ApplyObject, Event
from controllers.cassandra.adoption import adopt
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.decide.objects import NameTaken
from controllers.cassandra.whole import write
from missioncontrol.api.names import EventReason
from missioncontrol.api.resources import SERVICES, Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound


class ObjectWriter:
    """Applies and deletes the objects of one datacenter."""

    def __init__(self, client: Client, datacenter: Datacenter, tell: Callable[[Event], None]) -> None:
        self._client = client
        self._dc = datacenter
        self._tell = tell

    async def apply(self, action: ApplyObject) -> None:
        """Make the object what it should be; NameTaken if it is not ours."""
        if not action.exists and await self._is_foreign(action):
            # the seed service belongs to the whole cluster: whichever datacenter came first made it
            return
        body = dict(action.body)
        if action.exists:
            live = await self._get(action.resource, action.name)
            if live is not None and await adopt(self._client, action.resource, body, live):
                return
        await write(self._client, action.resource, body)
        if not action.exists:
            kind = action.resource.kind
            word = kind if kind == "PodDisruptionBudget" else kind.lower()
            self._tell(Event(EventReason.CREATED_RESOURCE, f"Created {word} {action.name}"))

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
