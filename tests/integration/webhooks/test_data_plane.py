"""Upstream's kinds behind the webhooks of a data plane, on a real kube-apiserver."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from missioncontrol.api.names import Annotation, Component, Label
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    Resource,
)
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import Forbidden, Invalid
from tests.integration.webhooks.conftest import Json, Site, client_of
from tests.unit.validation.builders import GOOD_SPEC
from tests.unit.validation.test_cassandra_datacenter import BASE, recorded

OWNED = {Label.CONTROL_PLANE: "cp", Label.MC_CLUSTER_NAME: "demo", Label.MC_CLUSTER_NAMESPACE: "ns"}


def typed(resource: Resource, body: Json) -> Json:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def a_k8ssandra_cluster(**metadata: Any) -> Json:
    spec = copy.deepcopy(GOOD_SPEC)
    for datacenter in spec["cassandra"]["datacenters"]:
        del datacenter["k8sContext"]
    return typed(K8SSANDRA_CLUSTERS, {"metadata": {"name": "demo", **metadata}, "spec": spec})


@pytest.mark.parametrize(
    "case", [each for each in recorded() if not each.values[0] or each.values[0]["operation"] == "create"]
)
async def test_creations_get_upstreams_verdict(admin: Client, namespace: str, case: Json) -> None:
    body = typed(CASSANDRA_DATACENTERS, {"metadata": {"name": "dc1"}, "spec": case["input"]})

    if case["code"] == 201:
        await admin.create(CASSANDRA_DATACENTERS, body, namespace=namespace)
    else:
        with pytest.raises(Invalid) as refused:
            await admin.create(CASSANDRA_DATACENTERS, body, namespace=namespace)
        assert refused.value.causes


async def test_a_change_that_upstream_forbids_is_refused_with_its_path(admin: Client, namespace: str) -> None:
    await admin.create(CASSANDRA_DATACENTERS, typed(CASSANDRA_DATACENTERS, BASE), namespace=namespace)
    patch = {"spec": {"clusterName": "other", "racks": [{"name": "r1"}]}}

    with pytest.raises(Invalid) as refused:
        await admin.merge_patch(CASSANDRA_DATACENTERS, "dc1", patch, namespace=namespace)

    assert {each["field"] for each in refused.value.causes} == {"spec.clusterName", "spec.racks"}


async def test_another_context_is_refused(admin: Client, namespace: str) -> None:
    body = a_k8ssandra_cluster()
    body["spec"]["cassandra"]["datacenters"][0]["k8sContext"] = "east"

    with pytest.raises(Invalid) as refused:
        await admin.create(K8SSANDRA_CLUSTERS, body, namespace=namespace)

    assert refused.value.causes[0]["field"] == "spec.cassandra.datacenters[0].k8sContext"


async def test_what_a_control_plane_owns_is_changed_through_it_alone(
    site: Site, admin: Client, namespace: str
) -> None:
    body = a_k8ssandra_cluster(labels=OWNED)
    with pytest.raises(Forbidden, match="change it there"):
        await admin.create(K8SSANDRA_CLUSTERS, body, namespace=namespace)
    async with client_of(site, Component.MISSION_CONTROL_OPERATOR) as operator:
        await operator.create(K8SSANDRA_CLUSTERS, body, namespace=namespace)
    growth = {"spec": {"cassandra": {"additionalSeeds": ["10.0.0.1"]}}}

    with pytest.raises(Forbidden, match="MissionControlCluster ns/demo"):
        await admin.merge_patch(K8SSANDRA_CLUSTERS, "demo", growth, namespace=namespace)
    with pytest.raises(Forbidden):
        await admin.delete(K8SSANDRA_CLUSTERS, "demo", namespace=namespace)
    glass = {
        "metadata": {"annotations": {Annotation.BREAK_GLASS: "cut off from the control plane"}},
        **growth,
    }
    await admin.merge_patch(K8SSANDRA_CLUSTERS, "demo", glass, namespace=namespace)


async def test_who_asked_for_a_task_is_recorded(admin: Client, namespace: str) -> None:
    body = {
        "apiVersion": K8SSANDRA_TASKS.api_version,
        "kind": K8SSANDRA_TASKS.kind,
        "metadata": {"name": "t"},
        "spec": {"cluster": {"name": "demo"}, "template": {"jobs": [{"name": "j", "command": "restart"}]}},
    }

    stored = await admin.create(K8SSANDRA_TASKS, body, namespace=namespace)

    assert stored["metadata"]["annotations"][Annotation.REQUESTED_BY] == "kubernetes-admin"
