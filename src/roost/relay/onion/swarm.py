"""A node's part in the swarms: the mailboxes of an onion network that it keeps together with other nodes.

Requests come in for a place; whoever leads it answers with the relay's ordinary service (relay.onion.serving). A node
of the swarm that hears of one while nobody leads it takes the lead itself. Other nodes' messages come in through
`message`. The rules are in relay.core.places, the story in docs/protocol/onion.md, "Swarms".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from roost.crypto import Entropy
from roost.errors import SurroundingsError, WireError
from roost.relay.core import places
from roost.relay.core.knocks import KnockNonces
from roost.relay.core.limits import DAY_S, Limits, TokenBucket
from roost.relay.core.operations import Totals
from roost.relay.core.places import PlaceRecord
from roost.relay.onion.colleagues import Colleagues, Send
from roost.relay.onion.electing import Elected, Election, Led, NoMajority, NothingThere
from roost.relay.onion.leading import Lead
from roost.relay.onion.replica import Replica
from roost.relay.onion.serving import LOST_RETRY_MS, Serving
from roost.relay.onion.upkeep import Upkeep
from roost.relay.server.service import Peer, Respond
from roost.relay.storage import SqliteEngine, Storage, ThreadedStorage
from roost.wire.codec import decode, encode
from roost.wire.mailbox import (
    Create,
    DeleteCard,
    Done,
    GetCard,
    PutCard,
    Refusal,
    RefusalCode,
    Request,
    Subscribe,
    Unsubscribe,
)
from roost.wire.onion import Consensus, place_of
from roost.wire.swarm import (
    Adopt,
    Append,
    Beat,
    Deposit,
    Fetch,
    Look,
    Nudge,
    Prepare,
    Promise,
    Recall,
    Retire,
    Seen,
    SwarmMessage,
    SwarmReply,
    Taken,
)

FILE = "swarm.db"
LIMITS = Limits(hold_days=2)
_WAITING = 256  # requests for one place while nobody leads it
_ELECTION_S = 10.0  # for those who wait for a leader, and before the last attempt begins
_WANTED = 256  # elections at one time that clients wait for
_NUDGED = 4_096  # ... and with those that other nodes ask for, of which
_TOGETHER = 32  # run at one time
_PAUSE_S = 0.05
_RETRY_MS = 1_000
_RENEWED_S = 3.0  # between two views of a place for its members' sake
_JOINED_S = 20.0  # ... and for what others hold

OpenStorage = Callable[[], Awaitable[Storage]]


def swarm_file(folder: Path, broken: Callable[[SurroundingsError], None]) -> OpenStorage:
    """The storage in `folder`. `broken` is called when it cannot go on."""

    async def opened() -> Storage:
        engine = await asyncio.to_thread(SqliteEngine, folder / FILE)
        return ThreadedStorage(engine, broken)

    return opened


@dataclass(frozen=True, slots=True)
class _Waiter:
    session: Peer
    call: int
    request: Request
    respond: Respond

    @property
    def creating(self) -> bool:
        return isinstance(self.request, Create | PutCard)


class Swarm:
    """`own` is this node's key; `send` reaches the others; of `replicas` nodes `quorum` must have what is acknowledged;
    `clock` is seconds since 1970. `open` and `close` once each."""

    def __init__(
        self,
        storage: OpenStorage,
        own: bytes,
        send: Send,
        replicas: int,
        quorum: int,
        entropy: Entropy,
        clock: Callable[[], float],
        limits: Limits = LIMITS,
    ) -> None:
        self.limits = limits
        self.colleagues = Colleagues(own, send, replicas, quorum, entropy)
        self.leads: dict[bytes, Lead] = {}
        self.serving: dict[bytes, Serving] = {}
        self.totals = Totals()
        self._open_storage = storage
        self._own = own
        self._entropy = entropy
        self._clock = clock
        self._nonces = KnockNonces(entropy.bytes(32))
        self._by_mailbox: dict[int, Serving] = {}
        self._electing: dict[bytes, asyncio.Task[None]] = {}
        self._waiting: dict[bytes, list[_Waiter]] = {}
        self._hints: dict[bytes, set[bytes]] = {}
        self._strange = TokenBucket(limits.places_per_second, limits.place_burst, clock())
        self._room = asyncio.Semaphore(_TOGETHER)
        self._renewed_at: dict[bytes, float] = {}
        self._upkeep: Upkeep | None = None

    async def open(self) -> None:
        """Raises SurroundingsError: the storage cannot be used."""
        storage = await self._open_storage()
        self.replica = Replica(self._own, storage, self._clock)
        self.replica.leads = lambda place: place in self.serving
        self.replica.failed = self._failed
        self.replica.changed = self._changed
        await self.replica.open(self._entropy)
        self.colleagues.remember(self.replica.identity.former, self._today())
        self.totals = await self.replica.ask(lambda reader: reader.totals())
        self._upkeep = Upkeep(self)
        if self.colleagues.current is not None:
            self._upkeep.on_consensus()

    async def close(self) -> None:
        """What was taken in is on disk when this returns."""
        if self._upkeep is None:
            return
        self._upkeep.close()
        tasks = list(self._electing.values())
        for task in tasks:
            task.cancel()
        for lead in tuple(self.leads.values()):
            lead.end()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.replica.storage.close()

    def on_consensus(self, current: Consensus, previous: Consensus | None) -> None:
        """The network as it is from now on."""
        self.colleagues.on_consensus(current, previous, self._today())
        if self._upkeep is not None:
            self._upkeep.on_consensus()

    # --- clients ----------------------------------------------------------------------------------------------------

    def handle(self, session: Peer, call: int, request: Request, respond: Respond) -> None:
        if isinstance(request, Subscribe | Unsubscribe):
            self._unsubscribe(session, call if isinstance(request, Subscribe) else request.call)
        if isinstance(request, Unsubscribe):
            respond(Done())
            return
        place = place_of(request)
        if place is None or self._upkeep is None:
            respond(Refusal(RefusalCode.UNSUPPORTED if place is None else RefusalCode.SLOW_DOWN, _RETRY_MS))
            return
        serving = self.serving.get(place)
        if serving is not None:
            serving.handle(session, call, request, respond, self._now())
            return
        swarm = self.colleagues.swarm(place)
        waiting = self._waiting.get(place, [])
        if swarm and self._own not in swarm:
            respond(Refusal(RefusalCode.MOVED, detail=swarm[0]))
        elif not swarm or len(waiting) >= _WAITING or (not waiting and len(self._waiting) >= _WANTED):
            respond(Refusal(RefusalCode.SLOW_DOWN, _RETRY_MS))
        else:
            self._waiting.setdefault(place, waiting).append(_Waiter(session, call, request, respond))
            self.see_to(place)

    def resume(self, session: Peer) -> None:
        """The session takes more again."""
        session.stalled = False
        for subscription in tuple(session.subscriptions.values()):
            serving = self._by_mailbox.get(subscription.mailbox)
            if serving is not None:
                serving.resume(subscription)

    def dropped(self, session: Peer) -> None:
        """The session is over."""
        for call in tuple(session.subscriptions):
            self._unsubscribe(session, call)

    # --- other nodes ------------------------------------------------------------------------------------------------

    async def message(self, node: bytes, body: bytes) -> bytes:
        """The answer to the body of a SwarmCall from another node.

        Raises ValueError: malformed. SurroundingsError: it is not known whether anything was done.
        """
        try:
            message: SwarmMessage = decode(SwarmMessage, body)  # type: ignore[arg-type]
            return encode(await self._answer(node, message))
        except WireError as error:
            raise ValueError("malformed") from error

    async def _answer(self, node: bytes, message: SwarmMessage) -> SwarmReply:
        replica = self.replica
        if isinstance(message, Prepare | Adopt | Append | Deposit | Retire) and not self._allowed(node, message):
            return await self._unknown(message)
        match message:
            case Look():
                return Seen(await replica.look(message.place))
            case Prepare():
                return await replica.prepare(node, message)
            case Adopt():
                return await replica.adopt(node, message)
            case Append():
                return await replica.append(node, message)
            case Deposit():
                return await replica.deposit(node, message)
            case Fetch():
                return await replica.fetch(node, message)
            case Retire():
                return await replica.retire(node, message)
            case Beat():
                return await replica.heard(node, message)
            case Recall():
                return await replica.recall(node, message)
            case Nudge():
                return await self._nudged(node, message.place)

    def _allowed(self, node: bytes, message: Prepare | Adopt | Append | Deposit | Retire) -> bool:
        """Whether the other may lead that place, in such a view, and has others keep it in this node's stead."""
        if not self.colleagues.may_lead(node, message.place) or not places.likely(message.view, self._clock()):
            return False
        if not isinstance(message, Retire):
            return True
        members = {member.node for member in message.members}
        return node in members and self._own not in members.union(self.colleagues.swarm(message.place))

    async def _unknown(self, message: Prepare | Adopt | Append | Deposit | Retire) -> SwarmReply:
        """By the consensus that this node has, the other may not say that: one of them must hear of a newer."""
        if isinstance(message, Prepare):
            return Promise(granted=False, standing=await self.replica.look(message.place))
        return Taken(done=False, incarnation=self.replica.identity.incarnation)

    async def _nudged(self, node: bytes, place: bytes) -> Taken:
        if not self.colleagues.may_lead(node, place):  # whoever asks for something must have something
            standing = (await self.colleagues.call(node, Look(place), Seen)).standing
            if not standing.present:
                return Taken(False, self.replica.identity.incarnation)
        swarm = self.colleagues.swarm(place)
        lead = self.leads.get(place)
        if lead is None:
            if len(self._electing) >= _NUDGED:
                return Taken(False, self.replica.identity.incarnation)
            if self._own in swarm:
                self._hints.setdefault(place, set()).add(node)
                self.see_to(place)
        elif not lead.kept_by(swarm):
            self.outdated(lead)
        elif node in swarm:
            lead.lagging(node)
        else:
            lead.retire(node)
        return Taken(self._own in swarm, self.replica.identity.incarnation)

    # --- leading ----------------------------------------------------------------------------------------------------

    def see_to(self, place: bytes) -> None:
        """Find out who leads the place, or lead it."""
        if place not in self._electing and place not in self.serving:
            self._electing[place] = asyncio.create_task(self._elect(place))

    def outdated(self, lead: Lead, holder: bytes | None = None) -> None:
        """Another view is needed, for other members or with what another one holds."""
        if holder is not None:
            self._hints.setdefault(lead.place, set()).add(holder)
        now = self._now()
        pause = _RENEWED_S if holder is None else _JOINED_S
        wait = self._renewed_at.get(lead.place, now - pause) + pause - now
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._renew, lead)
        else:
            self._renew(lead)

    def _renew(self, lead: Lead) -> None:
        if not lead.active or self.serving.get(lead.place) is None:
            return
        now = self._now()
        self._renewed_at = {place: at for place, at in self._renewed_at.items() if at > now - _JOINED_S}
        self._renewed_at[lead.place] = now
        lead.end()
        self.see_to(lead.place)

    def ended(self, lead: Lead) -> None:
        if self.leads.get(lead.place) is lead:
            del self.leads[lead.place]
        serving = self.serving.get(lead.place)
        if serving is not None and serving.lead is lead:
            del self.serving[lead.place]
            self._by_mailbox.pop(serving.mailbox, None)
            serving.end_subscriptions(Refusal(RefusalCode.SLOW_DOWN, LOST_RETRY_MS))

    async def _elect(self, place: bytes) -> None:
        """Answer all who wait for the place's leader, one way or another."""
        refusal = Refusal(RefusalCode.SLOW_DOWN, _RETRY_MS)
        patience = asyncio.get_running_loop().call_later(_ELECTION_S, self._refuse, place, refusal)
        try:
            with contextlib.suppress(SurroundingsError):
                wait_ms = await self._patience_with(place)
                if wait_ms:
                    refusal = Refusal(RefusalCode.SLOW_DOWN, max(_RETRY_MS, wait_ms))
                    return
                async with self._room if place not in self._waiting else contextlib.nullcontext():
                    outcome = await self._attempts(place)
                if isinstance(outcome, Led):
                    refusal = Refusal(RefusalCode.MOVED, detail=outcome.node)
                elif isinstance(outcome, NothingThere):
                    self._nothing_there(place)
                else:
                    self._serve(place, outcome)
        finally:
            del self._electing[place]
            self._hints.pop(place, None)
            patience.cancel()
            lead = self.leads.get(place)
            if lead is not None and place not in self.serving:
                lead.end()
            self._refuse(place, refusal)

    def _refuse(self, place: bytes, refusal: Refusal) -> None:
        for waiter in self._waiting.pop(place, []):
            waiter.respond(refusal)

    async def _patience_with(self, place: bytes) -> int:
        """0, or how long it takes until clients' questions for a place that this node never heard of are followed
        again. To ask other nodes for it costs a hundred times what the packet did that the question came in. Who makes
        something has worked for it; other nodes have a reason."""
        known = (await self.replica.record(place)).promised or place in self._hints
        waiting = self._waiting.get(place, ())
        if known or not waiting or any(waiter.creating for waiter in waiting):
            return 0
        return self._strange.take(1.0, self._clock())

    async def _attempts(self, place: bytes) -> Serving | Led | NothingThere:
        """Raises NoMajority."""
        pause = _PAUSE_S
        until = self._now() + _ELECTION_S
        while self._now() < until and self._own in self.colleagues.swarm(place):
            creating = any(waiter.creating for waiter in self._waiting.get(place, ()))
            lead = None
            try:
                hints = frozenset(self._hints.get(place, ()))
                outcome = await Election(place, self.colleagues, self.replica, hints, creating=creating).run()
                if not isinstance(outcome, Elected):
                    return outcome
                lead = self.leads[place] = Lead(place, outcome, self.colleagues, self.replica, self)
                await lead.install()
                serving = await Serving.open(lead, self.replica, self.limits, self._nonces, self.totals, self._now())
                if lead.active:
                    return serving
            except SurroundingsError:
                if lead is not None:
                    lead.end()
            await asyncio.sleep(self.colleagues.pause(pause))
            pause *= 2
        raise NoMajority

    def _serve(self, place: bytes, serving: Serving) -> None:
        self.serving[place] = serving
        self._by_mailbox[serving.mailbox] = serving
        for waiter in self._waiting.pop(place, []):
            if not waiter.session.closed:
                serving.handle(waiter.session, waiter.call, waiter.request, waiter.respond, self._now())

    def _nothing_there(self, place: bytes) -> None:
        """Refuse what is asked of a place where there is nothing; who would make something has come too late."""
        waiting = self._waiting.pop(place, [])
        for waiter in waiting:
            if waiter.creating:
                waiter.respond(Refusal(RefusalCode.SLOW_DOWN, LOST_RETRY_MS))
            elif isinstance(waiter.request, DeleteCard):
                waiter.respond(Done())
            elif isinstance(waiter.request, GetCard):
                waiter.respond(Refusal(RefusalCode.NOT_FOUND))
            else:
                waiter.session.client.punish(self._clock())
                waiter.respond(Refusal(RefusalCode.DENIED))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _unsubscribe(self, session: Peer, call: int) -> None:
        subscription = session.subscriptions.get(call)
        if subscription is None:
            return
        serving = self._by_mailbox.get(subscription.mailbox)
        if serving is not None:
            serving.unsubscribe(session, call)
        else:
            del session.subscriptions[call]

    def _changed(self, place: bytes, record: PlaceRecord) -> None:
        lead = self.leads.get(place)
        if lead is not None:
            lead.follows(record)

    def _failed(self) -> None:
        """A commit failed: what is in memory is ahead of the disk."""
        for lead in tuple(self.leads.values()):
            lead.end()

    def _today(self) -> int:
        return int(self._clock()) // DAY_S

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
