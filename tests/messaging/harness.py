"""People with devices, joined by a relay that is nothing but a dictionary of logs: the real messaging core, no I/O.

The harness does what the agent does: creates mailboxes, puts cards, seals and puts what waits, hands over what arrives.
Time moves only by `World.wait`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from roost.crypto import capability_place
from roost.messaging import (
    accounts,
    conversations,
    devices,
    inbox,
    invitations,
    mailboxes,
    outbox,
    peers,
    requests,
    sealing,
    upkeep,
    ways,
)
from roost.messaging.records import (
    Contact,
    ContactState,
    InvitationRow,
    InvitationState,
    MailboxState,
    Message,
    Outbox,
    OutboxState,
    OwnMailbox,
    PeerDevice,
    Request,
    RequestState,
    Row,
)
from roost.messaging.work import Work, row_key
from roost.wire.addresses import RelayAddress
from roost.wire.content import Text
from roost.wire.links import InvitationKind, RelayLink, parse_invitation

START_MS = 1_790_000_000_000
RELAY = RelayLink(RelayAddress("relay.example", 443, b"r" * 32))


class CountedEntropy:
    """Reproducible bytes for tests: BLAKE2b over a seed and a counter."""

    def __init__(self, seed: int) -> None:
        self._seed, self._count = seed, 0

    def bytes(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            self._count += 1
            out += hashlib.blake2b(f"{self._seed}/{self._count}".encode()).digest()
        return out[:count]


@dataclass
class MemoryRecords:
    """A profile's rows in a dictionary."""

    rows: dict[tuple[type[Row], tuple[object, ...]], Row] = field(default_factory=dict)

    def get(self, kind, *key):  # type: ignore[no-untyped-def]
        return self.rows.get((kind, key))

    def find(self, kind, *, where: Mapping = {}, at_most=None, below=None, order=None, descending=False, limit=None):  # type: ignore[no-untyped-def, type-arg]
        columns = {*kind.key, *kind.indexes}
        assert {*where, *([at_most[0]] if at_most else []), *([order] if order else [])} <= columns
        found = [
            row
            for (of, _), row in self.rows.items()
            if of is kind
            and all(getattr(row, name) == value for name, value in where.items())
            and (at_most is None or getattr(row, at_most[0]) <= at_most[1])
            and (below is None or getattr(row, below[0]) < below[1])
        ]
        if order:
            found.sort(key=lambda row: getattr(row, order), reverse=descending)
        return found[:limit]


@dataclass
class Host:
    """The relay: logs of envelopes by put capability, cards by secret."""

    logs: dict[bytes, list[tuple[int, bytes]]] = field(default_factory=dict)
    cards: dict[bytes, bytes] = field(default_factory=dict)

    def put(self, capability: bytes, envelope: bytes) -> bool:
        if capability not in self.logs:
            return False
        log = self.logs[capability]
        if all(envelope != held for _, held in log):
            log.append((log[-1][0] + 1 if log else 1, envelope))
        return True


class Device:
    """One installation: its profile, and the steps of the agent."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.records = MemoryRecords()
        self.entropy = CountedEntropy(hash_of(world.seed, name))
        self.told: list[tuple[str, str]] = []

    def work(self) -> Work:
        return Work(self.records, self.world.now, self.entropy)

    def commit(self, work: Work) -> None:
        changes = work.changes()
        for row in changes.put:
            assert type(row).__name__
            self.records.rows[type(row), row_key(row)] = row
        for kind, key in changes.delete:
            self.records.rows.pop((kind, key), None)
        self.told += [(event.kind, event.detail) for event in changes.events]

    def do(self, step, *args, **kwargs):  # type: ignore[no-untyped-def]
        work = self.work()
        result = step(work, *args, **kwargs)
        self.commit(work)
        return result

    # --- as a person ------------------------------------------------------------------------------------------------

    @property
    def account(self) -> bytes:
        return self.work().me.account

    def invite(self, kind: InvitationKind = InvitationKind.ONE_TIME) -> str:
        row = self.do(invitations.make, kind)
        self.world.settle()
        return str(row.link)

    def add(self, link: str, greeting: str = "hello") -> bytes:
        invitation = parse_invitation(link)
        work = self.work()
        card = invitations.open_invitation(work, invitation, self.world.host.cards[invitation.secret])
        contact = invitations.request_contact(work, card, greeting)
        self.commit(work)
        return contact.account

    def pending(self) -> list[Request]:
        return self.work().find(Request, where={"state": int(RequestState.PENDING)})

    def accept_all(self) -> None:
        for request in self.pending():
            self.do(requests.accept, request)

    def say(self, to: bytes, text: str) -> bytes:
        return bytes(self.do(conversations.say, to, Text(text), id=self.entropy.bytes(16)).id)

    def texts(self, conversation: bytes) -> list[str]:
        found = self.work().find(Message, where={"conversation": conversation}, order="position")
        return [message.text for message in found]

    def state(self, id: bytes) -> int:
        return self.work().need(Message, id).state

    # --- as the agent -----------------------------------------------------------------------------------------------

    def create_mailboxes(self) -> None:
        for row in self.work().find(OwnMailbox):
            if row.relay in self.world.down:
                continue
            if row.state == MailboxState.TO_CREATE:
                assert len({capability_place(right) for right in (row.admin, row.get, row.put)}) == 1
                self.world.host.logs.setdefault(row.put, [])
                self.do(peers.mailbox_created, row.admin)
            elif row.state == MailboxState.TO_DELETE:
                self.world.host.logs.pop(row.put, None)
                self.do(mailboxes.deleted, row.admin)
        for row in self.work().find(InvitationRow):
            if row.state == InvitationState.TO_PUT:
                self.world.host.cards[row.secret] = row.sealed_card
                self.do(invitations.card_put, row.secret, row.version)
            elif row.state in (InvitationState.REVOKED, InvitationState.USED):
                self.world.host.cards.pop(row.secret, None)
                self.do(invitations.card_deleted, row.secret)

    def send(self) -> int:
        """Seal and put what is due; how many envelopes left."""
        count = 0
        for peer in self.work().find(PeerDevice):
            self.do(sealing.seal_waiting, peer)
        bare = self.do(sealing.due_acknowledgements)
        for state in (OutboxState.SEALED, OutboxState.STORED):
            for row in self.work().find(Outbox, where={"state": int(state)}, order="number"):
                if row.next_at > self.world.now:
                    continue
                peer = self.work().get(PeerDevice, row.account, row.device)
                address = ways.address_for(self.work(), row, peer)
                if address is None:
                    continue
                if address.relay.key in self.world.down | self.world.apart:
                    self.do(outbox.refused, row.number, "unreachable")
                    continue
                taken = [self.world.transmit(address.put, envelope) for envelope in row.envelopes]
                count += len(taken)
                if all(taken):
                    self.do(outbox.stored, row.number)
                else:
                    self.do(outbox.refused, row.number, "denied")
        for peer in bare:
            envelope = self.do(sealing.seal_bare, peer)
            if envelope is not None:
                count += 1
                unreached = self.world.down | self.world.apart
                able = [way for way in ways.best_first(self.work(), peer) if way.relay.key not in unreached]
                if able:
                    self.world.transmit(able[0].put, envelope)
        return count

    def fetch(self) -> int:
        """Take in what lies in my mailboxes; how many envelopes came."""
        count = 0
        for mailbox in self.work().find(OwnMailbox):
            if mailbox.relay in self.world.down:
                continue
            log = self.world.host.logs.get(mailbox.put)
            if log is None:
                self.do(mailboxes.lost, mailbox.admin)
            while log:
                number, envelope = log.pop(0)
                current = self.work().get(OwnMailbox, mailbox.admin)
                if current is None:
                    break
                self.do(inbox.receive, current, number, envelope)
                count += 1
        return count


class World:
    def __init__(self, seed: int = 1) -> None:
        self.seed, self.now = seed, START_MS
        self.host = Host()
        self.devices: list[Device] = []
        self.down: set[bytes] = set()  # keys of relays that nobody reaches
        self.apart: set[bytes] = set()  # keys of devices that host mailboxes, which nobody but themselves reaches

    def person(self, name: str, relay: RelayLink = RELAY) -> Device:
        device = Device(self, name)
        device.do(accounts.create, name, relay, f"{name}'s laptop", None)
        self.devices.append(device)
        return device

    def second_device(self, old: Device, name: str, relay: RelayLink = RELAY) -> Device:
        """Link a new device to an old one's account."""
        new = Device(self, name)
        row = new.do(accounts.create_waiting, relay, name)
        self.devices.append(new)
        new.create_mailboxes()
        invitation = parse_invitation(row.link)
        work = old.work()
        card = invitations.open_invitation(work, invitation, self.host.cards[invitation.secret])
        devices.confirm(work, card, accounts.account_key(work.me, None))
        old.commit(work)
        self.settle()
        return new

    def friends(self, first: Device, second: Device) -> None:
        second.add(first.invite())
        self.settle()
        first.accept_all()
        self.settle()

    def transmit(self, capability: bytes, envelope: bytes) -> bool:
        return self.host.put(capability, envelope)

    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds

    def settle(self, rounds: int = 60) -> None:
        """Let everybody work until nothing moves any more."""
        for _ in range(rounds):
            moved = 0
            for device in self.devices:
                device.create_mailboxes()
                moved += device.send() + device.fetch()
            self.wait(2_100)
            if not moved and not any(device.do(sealing.due_acknowledgements) for device in self.devices):
                return
        raise AssertionError("the world does not come to rest")

    def tick_all(self) -> None:
        for device in self.devices:
            device.do(upkeep.tick)


def hash_of(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")


def accepted(device: Device) -> list[Contact]:
    return device.work().find(Contact, where={"state": int(ContactState.ACCEPTED)})
