"""cass-operator as a program: ``python -m controllers.cassandra``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import click

from controllers.cassandra.caches import Caches, by_label, by_owner, by_task, by_watchers, key_of
from controllers.cassandra.certificates import Certificates
from controllers.cassandra.image_source import ImageSource
from controllers.cassandra.machines import machine_of
from controllers.cassandra.management import ManagementApi
from controllers.cassandra.memory import Memories
from controllers.cassandra.metrics import DatacenterMetrics
from controllers.cassandra.reconcile import DatacenterReconciler
from controllers.cassandra.state import Claim, Existing, PodState, RackSet
from controllers.cassandra.tasks.reconcile import TaskReconciler
from controllers.cassandra.tasks.schedule import ScheduleReconciler
from controllers.runtime import Controller, Manager
from missioncontrol.api.names import Component, Label, LabelValue
from missioncontrol.api.resources import CONFIG_MAPS
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.kube.connector import Connector
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import ConfigMap
from missioncontrol.serving import logs
from missioncontrol.serving.flags import common_options, connection, leader_options
from missioncontrol.serving.run import run

NAME = Component.CASS_OPERATOR.value
IMAGE_CONFIG = f"{Label.CONFIG}={LabelValue.IMAGE_CONFIG}"
WORKERS = 128
"""A reconcile mostly waits for answers: many may be under way, so that hanging nodes hold up few others, and
that of many datacenters which begin together none waits until the first ones have all that they consist of.
"""
REST = 0.2
"""Seconds that a datacenter is left alone after a look: each look changes labels and statuses, which would
wake it at once, and pods come and go together."""


@click.command()
@common_options
@leader_options
@click.option(
    "--management-api-from-annotation",
    is_flag=True,
    help="Reach a node's management API where an annotation of its pod says. Only for simulated nodes.",
)
@click.option(
    "--image-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An ImageConfig file. Without it, the ConfigMap labelled k8ssandra.io/config=image counts.",
)
def main(
    kubeconfig: Path | None,
    context: str | None,
    system_namespace: str,
    metrics_bind_address: str,
    log_level: str,
    leader_elect: bool,
    management_api_from_annotation: bool,
    image_config: Path | None,
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
            image_config=image_config,
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
    image_config: Path | None = None,
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
    connector = Connector(limit=1000, limit_per_host=0)
    memories = Memories()
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        api = ManagementApi(session, from_annotation=from_annotation, registry=manager.metrics.registry)
        chosen = manager.home.informer(
            CONFIG_MAPS, ConfigMap, namespace=system_namespace, label_selector=IMAGE_CONFIG
        )
        wire(manager, client, api, memories, chosen, image_config)
        try:
            await manager.run(stop)
        finally:
            await memories.close()


def wire(
    manager: Manager,
    client: Client,
    api: ManagementApi,
    memories: Memories,
    image_configs: Informer[ConfigMap],
    image_config: Path | None,
) -> None:
    """Make the controllers and give them their sources."""
    caches = Caches.of(manager.home)
    images = ImageSource(image_configs, image_config)
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
        images=images.current,
    )
    datacenters = manager.controller("cassandradatacenter", reconciler.reconcile, workers=WORKERS, rest=REST)
    datacenters.watch(caches.datacenters)
    datacenters.watch(caches.statefulsets, by_label, essence=RackSet.essence)
    datacenters.watch(caches.pods, by_label, essence=PodState.essence)
    datacenters.watch(caches.claims, by_label, essence=Claim.essence)
    datacenters.watch(caches.services, by_owner, essence=Existing.essence)
    datacenters.watch(caches.slices, by_label)
    datacenters.watch(caches.budgets, by_owner, essence=Existing.essence)
    datacenters.watch(caches.secrets, by_watchers)
    datacenters.watch(image_configs, lambda _: [key_of(each) for each in caches.datacenters.all()])
    datacenters.watch(caches.tasks, by_task)
    # heartbeats of machines wake nobody
    datacenters.watch(caches.machines, caches.on_machine, essence=machine_of)
    task_reconciler = TaskReconciler(
        client=client,
        caches=caches,
        api=api,
        certificates=certificates,
        memories=memories,
        recorder=manager.recorder,
        wake=lambda key: tasks.enqueue(key),
        images=images.current,
    )
    tasks = manager.controller("cassandratask", task_reconciler.reconcile, workers=WORKERS)
    tasks.watch(caches.tasks, task_reconciler.siblings)
    tasks.watch(caches.datacenters, task_reconciler.waiting_for)
    tasks.watch(caches.statefulsets, task_reconciler.of_datacenter, essence=RackSet.essence)
    tasks.watch(caches.pods, task_reconciler.of_datacenter, essence=PodState.essence)
    schedule_reconciler = ScheduleReconciler(client=client, caches=caches, recorder=manager.recorder)
    schedules = manager.controller("scheduledtask", schedule_reconciler.reconcile)
    schedules.watch(caches.schedules)
    schedules.watch(caches.datacenters, schedule_reconciler.of_datacenter)
    schedules.watch(caches.tasks, schedule_reconciler.of_task)


if __name__ == "__main__":
    main()
