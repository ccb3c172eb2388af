"""An object under one of its faces, in encoded parts.

Only what differs from what is stored is encoded; the rest is the store's own bytes, kept once for all faces.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
import orjson

from apiserver import deep
from apiserver.kinds import FACES, SERVED
from apiserver.translate.objects import to_virtual
from apiserver.watchcache.entries import Entry
from missioncontrol.api.columns import Column

Part = bytes | memoryview | msgspec.Raw
Parts = list[Part]
Cell = bytes | tuple[Column, bytes]
"""Encoded cells, with commas between them; or a column with the members that its cell is made of, as JSON."""

_HEAD: Final = frozenset({"apiVersion", "kind", "metadata"})
_OVERHEAD: Final = 400
"""Bytes that the parts of an object cost beyond their contents: the objects of Python that hold them."""
_OF_PART: Final = 100
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Pieces:
    """The encoded parts of an object."""

    __slots__ = ("_own", "cells", "metadata", "rest")

    def __init__(self, metadata: bytes, rest: tuple[Part, ...] = ()) -> None:
        self.metadata = metadata
        self.rest = rest
        """The other members but apiVersion and kind, each with a comma in front."""
        self.cells: tuple[Cell, ...] | None = None
        """What is encoded of a row of a Table, when one was asked for."""
        self._own = len(metadata) + sum(len(part) for part in rest if isinstance(part, bytes))

    @property
    def size(self) -> int:
        """Bytes of memory, besides those that are the store's."""
        cells = self.cells or ()
        texts = sum(len(cell) if isinstance(cell, bytes) else len(cell[1]) + _OF_PART for cell in cells)
        return _OVERHEAD + self._own + texts + _OF_PART * (len(self.rest) // 2 + len(cells))


def pieces_of(entry: Entry, plural: str) -> Pieces:
    """The parts of an object, encoded when they are first asked for."""
    found = entry.pieces.get(plural) if entry.pieces is not None else None
    if not isinstance(found, Pieces):
        found = encoded(entry.raw, plural)
        entry.keep(plural, found)
    return found


def row_of(entry: Entry, plural: str, now: datetime) -> Pieces:
    """The same, with the cells of a Table."""
    pieces = pieces_of(entry, plural)
    if pieces.cells is None:
        pieces.cells = cells_of(pieces, plural, now)
        entry.keep(plural, pieces)
    return pieces


def encoded(raw: bytes, plural: str, *, version: int | None = None) -> Pieces:
    """The parts of a stored object; with ``version`` as if it had that."""
    if raw.find(b"\n", 0, len(raw) - 1) >= 0:
        raw = dumps(deep.loads(raw))  # written for people, but it may have to fit in a line
    face = SERVED[plural].face
    members = _members.decode(raw)
    # what the translation does not look into is not read either
    stored: dict[str, Any] = {
        name: deep.loads(memoryview(value)) if name in face.translated else value
        for name, value in members.items()
    }
    if version is not None:
        stored["metadata"]["resourceVersion"] = str(version)
    virtual = to_virtual(FACES, face, stored)
    rest: Parts = []
    for name, value in virtual.items():
        if name not in _HEAD:
            rest.append(_key(name))
            rest += _member(members.get(name), stored.get(name), value)
    return Pieces(dumps(virtual.get("metadata") or {}), tuple(rest))


def _member(raw: msgspec.Raw | None, was: Any, now: Any) -> Parts:
    """A member as users see it: in the store's bytes, if it is the same or has only got more."""
    if raw is None:
        return [dumps(now)]
    if now is was:
        return [raw]
    if not (isinstance(was, dict) and isinstance(now, dict) and was):
        return [dumps(now)]
    if not all(name in now and now[name] is value for name, value in was.items()):
        return [dumps(now)]
    more = {name: value for name, value in now.items() if name not in was}
    return [dumps(more)[:-1] + b",", memoryview(raw)[1:]] if more else [raw]


def dumps(value: Any) -> bytes:
    """Encoded to be kept: orjson's own result holds a buffer of 16 KiB, however short it is."""
    return bytes(memoryview(deep.dumps(value)))


@lru_cache(maxsize=64)
def _key(name: str) -> bytes:
    return b"," + dumps(name) + b":"


def cells_of(pieces: Pieces, plural: str, now: datetime) -> tuple[Cell, ...]:
    """The cells of its row, as far as they do not change with time alone."""
    info = SERVED[plural].info
    head = orjson.dumps({"apiVersion": info.resource.api_version, "kind": info.resource.kind})
    virtual = deep.loads(b"".join((head[:-1], b',"metadata":', pieces.metadata, *pieces.rest, b"}")))
    cells: list[Cell] = []
    for column in info.columns:
        if column.clock:
            cells.append((column, dumps(_only(virtual, column.clock))))
            continue
        cell = dumps(column.value(virtual, now))
        if cells and isinstance(cells[-1], bytes):
            cells[-1] += b"," + cell
        else:
            cells.append(cell)
    return tuple(cells)


def row(cells: tuple[Cell, ...], now: datetime) -> bytes:
    """The cells as they are now."""
    return b",".join(
        [
            cell if isinstance(cell, bytes) else orjson.dumps(cell[0].value(orjson.loads(cell[1]), now))
            for cell in cells
        ]
    )


def _only(virtual: Any, paths: tuple[tuple[str, ...], ...]) -> Any:
    """The object with nothing in it but what is under these paths."""
    kept: dict[str, Any] = {}
    for path in paths:
        value: Any = virtual
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            inner = kept
            for step in path[:-1]:
                inner = inner.setdefault(step, {})
            inner[path[-1]] = value
    return kept
