"""Who may write at all, before anything is said about what is written.

In the storage group of the control plane only our own components write; in a data plane, what carries the
labels of a control plane changes only through its operators. A person can get past with an annotation that
gives a reason (RBAC still has to allow the write; see glass.py), and gets a warning. Kubernetes' own cleaners
always pass.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from missioncontrol.api.names import Annotation, Component, Label
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    STORED_DATACENTERS,
    VIRTUAL_GROUP,
)
from webhooks.glass import YOUNG, broken_by
from webhooks.requester import Identities, is_cleaner
from webhooks.review import Request, Verdict, forbid, labels_of

OWNERSHIP: Final = (Label.CONTROL_PLANE, Label.MC_CLUSTER_NAMESPACE, Label.MC_CLUSTER_NAME)


@dataclass(frozen=True, slots=True)
class Passage:
    """The guard lets a request pass, perhaps with a warning."""

    warnings: tuple[str, ...] = ()


def guard_storage(request: Request, identities: Identities, now: datetime.datetime) -> Passage | Verdict:
    """The storage group: our API server and mission-control-operator, nobody else."""
    user = request.user_info
    if is_cleaner(user) or identities.is_component(user, Component.MISSION_CONTROL_OPERATOR):
        return Passage()
    observed = request.resource.resource == STORED_DATACENTERS.plural
    if identities.is_component(user, Component.APISERVER) and not observed:
        return Passage()
    what = f"{request.resource.resource}.{request.resource.group}"
    if observed:
        advice = f"{what} tell what mission-control-operator has seen and are written by it alone"
    else:
        served = f"{request.resource.resource}.{VIRTUAL_GROUP}"
        advice = f"{what} is where Mission Control keeps its objects: use {served}"
    return _break_glass(request, advice, now)


def guard_data_plane(request: Request, identities: Identities, now: datetime.datetime) -> Passage | Verdict:
    """Objects of a control plane: its operator's identity here, and the operators of this plane."""
    user = request.user_info
    if is_cleaner(user) or not (_owned(request.object) or _owned(request.old_object)):
        return Passage()
    if identities.is_component(user, Component.MISSION_CONTROL_OPERATOR, Component.K8SSANDRA_OPERATOR):
        return Passage()
    if identities.is_component(user, Component.CASS_OPERATOR) and _is_own_work(request):
        return Passage()
    owner = labels_of(request.old_object) or labels_of(request.object)
    cluster = f"{owner.get(Label.MC_CLUSTER_NAMESPACE, '?')}/{owner.get(Label.MC_CLUSTER_NAME, '?')}"
    advice = (
        f"this {request.kind.kind} belongs to MissionControlCluster {cluster} of control plane "
        f"{owner.get(Label.CONTROL_PLANE, '?')}: change it there"
    )
    return _break_glass(request, advice, now)


def _owned(body: Mapping[str, Any] | None) -> bool:
    return Label.CONTROL_PLANE in labels_of(body)


def _is_own_work(request: Request) -> bool:
    """cass-operator makes and ends tasks; of a datacenter it writes metadata and status, never the spec."""
    if request.resource.resource == CASSANDRA_TASKS.plural:
        return True
    if request.resource.resource != CASSANDRA_DATACENTERS.plural or request.operation != "UPDATE":
        return False
    before, after = request.old_object or {}, request.object or {}
    kept = all(labels_of(before).get(key) == labels_of(after).get(key) for key in OWNERSHIP)
    return kept and before.get("spec") == after.get("spec")


def is_component(request: Request, identities: Identities) -> bool:
    """Whether one of our programs writes, which never has to break a glass."""
    return any(identities.is_component(request.user_info, each) for each in Component)


def _break_glass(request: Request, advice: str, now: datetime.datetime) -> Passage | Verdict:
    record = broken_by(request, now)
    if record is not None:
        return Passage((f"{Annotation.BREAK_GLASS} is used ({record.reason}): {advice}",))
    how = f"in an emergency give a reason in the annotation {Annotation.BREAK_GLASS}"
    if request.operation == "DELETE" or request.sub_resource:
        how += f" of the object, at most {YOUNG.seconds // 60} minutes before"
    return forbid(f"{request.user_info.username} may not {request.operation.lower()} it: {advice}; {how}")
