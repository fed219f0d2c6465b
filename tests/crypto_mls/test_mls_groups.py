"""A group's life: who is added, removed, updated; what is staged, accepted, lost; who reads what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mls_world import GROUP_ID, NOW, SeededEntropy, World, client, extension

from roost.crypto.keys import VerifyKey
from roost.crypto.mls import (
    MLS_128_X25519,
    MLS_256_XWING,
    SUITES,
    Add,
    ApplicationReceived,
    CipherSuite,
    CommitOptions,
    CommitReceived,
    DeviceIdentity,
    FutureEpoch,
    Group,
    GroupClosed,
    GroupContextExtensions,
    InvalidChange,
    Lifetime,
    MissingProposal,
    MissingPsk,
    MlsError,
    MlsMisuse,
    NotForThisClient,
    OwnMessage,
    PreSharedKey,
    PskId,
    Psks,
    PskUsage,
    Remove,
    Replayed,
    RequiredCapabilities,
    Settings,
    StaleEpoch,
    WrongGroup,
    make_key_package,
)
from roost.crypto.mls.epoch import Member
from roost.crypto.mls.leaf import Capabilities, Credential, Extension


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_a_group_in_every_suite(suite: CipherSuite) -> None:
    world = World.of(3, suite=suite)
    world.say("2", b"hello")
    world.commit("1", [Remove(world.index("2"))])
    world.check()
    world.say("1", b"without the third")
    world.add("1", 2)
    world.commit("0", options=CommitOptions(public=True))
    world.check()
    world.say("4", b"hello all")


def test_adding_without_a_path() -> None:
    """Newcomers are unmerged until someone gives new keys, and are reached all the same."""
    world = World.of(4)
    for author in ("0", "3"):
        name, secrets = world.newcomer()
        welcome = world.commit(author, [Add(secrets.package)], CommitOptions(path=False))
        assert welcome is not None
        world.groups[name] = Group.join(welcome, secrets)
        world.check()
    for name in list(world.groups):
        world.commit(name)
        world.check()


def test_a_commit_changes_nothing_until_it_is_accepted() -> None:
    world = World.of(3)
    before = world.groups["0"]
    after, staged = before.commit([Remove(world.index("1"))], world.entropy, now=NOW)
    assert (before.number, after.number) == (1, 1)
    assert after.epoch is before.epoch
    assert [member.credential.value for member in staged.changes.removed] == [b"1"]
    world.groups["0"] = after
    world.say("0", b"still there")
    world.commit("2")  # the other's commit came first
    with pytest.raises(StaleEpoch):
        world.groups["0"].accept(staged)
    with pytest.raises(StaleEpoch):
        world.groups["1"].receive(staged.message)
    world.check()


def test_changes_tell_what_a_commit_does() -> None:
    world = World.of(3)
    name, secrets = world.newcomer()
    proposals = [Remove(world.index("1")), Add(secrets.package), GroupContextExtensions((extension(b"title"),))]
    _, staged = world.groups["0"].commit(proposals, world.entropy, now=NOW)
    received = world.groups["2"].receive(staged.message)
    assert isinstance(received, CommitReceived)
    for changes in (staged.changes, received.staged.changes):
        assert changes.committer.credential.value == b"0"
        assert [member.credential.value for member in changes.added] == [name.encode()]
        assert [member.credential.value for member in changes.removed] == [b"1"]
        assert [after.credential.value for _, after in changes.updated] == [b"0"]
        assert changes.extensions == (extension(b"title"),)
        assert not changes.external
        assert [sent.proposal.type for sent in changes.proposals] == [3, 1, 7]
    assert staged.changes == received.staged.changes


def test_proposals_wait_and_are_committed_by_another() -> None:
    world = World.of(4)
    world.propose("1", None)
    world.propose("2", Remove(world.index("3")))
    with pytest.raises(MlsMisuse) as refused:
        world.groups["0"].seal(b"too early", world.entropy)
    assert refused.value.code == "commit_first"
    old = world.groups["1"].epoch.leaf
    world.commit("0")
    world.check()
    assert world.groups["1"].epoch.leaf.encryption_key != old.encryption_key
    assert set(world.groups) == {"0", "1", "2"}
    world.say("1", b"with the new key")
    world.commit("1")
    world.check()


def test_the_author_of_an_update_cannot_commit_it() -> None:
    world = World.of(2)
    world.propose("0", None)
    with pytest.raises(InvalidChange):
        world.groups["0"].commit([], world.entropy, now=NOW)
    group, staged = world.groups["0"].commit([], world.entropy, now=NOW, references=[])
    world.groups["0"] = group.accept(staged)
    world.deliver_commit(staged.message, "0")
    world.check()
    assert not world.groups["0"].updates


def test_removed_members_read_nothing_more() -> None:
    world = World.of(4)
    secret_before = world.say("0", b"before")
    victim = world.groups["3"]
    world.commit("0", [Remove(world.index("3"))])
    message = world.say("1", b"after")
    (gone,) = world.gone
    for state in (victim, gone):
        with pytest.raises(FutureEpoch):
            state.receive(message)
    assert gone.removed
    for refused in (
        lambda: gone.seal(b"", world.entropy),
        lambda: gone.commit([], world.entropy, now=NOW),
        lambda: gone.group_info(),
    ):
        with pytest.raises(GroupClosed):
            refused()
    with pytest.raises(Replayed):
        gone.receive(secret_before)
    _, staged = world.groups["0"].commit([], world.entropy, now=NOW)
    forged = replace(gone.epoch, context=world.groups["0"].epoch.context)
    with pytest.raises(MlsError):  # not even with the right context: the keys are others
        replace(gone, epoch=forged, removed=False).receive(staged.message)
    name = world.add("0")[0]
    world.say(name, b"and newcomers take the empty place")
    assert world.index(name) == 3


def test_late_messages_of_past_epochs() -> None:
    world = World.of(3)
    world.groups["0"], first = world.groups["0"].seal(b"first", world.entropy)
    world.groups["0"], second = world.groups["0"].seal(b"second", world.entropy, authenticated_data=b"ad")
    for _ in range(3):
        world.commit("1")
    received = world.groups["2"].receive(second)
    assert isinstance(received, ApplicationReceived)
    assert (received.data, received.authenticated_data, received.epoch, received.generation) == (b"second", b"ad", 1, 1)
    again = received.group.receive(first)
    assert isinstance(again, ApplicationReceived)
    with pytest.raises(Replayed):
        again.group.receive(second)
    world.commit("1")
    with pytest.raises(StaleEpoch):
        world.groups["2"].receive(first)


def test_own_and_foreign_messages() -> None:
    world, other = World.of(2), World.of(2, b"other")
    _, message = world.groups["0"].seal(b"x", world.entropy)
    with pytest.raises(OwnMessage):
        world.groups["0"].receive(message)
    with pytest.raises(MlsError):  # the same id and epoch, and keys of another group
        other.groups["1"].receive(message)
    elsewhere = Group.create(client("0", other.entropy), b"elsewhere", other.entropy)
    with pytest.raises(WrongGroup):
        elsewhere.receive(message)
    _, staged = world.groups["0"].commit([], world.entropy, now=NOW)
    ahead = world.groups["0"].accept(staged)
    _, message = ahead.seal(b"y", world.entropy)
    with pytest.raises(FutureEpoch):
        world.groups["1"].receive(message)


def test_pre_shared_keys() -> None:
    world = World.of(3)
    psk = PreSharedKey(PskId.external(world.suite, b"psk", world.entropy))
    resumption = PskId.resumption(world.suite, PskUsage.APPLICATION, GROUP_ID, 1, world.entropy)
    with pytest.raises(MissingPsk):
        world.groups["0"].commit([psk], world.entropy, now=NOW)
    _, staged = world.groups["0"].commit([psk], world.entropy, now=NOW, psks=world.psks)
    with pytest.raises(MissingPsk):
        world.groups["1"].receive(staged.message)
    with pytest.raises(MlsError):  # another secret of the same name
        world.groups["1"].receive(staged.message, psks=Psks({b"psk": b"wrong"}))
    world.commit("0", [psk, PreSharedKey(resumption)])
    world.check()
    name, secrets = world.newcomer()
    welcome = world.commit("1", [Add(secrets.package), psk])
    assert welcome is not None
    with pytest.raises(MissingPsk):
        Group.join(welcome, secrets)
    world.groups[name] = Group.join(welcome, secrets, psks=world.psks)
    world.check()
    assert "redacted" in repr(world.psks)


def refused_commits(world: World) -> list[list[object]]:
    package, own = client("new", world.entropy).package, world.index("0")
    psk = PreSharedKey(PskId.external(world.suite, b"psk", world.entropy))
    short = PreSharedKey(replace(psk.psk, nonce=b"short"))
    reinit = PreSharedKey(PskId.resumption(world.suite, PskUsage.REINIT, GROUP_ID, 1, world.entropy))
    required = GroupContextExtensions((RequiredCapabilities(extensions=(0xF777,)).extension(),))
    unknown = GroupContextExtensions((Extension(0xF778, b""),))
    later = client("late", world.entropy, lifetime=Lifetime(NOW + 10, NOW + 20)).package
    endless = client("endless", world.entropy, lifetime=Lifetime(0, NOW * 2)).package
    forged = replace(package, signature=package.signature[::-1])
    other_suite = client("x", world.entropy, MLS_256_XWING).package
    return [
        [Remove(own)],
        [Remove(77)],
        [Remove(1), Remove(1)],
        [Add(package), Add(package)],
        [psk, psk],
        [short],
        [reinit],
        [required],
        [unknown],
        [GroupContextExtensions(()), GroupContextExtensions(())],
        [Add(later)],
        [Add(endless)],
        [Add(forged)],
        [Add(other_suite)],
        [Add(replace(package, leaf=replace(package.leaf, extensions=(Extension(0xF779, b""),))))],
    ]


def test_commits_that_break_rules_are_not_made() -> None:
    world = World.of(3)
    for proposals in refused_commits(world):
        with pytest.raises(MlsError):
            world.groups["0"].commit(proposals, world.entropy, now=NOW, psks=world.psks)  # type: ignore[arg-type]
    member = world.groups["1"].epoch.leaf.signature_key
    double = make_key_package(
        world.suite,
        Credential.basic(b"double"),
        world.groups["1"].epoch.signer,
        Lifetime(NOW, NOW + 5),
        world.entropy,
        capabilities=Capabilities(extensions=(0xF001,)),
    )
    assert double.package.leaf.signature_key == member
    with pytest.raises(InvalidChange):
        world.groups["0"].commit([Add(double.package)], world.entropy, now=NOW)
    world.commit("0", [Add(double.package), Remove(world.index("1"))])  # unless it takes the other's place


def test_a_commit_needs_the_proposals_that_it_names() -> None:
    world = World.of(3)
    group, message = world.groups["0"].propose(Remove(world.index("2")), world.entropy, now=NOW)
    world.groups["0"] = group
    _, staged = group.commit([], world.entropy, now=NOW)
    with pytest.raises(MissingProposal):
        world.groups["1"].receive(staged.message)
    waiting = world.groups["1"].receive(message).group
    assert isinstance(waiting.receive(staged.message), CommitReceived)
    with pytest.raises(Replayed):
        waiting.receive(message)


def test_welcomes_are_for_those_they_name() -> None:
    world = World.of(2)
    (_, invited), (_, stranger) = world.newcomer(), world.newcomer()
    welcome = world.commit("0", [Add(invited.package)])
    assert welcome is not None
    with pytest.raises(NotForThisClient):
        Group.join(welcome, stranger)
    with pytest.raises(InvalidChange):
        Group.join(world.groups["0"].group_info(), invited)
    Group.join(welcome, invited)


def test_the_tree_can_come_beside_the_welcome() -> None:
    world = World.of(5)
    name, secrets = world.newcomer()
    welcome = world.commit("0", [Add(secrets.package)], CommitOptions(tree_in_welcome=False))
    assert welcome is not None
    with pytest.raises(InvalidChange):
        Group.join(welcome, secrets)
    with pytest.raises(MlsError):
        Group.join(welcome, secrets, tree=World.of(5, b"other").groups["0"].epoch.tree.encode())
    world.groups[name] = Group.join(welcome, secrets, tree=world.groups["0"].epoch.tree.encode())
    world.check()


def test_a_member_changes_its_signature_key() -> None:
    world = World.of(3)
    epoch, signer = world.groups["1"].epoch, world.suite.scheme.generate(world.entropy)
    leaf = replace(epoch.leaf, extensions=(extension(b"new"),))
    world.commit("1", options=CommitOptions(leaf=leaf, signer=signer))
    world.check()
    assert world.groups["0"].members()[1].signature_key == signer.public
    world.say("1", b"signed by another key")
    taken = world.groups["0"].epoch.signer
    with pytest.raises(InvalidChange):  # one that another member has
        world.groups["1"].commit([], world.entropy, now=NOW, options=CommitOptions(signer=taken))


def test_an_update_needs_its_keys() -> None:
    """A device whose proposal's keys were lost cannot follow, and has to rejoin."""
    world = World.of(2)
    world.propose("1", None)
    world.groups["1"] = replace(world.groups["1"], updates={})
    _, staged = world.groups["0"].commit([], world.entropy, now=NOW)
    with pytest.raises(NotForThisClient):
        world.groups["1"].receive(staged.message)


def test_settings_bound_what_is_kept() -> None:
    world = World.of(2)
    world.groups["1"] = replace(world.groups["1"], settings=Settings(past_epochs=1, resumption_epochs=2))
    for _ in range(5):
        world.commit("0")
    assert len(world.groups["1"].past) == 1
    assert [epoch for _, epoch in world.groups["1"].resumption] == [5, 6]


def test_secrets_print_nothing() -> None:
    world = World.of(2)
    group, staged = world.groups["0"].commit([], world.entropy, now=NOW)
    received = world.groups["1"].receive(staged.message)
    values = (group, staged, received, group.epoch, group.ratchets, group.epoch.secrets, *group.past)
    for value in (*values, world.groups["1"].past[0] if world.groups["1"].past else group):
        assert "redacted" in repr(value)


def test_roosts_credential() -> None:
    entropy = SeededEntropy()
    account, device = VerifyKey(entropy.bytes(32)), MLS_128_X25519.scheme.generate(entropy)
    identity = DeviceIdentity(account, VerifyKey(device.public))
    credential = identity.credential()
    assert credential.value == account.raw + device.public
    assert DeviceIdentity.of(Member(0, device.public, credential)) == identity
    for member in (
        Member(0, account.raw, credential),
        Member(0, device.public, Credential.basic(b"short")),
        Member(0, device.public, Credential(2, credential.value)),
    ):
        with pytest.raises(InvalidChange):
            DeviceIdentity.of(member)
