"""From a commit to an epoch's secrets (RFC 9420 section 8), and what is exported from them (8.5)."""

from __future__ import annotations

from typing import Final

from roost.crypto.mls.context import GroupContext
from roost.crypto.mls.kem import KemPrivateKey
from roost.crypto.mls.suites import CipherSuite
from roost.crypto.secret import Secret

_LABELS: Final = {
    "sender_data_secret": b"sender data",
    "encryption_secret": b"encryption",
    "exporter_secret": b"exporter",
    "external_secret": b"external",
    "confirmation_key": b"confirm",
    "membership_key": b"membership",
    "resumption_psk": b"resumption",
    "epoch_authenticator": b"authentication",
    "init_secret": b"init",
}


class EpochSecrets(Secret):
    """What an epoch's secret yields (table 4). The epoch secret itself is not kept (section 9.2).

    `encryption_secret` is there until the secret tree was made of it; a stored epoch has none.
    """

    __slots__ = (*_LABELS, "suite")

    sender_data_secret: bytes
    encryption_secret: bytes
    exporter_secret: bytes
    external_secret: bytes
    confirmation_key: bytes
    membership_key: bytes
    resumption_psk: bytes
    epoch_authenticator: bytes
    init_secret: bytes

    def __init__(self, suite: CipherSuite, values: dict[str, bytes]) -> None:
        self.suite = suite
        for name in _LABELS:
            setattr(self, name, values[name])

    @classmethod
    def from_epoch_secret(cls, suite: CipherSuite, epoch_secret: bytes) -> EpochSecrets:
        return cls(suite, {name: suite.derive(epoch_secret, label) for name, label in _LABELS.items()})

    def without_encryption_secret(self) -> EpochSecrets:
        """The same without what the secret tree consumed."""
        return EpochSecrets(self.suite, {**self.to_dict(), "encryption_secret": b""})

    def to_dict(self) -> dict[str, bytes]:
        """All by name. For the encrypted store alone."""
        return {name: getattr(self, name) for name in _LABELS}

    def confirmation_tag(self, confirmed_transcript_hash: bytes) -> bytes:
        return self.suite.mac(self.confirmation_key, confirmed_transcript_hash)

    def external_key(self) -> KemPrivateKey:
        """The key pair that the whole group holds, for external commits (section 8.3)."""
        return self.suite.kem.derive(self.external_secret)

    def export(self, label: bytes, context: bytes, length: int) -> bytes:
        """MLS-Exporter (section 8.5): `length` bytes, at most 255 times the hash's size."""
        secret = self.suite.derive(self.exporter_secret, label)
        return self.suite.expand(secret, b"exported", self.suite.digest(context), length)


class JoinerSchedule(Secret):
    """The middle of the key schedule, from where newcomers begin: joiner secret and PSKs."""

    __slots__ = ("_member_secret", "_suite", "joiner_secret", "welcome_secret")

    def __init__(self, suite: CipherSuite, joiner_secret: bytes, psk_secret: bytes) -> None:
        self._suite = suite
        self.joiner_secret = joiner_secret
        self._member_secret = suite.extract(joiner_secret, psk_secret)
        self.welcome_secret = suite.derive(self._member_secret, b"welcome")

    @classmethod
    def after_commit(
        cls, suite: CipherSuite, init_secret: bytes, commit_secret: bytes, psk_secret: bytes, context: GroupContext
    ) -> JoinerSchedule:
        """What members compute: `init_secret` of the epoch before, or of an external commit."""
        secret = suite.extract(init_secret, commit_secret)
        joiner_secret = suite.expand(secret, b"joiner", context.encoded, suite.hash_size)
        return cls(suite, joiner_secret, psk_secret)

    def epoch(self, context: GroupContext) -> EpochSecrets:
        epoch_secret = self._suite.expand(self._member_secret, b"epoch", context.encoded, self._suite.hash_size)
        return EpochSecrets.from_epoch_secret(self._suite, epoch_secret)
