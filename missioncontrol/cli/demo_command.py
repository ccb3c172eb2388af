"""`missioncontrol demo`."""

from __future__ import annotations

from pathlib import Path

import click

from missioncontrol.cli import demo as play
from missioncontrol.cli.options import directory_option


@click.command()
@directory_option
def demo(directory: Path) -> None:
    """Start a local environment and play the story of the README on it, command by command."""
    try:
        play.demo(directory, click.echo)
    except play.StoryFailed as failed:
        raise click.ClickException(str(failed)) from failed
