"""A cluster over two planes: the order it comes in, what each plane gets, growth, darkness, deletion."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from missioncontrol.api.resources import (
    K8SSANDRA_CLUSTERS,
    NAMESPACES,
    SECRETS,
    STORED_CLUSTERS,
    STORED_DATA_PLANES,
    STORED_DATACENTERS,
)
from missioncontrol.local.control_plane import ControlPlane
from tests.integration.missioncontrol.conftest import World, cluster_body, eventually
from tests.processes import Program

NS = "store"


@pytest.fixture(scope="module")
def demo(world: World, operator: Program) -> World:
    """The cluster of most tests, made once and watched until it is Ready."""
    world.home.make_namespace(NS)
    body = cluster_body("demo", ("dc1", "data-plane-1", 3), ("dc2", "data-plane-2", 3))
    world.home.create(STORED_CLUSTERS, body, NS)
    eventually(
        lambda: world.condition("demo", NS, "Ready")["status"] == "True", within=40, what="demo is Ready"
    )
    return world


def placed(world: World, plane: str) -> dict[str, object]:
    return world.planes[plane].api.get(K8SSANDRA_CLUSTERS, "demo", NS)


def test_the_second_datacenter_begins_when_the_first_is_ready(demo: World) -> None:
    first = [moment for moment, _ in demo.planes["data-plane-1"].joined]
    second = [moment for moment, _ in demo.planes["data-plane-2"].joined]
    assert len(first) == len(second) == 3
    assert max(first) < min(second)


def test_each_plane_gets_its_own_datacenters_and_the_seeds_of_the_others(demo: World) -> None:
    one, two = placed(demo, "data-plane-1"), placed(demo, "data-plane-2")
    for body, name in ((one, "dc1"), (two, "dc2")):
        (datacenter,) = body["spec"]["cassandra"]["datacenters"]  # type: ignore[index]
        assert datacenter["metadata"]["name"] == name
        assert "k8sContext" not in datacenter
        assert "externalDatacenters" not in body["spec"]  # type: ignore[operator]
    assert eventually(lambda: placed(demo, "data-plane-1")["spec"]["cassandra"]["additionalSeeds"]) == [
        "10.2.0.1",
        "10.2.0.2",
    ]  # type: ignore[index]
    assert two["spec"]["cassandra"]["additionalSeeds"] == ["10.1.0.1", "10.1.0.2"]  # type: ignore[index]


def test_only_the_first_datacenter_creates_roles_and_only_its_plane_owns_the_system_keyspaces(
    demo: World,
) -> None:
    one, two = placed(demo, "data-plane-1"), placed(demo, "data-plane-2")
    key = "k8ssandra.io/initial-system-replication"
    eventually(lambda: placed(demo, "data-plane-1")["metadata"]["annotations"][key] == '{"dc1":3,"dc2":3}')  # type: ignore[index]
    assert key not in two["metadata"]["annotations"]  # type: ignore[index]
    skip = "cassandra.datastax.com/skip-user-creation"
    assert skip not in (one["spec"]["cassandra"]["datacenters"][0]["metadata"].get("annotations") or {})  # type: ignore[index]
    assert two["spec"]["cassandra"]["datacenters"][0]["metadata"]["annotations"][skip] == "true"  # type: ignore[index]


def test_every_plane_has_the_one_superuser(demo: World) -> None:
    original = demo.home.get(SECRETS, "demo-superuser", NS)
    assert original["metadata"]["ownerReferences"][0]["name"] == "demo"
    for played in demo.planes.values():
        copy = played.api.get(SECRETS, "demo-superuser", NS)
        assert copy["data"] == original["data"]
        body = played.api.get(K8SSANDRA_CLUSTERS, "demo", NS)
        assert body["spec"]["cassandra"]["superuserSecretRef"] == {"name": "demo-superuser"}
        assert copy["metadata"]["creationTimestamp"] <= body["metadata"]["creationTimestamp"]


def test_the_status_tells_of_every_datacenter_and_node(demo: World) -> None:
    status = demo.cluster("demo", NS)["status"]
    assert status["phase"] == "Ready"
    assert (status["replicas"], status["readyReplicas"]) == (6, 6)
    assert status["message"] == "all 6 nodes in 2 datacenters are ready"
    assert [each["name"] for each in status["datacenters"]] == ["dc1", "dc2"]
    datacenter = demo.home.get(STORED_DATACENTERS, "demo.dc2", NS)
    assert datacenter["spec"]["dataPlane"] == "data-plane-2"
    assert datacenter["status"]["readyReplicas"] == 3
    assert {node["ip"] for node in datacenter["status"]["nodes"]} == {"10.2.0.1", "10.2.0.2", "10.2.0.3"}


def test_an_edit_in_a_plane_is_taken_back_and_what_did_not_differ_is_not_written(demo: World) -> None:
    api = demo.planes["data-plane-2"].api
    api.patch(K8SSANDRA_CLUSTERS, "demo", {"spec": {"cassandra": {"additionalSeeds": ["10.9.9.9"]}}}, NS)
    eventually(
        lambda: (
            placed(demo, "data-plane-2")["spec"]["cassandra"]["additionalSeeds"] == ["10.1.0.1", "10.1.0.2"]
        )
    )  # type: ignore[index]
    before = placed(demo, "data-plane-1")["metadata"]["generation"]  # type: ignore[index]
    demo.home.patch(STORED_CLUSTERS, "demo", {"metadata": {"labels": {"touched": "yes"}}}, NS)
    eventually(lambda: demo.cluster("demo", NS)["metadata"]["labels"]["touched"])
    assert placed(demo, "data-plane-1")["metadata"]["generation"] == before  # type: ignore[index]


def test_our_fields_belong_to_applications_so_that_what_is_dropped_later_goes(demo: World) -> None:
    entries = placed(demo, "data-plane-2")["metadata"]["managedFields"]  # type: ignore[index]
    mine = [each for each in entries if each["manager"] == "mission-control-operator"]
    assert [each["operation"] for each in mine] == ["Apply"]


def test_growth_goes_datacenter_by_datacenter_over_a_killed_operator(demo: World, operator: Program) -> None:
    joined = [len(played.joined) for played in demo.planes.values()]
    patch = demo.cluster("demo", NS)["spec"]
    for entry in patch["k8ssandra"]["cassandra"]["datacenters"]:
        entry["size"] = 4
    demo.home.patch(STORED_CLUSTERS, "demo", {"spec": patch}, NS)
    eventually(lambda: len(demo.planes["data-plane-1"].joined) > joined[0], within=10)
    operator.stop(signal.SIGKILL)
    operator.start()
    eventually(lambda: demo.cluster("demo", NS)["status"]["readyReplicas"] == 8, within=40)
    eventually(lambda: demo.condition("demo", NS, "Ready")["status"] == "True")
    one, two = (played.joined[-1][0] for played in demo.planes.values())
    assert one < two
    assert [len(played.joined) for played in demo.planes.values()] == [joined[0] + 1, joined[1] + 1]


def test_what_no_database_survives_is_not_acted_upon_and_said(demo: World) -> None:
    spec = demo.cluster("demo", NS)["spec"]
    spec["k8ssandra"]["cassandra"]["serverType"] = "dse"
    demo.home.patch(STORED_CLUSTERS, "demo", {"spec": spec}, NS)
    told = eventually(lambda: (c := demo.condition("demo", NS, "Reconciled"))["status"] == "False" and c)
    assert told["reason"] == "InvalidSpec"
    assert "spec.k8ssandra.cassandra.serverType" in told["message"]
    assert placed(demo, "data-plane-1")["spec"]["cassandra"].get("serverType") != "dse"  # type: ignore[index]
    spec["k8ssandra"]["cassandra"]["serverType"] = "cassandra"
    demo.home.patch(STORED_CLUSTERS, "demo", {"spec": spec}, NS)
    eventually(lambda: demo.condition("demo", NS, "Reconciled")["status"] == "True")


def test_a_dark_plane_is_seen_and_holds_nobody_and_catches_up(demo: World, operator: Program) -> None:
    dark = demo.planes["data-plane-2"]
    dark.plane.stop(kill=True)
    away = eventually(lambda: (c := demo.ready("data-plane-2"))["status"] == "False" and c, within=15)
    assert away["reason"] == "Unreachable"
    stored = demo.home.get(STORED_CLUSTERS, "demo", NS)
    eventually(lambda: demo.condition("demo", NS, "Ready")["reason"] == "DataPlaneAway")
    spec = stored["spec"]
    for entry in spec["k8ssandra"]["cassandra"]["datacenters"]:
        entry["size"] = 5
    demo.home.patch(STORED_CLUSTERS, "demo", {"spec": spec}, NS)
    eventually(
        lambda: demo.home.get(STORED_DATACENTERS, "demo.dc1", NS)["status"]["readyReplicas"] == 5, within=15
    )
    datacenter = demo.home.get(STORED_DATACENTERS, "demo.dc2", NS)
    assert datacenter["status"]["readyReplicas"] == 4
    assert len(datacenter["status"]["nodes"]) == 4
    conditions = {each["type"]: each for each in datacenter["status"]["conditions"]}
    assert conditions["Reachable"]["status"] == "False"
    assert "last known" in conditions["Ready"]["message"]
    # also an operator that never saw the plane keeps what is known
    operator.stop(signal.SIGKILL)
    operator.start()
    eventually(lambda: demo.condition("demo", NS, "Ready")["reason"] == "DataPlaneAway", within=30)
    assert len(demo.home.get(STORED_DATACENTERS, "demo.dc2", NS)["status"]["nodes"]) == 4
    dark.plane.start()
    eventually(lambda: demo.ready("data-plane-2")["status"] == "True", within=20)
    eventually(lambda: demo.condition("demo", NS, "Ready")["status"] == "True", within=30)
    assert demo.cluster("demo", NS)["status"]["readyReplicas"] == 10


def test_a_name_that_is_taken_is_left_alone(demo: World) -> None:
    api = demo.planes["data-plane-1"].api
    spec = {"cassandra": {"serverVersion": "4.1.8", "datacenters": [{"metadata": {"name": "x"}, "size": 1}]}}
    played = demo.planes["data-plane-1"]
    played.paused.set()
    try:
        api.create(K8SSANDRA_CLUSTERS, {"metadata": {"name": "taken"}, "spec": spec}, NS)
        demo.home.create(STORED_CLUSTERS, cluster_body("taken", ("dc1", "data-plane-1", 1)), NS)
        told = eventually(lambda: (c := demo.condition("taken", NS, "Ready"))["reason"] == "NameTaken" and c)
        assert "was not made by Mission Control" in told["message"]
        assert api.get(K8SSANDRA_CLUSTERS, "taken", NS)["spec"]["cassandra"]["serverVersion"] == "4.1.8"
        demo.home.delete(STORED_CLUSTERS, "taken", NS)
        eventually(lambda: demo.home.find(STORED_CLUSTERS, "taken", NS) is None)
        assert api.find(K8SSANDRA_CLUSTERS, "taken", NS) is not None
    finally:
        api.delete(K8SSANDRA_CLUSTERS, "taken", NS)
        played.paused.clear()


def test_a_plane_in_use_stays_and_says_who_uses_it(demo: World) -> None:
    demo.home.delete(STORED_DATA_PLANES, "data-plane-2")
    stored = eventually(
        lambda: (
            (p := demo.home.get(STORED_DATA_PLANES, "data-plane-2"))["metadata"]["deletionTimestamp"] and p
        )
    )
    eventually(lambda: "store/demo" in demo.home.get(STORED_DATA_PLANES, "data-plane-2")["status"]["message"])
    assert stored["metadata"]["finalizers"]
    assert demo.ready("data-plane-2")["status"] == "True"


def test_deletion_takes_everything_and_the_plane_that_was_to_go(demo: World, operator: Program) -> None:
    demo.home.delete(STORED_CLUSTERS, "demo", NS)
    eventually(lambda: demo.home.find(STORED_CLUSTERS, "demo", NS) is None, within=30)
    for played in demo.planes.values():
        assert played.api.list(K8SSANDRA_CLUSTERS, NS) == []
        assert played.api.list(SECRETS, NS) == []
        namespace = played.api.find(NAMESPACES, NS)
        # no namespace controller runs there: to be deleted is all that can be seen
        assert namespace is None or "deletionTimestamp" in namespace["metadata"]
    eventually(lambda: demo.home.find(STORED_DATA_PLANES, "data-plane-2") is None)
    eventually(lambda: demo.home.find(SECRETS, "demo-superuser", NS) is None, within=30)
    eventually(lambda: demo.home.find(STORED_DATACENTERS, "demo.dc1", NS) is None, within=30)
    demo.register("data-plane-2", demo.planes["data-plane-2"].plane)
    eventually(lambda: demo.ready("data-plane-2")["status"] == "True", within=20)


def test_deletion_waits_for_a_plane_that_is_away_until_it_is_given_up(
    demo: World, make_namespace: Callable[[ControlPlane], str]
) -> None:
    namespace = make_namespace(demo.home.plane)
    demo.home.create(
        STORED_CLUSTERS,
        cluster_body("gone", ("dc1", "data-plane-1", 1), ("dc2", "data-plane-2", 1)),
        namespace,
    )
    eventually(lambda: demo.condition("gone", namespace, "Ready")["status"] == "True", within=30)
    dark = demo.planes["data-plane-2"]
    dark.plane.stop(kill=True)
    try:
        demo.home.delete(STORED_CLUSTERS, "gone", namespace)
        eventually(
            lambda: "data-plane-2 is away" in demo.cluster("gone", namespace)["status"]["message"], within=20
        )
        eventually(lambda: not demo.planes["data-plane-1"].api.list(K8SSANDRA_CLUSTERS, namespace), within=20)
        assert demo.cluster("gone", namespace)["status"]["phase"] == "Deleting"
        annotation = {"missioncontrol.io/abandon-data-planes": "data-plane-2"}
        demo.home.patch(STORED_CLUSTERS, "gone", {"metadata": {"annotations": annotation}}, namespace)
        eventually(lambda: demo.home.find(STORED_CLUSTERS, "gone", namespace) is None)
    finally:
        dark.plane.start()
    # what was left there is nobody's to delete: ownership is no reason without a deletion that was asked for
    eventually(lambda: demo.ready("data-plane-2")["status"] == "True", within=20)
    assert dark.api.find(K8SSANDRA_CLUSTERS, "gone", namespace) is not None
    dark.api.delete(K8SSANDRA_CLUSTERS, "gone", namespace)
