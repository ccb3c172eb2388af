"""The informers: what is watched, by which selectors, and how objects lead back to their datacenters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controllers.cassandra.machines import Machine, MachineView, machine_of
from controllers.cassandra.render.secret import watchers
from controllers.cassandra.views import RackSetView, SliceView
from controllers.runtime import HOME, Cluster, Key
from missioncontrol.api.names import Annotation, Label, LabelValue
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    ENDPOINT_SLICES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SCHEDULED_TASKS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
)
from missioncontrol.kube.informer import HasMeta, Informer
from missioncontrol.kube.views import MetaView, Object, PersistentVolumeClaim, Pod, SecretMeta

BY_DATACENTER = "datacenter"
BY_SERVICE = "service"
BY_MACHINE = "machine"

OTHERS_SLICES = (
    f"{Label.SERVICE_NAME},{Label.ENDPOINT_SLICE_MANAGED_BY} notin "
    "(endpointslice-controller.k8s.io,endpointslicemirroring-controller.k8s.io)"
)
"""Slices that Kubernetes does not write itself from selectors."""


@dataclass(frozen=True)
class Caches:
    """All informers."""

    datacenters: Informer[Object]
    statefulsets: Informer[RackSetView]
    pods: Informer[Pod]
    claims: Informer[PersistentVolumeClaim]
    services: Informer[MetaView]
    slices: Informer[SliceView]
    budgets: Informer[MetaView]
    secrets: Informer[SecretMeta]
    tasks: Informer[Object]
    schedules: Informer[Object]
    machines: Informer[MachineView]

    @classmethod
    def of(cls, cluster: Cluster) -> Caches:
        caches = cls(
            datacenters=cluster.informer(CASSANDRA_DATACENTERS, Object),
            statefulsets=cluster.informer(STATEFUL_SETS, RackSetView, label_selector=Label.DATACENTER),
            pods=cluster.informer(PODS, Pod, label_selector=Label.DATACENTER),
            claims=cluster.informer(
                PERSISTENT_VOLUME_CLAIMS, PersistentVolumeClaim, label_selector=Label.DATACENTER
            ),
            services=cluster.informer(SERVICES, MetaView, label_selector=Label.CLUSTER),
            slices=cluster.informer(ENDPOINT_SLICES, SliceView, label_selector=OTHERS_SLICES),
            budgets=cluster.informer(POD_DISRUPTION_BUDGETS, MetaView, label_selector=Label.DATACENTER),
            secrets=cluster.informer(
                SECRETS, SecretMeta, label_selector=f"{Label.WATCHED}={LabelValue.TRUE}"
            ),
            tasks=cluster.informer(CASSANDRA_TASKS, Object),
            schedules=cluster.informer(SCHEDULED_TASKS, Object),
            machines=cluster.informer(NODES, MachineView),
        )
        caches.statefulsets.add_index(BY_DATACENTER, lambda view: [datacenter_key(view)])
        caches.pods.add_index(BY_DATACENTER, lambda view: [datacenter_key(view)])
        caches.pods.add_index(BY_MACHINE, lambda view: [view.spec.node_name])
        caches.claims.add_index(BY_DATACENTER, lambda view: [datacenter_key(view)])
        caches.secrets.add_index(BY_DATACENTER, secret_datacenters)
        caches.tasks.add_index(BY_DATACENTER, lambda view: [task_datacenter(view)])
        caches.schedules.add_index(BY_DATACENTER, lambda view: [schedule_datacenter(view)])
        caches.slices.add_index(BY_SERVICE, lambda view: [service_key(view)])
        return caches

    def machine(self, pod: Pod) -> Machine:
        """The state of the Kubernetes node that a pod was bound to."""
        if not pod.spec.node_name or not self.machines.synced:
            return Machine.FINE
        return machine_of(self.machines.get("", pod.spec.node_name))

    def on_machine(self, view: MachineView) -> Iterable[Key]:
        """The datacenters with a pod on a machine."""
        return {key for pod in self.pods.by(BY_MACHINE, view.metadata.name) for key in by_label(pod)}


def place(namespace: str, name: str) -> str:
    """The key of an index by datacenter."""
    return f"{namespace}/{name}"


def datacenter_key(view: HasMeta) -> str:
    """The datacenter that a labelled object belongs to."""
    return place(view.metadata.namespace, view.metadata.labels.get(Label.DATACENTER, ""))


def service_key(view: HasMeta) -> str:
    """The Service that a slice belongs to."""
    return place(view.metadata.namespace, view.metadata.labels.get(Label.SERVICE_NAME, ""))


def secret_datacenters(view: HasMeta) -> list[str]:
    """The datacenters that a Secret is marked to be used by."""
    return watchers(view.metadata.annotations.get(Annotation.WATCHED_BY, ""))


def task_datacenter(view: Object) -> str:
    """The datacenter that a task names."""
    reference = view.spec.get("datacenter") or {}
    return place(reference.get("namespace") or view.metadata.namespace, reference.get("name") or "")


def schedule_datacenter(view: Object) -> str:
    """The datacenter that a schedule's tasks are for."""
    reference = (view.spec.get("taskDetails") or {}).get("datacenter") or {}
    return place(reference.get("namespace") or view.metadata.namespace, reference.get("name") or "")


# --- which datacenter to reconcile when something changes -------------------------------------


def key_of(view: HasMeta) -> Key:
    """A datacenter itself."""
    return Key(HOME, view.metadata.namespace, view.metadata.name)


def by_label(view: HasMeta) -> Iterable[Key]:
    """By the datacenter label."""
    name = view.metadata.labels.get(Label.DATACENTER)
    return [Key(HOME, view.metadata.namespace, name)] if name else []


def by_owner(view: HasMeta) -> Iterable[Key]:
    """By the owner, and by the label if there is one."""
    owners = [
        owner.name for owner in view.metadata.owner_references if owner.kind == CASSANDRA_DATACENTERS.kind
    ]
    return {*by_label(view), *(Key(HOME, view.metadata.namespace, name) for name in owners)}


def by_task(view: Object) -> Iterable[Key]:
    """By the datacenter that a task works on, when it has ended: somebody may wait for that."""
    if not view.status.get("completionTime"):
        return []
    namespace, _, name = task_datacenter(view).partition("/")
    return [Key(HOME, namespace, name)]


def by_watchers(view: HasMeta) -> Iterable[Key]:
    """By the annotation of a Secret that names who uses it."""
    split = (each.partition("/") for each in secret_datacenters(view))
    return [Key(HOME, namespace, name) for namespace, _, name in split if name]
