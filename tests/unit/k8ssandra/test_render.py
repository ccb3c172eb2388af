"""A K8ssandraCluster becomes the CassandraDatacenters that upstream would make of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from controllers.k8ssandra import contact_points, metrics_agent, seeds
from controllers.k8ssandra.cluster import Cluster, Replication, system_replication
from controllers.k8ssandra.hashing import covers
from controllers.k8ssandra.jvm import builder_sections
from controllers.k8ssandra.merge import coalesce
from controllers.k8ssandra.render import cassandra_datacenter
from missioncontrol.api.names import Annotation, Label
from missioncontrol.kube.views import Meta
from tests.unit.k8ssandra.builders import a_cluster, a_datacenter, a_pod, a_spec

REPLICATION_OPTION = "-Dcassandra.system_distributed_replication"


def rendered(cluster: Cluster, index: int = 0, existing: dict[str, Any] | None = None) -> dict[str, Any]:
    return cassandra_datacenter(
        cluster,
        cluster.datacenters[index],
        replication=system_replication(cluster),
        existing_spec=existing,
    )


def pruned(value: Any) -> Any:
    """The value without empty members, which mean the same as none."""
    if isinstance(value, dict):
        inner = {key: pruned(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each not in ({}, [], None)}
    return [pruned(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def goldens() -> Path:
    folder = os.environ.get("GOLDENS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GOLDENS does not name the folder with recordings of the upstream operators")
    return Path(folder)


@pytest.mark.parametrize("case", ["01-minimal", "17-cassandra-311", "21-hcd"])
def test_clusters_are_rendered_as_upstream_renders_them(case: str, goldens: Path) -> None:
    folder = goldens / "k8ssandra" / case
    given = yaml.safe_load((folder / "input.yaml").read_text())
    wanted = yaml.safe_load((folder / "cassandradatacenters.yaml").read_text())
    namespace = wanted["metadata"]["labels"]["k8ssandra.io/cluster-namespace"]
    cluster = Cluster(Meta(name=given["metadata"]["name"], namespace=namespace), given["spec"])

    body = rendered(cluster)

    # the API server fills in what an absent list of insecure settings means
    assert pruned(body["spec"]) == pruned({**wanted["spec"]})
    assert body["metadata"]["labels"] == wanted["metadata"]["labels"]
    assert set(body["metadata"]["annotations"]) == set(wanted["metadata"]["annotations"])
    assert body["metadata"]["finalizers"] == wanted["metadata"]["finalizers"][:1]


def test_the_metrics_agent_is_configured_as_upstream_does_it(goldens: Path) -> None:
    folder = goldens / "k8ssandra" / "01-minimal"
    objects = list(yaml.safe_load_all((folder / "objects.yaml").read_text()))
    wanted = next(each for each in objects if each and each["kind"] == "ConfigMap")
    namespace = wanted["metadata"]["labels"]["k8ssandra.io/cluster-namespace"]
    cluster = Cluster(Meta(name="kmin", namespace=namespace), a_spec())

    body = metrics_agent.render(cluster, cluster.datacenters[0])

    assert body["metadata"]["name"] == wanted["metadata"]["name"]
    assert body["metadata"]["labels"] == wanted["metadata"]["labels"]
    ours, theirs = (yaml.safe_load(each["data"][metrics_agent.KEY]) for each in (body, wanted))
    assert ours == theirs


def test_contact_points_are_those_that_upstream_makes(goldens: Path) -> None:
    folder = goldens / "k8ssandra" / "01-minimal"
    objects = [each for each in yaml.safe_load_all((folder / "objects.yaml").read_text()) if each]
    name = "kmin-dc1-contact-points-service"
    recorded = {each["kind"]: each for each in objects if each["metadata"]["name"].startswith(name)}
    namespace = recorded["Service"]["metadata"]["labels"]["k8ssandra.io/cluster-namespace"]
    cluster = Cluster(Meta(name="kmin", namespace=namespace, uid="u"), a_spec())
    datacenter = cluster.datacenters[0]

    service = contact_points.service(cluster, datacenter)
    (points,) = contact_points.endpoint_slices(cluster, datacenter, [a_pod("dc1", 0, "10.0.0.1")])

    for ours, theirs in ((service, recorded["Service"]), (points, recorded["EndpointSlice"])):
        assert ours["metadata"]["name"] == theirs["metadata"]["name"]
        assert ours["metadata"]["labels"] == theirs["metadata"]["labels"]
    assert covers(recorded["Service"]["spec"], service["spec"])
    owner = {key: value for key, value in cluster.owner_reference.items() if key != "uid"}
    assert recorded["Service"]["metadata"]["ownerReferences"] == [owner]
    assert points["ports"] == recorded["EndpointSlice"]["ports"]
    assert points["addressType"] == recorded["EndpointSlice"]["addressType"]


def test_outside_seeds_become_the_slice_that_upstream_makes(goldens: Path) -> None:
    folder = goldens / "k8ssandra" / "11-seeds-external"
    given = yaml.safe_load((folder / "input.yaml").read_text())
    objects = [each for each in yaml.safe_load_all((folder / "objects.yaml").read_text()) if each]
    wanted = next(
        each
        for each in objects
        if each["kind"] == "EndpointSlice" and "additional-seed" in each["metadata"]["name"]
    )
    cluster = Cluster(Meta(name=given["metadata"]["name"], namespace="ns"), given["spec"])
    datacenter = cluster.datacenters[0]

    (body,) = seeds.endpoint_slices(cluster, datacenter, seeds.foreign_addresses(cluster, datacenter, []))

    assert body["metadata"]["name"] == wanted["metadata"]["name"]
    assert covers(body["metadata"]["labels"], wanted["metadata"]["labels"])
    assert body["addressType"] == wanted["addressType"]
    assert [each["addresses"] for each in body["endpoints"]] == [["10.7.7.7"]]


def test_host_names_among_the_seeds_go_into_the_datacenter() -> None:
    cluster = a_cluster(a_spec(additionalSeeds=["b.example.org", "10.0.0.9", "a.example.org", "fd00::1"]))

    assert rendered(cluster)["spec"]["additionalSeeds"] == ["a.example.org", "b.example.org"]


def test_the_same_seeds_make_the_same_slice_whatever_their_order() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1"), a_datacenter("dc2")))
    pods = [("dc2", "10.0.0.10"), ("dc2", "10.0.0.9"), ("dc1", "10.0.0.1"), ("dc2", "fd00::2"), ("dc2", "")]
    datacenter = cluster.datacenters[0]

    there, back = (
        seeds.endpoint_slices(cluster, datacenter, seeds.foreign_addresses(cluster, datacenter, order))
        for order in (pods, pods[::-1])
    )

    assert there == back
    assert [each["metadata"]["name"] for each in there] == [
        "demo-demo-dc1-additional-seed-service-ipv4",
        "demo-demo-dc1-additional-seed-service-ipv6",
    ]
    assert there[0]["endpoints"][0]["addresses"] == ["10.0.0.9", "10.0.0.10"]


def test_only_the_first_datacenter_creates_users() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1"), a_datacenter("dc2")))

    first, second = rendered(cluster, 0), rendered(cluster, 1)

    assert Annotation.SKIP_USER_CREATION not in first["metadata"]["annotations"]
    assert second["metadata"]["annotations"][Annotation.SKIP_USER_CREATION] == "true"


def test_no_datacenter_creates_users_where_the_cluster_says_so() -> None:
    cluster = a_cluster(annotations={Annotation.SKIP_USER_CREATION: "true"})

    assert rendered(cluster)["metadata"]["annotations"][Annotation.SKIP_USER_CREATION] == "true"


def test_the_first_start_option_follows_the_map_of_the_control_plane() -> None:
    annotations = {Annotation.INITIAL_SYSTEM_REPLICATION: '{"dc2":3,"dc1":2}'}
    cluster = a_cluster(labels={Label.CONTROL_PLANE: "cp"}, annotations=annotations)

    options = rendered(cluster)["spec"]["config"]["cassandra-env-sh"]["additional-jvm-opts"]

    assert f"{REPLICATION_OPTION}=dc1:2,dc2:3" in options


def test_a_plane_that_does_not_own_the_system_keyspaces_sets_no_first_start_option() -> None:
    cluster = a_cluster(labels={Label.CONTROL_PLANE: "cp"})

    options = rendered(cluster)["spec"]["config"]["cassandra-env-sh"]["additional-jvm-opts"]

    assert not [each for each in options if each.startswith(REPLICATION_OPTION)]


def test_the_first_start_option_never_changes_once_a_datacenter_exists() -> None:
    small = a_cluster(a_spec(a_datacenter("dc1", 1)))
    existing = rendered(small)["spec"]

    grown = rendered(a_cluster(a_spec(a_datacenter("dc1", 3))), existing=existing)["spec"]

    assert grown["config"] == existing["config"]
    assert grown["size"] == 3


def test_ownership_labels_travel_to_what_is_made() -> None:
    labels = {
        Label.CONTROL_PLANE: "cp",
        Label.MC_CLUSTER_NAME: "demo",
        Label.MC_CLUSTER_NAMESPACE: "ns",
        "x": "y",
    }
    cluster = a_cluster(labels=labels)

    made = rendered(cluster)["metadata"]["labels"]

    assert {key: value for key, value in labels.items() if key != "x"}.items() <= made.items()
    assert "x" not in made


def test_tags_of_cluster_and_datacenter_are_merged_and_the_datacenter_wins() -> None:
    datacenter = {
        "metadata": {"name": "dc1", "labels": {"a": "dc"}, "pods": {"labels": {"team": "dc"}}},
        "size": 1,
    }
    metadata = {
        "labels": {"a": "cluster", "b": "cluster"},
        "commonLabels": {"c": "all"},
        "pods": {"labels": {"team": "cluster", "tier": "db"}},
        "services": {"allPodsService": {"labels": {"scrape": "yes"}}},
    }
    body = rendered(a_cluster(a_spec(datacenter, metadata=metadata)))

    assert body["metadata"]["labels"]["a"] == "dc"
    assert body["metadata"]["labels"]["b"] == "cluster"
    assert body["spec"]["additionalLabels"] == {"c": "all"}
    assert body["spec"]["podTemplateSpec"]["metadata"]["labels"] == {"team": "dc", "tier": "db"}
    all_pods = body["spec"]["additionalServiceConfig"]["allpodsService"]["additionalLabels"]
    assert all_pods == {
        "scrape": "yes",
        Label.K8SSANDRA_CLUSTER_NAME: "demo",
        Label.K8SSANDRA_CLUSTER_NAMESPACE: "ns",
    }


@pytest.mark.parametrize(
    ("cluster", "datacenter", "merged"),
    [
        pytest.param(
            {"serverVersion": "4.1.8"}, {"serverVersion": "5.0.4"}, {"serverVersion": "5.0.4"}, id="a value"
        ),
        pytest.param(
            {"serverVersion": "4.1.8"}, {"serverVersion": ""}, {"serverVersion": "4.1.8"}, id="an empty value"
        ),
        pytest.param(
            {"config": {"cassandraYaml": {"a": 1, "b": {"x": 1}}}},
            {"config": {"cassandraYaml": {"b": {"y": 2}, "c": 3}}},
            {"config": {"cassandraYaml": {"a": 1, "b": {"x": 1, "y": 2}, "c": 3}}},
            id="objects member by member",
        ),
        pytest.param(
            {"racks": [{"name": "r1", "zone": "z1"}, {"name": "r2"}]},
            {"racks": [{"name": "r3"}, {"name": "r1", "zone": "z9"}]},
            {"racks": [{"name": "r1", "zone": "z9"}, {"name": "r2"}, {"name": "r3"}]},
            id="racks by name",
        ),
        pytest.param(
            {"tolerations": [{"key": "a"}]},
            {"tolerations": [{"key": "b"}]},
            {"tolerations": [{"key": "b"}]},
            id="other lists as a whole",
        ),
        pytest.param(
            {"tolerations": [{"key": "a"}]},
            {"tolerations": []},
            {"tolerations": [{"key": "a"}]},
            id="an empty list",
        ),
        pytest.param(
            {"storageConfig": {"additionalVolumes": [{"name": "v", "volumeSource": {"emptyDir": {}}}]}},
            {
                "storageConfig": {
                    "additionalVolumes": [{"name": "v", "volumeSource": {"secret": {"secretName": "s"}}}]
                }
            },
            {
                "storageConfig": {
                    "additionalVolumes": [{"name": "v", "volumeSource": {"secret": {"secretName": "s"}}}]
                }
            },
            id="the source of a volume is not mixed",
        ),
    ],
)
def test_options_merge(cluster: dict[str, Any], datacenter: dict[str, Any], merged: dict[str, Any]) -> None:
    assert coalesce(cluster, datacenter) == merged


@pytest.mark.parametrize(
    ("server", "version", "options", "sections"),
    [
        pytest.param("cassandra", "5.0.4", None, {}, id="nothing given"),
        pytest.param(
            "cassandra",
            "4.1.8",
            {"heapSize": "384Mi"},
            {
                "jvm-server-options": {"initial_heap_size": 402653184, "max_heap_size": 402653184},
                "jvm11-server-options": {"garbage_collector": "G1GC"},
            },
            id="a heap with the default collector",
        ),
        pytest.param(
            "cassandra",
            "3.11.19",
            {"heap_max_size": "1Gi", "gc": "CMS", "gc_cms_survivor_ratio": 4, "vm_use_numa": True},
            {"jvm-options": {"max_heap_size": 1073741824, "garbage_collector": "CMS", "survivor_ratio": 4}},
            id="Cassandra 3 has one file and no numa",
        ),
        pytest.param(
            "dse",
            "6.8.50",
            {"gc": "ZGC"},
            {"jvm8-server-options": {"garbage_collector": "ZGC"}},
            id="DSE runs on Java 8",
        ),
        pytest.param(
            "hcd",
            "1.2.1",
            {"gc": "G1GC", "additionalOptions": ["-Da=b"], "additionalJvm11ServerOptions": ["-Dx"]},
            {
                "jvm11-server-options": {"garbage_collector": "G1GC", "additional-jvm-opts": ["-Dx"]},
                "cassandra-env-sh": {"additional-jvm-opts": ["-Da=b"]},
            },
            id="options in one's own words",
        ),
        pytest.param(
            "cassandra",
            "5.0.4",
            {"gc": "G1GC", "vm_disable_biased_locking": True},
            {
                "jvm-server-options": {"use-biased-locking": True},
                "jvm11-server-options": {"garbage_collector": "G1GC"},
            },
            id="a key that is spelled differently since 4.0",
        ),
    ],
)
def test_jvm_options_reach_the_files_of_the_server(
    server: str, version: str, options: dict[str, Any] | None, sections: dict[str, Any]
) -> None:
    assert builder_sections(options, server_type=server, version=version) == sections


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        pytest.param("not json", "must map datacenters", id="no JSON"),
        pytest.param('["dc1"]', "must map datacenters", id="a list"),
        pytest.param('{"dc1": "three"}', "must map datacenters", id="no number"),
    ],
)
def test_a_replication_map_that_cannot_be_read_is_an_error(annotation: str, told: str) -> None:
    cluster = a_cluster(annotations={Annotation.INITIAL_SYSTEM_REPLICATION: annotation})

    replication = system_replication(cluster)

    assert replication is not None
    assert told in replication.error


def test_a_cluster_of_its_own_begins_with_its_first_datacenter() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1", 5), a_datacenter("dc2", 2)))

    assert system_replication(cluster) == Replication({"dc1": 3})


def test_the_replication_that_older_releases_noted_is_understood() -> None:
    noted = '{"datacenters":["dc1","dc2"],"replicationFactor":2}'

    found = system_replication(a_cluster(annotations={Annotation.INITIAL_SYSTEM_REPLICATION: noted}))

    assert found is not None
    assert found.factors == {"dc1": 2, "dc2": 2}
    assert not found.error
