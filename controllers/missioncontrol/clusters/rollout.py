"""In which order nodes come, go and change: what each plane may be asked for now.

Two nodes of one cluster must not join the ring at the same time, and no operator of a plane sees the others.
So this operator hands out sizes and changes: the first datacenter of the spec alone until it is initialised
(two first datacenters would be two clusters), then one datacenter, one plane after the other in the order of
the spec. A datacenter whose plane is away is passed over once the cluster is initialised, and caught up with
later. What mends a plane is never held by the trouble of that very plane.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from controllers.missioncontrol.clusters.facts import Datacenter, DatacenterFacts, Snapshot
from controllers.missioncontrol.clusters.seeds import outside_seeds
from controllers.missioncontrol.clusters.wishes import changed
from missioncontrol.api.names import Condition


@dataclass(frozen=True, slots=True)
class Rollout:
    """The sizes to ask for, by datacenter (absent: not to be made yet), and why others wait."""

    initialized: bool
    sizes: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    """By datacenter: what its size or its change waits for, a clause such as "dc1 has 2 of 3 nodes ready"."""
    held: Mapping[str, str] = field(default_factory=dict)
    """By plane: why it keeps the spec that it has, though another one is wanted."""
    released: Collection[str] = ()
    """The planes that get another spec now."""


def initialized(snapshot: Snapshot) -> bool:
    """Whether any datacenter was ever initialised. Once true, the stored status remembers it."""
    remembered = snapshot.cluster.status.get("conditions") or ()
    if any(each.get("type") == Condition.INITIALIZED and each.get("status") == "True" for each in remembered):
        return True
    return any(
        facts.initialized for plane in snapshot.planes.values() for facts in plane.datacenters.values()
    )


def settled(facts: DatacenterFacts | None, asked: int | None, *, stopped: bool = False) -> bool:
    """Whether a datacenter has all the nodes that were asked of its plane, and they are ready or stopped."""
    if facts is None or asked is None or not (facts.initialized and facts.current and facts.size == asked):
        return False
    if stopped:
        return facts.stopped and not facts.nodes
    return facts.ready and not facts.stopped and facts.ready_nodes >= asked >= len(facts.nodes)


def plan_rollout(snapshot: Snapshot) -> Rollout:
    """Who may change now."""
    turns = _Turns(snapshot)
    for datacenter in snapshot.cluster.datacenters:
        turns.take(datacenter)
    turns.untangle()
    return Rollout(turns.initialized, turns.sizes, turns.waiting, turns.held, turns.released)


class _Turns:
    """Datacenters one after the other; what is unfinished of one is the obstacle of those after it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.initialized = initialized(snapshot)
        self.sizes: dict[str, int] = {}
        self.waiting: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.released: set[str] = set()
        self._obstacle = "" if self.initialized else _first_obstacle(snapshot)

    def take(self, datacenter: Datacenter) -> None:
        """Decide on one datacenter, and with the first one of a plane on the change of that plane."""
        name, asked = datacenter.name, self.snapshot.asked(datacenter)
        if asked is not None:
            self.sizes[name] = asked
        absence = self.snapshot.plane(datacenter.plane).absence()
        if absence:
            self.waiting[name] = absence if self.initialized else (self._obstacle or absence)
            return
        if self._holds(datacenter.plane):
            self.waiting[name] = self.held[datacenter.plane]
            return
        unfinished = _unfinished(self.snapshot, datacenter, asked)
        if asked != datacenter.size:
            self._resize(datacenter, unfinished)
            unfinished = unfinished or _progress(self.snapshot, datacenter, datacenter.size)
        elif datacenter.plane in self.released:
            unfinished = unfinished or f"{name} is about to be changed"
        self._obstacle = self._obstacle or unfinished

    def untangle(self) -> None:
        """Planes in trouble that hold each other's cure: the first one of them gets it."""
        snapshot, cluster = self.snapshot, self.snapshot.cluster
        here = [each for each in cluster.datacenters if not snapshot.plane(each.plane).absence()]
        busy = {each.plane for each in here if _unfinished(snapshot, each, snapshot.asked(each))}
        busy |= {plane for plane in cluster.planes if snapshot.plane(plane).at_work()}
        if snapshot.disruption or self.released or not busy <= self.held.keys():
            return
        plane = next((each for each in cluster.planes if each in busy), None)
        if plane is None:
            return
        del self.held[plane]
        self.released.add(plane)
        for each in cluster.datacenters:
            if each.plane == plane:
                self.waiting.pop(each.name, None)

    def _holds(self, plane: str) -> bool:
        """Whether a plane has to keep what it has. Its own trouble is no reason: a change may be the cure."""
        if plane not in self.held and plane not in self.released and changed(self.snapshot, plane):
            why = self._obstacle or self._elsewhere(plane) or self.snapshot.disruption
            if why:
                self.held[plane] = why
            else:
                self.released.add(plane)
        return plane in self.held

    def _resize(self, datacenter: Datacenter, unfinished: str) -> None:
        snapshot = self.snapshot
        beside = (_moving(snapshot, each) for each in snapshot.cluster.datacenters if each is not datacenter)
        why = self._obstacle or next(filter(None, beside), "") or self._elsewhere(datacenter.plane)
        why = why or unfinished or snapshot.disruption or _seedless(snapshot, datacenter)
        if why:
            self.waiting[datacenter.name] = why
        else:
            self.sizes[datacenter.name] = datacenter.size

    def _elsewhere(self, plane: str) -> str:
        """What other planes are in the middle of."""
        snapshot = self.snapshot
        moving = (_moving(snapshot, each) for each in snapshot.cluster.datacenters if each.plane != plane)
        working = (facts.at_work() for name, facts in snapshot.planes.items() if name != plane)
        return next(filter(None, (*moving, *working)), "")


def _first_obstacle(snapshot: Snapshot) -> str:
    """Before anything is initialised nothing may begin without the first datacenter."""
    if not snapshot.cluster.datacenters:
        return ""
    first = snapshot.cluster.datacenters[0]
    absence = snapshot.plane(first.plane).absence()
    if not absence:
        return ""
    return f"{absence}, and the first datacenter {first.name} has to be initialised there before any other"


def _moving(snapshot: Snapshot, datacenter: Datacenter) -> str:
    """The clause that says that nodes of a reachable datacenter are to join or leave; empty otherwise."""
    asked = snapshot.asked(datacenter)
    if asked is None or snapshot.plane(datacenter.plane).absence() or snapshot.asked_to_stop(datacenter):
        return ""
    facts = snapshot.facts(datacenter)
    if facts is None or not facts.initialized or facts.joined_nodes < asked or facts.size < asked:
        return _progress(snapshot, datacenter, asked)
    leaving = max(facts.size, len(facts.nodes)) - asked
    return f"{datacenter.name} is giving up {_nodes(leaving)}" if leaving > 0 else ""


def _unfinished(snapshot: Snapshot, datacenter: Datacenter, asked: int | None) -> str:
    """The clause that says what its plane has not reached of what it was asked for; empty otherwise."""
    stopped = snapshot.asked_to_stop(datacenter)
    if asked is None or settled(snapshot.facts(datacenter), asked, stopped=stopped):
        return ""
    if stopped:
        return f"{datacenter.name} is being stopped"
    return _moving(snapshot, datacenter) or _progress(snapshot, datacenter, asked)


def _progress(snapshot: Snapshot, datacenter: Datacenter, asked: int) -> str:
    facts = snapshot.facts(datacenter)
    ready = facts.ready_nodes if facts else 0
    if facts is not None and ready >= asked:
        return f"{datacenter.name} has all of its {asked} nodes ready, and its operator has not finished"
    return f"{datacenter.name} has {ready} of {asked} nodes ready"


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"


def _seedless(snapshot: Snapshot, datacenter: Datacenter) -> str:
    """A new datacenter beside an existing ring needs a seed there, or it would begin a ring of its own."""
    if not initialized(snapshot) or snapshot.asked(datacenter) is not None:
        return ""
    local = snapshot.plane(datacenter.plane).datacenters.values()
    if any(facts.initialized for facts in local) or outside_seeds(snapshot, datacenter.plane):
        return ""
    return "no seed of the other datacenters is known yet"
