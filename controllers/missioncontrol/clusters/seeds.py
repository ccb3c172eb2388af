"""The seeds that a plane is told of: those of the same cluster in the other planes."""

from __future__ import annotations

from controllers.missioncontrol.clusters.facts import Snapshot


def outside_seeds(snapshot: Snapshot, plane: str) -> tuple[str, ...]:
    """The addresses of all seed nodes outside a plane, sorted.

    Addresses are dropped only on knowledge: while a plane has not been read since this process began, what
    was told before stays, or else what the stored status remembers of its nodes.
    """
    others = [name for name in snapshot.cluster.planes if name != plane]
    found: set[str] = set()
    unknown = False
    for other in others:
        facts = snapshot.plane(other)
        if not facts.known:
            unknown = True
            found.update(snapshot.remembered_seeds.get(other, ()))
            continue
        for datacenter in facts.datacenters.values():
            found.update(node.ip for node in datacenter.nodes if node.seed and node.ip)
    placed = snapshot.plane(plane).placed
    if unknown and placed is not None:
        found.update(placed.seeds())
    own = {node.ip for facts in snapshot.plane(plane).datacenters.values() for node in facts.nodes if node.ip}
    return tuple(sorted(found - own))
