"""Onion networks: their directory, where a mailbox lies in them, and what travels inside packets.

A network is named by the hash of its document. Each period its authorities sign a consensus: the nodes with their
packet keys, and a shared random value. The nodes that keep a mailbox, its swarm, follow from its place and the
consensus by rendezvous hashing (Thaler & Ravishankar 1998): everybody computes the same, and a node that comes or goes
moves only what it takes or leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nsmallest
from itertools import pairwise
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from roost.crypto.kdf import hash32, hash32_after
from roost.crypto.labels import Label
from roost.wire.addresses import NetworkId, RelayAddress
from roost.wire.codec import OutOfBounds, Record, TextRecord, encode
from roost.wire.mailbox import (
    AttachOnion,
    ChangeGrants,
    Count,
    Create,
    Delete,
    DeleteCard,
    DirectoryPart,
    Get,
    GetBlob,
    GetCard,
    Hash,
    NodeKey,
    Put,
    PutBlob,
    PutCard,
    Request,
    Seal,
    Subscribe,
    Trim,
)
from roost.wire.sizes import (
    DIRECTORY_PART,
    MAX_NAME,
    MAX_PERIOD_S,
    MAX_REPLY_BLOCK,
    ONION_PAYLOAD,
    ONION_ZEROS,
    PLACE_SIZE,
)

MAX_AUTHORITIES = 16
MAX_NODES = 2_500  # of a network; a vote on so many descriptors still fits MAX_CONSENSUS
MAX_CONSENSUS = 16 * 1024**2
MAX_ADMISSION_BITS = 20  # of work for a mailbox or a card: clients do no more, whatever a node asks for
KEYS_AHEAD = 4  # packet keys in a descriptor: of its period, the next, whose consensus is made of it, and two more
USABLE_PERIODS = 2  # how long a consensus is good for beyond its own period
MAX_PARTS = 32  # of a message in a session: the largest answer with room to spare
SESSION_SIZE = 16

Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Period = Count


# --- directory ------------------------------------------------------------------------------------------------------


class AuthorityAddress(Record, frozen=True):
    """One of those who sign the consensus: its Ed25519 key is that of `address`, a relay that runs the directory."""

    address: RelayAddress

    @property
    def key(self) -> bytes:
        return self.address.key


class NetworkDocument(TextRecord, frozen=True):
    """What never changes of a network. `replicas` nodes keep each mailbox, and `quorum` of them, more than half, must
    have an envelope before it is acknowledged. Periods have `period_s` seconds and are counted since 1970."""

    name: Annotated[str, Meta(max_length=MAX_NAME)]
    authorities: Annotated[tuple[AuthorityAddress, ...], Meta(min_length=1, max_length=MAX_AUTHORITIES)]
    threshold: Annotated[int, Meta(ge=1, le=MAX_AUTHORITIES)]
    period_s: Annotated[int, Meta(ge=2, le=MAX_PERIOD_S)] = 3_600
    replicas: Annotated[int, Meta(ge=1, le=9)] = 3
    quorum: Annotated[int, Meta(ge=1, le=9)] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        keys = [authority.key for authority in self.authorities]
        if keys != sorted(set(keys)):
            raise OutOfBounds("authorities ascend by their keys")
        if not len(keys) // 2 < self.threshold <= len(keys):
            raise OutOfBounds("more than half of the authorities must sign, and no more than there are")
        if not self.replicas // 2 < self.quorum <= self.replicas:
            raise OutOfBounds("a quorum is more than half of the replicas")

    @property
    def id(self) -> bytes:
        """32 bytes that name the network."""
        return hash32(Label.ONION_NETWORK, encode(self))

    def period(self, now: float) -> int:
        return int(now) // self.period_s


class PeriodKey(Record, frozen=True):
    """A node's packet key (X-Wing public key, crypto.packets.PacketPublic) of one period."""

    period: Period
    public: Annotated[bytes, Meta(min_length=1_216, max_length=1_216)]


PeriodKeys = Annotated[tuple[PeriodKey, ...], Meta(min_length=1, max_length=KEYS_AHEAD)]
Operator = Annotated[str, Meta(max_length=64)]


class NodeDescriptor(TextRecord, frozen=True):
    """What a node says of itself for `period`. `operator`: who runs it, so that no path takes two of one hand."""

    network: NetworkId
    period: Period
    address: RelayAddress
    operator: Operator
    keys: PeriodKeys

    def __post_init__(self) -> None:
        super().__post_init__()
        if [key.period for key in self.keys] != [self.period + ahead for ahead in range(len(self.keys))]:
            raise OutOfBounds("keys are of the period and those that follow")


class SignedDescriptor(Record, frozen=True):
    """An encoded `NodeDescriptor` and the node's signature over it (crypto label ONION_NODE)."""

    descriptor: Annotated[bytes, Meta(max_length=6_144)]
    signature: Signature


class ConsensusNode(TextRecord, frozen=True):
    """A node as the authorities agreed. `salt` is empty in the first period that lists it; then the shared random value
    of the period after that, which was not known when the node's key was made: nobody can make a key that lands in a
    swarm of their choice. It stays while the node is listed, so swarms stay. `live`: the share of the authorities'
    attempts that reached it, per mille."""

    address: RelayAddress
    operator: Operator
    keys: PeriodKeys
    since: Period
    salt: Annotated[bytes, Meta(max_length=32)]
    live: Annotated[int, Meta(ge=0, le=1_000)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.salt) not in (0, 32):
            raise OutOfBounds("a salt has 32 bytes")

    @property
    def key(self) -> bytes:
        """The node's Ed25519 identity, by which it is named."""
        return self.address.key

    def packet_key(self, period: int) -> bytes | None:
        """Its public packet key of this period, 1,216 bytes."""
        return next((key.public for key in self.keys if key.period == period), None)


class Commitment(Record, frozen=True):
    """An authority's hash (crypto label ONION_COMMIT) of the 32 random bytes that it will reveal in its next vote."""

    authority: NodeKey
    hash: Hash


class Consensus(Record, frozen=True):
    """The network in one period. `previous` is the hash of the consensus before it (zeros for the first).
    `shared_random` follows from what the authorities reveal that they committed to there; `commitments` are for the
    next one. Nodes and commitments ascend by key."""

    network: NetworkId
    period: Period
    previous: Hash
    shared_random: Hash
    nodes: Annotated[tuple[ConsensusNode, ...], Meta(max_length=MAX_NODES)]
    commitments: Annotated[tuple[Commitment, ...], Meta(max_length=MAX_AUTHORITIES)] = ()

    def __post_init__(self) -> None:
        _check_ascending([node.key for node in self.nodes])
        _check_ascending([commitment.authority for commitment in self.commitments])

    @property
    def id(self) -> bytes:
        """32 bytes: what the next one names as `previous`."""
        return hash32(Label.ONION_CONSENSUS, encode(self))

    def node(self, key: bytes) -> ConsensusNode | None:
        return next((node for node in self.nodes if node.key == key), None)


class AuthoritySignature(Record, frozen=True):
    authority: NodeKey
    signature: Signature


class SignedConsensus(Record, frozen=True):
    """An encoded `Consensus` and authorities' signatures over it (crypto label ONION_CONSENSUS), ascending by key."""

    consensus: Annotated[bytes, Meta(min_length=1, max_length=MAX_CONSENSUS)]
    signatures: Annotated[tuple[AuthoritySignature, ...], Meta(max_length=MAX_AUTHORITIES)]


def _check_ascending(keys: list[bytes]) -> None:
    if any(after <= before for before, after in pairwise(keys)):
        raise OutOfBounds("keys ascend, each once")


def directory_part(document: bytes, part: int) -> DirectoryPart | None:
    """Part `part`, counted from 0, of an encoded document; None beyond its end."""
    parts = max(1, -(-len(document) // DIRECTORY_PART))
    if part >= parts:
        return None
    return DirectoryPart(document[part * DIRECTORY_PART : (part + 1) * DIRECTORY_PART], parts)


# --- where a mailbox lies -------------------------------------------------------------------------------------------


def place_of(request: Request) -> bytes | None:
    """The 16 bytes that say which swarm a request concerns; None for one that any node answers."""
    match request:
        case Put() | PutBlob():
            return request.put[:PLACE_SIZE]
        case Get() | Subscribe() | GetBlob():
            return request.get[:PLACE_SIZE]
        case Trim() | Seal() | Delete() | ChangeGrants():
            return request.admin[:PLACE_SIZE]
        case Create():
            return request.place or None
        case PutCard() | GetCard() | DeleteCard():
            return request.locator[:PLACE_SIZE]
        case _:
            return None


def ranked(nodes: Iterable[ConsensusNode], place: bytes) -> list[ConsensusNode]:
    """The nodes that can keep a mailbox, those first that are to keep the one at `place`."""
    rank = rank_at(place)
    return sorted((node for node in nodes if node.salt), key=lambda node: rank(node.key + node.salt))


def swarm_of(consensus: Consensus, place: bytes, replicas: int) -> list[ConsensusNode]:
    """The `replicas` nodes that keep the mailbox at `place`, best first."""
    rank = rank_at(place)
    salted = (node for node in consensus.nodes if node.salt)
    return nsmallest(replicas, salted, key=lambda node: rank(node.key + node.salt))


def rank_at(place: bytes) -> Callable[[bytes], bytes]:
    """Who is to keep the mailbox at `place`: of the nodes, each its key and its salt, those with the least ranks."""
    return hash32_after(Label.ONION_RANK, place)


Worked = Create | PutCard | AttachOnion
"""What is admitted for work."""


def admission_hash(request: Worked) -> bytes:
    """What a proof of work that admits this request is about (32 bytes). On an onion network there is no access secret:
    who makes a mailbox or a new card, or wants packets carried, is asked for work (`work_needed`), and repeats the
    request with the 8-byte proof as its `admission`: crypto.solve_work(challenge.nonce, node, admission_hash(request),
    challenge.bits). The nonce is the beginning of the consensus's shared random value; a proof is taken in this period
    and the next, one for a token by the `node` alone with this key, the others by all nodes (32 zeros).
    """
    return hash32(Label.ONION_ADMISSION, encode(replace(request, admission=b"")))


# --- inside packets -------------------------------------------------------------------------------------------------

Session = Annotated[bytes, Meta(min_length=SESSION_SIZE, max_length=SESSION_SIZE)]
ReplyBlock = Annotated[bytes, Meta(min_length=1, max_length=MAX_REPLY_BLOCK)]
Part = Annotated[bytes, Meta(max_length=ONION_PAYLOAD - ONION_ZEROS)]


class SessionUp(Record, frozen=True):
    """From a client to the node at the end of its path. `session` is random and known to these two alone. `data` is
    part `part` of the `parts` parts of one encoded `Call`, or empty; `message` tells messages apart. `blocks` are reply
    blocks for the node to answer and deliver with."""

    session: Session
    message: Count
    part: Annotated[int, Meta(ge=0, lt=MAX_PARTS)]
    parts: Annotated[int, Meta(ge=1, le=MAX_PARTS)]
    data: Part
    blocks: Annotated[tuple[ReplyBlock, ...], Meta(max_length=2)] = ()


class SessionDown(Record, frozen=True):
    """Back over a reply block: part of one encoded `ServerFrame`. `message` counts the frames of this session from 1;
    `left`: how many reply blocks the node has left, this one not counted."""

    session: Session
    message: Count
    part: Annotated[int, Meta(ge=0, lt=MAX_PARTS)]
    parts: Annotated[int, Meta(ge=1, le=MAX_PARTS)]
    data: Part
    left: Count
