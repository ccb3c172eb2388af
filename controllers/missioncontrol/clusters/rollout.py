"""In which order nodes come: which size each plane may be asked for now.

Two nodes of one cluster must not join the ring at the same time, and no operator of a plane sees the others.
So this operator hands out growth: the first datacenter of the spec alone until it is initialised (two first
datacenters would be two clusters), then one datacenter after the other in the order of the spec. A datacenter
whose plane is away is passed over once the cluster is initialised, and caught up with later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controllers.missioncontrol.clusters.facts import Datacenter, DatacenterFacts, Snapshot
from controllers.missioncontrol.clusters.seeds import outside_seeds
from missioncontrol.api.names import Condition


@dataclass(frozen=True, slots=True)
class Rollout:
    """The sizes to ask for, by datacenter (absent: not to be made yet), and why others wait."""

    initialized: bool
    sizes: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    """By datacenter: what its growth waits for, a clause such as "dc1 has 2 of 3 nodes ready"."""


def initialized(snapshot: Snapshot) -> bool:
    """Whether any datacenter was ever initialised. Once true, the stored status remembers it."""
    remembered = snapshot.cluster.status.get("conditions") or ()
    if any(each.get("type") == Condition.INITIALIZED and each.get("status") == "True" for each in remembered):
        return True
    return any(
        facts.initialized for plane in snapshot.planes.values() for facts in plane.datacenters.values()
    )


def settled(facts: DatacenterFacts | None, asked: int | None) -> bool:
    """Whether a datacenter has all the nodes that were asked of its plane, and they are ready."""
    return (
        facts is not None
        and asked is not None
        and facts.initialized
        and facts.ready
        and facts.current
        and facts.size == asked
        and facts.ready_nodes >= asked
    )


def plan_rollout(snapshot: Snapshot) -> Rollout:
    """Who may grow now. Sizes never fall below what was asked for already."""
    cluster_initialized = initialized(snapshot)
    sizes: dict[str, int] = {}
    waiting: dict[str, str] = {}
    obstacle = "" if cluster_initialized else _first_obstacle(snapshot)
    joining = {each.name: _joining(snapshot, each) for each in snapshot.cluster.datacenters}
    for datacenter in snapshot.cluster.datacenters:
        asked = snapshot.asked(datacenter)
        if asked is not None:
            sizes[datacenter.name] = asked
        absence = snapshot.plane(datacenter.plane).absence()
        if absence:
            waiting[datacenter.name] = absence if cluster_initialized else (obstacle or absence)
            continue
        if asked is not None and asked >= datacenter.size:
            if not obstacle and not settled(snapshot.facts(datacenter), asked):
                obstacle = _progress(datacenter, snapshot.facts(datacenter), asked)
            continue
        elsewhere = next((text for name, text in joining.items() if text and name != datacenter.name), "")
        unsettled = asked is not None and not settled(snapshot.facts(datacenter), asked)
        own = _progress(datacenter, snapshot.facts(datacenter), asked) if unsettled and asked else ""
        why = obstacle or elsewhere or own or snapshot.disruption or _seedless(snapshot, datacenter)
        if why:
            waiting[datacenter.name] = why
        else:
            sizes[datacenter.name] = datacenter.size
        obstacle = obstacle or own or _progress(datacenter, snapshot.facts(datacenter), datacenter.size)
    return Rollout(cluster_initialized, sizes, waiting)


def _first_obstacle(snapshot: Snapshot) -> str:
    """Before anything is initialised nothing may begin without the first datacenter."""
    if not snapshot.cluster.datacenters:
        return ""
    first = snapshot.cluster.datacenters[0]
    absence = snapshot.plane(first.plane).absence()
    if not absence:
        return ""
    return f"{absence}, and the first datacenter {first.name} has to be initialised there before any other"


def _joining(snapshot: Snapshot, datacenter: Datacenter) -> str:
    """The clause that says that nodes of a reachable datacenter are still to join; empty otherwise."""
    asked = snapshot.asked(datacenter)
    if asked is None or snapshot.plane(datacenter.plane).absence():
        return ""
    facts = snapshot.facts(datacenter)
    if facts is not None and facts.initialized and facts.size >= asked and facts.joined_nodes >= asked:
        return ""
    return _progress(datacenter, facts, asked)


def _progress(datacenter: Datacenter, facts: DatacenterFacts | None, asked: int) -> str:
    ready = facts.ready_nodes if facts else 0
    if facts is not None and ready >= asked:
        return f"{datacenter.name} has all of its {asked} nodes ready, and its operator has not finished"
    return f"{datacenter.name} has {ready} of {asked} nodes ready"


def _seedless(snapshot: Snapshot, datacenter: Datacenter) -> str:
    """A new datacenter beside an existing ring needs a seed there, or it would begin a ring of its own."""
    if not initialized(snapshot) or snapshot.asked(datacenter) is not None:
        return ""
    local = snapshot.plane(datacenter.plane).datacenters.values()
    if any(facts.initialized for facts in local) or outside_seeds(snapshot, datacenter.plane):
        return ""
    return "no seed of the other datacenters is known yet"
