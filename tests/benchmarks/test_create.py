"""How long it takes from the creation of a cluster to its StatefulSets, and to its nodes being ready."""

from __future__ import annotations

import time
from pathlib import Path

from tests.benchmarks.conftest import Measured

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart.yaml"
PLANES = ("data-plane-1", "data-plane-2")
DEADLINE = 180.0


def statefulsets(measured: Measured) -> int:
    listed = (
        measured.run("--context", plane, "get", "statefulsets", "-A", "--no-headers") for plane in PLANES
    )
    return sum(len(text.splitlines()) for text in listed)


def test_a_cluster_of_two_times_three_racks(measured: Measured) -> None:
    measured.run("apply", "-f", str(QUICKSTART))
    began = time.monotonic()
    while statefulsets(measured) < 6:
        assert time.monotonic() - began < DEADLINE
    exist = time.monotonic() - began
    measured.run("wait", "mcc/demo", "--for=condition=Ready", f"--timeout={DEADLINE:.0f}s")
    ready = time.monotonic() - began
    measured.run("delete", "mcc", "demo", f"--timeout={DEADLINE:.0f}s")
    print(
        f"\ncreated to all 6 StatefulSets: {exist:.1f} s (asked for with kubectl, one plane after the other)"
    )
    print(f"created to 6 nodes ready: {ready:.1f} s")
