"""Making a commit up to its protection: shared by members and newcomers (RFC 9420 section 12.4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roost.crypto.entropy import Entropy
from roost.crypto.mls.context import GroupContext, confirmed_transcript_hash, interim_transcript_hash
from roost.crypto.mls.epoch import Epoch
from roost.crypto.mls.framing import AuthData, AuthenticatedContent, FramedContent, Sender, WireFormat
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.key_schedule import JoinerSchedule
from roost.crypto.mls.leaf import LeafNode
from roost.crypto.mls.proposal_list import Changed
from roost.crypto.mls.proposals import Commit, ProposalOrRef, ReInit, UpdatePath
from roost.crypto.mls.protection import sign_content
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree_rules import check_members
from roost.crypto.mls.treekem import PathKeys, make_path, seal_path, still_valid
from roost.crypto.secret import Secret


@dataclass(frozen=True, repr=False)
class Draft(Secret):
    """Everything that a commit depends on.

    `author` signs the commit, `signer` the new leaf and all later messages. `leaf` is what the author's new leaf is
    made of; None leaves the path out.
    """

    suite: CipherSuite
    base: GroupContext
    interim_transcript_hash: bytes
    init_secret: bytes
    psk_secret: bytes
    author: SignatureKey
    signer: SignatureKey
    sender: Sender
    own: int
    changed: Changed
    private: Mapping[int, KemPrivateKey]
    leaf: LeafNode | None
    items: tuple[ProposalOrRef, ...]
    reinit: ReInit | None
    wire_format: WireFormat
    authenticated_data: bytes


@dataclass(frozen=True, repr=False)
class Drafted(Secret):
    """A commit signed and confirmed, and the epoch it begins."""

    message: AuthenticatedContent
    epoch: Epoch
    joiner: JoinerSchedule
    path: PathKeys | None


def next_context(draft_base: GroupContext, changed: Changed, suite: CipherSuite) -> GroupContext:
    """The provisional group context: new epoch, tree and extensions, the old confirmed transcript hash."""
    return replace(
        draft_base,
        epoch=draft_base.epoch + 1,
        tree_hash=changed.tree.tree_hash(suite),
        extensions=changed.extensions,
    )


def _make_path(draft: Draft, entropy: Entropy) -> tuple[PathKeys, UpdatePath] | tuple[None, None]:
    """The path, written into the draft's tree, which is the draft's own copy."""
    suite, changed = draft.suite, draft.changed
    if draft.leaf is None:
        return None, None
    group_id = draft.base.group_id
    keys = make_path(suite, changed.tree, draft.own, draft.leaf, group_id, draft.signer, entropy)
    context = next_context(draft.base, changed, suite).encoded
    return keys, seal_path(suite, changed.tree, draft.own, keys, frozenset(changed.added), context, entropy)


def finish(draft: Draft, entropy: Entropy) -> Drafted:
    """The commit and the epoch after it. Raises InvalidChange when the result would be invalid."""
    suite, tree = draft.suite, draft.changed.tree
    keys, path = _make_path(draft, entropy)
    changed = draft.changed.changed
    check_members(tree, draft.changed.extensions, None if changed is None else (*changed, draft.own))
    content = FramedContent(
        draft.base.group_id, draft.base.epoch, draft.sender, draft.authenticated_data, Commit(draft.items, path)
    )
    signature = sign_content(suite, draft.author, draft.wire_format, content, draft.base)
    unconfirmed = AuthenticatedContent(draft.wire_format, content, AuthData(signature))
    confirmed = confirmed_transcript_hash(suite, draft.interim_transcript_hash, unconfirmed.confirmed_input())
    context = replace(next_context(draft.base, draft.changed, suite), confirmed_transcript_hash=confirmed)
    commit_secret = keys.commit_secret if keys else suite.zero
    joiner = JoinerSchedule.after_commit(suite, draft.init_secret, commit_secret, draft.psk_secret, context)
    secrets = joiner.epoch(context)
    tag = secrets.confirmation_tag(confirmed)
    private = {**still_valid(tree, draft.private), **(keys.keys if keys else {})}
    interim = interim_transcript_hash(suite, confirmed, tag)
    epoch = Epoch(suite, context, tree, draft.own, draft.signer, private, secrets, tag, interim, draft.reinit)
    message = replace(unconfirmed, auth=AuthData(signature, tag))
    return Drafted(message, epoch, joiner, keys)
