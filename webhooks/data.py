"""What enters a data plane: upstream's rules for its kinds, and the guard of what a control plane owns."""

from __future__ import annotations

import datetime
from typing import Final

from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
)
from missioncontrol.validation import cassandra_datacenter, k8ssandra_cluster
from missioncontrol.validation.causes import Cause
from webhooks.budget import Budget
from webhooks.glass import annotation_patch, stamped
from webhooks.guard import guard_data_plane, is_component
from webhooks.requester import Identities
from webhooks.review import ALLOWED, Request, Verdict, allow, patched, refuse

_TASKS: Final = frozenset({CASSANDRA_TASKS.plural, K8SSANDRA_TASKS.plural})


class DataPlane:
    """The handlers of a data plane's webhooks. They ask nobody, so that nothing can be slow or away."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def mutate(self, request: Request, budget: Budget) -> Verdict:
        """Record who asked for a task and who broke the glass; other defaults are those of the schemas."""
        body = request.object
        if body is None:
            return ALLOWED
        person = not is_component(request, self._identities)
        wanted, unwanted = stamped(request, datetime.datetime.now(datetime.UTC), person=person)
        if request.operation == "CREATE" and request.resource.resource in _TASKS:
            wanted = {**wanted, Annotation.REQUESTED_BY: self._identities.person(request.user_info).username}
        return patched(annotation_patch(body, wanted, unwanted))

    async def validate(self, request: Request, budget: Budget) -> Verdict:
        """The guard, then the rules of the kind."""
        passage = guard_data_plane(request, self._identities, datetime.datetime.now(datetime.UTC))
        if isinstance(passage, Verdict):
            return passage
        if request.operation == "DELETE" or request.sub_resource:
            return allow(passage.warnings)
        causes = _causes(request)
        if causes:
            return refuse(causes, passage.warnings)
        return allow([*passage.warnings, *_warnings(request)])


def _warnings(request: Request) -> list[str]:
    """What is told of an object that is accepted; one that nobody is to judge is not commented on."""
    body = request.object or {}
    bypassed = request.operation == "UPDATE" and cassandra_datacenter.is_bypassed(body)
    if bypassed or request.resource.resource != CASSANDRA_DATACENTERS.plural:
        return []
    return cassandra_datacenter.warnings(body)


def _causes(request: Request) -> list[Cause]:
    old, new = request.old_object or {}, request.object or {}
    match request.resource.resource, request.operation:
        case CASSANDRA_DATACENTERS.plural, "CREATE":
            return cassandra_datacenter.create_causes(new)
        case CASSANDRA_DATACENTERS.plural, "UPDATE":
            return cassandra_datacenter.update_causes(old, new)
        case K8SSANDRA_CLUSTERS.plural, "CREATE":
            return k8ssandra_cluster.create_causes(new)
        case K8SSANDRA_CLUSTERS.plural, "UPDATE":
            return k8ssandra_cluster.update_causes(old, new)
    return []
