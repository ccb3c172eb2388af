"""The start of the nodes.

Whoever is new to the ring joins alone: one node at a time, the first of each rack in turn, then the others.
Nodes that were members before may all come back at once as soon as one seed is ready. Nothing waits for a
fixed time: the next node starts when the last one is ready and nobody is moving in gossip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controllers.cassandra.actions import Action, DeletePod, Event, LabelPod, PutBack, StartNode
from controllers.cassandra.decide.health import movement
from controllers.cassandra.decide.labels import failed_start
from controllers.cassandra.decide.lost import trouble
from controllers.cassandra.decide.replace import predecessor, replaced
from controllers.cassandra.decide.turns import candidates, expected_before, silent
from controllers.cassandra.state import PodState, Process, Snapshot, StartCall
from missioncontrol.api.names import Annotation, EventReason, Label, NodeState, pod_name

LOOK_AGAIN = 5.0
"""Seconds after which a node that is starting, or does not answer, is asked again."""
PATIENCE = timedelta(minutes=2)
RANGE_MOVEMENT = "consistent.rangemovement"
"""What Cassandra says when a node would join while another one joins, leaves or moves."""
RANGE_MOVEMENT_PAUSE = 0.5
"""Seconds between two looks at a ring in which somebody else moves: gossip cannot be watched."""


@dataclass(frozen=True, slots=True)
class Starts:
    """What to do about nodes that do not run."""

    sentence: str = ""
    """What is being waited for; empty when every node is started."""
    actions: tuple[Action, ...] = ()
    wait: float | None = None


def starts(snapshot: Snapshot, now: datetime) -> Starts:
    """The next starts. Labels are expected to be right already."""
    failed = _failed(snapshot)
    if failed:
        return failed
    starting = [pod for pod in snapshot.living if pod.state is NodeState.STARTING and not pod.ready]
    lost = [pod for pod in starting if _call_is_lost(snapshot, pod, now)]
    if lost:
        # whether it may start now is decided anew: the world may have changed since it was marked
        return Starts(f"{_names(lost)} was to be started and was not", tuple(_unmark(pod) for pod in lost))
    members = returning(snapshot)
    if members and _has_ready_seed(snapshot) and _parallel(snapshot):
        reachable = [pod for pod in members if _reachable(snapshot, pod)]
        if reachable:
            actions = tuple(StartNode(pod) for pod in reachable)
            return Starts(f"starting {_names(reachable)}", actions)
    if starting and not overdue(snapshot, now):
        return Starts(f"starting {_names(starting)}", wait=LOOK_AGAIN)
    return _next(snapshot, now)


def overdue(snapshot: Snapshot, now: datetime) -> bool:
    """Whether nodes that start take so long that the next one may start beside them.

    Only where all of them are members: those may come back together, but one that joins is waited for.
    """
    starting = [pod for pod in snapshot.living if pod.state is NodeState.STARTING and not pod.ready]
    last = snapshot.datacenter.status.last_server_node_started
    late = last is not None and now - datetime.fromisoformat(last) > PATIENCE
    return late and all(snapshot.bootstrapped(pod) and pod.name not in replaced(snapshot) for pod in starting)


def returning(snapshot: Snapshot) -> list[PodState]:
    """Members of the ring whose nodes do not run."""
    return [
        pod
        for pod in snapshot.living
        if pod.state is NodeState.READY_TO_START
        and pod.running
        and snapshot.bootstrapped(pod)
        and pod.name not in replaced(snapshot)
    ]


def missing(snapshot: Snapshot) -> str:
    """What is still missing when no node can be started now; empty when all are there."""
    expected = snapshot.replicas
    started = [pod for pod in snapshot.living if pod.started]
    if len(started) == snapshot.expected and len(snapshot.pods) == expected:
        return ""
    lack = trouble(snapshot)
    if lack:
        return lack
    deleting = [pod for pod in snapshot.pods if pod.deleting]
    if deleting:
        return f"waiting until {_names(deleting)} is gone"
    failing = [pod for pod in snapshot.living if pod.failing]
    if failing:
        return f"{failing[0].name} cannot run: {failing[0].failing}"
    away = [pod for pod in snapshot.living if pod.state is NodeState.STARTED_NOT_READY]
    if away:
        return f"waiting until {_names(away)} is ready again"
    absent = expected - len(snapshot.living)
    if absent > 0:
        # without their number: the sentence is written down, and that is not worth a write for each pod
        return "waiting for pods to be made"
    pending = [pod for pod in snapshot.living if not pod.started and pod not in snapshot.leaving]
    tried = [pod for pod in pending if pod.name in snapshot.memory.retry_at]
    if tried:
        return f"trying {_names(tried)} again later, after a failed start"
    if not pending:
        return "waiting until the pods are those that the racks want"
    return f"waiting until {min(pod.name for pod in pending)} can be started"


def members_away(snapshot: Snapshot) -> list[str]:
    """Members of the ring that are not ready, also those whose pod is missing.

    Whoever was told to found the ring counts as well, though nobody has seen yet that it did.
    """
    ready = {pod.name for pod in snapshot.living if pod.ready}
    lost = {pod.name for pod in snapshot.living if pod.state is NodeState.STARTED_NOT_READY}
    wanted = {pod_name(live.name, n) for live in snapshot.racks.values() for n in range(live.replicas)}
    members = {name for name in wanted if snapshot.known(name)}
    return sorted((members | lost) - ready)


# --- the parts ---------------------------------------------------------------------------------


def _failed(snapshot: Snapshot) -> Starts | None:
    for pod in snapshot.living:
        if pod.state is not NodeState.STARTING or pod.ready:
            continue
        reason = failed_start(snapshot, pod)
        if RANGE_MOVEMENT in reason:
            # somebody in another datacenter was faster by a moment: nothing is wrong with this node
            sentence = f"{pod.name} joins later: another node joins, leaves or moves"
            return Starts(sentence, (PutBack(pod),), wait=RANGE_MOVEMENT_PAUSE)
        if reason:
            note = f"Deleting pod {pod.name}, whose start failed: {reason}"
            event = Event(EventReason.DELETING_STUCK_POD, note, warning=True)
            return Starts(
                f"{pod.name} did not start ({reason}); its pod is made again",
                (DeletePod(pod, event, failed_start=True, refused=_refused(snapshot, pod)),),
            )
    return None


def _refused(snapshot: Snapshot, pod: PodState) -> bool:
    return snapshot.memory.calls.get(pod.incarnation) is StartCall.REFUSED


def _next(snapshot: Snapshot, now: datetime) -> Starts:
    waiting = candidates(snapshot, now)
    turn = next((each for each in waiting if not silent(snapshot, each)), None)
    coming = expected_before(snapshot, turn, now) if turn is not None else ""
    if coming:
        return Starts(f"waiting for {coming}, whose turn it is", wait=1.0)
    pod = next((each for each in waiting if _reachable(snapshot, each)), None)
    if pod is None:
        sentence = missing(snapshot)
        if waiting:
            sentence = f"waiting until the management API of {_names(waiting)} answers"
        return Starts(sentence, wait=_pause(snapshot, now, waiting))
    seeds = _has_ready_seed(snapshot)
    replacing = replaced(snapshot)
    if snapshot.bootstrapped(pod) and pod.name not in replacing:
        return Starts(f"starting {pod.name}", (StartNode(pod, seed=not seeds),))
    away = [name for name in members_away(snapshot) if name not in (pod.name, *replacing)]
    if away:
        # it could not stream from them; and with nobody there it would found a second ring
        return Starts(f"{pod.name} joins when {away[0]} is ready again", wait=LOOK_AGAIN)
    if any(each.ready for each in snapshot.living):
        moving = movement(snapshot)
        if moving:
            return Starts(f"{pod.name} joins later: {moving}", wait=RANGE_MOVEMENT_PAUSE)
        if not snapshot.observed.gossip:
            return Starts(f"{pod.name} joins when a node shows its gossip", wait=RANGE_MOVEMENT_PAUSE)
    if pod.name in replacing:
        dead = predecessor(snapshot, pod)
        if dead is not None and dead.alive:
            return Starts(f"{pod.name} takes over when {dead.address} is seen to be down", wait=1.0)
        if dead is not None:
            sentence = f"starting {pod.name} in the place of {dead.address}"
            return Starts(sentence, (StartNode(pod, replaces=dead.address),))
    first = not seeds and not snapshot.external_seeds
    return Starts(f"starting {pod.name}", (StartNode(pod, seed=first, founds=first),))


def _pause(snapshot: Snapshot, now: datetime, waiting: list[PodState]) -> float | None:
    if waiting:
        return 1.0
    later = [at for name, at in snapshot.memory.retry_at.items() if at > now]
    return max((min(later) - now).total_seconds(), 0.1) if later else None


def _call_is_lost(snapshot: Snapshot, pod: PodState, now: datetime) -> bool:
    """Marked as starting, and yet nothing runs and no call is known: we ended between the mark and the call.

    A management API that cannot say whether Cassandra runs is given time first, and called again then.
    """
    if snapshot.memory.calls.get(pod.incarnation) is not None:
        return False
    process = snapshot.observed.processes.get(pod.name)
    last = snapshot.datacenter.status.last_server_node_started
    waited = last is None or now - datetime.fromisoformat(last) > PATIENCE
    return process is Process.STOPPED or (process is Process.UNKNOWN and waited)


def _unmark(pod: PodState) -> Action:
    return LabelPod(pod, {Label.NODE_STATE: NodeState.READY_TO_START.value})


def _reachable(snapshot: Snapshot, pod: PodState) -> bool:
    process = snapshot.observed.processes.get(pod.name)
    return process is not None and process.startable


def _has_ready_seed(snapshot: Snapshot) -> bool:
    return any(pod.seed and pod.ready for pod in snapshot.living)


def _parallel(snapshot: Snapshot) -> bool:
    return not snapshot.datacenter.annotated(Annotation.ALLOW_PARALLEL_STARTS, "false")


def _names(pods: Iterable[PodState]) -> str:
    names = [pod.name for pod in pods]
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def call_in_flight(snapshot: Snapshot, pod: PodState) -> bool:
    """Whether the start call for this very container is under way in this process."""
    return snapshot.memory.calls.get(pod.incarnation) is StartCall.IN_FLIGHT
