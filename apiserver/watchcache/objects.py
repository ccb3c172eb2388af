"""The latest state of single objects: each GET of the store serves all who asked for the object by then.

When many different objects are asked for at once, one proof that all of the namespace is current costs less
than a GET for each of them, and serves everybody.
"""

from __future__ import annotations

import asyncio
import functools

import msgspec

from apiserver.watchcache.entries import Entry, key_of
from apiserver.watchcache.mirror import Mirror
from apiserver.watchcache.proof import Proven, Prover
from apiserver.watchcache.shared import SharedRead
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import TransportError
from missioncontrol.kube.plain import PlainReader
from missioncontrol.kube.transport import Response

READ_SECONDS = 10.0
MANY = 4096
"""Objects that are remembered as asked for."""
PROOF_COSTS = 8
PROOF_COVERS = 50
"""A proof costs about as much as this number of GETs, and one more for each so many objects in it."""


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _Versioned(msgspec.Struct):
    metadata: _Metadata


class ObjectReads:
    """Reads objects of one stored resource so that nobody gets a state older than the own request."""

    def __init__(self, client: Client, reader: PlainReader, mirror: Mirror, prover: Prover) -> None:
        self._client = client
        self._reader = reader
        self._mirror = mirror
        self._prover = prover
        self._waiting: dict[str, int] = {}
        """How many wait for objects of a namespace."""
        self._reads: dict[str, SharedRead[Entry | Response]] = {}
        self._decoder = msgspec.json.Decoder(_Versioned)

    def latest(self, namespace: str, name: str) -> asyncio.Future[Entry | Response]:
        """The object, or what the store says instead. Shared: to be shielded."""
        waiting = self._waiting.get(namespace, 0)
        crowded = waiting > PROOF_COSTS + len(self._mirror.keys(namespace)) // PROOF_COVERS
        found = self._proven(namespace, name) if crowded else self._single(namespace, name)
        self._waiting[namespace] = waiting + 1
        found.add_done_callback(functools.partial(self._served, namespace))
        return found

    def _served(self, namespace: str, _: object) -> None:
        left = self._waiting[namespace] - 1
        if left:
            self._waiting[namespace] = left
        else:
            del self._waiting[namespace]

    def _proven(self, namespace: str, name: str) -> asyncio.Future[Entry | Response]:
        found: asyncio.Future[Entry | Response] = asyncio.get_running_loop().create_future()
        proof = self._prover.current(namespace)
        proof.add_done_callback(functools.partial(self._settle, namespace, name, found))
        return found

    def _settle(
        self,
        namespace: str,
        name: str,
        found: asyncio.Future[Entry | Response],
        proof: asyncio.Future[Proven],
    ) -> None:
        """The object as it is known after the proof: in that state or a later one, but nothing between."""
        mirror = self._mirror
        entry = None
        if not proof.cancelled() and proof.exception() is None and proof.result().holds(mirror):
            entry = mirror.get(namespace, name) if mirror.synced else None
        if entry is not None:
            found.set_result(entry)
            return
        # gone, or not proven: what there is to say is the store's to say
        single = self._single(namespace, name)
        single.add_done_callback(functools.partial(_pass_on, found))

    def _single(self, namespace: str, name: str) -> asyncio.Future[Entry | Response]:
        key = key_of(namespace, name)
        shared = self._reads.get(key)
        if shared is None:
            if len(self._reads) >= MANY:
                self._reads = {place: each for place, each in self._reads.items() if not each.idle}
            shared = self._reads[key] = SharedRead(lambda: self._read(namespace, name))
        return shared.join()

    async def _read(self, namespace: str, name: str) -> Entry | Response:
        mirror = self._mirror
        path = mirror.resource.path(namespace or None, name)
        body = await self._reader.get(path, timeout=READ_SECONDS / 2)
        if body is None:
            response = await self._client.request("GET", path, timeout=READ_SECONDS / 2, retry=False)
            if response.status != 200:
                return response
            body = response.body
        try:
            version = int(self._decoder.decode(body).metadata.resource_version)
            known = mirror.get(namespace, name)
            # a state that is known already is encoded already; a later one is as good
            if known is not None and known.version >= version and mirror.synced:
                return known
            return mirror.reader.read(body)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TransportError("the store's answer cannot be read") from error


def _pass_on(found: asyncio.Future[Entry | Response], single: asyncio.Future[Entry | Response]) -> None:
    if found.done():
        return
    if single.cancelled():
        found.cancel()
    elif (error := single.exception()) is not None:
        found.set_exception(error)
        found.exception()  # whoever waits has it
    else:
        found.set_result(single.result())
