"""The calls to nodes that are under way for a task, beside the passes of its reconciler.

A pass never waits long for a node: it begins calls, takes in what has been answered, and is woken by the
rest. So a node that hangs delays no other node of the task, no other task and no datacenter. All of it can
be lost: the status of the task says which jobs run, and what is forgotten is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from controllers.cassandra.management import ManagementApi, ManagementError, NodeRefused
from controllers.cassandra.memory import DatacenterMemory
from controllers.cassandra.state import PodState
from controllers.cassandra.tasks.commands import PodCommand, Standing
from controllers.cassandra.tasks.jobs import (
    UNSUPPORTED,
    Answer,
    Ended,
    Found,
    Lost,
    Refused,
    Silent,
    Submitted,
    Waits,
    attempt_of,
)
from missioncontrol.api.control import JobArguments, PodTaskStatus

PATIENCE: Final = 0.3
"""Seconds that a pass waits for answers, which most nodes give within milliseconds."""
PAUSE: Final = timedelta(seconds=2)
"""How long a node that did not answer is left alone, the first time."""
LONGEST_PAUSE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and which attempt it belongs to.

    The status may have been written although the server said nothing or an error: then what is in it already
    must not count twice.
    """

    answer: Answer
    attempt: int

    def counts_for(self, state: PodTaskStatus | None) -> bool:
        return self.attempt == attempt_of(state)


@dataclass
class TaskMemory:
    """What one process of the operator knows of one task."""

    uid: str = ""
    under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """By pod."""
    answers: dict[str, list[Told]] = field(default_factory=dict)
    """What was answered and is not in the status yet, by pod, in its order."""
    silent_since: dict[str, datetime] = field(default_factory=dict)
    absent_since: dict[str, datetime] = field(default_factory=dict)
    """Since when a pod whose turn it is has not been ready."""
    rests_until: dict[str, datetime] = field(default_factory=dict)
    """When a pod that did not answer may be called again."""
    looked_at: datetime | None = None
    """When the nodes were asked last how far their jobs are."""

    def note(self, pod: str, answer: Answer, attempt: int) -> None:
        """Keep an answer beside the earlier ones: the end of a job means nothing without its beginning."""
        known = self.answers.setdefault(pod, [])
        if known and isinstance(known[-1].answer, Silent) and isinstance(answer, Silent):
            known.pop()
        known.append(Told(answer, attempt))

    def written(self, pod: str, number: int) -> None:
        """The first answers of a pod are in the status."""
        self.answers[pod] = self.answers.get(pod, [])[number:]

    def resting(self, now: datetime) -> frozenset[str]:
        """The pods that are left alone for now."""
        return frozenset(pod for pod, until in self.rests_until.items() if until > now)

    def absent(self, names: tuple[str, ...], now: datetime) -> Mapping[str, datetime]:
        """Since when each of these pods is waited for."""
        kept = {name: since for name, since in self.absent_since.items() if name in names}
        self.absent_since = {**dict.fromkeys(names, now), **kept}
        return self.absent_since

    async def settle(self) -> None:
        """Give the calls under way a moment to be answered."""
        if self.under_way:
            await asyncio.wait(self.under_way.values(), timeout=PATIENCE)


class Caller:
    """Begins the calls of one task."""

    def __init__(
        self,
        command: PodCommand,
        args: JobArguments,
        memory: TaskMemory,
        *,
        api: ManagementApi,
        datacenter: DatacenterMemory,
        port: int,
        wake: Callable[[], None],
    ) -> None:
        self._command = command
        self._args = args
        self._memory = memory
        self._api = api
        self._datacenter = datacenter
        self._port = port
        self._wake = wake

    def begin(self, pod: PodState, attempt: int) -> None:
        """Have the node take the job on."""
        self._spawn(pod, attempt, self._take_on(pod))

    def ask(self, pod: PodState, attempt: int, job_id: str) -> None:
        """Ask how far a job is."""
        self._spawn(pod, attempt, self._progress(pod, job_id))

    def run(self, pod: PodState, attempt: int, path: str) -> None:
        """Do the job in one call, however long that takes."""
        self._spawn(pod, attempt, self._do(pod, path))

    def silence(self, pod: str, attempt: int, sentence: str, now: datetime) -> None:
        """Note that nothing can be learnt of a pod now, and leave it alone for a moment."""
        since = self._memory.silent_since.setdefault(pod, now)
        self._memory.note(pod, Silent(sentence, since), attempt)
        # what was submitted may have arrived: the longer nobody answers, the more rarely it is said again
        self._memory.rests_until[pod] = now + min(max(PAUSE, now - since), LONGEST_PAUSE)

    def _spawn(self, pod: PodState, attempt: int, work: Coroutine[Any, Any, Answer | None]) -> None:
        label = f"{self._command.name} {pod.namespace}/{pod.name}"
        call = self._call(pod, attempt, work)
        self._memory.under_way[pod.name] = self._datacenter.spawn(call, name=label)

    async def _call(self, pod: PodState, attempt: int, work: Coroutine[Any, Any, Answer | None]) -> None:
        try:
            answer = await work
        except ManagementError as error:
            self.silence(pod.name, attempt, str(error), datetime.now(UTC))
        else:
            self._memory.silent_since.pop(pod.name, None)
            if answer is not None:
                self._memory.note(pod.name, answer, attempt)
        finally:
            self._memory.under_way.pop(pod.name, None)
        self._wake()

    async def _take_on(self, pod: PodState) -> Answer | None:
        call = self._command.call(await self._features(pod))
        if call is None:
            return Refused(UNSUPPORTED, final=True)
        match await self._standing(pod):
            case Standing.DONE:
                return Found()
            case Standing.UNDER_WAY:
                self._memory.rests_until[pod.name] = datetime.now(UTC) + PAUSE
                return None
        path, asynchronous = call
        if not asynchronous:
            return Waits(path)
        query = self._command.query(self._args, pod.name)
        try:
            job_id = await self._api.submit(
                pod, port=self._port, path=path, body=self._command.body(self._args), query=query
            )
        except NodeRefused as error:
            return Refused(str(error))
        return Submitted(job_id)

    async def _progress(self, pod: PodState, job_id: str) -> Answer | None:
        job = await self._api.job(pod, port=self._port, job_id=job_id)
        if job is not None and job.status == "COMPLETED":
            return Ended(job_id)
        if job is not None and job.status != "ERROR":
            return None
        if await self._standing(pod) is Standing.DONE:
            # it was submitted twice, as nobody knew of the first time; or the node was restarted afterwards
            return Ended(job_id)
        if job is None:
            return Lost(job_id)
        return Ended(job_id, job.error or "the job failed on the node")

    async def _standing(self, pod: PodState) -> Standing:
        """What the ring shows of the job."""
        if self._command.standing is None:
            return Standing.OPEN
        return self._command.standing(self._args, pod.name, await self._api.gossip(pod, port=self._port))

    async def _do(self, pod: PodState, path: str) -> Answer:
        query = self._command.query(self._args, pod.name)
        try:
            await self._api.run(
                pod, port=self._port, path=path, body=self._command.body(self._args), query=query
            )
        except ManagementError as error:
            return Ended("", str(error))
        return Ended("")

    async def _features(self, pod: PodState) -> frozenset[str]:
        known = self._datacenter.features.get(pod.incarnation)
        if known is None:
            known = await self._api.features(pod, port=self._port)
            self._datacenter.features[pod.incarnation] = known
        return known
