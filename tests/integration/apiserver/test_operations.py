"""Operations and scaling: typed kinds, the view over them, plans, subresources, cancel, rights."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable

import pytest

from missioncontrol.api import resources as r
from tests.integration.apiserver.conftest import Obj
from tests.kubectl import Kubectl
from tests.servers import Facade, Proxy, grant
from tests.waiting import eventually

Make = Callable[..., Obj]
_PATH = "/apis/missioncontrol.io/v1alpha1"


def restart(name: str = "r1", **spec: object) -> Obj:
    return {
        "apiVersion": "missioncontrol.io/v1alpha1",
        "kind": "RollingRestart",
        "metadata": {"name": name},
        "spec": {"clusterName": "demo", **spec},
    }


def test_an_operation_is_stored_once_and_seen_twice(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make, stored_datacenters: Callable[[str], None]
) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    stored_datacenters("demo")
    kubectl("create", "-f", "-", stdin=restart(datacenters=["dc1"], ttlSecondsAfterFinished=60))
    typed = kubectl.json("get", "rollingrestart", "r1", "--show-managed-fields")
    view = kubectl.json("get", "operation", "rollingrestart.r1")
    with facade.admin as admin:
        stored = admin.get(r.STORED_OPERATIONS.path(namespace, "rollingrestart.r1"))
    assert stored["spec"]["rollingrestart"] == {}
    assert typed["spec"] == {
        "clusterName": "demo", "datacenters": ["dc1"], "onConflict": "Queue", "ttlSecondsAfterFinished": 60,
    }  # fmt: skip
    assert view["spec"]["type"] == "RollingRestart"
    uids = {each["metadata"]["uid"] for each in (typed, view, stored)}
    assert sorted(uid[14] for uid in uids) == ["4", "8", "9"]
    fields = typed["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert set(fields) == {".", "f:clusterName", "f:datacenters", "f:onConflict", "f:ttlSecondsAfterFinished"}
    assert kubectl("get", "op").stdout.splitlines()[1].split()[:4] == [
        "rollingrestart.r1", "RollingRestart", "demo", "Pending",
    ]  # fmt: skip
    kubectl("patch", "rollingrestart", "r1", "--type=json", "-p",
            '[{"op":"replace","path":"/spec/ttlSecondsAfterFinished","value":5}]')  # fmt: skip
    refused = kubectl.fails(
        "patch", "rollingrestart", "r1", "--type=merge", "-p", '{"spec":{"clusterName":"x"}}'
    )
    assert "cannot be changed" in refused
    assert "rollingrestart." not in refused.replace("rollingrestart.missioncontrol.io", "")
    assert "Conflict" in kubectl.fails("replace", "-f", "-", stdin=typed)
    kubectl("delete", "operation", "rollingrestart.r1")
    assert "not found" in kubectl.fails("get", "rollingrestart", "r1")


def test_a_dry_run_answers_with_the_plan(
    kubectl: Kubectl, cluster: Make, stored_datacenters: Callable[[str], None]
) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    stored_datacenters("demo")
    for command in (["create"], ["apply", "--server-side"], ["apply"]):
        text = kubectl(*command, "--dry-run=server", "-o", "json", "-f", "-", stdin=restart()).stdout
        plan = json.loads(text)["status"]["plan"]
        assert plan["podsTouched"] == 6
        assert plan["steps"][0]["pods"] == ["demo-dc1-r1-sts-0"]
    assert not kubectl.json("get", "operations")["items"]


def test_an_operation_on_nothing_is_refused_with_the_field(kubectl: Kubectl, cluster: Make) -> None:
    message = kubectl.fails("create", "-f", "-", stdin=restart())
    assert 'spec.clusterName: Not found: "demo"' in message
    kubectl("create", "-f", "-", stdin=cluster())
    message = kubectl.fails("create", "-f", "-", stdin=restart(datacenters=["dc9"]))
    assert 'spec.datacenters[0]: Not found: "dc9"' in message
    message = kubectl.fails("apply", "--server-side", "-f", "-", stdin=restart(datacenters=["dc9"]))
    assert "spec.datacenters[0]" in message
    message = kubectl.fails("create", "-f", "-", stdin=restart(colour="red"))
    assert 'unknown field "spec.colour"' in message
    assert 'RollingRestart in version "v1alpha1" cannot be handled as a RollingRestart' in message
    message = kubectl.fails("create", "--validate=ignore", "-f", "-", stdin=restart(datacenters="dc1"))
    assert "spec.datacenters" in message
    assert not kubectl.json("get", "operations")["items"]


def test_a_clusters_subresource_creates_the_operation(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make
) -> None:
    path = f"{_PATH}/namespaces/{namespace}/missioncontrolclusters/demo/rollingrestart"
    missing = kubectl("create", "--raw", path, "-f", "-", stdin="{}", check=False)
    assert 'missioncontrolclusters.missioncontrol.io "demo" not found' in missing.stdout + missing.stderr
    kubectl("create", "-f", "-", stdin=cluster())
    created = json.loads(kubectl("create", "--raw", path, "-f", "-", stdin="{}").stdout)
    assert created["metadata"]["name"].startswith("demo-")
    assert created["spec"]["clusterName"] == "demo"
    named = restart("mine")
    assert (
        json.loads(kubectl("create", "--raw", path, "-f", "-", stdin=named).stdout)["metadata"]["name"]
        == "mine"
    )
    named["spec"]["clusterName"] = "other"
    refused = kubectl("create", "--raw", path, "-f", "-", stdin=named, check=False)
    assert "spec.clusterName" in refused.stdout + refused.stderr
    assert len(kubectl.json("get", "rollingrestarts")["items"]) == 2


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"spec": 5}, id="a number for a spec"),
        pytest.param({"spec": []}, id="a list for a spec"),
        pytest.param({"spec": {"clusterName": 5}}, id="a number for a name"),
        # one fault each: kube-apiserver tells several of one object in no order
        pytest.param({"spec": {"clusterName": "demo", "onConflict": "Maybe"}}, id="an unknown word"),
        pytest.param({"spec": {"clusterName": "demo", "racks": 5}}, id="a number for a list"),
        pytest.param({"metadata": 5}, id="a number for metadata"),
        pytest.param({"metadata": []}, id="a list for metadata"),
        pytest.param({"metadata": {"name": 5}}, id="a number for the object's name"),
        pytest.param({"metadata": {"name": "Bad_Name"}}, id="no name"),
        pytest.param({"metadata": {"name": "x", "labels": {"a b": "c"}}}, id="no label"),
        pytest.param({"metadata": {"name": "x", "namespace": "other"}}, id="another namespace"),
        pytest.param({"kind": "Scrub"}, id="another kind"),
        pytest.param({"kind": 5}, id="a number for the kind"),
        pytest.param({"apiVersion": "v1"}, id="another group"),
    ],
)
async def test_a_clusters_subresource_refuses_what_the_kind_refuses(
    proxy: Proxy, kubectl: Kubectl, namespace: str, cluster: Make, changes: Obj
) -> None:
    await asyncio.to_thread(kubectl, "create", "-f", "-", stdin=cluster())
    base = f"{_PATH}/namespaces/{namespace}"
    body = {**restart("x"), **changes}
    expected = await proxy.json("POST", f"{base}/rollingrestarts", json=body)
    found = await proxy.json("POST", f"{base}/missioncontrolclusters/demo/rollingrestart", json=body)
    assert expected[0] >= 400
    assert found == expected


def test_cancel_marks_a_running_operation_and_refuses_an_ended_one(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make
) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    kubectl("create", "-f", "-", stdin=restart())
    path = f"{_PATH}/namespaces/{namespace}/operations/rollingrestart.r1/cancel"
    answer = json.loads(kubectl("create", "--raw", path, "-f", "-", stdin="{}").stdout)
    assert answer["metadata"]["annotations"]["missioncontrol.io/cancel"]
    again = f"{_PATH}/namespaces/{namespace}/rollingrestarts/r1/cancel"
    assert (
        json.loads(kubectl("create", "--raw", again, "-f", "-", stdin="{}").stdout)["kind"]
        == "RollingRestart"
    )
    with facade.admin as admin:
        identity = {
            "apiVersion": r.STORED_OPERATIONS.api_version,
            "kind": r.STORED_OPERATIONS.kind,
            "metadata": {"name": "rollingrestart.r1", "namespace": namespace},
        }
        status = r.STORED_OPERATIONS.path(namespace, "rollingrestart.r1", "status")
        admin.apply(status, {**identity, "status": {"phase": "Complete"}})
    refused = kubectl("create", "--raw", path, "-f", "-", stdin="{}", check=False)
    assert "it has ended already" in refused.stdout + refused.stderr
    assert kubectl.json("get", "op", "--field-selector", "status.phase=Complete,spec.clusterName=demo")[
        "items"
    ]


def test_the_list_of_operations_is_watched(kubectl: Kubectl, cluster: Make) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    watching = subprocess.Popen(
        kubectl.command("get", "operations", "-w", "--output-watch-events"),
        env=kubectl.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert watching.stdout is not None
    try:
        kubectl("create", "-f", "-", stdin=restart())
        rows = [watching.stdout.readline().split() for _ in range(2)]
    finally:
        watching.kill()
        watching.communicate()
    assert rows[1][:3] == ["ADDED", "rollingrestart.r1", "RollingRestart"]


def test_scale_spreads_and_refuses(
    kubectl: Kubectl, cluster: Make, stored_datacenters: Callable[[str], None]
) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    stored_datacenters("demo")
    assert "scaled" in kubectl("scale", "mcc/demo", "--replicas=12").stdout
    assert _sizes(kubectl) == [6, 6]
    assert "12 or 18 would work" in kubectl.fails("scale", "mcc/demo", "--replicas=13")
    assert "6 or 12 would work" in kubectl.fails("scale", "mcc/demo", "--replicas=7")
    assert "Expected replicas to be 3" in kubectl.fails(
        "scale", "mcc/demo", "--current-replicas=3", "--replicas=18"
    )
    kubectl("scale", "mcc/demo", "--current-replicas=12", "--replicas=18")
    kubectl("scale", "mcdc/demo.dc1", "--replicas=12")
    assert _sizes(kubectl) == [12, 9]
    kubectl("scale", "mcc/demo", "--replicas=21")
    scale = kubectl.json("get", "mcdc", "demo.dc1", "--subresource=scale")
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (12, 3)
    assert scale["status"]["selector"] == "cassandra.datastax.com/cluster=demo"
    kubectl("patch", "mcc", "demo", "--subresource=scale", "--type=merge", "--dry-run=server",
            "-p", '{"spec":{"replicas":24}}')  # fmt: skip
    assert _sizes(kubectl) == [12, 9]
    managers = kubectl.json("get", "mcc", "demo", "--show-managed-fields")["metadata"]["managedFields"]
    assert "kubectl" in {each["manager"] for each in managers}


def _sizes(kubectl: Kubectl) -> list[int]:
    datacenters = kubectl.json("get", "mcc", "demo")["spec"]["k8ssandra"]["cassandra"]["datacenters"]
    return [each["size"] for each in datacenters]


def test_each_way_needs_its_own_right(
    facade: Facade, kubectl: Kubectl, namespace: str, cluster: Make
) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    typed = facade.user("typed")
    by_path = facade.user("by-path")
    viewer = facade.user("viewer")
    grant(facade, namespace, "typed", ("rollingrestarts", "create,get,list"))
    grant(facade, namespace, "by-path", ("missioncontrolclusters/rollingrestart", "create"))
    grant(facade, namespace, "viewer", ("operations", "get,list,delete"), ("operations/cancel", "create"))
    where = ("-n", namespace)

    def can(user: Kubectl, verb: str, resource: str, *more: str) -> bool:
        return user("auth", "can-i", verb, resource, *more, *where, check=False).stdout.strip() == "yes"

    eventually(lambda: can(viewer, "delete", "operations"), "the rights are known")
    assert can(typed, "create", "rollingrestarts.missioncontrol.io")
    assert not can(
        typed, "create", "missioncontrolclusters.missioncontrol.io", "--subresource=rollingrestart"
    )
    assert can(by_path, "create", "missioncontrolclusters.missioncontrol.io", "--subresource=rollingrestart")
    assert not can(by_path, "create", "rollingrestarts.missioncontrol.io")

    path = f"{_PATH}/namespaces/{namespace}/missioncontrolclusters/demo/rollingrestart"
    shown = typed("create", "--dry-run=server", "-o", "json", "-f", "-", *where, stdin=restart())
    assert "status" not in json.loads(shown.stdout)
    assert "you may not read missioncontrolcluster demo" in shown.stderr
    typed("create", "-f", "-", *where, stdin=restart())
    assert "forbidden" in typed("create", "--raw", path, "-f", "-", stdin="{}", check=False).stderr.lower()
    by_path("create", "--raw", path, "-f", "-", stdin="{}")
    assert "forbidden" in by_path.fails("create", "-f", "-", *where, stdin=restart("r2"))
    assert "rollingrestart.r1" in viewer("get", "operations", *where).stdout
    denied = viewer.fails("delete", "operation", "rollingrestart.r1", *where)
    assert 'User "viewer" cannot delete resource "rollingrestarts"' in denied
    cancel = f"{_PATH}/namespaces/{namespace}/operations/rollingrestart.r1/cancel"
    denied = viewer("create", "--raw", cancel, "-f", "-", stdin="{}", check=False).stderr
    assert "rollingrestarts/cancel" in denied
