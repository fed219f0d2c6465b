"""What a commit does, for the application to judge before it accepts it."""

from __future__ import annotations

from dataclasses import dataclass

from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.epoch import Epoch, Member
from roost.crypto.mls.leaf import Extensions
from roost.crypto.mls.proposal_list import ProposalList, SentProposal
from roost.crypto.mls.proposals import ReInit
from roost.crypto.mls.psk import PskId
from roost.crypto.mls.secret_tree import SecretTree
from roost.crypto.mls.tree import RatchetTree
from roost.crypto.secret import Secret


@dataclass(frozen=True)
class Changes:
    """Who came, went and changed. Whether they *may* is the application's to decide: credentials, roles, permissions.

    `committer` is the author as the new epoch has it (an external commit's is also among `added`); `updated` pairs each
    member whose leaf is another one with what it was.
    """

    committer: Member
    external: bool
    added: tuple[Member, ...]
    removed: tuple[Member, ...]
    updated: tuple[tuple[Member, Member], ...]
    proposals: tuple[SentProposal, ...]
    extensions: Extensions | None  # the group's new ones, when they changed
    psks: tuple[PskId, ...]
    reinit: ReInit | None


def describe(
    before: RatchetTree,
    after: RatchetTree,
    committer: int,
    external: bool,
    added: tuple[int, ...],
    sent: list[SentProposal],
    proposals: ProposalList,
) -> Changes:
    """The changes from one tree to the next."""
    new = (*added, committer) if external else added
    touched = sorted({*(index for index, _ in proposals.updates), *(() if external else (committer,))})
    return Changes(
        Member.of(committer, after.leaf(committer)),
        external,
        tuple(Member.of(index, after.leaf(index)) for index in new),
        tuple(Member.of(index, before.leaf(index)) for index in proposals.removes),
        tuple(
            (Member.of(index, before.leaf(index)), Member.of(index, after.leaf(index)))
            for index in touched
            if before.leaf(index) != after.leaf(index)
        ),
        tuple(sent),
        proposals.extensions[0] if proposals.extensions else None,
        tuple(proposals.psks),
        proposals.reinit,
    )


@dataclass(frozen=True, repr=False)
class StagedCommit(Secret):
    """A commit that was made or checked, and is not in force: `Group.accept` puts it there, dropping it undoes it.

    `base` is the context of the epoch that it ends. `epoch` is None when it removes this member. `message` (and
    `welcome`, for all who are added) are an own commit's bytes: the Welcome goes out once the commit was accepted.
    """

    base: GroupContext
    epoch: Epoch | None
    ratchets: SecretTree | None
    changes: Changes
    message: bytes = b""
    welcome: bytes | None = None

    @property
    def removes_this_member(self) -> bool:
        return self.epoch is None
