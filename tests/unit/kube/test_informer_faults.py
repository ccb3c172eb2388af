"""What a server can do wrong to an informer, one fault at a time; after each it knows the truth again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from missioncontrol.api.resources import CONFIG_MAPS
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import ConfigMap
from tests.unit.kube.scripted import (
    Answer,
    Script,
    abort,
    answer,
    config_map,
    event,
    listing,
    reset,
    scripted,
    stall,
    status,
    watch,
)
from tests.waiting import until

ONE = config_map("one", 1)
TWO = config_map("two", 12)


@asynccontextmanager
async def informing(*answers: Answer) -> AsyncIterator[tuple[Informer[ConfigMap], Script]]:
    async with scripted(*answers) as (client, script):
        informer = Informer(client, CONFIG_MAPS, ConfigMap)
        task = asyncio.create_task(informer.run())
        try:
            yield informer, script
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def names(informer: Informer[ConfigMap]) -> set[str]:
    return {obj.metadata.name for obj in informer.all()}


GONE = event("ERROR", status(410, "Expired"))
ADDED_TWO = event("ADDED", TWO)
QUIET = watch(then=stall)
FINAL = watch(ADDED_TWO, then=stall)

FAULTS = {
    "the watch is refused as expired": [answer(410, status(410, "Expired")), listing(12, ONE, TWO), QUIET],
    "the watch sends an error event": [watch(GONE), listing(12, ONE, TWO), QUIET],
    "the watch ends in the middle of a line": [watch(b'{"type":"ADDED","object":{"meta'), FINAL],
    "the watch is reset": [watch(then=abort), FINAL],
    "the watch is reset at once": [reset(), FINAL],
    "the watch says something that is not JSON": [watch(b"<html>\n"), FINAL],
    "the watch says something that is no event": [watch(b'{"kind":"Status"}\n'), FINAL],
    "the watch ends by itself": [watch(), FINAL],
    "the server is overloaded": [answer(429, status(429, "TooManyRequests")), FINAL],
    "the server errs": [answer(500, b"boom"), answer(503, b"boom"), FINAL],
    "a proxy answers in between": [answer(502, b"<html>bad gateway</html>"), FINAL],
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_it_recovers(fault: list[Answer]) -> None:
    async with informing(listing(10, ONE), *fault) as (informer, _):
        await until(lambda: names(informer) == {"one", "two"})


async def test_it_resumes_at_the_last_bookmark() -> None:
    bookmark = event("BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": "99"}})
    async with informing(listing(10, ONE), watch(bookmark, then=abort), FINAL) as (informer, script):
        await until(lambda: names(informer) == {"one", "two"})
    assert [request.query.get("resourceVersion") for request in script.requests] == [None, "10", "99"]
    assert script.requests[1].query["allowWatchBookmarks"] == "true"
    assert 240 <= int(script.requests[1].query["timeoutSeconds"]) <= 480


async def test_a_silent_watch_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("missioncontrol.kube.informer.IDLE_SECONDS", 0.2)
    async with informing(listing(10, ONE), QUIET, FINAL) as (informer, _):
        await until(lambda: names(informer) == {"one", "two"})


async def test_hurry_drops_a_silent_watch_at_once() -> None:
    async with informing(listing(10, ONE), QUIET, FINAL) as (informer, script):
        await until(lambda: len(script.requests) == 2)
        await asyncio.sleep(0.05)
        informer.hurry()
        await until(lambda: names(informer) == {"one", "two"}, timeout=1)


async def test_what_vanished_during_an_outage_is_told_as_deleted() -> None:
    answers = [listing(10, ONE), watch(GONE), listing(20, TWO), QUIET]
    async with informing(*answers) as (informer, _):
        told: list[str] = []
        informer.add_handler(lambda change, old, new: told.append(f"{change} {(new or old).metadata.name}"))  # type: ignore[union-attr]
        await until(lambda: names(informer) == {"two"})
    assert told == ["added one", "deleted one", "added two"]


async def test_a_continue_token_that_expires_begins_the_list_anew() -> None:
    answers = [listing(10, ONE, token="t"), answer(410, status(410, "Expired")), listing(12, ONE, TWO), QUIET]
    async with informing(*answers) as (informer, script):
        assert await informer.wait_synced(2)
        assert names(informer) == {"one", "two"}
        assert "limit" not in script.requests[2].query


async def test_a_version_that_the_server_does_not_know_leads_to_a_new_list() -> None:
    """As after a restore of etcd: watches from the future are refused with 504, never with 410."""
    future = answer(504, status(504, "Timeout", "Too large resource version"))
    answers = [listing(1000, ONE), future, future, future, listing(12, TWO), QUIET]
    async with informing(*answers) as (informer, _):
        await until(lambda: names(informer) == {"two"})


async def test_an_object_that_cannot_be_read_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    broken = {**config_map("broken", 11), "data": ["not", "a", "mapping"]}
    async with informing(listing(10, ONE, broken), watch(event("ADDED", broken), ADDED_TWO, then=stall)) as (
        informer,
        _,
    ):
        await until(lambda: names(informer) == {"one", "two"})
    assert "n/broken cannot be read" in caplog.text


async def test_a_server_that_is_away_is_said_once_not_each_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with informing(answer(503, b"")) as (informer, script):
        await until(lambda: len(script.requests) > 4)
        assert not informer.synced
        assert informer.last_error
    assert caplog.text.count("is interrupted") == 1


async def test_retries_slow_down() -> None:
    async with informing(listing(10, ONE), watch()) as (_, script):
        await asyncio.sleep(1)
        assert len(script.requests) < 8


async def test_last_contact_is_when_the_server_was_heard_last() -> None:
    async with informing(listing(10, ONE), QUIET) as (informer, _):
        await informer.wait_synced(2)
        assert informer.last_contact is not None


async def test_written_objects_outside_the_selection_are_not_taken_in() -> None:
    async with scripted(listing(10), QUIET) as (client, _):
        informer = Informer(client, CONFIG_MAPS, ConfigMap, namespace="n", label_selector="a=b")
        task = asyncio.create_task(informer.run())
        await informer.wait_synced(2)
        elsewhere = config_map("x", 11)
        elsewhere["metadata"] |= {"namespace": "m", "labels": {"a": "b"}}
        informer.observe(elsewhere)
        informer.observe(config_map("y", 12))
        assert len(informer) == 0
        chosen = config_map("z", 13)
        chosen["metadata"]["labels"] = {"a": "b"}
        informer.observe(chosen)
        assert names(informer) == {"z"}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_after_a_long_outage_an_expired_version_is_listed_at_once() -> None:
    away = [answer(503, b"")] * 6
    answers = [listing(10, ONE), *away, watch(GONE), listing(12, ONE, TWO), QUIET]
    async with informing(*answers) as (informer, script):
        await until(lambda: len(script.requests) >= 4, timeout=10)
        for _ in range(4):
            informer.hurry()
            await asyncio.sleep(0.1)
        await until(lambda: names(informer) == {"one", "two"}, timeout=1)


async def test_a_server_whose_every_version_is_expired_is_not_flooded() -> None:
    lists = [listing(10, ONE), answer(410, status(410, "Expired"))] * 50
    async with informing(*lists) as (_, script):
        await asyncio.sleep(2)
        assert len(script.requests) < 14


def version(informer: Informer[ConfigMap]) -> str:
    found = informer.get("n", "one")
    return found.metadata.resource_version if found is not None else ""


async def test_a_write_that_the_watch_never_shows_is_looked_for_though_the_watch_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("missioncontrol.kube.store.PENDING_SECONDS", 0.3)
    newer = config_map("one", 9, uid="one")
    async with informing(listing(10, newer), QUIET, listing(12, newer), QUIET) as (informer, script):
        await until(lambda: len(script.requests) == 2)
        # answered late: the list had shown a younger state of the object already
        informer.observe(config_map("one", 5, uid="one"))
        assert version(informer) == "5"
        await until(lambda: version(informer) == "9", timeout=3)
