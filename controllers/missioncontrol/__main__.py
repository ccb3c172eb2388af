"""`python -m controllers.missioncontrol`: mission-control-operator, in the control plane."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click

from controllers.missioncontrol.app import Operator
from controllers.missioncontrol.identity import FIELD_MANAGER
from controllers.runtime.manager import Manager
from missioncontrol.api.resources import NAMESPACES
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import KubeError
from missioncontrol.serving import logs
from missioncontrol.serving.flags import common_options, connection, leader_options
from missioncontrol.serving.run import run

log = logging.getLogger(__name__)

USER_AGENT = FIELD_MANAGER
RETRY_SECONDS = 1.0


@click.command()
@common_options
@leader_options
def main(
    kubeconfig: Path | None,
    context: str | None,
    system_namespace: str,
    metrics_bind_address: str,
    log_level: str,
    leader_elect: bool,
) -> None:
    """Runs database clusters over data planes: places them, watches them, carries out operations."""
    logs.setup(log_level, component=FIELD_MANAGER)
    config = connection(kubeconfig, context)

    async def body(stop: asyncio.Event) -> None:
        client = Client(config, user_agent=USER_AGENT)
        identity = await _identity(client, stop)
        if identity is None:
            await client.close()
            return
        manager = Manager(
            FIELD_MANAGER,
            client,
            system_namespace=system_namespace,
            metrics_bind_address=metrics_bind_address,
            leader_elect=leader_elect,
        )
        operator = Operator(
            manager, control_plane=identity, system_namespace=system_namespace, user_agent=USER_AGENT
        )
        async with asyncio.TaskGroup() as group:
            checks = group.create_task(operator.fleet.run(), name="checks of data planes")
            await manager.run(stop)
            checks.cancel()

    run(body)


async def _identity(client: Client, stop: asyncio.Event) -> str | None:
    """The id of this control plane, as soon as its API server answers; None when stopped before."""
    while not stop.is_set():
        try:
            system = await client.get(NAMESPACES, "kube-system")
        except KubeError as error:
            log.warning("the control plane does not answer yet: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return str(system["metadata"]["uid"])
    return None


if __name__ == "__main__":
    main()
