"""Which quotas have a say in what is made, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from webhooks.quota import charged, counted, limits, refusal

RESTARTS = "count/rollingrestarts.missioncontrol.io"
CLUSTERS = "count/missioncontrolclusters.missioncontrol.io"


def a_quota(hard: Any = "2", used: Any = "1", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "few"},
        "spec": {"hard": {RESTARTS: hard}, **spec},
        "status": {"hard": {RESTARTS: hard}, "used": {RESTARTS: used} if used is not None else {}},
    }


@pytest.mark.parametrize(
    ("resource", "body", "name"),
    [
        pytest.param("missioncontrolclusters", {}, CLUSTERS, id="a cluster counts as what users see"),
        pytest.param(
            "operations", {"spec": {"type": "RollingRestart"}}, RESTARTS, id="an operation by its kind"
        ),
        pytest.param("operations", {"spec": {"type": "Dance"}}, None, id="an unknown kind is not counted"),
        pytest.param("operations", {"spec": 5}, None, id="nor what has no spec"),
        pytest.param("dataplanes", {}, None, id="what is in no namespace has no quota"),
        pytest.param("datacenters", {}, None, id="what users cannot make has no quota"),
    ],
)
def test_what_is_counted_as_what(resource: str, body: dict[str, Any], name: str | None) -> None:
    assert counted(resource, body) == name


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        pytest.param(a_quota(), True, id="a count without scopes"),
        pytest.param(a_quota(scopes=["Terminating"]), False, id="scopes select pods"),
        pytest.param(a_quota(scopeSelector={"matchExpressions": []}), False, id="so do scope selectors"),
        pytest.param({"spec": {"hard": {RESTARTS: "1"}}}, False, id="not yet seen by the quota controller"),
        pytest.param({"status": {"hard": {CLUSTERS: "1"}}}, False, id="another count"),
    ],
)
def test_which_quotas_have_a_say(quota: dict[str, Any], expected: bool) -> None:
    assert bool(limits(quota, RESTARTS)) is expected


@pytest.mark.parametrize(
    ("quota", "message"),
    [
        pytest.param(a_quota(), None, id="one more fits"),
        pytest.param(a_quota("1k", "999"), None, id="quantities are numbers"),
        pytest.param(
            a_quota(used="2"),
            f"exceeded quota: few, requested: {RESTARTS}=1, used: {RESTARTS}=2, limited: {RESTARTS}=2",
            id="one more is too many",
        ),
        pytest.param(
            a_quota(used=None), f"status unknown for quota: few, resources: {RESTARTS}", id="not counted"
        ),
    ],
)
def test_what_a_quota_says(quota: dict[str, Any], message: str | None) -> None:
    assert refusal(quota, RESTARTS) == message


def test_charging_changes_the_one_number() -> None:
    quota = a_quota() | {"metadata": {"name": "few", "resourceVersion": "7"}}
    after = charged(quota, RESTARTS)
    assert after["status"] == {"hard": {RESTARTS: "2"}, "used": {RESTARTS: "2"}}
    assert after["metadata"] == quota["metadata"]
    assert quota["status"]["used"] == {RESTARTS: "1"}
