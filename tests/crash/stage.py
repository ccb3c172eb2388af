"""What a life happens in: one namespace of a plane, looked at with an administrator's eyes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import aiohttp

from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound

Json = dict[str, Any]
DC = "dc1"
COMPARED = (
    CASSANDRA_DATACENTERS,
    STATEFUL_SETS,
    SERVICES,
    ENDPOINT_SLICES,
    POD_DISRUPTION_BUDGETS,
    SECRETS,
    CONFIG_MAPS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    CASSANDRA_TASKS,
)
STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
KUBERNETES_OWN = ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io")
CHANCE = frozenset(
    {
        "controller-revision-hash",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "volume.kubernetes.io/selected-node",
    }
)
"""Labels and annotations by which Kubernetes says what it chose."""
MOMENT = re.compile(r"^(cleanup-)\d+$")


class Stage:
    """One datacenter, `dc1` of the cluster `demo`, in a namespace of its own."""

    def __init__(self, client: Client, session: aiohttp.ClientSession, nodes: str, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self._session, self._nodes = session, nodes

    async def create(self, resource: Resource, body: Json) -> None:
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        await self.client.create(resource, whole, namespace=self.namespace)

    async def patch(self, spec: Json) -> None:
        await self.client.merge_patch(CASSANDRA_DATACENTERS, DC, {"spec": spec}, namespace=self.namespace)

    async def run(self, name: str, command: str, **args: Any) -> None:
        """Make a task."""
        spec = {
            "datacenter": {"name": DC, "namespace": self.namespace},
            "jobs": [{"name": name, "command": command, "args": args}],
        }
        await self.create(CASSANDRA_TASKS, {"metadata": {"name": name}, "spec": spec})

    async def find(self, resource: Resource, name: str) -> Json | None:
        try:
            return await self.client.get(resource, name, namespace=self.namespace)
        except NotFound:
            return None

    async def list(self, resource: Resource) -> list[Json]:
        return await self.client.list(resource, namespace=self.namespace)

    async def settled(self) -> bool:
        """Whether the spec is carried out, and every task has ended."""
        found = await self.find(CASSANDRA_DATACENTERS, DC)
        status = (found or {}).get("status", {})
        if found is None or status.get("observedGeneration") != found["metadata"]["generation"]:
            return False
        conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
        held = {kind for kind, holds in conditions.items() if holds == "True"}
        if conditions.get("Healthy") == "False":
            return False
        if status.get("cassandraOperatorProgress") != "Ready" or not held & {"Ready", "Stopped"}:
            return False
        if held & {"ScalingUp", "ScalingDown", "Updating", "ReplacingNodes", "Resuming", "ResizingVolumes"}:
            return False
        label = "control.k8ssandra.io/status"
        tasks = await self.list(CASSANDRA_TASKS)
        return all(each["metadata"].get("labels", {}).get(label) == "completed" for each in tasks)

    async def gone(self) -> bool:
        """Whether nothing is left of the datacenter but what is meant to stay."""
        if await self.find(CASSANDRA_DATACENTERS, DC) is not None:
            return False
        return not any([await self.list(each) for each in (PODS, STATEFUL_SETS, PERSISTENT_VOLUME_CLAIMS)])

    async def says(self) -> str:
        """What the objects say of themselves, for people who look for what went wrong."""
        found = []
        for resource in (CASSANDRA_DATACENTERS, CASSANDRA_TASKS):
            for each in await self.list(resource):
                conditions = each.get("status", {}).get("conditions", [])
                told = [f"{c['type']}={c['status']} {c.get('message', '')}".strip() for c in conditions]
                found.append(f"{resource.kind} {each['metadata']['name']}: {'; '.join(told)}")
        states = {
            each["metadata"]["name"]: each["metadata"]["labels"].get("cassandra.datastax.com/node-state")
            for each in await self.list(PODS)
        }
        return "\n    ".join([*found, f"pods: {states}"])

    async def objects(self) -> Json:
        """Everything there is, without what differs from life to life."""
        found: Json = {}
        for resource in COMPARED:
            for each in await self.list(resource):
                name = MOMENT.sub(r"\1moment", each["metadata"]["name"])
                if name == "kube-root-ca.crt" or KUBERNETES_OWN in each["metadata"].get("labels", {}).items():
                    continue
                plain = json.dumps(_plain(resource, each), sort_keys=True)
                plain = STAMP.sub("<time>", plain.replace(self.namespace, "<namespace>"))
                found[f"{resource.kind}/{name}"] = json.loads(plain)
        return found

    async def told(self, kind: str, *, since: float, until: float | None = None) -> list[Json]:
        """The nodes' `history`, or the `calls` to them, of this namespace."""
        query = urlencode({"namespace": self.namespace, "since": int(since * 1000)})
        async with self._session.get(f"{self._nodes}/admin/{kind}?{query}") as response:
            lines: list[Json] = json.loads(await response.read())
        key = "ms" if kind == "history" else "time"
        return [each for each in lines if until is None or each[key] <= until * 1000]


def _plain(resource: Resource, body: Json) -> Json:
    metadata = body["metadata"]
    kept: Json = {
        "labels": {key: value for key, value in metadata.get("labels", {}).items() if key not in CHANCE},
        "finalizers": sorted(metadata.get("finalizers", [])),
        "annotations": {
            key: value
            for key, value in metadata.get("annotations", {}).items()
            if key not in CHANCE
            and not key.startswith(("missioncontrol.io/management-api", "deployment.kubernetes.io"))
        },
        "owners": sorted(each["name"] for each in metadata.get("ownerReferences", [])),
    }
    if resource in (CASSANDRA_DATACENTERS, STATEFUL_SETS):
        kept["generation"] = metadata.get("generation")
        kept["spec"] = body.get("spec")
    if resource == CASSANDRA_DATACENTERS:
        kept["status"] = _datacenter_status(body.get("status", {}))
    if resource == CASSANDRA_TASKS:
        kept["status"] = _task_status(body.get("status", {}))
    if resource == SECRETS:
        kept["data"] = sorted(body.get("data", {}))
    if resource == ENDPOINT_SLICES:
        kept["endpoints"] = len(body.get("endpoints") or [])
    return kept


def _datacenter_status(status: Json) -> Json:
    kept = {
        key: value
        for key, value in status.items()
        if key not in ("conditions", "nodeStatuses", "lastServerNodeStarted", "message")
    }
    kept["conditions"] = {each["type"]: each["status"] for each in status.get("conditions", [])}
    kept["nodes"] = {name: node.get("rack") for name, node in (status.get("nodeStatuses") or {}).items()}
    return kept


def _task_status(status: Json) -> Json:
    kept = {key: value for key, value in status.items() if key in ("active", "succeeded", "failed")}
    kept["conditions"] = {each["type"]: each["status"] for each in status.get("conditions", [])}
    pods = (status.get("podStatuses") or {}).items()
    kept["pods"] = {
        name: " ".join((pod.get("status", ""), pod.get("error", ""))).strip() for name, pod in pods
    }
    return kept


async def until(check: Callable[[], Any], what: str, *, timeout: float) -> None:
    """Wait until an awaitable check gives something true."""
    deadline = time.monotonic() + timeout
    while not await check():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        await asyncio.sleep(0.1)
