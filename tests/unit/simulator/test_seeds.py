"""Where a node looks for its seeds, also while nobody tells."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from missioncontrol.api.names import Label
from missioncontrol.api.resources import PODS, Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import TransportError
from missioncontrol.kube.informer import Informer
from missioncontrol.local.simulator import seeds
from missioncontrol.local.simulator.seeds import SeedResolver
from missioncontrol.local.simulator.views import EndpointSlice, Pod

LABELS = {Label.CLUSTER: "demo", Label.DATACENTER: "dc1", Label.SEED_NODE: "true"}
BODY = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": LABELS},
    "status": {"podIP": "10.1.0.1"},
}


class Cache:
    """An informer that has not heard of anything yet."""

    def add_index(self, name: str, function: Any) -> None:
        pass

    def by(self, index: str, key: str) -> list[Any]:
        return []


class Server:
    """It is away for some requests."""

    def __init__(self, away: int) -> None:
        self.away = away

    async def list(self, resource: Resource, **selected: Any) -> list[dict[str, Any]]:
        if self.away > 0:
            self.away -= 1
            raise TransportError("refused")
        return [BODY] if resource is PODS else []


def resolver(server: Server) -> SeedResolver:
    return SeedResolver(
        cast(Client, server),
        pod_informer=cast("Informer[Pod]", Cache()),
        slice_informer=cast("Informer[EndpointSlice]", Cache()),
    )


async def test_a_seed_that_was_labelled_a_moment_ago_is_found_though_the_server_was_away() -> None:
    found = await resolver(Server(away=2)).fresh(msgspec.convert(BODY, Pod))
    assert found.itself
    assert found.addresses == {"10.1.0.1"}


async def test_a_server_that_stays_away_is_not_waited_for_longer_than_a_node_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seeds, "LOOKUP_SECONDS", 0.3)
    server = Server(away=1000)
    found = await resolver(server).fresh(msgspec.convert(BODY, Pod))
    assert not found.itself
    assert server.away < 1000
