"""The group context, and the transcript hashes that tie each commit to those before (RFC 9420 sections 8.1, 8.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from roost.crypto.mls.codec import Reader, Structure, opaque, structures, u16, u64
from roost.crypto.mls.errors import Unsupported
from roost.crypto.mls.leaf import MLS10, Extensions, read_extensions
from roost.crypto.mls.suites import CipherSuite


@dataclass(frozen=True)
class GroupContext(Structure):
    """What the members of an epoch agree on (section 8.1)."""

    suite_id: int
    group_id: bytes
    epoch: int
    tree_hash: bytes
    confirmed_transcript_hash: bytes
    extensions: Extensions

    @cached_property
    def encoded(self) -> bytes:
        return b"".join(
            (
                u16(MLS10),
                u16(self.suite_id),
                opaque(self.group_id),
                u64(self.epoch),
                opaque(self.tree_hash),
                opaque(self.confirmed_transcript_hash),
                structures(self.extensions),
            )
        )

    def encode(self) -> bytes:
        return self.encoded

    @classmethod
    def read(cls, reader: Reader) -> GroupContext:
        if reader.u16() != MLS10:
            raise Unsupported("a group is of an unknown version")
        return cls(
            reader.u16(), reader.opaque(), reader.u64(), reader.opaque(), reader.opaque(), read_extensions(reader)
        )


def confirmed_transcript_hash(suite: CipherSuite, interim: bytes, confirmed_input: bytes) -> bytes:
    """`confirmed_input`: wire format, framed content and signature of the commit."""
    return suite.digest(interim + confirmed_input)


def interim_transcript_hash(suite: CipherSuite, confirmed: bytes, confirmation_tag: bytes) -> bytes:
    return suite.digest(confirmed + opaque(confirmation_tag))
