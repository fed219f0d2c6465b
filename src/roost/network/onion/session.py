"""A client's end of one session: calls and subscriptions at one place, answered by whichever node leads there. Pure.

Packets get lost, come in any order, and nobody says so. A call is repeated on fresh paths until it has its answer,
which every request of the mailbox protocol allows; deliveries are handed on in the order in which the node numbered
them, and what stays missing is subscribed to again from the last that was handed on. A node that is silent, lies or
says `moved` is left for another member of the swarm, where a new session goes on with everything that is open.

    asked --answer--> done      asked --time--> asked again, on other paths
    asked --silence twice, nonsense, moved, goodbye--> settled at another node, everything asked there

It decides neither paths nor pace (`exchange`), nor who is a member of the swarm (the consensus).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from roost.crypto import Entropy
from roost.errors import WireError
from roost.network.answers import fits
from roost.network.link_core import Answered, Delivered
from roost.network.onion.blocks import Blocks
from roost.network.onion.incoming import Hole, Incoming
from roost.network.onion.members import Members
from roost.network.onion.open_calls import OpenCalls
from roost.network.onion.requests import MAX_BLOCKS, PAGE, blocks_beside
from roost.network.onion.session_parts import (
    Began,
    Ended,
    Following,
    Interrupted,
    Message,
    Outcome,
    SessionEvent,
    Up,
)
from roost.network.onion.window import RoundTrip
from roost.wire.codec import decode
from roost.wire.mailbox import (
    Delivery,
    Entries,
    Get,
    Goodbye,
    Ping,
    Refusal,
    RefusalCode,
    Reply,
    Request,
    Response,
    ServerFrame,
    Subscribe,
    Subscribed,
    Unsubscribe,
)
from roost.wire.onion import SESSION_SIZE, SessionDown

_SILENT_AFTER = 2  # askings, with nothing heard since the last but one
_LEAVE_AFTER = 5  # askings, whatever else is heard
_COPIES = 2  # of a call when nothing at all is heard
_MOST_REPAIRS = 4  # in a row, of what seems to be missing and may be gone from the mailbox
_MOST_HOLES = 8  # that are asked about at one time
_ASIDE_S = 1.0  # before a node is asked that did not answer just now
_MOST_MOVES = 3  # in a row, without a pause
_MOST_PAUSE_S = 60.0  # whatever a node asks for
_MOST_REFUSALS = 3  # in a row, of a subscription, by one node
_PASSING = frozenset({RefusalCode.SLOW_DOWN, RefusalCode.INTERNAL, RefusalCode.FULL, RefusalCode.UNREACHABLE})


class Session:
    """Calls at one place. `mixed`: its packets are delayed and scheduled."""

    def __init__(self, members: Members, round_trip: RoundTrip, entropy: Entropy, *, mixed: bool = False) -> None:
        self.id = b""
        self.host: bytes | None = None
        self.mixed = mixed
        self.used_at = 0.0
        self.beat_s = 12.0  # silence after which a node that has subscriptions is asked for a sign of life
        self._members = members
        self._round_trip = round_trip
        self._entropy = entropy
        self._nodes: Sequence[bytes] = ()
        self._calls = OpenCalls()
        self._subscriptions: dict[int, Following] = {}
        self._incoming = Incoming()
        self._blocks = Blocks()
        self._heard_at: float | None = None  # at the present node
        self._asked_at = 0.0
        self._gap: tuple[tuple[int, int], float] | None = None  # what is missing, and when to do something about it
        self._holes: dict[int, Hole] = {}  # calls that ask for what is missing
        self._repairs = 0  # since anything was delivered
        self._moves = 0
        self._events: list[SessionEvent] = []

    # --- the person's side --------------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        return not self._calls.messages and not self._subscriptions

    @property
    def asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return any(not one.ours and one.call not in self._subscriptions for one in self._calls.messages.values())

    @property
    def subscribed(self) -> bool:
        return bool(self._subscriptions)

    def call(self, request: Request, now: float) -> int:
        """Ask; returns the id under which `Answered` will come."""
        self.used_at = now
        return self._calls.ask(self._calls.new_id(), request)

    def abandon(self, call: int) -> None:
        """Nobody waits for this answer any more."""
        self._calls.forget(call)

    def subscribe(self, get: bytes, after: Callable[[], int], now: float, pause_s: float = 0.0) -> int:
        """Have everything after entry `after()` delivered, and whatever comes, until `unsubscribe`. It is asked again
        whenever another node is subscribed with: what was delivered and not stored comes again then."""
        self.used_at = now
        call = self._calls.new_id()
        self._subscriptions[call] = Following(get, after, after())
        return self._calls.ask(call, Subscribe(get, self._subscriptions[call].last), not_before=now + pause_s)

    def unsubscribe(self, call: int) -> None:
        self._calls.forget(call)
        if self._subscriptions.pop(call, None) is not None and self._heard_at is not None:
            self._calls.ask(self._calls.new_id(), Unsubscribe(call), ours=True)

    def events(self) -> list[SessionEvent]:
        events, self._events = self._events, []
        return events

    def outcomes(self) -> list[Outcome]:
        outcomes, self._calls.outcomes = self._calls.outcomes, []
        return outcomes

    # --- what changes around it ---------------------------------------------------------------------------------------

    def led_by(self, nodes: Sequence[bytes], now: float) -> None:
        """These are the nodes that can answer, those first that should."""
        self._nodes = nodes
        if self.host is None or self.host not in nodes:
            self.settle(self._members.best(nodes, now), now)

    def renew_blocks(self) -> None:
        """The reply blocks that were given are of no use any more, or soon will not be."""
        self._blocks.void()

    # --- packets ------------------------------------------------------------------------------------------------------

    def next_up(self, now: float) -> Up | None:
        """A packet to send now, or None."""
        if self.host is None:
            return None
        message = self._calls.next(now)
        if message is not None:
            return self._next_part(message, now)
        if self._heard_at is None:
            return None  # the node knows nothing of this session, and would not keep blocks
        wanted = min(self._wanted(now), MAX_BLOCKS)
        return self._up(0, 0, 1, b"", wanted, now) if wanted else None

    def _next_part(self, message: Message, now: float) -> Up:
        part = message.unsent % len(message.parts)
        if message.unsent == 0 and message.attempts == 0:
            message.seen = self._incoming.highest
        data = message.parts[part]
        up = self._up(message.number, part, len(message.parts), data, min(blocks_beside(data), self._wanted(now)), now)
        up.asks = part == len(message.parts) - 1
        message.ups.append(up)
        message.unsent += 1
        self._asked_at = now
        if message.unsent == message.copies * len(message.parts):
            self._calls.queue.remove(message)
            message.attempts += 1
            message.sent_at = (now, message.sent_at[0])
            message.deadline = now + self._round_trip.timeout(message.attempts)
        return up

    def _up(self, message: int, part: int, parts: int, data: bytes, blocks: int, now: float) -> Up:
        assert self.host is not None
        self._blocks.given(blocks, now)
        return Up(self.host, self.id, message, part, parts, data, blocks)

    def _wanted(self, now: float) -> int:
        needed = sum(one.needs * one.copies for one in self._calls.messages.values()) - self._incoming.expected
        return self._blocks.wanted(max(needed, 1 if self._calls.messages else 0), bool(self._subscriptions), now)

    def receive(self, down: SessionDown, now: float) -> None:
        """Something came from the node. Whatever it holds, nothing is raised: a bad one is left for another node."""
        if self.host is None:
            return
        self._heard_at = now
        self._members.heard(self.host)
        self._blocks.said(
            (down.message, down.part), down.left - (down.parts - 1 - down.part), now - self._round_trip.least
        )
        try:
            whole = self._incoming.whole(down)
            if whole is not None:
                self._frame(down.message, decode(ServerFrame, whole), now)  # type: ignore[arg-type]
        except WireError:
            self._leave(now)
        self._watch_gap(now)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self, now: float) -> float | None:
        """When to call `tick`, or to ask for `next_up` again."""
        deadlines = [message.deadline for message in self._calls.messages.values() if message.deadline is not None]
        deadlines += [message.not_before for message in self._calls.queue if message.not_before > now]
        deadlines += [one.again_at for one in self._subscriptions.values() if one.again_at is not None]
        if self._gap is not None:
            deadlines.append(self._gap[1])
        if self._beat_at is not None:
            deadlines.append(self._beat_at)
        return min(deadlines, default=None)

    @property
    def _beat_at(self) -> float | None:
        if not self._subscriptions or self._calls.messages or self._heard_at is None:
            return None
        return max(self._heard_at, self._asked_at) + self.beat_s

    def tick(self, now: float) -> None:
        """Let time pass."""
        for message in tuple(self._calls.messages.values()):
            overdue = message.deadline is not None and message.deadline <= now
            if overdue and self._calls.messages.get(message.call) is message:
                self._overdue(message, now)
        for call, subscription in tuple(self._subscriptions.items()):
            if subscription.again_at is not None and subscription.again_at <= now:
                self._again(call, subscription)
        if self._gap is not None and self._gap[1] <= now:
            self._repair(now)
        if self._beat_at is not None and self._beat_at <= now:
            if self._incoming.guessed:  # the subscription may have ended in a frame that is missing
                self._resubscribe()
            else:
                self._calls.ask(self._calls.new_id(), Ping(), ours=True)

    def _overdue(self, message: Message, now: float) -> None:
        self._calls.outcomes.append(Outcome(tuple(message.ups), False))
        message.ups.clear()
        message.deadline = None
        self._blocks.void()
        quiet = message.attempts >= _SILENT_AFTER and (self._heard_at or 0.0) < message.sent_at[1]
        if quiet or message.attempts >= _LEAVE_AFTER:
            self._leave(now)
        else:
            message.unsent = 0
            # When nothing at all is heard, more paths are tried at once: it may be that most lead through dead nodes.
            message.copies = _COPIES if (self._heard_at or 0.0) < message.sent_at[0] else 1
            self._calls.queue.append(message)

    # --- frames -------------------------------------------------------------------------------------------------------

    def _frame(self, number: int, frame: ServerFrame, now: float) -> None:
        """Raises WireError for what no honest node sends."""
        id_ = self.id
        match frame:
            case Reply(call, response):
                self._reply(number, call, response, now)
                if self.id == id_:
                    self._hand_on(self._incoming.take(number), now)
            case Delivery():
                self._hand_on(self._incoming.take(number, frame), now)
            case Goodbye(retry_after_ms):
                self._goodbye(retry_after_ms / 1000, now)
            case _:
                raise WireError("not a frame of a session")

    def _reply(self, number: int, call: int, response: Response, now: float) -> None:
        message = self._calls.messages.get(call)
        if message is None:
            self._late(number, call, response, now)
            return
        if message.attempts and number <= message.seen:
            self.settle(self.host, now)  # the node counts anew: it has forgotten this session
            return
        if not fits(type(message.request), response):
            raise WireError("not an answer to what was asked")
        if isinstance(response, Refusal) and response.code is RefusalCode.MOVED:
            self._moved(response, now)
            return
        self._moves = 0
        self._blocks.settled(message.sent_at[0])
        once = message.attempts == 1 and message.unsent == len(message.parts)
        self._calls.forget(call, arrived=True, seconds=now - message.sent_at[0] if once else None)
        if call in self._subscriptions:
            self._subscribed(number, call, response, now)
        elif call in self._holes:
            self._filled(self._holes.pop(call), response, now)
        elif not message.ours:
            self._events.append(Answered(call, response))

    def _late(self, number: int, call: int, response: Response, now: float) -> None:
        """A second reply: to a call that was repeated, or to a subscription that ends or begins once more."""
        if call not in self._subscriptions:
            self._blocks.settled(now)  # it used up a block that was meant for another answer
        elif isinstance(response, Refusal) and response.code is RefusalCode.MOVED:
            self._moved(response, now)
        elif isinstance(response, (Refusal, Subscribed)):
            self._subscribed(number, call, response, now)

    def _subscribed(self, number: int, call: int, response: Response, now: float) -> None:
        subscription = self._subscriptions[call]
        if isinstance(response, Refusal):
            if response.code in _PASSING:
                subscription.refusals += 1
                if subscription.refusals >= _MOST_REFUSALS:
                    self._leave(now)
                else:
                    subscription.again_at = now + _pause(response.retry_after_ms)
            else:
                del self._subscriptions[call]
                self._events.append(Ended(call, response))
            return
        assert isinstance(response, Subscribed)
        subscription.refusals = 0
        if 0 < response.end < subscription.last and not subscription.anew:
            # The mailbox may have been put back from a backup: what came since then lies below our cursor too.
            subscription.anew, subscription.last = True, 0
            self._again(call, subscription)
            return
        if number > subscription.since:
            subscription.since, subscription.end = number, response.end
            self._events.append(Began(call, response.end))
        if call not in self._calls.messages:
            self._hand_on(self._incoming.skip(min(one.since for one in self._subscriptions.values())), now)

    def _hand_on(self, ready: Sequence[tuple[int, Delivery]], now: float) -> None:
        for frame, delivery in ready:
            subscription = self._subscriptions.get(delivery.id)
            if subscription is None or not 0 < subscription.since < frame:
                continue
            if delivery.number and delivery.number <= subscription.last:
                continue  # it came before the subscription was begun again
            subscription.last = max(subscription.last, delivery.number)
            self._repairs = 0
            self._blocks.delivered(now)
            self._events.append(Delivered(delivery.id, delivery.number, delivery.envelope))

    # --- what is missing ----------------------------------------------------------------------------------------------

    def _watch_gap(self, now: float) -> None:
        """Notice what is missing: before something that came, or of what was there when a subscription began."""
        behind = [one.last for one in self._subscriptions.values() if one.since and one.last < one.end]
        if self._incoming.gap:
            missing = (self._incoming.next, 0)
        elif behind and self._repairs < _MOST_REPAIRS:
            missing = (0, sum(behind))
        else:
            self._gap = None
            return
        if self._gap is None or self._gap[0] != missing:
            patience = self._round_trip.timeout(1 + self._repairs) if self._repairs else self._round_trip.late
            self._gap = (missing, now + patience)

    def _repair(self, now: float) -> None:
        """It is missing for too long. Without subscriptions it was an answer, and its call is repeated anyway."""
        self._gap = None
        if not self._subscriptions:
            self._incoming.skip(self._incoming.highest + 1)
            return
        if any(call in self._calls.messages for call in (*self._subscriptions, *self._holes)):
            pass  # what was asked for already comes first
        elif self._incoming.gap and len(self._subscriptions) == 1:
            self._blocks.slower()
            (subscription,) = self._subscriptions.values()
            for hole in self._incoming.holes()[:_MOST_HOLES]:
                get = Get(subscription.get, hole.after or subscription.last, min(hole.size, PAGE))
                self._holes[self._calls.ask(self._calls.new_id(), get, ours=True)] = hole
        else:
            self._resubscribe()
        self._watch_gap(now)

    def _filled(self, hole: Hole, response: Response, now: float) -> None:
        """What was in the mailbox where something is missing."""
        if not isinstance(response, Entries) or len(self._subscriptions) != 1:
            self._resubscribe()
            return
        ((call, _),) = self._subscriptions.items()
        missing, whole = hole.missing(response)
        deliveries = [Delivery(call, one.number, one.envelope) for one in missing]
        self._hand_on(self._incoming.fill(hole, deliveries, whole), now)

    def _resubscribe(self) -> None:
        self._repairs += 1
        self._blocks.lost()
        for call, subscription in self._subscriptions.items():
            self._again(call, subscription)

    def _again(self, call: int, subscription: Following) -> None:
        subscription.again_at = None
        self._calls.ask(call, Subscribe(subscription.get, subscription.last))

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _moved(self, refusal: Refusal, now: float) -> None:
        """Another node leads, says this one. One that was silent is given time to be replaced."""
        self._moves += 1
        node: bytes | None = refusal.detail
        pause = _pause(refusal.retry_after_ms)
        if node not in self._members.known or node == self.host:
            self.settle(self._members.best(self._nodes, now, self.host), now, pause)
        else:
            hurried = self._moves > _MOST_MOVES or self._members.is_silent(node, now)
            self.settle(node, now, pause if hurried else 0.0)

    def _leave(self, now: float) -> None:
        """The node is silent or does not keep to the protocol."""
        if self.host is not None:
            self._members.silent(self.host, now)
        self.settle(self._members.best(self._nodes, now, self.host), now)

    def _goodbye(self, retry_after_s: float, now: float) -> None:
        if retry_after_s and self.host is not None:
            self._members.silent(self.host, now, min(retry_after_s, _MOST_PAUSE_S))
            self.settle(self._members.best(self._nodes, now, self.host), now)
        else:
            self._moves += 1
            self.settle(self.host, now, 0.0 if self._moves <= _MOST_MOVES else _ASIDE_S)

    def settle(self, host: bytes | None, now: float, pause_s: float = 0.0) -> None:
        """Begin a new session with this node, where all that is open is asked; the old reply blocks lie unused."""
        self.host = host
        self.id = self._entropy.bytes(SESSION_SIZE)
        self._incoming, self._blocks = Incoming(), Blocks()
        self._heard_at, self._gap = None, None
        self._calls.queue.clear()
        self._holes.clear()
        for message in tuple(self._calls.messages.values()):
            self._calls.forget(message.call)
            if not message.ours and message.call not in self._subscriptions:
                self._calls.ask(message.call, message.request, not_before=now + pause_s)
        for call, subscription in self._subscriptions.items():
            if subscription.since:
                self._events.append(Interrupted(call))
                subscription.last = subscription.after()
            subscription.since, subscription.again_at, subscription.refusals = 0, None, 0
            self._calls.ask(call, Subscribe(subscription.get, subscription.last), not_before=now + pause_s)


def _pause(asked_ms: int) -> float:
    """Seconds before a node is asked again that said so."""
    return min(max(_ASIDE_S, asked_ms / 1000), _MOST_PAUSE_S)
