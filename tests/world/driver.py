"""One simulated device: the decisions of roost.agent around the real messaging core, with calls instead of tasks.

Every step goes through `Work` and `Changes` into rows that are written whole or not at all. What is not in the rows
dies with a crash: calls under way, what arrived and is not taken in, how far a mailbox was read on this connection.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from roost.crypto import capability_hash, card_keys, envelope_hash, solve_work
from roost.errors import RoostError
from roost.messaging import inbox, invitations, mailboxes, outbox, peers, requests, sealing, upkeep, ways
from roost.messaging import records as r
from roost.messaging.groups import upkeep as groups
from roost.messaging.parsed import ParsedSessions
from roost.messaging.work import Work
from roost.wire.addresses import Address, HostAddress
from roost.wire.codec import decode
from roost.wire.mailbox import (
    Create,
    Delete,
    DeleteCard,
    Entries,
    Get,
    Grant,
    MailboxKind,
    Put,
    PutCard,
    Refusal,
    RefusalCode,
    Request,
    Response,
    Right,
    Subscribe,
    Subscribed,
    WorkChallenge,
)

from .device_files import DeviceFiles
from .device_logs import DeviceLogs
from .rows import Rows

if TYPE_CHECKING:
    from .world import World

HOUR_MS = 3_600_000
ACK_RETRY_MS = 10_000
REST_MS, LONGEST_REST_MS = 1_000, 60_000  # after something failed that no row says when to try again
_OWN = ("mailbox", "card", "trim")
_RESTING = (*_OWN, "get", "ack", "log", "up", "down")
# What a part of the agent's work depends on: it is done again when such rows were written.
_OWN_ROWS = (r.OwnMailbox, r.OwnRelay, r.InvitationRow, r.StoredFile)
_SEALING_ROWS = (r.Outbox, r.PeerDevice, r.SessionRow, r.Upload, r.Contact, r.OwnRelay)
_GROUP_ROWS = (r.GroupRow, r.GroupSender, r.GroupAnswer, r.SharedLog)
Answer = Callable[[Response | None], None]  # None: unreachable


class Crashed(Exception):
    """The simulated process died in the middle of what it was doing."""


class DiskFailed(Exception):
    """A write failed: nothing of the step was stored."""


class Device:
    def __init__(self, world: World, name: str, number: int) -> None:
        self.world, self.name, self.number = world, name, number
        self.rows = Rows()
        self.entropy = world.entropy(name)
        self.clock_offset = 0
        self.life = 0
        self.running = True
        self.crash_next = ""  # "before" or "after" the next commit
        self.disk_fails = 0
        self.received: dict[bytes, int] = {}  # message ids by how often they were shown
        self.told: list[str] = []
        self.person = -1
        self.removed = False  # another device of its person signed it out
        self.doubtful = False  # restored from an older copy: what it had between is gone
        self.lost_until = 0
        self._forget()

    def _forget(self) -> None:
        self._sessions = ParsedSessions()
        self._running: set[object] = set()
        self._failed: dict[object, int] = {}  # calls in a row
        self._position: dict[object, int] = {}
        self._clean: dict[bytes, object] = {}
        self._seen: dict[str, object] = {}  # by part of the work: what its rows were when it was done
        self._addresses_wait = True
        self._logs = DeviceLogs(self)
        self._files = DeviceFiles(self)
        self._tick_at = self._groups_at = 0
        self._wake_at = 0

    @property
    def now(self) -> int:
        return self.world.time.now + self.clock_offset

    # --- steps --------------------------------------------------------------------------------------------------------

    def look(self) -> Work:
        return Work(self.rows, self.now, self.entropy, self._sessions)

    def step(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """One transaction. Raises Crashed, DiskFailed, and what the step raises."""
        work = self.look()
        result = function(work, *args, **kwargs)
        sealing.seal_new(work)
        changes = work.changes()
        if self.disk_fails > 0:
            self.disk_fails -= 1
            raise DiskFailed
        if self.crash_next == "before":
            self.crash()
        self.rows.apply(changes)
        for event in changes.events:
            self.world.told(self, event)
        if self.crash_next == "after":
            self.crash()
        return result

    def crash(self) -> None:
        """The process dies here; it starts again from its rows after a while."""
        self.crash_next = ""
        self.life += 1
        self.running = False
        self._forget()
        self.world.log(f"{self.name} crashes")
        self.world.time.after(self.world.rng.randrange(100, 20_000), self.start)
        raise Crashed

    def start(self) -> None:
        self.running = True
        self.wake()

    def restore(self, backup: Rows, received: dict[bytes, int]) -> None:
        """The profile folder is replaced by an older copy of itself."""
        self.rows, self.received = backup.copy(), dict(received)
        self.life += 1
        self.doubtful, self.lost_until = True, self.world.time.now
        self._forget()
        self.running = True
        self.wake()

    def lost(self, moment: int) -> bool:
        """Whether what happened then may be gone with the rows that were replaced by an older copy."""
        return moment <= self.lost_until

    def guarded(self, function: Callable[..., Any], *args: Any) -> None:
        """Run a piece of the agent: what fails there fails without consequences."""
        try:
            function(*args)
        except Crashed:
            pass
        except (DiskFailed, RoostError) as error:
            self.world.log(f"{self.name}: {type(error).__name__} {getattr(error, 'code', '')}")
            self.wake(5_000)

    def wake(self, after: int = 1) -> None:
        moment = self.world.time.now + after
        if not self.running:
            return
        if not self._wake_at or moment < self._wake_at:
            self._wake_at = moment
            self.world.time.at(moment, partial(self._woken, self.life, moment))

    def _woken(self, life: int, moment: int) -> None:
        if life == self.life and self.running and moment == self._wake_at:
            self._wake_at = 0
            self.guarded(self._due_work)

    def call(self, name: object, relay: HostAddress, request: Request, done: Answer) -> None:
        """One call at a time under each name; its answer is dropped if the device has died meanwhile."""
        self._running.add(name)
        life = self.life

        def answered(response: Response | None) -> None:
            if life != self.life:
                return
            failed = response is None or isinstance(response, Refusal)
            if failed and isinstance(name, tuple) and name[0] in _RESTING:
                self._failed[name] = self._failed.get(name, 0) + 1
                pause = min(REST_MS << self._failed[name] // 8, LONGEST_REST_MS)
                self.world.time.after(pause, partial(self._rested, life, name))
            else:
                self.free(name)
                self._failed.pop(name, None)
            self.guarded(done, response)
            self.wake()

        self.world.call(self, relay, request, answered)

    def _rested(self, life: int, name: object) -> None:
        if life == self.life:
            self.free(name)
            self.wake()

    def free(self, name: Any) -> None:
        """Another call may start under this name."""
        self._running.discard(name)
        if name[0] in _OWN:
            self._seen.pop("own", None)

    # --- what is due --------------------------------------------------------------------------------------------------

    def _due_work(self) -> None:
        if not self.world.reachable(self):
            return  # woken when the connection stands again
        if not 0 < self._tick_at - self.now <= HOUR_MS:
            self.step(upkeep.tick)
            self._tick_at = upkeep.next_deadline(self.look())
        elif self.groups_at() <= self.now:
            self.step(groups.tick)
        self._read()
        self._start_due()
        self._logs.start_due()
        self._accept_people()
        self.wake(self._pause())

    def groups_at(self) -> int:
        rows = (self.clock_offset, *map(self.rows.written, _GROUP_ROWS))
        if self._seen.get("groups") != rows:
            self._groups_at = groups.next_deadline(self.look())
            self._seen["groups"] = rows
        return self._groups_at

    def _pause(self) -> int:
        work = self.look()
        due = [self._tick_at, *self._logs.deadlines(work), *(row.acknowledge_at for row in work.find(r.SessionRow))]
        for state in (r.OutboxState.SEALED, r.OutboxState.STORED):
            due += [row.next_at for row in work.find(r.Outbox, where={"state": int(state)})]
        later = [moment - self.now for moment in due if moment > self.now]
        return max(min([*later, HOUR_MS]), 20)

    def _relays(self) -> dict[bytes, r.OwnRelay]:
        return {row.relay: row for row in self.look().find(r.OwnRelay)}

    def _start_due(self) -> None:
        self._start_own()
        if self._addresses_wait:
            return
        self._files.start_due()
        self._seal_late()
        self._start_puts()
        under_way = {name[1:] for name in self._running if isinstance(name, tuple) and name[0] == "ack"}
        for peer in sealing.due_acknowledgements(self.look(), under_way):
            self._once(("ack", peer.account, peer.device), self._acknowledge, peer)

    def _start_own(self) -> None:
        """What relays keep for this device itself: mailboxes and cards."""
        rows = tuple(map(self.rows.written, _OWN_ROWS))
        if self._seen.get("own") == rows:
            return
        self._seen["own"] = rows
        work, relays = self.look(), self._relays()
        for state, start in ((r.MailboxState.TO_CREATE, self._create), (r.MailboxState.TO_DELETE, self._delete)):
            for row in work.find(r.OwnMailbox, where={"state": int(state)}):
                self._once(("mailbox", row.admin), start, relays[row.relay], row)
        for card in work.find(r.InvitationRow):
            if card.state == r.InvitationState.TO_PUT:
                self._once(("card", card.secret), self._put_card, relays[card.relay], card)
            elif card.state in (r.InvitationState.USED, r.InvitationState.REVOKED):
                self._once(("card", card.secret), self._delete_card, relays[card.relay], card)
        self._files.start_trims(relays)
        cards = work.find(r.InvitationRow, where={"state": int(r.InvitationState.TO_PUT)})
        self._addresses_wait = bool(cards or mailboxes.awaited(work))

    def _seal_late(self) -> None:
        """Seal what could not be sealed when it was queued."""
        rows = tuple(map(self.rows.written, _SEALING_ROWS))
        if self._seen.get("seal") == rows:
            return
        work = self.look()
        waiting = work.find(r.Outbox, where={"state": int(r.OutboxState.QUEUED)})
        devices = {(row.account, row.device) for row in waiting}
        for peer in work.find(r.PeerDevice) if devices else ():
            if (peer.account, peer.device) in devices and sealing.can_seal(work, peer):
                self.step(sealing.seal_waiting, peer)
        self._seen["seal"] = rows

    def _once(self, name: object, function: Callable[..., None], *args: Any) -> None:
        if name not in self._running:
            function(name, *args)

    # --- mailboxes and cards ------------------------------------------------------------------------------------------

    def _create(self, name: object, relay: r.OwnRelay, row: r.OwnMailbox) -> None:
        rights = ((row.admin, Right.ADMIN), (row.get, Right.GET), (row.put, Right.PUT))
        grants = tuple(Grant(capability_hash(capability), right) for capability, right in rights)

        def done(answer: Response | None) -> None:
            if answer is None or isinstance(answer, Refusal):
                self.wake(5_000)
            else:
                self.step(peers.mailbox_created, row.admin)

        self.call(name, relay.link.address, Create(MailboxKind(row.kind), grants), done)

    def _then(self, step: Callable[..., Any], *args: Any, gone: tuple[RefusalCode, ...] = ()) -> Answer:
        """Take this step once the host has done what it was asked, or says that there is nothing any more."""

        def done(answer: Response | None) -> None:
            if answer is not None and not (isinstance(answer, Refusal) and answer.code not in gone):
                self.step(step, *args)

        return done

    def _delete(self, name: object, relay: r.OwnRelay, row: r.OwnMailbox) -> None:
        done = self._then(mailboxes.deleted, row.admin, gone=(RefusalCode.DENIED,))
        self.call(name, relay.link.address, Delete(row.admin), done)

    def _put_card(self, name: object, relay: r.OwnRelay, row: r.InvitationRow) -> None:
        card = PutCard(card_keys(row.secret).locator, row.writer, row.version, row.sealed_card, row.card_expires)

        self.call(name, relay.link.address, card, self._then(invitations.card_put, row.secret, row.version))

    def _delete_card(self, name: object, relay: r.OwnRelay, row: r.InvitationRow) -> None:
        done = self._then(invitations.card_deleted, row.secret, gone=(RefusalCode.NOT_FOUND, RefusalCode.DENIED))
        self.call(name, relay.link.address, DeleteCard(card_keys(row.secret).locator, row.writer), done)

    # --- envelopes that leave -----------------------------------------------------------------------------------------

    def _start_puts(self) -> None:
        work = self.look()
        for state in (r.OutboxState.SEALED, r.OutboxState.STORED):
            for row in work.find(r.Outbox, where={"state": int(state)}, at_most=("next_at", work.now), order="number"):
                peer, name = work.get(r.PeerDevice, row.account, row.device), ("put", row.number)
                address = ways.address_for(work, row, peer) if name not in self._running else None
                if address is not None:
                    self._put_row(name, row, address)

    def _put_row(self, name: object, row: r.Outbox, address: Address) -> None:
        """All envelopes of a row in flight at once; what came of it is written down when the last one is answered."""
        self._running.add(name)
        codes: list[str] = []

        def done(answer: Response | None) -> None:
            codes.append("unreachable" if answer is None else answer.code if isinstance(answer, Refusal) else "")
            if len(codes) == len(row.envelopes):
                self.free(name)
                if any(codes):
                    self.step(outbox.refused, row.number, max(codes))
                else:
                    self.step(outbox.stored, row.number)

        needs = outbox.needs_of(self.look(), row)
        for envelope in row.envelopes:
            self.world.leaves(self, envelope)
            put = Put(address.put, envelope, needs=needs)
            answer = done if row.address is None else partial(self._knocked, address, put, done)
            self.call((name, envelope), address.relay, put, answer)

    def _knocked(self, address: Address, put: Put, done: Answer, answer: Response | None) -> None:
        """The relay may ask for work first."""
        if not isinstance(answer, Refusal) or answer.code != RefusalCode.WORK_NEEDED or put.work:
            done(answer)
            return
        challenge = decode(WorkChallenge, answer.detail)
        proof = solve_work(challenge.nonce, capability_hash(put.put), envelope_hash(put.envelope), challenge.bits)
        worked = Put(put.put, put.envelope, work=proof)
        self.call(("knock", put.envelope), address.relay, worked, done)

    def _acknowledge(self, name: object, peer: r.PeerDevice) -> None:
        again_at = self.now + ACK_RETRY_MS
        envelope = self.step(sealing.seal_bare, peer, again_at=again_at)
        if envelope is None or peer.address is None:
            return
        self.world.leaves(self, envelope)

        def done(answer: Response | None) -> None:
            if answer is not None and not isinstance(answer, Refusal):
                self.step(sealing.acknowledgement_put, peer, again_at)
            elif left:
                self._put_at(name, left.pop(0), envelope, done)

        left = list(peer.addresses)
        self._put_at(name, left.pop(0), envelope, done)

    def _put_at(self, name: object, address: Address, envelope: bytes, done: Answer) -> None:
        self.call(name, address.relay, Put(address.put, envelope), done)

    # --- envelopes that arrive ----------------------------------------------------------------------------------------

    def _read(self) -> None:
        relays = self._relays()
        for state in (r.MailboxState.ACTIVE, r.MailboxState.RETIRING):
            for row in self.look().find(r.OwnMailbox, where={"state": int(state)}):
                if row.relay in relays:
                    self._once(("get", row.admin), self._get, relays[row.relay], row)

    def _get(self, name: object, relay: r.OwnRelay, row: r.OwnMailbox) -> None:
        """As a subscription: from the cursor on a new connection, or from the start if that is beyond the relay's
        newest entry; then what is new."""
        connection = self.world.connection(self, relay.relay)
        state = connection, self.world.network.puts.get(row.put)
        if self._clean.get(row.admin) == state:
            return
        key = row.admin, connection
        position = self._position.get(key)
        if position is None:
            self._subscribe(name, relay, row, key)
            return

        def done(answer: Response | None) -> None:
            if isinstance(answer, Entries):
                end = self.world.relays[relay.relay].served.get(row.get, 0)
                for entry in answer.entries:
                    self._take_in(row.admin, entry.number, entry.envelope)
                self._position[key] = max(position, end)
                if not answer.more:
                    self._clean[row.admin] = state
            else:
                self._gone(row, answer)

        self.call(name, relay.link.address, Get(row.get, position), done)

    def _subscribe(self, name: object, relay: r.OwnRelay, row: r.OwnMailbox, key: object) -> None:
        def done(answer: Response | None) -> None:
            if isinstance(answer, Subscribed):
                self._position[key] = row.cursor if row.cursor <= answer.end else 0
            else:
                self._gone(row, answer)

        self.call(name, relay.link.address, Subscribe(row.get, row.cursor), done)

    def _gone(self, row: r.OwnMailbox, answer: Response | None) -> None:
        if isinstance(answer, Refusal) and answer.code == RefusalCode.DENIED:
            self.step(mailboxes.lost, row.admin)

    def _take_in(self, admin: bytes, number: int, envelope: bytes) -> None:
        mailbox = self.look().get(r.OwnMailbox, admin)
        if mailbox is not None:
            self.step(inbox.receive, mailbox, number, envelope)

    # --- as a person --------------------------------------------------------------------------------------------------

    def _accept_people(self) -> None:
        for request in self.look().find(r.Request, where={"state": int(r.RequestState.PENDING)}):
            self.step(requests.accept, request)
