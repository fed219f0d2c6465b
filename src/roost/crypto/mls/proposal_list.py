"""Which proposals a commit may cover, and what they do to tree and extensions (RFC 9420 sections 12.2 and 12.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.errors import InvalidChange, MissingProposal
from roost.crypto.mls.extensions import external_senders
from roost.crypto.mls.framing import Sender, SenderType
from roost.crypto.mls.key_package import KeyPackage
from roost.crypto.mls.leaf import MLS10, Extensions, LeafNode, LeafSource
from roost.crypto.mls.proposals import (
    PATH_REQUIRED,
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalOrRef,
    ProposalRef,
    ReInit,
    Remove,
    Update,
)
from roost.crypto.mls.psk import PskId
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.mls.tree import RatchetTree


@dataclass(frozen=True)
class SentProposal:
    """A proposal and who made it."""

    proposal: Proposal
    sender: Sender


def resolve(
    items: Iterable[ProposalOrRef], known: Mapping[bytes, SentProposal], committer: Sender
) -> list[SentProposal]:
    """A commit's items with references looked up. Raises MissingProposal."""
    found = []
    for item in items:
        if isinstance(item, ProposalRef):
            if item.hash not in known:
                raise MissingProposal("a commit names a proposal that is not here")
            found.append(known[item.hash])
        else:
            found.append(SentProposal(item, committer))
    return found


@dataclass
class ProposalList:
    """Proposals by kind, in the order of the commit."""

    adds: list[KeyPackage] = field(default_factory=list)
    updates: list[tuple[int, LeafNode]] = field(default_factory=list)
    removes: list[int] = field(default_factory=list)
    psks: list[PskId] = field(default_factory=list)
    reinits: list[ReInit] = field(default_factory=list)
    external_inits: list[bytes] = field(default_factory=list)
    extensions: list[Extensions] = field(default_factory=list)
    path_required: bool = True

    @classmethod
    def of(cls, sent: Sequence[SentProposal]) -> ProposalList:
        """Raises InvalidChange for an update that no member made."""
        result = cls(path_required=not sent)
        for item in sent:
            result.path_required |= isinstance(item.proposal, PATH_REQUIRED)
            result._put(item)
        return result

    def _put(self, item: SentProposal) -> None:
        match item.proposal:
            case Add(package):
                self.adds.append(package)
            case Update(leaf):
                if item.sender.type is not SenderType.MEMBER:
                    raise InvalidChange("an update is not a member's")
                self.updates.append((item.sender.index, leaf))
            case Remove(removed):
                self.removes.append(removed)
            case PreSharedKey(psk):
                self.psks.append(psk)
            case ReInit():
                self.reinits.append(item.proposal)
            case ExternalInit(kem_output):
                self.external_inits.append(kem_output)
            case GroupContextExtensions(extensions):
                self.extensions.append(extensions)

    @property
    def reinit(self) -> ReInit | None:
        return self.reinits[0] if self.reinits else None

    def check_for_member(self, suite: CipherSuite, committer: int, *, first_commit: bool = False) -> None:
        """The rules for a member's commit. `first_commit`: of a group that continues another one (11.2, 11.3).

        Raises InvalidChange.
        """
        leaves = [index for index, _ in self.updates] + self.removes
        others = self.adds or leaves or self.psks or self.external_inits or self.extensions
        if committer in leaves:
            raise InvalidChange("a commit updates or removes its own author by proposal")
        if len(set(leaves)) != len(leaves):
            raise InvalidChange("a commit changes one leaf twice")
        if len(self.extensions) > 1 or len(self.reinits) > 1 or self.external_inits:
            raise InvalidChange("a commit's proposals do not go together")
        if self.reinits and others:
            raise InvalidChange("a reinitialisation goes with no other proposal")
        if any(reinit.version < MLS10 for reinit in self.reinits):
            raise InvalidChange("a reinitialisation goes back to an older version")
        self._check_psks(suite, first_commit)

    def check_for_newcomer(self, suite: CipherSuite) -> None:
        """The rules for an external commit. Raises InvalidChange."""
        forbidden = self.adds or self.updates or self.reinits or self.extensions
        if len(self.external_inits) != 1 or len(self.removes) > 1 or forbidden:
            raise InvalidChange("an external commit's proposals do not go together")
        self._check_psks(suite, False)

    def _check_psks(self, suite: CipherSuite, first_commit: bool) -> None:
        encoded = {psk.encode() for psk in self.psks}
        if len(encoded) != len(self.psks):
            raise InvalidChange("a commit uses a pre-shared key twice")
        for psk in self.psks:
            if first_commit:
                psk.check_nonce(suite)
            else:
                psk.check(suite)


@dataclass(frozen=True)
class Changed:
    """Tree and extensions with a list applied, and where the new members are."""

    tree: RatchetTree
    extensions: Extensions
    added: tuple[int, ...]
    changed: tuple[int, ...] | None  # the leaves that may be at odds with the group; None for all


def apply_list(suite: CipherSuite, context: GroupContext, tree: RatchetTree, proposals: ProposalList) -> Changed:
    """Applies a checked list to copies (section 12.3).

    Raises:
        InvalidChange: a proposal does not fit the tree.
        NotAuthentic: a leaf's signature does not verify.
    """
    tree = tree.copy()
    extensions = proposals.extensions[0] if proposals.extensions else context.extensions
    if proposals.extensions:
        external_senders(extensions)  # must parse: proposals from outside depend on it
    for index, leaf in proposals.updates:
        check_update(suite, context, tree, index, leaf)
        tree.update(index, leaf)
    for index in proposals.removes:
        tree.remove(index)
    tree.truncate()
    added = []
    for package in proposals.adds:
        package.check(suite)
        added.append(tree.add(package.leaf))
    updated = tuple(index for index, _ in proposals.updates)
    changed = None if proposals.extensions else (*updated, *added)
    return Changed(tree, extensions, tuple(added), changed)


def check_update(suite: CipherSuite, context: GroupContext, tree: RatchetTree, index: int, leaf: LeafNode) -> None:
    """Sections 7.3 and 12.1.2. Raises InvalidChange or NotAuthentic."""
    before = tree.leaf(index)
    if leaf.source is not LeafSource.UPDATE or leaf.encryption_key == before.encryption_key:
        raise InvalidChange("an update keeps the key or is none")
    leaf.check(suite, context.group_id, index)
