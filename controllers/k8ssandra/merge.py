"""How the options of a whole cluster and those of one datacenter become one: the datacenter wins.

Objects merge member by member, lists of named things merge by name, every other list and every value is
taken from the datacenter where it gives one. A few objects are values of their own and never mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

OPTION_FIELDS: Final = (
    "serverVersion",
    "serverImage",
    "config",
    "storageConfig",
    "resources",
    "racks",
    "tolerations",
    "managementApiAuth",
    "networking",
    "softPodAntiAffinity",
    "mgmtAPIHeap",
    "containers",
    "initContainers",
    "extraVolumes",
    "dseWorkloads",
    "podSecurityContext",
    "podPriorityClassName",
    "serviceAccount",
    "readOnlyRootFilesystem",
    "telemetry",
    "rebuild",
    "perNodeConfigInitContainerImage",
)

# The member that identifies an item, for the lists that merge item by item.
_IDENTITIES: Final = {
    "racks": "name",
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "pvcs": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
_ATOMIC: Final = frozenset({"volumeSource", "valueFrom"})
# Items of which only one member beside the name may be set: the datacenter's.
_CHOICES: Final = frozenset({"env", "volumes"})


def coalesce(cluster: Mapping[str, Any], datacenter: Mapping[str, Any]) -> dict[str, Any]:
    """The options that apply to one datacenter."""
    return {
        field: value
        for field in OPTION_FIELDS
        if (value := _merge(field, cluster.get(field), datacenter.get(field))) is not None
    }


def merge_maps(*layers: Mapping[str, Any] | None) -> dict[str, Any]:
    """Flat maps such as labels: later layers win."""
    return {key: value for layer in layers for key, value in (layer or {}).items()}


def _merge(key: str, base: Any, override: Any) -> Any:
    if override is None or (override == "" and base is not None):
        return base
    if base is None:
        return override
    if isinstance(base, dict) and isinstance(override, dict) and key not in _ATOMIC:
        return {
            member: _merge(member, base.get(member), override.get(member))
            for member in (*base, *(override.keys() - base.keys()))
        }
    if isinstance(base, list) and isinstance(override, list) and key in _IDENTITIES:
        return _merge_items(key, base, override)
    if isinstance(override, list | dict) and not override:
        return base
    return override


def _merge_items(key: str, base: Sequence[Any], override: Sequence[Any]) -> list[Any]:
    """The cluster's items in their order, each overridden by its namesake, then the datacenter's own."""
    identity = _IDENTITIES[key]
    own = {item.get(identity): item for item in override}
    merged = [
        _merge_item(key, item, own.pop(item.get(identity))) if item.get(identity) in own else item
        for item in base
    ]
    return [*merged, *own.values()]


def _merge_item(key: str, base: Mapping[str, Any], override: Mapping[str, Any]) -> Any:
    if key in _CHOICES and len(override) > 1:
        return override
    return _merge("item", base, override)
