"""RFC 9420's extensions: their numbers and what they hold (sections 5.3.3, 11.1, 12.1.8.1, 12.4.3, 17.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from roost.crypto.mls.codec import Reader, Structure, numbers, opaque, structures
from roost.crypto.mls.errors import InvalidChange
from roost.crypto.mls.leaf import Capabilities, Credential, Extension, Extensions, LeafNode, find_extension

APPLICATION_ID: Final = 0x0001
RATCHET_TREE: Final = 0x0002
REQUIRED_CAPABILITIES: Final = 0x0003
EXTERNAL_PUB: Final = 0x0004
EXTERNAL_SENDERS: Final = 0x0005


@dataclass(frozen=True)
class RequiredCapabilities(Structure):
    """What every member must support beside the defaults (section 11.1)."""

    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = ()

    def encode(self) -> bytes:
        return numbers(self.extensions) + numbers(self.proposals) + numbers(self.credentials)

    @classmethod
    def read(cls, reader: Reader) -> RequiredCapabilities:
        return cls(reader.numbers(), reader.numbers(), reader.numbers())

    def met_by(self, able: Capabilities) -> bool:
        return (
            able.supports_extensions(self.extensions)
            and able.supports_proposals(self.proposals)
            and set(self.credentials) <= set(able.credentials)
        )

    def extension(self) -> Extension:
        return Extension(REQUIRED_CAPABILITIES, self.encode())


@dataclass(frozen=True)
class ExternalSender(Structure):
    """One who may propose without being a member (section 12.1.8.1)."""

    signature_key: bytes
    credential: Credential

    def encode(self) -> bytes:
        return opaque(self.signature_key) + self.credential.encode()

    @classmethod
    def read(cls, reader: Reader) -> ExternalSender:
        return cls(reader.opaque(), Credential.read(reader))


def external_senders_extension(senders: tuple[ExternalSender, ...]) -> Extension:
    return Extension(EXTERNAL_SENDERS, structures(senders))


def external_senders(extensions: Extensions) -> tuple[ExternalSender, ...]:
    """Those whom the group's extensions allow to propose. Raises Malformed."""
    data = find_extension(extensions, EXTERNAL_SENDERS)
    if data is None:
        return ()
    reader = Reader(data)
    senders = reader.vector(ExternalSender.read)
    reader.finish()
    return senders


def external_pub_extension(public: bytes) -> Extension:
    return Extension(EXTERNAL_PUB, opaque(public))


def external_pub(extensions: Extensions) -> bytes | None:
    """The group's external public key in a GroupInfo, or None. Raises Malformed."""
    data = find_extension(extensions, EXTERNAL_PUB)
    if data is None:
        return None
    reader = Reader(data)
    public = reader.opaque()
    reader.finish()
    return public


def check_supported(leaf: LeafNode, group_extensions: Extensions) -> None:
    """Raises InvalidChange unless the leaf supports the group's extensions and what they require (13.4, 11.1)."""
    if not leaf.capabilities.supports_extensions(extension.type for extension in group_extensions):
        raise InvalidChange("a member does not support an extension of the group")
    data = find_extension(group_extensions, REQUIRED_CAPABILITIES)
    if data is not None and not RequiredCapabilities.decode(data).met_by(leaf.capabilities):
        raise InvalidChange("a member does not support what the group requires")
