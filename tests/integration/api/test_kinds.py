"""A real kube-apiserver takes every generated object, guards the kinds, and explains them."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from missioncontrol.api import resources as r
from missioncontrol.api.emit import plumbing
from missioncontrol.api.emit.crds import Plane
from missioncontrol.api.emit.manifests import plane_objects
from missioncontrol.local.admin import AdminError
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.integration.api.conftest import Api

Document = dict[str, Any]


def _stored(resource: r.Resource, name: str, spec: Document) -> Document:
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    return body


def _cluster(**cassandra: Any) -> Document:
    datacenter = {"metadata": {"name": "dc1"}, "k8sContext": "data-plane-1", "size": 3}
    cassandra = {"serverVersion": "5.0.4", "datacenters": [datacenter], **cassandra}
    return _stored(r.STORED_CLUSTERS, "demo", {"k8ssandra": {"cassandra": cassandra}})


def _restart(name: str = "rollingrestart.r1", **spec: Any) -> Document:
    spec = {"type": "RollingRestart", "clusterName": "demo", "rollingrestart": {}, **spec}
    return _stored(r.STORED_OPERATIONS, name, spec)


@pytest.mark.parametrize("plane", ["control-plane", "data-plane"])
def test_everything_that_is_installed_is_accepted(kinds: ControlPlane, plane: Plane) -> None:
    resources = {
        (resource.api_version, resource.kind): resource
        for resource in vars(r).values()
        if isinstance(resource, r.Resource)
    }
    objects = [
        *plane_objects(plane, simulator=plane == "data-plane"),
        *plumbing.webhook_configurations(plane, ca_bundle=None, base_url="https://127.0.0.1:1"),
        plumbing.api_service(ca_bundle=None),
    ]
    with kinds.admin_client() as client:
        namespace = objects[0]
        client.apply(r.NAMESPACES.path(name=namespace["metadata"]["name"]), namespace)
        for document in objects:
            metadata = document["metadata"]
            resource = resources[document["apiVersion"], document["kind"]]
            path = resource.path(metadata.get("namespace"), metadata["name"])
            query = {"fieldManager": "test", "force": "true", "dryRun": "All", "fieldValidation": "Strict"}
            client.request("PATCH", path, document, query=query, content_type="application/apply-patch+yaml")


def test_a_cluster_is_stored_with_upstreams_defaults(api: Api) -> None:
    spec = api.create(r.STORED_CLUSTERS, _cluster())["spec"]["k8ssandra"]
    assert (spec["auth"], spec["secretsProvider"]) == (True, "internal")
    assert spec["cassandra"]["serverType"] == "cassandra"
    assert spec["cassandra"]["datacenters"][0]["stopped"] is False


def test_the_name_of_a_cluster_inside_cassandra_stays(api: Api) -> None:
    api.create(r.STORED_CLUSTERS, _cluster(clusterName="Demo"))
    change = {"spec": {"k8ssandra": {"cassandra": {"clusterName": "Other"}}}}
    with pytest.raises(AdminError, match=r"spec.k8ssandra.cassandra.clusterName.*cannot be changed"):
        api.patch(r.STORED_CLUSTERS, "demo", change)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(_cluster(serverVersion="five"), "serverVersion", id="a version that is not one"),
        pytest.param(
            _cluster(datacenters=[{"metadata": {"name": "dc1"}, "size": 0}]),
            "size",
            id="a datacenter of no nodes",
        ),
        pytest.param(_cluster(serverTyp="dse"), "serverTyp", id="a misspelt field"),
        pytest.param(_cluster(racks=[{"name": 1}]), "racks[0].name", id="a wrong type"),
        pytest.param(
            _cluster(resources={"requests": {"memory": "much"}}),
            "resources.requests.memory",
            id="no quantity",
        ),
        pytest.param(_cluster(serverType="scylla"), "serverType", id="an unknown database"),
    ],
)
def test_a_bad_cluster_is_refused_with_its_field(api: Api, body: Document, field: str) -> None:
    assert field in api.refused(r.STORED_CLUSTERS, body)


def test_a_data_plane_needs_a_secret(api: Api) -> None:
    refusal = api.refused(r.STORED_DATA_PLANES, _stored(r.STORED_DATA_PLANES, "p1", {"region": "eu"}))
    assert "kubeconfigSecretRef" in refusal
    good = _stored(r.STORED_DATA_PLANES, "p1", {"kubeconfigSecretRef": {"name": "s"}})
    spec = api.create(r.STORED_DATA_PLANES, good, dry_run=True)["spec"]
    assert spec == {"kubeconfigSecretRef": {"name": "s", "key": "kubeconfig"}, "context": ""}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(_restart(type="Repair"), "spec.type", id="a kind that does not exist"),
        pytest.param(_restart(rollingrestart=None), "goes with type RollingRestart", id="without its member"),
        pytest.param(_restart(clusterName=""), "spec.clusterName", id="without a cluster"),
        pytest.param(_restart(racks=["r1"]), "racks", id="with an argument that it does not have"),
    ],
)
def test_a_bad_operation_is_refused(api: Api, body: Document, words: str) -> None:
    spec = {key: value for key, value in body["spec"].items() if value is not None}
    assert words in api.refused(r.STORED_OPERATIONS, {**body, "spec": spec})


def test_an_operation_cannot_be_changed_but_for_how_long_it_is_kept(api: Api) -> None:
    api.create(r.STORED_OPERATIONS, _restart(datacenters=["dc1"]))
    name = "rollingrestart.r1"
    kept = api.patch(r.STORED_OPERATIONS, name, {"spec": {"ttlSecondsAfterFinished": 60}})
    assert kept["spec"]["ttlSecondsAfterFinished"] == 60
    for change in (
        {"clusterName": "other"},
        {"datacenters": ["dc2"]},
        {"datacenters": None},
        {"onConflict": "Reject"},
    ):
        with pytest.raises(AdminError, match="cannot be changed"):
            api.patch(r.STORED_OPERATIONS, name, {"spec": change})


def test_operations_are_selected_by_their_fields(api: Api) -> None:
    api.create(r.STORED_OPERATIONS, _restart("rollingrestart.a"))
    api.create(r.STORED_OPERATIONS, _restart("rollingrestart.b", clusterName="other"))
    path = r.STORED_OPERATIONS.path(api.namespace)
    found = api.client.request(
        "GET", path, query={"fieldSelector": "spec.clusterName=other,spec.type=RollingRestart"}
    )
    assert [item["metadata"]["name"] for item in found["items"]] == ["rollingrestart.b"]


def test_generation_counts_changes_of_the_spec_alone(api: Api) -> None:
    api.create(r.STORED_CLUSTERS, _cluster())
    path = r.STORED_CLUSTERS.path(api.namespace, "demo", "status")
    reported = api.client.request(
        "PATCH",
        path,
        {"status": {"phase": "Ready", "datacenters": [{"name": "dc1", "readyReplicas": 3}]}},
        content_type="application/merge-patch+json",
    )
    assert reported["metadata"]["generation"] == 1
    assert reported["status"]["datacenters"][0]["readyReplicas"] == 3
    changed = api.patch(r.STORED_CLUSTERS, "demo", {"spec": {"prefixDcs": True}})
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("cassandradatacenters.spec.racks.nodeAffinityLabels", "Labels that a Kubernetes node must carry"),
        ("k8ssandraclusters.spec.cassandra.datacenters.racks.name", "Name of the rack"),
        (
            "missioncontrolclusters.storage.missioncontrol.io.spec.k8ssandra.cassandra.datacenters.size",
            "Number of nodes",
        ),
        ("cassandratasks.spec.jobs.args.new_tokens", "the new token of each node"),
    ],
)
def test_kubectl_explains_every_field(kinds: ControlPlane, binaries: Programs, path: str, words: str) -> None:
    # a kind shared by two groups is named with its group, which explain takes apart from the path by flag
    resource, _, rest = path.partition(".spec")
    command = [
        str(binaries.kubectl),
        "--kubeconfig",
        str(kinds.admin_kubeconfig),
        "explain",
        f"{resource.split('.')[0]}.spec{rest}",
    ]
    if resource.endswith("storage.missioncontrol.io"):
        command += ["--api-version", r.STORED_CLUSTERS.api_version]
    explained = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert explained.returncode == 0, explained.stderr
    assert words in " ".join(explained.stdout.split())
