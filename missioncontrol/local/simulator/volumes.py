"""Plays the storage: provisions, grows and deletes volumes, next to the real volume controller of Kubernetes.

The controller asks an external provisioner by annotations; what it binds, releases and protects is its own. A
claim that is gone takes its data along: then the ring loses that disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from missioncontrol.api.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import AlreadyExists, KubeError
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.workqueue import WorkQueue
from missioncontrol.local.simulator.store import Store
from missioncontrol.local.simulator.views import Claim, PersistentVolume
from missioncontrol.local.simulator.workers import Key, work

log = logging.getLogger(__name__)

PROVISIONER = "missioncontrol.io/simulated"
ASKED = "volume.kubernetes.io/storage-provisioner"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
WORKERS = 16


def storage_classes() -> list[dict[str, Any]]:
    """`standard`, the default, can grow; `no-expand` cannot."""
    return [_storage_class("standard", expand=True), _storage_class("no-expand", expand=False)]


def _storage_class(name: str, *, expand: bool) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "annotations": {DEFAULT_CLASS: "true" if name == "standard" else "false"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": expand,
        # As cass-operator's users are told to have it. A pod is looked at once, where it would otherwise be
        # refused first and tried again with whatever volume comes; its first start takes a second longer.
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def volume_for(claim: Claim) -> dict[str, Any] | None:
    """The volume that a claim waits for from us, or None."""
    meta, spec = claim.metadata, claim.spec
    if meta.annotations.get(ASKED) != PROVISIONER or spec.volume_name or meta.deletion_timestamp is not None:
        return None
    name = f"pvc-{meta.uid}"
    return {
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": requested(claim)},
            "accessModes": list(spec.access_modes) or ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec.storage_class_name,
            "volumeMode": "Filesystem",
            # A source that no controller tries to attach, and that nobody mounts here.
            "hostPath": {"path": f"/simulated/{name}"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta.namespace,
                "name": meta.name,
                "uid": meta.uid,
            },
        },
    }


def requested(claim: Claim) -> str:
    return str((claim.spec.resources.get("requests") or {}).get("storage", "1Gi"))


def grown(claim: Claim, volume: PersistentVolume | None) -> str | None:
    """The size that a bound claim asks for and does not have yet.

    A request can only have grown: admission refuses a smaller one, and a larger one for `no-expand`.
    """
    if (
        claim.status.phase != "Bound"
        or volume is None
        or volume.metadata.annotations.get(PROVISIONED_BY) != PROVISIONER
    ):
        return None
    wanted = requested(claim)
    return None if claim.status.capacity.get("storage") == wanted else wanted


def deletable(volume: PersistentVolume) -> bool:
    return (
        volume.metadata.annotations.get(PROVISIONED_BY) == PROVISIONER
        and volume.status.phase == "Released"
        and volume.spec.persistent_volume_reclaim_policy == "Delete"
        and volume.metadata.deletion_timestamp is None
    )


class Volumes:
    """The provisioner of one plane. Keys are (kind, namespace, name)."""

    def __init__(
        self,
        client: Client,
        *,
        store: Store,
        claim_informer: Informer[Claim],
        volume_informer: Informer[PersistentVolume],
        clock: Callable[[], float],
    ) -> None:
        self.client = client
        self.store = store
        self.claims = claim_informer
        self.volumes = volume_informer
        self.clock = clock
        self.queue: WorkQueue[Key] = WorkQueue(base_delay=0.05, max_delay=5.0)
        claim_informer.add_handler(self._claim_changed)
        volume_informer.add_handler(self._volume_changed)

    def _claim_changed(self, _: str, old: Claim | None, new: Claim | None) -> None:
        if new is not None:
            self.queue.add(("claim", new.metadata.namespace, new.metadata.name))
        elif old is not None:
            self.store.forget_disk(old.metadata.uid, self.clock())

    def _volume_changed(self, _: str, __: PersistentVolume | None, new: PersistentVolume | None) -> None:
        if new is not None and deletable(new):
            self.queue.add(("volume", "", new.metadata.name))

    async def run(self) -> None:
        await self._ensure_classes()
        await self.claims.wait_synced()
        await self.volumes.wait_synced()
        self._forget_lost_disks()
        await work("volumes", self.queue, self.reconcile, workers=WORKERS)

    def _forget_lost_disks(self) -> None:
        """Claims that went while no simulator looked."""
        kept = {claim.metadata.uid for claim in self.claims.all()}
        kept |= {process.uid for process in self.store.processes()}  # without a claim a pod is its own disk
        for disk in self.store.disks() - kept:
            self.store.forget_disk(disk, self.clock())

    async def _ensure_classes(self) -> None:
        for body in storage_classes():
            while True:
                try:
                    await self.client.create(STORAGE_CLASSES, body)
                except AlreadyExists:
                    break
                except KubeError as error:
                    log.warning("storage class not made", extra={"why": str(error)})
                    await asyncio.sleep(1)
                else:
                    break

    async def reconcile(self, key: Key) -> None:
        kind, namespace, name = key
        if kind == "claim":
            claim = self.claims.get(namespace, name)
            if claim is not None:
                await self._serve(claim)
            return
        volume = self.volumes.get("", name)
        if volume is not None and deletable(volume):
            await self.client.delete(PERSISTENT_VOLUMES, name, uid=volume.metadata.uid)

    async def _serve(self, claim: Claim) -> None:
        body = volume_for(claim)
        if body is not None:
            try:
                await self.client.create(PERSISTENT_VOLUMES, body)
            except AlreadyExists:
                log.debug("volume exists", extra={"volume": body["metadata"]["name"]})
            return
        size = grown(claim, self.volumes.get("", claim.spec.volume_name))
        if size is None:
            return
        capacity = {"capacity": {"storage": size}}
        await self.client.merge_patch(PERSISTENT_VOLUMES, claim.spec.volume_name, {"spec": capacity})
        await self.client.merge_patch(
            PERSISTENT_VOLUME_CLAIMS,
            claim.metadata.name,
            {"status": {**capacity, "conditions": None}},
            namespace=claim.metadata.namespace,
            subresource="status",
        )
