"""A secure link between two devices: one stream of a carrier that carries the mailbox protocol in both directions.

Each end may be client and host at once. What is sealed into the link's records begins with a byte that names a channel:
the calls of the one who dialled, those of the other, and what the two devices say about the link itself. On a channel
for calls the ordinary link protocol runs (docs/protocol/links.md): `network.Link` at the client's end, the host's own
protocol at the other. docs/protocol/direct.md, "Channels".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import Final

from roost.crypto.peer_link import Established, PeerLinkInitiator, PeerLinkResponder
from roost.errors import CryptoError, Unreachable, WireError
from roost.network.carriers.base import Receiver
from roost.network.carriers.framing import RawFraming
from roost.network.direct.carrier import CarrierName, Stream
from roost.network.direct.host_end import HostEnd, HostProtocol
from roost.network.errors import link_lost
from roost.network.identity import ShownCertificate
from roost.wire.frames import FrameReader, frame

_CHUNK: Final = 16_000  # bytes of a channel in one record
_TURN: Final = 256 * 1024  # bytes that are sealed at a time
_HIGH: Final = 512 * 1024  # bytes that wait to be sent: beyond this a host stops producing, ...
_LOW: Final = 128 * 1024  # ... and goes on below this
_MOST: Final = 32 * 1024**2  # ... and beyond this the link ends: the other end asks, and takes no answers
CLOSE_S: Final = 2.0


class Channel(IntEnum):
    """What a record belongs to."""

    ABOUT = 0  # what the devices say about the link and carry for others: frames of wire.peers and wire.parcels
    DIALLER = 1  # calls of the end that dialled, and the answers to them
    ANSWERER = 2  # calls of the end that was dialled


async def handshake(stream: Stream, side: PeerLinkInitiator | PeerLinkResponder) -> Established:
    """Make a secure link over a fresh stream.

    Raises:
        Unreachable: the other end has gone. CryptoError: it is not who it should be.
    """
    if isinstance(side, PeerLinkInitiator):
        await stream.write(side.start())
    while side.established is None:
        data = await stream.read()
        if not data:
            raise link_lost()
        answer = side.receive(data)
        if answer:
            await stream.write(answer)
    return side.established


class PeerLink:
    """A link that stands, at either end; `run` it. `on_message` gets what the other end says on channel ABOUT."""

    def __init__(
        self,
        stream: Stream,
        established: Established,
        rest: bytes,
        carrier: CarrierName,
        *,
        dialled: bool,
        host: HostProtocol | None,
        on_message: Callable[[PeerLink, bytes], None],
    ) -> None:
        self.carrier = carrier
        self.dialled = dialled
        self.key = established.peer.raw
        self.meeting = established.meeting
        self.over = False
        self._stream = stream
        self._records = established.records
        self._rest = rest
        self._host = host
        self._on_message = on_message
        self._about = FrameReader()
        self._mine = Channel.DIALLER if dialled else Channel.ANSWERER
        self._theirs = Channel.ANSWERER if dialled else Channel.DIALLER
        self.calls = CallsConnection(self)
        self._answers: HostEnd | None = None
        self._queue: deque[tuple[Channel, bytes]] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._closing = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the link is over, for whatever reason; never raises for what the other end does."""
        writing = asyncio.create_task(self._write_all(), name="roost peer link")
        reading = asyncio.create_task(self._read_all())
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.over = True
            for task in (writing, reading):
                task.cancel()
            results = await asyncio.gather(writing, reading, return_exceptions=True)
            self._stream.abort()
            self._lost()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def close(self) -> None:
        """Send what is queued, and end the link."""
        self.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.shield(self._ended)
        self.abort()

    def finish(self) -> None:
        """Take nothing more; the link ends when what is queued was sent."""
        self._closing = True
        self._wake.set()

    def abort(self) -> None:
        self.over = True
        self._stream.abort()

    @property
    def closing(self) -> bool:
        return self.over or self._closing

    async def ended(self) -> None:
        await asyncio.shield(self._ended)

    def _lost(self) -> None:
        self.calls.lost()
        if self._answers is not None:
            self._answers.lost()
        if not self._ended.done():
            self._ended.set_result(None)

    # --- sending ------------------------------------------------------------------------------------------------------

    def say(self, message: bytes) -> None:
        """A message about the link, to the other end's `on_message`."""
        self.write(Channel.ABOUT, frame(message))

    def write(self, channel: Channel, data: bytes) -> None:
        """Queue bytes of a channel; what is queued in one turn of the event loop leaves together."""
        if self.closing:
            return
        self._queue.append((channel, data))
        self._queued += len(data)
        self._wake.set()
        if self._queued > _MOST:
            self.abort()
        elif self._queued > _HIGH and self._answers is not None:
            self._answers.pause()

    async def _write_all(self) -> None:
        with suppress(Unreachable):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._stream.write(self._sealed())
                    if self._queued < _LOW and self._answers is not None:
                        self._answers.resume()
                if self._closing:
                    await self._stream.close()
                    return

    def _sealed(self) -> bytes:
        """Some of what is queued, as records."""
        sealed: list[bytes] = []
        size = 0
        while self._queue and size < _TURN:
            channel, data = self._queue.popleft()
            parts = [data]
            while self._queue and self._queue[0][0] == channel and size + sum(map(len, parts)) < _TURN:
                parts.append(self._queue.popleft()[1])
            whole = b"".join(parts)
            self._queued -= len(whole)
            size += len(whole)
            head = bytes((channel,))
            chunks = (whole[start : start + _CHUNK] for start in range(0, max(len(whole), 1), _CHUNK))
            sealed.extend(self._records.seal(head + chunk) for chunk in chunks)
        return b"".join(sealed)

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _read_all(self) -> None:
        data = self._rest
        with suppress(CryptoError, WireError):
            while True:
                for record in self._records.open(data):
                    self._received(record)
                await self._reading.wait()
                data = await self._stream.read()
                if not data:
                    return

    def _received(self, record: bytes) -> None:
        """Raises WireError when the other end does not keep to the protocol."""
        if not record:
            return
        channel, data = record[0], record[1:]
        if channel == self._mine:
            self.calls.arrived(data)
        elif channel == self._theirs:
            self._asked(data)
        elif channel == Channel.ABOUT:
            for message in self._about.feed(data):
                self._on_message(self, message)
        # channels of later versions are passed over

    def _asked(self, data: bytes) -> None:
        """The other end calls; its first record opens the channel."""
        if self._answers is None:
            if self._host is None:
                raise WireError("nobody is asked here")
            self._answers = HostEnd(self._host(), _Way(self, self._theirs))
        self._answers.arrived(data)

    def reading(self, go_on: bool) -> None:
        """Whether more is read from the stream: the host's end may be overloaded."""
        if go_on:
            self._reading.set()
        else:
            self._reading.clear()


class CallsConnection:
    """This end's calls as a `Connection` for `network.Link`."""

    shown = ShownCertificate(b"")

    def __init__(self, link: PeerLink) -> None:
        self._link = link
        self._framing = RawFraming()
        self._receiver: Receiver | None = None
        self._over = False

    @property
    def kind(self) -> str:
        return self._link.carrier.value

    def attach(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._link.write(self._link._mine, b"")  # opens the channel: the host speaks first
        if self._over:
            receiver.lost(False)

    def send(self, body: bytes) -> None:
        self._link.write(self._link._mine, self._framing.wrap(body))

    async def close(self) -> None:
        await self._link.close()

    def abort(self) -> None:
        self._link.abort()

    def arrived(self, data: bytes) -> None:
        """Raises WireError for answers where nothing was asked."""
        if self._receiver is None:
            raise WireError("nothing was asked")
        for body in self._framing.receive(data):
            self._receiver.received(body)

    def lost(self) -> None:
        if not self._over:
            self._over = True
            if self._receiver is not None:
                self._receiver.lost(False)


class _Way:
    """What the host's end of one link writes to. Its end is the link's."""

    def __init__(self, link: PeerLink, channel: Channel) -> None:
        self._link = link
        self._channel = channel

    @property
    def closing(self) -> bool:
        return self._link.closing

    def write(self, data: bytes) -> None:
        self._link.write(self._channel, data)

    def close(self) -> None:
        self._link.finish()

    def abort(self) -> None:
        self._link.abort()

    def reading(self, go_on: bool) -> None:
        self._link.reading(go_on)
