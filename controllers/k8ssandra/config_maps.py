"""ConfigMaps that are made for a cluster: all of one shape, and found again by their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.hashing import fingerprint
from missioncontrol.api.names import Annotation, Label, LabelValue
from missioncontrol.validation.values import at, mapping

Json = dict[str, Any]


def config_map(cluster: Cluster, name: str, data: Mapping[str, str], labels: Mapping[str, str]) -> Json:
    """A ConfigMap in the cluster's namespace, with further labels."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": cluster.namespace,
            "labels": {
                **cluster.ownership_labels,
                Label.CLEANED_UP_BY: LabelValue.K8SSANDRACLUSTER_CONTROLLER,
                **cluster.owned_labels,
                **labels,
            },
            "annotations": {Annotation.K8SSANDRA_RESOURCE_HASH: fingerprint(data)},
        },
        "data": dict(data),
    }


def with_common_tags(cluster: Cluster, body: Json) -> Json:
    """An object with the labels and annotations that the user wants on all that is made."""
    common, metadata = mapping(at(cluster.cassandra, "metadata")), body["metadata"]
    tagged = {
        "labels": {**metadata["labels"], **mapping(common.get("commonLabels"))},
        "annotations": {**mapping(common.get("commonAnnotations")), **metadata["annotations"]},
    }
    return {**body, "metadata": {**metadata, **tagged}}
