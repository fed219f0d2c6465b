"""Checking another's commit and computing the epoch it begins (RFC 9420 section 12.4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roost.crypto.mls.changes import Changes, StagedCommit, describe
from roost.crypto.mls.context import GroupContext, confirmed_transcript_hash, interim_transcript_hash
from roost.crypto.mls.drafting import next_context
from roost.crypto.mls.epoch import Epoch
from roost.crypto.mls.errors import InvalidChange, NotForThisClient
from roost.crypto.mls.framing import AuthenticatedContent, SenderType
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.key_schedule import JoinerSchedule
from roost.crypto.mls.leaf import LeafSource
from roost.crypto.mls.proposal_list import Changed, ProposalList, SentProposal, apply_list, resolve
from roost.crypto.mls.proposals import Commit, UpdatePath
from roost.crypto.mls.protection import check_confirmation
from roost.crypto.mls.psk import Psks, find_psk_secret
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.tree_rules import check_members
from roost.crypto.mls.treekem import merge_path, open_path, still_valid
from roost.crypto.secret import Secret


@dataclass(frozen=True, repr=False)
class OwnUpdate(Secret):
    """The private keys of an Update that this member proposed."""

    encryption_key: KemPrivateKey
    signer: SignatureKey


@dataclass(frozen=True, repr=False)
class _Incoming(Secret):
    """A commit with its proposals looked up, checked and applied, before its path is."""

    epoch: Epoch
    message: AuthenticatedContent
    path: UpdatePath | None
    sent: list[SentProposal]
    proposals: ProposalList
    changed: Changed
    committer: int
    external: bool


def check_commit(
    epoch: Epoch,
    message: AuthenticatedContent,
    known: Mapping[bytes, SentProposal],
    updates: Mapping[bytes, OwnUpdate],
    psks: Psks,
) -> StagedCommit:
    """A commit whose signature was verified, ready to be accepted.

    Raises:
        MissingProposal, MissingPsk: something that it names is not here.
        InvalidChange: it breaks a rule.
        NotForThisClient: this member's private keys do not open its path.
        MlsError: something in it does not verify, open or parse.
    """
    incoming = _read(epoch, message, known)
    changed, path = incoming.changed, incoming.path
    if path is not None:
        _check_path_leaf(incoming, path)
        merge_path(epoch.suite, changed.tree, incoming.committer, path)
    affected = None if changed.changed is None else (*changed.changed, incoming.committer)
    check_members(changed.tree, changed.extensions, affected)
    changes = _describe(incoming)
    if epoch.own in incoming.proposals.removes:
        return StagedCommit(epoch.context, None, None, changes)
    after, ratchets = _next_epoch(incoming, updates, psks).begin_ratchets()
    return StagedCommit(epoch.context, after, ratchets, changes)


def _read(epoch: Epoch, message: AuthenticatedContent, known: Mapping[bytes, SentProposal]) -> _Incoming:
    commit, sender = message.content.content, message.content.sender
    if not isinstance(commit, Commit):
        raise InvalidChange("a message is no commit")
    external = sender.type is SenderType.NEW_MEMBER_COMMIT
    sent = resolve(commit.proposals, {} if external else known, sender)
    proposals = ProposalList.of(sent)
    if external:
        proposals.check_for_newcomer(epoch.suite)
    else:
        proposals.check_for_member(epoch.suite, sender.index)
    if commit.path is None and proposals.path_required:
        raise InvalidChange("a commit lacks its path")
    changed = apply_list(epoch.suite, epoch.context, epoch.tree, proposals)
    committer = changed.tree.free_leaf() if external else sender.index
    return _Incoming(epoch, message, commit.path, sent, proposals, changed, committer, external)


def _check_path_leaf(incoming: _Incoming, path: UpdatePath) -> None:
    leaf, epoch = path.leaf, incoming.epoch
    if leaf.source is not LeafSource.COMMIT:
        raise InvalidChange("an update path's leaf has another source")
    replaced = incoming.proposals.removes if incoming.external else [incoming.committer]
    if any(epoch.tree.leaf(index).encryption_key == leaf.encryption_key for index in replaced):
        raise InvalidChange("an update path keeps its author's key")
    leaf.check(epoch.suite, epoch.context.group_id, incoming.committer)


def _describe(incoming: _Incoming) -> Changes:
    before, changed = incoming.epoch.tree, incoming.changed
    return describe(
        before,
        changed.tree,
        incoming.committer,
        incoming.external,
        changed.added,
        incoming.sent,
        incoming.proposals,
    )


def _next_epoch(incoming: _Incoming, updates: Mapping[bytes, OwnUpdate], psks: Psks) -> Epoch:
    epoch, suite, tree = incoming.epoch, incoming.epoch.suite, incoming.changed.tree
    provisional = next_context(epoch.context, incoming.changed, suite)
    private, signer = _own_keys(incoming, updates)
    commit_secret = suite.zero
    if incoming.path is not None:
        added, context = frozenset(incoming.changed.added), provisional.encoded
        opened = open_path(suite, tree, incoming.committer, incoming.path, epoch.own, private, added, context)
        private, commit_secret = {**private, **opened.keys}, opened.commit_secret
    init_secret = epoch.secrets.init_secret
    if incoming.external:
        kem_output = incoming.proposals.external_inits[0]
        init_secret = suite.open_external_init(epoch.secrets.external_key(), kem_output)
    confirmed = confirmed_transcript_hash(suite, epoch.interim_transcript_hash, incoming.message.confirmed_input())
    context_after: GroupContext = replace(provisional, confirmed_transcript_hash=confirmed)
    psk_secret = find_psk_secret(suite, incoming.proposals.psks, psks)
    joiner = JoinerSchedule.after_commit(suite, init_secret, commit_secret, psk_secret, context_after)
    secrets, tag = joiner.epoch(context_after), incoming.message.auth.confirmation_tag or b""
    check_confirmation(suite, secrets.confirmation_key, confirmed, tag)
    interim = interim_transcript_hash(suite, confirmed, tag)
    reinit = incoming.proposals.reinit
    return Epoch(suite, context_after, tree, epoch.own, signer, private, secrets, tag, interim, reinit)


def _own_keys(incoming: _Incoming, updates: Mapping[bytes, OwnUpdate]) -> tuple[dict[int, KemPrivateKey], SignatureKey]:
    """This member's keys that are still in the tree, with those of its own update if that was committed."""
    epoch, tree = incoming.epoch, incoming.changed.tree
    private = still_valid(tree, epoch.private)
    own = next((leaf for index, leaf in incoming.proposals.updates if index == epoch.own), None)
    if own is None:
        return private, epoch.signer
    update = updates.get(own.encryption_key)
    if update is None:
        raise NotForThisClient("the keys of an update of this member are gone")
    return {**private, 2 * epoch.own: update.encryption_key}, update.signer
