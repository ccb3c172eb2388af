"""The reconciler of CassandraTasks: claim, check, run step by step, finish, and delete in due time.

A task that cannot be carried out fails with a sentence that says why; it never stays active, so that it
blocks no task behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from controllers.cassandra.caches import BY_DATACENTER, Caches, datacenter_key
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.gather import ask_health, from_caches
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.memory import DatacenterMemory, Memories
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.state import RackSet
from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks import jobs
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.commands import PodCommand, find_command
from controllers.cassandra.tasks.restart import decide_restart
from controllers.cassandra.tasks.runner import JobRunner
from controllers.cassandra.tasks.task import Task, blocker
from controllers.runtime import HOME, Done, EventRecorder, Key, Outcome, RequeueAfter, Terminal
from missioncontrol.api.control import JobArguments
from missioncontrol.api.names import Annotation, Component, Label, LabelValue
from missioncontrol.api.resources import CASSANDRA_TASKS, STATEFUL_SETS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.informer import HasMeta
from missioncontrol.kube.views import Object

log = logging.getLogger(__name__)

MANAGER = Component.CASS_OPERATOR.value
JOB_PAUSE = 1.0
"""Seconds between two questions about a job: a node tells nobody by itself that it is done."""
HEALTH_PAUSE = 1.0
MISSING_PAUSE = 10.0
LONG_PAUSE = 60.0


class TaskReconciler:
    """Reconciles tasks; several of one datacenter are told apart by their claims."""

    def __init__(
        self,
        *,
        client: Client,
        caches: Caches,
        api: ManagementApi,
        memories: Memories,
        recorder: EventRecorder,
        wake: Callable[[Key], None],
        images: ImageConfig | None = None,
    ) -> None:
        self._client = client
        self._caches = caches
        self._api = api
        self._memories = memories
        self._recorder = recorder
        self._wake = wake
        self._images = images or ImageConfig()

    # --- whom a change concerns ----------------------------------------------------------------

    def siblings(self, view: Object) -> Iterable[Key]:
        """A task, and those of its datacenter that may be waiting for it."""
        task = _parsed(view)
        others = self._caches.tasks.by(BY_DATACENTER, task.datacenter) if task else []
        waiting = (each for each in others if not each.status.get("completionTime"))
        return {_key(view), *(_key(each) for each in waiting)}

    def of_datacenter(self, view: HasMeta) -> Iterable[Key]:
        """The tasks that work on the datacenter of a StatefulSet or pod."""
        tasks = self._caches.tasks.by(BY_DATACENTER, datacenter_key(view))
        active = LabelValue.TASK_ACTIVE
        return [_key(each) for each in tasks if each.metadata.labels.get(Label.TASK_STATUS) == active]

    # --- one task ------------------------------------------------------------------------------

    async def reconcile(self, key: Key) -> Outcome:
        """Bring a task one step further."""
        view = self._caches.tasks.get(key.namespace, key.name)
        if view is None or view.metadata.deletion_timestamp is not None:
            return Done()
        try:
            task = Task.of(view)
        except ValidationError as error:
            return Terminal(f"the task cannot be read: {error.errors()[0]['msg']}")
        now = datetime.now(UTC)
        if task.status.completion_time:
            return await self._after_end(task, now)
        if task.scheduled_at is not None and task.scheduled_at > now:
            return RequeueAfter(
                (task.scheduled_at - now).total_seconds(), f"begins at {task.spec.scheduled_time}"
            )
        namespace, _, name = task.datacenter.partition("/")
        found = self._caches.datacenters.get(namespace, name)
        if found is None:
            return RequeueAfter(
                MISSING_PAUSE, f"waiting for the datacenter {task.datacenter}, which does not exist"
            )
        datacenter = Datacenter.of(found)
        memory = self._memories.of(datacenter.uid)
        async with memory.lock:
            return await self._proceed(view, task, datacenter, memory, now)

    async def _proceed(
        self, view: Object, task: Task, datacenter: Datacenter, memory: DatacenterMemory, now: datetime
    ) -> Outcome:
        if not task.claimed:
            others = [Task.of(each) for each in self._caches.tasks.by(BY_DATACENTER, task.datacenter)]
            first = blocker(task, others)
            if first is not None and not task.cancelled:
                return RequeueAfter(LONG_PAUSE, f"waiting for the task {first.metadata.name}")
            await self._claim(task, datacenter)
            return RequeueAfter(0.0, "claimed")
        if not task.status.start_time:
            await self._write(view, statuses.begun(task, now))
            return RequeueAfter(0.0, "begun")
        args = task.spec.jobs[0].args if task.spec.jobs else None
        name = task.spec.jobs[0].command if task.spec.jobs else ""
        command = find_command(len(task.spec.jobs), name, args or JobArguments())
        if isinstance(command, str):
            await self._write(view, statuses.ended(task, now=now, error=f"terminal error: {command}"))
            return Terminal(command)
        if isinstance(command, PodCommand):
            return await self._jobs(view, task, command, datacenter, memory, now)
        return await self._restart(view, task, datacenter, memory, now)

    async def _claim(self, task: Task, datacenter: Datacenter) -> None:
        owners: list[dict[str, Any]] = [
            {"apiVersion": each.api_version, "kind": each.kind, "name": each.name, "uid": each.uid}
            | ({"controller": True} if each.controller else {})
            | ({"blockOwnerDeletion": True} if each.block_owner_deletion else {})
            for each in task.metadata.owner_references
        ]
        if datacenter.namespace == task.metadata.namespace and not any(
            o["uid"] == datacenter.uid for o in owners
        ):
            reference = dict(datacenter.owner_reference)
            if any(owner.get("controller") for owner in owners):
                reference.pop("controller")
            owners.append(reference)
        labels = datacenter.labels(datacenter.datacenter_labels) | {Label.TASK_STATUS: LabelValue.TASK_ACTIVE}
        spec = {
            "restartPolicy": task.spec.restart_policy or "OnFailure",
            "concurrencyPolicy": task.spec.concurrency_policy or "Forbid",
        }
        metadata: dict[str, Any] = {
            "labels": labels,
            "ownerReferences": owners,
            "resourceVersion": task.metadata.resource_version,
        }
        if datacenter.annotations:
            metadata["annotations"] = datacenter.annotations
        await self._patch(task, {"metadata": metadata, "spec": spec})

    # --- restart -------------------------------------------------------------------------------

    async def _restart(
        self, view: Object, task: Task, datacenter: Datacenter, memory: DatacenterMemory, now: datetime
    ) -> Outcome:
        snapshot = from_caches(datacenter, self._caches, memory, self._images, now)
        began = task.status.start_time or ""
        rack, cancelled = task.arguments.rack, task.cancelled
        step = decide_restart(snapshot, began=began, rack=rack, cancelled=cancelled, asked=False)
        if step.needs_gossip:
            snapshot = replace(snapshot, observed=await ask_health(snapshot, self._api))
            step = decide_restart(snapshot, began=began, rack=rack, cancelled=cancelled, asked=True)
        if step.mark is not None:
            await self._mark(step.mark, datacenter, began)
        if step.finished:
            wrong = (
                ""
                if step.succeeded or step.stopped
                else f"terminal error: spec.jobs[0].args.rack: {step.sentence}"
            )
            stopped = step.sentence if step.stopped else ""
            end = statuses.ended(task, now=now, succeeded=step.succeeded, error=wrong, stopped=stopped)
            await self._write(view, end)
            return Done(step.sentence)
        going = statuses.running(task, succeeded=step.succeeded, failed=0, sentence=step.sentence, now=now)
        await self._write(view, going)
        waits = step.needs_gossip or snapshot.observed.gossip
        return RequeueAfter(HEALTH_PAUSE if waits else LONG_PAUSE, step.sentence)

    async def _mark(self, live: RackSet, datacenter: Datacenter, began: str) -> None:
        patch = {
            "metadata": {"resourceVersion": live.resource_version},
            "spec": {"template": {"metadata": {"annotations": {Annotation.RESTARTED_AT: began}}}},
        }
        await self._client.merge_patch(
            STATEFUL_SETS, live.name, patch, namespace=datacenter.namespace, field_manager=MANAGER
        )

    # --- jobs on pods --------------------------------------------------------------------------

    async def _jobs(
        self,
        view: Object,
        task: Task,
        command: PodCommand,
        datacenter: Datacenter,
        memory: DatacenterMemory,
        now: datetime,
    ) -> Outcome:
        snapshot = from_caches(datacenter, self._caches, memory, self._images, now)
        pods = {pod.name: pod for pod in snapshot.living}
        port, key = datacenter.management_port, _key(view)
        runner = JobRunner(
            task, command, api=self._api, memory=memory, port=port, wake=lambda: self._wake(key)
        )
        states = await runner.ask(dict(task.status.pod_statuses or {}), pods, now)
        step = jobs.next_round(task, snapshot.living, states)
        for pod in step.begin:
            states[pod.name] = await runner.begin(pod, states.get(pod.name), now)
        if step.begin:
            step = jobs.next_round(task, snapshot.living, states)
        succeeded, failed = jobs.counts(states)
        shown = {"podStatuses": {name: state.to_dict() for name, state in states.items()}} if states else {}
        if step.finished:
            stopped = step.waiting if step.stopped else ""
            end = statuses.ended(task, now=now, succeeded=succeeded, failed=failed, stopped=stopped)
            await self._write(view, {**shown, **end})
            return Done(f"{command.name}: {succeeded} pods done, {failed} failed")
        going = statuses.running(task, succeeded=succeeded, failed=failed, sentence=step.waiting, now=now)
        await self._write(view, {**shown, **going})
        return RequeueAfter(JOB_PAUSE, step.waiting)

    # --- the end -------------------------------------------------------------------------------

    async def _after_end(self, task: Task, now: datetime) -> Outcome:
        if not task.completed:
            labels = {Label.TASK_STATUS: LabelValue.TASK_COMPLETED}
            await self._patch(task, {"metadata": {"labels": labels}})
        expires = task.expires_at
        if expires is None:
            return Done()
        if expires > now:
            return RequeueAfter((expires - now).total_seconds())
        metadata = task.metadata
        try:
            await self._client.delete(
                CASSANDRA_TASKS, metadata.name, namespace=metadata.namespace, uid=metadata.uid
            )
        except NotFound:
            log.debug("the task is gone already")
        return Done(f"deleted, as it expired at {timestamp(expires)}")

    async def _patch(self, task: Task, patch: dict[str, Any]) -> None:
        await self._client.merge_patch(
            CASSANDRA_TASKS,
            task.metadata.name,
            patch,
            namespace=task.metadata.namespace,
            field_manager=MANAGER,
        )

    async def _write(self, view: Object, after: dict[str, Any]) -> None:
        patch = statuses.changed(view.status, after)
        if not patch:
            return
        await self._client.merge_patch(
            CASSANDRA_TASKS,
            view.metadata.name,
            {"metadata": {"resourceVersion": view.metadata.resource_version}, "status": patch},
            namespace=view.metadata.namespace,
            subresource="status",
            field_manager=MANAGER,
        )


def _key(view: HasMeta) -> Key:
    return Key(HOME, view.metadata.namespace, view.metadata.name)


def _parsed(view: Object) -> Task | None:
    try:
        return Task.of(view)
    except ValidationError:
        return None
