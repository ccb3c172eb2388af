"""A HorizontalPodAutoscaler with an external metric scales a Datacenter, and through it the cluster."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from missioncontrol.api import resources as r
from missioncontrol.api.names import SYSTEM_NAMESPACE
from missioncontrol.api.resources import Resource
from missioncontrol.local.admin import AdminClient
from tests.installing import install
from tests.integration.extension.conftest import Make, Obj, Site
from tests.servers import GV
from tests.waiting import eventually

METRICS = "/apis/external.metrics.k8s.io/v1beta1"
AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")


class Metrics(BaseHTTPRequestHandler):
    """external.metrics.k8s.io with one metric, as an adapter for a monitoring system serves it."""

    value = "300"

    def do_GET(self) -> None:
        if self.path.split("?")[0] == METRICS:
            resource = {"name": "reads", "singularName": "", "namespaced": True, "verbs": ["get"],
                        "kind": "ExternalMetricValueList"}  # fmt: skip
            body: Obj = {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": "external.metrics.k8s.io/v1beta1",
                "resources": [resource],
            }
        elif self.path.startswith(f"{METRICS}/namespaces/"):
            item = {"metricName": "reads", "metricLabels": {}, "value": self.value,
                    "timestamp": "2026-01-01T00:00:00Z"}  # fmt: skip
            body = {"kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1",
                    "metadata": {}, "items": [item]}  # fmt: skip
        else:
            self.send_error(404)
            return
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def metrics(site: Site) -> Iterator[type[Metrics]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(site.folder / "tls.crt", site.folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics", "namespace": SYSTEM_NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost",
                 "ports": [{"name": "https", "port": port}]},
    }  # fmt: skip
    api = {
        "apiVersion": r.API_SERVICES.api_version,
        "kind": r.API_SERVICES.kind,
        "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
        "spec": {
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": SYSTEM_NAMESPACE, "name": "metrics", "port": port},
        },
    }
    with site.admin as admin:
        install(admin, service, api)
        yield Metrics
        admin.request("DELETE", r.API_SERVICES.path(None, "v1beta1.external.metrics.k8s.io"))
    server.shutdown()
    server.server_close()


def observe(admin: AdminClient, namespace: str) -> None:
    """Play mission-control-operator: say what is there."""
    identity = {
        "apiVersion": r.STORED_DATACENTERS.api_version,
        "kind": r.STORED_DATACENTERS.kind,
        "metadata": {
            "name": "demo.dc1",
            "namespace": namespace,
            "annotations": {"missioncontrol.io/break-glass": "a test plays the operator"},
        },
    }
    racks = [{"name": rack, "size": 1} for rack in ("r1", "r2", "r3")]
    spec = {"clusterName": "demo", "name": "dc1", "dataPlane": "data-plane-1", "size": 3, "racks": racks}
    status = {"replicas": 3, "readyReplicas": 3, "selector": "missioncontrol.io/datacenter=dc1"}
    path = r.STORED_DATACENTERS.path(namespace, "demo.dc1")
    admin.apply(path, {**identity, "spec": spec})
    admin.apply(f"{path}/status", {**identity, "status": status})


def test_an_autoscaler_scales_a_datacenter(
    site: Site, namespace: str, cluster: Make, metrics: type[Metrics]
) -> None:
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "demo", "namespace": namespace},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "missioncontrol.io/v1alpha1",
                "kind": "Datacenter",
                "name": "demo.dc1",
            },
            "minReplicas": 3,
            "maxReplicas": 9,
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": "reads"},
                        "target": {"type": "AverageValue", "averageValue": "100"},
                    },
                }
            ],
        },
    }
    with site.admin as admin:
        clusters = f"{GV}/namespaces/{namespace}/missioncontrolclusters"
        made = admin.request("POST", clusters, cluster())
        observe(admin, namespace)
        path = AUTOSCALERS.path(namespace, "demo")
        admin.apply(path, autoscaler)

        def condition(name: str) -> Obj:
            conditions = admin.get(path).get("status", {}).get("conditions") or ()
            return next((each for each in conditions if each["type"] == name), {})

        eventually(lambda: condition("ScalingActive").get("status") == "True", "the autoscaler works")
        assert admin.get(path)["status"]["currentReplicas"] == 3
        assert admin.get(f"{clusters}/demo")["metadata"]["generation"] == made["metadata"]["generation"]

        metrics.value = "550"

        def sizes() -> list[int]:
            spec = admin.get(f"{clusters}/demo")["spec"]["k8ssandra"]["cassandra"]
            return [each["size"] for each in spec["datacenters"]]

        eventually(lambda: sizes() == [6, 3], "the datacenter grows, and no other")
        scale = admin.get(f"{GV}/namespaces/{namespace}/datacenters/demo.dc1/scale")
        assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (6, 3)
        assert scale["status"]["selector"] == "missioncontrol.io/datacenter=dc1"
        metrics.value = "750"
        eventually(lambda: condition("AbleToScale").get("reason") == "FailedUpdateScale", "eight do not fit")
        assert "rack" in condition("AbleToScale")["message"]
        assert sizes() == [6, 3]
