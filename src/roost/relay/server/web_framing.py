"""Framing by HTTP: a request that becomes a WebSocket, or gets a health answer. Imported with the first such request,
since many relays never see one."""

from __future__ import annotations

import logging
from collections.abc import Callable

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from roost.errors import WireError
from roost.relay.server.framing import Buffer
from roost.wire.calls import PlainPut, plain_put
from roost.wire.sizes import MAX_FRAME

_PATH = "/roost"
_HEALTH = "/health"
_DATA = (Opcode.BINARY, Opcode.CONT, Opcode.TEXT)

_quiet = logging.getLogger("roost.relay.websocket")  # at its debug level the library logs every frame
_quiet.setLevel(logging.CRITICAL)
_quiet.propagate = False


class WebFraming:
    """An HTTP request: an upgrade at /roost to a WebSocket whose binary messages are frames, or GET /health."""

    def __init__(self, health: Callable[[], bytes]) -> None:
        self.ready = False
        self._health = health
        self._protocol = ServerProtocol(max_size=MAX_FRAME, logger=_quiet)
        self._parts: list[bytes] = []

    def receive(self, data: Buffer) -> list[PlainPut | bytes]:
        self._protocol.receive_data(bytes(data))
        events = self._protocol.events_received()
        if self._protocol.parser_exc is not None:
            raise WireError("not a WebSocket")
        frames: list[PlainPut | bytes] = []
        for event in events:
            if isinstance(event, Request):
                if len(events) > 1:  # parsed before the upgrade was accepted: a close among them would go unanswered
                    raise WireError("frames before the answer to the upgrade")
                self._answer(event)
            elif isinstance(event, Frame) and (body := self._message(event)):
                frames.append(plain_put(body) or body)
        return frames

    def _answer(self, request: Request) -> None:
        path = request.path.partition("?")[0]
        if path == _PATH:
            self._protocol.send_response(self._protocol.accept(request))
            self.ready = self._protocol.state is State.OPEN
        elif path == _HEALTH:
            self._respond(200, "OK", self._health())
        else:
            self._respond(404, "Not Found", b'{"error":"not found"}')

    def _respond(self, status: int, reason: str, body: bytes) -> None:
        headers = Headers()
        headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(body))
        headers["Cache-Control"] = "no-store"
        headers["Connection"] = "close"
        self._protocol.send_response(Response(status, reason, headers, body))

    def _message(self, event: Frame) -> bytes:
        """The whole message that `event` completes, or nothing."""
        if event.opcode not in _DATA:
            return b""
        if event.opcode is Opcode.TEXT:
            raise WireError("a WebSocket text is no frame")
        if event.data:
            self._parts.append(bytes(event.data))
        if not event.fin:
            return b""
        body = b"".join(self._parts)
        self._parts.clear()
        if not body:
            raise WireError("frame size out of bounds")
        return body

    def replies(self) -> bytes:
        return b"".join(self._protocol.data_to_send())

    def over(self) -> bool:
        return self._protocol.close_expected() and self._protocol.state is not State.OPEN

    def wrap(self, body: bytes) -> bytes:
        if self._protocol.state is not State.OPEN:
            return b""
        self._protocol.send_binary(body)
        return self.replies()

    def closing(self) -> bytes:
        if self._protocol.state is State.OPEN and self._protocol.close_rcvd is None:
            self._protocol.send_close(CloseCode.GOING_AWAY)
        return self.replies()
