"""Proposals, update paths and commits as structures (RFC 9420 sections 7.6, 12.1 and 12.4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

from roost.crypto.mls.codec import Reader, Structure, opaque, optional, structures, u8, u16, u32
from roost.crypto.mls.errors import Malformed, Unsupported
from roost.crypto.mls.key_package import KeyPackage
from roost.crypto.mls.leaf import Extensions, LeafNode, read_extensions
from roost.crypto.mls.psk import PskId
from roost.crypto.mls.suites import HpkeCiphertext


@dataclass(frozen=True)
class Add(Structure):
    type: ClassVar[int] = 1
    key_package: KeyPackage

    def encode(self) -> bytes:
        return self.key_package.encode()

    @classmethod
    def read(cls, reader: Reader) -> Add:
        return cls(KeyPackage.read(reader))


@dataclass(frozen=True)
class Update(Structure):
    type: ClassVar[int] = 2
    leaf: LeafNode

    def encode(self) -> bytes:
        return self.leaf.encode()

    @classmethod
    def read(cls, reader: Reader) -> Update:
        return cls(LeafNode.read(reader))


@dataclass(frozen=True)
class Remove(Structure):
    type: ClassVar[int] = 3
    removed: int

    def encode(self) -> bytes:
        return u32(self.removed)

    @classmethod
    def read(cls, reader: Reader) -> Remove:
        return cls(reader.u32())


@dataclass(frozen=True)
class PreSharedKey(Structure):
    type: ClassVar[int] = 4
    psk: PskId

    def encode(self) -> bytes:
        return self.psk.encode()

    @classmethod
    def read(cls, reader: Reader) -> PreSharedKey:
        return cls(PskId.read(reader))


@dataclass(frozen=True)
class ReInit(Structure):
    type: ClassVar[int] = 5
    group_id: bytes
    version: int
    suite_id: int
    extensions: Extensions

    def encode(self) -> bytes:
        return opaque(self.group_id) + u16(self.version) + u16(self.suite_id) + structures(self.extensions)

    @classmethod
    def read(cls, reader: Reader) -> ReInit:
        return cls(reader.opaque(), reader.u16(), reader.u16(), read_extensions(reader))


@dataclass(frozen=True)
class ExternalInit(Structure):
    type: ClassVar[int] = 6
    kem_output: bytes

    def encode(self) -> bytes:
        return opaque(self.kem_output)

    @classmethod
    def read(cls, reader: Reader) -> ExternalInit:
        return cls(reader.opaque())


@dataclass(frozen=True)
class GroupContextExtensions(Structure):
    type: ClassVar[int] = 7
    extensions: Extensions

    def encode(self) -> bytes:
        return structures(self.extensions)

    @classmethod
    def read(cls, reader: Reader) -> GroupContextExtensions:
        return cls(read_extensions(reader))


Proposal = Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions
_KINDS: Final[dict[int, type[Proposal]]] = {
    kind.type: kind for kind in (Add, Update, Remove, PreSharedKey, ReInit, ExternalInit, GroupContextExtensions)
}
# Sent by one who is no member (section 12.1.8) and needing a path (section 12.4).
EXTERNAL_PROPOSALS: Final = (Add, Remove, PreSharedKey, ReInit, GroupContextExtensions)
PATH_REQUIRED: Final = (Update, Remove, ExternalInit, GroupContextExtensions)


def encode_proposal(proposal: Proposal) -> bytes:
    return u16(proposal.type) + proposal.encode()


def read_proposal(reader: Reader) -> Proposal:
    """Raises Unsupported for a type beyond the RFC's: its length cannot be told, and no group here may use it."""
    kind = _KINDS.get(reader.u16())
    if kind is None:
        raise Unsupported("a proposal type is not supported")
    return kind.read(reader)


@dataclass(frozen=True)
class ProposalRef:
    """Names a proposal that was sent before: the hash of the message that carried it (section 5.2)."""

    hash: bytes


ProposalOrRef = Proposal | ProposalRef


def _encode_item(item: ProposalOrRef) -> bytes:
    if isinstance(item, ProposalRef):
        return u8(2) + opaque(item.hash)
    return u8(1) + encode_proposal(item)


def _read_item(reader: Reader) -> ProposalOrRef:
    kind = reader.u8()
    if kind == 1:
        return read_proposal(reader)
    if kind == 2:
        return ProposalRef(reader.opaque())
    raise Malformed("a commit's item is neither proposal nor reference")


@dataclass(frozen=True)
class UpdatePathNode(Structure):
    encryption_key: bytes
    encrypted_path_secrets: tuple[HpkeCiphertext, ...]

    def encode(self) -> bytes:
        return opaque(self.encryption_key) + structures(self.encrypted_path_secrets)

    @classmethod
    def read(cls, reader: Reader) -> UpdatePathNode:
        return cls(reader.opaque(), reader.vector(HpkeCiphertext.read))


@dataclass(frozen=True)
class UpdatePath(Structure):
    """New keys for the committer's leaf and the nodes of its filtered direct path (section 7.6)."""

    leaf: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    def encode(self) -> bytes:
        return self.leaf.encode() + structures(self.nodes)

    @classmethod
    def read(cls, reader: Reader) -> UpdatePath:
        return cls(LeafNode.read(reader), reader.vector(UpdatePathNode.read))


@dataclass(frozen=True)
class Commit(Structure):
    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    @cached_property
    def _encoded(self) -> bytes:
        items = opaque(b"".join(_encode_item(item) for item in self.proposals))
        return items + optional(self.path.encode() if self.path else None)

    def encode(self) -> bytes:
        return self._encoded

    @classmethod
    def read(cls, reader: Reader) -> Commit:
        return cls(reader.vector(_read_item), reader.optional(UpdatePath.read))
