"""The default carrier: one TLS 1.3 connection, with raw frames or, where those were not agreed, as a WebSocket.

A thin asyncio shell: it moves bytes between a socket and a `Framing`. All frames of one turn of the event loop leave in
one write, which is one TLS record where they fit: this decides throughput more than anything else.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from roost.errors import Unreachable, WireError
from roost.network.carriers.base import Receiver
from roost.network.carriers.framing import Framing, RawFraming
from roost.network.errors import TRY_AGAIN, NotARelay
from roost.network.hosts import reach
from roost.network.identity import ShownCertificate
from roost.network.tls import ALPN_ROOST, client_context
from roost.wire.addresses import RelayAddress

TLS_S = 5.0  # the TLS handshake
CLOSE_S = 1.0  # a polite end


async def open_stream(address: RelayAddress, *, resolved_ip: str | None = None, raw: bool = True) -> StreamConnection:
    """Connect to a relay and do the TLS handshake; who answered is not yet checked (`identity.prove`).

    With `resolved_ip` the host's name is not looked up. With `raw` raw frames are offered, and a refusal of that offer
    itself (a middlebox that cuts the handshake) is met with a second attempt as an ordinary WebSocket.

    Raises:
        Unreachable: the name is unknown, nothing answers, or the handshake was cut off.
        NotARelay: what answers does not speak TLS 1.3.
    """
    if not raw:
        return await _open(address, resolved_ip, raw=False)
    try:
        return await _open(address, resolved_ip, raw=True)
    except (_HandshakeCut, NotARelay) as first:
        try:
            return await _open(address, resolved_ip, raw=False)
        except Unreachable:
            raise first from None  # it says more about what is wrong


class _HandshakeCut(Unreachable):
    """TCP works, but the TLS handshake got no end."""


async def _open(address: RelayAddress, resolved_ip: str | None, *, raw: bool) -> StreamConnection:
    connected = await reach(resolved_ip or address.host, address.port)
    try:
        _, protocol = await asyncio.get_running_loop().create_connection(  # from here on the loop owns the socket
            lambda: StreamConnection(address),
            sock=connected,
            ssl=client_context(raw=raw),
            server_hostname=address.host,
            ssl_handshake_timeout=TLS_S,
            ssl_shutdown_timeout=CLOSE_S,
        )
    except ssl.SSLError as error:
        raise NotARelay("What answers at the relay's address does not speak TLS 1.3 as a relay does.") from error
    except (OSError, TimeoutError) as error:
        raise _HandshakeCut("The secure connection to the relay was cut off at its start.", hint=TRY_AGAIN) from error
    return protocol


class StreamConnection(asyncio.Protocol):
    """A `Connection` over a TLS byte stream."""

    def __init__(self, address: RelayAddress) -> None:
        self._address = address
        self._framing: Framing = RawFraming()
        self._receiver: Receiver | None = None
        self._early: list[bytes] = []  # frames from before `attach`
        self._queue: list[bytes] = []
        self._flushing = False
        self._writable = True
        self._malformed = False
        self._gone = asyncio.get_running_loop().create_future()

    # --- Connection -------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> ShownCertificate:
        return self._shown

    @property
    def kind(self) -> str:
        return self._framing.kind

    def attach(self, receiver: Receiver) -> None:
        self._receiver = receiver
        early, self._early = self._early, []
        for frame in early:
            receiver.received(frame)
        if self._gone.done():
            receiver.lost(self._malformed)

    def send(self, frame: bytes) -> None:
        self._write(self._framing.wrap(frame))

    async def close(self) -> None:
        if not self._gone.done():
            self._write(self._framing.closing())
            self._writable = True
            self._flush()
            self._transport.close()
            await asyncio.wait([self._gone], timeout=CLOSE_S)
            self._transport.abort()
            await asyncio.wait([self._gone], timeout=CLOSE_S)

    def abort(self) -> None:
        self._transport.abort()

    # --- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        self._shown = ShownCertificate(tls.getpeercert(binary_form=True) or b"")
        if tls.selected_alpn_protocol() != ALPN_ROOST:
            from roost.network.carriers.websocket import WebSocketFraming

            self._framing = WebSocketFraming(self._address)
        self._write(self._framing.opening())

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._framing.receive(data)
        except WireError:
            self._malformed = True
            self._transport.abort()
            return
        self._write(self._framing.replies())
        for frame in frames:
            if self._receiver is None:
                self._early.append(frame)
            else:
                self._receiver.received(frame)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        if self._receiver is not None:
            self._receiver.lost(self._malformed)

    # --- writing ----------------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if not data:
            return
        self._queue.append(data)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._writable and self._queue and not self._transport.is_closing():
            data = b"".join(self._queue)
            self._queue.clear()
            self._transport.write(data)
