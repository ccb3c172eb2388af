"""Keys that an object gives more than once, kept through decoding and translation.

Only the store can judge them together with everything else that is wrong with the fields, so it is to see
them as the client wrote them: in YAML also in the lines in which they were, for it names them by these. All
but the last of equal keys carry a mark on their way there.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

import orjson

# of this process alone, so that no client can write it
_MARK = f"<{secrets.token_hex(12)} "
_IN_JSON = re.compile(rf"{_MARK}\d+ \d+>".encode())
_IN_LINES = re.compile(rf"{_MARK}\d+ [1-9]".encode())
_LINE = re.compile(rf"{_MARK}\d+ (\d+)>")


def mark(key: str, number: int, line: int = 0) -> str:
    """A key under which the value stays that a later one of the same name would replace; in YAML with the
    line of the next one.
    """
    return f"{_MARK}{number} {line}>{key}"


def plain(key: str) -> str:
    """The key as the client wrote it."""
    return key.partition(">")[2] if key.startswith(_MARK) else key


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is sent, its type, and whether there are keys that it gives more than once."""

    data: bytes
    content_type: str
    repeats: bool


def encode(value: Any, content_type: str) -> Document:
    """A document in which repeated keys are repeated; in YAML where lines matter."""
    data = orjson.dumps(value)
    if _MARK.encode() not in data:
        return Document(data, content_type, repeats=False)
    if not _IN_LINES.search(data):
        return Document(_IN_JSON.sub(b"", data), content_type, repeats=True)
    in_yaml = "application/yaml" if content_type == "application/json" else content_type
    return Document(_Lines().write(value), in_yaml, repeats=True)


class _Lines:
    """Writes JSON, which is YAML, with line ends before those keys whose line will be told."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._line = 1

    def write(self, value: Any) -> bytes:
        self._value(value)
        return b"".join(self._parts)

    def _value(self, value: Any) -> None:
        if isinstance(value, dict):
            self._object(value)
        elif isinstance(value, list):
            self._parts.append(b"[")
            for index, each in enumerate(value):
                self._parts.append(b"," if index else b"")
                self._value(each)
            self._parts.append(b"]")
        else:
            self._parts.append(orjson.dumps(value))

    def _object(self, value: dict[str, Any]) -> None:
        lines: dict[str, int] = {}
        self._parts.append(b"{")
        for index, (key, below) in enumerate(value.items()):
            name = plain(key)
            self._parts.append(b"," if index else b"")
            self._reach(lines.pop(name, 0))
            if found := _LINE.match(key):
                lines[name] = int(found[1])
            self._parts.append(orjson.dumps(name) + b": ")
            self._value(below)
        self._parts.append(b"}")

    def _reach(self, line: int) -> None:
        if line > self._line:
            self._parts.append(b"\n" * (line - self._line))
            self._line = line
