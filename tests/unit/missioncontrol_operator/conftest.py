"""Builders of snapshots: clusters, planes and datacenters in few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controllers.missioncontrol.clusters.facts import (
    Cluster,
    DatacenterFacts,
    Node,
    Placed,
    PlaneFacts,
    Snapshot,
    read_cluster,
)
from controllers.missioncontrol.clusters.wishes import revision
from controllers.missioncontrol.identity import Owner
from missioncontrol.api.names import Annotation

ID = "control-plane-id"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
SHARED = {"serverVersion": "5.0.4", "storageConfig": {"cassandraDataVolumeClaimSpec": CLAIM}}
OWNER = Owner(ID, "store", "demo")


class Build:
    """Everything with defaults that are well."""

    owner = OWNER

    def cluster(self, *datacenters: tuple[str, str, int], **parts: Any) -> Cluster:
        """A cluster of datacenters (name, plane, size)."""
        cassandra = {
            **SHARED,
            "datacenters": [
                {"metadata": {"name": name}, "k8sContext": plane, "size": size}
                for name, plane, size in datacenters
            ],
            **parts.pop("cassandra", {}),
        }
        metadata = {"namespace": "store", "name": "demo", "uid": "u", "generation": 1}
        return read_cluster(
            metadata={**metadata, **parts.pop("metadata", {})},
            spec={"k8ssandra": {"cassandra": cassandra}},
            status=parts.pop("status", {}),
            control_plane=ID,
        )

    def nodes(self, datacenter: str, number: int, *, ready: int, network: str = "10.0.0") -> tuple[Node, ...]:
        """Nodes of which the first are ready; the first two are seeds."""
        return tuple(
            Node(
                name=f"demo-{datacenter}-r1-sts-{index}",
                rack="r1",
                ip=f"{network}.{index + 1}",
                host_id=f"{datacenter}-{index}",
                state="Started",
                ready=index < ready,
                seed=index < 2,
                started_at=None,
            )
            for index in range(number)
        )

    def facts(
        self, name: str, size: int, *, joined: int | None = None, ready: int | None = None, **more: Any
    ) -> DatacenterFacts:
        """A datacenter; by default one that has all it is to have."""
        here = size if joined is None else joined
        serving = here if ready is None else ready
        network = more.pop("network", f"10.{name[-1] if name[-1].isdigit() else 0}.0")
        given = {
            "initialized": here >= size,
            "ready": here >= size,
            "current": here == size,
            "nodes": self.nodes(name, here, ready=serving, network=network),
        }
        return DatacenterFacts(size=size, **{**given, **more})

    def placed(
        self, datacenters: Mapping[str, int], *, labels: Mapping[str, str] | None = None, **more: Any
    ) -> Placed:
        """A K8ssandraCluster that asks for these sizes."""
        stopped = more.pop("stopped", ())
        entries = [
            {"metadata": {"name": name}, "size": size, **({"stopped": True} if name in stopped else {})}
            for name, size in datacenters.items()
        ]
        spec = {"cassandra": {**SHARED, "datacenters": entries, **more.pop("cassandra", {})}}
        return Placed(
            uid="k",
            resource_version="1",
            labels=OWNER.labels() if labels is None else labels,
            annotations=more.pop("annotations", {}),
            spec=spec,
            deleting=False,
            **more,
        )

    def plane(self, name: str, *datacenters: tuple[str, int], **more: Any) -> PlaneFacts:
        """A plane that was asked for these datacenters and has them, all nodes ready."""
        facts = more.pop("facts", {each: self.facts(each, size) for each, size in datacenters})
        placed = more.pop("placed", self.placed(dict(datacenters)) if datacenters else None)
        return PlaneFacts(name, placed=placed, datacenters=facts, **more)

    def snapshot(self, cluster: Cluster, *planes: PlaneFacts, **more: Any) -> Snapshot:
        """A snapshot; planes that are not given are not registered, those that are hold today's revision."""
        snapshot = Snapshot(cluster, {each.name: each for each in planes}, **more)
        current = {name: self._current(snapshot, plane) for name, plane in snapshot.planes.items()}
        return replace(snapshot, planes=current)

    def _current(self, snapshot: Snapshot, plane: PlaneFacts) -> PlaneFacts:
        if plane.placed is None or Annotation.SPEC_REVISION in plane.placed.annotations:
            return plane
        annotations = {**plane.placed.annotations, Annotation.SPEC_REVISION: revision(snapshot, plane.name)}
        return replace(plane, placed=replace(plane.placed, annotations=annotations))

    def initialized(self) -> dict[str, Any]:
        """A status that remembers an initialised datacenter."""
        return {"conditions": [{"type": "Initialized", "status": "True"}]}


@pytest.fixture
def build() -> Build:
    return Build()
