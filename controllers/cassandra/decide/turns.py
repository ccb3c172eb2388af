"""Whose turn it is to start: the order of the nodes, also of those whose pods are still being made.

Members come before newcomers, so that data is found again before anything new is made, and among both the
nodes whose last start failed come last. Racks without a running node come before the others, the last ordinal
of each in the order of the racks; then the rest, higher ordinals first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controllers.cassandra.decide.replace import blocks
from controllers.cassandra.decide.shrink import wants_shrink
from controllers.cassandra.state import PodState, Process, Snapshot
from missioncontrol.api.names import NodeState, pod_name

COURTESY = timedelta(seconds=5)
"""How old a pod has to be before it may start in the place of one that is not there yet."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A node that a StatefulSet is to have."""

    name: str
    statefulset: str
    ordinal: int
    pod: PodState | None


def slots(snapshot: Snapshot) -> list[Slot]:
    """All nodes that should run and do not, the one whose turn it is first."""
    pods = {pod.name: pod for pod in snapshot.living}
    order = {rack.statefulset: index for index, rack in enumerate(snapshot.datacenter.plan)}
    failed = set(snapshot.datacenter.status.failed_starts)
    found = [
        Slot(name, live.name, ordinal, pods.get(name))
        for live in snapshot.racks.values()
        for ordinal in range(live.replicas)
        for name in (pod_name(live.name, ordinal),)
    ]
    populated = {slot.statefulset for slot in found if slot.pod is not None and slot.pod.ready}
    last = {live.name: live.replicas - 1 for live in snapshot.racks.values()}

    def turn(slot: Slot) -> tuple[bool, bool, bool, int, int]:
        opens = slot.statefulset not in populated and slot.ordinal == last[slot.statefulset]
        return (
            not snapshot.known(slot.name),
            slot.name in failed,
            not opens,
            0 if opens else -slot.ordinal,
            order.get(slot.statefulset, len(order)),
        )

    return sorted((slot for slot in found if slot.pod is None or _waits(slot.pod)), key=turn)


def candidates(snapshot: Snapshot, now: datetime) -> list[PodState]:
    """The pods whose nodes could be started now, in turn."""
    found = (slot.pod for slot in slots(snapshot))
    # nobody joins a ring that others are about to leave
    closed = wants_shrink(snapshot)
    return [
        pod
        for pod in found
        if pod is not None
        and pod.running
        and not _must_wait(snapshot, pod.name, now)
        and not (closed and not snapshot.known(pod.name))
        and not blocks(snapshot, pod)
    ]


def expected_before(snapshot: Snapshot, pod: PodState, now: datetime) -> str:
    """A node before this one in turn that will be there in a moment, if there is one."""
    if pod.created_at is None or now - pod.created_at > COURTESY:
        return ""
    for slot in slots(snapshot):
        if slot.name == pod.name:
            return ""
        other = slot.pod
        if other is not None and (other.failing or silent(snapshot, other)):
            continue
        if not _must_wait(snapshot, slot.name, now) and (other is None or not other.running):
            return slot.name
    return ""


def _waits(pod: PodState) -> bool:
    return pod.state is NodeState.READY_TO_START and not pod.ready


def _must_wait(snapshot: Snapshot, name: str, now: datetime) -> bool:
    retry_at = snapshot.memory.retry_at.get(name)
    return retry_at is not None and retry_at > now


def silent(snapshot: Snapshot, pod: PodState) -> bool:
    """Whether a node's management API did not answer just now."""
    return snapshot.observed.processes.get(pod.name) is Process.UNREACHABLE
