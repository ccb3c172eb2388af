"""The CassandraDatacenter of one datacenter: a pure function of the K8ssandraCluster.

Equivalent to what upstream renders for the fields that are supported; `spec` of what exists already is
consulted for nothing but the option that only counts at the very first start of a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from controllers.k8ssandra import encryption, metrics_agent, node_config, vector
from controllers.k8ssandra.cluster import Cluster, DatacenterSpec, Replication
from controllers.k8ssandra.config import (
    builder_config,
    existing_system_replication,
    system_replication_option,
)
from controllers.k8ssandra.hashing import fingerprint
from controllers.k8ssandra.materials import Materials
from controllers.k8ssandra.pods import (
    CONFIG_CONTAINER,
    LOGGER_CONTAINER,
    extra_volumes,
    pod_template,
    resources_of,
)
from controllers.k8ssandra.tokens import node_config_of
from missioncontrol.api.names import Annotation, Finalizer, Label, LabelValue
from missioncontrol.validation.values import mapping, sequence, text

COMPONENT_LABELS: Final = {
    Label.APP_NAME: LabelValue.K8SSANDRA_OPERATOR,
    Label.APP_PART_OF: LabelValue.K8SSANDRA,
    Label.APP_COMPONENT: LabelValue.CASSANDRA,
}
_SERVICES: Final = {
    "dcService": "dcService",
    "seedService": "seedService",
    "allPodsService": "allpodsService",
    "additionalSeedService": "additionalSeedService",
    "nodePortService": "nodePortService",
}


def cassandra_datacenter(
    cluster: Cluster,
    datacenter: DatacenterSpec,
    *,
    replication: Replication | None,
    existing_spec: Mapping[str, Any] | None,
    materials: Materials | None = None,
) -> dict[str, Any]:
    """The whole object, with the fingerprint of everything else in its annotation."""
    first_start = _first_start_option(cluster, datacenter, replication, existing_spec)
    spec = _spec(cluster, datacenter, first_start, materials or Materials())
    labels = {
        **cluster.tags(datacenter, "labels"),
        **cluster.ownership_labels,
        **COMPONENT_LABELS,
        Label.CLEANED_UP_BY: LabelValue.K8SSANDRACLUSTER_CONTROLLER,
        **cluster.owned_labels,
    }
    annotations = cluster.tags(datacenter, "annotations")
    if datacenter.index > 0 or cluster.no_users:
        annotations[Annotation.SKIP_USER_CREATION] = "true"
    annotations[Annotation.K8SSANDRA_RESOURCE_HASH] = fingerprint([labels, annotations, spec])
    return {
        "apiVersion": "cassandra.datastax.com/v1beta1",
        "kind": "CassandraDatacenter",
        "metadata": {
            "name": datacenter.name,
            "namespace": cluster.namespace,
            "labels": labels,
            "annotations": annotations,
            "finalizers": [Finalizer.K8SSANDRA_CLUSTER],
        },
        "spec": spec,
    }


def _first_start_option(
    cluster: Cluster,
    datacenter: DatacenterSpec,
    replication: Replication | None,
    existing_spec: Mapping[str, Any] | None,
) -> str | None:
    if existing_spec is not None:
        return existing_system_replication(existing_spec)
    if datacenter.index > 0 or replication is None or not replication.factors:
        return None
    return system_replication_option(replication.factors)


def _spec(
    cluster: Cluster, datacenter: DatacenterSpec, system_replication: str | None, materials: Materials
) -> dict[str, Any]:
    options = datacenter.options
    used = encryption.stores(cluster, datacenter)
    version = text(options.get("serverVersion"))
    spec: dict[str, Any] = {
        "clusterName": cluster.cluster_name,
        "serverType": cluster.server_type,
        "serverVersion": version,
        "size": datacenter.size,
        "config": builder_config(
            mapping(options.get("config")),
            server_type=cluster.server_type,
            version=version,
            auth=cluster.auth,
            system_replication=system_replication,
            encryption=encryption.yaml_defaults(used, materials.secrets),
            jvm_options=encryption.jvm_options(cluster, datacenter, used, materials.secrets),
        ),
        "storageConfig": _storage(cluster, datacenter),
        "additionalServiceConfig": _services(cluster, datacenter),
        "podTemplateSpec": _pods(cluster, datacenter, used, materials),
    }
    optional = {
        "superuserSecretName": "" if cluster.external_secrets else cluster.superuser_secret,
        "datacenterName": datacenter.body.get("datacenterName"),
        "stopped": bool(datacenter.body.get("stopped")),
        "serverImage": options.get("serverImage"),
        "resources": options.get("resources"),
        "racks": options.get("racks"),
        "tolerations": options.get("tolerations"),
        "managementApiAuth": options.get("managementApiAuth"),
        "additionalSeeds": list(cluster.seeds[1]),
        "additionalLabels": cluster.tags(datacenter, "commonLabels"),
        "additionalAnnotations": cluster.tags(datacenter, "commonAnnotations"),
        "networking": _networking(mapping(options.get("networking"))),
        "allowMultipleNodesPerWorker": options.get("softPodAntiAffinity"),
        "serviceAccountName": options.get("serviceAccount"),
        "dseWorkloads": options.get("dseWorkloads"),
        "cdc": datacenter.body.get("cdc"),
        "systemLoggerResources": resources_of(options.get("containers"), LOGGER_CONTAINER)
        or vector.resources(datacenter),
        "configBuilderResources": resources_of(options.get("initContainers"), CONFIG_CONTAINER),
    }
    found = spec | {key: value for key, value in optional.items() if value}
    if options.get("readOnlyRootFilesystem") is not None:
        found["readOnlyRootFilesystem"] = options["readOnlyRootFilesystem"]
    return found


def _networking(given: Mapping[str, Any]) -> dict[str, Any]:
    """Nodes are in a network of their own unless the host's is asked for: that need not be said."""
    return {key: value for key, value in given.items() if value is not False}


def _pods(
    cluster: Cluster, datacenter: DatacenterSpec, used: list[encryption.Store], materials: Materials
) -> dict[str, Any]:
    template = pod_template(cluster, datacenter)
    spec = template["spec"]
    template["spec"] = {**spec, "containers": vector.with_agent(spec["containers"], datacenter)}
    template = encryption.mounted(template, used)
    given = materials.config_maps.get(node_config_of(datacenter))
    return node_config.mounted(template, cluster, datacenter, given)


def _storage(cluster: Cluster, datacenter: DatacenterSpec) -> dict[str, Any]:
    storage = dict(mapping(datacenter.options.get("storageConfig")))
    volumes = [*sequence(storage.get("additionalVolumes")), *sequence(extra_volumes(datacenter, "pvcs"))]
    configuration = [*vector.volumes(cluster, datacenter), metrics_agent.volume(cluster, datacenter)]
    storage["additionalVolumes"] = [*volumes, *configuration]
    return storage


def _services(cluster: Cluster, datacenter: DatacenterSpec) -> dict[str, Any]:
    """Tags of the Services; that of all pods carries the cluster's name, so that its endpoints wake us."""
    services: dict[str, Any] = {}
    for source, target in _SERVICES.items():
        labels = cluster.tags(datacenter, "services", source, "labels")
        if source == "allPodsService":
            labels |= cluster.owned_labels
        annotations = cluster.tags(datacenter, "services", source, "annotations")
        tags = {"additionalLabels": labels, "additionalAnnotations": annotations}
        services[target] = {key: value for key, value in tags.items() if value}
    return services
