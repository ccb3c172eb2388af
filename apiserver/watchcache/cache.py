"""All mirrors together, with what proves them, and the end of all streams when the server goes."""

from __future__ import annotations

import asyncio
import math
import random

from apiserver.kinds import SERVED
from apiserver.watchcache.bodies import Bodies
from apiserver.watchcache.entries import Budget, EntryReader
from apiserver.watchcache.mirror import Mirror, Subscriber
from apiserver.watchcache.objects import ObjectReads
from apiserver.watchcache.proof import Prover
from apiserver.watchcache.watcher import Flusher
from missioncontrol.api.resources import Resource
from missioncontrol.kube.client import Client
from missioncontrol.kube.plain import PlainReader

DRAIN_SECONDS = 2.0
_STEPS = 20
ENCODED_BYTES = 48 << 20
"""What is kept encoded of all objects together."""


class WatchCache:
    """The mirror and the prover of each stored resource."""

    def __init__(self, client: Client) -> None:
        self.flusher = Flusher()
        self.bodies = Bodies()
        self._mirrors: dict[Resource, Mirror] = {}
        self._provers: dict[Resource, Prover] = {}
        self._objects: dict[Resource, ObjectReads] = {}
        reader = PlainReader(client)
        budget = Budget(ENCODED_BYTES)
        for stored, fields in selectable_fields().items():
            mirror = self._mirrors[stored] = Mirror(client, stored, EntryReader(fields, budget))
            prover = self._provers[stored] = Prover(client, reader, mirror)
            self._objects[stored] = ObjectReads(client, reader, mirror, prover)

    def mirror(self, stored: Resource) -> Mirror | None:
        """The copy of a stored resource, when there is one."""
        mirror = self._mirrors[stored]
        return mirror if mirror.synced else None

    def prover(self, stored: Resource) -> Prover:
        """What proves that copy current."""
        return self._provers[stored]

    def objects(self, stored: Resource) -> ObjectReads:
        """What reads single objects."""
        return self._objects[stored]

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as group:
            for mirror in self._mirrors.values():
                group.create_task(mirror.run())

    async def drain(self) -> None:
        """End every stream, not all in the same moment: their clients come back, to other replicas."""
        for left in range(_STEPS, 0, -1):
            open_ = self._subscribers()
            for subscriber in random.sample(open_, math.ceil(len(open_) / left)):
                subscriber.end()
            if not self._subscribers():
                return
            await asyncio.sleep(DRAIN_SECONDS / _STEPS)

    def _subscribers(self) -> list[Subscriber]:
        return [each for mirror in self._mirrors.values() for each in mirror.subscribers]


def selectable_fields() -> dict[Resource, tuple[str, ...]]:
    """The fields that selectors may name, of each stored resource and as it names them."""
    fields: dict[Resource, set[str]] = {}
    for served in SERVED.values():
        paths = {served.face.stored_field_path(path) for path in served.info.field_selectors}
        paths |= {term.field for term in served.selection}
        fields.setdefault(served.info.stored, set()).update(paths)
    return {stored: tuple(sorted(paths)) for stored, paths in fields.items()}
