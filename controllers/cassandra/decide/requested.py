"""The restart of all nodes that `spec.rollingRestartRequested` asks for once: one node after the other.

The moment of the request stands in the status; pods that are older are still to be restarted. A restart by a
CassandraTask does the same with more say, and is what upstream recommends.
"""

from __future__ import annotations

from datetime import datetime

from controllers.cassandra.actions import DeletePod, DrainNodes, Event, PatchSpec, Plan
from controllers.cassandra.decide.refusals import is_true
from controllers.cassandra.state import PodState, Snapshot
from missioncontrol.api.names import Condition, EventReason, NodeState

DRAIN_PAUSE = 30.0


def accept(snapshot: Snapshot, now: datetime) -> Plan | None:
    """Take over the request: first into the status, then out of the spec."""
    if not snapshot.datacenter.spec.rolling_restart_requested:
        return None
    if not is_true(snapshot.datacenter, Condition.ROLLING_RESTART):
        conditions = {str(Condition.ROLLING_RESTART): (True, "", "")}
        status = {"lastRollingRestart": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        sentence = "all nodes will be restarted"
        return Plan(sentence, store=True, updating=True, conditions=conditions, status=status)
    return Plan(
        "restarting all nodes", (PatchSpec({"rollingRestartRequested": None}),), again=True, updating=True
    )


def remaining(snapshot: Snapshot) -> list[PodState]:
    """The pods that are still to be restarted, in the order of the racks, the highest ordinal first."""
    last = snapshot.datacenter.status.last_rolling_restart
    if not last or not is_true(snapshot.datacenter, Condition.ROLLING_RESTART):
        return []
    moment = datetime.fromisoformat(last)
    return [
        pod
        for rack in snapshot.datacenter.plan
        for pod in reversed(snapshot.of_rack(rack.statefulset))
        if pod.created_at is not None and pod.created_at < moment
    ]


def going(snapshot: Snapshot) -> Plan | None:
    """See to the end of a restart that has begun: a node that drained, or does not serve, gets a new pod."""
    for pod in remaining(snapshot):
        drained = snapshot.memory.drains.get(pod.incarnation)
        if drained is False:
            continue
        if drained or pod.state is NodeState.STARTED_NOT_READY:
            event = Event(EventReason.RESTARTING_CASSANDRA, f"Restarting Cassandra for pod {pod.name}")
            return Plan(f"restarting {pod.name}", (DeletePod(pod, event),), again=True, updating=True)
    return None


def following(snapshot: Snapshot) -> Plan | None:
    """Begin with the next node. To be asked only when the whole datacenter was just seen to be healthy."""
    pods = remaining(snapshot)
    if not pods:
        return None
    sentence = f"restarting {pods[0].name}: it drains; {len(pods) - 1} are to follow"
    return Plan(sentence, (DrainNodes((pods[0],)),), wait=DRAIN_PAUSE, updating=True)
