"""What is refused, what is told of a cluster, its superuser, and what a deletion waits for."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from controllers.missioncontrol.clusters.cleanup import Leftovers, foreign_contents
from controllers.missioncontrol.clusters.datacenters import datacenter_status, view
from controllers.missioncontrol.clusters.facts import Cluster, PlaneFacts, Snapshot
from controllers.missioncontrol.clusters.guard import Objection, name_taken, object_to
from controllers.missioncontrol.clusters.rollout import plan_rollout
from controllers.missioncontrol.clusters.status import cluster_status, deleting_status
from controllers.missioncontrol.clusters.superuser import Make, decide
from missioncontrol.kube.views import Meta
from tests.unit.missioncontrol_operator.conftest import Build

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
TWO = (("dc1", "p1", 3), ("dc2", "p2", 3))


def told(snapshot: Snapshot, *, now: str = NOW) -> dict[str, Any]:
    rollout = plan_rollout(snapshot)
    views = [view(snapshot, rollout, each) for each in snapshot.cluster.datacenters]
    return cluster_status(snapshot, rollout, views, object_to(snapshot), now=now)


def condition(status: dict[str, Any], type_: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in status["conditions"] if each["type"] == type_)
    return found


def recorded(*names: str, placed: bool = True) -> dict[str, Any]:
    mark = [{"type": "Placed", "status": "True"}] if placed else []
    conditions = [{"type": "Initialized", "status": "True"}]
    entries = [{"name": name, "dataPlane": f"p{name[-1]}", "conditions": mark} for name in names]
    return {"conditions": conditions, "datacenters": entries}


# --- The guard --------------------------------------------------------------------------------------


def _both(build: Build, cluster: Cluster, **placed: Any) -> Snapshot:
    return build.snapshot(cluster, build.plane("p1", ("dc1", 3), **placed), build.plane("p2", ("dc2", 3)))


def test_what_was_asked_for_is_not_objected_to(build: Build) -> None:
    assert object_to(_both(build, build.cluster(*TWO, status=recorded("dc1", "dc2")))) is None


@pytest.mark.parametrize(
    ("datacenters", "cassandra", "field"),
    [
        ((("dc1", "p2", 3), TWO[1]), {}, "spec.k8ssandra.cassandra.datacenters[0].k8sContext"),
        ((TWO[0],), {}, "spec.k8ssandra.cassandra.datacenters"),
        (TWO, {"stargate": {"size": 1}}, "spec.k8ssandra.cassandra.stargate"),
    ],
    ids=["moving", "removing", "a field nobody carries out"],
)
def test_what_is_not_supported_is_not_acted_upon(
    build: Build, datacenters: Any, cassandra: dict[str, Any], field: str
) -> None:
    cluster = build.cluster(*datacenters, cassandra=cassandra, status=recorded("dc1", "dc2"))
    objection = object_to(_both(build, cluster))
    assert objection is not None
    assert objection.reason == "NotSupported"
    assert field in objection.message


def test_a_datacenter_is_added_after_those_that_are_there(build: Build) -> None:
    status = recorded("dc1", "dc2")
    last = build.cluster(*TWO, ("dc3", "p1", 3), status=status)
    first = build.cluster(("dc3", "p1", 3), *TWO, status=status)

    assert object_to(_both(build, last)) is None
    objection = object_to(_both(build, first))
    assert objection is not None
    assert "comes after those that are there" in objection.message


def test_before_anything_is_initialised_the_spec_may_still_change(build: Build) -> None:
    status = {"datacenters": recorded("dc1", placed=False)["datacenters"]}
    cluster = build.cluster(*TWO, status=status)
    assert object_to(build.snapshot(cluster, build.plane("p1"), build.plane("p2"))) is None


def test_an_invalid_spec_is_not_acted_upon(build: Build) -> None:
    twice = build.cluster(("dc1", "p1", 3), ("dc1", "p2", 3))
    objection = object_to(build.snapshot(twice, build.plane("p1"), build.plane("p2")))
    assert isinstance(objection, Objection)
    assert objection.reason == "InvalidSpec"
    assert "datacenters[1].metadata.name" in objection.message


def test_a_name_that_is_taken_is_told_with_whose_it_is(build: Build) -> None:
    cluster = build.cluster(*TWO)
    assert name_taken(build.plane("p1", ("dc1", 3)), cluster) == ""
    labels = {**build.owner.labels(), "missioncontrol.io/control-plane": "another"}
    theirs = build.plane("p1", placed=build.placed({"dc1": 3}, labels=labels))
    assert "belongs to the cluster store/demo of the control plane another" in name_taken(theirs, cluster)


# --- What is told -----------------------------------------------------------------------------------


def test_a_cluster_that_is_well(build: Build) -> None:
    status = told(_both(build, build.cluster(*TWO)))
    assert (status["phase"], status["message"]) == ("Ready", "all 6 nodes in 2 datacenters are ready")
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Ready": "True",
        "Progressing": "False",
        "Reconciled": "True",
        "Initialized": "True",
    }
    assert (status["replicas"], status["readyReplicas"]) == (6, 6)
    assert status["selector"] == "cassandra.datastax.com/cluster=demo"


@pytest.mark.parametrize(
    ("first", "second", "phase", "reason", "words"),
    [
        ({}, {}, "Pending", "Waiting", "dc1 is about to be asked"),
        (
            {"size": 3, "joined": 1},
            {},
            "Bootstrapping",
            "Bootstrapping",
            "dc1 (Bootstrapping): 1 of 3 nodes are ready; dc2 waits: dc1 has 1 of 3 nodes ready",
        ),
        ({"size": 3}, {"size": 3, "ready": 2}, "Degraded", "NodesNotReady", "not ready: demo-dc2-r1-sts-2"),
        (
            {"size": 3},
            {"size": 3, "current": False},
            "Updating",
            "Updating",
            "dc2 (Updating): 3 of 3 nodes are ready, its operator is at work",
        ),
    ],
    ids=["nothing yet", "bootstrapping", "a node is down", "a change rolls"],
)
def test_phase_reason_and_sentence(
    build: Build,
    first: dict[str, Any],
    second: dict[str, Any],
    phase: str,
    reason: str,
    words: str,
) -> None:
    def plane(name: str, datacenter: str, parts: dict[str, Any]) -> PlaneFacts:
        if not parts:
            return build.plane(name)
        return build.plane(name, (datacenter, 3), facts={datacenter: build.facts(datacenter, **parts)})

    cluster = build.cluster(*TWO)
    status = told(build.snapshot(cluster, plane("p1", "dc1", first), plane("p2", "dc2", second)))
    assert status["phase"] == phase
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert words in status["message"]


def test_a_plane_that_is_away_keeps_its_last_values_and_says_so(build: Build) -> None:
    away = build.plane("p2", ("dc2", 3), reachable=False, away_since="noon")
    cluster = build.cluster(*TWO, status=recorded("dc1", "dc2"))
    status = told(build.snapshot(cluster, build.plane("p1", ("dc1", 3)), away))
    assert status["phase"] == "Degraded"
    assert condition(status, "Ready")["reason"] == "DataPlaneAway"
    assert "the data plane p2 is away since noon" in status["message"]
    assert status["readyReplicas"] == 6
    entry = status["datacenters"][1]
    conditions = {each["type"]: each["status"] for each in entry["conditions"]}
    assert conditions == {"Ready": "Unknown", "Reachable": "False", "Placed": "True"}


def test_what_an_operator_never_saw_is_kept_from_what_is_stored(build: Build) -> None:
    dark = build.plane("p2", reachable=False, known=False, away_since="noon")
    cluster = build.cluster(*TWO, status=recorded("dc1", "dc2"))
    snapshot = build.snapshot(cluster, build.plane("p1", ("dc1", 3)), dark)
    seen = view(snapshot, plan_rollout(snapshot), cluster.datacenters[1])
    before = {"readyReplicas": 2, "replicas": 3, "nodes": [{"name": "n"}], "version": "5.0.4"}
    status = datacenter_status(snapshot, seen, before)
    assert {key: status[key] for key in before} == before


def test_times_move_only_with_the_status(build: Build) -> None:
    first = told(_both(build, build.cluster(*TWO)))
    again = told(_both(build, build.cluster(*TWO, status=first)), now=LATER)
    assert again == first
    broken = build.plane("p1", ("dc1", 3), facts={"dc1": build.facts("dc1", 3, ready=2)})
    snapshot = build.snapshot(build.cluster(*TWO, status=first), broken, build.plane("p2", ("dc2", 3)))
    later = told(snapshot, now=LATER)
    assert condition(later, "Ready")["lastTransitionTime"] == LATER
    assert condition(later, "Reconciled")["lastTransitionTime"] == NOW


def test_what_is_objected_to_is_told_and_not_recorded(build: Build) -> None:
    cluster = build.cluster(("dc3", "p1", 3), *TWO, status=recorded("dc1", "dc2"))
    status = told(_both(build, cluster))
    assert condition(status, "Reconciled")["reason"] == "InvalidSpec"
    assert [each["name"] for each in status["datacenters"]] == ["dc1", "dc2"]
    assert status["message"].startswith("is left as it is: spec.k8ssandra.cassandra.datacenters[0]")


def test_a_deletion_tells_what_it_waits_for(build: Build) -> None:
    status = deleting_status(build.cluster(*TWO, status=recorded("dc1")), ["waits for 2 pods"], now=NOW)
    assert (status["phase"], status["message"]) == ("Deleting", "is being deleted: waits for 2 pods")
    assert status["datacenters"] == recorded("dc1")["datacenters"]


# --- Superuser and leftovers ------------------------------------------------------------------------


GOOD = {"username": "dQ==", "password": "cA=="}


def test_a_superuser_is_made_once(build: Build) -> None:
    cluster = build.cluster(*TWO)
    made = decide(cluster, None, [], exists=False)
    assert isinstance(made, Make)
    assert base64.b64decode(made.data["username"]) == b"demo-superuser"
    assert len(base64.b64decode(made.data["password"])) == 20
    assert decide(cluster, GOOD, [], exists=False) is None


def test_a_lost_superuser_is_taken_back_and_never_made_anew(build: Build) -> None:
    cluster = build.cluster(*TWO)
    assert decide(cluster, None, [GOOD], exists=True) == Make(GOOD)
    lost = decide(cluster, None, [], exists=True)
    assert isinstance(lost, Objection)
    assert "is gone" in lost.message


@pytest.mark.parametrize("present", [None, {"username": "dQ=="}], ids=["missing", "without password"])
def test_a_named_superuser_that_cannot_be_used_is_told_with_its_field(
    build: Build, present: dict[str, str] | None
) -> None:
    cluster = build.cluster(*TWO, cassandra={"superuserSecretRef": {"name": "mine"}})
    objection = decide(cluster, present, [GOOD], exists=True)
    assert isinstance(objection, Objection)
    assert objection.message.startswith("spec.k8ssandra.cassandra.superuserSecretRef.name: ")
    assert "store/mine" in objection.message


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({}, ""),
        ({"tasks": [Meta(name="t")], "cluster": Meta()}, "waits for the tasks t in the data plane p"),
        ({"cluster": Meta()}, "waits for the K8ssandraCluster in the data plane p"),
        ({"datacenters": ["dc1"], "pods": 1}, "waits for the datacenter dc1 and 1 pod in the data plane p"),
        ({"secrets": [Meta(name="s")]}, "waits for the Secrets s in the data plane p"),
        ({"namespace": Meta(name="n")}, "waits for the namespace n in the data plane p"),
    ],
    ids=["nothing", "tasks first", "the cluster", "its datacenters", "secrets after", "the namespace last"],
)
def test_leftovers_go_in_order(parts: dict[str, Any], sentence: str) -> None:
    assert Leftovers("p", **parts).sentence() == sentence


def test_a_namespace_is_ours_to_delete_only_when_nothing_of_others_is_in_it() -> None:
    found = {
        "configmaps": [{"metadata": {"name": "kube-root-ca.crt"}}, {"metadata": {"name": "theirs"}}],
        "pods": [{"metadata": {"name": "going", "deletionTimestamp": NOW}}],
        "services": [{"metadata": {"name": "owned", "ownerReferences": [{}]}}],
    }
    assert foreign_contents(found) == (["configmaps/theirs"], ["pods/going", "services/owned"])
