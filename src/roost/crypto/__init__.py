"""The crypto room: published primitives of `cryptography` and PyNaCl, composed as docs/protocol/ says.

Pure: bytes and keys in, bytes and keys out; randomness comes in as an `Entropy`. Everything that other rooms use stands
here; the modules behind it are this room's own.
"""

from roost.crypto.accounts import account_id, parse_account_id
from roost.crypto.attachment import (
    BLOB_PLAIN,
    BLOB_SIZE,
    MAX_BLOBS,
    AttachmentKey,
    blob_count,
    padded_count,
    padding_blob,
)
from roost.crypto.capability import PLACE_SIZE, at_place, capability_hash, capability_place, envelope_hash
from roost.crypto.cards import CARD_SIZE, LINK_SECRET_SIZE, MAX_CARD, CardKeys, card_keys, open_card, seal_card
from roost.crypto.channels import (
    SEALED_CAPABILITY_SIZE,
    ChannelKeys,
    channel_id,
    channel_keys,
    open_capability,
    post_id,
    seal_capability,
)
from roost.crypto.entropy import Entropy
from roost.crypto.envelope import BODY_SIZE, ENVELOPE_SIZE
from roost.crypto.errors import MalformedAccountId, NotForThisSession
from roost.crypto.identity import LocalIdentity, PrekeyBundle, PrekeySecrets
from roost.crypto.kem import KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE, KEM_SEED_SIZE, KemPublic, KemSecret
from roost.crypto.keys import SIGNATURE_SIZE, AgreementPublic, AgreementSecret, SigningKey, VerifyKey
from roost.crypto.labels import Label
from roost.crypto.log_envelopes import LOG_BODY_SIZE, LOG_KEY_SIZE, open_log_envelope, seal_log_envelope
from roost.crypto.onion_keys import ONION_SEED_SIZE, onion_address, onion_client, onion_public, onion_secret
from roost.crypto.packets import (
    ANSWER_OVERHEAD,
    PACKET_OVERHEAD,
    PACKET_PUBLIC_SIZE,
    PACKET_SECRET_SIZE,
    AnswerKey,
    PacketPublic,
    PacketSecret,
    max_answer,
    max_request,
    open_packet,
    seal_packet,
)
from roost.crypto.parcels import (
    LARGE_PARCEL,
    PARCEL_HEAD_SIZE,
    PARCEL_ID_SIZE,
    SMALL_PARCEL,
    open_parcel,
    parcel_head,
    recognised,
    seal_parcel,
)
from roost.crypto.passphrase import STRETCH_SALT_SIZE, StretchParams, stretch, unwrap_secret, wrap_secret
from roost.crypto.safety import safety_number
from roost.crypto.session import Accepted, Session, accept
from roost.crypto.work import PROOF_SIZE, WORK_NONCE_SIZE, check_work, solve_work, work_strength

__all__ = [
    "ANSWER_OVERHEAD",
    "BLOB_PLAIN",
    "BLOB_SIZE",
    "BODY_SIZE",
    "CARD_SIZE",
    "ENVELOPE_SIZE",
    "KEM_CIPHERTEXT_SIZE",
    "KEM_PUBLIC_SIZE",
    "KEM_SEED_SIZE",
    "LARGE_PARCEL",
    "LINK_SECRET_SIZE",
    "LOG_BODY_SIZE",
    "LOG_KEY_SIZE",
    "MAX_BLOBS",
    "MAX_CARD",
    "ONION_SEED_SIZE",
    "PACKET_OVERHEAD",
    "PACKET_PUBLIC_SIZE",
    "PACKET_SECRET_SIZE",
    "PARCEL_HEAD_SIZE",
    "PARCEL_ID_SIZE",
    "PLACE_SIZE",
    "PROOF_SIZE",
    "SEALED_CAPABILITY_SIZE",
    "SIGNATURE_SIZE",
    "SMALL_PARCEL",
    "STRETCH_SALT_SIZE",
    "WORK_NONCE_SIZE",
    "Accepted",
    "AgreementPublic",
    "AgreementSecret",
    "AnswerKey",
    "AttachmentKey",
    "CardKeys",
    "ChannelKeys",
    "Entropy",
    "KemPublic",
    "KemSecret",
    "Label",
    "LocalIdentity",
    "MalformedAccountId",
    "NotForThisSession",
    "PacketPublic",
    "PacketSecret",
    "PrekeyBundle",
    "PrekeySecrets",
    "Session",
    "SigningKey",
    "StretchParams",
    "VerifyKey",
    "accept",
    "account_id",
    "at_place",
    "blob_count",
    "capability_hash",
    "capability_place",
    "card_keys",
    "channel_id",
    "channel_keys",
    "check_work",
    "envelope_hash",
    "max_answer",
    "max_request",
    "onion_address",
    "onion_client",
    "onion_public",
    "onion_secret",
    "open_capability",
    "open_card",
    "open_log_envelope",
    "open_packet",
    "open_parcel",
    "padded_count",
    "padding_blob",
    "parcel_head",
    "parse_account_id",
    "post_id",
    "recognised",
    "safety_number",
    "seal_capability",
    "seal_card",
    "seal_log_envelope",
    "seal_packet",
    "seal_parcel",
    "solve_work",
    "stretch",
    "unwrap_secret",
    "work_strength",
    "wrap_secret",
]
