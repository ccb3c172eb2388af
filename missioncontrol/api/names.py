"""Every name that is part of an interface: labels, annotations, finalizers, conditions, reasons, objects.

Keys of labels and annotations are plain strings, because they become keys of JSON objects; values
that stand alone (condition types, reasons, phases) are enumerations. The functions below are
upstream's naming rules: an object that an upstream operator made is found again under the same name.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

SYSTEM_NAMESPACE: Final = "mission-control"
CATEGORY: Final = "missioncontrol"
API_SERVICE_NAME: Final = "v1alpha1.missioncontrol.io"
REQUESTER_EXTRA: Final = "missioncontrol.io/requester"


class Component(StrEnum):
    """Our processes: also the names of their ServiceAccounts, field managers and Leases."""

    APISERVER = "apiserver"
    WEBHOOKS = "webhooks"
    MISSION_CONTROL_OPERATOR = "mission-control-operator"
    K8SSANDRA_OPERATOR = "k8ssandra-operator"
    CASS_OPERATOR = "cass-operator"
    SIMULATOR = "simulator"


class WebhookPath:
    """Where the webhook server answers admission reviews."""

    MUTATE: Final = "/mutate"
    VALIDATE: Final = "/validate"


class Label:
    """Keys of labels."""

    # ownership of what mission-control-operator writes into a plane
    CONTROL_PLANE: Final = "missioncontrol.io/control-plane"
    MC_CLUSTER_NAMESPACE: Final = "missioncontrol.io/cluster-namespace"
    MC_CLUSTER_NAME: Final = "missioncontrol.io/cluster-name"
    MC_DATACENTER: Final = "missioncontrol.io/datacenter"
    MC_OPERATION: Final = "missioncontrol.io/operation"

    # on ConfigMaps that configure operators
    CONFIG: Final = "k8ssandra.io/config"

    # cass-operator
    CLUSTER: Final = "cassandra.datastax.com/cluster"
    DATACENTER: Final = "cassandra.datastax.com/datacenter"
    RACK: Final = "cassandra.datastax.com/rack"
    SEED_NODE: Final = "cassandra.datastax.com/seed-node"
    NODE_STATE: Final = "cassandra.datastax.com/node-state"
    OPERATOR_PROGRESS: Final = "cassandra.datastax.com/operator-progress"
    PROM_METRICS: Final = "cassandra.datastax.com/prom-metrics"
    WATCHED: Final = "cassandra.datastax.com/watched"
    TASK_STATUS: Final = "control.k8ssandra.io/status"

    # k8ssandra-operator
    K8SSANDRA_CLUSTER_NAME: Final = "k8ssandra.io/cluster-name"
    K8SSANDRA_CLUSTER_NAMESPACE: Final = "k8ssandra.io/cluster-namespace"
    K8SSANDRA_DATACENTER: Final = "k8ssandra.io/datacenter"
    CLEANED_UP_BY: Final = "k8ssandra.io/cleaned-up-by"
    REPLICATED_BY: Final = "k8ssandra.io/replicated-by"
    REPLICATED_SECRET_NAME: Final = "k8ssandra.io/replicated-secret-name"
    TASK_NAME: Final = "k8ssandra.io/task-name"
    TASK_NAMESPACE: Final = "k8ssandra.io/task-namespace"
    MEDUSA_STORAGE_SECRET: Final = "k8ssandra.io/medusa-storage-secret"
    REBUILD_NODES: Final = "k8ssandra.io/rebuild-nodes"

    # Kubernetes
    APP_NAME: Final = "app.kubernetes.io/name"
    APP_INSTANCE: Final = "app.kubernetes.io/instance"
    APP_VERSION: Final = "app.kubernetes.io/version"
    APP_COMPONENT: Final = "app.kubernetes.io/component"
    APP_PART_OF: Final = "app.kubernetes.io/part-of"
    APP_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
    APP_CREATED_BY: Final = "app.kubernetes.io/created-by"
    SERVICE_NAME: Final = "kubernetes.io/service-name"
    ENDPOINT_SLICE_MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
    HOSTNAME: Final = "kubernetes.io/hostname"
    ZONE: Final = "topology.kubernetes.io/zone"
    LEGACY_ZONE: Final = "failure-domain.beta.kubernetes.io/zone"


class LabelValue:
    """Fixed values of labels."""

    K8SSANDRA_OPERATOR: Final = "k8ssandra-operator"
    K8SSANDRA: Final = "k8ssandra"
    CASS_OPERATOR: Final = "cass-operator"
    CASSANDRA: Final = "cassandra"
    TELEMETRY: Final = "telemetry"
    K8SSANDRACLUSTER_CONTROLLER: Final = "k8ssandracluster-controller"
    IMAGE_CONFIG: Final = "image"
    TASK_ACTIVE: Final = "active"
    TASK_COMPLETED: Final = "completed"
    TRUE: Final = "true"


class NodeState(StrEnum):
    """Values of the label ``cassandra.datastax.com/node-state``."""

    READY_TO_START = "Ready-to-Start"
    STARTING = "Starting"
    STARTED = "Started"
    STARTED_NOT_READY = "Started-not-Ready"
    DECOMMISSIONING = "Decommissioning"


class Progress(StrEnum):
    """Values of ``status.cassandraOperatorProgress`` and of the label operator-progress."""

    UPDATING = "Updating"
    READY = "Ready"


class Annotation:
    """Keys of annotations."""

    CANCEL: Final = "missioncontrol.io/cancel"
    BREAK_GLASS: Final = "missioncontrol.io/break-glass"
    # what remains of it: who gave a reason, when and which
    GLASS_BROKEN: Final = "missioncontrol.io/glass-broken"
    MANAGEMENT_API: Final = "missioncontrol.io/management-api"
    REQUESTED_BY: Final = "missioncontrol.io/requested-by"
    # on a cluster: data planes that are gone for good, whose part is not waited for; comma-separated
    ABANDON_DATA_PLANES: Final = "missioncontrol.io/abandon-data-planes"
    # on what mission-control-operator applies in a plane: hashes of what it applied and of the wish behind it
    SPEC_REVISION: Final = "missioncontrol.io/spec-revision"
    APPLIED_HASH: Final = "missioncontrol.io/applied-hash"
    # on an object that an upstream operator made: the hash of what we would render, beside upstream's own
    ADOPTED_HASH: Final = "missioncontrol.io/resource-hash"

    # cass-operator: read on the CassandraDatacenter
    SKIP_USER_CREATION: Final = "cassandra.datastax.com/skip-user-creation"
    DECOMMISSION_ON_DELETE: Final = "cassandra.datastax.com/decommission-on-delete"
    NO_FINALIZER: Final = "cassandra.datastax.com/no-finalizer"
    NO_CLEANUP: Final = "cassandra.datastax.com/no-cleanup"
    AUTOUPDATE_SPEC: Final = "cassandra.datastax.com/autoupdate-spec"
    ALLOW_PARALLEL_STARTS: Final = "cassandra.datastax.com/allow-parallel-starts"
    ALLOW_STORAGE_CHANGES: Final = "cassandra.datastax.com/allow-storage-changes"
    USE_NEW_CONFIG_BUILDER: Final = "cassandra.datastax.com/use-new-config-builder"
    TRACK_CLEANUP_TASKS: Final = "cassandra.datastax.com/track-cleanup-tasks"
    DELETE_PVC: Final = "cassandra.datastax.com/delete-pvc"
    DISABLE_PDB_CREATION: Final = "cassandra.datastax.com/disable-pdb-creation"
    PARALLEL_CLEANUP_WITHIN_RACK: Final = "cassandra.datastax.com/enable-parallel-cleanup-within-rack"
    BYPASS_WEBHOOK_VALIDATIONS: Final = "cassandra.datastax.com/bypass-webhook-validations"

    # cass-operator: written by it
    RESOURCE_HASH: Final = "cassandra.datastax.com/resource-hash"
    CONFIG_HASH: Final = "cassandra.datastax.com/config-hash"
    # on the Secret that the user names in configSecret: the datacenter that uses it
    CONFIG_DATACENTER: Final = "cassandra.datastax.com/datacenter"
    WATCHED_BY: Final = "cassandra.datastax.com/watched-by"
    RESTARTED_AT: Final = "control.k8ssandra.io/restartedAt"
    # on a StatefulSet whose changed template goes to one pod after the other
    ROLLING: Final = "missioncontrol.io/rolling"
    # on a CassandraDatacenter: a StatefulSet that is deleted to be made again around its running pods
    RECREATING: Final = "missioncontrol.io/recreating-statefulset"
    # on a claim whose node has left the ring: nothing may be started on that disk any more
    LEFT_THE_RING: Final = "missioncontrol.io/left-the-ring"

    # k8ssandra-operator
    K8SSANDRA_RESOURCE_HASH: Final = "k8ssandra.io/resource-hash"
    K8SSANDRA_AUTOUPDATE_SPEC: Final = "k8ssandra.io/autoupdate-spec"
    PER_NODE_CONFIG_HASH: Final = "k8ssandra.io/per-node-config-hash"
    INITIAL_SYSTEM_REPLICATION: Final = "k8ssandra.io/initial-system-replication"
    DC_REPLICATION: Final = "k8ssandra.io/dc-replication"
    REBUILD_DC: Final = "k8ssandra.io/rebuild-dc"
    REBUILD_SOURCE_DC: Final = "k8ssandra.io/rebuild-src-dc"
    REFRESH: Final = "k8ssandra.io/refresh"
    SECRET_HASH: Final = "k8ssandra.io/secret-hash"
    INJECT_SECRET: Final = "k8ssandra.io/inject-secret"
    ORPHAN: Final = "replicatedresource.k8ssandra.io/orphan"

    # kube-controller-manager and kubectl
    DEFAULT_STORAGE_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
    LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class Finalizer:
    """Finalizers that hold an object until its owner has cleaned up."""

    MISSION_CONTROL: Final = "missioncontrol.io/finalizer"
    CASSANDRA_DATACENTER: Final = "finalizer.cassandra.datastax.com"
    K8SSANDRA_CLUSTER: Final = "k8ssandracluster.k8ssandra.io/finalizer"
    K8SSANDRA_TASK: Final = "control.k8ssandra.io/finalizer"
    # Kubernetes' propagation finalizers, and the names they are stored under for virtual objects
    ORPHAN: Final = "orphan"
    FOREGROUND_DELETION: Final = "foregroundDeletion"
    STORED_ORPHAN: Final = "missioncontrol.io/orphan"
    STORED_FOREGROUND_DELETION: Final = "missioncontrol.io/foreground-deletion"


class StoredColumn(StrEnum):
    """Printer columns of stored kinds, from which the API server reads versions at a glance."""

    NAMESPACE = "Namespace"
    VERSION = "Version"


class Condition(StrEnum):
    """Types of conditions, over all kinds."""

    # common
    READY = "Ready"
    PROGRESSING = "Progressing"
    RECONCILED = "Reconciled"
    # a datacenter of a cluster: its data plane may hold objects of it
    PLACED = "Placed"
    # DataPlane
    REACHABLE = "Reachable"
    CREDENTIALS_VALID = "CredentialsValid"
    # operations and tasks
    PLANNED = "Planned"
    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    INVALID = "Invalid"
    DATACENTER_UPDATED = "DatacenterUpdated"
    # CassandraDatacenter
    INITIALIZED = "Initialized"
    HEALTHY = "Healthy"
    VALID = "Valid"
    SCALING_UP = "ScalingUp"
    SCALING_DOWN = "ScalingDown"
    UPDATING = "Updating"
    STOPPED = "Stopped"
    RESUMING = "Resuming"
    ROLLING_RESTART = "RollingRestart"
    REPLACING_NODES = "ReplacingNodes"
    DECOMMISSION = "Decommission"
    REQUIRES_UPDATE = "RequiresUpdate"
    RESIZING_VOLUMES = "ResizingVolumes"
    # K8ssandraCluster
    CASSANDRA_INITIALIZED = "CassandraInitialized"


class Phase(StrEnum):
    """``status.phase`` of clusters and datacenters."""

    PENDING = "Pending"
    BOOTSTRAPPING = "Bootstrapping"
    READY = "Ready"
    UPDATING = "Updating"
    DEGRADED = "Degraded"
    STOPPED = "Stopped"
    DELETING = "Deleting"


class OperationPhase(StrEnum):
    """``status.phase`` of operations."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETE = "Complete"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class Reason(StrEnum):
    """Reasons of conditions, in the order of the condition types above."""

    AS_EXPECTED = "AsExpected"
    RECONCILING = "Reconciling"
    RECONCILE_FAILED = "ReconcileFailed"
    DELETING = "Deleting"
    WAITING = "Waiting"
    # a cluster and its datacenters
    BOOTSTRAPPING = "Bootstrapping"
    SCALING = "Scaling"
    UPDATING = "Updating"
    STOPPED = "Stopped"
    NODES_NOT_READY = "NodesNotReady"
    DATA_PLANE_UNKNOWN = "DataPlaneUnknown"
    DATA_PLANE_AWAY = "DataPlaneAway"
    NAMESPACE_NOT_ALLOWED = "NamespaceNotAllowed"
    NAME_TAKEN = "NameTaken"
    NOT_SUPPORTED = "NotSupported"
    INVALID_SPEC = "InvalidSpec"
    # a data plane
    CONNECTED = "Connected"
    CONNECTING = "Connecting"
    UNREACHABLE = "Unreachable"
    SECRET_NOT_FOUND = "SecretNotFound"
    KUBECONFIG_INVALID = "KubeconfigInvalid"
    CERTIFICATE_UNTRUSTED = "CertificateUntrusted"
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    CRDS_MISSING = "CustomResourcesMissing"
    IN_USE = "InUse"
    # operations
    PLANNED = "Planned"
    QUEUED = "Queued"
    REFUSED = "Refused"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    CLUSTER_NOT_FOUND = "ClusterNotFound"
    # upstream's, on the condition Valid
    SHRINKING_NOT_SUPPORTED = "shrinkingDataVolumeNotSupported"
    NO_EXPANSION = "storageClassDoesNotSupportExpansion"
    PVC_RESIZE_FAILED = "pvcResizeFailed"
    NO_SPACE_TO_SCALE_DOWN = "notEnoughSpaceToScaleDown"
    # ours, on the same condition
    TOO_FEW_FOR_REPLICATION = "notEnoughNodesForReplication"


class EventReason(StrEnum):
    """``reason`` of events; those of cass-operator and k8ssandra-operator are upstream's."""

    CREATED_RESOURCE = "CreatedResource"
    UPDATING_RACK = "UpdatingRack"
    SCALING_UP_RACK = "ScalingUpRack"
    SCALING_DOWN_RACK = "ScalingDownRack"
    STARTING_CASSANDRA = "StartingCassandra"
    STARTING_CASSANDRA_AND_REPLACING_NODE = "StartingCassandraAndReplacingNode"
    STARTED_CASSANDRA = "StartedCassandra"
    RESTARTING_CASSANDRA = "RestartingCassandra"
    DELETING_STUCK_POD = "DeletingStuckPod"
    LABELED_POD_AS_SEED = "LabeledPodAsSeed"
    UNLABELED_POD_AS_SEED = "UnlabeledPodAsSeed"
    LABELED_POD_AS_DECOMMISSIONING = "LabeledPodAsDecommissioning"
    LABELED_RACK_RESOURCE = "LabeledRackResource"
    CREATED_SUPERUSER = "CreatedSuperuser"
    CREATED_USERS = "CreatedUsers"
    STOPPING_DATACENTER = "StoppingDatacenter"
    UNHEALTHY_DATACENTER = "UnhealthyDatacenter"
    DECOMMISSION_DATACENTER = "DecommissionDatacenter"
    DECOMMISSIONING_NODE = "DecommissioningNode"
    REPLACING_NODE = "ReplacingNode"
    FINISHED_REPLACE_NODE = "FinishedReplaceNode"
    RECREATING_STATEFUL_SET = "RecreatingStatefulSet"
    DELETED_PVC = "DeletedPvc"
    RESIZING_PVC = "ResizingPVC"
    RESIZING_PVC_FAILED = "ResizingPVCFailed"
    INVALID_DATACENTER_SPEC = "InvalidDatacenterSpec"
    VALIDATION_FAILED = "ValidationFailed"
    RECONCILE_FAILED = "ReconcileFailed"
    # cass-operator, of its own: upstream's tasks have no events
    TASK_STARTED = "TaskStarted"
    TASK_COMPLETE = "TaskComplete"
    TASK_FAILED = "TaskFailed"
    TASK_CANCELLED = "TaskCancelled"
    TASK_POD_FAILED = "TaskPodFailed"
    # k8ssandra-operator
    RECONCILE_ERROR = "ReconcileError"
    CREATE_CASSANDRA_TASK = "CreateCassandraTask"
    INVALID_SPEC = "InvalidSpec"
    # mission-control-operator
    PLACED = "Placed"
    WAITING = "Waiting"
    READY = "Ready"
    DELETING = "Deleting"
    DELETED = "Deleted"
    DATA_PLANE_JOINED = "DataPlaneJoined"
    DATA_PLANE_AWAY = "DataPlaneAway"
    DATA_PLANE_BACK = "DataPlaneBack"
    NAME_TAKEN = "NameTaken"
    OPERATION_STARTED = "OperationStarted"
    OPERATION_COMPLETE = "OperationComplete"
    OPERATION_FAILED = "OperationFailed"
    OPERATION_CANCELLED = "OperationCancelled"


# --- Rules for names ---------------------------------------------------------------------------

DEFAULT_RACK: Final = "default"

_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_DNS1035_LABEL = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?", re.ASCII)
_DNS1123_SUBDOMAIN = re.compile(
    r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*", re.ASCII
)


@lru_cache(maxsize=4096)
def clean_label_value(value: str) -> str:
    """What remains of a name as the value of a label; ``My Cluster`` becomes ``MyCluster``."""
    return "".join(_LABEL_VALUE.findall(value.replace(" ", "")))


@lru_cache(maxsize=4096)
def cleanup_for_kubernetes(name: str) -> str:
    """What remains of a name inside object names, by the rule of a DNS-1035 label."""
    if len(name) <= 63 and _DNS1035_LABEL.fullmatch(name):
        return name
    return "".join(_DNS1035_LABEL.findall(name.lower().replace("_", "-")))


@lru_cache(maxsize=4096)
def cleanup_subdomain(name: str) -> str:
    """What remains of a name inside object names, by the rule of a DNS-1123 subdomain."""
    if len(name) <= 253 and _DNS1123_SUBDOMAIN.fullmatch(name):
        return name
    return "".join(_DNS1123_SUBDOMAIN.findall(name.lower().replace("_", "-")))


def split_racks(nodes: int, racks: int) -> list[int]:
    """How many nodes each rack gets: an even share, the first racks one more; 7 over 3 is 3, 2, 2."""
    if racks < 1:
        raise ValueError(f"nodes cannot be spread over {racks} racks")
    share, rest = divmod(nodes, racks)
    return [share + 1] * rest + [share] * (racks - rest)


def seed_count(nodes: int, racks: int) -> int:
    """How many seeds a datacenter has: at most three, but one for each rack where there are more racks."""
    return max(min(nodes, 3), racks if racks > 3 else 0)


def seeds_by_rack(nodes: int, racks: int) -> list[int]:
    """How many seeds each rack contributes."""
    return split_racks(seed_count(nodes, racks), racks)


def statefulset_name(cluster: str, datacenter: str, rack: str) -> str:
    """The StatefulSet of a rack. ``datacenter`` is the resource name of the datacenter."""
    prefix = f"{cleanup_for_kubernetes(cluster)}-{cleanup_for_kubernetes(datacenter)}"
    return f"{prefix}-{cleanup_subdomain(rack)}-sts"


def pod_name(statefulset: str, ordinal: int) -> str:
    """A pod of a StatefulSet."""
    return f"{statefulset}-{ordinal}"


def seed_service_name(cluster: str) -> str:
    """The Service of all seeds of a cluster in one namespace."""
    return f"{cleanup_for_kubernetes(cluster)}-seed-service"


def datacenter_service_name(cluster: str, datacenter: str, suffix: str = "service") -> str:
    """A Service of a datacenter: with the suffix ``service`` the one that clients connect to."""
    return f"{cleanup_for_kubernetes(cluster)}-{cleanup_for_kubernetes(datacenter)}-{suffix}"


def all_pods_service_name(cluster: str, datacenter: str) -> str:
    """The headless Service over all pods of a datacenter, also those that are not ready."""
    return datacenter_service_name(cluster, datacenter, "all-pods-service")


def additional_seed_service_name(cluster: str, datacenter: str) -> str:
    """The Service whose endpoints are the seeds outside the datacenter."""
    return datacenter_service_name(cluster, datacenter, "additional-seed-service")


def node_port_service_name(cluster: str, datacenter: str) -> str:
    """The Service that opens node ports."""
    return datacenter_service_name(cluster, datacenter, "node-port-service")


def superuser_secret_name(cluster: str) -> str:
    """The Secret of the superuser, where the spec names none."""
    return f"{cleanup_for_kubernetes(cluster)}-superuser"


def config_secret_name(cluster: str, datacenter: str) -> str:
    """The Secret with the merged configuration of a datacenter that uses configSecret."""
    return f"{cleanup_for_kubernetes(cluster)}-{cleanup_for_kubernetes(datacenter)}-config"


def pod_disruption_budget_name(datacenter: str) -> str:
    """The PodDisruptionBudget of a datacenter, by the object's own name."""
    return f"{datacenter}-pdb"


def stored_datacenter_name(cluster: str, datacenter: str) -> str:
    """The Datacenter object in the control plane."""
    return f"{cluster}.{datacenter}"


def stored_operation_name(kind: str, name: str) -> str:
    """The stored form of an operation: ``RollingRestart`` ``r1`` is kept as ``rollingrestart.r1``."""
    return f"{kind.lower()}.{name}"


def split_operation_name(stored: str) -> tuple[str, str]:
    """The kind (lower case) and the name of a stored operation."""
    kind, dot, name = stored.partition(".")
    if not dot or not kind or not name:
        raise ValueError(f"{stored!r} is not the name of a stored operation (<kind>.<name>)")
    return kind, name
