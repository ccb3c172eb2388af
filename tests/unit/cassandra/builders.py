"""Builders of snapshots: a datacenter with racks and pods, changed where a test says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from controllers.cassandra.actions import ApplyObject
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.decide.objects import object_actions
from controllers.cassandra.state import (
    Claim,
    Endpoint,
    Existing,
    Gossip,
    Memory,
    Observations,
    PodState,
    RackSet,
    Snapshot,
)
from missioncontrol.api.names import Annotation, Finalizer, NodeState
from missioncontrol.kube.views import Meta, Object

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
UID = "00000000-0000-4000-8000-000000000001"


def datacenter(
    *,
    size: int = 3,
    racks: int | list[dict[str, Any]] = 3,
    status: dict[str, Any] | None = None,
    meta: dict[str, Any] | None = None,
    **spec: Any,
) -> Datacenter:
    metadata = Meta(
        **{
            "name": "dc1",
            "namespace": "ns",
            "uid": UID,
            "generation": 2,
            "resource_version": "7",
            "finalizers": (Finalizer.CASSANDRA_DATACENTER,),
            **(meta or {}),
        }
    )
    full = {
        "clusterName": "demo",
        "serverType": "cassandra",
        "serverVersion": "5.0.4",
        "size": size,
        "racks": _racks(racks),
        "storageConfig": {
            "cassandraDataVolumeClaimSpec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "2Gi"}},
            }
        },
        **spec,
    }
    return Datacenter.of(Object(metadata=metadata, spec=full, status=status or {}))


def _racks(given: int | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": f"r{number}"} for number in range(1, given + 1)] if isinstance(given, int) else given


def pod(
    rack: int,
    ordinal: int = 0,
    state: NodeState = NodeState.READY_TO_START,
    *,
    ready: bool | None = None,
    age: float = 60,
    **more: Any,
) -> PodState:
    name = f"demo-dc1-r{rack}-sts-{ordinal}"
    values: dict[str, Any] = {
        "name": name,
        "namespace": "ns",
        "uid": f"uid-{name}",
        "rack": f"r{rack}",
        "ordinal": ordinal,
        "state": state,
        "labelled": True,
        "seed": False,
        "ready": state is NodeState.STARTED if ready is None else ready,
        "running": True,
        "deleting": False,
        "restarts": 0,
        "crashed": False,
        "failing": "",
        "ip": f"10.0.{rack}.{ordinal + 1}",
        "host_ip": f"192.0.2.{rack}",
        "management_url": "",
        "created_at": NOW - timedelta(seconds=age),
        "changed_at": NOW - timedelta(seconds=age),
        **more,
    }
    return PodState(**values)


def rack_set(rack: int, *, replicas: int = 1, digest: str = "same", **more: Any) -> RackSet:
    values: dict[str, Any] = {
        "name": f"demo-dc1-r{rack}-sts",
        "uid": f"uid-r{rack}",
        "rack": f"r{rack}",
        "resource_version": f"rv{rack}",
        "replicas": replicas,
        "digest": digest,
        "restarted_at": "",
        "rolled": True,
        "storage": {"server-data": "2Gi"},
        "owner_uid": UID,
        **more,
    }
    return RackSet(**values)


def claim(pod_name: str, *, size: str = "2Gi", left: bool = False, **more: Any) -> Claim:
    """The claim of a pod's data."""
    values: dict[str, Any] = {
        "name": f"server-data-{pod_name}",
        "uid": f"uid-{pod_name}",
        "requested": size,
        "capacity": size,
        "storage_class": "standard",
        "created_at": NOW - timedelta(seconds=60),
        "deleting": False,
        "left": left,
        "conditions": {},
        **more,
    }
    return Claim(**values)


def snapshot(
    pods: Iterable[PodState] = (),
    *,
    of: Datacenter | None = None,
    sets: Iterable[RackSet] | None = None,
    desired: str = "same",
    observed: Observations | None = None,
    memory: Memory | None = None,
    external_seeds: bool = False,
    objects: dict[tuple[str, str], Existing] | None = None,
) -> Snapshot:
    chosen = of or datacenter()
    made = (
        list(sets)
        if sets is not None
        else [rack_set(number, replicas=rack.nodes) for number, rack in enumerate(chosen.plan, start=1)]
    )
    return Snapshot(
        datacenter=chosen,
        racks={each.name: each for each in made},
        pods=tuple(pods),
        objects=objects or {},
        desired_racks={each.name: desired for each in made},
        external_seeds=external_seeds,
        observed=observed or Observations(),
        memory=memory or Memory(),
    )


def members(*pods: PodState) -> dict[str, Any]:
    """A status in which these pods' nodes are members of the ring."""
    return {"nodeStatuses": {p.name: {"hostID": f"host-{p.name}", "ip": p.ip, "rack": p.rack} for p in pods}}


def gossip(pods: Iterable[PodState], *, status: str = "NORMAL", alive: bool = True) -> Gossip:
    """What a node sees when all these are in that state."""
    return tuple(
        Endpoint(each.ip, f"host-{each.name}", "dc1", each.rack, status, alive, local=False) for each in pods
    )


def started(*pods: PodState) -> tuple[PodState, ...]:
    """The same pods, running and ready."""
    return tuple(replace(each, state=NodeState.STARTED, ready=True) for each in pods)


def with_objects(base: Snapshot) -> Snapshot:
    """The same, with every Service and so on as it should be."""
    objects = {("Secret", "demo-superuser"): Existing("", "", "", "1", {})}
    for action in object_actions(base):
        if isinstance(action, ApplyObject):
            digest = action.body["metadata"]["annotations"][Annotation.RESOURCE_HASH]
            objects[action.resource.kind, action.name] = Existing(digest, UID, "dc1", "1", {})
    told = frozenset(each.uid for each in base.pods if each.seed and each.ready)
    return replace(base, objects=objects, memory=replace(base.memory, seeds_told=told))
