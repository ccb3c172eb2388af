"""What the simulated kubelet reads of pods, volumes and endpoint slices; nothing else is kept in memory."""

from __future__ import annotations

import msgspec

from missioncontrol.kube.views import ClaimSpec, Condition, ContainerStatus, Meta, View


class EnvVar(View, frozen=True):
    """An environment variable; without a value when it comes from elsewhere."""

    name: str = ""
    value: str = ""


class ContainerSpec(View, frozen=True):
    """A container as the pod wants it."""

    name: str = ""
    image: str = ""
    restart_policy: str = ""
    env: tuple[EnvVar, ...] = ()

    def variable(self, name: str) -> str:
        return next((e.value for e in self.env if e.name == name), "")


class ClaimSource(View, frozen=True):
    """Which claim a volume is."""

    claim_name: str = ""


class Volume(View, frozen=True):
    """A volume of a pod."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None


class PodSpec(View, frozen=True):
    """What a kubelet needs of a pod's spec."""

    node_name: str = ""
    host_network: bool = False
    containers: tuple[ContainerSpec, ...] = ()
    init_containers: tuple[ContainerSpec, ...] = ()
    volumes: tuple[Volume, ...] = ()


class PodStatus(View, frozen=True):
    """What a kubelet compares before it writes a status."""

    phase: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    host_ip: str = msgspec.field(name="hostIP", default="")
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class PodMeta(Meta, frozen=True):
    """Metadata with the one field that tells a force deletion."""

    deletion_grace_period_seconds: int | None = None


class Pod(View, frozen=True):
    """A pod, as its kubelet sees it."""

    metadata: PodMeta = PodMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class ClaimReference(View, frozen=True):
    """The claim that a volume belongs to."""

    namespace: str = ""
    name: str = ""
    uid: str = ""


class VolumeSpec(View, frozen=True):
    """A PersistentVolume's spec."""

    capacity: dict[str, str] = msgspec.field(default_factory=dict)
    claim_ref: ClaimReference | None = None
    persistent_volume_reclaim_policy: str = ""


class VolumeStatus(View, frozen=True):
    """A PersistentVolume's status."""

    phase: str = ""


class PersistentVolume(View, frozen=True):
    """A PersistentVolume."""

    metadata: Meta = Meta()
    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


class ClaimStatus(View, frozen=True):
    """A claim's status."""

    phase: str = ""
    capacity: dict[str, str] = msgspec.field(default_factory=dict)


class Claim(View, frozen=True):
    """A PersistentVolumeClaim."""

    metadata: Meta = Meta()
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class Endpoint(View, frozen=True):
    """Addresses of one endpoint."""

    addresses: tuple[str, ...] = ()


class EndpointSlice(View, frozen=True):
    """An EndpointSlice."""

    metadata: Meta = Meta()
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] = ()


class NodeStatus(View, frozen=True):
    """A node's status."""

    conditions: tuple[Condition, ...] = ()


class KubernetesNode(View, frozen=True):
    """A Kubernetes node."""

    metadata: Meta = Meta()
    status: NodeStatus = NodeStatus()
