"""`python -m apiserver`: the flags of the aggregated API server."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click

from apiserver.audit.log import LARGEST_EVENT
from apiserver.audit.policy import PolicyError
from apiserver.audit.policy import load as load_policy
from apiserver.audit.sink import Rotation
from apiserver.program import DRAIN_SECONDS, LEAVE_SECONDS, AuditSettings, Settings, serve
from missioncontrol.api.names import Component
from missioncontrol.serving import logs, memory
from missioncontrol.serving.flags import common_options, connection, server_options
from missioncontrol.serving.run import run

LONGEST_DELAY = 60.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@common_options
@server_options
@click.option(
    "--shutdown-delay-duration",
    "shutdown_delay",
    type=click.FloatRange(0, LONGEST_DELAY),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to go on serving after SIGTERM with /readyz failing; in a cluster, 10.",
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
@click.option(
    "--audit-log-path",
    default="",
    metavar="FILE",
    help="Where to write the audit log; - is standard output. Without it there is none.",
)
@click.option(
    "--audit-policy-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Policy of audit.k8s.io/v1. Default: writes with their bodies, reads without.",
)
@click.option(
    "--audit-log-maxsize",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Megabytes after which the file is put aside; 0 never.",
)
@click.option(
    "--audit-log-maxbackup",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many old files to keep; 0 all.",
)
@click.option(
    "--audit-log-maxage",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="How many days to keep old files; 0 for ever.",
)
@click.option(
    "--audit-log-truncate-max-event-size",
    type=click.IntRange(1024),
    default=LARGEST_EVENT,
    show_default=True,
    help="Bytes; the bodies of larger events are left out.",
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
    audit_log_path: str,
    audit_policy_file: Path | None,
    audit_log_maxsize: int,
    audit_log_maxbackup: int,
    audit_log_maxage: int,
    audit_log_truncate_max_event_size: int,
) -> NoReturn:
    """Serve missioncontrol.io behind kube-apiserver."""
    logs.setup(log_level, component=Component.APISERVER)
    memory.return_what_is_freed()
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
        audit=AuditSettings(
            path=audit_log_path,
            policy_file=audit_policy_file,
            rotation=Rotation(
                megabytes=audit_log_maxsize, backups=audit_log_maxbackup, days=audit_log_maxage
            ),
            largest_event=audit_log_truncate_max_event_size,
        ),
    )
    if audit_policy_file is not None:
        try:
            load_policy(audit_policy_file)
        except PolicyError as error:
            raise click.BadParameter(str(error), param_hint="--audit-policy-file") from error
    run(lambda stop: serve(settings, stop), grace=shutdown_delay + LEAVE_SECONDS + DRAIN_SECONDS + 5)
