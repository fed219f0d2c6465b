"""From the authorities' votes to an onion network's consensus: deterministic, so that all of them sign the same bytes.

A node is listed when more than half of the counted votes say that it is live, and stays listed for as long as more than
half of them hold a descriptor of it with a packet key for the period: a node that restarts keeps its place in swarms.

Each vote commits to 32 random bytes; the vote after the consensus that holds the commitment reveals them. Nobody knows
the shared random value of a period before that period's votes are cast, and by then the consensus before it has fixed
the keys of all nodes that get their salt from it. What is left: whoever votes last may reveal or not, so c authorities
that act together choose among at most 2^c values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from roost.crypto import Label, SigningKey, VerifyKey
from roost.crypto.kdf import derive32, hash32
from roost.errors import CryptoError, WireError
from roost.relay.core.forwarding import parse_ip
from roost.wire.ballots import DirectoryVote, VotedNode
from roost.wire.codec import decode, encode
from roost.wire.onion import (
    MAX_NODES,
    Commitment,
    Consensus,
    ConsensusNode,
    NetworkDocument,
    NodeDescriptor,
    SignedDescriptor,
)

NO_CONSENSUS = bytes(32)  # in place of the hash of the one before the first
LIVE = 500  # of a thousand attempts
_Listing = tuple[NodeDescriptor, int]


class BadVote(Exception):
    """A vote or descriptor that no honest authority or node makes. `reason` is for logs and tests."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NamedHost(BadVote):
    """A node's address is a name. Who owns one name owns as many as they like, and has them lead where they like."""

    def __init__(self) -> None:
        super().__init__("a node's address is a name")


@dataclass(frozen=True)
class CountedVote:
    """A vote whose every part was checked."""

    vote: DirectoryVote
    nodes: dict[bytes, _Listing]

    @property
    def authority(self) -> bytes:
        return self.vote.authority


# --- reading ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=MAX_NODES)  # every authority's vote holds the same ones
def read_descriptor(signed: SignedDescriptor) -> NodeDescriptor:
    """What a node says of itself. Raises BadVote unless the node signed it, NamedHost if a name stands for its IP
    address: authorities see by that what lies in one place, and clients look up no names of nodes."""
    try:
        descriptor = decode(NodeDescriptor, signed.descriptor)
        VerifyKey(descriptor.address.key).verify(Label.ONION_NODE, signed.descriptor, signed.signature)
    except WireError as error:
        raise BadVote("a descriptor cannot be read") from error
    except CryptoError as error:
        raise BadVote("a descriptor is not signed by its node") from error
    if parse_ip(descriptor.address.host) is None:
        raise NamedHost
    return descriptor


def good_for(descriptor: NodeDescriptor, period: int) -> bool:
    """Whether it holds a packet key for this period."""
    return any(key.period == period for key in descriptor.keys)


def read_vote(document: NetworkDocument, period: int, authority: bytes, data: bytes) -> CountedVote:
    """An authority's vote for the consensus of `period`, of which every authority thinks the same. Raises BadVote."""
    try:
        vote = decode(DirectoryVote, data)
    except WireError as error:
        raise BadVote("a vote cannot be read") from error
    if (vote.network, vote.period, vote.authority) != (document.id, period, authority):
        raise BadVote("a vote for another network or period, or of another authority")
    nodes: dict[bytes, _Listing] = {}
    last = b""
    for voted in vote.nodes:
        descriptor = read_descriptor(voted.descriptor)
        key = descriptor.address.key
        if key <= last:
            raise BadVote("nodes are out of order")
        if descriptor.network != document.id or not good_for(descriptor, period):
            raise BadVote("a descriptor of another network or period")
        nodes[key], last = (descriptor, voted.live), key
    return CountedVote(vote, nodes)


# --- voting -----------------------------------------------------------------------------------------------------------


def secret_of(key: SigningKey, network: bytes, period: int) -> bytes:
    """The 32 bytes that this authority commits to in its vote for `period`. They follow from its key, so a restart
    changes nothing, and look random to all others."""
    return derive32(Label.ONION_REVEAL, key.to_bytes(), network + _number(period))


def commitment_to(network: bytes, authority: bytes, secret: bytes) -> bytes:
    """It names the authority, so that nobody can take over another's commitment and then its reveal."""
    return hash32(Label.ONION_COMMIT, network, authority, secret)


def make_vote(
    document: NetworkDocument, period: int, key: SigningKey, previous: Consensus | None, nodes: Iterable[VotedNode]
) -> bytes:
    """This authority's encoded vote for the consensus of `period`. Nodes without a packet key for it are left out."""
    network, own = document.id, key.public.raw
    usable = {read_descriptor(node.descriptor).address.key: node for node in nodes if _usable(node, network, period)}
    reveal = b""
    if previous is not None and any(made.authority == own for made in previous.commitments):
        reveal = secret_of(key, network, previous.period)
    return encode(
        DirectoryVote(
            network,
            period,
            own,
            NO_CONSENSUS if previous is None else previous.id,
            commitment_to(network, own, secret_of(key, network, period)),
            reveal,
            tuple(usable[node] for node in sorted(usable)[:MAX_NODES]),
        )
    )


def _usable(node: VotedNode, network: bytes, period: int) -> bool:
    descriptor = read_descriptor(node.descriptor)
    return descriptor.network == network and good_for(descriptor, period)


# --- counting ---------------------------------------------------------------------------------------------------------


def named_previous(votes: Iterable[CountedVote]) -> bytes:
    """The hash of the consensus that most votes build on."""
    counted = Counter(vote.vote.previous for vote in votes)
    return max(counted, key=lambda named: (counted[named], named), default=NO_CONSENSUS)


def make_consensus(
    document: NetworkDocument, period: int, votes: Sequence[CountedVote], previous: Consensus | None
) -> Consensus:
    """What these votes decide; `previous` is the consensus that `named_previous` names, None for none.

    Raises:
        BadVote: too few votes for a consensus.
    """
    if len(votes) < document.threshold:
        raise BadVote("too few votes")
    votes = sorted(votes, key=lambda vote: vote.authority)
    reveals = _reveals(document, votes, previous)
    id_ = NO_CONSENSUS if previous is None else previous.id
    told = b"".join(authority + secret for authority, secret in reveals)
    shared = hash32(Label.ONION_RANDOM, document.id, _number(period), id_, told)
    salt = shared if len(reveals) >= document.threshold else b""  # with fewer, it might be known too early
    before = {} if previous is None else {node.key: node for node in previous.nodes}
    keys = sorted({key for vote in votes for key in vote.nodes}, key=lambda key: (key not in before, key))
    nodes = [_listed(period, votes, key, before.get(key), salt) for key in keys]
    listed = sorted([node for node in nodes if node is not None][:MAX_NODES], key=lambda node: node.key)
    commitments = tuple(Commitment(vote.authority, vote.vote.commitment) for vote in votes)
    return Consensus(document.id, period, id_, shared, tuple(listed), commitments)


def _reveals(
    document: NetworkDocument, votes: Sequence[CountedVote], previous: Consensus | None
) -> list[tuple[bytes, bytes]]:
    """What authorities revealed that they had committed to, by their keys."""
    if previous is None:
        return []
    committed = {made.authority: made.hash for made in previous.commitments}
    return [
        (vote.authority, vote.vote.reveal)
        for vote in votes
        if vote.vote.reveal
        and committed.get(vote.authority) == commitment_to(document.id, vote.authority, vote.vote.reveal)
    ]


def _listed(
    period: int, votes: Sequence[CountedVote], key: bytes, before: ConsensusNode | None, salt: bytes
) -> ConsensusNode | None:
    """The node as the consensus lists it, or None."""
    found = [vote.nodes[key] for vote in votes if key in vote.nodes]
    live = sorted([share for _, share in found] + [0] * (len(votes) - len(found)))
    majority = len(votes) // 2 + 1
    reached = sum(share >= LIVE for share in live)
    if reached < majority and (before is None or len(found) < majority):
        return None
    descriptor = _newest([descriptor for descriptor, _ in found])
    return ConsensusNode(
        descriptor.address,
        descriptor.operator,
        tuple(made for made in descriptor.keys if made.period >= period),
        period if before is None else before.since,
        b"" if before is None else before.salt or salt,
        live[(len(live) - 1) // 2],
    )


def _newest(descriptors: Sequence[NodeDescriptor]) -> NodeDescriptor:
    """Of the newest period; of these the one that most hold, then by their bytes."""
    counted = Counter(encode(descriptor) for descriptor in descriptors)
    by_bytes = {encode(descriptor): descriptor for descriptor in descriptors}
    return by_bytes[max(counted, key=lambda data: (by_bytes[data].period, counted[data], data))]


def _number(period: int) -> bytes:
    return period.to_bytes(8)
