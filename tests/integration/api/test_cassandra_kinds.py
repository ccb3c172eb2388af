"""What upstream's CRD of CassandraDatacenter takes, ours takes, and a real kube-apiserver stores it alike."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from tests.integration.api.conftest import Api

Document = dict[str, Any]


def datacenter(**spec: Any) -> Document:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    return {
        "apiVersion": CASSANDRA_DATACENTERS.api_version,
        "kind": CASSANDRA_DATACENTERS.kind,
        "metadata": {"name": "dc1"},
        "spec": {
            "clusterName": "demo",
            "serverType": "cassandra",
            "serverVersion": "5.0.4",
            "size": 3,
            "storageConfig": {"cassandraDataVolumeClaimSpec": claim},
            **spec,
        },
    }


def stored(api: Api, body: Document) -> Document:
    """The spec as the API server would store it; unknown fields are no error, as kubectl's default is."""
    query = {"dryRun": "All", "fieldValidation": "Warn"}
    path = CASSANDRA_DATACENTERS.path(api.namespace)
    found: Document = api.client.request("POST", path, body, query=query)["spec"]
    return found


ACCEPTED: list[Any] = [
    pytest.param({"config": None}, id="a configuration with nothing in it"),
    pytest.param({"config": {"cassandra-yaml": {"a": [1, {"b": None}]}}}, id="any configuration"),
    pytest.param({"later": {"than": "this release"}}, id="a field of the spec that nobody knows"),
    pytest.param({"maxUnavailable": "50%"}, id="a percentage"),
    pytest.param({"maxUnavailable": 2}, id="a number"),
    pytest.param({"serverVersion": "my-5.0.4-build"}, id="a version with something around it"),
    pytest.param({"resources": {"limits": {"cpu": 2}}}, id="a quantity that is a number"),
    pytest.param({"networking": {"nodePort": {"native": 30001, "internode": 30002}}}, id="node ports"),
    pytest.param({"racks": [{"name": "r1", "zone": "a"}, {"name": "r1"}]}, id="two racks of a name"),
]


@pytest.mark.parametrize("spec", ACCEPTED)
def test_what_is_accepted_is_stored_as_it_is(api: Api, spec: Document) -> None:
    found = stored(api, datacenter(**spec))
    assert {key: found.get(key) for key in spec} == spec


def test_ports_may_be_given_in_part_and_twice(api: Api) -> None:
    ports = [{"containerPort": 1}, {"containerPort": 1}]
    template = {"spec": {"containers": [{"name": "cassandra", "ports": ports}]}}
    [container] = stored(api, datacenter(podTemplateSpec=template))["podTemplateSpec"]["spec"]["containers"]
    assert container["ports"] == [{**port, "protocol": "TCP"} for port in ports]


def test_unknown_fields_are_kept_in_the_spec_and_pruned_below_it(api: Api) -> None:
    body = datacenter(
        unknown=1,
        podTemplateSpec={"spec": {"containers": [{"name": "cassandra", "imageTag": "x"}], "gone": True}},
        storageConfig={**datacenter()["spec"]["storageConfig"], "gone": True},
        managementApiAuth={"insecure": {"gone": True}},
    )
    found = stored(api, body)
    assert found["unknown"] == 1
    assert found["podTemplateSpec"] == {"spec": {"containers": [{"name": "cassandra"}]}}
    assert "gone" not in found["storageConfig"]
    assert found["managementApiAuth"] == {"insecure": {}}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"size": 0}, "spec.size"),
        ({"size": None}, "spec.size"),
        ({"serverType": "scylla"}, "spec.serverType"),
        ({"serverVersion": "5.0"}, "spec.serverVersion"),
        ({"clusterName": "c"}, "spec.clusterName"),
        ({"racks": [{"name": "r"}]}, "spec.racks[0].name"),
        ({"cdc": {"topicPrefix": "p"}}, "spec.cdc.pulsarServiceUrl"),
        ({"users": [{"secretName": "s"}]}, "spec.users[0].superuser"),
        ({"maxUnavailable": {"a": 1}}, "spec.maxUnavailable"),
        ({"resources": {"limits": {"cpu": "much"}}}, "spec.resources.limits.cpu"),
        ({"managementApiAuth": {"manual": {}}}, "spec.managementApiAuth.manual.clientSecretName"),
        (
            {"storageConfig": {"additionalVolumes": [{"name": "v"}]}},
            "spec.storageConfig.additionalVolumes[0].mountPath",
        ),
    ],
)
def test_what_is_refused_names_its_field(api: Api, spec: Document, field: str) -> None:
    assert field in api.refused(CASSANDRA_DATACENTERS, datacenter(**spec))
