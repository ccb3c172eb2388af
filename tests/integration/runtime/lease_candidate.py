"""A candidate for a lease, as a process that tests can stop: while it leads it counts in a ConfigMap as fast
as it can.

Each line of its output is a state: `leading`, `lost`. Run by test_lease.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from missioncontrol.api.resources import CONFIG_MAPS
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import from_kubeconfig
from missioncontrol.kube.errors import KubeError, LeaseLost
from missioncontrol.kube.lease import Lease


async def main(kubeconfig: str, namespace: str, identity: str) -> None:
    config = from_kubeconfig(Path(kubeconfig))
    async with Client(config, user_agent="lease") as own, Client(config, user_agent="work") as client:
        lease = Lease(own, "test", namespace, identity, duration=3, renew_deadline=2, retry=0.3)
        client.guard = lease.check

        async def count() -> None:
            print("leading", flush=True)
            number = 0
            while True:
                number += 1
                patch = {"data": {"by": identity, identity: str(number)}}
                with contextlib.suppress(LeaseLost, KubeError):
                    await client.merge_patch(CONFIG_MAPS, "count", patch, namespace=namespace)
                # Not faster: a process stopped between asking the guard and writing to the socket, some
                # 50 µs, does write when it goes on. Only the resourceVersions in writes close that window.
                await asyncio.sleep(0.02)

        while True:
            try:
                await lease.run(count)
            except LeaseLost:
                print("lost", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
