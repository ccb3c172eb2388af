"""Everything that decisions about a cluster are made from, as immutable values.

``Cluster`` is what was asked for (the stored MissionControlCluster), ``PlaneFacts`` what is known of one data
plane and of this cluster in it. Facts of a plane that is away are the last known ones; ``known`` says whether
there are any.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from controllers.missioncontrol.conditions import holds
from controllers.missioncontrol.identity import Owner
from missioncontrol.api.names import (
    Condition,
    Label,
    Reason,
    clean_label_value,
    split_racks,
    stored_datacenter_name,
    superuser_secret_name,
)
from missioncontrol.validation.cluster import spec_view


@dataclass(frozen=True, slots=True)
class Datacenter:
    """One datacenter as the spec asks for it."""

    index: int
    name: str
    plane: str
    size: int
    racks: tuple[str, ...]
    version: str
    stopped: bool
    field: str
    body: Mapping[str, Any] = dataclasses.field(repr=False)

    def rack_sizes(self) -> list[int]:
        """The share of each rack."""
        return split_racks(self.size, len(self.racks))


@dataclass(frozen=True)
class Cluster:
    """A stored MissionControlCluster."""

    owner: Owner
    uid: str
    generation: int
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    annotations: Mapping[str, str]
    finalizers: tuple[str, ...]
    deleting: bool
    datacenters: tuple[Datacenter, ...]
    database_name: str
    """clusterName of Cassandra: what nodes carry."""

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.owner.name

    @property
    def namespace(self) -> str:
        """metadata.namespace."""
        return self.owner.namespace

    @cached_property
    def superuser_secret(self) -> str:
        """The Secret with the superuser: the one the spec names, else the one made here."""
        return self.named_superuser_secret or superuser_secret_name(self.database_name)

    @cached_property
    def named_superuser_secret(self) -> str:
        """The Secret that the spec names; empty when the operator makes one."""
        reference = self._cassandra.get("superuserSecretRef")
        return str(reference.get("name") or "") if isinstance(reference, Mapping) else ""

    @property
    def external_secrets(self) -> bool:
        """Somebody else makes the Secrets, the superuser's among them."""
        return (self.spec.get("k8ssandra") or {}).get("secretsProvider") == "external"

    @property
    def external_datacenters(self) -> tuple[str, ...]:
        """Datacenters of the same ring that are managed elsewhere, by their names inside Cassandra."""
        return tuple((self.spec.get("k8ssandra") or {}).get("externalDatacenters") or ())

    @cached_property
    def planes(self) -> tuple[str, ...]:
        """The planes that the spec uses, in the order of its datacenters."""
        return tuple(dict.fromkeys(each.plane for each in self.datacenters))

    @cached_property
    def recorded_planes(self) -> tuple[str, ...]:
        """The planes that the status knows this cluster in."""
        entries = self.status.get("datacenters") or ()
        return tuple(dict.fromkeys(str(each["dataPlane"]) for each in entries if each.get("dataPlane")))

    @cached_property
    def placed_datacenters(self) -> dict[str, str]:
        """The datacenters ever asked of a plane, with their planes: noted before anything is written."""
        return {
            str(each["name"]): str(each.get("dataPlane") or "")
            for each in self.status.get("datacenters") or ()
            if holds(each.get("conditions") or (), Condition.PLACED)
        }

    @property
    def pod_selector(self) -> str:
        """The label selector of all nodes."""
        return f"{Label.CLUSTER}={clean_label_value(self.database_name)}"

    def datacenter(self, name: str) -> Datacenter | None:
        """The datacenter of this name."""
        return next((each for each in self.datacenters if each.name == name), None)

    def datacenter_object(self, name: str) -> str:
        """The name of the Datacenter object."""
        return stored_datacenter_name(self.name, name)

    @property
    def _cassandra(self) -> Mapping[str, Any]:
        inner = (self.spec.get("k8ssandra") or {}).get("cassandra")
        return inner if isinstance(inner, Mapping) else {}


def read_cluster(
    *, metadata: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any], control_plane: str
) -> Cluster:
    """A cluster from the parts of its object."""
    namespace, name = str(metadata["namespace"]), str(metadata["name"])
    view = spec_view({"metadata": dict(metadata), "spec": dict(spec)})
    datacenters = tuple(
        Datacenter(
            index=each.index,
            name=each.name,
            plane=each.context,
            size=each.size or 0,
            racks=tuple(each.rack_names),
            version=str(each.effective("serverVersion").value or ""),
            stopped=bool(each.body.get("stopped")),
            field=each.field,
            body=each.body,
        )
        for each in view.datacenters
    )
    return Cluster(
        owner=Owner(control_plane, namespace, name),
        uid=str(metadata.get("uid") or ""),
        generation=int(metadata.get("generation") or 0),
        spec=spec,
        status=status,
        annotations=metadata.get("annotations") or {},
        finalizers=tuple(metadata.get("finalizers") or ()),
        deleting=bool(metadata.get("deletionTimestamp")),
        datacenters=datacenters,
        database_name=view.cluster_name,
    )


@dataclass(frozen=True, slots=True)
class Node:
    """A Cassandra node: its pod and what cass-operator says of it."""

    name: str
    rack: str
    ip: str
    host_id: str
    state: str
    ready: bool
    seed: bool
    started_at: str | None


@dataclass(frozen=True, slots=True)
class DatacenterFacts:
    """A CassandraDatacenter and its nodes in a plane."""

    size: int
    initialized: bool
    ready: bool
    """Its Ready condition."""
    current: bool
    """Whether its operator has seen the present spec, and has nothing left to do for it."""
    nodes: tuple[Node, ...]
    version: str = ""
    stopped: bool = False
    """Whether it was stopped on purpose."""
    complaint: str = ""
    """Why its operator does not carry out its spec."""
    lack: str = ""
    """What its operator waits for until it is healthy again."""

    @property
    def ready_nodes(self) -> int:
        """Nodes that serve requests."""
        return sum(node.ready for node in self.nodes)

    @property
    def joined_nodes(self) -> int:
        """Nodes that are in the ring, whether or not they serve requests now."""
        return sum(bool(node.host_id) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Placed:
    """The object of the cluster's name in a plane: its K8ssandraCluster, or somebody else's."""

    uid: str
    resource_version: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    deleting: bool
    error: str = ""
    seen: bool = True
    """Whether its operator has looked at the present spec, and passed on what it could."""
    done: bool = True
    """Whether its operator says that everything is as the spec says."""
    waiting: str = ""
    """What its operator waits for, in its words."""

    def sizes(self) -> dict[str, int]:
        """The sizes that were asked of the plane, by datacenter."""
        datacenters = (self.spec.get("cassandra") or {}).get("datacenters") or ()
        return {str(each["metadata"]["name"]): int(each.get("size") or 0) for each in datacenters}

    def stopped(self) -> frozenset[str]:
        """The datacenters that were asked to stop."""
        datacenters = (self.spec.get("cassandra") or {}).get("datacenters") or ()
        return frozenset(str(each["metadata"]["name"]) for each in datacenters if each.get("stopped"))

    def racks(self, datacenter: str) -> list[Any]:
        """The racks of a datacenter as they were asked for."""
        cassandra = self.spec.get("cassandra") or {}
        for each in cassandra.get("datacenters") or ():
            if each["metadata"]["name"] == datacenter:
                return list(each.get("racks") or cassandra.get("racks") or ())
        return []

    def seeds(self) -> tuple[str, ...]:
        """The seeds outside the plane that it was told of."""
        return tuple((self.spec.get("cassandra") or {}).get("additionalSeeds") or ())


@dataclass(frozen=True, slots=True)
class PlaneFacts:
    """One data plane, and this cluster in it."""

    name: str
    registered: bool = True
    reachable: bool = True
    known: bool = True
    """Whether the plane was ever read since this process began: without it, absence means nothing."""
    away_since: str = ""
    trouble: str = ""
    """Why a plane that is there is not used, such as missing custom resources or a name that is taken."""
    trouble_reason: Reason = Reason.UNREACHABLE
    placed: Placed | None = None
    datacenters: Mapping[str, DatacenterFacts] = dataclasses.field(default_factory=dict)

    def at_work(self) -> str:
        """The clause that says that operators there carry out a change; empty when they do not."""
        if self.placed is None or self.absence():
            return ""
        busy = not self.placed.seen or (
            not self.placed.done and not all(facts.current for facts in self.datacenters.values())
        )
        return f"the operators of the data plane {self.name} carry out a change" if busy else ""

    def absence(self) -> str:
        """Why nothing can be done there now, in words that end a sentence; empty when it can."""
        if not self.registered:
            return f"the DataPlane {self.name} is not registered"
        if self.trouble:
            return f"the data plane {self.name} cannot be used: {self.trouble}"
        if not self.reachable:
            since = f" since {self.away_since}" if self.away_since else ""
            return f"the data plane {self.name} is away{since}"
        return "" if self.known else f"the data plane {self.name} has not been read yet"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A cluster with the facts of every plane it uses or was seen in."""

    cluster: Cluster
    planes: Mapping[str, PlaneFacts]
    disruption: str = ""
    """What works on the cluster now, so that no node may join: words such as "the rolling restart r1"."""
    remembered_seeds: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Addresses of nodes by plane, from the last stored status: for planes not read since the start."""

    def plane(self, name: str) -> PlaneFacts:
        """The facts of a plane; a plane nobody registered is as good as away."""
        return self.planes.get(name) or PlaneFacts(name, registered=False, reachable=False, known=False)

    def facts(self, datacenter: Datacenter) -> DatacenterFacts | None:
        """What is known of a datacenter where it belongs."""
        return self.plane(datacenter.plane).datacenters.get(datacenter.name)

    def asked(self, datacenter: Datacenter) -> int | None:
        """The size that its plane was asked for; None when it was asked for nothing, or that is not known."""
        placed = self.plane(datacenter.plane).placed
        if placed is None or not self.cluster.owner.owns(placed.labels):
            return None
        return placed.sizes().get(datacenter.name)

    def asked_to_stop(self, datacenter: Datacenter) -> bool:
        """Whether its plane was asked to stop it."""
        placed = self.plane(datacenter.plane).placed
        return placed is not None and datacenter.name in placed.stopped()
