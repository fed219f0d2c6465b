"""Authorities of an onion network in this process: the real shell over links in memory, on the real clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

from roost.crypto import Label, SigningKey
from roost.errors import Refused
from roost.network import SYSTEM_ENTROPY, Link
from roost.network.errors import no_answer
from roost.network.onion.directory_client import DirectoryClient
from roost.relay.core.limits import Limits
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.authority import Authority
from roost.relay.onion.founding import network_host
from roost.relay.onion.memory import FileMemory
from roost.relay.onion.node import Place, Surroundings
from roost.relay.onion.part import OnionPart
from roost.wire import mailbox as m
from roost.wire.addresses import RelayAddress
from roost.wire.codec import encode
from roost.wire.onion import (
    KEYS_AHEAD,
    AuthorityAddress,
    Consensus,
    NetworkDocument,
    NodeDescriptor,
    PeriodKey,
    SignedDescriptor,
)
from tests.network.tiny_relay import TinyRelay

ON_NETWORK = (m.GetDirectory, m.PutDescriptor, m.GetBallots)


class Seat:
    """An authority's relay; `start` and `stop` as often as wanted. `stop` is a kill: nothing is said or saved."""

    def __init__(self, world: AuthorityWorld, relay: TinyRelay, folder: Path) -> None:
        self.world = world
        self.relay = relay
        self.folder = folder
        self.skew = 0.0
        self.source = ""
        """The IP address that requests come from."""
        self.apart: set[bytes] = set()
        """Keys of relays that this one cannot reach."""
        self.part: OnionPart | None = None
        relay.reply = self._answer

    @property
    def authority(self) -> Authority:
        assert self.part is not None
        found = self.part._authority
        assert found is not None
        return found

    @property
    def directory(self) -> DirectoryClient:
        assert self.part is not None
        return self.part._directory

    async def start(self) -> None:
        place = Place(network_host(self.world.document), self.relay.address, "", self.folder)
        given = Surroundings(
            own=self.relay.key,
            outgoing=None,  # type: ignore[arg-type]  # of nodes alone
            dial=self._dial,
            limits=Limits(),
            entropy=SYSTEM_ENTROPY,
            clock=lambda: time.time() + self.skew,
            broken=lambda _: None,
        )
        self.folder.mkdir(exist_ok=True)
        FileMemory(self.folder)
        self.part = OnionPart(place, given, node=False, authority=self.world.document)
        await self.part.start()

    async def _dial(self, address: RelayAddress) -> Link:
        if address.key in self.apart:
            raise no_answer()
        return await self.world.connect(address)

    async def stop(self) -> None:
        part, self.part = self.part, None
        if part is not None:
            await part.close()

    def _answer(self, request: m.Request) -> m.Response | None:
        if not isinstance(request, ON_NETWORK) or self.part is None:
            return None
        answers: list[m.Response] = []
        try:
            self.part.handle(SimpleNamespace(source=self.source), request, answers.append)  # type: ignore[arg-type]
        except RefusedRequest as error:
            return error.refusal
        return answers[0]


class AuthorityWorld:
    """`count` authorities; relays that nodes stand on are added by `node`."""

    def __init__(self, folder: Path, count: int, period_s: int) -> None:
        relays = sorted((TinyRelay() for _ in range(count)), key=lambda relay: relay.key.public.raw)
        for number, relay in enumerate(relays):
            relay.port = 1_000 + number
        addresses = tuple(AuthorityAddress(relay.address) for relay in relays)
        self.document = NetworkDocument("World", addresses, count // 2 + 1, period_s)
        self.seats = [Seat(self, relay, folder / f"authority-{at}") for at, relay in enumerate(relays)]
        self.nodes: list[TinyRelay] = []
        self.cut: set[bytes] = set()
        """Keys of relays that cannot be reached."""

    async def connect(self, address: RelayAddress) -> Link:
        for seat in self.seats:
            if seat.relay.address == address and seat.part is not None and address.key not in self.cut:
                return await seat.relay.connect(address)
        for node in self.nodes:
            if node.address == address and address.key not in self.cut:
                return await node.connect(address)
        raise no_answer()

    def node(self) -> TinyRelay:
        node = TinyRelay()
        node.port = 2_000 + len(self.nodes)
        self.nodes.append(node)
        return node

    @property
    def period(self) -> int:
        return self.document.period(time.time())

    async def announce(self, node: TinyRelay) -> None:
        """As a node does at the beginning of each period: to those that can be reached."""
        for seat in self.seats:
            if seat.part is not None:
                await self.put(seat, describe(self.document, node.key, node.address, self.period))

    async def put(self, seat: Seat, descriptor: SignedDescriptor) -> m.Response:
        link = await self.connect(seat.relay.address)
        try:
            return await link.call(m.PutDescriptor(self.document.id, encode(descriptor)))
        finally:
            await link.close()

    async def refusal(self, seat: Seat, request: m.Request) -> str:
        link = await self.connect(seat.relay.address)
        try:
            await link.call(request)
        except Refused as error:
            return error.code
        finally:
            await link.close()
        return ""

    async def until(self, wanted: Callable[[Consensus], bool], seats: list[Seat] | None = None) -> Consensus:
        """Wait until these authorities use a consensus like this."""
        async with asyncio.timeout(60):
            while True:
                found = [seat.directory.consensus for seat in seats or self.seats if seat.part is not None]
                if found and all(each is not None and wanted(each) for each in found):
                    assert found[0] is not None
                    return found[0]
                await asyncio.sleep(0.02)


def describe(
    document: NetworkDocument, key: SigningKey, address: RelayAddress, period: int, count: int = KEYS_AHEAD
) -> SignedDescriptor:
    keys = tuple(PeriodKey(period + ahead, bytes(1_216)) for ahead in range(count))
    encoded = encode(NodeDescriptor(document.id, period, address, "somebody", keys))
    return SignedDescriptor(encoded, key.sign(Label.ONION_NODE, encoded))


@asynccontextmanager
async def authorities(folder: Path, count: int = 3, period_s: int = 4) -> AsyncIterator[AuthorityWorld]:
    world = AuthorityWorld(folder, count, period_s)
    try:
        for seat in world.seats:
            await seat.start()
        yield world
    finally:
        for seat in world.seats:
            await seat.stop()
