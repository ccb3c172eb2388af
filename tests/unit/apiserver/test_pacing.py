"""Answers that are ready together do not all go together."""

from __future__ import annotations

import asyncio

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
