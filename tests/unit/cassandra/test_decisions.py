"""The whole decision: order of the steps, refusals, conditions, the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controllers.cassandra.actions import (
    AddFinalizer,
    ApplyObject,
    CreateCleanupTask,
    CreateKeystores,
    CreateRack,
    CreateSuperuser,
    DeleteClaims,
    DeletePod,
    Event,
    ForgetSecrets,
    Plan,
    RemoveFinalizer,
    ScaleRack,
    StartNode,
    WriteRoles,
)
from controllers.cassandra.decide import decide
from controllers.cassandra.decide.objects import object_actions
from controllers.cassandra.decide.questions import Questions, questions
from controllers.cassandra.decide.refusals import normal_size, refusals
from controllers.cassandra.state import Existing, Memory, Observations
from controllers.cassandra.status import Done, next_status, node_statuses, patch
from missioncontrol.api.names import EventReason, NodeState
from tests.unit.cassandra.builders import (
    NOW,
    datacenter,
    gossip,
    members,
    pod,
    rack_set,
    snapshot,
    with_objects,
)

RUNNING = [pod(rack, state=NodeState.STARTED, seed=True) for rack in (1, 2, 3)]


def conditions(**values: str) -> dict[str, Any]:
    return {
        "conditions": [
            {"type": kind, "status": status, "lastTransitionTime": "2026-05-04T11:00:00Z"}
            for kind, status in values.items()
        ]
    }


def healthy() -> Observations:
    return Observations(
        gossip={each.name: gossip(RUNNING) for each in RUNNING},
        quorum={each.name: True for each in RUNNING},
    )


def test_the_finalizer_comes_before_anything_is_made() -> None:
    plan = decide(snapshot(sets=[], of=datacenter(meta={"finalizers": ()})), NOW)
    assert plan.actions == (AddFinalizer(),)


def test_everything_around_the_nodes_is_made_in_one_go() -> None:
    plan = decide(snapshot(sets=[]), NOW)
    kinds = [type(action) for action in plan.actions]
    assert kinds == [ApplyObject] * 5 + [CreateSuperuser] + [CreateRack] * 3
    assert plan.updating


def test_a_named_secret_is_not_made() -> None:
    plan = decide(snapshot(sets=[], of=datacenter(superuserSecretName="mine")), NOW)
    assert CreateSuperuser() not in plan.actions


def test_growth_is_said_before_it_begins_only_where_nodes_run() -> None:
    sets = [rack_set(rack) for rack in (1, 2, 3)]
    grown = datacenter(size=6, status=conditions(Ready="True"))
    plan = decide(with_objects(snapshot(RUNNING, of=grown, sets=sets)), NOW)
    assert plan.conditions["ScalingUp"] == (True, "", "")
    assert plan.store
    assert plan.actions == ()
    said = datacenter(size=6, status=conditions(Ready="True", ScalingUp="True"))
    plan = decide(with_objects(snapshot(RUNNING, of=said, sets=sets)), NOW)
    assert all(isinstance(action, ScaleRack) for action in plan.actions)


def test_all_nodes_healthy_settles_the_datacenter() -> None:
    plan = decide(with_objects(snapshot(RUNNING, observed=healthy())), NOW)
    assert plan.settled
    assert plan.actions == (WriteRoles(RUNNING[0], (("demo-superuser", True),)),)
    status = next_status(snapshot(RUNNING, observed=healthy()), plan, Done(), NOW)
    assert status["cassandraOperatorProgress"] == "Ready"
    assert status["observedGeneration"] == 2
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == "True"
    assert status["nodeStatuses"][RUNNING[0].name]["hostID"] == f"host-{RUNNING[0].name}"


def test_the_key_store_of_older_operators_is_made_where_it_is_named() -> None:
    options = {"server_encryption_options": {"keystore": "/etc/encryption/node-keystore.jks"}}
    of = datacenter(config={"cassandra-yaml": options})
    base = snapshot(of=of)
    assert CreateKeystores() in object_actions(base)
    there = {("Secret", name): Existing("", "", "", "1", {}) for name in ("dc1-ca-keystore", "dc1-keystore")}
    assert CreateKeystores() not in object_actions(replace(base, objects=there))
    assert CreateKeystores() not in object_actions(snapshot())


def test_racks_of_nodes_are_told_as_labels_name_them() -> None:
    of = datacenter(size=1, racks=[{"name": "Rack 1"}])
    node = replace(RUNNING[0], rack="Rack1")
    base = snapshot([node], of=of, observed=Observations(gossip={node.name: gossip([node])}))
    assert node_statuses(base, Plan("nothing is to be done"))[node.name]["rack"] == "Rack1"


@pytest.mark.parametrize(
    ("status", "quorum", "said"),
    [
        pytest.param({}, True, True, id="a node is away and nobody wanted it"),
        pytest.param({"Updating": "True"}, True, False, id="a node is away because it gets a new template"),
        pytest.param({"Updating": "True"}, False, True, id="the others have no quorum"),
        pytest.param({"ScalingUp": "False"}, True, True, id="what took nodes away is over"),
    ],
)
def test_health_is_lost_by_what_nobody_wanted(status: dict[str, str], quorum: bool, said: bool) -> None:
    seen = {each.name: gossip(RUNNING[:2]) for each in RUNNING}
    observed = Observations(gossip=seen, quorum={each.name: quorum for each in RUNNING})
    of = datacenter(status=conditions(Initialized="True", Ready="True", **status))
    plan = decide(with_objects(snapshot(RUNNING, of=of, observed=observed)), NOW)
    assert plan.sentence.startswith("waiting for health")
    assert ("Healthy" in plan.conditions) is said


def test_after_growth_there_is_one_cleanup_named_after_its_beginning() -> None:
    grown = datacenter(status=conditions(Ready="True", ScalingUp="True"))
    plan = decide(with_objects(snapshot(RUNNING, of=grown, observed=healthy())), NOW)
    assert CreateCleanupTask("cleanup-1777892400") in plan.actions
    assert plan.conditions["ScalingUp"] == (False, "", "")


def test_roles_are_written_again_only_when_a_secret_changed() -> None:
    base = with_objects(snapshot(RUNNING, observed=healthy()))
    done = replace(base, memory=replace(base.memory, users_written=(("demo-superuser", "1"),)))
    assert not any(isinstance(action, WriteRoles) for action in decide(done, NOW).actions)
    changed = replace(base, memory=replace(base.memory, users_written=(("demo-superuser", "0"),)))
    assert any(isinstance(action, WriteRoles) for action in decide(changed, NOW).actions)


def test_a_secret_that_the_spec_names_no_more_is_forgotten() -> None:
    base = with_objects(snapshot(RUNNING, observed=healthy()))
    known = Existing(digest="", owner_uid="", owner_name="", version="1", annotations={})
    once = {("Secret", "once"): known, ("Secret", "demo-superuser"): known}
    left = replace(base, objects={**base.objects, **once})
    assert ForgetSecrets(("once",)) in decide(left, NOW).actions
    assert not any(isinstance(action, ForgetSecrets) for action in decide(base, NOW).actions)
    empty = [rack_set(rack, replicas=0) for rack in (1, 2, 3)]
    gone = replace(snapshot(of=deleted(), sets=empty), objects=once)
    assert ForgetSecrets(("demo-superuser", "once")) in decide(gone, NOW).actions


def test_ready_pods_that_do_not_see_each_other_are_not_healthy() -> None:
    dc = datacenter(status=conditions(Initialized="True", Ready="True"))
    plan = decide(with_objects(snapshot(RUNNING, of=dc)), NOW)
    assert not plan.settled
    assert plan.conditions["Healthy"][0] is False
    assert plan.wait == 1.0


CDC = {"pulsarServiceUrl": "pulsar://p:6650"}
REFUSED: list[Any] = [
    pytest.param(
        {"size": 2}, "spec.size: 2 nodes cannot be spread over 3 racks", id="fewer nodes than racks"
    ),
    pytest.param(
        {"racks": [{"name": "r1"}, {"name": "r1"}]}, "the name 'r1' is used twice", id="two racks of a name"
    ),
    pytest.param(
        {"racks": [{"name": "r.1"}]}, "spec.racks[0].name: a dot cannot", id="a dot in a rack's name"
    ),
    pytest.param(
        {"cdc": CDC, "config": {"cassandra-yaml": ["x"]}},
        "spec.config.cassandra-yaml: must be an object",
        id="change data capture in a cassandra-yaml that is a list",
    ),
    pytest.param(
        {"cdc": CDC, "config": {"cassandra-env-sh": ""}},
        "spec.config.cassandra-env-sh: must be an object",
        id="change data capture in a cassandra-env-sh that is an empty text",
    ),
    pytest.param(
        {"cdc": CDC, "config": {"cassandra-env-sh": {"additional-jvm-opts": "-Dx"}}},
        "spec.config.cassandra-env-sh.additional-jvm-opts: must be a list of strings",
        id="change data capture beside JVM options in one string",
    ),
]


@pytest.mark.parametrize(("spec", "sentence"), REFUSED)
def test_what_is_not_supported_makes_nothing(spec: dict[str, Any], sentence: str) -> None:
    plan = decide(snapshot(sets=[], of=datacenter(**spec)), NOW)
    assert sentence in plan.conditions["Valid"][2]
    assert plan.actions == ()


def test_refused_changes_name_what_they_would_change() -> None:
    sets = [rack_set(rack, replicas=2) for rack in (1, 2, 3)]
    assert refusals(snapshot(sets=sets)) == []
    empty = {"cassandra-yaml": None, "cassandra-env-sh": {"additional-jvm-opts": None}}
    assert refusals(snapshot(sets=sets, of=datacenter(size=6, cdc=CDC, config=empty))) == []
    fewer = datacenter(racks=2, size=4)
    assert "a rack can neither be removed nor renamed" in refusals(snapshot(of=fewer, sets=sets))[0]
    grown = [rack_set(rack, storage={"server-data": "1Gi"}) for rack in (1, 2, 3)]
    assert refusals(snapshot(sets=grown)) == []
    more = [rack_set(rack, storage={"server-data": "2Gi", "logs": "1Gi"}) for rack in (1, 2, 3)]
    assert refusals(snapshot(sets=more)) == []


def test_a_refused_spec_still_looks_after_the_nodes() -> None:
    lost = replace(RUNNING[1], ready=False)
    dc = datacenter(storageConfig={}, status=members(*RUNNING))
    plan = decide(snapshot([RUNNING[0], lost, RUNNING[2]], of=dc), NOW)
    assert plan.sentence == "labelling 1 pod"
    assert not plan.conditions["Valid"][0]


def test_sizes_are_compared_as_quantities() -> None:
    assert normal_size("1024Mi") == normal_size("1Gi") == 2**30
    assert normal_size("1G") == 10**9
    assert normal_size("odd") == "odd"


def deleted(**more: Any) -> Any:
    return datacenter(meta={"deletion_timestamp": NOW, **more})


def test_deletion_stops_the_nodes_then_deletes_the_volumes_then_lets_go() -> None:
    plan = decide(snapshot(RUNNING, of=deleted()), NOW)
    assert [(each.statefulset, each.replicas) for each in plan.actions if isinstance(each, ScaleRack)] == [
        (f"demo-dc1-r{rack}-sts", 0) for rack in (1, 2, 3)
    ]
    empty = [rack_set(rack, replicas=0) for rack in (1, 2, 3)]
    assert (
        "waiting until 3 pods are gone" in decide(snapshot(RUNNING, of=deleted(), sets=empty), NOW).sentence
    )
    last = (ForgetSecrets(("demo-superuser",)), RemoveFinalizer())
    assert decide(snapshot(of=deleted(), sets=empty), NOW).actions == (DeleteClaims(), *last)


def test_deletion_keeps_volumes_where_asked_and_ignores_what_is_wrong_with_the_spec() -> None:
    kept = replace(deleted(annotations={"cassandra.datastax.com/delete-pvc": "false"}))
    last = (ForgetSecrets(("demo-superuser",)), RemoveFinalizer())
    assert decide(snapshot(of=kept, sets=[]), NOW).actions == last


def test_a_deletion_with_decommission_waits_for_an_answer_and_says_how_to_go_on() -> None:
    marked = deleted(annotations={"cassandra.datastax.com/decommission-on-delete": ""})
    plan = decide(snapshot(RUNNING, of=marked), NOW)
    assert plan.actions == ()
    assert "remove the annotation" in plan.sentence


def test_an_unchanged_status_is_not_written() -> None:
    base = with_objects(snapshot(RUNNING, observed=healthy()))
    plan = decide(base, NOW)
    first = next_status(base, plan, Done(), NOW)
    again = replace(base, datacenter=datacenter(status=first))
    assert patch(first, next_status(again, decide(again, NOW), Done(), NOW)) == {}


def test_a_patch_of_the_status_removes_nodes_that_are_gone() -> None:
    changed = patch({"nodeStatuses": {"a": {"ip": "1"}, "b": {}}}, {"nodeStatuses": {"a": {"ip": "1"}}})
    assert changed == {"nodeStatuses": {"a": {"ip": "1"}, "b": None}}


def test_before_the_first_ready_the_sentence_is_in_the_condition() -> None:
    plan = Plan("starting x", (StartNode(pod(1)),))
    status = next_status(snapshot(), plan, Done(), NOW)
    [ready] = status["conditions"]
    assert (ready["type"], ready["status"], ready["message"]) == ("Ready", "False", "starting x")
    assert status["lastServerNodeStarted"] == "2026-05-04T12:00:00Z"


def test_nothing_is_asked_of_a_datacenter_at_rest() -> None:
    status = members(*RUNNING) | conditions(Healthy="True", Ready="True", Initialized="True")
    status |= {"cassandraOperatorProgress": "Ready", "observedGeneration": 2}
    rest = snapshot(RUNNING, of=datacenter(status=status), memory=Memory())
    assert questions(rest, NOW) == Questions()


def test_a_founder_is_in_the_status_before_it_is_told_and_out_of_it_when_it_refused() -> None:
    first = pod(1)
    base = snapshot([first])
    told = next_status(base, Plan("", (StartNode(first, seed=True, founds=True),)), Done(), NOW)
    assert told["nodeStatuses"] == {first.name: {"rack": "r1"}}
    after = snapshot([first], of=datacenter(status=told))
    event = Event(EventReason.DELETING_STUCK_POD, "")
    for refused, left in ((True, {}), (False, told["nodeStatuses"])):
        plan = Plan("", (DeletePod(first, event, failed_start=True, refused=refused),))
        assert next_status(after, plan, Done(), NOW)["nodeStatuses"] == left
