"""How long an environment of three planes takes to start, and what memory it takes."""

from __future__ import annotations

import time

from tests.benchmarks.conftest import Measured

MEMORY_LIMIT = 3 << 30
OUR_PROGRAMS = ("apiserver", "webhooks", "opa", "operator", "simulator")


def test_start_and_memory(measured: Measured) -> None:
    status = measured.status()
    ours = sum(
        c["memoryBytes"]
        for c in status["components"]
        if c["name"].endswith(OUR_PROGRAMS) and not c["name"].endswith("kube-apiserver")
    )
    processes = len(status["components"])
    print(f"\nstart, three planes: {measured.start_seconds:.1f} s")
    print(
        f"memory (sum of PSS): {status['memoryBytes'] >> 20} MiB in {processes} processes, of which "
        f"{ours >> 20} MiB in ours"
    )
    assert status["memoryBytes"] < MEMORY_LIMIT


def test_again_and_one_plane_more(measured: Measured) -> None:
    began = time.monotonic()
    measured.local("up")
    again = time.monotonic() - began
    before = measured.status()["memoryBytes"]
    began = time.monotonic()
    measured.local("up", "--data-planes", "3")
    further = time.monotonic() - began
    added = measured.status()["memoryBytes"] - before
    print(f"\nstart of what runs already: {again:.1f} s")
    print(f"one data plane more: {further:.1f} s, {added >> 20} MiB")
