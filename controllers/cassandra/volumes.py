"""Writes to volumes: claims that grow, are marked or deleted, and StatefulSets made again around them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from controllers.cassandra import actions as a
from controllers.cassandra.datacenter import Datacenter, Recreating
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.statefulset import in_steps, statefulset, with_larger_claims
from controllers.cassandra.state import Claim
from controllers.cassandra.whole import write
from missioncontrol.api.names import Annotation, Component, EventReason, LabelValue
from missioncontrol.api.resources import CASSANDRA_DATACENTERS, PERSISTENT_VOLUME_CLAIMS, STATEFUL_SETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound

MANAGER = Component.CASS_OPERATOR.value
ORPHAN_PAUSES = (0.05,) * 20 + (0.25,) * 36
"""Between looks whether the garbage collector has let a StatefulSet's pods go: ten seconds in all."""


class VolumeWriter:
    """The volumes of one datacenter."""

    def __init__(
        self,
        client: Client,
        datacenter: Datacenter,
        images: ImageConfig,
        tell: Callable[..., None],
    ) -> None:
        self._client = client
        self._dc = datacenter
        self._images = images
        self._tell = tell

    async def mark_left(self, action: a.MarkLeft) -> None:
        patch = {"metadata": {"annotations": {Annotation.LEFT_THE_RING: LabelValue.TRUE}}}
        for claim in action.claims:
            await self._client.merge_patch(
                PERSISTENT_VOLUME_CLAIMS, claim, patch, namespace=self._dc.namespace, field_manager=MANAGER
            )

    async def grow(self, name: str, size: str) -> None:
        patch = {"spec": {"resources": {"requests": {"storage": size}}}}
        await self._client.merge_patch(
            PERSISTENT_VOLUME_CLAIMS, name, patch, namespace=self._dc.namespace, field_manager=MANAGER
        )

    async def recreate(self, action: a.RecreateRack) -> None:
        name, namespace = action.statefulset, self._dc.namespace
        live = await self._client.get(STATEFUL_SETS, name, namespace=namespace)
        rack = next(rack for rack in self._dc.plan if rack.statefulset == name)
        replicas = live["spec"]["replicas"]
        desired = statefulset(self._dc, rack, self._images, replicas=replicas)
        larger = with_larger_claims(live, desired, action.sizes)
        body = in_steps(desired, replicas) if action.anew else larger
        self._tell(a.Event(EventReason.RECREATING_STATEFUL_SET, f"Recreating StatefulSet {name}"))
        await self._write_down(Recreating(action.uid, body))
        await self._client.delete(
            STATEFUL_SETS, name, namespace=namespace, uid=action.uid, propagation="Orphan"
        )
        # should this process end here, the StatefulSet is made from what is written down, and adopts its pods
        for pause in ORPHAN_PAUSES:
            if not await self._exists(name, action.uid):
                break
            await asyncio.sleep(pause)
        await write(self._client, STATEFUL_SETS, body)

    async def _write_down(self, recreating: Recreating) -> None:
        """Without its StatefulSet nobody could tell what its pods were made from, and they would restart."""
        patch = {"metadata": {"annotations": {Annotation.RECREATING: _encoded(recreating)}}}
        await self._client.merge_patch(
            CASSANDRA_DATACENTERS, self._dc.name, patch, namespace=self._dc.namespace, field_manager=MANAGER
        )

    async def _exists(self, statefulset_name: str, uid: str) -> bool:
        try:
            found = await self._client.get(STATEFUL_SETS, statefulset_name, namespace=self._dc.namespace)
        except NotFound:
            return False
        return bool(found["metadata"]["uid"] == uid)

    async def exist(self, claims: Iterable[Claim]) -> bool:
        """Whether one of these very claims is still there, on the server's own word."""
        for claim in claims:
            try:
                found = await self._client.get(
                    PERSISTENT_VOLUME_CLAIMS, claim.name, namespace=self._dc.namespace
                )
            except NotFound:
                continue
            if found["metadata"]["uid"] == claim.uid:
                return True
        return False

    async def delete_all(self) -> None:
        # what the caches do not show yet is meant as well
        selector = ",".join(f"{key}={value}" for key, value in sorted(self._dc.datacenter_labels.items()))
        claims = await self._client.list(
            PERSISTENT_VOLUME_CLAIMS, namespace=self._dc.namespace, label_selector=selector
        )
        for claim in claims:
            if not claim["metadata"].get("deletionTimestamp"):
                await self.delete(claim["metadata"]["name"], claim["metadata"]["uid"])

    async def delete(self, name: str, uid: str) -> None:
        try:
            await self._client.delete(PERSISTENT_VOLUME_CLAIMS, name, namespace=self._dc.namespace, uid=uid)
        except NotFound:
            return
        self._tell(a.Event(EventReason.DELETED_PVC, f"Claim Name: {name}"))


def _encoded(recreating: Recreating) -> str:
    return msgspec.json.encode(recreating).decode()
