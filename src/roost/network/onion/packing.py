"""Makes packets, reply blocks, cover and loops of what a client has to send, and opens what comes back. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from roost.crypto import Entropy, Hop, ReplyKeys, make_loop, make_packet, make_reply_block
from roost.errors import CryptoError
from roost.network.onion.cover import hop_delay_ms
from roost.network.onion.guard_watch import GuardWatch
from roost.network.onion.paths import Paths, TooFewNodes, packet_public
from roost.network.onion.session import Session
from roost.network.onion.session_parts import Up
from roost.wire.codec import encode
from roost.wire.onion import Consensus, ConsensusNode, SessionUp
from roost.wire.sizes import REPLY_ID_SIZE

_MOST_BLOCKS = 16_384  # reply blocks whose keys are kept


@dataclass(frozen=True)
class Outgoing:
    """A packet for a guard."""

    guard: bytes
    packet: bytes


class Kind(Enum):
    """What comes back."""

    REPLY = 1
    COVER = 2
    LOOP = 3  # over nodes drawn alike, whatever is thought of them
    PROBE = 4  # the same without delay, to find out what is wrong


@dataclass(frozen=True)
class Block:
    """A reply block that was given: how its reply opens, its path, whose it is. Only a reply has a session."""

    keys: ReplyKeys
    nodes: tuple[bytes, ...]
    session: Session | None
    id: bytes
    kind: Kind
    sent_at: float = 0.0  # unless a reply

    @property
    def mixed(self) -> bool:
        """Whether what comes by it is delayed."""
        return self.kind is not Kind.PROBE if self.session is None else self.session.mixed


class Packing:
    """Of one client in one network."""

    def __init__(self, paths: Paths, watch: GuardWatch, entropy: Entropy) -> None:
        self.attached: dict[bytes, bytes] = {}  # guards whose links stand, in their order, and the tokens given there
        self._paths = paths
        self._watch = watch
        self._entropy = entropy
        self._period = 0
        self._turn = 0
        self._blocks: OrderedDict[bytes, Block] = OrderedDict()

    def update(self, consensus: Consensus, period: int) -> None:
        self._period = period
        self._paths.update(consensus, period)

    def pack(self, session: Session, up: Up, now: float) -> Outgoing:
        """The packet of `up`, whose nodes are noted in it. Raises TooFewNodes."""
        guard = self.entry(up.host)
        path = self._paths.forward(guard, up.host, now)
        used = [*(node.key for node in path), up.host]
        hops = [*self._hops(path, session.mixed), self._hop(self._paths.known(up.host), 0)]
        blocks = []
        for _ in range(up.blocks):
            back = self._paths.backward(up.host, guard, now)
            used += [node.key for node in back]
            blocks.append(self._reply_block(session, up.host, guard, back))
        payload = encode(SessionUp(up.session, up.message, up.part, up.parts, up.data, tuple(blocks)))
        up.nodes = tuple(used)
        return Outgoing(guard, make_packet(hops, payload, self._entropy))

    def cover(self, now: float) -> Outgoing:
        """A packet for nobody, which its last node drops. Raises TooFewNodes."""
        host, guard = self._nobody(now)
        hops = [*self._hops(self._paths.forward(guard, host, now), True), self._hop(self._paths.known(host), 0)]
        return Outgoing(guard, make_packet(hops, b"", self._entropy, cover=True))

    def cover_back(self, now: float) -> tuple[bytes, Outgoing]:
        """A packet for nobody that comes back, by the guard and over such nodes as what is for somebody: its reply id,
        and it. Raises TooFewNodes."""
        guard = self._nobody(now)[1]
        return self._looped(self._paths.around(guard, now), Kind.COVER, now)

    def loop(self, now: float, guard: bytes | None = None, *, probe: bool = False) -> tuple[bytes, Outgoing]:
        """A packet that comes back over nodes drawn alike: its reply id, and it; without delay as a `probe`. By each
        attached guard in turn, so that it shows which of them lose packets, and which do no more. Raises
        TooFewNodes."""
        path = self._paths.around(self._next_guard() if guard is None else guard)
        return self._looped(path, Kind.PROBE if probe else Kind.LOOP, now)

    def take(self, reply_id: bytes) -> Block | None:
        """The block that a reply used. It serves once."""
        return self._blocks.pop(reply_id, None)

    def entry(self, host: bytes | None) -> bytes:
        """By which guard to enter for this host. Raises TooFewNodes."""
        guard = self._paths.entry(host, tuple(self.attached), self._watch.doubted)
        if guard is None:
            raise TooFewNodes
        return guard

    def _next_guard(self) -> bytes:
        guards = [guard for guard in self.attached if self._paths.node(guard) is not None]
        if not guards:
            raise TooFewNodes
        self._turn += 1
        return guards[self._turn % len(guards)]

    # --- inside -------------------------------------------------------------------------------------------------------

    def _nobody(self, now: float) -> tuple[bytes, bytes]:
        """A node that a packet could be for, and the guard by which it would go."""
        host = self._paths.any_host(tuple(self.attached), now)
        if host is None:
            raise TooFewNodes
        return host, self.entry(host)

    def _looped(self, path: Sequence[ConsensusNode], kind: Kind, now: float) -> tuple[bytes, Outgoing]:
        guard, reply_id = path[0].key, self._entropy.bytes(REPLY_ID_SIZE)
        hops = self._hops(path, kind is not Kind.PROBE)
        packet, keys = make_loop(hops, self.attached[guard], reply_id, self._entropy)
        self._keep(reply_id, Block(keys, tuple(node.key for node in path), None, b"", kind, now))
        return reply_id, Outgoing(guard, packet)

    def _reply_block(self, session: Session, host: bytes, guard: bytes, back: Sequence[ConsensusNode]) -> bytes:
        reply_id = self._entropy.bytes(REPLY_ID_SIZE)
        hops = self._hops(back, session.mixed)
        block, keys = make_reply_block(hops, self.attached[guard], reply_id, self._entropy)
        self._keep(reply_id, Block(keys, (host, *(node.key for node in back)), session, session.id, Kind.REPLY))
        return block

    def _keep(self, reply_id: bytes, block: Block) -> None:
        self._blocks[reply_id] = block
        if len(self._blocks) > _MOST_BLOCKS:
            self._blocks.popitem(last=False)

    def _hops(self, nodes: Sequence[ConsensusNode], mixed: bool) -> list[Hop]:
        return [self._hop(node, hop_delay_ms(self._entropy) if mixed else 0) for node in nodes]

    def _hop(self, node: ConsensusNode, delay_ms: int) -> Hop:
        key = node.packet_key(self._period)
        if key is None:
            raise TooFewNodes
        try:
            return Hop(node.key, packet_public(key), self._period, delay_ms)
        except CryptoError as error:
            raise TooFewNodes from error
