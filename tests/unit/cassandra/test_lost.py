"""Pods on machines that are lost: what is said of them, and when they are removed by force."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

import pytest

from controllers.cassandra.actions import DeleteClaims, RemovePod
from controllers.cassandra.decide import replace
from controllers.cassandra.decide.lost import trouble
from controllers.cassandra.decide.nodes import missing
from controllers.cassandra.machines import (
    OUT_OF_SERVICE,
    Machine,
    MachineSpec,
    MachineStatus,
    MachineView,
    Taint,
    machine_of,
)
from controllers.cassandra.state import PodState, Snapshot
from missioncontrol.api.names import NodeState
from missioncontrol.kube.views import Condition
from tests.unit.cassandra.builders import NOW, claim, datacenter, members, pod, snapshot

HEALTHY = [pod(rack, state=NodeState.STARTED, seed=True) for rack in (1, 3)]
OLD = NOW.replace(hour=0)


def on(machine: Machine, **more: Any) -> PodState:
    values = {"ready": False, "running": False, "machine": machine, "machine_name": "m2", **more}
    return pod(2, state=NodeState.STARTED_NOT_READY, **values)


def machine(ready: str | None, *taints: str) -> MachineView:
    conditions = (Condition(type="Ready", status=ready),) if ready else ()
    return MachineView(
        spec=MachineSpec(taints=tuple(Taint(key=key) for key in taints)),
        status=MachineStatus(conditions=conditions),
    )


@pytest.mark.parametrize(
    ("view", "state"),
    [
        pytest.param(machine("True"), Machine.FINE, id="ready"),
        pytest.param(machine("False"), Machine.FINE, id="its kubelet says it is not ready, and so runs"),
        pytest.param(machine("Unknown"), Machine.UNREACHABLE, id="its kubelet is silent"),
        pytest.param(machine(None), Machine.UNREACHABLE, id="its kubelet never spoke"),
        pytest.param(machine("Unknown", OUT_OF_SERVICE), Machine.OUT_OF_SERVICE, id="given up"),
        pytest.param(machine("False", OUT_OF_SERVICE), Machine.OUT_OF_SERVICE, id="given up while stopping"),
        pytest.param(machine("True", OUT_OF_SERVICE), Machine.FINE, id="given up by mistake: it is ready"),
        pytest.param(None, Machine.GONE, id="its Node is deleted"),
    ],
)
def test_a_machine_is_lost_when_somebody_says_so_and_its_kubelet_does_not_object(
    view: MachineView | None, state: Machine
) -> None:
    assert machine_of(view) is state


def replacing(victim: PodState) -> Snapshot:
    status = {
        **members(*HEALTHY, victim),
        "nodeReplacements": [victim.name],
        "conditions": [
            {"type": "ReplacingNodes", "status": "True", "lastTransitionTime": "2026-05-04T11:59:30Z"}
        ],
    }
    found = snapshot([*HEALTHY, victim], of=datacenter(status=status))
    disk = claim(victim.name, created_at=OLD)
    return changed(found, claims={disk.name: disk})


@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize("state", [Machine.GONE, Machine.OUT_OF_SERVICE])
def test_a_node_on_a_lost_machine_is_replaced_without_its_kubelet(state: Machine, deleting: bool) -> None:
    victim = on(state, deleting=deleting)

    plan = replace.proceed(replacing(victim))

    assert plan is not None
    assert [type(action) for action in plan.actions] == [DeleteClaims, RemovePod]
    assert "its Kubernetes node" in plan.sentence.replace("whose", "its")


def test_a_pod_whose_machine_is_only_silent_is_never_removed_by_force() -> None:
    plan = replace.proceed(replacing(on(Machine.UNREACHABLE, deleting=True)))

    assert plan is None or not any(isinstance(action, RemovePod) for action in plan.actions)


@pytest.mark.parametrize("deleting", [False, True])
def test_what_is_waited_for_says_what_can_be_done(deleting: bool) -> None:
    silent = snapshot([*HEALTHY, on(Machine.UNREACHABLE, deleting=deleting)], of=datacenter())
    gone = snapshot([*HEALTHY, on(Machine.GONE, deleting=deleting)], of=datacenter())

    assert missing(silent) == (
        "waiting for demo-dc1-r2-sts-0: its Kubernetes node m2 does not answer; bring it back; or, once it "
        "is certainly off, delete the Node or taint it "
        "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    )
    assert "m2 no longer exists; if its volumes are lost with it, replace the node" in missing(gone)


def test_a_pod_that_cannot_follow_its_volume_says_how_to_go_on() -> None:
    stray = pod(2, running=False, unschedulable="3 node(s) had volume node affinity conflict")

    said = trouble(snapshot([*HEALTHY, stray], of=datacenter()))

    assert said.startswith("demo-dc1-r2-sts-0 finds no Kubernetes node: 3 node(s) had volume node affinity")
    assert "replace the node" in said
