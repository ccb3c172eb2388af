"""The story of `make demo`, asserted; and that it leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from missioncontrol.cli.demo import play, stage
from missioncontrol.cli.story import story
from tests.e2e.conftest import Environment

# Kinds that come and go by themselves, whoever does what.
TRANSIENT = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "bindings"}
CLEANED_WITHIN = 45.0
PLANES = ("control-plane", "data-plane-1", "data-plane-2")


def everything(environment: Environment, plane: str) -> set[str]:
    """kind/namespace/name of every object that can be listed in a plane."""
    listed = environment.kubectl(
        "--context", plane, "api-resources", "--verbs=list", "-o", "name"
    ).out.split()
    kinds = ",".join(kind for kind in listed if kind not in TRANSIENT)
    rows = environment.kubectl(
        *("--context", plane, "get", kinds, "-A", "--ignore-not-found", "-o"),
        "jsonpath={range .items[*]}{.apiVersion}/{.kind}/{.metadata.namespace}/{.metadata.name}{'\\n'}{end}",
    )
    return set(rows.out.splitlines())


@pytest.mark.timeout(480)
def test_the_story_holds_and_leaves_nothing_behind(environment: Environment) -> None:
    before = {plane: everything(environment, plane) for plane in PLANES}
    examples = Path(__file__).resolve().parents[2] / "examples"

    play(story(examples), stage(environment.directory), print)
    environment.kubectl("label", "dp", "data-plane-1", "environment-")

    ends = time.monotonic() + CLEANED_WITHIN
    while True:
        left = {plane: everything(environment, plane) - before[plane] for plane in PLANES}
        if not any(left.values()) or time.monotonic() > ends:
            break
    assert left == {plane: set() for plane in PLANES}
