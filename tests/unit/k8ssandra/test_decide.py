"""What k8ssandra-operator does next about a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from controllers.k8ssandra import status
from controllers.k8ssandra.decide import decide
from missioncontrol.api.names import Annotation, Label
from missioncontrol.kube.views import Meta, MetaView, Object
from tests.unit.k8ssandra.builders import (
    NAMESPACE,
    a_cluster,
    a_datacenter,
    a_live,
    a_pod,
    a_snapshot,
    a_spec,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TWO = a_spec(a_datacenter("dc1", 3), a_datacenter("dc2", 3))
MANAGED = {Label.CONTROL_PLANE: "cp"}


def test_the_first_datacenter_is_made_first() -> None:
    plan = decide(a_snapshot(a_cluster(TWO)))

    assert plan.create is not None
    assert plan.create["metadata"]["name"] == "dc1"
    assert plan.keyspaces == {}


def test_the_second_datacenter_waits_until_the_first_is_ready() -> None:
    cluster = a_cluster(TWO)

    plan = decide(a_snapshot(cluster, a_live(cluster, "dc1", ready=False)))

    assert plan.create is None
    assert plan.waiting == "datacenter dc1 has 0 of 3 nodes ready"


def test_the_second_datacenter_follows_once_the_first_is_ready_and_replicated_to() -> None:
    cluster = a_cluster(TWO)

    plan = decide(a_snapshot(cluster, a_live(cluster, "dc1")))

    assert plan.create is not None
    assert plan.create["metadata"]["name"] == "dc2"
    assert plan.keyspaces == {"dc1": 3}


def test_all_ready_is_settled_and_observed() -> None:
    cluster = a_cluster(TWO, generation=4)
    snapshot = a_snapshot(cluster, a_live(cluster, "dc1"), a_live(cluster, "dc2"))

    plan = decide(snapshot)
    told = status.cluster_status(snapshot, plan, now=NOW)

    assert plan.settled
    assert plan.keyspaces == {"dc1": 3, "dc2": 3}
    assert told["observedGeneration"] == 4
    assert told["error"] == "None"
    assert [(each["type"], each["status"]) for each in told["conditions"]] == [
        ("CassandraInitialized", "True"),
        ("Ready", "True"),
        ("RequiresUpdate", "False"),
    ]
    assert [(each["name"], each["readyReplicas"], each["replicas"]) for each in told["datacenters"]] == [
        ("dc1", 0, 3),
        ("dc2", 0, 3),
    ]


def test_a_status_that_is_right_is_not_written_again() -> None:
    cluster = a_cluster(TWO)
    live = a_live(cluster, "dc1"), a_live(cluster, "dc2")
    first = a_snapshot(cluster, *live)
    stored = status.cluster_status(first, decide(first), now=NOW)
    later = a_snapshot(cluster, *live, status=stored)

    told = status.cluster_status(later, decide(later), now=NOW.replace(year=2030))

    assert status.changes(stored, told) == {}


def test_a_new_size_is_applied_on_the_version_it_was_decided_on() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1", 6)), generation=2)
    live = a_live(a_cluster(a_spec(a_datacenter("dc1", 3))), "dc1", resource_version="42")

    plan = decide(a_snapshot(cluster, live, status={"observedGeneration": 1}))

    assert plan.update is not None
    assert plan.update["metadata"]["resourceVersion"] == "42"
    assert plan.update["spec"]["size"] == 6


def test_the_second_datacenter_changes_after_the_first() -> None:
    cluster = a_cluster(a_spec(a_datacenter("dc1", 6), a_datacenter("dc2", 6)), generation=2)
    before = a_cluster(TWO)

    plan = decide(
        a_snapshot(cluster, a_live(before, "dc1"), a_live(before, "dc2"), status={"observedGeneration": 1})
    )

    assert plan.update is not None
    assert plan.update["metadata"]["name"] == "dc1"


def test_another_release_alone_never_touches_a_database() -> None:
    cluster = a_cluster(generation=3)
    live = a_live(cluster, "dc1", annotations={Annotation.K8SSANDRA_RESOURCE_HASH: "of an older release"})
    snapshot = a_snapshot(cluster, live, status={"observedGeneration": 3})

    plan = decide(snapshot)

    assert plan.update is None
    assert plan.requires_update == ["dc1"]
    told = status.cluster_status(snapshot, plan, now=NOW)
    assert next(each["status"] for each in told["conditions"] if each["type"] == "RequiresUpdate") == "True"


def test_what_was_changed_by_hand_is_put_right() -> None:
    cluster = a_cluster(generation=3)
    live = a_live(cluster, "dc1", spec={"serverVersion": "4.1.0"})

    plan = decide(a_snapshot(cluster, live, status={"observedGeneration": 3}))

    assert plan.update is not None
    assert plan.update["spec"]["serverVersion"] == "5.0.4"


def test_a_datacenter_of_another_cluster_is_never_taken_over() -> None:
    cluster = a_cluster()
    theirs = a_live(a_cluster(name="other"), "dc1")
    snapshot = a_snapshot(cluster, theirs)

    plan = decide(snapshot)

    assert "dc1 exists already and belongs to K8ssandraCluster ns/other" in plan.error
    assert (plan.create, plan.update, plan.slices, plan.config_maps) == (None, None, [], [])
    assert status.cluster_status(snapshot, plan, now=NOW)["datacenters"] == []


def test_a_datacenter_without_an_owner_is_never_taken_over_either() -> None:
    theirs = Object(metadata=Meta(name="dc1", namespace=NAMESPACE), spec={"size": 1})

    plan = decide(a_snapshot(a_cluster(), theirs))

    assert "belongs to no K8ssandraCluster" in plan.error


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param(
            a_spec(a_datacenter("dc1", k8sContext="east")),
            "spec.cassandra.datacenters[0].k8sContext",
            id="a datacenter in another Kubernetes cluster",
        ),
        pytest.param(
            {**a_spec(), "medusa": {"storageProperties": {"bucketName": "b"}}}, "spec.medusa", id="Medusa"
        ),
    ],
)
def test_what_is_not_supported_is_reported_and_nothing_is_done(spec: dict[str, Any], told: str) -> None:
    plan = decide(a_snapshot(a_cluster(spec)))

    assert told in plan.error
    assert plan.create is None


def test_a_smaller_size_is_passed_on() -> None:
    live = a_live(a_cluster(a_spec(a_datacenter("dc1", 6))), "dc1")

    plan = decide(a_snapshot(a_cluster(a_spec(a_datacenter("dc1", 3)), generation=2), live))

    assert not plan.error
    assert plan.update is not None
    assert plan.update["spec"]["size"] == 3


def test_a_datacenter_is_stopped_and_nobody_is_asked_about_keyspaces_then() -> None:
    stopping = a_cluster(a_spec(a_datacenter("dc1", 3, stopped=True)), generation=2)
    plan = decide(a_snapshot(stopping, a_live(a_cluster(a_spec(a_datacenter("dc1", 3))), "dc1")))
    assert plan.update is not None
    assert plan.update["spec"]["stopped"] is True

    live = a_live(stopping, "dc1")
    assert decide(a_snapshot(stopping, live)).waiting == "datacenter dc1 is being stopped"
    live.status["conditions"] = [
        {"type": "Initialized", "status": "True"},
        {"type": "Stopped", "status": "True"},
    ]
    stopped = decide(a_snapshot(stopping, live))
    assert stopped.settled
    assert stopped.keyspaces == {}


def test_a_size_waits_until_the_datacenter_has_stopped_scaling() -> None:
    before = a_cluster(a_spec(a_datacenter("dc1", 3)))
    live = a_live(before, "dc1")
    live.status["conditions"].append({"type": "ScalingUp", "status": "True"})

    plan = decide(a_snapshot(a_cluster(a_spec(a_datacenter("dc1", 6)), generation=2), live))

    assert plan.update is None
    assert "still scaling" in plan.waiting
    assert not plan.error


def test_nothing_is_made_before_the_superuser_has_a_secret() -> None:
    plan = decide(a_snapshot(a_cluster(labels=MANAGED), has_secret=False))

    assert plan.create is None
    assert "demo-superuser" in plan.waiting
    assert "control plane" in plan.waiting


def test_seeds_of_one_datacenter_are_told_to_the_other_without_waiting() -> None:
    cluster = a_cluster(TWO)
    live = a_live(cluster, "dc1", ready=False), a_live(cluster, "dc2", ready=False)
    pods = [a_pod("dc1", 0, "10.0.0.1"), a_pod("dc1", 1, "10.0.0.2", seed=False)]

    plan = decide(a_snapshot(cluster, *live, pods=pods))

    found = {
        each["metadata"]["labels"][Label.SERVICE_NAME]: each["endpoints"][0]["addresses"]
        for each in plan.slices
    }
    assert found == {
        "demo-dc2-additional-seed-service": ["10.0.0.1"],
        "demo-dc1-contact-points-service": ["10.0.0.1", "10.0.0.2"],
    }


def metadata_of(bodies: list[dict[str, Any]]) -> dict[str, MetaView]:
    """What there is of objects once they were written."""
    keys = ("name", "namespace", "labels", "annotations")
    found = [{key: body["metadata"][key] for key in keys} for body in bodies]
    return {each["name"]: MetaView(metadata=Meta(**each)) for each in found}


def test_what_is_right_is_left_alone_and_what_has_no_addresses_goes() -> None:
    cluster = a_cluster(TWO)
    live = a_live(cluster, "dc1"), a_live(cluster, "dc2")
    pods = [a_pod("dc1", 0, "10.0.0.1")]
    first = decide(a_snapshot(cluster, *live, pods=pods))
    there = {"slices": metadata_of(first.slices), "services": metadata_of(first.services)}

    later = decide(a_snapshot(cluster, *live, pods=pods, **there))
    assert (later.slices, later.services) == ([], [])
    without = decide(a_snapshot(cluster, *live, **there))
    assert without.stale_slices == sorted(there["slices"])
    assert without.stale_services == []


def test_a_datacenter_that_is_named_no_more_goes_before_anything_else_happens() -> None:
    whole, rest = a_cluster(TWO), a_cluster(a_spec(a_datacenter("dc1", 9)))
    live = a_live(whole, "dc1"), a_live(whole, "dc2")
    services = metadata_of(decide(a_snapshot(whole, *live)).services)

    plan = decide(a_snapshot(rest, *live, services=services))

    assert plan.leaving is not None
    assert plan.leaving.metadata.name == "dc2"
    assert plan.stale_services == ["demo-dc2-contact-points-service"]
    assert (plan.update, plan.keyspaces, plan.settled) == (None, {}, False)
    told = status.cluster_status(a_snapshot(rest, *live), plan, now=NOW)
    progress = [each.get("decommissionProgress") for each in told["datacenters"]]
    assert progress == [None, "UpdatingReplication"]


def test_datacenters_are_neither_renamed_nor_taken_from_a_control_plane() -> None:
    live = a_live(a_cluster(), "dc1")
    renamed = decide(a_snapshot(a_cluster(a_spec(a_datacenter("dc2"))), live))
    assert renamed.error.startswith("datacenters cannot be renamed, nor added (dc2) and removed (dc1)")
    assert (renamed.leaving, renamed.create) == (None, None)
    managed = a_cluster(TWO, labels=MANAGED)
    rest = a_cluster(a_spec(a_datacenter("dc1")), labels=MANAGED)
    lives = a_live(managed, "dc1"), a_live(managed, "dc2")
    assert "removing a datacenter (dc2) is not supported yet" in decide(a_snapshot(rest, *lives)).error


def test_system_keyspaces_of_a_plane_that_does_not_own_them_are_left_alone() -> None:
    cluster = a_cluster(labels=MANAGED)

    assert decide(a_snapshot(cluster, a_live(cluster, "dc1"))).keyspaces == {}


def test_the_map_of_the_control_plane_is_followed_for_foreign_and_initialised_datacenters() -> None:
    annotations = {Annotation.INITIAL_SYSTEM_REPLICATION: '{"dc1":3,"dc2":3,"elsewhere":2}'}
    cluster = a_cluster(TWO, labels=MANAGED, annotations=annotations)

    plan = decide(a_snapshot(cluster, a_live(cluster, "dc1"), a_live(cluster, "dc2", ready=False)))

    assert plan.keyspaces == {"dc1": 3, "elsewhere": 2}
