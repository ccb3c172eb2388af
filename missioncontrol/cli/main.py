"""The `missioncontrol` command."""

from __future__ import annotations

import click

from missioncontrol.cli.demo_command import demo
from missioncontrol.cli.local import local


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Mission Control: a kubectl-native control plane for fleets of Apache Cassandra."""


main.add_command(local)
main.add_command(demo)
