"""Bodies of lists: joined from what is encoded already, compressed once, the last ones kept.

A body is known by the state that it shows, so it never has to be declared invalid; a Table also by the
second, for its ages.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime

from apiserver.watchcache import forms
from apiserver.watchcache.entries import Entry
from apiserver.watchcache.forms import Form, Parts
from apiserver.watchcache.mirror import in_batches

GZIP_FROM = 128 * 1024
KEPT_BYTES = 24 << 20


class Bodies:
    """Makes bodies of lists."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size = 0

    def kept(self, key: Hashable) -> bytes | None:
        """A body that has been made before."""
        body = self._kept.get(key)
        if body is not None:
            self._kept.move_to_end(key)
        return body

    async def make(
        self, key: Hashable, form: Form, entries: list[Entry], version: int, now: datetime, *, gzip: bool
    ) -> bytes:
        """The body; a large one is compressed, when the client takes that."""
        items: list[Parts] = []
        for batch in in_batches(entries):
            fresh = any(entry.pieces is None or form.plural not in entry.pieces for entry in batch)
            items += [forms.item(form, entry, now) for entry in batch]
            if fresh:
                await asyncio.sleep(0)  # encoding takes its time, joining does not
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
    """Whether a body is what `make` has compressed: JSON never begins like this."""
    return body[:2] == b"\x1f\x8b"


def _compressed(body: bytes) -> bytes:
    compressor = zlib.compressobj(level=1, wbits=31)
    return compressor.compress(body) + compressor.flush()
