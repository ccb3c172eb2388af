"""Objects for the tests of k8ssandra-operator: a base and what a test changes of it."""

from __future__ import annotations

from typing import Any

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.render import cassandra_datacenter
from controllers.k8ssandra.state import Snapshot
from missioncontrol.api.names import Label
from missioncontrol.kube.views import Meta, Object, Pod, PodStatus

NAMESPACE = "ns"
CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": "standard",
    "resources": {"requests": {"storage": "2Gi"}},
}


def a_spec(*datacenters: dict[str, Any], **cassandra: Any) -> dict[str, Any]:
    return {
        "cassandra": {
            "serverVersion": "5.0.4",
            "storageConfig": {"cassandraDataVolumeClaimSpec": CLAIM},
            "datacenters": list(datacenters) or [a_datacenter("dc1")],
            **cassandra,
        }
    }


def a_datacenter(name: str, size: int = 1, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "size": size, **more}


def a_cluster(spec: dict[str, Any] | None = None, **meta: Any) -> Cluster:
    given = {
        "name": "demo",
        "namespace": NAMESPACE,
        "uid": "kc-uid",
        "generation": 1,
        "resource_version": "7",
    }
    return Cluster(Meta(**{**given, **meta}), spec if spec is not None else a_spec())


def a_live(
    cluster: Cluster, name: str, *, ready: bool = True, spec: dict[str, Any] | None = None, **meta: Any
) -> Object:
    """The CassandraDatacenter as this operator made it, with the status of cass-operator."""
    datacenter = next(each for each in cluster.datacenters if each.name == name)
    body = cassandra_datacenter(cluster, datacenter, replication=None, existing_spec=None)
    told = [{"type": kind, "status": "True"} for kind in ("Initialized", "Ready")] if ready else []
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": f"{name}-uid",
        "resource_version": "11",
        "generation": 1,
        "labels": body["metadata"]["labels"],
        "annotations": body["metadata"]["annotations"],
        "finalizers": tuple(body["metadata"]["finalizers"]),
    }
    return Object(
        metadata=Meta(**{**metadata, **meta}),
        spec={**body["spec"], **(spec or {})},
        status={
            "conditions": told,
            "cassandraOperatorProgress": "Ready" if ready else "Updating",
            "observedGeneration": 1 if ready else 0,
        },
    )


def a_pod(datacenter: str, ordinal: int, ip: str, *, seed: bool = True) -> Pod:
    labels = {Label.DATACENTER: datacenter, Label.CLUSTER: "demo"}
    if seed:
        labels[Label.SEED_NODE] = "true"
    name = f"demo-{datacenter}-default-sts-{ordinal}"
    return Pod(metadata=Meta(name=name, namespace=NAMESPACE, labels=labels), status=PodStatus(pod_ip=ip))


def a_snapshot(cluster: Cluster, *live: Object, **more: Any) -> Snapshot:
    found = {each.metadata.name: each for each in live}
    return Snapshot(**{"cluster": cluster, "status": {}, "datacenters": found, "has_secret": True, **more})
