"""A thousand watches on one replica: what they cost, and that a write reaches each of them at once."""

from __future__ import annotations

import asyncio
import os
import resource
import time

import orjson

from tests.integration.extension.conftest import Make, Site, restart
from tests.servers import GV, Proxy, Server

WATCHES = 1000
MEGABYTES = 150
"""What a thousand watches may hold, most of it TLS: not much more than a native server needs for them."""


class Stream:
    """A watch with as little of a client as can be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def opened(self, path: str) -> Stream:
        head = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Remote-User: root\r\nX-Remote-Group: system:masters"
        )
        self.writer.write(f"{head}\r\n\r\n".encode())
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in answer.splitlines()[0], answer
        return self

    async def event(self) -> tuple[str, str]:
        """The next event: its type, and the name of its object."""
        while True:
            line = await self._reader.readline()
            assert line, "the stream has ended"
            if line.startswith(b"{"):
                told = orjson.loads(line)
                return told["type"], told["object"]["metadata"]["name"]


def usage(server: Server) -> tuple[float, float]:
    """Megabytes and processor seconds of a process."""
    with open(f"/proc/{server.pid}/statm") as file:
        pages = int(file.read().split()[1])
    with open(f"/proc/{server.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), ticks / os.sysconf("SC_CLK_TCK")


async def test_a_thousand_watches(site: Site, proxy: Proxy, namespace: str, cluster: Make) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, files[1]), files[1]))
    base = f"{GV}/namespaces/{namespace}"
    assert (await proxy.json("POST", f"{base}/missioncontrolclusters", json=cluster()))[0] == 201
    server, context = site.replicas[0], site.front_proxy()
    path = f"{base}/rollingrestarts?watch=true&resourceVersion=0"
    gate = asyncio.Semaphore(50)

    async def opened() -> Stream:
        async with gate:
            pair = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, limit=1 << 20)
            return await Stream(*pair).opened(path)

    empty, _ = usage(server)
    streams = await asyncio.gather(*(opened() for _ in range(WATCHES)))
    try:
        full, busy = usage(server)
        await asyncio.sleep(1)
        idle = usage(server)[1] - busy
        took, spent = [], usage(server)[1]
        for number in range(3):
            began = time.monotonic()
            status, answer = await proxy.json("POST", f"{base}/rollingrestarts", json=restart(f"r{number}"))
            assert status == 201, answer
            async with asyncio.timeout(30):
                seen = await asyncio.gather(*(each.event() for each in streams))
            took.append(time.monotonic() - began)
            assert set(seen) == {("ADDED", f"r{number}")}
        spent = usage(server)[1] - spent
    finally:
        for each in streams:
            each.writer.transport.abort()
    print(
        f"{full - empty:.0f} MB for {WATCHES} watches, {idle:.2f} s of processor time in an idle second; a "
        f"write reaches all in {min(took):.2f} to {max(took):.2f} s, with {spent / 3:.2f} s of processor time"
    )
    assert full - empty < MEGABYTES
    assert idle < 0.3
    assert spent / 3 < 2
