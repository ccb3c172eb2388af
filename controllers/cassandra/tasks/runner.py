"""Runs the jobs of a task on its pods: begins them, asks how far they are, and waits for synchronous ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from controllers.cassandra.management import Job, ManagementApi, ManagementError, NodeRefused
from controllers.cassandra.memory import DatacenterMemory
from controllers.cassandra.state import PodState
from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks.commands import PodCommand
from controllers.cassandra.tasks.jobs import Lost, Result, Silent, after_answer, failed
from controllers.cassandra.tasks.task import Task
from missioncontrol.api.control import PodTaskStatus

log = logging.getLogger(__name__)

NOT_SUPPORTED = "this job isn't supported by the target pod"
INTERRUPTED = "the operator ended while the job was running"


class JobRunner:
    """The jobs of one task."""

    def __init__(
        self,
        task: Task,
        command: PodCommand,
        *,
        api: ManagementApi,
        memory: DatacenterMemory,
        port: int,
        wake: Callable[[], None],
    ) -> None:
        self._task = task
        self._command = command
        self._api = api
        self._memory = memory
        self._port = port
        self._wake = wake

    async def ask(
        self, statuses: dict[str, PodTaskStatus], pods: dict[str, PodState], now: datetime
    ) -> dict[str, PodTaskStatus]:
        """The states after asking about every running job."""
        running = [name for name, status in statuses.items() if status.status == "RUNNING"]
        answers = await asyncio.gather(
            *(self._result(name, statuses[name], pods.get(name)) for name in running)
        )
        changed = dict(statuses)
        for name, answer in zip(running, answers, strict=True):
            if answer is not None:
                changed[name] = after_answer(statuses[name], answer, retries=self._task.retries, now=now)
        return changed

    async def _result(self, name: str, status: PodTaskStatus, pod: PodState | None) -> Result | None:
        if not status.job_id:
            return self._synchronous_result(name)
        if pod is None:
            return Silent(f"the pod {name} is gone")
        try:
            job = await self._api.job(pod, port=self._port, job_id=status.job_id)
        except ManagementError as error:
            return Silent(str(error))
        return Lost() if job is None else job

    def _synchronous_result(self, name: str) -> Result | None:
        key = self._key(name)
        if key in self._memory.finished_calls:
            error = self._memory.finished_calls.pop(key)
            return Job("ERROR", error) if error else Job("COMPLETED")
        return None if key in self._memory.running_calls else Job("ERROR", INTERRUPTED)

    async def begin(self, pod: PodState, before: PodTaskStatus | None, now: datetime) -> PodTaskStatus:
        """Begin the job on a pod; the state it then has."""
        fresh = PodTaskStatus(
            status="RUNNING",
            start_time=timestamp(now),
            retries=before.retries if before is not None else None,
        )
        try:
            call = self._command.call(await self._features(pod))
            if call is None:
                return failed(fresh, NOT_SUPPORTED, retries=0, now=now)
            path, asynchronous = call
            if asynchronous:
                job_id = await self._submit(pod, path)
                return fresh.model_copy(update={"job_id": job_id})
        except NodeRefused as error:
            return failed(fresh, str(error), retries=self._task.retries, now=now)
        except ManagementError as error:
            waiting = PodTaskStatus(
                status="WAITING",
                error=str(error),
                start_time=before.start_time if before and before.start_time else timestamp(now),
                retries=fresh.retries,
            )
            return after_answer(waiting, Silent(str(error)), retries=0, now=now)
        self._run_synchronously(pod, path)
        return fresh

    async def _submit(self, pod: PodState, path: str) -> str:
        args = self._task.arguments
        return await self._api.submit(
            pod, port=self._port, path=path, body=self._command.body(args), query=self._command.query(args)
        )

    def _run_synchronously(self, pod: PodState, path: str) -> None:
        key, args = self._key(pod.name), self._task.arguments

        async def run() -> None:
            try:
                await self._api.run(
                    pod,
                    port=self._port,
                    path=path,
                    body=self._command.body(args),
                    query=self._command.query(args),
                )
                self._memory.finished_calls[key] = ""
            except ManagementError as error:
                self._memory.finished_calls[key] = str(error)
            finally:
                self._memory.running_calls.discard(key)
            self._wake()

        self._memory.running_calls.add(key)
        self._memory.spawn(run(), name=f"{self._command.name} {pod.namespace}/{pod.name}")

    async def _features(self, pod: PodState) -> frozenset[str]:
        known = self._memory.features.get(pod.incarnation)
        if known is None:
            known = self._memory.features[pod.incarnation] = await self._api.features(pod, port=self._port)
        return known

    def _key(self, pod: str) -> str:
        return f"{self._task.metadata.uid}/{pod}"
