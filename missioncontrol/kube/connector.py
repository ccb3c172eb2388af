"""Connections of HTTP clients whose sockets belong to the event loop alone.

aiohttp connects a Python socket and hands it to the loop. When the other end resets the connection just then,
uvloop (0.23) has closed the descriptor before it takes the Python object over, and that object closes the
same number again later: by then it is somebody else's connection, which breaks, or ends in the wrong place,
or makes libuv abort the process. A loop that makes the socket itself has nothing to hand over.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds until the first probe, between two, and how many: a peer that vanished without a word ends a watch
after half a minute, while one that is merely quiet (a stopped process, no events) keeps it."""


class Connector(aiohttp.TCPConnector):
    """A TCPConnector that notices when nobody is at the other end any more."""

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[Any],
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **kwargs: Any,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        try:
            async with asyncio.timeout(timeout.sock_connect):
                transport, protocol = await self._first(args, addr_infos, kwargs)
        except ssl.SSLCertVerificationError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        except TimeoutError:
            raise
        except OSError as error:
            raise client_error(req.connection_key, error) from error
        _keep_alive(transport)
        return transport, protocol

    async def _first(
        self, args: tuple[Any, ...], addr_infos: list[Any], kwargs: dict[str, Any]
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """The first address that answers, in their order."""
        connect: Any = self._loop.create_connection
        for number, (family, _, protocol, _, address) in enumerate(addr_infos, start=1):
            try:
                transport, handler = await connect(
                    *args, **kwargs, host=address[0], port=address[1], family=family, proto=protocol
                )
                return transport, handler
            except OSError:
                if number == len(addr_infos):
                    raise
        raise OSError("the name has no address")


def _keep_alive(transport: asyncio.Transport) -> None:
    connected = transport.get_extra_info("socket")
    if connected is None or connected.fileno() < 0:
        return  # it is broken already, as its first use will show
    # options belong to the connection, whichever descriptor they are set through
    with socket.socket(fileno=os.dup(connected.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):  # macOS knows only some of them
                same.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
