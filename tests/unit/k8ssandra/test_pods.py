"""The pods of a cluster: what the cluster gives, what a datacenter gives, and what is added."""

from __future__ import annotations

from typing import Any

from controllers.k8ssandra.cluster import system_replication
from controllers.k8ssandra.render import cassandra_datacenter
from tests.unit.k8ssandra.builders import a_cluster, a_datacenter, a_spec

Json = dict[str, Any]
LIMITS = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}


def spec_of(datacenter: Json, **cluster: Any) -> Json:
    made = a_cluster(a_spec(a_datacenter("dc1", **datacenter), **cluster))
    body = cassandra_datacenter(
        made, made.datacenters[0], replication=system_replication(made), existing_spec=None
    )
    spec: Json = body["spec"]
    return spec


def test_containers_merge_by_name_and_the_cassandra_container_is_always_there() -> None:
    spec = spec_of(
        {
            "containers": [
                {"name": "cassandra", "env": [{"name": "A", "value": "dc"}]},
                {"name": "side", "image": "s"},
            ]
        },
        containers=[
            {"name": "cassandra", "env": [{"name": "A", "value": "c"}, {"name": "B", "value": "c"}]},
        ],
        mgmtAPIHeap="64Mi",
    )
    cassandra, side = spec["podTemplateSpec"]["spec"]["containers"]
    assert cassandra["env"] == [
        {"name": "A", "value": "dc"},
        {"name": "B", "value": "c"},
        {"name": "MANAGEMENT_API_HEAP_SIZE", "value": "67108864"},
        {"name": "MGMT_API_DISABLE_MCAC", "value": "true"},
    ]
    assert side == {"name": "side", "image": "s"}
    alone = spec_of({"containers": [{"name": "side", "image": "s"}]})
    assert [each["name"] for each in alone["podTemplateSpec"]["spec"]["containers"]] == ["side", "cassandra"]


def test_a_variable_or_volume_has_one_source() -> None:
    secret = {"secretKeyRef": {"name": "s", "key": "k"}}
    spec = spec_of(
        {
            "containers": [{"name": "cassandra", "env": [{"name": "A", "valueFrom": secret}]}],
            "extraVolumes": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]},
        },
        containers=[{"name": "cassandra", "env": [{"name": "A", "value": "c"}]}],
        extraVolumes={"volumes": [{"name": "v", "emptyDir": {}}]},
    )
    template = spec["podTemplateSpec"]["spec"]
    assert template["containers"][0]["env"][0] == {"name": "A", "valueFrom": secret}
    assert template["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


def test_what_the_operator_of_the_datacenter_has_fields_for_goes_there() -> None:
    spec = spec_of(
        {
            "containers": [{"name": "server-system-logger", "resources": LIMITS}],
            "initContainers": [{"name": "server-config-init", "resources": LIMITS}],
            "extraVolumes": {"pvcs": [{"name": "p", "mountPath": "/p", "pvcSpec": {}}]},
            "networking": {"hostNetwork": True},
            "softPodAntiAffinity": True,
            "readOnlyRootFilesystem": False,
            "serviceAccount": "me",
            "podPriorityClassName": "high",
            "podSecurityContext": {"fsGroup": 5},
            "cdc": {"pulsarServiceUrl": "p"},
        }
    )
    assert spec["systemLoggerResources"] == spec["configBuilderResources"] == LIMITS
    assert spec["storageConfig"]["additionalVolumes"][0]["name"] == "p"
    assert spec["networking"] == {"hostNetwork": True}
    assert spec["allowMultipleNodesPerWorker"] is True
    assert spec["readOnlyRootFilesystem"] is False
    assert spec["serviceAccountName"] == "me"
    assert spec["cdc"] == {"pulsarServiceUrl": "p"}
    template = spec["podTemplateSpec"]["spec"]
    assert template["priorityClassName"] == "high"
    assert template["securityContext"] == {"fsGroup": 5}
    assert [each["name"] for each in template["initContainers"]] == ["server-config-init"]


def test_a_switch_that_the_datacenter_turns_off_is_off() -> None:
    spec = spec_of({"softPodAntiAffinity": False}, softPodAntiAffinity=True)
    assert "allowMultipleNodesPerWorker" not in spec


def test_dse_yaml_of_the_user_is_completed() -> None:
    given = {"authentication_options": {"default_scheme": "ldap"}, "x": 1}
    spec = spec_of(
        {"config": {"dseYaml": given}, "serverVersion": "6.8.17"}, serverType="dse", serverVersion="6.8.17"
    )
    assert spec["config"]["dse-yaml"] == {
        "authentication_options": {"default_scheme": "ldap", "enabled": "true"},
        "authorization_options": {"enabled": "true"},
        "role_management_options": {"mode": "internal"},
        "x": 1,
    }
