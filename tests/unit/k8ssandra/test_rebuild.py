"""A datacenter that joins others is filled from one of them, once, after it is ready."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.k8ssandra.cluster import Cluster
from controllers.k8ssandra.decide import Plan, decide
from missioncontrol.api.names import Annotation, Label
from missioncontrol.kube.views import Meta, Object
from tests.unit.k8ssandra.builders import a_cluster, a_datacenter, a_live, a_pod, a_snapshot, a_spec

ELSEWHERE = {Annotation.SKIP_USER_CREATION: "true", Annotation.REBUILD_SOURCE_DC: "Berlin"}


def two(note: str = "dc2", **options: Any) -> Cluster:
    spec = a_spec(a_datacenter("dc1", 2, datacenterName="One"), a_datacenter("dc2", 3), **options)
    return a_cluster(spec, annotations={Annotation.REBUILD_DC: note} if note else {})


def planned(
    cluster: Cluster, *, task: dict[str, Any] | None = None, live: tuple[str, ...] = ("dc1", "dc2")
) -> Plan:
    tasks = {"dc2": Object(metadata=Meta(name="dc2-rebuild"), status=task)} if task is not None else {}
    pods = [a_pod(name, 0, f"10.0.0.{number}") for number, name in enumerate(live, start=1)]
    return decide(a_snapshot(cluster, *(a_live(cluster, name) for name in live), rebuilds=tasks, pods=pods))


def test_it_is_noted_before_the_datacenter_is_made() -> None:
    plan = planned(two(note=""), live=("dc1",))

    assert plan.create is not None
    assert plan.notes == {Annotation.REBUILD_DC: "dc2"}


def test_the_first_datacenter_of_a_ring_is_not_filled() -> None:
    plan = planned(two(note=""), live=())

    assert plan.create is not None
    assert plan.notes == {}


def test_the_first_datacenter_of_a_plane_is_filled_when_the_ring_began_in_another_one() -> None:
    labels = {Label.CONTROL_PLANE: "cp"}
    cluster = a_cluster(a_spec(a_datacenter("dc2")), labels=labels, annotations=ELSEWHERE)

    assert decide(a_snapshot(cluster)).notes == {Annotation.REBUILD_DC: "dc2"}

    due = a_cluster(
        a_spec(a_datacenter("dc2")), labels=labels, annotations={**ELSEWHERE, Annotation.REBUILD_DC: "dc2"}
    )
    task = decide(a_snapshot(due, a_live(due, "dc2"))).rebuild
    assert task is not None
    assert task["spec"]["jobs"][0]["args"] == {"source_datacenter": "Berlin"}


def test_the_task_names_its_source_as_cassandra_does() -> None:
    plan = planned(two())

    assert plan.rebuild is not None
    assert plan.keyspaces == {"One": 2, "dc2": 3}
    assert plan.rebuild["metadata"]["name"] == "dc2-rebuild"
    assert plan.rebuild["metadata"]["labels"][Label.REBUILD_NODES] == "3"
    assert plan.rebuild["spec"] == {
        "datacenter": {"name": "dc2", "namespace": "ns"},
        "jobs": [{"name": "dc2-rebuild", "command": "rebuild", "args": {"source_datacenter": "One"}}],
    }
    assert not plan.settled


@pytest.mark.parametrize(("limit", "pods"), [(2, 2), (0, 3)], ids=["so many at once", "all at once"])
def test_the_user_says_from_where_and_how_many_at_once(limit: int, pods: int) -> None:
    plan = planned(two(rebuild={"sourceDc": "Far", "maxConcurrentRebuilds": limit}))

    assert plan.rebuild is not None
    assert plan.rebuild["spec"]["jobs"][0]["args"] == {"source_datacenter": "Far"}
    assert plan.rebuild["spec"]["maxConcurrentPods"] == pods


def test_a_datacenter_is_not_filled_from_itself() -> None:
    assert "cannot be filled from itself" in planned(two(rebuild={"sourceDc": "dc2"})).error


def test_the_task_is_waited_for_and_then_the_note_goes() -> None:
    running = planned(two(), task={"succeeded": 1})
    ended = planned(two(), task={"succeeded": 3, "completionTime": "2026-01-01T00:00:00Z"})

    assert running.waiting == "datacenter dc2 is being filled: 1 of 3 nodes"
    assert running.rebuild is None
    assert ended.notes == {Annotation.REBUILD_DC: None}
    assert ended.settled


def test_a_failure_says_how_to_go_on() -> None:
    failed = {"failed": 1, "completionTime": "2026-01-01T00:00:00Z"}

    plan = planned(two(), task=failed)

    assert "delete the CassandraTask dc2-rebuild to try again" in plan.waiting
    assert plan.notes == {}


def test_what_was_there_before_is_left_alone() -> None:
    plan = planned(two(note=""))

    assert plan.settled
    assert plan.rebuild is None


def test_a_datacenter_cannot_be_added_while_it_is_stopped() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1"), a_datacenter("dc2", stopped=True)))

    plan = planned(cluster, live=("dc1",))

    assert plan.create is None
    assert "cannot be added while it is stopped" in plan.error
