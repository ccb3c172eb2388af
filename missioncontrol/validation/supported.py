"""Which fields of the full upstream schema this release carries out.

The schema of K8ssandraClusterSpec is upstream's whole one, so that manifests need no editing later; a field
that nothing here acts upon is refused by its path instead of being ignored. Values that mean the same as
absence (empty objects, a default spelled out) pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from missioncontrol.validation.causes import Cause, forbidden, not_supported_yet
from missioncontrol.validation.values import is_empty


@dataclass(frozen=True, slots=True)
class _Any:
    """Whatever the schema allows below this field is supported."""


@dataclass(frozen=True, slots=True)
class _Only:
    """The one value that is the default anyway."""

    value: object


@dataclass(frozen=True, slots=True)
class _Each:
    """A list whose items follow one tree."""

    item: dict[str, Any]


ANY: Final = _Any()
_METADATA: Final = {
    "name": ANY,
    "namespace": ANY,
    "labels": ANY,
    "annotations": ANY,
    "commonLabels": ANY,
    "commonAnnotations": ANY,
    "pods": ANY,
    "services": ANY,
}
_OPTIONS: Final[dict[str, Any]] = {
    "serverVersion": ANY,
    "serverImage": ANY,
    "config": {"cassandraYaml": ANY, "jvmOptions": ANY, "dseYaml": ANY},
    "storageConfig": ANY,
    "resources": ANY,
    "racks": ANY,
    "tolerations": ANY,
    "managementApiAuth": ANY,
    "networking": ANY,
    "softPodAntiAffinity": ANY,
    "mgmtAPIHeap": ANY,
    "containers": ANY,
    "initContainers": ANY,
    "extraVolumes": ANY,
    "dseWorkloads": ANY,
    "podSecurityContext": ANY,
    "podPriorityClassName": ANY,
    "serviceAccount": ANY,
    "readOnlyRootFilesystem": ANY,
    "telemetry": ANY,
    "perNodeConfigInitContainerImage": ANY,
    "rebuild": ANY,
    # without effect upstream as well
    "jmxInitContainerImage": ANY,
    "metadata": _METADATA,
}
# These count in a datacenter only, upstream as well; there a cluster's own are ignored
_OF_DATACENTERS: Final = {"cdc": ANY, "datacenterName": ANY, "perNodeConfigMapRef": ANY}
_DATACENTER: Final[dict[str, Any]] = {
    **_OPTIONS,
    **_OF_DATACENTERS,
    "size": ANY,
    "k8sContext": ANY,
    "stopped": ANY,
}
_CASSANDRA: Final[dict[str, Any]] = {
    **_OPTIONS,
    "clusterName": ANY,
    "serverType": ANY,
    "superuserSecretRef": ANY,
    "additionalSeeds": ANY,
    "serverEncryptionStores": ANY,
    "clientEncryptionStores": ANY,
    "datacenters": _Each(_DATACENTER),
}
_CLUSTER: Final[dict[str, Any]] = {
    "auth": ANY,
    "secretsProvider": ANY,
    "externalDatacenters": ANY,
    "cassandra": _CASSANDRA,
}
_DISABLED: Final = {"enabled": _Only(False)}

MISSION_CONTROL_CLUSTER: Final[dict[str, Any]] = {
    "createIssuer": _Only(False),
    "prefixDcs": _Only(False),
    "dataApi": _DISABLED,
    "encryption": {"internodeEncryption": _DISABLED, "managementApiAuthEncryption": _DISABLED},
    "k8ssandra": _CLUSTER,
}
K8SSANDRA_CLUSTER: Final = _CLUSTER


def unsupported_fields(value: Any, tree: Any, field: str) -> Iterator[Cause]:
    """A cause for each field that is set and not in the tree, at the topmost path that is to be removed."""
    match tree:
        case _Any():
            return
        case _Only(value=default):
            if value != default and not is_empty(value):
                yield not_supported_yet(field)
        case _Each(item=item):
            for index, each in enumerate(value if isinstance(value, list) else []):
                yield from unsupported_fields(each, item, f"{field}[{index}]")
        case dict():
            for key, inner in value.items() if isinstance(value, dict) else ():
                if key in tree:
                    yield from unsupported_fields(inner, tree[key], f"{field}.{key}")
                elif not is_empty(inner) and tree is _CASSANDRA and key in _OF_DATACENTERS:
                    yield forbidden(f"{field}.{key}", f"{key} belongs to a single datacenter: set it there")
                elif not is_empty(inner):
                    yield not_supported_yet(f"{field}.{key}")
