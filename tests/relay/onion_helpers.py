"""Onion nodes for tests: real relays in this process or in their own, with a directory that is written for them."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

from roost.crypto import Label, PacketPublic, PacketSecret, SigningKey, solve_work
from roost.crypto.onion import Hop, ReplyKeys, make_packet, make_reply_block
from roost.errors import Refused
from roost.network import SYSTEM_ENTROPY as ENTROPY
from roost.network import Link, connect_relay
from roost.relay import load_config, run_relay
from roost.relay.core.refusal import RefusedRequest
from roost.relay.files import DataDirectory
from roost.relay.onion.keys import KeyFiles
from roost.relay.onion.memory import FileMemory
from roost.relay.onion.sessions import SESSION_DATA
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.codec import decode, encode
from roost.wire.links import RelayLink
from roost.wire.mailbox import (
    AttachOnion,
    Call,
    OnionArrival,
    OnionPacket,
    RefusalCode,
    Reply,
    Request,
    Response,
    ServerFrame,
    WorkChallenge,
)
from roost.wire.onion import (
    KEYS_AHEAD,
    AuthorityAddress,
    AuthoritySignature,
    Consensus,
    ConsensusNode,
    NetworkDocument,
    PeriodKey,
    SessionDown,
    SessionUp,
    SignedConsensus,
    Worked,
    admission_hash,
)
from roost.wire.sizes import MAX_PERIOD_S

PERIOD_S = MAX_PERIOD_S
R = TypeVar("R", bound=Worked)


@dataclass(frozen=True)
class Keys:
    """A node that exists as its keys alone, the same packet key in every period."""

    identity: SigningKey
    secret: PacketSecret

    @classmethod
    def made(cls) -> Keys:
        return cls(SigningKey.generate(ENTROPY), PacketSecret.generate(ENTROPY))

    @property
    def node(self) -> bytes:
        return self.identity.public.raw

    def hop(self, period: int, delay_ms: int = 0) -> Hop:
        return Hop(self.node, self.secret.public, period, delay_ms)

    def listed(self, period: int, port: int = 1) -> ConsensusNode:
        keys = tuple(PeriodKey(period + ahead, self.secret.public.raw) for ahead in range(KEYS_AHEAD))
        return ConsensusNode(RelayAddress("127.0.0.1", port, self.node), "", keys, period, b"s" * 32, 1_000)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Network:
    """Nodes by their numbers."""

    nodes: list[ConsensusNode]
    period: int

    def hops(self, *numbers: int, delay_ms: int = 0) -> list[Hop]:
        return [self.hop(self.nodes[number], delay_ms) for number in numbers]

    def hop(self, node: ConsensusNode, delay_ms: int = 0) -> Hop:
        key = node.packet_key(self.period)
        if key is None:
            raise LookupError("the node has no key for this period")
        return Hop(node.key, PacketPublic(key), self.period, delay_ms)


class World(Network):
    """Data directories of `count` relays that find themselves in a network; whoever runs them runs the network. Its one
    authority is a key that this test has."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        authority = SigningKey.generate(ENTROPY)
        nowhere = AuthorityAddress(RelayAddress("127.0.0.1", free_port(), authority.public.raw))
        self.document = NetworkDocument("test", (nowhere,), 1, PERIOD_S, min(3, count), min(3, count) // 2 + 1)
        self.link = str(RelayLink(OnionHost(self.document.id, (nowhere.address,)), ""))
        super().__init__([], self.document.period(time.time()))
        self.nodes = [self._node(number) for number in range(count)]
        ordered = tuple(sorted(self.nodes, key=lambda node: node.key))
        self.consensus = Consensus(self.document.id, self.period, bytes(32), bytes(32), ordered)
        encoded = encode(self.consensus)
        signature = AuthoritySignature(authority.public.raw, authority.sign(Label.ONION_CONSENSUS, encoded))
        for number in range(count):
            memory = FileMemory(self.data(number) / "onion")
            memory.save(f"{self.document.id.hex()}/document", encode(self.document))
            memory.save(f"{self.document.id.hex()}/consensus", encode(SignedConsensus(encoded, (signature,))))

    def data(self, number: int) -> Path:
        return self.folder / f"node {number}"

    def settings(self, number: int) -> dict[str, object]:
        """Of the relay."""
        listen = f"127.0.0.1:{self.nodes[number].address.port}"
        return {"listen": listen, "onion": True, "directory": self.link, "work_bits": 4}

    def _node(self, number: int) -> ConsensusNode:
        with DataDirectory(self.data(number)) as directory:
            identity = directory.identity(ENTROPY)
            files = KeyFiles(directory.onion / "keys", identity.public.raw, ENTROPY)
            keys = files.open(self.period).public(self.period)
            files.close()
        address = RelayAddress("127.0.0.1", free_port(), identity.public.raw)
        return ConsensusNode(address, f"operator {number}", keys, self.period, ENTROPY.bytes(32), 1_000)


@asynccontextmanager
async def run_all(world: World) -> AsyncIterator[None]:
    """All relays of the world, in this process."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        ready = [asyncio.Event() for _ in world.nodes]
        for number, event in enumerate(ready):
            config = load_config(None, data=world.data(number), **world.settings(number))
            group.create_task(run_relay(config, lambda _, event=event: event.set(), stop=stop))
        for event in ready:
            await event.wait()
        try:
            yield
        finally:
            stop.set()


@dataclass
class Traveller:
    """A small client: one link to an entry node, calls to host nodes by paths that the test names. It sends everything
    once; what a real one does about loss is not its business."""

    world: Network
    link: Link
    entry: int
    token: bytes
    blocks: dict[bytes, ReplyKeys] = field(default_factory=dict)
    frames: list[ServerFrame] = field(default_factory=list)
    left: int = 0
    unreadable: int = 0
    last_message: int = 0
    _parts: dict[int, dict[int, bytes]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    _messages: int = 0
    session: bytes = field(default_factory=lambda: ENTROPY.bytes(16))

    def block(self, host: int, *middle: int, delay_ms: int = 0) -> bytes:
        """A reply block from the host over two other nodes to this client's entry."""
        others = middle or self.others(host)
        reply_id = ENTROPY.bytes(16)
        hops = self.world.hops(*others, self.entry, delay_ms=delay_ms)
        made, self.blocks[reply_id] = make_reply_block(hops, self.token, reply_id, ENTROPY)
        return made

    def others(self, host: int) -> tuple[int, ...]:
        """Two nodes for the middle. In a small network the entry is met twice, never one node twice in a row."""
        found = [number for number in range(len(self.world.nodes)) if number not in (host, self.entry)]
        return (found[0], found[1]) if len(found) > 1 else (found[0], host)

    def packets(self, host: int, request: Request | None, blocks: int = 2, call: int | None = None) -> list[bytes]:
        """The packets of one call; of a top-up without a request."""
        if call is None and request is not None:
            self.calls += 1
            call = self.calls
        self._messages += 1
        data = encode(Call(call or 0, request)) if request is not None else b""
        size = SESSION_DATA - 3_648
        cut = [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        ups = []
        for number, part in enumerate(cut):
            given = [self.block(host)] if len(cut) > 1 else [self.block(host) for _ in range(blocks)]
            if len(part) > 500:
                given = given[:1]
            ups.append(SessionUp(self.session, self._messages, number, len(cut), part, tuple(given)))
        hops = self.world.hops(self.entry, *self.others(host)[:1], host)
        return [make_packet(hops, encode(up), ENTROPY) for up in ups]

    async def send(self, packets: list[bytes]) -> None:
        for packet in packets:
            await self.link.call(OnionPacket(packet))

    async def call(self, host: int, request: Request, *, blocks: int = 2, timeout_s: float = 10.0) -> Response:
        packets = self.packets(host, request, blocks)
        await self.send(packets)
        return await self.reply(self.calls, timeout_s)

    async def reply(self, call: int, timeout_s: float = 10.0) -> Response:
        def found() -> Reply | None:
            return next((frame for frame in self.frames if isinstance(frame, Reply) and frame.id == call), None)

        await self.until(lambda: found() is not None, timeout_s)
        reply = found()
        assert reply is not None
        self.frames.remove(reply)
        return reply.response

    async def until(self, done: Callable[[], bool], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    def arrived(self, arrival: OnionArrival) -> None:
        payload = self.blocks.pop(arrival.reply).open(arrival.payload)
        down = decode(SessionDown, payload)
        assert down.session == self.session
        self.left = down.left
        parts = self._parts.setdefault(down.message, {})
        parts[down.part] = down.data
        if len(parts) == down.parts:
            del self._parts[down.message]
            data = b"".join(parts[part] for part in range(down.parts))
            self.last_message = down.message
            self.frames.append(decode(ServerFrame, data))  # type: ignore[arg-type]
        self._changed.set()


def work_asked(admit: Callable[[], object]) -> WorkChallenge | None:
    """What is asked for before a request is let in; None when it is."""
    try:
        admit()
    except RefusedRequest as error:
        refusal = error.refusal
    else:
        return None
    assert refusal.code is RefusalCode.WORK_NEEDED
    return decode(WorkChallenge, refusal.detail)


def paid(request: R, challenge: WorkChallenge, node: bytes) -> R:
    """With the work that the node asks for."""
    return replace(request, admission=solve_work(challenge.nonce, node, admission_hash(request), challenge.bits))


async def attach(link: Link, token: bytes, node: bytes) -> AttachOnion:
    """As clients do: with work for the token. What was taken."""
    request = AttachOnion(token)
    try:
        await link.call(request)
    except Refused as error:
        request = paid(request, decode(WorkChallenge, error.detail), node)
        await link.call(request)
    return request


async def refused(link: Link, request: Request) -> str:
    """Why it is not done."""
    with pytest.raises(Refused) as caught:
        await link.call(request)
    return caught.value.code


@asynccontextmanager
async def travelling(world: Network, entry: int, *, raw: bool = True) -> AsyncIterator[Traveller]:
    """A client attached to this node."""
    link = await connect_relay(world.nodes[entry].address, raw=raw, window=8 * 1024**2)
    try:
        traveller = Traveller(world, link, entry, ENTROPY.bytes(16))
        link.on_arrival = traveller.arrived
        await attach(link, traveller.token, world.nodes[entry].key)
        yield traveller
    finally:
        await link.close()
