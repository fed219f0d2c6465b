"""Key packages: what a device publishes so that others can add it to a group (RFC 9420 section 10)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

from roost.crypto.entropy import Entropy
from roost.crypto.mls.codec import Reader, Structure, opaque, structures, u16
from roost.crypto.mls.errors import InvalidChange, Malformed, Unsupported
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.leaf import (
    MLS10,
    Capabilities,
    Credential,
    Extensions,
    LeafNode,
    LeafSource,
    Lifetime,
    read_extensions,
)
from roost.crypto.mls.signatures import SignatureKey
from roost.crypto.mls.suites import CipherSuite, suite_by_id
from roost.crypto.secret import Secret


@dataclass(frozen=True)
class KeyPackage(Structure):
    """RFC 9420 section 10."""

    version: int
    suite_id: int
    init_key: bytes
    leaf: LeafNode
    extensions: Extensions = ()
    signature: bytes = field(default=b"", repr=False)

    @cached_property
    def _unsigned(self) -> bytes:
        head = u16(self.version) + u16(self.suite_id) + opaque(self.init_key)
        return head + self.leaf.encode() + structures(self.extensions)

    def encode(self) -> bytes:
        return self._unsigned + opaque(self.signature)

    @classmethod
    def read(cls, reader: Reader) -> KeyPackage:
        version, suite_id, init_key = reader.u16(), reader.u16(), reader.opaque()
        if version != MLS10:
            raise Unsupported("a key package is of an unknown version")
        return cls(version, suite_id, init_key, LeafNode.read(reader), read_extensions(reader), reader.opaque())

    def signed(self, suite: CipherSuite, key: SignatureKey) -> KeyPackage:
        return replace(self, signature=suite.sign(key, b"KeyPackageTBS", self._unsigned))

    def reference(self, suite: CipherSuite) -> bytes:
        """KeyPackageRef (section 5.2)."""
        return suite.reference(b"MLS 1.0 KeyPackage Reference", self.encode())

    def check(self, suite: CipherSuite) -> None:
        """What a key package shows by itself (section 10.1); its lifetime is checked by who adds it.

        Raises:
            InvalidChange: it is for another suite, or breaks a rule of section 7.3 or 10.1.
            NotAuthentic: a signature does not verify.
        """
        if suite.id not in self.leaf.capabilities.suites:
            raise InvalidChange("a key package's leaf does not support its suite")
        if self.suite_id != suite.id or len(self.init_key) != suite.kem.public_size:
            raise InvalidChange("a key package is for another suite")
        if self.leaf.source is not LeafSource.KEY_PACKAGE:
            raise InvalidChange("a key package's leaf has another source")
        if self.leaf.encryption_key == self.init_key:
            raise InvalidChange("a key package uses one key twice")
        self.leaf.check(suite, b"", 0)
        suite.verify(self.leaf.signature_key, b"KeyPackageTBS", self._unsigned, self.signature)
        if not self.leaf.capabilities.supports_extensions(extension.type for extension in self.extensions):
            raise InvalidChange("a key package does not support its own extensions")


class KeyPackageSecrets(Secret):
    """A key package of this device with its private keys. Used once: erase it when a Welcome was opened with it."""

    __slots__ = ("encryption_key", "init_key", "package", "signature_key", "suite")

    def __init__(
        self, package: KeyPackage, init_key: KemPrivateKey, encryption_key: KemPrivateKey, signature_key: SignatureKey
    ) -> None:
        self.suite = suite_by_id(package.suite_id)
        self.package = package
        self.init_key = init_key
        self.encryption_key = encryption_key
        self.signature_key = signature_key
        pairs = (
            (init_key.public, package.init_key),
            (encryption_key.public, package.leaf.encryption_key),
            (signature_key.public, package.leaf.signature_key),
        )
        if any(one != other for one, other in pairs):
            raise Malformed("a key package's secrets belong to another one")

    def to_bytes(self) -> bytes:
        """Package and secrets without the signature key. For the encrypted store alone."""
        return self.package.encode() + opaque(self.init_key.to_bytes()) + opaque(self.encryption_key.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, signature_key: SignatureKey) -> KeyPackageSecrets:
        """The inverse of `to_bytes`. Raises Malformed."""
        reader = Reader(data)
        package = KeyPackage.read(reader)
        kem = suite_by_id(package.suite_id).kem
        init_key, encryption_key = kem.private(reader.opaque()), kem.private(reader.opaque())
        reader.finish()
        return cls(package, init_key, encryption_key, signature_key)

    @staticmethod
    def package_of(data: bytes) -> KeyPackage:
        """The public part alone of what `to_bytes` made: expanding the private keys is what takes time."""
        return KeyPackage.read(Reader(data))


def make_key_package(
    suite: CipherSuite,
    credential: Credential,
    signature_key: SignatureKey,
    lifetime: Lifetime,
    entropy: Entropy,
    *,
    capabilities: Capabilities | None = None,
    leaf_extensions: Extensions = (),
    extensions: Extensions = (),
) -> KeyPackageSecrets:
    """A fresh key package and its private keys."""
    init_key, encryption_key = suite.kem.generate(entropy), suite.kem.generate(entropy)
    leaf = LeafNode(
        encryption_key.public,
        signature_key.public,
        credential,
        capabilities or Capabilities(),
        LeafSource.KEY_PACKAGE,
        lifetime=lifetime,
        extensions=leaf_extensions,
    ).signed(suite, signature_key)
    package = KeyPackage(MLS10, suite.id, init_key.public, leaf, extensions).signed(suite, signature_key)
    return KeyPackageSecrets(package, init_key, encryption_key, signature_key)
