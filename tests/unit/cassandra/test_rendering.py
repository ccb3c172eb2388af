"""Rendering, where the recorded objects do not say enough."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controllers.cassandra.render.affinity import rack_node_labels
from controllers.cassandra.render.budget import pod_disruption_budget
from controllers.cassandra.render.config import merge, to_go_json
from controllers.cassandra.render.endpoints import address_family, endpoint_slices
from controllers.cassandra.render.images import ImageConfig, tagged
from controllers.cassandra.render.pod import pod_template
from controllers.cassandra.render.secret import superuser_secret, watched_by
from controllers.cassandra.render.services import node_port_service, seed_service, services
from controllers.cassandra.render.statefulset import keep_immutable, statefulset
from missioncontrol.api.names import Annotation, split_racks
from tests.unit.cassandra.builders import datacenter

IMAGES = ImageConfig()


def template(**spec: Any) -> dict[str, Any]:
    dc = datacenter(**spec)
    return pod_template(dc, dc.plan[0], IMAGES)


def digest(replicas: int = 1, **spec: Any) -> str:
    dc = datacenter(**spec)
    body = statefulset(dc, dc.plan[0], IMAGES, replicas=replicas)
    return str(body["metadata"]["annotations"][Annotation.RESOURCE_HASH])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({"x": 8.0}, '{"x":8}'),
        ({"x": 8.5}, '{"x":8.5}'),
        ({"x": 402653184}, '{"x":402653184}'),
        ({"x": 1e-7}, '{"x":1e-7}'),
        ({"x": 1e21}, '{"x":1e+21}'),
        ({"x": "a<b>&c"}, '{"x":"a\\u003cb\\u003e\\u0026c"}'),
        ({"x": "ü"}, '{"x":"ü"}'),
        ({"x": True, "y": None}, '{"x":true,"y":null}'),
    ],
)
def test_json_is_written_as_go_writes_it(value: Any, text: str) -> None:
    assert to_go_json(value) == text


def test_values_that_meet_are_collected() -> None:
    assert merge({"a": {"p": 1}}, {"a": {"p": 2, "q": 3}}) == {"a": {"p": [1, 2], "q": 3}}
    assert merge({"a": [1]}, {"a": [2, 3]}) == {"a": [1, 2, 3]}


def test_the_hash_does_not_depend_on_the_number_of_nodes() -> None:
    assert digest(1) == digest(5) == digest(1, size=9)


def test_the_hash_changes_with_what_the_pods_are_made_from() -> None:
    different = [
        digest(),
        digest(serverVersion="5.0.5"),
        digest(config={"cassandra-yaml": {"num_tokens": 8}}),
        digest(additionalLabels={"a": "b"}),
        digest(tolerations=[{"key": "k"}]),
    ]
    assert len(set(different)) == len(different)


def test_labels_of_a_rack_do_not_reach_the_next_one() -> None:
    racks = [{"name": f"r{n}", "nodeAffinityLabels": {f"only-{n}": "x"}} for n in (1, 2)]
    dc = datacenter(size=2, racks=racks, nodeAffinityLabels={"all": "y"})
    found = [rack_node_labels(dc, rack) for rack in dc.racks]
    assert found == [{"all": "y", "only-1": "x"}, {"all": "y", "only-2": "x"}]


def test_a_probe_without_a_handler_keeps_the_default_one() -> None:
    container = {"name": "cassandra", "readinessProbe": {"initialDelaySeconds": 3}}
    found = template(podTemplateSpec={"spec": {"containers": [container]}})["spec"]["containers"][0]
    assert found["readinessProbe"]["httpGet"]["path"] == "/api/v0/probes/readiness"
    assert found["readinessProbe"]["initialDelaySeconds"] == 3


def test_only_given_node_ports_are_opened() -> None:
    service = node_port_service(datacenter(networking={"nodePort": {"native": 30042}}))
    assert [port["nodePort"] for port in service["spec"]["ports"]] == [30042]


def test_node_ports_without_a_number_open_nothing() -> None:
    made = services(datacenter(networking={"nodePort": {}}))
    assert not any(body["metadata"]["name"].endswith("node-port-service") for body in made)


def test_a_volume_with_the_name_of_the_old_keystores_is_mounted_where_these_were() -> None:
    volume = {"name": "encryption-cred-storage", "secret": {"secretName": "mine"}}
    found = template(podTemplateSpec={"spec": {"containers": [], "volumes": [volume]}})["spec"]
    assert found["volumes"][0] == volume
    mount = {"name": "encryption-cred-storage", "mountPath": "/etc/encryption/"}
    assert mount in found["containers"][0]["volumeMounts"]


def test_an_empty_rule_of_affinity_stays_as_the_user_wrote_it() -> None:
    found = template(podTemplateSpec={"spec": {"containers": [], "affinity": {"podAffinity": {}}}})
    assert found["spec"]["affinity"]["podAffinity"] == {}


def test_annotations_of_the_datacenter_stay_off_the_seed_service() -> None:
    service = seed_service(datacenter(meta={"annotations": {"touched": "now"}}))
    assert "touched" not in service["metadata"]["annotations"]


def test_a_users_label_cannot_hide_an_object_from_the_operator() -> None:
    found = template(additionalLabels={"cassandra.datastax.com/datacenter": "x", "team": "blue"})
    assert found["metadata"]["labels"]["cassandra.datastax.com/datacenter"] == "dc1"
    assert found["metadata"]["labels"]["team"] == "blue"


def test_another_management_port_is_used_everywhere() -> None:
    container = {"name": "cassandra", "ports": [{"name": "mgmt-api-http", "containerPort": 8888}]}
    found = template(podTemplateSpec={"spec": {"containers": [container]}})["spec"]["containers"][0]
    assert found["livenessProbe"]["httpGet"]["port"] == 8888
    assert {"name": "MGMT_API_LISTEN_TCP_PORT", "value": "8888"} in found["env"]
    assert "http://localhost:8888/api/v0/ops/node/drain" in found["lifecycle"]["preStop"]["exec"]["command"]


def test_an_update_keeps_what_cannot_change_and_the_mark_of_the_last_restart() -> None:
    dc = datacenter(serverVersion="5.0.5")
    live = statefulset(datacenter(), dc.plan[0], IMAGES, replicas=1)
    live["spec"]["template"]["metadata"]["annotations"] = {Annotation.RESTARTED_AT: "then"}
    merged = keep_immutable(statefulset(dc, dc.plan[0], IMAGES, replicas=1), live)
    assert merged["spec"]["volumeClaimTemplates"] == live["spec"]["volumeClaimTemplates"]
    assert merged["spec"]["template"]["metadata"]["annotations"][Annotation.RESTARTED_AT] == "then"
    assert merged["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"] == "5.0.5"


@pytest.mark.parametrize(
    ("spec", "available"),
    [
        pytest.param({"size": 6}, 5, id="one may be away"),
        pytest.param({"size": 6, "maxUnavailable": 2}, 4, id="as many as given"),
        pytest.param({"size": 6, "maxUnavailable": 9}, 4, id="at most a rack"),
        pytest.param({"size": 9, "maxUnavailable": "50%"}, 7, id="a part of a rack, rounded up"),
    ],
)
def test_the_disruption_budget(spec: dict[str, Any], available: int) -> None:
    assert pod_disruption_budget(datacenter(**spec))["spec"]["minAvailable"] == available


def test_seeds_are_sorted_into_families_and_named_once() -> None:
    slices = endpoint_slices(datacenter(additionalSeeds=["10.0.0.1", "host.example", "fd00::1", "10.0.0.1"]))
    found = {each["addressType"]: each["endpoints"][0]["addresses"] for each in slices}
    assert found == {"IPv4": ["10.0.0.1"], "IPv6": ["fd00::1"], "FQDN": ["host.example"]}
    assert address_family("999.1.1.1") == "FQDN"
    assert address_family("::ffff:10.0.0.1") == "IPv4"
    assert address_family("fe80::1%eth0") == "FQDN"


def test_an_image_by_digest() -> None:
    assert tagged("r/p", "sha256:ab") == "r/p@sha256:ab"
    assert tagged("r/p", "5.0.4@sha256:ab") == "r/p:5.0.4@sha256:ab"


def test_without_a_pull_policy_no_container_has_one() -> None:
    dc = datacenter()
    spec = pod_template(dc, dc.plan[0], ImageConfig(default_pull_policy=""))["spec"]
    assert not any("imagePullPolicy" in each for each in spec["containers"] + spec["initContainers"])


def test_a_secret_remembers_everybody_who_uses_it() -> None:
    dc = datacenter()
    assert watched_by('["ns/other"]', dc) == '["ns/other","ns/dc1"]'
    assert watched_by("not json", dc) == watched_by('["ns/dc1"]', dc) == '["ns/dc1"]'
    secret = superuser_secret(dc, password="p")
    assert secret["stringData"] == {"username": "demo-superuser", "password": "p"}
    assert "ownerReferences" not in secret["metadata"]


@given(st.integers(1, 60), st.integers(1, 12))
def test_the_shares_of_the_racks_are_even_and_complete(size: int, racks: int) -> None:
    plan = datacenter(size=size, racks=racks).plan
    assert [rack.nodes for rack in plan] == split_racks(size, racks)
    assert sum(rack.nodes for rack in plan) == size
    assert max(rack.nodes for rack in plan) - min(rack.nodes for rack in plan) <= 1
