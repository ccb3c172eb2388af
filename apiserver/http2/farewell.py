"""Leaving a connection so that nothing that is asked on it is lost.

A frame sends the client to another connection with what it asks next, and what it has begun is finished. But
a client written in Go, as kube-apiserver is, chooses the connection of a request a moment before the request
begins on it. Told in between that this is the wrong one, it has given up the request's body already, and the
request fails. So that frame is sent when nothing is in between. For a moment nothing is answered, so that
clients who wait for that ask nothing new; then only few requests more are allowed; and when they have all
begun, or none comes, there is none that could fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from apiserver.http2 import frames
from apiserver.http2.frames import Code
from apiserver.http2.outgoing import Outgoing
from apiserver.http2.requests import STREAMS, Requests

LOOK_SECONDS: Final = 0.005
QUIET_ROUNDS: Final = 8
"""So many pings in turn that are answered, and nothing is asked: whoever was about to ask has done so. What
takes long on the client's side makes them long, too.
"""
SETTLING_SECONDS: Final = 1.0
FILLING_SECONDS: Final = 2.0
ROOM: Final = 16
"""Requests that are still allowed, or half of what there is: more than can be in between after the pause."""
QUIET_SECONDS: Final = 1.0
"""Nothing is in between where nothing has been asked for so long."""
LAST_SECONDS: Final = 1.0
"""Between the client's having heard it and meaning it: what is under way by then is still served."""
DEAF_SECONDS: Final = 5.0
"""After which it is meant, whether the client has heard it or not."""
_LEAVE: Final = frames.goaway(frames.STREAM_MASK, Code.NO_ERROR)
_PING: Final = b"farewell"
_ROUND: Final = b"anything"


class Farewell:
    """The end of one connection's taking requests."""

    def __init__(self, requests: Requests, out: Outgoing) -> None:
        self._requests, self._out = requests, out
        self._work: asyncio.Task[None] | None = None
        self.told = False
        """Whether the client has been told."""
        self._allowed, self._heard, self._round = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def begin(self, over: Callable[[], None]) -> None:
        """Once; `over` is called when no more is taken."""
        if self._work is None:
            self._work = asyncio.create_task(self._leave(over))

    def stop(self) -> None:
        """The connection ends otherwise."""
        if self._work is not None:
            self._work.cancel()

    def on_ping(self, payload: bytes) -> None:
        """The answer to a ping."""
        if payload == _PING:
            self._heard.set()
        elif payload == _ROUND:
            self._round.set()

    def on_settings(self) -> None:
        """The client knows what it was told last."""
        self._allowed.set()

    async def _leave(self, over: Callable[[], None]) -> None:
        if not self._requests.streams and _now() - self._requests.asked > QUIET_SECONDS:
            self._out.urgent(_LEAVE)
            self._heard.set()
            self.told = True
        else:
            self._out.hold()
            try:
                await self._pass_the_moment()
                # what is asked before the client has heard it is there when this comes back
                self._out.urgent(_LEAVE + _ping(_PING))
                self.told = True
            finally:
                self._out.release()
        try:
            async with asyncio.timeout(DEAF_SECONDS):
                await self._heard.wait()
                await asyncio.sleep(LAST_SECONDS)
        except TimeoutError:
            pass
        if self._requests.served_to is None:
            self.say_last(Code.NO_ERROR)
            over()

    def say_last(self, code: Code, why: str = "") -> None:
        """What came until now is served, and nothing else."""
        self._requests.served_to = self._requests.last
        self._out.urgent(frames.goaway(self._requests.last, code, why))

    async def _pass_the_moment(self) -> None:
        requests = self._requests
        # whoever is answered from now on does not know it yet, and asks nothing new
        unanswered = len(requests.streams) - requests.arrived
        await self._until(lambda: unanswered + requests.arrived >= STREAMS, SETTLING_SECONDS)
        begun = unanswered + requests.arrived
        room = min(STREAMS, begun + max(ROOM, begun // 2))
        self._allowed.clear()
        self._out.urgent(frames.settings({frames.MAX_CONCURRENT_STREAMS: room}))
        await self._until(
            lambda: self._allowed.is_set() and unanswered + requests.arrived >= room, FILLING_SECONDS
        )

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Until it is so, or nothing was asked for some rounds, or the time is over."""
        end, seen, quiet = _now() + seconds, self._requests.last, 0
        self._round.set()
        while not done() and quiet <= QUIET_ROUNDS and _now() < end:
            if self._round.is_set():
                seen, quiet = (seen, quiet + 1) if seen == self._requests.last else (self._requests.last, 0)
                self._round.clear()
                self._out.urgent(_ping(_ROUND))
            await asyncio.sleep(LOOK_SECONDS)


def _ping(payload: bytes) -> bytes:
    return frames.head(len(payload), frames.PING, 0, 0) + payload


def _now() -> float:
    return asyncio.get_running_loop().time()
