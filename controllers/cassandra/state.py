"""What a decision is made on: one immutable snapshot of a datacenter and everything that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from functools import cached_property

from controllers.cassandra.datacenter import CASSANDRA_CONTAINER, Datacenter
from controllers.cassandra.machines import Machine
from controllers.cassandra.views import RackSetView
from missioncontrol.api.names import Annotation, Label, LabelValue, NodeState
from missioncontrol.api.resources import SECRETS
from missioncontrol.kube.informer import HasMeta
from missioncontrol.kube.views import Meta, PersistentVolumeClaim, Pod

FAILING_REASONS = frozenset({"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName"})


class Process(Enum):
    """What a node's management API says of the Cassandra process beside it."""

    RUNNING = "running"
    STOPPED = "stopped"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """The management API answers, but it is one that cannot say."""

    @property
    def startable(self) -> bool:
        """Whether a node that was not told to start may be told so."""
        return self in (Process.STOPPED, Process.UNKNOWN)


class StartCall(Enum):
    """What became of a call that this process of the operator sent to a node and did not wait for."""

    IN_FLIGHT = "in flight"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node as another one sees it in gossip."""

    address: str
    host_id: str
    datacenter: str
    rack: str
    status: str
    alive: bool
    local: bool
    load: float = 0.0
    """Bytes of data that it says it holds."""
    token: str = ""
    """Its token, or the one that it moves to, where it has only one."""

    @property
    def normal(self) -> bool:
        return self.status == "NORMAL"

    @property
    def moving(self) -> bool:
        """Whether it joins, leaves or moves, so that nobody else may join now."""
        return self.status in ("JOINING", "BOOT", "LEAVING", "MOVING", "BOOT_REPLACE")


Gossip = tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """What became of the call that tells a node to leave the ring."""

    call: StartCall
    job: str = ""
    """The job on the node that does it, where there is one."""
    said: str = ""
    """Why it was refused, or failed."""


@dataclass(frozen=True, slots=True)
class PodState:
    """A pod, as far as it matters for the node in it."""

    name: str
    namespace: str
    uid: str
    rack: str
    ordinal: int
    state: NodeState
    labelled: bool
    seed: bool
    ready: bool
    running: bool
    deleting: bool
    restarts: int
    crashed: bool
    failing: str
    ip: str
    host_ip: str
    management_url: str
    changed_at: datetime | None
    created_at: datetime | None
    restarted_at: str = ""
    """The mark of the restart that it was made by, if it was one."""
    machine_name: str = ""
    """The Kubernetes node that it was bound to."""
    machine: Machine = Machine.FINE
    unschedulable: str = ""
    """Why it finds no machine, where the scheduler says so."""
    volumes: frozenset[str] = frozenset()
    """Its volumes that have claims of their own."""

    @classmethod
    def of(cls, pod: Pod, machine: Machine = Machine.FINE) -> PodState:
        labels = pod.metadata.labels
        container = pod.container(CASSANDRA_CONTAINER)
        ready = next((c for c in pod.status.conditions if c.type == "Ready"), None)
        label = labels.get(Label.NODE_STATE, "")
        known = label in NodeState.__members__.values()
        return cls(
            name=pod.metadata.name,
            namespace=pod.metadata.namespace,
            uid=pod.metadata.uid,
            rack=labels.get(Label.RACK, ""),
            ordinal=_ordinal(pod.metadata.name),
            state=NodeState(label) if known else NodeState.READY_TO_START,
            labelled=known,
            seed=labels.get(Label.SEED_NODE) == LabelValue.TRUE,
            ready=bool(container and container.ready and pod.metadata.deletion_timestamp is None),
            running=bool(container and container.state.running and pod.status.pod_ip),
            deleting=pod.metadata.deletion_timestamp is not None,
            restarts=container.restart_count if container else 0,
            crashed=bool(container and container.last_state.terminated),
            failing=_failing(pod),
            ip=pod.status.pod_ip,
            host_ip=pod.status.host_ip,
            management_url=pod.metadata.annotations.get(Annotation.MANAGEMENT_API, ""),
            created_at=pod.metadata.creation_timestamp,
            restarted_at=pod.metadata.annotations.get(Annotation.RESTARTED_AT, ""),
            machine_name=pod.spec.node_name,
            machine=machine,
            unschedulable=_unschedulable(pod),
            volumes=_own_volumes(pod),
            changed_at=ready.last_transition_time if ready else pod.metadata.creation_timestamp,
        )

    @classmethod
    def essence(cls, pod: Pod) -> PodState:
        """What matters of it by itself: where it runs does when that machine is lost, which tells itself."""
        return replace(cls.of(pod), machine_name="")

    @property
    def incarnation(self) -> str:
        """This run of the pod's cassandra container: a start call belongs to it and to no other."""
        return f"{self.uid}/{self.restarts}"

    @property
    def started(self) -> bool:
        return self.state is NodeState.STARTED and self.ready and not self.deleting


@dataclass(frozen=True, slots=True)
class Claim:
    """The claim of a volume of a pod."""

    name: str
    uid: str
    requested: str
    capacity: str
    storage_class: str
    created_at: datetime | None
    deleting: bool
    left: bool
    """Whether the node on it has left the ring, so that it is of no more use."""
    conditions: Mapping[str, str]
    """The messages of its true conditions, by type."""

    @classmethod
    def of(cls, view: PersistentVolumeClaim) -> Claim:
        metadata = view.metadata
        return cls(
            name=metadata.name,
            uid=metadata.uid,
            requested=str((view.spec.resources.get("requests") or {}).get("storage", "")),
            capacity=view.status.capacity.get("storage", ""),
            storage_class=view.spec.storage_class_name,
            created_at=metadata.creation_timestamp,
            deleting=metadata.deletion_timestamp is not None,
            left=Annotation.LEFT_THE_RING in metadata.annotations,
            conditions={c.type: c.message for c in view.status.conditions if c.status == "True"},
        )

    @classmethod
    def essence(cls, view: PersistentVolumeClaim) -> Claim:
        """What matters of it: of its capacity only whether it lacks any, which a new one is not asked."""
        claim = cls.of(view)
        return replace(claim, capacity="") if claim.capacity == claim.requested else claim


@dataclass(frozen=True, slots=True)
class RackSet:
    """The StatefulSet of a rack."""

    name: str
    uid: str
    rack: str
    resource_version: str
    replicas: int
    digest: str
    restarted_at: str
    rolled: bool
    storage: Mapping[str, str]
    owner_uid: str
    config_hash: str = ""
    """Of the configuration that comes from a Secret."""
    in_steps: bool = False
    """Whether a changed template goes to one pod after the other, by our hand."""
    partition: int = 0
    """Pods with a lower ordinal keep their revision: a restart lets one pod after the other go."""
    labels: Mapping[str, str] | None = None
    """Its own, which are not those of its pods; None where nobody asks for them."""

    @classmethod
    def of(cls, view: RackSetView) -> RackSet:
        status, metadata = view.status, view.metadata
        replicas, partition = view.spec.replicas, view.spec.update_strategy.partition
        rolled = (
            status.observed_generation >= metadata.generation
            and status.updated_replicas >= replicas - min(partition, replicas)
            and status.replicas == replicas
            and (status.current_revision == status.update_revision or not replicas or partition > 0)
        )
        return cls(
            name=metadata.name,
            uid=metadata.uid,
            rack=metadata.labels.get(Label.RACK, ""),
            resource_version=metadata.resource_version,
            replicas=replicas,
            digest=digest_of(metadata),
            config_hash=metadata.annotations.get(Annotation.CONFIG_HASH, ""),
            restarted_at=view.spec.template.metadata.annotations.get(Annotation.RESTARTED_AT, ""),
            rolled=rolled,
            storage={
                claim.metadata.name: str(claim.spec.resources.requests.get("storage", ""))
                for claim in view.spec.volume_claim_templates
            },
            owner_uid=controller_of(metadata),
            partition=partition,
            in_steps=Annotation.ROLLING in metadata.annotations,
            labels=metadata.labels,
        )

    @classmethod
    def essence(cls, view: RackSetView) -> RackSet:
        """What matters of it: everything but its version, which the caches have when it is needed."""
        return replace(cls.of(view), resource_version="")


@dataclass(frozen=True, slots=True)
class Existing:
    """An object that exists under a name we use."""

    digest: str
    owner_uid: str
    owner_name: str
    version: str
    annotations: Mapping[str, str]

    @classmethod
    def of(cls, metadata: Meta) -> Existing:
        owner = next((each for each in metadata.owner_references if each.controller), None)
        return cls(
            digest=digest_of(metadata),
            owner_uid=owner.uid if owner else "",
            owner_name=owner.name if owner else "",
            version=metadata.resource_version,
            annotations=metadata.annotations,
        )

    @classmethod
    def essence(cls, view: HasMeta) -> Existing:
        """What matters of it: everything but its version."""
        return replace(cls.of(view.metadata), version="")


@dataclass(frozen=True, slots=True)
class Replicas:
    """How often a keyspace is stored."""

    number: int
    anywhere: bool = False
    """In the whole ring (SimpleStrategy), and not in this datacenter."""


@dataclass(frozen=True, slots=True)
class Observations:
    """What the management APIs answered for this pass; only what the pass needed was asked."""

    processes: Mapping[str, Process] = field(default_factory=dict)
    """By pod."""
    gossip: Mapping[str, Gossip] = field(default_factory=dict)
    """By the pod that was asked; one that did not answer is absent."""
    quorum: Mapping[str, bool] = field(default_factory=dict)
    """By pod: whether it sees a quorum for every range."""
    storage_classes: Mapping[str, bool] = field(default_factory=dict)
    """Whether volumes of these classes can grow; only those that somebody wants to grow."""
    replication: Mapping[str, Replicas] | None = None
    """The replicas of each keyspace of users; None when nobody was asked."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What this process of the operator remembers; all of it can be lost without harm."""

    calls: Mapping[str, StartCall] = field(default_factory=dict)
    """Start calls by incarnation."""
    trusted: frozenset[str] = frozenset()
    """Containers that accepted the start call a moment ago, so that they need not be asked."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """What a node said when it refused to start, by incarnation."""
    retry_at: Mapping[str, datetime] = field(default_factory=dict)
    """When a pod whose start failed may be tried again, by name."""
    seeds_told: frozenset[str] | None = None
    """The seeds that the nodes were told of last."""
    users_written: tuple[tuple[str, str], ...] | None = None
    """The secrets (name, resourceVersion) from which the roles were written last."""
    config_hash: str = ""
    """The hash that was put on the datacenter with the merged configuration."""
    config_source: tuple[object, ...] | None = None
    """What the merged configuration was made from."""
    compared: frozenset[tuple[str, str, str]] = frozenset()
    """StatefulSets (UID, hash, wanted hash) that were looked at and are not what we would render."""
    logged: frozenset[str] = frozenset()
    """Nodes that are known to log every query, by incarnation."""
    healthy: frozenset[str] | None = None
    """The ready pods for which the datacenter was last found healthy."""
    drains: Mapping[str, bool] = field(default_factory=dict)
    """Nodes that were told to drain, by incarnation, and whether that has ended."""
    leaves: Mapping[str, Leave] = field(default_factory=dict)
    """Nodes that were told to leave the ring, by incarnation."""


@dataclass(frozen=True)
class Snapshot:
    """A datacenter and all that belongs to it, at one moment."""

    datacenter: Datacenter
    racks: Mapping[str, RackSet] = field(default_factory=dict)
    """By StatefulSet name."""
    pods: tuple[PodState, ...] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)
    """By name."""
    objects: Mapping[tuple[str, str], Existing] = field(default_factory=dict)
    """Services, EndpointSlices, PodDisruptionBudgets and Secrets, by kind and name. Of the Secrets those that
    are used by the datacenter, and those that are marked so.
    """
    tasks: Mapping[str, bool] = field(default_factory=dict)
    """Whether the tasks of the datacenter have ended, by name; only where somebody waits for one."""
    desired_racks: Mapping[str, str] = field(default_factory=dict)
    """The hash that each rack's StatefulSet should carry, by name."""
    external_seeds: bool = False
    """Whether seeds outside the datacenter are known, from its spec or from slices that others wrote."""
    observed: Observations = Observations()
    memory: Memory = Memory()

    @cached_property
    def living(self) -> tuple[PodState, ...]:
        """The pods that are not being deleted."""
        return tuple(pod for pod in self.pods if not pod.deleting)

    @cached_property
    def leaving(self) -> tuple[PodState, ...]:
        """The pods whose nodes are on their way out of the ring."""
        return tuple(pod for pod in self.living if pod.state is NodeState.DECOMMISSIONING)

    @property
    def replicas(self) -> int:
        """How many pods the StatefulSets are to have now."""
        return sum(live.replicas for live in self.racks.values())

    @property
    def expected(self) -> int:
        """How many nodes should run: those that leave do not count."""
        return self.replicas - len(self.leaving)

    def claims_of(self, live: RackSet, pod: str) -> tuple[Claim, ...]:
        """The claims of a pod's volumes, as far as they exist."""
        found = (self.claims.get(f"{volume}-{pod}") for volume in live.storage)
        return tuple(claim for claim in found if claim is not None)

    def has_left(self, live: RackSet, pod: str) -> bool:
        """Whether the node on a pod's disk is known to have left the ring."""
        return any(claim.left for claim in self.claims_of(live, pod))

    def is_gone(self, pod: str) -> bool:
        """Whether the node of a pod has left, though the status may still show it."""
        return any(claim.left and claim.name.endswith(f"-{pod}") for claim in self.claims.values())

    def of_rack(self, statefulset: str) -> tuple[PodState, ...]:
        """The living pods of a StatefulSet, by ordinal."""
        found = [pod for pod in self.living if pod.name.rpartition("-")[0] == statefulset]
        return tuple(sorted(found, key=lambda pod: pod.ordinal))

    @property
    def marked_secrets(self) -> frozenset[str]:
        """The Secrets that are known to be used by the datacenter, or are marked so from earlier."""
        return frozenset(name for kind, name in self.objects if kind == SECRETS.kind)

    def known(self, name: str) -> bool:
        """Whether the node of a pod is a member of the ring, or was told to found it."""
        return name in (self.datacenter.status.node_statuses or {})

    def bootstrapped(self, pod: PodState) -> bool:
        """Whether the node in this pod has been a member of the ring."""
        known = (self.datacenter.status.node_statuses or {}).get(pod.name)
        return bool(known and known.host_id)


def digest_of(metadata: Meta) -> str:
    """The hash of what we rendered; on an object that upstream made it stands beside upstream's own."""
    found = metadata.annotations
    return found.get(Annotation.ADOPTED_HASH) or found.get(Annotation.RESOURCE_HASH, "")


def controller_of(metadata: Meta) -> str:
    """The UID of the controlling owner, or nothing."""
    return next((each.uid for each in metadata.owner_references if each.controller), "")


def _ordinal(name: str) -> int:
    tail = name.rpartition("-")[2]
    return int(tail) if tail.isdecimal() else 0


def _own_volumes(pod: Pod) -> frozenset[str]:
    claims = {
        each.get("name", ""): (each.get("persistentVolumeClaim") or {}).get("claimName")
        for each in pod.spec.volumes
    }
    return frozenset(name for name, claim in claims.items() if claim == f"{name}-{pod.metadata.name}")


def _unschedulable(pod: Pod) -> str:
    bound = next((each for each in pod.status.conditions if each.type == "PodScheduled"), None)
    return bound.message if bound is not None and bound.reason == "Unschedulable" else ""


def _failing(pod: Pod) -> str:
    """Why a pod cannot come up by itself, if it is known."""
    for status in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = status.state.waiting
        if waiting is not None and waiting.reason in FAILING_REASONS:
            return f"container {status.name} is in {waiting.reason}"
    return ""
