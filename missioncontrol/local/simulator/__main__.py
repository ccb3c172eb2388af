"""`python -m missioncontrol.local.simulator`: the simulator of one data plane, as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from missioncontrol.api.resources import (
    ENDPOINT_SLICES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.kube.informer import Informer
from missioncontrol.local.simulator.calls import CallLog
from missioncontrol.local.simulator.context import Context
from missioncontrol.local.simulator.kubelet import Kubelet
from missioncontrol.local.simulator.management_api import ManagementApi
from missioncontrol.local.simulator.nodes import Nodes
from missioncontrol.local.simulator.seeds import FOREIGN_SLICES, SeedResolver
from missioncontrol.local.simulator.settings import Settings, simulated_nodes
from missioncontrol.local.simulator.store import Store
from missioncontrol.local.simulator.tenants import Tenants
from missioncontrol.local.simulator.views import (
    Claim,
    EndpointSlice,
    KubernetesNode,
    PersistentVolume,
    Pod,
)
from missioncontrol.local.simulator.volumes import Volumes
from missioncontrol.serving import flags, logs
from missioncontrol.serving.http import Check, ProbeServer, parse_address
from missioncontrol.serving.run import Supervisor, run

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
SYNC_SECONDS = 20.0


async def simulate(
    stop: asyncio.Event, *, config: ClusterConfig, settings: Settings, listen: str, metrics: str
) -> None:
    """Play one plane until told to stop."""
    store = Store(settings.database, plane=settings.plane, pod_cidr=settings.pod_cidr)
    calls = CallLog(settings.calls_file)
    try:
        async with Client(config, user_agent="missioncontrol-simulator") as client:
            await _simulate(
                stop,
                client=client,
                store=store,
                calls=calls,
                settings=settings,
                listen=listen,
                metrics=metrics,
            )
        store.heartbeat(0.0)  # an orderly end is seen at once, not after some missed heartbeats
    finally:
        calls.close()
        store.close()


async def _simulate(
    stop: asyncio.Event,
    *,
    client: Client,
    store: Store,
    calls: CallLog,
    settings: Settings,
    listen: str,
    metrics: str,
) -> None:
    pods = Informer(client, PODS, Pod)
    claims = Informer(client, PERSISTENT_VOLUME_CLAIMS, Claim)
    volumes = Informer(client, PERSISTENT_VOLUMES, PersistentVolume)
    slices = Informer(client, ENDPOINT_SLICES, EndpointSlice, label_selector=FOREIGN_SLICES)
    machines = Informer(client, NODES, KubernetesNode)
    nodes = simulated_nodes(settings)
    clock = time.time
    tenants = Tenants(store)
    kubelet = Kubelet(
        client,
        settings=settings,
        store=store,
        tenants=tenants,
        nodes=nodes,
        pod_informer=pods,
        claim_informer=claims,
        clock=clock,
    )
    provisioner = Volumes(client, store=store, claim_informer=claims, volume_informer=volumes, clock=clock)
    keeper = Nodes(client, nodes=nodes.values(), region=settings.plane, informer=machines, clock=clock)
    context = Context(
        settings=settings,
        store=store,
        tenants=tenants,
        clock=clock,
        find_pod=pods.get,
        seeds=SeedResolver(client, pod_informer=pods, slice_informer=slices),
        wake=kubelet.wake,
    )
    informers: dict[str, Informer[Any]] = {
        "pods": pods,
        "claims": claims,
        "volumes": volumes,
        "slices": slices,
        "nodes": machines,
    }
    ready: dict[str, Check] = {name: _synced(informer) for name, informer in informers.items()}
    ready["machines"] = lambda: None if keeper.settled.is_set() else "not all nodes exist"
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    async with Supervisor() as supervisor:
        supervisor.spawn("heartbeat", _beat(store))
        for name, informer in informers.items():
            supervisor.spawn(f"informer-{name}", informer.run())
        supervisor.spawn("nodes", keeper.run())
        supervisor.spawn("volumes", provisioner.run())
        supervisor.spawn("kubelet", kubelet.run())
        async with ProbeServer(metrics, registry=registry, ready=ready):
            # Until the pods are known every call would be answered as if there were none.
            await pods.wait_synced(SYNC_SECONDS)
            async with _listening(ManagementApi(context, calls, registry=registry).application(), listen):
                log.info("simulating", extra={"plane": settings.plane, "listen": listen})
                await supervisor.until(stop)


def _synced(informer: Informer[Any]) -> Check:
    return lambda: None if informer.synced else "not synced"


async def _beat(store: Store) -> None:
    while True:
        store.heartbeat(time.time())
        await asyncio.sleep(HEARTBEAT_SECONDS)


@contextlib.asynccontextmanager
async def _listening(app: web.Application, listen: str) -> AsyncIterator[None]:
    host, port = parse_address(listen)
    # A caller that has gone must not leave a handler behind that waits for ever.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


def _loopback(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        host, _port = parse_address(value)
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(
                f"{host} is not a loopback address; what listens here lets anybody inject faults"
            )
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


def _cidr(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
        if network.prefixlen > 22:
            raise ValueError(f"{value} is too small: at least a /22 is needed")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


@click.command()
@flags.common_options
@click.option("--plane", required=True, help="The name of the data plane.")
@click.option(
    "--state-dir",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Shared by the simulators of all planes: the rings span them.",
)
@click.option("--listen", required=True, callback=_loopback, metavar="IP:PORT", help="Loopback only.")
@click.option("--pod-cidr", required=True, callback=_cidr, help="Of this plane alone, such as 10.1.0.0/16.")
@click.option("--advertise", required=True, metavar="URL", help="How others reach --listen.")
@click.option("--nodes", default=12, show_default=True, type=click.IntRange(1, 150))
@click.option("--start-seconds", default=1.0, show_default=True, type=click.FloatRange(0))
@click.option("--job-seconds", default=2.0, show_default=True, type=click.FloatRange(0))
@click.option("--decommission-seconds", default=3.0, show_default=True, type=click.FloatRange(0))
@click.option("--stop-seconds", default=0.3, show_default=True, type=click.FloatRange(0))
def main(
    *,
    kubeconfig: Path | None,
    context: str | None,
    system_namespace: str,
    metrics_bind_address: str,
    log_level: str,
    plane: str,
    state_dir: Path,
    listen: str,
    pod_cidr: str,
    advertise: str,
    nodes: int,
    start_seconds: float,
    job_seconds: float,
    decommission_seconds: float,
    stop_seconds: float,
) -> None:
    """Play the nodes, kubelets, volumes and Cassandra of one data plane."""
    logs.setup(log_level, component="simulator")
    settings = Settings(
        plane=plane,
        state_dir=state_dir,
        advertise=advertise,
        pod_cidr=pod_cidr,
        nodes=nodes,
        start_seconds=start_seconds,
        job_seconds=job_seconds,
        decommission_seconds=decommission_seconds,
        stop_seconds=stop_seconds,
    )
    config = flags.connection(kubeconfig, context)
    os.umask(0o077)
    run(
        lambda stop: simulate(
            stop, config=config, settings=settings, listen=listen, metrics=metrics_bind_address
        )
    )


if __name__ == "__main__":
    main()
