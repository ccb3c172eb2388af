"""A datacenter may go only when a node has said, readably, that no keyspace of a user has copies there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controllers.k8ssandra.doors import Doors
from controllers.k8ssandra.keyspaces import Keyspaces
from controllers.k8ssandra.management import ManagementApi
from controllers.k8ssandra.materials import Materials
from missioncontrol.api.names import Annotation, Label, NodeState
from missioncontrol.kube.views import Condition, Meta, Pod, PodStatus
from tests.unit.k8ssandra.builders import NAMESPACE, a_cluster


@asynccontextmanager
async def ring(names: str, replication: str, status: int) -> AsyncIterator[tuple[Keyspaces, str]]:
    """Keyspaces of a ring whose node gives these answers, and where the node is."""

    async def keyspaces(_: web.Request) -> web.Response:
        return web.Response(text=names)

    async def replicated(_: web.Request) -> web.Response:
        return web.Response(text=replication, status=status)

    app = web.Application()
    app.router.add_get("/api/v0/ops/keyspace", keyspaces)
    app.router.add_get("/api/v0/ops/keyspace/replication", replicated)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Keyspaces(Doors(ManagementApi(session, from_annotation=True))), str(server.make_url(""))


@pytest.mark.parametrize(
    ("names", "replication", "status", "objection"),
    [
        pytest.param('["shop"]', '{"class":"x","dc1":"3"}', 200, "", id="no copy is there"),
        pytest.param('["shop"]', '{"class":"x","dc2":"3"}', 200, "keyspace shop still has", id="copies are"),
        pytest.param('["shop"]', "", 404, "", id="the keyspace was dropped meanwhile"),
        pytest.param('["shop"]', "", 500, "until it is known", id="the node cannot say where copies are"),
        pytest.param('["shop"]', "<html>", 200, "until it is known", id="what it says is no JSON"),
        pytest.param('["shop"]', "[]", 200, "until it is known", id="what it says is no replication"),
        pytest.param("<html>", "{}", 200, "until it is known", id="the names are no JSON"),
        pytest.param('{"entity":[]}', "{}", 200, "until it is known", id="the names are no list"),
    ],
)
async def test_a_datacenter_is_held_by_what_is_said_of_keyspaces(
    names: str, replication: str, status: int, objection: str
) -> None:
    async with ring(names, replication, status) as (keyspaces, url):
        labels = {Label.DATACENTER: "dc1", Label.NODE_STATE: NodeState.STARTED}
        pod = Pod(
            metadata=Meta(
                name="one", namespace=NAMESPACE, labels=labels, annotations={Annotation.MANAGEMENT_API: url}
            ),
            status=PodStatus(pod_ip="127.0.0.1", conditions=(Condition(type="Ready", status="True"),)),
        )
        told = await keyspaces.held_by(a_cluster(), "dc2", [pod], Materials())
    assert (objection in told) if objection else told == ""
