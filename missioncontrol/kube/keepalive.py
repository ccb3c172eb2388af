"""Connections that last notice when nobody is at the other end any more."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds until the first probe, between two, and how many: a peer that vanished without a word ends a watch
after half a minute, while one that is merely quiet (a stopped process, no events) keeps it."""


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Have the system ask for signs of life."""
    connected = transport.get_extra_info("socket")
    if connected is None or connected.fileno() < 0:
        return  # it is broken already, as its first use will show
    # options belong to the connection, whichever descriptor they are set through
    with socket.socket(fileno=os.dup(connected.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):  # macOS knows only some of them
                same.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
