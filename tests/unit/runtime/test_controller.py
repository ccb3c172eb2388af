"""From outcomes to what follows: queues of one cluster never feel another's trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from controllers.runtime.controller import Controller
from controllers.runtime.metrics import Metrics
from controllers.runtime.outcome import HOME, Done, Key, Outcome, RequeueAfter, Terminal
from missioncontrol.api.resources import CONFIG_MAPS
from missioncontrol.kube.client import Client
from missioncontrol.kube.config import ClusterConfig
from missioncontrol.kube.errors import Conflict, LeaseLost, TransportError
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import ConfigMap, Meta
from tests.waiting import until

ONE, TWO = Key(HOME, "n", "one"), Key(HOME, "n", "two")


@asynccontextmanager
async def working(controller: Controller, *clusters: str) -> AsyncIterator[Metrics]:
    metrics = Metrics()
    controller.bind(metrics)
    for cluster in clusters or (HOME,):
        controller.join(cluster)
    tasks = [asyncio.create_task(controller.work(cluster)) for cluster in clusters or (HOME,)]
    try:
        yield metrics
    finally:
        controller.drain()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)


def scripted(*outcomes: Outcome | BaseException) -> tuple[Controller, list[Key]]:
    """A controller whose reconciler gives these outcomes, then Done."""
    seen: list[Key] = []
    script = list(outcomes)

    async def reconcile(key: Key) -> Outcome:
        seen.append(key)
        outcome = script.pop(0) if script else Done()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return Controller("c", reconcile, workers=2), seen


def counted(metrics: Metrics, result: str) -> float | None:
    labels = {"controller": "c", "result": result}
    return metrics.registry.get_sample_value("controller_runtime_reconcile_total", labels)


OUTCOMES: dict[str, tuple[Outcome | BaseException, str, int]] = {
    "done is not tried again": (Done("ok"), "success", 1),
    "requeue after comes again": (RequeueAfter(0.01, "soon"), "requeue_after", 2),
    "terminal is not tried again": (Terminal("bad spec"), "terminal", 1),
    "an API error is tried again": (Conflict(409), "error", 2),
    "no answer is tried again": (TransportError("dark"), "error", 2),
    "a lost lease is tried again": (LeaseLost("lost"), "error", 2),
    "a fault is tried again": (ZeroDivisionError("x"), "error", 2),
}


@pytest.mark.parametrize(("outcome", "result", "times"), OUTCOMES.values(), ids=OUTCOMES.keys())
async def test_outcomes(outcome: Outcome | BaseException, result: str, times: int) -> None:
    controller, seen = scripted(outcome)
    async with working(controller) as metrics:
        assert counted(metrics, result) == 0
        controller.enqueue(ONE)
        await until(lambda: len(seen) == times)
        await asyncio.sleep(0.05)
    assert len(seen) == times
    assert counted(metrics, result) == 1


async def test_a_reconcile_that_takes_too_long_is_ended_and_tried_again() -> None:
    tries = 0

    async def reconcile(_: Key) -> Outcome:
        nonlocal tries
        tries += 1
        if tries == 1:
            await asyncio.sleep(60)
        return Done()

    controller = Controller("c", reconcile, timeout=0.05)
    async with working(controller):
        controller.enqueue(ONE)
        await until(lambda: tries == 2)


async def test_who_is_cancelled_ends_whatever_the_reconcile_makes_of_it() -> None:
    begun = asyncio.Event()

    async def reconcile(_: Key) -> Outcome:
        if begun.is_set():
            return Done()
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            # as a write says that it may not go out any more
            raise LeaseLost("not the leader") from None
        return Done()

    controller = Controller("c", reconcile, workers=2)
    controller.join(HOME)
    work = asyncio.create_task(controller.work(HOME))
    controller.enqueue(ONE)
    await begun.wait()
    work.cancel()
    done, _ = await asyncio.wait((work,), timeout=5)
    assert done, "it goes on working, and nobody else could begin"
    assert work.cancelled()


async def test_one_cluster_that_hangs_delays_no_other() -> None:
    seen: list[Key] = []

    async def reconcile(key: Key) -> Outcome:
        if key.cluster == "dark":
            await asyncio.sleep(1.5)
        seen.append(key)
        return Done()

    controller = Controller("c", reconcile, workers=1)
    async with working(controller, "dark", "bright"):
        for number in range(10):
            controller.enqueue(Key("dark", "n", str(number)))
            controller.enqueue(Key("bright", "n", str(number)))
        await until(lambda: len(seen) == 10, timeout=1)
        controller.leave("dark")
        controller.enqueue(Key("dark", "n", "late"))
    assert {key.cluster for key in seen} <= {"bright", "dark"}
    assert Key("dark", "n", "late") not in seen


async def test_a_key_is_in_one_worker_at_a_time_and_changes_meanwhile_bring_it_again() -> None:
    inside = most = times = 0

    async def reconcile(_: Key) -> Outcome:
        nonlocal inside, most, times
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.01)
        inside -= 1
        times += 1
        return Done()

    controller = Controller("c", reconcile, workers=4)
    async with working(controller):
        controller.enqueue(ONE)
        await asyncio.sleep(0.005)
        for _ in range(5):
            controller.enqueue(ONE)
        await until(lambda: times == 2)
    assert most == 1
    assert times == 2


async def test_the_sentence_is_logged_when_it_changes_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    again = [RequeueAfter(0.001, "waiting for rack 1") for _ in range(5)]
    controller, seen = scripted(*again, Done("all racks are ready"))
    async with working(controller):
        controller.enqueue(ONE)
        await until(lambda: len(seen) == 6)
    said = [record.message for record in caplog.records if "controller" in record.name]
    assert said == ["waiting for rack 1", "all racks are ready"]


def obj(name: str, version: str, **labels: str) -> ConfigMap:
    meta = Meta(name=name, namespace="n", uid=name, resource_version=version, labels=labels)
    return ConfigMap(metadata=meta)


async def test_a_change_of_owner_reaches_the_old_and_the_new_one() -> None:
    async with Client(ClusterConfig(server="http://127.0.0.1:9"), user_agent="test") as client:
        informer = Informer(client, CONFIG_MAPS, ConfigMap)
        controller, seen = scripted()

        def owner(found: ConfigMap) -> Iterable[Key]:
            return [Key(HOME, "n", found.metadata.labels["owner"])]

        controller.watch(informer, owner)
        async with working(controller):
            informer._store.put(obj("x", "1", owner="a"))
            await until(lambda: len(seen) == 1)
            informer._store.put(obj("x", "2", owner="b"))
            await until(lambda: len(seen) == 3)
            controller.enqueue_all()
            await until(lambda: len(seen) == 4)
    assert [key.name for key in seen] == ["a", "a", "b", "b"]


async def test_an_update_that_leaves_what_matters_as_it_was_concerns_nobody() -> None:
    async with Client(ClusterConfig(server="http://127.0.0.1:9"), user_agent="test") as client:
        informer = Informer(client, CONFIG_MAPS, ConfigMap)
        controller, seen = scripted()
        controller.watch(informer, essence=lambda found: found.metadata.labels)
        async with working(controller):
            informer._store.put(obj("x", "1", owner="a"))
            await until(lambda: len(seen) == 1)
            informer._store.put(obj("x", "2", owner="a"))
            informer._store.put(obj("y", "3"))
            await until(lambda: len(seen) == 2)
            informer._store.put(obj("x", "4", owner="b"))
            await until(lambda: len(seen) == 3)
            informer._store.remove(obj("x", "5", owner="b").metadata)
            await until(lambda: len(seen) == 4)
    assert [key.name for key in seen] == ["x", "y", "x", "x"]


async def test_sources_of_a_cluster_that_left_are_dropped() -> None:
    async with Client(ClusterConfig(server="http://127.0.0.1:9"), user_agent="test") as client:
        informer = Informer(client, CONFIG_MAPS, ConfigMap)
        controller, seen = scripted()
        async with working(controller, HOME):
            controller.join("m")
            controller.watch(informer, lambda found: [ONE], cluster="m")
            informer._store.put(obj("x", "1"))
            await until(lambda: len(seen) == 1)
            controller.leave("m")
            controller.enqueue_all()
            await asyncio.sleep(0.02)
    assert len(seen) == 1


async def test_draining_finishes_what_is_in_hand_and_begins_nothing() -> None:
    seen: list[str] = []

    async def reconcile(key: Key) -> Outcome:
        await asyncio.sleep(0.05)
        seen.append(key.name)
        return Done()

    controller = Controller("c", reconcile, workers=1)
    async with working(controller):
        controller.enqueue(ONE)
        controller.enqueue(TWO)
        await asyncio.sleep(0.01)
    assert seen == ["one"]
