"""A request as handlers get it, whichever version of HTTP it came by, and what unreadable ones are told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong

from apiserver.status import Failure, bad_request, failure

LINE_LIMIT: Final = 64 * 1024
"""Bytes of the request line, and of each header: label selectors and extras may be long."""
HEADERS_LIMIT: Final = 2000
"""Each group of a user is a header line."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Request(web.BaseRequest):
    """A request whose answer gets its last headers here, however and by whom it is begun."""

    audit_id = ""
    begun: Callable[[int], None] | None = None
    """To be told the code when the answer begins, where that is long before it ends."""
    in_chunks = True
    """Whether what is written straight to the transport is to be in chunks, as HTTP/1.1 has them."""

    @property
    def certificate(self) -> bytes | None:
        """What the client presented in the handshake (DER); whose word it is, is judged elsewhere."""
        return getattr(self._protocol, "certificate", None)

    async def invite_body(self) -> None:
        """Say that the body may come, to a client that waits for this."""
        await self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.writer.output_size = 0

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        headers = response.headers
        # aiohttp would tell its name and version, and Python's
        headers.pop(hdrs.SERVER, None)
        if self.audit_id:
            headers["Audit-Id"] = self.audit_id
        if "X-Forwarded-Uri" not in self.headers:  # kube-apiserver says so itself
            headers.setdefault("Cache-Control", "no-cache, private")
        if self.begun is not None:
            self.begun(response.status)


def unreadable(error: BaseException | None) -> Failure:
    """What is wrong with bytes that are no request, without repeating them."""
    if isinstance(error, LineTooLong) or "Too many headers" in str(error):
        return too_large()
    if _UNKNOWN_METHOD.search(str(error)):
        return failure(405, "the server does not allow this method on the requested resource")
    return bad_request("the request is not readable as HTTP/1.1")


_UNKNOWN_METHOD: Final = re.compile(r"Invalid method.*\bHTTP/1\.[01]", re.DOTALL)


def too_large() -> Failure:
    """431."""
    return failure(
        431,
        f"the request line or a header is longer than {LINE_LIMIT} bytes, or there are more than "
        f"{HEADERS_LIMIT} headers",
        reason="RequestHeaderFieldsTooLarge",
    )


def refusal(problem: Failure) -> web.Response:
    """The answer to what never became a request."""
    headers = {"Cache-Control": "no-cache, private", "Content-Type": "application/json"}
    return web.Response(
        status=problem.code, body=orjson.dumps(problem.status) + b"\n", headers=headers | problem.headers
    )
