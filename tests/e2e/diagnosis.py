"""What was not well in an environment, in a few lines: a failed wait says that something hung, not what."""

from __future__ import annotations

import json
import subprocess
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.conftest import Environment

# Kinds whose conditions tell where the work stands, from a user's cluster down to the pods.
KINDS = {
    "control-plane": "dataplanes,missioncontrolclusters,operations",
    "data-plane-1": "k8ssandraclusters,cassandradatacenters,k8ssandratasks,cassandratasks,statefulsets,pods",
    "data-plane-2": "k8ssandraclusters,cassandradatacenters,k8ssandratasks,cassandratasks,statefulsets,pods",
}
LAST_LINES = 2
LONGEST_LINE = 240


def complaints(environment: Environment) -> list[str]:
    """Components that do not answer, objects as kubectl shows them, and what each process said last."""
    lines = [
        line
        for line in environment.missioncontrol("local", "status").out.splitlines()
        if "Ready " not in line
    ]
    for plane, kinds in KINDS.items():
        lines.append(f"-- {plane}")
        lines.extend(_listed(environment, plane, kinds))
    for component in environment.state["components"]:
        if "etcd" not in component["name"]:
            lines.extend(_said(component["name"], environment.directory / component["log"]))
    return [line[:LONGEST_LINE] for line in lines]


def _listed(environment: Environment, plane: str, kinds: str) -> list[str]:
    try:
        shown = environment.kubectl(
            *("--context", plane, "get", kinds, "-A", "--request-timeout=10s"), check=False, timeout=60
        )
    except subprocess.TimeoutExpired:
        return ["kubectl get did not end within 60 s"]
    return [line for line in shown.text.splitlines() if line]


def _said(name: str, log: Path) -> Iterator[str]:
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            last = deque(lines, maxlen=LAST_LINES)
    except OSError as unreadable:
        last = deque([str(unreadable)])
    for line in last:
        yield f"{name}: {_essence(line)}"


def _essence(line: str) -> str:
    """Time, level, what it was about and the message of a structured line; any other line as it is."""
    try:
        entry = json.loads(line)
        return " ".join(
            str(entry[key]) for key in ("time", "level", "key", "message", "error") if key in entry
        )
    except ValueError:
        return line.strip()
