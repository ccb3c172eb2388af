"""Nodes that are given up with their disks, and new ones that take their place in the ring.

Their pods' names stand in `status.nodeReplacements`, from the moment at which somebody asked for it (in
`spec.replaceNodes`, or with a task) until the new node is a member. Whether a disk is still the old one
follows from its age: it is older than the condition ReplacingNodes. So a crash at any step neither deletes
the new disk nor starts a node on the old one.
"""

from __future__ import annotations

from datetime import datetime

from controllers.cassandra.actions import (
    Action,
    DeleteClaims,
    DeletePod,
    DrainNodes,
    Event,
    PatchSpec,
    Plan,
    RemovePod,
    Tell,
)
from controllers.cassandra.decide.refusals import is_true
from controllers.cassandra.state import Claim, Endpoint, PodState, RackSet, Snapshot
from missioncontrol.api.names import Condition, EventReason, pod_name

DRAIN_PAUSE = 30.0
LOST_PAUSE = 1.0
"""Seconds after which a pod whose machine is lost is looked at again: it may have come back meanwhile."""


def replaced(snapshot: Snapshot) -> list[str]:
    """The pods whose nodes are being replaced."""
    return list(snapshot.datacenter.status.node_replacements)


def accept(snapshot: Snapshot) -> Plan | None:
    """Take over what the spec asks for: first into the status, then out of the spec."""
    asked = snapshot.datacenter.spec.replace_nodes
    if not asked:
        return None
    wanted = {pod_name(live.name, n) for live in snapshot.racks.values() for n in range(live.replicas)}
    known = replaced(snapshot)
    new = [name for name in asked if name in wanted and name not in known]
    if new:
        conditions = {str(Condition.REPLACING_NODES): (True, "", "")}
        return Plan(
            f"{_list(new)} will be replaced",
            store=True,
            updating=True,
            conditions=conditions,
            status={"nodeReplacements": [*known, *new]},
        )
    unknown = [name for name in asked if name not in wanted]
    actions: list[Action] = [PatchSpec({"replaceNodes": None})]
    taken = [name for name in asked if name in wanted]
    if taken:
        note = f"Replacing Cassandra nodes for pods {', '.join(taken)}"
        actions.append(Tell(Event(EventReason.REPLACING_NODE, note)))
    if unknown:
        note = f"spec.replaceNodes: there is no pod {_list(unknown)}, so there is nothing to replace"
        actions.append(Tell(Event(EventReason.VALIDATION_FAILED, note, warning=True)))
    return Plan(f"replacing {_list(asked)}", tuple(actions), again=True, updating=True)


def proceed(snapshot: Snapshot) -> Plan | None:
    """Finish with those that are members again, and take the next one's old disk and pod away."""
    names = replaced(snapshot)
    if not names:
        return None
    finished = [name for name in names if _finished(snapshot, name)]
    if finished:
        reason = EventReason.FINISHED_REPLACE_NODE
        actions = tuple(Tell(Event(reason, f"Finished replacing pod {name}")) for name in finished)
        rest = [name for name in names if name not in finished]
        return Plan(f"{_list(finished)} is replaced", actions, store=True, status={"nodeReplacements": rest})
    # one node away at a time: what is down goes first, the next one when that is a member again
    ready = {pod.name for pod in snapshot.living if pod.ready}
    name = next((name for name in names if name not in ready), names[0])
    return None if is_fresh(snapshot, name) else _take_away(snapshot, name)


def is_fresh(snapshot: Snapshot, name: str) -> bool:
    """Whether the disks of a replaced node are new ones."""
    live = _rack(snapshot, name)
    since = _since(snapshot)
    claims = snapshot.claims_of(live, name) if live is not None else ()
    return bool(claims) and all(
        not claim.deleting and claim.created_at is not None and (since is None or claim.created_at >= since)
        for claim in claims
    )


def blocks(snapshot: Snapshot, pod: PodState) -> bool:
    """Whether a pod must not start: its node is given up, and it still has the old disk."""
    return pod.name in replaced(snapshot) and not is_fresh(snapshot, pod.name)


def predecessor(snapshot: Snapshot, pod: PodState) -> Endpoint | None:
    """The dead node whose place a pod takes, as the others see it; None when they do not know it any more."""
    known = (snapshot.datacenter.status.node_statuses or {}).get(pod.name)
    if known is None or not known.host_id:
        return None
    seen = (each for table in snapshot.observed.gossip.values() for each in table)
    return next((each for each in seen if each.host_id == known.host_id and each.status != "LEFT"), None)


# --- the parts ---------------------------------------------------------------------------------


def _finished(snapshot: Snapshot, name: str) -> bool:
    live = _rack(snapshot, name)
    if live is None or int(name.rpartition("-")[2]) >= live.replicas:
        return True
    pod = next((pod for pod in snapshot.living if pod.name == name), None)
    return pod is not None and pod.started and name in snapshot.observed.gossip and is_fresh(snapshot, name)


def _take_away(snapshot: Snapshot, name: str) -> Plan | None:
    live = _rack(snapshot, name)
    if live is None:
        return None
    pod = next((pod for pod in snapshot.pods if pod.name == name), None)
    if pod is not None and pod.machine.lost:
        old = tuple(claim for claim in snapshot.claims_of(live, name) if _is_old(snapshot, claim))
        claims = (DeleteClaims(old),) if old else ()
        sentence = f"replacing {name}, whose Kubernetes node {pod.machine_name} {pod.machine.value}"
        return Plan(sentence, (*claims, RemovePod(pod)), wait=LOST_PAUSE, updating=True)
    if pod is not None and snapshot.memory.drains.get(pod.incarnation) is False:
        return None
    if pod is not None and pod.ready:
        others = [each for each in snapshot.living if each.name not in (name, *replaced(snapshot))]
        if any(not each.started for each in others):
            # one node away at a time: what is down comes back first
            return None
        if pod.incarnation not in snapshot.memory.drains:
            drain = DrainNodes((pod,))
            return Plan(f"replacing {name}: it drains", (drain,), wait=DRAIN_PAUSE, updating=True)
    old = tuple(claim for claim in snapshot.claims_of(live, name) if _is_old(snapshot, claim))
    actions: list[Action] = [DeleteClaims(old)] if old else []
    if pod is not None and not old and _is_made_again(snapshot, pod):
        return _take_away_again(snapshot, live, pod)
    if pod is not None and not pod.deleting:
        actions.append(DeletePod(pod))
    if actions:
        return Plan(f"replacing {name}: its disk and its pod go", tuple(actions), again=True, updating=True)
    return None


def _take_away_again(snapshot: Snapshot, live: RackSet, pod: PodState) -> Plan | None:
    """A pod that was made since: if somebody made it before its disk went, it keeps that one there.

    Or the disk is gone, and what is seen of it is late: then it is the new pod, and not to go.
    """
    going = tuple(
        claim
        for claim in snapshot.claims_of(live, pod.name)
        if claim.deleting and _is_older(claim.created_at, _since(snapshot))
    )
    if not going or pod.deleting:
        return None
    sentence = f"replacing {pod.name}: its pod goes, if it still has the old disk"
    return Plan(sentence, (DeletePod(pod, uses=going),), wait=LOST_PAUSE, updating=True)


def _is_made_again(snapshot: Snapshot, pod: PodState) -> bool:
    """Whether a pod is not the one that was there when the replacement was asked for."""
    since = _since(snapshot)
    return since is not None and not _is_older(pod.created_at, since)


def _is_old(snapshot: Snapshot, claim: Claim) -> bool:
    return not claim.deleting and _is_older(claim.created_at, _since(snapshot))


def _is_older(made: datetime | None, since: datetime | None) -> bool:
    return made is not None and since is not None and made < since


def _rack(snapshot: Snapshot, name: str) -> RackSet | None:
    return snapshot.racks.get(name.rpartition("-")[0])


def _since(snapshot: Snapshot) -> datetime | None:
    if not is_true(snapshot.datacenter, Condition.REPLACING_NODES):
        return None
    conditions = snapshot.datacenter.status.conditions
    times = (each.last_transition_time for each in conditions if each.type == Condition.REPLACING_NODES)
    since = next(times, None)
    return datetime.fromisoformat(since) if since else None


def _list(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
