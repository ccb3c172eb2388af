"""The columns of ``kubectl get``: small pure functions from an object and the time to a cell.

Cells of times are humanised here ("5m3s"), because kubectl prints what a Table holds as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from missioncontrol.api.names import Condition

Cell = str | int | float | bool | None
Object = dict[str, Any]
Value = Callable[[Object, datetime], Cell]

UNKNOWN = "<unknown>"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a Table. Priority 1 is shown with ``-o wide`` only."""

    name: str
    type: str
    description: str
    priority: int
    value: Value
    format: str = ""
    clock: tuple[tuple[str, ...], ...] = ()
    """For a cell that changes with time alone: the paths of everything in the object that it is made of."""

    def definition(self) -> dict[str, Any]:
        """The entry of a Table's columnDefinitions."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def human_duration(seconds: float) -> str:
    """A duration in the two largest units that matter, as kubectl writes it: 90s, 5m3s, 3h, 2d4h."""
    total = int(seconds)
    if total < 0:
        return "0s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 2:
        return f"{total}s"
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    years = days // 365
    if years < 2:
        return f"{days}d"
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")


def since(timestamp: str | None, now: datetime) -> str:
    """How long ago a timestamp of an object was."""
    if not timestamp:
        return UNKNOWN
    try:
        then = datetime.fromisoformat(timestamp)
    except ValueError:
        return UNKNOWN
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return human_duration((now - then).total_seconds())


def at(obj: Object, *path: str) -> Any:
    """The value under a path, or None where anything on the way is missing."""
    value: Any = obj
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(*path: str) -> Value:
    """A cell with the text under a path."""

    def value(obj: Object, now: datetime) -> Cell:
        found = at(obj, *path)
        return found if isinstance(found, str | int | float | bool) else None

    return value


def age(obj: Object, now: datetime) -> Cell:
    """How long an object exists."""
    return since(at(obj, "metadata", "creationTimestamp"), now)


def nodes(obj: Object, now: datetime) -> Cell:
    """Ready and wanted nodes of a cluster, such as 5/6."""
    wanted = at(obj, "status", "replicas")
    if wanted is None:  # nobody has looked at it yet: what it asks for
        datacenters = at(obj, "spec", "k8ssandra", "cassandra", "datacenters") or ()
        wanted = sum(at(datacenter, "size") or 0 for datacenter in datacenters)
    return f"{at(obj, 'status', 'readyReplicas') or 0}/{wanted}"


def datacenter_nodes(obj: Object, now: datetime) -> Cell:
    """Ready and wanted nodes of a Datacenter."""
    return f"{at(obj, 'status', 'readyReplicas') or 0}/{at(obj, 'spec', 'size') or 0}"


def cluster_datacenters(obj: Object, now: datetime) -> Cell:
    """The names of a cluster's datacenters."""
    datacenters = at(obj, "spec", "k8ssandra", "cassandra", "datacenters") or ()
    return ",".join(str(at(datacenter, "metadata", "name") or "?") for datacenter in datacenters)


def cluster_version(obj: Object, now: datetime) -> Cell:
    """The version or versions that a cluster asks for."""
    cassandra = at(obj, "spec", "k8ssandra", "cassandra") or {}
    common = cassandra.get("serverVersion")
    versions = {
        str(datacenter.get("serverVersion") or common or "")
        for datacenter in cassandra.get("datacenters") or ()
        if isinstance(datacenter, dict)
    }
    return ",".join(sorted(version for version in versions or {common or ""} if version))


def phase(obj: Object, now: datetime) -> Cell:
    """The phase; an object that no controller has seen yet is pending."""
    return str(at(obj, "status", "phase") or "Pending")


def condition(obj: Object, type_: str) -> dict[str, Any]:
    """A condition of an object, or an empty one."""
    for found in at(obj, "status", "conditions") or ():
        if isinstance(found, dict) and found.get("type") == type_:
            return found
    return {}


def ready(obj: Object, now: datetime) -> Cell:
    """The status of the condition Ready."""
    return str(condition(obj, Condition.READY).get("status", "Unknown"))


def not_ready_reason(obj: Object, now: datetime) -> Cell:
    """Why an object is not ready; empty while it is."""
    found = condition(obj, Condition.READY)
    return "" if found.get("status") == "True" else str(found.get("reason", ""))


def last_contact(obj: Object, now: datetime) -> Cell:
    """How long ago a plane answered, or for how long it is away."""
    if away_since := at(obj, "status", "awaySince"):
        return f"away for {since(away_since, now)}"
    last = at(obj, "status", "lastContactTime")
    return f"{since(last, now)} ago" if last else "never"


def operation_kind(obj: Object, now: datetime) -> Cell:
    """The kind of an operation."""
    return str(at(obj, "spec", "type") or at(obj, "kind") or "")


def progress(obj: Object, now: datetime) -> Cell:
    """Nodes that are done and nodes to work on, over all datacenters of an operation."""
    datacenters = at(obj, "status", "datacenters") or ()
    done = sum(at(datacenter, "succeeded") or 0 for datacenter in datacenters)
    total = sum(at(datacenter, "total") or 0 for datacenter in datacenters)
    return f"{done}/{total}" if total else ""


NAME = Column(
    "Name", "string", "Name of the object, unique in its namespace.", 0, text("metadata", "name"), "name"
)
AGE = Column("Age", "date", "How long the object exists.", 0, age, clock=(("metadata", "creationTimestamp"),))
MESSAGE = Column("Message", "string", "What is going on, in a sentence.", 0, text("status", "message"))
WIDE_MESSAGE = Column("Message", "string", "What is going on, in a sentence.", 1, text("status", "message"))

CLUSTER_COLUMNS = (
    NAME,
    Column("Datacenters", "string", "Names of the datacenters.", 0, cluster_datacenters),
    Column("Nodes", "string", "Nodes that are ready and nodes that are wanted.", 0, nodes),
    Column("Version", "string", "Version of the database that is asked for.", 0, cluster_version),
    Column("Phase", "string", "Where the cluster stands.", 0, phase),
    AGE,
    WIDE_MESSAGE,
)

DATA_PLANE_COLUMNS = (
    NAME,
    Column("Region", "string", "Where the data plane is.", 0, text("spec", "region")),
    Column("Ready", "string", "Whether clusters can be placed and managed there.", 0, ready),
    Column("Version", "string", "Kubernetes version of the plane.", 0, text("status", "kubernetesVersion")),
    Column(
        "Last contact",
        "string",
        "When the plane answered, or for how long it is away.",
        0,
        last_contact,
        clock=(("status", "awaySince"), ("status", "lastContactTime")),
    ),
    Column("Reason", "string", "Why the plane is not ready.", 0, not_ready_reason),
    AGE,
    Column("Server", "string", "Address of the plane's API server.", 1, text("status", "server")),
    WIDE_MESSAGE,
)

DATACENTER_COLUMNS = (
    NAME,
    Column("Cluster", "string", "Cluster of the datacenter.", 0, text("spec", "clusterName")),
    Column("Data plane", "string", "DataPlane that it runs in.", 0, text("spec", "dataPlane")),
    Column("Nodes", "string", "Nodes that are ready and nodes that are wanted.", 0, datacenter_nodes),
    Column("Version", "string", "Version of the database.", 0, text("status", "version")),
    Column("Phase", "string", "Where the datacenter stands.", 0, phase),
    AGE,
    WIDE_MESSAGE,
)

DATABASE_NODE_COLUMNS = (
    NAME,
    Column("Datacenter", "string", "Datacenter of the node.", 0, text("spec", "datacenter")),
    Column("Rack", "string", "Rack of the node.", 0, text("spec", "rack")),
    Column("Data plane", "string", "DataPlane that the node runs in.", 0, text("spec", "dataPlane")),
    Column("Host ID", "string", "Host id of the node in the ring.", 0, text("status", "hostID")),
    Column("State", "string", "State of the node.", 0, text("status", "state")),
    Column("Ready", "boolean", "Whether the node serves requests.", 0, text("status", "ready")),
    AGE,
    Column("IP", "string", "Address of the node in the ring.", 1, text("status", "ip")),
)

OPERATION_COLUMNS = (
    NAME,
    Column("Cluster", "string", "Cluster that the operation works on.", 0, text("spec", "clusterName")),
    Column("Phase", "string", "Where the operation stands.", 0, phase),
    Column("Progress", "string", "Nodes that are done and nodes to work on.", 0, progress),
    MESSAGE,
    AGE,
    Column("Requested by", "string", "Who asked for it.", 1, text("status", "requestedBy")),
)

OPERATION_VIEW_COLUMNS = (
    NAME,
    Column("Kind", "string", "Kind of the operation.", 0, operation_kind),
    *OPERATION_COLUMNS[1:],
)
