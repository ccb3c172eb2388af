"""What the webhooks of each plane say, with the world around them in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

import pytest

from missioncontrol.api.names import Annotation, Label
from missioncontrol.api.resources import (
    CASSANDRA_DATACENTERS,
    K8SSANDRA_CLUSTERS,
    K8SSANDRA_TASKS,
    STORED_DATA_PLANES,
    STORED_OPERATIONS,
)
from missioncontrol.policy.engine import Decision, PolicyInput, Violation
from missioncontrol.policy.question import PlaneFacts
from tests.unit.validation.builders import DC, a_cluster, changed
from tests.unit.webhooks.builders import IDENTITIES, OURS, a_request
from webhooks.budget import Budget
from webhooks.control import ControlPlane
from webhooks.data import DataPlane
from webhooks.inventory import Inventory
from webhooks.metrics import Metrics
from webhooks.quota import Quotas
from webhooks.requester import Person
from webhooks.review import Request, Verdict

APISERVER = f"{OURS}apiserver"
ALICE = '{"username":"alice","groups":["dba"]}'
PLANE = {"metadata": {"name": "plane-1"}, "spec": {"kubeconfigSecretRef": {"name": "s"}}}


class World:
    """An inventory and a policy engine in memory."""

    def __init__(self) -> None:
        self.planes = {"plane-1", "plane-2"}
        self.usable = {("alice", "plane-1"), ("alice", "plane-2")}
        self.clusters: dict[str, Any] = {"demo": a_cluster()}
        self.users: dict[str, list[str]] = {}
        self.violations: tuple[Violation, ...] = ()
        self.asked: list[PolicyInput] = []

    async def planes_among(self, wanted: Collection[str]) -> set[str]:
        return self.planes

    async def plane_facts(self, names: Iterable[str]) -> dict[str, PlaneFacts]:
        return {name: PlaneFacts({}) for name in names}

    async def cluster(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        found = self.clusters.get(name)
        return cast("Mapping[str, Any] | None", found)

    async def users_of_plane(self, name: str) -> dict[str, list[str]]:
        return self.users

    async def charge(self, request: Request) -> Verdict | None:
        return None

    async def may_use(self, person: Person, plane: str) -> bool:
        return (person.username, plane) in self.usable

    async def decide(self, question: PolicyInput, *, timeout: float) -> Decision:
        self.asked.append(question)
        return Decision(self.violations, ("p",))


@pytest.fixture
def world() -> World:
    return World()


def judged(world: World, request: Request, *, mutate: bool = False) -> Verdict:
    plane = ControlPlane(cast("Inventory", world), cast("Quotas", world), world, IDENTITIES, Metrics())
    return asyncio.run((plane.mutate if mutate else plane.validate)(request, Budget.of("5s")))


def asks(operation: str = "CREATE", **more: Any) -> Request:
    return a_request(**{"operation": operation, "user": APISERVER, "requester": ALICE, **more})


def test_a_good_cluster_passes_all(world: World) -> None:
    assert judged(world, asks(new=a_cluster())).allowed
    assert world.asked[0]["requester"] == {"username": "alice", "groups": ["dba"]}


def test_broken_rules_come_before_rights_and_policies(world: World) -> None:
    world.usable.clear()

    verdict = judged(world, asks(new=a_cluster(("cassandra.datacenters.0.k8sContext", "mars"))))

    assert verdict.code == 422
    assert [cause.field for cause in verdict.causes] == [f"{DC}[0].k8sContext"]
    assert world.asked == []


def test_a_plane_needs_the_right_to_use_it(world: World) -> None:
    world.usable.discard(("alice", "plane-2"))

    verdict = judged(world, asks(new=a_cluster()))

    assert verdict.code == 403
    assert "alice may not use the data plane plane-2" in verdict.message


def test_a_change_that_adds_no_plane_needs_no_right(world: World) -> None:
    world.usable.clear()

    verdict = judged(
        world, asks("UPDATE", old=a_cluster(), new=a_cluster(("cassandra.datacenters.0.size", 6)))
    )

    assert verdict.allowed


def test_a_policy_refuses_with_its_message(world: World) -> None:
    world.violations = (Violation("production_minimum_nodes", "f", "needs at least 3"),)

    verdict = judged(world, asks(new=a_cluster()))

    assert verdict.code == 403
    assert verdict.message == "needs at least 3 (policy production_minimum_nodes)"


def test_a_change_of_labels_asks_no_policy(world: World) -> None:
    after = changed(a_cluster(), "metadata.labels", {"a": "b"})

    assert judged(world, asks("UPDATE", old=a_cluster(), new=after)).allowed
    assert world.asked == []


def test_who_asked_is_recorded_whatever_the_object_says(world: World) -> None:
    body = changed(a_cluster(), "metadata.annotations", {Annotation.REQUESTED_BY: "mallory"})

    verdict = judged(world, asks(new=body), mutate=True)

    path = "/metadata/annotations/missioncontrol.io~1requested-by"
    assert list(verdict.patch) == [{"op": "add", "path": path, "value": "alice"}]


def test_who_asked_is_kept_by_those_who_do_not_know_of_it(world: World) -> None:
    before = changed(a_cluster(), "metadata.annotations", {Annotation.REQUESTED_BY: "alice"})

    verdict = judged(world, asks("UPDATE", old=before, new=a_cluster()), mutate=True)

    assert verdict.patch[0]["value"] == {Annotation.REQUESTED_BY: "alice"}


def test_who_asked_cannot_be_changed(world: World) -> None:
    before, after = (
        changed(a_cluster(), "metadata.annotations", {Annotation.REQUESTED_BY: name})
        for name in ("alice", "bob")
    )

    verdict = judged(world, asks("UPDATE", old=before, new=after))

    assert verdict.causes[0].field == "metadata.annotations[missioncontrol.io/requested-by]"


def test_a_plane_in_use_is_not_deleted(world: World) -> None:
    world.users = {"ns/demo": ["dc1"]}

    verdict = judged(world, asks("DELETE", resource=STORED_DATA_PLANES, old=PLANE))

    assert verdict.code == 422
    assert "dc1 of ns/demo" in verdict.message
    world.users = {}
    assert judged(world, asks("DELETE", resource=STORED_DATA_PLANES, old=PLANE)).allowed


@pytest.mark.parametrize(
    ("cluster", "fields"),
    [pytest.param("demo", [], id="known"), pytest.param("nope", ["spec.clusterName"], id="unknown")],
)
def test_an_operation_needs_its_cluster(world: World, cluster: str, fields: list[str]) -> None:
    body = {
        "metadata": {"name": "rollingrestart.r1", "namespace": "ns"},
        "spec": {"type": "RollingRestart", "clusterName": cluster, "rollingrestart": {}},
    }

    verdict = judged(world, asks(resource=STORED_OPERATIONS, new=body))

    assert [cause.field for cause in verdict.causes] == fields
    mutated = judged(world, asks(resource=STORED_OPERATIONS, new=body), mutate=True)
    assert mutated.patch[1]["value"] == {Label.MC_CLUSTER_NAME: cluster}


@pytest.mark.parametrize("spec", [5, "x", [], [1], None, {"clusterName": 5}])
def test_what_no_schema_allows_is_left_to_the_schema(world: World, spec: object) -> None:
    body = {"metadata": {"name": "rollingrestart.r1", "namespace": "ns"}, "spec": spec}
    assert judged(world, asks(resource=STORED_OPERATIONS, new=body), mutate=True).allowed


def test_another_subresource_is_no_way_around_the_rules(world: World) -> None:
    assert judged(world, asks("UPDATE", new=a_cluster(), old=a_cluster(), sub="scale")).code == 403
    assert judged(world, asks("UPDATE", new=a_cluster(), old=a_cluster(), sub="status")).allowed


# --- A data plane --------------------------------------------------------------------------------


def in_data_plane(request: Request, *, mutate: bool = False) -> Verdict:
    plane = DataPlane(IDENTITIES)
    return asyncio.run((plane.mutate if mutate else plane.validate)(request, Budget.of("5s")))


def test_upstreams_rules_hold_in_a_data_plane() -> None:
    body = {
        "metadata": {"name": "dc"},
        "spec": {"serverType": "cassandra", "serverVersion": "5.0.4", "maxUnavailable": -1},
    }

    verdict = in_data_plane(a_request(CASSANDRA_DATACENTERS, new=body))

    assert [cause.field for cause in verdict.causes] == ["spec.maxUnavailable"]


def test_a_deprecated_field_gives_a_warning_and_passes() -> None:
    body = {
        "metadata": {"name": "dc"},
        "spec": {"serverType": "cassandra", "serverVersion": "5.0.4", "racks": [{"name": "r1", "zone": "z"}]},
    }

    verdict = in_data_plane(a_request(CASSANDRA_DATACENTERS, new=body))

    assert verdict.allowed
    assert "nodeAffinityLabels" in verdict.warnings[0]


def test_a_change_that_nobody_is_to_judge_is_not_commented_on() -> None:
    spec = {"serverType": "cassandra", "serverVersion": "5.0.4", "racks": [{"name": "r1", "zone": "z"}]}
    bypass = {"cassandra.datastax.com/bypass-webhook-validations": "true"}
    old = {"metadata": {"name": "dc", "annotations": bypass}, "spec": {**spec, "clusterName": "other"}}
    new = {"metadata": {"name": "dc", "annotations": bypass}, "spec": spec}

    verdict = in_data_plane(a_request(CASSANDRA_DATACENTERS, "UPDATE", old=old, new=new))

    assert verdict.allowed
    assert not verdict.warnings
    # somebody who makes one is told, and judged
    assert in_data_plane(a_request(CASSANDRA_DATACENTERS, new=new)).warnings


def test_another_context_is_refused_in_a_data_plane() -> None:
    body = {"metadata": {"name": "demo", "namespace": "ns"}, "spec": a_cluster()["spec"]["k8ssandra"]}

    verdict = in_data_plane(a_request(K8SSANDRA_CLUSTERS, new=body))

    assert [cause.field for cause in verdict.causes] == [
        "spec.cassandra.datacenters[0].k8sContext",
        "spec.cassandra.datacenters[1].k8sContext",
    ]


def test_who_asked_for_a_task_is_recorded() -> None:
    verdict = in_data_plane(a_request(K8SSANDRA_TASKS, new={"metadata": {"name": "t"}}), mutate=True)

    assert verdict.patch[0]["value"] == {Annotation.REQUESTED_BY: "alice"}


def test_deleting_is_never_judged_by_rules() -> None:
    assert in_data_plane(
        a_request(K8SSANDRA_CLUSTERS, "DELETE", old={"metadata": {"name": "x"}, "spec": 3})
    ).allowed


def test_kinds_without_rules_pass() -> None:
    assert in_data_plane(a_request(K8SSANDRA_TASKS, new={"metadata": {"name": "t"}})).allowed
