"""HTTP to one kube-apiserver: a time budget for each call, retries that are safe, a fence for leaders.

Answers come over connections of our own, for a general client takes more processor time for a small one than
all that an operator does with it. Nothing here knows resources. Proxies and netrc of the environment are
ignored on purpose: what a cluster is reached by stands in its kubeconfig. Bodies are never logged.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import orjson

from missioncontrol.kube import errors
from missioncontrol.kube.credentials import TokenSource
from missioncontrol.kube.head import RESPONSE_LIMIT, Odd
from missioncontrol.kube.incoming import Incoming
from missioncontrol.kube.stream import Stream, describe, retry_after
from missioncontrol.kube.wire import NoConnection, Pool

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy

    from missioncontrol.kube.config import ClusterConfig

Query = Mapping[str, str] | Sequence[tuple[str, str]] | str
"""Parameters, or a query string that is already encoded (passed through untouched)."""
Guard = Callable[[], None]
Observer = Callable[[str, int, float], None]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


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
        self._pool = Pool(config)
        self._streams: set[Incoming] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; a closed client stays closed."""
        self._closed = True
        self._pool.close()
        for incoming in tuple(self._streams):
            incoming.abort()

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
        idle_timeout: float | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Stream]:
        """The answer to a GET, to read as it arrives. It must begin within `timeout` (default: the client's);
        after that silence longer than `idle_timeout` seconds (None: any) is a TransportError."""
        opening = self.timeout if timeout is None else timeout
        if self._closed:
            raise errors.TransportError("the client is closed")
        request = self._pool.request("GET", _target(path, query), self._headers(headers, None), None)
        started, status = time.monotonic(), 0
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(opening):
                    incoming = await self._pool.open(Incoming)
                    stack.callback(self._leave, incoming)
                    self._streams.add(incoming)
                    head = await incoming.ask(request)
                status = head.status
            except (OSError, Odd) as error:
                raise unanswered(f"GET {path}", error, started) from error
            finally:
                self._note("GET", status, started)
            if status == 401:
                self._token.renew()
            incoming.be_patient(idle_timeout)
            yield Stream(incoming, head)

    def _leave(self, incoming: Incoming) -> None:
        self._streams.discard(incoming)
        incoming.abort()

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
        if self._closed:
            raise errors.TransportError("the client is closed")
        started, status = time.monotonic(), 0
        wanted = {**self._headers(headers, data), "Accept-Encoding": "gzip"}
        request = self._pool.request(method, _target(path, query), wanted, data)
        fence = self.guard if method not in SAFE_METHODS else None
        try:
            async with asyncio.timeout(deadline - started):
                answer = await self._pool.exchange(request, fence=fence)
            told = answer.headers
            body = _unpacked(answer.body, told.get("Content-Encoding", ""))
            status = answer.status
        except NoConnection as error:
            kind = errors.TransportError if isinstance(error.__cause__, TimeoutError) else _Broken
            raise kind(f"{method} {path}: {describe(error)}") from error
        except TimeoutError as error:
            raise unanswered(f"{method} {path}", error, started) from error
        except (OSError, Odd) as error:
            raise _Broken(f"{method} {path}: {describe(error)}") from error
        finally:
            self._note(method, status, started)
        return Response(status, told, body)

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

    def _note(self, method: str, status: int, started: float) -> None:
        now = time.monotonic()
        if 0 < status < 400:
            self.heard = now
        if self.observer is not None:
            self.observer(method, status, now - started)


class _Broken(Exception):
    """The connection failed; whether the server saw the request is unknown."""


def unanswered(what: str, error: Exception, started: float) -> errors.TransportError:
    """What is told of a request that got no answer; it was started then, by time.monotonic."""
    why = describe(error)
    if isinstance(error, TimeoutError):
        why = f"no answer within {time.monotonic() - started:.1f} s"
    return errors.TransportError(f"{what}: {why}")


def _target(path: str, query: Query | None) -> str:
    if not query:
        return path
    return f"{path}?{query if isinstance(query, str) else urlencode(query)}"


def _unpacked(body: bytes, encoding: str) -> bytes:
    """A body as it was before it was compressed, as kube-apiserver does with long ones."""
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise Odd(f"an answer in the encoding {encoding!r}, which was not asked for")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        whole = unpacking.decompress(body, RESPONSE_LIMIT)
    except zlib.error as error:
        raise Odd(f"an answer that cannot be decompressed: {error}") from error
    if not unpacking.eof:
        raise Odd("an answer that is cut, or too long, when it is decompressed")
    return whole


def _pause(response: Response) -> float | None:
    if response.status not in (429, 503):
        return None
    seconds = retry_after(response.headers)
    if seconds is None:
        return None
    # Spread those who were sent away together; zero would be a busy loop.
    return max(seconds, 0.05) * (1 + random.random() * 0.25)
