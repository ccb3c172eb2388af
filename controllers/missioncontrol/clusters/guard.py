"""What this operator must not do, whatever the stored object says.

Webhooks refuse what is not supported; but they can be away or bypassed, and an operator that shrinks a
database because a field changed does harm. So the spec is judged again before anything is applied: against
the rules, and against what the planes were asked for. Whoever fails here is left exactly as it is, with a
condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controllers.missioncontrol.clusters.facts import Cluster, Placed, PlaneFacts, Snapshot
from controllers.missioncontrol.clusters.rollout import initialized
from controllers.missioncontrol.identity import describe_owner
from missioncontrol.api.names import Reason
from missioncontrol.validation import causes as rules
from missioncontrol.validation.changes import change_causes
from missioncontrol.validation.cluster import FIELD, create_causes
from missioncontrol.validation.datacenters import SpecView


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a cluster is left as it is."""

    reason: Reason
    message: str


def object_to(snapshot: Snapshot) -> Objection | None:
    """The first reason not to act on a cluster, the most fundamental first."""
    return _invalid(snapshot.cluster) or _moved(snapshot) or _changed(snapshot) or _added(snapshot)


def name_taken(plane: PlaneFacts, cluster: Cluster) -> str:
    """A sentence when the name of the cluster is somebody else's in a plane; empty otherwise."""
    placed = plane.placed
    if placed is None or cluster.owner.owns(placed.labels):
        return ""
    return (
        f"the K8ssandraCluster {cluster.namespace}/{cluster.name} in the data plane {plane.name} "
        f"{describe_owner(placed.labels)} and is left alone: rename one of the two"
    )


def _invalid(cluster: Cluster) -> Objection | None:
    stored = {"metadata": {"name": cluster.name, "namespace": cluster.namespace}, "spec": cluster.spec}
    causes = create_causes(stored, planes=None)
    return _objection(causes) if causes else None


def _moved(snapshot: Snapshot) -> Objection | None:
    cluster = snapshot.cluster
    for plane in snapshot.planes.values():
        if plane.placed is None or not cluster.owner.owns(plane.placed.labels):
            continue
        for name in plane.placed.sizes():
            wanted = cluster.datacenter(name)
            if wanted is not None and wanted.plane != plane.name:
                field = f"{wanted.field}.k8sContext"
                return _objection([rules.not_supported_yet(field, f"moving {name} away from {plane.name}")])
    return None


def _changed(snapshot: Snapshot) -> Objection | None:
    cluster = snapshot.cluster
    new = SpecView(body=_body(cluster), field=FIELD, object_name=cluster.name, namespace=cluster.namespace)
    for plane in snapshot.planes.values():
        if plane.placed is None or not cluster.owner.owns(plane.placed.labels):
            continue
        body = _as_asked(cluster, plane, plane.placed)
        old = SpecView(body=body, field=FIELD, object_name=cluster.name, namespace=cluster.namespace)
        causes = [cause for cause in change_causes(old, new) if not _is_size(cause, cluster)]
        if causes:
            return _objection(causes)
    return None


def _is_size(cause: rules.Cause, cluster: Cluster) -> bool:
    """A size is judged by the webhook alone, against the one before it: what is stored was accepted."""
    return cause.field in {f"{each.field}.size" for each in cluster.datacenters}


def _added(snapshot: Snapshot) -> Objection | None:
    cluster = snapshot.cluster
    recorded = {str(each.get("name")) for each in cluster.status.get("datacenters") or ()}
    if not recorded or not initialized(snapshot):
        return None
    last = max((each.index for each in cluster.datacenters if each.name in recorded), default=0)
    for datacenter in cluster.datacenters[:last]:
        if datacenter.name not in recorded and snapshot.asked(datacenter) is None:
            what = f"a datacenter that is added ({datacenter.name}) comes after those that are there"
            return _objection([rules.forbidden(datacenter.field, what)])
    present = {each.name for each in cluster.datacenters}
    gone = [name for name in cluster.placed_datacenters if name not in present]
    if gone:
        field = f"{FIELD}.cassandra.datacenters"
        return _objection(
            [rules.not_supported_yet(field, f"removing a datacenter ({', '.join(sorted(gone))})")]
        )
    return None


def _as_asked(cluster: Cluster, plane: PlaneFacts, placed: Placed) -> dict[str, Any]:
    """The cluster's spec as this plane was asked for it: its datacenters, and the others as they are now."""
    body = dict(placed.spec)
    cassandra = dict(body.get("cassandra") or {})
    theirs = {str(each["metadata"]["name"]): {**each, "k8sContext": plane.name} for each in _list(cassandra)}
    merged = [theirs.pop(each.name, each.body) for each in cluster.datacenters]
    cassandra["datacenters"] = [dict(each) for each in [*merged, *theirs.values()]]
    if not cluster.named_superuser_secret and _superuser(cassandra) == cluster.superuser_secret:
        cassandra.pop("superuserSecretRef")
    body["cassandra"] = cassandra
    return body


def _list(cassandra: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(cassandra.get("datacenters") or ())


def _superuser(cassandra: Mapping[str, Any]) -> str:
    return str((cassandra.get("superuserSecretRef") or {}).get("name") or "")


def _body(cluster: Cluster) -> dict[str, Any]:
    return dict(cluster.spec.get("k8ssandra") or {})


def _objection(causes: list[rules.Cause]) -> Objection:
    unsupported = any("not supported yet" in cause.message for cause in causes)
    return Objection(Reason.NOT_SUPPORTED if unsupported else Reason.INVALID_SPEC, rules.sentence(causes))
