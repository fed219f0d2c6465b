"""A relay as a node of an onion network: what it does with packets, clients' links, other nodes and the directory.

The relay asks it first for what concerns the network; mailboxes are the swarm's business (relay.onion.swarm), who is in
the network the directory's (network.onion.directory, relay.onion.authority). Nothing here waits inside `handle`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from roost.crypto import Entropy, SigningKey
from roost.crypto.onion import Arrived, Cover, ForClient, Forwarded, Unwrapped, use_reply_block
from roost.errors import CryptoError, SurroundingsError
from roost.relay.core.admission import NetworkNonces, TokenAdmission, WorkAdmission
from roost.relay.core.limits import Limits, TokenBucket
from roost.relay.core.onion_packets import NODE_WEIGHT, Dropped, NodeKeys, Source, newest_key, pace
from roost.relay.core.refusal import RefusedRequest
from roost.relay.core.tokens import Paces, Tokens
from roost.relay.onion.describing import Describing
from roost.relay.onion.keys import KeyFiles
from roost.relay.onion.mixing import CAPACITY, Mixing
from roost.relay.onion.peers import Dial, Peers, check_proof
from roost.relay.onion.sessions import Host, Sessions
from roost.relay.server.service import Outgoing, Peer, Respond
from roost.wire.addresses import OnionHost, RelayAddress
from roost.wire.codec import encode
from roost.wire.mailbox import (
    AttachOnion,
    Done,
    OnionArrival,
    OnionPacket,
    ProveNode,
    Refusal,
    RefusalCode,
    Request,
    SwarmAnswer,
    SwarmCall,
)
from roost.wire.onion import MAX_ADMISSION_BITS, Consensus, NetworkDocument

_log = logging.getLogger("roost.relay")
_SWARM_CALLS = 2_048  # under way at one time
_BUSY_RETRY_MS = 100
_DRAINING_RETRY_MS = 2_000
_NODE_REQUESTS = 50_000.0  # a second, over another node's link: its packets take turns anyway
_UPKEEP_S = 5.0
_TELL_S = 1.0
_LOOK_S = 10.0  # a clock that was set is noticed within this time
_DRAIN_S = 1.5


class Swarms(Host, Protocol):
    """Who keeps mailboxes together with other nodes (relay.onion.swarm)."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def on_consensus(self, current: Consensus, previous: Consensus | None) -> None: ...

    async def message(self, node: bytes, body: bytes) -> bytes: ...


@dataclass(frozen=True)
class Place:
    """Where the relay stands in which network."""

    network: OnionHost
    address: RelayAddress
    operator: str
    folder: Path


@dataclass(frozen=True)
class Surroundings:
    """What the relay lends."""

    own: SigningKey
    outgoing: Outgoing
    dial: Dial
    limits: Limits
    entropy: Entropy
    clock: Callable[[], float]
    broken: Callable[[SurroundingsError], None]
    """Told when a storage cannot go on."""


class OnionNode:
    """`start`, `drain` and `close` once each."""

    def __init__(
        self, document: NetworkDocument, place: Place, given: Surroundings, swarms: Callable[[Peers], Swarms]
    ) -> None:
        own, clock, limits = given.own, given.clock, given.limits
        self.document = document
        self._place = place
        self._given = given
        self._clock = clock
        self._files = KeyFiles(place.folder / "keys", own.public.raw, given.entropy)
        self.packets: Counter[str] = Counter()
        self.dropped_packets: Counter[str] = Counter()
        self._keys: NodeKeys = self._files.open(document.period(clock()))
        self.peers = Peers(own, given.dial, clock, self._dropped)
        self._pace = pace(limits.remembered_packets, document.period_s, clock())
        self._pace.take(min(self._keys.remembered, limits.remembered_packets // 4), clock())  # it was so before
        self._paces = Paces(limits.packets_per_second, limits.packet_burst)
        self.mixing = Mixing(self._open, self._hand_on, self._dropped, lambda count: self._pace.take(count, clock()))
        self.swarm = swarms(self.peers)
        self._nonces = NetworkNonces()
        bits = min(limits.work_bits, MAX_ADMISSION_BITS)
        self.admission = TokenAdmission(self._nonces, bits, own.public.raw)
        self.clients: Tokens[Peer] = Tokens()
        self.sessions = Sessions(
            self.swarm,
            given.outgoing,
            WorkAdmission(self._nonces, bits),
            limits,
            document.period_s,
            self._reply,
            self._dropped,
            clock,
        )
        self._consensus: Consensus | None = None
        self._nodes: frozenset[bytes] = frozenset()
        self._proven: dict[Peer, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._self = Source(own.public.raw, NODE_WEIGHT)
        self._draining = False

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self.swarm.open()
        self.mixing.start()
        self._start(self._upkeep())
        self._start(self._describe())

    def on_consensus(self, consensus: Consensus, previous: Consensus | None) -> None:
        """The network as it is from now on, and as it was before."""
        self._consensus = consensus
        listed = [*consensus.nodes, *(previous.nodes if previous is not None else ())]
        self._nodes = frozenset(node.key for node in listed)  # not all change over at the same moment
        if previous is not None and previous.period + 1 == consensus.period:
            self._nonces.renew(previous.shared_random)  # after a restart, what was under way goes on
        self._nonces.renew(consensus.shared_random)
        self.peers.on_directory(consensus, previous)
        self.swarm.on_consensus(consensus, previous)

    async def drain(self) -> None:
        """Take nothing new, send sessions away, and hand on what needs no waiting."""
        self._draining = True
        self.sessions.goodbye(_DRAINING_RETRY_MS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while self.mixing.waiting or self.peers.waiting:  # noqa: ASYNC110 - for a moment
                    await asyncio.sleep(0.02)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.mixing.close()
        await self.swarm.close()
        await self.peers.close()
        self._files.close()

    # --- what comes over links --------------------------------------------------------------------------------------

    def handle(self, link: Peer, request: Request, respond: Respond) -> None:
        """A request that concerns the network. Raises RefusedRequest."""
        match request:
            case OnionPacket():
                self._take(link, request.packet)
                respond(Done())
            case AttachOnion():
                self.clients.attach(link, request.token, self.admission.admit(request, self._clock()))
                respond(Done())
            case ProveNode():
                check_proof(request, self._self.name, self._clock())
                self._proven[link] = request.node
                if self._node(link) is not None:
                    link.client.requests = TokenBucket(_NODE_REQUESTS, _NODE_REQUESTS * 4, self._clock())
                respond(Done())
            case SwarmCall():
                self._swarm_call(link, request, respond)
            case _:
                raise RefusedRequest(RefusalCode.UNSUPPORTED)

    def dropped(self, link: Peer) -> None:
        """The link is over, and what it was attached to with it."""
        self._proven.pop(link, None)
        self.clients.detach(link)

    def _take(self, link: Peer, packet: bytes) -> None:
        if self._draining:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=_DRAINING_RETRY_MS)
        if not self.mixing.offer(self._source(link), packet):
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=_BUSY_RETRY_MS)

    def _source(self, link: Peer) -> Source:
        """Whose turn a packet from this link takes. Raises RefusedRequest: work_needed, slow_down."""
        node = self._node(link)
        if node is not None:
            return Source(node, NODE_WEIGHT)
        now = self._clock()
        token = self.clients.share(link, self.admission.valid(now))
        if token is None:
            raise self.admission.needed(now)
        wait_ms = self._paces.take(token, now)
        if wait_ms:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=max(_BUSY_RETRY_MS, wait_ms))
        return Source(token)

    def _swarm_call(self, link: Peer, request: SwarmCall, respond: Respond) -> None:
        async def answer(node: bytes) -> None:
            try:
                respond(SwarmAnswer(await self.swarm.message(node, request.body)))
            except (SurroundingsError, ValueError):
                respond(Refusal(RefusalCode.INTERNAL))

        node = self._node(link)
        if node is None:
            raise RefusedRequest(RefusalCode.DENIED)
        if len(self._tasks) >= _SWARM_CALLS or self._draining:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=_BUSY_RETRY_MS)
        self._start(answer(node))

    def _node(self, link: Peer) -> bytes | None:
        """The node that calls over this link, if it is one of the network."""
        node = self._proven.get(link)
        return node if node in self._nodes else None

    # --- packets ----------------------------------------------------------------------------------------------------

    def _open(self, packet: bytes) -> Unwrapped:
        return self._keys.open(packet, newest_key(self._clock(), self.document.period_s), self._given.entropy)

    def _hand_on(self, source: Source, opened: Unwrapped) -> None:
        match opened.outcome:
            case Forwarded(node, packet):
                self.packets["forwarded"] += 1
                self.peers.forward(node, packet, source)
            case Arrived(payload):
                self.packets["delivered"] += 1
                self.sessions.arrived(payload)
            case ForClient(token, reply_id, payload):
                self._to_client(token, OnionArrival(reply_id, payload))
            case Cover():
                self.packets["cover"] += 1

    def _to_client(self, token: bytes, arrival: OnionArrival) -> None:
        link = self.clients.link(token)
        if link is None:
            self._dropped(Dropped.NO_CLIENT)
        elif not link.writable:
            self._dropped(Dropped.CLIENT_SLOW)
        else:
            self.packets["to_client"] += 1
            link.send(encode(arrival))

    def _reply(self, block: bytes, payload: bytes) -> None:
        try:
            node, packet = use_reply_block(block, payload, self._given.entropy)
        except CryptoError:
            self._dropped(Dropped.NO_SESSION)
            return
        if node == self._self.name:
            self._dropped(Dropped.SELF_LOOP)
        else:
            self.packets["sent"] += 1
            self.peers.forward(node, packet, self._self)

    def _dropped(self, reason: str) -> None:
        self.dropped_packets[reason] += 1

    # --- upkeep -----------------------------------------------------------------------------------------------------

    async def _upkeep(self) -> None:
        while True:
            self.sessions.upkeep()
            self.peers.close_idle()
            self._paces.forget(self._clock())
            self.admission.look(self.mixing.waiting / CAPACITY)
            await asyncio.sleep(_UPKEEP_S)

    async def _describe(self) -> None:
        """Make each period's keys and tell the authorities, until each was told."""
        place, given, pause_s, period = self._place, self._given, _TELL_S, -1
        word = Describing(self.document, given.own, place.address, place.operator, self._keys, given.dial)
        while True:
            now = self.document.period(self._clock())
            if now != period:
                try:
                    self._files.rotate(self._keys, now)
                except SurroundingsError as error:  # a full disk, most likely
                    _log.warning("packet keys of the onion node not renewed: %s", error.message)
                    await asyncio.sleep(_LOOK_S)
                    continue
                period, pause_s = now, _TELL_S
                word.begin(period)
            if not word.told:
                await word.tell()
                pause_s = min(pause_s * 2, max(_TELL_S, self.document.period_s / 20))
            ends_in = (period + 1) * self.document.period_s - self._clock()
            await asyncio.sleep(min(_LOOK_S if word.told else pause_s, max(0.0, ends_in) + 0.01))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("internal error in an onion node", exc_info=task.exception())
