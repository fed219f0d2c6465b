"""Malformed, forged, oversized and insiders' broken inputs: typed errors, and no state changes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mls_world import NOW, World, client, swapped

from roost.crypto.mls import (
    Add,
    CommitOptions,
    Group,
    GroupContextExtensions,
    InvalidChange,
    MlsError,
    MlsMessage,
    NotAuthentic,
    Remove,
    TooLarge,
    Unsupported,
    load,
    load_staged,
    save_epoch,
    save_keys,
    save_staged,
)
from roost.crypto.mls.codec import MAX_ITEMS, MAX_MESSAGE_SIZE, Reader, opaque, varint
from roost.crypto.mls.framing import (
    AuthData,
    AuthenticatedContent,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
)
from roost.crypto.mls.leaf import ParentNode
from roost.crypto.mls.proposals import Commit, read_proposal
from roost.crypto.mls.protection import protect_private, protect_public, sign_content
from roost.crypto.mls.suites import suite_by_id
from roost.crypto.mls.tree import RatchetTree


@cache
def a_world() -> World:
    return World.of(4)


@cache
def samples() -> tuple[bytes, ...]:
    """One message of each kind, for leaf 1 of `a_world`."""
    world = a_world()
    group, entropy = world.groups["0"], world.entropy
    _, said = group.seal(b"hello", entropy)
    _, proposed = group.propose(Remove(2), entropy, now=NOW)
    newcomer = client("n", entropy)
    _, private = group.commit([Add(newcomer.package)], entropy, now=NOW)
    _, public = group.commit([], entropy, now=NOW, options=CommitOptions(public=True))
    joining = Group.join_by_commit(group.group_info(), newcomer, entropy)
    assert private.welcome is not None
    return (said, proposed, private.message, public.message, joining.message, private.welcome, group.group_info())


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_our_error(data: bytes) -> None:
    group = a_world().groups["1"]
    with pytest.raises(MlsError):
        group.receive(data)
    with pytest.raises(MlsError):
        Group.join(data, client("x", a_world().entropy))
    with pytest.raises(MlsError):
        RatchetTree.decode(data + b"\xff")


@settings(max_examples=300)
@given(st.integers(0, 6), st.data())
def test_changed_bytes_raise_only_our_error(kind: int, data: st.DataObject) -> None:
    message = samples()[kind]
    place = data.draw(st.integers(0, len(message) - 1))
    cut = data.draw(st.booleans())
    broken = message[:place] if cut else swapped(message, place)
    group = a_world().groups["1"]
    with pytest.raises(MlsError):
        group.receive(broken)
    with pytest.raises(MlsError):
        Group.join(broken, client("x", a_world().entropy))
    with pytest.raises(MlsError):
        Group.join_by_commit(broken, client("x", a_world().entropy), a_world().entropy)


@settings(max_examples=200)
@given(st.integers(0, 6), st.data())
def test_what_decodes_has_one_encoding(kind: int, data: st.DataObject) -> None:
    message = samples()[kind]
    changed = swapped(message, data.draw(st.integers(0, len(message) - 1)))
    try:
        decoded = MlsMessage.decode(changed)
    except MlsError:
        return
    assert decoded.encode() == changed


def test_oversized_structures() -> None:
    with pytest.raises(TooLarge):
        Reader(bytes(MAX_MESSAGE_SIZE + 1))
    with pytest.raises(TooLarge):
        RatchetTree.decode(opaque(bytes(MAX_ITEMS + 2)))


def test_unknown_kinds() -> None:
    for data in (b"\x00\x02\x00\x01", b"\x00\x01\x00\x09", b"\x00\x01\x00\x00"):
        with pytest.raises(MlsError):
            MlsMessage.decode(data)
    with pytest.raises(Unsupported):
        read_proposal(Reader(b"\xf0\x00"))
    with pytest.raises(Unsupported):
        suite_by_id(0x0A0A)
    assert varint(63) == b"\x3f"


# --- what a member could send who does not follow the rules ---


def resigned(group: Group, commit: Commit, *, private: bool, confirm: bytes | None = None) -> bytes:
    """A commit of a member with everything that it can compute by itself made right."""
    epoch = group.epoch
    wire_format = WireFormat.PRIVATE_MESSAGE if private else WireFormat.PUBLIC_MESSAGE
    sender = Sender(SenderType.MEMBER, epoch.own)
    content = FramedContent(group.group_id, group.number, sender, b"", commit)
    signature = sign_content(epoch.suite, epoch.signer, wire_format, content, epoch.context)
    message = AuthenticatedContent(wire_format, content, AuthData(signature, confirm or bytes(32)))
    if private:
        secret, entropy = epoch.secrets.sender_data_secret, a_world().entropy
        return MlsMessage(protect_private(epoch.suite, secret, group.ratchets, message, entropy)[1]).encode()
    return MlsMessage(protect_public(epoch.suite, epoch.secrets.membership_key, message, epoch.context)).encode()


def honest_commit(world: World, *proposals: Remove) -> Commit:
    _, staged = world.groups["0"].commit(proposals, world.entropy, now=NOW, options=CommitOptions(public=True))
    body = MlsMessage.decode(staged.message).body
    assert isinstance(body, PublicMessage)
    assert isinstance(body.content.content, Commit)
    return body.content.content


@pytest.mark.parametrize("private", [False, True])
def test_insiders_cannot_break_a_commits_rules(private: bool) -> None:
    world = a_world()
    author, commit = world.groups["0"], honest_commit(world)
    path = commit.path
    assert path is not None
    first = path.nodes[0]
    old_leaf = author.epoch.leaf
    broken = [
        replace(commit, path=None),
        Commit((Remove(2),), None),
        Commit((Remove(0),), path),
        Commit((Remove(1), Remove(1)), path),
        Commit((GroupContextExtensions(()),), None),
        replace(commit, path=replace(path, leaf=old_leaf)),
        replace(commit, path=replace(path, nodes=path.nodes[:-1])),
        replace(commit, path=replace(path, nodes=(*path.nodes, first))),
        replace(commit, path=replace(path, nodes=path.nodes[::-1])),
        replace(commit, path=replace(path, nodes=(replace(first, encrypted_path_secrets=()), *path.nodes[1:]))),
        replace(commit, path=replace(path, nodes=(replace(first, encryption_key=b"short"), *path.nodes[1:]))),
        replace(commit, path=replace(path, leaf=replace(path.leaf, signature=b""))),
        replace(commit, path=replace(path, leaf=replace(path.leaf, encryption_key=old_leaf.encryption_key))),
    ]
    for bad in broken:
        message = resigned(author, bad, private=private)
        for name in ("1", "2", "3"):
            with pytest.raises(MlsError):
                world.groups[name].receive(message)
    for name in ("1", "2", "3"):  # all right but the confirmation tag
        with pytest.raises(NotAuthentic):
            world.groups[name].receive(resigned(author, honest_commit(world), private=private))


def test_wrong_secrets_for_right_public_keys() -> None:
    """A committer who sends some member secrets that do not belong to the public keys (section 16.12)."""
    world = a_world()
    author, commit = world.groups["0"], honest_commit(world)
    path = commit.path
    assert path is not None
    target = world.groups["1"].epoch.leaf.encryption_key
    suite = world.suite
    wrong = suite.encrypt(target, b"UpdatePathNode", b"another context", bytes(32), world.entropy)
    nodes = (replace(path.nodes[0], encrypted_path_secrets=(wrong,)), *path.nodes[1:])
    message = resigned(author, replace(commit, path=replace(path, nodes=nodes)), private=True)
    with pytest.raises(NotAuthentic):
        world.groups["1"].receive(message)


def test_another_member_cannot_speak_for_one() -> None:
    world = a_world()
    forger, victim = world.groups["2"], world.groups["0"]
    epoch = forger.epoch
    content = FramedContent(forger.group_id, forger.number, Sender(SenderType.MEMBER, victim.epoch.own), b"", b"lie")
    signature = sign_content(epoch.suite, epoch.signer, WireFormat.PRIVATE_MESSAGE, content, epoch.context)
    message = AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, content, AuthData(signature))
    secret = epoch.secrets.sender_data_secret
    _, forged = protect_private(epoch.suite, secret, forger.ratchets, message, world.entropy)
    with pytest.raises(NotAuthentic):
        world.groups["1"].receive(MlsMessage(forged).encode())


def test_padding_is_zero_and_application_data_private() -> None:
    world = a_world()
    body = MlsMessage.decode(samples()[0]).body
    assert isinstance(body, PrivateMessage)
    epoch = world.groups["0"].epoch
    content = FramedContent(world.groups["0"].group_id, 1, Sender(SenderType.MEMBER, 0), b"", b"open")
    signature = sign_content(epoch.suite, epoch.signer, WireFormat.PUBLIC_MESSAGE, content, epoch.context)
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, AuthData(signature))
    public = protect_public(epoch.suite, epoch.secrets.membership_key, message, epoch.context)
    with pytest.raises(MlsError):
        world.groups["1"].receive(MlsMessage(public).encode())


def test_broken_trees_in_group_infos() -> None:
    """A member who describes another tree to newcomers: signatures and hashes right, the tree's rules broken."""
    world = World.of(6)
    world.commit("4")
    honest = world.groups["0"].epoch
    for node, parent in list(honest.tree.parents()):
        for bad in (
            replace(parent, parent_hash=bytes(32)),
            replace(parent, encryption_key=world.suite.kem.generate(world.entropy).public),
            replace(parent, unmerged=(0,) if node > 8 else (5,)),
            ParentNode(honest.tree.leaf(0).encryption_key),
        ):
            tree = honest.tree.copy()
            tree.set_node(node, bad)
            context = replace(honest.context, tree_hash=tree.tree_hash(world.suite))
            lying = replace(honest, tree=tree, context=context)
            info = MlsMessage(lying.group_info(with_tree=True, with_external_key=True)).encode()
            with pytest.raises(InvalidChange):
                Group.join_by_commit(info, client("n", world.entropy), world.entropy)


# --- the stored form ---


def test_stored_groups_go_on() -> None:
    world = World.of(4)
    world.commit("1")
    world.groups["0"], late = world.groups["0"].seal(b"late", world.entropy)
    world.commit("2")
    world.propose("1", None)
    world.propose("3", Remove(2))
    for name, group in world.groups.items():
        world.groups[name] = load(save_epoch(group), save_keys(group))
    world.groups["0"], staged = world.groups["0"].commit([], world.entropy, now=NOW)
    stored = load_staged(save_staged(staged))
    assert stored.changes == staged.changes
    assert (stored.message, stored.welcome, stored.base) == (staged.message, staged.welcome, staged.base)
    world.groups["0"] = world.groups["0"].accept(stored)
    world.deliver_commit(stored.message, "0")
    world.check()
    received = world.groups["3"].receive(late)
    assert received.group is not world.groups["3"]
    world.say("1", b"on")


def test_stored_parts_belong_together() -> None:
    world = World.of(2)
    old = world.groups["0"]
    world.commit("1")
    with pytest.raises(MlsError):
        load(save_epoch(world.groups["0"]), save_keys(old))
    with pytest.raises(MlsError):
        load(b"\x09" + save_epoch(old)[1:], save_keys(old))


@settings(max_examples=100)
@given(st.data())
def test_broken_stored_groups_raise_only_our_error(data: st.DataObject) -> None:
    group = a_world().groups["2"]
    parts = [save_epoch(group), save_keys(group)]
    which = data.draw(st.integers(0, 1))
    parts[which] = parts[which][: data.draw(st.integers(0, len(parts[which]) - 1))]
    with pytest.raises(MlsError):
        load(parts[0], parts[1])
