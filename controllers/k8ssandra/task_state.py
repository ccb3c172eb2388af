"""What a decision about a K8ssandraTask is made on, and how its parts in the datacenters are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.views import holds
from missioncontrol.api.control import FORBIDDING
from missioncontrol.api.names import Annotation, Condition
from missioncontrol.kube.views import Object
from missioncontrol.validation.values import at, integer, mapping, sequence, text

DEFAULT_TTL_SECONDS: Final = 86400


@dataclass(frozen=True)
class TaskSnapshot:
    """A K8ssandraTask, its cluster (None if there is none of the name) and its CassandraTasks by name."""

    task: Object
    cluster: Cluster | None
    parts: Mapping[str, Object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.task.metadata.name

    @property
    def namespace(self) -> str:
        return self.task.metadata.namespace

    @property
    def template(self) -> Mapping[str, Any]:
        return mapping(self.task.spec.get("template"))

    @property
    def datacenters(self) -> list[str]:
        """The datacenters to work on, in the order in which it is done."""
        listed = [text(each) for each in sequence(self.task.spec.get("datacenters"))]
        if listed or self.cluster is None:
            return listed
        return [each.name for each in self.cluster.datacenters]

    @property
    def one_by_one(self) -> bool:
        return self.task.spec.get("dcConcurrencyPolicy") in FORBIDDING

    @property
    def cancelled(self) -> str:
        """The value of the cancel annotation; empty while nobody asked for that."""
        return self.task.metadata.annotations.get(Annotation.CANCEL, "")

    @property
    def completed_at(self) -> datetime | None:
        return _time(self.task.status.get("completionTime"))

    @property
    def ttl_seconds(self) -> int:
        given = integer(self.template.get("ttlSecondsAfterFinished"))
        return DEFAULT_TTL_SECONDS if given is None else given

    def part_name(self, datacenter: str) -> str:
        return f"{self.name}-{datacenter}"

    def part_status(self, datacenter: str) -> Mapping[str, Any] | None:
        """How far the task is in a datacenter: as its CassandraTask says, or said before it was deleted."""
        part = self.parts.get(self.part_name(datacenter))
        if part is not None:
            return part.status
        recorded = at(self.task.status, "datacenters", datacenter)
        return mapping(recorded) if is_finished(mapping(recorded)) else None


def is_finished(status: Mapping[str, Any]) -> bool:
    return bool(status.get("completionTime"))


def is_failed(status: Mapping[str, Any]) -> bool:
    return holds(status, Condition.FAILED) or bool(integer(status.get("failed")))


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text(value))
    except ValueError:
        return None
