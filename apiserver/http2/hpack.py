"""Header blocks (RFC 7541): read with everything that a client may use, written without a memory.

Clients are told to keep no table either. From then on a block means the same whenever it comes, and what it
means can be remembered by its bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from apiserver.http2 import huffman

Field = tuple[bytes, bytes]

DEFAULT_TABLE: Final = 4096
"""What a client may use before it has read our settings."""
_OVERHEAD: Final = 32
_SECRET: Final = frozenset({b"authorization", b"cookie"})
"""Headers that are in memory no longer than their request."""
_SHORT: Final = 128
"""Bytes of a text that is worth remembering."""
_STATIC_TEXT: Final = (
    ":authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|:status 200|"
    ":status 204|:status 206|:status 304|:status 400|:status 404|:status 500|accept-charset|"
    "accept-encoding gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|"
    "allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length|"
    "content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|"
    "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|"
    "proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|"
    "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
)
STATIC: Final[tuple[Field, ...]] = tuple(
    (name, value) for name, _, value in (entry.encode().partition(b" ") for entry in _STATIC_TEXT.split("|"))
)
_STATIC_NAMES: Final = {name: number for number, (name, _) in reversed(list(enumerate(STATIC, 1)))}
_STATIC_FIELDS: Final = {field: number for number, field in enumerate(STATIC, 1)}


class HpackError(Exception):
    """A block that cannot be read; what follows on its connection cannot be, either."""


class TooLarge(Exception):
    """The fields of a block are more than anybody needs; the block was read to its end."""


class Decoder:
    """Reads the blocks of one connection, in their order."""

    def __init__(self, *, most_bytes: int, most_fields: int) -> None:
        self._most_bytes, self._most_fields = most_bytes, most_fields
        self._table: deque[Field] = deque()
        self._size = 0
        self._limit = DEFAULT_TABLE
        self._allowed = DEFAULT_TABLE

    @property
    def forgets(self) -> bool:
        """Whether the client has stopped using a table: no block means anything for the next one."""
        return not self._limit

    def allow(self, size: int) -> None:
        """The client knows now that it may use no more than this."""
        self._allowed = size

    def decode(self, block: bytes) -> list[Field]:
        """The fields of a block."""
        fields: list[Field] = []
        at, end, size = 0, len(block), 0
        try:
            while at < end:
                first = block[at]
                if first & 0xE0 == 0x20:
                    if fields:
                        raise HpackError("a table changes its size in the middle of a block")
                    limit, at = integer(block, at, 5)
                    self._resize(limit)
                    continue
                field, at = self._field(block, at, first)
                size += len(field[0]) + len(field[1]) + _OVERHEAD
                if size <= self._most_bytes and len(fields) < self._most_fields:
                    fields.append(field)
                else:
                    size = self._most_bytes + 1
        except (IndexError, huffman.HuffmanError) as error:
            raise HpackError(str(error)) from error
        if self._limit > self._allowed:
            raise HpackError("a table is larger than was allowed")
        if size > self._most_bytes:
            raise TooLarge
        return fields

    def _field(self, block: bytes, at: int, first: int) -> tuple[Field, int]:
        if first & 0x80:
            number, at = integer(block, at, 7)
            return self._known(number), at
        kept = bool(first & 0x40)
        number, at = integer(block, at, 6 if kept else 4)
        if number:
            name = self._known(number)[0]
        else:
            name, at = text(block, at)
        value, at = text(block, at, secret=name in _SECRET)
        if kept:
            self._keep((name, value))
        return (name, value), at

    def _known(self, number: int) -> Field:
        if not number:
            raise HpackError("a field has the number 0")
        if number <= len(STATIC):
            return STATIC[number - 1]
        return self._table[number - len(STATIC) - 1]

    def _keep(self, field: Field) -> None:
        self._table.appendleft(field)
        self._size += len(field[0]) + len(field[1]) + _OVERHEAD
        self._forget()

    def _resize(self, limit: int) -> None:
        if limit > DEFAULT_TABLE:
            raise HpackError("a table is larger than was allowed")
        self._limit = limit
        self._forget()

    def _forget(self) -> None:
        while self._size > self._limit:
            name, value = self._table.pop()
            self._size -= len(name) + len(value) + _OVERHEAD


def integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """A number whose first byte has this many bits of it, and where it ends."""
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    shift = 0
    while True:
        byte = block[at]
        at += 1
        value += (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at
        if shift > 28:
            raise HpackError("a number is too long")


def text(block: bytes, at: int, *, secret: bool = False) -> tuple[bytes, int]:
    """A text, and where it ends."""
    coded = block[at] & 0x80
    length, at = integer(block, at, 7)
    raw = block[at : at + length]
    if len(raw) != length:
        raise HpackError("a text ends with its block")
    if coded:
        raw = huffman.decode(raw) if secret or length > _SHORT else _decoded(raw)
    return raw, at + length


@lru_cache(maxsize=4096)
def _decoded(raw: bytes) -> bytes:
    """All requests of a client say nearly the same, and what is coded is read byte by byte."""
    return huffman.decode(raw)


def encode(fields: Iterable[Field]) -> bytes:
    """A block that says these fields and is nothing to remember."""
    return b"".join([encode_field(name, value) for name, value in fields])


def encode_field(name: bytes, value: bytes) -> bytes:
    """One field."""
    known = _STATIC_FIELDS.get((name, value))
    if known is not None:
        return bytes([0x80 | known])
    return named(name) + _number(len(value), 7) + value


def named(name: bytes) -> bytes:
    """The beginning of a field, up to its value."""
    number = _STATIC_NAMES.get(name)
    return _number(number, 4) if number is not None else b"\x00" + _number(len(name), 7) + name


def _number(value: int, bits: int) -> bytes:
    most = (1 << bits) - 1
    if value < most:
        return bytes([value])
    encoded = bytearray([most])
    value -= most
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
