"""Whatever an OPA server answers that is not a decision is a refusal, and so is silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from missioncontrol.policy.engine import Decision, PolicyUnavailable, Violation, read_decision
from missioncontrol.policy.opa import OpaEngine
from missioncontrol.policy.question import PlaneFacts, cluster_question
from tests.unit.validation.builders import DC, a_cluster

Answer = Callable[[web.Request], Any]
VIOLATION = {"policy": "p", "field": "f", "message": "m"}


@asynccontextmanager
async def an_opa(answer: Answer) -> AsyncIterator[str]:
    """A server that answers in OPA's place."""

    async def handle(request: web.Request) -> web.Response:
        result = answer(request)
        response = await result if asyncio.iscoroutine(result) else result
        assert isinstance(response, web.Response)
        return response

    app = web.Application()
    app.router.add_post("/v1/data/missioncontrol/admission/decision", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def decided(url: str, timeout: float = 2.0) -> Decision:
    async with OpaEngine(url) as engine:
        return await engine.decide({"a": 1}, timeout=timeout)


async def test_a_decision_is_read() -> None:
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((await request.json(), dict(request.query)))
        return web.json_response({"result": {"evaluated": ["p"], "violations": [VIOLATION]}})

    async with an_opa(answer) as url:
        decision = await decided(url)

    assert decision == Decision((Violation("p", "f", "m"),), ("p",))
    assert not decision.allowed
    assert seen == [({"input": {"a": 1}}, {"strict-builtin-errors": "true"})]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(lambda _: web.json_response({}), "not loaded", id="undefined"),
        pytest.param(lambda _: web.json_response({"result": True}), "not loaded", id="another type"),
        pytest.param(
            lambda _: web.json_response({"result": {"violations": []}}),
            "cannot be read",
            id="half a decision",
        ),
        pytest.param(
            lambda _: web.json_response({"result": {"violations": [], "evaluated": []}}),
            "no policy loaded",
            id="nothing evaluated",
        ),
        pytest.param(
            lambda _: web.json_response({"result": {"violations": ["x"], "evaluated": ["p"]}}),
            "cannot be read",
            id="a violation that is none",
        ),
        pytest.param(
            lambda _: web.json_response({"code": "internal"}, status=500), "HTTP status 500", id="an error"
        ),
        pytest.param(
            lambda _: web.Response(text="no json", content_type="application/json"), "not JSON", id="no JSON"
        ),
        pytest.param(lambda _: web.Response(text="hello"), "failed", id="another content type"),
    ],
)
async def test_an_answer_that_is_no_decision_is_no_consent(answer: Answer, told: str) -> None:
    async with an_opa(answer) as url:
        with pytest.raises(PolicyUnavailable, match=told):
            await decided(url)


async def test_a_late_answer_is_no_consent() -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.json_response({"result": {"violations": [], "evaluated": ["p"]}})

    async with an_opa(answer) as url:
        with pytest.raises(PolicyUnavailable, match="did not answer within"):
            await decided(url, timeout=0.1)


async def test_an_engine_that_is_away_is_no_consent() -> None:
    async with an_opa(lambda _: web.Response()) as url:
        gone = url

    with pytest.raises(PolicyUnavailable, match="cannot be reached"):
        await decided(gone)


@pytest.mark.parametrize("url", ["https://h:1", "http://h", "h:1", "http://h:1/path", "http://:1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://HOST:PORT"):
        OpaEngine(url)


def test_violations_come_in_one_order() -> None:
    answer = {
        "evaluated": ["b", "a"],
        "violations": [{**VIOLATION, "field": "z"}, {**VIOLATION, "field": "a"}],
    }

    decision = read_decision(answer)

    assert [each.field for each in decision.violations] == ["a", "z"]
    assert decision.evaluated == ("a", "b")


def test_the_question_holds_what_policies_decide_on_and_no_more() -> None:
    cluster = a_cluster(("cassandra.superuserSecretRef", {"name": "secret-name"}))
    question = cluster_question(
        operation="CREATE",
        username="alice",
        groups=["b", "a"],
        cluster=cluster,
        old=None,
        planes={
            "plane-1": PlaneFacts({"environment": "production"}, "eu"),
            "plane-9": PlaneFacts({"unrelated": "x"}),
        },
    )

    assert question["requester"] == {"username": "alice", "groups": ["a", "b"]}
    assert question["oldCluster"] is None
    assert question["dataPlanes"] == {"plane-1": {"labels": {"environment": "production"}, "region": "eu"}}
    assert question["cluster"]["datacenters"][0] == {
        "name": "dc1",
        "field": f"{DC}[0]",
        "dataPlane": "plane-1",
        "size": 3,
        "racks": ["r1", "r2", "r3"],
        "serverVersion": "5.0.4",
    }
    assert "secret-name" not in json.dumps(question)
