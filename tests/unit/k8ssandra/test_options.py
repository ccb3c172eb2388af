"""The options of a K8ssandraCluster that need more than a place in the CassandraDatacenter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.k8ssandra import metrics_agent, monitors, node_config
from controllers.k8ssandra.cluster import Cluster, system_replication
from controllers.k8ssandra.decide import decide
from controllers.k8ssandra.materials import Materials
from controllers.k8ssandra.render import cassandra_datacenter
from controllers.k8ssandra.tokens import Ring, initial_tokens, spread
from missioncontrol.api.names import Annotation, Label
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import NotFound
from missioncontrol.kube.views import ConfigMap, Meta, Object
from tests.unit.k8ssandra.builders import a_cluster, a_datacenter, a_live, a_pod, a_snapshot, a_spec
from tests.unit.k8ssandra.test_render import pruned

MURMUR = Ring(-(2**63), 2**64)
STORES = {
    "keystoreSecretRef": {"name": "keys", "key": "store.jks"},
    "truststoreSecretRef": {"name": "trust"},
    "keystorePasswordSecretRef": {"name": "words", "key": "of-keys"},
}
SECRETS = {
    "keys": {"store.jks": ""},
    "trust": {"truststore": "", "truststore-password": "t-pass"},
    "words": {"of-keys": "k-pass"},
}
ENCRYPTED = {
    "config": {
        "cassandraYaml": {
            "client_encryption_options": {"enabled": True, "optional": False},
            "server_encryption_options": {"internode_encryption": "all", "keystore": "/own/place"},
        }
    }
}


def rendered(cluster: Cluster, index: int = 0, **materials: Any) -> dict[str, Any]:
    return cassandra_datacenter(
        cluster,
        cluster.datacenters[index],
        replication=system_replication(cluster),
        existing_spec=None,
        materials=Materials(**materials),
    )


@pytest.fixture
def goldens() -> Path:
    folder = os.environ.get("GOLDENS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GOLDENS does not name the folder with recordings of the upstream operators")
    return Path(folder) / "k8ssandra"


def read(folder: Path, kind: str = "") -> list[dict[str, Any]]:
    found = [each for each in yaml.safe_load_all(folder.read_text()) if each]
    return [each for each in found if not kind or each["kind"] == kind]


@pytest.mark.parametrize(
    "case", ["11-seeds-external", "13-many-options", "15-single-token", "19-inject-secret"]
)
def test_clusters_are_rendered_as_upstream_renders_them(case: str, goldens: Path) -> None:
    given = read(goldens / case / "input.yaml")
    (body,) = (each for each in given if each["kind"] == "K8ssandraCluster")
    config_maps = {each["metadata"]["name"]: each["data"] for each in given if each["kind"] == "ConfigMap"}
    wanted = read(goldens / case / "cassandradatacenters.yaml")
    namespace = wanted[0]["metadata"]["labels"]["k8ssandra.io/cluster-namespace"]
    cluster = Cluster(Meta(name=body["metadata"]["name"], namespace=namespace), body["spec"])

    for index, theirs in enumerate(wanted):
        ours = rendered(cluster, index, config_maps=config_maps)
        spec = {**theirs["spec"]}
        # seeds that are names travel with the datacenter; upstream forgets them
        if "additionalSeeds" in ours["spec"]:
            spec["additionalSeeds"] = ours["spec"]["additionalSeeds"]
        for template in (ours["spec"]["podTemplateSpec"], spec["podTemplateSpec"]):
            annotations = template["metadata"].get("annotations", {})
            if Annotation.PER_NODE_CONFIG_HASH in annotations:
                annotations[Annotation.PER_NODE_CONFIG_HASH] = "some hash"
        assert pruned(ours["spec"]) == pruned(spec)
        assert ours["metadata"]["labels"] == theirs["metadata"]["labels"]
        assert set(ours["metadata"]["annotations"]) == set(theirs["metadata"]["annotations"])


def test_nodes_with_one_token_are_told_the_places_that_upstream_tells_them(goldens: Path) -> None:
    folder = goldens / "15-single-token"
    (body,) = read(folder / "input.yaml")
    wanted = {
        each["metadata"]["name"]: each
        for each in read(folder / "objects.yaml", "ConfigMap")
        if "per-node" in each["metadata"]["name"]
    }
    cluster = Cluster(Meta(name="ktok", namespace="kcase-15-single-token"), body["spec"])

    made = [node_config.render(cluster, each, {}) for each in cluster.datacenters]

    ours = {each["metadata"]["name"]: each for each in made if each}
    assert {name: each["data"] for name, each in ours.items()} == {
        name: each["data"] for name, each in wanted.items()
    }
    assert all(
        ours[name]["metadata"]["labels"] == each["metadata"]["labels"] for name, each in wanted.items()
    )


def test_the_metrics_endpoint_is_configured_as_upstream_does_it(goldens: Path) -> None:
    folder = goldens / "09-telemetry"
    (body,) = read(folder / "input.yaml")
    (wanted,) = (
        each
        for each in read(folder / "objects.yaml", "ConfigMap")
        if "metrics-agent" in each["metadata"]["name"]
    )
    cluster = Cluster(Meta(name="ktel", namespace="kcase-09-telemetry"), body["spec"])

    ours = metrics_agent.render(cluster, cluster.datacenters[0])

    assert yaml.safe_load(ours["data"][metrics_agent.KEY]) == yaml.safe_load(
        wanted["data"][metrics_agent.KEY]
    )


# --- tokens ---


@pytest.mark.parametrize("counts", [[1], [3], [4, 4], [3, 6, 9], [60, 2]])
def test_every_token_is_one_nodes_alone_and_inside_the_ring(counts: list[int]) -> None:
    found = [token for each in spread(counts, MURMUR) for token in each]

    assert len(set(found)) == sum(counts)
    assert all(MURMUR.first <= token < MURMUR.first + MURMUR.length for token in found)


def a_ring(size: int, *, tokens: Any = 4, **more: Any) -> Cluster:
    config = {"cassandraYaml": {"num_tokens": tokens, **more}}
    return a_cluster(a_spec(a_datacenter("dc1", size, racks=[{"name": "a"}, {"name": "b"}]), config=config))


def test_tokens_are_dealt_to_as_many_nodes_as_rows_have_copies() -> None:
    pods = initial_tokens(a_ring(5))["dc1"]

    assert list(pods) == ["demo-dc1-a-sts-0", "demo-dc1-b-sts-0", "demo-dc1-a-sts-1"]
    assert {len(each) for each in pods.values()} == {4}


@pytest.mark.parametrize(
    "cluster",
    [
        pytest.param(a_ring(3, tokens=16), id="many tokens"),
        pytest.param(a_cluster(), id="nothing said of tokens"),
        pytest.param(
            a_ring(3, partitioner="org.apache.cassandra.dht.ByteOrderedPartitioner"), id="another partitioner"
        ),
        pytest.param(a_ring(3, tokens="few"), id="no number"),
        pytest.param(
            a_cluster(
                a_spec(
                    a_datacenter("dc1", perNodeConfigMapRef={"name": "own"}),
                    config={"cassandraYaml": {"num_tokens": 1}},
                )
            ),
            id="the user's own configuration",
        ),
    ],
)
def test_nodes_choose_their_own_tokens(cluster: Cluster) -> None:
    assert initial_tokens(cluster) == {}


def test_a_datacenter_that_grows_restarts_nobody_and_moves_nobody() -> None:
    small, grown = a_ring(2, tokens=1), a_ring(3, tokens=1)
    before = node_config.render(small, small.datacenters[0], {})
    assert before is not None

    after = node_config.render(grown, grown.datacenters[0], before["data"])

    assert after is not None
    assert {key: after["data"][key] for key in before["data"]} == before["data"]
    assert len(after["data"]) == 3
    templates = [rendered(each)["spec"]["podTemplateSpec"] for each in (small, grown)]
    assert templates[0] == templates[1]


def test_a_new_node_never_gets_the_token_of_an_older_one() -> None:
    factor = {"allocate_tokens_for_local_replication_factor": 4}
    small, grown = a_ring(2, tokens=1, **factor), a_ring(4, tokens=1, **factor)
    before = node_config.render(small, small.datacenters[0], {})
    assert before is not None

    after = node_config.render(grown, grown.datacenters[0], before["data"])

    assert after is not None
    assert len(set(after["data"].values())) == len(after["data"])


# --- configuration for single nodes ---


def test_pods_are_replaced_when_the_users_configuration_of_single_nodes_changes() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1", perNodeConfigMapRef={"name": "own"})))

    hashes = {
        rendered(cluster, config_maps={"own": {"x_cassandra.yaml": text}})["spec"]["podTemplateSpec"][
            "metadata"
        ]["annotations"][Annotation.PER_NODE_CONFIG_HASH]
        for text in ("a: 1", "a: 2", "a: 2")
    }

    assert len(hashes) == 2


def test_a_config_map_that_is_not_there_is_waited_for() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1", perNodeConfigMapRef={"name": "own"})))

    plan = decide(a_snapshot(cluster))

    assert plan.create is None
    assert plan.waiting == (
        "datacenter dc1 waits: there is no ConfigMap own "
        "(perNodeConfigMapRef) in the namespace of the cluster"
    )


def test_the_image_of_the_init_container_can_be_chosen() -> None:
    spec = a_spec(
        a_datacenter("dc1", perNodeConfigMapRef={"name": "own"}), perNodeConfigInitContainerImage="r/c:1"
    )

    body = rendered(a_cluster(spec), config_maps={"own": {}})

    (container,) = (
        each
        for each in body["spec"]["podTemplateSpec"]["spec"]["initContainers"]
        if each["name"] == "per-node-config"
    )
    assert container["image"] == "r/c:1"


def test_what_was_told_once_is_not_written_again() -> None:
    cluster = a_ring(3)
    body = node_config.render(cluster, cluster.datacenters[0], {})
    agent = metrics_agent.render(cluster, cluster.datacenters[0])
    assert body is not None
    live = {
        each["metadata"]["name"]: ConfigMap(
            metadata=Meta(name=each["metadata"]["name"], labels=each["metadata"]["labels"]), data=each["data"]
        )
        for each in (body, agent)
    }

    assert decide(a_snapshot(cluster, config_maps=live)).config_maps == []


# --- encryption ---


def test_key_stores_are_mounted_and_named_where_encryption_is_on() -> None:
    cluster = a_cluster(a_spec(clientEncryptionStores=STORES, serverEncryptionStores=STORES, **ENCRYPTED))

    spec = rendered(cluster, secrets=SECRETS)["spec"]

    settings = spec["config"]["cassandra-yaml"]
    assert settings["client_encryption_options"] == {
        "enabled": True,
        "optional": False,
        "keystore": "/mnt/client-keystore/keystore",
        "truststore": "/mnt/client-truststore/truststore",
        "keystore_password": "k-pass",
        "truststore_password": "t-pass",
    }
    assert settings["server_encryption_options"]["keystore"] == "/own/place"
    assert settings["server_encryption_options"]["truststore"] == "/mnt/server-truststore/truststore"
    assert spec["config"]["cassandra-env-sh"]["additional-jvm-opts"] == [
        "-Dcassandra.allow_alter_rf_during_range_movement=true",
        "-Dcassandra.system_distributed_replication=dc1:1",
        "-Djavax.net.ssl.trustStorePassword=t-pass",
        "-Djavax.net.ssl.keyStorePassword=k-pass",
        "-Djavax.net.ssl.trustStore=/mnt/client-truststore/truststore",
        "-Djavax.net.ssl.keyStore=/mnt/client-keystore/keystore",
        "-Dcom.sun.management.jmxremote.ssl.need.client.auth=true",
        "-Dcom.sun.management.jmxremote.ssl=true",
    ]
    pod = spec["podTemplateSpec"]["spec"]
    assert pod["volumes"][0] == {
        "name": "client-keystore",
        "secret": {"secretName": "keys", "items": [{"key": "store.jks", "path": "keystore"}]},
    }
    (cassandra,) = pod["containers"]
    assert [each["mountPath"] for each in cassandra["volumeMounts"]] == [
        "/mnt/client-keystore",
        "/mnt/client-truststore",
        "/mnt/server-keystore",
        "/mnt/server-truststore",
    ]


def test_key_stores_without_encryption_are_not_mounted() -> None:
    cluster = a_cluster(a_spec(clientEncryptionStores=STORES, serverEncryptionStores=STORES))

    assert "volumes" not in rendered(cluster)["spec"]["podTemplateSpec"]["spec"]
    assert decide(a_snapshot(cluster)).create is not None


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        pytest.param({}, "there is no Secret keys of the client keystore", id="no Secret"),
        pytest.param(
            {**SECRETS, "words": {}},
            "the Secret words of the client keystore lacks the key of-keys",
            id="no key",
        ),
    ],
)
def test_a_store_that_is_not_there_is_waited_for(secrets: dict[str, Any], why: str) -> None:
    cluster = a_cluster(a_spec(clientEncryptionStores=STORES, **ENCRYPTED))

    plan = decide(a_snapshot(cluster, materials=Materials(secrets=secrets)))

    assert plan.create is None
    assert why in plan.waiting


# --- Secrets of others ---


def test_with_external_secrets_nothing_is_waited_for_and_no_superuser_is_named() -> None:
    spec = {**a_spec(clientEncryptionStores=STORES, **ENCRYPTED), "secretsProvider": "external"}
    plan = decide(a_snapshot(a_cluster(spec)))

    assert plan.create is not None
    body = plan.create["spec"]
    assert "superuserSecretName" not in body
    assert "volumes" not in body["podTemplateSpec"]["spec"]
    assert "keystore" not in body["config"]["cassandra-yaml"]["client_encryption_options"]
    assert (
        "-Dcom.sun.management.jmxremote.ssl=true" in body["config"]["cassandra-env-sh"]["additional-jvm-opts"]
    )


# --- names inside Cassandra, and datacenters outside of the cluster ---


def test_keyspaces_are_replicated_to_names_inside_cassandra() -> None:
    cluster = a_cluster(
        {**a_spec(a_datacenter("dc1", 2, datacenterName="Real_DC")), "externalDatacenters": ["old"]}
    )

    body = rendered(cluster)
    plan = decide(a_snapshot(cluster, a_live(cluster, "dc1"), pods=[a_pod("dc1", 0, "10.0.0.1")]))

    assert body["spec"]["datacenterName"] == "Real_DC"
    options = body["spec"]["config"]["cassandra-env-sh"]["additional-jvm-opts"]
    assert "-Dcassandra.system_distributed_replication=Real_DC:2,old:3" in options
    assert plan.keyspaces == {"Real_DC": 2, "old": 3}


def test_the_map_of_a_control_plane_speaks_of_names_inside_cassandra() -> None:
    spec = a_spec(a_datacenter("dc1", 2, datacenterName="One"), a_datacenter("dc2", 2, datacenterName="Two"))
    annotations = {Annotation.INITIAL_SYSTEM_REPLICATION: '{"One":2,"Two":2,"Far":3}'}
    cluster = a_cluster(spec, labels={Label.CONTROL_PLANE: "cp"}, annotations=annotations)

    plan = decide(a_snapshot(cluster, a_live(cluster, "dc1")))

    assert plan.keyspaces == {"One": 2, "Far": 3}


def test_users_are_those_of_the_datacenters_that_were_there_before() -> None:
    spec = {
        **a_spec(a_datacenter("dc1", metadata={"name": "dc1", "annotations": {"mine": "x"}})),
        "externalDatacenters": ["old"],
    }

    annotations = rendered(a_cluster(spec))["metadata"]["annotations"]

    assert annotations[Annotation.SKIP_USER_CREATION] == "true"
    assert annotations["mine"] == "x"


# --- telemetry ---


def test_the_older_collector_is_switched_on_with_its_filters() -> None:
    telemetry = {"mcac": {"enabled": True, "metricFilters": ["deny:a", "allow:b"]}}
    cluster = a_cluster(a_spec(telemetry=telemetry, mgmtAPIHeap="64Mi"))

    (cassandra,) = rendered(cluster)["spec"]["podTemplateSpec"]["spec"]["containers"]

    assert cassandra["env"] == [
        {"name": "METRIC_FILTERS", "value": "deny:a allow:b"},
        {"name": "MANAGEMENT_API_HEAP_SIZE", "value": "67108864"},
    ]


def test_the_service_monitor_is_the_one_that_upstream_makes(goldens: Path) -> None:
    folder = goldens / "09-telemetry"
    (body,) = read(folder / "input.yaml")
    (wanted,) = read(folder / "objects.yaml", "ServiceMonitor")
    cluster = Cluster(Meta(name="ktel", namespace="kcase-09-telemetry"), body["spec"])
    live = Object(metadata=Meta(name="dc1", uid="some-uid"))

    ours = monitors.render(cluster, cluster.datacenters[0], live)

    (owner,) = ours["metadata"]["ownerReferences"]
    del owner["uid"], ours["metadata"]["namespace"]
    ours["metadata"]["annotations"] = wanted["metadata"]["annotations"]
    for each in (ours, wanted):
        each["spec"]["selector"]["matchExpressions"].sort(key=lambda one: one["key"])
    assert ours == wanted


class Kinds(Client):
    """A server that has ServiceMonitors, or has not."""

    def __init__(self, *, installed: bool) -> None:
        self.installed = installed
        self.calls: list[str] = []
        self.body: dict[str, Any] | None = None

    def _absent(self, name: str) -> NotFound:
        said = f'servicemonitors "{name}" not found' if self.installed else "404 page not found"
        return NotFound(404, "NotFound", said)

    async def apply(self, resource: Any, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.calls.append("apply")
        if not self.installed:
            raise self._absent("")
        self.body = body
        return body

    async def get(self, resource: Any, name: str, **_: Any) -> dict[str, Any]:
        self.calls.append("get")
        if self.body is None:
            raise self._absent(name)
        return {**self.body, "metadata": {**self.body["metadata"], "uid": "u"}}

    async def delete(self, resource: Any, name: str, **_: Any) -> dict[str, Any]:
        self.calls.append("delete")
        self.body = None
        return {}


def monitored(*, enabled: bool) -> Cluster:
    return a_cluster(a_spec(telemetry={"prometheus": {"enabled": enabled}}))


async def test_a_monitor_is_written_once_and_removed_when_it_is_wanted_no_more() -> None:
    server = Kinds(installed=True)
    writer = monitors.ServiceMonitors(server, clock=lambda: 0.0)
    live = {"dc1": Object(metadata=Meta(name="dc1", uid="u"))}

    assert await writer.ensure(monitored(enabled=True), live) == ""
    assert await writer.ensure(monitored(enabled=True), live) == ""
    assert server.calls == ["apply"]
    assert await writer.ensure(monitored(enabled=False), live) == ""
    assert await writer.ensure(monitored(enabled=False), live) == ""
    assert server.calls == ["apply", "get", "delete"]
    assert server.body is None


async def test_a_kind_that_is_not_installed_is_asked_for_once_and_found_when_it_comes() -> None:
    server = Kinds(installed=False)
    writer = monitors.ServiceMonitors(server, clock=lambda: 0.0)
    live = {"dc1": Object(metadata=Meta(name="dc1", uid="u"))}

    for _ in range(2):
        assert await writer.ensure(monitored(enabled=False), live) == ""
    assert server.calls == ["get"]
    assert "install Prometheus' operator" in await writer.ensure(monitored(enabled=True), live)
    server.installed = True
    assert await writer.ensure(monitored(enabled=True), live) == ""
    assert await writer.ensure(monitored(enabled=False), live) == ""
    assert server.body is None
