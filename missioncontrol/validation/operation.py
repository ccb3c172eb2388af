"""Rules of operations: they name a cluster and datacenters of it, and never change once created."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from missioncontrol.validation.causes import (
    Cause,
    duplicate,
    forbidden,
    invalid,
    not_found,
    required,
)
from missioncontrol.validation.cluster import spec_view
from missioncontrol.validation.values import at, integer, sequence, text

COMMON_FIELDS: Final = frozenset(
    {"type", "clusterName", "datacenters", "ttlSecondsAfterFinished", "onConflict"}
)


def create_causes(operation: Mapping[str, Any], *, cluster: Mapping[str, Any] | None) -> list[Cause]:
    """Everything wrong with a new operation; `cluster` is the stored cluster it names, None if absent."""
    return list(_create(operation, cluster))


def update_causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cause]:
    """An operation says what was asked for; only how long it is kept afterwards may change."""
    if at(new, "metadata", "deletionTimestamp"):
        return []
    before, after = old.get("spec") or {}, new.get("spec") or {}
    causes = [
        forbidden(
            f"spec.{key}", "an operation does not change once created: cancel this one and create another"
        )
        for key in sorted({*before, *after})
        if key != "ttlSecondsAfterFinished" and before.get(key) != after.get(key)
    ]
    return [*causes, *_ttl_causes(new)]


def _create(operation: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> Iterator[Cause]:
    spec = operation.get("spec") or {}
    kind, name = text(spec.get("type")), text(at(operation, "metadata", "name"))
    if not kind:
        yield required("spec.type", "the kind of the operation")
    elif name and not name.startswith(f"{kind.lower()}."):
        yield invalid(
            "metadata.name", name, f"an operation of kind {kind} is stored as {kind.lower()}.<name>"
        )
    for key in sorted(set(spec) - COMMON_FIELDS - {kind.lower()}):
        yield forbidden(f"spec.{key}", f"does not belong to an operation of kind {kind}")
    yield from _ttl_causes(operation)
    target = text(spec.get("clusterName"))
    if not target:
        yield required("spec.clusterName", "the cluster that the operation is for")
    elif cluster is None:
        namespace = text(at(operation, "metadata", "namespace"))
        yield not_found(
            "spec.clusterName", target, f"there is no MissionControlCluster {target} in namespace {namespace}"
        )
    else:
        yield from _cluster_causes(operation, cluster, target)


def _cluster_causes(operation: Mapping[str, Any], cluster: Mapping[str, Any], target: str) -> Iterator[Cause]:
    if at(cluster, "metadata", "deletionTimestamp"):
        yield forbidden("spec.clusterName", f"cluster {target} is being deleted")
    known = [datacenter.name for datacenter in spec_view(cluster).datacenters]
    seen: set[str] = set()
    for index, datacenter in enumerate(sequence(at(operation, "spec", "datacenters"))):
        field = f"spec.datacenters[{index}]"
        if datacenter not in known:
            yield not_found(field, datacenter, f"cluster {target} has the datacenters {', '.join(known)}")
        elif datacenter in seen:
            yield duplicate(field, datacenter)
        seen.add(text(datacenter))
    yield from _rack_causes(operation, cluster, seen or set(known))


def _rack_causes(
    operation: Mapping[str, Any], cluster: Mapping[str, Any], chosen: set[str]
) -> Iterator[Cause]:
    """Racks, for the kinds that can be told some: each is one of a chosen datacenter."""
    member = text(at(operation, "spec", "type")).lower()
    views = [each for each in spec_view(cluster).datacenters if each.name in chosen]
    present = sorted({name for each in views for name in each.rack_names})
    for index, rack in enumerate(sequence(at(operation, "spec", member, "racks"))):
        if rack not in present:
            detail = f"the racks of these datacenters are: {', '.join(present)}"
            yield not_found(f"spec.{member}.racks[{index}]", rack, detail)


def _ttl_causes(operation: Mapping[str, Any]) -> Iterator[Cause]:
    ttl = at(operation, "spec", "ttlSecondsAfterFinished")
    if ttl is not None and (integer(ttl) is None or ttl < 0):
        yield invalid(
            "spec.ttlSecondsAfterFinished", ttl, "must be 0 or more; 0 keeps the operation for ever"
        )
