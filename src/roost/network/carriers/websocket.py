"""Frames as WebSocket messages, the client's side: for where nothing else comes through. Pure: bytes in, frames and
bytes out. A module of its own, because its library takes as long to import as all the other carriers."""

from __future__ import annotations

import logging

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI

from roost.errors import WireError
from roost.network.tls import WEBSOCKET_PATH
from roost.wire.addresses import RelayAddress
from roost.wire.sizes import MAX_FRAME

_DATA = (Opcode.BINARY, Opcode.CONT, Opcode.TEXT)

# At its debug level the library logs every frame, which nobody may see.
_quiet = logging.getLogger("roost.network.websocket")
_quiet.setLevel(logging.WARNING)


class WebSocketFraming:
    """The client's side of a WebSocket without extensions; each binary message is one frame (RFC 6455)."""

    kind = "websocket"

    def __init__(self, address: RelayAddress) -> None:
        uri = WebSocketURI(secure=True, host=address.host, port=address.port, path=WEBSOCKET_PATH, query="")
        self._protocol = ClientProtocol(uri, max_size=MAX_FRAME, logger=_quiet)
        self._parts: list[bytes] = []

    def opening(self) -> bytes:
        self._protocol.send_request(self._protocol.connect())
        return self.replies()

    def receive(self, data: bytes) -> list[bytes]:
        protocol = self._protocol
        protocol.receive_data(data)
        frames = [body for event in protocol.events_received() if (body := self._message(event))]
        if protocol.handshake_exc is not None or protocol.parser_exc is not None:
            raise WireError("not a WebSocket")
        return frames

    def _message(self, event: object) -> bytes:
        """The whole message that `event` completes, or nothing."""
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            return b""
        if event.opcode is Opcode.TEXT:
            raise WireError("a WebSocket text is no frame")
        if event.data:
            self._parts.append(bytes(event.data))
        if not event.fin:
            return b""
        if not self._parts:
            raise WireError("frame size out of bounds")
        body = b"".join(self._parts)
        self._parts.clear()
        return body

    def replies(self) -> bytes:
        return b"".join(self._protocol.data_to_send())

    def wrap(self, body: bytes) -> bytes:
        if self._protocol.state is not State.OPEN:  # the relay has closed it; the stream's end follows
            return b""
        self._protocol.send_binary(body)
        return self.replies()

    def closing(self) -> bytes:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
        return self.replies()
