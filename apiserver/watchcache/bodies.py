"""Bodies of lists: joined from what is encoded already, compressed once, the last ones kept.

A body is known by the state that it shows, so it never has to be declared invalid; a Table also by the
second, for its ages. However many ask for one at the same moment, it is made and held once.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime

from apiserver.watchcache import forms
from apiserver.watchcache.entries import Entry
from apiserver.watchcache.forms import Form
from apiserver.watchcache.mirror import TURN_SECONDS, in_batches
from apiserver.watchcache.pieces import Parts

GZIP_FROM = 128 * 1024
KEPT_BYTES = 24 << 20


class Bodies:
    """Makes bodies of lists."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[bytes]] = {}
        self._size = 0

    async def find(
        self, key: Hashable, form: Form, entries: list[Entry], version: int, now: datetime, *, gzip: bool
    ) -> bytes:
        """The body, as it was made before or is just being made for somebody else; a large one is
        compressed, when the client takes that.
        """
        body = self._kept.get(key)
        if body is not None:
            self._kept.move_to_end(key)
            return body
        making = self._making.get(key)
        if making is None:
            making = asyncio.create_task(self._make(key, form, entries, version, now, gzip=gzip))
            self._making[key] = making
            making.add_done_callback(lambda _: self._making.pop(key))
        return await asyncio.shield(making)

    async def _make(
        self, key: Hashable, form: Form, entries: list[Entry], version: int, now: datetime, *, gzip: bool
    ) -> bytes:
        items: list[Parts] = []
        turn_ends = time.monotonic() + TURN_SECONDS
        for batch in in_batches(entries):
            items += [forms.item(form, entry, now) for entry in batch]
            if time.monotonic() > turn_ends:
                await asyncio.sleep(0)  # encoding takes its time, joining does not
                turn_ends = time.monotonic() + TURN_SECONDS
        body = b"".join(forms.collection(form, items, version))
        if gzip and len(body) >= GZIP_FROM:
            body = await asyncio.to_thread(_compressed, body)
        self._keep(key, body)
        return body

    def _keep(self, key: Hashable, body: bytes) -> None:
        old = self._kept.pop(key, None)
        self._size += len(body) - (len(old) if old is not None else 0)
        self._kept[key] = body
        while self._size > KEPT_BYTES:
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone)


def is_compressed(body: bytes) -> bool:
    """Whether a body is what `find` has compressed: JSON never begins like this."""
    return body[:2] == b"\x1f\x8b"


def _compressed(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=1, wbits=31)
    return compressor.compress(body) + compressor.flush()
