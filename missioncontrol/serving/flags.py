"""The flags that programs share, and what they mean, so that each is spelt and explained once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from missioncontrol.kube.config import ClusterConfig, KubeconfigError, from_kubeconfig, in_cluster
from missioncontrol.serving import logs
from missioncontrol.serving.http import parse_address

F = TypeVar("F", bound=Callable[..., Any])


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _address(_: click.Context, __: click.Parameter, value: str) -> str:
    try:
        parse_address(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value


def common_options(function: F) -> F:
    """--kubeconfig, --context, --system-namespace, --metrics-bind-address, --log-level."""
    return _all(
        click.option(
            "--kubeconfig",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="How to reach the cluster. Default: as the pod's ServiceAccount.",
        ),
        click.option("--context", help="The kubeconfig's context. Default: its current one."),
        click.option(
            "--system-namespace",
            default="mission-control",
            show_default=True,
            help="The namespace of Mission Control's own objects.",
        ),
        click.option(
            "--metrics-bind-address",
            default="127.0.0.1:8080",
            show_default=True,
            callback=_address,
            metavar="HOST:PORT",
            help="Plain HTTP for /healthz, /livez, /readyz and /metrics. Port 0 takes a free one.",
        ),
        click.option("--log-level", type=click.Choice(logs.LEVELS), default="info", show_default=True),
    )(function)


def leader_options(function: F) -> F:
    """--leader-elect, for operators."""
    return click.option(
        "--leader-elect/--no-leader-elect",
        default=True,
        show_default=True,
        help="Work only while holding the Lease; needed when there are several replicas.",
    )(function)


def server_options(function: F) -> F:
    """--bind-address, --secure-port, --tls-cert-file, --tls-private-key-file, for servers."""
    existing = click.Path(exists=True, dir_okay=False, path_type=Path)
    return _all(
        click.option("--bind-address", default="0.0.0.0", show_default=True, metavar="IP"),
        click.option(
            "--secure-port",
            type=click.IntRange(0, 65535),
            default=8443,
            show_default=True,
            help="Port for HTTPS; 0 takes a free one.",
        ),
        click.option("--tls-cert-file", type=existing, required=True, help="Read again when it changes."),
        click.option(
            "--tls-private-key-file", type=existing, required=True, help="Read again when it changes."
        ),
    )(function)


def connection(kubeconfig: Path | None, context: str | None) -> ClusterConfig:
    """The cluster that --kubeconfig and --context name, or a usage error."""
    try:
        return in_cluster() if kubeconfig is None else from_kubeconfig(kubeconfig, context=context)
    except KubeconfigError as error:
        raise click.UsageError(f"--kubeconfig: {error}" if kubeconfig else str(error)) from error
