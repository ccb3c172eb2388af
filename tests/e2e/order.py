"""Watches how the nodes of a cluster are started, and tells every breach of the start protocol."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.e2e.conftest import Environment

PLANE = "data-plane-1"
STATE = r"{.metadata.labels.cassandra\.datastax\.com/node-state}"
READY = r'{.status.containerStatuses[?(@.name=="cassandra")].ready}'
ROW = f"jsonpath={{.metadata.name}} {STATE} {READY}{{'\\n'}}"


def cluster(name: str) -> str:
    """A cluster of one datacenter with three racks of one node."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return json.dumps(
        {
            "apiVersion": "missioncontrol.io/v1alpha1",
            "kind": "MissionControlCluster",
            "metadata": {"name": name},
            "spec": {
                "k8ssandra": {
                    "cassandra": {
                        "serverType": "cassandra",
                        "serverVersion": "5.0.4",
                        "storageConfig": {
                            "cassandraDataVolumeClaimSpec": {"storageClassName": "standard", **claim}
                        },
                        "racks": [{"name": "r1"}, {"name": "r2"}, {"name": "r3"}],
                        "datacenters": [{"metadata": {"name": "dc1"}, "k8sContext": PLANE, "size": 3}],
                    }
                }
            },
        }
    )


@dataclass
class Watcher:
    """Reads the rows of a pod watch and keeps what must not happen."""

    states: dict[str, str] = field(default_factory=dict)
    starting: set[str] = field(default_factory=set)
    breaches: list[str] = field(default_factory=list)

    def read(self, rows: Iterable[str]) -> None:
        for row in rows:
            self.see(row.rstrip("\n"))

    def see(self, row: str) -> None:
        name, _, rest = row.partition(" ")
        state, _, ready = rest.partition(" ")
        before = self.states.get(name)
        self.states[name] = state
        is_ready = ready.strip() == "true"
        if state == "Started" and before != "Started" and not is_ready:
            self.breaches.append(f"{name} was called Started before it was ready")
        if state == "Starting" and not is_ready:
            self.starting.add(name)
        else:
            self.starting.discard(name)
        if len(self.starting) > 1:
            self.breaches.append(f"started at the same time: {', '.join(sorted(self.starting))}")


def bootstrap(environment: Environment, namespace: str, *, within: float) -> list[str]:
    """Make a cluster, wait until it is Ready, and say what was wrong about the way there."""
    watcher = Watcher()
    watch = subprocess.Popen(
        [
            *(environment.state["binaries"]["kubectl"], "--context", PLANE, "-n", namespace),
            *("get", "pods", "--watch", "-o", ROW),
        ],
        env={**os.environ, "KUBECONFIG": str(environment.directory / "kubeconfig")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert watch.stdout is not None
    rows = watch.stdout
    reader = threading.Thread(target=watcher.read, args=(rows,))
    reader.start()
    began = int(time.time() * 1000)
    try:
        environment.kubectl("create", "-n", namespace, "-f", "-", stdin=cluster("order"))
        ready = environment.kubectl(
            *("wait", "-n", namespace, "mcc/order", "--for=condition=Ready", f"--timeout={within}s"),
            check=False,
            timeout=within + 10,
        )
    finally:
        watch.terminate()
        watch.wait(timeout=10)
        reader.join(timeout=10)
        watch.stdout.close()
    breaches = list(dict.fromkeys(watcher.breaches))
    if ready.code != 0:
        breaches.append(f"not Ready within {within:.0f} s")
    history = environment.simulator(PLANE, f"history?namespace={namespace}&since={began}")
    breaches += [
        f"{event['pod']} refused: {event['detail']}" for event in history if event["event"] == "refused"
    ]
    bootstraps = sorted(event["pod"] for event in history if event["event"] == "bootstrap")
    if ready.code == 0 and bootstraps != [f"order-dc1-r{rack}-sts-0" for rack in (1, 2, 3)]:
        breaches.append(f"bootstrapped: {bootstraps}")
    return breaches
