"""Fields that need more than rendering, and the move from upstream's operator to ours."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from missioncontrol.api.names import Annotation, Label
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
)
from tests.cassandra_goldens import datacenter_of, golden_documents, rendered_objects
from tests.integration.cassandra.conftest import Operator, OperatorProcess, Plane, datacenter_spec
from tests.waiting import eventually

Json = dict[str, Any]
RESOURCES = {each.kind: each for each in (SERVICES, ENDPOINT_SLICES, POD_DISRUPTION_BUDGETS, STATEFUL_SETS)}
ONE_NODE: Json = {"size": 1, "racks": [{"name": "rack1"}]}


def make_secret(plane: Plane, name: str, **data: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
    plane.admin.request("POST", SECRETS.path(plane.namespace), body)


def config_of(plane: Plane) -> Json:
    secret = plane.get(SECRETS, "demo-dc1-config")
    found: Json = orjson.loads(base64.b64decode(secret["data"]["config"]))
    return found


def test_configuration_from_a_secret_reaches_the_nodes(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter(configSecret="mine", **ONE_NODE)
    eventually(
        lambda: any("Secret mine does not exist" in each["note"] for each in plane.events()),
        "the missing Secret is named",
    )
    make_secret(plane, "mine", config=json.dumps({"cassandra-yaml": {"num_tokens": 8}}))
    plane.wait_settled()
    assert config_of(plane)["cassandra-yaml"] == {"num_tokens": 8}
    [pod] = plane.pods().values()
    used = plane.get(SECRETS, "mine")["metadata"]
    assert used["annotations"]["cassandra.datastax.com/datacenter"] == "dc1"

    plane.patch(SECRETS, "mine", {"stringData": {"config": '{"cassandra-yaml":{"num_tokens":16}}'}})

    def replaced() -> bool:
        return [each["metadata"]["uid"] for each in plane.pods().values()] != [pod["metadata"]["uid"]]

    eventually(replaced, "the pod has the new configuration")
    plane.wait_settled()
    assert config_of(plane)["cassandra-yaml"] == {"num_tokens": 16}
    digest = plane.get(CASSANDRA_DATACENTERS, "dc1")["metadata"]["annotations"][Annotation.CONFIG_HASH]
    [pod] = plane.pods().values()
    [init] = [each for each in pod["spec"]["initContainers"] if each["name"] == "server-config-init"]
    assert {"name": "CONFIG_HASH", "value": digest} in init["env"]


def test_a_users_secret_is_watched_as_long_as_the_spec_names_it(
    operator: OperatorProcess, plane: Plane
) -> None:
    make_secret(plane, "reader", username="reader", password="well kept")
    plane.create_datacenter(users=[{"secretName": "reader", "superuser": False}], **ONE_NODE)
    plane.wait_settled()
    metadata = plane.get(SECRETS, "reader")["metadata"]
    assert metadata["labels"] == {Label.WATCHED: "true"}
    assert json.loads(metadata["annotations"][Annotation.WATCHED_BY]) == [f"{plane.namespace}/dc1"]

    plane.patch_datacenter({"spec": {"users": None}})

    def forgotten() -> bool:
        metadata = plane.get(SECRETS, "reader")["metadata"]
        return not metadata.get("labels") and not metadata.get("annotations")

    eventually(forgotten, "the Secret is not watched any more")
    assert plane.get(SECRETS, "demo-superuser")["metadata"]["labels"][Label.WATCHED] == "true"


def test_the_key_store_of_older_operators_is_made_and_comes_back(
    operator: OperatorProcess, plane: Plane
) -> None:
    stores = {"server_encryption_options": {"keystore": "/etc/encryption/node-keystore.jks"}}
    plane.create_datacenter(config={"cassandra-yaml": stores}, **ONE_NODE)
    plane.wait_settled()
    authority, made = plane.get(SECRETS, "dc1-ca-keystore"), plane.get(SECRETS, "dc1-keystore")
    assert set(authority["data"]) == {"cert", "key"}
    assert set(made["data"]) == {"node-keystore.jks"}
    assert authority["metadata"]["labels"]["cassandra.datastax.com/datacenter"] == "dc1"
    [pod] = plane.pods().values()
    volume = {"name": "encryption-cred-storage", "secret": {"secretName": "dc1-keystore", "defaultMode": 420}}
    assert volume in pod["spec"]["volumes"]

    plane.delete(SECRETS, "dc1-keystore")
    eventually(lambda: plane.find(SECRETS, "dc1-keystore"), "another one is made")
    assert plane.get(SECRETS, "dc1-ca-keystore")["data"] == authority["data"]


def test_a_canary_and_query_logging(operator: OperatorProcess, plane: Plane) -> None:
    plane.create_datacenter()
    plane.wait_settled()
    before = {name: each["metadata"]["uid"] for name, each in plane.pods().items()}
    options = {"cassandra-yaml": {"full_query_logging_options": {"log_dir": "/var/log/cassandra/fql"}}}
    plane.patch_datacenter({"spec": {"canaryUpgrade": True, "canaryUpgradeCount": 1, "config": options}})
    plane.wait_settled()
    after = {name: each["metadata"]["uid"] for name, each in plane.pods().items()}
    assert {name for name in before if before[name] != after[name]} == {"demo-dc1-rack1-sts-0"}

    plane.patch_datacenter({"spec": {"canaryUpgrade": False}})
    plane.wait_settled()
    last = {name: each["metadata"]["uid"] for name, each in plane.pods().items()}
    assert {name for name in after if after[name] != last[name]} == {
        "demo-dc1-rack2-sts-0",
        "demo-dc1-rack3-sts-0",
    }
    switched = [each for each in plane.calls("fullquerylogging") if each["method"] == "POST"]
    assert {each["pod"] for each in switched} == set(last)


def test_a_port_under_a_second_name_is_stored_and_goes_away_again(
    operator: OperatorProcess, plane: Plane
) -> None:
    second = {"name": "cql", "containerPort": 9042, "protocol": "TCP"}
    template = {"spec": {"containers": [{"name": "cassandra", "ports": [second]}]}}
    plane.create_datacenter(stopped=True, podTemplateSpec=template, **ONE_NODE)

    def names() -> set[str]:
        found = plane.find(STATEFUL_SETS, "demo-dc1-rack1-sts") or {"spec": {"template": {"spec": {}}}}
        containers = found["spec"]["template"]["spec"].get("containers", [])
        ports = [port for each in containers if each["name"] == "cassandra" for port in each["ports"]]
        return {port["name"] for port in ports if port["containerPort"] == 9042}

    eventually(lambda: names() == {"cql", "native"}, "the port has both names")
    plane.patch_datacenter({"spec": {"minReadySeconds": 6}})
    eventually(
        lambda: plane.get(STATEFUL_SETS, "demo-dc1-rack1-sts")["spec"]["minReadySeconds"] == 6,
        "another change is stored",
    )
    assert names() == {"cql", "native"}
    plane.patch_datacenter({"spec": {"podTemplateSpec": None}})
    eventually(lambda: names() == {"native"}, "the second name is gone")


IMAGES = """\
apiVersion: config.k8ssandra.io/v1beta2
kind: ImageConfig
types:
  cassandra: {registry: mirror.example.com, repository: db, name: cassandra, suffix: -own, pullSecret: mirror}
"""


@pytest.fixture
def image_configs(plane: Plane) -> Iterator[None]:
    """One that counts, and one that somebody made in a namespace of their own."""
    made = (("mission-control", IMAGES), (plane.namespace, IMAGES.replace("mirror.", "evil.")))
    for namespace, text in made:
        metadata = {"name": "images", "labels": {"k8ssandra.io/config": "image"}}
        body = {"kind": "ConfigMap", "metadata": metadata, "data": {"image_config.yaml": text}}
        plane.admin.request("POST", CONFIG_MAPS.path(namespace), body)
    yield
    plane.admin.request("DELETE", CONFIG_MAPS.path("mission-control", "images"))


def test_images_come_from_the_image_config_of_the_system_namespace(
    operator: OperatorProcess, image_configs: None, plane: Plane
) -> None:
    image = "mirror.example.com/db/cassandra:5.0.4-own"

    def made() -> Json | None:
        # the operator may not have seen the ConfigMap when the first one is made
        plane.create_datacenter(**ONE_NODE)
        eventually(lambda: plane.statefulsets(), "the StatefulSet is made")
        [body] = plane.statefulsets().values()
        spec: Json = body["spec"]["template"]["spec"]
        if spec["containers"][0]["image"] == image:
            return spec
        plane.delete(CASSANDRA_DATACENTERS, "dc1")
        eventually(lambda: not plane.statefulsets(), "the first one is gone")
        return None

    spec = eventually(made, "the image of the configuration is used")
    assert spec["imagePullSecrets"] == [{"name": "mirror"}]


def left_by_upstream(plane: Plane, bodies: list[Json]) -> dict[tuple[str, str], Json]:
    """Objects as upstream's operator writes them: whole, as the manager called "manager"."""
    made = {}
    for body in bodies:
        path = RESOURCES[body["kind"]].path(plane.namespace)
        metadata = {**body["metadata"], "namespace": plane.namespace}
        found = plane.admin.request(
            "POST", path, {**body, "metadata": metadata}, query={"fieldManager": "manager"}
        )
        made[body["kind"], found["metadata"]["name"]] = found
    return made


def upstream_objects(plane: Plane, datacenter: Json) -> list[Json]:
    """What upstream would have made for the datacenter, with hashes of its own."""
    golden = os.environ.get("GOLDENS")
    uid = datacenter["metadata"]["uid"]
    if golden:
        bodies = [
            each for each in golden_documents("01-minimal", "objects.yaml") if each["kind"] in RESOURCES
        ]
    else:
        bodies = rendered_objects(datacenter_of(datacenter))
        for body in bodies:
            body["metadata"]["annotations"][Annotation.RESOURCE_HASH] = f"upstream {body['metadata']['name']}"
    for body in bodies:
        # as it copies annotations of the datacenter to the seed Service, which we do not
        body["metadata"]["annotations"]["upstream"] = "left this"
        for owner in body["metadata"].get("ownerReferences") or ():
            owner["uid"] = uid
    return bodies


@pytest.fixture
def adopted(operator_process: Operator, plane: Plane) -> dict[tuple[str, str], Json]:
    """A datacenter that upstream's operator ran, and then ours."""
    operator_process.stop()
    if os.environ.get("GOLDENS"):
        [document] = [
            each
            for each in golden_documents("01-minimal", "input.yaml")
            if each["kind"] == "CassandraDatacenter"
        ]
        for each in golden_documents("01-minimal", "input.yaml"):
            if each["kind"] == "Secret":
                plane.admin.request("POST", SECRETS.path(plane.namespace), each)
    else:
        document = {
            "apiVersion": CASSANDRA_DATACENTERS.api_version,
            "kind": CASSANDRA_DATACENTERS.kind,
            "metadata": {"name": "dc1"},
            "spec": {**datacenter_spec("demo"), **ONE_NODE},
        }
    document = {**document, "metadata": {**document["metadata"], "namespace": plane.namespace}}
    datacenter = plane.admin.request("POST", CASSANDRA_DATACENTERS.path(plane.namespace), document)
    made = left_by_upstream(plane, upstream_objects(plane, datacenter))
    wanted = sum(each["spec"]["replicas"] for (kind, _), each in made.items() if kind == "StatefulSet")
    eventually(lambda: len(plane.list(PODS)) == wanted, "the StatefulSet controller made the pods")
    operator_process.start()
    return made


def test_upstreams_objects_are_taken_over_and_no_pod_is_restarted(
    plane: Plane, adopted: dict[tuple[str, str], Json]
) -> None:
    pods = {name: each["metadata"]["uid"] for name, each in plane.pods().items()}
    plane.wait_settled(adopted_name(plane))
    assert {name: each["metadata"]["uid"] for name, each in plane.pods().items()} == pods
    for (kind, name), before in adopted.items():
        after = plane.get(RESOURCES[kind], name)
        assert after.get("spec") == before.get("spec"), (kind, name)
        assert after["metadata"].get("labels") == before["metadata"].get("labels"), (kind, name)
        notes = after["metadata"]["annotations"]
        added = {key for key in notes if notes[key] != before["metadata"]["annotations"].get(key)}
        assert added == {Annotation.ADOPTED_HASH}, (kind, name)
        theirs = before["metadata"]["annotations"][Annotation.RESOURCE_HASH]
        assert notes[Annotation.RESOURCE_HASH] == theirs
        assert notes[Annotation.ADOPTED_HASH] not in ("", theirs)
        writers = {
            each["manager"] for each in after["metadata"]["managedFields"] if not each.get("subresource")
        }
        assert writers == {"cass-operator"}, (kind, name)
    found = plane.get(CASSANDRA_DATACENTERS, adopted_name(plane))
    conditions = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    assert conditions["RequiresUpdate"] == "False"
    # what is removed from the spec later goes from the objects, since nobody else owns it any more
    plane.patch_datacenter({"spec": {"additionalAnnotations": {"who": "ours"}}}, adopted_name(plane))
    plane.wait_settled(adopted_name(plane))
    for (kind, name), before in adopted.items():
        notes = plane.get(RESOURCES[kind], name)["metadata"]["annotations"]
        assert notes["who"] == "ours"
        assert "upstream" not in notes
        assert Annotation.ADOPTED_HASH not in notes
        assert notes[Annotation.RESOURCE_HASH] != before["metadata"]["annotations"][Annotation.RESOURCE_HASH]


def adopted_name(plane: Plane) -> str:
    [only] = plane.list(CASSANDRA_DATACENTERS)
    name: str = only["metadata"]["name"]
    return name
