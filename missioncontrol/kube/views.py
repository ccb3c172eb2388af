"""What controllers see of Kubernetes' objects: typed projections that informers decode and keep.

A view names only the fields somebody reads; msgspec skips the rest while decoding, which is several times
faster and an order of magnitude smaller than whole objects. Views are frozen: a cached one is shared, never
copied, and must not be changed through its dicts. Use `Object` for our own kinds, whose spec is parsed by
pydantic later.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class View(msgspec.Struct, frozen=True, rename="camel", gc=True):
    """The base of all views: snake_case attributes for camelCase members, unknown members skipped."""


class OwnerReference(View, frozen=True):
    """Who an object belongs to."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False


class Meta(View, frozen=True):
    """ObjectMeta without managedFields."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class MetaView(View, frozen=True):
    """An object of which only the metadata matters; an informer of it asks the server for no more."""

    metadata: Meta = Meta()


class SecretMeta(MetaView, frozen=True):
    """A Secret without its data, which never leaves the server for an informer of this view."""


class Object(View, frozen=True):
    """Any object with spec and status, as dicts."""

    metadata: Meta = Meta()
    api_version: str = ""
    kind: str = ""
    spec: dict[str, Any] = {}
    status: dict[str, Any] = {}


class Secret(View, frozen=True):
    """A Secret with its data, base64 as on the wire."""

    metadata: Meta = Meta()
    type: str = ""
    data: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Secret({self.metadata.namespace}/{self.metadata.name})"


class ConfigMap(View, frozen=True):
    """A ConfigMap."""

    metadata: Meta = Meta()
    data: dict[str, str] = {}


class Condition(View, frozen=True):
    """A condition as nearly every kind has it."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    observed_generation: int = 0


class NamespaceStatus(View, frozen=True):
    """The status of a Namespace."""

    phase: str = ""


class Namespace(View, frozen=True):
    """A Namespace."""

    metadata: Meta = Meta()
    status: NamespaceStatus = NamespaceStatus()


class ContainerStateRunning(View, frozen=True):
    """A running container."""

    started_at: datetime | None = None


class ContainerStateTerminated(View, frozen=True):
    """A container that has ended."""

    exit_code: int = 0
    reason: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ContainerStateWaiting(View, frozen=True):
    """A container that does not run yet."""

    reason: str = ""
    message: str = ""


class ContainerState(View, frozen=True):
    """One of the three states, the others None."""

    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None
    waiting: ContainerStateWaiting | None = None


class ContainerStatus(View, frozen=True):
    """What kubelet says of a container."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class Container(View, frozen=True):
    """A container of a pod's spec."""

    name: str = ""
    image: str = ""


class PodSpec(View, frozen=True):
    """The part of a pod's spec that is read after scheduling."""

    node_name: str = ""
    hostname: str = ""
    containers: tuple[Container, ...] = ()
    volumes: tuple[dict[str, Any], ...] = ()


class PodStatus(View, frozen=True):
    """A pod's status."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    host_ip: str = msgspec.field(name="hostIP", default="")
    start_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(View, frozen=True):
    """A Pod."""

    metadata: Meta = Meta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def ready(self) -> bool:
        """Whether the Ready condition holds and the pod is not being deleted."""
        if self.metadata.deletion_timestamp is not None:
            return False
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)

    def container(self, name: str) -> ContainerStatus | None:
        """The status of a container by name."""
        return next((c for c in self.status.container_statuses if c.name == name), None)


class StatefulSetSpec(View, frozen=True):
    """A StatefulSet's spec; the template stays a dict, to be compared with a rendered one."""

    replicas: int = 1
    service_name: str = ""
    template: dict[str, Any] = {}
    volume_claim_templates: tuple[dict[str, Any], ...] = ()
    update_strategy: dict[str, Any] = {}
    pod_management_policy: str = ""


class StatefulSetStatus(View, frozen=True):
    """A StatefulSet's status."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""


class StatefulSet(View, frozen=True):
    """A StatefulSet."""

    metadata: Meta = Meta()
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class ClaimSpec(View, frozen=True):
    """A PersistentVolumeClaim's spec."""

    storage_class_name: str = ""
    volume_name: str = ""
    resources: dict[str, Any] = {}
    access_modes: tuple[str, ...] = ()


class ClaimStatus(View, frozen=True):
    """A PersistentVolumeClaim's status."""

    phase: str = ""
    capacity: dict[str, str] = {}
    conditions: tuple[Condition, ...] = ()


class PersistentVolumeClaim(View, frozen=True):
    """A PersistentVolumeClaim."""

    metadata: Meta = Meta()
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class NodeStatus(View, frozen=True):
    """A Node's status."""

    conditions: tuple[Condition, ...] = ()


class Node(View, frozen=True):
    """A Kubernetes node."""

    metadata: Meta = Meta()
    status: NodeStatus = NodeStatus()


class LeaseSpec(View, frozen=True):
    """Who leads, since when, and for how long without renewal."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str = ""
    renew_time: str = ""
    lease_transitions: int = 0


class LeaseObject(View, frozen=True):
    """A coordination.k8s.io Lease."""

    metadata: Meta = Meta()
    spec: LeaseSpec = LeaseSpec()
