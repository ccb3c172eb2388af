"""Requests that cost little: for servers that ask kube-apiserver for each request of their own.

Of a `get` it takes what comes when all is well; whatever else happens (another status, a connection that
breaks, an answer that is not plain) is left to the Transport, which asks again and knows how to say it. An
`exchange` is made once, and told as it went.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from missioncontrol.kube import errors
from missioncontrol.kube.head import Odd
from missioncontrol.kube.stream import describe
from missioncontrol.kube.transport import SAFE_METHODS, Response, unanswered
from missioncontrol.kube.wire import NoConnection, Pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from missioncontrol.kube.transport import Transport


class PlainReader:
    """Reads with the address and credentials of a Transport, over connections of its own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._pool = Pool(transport.config)

    async def get(self, path: str, *, accept: str = "application/json", timeout: float) -> bytes | None:
        """The body of a 200, or None for everything else; the path may have a query."""
        request = self._pool.request("GET", path, self._headers({"Accept": accept}), None)
        started = time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                answer = await self._pool.exchange(request)
        except (OSError, Odd):  # TimeoutError is an OSError
            return None
        if not answer.is_plain:
            return None
        self._note("GET", 200, started)
        return answer.body

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Response:
        """One request, sent once, and its answer, whatever that says. NotSent or another TransportError
        where there is none.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        usual = {"Accept": "application/json"}
        if body is not None:
            usual["Content-Type"] = "application/json"
        request = self._pool.request(method, target, self._headers({**usual, **headers}), body)
        fence = self._transport.guard if method not in SAFE_METHODS else None
        started, status = time.monotonic(), 0
        try:
            async with asyncio.timeout(timeout):
                answer = await self._pool.exchange(request, fence=fence)
            status = answer.status
        except NoConnection as error:
            raise errors.NotSent(f"{method} {path}: {describe(error)}") from error
        except (OSError, Odd) as error:
            raise unanswered(f"{method} {path}", error, started) from error
        finally:
            self._note(method, status, started)
        if status == 401:
            self._transport.refused()
        return Response(status, answer.headers, answer.body)

    def close(self) -> None:
        """Close what is kept."""
        self._pool.close()

    def _headers(self, given: Mapping[str, str]) -> Mapping[str, str]:
        token = self._transport.bearer()
        own = {"User-Agent": self._transport.user_agent, **given}
        return {**own, "Authorization": f"Bearer {token}"} if token else own

    def _note(self, method: str, status: int, started: float) -> None:
        if self._transport.observer is not None:
            self._transport.observer(method, status, time.monotonic() - started)
