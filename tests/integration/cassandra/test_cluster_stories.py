"""Stories of a K8ssandraCluster, told to k8ssandra-operator and cass-operator together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from missioncontrol.api.names import Component, EventReason
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    CASSANDRA_TASKS,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    PODS,
    SERVICES,
    Resource,
)
from missioncontrol.local.control_plane import ControlPlane
from tests.cassandra_stories import Json, Story, comparable_status
from tests.installing import install_operator
from tests.integration.cassandra.conftest import OperatorProcess, Plane
from tests.integration.cassandra.narrator import Narrator, assert_same_metadata
from tests.processes import Operator, k8ssandra_operator
from tests.waiting import eventually


@pytest.fixture(scope="module")
def k8ssandra(data_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    install_operator(data_plane, Component.K8SSANDRA_OPERATOR)
    with k8ssandra_operator(data_plane, tmp_path_factory.mktemp("k8ssandra-operator")) as process:
        yield process


class ClusterNarrator(Narrator):
    """Tells stories to one K8ssandraCluster."""

    folder = "stories-k8"

    @property
    def cluster(self) -> Json:
        return self.plane.get(K8SSANDRA_CLUSTERS, "demo")

    def settled(self) -> Json | None:
        """The cluster, if everything is as its spec says."""
        found = self.cluster
        status = found.get("status", {})
        ready = {each["type"]: each["status"] for each in status.get("conditions", [])}.get("Ready") == "True"
        return (
            found if ready and status.get("observedGeneration") == found["metadata"]["generation"] else None
        )

    def wait_settled(self) -> Json:
        found: Json = eventually(self.settled, "the cluster is settled", timeout=90)
        return found

    def have_datacenters(self, *names: str) -> None:
        datacenters = [{"metadata": {"name": name}, "size": 1} for name in names]
        self.change({"spec": {"cassandra": {"datacenters": datacenters}}})

    def change(self, patch: Json) -> None:
        self.plane.patch(K8SSANDRA_CLUSTERS, "demo", patch)

    def k8ssandra_task(self, number: str) -> Story:
        """The story of a task, which has to end as upstream's did."""
        story = self.story(number)
        [body], [ending] = story.inputs, story.endings
        name = body["metadata"]["name"]
        self.plane.admin.request("POST", K8SSANDRA_TASKS.path(self.plane.namespace), body)

        def complete() -> Json | None:
            holds = self.plane.conditions(K8SSANDRA_TASKS, name).get("Complete") == "True"
            return self.plane.get(K8SSANDRA_TASKS, name) if holds else None

        ended = eventually(complete, f"{name} is complete", timeout=90)
        assert_same_metadata(ended, ending)
        assert ended["metadata"]["finalizers"] == ending["metadata"]["finalizers"]
        ours, theirs = ended["status"], ending["status"]
        assert comparable_status(ours) == comparable_status(theirs)
        parts, recorded = ours["datacenters"], theirs["datacenters"]
        assert {key: comparable_status(each) for key, each in parts.items()} == {
            key: comparable_status(each) for key, each in recorded.items()
        }
        return story


def test_a_cluster_grows_works_and_loses_a_datacenter(
    operator: OperatorProcess, k8ssandra: Operator, plane: Plane
) -> None:
    narrator = ClusterNarrator(plane)
    story = narrator.story("k21")
    [body] = story.inputs
    plane.admin.request("POST", K8SSANDRA_CLUSTERS.path(plane.namespace), body)
    narrator.wait_settled()
    assert list(story.calls) == narrator.new_calls()
    assert addresses(plane, "dc1") == [plane.get(PODS, "demo-dc1-default-sts-0")["status"]["podIP"]]

    narrator.have_datacenters("dc1", "dc2")
    narrator.wait_settled()
    narrator.new_calls()
    assert list(narrator.k8ssandra_task("k01").calls) == narrator.new_calls()
    # in both datacenters at once
    assert set(map(repr, narrator.k8ssandra_task("k03").calls)) == set(map(repr, narrator.new_calls()))

    assert_a_task_for_nobody_is_invalid(narrator)
    story = narrator.story("k07")
    narrator.change(story.inputs[0])
    narrator.wait_settled()
    assert list(story.calls) == narrator.new_calls()

    story = narrator.story("k23")
    narrator.change(story.inputs[0])
    eventually(lambda: list(plane.pods()) == ["demo-dc1-default-sts-0"], "dc2 is stopped")
    assert list(story.calls) == narrator.new_calls()
    eventually(lambda: addresses(plane, "dc2") == [], "nobody is sent to nodes that are stopped")
    narrator.have_datacenters("dc1", "dc2")
    narrator.wait_settled()
    narrator.new_calls()

    assert_a_datacenter_with_replicas_stays(narrator)
    story = narrator.story("k25")
    narrator.new_calls()
    narrator.change(story.inputs[0])
    eventually(lambda: plane.find(CASSANDRA_DATACENTERS, "dc2") is None, "dc2 is gone", timeout=60)
    left = narrator.wait_settled()["status"]
    assert [each["name"] for each in left["datacenters"]] == ["dc1"]
    assert list(story.calls) == narrator.new_calls()
    for kind in (SERVICES, ENDPOINT_SLICES, CONFIG_MAPS):
        eventually(lambda kind=kind: not made_for(plane, kind, "dc2"), f"no {kind.kind} of dc2 is left")
    narrator.assert_told(
        besides=[
            # a datacenter of one node is down while that is restarted
            ("Warning", EventReason.UNHEALTHY_DATACENTER.value),
            # it was started again between two stories
            ("Normal", EventReason.SCALING_UP_RACK.value),
            # whoever leaves is no seed any more
            ("Normal", EventReason.UNLABELED_POD_AS_SEED.value),
        ]
    )


def addresses(plane: Plane, datacenter: str) -> list[str]:
    found = plane.find(ENDPOINT_SLICES, f"demo-{datacenter}-contact-points-service-ipv4")
    return [each for endpoint in (found or {}).get("endpoints", []) for each in endpoint["addresses"]]


def made_for(plane: Plane, kind: Resource, datacenter: str) -> list[str]:
    names = [each["metadata"]["name"] for each in plane.list(kind)]
    return [name for name in names if f"-{datacenter}-" in name]


def assert_a_task_for_nobody_is_invalid(narrator: ClusterNarrator) -> None:
    plane, story = narrator.plane, narrator.story("k05")
    [body] = story.inputs
    plane.admin.request("POST", K8SSANDRA_TASKS.path(plane.namespace), body)
    name = body["metadata"]["name"]
    eventually(lambda: plane.conditions(K8SSANDRA_TASKS, name).get("Invalid") == "True", "it is invalid")
    assert not [each for each in plane.list(CASSANDRA_TASKS) if each["metadata"]["name"].startswith(name)]


def assert_a_datacenter_with_replicas_stays(narrator: ClusterNarrator) -> None:
    """Until the user alters the keyspace."""
    plane, node = narrator.plane, "demo-dc1-default-sts-0"

    def replicate(how: str, **factors: int) -> None:
        settings = [{"dc_name": key, "replication_factor": value} for key, value in factors.items()]
        body = {"keyspace_name": "shop", "replication_settings": settings}
        plane.call("POST", node, f"/api/v0/ops/keyspace/{how}", body)

    replicate("create", dc1=1, dc2=1)
    narrator.have_datacenters("dc1")
    eventually(
        lambda: "keyspace shop still has replicas on it" in narrator.cluster["status"]["error"], "it is told"
    )
    assert "deletionTimestamp" not in plane.get(CASSANDRA_DATACENTERS, "dc2")["metadata"]
    # the mind can be changed
    narrator.have_datacenters("dc1", "dc2")
    narrator.wait_settled()
    replicate("alter", dc1=1)
