"""The operator is killed again and again while it works: nothing happens twice, the result is the same."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from missioncontrol.api.resources import CASSANDRA_TASKS, PODS
from tests.integration.cassandra.conftest import OperatorProcess, Plane

SEED = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 1_000_000)


def until(
    operator: OperatorProcess,
    done: Callable[[], object],
    *,
    dice: random.Random,
    kills: int,
    timeout: float = 120,
) -> None:
    """Kill the operator some times at random moments, then let it finish."""
    deadline = time.monotonic() + timeout
    for _ in range(kills):
        operator.start(wait=False)
        time.sleep(dice.uniform(0.6, 2.2))
        operator.stop(signal.SIGKILL)
        if done():
            break
    operator.start()
    while not done():
        assert time.monotonic() < deadline, operator.log.read_text()[-3000:]
        time.sleep(0.1)


def test_killed_at_random_the_operator_does_everything_once(
    operator_process: OperatorProcess, plane: Plane
) -> None:
    print(f"CRASH_SEED={SEED}")
    dice = random.Random(SEED)
    plane.create_datacenter()
    until(operator_process, plane.settled, dice=dice, kills=4)
    plane.patch_datacenter({"spec": {"size": 6}})
    until(operator_process, plane.settled, dice=dice, kills=4)

    joined = [each["pod"] for each in plane.history("bootstrap")]
    assert joined == [f"demo-dc1-rack{rack}-sts-{ordinal}" for ordinal in (0, 1) for rack in (1, 2, 3)]
    assert plane.history("refused") == []
    assert len([t for t in plane.list(CASSANDRA_TASKS) if t["metadata"]["name"].startswith("cleanup-")]) == 1

    plane.create_task("again", "restart")

    def restarted() -> bool:
        return plane.conditions(CASSANDRA_TASKS, "again").get("Complete") == "True"

    until(operator_process, restarted, dice=dice, kills=5, timeout=180)
    again = [each["pod"] for each in plane.history("restart")]
    assert again == [f"demo-dc1-rack{rack}-sts-{ordinal}" for rack in (1, 2, 3) for ordinal in (1, 0)]
    assert plane.get(CASSANDRA_TASKS, "again")["status"]["succeeded"] == 6
    assert len(plane.history("bootstrap")) == 6
    assert plane.history("refused", "ignored") == []


def test_a_node_that_was_marked_but_never_called_is_called(
    operator_process: OperatorProcess, plane: Plane
) -> None:
    operator_process.start()
    plane.create_datacenter(size=1, racks=[{"name": "rack1"}])
    plane.wait_settled()
    operator_process.stop(signal.SIGKILL)
    # what is left behind when the operator ends between the mark and the call
    plane.simulator.fault(plane.namespace, "demo-dc1-rack1-sts-0", "crash")
    pods = {"metadata": {"labels": {"cassandra.datastax.com/node-state": "Starting"}}}
    plane.patch(PODS, "demo-dc1-rack1-sts-0", pods)
    operator_process.start()
    until(
        operator_process,
        lambda: plane.node_states() == {"demo-dc1-rack1-sts-0": "Started"},
        dice=random.Random(1),
        kills=0,
        timeout=30,
    )
    assert len(plane.history("restart")) == 1
