"""What a datacenter costs in requests: counts, not times, so that they hold on every machine."""

from __future__ import annotations

import copy
from typing import Any

from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from missioncontrol.kube.config import ClusterConfig
from tests.crash.conftest import Staged
from tests.crash.faults import Faults
from tests.crash.instance import Instance
from tests.crash.stage import DC, until
from tests.crash.stories import DATACENTER

LIMIT = 60
"""Upstream's operator makes 85 requests besides events, and 171 calls to nodes."""


async def test_nine_nodes_cost_few_requests_and_nothing_at_rest(
    staged: Staged, operator_config: ClusterConfig
) -> None:
    async with staged() as stage:
        faults = Faults()
        instance = Instance(operator_config, stage.namespace, faults)
        instance.start()
        try:

            async def rests() -> bool:
                return instance.idle and instance.at_rest

            await until(rests, "the operator runs", timeout=60)
            first = dict(faults.counts)
            body: dict[str, Any] = copy.deepcopy(DATACENTER)
            body["spec"]["size"] = 9
            await stage.create(CASSANDRA_DATACENTERS, body)

            async def up() -> bool:
                return instance.idle and await stage.settled() and instance.idle

            await until(up, "nine nodes are ready", timeout=90)
            await until(rests, "nothing is planned for later", timeout=60)
            made = {kind: count - first.get(kind, 0) for kind, count in faults.counts.items()}
            print(made)
            assert made["read"] + made["write"] <= LIMIT
            assert made["ask"] + made["tell"] <= LIMIT

            settled, passes = dict(faults.counts), instance.passes
            patch = {"metadata": {"annotations": {"example.com/touched": "true"}}}
            await stage.client.merge_patch(CASSANDRA_DATACENTERS, DC, patch, namespace=stage.namespace)

            async def looked() -> bool:
                return instance.passes > passes and await rests()

            await until(looked, "the operator has looked again", timeout=30)
            of_informers = ("watch", "list")
            assert {kind: faults.counts[kind] for kind in settled if kind not in of_informers} == {
                kind: count for kind, count in settled.items() if kind not in of_informers
            }
        finally:
            await instance.end()
