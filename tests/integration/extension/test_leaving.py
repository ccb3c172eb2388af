"""A replica that is told to end costs no request: through kube-apiserver, and without a single retry."""

from __future__ import annotations

import asyncio
import signal
import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from tests.integration.extension.conftest import Make, Site, all_ready, restart
from tests.servers import GV, Proxy
from tests.waiting import until

READERS = WRITERS = 50
_MERGE = {"Content-Type": "application/merge-patch+json"}


@dataclass
class Users:
    """Clients that never try again: whatever fails is a failure."""

    url: str
    session: aiohttp.ClientSession
    failures: list[str] = field(default_factory=list)
    answered: int = 0
    stopped: bool = False

    async def read(self, number: int) -> None:
        while not self.stopped:
            await self._ask("GET", f"/w{number}")
            await self._ask("GET", "?limit=5")

    async def write(self, number: int) -> None:
        count = 0
        while not self.stopped:
            count += 1
            body = orjson.dumps({"metadata": {"annotations": {"example.com/count": str(count)}}})
            await self._ask("PATCH", f"/w{number}", data=body, headers=_MERGE)

    async def _ask(self, method: str, path: str, **options: Any) -> None:
        try:
            async with self.session.request(method, self.url + path, **options) as answer:
                data = await answer.read()
                if answer.status != 200:
                    self.failures.append(f"{method} {path}: {answer.status} {data[:300]!r}")
        except (aiohttp.ClientError, OSError) as error:
            self.failures.append(f"{method} {path}: {error!r}")
        self.answered += 1
        await asyncio.sleep(0.5)


async def test_a_replica_that_is_told_to_end_loses_no_request(
    site: Site, proxy: Proxy, namespace: str, cluster: Make
) -> None:
    base = f"{GV}/namespaces/{namespace}"
    assert (await proxy.json("POST", f"{base}/missioncontrolclusters", json=cluster()))[0] == 201
    made = [proxy.json("POST", f"{base}/rollingrestarts", json=restart(f"w{n}")) for n in range(WRITERS)]
    assert {status for status, _ in await asyncio.gather(*made)} == {201}
    admin = ssl.create_default_context(cafile=str(site.plane.ca_file))
    admin.load_cert_chain(site.plane.admin.cert, site.plane.admin.key)
    connector = aiohttp.TCPConnector(ssl=admin, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        users = Users(f"{site.plane.server}{base}/rollingrestarts", session)
        working = [
            asyncio.create_task(work(number))
            for number in range(READERS)
            for work in (users.read, users.write)
        ]
        for replica in (site.replicas[0], site.replicas[1], site.replicas[0]):
            before = users.answered
            await until(lambda before=before: users.answered > before + 200, "requests are answered")
            replica.send_signal(signal.SIGTERM)
            await until(lambda replica=replica: not replica.is_running(), "it has ended", timeout=40)
            replica.start(wait=False)
            await until(lambda: all_ready(site), "all replicas are ready")
        users.stopped = True
        await asyncio.gather(*working)
    assert not users.failures, f"{len(users.failures)} of {users.answered}: {users.failures[:5]}"
