"""Rules of K8ssandraCluster, DataPlane with its kubeconfig, and operations."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from missioncontrol.validation import data_plane, k8ssandra_cluster, operation
from tests.unit.validation.builders import GOOD_SPEC, a_cluster, changed


def a_k8ssandra_cluster(**metadata: Any) -> dict[str, Any]:
    spec = copy.deepcopy(GOOD_SPEC)
    for datacenter in spec["cassandra"]["datacenters"]:
        del datacenter["k8sContext"]
    return {"metadata": {"name": "demo", "namespace": "ns", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("path", "value", "cause"),
    [
        pytest.param(
            "spec.cassandra.datacenters.0.k8sContext",
            "east",
            "spec.cassandra.datacenters[0].k8sContext: Forbidden",
            id="another plane",
        ),
        pytest.param(
            "spec.cassandra.additionalSeeds",
            ["10.0.0.1", "not a host"],
            "spec.cassandra.additionalSeeds[1]: Invalid value",
            id="a seed that is no address",
        ),
        pytest.param(
            "metadata.annotations",
            {"k8ssandra.io/autoupdate-spec": "x"},
            "metadata.annotations[k8ssandra.io/autoupdate-spec]: Unsupported value",
            id="an unknown autoupdate",
        ),
        pytest.param(
            "spec.reaper",
            {"keyspace": "r"},
            "spec.reaper: Forbidden: reaper is not supported yet",
            id="Reaper",
        ),
    ],
)
def test_a_bad_k8ssandra_cluster(path: str, value: Any, cause: str) -> None:
    found = [
        str(each) for each in k8ssandra_cluster.create_causes(changed(a_k8ssandra_cluster(), path, value))
    ]

    assert [each for each in found if each.startswith(cause)], found


def test_a_good_k8ssandra_cluster_and_its_seeds_may_change() -> None:
    before = a_k8ssandra_cluster()
    after = changed(before, "spec.cassandra.additionalSeeds", ["10.0.0.1", "fd00::1", "seed.example.org"])

    assert k8ssandra_cluster.create_causes(after) == []
    assert k8ssandra_cluster.update_causes(before, after) == []


def test_a_datacenter_is_added_after_the_others_but_by_a_control_plane_where_its_turn_comes() -> None:
    more = {"metadata": {"name": "dc0"}, "size": 3}
    alone, owned = (
        a_k8ssandra_cluster(),
        a_k8ssandra_cluster(labels={"missioncontrol.io/control-plane": "cp"}),
    )

    def first(body: dict[str, Any]) -> dict[str, Any]:
        return changed(body, "spec.cassandra.datacenters", [more, *body["spec"]["cassandra"]["datacenters"]])

    assert k8ssandra_cluster.update_causes(alone, changed(alone, "spec.cassandra.datacenters.2", more)) == []
    assert "comes after those that are there" in str(k8ssandra_cluster.update_causes(alone, first(alone))[0])
    assert k8ssandra_cluster.update_causes(owned, first(owned)) == []


def test_a_datacenter_is_taken_out_of_a_cluster_that_no_control_plane_has_made_and_none_is_renamed() -> None:
    labels = {"missioncontrol.io/control-plane": "cp"}
    for body, wrong in ((a_k8ssandra_cluster(), ""), (a_k8ssandra_cluster(labels=labels), "removing")):
        first, second = body["spec"]["cassandra"]["datacenters"]
        fewer = changed(body, "spec.cassandra.datacenters", [first])
        causes = k8ssandra_cluster.update_causes(body, fewer)
        assert wrong in str(causes)
        assert bool(causes) is bool(wrong)
        renamed = [first, {**second, "metadata": {"name": "other"}}]
        told = k8ssandra_cluster.update_causes(body, changed(body, "spec.cassandra.datacenters", renamed))
        assert "cannot be renamed, nor added and removed at once" in str(told[0])


def a_plane(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": {"kubeconfigSecretRef": {"name": "s"}, **spec}}


@pytest.mark.parametrize(
    ("plane", "fields"),
    [
        pytest.param(a_plane(), [], id="a good one"),
        pytest.param(a_plane(kubeconfigSecretRef={}), ["spec.kubeconfigSecretRef.name"], id="no Secret"),
        pytest.param(
            a_plane(kubeconfigSecretRef={"name": "A b"}),
            ["spec.kubeconfigSecretRef.name"],
            id="no name of a Secret",
        ),
        pytest.param(
            a_plane(allowedNamespaces=["a", "a", "B"]),
            ["spec.allowedNamespaces[1]", "spec.allowedNamespaces[2]"],
            id="namespaces",
        ),
    ],
)
def test_the_shape_of_a_data_plane(plane: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in data_plane.create_causes(plane)] == fields


def test_a_plane_in_use_names_its_users() -> None:
    (cause,) = data_plane.deletion_causes(a_plane(), {"ns/demo": ["dc1", "dc2"]})

    assert "dc1, dc2 of ns/demo" in cause.message
    assert data_plane.deletion_causes(a_plane(), {}) == []


def a_kubeconfig(user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": user if user is not None else {"token": "t"}}],
    }


@pytest.mark.parametrize(
    ("content", "context", "told"),
    [
        pytest.param(a_kubeconfig(), "", [], id="a good one"),
        pytest.param("just text", "", ["is no kubeconfig"], id="text"),
        pytest.param({"a": "b"}, "", ["is no kubeconfig"], id="something else"),
        pytest.param(
            a_kubeconfig({"exec": {"command": "id"}}),
            "",
            ["users[u].user.exec: Forbidden: programs are not run"],
            id="a program",
        ),
        pytest.param(
            a_kubeconfig({"auth-provider": {"name": "gcp"}}),
            "",
            ["users[u].user.auth-provider"],
            id="an auth provider",
        ),
        pytest.param(
            a_kubeconfig({"tokenFile": "/etc/passwd"}),
            "",
            ["users[u].user.tokenFile: Forbidden: files"],
            id="a file with a token",
        ),
        pytest.param(
            a_kubeconfig(**{"certificate-authority": "/ca"}),
            "",
            ["clusters[k].cluster.certificate-authority"],
            id="a file with a CA",
        ),
        pytest.param(
            a_kubeconfig(server="http://10.0.0.1"),
            "",
            ["clusters[k].cluster.server: Invalid value"],
            id="no TLS",
        ),
        pytest.param(a_kubeconfig(), "other", ['contexts: Not found: "other"'], id="an unknown context"),
        pytest.param({**a_kubeconfig(), "users": []}, "", ['users: Not found: "u"'], id="an unknown user"),
        pytest.param(
            {**a_kubeconfig(), "current-context": ""},
            "",
            ["current-context: Required value"],
            id="no context",
        ),
    ],
)
def test_a_kubeconfig_must_be_whole_in_itself(content: Any, context: str, told: list[str]) -> None:
    data = content.encode() if isinstance(content, str) else json.dumps(content).encode()

    causes = [str(each) for each in data_plane.kubeconfig_causes(data, context=context, field="kubeconfig")]

    assert len(causes) == len(told)
    for cause, text in zip(causes, told, strict=True):
        assert text in cause


def test_bytes_that_are_no_yaml_are_refused() -> None:
    assert data_plane.kubeconfig_causes(b"\xff\xfe\x00{", context="", field="kubeconfig")


def an_operation(name: str = "rollingrestart.r1", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"type": "RollingRestart", "clusterName": "demo", "rollingrestart": {}, **spec},
    }


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param(an_operation(), [], id="a good one"),
        pytest.param(an_operation(datacenters=["dc2", "dc1"]), [], id="in another order"),
        pytest.param(an_operation(datacenters=["dc9"]), ["spec.datacenters[0]"], id="an unknown datacenter"),
        pytest.param(
            an_operation(datacenters=["dc1", "dc1"]), ["spec.datacenters[1]"], id="a datacenter twice"
        ),
        pytest.param(
            an_operation(rollingrestart={"racks": ["r2", "default"]}), [], id="racks of its datacenters"
        ),
        pytest.param(
            an_operation(rollingrestart={"racks": ["r1", "r9"]}),
            ["spec.rollingrestart.racks[1]"],
            id="an unknown rack",
        ),
        pytest.param(an_operation(clusterName=""), ["spec.clusterName"], id="no cluster"),
        pytest.param(an_operation(name="r1"), ["metadata.name"], id="a name without its kind"),
        pytest.param(an_operation(backup={}), ["spec.backup"], id="arguments of another kind"),
        pytest.param(
            an_operation(ttlSecondsAfterFinished=-1), ["spec.ttlSecondsAfterFinished"], id="a negative time"
        ),
    ],
)
def test_a_new_operation(body: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in operation.create_causes(body, cluster=a_cluster())] == fields


def test_an_operation_needs_a_cluster_that_stays() -> None:
    leaving = changed(a_cluster(), "metadata.deletionTimestamp", "2026-01-01T00:00:00Z")

    assert "no MissionControlCluster demo" in str(operation.create_causes(an_operation(), cluster=None)[0])
    assert "is being deleted" in str(operation.create_causes(an_operation(), cluster=leaving)[0])


def test_an_operation_does_not_change_but_for_its_time_to_live() -> None:
    assert operation.update_causes(an_operation(), an_operation(ttlSecondsAfterFinished=5)) == []
    (cause,) = operation.update_causes(an_operation(), an_operation(datacenters=["dc1"]))
    assert cause.field == "spec.datacenters"
