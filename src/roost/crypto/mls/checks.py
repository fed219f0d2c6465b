"""What can be told of a proposal before it is committed, and how long key packages may live (RFC 9420 7.2, 7.3, 12.1).

A lifetime's *length* is checked by everyone, always with the same result. Whether it is over is checked only by who
adds: members who were offline apply old commits later, and clocks differ, so receivers would not agree.
"""

from __future__ import annotations

from roost.crypto.mls.changes import StagedCommit
from roost.crypto.mls.epoch import Epoch
from roost.crypto.mls.errors import InvalidChange
from roost.crypto.mls.framing import Sender, SenderType
from roost.crypto.mls.leaf import LeafNode
from roost.crypto.mls.proposal_list import check_update
from roost.crypto.mls.proposals import Add, PreSharedKey, Proposal, Remove, Update
from roost.crypto.mls.results import Settings


def check_lifetime(settings: Settings, leaf: LeafNode, now: int | None = None) -> None:
    """Raises InvalidChange when a key package's leaf lives too long or, given `now` in seconds, is not valid then."""
    lifetime, limit = leaf.lifetime, settings.max_lifetime_s
    if lifetime is None:
        return
    if limit is not None and lifetime.not_after - lifetime.not_before > limit:
        raise InvalidChange("a key package's lifetime is too long")
    if now is not None:
        lifetime.check(now)


def check_added(settings: Settings, staged: StagedCommit, now: int | None = None) -> None:
    """`check_lifetime` for everyone whom a commit adds by a key package."""
    for sent in staged.changes.proposals:
        if isinstance(sent.proposal, Add):
            check_lifetime(settings, sent.proposal.key_package.leaf, now)


def check_proposal(epoch: Epoch, settings: Settings, proposal: Proposal, sender: Sender) -> None:
    """Raises InvalidChange or NotAuthentic for what no commit could cover."""
    match proposal:
        case Add(package):
            package.check(epoch.suite)
            check_lifetime(settings, package.leaf)
        case Update(leaf) if sender.type is SenderType.MEMBER:
            check_update(epoch.suite, epoch.context, epoch.tree, sender.index, leaf)
        case Update():
            raise InvalidChange("an update is not a member's")
        case Remove(removed):
            epoch.tree.leaf(removed)
        case PreSharedKey(psk):
            psk.check(epoch.suite)
