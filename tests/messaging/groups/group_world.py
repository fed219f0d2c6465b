"""Several people with devices and a host of shared logs: the real core of groups, no I/O.

The host is as a relay is towards members: capabilities by their hashes, an order of its own, blobs. It can lose, hold
back and show different things when a test tells it to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from roost.crypto import capability_hash, capability_place
from roost.messaging import accounts, conversations, logs, owners, upkeep
from roost.messaging.groups import actions
from roost.messaging.groups import upkeep as group_upkeep
from roost.messaging.records import (
    GroupMember,
    GroupRow,
    LogPutState,
    LogState,
    Message,
    SharedLog,
    Upload,
)
from roost.wire import content as c
from roost.wire.groups import GroupNote
from roost.wire.links import RelayLink
from tests.messaging.harness import RELAY, Device, World


@dataclass
class HostedLog:
    """A shared mailbox: what a relay knows of it."""

    get: bytes
    admin: bytes
    writers: set[bytes]
    entries: list[tuple[int, bytes]] = field(default_factory=list)
    sealed: bool = False
    number: int = 0

    def put(self, envelope: bytes) -> None:
        if all(envelope != held for _, held in self.entries):
            self.number += 1
            self.entries.append((self.number, envelope))


class GroupDevice(Device):
    """An installation, with the agent's steps for shared logs."""

    world: GroupWorld
    away = False
    opened = 0

    # --- as a person ------------------------------------------------------------------------------------------------

    def group(self, id: bytes) -> GroupRow:
        return self.work().need(GroupRow, id)

    def members(self, id: bytes) -> list[str]:
        return sorted(member.name for member in self.work().find(GroupMember, where={"group": id}))

    def say(self, to: bytes, text: str) -> bytes:
        id = self.entropy.bytes(16)
        self.do(conversations.say, to, c.Text(text), id=id)
        return id

    def texts(self, conversation: bytes) -> list[str]:
        found = self.work().find(Message, where={"conversation": conversation}, order="position")
        return [message.text for message in found if message.device]

    def notes(self, conversation: bytes) -> list[tuple[str, str]]:
        found = self.work().find(Message, where={"conversation": conversation}, order="position")
        contents = [c.decode_content(message.content) for message in found if not message.device]
        return [(note.kind.name.lower(), note.detail) for note in contents if isinstance(note, GroupNote)]

    # --- as the agent -----------------------------------------------------------------------------------------------

    def keep_logs(self) -> int:
        """Create, grant, seal, delete; how much was done."""
        count = 0
        for log in self.work().find(SharedLog):
            held = self.world.hosted.get(log.get)
            match LogState(log.state):
                case LogState.TO_CREATE:
                    self.world.hosted[log.get] = HostedLog(log.get, log.admin, {capability_hash(log.put)})
                    self.do(logs.created, log.id)
                    self.do(group_upkeep.step, log.owner)
                case LogState.TO_SEAL if held is not None:
                    held.sealed = True
                    self.do(logs.sealed, log.id)
                    self.do(group_upkeep.step, log.owner)
                case LogState.TO_DELETE:
                    self.world.hosted.pop(log.get, None)
                    self.do(logs.deleted, log.id)
                case _:
                    continue
            count += 1
        for log in self.work().find(SharedLog):
            count += self._grant(log)
        return count

    def _grant(self, log: SharedLog) -> int:
        grants, held = logs.grants_due(self.work(), log), self.world.hosted.get(log.get)
        if not grants or held is None or held.admin != log.admin:
            return 0
        for grant in grants:
            (held.writers.add if grant.add else held.writers.discard)(grant.capability_hash)
        self.do(logs.granted, grants)
        return len(grants)

    def put_records(self) -> int:
        count = 0
        for put in logs.uploading(self.work()):
            if put.spilled is not None:
                self.world.blobs[put.spilled.key] = self.work().need(_spill(), put.number).data
                self.do(logs.spill_progress, put.number, put.spilled.blobs)
            for upload in self.work().find(Upload, where={"outbox": put.number}):
                self.do(lambda work, row: work.put(row), _done(upload))
            self.do(logs.uploaded, put.number)
        for log in self.work().find(SharedLog):
            for put in logs.due(self.work(), log):
                count += self._put(log, put.number)
        return count

    def _put(self, log: SharedLog, number: int) -> int:
        held = self.world.hosted.get(log.get)
        put = next((row for row in logs.due(self.work(), log) if row.number == number), None)
        if put is None:
            return 0
        if held is None or held.sealed or capability_hash(log.put) not in held.writers:
            self.do(logs.refused, number, "denied")
            return 0
        rights = (held.get, held.admin or held.get, log.put)
        assert len({capability_place(right) for right in rights}) == 1
        for envelope in put.envelopes:
            if not self.world.loses(envelope):
                if put.ephemeral:
                    self.world.whisper(self, log, envelope)
                else:
                    held.put(envelope)
        self.do(logs.stored, number)
        return put.state != LogPutState.STORED

    def read_logs(self) -> int:
        count = 0
        for log in self.work().find(SharedLog):
            held = self.world.hosted.get(log.get)
            if held is None:
                if log.state == LogState.OPEN and not self.world.keeps_dead:
                    self.do(logs.lost, log.id)
                continue
            for number, envelope in list(self.world.shown(self, held)):
                current = self.work().get(SharedLog, log.id)
                if current is None or current.state == LogState.TO_CREATE:
                    break
                if number > current.cursor:
                    count += self.take(log.id, number, envelope)
        return count

    def take(self, log: bytes, number: int, envelope: bytes) -> int:
        spilled = self.do(logs.receive, log, number, envelope, owners.deliver)
        if spilled is not None:
            content = self.world.blobs.get(spilled.place.pointer.key, b"")
            self.do(logs.receive, log, number, envelope, owners.deliver, content)
        return 1

    def turn(self) -> int:
        """Everything that an agent does in a moment."""
        if self.away:
            return 0
        self.create_mailboxes()
        self.do(upkeep.tick)
        return self.keep_logs() + self.send() + self.put_records() + self.fetch() + self.read_logs()


def _spill() -> type:
    from roost.messaging.records import LogSpill

    return LogSpill


def _done(upload: Upload) -> Upload:
    import msgspec

    return msgspec.structs.replace(upload, done=upload.pointer.blobs)


class GroupWorld(World):
    """People who share a host of logs."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__(seed)
        self.hosted: dict[bytes, HostedLog] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.keeps_dead = False
        self.hides: set[tuple[str, int]] = set()

    def loses(self, envelope: bytes) -> bool:
        return False

    def shown(self, device: GroupDevice, log: HostedLog) -> list[tuple[int, bytes]]:
        """What this host shows to a device."""
        return [entry for entry in log.entries if (device.name, entry[0]) not in self.hides]

    def whisper(self, author: GroupDevice, log: SharedLog, envelope: bytes) -> None:
        """An ephemeral envelope reaches those who read now."""
        for device in self.devices:
            for held in device.work().find(SharedLog) if not device.away else ():
                if held.get == log.get:
                    device.take(held.id, 0, envelope)

    def person(self, name: str, relay: RelayLink = RELAY) -> GroupDevice:
        device = GroupDevice(self, name)
        device.do(accounts.create, name, relay, f"{name}'s laptop", None)
        self.devices.append(device)
        return device

    def people(self, *names: str) -> list[GroupDevice]:
        """People of whom the first knows all others, and each the one before."""
        people = [self.person(name) for name in names]
        for index, person in enumerate(people[1:], 1):
            self.friends(people[0], person)
            if index > 1:
                self.friends(people[index - 1], person)
        return people

    def grouped(self, *names: str, title: str = "Choir") -> tuple[bytes, list[GroupDevice]]:
        """A group of people, made by the first of them."""
        people = self.people(*names)
        id = people[0].do(actions.create, title, [person.account for person in people[1:]])
        self.settle()
        return id, people

    def settle(self, rounds: int = 120) -> None:
        quiet = 0
        for _ in range(rounds):
            moved = sum(device.turn() for device in self.devices)
            self.wait(2_100)
            quiet = 0 if moved else quiet + 1
            if quiet == 4:  # pauses before a lost race is tried again, or receipts are told
                return
        raise AssertionError("the world does not come to rest")

    def tick_all(self) -> None:
        for device in self.devices:
            device.do(upkeep.tick)


def agree(id: bytes, *devices: GroupDevice) -> None:
    """All devices are in the same epoch of the group, with the same members."""
    rows = [device.group(id) for device in devices]
    assert len({(row.epoch, row.transcript, row.state) for row in rows}) == 1
    assert len({tuple(device.members(id)) for device in devices}) == 1
