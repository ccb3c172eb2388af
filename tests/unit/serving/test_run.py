"""How programs end, seen from outside: exit codes and last words."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

PRELUDE = """
import asyncio
from missioncontrol.serving import logs
from missioncontrol.serving.run import Supervisor, run
logs.setup(component="test")

async def for_ever():
    await asyncio.Event().wait()

async def fail():
    await asyncio.sleep(0.01)
    raise ValueError("no more paper")

async def end():
    await asyncio.sleep(0.01)
"""

STORIES = {
    "returning is success": ("async def main(stop): pass", 0, ""),
    "what was there at the beginning is no work for the collector": (
        """
import gc
async def main(stop):
    assert len(gc.get_objects()) < 2000 < gc.get_freeze_count()
""",
        0,
        "",
    ),
    "an error is failure with its reason": ("main = lambda stop: fail()", 1, "no more paper"),
    "a task that fails ends the program": (
        """
async def main(stop):
    async with Supervisor() as supervisor:
        supervisor.spawn("eternal", for_ever())
        supervisor.spawn("printer", fail())
        await supervisor.until(stop)
""",
        1,
        "the task 'printer' ended unexpectedly: ValueError: no more paper",
    ),
    "a task that just ends ends the program": (
        """
async def main(stop):
    async with Supervisor() as supervisor:
        supervisor.spawn("printer", end())
        await supervisor.until(stop)
""",
        1,
        "the task 'printer' ended unexpectedly: it just ended",
    ),
}


@pytest.mark.parametrize(("code", "status", "words"), STORIES.values(), ids=STORIES.keys())
def test_it_ends(code: str, status: int, words: str) -> None:
    script = PRELUDE + code + "\nrun(main)\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.returncode == status, done.stderr
    assert words in " ".join(json.loads(line)["message"] for line in done.stderr.splitlines())


SIGNALLED = {
    "SIGTERM lets it finish": (
        "async def main(stop):\n print('up', flush=True)\n await stop.wait()\n print('tidy', flush=True)",
        0,
        "tidy",
    ),
    "who does not stop is ended": (
        "async def main(stop):\n print('up', flush=True)\n await for_ever()",
        1,
        "",
    ),
}


@pytest.mark.parametrize(("code", "status", "output"), SIGNALLED.values(), ids=SIGNALLED.keys())
def test_it_is_stopped(code: str, status: int, output: str) -> None:
    script = PRELUDE + code + "\nrun(main, grace=0.3)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == status
    assert output in out
