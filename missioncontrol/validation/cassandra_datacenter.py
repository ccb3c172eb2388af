"""Upstream's rules of CassandraDatacenter, in their order and sense, but all violations at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from missioncontrol.api.names import Annotation, Condition, split_racks
from missioncontrol.validation.causes import Cause, forbidden, invalid, unknown_value
from missioncontrol.validation.claims import claim_causes
from missioncontrol.validation.metadata import reserved_causes
from missioncontrol.validation.resources import additional_volume_causes
from missioncontrol.validation.values import at, integer, mapping, quantity, sequence, text

_SERVICES: Final = ("additionalSeedService", "allpodsService", "dcService", "nodePortService", "seedService")
_FROZEN: Final = (
    "clusterName",
    "datacenterName",
    "allowMultipleNodesPerWorker",
    "superuserSecretName",
    "serviceAccount",
)
_DSE_WORKLOADS: Final = ("analyticsEnabled", "graphEnabled", "searchEnabled")


def create_causes(datacenter: Mapping[str, Any]) -> list[Cause]:
    return list(_state_causes(datacenter))


def update_causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cause]:
    """Everything that is wrong with a change.

    The bypass annotation on the new object skips all rules, as upstream does; a datacenter that is being
    deleted is not judged at all, so that nothing holds its finalizers.
    """
    if is_bypassed(new) or at(new, "metadata", "deletionTimestamp"):
        return []
    return [*_state_causes(new), *_change_causes(old, new)]


def is_bypassed(datacenter: Mapping[str, Any]) -> bool:
    """Whether its user wants changes of it not to be judged, whatever they are."""
    return _annotations(datacenter).get(Annotation.BYPASS_WEBHOOK_VALIDATIONS) == "true"


def warnings(datacenter: Mapping[str, Any]) -> list[str]:
    spec = mapping(datacenter.get("spec"))
    told = []
    if any(text(mapping(rack).get("zone")) for rack in sequence(spec.get("racks"))):
        told.append("spec.racks[].zone is deprecated: use nodeAffinityLabels instead")
    if spec.get("dockerImageRunsAsCassandra") is False:
        told.append(
            "spec.dockerImageRunsAsCassandra is deprecated: use podTemplateSpec.spec.securityContext instead"
        )
    return told


def _state_causes(datacenter: Mapping[str, Any]) -> Iterator[Cause]:
    spec = mapping(datacenter.get("spec"))
    kind = text(spec.get("serverType"))
    version = text(spec.get("serverVersion"))
    if kind == "cassandra":
        for workload in _DSE_WORKLOADS:
            if at(spec, "dseWorkloads", workload):
                yield forbidden(f"spec.dseWorkloads.{workload}", "DSE workloads need serverType dse")
    yield from _config_causes(spec, kind, version)
    yield from _unavailable_causes(spec)
    if spec.get("allowMultipleNodesPerWorker"):
        yield from _shared_worker_causes(spec)
    for service in _SERVICES:
        tags = mapping(at(spec, "additionalServiceConfig", service))
        field = f"spec.additionalServiceConfig.{service}"
        yield from reserved_causes(tags, field, ("additionalLabels", "additionalAnnotations"))
    autoupdate = _annotations(datacenter).get(Annotation.AUTOUPDATE_SPEC)
    if autoupdate is not None and autoupdate not in ("once", "always"):
        yield unknown_value(
            f"metadata.annotations[{Annotation.AUTOUPDATE_SPEC}]", autoupdate, ("once", "always")
        )
    yield from additional_volume_causes(
        at(spec, "storageConfig", "additionalVolumes"), "spec.storageConfig.additionalVolumes"
    )
    logs = "full_query_logging_options" in mapping(at(spec, "config", "cassandra-yaml"))
    if logs and not (kind == "cassandra" and _major(version) >= 4):
        yield forbidden(
            "spec.config.cassandra-yaml.full_query_logging_options",
            f"full query logging needs Cassandra 4.0 or later, not {kind}-{version}",
        )


def _major(version: str) -> int:
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0


def _config_causes(spec: Mapping[str, Any], kind: str, version: str) -> Iterator[Cause]:
    config = spec.get("config")
    if config is None:
        return
    if not isinstance(config, dict):
        yield invalid(
            "spec.config", config, "must be an object whose members are files such as cassandra-yaml"
        )
        return
    is_old = kind == "cassandra" and version.startswith("3.")
    for key, fits in (
        ("jvm-options", is_old),
        ("jvm-server-options", not is_old),
        ("dse-yaml", kind == "dse"),
    ):
        if key in config and not fits:
            yield forbidden(f"spec.config.{key}", f"{kind}-{version} has no {key}")
    if not isinstance(config.get("cassandra-yaml", {}), dict):
        yield invalid(
            "spec.config.cassandra-yaml", config["cassandra-yaml"], "must be an object: the settings by name"
        )


def _unavailable_causes(spec: Mapping[str, Any]) -> Iterator[Cause]:
    value = spec.get("maxUnavailable")
    if value is None:
        return
    percentage = isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal()
    number = integer(value) if not isinstance(value, str) else None
    if not percentage and (number is None or number < 0):
        yield invalid("spec.maxUnavailable", value, "must be a number or a percentage, and not negative")


def _shared_worker_causes(spec: Mapping[str, Any]) -> Iterator[Cause]:
    for member in ("requests", "limits"):
        for name in ("cpu", "memory"):
            if not quantity(at(spec, "resources", member, name)):
                yield forbidden(
                    f"spec.resources.{member}.{name}",
                    "several nodes on one worker (allowMultipleNodesPerWorker) need requests and limits",
                )


def _change_causes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Cause]:
    before, after = mapping(old.get("spec")), mapping(new.get("spec"))
    for key in _FROZEN:
        if (before.get(key) or None) != (after.get(key) or None):
            yield forbidden(f"spec.{key}", f"{key} cannot change once the datacenter exists")
    allowed = _annotations(new).get(Annotation.ALLOW_STORAGE_CHANGES) == "true"
    old_claim, new_claim = (
        mapping(at(spec, "storageConfig", "cassandraDataVolumeClaimSpec")) for spec in (before, after)
    )
    field = "spec.storageConfig.cassandraDataVolumeClaimSpec"
    yield from claim_causes(old_claim, new_claim, field, allowed=allowed)
    if before.get("size") != after.get("size"):
        for condition, doing in ((Condition.SCALING_UP, "up"), (Condition.SCALING_DOWN, "down")):
            if _holds(old, condition):
                yield forbidden(
                    "spec.size", f"size cannot change while the datacenter is still scaling {doing}"
                )
    yield from _rack_causes(before, after)


def _rack_causes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Cause]:
    old, new = _racks(before), _racks(after)
    old_size, new_size = integer(before.get("size")) or 0, integer(after.get("size")) or 0
    grown, added = new_size - old_size, len(new) - len(old)
    if added < 0:
        yield forbidden("spec.racks", f"racks cannot be removed: there are {len(old)} of them")
        return
    if added > 0 and grown <= 0:
        yield forbidden("spec.racks", "a rack can only be added together with nodes: increase size too")
    elif added > 0:
        least = split_racks(old_size, len(old))[-1] * added
        if grown < least:
            yield forbidden(
                "spec.size",
                f"nodes of the existing racks would have to move: {added} new racks need size to grow by "
                f"at least {least}, not by {grown}",
            )
    for index, was in enumerate(old):
        now = new[index]
        if text(was.get("name")) != text(now.get("name")):
            yield forbidden(
                f"spec.racks[{index}].name",
                f"racks can neither be renamed nor reordered: this one is {text(was.get('name'))!r}",
            )
        elif text(now.get("zone")) and text(was.get("zone")) != text(now.get("zone")):
            yield forbidden(f"spec.racks[{index}].zone", "the zone of a rack cannot change")


def _racks(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [mapping(rack) for rack in sequence(spec.get("racks"))] or [{"name": "default"}]


def _annotations(datacenter: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(at(datacenter, "metadata", "annotations"))


def _holds(datacenter: Mapping[str, Any], condition: str) -> bool:
    conditions = sequence(at(datacenter, "status", "conditions"))
    return any(
        mapping(each).get("type") == condition and mapping(each).get("status") == "True"
        for each in conditions
    )
