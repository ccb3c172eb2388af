"""What this operator watches, and how changes there lead back to the cluster or task that they concern."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.materials import Materials, names_of
from controllers.k8ssandra.rebuild import task_name
from controllers.k8ssandra.state import Snapshot
from controllers.runtime.cluster import Cluster as Plane
from controllers.runtime.outcome import HOME, Key
from missioncontrol.api.names import Label, LabelValue, clean_label_value
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    PODS,
    SECRETS,
    SERVICES,
)
from missioncontrol.kube.informer import HasMeta, Informer
from missioncontrol.kube.views import ConfigMap, MetaView, Object, Pod, SecretMeta

BY_NAMESPACE = "namespace"
BY_DATACENTER = "datacenter"
BY_CLUSTER = "cluster"
BY_TASK = "task"
_OUR_SLICES = f"{Label.ENDPOINT_SLICE_MANAGED_BY}={LabelValue.K8SSANDRA_OPERATOR}"
_OUR_SERVICES = f"{Label.K8SSANDRA_DATACENTER},{Label.APP_NAME}={LabelValue.K8SSANDRA_OPERATOR}"
_OURS = f"{Label.CLEANED_UP_BY}={LabelValue.K8SSANDRACLUSTER_CONTROLLER}"


@dataclass(frozen=True)
class Sources:
    """The informers of this operator."""

    clusters: Informer[Object]
    datacenters: Informer[Object]
    tasks: Informer[Object]
    cassandra_tasks: Informer[Object]
    pods: Informer[Pod]
    secrets: Informer[SecretMeta]
    config_maps: Informer[ConfigMap]
    slices: Informer[MetaView]
    services: Informer[MetaView]
    given_config_maps: Informer[MetaView]
    """All ConfigMaps, by their metadata: a user may name any of them."""

    @classmethod
    def of(cls, plane: Plane) -> Sources:
        """Declare all informers with their indexes."""
        sources = cls(
            clusters=plane.informer(K8SSANDRA_CLUSTERS, Object),
            datacenters=plane.informer(CASSANDRA_DATACENTERS, Object),
            tasks=plane.informer(K8SSANDRA_TASKS, Object),
            cassandra_tasks=plane.informer(CASSANDRA_TASKS, Object),
            pods=plane.informer(PODS, Pod, label_selector=Label.DATACENTER),
            secrets=plane.informer(SECRETS, SecretMeta),
            config_maps=plane.informer(CONFIG_MAPS, ConfigMap, label_selector=_OURS),
            slices=plane.informer(ENDPOINT_SLICES, MetaView, label_selector=_OUR_SLICES),
            services=plane.informer(SERVICES, MetaView, label_selector=_OUR_SERVICES),
            given_config_maps=plane.informer(CONFIG_MAPS, MetaView),
        )
        sources.clusters.add_index(BY_NAMESPACE, lambda each: [each.metadata.namespace])
        sources.datacenters.add_index(BY_NAMESPACE, lambda each: [each.metadata.namespace])
        sources.pods.add_index(
            BY_DATACENTER,
            lambda pod: [_joined(pod.metadata.namespace, pod.metadata.labels.get(Label.DATACENTER, ""))],
        )
        sources.config_maps.add_index(BY_CLUSTER, _owner_index)
        sources.slices.add_index(BY_CLUSTER, _owner_index)
        sources.services.add_index(BY_CLUSTER, _owner_index)
        sources.cassandra_tasks.add_index(BY_TASK, lambda each: [str(key) for key in task_of(each)])
        sources.tasks.add_index(BY_CLUSTER, lambda each: [_joined(*cluster_of_task(each))])
        return sources

    def snapshot(self, view: Object, materials: Materials | None = None) -> Snapshot:
        """A K8ssandraCluster with everything of it, as the caches have it now."""
        cluster = Cluster(view.metadata, view.spec)
        namespace = cluster.namespace
        names = {each.name for each in cluster.datacenters}
        found = {
            each.metadata.name: each
            for each in self.datacenters.by(BY_NAMESPACE, namespace)
            if each.metadata.name in names or cluster.owned_labels.items() <= each.metadata.labels.items()
        }
        values = sorted({clean_label_value(name) for name in {*names, *found}})
        owner = _joined(namespace, cluster.name)
        return Snapshot(
            cluster=cluster,
            status=view.status,
            datacenters=found,
            pods=[pod for value in values for pod in self.pods.by(BY_DATACENTER, _joined(namespace, value))],
            config_maps={each.metadata.name: each for each in self.config_maps.by(BY_CLUSTER, owner)},
            slices={each.metadata.name: each for each in self.slices.by(BY_CLUSTER, owner)},
            services={each.metadata.name: each for each in self.services.by(BY_CLUSTER, owner)},
            rebuilds=self._rebuilds(cluster),
            has_secret=cluster.external_secrets
            or self.secrets.get(namespace, cluster.superuser_secret) is not None,
            materials=materials or Materials(),
        )

    def _rebuilds(self, cluster: Cluster) -> dict[str, Object]:
        found = {
            each.name: self.cassandra_tasks.get(cluster.namespace, task_name(each))
            for each in cluster.datacenters
        }
        return {name: task for name, task in found.items() if task is not None}

    # From a change to the clusters that it concerns ---------------------------------------------------------

    def clusters_naming(self, datacenter: Object) -> Iterable[Key]:
        """The owner of a CassandraDatacenter, and whoever wants to make one of its name."""
        yield from owner(datacenter)
        for view in self.clusters.by(BY_NAMESPACE, datacenter.metadata.namespace):
            if any(each.name == datacenter.metadata.name for each in _cluster(view).datacenters):
                yield _key(view)

    def clusters_of_pod(self, pod: Pod) -> Iterable[Key]:
        value = pod.metadata.labels.get(Label.DATACENTER, "")
        for view in self.clusters.by(BY_NAMESPACE, pod.metadata.namespace):
            if any(clean_label_value(each.name) == value for each in _cluster(view).datacenters):
                yield _key(view)

    def clusters_using(self, secret: SecretMeta) -> Iterable[Key]:
        for view in self.clusters.by(BY_NAMESPACE, secret.metadata.namespace):
            cluster = _cluster(view)
            if secret.metadata.name in {cluster.superuser_secret, *names_of(cluster)[1]}:
                yield _key(view)

    def clusters_given(self, config_map: MetaView) -> Iterable[Key]:
        """The clusters that name a ConfigMap for their single nodes."""
        for view in self.clusters.by(BY_NAMESPACE, config_map.metadata.namespace):
            if config_map.metadata.name in names_of(_cluster(view))[0]:
                yield _key(view)

    def tasks_of_cluster(self, namespace: str, name: str) -> list[Object]:
        return self.tasks.by(BY_CLUSTER, _joined(namespace, name))


def owner(made: HasMeta) -> list[Key]:
    """The K8ssandraCluster that something was made for, by its labels."""
    labels = made.metadata.labels
    namespace, name = labels.get(Label.K8SSANDRA_CLUSTER_NAMESPACE), labels.get(Label.K8SSANDRA_CLUSTER_NAME)
    return [Key(HOME, namespace, name)] if namespace and name else []


def task_of(task: HasMeta) -> list[Key]:
    """The K8ssandraTask that a CassandraTask was made for."""
    labels = task.metadata.labels
    namespace, name = labels.get(Label.TASK_NAMESPACE), labels.get(Label.TASK_NAME)
    return [Key(HOME, namespace, name)] if namespace and name else []


def cluster_of_task(task: Object) -> tuple[str, str]:
    """Namespace and name of the K8ssandraCluster that a K8ssandraTask is for."""
    reference = task.spec.get("cluster") or {}
    return reference.get("namespace") or task.metadata.namespace, reference.get("name") or ""


def _owner_index(made: HasMeta) -> list[str]:
    return [_joined(key.namespace, key.name) for key in owner(made)]


def _cluster(view: Object) -> Cluster:
    return Cluster(view.metadata, view.spec)


def _key(view: Object) -> Key:
    return Key(HOME, view.metadata.namespace, view.metadata.name)


def _joined(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"
