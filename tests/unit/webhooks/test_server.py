"""Whatever happens inside, the answer is a review that says so, and nothing passes by accident."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from missioncontrol.kube.errors import TransportError
from missioncontrol.policy.engine import PolicyUnavailable
from webhooks.budget import Budget
from webhooks.metrics import Metrics
from webhooks.review import ALLOWED, Request, Verdict
from webhooks.server import AdmissionServer, Handler

REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "u-7",
        "kind": {"group": "g", "version": "v1", "kind": "K"},
        "resource": {"group": "g", "version": "v1", "resource": "ks"},
        "operation": "CREATE",
        "userInfo": {"username": "alice"},
        "object": {"metadata": {"name": "x"}},
        "unknown": {"members": "are skipped"},
    },
}


async def asked(
    handler: Handler, *, timeout: str = "5s", body: Any = None, concurrency: int = 4
) -> tuple[int, Any]:
    server = AdmissionServer(
        {"/validate": handler},
        bind_address="127.0.0.1",
        port=0,
        tls=None,
        metrics=Metrics(),
        concurrency=concurrency,
    )
    async with server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/validate?timeout={timeout}"
        async with session.post(url, json=REVIEW if body is None else body) as answer:
            return answer.status, await answer.json() if answer.status == 200 else await answer.text()


async def test_a_request_is_handed_to_its_handler() -> None:
    async def handler(request: Request, budget: Budget) -> Verdict:
        assert (request.uid, request.operation, request.user_info.username) == ("u-7", "CREATE", "alice")
        assert 0 < budget.left <= 4.5
        return ALLOWED

    status, answer = await asked(handler)

    assert (status, answer["response"]) == (200, {"uid": "u-7", "allowed": True})


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        pytest.param(PolicyUnavailable("the engine is away"), 503, "the engine is away", id="no policies"),
        pytest.param(TransportError("refused"), 503, "could not be judged: refused", id="no API server"),
        pytest.param(KeyError("oops"), 500, "because of a fault", id="a fault of ours"),
    ],
)
async def test_no_judgement_is_a_refusal(error: Exception, code: int, told: str) -> None:
    async def handler(request: Request, budget: Budget) -> Verdict:
        raise error

    status, answer = await asked(handler)

    assert status == 200
    assert answer["response"]["allowed"] is False
    assert answer["response"]["uid"] == "u-7"
    assert answer["response"]["status"]["code"] == code
    assert told in answer["response"]["status"]["message"]


async def test_what_takes_too_long_is_refused_in_time() -> None:
    async def handler(request: Request, budget: Budget) -> Verdict:
        await asyncio.sleep(30)
        return ALLOWED

    async with asyncio.timeout(5):
        status, answer = await asked(handler, timeout="600ms")

    assert status == 200
    assert answer["response"]["status"]["code"] == 504


async def test_what_is_no_review_gets_an_error() -> None:
    async def handler(request: Request, budget: Budget) -> Verdict:
        return ALLOWED

    status, text = await asked(handler, body={"kind": "Other"})

    assert status == 400
    assert "AdmissionReview" in text
