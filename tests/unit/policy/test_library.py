"""The Rego library: its own tests, and that OPA's answers equal a table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.policy.engine import read_decision
from missioncontrol.policy.question import PlaneFacts, cluster_question
from tests.unit.validation.builders import DC, a_cluster

LIBRARY = Path(__file__).parents[3] / "policies"
PRODUCTION = PlaneFacts({"environment": "production"})
D = "cassandra.datacenters"
ONE = (f"{D}.0.size", 1), (f"{D}.0.racks", "-")


@pytest.fixture(scope="session")
def opa() -> str:
    """The program, where it is there already: a unit test neither downloads nor builds."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "missioncontrol"
    places = [Path(os.environ["KUBEBUILDER_ASSETS"])] if "KUBEBUILDER_ASSETS" in os.environ else []
    for place in [*places, *(sorted(cache.rglob("opa")) if cache.is_dir() else [])]:
        program = place / "opa" if place.is_dir() else place
        if program.is_file() and os.access(program, os.X_OK):
            return str(program)
    found = shutil.which("opa")
    if found is None:
        pytest.skip("there is no opa in KUBEBUILDER_ASSETS, the cache or PATH; the integration tests get one")
    return found


def run(opa: str, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [opa, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_library_passes_its_own_tests_and_strict_checks(opa: str) -> None:
    run(opa, "check", "--strict", "--v1-compatible", str(LIBRARY))
    assert "PASS" in run(opa, "test", str(LIBRARY))


def test_the_library_is_formatted(opa: str) -> None:
    assert run(opa, "fmt", "--list", str(LIBRARY)) == ""


def question(*changes: tuple[str, Any], old: Any = None, **planes: PlaneFacts) -> dict[str, Any]:
    return cluster_question(
        operation="CREATE" if old is None else "UPDATE",
        username="alice",
        groups=[],
        cluster=a_cluster(*changes),
        old=old,
        planes={name.replace("_", "-"): facts for name, facts in planes.items()},
    )


TABLE = [
    pytest.param(question(plane_1=PRODUCTION), [], id="three nodes in production"),
    pytest.param(question(*ONE, plane_1=PRODUCTION), [f"{DC}[0].size"], id="one node in production"),
    pytest.param(question(*ONE, plane_2=PRODUCTION), [], id="one node beside production"),
    pytest.param(question(*ONE, plane_1=PlaneFacts({"environment": "prod"})), [], id="another label"),
    pytest.param(question(*ONE, plane_1=PRODUCTION, old=a_cluster(*ONE)), [], id="one node as before"),
    pytest.param(
        question((f"{D}.0.size", 2), (f"{D}.0.racks", "-"), plane_1=PRODUCTION, old=a_cluster(*ONE)),
        [f"{DC}[0].size"],
        id="growth to two in production",
    ),
    pytest.param(
        question(*ONE, (f"{D}.1.size", 2), plane_1=PRODUCTION, plane_2=PRODUCTION),
        [f"{DC}[0].size", f"{DC}[1].size"],
        id="two datacenters too small",
    ),
]


@pytest.mark.parametrize(("asked", "fields"), TABLE)
def test_the_answers_equal_the_table(opa: str, asked: dict[str, Any], fields: list[str]) -> None:
    flags = ("eval", "--data", str(LIBRARY), "--stdin-input", "--format", "raw", "--ignore", "*_test.rego")

    decision = read_decision(
        json.loads(run(opa, *flags, "data.missioncontrol.admission.decision", stdin=json.dumps(asked)))
    )

    assert [each.field for each in decision.violations] == fields
    assert decision.evaluated == ("production_minimum_nodes",)
    for violation in decision.violations:
        assert "environment=production" in violation.message
