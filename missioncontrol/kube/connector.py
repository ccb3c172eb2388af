"""Connections of HTTP clients whose sockets belong to the event loop alone.

aiohttp connects a Python socket and hands it to the loop. When the other end resets the connection just then,
uvloop (0.23) has closed the descriptor before it takes the Python object over, and that object closes the
same number again later: by then it is somebody else's connection, which breaks, or ends in the wrong place,
or makes libuv abort the process. A loop that makes the socket itself has nothing to hand over.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp

from missioncontrol.kube.keepalive import keep_alive

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler


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
        keep_alive(transport)
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
