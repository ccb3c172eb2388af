"""Volumes that come or go: one StatefulSet after the other, and its pods from the lowest ordinal up."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.cassandra.actions import DeletePod, RecreateRack
from controllers.cassandra.datacenter import Datacenter
from controllers.cassandra.decide import reshape, volumes
from controllers.cassandra.decide.racks import needs_rollout, rollout
from controllers.cassandra.state import Memory, Observations, PodState, Snapshot
from missioncontrol.api.names import Annotation, NodeState
from tests.unit.cassandra.builders import datacenter, gossip, members, pod, rack_set, snapshot

ALLOWED = {Annotation.ALLOW_STORAGE_CHANGES: "true"}
OLD, NEW = frozenset({"server-data"}), frozenset({"server-data", "logs"})
STORAGE = {
    "cassandraDataVolumeClaimSpec": {"resources": {"requests": {"storage": "2Gi"}}},
    "additionalVolumes": [
        {"name": "logs", "mountPath": "/logs", "pvcSpec": {"resources": {"requests": {"storage": "1Gi"}}}}
    ],
}


def node(rack: int, ordinal: int, volumes: frozenset[str] = OLD) -> PodState:
    return pod(rack, ordinal, NodeState.STARTED, volumes=volumes)


def wanting(annotations: dict[str, str] | None = None, **more: Any) -> Datacenter:
    given = ALLOWED if annotations is None else annotations
    return datacenter(racks=2, size=4, storageConfig=STORAGE, meta={"annotations": given}, **more)


def live(rack: int, *, volumes: frozenset[str] = OLD) -> Any:
    return rack_set(rack, replicas=2, digest="old", storage=dict.fromkeys(volumes, "2Gi"))


def seen(pods: list[PodState], sets: list[Any], *, of: Datacenter | None = None) -> Snapshot:
    """A healthy datacenter."""
    table = gossip(pods)
    healthy = Observations(
        gossip={each.name: table for each in pods}, quorum={each.name: True for each in pods}
    )
    return snapshot(
        pods,
        sets=sets,
        of=of or wanting(status=members(*pods)),
        observed=healthy,
        memory=Memory(healthy=frozenset(each.incarnation for each in pods)),
    )


ALL = [node(1, 0), node(1, 1), node(2, 0), node(2, 1)]
"""As they were made, without the volume for logs."""


def test_other_volumes_have_to_be_allowed() -> None:
    found = seen(ALL, [live(1), live(2)], of=wanting({}))

    wrong = volumes.objection(found)

    assert wrong is not None
    assert wrong.sentence.startswith(
        "spec.storageConfig.additionalVolumes: adding the volume 'logs' replaces"
    )
    assert not reshape.is_due(found)
    assert volumes.objection(seen(ALL, [live(1), live(2)])) is None


def test_the_first_statefulset_is_made_again_around_its_pods() -> None:
    plan = reshape.step(seen(ALL, [live(1), live(2)]))

    assert plan is not None
    assert plan.actions == (RecreateRack("demo-dc1-r1-sts", "uid-r1", {}, anew=True),)


def test_its_pods_follow_from_the_lowest_ordinal_up_before_the_next_rack() -> None:
    sets = [live(1, volumes=NEW), live(2)]
    order = []
    pods = list(ALL)
    for _ in range(2):
        plan = reshape.step(seen(pods, sets))
        assert plan is not None
        (delete,) = plan.actions
        assert isinstance(delete, DeletePod)
        order.append(delete.pod.name)
        pods = [node(1, each.ordinal, NEW) if each.name == delete.pod.name else each for each in pods]
    plan = reshape.step(seen(pods, sets))

    assert order == ["demo-dc1-r1-sts-0", "demo-dc1-r1-sts-1"]
    assert plan is not None
    assert plan.actions == (RecreateRack("demo-dc1-r2-sts", "uid-r2", {}, anew=True),)


def test_nothing_is_due_when_all_pods_have_the_volumes() -> None:
    pods = [node(rack, ordinal, NEW) for rack in (1, 2) for ordinal in (0, 1)]

    assert reshape.step(seen(pods, [live(1, volumes=NEW), live(2, volumes=NEW)])) is None


def test_a_volume_that_goes_takes_the_same_way() -> None:
    pods = [node(rack, ordinal, NEW) for rack in (1, 2) for ordinal in (0, 1)]
    plain = datacenter(racks=2, size=4, meta={"annotations": ALLOWED}, status=members(*pods))

    plan = reshape.step(seen(pods, [live(1, volumes=NEW), live(2, volumes=NEW)], of=plain))

    assert plan is not None
    assert isinstance(plan.actions[0], RecreateRack)


def test_the_ordinary_rollout_leaves_a_rack_alone_whose_volumes_change() -> None:
    found = seen(ALL, [live(1), live(2)])

    assert rollout(found, allowed=True).action is None
    assert needs_rollout(found)


@pytest.mark.parametrize(("absent", "goes"), [(1, True), (0, False)])
def test_a_pod_that_kubernetes_cannot_make_meanwhile_is_waited_for_no_longer(absent: int, goes: bool) -> None:
    pods = [each for each in ALL if (each.rack, each.ordinal) != ("r1", absent)]

    plan = reshape.unblock(seen(pods, [live(1, volumes=NEW), live(2)]))

    assert (plan is not None) is goes
