"""What goes over the wire: reviews, patches, budgets, requesters."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from missioncontrol.validation.causes import required
from tests.unit.webhooks.builders import IDENTITIES, OURS, a_request
from webhooks.budget import Budget, parse_duration
from webhooks.patches import set_entries
from webhooks.review import ALLOWED, BadReview, allow, answer, forbid, patched, read, refuse


def answered(verdict: Any) -> dict[str, Any]:
    body = {"metadata": {"name": "demo", "namespace": "ns"}}
    review = json.loads(answer(a_request(new=body), verdict))
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    assert review["response"]["uid"] == "u-1"
    return dict(review["response"])


def test_what_passes() -> None:
    assert answered(ALLOWED) == {"uid": "u-1", "allowed": True}
    assert answered(allow(["mind the gap"]))["warnings"] == ["mind the gap"]


def test_a_patch() -> None:
    response = answered(patched([{"op": "add", "path": "/a", "value": 1}]))

    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [{"op": "add", "path": "/a", "value": 1}]


def test_a_refusal_by_right() -> None:
    status = answered(forbid("no"))["status"]

    assert status == {
        "status": "Failure",
        "code": 403,
        "reason": "Forbidden",
        "message": 'missioncontrolclusters.storage.missioncontrol.io "demo" is forbidden: no',
        "details": {
            "group": "storage.missioncontrol.io",
            "kind": "missioncontrolclusters",
            "name": "demo",
        },
    }


def test_a_refusal_by_rules_carries_every_cause() -> None:
    status = answered(refuse([required("spec.a", "because"), required("spec.b", "too")]))["status"]

    assert status["code"] == 422
    assert status["message"].startswith(
        'MissionControlCluster.storage.missioncontrol.io "demo" is invalid: [spec.a:'
    )
    assert status["details"]["causes"] == [
        {"reason": "FieldValueRequired", "field": "spec.a", "message": "Required value: because"},
        {"reason": "FieldValueRequired", "field": "spec.b", "message": "Required value: too"},
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{}}',
    ],
)
def test_what_is_no_review_is_refused(body: bytes) -> None:
    with pytest.raises(BadReview):
        read(body)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_stumble(body: bytes) -> None:
    with pytest.raises(BadReview):
        read(body)


@pytest.mark.parametrize(
    ("metadata", "operations"),
    [
        pytest.param(
            {}, [{"op": "add", "path": "/metadata/labels", "value": {"a/b": "c"}}], id="no labels at all"
        ),
        pytest.param(
            {"labels": {"x": "y"}},
            [{"op": "add", "path": "/metadata/labels/a~1b", "value": "c"}],
            id="other labels",
        ),
        pytest.param(
            {"labels": {"a/b": "z"}},
            [{"op": "add", "path": "/metadata/labels/a~1b", "value": "c"}],
            id="another value",
        ),
        pytest.param({"labels": {"a/b": "c"}}, [], id="as wanted"),
    ],
)
def test_patches_touch_as_little_as_possible(metadata: dict[str, Any], operations: list[Any]) -> None:
    assert set_entries({"metadata": metadata}, "labels", {"a/b": "c"}) == operations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("1m30s", 90), ("500ms", 0.5), ("1.5s", 1.5), ("", None), ("5", None), ("s", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("timeout", "left"), [("10s", 9.5), (None, 4.5), ("500ms", 0.25), ("1h", 29.5), ("junk", 4.5)]
)
def test_a_budget_leaves_time_for_the_way_back(timeout: str | None, left: float) -> None:
    assert Budget.of(timeout, clock=lambda: 100.0).left == pytest.approx(left)


@pytest.mark.parametrize(
    ("user", "requester", "person"),
    [
        pytest.param(
            f"{OURS}apiserver",
            '{"username":"alice","groups":["dba"]}',
            "alice",
            id="our API server names a person",
        ),
        pytest.param(f"{OURS}apiserver", "", f"{OURS}apiserver", id="our API server for itself"),
        pytest.param(f"{OURS}apiserver", "junk", f"{OURS}apiserver", id="something unreadable"),
        pytest.param("mallory", '{"username":"alice"}', "mallory", id="nobody else can name a person"),
        pytest.param(
            f"{OURS}webhooks", '{"username":"alice"}', f"{OURS}webhooks", id="not even another of ours"
        ),
    ],
)
def test_who_asked(user: str, requester: str, person: str) -> None:
    request = a_request(user=user, requester=requester, new={})

    assert IDENTITIES.person(request.user_info).username == person
