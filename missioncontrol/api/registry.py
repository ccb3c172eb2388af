"""The registry of kinds: one entry for each kind that the aggregated API serves.

Discovery, OpenAPI, CRDs, Tables, RBAC and the reference pages are all derived from these entries. A new
operation is one entry made by ``_operation`` here, its arguments as a model, and a planner.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from missioncontrol.api import columns as c
from missioncontrol.api import operation_kinds as o
from missioncontrol.api import resources as r
from missioncontrol.api.cluster import MissionControlClusterSpec, MissionControlClusterStatus
from missioncontrol.api.data_plane import DataPlaneSpec, DataPlaneStatus
from missioncontrol.api.datacenter import (
    DatabaseNodeSpec,
    DatabaseNodeStatus,
    DatacenterSpec,
    DatacenterStatus,
)
from missioncontrol.api.model import KubeModel
from missioncontrol.api.names import CATEGORY
from missioncontrol.api.operations import (
    OperationSpec,
    OperationStatus,
    OperationViewSpec,
    RollingRestartArguments,
    RollingRestartSpec,
)
from missioncontrol.api.resources import Resource


class StoredAs(Enum):
    """How objects of a kind relate to what is stored."""

    SAME = "same"  # one stored object of the same name and shape
    OPERATION = "operation"  # <kind>.<name>, arguments under spec.<kind>
    VIEW = "view"  # the stored operations themselves, whatever their kind
    COMPUTED = "computed"  # made from the status of stored objects


# What the outside does to objects of a kind, as verbs of the API
ALL_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS: Final = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource. ``kind`` is what requests and responses hold; only its group, version and kind count."""

    name: str
    kind: Resource
    verbs: tuple[str, ...]
    # the operation that a POST creates
    creates_operation: bool = False


@dataclass(frozen=True, slots=True)
class KindInfo:
    """Everything that is known of a kind of the aggregated API."""

    resource: Resource
    stored: Resource
    stored_as: StoredAs
    description: str
    spec: type[KubeModel]
    status: type[KubeModel]
    verbs: tuple[str, ...]
    columns: tuple[c.Column, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = (CATEGORY,)
    subresources: tuple[Subresource, ...] = ()
    # beyond metadata.name and metadata.namespace; the same paths as in the stored kind
    field_selectors: tuple[str, ...] = ()
    # an operation's own arguments, without the fields that all operations have
    arguments: type[KubeModel] | None = None

    @property
    def singular(self) -> str:
        """The singular name, which is also the prefix and member of a stored operation."""
        return self.resource.kind.lower()

    @property
    def is_operation(self) -> bool:
        """Whether objects of this kind are operations, stored in the common storage kind."""
        return self.stored_as is StoredAs.OPERATION

    def subresource(self, name: str) -> Subresource | None:
        """A subresource by its name."""
        return next((subresource for subresource in self.subresources if subresource.name == name), None)


@dataclass(frozen=True, slots=True)
class StoredKind:
    """A kind of the storage group, which becomes a CRD."""

    resource: Resource
    spec: type[KubeModel]
    status: type[KubeModel]
    selectable_fields: tuple[str, ...] = (".status.phase",)
    operations: tuple[KindInfo, ...] = ()


def _status(kind: Resource) -> Subresource:
    return Subresource("status", kind, STATUS_VERBS)


_SCALE: Final = Subresource("scale", r.SCALES, STATUS_VERBS)


def _operation(
    resource: Resource,
    description: str,
    spec: type[OperationSpec],
    arguments: type[KubeModel],
    *,
    short_names: tuple[str, ...] = (),
) -> KindInfo:
    """A kind of operation."""
    return KindInfo(
        resource=resource,
        stored=r.STORED_OPERATIONS,
        stored_as=StoredAs.OPERATION,
        description=description,
        spec=spec,
        status=OperationStatus,
        verbs=ALL_VERBS,
        columns=c.OPERATION_COLUMNS,
        short_names=short_names,
        subresources=(Subresource("cancel", resource, ("create",)), _status(resource)),
        field_selectors=("spec.clusterName", "status.phase"),
        arguments=arguments,
    )


OPERATION_KINDS: Final[tuple[KindInfo, ...]] = (
    _operation(
        r.ROLLING_RESTARTS,
        "Restarts all nodes of a cluster, rack by rack and one node at a time.",
        RollingRestartSpec,
        RollingRestartArguments,
    ),
    _operation(
        r.CLEANUPS,
        "Lets every node drop the data that it is no longer a replica of, as after a cluster has grown.",
        o.CleanupSpec,
        o.CleanupArguments,
    ),
    _operation(
        r.REBUILDS,
        "Lets every node of a datacenter stream its data from another one, as after a datacenter was added.",
        o.RebuildSpec,
        o.RebuildArguments,
    ),
    _operation(
        r.SSTABLE_UPGRADES,
        "Lets every node rewrite its SSTables in the format of the version it runs, as after an upgrade.",
        o.SSTableUpgradeSpec,
        o.SSTableUpgradeArguments,
    ),
    _operation(
        r.SCRUBS,
        "Lets every node rewrite its SSTables and leave out what is corrupt.",
        o.ScrubSpec,
        o.ScrubArguments,
    ),
    _operation(r.COMPACTIONS, "Lets every node merge its SSTables.", o.CompactionSpec, o.CompactionArguments),
    _operation(
        r.GARBAGE_COLLECTIONS,
        "Lets every node remove deleted data from its SSTables.",
        o.GarbageCollectionSpec,
        o.GarbageCollectionArguments,
    ),
    _operation(r.FLUSHES, "Lets every node write its memtables to disk.", o.FlushSpec, o.FlushArguments),
    _operation(
        r.TOKEN_MOVES, "Moves nodes to other tokens, one at a time.", o.TokenMoveSpec, o.TokenMoveArguments
    ),
    _operation(
        r.NODE_REPLACEMENTS,
        "Gives up nodes with their disks and has new ones take their place, one after the other.",
        o.NodeReplacementSpec,
        o.NodeReplacementArguments,
    ),
    _operation(
        r.DATACENTER_STOPS,
        "Stops all nodes of datacenters, one datacenter after the other; their data is kept.",
        o.DatacenterStopSpec,
        o.DatacenterStopArguments,
    ),
    _operation(
        r.DATACENTER_STARTS,
        "Starts stopped datacenters again, one after the other.",
        o.DatacenterStartSpec,
        o.DatacenterStartArguments,
    ),
)

_CLUSTER: Final = KindInfo(
    resource=r.MISSION_CONTROL_CLUSTERS,
    stored=r.STORED_CLUSTERS,
    stored_as=StoredAs.SAME,
    description="A Cassandra cluster over all of its data planes.",
    spec=MissionControlClusterSpec,
    status=MissionControlClusterStatus,
    verbs=ALL_VERBS,
    columns=c.CLUSTER_COLUMNS,
    short_names=("mcc",),
    subresources=(
        *(
            Subresource(operation.singular, operation.resource, ("create",), creates_operation=True)
            for operation in OPERATION_KINDS
        ),
        _SCALE,
        _status(r.MISSION_CONTROL_CLUSTERS),
    ),
    field_selectors=("status.phase",),
)

_DATA_PLANE: Final = KindInfo(
    resource=r.DATA_PLANES,
    stored=r.STORED_DATA_PLANES,
    stored_as=StoredAs.SAME,
    description="A Kubernetes cluster that datacenters can be placed in.",
    spec=DataPlaneSpec,
    status=DataPlaneStatus,
    verbs=ALL_VERBS,
    columns=c.DATA_PLANE_COLUMNS,
    short_names=("dp",),
    subresources=(_status(r.DATA_PLANES),),
    field_selectors=("spec.region",),
)

_OPERATION_VIEW: Final = KindInfo(
    resource=r.OPERATIONS,
    stored=r.STORED_OPERATIONS,
    stored_as=StoredAs.VIEW,
    description="Any operation that runs or ran, named <kind>.<name>: one list over all of them.",
    spec=OperationViewSpec,
    status=OperationStatus,
    verbs=("delete", "get", "list", "watch"),
    columns=c.OPERATION_VIEW_COLUMNS,
    short_names=("op",),
    subresources=(Subresource("cancel", r.OPERATIONS, ("create",)),),
    field_selectors=("spec.clusterName", "spec.type", "status.phase"),
)

_DATACENTER: Final = KindInfo(
    resource=r.DATACENTERS,
    stored=r.STORED_DATACENTERS,
    stored_as=StoredAs.SAME,
    description="One datacenter of a cluster, named <cluster>.<datacenter>; scaling it changes the cluster.",
    spec=DatacenterSpec,
    status=DatacenterStatus,
    verbs=("get", "list", "watch"),
    columns=c.DATACENTER_COLUMNS,
    short_names=("mcdc",),
    subresources=(_SCALE,),
    field_selectors=("spec.clusterName", "spec.dataPlane", "status.phase"),
)

_DATABASE_NODE: Final = KindInfo(
    resource=r.DATABASE_NODES,
    stored=r.STORED_DATACENTERS,
    stored_as=StoredAs.COMPUTED,
    description="One Cassandra node, named as its pod.",
    spec=DatabaseNodeSpec,
    status=DatabaseNodeStatus,
    verbs=("get", "list"),
    columns=c.DATABASE_NODE_COLUMNS,
    short_names=("dbn",),
)

KINDS: Final[tuple[KindInfo, ...]] = tuple(
    sorted(
        (_CLUSTER, _DATA_PLANE, _OPERATION_VIEW, _DATACENTER, _DATABASE_NODE, *OPERATION_KINDS),
        key=lambda kind: kind.resource.plural,
    )
)

BY_PLURAL: Final[dict[str, KindInfo]] = {kind.resource.plural: kind for kind in KINDS}
BY_KIND: Final[dict[str, KindInfo]] = {kind.resource.kind: kind for kind in KINDS}
OPERATIONS_BY_SINGULAR: Final[dict[str, KindInfo]] = {kind.singular: kind for kind in OPERATION_KINDS}

STORED: Final[tuple[StoredKind, ...]] = (
    StoredKind(r.STORED_CLUSTERS, MissionControlClusterSpec, MissionControlClusterStatus),
    StoredKind(r.STORED_DATA_PLANES, DataPlaneSpec, DataPlaneStatus, (".spec.region",)),
    StoredKind(
        r.STORED_DATACENTERS,
        DatacenterSpec,
        DatacenterStatus,
        (".spec.clusterName", ".spec.dataPlane", ".status.phase"),
    ),
    StoredKind(
        r.STORED_OPERATIONS,
        OperationViewSpec,
        OperationStatus,
        (".spec.clusterName", ".spec.type", ".status.phase"),
        OPERATION_KINDS,
    ),
)
