"""Plain reads in HTTP/2: a block of headers taken apart without being decoded.

A client that keeps no table writes a header in the same bytes each time, but Go in another order. The bytes
of each are cut out, those that differ from request to request are put aside, and the sorted rest is what the
request has in common with all others of its user.
"""

from __future__ import annotations

from typing import Final

from apiserver.asked import LONGEST, Asked, TextField
from apiserver.http2 import hpack, huffman

_NAME: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _heads(name: bytes) -> tuple[bytes, ...]:
    """The ways to begin a field."""
    plain, coded = hpack.named(name), huffman.encode(name)
    heads = plain, b"\x00" + bytes([0x80 | len(coded)]) + coded
    return *heads, *(bytes([head[0] | 0x40]) + head[1:] for head in heads)


_PATH, _AUDIT_ID, _FORWARDED = range(3)
_VARYING: Final = {
    head: which
    for which, name in ((_PATH, b":path"), (_AUDIT_ID, b"audit-id"), (_FORWARDED, b"x-forwarded-uri"))
    for head in _heads(name)
}
_PSEUDO: Final = {":authority": "Host"}


class Http2:
    """Coded texts."""

    def target(self, raw: bytes) -> bytes | None:
        return _text(raw)

    def audit_id(self, raw: bytes) -> bytes | None:
        return _text(raw)

    def fields(self, rest: bytes) -> list[TextField] | None:
        decoder = hpack.Decoder(most_bytes=8 * LONGEST, most_fields=1000)
        try:
            decoded = decoder.decode(rest)
        except (hpack.HpackError, hpack.TooLarge):
            return None
        fields, pseudo = [], {}
        for raw_name, raw_value in decoded:
            name = raw_name.decode("latin-1")
            value = raw_value.decode("latin-1")
            if not value.isprintable() or not value.isascii() or value != value.strip():
                return None
            if name.startswith(":"):
                if name in pseudo:
                    return None
                pseudo[name] = value
            elif not raw_name or not _NAME.issuperset(raw_name):
                return None
            else:
                fields.append((name, value))
        if pseudo.pop(":method", "") != "GET" or pseudo.pop(":scheme", "") not in ("https", "http"):
            return None
        return (
            [(_PSEUDO[name], value) for name, value in pseudo.items()] + fields
            if (set(pseudo) <= set(_PSEUDO))
            else None
        )


def _text(raw: bytes) -> bytes | None:
    try:
        found, end = hpack.text(raw, 0)
    except (hpack.HpackError, huffman.HuffmanError, IndexError):
        return None
    return found if end == len(raw) else None


_HTTP2: Final = Http2()


def of_block(block: bytes) -> Asked | None:
    """What a block asks that needs no table; None where that is not plain to see."""
    at, end = 0, len(block)
    if end > LONGEST:
        return None
    rest: list[bytes] = []
    heads: list[bytes] = []
    target = audit_id = b""
    forwarded = False
    try:
        while at < end:
            start, first = at, block[at]
            if first & 0x80:
                at += 1
                rest.append(block[start:at])
                continue
            if first & 0x60 == 0x20:
                return None  # the size of a table
            # to be remembered or not: where there is no table that is the same
            most = 0x3F if first & 0x40 else 0x0F
            number = first & most
            if not number:
                length = block[at + 1] & 0x7F
                if length == 0x7F:
                    return None
                at += 2 + length
            elif number == most:
                if block[at + 1] & 0x80:
                    return None
                at += 2
            else:
                at += 1
            middle = at
            length = block[at] & 0x7F
            if length == 0x7F:
                more = block[at + 1]
                if more & 0x80:
                    return None
                at += 2 + length + more
            else:
                at += 1 + length
            head = block[start:middle]
            varying = _VARYING.get(head)
            if varying is None:
                if heads and heads[-1] == head:
                    rest[-1] += block[start:at]  # the order of values matters, that of names does not
                else:
                    heads.append(head)
                    rest.append(block[start:at])
            elif varying == _FORWARDED:
                forwarded = True
            elif varying == _PATH:
                if target:
                    return None
                target = block[middle:at]
            else:
                if audit_id:
                    return None
                audit_id = block[middle:at]
    except IndexError:
        return None
    if at != end or len(set(heads)) != len(heads):
        return None
    rest.sort()
    return Asked(_HTTP2, target, b"".join(rest), audit_id, forwarded)
