"""kube-apiserver and kubectl understand the documents: discovery is merged, OpenAPI is merged, explain works.

The documents are served by a few lines here instead of the real API server, so that a fault in them is
not mistaken for a fault of the server.
"""

from __future__ import annotations

import ssl
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from missioncontrol.api import resources as r
from missioncontrol.api.emit import discovery, openapi, plumbing, rbac
from missioncontrol.api.emit.discovery import Rendered
from missioncontrol.api.names import API_SERVICE_NAME, SYSTEM_NAMESPACE, Component
from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.installing import install, server_certificate
from tests.waiting import eventually

_DOCUMENTS: dict[str, Callable[[], Rendered]] = {
    "/apis": discovery.rendered_aggregated,
    "/apis/missioncontrol.io": discovery.rendered_group,
    "/apis/missioncontrol.io/v1alpha1": discovery.rendered_resource_list,
    "/openapi/v2": openapi.rendered_v2,
    "/openapi/v3": openapi.rendered_v3_root,
    "/openapi/v3/apis/missioncontrol.io/v1alpha1": openapi.rendered_v3,
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        produce = _DOCUMENTS.get(self.path.partition("?")[0])
        document = produce() if produce else Rendered(b"{}", '"none"')
        self.send_response(200 if produce else 404)
        self.send_header("Content-Type", document.content_type)
        self.send_header("Content-Length", str(len(document.body)))
        self.send_header("ETag", document.etag)
        self.end_headers()
        self.wfile.write(document.body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, bytes]]:
    """A server of the documents: its port and the CA of its certificate."""
    host = f"{Component.APISERVER}.{SYSTEM_NAMESPACE}.svc"
    folder = tmp_path_factory.mktemp("documents")
    ca = server_certificate(folder, "documents", host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, ca
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def registered(control_plane: ControlPlane, documents: tuple[int, bytes]) -> Iterator[ControlPlane]:
    """The control plane with the group registered, until the tests of this module are done."""
    port, ca_bundle = documents
    service = plumbing.local_service(Component.APISERVER)
    api_service = plumbing.api_service(ca_bundle=ca_bundle, port=port)
    with control_plane.admin_client() as client:
        install(client, rbac.namespace(), service, api_service)
        eventually(lambda: _available(client), "the APIService is available")
        yield control_plane
        client.request("DELETE", r.API_SERVICES.path(name=API_SERVICE_NAME))


def _available(client: AdminClient) -> bool:
    status = client.get(r.API_SERVICES.path(name=API_SERVICE_NAME)).get("status", {})
    return any(c["type"] == "Available" and c["status"] == "True" for c in status.get("conditions", ()))


def _kubectl(
    plane: ControlPlane, programs: Programs, cache: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    command = [str(programs.kubectl), "--kubeconfig", str(plane.admin_kubeconfig), "--cache-dir", str(cache)]
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=60, check=False)


def test_kubectl_knows_the_kinds_by_all_their_names(
    registered: ControlPlane, binaries: Programs, tmp_path: Path
) -> None:
    found: list[str] = []

    def listed() -> bool:
        answer = _kubectl(
            registered, binaries, tmp_path / str(len(found)), "api-resources", "--api-group=missioncontrol.io"
        )
        found.append(answer.stdout + answer.stderr)
        return "missioncontrolclusters" in answer.stdout

    eventually(listed, f"api-resources: {found[-1:]}")
    for words in ("mcc", "dp", "mcdc", "dbn", "op", "rollingrestarts"):
        assert f" {words} " in f" {found[-1]} ".replace("\n", " "), found[-1]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("mcc", "A Cassandra cluster over all of its data planes"),
        ("mcc.spec.k8ssandra.cassandra.datacenters.racks", "FIELDS: affinity"),
        (
            "mcc.spec.k8ssandra.cassandra.datacenters.racks.nodeAffinityLabels",
            "Labels that a Kubernetes node must carry",
        ),
        ("mcc.spec.k8ssandra.cassandra.containers.env", "EnvVar"),
        ("dp.spec.kubeconfigSecretRef.key", "Key inside the Secret"),
        ("rollingrestarts.spec.onConflict", "while another operation works on the cluster"),
        ("op.status.plan.steps.pods", "Pods that the step touches"),
        ("mcdc.status.nodes.hostID", "Host id of the node"),
        ("dbn.spec.rack", "Rack of the node"),
        ("mcc.metadata.labels", "Map of string keys and values"),
    ],
)
def test_kubectl_explains_down_to_the_last_field(
    registered: ControlPlane, binaries: Programs, tmp_path: Path, path: str, words: str
) -> None:
    answers: list[str] = []

    def explained() -> bool:
        answer = _kubectl(registered, binaries, tmp_path / str(len(answers)), "explain", path)
        answers.append(" ".join((answer.stdout + answer.stderr).split()))
        return answer.returncode == 0

    eventually(explained, f"explain {path}")
    assert words in answers[-1]


def test_the_document_that_all_clients_read_stays_whole(registered: ControlPlane) -> None:
    protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    with registered.admin_client() as client:

        def merged() -> bool:
            definitions = client.get("/openapi/v2")["definitions"]
            # meta types that differed from kube-apiserver's would be renamed
            assert not [name for name in definitions if name.endswith("_v2") and "meta.v1" in name]
            return "io.missioncontrol.v1alpha1.MissionControlCluster" in definitions

        eventually(merged, "our definitions are in /openapi/v2")
    context = ssl.create_default_context(cafile=str(registered.ca_file))
    context.load_cert_chain(registered.admin.cert, registered.admin.key)
    request = urllib.request.Request(f"{registered.server}/openapi/v2", headers={"Accept": protobuf})
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("application/com.github.proto-openapi")
        assert b"io.missioncontrol.v1alpha1.MissionControlCluster" in answer.read()
