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
