"""Channels that go on elsewhere: their readers follow, by the owner's word or by a newer link."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from harness import RELAY, START_MS, CountedEntropy, MemoryRecords, hash_of
from test_channels import Host, Person

from roost.crypto import capability_hash, channel_keys, open_log_envelope
from roost.errors import CallerError
from roost.messaging import accounts, conversations, logs, owners, upkeep
from roost.messaging.channels import actions, states
from roost.messaging.records import ChannelRow, LogGrant, LogPut, LogState, Message, MessageState, SharedLog
from roost.wire import content as c
from roost.wire.channels import PLACE, ChannelPlace, ChannelRole, ChannelState, Posting, SignedRecord
from roost.wire.codec import Extension, decode, encode
from roost.wire.logs import decode_frame


class Hosts(dict[bytes, Host]):
    """Mailboxes by what reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.down: set[bytes] = set()
        self.sealed: set[bytes] = set()


class Traveller(Person):
    """A person whose agent keeps several logs."""

    def __init__(self, hosts: Hosts, name: str) -> None:
        self.hosts, self.name, self.now = hosts, name, START_MS
        self.records, self.entropy = MemoryRecords(), CountedEntropy(hash_of(name))
        self.told: list[tuple[str, str]] = []
        self.do(accounts.create, name, RELAY, f"{name}'s laptop", None)

    def sync(self) -> None:
        self.do(upkeep.tick)
        for log in self.work().find(SharedLog):
            if log.get in self.hosts.down:
                continue
            if log.state == LogState.TO_CREATE:
                self.hosts[log.get] = Host(granted={capability_hash(log.put), capability_hash(log.admin)})
                self.do(logs.created, log.id)
            self._grant(log)
            self._put(log)
            if log.state == LogState.TO_SEAL:
                self.hosts.sealed.add(log.get)
                self.do(logs.sealed, log.id)
            self._read(log.id)

    def _grant(self, log: SharedLog) -> None:
        grants = self.work().find(LogGrant, where={"log": log.id})
        for grant in grants:
            host = self.hosts[log.get].granted
            others = [other.granted for get, other in self.hosts.items() if get != log.get]
            assert not any(grant.capability_hash in granted for granted in others)  # one leads to one mailbox
            (host.add if grant.add else host.discard)(grant.capability_hash)
        self.do(logs.granted, grants)

    def _put(self, log: SharedLog) -> None:
        for put in self.do(logs.due, self.work().need(SharedLog, log.id)):
            host = self.hosts[log.get]
            taken = log.get not in self.hosts.sealed and all(host.put(log.put, each) for each in put.envelopes)
            self.do(logs.stored if taken else logs.refused, put.number, *(() if taken else ("denied",)))

    def _read(self, id: bytes) -> None:
        log = self.work().need(SharedLog, id)
        for number, envelope in enumerate(self.hosts[log.get].entries, 1):
            current = self.work().get(SharedLog, id)
            if current is not None and number > current.cursor:
                self.do(logs.receive, id, number, envelope, owners.deliver)


def settle(*people: Traveller) -> None:
    for _ in range(4):
        for person in people:
            person.sync()
        for person in people:
            person.now += 120_000


def made(posting: Posting, *names: str) -> tuple[Hosts, Traveller, list[Traveller]]:
    hosts = Hosts()
    owner = Traveller(hosts, "Olga")
    owner.do(actions.create, "News", posting=posting, name="Editor")
    owner.sync()
    readers = [Traveller(hosts, name) for name in names]
    for reader in readers:
        reader.join(owner, reader.name)
    settle(owner, *readers)
    return hosts, owner, readers


@pytest.mark.parametrize("posting", list(Posting))
def test_readers_follow_with_their_roles_and_what_they_had_not_said(posting: Posting) -> None:
    hosts, owner, (ada, bert) = made(posting, "Ada", "Bert")
    owner.do(actions.set_role, owner.channel.id, actions.pseudonym(ada.channel), ChannelRole.MODERATOR)
    settle(owner, ada)
    owner.say("here")
    settle(owner, ada, bert)
    old = owner.work().need(SharedLog, owner.channel.log)
    link = str(actions.link_of(owner.channel))
    owner.do(actions.move, owner.channel.id)
    assert str(actions.link_of(owner.channel)) != link
    owner.sync()
    ada.say("on my way")  # she has not heard of it
    settle(owner, ada, bert)
    assert old.get in hosts.sealed
    for person in (owner, ada, bert):
        assert person.texts == ["here", "on my way"]
        assert actions.link_of(person.channel) == actions.link_of(owner.channel)
        assert len(person.work().find(SharedLog)) == 1
        assert not person.work().find(LogPut)
    assert ada.message("on my way").state == MessageState.SENT
    assert ("channel", "moved") in bert.told
    owner.say("there")
    settle(owner, ada, bert)
    assert ada.texts[-1] == bert.texts[-1] == "there"
    ada.do(actions.ban, ada.channel.id, actions.pseudonym(bert.channel))
    settle(owner, ada, bert)
    assert states.member(owner.work(), owner.channel, bert.key).banned


def test_who_joins_by_the_old_link_is_led_on_and_by_the_new_one_reads_there() -> None:
    hosts, owner, _ = made(Posting.ALL)
    old_link = actions.link_of(owner.channel)
    owner.say("first")
    owner.sync()
    owner.do(actions.move, owner.channel.id)
    owner.say("second")
    settle(owner)
    late, new = Traveller(hosts, "Late"), Traveller(hosts, "New")
    late.do(actions.join, old_link)
    new.do(actions.join, actions.link_of(owner.channel))
    settle(owner, late, new)
    assert late.texts == ["first", "second"]
    assert new.texts == ["second"]
    for person in (late, new):
        assert actions.link_of(person.channel) == actions.link_of(owner.channel)
        assert person.channel.version == owner.channel.version


def test_where_the_old_relay_is_gone_a_newer_link_leads_on() -> None:
    hosts, owner, (ada,) = made(Posting.ALL, "Ada")
    owner.say("before")
    settle(owner, ada)
    hosts.down.add(owner.work().need(SharedLog, owner.channel.log).get)
    owner.do(actions.move, owner.channel.id)
    owner.say("after")
    settle(owner, ada)
    assert ada.texts == ["before"]
    ada.do(actions.join, actions.link_of(owner.channel))
    settle(owner, ada)
    assert ada.texts == ["before", "after"]
    assert len(owner.work().find(SharedLog)) == 2
    owner.now += 31 * 86_400_000
    settle(owner)
    assert len(owner.work().find(SharedLog)) == 1


def test_nobody_but_the_owner_moves_a_channel_and_not_backwards() -> None:
    hosts, owner, (ada,) = made(Posting.ALL, "Ada")
    with pytest.raises(CallerError) as raised:
        ada.do(actions.move, ada.channel.id)
    assert raised.value.code == "not_permitted"
    first = owner.channel
    owner.do(actions.move, first.id)
    settle(owner, ada)
    second = actions.link_of(owner.channel)
    elsewhere = (Extension(PLACE, encode(ChannelPlace(RELAY.address, bytes(16)))),)
    state = states.held(owner.channel)
    assert state is not None
    forged = msgspec.structs.replace(state, version=99, extensions=elsewhere)
    ada.do(_append, ada.channel, encode(states.sign(ada.channel, forged)))
    moved = next(record for record in moved_states(hosts, first) if record)
    ada.do(_append, ada.channel, moved)  # the owner's own word, of before
    settle(owner, ada)
    assert actions.link_of(ada.channel) == second
    assert ada.channel.version == owner.channel.version


def moved_states(hosts: Hosts, left: ChannelRow) -> list[bytes]:
    """The owner's states in a log that names another place."""
    keys = channel_keys(left.secret)
    bodies = [open_log_envelope(keys.log, envelope) for envelope in hosts[keys.get].entries]
    records = [decode_frame(body).payload for body in bodies if body is not None]
    signed = [decode(SignedRecord, record) for record in records]
    return [encode(each) for each in signed if b"".join(e.data for e in decode(ChannelState, each.body).extensions)]


def _append(work: Any, row: Any, record: bytes) -> None:
    logs.append(work, work.need(SharedLog, row.log), channel_keys(row.secret).log, record)


def test_files_that_had_not_been_sent_say_so() -> None:
    _, owner, (ada,) = made(Posting.ALL, "Ada")
    attachment = c.Attachment("a.txt", 3, "text/plain", bytes(32), None)
    id = ada.do(conversations.say, ada.channel.id, c.Text("look", (), None, (attachment,)), id=ada.entropy.bytes(16)).id
    owner.do(actions.move, owner.channel.id)
    settle(owner, ada)
    assert ada.work().need(Message, id).state == MessageState.FAILED
