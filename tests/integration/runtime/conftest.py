"""Clients of the control plane under test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig, from_kubeconfig
from missioncontrol.local.control_plane import ControlPlane

MakeClient = Callable[[], Client]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def config(control_plane: ControlPlane) -> ClusterConfig:
    """The administrator's way to the control plane."""
    return from_kubeconfig(control_plane.admin_kubeconfig)


@pytest.fixture
async def client(config: ClusterConfig) -> AsyncIterator[Client]:
    """A client that is closed after the test."""
    async with Client(config, user_agent="test") as client:
        yield client


@pytest.fixture
async def make_client(config: ClusterConfig) -> AsyncIterator[MakeClient]:
    """Makes more of them."""
    async with AsyncExitStack() as stack:

        def make() -> Client:
            client = Client(config, user_agent="test")
            stack.push_async_callback(client.close)
            return client

        yield make
