"""Start processes and end them again, without ever touching one that is not ours.

A pid alone names nothing: after a crash or a reboot it may belong to somebody else. So a process is
remembered with its start time (in clock ticks since boot) and its argv, both are compared before any
signal, and the signal goes through a pidfd that was opened before the comparison, so that the pid
cannot change hands in between. Linux only, as is everything here that reads /proc.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one process from every other that had or will have its pid."""

    pid: int
    started: int
    argv: tuple[str, ...]


def identify(pid: int) -> Identity | None:
    """The process that has this pid now; None when there is none, or only its zombie."""
    try:
        fields = _stat(pid)
        argv = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in ("Z", "X"):
        return None
    return Identity(pid=pid, started=int(fields[19]), argv=tuple(_decode_argv(argv)))


def parent_of(pid: int) -> int | None:
    """The pid of the process that this one is a child of; None when it has ended."""
    try:
        return int(_stat(pid)[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on (proc(5), /proc/pid/stat, the third field)."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    # The second field is the program's name in brackets and may itself hold spaces and brackets.
    return stat.rpartition(")")[2].split()


def _decode_argv(cmdline: bytes) -> list[str]:
    return [os.fsdecode(part) for part in cmdline.split(b"\0")[:-1]]


def is_running(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    die_with_parent: bool = False,
) -> Identity:
    """Start a process in a session of its own, its output appended to `log`.

    With `die_with_parent` the kernel kills it when the thread that called this ends: for test runs,
    which must leave nothing behind even when they are killed. Without, it outlives the caller.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    parent = os.getpid()
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            start_new_session=True,
            close_fds=True,
            preexec_fn=(lambda: _die_with(parent)) if die_with_parent else None,
        )
    identity = _identity_after_exec(process.pid, argv)
    # Whether it runs is read from /proc from now on; the object would only warn about a running child.
    process.returncode = 0
    return identity


def _die_with(parent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the request was made
        os._exit(1)


def _identity_after_exec(pid: int, argv: Sequence[str]) -> Identity:
    # Popen returns after the exec has succeeded; only a process that ended at once is missing here.
    found = identify(pid)
    # For a moment it has no arguments yet; remembered like that, it would never be found again.
    deadline = time.monotonic() + 1.0
    while found is not None and not found.argv and time.monotonic() < deadline:
        time.sleep(0.001)
        found = identify(pid)
    return found if found is not None else Identity(pid=pid, started=-1, argv=tuple(argv))


def stop(identity: Identity, *, grace: float, kill: bool = False) -> bool:
    """End the process: asked to at first, killed after `grace` seconds. False if it was not running."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_running(identity):
            return False
        if not kill:
            _send(descriptor, signal.SIGTERM)
            if _ended(descriptor, grace):
                return True
        _send(descriptor, signal.SIGKILL)
        if not _ended(descriptor, 10.0):
            raise TimeoutError(
                f"process {identity.pid} ({identity.argv[0]}) does not end although it was killed"
            )
        return True
    finally:
        os.close(descriptor)
        reap(identity.pid)


def _send(descriptor: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, number)


def _ended(descriptor: int, timeout: float) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(max(0.0, timeout) * 1000))


def reap(pid: int) -> None:
    """Collect a child that ended, so that no zombie stays; somebody else's child is left alone."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def wait_until_ended(identity: Identity, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return True
    try:
        return not is_running(identity) or _ended(descriptor, deadline - time.monotonic())
    finally:
        os.close(descriptor)
        reap(identity.pid)


def proportional_memory(pid: int) -> int:
    """Bytes of memory that a process and its children account for, shared pages divided among those who
    share them.
    """
    return sum(_proportional_memory(each) for each in (pid, *children_of(pid)))


def children_of(pid: int) -> list[int]:
    """The processes that the main thread of a process started, and that run; none when it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _proportional_memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
