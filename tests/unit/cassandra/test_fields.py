"""Decisions that hang on single fields: configuration from a Secret, canaries, query logging, adoption."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controllers.cassandra.actions import AdoptRack, CreateRack, LogQueries, WriteConfig
from controllers.cassandra.decide import decide
from controllers.cassandra.decide import racks as rack_decisions
from controllers.cassandra.state import Existing, Memory, Snapshot
from missioncontrol.api.names import Annotation, NodeState
from tests.unit.cassandra.builders import NOW, UID, datacenter, pod, rack_set, snapshot, with_objects

SECRET = ("Secret", "mine")
LOGGING = {"cassandra-yaml": {"full_query_logging_options": {}}}


def existing(version: str) -> Existing:
    return Existing(digest="", owner_uid=UID, owner_name="dc1", version=version, annotations={})


def with_config(
    memory: Memory | None = None, *, digest: str = "h", version: str = "1", **more: Any
) -> Snapshot:
    dc = datacenter(configSecret="mine", meta={"annotations": {Annotation.CONFIG_HASH: digest}})
    found = snapshot(of=dc, objects={SECRET: existing(version)}, memory=memory, **more)
    return replace(found, desired_racks={rack.statefulset: "same" for rack in dc.plan})


def test_configuration_from_a_secret_is_merged_before_anything_is_made() -> None:
    plan = decide(with_config(sets=[]), NOW)
    [action] = plan.actions
    assert isinstance(action, WriteConfig)
    assert plan.again


def test_it_is_merged_again_when_the_secret_changes() -> None:
    [first] = decide(with_config(sets=[]), NOW).actions
    assert isinstance(first, WriteConfig)
    known = Memory(config_source=first.source, config_hash="h")
    assert any(isinstance(action, CreateRack) for action in decide(with_config(known, sets=[]), NOW).actions)
    changed = decide(with_config(known, version="2", sets=[]), NOW)
    assert [type(action) for action in changed.actions] == [WriteConfig]


def test_nothing_is_made_before_the_hash_is_seen_on_the_datacenter() -> None:
    [first] = decide(with_config(sets=[]), NOW).actions
    assert isinstance(first, WriteConfig)
    known = Memory(config_source=first.source, config_hash="newer")
    plan = decide(with_config(known, sets=[]), NOW)
    assert plan.actions == ()
    assert plan.sentence == "waiting for the hash of the configuration to be seen"


def test_a_changed_secret_may_roll_though_the_spec_did_not_change() -> None:
    sets = [replace(rack_set(number), config_hash="old") for number in (1, 2, 3)]
    settled = {"observedGeneration": 2}
    dc = datacenter(
        configSecret="mine", status=settled, meta={"annotations": {Annotation.CONFIG_HASH: "new"}}
    )
    assert rack_decisions.may_update(snapshot(of=dc, sets=sets))
    same = [replace(each, config_hash="new") for each in sets]
    assert not rack_decisions.may_update(snapshot(of=dc, sets=same))
    unknown = [replace(each, config_hash="") for each in sets]
    assert not rack_decisions.may_update(snapshot(of=dc, sets=unknown))


def test_a_canary_reaches_the_first_rack_only() -> None:
    sets = [rack_set(number) for number in (1, 2, 3)]
    pods = [pod(number) for number in (1, 2, 3)]
    for spec, changed in (({}, 3), ({"canaryUpgrade": True}, 1)):
        found = snapshot(pods, of=datacenter(**spec), sets=sets, desired="new")
        assert len(rack_decisions.changed_racks(found)) == changed
    done = snapshot(pods, of=datacenter(canaryUpgrade=True), sets=sets, desired="new")
    done = replace(done, desired_racks={**done.desired_racks, sets[0].name: sets[0].digest})
    assert rack_decisions.rollout(done, allowed=True) == rack_decisions.Rollout()


def test_a_statefulset_of_unknown_content_is_compared_once() -> None:
    sets = [rack_set(number) for number in (1, 2, 3)]
    found = snapshot(sets=sets, desired="new")
    assert rack_decisions.adoptions(found) == [AdoptRack(each.name, each.digest, "new") for each in sets]
    compared = frozenset((each.uid, each.digest, "new") for each in sets[:2])
    later = replace(found, memory=Memory(compared=compared))
    assert rack_decisions.adoptions(later) == [AdoptRack(sets[2].name, sets[2].digest, "new")]
    foreign = snapshot(sets=[replace(each, owner_uid="other") for each in sets], desired="new")
    assert rack_decisions.adoptions(foreign) == []


def test_nodes_are_told_once_to_log_queries() -> None:
    dc = datacenter(config=LOGGING, status={"conditions": [{"type": "Healthy", "status": "True"}]})
    pods = [pod(number, state=NodeState.STARTED, seed=True) for number in (1, 2, 3)]
    knows_one = Memory(logged=frozenset({pods[0].incarnation}))
    asked = [
        action
        for action in decide(with_objects(snapshot(pods, of=dc, memory=knows_one)), NOW).actions
        if isinstance(action, LogQueries)
    ]
    assert asked == [LogQueries(tuple(pods[1:]))]
    told = Memory(logged=frozenset(each.incarnation for each in pods))
    plan = decide(with_objects(snapshot(pods, of=dc, memory=told)), NOW)
    assert plan.settled
    assert not any(isinstance(action, LogQueries) for action in plan.actions)


def test_only_cassandra_4_and_later_logs_queries() -> None:
    assert datacenter(config=LOGGING).logs_queries
    assert not datacenter(config=LOGGING, serverVersion="3.11.10").logs_queries
    assert not datacenter(config=LOGGING, serverType="dse", serverVersion="6.8.17").logs_queries
    assert not datacenter().logs_queries
