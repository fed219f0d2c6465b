"""Signing, tagging and encrypting messages, and undoing it (RFC 9420 sections 6.1 to 6.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from roost.crypto.entropy import Entropy
from roost.crypto.mls.codec import Reader, Structure, u16, u32
from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.errors import Malformed, NotAuthentic
from roost.crypto.mls.framing import (
    AuthData,
    AuthenticatedContent,
    ContentType,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    SenderType,
    WireFormat,
    content_type,
    encode_content,
    read_content,
)
from roost.crypto.mls.hpke import NONCE_SIZE
from roost.crypto.mls.leaf import MLS10
from roost.crypto.mls.secret_tree import MessageKey, RatchetKind, SecretTree
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite

_GUARD_SIZE: Final = 4
_LABEL: Final = b"FramedContentTBS"


def _to_be_signed(wire_format: WireFormat, content: FramedContent, context: GroupContext) -> bytes:
    signed = u16(MLS10) + u16(wire_format) + content.encoded
    if content.sender.type in (SenderType.MEMBER, SenderType.NEW_MEMBER_COMMIT):
        signed += context.encoded
    return signed


def sign_content(
    suite: CipherSuite, key: SignatureKey, wire_format: WireFormat, content: FramedContent, context: GroupContext
) -> bytes:
    """The signature of section 6.1, under the context of the epoch in which the message is sent."""
    return suite.sign(key, _LABEL, _to_be_signed(wire_format, content, context))


def check_signature(
    suite: CipherSuite, signature_key: bytes, message: AuthenticatedContent, context: GroupContext
) -> None:
    """Raises NotAuthentic."""
    signed = _to_be_signed(message.wire_format, message.content, context)
    suite.verify(signature_key, _LABEL, signed, message.auth.signature)


# --- public messages (section 6.2) ---


def _to_be_tagged(message: AuthenticatedContent, context: GroupContext) -> bytes:
    return _to_be_signed(message.wire_format, message.content, context) + message.auth.encode()


def protect_public(
    suite: CipherSuite, membership_key: bytes, message: AuthenticatedContent, context: GroupContext
) -> PublicMessage:
    """A signed message as it travels; a member's also carries the membership tag."""
    tag = None
    if message.content.sender.type is SenderType.MEMBER:
        tag = suite.mac(membership_key, _to_be_tagged(message, context))
    return PublicMessage(message.content, message.auth, tag)


def unprotect_public(
    suite: CipherSuite, membership_key: bytes, public: PublicMessage, context: GroupContext
) -> AuthenticatedContent:
    """The message with its membership tag checked and its signature *not*. Raises NotAuthentic or Malformed."""
    if isinstance(public.content.content, bytes):
        raise Malformed("application data is never public")
    message = AuthenticatedContent(WireFormat.PUBLIC_MESSAGE, public.content, public.auth)
    if public.membership_tag is not None:
        suite.check_mac(membership_key, _to_be_tagged(message, context), public.membership_tag)
    return message


# --- private messages (section 6.3) ---


@dataclass(frozen=True)
class SenderData(Structure):
    leaf: int
    generation: int
    reuse_guard: bytes

    def encode(self) -> bytes:
        return u32(self.leaf) + u32(self.generation) + self.reuse_guard

    @classmethod
    def read(cls, reader: Reader) -> SenderData:
        return cls(reader.u32(), reader.u32(), reader.take(_GUARD_SIZE))


def sender_data_key(suite: CipherSuite, sender_data_secret: bytes, ciphertext: bytes) -> MessageKey:
    """Key and nonce for the sender data beside a ciphertext (section 6.3.2)."""
    sample = ciphertext[: suite.hash_size]
    key = suite.expand(sender_data_secret, b"key", sample, suite.aead.key_size)
    return key, suite.expand(sender_data_secret, b"nonce", sample, NONCE_SIZE)


def ratchet_kind(kind: ContentType) -> RatchetKind:
    return RatchetKind.APPLICATION if kind is ContentType.APPLICATION else RatchetKind.HANDSHAKE


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(nonce, guard, strict=False)) + nonce[_GUARD_SIZE:]


def protect_private(
    suite: CipherSuite,
    sender_data_secret: bytes,
    tree: SecretTree,
    message: AuthenticatedContent,
    entropy: Entropy,
    padding: int = 0,
) -> tuple[SecretTree, PrivateMessage]:
    """(tree without the key that was used, the message encrypted with `padding` zero bytes)."""
    content = message.content
    kind = content_type(content.content)
    tree, generation, (key, nonce) = tree.next(content.sender.index, ratchet_kind(kind))
    guard = entropy.bytes(_GUARD_SIZE)
    empty = PrivateMessage(content.group_id, content.epoch, kind, content.authenticated_data, b"", b"")
    plaintext = encode_content(content.content) + message.auth.encode() + bytes(padding)
    ciphertext = suite.aead.seal(key, _guarded(nonce, guard), plaintext, empty.content_associated())
    data = SenderData(content.sender.index, generation, guard)
    data_key, data_nonce = sender_data_key(suite, sender_data_secret, ciphertext)
    sealed = suite.aead.seal(data_key, data_nonce, data.encode(), empty.sender_data_associated())
    head = (content.group_id, content.epoch, kind, content.authenticated_data)
    return tree, PrivateMessage(*head, sealed, ciphertext)


def open_sender_data(suite: CipherSuite, sender_data_secret: bytes, message: PrivateMessage) -> SenderData:
    """Who sent a message, as every member can tell. Raises NotAuthentic or Malformed."""
    key, nonce = sender_data_key(suite, sender_data_secret, message.ciphertext)
    data = suite.aead.open(key, nonce, message.encrypted_sender_data, message.sender_data_associated())
    return SenderData.decode(data)


def unprotect_private(
    suite: CipherSuite, tree: SecretTree, message: PrivateMessage, sender: SenderData
) -> tuple[SecretTree, AuthenticatedContent]:
    """(tree without the key that was used, the message with its signature *not* checked).

    Raises:
        Replayed, TooFarAhead: there is no key for that generation.
        NotAuthentic, Malformed: it does not open, or what it holds is malformed.
    """
    kind = message.content_type
    tree, (key, nonce) = tree.take(sender.leaf, ratchet_kind(kind), sender.generation)
    plaintext = suite.aead.open(
        key, _guarded(nonce, sender.reuse_guard), message.ciphertext, message.content_associated()
    )
    reader = Reader(plaintext)
    content, auth = read_content(reader, kind), AuthData.read(reader, kind)
    padding = reader.take(reader.left)
    if padding.count(0) != len(padding):
        raise Malformed("a message's padding is not zero")
    framed = FramedContent(
        message.group_id, message.epoch, Sender(SenderType.MEMBER, sender.leaf), message.authenticated_data, content
    )
    return tree, AuthenticatedContent(WireFormat.PRIVATE_MESSAGE, framed, auth)


def check_confirmation(suite: CipherSuite, confirmation_key: bytes, confirmed: bytes, tag: bytes | None) -> None:
    """Raises NotAuthentic unless a commit's confirmation tag is right."""
    if tag is None:
        raise NotAuthentic("a commit has no confirmation tag")
    suite.check_mac(confirmation_key, confirmed, tag)
