"""A network's directory made by hand, for tests: authorities are relays in this process, nodes are names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from roost.crypto import Label, SigningKey
from roost.network import SYSTEM_ENTROPY, Link
from roost.network.errors import no_answer
from roost.wire import mailbox as m
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.codec import encode
from roost.wire.onion import (
    AuthorityAddress,
    AuthoritySignature,
    Consensus,
    ConsensusNode,
    NetworkDocument,
    PeriodKey,
    SignedConsensus,
    directory_part,
)
from tests.network.tiny_relay import TinyRelay


def make_node(number: int, period: int, *, key: bytes = b"", host: str = "") -> ConsensusNode:
    address = RelayAddress(host or f"node-{number}.example", 443, key or bytes([number]) * 32)
    keys = tuple(PeriodKey(period + ahead, bytes([number]) * 1_216) for ahead in range(3))
    return ConsensusNode(address, f"operator {number}", keys, period, b"", 1_000)


def make_consensus(document: NetworkDocument, period: int, nodes: Iterable[ConsensusNode] = ()) -> Consensus:
    return Consensus(document.id, period, bytes(32), bytes([period % 256]) * 32, tuple(nodes))


def sign(consensus: Consensus, keys: Iterable[SigningKey]) -> bytes:
    """An encoded SignedConsensus."""
    encoded = encode(consensus)
    signatures = [AuthoritySignature(k.public.raw, k.sign(Label.ONION_CONSENSUS, encoded)) for k in keys]
    return encode(SignedConsensus(encoded, tuple(sorted(signatures, key=lambda made: made.authority))))


@dataclass
class Served:
    """What an authority hands out; `document` empty: it knows nothing of the network."""

    document: bytes = b""
    consensus: bytes = b""
    period: int = 0
    asked: list[m.Request] = field(default_factory=list)

    def __call__(self, request: m.Request) -> m.Response | None:
        if not isinstance(request, m.GetDirectory):
            return None
        self.asked.append(request)
        wanted = self.document
        if request.document is m.DirectoryDocument.CONSENSUS:
            wanted = self.consensus if self.period > request.after else b""
        part = directory_part(wanted, request.part) if wanted else None
        return part or m.Refusal(m.RefusalCode.NOT_FOUND)


class SmallNetwork:
    """`count` authorities, all of which serve what `publish` was given."""

    def __init__(self, count: int = 3, period_s: int = 3_600) -> None:
        self.relays = sorted((TinyRelay() for _ in range(count)), key=lambda relay: relay.key.public.raw)
        for number, relay in enumerate(self.relays):
            relay.port = 1_000 + number
        self.keys = [relay.key for relay in self.relays]
        addresses = tuple(AuthorityAddress(relay.address) for relay in self.relays)
        self.document = NetworkDocument("Test", addresses, count // 2 + 1, period_s)
        self.host = OnionHost(self.document.id, tuple(relay.address for relay in self.relays[:2]))
        self.served = [Served(encode(self.document)) for _ in self.relays]
        for relay, served in zip(self.relays, self.served, strict=True):
            relay.reply = served
        self.down: set[bytes] = set()
        self.connected: list[RelayAddress] = []

    def publish(self, consensus: Consensus, signers: int = 99, at: Iterable[int] = ()) -> None:
        encoded = sign(consensus, self.keys[:signers])
        for number in tuple(at) or range(len(self.served)):
            self.served[number].consensus, self.served[number].period = encoded, consensus.period

    async def connect(self, address: RelayAddress) -> Link:
        self.connected.append(address)
        if address.key in self.down:
            raise no_answer()
        relay = next((relay for relay in self.relays if relay.key.public.raw == address.key), None)
        if relay is None:
            raise no_answer()
        return await relay.connect(address)


def stranger_key() -> SigningKey:
    return SigningKey.generate(SYSTEM_ENTROPY)
