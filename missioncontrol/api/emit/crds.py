"""CustomResourceDefinitions: upstream's kinds for data planes, our storage kinds for the control plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from missioncontrol.api import resources as r
from missioncontrol.api.cassandra import CassandraDatacenterSpec, CassandraDatacenterStatus
from missioncontrol.api.control import (
    CassandraTaskSpec,
    CassandraTaskStatus,
    K8ssandraTaskSpec,
    K8ssandraTaskStatus,
    ScheduledTaskSpec,
    ScheduledTaskStatus,
)
from missioncontrol.api.emit.schema import Inline, JsonSchema
from missioncontrol.api.k8ssandra import K8ssandraClusterSpec, K8ssandraClusterStatus
from missioncontrol.api.model import KubeModel
from missioncontrol.api.names import StoredColumn
from missioncontrol.api.registry import STORED, StoredKind
from missioncontrol.api.resources import Resource

Plane = Literal["control-plane", "data-plane"]


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """A column that kube-apiserver adds to ``kubectl get``."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The entry of additionalPrinterColumns."""
        column: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.json_path}
        return column | ({"priority": self.priority} if self.priority else {})


@dataclass(frozen=True, slots=True)
class CrdKind:
    """What a CRD is made of."""

    resource: Resource
    description: str
    spec: type[KubeModel]
    status: type[KubeModel]
    short_names: tuple[str, ...] = ()
    columns: tuple[PrinterColumn, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    spec_required: bool = False
    # a schema that is not the plain one of the model, such as the union of all operations
    spec_schema: JsonSchema | None = None


_AGE = PrinterColumn("Age", ".metadata.creationTimestamp", "date")
# From these alone the API server sees which objects there are in which version, without reading any.
_VERSION_COLUMNS = (
    PrinterColumn(StoredColumn.NAMESPACE, ".metadata.namespace", priority=1),
    PrinterColumn(StoredColumn.VERSION, ".metadata.resourceVersion", priority=1),
)

# what may be changed of an operation that exists: how long it is kept
_MUTABLE = frozenset({"ttlSecondsAfterFinished"})

UPSTREAM_KINDS: tuple[CrdKind, ...] = (
    CrdKind(
        r.CASSANDRA_DATACENTERS,
        "One datacenter of a Cassandra cluster, as StatefulSets in this Kubernetes cluster.",
        CassandraDatacenterSpec,
        CassandraDatacenterStatus,
        short_names=("cassdc", "cassdcs"),
        columns=(
            PrinterColumn("Size", ".spec.size", "integer"),
            PrinterColumn("Version", ".spec.serverVersion"),
            PrinterColumn("Progress", ".status.cassandraOperatorProgress"),
            PrinterColumn("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            _AGE,
        ),
    ),
    CrdKind(
        r.CASSANDRA_TASKS,
        "A job for the nodes of one datacenter, such as a restart or a cleanup.",
        CassandraTaskSpec,
        CassandraTaskStatus,
        columns=(
            PrinterColumn("Datacenter", ".spec.datacenter.name"),
            PrinterColumn("Job", ".spec.jobs[0].command"),
            PrinterColumn("Scheduled", ".spec.scheduledTime", "date"),
            PrinterColumn("Started", ".status.startTime", "date"),
            PrinterColumn("Completed", ".status.completionTime", "date"),
        ),
    ),
    CrdKind(
        r.SCHEDULED_TASKS,
        "A CassandraTask that is made again and again.",
        ScheduledTaskSpec,
        ScheduledTaskStatus,
    ),
    CrdKind(
        r.K8SSANDRA_CLUSTERS,
        "The datacenters of one Cassandra cluster, with what runs beside them.",
        K8ssandraClusterSpec,
        K8ssandraClusterStatus,
        short_names=("k8c", "k8cs"),
        columns=(PrinterColumn("Error", ".status.error"),),
    ),
    CrdKind(
        r.K8SSANDRA_TASKS,
        "A job for the nodes of several datacenters of one cluster.",
        K8ssandraTaskSpec,
        K8ssandraTaskStatus,
        columns=(
            PrinterColumn("Job", ".spec.template.jobs[0].command"),
            PrinterColumn("Scheduled", ".spec.template.scheduledTime", "date"),
            PrinterColumn("Started", ".status.startTime", "date"),
            PrinterColumn("Completed", ".status.completionTime", "date"),
        ),
    ),
)


def crds(plane: Plane) -> list[dict[str, Any]]:
    """All CRDs of a plane, sorted by name."""
    kinds = UPSTREAM_KINDS if plane == "data-plane" else tuple(_storage_kinds())
    return sorted((crd(kind) for kind in kinds), key=lambda document: str(document["metadata"]["name"]))


def _storage_kinds() -> Iterator[CrdKind]:
    for stored in STORED:
        yield CrdKind(
            stored.resource,
            f"Storage of {stored.resource.kind} objects; use {stored.resource.plural}.{r.VIRTUAL_GROUP}.",
            stored.spec,
            stored.status,
            columns=(PrinterColumn("Phase", ".status.phase"), _AGE, *_VERSION_COLUMNS),
            selectable_fields=stored.selectable_fields,
            spec_required=True,
            spec_schema=operations_schema(stored) if stored.operations else None,
        )


def operations_schema(stored: StoredKind) -> JsonSchema:
    """The common fields of operations, and a member for the arguments of each kind."""
    inline = Inline()
    schema = inline.model(stored.spec)
    kinds = {operation.resource.kind: operation for operation in stored.operations}
    schema["properties"]["type"]["enum"] = sorted(kinds)
    rules = []
    for kind, operation in sorted(kinds.items()):
        assert operation.arguments is not None
        member = kind.lower()
        schema["properties"][member] = inline.model(operation.arguments)
        rules.append(
            {
                "rule": f"(self.type == '{kind}') == has(self.{member})",
                "message": f"spec.{member} goes with type {kind}, and with it alone",
            }
        )
    for name, member in schema["properties"].items():
        if name in _MUTABLE:
            continue
        own = [f"{name}.{below}" for below in member.get("properties", {})]
        rules += [
            {
                "rule": _unchanged(path, required=path in schema["required"]),
                "message": "an operation cannot be changed once it exists; create another one",
                "fieldPath": f".{path}",
            }
            for path in (own if member["type"] == "object" else [name])
        ]
    schema["x-kubernetes-validations"] = rules
    return schema


def _unchanged(path: str, *, required: bool) -> str:
    """The CEL rule that a member of an object, or one of a member's own, stays what it is."""
    if required:
        return f"self.{path} == oldSelf.{path}"
    outer, _, inner = path.rpartition(".")
    # which kind's arguments there are is a rule of its own
    there = f"!has(self.{outer}) || !has(oldSelf.{outer}) || " if inner and outer else ""
    same = f"has(self.{path}) == has(oldSelf.{path}) && (!has(self.{path}) || self.{path} == oldSelf.{path})"
    return f"{there}({same})" if there else same


def crd(kind: CrdKind) -> dict[str, Any]:
    """A CustomResourceDefinition with one version, which is served and stored."""
    resource = kind.resource
    version: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root_schema(kind)},
        "subresources": {"status": {}},
    }
    if kind.columns:
        version["additionalPrinterColumns"] = [column.to_dict() for column in kind.columns]
    if kind.selectable_fields:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable_fields]
    names: dict[str, Any] = {
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "kind": resource.kind,
        "listKind": resource.kind + "List",
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    return {
        "apiVersion": r.CRDS.api_version,
        "kind": r.CRDS.kind,
        "metadata": {"name": resource.group_resource},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [version],
        },
    }


def _root_schema(kind: CrdKind) -> JsonSchema:
    inline = Inline()
    schema: JsonSchema = {
        "type": "object",
        "description": kind.description,
        "properties": {
            "apiVersion": {"type": "string", "description": "Group and version of this object's schema."},
            "kind": {"type": "string", "description": "Kind of this object."},
            "metadata": {"type": "object"},
            "spec": kind.spec_schema or inline.model(kind.spec),
            "status": inline.model(kind.status),
        },
    }
    if kind.spec_required:
        schema["required"] = ["spec"]
    return schema
