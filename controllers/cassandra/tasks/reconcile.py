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

from controllers.cassandra.caches import BY_DATACENTER, Caches, datacenter_key, place
from controllers.cassandra.certificates import Certificates
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.memory import DatacenterMemory, Memories
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.status import timestamp
from controllers.cassandra.tasks import on_datacenter, on_nodes, on_pods, on_racks
from controllers.cassandra.tasks import status as statuses
from controllers.cassandra.tasks.calls import TaskMemory
from controllers.cassandra.tasks.commands import (
    Command,
    DatacenterCommand,
    PodCommand,
    ReplaceCommand,
    find_command,
)
from controllers.cassandra.tasks.scene import MANAGER, Scene, Tools
from controllers.cassandra.tasks.task import Task, blocker
from controllers.runtime import HOME, Done, EventRecorder, Key, Outcome, RequeueAfter, Terminal
from missioncontrol.api.names import EventReason, Label, LabelValue
from missioncontrol.api.resources import CASSANDRA_TASKS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.informer import HasMeta
from missioncontrol.kube.views import Object

log = logging.getLogger(__name__)

LONG_PAUSE = 60.0
"""What is waited for wakes the task; this is for what is missed."""


class TaskReconciler:
    """Reconciles tasks; several of one datacenter are told apart by their claims."""

    def __init__(
        self,
        *,
        client: Client,
        caches: Caches,
        api: ManagementApi,
        certificates: Certificates,
        memories: Memories,
        recorder: EventRecorder,
        wake: Callable[[Key], None],
        images: Callable[[], ImageConfig] = ImageConfig,
    ) -> None:
        self._images = images
        self._tools = Tools(client, caches, api, recorder, images())
        self._certificates = certificates
        self._memories = memories
        self._wake = wake
        self._under_way: dict[Key, TaskMemory] = {}
        """What is known of the tasks that run."""

    # --- whom a change concerns ----------------------------------------------------------------

    def siblings(self, view: Object) -> Iterable[Key]:
        """A task, and those of its datacenter that may be waiting for it."""
        task = _parsed(view)
        others = self._tools.caches.tasks.by(BY_DATACENTER, task.datacenter) if task else []
        waiting = (each for each in others if not each.status.get("completionTime"))
        return {_key(view), *(_key(each) for each in waiting)}

    def of_datacenter(self, view: HasMeta) -> Iterable[Key]:
        """The tasks that work on the datacenter of a StatefulSet or pod."""
        tasks = self._tools.caches.tasks.by(BY_DATACENTER, datacenter_key(view))
        active = LabelValue.TASK_ACTIVE
        return [_key(each) for each in tasks if each.metadata.labels.get(Label.TASK_STATUS) == active]

    def waiting_for(self, datacenter: Object) -> Iterable[Key]:
        """The tasks that name a datacenter and have not ended."""
        key = place(datacenter.metadata.namespace, datacenter.metadata.name)
        tasks = self._tools.caches.tasks.by(BY_DATACENTER, key)
        return [_key(each) for each in tasks if not each.status.get("completionTime")]

    # --- one task ------------------------------------------------------------------------------

    async def reconcile(self, key: Key) -> Outcome:
        """Bring a task one step further."""
        view = self._tools.caches.tasks.get(key.namespace, key.name)
        if view is None or view.metadata.deletion_timestamp is not None:
            self._forget(key)
            return Done()
        try:
            task = Task.of(view)
        except ValidationError as error:
            return Terminal(f"the task cannot be read: {error.errors()[0]['msg']}")
        now = datetime.now(UTC)
        if task.status.completion_time:
            self._forget(key)
            return await self._after_end(task, now)
        if task.scheduled_at is not None and task.scheduled_at > now and not task.cancelled:
            return RequeueAfter(
                (task.scheduled_at - now).total_seconds(), f"begins at {task.spec.scheduled_time}"
            )
        namespace, _, name = task.datacenter.partition("/")
        found = self._tools.caches.datacenters.get(namespace, name)
        if found is None:
            return await self._homeless(view, task, now)
        datacenter = Datacenter.of(found)
        shared = self._memories.of(datacenter.uid)
        if not task.claimed:
            async with shared.claims:
                first = self._before(task)
                if first is not None and not task.cancelled:
                    return RequeueAfter(LONG_PAUSE, f"waiting for the task {first.metadata.name}")
                await self._claim(task, datacenter)
            return RequeueAfter(0.0, "claimed")
        return await self._proceed(view, task, datacenter, shared, now)

    async def _homeless(self, view: Object, task: Task, now: datetime) -> Outcome:
        sentence = f"waiting for the datacenter {task.datacenter}, which does not exist"
        patch = statuses.changed(view.status, statuses.waiting(task, sentence, now))
        if patch:
            await self._patch(task, {"status": patch}, subresource="status")
        return Done(sentence)  # its creation wakes the task

    def _before(self, task: Task) -> Task | None:
        """The task that has to end, or to begin, first."""
        views = self._tools.caches.tasks.by(BY_DATACENTER, task.datacenter)
        others = (_parsed(each) for each in views if each.metadata.deletion_timestamp is None)
        return blocker(task, [each for each in others if each is not None])

    async def _proceed(
        self, view: Object, task: Task, datacenter: Datacenter, shared: DatacenterMemory, now: datetime
    ) -> Outcome:
        key = _key(view)
        api = await self._certificates.api(self._tools.api, datacenter)
        scene = Scene(
            tools=replace(self._tools, api=api, images=self._images()),
            view=view,
            task=task,
            datacenter=datacenter,
            memory=self._remember(key, task.metadata.uid),
            shared=shared,
            now=now,
            wake=lambda: self._wake(key),
        )
        command = self._command(scene)
        if isinstance(command, str):
            await scene.end(statuses.ended(task, now=now, error=f"terminal error: {command}"))
            return Terminal(command)
        if not task.status.start_time:
            await scene.write(statuses.begun(task, now))
            scene.tell(EventReason.TASK_STARTED, f"{command.name} begins on {datacenter.name}")
            return RequeueAfter(0.0, "begun")
        match command:
            case PodCommand():
                return await on_pods.step(scene, command)
            case DatacenterCommand():
                return await on_datacenter.refresh(scene)
            case ReplaceCommand():
                # the datacenter's own reconciler writes the same status
                async with shared.lock:
                    return await on_nodes.step(scene)
            case _:
                # no two may decide about the StatefulSets of a datacenter at the same time
                async with shared.lock:
                    return await on_racks.step(scene)

    def _remember(self, key: Key, uid: str) -> TaskMemory:
        known = self._under_way.get(key)
        if known is None or known.uid != uid:
            self._forget(key)
            known = self._under_way[key] = TaskMemory(uid)
        return known

    def _forget(self, key: Key) -> None:
        """Of a task that is over nobody waits for answers any more."""
        known = self._under_way.pop(key, None)
        for call in known.under_way.values() if known is not None else ():
            call.cancel()

    def _command(self, scene: Scene) -> Command | str:
        """The command; arguments are checked against what exists only before the first step."""
        jobs = scene.task.spec.jobs
        name = jobs[0].command if jobs else ""
        args = jobs[0].args if jobs else None
        facts = scene.facts() if not scene.task.status.start_time else None
        command = find_command(len(jobs), name, args, facts)
        works_on_nodes = isinstance(command, PodCommand | ReplaceCommand)
        if facts is not None and works_on_nodes and scene.datacenter.spec.stopped:
            return f"the datacenter {scene.datacenter.name} is stopped: no node runs that could be worked on"
        return command

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
        jobs = [job.model_dump(by_alias=True, exclude_unset=True) for job in task.spec.jobs]
        spec: dict[str, Any] = {
            "jobs": [{**job, "args": job.get("args") or {}} for job in jobs],
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
            await self._tools.client.delete(
                CASSANDRA_TASKS, metadata.name, namespace=metadata.namespace, uid=metadata.uid
            )
        except NotFound:
            log.debug("the task is gone already")
        return Done(f"deleted, as it expired at {timestamp(expires)}")

    async def _patch(self, task: Task, patch: dict[str, Any], *, subresource: str | None = None) -> None:
        written = await self._tools.client.merge_patch(
            CASSANDRA_TASKS,
            task.metadata.name,
            patch,
            namespace=task.metadata.namespace,
            subresource=subresource,
            field_manager=MANAGER,
        )
        # whoever asks next who works on the datacenter must see this claim
        self._tools.caches.tasks.observe(written)


def _key(view: HasMeta) -> Key:
    return Key(HOME, view.metadata.namespace, view.metadata.name)


def _parsed(view: Object) -> Task | None:
    try:
        return Task.of(view)
    except ValidationError:
        return None
