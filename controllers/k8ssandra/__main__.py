"""`python -m controllers.k8ssandra`: k8ssandra-operator, for the plane that it runs in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import click

from controllers.k8ssandra.operator import install
from controllers.runtime.manager import Manager
from missioncontrol.api.names import Component
from missioncontrol.kube.client import Client
from missioncontrol.kube.connector import Connector
from missioncontrol.serving import flags, logs
from missioncontrol.serving.run import run

NAME = Component.K8SSANDRA_OPERATOR.value


@click.command(help="K8ssandraClusters and K8ssandraTasks become CassandraDatacenters and CassandraTasks.")
@flags.common_options
@flags.leader_options
@click.option(
    "--management-api-from-annotation",
    is_flag=True,
    help="Reach nodes where an annotation of their pods says. For simulated nodes only.",
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
    """Run until a signal."""
    logs.setup(log_level, component=NAME)
    config = flags.connection(kubeconfig, context)

    async def operate(stop: asyncio.Event) -> None:
        manager = Manager(
            NAME,
            Client(config, user_agent=NAME),
            system_namespace=system_namespace,
            metrics_bind_address=metrics_bind_address,
            leader_elect=leader_elect,
        )
        async with aiohttp.ClientSession(connector=Connector()) as session:
            install(manager, session, from_annotation=management_api_from_annotation)
            await manager.run(stop)

    run(operate)


main()
