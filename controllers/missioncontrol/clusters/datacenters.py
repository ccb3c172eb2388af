"""What is told of one datacenter: its phase, its conditions and nodes, in the cluster's status and its own.

While its plane is away the last known values stay, and a condition says that they are old.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controllers.missioncontrol.clusters.facts import Datacenter, DatacenterFacts, Node, PlaneFacts, Snapshot
from controllers.missioncontrol.clusters.rollout import Rollout, settled
from controllers.missioncontrol.conditions import Verdict
from missioncontrol.api.names import Condition, Label, Phase, Reason, clean_label_value


@dataclass(frozen=True, slots=True)
class View:
    """One datacenter as it is told."""

    datacenter: Datacenter
    phase: Phase
    reason: Reason
    message: str
    ready: bool | None
    facts: DatacenterFacts | None
    """None: nothing was ever read of it by this process; what is stored stays."""
    absent: bool
    """Whether nothing can be done in its plane now."""
    granted: bool = False
    """Whether its plane may be asked for it."""

    def verdicts(self) -> tuple[Verdict, ...]:
        """The conditions of the datacenter."""
        plane = self.datacenter.plane
        reach = (
            Verdict(Condition.REACHABLE, True, Reason.CONNECTED, f"the data plane {plane} answers")
            if not self.absent
            else Verdict(Condition.REACHABLE, False, self.reason, self.message)
        )
        verdicts = (Verdict(Condition.READY, self.ready, self.reason, self.message), reach)
        if not self.granted:
            return verdicts
        # never taken back: it says where a deletion has to look
        placed = Verdict(
            Condition.PLACED, True, Reason.AS_EXPECTED, f"the data plane {plane} is asked for it"
        )
        return (*verdicts, placed)

    def ready_replicas(self, before: Mapping[str, Any]) -> int:
        """Nodes that serve requests, or did when the plane was last seen."""
        if self.facts is None and self.absent:
            return int(before.get("readyReplicas") or 0)
        return self.facts.ready_nodes if self.facts else 0


def view(snapshot: Snapshot, rollout: Rollout, datacenter: Datacenter) -> View:
    """What there is to tell of a datacenter, the most serious first."""
    plane = snapshot.plane(datacenter.plane)
    facts = snapshot.facts(datacenter)
    absence = plane.absence()
    known = facts if facts is not None or plane.known else None
    if absence:
        reason = _absence_reason(plane)
        ever = facts is not None or not rollout.initialized or snapshot.asked(datacenter) is not None
        tail = "; what is shown is what was last known" if ever and rollout.initialized else ""
        waits = rollout.waiting.get(datacenter.name, absence) if not rollout.initialized else absence
        phase = Phase.DEGRADED if rollout.initialized else Phase.PENDING
        return View(datacenter, phase, reason, waits + tail, None, known, absent=True)
    phase, why, message = _reachable(snapshot, rollout, datacenter, facts)
    granted = datacenter.name in rollout.sizes
    error = (
        f"; its plane's operator says: {plane.placed.error}" if plane.placed and plane.placed.error else ""
    )
    if facts is not None and facts.complaint and facts.complaint not in error:
        error += f"; its operator says: {facts.complaint}"
    return View(
        datacenter, phase, why, message + error, phase is Phase.READY, facts, absent=False, granted=granted
    )


def _absence_reason(plane: PlaneFacts) -> Reason:
    if not plane.registered:
        return Reason.DATA_PLANE_UNKNOWN
    return plane.trouble_reason if plane.trouble else Reason.DATA_PLANE_AWAY


def _reachable(
    snapshot: Snapshot, rollout: Rollout, datacenter: Datacenter, facts: DatacenterFacts | None
) -> tuple[Phase, Reason, str]:
    asked = snapshot.asked(datacenter)
    waits = rollout.waiting.get(datacenter.name)
    if asked is None:
        text = f"waits: {waits}" if waits else "is about to be asked of its data plane"
        return Phase.PENDING, Reason.WAITING, text
    placed = snapshot.plane(datacenter.plane).placed
    if facts is None:
        why = f": {placed.waiting}" if placed is not None and placed.waiting else ""
        text = f"its plane's operators have not made it yet{why}"
        return Phase.BOOTSTRAPPING, Reason.BOOTSTRAPPING, text
    if datacenter.plane in rollout.held:
        return Phase.UPDATING, Reason.WAITING, f"waits with a change of the spec: {waits}"
    counts = f"{facts.ready_nodes} of {asked} nodes are ready"
    begins = datacenter.plane in rollout.released or (placed is not None and not placed.seen)
    if facts.initialized and begins:
        return Phase.UPDATING, Reason.UPDATING, f"a change begins, {counts}"
    wanted = f", {datacenter.size} are wanted{f': waits: {waits}' if waits else ''}"
    size = "" if asked == datacenter.size else wanted
    if snapshot.asked_to_stop(datacenter):
        return _stopping(facts, asked, size)
    seen = _running(facts, asked, counts, size)
    rest = _rest(snapshot, datacenter)
    return (Phase.UPDATING, Reason.UPDATING, f"{counts}; {rest}") if seen[0] is Phase.READY and rest else seen


def _rest(snapshot: Snapshot, datacenter: Datacenter) -> str:
    """What the plane still waits for when all of its datacenters run, such as data for a new one."""
    plane = snapshot.plane(datacenter.plane)
    if plane.placed is None or plane.placed.done:
        return ""
    at_rest = all(facts.current and (facts.ready or facts.stopped) for facts in plane.datacenters.values())
    return plane.placed.waiting if at_rest and len(plane.datacenters) == len(plane.placed.sizes()) else ""


def _stopping(facts: DatacenterFacts, asked: int, size: str) -> tuple[Phase, Reason, str]:
    if not settled(facts, asked, stopped=True):
        return Phase.UPDATING, Reason.UPDATING, f"is being stopped, {len(facts.nodes)} of its nodes are there"
    return Phase.STOPPED, Reason.STOPPED, f"is stopped on purpose, its volumes are kept{size}"


def _running(facts: DatacenterFacts, asked: int, counts: str, size: str) -> tuple[Phase, Reason, str]:
    if not facts.initialized:
        return Phase.BOOTSTRAPPING, Reason.BOOTSTRAPPING, counts
    if facts.joined_nodes < asked or facts.size < asked:
        joined = min(facts.joined_nodes, asked)
        return Phase.UPDATING, Reason.SCALING, f"{joined} of {asked} nodes have joined, {counts}"
    leaving = max(facts.size, len(facts.nodes)) - asked
    if leaving > 0:
        return Phase.UPDATING, Reason.SCALING, f"{leaving} of {asked + leaving} nodes are to leave, {counts}"
    if facts.ready_nodes < asked:
        names = ", ".join(node.name for node in facts.nodes if not node.ready)
        phase = Phase.DEGRADED if facts.current else Phase.UPDATING
        text = f"{counts}; not ready: {names or 'pods that do not exist yet'}"
        return phase, Reason.NODES_NOT_READY, f"{text}; {facts.lack}" if facts.lack else text
    if not settled(facts, asked):
        return Phase.UPDATING, Reason.UPDATING, f"{counts}, its operator is at work"
    if size:
        return Phase.UPDATING, Reason.SCALING, f"{counts}{size}"
    return Phase.READY, Reason.AS_EXPECTED, f"{counts}"


def datacenter_spec(snapshot: Snapshot, datacenter: Datacenter) -> dict[str, Any]:
    """The spec of the Datacenter object."""
    sizes = datacenter.rack_sizes()
    return {
        "clusterName": snapshot.cluster.name,
        "name": datacenter.name,
        "dataPlane": datacenter.plane,
        "size": datacenter.size,
        **({"stopped": True} if datacenter.stopped else {}),
        "racks": [{"name": rack, "size": size} for rack, size in zip(datacenter.racks, sizes, strict=True)],
    }


def datacenter_status(snapshot: Snapshot, seen: View, before: Mapping[str, Any]) -> dict[str, Any]:
    """The status of the Datacenter object, without conditions; ``before`` is what is stored."""
    cluster, datacenter = snapshot.cluster, seen.datacenter
    status: dict[str, Any] = {
        "phase": str(seen.phase),
        "message": seen.message,
        "selector": f"{cluster.pod_selector},{Label.DATACENTER}={clean_label_value(datacenter.name)}",
        "observedGeneration": cluster.generation,
        "readyReplicas": seen.ready_replicas(before),
    }
    if seen.facts is None and seen.absent:
        kept = ("replicas", "version", "nodes")
        return {**status, **{key: before[key] for key in kept if key in before}}
    nodes = seen.facts.nodes if seen.facts else ()
    version = (seen.facts.version if seen.facts else "") or datacenter.version
    return {
        **status,
        "replicas": len(nodes),
        "nodes": [_node(node, datacenter.plane) for node in nodes],
        **({"version": version} if version else {}),
    }


def _node(node: Node, plane: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": node.name,
        "rack": node.rack,
        "dataPlane": plane,
        "hostID": node.host_id,
        "ip": node.ip,
        "state": node.state,
        "ready": node.ready,
        "startedAt": node.started_at,
    }
    return {key: value for key, value in told.items() if value not in ("", None)}
