"""How command lines come into the table: single ones that only read, and sessions that write.

A session plays with an operation, the kind that is translated most. With KUBECTL=all, as `make conformance`
has it, it plays with every kind that it is for.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.conformance.kinds import CLUSTER, DATA_PLANE, RESTART, Kind
from tests.conformance.kubectl.stage import STAGE
from tests.conformance.kubectl.terminal import Terminal
from tests.conformance.table import TABLE, Area, Case, Run, case

_ALL = os.environ.get("KUBECTL") == "all"


def session(*kinds: Kind) -> Callable[[Run], Run]:
    """Adds a coroutine to the table that writes in a namespace of its own, for these kinds or all."""
    chosen = kinds or (CLUSTER, DATA_PLANE, RESTART)
    if not _ALL:
        chosen = (RESTART if RESTART in chosen else chosen[0],)
    return case(Area.KUBECTL, kinds=chosen)


def lines(name: str, *each: str, kind: Kind = CLUSTER) -> None:
    """Adds lines about the objects of the stage as one case; `{type}` is the kind's resource."""

    async def run(terminal: Terminal) -> None:
        terminal.ranked = False
        for line in each:
            await terminal.run(line.replace("{type}", terminal.type), namespace=STAGE)

    TABLE.append(Case(Area.KUBECTL, name, kind, run))
