"""Tables for people: coloured on a terminal, plain columns in a pipe."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from missioncontrol.local.status import ComponentStatus

_COLOURS = {"Ready": "green", "NotReady": "yellow", "Dead": "red", "Stopped": "dim"}


def status_table(statuses: list[ComponentStatus]) -> None:
    rows = [
        (s.component.name, s.phase, str(s.component.pid or ""), _mebibytes(s.memory), s.component.log)
        for s in statuses
    ]
    total = _mebibytes(sum(s.memory for s in statuses))
    console = Console()
    if not console.is_terminal:
        for row in [("NAME", "STATUS", "PID", "MEMORY", "LOG"), *rows, ("", "", "", total, "")]:
            click.echo(
                "  ".join(
                    cell.ljust(width) for cell, width in zip(row, (40, 8, 8, 8, 0), strict=True)
                ).rstrip()
            )
        return
    table = Table("NAME", "STATUS", "PID", "MEMORY", "LOG", box=None, header_style="bold")
    for name, phase, pid, memory, log in rows:
        table.add_row(name, f"[{_COLOURS[phase]}]{phase}[/]", pid, memory, log)
    table.add_row("", "", "", total, "")
    console.print(table)


def _mebibytes(count: int) -> str:
    return f"{count >> 20} MiB" if count else ""
