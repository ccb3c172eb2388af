"""How a program begins and ends: uvloop, signals, exit codes, and nothing that stops silently.

A program's main coroutine gets a `stop` event, set by SIGTERM or SIGINT, after which it has some seconds to
end. Its eternal tasks run under a Supervisor: one that ends by itself, with or without an error, ends the
program, non-zero and with the reason logged.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, Self

import uvloop

from missioncontrol.serving import memory

log = logging.getLogger(__name__)

GRACE_SECONDS = 25.0
"""Less than the 30 s after which kubelet kills."""
YOUNG = 10_000
"""Objects made since the last collection of garbage, at which the next one looks at them. Python's own 700
are a few decoded answers, which are mostly still in use."""

NESTING = 12_000
"""Calls within calls. Kubernetes keeps objects that are nested 10,000 deep, and what decodes them counts each
step as a call: one that cannot be read must not end who reads all of its kind.
"""


class TaskEnded(Exception):
    """A task that should never end did; the cause is its error, if it had one."""


class Supervisor:
    """Owns named tasks: all are cancelled and awaited when it is left."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._ended: asyncio.Event = asyncio.Event()

    def spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a task that is to last as long as the program."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = name
        task.add_done_callback(lambda _: self._ended.set())
        return task

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; raise TaskEnded as soon as any task has ended."""
        stopping = asyncio.create_task(stop.wait())
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((stopping, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            ended.cancel()
        if not stop.is_set():
            self._complain()

    def _complain(self) -> NoReturn:
        task, name = next((task, name) for task, name in self._tasks.items() if task.done())
        error = None if task.cancelled() else task.exception()
        reason = f"{type(error).__name__}: {error}" if error else "it just ended"
        raise TaskEnded(f"the task {name!r} ended unexpectedly: {reason}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def run(
    main: Callable[[asyncio.Event], Coroutine[Any, Any, None]], *, grace: float = GRACE_SECONDS
) -> NoReturn:
    """Run a program and exit: 0 after it returned, 1 after it failed or did not stop in time."""
    sys.setrecursionlimit(NESTING)
    memory.keep_what_is_there()
    gc.set_threshold(YOUNG)
    try:
        code = uvloop.run(_main(main, grace=grace))
    except Exception:
        log.exception("the program failed")
        code = 1
    logging.shutdown()
    # Threads that hang (a DNS look-up, a metrics page) must not keep a program alive that has ended.
    os._exit(code)


async def _main(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]], *, grace: float) -> int:
    stop = asyncio.Event()
    _on_signals(stop)
    work = asyncio.create_task(main(stop), name="main")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not work.done():
        await asyncio.wait((work,), timeout=grace)
    if not work.done():
        log.error("not stopped within %g s, ending anyway", grace)
        return 1
    error = asyncio.CancelledError() if work.cancelled() else work.exception()
    if error is not None:
        log.error("ending: %s", error, exc_info=None if isinstance(error, TaskEnded) else error)
        if error.__cause__ is not None:
            log.error("caused by", exc_info=error.__cause__)
        return 1
    return 0


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def caught(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("%s again: ending at once", number.name)
            os._exit(1)
        log.info("%s: stopping", number.name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, caught, number)
