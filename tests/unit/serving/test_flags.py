"""The common flags."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from missioncontrol.serving import flags


@click.command()
@flags.common_options
@flags.leader_options
def program(kubeconfig: Path | None, context: str | None, leader_elect: bool, **rest: str) -> None:
    click.echo(f"{flags.connection(kubeconfig, context).server} {leader_elect} {rest['system_namespace']}")


def run(*args: str) -> tuple[int, str]:
    result = CliRunner(env={"KUBERNETES_SERVICE_HOST": None}).invoke(program, list(args))
    return result.exit_code, result.output


def test_a_kubeconfig_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://c'}}], users: [{name: u}]}"
    )
    assert run("--kubeconfig", str(file), "--no-leader-elect") == (0, "http://c False mission-control\n")


def test_mistakes_are_usage_errors_that_say_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("a: b")
    for args, words in [
        (("--kubeconfig", str(file)), "current-context"),
        ((), "give --kubeconfig"),
        (("--metrics-bind-address", "nowhere"), "HOST:PORT"),
        (("--log-level", "loud"), "loud"),
    ]:
        code, output = run(*args)
        assert code == 2
        assert words in output
