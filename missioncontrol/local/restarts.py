"""Run a program, and start it again when it ends by itself with an error, as kubelet does with a static pod.

    python restarts.py SECONDS PROGRAM ARGUMENT…

Whoever kills the program wants it dead, and it stays dead. So does one that ran for less than SECONDS: it
cannot run at all, and its status tells why it was not ready. A script without imports from this project,
since one of them lives as long as its program does and should weigh next to nothing.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

PAUSE_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1
_AWAITED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


def main(steady: float, argv: list[str]) -> int:
    """Return the status to end with: the program's own, or 128 and the number of the signal that ended it."""
    # Blocked and waited for in turn, so that none comes between two lines.
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    libc = ctypes.CDLL(None)
    while True:
        began = time.monotonic()
        status, asked = _run(argv, libc)
        lasted = time.monotonic() - began
        if asked or status == 0 or os.WIFSIGNALED(status) or lasted < steady:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        print(
            f"{argv[0]} ended by itself with status {os.waitstatus_to_exitcode(status)} after {lasted:.0f} s;"
            f" it is started again in {PAUSE_SECONDS:g} s",
            file=sys.stderr,
            flush=True,
        )
        if signal.sigtimedwait((signal.SIGTERM, signal.SIGINT), PAUSE_SECONDS):
            return 0


def _run(argv: list[str], libc: ctypes.CDLL) -> tuple[int, bool]:
    """Run the program to its end: its wait status, and whether it was asked to end."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _become(argv, parent, libc)
    asked = False
    while True:
        number = signal.sigwait(_AWAITED)
        if number != signal.SIGCHLD:
            asked = True
            os.kill(child, number)  # not waited for yet: at worst it is a zombie, and nobody else
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status, asked


def _become(argv: list[str], parent: int, libc: ctypes.CDLL) -> None:
    """In the child: be the program, and die with the one that started it."""
    try:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
            os.execv(argv[0], argv)
    except OSError as error:
        print(f"{argv[0]} cannot be started: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
