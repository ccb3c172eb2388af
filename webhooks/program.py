"""The webhook server as a program, with the handlers of a data plane: what runs beside what, and when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from missioncontrol.api.names import WebhookPath
from missioncontrol.serving.http import Check, ProbeServer
from missioncontrol.serving.run import Supervisor
from missioncontrol.serving.tls import ServerTLS
from webhooks.data import DataPlane
from webhooks.metrics import Metrics
from webhooks.requester import Identities
from webhooks.server import AdmissionServer, Handler

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the flags say."""

    bind_address: str
    port: int
    metrics_bind_address: str
    system_namespace: str


async def serve_data_plane(stop: asyncio.Event, *, settings: Settings, tls: ServerTLS) -> None:
    """Serve a data plane's webhooks until `stop`."""
    handlers = DataPlane(Identities(settings.system_namespace))
    async with Supervisor() as supervisor:
        routes: Mapping[str, Handler] = {
            WebhookPath.MUTATE: handlers.mutate,
            WebhookPath.VALIDATE: handlers.validate,
        }
        await serve(stop, supervisor, settings, tls, Metrics(), routes, {})


async def serve(
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
