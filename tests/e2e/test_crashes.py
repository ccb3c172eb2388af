"""Processes are killed at random moments of a cluster's life; the same cluster comes out of it.

The moments and the victims follow from a seed that is printed; CRASH_SEED=… repeats a run.
"""

from __future__ import annotations

import collections
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import Environment

OPERATORS = (
    "mission-control-operator",
    "data-plane-1/k8ssandra-operator",
    "data-plane-1/cass-operator",
    "data-plane-2/k8ssandra-operator",
    "data-plane-2/cass-operator",
)
APISERVERS = ("control-plane/kube-apiserver", "data-plane-1/kube-apiserver", "data-plane-2/kube-apiserver")
READY_WITHIN = 150

CLUSTER = {
    "apiVersion": "missioncontrol.io/v1alpha1",
    "kind": "MissionControlCluster",
    "metadata": {"name": "crash"},
    "spec": {
        "k8ssandra": {
            "cassandra": {
                "serverType": "cassandra",
                "serverVersion": "5.0.4",
                "storageConfig": {
                    "cassandraDataVolumeClaimSpec": {
                        "storageClassName": "standard",
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "1Gi"}},
                    }
                },
                "racks": [{"name": "r1"}, {"name": "r2"}, {"name": "r3"}],
                "datacenters": [
                    {"metadata": {"name": "east"}, "k8sContext": "data-plane-1", "size": 3},
                    {"metadata": {"name": "west"}, "k8sContext": "data-plane-2", "size": 3},
                ],
            }
        }
    },
}


@contextmanager
def killings(environment: Environment, victims: list[str], gaps: list[float]) -> Iterator[None]:
    """Kill and start the victims one after the other, after pauses of `gaps` seconds, beside the body."""
    failures: list[str] = []

    def kill() -> None:
        for victim, gap in zip(victims, gaps, strict=True):
            threading.Event().wait(gap)
            for arguments in (["stop", victim, "--kill"], ["start", victim]):
                try:
                    done = environment.missioncontrol("local", *arguments, timeout=90)
                except subprocess.TimeoutExpired as late:
                    failures.append(str(late))
                    continue
                if done.code != 0:
                    failures.append(f"{arguments}: {done.err}")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()
        # In any case: what was not started again explains whatever else went wrong.
        assert failures == []


def patiently(environment: Environment, *arguments: str, stdin: str | None = None) -> None:
    """A kubectl call that may meet a kube-apiserver just killed: tried again, as its user would."""
    ends = time.monotonic() + READY_WITHIN
    while True:
        ran = environment.kubectl(*arguments, stdin=stdin, check=False, timeout=READY_WITHIN + 10)
        if ran.code == 0:
            return
        assert time.monotonic() < ends, ran.text
        threading.Event().wait(0.5)


@pytest.mark.timeout(540)
def test_a_cluster_survives_kills_in_bootstrap_scale_and_restart(
    environment: Environment, namespace: str
) -> None:
    seed = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"CRASH_SEED={seed}")
    chance = random.Random(seed)

    def plan(operators: int) -> tuple[list[str], list[float]]:
        victims = [*chance.sample(OPERATORS, operators), chance.choice(APISERVERS)]
        chance.shuffle(victims)
        return victims, [chance.uniform(0.1, 3.0) for _ in victims]

    in_namespace = ("-n", namespace)
    with killings(environment, *plan(3)):
        patiently(environment, "apply", *in_namespace, "-f", "-", stdin=json.dumps(CLUSTER))
        patiently(environment, "wait", *in_namespace, "mcc/crash", "--for=condition=Ready", "--timeout=20s")
    assert started(environment, namespace) == expected(namespace, nodes=1, starts=1)

    with killings(environment, *plan(3)):
        patiently(environment, "scale", *in_namespace, "mcc/crash", "--replicas=12")
        ready = "--for=jsonpath={.status.readyReplicas}=12"
        patiently(environment, "wait", *in_namespace, "mcc/crash", ready, "--timeout=20s")
    patiently(environment, "wait", *in_namespace, "mcc/crash", "--for=condition=Ready", "--timeout=20s")
    assert started(environment, namespace) == expected(namespace, nodes=2, starts=1)

    restart = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": "RollingRestart",
        "metadata": {"name": "again"},
        "spec": {"clusterName": "crash"},
    }
    with killings(environment, *plan(3)):
        patiently(environment, "apply", *in_namespace, "-f", "-", stdin=json.dumps(restart))
        complete = ("rollingrestart/again", "--for=condition=Complete", "--timeout=20s")
        patiently(environment, "wait", *in_namespace, *complete)
    patiently(environment, "wait", *in_namespace, "mcc/crash", "--for=condition=Ready", "--timeout=20s")
    assert started(environment, namespace) == expected(namespace, nodes=2, starts=2)


def started(environment: Environment, namespace: str) -> dict[str, tuple[int, int]]:
    """For each pod: how many first starts (bootstraps) and how many starts in all the simulators saw."""
    events = environment.simulator("data-plane-1", f"history?namespace={namespace}")
    firsts: collections.Counter[str] = collections.Counter()
    all_starts: collections.Counter[str] = collections.Counter()
    for event in events:
        if event["event"] in ("bootstrap", "restart", "replace"):
            all_starts[event["pod"]] += 1
            firsts[event["pod"]] += event["event"] != "restart"
    refused = [event for event in events if event["event"] == "refused"]
    assert refused == [], "an operator asked for what a real node refuses"
    return {pod: (firsts[pod], all_starts[pod]) for pod in all_starts}


def expected(namespace: str, *, nodes: int, starts: int) -> dict[str, tuple[int, int]]:
    """Every node of each of the six racks, bootstrapped once and started so often."""
    return {
        f"crash-{datacenter}-r{rack}-sts-{ordinal}": (1, starts)
        for datacenter in ("east", "west")
        for rack in (1, 2, 3)
        for ordinal in range(nodes)
    }
