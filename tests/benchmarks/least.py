"""The least that any operator has to ask for, by a script that decides nothing: what bounds all of them here.

The objects of a datacenter that cass-operator has made are made again under other names. Then each node is
labelled, started, waited for and labelled, as people see it with upstream's operator, and nothing else: no
status, no event, no look at the ring.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from missioncontrol.api.names import Annotation, Label, NodeState
from missioncontrol.api.resources import (
    CONFIG_MAPS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Pod
from tests.processes import call

KINDS = (SERVICES, POD_DISRUPTION_BUDGETS, CONFIG_MAPS, SECRETS, STATEFUL_SETS)
KEPT = ("name", "labels", "annotations")
GIVEN = ("clusterIP", "clusterIPs")


class Pattern:
    """What a datacenter consists of, to be made again in other namespaces."""

    def __init__(self, name: str, bodies: list[tuple[Resource, str]]) -> None:
        self._name = name
        self._bodies = bodies

    @classmethod
    async def of(cls, client: Client, name: str) -> Pattern:
        """Of the datacenter that is named like its cluster and its namespace."""
        bodies = []
        for resource in KINDS:
            for each in await client.list(resource, namespace=name):
                if each["metadata"]["name"].startswith(name):
                    bodies.append((resource, json.dumps(_as_written(each))))
        return cls(name, bodies)

    async def make(self, client: Client, name: str) -> None:
        """Make it all, one after the other, in the namespace of this name."""
        for resource, body in self._bodies:
            await client.create(resource, json.loads(body.replace(self._name, name)), namespace=name)


def _as_written(found: dict[str, Any]) -> dict[str, Any]:
    """An object without what kube-apiserver has added to it."""
    metadata = {name: found["metadata"][name] for name in KEPT if name in found["metadata"]}
    body = {**found, "metadata": metadata}
    body.pop("status", None)
    if isinstance(body.get("spec"), dict):
        body["spec"] = {name: value for name, value in body["spec"].items() if name not in GIVEN}
        if found["spec"].get("clusterIP") == "None":
            body["spec"]["clusterIP"] = "None"
    return body


class Starter:
    """Starts the nodes of datacenters, of each one after the other, the first of each rack first."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.pods: Informer[Pod] = Informer(client, PODS, Pod)
        self.pods.add_handler(self._changed)
        self._moved: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def _changed(self, _: str, __: Pod | None, new: Pod | None) -> None:
        if new is not None:
            self._moved[new.metadata.namespace].set()

    async def start(self, name: str, *, racks: int, nodes: int) -> None:
        """All nodes of the datacenter of this name; returns when they are ready."""
        for ordinal in range(nodes // racks):
            for rack in range(1, racks + 1):
                await self._start(name, f"{name}-{name}-r{rack}-sts-{ordinal}", is_seed=ordinal == 0)

    async def _start(self, namespace: str, pod: str, *, is_seed: bool) -> None:
        found = await self._until(
            namespace, pod, lambda each: Annotation.MANAGEMENT_API in each.metadata.annotations
        )
        seed = {Label.SEED_NODE: "true"} if is_seed else {}
        await self._label(found, {Label.NODE_STATE: NodeState.STARTING, **seed})
        url = f"{found.metadata.annotations[Annotation.MANAGEMENT_API]}/api/v0/lifecycle/start"
        status, text = await asyncio.to_thread(call, "POST", url)
        assert status == HTTPStatus.CREATED, f"{pod}: {status} {text}"
        await self._until(namespace, pod, _is_ready)
        await self._label(found, {Label.NODE_STATE: NodeState.STARTED})

    async def _label(self, pod: Pod, labels: dict[str, str]) -> None:
        change = {"metadata": {"labels": labels}}
        await self._client.merge_patch(PODS, pod.metadata.name, change, namespace=pod.metadata.namespace)

    async def _until(self, namespace: str, name: str, check: Callable[[Pod], bool]) -> Pod:
        while True:
            self._moved[namespace].clear()
            pod = self.pods.get(namespace, name)
            if pod is not None and check(pod):
                return pod
            await self._moved[namespace].wait()


def _is_ready(pod: Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
