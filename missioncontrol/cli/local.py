"""`missioncontrol local …`: a whole Mission Control on this machine, without Docker."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from missioncontrol.cli.options import directory_option, friendly, output_option
from missioncontrol.cli.tables import status_table
from missioncontrol.local.binaries import resolve_programs
from missioncontrol.local.environment import Environment, UnknownNameError
from missioncontrol.local.faults import FAULTS, inject
from missioncontrol.local.progress import Progress
from missioncontrol.local.status import as_document, component_statuses

MOST_DATA_PLANES = 50


@click.group()
def local() -> None:
    """A local environment: real control planes, simulated Cassandra nodes, our own servers."""


@local.command()
@directory_option
@click.option(
    "--data-planes", type=click.IntRange(0, MOST_DATA_PLANES), help="How many data planes.  [default: 2]"
)
@click.option(
    "--operators/--no-operators", default=None, help="Run the three operators.  [default: operators]"
)
@output_option
@friendly
def up(directory: Path, data_planes: int | None, operators: bool | None, output: str | None) -> None:
    """Start what does not run yet; return when everything is ready."""
    environment = Environment(directory, Progress())
    began = time.monotonic()
    try:
        state = environment.up(data_planes=data_planes, operators=operators)
    except KeyboardInterrupt:
        click.echo("\nInterrupted; `missioncontrol local down` ends what was started.", err=True)
        # Threads may still be waiting for servers; what they started is recorded.
        os._exit(1)
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(state)))
        return
    click.echo(
        f"Ready after {time.monotonic() - began:.1f} s: a control plane and {state.data_planes} data planes."
    )
    click.echo(f"  export KUBECONFIG={shlex.quote(str(directory / 'kubeconfig'))}")


@local.command()
@directory_option
@output_option
@friendly
def down(directory: Path, output: str | None) -> None:
    """End everything that `up` started and remove its data; logs stay."""
    stopped = Environment(directory, Progress()).down()
    if output == "json":
        click.echo(json.dumps({"stopped": stopped}))
    elif stopped:
        click.echo(f"Ended {len(stopped)} processes.")
    else:
        click.echo(f"Nothing was running in {directory}.")


@local.command()
@directory_option
@output_option
@friendly
def status(directory: Path, output: str | None) -> None:
    """Show every component, whether it is ready and what memory it takes."""
    environment = Environment(directory, Progress())
    state = environment.file.require()
    statuses = component_statuses(state, environment.layout(state))
    if output == "json":
        click.echo(json.dumps(as_document(state, statuses), indent=1))
    else:
        status_table(statuses)


@local.command()
@click.argument("name")
@click.option("--kill", is_flag=True, help="At once, as by a crash (SIGKILL).")
@directory_option
@friendly
def stop(name: str, kill: bool, directory: Path) -> None:
    """Stop a component, or all of a plane."""
    with _usage_errors():
        stopped = Environment(directory, Progress()).stop(name, kill=kill)
    click.echo(f"Stopped {', '.join(stopped)}." if stopped else f"{name} was not running.")


@local.command()
@click.argument("name")
@directory_option
@friendly
def start(name: str, directory: Path) -> None:
    """Start a component, or all of a plane, at the same address and with the same data."""
    with _usage_errors():
        started = Environment(directory, Progress()).start(name)
    click.echo(f"Started {', '.join(started)}." if started else f"{name} is running already.")


@local.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@directory_option
@friendly
def logs(name: str, follow: bool, directory: Path) -> None:
    """Print the log of a component."""
    state = Environment(directory, Progress()).file.require()
    component = state.component(name)
    if component is None:
        names = ", ".join(c.name for c in state.components)
        raise click.UsageError(f"no component is called {name!r}; there are {names}")
    output = sys.stdout.buffer
    try:
        for chunk in _read(directory / component.log, follow=follow):
            output.write(chunk)
            output.flush()
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # The reader has seen enough; without this, Python would complain when it closes its output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@local.command()
@click.argument("target", metavar="PLANE/NAMESPACE/POD")
@click.argument("fault", type=click.Choice(FAULTS))
@directory_option
@friendly
def fault(target: str, fault: str, directory: Path) -> None:
    """Make a simulated node fail, or heal it with `clear`."""
    parts = target.split("/")
    if len(parts) != 3 or not all(parts):
        raise click.UsageError(
            f"{target!r} is not PLANE/NAMESPACE/POD, such as data-plane-1/default/demo-dc1-r1-sts-0"
        )
    plane, namespace, pod = parts
    state = Environment(directory, Progress()).file.require()
    inject(state, plane=plane, namespace=namespace, pod=pod, fault=fault)


@local.command()
@friendly
def binaries() -> None:
    """Fetch or build the programs that an environment runs, and print where they are."""
    programs = resolve_programs(Progress())
    for name in programs.__slots__:
        click.echo(f"{name.replace('_', '-')}\t{getattr(programs, name)}")


@contextmanager
def _usage_errors() -> Iterator[None]:
    """A name that does not exist is a mistake in the command line, not a failure."""
    try:
        yield
    except UnknownNameError as error:
        raise click.UsageError(str(error)) from error


def _read(path: Path, *, follow: bool) -> Iterator[bytes]:
    with path.open("rb") as file:
        while True:
            chunk = file.read(1 << 16)
            if chunk:
                yield chunk
            elif not follow:
                return
            else:
                time.sleep(0.2)
