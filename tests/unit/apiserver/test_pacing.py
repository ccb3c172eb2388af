"""Answers that are ready together do not all go together."""

from __future__ import annotations

import asyncio

import pytest

from apiserver.pacing import AT_ONCE, Pacer


async def test_answers_follow_requests_or_time() -> None:
    pacer, sent = Pacer(), list[int]()
    for number in range(3 * AT_ONCE):
        pacer.answer(lambda number=number: sent.append(number))
    assert len(sent) == AT_ONCE
    for count in range(1, 4):
        pacer.arrived()
        assert len(sent) == AT_ONCE + count
    async with asyncio.timeout(10):
        while len(sent) < 3 * AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert sent == sorted(sent)


async def test_one_request_after_the_other_never_waits() -> None:
    pacer, sent = Pacer(), list[int]()
    for number in range(10 * AT_ONCE):
        pacer.arrived()
        pacer.answer(lambda number=number: sent.append(number))
        assert len(sent) == number + 1


async def test_while_requests_come_in_time_lets_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apiserver.pacing.PAUSE_SECONDS", 0.05)
    pacer, sent = Pacer(), list[int]()
    for number in range(AT_ONCE + 100):
        pacer.answer(lambda number=number: sent.append(number))
    loop = asyncio.get_running_loop()
    until, arrivals = loop.time() + 0.2, 0
    late = False
    while loop.time() < until and arrivals < 100:
        before = loop.time()
        pacer.arrived()
        arrivals += 1
        await asyncio.sleep(0.002)
        late |= loop.time() - before > 0.04
    # on a machine that stood still for so long, time has rightly let some out
    assert late or len(sent) == AT_ONCE + arrivals
