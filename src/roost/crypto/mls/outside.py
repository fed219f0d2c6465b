"""What those say to a group who are outside: external commits and proposals (RFC 9420 12.1.8 and 12.4.3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from roost.crypto.entropy import Entropy
from roost.crypto.mls.changes import StagedCommit, describe
from roost.crypto.mls.context import GroupContext, interim_transcript_hash
from roost.crypto.mls.drafting import Draft, finish
from roost.crypto.mls.errors import InvalidChange, MlsMisuse
from roost.crypto.mls.extensions import check_supported, external_pub
from roost.crypto.mls.framing import (
    AuthData,
    AuthenticatedContent,
    FramedContent,
    MlsMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
)
from roost.crypto.mls.joining import check_group_info
from roost.crypto.mls.key_package import KeyPackageSecrets
from roost.crypto.mls.proposal_list import ProposalList, SentProposal, apply_list
from roost.crypto.mls.proposals import EXTERNAL_PROPOSALS, Add, ExternalInit, PreSharedKey, Proposal, Remove
from roost.crypto.mls.protection import sign_content
from roost.crypto.mls.psk import PskId, Psks, find_psk_secret
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.mls.welcome import GroupInfo


@dataclass(frozen=True)
class JoinOptions:
    """`replaces`: the own old leaf that the commit removes (resync). `psks`: names of pre-shared keys to mix in."""

    replaces: int | None = None
    psks: tuple[PskId, ...] = ()
    authenticated_data: bytes = b""


def external_commit(
    info: GroupInfo,
    secrets: KeyPackageSecrets,
    held: Psks,
    tree: RatchetTree | None,
    options: JoinOptions,
    entropy: Entropy,
) -> StagedCommit:
    """A commit by which a client adds itself; its message is public, so it travels inside something else.

    Raises:
        InvalidChange: the GroupInfo has no external key or tree, or breaks a rule.
        MissingPsk: a pre-shared key is not here.
        MlsError: the GroupInfo does not verify or parse.
    """
    suite, context = secrets.suite, info.context
    tree = check_group_info(suite, info, tree)
    check_supported(secrets.package.leaf, context.extensions)
    public = external_pub(info.extensions)
    if public is None:
        raise InvalidChange("a group takes no external commits")
    kem_output, init_secret = suite.external_init(public, entropy)
    sender = Sender(SenderType.NEW_MEMBER_COMMIT)
    removes = () if options.replaces is None else (Remove(options.replaces),)
    items = (ExternalInit(kem_output), *removes, *(PreSharedKey(psk) for psk in options.psks))
    sent = [SentProposal(item, sender) for item in items]
    proposals = ProposalList.of(sent)
    proposals.check_for_newcomer(suite)
    changed = apply_list(suite, context, tree, proposals)
    own = changed.tree.free_leaf()
    drafted = finish(
        Draft(
            suite,
            context,
            interim_transcript_hash(suite, context.confirmed_transcript_hash, info.confirmation_tag),
            init_secret,
            find_psk_secret(suite, options.psks, held),
            secrets.signature_key,
            secrets.signature_key,
            sender,
            own,
            changed,
            {},
            secrets.package.leaf,
            items,
            None,
            WireFormat.PUBLIC_MESSAGE,
            options.authenticated_data,
        ),
        entropy,
    )
    changes = describe(tree, changed.tree, own, True, (), sent, proposals)
    message = MlsMessage(PublicMessage(drafted.message.content, drafted.message.auth)).encode()
    epoch, ratchets = drafted.epoch.begin_ratchets()
    return StagedCommit(context, epoch, ratchets, changes, message)


def propose_joining(secrets: KeyPackageSecrets, group_id: bytes, epoch: int) -> bytes:
    """A client's proposal to add itself, for a member to commit (section 12.1.8, `new_member_proposal`)."""
    sender = Sender(SenderType.NEW_MEMBER_PROPOSAL)
    return _propose(secrets.suite, secrets.signature_key, sender, Add(secrets.package), group_id, epoch)


def propose_from_outside(
    suite: CipherSuite, signer: SignatureKey, index: int, proposal: Proposal, group_id: bytes, epoch: int
) -> bytes:
    """A proposal by the external sender at `index` of the group's `external_senders`. Raises MlsMisuse."""
    if not isinstance(proposal, EXTERNAL_PROPOSALS):
        raise MlsMisuse("such a proposal is a member's alone")
    return _propose(suite, signer, Sender(SenderType.EXTERNAL, index), proposal, group_id, epoch)


def _propose(
    suite: CipherSuite, signer: SignatureKey, sender: Sender, proposal: Proposal, group_id: bytes, epoch: int
) -> bytes:
    content = FramedContent(group_id, epoch, sender, b"", proposal)
    no_context = GroupContext(suite.id, group_id, epoch, b"", b"", ())  # not signed for these senders
    signature = sign_content(suite, signer, WireFormat.PUBLIC_MESSAGE, content, no_context)
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, content, AuthData(signature))
    return MlsMessage(PublicMessage(message.content, message.auth)).encode()
