"""Nodes are started in the order that keeps a ring whole, and the suite would notice if they were not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import Environment
from tests.e2e.mutants import MUTATIONS
from tests.e2e.order import PLANE, bootstrap

OPERATOR = f"{PLANE}/cass-operator"


def test_a_bootstrap_breaks_no_rule(environment: Environment, namespace: str) -> None:
    assert bootstrap(environment, namespace, within=60) == []


@contextmanager
def mutant(environment: Environment, mutation: str) -> Iterator[None]:
    """Run a broken operator in the place of the real one."""
    argv = environment.component(OPERATOR)["argv"]
    own = argv[argv.index("controllers.cassandra") + 1 :]
    assert environment.missioncontrol("local", "stop", OPERATOR).code == 0
    log = (environment.directory / f"mutant-{mutation}.log").open("wb")
    broken = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.mutants", mutation, *own], stdout=log, stderr=log
    )
    try:
        yield
        assert broken.poll() is None, f"the mutant ended by itself: see {log.name}"
    finally:
        broken.terminate()
        broken.wait(timeout=20)
        log.close()
        assert environment.missioncontrol("local", "start", OPERATOR).code == 0


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
def test_a_bug_in_the_start_order_is_noticed(environment: Environment, namespace: str, mutation: str) -> None:
    with mutant(environment, mutation):
        breaches = bootstrap(environment, namespace, within=15)

    assert breaches != []
