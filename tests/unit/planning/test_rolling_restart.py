"""The order of a rolling restart, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.planning.rolling_restart import Plan, Refusal, plan


def cluster(*datacenters: str, **metadata: Any) -> dict[str, Any]:
    entries = [{"metadata": {"name": name}, "size": 3} for name in datacenters]
    return {
        "metadata": {"name": "demo", **metadata},
        "spec": {"k8ssandra": {"cassandra": {"datacenters": entries}}},
    }


def datacenter(
    name: str, racks: dict[str, int], *, ready: bool = True, nodes: bool = True, cluster_name: str = "demo"
) -> dict[str, Any]:
    pods = [
        {"name": f"demo-{name}-{rack}-sts-{ordinal}", "rack": rack}
        for rack, size in racks.items()
        for ordinal in range(size)
    ]
    return {
        "metadata": {"name": f"{cluster_name}.{name}"},
        "spec": {
            "clusterName": cluster_name,
            "name": name,
            "size": sum(racks.values()),
            "racks": [{"name": rack, "size": size} for rack, size in racks.items()],
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "message": "2 of 3 nodes are ready",
            "nodes": pods if nodes else [],
        },
    }


def planned(spec: dict[str, Any], *datacenters: dict[str, Any], **options: Any) -> Plan:
    names = [each["spec"]["name"] for each in datacenters]
    outcome = plan({"clusterName": "demo", **spec}, cluster(*names), datacenters, **options)
    assert isinstance(outcome, Plan), outcome
    return outcome


def refused(spec: dict[str, Any], *datacenters: dict[str, Any]) -> Refusal:
    names = [each["spec"]["name"] for each in datacenters]
    outcome = plan({"clusterName": "demo", **spec}, cluster(*names), datacenters)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def pods(outcome: Plan) -> list[str]:
    return [pod for step in outcome.steps for pod in step.pods]


def test_racks_go_by_statefulset_name_and_pods_by_falling_ordinal() -> None:
    outcome = planned({}, datacenter("dc1", {"r2": 1, "r10": 2, "r1": 3}))
    assert pods(outcome) == [
        "demo-dc1-r1-sts-2",
        "demo-dc1-r1-sts-1",
        "demo-dc1-r1-sts-0",
        "demo-dc1-r10-sts-1",
        "demo-dc1-r10-sts-0",
        "demo-dc1-r2-sts-0",
    ]
    assert outcome.pods_touched == 6


def test_ordinals_are_numbers_and_not_text() -> None:
    assert pods(planned({}, datacenter("dc1", {"r1": 11})))[:2] == ["demo-dc1-r1-sts-10", "demo-dc1-r1-sts-9"]


@pytest.mark.parametrize(
    ("wanted", "order"),
    [([], ["dc1", "dc2"]), (["dc2", "dc1"], ["dc2", "dc1"]), (["dc2"], ["dc2"])],
    ids=["all in the order of the spec", "as listed", "only one"],
)
def test_datacenters_go_as_listed(wanted: list[str], order: list[str]) -> None:
    outcome = planned({"datacenters": wanted}, datacenter("dc1", {"r1": 1}), datacenter("dc2", {"r1": 1}))
    assert list(outcome.datacenters) == order


def test_only_the_named_racks_restart() -> None:
    spec = {"rollingrestart": {"racks": ["r2"]}}
    outcome = planned(spec, datacenter("dc1", {"r1": 1, "r2": 1}), datacenter("dc2", {"r1": 1}))
    assert pods(outcome) == ["demo-dc1-r2-sts-0"]


def test_pods_that_no_status_names_yet_are_derived() -> None:
    assert pods(planned({}, datacenter("dc1", {"r1": 2}, nodes=False))) == [
        "demo-dc1-r1-sts-1",
        "demo-dc1-r1-sts-0",
    ]


def test_availability_and_message_say_what_stays() -> None:
    outcome = planned({}, datacenter("dc1", {"r1": 2, "r2": 1}))
    assert outcome.steps[0].availability == "2 of 3 nodes of dc1 stay available"
    assert outcome.message == "restarts 3 nodes, one at a time, of demo: dc1 (r1, r2)"


def test_a_datacenter_that_is_not_ready_blocks() -> None:
    outcome = planned({}, datacenter("dc1", {"r1": 3}, ready=False))
    assert outcome.blocking == ("dc1 is not ready: 2 of 3 nodes are ready",)


def test_an_earlier_operation_blocks_and_a_finished_one_does_not() -> None:
    others = [
        {
            "metadata": {"name": "rollingrestart.a"},
            "spec": {"type": "RollingRestart"},
            "status": {"phase": phase},
        }
        for phase in ("Running", "Complete")
    ]
    outcome = planned({}, datacenter("dc1", {"r1": 1}), others=others)
    assert outcome.blocking == ("RollingRestart a is running",)


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"datacenters": ["dc1", "dc9"]}, ["spec.datacenters[1]"]),
        ({"datacenters": ["dc1", "dc1"]}, ["spec.datacenters[1]"]),
        ({"rollingrestart": {"racks": ["r1", "r9"]}}, ["spec.rollingrestart.racks[1]"]),
        (
            {"datacenters": ["x"], "rollingrestart": {"racks": ["y"]}},
            ["spec.datacenters[0]", "spec.rollingrestart.racks[0]"],
        ),
    ],
    ids=["unknown datacenter", "datacenter twice", "unknown rack", "all causes at once"],
)
def test_what_does_not_exist_is_refused_by_its_path(spec: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in refused(spec, datacenter("dc1", {"r1": 1})).causes] == fields


def test_an_unknown_cluster_is_refused() -> None:
    outcome = plan({"clusterName": "nope"}, None, [])
    assert isinstance(outcome, Refusal)
    assert outcome.causes[0].field == "spec.clusterName"
    assert "nope" in outcome.message


def test_datacenters_of_other_clusters_do_not_count() -> None:
    other = datacenter("dc1", {"r1": 5}, cluster_name="other")
    outcome = plan({"clusterName": "demo"}, cluster("dc1"), [other, datacenter("dc1", {"r1": 1})])
    assert isinstance(outcome, Plan)
    assert outcome.pods_touched == 1
