"""What each node of an onion network sees once TLS is off, written down while real people use it.

The nodes are whole relays with real sockets, in this process. Each person has an address of their own.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import pytest

from roost.crypto.onion import Arrived, Unwrapped
from roost.errors import WireError
from roost.network.carriers import stream
from roost.network.errors import no_answer
from roost.relay.core.onion_packets import Source
from roost.relay.onion.node import OnionNode
from roost.relay.server.link import Link
from roost.wire.calls import decode_call
from roost.wire.codec import decode
from roost.wire.mailbox import OnionPacket, Request
from roost.wire.onion import SessionUp, place_of

ADDRESS: contextvars.ContextVar[str | None] = contextvars.ContextVar("address", default=None)
SAMPLES = (slice(0, 64), slice(5_000, 5_032), slice(-32, None))  # of a packet: its header, its payload


@dataclass
class Capture:
    """By nodes' keys, and people's addresses."""

    talked: dict[tuple[int, str], bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    """What passed between a node, by its port, and somebody who is no node, both ways."""
    packets: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    """How many packets each node took from each person."""
    sizes: set[int] = field(default_factory=set)
    samples: Counter[bytes] = field(default_factory=Counter)
    """Pieces of all packets on all links; a piece that is there twice would join two links."""
    arrived: list[tuple[bytes, Source, SessionUp]] = field(default_factory=list)
    """What ended at a node, and from where it came."""

    def requests(self) -> list[tuple[bytes, bytes, Request]]:
        """Each whole request that arrived in one part: at which node, in which session."""
        found = []
        for node, _, up in self.arrived:
            if up.parts == 1 and up.data:
                found.append((node, up.session, decode_call(up.data).request))
        return found

    def hosts(self) -> dict[bytes, set[bytes]]:
        """For each place, the nodes that were asked about it."""
        hosts: dict[bytes, set[bytes]] = defaultdict(set)
        for node, _, request in self.requests():
            if (place := place_of(request)) is not None:
                hosts[place].add(node)
        return hosts


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Capture:
    seen = Capture()
    received, send, handle, hand_on = Link.data_received, Link.send, OnionNode.handle, OnionNode._hand_on

    def receiving(self: Link, data: bytes) -> None:
        _note(seen, self, bytes(data))
        received(self, data)

    def sending(self: Link, frame: bytes) -> None:
        _note(seen, self, frame)
        send(self, frame)

    def handling(self: OnionNode, link: Link, request: Request, respond: object) -> None:
        if isinstance(request, OnionPacket):
            seen.sizes.add(len(request.packet))
            seen.samples.update(request.packet[piece] for piece in SAMPLES)
            if self._node(link) is None:
                seen.packets[self._self.name, _address(link)] += 1
        handle(self, link, request, respond)  # type: ignore[arg-type]

    def handing_on(self: OnionNode, source: Source, opened: Unwrapped) -> None:
        if isinstance(opened.outcome, Arrived):
            try:
                seen.arrived.append((self._self.name, source, decode(SessionUp, opened.outcome.payload)))
            except WireError as error:
                raise AssertionError("a client sent what is no part of a session") from error
        hand_on(self, source, opened)

    monkeypatch.setattr(Link, "data_received", receiving)
    monkeypatch.setattr(Link, "send", sending)
    monkeypatch.setattr(OnionNode, "handle", handling)
    monkeypatch.setattr(OnionNode, "_hand_on", handing_on)
    _own_addresses(monkeypatch)
    return seen


def _own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs in a context with an ADDRESS connects from there."""
    reach = stream.reach

    async def reaching(host: str, port: int) -> socket.socket:
        own = ADDRESS.get()
        if own is None:
            return await reach(host, port)
        connected = socket.socket()
        connected.setblocking(False)
        try:
            connected.bind((own, 0))
            await asyncio.get_running_loop().sock_connect(connected, (host, port))
        except BaseException as error:  # also when nobody waits for it any more
            connected.close()
            if isinstance(error, OSError):
                raise no_answer() from error
            raise
        return connected

    monkeypatch.setattr(stream, "reach", reaching)


def _address(link: Link) -> str:
    return str(link._transport.get_extra_info("peername")[0])


def _note(seen: Capture, link: Link, data: bytes) -> None:
    address = _address(link)
    if address != "127.0.0.1":
        seen.talked[link._transport.get_extra_info("sockname")[1], address] += data
