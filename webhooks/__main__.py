"""`python -m webhooks --plane control|data`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import click

from missioncontrol.api.names import Component
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.serving import flags, logs
from missioncontrol.serving.run import run
from missioncontrol.serving.tls import ServerTLS
from webhooks.program import Settings, serve_data_plane

NAME = Component.WEBHOOKS.value


@click.command(help="Judges what enters a plane, and refuses with every reason.")
@click.option(
    "--plane", type=click.Choice(["control", "data"]), required=True, help="Which kind of plane it is."
)
@click.option("--opa-url", help="OPA server with the policy library. Required in the control plane.")
@flags.common_options
@flags.server_options
def main(
    plane: str,
    opa_url: str | None,
    kubeconfig: Path | None,
    context: str | None,
    system_namespace: str,
    metrics_bind_address: str,
    log_level: str,
    bind_address: str,
    secure_port: int,
    tls_cert_file: Path,
    tls_private_key_file: Path,
) -> None:
    """Run until a signal."""
    logs.setup(log_level, component=NAME)
    settings = Settings(bind_address, secure_port, metrics_bind_address, system_namespace)
    try:
        tls = ServerTLS(tls_cert_file, tls_private_key_file)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise click.UsageError(f"--tls-cert-file, --tls-private-key-file: {error}") from error
    if plane == "control":
        serve = _control_plane(flags.connection(kubeconfig, context), opa_url, settings, tls)
    else:
        # Nothing is asked of the API server in a data plane, so nothing is connected to.
        serve = partial(serve_data_plane, settings=settings, tls=tls)
    run(serve)


def _control_plane(
    config: ClusterConfig, opa_url: str | None, settings: Settings, tls: ServerTLS
) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
    # Imported here, for a data plane's server is to be small.
    from missioncontrol.kube.client import Client
    from missioncontrol.policy.opa import OpaEngine
    from webhooks.control_program import serve_control_plane

    if opa_url is None:
        raise click.UsageError("--opa-url is required in the control plane: without policies nothing passes")
    try:
        OpaEngine(opa_url)
    except ValueError as error:
        raise click.UsageError(f"--opa-url: {error}") from error

    async def serve(stop: asyncio.Event) -> None:
        client, engine = Client(config, user_agent=NAME), OpaEngine(opa_url)
        await serve_control_plane(stop, settings=settings, tls=tls, client=client, engine=engine)

    return serve


main()
