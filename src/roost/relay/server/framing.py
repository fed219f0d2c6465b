"""How a link's bytes are framed, the server's side: raw frames, or HTTP that becomes a WebSocket or a health answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from roost.errors import WireError
from roost.wire.calls import PlainPut, plain_put
from roost.wire.frames import frame
from roost.wire.sizes import MAX_FRAME

_PATH = "/roost"
_HEALTH = "/health"
_LENGTH = 4
_DATA = (Opcode.BINARY, Opcode.CONT, Opcode.TEXT)

_quiet = logging.getLogger("roost.relay.websocket")  # at its debug level the library logs every frame
_quiet.setLevel(logging.CRITICAL)
_quiet.propagate = False


Buffer = bytes | memoryview


class Framing(Protocol):
    """Bytes in, frames out, and the other way round."""

    ready: bool
    """Frames may be sent."""

    def receive(self, data: Buffer) -> list[PlainPut | bytes]:
        """The frames that `data` completes, plain puts (wire.calls) taken apart already; none of them refers to `data`.

        Raises WireError when the stream cannot be used any further.
        """
        ...

    def replies(self) -> bytes:
        """What the framing itself has to write after `receive`."""
        ...

    def over(self) -> bool:
        """Whether the connection is to be closed once everything is written."""
        ...

    def wrap(self, body: bytes) -> bytes: ...

    def closing(self) -> bytes: ...


class RawFraming:
    """A 4-byte length before each frame (wire.frames)."""

    ready = True

    def __init__(self) -> None:
        self._begun = bytearray()  # a frame that is not complete

    def receive(self, data: Buffer) -> list[PlainPut | bytes]:
        found: list[PlainPut | bytes] = []
        start, end = self._complete(data, found) if self._begun else 0, len(data)
        while end - start >= _LENGTH:
            at = start + _LENGTH
            size = int.from_bytes(data[start:at])
            stop = at + size
            if stop > end:
                _check(size)
                break
            found.append(plain_put(data, at, size) or _checked(data[at:stop]))
            start = stop
        if start < end:
            self._begun += data[start:]
        return found

    def _complete(self, data: Buffer, found: list[PlainPut | bytes]) -> int:
        """Put to the frame that began earlier what it lacks, and no more; where in `data` the next one begins."""
        begun = self._begun
        used = max(0, _LENGTH - len(begun))
        begun += data[:used]
        if len(begun) < _LENGTH:
            return len(data)
        size = int.from_bytes(begun[:_LENGTH])
        _check(size)
        stop = used + _LENGTH + size - len(begun)
        begun += data[used:stop]
        if len(begun) < _LENGTH + size:
            return len(data)
        found.append(plain_put(begun, _LENGTH, size) or bytes(begun[_LENGTH:]))
        self._begun = bytearray()
        return stop

    def replies(self) -> bytes:
        return b""

    def over(self) -> bool:
        return False

    def wrap(self, body: bytes) -> bytes:
        return frame(body)

    def closing(self) -> bytes:
        return b""


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


def _check(size: int) -> None:
    if not 0 < size <= MAX_FRAME:
        raise WireError("frame size out of bounds")


def _checked(body: Buffer) -> bytes:
    _check(len(body))
    return bytes(body)
