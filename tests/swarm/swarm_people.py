"""Those who use mailboxes of a simulated onion network: they ask again until they are answered, whoever leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from swarm_hosts import EPOCH, REPLICAS, Network, Node

from roost.crypto import capability_hash
from roost.relay.core.admission import Client
from roost.relay.core.limits import Limits
from roost.relay.core.operations import AppendEntry
from roost.relay.core.subscriptions import Subscription
from roost.relay.server.delivery import Subscriber
from roost.wire.codec import decode
from roost.wire.mailbox import (
    Create,
    Delivery,
    Grant,
    MailboxKind,
    Refusal,
    RefusalCode,
    Reply,
    Request,
    Response,
    Right,
    ServerFrame,
)
from roost.wire.onion import swarm_of

PATIENCE_S = 3.0
_AGAIN = (RefusalCode.SLOW_DOWN, RefusalCode.INTERNAL, RefusalCode.FULL)


class Session:
    """A client's session with one node: what relay.onion.sessions makes of packets."""

    def __init__(self, network: Network, node: Node, got: Callable[[ServerFrame], None]) -> None:
        self.client = Client(Limits(), EPOCH)
        self.hashes: dict[bytes, bytes] = {}
        self.subscriptions: dict[int, Subscription[Subscriber]] = {}
        self.stalled = False
        self.closed = False
        self.source = ""
        self.writable = True
        self.node = node
        self.boot = node.boots
        self._network = network
        self._got = got

    @property
    def alive(self) -> bool:
        return self.node.up and self.node.boots == self.boot and not self.closed

    def send(self, frame: bytes) -> None:
        """Frames of one session come in order (relay.onion.sessions numbers them)."""
        if self.alive:
            self._got(decode(ServerFrame, frame))  # type: ignore[arg-type]

    def deliver(self, call: int, operations: Sequence[AppendEntry]) -> None:
        raise AssertionError("only express does that")

    def close(self) -> None:
        if self.alive and self.node.swarm is not None:
            self.node.swarm.dropped(self)
        self.closed = True


class Box:
    """A mailbox and its capabilities."""

    def __init__(self, network: Network, kind: MailboxKind) -> None:
        rng = network.rng
        self.kind = kind
        self.place = rng.randbytes(16)
        self.admin, self.get, self.put = (self.place + rng.randbytes(16) for _ in range(3))

    def create(self) -> Create:
        rights = ((self.admin, Right.ADMIN), (self.get, Right.GET), (self.put, Right.PUT))
        grants = tuple(Grant(capability_hash(capability), right) for capability, right in rights)
        return Create(self.kind, grants, place=self.place)


class Person:
    """Asks one thing at a time of whoever seems to lead a place."""

    def __init__(self, network: Network, place: bytes) -> None:
        self.network = network
        self.place = place
        self._node: bytes | None = None
        self._tried = 0
        self._call = 0
        self.session: Session | None = None

    async def ask(self, request: Request) -> Response:
        """Again and again, until there is an answer that stands."""
        while True:
            response = await self.try_once(request)
            if response is not None:
                return response

    async def try_once(self, request: Request, call: int | None = None) -> Response | None:
        """None: no answer, or one that means to ask again, perhaps another."""
        network = self.network
        node = network.nodes[self._node or self._next()]
        self._node = node.key
        await asyncio.sleep(network.rng.uniform(0.001, network.weather.delay))
        if not node.up or network.weather.cut(node.key, b"people") or network.rng.random() < network.weather.loss:
            await asyncio.sleep(network.rng.uniform(0.1, PATIENCE_S))
            self._node = self._next()
            return None
        session = self._session(node)
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def respond(response: Response) -> None:
            if session.alive and not answered.done():
                answered.set_result(response)

        self._call += 1
        assert node.swarm is not None
        node.swarm.handle(session, self._call if call is None else call, request, respond)
        try:
            async with asyncio.timeout(PATIENCE_S):
                response = await answered
        except TimeoutError:
            self._node = self._next()
            return None
        if network.rng.random() < network.weather.loss:
            return None  # the answer was lost
        if isinstance(response, Refusal) and response.code == RefusalCode.MOVED:
            self._node = response.detail
            await asyncio.sleep(0.05)
            return None
        if isinstance(response, Refusal) and response.code in _AGAIN:
            await asyncio.sleep(network.rng.uniform(0.1, 0.6))
            if network.rng.random() < 0.3:
                self._node = self._next()
            return None
        return response

    def got(self, frame: ServerFrame) -> None:
        """Of a subscription."""

    def _session(self, node: Node) -> Session:
        if self.session is None or not self.session.alive or self.session.node is not node:
            if self.session is not None:
                self.session.close()
            self.session = Session(self.network, node, self.got)
        return self.session

    def _next(self) -> bytes:
        nodes = swarm_of(self.network.current, self.place, REPLICAS)
        self._tried += 1
        return nodes[(self._tried - 1) % len(nodes)].key


def delivered(frame: ServerFrame, call: int) -> Delivery | None:
    return frame if isinstance(frame, Delivery) and frame.id == call else None


def ended(frame: ServerFrame, call: int) -> bool:
    return isinstance(frame, Reply) and frame.id == call and isinstance(frame.response, Refusal)
