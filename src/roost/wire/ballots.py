"""What the authorities of an onion network show each other to agree on a consensus (relay.core.ballots).

Answers to `GetBallots`: part 0 is a `BallotBox`, the parts after it are the encoded votes that it names.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from roost.wire.addresses import NetworkId
from roost.wire.codec import OutOfBounds, Record
from roost.wire.mailbox import Hash, NodeKey
from roost.wire.onion import MAX_AUTHORITIES, MAX_NODES, AuthoritySignature, Period, SignedDescriptor
from roost.wire.sizes import HASH_SIZE


class VotedNode(Record, frozen=True):
    """A node's own descriptor, and how many of this authority's attempts reached it, per mille."""

    descriptor: SignedDescriptor
    live: Annotated[int, Meta(ge=0, le=1_000)]


class DirectoryVote(Record, frozen=True):
    """What one authority says for the consensus of `period`. `previous`: the hash of the newest consensus that it has,
    or zeros. `commitment` is to 32 bytes that it will reveal after this consensus; `reveal` is what it committed to in
    `previous`, or empty. Nodes ascend by key."""

    network: NetworkId
    period: Period
    authority: NodeKey
    previous: Hash
    commitment: Hash
    reveal: Annotated[bytes, Meta(max_length=HASH_SIZE)]
    nodes: Annotated[tuple[VotedNode, ...], Meta(max_length=MAX_NODES)]

    def __post_init__(self) -> None:
        if len(self.reveal) not in (0, HASH_SIZE):
            raise OutOfBounds("a reveal has 32 bytes")


class Ballot(Record, frozen=True):
    """That an authority voted: the hash of its encoded `DirectoryVote`, with the signatures (crypto label ONION_VOTE)
    of that authority and of those who saw it in time. The vote itself is parts `first` to `first + parts - 1`; no parts
    are named where only the contradiction to another vote counts."""

    authority: NodeKey
    vote: Hash
    first: Annotated[int, Meta(ge=0, le=65_536)]
    parts: Annotated[int, Meta(ge=0, le=256)]
    signatures: Annotated[tuple[AuthoritySignature, ...], Meta(min_length=1, max_length=MAX_AUTHORITIES)]


class BallotBox(Record, frozen=True):
    """Everything that one authority has seen for the consensus of `period`; then the hash of the consensus that it made
    of that, or nothing, with the signatures over it that it has."""

    network: NetworkId
    period: Period
    ballots: Annotated[tuple[Ballot, ...], Meta(max_length=2 * MAX_AUTHORITIES)]
    consensus: Annotated[bytes, Meta(max_length=HASH_SIZE)] = b""
    signatures: Annotated[tuple[AuthoritySignature, ...], Meta(max_length=MAX_AUTHORITIES)] = ()

    def __post_init__(self) -> None:
        if len(self.consensus) not in (0, HASH_SIZE):
            raise OutOfBounds("a hash has 32 bytes")
