"""The webhook server as a program: what runs beside what, and when it is ready."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from missioncontrol.api.names import WebhookPath
from missioncontrol.kube.client import Client
from missioncontrol.policy.engine import PolicyUnavailable
from missioncontrol.policy.opa import OpaEngine
from missioncontrol.policy.question import probe_question
from missioncontrol.serving.http import Check, ProbeServer
from missioncontrol.serving.run import Supervisor
from missioncontrol.serving.tls import ServerTLS
from webhooks.control import ControlPlane
from webhooks.data import DataPlane
from webhooks.inventory import Inventory
from webhooks.metrics import Metrics
from webhooks.requester import Identities
from webhooks.server import AdmissionServer, Handler

log = logging.getLogger(__name__)

PROBE_SECONDS: Final = 2.0
PROBE_TIMEOUT: Final = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the flags say."""

    bind_address: str
    port: int
    metrics_bind_address: str
    system_namespace: str


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
    stop: asyncio.Event, *, settings: Settings, tls: ServerTLS, client: Client, opa_url: str
) -> None:
    """Serve the control plane's webhooks until `stop`."""
    metrics, inventory = Metrics(), Inventory(client)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(client)
        engine = await stack.enter_async_context(OpaEngine(opa_url))
        watch = PolicyWatch(engine)
        handlers = ControlPlane(inventory, engine, Identities(settings.system_namespace), metrics)
        ready = {"caches": inventory.unsynced, "policies": watch.complaint}
        supervisor = await stack.enter_async_context(Supervisor())
        for informer in inventory.informers:
            supervisor.spawn(f"informer {informer.resource.plural}", informer.run())
        supervisor.spawn("policies", watch.run())
        routes: Mapping[str, Handler] = {
            WebhookPath.MUTATE: handlers.mutate,
            WebhookPath.VALIDATE: handlers.validate,
        }
        await _serve(stop, supervisor, settings, tls, metrics, routes, ready)


async def serve_data_plane(stop: asyncio.Event, *, settings: Settings, tls: ServerTLS) -> None:
    """Serve a data plane's webhooks until `stop`."""
    handlers = DataPlane(Identities(settings.system_namespace))
    async with Supervisor() as supervisor:
        routes: Mapping[str, Handler] = {
            WebhookPath.MUTATE: handlers.mutate,
            WebhookPath.VALIDATE: handlers.validate,
        }
        await _serve(stop, supervisor, settings, tls, Metrics(), routes, {})


async def _serve(
    stop: asyncio.Event,
    supervisor: Supervisor,
    settings: Settings,
    tls: ServerTLS,
    metrics: Metrics,
    routes: Mapping[str, Handler],
    ready: Mapping[str, Check],
) -> None:
    serving = asyncio.Event()
    checks = {**ready, "serving": lambda: None if serving.is_set() and not stop.is_set() else "not serving"}
    server = AdmissionServer(
        routes, bind_address=settings.bind_address, port=settings.port, tls=tls, metrics=metrics
    )
    probes = ProbeServer(settings.metrics_bind_address, registry=metrics.registry, ready=checks)
    async with probes, server:
        supervisor.spawn("certificate", tls.watch())
        serving.set()
        log.info("admission at port %d, probes at %s", server.port, probes.url)
        await supervisor.until(stop)
