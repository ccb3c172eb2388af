"""A good cluster, and ways to spoil it."""

from __future__ import annotations

import copy
from typing import Any

CLAIM = {
    "storageClassName": "standard",
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "2Gi"}},
}
GOOD_SPEC: dict[str, Any] = {
    "cassandra": {
        "serverVersion": "5.0.4",
        "storageConfig": {"cassandraDataVolumeClaimSpec": CLAIM},
        "datacenters": [
            {
                "metadata": {"name": "dc1"},
                "k8sContext": "plane-1",
                "size": 3,
                "racks": [{"name": "r1"}, {"name": "r2"}, {"name": "r3"}],
            },
            {"metadata": {"name": "dc2"}, "k8sContext": "plane-2", "size": 3},
        ],
    }
}
PLANES = {"plane-1", "plane-2"}
C = "spec.k8ssandra.cassandra"
DC = f"{C}.datacenters"


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The body with a value at a dotted path; numbers are positions, `-` removes."""
    body = copy.deepcopy(body)
    at: Any = body
    *way, last = path.split(".")
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
    if isinstance(at, list):
        if value == "-":
            del at[int(last)]
        elif int(last) == len(at):
            at.append(value)
        else:
            at[int(last)] = value
    elif value == "-":
        del at[last]
    else:
        at[last] = value
    return body


def a_cluster(*changes: tuple[str, Any], name: str = "demo") -> dict[str, Any]:
    """A MissionControlCluster; paths of changes begin below spec.k8ssandra."""
    body: dict[str, Any] = {
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"k8ssandra": copy.deepcopy(GOOD_SPEC)},
    }
    for path, value in changes:
        body = changed(body, f"spec.k8ssandra.{path}", value)
    return body
