"""From the caches of the control plane and of the planes to an immutable snapshot. Nothing here waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from controllers.missioncontrol.clusters.facts import (
    Cluster,
    DatacenterFacts,
    Node,
    Placed,
    PlaneFacts,
    Snapshot,
    read_cluster,
)
from controllers.missioncontrol.clusters.guard import name_taken
from controllers.missioncontrol.conditions import find, holds
from controllers.missioncontrol.dataplanes.member import PODS_BY_DATACENTER, Member, pods_key
from controllers.missioncontrol.dataplanes.status import stamp
from missioncontrol.api.names import Condition, Label, Progress, Reason, clean_label_value
from missioncontrol.kube.views import Object, Pod

_BUSY = (
    Condition.UPDATING,
    Condition.SCALING_UP,
    Condition.SCALING_DOWN,
    Condition.ROLLING_RESTART,
    Condition.RESUMING,
    Condition.REPLACING_NODES,
    Condition.RESIZING_VOLUMES,
)


def cluster_of(stored: Object, *, control_plane: str) -> Cluster:
    """The cluster of a stored object."""
    return read_cluster(
        metadata=msgspec.to_builtins(stored.metadata),
        spec=stored.spec,
        status=stored.status,
        control_plane=control_plane,
    )


def snapshot_of(
    cluster: Cluster,
    *,
    members: Mapping[str, Member],
    registered: Iterable[str],
    stored_datacenters: Iterable[Object],
    disruption: str = "",
) -> Snapshot:
    """Everything that is known of a cluster."""
    names = dict.fromkeys((*cluster.planes, *cluster.recorded_planes, *_seen_in(cluster, members)))
    known = set(registered)
    planes = {name: _plane(cluster, name, members.get(name), registered=name in known) for name in names}
    return Snapshot(cluster, planes, disruption, _remembered(cluster, stored_datacenters))


def _seen_in(cluster: Cluster, members: Mapping[str, Member]) -> list[str]:
    """Planes that hold a K8ssandraCluster of this cluster, whether or not the spec names them."""
    found = []
    for name, member in members.items():
        placed = member.watches.clusters.get(cluster.namespace, cluster.name) if member.known else None
        if placed is not None and cluster.owner.owns(placed.metadata.labels):
            found.append(name)
    return found


def _plane(cluster: Cluster, name: str, member: Member | None, *, registered: bool) -> PlaneFacts:
    if member is None:
        if not registered:
            return PlaneFacts(name, registered=False, reachable=False, known=False)
        return PlaneFacts(
            name,
            reachable=False,
            known=False,
            trouble="its kubeconfig cannot be used, see the DataPlane",
            trouble_reason=Reason.KUBECONFIG_INVALID,
        )
    health = member.cluster.health
    if member.finding is not None and not member.finding.ok:
        trouble, reason = member.finding.message, member.finding.reason
        return PlaneFacts(
            name, reachable=bool(health.available), known=False, trouble=trouble, trouble_reason=reason
        )
    placed = _placed(member.watches.clusters.get(cluster.namespace, cluster.name))
    facts = PlaneFacts(
        name,
        reachable=bool(health.available),
        known=member.known,
        away_since=stamp(health.since) if health.available is False and health.since else "",
        placed=placed,
        datacenters=_datacenters(cluster, member, placed),
    )
    taken = name_taken(facts, cluster)
    if taken:
        return replace(facts, trouble=taken, trouble_reason=Reason.NAME_TAKEN)
    return facts


def _placed(obj: Object | None) -> Placed | None:
    if obj is None:
        return None
    error = str(obj.status.get("error") or "")
    ready = find(obj.status.get("conditions") or (), Condition.READY) or {}
    return Placed(
        uid=obj.metadata.uid,
        resource_version=obj.metadata.resource_version,
        labels=obj.metadata.labels,
        annotations=obj.metadata.annotations,
        spec=obj.spec,
        deleting=obj.metadata.deletion_timestamp is not None,
        error="" if error == "None" else error,
        # upstream's operator has no such condition: then its datacenters are all that can be judged
        seen=not ready or int(ready.get("observedGeneration") or 0) >= obj.metadata.generation,
        done=not ready or ready.get("status") == "True",
        waiting=str(ready.get("message") or "") if ready.get("status") == "False" else "",
    )


def _datacenters(cluster: Cluster, member: Member, placed: Placed | None) -> dict[str, DatacenterFacts]:
    if placed is None or not cluster.owner.owns(placed.labels):
        return {}
    found = {}
    for name in placed.sizes():
        obj = member.watches.datacenters.get(cluster.namespace, name)
        if obj is not None and _belongs(obj, cluster):
            key = pods_key(
                cluster.namespace, clean_label_value(cluster.database_name), clean_label_value(name)
            )
            found[name] = _facts(obj, member.watches.pods.by(PODS_BY_DATACENTER, key))
    return found


def _belongs(obj: Object, cluster: Cluster) -> bool:
    labels = obj.metadata.labels
    named = labels.get(Label.K8SSANDRA_CLUSTER_NAME, cluster.name) == cluster.name
    return named and str(obj.spec.get("clusterName") or cluster.database_name) == cluster.database_name


def _facts(obj: Object, pods: list[Pod]) -> DatacenterFacts:
    status = obj.status
    conditions = status.get("conditions") or ()
    statuses = status.get("nodeStatuses") or {}
    seen = int(status.get("observedGeneration") or 0) >= obj.metadata.generation
    progress = status.get("cassandraOperatorProgress")
    busy = progress == Progress.UPDATING or any(holds(conditions, each) for each in _BUSY)
    return DatacenterFacts(
        size=int(obj.spec.get("size") or 0),
        initialized=holds(conditions, Condition.INITIALIZED),
        ready=holds(conditions, Condition.READY),
        current=seen and not busy,
        nodes=tuple(_node(pod, statuses.get(pod.metadata.name) or {}) for pod in pods),
        version=str(obj.spec.get("serverVersion") or ""),
        stopped=bool(obj.spec.get("stopped")) and holds(conditions, Condition.STOPPED),
        complaint=_denial(conditions, Condition.VALID),
        lack=_denial(conditions, Condition.HEALTHY),
    )


def _denial(conditions: Sequence[Mapping[str, Any]], kind: Condition) -> str:
    """What a condition says when it does not hold."""
    found = find(conditions, kind) or {}
    return str(found.get("message") or "") if found.get("status") == "False" else ""


def _node(pod: Pod, told: Mapping[str, Any]) -> Node:
    labels = pod.metadata.labels
    container = pod.container("cassandra")
    running = container.state.running if container else None
    started = running.started_at if running else None
    return Node(
        name=pod.metadata.name,
        rack=labels.get(Label.RACK, ""),
        ip=pod.status.pod_ip or str(told.get("ip") or ""),
        host_id=str(told.get("hostID") or ""),
        state=labels.get(Label.NODE_STATE, ""),
        ready=pod.ready,
        seed=labels.get(Label.SEED_NODE) == "true",
        started_at=stamp(started) if started else None,
    )


def _remembered(cluster: Cluster, stored: Iterable[Object]) -> dict[str, tuple[str, ...]]:
    """Up to three nodes of each datacenter that served when they were last seen, by plane."""
    remembered: dict[str, list[str]] = {}
    for each in stored:
        if each.spec.get("clusterName") != cluster.name:
            continue
        nodes = [node for node in each.status.get("nodes") or () if node.get("ready") and node.get("ip")]
        plane = str(each.spec.get("dataPlane") or "")
        remembered.setdefault(plane, []).extend(str(node["ip"]) for node in nodes[:3])
    return {plane: tuple(addresses) for plane, addresses in remembered.items()}
