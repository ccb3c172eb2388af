"""What to do about a datacenter: the steps in their order, as one decision.

Each step either finds nothing to do and lets the next one speak, or ends the decision with its sentence.
Objects and racks come first, then the labels of the pods, then starts; only when every node runs and is
seen to be healthy may a changed template roll, and only after that is the datacenter settled.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from controllers.cassandra.actions import (
    Action,
    AddFinalizer,
    ForgetSecrets,
    LogQueries,
    Plan,
    RemoveAnnotation,
    StartNode,
    WriteRoles,
)
from controllers.cassandra.decide import (
    cleanup,
    labels,
    nodes,
    racks,
    requested,
    reshape,
    shrink,
    stop,
    volumes,
)
from controllers.cassandra.decide import replace as replace_nodes
from controllers.cassandra.decide.deletion import before_leaving, decide_deletion, decommissions, is_lone
from controllers.cassandra.decide.health import unhealthy
from controllers.cassandra.decide.objects import NameTaken, config_actions, config_is_known, object_actions
from controllers.cassandra.decide.refusals import is_true, refusals
from controllers.cassandra.render.images import UnknownServerType
from controllers.cassandra.state import Snapshot
from missioncontrol.api.names import Annotation, Condition, Finalizer, LabelValue, NodeState, Reason

Conditions = dict[str, tuple[bool, str, str]]

HEALTH_PAUSE = 1.0
"""Seconds between two looks at nodes that are ready but do not see each other: gossip cannot be watched."""
UNSETTLED_PAUSE = 30.0
OVER = (
    Condition.RESIZING_VOLUMES,
    Condition.STOPPED,
    Condition.REPLACING_NODES,
    Condition.UPDATING,
    Condition.ROLLING_RESTART,
    Condition.RESUMING,
    Condition.SCALING_DOWN,
)
"""What is over when a datacenter is settled."""
UNDER_WAY = (
    Condition.REPLACING_NODES,
    Condition.UPDATING,
    Condition.ROLLING_RESTART,
    Condition.RESUMING,
    Condition.SCALING_UP,
    Condition.SCALING_DOWN,
)
"""What takes nodes away for a while, or brings some that the others do not know yet."""
REFUSED = (
    Reason.NOT_SUPPORTED,
    Reason.NAME_TAKEN,
    Reason.INVALID_SPEC,
    Reason.SHRINKING_NOT_SUPPORTED,
    Reason.NO_EXPANSION,
)
"""Reasons for which a whole spec is refused; others are proved anew where they arise."""


def decide(snapshot: Snapshot, now: datetime) -> Plan:
    """The plan for this moment."""
    datacenter = snapshot.datacenter
    if datacenter.metadata.deletion_timestamp is not None:
        return _leave_ring(snapshot, now) or decide_deletion(snapshot)
    wrong, reason = refusals(snapshot), Reason.NOT_SUPPORTED
    storage = volumes.objection(snapshot) if not wrong else None
    if storage is not None:
        wrong, reason = [storage.sentence], storage.reason
    if not wrong and _wants_finalizer(snapshot):
        return Plan("taking charge of the datacenter", (AddFinalizer(),), again=True, updating=True)
    if not wrong:
        try:
            plan = _build(snapshot)
        except (NameTaken, UnknownServerType) as error:
            wrong = [str(error)]
        else:
            if plan is not None:
                return plan
        made_again = volumes.recreated(snapshot) if not wrong else None
        if made_again is not None:
            return made_again
        if stop.wants_stop(snapshot) and not wrong:
            return shrink.farewell(snapshot) or stop.decide_stop(snapshot)
        if not wrong:
            asked = replace_nodes.accept(snapshot) or requested.accept(snapshot, now)
            asked = asked or volumes.grow(snapshot)
            if asked is not None:
                return asked
    return _run(snapshot, now, refused="; ".join(wrong), reason=reason)


def _wants_finalizer(snapshot: Snapshot) -> bool:
    metadata = snapshot.datacenter.metadata
    held = Finalizer.CASSANDRA_DATACENTER in metadata.finalizers
    return not held and not snapshot.datacenter.annotated(Annotation.NO_FINALIZER)


def _leave_ring(snapshot: Snapshot, now: datetime) -> Plan | None:
    """Before a deletion: the nodes leave the ring one by one, where that was asked for and makes sense."""
    if Finalizer.CASSANDRA_DATACENTER not in snapshot.datacenter.metadata.finalizers:
        return None
    if not decommissions(snapshot):
        return shrink.farewell(snapshot)
    plan = before_leaving(snapshot)
    if plan is not None or is_lone(snapshot):
        return plan
    return replace(_run(snapshot, now, refused=""), updating=True)


def _build(snapshot: Snapshot) -> Plan | None:
    """Make or change what is missing or different around the nodes."""
    configure = config_actions(snapshot)
    if configure:
        return Plan("merging the configuration from the Secret", tuple(configure), again=True)
    if not config_is_known(snapshot):
        return Plan("waiting for the hash of the configuration to be seen")
    adopt = racks.adoptions(snapshot)
    if adopt:
        return Plan("comparing StatefulSets that are not known", tuple(adopt), again=True)
    actions: list[Action] = racks.rack_actions(snapshot)
    conditions = _of_growth(snapshot, actions)
    if conditions:
        # what follows afterwards (a cleanup, above all) hangs on these: they are stored before the first pod
        return Plan("pods are to be made", store=True, updating=True, conditions=conditions)
    actions = [*object_actions(snapshot), *racks.label_actions(snapshot), *actions]
    if actions:
        sentence = f"making or changing {_count(len(actions), 'object')}"
        return Plan(sentence, tuple(actions), again=True, updating=True)
    repair = racks.forced(snapshot) or racks.repair(snapshot)
    if repair is not None:
        conditions[Condition.UPDATING] = (True, "", "")
        wish = repair.rack in snapshot.datacenter.spec.force_upgrade_racks
        why = "is forced" if wish else "cannot come up"
        sentence = f"rack {repair.rack} {why}; it gets the new template without waiting"
        return Plan(sentence, (repair,), again=True, updating=True, conditions=conditions)
    return None


def _of_growth(snapshot: Snapshot, actions: list[Action]) -> Conditions:
    """The conditions that begin with pods being made, as far as they do not hold yet."""
    datacenter = snapshot.datacenter
    resumed = is_true(datacenter, Condition.STOPPED) and not datacenter.spec.stopped
    conditions: Conditions = {}
    if resumed:
        conditions |= {Condition.STOPPED: (False, "", ""), Condition.RESUMING: (True, "", "")}
    running = is_true(datacenter, Condition.READY) or (
        resumed and is_true(datacenter, Condition.INITIALIZED) and bool(datacenter.status.node_statuses)
    )
    if running and racks.grows(snapshot, actions) and not is_true(datacenter, Condition.SCALING_UP):
        conditions[Condition.SCALING_UP] = (True, "", "")
    return conditions


def _run(snapshot: Snapshot, now: datetime, *, refused: str, reason: Reason = Reason.NOT_SUPPORTED) -> Plan:
    """Look after the nodes; with a refused spec only after those that exist."""
    conditions: Conditions = {}
    if refused:
        conditions[Condition.VALID] = (False, reason.value, refused)
    elif _was_refused(snapshot):
        conditions[Condition.VALID] = (True, "", "")
    if not snapshot.racks:
        return Plan(refused or "waiting for the StatefulSets to be seen", conditions=conditions)
    gone = shrink.farewell(snapshot)
    if gone is not None:
        return gone
    going = replace_nodes.proceed(snapshot) or requested.going(snapshot)
    if going is not None:
        return going
    relabel = labels.label_actions(snapshot)
    if relabel:
        return Plan(
            f"labelling {_count(len(relabel), 'pod')}", tuple(relabel), again=True, conditions=conditions
        )
    stuck = labels.stuck_pod(snapshot, now)
    if stuck is not None:
        return Plan(f"{stuck.pod.name} is stuck and made again", (stuck,), conditions=conditions)
    blocked = reshape.unblock(snapshot) if not refused else None
    if blocked is not None:
        return replace(blocked, conditions=conditions)
    step = nodes.starts(snapshot, now)
    extra = _seeds(snapshot, step)
    if step.actions or step.sentence:
        if not step.actions:
            conditions |= _not_healthy(snapshot, step.sentence)
        wait = step.wait if step.wait is not None else UNSETTLED_PAUSE
        return Plan(step.sentence, (*extra, *step.actions), wait=wait, conditions=conditions)
    leaving = shrink.leaving(snapshot, now)
    if leaving is not None:
        conditions[Condition.SCALING_DOWN] = (True, "", leaving.sentence)
        return replace(leaving, actions=(*extra, *leaving.actions), conditions=conditions)
    return _finish(snapshot, refused, conditions, extra)


def _was_refused(snapshot: Snapshot) -> bool:
    """Whether the status says that the spec is refused, which it is not any more."""
    valid = next((c for c in snapshot.datacenter.status.conditions if c.type == Condition.VALID), None)
    return valid is not None and valid.status == "False" and valid.reason in REFUSED


def _seeds(snapshot: Snapshot, step: nodes.Starts) -> tuple[Action, ...]:
    """Tell the nodes of new seeds, but not in the middle of starts: seeds change with nearly each, and a
    node that starts looks for them itself. The first starts of a datacenter are one such time as a whole,
    however long Kubernetes takes to bring the pods.
    """
    starting = any(pod.state is NodeState.STARTING for pod in snapshot.living)
    if not is_true(snapshot.datacenter, Condition.INITIALIZED):
        starting |= sum(pod.started for pod in snapshot.living) < snapshot.replicas
    if starting or any(isinstance(action, StartNode) for action in step.actions):
        return ()
    reload_seeds = labels.seed_reload(snapshot)
    return (reload_seeds,) if reload_seeds is not None else ()


def _finish(snapshot: Snapshot, refused: str, conditions: Conditions, extra: tuple[Action, ...]) -> Plan:
    """Every node is started: prove health, roll what changed, write roles, close what was open."""
    shrinks = shrink.wants_shrink(snapshot)
    quorum = not is_true(snapshot.datacenter, Condition.DECOMMISSION)
    fresh = shrinks or bool(requested.remaining(snapshot))
    reason = "" if _rests(snapshot) else unhealthy(snapshot, fresh=fresh, quorum=quorum)
    if reason:
        conditions |= _not_healthy(snapshot, reason)
        return Plan(f"waiting for health: {reason}", extra, wait=HEALTH_PAUSE, conditions=conditions)
    conditions[Condition.HEALTHY] = (True, "", "")
    begun = shrink.begin(snapshot) if shrinks and not refused and not racks.rolling(snapshot) else None
    if begun is not None:
        return replace(begun, actions=(*extra, *begun.actions), conditions={**conditions, **begun.conditions})
    if snapshot.datacenter.metadata.deletion_timestamp is not None:
        return Plan("deleting: waiting for the pods of the racks to be seen", conditions=conditions)
    replacing = replace_nodes.replaced(snapshot)
    if replacing:
        sentence = f"replacing {replacing[0]}"
        return Plan(sentence, extra, wait=HEALTH_PAUSE, conditions=conditions, updating=True)
    resizing = volumes.unfinished(snapshot)
    if resizing is not None:
        told = {**conditions, **resizing.conditions}
        return replace(resizing, actions=(*extra, *resizing.actions), conditions=told)
    other_volumes = reshape.step(snapshot) if not refused else None
    if other_volumes is not None:
        conditions[Condition.UPDATING] = (True, "", other_volumes.sentence)
        step = (*extra, *other_volumes.actions)
        return replace(other_volumes, actions=step, conditions=conditions)
    restart = requested.following(snapshot)
    if restart is not None:
        return replace(restart, actions=(*extra, *restart.actions), conditions=conditions)
    rollout = racks.rollout(snapshot, allowed=not refused)
    if rollout.action is not None:
        conditions[Condition.UPDATING] = (True, "", "")
        step = (*extra, rollout.action)
        return Plan(rollout.sentence, step, again=True, updating=True, conditions=conditions)
    if rollout.waiting:
        wait = HEALTH_PAUSE if rollout.ask_again else UNSETTLED_PAUSE
        return Plan(rollout.waiting, extra, wait=wait, conditions=conditions)
    waiting = cleanup.tracked(snapshot) if not refused else None
    if waiting is not None:
        return replace(waiting, actions=(*extra, *waiting.actions), conditions=conditions)
    cleanups = cleanup.untracked(snapshot)
    actions: list[Action] = [*extra, *_roles(snapshot), *_unused_secrets(snapshot), *_query_logging(snapshot)]
    actions += cleanups
    if snapshot.datacenter.annotated(Annotation.AUTOUPDATE_SPEC, "once") and not refused:
        actions.append(RemoveAnnotation(Annotation.AUTOUPDATE_SPEC))
    if refused:
        return Plan(f"the spec is not carried out: {refused}", tuple(actions), conditions=conditions)
    postponed = bool(rollout.postponed)
    note = f"rack {rollout.postponed[0]} would be rendered differently by this release" if postponed else ""
    conditions[Condition.REQUIRES_UPDATE] = (postponed, "", note)
    conditions |= _settled_conditions(snapshot)
    over = {"trackedTasks": None}
    return Plan(_summary(snapshot), tuple(actions), settled=True, conditions=conditions, status=over)


def _rests(snapshot: Snapshot) -> bool:
    """Whether the last proof of health still counts: nothing was asked because nothing has changed since."""
    return not snapshot.observed.gossip and is_true(snapshot.datacenter, Condition.HEALTHY)


def _not_healthy(snapshot: Snapshot, reason: str) -> Conditions:
    """Health is lost, unless nodes are away because somebody wants it and the others have a quorum."""
    wanted = any(is_true(snapshot.datacenter, kind) for kind in UNDER_WAY)
    come_back = not any(pod.failing for pod in snapshot.living)
    if wanted and come_back and all(snapshot.observed.quorum.values()):
        return {}
    if is_true(snapshot.datacenter, Condition.INITIALIZED):
        return {Condition.HEALTHY: (False, "", reason)}
    return {}


def _roles(snapshot: Snapshot) -> list[Action]:
    datacenter = snapshot.datacenter
    if datacenter.annotated(Annotation.SKIP_USER_CREATION, LabelValue.TRUE):
        return []
    wanted = [(user.secret_name, user.superuser) for user in datacenter.spec.users]
    wanted.append((datacenter.superuser_secret, True))
    known = snapshot.memory.users_written
    if known is not None and known == secret_versions(snapshot, tuple(name for name, _ in wanted)):
        return []
    first = min((pod for pod in snapshot.living if pod.started), key=lambda pod: pod.name)
    return [WriteRoles(first, tuple(wanted))]


def _unused_secrets(snapshot: Snapshot) -> list[Action]:
    """Secrets that the spec named once are no longer watched for the datacenter."""
    unused = snapshot.marked_secrets - snapshot.datacenter.used_secrets
    return [ForgetSecrets(tuple(sorted(unused)))] if unused else []


def _query_logging(snapshot: Snapshot) -> list[Action]:
    """Nodes begin to log every query only when they are told; one that starts anew does not log."""
    if not snapshot.datacenter.logs_queries:
        return []
    silent = tuple(
        pod for pod in snapshot.living if pod.started and pod.incarnation not in snapshot.memory.logged
    )
    return [LogQueries(silent)] if silent else []


def secret_versions(snapshot: Snapshot, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Which state of its secrets a datacenter has."""
    found = ((name, snapshot.objects.get(("Secret", name))) for name in names)
    return tuple((name, existing.version if existing else "") for name, existing in found)


def _settled_conditions(snapshot: Snapshot) -> Conditions:
    conditions: Conditions = dict.fromkeys(OVER, (False, "", ""))
    if is_true(snapshot.datacenter, Condition.SCALING_UP):
        conditions[Condition.SCALING_UP] = (False, "", "")
    for condition in (Condition.VALID, Condition.INITIALIZED, Condition.READY):
        conditions[condition] = (True, "", "")
    return conditions


def _summary(snapshot: Snapshot) -> str:
    total = sum(live.replicas for live in snapshot.racks.values())
    return f"all {_count(total, 'node')} of {_count(len(snapshot.racks), 'rack')} are ready"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
