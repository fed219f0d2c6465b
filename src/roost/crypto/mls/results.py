"""What a group is set to, and what receiving a message gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from roost.crypto.mls.changes import StagedCommit
from roost.crypto.mls.epoch import Member
from roost.crypto.mls.proposal_list import SentProposal
from roost.crypto.secret import Secret

if TYPE_CHECKING:
    from roost.crypto.mls.group import Group

MAX_PROPOSALS: Final = 2_000  # that wait to be committed; more than a group of 1,000 has reason for
_DAY_S: Final = 24 * 60 * 60


@dataclass(frozen=True)
class Settings:
    """What an application chooses. All members of a group should choose the same `max_lifetime_s`.

    `past_epochs`: how many epochs' keys are kept for late messages. `resumption_epochs`: how many epochs' resumption
    PSKs are kept. `max_lifetime_s`: the longest lifetime of a key package in seconds, None for any.
    """

    past_epochs: int = 3
    resumption_epochs: int = 8
    max_lifetime_s: int | None = 100 * _DAY_S


@dataclass(frozen=True, repr=False)
class ApplicationReceived(Secret):
    """A member's message. `generation` counts the sender's messages of that epoch; a gap is one not seen yet."""

    group: Group
    sender: Member
    data: bytes
    authenticated_data: bytes
    epoch: int
    generation: int


@dataclass(frozen=True, repr=False)
class ProposalReceived(Secret):
    """A proposal that now waits for a commit, under its reference."""

    group: Group
    proposal: SentProposal
    reference: bytes
    authenticated_data: bytes


@dataclass(frozen=True, repr=False)
class CommitReceived(Secret):
    """A commit that is valid by the RFC's rules. `group` is the old epoch still: accept `staged` there, or drop it."""

    group: Group
    staged: StagedCommit
    authenticated_data: bytes


Received = ApplicationReceived | ProposalReceived | CommitReceived
