"""What may change in a K8ssandraClusterSpec after creation: everything but what nodes were born with.

A change that no database survives says so; one that nobody carries out yet is "not supported yet".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from missioncontrol.api.names import Annotation, split_racks
from missioncontrol.planning.scale import Refusal, spread
from missioncontrol.validation.causes import Cause, forbidden, not_supported_yet
from missioncontrol.validation.claims import claim_causes
from missioncontrol.validation.datacenters import DatacenterView, SpecView
from missioncontrol.validation.values import at, is_empty, mapping, sequence, text

# What the API server may fill in without anybody having changed anything.
_DEFAULTS: Final[dict[str, object]] = {
    "auth": True,
    "secretsProvider": "internal",
    "serverType": "cassandra",
}
# The datacenters have rules of their own; which others there are says who manages them
_FREE_OF_CLUSTER: Final = {"cassandra", "externalDatacenters"}
_FROZEN_OF_CLUSTER: Final = ("serverType", "superuserSecretRef")
_FROZEN_OF_DATACENTER: Final = ("datacenterName",)


def change_causes(
    old: SpecView, new: SpecView, *, rollout: bool = False, removable: bool = False
) -> list[Cause]:
    """Every rule about the difference between two versions of a spec.

    `rollout` is for the copy that a control plane writes into a data plane: it has judged the whole already,
    and hands out datacenters and sizes one by one. `removable` is whether datacenters can be taken out.
    """
    datacenters = _datacenter_changes(old, new, rollout=rollout, removable=removable)
    return [*_cluster_changes(old, new), *datacenters]


def _cluster_changes(old: SpecView, new: SpecView) -> Iterator[Cause]:
    if old.cluster_name != new.cluster_name:
        yield forbidden(
            f"{new.cassandra_field}.clusterName",
            f"the name of the cluster cannot change from {old.cluster_name!r}: all of its nodes carry it",
        )
    for key in sorted({*old.body, *new.body} - _FREE_OF_CLUSTER):
        yield from _unchanged(key, old.body.get(key), new.body.get(key), new.field)
    for key in _FROZEN_OF_CLUSTER:
        before, after = _said(key, old.cassandra.get(key)), _said(key, new.cassandra.get(key))
        if before != after:
            yield forbidden(f"{new.cassandra_field}.{key}", f"{key} cannot change once the cluster exists")


def _said(key: str, value: Any) -> Any:
    """A value with its absence and its default made one."""
    return _DEFAULTS.get(key) if is_empty(value) else value


def _unchanged(key: str, old: Any, new: Any, field: str) -> Iterator[Cause]:
    """A cause at the deepest path that differs, for values that differ in more than spelled-out absence."""
    path = f"{field}.{key}"
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in sorted({*old, *new}):
            yield from _unchanged(inner, old.get(inner), new.get(inner), path)
    elif _said(key, old) != _said(key, new):
        yield not_supported_yet(path, f"changing {key} after creation")


def _datacenter_changes(old: SpecView, new: SpecView, *, rollout: bool, removable: bool) -> Iterator[Cause]:
    before = {datacenter.name: datacenter for datacenter in old.datacenters}
    after = {datacenter.name: datacenter for datacenter in new.datacenters}
    removed = [name for name in before if name not in after]
    added = [datacenter for name, datacenter in after.items() if name not in before]
    field = f"{new.cassandra_field}.datacenters"
    if removed and added:
        names = ", ".join(removed)
        yield forbidden(
            f"{added[0].field}.metadata.name",
            f"datacenters cannot be renamed, nor added and removed at once: {names} would lose its data",
        )
        return
    for name in removed if not removable else ():
        yield not_supported_yet(field, f"removing a datacenter ({name})")
    for datacenter in added if not rollout else ():
        if datacenter.index < len(before):
            yield forbidden(
                datacenter.field,
                f"a datacenter that is added ({datacenter.name}) comes after those that are there: "
                "they are bootstrapped in this order",
            )
    if not removed and list(before) != [name for name in after if name in before]:
        yield not_supported_yet(field, "changing the order of the datacenters")
    for name, datacenter in after.items():
        if name in before:
            yield from _one_datacenter(before[name], datacenter, rollout=rollout)


def _one_datacenter(old: DatacenterView, new: DatacenterView, *, rollout: bool) -> Iterator[Cause]:
    if old.context != new.context:
        yield not_supported_yet(f"{new.field}.k8sContext", "moving a datacenter to another data plane")
    namespaces = [text(at(each.body, "metadata", "namespace")) for each in (old, new)]
    if namespaces[0] != namespaces[1]:
        yield not_supported_yet(f"{new.field}.metadata.namespace", "moving a datacenter to another namespace")
    for key in _FROZEN_OF_DATACENTER:
        if _said(key, old.body.get(key)) != _said(key, new.body.get(key)):
            yield forbidden(f"{new.field}.{key}", f"{key} cannot change once the datacenter exists")
    yield from _token_changes(old, new)
    yield from _storage_changes(old, new)
    yield from _rack_changes(old, new, rollout=rollout)
    yield from _size_change(old, new, rollout=rollout)


def _token_changes(old: DatacenterView, new: DatacenterView) -> Iterator[Cause]:
    was, now = old.num_tokens(), new.num_tokens()
    if was.value != now.value:
        yield forbidden(
            now.field, f"nodes keep the number of tokens that they joined with: {was.value}, not {now.value}"
        )


def _storage_changes(old: DatacenterView, new: DatacenterView) -> Iterator[Cause]:
    was = old.effective("storageConfig", "cassandraDataVolumeClaimSpec")
    now = new.effective("storageConfig", "cassandraDataVolumeClaimSpec")
    allowed = new.annotations().get(Annotation.ALLOW_STORAGE_CHANGES) == "true"
    yield from claim_causes(mapping(was.value), mapping(now.value), now.field, allowed=allowed)
    yield from _volume_changes(old, new, allowed=allowed)


def _volume_changes(old: DatacenterView, new: DatacenterView, *, allowed: bool) -> Iterator[Cause]:
    """Additional volumes with claims of their own: they come, go and grow where that is allowed."""
    field = new.effective("storageConfig", "additionalVolumes").field
    before, after = _claims(old), _claims(new)
    for name in sorted(before.keys() & after.keys()):
        index, claim = after[name]
        yield from claim_causes(
            before[name][1], claim, f"{field}[{index}].pvcSpec", allowed=allowed, what=f"volume {name}"
        )
    different = sorted(before.keys() ^ after.keys())
    if different and not allowed:
        yield forbidden(
            field,
            f"adding or removing a volume ({different[0]}) replaces every node; the annotation "
            f"{Annotation.ALLOW_STORAGE_CHANGES}=true of the datacenter allows it",
        )


def _claims(datacenter: DatacenterView) -> dict[str, tuple[int, Mapping[str, Any]]]:
    volumes = enumerate(
        map(mapping, sequence(datacenter.effective("storageConfig", "additionalVolumes").value))
    )
    return {
        text(each.get("name")): (index, mapping(each.get("pvcSpec")))
        for index, each in volumes
        if each.get("pvcSpec") is not None
    }


def _rack_changes(old: DatacenterView, new: DatacenterView, *, rollout: bool) -> Iterator[Cause]:
    field = new.racks.field
    before, after = old.rack_names, new.rack_names
    if len(after) < len(before):
        missing = ", ".join(name for name in before if name not in after) or "one"
        yield forbidden(field, f"racks cannot be removed: {missing} holds replicas of every row")
        return
    for index, name in enumerate(before):
        if after[index] != name:
            yield forbidden(
                f"{field}[{index}].name", f"racks can neither be renamed nor reordered: this one is {name!r}"
            )
            return
    added = len(after) - len(before)
    if added and not rollout and old.size is not None and new.size is not None:
        least = split_racks(old.size, len(before))[-1] * added
        if new.size - old.size < least:
            racks = "1 more rack needs" if added == 1 else f"{added} more racks need"
            nodes = "1 more node" if least == 1 else f"{least} more nodes"
            yield forbidden(
                f"{new.field}.size",
                f"{racks} at least {nodes}, as many as the others have: {old.size + least} in all",
            )


def _size_change(old: DatacenterView, new: DatacenterView, *, rollout: bool) -> Iterator[Cause]:
    if old.size is None or new.size is None or old.size == new.size or rollout:
        return
    outcome = spread({new.name: old.size}, {new.name: len(new.rack_names)}, new.size)
    if isinstance(outcome, Refusal):
        yield forbidden(f"{new.field}.size", outcome.message)
