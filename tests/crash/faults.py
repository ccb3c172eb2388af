"""Where tests come between the operator and the world: every request to the API server and every call to a
node passes one `Faults`, which may end the operator there, or spoil the request.

A crash is meant honestly: from that moment on nothing leaves the dead instance any more, whatever its
cancelled tasks still try.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from multidict import CIMultiDict, CIMultiDictProxy

from controllers.cassandra.management import Answer, ManagementApi, NodeRefused, NodeUnreachable
from missioncontrol.kube import errors
from missioncontrol.kube.client import Client
from missioncontrol.kube.stream import Stream
from missioncontrol.kube.transport import SAFE_METHODS, Response, _Broken

T = TypeVar("T")
Send = Callable[[], Awaitable[T]]
COLLECTION = re.compile(r"^(/api/v1|/apis/[^/]+/[^/]+)/([a-z]+)$")
CLUSTER_SCOPED = frozenset({"nodes", "namespaces", "persistentvolumes", "storageclasses"})


class Faults:
    """None: everything passes. It counts what passes, by kind: read, write, event, watch, list, ask, tell.

    A list is what informers ask when they begin, or when a watch was cut or is late.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.dead = asyncio.Event()
        self.unrecorded: set[str] = set()
        """Calls that nodes have carried out, and of which no status tells yet."""
        self.unanswered: list[str] = []
        """Calls that nodes have carried out, and whose answers were lost on the way."""
        self.lost: list[str] = []
        """Calls that never came to their nodes."""

    async def pass_on(self, kind: str, what: str, send: Send[T], spoil: Callable[[Trouble], T]) -> T:
        """Let a request through, or not; `spoil` makes the answer of a trouble, or raises."""
        if self.dead.is_set():
            await _never()
        self.counts[kind] = self.counts.get(kind, 0) + 1
        # what is answered while a status is on its way is not part of it
        answered = frozenset(self.unrecorded)

        async def noted() -> T:
            try:
                answer = await send()
            except asyncio.CancelledError:
                # it was on its way when the operator ended: it may have arrived, or not
                if kind == "tell":
                    self._note(kind, what, answered)
                raise
            self._note(kind, what, answered)
            return answer

        return await self._pass(kind, what, noted, spoil)

    def _note(self, kind: str, what: str, answered: frozenset[str]) -> None:
        if kind == "tell":
            self.unrecorded.add(what)
        elif kind == "write" and what.endswith("/status"):
            of_tasks = "/cassandratasks/" in what
            self.unrecorded -= {each for each in answered if _is_job(each) is of_tasks}

    async def _pass(self, kind: str, what: str, send: Send[T], spoil: Callable[[Trouble], T]) -> T:
        return await send()

    async def die(self) -> None:
        """The operator ends here; nothing comes back from this."""
        self.dead.set()
        await _never()

    def watch_lasts(self) -> float | None:
        """After how many seconds a watch is cut, if at all."""
        return None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong: a status, `timeout` or `reset`; and whether the request took effect nevertheless."""

    kind: str
    carried_out: bool = False

    @property
    def status(self) -> int:
        return int(self.kind) if self.kind.isdecimal() else 0


def _is_job(call: str) -> bool:
    """Whether the status of a task will tell of a call."""
    return "/ops/keyspace/" in call or "/ops/tables/" in call or "/ops/node/rebuild" in call


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


class Cut(Faults):
    """Ends the operator at the n-th (from 1) write or call, before it is sent or after it was carried out.

    Of what only reads, `before` counts alone: after it the world is the same.
    """

    def __init__(
        self, number: int, *, after: bool, kinds: frozenset[str] = frozenset({"write", "ask", "tell"})
    ) -> None:
        super().__init__()
        self.number, self.after, self.kinds = number, after, kinds
        self.seen = 0
        self.at = ""

    async def _pass(self, kind: str, what: str, send: Send[T], spoil: Callable[[Trouble], T]) -> T:
        if kind in self.kinds and not (self.after and kind == "ask"):
            self.seen += 1
            if self.seen == self.number:
                self.at = what
                if self.after:
                    await send()
                await self.die()
        return await send()


class Counted(Cut):
    """Ends nothing, and remembers how many places there are to end at."""

    def __init__(self, *, after: bool) -> None:
        super().__init__(0, after=after)


class Weather(Faults):
    """Spoils a share of all requests, in a way and at places that the seed decides."""

    SERVER = ("409", "429", "500", "503", "timeout", "reset")
    NODE = ("500", "timeout", "reset")

    def __init__(self, seed: int, *, server: float, node: float, watch_seconds: float | None) -> None:
        super().__init__()
        self._dice = random.Random(seed)
        self._server, self._node, self._watch = server, node, watch_seconds
        self.clear = False
        """The sun shines: nothing is spoiled any more."""
        self._refused: set[str] = set()

    async def _pass(self, kind: str, what: str, send: Send[T], spoil: Callable[[Trouble], T]) -> T:
        of_node = kind in ("ask", "tell")
        share = self._node if of_node else self._server
        if self.clear or self._dice.random() >= share:
            return await send()
        choices = self.NODE if of_node else self.SERVER
        if kind in ("read", "list"):
            choices = tuple(each for each in choices if each != "409")
        if what.endswith("/lifecycle/start"):
            # a node that refuses to start is another story: its pod is made again
            choices = ("timeout", "reset")
        if kind == "tell" and what in self._refused:
            # and so is one that refuses a job again and again: its task tells of a failure
            choices = ("timeout", "reset")
        trouble = Trouble(self._dice.choice(choices), carried_out=self._dice.random() < 0.5)
        if trouble.kind in ("409", "429") or (of_node and trouble.status):
            # these say that nothing was done
            trouble = Trouble(trouble.kind)
        if of_node and trouble.status:
            self._refused.add(what)
        if trouble.carried_out:
            await send()
            self.unanswered.append(what)
        elif kind == "tell":
            self.lost.append(what)
        return spoil(trouble)

    def watch_lasts(self) -> float | None:
        if self.clear or self._watch is None:
            return None
        return self._dice.uniform(0.1, 2 * self._watch)


class FaultyClient(Client):
    """A client of one namespace: what is asked of all namespaces is asked of this one."""

    def __init__(self, *args: Any, namespace: str, faults: Faults, **options: Any) -> None:
        super().__init__(*args, **options)
        self._namespace, self._faults = namespace, faults

    def _own(self, path: str) -> str:
        found = COLLECTION.match(path)
        if found is None or found[2] in CLUSTER_SCOPED:
            return path
        return f"{found[1]}/namespaces/{self._namespace}/{found[2]}"

    async def _attempt(
        self, method: str, path: str, query: Any, data: Any, headers: Any, *, deadline: float
    ) -> Response:
        asked, path = path, self._own(path)
        kind = "event" if "/events" in path else "write"
        if method in SAFE_METHODS:
            kind = "list" if COLLECTION.match(asked) else "read"
        attempt = super()._attempt

        async def send() -> Response:
            return await attempt(method, path, query, data, headers, deadline=deadline)

        return await self._faults.pass_on(kind, f"{method} {path}", send, _spoiled_answer)

    @asynccontextmanager
    async def stream(self, path: str, **options: Any) -> AsyncIterator[Stream]:
        path = self._own(path)

        async def nothing() -> Response:
            return Response(200, CIMultiDictProxy(CIMultiDict()), b"")

        try:
            opened = await self._faults.pass_on("watch", f"WATCH {path}", nothing, _spoiled_answer)
            opened.raise_for_status()
        except _Broken as error:
            raise errors.TransportError(str(error)) from error
        async with super().stream(path, **options) as stream:
            seconds = self._faults.watch_lasts()
            cut = asyncio.get_running_loop().call_later(seconds, stream.abort) if seconds else None
            try:
                yield stream
            finally:
                if cut is not None:
                    cut.cancel()


class FaultyApi(ManagementApi):
    """The management API of the nodes."""

    faults: Faults

    async def _call(self, method: str, pod: Any, port: int, path: str, **options: Any) -> Answer:
        call = super()._call

        async def send() -> Answer:
            return await call(method, pod, port, path, **options)

        kind = "ask" if method == "GET" else "tell"
        return await self.faults.pass_on(kind, f"{method} {pod.name}{path}", send, _spoiled_call)


def _spoiled_answer(trouble: Trouble) -> Response:
    if trouble.kind == "reset":
        raise _Broken("the connection was reset (by the test)")
    if trouble.kind == "timeout":
        raise errors.TransportError("no answer (by the test)")
    reasons = {409: "Conflict", 429: "TooManyRequests", 503: "ServiceUnavailable"}
    status = trouble.status
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "by the test",
        "reason": reasons.get(status, "InternalError"),
        "code": status,
    }
    headers = CIMultiDict({"Retry-After": "1"}) if status == 429 else CIMultiDict()
    return Response(status, CIMultiDictProxy(headers), orjson.dumps(body))


def _spoiled_call(trouble: Trouble) -> Answer:
    if trouble.status:
        raise NodeRefused(trouble.status, "by the test")
    raise NodeUnreachable(f"{trouble.kind} (by the test)")
