"""Those who are not in a group: external commits, rejoining, proposals from outside; groups that continue others."""

from __future__ import annotations

import pytest
from mls_world import GROUP_ID, NOW, World, client, extension

from roost.crypto.mls import (
    MLS_128_X25519,
    MLS_256_XWING,
    CipherSuite,
    CommitReceived,
    Credential,
    ExternalSender,
    Group,
    GroupClosed,
    GroupContextExtensions,
    InvalidChange,
    JoinOptions,
    MissingPsk,
    MlsError,
    MlsMisuse,
    NotAuthentic,
    Proposal,
    PskId,
    ReInit,
    Remove,
    StaleEpoch,
    branch,
    external_senders_extension,
    make_key_package,
    propose_from_outside,
    propose_joining,
    reinitialise,
)
from roost.crypto.mls.leaf import Capabilities, Lifetime
from roost.crypto.mls.proposals import Update

suites = pytest.mark.parametrize("suite", [MLS_128_X25519, MLS_256_XWING], ids=lambda suite: suite.name)


@suites
def test_joining_by_external_commit(suite: CipherSuite) -> None:
    world = World.of(3, suite=suite)
    name, secrets = world.newcomer()
    staged = Group.join_by_commit(world.groups["1"].group_info(), secrets, world.entropy)
    assert staged.changes.external
    world.deliver_commit(staged.message, name)
    world.groups[name] = Group.accept_join(staged)
    world.check()
    world.say(name, b"here I am")
    world.commit(name)
    world.check()


def test_a_group_info_serves_one_epoch() -> None:
    world = World.of(2)
    info = world.groups["0"].group_info()
    first, second = (Group.join_by_commit(info, world.newcomer()[1], world.entropy) for _ in range(2))
    world.deliver_commit(first.message, "2")
    with pytest.raises(StaleEpoch):
        world.groups["0"].receive(second.message)
    with pytest.raises(StaleEpoch):
        world.groups["0"].receive(first.message)


def test_a_group_info_needs_its_parts() -> None:
    world = World.of(2)
    group, (_, secrets) = world.groups["0"], world.newcomer()
    with pytest.raises(InvalidChange):
        Group.join_by_commit(group.group_info(with_external_key=False), secrets, world.entropy)
    with pytest.raises(InvalidChange):
        Group.join_by_commit(group.group_info(with_tree=False), secrets, world.entropy)
    beside = group.epoch.tree.encode()
    assert Group.join_by_commit(group.group_info(with_tree=False), secrets, world.entropy, tree=beside)
    info = bytearray(group.group_info())
    info[-1] ^= 1
    with pytest.raises(NotAuthentic):
        Group.join_by_commit(bytes(info), secrets, world.entropy)


def test_a_device_replaces_its_own_leaf() -> None:
    """A device that lost its place comes back under the same signature key, and takes its old leaf away."""
    world = World.of(4)
    lost = world.groups["2"]
    again = make_key_package(
        world.suite,
        Credential.basic(b"2"),
        lost.epoch.signer,
        Lifetime(NOW, NOW + 10),
        world.entropy,
        capabilities=Capabilities(extensions=(0xF001,)),
    )
    with pytest.raises(InvalidChange):  # two leaves with one key
        Group.join_by_commit(world.groups["0"].group_info(), again, world.entropy)
    options = JoinOptions(replaces=lost.epoch.own)
    staged = Group.join_by_commit(world.groups["0"].group_info(), again, world.entropy, options=options)
    received = lost.receive(staged.message)
    assert isinstance(received, CommitReceived)
    assert received.staged.removes_this_member
    assert [m.credential.value for m in received.staged.changes.removed] == [b"2"]
    world.deliver_commit(staged.message, "none")
    world.groups["2"] = Group.accept_join(staged)
    world.check()
    world.say("2", b"back")


def test_external_commits_with_a_pre_shared_key() -> None:
    world = World.of(2)
    name, secrets = world.newcomer()
    options = JoinOptions(psks=(PskId.external(world.suite, b"psk", world.entropy),))
    info = world.groups["0"].group_info()
    with pytest.raises(MissingPsk):
        Group.join_by_commit(info, secrets, world.entropy, options=options)
    staged = Group.join_by_commit(info, secrets, world.entropy, psks=world.psks, options=options)
    world.deliver_commit(staged.message, name)
    world.groups[name] = Group.accept_join(staged)
    world.check()


def test_proposals_from_outside() -> None:
    world = World.of(3)
    service = world.suite.scheme.generate(world.entropy)
    sender = ExternalSender(service.public, Credential.basic(b"service"))
    unknown = propose_from_outside(world.suite, service, 0, Remove(2), GROUP_ID, 1)
    with pytest.raises(InvalidChange):
        world.groups["0"].receive(unknown)
    world.commit("0", [GroupContextExtensions((external_senders_extension((sender,)),))])
    number = world.groups["0"].number
    name, secrets = world.newcomer()
    for message in (
        propose_from_outside(world.suite, service, 0, Remove(2), GROUP_ID, number),
        propose_joining(secrets, GROUP_ID, number),
    ):
        for member in list(world.groups):
            world.groups[member] = world.groups[member].receive(message).group
    welcome = world.commit("1")
    assert welcome is not None
    world.groups[name] = Group.join(welcome, secrets)
    world.check()
    assert set(world.groups) == {"0", "1", name}
    impostor = propose_from_outside(
        world.suite, world.suite.scheme.generate(world.entropy), 0, Remove(1), GROUP_ID, number + 1
    )
    with pytest.raises(NotAuthentic):
        world.groups["0"].receive(impostor)
    with pytest.raises(InvalidChange):
        world.groups["0"].receive(propose_from_outside(world.suite, service, 1, Remove(1), GROUP_ID, number + 1))
    with pytest.raises(MlsMisuse):
        propose_from_outside(world.suite, service, 0, an_update(world), GROUP_ID, number)


def an_update(world: World) -> Proposal:
    return Update(world.groups["0"].epoch.leaf)


@suites
def test_reinitialisation(suite: CipherSuite) -> None:
    """The whole group moves to another suite, and nobody else can follow."""
    world = World.of(3)
    new_id, extensions = b"the new group", (extension(b"title"),)
    world.commit("0", [ReInit(new_id, 1, suite.id, extensions)])
    for group in world.groups.values():
        with pytest.raises(GroupClosed):
            group.seal(b"", world.entropy)
    fresh = {name: client(name, world.entropy, suite) for name in world.groups}
    others = [fresh[name].package for name in ("0", "2")]
    group, staged = reinitialise(world.groups["1"], fresh["1"], others, world.entropy, now=NOW)
    group = group.accept(staged)
    assert staged.welcome is not None
    for name in ("0", "2"):
        with pytest.raises(MlsError):
            Group.join(staged.welcome, fresh[name])
        joined = Group.join(staged.welcome, fresh[name], predecessor=world.groups[name])
        assert joined.authenticator == group.authenticator
        assert (joined.group_id, joined.extensions, joined.epoch.suite) == (new_id, extensions, suite)
    with pytest.raises(MlsMisuse):
        reinitialise(group, fresh["0"], [], world.entropy, now=NOW)


def test_a_reinitialisation_takes_everyone_along() -> None:
    world = World.of(3)
    world.commit("0", [ReInit(b"new", 1, world.suite.id, ())])
    fresh = {name: client(name, world.entropy) for name in world.groups}
    _, staged = reinitialise(world.groups["0"], fresh["0"], [fresh["1"].package], world.entropy, now=NOW)
    assert staged.welcome is not None
    with pytest.raises(InvalidChange):  # the third is missing
        Group.join(staged.welcome, fresh["1"], predecessor=world.groups["1"])
    with pytest.raises(InvalidChange):
        world.groups["0"].receive(staged.welcome)


def test_a_reinitialisation_stands_alone() -> None:
    world = World.of(2)
    proposals = [ReInit(b"new", 1, world.suite.id, ()), Remove(1)]
    with pytest.raises(InvalidChange):
        world.groups["0"].commit(proposals, world.entropy, now=NOW)


def test_branching() -> None:
    world = World.of(4)
    fresh = {name: client(name, world.entropy) for name in ("0", "2", "stranger")}
    old = world.groups["0"]
    group, staged = branch(old, fresh["0"], [fresh["2"].package], b"branch", world.entropy, now=NOW)
    assert staged.welcome is not None
    joined = Group.join(staged.welcome, fresh["2"], predecessor=world.groups["2"])
    assert joined.authenticator == group.accept(staged).authenticator
    _, staged = branch(old, fresh["0"], [fresh["2"].package, fresh["stranger"].package], b"b", world.entropy, now=NOW)
    assert staged.welcome is not None
    with pytest.raises(InvalidChange):  # one who was not in the old group
        Group.join(staged.welcome, fresh["2"], predecessor=world.groups["2"])
    with pytest.raises(MlsMisuse):
        branch(old, client("0", world.entropy, MLS_256_XWING), [], b"b", world.entropy, now=NOW)
