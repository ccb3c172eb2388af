"""The StatefulSets of the racks: made at once, scaled up at once, changed one after the other.

A changed template replaces pods, so it is put into one rack at a time, the next one only when the whole
datacenter is healthy again; and only because somebody changed the spec: a new release of this operator that
renders differently says so in the condition RequiresUpdate and waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from controllers.cassandra.actions import (
    Action,
    AdoptRack,
    AdvanceRack,
    CreateRack,
    Event,
    LabelRack,
    ScaleRack,
    UpdateRack,
)
from controllers.cassandra.datacenter import RackPlan
from controllers.cassandra.decide.health import unhealthy
from controllers.cassandra.decide.objects import NameTaken
from controllers.cassandra.decide.reshape import is_due, is_reshaped
from controllers.cassandra.render.statefulset import canary_partition
from controllers.cassandra.state import RackSet, Snapshot
from missioncontrol.api.names import Annotation, EventReason


@dataclass(frozen=True, slots=True)
class Rollout:
    """What the rolling change does now."""

    action: UpdateRack | AdvanceRack | None = None
    sentence: str = ""
    waiting: str = ""
    """Why the next rack, or the end, has to wait; empty when there is nothing to wait for."""
    ask_again: bool = False
    """Whether what is waited for shows only in gossip."""
    postponed: tuple[str, ...] = ()
    """Racks whose template differs though nobody changed the spec."""


def rack_actions(snapshot: Snapshot) -> list[Action]:
    """StatefulSets to make and replicas to add."""
    actions: list[Action] = []
    for rack in snapshot.datacenter.plan:
        live = snapshot.racks.get(rack.statefulset)
        replicas = _target(snapshot, rack, live)
        if live is None:
            actions.append(CreateRack(rack.statefulset, replicas))
            continue
        if live.owner_uid != snapshot.datacenter.uid:
            raise NameTaken(
                f"StatefulSet {live.name} exists and does not belong to this datacenter; "
                "rename the rack or remove that object"
            )
        if live.replicas < replicas:
            note = f"Scaling up rack {rack.name} from {live.replicas} to {replicas} nodes"
            event = Event(EventReason.SCALING_UP_RACK, note)
            actions.append(ScaleRack(rack.statefulset, replicas, live.resource_version, event))
    return actions


def _target(snapshot: Snapshot, rack: RackPlan, live: RackSet | None) -> int:
    """How many pods a rack is to have at least; taking pods away is not decided here."""
    if snapshot.datacenter.spec.stopped:
        return 0
    if live is None or live.replicas == 0:
        # its members come back, all of them: only a running node can leave the ring
        return max(rack.nodes, members(snapshot, rack))
    return rack.nodes


def label_actions(snapshot: Snapshot) -> list[LabelRack]:
    """StatefulSets whose own labels differ: these need no rolling change, and no leave for one."""
    found = []
    for rack in snapshot.datacenter.plan:
        live = snapshot.racks.get(rack.statefulset)
        if live is None or live.labels is None or live.owner_uid != snapshot.datacenter.uid:
            continue
        wanted = snapshot.datacenter.labels(snapshot.datacenter.rack_labels(rack.name))
        different = {key: value for key, value in wanted.items() if live.labels.get(key) != value}
        if different:
            found.append(LabelRack(rack.statefulset, different))
    return found


def members(snapshot: Snapshot, rack: RackPlan) -> int:
    """How many pods a rack needs so that every member of the ring in it has its own."""
    known = snapshot.datacenter.status.node_statuses or {}
    ordinals = (name.rpartition("-") for name in known if not snapshot.is_gone(name))
    found = [int(last) for stem, _, last in ordinals if stem == rack.statefulset and last.isdecimal()]
    return max(found, default=-1) + 1


def grows(snapshot: Snapshot, actions: list[Action]) -> bool:
    """Whether actions make place for nodes that are new to the ring."""
    plan = {rack.statefulset: rack for rack in snapshot.datacenter.plan}
    return any(
        isinstance(action, CreateRack | ScaleRack)
        and action.replicas > members(snapshot, plan[action.statefulset])
        for action in actions
    )


def changed_racks(snapshot: Snapshot) -> list[UpdateRack]:
    """All racks whose template is to change, for a moment at which nobody runs."""
    if not may_update(snapshot):
        return []
    different = (rack for rack in in_scope(snapshot) if _differs(snapshot, rack))
    return [_update(snapshot, rack, forced=False) for rack in different]


def adoptions(snapshot: Snapshot) -> list[AdoptRack]:
    """StatefulSets of unknown content: perhaps another operator made them, just as we would."""
    found = []
    for rack in snapshot.datacenter.plan:
        live = snapshot.racks.get(rack.statefulset)
        if live is None or not _differs(snapshot, rack) or live.owner_uid != snapshot.datacenter.uid:
            continue
        desired = snapshot.desired_racks[rack.statefulset]
        if (live.uid, live.digest, desired) not in snapshot.memory.compared:
            found.append(AdoptRack(rack.statefulset, live.digest, desired))
    return found


def in_scope(snapshot: Snapshot) -> tuple[RackPlan, ...]:
    """The racks that a change reaches: with a canary only the first."""
    plan = snapshot.datacenter.plan
    return plan[:1] if snapshot.datacenter.spec.canary_upgrade else plan


def may_update(snapshot: Snapshot) -> bool:
    """Whether a changed template may be rolled out.

    The spec changed, or the configuration that it takes from a Secret, or the user allows it beforehand.
    """
    datacenter = snapshot.datacenter
    if datacenter.annotated(Annotation.AUTOUPDATE_SPEC):
        return True
    if datacenter.spec.config_secret and any(
        live.config_hash not in ("", datacenter.config_hash) for live in snapshot.racks.values()
    ):
        return True
    return datacenter.metadata.generation != datacenter.status.observed_generation


def repair(snapshot: Snapshot) -> UpdateRack | None:
    """A rack whose pods cannot come up gets a different template, if there is one, without waiting."""
    if not may_update(snapshot):
        return None
    for rack in in_scope(snapshot):
        failing = [pod.ordinal for pod in snapshot.of_rack(rack.statefulset) if pod.failing]
        if failing and _differs(snapshot, rack) and not _others_roll(snapshot, rack):
            return _update(snapshot, rack, forced=True, partition=min(failing))
    return None


def forced(snapshot: Snapshot) -> UpdateRack | None:
    """A rack that is to get its template whatever the health says; never two of them at the same time."""
    names = snapshot.datacenter.spec.force_upgrade_racks
    for rack in snapshot.datacenter.plan:
        if rack.name not in names or not _differs(snapshot, rack) or _others_roll(snapshot, rack):
            continue
        before = [other for other in snapshot.datacenter.plan if other.name in names and other != rack]
        if all(_differs(snapshot, other) or _serves(snapshot, other) for other in before):
            return _update(snapshot, rack, forced=True)
    return None


def _others_roll(snapshot: Snapshot, rack: RackPlan) -> bool:
    others = (live for live in snapshot.racks.values() if live.name != rack.statefulset)
    return any(not live.rolled or live.in_steps for live in others)


def _serves(snapshot: Snapshot, rack: RackPlan) -> bool:
    live = snapshot.racks.get(rack.statefulset)
    pods = snapshot.of_rack(rack.statefulset)
    return live is not None and len(pods) == live.replicas and all(pod.started for pod in pods)


def rollout(snapshot: Snapshot, *, allowed: bool) -> Rollout:
    """The next step of a rolling change. To be asked only when every node is started."""
    different = [rack for rack in in_scope(snapshot) if allowed and _differs(snapshot, rack)]
    busy = rolling(snapshot)
    if busy:
        return Rollout(waiting=f"rack {busy} is being replaced pod by pod")
    half = next((live for live in snapshot.racks.values() if live.in_steps), None)
    if half is not None and half.rack not in {rack.label for rack in different}:
        return _onwards(snapshot, half)
    if not different:
        return Rollout()
    if not may_update(snapshot):
        return Rollout(postponed=tuple(rack.name for rack in different))
    reason = unhealthy(snapshot, fresh=True)
    if reason:
        return Rollout(waiting=f"rack {different[0].name} is to be updated, but {reason}", ask_again=True)
    rack = half_first(different, half)
    live = snapshot.racks[rack.statefulset]
    partition = max(live.replicas - _stride(snapshot, rack), _goal(snapshot, live))
    return Rollout(_update(snapshot, rack, forced=False, partition=partition), f"updating rack {rack.name}")


def half_first(different: list[RackPlan], half: RackSet | None) -> RackPlan:
    """A rack that is half-way comes first, when what it is to become has changed again."""
    return next((rack for rack in different if half is not None and rack.label == half.rack), different[0])


def _onwards(snapshot: Snapshot, live: RackSet) -> Rollout:
    """The next pod of a rack that has its template already."""
    goal = _goal(snapshot, live)
    rack = next((rack for rack in snapshot.datacenter.plan if rack.statefulset == live.name), None)
    reason = unhealthy(snapshot, fresh=True)
    if reason:
        return Rollout(waiting=f"rack {live.rack} goes on when it is healthy: {reason}", ask_again=True)
    partition = max(live.partition - (_stride(snapshot, rack) if rack else 1), goal)
    action = AdvanceRack(live.name, live.resource_version, partition, last=partition <= goal)
    return Rollout(action, f"updating rack {live.rack}: the next pod")


def _goal(snapshot: Snapshot, live: RackSet) -> int:
    """The ordinal down to which pods are to change: zero, but for a canary."""
    datacenter = snapshot.datacenter
    return canary_partition(datacenter, live.replicas) if datacenter.spec.canary_upgrade else 0


def _stride(snapshot: Snapshot, rack: RackPlan) -> int:
    """How many pods of a rack may be away at the same time."""
    limit = snapshot.datacenter.spec.max_unavailable
    if limit is None:
        return 1
    if isinstance(limit, str) and limit.endswith("%"):
        return max(rack.nodes * int(limit[:-1]) // 100, 1)
    return max(int(limit), 1)


def rolling(snapshot: Snapshot) -> str:
    """A rack whose pods are being replaced; empty when there is none."""
    return next((live.rack for live in snapshot.racks.values() if not live.rolled), "")


def needs_rollout(snapshot: Snapshot) -> bool:
    """Whether some rack is to get another template, or has not got it in all of its pods."""
    if any(live.in_steps for live in snapshot.racks.values()) or is_due(snapshot):
        return True
    return may_update(snapshot) and any(_differs(snapshot, rack) for rack in in_scope(snapshot))


def _differs(snapshot: Snapshot, rack: RackPlan) -> bool:
    live = snapshot.racks.get(rack.statefulset)
    desired = snapshot.desired_racks.get(rack.statefulset)
    if live is None or desired is None or not is_reshaped(snapshot, live):
        # where volumes come or go, pods are replaced for that, with all that is new
        return False
    return live.digest != desired


def _update(snapshot: Snapshot, rack: RackPlan, *, forced: bool, partition: int | None = None) -> UpdateRack:
    live = snapshot.racks[rack.statefulset]
    steps = None if partition == _goal(snapshot, live) else partition
    return UpdateRack(rack.statefulset, rack.name, live.resource_version, forced=forced, partition=steps)
