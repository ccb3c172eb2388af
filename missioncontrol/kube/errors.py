"""What can go wrong when talking to a kube-apiserver, as one tree of types.

Callers decide by type (`except NotFound`), never by status codes or message text. Messages come from the
server's Status object only, shortened: other payloads (proxies' HTML, fragments of objects) are dropped, so
that nothing secret travels into logs with an error.
"""

from __future__ import annotations

from typing import Any

import orjson

MESSAGE_LIMIT = 1024


def shorten(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The text, cut with an ellipsis where it is longer than the limit."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


class KubeError(Exception):
    """Anything that went wrong between us and a kube-apiserver."""


class TransportError(KubeError):
    """No answer: refused, reset, timed out, not TLS, cut in the middle. Whether a write took place is
    unknown.
    """


class NotSent(TransportError):
    """There was no connection: the server has seen nothing of the request."""


class LeaseLost(KubeError):
    """This process is not (or no longer surely) the leader; the write it wanted was not sent."""


class ApiError(KubeError):
    """The server answered with an error; `body` is its Status object as it came, or empty."""

    def __init__(
        self,
        status: int,
        reason: str = "",
        message: str = "",
        *,
        details: dict[str, Any] | None = None,
        retry_after: float | None = None,
        body: dict[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.reason = reason or f"HTTP{status}"
        self.message = shorten(message or f"the server answered with HTTP status {status}")
        self.details: dict[str, Any] = details or {}
        self.retry_after = retry_after
        self.body: dict[str, Any] = body or {}
        super().__init__(f"{self.message} ({self.reason})")

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The causes of the Status: reason, field, message."""
        causes = self.details.get("causes")
        return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []


class NotFound(ApiError):
    """404: no such object, or no such resource."""


class AlreadyExists(ApiError):
    """409 at create: the name is taken."""


class Conflict(ApiError):
    """409: the object changed since it was read, a precondition failed, or another manager owns a field."""


class Invalid(ApiError):
    """422: the object breaks rules; see `causes`."""


class Forbidden(ApiError):
    """403: no right, or refused by an admission policy."""


class Unauthorized(ApiError):
    """401: the credentials are not (or no longer) accepted."""


class Expired(ApiError):
    """410: the resourceVersion or continue token is too old; list again."""


class TooManyRequests(ApiError):
    """429: the server (or a PodDisruptionBudget) asks to come back later."""


class Unavailable(ApiError):
    """503: the server, or what stands behind it, cannot answer now."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
    429: TooManyRequests,
    503: Unavailable,
}


def from_status(
    status: dict[str, Any], *, code: int | None = None, retry_after: float | None = None
) -> ApiError:
    """The typed error for a Status object, of an answer or of a watch's ERROR event."""
    given = status.get("code")
    number = code if code is not None else given if isinstance(given, int) else 500
    reason = str(status.get("reason") or "")
    kind = _BY_STATUS.get(number, ApiError)
    if number == 409 and reason == "AlreadyExists":
        kind = AlreadyExists
    details = status.get("details")
    return kind(
        number,
        reason,
        str(status.get("message") or ""),
        details=details if isinstance(details, dict) else None,
        retry_after=retry_after,
        body=status,
    )


def from_response(code: int, body: bytes, *, retry_after: float | None = None) -> ApiError:
    """The typed error for an answer of 400 or more; a body that is no Status is dropped."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        decoded = None
    if isinstance(decoded, dict) and decoded.get("kind") == "Status":
        return from_status(decoded, code=code, retry_after=retry_after)
    return from_status({}, code=code, retry_after=retry_after)
