"""Frames (RFC 9113): their numbers, and how they are written."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = 9
HEAD_FORMAT: Final = struct.Struct(">HBBBL")
"""Two bytes and one of the length, type, flags, stream."""
STREAM_MASK: Final = 0x7FFFFFFF
LARGEST_FRAME: Final = 16384
"""Of the payload, both ways: what everybody takes unasked."""
WINDOW: Final = 65535
"""The window of a connection, and of streams, as long as nobody says anything else."""
LARGEST_WINDOW: Final = 0x7FFFFFFF

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITIZED: Final = 0x20

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6

_PAIR: Final = struct.Struct(">HL")
NUMBER_FORMAT: Final = struct.Struct(">L")
"""The 31 or 32 bits that some frames are."""


class Code(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionFault(Exception):
    """The peer did what ends its connection."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(why)
        self.code = code


class StreamFault(Exception):
    """The peer did what ends one of its streams."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(why)
        self.code = code


def head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """The nine bytes before a payload."""
    return HEAD_FORMAT.pack(length >> 8, length & 0xFF, kind, flags, stream)


def headers(stream: int, block: bytes, *, end: bool) -> bytes:
    """A block of headers in as many frames as it needs."""
    flags = END_STREAM if end else 0
    if len(block) <= LARGEST_FRAME:
        return head(len(block), HEADERS, flags | END_HEADERS, stream) + block
    parts = [block[at : at + LARGEST_FRAME] for at in range(0, len(block), LARGEST_FRAME)]
    frames = [head(len(parts[0]), HEADERS, flags, stream), parts[0]]
    for part in parts[1:]:
        last = part is parts[-1]
        frames += [head(len(part), CONTINUATION, END_HEADERS if last else 0, stream), part]
    return b"".join(frames)


def settings(values: dict[int, int]) -> bytes:
    """What this side wants of the other."""
    payload = b"".join(_PAIR.pack(*each) for each in values.items())
    return head(len(payload), SETTINGS, 0, 0) + payload


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """What the other side wants."""
    return list(_PAIR.iter_unpack(payload))


def window_update(stream: int, more: int) -> bytes:
    """More bytes may come."""
    return head(4, WINDOW_UPDATE, 0, stream) + NUMBER_FORMAT.pack(more)


def reset(stream: int, code: Code) -> bytes:
    """The end of one stream."""
    return head(4, RST_STREAM, 0, stream) + NUMBER_FORMAT.pack(code)


def goaway(last: int, code: Code, why: str = "") -> bytes:
    """No stream after `last` is taken."""
    debug = why.encode()[:128]
    return head(8 + len(debug), GOAWAY, 0, 0) + NUMBER_FORMAT.pack(last) + NUMBER_FORMAT.pack(code) + debug
