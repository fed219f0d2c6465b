"""Targets of onion networks' directories: descriptors, votes, ballot boxes, documents and consensuses.

Who writes them holds keys: a node signs what it likes as its descriptor, an authority what it likes as its vote or,
together with others, as a consensus.
"""

from __future__ import annotations

from functools import cache

from fuzz.tools import Target, insist, only
from roost.crypto import Label, SigningKey
from roost.errors import WireError
from roost.network.onion.directory import Directory, DirectoryRefused, read_document
from roost.relay.core.ballots import Ballots, rounds_of, vote_hash
from roost.relay.core.directory import BadVote, CountedVote, make_consensus, make_vote, read_descriptor, read_vote
from roost.wire.addresses import RelayAddress
from roost.wire.ballots import BallotBox, VotedNode
from roost.wire.codec import decode, encode
from roost.wire.onion import (
    AuthorityAddress,
    AuthoritySignature,
    Consensus,
    NetworkDocument,
    NodeDescriptor,
    PeriodKey,
    SignedConsensus,
    SignedDescriptor,
    directory_part,
)

PERIOD = 500_000
NOW = PERIOD * 3_600.0
KEYS = sorted((SigningKey.from_seed(bytes([at]) * 32) for at in range(1, 4)), key=lambda key: key.public.raw)
NODE = SigningKey.from_seed(b"n" * 32)
DOCUMENT = NetworkDocument(
    "Fuzz", tuple(AuthorityAddress(RelayAddress("127.0.0.1", 1, key.public.raw)) for key in KEYS), 2
)


def descriptors(data: bytes) -> None:
    """The first byte: as it came, or signed by the node."""
    how, rest = data[:1], data[1:]
    try:
        if how == b"\x01":
            signed = SignedDescriptor(rest, NODE.sign(Label.ONION_NODE, rest))
        else:
            signed = decode(SignedDescriptor, rest)
        found = read_descriptor(signed)
    except (BadVote, WireError):
        return
    insist(encode(found) == signed.descriptor, "a descriptor has two encodings")
    insist(how != b"\x01" or found.address.key == NODE.public.raw, "another node's descriptor was believed")


def votes(data: bytes) -> None:
    try:
        vote = read_vote(DOCUMENT, PERIOD, KEYS[0].public.raw, data)
    except BadVote:
        return
    insist(encode(vote.vote) == data, "a vote has two encodings")
    consensus = make_consensus(DOCUMENT, PERIOD, [vote, honest_vote()], None)
    insist(decode(Consensus, encode(consensus)) == consensus, "a consensus that nobody could read was made")
    insist(consensus == make_consensus(DOCUMENT, PERIOD, [honest_vote(), vote], None), "the order of votes matters")
    honest = {node for node in honest_vote().nodes if node in vote.nodes}
    insist({node.key for node in consensus.nodes} <= honest, "one authority of two listed a node")


def boxes(data: bytes) -> None:
    """The first byte is the round; the box is followed by what it says is a vote."""
    number, rest = (data[0] % 4 if data else 0), data[1:]
    try:
        box = decode(BallotBox, rest)
    except WireError:
        return
    ballots = Ballots(DOCUMENT, PERIOD, KEYS[1])
    ballots.cast(honest_encoded())
    ballots.sign(b"made")
    for ballot in ballots.wanted(box, number):
        insist(0 < ballot.parts <= 256, "a vote without end is wanted")
        insist(number <= rounds_of(DOCUMENT), "a vote is wanted after the last round")
    ballots.take_in(box, {vote_hash(b""): b"", vote_hash(honest_encoded()): honest_encoded()}, number)
    ballots.collect(box)
    insist(decode(BallotBox, encode(ballots.box())) == ballots.box(), "a box that nobody could read was made")
    insist(
        {vote.authority for vote in ballots.counted()} <= {key.public.raw for key in KEYS}, "a stranger's vote counts"
    )
    signed = {made.authority for made in ballots.box().signatures}
    insist(signed == {KEYS[1].public.raw}, "a signature was taken that nobody made")


def documents(data: bytes) -> None:
    with only(DirectoryRefused):
        insist(encode(read_document(DOCUMENT.id, data)) == encode(DOCUMENT), "another network's document was believed")


def consensuses(data: bytes) -> None:
    """The first byte: as it came, signed by too few, or signed by enough."""
    how, rest = data[:1], data[1:]
    if how in (b"\x01", b"\x02") and rest:
        signers = KEYS[: how[0]]
        made = [AuthoritySignature(key.public.raw, key.sign(Label.ONION_CONSENSUS, rest)) for key in signers]
        rest = encode(SignedConsensus(rest, tuple(made)))
    directory = Directory(DOCUMENT)
    with only(DirectoryRefused):
        found = directory.accept(rest, NOW)
        insist(how != b"\x01", "too few signatures were enough")
        insist(directory.accept(rest, NOW) == found, "the same again changes something")
        insist(found.network == DOCUMENT.id, "another network's consensus was believed")
    parts = directory_part(rest, 0)
    insist(parts is not None and parts.data == rest[:65_536], "a directory's first part is another")


@cache
def honest_encoded() -> bytes:
    descriptor = node_descriptor()
    signed = SignedDescriptor(descriptor, NODE.sign(Label.ONION_NODE, descriptor))
    return make_vote(DOCUMENT, PERIOD, KEYS[1], None, [VotedNode(signed, 1_000)])


@cache
def honest_vote() -> CountedVote:
    return read_vote(DOCUMENT, PERIOD, KEYS[1].public.raw, honest_encoded())


@cache
def node_descriptor() -> bytes:
    keys = tuple(PeriodKey(PERIOD - 1 + ahead, bytes(1_216)) for ahead in range(2))
    address = RelayAddress("93.184.216.34", 443, NODE.public.raw)
    return encode(NodeDescriptor(DOCUMENT.id, PERIOD - 1, address, "Ada", keys))


TARGETS = (
    Target("onion-descriptors", descriptors, "only what the node signed, in one encoding; else refused", structured=1),
    Target("onion-votes", votes, "a vote is counted in the same way by all, or by nobody", structured=0),
    Target("onion-boxes", boxes, "only signed votes count, and nothing without end is fetched", structured=1),
    Target("onion-documents", documents, "only the network's own document is believed", structured=0),
    Target("onion-consensuses", consensuses, "only what enough authorities signed is believed", structured=1),
)
