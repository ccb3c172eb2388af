"""The objects of a new datacenter: whose names they are is asked for all before the first one is made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from controllers.cassandra.actions import ApplyObject
from controllers.cassandra.decide.objects import NameTaken, object_actions
from controllers.cassandra.objects import AT_ONCE, ObjectWriter
from controllers.cassandra.render.images import ImageConfig
from controllers.cassandra.render.statefulset import statefulset
from missioncontrol.api.resources import STATEFUL_SETS, Resource
from missioncontrol.kube import errors
from tests.unit.cassandra.builders import UID, datacenter, snapshot


class Server:
    """A kube-apiserver that has some objects, and remembers what it was asked, in order."""

    def __init__(self, **owners: str) -> None:
        self.owners = owners
        self.asked: list[str] = []
        self.refuses = ""
        self.ended = 0
        self.at_once = self.most = 0

    @contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        self.asked.append(what)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            yield
        finally:
            self.at_once -= 1
            self.ended += 1

    async def get(self, resource: Resource, name: str, **_: Any) -> dict[str, Any]:
        with self._counted(f"GET {name}"):
            await asyncio.sleep(0)
        if name not in self.owners:
            raise errors.NotFound(404)
        return {"metadata": {"ownerReferences": [{"uid": self.owners[name], "controller": True}]}}

    async def apply(self, resource: Resource, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        with self._counted(f"APPLY {body['metadata']['name']}"):
            await asyncio.sleep(0)
        if body["metadata"]["name"] == self.refuses:
            raise errors.Conflict(409)
        return body


def wanted() -> list[ApplyObject]:
    dc = datacenter(size=3)
    found = [each for each in object_actions(snapshot(of=dc, sets=[])) if isinstance(each, ApplyObject)]
    sets = [statefulset(dc, rack, ImageConfig(), replicas=1) for rack in dc.plan]
    return [*found, *(ApplyObject(STATEFUL_SETS, body, exists=False) for body in sets)]


def writer(server: Server, told: list[str]) -> ObjectWriter:
    client: Any = server
    return ObjectWriter(client, datacenter(size=3), lambda event: told.append(event.note))


async def test_statefulsets_come_first_when_every_name_was_asked_for() -> None:
    told: list[str] = []
    server, missing = Server(), wanted()
    await writer(server, told).make(missing)
    names = [each.name for each in missing]
    assert sorted(server.asked[: len(names)]) == sorted(f"GET {name}" for name in names)
    made = server.asked[len(names) :]
    assert {each.rpartition("-")[2] for each in made[:3]} == {"sts"}
    assert sorted(made) == sorted(f"APPLY {name}" for name in names)
    assert len(told) == len(names)
    assert server.most == AT_ONCE


@pytest.mark.parametrize("name", ["demo-dc1-r2-sts", "demo-dc1-all-pods-service"])
async def test_a_name_of_somebody_else_stops_everything(name: str) -> None:
    server = Server(**{name: "somebody else's"})
    with pytest.raises(NameTaken, match=name):
        await writer(server, []).make(wanted())
    assert not [each for each in server.asked if each.startswith("APPLY")]


async def test_the_seed_service_of_the_cluster_is_left_to_whoever_made_it() -> None:
    told: list[str] = []
    server = Server(**{"demo-seed-service": "another datacenter's", "demo-dc1-r1-sts": UID})
    await writer(server, told).make(wanted())
    made = [each for each in server.asked if each.startswith("APPLY")]
    assert len(made) == len(wanted()) - 1
    assert "APPLY demo-seed-service" not in made


async def test_what_was_under_way_has_ended_when_a_failure_is_told() -> None:
    server = Server()
    server.refuses = "demo-dc1-r1-sts"
    with pytest.raises(errors.Conflict):
        await writer(server, []).make(wanted())
    assert server.ended == len(server.asked)
    assert "APPLY demo-dc1-r3-sts" in server.asked
    assert "APPLY demo-seed-service" not in server.asked
