"""A control plane with every generated CRD, applied server-side as an installation does it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from missioncontrol.api.emit.crds import crds
from missioncontrol.api.resources import CRDS, Resource
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane

_DEADLINE_SECONDS = 30.0

Document = dict[str, Any]


def all_crds() -> list[Document]:
    """The CRDs of both kinds of plane."""
    return [*crds("control-plane"), *crds("data-plane")]


@pytest.fixture(scope="session")
def kinds(control_plane: ControlPlane) -> ControlPlane:
    """The control plane, once it serves every kind."""
    with control_plane.admin_client() as client:
        for document in all_crds():
            client.apply(CRDS.path(name=document["metadata"]["name"]), document)
        for document in all_crds():
            _wait_established(client, document["metadata"]["name"])
    return control_plane


def _wait_established(client: AdminClient, name: str) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    conditions: list[Document] = []
    while time.monotonic() < deadline:
        # null in a definition that was made a moment ago
        conditions = client.get(CRDS.path(name=name)).get("status", {}).get("conditions") or []
        if any(found["type"] == "Established" and found["status"] == "True" for found in conditions):
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} is not served: {conditions}")


class Api:
    """What a test does with objects of a kind, in a namespace of its own."""

    def __init__(self, client: AdminClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def create(self, resource: Resource, body: Document, *, dry_run: bool = False) -> Document:
        """Creates an object with strict validation: an unknown field is an error."""
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        namespace = self.namespace if resource.namespaced else None
        return self.client.request("POST", resource.path(namespace), body, query=query)

    def patch(self, resource: Resource, name: str, patch: Document) -> Document:
        """Changes an object by a merge patch."""
        return self.client.request(
            "PATCH",
            resource.path(self.namespace if resource.namespaced else None, name),
            patch,
            content_type="application/merge-patch+json",
        )

    def refused(self, resource: Resource, body: Document) -> str:
        """The sentence with which an object is refused."""
        with pytest.raises(AdminError) as refusal:
            self.create(resource, body, dry_run=True)
        assert refusal.value.status in (400, 422)
        return str(refusal.value)


@pytest.fixture
def api(kinds: ControlPlane, make_namespace: Any) -> Iterator[Api]:
    """A namespace of this test alone in a control plane that serves every kind."""
    namespace = make_namespace(kinds)
    with kinds.admin_client() as client:
        yield Api(client, namespace)
