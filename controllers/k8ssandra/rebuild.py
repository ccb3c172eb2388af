"""A datacenter that joins a ring has no data: it is filled from another one, once, when it is ready.

Above all the roles: they lie in a keyspace that is replicated to it only when its nodes are there, and until
they have been streamed nobody can log in. That it is to be done is noted on the K8ssandraCluster before the
datacenter is made, and the note goes when it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controllers.k8ssandra.cluster import Cluster, DatacenterSpec
from controllers.k8ssandra.task_state import is_failed, is_finished
from controllers.k8ssandra.views import condition, is_initialized
from missioncontrol.api.names import Annotation, Condition, Label, LabelValue
from missioncontrol.api.resources import CASSANDRA_TASKS
from missioncontrol.kube.views import Object
from missioncontrol.validation.values import at, integer, text

ALL_AT_ONCE: Final = 0


@dataclass(frozen=True, slots=True)
class Rebuild:
    """How far a datacenter is filled."""

    create: dict[str, Any] | None = None
    """The task to make."""
    waiting: str = ""
    error: str = ""

    @property
    def done(self) -> bool:
        return not (self.create or self.waiting or self.error)


def joins_others(cluster: Cluster, datacenter: DatacenterSpec) -> bool:
    """Whether there is a datacenter before this one in its ring, here or in another plane."""
    elsewhere = cluster.metadata.annotations.get(Annotation.SKIP_USER_CREATION) == "true"
    return datacenter.index > 0 or (cluster.is_managed and elsewhere)


def is_due(cluster: Cluster, datacenter: DatacenterSpec) -> bool:
    """Whether the note says that the datacenter is to be filled."""
    return cluster.metadata.annotations.get(Annotation.REBUILD_DC) == datacenter.name


def task_name(datacenter: DatacenterSpec) -> str:
    return f"{datacenter.name}-rebuild"


def decide(
    cluster: Cluster, datacenter: DatacenterSpec, live: Mapping[str, Object], task: Object | None
) -> Rebuild:
    """What to do about a datacenter that is ready and to be filled."""
    if task is None:
        source = _source(cluster, datacenter, live)
        if not source:
            return Rebuild(waiting=f"datacenter {datacenter.name} waits for one that it can be filled from")
        if source == datacenter.ring_name:
            return Rebuild(error=f"rebuild.sourceDc: {source} cannot be filled from itself")
        return Rebuild(
            create=_task(cluster, datacenter, source),
            waiting=f"datacenter {datacenter.name} is to be filled from {source}",
        )
    status = task.status
    if not is_finished(status):
        ready = integer(status.get("succeeded")) or 0
        return Rebuild(
            waiting=f"datacenter {datacenter.name} is being filled: {ready} of {datacenter.size} nodes"
        )
    if is_failed(status):
        said = condition(status, Condition.FAILED).get("message") or "its task failed"
        return Rebuild(
            waiting=f"datacenter {datacenter.name} could not be filled: {said}; delete the CassandraTask "
            f"{task.metadata.name} to try again, or the annotation {Annotation.REBUILD_DC} to go on without"
        )
    return Rebuild()


def _source(cluster: Cluster, datacenter: DatacenterSpec, live: Mapping[str, Object]) -> str:
    """Whom to stream from, by its name inside Cassandra: as the user says, else the first that is there."""
    chosen = text(at(datacenter.options, "rebuild", "sourceDc")) or cluster.metadata.annotations.get(
        Annotation.REBUILD_SOURCE_DC, ""
    )
    others = [each for each in cluster.datacenters if each.name != datacenter.name]
    there = [
        each.ring_name
        for each in others
        if each.name in live and is_initialized(live[each.name]) and not live[each.name].spec.get("stopped")
    ]
    if chosen and chosen in {each.ring_name for each in others}:
        return chosen if chosen in there else ""
    return chosen or next(iter(there), "")


def _task(cluster: Cluster, datacenter: DatacenterSpec, source: str) -> dict[str, Any]:
    name = task_name(datacenter)
    spec: dict[str, Any] = {
        "datacenter": {"name": datacenter.name, "namespace": cluster.namespace},
        "jobs": [{"name": name, "command": "rebuild", "args": {"source_datacenter": source}}],
    }
    limit = integer(at(datacenter.options, "rebuild", "maxConcurrentRebuilds"))
    if limit is not None:
        spec["maxConcurrentPods"] = max(datacenter.size, 1) if limit == ALL_AT_ONCE else limit
    return {
        "apiVersion": CASSANDRA_TASKS.api_version,
        "kind": CASSANDRA_TASKS.kind,
        "metadata": {
            "name": name,
            "namespace": cluster.namespace,
            "labels": {
                **cluster.ownership_labels,
                **cluster.owned_labels,
                Label.CLEANED_UP_BY: LabelValue.K8SSANDRACLUSTER_CONTROLLER,
                Label.REBUILD_NODES: str(datacenter.size),
            },
        },
        "spec": spec,
    }
