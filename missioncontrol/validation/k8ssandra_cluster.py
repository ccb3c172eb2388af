"""Rules of K8ssandraCluster in a data plane: upstream's, and that every datacenter is a local one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from missioncontrol.api.names import Annotation, Label
from missioncontrol.validation.causes import Cause, forbidden, unknown_value
from missioncontrol.validation.changes import change_causes
from missioncontrol.validation.datacenters import SpecView
from missioncontrol.validation.spec import spec_causes
from missioncontrol.validation.supported import K8SSANDRA_CLUSTER, unsupported_fields
from missioncontrol.validation.values import at, mapping, text

AUTOUPDATE_VALUES: Final = ("once", "always")


def create_causes(cluster: Mapping[str, Any]) -> list[Cause]:
    """Everything that is wrong with a new cluster."""
    return list(_state_causes(cluster))


def update_causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cause]:
    """Everything that is wrong with a change; an unchanged spec and a cluster being deleted always pass."""
    if old.get("spec") == new.get("spec") or at(new, "metadata", "deletionTimestamp"):
        return list(_annotation_causes(new)) if _annotations(old) != _annotations(new) else []
    rollout = Label.CONTROL_PLANE in mapping(at(new, "metadata", "labels"))
    change = change_causes(spec_view(old), spec_view(new), rollout=rollout, removable=not rollout)
    told = {cause.field for cause in change}
    return [*change, *(cause for cause in _state_causes(new) if cause.field not in told)]


def reconcile_causes(cluster: Mapping[str, Any]) -> list[Cause]:
    """What the operator itself checks before it acts: objects may have come in while no webhook was there."""
    return list(_state_causes(cluster))


def spec_view(cluster: Mapping[str, Any]) -> SpecView:
    metadata = mapping(cluster.get("metadata"))
    return SpecView(
        body=mapping(cluster.get("spec")),
        field="spec",
        object_name=text(metadata.get("name")) or text(metadata.get("generateName")),
        namespace=text(metadata.get("namespace")),
    )


def _state_causes(cluster: Mapping[str, Any]) -> Iterator[Cause]:
    view = spec_view(cluster)
    yield from _annotation_causes(cluster)
    yield from unsupported_fields(cluster.get("spec"), K8SSANDRA_CLUSTER, "spec")
    yield from spec_causes(view)
    for datacenter in view.datacenters:
        if datacenter.context:
            yield forbidden(
                f"{datacenter.field}.k8sContext",
                f"{datacenter.context!r} is another Kubernetes cluster; this operator serves only its own: "
                "leave it empty, or describe the whole cluster as a MissionControlCluster",
            )


def _annotations(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(at(cluster, "metadata", "annotations"))


def _annotation_causes(cluster: Mapping[str, Any]) -> Iterator[Cause]:
    key = Annotation.K8SSANDRA_AUTOUPDATE_SPEC
    value = _annotations(cluster).get(key)
    if value is not None and value not in AUTOUPDATE_VALUES:
        yield unknown_value(f"metadata.annotations[{key}]", value, AUTOUPDATE_VALUES)
