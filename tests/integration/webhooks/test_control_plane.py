"""The storage group behind its webhooks, on a real kube-apiserver with a real OPA."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from missioncontrol.api.names import Annotation, Component
from missioncontrol.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    STORED_CLUSTERS,
    STORED_DATA_PLANES,
    STORED_DATACENTERS,
    STORED_OPERATIONS,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import Forbidden
from tests.integration.webhooks.conftest import Facade, Json, Site, client_of
from tests.unit.validation.builders import DC, a_cluster
from tests.waiting import eventually

STORAGE = "storage.missioncontrol.io/v1alpha1"


def a_plane(name: str, **labels: str) -> Json:
    return {
        "apiVersion": STORAGE,
        "kind": "DataPlane",
        "metadata": {"name": name, "labels": labels},
        "spec": {"region": "eu", "kubeconfigSecretRef": {"name": name, "key": "kubeconfig"}},
    }


@pytest.fixture
async def planes(facade: Facade, admin: Client) -> AsyncIterator[tuple[str, str]]:
    """Two data planes that alice may use; the second one is production."""
    names = f"{facade.namespace[-20:]}-a".strip("-"), f"{facade.namespace[-20:]}-b".strip("-")
    await facade.create(STORED_DATA_PLANES, a_plane(names[0]))
    await facade.create(STORED_DATA_PLANES, a_plane(names[1], environment="production"))
    role = f"use-{names[0]}"
    rules = [
        {
            "apiGroups": ["missioncontrol.io"],
            "resources": ["dataplanes"],
            "verbs": ["use"],
            "resourceNames": list(names),
        }
    ]
    await admin.create(CLUSTER_ROLES, {"metadata": {"name": role}, "rules": rules})
    await admin.create(
        CLUSTER_ROLE_BINDINGS,
        {
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"}],
        },
    )
    yield names
    for name in names:
        await facade.write("DELETE", STORED_DATA_PLANES, None, name=name)


def a_stored(planes: tuple[str, str], *changes: tuple[str, Any], name: str = "demo") -> Json:
    """A good cluster with one datacenter on each plane."""
    body = copy.deepcopy(a_cluster(name=name))
    for datacenter, plane in zip(body["spec"]["k8ssandra"]["cassandra"]["datacenters"], planes, strict=True):
        datacenter["k8sContext"] = plane
    changed = body
    for path, value in changes:
        at: Any = changed["spec"]["k8ssandra"]["cassandra"]["datacenters"]
        index, key = path.split(".")
        at[int(index)][key] = value
    body["metadata"].pop("namespace")
    return {"apiVersion": STORAGE, "kind": "MissionControlCluster", **body}


def causes(status: Json) -> dict[str, str]:
    return {each["field"]: each["message"] for each in status["details"]["causes"]}


async def test_a_good_cluster_is_stored_with_the_name_of_who_asked(
    facade: Facade, planes: tuple[str, str]
) -> None:
    stored = await facade.create(STORED_CLUSTERS, a_stored(planes))

    assert stored["metadata"]["annotations"][Annotation.REQUESTED_BY] == "alice"


async def test_who_asked_stays_whoever_changes_the_object(facade: Facade, planes: tuple[str, str]) -> None:
    await facade.create(STORED_CLUSTERS, a_stored(planes))
    key = Annotation.REQUESTED_BY

    dropped = await facade.write(
        "PATCH", STORED_CLUSTERS, {"metadata": {"annotations": {key: None}}}, name="demo", user="bob"
    )
    forged = await facade.write(
        "PATCH", STORED_CLUSTERS, {"metadata": {"annotations": {key: "bob"}}}, name="demo", user="bob"
    )

    assert dropped.raise_for_status().json()["metadata"]["annotations"][key] == "alice"
    assert forged.status == 422


async def test_every_wrong_field_is_told_at_once(facade: Facade, planes: tuple[str, str]) -> None:
    body = a_stored(planes, ("0.k8sContext", "mars"), ("1.size", 3))
    body["spec"]["k8ssandra"]["cassandra"]["datacenters"][1]["metadata"] = {
        "name": "dc1",
        "namespace": "elsewhere",
    }

    status = await facade.refused(STORED_CLUSTERS, body)

    assert status["code"] == 422
    assert set(causes(status)) == {
        f"{DC}[0].k8sContext",
        f"{DC}[1].metadata.name",
        f"{DC}[1].metadata.namespace",
    }


async def test_a_person_does_not_write_the_storage(
    admin: Client, facade: Facade, planes: tuple[str, str]
) -> None:
    with pytest.raises(Forbidden, match=r"use missioncontrolclusters\.missioncontrol\.io"):
        await admin.create(STORED_CLUSTERS, a_stored(planes), namespace=facade.namespace)


def test_breaking_the_glass_warns(site: Site, namespace: str) -> None:
    body = a_plane(f"glass-{namespace[-20:]}")
    body["metadata"]["annotations"] = {Annotation.BREAK_GLASS: "the operator is down"}

    code, text = site.kubectl("create", "-f", "-", stdin=body)
    deleted, _ = site.kubectl("delete", "dataplanes.storage.missioncontrol.io", body["metadata"]["name"])

    assert (code, deleted) == (0, 0), text
    assert "Warning: missioncontrol.io/break-glass is used (the operator is down)" in text


async def test_using_a_plane_needs_the_right(facade: Facade, planes: tuple[str, str]) -> None:
    status = await facade.refused(STORED_CLUSTERS, a_stored(planes), user="mallory")

    assert status["code"] == 403
    assert "mallory may not use the data plane" in status["message"]


def test_kubectl_shows_what_a_policy_says(site: Site, namespace: str, planes: tuple[str, str]) -> None:
    body = a_stored(planes, ("1.size", 1))
    body["metadata"] |= {
        "namespace": namespace,
        "annotations": {Annotation.BREAK_GLASS: "a test without our server"},
    }

    code, text = site.kubectl("create", "-f", "-", stdin=body)

    assert code != 0
    assert f"datacenter dc2 has 1 node on data plane {planes[1]}" in text
    assert "environment=production" in text
    assert "production_minimum_nodes" in text


async def test_a_label_that_was_just_set_counts(facade: Facade, planes: tuple[str, str]) -> None:
    label = {"metadata": {"labels": {"environment": "production"}}}
    (await facade.write("PATCH", STORED_DATA_PLANES, label, name=planes[0])).raise_for_status()
    body = a_stored(planes, ("0.size", 1), ("0.racks", []))

    status = await facade.refused(STORED_CLUSTERS, body)

    assert "dc1 has 1 node" in status["message"]


async def test_a_plane_in_use_stays(facade: Facade, planes: tuple[str, str]) -> None:
    await facade.create(STORED_CLUSTERS, a_stored(planes))

    refused = await facade.write("DELETE", STORED_DATA_PLANES, None, name=planes[0])
    gone = await facade.write("DELETE", STORED_CLUSTERS, None, name="demo")
    allowed = await facade.write("DELETE", STORED_DATA_PLANES, None, name=planes[0])

    assert refused.status == 422
    assert f"dc1 of {facade.namespace}/demo" in refused.json()["message"]
    assert (gone.status, allowed.status) == (200, 200)


async def test_a_cluster_grows_evenly_and_nothing_else_changes(
    facade: Facade, planes: tuple[str, str]
) -> None:
    await facade.create(STORED_CLUSTERS, a_stored(planes))
    stored = (await facade.write("GET", STORED_CLUSTERS, None, name="demo")).json()

    async def with_sizes(*sizes: int, **more: Any) -> Any:
        body = copy.deepcopy(stored)
        for datacenter, size in zip(
            body["spec"]["k8ssandra"]["cassandra"]["datacenters"], sizes, strict=True
        ):
            datacenter["size"] = size
        body["spec"]["k8ssandra"]["cassandra"] |= more
        return await facade.write("PUT", STORED_CLUSTERS, body, name="demo")

    uneven, other = await with_sizes(4, 3), await with_sizes(3, 3, serverType="dse")
    grown = await with_sizes(6, 3)

    assert set(causes(uneven.json())) == {f"{DC}[0].size"}
    assert "cannot change" in causes(other.json())["spec.k8ssandra.cassandra.serverType"]
    assert grown.status == 200


async def test_an_operation_is_for_a_cluster_and_stays_as_it_is(
    facade: Facade, planes: tuple[str, str]
) -> None:
    operation = {
        "apiVersion": STORAGE,
        "kind": "Operation",
        "metadata": {"name": "rollingrestart.r1"},
        "spec": {"type": "RollingRestart", "clusterName": "demo", "rollingrestart": {}},
    }

    early = await facade.refused(STORED_OPERATIONS, operation)
    await facade.create(STORED_CLUSTERS, a_stored(planes))
    stored = await facade.create(STORED_OPERATIONS, operation)
    changed = await facade.write(
        "PATCH", STORED_OPERATIONS, {"spec": {"datacenters": ["dc1"]}}, name="rollingrestart.r1"
    )

    assert set(causes(early)) == {"spec.clusterName"}
    assert stored["metadata"]["annotations"][Annotation.REQUESTED_BY] == "alice"
    assert stored["metadata"]["labels"]["missioncontrol.io/cluster-name"] == "demo"
    assert changed.status == 422


async def test_observations_are_written_by_the_operator_alone(site: Site, facade: Facade) -> None:
    body: Json = {
        "apiVersion": STORAGE,
        "kind": "Datacenter",
        "metadata": {"name": "demo.dc1"},
        "spec": {"clusterName": "demo", "name": "dc1", "dataPlane": "p", "size": 3, "racks": []},
    }
    spec: Json = body["spec"]
    spec["cluster"] = "demo"

    refused = await facade.write("POST", STORED_DATACENTERS, body)
    async with client_of(site, Component.MISSION_CONTROL_OPERATOR) as operator:
        written = await operator.create(STORED_DATACENTERS, body, namespace=facade.namespace)

    assert refused.status == 403
    assert written["metadata"]["name"] == "demo.dc1"


async def test_without_policies_nothing_passes_and_the_server_is_not_ready(
    site: Site, facade: Facade, planes: tuple[str, str]
) -> None:
    site.opa.stop()
    try:
        status = await facade.refused(STORED_CLUSTERS, a_stored(planes, name="dark"))
        eventually(lambda: not site.control.is_ready(), "the server is not ready", timeout=10)
    finally:
        site.opa.start()
    eventually(site.control.is_ready, "the server is ready again", timeout=10)

    assert status["code"] == 503
    assert "policy engine cannot be reached" in status["message"]
    await facade.create(STORED_CLUSTERS, a_stored(planes, name="light"))


async def test_it_fails_closed_for_our_group_and_touches_no_other(
    site: Site, facade: Facade, admin: Client, planes: tuple[str, str]
) -> None:
    site.control.stop()
    try:
        status = await facade.refused(STORED_CLUSTERS, a_stored(planes))
        await admin.create(CONFIG_MAPS, {"metadata": {"name": "unrelated"}}, namespace=facade.namespace)
    finally:
        site.control.start()

    assert status["code"] == 500
    assert "failed calling webhook" in status["message"]
