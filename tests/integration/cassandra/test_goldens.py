"""What we render, after an API server has defaulted it, equals the recorded objects, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from missioncontrol.api.resources import (
    ENDPOINT_SLICES,
    POD_DISRUPTION_BUDGETS,
    SERVICES,
    STATEFUL_SETS,
)
from missioncontrol.local.admin import AdminClient
from missioncontrol.local.control_plane import ControlPlane
from tests.cassandra_goldens import (
    RENDERED,
    comparable,
    expected_objects,
    golden_datacenters,
    golden_objects,
)

RESOURCES = {each.kind: each for each in (SERVICES, ENDPOINT_SLICES, POD_DISRUPTION_BUDGETS, STATEFUL_SETS)}


def defaulted(admin: AdminClient, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server would store it."""
    metadata = {**body["metadata"], "namespace": namespace}
    path = RESOURCES[body["kind"]].path(namespace, metadata["name"])
    query = {"fieldManager": "cass-operator", "force": "true", "dryRun": "All"}
    return admin.request(
        "PATCH",
        path,
        {**body, "metadata": metadata},
        query=query,
        content_type="application/apply-patch+yaml",
    )


@pytest.mark.parametrize("case", RENDERED)
def test_stored_objects_equal_the_recorded_ones(
    case: str, control_plane: ControlPlane, make_namespace: Callable[[ControlPlane], str]
) -> None:
    recorded = golden_objects(case)
    namespace = make_namespace(control_plane)
    ours: dict[tuple[str, str], dict[str, Any]] = {}
    with control_plane.admin_client() as admin:
        for datacenter in golden_datacenters(case):
            for body in expected_objects(case, datacenter):
                key = body["kind"], body["metadata"]["name"]
                if key not in ours:
                    ours[key] = comparable(defaulted(admin, namespace, body))
    assert set(ours) == set(recorded)
    for key, body in ours.items():
        assert body == recorded[key], key
