"""The cache of stored objects: what is kept, what events mean to a watcher, when a state is current."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from apiserver.call import Call
from apiserver.handlers import streams, watch
from apiserver.kinds import FACES, SERVED
from apiserver.negotiate import Accepted, Shape
from apiserver.selectors import FieldTerm, parse_labels
from apiserver.table import partial, partial_list, table
from apiserver.translate.objects import list_to_virtual, to_virtual
from apiserver.watchcache import forms
from apiserver.watchcache.bodies import Bodies
from apiserver.watchcache.entries import Budget, Entry, EntryReader, selection
from apiserver.watchcache.mirror import AT_ONCE, Mirror
from apiserver.watchcache.pieces import pieces_of
from apiserver.watchcache.proof import Prover, Shown, Unproven, differences
from apiserver.watchcache.shared import SharedRead
from apiserver.watchcache.watcher import GATHER_MOST_SECONDS, GATHER_SECONDS, Flusher, Watcher
from apiserver.watchcache.window import ADDED, DELETED, MODIFIED, Event, Window
from missioncontrol.api.names import Annotation
from missioncontrol.api.resources import STORED_OPERATIONS
from missioncontrol.kube.client import Client
from missioncontrol.kube.plain import PlainReader
from missioncontrol.kube.transport import Response
from tests.waiting import until

Obj = dict[str, Any]
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
READER = EntryReader(("spec.clusterName", "spec.type", "status.phase"), Budget(1 << 20))


def stored(name: str, version: int, *, phase: str = "", namespace: str = "ns", **labels: str) -> Obj:
    return {
        "apiVersion": "storage.missioncontrol.io/v1alpha1",
        "kind": "Operation",
        "metadata": {
            "name": f"rollingrestart.{name}",
            "namespace": namespace,
            "uid": "0d1e6c1e-4b1d-4c7c-9a53-2f6a3c1c0b11",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T11:00:00Z",
            "labels": labels,
            "annotations": {"missioncontrol.io/requested-by": "jane"},
        },
        "spec": {"type": "RollingRestart", "clusterName": "demo", "rollingrestart": {}},
        **({"status": {"phase": phase}} if phase else {}),
    }


def entry(name: str, version: int, **options: str) -> Entry:
    return READER.read(json.dumps(stored(name, version, **options)).encode())


def test_an_entry_knows_what_selectors_need() -> None:
    found = entry("r1", 7, phase="Running", tier="gold")
    assert (found.key, found.version, found.labels) == ("ns/rollingrestart.r1", 7, {"tier": "gold"})
    assert found.fields == ("demo", "RollingRestart", "Running")
    assert entry("r1", 7).fields[2] == ""


@pytest.mark.parametrize(
    ("fields", "labels", "chosen"),
    [
        pytest.param([], "", True, id="nothing chooses everything"),
        pytest.param([("spec.clusterName", "demo", True)], "", True, id="an equal field"),
        pytest.param([("spec.clusterName", "demo", False)], "", False, id="an unequal field"),
        pytest.param([("status.phase", "", True)], "", True, id="a missing field is empty"),
        pytest.param([("metadata.name", "rollingrestart.r1", True)], "", True, id="the name"),
        pytest.param([("metadata.namespace", "other", True)], "", False, id="another namespace"),
        pytest.param([], "tier=gold", True, id="a label"),
        pytest.param([], "tier notin (gold)", False, id="a label it must not have"),
        pytest.param([], "absent!=x", True, id="an absent label is unequal to everything"),
    ],
)
def test_selections(fields: list[tuple[str, str, bool]], labels: str, chosen: bool) -> None:
    terms = [FieldTerm(*each) for each in fields]
    chosen_by = selection(READER, "ns", terms, parse_labels(labels))
    assert chosen_by is not None
    assert chosen_by.matches(entry("r1", 1, tier="gold")) is chosen
    assert not chosen_by.matches(entry("r1", 1, namespace="elsewhere", tier="gold"))


def test_a_field_that_is_not_kept_cannot_be_selected_by() -> None:
    assert selection(READER, "", [FieldTerm("spec.other", "x")], []) is None


@pytest.mark.parametrize(
    ("type_", "before", "now", "seen"),
    [
        pytest.param(ADDED, None, "gold", ADDED, id="made inside"),
        pytest.param(ADDED, None, "tin", "", id="made outside"),
        pytest.param(MODIFIED, "gold", "gold", MODIFIED, id="changed inside"),
        pytest.param(MODIFIED, "tin", "gold", ADDED, id="came in"),
        pytest.param(MODIFIED, "gold", "tin", DELETED, id="went out"),
        pytest.param(MODIFIED, "tin", "tin", "", id="changed outside"),
        pytest.param(DELETED, "gold", "gold", DELETED, id="deleted inside"),
        pytest.param(DELETED, "tin", "tin", "", id="deleted outside"),
    ],
)
def test_what_an_event_is_to_a_watcher(type_: str, before: str | None, now: str, seen: str) -> None:
    event = Event(type_, entry("r", 2, tier=now), None if before is None else entry("r", 1, tier=before))
    assert event.seen_by(lambda each: each.labels["tier"] == "gold") == seen


def test_an_object_that_leaves_is_shown_as_it_was_at_the_version_of_leaving() -> None:
    event = Event(MODIFIED, entry("r", 2, tier="tin"), entry("r", 1, tier="gold"))
    line = json.loads(forms.event(forms.Form("rollingrestarts"), event, DELETED, NOW))
    metadata = line["object"]["metadata"]
    assert (line["type"], metadata["labels"], metadata["resourceVersion"]) == (
        "DELETED",
        {"tier": "gold"},
        "2",
    )


def test_the_window_knows_what_it_does_not_know() -> None:
    window = Window(since=10, events=3, size=1 << 20)
    for version in (12, 15, 17):
        window.add(Event(ADDED, entry("r", version), None))
    assert [each.version for each in window.after(12) or ()] == [15, 17]
    assert [each.version for each in window.after(10) or ()] == [12, 15, 17]
    assert window.after(17) == window.after(99) == []
    assert window.after(9) is None
    window.add(Event(ADDED, entry("r", 20), None))
    assert window.after(11) is None
    assert [each.version for each in window.after(12) or ()] == [15, 17, 20]


def test_the_window_is_bounded_by_bytes() -> None:
    size = len(entry("r", 1).raw)
    window = Window(since=0, events=1000, size=3 * size)
    for version in range(1, 10):
        window.add(Event(ADDED, entry("r", version), None))
    assert [each.version for each in window.after(window.since) or ()] == [7, 8, 9]


def test_what_is_encoded_is_dropped_when_there_is_too_much() -> None:
    budget = Budget(1000)
    reader = EntryReader((), budget)
    first, second = (reader.read(json.dumps(stored(name, 1)).encode()) for name in "ab")
    small, large = SimpleNamespace(size=200), SimpleNamespace(size=900)
    first.keep("operations", large)
    first.keep("operations", large)  # the same, not twice as much
    assert first.pieces == {"operations": large}
    second.keep("operations", small)
    assert first.pieces is None
    assert second.pieces == {"operations": small}
    small.size = 700
    second.keep("operations", small)  # it has grown
    first.keep("operations", small)
    assert second.pieces is None
    budget.release(first)
    assert first.pieces is None


# Forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plural", ["operations", "rollingrestarts"])
@pytest.mark.parametrize("include", ["None", "Metadata", "Object"])
def test_bytes_say_what_objects_say(plural: str, include: str) -> None:
    served = SERVED[plural]
    objects = [stored("a", 3, phase="Running"), stored("b", 5)]
    entries = [READER.read(json.dumps(each).encode()) for each in objects]
    listed = list_to_virtual(
        FACES, served.face, {"metadata": {"continue": "", "resourceVersion": "9"}, "items": objects}
    )
    accepted = Accepted(Shape.TABLE, "v1")
    expected = {
        Shape.OBJECT: listed,
        Shape.METADATA: partial_list(listed["items"], listed["metadata"], Accepted(Shape.METADATA_LIST)),
        Shape.TABLE: table(
            served.info.columns,
            listed["items"],
            accepted=accepted,
            include=include,
            now=NOW,
            metadata=listed["metadata"],
        ),
    }
    for shape, document in expected.items():
        form = forms.Form(plural, shape, "v1", include)
        for _ in range(2):  # the second time from what is kept
            body = b"".join(forms.collection(form, [forms.item(form, each, NOW) for each in entries], 9))
            assert json.loads(body) == document
    single = json.loads(forms.single(forms.Form(plural, Shape.METADATA), entries[0], NOW))
    assert single == partial(to_virtual(FACES, served.face, objects[0]), Accepted(Shape.METADATA))


def test_what_is_the_same_on_both_sides_is_kept_once() -> None:
    document = {**stored("a", 3, phase="Running"), "more": {"x": "y" * 5000}}
    document["status"]["message"] = "z" * 5000
    document["metadata"]["annotations"] = {Annotation.REQUESTED_BY: "somebody"}
    one = READER.read(json.dumps(document, separators=(",", ":")).encode())
    for plural in ("operations", "rollingrestarts"):
        shown = json.loads(forms.single(forms.Form(plural), one, NOW))
        assert shown == to_virtual(FACES, SERVED[plural].face, document)
        assert next(iter(shown["status"])) == "requestedBy"
        assert pieces_of(one, plural).size < 2000


_VALUES = st.sampled_from(["jane", "somebody", "Running", "", 0, None, {}, [], {"x": 1}])
_TOLD = st.dictionaries(st.sampled_from(["requestedBy", "phase", "message", "plan"]), _VALUES)
_ASKED = st.dictionaries(
    st.sampled_from(["clusterName", "ttl", "onConflict", "rollingRestart", "racks", "cleanup"]), _VALUES
)


@given(
    plural=st.sampled_from(["operations", "rollingrestarts", "cleanups"]),
    spec=st.none() | _ASKED,
    status=st.none() | _TOLD,
    requester=st.sampled_from(["jane", "somebody", ""]),
)
def test_whatever_is_stored_is_shown_as_its_translation_says(
    plural: str, spec: Obj | None, status: Obj | None, requester: str
) -> None:
    document = stored("a", 3)
    for name, value in (("spec", spec), ("status", status)):
        document.pop(name, None)
        if value is not None:
            document[name] = value
    document["metadata"]["annotations"] = {Annotation.REQUESTED_BY: requester} if requester else {}
    one = READER.read(json.dumps(document, separators=(",", ":")).encode())
    face = SERVED[plural].face
    assert json.loads(forms.single(forms.Form(plural), one, NOW)) == to_virtual(FACES, face, document)


def test_an_object_that_was_indented_is_one_line_of_a_watch() -> None:
    document = stored("a", 3, phase="Running")
    one = READER.read(json.dumps(document, indent=2).encode() + b"\n")
    line = forms.added(forms.Form("operations"), one, NOW)
    assert line.count(b"\n") == 1
    assert json.loads(line)["object"] == to_virtual(FACES, SERVED["operations"].face, document)


def test_the_age_goes_on_while_the_object_does_not_change() -> None:
    form, one = forms.Form("operations", Shape.TABLE), entry("a", 1)
    ages = [
        json.loads(b"".join(forms.item(form, one, NOW.replace(minute=minute))))["cells"] for minute in (0, 30)
    ]
    assert ages[0] != ages[1]
    assert [left for left, right in zip(*ages, strict=True) if left != right] == ["60m"]


async def test_a_body_that_many_want_at_once_is_made_once() -> None:
    form, state = forms.Form("operations"), [entry(f"r{number:03}", number) for number in range(300)]
    bodies = Bodies()
    first, *others = (
        asyncio.create_task(bodies.find("state 1", form, state, 300, NOW, gzip=False)) for _ in range(4)
    )
    await asyncio.sleep(0)
    first.cancel()  # who came first and left has not made it in vain
    one, *same = await asyncio.gather(*others)
    assert all(body is one for body in (*same, await bodies.find("state 1", form, [], 0, NOW, gzip=False)))
    assert len(json.loads(one)["items"]) == 300
    assert await bodies.find("state 2", form, [], 301, NOW, gzip=False) != one


# Shared reads ----------------------------------------------------------------------------------------------


async def test_a_read_that_has_begun_serves_nobody_who_came_later() -> None:
    begun, gates = [], [asyncio.Event() for _ in range(3)]

    async def read() -> int:
        number = len(begun)
        begun.append(number)
        await gates[number].wait()
        return number

    shared = SharedRead(read)
    first, together = shared.join(), shared.join()
    assert first is together
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert begun == [0]
    later, latest = shared.join(), shared.join()
    assert later is latest is not first
    gates[0].set()
    assert await first == 0
    gates[1].set()
    assert await later == 1
    assert begun == [0, 1]
    assert shared.idle


async def test_a_failure_is_everybodys_and_the_next_read_is_a_new_one() -> None:
    answers: Iterator[int | Exception] = iter([ValueError("no"), 2])

    async def read() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = SharedRead(read)
    one, two = shared.join(), shared.join()
    for each in (one, two):
        with pytest.raises(ValueError, match="no"):
            await each
    assert await shared.join() == 2


async def test_a_read_that_hangs_holds_up_nobody_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiserver.watchcache.shared.PATIENCE_SECONDS", 0.01)
    never = asyncio.Event()
    reads = 0

    async def read() -> int:
        nonlocal reads
        reads += 1
        if reads == 1:
            await never.wait()
        return reads

    shared = SharedRead(read)
    hanging = shared.join()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await shared.join() == 2
    assert not hanging.done()
    never.set()
    await hanging


# Proofs ----------------------------------------------------------------------------------------------------


class _Store:
    """Answers with a Table as of the version of a history that it has by then."""

    def __init__(self, all_states: list[dict[str, int]], now: Callable[[], int]) -> None:
        self._states, self._now = all_states, now

    async def get(self, *_: Any, **__: Any) -> bytes:
        now = self._now()
        rows = [
            {"cells": [key.split("/")[1], "ns", str(version)]} for key, version in self._states[now].items()
        ]
        columns = [{"name": name} for name in ("Name", "Namespace", "Version")]
        metadata = {"resourceVersion": str(now)}
        return json.dumps({"metadata": metadata, "columnDefinitions": columns, "rows": rows}).encode()


def _prover(store: _Store, mirror: Mirror) -> Prover:
    return Prover(cast(Client, None), cast(PlainReader, store), mirror)


def states(changes: list[tuple[str, bool]]) -> tuple[list[tuple[str, Entry]], list[dict[str, int]]]:
    """The events of a history (names, whether they are deleted) and the state after each; versions from 1."""
    events, all_states, state = [], [{}], dict[str, int]()
    for version, (name, deletes) in enumerate(changes, 1):
        one = entry(name, version)
        if deletes and one.key in state:
            del state[one.key]
            events.append((DELETED, one))
        else:
            events.append((MODIFIED if one.key in state else ADDED, one))
            state[one.key] = version
        all_states.append(dict(state))
    return events, all_states


HISTORIES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12)


@given(changes=HISTORIES, data=st.data())
def test_what_is_proven_is_what_the_store_had(changes: list[tuple[str, bool]], data: st.DataObject) -> None:
    """However far the copy is behind, and however events arrive: what a proof gives is a state of the store,
    no older than the question, under that state's version.
    """
    shown = data.draw(st.integers(0, len(changes)), label="the version of the Table")
    begins = data.draw(st.integers(0, shown), label="where the copy is")
    events, all_states = states(changes)

    async def prove() -> None:
        mirror = Mirror(cast(Client, None), STORED_OPERATIONS, READER)
        mirror.synced = mirror.connected = True
        for event in events[:begins]:
            mirror._apply(*event)
        mirror.position = begins
        prover = _prover(_Store(all_states, lambda: max(shown, mirror.position)), mirror)
        proof = prover.current("ns")
        for event in events[begins:]:
            for _ in range(data.draw(st.integers(0, 4), label="turns before the next event")):
                await asyncio.sleep(0)
            mirror._apply(*event)
        async with asyncio.timeout(5):
            proven = await proof
        assert proven.version >= shown
        assert {each.key: each.version for each in proven.entries} == all_states[proven.version]
        if proven.holds(mirror):
            known = {each.key: each.version for each in mirror.entries.values()}
            assert known == all_states[max(proven.version, mirror.position)]

    asyncio.run(prove())


async def test_a_store_that_is_behind_its_own_past_is_another_store() -> None:
    mirror = Mirror(cast(Client, None), STORED_OPERATIONS, READER)
    mirror.synced = mirror.connected = True
    mirror.position = 9
    with pytest.raises(Unproven):
        await _prover(_Store([{}] * 6, lambda: 5), mirror).current("")
    assert not mirror.synced


def test_differences() -> None:
    shown = Shown(9, {"a": 1, "b": 2})
    assert differences(shown, {"a": 1, "b": 2}) == []
    assert differences(shown, {"a": 1, "b": 1, "c": 3}) == ["b", "c"]
    assert differences(shown, {"b": 2}) == ["a"]


# Following the store ---------------------------------------------------------------------------------------


class _Silent:
    """A store that lists at once, and whose watch begins when it is let."""

    def __init__(self) -> None:
        self.begins = asyncio.Event()

    async def request(self, *_: Any, **__: Any) -> Response:
        body = {"metadata": {"resourceVersion": "7"}, "items": [stored("a", 5)]}
        return Response(200, CIMultiDictProxy(CIMultiDict()), json.dumps(body).encode())

    @asynccontextmanager
    async def stream(self, *_: Any, **__: Any) -> AsyncIterator[_Silent]:
        await self.begins.wait()
        yield self

    async def raise_for_status(self) -> None: ...

    async def lines(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


async def test_a_copy_that_is_not_followed_yet_is_shown_to_nobody() -> None:
    """Not even to those who take any state: from a CRD they get one that is no seconds old."""
    store = _Silent()
    mirror = Mirror(cast(Client, store), STORED_OPERATIONS, READER)
    running = asyncio.create_task(mirror.run())
    async with asyncio.timeout(5):
        await mirror.advanced()
    assert mirror.position == 7
    assert not mirror.synced
    store.begins.set()
    async with asyncio.timeout(5):
        await mirror.advanced()
    assert mirror.synced
    running.cancel()


class _Told:
    """The answer of a watch, of which the server thinks better after the first objects."""

    response = web.StreamResponse()

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.leave: Callable[[], None] = lambda: None

    async def begin(self) -> None: ...

    def on_leave(self, call: Callable[[], None]) -> None:
        self.leave = call

    async def tell(self, lines: Sequence[bytes]) -> None:
        self.lines += lines
        self.leave()

    async def end(self) -> None:
        self.lines.append(b"the end")


async def test_a_beginning_that_breaks_off_is_followed_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who took up the watch at an event after it would miss the objects that were not told."""
    mirror = Mirror(cast(Client, None), STORED_OPERATIONS, READER)
    present = [entry(f"n{number:03}", number + 1) for number in range(2 * AT_ONCE)]
    told = _Told()
    monkeypatch.setattr(streams, "opened", lambda call: told)
    transport = Mock(**{"is_closing.return_value": False, "get_write_buffer_size.return_value": 0})
    call = SimpleNamespace(request=SimpleNamespace(transport=transport))
    everything = selection(READER, "", [], [])
    assert everything is not None
    watcher = Watcher(forms.Form("operations"), everything, after=900, bookmarks=True, flusher=Flusher())
    watcher.offer(Event(ADDED, entry("later", 901), None))
    begin = watch._Beginning(900, present, [])
    wanted = watch._Wanted(version=None, initial=True, bookmarks=True, seconds=5)
    await watch._stream(cast(Call, call), mirror, watcher, begin, wanted)
    assert len(told.lines) == AT_ONCE + 1
    assert told.lines[-1] == b"the end"
    transport.write.assert_not_called()


class _Writer:
    """Stands for a watcher that takes its time to be written to."""

    def __init__(self, flusher: Flusher, seconds: float) -> None:
        self._flusher, self._seconds = flusher, seconds
        self.flushed: list[float] = []

    def flush(self, join: Callable[[list[bytes]], bytes]) -> None:
        self.flushed.append(time.monotonic())
        time.sleep(self._seconds)

    async def told_again(self) -> float:
        """Seconds between an event and the writing of the next one."""
        self._flusher.add(cast(Watcher, self))
        await until(lambda: bool(self.flushed))
        self._flusher.add(cast(Watcher, self))
        await until(lambda: len(self.flushed) == 2)
        return self.flushed[1] - self.flushed[0]


async def test_events_are_gathered_some_times_as_long_as_writing_takes() -> None:
    for seconds, least in ((0.0, GATHER_SECONDS), (0.01, 0.05), (0.2, 0.2 + GATHER_MOST_SECONDS)):
        writer = _Writer(Flusher(), seconds)
        assert await writer.told_again() >= least * 0.95


async def test_watchers_who_want_the_same_share_bytes_and_are_counted() -> None:
    flusher, counted = Flusher(), Counter[tuple[int, int]]()
    watchers, transports = [], []
    first = entry("n1", 1)
    for name in ("", "", first.name):
        chosen = selection(READER, "", [FieldTerm("metadata.name", name)] if name else [], [])
        assert chosen is not None
        watcher = Watcher(
            forms.Form("operations"),
            chosen,
            after=0,
            bookmarks=False,
            flusher=flusher,
            sent=lambda size, times: counted.update([(size, times)]),
        )
        transport = Mock(**{"is_closing.return_value": False, "get_write_buffer_size.return_value": 0})
        watcher.go_live(transport)
        watchers.append(watcher)
        transports.append(transport)
    events = [Event(ADDED, first, None), Event(ADDED, entry("n2", 2), None)]
    for event in events:
        for watcher in watchers:
            watcher.offer(event)
        event.handed_out()
    await until(lambda: all(transport.write.called for transport in transports))
    written = [[call.args[0] for call in transport.write.call_args_list] for transport in transports]
    assert [len(each) for each in written] == [1, 1, 1]
    assert written[0][0] is written[1][0]
    assert written[0][0].startswith(written[2][0])
    size = len(written[2][0])
    assert counted == {(size, 2): 2, (size, 1): 1}
