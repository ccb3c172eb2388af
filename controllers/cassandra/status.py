"""The status of a datacenter after a decision: a pure function, written once at the end of a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controllers.cassandra.actions import DeletePod, Plan, StartNode
from controllers.cassandra.decide.health import node_address
from controllers.cassandra.decide.refusals import is_true
from controllers.cassandra.decide.shrink import pod_of_left_claim
from controllers.cassandra.state import PodState, Snapshot
from missioncontrol.api.names import Condition, NodeState, Progress

Json = dict[str, Any]

METADATA_VERSION = 1
"""Labels carry metadata.name."""
WORDS_SECONDS, MOST_WORDS_SECONDS = 3.0, 10.0
"""How often a status is written in which only words are different: more and more rarely."""


@dataclass
class Done:
    """What was really done of a plan, as far as the status tells of it."""

    failed_starts: set[str] = field(default_factory=set)
    roles_written: bool = False


def next_status(snapshot: Snapshot, plan: Plan, done: Done, now: datetime) -> Json:
    """The members of the status that this operator writes, as they should be now."""
    datacenter = snapshot.datacenter
    before = datacenter.status
    stamp = timestamp(now)
    status: Json = {
        "conditions": _conditions(snapshot, plan, stamp),
        "nodeStatuses": node_statuses(snapshot, plan),
        "failedStarts": _failed_starts(snapshot, done),
    }
    if plan.settled:
        status["cassandraOperatorProgress"] = Progress.READY.value
        status["observedGeneration"] = datacenter.metadata.generation
        status["metadataVersion"] = max(before.metadata_version or 0, METADATA_VERSION)
        status["datacenterName"] = before.datacenter_name or datacenter.name
    elif plan.updating or before.cassandra_operator_progress is None:
        status["cassandraOperatorProgress"] = Progress.UPDATING.value
    if starts_nodes(plan):
        status["lastServerNodeStarted"] = stamp
    status |= plan.status
    if done.roles_written:
        status |= {"superUserUpserted": stamp, "usersUpserted": stamp}
    return status


def patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Json:
    """What a merge patch has to say to get from one to the other; empty when nothing differs."""
    changed: Json = {}
    for key, value in after.items():
        old = before.get(key)
        if old == value or (not value and not old and value is not None and key not in before):
            continue
        if value == []:
            # upstream stores no empty lists
            value = None
        if key == "nodeStatuses" and isinstance(old, Mapping):
            gone = dict.fromkeys(old.keys() - value.keys())
            value = {**value, **gone}
        changed[key] = value
    return changed


@dataclass(frozen=True, slots=True)
class LastWrite:
    """When the status was written last, and how often in succession only words were different."""

    at: datetime
    words: int = 0

    def held_back(self, now: datetime) -> float:
        """For how many seconds other words wait for what changes next: they change with each thing that is
        waited for.
        """
        pause = min(WORDS_SECONDS * (1 << min(self.words, 10)), MOST_WORDS_SECONDS)
        return max(pause - (now - self.at).total_seconds(), 0.0)


def only_words(before: Mapping[str, Any], changed: Json) -> bool:
    """Whether a patch changes nothing but what is said of the way to Ready, which is for people alone."""
    if changed.keys() != {"conditions"}:
        return False
    return _without_words(before.get("conditions") or []) == _without_words(changed["conditions"])


def _without_words(conditions: list[Json]) -> list[Json]:
    return [{**each, "message": ""} if each["type"] == Condition.READY else each for each in conditions]


def node_statuses(snapshot: Snapshot, plan: Plan) -> Json:
    """The nodes that are or were members: what is known stays, what was just seen replaces it. Racks are
    named as in labels.

    The founder of a ring is shown before it is told to start, without a host id: should its pod be lost
    before anybody looked at it again, no other node founds a second ring. If it refuses, it is nobody again.
    """
    known = snapshot.datacenter.status.node_statuses or {}
    found = {name: node.to_dict() for name, node in known.items()}
    for action in plan.actions:
        if isinstance(action, StartNode) and action.founds:
            found.setdefault(action.pod.name, {"rack": action.pod.rack})
        if isinstance(action, DeletePod) and action.refused and not snapshot.bootstrapped(action.pod):
            found.pop(action.pod.name, None)
    for name in _gone(snapshot) & found.keys():
        del found[name]
    for pod in snapshot.living:
        seen = _host_id(snapshot, pod)
        if pod.started and seen:
            found[pod.name] = {
                "hostID": seen,
                "ip": node_address(snapshot, pod),
                "rack": pod.rack,
            }
    return found


def _gone(snapshot: Snapshot) -> set[str]:
    """Nodes that left the ring, once their pods are gone."""
    pods = {pod.name for pod in snapshot.pods}
    left = (pod_of_left_claim(snapshot, claim.name) for claim in snapshot.claims.values() if claim.left)
    return {pod for pod in left if pod and pod not in pods}


def timestamp(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _host_id(snapshot: Snapshot, pod: PodState) -> str:
    address = node_address(snapshot, pod)
    own = snapshot.observed.gossip.get(pod.name)
    tables = [own] if own is not None else list(snapshot.observed.gossip.values())
    for table in tables:
        for endpoint in table:
            if endpoint.address == address or (table is own and endpoint.local):
                return endpoint.host_id
    return ""


def _failed_starts(snapshot: Snapshot, done: Done) -> list[str]:
    failed = {*snapshot.datacenter.status.failed_starts, *done.failed_starts}
    running = {pod.name for pod in snapshot.living if pod.state is NodeState.STARTED and pod.ready}
    return sorted(failed - running - _gone(snapshot))


def _conditions(snapshot: Snapshot, plan: Plan, stamp: str) -> list[Json]:
    before = [condition.to_dict() for condition in snapshot.datacenter.status.conditions]
    wanted = dict(plan.conditions)
    stopped = bool(snapshot.datacenter.spec.stopped)
    if not is_true(snapshot.datacenter, Condition.READY) and not plan.settled and not stopped:
        # upstream says nothing before the first Ready; people want to know what is going on
        wanted.setdefault(Condition.READY, (False, "", plan.sentence))
    merged = {each["type"]: each for each in before}
    for kind, (holds, reason, message) in wanted.items():
        old = merged.get(str(kind))
        status = "True" if holds else "False"
        same = old is not None and old.get("status") == status
        since = old.get("lastTransitionTime") if old is not None and same else None
        merged[str(kind)] = {
            "type": str(kind),
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since or stamp,
        }
    return list(merged.values())


def starts_nodes(plan: Plan) -> bool:
    """Whether a plan tells nodes to start."""
    return any(isinstance(action, StartNode) for action in plan.actions)
