"""The control planes that all other integration tests stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from missioncontrol.local import processes
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs


def test_kubectl_reaches_it_with_the_admin_kubeconfig(
    control_plane: ControlPlane, binaries: Programs
) -> None:
    argv = [binaries.kubectl, "--kubeconfig", control_plane.admin_kubeconfig, "auth", "can-i", "*", "*"]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=30).stdout.strip() == "yes"


def test_a_token_of_a_service_account_is_not_the_administrator(
    control_plane: ControlPlane, namespace: str
) -> None:
    with control_plane.admin_client() as admin:
        token = admin.issue_token(namespace, "default", lifetime=3600)
    with (
        AdminClient(control_plane.server, ca=control_plane.ca_file, token=token) as client,
        pytest.raises(AdminError) as refused,
    ):
        client.get(f"/api/v1/namespaces/{namespace}/secrets")
    assert refused.value.status == 403


def test_services_may_require_two_address_families(control_plane: ControlPlane, namespace: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "both"},
        "spec": {"ipFamilyPolicy": "RequireDualStack", "ports": [{"port": 9042}]},
    }
    with control_plane.admin_client() as admin:
        made = admin.apply(f"/api/v1/namespaces/{namespace}/services/both", body)
    assert made["spec"]["ipFamilies"] == ["IPv4", "IPv6"]


def test_the_front_proxy_is_published_for_aggregated_servers(control_plane: ControlPlane) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    with control_plane.admin_client() as admin:
        data = admin.get(path)["data"]
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert data["requestheader-client-ca-file"] == control_plane.front_proxy_ca.cert.read_text()
    assert data["requestheader-uid-headers"] == '["X-Remote-Uid"]'


def test_the_controllers_act(
    control_plane_with_controllers: ControlPlane, make_namespace: Callable[[ControlPlane], str]
) -> None:
    plane = control_plane_with_controllers
    namespace = make_namespace(plane)
    labels = {"app": "one"}
    body = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "one"},
        "spec": {
            "serviceName": "one",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "none"}]},
            },
        },
    }
    with plane.admin_client() as admin:
        admin.apply(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/one", body)
        deadline = time.monotonic() + 30
        while admin.find(f"/api/v1/namespaces/{namespace}/pods/one-0") is None:
            assert time.monotonic() < deadline, "the StatefulSet controller made no pod"
            time.sleep(0.1)


def test_pods_are_scheduled_after_a_pod_was_made_again_unseen_by_the_scheduler(
    control_plane_with_controllers: ControlPlane, make_namespace: Callable[[ControlPlane], str]
) -> None:
    """kube-scheduler 1.36 takes the new pod for an update of the old one, and ends itself."""
    plane = control_plane_with_controllers
    pods = f"/api/v1/namespaces/{make_namespace(plane)}/pods"
    (program,) = processes.children_of(plane.processes["kube-scheduler"].pid)
    with plane.admin_client() as admin:
        admin.request("POST", "/api/v1/nodes", NODE)
        try:
            admin.request("POST", pods, POD)
            wait_for_node(admin, pods)
            os.kill(program, signal.SIGSTOP)
            plane.stop_component("kube-apiserver", kill=True)
            plane.start_component("kube-apiserver")
            plane.wait_component("kube-apiserver")
            admin.request("DELETE", f"{pods}/one", query={"gracePeriodSeconds": "0"})
            admin.request("POST", pods, POD)
            os.kill(program, signal.SIGCONT)
            wait_for_node(admin, pods)
        finally:
            admin.request("DELETE", "/api/v1/nodes/one")


NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "one"},
    "status": {"allocatable": {"cpu": "1", "memory": "1Gi", "pods": "10"}},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one"},
    "spec": {
        "containers": [{"name": "main", "image": "none"}],
        "tolerations": [{"operator": "Exists"}],  # nobody reports of the node, which is tainted for it
    },
}


def wait_for_node(admin: AdminClient, pods: str) -> None:
    deadline = time.monotonic() + 60
    while not admin.get(f"{pods}/one")["spec"].get("nodeName"):
        assert time.monotonic() < deadline, "the pod is not scheduled"
        time.sleep(0.1)
