"""Vector's configuration, and where it is seen."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.k8ssandra import render, vector
from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.vector import Component, Pipeline, reaching_a_sink
from missioncontrol.kube.views import Meta
from tests.unit.k8ssandra.builders import a_cluster, a_datacenter, a_spec


def a_pipeline(**given: list[tuple[str, ...]]) -> Pipeline:
    def components(kind: str) -> tuple[Component, ...]:
        return tuple(Component(name, "t", inputs=tuple(inputs)) for name, *inputs in given.get(kind, ()))

    return Pipeline(components("sources"), components("transforms"), components("sinks"))


def names(pipeline: Pipeline) -> tuple[list[str], list[str], list[str]]:
    parts = pipeline.sources, pipeline.transforms, pipeline.sinks
    first, second, third = ([each.name for each in part] for part in parts)
    return first, second, third


@pytest.mark.parametrize(
    ("says", "given", "left"),
    [
        (
            "what a sink reads stays",
            {"sources": [("a",), ("b",)], "sinks": [("out", "a")]},
            (["a"], [], ["out"]),
        ),
        (
            "so does what it reads through several transformations",
            {
                "sources": [("a",)],
                "transforms": [("t2", "t1"), ("t1", "a"), ("alone", "a")],
                "sinks": [("out", "t2")],
            },
            (["a"], ["t2", "t1"], ["out"]),
        ),
        (
            "of two with one name the first counts, with its inputs",
            {
                "sources": [("mine",), ("usual",)],
                "transforms": [("t", "mine"), ("t", "usual")],
                "sinks": [("out", "t"), ("out", "usual")],
            },
            (["mine"], ["t"], ["out"]),
        ),
        (
            "two that read each other lead nowhere",
            {"sources": [("a",)], "transforms": [("x", "y", "a"), ("y", "x")], "sinks": [("out", "b")]},
            ([], [], ["out"]),
        ),
    ],
)
def test_what_leads_to_no_sink_is_left_out(
    says: str, given: dict[str, Any], left: tuple[list[str], ...]
) -> None:
    assert names(reaching_a_sink(a_pipeline(**given))) == left, says


def a_cluster_with(**given: Any) -> Cluster:
    return a_cluster(a_spec(telemetry={"vector": {"enabled": True}, **given}))


def configuration(cluster: Cluster) -> dict[str, Any]:
    body = vector.render(cluster, cluster.datacenters[0])
    assert body is not None
    return tomllib.loads(body["data"][vector.KEY])


READS_ALL = {
    "sinks": [{"name": "all", "type": "blackhole", "inputs": ["parse_cassandra_log", "cassandra_metrics"]}]
}


def test_metrics_are_read_where_the_nodes_serve_them() -> None:
    def endpoint(**given: Any) -> dict[str, Any]:
        wanted = {"enabled": True, "components": READS_ALL}
        found = configuration(a_cluster_with(**{"vector": wanted, **given}))
        source: dict[str, Any] = found["sources"]["cassandra_metrics_raw"]
        return source

    assert endpoint()["endpoints"] == ["http://localhost:9000/metrics"]
    assert endpoint()["scrape_interval_secs"] == 30
    assert endpoint(mcac={"enabled": True})["endpoints"] == ["http://localhost:9103"]
    slow = {"enabled": True, "components": READS_ALL, "scrapeInterval": "1m30s"}
    assert endpoint(vector=slow)["scrape_interval_secs"] == 90
    tls = {"address": "::1", "port": "9443", "tls": {"ca.crt": "/tls/ca.crt"}}
    secure = endpoint(cassandra={"endpoint": tls})
    assert secure["endpoints"] == ["https://::1:9443/metrics"]
    assert secure["tls"] == {"ca_file": "/tls/ca.crt"}


def test_entries_of_the_log_are_taken_apart_for_who_asks() -> None:
    components = configuration(a_cluster_with(vector={"enabled": True, "components": READS_ALL}))
    parser = components["transforms"]["parse_cassandra_log"]
    assert parser["inputs"] == ["systemlog"]
    assert ".rack = rack" in parser["source"]
    assert "parse_cassandra_log" not in configuration(a_cluster_with()).get("transforms", {})


def test_the_agent_is_the_system_logger_with_another_configuration() -> None:
    wanted = {"enabled": True, "image": "registry.example/vector:1"}
    cluster = a_cluster_with(vector=wanted)
    spec = render.cassandra_datacenter(cluster, cluster.datacenters[0], replication=None, existing_spec=None)[
        "spec"
    ]
    assert spec["podTemplateSpec"]["spec"]["containers"][1:] == [
        {"name": "server-system-logger", "image": "registry.example/vector:1"}
    ]
    assert spec["systemLoggerResources"] == vector.RESOURCES
    assert spec["storageConfig"]["additionalVolumes"][0]["mountPath"] == "/etc/vector"


def test_what_the_user_says_of_the_container_wins_over_what_is_said_of_the_agent() -> None:
    own = {"name": "server-system-logger", "resources": {"limits": {"cpu": "1"}}}
    cluster = a_cluster(a_spec(telemetry={"vector": {"enabled": True}}, containers=[own]))
    spec = render.cassandra_datacenter(cluster, cluster.datacenters[0], replication=None, existing_spec=None)[
        "spec"
    ]
    assert spec["systemLoggerResources"] == {"limits": {"cpu": "1"}}


def test_without_it_nothing_is_made() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1"), telemetry={"vector": {"enabled": False}}))
    assert vector.render(cluster, cluster.datacenters[0]) is None
    spec = render.cassandra_datacenter(cluster, cluster.datacenters[0], replication=None, existing_spec=None)[
        "spec"
    ]
    assert "systemLoggerResources" not in spec


def test_a_configuration_that_the_agent_could_not_read_is_named() -> None:
    broken = {"enabled": True, "config": "data_dir = "}
    assert vector.objection(a_cluster_with(vector=broken)).startswith(
        "telemetry.vector of datacenter dc1 makes a configuration that is no TOML: "
    )
    assert vector.objection(a_cluster_with(vector={"enabled": True, "config": "data_dir = '/x'"})) == ""


def test_it_is_configured_as_upstream_does_it() -> None:
    root = os.environ.get("GOLDENS")
    if not root or not Path(root).is_dir():
        pytest.skip("GOLDENS does not name the folder with recordings of the upstream operators")
    folder = Path(root) / "k8ssandra" / "09-telemetry"
    given = yaml.safe_load((folder / "input.yaml").read_text())
    objects = [each for each in yaml.safe_load_all((folder / "objects.yaml").read_text()) if each]
    name = "ktel-dc1-cass-vector"
    wanted = next(
        each for each in objects if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name
    )
    namespace = wanted["metadata"]["labels"]["k8ssandra.io/cluster-namespace"]
    cluster = Cluster(Meta(name=given["metadata"]["name"], namespace=namespace), given["spec"])
    datacenter = cluster.datacenters[0]

    body = vector.render(cluster, datacenter)

    assert body is not None
    assert body["metadata"]["name"] == name
    assert body["metadata"]["labels"] == wanted["metadata"]["labels"]
    assert body["data"] == wanted["data"]
    theirs = yaml.safe_load((folder / "cassandradatacenters.yaml").read_text())["spec"]
    ours = render.cassandra_datacenter(cluster, datacenter, replication=None, existing_spec=None)["spec"]
    assert ours["systemLoggerResources"] == theirs["systemLoggerResources"]
    assert ours["storageConfig"]["additionalVolumes"] == theirs["storageConfig"]["additionalVolumes"]
    named = [each["name"] for each in theirs["podTemplateSpec"]["spec"]["containers"]]
    assert [each["name"] for each in ours["podTemplateSpec"]["spec"]["containers"]] == named
