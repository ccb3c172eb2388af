"""Questions to kube-apiserver about users: TokenReview and SubjectAccessReview."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from apiserver.status import internal_error, store_unavailable
from missioncontrol.api.resources import Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import (
    ApiError,
    KubeError,
    TooManyRequests,
    TransportError,
    Unauthorized,
    Unavailable,
)

log = logging.getLogger(__name__)

Observe = Callable[[str, float], None]
"""Told the code of an answer (`<error>` for none) and the seconds that it took."""


async def review(
    client: Client,
    resource: Resource,
    spec: dict[str, Any],
    *,
    what: str,
    observe: Observe = lambda code, seconds: None,
) -> dict[str, Any]:
    """The status of a review; 503 saying that `what` cannot be judged now, 500 where it never can.

    A review changes nothing, so one whose connection broke (kube-apiserver was restarted) is sent once more.
    """
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
    began, code = time.monotonic(), "<error>"
    try:
        try:
            answer = await client.create(resource, body)
        except TransportError:
            answer = await client.create(resource, body)
        code = "201"
    except ApiError as error:
        code = str(error.status)
        if isinstance(error, Unavailable | TooManyRequests | Unauthorized):
            log.warning("%s cannot be reviewed: %s", what, error)
            raise store_unavailable(f"{what} cannot be verified now") from error
        log.error("%s cannot be reviewed: %s", what, error)
        raise internal_error(f"{what} cannot be verified: see the log of the server") from error
    except KubeError as error:
        log.warning("%s cannot be reviewed: %s", what, error)
        raise store_unavailable(f"{what} cannot be verified now") from error
    finally:
        observe(code, time.monotonic() - began)
    status = answer.get("status")
    return status if isinstance(status, dict) else {}
