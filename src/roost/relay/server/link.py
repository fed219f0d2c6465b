"""One connection at the relay: bytes to calls, answers to bytes, and the limits that keep a bad peer small.

All frames of one turn of the event loop leave in one write (one TLS record where they fit): this decides throughput
more than anything else. A peer that sends faster than it is answered is not read from; one that does not take what it
is sent is left behind (relay.server.delivery) and in the end cut off.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import cast

from roost.errors import WireError
from roost.relay.core.admission import Client
from roost.relay.core.limits import Limits
from roost.relay.core.operations import AppendEntry
from roost.relay.core.subscriptions import Subscription
from roost.relay.server.delivery import Subscriber
from roost.relay.server.express import Express
from roost.relay.server.framing import Buffer, Framing, RawFraming
from roost.relay.server.service import Service
from roost.wire.calls import (
    MalformedCall,
    PlainPut,
    decode_call,
    delivery_head,
    delivery_heads,
    stored_frame,
    stored_reply,
)
from roost.wire.codec import encode
from roost.wire.mailbox import Goodbye, Hello, Put, Refusal, RefusalCode, Reply, Request, Response, SignedInfo
from roost.wire.sizes import ENVELOPE_SIZE

_log = logging.getLogger("roost.relay")

ALPN_RAW = "roost/1"
ALPN_HTTP = "http/1.1"

OPEN_S = 15.0  # from TLS to frames
FIRST_CALL_S = 75.0  # a client without anything to ask sends its first heart-beat after 40
IDLE_S = 150.0  # clients send a heart-beat after 40 s of silence
STUCK_S = 60.0  # a peer that takes nothing for so long is gone
_WRITE_HIGH = 512 * 1024  # bytes; a few pages of entries, enough for a fast line
_READ = 256 * 1024  # bytes at one time: some turns' worth of a busy link
_OUTSTANDING_BYTES = 4 * 1024**2
_MALFORMED = 8
_GET = b"GET "


class Server:
    """What links share. `info` is the relay's statement, `health` the body of GET /health."""

    def __init__(
        self,
        service: Service,
        info: Callable[[], SignedInfo],
        health: Callable[[], bytes],
        clock: Callable[[], float],
        max_links: int,
    ) -> None:
        self.service = service
        self.express = Express(service)
        self.info = info
        self.health = health
        self.clock = clock
        self.max_links = max_links
        self.links: set[Link] = set()
        self.accepted = 0
        self.draining = False
        self.malformed = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._loop = asyncio.get_running_loop()
        self._unsent: list[Link] = []
        self.buffer = memoryview(bytearray(_READ))

    @property
    def limits(self) -> Limits:
        return self.service.desk.limits

    def check(self) -> None:
        """Cut off who is too slow or silent; called every few seconds."""
        now = asyncio.get_running_loop().time()
        for link in tuple(self.links):
            link.check(now)

    def unsent(self, link: Link) -> None:
        """Have it flushed when this turn of the event loop is over."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(link)

    def _flush(self) -> None:
        links, self._unsent = self._unsent, []
        for link in links:
            link.flush()


class Link(asyncio.BufferedProtocol):
    """A `Peer` of the service over a TLS byte stream.

    What comes is decrypted into one buffer that all links share, since nothing of it is there any more when
    `buffer_updated` returns: no memory for each connection, and no copy of what was read.
    """

    __slots__ = (
        "_active_at",
        "_called",
        "_flushing",
        "_framing",
        "_loop",
        "_malformed",
        "_most",
        "_outstanding",
        "_outstanding_bytes",
        "_paused_at",
        "_queue",
        "_queued",
        "_raw",
        "_reading",
        "_server",
        "_service",
        "_transport",
        "client",
        "hashes",
        "stalled",
        "subscriptions",
    )

    def __init__(self, server: Server) -> None:
        self._server = server
        self._service = server.service
        self._loop = asyncio.get_running_loop()
        self.client = Client(server.limits, server.clock())
        self.subscriptions: dict[int, Subscription[Subscriber]] = {}
        self.hashes: dict[bytes, bytes] = {}
        self.stalled = False
        self._framing: Framing | None = None
        self._raw = False
        self._queue: list[bytes] = []
        self._queued = 0
        self._flushing = False
        self._paused_at: float | None = None
        self._reading = True
        self._most = server.limits.outstanding
        self._outstanding = 0
        self._outstanding_bytes = 0
        self._malformed = 0
        self._called = False
        self._active_at = self._loop.time()

    # --- asyncio.BufferedProtocol -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._server.links) >= self._server.max_links or self._server.draining:
            self._transport.abort()
            return
        self._server.links.add(self)
        self._server.accepted += 1
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        agreed = tls is not None and tls.selected_alpn_protocol() == ALPN_RAW
        if agreed or transport.get_extra_info("roost_frames"):  # a link between devices carries nothing else
            self._framing = RawFraming()
            self._raw = True
            self._greet()

    def get_buffer(self, _hint: int) -> memoryview:
        return self._server.buffer

    def buffer_updated(self, size: int) -> None:
        self.data_received(self._server.buffer[:size])

    def data_received(self, data: Buffer) -> None:
        self._server.bytes_in += len(data)
        try:
            if self._framing is None:
                self._framing = self._sniffed(bytes(data))
            ready = self._framing.ready
            frames = self._framing.receive(data)
        except WireError:
            self._hopeless()
            return
        if not self._raw:
            self._write(self._framing.replies())
            if self._framing.ready and not ready:
                self._greet()
        self._work(frames)
        if not self._raw and self._framing.over():
            self.flush()
            self._transport.close()

    def pause_writing(self) -> None:
        self._paused_at = self._loop.time()

    def resume_writing(self) -> None:
        self._paused_at = None
        self.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.links.discard(self)
        self._service.dropped(self)
        self._queue.clear()

    # --- Peer -------------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    @property
    def source(self) -> str:
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def writable(self) -> bool:
        return self._paused_at is None and self._queued < _WRITE_HIGH

    def send(self, frame: bytes) -> None:
        if self._framing is not None:
            self._write(self._framing.wrap(frame))

    def deliver(self, call: int, operations: Sequence[AppendEntry]) -> None:
        """Send a delivery for each of these entries."""
        if not self._raw:
            for operation in operations:
                self.send(delivery_head(call, operation.entry.number) + operation.envelope)
            return
        heads = delivery_heads(call, [operation.entry.number for operation in operations])
        envelopes = [operation.envelope for operation in operations]
        self._queue += chain.from_iterable(zip(heads, envelopes, strict=True))
        self._more(len(operations) * (len(heads[-1]) + ENVELOPE_SIZE))

    def goodbye(self, retry_after_ms: int) -> None:
        """The relay is about to close."""
        if self._framing is not None and self._framing.ready:
            self.send(encode(Goodbye(retry_after_ms)))

    def close(self) -> None:
        """Send what is queued, then close."""
        if self._framing is not None:
            self._write(self._framing.closing())
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    @property
    def outstanding(self) -> int:
        """Requests that are not answered yet."""
        return self._outstanding

    def check(self, now: float) -> None:
        """Cut the peer off when it is too slow or silent."""
        silent = now - self._active_at
        opened = self._framing is not None and self._framing.ready
        patience = (IDLE_S if self._called else FIRST_CALL_S) if opened else OPEN_S
        stuck = self._paused_at is not None and now - self._paused_at > STUCK_S
        if stuck or (silent > patience and not self._outstanding):
            self._transport.abort()

    # --- calls ------------------------------------------------------------------------------------------------------

    def _sniffed(self, data: bytes) -> Framing:
        """Raw frames are agreed in TLS; everything else must be HTTP."""
        if not data.startswith(_GET[: len(data)]):
            raise WireError("not HTTP")
        from roost.relay.server.web_framing import WebFraming  # no client of today's needs it on a direct way

        return WebFraming(self._server.health)

    def _greet(self) -> None:
        self._active_at = self._loop.time()
        self.send(encode(Hello(self._server.info())))

    def _work(self, frames: Sequence[PlainPut | bytes]) -> None:
        """One frame after another; plain puts in a row that show one capability go together."""
        puts: list[PlainPut] = []
        for frame in frames:
            if type(frame) is not tuple:
                self._put(puts)
                puts = []
                self._call(cast(bytes, frame))
            elif puts and frame[1] != puts[0][1]:
                self._put(puts)
                puts = [frame]
            else:
                puts.append(frame)
        self._put(puts)

    def _put(self, puts: list[PlainPut]) -> None:
        """The short way as far as it goes, the ordinary one for the first put that it leaves, and on."""
        try:
            while puts:
                taken = self._server.express.put(self, puts)
                if taken:
                    self._counted(taken, taken * ENVELOPE_SIZE)
                else:
                    taken = 1
                    call, capability, envelope = puts[0]
                    self._handle(call, Put(capability, envelope), ENVELOPE_SIZE)
                puts = puts[taken:]
        except Exception:  # noqa: BLE001 - a fault of ours ends this link, not the relay; what it was about stays unsaid
            _log.exception("internal error in a put")
            self._transport.abort()

    def _call(self, body: bytes) -> None:
        try:
            call = decode_call(body)
        except MalformedCall as error:
            self._not_understood(error)
            return
        try:
            self._handle(call.id, call.request, len(body))
        except Exception:  # noqa: BLE001 - as in `_put`
            _log.exception("internal error in a request")
            self._transport.abort()

    def _handle(self, call: int, request: Request, size: int) -> None:
        self._counted(1, size)
        self._service.handle(self, call, request, partial(self.reply, call, size))

    def _counted(self, requests: int, size: int) -> None:
        """Requests are under way."""
        self._called = True
        self._active_at = self._loop.time()
        self._outstanding += requests
        self._outstanding_bytes += size
        if self._reading and self._overloaded():
            self._reading = False
            self._transport.pause_reading()

    def stored(self, calls: Sequence[int], operations: Sequence[AppendEntry]) -> None:
        """As `reply` with `Stored` to plain puts."""
        self._outstanding -= len(calls)
        self._outstanding_bytes -= len(calls) * ENVELOPE_SIZE
        answers = zip(calls, [operation.entry.number for operation in operations], strict=True)
        if self._raw:
            self._write(b"".join([stored_frame(call, number) for call, number in answers]))
        else:
            for call, number in answers:
                self.send(stored_reply(call, number))
        if not self._reading:
            self._read_on()

    def reply(self, call: int, size: int, response: Response) -> None:
        self._answered(size, encode(Reply(call, response)))

    def _answered(self, size: int, frame: bytes) -> None:
        self._outstanding -= 1
        self._outstanding_bytes -= size
        self.send(frame)
        self._read_on()

    def _read_on(self) -> None:
        if not self._reading and not self._overloaded() and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def _overloaded(self) -> bool:
        return self._outstanding > self._most or self._outstanding_bytes > _OUTSTANDING_BYTES

    def _not_understood(self, error: MalformedCall) -> None:
        """A request from a newer client is refused by its id; what is no call at all ends the link."""
        self._malformed += 1
        self._server.malformed += 1
        if error.call is None or self._malformed > _MALFORMED:
            self._hopeless()
        else:
            self.send(encode(Reply(error.call, Refusal(RefusalCode.BAD_REQUEST))))

    def _hopeless(self) -> None:
        self._server.malformed += 1
        self._transport.abort()

    # --- writing ----------------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if not data:
            return
        self._queue.append(data)
        self._more(len(data))

    def _more(self, size: int) -> None:
        """So many bytes were queued."""
        self._queued += size
        if not self._flushing:
            self._flushing = True
            self._server.unsent(self)

    def flush(self) -> None:
        self._flushing = False
        if self._transport.is_closing():
            self._queue.clear()
            return
        if self._queue:
            data = b"".join(self._queue)
            self._queue.clear()
            self._queued = 0
            self._server.bytes_out += len(data)
            self._transport.write(data)
            if self._called and self._paused_at is None:  # a peer that takes what it is sent is there
                self._active_at = self._loop.time()
        if self.stalled and self._paused_at is None:
            self._service.deliveries.resume(self)
