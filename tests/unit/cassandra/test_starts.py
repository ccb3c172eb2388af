"""Which node is started next, and what it waits for."""

from __future__ import annotations

from datetime import timedelta

from controllers.cassandra.actions import DeletePod, LabelPod, StartNode
from controllers.cassandra.decide.nodes import starts
from controllers.cassandra.decide.turns import candidates
from controllers.cassandra.state import Memory, Observations, PodState, Process, StartCall
from missioncontrol.api.names import Label, NodeState
from tests.unit.cassandra.builders import NOW, datacenter, gossip, members, pod, snapshot


def stopped(*pods: object) -> Observations:
    return Observations(processes={p.name: Process.STOPPED for p in pods})  # type: ignore[attr-defined]


def names(actions: object) -> list[str]:
    return [action.pod.name for action in actions]  # type: ignore[attr-defined]


def test_the_first_node_of_all_is_labelled_as_seed() -> None:
    pods = [pod(1), pod(2), pod(3)]
    step = starts(snapshot(pods, observed=stopped(*pods)), NOW)
    assert step.actions == (StartNode(pods[0], seed=True, founds=True),)


def test_with_seeds_elsewhere_the_first_node_is_no_seed() -> None:
    pods = [pod(1), pod(2), pod(3)]
    step = starts(snapshot(pods, observed=stopped(*pods), external_seeds=True), NOW)
    assert step.actions == (StartNode(pods[0], seed=False),)


def test_nobody_starts_while_a_newcomer_joins() -> None:
    pods = [pod(1, state=NodeState.STARTING, seed=True), pod(2), pod(3)]
    step = starts(snapshot(pods, observed=stopped(pods[1])), NOW)
    assert step.actions == ()
    assert step.sentence == "starting demo-dc1-r1-sts-0"


def test_the_next_one_starts_when_the_last_is_ready_and_nobody_moves() -> None:
    pods = [pod(1, state=NodeState.STARTED, seed=True), pod(2), pod(3)]
    seen = Observations({pods[1].name: Process.STOPPED}, {pods[0].name: gossip(pods[:1])})
    assert starts(snapshot(pods, observed=seen), NOW).actions == (StartNode(pods[1], seed=False),)


def test_a_newcomer_waits_while_somebody_joins_elsewhere() -> None:
    pods = [pod(1, state=NodeState.STARTED, seed=True), pod(2), pod(3)]
    seen = Observations({pods[1].name: Process.STOPPED}, {pods[0].name: gossip(pods[:1], status="JOINING")})
    step = starts(snapshot(pods, observed=seen), NOW)
    assert step.actions == ()
    assert "is JOINING in the gossip" in step.sentence


def test_a_newcomer_waits_for_a_member_that_lost_its_readiness() -> None:
    pods = [
        pod(1, state=NodeState.STARTED, seed=True),
        pod(2, state=NodeState.STARTED_NOT_READY),
        pod(3),
    ]
    seen = Observations({pods[2].name: Process.STOPPED}, {pods[0].name: gossip(pods[:1])})
    step = starts(snapshot(pods, observed=seen), NOW)
    assert step.actions == ()
    assert step.sentence == "demo-dc1-r3-sts-0 joins when demo-dc1-r2-sts-0 is ready again"


def test_while_no_member_runs_a_newcomer_never_founds_a_second_ring() -> None:
    pods = [pod(1, running=False), pod(2), pod(3)]
    dc = datacenter(status=members(pods[0]))
    step = starts(snapshot(pods, of=dc, observed=stopped(*pods)), NOW)
    assert (step.actions, step.sentence) == (
        (),
        "demo-dc1-r2-sts-0 joins when demo-dc1-r1-sts-0 is ready again",
    )


def test_members_come_back_together_once_a_seed_is_ready() -> None:
    pods = [pod(1, state=NodeState.STARTED, seed=True), pod(2), pod(3)]
    dc = datacenter(status=members(*pods))
    step = starts(snapshot(pods, of=dc, observed=stopped(*pods[1:])), NOW)
    assert names(step.actions) == ["demo-dc1-r2-sts-0", "demo-dc1-r3-sts-0"]


def test_members_come_back_one_by_one_where_parallel_starts_are_off() -> None:
    pods = [pod(1, state=NodeState.STARTED, seed=True), pod(2), pod(3)]
    notes = {"annotations": {"cassandra.datastax.com/allow-parallel-starts": "false"}}
    dc = datacenter(status=members(*pods), meta=notes)
    step = starts(snapshot(pods, of=dc, observed=stopped(*pods[1:])), NOW)
    assert names(step.actions) == ["demo-dc1-r2-sts-0"]


def test_after_an_outage_a_member_is_first_and_becomes_the_seed() -> None:
    pods = [pod(1), pod(2), pod(3)]
    dc = datacenter(status=members(pods[1]))
    step = starts(snapshot(pods, of=dc, observed=stopped(*pods)), NOW)
    assert step.actions == (StartNode(pods[1], seed=True),)


def test_the_order_is_the_last_of_each_rack_then_higher_ordinals() -> None:
    pods = [pod(1, n) for n in range(3)] + [pod(r, n) for r in (2, 3) for n in range(2)]
    order = [each.name[9:] for each in candidates(snapshot(pods, of=datacenter(size=7)), NOW)]
    assert order == ["r1-sts-2", "r2-sts-1", "r3-sts-1", "r1-sts-1", "r1-sts-0", "r2-sts-0", "r3-sts-0"]


def test_failed_starts_come_last_and_only_when_their_time_has_come() -> None:
    pods = [pod(1), pod(2), pod(3)]
    dc = datacenter(status={"failedStarts": [pods[0].name]})
    assert [each.rack for each in candidates(snapshot(pods, of=dc), NOW)] == ["r2", "r3", "r1"]
    later = Memory(retry_at={pods[0].name: NOW + timedelta(seconds=2)})
    assert [each.rack for each in candidates(snapshot(pods, of=dc, memory=later), NOW)] == ["r2", "r3"]


def test_a_young_pod_lets_the_one_before_it_in_turn_come() -> None:
    pods = [pod(1, running=False, age=1), pod(2, age=1), pod(3, age=1)]
    step = starts(snapshot(pods, observed=stopped(*pods)), NOW)
    assert (step.actions, step.sentence) == ((), "waiting for demo-dc1-r1-sts-0, whose turn it is")


def test_after_some_seconds_the_next_one_goes_first() -> None:
    pods = [pod(1, running=False, age=6), pod(2, age=6), pod(3, age=6)]
    assert names(starts(snapshot(pods, observed=stopped(*pods)), NOW).actions) == ["demo-dc1-r2-sts-0"]


def test_a_node_that_does_not_answer_lets_the_next_one_have_its_turn() -> None:
    pods = [pod(1), pod(2), pod(3)]
    seen = Observations({pods[0].name: Process.UNREACHABLE, pods[1].name: Process.STOPPED})
    assert names(starts(snapshot(pods, observed=seen), NOW).actions) == ["demo-dc1-r2-sts-0"]


def unmarked(one: PodState) -> tuple[LabelPod, ...]:
    return (LabelPod(one, {Label.NODE_STATE: "Ready-to-Start"}),)


def test_a_mark_without_a_call_is_taken_off_and_decided_anew() -> None:
    pods = [pod(1, state=NodeState.STARTING, seed=True), pod(2), pod(3)]
    step = starts(snapshot(pods, observed=stopped(pods[0])), NOW)
    assert step.actions == unmarked(pods[0])


def test_a_call_under_way_is_not_sent_twice() -> None:
    pods = [pod(1, state=NodeState.STARTING, seed=True), pod(2), pod(3)]
    memory = Memory(calls={pods[0].incarnation: StartCall.IN_FLIGHT})
    assert starts(snapshot(pods, observed=stopped(pods[0]), memory=memory), NOW).actions == ()


def test_a_running_process_is_not_called_again() -> None:
    pods = [pod(1, state=NodeState.STARTING, seed=True), pod(2), pod(3)]
    seen = Observations({pods[0].name: Process.RUNNING})
    assert starts(snapshot(pods, observed=seen), NOW).actions == ()


def test_an_api_that_cannot_say_is_given_two_minutes() -> None:
    pods = [pod(1, state=NodeState.STARTING, seed=True), pod(2), pod(3)]
    seen = Observations({pods[0].name: Process.UNKNOWN})
    recent = datacenter(status={"lastServerNodeStarted": "2026-05-04T11:59:00Z"})
    assert starts(snapshot(pods, of=recent, observed=seen), NOW).actions == ()
    old = datacenter(status={"lastServerNodeStarted": "2026-05-04T11:50:00Z"})
    step = starts(snapshot(pods, of=old, observed=seen), NOW)
    assert step.actions == unmarked(pods[0])


def test_a_refused_start_has_its_pod_made_again() -> None:
    pods = [pod(1, state=NodeState.STARTING, seed=True), pod(2), pod(3)]
    key = pods[0].incarnation
    memory = Memory(calls={key: StartCall.REFUSED}, refusals={key: "HTTP 500: no"})
    [action] = starts(snapshot(pods, memory=memory), NOW).actions
    assert isinstance(action, DeletePod)
    assert action.failed_start
    assert "HTTP 500: no" in action.event.note


def test_a_start_that_was_accepted_and_ended_is_a_failed_one() -> None:
    pods = [pod(1, state=NodeState.STARTING, seed=True), pod(2), pod(3)]
    memory = Memory(calls={pods[0].incarnation: StartCall.ACCEPTED})
    [action] = starts(snapshot(pods, observed=stopped(pods[0]), memory=memory), NOW).actions
    assert isinstance(action, DeletePod)


def test_when_all_are_started_there_is_nothing_to_say() -> None:
    pods = [pod(rack, state=NodeState.STARTED) for rack in (1, 2, 3)]
    step = starts(snapshot(pods), NOW)
    assert (step.sentence, step.actions) == ("", ())


def test_a_founder_that_is_away_is_waited_for_though_nobody_saw_its_ring() -> None:
    pods = [pod(2), pod(3)]
    told = {"nodeStatuses": {"demo-dc1-r1-sts-0": {"rack": "r1"}}}
    step = starts(snapshot(pods, of=datacenter(status=told), observed=stopped(*pods)), NOW)
    assert step.actions == ()
    assert step.sentence == "demo-dc1-r2-sts-0 joins when demo-dc1-r1-sts-0 is ready again"


def test_a_founder_that_comes_back_goes_first_even_after_a_failed_start() -> None:
    pods = [pod(1), pod(2), pod(3)]
    told = {"nodeStatuses": {"demo-dc1-r2-sts-0": {"rack": "r2"}}, "failedStarts": ["demo-dc1-r2-sts-0"]}
    step = starts(snapshot(pods, of=datacenter(status=told), observed=stopped(*pods)), NOW)
    assert step.actions == (StartNode(pods[1], seed=True, founds=True),)


def test_after_an_outage_a_member_that_does_not_come_up_holds_the_others_for_two_minutes() -> None:
    slow = pod(1, state=NodeState.STARTING, seed=True)
    pods = [slow, pod(2), pod(3)]
    for minutes, expected in ((1, ()), (3, (StartNode(pods[1], seed=True),))):
        started = (NOW - timedelta(minutes=minutes)).isoformat()
        dc = datacenter(status={**members(*pods), "lastServerNodeStarted": started})
        seen = Observations({slow.name: Process.RUNNING, pods[1].name: Process.STOPPED})
        assert starts(snapshot(pods, of=dc, observed=seen), NOW).actions == expected


def test_nobody_starts_beside_a_newcomer_however_long_it_takes() -> None:
    slow = pod(1, state=NodeState.STARTING, seed=True)
    pods = [slow, pod(2), pod(3)]
    started = (NOW - timedelta(hours=3)).isoformat()
    dc = datacenter(status={**members(*pods[1:]), "lastServerNodeStarted": started})
    seen = Observations({slow.name: Process.RUNNING, pods[1].name: Process.STOPPED})
    assert starts(snapshot(pods, of=dc, observed=seen), NOW).actions == ()
