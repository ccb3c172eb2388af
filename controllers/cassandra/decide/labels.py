"""The labels of the pods: what state each node is in, and which nodes are seeds.

A label says what was proved, not what was hoped for: a node is Started when it is ready, and it goes back to
Ready-to-Start when its management API says that no Cassandra process runs (a container that was restarted).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from controllers.cassandra.actions import Action, DeletePod, Event, LabelPod, ReloadSeeds
from controllers.cassandra.state import PodState, Process, Snapshot, StartCall
from missioncontrol.api.names import EventReason, Label, LabelValue, NodeState

STUCK_AFTER = timedelta(minutes=10)


def next_state(snapshot: Snapshot, pod: PodState) -> NodeState:
    """The state that a pod's label should show."""
    process = snapshot.observed.processes.get(pod.name)
    match pod.state:
        case NodeState.DECOMMISSIONING:
            # it ended in the middle of it: it has to run before it can leave
            return NodeState.READY_TO_START if not pod.ready and _ended(pod, process) else pod.state
        case _ if pod.ready:
            return NodeState.STARTED
        case NodeState.STARTED | NodeState.STARTED_NOT_READY:
            return NodeState.READY_TO_START if _ended(pod, process) else NodeState.STARTED_NOT_READY
        case NodeState.READY_TO_START if process is Process.RUNNING:
            return NodeState.STARTING
        case state:
            return state


def _ended(pod: PodState, process: Process | None) -> bool:
    """Whether a node that ran does not run any more; where the API cannot say, by the container's history."""
    unknown = process is Process.UNKNOWN and pod.crashed
    return pod.running and (process is Process.STOPPED or unknown)


def label_actions(snapshot: Snapshot) -> list[Action]:
    """Labels to change, one patch for each pod, and whom to tell of new seeds."""
    actions: list[Action] = []
    seeds = wanted_seeds(snapshot)
    for pod in snapshot.living:
        labels: dict[str, str | None] = {}
        events: list[Event] = []
        state = next_state(snapshot, pod)
        if state is not pod.state or not pod.labelled:
            labels[Label.NODE_STATE] = state.value
            if state is NodeState.STARTED and pod.state is NodeState.STARTING:
                events.append(Event(EventReason.STARTED_CASSANDRA, f"Started Cassandra for pod {pod.name}"))
        if (pod.name in seeds) is not pod.seed:
            labels[Label.SEED_NODE] = LabelValue.TRUE if pod.name in seeds else None
            events.append(_seed_event(pod, seed=pod.name in seeds))
        if labels:
            actions.append(LabelPod(pod, labels, tuple(events)))
    return actions


def wanted_seeds(snapshot: Snapshot) -> frozenset[str]:
    """The first ready pods of each rack; one that is starting keeps what it has until it is ready."""
    found: set[str] = set()
    for rack in snapshot.datacenter.plan:
        stays = (pod for pod in snapshot.of_rack(rack.statefulset) if pod not in snapshot.leaving)
        pods = sorted(stays, key=lambda pod: pod.name)
        found.update([pod.name for pod in pods if pod.ready][: rack.seeds])
        found.update(
            pod.name for pod in pods if pod.seed and pod.state is NodeState.STARTING and not pod.ready
        )
    return frozenset(found)


def seed_reload(snapshot: Snapshot) -> ReloadSeeds | None:
    """Let running nodes read the seeds again after they changed."""
    seeds = frozenset(pod.uid for pod in snapshot.living if pod.seed and pod.ready)
    told = snapshot.memory.seeds_told
    if not seeds or seeds == told:
        return None
    running = tuple(pod for pod in snapshot.living if pod.started)
    if told is None and len(running) == 1:
        # a lone node has just read the list
        return ReloadSeeds((), seeds)
    lost = told - seeds if told is not None and seeds < told else frozenset()
    away = lost and not any(pod.uid in lost for pod in snapshot.living)
    if away and len(running) < snapshot.replicas:
        return None  # a pod is being made again, and is told of when it is back
    return ReloadSeeds(running, seeds)


def stuck_pod(snapshot: Snapshot, now: datetime) -> DeletePod | None:
    """One pod that lost its readiness so long ago that it will not come back by itself.

    One whose node has drained never does: it was to stop, and then not.
    """
    for pod in snapshot.living:
        if pod.state is NodeState.STARTED_NOT_READY and snapshot.memory.drains.get(pod.incarnation):
            event = Event(EventReason.RESTARTING_CASSANDRA, f"Restarting Cassandra for pod {pod.name}")
            return DeletePod(pod, event)
        since = pod.changed_at
        lost = pod.state is NodeState.STARTED_NOT_READY and not pod.ready
        if lost and since is not None and now - since > STUCK_AFTER:
            note = f"Deleting stuck pod {pod.name}: Cassandra has not been ready since {since:%H:%M:%S} UTC"
            return DeletePod(pod, Event(EventReason.DELETING_STUCK_POD, note, warning=True))
    return None


def failed_start(snapshot: Snapshot, pod: PodState) -> str:
    """Why a start has failed for good, if it has: refused by the node, or accepted and then not running."""
    call = snapshot.memory.calls.get(pod.incarnation)
    if call is StartCall.REFUSED:
        return snapshot.memory.refusals.get(pod.incarnation, "the node refused to start")
    stopped = snapshot.observed.processes.get(pod.name) is Process.STOPPED
    if call is StartCall.ACCEPTED and stopped:
        return "Cassandra ended while it was starting"
    return ""


def _seed_event(pod: PodState, *, seed: bool) -> Event:
    if seed:
        return Event(EventReason.LABELED_POD_AS_SEED, f"Labeled as seed node pod {pod.name}")
    return Event(EventReason.UNLABELED_POD_AS_SEED, f"Unlabeled as seed node pod {pod.name}")
