"""Pre-shared keys (RFC 9420 sections 8.4 and 8.6): their names, where they are looked up, and the PSK secret."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from roost.crypto.entropy import Entropy
from roost.crypto.mls.codec import Reader, Structure, opaque, u8, u16, u64
from roost.crypto.mls.errors import InvalidChange, Malformed, MissingPsk
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.secret import Secret


class PskUsage(enum.IntEnum):
    """What a resumption PSK is for; EXTERNAL stands for a PSK that is none."""

    EXTERNAL = 0
    APPLICATION = 1
    REINIT = 2
    BRANCH = 3


@dataclass(frozen=True)
class PskId(Structure):
    """PreSharedKeyID. External ones have an `id`; resumption ones name a group by `id`, and its epoch."""

    usage: PskUsage
    id: bytes
    epoch: int
    nonce: bytes

    @classmethod
    def external(cls, suite: CipherSuite, psk_id: bytes, entropy: Entropy) -> PskId:
        return cls(PskUsage.EXTERNAL, psk_id, 0, entropy.bytes(suite.hash_size))

    @classmethod
    def resumption(cls, suite: CipherSuite, usage: PskUsage, group_id: bytes, epoch: int, entropy: Entropy) -> PskId:
        return cls(usage, group_id, epoch, entropy.bytes(suite.hash_size))

    def encode(self) -> bytes:
        if self.usage is PskUsage.EXTERNAL:
            return u8(1) + opaque(self.id) + opaque(self.nonce)
        return u8(2) + u8(self.usage) + opaque(self.id) + u64(self.epoch) + opaque(self.nonce)

    @classmethod
    def read(cls, reader: Reader) -> PskId:
        kind = reader.u8()
        if kind == 1:
            return cls(PskUsage.EXTERNAL, reader.opaque(), 0, reader.opaque())
        usage = reader.u8()
        if kind != 2 or not PskUsage.APPLICATION <= usage <= PskUsage.BRANCH:
            raise Malformed("a pre-shared key is of an unknown kind")
        return cls(PskUsage(usage), reader.opaque(), reader.u64(), reader.opaque())

    def check(self, suite: CipherSuite) -> None:
        """What a PreSharedKey proposal within a group may name (section 12.1.4). Raises InvalidChange."""
        if self.usage in (PskUsage.REINIT, PskUsage.BRANCH):
            raise InvalidChange("a pre-shared key is for another use")
        self.check_nonce(suite)

    def check_nonce(self, suite: CipherSuite) -> None:
        if len(self.nonce) != suite.hash_size:
            raise InvalidChange("a pre-shared key's nonce has the wrong length")


@dataclass(frozen=True, repr=False)
class Psks(Secret):
    """The pre-shared keys that this client holds: external ones by id, resumption ones by group and epoch."""

    external: Mapping[bytes, bytes] = field(default_factory=dict)
    resumption: Mapping[tuple[bytes, int], bytes] = field(default_factory=dict)

    def with_resumption(self, more: Mapping[tuple[bytes, int], bytes]) -> Psks:
        """These and `more`."""
        return Psks(self.external, {**self.resumption, **more})

    def find(self, name: PskId) -> bytes:
        """Raises MissingPsk."""
        if name.usage is PskUsage.EXTERNAL:
            found = self.external.get(name.id)
        else:
            found = self.resumption.get((name.id, name.epoch))
        if found is None:
            raise MissingPsk("a pre-shared key is not here")
        return found


def psk_secret(suite: CipherSuite, psks: Iterable[tuple[PskId, bytes]]) -> bytes:
    """The PSK secret of named keys in their order; all zeros for none."""
    named = list(psks)
    result = suite.zero
    for index, (name, key) in enumerate(named):
        label = name.encode() + u16(index) + u16(len(named))
        material = suite.expand(suite.extract(suite.zero, key), b"derived psk", label, suite.hash_size)
        result = suite.extract(material, result)
    return result


def find_psk_secret(suite: CipherSuite, names: Iterable[PskId], held: Psks) -> bytes:
    """The PSK secret of `names`. Raises MissingPsk."""
    return psk_secret(suite, [(name, held.find(name)) for name in names])
