"""Stored objects as the cache keeps them: their bytes, and the little of them that selecting needs.

Parsed trees would take ten times the memory; what users see is made from the bytes when somebody asks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from apiserver.selectors import FieldTerm, LabelTerm


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    resource_version: str
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Document(msgspec.Struct):
    metadata: _Metadata
    spec: dict[str, msgspec.Raw] | None = None
    status: dict[str, msgspec.Raw] | None = None


class Entry:
    """One state of one stored object; never changed, but for what is encoded of it on the way."""

    __slots__ = ("budget", "fields", "key", "labels", "name", "namespace", "pieces", "raw", "version")

    def __init__(
        self,
        *,
        namespace: str,
        name: str,
        version: int,
        labels: dict[str, str],
        fields: tuple[str, ...],
        raw: bytes,
        budget: Budget,
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.key = key_of(namespace, name)
        self.version = version
        self.labels = labels
        self.fields = fields
        self.raw = raw
        self.budget = budget
        self.pieces: dict[str, Encoded] | None = None
        """What has been encoded of it, by the plural of the virtual kind."""

    def keep(self, plural: str, encoded: Encoded) -> None:
        """Remember what has been encoded, or that it has grown, as long as there is memory for it."""
        pieces = {**(self.pieces or {}), plural: encoded}
        self.budget.hold(self, sum(each.size for each in pieces.values()))
        self.pieces = pieces


class Encoded(Protocol):
    """What an entry keeps."""

    @property
    def size(self) -> int:
        """Bytes of memory."""


class Budget:
    """A limit on what is kept encoded. When it is reached all is dropped, to be made again when asked for."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._holders: dict[Entry, int] = {}
        self._size = 0

    def hold(self, entry: Entry, size: int) -> None:
        """An entry is about to hold so many bytes."""
        self._size -= self._holders.pop(entry, 0)
        if self._size + size > self._limit:
            for each in self._holders:
                each.pieces = None
            self._holders.clear()
            self._size = 0
        self._holders[entry] = size
        self._size += size

    def release(self, entry: Entry) -> None:
        """An entry is not the present state any more."""
        entry.pieces = None
        self._size -= self._holders.pop(entry, 0)


def key_of(namespace: str, name: str) -> str:
    """The place of an object among all others: by this text the store sorts lists."""
    return f"{namespace}/{name}"


_NO_LABELS: dict[str, str] = {}


class EntryReader:
    """Reads stored objects; `fields` are the paths (`spec.clusterName`) that selectors may name."""

    def __init__(self, fields: Sequence[str], budget: Budget) -> None:
        self._budget = budget
        self.fields = tuple(fields)
        self._paths = [tuple(path.split(".")) for path in fields]
        self._decoder = msgspec.json.Decoder(_Document)

    def read(self, raw: bytes) -> Entry:
        """The entry of an object; msgspec.MsgspecError for what is none."""
        document = self._decoder.decode(raw)
        metadata = document.metadata
        labels = metadata.labels
        return Entry(
            namespace=sys.intern(metadata.namespace),
            name=metadata.name,
            version=int(metadata.resource_version),
            labels={sys.intern(key): sys.intern(value) for key, value in labels.items()}
            if labels
            else _NO_LABELS,
            fields=tuple(sys.intern(_text(document, path)) for path in self._paths),
            raw=raw,
            budget=self._budget,
        )


def _text(document: _Document, path: tuple[str, ...]) -> str:
    """A member as field selectors compare it: nothing where there is none."""
    members: Any = document.spec if path[0] == "spec" else document.status
    value: Any = None
    for step in path[1:]:
        value = members.get(step) if isinstance(members, dict) else None
        if value is None:
            return ""
        members = value = msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stored objects a request is about."""

    namespace: str = ""
    names: tuple[tuple[str, bool], ...] = ()
    """Terms on metadata.name: the value, and whether it must be equal or unequal."""
    namespaces: tuple[tuple[str, bool], ...] = ()
    fields: tuple[tuple[int, str, bool], ...] = ()
    """Terms on the reader's fields, by position."""
    labels: tuple[LabelTerm, ...] = ()

    @property
    def narrows(self) -> bool:
        """Whether it says more than the namespace."""
        return bool(self.names or self.namespaces or self.fields or self.labels)

    def matches(self, entry: Entry) -> bool:
        """Whether an object is selected."""
        if self.namespace and entry.namespace != self.namespace:
            return False
        for position, value, equal in self.fields:
            if (entry.fields[position] == value) != equal:
                return False
        for name, equal in self.names:
            if (entry.name == name) != equal:
                return False
        for namespace, equal in self.namespaces:
            if (entry.namespace == namespace) != equal:
                return False
        return all(term.matches(entry.labels) for term in self.labels)


def selection(
    reader: EntryReader, namespace: str, fields: Iterable[FieldTerm], labels: Iterable[LabelTerm]
) -> Selection | None:
    """The selection of these terms (fields as the store names them), or None for a field that is not kept."""
    names, namespaces, kept = [], [], []
    for term in fields:
        if term.field == "metadata.name":
            names.append((term.value, term.equal))
        elif term.field == "metadata.namespace":
            namespaces.append((term.value, term.equal))
        elif term.field in reader.fields:
            kept.append((reader.fields.index(term.field), term.value, term.equal))
        else:
            return None
    return Selection(namespace, tuple(names), tuple(namespaces), tuple(kept), tuple(labels))
