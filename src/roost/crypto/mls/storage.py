"""A group's state as bytes for the encrypted store: one part that changes with epochs, one with every message.

The first part holds the public tree and is large (2.6 MB for 1,000 members of the hybrid suite); the second is small,
and names the epoch that it belongs to. Both hold secrets. An own staged commit is stored too, so that a device that
stops between sending and acceptance goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from roost.crypto.mls.changes import Changes, StagedCommit
from roost.crypto.mls.codec import Reader, opaque, optional, u8, u16, u32, u64, vector
from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.epoch import Epoch, Member
from roost.crypto.mls.errors import Malformed
from roost.crypto.mls.framing import Sender
from roost.crypto.mls.group import Group
from roost.crypto.mls.key_schedule import EpochSecrets
from roost.crypto.mls.leaf import Credential, Extension
from roost.crypto.mls.processing import OwnUpdate
from roost.crypto.mls.proposal_list import SentProposal
from roost.crypto.mls.proposals import ReInit, encode_proposal, read_proposal
from roost.crypto.mls.psk import PskId
from roost.crypto.mls.receiving import PastEpoch
from roost.crypto.mls.results import Settings
from roost.crypto.mls.secret_tree import Ratchet, RatchetKind, SecretTree
from roost.crypto.mls.suites import CipherSuite, suite_by_id
from roost.crypto.mls.tree import RatchetTree

_VERSION: Final = 1
_KINDS: Final = tuple(RatchetKind)
_SECRETS: Final = tuple(EpochSecrets.__slots__[:-1])


def save_epoch(group: Group) -> bytes:
    """What changes when a commit is accepted."""
    past = vector(_past(epoch) for epoch in group.past)
    resumption = vector(
        opaque(group_id) + u64(number) + opaque(psk) for (group_id, number), psk in group.resumption.items()
    )
    return u8(_VERSION) + _epoch(group.epoch) + past + resumption


def save_keys(group: Group) -> bytes:
    """What changes with every message: message keys, and what waits to be committed."""
    updates = vector(
        opaque(key) + opaque(update.encryption_key.to_bytes()) + opaque(update.signer.to_bytes())
        for key, update in group.updates.items()
    )
    return b"".join(
        (
            u8(_VERSION),
            opaque(group.epoch.confirmation_tag),
            u8(group.removed),
            _ratchets(group.ratchets),
            vector(_ratchets(epoch.ratchets) for epoch in group.past),
            vector(opaque(reference) + _sent(proposal) for reference, proposal in group.proposals.items()),
            updates,
        )
    )


def load(epoch_part: bytes, keys_part: bytes, settings: Settings | None = None) -> Group:
    """The inverse of `save_epoch` and `save_keys`. Raises MlsError, also when the parts are of different epochs."""
    reader, keys = Reader(epoch_part), Reader(keys_part)
    _check_version(reader)
    _check_version(keys)
    epoch = _read_epoch(reader)
    suite = epoch.suite
    past = reader.vector(_read_past)
    resumption = dict(reader.vector(lambda inner: ((inner.opaque(), inner.u64()), inner.opaque())))
    reader.finish()
    if keys.opaque() != epoch.confirmation_tag:
        raise Malformed("a group's stored parts are of different epochs")
    removed = bool(keys.u8())
    ratchets = _read_ratchets(keys, suite)
    older = keys.vector(lambda inner: _read_ratchets(inner, suite))
    proposals = dict(keys.vector(lambda inner: (inner.opaque(), _read_sent(inner))))
    updates = dict(keys.vector(lambda inner: (inner.opaque(), _read_update(inner, suite))))
    keys.finish()
    if len(older) != len(past):
        raise Malformed("a group's stored parts are of different epochs")
    whole = tuple(
        PastEpoch(suite, *rest, tree) for rest, tree in zip((entry[1:] for entry in past), older, strict=True)
    )
    return Group(epoch, ratchets, settings or Settings(), proposals, updates, whole, resumption, removed)


def save_staged(staged: StagedCommit) -> bytes:
    """A staged commit, for as long as it waits to be accepted."""
    following = None
    if staged.epoch is not None and staged.ratchets is not None:
        following = _epoch(staged.epoch) + _ratchets(staged.ratchets)
    welcome = None if staged.welcome is None else opaque(staged.welcome)
    head = u8(_VERSION) + opaque(staged.base.encode()) + optional(following)
    return head + _changes(staged.changes) + opaque(staged.message) + optional(welcome)


def load_staged(data: bytes) -> StagedCommit:
    """The inverse of `save_staged`. Raises MlsError."""
    reader = Reader(data)
    _check_version(reader)
    base = GroupContext.decode(reader.opaque())
    following = reader.optional(_read_following)
    changes, message = _read_changes(reader), reader.opaque()
    welcome = reader.optional(Reader.opaque)
    reader.finish()
    epoch, ratchets = following or (None, None)
    return StagedCommit(base, epoch, ratchets, changes, message, welcome)


def _check_version(reader: Reader) -> None:
    if reader.u8() != _VERSION:
        raise Malformed("a group's stored state is of an unknown version")


# --- epochs ---


def _epoch(epoch: Epoch) -> bytes:
    secrets = epoch.secrets.to_dict()
    return b"".join(
        (
            u16(epoch.suite.id),
            opaque(epoch.context.encode()),
            opaque(epoch.tree.encode()),
            u32(epoch.own),
            opaque(epoch.signer.to_bytes()),
            vector(u32(node) + opaque(key.to_bytes()) for node, key in epoch.private.items()),
            b"".join(opaque(secrets[name]) for name in _SECRETS),
            opaque(epoch.confirmation_tag),
            opaque(epoch.interim_transcript_hash),
            optional(None if epoch.reinit is None else epoch.reinit.encode()),
        )
    )


def _read_epoch(reader: Reader) -> Epoch:
    suite = suite_by_id(reader.u16())
    context, tree = GroupContext.decode(reader.opaque()), RatchetTree.decode(reader.opaque())
    own, signer = reader.u32(), suite.signature_key(reader.opaque())
    private = dict(reader.vector(lambda inner: (inner.u32(), suite.kem.private(inner.opaque()))))
    secrets = EpochSecrets(suite, {name: reader.opaque() for name in _SECRETS})
    tag, interim = reader.opaque(), reader.opaque()
    return Epoch(suite, context, tree, own, signer, private, secrets, tag, interim, reader.optional(ReInit.read))


def _past(epoch: PastEpoch) -> bytes:
    head = u16(epoch.suite.id) + opaque(epoch.context.encode()) + u32(epoch.own)
    return head + vector(map(_member, epoch.members.values())) + opaque(epoch.sender_data_secret)


def _read_past(reader: Reader) -> tuple[CipherSuite, GroupContext, int, Mapping[int, Member], bytes]:
    suite, context, own = suite_by_id(reader.u16()), GroupContext.decode(reader.opaque()), reader.u32()
    members = {member.index: member for member in reader.vector(_read_member)}
    return suite, context, own, members, reader.opaque()


def _read_following(reader: Reader) -> tuple[Epoch, SecretTree]:
    epoch = _read_epoch(reader)
    return epoch, _read_ratchets(reader, epoch.suite)


# --- message keys ---


def _ratchets(tree: SecretTree) -> bytes:
    secrets = vector(u32(node) + opaque(secret) for node, secret in tree.secrets.items())
    ratchets = vector(
        u32(leaf) + u8(_KINDS.index(kind)) + _ratchet(ratchet) for (leaf, kind), ratchet in tree.ratchets.items()
    )
    return u32(tree.leaves) + secrets + ratchets


def _ratchet(ratchet: Ratchet) -> bytes:
    kept = vector(u32(number) + opaque(key) + opaque(nonce) for number, (key, nonce) in ratchet.kept.items())
    return opaque(ratchet.secret) + u64(ratchet.generation) + kept


def _read_ratchets(reader: Reader, suite: CipherSuite) -> SecretTree:
    leaves = reader.u32()
    secrets = dict(reader.vector(lambda inner: (inner.u32(), inner.opaque())))
    return SecretTree(suite, leaves, secrets, dict(reader.vector(_read_ratchet)))


def _read_ratchet(reader: Reader) -> tuple[tuple[int, RatchetKind], Ratchet]:
    leaf, kind = reader.u32(), reader.u8()
    if kind >= len(_KINDS):
        raise Malformed("a stored ratchet is of an unknown kind")
    secret, generation = reader.opaque(), reader.u64()
    kept = dict(reader.vector(lambda inner: (inner.u32(), (inner.opaque(), inner.opaque()))))
    return (leaf, _KINDS[kind]), Ratchet(secret, generation, kept)


# --- proposals and changes ---


def _read_update(reader: Reader, suite: CipherSuite) -> OwnUpdate:
    return OwnUpdate(suite.kem.private(reader.opaque()), suite.signature_key(reader.opaque()))


def _sent(sent: SentProposal) -> bytes:
    return sent.sender.encode() + encode_proposal(sent.proposal)


def _read_sent(reader: Reader) -> SentProposal:
    sender = Sender.read(reader)
    return SentProposal(read_proposal(reader), sender)


def _member(member: Member) -> bytes:
    return u32(member.index) + opaque(member.signature_key) + member.credential.encode()


def _read_member(reader: Reader) -> Member:
    return Member(reader.u32(), reader.opaque(), Credential.read(reader))


def _members(members: Iterable[Member]) -> bytes:
    return vector(map(_member, members))


def _changes(changes: Changes) -> bytes:
    extensions = changes.extensions
    return b"".join(
        (
            _member(changes.committer),
            u8(changes.external),
            _members(changes.added),
            _members(changes.removed),
            vector(_member(before) + _member(after) for before, after in changes.updated),
            vector(map(_sent, changes.proposals)),
            optional(None if extensions is None else vector(extension.encode() for extension in extensions)),
            vector(psk.encode() for psk in changes.psks),
            optional(None if changes.reinit is None else changes.reinit.encode()),
        )
    )


def _read_changes(reader: Reader) -> Changes:
    return Changes(
        _read_member(reader),
        bool(reader.u8()),
        reader.vector(_read_member),
        reader.vector(_read_member),
        reader.vector(lambda inner: (_read_member(inner), _read_member(inner))),
        reader.vector(_read_sent),
        reader.optional(lambda inner: inner.vector(Extension.read)),
        reader.vector(PskId.read),
        reader.optional(ReInit.read),
    )
