"""The rolling restart: a mark in the pod template of one StatefulSet after the other.

The partition of the StatefulSet lets one pod after the other go, the highest ordinal first, and each only
when the last one runs again and the whole datacenter is seen to be healthy. So a restart can stop between any
two pods: the partition then stays where it is, and the pods below it keep running as they are. A fast
restart lets all pods of a rack go at once. A restart of a single pod deletes it, and marks nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from controllers.cassandra.decide.health import unhealthy
from controllers.cassandra.state import PodState, RackSet, Snapshot
from missioncontrol.api.names import clean_label_value


@dataclass(frozen=True, slots=True)
class RestartWish:
    """What is asked for; ``began`` is the task's start time, with which the racks are marked."""

    began: str
    rack: str = ""
    fast: bool = False
    force: bool = False
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Mark the template of a StatefulSet, and let its pods from an ordinal upwards go."""

    rack: RackSet
    partition: int


@dataclass(frozen=True, slots=True)
class RestartStep:
    """What a restart does now."""

    sentence: str
    mark: Mark | None = None
    delete: tuple[PodState, ...] = ()
    finished: bool = False
    stopped: bool = False
    """Finished before its end, because somebody asked for it."""
    succeeded: int = 0
    needs_gossip: bool = False
    """Whether the decision needs to know what the nodes see in gossip; to be asked, then decided again."""


def decide_restart(snapshot: Snapshot, wish: RestartWish, *, asked: bool) -> RestartStep:
    """The next step; ``asked`` says that the snapshot holds what the nodes see in gossip."""
    sets = [each for each in _sorted(snapshot) if not wish.rack or each.rack == clean_label_value(wish.rack)]
    done = sum(_done(snapshot, each, wish) for each in sets)
    current = next((each for each in sets if _marked(each, wish) and not _over(snapshot, each)), None)
    following = next((each for each in sets if not _marked(each, wish)), None)
    if current is not None:
        moving = _moving(snapshot, current, wish, done)
        if moving is not None:
            return moving
    if current is None and following is None:
        return RestartStep(f"restarted {_nodes(done)}", finished=True, succeeded=done)
    if wish.cancelled:
        left = sum(each.replicas for each in sets) - done
        sentence = f"cancelled after {_nodes(done)}; {left} were not restarted"
        return RestartStep(sentence, finished=True, stopped=True, succeeded=done)
    target = current or following
    assert target is not None
    blocked = _blocked(snapshot, target, wish, asked=asked, done=done)
    if blocked is not None:
        return blocked
    # without a partition the pods of a fast restart need no further leave
    whole = target.replicas if current is None else target.partition
    partition = 0 if wish.fast else max(whole - 1, 0)
    return RestartStep(f"restarting rack {target.rack}", mark=Mark(target, partition), succeeded=done)


def _moving(snapshot: Snapshot, rack: RackSet, wish: RestartWish, done: int) -> RestartStep | None:
    """What is done while the pods that were let go come back; None when they have."""
    pods = snapshot.of_rack(rack.name)
    sentence = (
        f"restarting rack {rack.rack}: {_done(snapshot, rack, wish)} of {_nodes(rack.replicas)} are back"
    )
    if wish.fast and rack.partition == 0:
        old = tuple(pod for pod in pods if pod.restarted_at < rack.restarted_at)
        if old:
            return RestartStep(sentence, delete=old, succeeded=done)
    if not rack.rolled or any(not pod.started for pod in pods) or len(pods) < rack.replicas:
        return RestartStep(sentence, succeeded=done)
    return None


def _blocked(
    snapshot: Snapshot, target: RackSet, wish: RestartWish, *, asked: bool, done: int
) -> RestartStep | None:
    """Why no further pod may go now, if there is a reason."""
    if wish.fast:
        outside = [pod.name for pod in snapshot.pods if not pod.started and pod.rack != target.rack]
        if not outside or wish.force:
            return None
        return RestartStep(f"rack {target.rack} waits: {outside[0]} is not ready", succeeded=done)
    rolling = next((each for each in _sorted(snapshot) if not each.rolled or each.in_steps), None)
    if rolling is not None:
        sentence = f"rack {target.rack} waits while rack {rolling.rack} is being replaced"
        return RestartStep(sentence, succeeded=done)
    if not asked:
        return RestartStep("", needs_gossip=True, succeeded=done)
    reason = unhealthy(snapshot, fresh=True)
    return RestartStep(f"rack {target.rack} waits: {reason}", succeeded=done) if reason else None


def _sorted(snapshot: Snapshot) -> list[RackSet]:
    return sorted(snapshot.racks.values(), key=lambda each: each.name)


def _marked(each: RackSet, wish: RestartWish) -> bool:
    # a later mark is that of a younger restart, which did for this rack what was asked for
    return bool(each.restarted_at) and each.restarted_at >= wish.began


def _over(snapshot: Snapshot, each: RackSet) -> bool:
    pods = snapshot.of_rack(each.name)
    back = each.rolled and len(pods) == each.replicas and all(pod.started for pod in pods)
    return back and each.partition == 0


def _done(snapshot: Snapshot, each: RackSet, wish: RestartWish) -> int:
    """How many pods of a rack have been restarted and run."""
    if not _marked(each, wish):
        return 0
    return sum(1 for pod in snapshot.of_rack(each.name) if pod.started and pod.restarted_at >= wish.began)


def _nodes(number: int) -> str:
    return f"{number} node{'' if number == 1 else 's'}"


# --- a single pod ------------------------------------------------------------------------------


def decide_pod_restart(
    snapshot: Snapshot, name: str, *, marked: str, cancelled: bool, asked: bool
) -> RestartStep:
    """The next step of the restart of one pod; ``marked`` is the UID of the pod that is to go, once it is
    recorded."""
    pod = next((each for each in snapshot.pods if each.name == name), None)
    if marked:
        if pod is not None and pod.uid == marked:
            delete = () if pod.deleting else (pod,)
            return RestartStep(f"restarting {name}", delete=delete)
        if pod is not None and pod.started:
            return RestartStep(f"restarted {name}", finished=True, succeeded=1)
        return RestartStep(f"waiting until {name} is back")
    if cancelled:
        return RestartStep(f"cancelled before {name} was restarted", finished=True, stopped=True)
    if pod is None or pod.deleting:
        return RestartStep(f"waiting for the pod {name}")
    others = [each.name for each in snapshot.living if each.name != name and not each.started]
    if others:
        return RestartStep(f"{name} waits: {others[0]} is not ready")
    # a node that does not run can be restarted whatever the others see of it
    if pod.started and not asked:
        return RestartStep("", needs_gossip=True)
    reason = unhealthy(snapshot, fresh=True) if pod.started else ""
    return RestartStep(f"{name} waits: {reason}" if reason else "")
