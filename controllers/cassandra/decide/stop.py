"""A stopped datacenter: its nodes drain and go, all at once; its volumes, Services and members stay.

What is a member when the datacenter stops is one when it is resumed: racks come back with as many pods as
they have members, so that a size that was lowered meanwhile takes nodes away as it always does.
"""

from __future__ import annotations

from controllers.cassandra.actions import DrainNodes, Event, Plan, ScaleRack, Tell
from controllers.cassandra.decide.racks import changed_racks
from controllers.cassandra.decide.refusals import is_true
from controllers.cassandra.state import PodState, Snapshot
from missioncontrol.api.names import Condition, EventReason, NodeState

Conditions = dict[str, tuple[bool, str, str]]

WAIT = 30.0
ENDED = (
    Condition.RESIZING_VOLUMES,
    Condition.REPLACING_NODES,
    Condition.UPDATING,
    Condition.ROLLING_RESTART,
    Condition.RESUMING,
    Condition.SCALING_DOWN,
    Condition.REQUIRES_UPDATE,
)
"""What is over when a datacenter has been stopped."""


def wants_stop(snapshot: Snapshot) -> bool:
    """Whether the nodes are to stop now. One that is leaving the ring may finish first."""
    return bool(snapshot.datacenter.spec.stopped) and not snapshot.leaving


def decide_stop(snapshot: Snapshot) -> Plan:
    """The next step of stopping, or of having stopped."""
    running = [live for live in snapshot.racks.values() if live.replicas]
    if running and not is_true(snapshot.datacenter, Condition.STOPPED):
        event = Event(EventReason.STOPPING_DATACENTER, "Stopping datacenter")
        sentence = "stopping the datacenter"
        conditions = _conditions(snapshot, sentence)
        return Plan(sentence, (Tell(event),), store=True, updating=True, conditions=conditions)
    if running:
        return _empty(snapshot)
    if snapshot.pods:
        sentence = f"stopping: waiting until {_count(len(snapshot.pods), 'pod')} are gone"
        return Plan(sentence, updating=True, wait=WAIT, conditions=_conditions(snapshot, sentence))
    changed = changed_racks(snapshot)
    if changed:
        sentence = "stopped; the racks get what the spec says"
        return Plan(sentence, tuple(changed), again=True, updating=True)
    return _stopped(snapshot)


def _empty(snapshot: Snapshot) -> Plan:
    drains = snapshot.memory.drains
    to_drain = tuple(pod for pod in snapshot.living if _runs(pod) and pod.incarnation not in drains)
    if to_drain:
        sentence = f"stopping: draining {_count(len(to_drain), 'node')}"
        return Plan(sentence, (DrainNodes(to_drain),), updating=True, wait=WAIT)
    busy = [pod.name for pod in snapshot.living if drains.get(pod.incarnation) is False]
    if busy:
        return Plan(f"stopping: {busy[0]} drains", updating=True, wait=WAIT)
    actions = tuple(
        ScaleRack(live.name, 0, live.resource_version) for live in snapshot.racks.values() if live.replicas
    )
    return Plan(f"stopping {_count(snapshot.replicas, 'node')}", actions, again=True, updating=True)


def _runs(pod: PodState) -> bool:
    return pod.running and pod.state in (NodeState.STARTED, NodeState.STARTED_NOT_READY)


def _stopped(snapshot: Snapshot) -> Plan:
    sentence = "stopped; the volumes are kept"
    conditions: Conditions = {str(kind): (False, "", "") for kind in ENDED}
    conditions |= _conditions(snapshot, sentence)
    conditions |= {str(Condition.VALID): (True, "", ""), str(Condition.INITIALIZED): (True, "", "")}
    return Plan(sentence, settled=True, conditions=conditions)


def _conditions(snapshot: Snapshot, sentence: str) -> Conditions:
    conditions: Conditions = {str(Condition.STOPPED): (True, "", sentence)}
    # one that was made as a stopped one was never ready, and says nothing of it
    if any(each.type == Condition.READY for each in snapshot.datacenter.status.conditions):
        conditions[str(Condition.READY)] = (False, "", sentence)
    return conditions


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
