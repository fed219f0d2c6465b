"""An onion network on virtual time: real packets through real keys, nodes' real sessions, a line that misbehaves.

What stands behind a node's sessions is a mailbox in memory, and whatever a test makes of it: that the real service
answers is tested with real processes.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from roost.crypto import PacketSecret
from roost.crypto.onion import Arrived, ForClient, Forwarded, use_reply_block
from roost.network.link_core import Answered, Delivered
from roost.network.onion.exchange import Exchange
from roost.network.onion.session import Session
from roost.network.onion.session_parts import SessionEvent
from roost.relay.core.admission import WorkAdmission
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import Limits
from roost.relay.core.onion_packets import NodeKey, NodeKeys, Refused
from roost.relay.core.packets import TagSet
from roost.relay.core.refusal import RefusedRequest
from roost.relay.onion.sessions import Sessions
from roost.relay.server.service import Peer, Respond
from roost.wire.addresses import RelayAddress
from roost.wire.codec import encode
from roost.wire.mailbox import (
    BlobData,
    Delivery,
    Done,
    Entries,
    Entry,
    Get,
    GetBlob,
    Put,
    Refusal,
    RefusalCode,
    Request,
    Response,
    Stored,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from roost.wire.onion import KEYS_AHEAD as AHEAD
from roost.wire.onion import AuthorityAddress, Consensus, ConsensusNode, NetworkDocument, place_of, swarm_of
from roost.wire.sizes import BLOB_SIZE, ENVELOPE_SIZE

PERIOD_S = 3_600
FIRST = 100  # the period in which everything begins
HOP_S = 0.02
PLACE = b"a place of sixte"


def capability(name: str, place: bytes = PLACE) -> bytes:
    return place + name.encode().ljust(16, b".")


def envelope(number: int) -> bytes:
    return number.to_bytes(8, "big").ljust(ENVELOPE_SIZE, b"e")


class SeededEntropy:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


@dataclass
class Following:
    session: Peer
    call: int
    place: bytes
    after: int


@dataclass
class Mailbox:
    """What every node of a swarm has, as if copied at once."""

    envelopes: list[bytes] = field(default_factory=list)

    def put(self, data: bytes) -> int:
        if data not in self.envelopes:
            self.envelopes.append(data)
        return self.envelopes.index(data) + 1


class Node:
    """One node. `leads` says whom to name for a place; `lies` may change what is answered."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.key = bytes([number]) * 32
        secrets = [NodeKey(FIRST + ahead, PacketSecret.generate(world.entropy), TagSet()) for ahead in range(AHEAD)]
        self.keys = NodeKeys(self.key, secrets, lambda period, tag: True)
        self.alive = True
        self.drops = 0.0
        self.drops_to: dict[bytes, float] = {}  # by node: the share of what should go on to it
        self.lies: Callable[[Request, Response], Response] | None = None
        self.asked: Counter[str] = Counter()
        self.following: list[Following] = []
        self.restart()

    def restart(self) -> None:
        """Everything in memory is gone."""
        self.following = []
        admission = WorkAdmission(KnockNonces(bytes(32)), 0)
        self.sessions = Sessions(
            self,
            self,
            admission,
            Limits(),
            PERIOD_S,
            self._reply,
            lambda _: None,
            lambda: self.world.now + FIRST * PERIOD_S,
        )

    def listed(self) -> ConsensusNode:
        address = RelayAddress("127.0.0.1", 7_000 + self.number, self.key)
        return ConsensusNode(address, f"operator {self.number}", self.keys.public(FIRST), FIRST, self.key, 1_000)

    def take(self, packet: bytes) -> None:
        if not self.alive or self.world.random.random() < self.drops:
            self.world.dropped[self.key] += 1
            return
        try:
            unwrapped = self.keys.open(packet, FIRST + AHEAD, self.world.entropy)
        except Refused:
            return
        delay = unwrapped.delay_ms / 1000
        match unwrapped.outcome:
            case Forwarded(following, onward):
                if self.world.random.random() < self.drops_to.get(following, 0.0):
                    self.world.dropped[self.key] += 1
                    return
                self.world.send(following, onward, delay)
            case Arrived(payload):
                self.world.after(delay, lambda: self.alive and self.sessions.arrived(payload))
            case ForClient(token, reply, payload):
                self.world.to_client(token, reply, payload, delay)

    def _reply(self, block: bytes, payload: bytes) -> None:
        if self.alive:
            node, packet = use_reply_block(block, payload, self.world.entropy)
            self.world.send(node, packet)

    # --- Host ---------------------------------------------------------------------------------------------------------

    def handle(self, session: Peer, call: int, request: Request, respond: Respond) -> None:
        self.asked[type(request).__name__] += 1
        answer = self._answer(session, call, request)
        respond(self.lies(request, answer) if self.lies is not None else answer)
        self.resume(session)

    def _answer(self, session: Peer, call: int, request: Request) -> Response:
        place = place_of(request)
        if place is not None and (leader := self.world.leader(place)) != self.key:
            return Refusal(RefusalCode.MOVED, detail=leader)
        mailbox = self.world.mailboxes[place or b""]
        match request:
            case Put():
                number = mailbox.put(request.envelope)
                self.world.after(0, self._deliver)
                return Stored(number)
            case Get():
                page = mailbox.envelopes[request.after : request.after + request.limit]
                entries = tuple(Entry(request.after + 1 + at, data) for at, data in enumerate(page))
                return Entries(entries, request.after + len(page) < len(mailbox.envelopes))
            case Subscribe():
                self._unfollow(session, call)
                self.following.append(Following(session, call, place or b"", request.after))
                return Subscribed(len(mailbox.envelopes))
            case Unsubscribe():
                self._unfollow(session, request.call)
                return Done()
            case GetBlob():
                return BlobData(request.blob.ljust(BLOB_SIZE, b"b"))
            case _:
                return Done()

    def _unfollow(self, session: Peer, call: int) -> None:
        self.following = [one for one in self.following if (one.session, one.call) != (session, call)]

    def _deliver(self) -> None:
        for one in self.following:
            self.resume(one.session)

    def resume(self, session: Peer) -> None:
        session.stalled = False
        for one in self.following:
            if one.session is not session:
                continue
            envelopes = self.world.mailboxes[one.place].envelopes
            while session.writable and one.after < len(envelopes):
                one.after += 1
                session.send(encode(Delivery(one.call, one.after, envelopes[one.after - 1])))
            session.stalled = session.stalled or one.after < len(envelopes)

    def dropped(self, session: Peer) -> None:
        self.following = [one for one in self.following if one.session is not session]

    # --- Outgoing -----------------------------------------------------------------------------------------------------

    def forward(self, request: object, client: object, respond: Respond) -> None:
        raise RefusedRequest(RefusalCode.UNREACHABLE)

    def info_of(self, request: object, client: object, respond: Respond) -> None:
        raise RefusedRequest(RefusalCode.UNREACHABLE)


class World:
    """`loss` and `double`: the share of packets on each line that is lost, or comes twice; `hop_s` what a line takes, a
    little more or less, so that packets overtake each other."""

    def __init__(self, seed: int, nodes: int = 9, *, loss: float = 0.0, double: float = 0.0, hop_s: float = HOP_S):
        self.random = random.Random(seed)
        self.entropy = SeededEntropy(seed)
        self.now = 0.0
        self.loss, self.double, self.hop_s = loss, double, hop_s
        self.mailboxes: dict[bytes, Mailbox] = defaultdict(Mailbox)
        self.dropped: Counter[bytes] = Counter()
        self.carried = 0
        self.leads: dict[bytes, bytes] = {}  # by place, where it is not the first that is alive
        self.clients: dict[bytes, Client] = {}
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self.nodes = {node.key: node for node in (Node(self, number) for number in range(1, nodes + 1))}
        listed = tuple(node.listed() for node in self.nodes.values())
        authority = AuthorityAddress(RelayAddress("127.0.0.1", 6_999, bytes(32)))
        self.document = NetworkDocument("a network", (authority,), 1, PERIOD_S)
        self.consensus = Consensus(bytes(32), FIRST, bytes(32), bytes(32), listed)

    def swarm(self, place: bytes = PLACE) -> list[Node]:
        return [self.nodes[node.key] for node in swarm_of(self.consensus, place, 3)]

    def leader(self, place: bytes = PLACE) -> bytes:
        named = self.leads.get(place)
        return named or next(node.key for node in self.swarm(place) if node.alive)

    # --- time ---------------------------------------------------------------------------------------------------------

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now + seconds, self._count, act))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass until something holds; returns whether it does."""
        end = self.now + seconds
        while not until():
            for client in self.clients.values():
                client.pump()
            deadlines = [at for client in self.clients.values() if (at := client.next_at()) is not None]
            at = min([end, *deadlines, *([self._heap[0][0]] if self._heap else [])])
            self.now = max(self.now, at)
            if self.now >= end:
                return until()
            while self._heap and self._heap[0][0] <= self.now:
                heapq.heappop(self._heap)[2]()
        return True

    # --- lines --------------------------------------------------------------------------------------------------------

    def _line(self, act: Callable[[], object], delay: float) -> None:
        copies = 0 if self.random.random() < self.loss else 2 if self.random.random() < self.double else 1
        for _ in range(copies):
            self.carried += 1
            self.after(delay + self.hop_s * self.random.uniform(0.5, 1.5), act)

    def send(self, node: bytes, packet: bytes, delay: float = 0.0) -> None:
        self._line(lambda: self.nodes[node].take(packet), delay)

    def to_client(self, token: bytes, reply: bytes, payload: bytes, delay: float) -> None:
        client = self.clients.get(token)
        if client is not None:
            self._line(lambda: client.arrived(reply, payload), delay)


class Client:
    def __init__(self, world: World, *guards: bytes, period: int = FIRST) -> None:
        self.world = world
        self.exchange = Exchange(world.entropy)
        self.answers: dict[tuple[Session, int], Response] = {}
        self.delivered: list[tuple[int, bytes]] = []
        self.events: list[SessionEvent] = []
        self.sent = 0
        self.sent_at: list[float] = []
        self.came_at: list[float] = []
        self.entered: Counter[bytes] = Counter()
        self.tokens = [(guard, world.entropy.bytes(16)) for guard in guards]
        world.clients.update({token: self for _, token in self.tokens})
        self.exchange.update(world.consensus, world.document, period, world.now)
        self.exchange.attached(self.tokens, world.now)

    def call(self, request: Request, *, mixed: bool = False) -> tuple[Session, int]:
        return self.exchange.call(request, self.world.now, mixed=mixed)

    def subscribe(self, get: bytes, *, mixed: bool = False) -> Session:
        return self.exchange.subscribe(get, self._last, self.world.now, mixed=mixed)[0]

    def _last(self) -> int:
        return self.delivered[-1][0] if self.delivered else 0

    def answer(self, request: Request, seconds: float = 30.0, *, mixed: bool = False) -> Response:
        asked = self.call(request, mixed=mixed)
        assert self.world.run(seconds, lambda: asked in self.answers), "no answer"
        return self.answers[asked]

    def arrived(self, reply: bytes, payload: bytes) -> None:
        self.came_at.append(self.world.now)
        self.exchange.arrived(reply, payload, self.world.now)

    def pump(self) -> None:
        now = self.world.now
        self.exchange.tick(now)
        while packets := self.exchange.outgoing(now):
            for outgoing in packets:
                self.sent += 1
                self.sent_at.append(now)
                self.entered[outgoing.guard] += 1
                self.world.send(outgoing.guard, outgoing.packet)
        self.exchange.upkeep(now)
        for session, event in self.exchange.events():
            match event:
                case Answered(call, response):
                    assert (session, call) not in self.answers
                    self.answers[session, call] = response
                case Delivered(_, number, envelope):
                    self.delivered.append((number, envelope))
                case _:
                    self.events.append(event)

    def next_at(self) -> float | None:
        return self.exchange.next_deadline(self.world.now)
