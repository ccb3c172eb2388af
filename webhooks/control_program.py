"""The control plane's handlers in the program: with caches and a policy engine, and ready only with both.

Apart from the program itself, because a data plane's server needs none of what is imported here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from missioncontrol.api.names import WebhookPath
from missioncontrol.kube.client import Client
from missioncontrol.policy.engine import PolicyUnavailable
from missioncontrol.policy.opa import OpaEngine
from missioncontrol.policy.question import probe_question
from missioncontrol.serving.run import Supervisor
from missioncontrol.serving.tls import ServerTLS
from webhooks.control import ControlPlane
from webhooks.inventory import Inventory, unsynced
from webhooks.metrics import Metrics
from webhooks.program import Settings, serve
from webhooks.quota import Quotas
from webhooks.requester import Identities
from webhooks.server import Handler

log = logging.getLogger(__name__)

PROBE_SECONDS: Final = 2.0
PROBE_TIMEOUT: Final = 2.0


class PolicyWatch:
    """Keeps asking the policy engine whether the library is loaded; the server is ready only then."""

    def __init__(self, engine: OpaEngine) -> None:
        self._engine = engine
        self._trouble: str | None = "not asked yet"

    def complaint(self) -> str | None:
        """What is wrong, for readiness."""
        return self._trouble

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                decision = await self._engine.decide(probe_question(), timeout=PROBE_TIMEOUT)
            except PolicyUnavailable as error:
                self._note(str(error))
            else:
                self._note(None if decision.allowed else "a policy objects to an empty question")
            await asyncio.sleep(PROBE_SECONDS if self._trouble is None else PROBE_SECONDS / 10)

    def _note(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            log.log(logging.WARNING if trouble else logging.INFO, "policies: %s", trouble or "ready")
        self._trouble = trouble


async def serve_control_plane(
    stop: asyncio.Event, *, settings: Settings, tls: ServerTLS, client: Client, engine: OpaEngine
) -> None:
    """Serve the control plane's webhooks until `stop`."""
    metrics, inventory, quotas = Metrics(), Inventory(client), Quotas(client)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        await stack.enter_async_context(engine)
        watch = PolicyWatch(engine)
        informers = (*inventory.informers, quotas.informer)
        handlers = ControlPlane(inventory, quotas, engine, Identities(settings.system_namespace), metrics)
        ready = {"caches": lambda: unsynced(informers), "policies": watch.complaint}
        supervisor = await stack.enter_async_context(Supervisor())
        for informer in informers:
            supervisor.spawn(f"informer {informer.resource.plural}", informer.run())
        supervisor.spawn("policies", watch.run())
        routes: Mapping[str, Handler] = {
            WebhookPath.MUTATE: handlers.mutate,
            WebhookPath.VALIDATE: handlers.validate,
        }
        await serve(stop, supervisor, settings, tls, metrics, routes, ready)
