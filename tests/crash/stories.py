"""What happens in a life, one story after the other: what is asked for, and when it is done."""

from __future__ import annotations

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


STORIES = (
    Story("bootstrap", _bootstrap, outage=True),
    Story("scale up", _spec(size=4)),
    Story("cleanup", _task("cleanup", "cleanup", rack="r1")),
    Story("restart", _task("restart", "restart")),
    Story("scale down", _spec(size=3)),
    Story("stop", _spec(stopped=True), outage=True),
    Story("resume", _spec(stopped=False), outage=True),
    Story("delete", _delete, _gone, outage=True),
)
"""A life of the sample."""
FURTHER = (
    Story("replacement", _spec(replaceNodes=["demo-dc1-r1-sts-1"])),
    Story("volumes", _grow_volumes),
    Story("configuration", _spec(config={"cassandra-yaml": {"concurrent_reads": 48}})),
    *(
        Story(command, _task(command, command, rack="r1"))
        for command in ("flush", "compact", "scrub", "upgradesstables", "garbagecollect", "tsreload")
    ),
)
WHOLE = (*STORIES[:4], *FURTHER, *STORIES[4:])
"""A life with everything in it."""
