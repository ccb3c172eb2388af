"""The status of a K8ssandraCluster: what its datacenters say, and the sentence that says what is going on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from controllers.k8ssandra.decide import Plan
from controllers.k8ssandra.state import Snapshot
from controllers.k8ssandra.views import condition, holds
from missioncontrol.api.names import Condition, Reason
from missioncontrol.kube.views import Object
from missioncontrol.validation.values import mapping, sequence

NO_ERROR: Final = "None"
_ESSENTIALS: Final = (
    "cassandraOperatorProgress",
    "conditions",
    "datacenterName",
    "lastServerNodeStarted",
    "nodeStatuses",
    "observedGeneration",
    "failedStarts",
)


def cluster_status(snapshot: Snapshot, plan: Plan, *, now: datetime, waiting: str = "") -> dict[str, Any]:
    """The whole status; `waiting` is what was found out while acting."""
    waiting = plan.waiting or waiting
    settled = plan.settled and not waiting
    initialized = settled or holds(snapshot.status, Condition.CASSANDRA_INITIALIZED)
    conditions = [
        _condition(snapshot, now, Condition.READY, settled, *_reason(plan, waiting)),
        _condition(snapshot, now, Condition.REQUIRES_UPDATE, bool(plan.requires_update), *_outdated(plan)),
    ]
    if initialized:
        conditions.insert(
            0, _condition(snapshot, now, Condition.CASSANDRA_INITIALIZED, True, Reason.AS_EXPECTED)
        )
    status: dict[str, Any] = {
        "conditions": conditions,
        "datacenters": datacenters(snapshot),
        "error": plan.error or NO_ERROR,
    }
    if settled:
        status["observedGeneration"] = snapshot.cluster.metadata.generation
    return status


def deleting_status(snapshot: Snapshot, *, now: datetime, waiting: str) -> dict[str, Any]:
    """The status while everything of a cluster is being removed."""
    ready = _condition(snapshot, now, Condition.READY, False, Reason.DELETING, waiting)
    others = [
        mapping(each)
        for each in sequence(snapshot.status.get("conditions"))
        if mapping(each).get("type") != Condition.READY
    ]
    return {"conditions": [*others, ready], "datacenters": datacenters(snapshot), "error": NO_ERROR}


def datacenters(snapshot: Snapshot) -> list[dict[str, Any]]:
    """One entry for each datacenter that exists, in the order of the spec."""
    sizes = {each.name: each.size for each in snapshot.cluster.datacenters}
    order = [
        *(name for name in sizes if name in snapshot.datacenters),
        *sorted(set(snapshot.datacenters) - set(sizes)),
    ]
    return [
        _datacenter(snapshot, name, snapshot.datacenters[name], sizes.get(name))
        for name in order
        if snapshot.owns(snapshot.datacenters[name])
    ]


def changes(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a status that differ; a merge patch of these makes the stored one right.

    Other members stay as they are; what is inside of a member is as wanted, and nothing else.
    """
    return {
        key: _instead(stored.get(key), value) for key, value in wanted.items() if stored.get(key) != value
    }


def _instead(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**dict.fromkeys(old.keys() - new.keys()), **changes(old, new)}


def _datacenter(snapshot: Snapshot, name: str, live: Object, size: int | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": name,
        "readyReplicas": snapshot.serving(name),
        "replicas": size if size is not None else live.spec.get("size", 0),
        "conditions": [_tidy(mapping(each)) for each in sequence(live.status.get("conditions"))],
        "cassandra": {key: live.status[key] for key in _ESSENTIALS if key in live.status},
    }
    if size is None:
        deleting = live.metadata.deletion_timestamp is not None
        told["decommissionProgress"] = "Decommissioning" if deleting else "UpdatingReplication"
    return told


def _tidy(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value not in (None, "")}


def _reason(plan: Plan, waiting: str) -> tuple[Reason, str]:
    if plan.error:
        unsupported = "not supported yet" in plan.error
        taken = "exists already" in plan.error
        return (
            Reason.NOT_SUPPORTED if unsupported else Reason.NAME_TAKEN if taken else Reason.INVALID_SPEC,
            plan.error,
        )
    if waiting:
        return Reason.WAITING, waiting
    return Reason.AS_EXPECTED, "all datacenters are ready"


def _outdated(plan: Plan) -> tuple[Reason, str]:
    if not plan.requires_update:
        return Reason.AS_EXPECTED, ""
    names = ", ".join(plan.requires_update)
    return (
        Reason.UPDATING,
        f"{names} would be rendered differently by this release; it changes with the next change of the spec",
    )


def _condition(
    snapshot: Snapshot, now: datetime, kind: Condition, value: bool, reason: Reason, message: str = ""
) -> dict[str, Any]:
    """A condition whose transition time is that of its last change of status."""
    status = "True" if value else "False"
    before = condition(snapshot.status, kind)
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    told = {
        "type": kind.value,
        "status": status,
        "reason": reason.value,
        "message": message,
        "lastTransitionTime": since or now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "observedGeneration": snapshot.cluster.metadata.generation,
    }
    return told if message else {key: item for key, item in told.items() if key != "message"}
