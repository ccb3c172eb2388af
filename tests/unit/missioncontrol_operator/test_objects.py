"""What a plane gets: the K8ssandraCluster, seeds, replication, and what counts as a difference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controllers.missioncontrol.act import applied_entries
from controllers.missioncontrol.clusters.render import differs, render_k8ssandra_cluster
from controllers.missioncontrol.clusters.replication import system_replication
from controllers.missioncontrol.clusters.rollout import plan_rollout
from controllers.missioncontrol.clusters.seeds import outside_seeds
from controllers.missioncontrol.identity import Owner, describe_owner
from tests.unit.missioncontrol_operator.conftest import OWNER, Build

TWO = (("dc1", "p1", 3), ("dc2", "p2", 3))


def rendered(build: Build, plane: str, *, cassandra: dict[str, Any] | None = None) -> dict[str, Any]:
    cluster = build.cluster(*TWO, cassandra=cassandra or {})
    snapshot = build.snapshot(cluster, build.plane("p1", ("dc1", 3)), build.plane("p2", ("dc2", 3)))
    body = render_k8ssandra_cluster(snapshot, plan_rollout(snapshot), plane)
    assert body is not None
    return body


def test_a_plane_gets_its_datacenters_without_context_and_the_others_as_seeds(build: Build) -> None:
    body = rendered(build, "p2", cassandra={"additionalSeeds": ["10.9.9.9"]})
    cassandra = body["spec"]["cassandra"]
    assert [each["metadata"]["name"] for each in cassandra["datacenters"]] == ["dc2"]
    assert "k8sContext" not in cassandra["datacenters"][0]
    assert cassandra["additionalSeeds"] == ["10.1.0.1", "10.1.0.2", "10.9.9.9"]
    assert cassandra["superuserSecretRef"] == {"name": "demo-superuser"}
    assert cassandra["serverVersion"] == "5.0.4"
    assert body["metadata"]["labels"] == OWNER.labels()


def test_one_plane_owns_the_system_keyspaces_and_only_its_first_datacenter_creates_roles(
    build: Build,
) -> None:
    first, second = rendered(build, "p1"), rendered(build, "p2")
    skip, replication = "cassandra.datastax.com/skip-user-creation", "k8ssandra.io/initial-system-replication"
    assert json.loads(first["metadata"]["annotations"][replication]) == {"dc1": 3, "dc2": 3}
    assert skip not in first["metadata"]["annotations"]
    assert "annotations" not in first["spec"]["cassandra"]["datacenters"][0]["metadata"]
    assert replication not in second["metadata"]["annotations"]
    assert second["metadata"]["annotations"][skip] == "true"
    assert second["spec"]["cassandra"]["datacenters"][0]["metadata"]["annotations"] == {skip: "true"}


def test_nothing_is_rendered_for_a_plane_whose_turn_has_not_come(build: Build) -> None:
    snapshot = build.snapshot(build.cluster(*TWO), build.plane("p1"), build.plane("p2"))
    assert render_k8ssandra_cluster(snapshot, plan_rollout(snapshot), "p2") is None


def test_the_stored_cluster_is_not_changed_by_rendering(build: Build) -> None:
    cluster = build.cluster(*TWO)
    before = json.dumps(cluster.spec)
    snapshot = build.snapshot(cluster, build.plane("p1"), build.plane("p2"))
    render_k8ssandra_cluster(snapshot, plan_rollout(snapshot), "p1")
    assert json.dumps(cluster.spec) == before


def test_seeds_are_kept_while_another_plane_is_unknown(build: Build) -> None:
    told = build.placed({"dc2": 3}, cassandra={"additionalSeeds": ["10.1.0.9"]})
    here = build.plane("p2", ("dc2", 3), placed=told)
    dark = build.plane("p1", reachable=False, known=False)
    cluster = build.cluster(*TWO)
    assert outside_seeds(build.snapshot(cluster, dark, here), "p2") == ("10.1.0.9",)
    known = build.plane("p1", ("dc1", 3))
    assert outside_seeds(build.snapshot(cluster, known, here), "p2") == ("10.1.0.1", "10.1.0.2")


def test_replication_begins_with_the_first_and_widens_with_nodes_that_joined(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 1), ("dc2", "p2", 5))
    early = build.snapshot(cluster, build.plane("p1"), build.plane("p2"))
    assert system_replication(early) == {"dc1": 1}
    halfway = build.plane("p2", ("dc2", 5), facts={"dc2": build.facts("dc2", 5, joined=4)})
    assert system_replication(build.snapshot(cluster, build.plane("p1", ("dc1", 1)), halfway)) == {"dc1": 1}
    done = build.snapshot(cluster, build.plane("p1", ("dc1", 1)), build.plane("p2", ("dc2", 5)))
    assert system_replication(done) == {"dc1": 1, "dc2": 3}


def test_replication_never_shrinks_while_nodes_are_down_or_a_plane_is_away(build: Build) -> None:
    published = {"k8ssandra.io/initial-system-replication": '{"dc1":3,"dc2":3}'}
    placed = build.placed({"dc1": 3}, annotations=published)
    broken = build.plane("p1", ("dc1", 3), placed=placed, facts={"dc1": build.facts("dc1", 3, ready=1)})
    snapshot = build.snapshot(build.cluster(*TWO), broken, build.plane("p2", reachable=False, known=False))
    assert system_replication(snapshot) == {"dc1": 3, "dc2": 3}


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, {"a": 2}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, False),
        ({"a": [1]}, {"a": [1, 2]}, True),
        ({"a": 1}, {}, True),
    ],
    ids=["more is fine", "other value", "nested more", "defaults in items", "longer list", "missing"],
)
def test_only_what_is_wanted_counts_as_a_difference(
    wanted: dict[str, Any], live: dict[str, Any], expected: bool
) -> None:
    assert differs(wanted, live) is expected


def test_a_dropped_field_shows_in_the_hash(build: Build) -> None:
    one = rendered(build, "p1", cassandra={"tolerations": [{"key": "x"}]})
    two = rendered(build, "p1")
    assert one["metadata"]["annotations"] != two["metadata"]["annotations"]


def test_a_creation_becomes_an_application_once() -> None:
    created = {"manager": "mission-control-operator", "operation": "Update", "fieldsV1": {"x": {}}}
    other = {"manager": "k8ssandra-operator", "operation": "Update"}
    status = {**created, "subresource": "status"}
    turned = applied_entries([other, status, created])
    assert turned == [other, status, {**created, "operation": "Apply"}]
    assert applied_entries(turned) is None
    assert applied_entries([other]) is None


def test_ownership_is_by_id_namespace_and_name_together() -> None:
    assert OWNER.owns(OWNER.labels())
    assert not OWNER.owns(Owner("another-id", "store", "demo").labels())
    assert not OWNER.owns(Owner("control-plane-id", "other", "demo").labels())
    assert not OWNER.owns({})
    assert describe_owner({}) == "was not made by Mission Control"
    assert "store/demo" in describe_owner(OWNER.labels())
