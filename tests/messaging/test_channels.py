"""Channels over a dictionary: what readers see is what the owner's state, the rules and the log's order make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from harness import RELAY, START_MS, CountedEntropy, MemoryRecords, hash_of
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import (
    SigningKey,
    account_id,
    capability_hash,
    capability_place,
    channel_keys,
    open_capability,
    open_log_envelope,
    seal_capability,
    seal_log_envelope,
)
from roost.errors import CallerError, CryptoError, PeerError
from roost.messaging import accounts, conversations, logs, owners, pins, upkeep
from roost.messaging.channels import actions, receiving, rules, states
from roost.messaging.records import (
    ChannelHeld,
    ChannelMember,
    ChannelRow,
    LogGrant,
    LogPut,
    Message,
    MessageState,
    Orphan,
    ReactionRow,
    SharedLog,
    VoteRow,
)
from roost.messaging.work import Work, row_key
from roost.wire import content as c
from roost.wire.channels import (
    ChannelBan,
    ChannelPost,
    ChannelRole,
    ChannelState,
    Posting,
    RepeatedState,
    SignedRecord,
)
from roost.wire.codec import decode, encode
from roost.wire.logs import decode_frame, encode_frame, frames_of

DAY_MS = 86_400_000


@dataclass
class Host:
    """One mailbox: its log, and who may write."""

    entries: list[bytes] = field(default_factory=list)
    granted: set[bytes] = field(default_factory=set)

    def put(self, capability: bytes, envelope: bytes) -> bool:
        if capability_hash(capability) not in self.granted:
            return False
        if envelope not in self.entries:
            self.entries.append(envelope)
        return True


class Person:
    def __init__(self, host: Host, name: str) -> None:
        self.host, self.name, self.now = host, name, START_MS
        self.records, self.entropy = MemoryRecords(), CountedEntropy(hash_of(name))
        self.told: list[tuple[str, str]] = []
        self.do(accounts.create, name, RELAY, f"{name}'s laptop", None)

    def do(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        work = self.work()
        result = step(work, *args, **kwargs)
        changes = work.changes()
        for row in changes.put:
            self.records.rows[type(row), row_key(row)] = row
        for kind, key in changes.delete:
            self.records.rows.pop((kind, key), None)
        self.told += [(event.kind, event.detail) for event in changes.events]
        return result

    def work(self) -> Work:
        return Work(self.records, self.now, self.entropy)

    @property
    def channel(self) -> ChannelRow:
        (row,) = self.work().find(ChannelRow)
        return row

    @property
    def key(self) -> bytes:
        return states.my_key(self.channel).public.raw

    @property
    def texts(self) -> list[str]:
        rows = self.work().find(Message, where={"conversation": self.channel.id}, order="position")
        return [row.text for row in rows if not row.deleted]

    def message(self, text: str) -> Message:
        return next(row for row in self.work().find(Message) if row.text == text)

    def join(self, owner: Person, name: str = "") -> Person:
        self.do(actions.join, actions.link_of(owner.channel), name)
        self.sync()
        return self

    def say(self, text: str, **more: Any) -> bytes:
        return bytes(self.do(conversations.say, self.channel.id, c.Text(text, **more), id=self.entropy.bytes(16)).id)

    def sync(self) -> None:
        """As the agent: grant, put, read."""
        log = self.work().need(SharedLog, self.channel.log)
        if log.admin:
            self.host.granted |= {capability_hash(log.admin), capability_hash(self.channel.own_put)}
            for grant in self.work().find(LogGrant):
                (self.host.granted.add if grant.add else self.host.granted.discard)(grant.capability_hash)
            self.do(lambda work: logs.granted(work, work.find(LogGrant)))
            self.do(logs.created, log.id)
        self.put()
        log = self.work().need(SharedLog, self.channel.log)
        for number, envelope in enumerate(self.host.entries, 1):
            if number > log.cursor:
                self.do(logs.receive, log.id, number, envelope, owners.deliver)

    def put(self) -> None:
        log = self.work().need(SharedLog, self.channel.log)
        assert len({capability_place(right) for right in (log.get, log.put, log.admin) if right}) == 1
        for put in self.do(logs.due, log):
            results = [self.host.put(log.put, envelope) for envelope in put.envelopes]
            taken = all(results)
            self.do(logs.stored if taken else logs.refused, put.number, *(() if taken else ("denied",)))

    def forge(self, body: Any, key: SigningKey | None = None, **changes: Any) -> None:
        """Append something that the client would not make."""
        row = self.channel if key is None else msgspec.structs.replace(self.channel, seed=key.to_bytes())
        self.raw(encode(msgspec.structs.replace(states.sign(row, body), **changes)))

    def raw(self, record: bytes) -> None:
        for frame in frames_of(record):
            envelope = seal_log_envelope(channel_keys(self.channel.secret).log, encode_frame(frame), self.entropy)
            assert self.host.put(channel_keys(self.channel.secret).put, envelope)

    def post_of(
        self, text: str, key: SigningKey, *, at: int | None = None, channel: bytes | None = None
    ) -> ChannelPost:
        from roost.crypto import post_id

        nonce, where = self.entropy.bytes(16), channel or self.channel.id
        entry = c.Entry(post_id(where, key.public, nonce), at or self.now, 1, encode(c.Text(text)))
        return ChannelPost(where, nonce, "Mallory", encode(entry))


@dataclass
class Place:
    host: Host
    owner: Person
    people: list[Person]

    def settle(self) -> None:
        for _ in range(3):
            for person in (self.owner, *self.people):
                person.sync()

    def wait(self, milliseconds: int) -> None:
        for person in (self.owner, *self.people):
            person.now += milliseconds

    def joined(self, name: str) -> Person:
        person = Person(self.host, name)
        person.now = self.owner.now
        self.people.append(person.join(self.owner, name))
        return person


@pytest.fixture
def open_place() -> Place:
    return made(Posting.ALL)


@pytest.fixture
def place() -> Place:
    return made(Posting.ROLES)


def made(posting: Posting) -> Place:
    host = Host()
    owner = Person(host, "Olga")
    owner.do(actions.create, "News", posting=posting, description="What happens", name="Editor")
    owner.sync()
    return Place(host, owner, [])


def test_whoever_has_the_link_reads_and_where_all_may_posts(open_place: Place) -> None:
    ada = open_place.joined("Ada")
    open_place.owner.say("welcome")
    open_place.settle()
    ada.say("thanks")
    open_place.settle()
    late = open_place.joined("Late")
    for person in (open_place.owner, ada, late):
        assert person.texts == ["welcome", "thanks"]
        assert person.channel.title == "News"
    assert ada.message("thanks").state == MessageState.SENT
    assert late.message("thanks").state == MessageState.RECEIVED
    assert late.message("thanks").author == ada.key
    assert states.member(late.work(), late.channel, ada.key).name == "Ada"
    assert not ada.work().find(LogPut)


def test_edits_reactions_votes_pins_and_deletions_reach_all(open_place: Place) -> None:
    ada, bert = open_place.joined("Ada"), open_place.joined("Bert")
    first, gone = ada.say("first"), ada.say("gone")
    poll = ada.do(conversations.say, ada.channel.id, c.Poll("Tea?", ("yes", "no")), id=bytes(16)).id
    open_place.settle()
    ada.do(conversations.edit, first, "first, edited")
    ada.do(conversations.delete_for_all, gone)
    bert.do(conversations.react, first, "👍")
    bert.do(conversations.vote, poll, (1,))
    open_place.owner.do(pins.pin, first, pinned=True)
    open_place.settle()
    for person in (open_place.owner, ada, bert):
        assert person.texts == ["first, edited", "Tea?\nyes\nno"]
        who = person.work().me.account if person is bert else bert.key
        assert person.work().get(ReactionRow, first, who).emoji == "👍"
        assert person.work().get(VoteRow, poll, who).options == (1,)
        assert len(pins.pins(person.work(), person.channel.id)) == 1
    with pytest.raises(CallerError):
        bert.do(pins.pin, first, pinned=False)
    with pytest.raises(CallerError):
        bert.do(conversations.delete_for_all, first)


def test_posting_by_roles(place: Place) -> None:
    ada, bert = place.joined("Ada"), place.joined("Bert")
    with pytest.raises(CallerError) as caught:
        ada.say("may I?")
    assert caught.value.code == "not_permitted"
    place.owner.do(actions.set_role, place.owner.channel.id, actions.pseudonym(ada.channel), ChannelRole.POSTER)
    place.settle()
    ada.say("I may")
    place.settle()
    assert bert.texts == ["I may"]
    place.owner.do(actions.set_role, place.owner.channel.id, "Ada", ChannelRole.READER)
    place.settle()
    with pytest.raises(CallerError):
        ada.say("no more")
    assert not ada.work().need(SharedLog, ada.channel.log).put


def test_a_poster_who_has_not_heard_that_it_is_over_is_refused_by_the_host_and_by_all(place: Place) -> None:
    ada = place.joined("Ada")
    place.owner.do(actions.set_role, place.owner.channel.id, actions.pseudonym(ada.channel), ChannelRole.POSTER)
    place.settle()
    place.owner.do(actions.set_role, place.owner.channel.id, actions.pseudonym(ada.channel), ChannelRole.READER)
    place.owner.sync()
    ada.say("too late")
    ada.put()
    assert ada.work().find(LogPut)[0].problem == "denied"
    assert len(ada.work().find(LogPut)) == 1


def test_what_was_refused_goes_out_when_writing_is_allowed_again(place: Place) -> None:
    ada = place.joined("Ada")
    place.owner.do(actions.set_role, place.owner.channel.id, actions.pseudonym(ada.channel), ChannelRole.POSTER)
    place.settle()
    ada.say("x")
    place.owner.do(actions.set_role, place.owner.channel.id, actions.pseudonym(ada.channel), ChannelRole.READER)
    place.owner.sync()
    ada.put()
    place.settle()
    assert place.owner.texts == []
    place.owner.do(actions.set_role, place.owner.channel.id, actions.pseudonym(ada.channel), ChannelRole.POSTER)
    place.settle()
    assert place.owner.texts == ["x"]


def test_posting_can_be_opened_and_closed(place: Place) -> None:
    ada = place.joined("Ada")
    for posting, allowed in ((Posting.ALL, True), (Posting.ROLES, False), (Posting.ALL, True)):
        place.owner.do(actions.change, place.owner.channel.id, posting=posting)
        place.settle()
        if allowed:
            ada.say(f"at version {ada.channel.version}")
        else:
            with pytest.raises(CallerError):
                ada.say("closed")
        place.settle()
    assert place.owner.texts == ["at version 2", "at version 4"]


def test_moderators_remove_and_ban_and_newcomers_see_neither(open_place: Place) -> None:
    owner, mod, troll = open_place.owner, open_place.joined("Mod"), open_place.joined("Troll")
    owner.do(actions.set_role, owner.channel.id, actions.pseudonym(mod.channel), ChannelRole.MODERATOR)
    open_place.settle()
    owner.say("rules")
    troll.say("spam")
    troll.say("more spam")
    open_place.settle()
    mod.do(conversations.delete_for_all, mod.message("spam").id)
    mod.do(actions.ban, mod.channel.id, "Troll", purge=True)
    open_place.settle()
    with pytest.raises(CallerError) as caught:
        troll.say("again")
    assert caught.value.code == "banned"
    for person in (owner, mod, troll, open_place.joined("Late")):
        assert person.texts == ["rules"]
    assert mod.message("rules").author == owner.key
    with pytest.raises(CallerError):
        mod.do(conversations.delete_for_all, mod.message("rules").id)
    with pytest.raises(CallerError):
        mod.do(actions.ban, mod.channel.id, account_id(owner.key))
    open_place.wait(3_600_000)
    owner.do(upkeep.tick)  # the owner makes it part of the state
    open_place.settle()
    state = states.held(mod.channel)
    assert state is not None
    assert (state.banned, len(state.removed)) == ((troll.key,), 1)
    mod.do(actions.ban, mod.channel.id, "Troll", banned=False)
    open_place.settle()
    troll.say("sorry")
    open_place.settle()
    assert owner.texts[-1] == "sorry"


def test_a_banned_pseudonym_that_writes_all_the_same_is_shown_by_nobody(open_place: Place) -> None:
    owner, troll = open_place.owner, open_place.joined("Troll")
    troll.say("hello")
    open_place.settle()
    owner.do(actions.ban, owner.channel.id, "Troll")
    owner.sync()
    troll.say("I have not heard of it")
    open_place.settle()
    assert owner.texts == ["hello"]
    assert ("channel", "refused/banned") in troll.told
    assert troll.channel.refused == "banned"


def test_slow_mode(open_place: Place) -> None:
    owner, ada = open_place.owner, open_place.joined("Ada")
    owner.do(actions.change, owner.channel.id, slow_s=60)
    open_place.settle()
    ada.say("one")
    with pytest.raises(CallerError) as caught:
        ada.say("two")
    assert caught.value.code == "slow_mode"
    owner.say("the owner is not held up")
    owner.say("at all")
    open_place.settle()
    cheat = SigningKey.generate(ada.entropy)
    for text, at in (("a", 0), ("b", 30_000), ("c", 60_000), ("d", -7_200_000), ("e", 500_000)):
        ada.forge(ada.post_of(text, cheat, at=ada.now + at), cheat)
    open_place.wait(61_000)
    ada.say("two")
    open_place.settle()
    assert owner.texts == ["the owner is not held up", "at all", "one", "a", "c", "two"]


def test_a_state_is_the_owners_alone_and_never_goes_back(open_place: Place) -> None:
    owner, ada = open_place.owner, open_place.joined("Ada")
    state = states.held(owner.channel)
    assert state is not None
    mallory = SigningKey.generate(ada.entropy)
    mine = msgspec.structs.replace(state, version=9, title="Mine")
    ada.forge(mine, mallory)
    ada.forge(mine, mallory, author=owner.key)
    old = owner.channel.state
    owner.do(actions.change, owner.channel.id, title="Better news")
    open_place.settle()
    ada.raw(encode(RepeatedState(bytes(16), decode(SignedRecord, old))))
    open_place.settle()
    assert ada.channel.title == "Better news"
    late = open_place.joined("Late")
    assert late.channel.title == "Better news"
    assert late.channel.version == 2


def test_a_state_outlives_its_hosts_expiry(open_place: Place) -> None:
    owner, mod = open_place.owner, open_place.joined("Mod")
    owner.do(actions.set_role, owner.channel.id, actions.pseudonym(mod.channel), ChannelRole.MODERATOR)
    open_place.settle()
    before = len(open_place.host.entries)
    open_place.wait(8 * DAY_MS)
    owner.do(upkeep.tick)
    owner.do(upkeep.tick)
    open_place.settle()
    assert len(open_place.host.entries) == before + 1
    assert mod.channel.seen_at == mod.now
    open_place.wait(16 * DAY_MS)  # the owner is away
    mod.do(upkeep.tick)
    open_place.settle()
    assert len(open_place.host.entries) == before + 2
    open_place.host.entries[:-1] = [b"\0" * 4_096] * (len(open_place.host.entries) - 1)
    assert open_place.joined("Late").channel.title == "News"


def test_what_came_before_any_state_is_judged_afterwards(open_place: Place) -> None:
    owner, ada = open_place.owner, open_place.joined("Ada")
    ada.say("before")
    troll = open_place.joined("Troll")
    troll.say("banned later")
    open_place.settle()
    owner.do(actions.ban, owner.channel.id, "Troll")
    open_place.wait(DAY_MS)
    owner.do(upkeep.tick)
    open_place.settle()
    open_place.host.entries[0] = b"\0" * 4_096  # the first state has expired
    late = open_place.joined("Late")
    assert late.texts == ["before"]
    assert not late.work().find(ChannelHeld)


def test_what_is_held_before_any_state_is_bounded(open_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MAX_HELD", 5)
    ada = open_place.joined("Ada")
    open_place.host.entries[0] = b"\0" * 4_096
    late = Person(open_place.host, "Late")
    for number in range(20):
        ada.say(str(number))
    ada.sync()
    late.join(open_place.owner)
    assert len(late.work().find(ChannelHeld)) == 5
    open_place.owner.do(actions.change, open_place.owner.channel.id, title="News again")
    open_place.settle()
    late.sync()
    assert late.texts == ["15", "16", "17", "18", "19"]


def test_forged_replayed_and_foreign_posts_are_dropped(open_place: Place) -> None:
    owner, ada, bert = open_place.owner, open_place.joined("Ada"), open_place.joined("Bert")
    ada.say("genuine")
    open_place.settle()
    genuine = next(entry for entry in reversed(open_place.host.entries))
    record = decode_frame(open_log_envelope(channel_keys(ada.channel.secret).log, genuine) or b"").payload
    mallory = SigningKey.generate(bert.entropy)
    good = bert.post_of("forged", mallory)
    entry = decode(c.Entry, good.entry)
    stolen = msgspec.structs.replace(entry, id=ada.message("genuine").id)
    foreign = bert.post_of("from elsewhere", mallory, channel=b"e" * 32)
    bert.raw(record)  # the same record anew
    bert.raw(encode(decode(SignedRecord, record)) + b"\0")
    bert.forge(good, mallory, author=ada.key)
    bert.forge(good, mallory, signature=bytes(64))
    bert.forge(msgspec.structs.replace(good, entry=encode(stolen)), mallory)
    bert.forge(msgspec.structs.replace(good, nonce=bytes(16)), mallory)
    bert.forge(foreign, mallory)
    bert.forge(msgspec.structs.replace(foreign, channel=bert.channel.id), mallory)
    bert.forge(bert.post_of("from long ago", mallory, at=bert.now - 46 * DAY_MS), mallory)
    for content in (c.Receipt((bytes(16),)), c.About("Mallory"), c.TimerChange(5), c.Typing(True)):
        other = msgspec.structs.replace(entry, content=encode(content))
        bert.forge(msgspec.structs.replace(good, entry=encode(other)), mallory)
    bert.forge(ChannelBan(bert.channel.id, bert.now, ada.key, True), mallory)
    bert.forge(ChannelBan(bert.channel.id, bert.now, owner.key, True), mallory)
    bert.raw(encode(RepeatedState(bytes(16), decode(SignedRecord, record))))
    for junk in (b"\0", b"\xff" * 100, b"x" * 5_000, encode([0, 1, 2])):
        bert.raw(junk)
    before = {key: row for key, row in owner.records.rows.items() if key[0] in (Message, ChannelMember, Orphan)}
    open_place.settle()
    after = {key: row for key, row in owner.records.rows.items() if key[0] in (Message, ChannelMember, Orphan)}
    assert before == after
    assert owner.texts == ada.texts == bert.texts == ["genuine"]


def test_a_reader_whose_clock_is_wrong_loses_nothing(open_place: Place) -> None:
    ada, late, early = open_place.joined("Ada"), Person(open_place.host, "Late"), Person(open_place.host, "Early")
    late.now -= 400 * DAY_MS
    early.now += 400 * DAY_MS
    ada.say("hello")
    open_place.settle()
    for person in (late, early):
        person.join(open_place.owner)
        assert person.texts == ["hello"]


def test_changes_of_posts_that_are_not_here_are_not_kept(open_place: Place) -> None:
    owner, ada = open_place.owner, open_place.joined("Ada")
    mallory = SigningKey.generate(ada.entropy)
    for number in range(30):
        entry = c.Entry(bytes(16), ada.now, 1, encode(c.Reaction(number.to_bytes(16, "big"), "👍")))
        ada.forge(ChannelPost(ada.channel.id, bytes(16), "", encode(entry)), mallory)
    open_place.settle()
    assert not owner.work().find(Orphan)
    assert not owner.work().find(ChannelMember)


def test_pseudonyms_that_are_remembered_are_bounded(open_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MAX_MEMBERS", 20)
    owner, ada = open_place.owner, open_place.joined("Ada")
    owner.do(actions.ban, owner.channel.id, account_id(b"\x09" * 31 + b"\0"))
    for number in range(50):
        ada.forge(ada.post_of(str(number), key := SigningKey.generate(ada.entropy), at=ada.now + number), key)
    open_place.settle()
    assert len(owner.work().find(ChannelMember)) <= 20
    assert any(row.banned for row in owner.work().find(ChannelMember))


def test_the_same_key_says_it_once(open_place: Place) -> None:
    owner = open_place.owner
    first = owner.do(conversations.say, owner.channel.id, c.Text("once"), id=b"k" * 16)
    second = owner.do(conversations.say, owner.channel.id, c.Text("once"), id=b"k" * 16)
    assert first == second
    assert first.id != b"k" * 16


def test_leaving_forgets_all_of_it(open_place: Place) -> None:
    owner, ada = open_place.owner, open_place.joined("Ada")
    owner.say("hello")
    open_place.settle()
    ada.do(actions.leave, ada.channel.id)
    for kind in (ChannelRow, ChannelMember, Message, SharedLog):
        assert not ada.work().find(kind)
    with pytest.raises(CallerError) as caught:
        owner.do(actions.leave, owner.channel.id)
    assert caught.value.code == "own_channel"
    owner.do(actions.leave, owner.channel.id, delete=True)
    assert not owner.work().find(ChannelRow)


def test_joining_twice_keeps_the_pseudonym(open_place: Place) -> None:
    ada = open_place.joined("Ada")
    key = ada.key
    ada.join(open_place.owner, "Another")
    assert (ada.key, ada.channel.name) == (key, "Ada")


def test_each_channel_knows_one_by_another_key(open_place: Place) -> None:
    ada = open_place.joined("Ada")
    other = made(Posting.ALL)
    assert ada.key != ada.do(lambda work: actions.join(work, msgspec.structs.replace(
        actions.link_of(other.owner.channel), channel=b"o" * 32))).seed  # fmt: skip
    seeds = {row.seed for row in ada.work().find(ChannelRow)}
    assert len(seeds) == 2
    assert ada.work().me.account not in seeds


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"title": ""}, "bad_name"),
        ({"title": "x" * 257}, "bad_name"),
        ({"description": "x" * 2_049}, "too_long"),
        ({"avatar": bytes(16_385)}, "too_large"),
        ({"slow_s": 86_401}, "bad_duration"),
    ],
)
def test_settings_have_bounds(open_place: Place, change: dict[str, Any], code: str) -> None:
    with pytest.raises(CallerError) as caught:
        open_place.owner.do(actions.change, open_place.owner.channel.id, **change)
    assert caught.value.code == code


def test_only_the_owner_changes_a_channel(open_place: Place) -> None:
    ada = open_place.joined("Ada")
    for act in (
        lambda work: actions.change(work, ada.channel.id, title="Mine"),
        lambda work: actions.set_role(work, ada.channel.id, actions.pseudonym(ada.channel), ChannelRole.MODERATOR),
        lambda work: actions.ban(work, ada.channel.id, account_id(open_place.owner.key)),
    ):
        with pytest.raises(CallerError) as caught:
            ada.do(act)
        assert caught.value.code == "not_permitted"


def test_a_role_needs_a_pseudonym(open_place: Place) -> None:
    owner = open_place.owner
    for named in ("nobody", account_id(b"\xff" * 32), ""):
        with pytest.raises(CallerError) as caught:
            owner.do(actions.set_role, owner.channel.id, named, ChannelRole.POSTER)
        assert caught.value.code == "unknown_pseudonym"


# --- rules and keys ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(ChannelRole), st.booleans(), st.sampled_from(Posting))
def test_who_may_write(role: ChannelRole, banned: bool, posting: Posting) -> None:
    state = ChannelState(bytes(32), 1, 0, "x", "", b"", posting, 0, (), (), ())
    expected = role == ChannelRole.OWNER or (not banned and (posting == Posting.ALL or role >= ChannelRole.POSTER))
    try:
        rules.check_writer(state, rules.Author(role, banned, 0))
        allowed = True
    except PeerError:
        allowed = False
    assert allowed == expected


@given(st.sampled_from(ChannelRole), st.sampled_from(ChannelRole), st.booleans())
def test_who_may_remove_and_ban(role: ChannelRole, target: ChannelRole, own: bool) -> None:
    author = rules.Author(role, False, 0)
    assert not rules.may_change(c.Edit(bytes(16), ""), author, own=False, target=target)
    removes = rules.may_change(c.Deletion(bytes(16)), author, own=own, target=target)
    assert removes == (own or (role >= ChannelRole.MODERATOR and target <= role and target != ChannelRole.OWNER))
    assert rules.may_ban(role, target) == (role >= ChannelRole.MODERATOR and target < role)


@settings(max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.integers(0, 79))
def test_a_sealed_capability_opens_for_its_pseudonym_in_its_channel(seed: bytes, place: int) -> None:
    entropy, mine = CountedEntropy(1), SigningKey.from_seed(seed)
    sealed = seal_capability(mine.public, b"c" * 32, b"p" * 32, entropy)
    assert open_capability(mine, b"c" * 32, sealed) == b"p" * 32
    for key, channel in ((SigningKey.generate(entropy), b"c" * 32), (mine, b"d" * 32)):
        with pytest.raises(CryptoError):
            open_capability(key, channel, sealed)
    damaged = bytearray(sealed)
    damaged[place] ^= 1
    with pytest.raises(CryptoError):
        open_capability(mine, b"c" * 32, bytes(damaged))
    with pytest.raises(CryptoError):
        open_capability(mine, b"c" * 32, sealed[:-1])
