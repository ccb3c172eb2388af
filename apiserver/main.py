"""`python -m apiserver`: the aggregated API server as a process."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click
from aiohttp import web

from apiserver.authn import Authenticator
from apiserver.authz import Authorizer
from apiserver.context import Context
from apiserver.handlers import documents
from apiserver.handlers.health import Health
from apiserver.inflight import Inflight
from apiserver.metrics import Metrics
from apiserver.server import ApiServer
from apiserver.storage import Store
from apiserver.trust import Trust, TrustSource
from apiserver.watchcache.cache import WatchCache
from missioncontrol.api.names import Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.serving import logs
from missioncontrol.serving.flags import common_options, connection, server_options
from missioncontrol.serving.http import ProbeServer
from missioncontrol.serving.run import Supervisor, run
from missioncontrol.serving.tls import ServerTLS

log = logging.getLogger(__name__)

HEADER_LIMIT = 64 * 1024
HEADERS_LIMIT = 2000
DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the flags say."""

    cluster: ClusterConfig
    system_namespace: str
    bind_address: str
    secure_port: int
    tls_cert_file: Path
    tls_private_key_file: Path
    metrics_bind_address: str
    shutdown_delay: float = 0.0
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    access_log_share: float = 0.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@common_options
@server_options
@click.option(
    "--shutdown-delay",
    type=click.FloatRange(0, 20),
    default=0.0,
    show_default=True,
    help="Seconds to go on serving after SIGTERM with /readyz failing; in a cluster, 10.",
)
@click.option("--max-requests-inflight", type=click.IntRange(1), default=400, show_default=True)
@click.option("--max-mutating-requests-inflight", type=click.IntRange(1), default=200, show_default=True)
@click.option(
    "--access-log-share",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="The share of requests that are logged: 0 none, 1 all.",
)
def main(
    kubeconfig: Path | None,
    context: str | None,
    system_namespace: str,
    metrics_bind_address: str,
    log_level: str,
    bind_address: str,
    secure_port: int,
    tls_cert_file: Path,
    tls_private_key_file: Path,
    shutdown_delay: float,
    max_requests_inflight: int,
    max_mutating_requests_inflight: int,
    access_log_share: float,
) -> NoReturn:
    """Serve missioncontrol.io behind kube-apiserver."""
    logs.setup(log_level, component=Component.APISERVER)
    settings = Settings(
        cluster=connection(kubeconfig, context),
        system_namespace=system_namespace,
        bind_address=bind_address,
        secure_port=secure_port,
        tls_cert_file=tls_cert_file,
        tls_private_key_file=tls_private_key_file,
        metrics_bind_address=metrics_bind_address,
        shutdown_delay=shutdown_delay,
        max_requests_inflight=max_requests_inflight,
        max_mutating_requests_inflight=max_mutating_requests_inflight,
        access_log_share=access_log_share,
    )
    run(lambda stop: serve(settings, stop))


async def serve(
    settings: Settings, stop: asyncio.Event, *, started: Callable[[int], None] = lambda _: None
) -> None:
    """Serve until `stop`, then drain. `started` is told the port once everything listens."""
    documents.warm()
    tls = ServerTLS(settings.tls_cert_file, settings.tls_private_key_file, request_client_cert=True)
    user_agent = f"missioncontrol-{Component.APISERVER}"
    async with Client(settings.cluster, user_agent=user_agent) as client, Supervisor() as supervisor:
        trust = TrustSource(client)
        trust.changed = lambda: _trust(tls, trust.current)
        cache = WatchCache(client)
        context = Context(
            Store(client, system_namespace=settings.system_namespace), Authorizer(client), cache
        )
        inflight = Inflight(
            read_only=settings.max_requests_inflight, mutating=settings.max_mutating_requests_inflight
        )
        metrics = Metrics(inflight)
        ready = {
            "authentication": lambda: (
                None if trust.synced else "the trust of kube-apiserver is not known yet"
            ),
            "shutdown": lambda: "shutting down" if stop.is_set() else None,
        }
        server = ApiServer(
            context,
            Authenticator(client, lambda: trust.current),
            checks=Health(live={}, ready=ready),
            inflight=inflight,
            metrics=metrics,
            access_log_share=settings.access_log_share,
        )
        supervisor.spawn("trust", trust.run())
        # readiness does not wait for it: without it reads and watches go to the store
        supervisor.spawn("cache", cache.run())
        supervisor.spawn("certificates", tls.watch())
        probes = ProbeServer(settings.metrics_bind_address, registry=metrics.registry, ready=ready)
        async with probes, Listener(settings, server.handle, tls.context) as listener:
            log.info("serving", extra={"port": listener.port})
            started(listener.port)
            await supervisor.until(stop)
            server.closing = True
            log.info("draining")
            await asyncio.sleep(settings.shutdown_delay)
            context.draining.set()
            await cache.drain()


def _trust(tls: ServerTLS, trust: Trust) -> None:
    """What the handshake accepts from now on."""
    pem = "".join(ssl.DER_cert_to_PEM_cert(each) for each in trust.all_ca)
    try:
        tls.set_client_ca(pem.encode() or None)
    except (ssl.SSLError, ValueError) as error:
        log.error("the client CAs of kube-apiserver cannot be used, the old ones stay: %s", error)


class Listener:
    """The HTTPS socket; leaving it waits for what is in progress."""

    def __init__(
        self,
        settings: Settings,
        handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        context: ssl.SSLContext,
    ) -> None:
        self._settings, self._context = settings, context
        server = web.Server(
            handle,
            handler_cancellation=True,
            access_log=None,
            max_line_size=HEADER_LIMIT,
            max_field_size=HEADER_LIMIT,
            max_headers=HEADERS_LIMIT,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=DRAIN_SECONDS)

    @property
    def port(self) -> int:
        """The real port, also when 0 was asked for."""
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Listener:
        await self._runner.setup()
        settings = self._settings
        site = web.TCPSite(
            self._runner, settings.bind_address, settings.secure_port, ssl_context=self._context, backlog=1024
        )
        await site.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
