"""From a message's bytes to its authenticated content: which epoch, which keys, whose signature (RFC 9420 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.epoch import Epoch, Member
from roost.crypto.mls.errors import (
    FutureEpoch,
    InvalidChange,
    MlsError,
    NotAuthentic,
    OwnMessage,
    Replayed,
    StaleEpoch,
    WrongGroup,
)
from roost.crypto.mls.extensions import external_senders
from roost.crypto.mls.framing import (
    AuthenticatedContent,
    ContentType,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
)
from roost.crypto.mls.proposals import EXTERNAL_PROPOSALS, Add, Commit, Proposal
from roost.crypto.mls.protection import check_signature, open_sender_data, unprotect_private, unprotect_public
from roost.crypto.mls.secret_tree import SecretTree
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.secret import Secret


@dataclass(frozen=True, repr=False)
class PastEpoch(Secret):
    """What opens application messages of an epoch that is over: kept for a few epochs, for those that come late."""

    suite: CipherSuite
    context: GroupContext
    own: int
    members: Mapping[int, Member]
    sender_data_secret: bytes
    ratchets: SecretTree

    @classmethod
    def of(cls, epoch: Epoch, ratchets: SecretTree) -> PastEpoch:
        members = {index: Member.of(index, leaf) for index, leaf in epoch.tree.members()}
        return cls(epoch.suite, epoch.context, epoch.own, members, epoch.secrets.sender_data_secret, ratchets)

    def find_member(self, index: int) -> Member | None:
        return self.members.get(index)


@dataclass(frozen=True, repr=False)
class PresentEpoch(Secret):
    """The same of the epoch that is in force."""

    epoch: Epoch
    ratchets: SecretTree

    @property
    def suite(self) -> CipherSuite:
        return self.epoch.suite

    @property
    def context(self) -> GroupContext:
        return self.epoch.context

    @property
    def own(self) -> int:
        return self.epoch.own

    @property
    def sender_data_secret(self) -> bytes:
        return self.epoch.secrets.sender_data_secret

    def find_member(self, index: int) -> Member | None:
        leaf = self.epoch.tree.find_leaf(index)
        return None if leaf is None else Member.of(index, leaf)


@dataclass(frozen=True, repr=False)
class Opened(Secret):
    """A message whose signature was verified, the secret tree without its key, and its sender's generation."""

    message: AuthenticatedContent
    ratchets: SecretTree
    generation: int = 0


def check_place(context: GroupContext, group_id: bytes, epoch: int) -> bool:
    """Whether a message is of this epoch, and not of one before. Raises WrongGroup or FutureEpoch."""
    if group_id != context.group_id:
        raise WrongGroup("a message is for another group")
    if epoch > context.epoch:
        raise FutureEpoch("a message is of an epoch to come")
    return epoch == context.epoch


def open_private(keys: PastEpoch | PresentEpoch, message: PrivateMessage) -> Opened:
    """Opens a private message of an epoch.

    Raises:
        OwnMessage: this member sent it.
        Replayed, TooFarAhead: there is no key for it.
        NotAuthentic, Malformed: it does not open, verify or parse.
    """
    suite = keys.suite
    data = open_sender_data(suite, keys.sender_data_secret, message)
    if data.leaf == keys.own:
        raise OwnMessage("a message is this member's own")
    member = keys.find_member(data.leaf)
    if member is None:
        raise NotAuthentic("a message names a leaf without a member")
    ratchets, opened = unprotect_private(suite, keys.ratchets, message, data)
    check_signature(suite, member.signature_key, opened, keys.context)
    return Opened(opened, ratchets, data.generation)


def was_sent_by_a_copy(keys: PresentEpoch, message: PrivateMessage) -> bool | None:
    """Whether another copy of this member's state sent a message under its name: the state was put back.

    True where its own present keys open and verify it, which nobody else can bring about; None where its key was used
    already, by this copy, so that it cannot be told from another member's forgery.
    """
    try:
        data = open_sender_data(keys.suite, keys.sender_data_secret, message)
        if data.leaf != keys.own:
            return False
        _, opened = unprotect_private(keys.suite, keys.ratchets, message, data)
        check_signature(keys.suite, keys.epoch.leaf.signature_key, opened, keys.context)
    except Replayed:
        return None
    except MlsError:
        return False
    return True


def open_late(past: Sequence[PastEpoch], message: PrivateMessage) -> tuple[int, Opened]:
    """(place among `past`, the message) for an application message of an epoch that is over. Raises StaleEpoch too."""
    for place, epoch in enumerate(past):
        if epoch.context.epoch == message.epoch and message.content_type is ContentType.APPLICATION:
            return place, open_private(epoch, message)
    raise StaleEpoch("a message is of an epoch that is over")


def open_public(epoch: Epoch, ratchets: SecretTree, public: PublicMessage) -> Opened:
    """Opens a public message: a member's, a newcomer's, or that of someone whom the group lets propose.

    Raises:
        OwnMessage: this member sent it.
        InvalidChange: the sender may not send such a message.
        NotAuthentic, Malformed: tag or signature do not verify.
    """
    suite, context, sender = epoch.suite, epoch.context, public.content.sender
    if sender.type is SenderType.MEMBER and sender.index == epoch.own:
        raise OwnMessage("a message is this member's own")
    message = unprotect_public(suite, epoch.secrets.membership_key, public, context)
    key = _signature_key(epoch, sender, message.content.content)
    check_signature(suite, key, message, context)
    return Opened(message, ratchets)


def _signature_key(epoch: Epoch, sender: Sender, content: bytes | Proposal | Commit) -> bytes:
    """Whose key must have signed, by the kind of sender (section 6.1)."""
    match sender.type, content:
        case SenderType.MEMBER, _:
            return epoch.tree.leaf(sender.index).signature_key
        case SenderType.NEW_MEMBER_COMMIT, Commit(path=path) if path is not None:
            return path.leaf.signature_key
        case SenderType.NEW_MEMBER_PROPOSAL, Add(package):
            return package.leaf.signature_key
        case SenderType.EXTERNAL, _ if isinstance(content, EXTERNAL_PROPOSALS):
            senders = external_senders(epoch.context.extensions)
            if sender.index < len(senders):
                return senders[sender.index].signature_key
    raise InvalidChange("a sender may not send such a message")
