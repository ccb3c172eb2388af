"""The head of an answer of HTTP/1.1, as kube-apiserver and the balancers before it write it."""

from __future__ import annotations

from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

RESPONSE_LIMIT: Final = 256 * 1024 * 1024
HEAD_LIMIT: Final = 1024 * 1024
"""Each warning is a header, and an object may deserve very many."""
IN_CHUNKS: Final = -1
UNTIL_CLOSED: Final = -2


class Odd(Exception):
    """Not the answer of a kube-apiserver."""


class Head:
    """The status and the headers."""

    __slots__ = ("_text", "is_last", "length", "status")

    def __init__(self, text: bytes) -> None:
        """Odd for a head that is none; the text goes up to the empty line."""
        lower = text.lower() + b"\r\n"
        version, status = lower[:9], lower[9:12]
        if version not in (b"http/1.1 ", b"http/1.0 ") or not status.isdigit():
            raise Odd("an answer that is not HTTP/1.1")
        self._text = text
        self.status = int(status)
        self.is_last = version == b"http/1.0 " or b"\r\nconnection: close\r\n" in lower
        """Whether the server ends the connection after this answer."""
        if self.status < 200:
            raise Odd(f"an answer with status {self.status}")
        self.length = self._told_length(lower)
        """Bytes of the body, IN_CHUNKS or UNTIL_CLOSED."""

    def _told_length(self, lower: bytes) -> int:
        if self.status in (204, 304):
            return 0
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            return IN_CHUNKS
        at = lower.find(b"\r\ncontent-length:")
        if at < 0 and self.is_last:
            return UNTIL_CLOSED  # as a balancer says that nobody is behind it
        length = int(lower[at + 17 : lower.index(b"\r\n", at + 17)]) if at >= 0 else -1
        if not 0 <= length <= RESPONSE_LIMIT:
            raise Odd("an answer that does not say how long it is, or is too long")
        return length

    @property
    def is_encoded(self) -> bool:
        """Whether the body is compressed."""
        return b"\r\ncontent-encoding:" in self._text.lower()

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """All of them, in their order."""
        found: CIMultiDict[str] = CIMultiDict()
        for line in self._text.decode("utf-8", "surrogateescape").split("\r\n")[1:]:
            name, colon, value = line.partition(":")
            if colon:
                found.add(name, value.strip(" \t"))
        return CIMultiDictProxy(found)


def read_head(received: bytes | bytearray) -> tuple[Head, int] | None:
    """The head of what has come, and where the body begins; None as long as it is not complete."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > HEAD_LIMIT:
            raise Odd(f"an answer with more than {HEAD_LIMIT} bytes of headers")
        return None
    return Head(bytes(received[:end])), end + 4
