"""The objects that a plane gets for a cluster: pure functions of the snapshot and the rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controllers.missioncontrol.clusters.facts import Cluster, Snapshot
from controllers.missioncontrol.clusters.replication import (
    owner_plane,
    replication_annotation,
    ring_name,
    system_replication,
)
from controllers.missioncontrol.clusters.rollout import Rollout
from controllers.missioncontrol.clusters.wishes import fingerprint, held_spec, revision, spec_of
from controllers.missioncontrol.identity import namespace_labels
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import K8SSANDRA_CLUSTERS, NAMESPACES, SECRETS

APPLIED_HASH: Final = Annotation.APPLIED_HASH


def render_namespace(cluster: Cluster) -> dict[str, Any]:
    """The namespace, where it has to be made; it is shared with the other clusters of the same namespace."""
    return {
        "apiVersion": NAMESPACES.api_version,
        "kind": NAMESPACES.kind,
        "metadata": {"name": cluster.namespace, "labels": namespace_labels(cluster.owner.control_plane)},
    }


def render_superuser_copy(cluster: Cluster, data: Mapping[str, str]) -> dict[str, Any]:
    """The copy of the superuser Secret; `data` is base64 as in the original."""
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": {
            "name": cluster.superuser_secret,
            "namespace": cluster.namespace,
            "labels": cluster.owner.labels(),
        },
        "type": "Opaque",
        "data": dict(data),
    }


def render_k8ssandra_cluster(snapshot: Snapshot, rollout: Rollout, plane: str) -> dict[str, Any] | None:
    """The K8ssandraCluster of a plane; None while none of its datacenters may be made."""
    cluster, placed = snapshot.cluster, snapshot.plane(plane).placed
    annotations = _annotations(snapshot, plane)
    if plane in rollout.held and placed is not None:
        spec: dict[str, Any] | None = held_spec(snapshot, plane, placed)
        kept = placed.annotations.get(Annotation.SPEC_REVISION)
        annotations |= {Annotation.SPEC_REVISION: kept} if kept else {}
    else:
        spec = spec_of(snapshot, plane, rollout.sizes)
        annotations[Annotation.SPEC_REVISION] = revision(snapshot, plane)
    if spec is None:
        return None
    body: dict[str, Any] = {
        "apiVersion": K8SSANDRA_CLUSTERS.api_version,
        "kind": K8SSANDRA_CLUSTERS.kind,
        "metadata": {
            "name": cluster.name,
            "namespace": cluster.namespace,
            "labels": cluster.owner.labels(),
            "annotations": annotations,
        },
        "spec": spec,
    }
    if placed is not None and spec == placed.spec:
        # what is held, and stays as it is: there is no new spec to name
        annotations[APPLIED_HASH] = placed.annotations.get(APPLIED_HASH, "")
    else:
        annotations[APPLIED_HASH] = fingerprint(body)
    return body


def differs(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether an object lacks anything that is wanted of it; what others added does not count."""
    return not all(key in live and _contained(value, live[key]) for key, value in wanted.items())


def _contained(wanted: Any, live: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and not differs(wanted, live)
    if isinstance(wanted, list | tuple):
        return (
            isinstance(live, list | tuple)
            and len(wanted) == len(live)
            and all(_contained(each, other) for each, other in zip(wanted, live, strict=True))
        )
    return bool(wanted == live)


def _annotations(snapshot: Snapshot, plane: str) -> dict[str, str]:
    if plane != owner_plane(snapshot):
        # roles live in a keyspace of the whole cluster: only its first datacenter creates them
        return {
            Annotation.SKIP_USER_CREATION: "true",
            # its nodes have to get these roles, and what else there is, from somewhere
            Annotation.REBUILD_SOURCE_DC: ring_name(snapshot.cluster.datacenters[0]),
        }
    return {Annotation.INITIAL_SYSTEM_REPLICATION: replication_annotation(system_replication(snapshot))}


__all__ = [
    "APPLIED_HASH",
    "differs",
    "render_k8ssandra_cluster",
    "render_namespace",
    "render_superuser_copy",
]
