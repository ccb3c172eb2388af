"""The aggregated API server as a process: what it is made of, how it begins and how it ends."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from yarl import URL

from apiserver.audit.log import LARGEST_EVENT, Auditor
from apiserver.audit.policy import DEFAULT as DEFAULT_POLICY
from apiserver.audit.policy import load as load_policy
from apiserver.audit.sink import Rotation, Sink
from apiserver.authn import Authenticator
from apiserver.authz import Authorizer
from apiserver.context import Context
from apiserver.express import Express
from apiserver.fairness import Turns
from apiserver.handlers import documents
from apiserver.handlers.health import Health
from apiserver.listener import Listener
from apiserver.metrics import Metrics
from apiserver.server import ApiServer
from apiserver.storage import Store
from apiserver.trust import Trust, TrustSource
from apiserver.watchcache.cache import WatchCache
from missioncontrol.api.names import Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.serving import memory
from missioncontrol.serving.health import Check
from missioncontrol.serving.http import ProbeServer
from missioncontrol.serving.run import Supervisor
from missioncontrol.serving.tls import ServerTLS

log = logging.getLogger(__name__)

LEAVE_SECONDS = 10.0
"""For clients to find other connections; they need about one."""
DRAIN_SECONDS = 30.0
"""For requests in progress: half of what one may take, for a client repeats what is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """Where the audit log goes; an empty path means nowhere."""

    path: str = ""
    policy_file: Path | None = None
    rotation: Rotation = field(default_factory=Rotation)
    largest_event: int = LARGEST_EVENT


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
    audit: AuditSettings = field(default_factory=AuditSettings)


async def serve(
    settings: Settings, stop: asyncio.Event, *, started: Callable[[int], None] = lambda _: None
) -> None:
    """Serve until `stop`, then drain. `started` is told the port once everything listens."""
    documents.warm()
    memory.keep_what_is_there()
    tls = ServerTLS(
        settings.tls_cert_file,
        settings.tls_private_key_file,
        request_client_cert=True,
        take_expired=True,
        protocols=("h2", "http/1.1"),
    )
    metrics = Metrics()
    with _auditing(settings.audit) as auditor:
        metrics.add(*auditor.series)
        user_agent = f"missioncontrol-{Component.APISERVER}"
        async with Client(settings.cluster, user_agent=user_agent) as client, Supervisor() as supervisor:
            client.observer = functools.partial(
                metrics.backend.observe, URL(settings.cluster.server).authority
            )
            trust = TrustSource(client)
            trust.changed = lambda: _trust(tls, trust.current)
            ready: dict[str, Check] = {
                "authentication": lambda: (
                    None if trust.synced else "the trust of kube-apiserver is not known yet"
                ),
                "shutdown": lambda: "shutting down" if stop.is_set() else None,
            }
            cache = WatchCache(client)
            context = _context(settings, client, cache, metrics)
            turns = Turns(
                read_only=settings.max_requests_inflight, mutating=settings.max_mutating_requests_inflight
            )
            metrics.show_lanes(turns.lanes)
            server = _server(settings, client, context, trust, metrics, auditor, ready, turns)
            express = Express(
                context,
                lambda: trust.current,
                turns=turns,
                metrics=metrics,
                auditor=auditor,
                # what is to be logged, or told to leave, takes the long way
                is_open=lambda: not server.life.closing and random.random() >= settings.access_log_share,
            )
            supervisor.spawn("trust", trust.run())
            # readiness does not wait for it: without it reads and watches go to the store
            supervisor.spawn("cache", cache.run())
            supervisor.spawn("certificates", tls.watch())
            probes = ProbeServer(settings.metrics_bind_address, registry=metrics.registry, ready=ready)
            listener = Listener(
                server.handle,
                tls.context,
                host=settings.bind_address,
                port=settings.secure_port,
                express=express,
            )
            async with probes, listener:
                log.info("serving", extra={"port": listener.port})
                started(listener.port)
                await supervisor.until(stop)
                await _end(server, context, listener, settings.shutdown_delay)


def _context(settings: Settings, client: Client, cache: WatchCache, metrics: Metrics) -> Context:
    """What handlers work with."""
    return Context(
        Store(client, system_namespace=settings.system_namespace),
        Authorizer(client, observe=metrics.identity.access_review),
        cache,
        watch_event=metrics.watch_event,
    )


def _server(
    settings: Settings,
    client: Client,
    context: Context,
    trust: TrustSource,
    metrics: Metrics,
    auditor: Auditor,
    ready: Mapping[str, Check],
    turns: Turns,
) -> ApiServer:
    """The way of requests."""
    return ApiServer(
        context,
        Authenticator(client, lambda: trust.current, observe=metrics.identity.token_review),
        checks=Health(live={}, ready=ready),
        turns=turns,
        metrics=metrics,
        auditor=auditor,
        access_log_share=settings.access_log_share,
    )


async def _end(server: ApiServer, context: Context, listener: Listener, delay: float) -> None:
    """Leave so that nobody notices: be seen as not ready, then serve on, then finish what is begun."""
    server.life.closing = True
    log.info("shutting down: serving on until everybody knows", extra={"seconds": delay})
    await asyncio.sleep(delay)
    # only now: before, new connections might have led here again
    await listener.leave(LEAVE_SECONDS)
    server.life.refusing = True
    log.info("draining")
    context.draining.set()
    await context.cache.drain()
    await listener.drain(DRAIN_SECONDS)


@contextmanager
def _auditing(settings: AuditSettings) -> Iterator[Auditor]:
    if not settings.path:
        yield Auditor()
        return
    policy = load_policy(settings.policy_file) if settings.policy_file else DEFAULT_POLICY
    with Sink(settings.path, settings.rotation) as sink:
        yield Auditor(policy, sink, limit=settings.largest_event)


def _trust(tls: ServerTLS, trust: Trust) -> None:
    """What the handshake accepts from now on."""
    pem = "".join(ssl.DER_cert_to_PEM_cert(each) for each in trust.all_ca)
    try:
        tls.set_client_ca(pem.encode() or None)
    except (ssl.SSLError, ValueError) as error:
        log.error("the client CAs of kube-apiserver cannot be used, the old ones stay: %s", error)
