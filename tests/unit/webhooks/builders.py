"""Admission requests for tests."""

from __future__ import annotations

from typing import Any

from missioncontrol.api.names import REQUESTER_EXTRA
from missioncontrol.api.resources import STORED_CLUSTERS, Resource
from webhooks.requester import Identities
from webhooks.review import GroupVersionKind, GroupVersionResource, Request, UserInfo

IDENTITIES = Identities("mission-control")
OURS = "system:serviceaccount:mission-control:"


def a_request(
    resource: Resource = STORED_CLUSTERS,
    operation: str = "CREATE",
    *,
    user: str = "alice",
    new: dict[str, Any] | None = None,
    old: dict[str, Any] | None = None,
    sub: str = "",
    requester: str = "",
) -> Request:
    body = new or old or {}
    metadata = body.get("metadata") or {}
    extra = {REQUESTER_EXTRA: (requester,)} if requester else {}
    return Request(
        uid="u-1",
        kind=GroupVersionKind(resource.group, resource.version, resource.kind),
        resource=GroupVersionResource(resource.group, resource.version, resource.plural),
        operation=operation,
        user_info=UserInfo(username=user, groups=("system:authenticated",), extra=extra),
        sub_resource=sub,
        name=metadata.get("name", ""),
        namespace=metadata.get("namespace", ""),
        object=new,
        old_object=old,
    )
