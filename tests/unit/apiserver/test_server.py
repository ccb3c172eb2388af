"""The way of a request through the server: what becomes of it when something goes wrong on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from aiohttp.web_protocol import RequestPayloadError

import apiserver.server as serving
from apiserver.audit.log import Auditor
from apiserver.audit.policy import parse
from apiserver.authn import Authenticator
from apiserver.authz import Authorizer
from apiserver.call import Call
from apiserver.context import Context
from apiserver.fairness import Turns
from apiserver.handlers.health import Health
from apiserver.metrics import Metrics
from apiserver.server import ApiServer
from apiserver.status import failure
from apiserver.trust import Trust
from missioncontrol.kube.client import Client
from tests.waiting import until

PATH = "/apis/missioncontrol.io/v1alpha1/namespaces/a/missioncontrolclusters"
POLICY = parse({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "RequestResponse"}]})
Dispatch = Callable[[Context, Call], Awaitable[web.StreamResponse]]


class Reviews:
    """kube-apiserver, which knows everybody and allows everything."""

    async def create(self, resource: Any, *_: Any, **__: Any) -> Any:
        user = {"username": "alice", "groups": ["system:authenticated"]}
        return {"status": {"authenticated": True, "user": user, "allowed": True}}


class Memory:
    dropped = failed = 0

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def put(self, line: Any) -> None:
        self.lines.append(line)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line if isinstance(line, bytes) else line()) for line in self.lines]


class Served:
    """A server whose handlers are one function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, dispatch: Dispatch) -> None:
        monkeypatch.setattr(serving, "dispatch", dispatch)
        client = cast("Client", Reviews())
        self.memory, self.metrics, self.turns = Memory(), Metrics(), Turns()
        self.server = ApiServer(
            cast("Context", SimpleNamespace(authorizer=Authorizer(client))),
            Authenticator(client, Trust),
            checks=Health(live={}, ready={"shutdown": lambda: "shutting down"}),
            turns=self.turns,
            metrics=self.metrics,
            auditor=Auditor(POLICY, cast("Any", self.memory)),
        )

    async def ask(self, method: str = "GET", path: str = PATH) -> web.Response:
        headers = {"Authorization": "Bearer t", "Audit-ID": "id-1"}
        request = make_mocked_request(method, path, headers=headers)
        request._payload_writer.output_size = 0
        response = await self.server.handle(request)
        assert isinstance(response, web.Response)
        return response

    @property
    def stages(self) -> list[tuple[str, int | None]]:
        return [(each["stage"], each.get("responseStatus", {}).get("code")) for each in self.memory.events]


def status_of(response: web.Response) -> dict[str, Any]:
    assert isinstance(response.body, bytes)
    document: dict[str, Any] = json.loads(response.body)
    assert (document["kind"], document["code"]) == ("Status", response.status)
    return document


@pytest.mark.parametrize(
    ("error", "code", "stage"),
    [
        (RuntimeError("secret words"), 500, "Panic"),
        (TimeoutError(), 504, "ResponseComplete"),
        (RequestPayloadError("broken chunk"), 400, "ResponseComplete"),
        (failure(409, "taken"), 409, "ResponseComplete"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_whatever_a_handler_raises_is_a_status(
    monkeypatch: pytest.MonkeyPatch, method: str, error: Exception, code: int, stage: str
) -> None:
    async def dispatch(_: Context, __: Call) -> web.StreamResponse:
        raise error

    served = Served(monkeypatch, dispatch)
    response = await served.ask(method)
    assert "secret words" not in json.dumps(status_of(response))
    assert response.status == code
    assert served.stages == [("RequestReceived", None), (stage, code)]
    assert all(lane.running == 0 for lane in served.turns.lanes.values())


@pytest.mark.parametrize("fails", [False, True])
async def test_a_write_whose_client_left_ends_and_is_told(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def dispatch(_: Context, __: Call) -> web.StreamResponse:
        begun.set()
        await go_on.wait()
        done.set()
        if fails:
            raise failure(409, "taken")
        return web.Response(status=201, body=b"{}")

    served = Served(monkeypatch, dispatch)
    asking = asyncio.create_task(served.ask("POST"))
    await begun.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert served.stages == [("RequestReceived", None)]
    go_on.set()
    await done.wait()
    await until(lambda: len(served.memory.lines) == 2)
    assert served.stages[1:] == [("ResponseComplete", 409 if fails else 201)]


async def test_a_read_whose_client_left_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def dispatch(_: Context, __: Call) -> web.StreamResponse:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    served = Served(monkeypatch, dispatch)
    asking = asyncio.create_task(served.ask())
    await begun.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert stopped.is_set()
    assert served.stages[1:] == [("ResponseComplete", None)]
    assert served.turns.lanes["readOnly"].running == 0


async def test_the_clients_time_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dispatch(_: Context, call: Call) -> web.StreamResponse:
        assert call.remaining() <= 0.5
        await asyncio.sleep(10)
        raise AssertionError

    served = Served(monkeypatch, dispatch)
    for method in ("GET", "POST"):
        status = status_of(await served.ask(method, f"{PATH}?timeout=500ms"))
        assert (status["code"], status["reason"]) == (504, "Timeout")
    place = ("missioncontrol.io", "v1alpha1", "missioncontrolclusters", "")
    assert served.metrics.terminations.value(("LIST", *place, "namespace", "apiserver", "504")) == 1


async def test_late_ones_are_sent_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dispatch(_: Context, __: Call) -> web.StreamResponse:
        return web.Response(text="{}")

    served = Served(monkeypatch, dispatch)
    served.server.life.closing = True
    response = await served.ask()
    assert (response.status, response.keep_alive) == (200, False)
    served.server.life.refusing = True
    response = await served.ask()
    assert (response.status, response.headers["Retry-After"], response.keep_alive) == (429, "5", False)
    assert status_of(response)["reason"] == "TooManyRequests"
    probe = await served.ask("GET", "/readyz")
    assert (probe.status, probe.text) == (
        500,
        "[+]ping ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n",
    )
