"""One run of cass-operator, measured from outside: when things came, what the process used, what it asked."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from missioncontrol.api.resources import CASSANDRA_DATACENTERS, EVENTS, PODS, STATEFUL_SETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Object
from tests.processes import Operator

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def datacenter(name: str, *, size: int) -> dict[str, Any]:
    """Three racks; the cluster is named after the datacenter, so that each is a ring of its own."""
    return {
        "apiVersion": CASSANDRA_DATACENTERS.api_version,
        "kind": CASSANDRA_DATACENTERS.kind,
        "metadata": {"name": name},
        "spec": {
            "clusterName": name,
            "serverType": "cassandra",
            "serverVersion": "5.0.4",
            "managementApiAuth": {"insecure": {}},
            "size": size,
            "racks": [{"name": f"r{number}"} for number in (1, 2, 3)],
            "storageConfig": {
                "cassandraDataVolumeClaimSpec": {
                    "storageClassName": "standard",
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "2Gi"}},
                }
            },
        },
    }


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


@dataclass(frozen=True)
class Use:
    """What the operator has used and asked for since it started."""

    cpu: float
    requests: float
    events: int
    calls: float
    passes: float

    def since(self, before: Use) -> Use:
        return Use(
            self.cpu - before.cpu,
            self.requests - before.requests,
            self.events - before.events,
            self.calls - before.calls,
            self.passes - before.passes,
        )


@dataclass
class Run:
    """The operator, and what a watcher saw of its datacenters, by namespace, in seconds.

    Only datacenters are watched: a watcher of the pods would take its share of the processors.
    """

    client: Client
    operator: Operator
    created: dict[str, float] = field(default_factory=dict)
    ready: dict[str, float] = field(default_factory=dict)
    largest: int = 0

    async def watch(self) -> None:
        """Look until cancelled."""
        datacenters = Informer(self.client, CASSANDRA_DATACENTERS, Object)
        datacenters.add_handler(self._changed)
        async with asyncio.TaskGroup() as group:
            group.create_task(datacenters.run())
            group.create_task(self._weigh())

    async def _weigh(self) -> None:
        while True:
            self.largest = max(self.largest, resident_bytes(self.pid))
            await asyncio.sleep(0.25)

    async def exist(self) -> dict[str, float]:
        """When the last StatefulSet of each datacenter was made; whole seconds, as Kubernetes tells them."""
        found: dict[str, float] = {}
        for each in await self.client.list(STATEFUL_SETS):
            metadata = each["metadata"]
            _latest(found, metadata["namespace"], metadata["creationTimestamp"])
        return self._since_creation(found)

    async def run(self) -> dict[str, float]:
        """Since when all pods of each datacenter run: only then can all of its nodes be started."""
        found: dict[str, float] = {}
        for each in await self.client.list(PODS):
            _latest(found, each["metadata"]["namespace"], each["status"]["startTime"])
        return self._since_creation(found)

    def _since_creation(self, moments: dict[str, float]) -> dict[str, float]:
        """Of the datacenters of this run alone."""
        return {
            name: max(moments[name] - created, 0.0)
            for name, created in self.created.items()
            if name in moments
        }

    def _changed(self, _: str, __: Object | None, new: Object | None) -> None:
        if new is None:
            return
        if settled(new):
            self.ready.setdefault(f"{new.metadata.namespace}@{new.metadata.generation}", time.time())

    @property
    def pid(self) -> int:
        assert self.operator.process is not None
        return self.operator.process.pid

    async def use(self) -> Use:
        listed = await self.client.list(EVENTS)
        events = [each for each in listed if each.get("reportingController") == "cass-operator"]
        return Use(
            cpu_seconds(self.pid),
            self.operator.metric("rest_client_requests_total"),
            len(events),
            self.operator.metric("cass_operator_httphelper_call_duration_seconds_count"),
            self.operator.passes,
        )

    def calls_by_route(self) -> dict[str, float]:
        """How often nodes were asked what."""
        return self.operator.metric_by("cass_operator_httphelper_call_duration_seconds_count", "route")

    async def until(self, check: Callable[[], object], what: str, *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not check():
            assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
            await asyncio.sleep(0.02)

    async def prepare(self, namespace: str) -> None:
        """Make a namespace; the account without which no pod is admitted is made in its controller's time."""
        await self.client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        while (await self.client.request("GET", account)).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.25)

    async def create(self, namespace: str, body: dict[str, Any]) -> None:
        self.created[namespace] = time.time()
        await self.client.create(CASSANDRA_DATACENTERS, body, namespace=namespace)

    async def patch(self, namespace: str, name: str, spec: dict[str, Any]) -> tuple[float, str]:
        """Change a spec; when, and under which key it will be ready."""
        began = time.time()
        found = await self.client.merge_patch(
            CASSANDRA_DATACENTERS, name, {"spec": spec}, namespace=namespace
        )
        return began, f"{namespace}@{found['metadata']['generation']}"


def _latest(found: dict[str, float], namespace: str, stamp: str) -> None:
    moment = datetime.fromisoformat(stamp).timestamp()
    found[namespace] = max(found.get(namespace, 0.0), moment)


def settled(view: Object) -> bool:
    """Whether the spec that stands there is carried out."""
    status = view.status
    if status.get("observedGeneration") != view.metadata.generation:
        return False
    return status.get("cassandraOperatorProgress") == "Ready"


def share(values: list[float], part: float) -> float:
    """The value that this part of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]
