"""The cleanup after growth: made once, and waited for where that is asked for."""

from __future__ import annotations

from dataclasses import replace

from controllers.cassandra.actions import CreateCleanupTask
from controllers.cassandra.decide import cleanup
from controllers.cassandra.state import Snapshot
from tests.unit.cassandra.builders import datacenter, snapshot

NAME = "cleanup-1777892400"


def grown(**annotations: str) -> Snapshot:
    begun = {"type": "ScalingUp", "status": "True", "lastTransitionTime": "2026-05-04T11:00:00Z"}
    keys = {f"cassandra.datastax.com/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return snapshot(of=datacenter(status={"conditions": [begun]}, meta={"annotations": keys}))


def test_it_is_made_and_not_waited_for() -> None:
    assert cleanup.untracked(grown()) == [CreateCleanupTask(NAME)]
    assert cleanup.tracked(grown()) is None


def test_without_growth_or_against_the_users_will_there_is_none() -> None:
    assert cleanup.untracked(snapshot()) == []
    assert cleanup.untracked(grown(no_cleanup="")) == []


def test_it_is_waited_for_where_that_is_asked_for() -> None:
    base = grown(track_cleanup_tasks="true")
    assert cleanup.untracked(base) == []
    plan = cleanup.tracked(base)
    assert plan is not None
    assert plan.actions == (CreateCleanupTask(NAME),)
    assert plan.status["trackedTasks"] == [{"name": NAME, "namespace": "ns"}]
    plan = cleanup.tracked(replace(base, tasks={NAME: False}))
    assert plan is not None
    assert plan.actions == ()
    assert cleanup.tracked(replace(base, tasks={NAME: True})) is None
