"""cass-operator with a bug put in on purpose; run as a program: MUTATION, then the operator's own arguments.

The end-to-end suite proves with it that it would notice such a bug.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from datetime import datetime

from controllers.cassandra.__main__ import main
from controllers.cassandra.actions import StartNode
from controllers.cassandra.decide import labels, nodes
from controllers.cassandra.state import PodState, Snapshot
from missioncontrol.api.names import NodeState
from missioncontrol.kube.views import Pod


def skip_the_seed_label() -> None:
    decided = nodes.starts

    def starts(snapshot: Snapshot, now: datetime) -> nodes.Starts:
        step = decided(snapshot, now)
        actions = (
            dataclasses.replace(action, seed=False) if isinstance(action, StartNode) else action
            for action in step.actions
        )
        return dataclasses.replace(step, actions=tuple(actions))

    nodes.starts = starts
    labels.wanted_seeds = lambda snapshot: frozenset()


def start_two_at_once() -> None:
    decided = nodes.starts

    def starts(snapshot: Snapshot, now: datetime) -> nodes.Starts:
        step = decided(snapshot, now)
        chosen = {action.pod.name for action in step.actions if isinstance(action, StartNode)}
        if len(chosen) != 1:
            return step
        others = [pod for pod in nodes.candidates(snapshot, now) if pod.name not in chosen]
        return dataclasses.replace(step, actions=(*step.actions, *(StartNode(pod) for pod in others[:1])))

    nodes.starts = starts


def ignore_readiness() -> None:
    read = PodState.of.__func__  # type: ignore[attr-defined]

    def of(cls: type[PodState], pod: Pod) -> PodState:
        state: PodState = read(cls, pod)
        hoped = state.running and state.state in (NodeState.STARTING, NodeState.STARTED)
        return dataclasses.replace(state, ready=hoped)

    PodState.of = classmethod(of)  # type: ignore[method-assign, assignment]


MUTATIONS: dict[str, Callable[[], None]] = {
    "skip-the-seed-label": skip_the_seed_label,
    "start-two-at-once": start_two_at_once,
    "ignore-readiness": ignore_readiness,
}

if __name__ == "__main__":
    MUTATIONS[sys.argv.pop(1)]()
    main()
