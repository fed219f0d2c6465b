"""Group infos and Welcomes: what a newcomer gets (RFC 9420 sections 12.4.3 and 12.4.3.1). Joining is in joining.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from roost.crypto.entropy import Entropy
from roost.crypto.mls.codec import Reader, Structure, opaque, optional, structures, u16, u32
from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.errors import NotForThisClient
from roost.crypto.mls.hpke import NONCE_SIZE
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.key_package import KeyPackage
from roost.crypto.mls.leaf import Extensions, read_extensions
from roost.crypto.mls.psk import PskId
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite, HpkeCiphertext
from roost.crypto.secret import Secret


@dataclass(frozen=True)
class GroupInfo(Structure):
    """One epoch of a group as a member describes it, signed."""

    context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes = field(default=b"", repr=False)

    @cached_property
    def _unsigned(self) -> bytes:
        return self.context.encode() + structures(self.extensions) + opaque(self.confirmation_tag) + u32(self.signer)

    def encode(self) -> bytes:
        return self._unsigned + opaque(self.signature)

    @classmethod
    def read(cls, reader: Reader) -> GroupInfo:
        head = GroupContext.read(reader), read_extensions(reader)
        return cls(*head, reader.opaque(), reader.u32(), reader.opaque())

    def signed(self, suite: CipherSuite, key: SignatureKey) -> GroupInfo:
        return replace(self, signature=suite.sign(key, b"GroupInfoTBS", self._unsigned))

    def check(self, suite: CipherSuite, signature_key: bytes) -> None:
        """Raises NotAuthentic unless the signer's key signed it."""
        suite.verify(signature_key, b"GroupInfoTBS", self._unsigned, self.signature)


@dataclass(frozen=True, repr=False)
class GroupSecrets(Structure, Secret):
    joiner_secret: bytes
    path_secret: bytes | None
    psks: tuple[PskId, ...]

    def encode(self) -> bytes:
        path = None if self.path_secret is None else opaque(self.path_secret)
        return opaque(self.joiner_secret) + optional(path) + structures(self.psks)

    @classmethod
    def read(cls, reader: Reader) -> GroupSecrets:
        return cls(reader.opaque(), reader.optional(Reader.opaque), reader.vector(PskId.read))


@dataclass(frozen=True)
class EncryptedGroupSecrets(Structure):
    new_member: bytes
    sealed: HpkeCiphertext

    def encode(self) -> bytes:
        return opaque(self.new_member) + self.sealed.encode()

    @classmethod
    def read(cls, reader: Reader) -> EncryptedGroupSecrets:
        return cls(reader.opaque(), HpkeCiphertext.read(reader))


@dataclass(frozen=True)
class Welcome(Structure):
    suite_id: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes

    def encode(self) -> bytes:
        return u16(self.suite_id) + structures(self.secrets) + opaque(self.encrypted_group_info)

    @classmethod
    def read(cls, reader: Reader) -> Welcome:
        return cls(reader.u16(), reader.vector(EncryptedGroupSecrets.read), reader.opaque())

    def open_secrets(self, suite: CipherSuite, package: KeyPackage, init_key: KemPrivateKey) -> GroupSecrets:
        """The secrets for the holder of a key package.

        Raises:
            NotForThisClient: the Welcome does not name the key package.
            MlsError: what is sealed does not open, or is malformed.
        """
        reference = package.reference(suite)
        mine = next((entry for entry in self.secrets if entry.new_member == reference), None)
        if mine is None or self.suite_id != package.suite_id:
            raise NotForThisClient("a welcome is for other key packages")
        return GroupSecrets.decode(suite.decrypt(init_key, b"Welcome", self.encrypted_group_info, mine.sealed))

    def open_group_info(self, suite: CipherSuite, welcome_secret: bytes) -> GroupInfo:
        """Raises NotAuthentic or Malformed."""
        key, nonce = _info_key(suite, welcome_secret)
        return GroupInfo.decode(suite.aead.open(key, nonce, self.encrypted_group_info, b""))


def _info_key(suite: CipherSuite, welcome_secret: bytes) -> tuple[bytes, bytes]:
    key = suite.expand(welcome_secret, b"key", b"", suite.aead.key_size)
    return key, suite.expand(welcome_secret, b"nonce", b"", NONCE_SIZE)


def make_welcome(
    suite: CipherSuite,
    info: GroupInfo,
    welcome_secret: bytes,
    newcomers: Sequence[tuple[KeyPackage, GroupSecrets]],
    entropy: Entropy,
) -> Welcome:
    """One Welcome for all newcomers of a commit."""
    key, nonce = _info_key(suite, welcome_secret)
    sealed_info = suite.aead.seal(key, nonce, info.encode(), b"")
    seal = suite.sealer(b"Welcome", sealed_info, entropy)
    entries = tuple(
        EncryptedGroupSecrets(
            package.reference(suite),
            seal(package.init_key, secrets.encode()),
        )
        for package, secrets in newcomers
    )
    return Welcome(suite.id, entries, sealed_info)
