"""The loop that kubelet and provisioner share: take a key, reconcile it, try again after an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from missioncontrol.kube.errors import Conflict, KubeError, NotFound
from missioncontrol.kube.workqueue import ShutDown, WorkQueue

log = logging.getLogger(__name__)

Key = tuple[str, ...]


async def work(
    name: str, queue: WorkQueue[Key], reconcile: Callable[[Key], Awaitable[None]], *, workers: int
) -> None:
    """Run workers until cancelled. An error of the cluster is retried; any other ends the program."""
    async with asyncio.TaskGroup() as group:
        for number in range(workers):
            group.create_task(_worker(name, queue, reconcile), name=f"{name}-{number}")


async def _worker(name: str, queue: WorkQueue[Key], reconcile: Callable[[Key], Awaitable[None]]) -> None:
    while True:
        try:
            key, _ = await queue.get()
        except ShutDown:
            return
        try:
            await reconcile(key)
        except (Conflict, NotFound) as error:
            log.debug("changed meanwhile", extra={"worker": name, "key": "/".join(key), "why": str(error)})
            queue.add_rate_limited(key)
        except KubeError as error:
            log.warning("not reconciled", extra={"worker": name, "key": "/".join(key), "why": str(error)})
            queue.add_rate_limited(key)
        else:
            queue.forget(key)
        finally:
            queue.done(key)
