"""What a decision can ask for: plain values, to be compared and printed without doing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controllers.cassandra.state import Claim, PodState
from missioncontrol.api.names import EventReason
from missioncontrol.api.resources import Resource


@dataclass(frozen=True, slots=True)
class Event:
    """A note for people about the datacenter."""

    reason: EventReason
    note: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Hold the datacenter until its nodes and volumes are gone."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let the datacenter go; only our own finalizer."""


@dataclass(frozen=True, slots=True)
class ApplyObject:
    """Make or change an object that is ours; a new one only if nobody else has the name."""

    resource: Resource
    body: Mapping[str, Any]
    exists: bool

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Remove an object that is ours and no longer wanted."""

    resource: Resource
    name: str


@dataclass(frozen=True, slots=True)
class CreateSuperuser:
    """Make the superuser's Secret with a new password, unless it exists."""


@dataclass(frozen=True, slots=True)
class CreateKeystores:
    """Make the Secrets of the key store that older operators made, unless they exist."""


@dataclass(frozen=True, slots=True)
class CreateRack:
    """Make the StatefulSet of a rack."""

    statefulset: str
    replicas: int


@dataclass(frozen=True, slots=True)
class ScaleRack:
    """Change the number of replicas, and nothing else, of the StatefulSet as it was seen."""

    statefulset: str
    replicas: int
    resource_version: str
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class UpdateRack:
    """Put the rendered template into the StatefulSet as it was seen: its pods are replaced."""

    statefulset: str
    rack: str
    resource_version: str
    forced: bool = False
    partition: int | None = None
    """Only pods from this ordinal upwards, for now; None for as many as the spec says, without steps."""


@dataclass(frozen=True, slots=True)
class LabelRack:
    """Give a StatefulSet itself the labels that it lacks; its pods stay as they are."""

    statefulset: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AdvanceRack:
    """Let further pods of a rack get the template that it has already."""

    statefulset: str
    resource_version: str
    partition: int
    last: bool
    """Whether this is as far as the change is to go."""


@dataclass(frozen=True, slots=True)
class GrowClaims:
    """Ask for larger volumes: claims and their new sizes."""

    claims: tuple[tuple[Claim, str], ...]


@dataclass(frozen=True, slots=True)
class RecreateRack:
    """Make a StatefulSet again with larger or other claim templates, and leave its pods running."""

    statefulset: str
    uid: str
    sizes: Mapping[str, str]
    """By volume."""
    anew: bool = False
    """Whether it is made as the spec wants it; its pods follow one by one."""


@dataclass(frozen=True, slots=True)
class AdoptRack:
    """Take over a StatefulSet that upstream made, if it is what we would make; nothing in it changes."""

    statefulset: str
    digest: str
    desired: str


@dataclass(frozen=True, slots=True)
class WriteConfig:
    """Merge the user's configuration from a Secret with ours."""

    source: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class LogQueries:
    """Switch on full query logging on these nodes."""

    pods: tuple[PodState, ...]


@dataclass(frozen=True, slots=True)
class LabelPod:
    """Change labels of this very pod; None removes one."""

    pod: PodState
    labels: Mapping[str, str | None]
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class StartNode:
    """Mark the pod as starting, then tell the node to start."""

    pod: PodState
    seed: bool = False
    founds: bool = False
    """Whether a ring begins with it: it counts as a member from the moment at which it may be told."""
    replaces: str = ""
    """The address of the dead node whose place it takes."""


@dataclass(frozen=True, slots=True)
class DrainNodes:
    """Let nodes flush before they are stopped; nobody waits for them here."""

    pods: tuple[PodState, ...]


@dataclass(frozen=True, slots=True)
class Decommission:
    """Mark the pod as leaving, then tell the node to leave the ring."""

    pod: PodState
    rack: str


@dataclass(frozen=True, slots=True)
class MarkLeft:
    """Write on the claims of a node that has left the ring that they are of no more use."""

    pod: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PutBack:
    """Let a node that may not join just now wait for its next turn."""

    pod: PodState


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Have the pod made again."""

    pod: PodState
    event: Event | None = None
    failed_start: bool = False
    refused: bool = False
    """Whether the node said that it does not start: then it founded nothing."""
    uses: tuple[Claim, ...] = ()
    """If any: it goes only if the server, too, still shows one of these very claims."""


@dataclass(frozen=True, slots=True)
class RemovePod:
    """Remove a pod whose machine is lost, without waiting for its kubelet."""

    pod: PodState


@dataclass(frozen=True, slots=True)
class ReloadSeeds:
    """Tell nodes that the list of seeds has changed."""

    pods: tuple[PodState, ...]
    seeds: frozenset[str]


@dataclass(frozen=True, slots=True)
class WriteRoles:
    """Create the superuser and the other users, through this node."""

    pod: PodState
    secrets: tuple[tuple[str, bool], ...]
    """Secret and whether its role is a superuser; the datacenter's own superuser is the last one."""


@dataclass(frozen=True, slots=True)
class CreateCleanupTask:
    """Let the old nodes drop what has moved to new ones. The name makes it happen once."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveAnnotation:
    """Take an annotation off the datacenter that was meant for one time."""

    key: str


@dataclass(frozen=True, slots=True)
class PatchSpec:
    """Change members of the datacenter's own spec: requests that were taken over."""

    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something to people, and nothing else."""

    event: Event


@dataclass(frozen=True, slots=True)
class DeleteClaims:
    """Delete the volumes' claims of the datacenter, or only these."""

    claims: tuple[Claim, ...] | None = None


@dataclass(frozen=True, slots=True)
class ForgetSecrets:
    """Take the datacenter out of the list of those that a Secret is watched for."""

    names: tuple[str, ...]


Action = (
    AddFinalizer
    | RemoveFinalizer
    | ApplyObject
    | DeleteObject
    | CreateSuperuser
    | CreateKeystores
    | CreateRack
    | ScaleRack
    | UpdateRack
    | AdoptRack
    | LabelRack
    | WriteConfig
    | LogQueries
    | AdvanceRack
    | GrowClaims
    | RecreateRack
    | LabelPod
    | StartNode
    | DrainNodes
    | Decommission
    | MarkLeft
    | PutBack
    | DeletePod
    | RemovePod
    | ReloadSeeds
    | WriteRoles
    | CreateCleanupTask
    | RemoveAnnotation
    | PatchSpec
    | Tell
    | DeleteClaims
    | ForgetSecrets
)


@dataclass(frozen=True)
class Plan:
    """A decision: what to do, in this order, and the sentence that says why."""

    sentence: str
    actions: tuple[Action, ...] = ()
    again: bool = False
    """Whether to look and decide again as soon as the actions are done."""
    store: bool = False
    """Whether the status has to be stored before anything else: it is what the next decision stands on."""
    wait: float | None = None
    """Look again after so many seconds even if nothing changes."""
    conditions: Mapping[str, tuple[bool, str, str]] = field(default_factory=dict)
    """Status, reason and message by condition type."""
    status: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the status."""
    updating: bool = False
    """Whether the datacenter is on its way to a new spec."""
    settled: bool = False
    """Whether everything is as the spec wants it."""
    done: bool = False
    """Whether the datacenter is deleted, so that there is no status to write."""
