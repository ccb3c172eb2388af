"""Many clients of a server that resets every connection at once, on the loop that our programs use.

A program of its own: where a descriptor is closed twice, libuv aborts the process.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
import time

import aiohttp
import uvloop

from missioncontrol.kube.connector import Connector

CLIENTS, REQUESTS = 50, 60
BUSY_SECONDS = 0.002
"""Now and then the loop is held up, so that a connection is made and broken in the same turn."""


def reset_all(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


async def ask(session: aiohttp.ClientSession, url: str) -> None:
    for number in range(REQUESTS):
        try:
            async with session.get(url, timeout=aiohttp.ClientTimeout(total=10)):
                raise AssertionError("a server that answers nothing has answered")
        except (aiohttp.ClientError, OSError):
            pass
        await asyncio.sleep(0)
        if number % 10 == 3:
            time.sleep(BUSY_SECONDS)  # noqa: ASYNC251 - the very thing that is tried


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    threading.Thread(target=reset_all, args=(listener,), daemon=True).start()
    for scheme in ("http", "https"):
        connector = Connector(ssl=ssl.create_default_context(), limit=0)
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(ask(session, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"))


if __name__ == "__main__":
    uvloop.run(main())
