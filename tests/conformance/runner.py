"""Runs cases on all arms, several at once, and keeps what came out."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import aiohttp

from missioncontrol.local.credentials import KeyPair
from tests.conformance.api import Api, Arm
from tests.conformance.compare import Line, compare, unexplained
from tests.conformance.differences import Difference
from tests.conformance.kinds import NATIVE_GROUP, VIRTUAL_GROUP
from tests.conformance.kubectl.stage import Twin, set_up
from tests.conformance.kubectl.terminal import Side, Terminal
from tests.conformance.normal import Normal
from tests.conformance.table import Area, Case
from tests.kubectl import Kubectl
from tests.servers import Facade

AT_ONCE = 6
LETTER = "k"
SUMMARY: list[str] = []


@dataclass
class Outcome:
    """What a case found."""

    case: Case
    requests: int = 0
    lines: list[Line] = field(default_factory=list)
    explained: set[Difference] = field(default_factory=set)
    error: str = ""


async def run_all(facade: Facade, cases: list[Case], twin: Twin | None = None) -> dict[str, Outcome]:
    """All cases, by their ids; those of kubectl need the twin."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        arms = _arms(facade, session)
        sides = await _sides(arms, facade, twin) if twin else []
        gate = asyncio.Semaphore(AT_ONCE)

        def apis(case: Case, index: int) -> Sequence[Api]:
            if case.area is Area.KUBECTL:
                return [Terminal(side, case.kind, f"{LETTER}{index:03d}x") for side in sides]
            return [Api(arm, arms[0], case.kind, f"{arm.letter}{index:03d}x") for arm in arms]

        outcomes = await asyncio.gather(
            *(_run(apis(case, index), gate, case) for index, case in enumerate(cases))
        )
    SUMMARY[:] = summary(outcomes)
    return {outcome.case.id: outcome for outcome in outcomes}


def _arms(facade: Facade, session: aiohttp.ClientSession) -> list[Arm]:
    plane = facade.plane
    as_admin = _context(plane.ca_file, plane.admin)
    as_proxy = _context(facade.folder / "ca.crt", plane.front_proxy_client)
    # the user that kube-apiserver tells the façade of, when the administrator asks
    remote = {"X-Remote-User": "kubernetes-admin", "X-Remote-Group": "system:masters"}
    return [
        Arm("native", "n", plane.server, NATIVE_GROUP, as_admin, session),
        Arm("proxied", "p", plane.server, VIRTUAL_GROUP, as_admin, session),
        Arm("direct", "d", facade.url, VIRTUAL_GROUP, as_proxy, session, remote),
    ]


def _context(ca: object, pair: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.load_cert_chain(pair.cert, pair.key)
    return context


async def _sides(arms: list[Arm], facade: Facade, twin: Twin) -> list[Side]:
    """kubectl before custom resources of our group's own name, and before us."""
    plane = twin.plane
    native = Arm(
        *("native", "n", plane.server, VIRTUAL_GROUP),
        _context(plane.ca_file, plane.admin),
        arms[0].session,
    )
    program = facade.programs.kubectl
    sides = [
        Side(native, Kubectl(program, plane.admin_kubeconfig, twin.folder / "home"), twin.folder),
        Side(
            arms[1],
            Kubectl(program, facade.plane.admin_kubeconfig, facade.folder / "home"),
            facade.folder / "kubectl",
        ),
    ]
    for side in sides:
        side.folder.mkdir(exist_ok=True)
    await set_up(sides)
    return sides


async def _run(apis: Sequence[Api], gate: asyncio.Semaphore, case: Case) -> Outcome:
    outcome = Outcome(case)
    async with gate:
        try:
            async with asyncio.TaskGroup() as group:
                for api in apis:
                    group.create_task(_play(case, api))
        except BaseExceptionGroup as errors:
            outcome.error = "".join(traceback.format_exception(errors))
        native, *others = [Normal(api).exchanges() for api in apis]
        lines = [
            line
            for api, ours in zip(apis[1:], others, strict=True)
            for line in compare(case.id, api.arm.name, native, ours)
        ]
        outcome.lines, outcome.explained = unexplained(lines)
        outcome.requests = len(native)
    return outcome


async def _play(case: Case, api: Api) -> None:
    await api.prepare()
    await case.run(api)


def summary(outcomes: Iterable[Outcome]) -> list[str]:
    """A line for each area."""
    found = []
    for area in Area:
        own = [each for each in outcomes if each.case.area is area]
        if not own:
            continue
        requests = sum(each.requests for each in own)
        what = "command lines, on both sides" if area is Area.KUBECTL else "requests, each three times"
        differing = sum(bool(each.lines or each.error) for each in own)
        found.append(
            f"{area.value:40} {len(own):4} cases {requests:5} {what}"
            + (f"   {differing} cases DIFFER" if differing else "   no difference")
        )
    return found
