"""`python -m webhooks --plane control|data`."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import click

from missioncontrol.api.names import Component
from missioncontrol.kube.client import Client
from missioncontrol.policy.opa import OpaEngine
from missioncontrol.serving import flags, logs
from missioncontrol.serving.run import run
from missioncontrol.serving.tls import ServerTLS
from webhooks.program import Settings, serve_control_plane, serve_data_plane

NAME = Component.WEBHOOKS.value


def _opa_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            OpaEngine(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return value


@click.command(help="Judges what enters a plane, and refuses with every reason.")
@click.option(
    "--plane", type=click.Choice(["control", "data"]), required=True, help="Which kind of plane it is."
)
@click.option(
    "--opa-url", callback=_opa_url, help="OPA server with the policy library. Required in the control plane."
)
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
    if plane == "control" and opa_url is None:
        raise click.UsageError("--opa-url is required in the control plane: without policies nothing passes")
    settings = Settings(bind_address, secure_port, metrics_bind_address, system_namespace)
    try:
        tls = ServerTLS(tls_cert_file, tls_private_key_file)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise click.UsageError(f"--tls-cert-file, --tls-private-key-file: {error}") from error
    # In a data plane nothing is asked of the API server, so nothing is connected to.
    client = Client(flags.connection(kubeconfig, context), user_agent=NAME) if plane == "control" else None

    async def serve(stop: asyncio.Event) -> None:
        if client is not None and opa_url is not None:
            await serve_control_plane(stop, settings=settings, tls=tls, client=client, opa_url=opa_url)
        else:
            await serve_data_plane(stop, settings=settings, tls=tls)

    run(serve)


main()
