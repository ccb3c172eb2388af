"""The aggregated API through kube-apiserver, and a CRD of the same shape: same client, same objects, one run.

What counts is the ratio of the two; the machine's speed is in neither. `BENCHMARK_SECONDS` is the length of
one measurement, `BENCHMARK_ONLY` parts of the names of the rows to make, with commas.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import itertools
import json
import os
import random
import resource
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import uvloop
import yaml

from missioncontrol.api import resources as r
from missioncontrol.api.emit.crds import crds
from missioncontrol.api.names import REQUESTER_EXTRA, Component
from missioncontrol.api.resources import Resource
from missioncontrol.local.control_plane import ControlPlane, Programs
from tests.benchmarks.hooks import Hooks
from tests.benchmarks.lean import Clients, Result, Target, Watcher, load
from tests.benchmarks.usage import Usage
from tests.benchmarks.ways import in_turn, told
from tests.installing import established
from tests.servers import Facade, client_context, serving
from tests.waiting import eventually

Obj = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("BENCHMARK_SECONDS", "1.5"))
ONLY = os.environ.get("BENCHMARK_ONLY", "").split(",")
CLIENTS = [int(each) for each in os.environ.get("BENCHMARK_CLIENTS", "16,64").split(",")]
TURNS = 6
OBJECTS = 1000
EVENTS = 200
WATCHERS = 200
WRITERS = 4
"""Beside the watchers: kube-apiserver ends watches of clients that are too slow, as this one is with 16."""
NAMESPACE = "benchmark"
NATIVE = Resource("native.example.com", "v1alpha1", "missioncontrolclusters", "MissionControlCluster")
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
JSON = "application/json"


@dataclass(frozen=True)
class Arm:
    """One of the two that are compared."""

    kind: Resource
    target: Target

    def path(self, name: str | None = None, query: str = "") -> str:
        return self.kind.path(NAMESPACE, name) + query

    def object(self, name: str) -> Obj:
        return {**realistic(name), "apiVersion": self.kind.api_version, "kind": self.kind.kind}


@functools.cache
def _example() -> Obj:
    """Read once: reading YAML takes longer than what is measured."""
    document: Obj = yaml.safe_load((ROOT / "examples" / "quickstart.yaml").read_text())
    return document


def realistic(name: str) -> Obj:
    """A cluster of six datacenters as people have them: about 6 KiB with what the server adds."""
    document = copy.deepcopy(_example())
    document["metadata"] = {
        "name": name,
        "labels": {"team": f"team-{sum(map(ord, name)) % 7}", "environment": "production"},
        "annotations": {"example.com/contact": "database platform, on call day and night", "note": "n" * 600},
    }
    cassandra = document["spec"]["k8ssandra"]["cassandra"]
    first = cassandra["datacenters"][0]
    cassandra["datacenters"] = []
    for number in range(6):
        datacenter = copy.deepcopy(first)
        datacenter["metadata"]["name"] = f"dc{number}"
        datacenter["k8sContext"] = f"data-plane-{number}"
        datacenter["racks"] = [
            {"name": f"r{rack}", "nodeAffinityLabels": {"topology.kubernetes.io/zone": f"eu-{number}-{rack}"}}
            for rack in range(1, 4)
        ]
        datacenter["storageConfig"] = cassandra["storageConfig"]
        cassandra["datacenters"].append(datacenter)
    return document


@dataclass
class Bench:
    """Both arms, filled."""

    facade: Facade
    native: Arm
    virtual: Arm
    hooks: Hooks
    results: dict[str, tuple[float, float, float, float]]
    """By what was measured: answers in a second and milliseconds of CPU for one, native and ours."""
    runner: asyncio.Runner

    def spent(self) -> dict[str, float]:
        """Seconds of CPU that each program has taken, this one included."""
        pids = {name: self.facade.plane.processes[name].pid for name in ("kube-apiserver", "etcd")}
        pids |= {"ours": self.facade.pid, "webhooks": self.hooks.pid, "this client": os.getpid()}
        return {name: Usage(pid).cpu for name, pid in pids.items()}

    def cpu(self) -> float:
        """All of them together."""
        return sum(self.spent().values())

    @property
    def arms(self) -> tuple[Arm, Arm]:
        return self.native, self.virtual

    @property
    def ways(self) -> dict[str, Arm]:
        """The ways of a write: natively, to us, to us as kube-apiserver asks, to our store as we ask."""
        facade, plane = self.facade, self.facade.plane
        context = client_context(facade, plane.front_proxy_client)
        headers = "X-Remote-User: benchmark\r\nX-Remote-Group: benchmark\r\n"
        headers += "X-Remote-Group: system:authenticated\r\nX-Forwarded-Uri: /\r\n"
        front = Target("127.0.0.1", facade.port, context, headers)
        with facade.admin as admin:
            token = admin.issue_token("mission-control", Component.APISERVER.value, lifetime=86400)
        account = f"system:serviceaccount:mission-control:{Component.APISERVER}"
        headers = f"Authorization: Bearer {token}\r\nImpersonate-User: {account}\r\n"
        headers += f"Impersonate-Extra-{quote(REQUESTER_EXTRA, safe='')}: benchmark\r\n"
        anonymous = ssl.create_default_context(cafile=str(plane.ca_file))
        store = Target("127.0.0.1", self.native.target.port, anonymous, headers)
        return {
            "native": self.native,
            "ours": self.virtual,
            "ours, asked directly": Arm(self.virtual.kind, front),
            "our store": Arm(r.STORED_CLUSTERS, store),
        }


@pytest.fixture(scope="module")
def bench(
    binaries: Programs, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    plane, folder = control_plane, tmp_path_factory.mktemp("facade")
    pair = plane.client("benchmark", user="benchmark", groups=("benchmark",))
    context = ssl.create_default_context(cafile=str(plane.ca_file))
    context.load_cert_chain(pair.cert, pair.key)
    target = Target("127.0.0.1", int(plane.server.rpartition(":")[2]), context)
    with plane.admin_client() as admin:
        admin.create_namespace(NAMESPACE)
        admin.apply(r.CLUSTER_ROLE_BINDINGS.path(None, "benchmark"), _everything("benchmark"))
        definition = _native_definition()
        admin.apply(r.CRDS.path(None, definition["metadata"]["name"]), definition)
        name = definition["metadata"]["name"]
        eventually(lambda: established(admin, name), "the native kind is served", timeout=90)
    with serving(plane, binaries, folder) as facade, Hooks(folder / "hooks") as hooks:
        with plane.admin_client() as admin:
            for configuration in hooks.configurations([NATIVE, r.STORED_CLUSTERS]):
                kind = RESOURCES[configuration["kind"]]
                admin.apply(kind.path(None, configuration["metadata"]["name"]), configuration)
        arms = Arm(NATIVE, target), Arm(r.MISSION_CONTROL_CLUSTERS, target)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            both = Bench(facade, *arms, hooks, {}, runner)
            runner.run(_fill(both))
            yield both
            _report(both)


RESOURCES = {
    "MutatingWebhookConfiguration": r.MUTATING_WEBHOOK_CONFIGURATIONS,
    "ValidatingWebhookConfiguration": r.VALIDATING_WEBHOOK_CONFIGURATIONS,
}


def _everything(user: str) -> Obj:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}],
    }


def _native_definition() -> Obj:
    """Our storage kind in another group, with the columns that our users see."""
    stored = r.STORED_CLUSTERS
    definition = copy.deepcopy(
        next(each for each in crds("control-plane") if each["metadata"]["name"] == stored.group_resource)
    )
    definition["metadata"]["name"] = NATIVE.group_resource
    definition["spec"]["group"] = NATIVE.group
    definition["spec"]["versions"][0]["additionalPrinterColumns"] = [
        {"name": "Nodes", "type": "integer", "jsonPath": ".status.replicas"},
        {"name": "Ready", "type": "integer", "jsonPath": ".status.readyReplicas"},
        {"name": "Version", "type": "string", "jsonPath": ".spec.k8ssandra.cassandra.serverVersion"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    return definition


async def _fill(bench: Bench) -> None:
    for arm in bench.arms:
        requests = iter(
            [
                arm.target.send("POST", arm.path(), json.dumps(arm.object(f"c{number:04}")).encode())
                for number in range(OBJECTS)
            ]
        )
        await load(arm.target, requests, clients=32, seconds=120, expected=201)


def _report(bench: Bench) -> None:
    print(f"\n{'answers in a second, ms of CPU each':34}{'native':>16}{'ours':>16}{'ratios':>12}")
    for name, (native, ours, cheap, dear) in bench.results.items():
        costs = f"{cheap:7.2f}", f"{dear:7.2f}", f"{cheap / dear:6.2f}"
        print(f"{name:34}{native:9.1f}{costs[0]}{ours:9.1f}{costs[1]}{ours / native:6.2f}{costs[2]}")


Requests = Callable[[Arm], Iterator[bytes]]


ROWS: list[str] = []
"""Their names."""


def rows(name: str) -> pytest.MarkDecorator:
    """Rows of this name are measured here. What was not asked for is skipped before anything starts."""
    ROWS.append(name)
    asked_for = any(part.lower() in name.lower() for part in ONLY)
    return pytest.mark.skipif(not asked_for, reason="not asked for")


class Measured:
    """What both arms did in turn: answers, seconds, bytes, and the CPU time of all programs together."""

    def __init__(self) -> None:
        self.answers, self.received = [0, 0], [0, 0]
        self.seconds, self.cpu = [0.0, 0.0], [0.0, 0.0]

    def add(self, arm: int, result: Result, cpu: float) -> None:
        self.answers[arm] += result.answers
        self.received[arm] += result.received
        self.seconds[arm] += result.seconds
        self.cpu[arm] += cpu

    @property
    def rates(self) -> tuple[float, float]:
        return self.answers[0] / self.seconds[0], self.answers[1] / self.seconds[1]

    @property
    def costs(self) -> tuple[float, float]:
        """Milliseconds of CPU for one answer."""
        return 1000 * self.cpu[0] / self.answers[0], 1000 * self.cpu[1] / self.answers[1]

    @property
    def sizes(self) -> tuple[float, float]:
        return self.received[0] / self.answers[0], self.received[1] / self.answers[1]


async def compare(bench: Bench, name: str, requests: Requests, *, clients: int, expected: int = 200) -> None:
    """Both arms in turn, again and again, so that other work on the machine meets both alike."""
    opened = [await Clients.open(arm.target, clients) for arm in bench.arms]
    measured = Measured()
    streams = [requests(arm) for arm in bench.arms]
    try:
        for turn in range(-1, TURNS):
            for number, each in enumerate(opened):
                before = bench.cpu()
                result = await each.run(streams[number], seconds=SECONDS / TURNS, expected=expected)
                if turn >= 0:  # what is made or asked for only once is not measured
                    measured.add(number, result, bench.cpu() - before)
    finally:
        for each in opened:
            await each.close()
    _note(bench, f"{name}, {clients} clients", measured)


def _note(bench: Bench, name: str, measured: Measured) -> None:
    native, ours = measured.rates
    cheap, dear = measured.costs
    bench.results[name] = native, ours, cheap, dear
    sizes = measured.sizes
    print(f"\n{name}: {native:.1f} / {ours:.1f} = {ours / native:.2f}; CPU {cheap / dear:.2f}")
    assert 0.5 < sizes[1] / sizes[0] < 2, f"not the same was answered: {sizes} bytes"


def hot(arm: Arm) -> Iterator[bytes]:
    return itertools.repeat(arm.target.get(arm.path("c0500")))


def different(arm: Arm) -> Iterator[bytes]:
    requests = [arm.target.get(arm.path(f"c{number:04}")) for number in range(OBJECTS)]
    random.Random(1).shuffle(requests)
    return itertools.cycle(requests)


def listing(query: str = "", accept: str = JSON) -> Requests:
    return lambda arm: itertools.repeat(arm.target.get(arm.path(query=query), accept))


_fresh = itertools.count()


def creating(arm: Arm) -> Iterator[bytes]:
    while True:
        body = json.dumps(arm.object(f"new-{next(_fresh)}")).encode()
        yield arm.target.send("POST", arm.path(), body)


def applying(arm: Arm) -> Iterator[bytes]:
    for number in itertools.count():
        document = arm.object(f"c{number % OBJECTS:04}")
        document["metadata"]["annotations"]["turn"] = str(next(_fresh))
        path = arm.path(document["metadata"]["name"], "?fieldManager=benchmark&force=true")
        yield arm.target.send("PATCH", path, json.dumps(document).encode(), "application/apply-patch+yaml")


@rows("GET of one object")
@pytest.mark.parametrize("clients", CLIENTS)
def test_get_of_one_object(bench: Bench, clients: int) -> None:
    bench.runner.run(compare(bench, "GET of one object", hot, clients=clients))


@rows("GET of 1,000 objects")
@pytest.mark.parametrize("clients", CLIENTS)
def test_get_of_different_objects(bench: Bench, clients: int) -> None:
    bench.runner.run(compare(bench, "GET of 1,000 objects", different, clients=clients))


@rows("LIST, resourceVersion=0")
@pytest.mark.parametrize("clients", CLIENTS)
def test_list_of_any_age(bench: Bench, clients: int) -> None:
    bench.runner.run(
        compare(bench, "LIST, resourceVersion=0", listing("?resourceVersion=0"), clients=clients)
    )


@rows("LIST, the latest")
@pytest.mark.parametrize("clients", CLIENTS)
def test_list_of_the_latest(bench: Bench, clients: int) -> None:
    bench.runner.run(compare(bench, "LIST, the latest", listing(), clients=clients))


@rows("LIST as Table, the latest")
@pytest.mark.parametrize("clients", CLIENTS)
def test_list_as_table(bench: Bench, clients: int) -> None:
    bench.runner.run(compare(bench, "LIST as Table, the latest", listing(accept=TABLE), clients=clients))


@rows("CREATE")
@pytest.mark.parametrize("clients", CLIENTS)
def test_create(bench: Bench, clients: int) -> None:
    bench.runner.run(compare(bench, "CREATE", creating, clients=clients, expected=201))


@rows("apply")
@pytest.mark.parametrize("clients", CLIENTS)
def test_apply(bench: Bench, clients: int) -> None:
    bench.runner.run(compare(bench, "apply", applying, clients=clients))


@rows("CREATE and apply, one client")
@pytest.mark.parametrize(
    ("name", "requests", "expected"), [("CREATE", creating, 201), ("apply", applying, 200)]
)
def test_one_client(bench: Bench, name: str, requests: Requests, expected: int) -> None:
    """How much longer a write takes, and where: each way there is to the same store, in turn."""
    pids = {each: bench.facade.plane.processes[each].pid for each in ("kube-apiserver", "etcd")}
    pids |= {"ours": bench.facade.pid, "webhooks": bench.hooks.pid}
    ways = {way: (arm.target, requests(arm)) for way, arm in bench.ways.items()}
    measured = bench.runner.run(in_turn(ways, pids, seconds=SECONDS * 4, expected=expected))
    print(f"\n{name}, one client")
    for line in told(measured):
        print(line)


@rows("events")
def test_watch_fan_out(bench: Bench) -> None:
    bench.runner.run(_fan_out(bench))


async def _fan_out(bench: Bench) -> None:
    measured = Measured()
    stored = NATIVE, r.STORED_CLUSTERS
    for number in (0, 1, 0, 1):
        arm = bench.arms[number]
        with bench.facade.admin as admin:
            version = admin.get(arm.path(query="?limit=1"))["metadata"]["resourceVersion"]
        async with watching(arm, WATCHERS, EVENTS, version) as (began, finished):
            before = bench.spent()
            # written where they are stored, so that it is not the writing that is measured
            await load(arm.target, iter(_statuses(arm.target, stored[number])), clients=WRITERS, seconds=60)
            async with asyncio.timeout(60):
                await finished
            spent = {name: now - before[name] for name, now in bench.spent().items()}
            told = WATCHERS * EVENTS
            result = Result(told, time.perf_counter() - began(), [], told)
            measured.add(number, result, sum(spent.values()))
            parts = ", ".join(f"{name} {1000 * each / EVENTS:.1f}" for name, each in spent.items())
            print(f"\nms of CPU for each event, {('natively', 'ours')[number]}: {parts}")
    _note(bench, f"events to {WATCHERS} watchers", measured)


def _statuses(target: Target, kind: Resource) -> list[bytes]:
    paths = [kind.path(NAMESPACE, f"c{each % OBJECTS:04}", "status") for each in range(EVENTS)]
    patch = json.dumps({"status": {"replicas": next(_fresh) + 1}}).encode()
    return [target.send("PATCH", path, patch, "application/merge-patch+json") for path in paths]


@asynccontextmanager
async def watching(
    arm: Arm, watchers: int, events: int, version: str
) -> AsyncIterator[tuple[Callable[[], float], asyncio.Future[None]]]:
    """Watchers that are done when all of them have seen all events; the time of the first event."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    counted = [0, 0.0]

    def count(number: int) -> None:
        counted[0] += number
        counted[1] = counted[1] or time.perf_counter()
        if counted[0] >= watchers * events and not done.done():
            done.set_result(None)

    def ended() -> None:
        if not done.done():
            done.set_exception(AssertionError(f"the server ended a watch after {counted[0]} events in all"))

    request = arm.target.get(arm.path(query=f"?watch=true&resourceVersion={version}"))
    opened = []
    for _ in range(watchers):
        _, watcher = await loop.create_connection(
            lambda: Watcher(request, count, ended),
            arm.target.host,
            arm.target.port,
            ssl=arm.target.context,
            server_hostname="localhost",
        )
        opened.append(watcher)
    await asyncio.gather(*(watcher.opened for watcher in opened))
    try:
        yield (lambda: counted[1]), done
    finally:
        for watcher in opened:
            if watcher.transport is not None:
                watcher.transport.abort()


def test_what_was_asked_for_is_a_row() -> None:
    unknown = [part for part in ONLY if not any(part.lower() in row.lower() for row in ROWS)]
    assert not unknown, f"{unknown} is in no name of these: {ROWS}"


def test_cost_of_the_server(bench: Bench) -> None:
    """Not compared: what the server itself takes after all this."""
    status = Path(f"/proc/{bench.facade.pid}/status").read_text()
    rss = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    print(f"\n{rss}; the client had {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f} s of CPU time")
