"""Keys that an object gives more than once, kept through decoding and translation.

Only the store can judge them together with everything else that is wrong with the fields, so it is to see
them as the client wrote them. All but the last of equal keys carry a mark on their way there.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import orjson

# of this process alone, so that no client can write it
_MARK = f"<{secrets.token_hex(12)} "
_IN_JSON = re.compile(rf"{_MARK}\d+>".encode())


def mark(key: str, number: int) -> str:
    """A key under which the value stays that a later one of the same name would replace."""
    return f"{_MARK}{number}>{key}"


def plain(key: str) -> str:
    """The key as the client wrote it."""
    return key.partition(">")[2] if key.startswith(_MARK) else key


def encode(value: Any) -> bytes:
    """JSON in which repeated keys are repeated."""
    data = orjson.dumps(value)
    return _IN_JSON.sub(b"", data) if _MARK.encode() in data else data
