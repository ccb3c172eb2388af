"""A kube-apiserver of a few lines that does what a script says, mostly wrong things."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Script:
    """Answers in order, the last one for ever; remembers the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The next answer."""
        await request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


@asynccontextmanager
async def scripted(*answers: Answer, timeout: float = 2.0) -> AsyncIterator[tuple[Client, Script]]:
    """A client of a server that gives these answers."""
    script = Script()
    script.answers = list(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = ClusterConfig(server=f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with Client(config, user_agent="test", timeout=timeout) as client:
            yield client, script
    finally:
        await runner.cleanup()


def config_map(name: str, version: int, uid: str = "") -> dict[str, Any]:
    """An object as a server would give it."""
    meta = {"name": name, "namespace": "n", "uid": uid or name, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"v": str(version)}}


def answer(status: int, body: Any, **headers: str) -> Answer:
    """A complete answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def give(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=raw, headers={"Content-Type": "application/json", **named})

    return give


def status(code: int, reason: str, message: str = "no") -> dict[str, Any]:
    """A Status object."""
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}


def listing(version: int, *items: dict[str, Any], token: str = "") -> Answer:
    """A list, or a page of one."""
    meta = {"resourceVersion": str(version), **({"continue": token} if token else {})}
    return answer(200, {"kind": "ConfigMapList", "metadata": meta, "items": list(items)})


def reset() -> Answer:
    """Cuts the connection instead of answering."""

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    return cut


Then = Callable[[web.Request], Awaitable[None]]


def watch(*events: dict[str, Any] | bytes, then: Then | None = None) -> Answer:
    """A watch that sends these events (bytes as they are) and then ends, or does `then`."""

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for event in events:
            await response.write(event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n")
        if then is not None:
            await then(request)
        return response

    return stream


async def stall(request: web.Request) -> None:
    """Say nothing until the client goes."""

    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - no event for it
        await asyncio.sleep(0.01)


async def abort(request: web.Request) -> None:
    """Reset the connection."""
    assert request.transport is not None
    request.transport.abort()


def event(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    """A watch event."""
    return {"type": kind, "object": obj}
