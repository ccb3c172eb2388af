"""ScheduledTasks: a CassandraTask each time that a cron schedule says.

A timer wakes the schedule at its next time. A time that was missed, because the operator was away or because
the task before it still worked, is made up for once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from controllers.cassandra.caches import BY_DATACENTER, Caches, place, schedule_datacenter, task_datacenter
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.status import timestamp
from controllers.runtime import HOME, Done, EventRecorder, Key, Outcome, RequeueAfter, Terminal
from missioncontrol.api.control import (
    FORBIDDING,
    ScheduledTaskDetails,
    ScheduledTaskSpec,
    ScheduledTaskStatus,
)
from missioncontrol.api.names import Component, EventReason
from missioncontrol.api.resources import CASSANDRA_TASKS, SCHEDULED_TASKS
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import AlreadyExists
from missioncontrol.kube.informer import HasMeta
from missioncontrol.kube.views import Object
from missioncontrol.planning.cron import BadSchedule, Schedule, parse

log = logging.getLogger(__name__)

MANAGER = Component.CASS_OPERATOR.value
LONGEST_SLEEP = timedelta(hours=6)
"""A timer may drift; a date in a year is looked at again now and then."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a schedule does now."""

    last: datetime
    """status.lastExecution: the run before the next one."""
    following: datetime | None
    """status.nextSchedule; None when none is in sight."""
    due: datetime | None = None
    """The time for which a task is made now."""
    waits_for: str = ""
    """The task that is waited for, when its time has come."""


def decide(
    schedule: Schedule, *, created: datetime, last: datetime | None, busy: str, now: datetime
) -> Moment:
    """Whether a task is made now; ``busy`` is a task that must end before."""
    before = last or created
    due = schedule.next(before)
    if due is None or due > now:
        return Moment(before, due)
    if busy:
        return Moment(before, due, waits_for=busy)
    return Moment(now, schedule.next(now), due=due)


class ScheduleReconciler:
    """Reconciles ScheduledTasks."""

    def __init__(self, *, client: Client, caches: Caches, recorder: EventRecorder) -> None:
        self._client = client
        self._caches = caches
        self._recorder = recorder

    def of_datacenter(self, view: Object) -> Iterable[Key]:
        """The schedules of a datacenter."""
        key = place(view.metadata.namespace, view.metadata.name)
        return [_key(each) for each in self._caches.schedules.by(BY_DATACENTER, key)]

    def of_task(self, task: Object) -> Iterable[Key]:
        """The schedules that may have waited for a task to end."""
        found = self._caches.schedules.by(BY_DATACENTER, task_datacenter(task))
        return [_key(each) for each in found]

    async def reconcile(self, key: Key) -> Outcome:
        """Make a task, or wait for the time."""
        view = self._caches.schedules.get(key.namespace, key.name)
        if view is None or view.metadata.deletion_timestamp is not None:
            return Done()
        try:
            spec = ScheduledTaskSpec.model_validate(view.spec)
            status = ScheduledTaskStatus.model_validate(view.status)
            schedule = parse(spec.schedule or "")
        except (ValidationError, BadSchedule) as error:
            return self._invalid(view, error)
        found = self._datacenter(view)
        if found is None:
            return Done("waiting for its datacenter, which does not exist")  # its creation wakes the schedule
        datacenter = Datacenter.of(found)
        await self._adopt(view, datacenter)
        now = datetime.now(UTC)
        moment = decide(
            schedule,
            created=view.metadata.creation_timestamp or now,
            last=datetime.fromisoformat(status.last_execution) if status.last_execution else None,
            busy=self._busy(view, spec),
            now=now,
        )
        if moment.due is not None:
            await self._create(view, datacenter, moment.due)
        await self._write(view, moment)
        if moment.waits_for:
            return Done(f"its time has come; waiting for the task {moment.waits_for}")  # its end wakes it
        if moment.following is None:
            return Done("the schedule names no time within five years")
        sleep = min(moment.following - now, LONGEST_SLEEP)
        return RequeueAfter(max(sleep.total_seconds(), 0.0), f"next at {timestamp(moment.following)}")

    def _datacenter(self, view: Object) -> Object | None:
        namespace, _, name = schedule_datacenter(view).partition("/")
        return self._caches.datacenters.get(namespace, name)

    def _busy(self, view: Object, spec: ScheduledTaskSpec) -> str:
        """An unfinished task with the same command, if the schedule does not allow two at a time."""
        details = spec.task_details or ScheduledTaskDetails()
        if details.concurrency_policy not in FORBIDDING:
            return ""
        commands = {job.command for job in details.jobs}
        for task in self._caches.tasks.by(BY_DATACENTER, schedule_datacenter(view)):
            jobs = task.spec.get("jobs") or ()
            if not task.status.get("completionTime") and commands & {job.get("command") for job in jobs}:
                return task.metadata.name
        return ""

    async def _adopt(self, view: Object, datacenter: Datacenter) -> None:
        """The datacenter owns its schedules, unless somebody else does."""
        metadata = view.metadata
        if metadata.owner_references or metadata.namespace != datacenter.namespace:
            return
        patch = {
            "resourceVersion": metadata.resource_version,
            "ownerReferences": [datacenter.owner_reference],
        }
        await self._patch(view, {"metadata": patch})

    async def _create(self, view: Object, datacenter: Datacenter, due: datetime) -> None:
        details = dict(view.spec.get("taskDetails") or {})
        details.pop("name", None)
        # named after its time, so that it is made once, however often this is decided
        name = f"{view.metadata.name}-{int(due.timestamp())}"
        metadata: dict[str, Any] = {
            "name": name,
            "namespace": view.metadata.namespace,
            "labels": datacenter.labels(datacenter.datacenter_labels),
        }
        if datacenter.annotations:
            metadata["annotations"] = datacenter.annotations
        body = {
            "apiVersion": CASSANDRA_TASKS.api_version,
            "kind": CASSANDRA_TASKS.kind,
            "metadata": metadata,
            "spec": details,
        }
        try:
            made = await self._client.create(CASSANDRA_TASKS, body, field_manager=MANAGER)
            self._caches.tasks.observe(made)
        except AlreadyExists:
            log.debug("the task %s was made before", name)
            return
        self._tell(view, EventReason.CREATE_CASSANDRA_TASK, f"Created CassandraTask {name}")

    async def _write(self, view: Object, moment: Moment) -> None:
        wanted = {
            "lastExecution": timestamp(moment.last),
            "nextSchedule": timestamp(moment.following) if moment.following else None,
        }
        told = {key: value for key, value in wanted.items() if view.status.get(key) != value}
        if told:
            await self._patch(view, {"status": told}, subresource="status")

    async def _patch(self, view: Object, patch: Mapping[str, Any], *, subresource: str | None = None) -> None:
        written = await self._client.merge_patch(
            SCHEDULED_TASKS,
            view.metadata.name,
            dict(patch),
            namespace=view.metadata.namespace,
            subresource=subresource,
            field_manager=MANAGER,
        )
        self._caches.schedules.observe(written)

    def _invalid(self, view: Object, error: ValidationError | BadSchedule) -> Outcome:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            sentence = f"spec.{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        else:
            sentence = f"spec.schedule: {error}"
        self._tell(view, EventReason.INVALID_SPEC, sentence, warning=True)
        return Terminal(sentence)

    def _tell(self, view: Object, reason: EventReason, note: str, *, warning: bool = False) -> None:
        self._recorder.event(
            SCHEDULED_TASKS,
            view.metadata,
            reason=reason,
            note=note,
            type="Warning" if warning else "Normal",
            action=reason,
        )


def _key(view: HasMeta) -> Key:
    return Key(HOME, view.metadata.namespace, view.metadata.name)
