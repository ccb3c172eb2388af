"""Plays the Kubernetes nodes of a plane: ample machines in three zones, Ready, their leases renewed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from missioncontrol.api.names import Label
from missioncontrol.api.resources import LEASES, NODES
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import AlreadyExists, KubeError, NotFound
from missioncontrol.kube.informer import Informer
from missioncontrol.local.simulator.settings import SimulatedNode
from missioncontrol.local.simulator.views import KubernetesNode

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
RETRY_SECONDS = 1.0
CAPACITY = {"cpu": "512", "memory": "4Ti", "pods": "250", "ephemeral-storage": "32Ti"}
"""For as many pods as there may be on a machine, each of which asks for one processor or two."""
HEALTHY = {
    "Ready": ("True", "KubeletReady"),
    "MemoryPressure": ("False", "KubeletHasSufficientMemory"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID"),
}
MICROTIME = "%Y-%m-%dT%H:%M:%S.%fZ"


def labels_of(node: SimulatedNode, *, region: str) -> dict[str, str]:
    return {
        Label.HOSTNAME: node.name,
        Label.ZONE: node.zone,
        Label.LEGACY_ZONE: node.zone,
        "topology.kubernetes.io/region": region,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "simulated",
    }


def node_object(node: SimulatedNode, *, region: str, now: datetime) -> dict[str, Any]:
    return {
        "metadata": {"name": node.name, "labels": labels_of(node, region=region)},
        "spec": {"providerID": f"simulated://{node.name}"},
        "status": node_status(node, now=now),
    }


def node_status(node: SimulatedNode, *, now: datetime) -> dict[str, Any]:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "capacity": CAPACITY,
        "allocatable": CAPACITY,
        "addresses": [
            {"type": "InternalIP", "address": node.address},
            {"type": "Hostname", "address": node.name},
        ],
        "conditions": [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": "simulated",
                "lastHeartbeatTime": stamp,
                "lastTransitionTime": stamp,
            }
            for kind, (status, reason) in HEALTHY.items()
        ],
        "nodeInfo": {
            "architecture": "amd64",
            "operatingSystem": "linux",
            "kubeletVersion": "v0.0.0-simulated",
            "kubeProxyVersion": "",
            "containerRuntimeVersion": "simulated://1",
            "osImage": "simulated",
            "kernelVersion": "simulated",
            "machineID": node.name,
            "systemUUID": node.name,
            "bootID": node.name,
        },
    }


def lease_object(node: SimulatedNode, *, now: datetime) -> dict[str, Any]:
    return {
        "metadata": {"name": node.name, "namespace": LEASE_NAMESPACE},
        "spec": {
            "holderIdentity": node.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": now.strftime(MICROTIME),
        },
    }


def healthy(node: KubernetesNode) -> bool:
    found = {c.type: c.status for c in node.status.conditions}
    return all(found.get(kind) == status for kind, (status, _) in HEALTHY.items())


class Nodes:
    """Keeps the nodes of one plane there and alive."""

    def __init__(
        self,
        client: Client,
        *,
        nodes: Iterable[SimulatedNode],
        region: str,
        informer: Informer[KubernetesNode],
        clock: Callable[[], float],
    ) -> None:
        self.client = client
        self.nodes = list(nodes)
        self.region = region
        self.informer = informer
        self.clock = clock
        self.settled = asyncio.Event()
        """All nodes exist."""
        self._hurry = asyncio.Event()
        informer.add_handler(self._changed)

    def _changed(self, _: str, __: KubernetesNode | None, new: KubernetesNode | None) -> None:
        if new is None or not healthy(new):
            self._hurry.set()

    async def run(self) -> None:
        await self.informer.wait_synced()
        renewed = float("-inf")
        while True:
            self._hurry.clear()
            due = self.clock() - renewed >= RENEW_SECONDS
            try:
                for node in self.nodes:
                    await self._ensure(node)
                    if due:
                        await self._renew(node)
                if due:
                    renewed = self.clock()
                self.settled.set()
                pause = max(RENEW_SECONDS - (self.clock() - renewed), 0.1)
            except (KubeError, OSError) as error:
                log.warning("nodes not renewed", extra={"why": str(error)})
                pause = RETRY_SECONDS
                await asyncio.sleep(pause)
                continue
            await self._sleep(pause)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            return
        await asyncio.sleep(0.1)  # let the events of one cause come together

    async def _ensure(self, node: SimulatedNode) -> None:
        found = self.informer.get("", node.name)
        now = self._now()
        if found is None:
            try:
                made = await self.client.create(NODES, node_object(node, region=self.region, now=now))
            except AlreadyExists:
                return
            self.informer.observe(made)
            return
        wanted = labels_of(node, region=self.region)
        if not wanted.items() <= found.metadata.labels.items():
            await self.client.merge_patch(NODES, node.name, {"metadata": {"labels": wanted}})
        if not healthy(found):
            # Whoever waited longer than the grace period has declared the node lost: it is back.
            patch = {"status": node_status(node, now=now)}
            self.informer.observe(
                await self.client.merge_patch(NODES, node.name, patch, subresource="status")
            )

    async def _renew(self, node: SimulatedNode) -> None:
        body = lease_object(node, now=self._now())
        try:
            await self.client.merge_patch(
                LEASES, node.name, {"spec": body["spec"]}, namespace=LEASE_NAMESPACE
            )
        except NotFound:
            await self.client.create(LEASES, body)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)
