"""Frames in byte streams, raw and as a WebSocket: split anywhere, and hostile."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from roost.errors import WireError
from roost.network.carriers.framing import RawFraming
from roost.network.carriers.websocket import WebSocketFraming
from roost.wire.addresses import RelayAddress
from roost.wire.frames import frame
from roost.wire.sizes import MAX_FRAME

ADDRESS = RelayAddress("relay.example", 443, bytes(32))
BODIES = st.lists(st.binary(min_size=1, max_size=300), max_size=6)


def upgraded() -> tuple[WebSocketFraming, ServerProtocol]:
    client, server = WebSocketFraming(ADDRESS), ServerProtocol()
    server.receive_data(client.opening())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    assert request.path == "/roost"
    assert "User-Agent" not in request.headers
    server.send_response(server.accept(request))
    assert client.receive(b"".join(server.data_to_send())) == []
    return client, server


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(BODIES, st.lists(st.integers(0, 3_000), max_size=8))
def test_raw_frames_split_anywhere(bodies: list[bytes], cuts: list[int]) -> None:
    framing = RawFraming()
    data = b"".join(framing.wrap(body) for body in bodies)
    assert [body for piece in pieces(data, cuts) for body in framing.receive(piece)] == bodies


@given(BODIES, st.lists(st.integers(0, 3_000), max_size=8))
def test_websocket_messages_split_anywhere(bodies: list[bytes], cuts: list[int]) -> None:
    client, server = upgraded()
    for body in bodies:
        server.send_binary(body)
    data = b"".join(server.data_to_send())
    assert [body for piece in pieces(data, cuts) if piece for body in client.receive(piece)] == bodies
    server.receive_data(b"".join(client.wrap(body) for body in bodies) or b"")
    assert [bytes(event.data) for event in server.events_received() if isinstance(event, Frame)] == bodies


@given(st.binary(min_size=1, max_size=300))
def test_garbage_raises_nothing_but_wire_errors(garbage: bytes) -> None:
    for framing in (RawFraming(), WebSocketFraming(ADDRESS), upgraded()[0]):
        framing.opening()
        try:
            framing.receive(garbage)
            framing.receive(garbage)
        except WireError:
            pass
        assert isinstance(framing.replies(), bytes)


def test_an_http_answer_that_is_no_upgrade() -> None:
    framing = WebSocketFraming(ADDRESS)
    framing.opening()
    with pytest.raises(WireError):
        framing.receive(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    "message",
    [
        Frame(Opcode.TEXT, b"hello"),
        Frame(Opcode.BINARY, b""),
        Frame(Opcode.BINARY, bytes(MAX_FRAME + 1)),
        Frame(Opcode.CONT, b"x"),
    ],
)
def test_websocket_messages_that_are_no_frames(message: Frame) -> None:
    client, _ = upgraded()
    with pytest.raises(WireError):
        client.receive(message.serialize(mask=False))


def test_fragments_of_a_websocket_message_are_joined_up_to_the_limit() -> None:
    client, _ = upgraded()
    half = bytes(MAX_FRAME // 2)
    assert client.receive(Frame(Opcode.BINARY, half, fin=False).serialize(mask=False)) == []
    assert client.receive(Frame(Opcode.CONT, b"", fin=False).serialize(mask=False)) == []
    assert client.receive(Frame(Opcode.CONT, half).serialize(mask=False)) == [bytes(MAX_FRAME)]
    client.receive(Frame(Opcode.BINARY, half, fin=False).serialize(mask=False))
    with pytest.raises(WireError):
        client.receive(Frame(Opcode.CONT, half + b"x").serialize(mask=False))


def test_websocket_pings_are_answered_and_a_close_is_not_written_after() -> None:
    client, server = upgraded()
    server.send_ping(b"?")
    client.receive(b"".join(server.data_to_send()))
    server.receive_data(client.replies())
    (pong,) = server.events_received()
    assert isinstance(pong, Frame)
    assert pong.opcode is Opcode.PONG
    server.send_close(1001)
    client.receive(b"".join(server.data_to_send()))
    assert client.replies()
    assert client.wrap(b"late") == b""
    assert client.closing() == b""


def test_raw_frames_over_the_limit_are_refused() -> None:
    with pytest.raises(WireError):
        RawFraming().receive((MAX_FRAME + 1).to_bytes(4, "big"))
    assert RawFraming().receive(frame(bytes(MAX_FRAME))) == [bytes(MAX_FRAME)]
