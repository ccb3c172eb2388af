"""Racks are made and grown at once, and changed one after the other."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.cassandra.actions import AdvanceRack, CreateRack, LabelRack, ScaleRack, UpdateRack
from controllers.cassandra.decide.health import fingerprint
from controllers.cassandra.decide.objects import NameTaken
from controllers.cassandra.decide.questions import Questions, questions
from controllers.cassandra.decide.racks import Rollout, forced, label_actions, rack_actions, repair, rollout
from controllers.cassandra.state import Memory, Observations, RackSet
from missioncontrol.api.names import NodeState
from tests.unit.cassandra.builders import NOW, datacenter, gossip, members, pod, rack_set, snapshot

RUNNING = [pod(rack, state=NodeState.STARTED) for rack in (1, 2, 3)]


def proof(**changes: object) -> Observations:
    tables = {each.name: gossip(RUNNING) for each in RUNNING} | changes
    return Observations(gossip=tables, quorum={each.name: True for each in RUNNING})  # type: ignore[arg-type]


def test_missing_racks_are_all_made_at_once() -> None:
    made = rack_actions(snapshot(sets=[]))
    assert made == [CreateRack(f"demo-dc1-r{rack}-sts", 1) for rack in (1, 2, 3)]


def test_all_racks_grow_at_once_each_to_its_share() -> None:
    sets = [rack_set(rack) for rack in (1, 2, 3)]
    grown = rack_actions(snapshot(of=datacenter(size=5), sets=sets))
    assert [(each.statefulset, each.replicas) for each in grown if isinstance(each, ScaleRack)] == [
        ("demo-dc1-r1-sts", 2),
        ("demo-dc1-r2-sts", 2),
    ]


def test_a_statefulset_of_somebody_else_is_not_touched() -> None:
    with pytest.raises(NameTaken, match="demo-dc1-r2-sts exists"):
        rack_actions(snapshot(sets=[rack_set(1), rack_set(2, owner_uid="other"), rack_set(3)]))


def test_a_statefulset_gets_its_own_labels_without_a_rolling_change() -> None:
    of = datacenter(serverVersion="5.0.5", additionalLabels={"team": "a"})
    whole = of.labels(of.rack_labels("r2"))
    sets = [
        rack_set(1, digest="old", labels={**of.labels(of.rack_labels("r1")), "theirs": "x"}),
        rack_set(2, digest="old", labels={**whole, "app.kubernetes.io/version": "5.0.4"}),
        rack_set(3, digest="old", owner_uid="other", labels={}),
    ]
    found = label_actions(snapshot(RUNNING, of=of, sets=sets))
    assert found == [LabelRack("demo-dc1-r2-sts", {"app.kubernetes.io/version": "5.0.5"})]


def test_the_first_different_rack_is_updated_when_all_is_healthy() -> None:
    sets = [rack_set(1), rack_set(2, digest="old"), rack_set(3, digest="old")]
    found = rollout(snapshot(RUNNING, sets=sets, observed=proof()), allowed=True)
    assert found.action == UpdateRack("demo-dc1-r2-sts", "r2", "rv2")


def test_while_a_rack_is_replaced_no_other_one_is_updated() -> None:
    sets = [rack_set(1, rolled=False), rack_set(2, digest="old"), rack_set(3, digest="old")]
    found = rollout(snapshot(RUNNING, sets=sets, observed=proof()), allowed=True)
    assert (found.action, found.waiting) == (None, "rack r1 is being replaced pod by pod")


@pytest.mark.parametrize(
    ("observed", "sentence"),
    [
        pytest.param(Observations(), "does not say what it sees", id="nobody was asked"),
        pytest.param(
            proof(**{RUNNING[0].name: gossip(RUNNING[:2])}),
            "demo-dc1-r3-sts-0 is unknown",
            id="one is not known",
        ),
        pytest.param(
            proof(**{RUNNING[1].name: gossip(RUNNING, alive=False)}),
            "is down in the gossip of",
            id="one is down",
        ),
        pytest.param(
            proof(**{RUNNING[2].name: gossip(RUNNING, status="LEAVING")}), "is LEAVING", id="one is leaving"
        ),
    ],
)
def test_a_rack_waits_for_proof_of_health(observed: Observations, sentence: str) -> None:
    sets = [rack_set(rack, digest="old") for rack in (1, 2, 3)]
    found = rollout(snapshot(RUNNING, sets=sets, observed=observed), allowed=True)
    assert found.action is None
    assert sentence in found.waiting
    assert found.ask_again


def test_a_release_that_renders_differently_rolls_nothing_by_itself() -> None:
    dc = datacenter(status={"observedGeneration": 2})
    sets = [rack_set(rack, digest="old") for rack in (1, 2, 3)]
    found = rollout(snapshot(RUNNING, of=dc, sets=sets, observed=proof()), allowed=True)
    assert found == Rollout(postponed=("r1", "r2", "r3"))


def test_with_the_annotation_it_does() -> None:
    notes = {"annotations": {"cassandra.datastax.com/autoupdate-spec": "once"}}
    dc = datacenter(status={"observedGeneration": 2}, meta=notes)
    sets = [rack_set(rack, digest="old") for rack in (1, 2, 3)]
    assert rollout(snapshot(RUNNING, of=dc, sets=sets, observed=proof()), allowed=True).action is not None


def test_a_rack_that_cannot_come_up_gets_the_new_template_without_waiting() -> None:
    broken = pod(1, running=False, failing="container cassandra is in ImagePullBackOff")
    sets = [rack_set(1, digest="broken", rolled=False), rack_set(2), rack_set(3)]
    found = repair(snapshot([broken, *RUNNING[1:]], sets=sets))
    assert found == UpdateRack("demo-dc1-r1-sts", "r1", "rv1", forced=True)
    assert repair(snapshot(RUNNING, sets=sets)) is None


def test_between_two_pods_of_a_rack_nobody_is_called_unhealthy_who_was_not_asked() -> None:
    sets = [rack_set(1, rolled=False), rack_set(2, digest="old"), rack_set(3, digest="old")]
    dc = datacenter(status=members(*RUNNING))
    asked = questions(snapshot(RUNNING, of=dc, sets=sets), NOW)
    assert asked.gossip == asked.quorum == tuple(RUNNING)
    proved = Memory(healthy=fingerprint(snapshot(RUNNING, of=dc, sets=sets)))
    assert questions(snapshot(RUNNING, of=dc, sets=sets, memory=proved), NOW) == Questions()


BIG = [pod(1, ordinal, NodeState.STARTED) for ordinal in (0, 1, 2)]


def big(live: RackSet, *, healthy: bool = True, **spec: Any) -> Rollout:
    """What happens to one rack of three nodes."""
    table = gossip(BIG) if healthy else gossip(BIG[:2])
    seen = Observations({}, {each.name: table for each in BIG}, {each.name: True for each in BIG})
    dc = datacenter(size=3, racks=1, **spec)
    return rollout(snapshot(BIG, of=dc, sets=[live], observed=seen), allowed=True)


STEPS = [
    pytest.param(rack_set(1, replicas=3, digest="old"), {}, 2, id="first the highest ordinal"),
    pytest.param(
        rack_set(1, replicas=3, digest="old"), {"maxUnavailable": 2}, 1, id="two, where two may be away"
    ),
    pytest.param(
        rack_set(1, replicas=3, digest="old"), {"maxUnavailable": "34%"}, 2, id="a share, rounded down"
    ),
    pytest.param(
        rack_set(1, replicas=3, digest="old", in_steps=True, partition=1),
        {},
        2,
        id="anew, if it changed again",
    ),
    pytest.param(
        rack_set(1, replicas=3, digest="old"),
        {"canaryUpgrade": True, "canaryUpgradeCount": 2},
        2,
        id="a canary of two begins with one",
    ),
]


@pytest.mark.parametrize(("live", "spec", "partition"), STEPS)
def test_a_change_begins_with_as_few_pods_as_may_be_away(
    live: RackSet, spec: dict[str, Any], partition: int
) -> None:
    action = big(live, **spec).action
    assert isinstance(action, UpdateRack)
    assert action.partition == partition


def test_the_next_pod_follows_on_proof_of_health_and_the_last_one_ends_it() -> None:
    half = rack_set(1, replicas=3, in_steps=True, partition=2)
    assert big(half).action == AdvanceRack("demo-dc1-r1-sts", "rv1", 1, last=False)
    assert big(half, healthy=False).action is None
    last = rack_set(1, replicas=3, in_steps=True, partition=1)
    assert big(last).action == AdvanceRack("demo-dc1-r1-sts", "rv1", 0, last=True)
    canary = {"canaryUpgrade": True, "canaryUpgradeCount": 2}
    assert big(half, **canary).action == AdvanceRack("demo-dc1-r1-sts", "rv1", 1, last=True)


def test_a_forced_rack_waits_for_no_health_but_never_goes_with_another_one() -> None:
    dc = datacenter(forceUpgradeRacks=["r2", "r3"], status={"observedGeneration": 2})
    old = [rack_set(rack, digest="old") for rack in (1, 2, 3)]
    first = forced(snapshot(RUNNING, of=dc, sets=old))
    assert first == UpdateRack("demo-dc1-r2-sts", "r2", "rv2", forced=True)
    going = [old[0], rack_set(2, rolled=False), old[2]]
    assert forced(snapshot(RUNNING, of=dc, sets=going)) is None
    down = [RUNNING[0], pod(2), RUNNING[2]]
    replaced = [old[0], rack_set(2), old[2]]
    assert forced(snapshot(down, of=dc, sets=replaced)) is None
    then = forced(snapshot(RUNNING, of=dc, sets=replaced))
    assert then == UpdateRack("demo-dc1-r3-sts", "r3", "rv3", forced=True)
