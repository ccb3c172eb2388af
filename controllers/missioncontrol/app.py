"""The operator put together: which caches, which controllers, and what wakes which of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controllers.missioncontrol.clusters.facts import Cluster
from controllers.missioncontrol.clusters.home import BY_DATABASE, BY_PLANE, Home, planes_of
from controllers.missioncontrol.clusters.placement import Placement
from controllers.missioncontrol.clusters.reconciler import Clusters
from controllers.missioncontrol.clusters.superuser import Superusers
from controllers.missioncontrol.dataplanes.fleet import Fleet
from controllers.missioncontrol.dataplanes.member import BY_CLUSTER, Member, cluster_key
from controllers.missioncontrol.dataplanes.reconciler import DataPlanes
from controllers.missioncontrol.operations.reconciler import Operations
from controllers.missioncontrol.operations.tasks import Tasks
from controllers.runtime.cluster import Cluster as Connection
from controllers.runtime.controller import Controller
from controllers.runtime.manager import Manager
from controllers.runtime.outcome import HOME, Key
from missioncontrol.api.names import Label
from missioncontrol.api.resources import (
    SECRETS,
    STORED_CLUSTERS,
    STORED_DATA_PLANES,
    STORED_DATACENTERS,
    STORED_OPERATIONS,
)
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import Namespace, Object, Pod, Secret

KeysOf = Callable[[str, str], list[Key]]
"""From the namespace and name of a cluster to keys."""


class Operator:
    """mission-control-operator inside its Manager."""

    def __init__(
        self, manager: Manager, *, control_plane: str, system_namespace: str, user_agent: str
    ) -> None:
        self.fleet = Fleet(manager, control_plane=control_plane, user_agent=user_agent)
        connection, recorder = manager.home, manager.recorder
        secrets = connection.informer(SECRETS, Secret, label_selector=Label.MC_CLUSTER_NAME)
        self.home = Home(
            control_plane=control_plane,
            system_namespace=system_namespace,
            fleet=self.fleet,
            clusters=connection.informer(STORED_CLUSTERS, Object),
            datacenters=connection.informer(STORED_DATACENTERS, Object),
            data_planes=connection.informer(STORED_DATA_PLANES, Object),
            operations=connection.informer(STORED_OPERATIONS, Object),
            system_secrets=connection.informer(SECRETS, Secret, namespace=system_namespace),
            superusers=Superusers(connection.client, secrets),
        )
        self.home.declare_indexes()
        client = connection.client
        clusters = Clusters(self.home, client, recorder, place=self._place)
        planes = DataPlanes(
            client,
            self.fleet,
            self.home.data_planes,
            self.home.system_secrets,
            recorder,
            system_namespace=system_namespace,
            users=self._users,
            changed=self._plane_changed,
        )
        operations = Operations(self.home, client, recorder, wake=self._wake_tasks)
        self._planes = manager.controller("dataplane", planes.reconcile)
        self._clusters = manager.controller("missioncontrolcluster", clusters.reconcile)
        self._placements = manager.controller("placement", Placement(self.home).reconcile, max_delay=10)
        self._operations = manager.controller("operation", operations.reconcile)
        self._tasks = manager.controller("task", Tasks(self.home).reconcile, max_delay=10)
        self._watch_home(secrets)
        self.fleet.on_join(self._watch_member)
        self.fleet.changed = self._plane_changed
        manager.on_health(self._health_changed)

    # What wakes what ------------------------------------------------------------------------------

    def _watch_home(self, superusers: Informer[Secret]) -> None:
        home = self.home
        self._clusters.watch(superusers, lambda obj: _owned(obj, self._home_keys))
        self._placements.watch(superusers, lambda obj: _owned(obj, self._placement_keys))
        self._planes.watch(home.data_planes)
        self._planes.watch(home.system_secrets, self._planes_of_secret)
        self._planes.watch(home.clusters, lambda obj: [Key(HOME, "", name) for name in planes_of(obj)])
        self._clusters.watch(home.clusters, self._clusters_touched)
        self._clusters.watch(home.datacenters, _owning_cluster)
        self._clusters.watch(home.data_planes, lambda obj: self._users_keys(obj.metadata.name))
        self._clusters.watch(home.operations, _owning_cluster)
        self._placements.watch(
            home.clusters, lambda obj: self._placement_keys(obj.metadata.namespace, obj.metadata.name)
        )
        self._operations.watch(home.operations, self._rivals)
        self._operations.watch(
            home.clusters, lambda obj: self._operation_keys(obj.metadata.namespace, obj.metadata.name)
        )
        self._operations.watch(
            home.datacenters,
            lambda obj: self._operation_keys(obj.metadata.namespace, str(obj.spec.get("clusterName"))),
        )
        self._tasks.watch(home.operations, self._task_keys)

    def _watch_member(self, member: Member) -> None:
        plane, watches = member.name, member.watches
        for controller, keys in ((self._clusters, self._home_keys), (self._placements, self._placement_keys)):
            self._watch_cluster_parts(controller, keys, member)
        self._operations.watch(watches.tasks, self._operations_of, cluster=plane)
        self._tasks.watch(watches.tasks, self._tasks_of, cluster=plane)

    def _watch_cluster_parts(self, controller: Controller, keys: KeysOf, member: Member) -> None:
        """Whatever of a cluster changes in one plane may matter to all of its planes."""
        plane, watches = member.name, member.watches
        controller.watch(
            watches.clusters, lambda obj: keys(obj.metadata.namespace, obj.metadata.name), cluster=plane
        )
        controller.watch(watches.datacenters, lambda obj: _labelled(obj, keys), cluster=plane)
        controller.watch(watches.pods, lambda pod: self._pod_keys(pod, keys), cluster=plane)
        controller.watch(watches.secrets, lambda obj: _owned(obj, keys), cluster=plane)
        controller.watch(watches.tasks, lambda obj: _owned(obj, keys), cluster=plane)
        controller.watch(watches.namespaces, lambda obj: self._namespace_keys(obj, keys), cluster=plane)

    def _health_changed(self, connection: Connection) -> None:
        if connection.name != HOME:
            self.fleet.hasten(connection.name)
            self._plane_changed(connection.name)

    def _plane_changed(self, name: str) -> None:
        """A plane joined, left, went away or came back: tell it, and look at everything that uses it."""
        self._planes.enqueue(Key(HOME, "", name))
        for stored in self.home.clusters.by(BY_PLANE, name):
            namespace, cluster = stored.metadata.namespace, stored.metadata.name
            self._clusters.enqueue(Key(HOME, namespace, cluster))
            for key in self._placement_keys(namespace, cluster):
                self._placements.enqueue(key)
            for key in self._operation_keys(namespace, cluster):
                self._operations.enqueue(key)
                self._tasks.enqueue(Key(name, key.namespace, key.name))

    def _place(self, cluster: Cluster) -> None:
        for key in self._placement_keys(cluster.namespace, cluster.name):
            self._placements.enqueue(key)

    def _wake_tasks(self, planes: Sequence[str], key: Key) -> None:
        for plane in planes:
            self._tasks.enqueue(Key(plane, key.namespace, key.name))

    # Keys -----------------------------------------------------------------------------------------

    def _users(self, plane: str) -> list[str]:
        found = self.home.clusters.by(BY_PLANE, plane)
        return [f"{each.metadata.namespace}/{each.metadata.name}" for each in found]

    def _users_keys(self, plane: str) -> list[Key]:
        return [
            Key(HOME, each.metadata.namespace, each.metadata.name)
            for each in self.home.clusters.by(BY_PLANE, plane)
        ]

    def _planes_of_secret(self, secret: Secret) -> list[Key]:
        name = secret.metadata.name
        return [
            Key(HOME, "", each.metadata.name)
            for each in self.home.data_planes.all()
            if (each.spec.get("kubeconfigSecretRef") or {}).get("name") == name
        ]

    def _clusters_touched(self, stored: Object) -> list[Key]:
        """A cluster; and those that are being deleted beside it, which may wait for it to go first."""
        meta = stored.metadata
        deleting = [
            Key(HOME, each.metadata.namespace, each.metadata.name)
            for each in self.home.clusters.all()
            if each.metadata.namespace == meta.namespace and each.metadata.deletion_timestamp is not None
        ]
        return [Key(HOME, meta.namespace, meta.name), *deleting]

    def _home_keys(self, namespace: str, name: str) -> list[Key]:
        return [Key(HOME, namespace, name)]

    def _placement_keys(self, namespace: str, name: str) -> list[Key]:
        cluster = self.home.cluster(namespace, name)
        return [key for key in self.home.keys_of(cluster) if key.cluster != HOME] if cluster else []

    def _pod_keys(self, pod: Pod, keys: KeysOf) -> list[Key]:
        label = pod.metadata.labels.get(Label.CLUSTER, "")
        stored = self.home.clusters.by(BY_DATABASE, cluster_key(pod.metadata.namespace, label))
        return [key for each in stored for key in keys(each.metadata.namespace, each.metadata.name)]

    def _namespace_keys(self, namespace: Namespace, keys: KeysOf) -> list[Key]:
        name = namespace.metadata.name
        stored = [each for each in self.home.clusters.all() if each.metadata.namespace == name]
        return [key for each in stored for key in keys(name, each.metadata.name)]

    def _operation_keys(self, namespace: str, cluster: str) -> list[Key]:
        found = self.home.operations.by(BY_CLUSTER, cluster_key(namespace, cluster))
        return [Key(HOME, namespace, each.metadata.name) for each in found]

    def _rivals(self, operation: Object) -> list[Key]:
        meta = operation.metadata
        others = self._operation_keys(meta.namespace, str(operation.spec.get("clusterName")))
        return [Key(HOME, meta.namespace, meta.name), *others]

    def _task_keys(self, operation: Object) -> list[Key]:
        entries = operation.status.get("datacenters") or ()
        planes = dict.fromkeys(str(each.get("dataPlane") or "") for each in entries)
        meta = operation.metadata
        return [Key(plane, meta.namespace, meta.name) for plane in planes if plane]

    def _operations_of(self, task: Object) -> list[Key]:
        """The operations of a task's cluster: its label may be a shortened name."""
        return _owned(task, self._operation_keys)

    def _tasks_of(self, task: Object) -> list[Key]:
        keys = []
        for key in self._operations_of(task):
            stored = self.home.operations.get(key.namespace, key.name)
            keys += self._task_keys(stored) if stored else []
        return keys


def _owning_cluster(stored: Object) -> list[Key]:
    name = str(stored.spec.get("clusterName") or "")
    return [Key(HOME, stored.metadata.namespace, name)] if name else []


def _labelled(obj: Object, keys: KeysOf) -> list[Key]:
    """The keys of the cluster that a CassandraDatacenter was made for."""
    labels = obj.metadata.labels
    name = labels.get(Label.K8SSANDRA_CLUSTER_NAME)
    namespace = labels.get(Label.K8SSANDRA_CLUSTER_NAMESPACE, obj.metadata.namespace)
    return keys(namespace, name) if name else []


def _owned(obj: Object | Secret, keys: KeysOf) -> list[Key]:
    """The keys of the cluster that an object of ours belongs to."""
    labels = obj.metadata.labels
    name = labels.get(Label.MC_CLUSTER_NAME)
    return keys(labels.get(Label.MC_CLUSTER_NAMESPACE, ""), name) if name else []
