"""Why a datacenter's operator does not do what was asked for is told where somebody looks."""

from __future__ import annotations

import dataclasses

from controllers.missioncontrol.clusters.datacenters import view
from controllers.missioncontrol.clusters.rollout import plan_rollout
from tests.unit.missioncontrol_operator.conftest import Build


def test_a_refused_size_is_told_with_its_reason(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 3), status=build.initialized())
    said = "spec.size: keyspace shop has 5 replicas in this datacenter"
    facts = dataclasses.replace(build.facts("dc1", 3, joined=6, current=False), complaint=said)
    snapshot = build.snapshot(cluster, build.plane("p1", ("dc1", 3), facts={"dc1": facts}))
    seen = view(snapshot, plan_rollout(snapshot), cluster.datacenters[0])
    assert not seen.ready
    assert seen.message.endswith(f"; its operator says: {said}")


def test_a_plane_that_still_waits_for_something_is_not_ready(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 3))
    waits = build.placed({"dc1": 3}, done=False, waiting="datacenter dc1 is being filled: 1 of 3 nodes")
    snapshot = build.snapshot(cluster, build.plane("p1", ("dc1", 3), placed=waits))

    seen = view(snapshot, plan_rollout(snapshot), cluster.datacenters[0])

    assert str(seen.phase) == "Updating"
    assert seen.message == "3 of 3 nodes are ready; datacenter dc1 is being filled: 1 of 3 nodes"


def test_what_the_operators_of_a_plane_wait_for_is_told(build: Build) -> None:
    cluster = build.cluster(("dc1", "p1", 3))
    waits = build.placed({"dc1": 3}, done=False, waiting="there is no Secret stores")
    absent = build.snapshot(cluster, build.plane("p1", placed=waits, facts={}))
    lost = build.facts("dc1", 3, ready=2, lack="waiting for x: its Kubernetes node m does not answer")
    degraded = build.snapshot(cluster, build.plane("p1", ("dc1", 3), facts={"dc1": lost}))

    told = [view(each, plan_rollout(each), cluster.datacenters[0]).message for each in (absent, degraded)]

    assert told[0] == "its plane's operators have not made it yet: there is no Secret stores"
    assert told[1].endswith("; waiting for x: its Kubernetes node m does not answer")
