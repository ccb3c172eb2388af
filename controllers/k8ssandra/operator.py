"""k8ssandra-operator as a whole: which changes wake which reconciler."""

from __future__ import annotations

from collections.abc import Iterable

import aiohttp

from controllers.k8ssandra.clusters import ClusterReconciler
from controllers.k8ssandra.doors import Doors
from controllers.k8ssandra.keyspaces import Keyspaces
from controllers.k8ssandra.management import ManagementApi
from controllers.k8ssandra.materials import MaterialSource
from controllers.k8ssandra.monitors import ServiceMonitors
from controllers.k8ssandra.sources import Sources, cluster_of_task, owner, task_of
from controllers.k8ssandra.tasks import TaskReconciler
from controllers.runtime.manager import Manager
from controllers.runtime.outcome import HOME, Key
from missioncontrol.kube.views import Object


def install(manager: Manager, session: aiohttp.ClientSession, *, from_annotation: bool = False) -> Sources:
    """Give a manager the controllers of this operator."""
    plane = manager.home
    sources = Sources.of(plane)
    keyspaces = Keyspaces(Doors(ManagementApi(session, from_annotation=from_annotation)))
    materials = MaterialSource(plane.client, sources.given_config_maps, sources.secrets)
    monitors = ServiceMonitors(plane.client)
    clusters = ClusterReconciler(plane.client, sources, materials, keyspaces, monitors, manager.recorder)
    tasks = TaskReconciler(plane.client, sources, manager.recorder)

    cluster_controller = manager.controller("k8ssandracluster", clusters.reconcile)
    cluster_controller.watch(sources.clusters)
    cluster_controller.watch(sources.datacenters, sources.clusters_naming)
    cluster_controller.watch(sources.pods, sources.clusters_of_pod)
    cluster_controller.watch(sources.secrets, sources.clusters_using)
    cluster_controller.watch(sources.config_maps, owner)
    cluster_controller.watch(sources.given_config_maps, sources.clusters_given)
    cluster_controller.watch(sources.slices, owner)
    cluster_controller.watch(sources.services, owner)
    cluster_controller.watch(sources.cassandra_tasks, owner)
    # a cluster that is being deleted waits for its tasks
    cluster_controller.watch(sources.tasks, lambda task: [Key(HOME, *cluster_of_task(task))])

    task_controller = manager.controller("k8ssandratask", tasks.reconcile)
    task_controller.watch(sources.tasks)
    task_controller.watch(sources.cassandra_tasks, task_of)

    def tasks_of(cluster: Object) -> Iterable[Key]:
        metadata = cluster.metadata
        for task in sources.tasks_of_cluster(metadata.namespace, metadata.name):
            yield Key(HOME, task.metadata.namespace, task.metadata.name)

    task_controller.watch(sources.clusters, tasks_of)
    return sources
