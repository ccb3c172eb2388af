"""Errors as Kubernetes speaks them: a Status object with code, reason, message and details.

Everything that goes wrong in this server becomes a Failure at last, so that a client never sees a page
of HTML, a bare text or a stack trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from missioncontrol.api.resources import Resource

Obj = dict[str, Any]

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Failure(Exception):
    """An answer that is an error: the Status object and the headers that go with it."""

    def __init__(self, status: Obj, *, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(status.get("message", ""))

    @property
    def code(self) -> int:
        code = self.status.get("code")
        return code if isinstance(code, int) else 500


class Late(Failure):
    """A refusal of the shape of a result: everything else that is wrong is told before it."""


def failure(
    code: int,
    message: str,
    *,
    reason: str = "",
    details: Obj | None = None,
    retry_after: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Failure:
    """A Status of failure. `retry_after` seconds also become the header that clients obey."""
    all_headers = dict(headers or {})
    all_details = dict(details or {})
    if retry_after is not None:
        all_details["retryAfterSeconds"] = retry_after
        all_headers["Retry-After"] = str(retry_after)
    status: Obj = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason or _REASONS.get(code, "InternalError"),
        **({"details": all_details} if all_details or details is not None else {}),
        "code": code,
    }
    return Failure(status, headers=all_headers)


def bad_request(message: str) -> Failure:
    return failure(400, message)


def unauthorized() -> Failure:
    return failure(401, "Unauthorized", headers={"WWW-Authenticate": "Bearer"})


def forbidden(resource: Resource, name: str, reason: str) -> Failure:
    subject = f'{resource.group_resource} "{name}"' if name else resource.group_resource
    return failure(403, f"{subject} is forbidden: {reason}", details=_details(resource, name))


def not_found(resource: Resource, name: str) -> Failure:
    return failure(404, f'{resource.group_resource} "{name}" not found', details=_details(resource, name))


def method_not_allowed(resource: Resource, verb: str, allowed: Iterable[str]) -> Failure:
    return failure(
        405,
        f'{verb} is not supported on resources of kind "{resource.group_resource}"',
        details=_details(resource, ""),
        headers={"Allow": ", ".join(sorted(allowed))},
    )


def not_acceptable(offered: Iterable[str]) -> Failure:
    return failure(406, f"only the following media types are accepted: {', '.join(offered)}")


def unsupported_media_type(offered: Iterable[str]) -> Failure:
    media_types = ", ".join(offered)
    return failure(
        415,
        f"the body of the request was in an unknown format - accepted media types include: {media_types}",
    )


def conflict(resource: Resource, name: str, why: str) -> Failure:
    return failure(
        409,
        f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {why}',
        details=_details(resource, name),
    )


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def invalid(resource: Resource, name: str, causes: list[dict[str, str]], *, kind: str = "") -> Failure:
    """422 with every cause; each has a reason, a field and a message (without the field)."""
    texts = [
        f"{cause['field']}: {cause['message']}" if cause.get("field") else cause["message"]
        for cause in causes
    ]
    all_texts = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    return failure(
        422,
        f'{kind or resource.kind}.{resource.group} "{name}" is invalid: {all_texts}',
        details={
            **({"name": name} if name else {}),
            "group": resource.group,
            "kind": kind or resource.kind,
            "causes": causes,
        },
    )


def store_unavailable(why: str = "the store of this API cannot be reached now") -> Failure:
    """503: nothing is wrong with the request, the store is away or too slow; clients may repeat it."""
    return failure(503, f"{why}; try again later", retry_after=1)


def timed_out() -> Failure:
    return failure(504, "Timeout: request did not complete within the allotted timeout")


def internal_error(message: str) -> Failure:
    return failure(500, f"Internal error occurred: {message}")


def _details(resource: Resource, name: str) -> Obj:
    return {**({"name": name} if name else {}), "group": resource.group, "kind": resource.plural}
