"""A running cluster is changed: configured anew, stopped and resumed, made smaller; plane by plane."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Environment

PLANES = ("data-plane-1", "data-plane-2")
DATACENTERS = "/spec/k8ssandra/cassandra/datacenters"
QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"


@pytest.fixture
def demo(environment: Environment, namespace: str) -> str:
    """A namespace with the cluster of the quickstart, all six nodes ready."""
    environment.kubectl("create", "-n", namespace, "-f", str(QUICKSTART))
    ready(environment, namespace, nodes=6)
    return namespace


def ready(environment: Environment, namespace: str, *, nodes: int) -> None:
    for what in (f"jsonpath={{.status.readyReplicas}}={nodes}", "condition=Ready"):
        environment.kubectl(
            "wait", "-n", namespace, "mcc/demo", f"--for={what}", "--timeout=110s", timeout=120
        )


def patch(environment: Environment, namespace: str, path: str, value: object) -> None:
    change = json.dumps([{"op": "add", "path": path, "value": value}])
    environment.kubectl("patch", "-n", namespace, "mcc/demo", "--type=json", "-p", change)


def restarts(environment: Environment, namespace: str) -> list[str]:
    """The pods that were started again, in order of time, over all planes."""
    events = environment.simulator(PLANES[0], f"history?namespace={namespace}&event=restart")
    return [each["pod"] for each in events]


def test_a_running_cluster_is_changed(environment: Environment, demo: str) -> None:
    inside = ("-n", demo)
    path = "/spec/k8ssandra/cassandra/config/cassandraYaml"
    patch(environment, demo, path, {"concurrent_reads": 64})
    waits = ("wait", *inside, "mcc/demo", "--for=condition=Ready=False", "--timeout=20s")
    environment.kubectl(*waits, timeout=30)
    ready(environment, demo, nodes=6)
    order = [
        f"demo-{datacenter}-{rack}-sts-0" for datacenter in ("dc1", "dc2") for rack in ("r1", "r2", "r3")
    ]
    assert restarts(environment, demo) == order

    patch(environment, demo, f"{DATACENTERS}/1/stopped", True)
    stopped = ("wait", *inside, "mcdc/demo.dc2", "--for=jsonpath={.status.phase}=Stopped", "--timeout=30s")
    environment.kubectl(*stopped, timeout=40)
    assert environment.kubectl("--context", PLANES[1], "get", "pods", *inside, "-o", "name").out == ""
    assert "dc2 is stopped" in environment.get("mcc", "demo", *inside)["status"]["message"]
    patch(environment, demo, f"{DATACENTERS}/1/stopped", False)
    ready(environment, demo, nodes=6)

    environment.kubectl("scale", *inside, "mcdc/demo.dc1", "--replicas=6")
    ready(environment, demo, nodes=9)
    environment.kubectl("scale", *inside, "mcdc/demo.dc1", "--replicas=3")
    ready(environment, demo, nodes=6)
    claims = environment.kubectl("--context", PLANES[0], "get", "pvc", *inside, "-o", "name").out.split()
    assert len(claims) == 3
    refused = environment.kubectl("scale", *inside, "mcdc/demo.dc1", "--replicas=2", check=False)
    assert "3 would work" in refused.err


def test_a_datacenter_is_added_in_another_plane_and_filled(environment: Environment, namespace: str) -> None:
    inside = ("-n", namespace)
    one = {
        "serverVersion": "5.0.4",
        "storageConfig": {
            "cassandraDataVolumeClaimSpec": {
                "storageClassName": "standard",
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "2Gi"}},
            }
        },
        "datacenters": [
            {"metadata": {"name": "dc1"}, "datacenterName": "First", "k8sContext": PLANES[0], "size": 1}
        ],
    }
    body = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": "MissionControlCluster",
        "metadata": {"name": "demo"},
        "spec": {"k8ssandra": {"cassandra": one}},
    }
    environment.kubectl("create", *inside, "-f", "-", stdin=json.dumps(body))
    ready(environment, namespace, nodes=1)

    second = {"metadata": {"name": "dc2"}, "k8sContext": PLANES[1], "size": 1}
    patch(environment, namespace, f"{DATACENTERS}/-", second)
    ready(environment, namespace, nodes=2)

    there = ("--context", PLANES[1], "get", *inside, "-o", "json")
    task = json.loads(environment.kubectl(*there, "cassandratask", "dc2-rebuild").out)
    assert task["spec"]["jobs"][0]["args"] == {"source_datacenter": "First"}
    assert task["status"]["succeeded"] == 1
    here = ("--context", PLANES[0], "get", *inside, "-o", "json")
    noted = json.loads(environment.kubectl(*here, "k8ssandracluster", "demo").out)["metadata"]["annotations"]
    assert json.loads(noted["k8ssandra.io/initial-system-replication"]) == {"First": 1, "dc2": 1}
