"""Questions to kube-apiserver about users: TokenReview and SubjectAccessReview."""

from __future__ import annotations

import logging
from typing import Any

from apiserver.status import store_unavailable
from missioncontrol.api.resources import Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import KubeError, TransportError

log = logging.getLogger(__name__)


async def review(client: Client, resource: Resource, spec: dict[str, Any], *, what: str) -> dict[str, Any]:
    """The status of a review; 503 saying `what` cannot be judged when there is none.

    A review changes nothing, so one whose connection broke (kube-apiserver was restarted) is sent once more.
    """
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
    try:
        try:
            answer = await client.create(resource, body)
        except TransportError:
            answer = await client.create(resource, body)
    except KubeError as error:
        log.warning("%s cannot be reviewed: %s", what, error)
        raise store_unavailable(f"{what} cannot be verified now") from error
    status = answer.get("status")
    return status if isinstance(status, dict) else {}
