"""A process is ended only if it is the very one that was started."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from missioncontrol.local import processes

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "a name.log"


def spawn(argv: list[str], log: Path) -> processes.Identity:
    process = processes.spawn(argv, log=log, cwd=log.parent.parent, die_with_parent=True)
    deadline = time.monotonic() + 10
    while "up" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_a_process_is_known_by_pid_start_and_argv(log: Path) -> None:
    process = spawn(SLEEP, log)
    assert process.argv == tuple(SLEEP)
    assert processes.is_running(process)
    assert processes.stop(process, grace=5)
    assert not processes.is_running(process)
    assert not processes.stop(process, grace=5), "there is nothing to stop any more"


def test_a_stubborn_process_is_killed_after_the_grace(log: Path) -> None:
    process = spawn(STUBBORN, log)
    began = time.monotonic()
    processes.stop(process, grace=0.3)
    assert time.monotonic() - began >= 0.3
    assert not processes.is_running(process)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"started": 1}, id="the pid belongs to a process that started at another time"),
        pytest.param({"argv": ("kube-apiserver",)}, id="the pid belongs to another program"),
    ],
)
def test_a_foreign_process_is_never_signalled(change: dict[str, object], log: Path) -> None:
    somebodys = spawn(SLEEP, log)
    stale = dataclasses.replace(somebodys, **change)  # type: ignore[arg-type]
    assert not processes.is_running(stale)
    assert not processes.stop(stale, grace=0.1, kill=True)
    assert processes.is_running(somebodys)
    processes.stop(somebodys, grace=5, kill=True)


def test_a_process_that_ended_at_once_is_not_running(log: Path) -> None:
    process = processes.spawn([sys.executable, "-c", "pass"], log=log, cwd=log.parent.parent)
    assert processes.wait_until_ended(process, 10)
    assert not processes.is_running(process)


def test_a_program_that_is_not_there_is_an_error_of_the_caller(log: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes.spawn(["/nowhere/program"], log=log, cwd=Path("/"))


def test_output_is_appended_to_the_log(log: Path) -> None:
    for text in ("first", "second"):
        process = processes.spawn([sys.executable, "-c", f"print({text!r})"], log=log, cwd=log.parent.parent)
        assert processes.wait_until_ended(process, 10)
    assert log.read_text() == "first\nsecond\n"


def test_processes_of_a_test_run_die_when_it_is_killed(tmp_path: Path) -> None:
    code = f"""
        import time
        from pathlib import Path
        from missioncontrol.local import processes
        child = processes.spawn({SLEEP!r}, log=Path("log"), cwd=Path("/"), die_with_parent=True)
        print(child.pid, flush=True)
        time.sleep(60)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = processes.identify(int(parent.stdout.readline()))
    assert child is not None
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert processes.wait_until_ended(child, 10)


def test_memory_is_measured(log: Path) -> None:
    assert processes.proportional_memory(os.getpid()) > 1 << 20
    assert processes.proportional_memory(2**22 + 1) == 0
