"""The mailbox protocol: what a client asks of a relay, one relay of another, and what comes back.

A link carries frames (wire.frames). After the secure link stands, the relay speaks first with `Hello`; from then on the
client sends `Call`s and the relay answers each with one `Reply` of the same id, in any order, and pushes `Delivery`s.
Capabilities are 32 random bytes chosen by the client; at `create` and `grant` only their hashes travel and are stored.
"""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from roost.wire import fields
from roost.wire.addresses import Capability, NetworkId, RelayAddress, RelayKey
from roost.wire.codec import Extensions, OutOfBounds, Record, TextRecord, check_extensions
from roost.wire.sizes import (
    DIRECTORY_PART,
    HASH_SIZE,
    MAX_CARD_SIZE,
    MAX_FRAME,
    MAX_HOLDS,
    ONION_PACKET_SIZE,
    ONION_PAYLOAD,
    PAGE_ENTRIES,
    PLACE_SIZE,
)

PROTOCOL_VERSION = 1

Blob = fields.Blob
BlobId = fields.BlobId
CallId = fields.CallId
Count = fields.Count
Envelope = fields.Envelope
Hash = fields.Hash
Hold = fields.Hold
Locator = fields.Locator
MailboxKind = fields.MailboxKind
NodeKey = fields.NodeKey
Place = fields.Place
RefusalCode = fields.RefusalCode
ReplyId = fields.ReplyId
Right = fields.Right
Secret = fields.Secret
SwarmBody = fields.SwarmBody
Token = fields.Token


class Grant(Record, frozen=True):
    """Gives one right to whoever holds the capability with this hash. `limit` bounds what a put capability may have
    stored at one time, in envelopes; 0 takes the relay's default."""

    capability_hash: Hash
    right: Right
    limit: Count = 0


# --- requests -------------------------------------------------------------------------------------------------------


class Create(Record, frozen=True, tag=0):
    """Make a mailbox. Idempotent by the admin capability's hash. `admission`: the access secret or token, or empty.
    `place`, on an onion network: the first 16 bytes of each of its capabilities; empty elsewhere."""

    kind: MailboxKind
    grants: Annotated[tuple[Grant, ...], Meta(min_length=1, max_length=64)]
    admission: Secret = b""
    place: Place = b""

    def __post_init__(self) -> None:
        if len(self.place) not in (0, PLACE_SIZE):
            raise OutOfBounds("a place has 16 bytes")


class Needs(Record, frozen=True):
    """The blobs that an envelope needs: all `count` that were stored under `hold`."""

    hold: Hold
    count: Annotated[int, Meta(ge=1, le=65_536)]


class Put(Record, frozen=True, tag=1):
    """Append an envelope; answered by `Stored` once it is durable. Idempotent by the envelope's hash.

    `ephemeral` is delivered to live subscribers or dropped. `work` is a knock's proof (crypto.work), empty elsewhere.
    """

    put: Capability
    envelope: Envelope
    ephemeral: bool = False
    needs: Annotated[tuple[Needs, ...], Meta(max_length=MAX_HOLDS)] = ()
    work: Secret = b""


class Get(Record, frozen=True, tag=2):
    get: Capability
    after: Count
    limit: Annotated[int, Meta(ge=1, le=PAGE_ENTRIES)] = PAGE_ENTRIES


class Subscribe(Record, frozen=True, tag=3):
    """Deliver everything after the cursor, then everything new, as `Delivery`s that carry this call's id."""

    get: Capability
    after: Count


class Unsubscribe(Record, frozen=True, tag=4):
    call: CallId


class Trim(Record, frozen=True, tag=5):
    """Forget all entries up to and including `upto` except those in `keep`, and the blobs only they needed."""

    admin: Capability
    upto: Count
    keep: Annotated[tuple[Count, ...], Meta(max_length=256)] = ()


class Seal(Record, frozen=True, tag=6):
    """End all puts for good, and all `get` beyond the present end."""

    admin: Capability


class Delete(Record, frozen=True, tag=7):
    """Delete the mailbox and everything in it."""

    admin: Capability


class ChangeGrants(Record, frozen=True, tag=8):
    admin: Capability
    add: Annotated[tuple[Grant, ...], Meta(max_length=64)] = ()
    revoke: Annotated[tuple[Hash, ...], Meta(max_length=64)] = ()


class PutBlob(Record, frozen=True, tag=9):
    """Store one blob for a later `put` that names its hold. Idempotent; unneeded blobs expire after a day."""

    put: Capability
    hold: Hold
    blob: BlobId
    data: Blob


class GetBlob(Record, frozen=True, tag=10):
    get: Capability
    blob: BlobId


class PutCard(Record, frozen=True, tag=11):
    """Store an encrypted card under a locator. Replacing it needs the same `writer` secret and a higher version."""

    locator: Locator
    writer: Capability
    version: Count
    card: Annotated[bytes, Meta(min_length=1, max_length=MAX_CARD_SIZE)]
    expires: Count  # seconds since 1970
    admission: Secret = b""


class GetCard(Record, frozen=True, tag=12):
    locator: Locator


class DeleteCard(Record, frozen=True, tag=13):
    locator: Locator
    writer: Capability


class GetInfo(Record, frozen=True, tag=14):
    """The relay's own `SignedInfo`, or, of another relay, the one it showed to this relay: for admitted clients."""

    of: RelayAddress | None = None
    admission: Secret = b""


class Forward(Record, frozen=True, tag=15):
    """Pass a packet to another relay and bring its sealed answer back. For admitted clients."""

    to: RelayAddress
    packet: Annotated[bytes, Meta(min_length=1, max_length=MAX_FRAME - 1024)]
    admission: Secret = b""


class Packet(Record, frozen=True, tag=16):
    """A packet for this relay, from another relay: one sealed request (crypto.packet)."""

    packet: Annotated[bytes, Meta(min_length=1, max_length=MAX_FRAME - 512)]


class Ping(Record, frozen=True, tag=17):
    """Heart-beat."""


class DirectoryDocument(enum.IntEnum):
    """What `GetDirectory` can ask for."""

    NETWORK = 0  # a NetworkDocument
    CONSENSUS = 1  # a SignedConsensus


class GetDirectory(Record, frozen=True, tag=18):
    """A part of an onion network's document, or of its newest consensus of a period later than `after`."""

    network: NetworkId
    document: DirectoryDocument
    after: Count = 0
    part: Count = 0


class PutDescriptor(Record, frozen=True, tag=19):
    """A node says to an authority where it is and which packet keys it has: an encoded `SignedDescriptor`."""

    network: NetworkId
    descriptor: Annotated[bytes, Meta(min_length=1, max_length=8_192)]


class GetBallots(Record, frozen=True, tag=20):
    """A part of what an authority has seen for the consensus of `period`: votes and signatures."""

    network: NetworkId
    period: Count
    part: Count = 0


class OnionPacket(Record, frozen=True, tag=21):
    """A packet for this onion node (crypto.onion). `Done` says only that it was taken in."""

    packet: Annotated[bytes, Meta(min_length=ONION_PACKET_SIZE, max_length=ONION_PACKET_SIZE)]


class AttachOnion(Record, frozen=True, tag=22):
    """Replies for this token come over this link, as `OnionArrival` frames, for as long as it stands; and packets that
    come over it are carried. `admission`: a proof of work for the token at this node (wire.onion.admission_hash)."""

    token: Token
    admission: Secret = b""


class ProveNode(Record, frozen=True, tag=23):
    """Who calls over this link is this onion node. The signature (crypto label ONION_PROOF) covers the key of the node
    that is called and `issued`."""

    node: NodeKey
    issued: Count
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class SwarmCall(Record, frozen=True, tag=24):
    """Between nodes that keep a mailbox together (wire.swarm). Only from a node that has proven itself."""

    body: SwarmBody


Request = (
    Create
    | Put
    | Get
    | Subscribe
    | Unsubscribe
    | Trim
    | Seal
    | Delete
    | ChangeGrants
    | PutBlob
    | GetBlob
    | PutCard
    | GetCard
    | DeleteCard
    | GetInfo
    | Forward
    | Packet
    | Ping
    | GetDirectory
    | PutDescriptor
    | GetBallots
    | OnionPacket
    | AttachOnion
    | ProveNode
    | SwarmCall
)


# --- responses ------------------------------------------------------------------------------------------------------


class Refusal(Record, frozen=True, tag=0):
    code: RefusalCode
    retry_after_ms: Count = 0
    detail: Annotated[bytes, Meta(max_length=256)] = b""


class Done(Record, frozen=True, tag=1):
    """Answer to create, trim, seal, delete, grants, put_blob, put_card, delete_card, unsubscribe, ping, put_descriptor,
    onion_packet, attach_onion and prove_node."""


class Stored(Record, frozen=True, tag=2):
    """The envelope is durable as this entry. 0 for an ephemeral one."""

    entry: Count


class Entry(Record, frozen=True):
    number: Count
    envelope: Envelope


class Entries(Record, frozen=True, tag=3):
    entries: Annotated[tuple[Entry, ...], Meta(max_length=PAGE_ENTRIES)]
    more: bool


class Subscribed(Record, frozen=True, tag=4):
    """Deliveries follow. `end` is the newest entry's number at this moment, 0 when empty."""

    end: Count


class BlobData(Record, frozen=True, tag=5):
    data: Blob


class CardData(Record, frozen=True, tag=6):
    card: Annotated[bytes, Meta(min_length=1, max_length=MAX_CARD_SIZE)]


class WorkChallenge(Record, frozen=True):
    """Find a proof (crypto.work) over nonce, put capability's hash and envelope's hash with `bits` leading zeros; on an
    onion network over what wire.onion.admission_hash says."""

    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]
    bits: Annotated[int, Meta(ge=0, le=40)]


class PacketKey(Record, frozen=True):
    """A relay's X25519 + ML-KEM-768 (X-Wing) public key for packets; valid until `expires`, seconds since 1970."""

    public: Annotated[bytes, Meta(min_length=1_216, max_length=1_216)]
    expires: Count


class RelayInfo(TextRecord, frozen=True):
    """What a relay says of itself."""

    version: Annotated[int, Meta(ge=1, le=2**16 - 1)]  # of this protocol, the highest that the relay speaks
    key: RelayKey
    tls_key_hash: Annotated[bytes, Meta(max_length=32)]  # SHA-256 of the TLS certificate's SubjectPublicKeyInfo
    packet_key: PacketKey
    issued: Count
    open: bool  # anyone may create mailboxes
    envelope_days: Annotated[int, Meta(ge=1, le=3_650)] = 30
    software: Annotated[str, Meta(max_length=64)] = ""
    extensions: Extensions = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_extensions(self.extensions)
        if len(self.tls_key_hash) not in (0, HASH_SIZE):
            raise OutOfBounds("a key's hash has 32 bytes")


class SignedInfo(Record, frozen=True, tag=7):
    """An encoded `RelayInfo` and the identity key's Ed25519 signature over it (crypto label RELAY_INFO)."""

    info: Annotated[bytes, Meta(max_length=4_096)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class SealedAnswer(Record, frozen=True, tag=8):
    """An answer sealed to the packet's one-use key: a forwarder cannot read it."""

    sealed: Annotated[bytes, Meta(min_length=1, max_length=MAX_FRAME - 512)]


class DirectoryPart(Record, frozen=True, tag=9):
    """One of the `parts` parts of a directory's document."""

    data: Annotated[bytes, Meta(max_length=DIRECTORY_PART)]
    parts: Annotated[int, Meta(ge=1, le=4_096)]


class SwarmAnswer(Record, frozen=True, tag=10):
    """An answer to `SwarmCall`."""

    body: SwarmBody


Response = (
    Refusal
    | Done
    | Stored
    | Entries
    | Subscribed
    | BlobData
    | CardData
    | SignedInfo
    | SealedAnswer
    | DirectoryPart
    | SwarmAnswer
)


# --- frames ---------------------------------------------------------------------------------------------------------


class Call(Record, frozen=True):
    """The only frame that a client sends."""

    id: CallId
    request: Request


class Reply(Record, frozen=True, tag=0):
    id: CallId
    response: Response


class Delivery(Record, frozen=True, tag=1):
    """An envelope for the subscription that call `id` opened. `number` 0: ephemeral."""

    id: CallId
    number: Count
    envelope: Envelope


class Hello(Record, frozen=True, tag=2):
    """The first frame on every link, from the relay."""

    info: SignedInfo


class Goodbye(Record, frozen=True, tag=3):
    """The relay is about to close; come back after about `retry_after_ms`, with jitter."""

    retry_after_ms: Count


class OnionArrival(Record, frozen=True, tag=4):
    """A reply came for one of this link's tokens: which reply block it used, and its payload still encrypted."""

    reply: ReplyId
    payload: Annotated[bytes, Meta(min_length=ONION_PAYLOAD, max_length=ONION_PAYLOAD)]


ServerFrame = Reply | Delivery | Hello | Goodbye | OnionArrival
