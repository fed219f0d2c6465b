"""What leaves: mailboxes and cards first, then sealed envelopes, then bare acknowledgements.

Nothing that mentions an address leaves before its relay has made that mailbox, if the relay is there. What goes to one
relay never waits for another. Results that come together are written in one commit. Rows that become due are noted as
they are written; the outbox is searched only at the start, after trouble and when a pause is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from roost.agent.networks import network_to, place_at
from roost.crypto import capability_hash, card_keys, envelope_hash, solve_work
from roost.errors import Refused, RoostError, Unreachable
from roost.messaging import floors, invitations, mailboxes, outbox, peers, sealing, ways
from roost.messaging.records import (
    NEVER,
    Contact,
    InvitationRow,
    InvitationState,
    MailboxState,
    Message,
    Outbox,
    OutboxState,
    OwnMailbox,
    OwnRelay,
    PeerDevice,
    Row,
    SessionRow,
    Upload,
)
from roost.messaging.work import Work
from roost.wire.addresses import Address
from roost.wire.codec import decode
from roost.wire.mailbox import (
    Create,
    Delete,
    DeleteCard,
    Grant,
    MailboxKind,
    Needs,
    Put,
    PutCard,
    RefusalCode,
    Response,
    Right,
    WorkChallenge,
)

if TYPE_CHECKING:
    from roost.agent.engine import Engine

NOTE_AGAIN_S = 1.0
LOOK_AT = 256  # rows that are looked at at a time; the rest has its turn when these are done
IN_FLIGHT = 128  # rows on their way to one relay
KNOCK_TRIES = 3
MAX_WORK_BITS = 30  # about a quarter of an hour here; more is a refusal
ACK_RETRY_MS = 10_000
ACK = "ack"
COVER = "cover"  # an envelope that carries nothing: nobody waits for it to arrive


class Outgoing:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: dict[object, asyncio.Task[None]] = {}
        self._addresses_wait = True
        self._due: dict[int, None] = {}  # outbox rows that may be due, in the order in which they became so
        self._search = True  # others may be due now
        self._more = False  # others are, and have their turn after these
        self._due_at = 0  # when one may be next that is not due yet
        self._flying: dict[int, tuple[bytes, asyncio.Task[None]]] = {}  # rows that are being put, and at which relay

    # --- starting what is due -----------------------------------------------------------------------------------------

    def look_everywhere(self) -> None:
        """Something outside the outbox changed: anything may be due."""
        self._search = True

    def written(self, row: Outbox) -> int:
        """A row was committed just now: note when it is due; returns that moment, 0 when something can be done now."""
        if row.state == OutboxState.QUEUED:
            return 0
        if row.next_at <= self._engine.now_ms:
            self._due[row.number] = None
            return 0
        self._due_at = min(self._due_at, row.next_at)
        return row.next_at

    def start_due(self, touched: frozenset[type[Row]]) -> None:
        """Seal what waits, and start a worker for everything that is due and has none.

        `touched` are the kinds of rows that were written since the last time: nothing else can have become due, but
        for what only waited for its time.
        """
        work = self._engine.look()
        if not touched.isdisjoint((OwnMailbox, OwnRelay, InvitationRow)):
            relays = {row.relay: row for row in work.find(OwnRelay)}
            self._start_mailboxes(work, relays)
            self._start_cards(work, relays)
            self._addresses_wait = self._mailboxes_wait(work)
        if self._addresses_wait or not self._engine.network.any_reachable():
            return  # addresses must be real before they are told
        if not touched.isdisjoint((PeerDevice, OwnRelay)):
            self._search = True  # an address may be there for what had none
        if not touched.isdisjoint((Outbox, PeerDevice, SessionRow, Upload, Contact, OwnRelay)):
            self._seal_late(work)
        self._start_puts()
        work = self._engine.look()
        under_way = {name[1:] for name in self._running if isinstance(name, tuple) and name[0] == ACK}
        for peer in sealing.due_acknowledgements(work, under_way):
            kind = ACK if sealing.is_due(work, peer) else COVER
            self._start((kind, peer.account, peer.device), partial(self._acknowledge, peer))

    def _seal_late(self, work: Work) -> None:
        """Seal what could not be sealed when it was queued: the address, an upload or an acknowledgement was
        missing."""
        waiting = {
            (row.account, row.device): None for row in work.find(Outbox, where={"state": int(OutboxState.QUEUED)})
        }
        for account, device in waiting:
            peer = work.get(PeerDevice, account, device)
            if peer is not None and sealing.can_seal(work, peer):
                self._engine.step(sealing.seal_waiting, peer)

    def _start(self, name: object, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._running:
            task = self._engine.start(self._guarded(work))
            self._running[name] = task
            task.add_done_callback(lambda _: self._ended(name))

    def _ended(self, name: object) -> None:
        self._running.pop(name, None)
        if isinstance(name, tuple) and name[0] in (ACK, COVER):
            self._engine.nudge()
        else:
            self._engine.wake()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except RoostError as error:
            if not isinstance(error, Unreachable):
                self._engine.trouble(error)
            await asyncio.sleep(1.0)

    @property
    def idle(self) -> bool:
        return not self._flying and not any(isinstance(name, tuple) and name[0] != COVER for name in self._running)

    def next_deadline(self) -> int:
        """When something is due next, in milliseconds since 1970; NEVER when nothing is foreseen."""
        if self._addresses_wait or not self._engine.network.any_reachable():
            return NEVER  # the loop is woken when that changes
        return min(_next_acknowledgement(self._engine.look()), self._due_at)

    async def close(self) -> None:
        tasks = [*self._running.values(), *(task for _, task in self._flying.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- mailboxes and cards ------------------------------------------------------------------------------------------

    def _mailboxes_wait(self, work: Work) -> bool:
        """Not for a host that cannot be reached: it would hold up all that can go by another. Whoever is told of a
        mailbox that is not there yet is refused, and keeps to the other way."""
        cards = work.find(InvitationRow, where={"state": int(InvitationState.TO_PUT)})
        hosts = {row.relay for row in mailboxes.awaited(work)} | {card.relay for card in cards}
        return any(self._engine.network.reachable(host) for host in hosts)

    def _start_mailboxes(self, work: Work, relays: dict[bytes, OwnRelay]) -> None:
        for state, act in ((MailboxState.TO_CREATE, self._create), (MailboxState.TO_DELETE, self._delete)):
            for row in work.find(OwnMailbox, where={"state": int(state)}):
                relay = relays.get(row.relay)
                if relay is None:
                    self._engine.step(mailboxes.deleted, row.admin)
                elif self._engine.network.reachable(row.relay):
                    self._start(("mailbox", row.admin), partial(act, relay, row))

    async def _create(self, relay: OwnRelay, row: OwnMailbox) -> None:
        rights = ((row.admin, Right.ADMIN), (row.get, Right.GET), (row.put, Right.PUT))
        grants = tuple(Grant(capability_hash(capability), right) for capability, right in rights)
        host = relay.link.address
        create = Create(MailboxKind(row.kind), grants, place=place_at(host, row.admin))
        await self._engine.network.call(host, create, mixed=self._engine.mixed(row.account))
        self._engine.step(peers.mailbox_created, row.admin)

    async def _delete(self, relay: OwnRelay, row: OwnMailbox) -> None:
        try:
            mixed = self._engine.mixed(row.account)
            await self._engine.network.call(relay.link.address, Delete(row.admin), mixed=mixed)
        except Refused as error:
            if error.code != RefusalCode.DENIED:  # denied: it is gone already
                raise
        self._engine.step(mailboxes.deleted, row.admin)

    def _start_cards(self, work: Work, relays: dict[bytes, OwnRelay]) -> None:
        for row in work.find(InvitationRow):
            relay = relays.get(row.relay)
            if relay is None or not self._engine.network.reachable(row.relay):
                continue
            if row.state == InvitationState.TO_PUT:
                self._start(("card", row.secret), partial(self._put_card, relay, row))
            elif row.state in (InvitationState.USED, InvitationState.REVOKED):
                self._start(("card", row.secret), partial(self._delete_card, relay, row))

    async def settle_invitation(self, secret: bytes) -> None:
        """Create the mailbox and put the card of an invitation now. Raises Refused or Unreachable."""
        work = self._engine.look()
        row = work.need(InvitationRow, secret)
        relay = work.need(OwnRelay, row.relay)
        for mailbox in work.find(OwnMailbox, where={"invitation": secret}):
            if mailbox.state == MailboxState.TO_CREATE:
                await self._create(relay, mailbox)
        await self._put_card(relay, row)

    async def _put_card(self, relay: OwnRelay, row: InvitationRow) -> None:
        locator = card_keys(row.secret).locator
        card = PutCard(locator, row.writer, row.version, row.sealed_card, row.card_expires)
        await self._engine.network.call(relay.link.address, card)
        self._engine.step(invitations.card_put, row.secret, row.version)

    async def _delete_card(self, relay: OwnRelay, row: InvitationRow) -> None:
        try:
            await self._engine.network.call(relay.link.address, DeleteCard(card_keys(row.secret).locator, row.writer))
        except Refused as error:
            if error.code not in (RefusalCode.NOT_FOUND, RefusalCode.DENIED):
                raise
        self._engine.step(invitations.card_deleted, row.secret)

    # --- envelopes ----------------------------------------------------------------------------------------------------

    def _start_puts(self) -> None:
        """Put what is due and not under way."""
        work = self._engine.look()
        if self._search or self._due_at <= work.now or (self._more and len(self._due) < LOOK_AT // 4):
            self._look(work)
        flying: dict[bytes, int] = {}
        for relay, _ in self._flying.values():
            flying[relay] = flying.get(relay, 0) + 1
        for number in list(islice(self._due, LOOK_AT)):
            row = work.get(Outbox, number)
            address = None
            if row is not None and number not in self._flying and row.state != OutboxState.QUEUED:
                peer = work.get(PeerDevice, row.account, row.device)
                address = ways.address_for(work, row, peer, self._engine.network.standing)
            if row is None or address is None or row.next_at > work.now:
                del self._due[number]  # one that has no address is looked for when it may have one
            elif not floors.may_take(work, row, address):
                del self._due[number]
                self._engine.step(outbox.held, number)
            elif flying.get(address.relay.key, 0) < IN_FLIGHT:
                del self._due[number]
                flying[address.relay.key] = flying.get(address.relay.key, 0) + 1
                self._put(row, address, outbox.needs_of(work, row))

    def _look(self, work: Work) -> None:
        """Search the outbox for what is due now, and for when something will be."""
        self._search, self._more, self._due_at = False, False, NEVER
        for state in (OutboxState.SEALED, OutboxState.STORED):
            where = {"state": int(state)}
            rows = work.find(Outbox, where=where, at_most=("next_at", work.now), order="number", limit=LOOK_AT)
            self._due.update((row.number, None) for row in rows)
            if len(rows) == LOOK_AT:
                self._more = True
                continue
            for row in work.find(Outbox, where=where, order="next_at", limit=len(rows) + 1):
                if row.next_at > work.now:
                    self._due_at = min(self._due_at, row.next_at)

    def _put(self, row: Outbox, address: Address, needs: tuple[Needs, ...]) -> None:
        task = self._engine.start(self._guarded(partial(self._put_row, row, address, needs)))
        self._flying[row.number] = address.relay.key, task
        task.add_done_callback(lambda _: self._landed(row.number))

    def _landed(self, number: int) -> None:
        del self._flying[number]
        row = self._engine.look().get(Outbox, number)
        if row is not None:
            self.written(row)  # it is due where what came of it could not be written, or it became so meanwhile
        if self._due or self._more:
            self._engine.nudge()

    async def _put_row(self, row: Outbox, address: Address, needs: tuple[Needs, ...]) -> None:
        """Put a row's envelopes and write down what came of it."""
        call = partial(self._engine.network.call, mixed=self._is_mixed(row))
        puts = [Put(address.put, envelope, needs=needs) for envelope in row.envelopes]
        try:
            if row.address is not None:
                for put in puts:
                    await self._knock(address, put, call)
            elif len(puts) == 1:
                await call(address.relay, puts[0])
            else:
                await asyncio.gather(*(call(address.relay, put) for put in puts))
        except RoostError as error:
            retry_after_ms = error.retry_after_ms if isinstance(error, Refused) else 0
            await self._note(outbox.refused, row.number, error.code, retry_after_ms)
            peer = self._engine.look().get(PeerDevice, row.account, row.device)
            if row.address is None and peer is not None and address not in peer.addresses:  # they moved meanwhile
                await self._note(outbox.hurry, row.account, row.device)
        else:
            await self._note(_put, row, address)

    async def _note(self, step: Callable[..., None], *what: object) -> None:
        """Write down what a host said. If the disk refuses, the row is put again later, and the host knows it."""
        try:
            await self._engine.note(step, *what)
        except RoostError as error:
            self._engine.trouble(error)
            await asyncio.sleep(NOTE_AGAIN_S)

    def _is_mixed(self, row: Outbox) -> bool:
        """A copy for another device of mine goes as what it is a copy of: both leave at one moment."""
        message = self._engine.look().get(Message, row.message) if row.message else None
        return self._engine.mixed(row.account if message is None else message.conversation)

    async def _knock(self, address: Address, put: Put, call: Callable[..., Awaitable[Response]]) -> None:
        """Put into a request mailbox, doing the work that its host asks of strangers."""
        for _ in range(KNOCK_TRIES):
            try:
                await call(address.relay, put)
            except Refused as error:
                if error.code != RefusalCode.WORK_NEEDED:
                    raise
                put = await asyncio.to_thread(_worked, put, error.detail)
            else:
                return
        raise Refused("The relay asks for more work each time.", code=RefusalCode.FULL)

    # --- acknowledgements and what is not kept ------------------------------------------------------------------------

    async def _acknowledge(self, peer: PeerDevice) -> None:
        again_at = self._engine.now_ms + ACK_RETRY_MS
        if await self.put_bare(peer, again_at=again_at):
            await self._engine.note(sealing.acknowledgement_put, peer, again_at)

    async def put_bare(
        self, peer: PeerDevice, payload: bytes = b"", *, ephemeral: bool = False, again_at: int = NEVER
    ) -> bool:
        """Seal one envelope outside the order and put it; False when it did not arrive."""
        if payload and not floors.allows(self._engine.look(), peer):
            return False
        envelope = self._engine.step(sealing.seal_bare, peer, payload, again_at=again_at)
        if envelope is None:
            return False
        open_ways = ways.best_first(self._engine.look(), peer, self._engine.network.standing)
        for address in open_ways[: 1 if payload else 2]:
            try:
                put, mixed = Put(address.put, envelope, ephemeral), self._engine.mixed(peer.account)
                await self._engine.network.call(address.relay, put, mixed=mixed)
            except (Refused, Unreachable):
                continue
            return True
        return False


def _next_acknowledgement(work: Work) -> int:
    """When the next one is due that is not due already. What was due longer may be to a stranger whose request waits
    for an answer: it is not sent before, and must not hide the others."""
    limit = 1
    while True:
        rows = work.find(SessionRow, order="acknowledge_at", limit=limit)
        later = [row.acknowledge_at for row in rows if row.acknowledge_at > work.now]
        if later or len(rows) < limit:
            return min(later, default=NEVER)
        limit *= 4


def _put(work: Work, row: Outbox, address: Address) -> None:
    """All of a row is at its host; the device may have acknowledged it already."""
    outbox.went(work, row.message, row.account, str(network_to(work, address.relay)), address.relay.endpoint)
    outbox.stored(work, row.number)


def _worked(put: Put, detail: bytes) -> Put:
    """The put with the proof of work that the challenge asks for. Raises Refused when it asks for too much."""
    challenge = decode(WorkChallenge, detail)
    if challenge.bits > MAX_WORK_BITS:
        raise Refused("This invitation is being flooded.", code=RefusalCode.FULL, retry_after_ms=600_000)
    proof = solve_work(challenge.nonce, capability_hash(put.put), envelope_hash(put.envelope), challenge.bits)
    return Put(put.put, put.envelope, put.ephemeral, put.needs, proof)
