"""Links to the other nodes of the network: one to each that is spoken with, proven both ways, and packets for it.

A node proves its key as any relay does; this one says who it is with `ProveNode`. What a node does not take (it is
down, or asks to slow down for long) waits in a bounded line, then is dropped: clients send again, on other paths. When
all lines together are full the longest gives way, so a node that takes nothing stops nobody else's packets.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial

from roost.crypto import Label, SigningKey, VerifyKey
from roost.errors import CryptoError, Refused, Unreachable
from roost.network import Link
from roost.relay.core.fair_queue import FairQueue, Lengths
from roost.relay.core.onion_packets import Dropped, Source
from roost.relay.core.refusal import RefusedRequest
from roost.wire.addresses import RelayAddress
from roost.wire.mailbox import OnionPacket, ProveNode, Refusal, RefusalCode, Request, Response
from roost.wire.onion import Consensus

IDLE_S = 180.0  # a link that nobody used
CALL_S = 15.0
PROOF_S = 600  # how far clocks may differ
_LINE = 512  # packets that wait for one node: 6 MB
_SHARE = 128  # of one client's
_LINES = 8_192  # packets that wait for all nodes: 100 MB
_WINDOW = 128  # packets to one node without an answer
_PATIENCE_S = 10.0  # for a node that does not take what waits for it, or does not answer
_LOOK_S = 1.0  # how often what is too old is looked for
_LONGEST_PAUSE_S = 5.0  # whatever a node asks for
_PAUSE_S = 0.5
_FIRST_PAUSE_S = 0.05

_Waiting = tuple[float, bytes]
"""Since when a packet waits, and the packet."""
Dial = Callable[[RelayAddress], Awaitable[Link]]


class UnknownNode(Unreachable):
    """No node of the network has this key."""

    def __init__(self) -> None:
        super().__init__("The network has no such node.")


def proof(own: SigningKey, callee: bytes, now: float) -> ProveNode:
    """Says to the node with the key `callee` who calls it."""
    issued = int(now)
    return ProveNode(own.public.raw, issued, own.sign(Label.ONION_PROOF, _statement(callee, issued)))


def check_proof(request: ProveNode, own: bytes, now: float) -> None:
    """Raises RefusedRequest: denied."""
    try:
        if abs(now - request.issued) > PROOF_S:
            raise CryptoError("an old proof")
        statement = _statement(own, request.issued)
        VerifyKey(request.node).verify(Label.ONION_PROOF, statement, request.signature)
    except CryptoError as error:
        raise RefusedRequest(RefusalCode.DENIED) from error


def _statement(callee: bytes, issued: int) -> bytes:
    return callee + issued.to_bytes(8, "big")


class Peers:
    """`dial` connects to a relay's address; `dropped` is told the reason of each packet that was not taken."""

    def __init__(self, own: SigningKey, dial: Dial, clock: Callable[[], float], dropped: Callable[[str], None]) -> None:
        self._own = own
        self._dial = dial
        self._clock = clock
        self._dropped = dropped
        self._addresses: dict[bytes, RelayAddress] = {}
        self._peers: dict[bytes, _Peer] = {}
        self._lines = _Lines()
        self._closing: set[asyncio.Task[None]] = set()

    def on_directory(self, consensus: Consensus, previous: Consensus | None) -> None:
        """These are the nodes from now on. Packets and reply blocks may still lead to those of before."""
        before = previous.nodes if previous is not None else ()
        self._addresses = {node.key: node.address for node in (*before, *consensus.nodes)}
        for key, peer in tuple(self._peers.items()):
            if self._addresses.get(key) != peer.address:
                self._discard(key)

    def knows(self, node: bytes) -> bool:
        return node in self._addresses

    async def send(self, node: bytes, request: Request) -> Response:
        """Ask another node. Raises Unreachable (UnknownNode), Refused."""
        return await self._peer(node).call(request)

    def forward(self, node: bytes, packet: bytes, source: Source) -> None:
        """Have a packet taken by another node, if it can be done."""
        try:
            self._peer(node).forward(packet, source)
        except UnknownNode:
            self._dropped(Dropped.NO_NODE)

    @property
    def waiting(self) -> int:
        """Packets that no node has taken yet."""
        return sum(peer.waiting for peer in self._peers.values())

    @property
    def links(self) -> int:
        """Links that stand."""
        return sum(peer.usable for peer in self._peers.values())

    def close_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        for key, peer in tuple(self._peers.items()):
            if not peer.waiting and now - peer.used_at > IDLE_S:
                self._discard(key)

    async def close(self) -> None:
        for key in tuple(self._peers):
            self._discard(key)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _peer(self, node: bytes) -> _Peer:
        peer = self._peers.get(node)
        if peer is None:
            address = self._addresses.get(node)
            if address is None:
                raise UnknownNode
            peer = self._peers[node] = _Peer(address, self._connect, self._lines, self._dropped)
        return peer

    async def _connect(self, address: RelayAddress) -> Link:
        link = await self._dial(address)
        try:
            await link.call(proof(self._own, address.key, self._clock()), timeout_s=CALL_S)
        except BaseException:
            await link.close()
            raise
        return link

    def _discard(self, node: bytes) -> None:
        task = asyncio.create_task(self._peers.pop(node).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Lines:
    """The lines for all nodes, which hold `_LINES` packets together."""

    def __init__(self) -> None:
        self._waiting = 0
        self._lengths: Lengths[_Line] = Lengths()

    def moved(self, line: _Line, before: int) -> None:
        """It had `before` packets."""
        self._waiting += len(line) - before
        self._lengths.move(line, before, len(line))

    def make_room(self) -> None:
        """The newest packet of the longest line goes: nodes that take nothing are in nobody's way."""
        if self._waiting > _LINES:
            self._lengths.first().evict()


class _Line:
    """Packets for one node, in turns by who sent them."""

    def __init__(self, all_lines: _Lines, dropped: Callable[[str], None]) -> None:
        self._queue: FairQueue[Source, _Waiting] = FairQueue(_LINE, _SHARE, lambda _: dropped(Dropped.CROWDED))
        self._lines = all_lines
        self._dropped = dropped
        self._length = 0  # that all_lines knows of

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, source: Source, waiting: _Waiting) -> None:
        if self._queue.offer(source, waiting, source.weight):
            self._moved()
            self._lines.make_room()
        else:
            self._dropped(Dropped.CROWDED)

    def take(self) -> tuple[Source, _Waiting] | None:
        taken = self._queue.take()
        self._moved()
        return taken

    def evict(self) -> None:
        self._queue.evict()
        self._moved()

    def drop(self, before: float) -> None:
        """What has waited since before then is not handed over any more."""
        gone = self._queue.remove(lambda waiting: waiting[0] < before)
        self._moved()
        for _ in range(gone):
            self._dropped(Dropped.NODE_DOWN)

    def _moved(self) -> None:
        self._lines.moved(self, self._length)
        self._length = len(self)


class _Peer:
    """One other node: its link, made when there is something to say, and the packets in line for it."""

    def __init__(
        self,
        address: RelayAddress,
        connect: Callable[[RelayAddress], Awaitable[Link]],
        all_lines: _Lines,
        dropped: Callable[[str], None],
    ) -> None:
        self.address = address
        self._connect = connect
        self._dropped = dropped
        self._loop = asyncio.get_running_loop()
        self._link: asyncio.Task[Link] | None = None
        self._line = _Line(all_lines, dropped)
        self._under_way: dict[asyncio.Future[Response], float] = {}  # packets without an answer: since when each waits
        self._look: asyncio.TimerHandle | None = None
        self._closed = False
        self._paused_until = 0.0
        self._change = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.used_at = self._loop.time()

    @property
    def waiting(self) -> int:
        return len(self._line) + len(self._under_way)

    @property
    def usable(self) -> bool:
        return self._link is not None and _usable(self._link)

    def forward(self, packet: bytes, source: Source) -> None:
        self._line.add(source, (self._loop.time(), packet))
        self._change.set()
        self._watch()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="onion peer")

    async def call(self, request: Request) -> Response:
        """Raises Unreachable, Refused."""
        self.used_at = self._loop.time()
        try:
            async with asyncio.timeout(CALL_S):
                link = await self._linked()
                return await link.call(request, timeout_s=None)
        except TimeoutError as error:
            raise Unreachable("A node does not answer.") from error

    async def close(self) -> None:
        self._closed = True
        if self._look is not None:
            self._look.cancel()
        tasks = [task for task in (self._task, self._link) if task is not None]
        link = self._link.result() if self.usable and self._link is not None else None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._line.drop(math.inf)
        if link is not None:
            await link.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _linked(self) -> Link:
        """The link, made anew when there is none. Raises Unreachable."""
        if self._link is None or (self._link.done() and not _usable(self._link)):
            self._link = asyncio.create_task(self._made())
            self._link.add_done_callback(_retrieved)
        return await asyncio.shield(self._link)

    async def _made(self) -> Link:
        try:
            return await self._connect(self.address)
        except (Refused, RefusedRequest) as error:  # it does not take us for a node, or we may not connect there
            raise Unreachable("A node does not answer.") from error

    async def _work(self) -> None:
        """Hand packets over, `_WINDOW` at one time."""
        pause_s = _FIRST_PAUSE_S
        while True:
            self._change.clear()
            if not self._line or len(self._under_way) >= _WINDOW:
                await self._change.wait()
                continue
            wait_s = self._paused_until - self._loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            try:
                link = await self._linked()
                pause_s = _FIRST_PAUSE_S
            except Unreachable:
                await asyncio.sleep(pause_s)
                pause_s = min(_PAUSE_S, pause_s * 2)
                continue
            while link.usable and len(self._under_way) < _WINDOW and (taken := self._line.take()):
                self._hand_over(link, *taken)

    def _hand_over(self, link: Link, source: Source, waiting: _Waiting) -> None:
        self.used_at = self._loop.time()
        try:
            answer = link.post(OnionPacket(waiting[1]))
        except Unreachable:
            self._again(source, waiting)
            return
        self._under_way[answer] = waiting[0]
        answer.add_done_callback(partial(self._answered, source, waiting))

    def _answered(self, source: Source, waiting: _Waiting, answer: asyncio.Future[Response]) -> None:
        del self._under_way[answer]
        self._change.set()
        if (
            answer.cancelled() or answer.exception() is not None
        ):  # it may have come or not; a second copy would be dropped there as a replay
            self._again(source, waiting)
            return
        refusal = answer.result()
        if isinstance(refusal, Refusal):
            pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, refusal.retry_after_ms / 1_000))
            self._paused_until = self._loop.time() + pause_s
            self._again(source, waiting)

    def _again(self, source: Source, waiting: _Waiting) -> None:
        if self._closed or self._loop.time() - waiting[0] > _PATIENCE_S:
            self._dropped(Dropped.NODE_DOWN)
        else:
            self._line.add(source, waiting)

    def _watch(self) -> None:
        """While something waits."""
        if self._look is None and not self._closed:
            self._look = self._loop.call_later(_LOOK_S, self._drop_old)

    def _drop_old(self) -> None:
        """Whether it is in line or was handed over and not answered."""
        self._look = None
        before = self._loop.time() - _PATIENCE_S
        self._line.drop(before)
        for answer in [answer for answer, since in self._under_way.items() if since < before]:
            answer.cancel()
        if self.waiting:
            self._watch()


def _usable(task: asyncio.Task[Link]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None and task.result().usable


def _retrieved(task: asyncio.Task[Link]) -> None:
    """Whoever waited has the error."""
    if not task.cancelled():
        task.exception()
