"""A CassandraTask as the engine thinks of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from controllers.cassandra.caches import task_datacenter
from missioncontrol.api.control import (
    FORBIDDING,
    CassandraJob,
    CassandraTaskSpec,
    CassandraTaskStatus,
    JobArguments,
)
from missioncontrol.api.names import Annotation, Label, LabelValue
from missioncontrol.kube.views import Meta, Object

DEFAULT_TTL = 86400
DEFAULT_RETRIES = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One task."""

    metadata: Meta
    spec: CassandraTaskSpec
    status: CassandraTaskStatus
    datacenter: str
    """Namespace and name of the datacenter, joined."""

    @classmethod
    def of(cls, view: Object) -> Task:
        return cls(
            metadata=view.metadata,
            spec=CassandraTaskSpec.model_validate(view.spec),
            status=CassandraTaskStatus.model_validate(view.status),
            datacenter=task_datacenter(view),
        )

    @property
    def job(self) -> CassandraJob:
        return self.spec.jobs[0]

    @property
    def arguments(self) -> JobArguments:
        return self.job.args or JobArguments()

    @property
    def claimed(self) -> bool:
        return self.metadata.labels.get(Label.TASK_STATUS) == LabelValue.TASK_ACTIVE

    @property
    def completed(self) -> bool:
        return self.metadata.labels.get(Label.TASK_STATUS) == LabelValue.TASK_COMPLETED

    @property
    def allows_others(self) -> bool:
        return self.spec.concurrency_policy not in FORBIDDING

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked to stop it."""
        return Annotation.CANCEL in self.metadata.annotations

    @property
    def retries(self) -> int:
        """How often a failed job is tried again."""
        if self.spec.restart_policy == "Never":
            return 0
        return DEFAULT_RETRIES if self.spec.retries is None else self.spec.retries

    @property
    def expires_at(self) -> datetime | None:
        """When a finished task is to be deleted; None for never."""
        ttl = self.spec.ttl_seconds_after_finished
        seconds = DEFAULT_TTL if ttl is None else ttl
        if not seconds or not self.status.completion_time:
            return None
        return datetime.fromisoformat(self.status.completion_time) + timedelta(seconds=seconds)

    @property
    def scheduled_at(self) -> datetime | None:
        return datetime.fromisoformat(self.spec.scheduled_time) if self.spec.scheduled_time else None


def blocker(task: Task, others: list[Task]) -> Task | None:
    """The task that this one has to wait for: an active one, or an older one that waits as well."""
    for other in sorted(others, key=_age):
        if other.metadata.uid == task.metadata.uid or other.completed or other.status.completion_time:
            continue
        if task.allows_others and other.allows_others:
            continue
        waits_before = not other.claimed and _age(other) < _age(task) and other.scheduled_at is None
        if other.claimed or waits_before:
            return other
    return None


def _age(task: Task) -> tuple[str, str]:
    created = task.metadata.creation_timestamp
    return (created.isoformat() if created else "", task.metadata.name)
