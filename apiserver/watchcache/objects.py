"""The latest state of single objects: each GET of the store serves all who asked for the object by then."""

from __future__ import annotations

import asyncio

import msgspec

from apiserver.watchcache.entries import Entry, key_of
from apiserver.watchcache.mirror import Mirror
from apiserver.watchcache.shared import SharedRead
from missioncontrol.kube.client import Client
from missioncontrol.kube.errors import TransportError
from missioncontrol.kube.transport import Response

READ_SECONDS = 10.0
_MANY = 4096


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _Versioned(msgspec.Struct):
    metadata: _Metadata


class ObjectReads:
    """Reads objects of one stored resource so that nobody gets a state older than the own request."""

    def __init__(self, client: Client, mirror: Mirror) -> None:
        self._client = client
        self._mirror = mirror
        self._reads: dict[str, SharedRead[Entry | Response]] = {}
        self._decoder = msgspec.json.Decoder(_Versioned)

    def latest(self, namespace: str, name: str) -> asyncio.Future[Entry | Response]:
        """The object, or what the store says instead. Shared: to be shielded."""
        key = key_of(namespace, name)
        shared = self._reads.get(key)
        if shared is None:
            if len(self._reads) >= _MANY:
                self._reads = {place: each for place, each in self._reads.items() if not each.idle}
            shared = self._reads[key] = SharedRead(lambda: self._read(namespace, name))
        return shared.join()

    async def _read(self, namespace: str, name: str) -> Entry | Response:
        mirror = self._mirror
        path = mirror.resource.path(namespace or None, name)
        response = await self._client.request("GET", path, timeout=READ_SECONDS, retry=False)
        if response.status != 200:
            return response
        try:
            version = int(self._decoder.decode(response.body).metadata.resource_version)
            known = mirror.get(namespace, name)
            # a state that is known already is encoded already; a later one is as good
            if known is not None and known.version >= version and mirror.synced:
                return known
            return mirror.reader.read(response.body)
        except (msgspec.MsgspecError, ValueError) as error:
            raise TransportError("the store's answer cannot be read") from error
