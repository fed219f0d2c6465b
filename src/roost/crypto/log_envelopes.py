"""Envelopes of shared logs: what members who share a symmetric key write into one mailbox.

Layout (docs/protocol/shared-logs.md), 4,096 bytes that nobody without the key can tell from random ones: salt (16) ||
mark (32) || AES-256-GCM of the body. Key and mark come from the log's key and the salt. The mark says cheaply which of
several keys opens an envelope, and binds the envelope to that key: AES-GCM alone does not, and an insider could
otherwise make one envelope that says different things to those who hold different keys.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from roost.crypto.aead import KEY_SIZE, SALT_SIZE, TAG_SIZE, open_once, seal_once
from roost.crypto.entropy import Entropy
from roost.crypto.envelope import ENVELOPE_SIZE
from roost.crypto.kdf import derive32
from roost.crypto.keys import sized
from roost.crypto.labels import Label

_MARK_SIZE: Final = 32
LOG_KEY_SIZE: Final = KEY_SIZE
LOG_BODY_SIZE: Final = ENVELOPE_SIZE - SALT_SIZE - _MARK_SIZE - TAG_SIZE


def seal_log_envelope(key: bytes, body: bytes, entropy: Entropy) -> bytes:
    """ENVELOPE_SIZE bytes under a 32-byte log key. Raises ValueError unless `body` has LOG_BODY_SIZE bytes."""
    if len(body) != LOG_BODY_SIZE:
        raise ValueError("a log envelope's body has a fixed size")
    salt = entropy.bytes(SALT_SIZE)
    mark = derive32(Label.LOG_MARK, sized(key, LOG_KEY_SIZE), salt)
    return salt + mark + seal_once(derive32(Label.LOG_ENVELOPE, key, salt), body)


def open_log_envelope(key: bytes, envelope: bytes) -> bytes | None:
    """The body, LOG_BODY_SIZE bytes; None when the envelope was not sealed under this 32-byte key.

    Raises:
        CryptoError: it was, and is damaged; or a length is wrong.
    """
    envelope = sized(envelope, ENVELOPE_SIZE)
    salt, mark = envelope[:SALT_SIZE], envelope[SALT_SIZE : SALT_SIZE + _MARK_SIZE]
    if not compare_digest(derive32(Label.LOG_MARK, sized(key, LOG_KEY_SIZE), salt), mark):
        return None
    return open_once(derive32(Label.LOG_ENVELOPE, key, salt), envelope[SALT_SIZE + _MARK_SIZE :])
