"""Free ports on the loopback interface, chosen so that nobody takes them before their server does.

They lie below the range from which the kernel takes ports for outgoing connections, so that no
connection can come to sit on the port of a server that is being restarted. Between choosing a port and
its server listening on it, an abstract socket of the same number keeps other runs of this code (test
workers beside each other) from choosing it too; it vanishes with the process that chose.
"""

from __future__ import annotations

import random
import socket
import threading
from pathlib import Path

from missioncontrol.local.errors import LocalError

_LOWEST = 10_000
_held: dict[int, int] = {}
"""The descriptors of claims, by port; the kernel closes them with the process."""
_lock = threading.Lock()


class NoFreePortError(LocalError):
    """So many ports are taken that a free one was not found."""


def free_port() -> int:
    highest = _first_ephemeral_port() - 1
    with _lock:
        for _ in range(1000):
            port = random.randint(_LOWEST, highest)
            if port not in _held and _claim(port):
                return port
    raise NoFreePortError(f"no free port on 127.0.0.1 was found between {_LOWEST} and {highest}")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port that only waits out old connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _first_ephemeral_port() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        first = 32_768
    return first if first > _LOWEST + 5_000 else 60_000


def _claim(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0missioncontrol-port-{port}")
    except OSError:
        claim.close()
        return False
    if not is_free(port):
        claim.close()
        return False
    _held[port] = claim.detach()
    return True
