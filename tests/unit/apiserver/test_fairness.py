"""Turns: nobody waits behind the many requests of another."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver import fairness
from apiserver.fairness import Lane, Ticket, Weights
from apiserver.status import Failure


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def take(lane: Lane, user: str, count: int, weight: int = 1) -> list[Ticket]:
    return [lane.ticket(user, weight) for _ in range(count)]


def started(tickets: list[Ticket]) -> int:
    return sum(ticket.started for ticket in tickets)


def test_alone_one_may_have_much(clock: Clock) -> None:
    assert started(take(Lane(400, clock), "a", 200)) == 200


def test_with_others_each_has_a_share_and_the_first_of_each_starts_at_once(clock: Clock) -> None:
    lane = Lane(400, clock)
    (quiet,) = take(lane, "quiet", 1)
    quiet.release()
    noisy = take(lane, "noisy", 64)
    assert started(noisy) == fairness.SHARE
    assert started(take(lane, "quiet", 1)) == 1
    assert started(take(lane, "third", 1)) == 1
    clock.now += fairness.RECENT + 1


def test_heavy_requests_come_one_at_a_time_while_there_are_others(clock: Clock) -> None:
    lane = Lane(400, clock)
    take(lane, "quiet", 1)[0].release()
    lists = take(lane, "noisy", 64, fairness.HEAVIEST)
    assert started(lists) == 1
    assert started(take(lane, "quiet", 5)) == 5
    lists[0].release()
    assert started(lists[1:]) == 1


def test_what_was_alone_shares_as_soon_as_somebody_comes(clock: Clock) -> None:
    lane = Lane(400, clock)
    noisy = take(lane, "noisy", 64)
    assert started(noisy) == 64
    assert started(take(lane, "quiet", 1)) == 1
    assert started(take(lane, "noisy", 1)) == 0
    for ticket in noisy[:50]:
        ticket.release()
    assert lane.queued == 0 or lane.running <= fairness.SHARE + 1


def test_the_next_is_whoever_has_least_in_progress(clock: Clock) -> None:
    lane = Lane(2, clock)
    a = take(lane, "a", 3)
    assert started(a) == 2
    (b,) = take(lane, "b", 1)
    assert not b.started
    a[0].release()
    assert b.started
    assert started(a[2:]) == 0


def test_seats_bound_all_together(clock: Clock) -> None:
    lane = Lane(4, clock)
    tickets = [ticket for user in "abcdefgh" for ticket in take(lane, user, 1)]
    assert started(tickets) == 4
    tickets[0].release()
    assert started(tickets[1:]) == 4


async def test_who_waits_too_long_is_sent_away(clock: Clock) -> None:
    lane = Lane(1, clock)
    take(lane, "a", 1)
    (late,) = take(lane, "b", 1)
    with pytest.raises(Failure) as caught:
        await late.wait(0.04)
    late.release()
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (429, "1")
    assert (lane.queued, lane.rejected) == (0, {"time-out": 1})


async def test_who_leaves_the_queue_leaves_no_trace(clock: Clock) -> None:
    lane = Lane(1, clock)
    (first,) = take(lane, "a", 1)
    (second,) = take(lane, "b", 1)
    waiting = asyncio.create_task(second.wait(60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    second.release()
    first.release()
    assert (lane.queued, lane.running) == (0, 0)


async def test_a_turn_that_comes_wakes_who_waits(clock: Clock) -> None:
    lane = Lane(1, clock)
    (first,) = take(lane, "a", 1)
    (second,) = take(lane, "b", 1)
    waiting = asyncio.create_task(second.wait(60))
    await asyncio.sleep(0)
    first.release()
    await asyncio.wait_for(waiting, 1)
    assert second.started


def test_a_queue_has_an_end(clock: Clock) -> None:
    lane = Lane(1, clock)
    take(lane, "a", 1 + fairness.QUEUE)
    with pytest.raises(Failure):
        lane.ticket("a", 1)
    assert not lane.ticket("b", 1).started


def test_users_that_are_gone_are_forgotten(clock: Clock) -> None:
    lane = Lane(400, clock)
    for number in range(100):
        lane.ticket(f"user-{number}", 1).release()
    clock.now += fairness.RECENT + 1
    assert started(take(lane, "a", 100)) == 100


def test_heavy_is_what_was_seen_to_be() -> None:
    weights, sort = Weights(), ("list", "things", "")
    assert weights.of(sort) == 1
    weights.learn(sort, 10_000_000)
    assert weights.of(sort) == fairness.HEAVIEST
    for _ in range(40):
        weights.learn(sort, 100)
    assert weights.of(sort) == 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "release"]), st.sampled_from("abc"), st.integers(1, 16)),
        max_size=200,
    )
)
def test_counts_hold_whatever_comes(steps: list[tuple[str, str, int]]) -> None:
    clock = Clock()
    lane = Lane(20, clock)
    open_: list[Ticket] = []
    for step, user, weight in steps:
        clock.now += weight / 8
        if step == "take":
            open_.append(lane.ticket(user, weight))
        elif open_:
            open_.pop(weight % len(open_)).release()
        assert lane.running == started(open_) <= 20
        assert lane.queued == len(open_) - started(open_)
        # whoever waits has something in progress, unless every seat is taken
        if lane.queued:
            assert lane.running
    while open_:
        open_.pop().release()
    assert (lane.running, lane.queued) == (0, 0)
