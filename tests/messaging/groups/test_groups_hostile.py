"""Malicious members, hosts and contacts: what they send is dropped and changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.crypto import mls
from roost.errors import PeerError
from roost.messaging import logs, outbox
from roost.messaging.groups import actions, holding, judging, offers, receiving, sending, states
from roost.messaging.logs import Landed
from roost.messaging.records import (
    GroupMember,
    GroupRow,
    GroupStatus,
    KeyPackageRow,
    Message,
    OwnKeyPackage,
    OwnMailbox,
    SharedLog,
)
from roost.wire import content as c
from roost.wire import groups as g
from roost.wire.codec import decode, encode
from tests.messaging.groups.group_world import GroupDevice, GroupWorld, agree


@pytest.fixture
def world() -> GroupWorld:
    return GroupWorld()


def hostile_commit(
    device: GroupDevice,
    id: bytes,
    proposals: Callable[[mls.Group], list[mls.Proposal]],
    *,
    leaf: Callable[[mls.Group], mls.CommitOptions] | None = None,
) -> None:
    """Append a commit that this device's own rules would not let it make."""
    work = device.work()
    group = holding.load(work, id)
    options = leaf(group) if leaf else mls.CommitOptions()
    _, staged = group.commit(proposals(group), device.entropy, now=work.now // 1000, options=options)
    log = work.need(SharedLog, work.need(GroupRow, id).log)
    logs.append(work, log, holding.envelope_key(group), encode(g.GroupMessage(staged.message)))
    device.commit(work)
    device.put_records()


def with_state(group: mls.Group, **fields: object) -> list[mls.Proposal]:
    state = states.state_of(group.extensions)
    return [mls.GroupContextExtensions(states.extensions_of(msgspec.structs.replace(state, **fields)))]


def index_of(group: mls.Group, account: bytes) -> int:
    return next(iter(states.roster(group)[account].devices.values()))


def untouched(world: GroupWorld, id: bytes, *people: GroupDevice) -> None:
    """Whoever is honest is where they were, and goes on."""
    world.settle()
    agree(id, *people)
    assert {person.group(id).status for person in people} == {GroupStatus.ACTIVE}
    people[0].do(actions.change, id, title="still fine")
    world.settle()
    agree(id, *people)
    assert people[-1].group(id).title == "still fine"


def test_commits_that_a_member_may_not_make_are_ignored_by_all(world: GroupWorld) -> None:
    id, (alice, bob, mallory) = world.grouped("Alice", "Bob", "Mallory")
    account = mallory.account
    me = g.MemberRole(account, g.Role.ADMIN)
    attempts: dict[str, Callable[[mls.Group], list[mls.Proposal]]] = {
        "become admin": lambda group: with_state(
            group, roles=tuple(sorted((*states.state_of(group.extensions).roles, me), key=lambda role: role.account))
        ),
        "rename": lambda group: with_state(group, title="Mallory's"),
        "ban": lambda group: with_state(group, banned=(bob.account,)),
        "open": lambda group: with_state(group, permissions=g.Permissions(describe=g.Role.READ_ONLY)),
        "move": lambda group: with_state(group, place=g.LogPlace(states.state_of(group.extensions).place.relay, 1)),
        "remove the admin": lambda group: [mls.Remove(index_of(group, alice.account))],
        "another context": lambda group: [mls.GroupContextExtensions((mls.Extension(g.STATE_EXTENSION, b"junk"),))],
        "end the group": lambda group: [mls.ReInit(bytes(32), 1, group.epoch.suite.id, ())],
    }
    for name, proposals in attempts.items():
        before = alice.group(id).epoch
        hostile_commit(mallory, id, proposals)
        for person in (alice, bob):
            person.turn()
            assert person.group(id).epoch == before, name
    untouched(world, id, alice, bob, mallory)


def test_leaves_that_nobody_certifies_do_not_come_in(world: GroupWorld) -> None:
    id, (alice, bob, mallory) = world.grouped("Alice", "Bob", "Mallory")
    victim = world.person("Victim")
    me = mallory.work().me
    suite = offers.SUITE
    key = suite.signature_key(mallory.entropy.bytes(32))
    credential = mls.DeviceIdentity(mls_key(victim.account), mls_key(key.public)).credential()
    lifetime = mls.Lifetime(world.now // 1000 - 10, world.now // 1000 + 1_000)
    for devices in (victim.work().me.devices, me.devices):  # the list does not name the device; another's list
        info = states.info_extension(g.MemberInfo(devices, "Victim"))
        made = mls.make_key_package(
            suite, credential, key, lifetime, mallory.entropy,
            capabilities=states.CAPABILITIES, leaf_extensions=(info,),
        )  # fmt: skip
        hostile_commit(mallory, id, lambda group, made=made: [mls.Add(made.package)])  # type: ignore[misc]
        bare = mls.make_key_package(suite, credential, key, lifetime, mallory.entropy, capabilities=states.CAPABILITIES)
        hostile_commit(mallory, id, lambda group, bare=bare: [mls.Add(bare.package)])  # type: ignore[misc]
    untouched(world, id, alice, bob, mallory)
    assert alice.members(id) == ["Alice", "Bob", "Mallory"]


def mls_key(raw: bytes):  # type: ignore[no-untyped-def]
    from roost.crypto import VerifyKey

    return VerifyKey(raw)


def test_a_member_does_not_become_another_in_its_own_commit(world: GroupWorld) -> None:
    id, (alice, bob, mallory) = world.grouped("Alice", "Bob", "Mallory")

    def other_leaf(group: mls.Group) -> mls.CommitOptions:
        credential = mls.DeviceIdentity(mls_key(alice.account), mls_key(group.epoch.signer.public)).credential()
        return mls.CommitOptions(leaf=replace(group.epoch.leaf, credential=credential))

    hostile_commit(mallory, id, lambda group: [], leaf=other_leaf)
    untouched(world, id, alice, bob, mallory)


def test_what_is_said_in_anothers_name_or_twice_is_dropped(world: GroupWorld) -> None:
    id, (alice, bob, mallory) = world.grouped("Alice", "Bob", "Mallory")
    said = alice.say(id, "mine")
    world.settle()
    mallory.do(sending.send, id, c.encode_content(c.Edit(said, "changed")))
    mallory.do(sending.send, id, c.encode_content(c.Text("taken")), id=said)
    mallory.do(sending.send, id, c.encode_content(c.SentCopy(bob.account, b"\x92\x05\xc3")))
    mallory.do(sending.send, id, c.encode_content(c.About("Alice")))
    mallory.do(sending.send, id, c.encode_content(g.AdminKeys(0, (g.SealedKey(alice.work().me.device, b"x"),))))
    mallory.do(sending.send, id, c.encode_content(g.GroupNote(g.NoteKind.ROLE, mallory.account, "admin")))
    mallory.do(sending.send, id, c.encode_content(g.JoinAnswer(bytes(16), True)))
    world.settle()
    for person in (alice, bob):
        assert person.texts(id) == ["mine"]
        assert person.work().need(Message, said).author == alice.account
    log = world.hosted[alice.work().need(SharedLog, alice.group(id).log).get]
    log.entries += [(log.number + 1 + index, envelope) for index, (_, envelope) in enumerate(list(log.entries))]
    log.number += len(log.entries)
    untouched(world, id, alice, bob, mallory)
    assert bob.texts(id) == ["mine"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_arbitrary_records_change_nothing(data: st.DataObject) -> None:
    _, id, alice, bob = ready()
    log = alice.work().need(SharedLog, alice.group(id).log)
    group = holding.load(bob.work(), id)
    _, good = group.seal(b"entry", bob.entropy)
    changed = bytearray(encode(g.GroupMessage(good)))
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    junk = data.draw(st.binary(min_size=1, max_size=200))
    record = data.draw(
        st.sampled_from(
            [
                junk,
                bytes(changed),
                encode(g.GroupMessage(junk)),
                encode(g.SealedRecord(bytes(32), junk)),
                encode(g.Rejoin(bob.account, bob.work().me.device, 1, bytes(16), junk, bytes(64))),
            ]
        )
    )
    before = dict(alice.records.rows)
    work = alice.work()
    with contextlib.suppress(PeerError):
        receiving.receive(work, Landed(log, 99, 0, bytes(16), record, None))
        alice.commit(work)
    assert alice.records.rows == before


_ready: list[tuple[GroupWorld, bytes, GroupDevice, GroupDevice]] = []


def ready() -> tuple[GroupWorld, bytes, GroupDevice, GroupDevice]:
    if not _ready:
        world = GroupWorld(7)
        id, (alice, bob) = world.grouped("Alice", "Bob")
        _ready.append((world, id, alice, bob))
    return _ready[0]


def test_welcomes_of_nobody_or_to_somewhere_else_are_dropped(world: GroupWorld) -> None:
    alice, mallory = world.people("Alice", "Mallory")
    place = g.LogPlace(world.person("Eve").work().find(type(_relay(alice)))[0].link.address, 0)
    welcome = g.GroupWelcome(bytes(32), "Bank", b"\x00" * 100, bytes(32), 1, place, bytes(32), bytes(32), 0)
    eve = world.person("Eve's other")
    for sender in (mallory, eve):
        sender.do(outbox.queue_all, alice.account, c.encode_content(welcome))
    world.settle()
    assert alice.work().find(GroupRow) == []
    assert any(kind == "dropped" for kind, _ in alice.told)
    there = g.GroupWelcome(bytes(32), "Bank", _entry_for_nobody(), bytes(32), 1, place, bytes(32), bytes(32), 0)
    mallory.do(outbox.queue_all, alice.account, c.encode_content(there))
    for _ in range(3):
        world.settle()
        world.wait(3_600_000)
    assert [row.status for row in alice.work().find(GroupRow)] == [GroupStatus.LOST]  # it leads nowhere, and stays so
    alice.do(actions.leave, bytes(32))
    alice.do(actions.forget, bytes(32))
    assert alice.work().find(GroupRow) == []


def _entry_for_nobody() -> bytes:
    from roost.crypto.mls.suites import HpkeCiphertext
    from roost.crypto.mls.welcome import EncryptedGroupSecrets

    return EncryptedGroupSecrets(bytes(64), HpkeCiphertext(bytes(1_120), bytes(100))).encode()


def _relay(device: GroupDevice):  # type: ignore[no-untyped-def]
    from roost.messaging.records import OwnRelay

    return device.work().find(OwnRelay)[0]


def test_a_welcome_cannot_take_the_place_of_a_group_that_one_is_in(world: GroupWorld) -> None:
    id, (alice, bob, mallory) = world.grouped("Alice", "Bob", "Mallory")
    package = next(iter(offers.packages_of(mallory.work(), bob.account).values()))
    work = mallory.work()
    secrets = offers.make_secrets(work)
    state = states.held_state(mallory.group(id))
    fake = mls.Group.create(secrets, id, mallory.entropy, extensions=states.extensions_of(state))
    _, staged = fake.commit([mls.Add(package)], mallory.entropy, now=work.now // 1000)
    assert staged.welcome is not None
    assert staged.epoch is not None
    from roost.crypto.mls.framing import MlsMessage
    from roost.crypto.mls.welcome import Welcome

    body = MlsMessage.decode(staged.welcome).body
    assert isinstance(body, Welcome)
    welcome = g.GroupWelcome(
        id, "Choir", body.secrets[0].encode(), bytes(32), 2**40, state.place, bytes(32), bytes(32), 0
    )
    mallory.do(outbox.queue_all, bob.account, c.encode_content(welcome))
    world.settle()
    untouched(world, id, alice, bob, mallory)


def test_key_packages_of_others_and_expired_ones_are_refused(world: GroupWorld) -> None:
    alice, mallory, carol = world.people("Alice", "Mallory", "Carol")
    theirs = alice.work().get(KeyPackageRow, carol.account, carol.work().me.device)
    assert theirs is not None
    before = alice.work().find(KeyPackageRow)
    offer = g.KeyPackageOffer(theirs.package)
    mallory.do(outbox.queue_all, alice.account, c.encode_content(offer))
    mallory.do(outbox.queue_all, alice.account, c.encode_content(g.KeyPackageOffer(b"\x00" * 50)))
    world.settle()
    assert alice.work().find(KeyPackageRow) == before
    assert mallory.work().find(OwnKeyPackage)


def test_a_removed_device_does_not_come_back_with_the_list_of_before(world: GroupWorld) -> None:
    """The rule that a leaf's device list is no older than those that its account's leaves carry."""
    id, (alice, bob) = world.grouped("Alice", "Bob")
    group = holding.load(alice.work(), id)
    people = states.roster(group)
    people[bob.account].version = 5
    leaf = group.epoch.tree.leaf(next(iter(people[bob.account].devices.values())))
    with pytest.raises(PeerError):
        judging._check_list(states.read_leaf(leaf), people)


def test_members_rows_say_who_is_there(world: GroupWorld) -> None:
    id, (alice, bob) = world.grouped("Alice", "Bob")
    rows = bob.work().find(GroupMember, where={"group": id})
    assert {row.account: row.role for row in rows} == {alice.account: g.Role.ADMIN, bob.account: g.Role.MEMBER}
    assert decode(g.GroupState, bob.group(id).state).title == "Choir"


def test_what_the_host_holds_of_a_groups_life_says_nothing(world: GroupWorld) -> None:
    """Of everything that the host ever got: no title, name, picture, account, device or group id, no mailbox's address,
    and no two envelopes that begin alike."""
    alice, bob, carol, dave = people = world.people("Alicia", "Roberto", "Carolina", "Davide")
    kept: list[bytes] = []
    world.shown = lambda device, log: kept.extend(e for _, e in log.entries) or log.entries  # type: ignore[method-assign, func-returns-value]
    id = alice.do(actions.create, "Secret society", [person.account for person in people[1:]])
    world.settle()
    alice.do(actions.change, id, description="We meet at night", avatar=b"\x89PNG not a picture")
    alice.do(actions.set_role, id, bob.account, g.Role.ADMIN)
    world.settle()
    bob.say(id, "the password is swordfish")
    carol.do(actions.leave, id)
    alice.do(actions.remove, id, [dave.account])
    world.settle()
    alice.say(id, "fewer now")
    world.settle()
    told = [b"Secret society", b"meet at night", b"PNG not a", b"swordfish", b"fewer now", b"Roberto", b"Carolina", id]
    for person in people:
        me = person.work().me
        told += [me.account, me.device, me.device_identity]
        told += [mailbox.put for mailbox in person.work().find(OwnMailbox)]
    capabilities = b"".join(log.get + log.admin + b"".join(sorted(log.writers)) for log in world.hosted.values())
    everything = b"".join(dict.fromkeys(kept))
    assert len(everything) > 100_000
    assert not [secret for secret in told if secret in everything or secret in capabilities]
    begins = [envelope[:16] for envelope in dict.fromkeys(kept)]
    assert len(set(begins)) == len(begins)
