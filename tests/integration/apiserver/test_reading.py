"""kubectl reads: what kinds there are, tables, YAML, explain, selectors."""

from __future__ import annotations

from collections.abc import Callable

from missioncontrol.api.registry import BY_PLURAL
from tests.integration.apiserver.conftest import Obj
from tests.kubectl import Kubectl

Make = Callable[..., Obj]


def test_api_resources_lists_every_kind(kubectl: Kubectl) -> None:
    lines = kubectl("api-resources", "--api-group=missioncontrol.io", "-o", "wide").stdout.splitlines()
    rows = {line.split()[0]: line for line in lines[1:]}
    assert set(rows) == set(BY_PLURAL)
    assert "mcc" in rows["missioncontrolclusters"]
    assert "false" in rows["dataplanes"]
    assert "get,list" in rows["databasenodes"]
    assert "watch" not in rows["databasenodes"]


def test_a_cluster_is_printed_with_our_columns(kubectl: Kubectl, cluster: Make) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    head, row = kubectl("get", "mcc").stdout.splitlines()
    assert head.split() == ["NAME", "DATACENTERS", "NODES", "VERSION", "PHASE", "AGE"]
    assert row.split()[:2] == ["demo", "dc1,dc2"]
    wide = kubectl("get", "mcc", "demo", "-o", "wide").stdout.splitlines()[0]
    assert "MESSAGE" in wide
    document = kubectl.json("get", "mcc", "demo")
    assert document["apiVersion"] == "missioncontrol.io/v1alpha1"
    assert "storage." not in kubectl("get", "mcc", "demo", "-o", "yaml", "--show-managed-fields").stdout
    assert kubectl("get", "missioncontrol", "-A").stdout.count("demo")


def test_explain_reaches_the_fields_of_a_rack(kubectl: Kubectl) -> None:
    text = kubectl("explain", "mcc.spec.k8ssandra.cassandra.datacenters.racks").stdout
    assert "MissionControlCluster" in text
    assert "name" in text
    assert "<no description>" not in text
    assert "clusterName" in kubectl("explain", "rollingrestarts.spec").stdout


def test_selectors_choose_and_unknown_ones_are_refused(kubectl: Kubectl, cluster: Make) -> None:
    for name in ("one", "two"):
        kubectl("create", "-f", "-", stdin=cluster(name))
    kubectl("label", "mcc", "one", "tier=gold")
    assert kubectl("get", "mcc", "-l", "tier=gold", "-o", "name").stdout.split() == [
        "missioncontrolcluster.missioncontrol.io/one"
    ]
    assert "two" in kubectl("get", "mcc", "--field-selector", "metadata.name=two", "-o", "name").stdout
    message = kubectl.fails("get", "mcc", "--field-selector", "spec.colour=red")
    assert "field label not supported: spec.colour" in message


def test_pages_are_continued(kubectl: Kubectl, cluster: Make) -> None:
    for name in ("a", "b", "c"):
        kubectl("create", "-f", "-", stdin=cluster(name))
    names = kubectl("get", "mcc", "--chunk-size=1", "-o", "name").stdout.split()
    assert [name.rpartition("/")[2] for name in names] == ["a", "b", "c"]


def test_what_does_not_exist_is_not_found_under_its_own_name(kubectl: Kubectl) -> None:
    message = kubectl.fails("get", "rollingrestart", "none")
    assert 'rollingrestarts.missioncontrol.io "none" not found' in message


def test_nodes_are_computed_from_datacenters(
    kubectl: Kubectl, cluster: Make, stored_datacenters: Callable[[str], None]
) -> None:
    kubectl("create", "-f", "-", stdin=cluster())
    stored_datacenters("demo")
    lines = kubectl("get", "dbn").stdout.splitlines()
    assert len(lines) == 7
    assert lines[1].split()[:4] == ["demo-dc1-r1-sts-0", "dc1", "r1", "data-plane-1"]
    assert len(kubectl.json("get", "dbn", "-l", "missioncontrol.io/datacenter=dc2")["items"]) == 3
    assert len(kubectl.json("get", "dbn", "--field-selector", "spec.rack=r1")["items"]) == 2
    assert kubectl.json("get", "dbn", "demo-dc2-r3-sts-0")["spec"]["dataPlane"] == "data-plane-2"
    assert "not found" in kubectl.fails("get", "dbn", "demo-dc9-r1-sts-0")
    assert "field label not supported" in kubectl.fails("get", "dbn", "--field-selector", "spec.x=1")
    assert "MethodNotAllowed" in kubectl.fails("delete", "dbn", "demo-dc2-r3-sts-0")
    table = kubectl("get", "mcdc").stdout
    assert "demo.dc1" in table
    assert "3/3" in table
