"""Plain reads in the bytes they came in: what differs from one to the next is cut out, and the rest is a key
by which their meaning can be remembered.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Protocol

TextField = tuple[str, str]

LONGEST: Final = 8192
"""Bytes of headers; longer ones would fill the memory with what is said once."""
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_VARYING: Final = (b"\r\nAudit-Id: ", b"\r\nX-Forwarded-Uri: ")


class Dialect(Protocol):
    """How a version of HTTP writes what is asked."""

    def target(self, raw: bytes) -> bytes | None:
        """The path and query."""

    def fields(self, rest: bytes) -> list[TextField] | None:
        """The headers, Host among them; None for what is not plain to read."""

    def audit_id(self, raw: bytes) -> bytes | None:
        """The id as it is written in logs."""


class Asked(NamedTuple):
    """One GET."""

    dialect: Dialect
    target: bytes
    rest: bytes
    """The headers without those that follow, the same bytes for all requests of a user and client."""
    audit_id: bytes
    forwarded: bool
    """Whether kube-apiserver asks on behalf of its client."""


class Http1:
    """Lines, in an order that kube-apiserver keeps to."""

    def target(self, raw: bytes) -> bytes | None:
        return raw

    def fields(self, rest: bytes) -> list[TextField] | None:
        fields = []
        for line in rest.strip(b"\r\n").split(b"\r\n"):
            found = _HEADER.fullmatch(line)
            if found is None or not line.isascii():
                return None
            fields.append((found[1].decode("ascii"), found[2].decode("ascii").rstrip(" \t")))
        return fields

    def audit_id(self, raw: bytes) -> bytes | None:
        return raw


_HTTP1: Final = Http1()


def of_http1(data: bytes) -> Asked | None:
    """The GET in the bytes of a whole request without a body."""
    line, _, rest = data.partition(b"\r\n")
    if line[-9:] != b" HTTP/1.1":
        return None
    rest, audit_id, forwarded = b"\r\n" + rest, b"", False
    for name in _VARYING:
        start = rest.find(name)
        if start >= 0:
            end = rest.find(b"\r\n", start + 2)
            if name is _VARYING[0]:
                audit_id = rest[start + len(name) : end]
            else:
                forwarded = True
            rest = rest[:start] + rest[end:]
    return Asked(_HTTP1, line[4:-9], rest, audit_id, forwarded)
