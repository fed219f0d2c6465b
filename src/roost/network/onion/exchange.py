"""Everything that one client does in one onion network, without I/O: calls in, packets out, replies in, events out.

It holds the sessions, chooses paths, makes packets and reply blocks, and decides how many packets are under way: one
window for all sessions, which take turns, one packet each. What arrives and what is lost tells which nodes to avoid.
It decides neither when a consensus is fetched nor how links to guards are kept (`keeper`).
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from roost.crypto import Entropy
from roost.errors import CryptoError, WireError
from roost.network.onion.chance import fraction
from roost.network.onion.cover import HOP_DELAY_S, HOPS_WITH_DELAY, SEND_S, Cover
from roost.network.onion.guard_watch import GuardWatch
from roost.network.onion.members import Members
from roost.network.onion.packing import Block, Kind, Outgoing, Packing
from roost.network.onion.paths import Paths, TooFewNodes
from roost.network.onion.reputation import LOOPS_S, Reputation
from roost.network.onion.requests import MAX_BLOCKS, fitted
from roost.network.onion.session import Session
from roost.network.onion.session_parts import Outcome, SessionEvent, Up
from roost.network.onion.window import FAST, MIXED, RoundTrip, Window
from roost.wire.codec import decode
from roost.wire.mailbox import Forward, GetInfo, Request, Subscribe
from roost.wire.onion import Consensus, ConsensusNode, NetworkDocument, SessionDown, place_of, swarm_of
from roost.wire.sizes import PLACE_SIZE

_KEPT_S = 60.0  # a session in which nothing is open is forgotten after so long
_BEAT_S = 12.0
_CALM_BEAT_S = 30.0  # when nothing was asked ...
_CALM_S = 180.0  # ... for so long
_MIXED_BEAT_S = 45.0
_BEAT_EACH_S = 1.5  # signs of life of all sessions together come no more often
_LOOP_LOST_S = 30.0
_PROBES = 4  # loops that are sent at once when a packet was lost, to find out which nodes are to be avoided ...
_MOST_PROBES = 8  # ... and how many of them may be due or under way
_MOST_PUSHED_S = 5.0  # however long a guard wants nothing
_APART_S = 3.0  # within which sessions do one after another what they would all do at once
_RENEWAL = (0.45, 0.9)  # of a period: when a session's blocks are given anew. Nodes keep a block for a period
_SPREAD = 3  # nodes that are asked in turn for what any node can do


class Exchange:
    """Of one client in one network."""

    def __init__(self, entropy: Entropy) -> None:
        self.members = Members()
        self.reputation = Reputation()
        self.loops = Reputation(LOOPS_S)  # what loops alone have shown ...
        self.covers = Reputation()  # ... and cover alone: who drops answers only is not saved by passing these
        self.window = Window()
        self.cover = Cover(entropy)
        self.problem: TooFewNodes | None = None  # why the last packet could not be made
        self._replicas = 0
        self._period_s = math.inf
        self._entropy = entropy
        reputations = (self.reputation, self.loops, self.covers)
        self._watch = GuardWatch(reputations, entropy)
        self._paths = Paths(reputations, entropy)
        self._trips = {False: RoundTrip(FAST), True: RoundTrip(MIXED)}
        self._consensus: Consensus | None = None
        self._period = 0
        self._packing = Packing(self._paths, self._watch, entropy)
        self._sessions: dict[tuple[bytes, bool], Session] = {}
        self._ready: dict[bool, deque[Session]] = {False: deque(), True: deque()}
        self._lined_up: set[Session] = set()  # in one of these
        self._unasked: deque[float] = deque()  # when each packet that nothing answers is thought to have arrived
        self._loops: deque[tuple[float, bytes]] = deque()  # when each that has not come back counts as lost, and cover
        self._probes: deque[tuple[float, bytes]] = deque()  # the same of those that are sent to find what is wrong
        self._probes_due = 0
        self._deadlines: list[tuple[float, int, Session]] = []
        self._deadline_of: dict[Session, float] = {}
        self._later: list[tuple[float, int, Callable[[float], None]]] = []  # what is done at a moment of its own
        self._trials_due: list[bytes] = []
        self._subscribed_at = -math.inf
        self._counter = 0
        self._events: list[tuple[Session, SessionEvent]] = []

    # --- what changes around it ---------------------------------------------------------------------------------------

    def update(self, consensus: Consensus, document: NetworkDocument, period: int, now: float) -> None:
        """Use this consensus, and keys of this period, from now on."""
        self.problem = None
        self._replicas, self._period_s = document.replicas, float(document.period_s)
        self._consensus = consensus
        self._packing.update(consensus, period)
        self.members.known = frozenset(node.key for node in consensus.nodes if self._paths.node(node.key) is not None)
        for (place, _), session in self._sessions.items():
            session.led_by(self._leaders(place, session, now), now)
            self._touched(session, now)

    def attached(self, guards: Sequence[tuple[bytes, bytes]], now: float) -> None:
        """Links to these guards stand, in this order, each with the token that was given there."""
        lost = set(self._packing.attached) - {guard for guard, _ in guards}
        if set(dict(guards)) - set(self._packing.attached):
            self.problem = None  # it may have been for want of this link
        self._packing.attached = dict(guards)
        for session in self._sessions.values():
            self._touched(session, now)
        if lost:
            self._replace_blocks(now)

    def pushed_back(self, seconds: float, now: float) -> None:
        """A guard asks to slow down."""
        self.window.lost(0, self._trips[False].usual, now)
        self.window.close(min(seconds, _MOST_PUSHED_S), now)

    @property
    def doubted(self) -> frozenset[bytes]:
        """The guards that seem to lose packets: others are used."""
        return self._watch.doubted

    def doubt(self, guards: Iterable[bytes]) -> None:
        """These were found to lose packets before: until they show that packets pass, others are used."""
        self._watch.doubt(guards)

    def trusted(self, now: float) -> list[bytes]:
        """The guards that pass packets on."""
        attached = [guard for guard in self._packing.attached if guard not in self.doubted]
        return [guard for guard in attached if self.reputation.is_trusted(guard, now)]

    def _judge(self, now: float) -> None:
        """See which guards seem to lose packets. What comes back by one that does so now is as good as lost."""
        if self._watch.judge(self._packing.attached, now):
            self._replace_blocks(now)

    def _replace_blocks(self, now: float) -> None:
        """Those that lead over a guard are of no use any more: at a moment of each session's own, since nodes that see
        several do it at once learn that they are of one client. At once where a person waits. In a new session, for a
        node would use the blocks first that lead nowhere any more."""
        for session in self._sessions.values():
            if session.asked:
                session.settle(session.host, now)
                self._touched(session, now)
            else:
                self._do_later(_APART_S * fraction(self._entropy), partial(self._replaced, session), now)

    def _replaced(self, session: Session, now: float) -> None:
        session.settle(session.host, now)
        self._touched(session, now)

    def _renewal(self, session: Session, now: float) -> None:
        """Blocks do not last for ever, whoever uses them. Each session gives new ones at moments of its own."""
        least, most = _RENEWAL
        within = self._period_s * (least + (most - least) * fraction(self._entropy))
        if math.isfinite(within):
            self._do_later(within, partial(self._renewed, session), now)

    def _renewed(self, session: Session, now: float) -> None:
        if session in self._sessions.values():
            session.renew_blocks()
            self._touched(session, now)
            self._renewal(session, now)

    def _do_later(self, seconds: float, act: Callable[[float], None], now: float) -> None:
        self._counter += 1
        heapq.heappush(self._later, (now + seconds, self._counter, act))

    # --- the person's side --------------------------------------------------------------------------------------------

    def session(self, request: Request, now: float, *, mixed: bool = False) -> Session:
        """The session in which this request is asked. Call `touched` after anything is done with it."""
        place = place_of(request)
        key = place if place is not None else _destination(request)
        session = self._sessions.get((key, mixed))
        if session is None:
            session = self._sessions[key, mixed] = Session(self.members, self._trips[mixed], self._entropy, mixed=mixed)
            session.led_by(self._leaders(key, session, now), now)
            self._renewal(session, now)
        session.used_at = now
        if mixed:
            self.cover.use(now)
        return session

    def call(self, request: Request, now: float, *, mixed: bool = False) -> tuple[Session, int]:
        """Ask. `Answered` comes for this session and id."""
        request = fitted(request)
        session = self.session(request, now, mixed=mixed)
        call = session.call(request, now)
        self._touched(session, now)
        return session, call

    def subscribe(
        self, get: bytes, after: Callable[[], int], now: float, *, mixed: bool = False
    ) -> tuple[Session, int]:
        """As `Session.subscribe`. Of several at once the first begins now and the others soon: a node that keeps two
        of the mailboxes does not see them begin together."""
        session = self.session(Subscribe(get, 0), now, mixed=mixed)
        alone, self._subscribed_at = self._subscribed_at + _APART_S < now, now
        pause_s = 0.0 if alone else _APART_S * fraction(self._entropy)
        call = session.subscribe(get, after, now, pause_s)
        self._touched(session, now)
        return session, call

    def touched(self, session: Session, now: float) -> None:
        """Something was done with this session."""
        self._touched(session, now)

    def expected_delay_s(self, mixed: bool) -> float:
        """From sending to arriving at a reader who is there."""
        fast = self._trips[False].smoothed or 0.5
        return fast + (SEND_S + HOPS_WITH_DELAY * HOP_DELAY_S if mixed else 0.0)

    def path_to(self, place: bytes, now: float) -> tuple[list[ConsensusNode], list[ConsensusNode]]:
        """For showing: three nodes as they could be used now, and the swarm. Raises TooFewNodes."""
        if self._consensus is None:
            raise TooFewNodes
        swarm = swarm_of(self._consensus, place, self._replicas)
        if not swarm:
            raise TooFewNodes
        return self._paths.forward(self._packing.entry(swarm[0].key), swarm[0].key, now), swarm

    # --- packets ------------------------------------------------------------------------------------------------------

    def outgoing(self, now: float, most: int = 8) -> list[Outgoing]:
        """Packets to send now; up to `most` of a fast kind, since each takes a millisecond to make."""
        if not self._packing.attached or self._consensus is None:
            return []
        packets: list[Outgoing] = []
        for _ in range(self.cover.sends(now)):
            turn = self._next_up(True, now)
            packets += self._sent(*turn, now) if turn else self._made(lambda: self._cover(now))
        for _ in range(self.cover.loops(now)):
            packets += self._made(lambda: self._loop(now))
        while self._trials_due:
            guard = self._trials_due.pop()
            if guard in self._packing.attached:
                packets += self._made(lambda guard=guard: self._loop(now, guard))  # type: ignore[misc]
        while self._probes_due:
            self._probes_due -= 1
            packets += self._made(lambda: self._probe(now))
        for _ in range(most):
            if (turn := self._next_up(False, now)) is None:
                break
            packets += self._sent(*turn, now)
        return packets

    def more(self, now: float) -> bool:
        """Whether `outgoing` has more to give at once."""
        waiting = self._ready[False] and self.window.room(now) > 0
        return bool(self._packing.attached and (waiting or self._probes_due or self._trials_due))

    def arrived(self, reply: bytes, payload: bytes, now: float) -> None:
        """A reply came. Anything that is not what it should be changes nothing."""
        block = self._packing.take(reply)
        if block is None:
            return
        if block.mixed:
            self.cover.balance.came()
        try:
            data = block.keys.open(payload)
            self._seen(block, True, now)
            if block.session is None or block.session.id != block.id:
                return  # a loop, or for a node that was left
            down = decode(SessionDown, data)
        except (CryptoError, WireError):
            return
        if down.session == block.id:
            self.window.grow(1 / MAX_BLOCKS)  # the packet that brought the block has arrived
            block.session.receive(down, now)
            self._touched(block.session, now)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self, now: float) -> float | None:
        """When to call `tick` and `outgoing`."""
        deadlines = [heap[0][0] for heap in (self._deadlines, self._later) if heap]
        deadlines += [at for at in (self._unasked[0] if self._unasked else None, self.cover.next_at(now)) if at]
        deadlines += [loops[0][0] for loops in (self._loops, self._probes) if loops]
        if self.window.closed_until > now:
            deadlines.append(self.window.closed_until)
        return min(deadlines, default=None)

    def tick(self, now: float) -> None:
        """Let time pass."""
        while self._unasked and self._unasked[0] <= now:
            self._unasked.popleft()
            self.window.gone()
        for loops in (self._loops, self._probes):
            while loops and loops[0][0] <= now:
                lost = self._packing.take(loops.popleft()[1])
                if lost is not None:
                    self._seen(lost, False, now)
                    self._judge(now)
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2](now)
        while self._deadlines and self._deadlines[0][0] <= now:
            at, _, session = heapq.heappop(self._deadlines)
            if self._deadline_of.get(session) == at:
                del self._deadline_of[session]
                session.tick(now)
                self._touched(session, now)

    def upkeep(self, now: float) -> None:
        """Forget sessions that nobody needs, and see how the guards do; called now and then."""
        self._judge(now)
        self._trials_due += self._watch.trials(self._packing.attached, now)
        subscribed = [session for session in self._sessions.values() if session.subscribed]
        calm = all(session.used_at + _CALM_S < now for session in self._sessions.values())
        for session in subscribed:
            least = _MIXED_BEAT_S if session.mixed else _CALM_BEAT_S if calm else _BEAT_S
            session.beat_s = max(least, _BEAT_EACH_S * len(subscribed))
            if session.mixed:
                self.cover.use(now)
        for key, session in tuple(self._sessions.items()):
            if session.idle and session.used_at + _KEPT_S < now:
                del self._sessions[key]
                self._deadline_of.pop(session, None)

    def events(self) -> list[tuple[Session, SessionEvent]]:
        events, self._events = self._events, []
        return events

    # --- sessions -----------------------------------------------------------------------------------------------------

    def _leaders(self, place: bytes, session: Session, now: float) -> Sequence[bytes]:
        """Who can answer at this place, or for this destination."""
        if self._consensus is None:
            return ()
        if len(place) == PLACE_SIZE:
            return [node.key for node in swarm_of(self._consensus, place, self._replicas)]
        nodes = [session.host] if session.host is not None and session.host in self.members.known else []
        for _ in range(_SPREAD):
            node = self._paths.any_host(nodes, now)
            if node is not None and node not in nodes:
                nodes.append(node)
        return nodes

    def _touched(self, session: Session, now: float) -> None:
        for outcome in session.outcomes():
            self._learn(session, outcome, now)
        self._events += [(session, event) for event in session.events()]
        if session not in self._lined_up:
            self._lined_up.add(session)
            self._ready[session.mixed].append(session)
        deadline = session.next_deadline(now)
        held = self._deadline_of.get(session)
        if deadline is not None and (held is None or deadline < held):
            self._counter += 1
            self._deadline_of[session] = deadline
            heapq.heappush(self._deadlines, (deadline, self._counter, session))

    def _learn(self, session: Session, outcome: Outcome, now: float) -> None:
        trip = self._trips[session.mixed]
        nodes = {node for up in outcome.ups for node in up.nodes}
        asked = sum(up.asks for up in outcome.ups)
        if outcome.arrived is None:
            self.window.gone(asked)
        elif outcome.arrived:
            self.window.arrived(asked)
            for up in outcome.ups:
                self.reputation.record(up.nodes, True, now)
            if outcome.seconds is not None:
                trip.sample(outcome.seconds)
        else:
            self.window.lost(asked, trip.usual, now)
            if nodes:
                self.reputation.record(nodes, False, now)
                self._judge(now)
            if not session.mixed:
                self._probes_due = max(0, min(self._probes_due + _PROBES, _MOST_PROBES - len(self._probes)))

    def _seen(self, block: Block, arrived: bool, now: float) -> None:
        reputation = {Kind.LOOP: self.loops, Kind.COVER: self.covers}.get(block.kind, self.reputation)
        reputation.record(block.nodes, arrived, now)
        if block.kind in (Kind.LOOP, Kind.PROBE):
            self._watch.comparison.record(block.nodes[0], arrived, block.sent_at)
        if block.kind is Kind.PROBE and arrived:
            self._trips[False].guess(2 * (now - block.sent_at))

    def _next_up(self, mixed: bool, now: float) -> tuple[Session, Up] | None:
        """The next packet of the session whose turn it is."""
        ready = self._ready[mixed]
        while ready and self.window.room(now) > 0:
            session = ready.popleft()
            up = session.next_up(now)
            if up is not None:
                ready.append(session)
                return session, up
            self._lined_up.discard(session)
        return None

    def _sent(self, session: Session, up: Up, now: float) -> list[Outgoing]:
        """It counts as sent, and in time as lost, if it cannot be made."""
        self.window.sent()
        if not up.asks:
            self._unasked.append(now + self._trips[session.mixed].usual / 2)
        self._touched(session, now)
        return self._made(lambda: self._packing.pack(session, up, now))

    def _loop(self, now: float, guard: bytes | None = None) -> Outgoing:
        return self._awaited(*self._packing.loop(now, guard), now)

    def _cover(self, now: float) -> Outgoing:
        if self.cover.balance.brings_back():
            return self._awaited(*self._packing.cover_back(now), now)
        return self._packing.cover(now)

    def _awaited(self, reply_id: bytes, packet: Outgoing, now: float) -> Outgoing:
        self._loops.append((now + _LOOP_LOST_S, reply_id))
        return packet

    def _probe(self, now: float) -> Outgoing:
        reply_id, packet = self._packing.loop(now, probe=True)
        self._probes.append((now + self._trips[False].timeout(1), reply_id))
        return packet

    def _made(self, make: Callable[[], Outgoing]) -> list[Outgoing]:
        try:
            packet = make()
        except TooFewNodes as error:
            self.problem = error
            return []
        self.problem = None
        return [packet]


def _destination(request: Request) -> bytes:
    """What any node can do, each relay that is asked by way of the network is asked in a session of its own: no node
    learns which relays one client has to do with."""
    match request:
        case Forward():
            return b"by way of it " + request.to.key
        case GetInfo() if request.of is not None:
            return b"by way of it " + request.of.key
        case _:
            return b"anything"
