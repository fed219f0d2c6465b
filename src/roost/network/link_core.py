"""One link as the client sees it, without I/O: frames and `now` go in, frames and events come out.

It decides what a frame from the relay means: the hello that proves the relay, replies to calls by their ids, deliveries
to subscriptions, replies out of an onion network, goodbye; and when a silent relay is to be asked (heart-beat) and when
given up. It does not decide when to connect again (`keeper`), how long a caller waits for a reply (`link`), or what an
envelope holds.

    WAITING --hello, proven--> OPEN --goodbye--> LEAVING
       \\________________________\\__________________\\____ anything wrong, silence, end of the carrier --> OVER
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from roost.errors import Unreachable, WireError
from roost.network.answers import fits
from roost.network.errors import TRY_AGAIN, NotARelay, answered_wrongly, link_lost, no_answer
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    AttachOnion,
    Call,
    Delivery,
    Goodbye,
    Hello,
    OnionArrival,
    Ping,
    RelayInfo,
    Reply,
    Request,
    Response,
    ServerFrame,
    SignedInfo,
    Subscribe,
    Subscribed,
)

_LAST_CALL = 2**32 - 1


@dataclass(frozen=True)
class LinkTiming:
    """How patient a link is, in seconds."""

    hello_s: float = 5.0  # for the relay's first frame
    idle_s: float = 40.0  # silence after which a quiet relay is asked for a sign of life; NATs forget after a minute
    waiting_s: float = 4.0  # ... while a call waits for its reply
    answer_s: float = 6.0  # silence after that question that ends the link


class LinkState(enum.Enum):
    WAITING = "waiting"  # for the hello; nothing may be sent
    OPEN = "open"
    LEAVING = "leaving"  # the relay said goodbye: replies that are due may still come, nothing new is asked
    OVER = "over"


@dataclass(frozen=True)
class _Pending:
    """A call without its reply; the request itself is not kept, it may be large."""

    kind: type[Request]
    size: int
    heart_beat: bool  # ours: its reply is nobody's event


@dataclass(frozen=True)
class Opened:
    """The relay has proven its key."""

    info: RelayInfo
    signed: SignedInfo


@dataclass(frozen=True)
class Answered:
    call: int
    response: Response


@dataclass(frozen=True)
class Delivered:
    """An envelope for the subscription that `call` opened."""

    call: int
    number: int
    envelope: bytes


@dataclass(frozen=True)
class Over:
    """The link can no longer be used; the last event. After a goodbye, `retry_after_ms` is when to come back."""

    error: Unreachable
    retry_after_ms: int = 0


LinkEvent = Opened | Answered | Delivered | OnionArrival | Over
Prover = Callable[[SignedInfo], RelayInfo]


class LinkCore:
    """The state of one link. `prover` checks the relay's statement: `identity.prove` with address and certificate."""

    def __init__(self, prover: Prover, now: float, timing: LinkTiming | None = None) -> None:
        self.state = LinkState.WAITING
        self.in_flight = 0  # bytes of calls that wait for their replies
        self.dropped = 0  # frames that came too late for an abandoned call or a closed subscription
        self._prover = prover
        self._timing = timing or LinkTiming()
        self._calls: dict[int, _Pending] = {}
        self._subscriptions: set[int] = set()  # calls whose deliveries are wanted
        self._attached = False  # a token was given, for which replies may come
        self._next_call = 1
        self._retry_after_ms = 0
        self._heard_at = now
        self._calling_since = now
        self._asked_at: float | None = None  # when a heart-beat went out that nothing has answered yet
        self._outgoing: list[bytes] = []
        self._events: list[LinkEvent] = []

    # --- what the person's side does ----------------------------------------------------------------------------------

    def call(self, request: Request, now: float) -> int:
        """Send `request`; returns the id under which `Answered` will come.

        Raises:
            Unreachable: the link takes no calls (any more).
        """
        if self._next_call > _LAST_CALL:
            self._end(link_lost())
        if self.state is not LinkState.OPEN:
            raise link_lost()
        return self._send(request, now)

    def _send(self, request: Request, now: float, *, heart_beat: bool = False) -> int:
        call, self._next_call = self._next_call, self._next_call + 1
        if not self._calls:
            self._calling_since = now
        frame = encode(Call(call, request))
        self._calls[call] = _Pending(type(request), len(frame), heart_beat)
        self.in_flight += len(frame)
        if isinstance(request, Subscribe):
            self._subscriptions.add(call)
        if isinstance(request, AttachOnion):
            self._attached = True
        self._outgoing.append(frame)
        return call

    def abandon(self, call: int) -> None:
        """Nobody waits for this call's reply any more, nor for its deliveries."""
        self._pop(call)
        self._subscriptions.discard(call)
        self._leave_when_done()

    # --- what the carrier does ----------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now: float) -> None:
        """A frame arrived. Whatever it holds, nothing is raised: a bad one ends the link."""
        if self.state is LinkState.OVER:
            return
        self._heard_at, self._asked_at = now, None
        try:
            self._handle(decode(ServerFrame, frame))  # type: ignore[arg-type]
        except WireError:
            self._end(self._broken())
        except Unreachable as error:
            self._end(error)

    def lost(self, malformed: bool = False) -> None:
        """The carrier is gone."""
        self._end(self._broken() if malformed else link_lost())

    # --- what the clock does ------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When to call `tick`, or None when the link is over."""
        if self.state is LinkState.OVER:
            return None
        if self.state is LinkState.WAITING:
            return self._heard_at + self._timing.hello_s
        if self._asked_at is not None:
            return self._asked_at + self._timing.answer_s
        idle = self._heard_at + self._timing.idle_s
        if not self._calls:
            return idle
        return min(idle, max(self._heard_at, self._calling_since) + self._timing.waiting_s)

    def tick(self, now: float) -> None:
        """Let time pass: ask a silent relay for a sign of life, or give it up."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        if self.state is LinkState.WAITING or self._asked_at is not None or self.state is LinkState.LEAVING:
            self._end(no_answer())
            return
        self._asked_at = now
        self._send(Ping(), now, heart_beat=True)

    # --- what comes out -----------------------------------------------------------------------------------------------

    def outgoing(self) -> list[bytes]:
        """Frames to send, in order."""
        frames, self._outgoing = self._outgoing, []
        return frames

    def events(self) -> list[LinkEvent]:
        events, self._events = self._events, []
        return events

    # --- inside -------------------------------------------------------------------------------------------------------

    def _handle(self, frame: ServerFrame) -> None:
        match self.state, frame:
            case LinkState.WAITING, Hello(signed):
                info = self._prover(signed)
                self.state = LinkState.OPEN
                self._events.append(Opened(info, signed))
            case ((LinkState.OPEN | LinkState.LEAVING), Reply(call, response)):
                self._reply(call, response)
            case ((LinkState.OPEN | LinkState.LEAVING), Delivery(call, number, envelope)):
                self._delivery(call, number, envelope)
            case ((LinkState.OPEN | LinkState.LEAVING), OnionArrival()) if self._attached:
                self._events.append(frame)
            case _, Goodbye(retry_after_ms):
                self._retry_after_ms = retry_after_ms
                self.state = LinkState.LEAVING
                self._leave_when_done()
            case _:
                raise self._broken()

    def _reply(self, call: int, response: Response) -> None:
        pending = self._pop(call)
        if pending is None:
            self._late(call)
            return
        if not fits(pending.kind, response):
            raise answered_wrongly()
        if not isinstance(response, Subscribed):
            self._subscriptions.discard(call)
        if not pending.heart_beat:
            self._events.append(Answered(call, response))
        self._leave_when_done()

    def _pop(self, call: int) -> _Pending | None:
        pending = self._calls.pop(call, None)
        if pending is not None:
            self.in_flight -= pending.size
        return pending

    def _leave_when_done(self) -> None:
        if self.state is LinkState.LEAVING and not self._calls:
            self._end(Unreachable("The relay is restarting.", hint=TRY_AGAIN))

    def _delivery(self, call: int, number: int, envelope: bytes) -> None:
        if call in self._subscriptions:
            self._events.append(Delivered(call, number, envelope))
        else:
            self._late(call)

    def _late(self, call: int) -> None:
        """For a call that nobody waits for any more: dropped. For one that was never made: not a relay's doing."""
        if not 0 < call < self._next_call:
            raise answered_wrongly()
        self.dropped += 1

    def _broken(self) -> NotARelay:
        if self.state is LinkState.WAITING:
            return NotARelay("What answers at the relay's address does not speak as a relay does.")
        return answered_wrongly()

    def _end(self, error: Unreachable) -> None:
        if self.state is not LinkState.OVER:
            self.state = LinkState.OVER
            self._calls.clear()
            self.in_flight = 0
            self._subscriptions.clear()
            self._outgoing.clear()
            self._events.append(Over(error, self._retry_after_ms))
