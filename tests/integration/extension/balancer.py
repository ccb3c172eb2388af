"""What stands between kube-apiserver and the replicas of our server: a Service, as far as clients can tell.

It runs in a thread of its own, so that tests that block and tests that do not may both use it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading

HEALTH_SECONDS = 0.1
CONNECT_SECONDS = 2.0
PROBE_SECONDS = 5.0
"""What the manifests give a readiness probe: a backend that is slow to answer is not away."""


class Balancer:
    """TCP, round robin over the ready backends; each is a port, and the port that tells of its health."""

    def __init__(self, backends: list[tuple[int, int]]) -> None:
        self._backends = backends
        self._ready: set[int] = set()
        self._turn = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)
        self.port = 0

    @property
    def ready(self) -> list[int]:
        """The ports that new connections go to."""
        return [port for port, _ in self._backends if port in self._ready]

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        for port, probe in self._backends:
            self._keep(self._watch_health(port, probe))

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_health(self, port: int, probe: int) -> None:
        """Each by itself: one that hangs must not keep the end of another from being noticed."""
        while True:
            if await _is_ready(probe):
                self._ready.add(port)
            else:
                self._ready.discard(port)
            await asyncio.sleep(HEALTH_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = self.ready
        first = next(self._turn)
        for offset in range(len(ready)):
            port = ready[(first + offset) % len(ready)]
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    backend = await asyncio.open_connection("127.0.0.1", port)
            except (OSError, TimeoutError):
                continue
            self._keep(_pump(reader, backend[1]))
            self._keep(_pump(backend[0], writer))
            return
        writer.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                sink.write(data)
                await sink.drain()
            sink.close()
            return
        sink.transport.abort()
    finally:
        if not sink.is_closing():
            sink.transport.abort()


async def _is_ready(probe: int) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", probe)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
