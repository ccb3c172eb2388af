"""Jobs on pods: which pods a task works on, which one is next, and what an answer of a node means.

Racks are worked on strictly one after the other in the order of their names; inside a rack up to
`maxConcurrentPods` pods at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controllers.cassandra.state import PodState
from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks.commands import PodCommand
from controllers.cassandra.tasks.task import Task
from missioncontrol.api.control import PodTaskStatus

GIVE_UP_AFTER: Final = timedelta(minutes=10)
"""How long a node may be silent, or not ready, before its job counts as failed."""
UNSUPPORTED: Final = "this job isn't supported by the target pod"
INTERRUPTED: Final = "the operator ended while the job was running, and its outcome is not known"
FORGOTTEN: Final = "the node does not know the job any more, as it was restarted meanwhile"
ENDED: Final = ("COMPLETED", "ERROR")
FIRST_LOOK, LONGEST_LOOK = 1.0, 10.0

Statuses = Mapping[str, PodTaskStatus]
NOBODY: Final[frozenset[str]] = frozenset()


# --- what a node answers -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submitted:
    """The node has taken the job on."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Waits:
    """The node can do it, in a call that lasts as long as the job does."""

    path: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job is over; ``error`` says how it failed, if it did. ``job_id`` is empty for a synchronous one."""

    job_id: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The node is where the job would bring it: it was done before, though nobody has told."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The node does not know the job (any more)."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The node would not take the job on."""

    sentence: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """The node has not answered; ``since`` says for how long that has been so."""

    sentence: str
    since: datetime


Answer = Submitted | Waits | Ended | Found | Lost | Refused | Silent


def after_answer(
    before: PodTaskStatus | None, answer: Answer, *, retries: int, now: datetime
) -> PodTaskStatus | None:
    """What an answer makes of a pod's state; one that belongs to an earlier attempt changes nothing."""
    if before is not None and before.status in ENDED:
        return before
    match answer:
        case Submitted(job_id=job_id):
            return _begun(before, now).model_copy(update={"job_id": job_id})
        case Waits():
            return _begun(before, now)
        case Found():
            return _completed(before or _begun(before, now), now)
        case Refused(sentence=sentence, final=final):
            return failed(_begun(before, now), sentence, retries=0 if final else retries, now=now)
        case Silent(sentence=sentence, since=since) if now - since >= GIVE_UP_AFTER:
            return failed(_attempt(before, now), sentence, retries=0, now=now)
        case Silent():
            return before
    if before is None or (before.job_id or "") != answer.job_id:
        return before
    if isinstance(answer, Lost):
        return failed(before, FORGOTTEN, retries=retries, now=now)
    if answer.error:
        return failed(before, answer.error, retries=retries, now=now)
    return _completed(before, now)


def _completed(before: PodTaskStatus, now: datetime) -> PodTaskStatus:
    done = {"status": "COMPLETED", "completion_time": timestamp(now), "error": None}
    return before.model_copy(update=done)


def _begun(before: PodTaskStatus | None, now: datetime) -> PodTaskStatus:
    """A new attempt. What the last one failed of is told until this one has ended as well."""
    retried = before.retries if before is not None else None
    error = before.error if before is not None else None
    return PodTaskStatus(status="RUNNING", start_time=timestamp(now), retries=retried, error=error)


def _attempt(before: PodTaskStatus | None, now: datetime) -> PodTaskStatus:
    return before if before is not None else PodTaskStatus(status="WAITING", start_time=timestamp(now))


def failed(before: PodTaskStatus, error: str, *, retries: int, now: datetime) -> PodTaskStatus:
    """After a failed attempt: once more, or the end."""
    tried = before.retries or 0
    if tried < retries:
        return PodTaskStatus(status="WAITING", retries=tried + 1, error=error, start_time=before.start_time)
    update = {"status": "ERROR", "error": error, "completion_time": timestamp(now)}
    return before.model_copy(update=update)


def interrupted(states: Statuses, busy: Set[str], *, retries: int, now: datetime) -> dict[str, PodTaskStatus]:
    """The states in which a synchronous job that nobody waits for any more has failed."""

    def after(name: str, state: PodTaskStatus) -> PodTaskStatus:
        if running(state) and not state.job_id and name not in busy:
            return failed(state, INTERRUPTED, retries=retries, now=now)
        return state

    return {name: after(name, state) for name, state in states.items()}


# --- whose turn it is --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Round:
    """What there is to do."""

    begin: tuple[PodState, ...] = ()
    waiting: str = ""
    absent: tuple[str, ...] = ()
    """Pods whose turn it is, but which are not ready, or not there."""
    finished: bool = False
    stopped: bool = False


def chosen_pods(task: Task, command: PodCommand, pods: tuple[PodState, ...]) -> list[list[PodState]]:
    """The pods of the task, by rack, both in the order of their names."""
    found: dict[str, list[PodState]] = {}
    for pod in sorted(pods, key=lambda each: (each.rack, each.ordinal, each.name)):
        if command.chooses(task.arguments, pod.rack, pod.name):
            found.setdefault(pod.rack, []).append(pod)
    return list(found.values())


def next_round(
    task: Task,
    command: PodCommand,
    pods: tuple[PodState, ...],
    states: Statuses,
    busy: Set[str] = NOBODY,
    missing: Sequence[str] = (),
) -> Round:
    """Which pods begin now; ``busy`` are those that a call is under way to, ``missing`` those that do not
    exist at this moment, although their nodes are members of the ring."""
    racks = chosen_pods(task, command, pods)
    present = {pod.name for rack in racks for pod in rack}
    working = {name for name, state in states.items() if running(state)} | set(busy)
    if task.cancelled:
        return _cancelled(racks, states, working)
    gone = sorted(working - present)
    if gone:
        return Round(waiting=f"waiting for the pod {gone[0]}, which is gone, to come back")
    for rack in racks:
        open_pods = [pod for pod in rack if not ended(states.get(pod.name))]
        if not open_pods:
            continue
        free = _limit(task, command) - sum(1 for pod in rack if pod.name in working)
        idle = [pod for pod in open_pods if pod.name not in working]
        begin = tuple([pod for pod in idle if pod.started][: max(free, 0)])
        if begin or len(idle) < len(open_pods):
            return Round(begin=begin, waiting=f"working on rack {rack[0].rack}")
        names = tuple(pod.name for pod in idle)
        return Round(waiting=f"waiting until {names[0]} is ready", absent=names)
    left = tuple(name for name in missing if not ended(states.get(name)))
    if left:
        return Round(waiting=f"waiting for the pod {left[0]}, which does not exist", absent=left)
    return Round(finished=True)


def _limit(task: Task, command: PodCommand) -> int:
    return 1 if command.alone else max(task.spec.max_concurrent_pods or 1, 1)


def _cancelled(racks: list[list[PodState]], states: Statuses, working: Set[str]) -> Round:
    """No pod begins any more; those that are worked on are waited for."""
    if working:
        return Round(waiting=f"is cancelled, and waits for {', '.join(sorted(working))}")
    names = [pod.name for rack in racks for pod in rack]
    left = sum(1 for name in names if not ended(states.get(name)))
    if not left:
        return Round(finished=True)
    done = counts(states)[0]
    return Round(
        finished=True, stopped=True, waiting=f"cancelled after {done} pods; {left} were not worked on"
    )


def next_look(states: Statuses, now: datetime) -> float:
    """Seconds until the jobs are asked for again: the longer they take, the longer they are left alone."""
    ages = [
        (now - datetime.fromisoformat(state.start_time)).total_seconds()
        for state in states.values()
        if running(state) and state.start_time
    ]
    return min(max(min(ages, default=0.0) / 10, FIRST_LOOK), LONGEST_LOOK)


def counts(states: Statuses) -> tuple[int, int]:
    """How many pods succeeded and failed."""
    found = [state.status for state in states.values()]
    return found.count("COMPLETED"), found.count("ERROR")


def attempt_of(state: PodTaskStatus | None) -> int:
    """Which attempt a pod's state is of, from 0."""
    return (state.retries or 0) if state is not None else 0


def ended(state: PodTaskStatus | None) -> bool:
    return state is not None and state.status in ENDED


def running(state: PodTaskStatus | None) -> bool:
    return state is not None and state.status == "RUNNING"
