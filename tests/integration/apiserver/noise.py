"""A noisy client, as a process of its own: many requests for one path at a time, answers thrown away.

`python -m tests.integration.apiserver.noise HOST PORT CERT KEY COUNT USER PATH` until it is killed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys


async def _ask_for_ever(host: str, port: int, tls: ssl.SSLContext, request: bytes) -> None:
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=1 << 20)
    while True:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head.lower())
        left = int(found[1]) if found else 0
        while left:
            left -= len(await reader.read(min(left, 1 << 20)))
        if b" 200 " not in head.splitlines()[0]:
            await asyncio.sleep(1)


async def main(host: str, port: str, cert: str, key: str, count: str, user: str, path: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    tls.load_cert_chain(cert, key)
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Remote-User: {user}\r\n"
    request = f"{head}X-Remote-Group: system:authenticated\r\n\r\n".encode()
    await asyncio.gather(*(_ask_for_ever(host, int(port), tls, request) for _ in range(int(count))))


asyncio.run(main(*sys.argv[1:]))
