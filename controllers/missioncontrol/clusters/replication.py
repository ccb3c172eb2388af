"""Who owns the system keyspaces, and the replication that it is to give them.

Operators of planes see only their own datacenters and would each replicate the system keyspaces to those
alone. So exactly one K8ssandraCluster, that of the plane of the first datacenter, carries the map of the
whole cluster; a datacenter enters it when its nodes have joined, for Cassandra refuses to replicate to a
datacenter that it does not know.
"""

from __future__ import annotations

import json
from typing import Final

from controllers.missioncontrol.clusters.facts import Datacenter, Snapshot
from controllers.missioncontrol.clusters.rollout import settled
from missioncontrol.api.names import Annotation

MAX_REPLICATION_FACTOR: Final = 3


def owner_plane(snapshot: Snapshot) -> str:
    """The plane whose K8ssandraCluster owns the system keyspaces."""
    datacenters = snapshot.cluster.datacenters
    return datacenters[0].plane if datacenters else ""


def system_replication(snapshot: Snapshot) -> dict[str, int]:
    """Replication factors by datacenter. They grow over nodes that joined, and fall before one leaves."""
    cluster = snapshot.cluster
    if not cluster.datacenters:
        return {}
    factors = _published(snapshot)
    first = cluster.datacenters[0]
    factors.setdefault(ring_name(first), min(MAX_REPLICATION_FACTOR, first.size))
    for datacenter in cluster.datacenters:
        name = ring_name(datacenter)
        asked = snapshot.asked(datacenter)
        stopped = snapshot.asked_to_stop(datacenter)
        if asked and settled(snapshot.facts(datacenter), asked, stopped=stopped):
            factors[name] = max(factors.get(name, 0), min(MAX_REPLICATION_FACTOR, asked))
        if name in factors:
            factors[name] = min(factors[name], datacenter.size)
    ours = {ring_name(each) for each in cluster.datacenters}
    return {name: factor for name, factor in factors.items() if name in ours} | dict.fromkeys(
        cluster.external_datacenters, MAX_REPLICATION_FACTOR
    )


def replication_annotation(factors: dict[str, int]) -> str:
    """The value of the annotation: compact and sorted, so that the same map is the same text."""
    return json.dumps(factors, sort_keys=True, separators=(",", ":"))


def _published(snapshot: Snapshot) -> dict[str, int]:
    placed = snapshot.plane(owner_plane(snapshot)).placed
    if placed is None or not snapshot.cluster.owner.owns(placed.labels):
        return {}
    try:
        value = json.loads(placed.annotations.get(Annotation.INITIAL_SYSTEM_REPLICATION, "{}"))
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {str(name): factor for name, factor in value.items() if isinstance(factor, int)}


def ring_name(datacenter: Datacenter) -> str:
    """The name of a datacenter inside Cassandra."""
    return str(datacenter.body.get("datacenterName") or datacenter.name)
