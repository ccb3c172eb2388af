"""An answer that is read while it arrives: watches, and whatever the façade passes through.

The line reader is our own because aiohttp's refuses lines longer than its buffer, and one watch event may be
megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from missioncontrol.kube import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from multidict import CIMultiDictProxy

LINE_LIMIT = 64 * 1024 * 1024
"""No object can be nearly as long (etcd refuses them at 1.5 MB); beyond this the peer is no kube-apiserver.
"""
ERROR_BODY_LIMIT = 1024 * 1024


class Stream:
    """One streaming answer. Ends by exhaustion, by `abort`, or with TransportError."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self._response.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The answer's headers."""
        return self._response.headers

    def abort(self) -> None:
        """Cut the connection now; a reader that waits gets the end or a TransportError."""
        self._response.close()

    async def raise_for_status(self) -> None:
        """Raise the typed ApiError when the server refused."""
        if self.status < 400:
            return
        body = b""
        async for chunk in self.chunks():
            body += chunk
            if len(body) > ERROR_BODY_LIMIT:
                break
        raise errors.from_response(self.status, body, retry_after=retry_after(self.headers))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except TimeoutError as error:
            raise errors.TransportError("the stream went silent") from error
        except (aiohttp.ClientError, OSError) as error:
            raise errors.TransportError(f"the stream broke: {describe(error)}") from error
        except RuntimeError as error:
            # aiohttp's word for a connection that was cut while a chunk without data woke the reader
            if not self._response.closed:
                raise
            raise errors.TransportError(f"the stream broke: {describe(error)}") from error

    async def lines(self) -> AsyncIterator[bytes]:
        """The body line by line, without the line ends; half a line at the end is an error."""
        pending: list[bytes] = []
        length = 0
        async for chunk in self.chunks():
            *complete, rest = chunk.split(b"\n")
            for part in complete:
                if pending:
                    pending.append(part)
                    part = b"".join(pending)
                    pending.clear()
                    length = 0
                if part:
                    yield part
            if rest:
                pending.append(rest)
                length += len(rest)
                if length > LINE_LIMIT:
                    raise errors.TransportError(f"the stream has a line of more than {LINE_LIMIT} bytes")
        if pending:
            raise errors.TransportError("the stream ended in the middle of a line")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header; dates, which kube-apiserver never sends, count as absent."""
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86400 else None


def describe(error: BaseException) -> str:
    """The text of an error, or its type where it has none."""
    return str(error) or type(error).__name__
