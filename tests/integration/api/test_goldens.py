"""Manifests that upstream accepted are accepted, and stored as upstream stored them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from missioncontrol.api.resources import CASSANDRA_DATACENTERS, K8SSANDRA_CLUSTERS, Resource
from tests.integration.api.conftest import Api

_CASES = {
    "cass": CASSANDRA_DATACENTERS,
    "k8ssandra": K8SSANDRA_CLUSTERS,
    "k8ssandra-multi": K8SSANDRA_CLUSTERS,
}


def _goldens() -> Path | None:
    folder = os.environ.get("GOLDENS")
    return Path(folder) if folder and Path(folder).is_dir() else None


def _cases() -> list[Any]:
    root = _goldens()
    if root is None:
        return [pytest.param(None, id="no goldens", marks=pytest.mark.skip("GOLDENS names no folder"))]
    inputs = sorted(path for group in _CASES for path in root.glob(f"{group}/*/input.yaml"))
    return [pytest.param(path, id=f"{path.parent.parent.name}/{path.parent.name}") for path in inputs]


def _documents(path: Path, resource: Resource) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    documents = yaml.safe_load_all(path.read_text())
    return {
        document["metadata"]["name"]: document
        for document in documents
        if document and document["kind"] == resource.kind
    }


def _without_empties(value: Any) -> Any:
    """A value without empty objects: upstream's operator writes some of its own into every spec."""
    if isinstance(value, list):
        return [_without_empties(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {key: _without_empties(member) for key, member in value.items()}
    return {key: member for key, member in members.items() if member != {}}


@pytest.mark.parametrize("path", _cases())
def test_an_input_of_upstream_is_stored_as_upstream_stored_it(api: Api, path: Path) -> None:
    resource = _CASES[path.parent.parent.name]
    inputs = _documents(path, resource)
    stored = _documents(path.with_name("objects.yaml"), resource)
    assert inputs
    for name, document in inputs.items():
        document["metadata"].pop("namespace", None)
        created = api.create(resource, document, dry_run=True)
        if name in stored:
            assert _without_empties(created["spec"]) == _without_empties(stored[name]["spec"])


def test_datacenters_that_upstream_makes_for_a_cluster_are_accepted(api: Api) -> None:
    root = _goldens()
    if root is None:
        pytest.skip("GOLDENS names no folder")
    paths = sorted(root.glob("k8ssandra/*/cassandradatacenters.yaml"))
    assert paths
    for path in paths:
        for name, document in _documents(path, CASSANDRA_DATACENTERS).items():
            document["metadata"] = {"name": name}
            created = api.create(CASSANDRA_DATACENTERS, document, dry_run=True)
            assert created["spec"] == document["spec"], path
