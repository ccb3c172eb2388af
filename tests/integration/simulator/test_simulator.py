"""The simulator beside a real scheduler, StatefulSet controller and volume controller."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest

from missioncontrol.local.control_plane import ControlPlane
from tests.integration.simulator.conftest import Cluster
from tests.processes import Simulator, call
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(120)


def started_once(cluster: Cluster, name: str) -> str:
    """A first node, started; its host id."""
    cluster.create(name)
    pod = f"{name}-0"
    cluster.running(pod)
    cluster.label_seed(pod)
    assert cluster.start(pod) == 201
    cluster.ready(pod)
    return cluster.host_id(pod)


def test_pods_run_soon_after_they_are_scheduled_and_are_ready_only_when_started(
    cluster: Cluster, simulator: Simulator
) -> None:
    cluster.create("one")
    pod = cluster.running("one-0")
    states = {c["name"]: c["ready"] for c in pod["status"]["containerStatuses"]}
    assert states == {"cassandra": False, "server-system-logger": True}
    assert pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert pod["status"]["podIP"].startswith("10.11.")
    cluster.label_seed("one-0")
    assert cluster.start("one-0") == 201
    assert cluster.start("one-0") == 204
    cluster.ready("one-0")
    assert cluster.start("one-0") == 202
    [claim] = cluster.admin.get(cluster.path("persistentvolumeclaims"))["items"]
    assert claim["status"]["phase"] == "Bound"
    events = [e["event"] for e in simulator.admin("history", namespace=cluster.namespace)]
    assert events == ["bootstrap", "ignored", "ignored"]


def test_a_pod_made_again_is_the_same_node_and_with_a_new_disk_another_one(
    cluster: Cluster, simulator: Simulator
) -> None:
    host_id = started_once(cluster, "node")
    before = cluster.running("node-0")
    cluster.admin.request("DELETE", cluster.path("pods", "node-0"))
    after = cluster.running("node-0", other_than=before["metadata"]["uid"])
    assert after["status"]["podIP"] != before["status"]["podIP"]
    assert cluster.start("node-0") == 201
    cluster.ready("node-0")
    assert cluster.host_id("node-0") == host_id

    cluster.admin.request("DELETE", cluster.path("persistentvolumeclaims", "server-data-node-0"))
    cluster.admin.request("DELETE", cluster.path("pods", "node-0"))
    cluster.running("node-0", other_than=after["metadata"]["uid"])
    cluster.label_seed("node-0")
    assert cluster.start("node-0") == 201
    cluster.ready("node-0")
    assert cluster.host_id("node-0") != host_id
    history = simulator.admin("history", namespace=cluster.namespace, pod="node-0")
    assert [e["event"] for e in history if e["event"] in ("bootstrap", "restart")] == [
        "bootstrap",
        "restart",
        "bootstrap",
    ]


def test_a_killed_simulator_comes_back_without_restarting_anybody(
    cluster: Cluster, simulator: Simulator
) -> None:
    host_id = started_once(cluster, "kept")
    before = cluster.pod("kept-0")
    simulator.stop(signal.SIGKILL)
    simulator.start()
    after = cluster.pod("kept-0")
    assert before is not None
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert cluster.host_id("kept-0") == host_id
    events = [e["event"] for e in simulator.admin("history", namespace=cluster.namespace)]
    assert events == ["bootstrap"]


def test_a_start_goes_on_while_kube_apiserver_is_killed(
    cluster: Cluster, simulator: Simulator, control_plane_with_controllers: ControlPlane
) -> None:
    cluster.create("apart")
    cluster.running("apart-0")
    cluster.label_seed("apart-0")
    url = f"{cluster.api('apart-0')}/lifecycle/start"
    control_plane_with_controllers.stop_component("kube-apiserver", kill=True)
    try:
        assert call("POST", url, timeout=30)[0] == 201
    finally:
        control_plane_with_controllers.start_component("kube-apiserver")
        control_plane_with_controllers.wait_component("kube-apiserver")
    cluster.ready("apart-0")
    events = [e["event"] for e in simulator.admin("history", namespace=cluster.namespace)]
    assert events == ["bootstrap"]


def test_a_wrong_order_is_refused(cluster: Cluster, simulator: Simulator) -> None:
    cluster.create("order", replicas=3)
    for number in range(3):
        cluster.running(f"order-{number}")
    status, sentence = call("POST", f"{cluster.api('order-0')}/lifecycle/start")
    assert status == 500
    assert "the first node of a cluster must be a seed" in sentence
    cluster.label_seed("order-0")
    assert cluster.start("order-0") == 201
    status, sentence = call("POST", f"{cluster.api('order-1')}/lifecycle/start")
    assert status == 500
    assert "second ring" in sentence
    cluster.ready("order-0")
    assert cluster.start("order-1") == 201
    status, sentence = call("POST", f"{cluster.api('order-2')}/lifecycle/start")
    assert status == 500
    assert "cannot bootstrap" in sentence
    cluster.ready("order-1")
    assert cluster.start("order-2") == 201
    cluster.ready("order-2")
    for number in range(3):
        status, body = call("GET", f"{cluster.api(f'order-{number}')}/metadata/endpoints")
        seen = json.loads(body)["entity"]
        assert [e["IS_ALIVE"] for e in seen] == ["true"] * 3


def test_faults_happen_and_are_cleared(cluster: Cluster, simulator: Simulator) -> None:
    host_id = started_once(cluster, "bad")
    simulator.fault(cluster.namespace, "bad-0", "crash")
    cluster.ready("bad-0", False)
    pod = cluster.running("bad-0")
    [cassandra] = [c for c in pod["status"]["containerStatuses"] if c["name"] == "cassandra"]
    assert cassandra["restartCount"] == 1
    assert cassandra["lastState"]["terminated"]["exitCode"] == 1
    simulator.fault(cluster.namespace, "bad-0", "refuse-start")
    assert cluster.start("bad-0") == 500
    simulator.fault(cluster.namespace, "bad-0", "clear")
    assert cluster.start("bad-0") == 201
    cluster.ready("bad-0")
    assert cluster.host_id("bad-0") == host_id

    simulator.fault(cluster.namespace, "bad-0", "hang")
    answers: list[int] = []
    url = f"{cluster.api('bad-0')}/probes/readiness"
    waiting = threading.Thread(target=lambda: answers.append(call("GET", url)[0]))
    waiting.start()
    time.sleep(0.3)
    assert not answers
    simulator.fault(cluster.namespace, "bad-0", "clear")
    waiting.join(timeout=5)
    assert answers == [200]

    simulator.fault(cluster.namespace, "bad-0", "lose-disk")
    cluster.ready("bad-0", False)
    assert cluster.start("bad-0") == 201
    cluster.ready("bad-0")
    assert cluster.host_id("bad-0") != host_id


def test_an_image_that_cannot_be_pulled_and_a_pod_without_cassandra(cluster: Cluster) -> None:
    cluster.create("img", image="registry.example/broken:1", claim=False)

    def waiting() -> str:
        pod = cluster.pod("img-0") or {}
        statuses = {c["name"]: c for c in pod.get("status", {}).get("containerStatuses", [])}
        return str(statuses.get("cassandra", {}).get("state", {}).get("waiting", {}).get("reason", ""))

    assert eventually(waiting, "the pod waits") == "ImagePullBackOff"
    pod = cluster.pod("img-0")
    assert pod is not None
    assert pod["status"]["phase"] == "Pending"
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "plain"},
        "spec": {"containers": [{"name": "main", "image": "plain:1"}]},
    }
    cluster.admin.apply(cluster.path("pods", "plain"), body)
    cluster.ready("plain")
    cluster.admin.request("DELETE", cluster.path("pods", "plain"))
    eventually(lambda: cluster.pod("plain") is None, "the pod is gone")


def test_claims_grow_and_volumes_go_with_their_claims(cluster: Cluster) -> None:
    started_once(cluster, "disk")
    path = cluster.path("persistentvolumeclaims", "server-data-disk-0")
    volume = cluster.admin.get(path)["spec"]["volumeName"]
    patch = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    cluster.admin.request("PATCH", path, patch, content_type="application/merge-patch+json")
    eventually(
        lambda: cluster.admin.get(path)["status"]["capacity"]["storage"] == "2Gi", "the claim has grown"
    )
    cluster.admin.request("DELETE", cluster.path("statefulsets", "disk"))
    cluster.admin.request("DELETE", path)
    eventually(
        lambda: cluster.admin.find(f"/api/v1/persistentvolumes/{volume}") is None, "the volume is gone"
    )


def test_nodes_are_ready_in_three_zones(cluster: Cluster) -> None:
    nodes = cluster.admin.get("/api/v1/nodes")["items"]
    assert len(nodes) == 12
    assert len({n["metadata"]["labels"]["topology.kubernetes.io/zone"] for n in nodes}) == 3
    for node in nodes:
        assert not [t for t in node["spec"].get("taints", []) if t["effect"] == "NoSchedule"]
    leases = cluster.admin.get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")["items"]
    assert len(leases) == 12
    classes = cluster.admin.get("/apis/storage.k8s.io/v1/storageclasses")["items"]
    expandable = {c["metadata"]["name"]: c.get("allowVolumeExpansion", False) for c in classes}
    assert expandable == {"standard": True, "no-expand": False}
