"""The plans of operations: their order, what stays available, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from missioncontrol.api.registry import OPERATION_KINDS
from missioncontrol.planning.catalog import CATALOG, plan
from missioncontrol.planning.plans import Plan, Refusal


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
    outcome = plan(
        {"type": "RollingRestart", "clusterName": "demo", **spec}, cluster(*names), datacenters, **options
    )
    assert isinstance(outcome, Plan), outcome
    return outcome


def refused(spec: dict[str, Any], *datacenters: dict[str, Any]) -> Refusal:
    names = [each["spec"]["name"] for each in datacenters]
    outcome = plan({"type": "RollingRestart", "clusterName": "demo", **spec}, cluster(*names), datacenters)
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
    typed = {"type": "RollingRestart", "clusterName": "demo"}
    outcome = plan(typed, cluster("dc1"), [other, datacenter("dc1", {"r1": 1})])
    assert isinstance(outcome, Plan)
    assert outcome.pods_touched == 1


# --- the other kinds -----------------------------------------------------------------------------

TWO = (datacenter("dc1", {"r1": 2, "r2": 1}), datacenter("dc2", {"r1": 1}))


def test_every_kind_of_operation_has_a_planner() -> None:
    assert set(CATALOG) == {each.resource.kind for each in OPERATION_KINDS}


def test_a_job_goes_up_the_ordinals_and_takes_no_node_down() -> None:
    outcome = planned({"type": "Cleanup", "cleanup": {"maxConcurrentPods": 2}}, *TWO)
    assert pods(outcome) == [
        "demo-dc1-r1-sts-0",
        "demo-dc1-r1-sts-1",
        "demo-dc1-r2-sts-0",
        "demo-dc2-r1-sts-0",
    ]
    assert outcome.steps[0].availability == "all 3 nodes of dc1 stay available"
    assert outcome.message == (
        "cleans up 4 nodes, up to 2 of a rack at a time, of demo: dc1 (r1, r2), then dc2 (r1)"
    )


def test_a_flush_waits_for_nobody() -> None:
    others = [{"metadata": {"name": "scrub.a"}, "spec": {"type": "Scrub"}, "status": {"phase": "Running"}}]
    assert planned({"type": "Flush", "flush": {}}, *TWO, others=others).blocking == ()
    assert planned({"type": "Scrub", "scrub": {}}, *TWO, others=others).blocking == ("Scrub a is running",)


def test_a_rebuild_leaves_its_source_alone() -> None:
    outcome = planned({"type": "Rebuild", "rebuild": {"sourceDatacenter": "dc1"}}, *TWO)
    assert outcome.datacenters == ("dc2",)


@pytest.mark.parametrize(
    ("datacenters", "source", "field", "words"),
    [
        ([], "dc9", "spec.rebuild.sourceDatacenter", "the datacenters of the cluster are: dc1, dc2"),
        (["dc2", "dc1"], "dc1", "spec.datacenters[1]", "a datacenter is not rebuilt from itself"),
    ],
    ids=["unknown source", "from itself"],
)
def test_a_rebuild_needs_another_datacenter_as_its_source(
    datacenters: list[str], source: str, field: str, words: str
) -> None:
    spec = {"type": "Rebuild", "datacenters": datacenters, "rebuild": {"sourceDatacenter": source}}
    [cause] = refused(spec, *TWO).causes
    assert cause.field == field
    assert words in cause.message


def moves(tokens: dict[str, str], *, num_tokens: int | None = 1) -> Plan | Refusal:
    body = cluster("dc1", "dc2")
    cassandra = body["spec"]["k8ssandra"]["cassandra"]
    if num_tokens is not None:
        cassandra["config"] = {"cassandraYaml": {"num_tokens": num_tokens}}
    spec = {"type": "TokenMove", "clusterName": "demo", "tokenmove": {"tokens": tokens}}
    return plan(spec, body, TWO)


def test_only_the_nodes_that_get_a_token_are_moved_in_the_order_of_the_datacenters() -> None:
    outcome = moves({"demo-dc2-r1-sts-0": "5", "demo-dc1-r1-sts-1": "-7"})
    assert isinstance(outcome, Plan)
    assert pods(outcome) == ["demo-dc1-r1-sts-1", "demo-dc2-r1-sts-0"]


def test_a_move_of_nobody_or_to_one_token_twice_is_refused() -> None:
    outcome = moves({"demo-dc1-r1-sts-0": "5", "demo-dc1-r1-sts-1": "5", "gone": "6"})
    assert isinstance(outcome, Refusal)
    assert [cause.field for cause in outcome.causes] == [
        "spec.tokenmove.tokens[demo-dc1-r1-sts-1]",
        "spec.tokenmove.tokens[gone]",
    ]


@pytest.mark.parametrize("number", [16, None], ids=["sixteen", "the default"])
def test_nodes_with_several_tokens_cannot_be_moved(number: int | None) -> None:
    outcome = moves({"demo-dc1-r1-sts-0": "5"}, num_tokens=number)
    assert isinstance(outcome, Refusal)
    assert "only nodes with num_tokens: 1 can be moved" in outcome.message


def replacement(*names: str, of: tuple[dict[str, Any], ...] = TWO) -> Plan | Refusal:
    spec = {"type": "NodeReplacement", "clusterName": "demo", "nodereplacement": {"nodes": list(names)}}
    return plan(spec, cluster("dc1", "dc2"), of)


def test_nodes_are_replaced_in_the_order_in_which_they_are_named() -> None:
    outcome = replacement("demo-dc1-r2-sts-0", "demo-dc1-r1-sts-1")
    assert isinstance(outcome, Plan)
    assert pods(outcome) == ["demo-dc1-r2-sts-0", "demo-dc1-r1-sts-1"]
    assert outcome.steps[0].availability == "2 of 3 nodes of dc1 stay available"
    assert outcome.message.endswith("; their disks are given up")


def test_only_nodes_that_exist_can_be_replaced_and_not_all_of_a_datacenter() -> None:
    outcome = replacement("demo-dc1-r2-sts-0", "demo-dc1-r2-sts-0", "gone", "demo-dc2-r1-sts-0")
    assert isinstance(outcome, Refusal)
    assert [cause.field for cause in outcome.causes] == [
        "spec.nodereplacement.nodes[1]",
        "spec.nodereplacement.nodes[2]",
        "spec.nodereplacement.nodes",
    ]
    assert "nothing would be left of dc2" in outcome.message


def test_a_node_that_is_down_can_be_replaced_but_not_another_one_beside_it() -> None:
    down = datacenter("dc1", {"r1": 2, "r2": 1}, ready=False)
    for node in down["status"]["nodes"]:
        node["ready"] = node["name"] != "demo-dc1-r2-sts-0"
    mended = replacement("demo-dc1-r2-sts-0", of=(down, TWO[1]))
    assert isinstance(mended, Plan)
    assert mended.blocking == ()
    other = replacement("demo-dc1-r1-sts-0", of=(down, TWO[1]))
    assert isinstance(other, Plan)
    assert other.blocking == ("dc1 is not ready: 2 of 3 nodes are ready",)


def switch(kind: str, *datacenters: str, stopped: tuple[str, ...] = (), last: bool = False) -> Plan | Refusal:
    body = cluster("dc1", "dc2")
    for entry in body["spec"]["k8ssandra"]["cassandra"]["datacenters"]:
        entry["stopped"] = entry["metadata"]["name"] in stopped
    own = {"allowLast": last} if kind == "DatacenterStop" else {}
    spec = {"type": kind, "clusterName": "demo", "datacenters": list(datacenters), kind.lower(): own}
    return plan(spec, body, TWO)


def test_a_stop_says_what_becomes_unavailable_and_what_goes_on() -> None:
    outcome = switch("DatacenterStop", "dc1")
    assert isinstance(outcome, Plan)
    assert outcome.steps[0].availability == "no node of dc1 stays available; dc2 stays available"
    assert outcome.message == (
        "stops 3 nodes, a datacenter at a time, of demo: dc1 (r1, r2); their volumes are kept"
    )


@pytest.mark.parametrize(
    ("datacenters", "stopped", "field"),
    [
        pytest.param((), (), "spec.datacenters", id="nothing is stopped by default"),
        pytest.param(("dc1", "dc2"), (), "spec.datacenterstop.allowLast", id="all of them"),
        pytest.param(("dc1",), ("dc2",), "spec.datacenterstop.allowLast", id="the last one that runs"),
    ],
)
def test_the_last_datacenter_is_stopped_only_by_an_explicit_word(
    datacenters: tuple[str, ...], stopped: tuple[str, ...], field: str
) -> None:
    outcome = switch("DatacenterStop", *datacenters, stopped=stopped)
    assert isinstance(outcome, Refusal)
    assert [cause.field for cause in outcome.causes] == [field]
    if datacenters:
        assert isinstance(switch("DatacenterStop", *datacenters, stopped=stopped, last=True), Plan)


def test_a_start_is_for_those_that_are_stopped_and_other_kinds_for_those_that_run() -> None:
    started = switch("DatacenterStart", stopped=("dc2",))
    assert isinstance(started, Plan)
    assert started.datacenters == ("dc2",)
    flushed = switch("Flush", stopped=("dc2",))
    assert isinstance(flushed, Plan)
    assert flushed.datacenters == ("dc1",)
    nothing = switch("Flush", stopped=("dc1", "dc2"))
    assert isinstance(nothing, Plan)
    assert nothing.blocking == ("no datacenter of the cluster runs",)
    idle = switch("DatacenterStart")
    assert isinstance(idle, Plan)
    assert idle.message == "starts no node of demo"


@pytest.mark.parametrize("kind", sorted(CATALOG))
def test_no_planner_stumbles_over_arguments_of_wrong_types(kind: str) -> None:
    for wrong in (
        "x",
        7,
        ["y"],
        {"racks": "r1", "tokens": ["a"], "sourceDatacenter": 3, "maxConcurrentPods": "2"},
    ):
        plan({"type": kind, "clusterName": "demo", kind.lower(): wrong}, cluster("dc1", "dc2"), TWO)
