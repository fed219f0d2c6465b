"""Messages as structures: framed contents, public and private messages, and the outer MLSMessage (RFC 9420 section 6).

How they are signed, encrypted and checked is in protection.py.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from roost.crypto.mls.codec import Reader, Structure, opaque, u8, u16, u32, u64
from roost.crypto.mls.errors import Malformed, Unsupported
from roost.crypto.mls.key_package import KeyPackage
from roost.crypto.mls.leaf import MLS10
from roost.crypto.mls.proposals import Commit, Proposal, encode_proposal, read_proposal
from roost.crypto.mls.welcome import GroupInfo, Welcome

E = TypeVar("E", bound=enum.IntEnum)


class WireFormat(enum.IntEnum):
    PUBLIC_MESSAGE = 1
    PRIVATE_MESSAGE = 2
    WELCOME = 3
    GROUP_INFO = 4
    KEY_PACKAGE = 5


class ContentType(enum.IntEnum):
    APPLICATION = 1
    PROPOSAL = 2
    COMMIT = 3


class SenderType(enum.IntEnum):
    MEMBER = 1
    EXTERNAL = 2
    NEW_MEMBER_PROPOSAL = 3
    NEW_MEMBER_COMMIT = 4


def _enum(kind: type[E], value: int) -> E:
    try:
        return kind(value)
    except ValueError as error:
        raise Malformed("a message is of an unknown kind") from error


@dataclass(frozen=True)
class Sender(Structure):
    """Who sent a message. `index` is a leaf's, or a place among the external senders; 0 for new members."""

    type: SenderType
    index: int = 0

    def encode(self) -> bytes:
        return u8(self.type) + (u32(self.index) if self.type <= SenderType.EXTERNAL else b"")

    @classmethod
    def read(cls, reader: Reader) -> Sender:
        kind = _enum(SenderType, reader.u8())
        return cls(kind, reader.u32() if kind <= SenderType.EXTERNAL else 0)


Content = bytes | Proposal | Commit


def content_type(content: Content) -> ContentType:
    if isinstance(content, bytes):
        return ContentType.APPLICATION
    return ContentType.COMMIT if isinstance(content, Commit) else ContentType.PROPOSAL


def encode_content(content: Content) -> bytes:
    if isinstance(content, bytes):
        return opaque(content)
    return content.encode() if isinstance(content, Commit) else encode_proposal(content)


def read_content(reader: Reader, kind: ContentType) -> Content:
    if kind is ContentType.APPLICATION:
        return reader.opaque()
    return Commit.read(reader) if kind is ContentType.COMMIT else read_proposal(reader)


@dataclass(frozen=True)
class FramedContent(Structure):
    group_id: bytes
    epoch: int
    sender: Sender
    authenticated_data: bytes
    content: Content

    @cached_property
    def encoded(self) -> bytes:
        return b"".join(
            (
                opaque(self.group_id),
                u64(self.epoch),
                self.sender.encode(),
                opaque(self.authenticated_data),
                u8(content_type(self.content)),
                encode_content(self.content),
            )
        )

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> FramedContent:
        head = reader.opaque(), reader.u64(), Sender.read(reader), reader.opaque()
        return cls(*head, read_content(reader, _enum(ContentType, reader.u8())))


@dataclass(frozen=True)
class AuthData:
    """FramedContentAuthData: a signature, and a commit's confirmation tag."""

    signature: bytes
    confirmation_tag: bytes | None = None

    def encode(self) -> bytes:
        return opaque(self.signature) + (b"" if self.confirmation_tag is None else opaque(self.confirmation_tag))

    @classmethod
    def read(cls, reader: Reader, kind: ContentType) -> AuthData:
        return cls(reader.opaque(), reader.opaque() if kind is ContentType.COMMIT else None)


@dataclass(frozen=True)
class AuthenticatedContent(Structure):
    wire_format: WireFormat
    content: FramedContent
    auth: AuthData

    def encode(self) -> bytes:
        return u16(self.wire_format) + self.content.encode() + self.auth.encode()

    @classmethod
    def read(cls, reader: Reader) -> AuthenticatedContent:
        wire_format, content = _enum(WireFormat, reader.u16()), FramedContent.read(reader)
        return cls(wire_format, content, AuthData.read(reader, content_type(content.content)))

    def confirmed_input(self) -> bytes:
        """What of a commit enters the confirmed transcript hash (section 8.2)."""
        return u16(self.wire_format) + self.content.encode() + opaque(self.auth.signature)


@dataclass(frozen=True)
class PublicMessage(Structure):
    content: FramedContent
    auth: AuthData
    membership_tag: bytes | None = None

    def encode(self) -> bytes:
        tag = b"" if self.membership_tag is None else opaque(self.membership_tag)
        return self.content.encode() + self.auth.encode() + tag

    @classmethod
    def read(cls, reader: Reader) -> PublicMessage:
        content = FramedContent.read(reader)
        auth = AuthData.read(reader, content_type(content.content))
        return cls(content, auth, reader.opaque() if content.sender.type is SenderType.MEMBER else None)


@dataclass(frozen=True)
class PrivateMessage(Structure):
    group_id: bytes
    epoch: int
    content_type: ContentType
    authenticated_data: bytes
    encrypted_sender_data: bytes
    ciphertext: bytes

    def sender_data_associated(self) -> bytes:
        """SenderDataAAD (section 6.3.2)."""
        return opaque(self.group_id) + u64(self.epoch) + u8(self.content_type)

    def content_associated(self) -> bytes:
        """PrivateContentAAD (section 6.3.1)."""
        return self.sender_data_associated() + opaque(self.authenticated_data)

    def encode(self) -> bytes:
        return self.content_associated() + opaque(self.encrypted_sender_data) + opaque(self.ciphertext)

    @classmethod
    def read(cls, reader: Reader) -> PrivateMessage:
        head = reader.opaque(), reader.u64(), _enum(ContentType, reader.u8())
        return cls(*head, reader.opaque(), reader.opaque(), reader.opaque())


Body = PublicMessage | PrivateMessage | Welcome | GroupInfo | KeyPackage
_BODIES: dict[WireFormat, type[Body]] = {
    WireFormat.PUBLIC_MESSAGE: PublicMessage,
    WireFormat.PRIVATE_MESSAGE: PrivateMessage,
    WireFormat.WELCOME: Welcome,
    WireFormat.GROUP_INFO: GroupInfo,
    WireFormat.KEY_PACKAGE: KeyPackage,
}


@dataclass(frozen=True)
class MlsMessage(Structure):
    """What travels: any of the bodies under version and wire format."""

    body: Body

    def encode(self) -> bytes:
        wire_format = next(number for number, kind in _BODIES.items() if type(self.body) is kind)
        return u16(MLS10) + u16(wire_format) + self.body.encode()

    @classmethod
    def read(cls, reader: Reader) -> MlsMessage:
        if reader.u16() != MLS10:
            raise Unsupported("a message is of an unknown version")
        return cls(_BODIES[_enum(WireFormat, reader.u16())].read(reader))
