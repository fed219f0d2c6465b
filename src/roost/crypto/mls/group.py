"""A member's state of one group, and everything it does with it (RFC 9420 sections 11 to 15).

A `Group` is a value: every operation returns a new one beside its result, and whatever raises leaves the old one as it
was. A commit, own or another's, is *staged* first; `accept` puts it in force once the group's order has decided for it.
Whether a change is *allowed* (credentials, roles) is the application's to decide from `StagedCommit.changes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from roost.crypto.entropy import Entropy
from roost.crypto.mls import joining, outside
from roost.crypto.mls.changes import StagedCommit
from roost.crypto.mls.checks import check_added, check_lifetime, check_proposal
from roost.crypto.mls.committing import CommitOptions, make_commit
from roost.crypto.mls.epoch import Epoch, Member
from roost.crypto.mls.errors import GroupClosed, InvalidChange, MlsMisuse, StaleEpoch, TooLarge
from roost.crypto.mls.framing import (
    AuthData,
    AuthenticatedContent,
    ContentType,
    FramedContent,
    MlsMessage,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
)
from roost.crypto.mls.key_package import KeyPackageSecrets
from roost.crypto.mls.leaf import Extensions, LeafNode, LeafSource
from roost.crypto.mls.outside import JoinOptions
from roost.crypto.mls.processing import OwnUpdate, check_commit
from roost.crypto.mls.proposal_list import SentProposal
from roost.crypto.mls.proposals import Add, Commit, Proposal, ProposalRef, Update
from roost.crypto.mls.protection import protect_private, sign_content
from roost.crypto.mls.psk import Psks
from roost.crypto.mls.receiving import (
    Opened,
    PastEpoch,
    PresentEpoch,
    check_place,
    open_late,
    open_private,
    open_public,
    was_sent_by_a_copy,
)
from roost.crypto.mls.results import (
    MAX_PROPOSALS,
    ApplicationReceived,
    CommitReceived,
    ProposalReceived,
    Received,
    Settings,
)
from roost.crypto.mls.secret_tree import SecretTree
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.mls.welcome import GroupInfo, Welcome
from roost.crypto.secret import Secret


@dataclass(frozen=True, repr=False)
class Group(Secret):
    """One member's view of a group. Made by `create`, `join`, or `accept_join` of an external commit."""

    epoch: Epoch
    ratchets: SecretTree
    settings: Settings = field(default_factory=Settings)
    proposals: Mapping[bytes, SentProposal] = field(default_factory=dict)
    updates: Mapping[bytes, OwnUpdate] = field(default_factory=dict)
    past: tuple[PastEpoch, ...] = ()
    resumption: Mapping[tuple[bytes, int], bytes] = field(default_factory=dict)
    removed: bool = False

    # --- beginning ---

    @classmethod
    def create(
        cls,
        secrets: KeyPackageSecrets,
        group_id: bytes,
        entropy: Entropy,
        *,
        extensions: Extensions = (),
        settings: Settings | None = None,
    ) -> Group:
        """A new group with one member, whose leaf is that of a fresh key package."""
        return cls._begun(joining.create(secrets, group_id, extensions, entropy), settings)

    @classmethod
    def join(
        cls,
        welcome: bytes,
        secrets: KeyPackageSecrets,
        *,
        psks: Psks | None = None,
        tree: bytes | None = None,
        predecessor: Group | None = None,
        settings: Settings | None = None,
    ) -> Group:
        """The group that a Welcome leads into (`joining.open_welcome`). The caller checks the members' credentials.

        `tree` is the encoded ratchet tree where the Welcome brings none.
        """
        body = MlsMessage.decode(welcome).body
        if not isinstance(body, Welcome):
            raise InvalidChange("a message is no welcome")
        held = psks or Psks()
        if predecessor is not None:
            held = held.with_resumption(predecessor.resumption)
        public = None if tree is None else RatchetTree.decode(tree)
        before = predecessor.epoch if predecessor else None
        group = cls._begun(joining.open_welcome(body, secrets, held, public, before), settings)
        for _, leaf in group.epoch.tree.members():
            check_lifetime(group.settings, leaf)
        return group

    @staticmethod
    def join_by_commit(
        group_info: bytes,
        secrets: KeyPackageSecrets,
        entropy: Entropy,
        *,
        psks: Psks | None = None,
        tree: bytes | None = None,
        options: JoinOptions | None = None,
    ) -> StagedCommit:
        """An external commit; `accept_join` makes a group of it once it was accepted (`outside.external_commit`)."""
        info = MlsMessage.decode(group_info).body
        if not isinstance(info, GroupInfo):
            raise InvalidChange("a message is no group info")
        public = None if tree is None else RatchetTree.decode(tree)
        return outside.external_commit(info, secrets, psks or Psks(), public, options or JoinOptions(), entropy)

    @classmethod
    def accept_join(cls, staged: StagedCommit, settings: Settings | None = None) -> Group:
        """The group that an own external commit leads into."""
        if staged.epoch is None or staged.ratchets is None:
            raise MlsMisuse("this commit leads into no group")
        return cls(staged.epoch, staged.ratchets, settings or Settings())._with_resumption()

    @classmethod
    def _begun(cls, epoch: Epoch, settings: Settings | None) -> Group:
        ready, ratchets = epoch.begin_ratchets()
        return cls(ready, ratchets, settings or Settings())._with_resumption()

    def _with_resumption(self) -> Group:
        context = self.epoch.context
        kept = {**self.resumption, (context.group_id, context.epoch): self.epoch.secrets.resumption_psk}
        while len(kept) > max(self.settings.resumption_epochs, 1):
            del kept[min(kept, key=lambda name: name[1])]
        return replace(self, resumption=kept)

    # --- what is known ---

    @property
    def group_id(self) -> bytes:
        return self.epoch.context.group_id

    @property
    def number(self) -> int:
        """The epoch's number."""
        return self.epoch.context.epoch

    @property
    def extensions(self) -> Extensions:
        """The group context's extensions."""
        return self.epoch.context.extensions

    @property
    def authenticator(self) -> bytes:
        """Equal for all who have the same view of the group (section 8.7)."""
        return self.epoch.secrets.epoch_authenticator

    def members(self) -> list[Member]:
        return [Member.of(index, leaf) for index, leaf in self.epoch.tree.members()]

    def export(self, label: bytes, context: bytes, length: int) -> bytes:
        """MLS-Exporter (section 8.5): a secret of this epoch for another use, `length` bytes."""
        return self.epoch.secrets.export(label, context, length)

    def group_info(
        self, *, with_tree: bool = True, with_external_key: bool = True, extensions: Extensions = ()
    ) -> bytes:
        """This epoch described for one who joins by external commit; whoever holds it can."""
        self._check_open()
        info = self.epoch.group_info(with_tree=with_tree, with_external_key=with_external_key, extensions=extensions)
        return MlsMessage(info).encode()

    # --- sending ---

    def seal(
        self, data: bytes, entropy: Entropy, *, authenticated_data: bytes = b"", padding: int = 0
    ) -> tuple[Group, bytes]:
        """(group without the key that was used, the encrypted message).

        Raises:
            GroupClosed: nothing is sent in it any more.
            MlsMisuse: proposals wait; they must be committed before (section 12.4).
        """
        self._check_open()
        if self.proposals:
            raise MlsMisuse("proposals wait to be committed", code="commit_first")
        return self._send(data, entropy, authenticated_data, padding)[:2]

    def propose(self, proposal: Proposal, entropy: Entropy, *, now: int, padding: int = 0) -> tuple[Group, bytes]:
        """(group in which the proposal waits, the encrypted message). `now` in seconds.

        Raises GroupClosed; InvalidChange for what this member can tell is invalid.
        """
        self._check_open()
        check_proposal(self.epoch, self.settings, proposal, Sender(SenderType.MEMBER, self.epoch.own))
        if isinstance(proposal, Add):
            check_lifetime(self.settings, proposal.key_package.leaf, now)
        group, message, sent = self._send(proposal, entropy, b"", padding)
        return group._with_proposal(sent), message

    def propose_update(self, entropy: Entropy, *, leaf: LeafNode | None = None, now: int = 0) -> tuple[Group, bytes]:
        """Like `propose`, for a new encryption key (and other contents of `leaf`) of this member."""
        epoch = self.epoch
        key = epoch.suite.kem.generate(entropy)
        fresh = replace(
            leaf or epoch.leaf,
            encryption_key=key.public,
            signature_key=epoch.signer.public,
            source=LeafSource.UPDATE,
            lifetime=None,
            parent_hash=None,
        ).signed(epoch.suite, epoch.signer, self.group_id, epoch.own)
        group, message = self.propose(Update(fresh), entropy, now=now)
        updates = {**group.updates, key.public: OwnUpdate(key, epoch.signer)}
        return replace(group, updates=updates), message

    def commit(
        self,
        proposals: Sequence[Proposal],
        entropy: Entropy,
        *,
        now: int,
        psks: Psks | None = None,
        references: Sequence[bytes] | None = None,
        options: CommitOptions | None = None,
    ) -> tuple[Group, StagedCommit]:
        """(group in the same epoch, the commit). It covers what waits (or the named `references`) and `proposals`.

        Raises:
            GroupClosed: nothing is sent in it any more.
            InvalidChange, MissingPsk: the commit would be refused.
        """
        self._check_open()
        waiting = list(self.proposals) if references is None else references
        items = (*map(ProposalRef, waiting), *proposals)
        ratchets, staged = make_commit(
            self.epoch, self.ratchets, items, self.proposals, self._held(psks), options or CommitOptions(), entropy
        )
        check_added(self.settings, staged, now)
        return replace(self, ratchets=ratchets), staged

    # --- receiving ---

    def receive(self, message: bytes, *, psks: Psks | None = None) -> Received:
        """What a message says.

        Raises:
            WrongGroup, FutureEpoch, StaleEpoch: it is not for now.
            OwnMessage: this member sent it.
            MissingProposal, MissingPsk: a commit names what is not here.
            MlsError: it is refused; see errors.py.
        """
        body = MlsMessage.decode(message).body
        if not isinstance(body, PublicMessage | PrivateMessage):
            raise InvalidChange("a message is none of a group's")
        head = body.content if isinstance(body, PublicMessage) else body
        if not check_place(self.epoch.context, head.group_id, head.epoch):
            if isinstance(body, PublicMessage):
                raise StaleEpoch("a message is of an epoch that is over")
            return self._received_late(body)
        if self.removed and not (isinstance(body, PrivateMessage) and body.content_type is ContentType.APPLICATION):
            raise StaleEpoch("this member is no longer in the group")
        if isinstance(body, PublicMessage):
            opened = open_public(self.epoch, self.ratchets, body)
        else:
            opened = open_private(PresentEpoch(self.epoch, self.ratchets), body)
        return self._received(opened, psks)

    def was_put_back(self, message: bytes) -> bool | None:
        """Whether another copy of this state sent a message of this member's (receiving.was_sent_by_a_copy)."""
        body = MlsMessage.decode(message).body
        if not isinstance(body, PrivateMessage) or body.epoch != self.number:
            return False
        return was_sent_by_a_copy(PresentEpoch(self.epoch, self.ratchets), body)

    def accept(self, staged: StagedCommit) -> Group:
        """The group after a commit. What waited for the old epoch is gone; its message keys stay for late messages.

        Raises StaleEpoch when the commit was staged on another epoch than this one.
        """
        if staged.base != self.epoch.context or self.removed:
            raise StaleEpoch("a commit is for another epoch")
        if staged.epoch is None or staged.ratchets is None:
            return replace(self, proposals={}, updates={}, removed=True)
        past = (PastEpoch.of(self.epoch, self.ratchets), *self.past)[: self.settings.past_epochs]
        begun = Group(staged.epoch, staged.ratchets, self.settings, past=past, resumption=self.resumption)
        return begun._with_resumption()

    def drop_proposals(self) -> Group:
        """The group without the proposals that wait: the application found that they may not be committed."""
        return replace(self, proposals={}, updates={})

    # --- inside ---

    def _held(self, psks: Psks | None) -> Psks:
        return (psks or Psks()).with_resumption(self.resumption)

    def _check_open(self) -> None:
        if self.removed or self.epoch.reinit is not None:
            raise GroupClosed("this group is closed")

    def _send(
        self, content: bytes | Proposal, entropy: Entropy, authenticated_data: bytes, padding: int
    ) -> tuple[Group, bytes, AuthenticatedContent]:
        epoch, wire_format = self.epoch, WireFormat.PRIVATE_MESSAGE
        sender = Sender(SenderType.MEMBER, epoch.own)
        framed = FramedContent(self.group_id, self.number, sender, authenticated_data, content)
        signature = sign_content(epoch.suite, epoch.signer, wire_format, framed, epoch.context)
        signed = AuthenticatedContent(wire_format, framed, AuthData(signature))
        secret = epoch.secrets.sender_data_secret
        ratchets, private = protect_private(epoch.suite, secret, self.ratchets, signed, entropy, padding)
        return replace(self, ratchets=ratchets), MlsMessage(private).encode(), signed

    def _with_proposal(self, message: AuthenticatedContent) -> Group:
        content = message.content
        assert isinstance(content.content, Proposal)
        if len(self.proposals) >= MAX_PROPOSALS:
            raise TooLarge("too many proposals wait")
        reference = self.epoch.suite.reference(b"MLS 1.0 Proposal Reference", message.encode())
        return replace(self, proposals={**self.proposals, reference: SentProposal(content.content, content.sender)})

    def _received(self, opened: Opened, psks: Psks | None) -> Received:
        content = opened.message.content
        group, authenticated_data = replace(self, ratchets=opened.ratchets), content.authenticated_data
        if isinstance(content.content, bytes):
            member = Member.of(content.sender.index, self.epoch.tree.leaf(content.sender.index))
            return ApplicationReceived(
                group, member, content.content, authenticated_data, content.epoch, opened.generation
            )
        if isinstance(content.content, Commit):
            staged = check_commit(self.epoch, opened.message, self.proposals, self.updates, self._held(psks))
            check_added(self.settings, staged)
            return CommitReceived(group, staged, authenticated_data)
        check_proposal(self.epoch, self.settings, content.content, content.sender)
        waiting = group._with_proposal(opened.message)
        reference = list(waiting.proposals)[-1]
        return ProposalReceived(waiting, waiting.proposals[reference], reference, authenticated_data)

    def _received_late(self, message: PrivateMessage) -> ApplicationReceived:
        place, opened = open_late(self.past, message)
        epoch, content = self.past[place], opened.message.content
        assert isinstance(content.content, bytes)
        past = (*self.past[:place], replace(epoch, ratchets=opened.ratchets), *self.past[place + 1 :])
        member = epoch.members[content.sender.index]
        return ApplicationReceived(
            replace(self, past=past),
            member,
            content.content,
            content.authenticated_data,
            content.epoch,
            opened.generation,
        )
