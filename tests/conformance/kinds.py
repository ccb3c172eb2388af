"""The kinds under test, and the CustomResourceDefinitions of the same shape that they are compared with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from missioncontrol.api.emit.crds import CrdKind, PrinterColumn, crd, operations_schema
from missioncontrol.api.emit.schema import Inline
from missioncontrol.api.registry import BY_KIND, STORED, KindInfo, StoredAs
from missioncontrol.api.resources import VERSION, VIRTUAL_GROUP, Resource

Obj = dict[str, Any]

NATIVE_GROUP: Final = "native.missioncontrol.test"
_ROOT: Final = Path(__file__).resolve().parents[2]
_MUTABLE_OF_OPERATIONS: Final = frozenset({"ttlSecondsAfterFinished"})


@dataclass(frozen=True)
class Kind:
    """A kind under test, with what cases have to know to write requests for it."""

    info: KindInfo
    spec: Callable[[str], Obj]
    """A valid spec; the argument is the case's own prefix of names."""
    field: tuple[str, ...]
    """A field of the spec that may be changed."""
    values: tuple[Any, Any]
    """Two values that it may have, unlike the one in `spec`."""
    wrong: Any
    """A value of a wrong type for it."""
    selector: str
    """A field that objects are selected by, and its value in `spec` or the status that cases write."""
    selected: str
    parent: tuple[str, ...]
    """An object inside the spec, for unknown fields in it."""
    phase: str = "Running"
    """A phase that it may have."""

    @property
    def name(self) -> str:
        return self.info.resource.kind

    @property
    def plural(self) -> str:
        return self.info.resource.plural

    @property
    def namespaced(self) -> bool:
        return self.info.resource.namespaced

    def change(self, value: Any) -> Obj:
        """A merge patch that gives the field a value."""
        return {"spec": nested(self.field, value)}

    @property
    def pointer(self) -> str:
        """The field as a JSON pointer."""
        return "/spec/" + "/".join(self.field)


def nested(path: tuple[str, ...], value: Any) -> Any:
    """`a, b` and a value: {"a": {"b": value}}."""
    for part in reversed(path):
        value = {part: value}
    return value


def _cluster_spec(_: str) -> Obj:
    text = (_ROOT / "examples" / "quickstart.yaml").read_text()
    spec: Obj = yaml.safe_load(text)["spec"]
    return spec


def _data_plane_spec(_: str) -> Obj:
    return {"region": "eu", "kubeconfigSecretRef": {"name": "secret", "key": "kubeconfig"}}


def _restart_spec(token: str) -> Obj:
    return {"clusterName": f"{token}-c", "racks": ["r1"], "ttlSecondsAfterFinished": 60}


CLUSTER: Final = Kind(
    BY_KIND["MissionControlCluster"],
    _cluster_spec,
    field=("k8ssandra", "cassandra", "serverVersion"),
    values=("5.0.5", "5.0.6"),
    wrong=5,
    selector="status.phase",
    selected="",
    parent=("k8ssandra", "cassandra"),
    phase="Ready",
)
DATA_PLANE: Final = Kind(
    BY_KIND["DataPlane"],
    _data_plane_spec,
    field=("region",),
    values=("us", "ap"),
    wrong=5,
    selector="spec.region",
    selected="eu",
    parent=("kubeconfigSecretRef",),
)
RESTART: Final = Kind(
    BY_KIND["RollingRestart"],
    _restart_spec,
    field=("ttlSecondsAfterFinished",),
    values=(120, 180),
    wrong="soon",
    selector="status.phase",
    selected="",
    parent=(),
)
KINDS: Final = (CLUSTER, DATA_PLANE, RESTART)


def native_crds() -> list[Obj]:
    """The definitions that the façade's kinds are compared with."""
    return [_native(kind.info) for kind in KINDS]


def twin_crds() -> list[Obj]:
    """All kinds of the group under its own name, for a kube-apiserver that has no façade."""
    return [_native(info, VIRTUAL_GROUP) for info in BY_KIND.values()]


def _native(info: KindInfo, group: str = NATIVE_GROUP) -> Obj:
    resource = Resource(group, VERSION, info.resource.plural, info.resource.kind, info.resource.namespaced)
    document = crd(
        CrdKind(
            resource,
            info.description,
            info.spec,
            info.status,
            short_names=info.short_names,
            columns=tuple(_column(each.name, each.type, each.priority) for each in info.columns[1:]),
            selectable_fields=tuple(f".{field}" for field in info.field_selectors),
            spec_required=True,
            spec_schema=_spec_schema(info),
        )
    )
    document["spec"]["names"]["categories"] = list(info.categories)
    version = document["spec"]["versions"][0]
    for column, of_ours in zip(version["additionalPrinterColumns"], info.columns[1:], strict=True):
        column["description"] = of_ours.description
    if info is BY_KIND["Datacenter"]:
        version["subresources"]["scale"] = {
            "specReplicasPath": ".spec.size",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    elif info.subresource("scale") is not None:
        version["subresources"]["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        spec["properties"]["replicas"] = {"type": "integer", "format": "int32", "description": "Nodes."}
    return document


_PATHS: Final = {
    "Age": ".metadata.creationTimestamp",
    "Cluster": ".spec.clusterName",
    "Data plane": ".spec.dataPlane",
    "Datacenter": ".spec.datacenter",
    "Host ID": ".status.hostID",
    "IP": ".status.ip",
    "Kind": ".spec.type",
    "Message": ".status.message",
    "Rack": ".spec.rack",
    "Region": ".spec.region",
    "Requested by": ".status.requestedBy",
    "Server": ".status.server",
    "State": ".status.state",
}


def _column(name: str, type_: str, priority: int) -> PrinterColumn:
    path = _PATHS.get(name, ".metadata.annotations.none")
    return PrinterColumn(name, path, "date" if name == "Age" else type_, priority)


def _spec_schema(info: KindInfo) -> Obj | None:
    if info.stored_as is StoredAs.VIEW:
        schema = operations_schema(next(each for each in STORED if each.resource == info.stored))
        return {key: value for key, value in schema.items() if key != "x-kubernetes-validations"}
    return _operation_schema(info) if info.is_operation else None


def _operation_schema(info: KindInfo) -> Obj:
    """The schema of an operation with the rules that the stored one has, at the places users know."""
    schema: Obj = copy.deepcopy(Inline().model(info.spec))
    required = set(schema["required"])
    schema["x-kubernetes-validations"] = [
        {
            "rule": f"self.{name} == oldSelf.{name}"
            if name in required
            else f"has(self.{name}) == has(oldSelf.{name}) && "
            f"(!has(self.{name}) || self.{name} == oldSelf.{name})",
            "message": "an operation cannot be changed once it exists; create another one",
            "fieldPath": f".{name}",
        }
        for name in schema["properties"]
        if name not in _MUTABLE_OF_OPERATIONS
    ]
    return schema


__all__ = ["CLUSTER", "DATA_PLANE", "KINDS", "NATIVE_GROUP", "RESTART", "VERSION", "VIRTUAL_GROUP", "Kind"]
