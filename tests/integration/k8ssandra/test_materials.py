"""What users write beside a K8ssandraCluster is waited for, watched, and part of what is made."""

from __future__ import annotations

import base64
from typing import Any

from missioncontrol.api.names import Annotation, Condition
from missioncontrol.api.resources import CASSANDRA_DATACENTERS, CONFIG_MAPS, K8SSANDRA_CLUSTERS, SECRETS
from tests.integration.k8ssandra.conftest import Json, Stage
from tests.unit.k8ssandra.builders import a_datacenter, a_spec


def condition(status: Json, kind: str) -> Json:
    return next((each for each in status.get("conditions", []) if each["type"] == kind), {})


def node_hash(datacenter: Json) -> str:
    metadata = datacenter["spec"]["podTemplateSpec"]["metadata"]
    return str(metadata["annotations"][Annotation.PER_NODE_CONFIG_HASH])


async def test_a_config_map_and_secrets_are_waited_for_and_their_changes_are_seen(stage: Stage) -> None:
    options = {"enabled": True}
    stores = {"keystoreSecretRef": {"name": "stores"}, "truststoreSecretRef": {"name": "stores"}}
    spec = a_spec(
        a_datacenter("dc1", perNodeConfigMapRef={"name": "nodes"}),
        clientEncryptionStores=stores,
        config={"cassandraYaml": {"client_encryption_options": options}},
    )
    await stage.create(K8SSANDRA_CLUSTERS, {"metadata": {"name": "demo"}, "spec": spec})

    async def waits_for(what: str) -> None:
        await stage.until_status(
            "demo", lambda status: what in condition(status, Condition.READY).get("message", ""), what
        )

    await waits_for("there is no ConfigMap nodes (perNodeConfigMapRef)")
    await stage.create(CONFIG_MAPS, {"metadata": {"name": "nodes"}, "data": {"x_cassandra.yaml": "a: 1"}})
    await waits_for("there is no Secret stores of the client keystore")
    data = dict.fromkeys(("keystore", "truststore", "truststore-password"), "anything")
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    await stage.create(SECRETS, {"metadata": {"name": "stores"}, "data": encoded})
    await waits_for("lacks the key keystore-password")
    word = {"data": {"keystore-password": base64.b64encode(b"secret").decode()}}
    await stage.patch(SECRETS, "stores", word)
    made = await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")

    yaml = made["spec"]["config"]["cassandra-yaml"]
    assert yaml["client_encryption_options"]["keystore_password"] == "secret"
    first = node_hash(made)

    await stage.make_ready("dc1")
    await waits_for("all datacenters are ready")
    await stage.patch(CONFIG_MAPS, "nodes", {"data": {"x_cassandra.yaml": "a: 2"}})
    # a change beside the spec waits for one of the spec, or for leave
    await stage.until_status(
        "demo",
        lambda status: condition(status, Condition.REQUIRES_UPDATE).get("status") == "True",
        "the datacenter would be changed",
    )
    leave = {"metadata": {"annotations": {Annotation.K8SSANDRA_AUTOUPDATE_SPEC: "always"}}}
    await stage.patch(K8SSANDRA_CLUSTERS, "demo", leave)

    async def changed() -> bool:
        return node_hash(await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")) != first

    await stage.until(changed, "the datacenter has the new configuration of single nodes")


async def test_first_nodes_with_few_tokens_are_told_theirs(stage: Stage) -> None:
    spec = a_spec(
        a_datacenter("dc1", 3, racks=[{"name": name} for name in ("r1", "r2", "r3")]),
        config={"cassandraYaml": {"num_tokens": 1}},
    )
    await stage.create(K8SSANDRA_CLUSTERS, {"metadata": {"name": "demo"}, "spec": spec})

    told = await stage.until_exists(CONFIG_MAPS, "demo-dc1-per-node-config")

    assert told["data"] == {
        "demo-dc1-r1-sts-0_cassandra.yaml": "\ninitial_token: -9223372036854775808",
        "demo-dc1-r2-sts-0_cassandra.yaml": "\ninitial_token: -3074457345618258603",
        "demo-dc1-r3-sts-0_cassandra.yaml": "\ninitial_token: 3074457345618258602",
    }


async def test_prometheus_that_is_not_installed_is_told_of(stage: Stage) -> None:
    spec = a_spec(a_datacenter("dc1"), telemetry={"prometheus": {"enabled": True}})
    await stage.create(K8SSANDRA_CLUSTERS, {"metadata": {"name": "demo"}, "spec": spec})
    await stage.make_ready("dc1")

    await stage.until_status(
        "demo",
        lambda status: (
            "install Prometheus' operator" in condition(status, Condition.READY).get("message", "")
        ),
        "the missing kind is told of",
    )


async def test_the_configuration_of_agents_goes_when_no_pod_mounts_it_any_more(stage: Stage) -> None:
    telemetry = {"vector": {"enabled": True, "config": "data_dir ="}}
    body = {"metadata": {"name": "demo"}, "spec": a_spec(a_datacenter("dc1", 1), telemetry=telemetry)}
    await stage.create(K8SSANDRA_CLUSTERS, body)
    status = await stage.until_status("demo", lambda found: found.get("error", "None") != "None", "refused")
    assert "makes a configuration that is no TOML" in status["error"]

    def switch(vector: Json) -> Any:
        patch = {"spec": {"cassandra": {"telemetry": {"vector": vector}}}}
        return stage.patch(K8SSANDRA_CLUSTERS, "demo", patch)

    await switch({"config": None})
    made = await stage.until_exists(CONFIG_MAPS, "demo-dc1-cass-vector")
    assert "[sinks.console_log]" in made["data"]["vector.toml"]
    await stage.make_ready("dc1")
    await switch({"enabled": False})

    async def rendered_without() -> bool:
        found = await stage.until_exists(CASSANDRA_DATACENTERS, "dc1")
        return "systemLoggerResources" not in found["spec"]

    await stage.until(rendered_without, "the datacenter is changed")
    # its pods are not yet
    assert await stage.find(CONFIG_MAPS, "demo-dc1-cass-vector")
    await stage.make_ready("dc1")
    await stage.until_gone(CONFIG_MAPS, "demo-dc1-cass-vector")
