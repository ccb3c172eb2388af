"""What happens in a life, one story after the other: what is asked for, and when it is done."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import CASSANDRA_DATACENTERS
from tests.crash.stage import DC, Stage

Act = Callable[[Stage], Awaitable[None]]
Check = Callable[[Stage], Awaitable[bool]]

DATACENTER: dict[str, Any] = {
    "metadata": {"name": DC},
    "spec": {
        "clusterName": "demo",
        "serverType": "cassandra",
        "serverVersion": "5.0.4",
        "managementApiAuth": {"insecure": {}},
        "size": 3,
        "racks": [{"name": "r1"}, {"name": "r2"}, {"name": "r3"}],
        # only a node with one token can be moved
        "config": {"cassandra-yaml": {"num_tokens": 1}},
        "storageConfig": {
            "cassandraDataVolumeClaimSpec": {
                "storageClassName": "standard",
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "2Gi"}},
            }
        },
    },
}


async def _settled(stage: Stage) -> bool:
    return await stage.settled()


@dataclass(frozen=True)
class Story:
    """One thing that somebody asks for. `outage`: it is meant that several nodes are down at once."""

    name: str
    act: Act
    done: Check = _settled
    outage: bool = False


async def _bootstrap(stage: Stage) -> None:
    await stage.create(CASSANDRA_DATACENTERS, DATACENTER)


async def _grow_volumes(stage: Stage) -> None:
    claim = {"resources": {"requests": {"storage": "3Gi"}}}
    body = {
        "metadata": {"annotations": {Annotation.ALLOW_STORAGE_CHANGES: "true"}},
        "spec": {"storageConfig": {"cassandraDataVolumeClaimSpec": claim}},
    }
    await stage.client.merge_patch(CASSANDRA_DATACENTERS, DC, body, namespace=stage.namespace)


async def _delete(stage: Stage) -> None:
    await stage.client.delete(CASSANDRA_DATACENTERS, DC, namespace=stage.namespace)


async def _gone(stage: Stage) -> bool:
    return await stage.gone()


def _spec(**changes: Any) -> Act:
    async def act(stage: Stage) -> None:
        await stage.patch(changes)

    return act


def _task(name: str, command: str, **args: Any) -> Act:
    async def act(stage: Stage) -> None:
        await stage.run(name, command, **args)

    return act


BOOTSTRAP = Story("bootstrap", _bootstrap, outage=True)
DELETE = Story("delete", _delete, _gone, outage=True)
MIDDLE = (
    (Story("scale up", _spec(size=4)), Story("scale down", _spec(size=3))),
    (Story("restart", _task("restart", "restart")),),
    (Story("replacement", _spec(replaceNodes=["demo-dc1-r1-sts-0"])),),
    (Story("replacenode", _task("replacenode", "replacenode", pod_name="demo-dc1-r3-sts-0")),),
    (Story("volumes", _grow_volumes),),
    (Story("configuration", _spec(config={"cassandra-yaml": {"concurrent_reads": 48}})),),
    (Story("move", _task("move", "move", new_tokens={"demo-dc1-r1-sts-0": "1", "demo-dc1-r2-sts-0": "-7"})),),
    (Story("rebuild", _task("rebuild", "rebuild", source_datacenter=DC, rack="r1")),),
    (Story("refresh", _task("refresh", "refresh")),),
    *(
        (Story(command, _task(command, command, rack="r1")),)
        for command in (
            *("cleanup", "flush", "compact", "scrub"),
            *("upgradesstables", "garbagecollect", "tsreload"),
        )
    ),
    (
        Story("stop", _spec(stopped=True), outage=True),
        Story("resume", _spec(stopped=False), outage=True),
    ),
)
"""What may happen between the beginning and the end; what stands in one group belongs together."""


def whole(names: str = "") -> tuple[Story, ...]:
    """A life with everything in it; or with those groups that one of these stories, by commas, is in."""
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    groups = [group for group in MIDDLE if not wanted or wanted & {story.name for story in group}]
    return (BOOTSTRAP, *(story for group in groups for story in group), DELETE)


def some(dice: random.Random, groups: int) -> tuple[Story, ...]:
    """A short life, with a few of the groups."""
    chosen = sorted(dice.sample(range(len(MIDDLE)), groups))
    return (BOOTSTRAP, *(story for index in chosen for story in MIDDLE[index]), DELETE)
