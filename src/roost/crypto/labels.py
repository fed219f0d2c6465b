"""Domain separation: every signature, hash and key derivation carries one of these labels.

A label is at most 16 ASCII bytes, padded with zeros to exactly 16: unambiguous as a prefix, and the size of BLAKE2b's
personalisation (RFC 7693 section 2.5 leaves it zero; the BLAKE2 paper's parameter block holds it). The digit is the
protocol's version.
"""

from __future__ import annotations

import enum
from typing import Final

LABEL_SIZE: Final = 16


class Label(enum.Enum):
    """What a signature, hash or derived key is for. `value` is 16 bytes; no two are equal."""

    # signatures (Ed25519)
    DEVICE_LIST = b"roost1 devices\0\0"
    CARD = b"roost1 card\0\0\0\0\0"
    RELAY_INFO = b"roost1 relayinfo"
    ONION_NODE = b"roost1 onionnode"  # a node's descriptor
    ONION_VOTE = b"roost1 onionvote"  # hash of an authority's vote, and signatures over it
    ONION_REVEAL = b"roost1 reveal\0\0\0"  # an authority's secret for the shared random
    ONION_COMMIT = b"roost1 commit\0\0\0"  # its hash
    ONION_RANDOM = b"roost1 random\0\0\0"
    ONION_CONSENSUS = b"roost1 consensus"
    ONION_PROOF = b"roost1 nodeproof"  # which node calls over a link
    ONION_NETWORK = b"roost1 network\0\0"  # hash of a network's document
    ONION_ADMISSION = b"roost1 admission"  # hash of a request that a proof of work admits
    ONION_RANK = b"roost1 onionrank"  # hash by which the nodes of a mailbox are chosen
    # handshake
    HANDSHAKE = b"roost1 handshake"  # hash of everything up to the ephemeral key and the ciphertext
    HANDSHAKE_KEY = b"roost1 hs key\0\0\0"  # from the first two secrets
    HANDSHAKE_MASK = b"roost1 hs mask\0\0"
    HANDSHAKE_SEAL = b"roost1 hs seal\0\0"  # seals the initiator's identity
    TRANSCRIPT = b"roost1 transcrip"
    ROOT = b"roost1 root\0\0\0\0\0"
    # ratchet
    STEP = b"roost1 step\0\0\0\0\0"
    CHAIN = b"roost1 chain\0\0\0\0"
    HEADER = b"roost1 header\0\0\0"
    BODY = b"roost1 body\0\0\0\0\0"
    # attachments
    BLOB_ID = b"roost1 blob id\0\0"
    BLOB_KEY = b"roost1 blob key\0"
    # stored cards
    CARD_LOCATOR = b"roost1 cardplace"
    CARD_KEY = b"roost1 card key\0"
    CARD_SEAL = b"roost1 card seal"
    # packets
    PACKET = b"roost1 packet\0\0\0"
    ANSWER = b"roost1 answer\0\0\0"
    PACKET_TAG = b"roost1 packettag"
    # shared logs
    LOG_ENVELOPE = b"roost1 log env\0\0"
    LOG_MARK = b"roost1 log mark\0"
    # channels
    CHANNEL = b"roost1 channel\0\0"  # signatures over all that stands in a channel
    CHANNEL_ID = b"roost1 chan id\0\0"
    CHANNEL_GET = b"roost1 chan get\0"
    CHANNEL_PUT = b"roost1 chan put\0"
    CHANNEL_LOG = b"roost1 chan log\0"
    CHANNEL_POST = b"roost1 chan post"
    CHANNEL_SEAL = b"roost1 chan seal"
    # groups
    GROUP_GET = b"roost1 group get"
    GROUP_PUT = b"roost1 group put"
    GROUP_REQUEST = b"roost1 group ask"
    GROUP_REJOIN = b"roost1 grp again"
    # parcels
    PARCEL_TAG = b"roost1 parceltag"
    PARCEL_KEY = b"roost1 parcelkey"
    # mailboxes
    CAPABILITY = b"roost1 capabilit"
    ENVELOPE = b"roost1 envelope\0"
    WORK = b"roost1 work\0\0\0\0\0"
    # peer links
    MEETING = b"roost1 meeting\0\0"
    ANNOUNCEMENT = b"roost1 announce\0"
    PEER_TAG = b"roost1 peer tag\0"
    PEER_PSK = b"roost1 peer psk\0"
    PEER_LINK = b"roost1 peer link"
    PEER_RECORD = b"roost1 peer rec\0"
    # onion services
    ONION_CLIENT = b"roost1 onion cli"
    # onion packets
    ONION_HOP = b"roost1 onion hop"
    ONION_REPLY = b"roost1 onion rep"
    # profile
    HOST_STORE = b"roost1 hoststore"
    WRAP = b"roost1 wrap\0\0\0\0\0"
    SAFETY_NUMBER = b"roost1 safety\0\0\0"
