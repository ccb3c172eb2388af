"""The plain HTTP side door of every program: /healthz, /livez, /readyz and /metrics.

Kept apart from what the program serves, so that probes and scrapes need no certificates and go on while the
main listener is busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from missioncontrol.serving.health import Check, Checks

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["Check", "ProbeServer", "parse_address"]


class ProbeServer:
    """Answers probes while it is entered; `port` is the real one, also when 0 was asked for."""

    def __init__(
        self,
        bind_address: str,
        *,
        registry: CollectorRegistry,
        ready: Mapping[str, Check] | None = None,
        live: Mapping[str, Check] | None = None,
    ) -> None:
        self.host, self.port = parse_address(bind_address)
        self._registry = registry
        self._checks = [
            Checks(name, checks or {}, tell=True)
            for name, checks in (("healthz", live), ("livez", live), ("readyz", ready))
        ]
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        for checks in self._checks:
            app.router.add_get(f"/{checks.name}", _all(checks))
            app.router.add_get(f"/{checks.name}/{{check}}", _single(checks))
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self.host, self.port)
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        # Rendering thousands of lines takes tens of milliseconds, which the event loop has better use for.
        body = await asyncio.to_thread(generate_latest, self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def parse_address(bind_address: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`, `[::1]:8080` or `:8080` (every interface)."""
    host, colon, port = bind_address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{bind_address!r} is not HOST:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _all(checks: Checks) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        query = request.query
        status, text = checks.all(verbose="verbose" in query, exclude=query.getall("exclude", ()))
        return web.Response(status=status, text=text)

    return handle


def _single(checks: Checks) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        check = request.match_info["check"]
        if check not in checks:
            return web.Response(status=404, text="404 page not found\n")
        status, text = checks.single(check)
        return web.Response(status=status, text=text)

    return handle
