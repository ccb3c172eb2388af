"""An answer that is read while it arrives: watches, and whatever the façade passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from missioncontrol.kube import errors
from missioncontrol.kube.head import Head, Odd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from multidict import CIMultiDictProxy

    from missioncontrol.kube.incoming import Incoming

LINE_LIMIT = 64 * 1024 * 1024
"""No object can be nearly as long (etcd refuses them at 1.5 MB); beyond this the peer is no kube-apiserver.
"""
ERROR_BODY_LIMIT = 1024 * 1024


class Stream:
    """One streaming answer. Ends by exhaustion, by `abort`, or with TransportError."""

    def __init__(self, incoming: Incoming, head: Head) -> None:
        self._incoming, self._head = incoming, head

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self._head.status

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The answer's headers."""
        return self._head.headers

    def abort(self) -> None:
        """Cut the connection now; a reader that waits gets a TransportError."""
        self._incoming.abort()

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
        while chunk := await self._read():
            yield chunk

    async def _read(self) -> bytes:
        try:
            return await self._incoming.read()
        except TimeoutError as error:
            raise errors.TransportError("the stream went silent") from error
        except (OSError, Odd) as error:
            raise errors.TransportError(f"the stream broke: {describe(error)}") from error

    async def lines(self) -> AsyncIterator[bytes]:
        """The body line by line, without the line ends; half a line at the end is an error."""
        pending: list[bytes] = []
        length = 0
        while chunk := await self._read():
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
