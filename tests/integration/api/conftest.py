"""A control plane with every generated CRD, applied server-side as an installation does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from missioncontrol.api.emit.crds import crds
from missioncontrol.api.resources import Resource
from missioncontrol.local.admin import AdminClient, AdminError
from missioncontrol.local.control_plane import ControlPlane
from tests.installing import install

Document = dict[str, Any]


def all_crds() -> list[Document]:
    """The CRDs of both kinds of plane."""
    return [*crds("control-plane"), *crds("data-plane")]


@pytest.fixture(scope="session")
def kinds(control_plane: ControlPlane) -> ControlPlane:
    """The control plane, once it serves every kind."""
    with control_plane.admin_client() as client:
        install(client, *all_crds())
    return control_plane


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
