"""cass-operator as a program: ``python -m controllers.cassandra``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import click

from controllers.cassandra.caches import Caches, by_label, by_owner, by_watchers
from controllers.cassandra.certificates import Certificates
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.memory import Memories
from controllers.cassandra.metrics import DatacenterMetrics
from controllers.cassandra.reconcile import DatacenterReconciler
from controllers.cassandra.tasks.reconcile import TaskReconciler
from controllers.cassandra.tasks.schedule import ScheduleReconciler
from controllers.runtime import Controller, Manager
from missioncontrol.api.names import Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.serving import logs
from missioncontrol.serving.flags import common_options, connection, leader_options
from missioncontrol.serving.run import run

NAME = Component.CASS_OPERATOR.value
WORKERS = 64
"""A reconcile mostly waits for answers: many may be under way, so that hanging nodes hold up few others."""


@click.command()
@common_options
@leader_options
@click.option(
    "--management-api-from-annotation",
    is_flag=True,
    help="Reach a node's management API where an annotation of its pod says. Only for simulated nodes.",
)
def main(
    kubeconfig: Path | None,
    context: str | None,
    system_namespace: str,
    metrics_bind_address: str,
    log_level: str,
    leader_elect: bool,
    management_api_from_annotation: bool,
) -> None:
    """Run CassandraDatacenters and CassandraTasks of all namespaces."""
    logs.setup(component=NAME, level=log_level)
    config = connection(kubeconfig, context)

    async def work(stop: asyncio.Event) -> None:
        await operate(
            config,
            stop,
            system_namespace=system_namespace,
            metrics_bind_address=metrics_bind_address,
            leader_elect=leader_elect,
            from_annotation=management_api_from_annotation,
        )

    run(work)


async def operate(
    config: ClusterConfig,
    stop: asyncio.Event,
    *,
    system_namespace: str,
    metrics_bind_address: str,
    leader_elect: bool,
    from_annotation: bool,
) -> None:
    """Wire the operator together and run it until `stop`."""
    client = Client(config, user_agent=NAME)
    manager = Manager(
        NAME,
        client,
        system_namespace=system_namespace,
        metrics_bind_address=metrics_bind_address,
        leader_elect=leader_elect,
    )
    connector = aiohttp.TCPConnector(limit=1000, limit_per_host=0)
    memories = Memories()
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        api = ManagementApi(session, from_annotation=from_annotation, registry=manager.metrics.registry)
        wire(manager, client, api, memories)
        try:
            await manager.run(stop)
        finally:
            await memories.close()


def wire(manager: Manager, client: Client, api: ManagementApi, memories: Memories) -> None:
    """Make the controllers and give them their sources."""
    caches = Caches.of(manager.home)
    certificates = Certificates(client, caches.secrets)
    manager.metrics.registry.register(DatacenterMetrics(caches, lambda: manager.leading))
    datacenters: Controller
    tasks: Controller
    reconciler = DatacenterReconciler(
        client=client,
        caches=caches,
        api=api,
        certificates=certificates,
        memories=memories,
        recorder=manager.recorder,
        wake=lambda key: datacenters.enqueue(key),
    )
    datacenters = manager.controller("cassandradatacenter", reconciler.reconcile, workers=WORKERS)
    datacenters.watch(caches.datacenters)
    datacenters.watch(caches.statefulsets, by_label)
    datacenters.watch(caches.pods, by_label)
    datacenters.watch(caches.claims, by_label)
    datacenters.watch(caches.services, by_owner)
    datacenters.watch(caches.slices, by_label)
    datacenters.watch(caches.budgets, by_owner)
    datacenters.watch(caches.secrets, by_watchers)
    task_reconciler = TaskReconciler(
        client=client,
        caches=caches,
        api=api,
        certificates=certificates,
        memories=memories,
        recorder=manager.recorder,
        wake=lambda key: tasks.enqueue(key),
    )
    tasks = manager.controller("cassandratask", task_reconciler.reconcile, workers=WORKERS)
    tasks.watch(caches.tasks, task_reconciler.siblings)
    tasks.watch(caches.datacenters, task_reconciler.waiting_for)
    tasks.watch(caches.statefulsets, task_reconciler.of_datacenter)
    tasks.watch(caches.pods, task_reconciler.of_datacenter)
    schedule_reconciler = ScheduleReconciler(client=client, caches=caches, recorder=manager.recorder)
    schedules = manager.controller("scheduledtask", schedule_reconciler.reconcile)
    schedules.watch(caches.schedules)
    schedules.watch(caches.datacenters, schedule_reconciler.of_datacenter)
    schedules.watch(caches.tasks, schedule_reconciler.of_task)


if __name__ == "__main__":
    main()
