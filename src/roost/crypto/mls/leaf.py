"""What a tree holds: credentials, capabilities, extensions, leaf and parent nodes (RFC 9420 sections 5.3, 7.1, 7.2)."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from roost.crypto.mls.codec import Reader, Structure, numbers, opaque, structures, u8, u16, u32, u64
from roost.crypto.mls.errors import InvalidChange, Malformed, Unsupported
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import SUITES, CipherSuite

MLS10: Final = 1
BASIC: Final = 0x0001
X509: Final = 0x0002
# Default types are not listed in capabilities (section 7.2).
DEFAULT_EXTENSIONS: Final = range(0x0001, 0x0006)
DEFAULT_PROPOSALS: Final = range(0x0001, 0x0008)


@dataclass(frozen=True)
class Credential(Structure):
    """Who a member is. `value` is a basic credential's identity, or the encoded chain of an X.509 credential."""

    type: int
    value: bytes

    @classmethod
    def basic(cls, identity: bytes) -> Credential:
        return cls(BASIC, identity)

    def encode(self) -> bytes:
        return u16(self.type) + opaque(self.value)

    @classmethod
    def read(cls, reader: Reader) -> Credential:
        kind = reader.u16()
        if kind == BASIC:
            return cls(kind, reader.opaque())
        if kind == X509:
            chain = reader.vector(Reader.opaque)
            return cls(kind, b"".join(opaque(certificate) for certificate in chain))
        raise Unsupported("a credential type is not supported")


@dataclass(frozen=True)
class Extension(Structure):
    """RFC 9420 section 7.2. Known types are in extensions.py."""

    type: int
    data: bytes

    def encode(self) -> bytes:
        return u16(self.type) + opaque(self.data)

    @classmethod
    def read(cls, reader: Reader) -> Extension:
        return cls(reader.u16(), reader.opaque())


Extensions = tuple[Extension, ...]


def read_extensions(reader: Reader) -> Extensions:
    """A list of extensions. Raises Malformed when a type stands there twice (section 13.4)."""
    found = reader.vector(Extension.read)
    if len({extension.type for extension in found}) != len(found):
        raise Malformed("an extension stands there twice")
    return found


def find_extension(extensions: Extensions, kind: int) -> bytes | None:
    """The data of the extension of that type, or None."""
    return next((extension.data for extension in extensions if extension.type == kind), None)


@dataclass(frozen=True)
class Capabilities(Structure):
    """What a client can do (section 7.2)."""

    versions: tuple[int, ...] = (MLS10,)
    suites: tuple[int, ...] = tuple(sorted(SUITES))
    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = (BASIC,)

    def encode(self) -> bytes:
        lists = (self.versions, self.suites, self.extensions, self.proposals, self.credentials)
        return b"".join(numbers(items) for items in lists)

    @classmethod
    def read(cls, reader: Reader) -> Capabilities:
        return cls(reader.numbers(), reader.numbers(), reader.numbers(), reader.numbers(), reader.numbers())

    def supports_extensions(self, kinds: Iterable[int]) -> bool:
        return all(kind in DEFAULT_EXTENSIONS or kind in self.extensions for kind in kinds)

    def supports_proposals(self, kinds: Iterable[int]) -> bool:
        return all(kind in DEFAULT_PROPOSALS or kind in self.proposals for kind in kinds)


@dataclass(frozen=True)
class Lifetime(Structure):
    """From when until when a key package is good, in seconds since 1970."""

    not_before: int
    not_after: int

    def encode(self) -> bytes:
        return u64(self.not_before) + u64(self.not_after)

    @classmethod
    def read(cls, reader: Reader) -> Lifetime:
        return cls(reader.u64(), reader.u64())

    def check(self, now: int) -> None:
        """Raises InvalidChange unless `now` (seconds) lies within."""
        if not self.not_before <= now <= self.not_after:
            raise InvalidChange("a key package is not valid at this time")


class LeafSource(enum.IntEnum):
    """How a leaf came into the tree."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


@dataclass(frozen=True)
class LeafNode(Structure):
    """A member (section 7.2). `lifetime` belongs to key packages alone, `parent_hash` to commits alone."""

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: LeafSource
    lifetime: Lifetime | None = None
    parent_hash: bytes | None = None
    extensions: Extensions = ()
    signature: bytes = field(default=b"", repr=False)

    @cached_property
    def _unsigned(self) -> bytes:
        special = b""
        if self.lifetime is not None:
            special = self.lifetime.encode()
        elif self.parent_hash is not None:
            special = opaque(self.parent_hash)
        return b"".join(
            (
                opaque(self.encryption_key),
                opaque(self.signature_key),
                self.credential.encode(),
                self.capabilities.encode(),
                u8(self.source),
                special,
                structures(self.extensions),
            )
        )

    @cached_property
    def encoded(self) -> bytes:
        return self._unsigned + opaque(self.signature)

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> LeafNode:
        keys = reader.opaque(), reader.opaque(), Credential.read(reader), Capabilities.read(reader)
        try:
            source = LeafSource(reader.u8())
        except ValueError as error:
            raise Malformed("a leaf's source is unknown") from error
        lifetime = Lifetime.read(reader) if source is LeafSource.KEY_PACKAGE else None
        parent_hash = reader.opaque() if source is LeafSource.COMMIT else None
        return cls(*keys, source, lifetime, parent_hash, read_extensions(reader), reader.opaque())

    def _signed_content(self, group_id: bytes, index: int) -> bytes:
        if self.source is LeafSource.KEY_PACKAGE:
            return self._unsigned
        return self._unsigned + opaque(group_id) + u32(index)

    def signed(self, suite: CipherSuite, key: SignatureKey, group_id: bytes = b"", index: int = 0) -> LeafNode:
        """This leaf with its signature; group and index enter it unless it is for a key package."""
        signature = suite.sign(key, b"LeafNodeTBS", self._signed_content(group_id, index))
        return replace(self, signature=signature)

    def check(self, suite: CipherSuite, group_id: bytes, index: int) -> None:
        """What one leaf shows by itself (section 7.3): its signature, and that it lists what it uses.

        Raises:
            NotAuthentic: the signature does not verify.
            InvalidChange: version, credential type or an extension is missing from its capabilities. (Its list of
                suites is checked in key packages alone: members of the working group's own vectors leave theirs out.)
        """
        suite.verify(self.signature_key, b"LeafNodeTBS", self._signed_content(group_id, index), self.signature)
        able = self.capabilities
        if MLS10 not in able.versions:
            raise InvalidChange("a leaf does not support the group's version")
        if self.credential.type not in able.credentials:
            raise InvalidChange("a leaf does not support its own credential")
        if not able.supports_extensions(extension.type for extension in self.extensions):
            raise InvalidChange("a leaf does not support its own extensions")
        if len(self.encryption_key) != suite.kem.public_size:
            raise InvalidChange("a leaf's key has the wrong length")


@dataclass(frozen=True)
class ParentNode(Structure):
    """A node above leaves (section 7.1)."""

    encryption_key: bytes
    parent_hash: bytes = b""
    unmerged: tuple[int, ...] = ()

    def encode(self) -> bytes:
        return (
            opaque(self.encryption_key)
            + opaque(self.parent_hash)
            + opaque(b"".join(leaf.to_bytes(4) for leaf in self.unmerged))
        )

    @classmethod
    def read(cls, reader: Reader) -> ParentNode:
        node = cls(reader.opaque(), reader.opaque(), reader.vector(Reader.u32))
        if any(one >= other for one, other in zip(node.unmerged, node.unmerged[1:], strict=False)):
            raise Malformed("unmerged leaves are not in increasing order")
        return node


Node = LeafNode | ParentNode
