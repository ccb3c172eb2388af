"""The rolling restart: a mark in the pod template of one StatefulSet after the other.

Kubernetes replaces the pods of a rack, the highest ordinal first; the operator starts each node that comes
back. The next rack is marked only when the last one runs again on its new revision and the whole datacenter
is healthy.
"""

from __future__ import annotations

from dataclasses import dataclass

from controllers.cassandra.decide.health import unhealthy
from controllers.cassandra.state import RackSet, Snapshot


@dataclass(frozen=True, slots=True)
class RestartStep:
    """What a restart does now."""

    sentence: str
    mark: RackSet | None = None
    """The StatefulSet to mark."""
    finished: bool = False
    stopped: bool = False
    """Finished before its end, because somebody asked for it."""
    succeeded: int = 0
    needs_gossip: bool = False
    """Whether the decision needs to know what the nodes see in gossip; to be asked, then decided again."""


def decide_restart(
    snapshot: Snapshot, *, began: str, rack: str | None, cancelled: bool, asked: bool
) -> RestartStep:
    """The next step; `began` is the task's start time, with which the racks are marked."""
    sets = [
        each for each in sorted(snapshot.racks.values(), key=lambda each: each.name) if _chosen(each, rack)
    ]
    if not sets:
        return RestartStep(f"there is no rack {rack!r}" if rack else "there are no racks", finished=True)
    done = [each for each in sets if _marked(each, began) and _back(snapshot, each)]
    current = [each for each in sets if _marked(each, began) and not _back(snapshot, each)]
    succeeded = sum(each.replicas for each in done) + sum(_updated(snapshot, each) for each in current)
    if current:
        sentence = (
            f"restarting rack {current[0].rack}: {_updated(snapshot, current[0])} of {current[0].replicas}"
        )
        return RestartStep(f"{sentence} nodes are back", succeeded=succeeded)
    following = [each for each in sets if not _marked(each, began)]
    if not following:
        return RestartStep(f"restarted {succeeded} nodes", finished=True, succeeded=succeeded)
    if cancelled:
        names = ", ".join(each.rack for each in following)
        sentence = f"cancelled after {succeeded} nodes; not restarted: {names}"
        return RestartStep(sentence, finished=True, stopped=True, succeeded=succeeded)
    following_name = following[0].rack
    rolling = next((each for each in snapshot.racks.values() if not each.rolled), None)
    if rolling is not None:
        sentence = f"rack {following_name} waits while rack {rolling.rack} is being replaced"
        return RestartStep(sentence, succeeded=succeeded)
    if not asked:
        return RestartStep("", needs_gossip=True, succeeded=succeeded)
    reason = unhealthy(snapshot, fresh=True)
    if reason:
        return RestartStep(f"rack {following_name} waits: {reason}", succeeded=succeeded)
    return RestartStep(f"restarting rack {following_name}", mark=following[0], succeeded=succeeded)


def _chosen(each: RackSet, rack: str | None) -> bool:
    return not rack or each.rack == rack


def _marked(each: RackSet, began: str) -> bool:
    # a later mark is that of a younger restart, which did for this rack what was asked for
    return bool(each.restarted_at) and each.restarted_at >= began


def _back(snapshot: Snapshot, each: RackSet) -> bool:
    pods = snapshot.of_rack(each.name)
    started = all(pod.started for pod in pods) and len(pods) == each.replicas
    return each.rolled and each.ready == each.replicas and started


def _updated(snapshot: Snapshot, each: RackSet) -> int:
    if not each.replicas or each.updated >= each.replicas:
        return sum(1 for pod in snapshot.of_rack(each.name) if pod.started)
    return min(each.updated, sum(1 for pod in snapshot.of_rack(each.name) if pod.started))
