"""The table of cases: what is asked, of which kinds, in which area.

A case is a coroutine that talks to an API; whatever it asks is recorded and compared. Most are rows: single
requests that only read or are refused, and so share one object.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from tests.conformance import cases
from tests.conformance.api import Api
from tests.conformance.kinds import KINDS, Kind
from tests.conformance.kubectl import cases as kubectl_cases

Run = Callable[[Any], Awaitable[None]]
"""Talks to an Api, or in the area of kubectl to a Terminal."""


class Area(Enum):
    """The parts of an API, in the order of the report."""

    WRITES = "Writes"
    APPLY = "Server-side apply and field ownership"
    VALIDATION = "Validation of fields and metadata"
    DELETE = "Deletion"
    SUBRESOURCES = "Subresources"
    ERRORS = "Errors and odd requests"
    READS = "Reads"
    WATCH = "Watch"
    DISCOVERY = "Discovery and OpenAPI"
    KUBECTL = "kubectl"


@dataclass(frozen=True)
class Case:
    """A sequence of requests for one kind."""

    area: Area
    name: str
    kind: Kind
    run: Run

    @property
    def id(self) -> str:
        return f"{self.area.name.lower()}/{self.name}/{self.kind.name}"


TABLE: Final[list[Case]] = []
WALKS: Final = int(os.environ.get("CONFORMANCE_WALKS", "2"))
"""How many random cases there are of each sort and kind."""
FIRST: Final = int(os.environ.get("CONFORMANCE_SEED", "1"))
"""The number of the first; one that differs is played again by its number."""


def case(area: Area, *, kinds: tuple[Kind, ...] = KINDS) -> Callable[[Run], Run]:
    """Adds the coroutine to the table, once for each kind."""

    def add(run: Run) -> Run:
        name = run.__name__.replace("_", " ").strip()
        TABLE.extend(Case(area, name, kind, run) for kind in kinds)
        return run

    return add


def random_cases(area: Area, name: str, play: Callable[[Api, int], Awaitable[None]]) -> None:
    """Adds cases that are drawn from a number, the same for every arm."""
    for seed in range(FIRST, FIRST + WALKS):

        async def run(api: Api, seed: int = seed) -> None:
            await play(api, seed)

        TABLE.extend(Case(area, f"{name} {seed}", kind, run) for kind in KINDS)


Row = tuple[Any, ...]


def rows(
    area: Area,
    name: str,
    requests: Mapping[str, Callable[[Api], Awaitable[Any]]],
    *,
    kinds: tuple[Kind, ...] = KINDS,
) -> None:
    """Adds requests that do not mind what the others of these rows do: object `a` exists."""

    async def run(api: Api) -> None:
        await api.create("a")
        for label, request in requests.items():
            first = len(api.exchanges)
            await request(api)
            api.relabel(first, label)

    TABLE.extend(Case(area, name, kind, run) for kind in kinds)


def load() -> list[Case]:
    """The whole table."""
    for package in (cases, kubectl_cases):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
    return TABLE
