"""A program that ends by itself is started again; one that is killed, stopped or cannot run is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from missioncontrol.local import processes, restarts

STEADY = "0.2"
NEVER_STEADY = "600"


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Run Python code under the script; each start of it writes a line with its pid."""

    def run(code: str, steady: str = STEADY) -> subprocess.Popen[str]:
        program = [sys.executable, "-c", f"import os, time; print(os.getpid(), flush=True); {code}"]
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(restarts.__file__), steady, *program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


Start = Callable[..., subprocess.Popen[str]]


def first_line(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_a_program_that_ends_by_itself_with_an_error_is_started_again(start: Start) -> None:
    with start("time.sleep(0.3); os._exit(1)") as process:
        assert first_line(process) != first_line(process)
        process.terminate()
        _, said = process.communicate(timeout=10)
    assert "ended by itself with status 1" in said


@pytest.mark.parametrize(
    ("code", "steady", "status"),
    [
        pytest.param("os._exit(3)", NEVER_STEADY, 3, id="it cannot run at all, and its status says why"),
        pytest.param("time.sleep(0.3); os._exit(0)", STEADY, 0, id="it ended well"),
        pytest.param("time.sleep(0.3); os.kill(os.getpid(), 9)", STEADY, 128 + 9, id="it was killed"),
    ],
)
def test_a_program_stays_ended_when(start: Start, code: str, steady: str, status: int) -> None:
    with start(code, steady) as process:
        out, _ = process.communicate(timeout=10)
    assert (process.returncode, len(out.split())) == (status, 1)


def test_who_asks_the_script_to_end_asks_the_program(start: Start) -> None:
    code = (
        "import signal; signal.signal(15, lambda *_: os._exit(7)); print('set', flush=True); time.sleep(60)"
    )
    with start(code) as process:
        first_line(process)
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=10) == 7


def test_a_program_dies_with_its_script(start: Start) -> None:
    with start("time.sleep(60)") as process:
        program = processes.identify(first_line(process))
        assert program is not None
        assert processes.parent_of(program.pid) == process.pid
        assert processes.proportional_memory(process.pid) > processes.proportional_memory(program.pid)
        os.kill(process.pid, signal.SIGKILL)
        assert processes.wait_until_ended(program, 10)


def test_a_program_that_is_not_there_ends_the_script(tmp_path: Path) -> None:
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, str(restarts.__file__), STEADY, str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    assert ran.returncode == 127
    assert "cannot be started" in ran.stderr
    assert time.monotonic() - began < 10
