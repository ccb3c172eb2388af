"""One who watches: gets the bytes of events, made once for all, and is cut off when it does not read them.

Writing is put off to the end of the turn, so that a burst of events becomes one write for each watcher.
Nothing here ever waits: a slow reader costs nobody else anything but the memory it is allowed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from apiserver.watchcache import forms
from apiserver.watchcache.entries import Entry, Selection
from apiserver.watchcache.forms import Form
from apiserver.watchcache.mirror import AT_ONCE
from apiserver.watchcache.window import ADDED, DELETED, MODIFIED, Event, Line

log = logging.getLogger(__name__)

BACKLOG_BYTES = 4 << 20
"""What may wait for one watcher: hundreds of events, or the largest single one."""

GATHER_SECONDS = 0.005
"""For how long events are gathered after some were written, at least."""
GATHER_MOST_SECONDS = 0.05
GATHER_FACTOR = 4
"""Who passes events on to many watchers, as kube-apiserver does, takes some times as long as we do."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How each event is wrapped on its way; what is encoded is shared among all who take it so."""

    name: str
    wrap: Callable[[bytes], bytes]


def chunk(data: bytes) -> bytes:
    """The data as a part of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNKS: Final = Framing("chunk", chunk)
LINES: Final = Framing("line", bytes)
"""For what has frames of its own below."""


class Flusher:
    """Writes what has been put aside for watchers, a part of them in each turn of the loop.

    At once when it is quiet; while there is one event after the other, what comes in a few milliseconds goes
    out together: some times as long as writing took the last time, so that with many watchers it takes a part
    of the time and not all of it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Watcher] = deque()
        self._scheduled = False
        self._not_before = 0.0
        self._began = 0.0
        self._joined: dict[tuple[bytes, ...], bytes] = {}
        """What several watchers are told together; of each event there is one object for all of them."""

    def add(self, watcher: Watcher) -> None:
        """Write to this watcher soon."""
        self._waiting.append(watcher)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_at(self._not_before, self._flush)

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        self._began = self._began or loop.time()
        for _ in range(min(AT_ONCE, len(self._waiting))):
            self._waiting.popleft().flush(self._join)
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            loop.call_soon(self._flush)
        else:
            now = loop.time()
            took = GATHER_FACTOR * (now - self._began)
            self._not_before = now + min(max(GATHER_SECONDS, took), GATHER_MOST_SECONDS)
            self._began = 0.0
            self._joined.clear()

    def _join(self, lines: list[bytes]) -> bytes:
        if len(lines) == 1:
            return lines[0]
        key = tuple(lines)
        data = self._joined.get(key)
        if data is None:
            data = self._joined[key] = b"".join(lines)
        return data


class Watcher:
    """A subscriber of a mirror. Until `go_live` it only collects."""

    def __init__(
        self,
        form: Form,
        selection: Selection,
        *,
        after: int,
        bookmarks: bool,
        flusher: Flusher,
        framing: Framing = CHUNKS,
        sent: Callable[[int, int], None] = lambda size, times: None,
    ) -> None:
        self.form = form
        self.after = after
        """Events up to this version are not for this watcher: it has them, or does not want them."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._defined = not form.is_table
        """Whether the columns of the Table have been told; they are in the first event only."""
        # texts, for their hashes are computed once
        self._wrap = framing.wrap
        self._keys = {each: f"{framing.name}/{form}/{each}" for each in (ADDED, MODIFIED, DELETED)}
        self._view = f"{framing.name}/{form}/{selection}"
        self._selection = selection
        self._bookmarks = bookmarks
        self._flusher = flusher
        self._sent = sent
        self._transport: asyncio.WriteTransport | None = None
        self._pending: list[bytes] = []
        self._size = 0

    def offer(self, event: Event) -> None:
        """An event, in this watcher's eyes: it may be another one, or none."""
        if event.version <= self.after or self.ended.done():
            return
        if not self._defined:
            self._offer_first(event)
            return
        line = event.lines.get(self._view) or self._share(event)
        if line.data:
            line.takers += 1
            self._put(line.data)

    def _share(self, event: Event) -> Line:
        """What the event is to all who want to see the same."""
        data = b""
        seen_as = event.seen_by(self._selection.matches)
        if seen_as:
            key = self._keys[seen_as]
            data = event.encoded.get(key, b"")
            if not data:
                data = event.encoded[key] = self._wrap(self._line(event, seen_as))
        line = event.lines[self._view] = Line(data, self._sent)
        return line

    def _offer_first(self, event: Event) -> None:
        """The event that tells the columns as well, which is nobody else's."""
        seen_as = event.seen_by(self._selection.matches)
        if seen_as:
            self._put_own(self._line(event, seen_as))

    def bookmark(self, version: int) -> None:
        """A version up to which this watcher has everything."""
        if self._bookmarks and version >= self.after and not self.ended.done():
            self._put_own(self.mark(version))

    # Lines of the beginning, which the caller writes

    def present(self, entry: Entry) -> bytes:
        """The line for an object that is there already."""
        line = forms.added(self.form, entry, datetime.now(UTC), definitions=self._define())
        self._sent(len(line), 1)
        return line

    def tell(self, event: Event) -> bytes:
        """The line for an event from before, or nothing."""
        seen_as = event.seen_by(self._selection.matches)
        line = self._line(event, seen_as) if seen_as else b""
        if line:
            self._sent(len(line), 1)
        return line

    def mark(self, version: int, *, ends_initial: bool = False) -> bytes:
        """The line of a bookmark."""
        now = datetime.now(UTC)
        return forms.bookmark(self.form, version, now, ends_initial=ends_initial, definitions=self._define())

    def _line(self, event: Event, seen_as: str) -> bytes:
        return forms.event(self.form, event, seen_as, datetime.now(UTC), definitions=self._define())

    def _define(self) -> bool:
        """Whether this is the line that tells the columns."""
        first, self._defined = not self._defined, True
        return first

    def end(self) -> None:
        """Nothing more will come; what is put aside is still written."""
        if not self.ended.done():
            self.ended.set_result(None)

    def go_live(self, transport: asyncio.WriteTransport) -> None:
        """From now on events are written as they come."""
        self._transport = transport
        self.flush()

    def flush(self, join: Callable[[list[bytes]], bytes] = b"".join) -> None:
        """Write what has been put aside, unless the reader has stopped reading."""
        transport = self._transport
        if transport is None or not self._pending or transport.is_closing():
            return
        lines, self._pending, self._size = self._pending, [], 0
        transport.write(join(lines))
        if transport.get_write_buffer_size() > BACKLOG_BYTES:
            self._cut(transport.abort)

    def _put_own(self, line: bytes) -> None:
        data = self._wrap(line)
        self._sent(len(data), 1)
        self._put(data)

    def _put(self, data: bytes) -> None:
        if self._transport is not None and not self._pending:
            self._flusher.add(self)
        self._pending.append(data)
        self._size += len(data)
        if self._size > BACKLOG_BYTES and len(self._pending) > 1:
            self._cut(self._pending.clear if self._transport is None else self._transport.abort)

    def _cut(self, how: Callable[[], None]) -> None:
        log.info("a watcher of %s does not keep up, its stream ends", self.form.plural)
        how()
        self.end()
