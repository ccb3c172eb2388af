"""Fixtures for all tests: real control planes that live as long as the test run, or less.

Each pytest-xdist worker starts its own, on ports of their own, when a test first asks for one. The
kernel kills them when the worker ends, however it ends.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator

import pytest

from missioncontrol.local.binaries import resolve_programs
from missioncontrol.local.control_plane import ControlPlane, Programs

_counter = itertools.count(1)


@pytest.fixture(scope="session")
def binaries() -> Programs:
    """etcd, the programs of Kubernetes and OPA; the first run on a machine may have to build them."""
    return resolve_programs()


@pytest.fixture(scope="session")
def control_plane(binaries: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver alone: nothing acts on what a test writes but what the test starts."""
    yield from _running(binaries, tmp_path_factory, "servers", controllers=False)


@pytest.fixture(scope="session")
def control_plane_with_controllers(
    binaries: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A whole control plane: the StatefulSet controller, garbage collector, scheduler and so on act."""
    yield from _running(binaries, tmp_path_factory, "with-controllers", controllers=True)


def _running(
    programs: Programs, folders: pytest.TempPathFactory, name: str, *, controllers: bool
) -> Iterator[ControlPlane]:
    plane = ControlPlane(
        folders.mktemp(name), programs=programs, controllers=controllers, name=name, die_with_parent=True
    )
    plane.start()
    try:
        yield plane
    finally:
        plane.stop(kill=True)


@pytest.fixture
def make_namespace(request: pytest.FixtureRequest) -> Callable[[ControlPlane], str]:
    """Makes a namespace that no other test uses: `make_namespace(control_plane)` gives its name."""

    def make(plane: ControlPlane) -> str:
        test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
        name = f"{test}-{os.getpid()}-{next(_counter)}"
        with plane.admin_client() as client:
            client.create_namespace(name)
            # Without its controller nobody makes the ServiceAccount that every pod refers to.
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
            client.apply(f"/api/v1/namespaces/{name}/serviceaccounts/default", account)
        return name

    return make


@pytest.fixture
def namespace(control_plane: ControlPlane, make_namespace: Callable[[ControlPlane], str]) -> str:
    """A namespace of this test alone in `control_plane`."""
    return make_namespace(control_plane)
