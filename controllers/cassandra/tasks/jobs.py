"""Jobs on pods: which pods a task works on, which one is next, and what an answer of a node means.

Racks are worked on strictly one after the other in the order of their names; inside a rack up to
`maxConcurrentPods` pods at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controllers.cassandra.management import Job
from controllers.cassandra.state import PodState
from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks.task import Task
from missioncontrol.api.control import PodTaskStatus

GIVE_UP_AFTER = timedelta(minutes=10)
"""How long a node may be unreachable before its job counts as failed."""

Statuses = Mapping[str, PodTaskStatus]
ENDED = ("COMPLETED", "ERROR")


@dataclass(frozen=True, slots=True)
class Lost:
    """The node does not know the job (any more)."""


@dataclass(frozen=True, slots=True)
class Silent:
    """The node does not answer."""

    sentence: str


Result = Job | Lost | Silent


@dataclass(frozen=True, slots=True)
class Round:
    """What there is to do."""

    begin: tuple[PodState, ...] = ()
    waiting: str = ""
    finished: bool = False
    stopped: bool = False


def chosen_pods(task: Task, pods: tuple[PodState, ...]) -> list[list[PodState]]:
    """The pods of the task, by rack, both in the order of their names."""
    args = task.arguments
    found: dict[str, list[PodState]] = {}
    for pod in sorted(pods, key=lambda each: (each.rack, each.name)):
        if (not args.rack or pod.rack == args.rack) and (not args.pod_name or pod.name == args.pod_name):
            found.setdefault(pod.rack, []).append(pod)
    return list(found.values())


def next_round(task: Task, pods: tuple[PodState, ...], statuses: Statuses) -> Round:
    """Which pods begin now."""
    racks = chosen_pods(task, pods)
    limit = max(task.spec.max_concurrent_pods or 1, 1)
    for rack in racks:
        states = {pod.name: statuses.get(pod.name) for pod in rack}
        open_pods = [pod for pod in rack if not _ended(states[pod.name])]
        if not open_pods:
            continue
        touched = any(state is not None for state in states.values())
        if task.cancelled and not touched:
            rest = sum(1 for each in racks for pod in each if statuses.get(pod.name) is None)
            return Round(finished=True, stopped=True, waiting=f"cancelled; {rest} pods were not worked on")
        running = [pod for pod in open_pods if _running(states[pod.name])]
        free = limit - len(running)
        ready = [pod for pod in open_pods if pod.started and not _running(states[pod.name])]
        begin = tuple(ready[: max(free, 0)])
        if begin or running:
            return Round(begin=begin, waiting=f"working on rack {rack[0].rack}")
        return Round(waiting=f"waiting until {open_pods[0].name} is ready")
    return Round(finished=True)


def after_answer(before: PodTaskStatus, result: Result, *, retries: int, now: datetime) -> PodTaskStatus:
    """What an answer makes of a pod's state."""
    stamp = timestamp(now)
    match result:
        case Job(status="COMPLETED"):
            return before.model_copy(update={"status": "COMPLETED", "completion_time": stamp})
        case Job(status="ERROR", error=error):
            return failed(before, error or "the job failed on the node", retries=retries, now=now)
        case Job():
            return before
        case Lost():
            return failed(before, "the node does not know the job any more", retries=retries, now=now)
        case Silent(sentence=sentence):
            since = datetime.fromisoformat(before.start_time) if before.start_time else now
            if now - since < GIVE_UP_AFTER:
                return before
            return failed(before, sentence, retries=0, now=now)


def failed(before: PodTaskStatus, error: str, *, retries: int, now: datetime) -> PodTaskStatus:
    """After a failed attempt: once more, or the end."""
    tried = before.retries or 0
    if tried < retries:
        return PodTaskStatus(status="WAITING", retries=tried + 1, error=error, start_time=before.start_time)
    update = {"status": "ERROR", "error": error, "completion_time": timestamp(now)}
    return before.model_copy(update=update)


def counts(statuses: Statuses) -> tuple[int, int]:
    """How many pods succeeded and failed."""
    ended = [status.status for status in statuses.values()]
    return ended.count("COMPLETED"), ended.count("ERROR")


def _ended(status: PodTaskStatus | None) -> bool:
    return status is not None and status.status in ENDED


def _running(status: PodTaskStatus | None) -> bool:
    return status is not None and status.status == "RUNNING"
