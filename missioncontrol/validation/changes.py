"""What may change in a K8ssandraClusterSpec after creation: sizes upward and tags; nothing else yet.

A change that upstream forbids for good says so; one that nobody carries out yet is "not supported yet".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from missioncontrol.planning.scale import Refusal, spread
from missioncontrol.validation.causes import Cause, forbidden, not_supported_yet
from missioncontrol.validation.datacenters import DatacenterView, SpecView
from missioncontrol.validation.values import at, is_empty, mapping, sequence, text

FREE: Final = frozenset({"metadata", "additionalSeeds"})
_JUDGED_APART: Final = frozenset({"clusterName", "datacenters", "size", "racks", "k8sContext"})
# What the API server may fill in without anybody having changed anything.
_DEFAULTS: Final[dict[str, object]] = {
    "auth": True,
    "secretsProvider": "internal",
    "serverType": "cassandra",
    "stopped": False,
}


def change_causes(old: SpecView, new: SpecView, *, rollout: bool = False) -> list[Cause]:
    """Every rule about the difference between two versions of a spec.

    `rollout` is for the copy that a control plane writes into a data plane: it has judged the whole already,
    and hands out datacenters and growth one by one.
    """
    return [*_cluster_changes(old, new), *_datacenter_changes(old, new, rollout=rollout)]


def _cluster_changes(old: SpecView, new: SpecView) -> Iterator[Cause]:
    if old.cluster_name != new.cluster_name:
        yield forbidden(
            f"{new.cassandra_field}.clusterName",
            f"the name of the cluster cannot change from {old.cluster_name!r}: all of its nodes carry it",
        )
    for key in sorted({*old.body, *new.body} - {"cassandra"}):
        yield from _frozen(key, old.body.get(key), new.body.get(key), new.field)
    keys = {*old.cassandra, *new.cassandra} - FREE - _JUDGED_APART
    for key in sorted(keys):
        yield from _frozen(key, old.cassandra.get(key), new.cassandra.get(key), new.cassandra_field)


def _frozen(key: str, old: Any, new: Any, field: str) -> Iterator[Cause]:
    """A cause at the deepest path that differs, for values that differ in more than spelled-out absence."""
    path = f"{field}.{key}"
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in sorted({*old, *new}):
            yield from _frozen(inner, old.get(inner), new.get(inner), path)
        return
    default = _DEFAULTS.get(key)
    before = default if is_empty(old) else old
    after = default if is_empty(new) else new
    if before != after and not (is_empty(before) and is_empty(after)):
        yield not_supported_yet(path, f"changing {key} after creation")


def _datacenter_changes(old: SpecView, new: SpecView, *, rollout: bool) -> Iterator[Cause]:
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
    for name in removed:
        yield not_supported_yet(field, f"removing a datacenter ({name})")
    for datacenter in added if not rollout else ():
        yield not_supported_yet(datacenter.field, f"adding a datacenter ({datacenter.name})")
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
    for key in sorted({*old.body, *new.body} - FREE - _JUDGED_APART):
        yield from _frozen(key, old.body.get(key), new.body.get(key), new.field)
    yield from _rack_changes(old, new)
    yield from _size_change(old, new, rollout=rollout)


def _rack_changes(old: DatacenterView, new: DatacenterView) -> Iterator[Cause]:
    field = new.racks.field
    before, after = old.rack_names, new.rack_names
    if len(after) < len(before):
        missing = ", ".join(name for name in before if name not in after) or "one"
        yield not_supported_yet(field, f"removing a rack ({missing})")
        return
    for index, name in enumerate(before):
        if after[index] != name:
            yield forbidden(
                f"{field}[{index}].name", f"racks can neither be renamed nor reordered: this one is {name!r}"
            )
            return
    if len(after) > len(before):
        yield not_supported_yet(f"{field}[{len(before)}]", f"adding a rack ({after[len(before)]})")
        return
    old_racks, new_racks = sequence(old.racks.value), sequence(new.racks.value)
    for index, (was, now) in enumerate(zip(old_racks, new_racks, strict=False)):
        for key in sorted({*mapping(was), *mapping(now)} - {"name"}):
            yield from _frozen(key, mapping(was).get(key), mapping(now).get(key), f"{field}[{index}]")


def _size_change(old: DatacenterView, new: DatacenterView, *, rollout: bool) -> Iterator[Cause]:
    if old.size is None or new.size is None or old.size == new.size:
        return
    field = f"{new.field}.size"
    if new.size < old.size:
        yield not_supported_yet(field, f"shrinking a datacenter (from {old.size} to {new.size} nodes)")
        return
    if rollout:
        return
    outcome = spread({new.name: old.size}, {new.name: len(new.rack_names)}, new.size)
    if isinstance(outcome, Refusal):
        yield forbidden(field, outcome.message)
