"""Objects with two items of one key, which server-side apply refuses."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.cassandra.whole import as_applied, repeats

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({"env": [{"name": "A"}, {"name": "B"}]}, False, id="different variables"),
        pytest.param({"env": [{"name": "A"}, {"name": "A"}]}, True, id="a variable set twice"),
        pytest.param(
            {"ports": [{"name": "cql", "containerPort": 9042}, {"name": "native", "containerPort": 9042}]},
            True,
            id="a port under two names",
        ),
        pytest.param(
            {"ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53}]},
            False,
            id="a port of two protocols",
        ),
        pytest.param(
            {"ports": [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53}]},
            True,
            id="the protocol left out is TCP",
        ),
        pytest.param({"command": ["a", "a"]}, False, id="a list without keys"),
    ],
)
def test_two_items_with_one_key_are_seen(container: Json, expected: bool) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "cassandra", **container}]}}}}
    assert repeats(body) is expected


def test_ports_of_a_service_are_no_container_ports() -> None:
    assert not repeats({"spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}})


def test_what_was_put_counts_as_applied_together_with_what_was_applied_before() -> None:
    entries: list[Json] = [
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:x": {}}},
        {"manager": "cass-operator", "operation": "Apply", "fieldsV1": {"f:spec": {"f:a": {}}}},
        {"manager": "cass-operator", "operation": "Update", "fieldsV1": {"f:spec": {"f:b": {}}}},
    ]
    found = as_applied(entries, entries[1:])
    assert found == [
        entries[0],
        {"manager": "cass-operator", "operation": "Apply", "fieldsV1": {"f:spec": {"f:a": {}, "f:b": {}}}},
    ]
