"""Names are upstream's, so that what upstream made is found again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.api import names
from missioncontrol.api import resources as r


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        pytest.param("Test Cluster", "TestCluster", id="spaces go"),
        pytest.param("prod_1.a-b", "prod_1.a-b", id="what a label value may hold stays"),
        pytest.param("--My Cluster--", "MyCluster", id="what it may not begin or end with goes"),
        pytest.param("a$b", "ab", id="other characters go and the parts are joined"),
        pytest.param("", "", id="nothing stays nothing"),
    ],
)
def test_label_values_are_cleaned(given_name: str, expected: str) -> None:
    assert names.clean_label_value(given_name) == expected


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        pytest.param("demo", "demo", id="a good name stays"),
        pytest.param("My_Cluster", "my-cluster", id="lower case, and underscores become dashes"),
        pytest.param("Test Cluster 2", "testcluster", id="a part cannot begin with a digit"),
        pytest.param("1a", "a", id="a leading digit goes"),
    ],
)
def test_object_names_are_cleaned(given_name: str, expected: str) -> None:
    assert names.cleanup_for_kubernetes(given_name) == expected


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        pytest.param("r.2", "r.2", id="dots may stay"),
        pytest.param("2R", "2r", id="digits may lead"),
        pytest.param("rack_1!", "rack-1", id="the rest is cleaned"),
    ],
)
def test_rack_names_are_cleaned(given_name: str, expected: str) -> None:
    assert names.cleanup_subdomain(given_name) == expected


@given(st.text())
def test_a_cleaned_name_is_clean(name: str) -> None:
    value = names.clean_label_value(name)
    assert value == "" or re.fullmatch(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", value)
    assert names.clean_label_value(value) == value
    label = names.cleanup_for_kubernetes(name)
    assert label == "" or re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", label)


@given(st.integers(0, 1000), st.integers(1, 30))
def test_racks_get_even_shares_and_nothing_is_lost(nodes: int, racks: int) -> None:
    shares = names.split_racks(nodes, racks)
    assert sum(shares) == nodes
    assert len(shares) == racks
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("nodes", "racks", "expected"),
    [
        pytest.param(1, 1, [1], id="one node is one seed"),
        pytest.param(9, 3, [1, 1, 1], id="three seeds over three racks"),
        pytest.param(6, 2, [2, 1], id="three seeds over two racks"),
        pytest.param(10, 5, [1, 1, 1, 1, 1], id="with more than three racks each has a seed"),
    ],
)
def test_seeds_are_spread_over_racks(nodes: int, racks: int, expected: list[int]) -> None:
    assert names.seeds_by_rack(nodes, racks) == expected


def test_objects_are_named_as_upstream_names_them() -> None:
    assert names.statefulset_name("My Cluster", "dc_1", "r1") == "mycluster-dc-1-r1-sts"
    assert names.pod_name("demo-dc1-r1-sts", 2) == "demo-dc1-r1-sts-2"
    assert names.seed_service_name("demo") == "demo-seed-service"
    assert names.datacenter_service_name("demo", "dc1") == "demo-dc1-service"
    assert names.all_pods_service_name("demo", "dc1") == "demo-dc1-all-pods-service"
    assert names.superuser_secret_name("demo") == "demo-superuser"
    assert names.pod_disruption_budget_name("dc1") == "dc1-pdb"


def test_the_stored_name_of_an_operation_can_be_taken_apart() -> None:
    stored = names.stored_operation_name("RollingRestart", "nightly.1")
    assert stored == "rollingrestart.nightly.1"
    assert names.split_operation_name(stored) == ("rollingrestart", "nightly.1")
    with pytest.raises(ValueError, match="not the name of a stored operation"):
        names.split_operation_name("r1")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(r.PODS.path(), "/api/v1/pods", id="a collection over all namespaces"),
        pytest.param(r.PODS.path("ns"), "/api/v1/namespaces/ns/pods", id="a collection"),
        pytest.param(r.NODES.path(name="n1"), "/api/v1/nodes/n1", id="a cluster-scoped object"),
        pytest.param(
            r.STATEFUL_SETS.path("ns", "a", "scale"),
            "/apis/apps/v1/namespaces/ns/statefulsets/a/scale",
            id="a subresource",
        ),
        pytest.param(r.PODS.path("ns", "a/b"), "/api/v1/namespaces/ns/pods/a%2Fb", id="names are quoted"),
    ],
)
def test_paths_follow_from_resources(path: str, expected: str) -> None:
    assert path == expected


def test_a_path_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a namespace"):
        r.PODS.path(name="a")
    with pytest.raises(ValueError, match="cluster-scoped"):
        r.NODES.path("ns")
    with pytest.raises(ValueError, match="needs a name"):
        r.PODS.path("ns", subresource="status")
