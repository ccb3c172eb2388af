"""Proof that what this replica knows is what the store has now, for reads that must be the latest.

Neither the age of the copy nor a look at the store's present version can tell: that version counts all of
etcd, while the copy advances with events of its own resource and a bookmark each minute. So the store is
asked for a Table of nothing but names and versions, as of now. The copy is current when it has reached that
Table's version, or holds exactly what it shows. A last event on its way is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import msgspec

from apiserver.watchcache.entries import Entry, key_of
from apiserver.watchcache.mirror import Mirror
from apiserver.watchcache.shared import SharedRead
from missioncontrol.api.names import StoredColumn
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import TransportError
from missioncontrol.kube.plain import PlainReader

log = logging.getLogger(__name__)

READ_SECONDS = 10.0
CATCH_UP_SECONDS = 3.0

_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Unproven(Exception):
    """The copy could not be shown to be current; the store has to be read itself."""


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str


class _Column(msgspec.Struct):
    name: str


class _Row(msgspec.Struct):
    cells: list[Any]


class _Table(msgspec.Struct, rename="camel"):
    metadata: _Version
    column_definitions: list[_Column] = []
    rows: list[_Row] = []


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    resource_version: str
    namespace: str = ""


class _Item(msgspec.Struct):
    metadata: _Metadata


class _MetadataList(msgspec.Struct):
    metadata: _Version
    items: list[_Item] = []


@dataclass(frozen=True, slots=True)
class Shown:
    """What the store has at a version: the version of each object by its place."""

    version: int
    objects: dict[str, int]


def differences(shown: Shown, known: dict[str, int]) -> list[str]:
    """The places where what is known is not what the store shows."""
    different = [key for key, version in shown.objects.items() if known.get(key) != version]
    return different + [key for key in known if key not in shown.objects]


@dataclass(frozen=True, slots=True)
class Proven:
    """The objects of a scope as they were at a version that is no older than the question."""

    version: int
    changes: int
    entries: list[Entry]

    def holds(self, mirror: Mirror) -> bool:
        """Whether the mirror's own state may still be shown under this version, or a later one.

        As long as it has not reached the version, what is yet to come up to there cancels itself out; half
        of it must not be seen.
        """
        return mirror.position >= self.version or mirror.changes == self.changes


class Prover:
    """Proves a mirror current. Proofs that are asked for at the same moment are one."""

    def __init__(self, client: Client, reader: PlainReader, mirror: Mirror) -> None:
        self._client = client
        self._reader = reader
        self._mirror = mirror
        self._reads: dict[str, SharedRead[Proven]] = {}
        self._accept = _TABLE

    def current(self, namespace: str) -> asyncio.Future[Proven]:
        """The objects of a namespace (or all) in a state no older than now. Shared: to be shielded."""
        shared = self._reads.get(namespace)
        if shared is None:
            if len(self._reads) > 1024:
                self._reads = {scope: each for scope, each in self._reads.items() if not each.idle}
            shared = self._reads[namespace] = SharedRead(lambda: self._prove(namespace))
        return shared.join()

    async def _prove(self, namespace: str) -> Proven:
        mirror = self._mirror
        if not (mirror.synced and mirror.connected):
            raise Unproven
        before = mirror.position
        try:
            shown = await self._shown(namespace)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TransportError("the store's answer cannot be read") from error
        if shown.version < before:
            mirror.distrust()
            raise Unproven
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                await self._caught_up(namespace, shown)
        except TimeoutError as error:
            raise Unproven from error
        entries = [mirror.entries[key] for key in mirror.keys(namespace)]
        return Proven(max(shown.version, mirror.position), mirror.changes, entries)

    async def _caught_up(self, namespace: str, shown: Shown) -> None:
        mirror = self._mirror
        entries = mirror.entries
        known = {key: entries[key].version for key in mirror.keys(namespace)}
        if mirror.position >= shown.version:
            return
        wrong = differences(shown, known)
        # What is right stays so up to that version. But something may be made, and be gone again by then:
        # in between there is one object too many.
        while mirror.position < shown.version and (
            wrong or len(mirror.keys(namespace)) != len(shown.objects)
        ):
            await asyncio.shield(mirror.advanced())
            if not mirror.synced or mirror.entries is not entries:
                raise Unproven
            wrong = [key for key in wrong if _version(mirror, key) != shown.objects.get(key)]

    async def _shown(self, namespace: str) -> Shown:
        if self._accept == _METADATA:
            return self._listed(await self._ask(namespace))
        table = msgspec.json.decode(await self._ask(namespace), type=_Table)
        columns = [column.name for column in table.column_definitions]
        try:
            place, version = columns.index(StoredColumn.NAMESPACE), columns.index(StoredColumn.VERSION)
        except ValueError:
            log.warning(
                "the CRD of %s is older than this server: it has no columns for proofs, which cost more now",
                self._mirror.resource.group_resource,
            )
            self._accept = _METADATA
            return self._listed(await self._ask(namespace))
        objects = {
            key_of(row.cells[place] or "", row.cells[0]): int(row.cells[version]) for row in table.rows
        }
        return Shown(int(table.metadata.resource_version), objects)

    def _listed(self, body: bytes) -> Shown:
        listed = msgspec.json.decode(body, type=_MetadataList)
        metadata = [item.metadata for item in listed.items]
        objects = {key_of(each.namespace, each.name): int(each.resource_version) for each in metadata}
        return Shown(int(listed.metadata.resource_version), objects)

    async def _ask(self, namespace: str) -> bytes:
        path = self._mirror.resource.path(namespace or None)
        if self._accept == _TABLE:
            path += "?includeObject=None"
        body = await self._reader.get(path, accept=self._accept, timeout=READ_SECONDS / 2)
        if body is not None:
            return body
        path, _, query = path.partition("?")
        response = await self._client.request(
            "GET",
            path,
            query=query,
            headers={"Accept": self._accept},
            timeout=READ_SECONDS / 2,
            retry=False,
        )
        return response.raise_for_status().body


def _version(mirror: Mirror, key: str) -> int | None:
    entry = mirror.entries.get(key)
    return entry.version if entry is not None else None
