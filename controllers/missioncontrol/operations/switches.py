"""Stopping and starting datacenters: a field of the cluster's spec, and what the datacenter says of it.

No task carries these out: whoever changes the field by hand gets the same. So the state of such an operation
is read from the cluster and its Datacenters, and its next step is a change of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controllers.missioncontrol.clusters.facts import Cluster
from missioncontrol.api.names import Phase

TARGETS: Final[Mapping[str, tuple[bool, Phase]]] = {
    "DatacenterStop": (True, Phase.STOPPED),
    "DatacenterStart": (False, Phase.READY),
}
"""What `stopped` is to be, and the phase in which the datacenter then rests."""


@dataclass(frozen=True, slots=True)
class Switch:
    """How far one datacenter is."""

    asked: bool
    """Whether the spec says what the operation wants."""
    done: bool
    message: str = ""


def switches(kind: str, cluster: Cluster, stored: Sequence[Mapping[str, Any]]) -> dict[str, Switch]:
    """The state of every datacenter; ``stored`` are the Datacenter objects of the namespace."""
    if kind not in TARGETS:
        return {}
    wanted, phase = TARGETS[kind]
    told = {
        str(each["spec"].get("name")): each.get("status") or {}
        for each in stored
        if (each.get("spec") or {}).get("clusterName") == cluster.name
    }
    found = {}
    for datacenter in cluster.datacenters:
        status = told.get(datacenter.name, {})
        asked = datacenter.stopped is wanted
        # what was told of an older spec says nothing of this one
        current = int(status.get("observedGeneration") or 0) >= cluster.generation
        done = asked and current and status.get("phase") == phase
        found[datacenter.name] = Switch(asked, done, str(status.get("message") or ""))
    return found


def patch(kind: str, cluster: Cluster, datacenter: str) -> list[dict[str, Any]]:
    """The JSON patch of the cluster that asks for it; refused if the datacenters are others by now."""
    found = cluster.datacenter(datacenter)
    assert found is not None
    path = f"/spec/k8ssandra/cassandra/datacenters/{found.index}"
    return [
        {"op": "test", "path": f"{path}/metadata/name", "value": datacenter},
        {"op": "add", "path": f"{path}/stopped", "value": TARGETS[kind][0]},
    ]
