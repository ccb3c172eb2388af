"""Replacing nodes by a task: which node is next, and whether the datacenter is done with it.

The datacenter's own reconciler does the work for the pods named in its `status.nodeReplacements`: it gives
the disk and the pod up and starts the new node in the place of the old one. A task puts one pod after the
other there, and recognises by the node's host id that it is another one; so it can be cancelled between any
two, and never asks twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controllers.cassandra.tasks.jobs import ended, running
from missioncontrol.api.control import PodTaskStatus


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A pod that is to get another node, as it is now."""

    name: str
    identity: str
    """The host id of its node, or the pod's UID where it has never been a member."""
    started: bool
    asked: bool
    """Whether the datacenter works on it."""


@dataclass(frozen=True, slots=True)
class ReplaceStep:
    """What a replacement does now."""

    sentence: str
    record: NodeFacts | None = None
    """The pod to write down as being worked on, before the datacenter is asked."""
    ask: str = ""
    """The pod to ask the datacenter for."""
    done: str = ""
    """The pod whose node is another one now."""
    finished: bool = False
    stopped: bool = False


def decide_replacement(
    nodes: Sequence[NodeFacts], states: Mapping[str, PodTaskStatus], *, cancelled: bool
) -> ReplaceStep:
    """The next step; ``nodes`` are those to be replaced, in their order."""
    count = sum(1 for each in nodes if ended(states.get(each.name)))
    for node in nodes:
        state = states.get(node.name)
        if ended(state):
            continue
        if state is None or not running(state):
            if cancelled:
                left = len(nodes) - count
                sentence = f"cancelled after {count} nodes; {left} were not replaced"
                return ReplaceStep(sentence, finished=True, stopped=True)
            return ReplaceStep(f"replacing {node.name}", record=node)
        if node.asked:
            return ReplaceStep(f"replacing {node.name}")
        if node.identity == state.job_id:
            return ReplaceStep(f"replacing {node.name}", ask=node.name)
        if not node.started:
            return ReplaceStep(f"waiting until the new node of {node.name} serves requests")
        return ReplaceStep(f"replaced {node.name}", done=node.name)
    return ReplaceStep(f"replaced {count} nodes", finished=True)
