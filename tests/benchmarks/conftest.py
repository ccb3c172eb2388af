"""Benchmarks measure an environment of their own and print what they found."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.cli.demo import own_command
from missioncontrol.local.control_plane import Programs


@dataclass(frozen=True)
class Measured:
    """An environment, and how long its start took in seconds."""

    directory: Path
    kubectl: Path
    start_seconds: float

    def local(self, *arguments: str) -> str:
        return local(self.directory, *arguments)

    def run(self, *arguments: str) -> str:
        argv = [self.kubectl, "--kubeconfig", self.directory / "kubeconfig", *arguments]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=180).stdout

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.local("status", "-o", "json"))
        return status


def local(directory: Path, *arguments: str) -> str:
    argv = [own_command(), "local", *arguments, "--dir", str(directory)]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout


@pytest.fixture(scope="session")
def measured(binaries: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    directory = tmp_path_factory.mktemp("benchmark") / "environment"
    began = time.monotonic()
    try:
        local(directory, "up", "--data-planes", "2")
        yield Measured(directory, binaries.kubectl, time.monotonic() - began)
    finally:
        local(directory, "down")
