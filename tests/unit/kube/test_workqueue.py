"""The queue's promises, against a model that keeps them in the simplest way."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from missioncontrol.kube.workqueue import QueueState, ShutDown, WorkQueue

KEYS = st.sampled_from("abcd")


class QueueAgainstModel(RuleBasedStateMachine):
    """The model: what is wanted (in order), what is in work, and when what is wanted later."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: QueueState[str] = QueueState()
        self.now = 0.0
        self.ready: list[str] = []
        self.again: list[str] = []
        self.working: set[str] = set()
        self.later: dict[str, float] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key, now=self.now)
        self._want(key)

    @rule(key=KEYS, delay=st.integers(1, 20))
    def add_after(self, key: str, delay: int) -> None:
        self.queue.add_at(key, self.now + delay)
        self.later[key] = min(self.later.get(key, self.now + delay), self.now + delay)

    @rule(seconds=st.integers(0, 15))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.queue.promote(now=self.now)
        due = [key for key, at in self.later.items() if at <= self.now]
        for key in sorted(due, key=lambda key: self.later[key]):
            del self.later[key]
            self._want(key)

    @rule()
    def take(self) -> None:
        taken = self.queue.take()
        if taken is None:
            assert not self.ready
            return
        key, since = taken
        assert since <= self.now
        assert key not in self.working, "one key for two workers"
        assert key in self.ready
        self.ready.remove(key)
        self.working.add(key)

    @rule(key=KEYS)
    def done(self, key: str) -> None:
        if key not in self.working:
            return
        self.working.discard(key)
        assert self.queue.done(key, now=self.now) == (key in self.again)
        if key in self.again:
            self.again.remove(key)
            self.ready.append(key)

    def _want(self, key: str) -> None:
        place = self.again if key in self.working else self.ready
        if key not in place:
            place.append(key)

    @invariant()
    def agrees(self) -> None:
        assert sorted(self.queue.waiting) == sorted(self.ready)
        assert self.queue.working == self.working
        assert self.queue.later == self.later
        assert self.queue.next_time() == min(self.later.values(), default=None)


TestQueueAgainstModel = QueueAgainstModel.TestCase
TestQueueAgainstModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


async def test_workers_get_every_key_and_never_one_key_twice_at_once() -> None:
    queue: WorkQueue[int] = WorkQueue()
    working: set[int] = set()
    seen: dict[int, int] = {}

    async def worker() -> None:
        while True:
            try:
                key, _ = await queue.get()
            except ShutDown:
                return
            assert key not in working
            working.add(key)
            await asyncio.sleep(0.001)
            working.discard(key)
            seen[key] = seen.get(key, 0) + 1
            queue.done(key)

    workers = [asyncio.create_task(worker()) for _ in range(4)]
    for turn in range(5):
        for key in range(20):
            queue.add(key)
            queue.add_after(key, 0.002 * turn)
        await asyncio.sleep(0.005)
    async with asyncio.timeout(5):
        while len(seen) < 20 or len(queue) or working:  # noqa: ASYNC110 - several workers, no single event
            await asyncio.sleep(0.005)
    queue.shut_down()
    await asyncio.gather(*workers)


def test_a_key_rests_after_work_and_what_is_asked_for_meanwhile_is_one_piece_of_work() -> None:
    queue: QueueState[str] = QueueState(rest=2)
    assert queue.add("a", now=0)
    assert queue.take() == ("a", 0)
    assert not queue.add("a", now=1)
    assert not queue.done("a", now=3)
    assert not queue.add("a", now=4)
    queue.add_at("a", 4.5)
    assert queue.promote(now=4.9) == 0
    assert queue.take() is None
    assert queue.next_time() == 5
    assert queue.promote(now=5) == 1
    assert queue.take() == ("a", 5)
    assert not queue.done("a", now=6)
    assert queue.next_time() is None
    assert queue.add("b", now=6)
    assert queue.add("a", now=8)


async def test_a_reader_gets_a_key_that_rested() -> None:
    queue: WorkQueue[str] = WorkQueue(rest=0.02)
    queue.add("a")
    for wanted_while_at_work in (True, False):
        async with asyncio.timeout(5):
            key, _ = await queue.get()
        if wanted_while_at_work:
            queue.add("a")
        queue.done(key)
        if not wanted_while_at_work:
            queue.add("a")
    async with asyncio.timeout(5):
        assert (await queue.get())[0] == "a"
    assert queue.adds == 3
    queue.shut_down()


async def test_failures_wait_longer_each_time_up_to_the_limit_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue(base_delay=0.005, max_delay=60)
    delays = [queue.add_rate_limited("a") for _ in range(20)]
    assert 0.0037 <= delays[0] <= 0.005
    for number, delay in enumerate(delays):
        ceiling = min(60, 0.005 * 2**number)
        assert ceiling * 0.75 <= delay <= ceiling
    queue.forget("a")
    assert queue.add_rate_limited("a") <= 0.005
    queue.shut_down()


async def test_a_delayed_key_comes_at_its_earliest_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 30)
    queue.add_after("a", 0.02)
    queue.add_after("a", 60)
    async with asyncio.timeout(2):
        key, _ = await queue.get()
    assert key == "a"
    queue.shut_down()


async def test_a_reader_that_is_cancelled_with_its_key_at_hand_loses_nothing() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    second_or_first = await asyncio.wait_for(asyncio.gather(first, second, return_exceptions=True), 1)
    assert [r[0] for r in second_or_first if isinstance(r, tuple)] == ["a"]


async def test_a_closed_queue_wakes_its_readers() -> None:
    queue: WorkQueue[str] = WorkQueue()
    readers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.shut_down()
    for reader in readers:
        with pytest.raises(ShutDown):
            await reader
