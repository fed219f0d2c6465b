"""A node's end of sessions: requests that come in packets, and answers and deliveries over their senders' reply blocks.

To the relay's service a session is a link (`Peer`) that takes as much as it has reply blocks for. Packets get lost and
come in any order, so a client repeats each call until it has its answer: a call that is being answered is not begun
twice, and the last answers are kept to be given again. It decides nothing about mailboxes; the node that leads a
mailbox's swarm does (`Host`). Everything is bounded; a session that nothing is heard of for long is forgotten.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from heapq import nlargest
from typing import Protocol

from roost.crypto.onion import ONION_DATA
from roost.errors import WireError
from roost.relay.core.admission import Client, WorkAdmission
from roost.relay.core.limits import Limits, TokenBucket
from roost.relay.core.onion_packets import Dropped
from roost.relay.core.operations import AppendEntry
from roost.relay.core.refusal import RefusedRequest
from roost.relay.core.subscriptions import Subscription
from roost.relay.server.delivery import Subscriber
from roost.relay.server.service import Outgoing, Peer, Respond
from roost.wire.calls import MalformedCall, decode_call, delivery_head
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    Call,
    Create,
    Done,
    Forward,
    GetInfo,
    Goodbye,
    Ping,
    PutCard,
    Refusal,
    RefusalCode,
    Reply,
    Request,
    Response,
    Subscribe,
    Unsubscribe,
)
from roost.wire.onion import SessionDown, SessionUp, place_of

SESSION_DATA = ONION_DATA - 48  # of a frame in one packet; the rest is what `SessionDown` adds at most
MAX_SESSIONS = 16_384
MAX_BYTES = 256 * 1024**2  # of all sessions
QUIET_S = 300.0  # after which a session that waits for nothing is forgotten
_PACE = 0.1  # of what a link may ask
_AGAIN_S = 15.0  # a call without an answer for so long is begun once more
_SUBSCRIPTIONS = 64  # of one session, which is for one place
_SUBSCRIPTION_BYTES = 512
_ROOM = 1 / 256  # of all sessions end together when there are too many, so that it is seldom
_FORWARDS = 256  # of all sessions, under way to relays
_FORWARD_PACE = 0.5  # of all sessions together, of what one link may
_FORWARD_RETRY_MS = 2_000
_BLOCKS = 96  # of one session: 350 KB
_PARTIAL = 8  # messages of one session of which parts are missing
_PARTIAL_S = 60.0
_KEPT = 64  # answers that are kept to be repeated ...
_KEPT_BYTES = 256 * 1024  # ... and their size
_OUT_BYTES = 512 * 1024  # of what waits for reply blocks; beyond that no more is begun for a session

SendReply = Callable[[bytes, bytes], None]
"""Send a payload over a reply block."""


class Host(Protocol):
    """Who answers for mailboxes."""

    def handle(self, session: Peer, call: int, request: Request, respond: Respond) -> None: ...

    def resume(self, session: Peer) -> None:
        """It takes more again."""

    def dropped(self, session: Peer) -> None:
        """It is over."""


class Sessions:
    """All sessions of this node. `limits` are a link's, of which each has a part; `clock` is seconds since 1970; reply
    blocks last `period_s`."""

    def __init__(
        self,
        host: Host,
        outgoing: Outgoing,
        admission: WorkAdmission,
        limits: Limits,
        period_s: int,
        reply: SendReply,
        dropped: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._host = host
        self._outgoing = outgoing
        self._admission = admission
        self._limits = replace(
            limits,
            requests_per_second=limits.requests_per_second * _PACE,
            request_burst=limits.request_burst * _PACE,
            forwards_per_second=limits.forwards_per_second * _PACE,
            forward_burst=limits.forward_burst * _PACE,
        )
        self._period_s = period_s
        self._reply = reply
        self._dropped = dropped
        self.clock = clock
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()  # the one longest unheard of first
        pace, burst = limits.forwards_per_second * _FORWARD_PACE, limits.forward_burst * _FORWARD_PACE
        self._forwards = TokenBucket(pace, burst, clock())
        self._forwarding = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def arrived(self, payload: bytes) -> None:
        """A packet's payload that ends here."""
        try:
            up = decode(SessionUp, payload)
        except WireError:
            self._dropped(Dropped.NO_SESSION)
            return
        session = self._sessions.get(up.session)
        if session is None:
            if not up.data:  # a top-up of what is forgotten: its client must begin anew
                self._unknown(up)
                return
            if len(self._sessions) >= MAX_SESSIONS:
                self._make_room(max(1, int(MAX_SESSIONS * _ROOM)))
            client = Client(self._limits, self.clock())
            session = self._sessions[up.session] = Session(up.session, client, self._reply, self._period_s, self.clock)
        self._sessions.move_to_end(up.session)
        session.heard(up.blocks)
        if up.data:
            message = session.gather(up)
            if message is not None:
                self._message(session, message)
        if session.stalled and session.writable:
            self._host.resume(session)

    def upkeep(self) -> None:
        """Forget who is gone; called every few seconds."""
        now = self.clock()
        for session in tuple(self._sessions.values()):
            session.tidy(now)
            patience = self._period_s + 60.0 if session.subscriptions else QUIET_S
            if now - session.heard_at > patience:
                self._forget(session)
        self._make_room_for_bytes(sum(session.size for session in self._sessions.values()))

    def goodbye(self, retry_after_ms: int) -> None:
        """The node is about to stop: every session ends."""
        for session in tuple(self._sessions.values()):
            session.send(encode(Goodbye(retry_after_ms)))
            self._forget(session)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _message(self, session: Session, message: bytes) -> None:
        try:
            call = decode_call(message)
        except MalformedCall as error:
            if error.call is not None:
                session.send(encode(Reply(error.call, Refusal(RefusalCode.BAD_REQUEST))))
            return
        if session.begins(call):
            self._handle(session, call)

    def _handle(self, session: Session, call: Call) -> None:
        request = call.request
        respond = partial(session.respond, call)
        try:
            match request:
                case Ping():
                    respond(Done())
                case Forward():
                    self._forward(partial(self._outgoing.forward, request, session.client), respond)
                case GetInfo() if request.of is not None:
                    self._forward(partial(self._outgoing.info_of, request, session.client), respond)
                case Subscribe() if len(session.subscriptions.keys() - {call.id}) >= _SUBSCRIPTIONS:
                    raise RefusedRequest(RefusalCode.FULL)
                case Create() | PutCard():
                    self._admission.admit_creation(session.client, request, self.clock())
                    self._host.handle(session, call.id, request, respond)
                case _ if place_of(request) is not None or isinstance(request, Unsubscribe):
                    self._host.handle(session, call.id, request, respond)
                case _:
                    raise RefusedRequest(RefusalCode.UNSUPPORTED)
        except RefusedRequest as error:
            respond(error.refusal)

    def _unknown(self, up: SessionUp) -> None:
        for block in up.blocks[:1]:
            self._reply(block, encode(SessionDown(up.session, 1, 0, 1, encode(Goodbye(0)), 0)))

    def _forward(self, ask: Callable[[Respond], None], respond: Respond) -> None:
        """What leads to a relay. Sessions are free, so all together have one pace, and leave the relay's own people
        most of its forwarder."""
        wait_ms = _FORWARD_RETRY_MS if self._forwarding >= _FORWARDS else self._forwards.take(1.0, self.clock())
        if wait_ms:
            raise RefusedRequest(RefusalCode.SLOW_DOWN, retry_after_ms=wait_ms)

        def answered(response: Response) -> None:
            self._forwarding -= 1
            respond(response)

        self._forwarding += 1
        try:
            ask(answered)
        except RefusedRequest:
            self._forwarding -= 1
            raise

    def _make_room(self, count: int) -> None:
        for session in self._first_to_go(count):
            self._forget(session)

    def _make_room_for_bytes(self, size: int) -> None:
        if size <= MAX_BYTES:
            return
        for session in self._first_to_go(len(self._sessions)):
            if size <= MAX_BYTES:
                return
            size -= session.size
            self._forget(session)

    def _first_to_go(self, count: int) -> list[Session]:
        """Who waits for nothing goes before who does: to wait, one must have a mailbox. Of these, those at the mailbox
        at which most wait: with one mailbox nobody keeps out who has another. Else the one longest unheard of."""
        sessions = self._sessions.values()
        waiting = Counter(mailbox for session in sessions for mailbox in session.mailboxes)

        def crowd(session: Session) -> float:
            return min((waiting[mailbox] for mailbox in session.mailboxes), default=math.inf)

        return nlargest(count, sessions, key=crowd)

    def _forget(self, session: Session) -> None:
        del self._sessions[session.id]
        session.closed = True
        self._host.dropped(session)


class Session:
    """One session: a `Peer` of the service."""

    def __init__(self, id_: bytes, client: Client, reply: SendReply, period_s: int, clock: Callable[[], float]) -> None:
        self.id = id_
        self.client = client
        self.hashes: dict[bytes, bytes] = {}
        self.subscriptions: dict[int, Subscription[Subscriber]] = {}
        self.stalled = False
        self.closed = False
        self.source = ""  # it has no address
        self.heard_at = clock()
        self._send_reply = reply
        self._period_s = period_s
        self._clock = clock
        self._blocks: deque[tuple[float, bytes]] = deque()  # the oldest first
        self._block_bytes = 0
        self._partial: OrderedDict[int, _Partial] = OrderedDict()
        self._begun: dict[int, float] = {}
        self._kept: OrderedDict[int, tuple[int, bytes]] = OrderedDict()  # by call: its number, the frame
        self._kept_bytes = 0
        self._sent = 0
        self._out: deque[tuple[int, int, int, bytes]] = deque()
        self._out_bytes = 0

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        held = self._block_bytes + self._kept_bytes + self._out_bytes
        parts = sum(part.size for part in self._partial.values())
        return 2_048 + held + parts + len(self.subscriptions) * _SUBSCRIPTION_BYTES

    @property
    def mailboxes(self) -> set[int]:
        """That it is subscribed to."""
        return {subscription.mailbox for subscription in self.subscriptions.values()}

    # --- from the client --------------------------------------------------------------------------------------------

    def heard(self, blocks: Iterable[bytes]) -> None:
        """Something came, with these reply blocks."""
        self.heard_at = self._clock()
        for block in blocks:
            self._blocks.append((self.heard_at, block))
            self._block_bytes += len(block)
            if len(self._blocks) > _BLOCKS:
                self._take_block()
        self._pump()

    def gather(self, up: SessionUp) -> bytes | None:
        """The message, once all its parts are there."""
        if up.parts == 1:
            return up.data
        partial_ = self._partial.get(up.message)
        if partial_ is None or partial_.parts != up.parts:
            partial_ = self._partial[up.message] = _Partial(up.parts, self._clock())
            if len(self._partial) > _PARTIAL:
                self._partial.popitem(last=False)
        if up.part < up.parts:
            partial_.add(up.part, up.data)
        if len(partial_.data) < up.parts:
            return None
        self._partial.pop(up.message, None)
        return b"".join(partial_.data[part] for part in range(up.parts))

    def begins(self, call: Call) -> bool:
        """Whether a call is to be handled: it is not being answered already, and was not answered lately."""
        kept = self._kept.get(call.id)
        if kept is not None:
            if kept[0] not in {number for number, *_ in self._out}:  # under the same number: parts that came count
                self._send(*kept)
            return False
        now = self._clock()
        if now - self._begun.get(call.id, now - _AGAIN_S) < _AGAIN_S or self._out_bytes > _OUT_BYTES:
            return False
        self._begun[call.id] = now
        return True

    def respond(self, call: Call, response: Response) -> None:
        """A refusal, and the begin of a subscription, are not kept: what they depend on changes."""
        self._begun.pop(call.id, None)
        if self.closed:
            return
        frame = encode(Reply(call.id, response))
        self.send(frame)
        if not isinstance(response, Refusal) and not isinstance(call.request, Subscribe):
            self._keep(call.id, frame)

    def tidy(self, now: float) -> None:
        """Forget what is too old to be of use."""
        self._begun = {call: since for call, since in self._begun.items() if now - since < _AGAIN_S}
        for message in [message for message, part in self._partial.items() if now - part.since > _PARTIAL_S]:
            del self._partial[message]

    # --- Peer -------------------------------------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        self._drop_old()
        return bool(self._blocks) and not self._out

    def send(self, frame: bytes) -> None:
        if not self.closed:
            self._sent += 1
            self._send(self._sent, frame)

    def _send(self, message: int, frame: bytes) -> None:
        parts = [frame[at : at + SESSION_DATA] for at in range(0, len(frame), SESSION_DATA)]
        self._out.extend((message, number, len(parts), part) for number, part in enumerate(parts))
        self._out_bytes += len(frame)
        self._pump()

    def deliver(self, call: int, operations: Sequence[AppendEntry]) -> None:
        for operation in operations:
            self.send(delivery_head(call, operation.entry.number) + operation.envelope)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        self._drop_old()
        while self._out and self._blocks:
            block = self._take_block()
            message, part, parts, data = self._out.popleft()
            self._out_bytes -= len(data)
            down = SessionDown(self.id, message, part, parts, data, len(self._blocks))
            self._send_reply(block, encode(down))

    def _drop_old(self) -> None:
        """A block lasts as long as its hops' keys, which is a period at least."""
        before = self._clock() - self._period_s
        while self._blocks and self._blocks[0][0] < before:
            self._take_block()

    def _take_block(self) -> bytes:
        _, block = self._blocks.popleft()
        self._block_bytes -= len(block)
        return block

    def _keep(self, call: int, frame: bytes) -> None:
        self._kept_bytes -= len(self._kept.pop(call, (0, b""))[1])
        self._kept[call] = self._sent, frame
        self._kept_bytes += len(frame)
        while len(self._kept) > _KEPT or self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1][1])


class _Partial:
    """A message of which parts are missing."""

    __slots__ = ("data", "parts", "since", "size")

    def __init__(self, parts: int, since: float) -> None:
        self.parts = parts
        self.since = since
        self.data: dict[int, bytes] = {}
        self.size = 0

    def add(self, part: int, data: bytes) -> None:
        self.size += len(data) - len(self.data.get(part, b""))
        self.data[part] = data
