"""The storage group belongs to our components: a cluster-admin who writes it by hand is told what to use.

With a reason it can be done, once: the reason is part of the write, is not kept as a permission, and leaves
a record of who, when and why.
"""

from __future__ import annotations

import datetime
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from missioncontrol.api import resources as r
from missioncontrol.local.admin import AdminClient, AdminError
from tests.integration.extension.conftest import Make, Obj, Site, restart
from tests.servers import GV
from tests.waiting import eventually

REASON = "missioncontrol.io/break-glass"
RECORD = "missioncontrol.io/glass-broken"
MERGE, JSON_PATCH, APPLY = (
    f"application/{each}" for each in ("merge-patch+json", "json-patch+json", "apply-patch+yaml")
)


@pytest.fixture
def admin(site: Site) -> Iterator[AdminClient]:
    """system:masters."""
    with site.admin as client:
        yield client


@pytest.fixture
def stored(admin: AdminClient, namespace: str, cluster: Make) -> str:
    """The path of a stored cluster that was made as users make it."""
    admin.request("POST", f"{GV}/namespaces/{namespace}/missioncontrolclusters", cluster())
    return r.STORED_CLUSTERS.path(namespace, "demo")


def as_stored(body: Obj, **metadata: Any) -> Obj:
    return {
        **body,
        "apiVersion": r.STORED_CLUSTERS.api_version,
        "metadata": {**body["metadata"], **metadata},
    }


def refused(admin: AdminClient, method: str, path: str, body: Any = None, **options: Any) -> str:
    with pytest.raises(AdminError) as caught:
        admin.request(method, path, body, **options)
    assert (caught.value.status, caught.value.reason) == (403, "Forbidden"), caught.value
    return str(caught.value)


def test_every_way_to_write_by_hand_is_refused(
    admin: AdminClient, namespace: str, stored: str, cluster: Make
) -> None:
    before = admin.get(stored)
    collection = r.STORED_CLUSTERS.path(namespace)
    label = {"metadata": {"labels": {"x": "y"}}}
    identity = {"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": {"name": "demo"}}
    changed = {**before, "metadata": {**before["metadata"], "labels": {"x": "y"}}}
    ready = {"status": {"phase": "Ready"}}
    owner = {"metadata": {"finalizers": ["example.com/x"]}}
    add = [{"op": "add", "path": "/metadata/labels", "value": {"x": "y"}}]
    apply = {"query": {"fieldManager": "me", "force": "true"}, "content_type": APPLY}
    for method, path, body, options in (
        ("POST", collection, as_stored(cluster("other")), {}),
        ("PUT", stored, changed, {}),
        ("PATCH", stored, label, {"content_type": MERGE}),
        ("PATCH", stored, owner, {"content_type": MERGE}),
        ("PATCH", stored, add, {"content_type": JSON_PATCH}),
        ("PATCH", stored, {**identity, **label, "metadata": {"name": "demo", "labels": {"x": "y"}}}, apply),
        ("PATCH", f"{collection}/new", as_stored(cluster("new")), apply),
        ("PATCH", f"{stored}/status", ready, {"content_type": MERGE}),
        ("PUT", f"{stored}/status", {**before, **ready}, {}),
        ("DELETE", stored, None, {}),
        ("DELETE", stored, {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}, {}),
        ("DELETE", collection, None, {}),
    ):
        message = refused(admin, method, path, body, **options)
        assert "use missioncontrolclusters.missioncontrol.io" in message, (method, path)
        assert f"in an emergency give a reason in the annotation {REASON}" in message
    assert admin.get(stored) == before
    for resource in (r.STORED_DATA_PLANES, r.STORED_OPERATIONS, r.STORED_DATACENTERS):
        name = {"metadata": {"name": "x"}}
        path = resource.path(namespace if resource.namespaced else None)
        with pytest.raises(AdminError):
            admin.request("POST", path, {"apiVersion": resource.api_version, "kind": resource.kind, **name})


def test_a_reason_is_for_one_write_and_leaves_a_record(
    site: Site, admin: AdminClient, namespace: str, stored: str
) -> None:
    kubectl = site.kubectl("--namespace", namespace)
    name = "missioncontrolclusters.storage.missioncontrol.io/demo"
    patch = {"metadata": {"labels": {"x": "1"}, "annotations": {REASON: "the API server is down"}}}

    done = kubectl("patch", name, "--type=merge", "-p", json.dumps(patch))

    assert "Warning: missioncontrol.io/break-glass is used (the API server is down)" in done.stderr
    annotations = admin.get(stored)["metadata"]["annotations"]
    record = json.loads(annotations[RECORD])
    assert (record["by"], record["reason"]) == ("kubernetes-admin", "the API server is down")
    assert REASON not in annotations
    assert "missioncontrolclusters.missioncontrol.io" in kubectl.fails("label", name, "x=2", "--overwrite")
    # who looks at it through the API sees the record, and cannot change it
    shown = f"{GV}/namespaces/{namespace}/missioncontrolclusters/demo"
    for value in (None, json.dumps({**record, "by": "eve"})):
        admin.request("PATCH", shown, {"metadata": {"annotations": {RECORD: value}}}, content_type=MERGE)
        assert admin.get(shown)["metadata"]["annotations"][RECORD] == annotations[RECORD]
    # the same person may end what was begun: the status, the deletion
    admin.request("PATCH", f"{stored}/status", {"status": {"phase": "Ready"}}, content_type=MERGE)
    kubectl("delete", name)
    assert admin.find(stored) is None


def test_a_reason_that_lies_there_helps_nobody(
    site: Site, admin: AdminClient, namespace: str, cluster: Make
) -> None:
    body = cluster()
    forged = {"at": "2026-01-01T00:00:00+00:00", "by": "system:serviceaccount:mission-control:apiserver"}
    body["metadata"]["annotations"] = {REASON: "planted", RECORD: json.dumps({**forged, "reason": "planted"})}
    admin.request("POST", f"{GV}/namespaces/{namespace}/missioncontrolclusters", body)
    stored = r.STORED_CLUSTERS.path(namespace, "demo")

    assert RECORD not in admin.get(stored)["metadata"]["annotations"]
    refused(admin, "PATCH", stored, {"metadata": {"labels": {"x": "y"}}}, content_type=MERGE)
    refused(admin, "DELETE", stored)
    record = {"annotations": {RECORD: json.dumps({"at": _now(), "by": "somebody-else", "reason": "mine"})}}
    refused(admin, "PATCH", stored, {"metadata": record}, content_type=MERGE)
    blank = {"annotations": {REASON: "   "}}
    refused(admin, "PATCH", stored, {"metadata": blank}, content_type=MERGE)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


def test_one_persons_record_is_no_permission_for_another(
    site: Site, admin: AdminClient, namespace: str, stored: str
) -> None:
    glass = {"metadata": {"annotations": {REASON: "mine"}}}
    admin.request("PATCH", stored, glass, content_type=MERGE)
    other = site.user("other-admin", "system:masters", namespace=namespace)

    message = other.fails("delete", "missioncontrolclusters.storage.missioncontrol.io", "demo")

    assert "other-admin may not delete it" in message
    assert "at most 10 minutes before" in message


def test_rights_are_still_asked_for(site: Site, namespace: str, stored: str) -> None:
    eve = site.user("eve", namespace=namespace)
    patch = json.dumps({"metadata": {"annotations": {REASON: "I want to"}}})
    message = eve.fails(
        "patch", "missioncontrolclusters.storage.missioncontrol.io", "demo", "--type=merge", "-p", patch
    )
    assert 'User "eve" cannot' in message


def test_rules_hold_behind_broken_glass(admin: AdminClient, namespace: str, stored: str) -> None:
    spec = {"spec": {"k8ssandra": {"cassandra": {"serverType": "dse"}}}}
    glass = {**spec, "metadata": {"annotations": {REASON: "hurry"}}}
    with pytest.raises(AdminError) as caught:
        admin.request("PATCH", stored, glass, content_type=MERGE)
    assert (caught.value.status, "serverType" in str(caught.value)) == (422, True)
    assert REASON not in admin.get(stored)["metadata"].get("annotations", {})


def test_kubernetes_own_cleaners_always_pass(
    site: Site, admin: AdminClient, make_namespace: Any, cluster: Make
) -> None:
    namespace = make_namespace(site.plane)
    base = f"{GV}/namespaces/{namespace}"
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner", "namespace": namespace}}
    made = admin.apply(f"/api/v1/namespaces/{namespace}/configmaps/owner", owner)
    body = cluster()
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": made["metadata"]["uid"]}
    body["metadata"]["ownerReferences"] = [reference]
    admin.request("POST", f"{base}/missioncontrolclusters", body)
    admin.request("POST", f"{base}/rollingrestarts", restart())
    site.webhooks.stop(signal.SIGKILL)
    try:
        admin.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/owner")
        eventually(
            lambda: admin.find(f"{base}/missioncontrolclusters/demo") is None, "the cluster is collected"
        )
        admin.request("DELETE", f"/api/v1/namespaces/{namespace}")
        eventually(lambda: admin.find(f"/api/v1/namespaces/{namespace}") is None, "the namespace is gone")
    finally:
        site.webhooks.start()
