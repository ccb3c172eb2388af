"""kubectl writes: create, apply in both ways, edit, patch, label, delete, wait, conflicts, namespaces."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from missioncontrol.api import resources as r
from tests.integration.apiserver.conftest import Obj
from tests.kubectl import Kubectl
from tests.servers import Facade
from tests.waiting import eventually

Make = Callable[..., Obj]


def explicit(document: Obj) -> Obj:
    """The cluster with a default of a list item spelt out: else every apply sees that list as changed."""
    for datacenter in document["spec"]["k8ssandra"]["cassandra"]["datacenters"]:
        datacenter["stopped"] = False
    return document


def test_server_side_apply_keeps_true_owners_and_reports_conflicts(kubectl: Kubectl, cluster: Make) -> None:
    document = explicit(cluster())
    kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=document)
    shown = kubectl.json("get", "mcc", "demo", "--show-managed-fields")
    (entry,) = shown["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("one", "Apply")
    assert entry["apiVersion"] == "missioncontrol.io/v1alpha1"
    document["spec"]["k8ssandra"]["cassandra"]["serverVersion"] = "5.0.5"
    message = kubectl.fails("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=document)
    assert 'conflict with "one"' in message
    assert ".spec.k8ssandra.cassandra.serverVersion" in message
    assert "storage." not in message
    kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=two", "-f", "-", stdin=document)
    before = kubectl.json("get", "mcc", "demo")["metadata"]["resourceVersion"]
    kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=document)
    assert kubectl.json("get", "mcc", "demo")["metadata"]["resourceVersion"] == before


def test_client_side_apply_patches_and_can_move_to_server_side(kubectl: Kubectl, cluster: Make) -> None:
    document = explicit(cluster())
    assert "created" in kubectl("apply", "-f", "-", stdin=document).stdout
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=document).stdout
    document["metadata"]["labels"] = {"tier": "gold"}
    assert "configured" in kubectl("apply", "-f", "-", stdin=document).stdout
    kubectl("apply", "--server-side", "-f", "-", stdin=document)
    managers = {
        each["manager"]
        for each in kubectl.json("get", "mcc", "demo", "--show-managed-fields")["metadata"]["managedFields"]
    }
    assert "kubectl" in managers
    del document["metadata"]["labels"]
    kubectl("apply", "--server-side", "-f", "-", stdin=document)
    assert "labels" not in kubectl.json("get", "mcc", "demo")["metadata"]


def test_edit_patch_label_and_annotate(kubectl: Kubectl, cluster: Make, tmp_path: Path) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/serverVersion: 5.0.4/serverVersion: 5.0.5/' \"$1\"\n")
    editor.chmod(0o755)
    assert "edited" in kubectl("edit", "mcc", "demo", env={"EDITOR": str(editor)}).stdout
    assert "5.0.5" in kubectl("get", "mcc", "demo").stdout
    kubectl("patch", "mcc", "demo", "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}')
    changes = json.dumps(
        [
            {"op": "test", "path": "/metadata/labels/a", "value": "b"},
            {"op": "replace", "path": "/spec/k8ssandra/cassandra/datacenters/0/size", "value": 6},
        ]
    )
    kubectl("patch", "mcc", "demo", "--type=json", "-p", changes)
    strategic = kubectl.fails("patch", "mcc", "demo", "--type=strategic", "-p", '{"metadata":{}}')
    assert "application/merge-patch+json" in strategic or "strategic" in strategic
    kubectl("label", "mcc", "demo", "a-")
    kubectl("annotate", "mcc", "demo", "note=x")
    shown = kubectl.json("get", "mcc", "demo", "--show-managed-fields")
    assert shown["spec"]["k8ssandra"]["cassandra"]["datacenters"][0]["size"] == 6
    managers = {each["manager"] for each in shown["metadata"]["managedFields"]}
    assert {"kubectl-create", "kubectl-edit", "kubectl-patch", "kubectl-annotate"} <= managers


def test_replace_with_an_old_version_is_a_conflict(kubectl: Kubectl, cluster: Make) -> None:
    old = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=cluster()).stdout)
    kubectl("label", "mcc", "demo", "a=b")
    message = kubectl.fails("replace", "-f", "-", stdin=old)
    assert "missioncontrolclusters.missioncontrol.io" in message
    assert "the object has been modified" in message
    old["metadata"].pop("resourceVersion")
    old["metadata"]["uid"] = old["metadata"]["uid"][:14] + "4" + old["metadata"]["uid"][15:]
    assert "UID" in kubectl.fails("replace", "-f", "-", stdin=old)


def test_fields_are_validated_strictly_with_the_users_paths(kubectl: Kubectl, cluster: Make) -> None:
    document = cluster()
    document["spec"]["k8ssandra"]["cassandra"]["colour"] = "red"
    message = kubectl.fails("create", "-f", "-", stdin=document)
    assert 'strict decoding error: unknown field "spec.k8ssandra.cassandra.colour"' in message
    warned = kubectl("create", "--validate=warn", "-f", "-", stdin=document)
    assert 'unknown field "spec.k8ssandra.cassandra.colour"' in warned.stderr
    twice = (
        '{"apiVersion":"missioncontrol.io/v1alpha1","kind":"DataPlane","metadata":{"name":"x"},'
        '"spec":{"region":"a","region":"b"}}'
    )
    refused = kubectl(
        "create",
        "--raw",
        "/apis/missioncontrol.io/v1alpha1/dataplanes?fieldValidation=Strict",
        "-f",
        "-",
        stdin=twice,
        check=False,
    )
    assert 'duplicate field "spec.region"' in refused.stdout + refused.stderr
    bad = cluster("other")
    bad["spec"]["k8ssandra"]["cassandra"]["datacenters"][0]["size"] = "three"
    message = kubectl.fails("create", "-f", "-", stdin=bad)
    assert 'MissionControlCluster "other" is invalid' in message
    assert "spec.k8ssandra.cassandra.datacenters[0].size" in message


def test_dry_run_changes_nothing(kubectl: Kubectl, cluster: Make) -> None:
    kubectl("create", "--dry-run=server", "-f", "-", stdin=cluster())
    assert "not found" in kubectl.fails("get", "mcc", "demo")
    kubectl("create", "-f", "-", stdin=cluster())
    kubectl("delete", "mcc", "demo", "--dry-run=server")
    kubectl("delete", "mcc", "demo", "--dry-run=server", "--cascade=foreground")
    assert "finalizers" not in kubectl.json("get", "mcc", "demo")["metadata"]


def test_delete_waits_and_wait_sees_conditions(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make
) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    waiting = subprocess.Popen(
        kubectl.command("wait", "mcc/demo", "--for=condition=Ready", "--timeout=30s"),
        env=kubectl.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with facade.admin as admin:
        path = r.STORED_CLUSTERS.path(namespace, "demo", "status")
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        body = {
            "apiVersion": r.STORED_CLUSTERS.api_version,
            "kind": r.STORED_CLUSTERS.kind,
            "metadata": {"name": "demo", "namespace": namespace},
            "status": {"conditions": [condition]},
        }
        admin.apply(path, body)
    output, _ = waiting.communicate(timeout=40)
    assert "condition met" in output
    assert "deleted" in kubectl("delete", "mcc", "demo").stdout
    assert "No resources found" in kubectl("get", "mcc").stderr


def test_watch_shows_changes_as_table_rows(kubectl: Kubectl, cluster: Make) -> None:
    watching = subprocess.Popen(
        kubectl.command("get", "mcc", "-w", "--output-watch-events"),
        env=kubectl.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert watching.stdout is not None
    try:
        kubectl("create", "-f", "-", stdin=cluster())
        lines = [watching.stdout.readline() for _ in range(2)]
        kubectl("label", "mcc", "demo", "x=y")
        lines.append(watching.stdout.readline())
        kubectl("delete", "mcc", "demo")
        lines.append(watching.stdout.readline())
    finally:
        watching.kill()
        watching.communicate()
    assert lines[0].split()[:2] == ["EVENT", "NAME"]
    assert [line.split()[0] for line in lines[1:]] == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize("policy", ["background", "foreground", "orphan"])
def test_the_garbage_collector_follows_owners(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make, policy: str
) -> None:
    uid = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=cluster()).stdout)["metadata"]["uid"]
    owner = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": "MissionControlCluster",
        "name": "demo",
        "uid": uid,
        "blockOwnerDeletion": True,
    }
    dependent = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "notes", "ownerReferences": [owner]},
    }
    inside = {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": "RollingRestart",
        "metadata": {"name": "r1", "ownerReferences": [owner]},
        "spec": {"clusterName": "demo"},
    }
    kubectl("create", "-f", "-", stdin=dependent)
    kubectl("create", "-f", "-", stdin=inside)
    with facade.admin as admin:
        stored = admin.get(r.STORED_OPERATIONS.path(namespace, "rollingrestart.r1"))["metadata"][
            "ownerReferences"
        ][0]
        backing = admin.get(r.STORED_CLUSTERS.path(namespace, "demo"))["metadata"]
    assert stored["uid"] == backing["uid"]
    assert stored["apiVersion"] == "storage.missioncontrol.io/v1alpha1"
    assert kubectl.json("get", "rollingrestart", "r1")["metadata"]["ownerReferences"][0]["uid"] == uid
    kubectl("delete", "mcc", "demo", f"--cascade={policy}", "--timeout=60s")
    if policy == "orphan":
        assert "ownerReferences" not in kubectl.json("get", "configmap", "notes")["metadata"]
        assert "ownerReferences" not in kubectl.json("get", "rollingrestart", "r1")["metadata"]
        return
    gone = [
        "get",
        "configmap/notes",
        "rollingrestart.missioncontrol.io/r1",
        "--ignore-not-found",
        "-o",
        "name",
    ]
    eventually(lambda: not kubectl(*gone).stdout, "the dependents are collected")


def test_a_namespace_goes_with_everything_in_it(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make
) -> None:
    for name in ("one", "two"):
        kubectl("create", "-f", "-", stdin=cluster(name))
    kubectl(
        "create",
        "-f",
        "-",
        stdin={
            "apiVersion": "missioncontrol.io/v1alpha1",
            "kind": "RollingRestart",
            "metadata": {"name": "r1"},
            "spec": {"clusterName": "one"},
        },
    )
    kubectl("delete", "namespace", namespace, "--timeout=60s")
    missing = kubectl.fails("create", "-f", "-", stdin=cluster())
    assert f'namespaces "{namespace}" not found' in missing
