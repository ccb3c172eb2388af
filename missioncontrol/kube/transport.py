"""HTTP to one kube-apiserver: one session, a time budget for each call, retries that are safe, a fence for
leaders.

Nothing here knows resources. Proxies and netrc of the environment are ignored on purpose: what a cluster is
reached by stands in its kubeconfig. Bodies are never logged.
"""

from __future__ import annotations

import asyncio
import math
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import orjson
from yarl import URL

from missioncontrol.kube import errors
from missioncontrol.kube.connector import Connector
from missioncontrol.kube.credentials import TokenSource
from missioncontrol.kube.stream import Stream, describe, retry_after

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from missioncontrol.kube.config import ClusterConfig

Query = Mapping[str, str] | Sequence[tuple[str, str]] | str
"""Parameters, or a query string that is already encoded (passed through untouched)."""
Guard = Callable[[], None]
Observer = Callable[[str, int, float], None]

CONNECT_TIMEOUT = 3.0
"""Seconds for TCP and TLS together: a machine that is gone must be noticed quickly."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
RESPONSE_LIMIT = 256 * 1024 * 1024
_HEADER_LIMIT = 64 * 1024
_HEADERS_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer, whatever its status."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def raise_for_status(self) -> Self:
        """Itself, or the typed ApiError."""
        if self.status >= 400:
            raise errors.from_response(self.status, self.body, retry_after=retry_after(self.headers))
        return self

    def json(self) -> dict[str, Any]:
        """The body as an object."""
        try:
            decoded = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise errors.TransportError("the answer is not JSON") from error
        if not isinstance(decoded, dict):
            raise errors.TransportError("the answer is not a JSON object")
        return decoded


class Transport:
    """The connection of a Client: `guard` and `observer` may be set at any time."""

    def __init__(self, config: ClusterConfig, *, user_agent: str, timeout: float = 10.0) -> None:
        self.config = config
        self.user_agent = user_agent
        self.timeout = timeout
        self.guard: Guard | None = None
        """Called immediately before a mutating request goes out; raises LeaseLost to stop it."""
        self.observer: Observer | None = None
        """Told (method, status or 0 for no answer, seconds) of each attempt."""
        self.heard = -math.inf
        """When (by time.monotonic) the server last answered well."""
        self._token = TokenSource(config)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; a closed client stays closed."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes | dict[str, Any] | list[Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        retry: bool = True,
    ) -> Response:
        """One call within its budget of seconds, retries included; the answer may be an error of the server.

        Retried are only requests that the server says it has not taken (429 or 503 with Retry-After), and
        once a read whose connection broke.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        broken_before = refused_before = False
        while True:
            try:
                response = await self._attempt(method, path, query, data, headers, deadline=deadline)
            except _Broken as error:
                if method in SAFE_METHODS and retry and not broken_before and time.monotonic() < deadline:
                    broken_before = True
                    continue
                raise errors.TransportError(str(error)) from error.__cause__
            if response.status == 401 and self._token.renew() and retry and not refused_before:
                refused_before = True
                continue
            pause = _pause(response) if retry else None
            if pause is None or time.monotonic() + pause >= deadline:
                return response
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes | None = None,
        idle_timeout: float | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Stream]:
        """An answer to read as it arrives. The answer must begin within `timeout` (default: the client's);
        after that silence longer than `idle_timeout` seconds (None: any) is a TransportError."""
        opening = self.timeout if timeout is None else timeout
        limits = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_read=idle_timeout)
        session = self._open()
        started = time.monotonic()
        try:
            async with asyncio.timeout(opening):
                response = await session.request(
                    method,
                    self._url(path, query),
                    data=body,
                    headers=self._headers(headers, body),
                    timeout=limits,
                    **self._fixed(),
                )
        except TimeoutError as error:
            self._note(method, 0, started)
            waited = time.monotonic() - started
            raise errors.TransportError(f"{method} {path}: no answer within {waited:.1f} s") from error
        except (aiohttp.ClientError, OSError, _Broken) as error:
            self._note(method, 0, started)
            raise errors.TransportError(f"{method} {path}: {describe(error)}") from error
        self._note(method, response.status, started)
        if response.status == 401:
            self._token.renew()
        try:
            yield Stream(response)
        finally:
            response.close()

    async def _attempt(
        self,
        method: str,
        path: str,
        query: Query | None,
        data: bytes | None,
        headers: Mapping[str, str] | None,
        *,
        deadline: float,
    ) -> Response:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise _Broken(f"{method} {path}: no time left")
        limits = aiohttp.ClientTimeout(total=remaining, connect=min(CONNECT_TIMEOUT, remaining))
        session = self._open()
        started = time.monotonic()
        status = 0
        try:
            async with session.request(
                method,
                self._url(path, query),
                data=data,
                headers=self._headers(headers, data),
                timeout=limits,
                **self._fixed(),
            ) as response:
                status = response.status
                return Response(status, response.headers, await _body(response))
        except TimeoutError as error:
            status = 0
            waited = time.monotonic() - started
            raise errors.TransportError(f"{method} {path}: no answer within {waited:.1f} s") from error
        except (aiohttp.ClientError, OSError, _Broken) as error:
            status = 0
            raise _Broken(f"{method} {path}: {describe(error)}") from error
        finally:
            self._note(method, status, started)

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise errors.TransportError("the client is closed")
        if self._session is None:
            connector = Connector(
                ssl=self._tls() if self.config.server.startswith("https:") else True,
                limit=0,  # watches hold theirs for ever; what bounds the others is the number of workers
                keepalive_timeout=60,
                ttl_dns_cache=30,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                request_class=_fenced(self),
                middlewares=(_never_repeat,),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
                # each warning is a header, and an object may deserve very many
                max_line_size=_HEADER_LIMIT,
                max_field_size=_HEADER_LIMIT,
                max_headers=_HEADERS_LIMIT,
            )
        return self._session

    def _tls(self) -> ssl.SSLContext:
        try:
            return self.config.ssl_context()
        except (OSError, ValueError) as error:
            raise errors.TransportError(f"the TLS material cannot be used: {describe(error)}") from error

    def _url(self, path: str, query: Query | None) -> URL:
        if isinstance(query, str):
            return URL(self.config.server + path + (f"?{query}" if query else ""), encoded=True)
        url = URL(self.config.server + path, encoded=True)
        return url.with_query(query) if query else url

    def bearer(self) -> str:
        """The token of the moment, or nothing."""
        return self._token.token() or ""

    def refused(self) -> None:
        """The server does not take the token of the moment: look for another one."""
        self._token.renew()

    def _headers(self, given: Mapping[str, str] | None, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": self.user_agent}
        if body is not None:
            headers["Content-Type"] = "application/json"
        token = self.bearer()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if given:
            headers.update(given)
        return headers

    def _fixed(self) -> dict[str, Any]:
        return {"allow_redirects": False, "server_hostname": self.config.tls_server_name}

    def _note(self, method: str, status: int, started: float) -> None:
        now = time.monotonic()
        if 0 < status < 400:
            self.heard = now
        if self.observer is not None:
            self.observer(method, status, now - started)


class _Broken(Exception):
    """The connection failed; whether the server saw the request is unknown."""


async def _never_repeat(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """aiohttp itself repeats PUT and DELETE whose connection broke, on which a delete that took place would
    be reported as NotFound. It knows nothing of this error, and lets it pass.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broken(describe(error)) from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    length = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        length += len(chunk)
        if length > RESPONSE_LIMIT:
            raise errors.TransportError(f"the answer is longer than {RESPONSE_LIMIT} bytes")
    return b"".join(chunks)


def _pause(response: Response) -> float | None:
    if response.status not in (429, 503):
        return None
    seconds = retry_after(response.headers)
    if seconds is None:
        return None
    # Spread those who were sent away together; zero would be a busy loop.
    return max(seconds, 0.05) * (1 + random.random() * 0.25)


def _fenced(transport: Transport) -> type[aiohttp.ClientRequest]:
    """The guard stands where the request is written, behind the waiting for a connection: a process that was
    stopped in there must not write after.
    """

    class FencedRequest(aiohttp.ClientRequest):
        async def send(self, conn: Any) -> aiohttp.ClientResponse:
            if transport.guard is not None and self.method not in SAFE_METHODS:
                transport.guard()
            return await super().send(conn)

    return FencedRequest
