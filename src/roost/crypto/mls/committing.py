"""A member's commit, with the Welcome for those it adds (RFC 9420 section 12.4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roost.crypto.entropy import Entropy
from roost.crypto.mls import tree_math
from roost.crypto.mls.changes import StagedCommit, describe
from roost.crypto.mls.drafting import Draft, Drafted, finish
from roost.crypto.mls.epoch import Epoch
from roost.crypto.mls.framing import MlsMessage, Sender, SenderType, WireFormat
from roost.crypto.mls.key_package import KeyPackage
from roost.crypto.mls.leaf import Extensions, LeafNode
from roost.crypto.mls.proposal_list import ProposalList, SentProposal, apply_list, resolve
from roost.crypto.mls.proposals import ProposalOrRef
from roost.crypto.mls.protection import protect_private, protect_public
from roost.crypto.mls.psk import PskId, Psks, find_psk_secret
from roost.crypto.mls.secret_tree import SecretTree
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.welcome import GroupSecrets, make_welcome


@dataclass(frozen=True)
class CommitOptions:
    """What the author of a commit chooses.

    `path`: give new keys also where the RFC does not demand it. `public`: send it readable for the host (Roost never
    does). `tree_in_welcome`: newcomers get the tree with the Welcome. `leaf`: other contents of the own leaf, with
    `signer` its key when that changes. `first_commit`: of a group that continues another one.
    """

    path: bool = True
    public: bool = False
    authenticated_data: bytes = b""
    padding: int = 0
    tree_in_welcome: bool = True
    external_key_in_welcome: bool = False
    info_extensions: Extensions = ()
    leaf: LeafNode | None = None
    signer: SignatureKey | None = None
    first_commit: bool = False


def make_commit(
    epoch: Epoch,
    ratchets: SecretTree,
    items: Sequence[ProposalOrRef],
    known: Mapping[bytes, SentProposal],
    psks: Psks,
    options: CommitOptions,
    entropy: Entropy,
) -> tuple[SecretTree, StagedCommit]:
    """(the old epoch's secret tree without the key that was used, the commit).

    Raises:
        InvalidChange: the proposals may not be committed together, or by this member.
        MissingProposal, MissingPsk: something that they name is not here.
    """
    suite, sender = epoch.suite, Sender(SenderType.MEMBER, epoch.own)
    sent = resolve(items, known, sender)
    proposals = ProposalList.of(sent)
    proposals.check_for_member(suite, epoch.own, first_commit=options.first_commit)
    changed = apply_list(suite, epoch.context, epoch.tree, proposals)
    drafted = finish(
        Draft(
            suite,
            epoch.context,
            epoch.interim_transcript_hash,
            epoch.secrets.init_secret,
            find_psk_secret(suite, proposals.psks, psks),
            epoch.signer,
            options.signer or epoch.signer,
            sender,
            epoch.own,
            changed,
            epoch.private,
            (options.leaf or epoch.leaf) if options.path or proposals.path_required else None,
            tuple(items),
            proposals.reinit,
            WireFormat.PUBLIC_MESSAGE if options.public else WireFormat.PRIVATE_MESSAGE,
            options.authenticated_data,
        ),
        entropy,
    )
    ratchets, message = _protect(epoch, ratchets, drafted, options, entropy)
    welcome = None
    if proposals.adds:
        newcomers = list(zip(changed.added, proposals.adds, strict=True))
        welcome = _welcome(drafted, newcomers, tuple(proposals.psks), options, entropy)
    changes = describe(epoch.tree, changed.tree, epoch.own, False, changed.added, sent, proposals)
    after, fresh = drafted.epoch.begin_ratchets()
    return ratchets, StagedCommit(epoch.context, after, fresh, changes, message, welcome)


def _protect(
    epoch: Epoch, ratchets: SecretTree, drafted: Drafted, options: CommitOptions, entropy: Entropy
) -> tuple[SecretTree, bytes]:
    secrets, suite = epoch.secrets, epoch.suite
    if options.public:
        public = protect_public(suite, secrets.membership_key, drafted.message, epoch.context)
        return ratchets, MlsMessage(public).encode()
    ratchets, private = protect_private(
        suite, secrets.sender_data_secret, ratchets, drafted.message, entropy, options.padding
    )
    return ratchets, MlsMessage(private).encode()


def _welcome(
    drafted: Drafted,
    newcomers: list[tuple[int, KeyPackage]],
    psks: tuple[PskId, ...],
    options: CommitOptions,
    entropy: Entropy,
) -> bytes:
    epoch, joiner = drafted.epoch, drafted.joiner
    info = epoch.group_info(
        with_tree=options.tree_in_welcome,
        with_external_key=options.external_key_in_welcome,
        extensions=options.info_extensions,
    )
    entries = []
    for index, package in newcomers:
        shared = tree_math.common_ancestor(2 * index, 2 * epoch.own)
        path_secret = drafted.path.path_secrets[shared] if drafted.path else None
        entries.append((package, GroupSecrets(joiner.joiner_secret, path_secret, psks)))
    return MlsMessage(make_welcome(epoch.suite, info, joiner.welcome_secret, entries, entropy)).encode()
