"""One HTTP/2 connection: frames in, requests to their handlers, answers out in turn.

kube-apiserver sends all its requests to us on one or a few of them. So a large answer must not hold up small
ones (streams send in turn, a part at a time), nobody who does not read may hold up others (each stream has a
window of its own), and what many streams send in one turn of the loop is one write.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final, Protocol, cast

from apiserver.http2 import frames, requests
from apiserver.http2.farewell import Farewell
from apiserver.http2.frames import Code, ConnectionFault, StreamFault
from apiserver.http2.lull import Lull
from apiserver.http2.outgoing import Outgoing
from apiserver.http2.requests import HEADERS_BYTES, Handlers, Peer, Requests
from apiserver.http2.stream import BODY_WINDOW, Stream
from missioncontrol.kube.inlet import Inlet

log = logging.getLogger(__name__)

HEAD_SECONDS: Final = 32.0
IDLE_SECONDS: Final = 300.0
AGE_SECONDS: Final = (600.0, 900.0)
"""After which a connection takes no new requests, so that load finds its way to replicas that are new."""


class Manager(Handlers, Protocol):
    """What a connection knows of its server."""

    http2: set[Connection]


class Connection(Inlet):
    """One connection with a client that speaks HTTP/2."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._begun = False
        self._peer = Peer()
        self._out = Outgoing(lambda stream: self._requests.finished(stream))
        self._requests = Requests(manager, self._out, self._peer, self)
        self._farewell = Farewell(self._requests, self._out)
        self._lull = Lull()
        self._unhurried = 0
        """Windows in the last read that nothing waits for, of streams that go on."""
        self._timers: list[asyncio.TimerHandle] = []
        self._patience: asyncio.TimerHandle | None = None

    # The life of a connection --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by birth
        self._out.transport = self._transport
        secured = transport.get_extra_info("ssl_object")
        self._peer.certificate = secured.getpeercert(binary_form=True) if secured is not None else None
        self._peer.peername = transport.get_extra_info("peername")
        self._peer.sockname = transport.get_extra_info("sockname")
        self._peer.ssl_context = transport.get_extra_info("sslcontext")
        self._manager.http2.add(self)
        self._lull.begin(self._transport)
        self._out.put(
            frames.settings(
                {
                    frames.HEADER_TABLE_SIZE: 0,
                    frames.MAX_CONCURRENT_STREAMS: requests.STREAMS,
                    frames.INITIAL_WINDOW_SIZE: BODY_WINDOW,
                    frames.MAX_HEADER_LIST_SIZE: HEADERS_BYTES,
                }
            )
        )
        # the window of each stream limits it; that of all together must not make one wait for another
        self._out.put(frames.window_update(0, requests.STREAMS * BODY_WINDOW - frames.WINDOW))
        self._out.flush()
        self._be_patient(HEAD_SECONDS, self.force_close)
        self._timers.append(self._loop.call_later(random.uniform(*AGE_SECONDS), self.leave))

    def connection_lost(self, error: Exception | None) -> None:
        self._manager.http2.discard(self)
        self._transport = self._out.transport = None
        self._farewell.stop()
        self._lull.stop()
        for timer in self._timers:
            timer.cancel()
        self._patient()
        for stream in list(self._requests.streams.values()):
            self._requests.forget(stream, cancel=True)

    def leave(self) -> None:
        """Ask the client to use another connection for its next requests; what it has begun is finished."""
        if self._transport is not None:
            self._farewell.begin(self.perhaps_over)

    @property
    def told(self) -> bool:
        """Whether the client knows, or will in a moment, that it is to use another one."""
        return self._farewell.told or not self.takes

    @property
    def takes(self) -> bool:
        """Whether it is still asked for anything new."""
        return self._requests.served_to is None

    def force_close(self) -> None:
        """End it, with what is in progress."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._requests.served_to is None:
            self._farewell.say_last(Code.NO_ERROR)
        self._out.release()
        self._out.flush()
        self._transport.close()

    def _fail(self, fault: ConnectionFault) -> None:
        log.debug("a connection ends: %s", fault)
        self._farewell.say_last(fault.code, str(fault))
        self._out.release()
        self._out.flush()
        if self._transport is not None:
            self._transport.close()

    # What its requests tell

    def in_head(self) -> None:
        self._be_patient(HEAD_SECONDS, self.force_close)

    def out_of_head(self) -> None:
        self._patient()
        if not self._requests.streams:
            self.idle()

    def busy(self) -> None:
        self._patient()

    def idle(self) -> None:
        if self._out.is_open:
            self._be_patient(IDLE_SECONDS, self.leave)

    def perhaps_over(self) -> None:
        if self._requests.served_to is not None and not self._requests.streams:
            self._loop.call_soon(self.force_close)

    def _be_patient(self, seconds: float, end: Callable[[], None]) -> None:
        self._patient()
        self._patience = self._loop.call_later(seconds, end)

    def _patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    # Frames in -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._rest:
            data = self._rest + data
        self._unhurried = 0
        try:
            at = self._read(data) if self._begun else self._begin(data)
        except ConnectionFault as fault:
            self._rest = b""
            self._fail(fault)
            return
        self._rest = data[at:]
        self._out.flush()
        if self._unhurried:
            self._lull.heard(self._unhurried)

    def _begin(self, data: bytes) -> int:
        if len(data) < len(frames.PREFACE):
            if not frames.PREFACE.startswith(data):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "no preface")
            return 0
        if not data.startswith(frames.PREFACE):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "no preface")
        self._begun = True
        self._be_patient(IDLE_SECONDS, self.leave)
        return self._read(data, len(frames.PREFACE))

    def _read(self, data: bytes, at: int = 0) -> int:
        """Take whole frames; where the first begins that is not whole."""
        end, unpack, number = len(data), frames.HEAD_FORMAT.unpack_from, frames.NUMBER_FORMAT.unpack_from
        while end - at >= frames.HEAD:
            high, low, kind, flags, stream = unpack(data, at)
            length = high << 8 | low
            if length > frames.LARGEST_FRAME:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame is too large")
            begin = at + frames.HEAD
            if begin + length > end:
                break
            at = begin + length
            stream &= frames.STREAM_MASK
            if self._requests.block is not None and kind != frames.CONTINUATION:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a block of headers is interrupted")
            try:
                if kind == frames.WINDOW_UPDATE:
                    if length != 4:
                        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame of another size")
                    self._on_window_update(stream, number(data, begin)[0] & frames.STREAM_MASK)
                elif kind == frames.HEADERS:
                    self._requests.on_headers(stream, flags, data[begin:at])
                else:
                    self._on_other(kind, stream, flags, data[begin:at])
            except StreamFault as fault:
                log.debug("a stream ends: %s", fault)
                self._requests.reset_number(stream, fault.code)
        return at

    def _on_other(self, kind: int, stream: int, flags: int, payload: bytes) -> None:
        match kind:
            case frames.DATA:
                self._requests.on_data(stream, flags, payload)
            case frames.CONTINUATION:
                self._requests.on_continuation(stream, flags, payload)
            case frames.RST_STREAM:
                _sized(payload, 4)
                self._requests.known(stream)
                if stream in self._requests.streams:
                    self._requests.arrived -= 1
                    self._requests.forget(self._requests.streams[stream], cancel=True)
                    self.perhaps_over()
            case frames.SETTINGS:
                self._on_settings(stream, flags, payload)
            case frames.PING:
                _sized(payload, 8)
                _of_connection(stream)
                if flags & frames.ACK:
                    self._farewell.on_ping(payload)
                else:
                    self._answer_control(frames.head(8, frames.PING, frames.ACK, 0) + payload)
            case frames.GOAWAY:
                _of_connection(stream)
            case frames.PRIORITY:
                if len(payload) != 5:
                    raise StreamFault(Code.FRAME_SIZE_ERROR, "a priority of another size")
            case frames.PUSH_PROMISE:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a client promises")
            case _:
                pass  # to be ignored, says the standard

    def _answer_control(self, frame: bytes) -> None:
        self._out.urgent(frame)
        if self._out.is_unread:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "answers are not read")

    def _on_settings(self, stream: int, flags: int, payload: bytes) -> None:
        _of_connection(stream)
        if flags & frames.ACK:
            _sized(payload, 0)
            self._requests.no_table()
            self._farewell.on_settings()
            return
        if len(payload) % 6:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "settings of another size")
        for name, value in frames.read_settings(payload):
            if name == frames.INITIAL_WINDOW_SIZE:
                if value > frames.LARGEST_WINDOW:
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window is too large")
                change, self._requests.initial = value - self._requests.initial, value
                for each in self._requests.streams.values():
                    if not self._widen(each, change):
                        raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window is too large")
            elif name == frames.ENABLE_PUSH and value > 1:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "neither yes nor no")
            elif name == frames.MAX_FRAME_SIZE and not frames.LARGEST_FRAME <= value < 1 << 24:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a size of frames that is not allowed")
        self._answer_control(frames.head(0, frames.SETTINGS, frames.ACK, 0))

    def _on_window_update(self, number: int, more: int) -> None:
        if not number:
            if not more or not self._out.widen(more):
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window is too large, or does not grow")
            return
        stream = self._requests.streams.get(number)
        if stream is None:
            self._requests.known(number)
            return
        if not more:
            raise StreamFault(Code.PROTOCOL_ERROR, "a window that does not grow")
        if not self._widen(stream, more):
            raise StreamFault(Code.FLOW_CONTROL_ERROR, "a window is too large")

    def _widen(self, stream: Stream, change: int) -> bool:
        stream.window += change
        if stream.pending:
            self._out.queue(stream)
        else:
            self._unhurried += 1
        return stream.window <= frames.LARGEST_WINDOW

    def pause_writing(self) -> None:
        self._out.pause()

    def resume_writing(self) -> None:
        self._out.resume()


def _sized(payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame of another size")


def _of_connection(stream: int) -> None:
    if stream:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame that is not a stream's")
