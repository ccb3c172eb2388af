"""What the nodes have to be asked before a decision: as little as possible, and nothing at rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from controllers.cassandra.decide.deletion import decommissions
from controllers.cassandra.decide.health import fingerprint, node_address
from controllers.cassandra.decide.nodes import call_in_flight, overdue, returning
from controllers.cassandra.decide.racks import needs_rollout
from controllers.cassandra.decide.refusals import is_true
from controllers.cassandra.decide.replace import replaced
from controllers.cassandra.decide.requested import remaining
from controllers.cassandra.decide.reshape import is_due
from controllers.cassandra.decide.shrink import doubtful_leavers, wants_shrink
from controllers.cassandra.decide.stop import wants_stop
from controllers.cassandra.decide.turns import candidates, expected_before
from controllers.cassandra.state import PodState, Process, Snapshot, StartCall
from missioncontrol.api.names import Condition, NodeState, Progress


@dataclass(frozen=True, slots=True)
class Questions:
    """Which pods to ask what."""

    processes: tuple[PodState, ...] = ()
    gossip: tuple[PodState, ...] = ()
    quorum: tuple[PodState, ...] = ()
    replication: tuple[PodState, ...] = ()


def questions(snapshot: Snapshot, now: datetime) -> Questions:
    """What this pass needs to know."""
    if not _looked_after(snapshot):
        return Questions()
    settled = (NodeState.STARTED, NodeState.DECOMMISSIONING)
    if any(pod.ready and pod.state not in settled for pod in snapshot.living):
        # these are labelled first; what comes after is asked then
        return Questions(_known_to_be_doubtful(snapshot))
    started = tuple(pod for pod in snapshot.living if pod.started)
    if doubtful_leavers(snapshot):
        # where they stand is what the others, and they themselves, see
        leavers = tuple(pod for pod in snapshot.leaving if pod.ready)
        return Questions(_processes(snapshot, now), (*started, *leavers))
    if snapshot.datacenter.metadata.deletion_timestamp is not None and not is_true(
        snapshot.datacenter, Condition.DECOMMISSION
    ):
        # is there another datacenter to leave the data to?
        return Questions(gossip=started)
    if _health_matters(snapshot, started):
        counted = started[:1] if wants_shrink(snapshot) else ()
        return Questions(_processes(snapshot, now), started, started, counted)
    asked = {pod.name: pod for pod in started if unregistered(snapshot, pod)}
    if not asked and started and _newcomer_is_next(snapshot, now):
        asked[started[0].name] = started[0]
    return Questions(_processes(snapshot, now), tuple(asked.values()))


def _looked_after(snapshot: Snapshot) -> bool:
    """Whether nodes are kept running: not in a datacenter that goes as it is, nor in one that stops."""
    datacenter = snapshot.datacenter
    if datacenter.metadata.deletion_timestamp is not None:
        return decommissions(snapshot)
    return not wants_stop(snapshot)


def unregistered(snapshot: Snapshot, pod: PodState) -> bool:
    """Whether the status does not show this node as it is."""
    if pod.name in replaced(snapshot):
        return True
    known = (snapshot.datacenter.status.node_statuses or {}).get(pod.name)
    return known is None or not known.host_id or known.ip != node_address(snapshot, pod)


def _known_to_be_doubtful(snapshot: Snapshot) -> tuple[PodState, ...]:
    known = snapshot.observed.processes
    return tuple(pod for pod in snapshot.living if _doubtful(snapshot, pod) and pod.name not in known)


def _processes(snapshot: Snapshot, now: datetime) -> tuple[PodState, ...]:
    known = snapshot.observed.processes
    doubtful = [pod for pod in snapshot.living if _doubtful(snapshot, pod)]
    if any(pod.seed and pod.ready for pod in snapshot.living):
        doubtful += returning(snapshot)
    starting = any(pod.state is NodeState.STARTING and not pod.ready for pod in snapshot.living)
    if not starting or overdue(snapshot, now):
        waiting = candidates(snapshot, now)
        # one that did not answer a moment ago lets the next one have its turn
        following = [pod for pod in waiting if known.get(pod.name) is not Process.UNREACHABLE]
        if following and not expected_before(snapshot, following[0], now):
            doubtful.append(following[0])
    unique = {pod.name: pod for pod in doubtful}
    return tuple(pod for name, pod in unique.items() if name not in known)


def _doubtful(snapshot: Snapshot, pod: PodState) -> bool:
    """Not ready though it should be: does Cassandra run at all?"""
    if pod.ready or not pod.running:
        return False
    if pod.state in (NodeState.STARTED, NodeState.STARTED_NOT_READY, NodeState.DECOMMISSIONING):
        return True
    refused = snapshot.memory.calls.get(pod.incarnation) is StartCall.REFUSED
    settled = call_in_flight(snapshot, pod) or refused or pod.incarnation in snapshot.memory.trusted
    return pod.state is NodeState.STARTING and not settled


def _newcomer_is_next(snapshot: Snapshot, now: datetime) -> bool:
    if any(pod.state is NodeState.STARTING and not pod.ready for pod in snapshot.living):
        return False
    waiting = candidates(snapshot, now)
    return any(not snapshot.bootstrapped(pod) or pod.name in replaced(snapshot) for pod in waiting[:1])


def _health_matters(snapshot: Snapshot, started: tuple[PodState, ...]) -> bool:
    deleting = snapshot.datacenter.metadata.deletion_timestamp is not None
    planned = 0 if deleting else sum(rack.nodes for rack in snapshot.datacenter.plan)
    if not started or len(started) < max(snapshot.replicas, planned) or len(snapshot.pods) != len(started):
        return False
    rolled = all(live.rolled for live in snapshot.racks.values())
    if is_due(snapshot):
        # the StatefulSets do not say how far they are, while their pods have other volumes
        return True
    if rolled and (needs_rollout(snapshot) or wants_shrink(snapshot) or remaining(snapshot)):
        return True
    if fingerprint(snapshot) == snapshot.memory.healthy:
        return False
    status = snapshot.datacenter.status
    unsettled = status.cassandra_operator_progress != Progress.READY or not is_true(
        snapshot.datacenter, Condition.HEALTHY
    )
    changed = snapshot.memory.healthy is not None or any(unregistered(snapshot, pod) for pod in started)
    return unsettled or changed
